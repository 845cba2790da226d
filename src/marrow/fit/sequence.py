"""Long sequences: windows of frames that share the border through its information matrix.

Every window is first fitted by itself. Its solution says how well it knows the shapes, the camera and the floor;
together the windows give the border that all frames at once would have given, to the accuracy of a quadratic
approximation. A Newton step, with all windows solved for that border, corrects it. Then every window is fitted again,
and the middles of the overlapping windows are put together. Memory is that of one window and of the result.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marrow.body import DefaultBody
from marrow.fit import pipeline
from marrow.fit._fast_residuals import SHARED, Shared
from marrow.fit.arrow import SharedPrior, border_system, factorise, free_border, shared_terms
from marrow.fit.evidence import Evidence, part
from marrow.fit.options import FitOptions
from marrow.fit.pipeline import Outcome, Progress, Setting
from marrow.fit.problem import Prepared, prepare
from marrow.fit.result import FitResult, PersonFit, border_of, read_out, untempered
from marrow.fit.solver import Solution, solve
from marrow.fit.state import State, moved_shared
from marrow.types import BY_FRAME, Float64

_STIFF = 1e8  # precision of a shape that is given
_CORRECTIONS = 1


@dataclass(frozen=True)
class _Rough:
    """What is kept of a window's first fit.

    Attributes:
        states: of all people.
        border: (n,) as :func:`_vector` has it; ``centre`` (n,) is its prior's mean in this window.
        information: (n, n) of the window's evidence about the border, without the border's priors; ``honest`` the same
            with the evidence as strong as it really is.
        setting: as the fit left it.
    """

    states: list[State]
    border: Float64
    centre: Float64
    information: Float64
    honest: Float64
    setting: Setting


def windows(frames: int, window: int, overlap: int) -> list[tuple[slice, slice]]:
    """Frames of each window, and which of them (counted in the whole) are kept from it."""
    count = max(int(np.ceil(frames / max(window - overlap, 1))), 1)
    edges = np.linspace(0, frames, count + 1).astype(int)
    half = overlap // 2
    return [
        (slice(max(lo - half, 0), min(hi + half, frames)), slice(int(lo), int(hi)))
        for lo, hi in itertools.pairwise(edges)
    ]


def fit_long(
    people: Sequence[Evidence],
    time: Float64,
    body: DefaultBody,
    setting: Setting,
    options: FitOptions,
    *,
    feet: bool,
    repeated: float,
    progress: Progress | None,
) -> FitResult:
    """:func:`marrow.fit.fit` for more frames than one window holds."""
    cuts = windows(len(time), options.window, options.overlap)
    tell = progress or (lambda stage, done, total: None)
    rough: list[_Rough] = []

    def ready(at: slice) -> list[Prepared]:
        return [prepare(part(e, at), time[at], body, options, feet=feet, repeated=repeated) for e in people]

    for n, (_, own) in enumerate(cuts):  # without overlap, so that no frame counts twice for the border
        tell("fit", n, 2 * len(cuts))
        prepared = ready(own)
        outcome = pipeline.run(prepared, setting, options, None)
        rough.append(_rough(prepared, outcome, setting, stature=n == 0))
    priors = _prior_information(prepared, rough[0].setting.prior, Shared(1.0, setting.up, 0.0))
    border, covariance = _combined(rough, priors, _honest_priors(prepared, rough[0].setting, setting.up))
    fixed = replace(setting, prior=_fixed(setting.prior), floor=any(r.setting.floor for r in rough))
    pieces = [r.states for r in rough]
    for _ in range(_CORRECTIONS):  # Newton steps of the border, all windows solved for the border before
        g, H = priors @ (border - rough[0].centre), priors.copy()
        for n, (_, own) in enumerate(cuts):
            prepared, held, shared = _with_border(ready(own), pieces[n], border, setting, first=n == 0)
            solution = _again(prepared, held, shared, fixed, options).solution
            pieces[n] = solution.states
            own_H, own_g = _reaction(solution, fixed.prior)
            g, H = g + own_g, H + own_H
        border = border + _newton(g, H, rough)
    states = [_end_to_end([p[i] for p in pieces]) for i in range(len(people))]
    parts: list[FitResult] = []
    for n, (at, _) in enumerate(cuts):
        tell("fit", len(cuts) + n, 2 * len(cuts))
        prepared, held, shared = _with_border(ready(at), [s.cut(at) for s in states], border, setting)
        outcome = _again(prepared, held, shared, fixed, options)
        height = shared.height if fixed.floor else (parts[0].height if parts else None)
        parts.append(read_out(prepared, outcome, covariance, height))
    tell("fit", 2 * len(cuts), 2 * len(cuts))
    return _joined(parts, cuts, time)


def _end_to_end(states: Sequence[State]) -> State:
    ball, angle, root = (np.concatenate([getattr(s, n) for s in states]) for n in ("ball", "angle", "root"))
    return State(ball, angle, root, states[0].shape)


def _vector(states: Sequence[State], shared: Shared, up: Float64) -> Float64:
    """The border as one vector: shapes, log focal factor, tilts from ``up``, height."""
    normal = shared.up[:, 1]
    return np.concatenate(
        [*(s.shape for s in states), [np.log(shared.focal), normal @ up[:, 0], normal @ up[:, 2], shared.height]]
    )


def _rough(prepared: Sequence[Prepared], outcome: Outcome, setting: Setting, *, stature: bool) -> _Rough:
    """What to keep of a window; what is known of the ``stature`` counts in one window only."""
    solution, prior = outcome.solution, outcome.setting.prior
    own = _prior_information(prepared, prior, solution.shared)
    factors = [f for f in (factorise(n, np.full(len(n.g), 1e-6)) for n in solution.normals) if f is not None]
    plain, _ = border_system(solution.normals, factors, prior, solution.shared)
    centre = np.concatenate([*(p.problem.shape_mean for p in prepared), [prior.log_focal, 0.0, 0.0, prior.height]])
    return _Rough(
        solution.states,
        _vector(solution.states, solution.shared, setting.up),
        centre,
        plain - own,
        border_of(prepared, outcome, stature=stature).information
        - _honest_priors(prepared, outcome.setting, solution.shared.up),
        outcome.setting,
    )


def _combined(rough: Sequence[_Rough], priors: Float64, honest_priors: Float64) -> tuple[Float64, Float64]:
    """The border of all windows together (n,), and its covariance (n, n).

    Window w has its minimum, priors P included, at ``b_w``; without them its cost is to second order
    ``(b - b_w) . (-P (b_w - c_w)) + (b - b_w) . L_w (b - b_w) / 2``. The sum of these and of one prior is minimised.
    """
    free = free_border(rough[0].setting.prior, [len(rough[0].border) - SHARED])
    matrix, right, honest = priors.copy(), priors @ rough[0].centre, honest_priors.copy()
    for r in rough:
        own_free = free_border(r.setting.prior, [len(r.border) - SHARED])
        own = np.where(own_free[:, None] & own_free, r.information, 0.0)
        matrix += own
        right += own @ r.border + priors @ np.where(own_free, r.border - r.centre, 0.0)
        honest += np.where(own_free[:, None] & own_free, r.honest, 0.0)
        free |= own_free
    at = np.ix_(free, free)
    border, covariance = rough[0].border.copy(), np.zeros_like(matrix)
    border[free] = np.linalg.solve(matrix[at] + 1e-9 * np.eye(int(free.sum())), right[free]) if free.any() else 0.0
    covariance[at] = np.linalg.pinv(honest[at], hermitian=True)
    return border, covariance


def _reaction(solution: Solution, prior: SharedPrior) -> tuple[Float64, Float64]:
    """Information (n, n) and gradient (n,) of a window about the border that it was solved with."""
    factors = [f for f in (factorise(n, np.full(len(n.g), 1e-6)) for n in solution.normals) if f is not None]
    H, g = border_system(solution.normals, factors, prior, solution.shared)
    shapes = len(g) - SHARED
    H[:shapes, :shapes] -= _STIFF * np.eye(shapes)
    return H, g


def _newton(g: Float64, H: Float64, rough: Sequence[_Rough]) -> Float64:
    """The border's step to the minimum of the summed windows."""
    free = np.zeros(len(g), bool)
    for r in rough:
        free |= free_border(r.setting.prior, [len(g) - SHARED])
    step = np.zeros(len(g))
    if free.any():
        step[free] = -np.linalg.solve(H[np.ix_(free, free)] + 1e-9 * np.eye(int(free.sum())), g[free])
    return step


