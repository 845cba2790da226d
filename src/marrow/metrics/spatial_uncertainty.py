"""Do reported uncertainties of 3-D positions tell the truth, and do they tell the good estimates from the bad?

A position's error e with the covariance S is judged by its squared Mahalanobis length ``e^T S^-1 e``, which is
chi-squared with three degrees of freedom where errors are normal and S is right. An ellipsoid is what a level means
here; three intervals, one an axis, would hold fewer positions together than each alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.types import Float64


def mahalanobis_squared(error: ArrayLike, covariance: ArrayLike) -> Float64:
    """``e^T S^-1 e`` (...) of errors (..., 3) m and covariances (..., 3, 3) m^2, or standard deviations (...) m."""
    e, root = _whitening(error, covariance)
    return np.square(np.linalg.solve(root, e[..., None])[..., 0]).sum(-1)


def position_coverage(error: ArrayLike, covariance: ArrayLike, level: float = 0.95) -> float:
    """Share of positions inside the ellipsoid that should hold ``level`` of them.

    Args:
        error: (..., 3) m, estimate minus truth.
        covariance: (..., 3, 3) m^2, or a standard deviation (...) m that all axes share.
        level: in (0, 1).
    """
    return float(position_calibration_curve(error, covariance, (level,))[0])


def position_calibration_curve(
    error: ArrayLike, covariance: ArrayLike, levels: Sequence[float] = (0.5, 0.8, 0.95)
) -> Float64:
    """Observed coverage at each nominal level: (L,)."""
    from scipy.special import chdtri

    nominal = np.asarray(levels, float)
    if np.any(nominal <= 0) or np.any(nominal >= 1):
        raise InputError(f"level: expected shares in (0, 1), got {list(levels)}")
    length = mahalanobis_squared(error, covariance)
    return (length.ravel()[:, None] <= chdtri(3, 1 - nominal)).mean(0)


def position_calibration_error(error: ArrayLike, covariance: ArrayLike, levels: int = 19) -> float:
    """Mean of ``|observed - nominal|`` coverage over evenly spaced levels (regression ECE, Kuleshov et al. 2018)."""
    nominal = np.arange(1, levels + 1) / (levels + 1)
    return float(np.abs(position_calibration_curve(error, covariance, nominal.tolist()) - nominal).mean())


def position_nll(error: ArrayLike, covariance: ArrayLike) -> Float64:
    """Negative logarithm of the normal density at the truth, nats (of m^-3): (...)."""
    e, root = _whitening(error, covariance)
    length = np.square(np.linalg.solve(root, e[..., None])[..., 0]).sum(-1)
    log_det = 2 * np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    return 0.5 * (length + log_det + 3 * np.log(2 * np.pi))


def rank_correlation(uncertainty: ArrayLike, error: ArrayLike) -> float:
    """Spearman's correlation of uncertainties (N,) with the sizes of errors (N,): 1 where they order alike."""
    u, e = _sizes(uncertainty, error)
    from scipy.stats import spearmanr

    return float(spearmanr(u, e).statistic)  # type: ignore[union-attr]


def ause(uncertainty: ArrayLike, error: ArrayLike) -> float:
    """Area between the sparsification curves by uncertainty and by the error itself (Ilg et al., ECCV 2018).

    A curve is the mean error of what is left when the most uncertain share is taken out, relative to the mean error of
    all. 0: the order is that of the errors; an order by chance gives the area under 1 less the oracle's.

    Args:
        uncertainty: (N,) any measure that grows with doubt.
        error: (N,) sizes of errors, not all 0.
    """
    u, e = _sizes(uncertainty, error)
    if e.mean() == 0:
        raise InputError("ause: all errors are 0; there is nothing to sort out")
    # ties are broken in neither's favour: everybody of one uncertainty has their mean error
    _, group, count = np.unique(u, return_inverse=True, return_counts=True)
    shared = np.bincount(group, weights=e) / count
    left = [np.cumsum(x)[::-1] / np.arange(len(e), 0, -1) for x in (shared[np.sort(group)], np.sort(e))]
    return float((left[0] - left[1]).mean() / e.mean())


def _whitening(error: ArrayLike, covariance: ArrayLike) -> tuple[Float64, Float64]:
    e, S = np.asarray(error, np.float64), np.asarray(covariance, np.float64)
    if e.shape[-1:] != (3,) or e.size == 0:
        raise InputError(f"position uncertainty: expected errors (..., 3), got {e.shape}")
    if S.shape[-2:] != (3, 3) or S.shape == e.shape[:-1]:
        S = np.square(S)[..., None, None] * np.eye(3)
    try:
        S = np.broadcast_to(S, (*e.shape[:-1], 3, 3))
    except ValueError:
        raise InputError(
            f"position uncertainty: expected covariances (..., 3, 3) or standard deviations (...) for errors "
            f"{e.shape}, got {np.shape(covariance)}"
        ) from None
    if not (np.isfinite(e).all() and np.isfinite(S).all()):
        raise InputError("position uncertainty: expected finite values; leave out what was not observed")
    try:
        return e, np.asarray(np.linalg.cholesky(S), np.float64)
    except np.linalg.LinAlgError:
        raise InputError("position uncertainty: a covariance is not positive definite") from None


def _sizes(uncertainty: ArrayLike, error: ArrayLike) -> tuple[Float64, Float64]:
    u, e = np.asarray(uncertainty, np.float64), np.asarray(error, np.float64)
    if u.ndim != 1 or u.shape != e.shape or len(u) < 2 or not (np.isfinite(u).all() and np.isfinite(e).all()):
        raise InputError(
            f"expected an uncertainty and the size of an error for each of at least 2, finite, got {u.shape}, {e.shape}"
        )
    if (e < 0).any():
        raise InputError("expected sizes of errors, none negative; give their lengths")
    return u, e
