"""Errors of joint angles and rotations, in radians."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError

Float64 = NDArray[np.float64]


def wrap(angle: ArrayLike) -> Float64:
    """The same angle in [-pi, pi): (...) rad."""
    return np.mod(np.asarray(angle, np.float64) + np.pi, 2 * np.pi) - np.pi


def angle_error(predicted: ArrayLike, truth: ArrayLike) -> Float64:
    """Signed difference ``predicted - truth`` the short way round: (...) rad in [-pi, pi).

    Only for angles: a coordinate in metres (``pelvis_tx``) must not be wrapped.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if p.shape != g.shape:
        raise InputError(f"angles: expected two arrays of one shape, got {p.shape} and {g.shape}")
    return wrap(p - g)


def angle_rmse(predicted: ArrayLike, truth: ArrayLike) -> Float64:
    """Root mean square angle error over the first axis (frames), the figure OpenCap reports: (T, ...) to (...) rad."""
    return np.sqrt(np.mean(angle_error(predicted, truth) ** 2, axis=0))


def rotation_error(predicted: ArrayLike, truth: ArrayLike) -> Float64:
    """Geodesic angle between rotations (the terms of MPJAE): two (..., 3, 3) to (...) rad in [0, pi].

    ``||R_a - R_b||_F = 2 sqrt(2) sin(angle / 2)``, which stays exact for small angles, where the arc cosine of the
    trace does not.
    """
    a, b = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if a.shape != b.shape or a.shape[-2:] != (3, 3):
        raise InputError(f"rotations: expected two arrays of one shape (..., 3, 3), got {a.shape} and {b.shape}")
    chord = np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8.0)
    return 2.0 * np.arcsin(np.clip(chord, 0.0, 1.0))
