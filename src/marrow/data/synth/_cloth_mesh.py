"""The mesh that garments are cut from: the body's skin without head, hands and feet, once subdivided, and where on
the body each of its vertices lies. Made once in a process; nothing in it depends on the person.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody
from marrow.body.skinning import SkinWeights
from marrow.data.synth import _fast_cloth
from marrow.types import Float32, Float64

#: Influences of a vertex that are kept after the weights are smoothed over the mesh.
_INFLUENCES = 6
#: Edges longer than this on the average body are halved, metres.
_LONGEST = 0.0165
_SIDES = ("r", "l")
#: Levels and angles of the tubes that cloth hangs in.
TRUNK_BINS, LEG_BINS, ARM_BINS = (30, 28), (26, 16), (20, 12)
#: Heights on the average body between which the trunk's tube lies, metres, from above.
TRUNK_TOP, TRUNK_BOTTOM = 1.36, 0.74


@dataclass(frozen=True, eq=False)
class Tube:
    """A part of the body that cloth hangs around. ``n`` vertices of the cloth mesh belong to it.

    Attributes:
        ids: (n,) vertices.
        along: (n,) place on the tube's line of joints: 0 the first, 1 the second, and so on.
        level, angle: (n,) places on its grid.
        share: (n,) how far the vertex follows the tube.
        bins: levels and angles of the grid.
    """

    ids: NDArray[np.int64]
    along: Float64
    level: Float64
    angle: Float64
    share: Float64
    bins: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ClothMesh:
    """M vertices, F faces, E edges.

    Attributes:
        parents: (M, 2) the body's vertices each is the middle of (twice the same for the body's own).
        faces: (F, 3) int32; edges: (E, 2); face_edges: (F, 3) edges of corners 0-1, 1-2, 2-0.
        start, neighbour: CSR of the edges.
        place: (M, 3) float32 on the average body at rest, metres.
        outward: (M, 3) unit normals there.
        weights: of the skeleton's segments, smoothed over the mesh.
        leg, arm: (M, 2) right and left: place along the limb, 0 at hip or shoulder, 1 knee or elbow, 2 ankle or wrist.
        of_leg, of_arm: (M, 2) how much a vertex belongs to each limb, 0 to 1.
        neck: (M,) metres from the line of the neck.
        noise: (24, M) smooth fields of zero mean and unit deviation, of growing fineness.
        trunk: tube of trunk and hips, legs counted in; hips: the same without legs.
        legs, arms: tubes, right and left.
    """

    parents: NDArray[np.int64]
    faces: NDArray[np.int32]
    edges: NDArray[np.int32]
    face_edges: NDArray[np.int32]
    start: NDArray[np.int32]
    neighbour: NDArray[np.int32]
    place: Float32
    outward: Float32
    weights: SkinWeights
    leg: Float64
    arm: Float64
    of_leg: Float64
    of_arm: Float64
    neck: Float64
    noise: Float32
    trunk: Tube
    hips: Tube
    legs: tuple[Tube, Tube]
    arms: tuple[Tube, Tube]

    def on(self, values: Float32) -> Float32:
        """(M, 3) of values (V, 3) at the body's vertices."""
        out = np.empty((len(self.parents), 3), np.float32)
        _fast_cloth.middles(np.ascontiguousarray(values, np.float32), self.parents, out)
        return out


