"""Points that ride on the body: keypoint sources become entries per segment, as a function of the shape."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, load_body
from marrow.body._store import read_store
from marrow.body.keypoints import KeypointSource
from marrow.body.rig import grouped_weights, rig_matrix
from marrow.body.shape import PARTIAL
from marrow.errors import InputError
from marrow.fit.model import Entries, Templates
from marrow.skeleton import bind_many, landmark_bodies
from marrow.skeleton import tree as trees
from marrow.types import Float64

#: Skinning weights below this are dropped (and the rest made to sum to one): they cost time and move nothing.
SMALLEST_WEIGHT = 0.02

#: Points of the sole, found on the average body at rest: where, as a share of the foot's length from heel to toe tip.
SOLE = ("heel", "ball", "toe")
_SOLE_REACH = {"heel": (0.0, 0.15), "ball": (0.6, 0.75), "toe": (0.85, 1.0)}

Source = KeypointSource | str


@dataclass(frozen=True)
class Riders:
    """Points on a body. P points, E entries, B segments of the whole skeleton.

    Attributes:
        entries: of each point: (segment, weight).
        moving: (E,) whether an entry lies off its segment's origin.
        names: shape parameters that are fitted (S).
        start, mean, sd: (S,) value to start from and prior of the fitted parameters.
        bounds: (S, 2) their ranges.
    """

    body: DefaultBody
    entries: tuple[Entries, ...]
    moving: NDArray[np.bool_]
    names: tuple[str, ...]
    start: Float64
    mean: Float64
    sd: Float64
    bounds: Float64
    _read: _Reader

    def templates(self, shapes: Float64) -> Templates:
        """What shapes (N, S) make of skeleton and points."""
        return self._read(shapes)

    def full_shape(self, shape: Float64) -> dict[str, float]:
        """Shape parameters by name: the fitted ones and those that were fixed."""
        return self._read.fixed | dict(zip(self.names, (float(v) for v in shape), strict=True))


def make_riders(
    body: DefaultBody, sources: Sequence[Source], names: Sequence[str], fixed: Mapping[str, float]
) -> Riders:
    """Prepare the points ``sources`` (keypoint sources or landmark names) on the body.

    Args:
        names: shape parameters to fit; the others are at their default.
        fixed: values of shape parameters that are not fitted.
    """
    tree = trees.whole()
    vertices = sorted({v for s in sources if isinstance(s, KeypointSource) for v in s.vertices})
    subset = body.subset(
        vertices, [n for n in body.spec.names if n in names or n in fixed or not n.startswith(PARTIAL)]
    )
    place = {v: i for i, v in enumerate(vertices)}
    entries: list[Entries] = []
    rows: list[tuple[int, int, float]] = []  # entry, vertex place, coefficient
    marks: list[tuple[int, str, float]] = []  # entry, landmark, weight
    constants: dict[int, Float64] = {}
    bodies: list[int] = []
    for source in sources:
        grouped: dict[int, float] = {}
        first = len(bodies)
        parts = _parts(source, tree)
        for segment, weight, *_ in parts:
            grouped[segment] = grouped.get(segment, 0.0) + weight
        number = {segment: first + i for i, segment in enumerate(grouped)}
        bodies.extend(grouped)
        entries.append(tuple(grouped.items()))
        for segment, weight, kind, value in parts:
            if kind == "vertex":
                rows.append((number[segment], place[value], weight))
            elif kind == "landmark":
                marks.append((number[segment], value, weight))
            else:
                constants[number[segment]] = constants.get(number[segment], np.zeros(3)) + value
    read = _Reader(subset, tuple(names), dict(fixed), np.array(bodies, np.int64), rows, marks, constants)
    chosen = {p.name: p for p in body.spec.parameters}
    start = np.array([chosen[n].mean for n in names])
    local = read(start[None]).local
    return Riders(
        body=body,
        entries=tuple(entries),
        moving=np.linalg.norm(local[0], axis=-1) > 1e-9,
        names=tuple(names),
        start=start,
        mean=start.copy(),
        sd=np.array([chosen[n].sd for n in names]),
        bounds=np.array([(chosen[n].low, chosen[n].high) for n in names]).reshape(-1, 2),
        _read=read,
    )


def _parts(source: Source, tree: trees.Tree) -> list[tuple]:
    """(segment, weight, kind, value) of everything a source is the sum of."""
    where = landmark_bodies(tree)
    if isinstance(source, str):
        return [(_segment(source, where), 1.0, "landmark", source)]
    parts: list[tuple] = []
    for vertex, weight in zip(source.vertices, source.vertex_weights, strict=True):
        parts += [(b, weight * w, "vertex", vertex) for b, w in _vertex_weights(vertex)]
    for name, weight in zip(source.landmarks, source.landmark_weights, strict=True):
        parts.append((_segment(name, where), weight, "landmark", name))
    if source.offset_body is not None:
        parts.append((tree.bodies.index(source.offset_body), 0.0, "offset", np.array(source.offset, float)))
    return parts


def _segment(landmark: str, where: Mapping[str, int]) -> int:
    if landmark not in where:
        raise InputError(f"no landmark {landmark!r} on the skeleton; known: {', '.join(sorted(where))}")
    return where[landmark]


@functools.cache
def _skin() -> tuple[NDArray, NDArray, NDArray]:
    """Weights of the skeleton's segments by vertex (CSR) of the whole skin."""
    store = read_store()
    shares = rig_matrix(store.meta["bones"], trees.whole().bodies)
    return grouped_weights(store.arrays["weight_start"], store.arrays["weight_bone"], store.arrays["weight"], shares)


