"""The fit of markers as the kernel reads it: which coordinates are sought, and what moves what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.skeleton.osim import tables as tabulate
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.types import Float64


class Problem(NamedTuple):
    """What the kernel reads: n variables, D coordinates, M markers, C coordinate tasks, F couplings."""

    tables: tabulate.Tables
    couplings: tabulate.Functions
    dependent: NDArray[np.int64]  # (F,) coordinate
    coupling_of: NDArray[np.int64]  # (D,) coupling that sets the coordinate, or -1
    variable: NDArray[np.int64]  # (n,) coordinate of each variable
    variable_of: NDArray[np.int64]  # (D,) variable, or -1
    behind_start: NDArray[np.int64]  # (D + 1,)
    behind: NDArray[np.int64]  # variables that a coordinate depends on
    low: Float64  # (n,)
    high: Float64
    column_variable: NDArray[np.int64]  # (K,) variable that is the column's coordinate, or -1
    marker_start: NDArray[np.int64]  # (B + 1,) first marker of each body; those before are fixed to the ground
    marker_local: Float64  # (M, 3)
    task: NDArray[np.int64]  # (C,) coordinate
    task_weight: Float64
    scale: float  # sum of all weights


class Work(NamedTuple):
    """Scratch of the kernel."""

    q: Float64
    rate: Float64
    x: Float64
    partial: Float64
    R: Float64
    p: Float64
    screws: Float64
    sums: Float64
    A: Float64
    C: Float64
    H: Float64
    g: Float64
    s: Float64
    trial: Float64
    held: NDArray[np.bool_]


def build_problem(
    body: Kinematics, markers: Sequence[int], weight: Float64, tasks: Sequence[tuple[str, float]]
) -> tuple[Problem, tuple[str, ...]]:
    """The kernel's problem, and the free coordinates that nothing determines.

    Args:
        markers: (M,) indices among the model's, body by body.
        weight: (M,).
        tasks: coordinates that are drawn to values, with their weights.
    """
    tables, model = body.tables, body.model
    task = np.array([body.index(name) for name, _ in tasks], np.int64)
    coupling_of = np.full(len(body.coordinates), -1, np.int64)
    coupling_of[body.dependent] = np.arange(len(body.dependent))
    behind = _behind(body, coupling_of)
    bodies = body.marker_bodies[markers]
    carried = np.logical_or.reduce(tabulate.ancestors(tables)[bodies[bodies >= 0]], 0)
    moved = set(tables.column_coordinate[carried[tables.column_body]].tolist()) | set(task.tolist())
    wanted = {d for c in moved for d in behind[c]}
    fixed = [c.locked or c.prescribed is not None for c in model.coordinates]
    free = [d for d in range(len(body.coordinates)) if coupling_of[d] < 0 and not fixed[d]]
    first_column = {int(d): k for k, d in reversed(list(enumerate(tables.column_coordinate)))}
    variable = sorted(wanted & set(free), key=lambda d: first_column.get(d, 0))
    variable_of = np.full(len(body.coordinates), -1, np.int64)
    variable_of[variable] = np.arange(len(variable))
    lists = [sorted(int(variable_of[d]) for d in behind[c] if variable_of[d] >= 0) for c in range(len(behind))]
    bounds = np.array(
        [model.coordinates[d].range if model.coordinates[d].clamped else (-np.inf, np.inf) for d in variable]
    )
    bounds = bounds.reshape(-1, 2)
    problem = Problem(
        tables=tables,
        couplings=body.couplings,
        dependent=body.dependent,
        coupling_of=coupling_of,
        variable=np.array(variable, np.int64),
        variable_of=variable_of,
        behind_start=np.cumsum([0, *map(len, lists)], dtype=np.int64),
        behind=np.array([v for row in lists for v in row], np.int64),
        low=np.ascontiguousarray(bounds[:, 0]),
        high=np.ascontiguousarray(bounds[:, 1]),
        column_variable=variable_of[tables.column_coordinate],
        marker_start=np.searchsorted(bodies, np.arange(len(body.bodies) + 1)),
        marker_local=np.ascontiguousarray(body.marker_locations[markers]),
        task=task,
        task_weight=np.array([w for _, w in tasks], float),
        scale=float(weight.sum()),
    )
    return problem, tuple(body.coordinates[d] for d in free if d not in wanted)


def _behind(body: Kinematics, coupling_of: NDArray[np.int64]) -> list[set[int]]:
    """Independent coordinates behind each coordinate."""
    behind = [{d} if coupling_of[d] < 0 else set() for d in range(len(body.coordinates))]
    for coupling in body.model.couplings:
        for name in coupling.independent:
            behind[body.index(coupling.dependent)] |= behind[body.index(name)]
    return behind


def restricted(problem: Problem, variables: list[int]) -> Problem:
    """The problem with some of its variables; the others keep what ``held`` says."""
    variable = problem.variable[variables]
    variable_of = np.full_like(problem.variable_of, -1)
    variable_of[variable] = np.arange(len(variable))
    old = {v: i for i, v in enumerate(variables)}
    lists = [
        [old[int(v)] for v in problem.behind[a:b] if int(v) in old] for a, b in itertools.pairwise(problem.behind_start)
    ]
    return problem._replace(
        variable=variable,
        variable_of=variable_of,
        column_variable=variable_of[problem.tables.column_coordinate],
        behind_start=np.cumsum([0, *map(len, lists)], dtype=np.int64),
        behind=np.array([v for row in lists for v in row], np.int64),
        low=problem.low[variables],
        high=problem.high[variables],
    )


def scratch(body: Kinematics, n: int) -> Work:
    bodies, columns, couplings = len(body.bodies), len(body.tables.column_body), len(body.dependent)
    return Work(
        q=np.zeros(len(body.coordinates)),
        rate=np.zeros((couplings, n)),
        x=np.zeros(body.width),
        partial=np.zeros(body.width),
        R=np.zeros((bodies, 3, 3)),
        p=np.zeros((bodies, 3)),
        screws=np.zeros((columns, 6)),
        sums=np.zeros((bodies, 22)),
        A=np.zeros((n, n)),
        C=np.zeros((n, n)),
        H=np.zeros((n, n)),
        g=np.zeros(n),
        s=np.zeros(n),
        trial=np.zeros(n),
        held=np.zeros(n, np.bool_),
    )
