"""How well markers determine coordinates: the standard errors that marker noise gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.skeleton.osim.ik import CoordinateTask, MarkerFit
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.types import Float64

_MOST_FRAMES = 9
_LEAST = 1e-12  # of the information about a coordinate with all others known: below it there is none
_NOT_AT_ALL = 180.0  # degrees or mm per mm


@dataclass(frozen=True, eq=False)
class Precision:
    """Standard errors of n coordinates.

    Attributes:
        coordinates: their names.
        per_mm: (n,) standard error for 1 mm of marker noise (standard deviation along each axis, independent from
            marker to marker): degrees for turns, mm for shifts; infinite beyond 180. Median over the frames looked
            at. It is linear: 5 mm of noise make five times the error.
        correlation: (n, n) of the errors, mean over the frames.
    """

    coordinates: tuple[str, ...]
    per_mm: Float64
    correlation: Float64


def coordinate_precision(body: Kinematics, fit: MarkerFit, tasks: Sequence[CoordinateTask] = ()) -> Precision:
    """Standard errors of the coordinates that :func:`~marrow.skeleton.osim.fit_markers` sought, from its equations.

    Ranges are left aside: a coordinate that only its range holds is as poorly determined as without one. Few frames,
    spread over the recording, are looked at.

    Args:
        tasks: those of the fit; they hold a coordinate as markers do.
    """
    frames = np.flatnonzero(np.isfinite(fit.errors).any(1))
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).astype(int))]
    covariances = _covariances(body, fit, frames, tasks)
    errors = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    scale = np.where(errors > 0, errors, 1.0)
    turns = np.array([body.model.coordinates[body.index(name)].rotational for name in fit.free], bool)
    per_mm = np.median(errors, 0) * np.where(turns, np.degrees(1e-3), 1.0)
    return Precision(
        coordinates=fit.free,
        per_mm=np.where(per_mm > _NOT_AT_ALL, np.inf, per_mm),
        correlation=(covariances / (scale[:, :, None] * scale[:, None])).mean(0),
    )


def _covariances(
    body: Kinematics, fit: MarkerFit, frames: NDArray[np.int64], tasks: Sequence[CoordinateTask]
) -> Float64:
    """(F, n, n) of the free coordinates, radians and metres, for marker noise of 1 m."""
    q, free = fit.q[frames], [body.index(name) for name in fit.free]
    used = [body.markers.index(name) for name in fit.markers]
    follow = body.coupling_jacobian(q)[:, :, free]
    J = body.jacobian(q, body.marker_bodies[used], body.marker_locations[used])
    J = J.reshape(len(frames), -1, J.shape[-1]) @ follow
    weight = np.repeat(np.isfinite(fit.errors[frames]) * fit.weights, 3, axis=1)[:, :, None]
    A = J.mT @ (weight * J)
    for task in tasks:
        row = follow[:, body.index(task.coordinate), :]
        A += task.weight * weight[:, ::3].sum(1, keepdims=True) * row[:, :, None] * row[:, None]
    inverse, unknown = _inverse(A)
    spread = inverse @ J.mT * weight.mT
    return spread @ spread.mT + unknown


def _inverse(A: Float64) -> tuple[Float64, Float64]:
    """Pseudo-inverse of A (F, n, n), and variances beyond all measure along what it leaves out."""
    scale = np.sqrt(np.diagonal(A, axis1=1, axis2=2))
    scale = np.where(scale > 0, scale, 1.0)
    scale = scale[:, :, None] * scale[:, None]
    values, vectors = np.linalg.eigh(A / scale)
    known = (values > _LEAST)[:, None]
    inverse = vectors * np.where(known, 1 / np.maximum(values, _LEAST)[:, None], 0.0) @ vectors.mT
    return inverse / scale, vectors * np.where(known, 0.0, 1 / _LEAST) @ vectors.mT / scale
