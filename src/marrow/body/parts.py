"""The skin's parts by the segment that moves them most: head, trunk, pelvis and the pieces of the limbs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from marrow.body.default import DefaultBody

#: Parts, in the order of their numbers (from 1; 0 is no part).
PARTS = (
    *("head", "torso", "pelvis"),
    *(f"{part}_{side}" for part in ("upper_arm", "forearm", "hand", "thigh", "shank", "foot") for side in "rl"),
)

_PART_OF = {
    "pelvis": "pelvis", "lumbar_arc": "pelvis", "lumbar": "torso", "thorax_arc": "torso", "torso": "torso",
    "neck_arc": "head", "head": "head", "clavicle": "torso", "scapula": "torso", "humerus": "upper_arm",
    "ulna": "forearm", "radius": "forearm", "femur": "thigh", "tibia": "shank", "talus": "foot", "calcn": "foot",
    "toes": "foot",
}  # fmt: skip


def part_of(segment: str) -> str:
    """The part of :data:`PARTS` that a segment of the default skeleton belongs to; fingers belong to the hand."""
    stem, _, side = segment.rpartition("_")
    if side not in ("r", "l") or not stem:
        return _PART_OF[segment]
    part = _PART_OF.get(stem, "hand")
    return part if part in PARTS else f"{part}_{side}"


@functools.lru_cache(maxsize=2)
def vertex_segments(body: DefaultBody) -> NDArray[np.intp]:
    """(V,) number of the skeleton's segment that moves each vertex most."""
    return _shares(body, np.arange(len(body.rest().skeleton.bodies))).argmax(1)


@functools.lru_cache(maxsize=2)
def vertex_parts(body: DefaultBody) -> NDArray[np.uint8]:
    """(V,) number of each vertex' part, from 1."""
    number = np.array([PARTS.index(part_of(name)) for name in body.rest().skeleton.bodies])
    return (_shares(body, number).argmax(1) + 1).astype(np.uint8)


def _shares(body: DefaultBody, group: NDArray[np.intp]) -> NDArray[np.float64]:
    """(V, G) weight of each group of segments (B,) at each vertex."""
    weights = body.skin_weights(body.rest().skeleton.bodies)
    vertex = np.repeat(np.arange(body.vertex_count), np.diff(weights.start))
    out = np.zeros((body.vertex_count, int(group.max()) + 1))
    np.add.at(out, (vertex, group[weights.body]), weights.weight)
    return out


@functools.lru_cache(maxsize=2)
def face_parts(body: DefaultBody) -> NDArray[np.uint8]:
    """(F,) number of each triangle's part, from 1: that of most of its corners."""
    corners = np.sort(vertex_parts(body)[body.faces], axis=1)
    return corners[:, 1]
