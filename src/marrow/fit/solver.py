"""Levenberg-Marquardt over all frames of all people at once.

The normal matrix is an arrow. Each person has a band (T frames of d unknowns; frames two apart are coupled by the
second difference) and cross terms to a border: the shapes of all people, the camera and the floor. The band is
eliminated by LAPACK's banded Cholesky, the border by its Schur complement (Triggs et al. 2000, "Bundle adjustment",
section 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.lapack import dtbtrs  # pyright: ignore[reportAttributeAccessIssue]

from marrow.fit import _fast_priors as fast_priors
from marrow.fit import _fast_residuals as fast
from marrow.fit._fast_kinematics import place_all
from marrow.fit._fast_priors import Mixture, Slots, Smooth
from marrow.fit._fast_residuals import (
    SHARED,
    Directions,
    Feet,
    Moved,
    Pixels,
    Places,
    Scales,
    Shared,
    Sums,
    Trunk,
)
from marrow.fit.arrow import (
    Normal,
    SharedPrior,
    border_indices,
    border_step,
    border_system,
    factorise,
    free_border,
    shared_terms,
)
from marrow.fit.model import Linear, Model
from marrow.fit.state import State, moved_shared
from marrow.types import Float64

#: Sizes of a plausible step, which scale the damping: radians of a joint, metres of the root.
_ANGLE_STEP, _ROOT_STEP = 0.3, 0.3
_MAX_DAMPING = 1e8
STATURE_SD = 0.001  # m: a stature is held while solving; how sure it really is enters the read-out
#: The template is taken anew where the shape has moved by so many finite-difference steps: on the way, before stopping,
#: and before stopping where the tolerance asks for exactness.
_REACH, _REACH_LAST, _REACH_TIGHT, _TIGHT = 6.0, 1.0, 0.02, 1e-6
_MOST_RENEWED = 4  # times that a solve takes a new template


@dataclass(frozen=True)
class Observed:
    """Everything seen of one person over T frames; None where a kind of evidence is absent.

    ``share`` (T,) is the share of time of each frame (1 at 30 Hz and slower), ``dt`` (T - 1,) the steps in seconds.
    """

    share: Float64
    dt: Float64
    pixels: Pixels | None = None
    directions: Directions | None = None
    places: Places | None = None
    feet: Feet | None = None
    trunk: Trunk | None = None


@dataclass(frozen=True)
class Problem:
    """One person's evidence and priors. ``rate`` is the frame rate (Hz) at which one frame has a share of time of 1."""

    model: Model
    observed: Observed
    slots: Slots
    mixture: Mixture
    smooth: Smooth
    prior_weight: float
    shape_mean: Float64
    shape_precision: Float64  # (S, S)
    shape_step: Float64  # (S,) for finite differences
    shape_bounds: Float64  # (S, 2)
    stature: float | None = None  # m
    stature_sd: float = STATURE_SD  # m
    rate: float = 30.0

    def linearised(self, shape: Float64) -> Linear:
        """The template around a shape."""
        return self.model.linearised(shape, self.shape_step, self.shape_bounds)


@dataclass
class Solution:
    """Where a solve ended.

    Attributes:
        converged: the tolerance was met.
        fell: share by which the cost fell in the last three iterations; small where more of them would change nothing.
    """

    states: list[State]
    shared: Shared
    normals: list[Normal]
    linears: list[Linear]
    cost: float
    iterations: int
    converged: bool
    fell: float = 0.0


def evaluate(problem: Problem, linear: Linear, state: State, shared: Shared, scales: Scales) -> Normal:
    """Cost and normal equations of one person."""
    model, seen = problem.model, problem.observed
    T, d, nb = len(state.root), model.size, len(state.shape) + SHARED
    moved = place(model, linear, state)
    sums = Sums(
        np.zeros((T, d, d)),
        np.zeros((T, d, d)),
        np.zeros((T, d)),
        np.zeros((T, d, nb)),
        np.zeros((nb, nb)),
        np.zeros(nb),
    )
    residual = np.full((T, 0 if seen.pixels is None else len(seen.pixels.point)), np.nan)
    costs = _add_evidence(seen, shared, scales, moved, sums, residual)
    band = np.zeros((T * d, 2 * d + 3))
    fast.store(sums.H, sums.H1, band)
    g = sums.g.reshape(-1)
    costs |= add_static(problem, state, band, g)
    costs["shape"] = _add_shape(problem, linear, state.shape, sums)
    Hb = sums.Hb + np.tril(sums.Hb, -1).T
    return Normal(band, g, sums.C.reshape(T * d, nb), Hb, sums.gb, costs, residual, moved.X)


