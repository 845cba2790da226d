"""Rotations as matrices, rotation vectors, quaternions (xyzw) and body-fixed Z-X-Y angles, in numpy float64.

Every function takes any leading dimensions. Matrices act on column vectors: ``y = R @ x``. Angles are radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.types import Float64


def hat(v: ArrayLike) -> Float64:
    """Cross-product matrix of (..., 3) vectors: ``hat(v) @ x == cross(v, x)``, (..., 3, 3)."""
    v = np.asarray(v, float)
    out = np.zeros((*v.shape[:-1], 3, 3))
    out[..., 2, 1] = v[..., 0]
    out[..., 0, 2] = v[..., 1]
    out[..., 1, 0] = v[..., 2]
    return out - np.swapaxes(out, -1, -2)


def exp(v: ArrayLike) -> Float64:
    """Rotation matrix (..., 3, 3) of a rotation vector (..., 3): axis times angle (Rodrigues' formula)."""
    v = np.asarray(v, float)
    angle = np.sqrt((v * v).sum(-1))[..., None, None]
    K = hat(v)
    # np.sinc has no 0/0 at angle 0, so neither factor needs a branch.
    return np.eye(3) + np.sinc(angle / np.pi) * K + 0.5 * np.sinc(angle / (2 * np.pi)) ** 2 * (K @ K)


def log(R: ArrayLike) -> Float64:
    """Rotation vector (..., 3) of rotation matrices (..., 3, 3), of length at most π.

    Accurate at both ends, near the identity and near half a turn, because it goes through the quaternion.
    """
    q = quaternion_from_matrix(R)
    q = np.where(q[..., 3:] < 0, -q, q)
    length = np.sqrt((q[..., :3] ** 2).sum(-1))
    angle = 2 * np.arctan2(length, q[..., 3])
    # For small turns angle / length tends to 2 / w, and w is 1 there.
    factor = np.where(length > 1e-150, angle / np.maximum(length, 1e-150), 2.0)
    return q[..., :3] * factor[..., None]


def left_jacobian(v: ArrayLike) -> Float64:
    """Left Jacobian J (..., 3, 3) of the exponential: ``exp(v + d) ≈ exp(J @ d) @ exp(v)`` for small d.

    The right Jacobian, ``exp(v + d) ≈ exp(v) @ exp(J_r @ d)``, is ``left_jacobian(-v)``.

    Reference: Chirikjian, Stochastic Models, Information Theory, and Lie Groups, vol. 2, eq. 10.86.
    """
    v = np.asarray(v, float)
    angle = np.sqrt((v * v).sum(-1))[..., None, None]
    K = hat(v)
    half = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    small = angle < 1e-2
    safe = np.where(small, 1.0, angle)
    series = 1 / 6 - angle**2 / 120 + angle**4 / 5040
    third = np.where(small, series, (safe - np.sin(safe)) / safe**3)
    return np.eye(3) + half * K + third * (K @ K)


def axis_angle(axis: ArrayLike, angle: ArrayLike) -> Float64:
    """Rotation matrix (..., 3, 3) about ``axis`` (..., 3), of any length but zero, by ``angle`` (...,)."""
    return exp(_unit(axis) * np.asarray(angle, float)[..., None])


def rotation_x(angle: ArrayLike) -> Float64:
    """Rotation about X, (..., 3, 3)."""
    return axis_angle((1.0, 0.0, 0.0), angle)


def rotation_y(angle: ArrayLike) -> Float64:
    """Rotation about Y, (..., 3, 3)."""
    return axis_angle((0.0, 1.0, 0.0), angle)


def rotation_z(angle: ArrayLike) -> Float64:
    """Rotation about Z, (..., 3, 3)."""
    return axis_angle((0.0, 0.0, 1.0), angle)


# ---------------------------------------------------------------------------------------------------------------------
# Body-fixed Z-X-Y angles: R = Rz(a0) @ Rx(a1) @ Ry(a2), the order of OpenSim's hip, lumbar and shoulder joints
# ---------------------------------------------------------------------------------------------------------------------


def from_euler_zxy(angles: ArrayLike) -> Float64:
    """Rotation matrix (..., 3, 3) of body-fixed Z-X-Y angles (..., 3): ``Rz(a0) @ Rx(a1) @ Ry(a2)``."""
    a = np.asarray(angles, float)
    (sz, sx, sy), (cz, cx, cy) = np.moveaxis(np.sin(a), -1, 0), np.moveaxis(np.cos(a), -1, 0)
    rows = [
        [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
        [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
        [-cx * sy, sx, cx * cy],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def euler_zxy(R: ArrayLike) -> Float64:
    """Body-fixed Z-X-Y angles (..., 3) of rotation matrices, the second in [-π/2, π/2].

    In gimbal lock (second angle ±π/2) only a sum of the outer angles is determined; the third is then 0.
    """
    R = np.asarray(R, float)
    cos_x = np.hypot(R[..., 0, 1], R[..., 1, 1])
    locked = cos_x < 1e-12
    z = np.where(locked, np.arctan2(R[..., 1, 0], R[..., 0, 0]), np.arctan2(-R[..., 0, 1], R[..., 1, 1]))
    x = np.arctan2(R[..., 2, 1], cos_x)
    y = np.where(locked, 0.0, np.arctan2(-R[..., 2, 0], R[..., 2, 2]))
    return np.stack([z, x, y], -1)


def euler_zxy_jacobian(angles: ArrayLike) -> Float64:
    """J (..., 3, 3) from rates of the angles to angular velocity in the turned frame.

    ``from_euler_zxy(a + d) ≈ from_euler_zxy(a) @ exp(J @ d)``. Its determinant is the cosine of the second angle: it
    cannot be inverted in gimbal lock.
    """
    a = np.asarray(angles, float)
    (_, sx, sy), (_, cx, cy) = np.moveaxis(np.sin(a), -1, 0), np.moveaxis(np.cos(a), -1, 0)
    zero, one = np.zeros_like(sx), np.ones_like(sx)
    columns = [[-cx * sy, sx, cx * cy], [cy, zero, sy], [zero, one, zero]]
    return np.stack([np.stack(column, -1) for column in columns], -1)


def unwrap_zxy(angles: ArrayLike, *, near_zero: bool = False) -> Float64:
    """The same rotations with angles (T, ..., 3) that do not jump from one frame to the next.

    Every rotation has the two descriptions (z, x, y) and (z+π, π-x, y+π), each up to full turns; the one nearest to the
    frame before is taken. NaN frames are passed over. The first valid frame stays as it is.

    Args:
        near_zero: jump after all to a description whose angles are in sum more than half a turn smaller. An arm that
            goes up on one way and comes down on another else hangs at (180°, -180°, 180°) instead of zero ever after.
    """
    out = np.array(angles, float)
    turn = 2 * np.pi
    last = np.full(out.shape[1:], np.nan)
    for frame in out:
        other = np.stack([frame[..., 0] + np.pi, np.pi - frame[..., 1], frame[..., 2] + np.pi], -1)
        known = np.isfinite(last).all(-1, keepdims=True)
        reference = np.where(known, last, frame)
        here = frame - turn * np.round((frame - reference) / turn)
        there = other - turn * np.round((other - reference) / turn)
        nearer = np.abs(there - reference).sum(-1) < np.abs(here - reference).sum(-1) - 1e-9
        frame[...] = np.where(nearer[..., None] & known, there, here)
        for home in (here, there) if near_zero else ():
            home = home - turn * np.round(home / turn)
            smaller = np.abs(home).sum(-1, keepdims=True) + np.pi < np.abs(frame).sum(-1, keepdims=True)
            frame[...] = np.where(smaller, home, frame)
        last = np.where(np.isfinite(frame).all(-1, keepdims=True), frame, last)
    return out


# ---------------------------------------------------------------------------------------------------------------------
# Quaternions, xyzw
# ---------------------------------------------------------------------------------------------------------------------


def quaternion_from_matrix(R: ArrayLike) -> Float64:
    """Unit quaternions xyzw (..., 4) of rotation matrices (..., 3, 3); the sign is free.

    Reference: Shepperd, Quaternion from rotation matrix, 1978 (the largest of the four components is divided by).
    """
    R = np.asarray(R, float)
    xx, yy, zz = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    wx, wy, wz = R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]
    xy, xz, yz = R[..., 0, 1] + R[..., 1, 0], R[..., 0, 2] + R[..., 2, 0], R[..., 1, 2] + R[..., 2, 1]
    # Four times the outer product of the quaternion with itself; its row of largest diagonal is the best conditioned.
    rows = [
        [1 + xx - yy - zz, xy, xz, wx],
        [xy, 1 - xx + yy - zz, yz, wy],
        [xz, yz, 1 - xx - yy + zz, wz],
        [wx, wy, wz, 1 + xx + yy + zz],
    ]
    outer = np.stack([np.stack(row, -1) for row in rows], -2)
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), -1)
    q = np.take_along_axis(outer, best[..., None, None], -2)[..., 0, :]
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def matrix_from_quaternion(q: ArrayLike) -> Float64:
    """Rotation matrices (..., 3, 3) of quaternions xyzw (..., 4), which need not have length 1."""
    u = _unit(q)
    v, w = u[..., :3], u[..., 3, None, None]
    K = hat(v)
    return np.eye(3) + 2 * w * K + 2 * (K @ K)


def quaternion_multiply(a: ArrayLike, b: ArrayLike) -> Float64:
    """Product of quaternions xyzw (..., 4): the rotation ``b`` followed by ``a``."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    v = aw * bv + bw * av + np.cross(av, bv)
    w = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([v, w], -1)


def continuous_quaternions(q: ArrayLike) -> Float64:
    """The same rotations (T, ..., 4), with signs such that neighbours in time are nearest (to interpolate)."""
    out = np.array(q, float)
    for t in range(1, len(out)):
        flip = (out[t] * out[t - 1]).sum(-1, keepdims=True) < 0
        out[t] = np.where(flip, -out[t], out[t])
    return out


# ---------------------------------------------------------------------------------------------------------------------
# Distances, means and interpolation
# ---------------------------------------------------------------------------------------------------------------------


def angle_between(R1: ArrayLike, R2: ArrayLike) -> Float64:
    """Angle (...,) of the rotation that leads from ``R1`` to ``R2``, in [0, π]."""
    relative = np.swapaxes(np.asarray(R1, float), -1, -2) @ np.asarray(R2, float)
    return np.linalg.norm(log(relative), axis=-1)


def slerp(R0: ArrayLike, R1: ArrayLike, fraction: ArrayLike) -> Float64:
    """Rotation (..., 3, 3) on the shortest way from ``R0`` (fraction 0) to ``R1`` (fraction 1)."""
    R0 = np.asarray(R0, float)
    step = log(np.swapaxes(R0, -1, -2) @ np.asarray(R1, float))
    return R0 @ exp(step * np.asarray(fraction, float)[..., None])


def nearest_rotation(M: ArrayLike) -> Float64:
    """The rotation (..., 3, 3) nearest to a matrix in the Frobenius norm (orthogonal Procrustes problem)."""
    U, _, Vt = np.linalg.svd(np.asarray(M, float))
    sign = np.ones((*U.shape[:-2], 3))
    sign[..., 2] = np.where(np.linalg.det(U @ Vt) < 0, -1.0, 1.0)
    return (U * sign[..., None, :]) @ Vt


def mean_rotation(R: ArrayLike, weight: ArrayLike | None = None) -> Float64:
    """Chordal mean (3, 3) of rotations (N, 3, 3): the rotation nearest to their weighted sum."""
    R = np.asarray(R, float)
    w = np.ones(len(R)) if weight is None else np.asarray(weight, float)
    return nearest_rotation(np.einsum("n,nij->ij", w, R))


def rotation_between(a: ArrayLike, b: ArrayLike) -> Float64:
    """The smallest rotation (..., 3, 3) that turns direction ``a`` (..., 3) into direction ``b`` (..., 3).

    For opposite directions some axis at right angles to ``a`` is taken.
    """
    start, end = np.broadcast_arrays(_unit(a), _unit(b))
    # Half-way quaternion (a × b, 1 + a·b); where it vanishes, half a turn about an axis square to a.
    w = 1 + (start * end).sum(-1, keepdims=True)
    least = np.eye(3)[np.argmin(np.abs(start), -1)]
    opposite = np.concatenate([np.cross(start, least), np.zeros_like(w)], -1)
    q = np.concatenate([np.cross(start, end), w], -1)
    return matrix_from_quaternion(np.where(w < 1e-14, opposite, q))


def _unit(v: ArrayLike) -> Float64:
    v = np.asarray(v, float)
    return v / np.linalg.norm(v, axis=-1, keepdims=True)