def cut_along(
    field: Float32, faces: NDArray[np.int32], face_edges: NDArray[np.int32], edges: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """A triangle mesh where ``field`` (M,) is positive, split along its zero.

    Returns:
        (k,) vertices kept; (r,) ends of the edges cut, one and other; (F, 3) faces and (p, 2) pieces of the rim, of the
        new vertices: those kept, then those on the edges cut.
    """
    vertex, edge = np.full(len(field), -1, np.int32), np.full(len(edges), -1, np.int32)
    order, crossed = np.empty(len(field), np.int64), np.empty(len(edges), np.int32)
    out, rim = np.empty((2 * len(faces), 3), np.int32), np.empty((len(faces), 2), np.int32)
    kept, on_rim, count, pieces = _fast_cloth.cut(
        field, faces, face_edges, edges, vertex, edge, order, crossed, out, rim
    )
    i, j = edges[crossed[:on_rim]].astype(np.int64).T
    return order[:kept].copy(), i, j, out[:count], rim[:pieces]


def smoothstep(x: NDArray, low: float, high: float) -> NDArray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


@functools.cache
def cloth_mesh(body: DefaultBody) -> ClothMesh:
    """The cloth mesh of the default body (some tenths of a second, once)."""
    rest = body.rest()
    names = tuple(rest.skeleton.bodies)
    vertices = rest.vertices.astype(np.float64)
    dense = _dense(body.skin_weights(names), len(names))
    column = {name: i for i, name in enumerate(names)}
    hands = [i for i, n in enumerate(names) if n.split("_")[0] in _HAND]
    toes = [i for i, n in enumerate(names) if n.startswith("toes")]
    main = np.zeros(len(vertices), bool)
    main[:13348] = True  # eyes and mouth are meshes of their own
    wanted = main & (dense[:, hands].sum(1) < 0.97) & (dense[:, toes].sum(1) < 0.5)
    wanted &= (vertices[:, 1] > 0.045) & (vertices[:, 1] < 1.505)
    kept = body.faces[wanted[body.faces].all(1)].astype(np.int64)
    parents, faces = _subdivided(kept, vertices, _LONGEST)
    parents, faces = _in_order(parents, faces)
    edges, face_edges = _edges(faces)
    start, neighbour = _neighbours(edges, len(parents))
    place = 0.5 * (vertices[parents[:, 0]] + vertices[parents[:, 1]])
    W = 0.5 * (dense[parents[:, 0]] + dense[parents[:, 1]])
    smooth = _smoothed(W, edges, 12)
    of_leg = np.stack([smooth[:, [column[f"{b}_{s}"] for b in _LEG]].sum(1) for s in _SIDES], 1)
    of_arm = np.stack([smooth[:, [column[f"{b}_{s}"] for b in _ARM]].sum(1) for s in _SIDES], 1)
    marks = rest.landmarks
    leg, leg_angle = _limb(place, W, marks, column, ("hip", "knee", "ankle"), (("femur",), ("tibia", "calcn", "toes")))
    arm, arm_angle = _limb(
        place, W, marks, column, ("shoulder", "elbow", "wrist"), (("humerus",), ("ulna", "radius", "hand"))
    )
    skin_normal = _normals(vertices, body.faces)
    outward = skin_normal[parents[:, 0]] + skin_normal[parents[:, 1]]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    neck_line = marks["head"] - marks["c7_body"]
    neck_line /= np.linalg.norm(neck_line)
    away = place - marks["c7_body"] - [0, 0, 0.012]
    neck = np.linalg.norm(away - (away @ neck_line)[:, None] * neck_line, axis=1)
    return ClothMesh(
        parents, faces, edges, face_edges, start, neighbour,
        place.astype(np.float32), outward.astype(np.float32), _sparse(_smoothed(W, edges, 4)),
        leg, arm, of_leg, of_arm, neck, _noise(place),
        trunk=_trunk(place, 1.0 - of_arm.sum(1)),
        hips=_trunk(place, 1.0 - of_arm.sum(1) - smoothstep(of_leg.sum(1), 0.3, 1.0)),
        legs=tuple(_tube(leg[:, s], leg_angle[:, s], of_leg[:, s], LEG_BINS, 0.22) for s in range(2)),  # pyright: ignore
        arms=tuple(_tube(arm[:, s], arm_angle[:, s], of_arm[:, s], ARM_BINS, 0.2) for s in range(2)),  # pyright: ignore
    )  # fmt: skip


_HAND = ("hand", "thumb", "index", "middle", "ring", "little")
_LEG, _ARM = ("femur", "tibia", "calcn", "toes"), ("humerus", "ulna", "radius", "hand")


def _dense(weights: SkinWeights, columns: int) -> Float64:
    out = np.zeros((len(weights.start) - 1, columns))
    out[np.repeat(np.arange(len(out)), np.diff(weights.start)), weights.body] = weights.weight
    return out


def _sparse(dense: Float64) -> SkinWeights:
    order = np.argsort(-dense, axis=1, kind="stable")[:, :_INFLUENCES]
    value = np.take_along_axis(dense, order, 1)
    value /= value.sum(1, keepdims=True)
    used = value > 1e-4
    value *= used
    value /= value.sum(1, keepdims=True)
    start = np.concatenate([[0], np.cumsum(used.sum(1))]).astype(np.int32)
    return SkinWeights(start, order[used].astype(np.int32), value[used].astype(np.float32))


def _subdivided(
    faces: NDArray[np.int64], vertices: Float64, longest: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Parents (M, 2) and faces of triangles with new vertices at the middles of edges longer than ``longest``."""
    used, local = np.unique(faces, return_inverse=True)
    local = local.reshape(faces.shape)
    edges, face_edges = _edges(local)
    split = np.linalg.norm(vertices[used[edges[:, 0]]] - vertices[used[edges[:, 1]]], axis=1) > longest
    number = np.full(len(edges), -1)
    number[split] = len(used) + np.arange(split.sum())
    out = []
    for face in range(len(local)):
        corners, middle = [int(v) for v in local[face]], [int(v) for v in number[face_edges[face]]]
        marked = [k for k in range(3) if middle[k] >= 0]
        k = 0
        if len(marked) == 1:
            k = marked[0]
        elif len(marked) == 2:
            k = next(n for n in range(3) if middle[n] < 0)
        i, j, m = (corners[(k + n) % 3] for n in range(3))
        ij, jm, mi = (middle[(k + n) % 3] for n in range(3))
        if not marked:
            out.append((i, j, m))
        elif len(marked) == 1:
            out += [(i, ij, m), (ij, j, m)]
        elif len(marked) == 2:
            out += [(i, j, jm), (i, jm, mi), (mi, jm, m)]
        else:
            out += [(i, ij, mi), (ij, j, jm), (mi, jm, m), (ij, jm, mi)]
    return np.concatenate([np.stack([used, used], 1), used[edges[split]]]), np.array(out, np.int32)


def _in_order(parents: NDArray[np.int64], faces: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The same mesh with neighbours near each other in memory: smoothing it is then twice as fast."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    i, j = _edges(faces)[0].T
    ones = np.ones(2 * len(i))
    graph = coo_array((ones, (np.r_[i, j], np.r_[j, i])), shape=(len(parents), len(parents))).tocsr()
    order = np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    faces = rank[faces]
    return parents[order], np.ascontiguousarray(faces[np.argsort(faces.min(1), kind="stable")])


def _edges(faces: NDArray) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    corners = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    edges, which = np.unique(np.sort(corners, 1), axis=0, return_inverse=True)
    return edges.astype(np.int32), which.reshape(faces.shape).astype(np.int32)


def _neighbours(edges: NDArray, count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    start = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=count))])
    return start.astype(np.int32), both[:, 1].astype(np.int32)


def _smoothed(values: Float64, edges: NDArray, rounds: int) -> Float64:
    from scipy.sparse import coo_array

    n = len(values)
    i, j = edges.T
    A = coo_array((np.ones(2 * len(edges)), (np.r_[i, j], np.r_[j, i])), shape=(n, n)).tocsr()
    degree = np.asarray(A.sum(1)).reshape(-1, 1)
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (A @ values) / degree
    return values


def _limb(place, W, marks, column, joints, parts) -> tuple[Float64, Float64]:
    """(M, 2) place along the limb's joints, and angle around it (0 ahead, growing outward), right and left."""
    along, angle = np.zeros((len(place), 2)), np.zeros((len(place), 2))
    for s, side in enumerate(_SIDES):
        points = [marks[f"{joint}_{side}"] for joint in joints]
        shares = [W[:, [column[f"{b}_{side}"] for b in names]].sum(1) for names in parts]
        both = shares[0] + shares[1]
        lower = np.where(both > 0, shares[1] / np.maximum(both, 1e-9), 0.0)
        t = []
        for a, b in pairwise(points):
            t.append((place - a) @ (b - a) / ((b - a) @ (b - a)))
        along[:, s] = (1 - lower) * t[0] + lower * (1 + t[1])
        axis = np.zeros_like(place)
        _fast_cloth.axis_points(along[:, s], np.array(points), axis)
        d = place - axis
        angle[:, s] = np.arctan2(d[:, 0], d[:, 2])
    return along, angle


def _tube(along: Float64, angle: Float64, share: Float64, bins: tuple[int, int], first: float) -> Tube:
    ids = np.flatnonzero(share > 0.02)
    t = along[ids]
    level = (t - first) / (2.1 - first) * (bins[0] - 1)
    follow = smoothstep(share[ids], 0.35, 0.95) * smoothstep(t, first, first + 0.3)
    return Tube(ids, t, level, _bins(angle[ids], bins[1]), follow, bins)


def _trunk(place: Float64, share: Float64) -> Tube:
    ids = np.flatnonzero((share > 0.02) & (place[:, 1] < TRUNK_TOP + 0.06) & (place[:, 1] > TRUNK_BOTTOM - 0.06))
    y = place[ids, 1]
    level = (TRUNK_TOP - y) / (TRUNK_TOP - TRUNK_BOTTOM) * (TRUNK_BINS[0] - 1)
    angle = np.arctan2(place[ids, 0], place[ids, 2] + 0.05)
    follow = smoothstep(share[ids], 0.5, 0.98) * smoothstep(-y, -1.37, -1.22)
    return Tube(ids, y, level, _bins(angle, TRUNK_BINS[1]), follow, TRUNK_BINS)


def _bins(angle: Float64, count: int) -> Float64:
    return (angle / (2 * np.pi) * count) % count


def _normals(vertices: Float64, faces: NDArray) -> Float64:
    from marrow.render.mesh import vertex_normals

    return vertex_normals(vertices.astype(np.float32), faces).astype(np.float64)


def _noise(place: Float64) -> Float32:
    rng = np.random.default_rng(7)
    out = []
    for k in range(24):
        wave = 0.32 * 0.5 ** (k // 6)  # metres: 32 cm down to 4 cm
        total = np.zeros(len(place))
        for _ in range(7):
            direction = rng.normal(size=3)
            direction /= np.linalg.norm(direction)
            total += np.sin(place @ direction * (2 * np.pi / (wave * rng.uniform(0.7, 1.4))) + rng.uniform(0, 6.3))
        out.append(total / total.std())
    return np.array(out, np.float32)
