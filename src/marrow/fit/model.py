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
#: Shapes (N, S) -> joint centres in the parents' frames (N, B, 3), weighted local points (N, E, 3), statures (N,).
Templates = Callable[[Float64], tuple[Float64, Float64, Float64]]

#: Fingers at rest are slightly bent: degrees by the end of the coordinate's name (without side).
_RELAXED = {"mcp_flex": 25.0, "pip_flex": 30.0, "dip_flex": 15.0, "ip_flex": 15.0}


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
            offsets=t.offsets + np.tensordot(dx, t.d_offsets, 1), local=t.local + np.tensordot(dx, t.d_local, 1)
        )


@dataclass(frozen=True)
class Model:
    """Structure that stays the same during a fit. B segments kept of the skeleton, d unknowns per frame, M hinges.

    Attributes:
        tree, points: what the kernels read.
        bodies: (B,) segments of the whole skeleton.
        hinges: (M,) coordinates (of the whole skeleton) of the hinges.
        coordinates: (d,) coordinates of the unknowns; a ball's three unknowns are its increments about x, y, z.
        balls: (b, first unknown) of every rotation that is fitted, the root first.
        templates: shapes to joint offsets (of the whole skeleton), local points and statures.
        relaxed: (D,) coordinates of the relaxed pose of the whole skeleton.
    """

    tree: Tree
    points: PointTable
    bodies: NDArray[np.int64]
    hinges: NDArray[np.int64]
    coordinates: NDArray[np.int64]
    balls: tuple[tuple[int, int], ...]
    templates: Templates
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
        offsets, local, stature = self.templates(shapes)
        offsets, width = offsets[:, self.bodies], above - below
        template = Template(
            _c(offsets[0]),
            _c(local[0]),
            _c((offsets[1 : S + 1] - offsets[S + 1 :]) / width[:, None, None]),
            _c((local[1 : S + 1] - local[S + 1 :]) / width[:, None, None]),
        )
        return Linear(shape.copy(), template, float(stature[0]), (stature[1 : S + 1] - stature[S + 1 :]) / width)


def relaxed_pose(structure: skeleton_tree.Tree) -> Float64:
    """(D,) coordinates of a person standing at ease."""
    q = np.zeros(len(structure.coordinates))
    for i, name in enumerate(structure.coordinates):
        for end, degrees in _RELAXED.items():
            if name[:-2].endswith(end):
                q[i] = np.radians(degrees)
    return q


def build_model(
    structure: skeleton_tree.Tree,
    entries: Sequence[Entries],
    moving: NDArray[np.bool_],
    templates: Templates,
    *,
    fingers: bool = False,
) -> Model:
    """Cut the skeleton down to the segments that carry points and to the coordinates that move them.

    Args:
        structure: the whole skeleton (B segments).
        entries: of each point.
        moving: (E,) whether the entry lies off its segment's origin, so that the segment's own joint moves it.
        templates: see :data:`Templates`; for the whole skeleton.
        fingers: fit the fingers' joints too; else they stay relaxed, since detectors see them too coarsely.
    """
    parents = structure.parents
    below = _below(parents)
    entry_body = np.array([b for point in entries for b, _ in point], np.int64)
    kept = np.flatnonzero(below[entry_body].any(0)) if len(entry_body) else np.array([0])
    new = {int(b): i for i, b in enumerate(kept)}
    tree, hinges, coordinates, balls = _tree(structure, kept, new, entry_body, moving, below, fingers)
    return Model(
        tree=tree,
        points=_points(tree, entries, moving, new),
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


def _tree(structure, kept, new, entry_body, moving, below, fingers):
    """The kernel's tree, its hinges' coordinates, the unknowns' coordinates and the fitted balls."""
    starts, axes, hinges = [0], [], []
    body, kind, index, coordinates, balls = [], [], [], [], []
    for i, b in enumerate(kept):
        first, count = int(structure.start[b]), int(structure.count[b])
        # a joint is worth fitting when some point beyond its centre hangs on it
        seen = bool((below[entry_body, b] & ((entry_body != b) | moving)).any())
        seen &= fingers or structure.bodies[b] not in definition.FINGER_BODIES
        if structure.kind[b] == skeleton_tree.HINGE:
            for c in range(first, first + count):
                if seen:
                    body.append(i), kind.append(HINGE), index.append(len(hinges)), coordinates.append(c)
                hinges.append(c)
                axes.append(structure.axes[c])
        elif seen or b == 0:
            balls.append((i, len(body)))
            for k in range(3):
                body.append(i), kind.append(BALL), index.append(k), coordinates.append(first + k)
            if b == 0:
                for k in range(3):
                    body.append(0), kind.append(TRANSLATION), index.append(k), coordinates.append(first + 3 + k)
        starts.append(len(hinges))
    tree = Tree(
        parents=np.array([-1 if structure.parents[b] < 0 else new[int(structure.parents[b])] for b in kept], np.int64),
        ground=np.eye(3),
        hinge_start=np.array(starts, np.int64),
        hinge_axis=np.array(axes, float).reshape(-1, 3),
        dof_body=np.array(body, np.int64),
        dof_kind=np.array(kind, np.int64),
        dof_index=np.array(index, np.int64),
        below=np.ascontiguousarray(below[np.ix_(kept, kept)]),
    )
    return tree, np.array(hinges, np.int64), np.array(coordinates, np.int64), tuple(balls)


def _points(tree: Tree, entries: Sequence[Entries], moving: NDArray[np.bool_], new: dict[int, int]) -> PointTable:
    start, body, weight, dof_start, dofs = [0], [], [], [0], []
    for point in entries:
        seen = np.zeros(len(tree.dof_body), bool)
        for b, w in point:
            on = tree.below[new[int(b)], tree.dof_body]
            own = (tree.dof_body == new[int(b)]) & (tree.dof_kind != TRANSLATION)
            seen |= on & (~own | moving[len(body)])
            body.append(new[int(b)])
            weight.append(w)
        start.append(len(body))
        dofs.extend(np.flatnonzero(seen))
        dof_start.append(len(dofs))
    as_int = [np.array(a, np.int64) for a in (start, body, dof_start, dofs)]
    return PointTable(as_int[0], as_int[1], np.array(weight, float), as_int[2], as_int[3])


def _c(array: Float64) -> Float64:
    return np.ascontiguousarray(array, float)
