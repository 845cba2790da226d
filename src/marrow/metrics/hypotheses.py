"""Several answers to one question: the figure of a set of hypotheses, which says nothing without their number.

The best of m falls with m for any spread of guesses, so the functions hand back m and the name of the aggregator, and
:func:`best_by_count` gives the whole curve from one draw of m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.types import Float64

_AGGREGATORS: dict[str, Callable[[Float64], Float64]] = {
    "best": lambda x: x.min(-1),  # an oracle chooses: it needs the truth
    "mean": lambda x: x.mean(-1),  # of one hypothesis, drawn by chance
    "median": lambda x: np.median(x, -1),
    "first": lambda x: x[..., 0],  # the method's own choice, where it ranks
    "worst": lambda x: x.max(-1),
}


@dataclass(frozen=True, eq=False)
class Aggregated:
    """A figure of hypotheses with what it means.

    Attributes:
        values: (...) one for each observation.
        m: hypotheses each.
        aggregator: how they became one.
    """

    values: Float64
    m: int
    aggregator: str

    def __str__(self) -> str:
        return f"{self.values.mean():.4g} ({self.aggregator} of {self.m})"


def best_of_m(values: ArrayLike, aggregator: str = "best", *, better: str = "lower") -> Aggregated:
    """One figure for each observation out of those of its m hypotheses.

    For minMPJPE the values are those of whole poses: the best joint of each hypothesis would be another, lower figure.

    Args:
        values: (..., m), such as the MPJPE of each hypothesis.
        aggregator: ``best`` (chosen with the truth at hand), ``mean`` (of one drawn by chance), ``median``, ``first``
            (the method's own choice) or ``worst``.
        better: ``lower`` or ``higher`` values.
    Raises:
        InputError: no hypotheses, or an unknown name.
    """
    x = _checked(values, better)
    if aggregator not in _AGGREGATORS:
        raise InputError(f"best_of_m: expected one of {', '.join(_AGGREGATORS)}, got {aggregator!r}")
    sign = 1.0 if better == "lower" else -1.0
    return Aggregated(sign * _AGGREGATORS[aggregator](sign * x), x.shape[-1], aggregator)


def best_by_count(values: ArrayLike, *, better: str = "lower") -> Float64:
    """The expected best of 1, 2 … m hypotheses that are drawn from the m without replacement: (..., m) to (..., m).

    Exact, by order statistics: of k drawn, the i-th best is the best with probability C(m - i, k - 1) / C(m, k).
    """
    x = _checked(values, better)
    m, sign = x.shape[-1], 1.0 if better == "lower" else -1.0
    ordered = np.sort(sign * x, axis=-1)
    weight = np.zeros((m, m))  # of the i-th best where k are drawn
    for k in range(1, m + 1):
        weight[0, k - 1] = k / m
        for i in range(1, m - k + 1):
            weight[i, k - 1] = weight[i - 1, k - 1] * (m - k - i + 1) / (m - i)
    return sign * (ordered @ weight)


def diversity(joints: ArrayLike) -> Float64:
    """Mean distance of two different hypotheses of a pose: (..., m, J, 3) m to (...) m, mean over joints and pairs."""
    x = np.asarray(joints, np.float64)
    if x.ndim < 3 or x.shape[-1] != 3 or x.shape[-3] < 2:
        raise InputError(f"diversity: expected (..., m, J, 3) with m >= 2, got {x.shape}")
    m = x.shape[-3]
    first, second = np.triu_indices(m, 1)
    apart = [
        np.linalg.norm(x[..., a, :, :] - x[..., b, :, :], axis=-1).mean(-1) for a, b in zip(first, second, strict=True)
    ]
    return np.mean(apart, axis=0)


def _checked(values: ArrayLike, better: str) -> Float64:
    x = np.asarray(values, np.float64)
    if x.ndim < 1 or x.shape[-1] < 1:
        raise InputError(f"hypotheses: expected values (..., m) of at least one hypothesis, got {x.shape}")
    if better not in ("lower", "higher"):
        raise InputError(f"better: expected 'lower' or 'higher', got {better!r}")
    return x
