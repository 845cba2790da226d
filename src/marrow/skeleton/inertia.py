"""Mass, centre of mass and inertia of each segment: density integrated over the skin at rest.

The skin is closed, so its inside can be cut up without meshing it. Every segment has a *core*, the middle line of its
own skin; each vertex is carried straight to the cores of the segments that move it, blended by its skinning weights.
What a triangle sweeps on that way is a prism of three tetrahedra whose volume, first and second moments have closed
forms. Prisms of neighbours share their walls exactly, so their signed sum is the inside of the skin whatever its shape.
A prism belongs to the segments as its triangle's weights say, which cuts a limb at its joint.

A density per body part makes the mean of an average man's and woman's mass fractions those of de Leva 1996 (J. Biomech.
29(9), Table 4); other bodies differ as their volumes do. The densities also take up that this anatomy is cut at joint
centres while that table is cut at planes of the trunk. The whole body weighs its volume times :data:`BODY_DENSITY`
unless the mass is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.types import Float32, Float64

#: Mass of the body over the volume of its skin, kg/m³: 1.01 with the lungs at rest, as Dempster 1955 has it.
BODY_DENSITY = 1010.0

#: Part of the body that a segment's mass counts to, by the segment's name without its side; others follow their parent.
PARTS: Mapping[str, str] = {
    "pelvis": "trunk",
    "neck_arc": "head",
    "femur": "thigh",
    "tibia": "shank",
    "talus": "foot",
    "humerus": "upper_arm",
    "ulna": "forearm",
    "hand": "hand",
}

#: Mass of each part over the body's, one side, (male, female): de Leva 1996, Table 4.
DE_LEVA: Mapping[str, tuple[float, float]] = {
    "head": (0.0694, 0.0668),
    "trunk": (0.4346, 0.4257),
    "upper_arm": (0.0271, 0.0255),
    "forearm": (0.0162, 0.0138),
    "hand": (0.0061, 0.0056),
    "thigh": (0.1416, 0.1478),
    "shank": (0.0433, 0.0481),
    "foot": (0.0137, 0.0129),
}

#: Density of each part over the body's: the mean of the default body's average man and woman has the table's mean mass.
DENSITY: Mapping[str, float] = {
    "head": 1.179,
    "trunk": 0.932,
    "upper_arm": 1.058,
    "forearm": 1.189,
    "hand": 1.112,
    "thigh": 1.066,
    "shank": 0.947,
    "foot": 0.987,
}

#: Depths, from the skin to the core, between which a prism is cut into pieces.
_LAYERS = (0.0, 0.2, 0.5, 1.0)
#: Half length of a core in standard deviations of its skin along it: that of a rod.
_HALF = np.sqrt(3.0)
#: Share of the first child that has some skin which a segment without takes: the talus as in Rajagopal et al. 2016, and
#: next to nothing for the light segments that stand between two joints of the spine.
_SKINLESS = {"talus": 0.064}
_LIGHT = 0.002
#: A segment is short if it measures less than this share of the one after it.
_SHORT = 0.25

_PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


class Weights(Protocol):
    """Sparse skinning weights: ``body[start[v]:start[v + 1]]`` move vertex v by ``weight``, which sum to one."""

    @property
    def start(self) -> NDArray[np.int32]: ...

    @property
    def body(self) -> NDArray[np.int32]: ...

    @property
    def weight(self) -> Float32: ...


@dataclass(frozen=True, eq=False)
class SegmentMasses:
    """Masses of B segments.

    Attributes:
        volume: (B,) m³, before densities.
        mass: (B,) kg.
        centre: (B, 3) metres, centre of mass in the segment's frame.
        inertia: (B, 3, 3) kg m² about the centre of mass, along the segment's axes.
    """

    volume: Float64
    mass: Float64
    centre: Float64
    inertia: Float64


def segment_masses(
    vertices: ArrayLike,
    faces: NDArray[np.integer],
    weights: Weights,
    bind: Float64,
    bodies: Sequence[str],
    parents: NDArray[np.int64],
    *,
    cuts: Float64 | None = None,
    mass_kg: float | None = None,
    density: Mapping[str, float] = DENSITY,
) -> SegmentMasses:
    """Masses of the segments inside a closed skin.

    Args:
        vertices: (V, 3) metres, bind pose, marrow's world.
        faces: (F, 3) triangles, counter-clockwise seen from outside.
        weights: of the vertices by segment.
        bind: (B, 4, 4) segment frames in the bind pose.
        bodies, parents: B names, parents first; (B,) index of the parent, -1 for the root.
        cuts: (B, 3) where a segment is divided from the one above it (``Skeleton.cuts``); by default at its origin.
        mass_kg: of the whole body; by default its volume times :data:`BODY_DENSITY`.
        density: of each part over the body's.

    Raises:
        InputError: a mass that is not positive, or a skin that is not closed and turned outwards.
    """
    if mass_kg is not None and not (np.isfinite(mass_kg) and mass_kg > 0):
        raise InputError(f"mass_kg: expected kilograms above 0, got {mass_kg:g}")
    vertices, faces = np.asarray(vertices, float), np.asarray(faces)
    moments = segment_moments(vertices, faces, weights, bind[:, :3, 3] if cuts is None else cuts, parents)
    bare = moments[:, 0] <= 1e-3 * moments[:, 0].sum() / len(bodies) ** 2
    for b in np.flatnonzero(bare)[::-1]:
        stem = str(bodies[int(b)]).removesuffix("_r").removesuffix("_l")
        _share_with_child(moments, int(b), bind, parents, _SKINLESS.get(stem, _LIGHT))
    volume = moments[:, 0]
    if not (volume > 0).all():
        at = int(np.argmin(volume))
        raise InputError(f"the skin of {bodies[at]} encloses {volume[at]:g} m³; it is not closed, or turned inside out")
    relative = np.array([density[part] for part in body_parts(bodies, parents)])
    total = BODY_DENSITY * enclosed_volume(vertices, faces) if mass_kg is None else mass_kg
    rho = relative * total / (relative @ volume)
    mean = moments[:, 1:4] / volume[:, None]
    spread = np.empty((len(bodies), 3, 3))
    for k, (i, j) in enumerate(_PAIRS):
        spread[:, i, j] = spread[:, j, i] = moments[:, 4 + k] - volume * mean[:, i] * mean[:, j]
    R, p = bind[:, :3, :3], bind[:, :3, 3]
    spread = np.swapaxes(R, 1, 2) @ (rho[:, None, None] * spread) @ R
    inertia = np.trace(spread, axis1=1, axis2=2)[:, None, None] * np.eye(3) - spread
    return SegmentMasses(volume, rho * volume, np.einsum("bji,bj->bi", R, mean - p), inertia)


def body_parts(bodies: Sequence[str], parents: NDArray[np.int64]) -> list[str]:
    """Part of :data:`PARTS` that each segment counts to."""
    out: list[str] = []
    for name, parent in zip(bodies, parents, strict=True):
        stem = name[:-2] if name.endswith(("_r", "_l")) else name
        out.append(PARTS.get(stem) or (out[parent] if parent >= 0 else "trunk"))
    return out


def enclosed_volume(vertices: Float64, faces: NDArray[np.integer]) -> float:
    """Volume inside a closed skin, m³."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6.0)


