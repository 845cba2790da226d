"""Confidence intervals by cluster bootstrap: whole clips or people are drawn again, never single frames.

Frames of one clip are not independent; an interval from single frames would be many times too narrow. Reference:
Field and Welsh, "Bootstrapping clustered data" (JRSS B 2007), the percentile interval of the cluster bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval.

    Attributes:
        estimate: the statistic of all the data.
        low: lower end.
        high: upper end.
        level: nominal coverage of the interval.
        clusters: number of independent units behind it.
    """

    estimate: float
    low: float
    high: float
    level: float
    clusters: int


def bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    *,
    statistic: Callable[[Float64], float] | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic, drawing clusters with replacement.

    Args:
        values: (N,) one number per observation (frame, pose, clip).
        clusters: (N,) label of the independent unit each belongs to.
        statistic: maps (M,) to a number; default the mean.
        level: nominal coverage.
        resamples: number of draws.
        seed: of the draws; the same input gives the same interval.
    """
    x, groups = _grouped(values, clusters)
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(groups), (resamples, len(groups)))
    if statistic is None:
        sums = np.array([x[g].sum() for g in groups])
        counts = np.array([len(g) for g in groups], float)
        sample = sums[draws].sum(1) / counts[draws].sum(1)
        estimate = float(x.mean())
    else:
        sample = np.array([statistic(x[np.concatenate([groups[k] for k in draw])]) for draw in draws])
        estimate = float(statistic(x))
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level, len(groups))


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    clusters: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean of ``first - second`` over the same observations, with its cluster bootstrap interval.

    Pairing takes out what both methods find hard alike; an interval that excludes 0 is a difference.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        raise InputError(
            f"paired_difference: expected one value of each for every observation, got {a.shape}, {b.shape}"
        )
    return bootstrap(a - b, clusters, level=level, resamples=resamples, seed=seed)


def _grouped(values: ArrayLike, clusters: ArrayLike) -> tuple[Float64, list[NDArray[np.intp]]]:
    x, labels = np.asarray(values, np.float64), np.asarray(clusters)
    if x.ndim != 1 or x.shape != labels.shape or x.size == 0:
        raise InputError(
            f"bootstrap: expected values (N,) and a cluster label for each, got {x.shape} and {labels.shape}"
        )
    if not np.isfinite(x).all():
        raise InputError("bootstrap: values hold NaN or infinity; leave those observations out, and say so")
    _, index = np.unique(labels, return_inverse=True)
    groups = [np.flatnonzero(index == k) for k in range(index.max() + 1)]
    if len(groups) < 2:
        raise InputError("bootstrap: expected at least 2 clusters, got 1; one clip says nothing about other clips")
    return x, groups
