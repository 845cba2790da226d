"""Reading a finished solve: coordinates, uncertainty, contacts, camera and floor in the world of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marrow.conventions import to_ground
from marrow.fit import floor as floors
from marrow.fit import uncertainty
from marrow.fit._fast_residuals import SHARED, Shared
from marrow.fit.alternatives import weights
from marrow.fit.arrow import Factor, Normal, SharedPrior, border_indices, border_system, factorise, free_border
from marrow.fit.evidence import kind_of
from marrow.fit.floor import Floor
from marrow.fit.pipeline import Outcome, Setting
from marrow.fit.problem import Prepared, keypoint_count, scale_assumed
from marrow.fit.state import State
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton import tree as trees
from marrow.types import PRIOR, Alternatives, Camera, Float64, Motion

#: Standard deviation of adults' stature (both sexes): what an assumed scale carries.
STATURE_SPREAD = 0.10
_GIVEN_STATURE_SD = 0.01  # m: a stature that a user gives is good to a centimetre
_UNSETTLED = 2e-3  # a cost that still falls by this share in three iterations
_RIDGES = (1e-6, 1e-3, 1.0)  # added to the band's diagonal where a part of it is not determined at all


@dataclass(frozen=True)
class PersonFit:
    """One person's result.

    Attributes:
        motion: coordinates, translation, shape, uncertainty, marks, contacts.
        skeleton: scaled to the person.
        cost: of all this person's residuals and priors.
        reprojection_px: (T, K) distance in pixels between keypoint and fit in the first view; NaN where not seen.
        warnings: what a user should know about this person.
    """

    motion: Motion
    skeleton: Skeleton
    cost: float
    reprojection_px: Float64
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FitResult:
    """People in one world: Y up, floor at y = 0 where a floor was found.

    Attributes:
        camera: the first view's, with fitted focal length and extrinsics in that world; None without views.
        focal_sd: standard deviation of the fitted focal length as a share of it; 0 where it was known.
        floor: what was found of it, or None.
        turn: (3, 3) rotation from the world of the evidence to that of the result.
        height: metres by which the world is then lowered, so that the floor is at 0.
    """

    people: tuple[PersonFit, ...]
    camera: Camera | None
    focal_sd: float
    floor: Floor | None
    warnings: tuple[str, ...]
    turn: Float64
    height: float


def read_out(
    prepared: Sequence[Prepared],
    outcome: Outcome,
    covariance: Float64 | None = None,
    height: float | None = None,
) -> FitResult:
    """Everything a user gets from a solve.

    ``covariance`` (n, n) of the border and the ``height`` of the floor replace the solve's own, for the windows of a
    long sequence.
    """
    shared = outcome.solution.shared
    turn = (
        rotations.rotation_between(shared.up[:, 1], np.array([0.0, 1.0, 0.0])) if outcome.setting.gravity else np.eye(3)
    )
    if height is None:
        height = shared.height if outcome.setting.floor else _lowest(prepared, outcome, turn)
    border = border_of(prepared, outcome)
    spread = border.covariance() if covariance is None else covariance
    people = tuple(
        _person(p, i, outcome, (border.factors[i], spread[np.ix_(own, own)]), turn, height)
        for i, (p, own) in enumerate(zip(prepared, border_indices(border.sizes), strict=True))
    )
    focal_sd = float(np.sqrt(max(spread[sum(border.sizes), sum(border.sizes)], 0.0)))
    camera, found = None, None
    if prepared[0].evidence.views:
        first = prepared[0].evidence.views[0].camera
        camera = _camera(first, shared, turn, height)
        if outcome.setting.floor:
            count = floors.enough([p.observed.feet.contact for p in outcome.problems if p.observed.feet is not None])
            found = floors.describe(shared, first.R_cam_world, count)
    return FitResult(people, camera, focal_sd, found, _warnings(outcome, prepared), turn, height)


def _warnings(outcome: Outcome, prepared: Sequence[Prepared]) -> tuple[str, ...]:
    out = []
    if prepared[0].feet.size and not outcome.setting.floor:
        out.append("no floor found: the feet were too rarely seen at rest; heights are relative to the lowest foot")
    if not outcome.solution.converged and outcome.solution.fell > _UNSETTLED:
        out.append("the fit stopped before it had converged")
    return tuple(out)


def _lowest(prepared: Sequence[Prepared], outcome: Outcome, turn: Float64) -> float:
    """Height to take for the floor where none was found: that of the lowest sole, or 0 where the world was given."""
    if not outcome.setting.gravity:
        return 0.0
    heights = []
    for person, normal in zip(prepared, outcome.solution.normals, strict=True):
        x = normal.points[person.seen][:, person.feet] if person.feet.size else normal.points[person.seen]
        heights.append((x @ turn.T)[..., 1].ravel())
    every = np.concatenate(heights)
    return float(np.percentile(every, 1)) if len(every) else 0.0


def _camera(camera: Camera, shared: Shared, turn: Float64, height: float) -> Camera:
    K = camera.K.copy()
    K[0, 0] *= shared.focal
    K[1, 1] *= shared.focal
    R = camera.R_cam_world @ turn.T
    return replace(camera, K=K, R_cam_world=R, t_cam_world=camera.t_cam_world + R @ np.array([0.0, height, 0.0]))


@dataclass(frozen=True)
class Border:
    """What is known of all shapes, the camera and the floor at a solution.

    Attributes:
        factors: eliminated band of each person, the evidence as strong as it really is.
        information: (n, n) of the whole border, priors included.
        sizes: number of shape unknowns of each person.
        free: (n,) which entries are unknown.
    """

    factors: list[Factor]
    information: Float64
    sizes: list[int]
    free: np.ndarray

    def covariance(self) -> Float64:
        """(n, n), zero for what is fixed."""
        out = np.zeros_like(self.information)
        at = np.ix_(self.free, self.free)
        if self.free.any():
            out[at] = np.linalg.pinv(self.information[at], hermitian=True)
        return out


def border_of(prepared: Sequence[Prepared], outcome: Outcome, *, stature: bool = True) -> Border:
    """The border at the solution, with honest weights; without what is known of the statures, on demand.

    Evidence then has errors that frames share (:func:`marrow.fit.uncertainty.honest`), so that the priors need no
    factor against them.
    """
    solution, prior = outcome.solution, untempered(outcome.setting)
    normals: list[Normal] = []
    parts = zip(prepared, outcome.problems, solution.states, solution.normals, solution.linears, strict=True)
    for own, problem, state, normal, linear in parts:
        problem = replace(
            problem,
            shape_precision=problem.shape_precision / own.repeated,
            stature=problem.stature if stature else None,
            stature_sd=STATURE_SPREAD if scale_assumed(own.evidence) else _GIVEN_STATURE_SD,
        )
        normals.append(uncertainty.honest(problem, linear, state, solution.shared, outcome.scales, normal.residual))
    factors = [_factor(n) for n in normals]
    H, _ = border_system(normals, factors, prior, solution.shared)
    sizes = [n.Hb.shape[0] - SHARED for n in normals]
    return Border(factors, H, sizes, free_border(prior, sizes))


def untempered(setting: Setting) -> SharedPrior:
    """The prior of camera and floor as it is, without the factor that it has while solving."""
    prior, repeated = setting.prior, setting.repeated
    return replace(
        prior, focal_precision=prior.focal_precision / repeated, tilt_precision=prior.tilt_precision / repeated
    )


def _factor(normal: Normal) -> Factor:
    for ridge in _RIDGES:
        factor = factorise(normal, np.full(len(normal.g), ridge))
        if factor is not None:
            return factor
    raise FloatingPointError("the normal matrix at the solution holds values that are not finite")


def _person(
    prepared: Prepared, number: int, outcome: Outcome, border: tuple, turn: Float64, height: float
) -> PersonFit:
    structure, problem = trees.whole(), outcome.problems[number]
    state, normal = outcome.solution.states[number], outcome.solution.normals[number]
    shape = prepared.riders.full_shape(state.shape)
    skeleton = Skeleton.inside(prepared.riders.body.rest(shape).landmarks)
    q, translation = _coordinates(prepared, skeleton, state, turn, height)
    found = uncertainty.spread(problem, *border)
    covariance = found.covariance()
    sd = uncertainty.angle_sd(problem, structure, q, covariance, turn, kind_of(prepared.evidence))
    marks = uncertainty.marks(problem, structure, state, covariance, prepared.seen)
    marks = np.where(prepared.seen[:, None], marks, np.uint8(PRIOR))
    kind = kind_of(prepared.evidence)
    derived_sd, derived_mark = uncertainty.derived_spread(problem.model, skeleton, q, covariance, marks, kind)
    sd = np.where(np.isnan(sd), _unfitted_sd(structure), sd)
    uncertainty.shared_out(problem.model, structure, sd, marks)
    linear = outcome.solution.linears[number]
    joints = uncertainty.joint_sd(problem, linear, state, found, len(structure.bodies))
    motion = Motion(
        time=prepared.time, coordinates=skeleton.coordinates, q=q, translation=translation, shape=shape, q_sd=sd,
        mark=marks, derived_sd=derived_sd, derived_mark=derived_mark,
        observed=prepared.seen, joints_sd=joints, contact=_contact(prepared, problem),
        alternatives=_alternatives(prepared, outcome, number, skeleton, turn, height),
    )  # fmt: skip
    return PersonFit(
        motion=motion,
        skeleton=skeleton,
        cost=normal.cost,
        reprojection_px=_reprojection(prepared, normal.residual),
    )


def _unfitted_sd(structure: trees.Tree) -> Float64:
    """(D,) standard deviation of coordinates that nothing told of: a quarter of their range."""
    width = structure.ranges[:, 1] - structure.ranges[:, 0]
    return np.where(np.isfinite(width), 0.25 * width, np.nan)


def _coordinates(
    prepared: Prepared, skeleton: Skeleton, state: State, turn: Float64, height: float
) -> tuple[Float64, Float64]:
    """Coordinates (T, D) on continuous branches and pelvis translation (T, 3) in the world of the result."""
    structure, model = trees.whole(), prepared.model
    T = len(state.root)
    x = np.tile(model.relaxed, (T, 1))
    x[:, model.hinges] = state.angle
    for b, first, _ in structure.balls:
        at = np.flatnonzero(model.bodies == b)
        R = state.ball[:, at[0]] if len(at) else np.tile(np.eye(3), (T, 1, 1))
        x[:, first : first + 3] = rotations.log(trees.BASE.T @ turn @ R if b == 0 else R)
    translation = state.root @ turn.T - np.array([0.0, height, 0.0])
    q = skeleton.unwrap(skeleton.from_tangent(x))
    q[:, 3:6] = to_ground(translation)
    return q, translation


def _contact(prepared: Prepared, problem) -> Float64 | None:
    """(T, 2) probability that the right and the left foot bear on the floor."""
    if problem.observed.feet is None:
        return None
    own = problem.observed.feet.contact / problem.observed.share[:, None]
    half = own.shape[1] // 2
    return np.stack([own[:, :half].max(1), own[:, half:].max(1)], -1)


def _reprojection(prepared: Prepared, residual: Float64) -> Float64:
    out = np.full((len(residual), keypoint_count(prepared.evidence)), np.nan)
    first = prepared.keypoints >= 0
    out[:, prepared.keypoints[first]] = residual[:, first]
    return out


def _alternatives(
    prepared: Prepared, outcome: Outcome, number: int, skeleton: Skeleton, turn: Float64, height: float
) -> Alternatives | None:
    """The other readings in the world of the result, on its body."""
    found = outcome.readings[number]
    if len(found) < 2:
        return None
    q, translation = (
        np.stack(part)
        for part in zip(*(_coordinates(prepared, skeleton, r.state, turn, height) for r in found), strict=True)
    )
    weight = weights(found, prepared.time)
    p = skeleton.forward(q, translation)[1]
    p = p - p[:, :, :1]
    mean = np.einsum("ht,htbi->tbi", weight, p)
    spread = np.sqrt(np.einsum("ht,htb->tb", weight, ((p - mean) ** 2).sum(-1)))
    log_odds = np.array([min(found[0].cost - r.cost, 0.0) for r in found[1:]])
    return Alternatives(q[1:], translation[1:], weight[1:], log_odds, spread)