def segment_moments(
    vertices: Float64, faces: NDArray[np.integer], weights: Weights, cuts: Float64, parents: NDArray[np.int64]
) -> Float64:
    """(B, 10) volume, its first moments x, y, z and second moments xx, yy, zz, xy, xz, yz about the world's origin."""
    count = len(cuts)
    row = np.repeat(np.arange(len(vertices)), np.diff(weights.start))
    body, weight = np.asarray(weights.body, np.intp), np.asarray(weights.weight, float)
    core, centre = _carried_to_cores(vertices, faces, row, body, weight, count)
    # The corners in a fixed order make the diagonals of the prisms' walls those of the neighbours.
    order = np.argsort(faces, axis=1)
    corner = np.take_along_axis(faces, order, 1)
    even = (order == [0, 1, 2]).all(1) | (order == [1, 2, 0]).all(1) | (order == [2, 0, 1]).all(1)
    sign = np.where(even, 1.0, -1.0)[:, None]
    dense = np.zeros((count, len(vertices)))
    np.add.at(dense, (body, row), weight)
    above = _skinned_above(parents, dense.sum(1) > 0)
    planes = _joint_planes(cuts, above, centre)
    own = dense[:, corner].mean(2)
    out = np.zeros((count, 10))
    for outer, inner in itertools.pairwise(_LAYERS):
        top, bottom = (vertices + depth * (core - vertices) for depth in (outer, inner))
        swept = sign * _prism_moments(top[corner], bottom[corner])
        share = own.copy()
        _cut(share, 0.5 * (top + bottom)[corner].mean(1), planes, above)
        out += share @ swept
    return out


def _carried_to_cores(
    vertices: Float64,
    faces: NDArray[np.integer],
    row: NDArray[np.intp],
    body: NDArray[np.intp],
    weight: Float64,
    count: int,
) -> tuple[Float64, Float64]:
    """(V, 3) where each vertex meets the middle lines of its segments, blended by its weights; (B, 3) their middles."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    area = np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices))
    share = area[row] * weight
    total = np.maximum(np.bincount(body, share, count), 1e-12)
    mean = np.stack([np.bincount(body, share * x[row], count) for x in vertices.T], axis=1) / total[:, None]
    arm = vertices[row] - mean[body]
    spread = np.empty((count, 3, 3))
    for i, j in _PAIRS:
        spread[:, i, j] = spread[:, j, i] = np.bincount(body, share * arm[:, i] * arm[:, j], count) / total
    values, axes = np.linalg.eigh(spread)
    along = axes[:, :, 2]
    half = _HALF * np.sqrt(np.maximum(values[:, 2], 0.0)) - np.sqrt(np.maximum(values[:, 0], 0.0))
    half = np.maximum(half, 0.0)[body]
    reach = np.clip(np.einsum("ni,ni->n", arm, along[body]), -half, half)
    point = mean[body] + reach[:, None] * along[body]
    carried = np.stack([np.bincount(row, weight * x, len(vertices)) for x in point.T], axis=1).astype(np.float64)
    return carried, mean


def _skinned_above(parents: NDArray[np.int64], skinned: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(B,) the nearest segment with skin above each segment with skin; -2 for the others, -1 for the root."""
    out = np.full(len(parents), -2)
    for b in np.flatnonzero(skinned):
        a = int(parents[b])
        while a >= 0 and not skinned[a]:
            a = int(parents[a])
        out[b] = a
    return out