def _vertex_weights(vertex: int) -> list[tuple[int, float]]:
    start, body, weight = _skin()
    span = slice(start[vertex], start[vertex + 1])
    kept = weight[span] >= SMALLEST_WEIGHT
    bodies, values = body[span][kept], weight[span][kept].astype(float)
    return [(int(b), float(w)) for b, w in zip(bodies, values / values.sum(), strict=True)]


class _Reader:
    """Shapes to templates."""

    def __init__(self, subset, names, fixed, bodies, rows, marks, constants) -> None:
        self.fixed: dict[str, float] = fixed
        self._subset, self._bodies, self._marks = subset, bodies, marks
        self._slots = np.array([subset.names.index(n) for n in names], int)
        self._base = subset.defaults.copy()
        for name, value in fixed.items():
            if name not in subset.names:
                raise InputError(f"unknown shape parameter {name!r}; known: {', '.join(subset.names)}")
            self._base[subset.names.index(name)] = value
        self._rows = [np.array(column) for column in zip(*rows, strict=True)] if rows else None
        self._constant = np.zeros((len(bodies), 3))
        for entry, value in constants.items():
            self._constant[entry] = value

    def __call__(self, shapes: Float64) -> Templates:
        full = np.tile(self._base, (len(shapes), 1))
        full[:, self._slots] = shapes
        skin, marks = self._subset.rest(full)
        frames, offsets, length = bind_many(marks)
        offsets[:, 0] = 0.0
        local = np.tile(self._constant, (len(shapes), 1, 1))
        if self._rows is not None:
            entry, vertex, weight = self._rows
            part = weight[:, None] * _local(frames[:, self._bodies[entry]], skin[:, vertex])
            for n in range(len(shapes)):
                np.add.at(local[n], entry, part[n])
        for entry, name, weight in self._marks:
            local[:, entry] += weight * _local(frames[:, self._bodies[entry]], marks[name])
        return Templates(offsets, length, local, marks["head_top"][:, 1])


def _local(frames: Float64, x: Float64) -> Float64:
    """Points (..., 3) in frames (..., 4, 4)."""
    return np.einsum("...ij,...i->...j", frames[..., :3, :3], x - frames[..., :3, 3])


@functools.cache
def sole_sources() -> tuple[KeypointSource, ...]:
    """Six points of the soles: heel, ball and toe of the right foot, then of the left.

    Each is the mean of the vertices that touch the floor in that part of the foot of the average body at rest.
    """
    rest = load_body("default").rest()
    out = []
    for side, sign in (("r", -1.0), ("l", 1.0)):
        x = rest.vertices.astype(float)
        heel, toe = rest.landmarks[f"heel_{side}"], rest.landmarks[f"toe_tip_{side}"]
        along = (x[:, 2] - heel[2]) / (toe[2] - heel[2])
        low = (x[:, 1] < 0.04) & (sign * x[:, 0] > 0)
        for part in SOLE:
            lo, hi = _SOLE_REACH[part]
            near = np.flatnonzero(low & (along >= lo) & (along <= hi))
            lowest = near[np.argsort(x[near, 1])[:8]]
            weights = (1.0 / len(lowest),) * len(lowest)
            out.append(KeypointSource(f"sole_{part}_{side}", tuple(int(v) for v in lowest), weights))
    return tuple(out)
