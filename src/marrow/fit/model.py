"""One person's unknowns: the skeleton cut down to what the evidence sees, and the points that ride on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.fit._fast_kinematics import BALL, HINGE, TRANSLATION, PointTable, Template, Tree
from marrow.skeleton import definition
from marrow.skeleton import tree as skeleton_tree
from marrow.types import Float64

#: Entries of a point: (segment index, weight).
Entries = Sequence[tuple[int, float]]


class Templates(NamedTuple):
    """What N shapes make of the whole skeleton and of the points that ride on it."""

    offsets: Float64  # (N, B, 3) joint centres in the parents' frames, metres
    length: Float64  # (N, B) units of the joints' slides
    local: Float64  # (N, E, 3) weighted local points
    stature: Float64  # (N,)


#: Shapes (N, S) to their templates.
Shaping = Callable[[Float64], Templates]


class Linear(NamedTuple):
    """The template around a shape, linear in the shape.

    Attributes:
        shape: (S,) where it was taken.
        template: offsets and local points there, with their derivatives.
        stature, d_stature: metres, and (S,) its derivative.
    """

    shape: Float64
    template: Template
    stature: float
    d_stature: Float64

    def at(self, shape: Float64) -> Template:
        """Offsets and local points at another shape (first order)."""
        dx, t = shape - self.shape, self.template
        return t._replace(
            offsets=t.offsets + np.tensordot(dx, t.d_offsets, 1),
            length=t.length + dx @ t.d_length,
            local=t.local + np.tensordot(dx, t.d_local, 1),
        )


@dataclass(frozen=True)
class Model:
    """Structure that stays the same during a fit. B segments kept of the skeleton, d unknowns per frame, M angles.

    Attributes:
        tree, points: what the kernels read.
        bodies: (B,) segments of the whole skeleton.
        hinges: (M,) coordinates (of the whole skeleton) of the angles about single axes.
        coordinates: (d,) coordinates of the unknowns; a ball's three unknowns are its increments about x, y, z.
        balls: (b, first unknown) of every rotation that is fitted, the root first.
        carried: (d, M) how the angles go with the unknowns: 1, or a follower's ratio.
        templates: shapes to joint offsets and lengths (of the whole skeleton), local points and statures.
        relaxed: (D,) coordinates of the relaxed pose of the whole skeleton.
    """

    tree: Tree
    points: PointTable
    bodies: NDArray[np.int64]
    hinges: NDArray[np.int64]
    coordinates: NDArray[np.int64]
    balls: tuple[tuple[int, int], ...]
    carried: Float64
    templates: Shaping
    relaxed: Float64

    @property
    def size(self) -> int:
        """Unknowns per frame."""
        return len(self.tree.dof_body)

    def linearised(self, shape: Float64, step: Float64, bounds: Float64) -> Linear:
        """Template at ``shape`` (S,) with differences over ``step`` (S,) to both sides, within ``bounds`` (S, 2)."""
        S = len(shape)
        above, below = np.minimum(shape + step, bounds[:, 1]), np.maximum(shape - step, bounds[:, 0])
        shapes = np.tile(shape, (2 * S + 1, 1))
        shapes[1 : S + 1] += np.diag(above - shape)
        shapes[S + 1 :] += np.diag(below - shape)
        offsets, length, local, stature = self.templates(shapes)
        offsets, length, width = offsets[:, self.bodies], length[:, self.bodies], above - below

        def slope(values: Float64) -> Float64:
            return _c((values[1 : S + 1] - values[S + 1 :]) / width.reshape(-1, *[1] * (values.ndim - 1)))

        template = Template(_c(offsets[0]), _c(length[0]), _c(local[0]), slope(offsets), slope(length), slope(local))
        return Linear(shape.copy(), template, float(stature[0]), slope(stature))

    def angle_index(self, structure: skeleton_tree.Tree, coordinate: str) -> int | None:
        """Number of a coordinate's angle, or None where the model lacks it."""
        at = np.flatnonzero(self.hinges == structure.coordinates.index(coordinate))
        return int(at[0]) if len(at) else None

    def following(self, angle: Float64) -> Float64:
        """Angles (T, M) with the followers where their leaders put them."""
        tree, out = self.tree, angle.copy()
        for lead in tree.dof_index[tree.dof_kind == HINGE]:
            h = int(tree.follower[lead])
            while h >= 0:
                out[:, h] = tree.ratio[h] * out[:, lead]
                h = int(tree.follower[h])
        return out


