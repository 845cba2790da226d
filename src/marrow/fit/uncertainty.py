"""What the normal matrix at the solution says about every coordinate and joint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtbtrs, dtrtri  # pyright: ignore[reportAttributeAccessIssue]

from marrow.fit import _fast_priors as fast_priors
from marrow.fit._fast_kinematics import BALL, HINGE, joint_variances
from marrow.fit._fast_residuals import Scales, Shared
from marrow.fit.arrow import Factor, Normal
from marrow.fit.model import Linear, Model, point_table
from marrow.fit.priors import calibration_of, load_calibration
from marrow.fit.solver import Problem, evaluate, place
from marrow.fit.state import State
from marrow.geometry import rotations
from marrow.skeleton import Skeleton, definition
from marrow.skeleton import _fast_kinematics as fast_kinematics
from marrow.skeleton import tree as trees
from marrow.types import OBSERVED, PRIOR, WEAK, Float64

#: A coordinate whose variance the evidence reduced by less than this is the prior's; by less than that, weak.
_PRIOR_RATIO, _WEAK_RATIO = 0.8, 0.4
_ROOT_ANGLE_SD, _ROOT_PLACE_SD = 0.5, 0.5  # what one knows of a root without evidence: rad, m
_MAX_ANGLE_SD = np.pi / np.sqrt(3)  # of an angle of which nothing is known
_REPEATED = 8.0  # frames at 30 Hz that see the same error of a detector
_GIMBAL = np.sin(np.radians(10.0))
_LEAST_SHARE = 0.1  # an unknown with less of a derived angle's variance does not decide its mark
#: (parent, child) segments whose relative rotation each three derived angles tell.
_DERIVED = {("pelvis", "torso"): definition.DERIVED[:3]} | {
    ("torso", f"humerus_{side}"): definition.DERIVED[3 + 3 * i : 6 + 3 * i] for i, side in enumerate("rl")
}


@dataclass(frozen=True)
class Spread:
    """Covariances of one person's unknowns.

    Attributes:
        own: (T, d, d) of each frame's unknowns for a known border.
        border_gain: (T, d, n) how the unknowns follow the border (minus sign included).
        border: (n, n) covariance of the border.
    """

    own: Float64
    border_gain: Float64
    border: Float64

    def covariance(self) -> Float64:
        """(T, d, d) with the border's share."""
        return self.own + self.border_gain @ self.border @ np.swapaxes(self.border_gain, -1, -2)


