"""The arrow's linear algebra: banded Cholesky of each person, Schur complement of the border, its priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg.lapack import dpbtrf, dtbtrs  # pyright: ignore[reportAttributeAccessIssue]

from marrow.fit._fast_residuals import FOCAL, HEIGHT, SHARED, TILT, Shared
from marrow.types import Float64

_MOST_AT_EDGE = 6  # rounds in which entries of the border may come to the edge of their range


@dataclass(frozen=True)
class SharedPrior:
    """Quadratic prior of camera and floor; a precision of ``inf`` fixes the value.

    ``level`` (3, 2): directions in the world that the floor's normal should be square to (the camera's x and z axes).
    """

    log_focal: float = 0.0
    focal_precision: float = np.inf
    level: Float64 = field(default_factory=lambda: np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    tilt_precision: Float64 = field(default_factory=lambda: np.full(2, np.inf))
    height: float = 0.0
    height_precision: float = np.inf


@dataclass
class Normal:
    """Normal equations of a person at a state (band layout: see ``_fast_residuals``)."""

    band: Float64
    g: Float64
    C: Float64
    Hb: Float64
    gb: Float64
    costs: dict[str, float]
    residual: Float64
    points: Float64

    @property
    def cost(self) -> float:
        return sum(self.costs.values())


def shared_terms(prior: SharedPrior, shared: Shared) -> tuple[float, Float64, Float64]:
    """Cost, gradient (4,) and matrix (4, 4) of the prior of camera and floor. Fixed entries contribute nothing."""
    g, H, cost = np.zeros(SHARED), np.zeros((SHARED, SHARED)), 0.0
    rows = [(FOCAL, np.log(shared.focal) - prior.log_focal, prior.focal_precision)]
    rows.append((HEIGHT, shared.height - prior.height, prior.height_precision))
    for index, value, precision in rows:
        if np.isfinite(precision):
            cost += 0.5 * precision * value**2
            g[index] += precision * value
            H[index, index] += precision
    for k in range(2):
        if np.isfinite(prior.tilt_precision[k]):
            value = float(prior.level[:, k] @ shared.up[:, 1])
            J = np.array([prior.level[:, k] @ shared.up[:, 0], prior.level[:, k] @ shared.up[:, 2]])
            cost += 0.5 * prior.tilt_precision[k] * value**2
            g[TILT : TILT + 2] += prior.tilt_precision[k] * value * J
            H[TILT : TILT + 2, TILT : TILT + 2] += prior.tilt_precision[k] * np.outer(J, J)
    return cost, g, H


def free_border(prior: SharedPrior, sizes: Sequence[int]) -> np.ndarray:
    """Which entries of the border (all shapes, then camera and floor) are unknown."""
    fixed = [np.isinf(prior.focal_precision), *np.isinf(prior.tilt_precision), np.isinf(prior.height_precision)]
    return np.concatenate([np.ones(sum(sizes), bool), ~np.array(fixed)])


@dataclass
class Factor:
    """Eliminated band of one person: Cholesky factor and forward solves of gradient and cross block."""

    lower: Float64
    y: Float64  # (N, 1 + nb)


def factorise(normal: Normal, damping: Float64) -> Factor | None:
    """Cholesky of the damped band, or None where it is not positive definite. ``damping`` (N,) adds to the diagonal."""
    ab = normal.band.copy()
    ab[:, 0] += damping
    lower, info = dpbtrf(ab.T, lower=1, overwrite_ab=1)
    if info != 0:
        return None
    rhs = np.empty((normal.C.shape[1] + 1, len(normal.g))).T  # Fortran order: LAPACK then copies nothing
    rhs[:, 0], rhs[:, 1:] = normal.g, normal.C
    y, info = dtbtrs(lower, rhs, uplo="L", overwrite_b=1)
    return Factor(lower, y) if info == 0 else None


def border_system(normals: Sequence[Normal], factors: Sequence[Factor], prior: SharedPrior, shared: Shared):
    """Schur complement of the whole border (matrix, gradient); order: shapes of all people, camera, floor."""
    sizes = [n.Hb.shape[0] - SHARED for n in normals]
    total = sum(sizes)
    _, g_shared, H_shared = shared_terms(prior, shared)
    H, g = np.zeros((total + SHARED, total + SHARED)), np.zeros(total + SHARED)
    H[total:, total:] += H_shared
    g[total:] += g_shared
    for index, normal, factor in zip(border_indices(sizes), normals, factors, strict=True):
        Y = factor.y[:, 1:]
        H[np.ix_(index, index)] += normal.Hb - Y.T @ Y
        g[index] += normal.gb - Y.T @ factor.y[:, 0]
    return H, g


def border_indices(sizes: Sequence[int]) -> list[np.ndarray]:
    """Where each person's border columns stand in the whole border."""
    starts, total = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int), int(sum(sizes))
    shared = np.arange(total, total + SHARED)
    return [np.concatenate([np.arange(s, s + n), shared]) for s, n in zip(starts, sizes, strict=True)]


def border_step(H: Float64, g: Float64, free: np.ndarray, damping: float, room: Float64) -> Float64:
    """Damped step of the border; entries that would leave their range go to its edge and stay there for this step."""
    step, free = np.zeros(len(g)), free.copy()
    damped = H + np.diag(damping * np.maximum(np.diag(H), 1e-9))
    for _ in range(_MOST_AT_EDGE):
        if not free.any():
            break
        rest = g[free] + H[np.ix_(free, ~free)] @ step[~free]
        step[free] = -np.linalg.solve(damped[np.ix_(free, free)], rest)
        over = free & ((step < room[:, 0]) | (step > room[:, 1]))
        if not over.any():
            break
        step[over] = np.clip(step[over], room[over, 0], room[over, 1])
        free &= ~over
    return np.clip(step, room[:, 0], room[:, 1])
