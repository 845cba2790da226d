"""Where a body of known shape and pose stands, from its picture."""

from __future__ import annotations

import numpy as np

from marrow.geometry.projection import project_camera, to_normalised
from marrow.types import Camera, Float64

#: A reprojection error of this share of the person's size counts as an outlier's.
_INLIER = 0.05


def solve_root(camera: Camera, xy: Float64, weight: Float64, relative: Float64) -> tuple[Float64, Float64]:
    """Position of a root and its reprojection error, by linear least squares.

    With normalised image coordinates ``u`` and points ``X + r`` for a root ``X``: ``u (X_z + r_z) = X_xy + r_xy``,
    linear in X (Sárándi et al. 2021, MeTRAbs, IEEE T-BIOM 3(1)). Two further rounds weigh outliers down.

    Args:
        camera: its extrinsics are not used.
        xy: (T, K, 2) pixels; NaN where absent.
        weight: (T, K), 0 where absent.
        relative: (T, K, 3) metres, points relative to the root in *camera* axes; NaN where unknown.

    Returns:
        root (T, 3) in camera axes, metres, NaN where fewer than three points are known or they fall behind the camera;
        error (T,) weighted mean reprojection distance as a share of the person's size in the picture.
    """
    known = np.isfinite(xy).all(-1) & np.isfinite(relative).all(-1) & (weight > 0)
    u = to_normalised(camera, np.where(known[..., None], xy, 0.0))
    r, w = np.where(known[..., None], relative, 0.0), np.where(known, weight, 0.0)
    size = _size(xy, known)
    robust = w
    root = np.full((len(xy), 3), np.nan)
    distance = np.zeros_like(w)
    for _ in range(3):
        root = _least_squares(u, r, robust)
        seen = project_camera(camera, root[:, None] + r)
        distance = np.linalg.norm(np.where(known[..., None], seen - xy, 0.0), axis=-1) / size[:, None]
        distance = np.where(np.isfinite(distance), distance, 1.0)  # behind the camera
        robust = w / (1.0 + (distance / _INLIER) ** 2)
    nearest = np.where(known, root[:, 2:] + r[..., 2], np.inf).min(-1)
    bad = (known.sum(-1) < 3) | ~(nearest > 0.05)
    root[bad] = np.nan
    error = (w * distance).sum(-1) / np.maximum(w.sum(-1), 1e-9)
    return root, np.where(bad, np.nan, error)


def _size(xy: Float64, known: np.ndarray) -> Float64:
    """Diagonal (T,) of the box around the known points, at least one pixel."""
    high = np.where(known[..., None], xy, -np.inf).max(-2)
    low = np.where(known[..., None], xy, np.inf).min(-2)
    extent = np.linalg.norm(np.where(np.isfinite(high), high - low, 0.0), axis=-1)
    return np.maximum(extent, 1.0)


def _least_squares(u: Float64, r: Float64, w: Float64) -> Float64:
    """Minimises ``sum w |X_xy - u X_z - (u r_z - r_xy)|^2`` over X (T, 3)."""
    b = u * r[..., 2:] - r[..., :2]
    A = np.zeros((len(u), 3, 3))
    total = w.sum(-1)
    A[:, 0, 0] = A[:, 1, 1] = total
    A[:, 0, 2] = A[:, 2, 0] = -(w * u[..., 0]).sum(-1)
    A[:, 1, 2] = A[:, 2, 1] = -(w * u[..., 1]).sum(-1)
    A[:, 2, 2] = (w[..., None] * u**2).sum((-1, -2))
    right = np.stack([*np.moveaxis((w[..., None] * b).sum(-2), -1, 0), -(w[..., None] * u * b).sum((-1, -2))], -1)
    # a ridge far below any real evidence keeps frames without points solvable
    A += 1e-12 * np.eye(3) * (1.0 + total)[:, None, None]
    return np.linalg.solve(A, right[..., None])[..., 0]
