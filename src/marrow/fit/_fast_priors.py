"""Kernels: pose prior, joint limits and smoothness, added to the banded normal equations (layout: _fast_residuals)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow._compile import kernel
from marrow.fit._fast_kinematics import Ints

Floats = NDArray[np.float64]


class Slots(NamedTuple):
    """Tangent coordinates under a prior: n slots, the first m of them those of the mixture.

    A slot of a ball is one component of the rotation vector of its joint rotation; a slot of a hinge is its angle.
    """

    dof: Ints  # (n,) first unknown of the joint
    body: Ints  # (n,) body of the ball, -1 for a hinge
    part: Ints  # (n,) component of the rotation vector, or hinge number
    mean: Floats  # (n,) of the separate Gaussians
    precision: Floats  # (n,) of the separate Gaussians; 0 = none
    lower: Floats  # (n,) limits
    upper: Floats
    limit_precision: float


class Mixture(NamedTuple):
    """Gaussian mixture over the first m slots: component constants, means, precision matrices."""

    constant: Floats  # (M,) log weight + half log determinant of the precision
    mean: Floats  # (M, m)
    precision: Floats  # (M, m, m)


class Smooth(NamedTuple):
    """Which unknowns are smooth in time, with 1 / variance of their acceleration."""

    ball_body: Ints  # (nb,)
    ball_dof: Ints  # (nb,) first of three unknowns
    ball_precision: Floats  # (nb, 3) (rad/s^2)^-2
    hinge: Ints  # (nh,) hinge numbers
    hinge_dof: Ints
    hinge_precision: Floats
    root_dof: int  # first unknown of the root's translation
    root_precision: Floats  # (3,) (m/s^2)^-2


@kernel()
def log_rotation(R, out):
    """Rotation vector (3,) of a rotation matrix; the angle is in [0, pi]."""
    x, y, z = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]
    cos = 0.5 * (R[0, 0] + R[1, 1] + R[2, 2] - 1.0)
    sin = 0.5 * np.sqrt(x * x + y * y + z * z)
    angle = np.arctan2(sin, cos)
    if sin > 1e-7 and cos > -0.99:
        k = 0.5 * angle / sin
        out[0], out[1], out[2] = k * x, k * y, k * z
    elif cos > 0.0:
        out[0], out[1], out[2] = 0.5 * x, 0.5 * y, 0.5 * z
    else:  # near half a turn: the axis from the symmetric part, its sign from the rest
        i = 0
        if R[1, 1] > R[i, i]:
            i = 1
        if R[2, 2] > R[i, i]:
            i = 2
        one = max(1.0 - cos, 1e-12)
        axis = np.empty(3)
        for j in range(3):
            axis[j] = 0.5 * (R[i, j] + R[j, i]) / one
        axis[i] = max((R[i, i] - cos) / one, 0.0)
        norm = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
        sign = 1.0 if axis[0] * x + axis[1] * y + axis[2] * z >= 0.0 else -1.0
        for j in range(3):
            out[j] = sign * angle * axis[j] / norm


@kernel()
def inverse_right_jacobian(v, sign, out):
    """(3,3) derivative of log(exp(v) exp(x)) by x (``sign`` 1) or of log(exp(x) exp(v)) (``sign`` -1) at x = 0."""
    a2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    a = np.sqrt(a2)
    if a < 1e-4:
        c = 1.0 / 12.0
    elif a > 3.14159:
        c = 1.0 / a2
    else:
        c = 1.0 / a2 - (1.0 + np.cos(a)) / (2.0 * a * np.sin(a))
    x, y, z = 0.5 * sign * v[0], 0.5 * sign * v[1], 0.5 * sign * v[2]
    for i in range(3):
        for j in range(3):
            out[i, j] = c * v[i] * v[j]
        out[i, i] += 1.0 - c * a2
    out[0, 1] -= z
    out[0, 2] += y
    out[1, 0] += z
    out[1, 2] -= x
    out[2, 0] -= y
    out[2, 1] += x


@kernel()
def _mixture(mix, value, z, share, gradient, curvature):
    """Negative log density of the mixture, its gradient and the mean precision (positive semi-definite)."""
    M, m = mix.mean.shape
    best = -np.inf
    for c in range(M):
        q = 0.0
        for i in range(m):
            y = 0.0
            for j in range(m):
                y += mix.precision[c, i, j] * (value[j] - mix.mean[c, j])
            z[c, i] = y
            q += y * (value[i] - mix.mean[c, i])
        share[c] = mix.constant[c] - 0.5 * q
        best = max(best, share[c])
    total = 0.0
    for c in range(M):
        share[c] = np.exp(share[c] - best)
        total += share[c]
    gradient[:m] = 0.0
    curvature[:m, :m] = 0.0
    for c in range(M):
        w = share[c] / total
        if w < 1e-6:
            continue
        for i in range(m):
            gradient[i] += w * z[c, i]
            for j in range(i + 1):
                curvature[i, j] += w * mix.precision[c, i, j]
    return -(best + np.log(total))


@kernel()
def add_prior(d, slots, mix, weight, share, ball, angle, band, g):
    """Add ``weight`` x the pose prior and the limits of every frame; returns (prior cost, limit cost)."""
    n, m, M = slots.dof.shape[0], mix.mean.shape[1], mix.mean.shape[0]
    value, v, jac = np.empty(n), np.empty(3), np.zeros((n, 3))
    J = np.empty((3, 3))
    z, part = np.empty((M, m)), np.empty(M)
    gradient, curvature = np.zeros(n), np.zeros((n, n))
    cost, limits = 0.0, 0.0
    for t in range(ball.shape[0]):
        for i in range(n):
            b, k = slots.body[i], slots.part[i]
            if b < 0:
                value[i] = angle[t, k]
                jac[i, 0] = 1.0
                continue
            log_rotation(ball[t, b], v)
            inverse_right_jacobian(v, 1.0, J)
            value[i] = v[k]
            jac[i, 0], jac[i, 1], jac[i, 2] = J[k, 0], J[k, 1], J[k, 2]
        w = weight * share[t]
        if M > 0:
            cost += w * _mixture(mix, value, z, part, gradient, curvature)
            for i in range(m):
                gradient[i] *= w
                for j in range(i + 1):
                    curvature[i, j] *= w
        for i in range(n):
            if i >= m:
                gradient[i] = w * slots.precision[i] * (value[i] - slots.mean[i])
                curvature[i, i] = w * slots.precision[i]
                cost += 0.5 * w * slots.precision[i] * (value[i] - slots.mean[i]) ** 2
            over = max(value[i] - slots.upper[i], 0.0) + min(value[i] - slots.lower[i], 0.0)
            if over != 0.0:
                stiff = share[t] * slots.limit_precision
                limits += 0.5 * stiff * over * over
                gradient[i] += stiff * over
                curvature[i, i] += stiff
        _spread(d, t, n, m, slots, jac, gradient, curvature, band, g)
    return cost, limits


@kernel()
def _spread(d, t, n, m, slots, jac, gradient, curvature, band, g):
    """Chain the slots' gradient and curvature to the unknowns of frame ``t``."""
    row0 = t * d
    for i in range(n):
        fi, ni = slots.dof[i], 1 if slots.body[i] < 0 else 3
        for a in range(ni):
            g[row0 + fi + a] += jac[i, a] * gradient[i]
        for j in range(i + 1):
            if j != i and i >= m:
                continue
            c = curvature[i, j]
            if c == 0.0:
                continue
            fj, nj = slots.dof[j], 1 if slots.body[j] < 0 else 3
            for a in range(ni):
                for b in range(nj):
                    x = c * jac[i, a] * jac[j, b]
                    p, q = fi + a, fj + b
                    if i == j:
                        if p >= q:
                            band[row0 + q, p - q] += x
                    elif p > q:
                        band[row0 + q, p - q] += x
                    elif p < q:
                        band[row0 + p, q - p] += x
                    else:
                        band[row0 + q, 0] += 2.0 * x