def _joint_planes(at: Float64, above: NDArray[np.int64], centre: Float64) -> list[tuple[int, Float64, Float64]]:
    """Segment, joint centre (3,) and normal (3,), towards the segment, of each plane that cuts it from its parent.

    The normal halves the angle between the bones on either side. Leaves first.
    """
    out = []
    for b in range(len(at) - 1, 0, -1):
        a = int(above[b])
        if a < 0:
            continue
        children = [k for k in np.flatnonzero(above == b) if np.linalg.norm(at[k] - at[b]) > 1e-3]
        ahead = (at[children].mean(0) if children else centre[b]) - at[b]
        length = np.linalg.norm(ahead)
        # The bone before is that of the segments above taken together, where one is as short as the shoulder blade.
        while above[a] >= 0 and 1e-3 < np.linalg.norm(at[b] - at[a]) < _SHORT * length:
            a = int(above[a])
        start = at[a] if above[a] >= 0 else at[above == a].mean(0)
        before = at[b] - start
        normal = ahead / np.linalg.norm(ahead)
        if np.linalg.norm(before) > 1e-3:
            normal = normal + before / np.linalg.norm(before)
        out.append((b, at[b], normal))
    return out


def _cut(share: Float64, point: Float64, planes: list[tuple[int, Float64, Float64]], above: NDArray[np.int64]) -> None:
    """Give what lies before a segment's joint to its parent: share (B, N) of elements at (N, 3), changed in place.

    The root also gives what lies beyond the joints it bears: its skin reaches down the thighs and up the trunk.
    """
    for b, origin, normal in planes:
        there = np.flatnonzero(share[b])
        before = there[(point[there] - origin) @ normal < 0]
        share[above[b], before] += share[b, before]
        share[b, before] = 0.0
    takers = [plane for plane in planes if above[plane[0]] == 0]
    if takers:
        beyond = np.array([(point - origin) @ normal > 0 for _, origin, normal in takers])
        # Where two could take, both do: between the thighs.
        given = beyond * (share[0] / np.maximum(beyond.sum(0), 1))
        share[[b for b, _, _ in takers]] += given
        share[0] -= given.sum(0)


def _prism_moments(top: Float64, bottom: Float64) -> Float64:
    """(N, 10) moments of prisms between triangles (N, 3, 3) with equal corners; positive with top counter-clockwise.

    Their walls are halved along both diagonals, so that a body and its mirror image have the same masses.
    """
    (a, b, c), (A, B, C) = np.moveaxis(top, 1, 0), np.moveaxis(bottom, 1, 0)
    return -0.5 * (
        _tetrahedron_moments(a, b, c, C) + _tetrahedron_moments(a, A, B, C) - _tetrahedron_moments(a, b, B, C)
        + _tetrahedron_moments(a, b, c, A) + _tetrahedron_moments(b, c, A, B) + _tetrahedron_moments(c, A, B, C)
    )  # fmt: skip


def _tetrahedron_moments(a: Float64, b: Float64, c: Float64, d: Float64) -> Float64:
    """(N, 10) moments of tetrahedra with corners (N, 3); positive where d lies behind the face a, b, c."""
    volume = np.einsum("ni,ni->n", b - a, np.cross(c - a, d - a)) / 6.0
    total = a + b + c + d
    second = [
        volume / 20.0 * (a[:, i] * a[:, j] + b[:, i] * b[:, j] + c[:, i] * c[:, j] + d[:, i] * d[:, j]
                         + total[:, i] * total[:, j])
        for i, j in _PAIRS
    ]  # fmt: skip
    return np.stack([volume, *(volume * total[:, i] / 4.0 for i in range(3)), *second], axis=1)


def _share_with_child(moments: Float64, b: int, bind: Float64, parents: NDArray[np.int64], share: float) -> None:
    """Give a segment without skin a ball between its joint and its child's: that share of the child's volume."""
    child = next((int(k) for k in np.flatnonzero(parents == b) if moments[k, 0] > 0), None)
    if child is None:
        return
    volume = share * moments[child, 0]
    moments[child] *= 1.0 - share
    x = 0.5 * (bind[b, :3, 3] + bind[child, :3, 3])
    radius = (3.0 * volume / (4.0 * np.pi)) ** (1.0 / 3.0)
    moments[b, 0], moments[b, 1:4] = volume, volume * x
    for k, (i, j) in enumerate(_PAIRS):
        moments[b, 4 + k] = volume * (x[i] * x[j] + (radius**2 / 5.0 if i == j else 0.0))
