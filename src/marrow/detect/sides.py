"""Left and right kept apart over time.

In single frames a detector takes the left for the right side: of the whole body where a person is first seen or turns,
so that the body seems to turn about in one frame and back in another; of the legs or the arms where a person is seen
from the side. Looked at alone such a frame is as good as any other; beside its neighbours it is not, for a joint does
not jump to the other side's. For the body, then the legs, then the arms the cheapest sequence of two states, "as found"
and "exchanged", is chosen (:func:`marrow.geometry.paths.cheapest_path`).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import JOINT_SETS, SWAP
from marrow.geometry.paths import cheapest_path
from marrow.types import Float64, Keypoints

_WHOLE = ("",)
LEGS = ("knee", "ankle", "heel", "foot", "toe")
ARMS = ("elbow", "wrist", "pinky", "index", "thumb")
#: The joints that decide, the others only go along: those of the trunk for the whole body.
_DECIDING_TRUNK, _DECIDING_LIMB = ("shoulder", "hip"), ("elbow", "wrist", "knee", "ankle")
#: A joint's way between two frames, in trunk lengths: what is nothing unusual, at once and added per second.
_SPREAD, _SPREAD_PER_S = 0.12, 1.5
#: No joint's way costs more than this (one joint mistaken is no exchange of sides).
_MOST = 4.0
#: What it costs not to believe the detector: each change of state, and each second.
_PRICE_OF_CHANGE, _PRICE_PER_S = 0.5, 3.0
#: Where the sides change, the detector was of two minds: its confidence there is multiplied by this.
_TRUST_AT_CHANGE = 0.3


def with_sides_settled(keypoints: Keypoints, time: Float64) -> tuple[Keypoints, NDArray[np.bool_]]:
    """One person's keypoints with left and right put right.

    Args:
        keypoints: (T, J, …) of one person.
        time: (T,) seconds, increasing.

    Returns:
        keypoints, less trusted where the sides change; and the (T,) frames in which anything was exchanged.
    """
    whole = _exchanged(keypoints, time, *_WHOLE)
    settled = _exchange(keypoints, whole, *_WHOLE)
    legs = _exchanged(settled, time, *LEGS)
    settled = _exchange(settled, legs, *LEGS)
    arms = _exchanged(settled, time, *ARMS)
    return _exchange(settled, arms, *ARMS), whole | legs | arms


def _exchanged(keypoints: Keypoints, time: Float64, *parts: str) -> NDArray[np.bool_]:
    """(T,) frames in which the joints with ``parts`` in their names are on the wrong sides."""
    swap, joints = SWAP[keypoints.joint_set], JOINT_SETS[keypoints.joint_set]
    names = _DECIDING_TRUNK if parts == _WHOLE else _DECIDING_LIMB
    deciding = [k for k in _sided(keypoints.joint_set, parts) if any(name in joints[k] for name in names)]
    frames = len(time)
    if frames < 2 or not deciding:
        return np.zeros(frames, bool)
    gap = np.maximum(np.diff(time), 1e-3)
    spread = (_SPREAD + _SPREAD_PER_S * gap) * trunk_length(keypoints)
    stay = _way(keypoints, deciding, deciding, spread)
    change = _way(keypoints, deciding, [int(swap[k]) for k in deciding], spread) + _PRICE_OF_CHANGE
    # A gap says nothing about the frames in it.
    price = _PRICE_PER_S * np.minimum(np.concatenate([gap[:1], gap]), 0.2)
    switch = np.stack([np.stack([stay, change], -1), np.stack([change, stay], -1)], 1)
    return cheapest_path(np.stack([np.zeros(frames), price]), switch) == 1


def _exchange(keypoints: Keypoints, exchanged: NDArray[np.bool_], *parts: str) -> Keypoints:
    """The joints with ``parts`` in their names on the other side in some frames.

    A body seen from the front and one seen from behind have the same picture but for the names, so where the whole
    body is exchanged the depth of its world landmarks turns about too. A leg keeps the depth of its side.
    """
    if not exchanged.any():
        return keypoints
    swap = np.arange(keypoints.xy.shape[1])
    sided = _sided(keypoints.joint_set, parts)
    swap[sided] = SWAP[keypoints.joint_set][sided]
    xy, confidence, world = keypoints.xy.copy(), keypoints.confidence.copy(), keypoints.world
    xy[exchanged], confidence[exchanged] = xy[exchanged][:, swap], confidence[exchanged][:, swap]
    if world is not None:
        depth = -world[exchanged][:, swap, 2:] if parts == _WHOLE else world[exchanged][..., 2:]
        world = world.copy()
        world[exchanged] = np.concatenate([world[exchanged][:, swap, :2], depth], -1)
    change = np.flatnonzero(np.diff(exchanged))
    doubtful = np.union1d(change, change + 1)
    confidence[doubtful[:, None], sided] *= _TRUST_AT_CHANGE
    return dataclasses.replace(keypoints, xy=xy, confidence=confidence, world=world)


def _sided(joint_set: str, parts: tuple[str, ...]) -> list[int]:
    """Joints that have a counterpart and one of ``parts`` in their names."""
    swap = SWAP[joint_set]
    return [k for k, name in enumerate(JOINT_SETS[joint_set]) if swap[k] != k and any(part in name for part in parts)]


def trunk_length(keypoints: Keypoints) -> float:
    """Pixels from the middle of the shoulders to that of the hips, the upper quartile over time."""
    names = JOINT_SETS[keypoints.joint_set]
    shoulders, hips = ([k for k, name in enumerate(names) if name.endswith(part)] for part in ("shoulder", "hip"))
    if shoulders and hips:
        trunk = keypoints.xy[:, shoulders].mean(1) - keypoints.xy[:, hips].mean(1)
    else:
        trunk = keypoints.xy.std(1)
    lengths = np.linalg.norm(trunk, axis=-1)
    lengths = lengths[np.isfinite(lengths)]
    return max(float(np.percentile(lengths, 75)), 1.0) if len(lengths) else 1.0


def _way(keypoints: Keypoints, joints: list[int], then: list[int], spread: Float64) -> Float64:
    """(T - 1,) how unusual it is that ``joints`` of a frame are ``then`` of the next, averaged by confidence."""
    step = keypoints.xy[1:, then] - keypoints.xy[:-1, joints]
    weight = np.sqrt(keypoints.confidence[1:, then] * keypoints.confidence[:-1, joints])
    weight = np.where(np.isfinite(step).all(-1), weight, 0.0)
    away = np.nan_to_num((step**2).sum(-1)) / (2 * spread[:, None] ** 2)
    return (weight * np.minimum(away, _MOST)).sum(1) / np.maximum(weight.sum(1), 1e-6)
