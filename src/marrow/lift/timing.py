"""Keypoints as lifters have learnt to read them: at their frame rate, with hardly any joint missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import convert_joints
from marrow.lift.lift import LIFTED
from marrow.types import Camera, Float64, Keypoints

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifted, Lifter

#: The share by which a source's frame rate may differ from a lifter's and be taken as it is.
_ALIKE = 0.1
#: Fewest joints in a frame from which a pose is told.
FEWEST = 4
#: Seconds from a frame that shows a joint over which its place is filled in.
_REACH = 0.5
#: A joint is taken as sure from this confidence on: lifters read less as a detector's doubt of a hidden joint.
_SURE = 0.5


def lift_in_time(
    lifter: Lifter, keypoints: Keypoints, time: Float64, camera: Camera, height: float | None = None
) -> Lifted:
    """What a lifter says of a detector's keypoints (T, J) at ``time`` (T,) seconds, evenly spaced or not.

    Short gaps of single joints are filled in before, see :func:`without_gaps`. Raises InputError as the lifter does.
    """
    if keypoints.joint_set != LIFTED:
        keypoints = convert_joints(keypoints, keypoints.joint_set, LIFTED)
    keypoints, rate = without_gaps(keypoints, time), getattr(lifter, "rate", None)
    if rate is None:
        return lifter(keypoints, camera=camera, height=height)
    return at_rate(lambda even: lifter(even, camera=camera, height=height, fps=rate), keypoints, time, rate)


def at_rate(lift: Callable[[Keypoints], Lifted], keypoints: Keypoints, time: Float64, rate: float) -> Lifted:
    """What ``lift`` says of keypoints (T, 17) of ``h36m17`` at ``time`` (T,) seconds: they are put to ``rate`` frames a
    second for it, and what it says back to their own times. Frames that show fewer than :data:`FEWEST` joints stay NaN.
    """
    steps = np.diff(time)
    if not len(steps) or np.abs(steps * rate - 1.0).max() < _ALIKE:
        return lift(keypoints)
    count = max(round(float(time[-1] - time[0]) * rate) + 1, 2)
    even = np.linspace(time[0], time[-1], count)
    xy = between(np.where(keypoints.confidence[..., None] > 0, keypoints.xy, np.nan), time, even)
    confidence = np.nan_to_num(between(np.asarray(keypoints.confidence), time, even))
    confidence = np.where(np.isfinite(xy).all(-1), confidence, 0.0)
    evenly = Keypoints(LIFTED, xy.astype(np.float32), confidence.astype(np.float32))
    told = lift(evenly)

    dark = (keypoints.confidence > 0).sum(-1) < FEWEST

    def back(values: NDArray[np.float32]) -> NDArray[np.float32]:
        own = between(values, even, time).astype(np.float32)
        own[dark] = np.nan
        return own

    others = np.array([back(one) for one in told.alternatives], np.float32).reshape(-1, len(time), *told.xyz.shape[1:])
    return replace(
        told,
        xyz=back(told.xyz),
        relative=back(told.relative),
        sd=back(told.sd),
        root=back(told.root),
        alternatives=others,
    )


def without_gaps(keypoints: Keypoints, time: Float64) -> Keypoints:
    """The keypoints (T, J) with joints filled in near frames (:data:`_REACH`) that show them, and confidence stretched.

    A joint keeps its offset from the root, or goes evenly from one offset to the next. Lifters do badly where a joint
    is missing (a conversion drops one whenever any of its parts is), and well where its place is nearly right.
    """
    xy = np.where(keypoints.confidence[..., None] > 0, keypoints.xy, np.nan).astype(float)
    seen = np.asarray(np.isfinite(xy).all(-1))
    shown = np.asarray(seen.any(1))
    confidence = np.where(seen, np.clip(np.nan_to_num(keypoints.confidence) / _SURE, 0.0, 1.0), 0.0)
    if not seen[:, 0].any():
        return Keypoints(keypoints.joint_set, xy.astype(np.float32), confidence.astype(np.float32))
    root = np.stack([np.interp(time, time[seen[:, 0]], xy[seen[:, 0], 0, k]) for k in range(2)], -1)
    for joint in range(xy.shape[1]):
        own = seen[:, joint]
        if not own.any() or own.all():
            continue
        near = np.abs(time[:, None] - time[own]).min(1) <= _REACH
        gaps = ~own & shown & near
        for k in range(2):
            offset = xy[own, joint, k] - root[own, k]
            xy[gaps, joint, k] = root[gaps, k] + np.interp(time[gaps], time[own], offset)
        confidence[gaps, joint] = np.interp(time[gaps], time[own], confidence[own, joint])
    return Keypoints(keypoints.joint_set, xy.astype(np.float32), confidence.astype(np.float32))


def between(values: NDArray[np.floating], time: Float64, at: Float64) -> Float64:
    """(N, …) values (T, …) interpolated at times (N,); where only one of both neighbours is a number, that."""
    after = np.clip(np.searchsorted(time, at), 1, len(time) - 1)
    a, b = values[after - 1].astype(float), values[after].astype(float)
    share = np.clip((at - time[after - 1]) / (time[after] - time[after - 1]), 0.0, 1.0)
    share = share.reshape(-1, *(1,) * (values.ndim - 1))
    mixed = (1.0 - share) * a + share * b
    return np.where(np.isfinite(mixed), mixed, np.where(np.isfinite(a), a, b))
