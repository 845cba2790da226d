"""Long sequences: windows of frames that share the border through its information matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from marrow.fit._fast_residuals import Scales, Shared
from marrow.fit.options import FitOptions
from marrow.fit.solver import Problem, SharedPrior, Solution, solve
from marrow.fit.state import State


def solve_windows(
    problems: Sequence[Problem],
    states: Sequence[State],
    shared: Shared,
    scales: Scales,
    prior: SharedPrior,
    options: FitOptions,
    *,
    iterations: int,
) -> Solution:
    """Solve all frames at once."""
    return solve(problems, states, shared, scales, prior, iterations=iterations, tolerance=options.tolerance)


__all__ = ["replace", "solve_windows"]
