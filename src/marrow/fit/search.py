"""Search among the readings in depth of one person, where nothing but the keypoints of one camera tells the depth.

From a fitted movement: turn a limb or the trunk over (:mod:`marrow.fit.reversals`), settle by a few steps, choose for
every frame the old reading or the new one with a price on changing between them (Viterbi), and keep the result if its
whole cost is lower. Then the next limb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from marrow.fit._fast_kinematics import Template
from marrow.fit._fast_residuals import Directions, Pixels, Scales, Shared
from marrow.fit.model import Linear
from marrow.fit.problem import Prepared
from marrow.fit.reversals import BOTH, LOWER, UPPER, limbs, turned_limb, turned_trunk
from marrow.fit.solver import Problem, Solution, place
from marrow.fit.state import State
from marrow.geometry import rotations
from marrow.geometry.paths import cheapest_path
from marrow.types import Float64

#: (state, iterations, linears) -> where a solve of the stage in which the search takes place ends.
Solve = Callable[[State, int, "list[Linear] | None"], Solution]

_SETTLE, _VERIFY = 4, 8  # iterations of a reading that was turned over, of what was put together
_SWITCH_S = 0.1  # s: a change between two readings is thought of as spread over twice this
#: Segment of the trunk, whether its long axis and whether its right-left axis is turned over.
_TRUNK = (
    ("torso", True, False), ("torso", False, True), ("torso", True, True), ("pelvis", False, True),
    ("pelvis", True, False),
)  # fmt: skip


def search(person: Prepared, found: Solution, shared: Shared, scales: Scales, solve: Solve) -> Solution:
    """The best reading that turning over trunk and limbs, one after another, leads to; else ``found`` itself."""
    best, problem = found, person.problem
    for turned in moves(person):
        state, linear = best.states[0], best.linears[0]
        other = solve(turned(state, linear.at(state.shape)), _SETTLE, best.linears).states[0]
        both = (state, replace(other, shape=state.shape))
        cost = np.stack([frame_cost(problem, linear, s, shared, scales) for s in both])
        path = cheapest_path(cost, _switch(problem, *both))
        if path.any():
            new = solve(_spliced(*both, path), _VERIFY, best.linears)
            best = new if new.cost < best.cost else best
    return best


def moves(person: Prepared) -> Iterator[Callable[[State, Template], State]]:
    """Functions of a state and its template that turn one part of the body over."""
    model, camera = person.model, person.evidence.views[0].camera
    centre = -camera.R_cam_world.T @ camera.t_cam_world
    for part in _TRUNK:
        yield lambda state, template, part=part: turned_trunk(model, template, state, centre, *part)
    for limb in limbs(model):
        for which in (UPPER, LOWER, BOTH):
            yield lambda state, template, limb=limb, which=which: turned_limb(
                model, template, state, centre, limb, which
            )


def _spliced(a: State, b: State, path: NDArray[np.int64]) -> State:
    """Each frame from ``a`` where ``path`` (T,) is 0, else from ``b``."""
    at = path > 0
    return replace(
        a,
        ball=np.where(at[:, None, None, None], b.ball, a.ball),
        angle=np.where(at[:, None], b.angle, a.angle),
        root=np.where(at[:, None], b.root, a.root),
    )


def frame_cost(problem: Problem, linear: Linear, state: State, shared: Shared, scales: Scales) -> Float64:
    """(T,) cost of keypoints, bone directions, pose prior, limits and smoothness of each frame."""
    out = pose_cost(problem, state) + smooth_cost(problem, state)
    pixels, directions = problem.observed.pixels, problem.observed.directions
    X = place(problem.model, linear, state).X
    if pixels is not None:
        out += pixel_cost(pixels, X[:, pixels.point], shared.focal, scales.robust_pixel)
    if directions is not None:
        factor = scales.direction * problem.observed.share
        out += factor * direction_cost(directions, X, scales.robust_direction)
    return out


def smooth_cost(problem: Problem, state: State) -> Float64:
    """(T,) cost of the accelerations about each frame (see ``_fast_priors.add_smooth``)."""
    smooth, dt = problem.smooth, problem.observed.dt
    out = np.zeros(len(state.root))
    span = 0.5 * (dt[1:] + dt[:-1])[:, None]

    def add(rate: Float64, precision: Float64) -> None:
        out[1:-1] += 0.5 * problem.rate * (span * (np.diff(rate, axis=0) / span) ** 2) @ precision

    for b, precision in zip(smooth.ball_body, smooth.ball_precision, strict=True):
        R = state.ball[:, b]
        add(rotations.log(np.swapaxes(R[:-1], -1, -2) @ R[1:]) / dt[:, None], precision)
    add(np.diff(state.angle[:, smooth.hinge], axis=0) / dt[:, None], smooth.hinge_precision)
    add(np.diff(state.root, axis=0) / dt[:, None], smooth.root_precision)
    return out


def _switch(problem: Problem, a: State, b: State) -> Float64:
    """(T - 1, 2, 2) price of going over from one reading to the other between two frames.

    A jump by D that is spread over ``2 s`` with constant acceleration to and fro takes the acceleration ``D / s^2``.
    """
    smooth = problem.smooth
    gap = (a.angle[:, smooth.hinge] - b.angle[:, smooth.hinge]) ** 2 @ smooth.hinge_precision
    gap += (a.root - b.root) ** 2 @ smooth.root_precision
    for n, precision in zip(smooth.ball_body, smooth.ball_precision, strict=True):
        gap += rotations.log(np.swapaxes(a.ball[:, n], -1, -2) @ b.ball[:, n]) ** 2 @ precision
    price = 0.5 * problem.rate * _SWITCH_S / _SWITCH_S**4 * (gap[1:] + gap[:-1])
    return price[:, None, None] * (1.0 - np.eye(2))


def pixel_cost(pixels: Pixels, X: Float64, focal: float, robust: float) -> Float64:
    """(T,) robust cost of the reprojection of points (T, N, 3) (see ``_fast_residuals.add_pixels``)."""
    R, lens = pixels.rotation[pixels.camera], pixels.lens[pixels.camera]
    x = np.einsum("nij,tnj->tni", R, X) + pixels.shift[pixels.camera]
    depth = np.maximum(x[..., 2:], 0.2)
    r = (focal * lens[:, :2] * x[..., :2] / depth + lens[:, 2:] - pixels.xy) / pixels.sd[..., None]
    return (pixels.weight * _robust_cost((r**2).sum(-1), robust)).sum(-1)


def direction_cost(seen: Directions, X: Float64, robust: float) -> Float64:
    """(T,) robust cost of the bone directions of points (T, K, 3) (see ``_fast_residuals.add_directions``)."""
    bone = X[:, seen.pair[:, 1]] - X[:, seen.pair[:, 0]]
    bone = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
    return _robust_cost(((bone - seen.unit) ** 2).sum(-1) * seen.precision, robust).sum(-1)


def _robust_cost(s2: Float64, scale: float) -> Float64:
    """Geman-McClure's cost of squared normalised residuals."""
    return 0.5 * s2 if scale <= 0 else 0.5 * s2 * scale**2 / (s2 + scale**2)


def pose_cost(problem: Problem, state: State) -> Float64:
    """(T,) cost of pose prior and limits of each frame (see ``_fast_priors.add_prior``)."""
    slots, mix, share = problem.slots, problem.mixture, problem.observed.share
    vectors = {int(b): rotations.log(state.ball[:, b]) for b in np.unique(slots.body[slots.body >= 0])}
    value = np.stack(
        [state.angle[:, k] if b < 0 else vectors[int(b)][:, k] for b, k in zip(slots.body, slots.part, strict=True)], -1
    )
    over = np.maximum(value - slots.upper, 0.0) + np.minimum(value - slots.lower, 0.0)
    out = 0.5 * slots.limit_precision * (over**2).sum(-1)
    m = mix.mean.shape[1]
    nll = 0.5 * ((value[:, m:] - slots.mean[m:]) ** 2 @ slots.precision[m:])
    if len(mix.constant):
        away = value[:, None, :m] - mix.mean
        log = mix.constant - 0.5 * np.einsum("tci,cij,tcj->tc", away, mix.precision, away)
        top = log.max(-1)
        nll -= top + np.log(np.exp(log - top[:, None]).sum(-1))
    return share * (out + problem.prior_weight * nll)
