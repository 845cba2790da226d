"""The floor under the feet: when a foot bears on it, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marrow.fit._fast_residuals import Shared
from marrow.geometry import rotations
from marrow.types import Float64

#: Half heights of the contact probability: metres above the floor, metres per second.
_HEIGHT, _SPEED = 0.05, 0.35
_WINDOW = 0.08  # s: speeds are taken over about this long, to each side
_MIN_CONTACTS = 5
_INDEPENDENT = 8.0  # contacts that count as independent: the feet's places err together


@dataclass(frozen=True)
class Floor:
    """The floor that a fit found.

    Attributes:
        height: metres of the floor along its normal in the provisional world.
        normal: (3,) its unit normal there.
        contacts: frames x people in which at least one foot bears on it.
        pitch_deg, roll_deg: tilt of the camera against it.
    """

    height: float
    normal: Float64
    contacts: int
    pitch_deg: float
    roll_deg: float


def speeds(points: Float64, time: Float64) -> Float64:
    """(T, F) metres per second of points (T, F, 3), central differences over about 0.16 s."""
    T = len(time)
    if T < 3:
        return np.zeros(points.shape[:2])
    lo = np.searchsorted(time, time - _WINDOW)
    hi = np.minimum(np.searchsorted(time, time + _WINDOW, side="right") - 1, T - 1)
    lo, hi = np.minimum(lo, np.maximum(np.arange(T) - 1, 0)), np.maximum(hi, np.minimum(np.arange(T) + 1, T - 1))
    span = np.maximum(time[hi] - time[lo], 1e-6)
    return np.linalg.norm(points[hi] - points[lo], axis=-1) / span[:, None]


def contact(points: Float64, time: Float64, shared: Shared, seen: np.ndarray, *, loose: float = 1.0) -> Float64:
    """Probability (T, F) that sole points (T, F, 3) bear on the floor: low and slow. 0 where nothing was seen.

    ``loose`` widens both scales, for an early stage in which the floor is only roughly known.
    """
    height = points @ shared.up[:, 1] - shared.height
    slow = 1.0 / (1.0 + (speeds(points, time) / (_SPEED * loose)) ** 4)
    low = 1.0 / (1.0 + (np.maximum(height, 0.0) / (_HEIGHT * loose)) ** 4)
    return np.where(seen[:, None], slow * low, 0.0)


def first_floor(points: Sequence[Float64], times: Sequence[Float64], shared: Shared, seen: Sequence[np.ndarray],
                level: Float64, tilt_sd: Float64) -> Shared:  # fmt: skip
    """Floor through the slow sole points of all people: a robust plane with the camera's tilt as prior.

    Args:
        points: (T, F, 3) of each person.
        level: (3, 2) directions that the normal should be square to, ``tilt_sd`` (2,) with this deviation in radians.
    """
    chosen = []
    for x, time, ok in zip(points, times, seen, strict=True):
        slow = speeds(x, time) < 2 * _SPEED
        # of each frame the lowest point of the body; the others may be in the air
        height = np.where(slow, x @ shared.up[:, 1], np.inf)
        lowest = height.argmin(1)
        frames = np.flatnonzero(ok & np.isfinite(height.min(1)))
        chosen.append(x[frames, lowest[frames]])
    x = np.concatenate(chosen) if chosen else np.zeros((0, 3))
    if len(x) < 3:
        every = np.concatenate([p[s].reshape(-1, 3) for p, s in zip(points, seen, strict=True)])
        low = np.percentile(every @ shared.up[:, 1], 2) if len(every) else 0.0
        return shared._replace(height=float(low))
    return _plane(x, shared, level, tilt_sd)


def _plane(x: Float64, shared: Shared, level: Float64, tilt_sd: Float64) -> Shared:
    """Iteratively reweighted plane through the lower part of a cloud of points (N, 3)."""
    up = shared.up
    height = float(np.percentile(x @ up[:, 1], 30))
    for scale in (0.3, 0.2, 0.1, 0.1, 0.07, 0.07):
        h = x @ up[:, 1] - height
        # points above the floor are feet in the air and count for less than points below it
        weight = 1.0 / (1.0 + (np.where(h > 0, 1.5, 0.7) * h / scale) ** 2) ** 2
        weight *= min(1.0, _INDEPENDENT / len(x)) / 0.05**2
        J = np.stack([x @ up[:, 0], x @ up[:, 2], -np.ones(len(x))], -1)
        A, b = (J * weight[:, None]).T @ J, (J * weight[:, None]).T @ h
        for k in range(2):
            row = np.array([level[:, k] @ up[:, 0], level[:, k] @ up[:, 2], 0.0])
            A += np.outer(row, row) / tilt_sd[k] ** 2
            b += row * (level[:, k] @ up[:, 1]) / tilt_sd[k] ** 2
        step = -np.linalg.solve(A + 1e-6 * np.eye(3), b)
        turned = up[:, 1] + step[0] * up[:, 0] + step[1] * up[:, 2]
        up = rotations.rotation_between(up[:, 1], turned) @ up
        height = float(height + step[2])
    return shared._replace(up=np.ascontiguousarray(up), height=height)


def describe(shared: Shared, R_cam_world: Float64, contacts: int) -> Floor:
    """Summary of the floor, with the camera's tilt against it."""
    normal = shared.up[:, 1]
    pitch = np.degrees(np.arcsin(np.clip(-R_cam_world[2] @ normal, -1, 1)))
    roll = np.degrees(np.arcsin(np.clip(R_cam_world[0] @ normal, -1, 1)))
    return Floor(shared.height, normal.copy(), contacts, float(pitch), float(roll))


def enough(probabilities: Sequence[Float64]) -> int:
    """Number of frames with a foot on the floor, over all people; 0 where they are too few for a floor."""
    count = int(sum((p.max(1) > 0.5).sum() for p in probabilities if p.size))
    return count if count >= _MIN_CONTACTS else 0
