"""Kernels: residuals of one person's frames, added to the banded normal equations.

The matrix of a person is symmetric; element ``A[i, j]`` (``i >= j``) of the band lives in ``band[j, i - j]``, which is
LAPACK's lower band storage transposed. Unknown ``f`` of frame ``t`` is row ``t * d + f``. Columns of the border are the
person's shape (S), then log focal length, two tilts of the floor and its height.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow._compile import kernel
from marrow.fit._fast_kinematics import (
    BALL,
    Ints,
    place_points,
    point_jacobian,
    pose_tree,
    shape_jacobian,
)

Floats = NDArray[np.float64]

#: Border columns after the shape.
FOCAL, TILT, HEIGHT, SHARED = 0, 1, 3, 4
#: Rows of the table of costs by kind.
REPROJECTION, DIRECTION, POINT, FLOOR, UPRIGHT, PRIOR, SMOOTH, KINDS = 0, 1, 2, 3, 4, 5, 6, 7
_NEAREST = 0.2  # metres before the camera; a point nearer than this is not predicted


class Observations(NamedTuple):
    """Everything seen of one person (T frames). Weights carry confidence and the frame's share of time; 0 = absent."""

    rotation: Floats  # (V, 3, 3) R_cam_world of each view
    shift: Floats  # (V, 3)
    lens: Floats  # (V, 4) fx fy cx cy
    pixel_view: Ints  # (N,)
    pixel_point: Ints  # (N,)
    pixel: Floats  # (T, N, 2)
    pixel_sd: Floats  # (T, N)
    pixel_weight: Floats  # (T, N)
    pair: Ints  # (M, 2) points whose direction is known
    pair_start: Ints  # (M + 1,) unknowns that move either, sorted
    pair_dof: Ints
    direction: Floats  # (T, M, 3) unit, world
    direction_weight: Floats  # (T, M) 1 / sd^2
    place_point: Ints  # (P,)
    place: Floats  # (T, P, 3) world
    place_weight: Floats  # (T, P) 1 / sd^2
    foot_point: Ints  # (F,)
    foot_contact: Floats  # (T, F) probability x share of time
    upright_body: int
    upright_span: Ints  # (2,) first and last of upright_dof
    upright_dof: Ints  # unknowns that turn that body
    share: Floats  # (T,) share of time of each frame (1 at 30 Hz and slower)
    dt: Floats  # (T - 1,) seconds


class Scales(NamedTuple):
    """Standard deviations and robust scales (Geman-McClure, in standard deviations; 0 = quadratic)."""

    robust_pixel: float
    robust_direction: float
    robust_place: float
    direction: float  # multiplies the weight of directions
    contact_height: float  # m
    contact_speed: float  # m/s
    below: float  # m; 0 = no floor
    upright: float  # 1 / rad^2 per share of time; 0 = off


class Shared(NamedTuple):
    """State of the camera and the floor."""

    focal: float  # factor on the focal lengths
    up: Floats  # (3, 3) columns: tilt axis, normal of the floor, tilt axis
    height: float  # m along the normal


@kernel()
def _robust(s2, scale):
    """Geman-McClure cost and weight of a squared normalised residual."""
    if scale <= 0.0:
        return 0.5 * s2, 1.0
    c2 = scale * scale
    share = c2 / (s2 + c2)
    return 0.5 * s2 * share, share * share


@kernel()
def _add(J, dofs, lo, hi, Jb, used, r, weight, row0, H, g, C, Hb, gb):
    """Add weight * JᵀJ of the residuals ``r`` (m,) to the frame's block ``H``, the gradient, the cross block and the border."""
    for m in range(r.shape[0]):
        wr = weight * r[m]
        for a in range(lo, hi):
            i = dofs[a]
            wj = weight * J[m, i]
            g[row0 + i] += J[m, i] * wr
            for b in range(lo, a + 1):
                H[i, dofs[b]] += wj * J[m, dofs[b]]
            for c in range(used):
                C[row0 + i, c] += wj * Jb[m, c]
        for a in range(used):
            wj = weight * Jb[m, a]
            gb[a] += wj * r[m]
            for c in range(a + 1):
                Hb[a, c] += wj * Jb[m, c]


@kernel()
def _store(H, row0, band):
    """Add the lower triangle of a frame's block to the band and empty it."""
    d = H.shape[0]
    for j in range(d):
        for i in range(j, d):
            band[row0 + j, i - j] += H[i, j]
    H[:] = 0.0