def diagonal_blocks(factor: Factor, size: int) -> Float64:
    """(T, d, d) diagonal blocks of the inverse of the band, from its Cholesky factor.

    Two frames make one block, so that the matrix is block-tridiagonal; then, from the last block backwards,
    ``Z_i = (L_i L_iᵀ)^-1 + Gᵀ Z_{i+1} G`` with ``G = L_{i+1,i} L_i^-1`` (Takahashi et al. 1973).
    """
    N = factor.lower.shape[1]
    T = N // size
    out = np.empty((T, size, size))
    edges = [*range(0, N, 2 * size), N]
    Z = None
    for i in range(len(edges) - 2, -1, -1):
        lo, hi = edges[i], edges[i + 1]
        inverse, _ = dtrtri(_block(factor.lower, lo, hi, lo, hi), lower=1)
        inverse = np.tril(inverse)
        here = inverse.T @ inverse
        if Z is not None:
            G = _block(factor.lower, hi, edges[i + 2], lo, hi) @ inverse
            here = here + G.T @ Z @ G
        for t in range(lo // size, hi // size):
            at = slice(t * size - lo, (t + 1) * size - lo)
            out[t] = here[at, at]
        Z = here
    return out


def _block(lower: Float64, r0: int, r1: int, c0: int, c1: int) -> Float64:
    """Dense rows r0:r1, columns c0:c1 of a lower band matrix stored as LAPACK does, (bandwidth + 1, N)."""
    rows, columns = np.arange(r0, r1)[:, None], np.arange(c0, c1)[None]
    offset = rows - columns
    inside = (offset >= 0) & (offset < lower.shape[0])
    return np.where(inside, lower[np.where(inside, offset, 0), np.broadcast_to(columns, offset.shape)], 0.0)


def spread(problem: Problem, factor: Factor, border: Float64) -> Spread:
    """Covariances from the factor at the solution; ``border`` (n, n) is the covariance of the person's border."""
    d = problem.model.size
    gain, _ = dtbtrs(factor.lower, factor.y[:, 1:], uplo="L", trans="T")
    gain = np.ascontiguousarray(-gain.reshape(-1, d, gain.shape[1]))
    return Spread(diagonal_blocks(factor, d), gain, border)


def pixel_variance(residual: Float64, sd: Float64, weight: Float64) -> float:
    """Robust variance of normalised reprojections: 1 where the assumed noise is right."""
    seen = (weight > 0) & np.isfinite(residual)
    if seen.sum() < 20:
        return 1.0
    # squared length of a unit normal 2-vector has the median 2 ln 2
    return float(np.clip(np.median((residual[seen] / sd[seen]) ** 2) / (2 * np.log(2)), 0.01, 25.0))


def honest(problem: Problem, linear: Linear, state: State, shared: Shared, scales: Scales, residual: Float64) -> Normal:
    """Normal equations at the solution with the evidence as strong as it really is.

    Detector errors have the variance that the residuals show, and neighbouring frames share them: over a sequence each
    frame's keypoints and directions count for :data:`_REPEATED` times less than if they were independent. Priors, floor
    and measured points keep their weight.
    """
    seen, repeated = problem.observed, float(np.clip(problem.observed.share.sum(), 1.0, _REPEATED))
    if seen.pixels is not None:
        wider = repeated * pixel_variance(residual, seen.pixels.sd, seen.pixels.weight)
        seen = replace(seen, pixels=seen.pixels._replace(sd=seen.pixels.sd * np.sqrt(wider)))
        # outliers stay outliers: the robust scale is in standard deviations
        scales = scales._replace(robust_pixel=scales.robust_pixel / np.sqrt(wider))
    if seen.directions is not None:
        seen = replace(seen, directions=seen.directions._replace(precision=seen.directions.precision / repeated))
        scales = scales._replace(robust_direction=scales.robust_direction / np.sqrt(repeated))
    return evaluate(replace(problem, observed=seen), linear, state, shared, scales)


def angle_sd(
    problem: Problem, structure: trees.Tree, q: Float64, covariance: Float64, turn: Float64, kind: str
) -> Float64:
    """(T, D) standard deviation of the coordinates ``q`` (T, D): local rotation vectors become Z-X-Y angles.

    Near gimbal lock the angles' spread grows without bound; within 10 degrees of it, it is that at 10 degrees or the
    spread of an unknown angle, whichever is larger. Coordinates that were not fitted are NaN. ``turn`` (3, 3) leads
    from the world of the fit to that of the result, ``kind`` chooses the calibration
    (:func:`marrow.fit.evidence.kind_of`).
    """
    model = problem.model
    sd = np.full(q.shape, np.nan)
    variance = np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0)
    hinges = model.tree.dof_kind != BALL
    sd[:, model.coordinates[hinges]] = np.sqrt(variance[:, hinges])
    balls = {int(b): (first, signs) for b, first, signs in structure.balls}
    for b, f in model.balls:
        first, signs = balls[int(model.bodies[b])]
        own = _euler_sd(signs * q[:, first : first + 3], covariance[:, f : f + 3, f : f + 3])
        sd[:, first : first + 3] = own
    places = turn @ covariance[:, 3:6, 3:6] @ turn.T
    places = np.sqrt(np.maximum(np.diagonal(places, axis1=1, axis2=2), 0.0))
    sd[:, 3:6] = places[:, [2, 1, 0]]  # ground's X is the world's Z; the third changes sign only
    known = load_calibration(kind)
    sd *= np.array([calibration_of(name, known) for name in structure.coordinates])
    angular = np.ones(q.shape[1], bool)
    angular[3:6] = False
    sd[:, angular] = np.minimum(sd[:, angular], _MAX_ANGLE_SD)
    return sd