def place(model: Model, linear: Linear, state: State) -> Moved:
    """All points at a state, with their derivatives."""
    T, K, S = len(state.root), len(model.points.start) - 1, len(state.shape)
    X, JX, JS = np.empty((T, K, 3)), np.zeros((T, K, 3, model.size)), np.empty((T, K, 3, S))
    place_all(model.tree, model.points, linear.at(state.shape), state.ball, state.angle, state.root, X, JX, JS)
    return Moved(X, JX, JS, model.points.dof_start, model.points.dof)


def _add_evidence(
    seen: Observed, shared: Shared, scales: Scales, moved: Moved, sums: Sums, residual
) -> dict[str, float]:
    costs: dict[str, float] = {}
    if seen.pixels is not None:
        costs["pixels"] = fast.add_pixels(seen.pixels, shared.focal, scales.robust_pixel, moved, sums, residual)
    if seen.directions is not None and scales.direction > 0:
        costs["directions"] = fast.add_directions(
            seen.directions, seen.share, scales.robust_direction, scales.direction, moved, sums
        )
    if seen.places is not None:
        costs["places"] = fast.add_places(seen.places, seen.share, scales.robust_place, moved, sums)
    if seen.feet is not None and scales.below > 0:
        costs["floor"] = fast.add_floor(
            seen.feet,
            seen.share,
            shared.up,
            shared.height,
            scales.contact_height,
            scales.below,
            scales.robust_floor,
            moved,
            sums,
        )
        costs["floor"] += fast.add_foot_speed(
            seen.feet, seen.dt, scales.contact_speed, scales.robust_floor, moved, sums
        )
    if seen.trunk is not None and scales.upright > 0:
        costs["upright"] = fast.add_upright(seen.trunk, seen.share, shared.up, scales.upright, moved, sums)
    return costs


def _add_shape(problem: Problem, linear: Linear, shape: Float64, sums: Sums) -> float:
    """Prior of the shape, and the stature where it is known."""
    S = len(shape)
    dx = shape - problem.shape_mean
    slope = problem.shape_precision @ dx
    cost = 0.5 * float(dx @ slope)
    sums.Hb[:S, :S] += np.tril(problem.shape_precision)
    if problem.stature is not None:
        off = linear.stature + float(linear.d_stature @ (shape - linear.shape)) - problem.stature
        weight = 1.0 / problem.stature_sd**2
        cost += 0.5 * weight * off**2
        slope = slope + weight * off * linear.d_stature
        sums.Hb[:S, :S] += np.tril(weight * np.outer(linear.d_stature, linear.d_stature))
    sums.gb[:S] += slope
    return cost


def add_static(problem: Problem, state: State, band: Float64, g: Float64) -> dict[str, float]:
    """Add what needs no picture: pose prior, limits, smoothness."""
    d, seen = problem.model.size, problem.observed
    prior, limits = fast_priors.add_prior(
        d, problem.slots, problem.mixture, problem.prior_weight, seen.share, state.ball, state.angle, band, g
    )
    smooth = fast_priors.add_smooth(
        d, problem.smooth, problem.rate, seen.dt, state.ball, state.angle, state.root, band, g
    )
    return {"prior": prior, "limits": limits, "smooth": smooth}


def _step(problems, normals, states, prior, shared, damping, pool):
    """Gauss-Newton step with damping: per person (T, d), and the border; None where the matrix is indefinite."""
    scales = [_diagonal(p.model, len(n.points), damping) for p, n in zip(problems, normals, strict=True)]
    factors = list(pool(factorise, normals, scales))
    if any(f is None for f in factors):
        return None
    sizes = [n.Hb.shape[0] - SHARED for n in normals]
    H, g = border_system(normals, factors, prior, shared)
    free = free_border(prior, sizes)
    try:
        border = border_step(H, g, free, damping, _room(problems, states))
    except np.linalg.LinAlgError:
        return None
    steps = []
    for index, problem, factor in zip(border_indices(sizes), problems, factors, strict=True):
        rhs = -(factor.y[:, 0] + factor.y[:, 1:] @ border[index])
        x, _ = dtbtrs(factor.lower, rhs[:, None], uplo="L", trans="T")
        steps.append(x[:, 0].reshape(-1, problem.model.size))
    return steps, border