@kernel()
def _add_second_difference(row0, d, width, J, a, precision, band, g):
    """Add the residual ``a`` with blocks ``J`` (3 frames, width, width) starting at row ``row0`` of the first frame."""
    for x in range(3):
        for i in range(width):
            row = row0 + x * d + i
            for k in range(width):
                g[row] += J[x, k, i] * precision[k] * a[k]
            for y in range(x + 1):
                for j in range(width):
                    col = row0 + y * d + j
                    if col > row:
                        continue
                    h = 0.0
                    for k in range(width):
                        h += J[x, k, i] * precision[k] * J[y, k, j]
                    band[col, row - col] += h


@kernel()
def _ball_acceleration(ball, t, b, dt, e, J, a):
    """Second difference of log(R_{t-1}ᵀ R_t) around frame ``t`` with its three Jacobian blocks."""
    rel, inv = np.empty((3, 3)), np.empty((3, 3))
    for side in range(2):
        A, B = ball[t - 1 + side, b], ball[t + side, b]
        for i in range(3):
            for j in range(3):
                rel[i, j] = A[0, i] * B[0, j] + A[1, i] * B[1, j] + A[2, i] * B[2, j]
        log_rotation(rel, e[side])
    span = 0.5 * (dt[t - 1] + dt[t])
    J[:] = 0.0
    for side in range(2):
        sign = (2.0 * side - 1.0) / (dt[t - 1 + side] * span)
        inverse_right_jacobian(e[side], 1.0, inv)
        J[side + 1] += sign * inv
        inverse_right_jacobian(e[side], -1.0, inv)
        J[side] -= sign * inv
    for i in range(3):
        a[i] = (e[1, i] / dt[t] - e[0, i] / dt[t - 1]) / span
    return span


