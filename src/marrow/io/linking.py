"""Joining people of keypoint files over frames, where the file does not say who is who."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

#: A person may move by this part of the body's size from frame to frame, and more after a gap.
_REACH = 0.35
#: Frames after which a person who was not seen is somebody new.
_MEMORY = 30
_ABSENT = 1e6


@dataclass
class _Known:
    label: int
    frame: int
    xy: NDArray[np.float32]
    visible: NDArray[np.bool_]
    velocity: NDArray[np.float32]


def link_frames(
    frames: Sequence[int], xy: Sequence[NDArray[np.float32]], confidence: Sequence[NDArray[np.float32]]
) -> list[int]:
    """Label people so that the same person has the same label in all frames.

    The assignment of each frame minimises the summed distance between common keypoints, relative to body size, from
    where constant velocity would put each known person (Hungarian algorithm).

    Args:
        frames: frame number of each of the N sightings, in any order.
        xy: N times (J, 2) pixels.
        confidence: N times (J,), 0 where a keypoint is absent.

    Returns:
        N labels from 0, in order of first appearance.
    """
    labels = [-1] * len(frames)
    known: list[_Known] = []
    created = 0
    for frame in sorted(set(frames)):
        here = [index for index, other in enumerate(frames) if other == frame]
        known = [person for person in known if frame - person.frame <= _MEMORY]
        cost = np.array([[_distance(person, frame, xy[i], confidence[i] > 0) for i in here] for person in known])
        pairs = zip(*linear_sum_assignment(cost), strict=True) if known else []
        matched = {here[column]: known[row] for row, column in pairs if cost[row, column] < 1}
        for index in here:
            visible = confidence[index] > 0
            person = matched.get(index)
            if person is None:
                person = _Known(created, frame, xy[index], visible, np.zeros(2, np.float32))
                known.append(person)
                created += 1
            else:
                common = visible & person.visible
                person.velocity = (xy[index][common] - person.xy[common]).mean(axis=0) / (frame - person.frame)
                person.frame, person.xy, person.visible = frame, xy[index], visible
            labels[index] = person.label
    return labels


def _distance(person: _Known, frame: int, xy: NDArray[np.float32], visible: NDArray[np.bool_]) -> float:
    """Mean keypoint distance as a part of what is allowed; at 1 it is somebody else."""
    common = visible & person.visible
    if not common.any():
        return _ABSENT
    gap = frame - person.frame
    size = max(float(np.ptp(xy[visible], axis=0).max()), float(np.ptp(person.xy[person.visible], axis=0).max()), 1.0)
    expected = person.xy[common] + person.velocity * min(gap, 5)
    off = float(np.linalg.norm(xy[common] - expected, axis=1).mean())
    return off / (size * _REACH * (1 + 0.2 * (gap - 1)))