@kernel()
def _project(obs, shared, view, x, P):
    """Pixel of world point ``x`` and its derivative ``P`` (2,3); the third value is the depth."""
    R, t = obs.rotation[view], obs.shift[view]
    u = R[0, 0] * x[0] + R[0, 1] * x[1] + R[0, 2] * x[2] + t[0]
    v = R[1, 0] * x[0] + R[1, 1] * x[1] + R[1, 2] * x[2] + t[1]
    z = R[2, 0] * x[0] + R[2, 1] * x[1] + R[2, 2] * x[2] + t[2]
    if z < _NEAREST:
        return 0.0, 0.0, z
    fx, fy = obs.lens[view, 0] * shared.focal, obs.lens[view, 1] * shared.focal
    for i in range(3):
        P[0, i] = fx * (R[0, i] - u / z * R[2, i]) / z
        P[1, i] = fy * (R[1, i] - v / z * R[2, i]) / z
    return fx * u / z + obs.lens[view, 2], fy * v / z + obs.lens[view, 3], z


@kernel()
def _pixels(t, d, S, points, obs, scales, shared, X, JX, JS, work, H, g, C, Hb, gb, costs, residual):
    """Reprojection: (pixel - observed) / sd."""
    P, J, Jb, _, r, _ = work
    for n in range(obs.pixel_point.shape[0]):
        weight = obs.pixel_weight[t, n]
        if weight <= 0.0:
            continue
        k, view, isd = obs.pixel_point[n], obs.pixel_view[n], 1.0 / obs.pixel_sd[t, n]
        u, v, z = _project(obs, shared, view, X[k], P)
        if z < _NEAREST:
            costs[REPROJECTION] += weight * _robust(1e12, scales.robust_pixel)[0]
            residual[t, n] = np.inf
            continue
        r[0] = (u - obs.pixel[t, n, 0]) * isd
        r[1] = (v - obs.pixel[t, n, 1]) * isd
        s2 = r[0] * r[0] + r[1] * r[1]
        residual[t, n] = np.sqrt(s2) / isd
        cost, robust = _robust(s2, scales.robust_pixel)
        costs[REPROJECTION] += weight * cost
        lo, hi = points.dof_start[k], points.dof_start[k + 1]
        for m in range(2):
            p0, p1, p2 = P[m, 0] * isd, P[m, 1] * isd, P[m, 2] * isd
            for a in range(lo, hi):
                f = points.dof[a]
                J[m, f] = p0 * JX[k, 0, f] + p1 * JX[k, 1, f] + p2 * JX[k, 2, f]
            for s in range(S):
                Jb[m, s] = p0 * JS[k, 0, s] + p1 * JS[k, 1, s] + p2 * JS[k, 2, s]
        Jb[0, S + FOCAL] = (u - obs.lens[view, 2]) * isd
        Jb[1, S + FOCAL] = (v - obs.lens[view, 3]) * isd
        _add(J, points.dof, lo, hi, Jb, S + 1, r, weight * robust, t * d, H, g, C, Hb, gb)


@kernel()
def _directions(t, d, S, obs, scales, X, JX, JS, work, H, g, C, Hb, gb, costs):
    """Unit vector between two points against the observed one."""
    _, J, Jb, _, _, r = work
    u = np.empty(3)
    for n in range(obs.pair.shape[0]):
        weight = obs.direction_weight[t, n] * scales.direction
        if weight <= 0.0:
            continue
        a, b = obs.pair[n]
        for i in range(3):
            u[i] = X[b, i] - X[a, i]
        length = max(np.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]), 1e-6)
        s2 = 0.0
        for i in range(3):
            u[i] /= length
            r[i] = u[i] - obs.direction[t, n, i]
            s2 += r[i] * r[i]
        # the robust scale is in standard deviations, the residual is not
        s2 *= obs.direction_weight[t, n] / obs.share[t]
        cost, robust = _robust(s2, scales.robust_direction)
        costs[DIRECTION] += cost * scales.direction * obs.share[t]
        lo, hi = obs.pair_start[n], obs.pair_start[n + 1]
        for q in range(lo, hi):
            f = obs.pair_dof[q]
            v0, v1, v2 = JX[b, 0, f] - JX[a, 0, f], JX[b, 1, f] - JX[a, 1, f], JX[b, 2, f] - JX[a, 2, f]
            along = u[0] * v0 + u[1] * v1 + u[2] * v2
            J[0, f] = (v0 - along * u[0]) / length
            J[1, f] = (v1 - along * u[1]) / length
            J[2, f] = (v2 - along * u[2]) / length
        for s in range(S):
            v0, v1, v2 = JS[b, 0, s] - JS[a, 0, s], JS[b, 1, s] - JS[a, 1, s], JS[b, 2, s] - JS[a, 2, s]
            along = u[0] * v0 + u[1] * v1 + u[2] * v2
            Jb[0, s] = (v0 - along * u[0]) / length
            Jb[1, s] = (v1 - along * u[1]) / length
            Jb[2, s] = (v2 - along * u[2]) / length
        _add(J, obs.pair_dof, lo, hi, Jb, S, r, weight * robust, t * d, H, g, C, Hb, gb)


