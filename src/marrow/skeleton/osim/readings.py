"""The two readings of an orientation as three turns, such as those of a shoulder or a hip.

Three turns whose second axis is square to the other two reach each orientation twice: ``R1(a) R2(b) R3(c)`` is also
``R1(a + pi) R2(2 s - b) R3(c + pi)``, with s the angle from the third axis to the first about the second. For half a
turn about the first axis reverses the second, and half turns about the third and the first one after the other are one
turn by 2 s about the second. Whole turns come on top. Ranges often hold one of the readings only, and a solver that
is on the way to the other is stopped by them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.skeleton.osim.functions import IDENTITY
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.skeleton.osim.model import Joint
from marrow.skeleton.osim.problem import Problem
from marrow.types import Float64

_SQUARE = 1e-6  # cosine of the angle between axes that count as square


class _ThreeTurns(NamedTuple):
    variables: list[int]  # of the first, second and third turn
    double: float  # radians: 2 s


class Readings:
    """The joints of a problem that can be read in two ways.

    Left out are joints whose coordinates move something else besides, or are drawn to a value.

    Attributes:
        turning: (n,) whether a variable is one of three turns.
    """

    def __init__(self, body: Kinematics, problem: Problem) -> None:
        self.low, self.high = problem.low, problem.high
        self._joints = _three_turns(body, problem)
        self.turning: NDArray[np.bool_] = np.zeros(len(problem.variable), bool)
        for joint in self._joints:
            self.turning[joint.variables] = True

    def other(self, y: Float64, where: NDArray[np.bool_], reference: Float64) -> Float64:
        """The variables ``y`` (n,) with the joints at ``where`` (n,) read the other way, within their bounds."""
        out = y.copy()
        for joint in self._joints:
            if where[joint.variables].any():
                out[joint.variables], _ = self._in_range(joint, _exchanged(joint, y), reference)
        return np.clip(out, self.low, self.high)

    def nearest(self, y: Float64, reference: Float64) -> Float64:
        """The same pose as ``y`` (n,), each joint read the way that is in its range and nearest to ``reference``."""
        out = y.copy()
        for joint in self._joints:
            ways = [self._in_range(joint, angles, reference) for angles in (y[joint.variables], _exchanged(joint, y))]
            kept = [angles for angles, beyond in ways if not beyond] or [y[joint.variables]]
            out[joint.variables] = min(kept, key=lambda angles: np.abs(angles - reference[joint.variables]).sum())
        return out

    def _in_range(self, joint: _ThreeTurns, angles: Float64, reference: Float64) -> tuple[Float64, bool]:
        """Angles less whole turns: least outside their range, then nearest to the reference; whether any is outside."""
        low, high, near = (bound[joint.variables] for bound in (self.low, self.high, reference))
        turn = 2 * np.pi
        ways = angles - turn * (np.round((angles - near) / turn) + np.arange(-1, 2)[:, None])
        beyond = np.maximum(low - ways, 0) + np.maximum(ways - high, 0)
        order = np.lexsort((np.abs(ways - near), beyond), axis=0)[0]
        columns = np.arange(3)
        return ways[order, columns], bool(beyond[order, columns].any())


def _exchanged(joint: _ThreeTurns, y: Float64) -> Float64:
    a, b, c = y[joint.variables]
    return np.array([a + np.pi, joint.double - b, c + np.pi])


def _three_turns(body: Kinematics, problem: Problem) -> list[_ThreeTurns]:
    tables, model = body.tables, body.model
    moved = np.bincount(tables.column_coordinate[tables.arg_column], minlength=len(body.coordinates))
    tied = {body.coordinates[d] for d in problem.task}
    tied |= {name for coupling in model.couplings for name in (*coupling.independent, coupling.dependent)}
    out = []
    for joint, first, last in zip(model.joints, tables.start[:-1], tables.start[1:], strict=True):
        if np.count_nonzero(tables.turn[first:last] >= 0) != 3:
            continue
        found = _turns_about_one_point(joint)
        if found is None:
            continue
        names, double = found
        coordinates = [body.index(name) for name in names]
        variables = [int(problem.variable_of[d]) for d in coordinates]
        if min(variables) >= 0 and (moved[coordinates] == 1).all() and not tied & set(names):
            out.append(_ThreeTurns(variables, double))
    return out


def _turns_about_one_point(joint: Joint) -> tuple[list[str], float] | None:
    """Coordinates and ``2 s`` of a joint with three turns, if each is by its own coordinate and all about one point."""
    moving = [motion for motion in joint.motions if motion.function.constant is None]
    first = next(i for i, motion in enumerate(moving) if motion.turns)
    turns = moving[first : first + 3]
    if not all(m.turns and np.array_equal(m.function.data, IDENTITY.data) for m in turns):
        return None
    if any(motion.turns and motion.function.constant for motion in joint.motions):
        return None
    one, two, three = (motion.axis for motion in turns)
    if max(abs(one @ two), abs(two @ three)) > _SQUARE:
        return None
    double = 2 * float(np.arctan2(np.cross(three, one) @ two, three @ one))
    return [motion.coordinates[0] for motion in turns], double
