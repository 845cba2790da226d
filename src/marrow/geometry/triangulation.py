"""Points in space from their places in several pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.projection import require_perspective, to_camera, to_normalised
from marrow.types import Camera, Float64


def triangulate(
    cameras: Sequence[Camera], xy: ArrayLike, weight: ArrayLike | None = None, *, iterations: int = 10
) -> Float64:
    """World points that are seen at given pixels.

    A linear solution first, then Gauss-Newton steps on the weighted squared distances in the (undistorted) pictures, in
    pixels.

    Args:
        cameras: C cameras in one world.
        xy: (C, ..., 2) pixels; NaN where a camera does not see the point.
        weight: (C, ...) for example confidences; None weighs all alike; 0 leaves a view out.
        iterations: of the refinement.

    Returns:
        (..., 3) metres; NaN where fewer than two views count, or where it would lie behind a camera that sees it.

    Raises:
        InputError: shapes that do not match the number of cameras.

    Reference: Hartley and Zisserman, Multiple View Geometry, 2nd ed., sections 12.2 and 12.3.
    """
    for camera in cameras:
        require_perspective(camera, "triangulate")
    xy = np.asarray(xy, float)
    if xy.ndim < 2 or xy.shape[0] != len(cameras) or xy.shape[-1] != 2:
        raise InputError(f"triangulate: expected xy ({len(cameras)}, ..., 2), one row per camera, got {xy.shape}")
    w = np.ones(xy.shape[:-1]) if weight is None else np.asarray(weight, float)
    if w.shape != xy.shape[:-1]:
        raise InputError(f"triangulate: expected weight {xy.shape[:-1]}, got {w.shape}")
    lead = xy.shape[1:-1]
    uv = np.stack([to_normalised(camera, view) for camera, view in zip(cameras, xy, strict=True)])
    uv = uv.reshape(len(cameras), -1, 2)
    w = w.reshape(len(cameras), -1)
    valid = np.isfinite(uv).all(-1) & (w > 0)
    focal = np.array([np.sqrt(abs(np.linalg.det(camera.K[:2, :2]))) for camera in cameras])
    root = np.sqrt(np.where(valid, w, 0.0)) * focal[:, None]
    uv = np.where(valid[..., None], uv, 0.0)

    x = _linear(cameras, uv, root)
    for _ in range(iterations):
        x = x - _step(cameras, uv, root, x)
    depth = np.stack([to_camera(camera, x)[:, 2] for camera in cameras])
    good = (valid.sum(0) >= 2) & ~((depth <= 0) & valid).any(0)
    return np.where(good[:, None], x, np.nan).reshape(*lead, 3)


def _linear(cameras: Sequence[Camera], uv: Float64, root: Float64) -> Float64:
    """Null vector of the equations u * (row 3) - row 1 = 0, v * (row 3) - row 2 = 0; (N, 3)."""
    rows = []
    for camera, view, r in zip(cameras, uv, root, strict=True):
        P = np.column_stack([camera.R_cam_world, camera.t_cam_world])
        rows.append(r[:, None, None] * (view[:, :, None] * P[2] - P[:2]))
    A = np.concatenate(rows, axis=1)
    h = np.linalg.svd(A)[2][:, -1]
    return h[:, :3] / np.where(h[:, 3:] == 0, np.nan, h[:, 3:])


def _step(cameras: Sequence[Camera], uv: Float64, root: Float64, x: Float64) -> Float64:
    """One Gauss-Newton step (N, 3) on the distances in the pictures; 0 where it cannot be computed."""
    H, g = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
    for camera, view, r in zip(cameras, uv, root, strict=True):
        cam = to_camera(camera, x)
        z = np.where(np.abs(cam[:, 2]) > 1e-9, cam[:, 2], 1e-9)
        seen = cam[:, :2] / z[:, None]
        # derivative of (X/Z, Y/Z) by the world point
        J = (camera.R_cam_world[:2] - seen[:, :, None] * camera.R_cam_world[2]) / z[:, None, None]
        J, e = r[:, None, None] * J, r[:, None] * (seen - view)
        H += np.swapaxes(J, 1, 2) @ J
        g += (np.swapaxes(J, 1, 2) @ e[..., None])[..., 0]
    # A trace of damping keeps points that only one view sees from failing the whole batch.
    H += (1e-12 * np.trace(H, axis1=1, axis2=2) + 1e-300)[:, None, None] * np.eye(3)
    step = np.linalg.solve(np.nan_to_num(H) + 1e-300 * np.eye(3), np.nan_to_num(g)[..., None])[..., 0]
    return np.where(np.isfinite(step).all(-1, keepdims=True), step, 0.0)
