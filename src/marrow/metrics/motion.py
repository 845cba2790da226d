"""How smooth a motion is and whether its bones keep their length: figures that need no truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.types import Float64

#: Pairs of joints.
Bones = Sequence[tuple[int, int]]


def jitter(joints: ArrayLike, fps: float, *, valid_frames: ArrayLike | None = None) -> Float64:
    """Mean size of the joints' jerk, the third difference over time: (T, J, 3) m to (T - 3,) m/s^3.

    WHAM (Shin et al., CVPR 2024) and its followers report a tenth of it, in units of 10 m/s^3.

    Args:
        joints: (T, J, 3) m at a constant rate, in a world that stands still.
        fps: frames per second.
        valid_frames: (T,) bool; figures that touch an invalid frame are NaN.
    """
    x = np.asarray(joints, np.float64)
    if x.ndim != 3 or x.shape[-1] != 3 or len(x) < 4:
        raise InputError(f"jitter: expected (T, J, 3) with T >= 4, got {x.shape}")
    out = np.linalg.norm(np.diff(x, 3, axis=0), axis=-1).mean(-1) * fps**3
    if valid_frames is None:
        return out
    ok = np.asarray(valid_frames, bool)
    return np.where(ok[3:] & ok[2:-1] & ok[1:-2] & ok[:-3], out, np.nan)


def bone_lengths(joints: ArrayLike, bones: Bones) -> Float64:
    """Distances between the ends of bones: (..., J, 3) m to (..., B) m."""
    x, ends = np.asarray(joints, np.float64), np.asarray(bones, int)
    if x.ndim < 2 or x.shape[-1] != 3 or ends.ndim != 2 or ends.shape[1] != 2 or ends.max(initial=0) >= x.shape[-2]:
        raise InputError(
            f"bone_lengths: expected joints (..., J, 3) and pairs (B, 2) of them, got {x.shape}, {ends.shape}"
        )
    return np.linalg.norm(x[..., ends[:, 0], :] - x[..., ends[:, 1], :], axis=-1)


def bone_length_variation(joints: ArrayLike, bones: Bones) -> Float64:
    """Coefficient of variation of each bone over time, 0 for a body of rigid bones: (T, J, 3) m to (B,).

    Frames where an end of a bone is NaN are left out of that bone.
    """
    length = bone_lengths(joints, bones)
    if length.ndim != 2:
        raise InputError(f"bone_length_variation: expected one motion (T, J, 3), got {np.shape(joints)}")
    return np.nanstd(length, axis=0) / np.nanmean(length, axis=0)


def bone_length_asymmetry(joints: ArrayLike, left: Bones, right: Bones) -> Float64:
    """Difference of the sides' bones over their mean length: (..., J, 3) m to (..., B); 0 where both agree."""
    if len(left) != len(right):
        raise InputError(
            f"bone_length_asymmetry: expected as many bones on both sides, got {len(left)} and {len(right)}"
        )
    l, r = bone_lengths(joints, left), bone_lengths(joints, right)
    return 2 * np.abs(l - r) / (l + r)