def _fixed(prior: SharedPrior) -> SharedPrior:
    return replace(prior, focal_precision=np.inf, tilt_precision=np.full(2, np.inf), height_precision=np.inf)


def _with_border(
    prepared: Sequence[Prepared], states: Sequence[State], border: Float64, setting: Setting, *, first: bool = False
) -> tuple[list[Prepared], list[State], Shared]:
    """People and states with the shapes of the border held, and its camera and floor.

    Only the ``first`` window is told a known stature, so that it counts once.
    """
    people, held, start = [], [], 0
    for person, state in zip(prepared, states, strict=True):
        shape = np.clip(border[start : start + len(state.shape)], *person.problem.shape_bounds.T)
        start += len(shape)
        problem = replace(
            person.problem,
            shape_mean=shape,
            shape_precision=_STIFF * np.eye(len(shape)),
            stature=person.problem.stature if first else None,
        )
        people.append(replace(person, problem=problem))
        held.append(replace(state, shape=shape))
    log_focal, across, along, height = border[start:]
    upright = np.sqrt(max(1.0 - across**2 - along**2, 1e-6))
    step = np.array([log_focal, across / upright, along / upright, height])
    return people, held, moved_shared(Shared(1.0, setting.up, 0.0), step)


def _again(
    prepared: Sequence[Prepared],
    states: Sequence[State],
    shared: Shared,
    setting: Setting,
    options: FitOptions,
) -> Outcome:
    """The tight fit of a window with its border held."""
    scales = pipeline.scales(options, 2, setting, False)
    solution = solve([p.problem for p in prepared], states, shared, scales, setting.prior, iterations=3)
    return pipeline.finish(prepared, solution, setting, options)


