"""Products of small vectors without the overhead of numpy's general functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.types import Float64

_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


def cross(a: ArrayLike, b: ArrayLike) -> Float64:
    """``np.cross`` of (..., 3)."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    out = a.take(_NEXT, -1) * b.take(_LAST, -1)
    out -= a.take(_LAST, -1) * b.take(_NEXT, -1)
    return out


def length(v: Float64) -> Float64:
    """Euclidean lengths (...,) of vectors (..., n)."""
    return np.sqrt(np.einsum("...i,...i->...", v, v))


def unit(v: Float64) -> Float64:
    """Vectors of length one (..., n); not finite where they have no length."""
    return v / length(v)[..., None]
