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

    Raises:
        AssetError: the network could not be obtained.
    """
    found = list(_looked(crops))
    hints = np.array([_numbers(own) for own in found], np.float32).reshape(-1, POINTS, COLUMNS)
    return hints, np.array([own.mask for own in found], np.uint8).reshape(-1, MASK_SIZE, MASK_SIZE)


def _looked(crops: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], without: Sequence[str] = ()) -> Iterator[Landmarks]:
    """What the network sees in each crop, whose positions are in pixels of the crop at 256 pixels."""
    network = Network(asset("mediapipe") / "pose_landmark_full.tflite", without=without)
    region = Region(((_SIDE - 1) / 2, (_SIDE - 1) / 2), float(_SIDE), 0.0)
    for image in crops:
        large = cv2.resize(np.asarray(image), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
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
