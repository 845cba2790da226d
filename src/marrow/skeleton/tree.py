"""The definition as arrays: what the kernels need, the same for every person."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import R_GROUND_WORLD
from marrow.skeleton import definition
from marrow.skeleton.definition import BALL, DEGREE, FREE, HINGE, Coupled, Joint
from marrow.types import Float64

#: Rotation of a segment in marrow's world at ``q = 0``.
BASE: Float64 = np.ascontiguousarray(R_GROUND_WORLD.T)


class Terms(NamedTuple):
    """N turns (or slides), those of joint b in ``start[b]:start[b + 1]``.

    A term's angle (or share of the joint's length) is ``sum_k polynomial[k] x ** (k + 1)`` of its coordinate x.
    """

    start: NDArray[np.int64]  # (B + 1,)
    axis: Float64  # (N, 3) unit
    coordinate: NDArray[np.int64]  # (N,)
    polynomial: Float64  # (N, DEGREE)
    linear: NDArray[np.bool_]  # (N,) the coordinate itself


def term_value(terms: Terms, i: int, x: Float64) -> Float64:
    """Angle (or share of the joint's length) (...,) of term i at values x (...,) of its coordinate."""
    return np.asarray(np.polyval(np.append(terms.polynomial[i][::-1], 0.0), x), np.float64)


class Structure(NamedTuple):
    """What the kernels read of a tree."""

    parents: NDArray[np.int64]
    kind: NDArray[np.int64]
    start: NDArray[np.int64]
    count: NDArray[np.int64]
    axes: Float64
    turns: Terms
    slides: Terms
    base: Float64


@dataclass(frozen=True, eq=False)
class Tree:
    """Structure of a skeleton: B segments, D coordinates.

    Attributes:
        joints: the table's rows, in tree order.
        parents: (B,) index of the parent, -1 for the root.
        kind: (B,) ``FREE``, ``BALL`` or ``HINGE``.
        start: (B,) first coordinate of each joint.
        count: (B,) number of coordinates of each joint.
        axes: (D, 3) unit axes of the coordinates' own motions, segment axes.
        turns: elementary rotations in their order, the coordinates' own ones and those coupled to them.
        slides: displacements of the segments' origins along axes of the parents.
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
    turns: Terms
    slides: Terms
    dof_body: NDArray[np.int64]
    ranges: Float64
    moves: NDArray[np.bool_]

    @functools.cached_property
    def structure(self) -> Structure:
        return Structure(self.parents, self.kind, self.start, self.count, self.axes, self.turns, self.slides, BASE)

    @functools.cached_property
    def sliding(self) -> tuple[int, ...]:
        """Segments whose origins move in their parents."""
        return tuple(np.flatnonzero(np.diff(self.slides.start)).tolist())

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
    axes = _unit([c.axis for c in coordinates])
    number = {c.name: d for d, c in enumerate(coordinates)}
    own = [Coupled(c.name, c.axis, (1.0,)) for c in coordinates]
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    turns = [[*own[first[b] : first[b] + min(int(count[b]), 3)], *joint.turns] for b, joint in enumerate(joints)]
    dof_body = np.repeat(np.arange(len(joints)), count)
    ancestor = np.eye(len(joints), dtype=bool)
    for b in range(1, len(joints)):
        ancestor[b] |= ancestor[parents[b]]
    return Tree(
        joints=joints,
        parents=parents,
        kind=np.array([j.kind for j in joints], np.int64),
        start=first[:-1],
        count=count,
        axes=axes,
        turns=_terms(turns, number),
        slides=_terms([joint.slides for joint in joints], number),
        dof_body=dof_body,
        ranges=np.radians([(c.low, c.high) for c in coordinates]),
        moves=ancestor[:, dof_body],
    )


def relaxed(coordinates: Sequence[str]) -> Float64:
    """(D,) radians: all zero but the hands, which are as :data:`definition.RELAXED_HAND` has them."""
    hand = definition.RELAXED_HAND.items()
    # The longest end that fits: a thumb's own before a finger's.
    ends = [max(((len(k), v) for k, v in hand if name[:-2].endswith(k)), default=(0, 0.0))[1] for name in coordinates]
    return np.radians(ends)


#: How far the forearms of a person at ease are turned in, degrees.
_PRONATION = 60.0


def at_ease(coordinates: Sequence[str]) -> Float64:
    """(D,) radians: a person standing with relaxed hands and forearms half turned in."""
    q = relaxed(coordinates)
    q[[i for i, name in enumerate(coordinates) if name.startswith("pro_sup")]] = np.radians(_PRONATION)
    return q


def _terms(of_joints: Sequence[Sequence[Coupled]], number: dict[str, int]) -> Terms:
    terms = [term for own in of_joints for term in own]
    polynomial = np.zeros((len(terms), DEGREE))
    for row, term in zip(polynomial, terms, strict=True):
        row[: len(term.polynomial)] = term.polynomial
    return Terms(
        np.concatenate([[0], np.cumsum([len(own) for own in of_joints])]).astype(np.int64),
        _unit([term.axis for term in terms]),
        np.array([number[term.coordinate] for term in terms], np.int64),
        polynomial,
        (polynomial[:, 0] == 1.0) & (polynomial[:, 1:] == 0.0).all(1),
    )


def _unit(axes: Sequence[definition.Axis]) -> Float64:
    stacked = np.array(axes, float).reshape(-1, 3)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


@functools.cache
def whole() -> Tree:
    """The whole skeleton."""
    return build(definition.JOINTS)


@functools.cache
def with_hinged_knees() -> Tree:
    """The whole skeleton with knees that only flex, about an axis that stands still."""
    return build(
        tuple(
            replace(j, turns=(), slides=(), length=None) if j.body.startswith("tibia") else j for j in definition.JOINTS
        )
    )


@functools.cache
def cut(tree: Tree) -> Tree:
    """A tree without the segments of the fingers."""
    return build(tuple(j for j in tree.joints if j.body not in definition.FINGER_BODIES))


__all__ = [
    "BALL",
    "BASE",
    "FREE",
    "HINGE",
    "Structure",
    "Terms",
    "Tree",
    "at_ease",
    "build",
    "cut",
    "relaxed",
    "term_value",
    "whole",
    "with_hinged_knees",
]