def relaxed_pose(structure: skeleton_tree.Tree) -> Float64:
    """(D,) coordinates of a person standing at ease."""
    return skeleton_tree.relaxed(structure.coordinates)


def build_model(
    structure: skeleton_tree.Tree,
    entries: Sequence[Entries],
    moving: NDArray[np.bool_],
    templates: Shaping,
    *,
    coupled: bool | tuple[str, ...],
    fingers: bool = False,
) -> Model:
    """Cut the skeleton down to the segments that carry points and to the coordinates that move them.

    Args:
        structure: the whole skeleton (B segments).
        entries: of each point.
        moving: (E,) whether the entry lies off its segment's origin, so that the segment's own joint moves it.
        templates: see :data:`Shaping`; for the whole skeleton.
        coupled: whether coordinates that few points tell apart go along with their leaders
            (:data:`marrow.skeleton.definition.FOLLOWERS`): all, none, or those whose names begin so.
        fingers: fit the fingers' joints too; else they stay relaxed, since detectors see them too coarsely.
    """
    parents = structure.parents
    below = _below(parents)
    entry_body = np.array([b for point in entries for b, _ in point], np.int64)
    kept = np.flatnonzero(below[entry_body].any(0)) if len(entry_body) else np.array([0])
    new = {int(b): i for i, b in enumerate(kept)}
    tree, hinges, coordinates, balls = _tree(structure, kept, new, entry_body, moving, below, coupled, fingers)
    return Model(
        tree=tree,
        points=point_table(tree, [[(new[int(b)], w) for b, w in point] for point in entries], moving),
        carried=_carried(tree),
        bodies=kept,
        hinges=hinges,
        coordinates=coordinates,
        balls=balls,
        templates=templates,
        relaxed=relaxed_pose(structure),
    )


def _below(parents: NDArray[np.int64]) -> NDArray[np.bool_]:
    below = np.eye(len(parents), dtype=bool)
    for b in range(1, len(parents)):
        below[b] |= below[parents[b]]
    return below


def _tree(
    structure: skeleton_tree.Tree,
    kept: NDArray[np.int64],
    new: dict[int, int],
    entry_body: NDArray[np.int64],
    moving: NDArray[np.bool_],
    below: NDArray[np.bool_],
    coupled: bool | tuple[str, ...],
    fingers: bool,
) -> tuple[Tree, NDArray[np.int64], NDArray[np.int64], tuple[tuple[int, int], ...]]:
    """The kernel's tree, its angles' coordinates, the unknowns' coordinates and the fitted balls."""
    at = structure.coordinates.index
    begin = coupled if isinstance(coupled, tuple) else ("",) if coupled else ()
    leaders = {at(f.name): (at(f.leader), f.ratio) for f in definition.FOLLOWERS if f.name.startswith(begin)}
    hinges = [c for b in kept if structure.kind[b] == skeleton_tree.HINGE for c in _of(structure, b)]
    number = {c: h for h, c in enumerate(hinges)}
    follower, ratio = np.full(len(hinges), -1), np.ones(len(hinges))
    unknowns: list[tuple[int, int, int, int]] = []  # segment, kind, index, coordinate
    balls: list[tuple[int, int]] = []
    for i, b in enumerate(kept):
        # a joint is worth fitting when some point beyond its centre hangs on it
        own = moving | bool(b in structure.sliding)
        seen = bool((below[entry_body, b] & ((entry_body != b) | own)).any())
        seen &= fingers or structure.bodies[b] not in definition.FINGER_BODIES
        columns = _of(structure, b)
        if structure.kind[b] == skeleton_tree.HINGE:
            for c in columns if seen else ():
                leader, share = leaders.get(c, (-1, 1.0))
                if leader in number:
                    last = number[leader]
                    while follower[last] >= 0:
                        last = follower[last]
                    follower[last], ratio[number[c]] = number[c], share
                else:
                    unknowns.append((i, HINGE, number[c], c))
        elif seen or b == 0:
            balls.append((i, len(unknowns)))
            unknowns += [(i, BALL, k, c) for k, c in enumerate(columns[:3])]
            unknowns += [(i, TRANSLATION, k, c) for k, c in enumerate(columns[3:])]
    body, kind, index, coordinates = np.array(unknowns, np.int64).T.copy()
    tree = Tree(
        parents=np.array([-1 if structure.parents[b] < 0 else new[int(structure.parents[b])] for b in kept], np.int64),
        ground=np.eye(3),
        turns=_kept_terms(structure.turns, kept, number),
        slides=_kept_terms(structure.slides, kept, number),
        angle_body=np.array([new[int(structure.dof_body[c])] for c in hinges], np.int64),
        follower=follower,
        ratio=ratio,
        dof_body=body,
        dof_kind=kind,
        dof_index=index,
        below=np.ascontiguousarray(below[np.ix_(kept, kept)]),
    )
    return tree, np.array(hinges, np.int64), coordinates, tuple(balls)


