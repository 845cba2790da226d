"""Poses to recognise in a picture: those of the motion pack, and a few that it lacks."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from marrow.data.motion_pack import PACK, motion_pack
from marrow.geometry import rotations
from marrow.lift.directions import relaxed
from marrow.skeleton import Skeleton
from marrow.types import Float64

#: Legs and arms of plain poses in degrees (right side first where the sides differ), combined with each other.
_LEGS: tuple[dict[str, float], ...] = (
    {},
    {"hip_adduction": -20},
    {"hip_flexion_r": 30, "knee_angle_r": 15, "hip_flexion_l": -15, "knee_angle_l": 30},
    {"hip_flexion_r": 80, "knee_angle_r": 90},
    {"hip_flexion": 85, "knee_angle": 90},
    {"hip_flexion": 60, "knee_angle": 70, "ankle_angle": 15, "lumbar_seg_extension": -13, "thorax_extension": -7},
    {"hip_flexion": 110, "knee_angle": 125, "ankle_angle": 20, "lumbar_seg_extension": -16, "thorax_extension": -9},
    {"hip_flexion_r": 80, "knee_angle_r": 80, "hip_flexion_l": -10, "knee_angle_l": 70},
    {"hip_flexion": 70, "knee_angle": 5, "lumbar_seg_extension": -20, "thorax_extension": -10},
)
_ARMS: tuple[dict[str, float], ...] = (
    {"gh_add": -10, "elbow_flex": 15},
    {"gh_add": -85, "elbow_flex": 5},
    {"gh_flex": 170, "elbow_flex": 10},
    {"gh_flex": 85, "elbow_flex": 15},
    {"gh_add": -30, "gh_rot": 40, "elbow_flex": 95},
    {"gh_flex": 60, "elbow_flex": 110},
    {"gh_flex_r": 35, "elbow_flex_r": 40, "gh_flex_l": -35, "elbow_flex_l": 30},
    {"gh_flex_r": 165, "gh_add_l": -10},
)


def poses(skeleton: Skeleton, count: int) -> Float64:
    """(N, D) different poses, at most ``count`` and the plain ones: at the origin, with lean but without heading.

    The pack's poses are thinned out so that no two are alike: the farthest from those already chosen comes next
    (Gonzalez 1985), in joint positions.
    """
    plain = _plain(skeleton)
    if not PACK.exists():
        return plain
    pack = motion_pack()
    column = [skeleton.index(name) for name in pack.coordinates]
    q = np.tile(relaxed(skeleton), (len(pack.q), 1))
    q[:, column] = pack.q
    q = q[np.array([pack.splits[c] == "train" for c in pack.clip])]
    q = q[:: max(1, len(q) // 3000)]
    q = without_heading(skeleton, q)
    return np.concatenate([plain, q[_spread(skeleton, q, count)]])


def without_heading(skeleton: Skeleton, q: Float64) -> Float64:
    """Poses at the origin whose pelvis faces forward: the turn about the vertical is taken out, lean is kept."""
    out = q.copy()
    out[:, 3:6] = 0.0
    R = rotations.from_euler_zxy(out[:, :3])
    # Heading of the pelvis' lateral axis: it stays level when a person bends forward or lies on the back.
    heading = np.arctan2(R[:, 0, 2], R[:, 2, 2])
    out[:, :3] = rotations.euler_zxy(rotations.axis_angle([0.0, 1.0, 0.0], -heading) @ R)
    return out


def _spread(skeleton: Skeleton, q: Float64, count: int) -> NDArray[np.int64]:
    """Indices of at most ``count`` poses, each the farthest from those before it."""
    small = skeleton.without_fingers()
    keep = [skeleton.index(name) for name in small.coordinates]
    x = small.forward(q[:, keep])[1].reshape(len(q), -1).astype(np.float32)
    square = (x**2).sum(1)
    chosen = [0]
    distance = np.full(len(x), np.inf, np.float32)
    for _ in range(min(count, len(x)) - 1):
        last = chosen[-1]
        np.minimum(distance, square - 2 * (x @ x[last]) + square[last], out=distance)
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def _plain(skeleton: Skeleton) -> Float64:
    out = []
    for legs, arms in itertools.product(_LEGS, _ARMS):
        q = relaxed(skeleton)
        for name, degrees in (legs | arms).items():
            for full in (name,) if name in skeleton.coordinates else (f"{name}_r", f"{name}_l"):
                q[skeleton.index(full)] = np.radians(degrees)
        out.append(q)
    return np.array(out)
