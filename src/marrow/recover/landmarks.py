"""What BlazePose's landmark network says of crops: hints for a regressor that has seen few pictures itself."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from marrow.assets import asset
from marrow.conventions import joint_names
from marrow.detect._network import Network
from marrow.detect.blazepose import Region, decode_landmarks
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
    network = Network(asset("mediapipe") / "pose_landmark_full.tflite", without=("Identity_2",))
    region = Region(((_SIDE - 1) / 2, (_SIDE - 1) / 2), float(_SIDE), 0.0)
    out = np.zeros((len(crops), POINTS, COLUMNS), np.float32)
    for k, image in enumerate(crops):
        large = cv2.resize(np.asarray(image), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        found = decode_landmarks(network(np.multiply(large, np.float32(1 / 255), dtype=np.float32)[None]), region)
        out[k, :, :2] = (found.xy - (_SIDE - 1) / 2) / (_SIDE / 2)
        out[k, :, 2:5] = found.world
        out[k, :, 5:] = np.stack([found.visibility, found.presence, found.agreement], 1)
    return out


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