def _room(problems: Sequence[Problem], states: Sequence[State]) -> Float64:
    """(n, 2) how far every entry of the border may go down and up."""
    rooms = [p.shape_bounds - s.shape[:, None] for p, s in zip(problems, states, strict=True)]
    return np.concatenate([*rooms, np.tile([-np.inf, np.inf], (SHARED, 1))])


def _diagonal(model: Model, frames: int, damping: float) -> Float64:
    scale = np.full(model.size, 1.0 / _ANGLE_STEP**2)
    scale[3:6] = 1.0 / _ROOT_STEP**2
    return np.tile(damping * scale, frames)


def solve(
    problems: Sequence[Problem],
    states: Sequence[State],
    shared: Shared,
    scales: Scales,
    prior: SharedPrior,
    *,
    iterations: int = 20,
    tolerance: float = 1e-4,
    damping: float = 1e-2,
    linears: Sequence[Linear] | None = None,
    on_iteration: Callable[[int, float], None] | None = None,
) -> Solution:
    """Minimise the cost. A step is taken only where the true (robust) cost falls.

    Args:
        iterations: at most so many steps are tried.
        tolerance: stop where the cost falls by less than this share of itself, twice.
        linears: templates of an earlier solve, used where the shapes are still near.
    """
    with ThreadPoolExecutor(max_workers=max(len(problems), 1)) as executor:
        pool = executor.map if len(problems) > 1 else map

        def at(states, shared):
            count = len(problems)
            normals = list(pool(evaluate, problems, used, states, [shared] * count, [scales] * count))
            return normals, sum(n.cost for n in normals) + shared_terms(prior, shared)[0]

        states, tight = list(states), tolerance < _TIGHT
        old: Sequence[Linear | None] = linears or [None] * len(problems)
        used = [_relinearised(p, k, s, tight) for p, k, s in zip(problems, old, states, strict=True)]
        normals, cost = at(states, shared)
        small, done, tried, renewed, costs, eager = 0, False, 0, 0, [cost], True
        for tried in range(1, iterations + 1):
            step = _step(problems, normals, states, prior, shared, damping, pool)
            new_cost = np.inf
            if step is not None:
                new_states, new_shared = _moved(problems, states, shared, step)
                new_normals, new_cost = at(new_states, new_shared)
            if new_cost < cost:
                fell = (cost - new_cost) / max(abs(cost), 1e-12)
                states, shared, normals, cost = new_states, new_shared, new_normals, new_cost
                # Straight after a refusal a smaller damping would be refused again.
                damping = max(damping / 5, 1e-9) if eager else damping
                eager = True
                small = small + 1 if fell < tolerance else 0
            else:
                damping, eager = damping * 8, False
            costs.append(cost)
            if on_iteration is not None:
                on_iteration(tried, cost)
            done = small >= 2 or damping > _MAX_DAMPING
            far = [_relinearised(p, k, s, tight, done) for p, k, s in zip(problems, used, states, strict=True)]
            if any(new is not old for new, old in zip(far, used, strict=True)) and renewed < _MOST_RENEWED:
                renewed += 1  # where the shape space has a kink, a solve could hop over it for ever
                used, done, small = far, False, 0
                normals, cost = at(states, shared)
            if done:
                break
    fell = (costs[max(len(costs) - 4, 0)] - cost) / max(abs(cost), 1e-12)
    return Solution(states, shared, normals, used, cost, tried, done, fell)


def _relinearised(problem: Problem, linear: Linear | None, state: State, tight: bool, last: bool = True) -> Linear:
    """A new template where the shape has left the reach of the old one (a shorter reach before stopping)."""
    reach = problem.shape_step * ((_REACH_TIGHT if tight else _REACH_LAST) if last else _REACH)
    if linear is not None and (np.abs(state.shape - linear.shape) <= reach).all():
        return linear
    return problem.linearised(state.shape)


def _moved(problems, states, shared, step):
    steps, border = step
    new, start = [], 0
    for problem, state, x in zip(problems, states, steps, strict=True):
        S = len(state.shape)
        new.append(state.moved(problem.model, x, border[start : start + S]))
        start += S
    return new, moved_shared(shared, border[start:])


def with_contact(problem: Problem, contact: Float64, level: Float64) -> Problem:
    """The problem with other contacts and ground under the feet.

    Args:
        contact: (T, F) probabilities, already times the frames' share of time.
        level: (T,) metres of the ground above the floor.
    """
    feet = problem.observed.feet
    if feet is None:
        return problem
    feet = feet._replace(contact=np.ascontiguousarray(contact), level=np.ascontiguousarray(level))
    return replace(problem, observed=replace(problem.observed, feet=feet))