@kernel()
def _places(t, d, S, points, obs, scales, X, JX, JS, work, H, g, C, Hb, gb, costs):
    """3-D points: metres from the observed place."""
    r = work[5]
    for n in range(obs.place_point.shape[0]):
        weight = obs.place_weight[t, n]
        if weight <= 0.0:
            continue
        k = obs.place_point[n]
        s2 = 0.0
        for i in range(3):
            r[i] = X[k, i] - obs.place[t, n, i]
            s2 += r[i] * r[i]
        cost, robust = _robust(s2 * weight / obs.share[t], scales.robust_place)
        costs[POINT] += cost * obs.share[t]
        lo, hi = points.dof_start[k], points.dof_start[k + 1]
        _add(JX[k], points.dof, lo, hi, JS[k], S, r, weight * robust, t * d, H, g, C, Hb, gb)


@kernel()
def _floor(t, d, S, points, obs, scales, shared, X, JX, JS, work, H, g, C, Hb, gb, costs):
    """Foot points: never below the floor; on it while in contact."""
    _, J, Jb, r, _, _ = work
    up = shared.up
    for n in range(obs.foot_point.shape[0]):
        k = obs.foot_point[n]
        h = up[0, 1] * X[k, 0] + up[1, 1] * X[k, 1] + up[2, 1] * X[k, 2] - shared.height
        weight = obs.foot_contact[t, n] / scales.contact_height**2
        if h < 0.0:
            weight += obs.share[t] / scales.below**2
        if weight <= 0.0:
            continue
        costs[FLOOR] += 0.5 * weight * h * h
        r[0] = h
        lo, hi = points.dof_start[k], points.dof_start[k + 1]
        for a in range(lo, hi):
            f = points.dof[a]
            J[0, f] = up[0, 1] * JX[k, 0, f] + up[1, 1] * JX[k, 1, f] + up[2, 1] * JX[k, 2, f]
        for s in range(S):
            Jb[0, s] = up[0, 1] * JS[k, 0, s] + up[1, 1] * JS[k, 1, s] + up[2, 1] * JS[k, 2, s]
        Jb[0, S + FOCAL] = 0.0
        Jb[0, S + TILT] = up[0, 0] * X[k, 0] + up[1, 0] * X[k, 1] + up[2, 0] * X[k, 2]
        Jb[0, S + TILT + 1] = up[0, 2] * X[k, 0] + up[1, 2] * X[k, 1] + up[2, 2] * X[k, 2]
        Jb[0, S + HEIGHT] = -1.0
        _add(J, points.dof, lo, hi, Jb, S + SHARED, r, weight, t * d, H, g, C, Hb, gb)


@kernel()
def _foot_speed(t, d, S, points, obs, scales, X, JX, JS, X0, JX0, JS0, work, H, H0, band, g, C, Hb, gb, costs):
    """A foot point in contact in two neighbouring frames does not move between them (``H0``: the earlier one's block)."""
    _, J, Jb, _, _, r = work
    for n in range(obs.foot_point.shape[0]):
        weight = min(obs.foot_contact[t, n], obs.foot_contact[t - 1, n]) / (scales.contact_speed * obs.dt[t - 1]) ** 2
        if weight <= 0.0:
            continue
        k = obs.foot_point[n]
        lo, hi = points.dof_start[k], points.dof_start[k + 1]
        for i in range(3):
            r[i] = X[k, i] - X0[n, i]
            costs[FLOOR] += 0.5 * weight * r[i] * r[i]
            for s in range(S):
                Jb[i, s] = JS[k, i, s] - JS0[n, i, s]
            for a in range(lo, hi):
                J[i, points.dof[a]] = -JX0[n, i, points.dof[a]]
        _add(J, points.dof, lo, hi, Jb, S, r, weight, (t - 1) * d, H0, g, C, Hb, gb)
        for i in range(3):  # the border has had its share with the earlier frame: only the frame's own part is added
            for a in range(lo, hi):
                f = points.dof[a]
                wj = weight * JX[k, i, f]
                g[t * d + f] += wj * r[i]
                for s in range(S):
                    C[t * d + f, s] += wj * Jb[i, s]
                for b in range(lo, hi):
                    e = points.dof[b]
                    band[(t - 1) * d + e, d + f - e] -= wj * JX0[n, i, e]
                    if e <= f:
                        H[f, e] += wj * JX[k, i, e]