def derived_spread(
    model: Model, skeleton: Skeleton, q: Float64, covariance: Float64, mark: NDArray[np.uint8], kind: str
) -> tuple[Float64, NDArray[np.uint8]]:
    """How sure the whole trunk's and the arms' angles (:data:`marrow.skeleton.definition.DERIVED`) are.

    Args:
        q: (T, D) coordinates.
        covariance: (T, d, d) of the unknowns.
        mark: (T, D) marks of the coordinates.
        kind: chooses the calibration.

    Returns:
        standard deviations (T, 9) in radians and marks (T, 9).
    """
    structure = skeleton.tree
    R, p = skeleton.forward(q, np.zeros((len(q), 3)))
    axis = fast_kinematics.dof_twists(
        structure.structure, skeleton.length, np.ascontiguousarray(skeleton.to_tangent(q)), R, p, True
    )[0]
    known, angles = load_calibration(kind), skeleton.derived_angles(q[:, None])
    sd, marks_ = [], []
    for (parent, child), names in _DERIVED.items():
        a, b = skeleton.body_index(parent), skeleton.body_index(child)
        between = structure.moves[b] & ~structure.moves[a]
        J = _turns(model, np.where(between[:, None], axis, 0.0)) @ R[:, b]  # (T, d, 3): as the child sees it
        of = [angles[name][:, 0] for name in names]
        signs = [-1.0 if child.endswith("_l") and i else 1.0 for i in range(3)]
        euler = np.stack([s * x for s, x in zip(signs, of, strict=True)], -1)
        own = _euler_sd(euler, np.swapaxes(J, -1, -2) @ covariance @ J)
        carried = (J**2).sum(-1) * np.diagonal(covariance, axis1=1, axis2=2)
        worst = _worst_mark(_marks_of_unknowns(model, mark), carried)
        factor = np.array([calibration_of(name, known) for name in names])
        sd.append(np.minimum(own * factor, _MAX_ANGLE_SD))
        marks_.append(np.repeat(worst[:, None], len(names), 1))
    return np.concatenate(sd, 1), np.concatenate(marks_, 1)


def _turns(model: Model, axis: Float64) -> Float64:
    """(T, d, 3) world axes of the unknowns, followers included, from those of all coordinates (T, D, 3)."""
    out = np.zeros((len(axis), model.size, 3))
    hinged = model.tree.dof_kind == HINGE
    out[:, ~hinged] = axis[:, model.coordinates[~hinged]]
    out[:, 3:6] = 0.0  # the root's place turns nothing
    return out + model.carried @ axis[:, model.hinges]


