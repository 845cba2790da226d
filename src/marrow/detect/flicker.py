"""Joints that the detector places elsewhere for a frame or two.

A hidden limb is now and then invented, with confidence: for one frame a leg is stretched out into the landscape. The
joint far from its median over a tenth of a second to either side, while the frames around stay near it, is not
believed, nor is what hangs on it. In a fast movement they do not stay, and all is believed.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import JOINT_SETS
from marrow.detect.sides import ARMS, LEGS, trunk_length
from marrow.types import Float64, Keypoints

_REACH_S = 0.11
#: Frames that a median needs; with fewer (low frame rates, short tracks) nothing is judged.
_FEWEST = 5
#: Trunk lengths from the median from which a joint is not believed, and what its confidence is multiplied by.
_FAR, _TRUST = 0.35, 0.05
#: It must also be so many times as far as half the frames around are.
_SPREADS = 3.0


def without_flicker(keypoints: Keypoints, time: Float64) -> tuple[Keypoints, NDArray[np.bool_]]:
    """One person's keypoints with less confidence where a joint is elsewhere for a moment.

    Args:
        keypoints: (T, J, …) of one person.
        time: (T,) seconds, increasing.

    Returns:
        keypoints; and (T, J) where they are no longer believed.
    """
    away = np.zeros(keypoints.xy.shape[:2], bool)
    limit = _FAR * trunk_length(keypoints)
    first = np.searchsorted(time, time - _REACH_S)
    last = np.searchsorted(time, time + _REACH_S, side="right")
    for t in range(len(time)):
        if last[t] - first[t] >= _FEWEST:
            around = keypoints.xy[first[t] : last[t]]
            middle = np.median(around, axis=0)
            spread = np.median(np.linalg.norm(around - middle, axis=-1), axis=0)
            distance = np.linalg.norm(keypoints.xy[t] - middle, axis=-1)
            away[t] = distance > np.maximum(limit, _SPREADS * spread)
    for joint, below in _hanging(keypoints.joint_set):
        away[:, below] |= away[:, [joint]]
    if not away.any():
        return keypoints, away
    confidence = np.where(away, _TRUST * keypoints.confidence, keypoints.confidence).astype(np.float32)
    world = keypoints.world
    if world is not None:
        world = np.where(away[..., None], np.float32(np.nan), world)
    return dataclasses.replace(keypoints, confidence=confidence, world=world), away


@functools.cache
def _hanging(joint_set: str) -> tuple[tuple[int, list[int]], ...]:
    """Knees and elbows, each with the joints of the same side that hang on it."""
    names = JOINT_SETS[joint_set]
    out = []
    for upper, parts in (("knee", LEGS), ("elbow", ARMS)):
        for side in ("left", "right"):
            if f"{side}_{upper}" in names:
                hang = [k for k, name in enumerate(names) if name.startswith(side) and any(p in name for p in parts)]
                out.append((names.index(f"{side}_{upper}"), hang))
    return tuple(out)