def _kept(arrays: Sequence[np.ndarray], kept: Sequence[slice]) -> np.ndarray:
    return np.concatenate([a[k] for a, k in zip(arrays, kept, strict=True)])


def _joined(parts: Sequence[FitResult], cuts: Sequence[tuple[slice, slice]], time: Float64) -> FitResult:
    """The kept frames of all windows as one result."""
    kept = [slice(own.start - at.start, own.stop - at.start) for at, own in cuts]
    people = []
    for number, first in enumerate(parts[0].people):
        own = [p.people[number] for p in parts]
        motions = [p.motion for p in own]
        unwrapped = first.skeleton.unwrap(_kept([m.q for m in motions], kept))
        rest = {
            n: _kept([getattr(m, n) for m in motions], kept)
            for n in BY_FRAME
            if n not in ("time", "q") and getattr(first.motion, n) is not None
        }
        motion = replace(first.motion, time=time, q=unwrapped, **rest)
        people.append(
            PersonFit(
                motion=motion,
                skeleton=first.skeleton,
                cost=sum(p.cost for p in own),
                reprojection_px=_kept([p.reprojection_px for p in own], kept),
            )
        )
    floors = [p.floor for p in parts if p.floor is not None]
    floor = replace(floors[0], contacts=sum(f.contacts for f in floors)) if floors else None
    warnings = tuple(
        dict.fromkeys(w for p in parts for w in p.warnings if floor is None or not w.startswith("no floor"))
    )
    return replace(parts[0], people=tuple(people), floor=floor, warnings=warnings)


def _honest_priors(prepared: Sequence[Prepared], setting: Setting, up: Float64) -> Float64:
    """(n, n) information of the border's priors without the factors that they have while solving."""
    people = [
        replace(p, problem=replace(p.problem, shape_precision=p.problem.shape_precision / p.repeated)) for p in prepared
    ]
    return _prior_information(people, untempered(setting), Shared(1.0, up, 0.0))


def _prior_information(prepared: Sequence[Prepared], prior: SharedPrior, shared: Shared) -> Float64:
    """(n, n) information of the border's priors."""
    sizes = [len(p.problem.shape_mean) for p in prepared]
    out = np.zeros((sum(sizes) + SHARED, sum(sizes) + SHARED))
    start = 0
    for p, size in zip(prepared, sizes, strict=True):
        out[start : start + size, start : start + size] = p.problem.shape_precision
        start += size
    out[start:, start:] = shared_terms(prior, shared)[2]
    return out
