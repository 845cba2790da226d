"""The floor under the feet: when a foot bears on it, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.fit._fast_residuals import Shared
from marrow.geometry import rotations
from marrow.types import Float64

#: Half heights of the contact probability: metres above the floor, metres per second.
_HEIGHT, _SPEED = 0.05, 0.35
_WINDOW = 0.08  # s: speeds are taken over about this long, to each side
_MIN_CONTACTS = 5
#: Standing takes at least this long; grounds whose heights differ by less than this are one.
_STANCE_S, _STEP = 0.1, 0.25
#: Share of all standing that a ground must carry to be the floor.
_CARRIES = 0.15
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


def stances(points: Float64, time: Float64, up: Float64, seen: np.ndarray, *, loose: float = 1.0) -> NDArray[np.int64]:
    """(T,) number of the stance that each frame belongs to, -1 where none.

    A person stands where the lowest point of the soles (T, F, 3) hardly moves for :data:`_STANCE_S`. Stances of one
    person at the same height (within :data:`_STEP`) get the same number: they are on the same ground, be it the floor,
    a step or the roof of a shed.
    """
    height = points @ up
    lowest = height.argmin(1)
    rows = np.arange(len(points))
    still = seen & (speeds(points, time)[rows, lowest] < _SPEED * loose)
    low = height[rows, lowest]
    runs = []
    for run in np.split(rows, np.flatnonzero((np.diff(still.astype(int)) != 0) | (np.abs(np.diff(low)) > _STEP)) + 1):
        if still[run[0]] and time[run[-1]] - time[run[0]] >= _STANCE_S:
            runs.append(run)
    out = np.full(len(points), -1)
    if not runs:
        return out
    middle = np.array([np.median(low[run]) for run in runs])
    order = np.argsort(middle)
    ground = np.empty(len(runs), int)
    ground[order] = np.concatenate([[0], np.cumsum(np.diff(middle[order]) > _STEP)])
    for run, number in zip(runs, ground, strict=True):
        out[run] = number
    return out


def ground_level(points: Float64, time: Float64, shared: Shared, seen: np.ndarray, *, loose: float = 1.0) -> Float64:
    """(T,) metres above the floor of the ground under a person, from where they stand.

    It is 0 for stances near the floor, and the stances' own height where they are clearly elsewhere. Between stances
    (in a step or a jump) it is the lower of the two, before the first and after the last one theirs.
    """
    ground = stances(points, time, shared.up[:, 1], seen, loose=loose)
    lowest = (points @ shared.up[:, 1]).min(1) - shared.height
    level = np.full(len(points), np.nan)
    for number in range(ground.max() + 1):
        at = ground == number
        middle = float(np.median(lowest[at]))
        level[at] = 0.0 if abs(middle) < _STEP else middle
    known = np.flatnonzero(np.isfinite(level))
    if not len(known):
        return np.zeros(len(points))
    rows = np.arange(len(points))
    before = known[np.maximum(np.searchsorted(known, rows, side="right") - 1, 0)]
    after = known[np.minimum(np.searchsorted(known, rows), len(known) - 1)]
    return np.minimum(level[before], level[after])


def contact(
    points: Float64, time: Float64, shared: Shared, seen: np.ndarray, *, loose: float = 1.0
) -> tuple[Float64, Float64]:
    """Probability (T, F) that sole points (T, F, 3) bear on the ground: low and slow; and the ground's level (T,).

    The probability is 0 where nothing was seen. ``loose`` widens both scales, for an early stage in which the floor is
    only roughly known.
    """
    level = ground_level(points, time, shared, seen, loose=loose)
    height = points @ shared.up[:, 1] - shared.height - level[:, None]
    slow = 1.0 / (1.0 + (speeds(points, time) / (_SPEED * loose)) ** 4)
    low = 1.0 / (1.0 + (np.maximum(height, 0.0) / (_HEIGHT * loose)) ** 4)
    return np.where(seen[:, None], slow * low, 0.0), level


def first_floor(points: Sequence[Float64], times: Sequence[Float64], shared: Shared, seen: Sequence[np.ndarray],
                level: Float64, tilt_sd: Float64) -> Shared:  # fmt: skip
    """Floor under the feet of all people, with the camera's tilt as prior.

    The vertical is common to all grounds that people stand on; the floor is the lowest of them that carries at least
    :data:`_CARRIES` of all standing.

    Args:
        points: (T, F, 3) of each person.
        level: (3, 2) directions that the normal should be square to, ``tilt_sd`` (2,) with this deviation in radians.
    """
    chosen, ground = [], []
    for x, time, ok in zip(points, times, seen, strict=True):
        number = stances(x, time, shared.up[:, 1], ok, loose=2.0)
        frames = np.flatnonzero(number >= 0)
        chosen.append(x[frames, (x[frames] @ shared.up[:, 1]).argmin(1)])
        ground.append(number[frames] + 1000 * len(ground))
    x, group = np.concatenate(chosen), np.unique(np.concatenate(ground), return_inverse=True)[1]
    if len(x) < 3:
        every = np.concatenate([p[s].reshape(-1, 3) for p, s in zip(points, seen, strict=True)])
        low = np.percentile(every @ shared.up[:, 1], 2) if len(every) else 0.0
        return shared._replace(height=float(low))
    up = _vertical(x, group, shared.up, level, tilt_sd)
    heights = np.sort(x @ up[:, 1])
    carried = np.searchsorted(heights, heights + _STEP, side="right") - np.arange(len(heights))
    lowest = int(np.flatnonzero(carried >= _CARRIES * len(heights))[0])
    floor = float(np.median(heights[lowest : lowest + carried[lowest]]))
    return shared._replace(up=np.ascontiguousarray(up), height=floor)


def _vertical(x: Float64, group: NDArray[np.int64], up: Float64, level: Float64, tilt_sd: Float64) -> Float64:
    """(3, 3) tilt axes and normal that make the points (N, 3) of each group level, by reweighted least squares."""
    count = group.max() + 1
    weight = np.full(len(x), min(1.0, _INDEPENDENT / len(x)) / 0.05**2)
    for scale in (0.3, 0.2, 0.1, 0.1, 0.07, 0.07):
        h = x @ up[:, 1]
        middle = np.array([np.median(h[group == n]) for n in range(count)])
        h = h - middle[group]
        robust = weight / (1.0 + (h / scale) ** 2) ** 2
        J = np.zeros((len(x), 2 + count))
        J[:, 0], J[:, 1] = x @ up[:, 0], x @ up[:, 2]
        J[np.arange(len(x)), 2 + group] = -1.0
        A, b = (J * robust[:, None]).T @ J, (J * robust[:, None]).T @ h
        for k in range(2):
            row = np.zeros(2 + count)
            row[:2] = level[:, k] @ up[:, 0], level[:, k] @ up[:, 2]
            A += np.outer(row, row) / tilt_sd[k] ** 2
            b += row * (level[:, k] @ up[:, 1]) / tilt_sd[k] ** 2
        step = -np.linalg.solve(A + 1e-6 * np.eye(len(A)), b)
        turned = up[:, 1] + step[0] * up[:, 0] + step[1] * up[:, 2]
        up = rotations.rotation_between(up[:, 1], turned) @ up
    return up


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