@kernel()
def add_smooth(d, smooth, rate, dt, ball, angle, root, band, g):
    """Add the integral over time of acceleration² / (2 variance), in units of 1 / rate seconds; returns the cost."""
    T = ball.shape[0]
    e, J, a = np.empty((2, 3)), np.empty((3, 3, 3)), np.empty(3)
    line, one = np.empty((3, 1, 1)), np.empty(1)
    precision = np.empty(3)
    cost = 0.0
    for t in range(1, T - 1):
        row0 = (t - 1) * d
        for n in range(smooth.ball_body.shape[0]):
            span = _ball_acceleration(ball, t, smooth.ball_body[n], dt, e, J, a)
            for i in range(3):
                precision[i] = smooth.ball_precision[n, i] * span * rate
                cost += 0.5 * precision[i] * a[i] * a[i]
            _add_second_difference(row0 + smooth.ball_dof[n], d, 3, J, a, precision, band, g)
        span = 0.5 * (dt[t - 1] + dt[t])
        line[0, 0, 0] = 1.0 / (dt[t - 1] * span)
        line[2, 0, 0] = 1.0 / (dt[t] * span)
        line[1, 0, 0] = -line[0, 0, 0] - line[2, 0, 0]
        for n in range(smooth.hinge.shape[0]):
            h = smooth.hinge[n]
            x0, x1, x2 = angle[t - 1, h], angle[t, h], angle[t + 1, h]
            one[0] = line[0, 0, 0] * x0 + line[1, 0, 0] * x1 + line[2, 0, 0] * x2
            precision[0] = smooth.hinge_precision[n] * span * rate
            cost += 0.5 * precision[0] * one[0] ** 2
            _add_second_difference(row0 + smooth.hinge_dof[n], d, 1, line, one, precision, band, g)
        for i in range(3):
            one[0] = line[0, 0, 0] * root[t - 1, i] + line[1, 0, 0] * root[t, i] + line[2, 0, 0] * root[t + 1, i]
            precision[0] = smooth.root_precision[i] * span * rate
            cost += 0.5 * precision[0] * one[0] ** 2
            _add_second_difference(row0 + smooth.root_dof + i, d, 1, line, one, precision, band, g)
    return cost
