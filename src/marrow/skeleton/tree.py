"""The definition as arrays: what the kernels need, the same for every person."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import R_GROUND_WORLD
from marrow.skeleton import definition
from marrow.skeleton.definition import BALL, FREE, HINGE, Joint
from marrow.types import Float64

#: Rotation of a segment in marrow's world at ``q = 0``.
BASE: Float64 = np.ascontiguousarray(R_GROUND_WORLD.T)


@dataclass(frozen=True, eq=False)
class Tree:
    """Structure of a skeleton: B segments, D coordinates.

    Attributes:
        joints: the table's rows, in tree order.
        parents: (B,) index of the parent, -1 for the root.
        kind: (B,) ``FREE``, ``BALL`` or ``HINGE``.
        start: (B,) first coordinate of each joint.
        count: (B,) number of coordinates of each joint.
        axes: (D, 3) unit axes of the elementary motions, segment axes.
        dof_body: (D,) segment that each coordinate moves.
        ranges: (D, 2) radians, infinite where free.
        moves: (B, D) bool: the coordinate moves the segment.
    """

    joints: tuple[Joint, ...]
    parents: NDArray[np.int64]
    kind: NDArray[np.int64]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    axes: Float64
    dof_body: NDArray[np.int64]
    ranges: Float64
    moves: NDArray[np.bool_]

    @functools.cached_property
    def bodies(self) -> tuple[str, ...]:
        return tuple(j.body for j in self.joints)

    @functools.cached_property
    def coordinates(self) -> tuple[str, ...]:
        return tuple(c.name for j in self.joints for c in j.coordinates)

    @functools.cached_property
    def balls(self) -> tuple[tuple[int, int, Float64], ...]:
        """(segment, first coordinate, signs (3,)) of every joint that turns about Z, X, Y: the root and the balls.

        ``R_joint = from_euler_zxy(signs * q[first : first + 3])``.
        """
        out = []
        for b in np.flatnonzero(self.kind != HINGE):
            d = int(self.start[b])
            out.append((int(b), d, self.axes[[d, d + 1, d + 2], [2, 0, 1]]))
        return tuple(out)

    @functools.cached_property
    def ball_slots(self) -> NDArray[np.int64]:
        """(M, 3) coordinate indices of the root's and the balls' rotations."""
        return np.array([[d, d + 1, d + 2] for _, d, _ in self.balls], np.int64)

    @functools.cached_property
    def ball_signs(self) -> Float64:
        """(M, 3) signs of the Z, X, Y angles of :attr:`ball_slots`."""
        return np.array([signs for _, _, signs in self.balls])

    @functools.cached_property
    def translation(self) -> slice:
        """Where the root's translation stands in ``q``."""
        return slice(3, 6)


def build(joints: tuple[Joint, ...]) -> Tree:
    """Arrays of a table of joints (first one free, parents first, ball axes in the order Z, X, Y)."""
    bodies = [j.body for j in joints]
    parents = np.array([-1 if j.parent is None else bodies.index(j.parent) for j in joints], np.int64)
    count = np.array([len(j.coordinates) for j in joints], np.int64)
    coordinates = [c for j in joints for c in j.coordinates]
    axes = np.array([c.axis for c in coordinates], float)
    dof_body = np.repeat(np.arange(len(joints)), count)
    ancestor = np.eye(len(joints), dtype=bool)
    for b in range(1, len(joints)):
        ancestor[b] |= ancestor[parents[b]]
    return Tree(
        joints=joints,
        parents=parents,
        kind=np.array([j.kind for j in joints], np.int64),
        start=np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64),
        count=count,
        axes=axes / np.linalg.norm(axes, axis=1, keepdims=True),
        dof_body=dof_body,
        ranges=np.radians([(c.low, c.high) for c in coordinates]),
        moves=ancestor[:, dof_body],
    )


@functools.cache
def whole() -> Tree:
    """The whole skeleton."""
    return build(definition.JOINTS)


@functools.cache
def without_fingers() -> Tree:
    """The skeleton without the segments of the fingers."""
    return build(tuple(j for j in definition.JOINTS if j.body not in definition.FINGER_BODIES))


__all__ = ["BALL", "BASE", "FREE", "HINGE", "Tree", "build", "whole", "without_fingers"]