@kernel()
def _upright(t, d, S, tree, obs, scales, shared, R, hinge_world, work, H, g, C, Hb, gb, costs):
    """The trunk's long axis near the vertical: weak, and heavy-tailed since people also lie down."""
    _, J, Jb, _, _, r = work
    body, up = obs.upright_body, shared.up
    s2 = 0.0
    for i in range(3):
        r[i] = R[body, i, 1] - up[i, 1]
        s2 += r[i] * r[i]
    weight = scales.upright * obs.share[t]
    cost, robust = _robust(s2, 0.5)  # beyond half a radian it counts for little
    costs[UPRIGHT] += weight * cost
    y = R[body, :, 1]
    lo, hi = obs.upright_span
    for a in range(lo, hi):
        f = obs.upright_dof[a]
        index, b = tree.dof_index[f], tree.dof_body[f]
        if tree.dof_kind[f] == BALL:
            a0, a1, a2 = R[b, 0, index], R[b, 1, index], R[b, 2, index]
        else:
            a0, a1, a2 = hinge_world[index, 0], hinge_world[index, 1], hinge_world[index, 2]
        J[0, f] = a1 * y[2] - a2 * y[1]
        J[1, f] = a2 * y[0] - a0 * y[2]
        J[2, f] = a0 * y[1] - a1 * y[0]
    for i in range(3):
        for c in range(S + SHARED):
            Jb[i, c] = 0.0
        Jb[i, S + TILT] = -up[i, 0]
        Jb[i, S + TILT + 1] = -up[i, 2]
    _add(J, obs.upright_dof, lo, hi, Jb, S + SHARED, r, weight * robust, t * d, H, g, C, Hb, gb)


@kernel()
def add_evidence(tree, points, template, obs, scales, shared, ball, angle, root, band, g, C, Hb, gb, residual, X_all):
    """Add all evidence of a person to the normal equations; returns the costs by kind (KINDS,).

    ``ball`` (T,B,3,3), ``angle`` (T,M), ``root`` (T,3) are the state. ``residual`` (T,N) receives pixel errors and
    ``X_all`` (T,K,3) the points.
    """
    T, B = ball.shape[0], ball.shape[1]
    d, K, S = tree.dof_body.shape[0], points.start.shape[0] - 1, template.d_offsets.shape[0]
    F = obs.foot_point.shape[0]
    R, p, hinge_world = np.empty((B, 3, 3)), np.empty((B, 3)), np.empty((angle.shape[1], 3))
    arm, JX, JS = np.empty((points.body.shape[0], 3)), np.zeros((K, 3, d)), np.zeros((K, 3, S))
    d_origin = np.empty((B, 3, S))
    X0, JX0, JS0 = np.empty((F, 3)), np.zeros((F, 3, d)), np.zeros((F, 3, S))
    work = (np.empty((2, 3)), np.empty((3, d)), np.empty((3, S + SHARED)), np.empty(1), np.empty(2), np.empty(3))
    costs = np.zeros(KINDS)
    H, H0 = np.zeros((d, d)), np.zeros((d, d))
    for t in range(T):
        X = X_all[t]
        pose_tree(tree, template.offsets, ball[t], angle[t], root[t], R, p, hinge_world)
        place_points(points, template.local, R, p, X, arm)
        for k in range(K):
            point_jacobian(tree, points, k, R, p, hinge_world, arm, JX)
        if S > 0:
            shape_jacobian(tree, points, template, R, d_origin, JS)
        _pixels(t, d, S, points, obs, scales, shared, X, JX, JS, work, H, g, C, Hb, gb, costs, residual)
        _directions(t, d, S, obs, scales, X, JX, JS, work, H, g, C, Hb, gb, costs)
        _places(t, d, S, points, obs, scales, X, JX, JS, work, H, g, C, Hb, gb, costs)
        if scales.below > 0.0:
            _floor(t, d, S, points, obs, scales, shared, X, JX, JS, work, H, g, C, Hb, gb, costs)
            if t > 0:
                _foot_speed(
                    t, d, S, points, obs, scales, X, JX, JS, X0, JX0, JS0, work, H, H0, band, g, C, Hb, gb, costs
                )
            for n in range(F):
                X0[n] = X[obs.foot_point[n]]
                JX0[n] = JX[obs.foot_point[n]]
                JS0[n] = JS[obs.foot_point[n]]
        if scales.upright > 0.0:
            _upright(t, d, S, tree, obs, scales, shared, R, hinge_world, work, H, g, C, Hb, gb, costs)
        _store(H, t * d, band)
        if t > 0:
            _store(H0, (t - 1) * d, band)
    return costs
