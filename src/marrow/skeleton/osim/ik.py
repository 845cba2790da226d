"""Coordinates from markers: the fit of any model to every frame of a recording.

The objective is that of OpenSim's inverse kinematics tool (:mod:`~marrow.skeleton.osim._fast_ik` states it): markers
and coordinates with weights, locked and prescribed coordinates held, clamped ones kept in their range, couplings exact.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.conventions import nearest_names
from marrow.errors import InputError
from marrow.skeleton.osim import _fast_ik as fast
from marrow.skeleton.osim.kinematics import Kinematics, function_values
from marrow.skeleton.osim.problem import Problem, build_problem, restricted, scratch
from marrow.skeleton.osim.readings import Readings
from marrow.types import Float64

_TOLERANCE = 1e-6  # radians and metres: the step at which a frame is done
_MOST_STEPS = 200
_MOST_FIRST_STEPS, _MOST_ROOT_STEPS = 1000, 50
_ROUNDS, _MOST_RUNS = 6, 10
_GOOD_START = 0.05  # metres RMS; a body turned the wrong way round is off by several times as much


@dataclass(frozen=True, eq=False)
class CoordinateTask:
    """A coordinate that is drawn to given values.

    Attributes:
        weight: per square radian or metre, against markers whose weights are taken to sum to one.
        values: (T,) radians or metres, or one value for all frames.
    """

    coordinate: str
    weight: float
    values: Float64


@dataclass(frozen=True, eq=False)
class MarkerFit:
    """What :func:`fit_markers` found. T frames, D coordinates, M markers used.

    Attributes:
        q: (T, D) coordinates of the model, radians and metres.
        markers: names of the markers used.
        weights: (M,).
        positions: (T, M, 3) metres: the model's markers.
        errors: (T, M) metres between model and recording, NaN where a marker is not seen.
        steps: (T,) steps of the solver.
        free: coordinates that were sought; the others were held or follow these.
        undetermined: coordinates that no marker and no task moves; they stay at their default.
        empty_frames: frames without any marker; they repeat their neighbour.
        stopped_frames: frames at which the solver reached its limit of steps.
    """

    q: Float64
    markers: tuple[str, ...]
    weights: Float64
    positions: Float64
    errors: Float64
    steps: NDArray[np.int64]
    free: tuple[str, ...]
    undetermined: tuple[str, ...]
    empty_frames: tuple[int, ...]
    stopped_frames: tuple[int, ...]

    @property
    def rms(self) -> Float64:
        """(T,) metres: root of the weighted mean square error of each frame, NaN where no marker is seen."""
        seen: Float64 = np.isfinite(self.errors) * self.weights
        total = seen.sum(1)
        square = (seen * np.nan_to_num(self.errors) ** 2).sum(1)
        return np.sqrt(np.divide(square, total, out=np.full(len(total), np.nan), where=total > 0))


def fit_markers(
    body: Kinematics,
    names: Sequence[str],
    xyz: ArrayLike,
    *,
    weights: Mapping[str, float] | None = None,
    tasks: Sequence[CoordinateTask] = (),
    time: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> MarkerFit:
    """Coordinates that bring the model's markers nearest to recorded ones, in every frame.

    How surely the markers tell each coordinate is not looked at here: :func:`coordinate_precision` says it, and
    ``marrow ik`` (:func:`marrow.clinical.inverse_kinematics.inverse_kinematics`) makes a remark of it.

    Args:
        names: M' names of the recorded markers; those that the model lacks are left out.
        xyz: (T, M', 3) metres in OpenSim's ground; NaN where a marker is not seen.
        weights: of the markers by name; None: all 1. A marker that is not named is left out.
        tasks: coordinates drawn to values.
        time: (T,) seconds, for prescribed coordinates; None takes 0 for all frames.
        start: (D,) coordinates to begin with; None seeks them.

    Raises:
        InputError: no marker in common, shapes that do not fit, or a task for an unknown coordinate.
    """
    xyz = np.asarray(xyz, float)
    if xyz.ndim != 3 or xyz.shape[1:] != (len(names), 3) or not len(xyz):
        raise InputError(f"xyz: expected (T, {len(names)}, 3), one position per frame and name, got {xyz.shape}")
    used, columns, weight = _match(body, names, weights)
    targets = np.ascontiguousarray(xyz[:, columns])
    seen = np.logical_and.reduce(np.isfinite(targets), -1)
    if not seen.any():
        raise InputError(
            f"none of the {len(used)} markers that the model knows is seen in any frame; nothing can be found"
        )
    frame_weights = np.where(seen, weight, 0.0)
    targets = np.where(seen[..., None], targets, 0.0)
    goals = np.array([np.broadcast_to(t.values, len(xyz)) for t in tasks], float).reshape(len(tasks), len(xyz)).T
    held = _held(body, np.zeros(len(xyz)) if time is None else np.asarray(time, float), start)
    problem, undetermined = build_problem(body, used, weight, [(t.coordinate, t.weight) for t in tasks])
    run = _Run(body, problem, targets, frame_weights, np.ascontiguousarray(goals), held)
    Y, steps = run.all_frames(np.asarray(start, float) if start is not None else None)
    q = held.copy()
    q[:, problem.variable] = Y
    q = body.couple(q)
    positions = body.points(q, body.marker_bodies[used], problem.marker_local)
    errors = np.where(seen, np.linalg.norm(positions - targets, axis=-1), np.nan)
    return MarkerFit(
        q=q,
        markers=tuple(body.markers[m] for m in used),
        weights=weight,
        positions=positions,
        errors=errors,
        steps=steps,
        free=tuple(body.coordinates[d] for d in problem.variable),
        undetermined=undetermined,
        empty_frames=tuple(int(t) for t in np.flatnonzero(~seen.any(1))),
        stopped_frames=tuple(int(t) for t in np.flatnonzero(steps >= _MOST_STEPS)),
    )


def _match(
    body: Kinematics, names: Sequence[str], weights: Mapping[str, float] | None
) -> tuple[list[int], list[int], Float64]:
    """Markers in common, body by body: their indices in the model and in the recording, and their weights."""
    column = {name: i for i, name in enumerate(names)}
    wanted = [
        m for m, name in enumerate(body.markers) if name in column and (weights is None or weights.get(name, 0.0) > 0)
    ]
    wanted.sort(key=lambda m: body.marker_bodies[m])
    if not wanted:
        raise InputError(_nothing_in_common(body, names, weights))
    weight = np.array([1.0 if weights is None else weights[body.markers[m]] for m in wanted], float)
    if not np.isfinite(weight).all():
        raise InputError("weights: expected finite numbers")
    return wanted, [column[body.markers[m]] for m in wanted], weight


def _nothing_in_common(body: Kinematics, names: Sequence[str], weights: Mapping[str, float] | None) -> str:
    if not body.markers:
        return f"{body.model.file}: the model has no markers; add a MarkerSet to it (marrow scale writes one)"
    if set(names) & set(body.markers):
        return f"no marker of the recording has a weight above 0; weighted are {', '.join(list(weights or {})[:8])}"
    some = [f"{name} (the model has {nearest_names(name, body.markers, 1)[0]})" for name in list(names)[:5]]
    return f"no recorded marker is one of the model's; recorded are {', '.join(some)}; rename them in one of the two"


def _held(body: Kinematics, time: Float64, start: ArrayLike | None) -> Float64:
    """(T, D): defaults (or the start), with prescribed coordinates at their values of time."""
    first = body.default if start is None else np.asarray(start, float)
    if first.shape != (len(body.coordinates),):
        raise InputError(f"start: expected ({len(body.coordinates)},), one value per coordinate, got {first.shape}")
    held = np.tile(first, (len(time), 1))
    for d, coordinate in enumerate(body.model.coordinates):
        if coordinate.locked:
            held[:, d] = coordinate.default
        elif coordinate.prescribed is not None:
            held[:, d] = function_values(coordinate.prescribed, time)
    return held


class _Run:
    """The kernel's calls over the frames of one recording."""

    def __init__(
        self, body: Kinematics, problem: Problem, targets: Float64, weights: Float64, goals: Float64, held: Float64
    ) -> None:
        self.body, self.problem = body, problem
        self.targets, self.weights, self.goals, self.held = targets, weights, goals, held

    @functools.cached_property
    def readings(self) -> Readings:
        return Readings(self.body, self.problem)

    def all_frames(self, start: Float64 | None) -> tuple[Float64, NDArray[np.int64]]:
        """Variables (T, n) and steps (T,): from the best seen frame outwards, each from its neighbour's result."""
        count = len(self.targets)
        seed = int(np.argmax((self.weights > 0).sum(1)))
        first = self._first(seed) if start is None else np.clip(start[self.problem.variable], *self._bounds())
        order = np.array([*range(seed, count), *range(seed - 1, -1, -1)], np.int64)
        started = np.arange(count) - 1
        started[:seed] += 2
        started[seed] = -1
        Y = np.tile(first, (count, 1))
        cost, steps = self._solve(order, started, Y)
        return self._again(Y, cost, steps)

    def _bounds(self) -> tuple[Float64, Float64]:
        return self.problem.low, self.problem.high

    def _solve(
        self,
        order: NDArray[np.int64],
        started: NDArray[np.int64],
        Y: Float64,
    ) -> tuple[Float64, NDArray[np.int64]]:
        """Cost and steps by frame (0 for frames that are not in ``order``); ``Y`` changes in place."""
        work = scratch(self.body, len(self.problem.variable))
        data = self.targets, self.weights, self.goals, self.held
        done, taken = fast.solve_frames(self.problem, work, order, started, Y, *data, _TOLERANCE, _MOST_STEPS)
        cost, steps = np.zeros(len(self.targets)), np.zeros(len(self.targets), np.int64)
        cost[order], steps[order] = done, taken
        return cost, steps

    def _one_frame(self, frame: int, starts: Float64, problem: Problem, most: int) -> tuple[Float64, Float64]:
        """Costs (S,) and variables (S, n) of one frame from several starts (S, n)."""
        Y = starts.copy()
        rows = np.full(len(Y), frame)
        cost, _ = fast.solve_frames(
            problem,
            scratch(self.body, Y.shape[1]),
            np.arange(len(Y)),
            np.full(len(Y), -1),
            Y,
            self.targets[rows],
            self.weights[rows],
            self.goals[rows],
            self.held[rows],
            _TOLERANCE,
            most,
        )
        return cost, Y

    def _default(self, frame: int) -> Float64:
        return np.clip(self.held[frame, self.problem.variable], *self._bounds())

    def _first(self, frame: int) -> Float64:
        """Variables of a frame without a neighbour: from the default pose; if that fits badly, also from others.

        The others are the default pose with the joints on the ground turned about every quarter and fitted first.
        """
        default = self._default(frame)
        starts = default[None]
        cost, Y = self._one_frame(frame, starts, self.problem, _MOST_FIRST_STEPS)
        total = self.weights[frame].sum()
        root, turning = self._root()
        if root and total > 0 and 2 * cost[0] / total >= _GOOD_START**2:
            quarters = np.array(list(itertools.product((0.0, 0.5, 1.0, -0.5), repeat=len(turning))))
            turned = np.tile(default, (len(quarters), 1))
            turned[:, turning] = np.clip(np.pi * quarters, *(bound[turning] for bound in self._bounds()))
            cost, part = self._one_frame(frame, turned[:, root], restricted(self.problem, root), _MOST_ROOT_STEPS)
            turned[:, root] = part
            starts = np.concatenate([starts, turned[np.argsort(cost, kind="stable")[:3]]])
            cost, Y = self._one_frame(frame, starts, self.problem, _MOST_FIRST_STEPS)
        y = self._freed(frame, Y[np.argmin(cost)])
        near = (np.abs(y - default) < np.pi / 2).all()  # the other reading turns further, both first and last
        return y if near else self.readings.nearest(y, default)

    def _freed(self, frame: int, y: Float64) -> Float64:
        """Variables that fit better once the joints at a bound begin anew.

        They begin from the default pose, alone or with all joints but those on the ground; and both ways once more with
        the other reading of three turns (:mod:`~marrow.skeleton.osim.readings`), because a bound stops the solver that
        goes for the reading outside the range.
        """
        default = self._default(frame)
        root, _ = self._root()
        placed = default.copy()
        placed[root] = y[root]
        cost = self._one_frame(frame, y[None], self.problem, 0)[0][0]
        for _ in range(_ROUNDS):
            stuck = self._stuck(y)
            if not stuck.any():
                break
            other = self.readings.other(y, stuck, default)
            anew = [np.where(stuck, default, y), placed]
            anew += [np.where(self.readings.turning, other, start) for start in anew]
            costs, found = self._one_frame(frame, np.stack(anew), self.problem, _MOST_STEPS)
            best = int(np.argmin(costs))
            if costs[best] >= 0.99 * cost:
                break
            y, cost = found[best], costs[best]
        return y

    def _stuck(self, y: Float64) -> NDArray[np.bool_]:
        """(n,) variables of the joints of which one is at a bound."""
        low, high = self._bounds()
        tables = self.body.tables
        joint = np.full(len(self.body.coordinates), -1)
        joint[tables.column_coordinate] = tables.column_body
        joint = joint[self.problem.variable]
        return np.isin(joint, joint[(y <= low) | (y >= high)])

    def _root(self) -> tuple[list[int], list[int]]:
        """Variables of the joints on the ground, and those of them that turn (at most three)."""
        tables, problem = self.body.tables, self.problem
        on_ground = tables.parent[tables.column_body] < 0
        coordinates = set(tables.column_coordinate[on_ground].tolist())
        root = [v for v, d in enumerate(problem.variable) if int(d) in coordinates]
        turning = [v for v in root if self.body.model.coordinates[problem.variable[v]].rotational]
        return root, turning[:3]

    def _again(self, Y: Float64, cost: Float64, steps: NDArray[np.int64]) -> tuple[Float64, NDArray[np.int64]]:
        """Frames that fit far worse than the good ones or did not settle begin anew; the better result stays.

        A recording that goes wrong for some frames can leave the solver in another minimum for all that follow.
        """
        total = self.weights.sum(1)
        given_up = np.zeros(len(total), bool)
        for _ in range(_ROUNDS):
            rms = np.sqrt(np.divide(2 * cost, total, out=np.zeros(len(cost)), where=total > 0))
            typical = float(np.percentile(rms[total > 0], 20)) if (total > 0).any() else 0.0
            bound = ((self._bounds()[0] >= Y) | (self._bounds()[1] <= Y)).any(1)
            # At a bound less tells of a wrong reading: a share of the typical, and metres.
            share, few = np.where(bound, 1.5, 3.0), np.where(bound, 0.0003, 0.02)
            far = rms > np.maximum(share * typical, typical + few)
            bad = np.flatnonzero((far | (steps >= _MOST_STEPS)) & ~given_up)
            runs = np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1) if len(bad) else []
            for run in sorted(runs, key=len)[-_MOST_RUNS:]:
                given_up[run] = not self._run_again(run, Y, cost, steps)
            if given_up[bad].all():
                break
        return Y, steps

    def _run_again(self, run: NDArray[np.int64], Y: Float64, cost: Float64, steps: NDArray[np.int64]) -> bool:
        """Neighbouring frames solved from the best of three of them outwards; whether any became better."""
        total = self.weights.sum(1)
        seeds = [int(run[i]) for i in sorted({0, len(run) // 2, len(run) - 1})]
        beside = Y[run[0] - 1] if run[0] > 0 else Y[(run[-1] + 1) % len(Y)]
        starts = [
            (frame, y)
            for frame in seeds
            for y in (self.readings.nearest(self._first(frame), beside), self._freed(frame, Y[frame]))
        ]
        found = [self._one_frame(frame, y[None], self.problem, 0)[0][0] / total[frame] for frame, y in starts]
        (seed, start), other = starts[int(np.argmin(found))], Y.copy()
        other[seed] = start
        started = np.arange(len(cost)) - 1
        started[:seed] += 2
        started[seed] = -1
        order = np.concatenate([run[run >= seed], run[run < seed][::-1]]).astype(np.int64)
        new_cost, new_steps = self._solve(order, started, other)
        better = run[new_cost[run] < 0.99 * cost[run]]
        Y[better], steps[better], cost[better] = other[better], new_steps[better], new_cost[better]
        return len(better) > 0
