"""What BlazePose's landmark network says of crops: hints for a regressor that has seen few pictures itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from marrow.assets import asset
from marrow.conventions import joint_names
from marrow.detect._network import Network
from marrow.detect.blazepose import MASK_SIZE, Landmarks, Region, decode_landmarks
from marrow.types import Float32

POINTS = 33
#: Numbers of a point: place in the crop (shares of half a side), metres in the camera's axes from the middle of the
#: hips, and how far it is seen, inside, and agreed upon by the network's two outputs.
COLUMNS = 8
#: Numbers of a crop.
COUNT = POINTS * COLUMNS

_SIDE = 256
#: Below this mean agreement a crop is also looked at in other turns, of which one is taken that has so much more.
_DOUBTFUL, _CLEARLY = 0.55, 0.2


def landmark_hints(crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Float32:
    """(N, 33, 8) of crops (N, S, S, 3) uint8 RGB; :data:`COLUMNS` tells what.

    Raises:
        AssetError: the network could not be obtained.
    """
    # without the mask, which is a third of the work
    found = _looked(crops, without=("Identity_2",))
    return np.array([_numbers(own) for own in found], np.float32).reshape(-1, POINTS, COLUMNS)


def landmark_hints_and_masks(
    crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
) -> tuple[Float32, NDArray[np.uint8]]:
    """The same hints, and (N, 64, 64) the masks of the persons, 255 where they are seen.

    The network expects upright people. So a crop whose points its two outputs place differently is also looked at after
    quarter turns, and the answer is taken whose outputs agree most, if clearly more.

    Raises:
        AssetError: the network could not be obtained.
    """
    hints = np.zeros((len(crops), POINTS, COLUMNS), np.float32)
    masks = np.zeros((len(crops), MASK_SIZE, MASK_SIZE), np.uint8)
    for k, found in enumerate(_looked(crops)):
        hints[k], masks[k] = _numbers(found), _mask(found)
    for k in np.flatnonzero(hints[:, :, 7].mean(1) < _DOUBTFUL).tolist():
        looks = _looked([np.rot90(crops[k], quarters) for quarters in (1, 2, 3)])
        quarters, found = max(enumerate(looks, 1), key=lambda look: look[1].agreement.mean())
        if found.agreement.mean() > hints[k, :, 7].mean() + _CLEARLY:
            hints[k], masks[k] = _turned(_numbers(found), quarters), np.rot90(_mask(found), -quarters)
    return hints, masks


def _mask(found: Landmarks) -> NDArray[np.uint8]:
    """(64, 64) of a network that was asked for it."""
    return np.zeros((MASK_SIZE, MASK_SIZE), np.uint8) if found.mask is None else found.mask


def _turned(numbers: Float32, quarters: int) -> Float32:
    """Numbers (33, 8) of a crop that was turned by so many quarters against the clock, as of the crop before."""
    out = numbers.copy()
    for _ in range(quarters):
        out[:, :4] = np.stack([-out[:, 1], out[:, 0], -out[:, 3], out[:, 2]], 1)
    return out


def _looked(crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], without: Sequence[str] = ()) -> Iterator[Landmarks]:
    """What the network sees in each crop, whose positions are in pixels of the crop at 256 pixels."""
    network = Network(asset("mediapipe") / "pose_landmark_full.tflite", without=without)
    region = Region(((_SIDE - 1) / 2, (_SIDE - 1) / 2), float(_SIDE), 0.0)
    for image in crops:
        large = cv2.resize(np.ascontiguousarray(image), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        yield decode_landmarks(network(np.multiply(large, np.float32(1 / 255), dtype=np.float32)[None]), region)


def _numbers(found: Landmarks) -> Float32:
    xy = (found.xy - (_SIDE - 1) / 2) / (_SIDE / 2)
    return np.column_stack([xy, found.world, found.visibility, found.presence, found.agreement])


def hints_mirrored(hints: torch.Tensor) -> torch.Tensor:
    """Hints (N, 33, 8) of the crops in a mirror."""
    names = joint_names("blazepose33")
    words = {"right": "left", "left": "right"}
    other = [names.index("_".join(words.get(word, word) for word in name.split("_"))) for name in names]
    return hints[:, other] * torch.tensor([-1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0])


def hints_moved(
    hints: torch.Tensor, in_picture: torch.Tensor, about: torch.Tensor, shift: torch.Tensor, zoom: torch.Tensor
) -> torch.Tensor:
    """Hints of crops that were turned, moved and cut wider.

    Args:
        hints: (N, 33, 8).
        in_picture, about: (N, 2, 2) and (N, 3, 3) the turn of the crop, and of the camera.
        shift: (N, 2) of the middle, shares of half a side.
        zoom: (N,) how much wider the crop is.
    """
    xy = (hints[..., :2] - shift[:, None]) @ in_picture.transpose(1, 2) / zoom[:, None, None]
    return torch.cat([xy, hints[..., 2:5] @ about.transpose(1, 2), hints[..., 5:]], 2)
