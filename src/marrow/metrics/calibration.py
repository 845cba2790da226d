"""Do the reported standard deviations tell the truth? Coverage of intervals and the factor that mends it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError

Float64 = NDArray[np.float64]


def coverage(error: ArrayLike, sd: ArrayLike, level: float = 0.95) -> float:
    """Share of errors inside the central normal interval ``|error| <= z(level) sd``.

    Args:
        error: (...) estimate minus truth (wrapped, if an angle).
        sd: (...) reported standard deviation, same unit, > 0.
        level: nominal coverage in (0, 1).

    Returns:
        A share in [0, 1]; ``level`` where errors are normal and ``sd`` is right.
    """
    ratio = _ratio(error, sd)
    return float(np.mean(ratio <= _z(level)))


def interval_factor(error: ArrayLike, sd: ArrayLike, level: float = 0.95) -> float:
    """The factor on ``sd`` that makes ``coverage(error, factor * sd, level)`` nominal on these errors.

    It is fitted on some people and cameras and must be tested on others.
    """
    return float(np.quantile(_ratio(error, sd), level) / _z(level))


def calibration_curve(error: ArrayLike, sd: ArrayLike, levels: Sequence[float] = (0.5, 0.8, 0.95)) -> Float64:
    """Observed coverage at each nominal level: (L,)."""
    return np.array([coverage(error, sd, level) for level in levels])


def expected_calibration_error(error: ArrayLike, sd: ArrayLike, levels: int = 19) -> float:
    """Mean of ``|observed - nominal|`` coverage over evenly spaced levels (regression ECE, Kuleshov et al. 2018)."""
    nominal = np.arange(1, levels + 1) / (levels + 1)
    return float(np.abs(calibration_curve(error, sd, list(nominal)) - nominal).mean())


def _ratio(error: ArrayLike, sd: ArrayLike) -> Float64:
    e, s = np.asarray(error, np.float64), np.asarray(sd, np.float64)
    if e.size == 0:
        raise InputError("coverage: expected at least one error, got none")
    try:
        e, s = np.broadcast_arrays(e, s)
    except ValueError:
        raise InputError(f"coverage: error {e.shape} and sd {s.shape} do not fit each other") from None
    if not np.all(np.isfinite(e)) or not np.all(s > 0):
        raise InputError("coverage: expected finite errors and sd > 0; leave out unobserved frames first")
    return np.abs(e) / s


def _z(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise InputError(f"level: expected a share in (0, 1), got {level}")
    from scipy.special import ndtri  # slow to import, and listing the systems comes past here

    return float(ndtri(0.5 + 0.5 * level))
