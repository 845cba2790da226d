"""The similarity that lays one set of points on another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.types import Float64


def align(
    src: ArrayLike, dst: ArrayLike, weight: ArrayLike | None = None, scale: bool = True
) -> tuple[Float64, Float64, Float64]:
    """Scale, rotation and translation with the least weighted squares of ``s * R @ src + t - dst``.

    Points that are not finite in either set count nothing. Where fewer than three points fix no rotation, the smallest
    of the possible rotations is not sought: some valid rotation comes back.

    Args:
        src: (..., N, 3).
        dst: (..., N, 3).
        weight: (..., N), not negative; None weighs all alike.
        scale: False holds the scale at 1.

    Returns:
        s (...,), R (..., 3, 3) with determinant 1, t (..., 3); NaN where no point counts.

    Raises:
        InputError: shapes that do not match.

    Reference: Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    src, dst = np.asarray(src, float), np.asarray(dst, float)
    if src.shape[-2:] != dst.shape[-2:] or src.shape[-1] != 3:
        raise InputError(f"align: expected two arrays (..., N, 3) of the same N, got {src.shape} and {dst.shape}")
    src, dst = np.broadcast_arrays(src, dst)
    w = np.ones(src.shape[:-1]) if weight is None else np.broadcast_to(np.asarray(weight, float), src.shape[:-1])
    valid = np.isfinite(src).all(-1) & np.isfinite(dst).all(-1) & (w > 0)
    w = np.where(valid, w, 0.0)
    src, dst = (np.where(valid[..., None], points, 0.0) for points in (src, dst))
    total = w.sum(-1)
    share = (w / np.where(total > 0, total, np.nan)[..., None])[..., None]

    mean_src, mean_dst = (share * src).sum(-2), (share * dst).sum(-2)
    a, b = src - mean_src[..., None, :], dst - mean_dst[..., None, :]
    covariance = np.swapaxes(share * b, -1, -2) @ a
    U, D, Vt = np.linalg.svd(np.nan_to_num(covariance))
    sign = np.ones((*D.shape[:-1], 3))
    sign[..., 2] = np.where(np.linalg.det(U @ Vt) < 0, -1.0, 1.0)
    R = (U * sign[..., None, :]) @ Vt
    spread = (share * a * a).sum((-1, -2))
    s = (D * sign).sum(-1) / np.where(spread > 0, spread, np.nan) if scale else np.ones(total.shape)
    s = np.where(total > 0, np.where(np.isfinite(s), s, 1.0), np.nan)
    R = np.where((total > 0)[..., None, None], R, np.nan)
    return s, R, mean_dst - s[..., None] * (R @ mean_src[..., None])[..., 0]


def apply_similarity(s: ArrayLike, R: ArrayLike, t: ArrayLike, x: ArrayLike) -> Float64:
    """Points (..., N, 3) under similarities ``s * R @ x + t`` of the leading dimensions."""
    turned = np.asarray(x, float) @ np.swapaxes(np.asarray(R, float), -1, -2)
    return np.asarray(s, float)[..., None, None] * turned + np.asarray(t, float)[..., None, :]
