"""Trivial lifters, which every learnt one has to beat: the mean pose, and a body without depth at its true scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.projection import unproject
from marrow.types import Camera, Float64


def mean_pose(poses: ArrayLike, root: int | list[int] = 0) -> Float64:
    """The mean of the poses to learn from, moved to their root: (N, J, 3) m to (J, 3) m.

    No constant pose has a smaller mean square error on them.

    Args:
        poses: of the training set, in the camera's axes where the tested ones are.
        root: index of the root joint, or several whose mean it is.
    Raises:
        InputError: no poses, or of another shape.
    """
    x = np.asarray(poses, np.float64)
    if x.ndim != 3 or x.shape[-1] != 3 or not len(x):
        raise InputError(f"mean_pose: expected poses (N, J, 3), at least one, got {x.shape}")
    return (x - x[:, np.atleast_1d(root)].mean(1, keepdims=True)).mean(0)


def flat_pose(camera: Camera, keypoints: ArrayLike, root_depth: ArrayLike) -> Float64:
    """Every joint at the depth of the root, which is taken from the truth: (..., J, 2) pixels to world (..., J, 3) m.

    Its error is that of unknown relative depth alone: what a lifter sees beyond it, it has learnt.

    Args:
        camera: the true one.
        keypoints: (..., J, 2) pixels.
        root_depth: (...) m, true distance of the root along the camera's axis.
    """
    xy, depth = np.asarray(keypoints, np.float64), np.asarray(root_depth, np.float64)
    if xy.ndim < 2 or xy.shape[-1] != 2 or depth.shape != xy.shape[:-2]:
        raise InputError(
            f"flat_pose: expected keypoints (..., J, 2) and a depth (...) for each pose, got {xy.shape}, {depth.shape}"
        )
    if not (depth > 0).all():
        raise InputError("flat_pose: expected depths above 0 m, in front of the camera")
    return unproject(camera, xy, np.broadcast_to(depth[..., None], xy.shape[:-1]))