def _marks_of_unknowns(model: Model, mark: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(T, d) marks of the unknowns from those of the coordinates (T, D): a ball's are about x, y, z and Z, X, Y."""
    out = mark[:, model.coordinates]
    for _, f in model.balls:
        out[:, f : f + 3] = out[:, [f + 1, f + 2, f]]
    return out


def _worst_mark(mark: NDArray[np.uint8], variance: Float64) -> NDArray[np.uint8]:
    """(T,) worst of the marks (T, d) of the unknowns that carry at least a tenth of the variance (T, d)."""
    total = variance.sum(1, keepdims=True)
    carries = variance >= _LEAST_SHARE * total
    return np.where(total[:, 0] > 0, np.where(carries, mark, 0).max(1), PRIOR).astype(np.uint8)


def _euler_sd(angles: Float64, covariance: Float64) -> Float64:
    """(T, 3) sd of Z-X-Y angles (T, 3) from the covariance (T, 3, 3) of local rotation vectors."""
    J = rotations.euler_zxy_jacobian(angles)
    locked = np.abs(np.cos(angles[:, 1])) < _GIMBAL
    J[locked] = np.eye(3)
    inverse = np.linalg.inv(J)
    turned = inverse @ covariance @ np.swapaxes(inverse, -1, -2)
    own = np.sqrt(np.maximum(np.diagonal(turned, axis1=1, axis2=2), 0.0))
    own[locked, 0] = own[locked, 2] = _MAX_ANGLE_SD
    return own


def shared_out(model: Model, structure: trees.Tree, sd: Float64, mark: NDArray[np.uint8]) -> None:
    """Say of coordinates that were tied to a leader what that leaves open; ``sd`` and ``mark`` (T, D) are changed.

    A follower's value is assumed, give or take how much people differ. So is, within the trunk, the leader's own share.
    What hangs on a shoulder blade that was assumed is at most weakly known against it.
    """
    tied = model.carried.sum(0) != 0
    tied[model.tree.dof_index[model.tree.dof_kind == HINGE]] = False
    of = {f.name: f for f in definition.FOLLOWERS}
    for c in model.hinges[tied]:
        follower = of[structure.coordinates[c]]
        lead = structure.coordinates.index(follower.leader)
        spread = np.radians(follower.sd)
        sd[:, c] = np.hypot(follower.ratio * sd[:, lead], spread)
        mark[:, c] = PRIOR
    for c in model.hinges[tied]:
        follower = of[structure.coordinates[c]]
        for name in follower.against:
            d = structure.coordinates.index(name)
            if follower.leader == name:
                sd[:, d] = np.hypot(sd[:, d], np.radians(follower.sd))
            mark[:, d] = np.maximum(mark[:, d], WEAK)


def marks(problem: Problem, structure: trees.Tree, state: State, covariance: Float64, seen: np.ndarray) -> np.ndarray:
    """(T, D) uint8: OBSERVED, WEAK or PRIOR by the ratio of posterior to prior variance of the unknowns."""
    model = problem.model
    out = np.full((len(seen), len(structure.coordinates)), PRIOR, np.uint8)
    ratio = np.diagonal(covariance, axis1=1, axis2=2) / prior_variance(problem, state)
    kind = np.where(ratio > _PRIOR_RATIO, PRIOR, np.where(ratio > _WEAK_RATIO, WEAK, OBSERVED)).astype(np.uint8)
    out[:, model.coordinates] = kind
    # the unknowns of a ball are increments about x, y, z; its coordinates are read out about Z, X, Y
    for b, f in model.balls:
        first = int(structure.start[model.bodies[b]])
        out[:, first : first + 3] = kind[:, [f + 2, f, f + 1]]
    out[:, 3:6] = kind[:, [5, 4, 3]]
    return out


def prior_variance(problem: Problem, state: State) -> Float64:
    """(d,) variance of the unknowns under the static prior alone, the median over some poses of the solution."""
    d = problem.model.size
    T = len(state.root)
    frames = np.unique(np.linspace(0, T - 1, min(T, 24)).astype(int))
    n = len(frames)
    band, g = np.zeros((n * d, 2 * d + 3)), np.zeros(n * d)
    slots = problem.slots._replace(limit_precision=0.0)
    weight = 1.0 if problem.prior_weight > 0 else 0.0
    fast_priors.add_prior(
        d, slots, problem.mixture, weight, np.ones(n), state.ball[frames], state.angle[frames], band, g
    )
    variance = np.empty((n, d))
    for t in range(n):
        own = band[t * d : (t + 1) * d]
        A = np.zeros((d, d))
        for j in range(d):
            A[j:, j] = own[j, : d - j]
        A = A + np.tril(A, -1).T
        A[range(3), range(3)] += 1.0 / _ROOT_ANGLE_SD**2
        A[range(3, 6), range(3, 6)] += 1.0 / _ROOT_PLACE_SD**2
        variance[t] = np.diag(np.linalg.inv(A + 1e-3 * np.eye(d)))
    return np.median(variance, 0)


def joint_sd(problem: Problem, linear: Linear, state: State, found: Spread, bodies: int) -> Float64:
    """(T, bodies) metres: standard deviation of the origins of the segments, root mean square over the axes.

    Segments that were not fitted (fingers) have that of the nearest fitted one above them.
    """
    model, structure = problem.model, trees.whole()
    B, S = len(model.bodies), len(state.shape)
    table = point_table(model.tree, [[(b, 1.0)] for b in range(B)], np.zeros(B, bool))
    template = linear.template._replace(local=np.zeros((B, 3)), d_local=np.zeros((S, B, 3)))
    moved = place(replace(model, points=table), linear._replace(template=template), state)
    variance = joint_variances(
        moved.JX, moved.JS, table.dof_start, table.dof, found.own, found.border_gain, found.border
    )
    out = np.full((len(state.root), bodies), np.nan)
    out[:, model.bodies] = np.sqrt(np.maximum(variance, 0.0) / 3)
    for b in range(bodies):
        if np.isnan(out[:, b]).any():
            out[:, b] = out[:, structure.parents[b]]
    return out