def _of(structure: skeleton_tree.Tree, b: int) -> range:
    """Coordinates of joint b."""
    return range(int(structure.start[b]), int(structure.start[b] + structure.count[b]))


def _kept_terms(terms: skeleton_tree.Terms, kept: NDArray[np.int64], number: dict[int, int]) -> skeleton_tree.Terms:
    """Turns or slides of the kept segments' single axes, driven by numbered angles."""
    rows: list[int] = []
    start = [0]
    for b in kept:
        own = range(int(terms.start[b]), int(terms.start[b + 1]))
        rows += [i for i in own if int(terms.coordinate[i]) in number]
        start.append(len(rows))
    angle = np.array([number[int(terms.coordinate[i])] for i in rows], np.int64)
    return skeleton_tree.Terms(
        np.array(start, np.int64), terms.axis[rows], angle, terms.polynomial[rows], terms.linear[rows]
    )


def _carried(tree: Tree) -> Float64:
    out = np.zeros((len(tree.dof_body), len(tree.angle_body)))
    for f in np.flatnonzero(tree.dof_kind == HINGE):
        h = int(tree.dof_index[f])
        while h >= 0:
            out[f, h] = tree.ratio[h]
            h = int(tree.follower[h])
    return out


def point_table(tree: Tree, entries: Sequence[Entries], moving: NDArray[np.bool_]) -> PointTable:
    """Which of the tree's unknowns move each point.

    Args:
        entries: of each point, by the tree's own bodies.
        moving: (E,) whether the entry lies off its body's origin.
    """
    start, body, weight, dof_start, dofs = [0], [], [], [0], []
    moved_by = [_moved_bodies(tree, f) for f in range(len(tree.dof_body))]
    slides = np.diff(tree.slides.start) > 0
    for point in entries:
        seen = np.zeros(len(tree.dof_body), bool)
        for at, w in point:
            for f, bodies in enumerate(moved_by):
                # its own joint moves an entry at the body's origin only where the origin slides
                still = tree.dof_kind[f] != TRANSLATION and not (moving[len(body)] or slides[at])
                seen[f] |= any(tree.below[at, a] and not (a == at and still) for a in bodies)
            body.append(at)
            weight.append(w)
        start.append(len(body))
        dofs.extend(np.flatnonzero(seen))
        dof_start.append(len(dofs))
    as_int = [np.array(a, np.int64) for a in (start, body, dof_start, dofs)]
    return PointTable(as_int[0], as_int[1], np.array(weight, float), as_int[2], as_int[3])


def _moved_bodies(tree: Tree, f: int) -> list[int]:
    """Bodies whose joints an unknown moves: its own and those of its followers."""
    if tree.dof_kind[f] != HINGE:
        return [int(tree.dof_body[f])]
    out, h = [], int(tree.dof_index[f])
    while h >= 0:
        out.append(int(tree.angle_body[h]))
        h = int(tree.follower[h])
    return out


def _c(array: Float64) -> Float64:
    return np.ascontiguousarray(array, float)
