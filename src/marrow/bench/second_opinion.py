"""What a second estimate can add to a first: how alike their errors are, and the best mean of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float64


def likeness(first: Float64, second: Float64) -> float:
    """Correlation of the errors (N, J, 3) of two estimates, about no error at all: 1 where both are wrong alike."""
    first, second = _both(first, second)
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def best_mean(first: Float64, second: Float64, steps: int = 50) -> tuple[float, float]:
    """Mean distance from the truth of the best weighted mean of two estimates, and the weight of the second in it.

    The weight is one for all, and chosen with the truth at hand: no even use of the second does better.

    Args:
        first, second: (N, J, 3) errors of both; rows with NaN are left out.
        steps: weights that are tried, from 0 to 1.
    """
    first, second = _both(first, second)
    tried = np.linspace(0.0, 1.0, steps + 1)
    found = [float(np.linalg.norm((1 - w) * first + w * second, axis=-1).mean()) for w in tried]
    best = int(np.argmin(found))
    return found[best], float(tried[best])


def were_they_independent(first: Float64, second: Float64, seed: int = 0) -> tuple[float, float]:
    """:func:`best_mean` if the errors were as large and had nothing to do with each other: those of other rows."""
    first, second = _both(first, second)
    return best_mean(first, second[np.random.default_rng(seed).permutation(len(second))])


def _both(first: Float64, second: Float64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if first.shape != second.shape:
        raise InputError(f"two estimates of the same joints were expected, got errors {first.shape} and {second.shape}")
    known = np.isfinite(first).all((-1, -2)) & np.isfinite(second).all((-1, -2))
    if not known.any():
        raise InputError("no row has both estimates")
    return first[known], second[known]
