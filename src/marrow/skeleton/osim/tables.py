"""A model flattened into the arrays that the kernels read.

The joints become one list of elementary motions E. A motion first applies the fixed placement before it, then turns
about one of the axes x, y, z of the frame reached so far, or shifts along a vector given in it. Oblique axes are
brought onto z by the fixed placements on both sides; motions of constant amount become part of them.

A *column* K is a pair (body, coordinate): the velocity of the body's joint per unit of the coordinate, as one screw. A
coordinate that moves several joints has several columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.geometry.rotations import axis_angle, rotation_between
from marrow.skeleton.osim.model import GROUND, Joint, Model, Motion
from marrow.types import Float64

Int = NDArray[np.int64]


class Functions(NamedTuple):
    """F functions: kind, numbers and arguments one behind the other."""

    kind: Int  # (F,)
    data_start: Int  # (F + 1,)
    data: Float64
    arg_start: Int  # (F + 1,)
    arg: Int  # coordinate index of each argument


class Tables(NamedTuple):
    """B bodies, E motions (one function each), K columns, D coordinates."""

    parent: Int  # (B,) body index, -1 for the ground
    start: Int  # (B + 1,) first motion of each body's joint
    end_kind: Int  # (B,) bits of the fixed placement after the last motion: 1 rotation, 2 translation
    end_R: Float64  # (B, 3, 3)
    end_p: Float64  # (B, 3)
    fixed_kind: Int  # (E,) bits of the fixed placement before the motion
    fixed_R: Float64  # (E, 3, 3)
    fixed_p: Float64  # (E, 3)
    turn: Int  # (E,) axis 0, 1, 2 of a turn; -1 for a shift
    axis: Float64  # (E, 3) of a shift
    functions: Functions
    arg_column: Int  # column of each argument
    column_body: Int  # (K,)
    column_coordinate: Int  # (K,)
    column_start: Int  # (B + 1,) columns of each body's joint


def flatten_functions(functions: list, arguments: list[list[int]]) -> Functions:
    """Tables of functions and the coordinate indices they take."""
    data = [f.data for f in functions]
    return Functions(
        np.array([f.kind for f in functions], np.int64),
        np.cumsum([0, *map(len, data)], dtype=np.int64),
        np.concatenate([*data, np.zeros(0)]),
        np.cumsum([0, *map(len, arguments)], dtype=np.int64),
        np.array([i for row in arguments for i in row], np.int64),
    )


def build(model: Model) -> Tables:
    """Tables of a model."""
    bodies = {joint.child.body: b for b, joint in enumerate(model.joints)}
    index = {name: d for d, name in enumerate(model.coordinate_names)}
    chains = [_Chain(joint) for joint in model.joints]
    steps = [step for chain in chains for step in chain.steps]
    starts = np.cumsum([0, *(len(chain.steps) for chain in chains)], dtype=np.int64)
    columns: list[tuple[int, int]] = []
    arg_column: list[int] = []
    column_start = [0]
    for b, chain in enumerate(chains):
        for step in chain.steps:
            for name in step.motion.coordinates:
                column = (b, index[name])
                if column not in columns[column_start[b] :]:
                    columns.append(column)
                arg_column.append(columns.index(column, column_start[b]))
        column_start.append(len(columns))
    pairs = np.array(columns, np.int64).reshape(-1, 2)
    return Tables(
        parent=np.array([bodies.get(joint.parent.body, -1) for joint in model.joints], np.int64),
        start=starts,
        end_kind=np.array([_kind(chain.R, chain.p) for chain in chains], np.int64),
        end_R=np.array([chain.R for chain in chains]),
        end_p=np.array([chain.p for chain in chains]),
        fixed_kind=np.array([_kind(step.R, step.p) for step in steps], np.int64),
        fixed_R=np.array([step.R for step in steps]).reshape(-1, 3, 3),
        fixed_p=np.array([step.p for step in steps]).reshape(-1, 3),
        turn=np.array([step.turn for step in steps], np.int64),
        axis=np.array([step.axis for step in steps]).reshape(-1, 3),
        functions=flatten_functions(
            [step.motion.function for step in steps], [[index[n] for n in step.motion.coordinates] for step in steps]
        ),
        arg_column=np.array(arg_column, np.int64),
        column_body=np.ascontiguousarray(pairs[:, 0]),
        column_coordinate=np.ascontiguousarray(pairs[:, 1]),
        column_start=np.array(column_start, np.int64),
    )


def ancestors(tables: Tables) -> NDArray[np.bool_]:
    """(B, B): ``[a, b]`` tells that body ``b`` is ``a`` or lies between ``a`` and the ground."""
    count = len(tables.parent)
    above = np.eye(count, dtype=bool)
    for b in range(count):
        if tables.parent[b] >= 0:
            above[b] |= above[tables.parent[b]]
    return above


class _Step(NamedTuple):
    R: Float64
    p: Float64
    turn: int
    axis: Float64
    motion: Motion


class _Chain:
    """Steps of one joint; ``R, p`` collect the fixed placement since the last step."""

    def __init__(self, joint: Joint) -> None:
        self.steps: list[_Step] = []
        self.R, self.p = joint.parent.R.copy(), joint.parent.p.copy()
        for motion in joint.motions:
            self._add(motion)
        self._place(joint.child.R.T, -joint.child.R.T @ joint.child.p)

    def _place(self, R: Float64, p: Float64) -> None:
        self.p = self.p + self.R @ p
        self.R = self.R @ R

    def _add(self, motion: Motion) -> None:
        amount = motion.function.constant
        if amount is not None:
            if motion.turns:
                self._place(axis_angle(motion.axis, amount), np.zeros(3))
            else:
                self._place(np.eye(3), motion.axis * amount)
            return
        along = np.flatnonzero(motion.axis == 1.0)
        if motion.turns and len(along) != 1:
            onto = rotation_between(np.array([0.0, 0.0, 1.0]), motion.axis)
            self._place(onto, np.zeros(3))
            self._step(motion, 2)
            self.R = onto.T
        else:
            self._step(motion, int(along[0]) if motion.turns else -1)

    def _step(self, motion: Motion, turn: int) -> None:
        self.steps.append(_Step(self.R, self.p, turn, motion.axis, motion))
        self.R, self.p = np.eye(3), np.zeros(3)


def _kind(R: Float64, p: Float64) -> int:
    turned = np.abs(R - np.eye(3)).max() > 1e-15
    return int(turned) + 2 * int(np.abs(p).max() > 0)


__all__ = ["GROUND", "Functions", "Tables", "ancestors", "build", "flatten_functions"]
