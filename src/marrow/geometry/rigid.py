"""Rigid motions as a rotation (..., 3, 3) and a translation (..., 3): ``y = R @ x + t``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.types import Float64


def apply(R: ArrayLike, t: ArrayLike, x: ArrayLike) -> Float64:
    """Move points (..., N, 3) by motions (...,): one motion for the N points of its row."""
    return np.asarray(x, float) @ np.swapaxes(np.asarray(R, float), -1, -2) + np.asarray(t, float)[..., None, :]


def compose(R1: ArrayLike, t1: ArrayLike, R2: ArrayLike, t2: ArrayLike) -> tuple[Float64, Float64]:
    """The motion "first 2, then 1": ``R1 @ (R2 @ x + t2) + t1``."""
    R1 = np.asarray(R1, float)
    return R1 @ np.asarray(R2, float), _turn(R1, t2) + np.asarray(t1, float)


def invert(R: ArrayLike, t: ArrayLike) -> tuple[Float64, Float64]:
    """The motion that undoes ``(R, t)``."""
    back = np.swapaxes(np.asarray(R, float), -1, -2)
    return back, -_turn(back, t)


def to_matrix(R: ArrayLike, t: ArrayLike) -> Float64:
    """Homogeneous matrices (..., 4, 4) of motions."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    out = np.zeros((*np.broadcast_shapes(R.shape[:-2], t.shape[:-1]), 4, 4))
    out[..., :3, :3] = R
    out[..., :3, 3] = t
    out[..., 3, 3] = 1.0
    return out


def from_matrix(T: ArrayLike) -> tuple[Float64, Float64]:
    """Rotation and translation of homogeneous matrices (..., 4, 4)."""
    T = np.asarray(T, float)
    return T[..., :3, :3], T[..., :3, 3]


def _turn(R: Float64, x: ArrayLike) -> Float64:
    return (R @ np.asarray(x, float)[..., None])[..., 0]
