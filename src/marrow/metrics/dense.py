"""Measures of dense correspondence: the similarity of DensePose and its average precision.

They follow R. A. Güler and others (DensePose, CVPR 2018), whose scale of 0.255 m gives a point that is 0.30 m off the
similarity 0.5. Distances along the body come from :mod:`marrow.body.geodesics`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError

#: Scale of the similarity, metres.
KAPPA = 0.255
#: Similarities from which a person counts as found, as COCO averages over them.
THRESHOLDS = np.arange(0.5, 0.96, 0.05)


def geodesic_point_similarity(distance: ArrayLike, kappa: float = KAPPA) -> float:
    """Mean over a person's points of exp(-d^2 / (2 kappa^2)); 1 is exact. An infinite distance counts as 0.

    Args:
        distance: (N,) metres along the surface.
        kappa: metres.
    """
    d = np.asarray(distance, float)
    if d.size == 0 or np.isnan(d).any() or (d < 0).any():
        raise InputError("geodesic_point_similarity: expected at least one distance, none negative or NaN")
    return float(np.exp(-np.square(d) / (2 * kappa**2)).mean())


def average_precision(similarities: ArrayLike, thresholds: ArrayLike = THRESHOLDS) -> float:
    """Mean over thresholds of the share of people (N,) at least so similar.

    Where everybody's box is given nobody is found twice or in vain, and COCO's average precision is this share.
    """
    found = np.asarray(similarities, float)
    if found.ndim != 1 or not len(found):
        raise InputError(f"average_precision: expected one similarity a person, got {found.shape}")
    return float((found[:, None] >= np.asarray(thresholds, float) - 1e-9).mean())
