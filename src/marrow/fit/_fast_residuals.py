"""Kernels: residuals of one person's frames, added to the normal equations.

Each kernel goes over all frames for one kind of evidence and returns its cost. Kernels are called one by one from
:mod:`marrow.fit.solver`: a kind that is absent is never compiled. Columns of the border are the person's shape (S),
then log focal length, two tilts of the floor and its height.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow._compile import kernel
from marrow.fit._fast_kinematics import Ints

Floats = NDArray[np.float64]

#: Border columns after the shape.
FOCAL, TILT, HEIGHT, SHARED = 0, 1, 3, 4
_NEAREST = 0.2  # metres before the camera; a point nearer than this is not predicted


class Moved(NamedTuple):
    """Points of all frames with their derivatives (T frames, K points, d unknowns, S of the shape)."""

    X: Floats  # (T, K, 3)
    JX: Floats  # (T, K, 3, d)
    JS: Floats  # (T, K, 3, S)
    start: Ints  # (K + 1,) unknowns that move point k
    dof: Ints


class Sums(NamedTuple):
    """Normal equations before they are stored as a band: nothing but the frames' own blocks is dense."""

    H: Floats  # (T, d, d) lower triangles
    H1: Floats  # (T, d, d) rows of frame t, columns of frame t - 1
    g: Floats  # (T, d)
    C: Floats  # (T, d, S + SHARED)
    Hb: Floats  # (S + SHARED, S + SHARED) lower triangle
    gb: Floats  # (S + SHARED,)


class Pixels(NamedTuple):
    """Keypoints (N) of all views. Weights carry confidence and the frame's share of time; 0 = absent."""

    rotation: Floats  # (V, 3, 3) R_cam_world of each view
    shift: Floats  # (V, 3)
    lens: Floats  # (V, 4) fx fy cx cy
    camera: Ints  # (N,) which view
    point: Ints  # (N,)
    xy: Floats  # (T, N, 2)
    sd: Floats  # (T, N)
    weight: Floats  # (T, N)


class Directions(NamedTuple):
    """Pairs of points (M) whose direction is known."""

    pair: Ints  # (M, 2)
    start: Ints  # (M + 1,) unknowns that move either, sorted
    dof: Ints
    unit: Floats  # (T, M, 3) world
    precision: Floats  # (T, M) confidence / sd^2; 0 = absent


class Places(NamedTuple):
    """Points (P) whose place in the world is known."""

    point: Ints  # (P,)
    xyz: Floats  # (T, P, 3)
    precision: Floats  # (T, P) 1 / sd^2; 0 = absent


class Feet(NamedTuple):
    """Points of the soles (F)."""

    point: Ints  # (F,)
    contact: Floats  # (T, F) probability x share of time
    level: Floats  # (T,) metres of the ground under the person above the floor


class Trunk(NamedTuple):
    """Two points one metre apart along the trunk, and the unknowns that turn it."""

    point: Ints  # (2,) lower, upper
    start: Ints  # (2,)
    dof: Ints


class Scales(NamedTuple):
    """Standard deviations and robust scales (Geman-McClure, in standard deviations; 0 = quadratic)."""

    robust_pixel: float
    robust_direction: float
    robust_place: float
    robust_floor: float
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
def _add(J, dofs, lo, hi, Jb, used, r, weight, t, sums):
    """Add weight * JᵀJ of the residuals ``r`` (m,) of frame ``t``: its block, gradient, cross block and the border."""
    H, g, C, Hb, gb = sums.H[t], sums.g[t], sums.C[t], sums.Hb, sums.gb
    for m in range(r.shape[0]):
        wr = weight * r[m]
        for a in range(lo, hi):
            i = dofs[a]
            wj = weight * J[m, i]
            g[i] += J[m, i] * wr
            for b in range(lo, a + 1):
                H[i, dofs[b]] += wj * J[m, dofs[b]]
            for c in range(used):
                C[i, c] += wj * Jb[m, c]
        for a in range(used):
            wj = weight * Jb[m, a]
            gb[a] += wj * r[m]
            for c in range(a + 1):
                Hb[a, c] += wj * Jb[m, c]


@kernel()
def store(H, H1, band):
    """Add blocks (T,d,d) to the band: element A[i, j] (i >= j) of the matrix lives in ``band[j, i - j]``."""
    T, d = H.shape[0], H.shape[1]
    for t in range(T):
        for j in range(d):
            for i in range(j, d):
                band[t * d + j, i - j] += H[t, i, j]
        if t > 0:
            for j in range(d):
                for i in range(d):
                    band[(t - 1) * d + j, d + i - j] += H1[t, i, j]


@kernel()
def _project(pixels, focal, view, x, y, z, P):
    """Pixel of a world point and its derivative ``P`` (2,3); the third value is the depth."""
    R, t = pixels.rotation[view], pixels.shift[view]
    u = R[0, 0] * x + R[0, 1] * y + R[0, 2] * z + t[0]
    v = R[1, 0] * x + R[1, 1] * y + R[1, 2] * z + t[1]
    w = R[2, 0] * x + R[2, 1] * y + R[2, 2] * z + t[2]
    if w < _NEAREST:
        return 0.0, 0.0, w
    fx, fy = pixels.lens[view, 0] * focal, pixels.lens[view, 1] * focal
    for i in range(3):
        P[0, i] = fx * (R[0, i] - u / w * R[2, i]) / w
        P[1, i] = fy * (R[1, i] - v / w * R[2, i]) / w
    return fx * u / w, fy * v / w, w


@kernel()
def add_pixels(pixels, focal, scale, moved, sums, residual):
    """Reprojection, (pixel - observed) / sd. ``residual`` (T,N) receives the distance in pixels."""
    d, S = moved.JX.shape[3], moved.JS.shape[3]
    P, J, Jb, r = np.empty((2, 3)), np.empty((2, d)), np.empty((2, S + SHARED)), np.empty(2)
    total = 0.0
    for t in range(moved.X.shape[0]):
        JX, JS = moved.JX[t], moved.JS[t]
        for n in range(pixels.point.shape[0]):
            weight = pixels.weight[t, n]
            if weight <= 0.0:
                continue
            k, view, isd = pixels.point[n], pixels.camera[n], 1.0 / pixels.sd[t, n]
            u, v, w = _project(pixels, focal, view, moved.X[t, k, 0], moved.X[t, k, 1], moved.X[t, k, 2], P)
            if w < _NEAREST:
                total += weight * _robust(1e12, scale)[0]
                residual[t, n] = np.inf
                continue
            r[0] = (u + pixels.lens[view, 2] - pixels.xy[t, n, 0]) * isd
            r[1] = (v + pixels.lens[view, 3] - pixels.xy[t, n, 1]) * isd
            s2 = r[0] * r[0] + r[1] * r[1]
            residual[t, n] = np.sqrt(s2) / isd
            cost, robust = _robust(s2, scale)
            total += weight * cost
            lo, hi = moved.start[k], moved.start[k + 1]
            for m in range(2):
                p0, p1, p2 = P[m, 0] * isd, P[m, 1] * isd, P[m, 2] * isd
                for a in range(lo, hi):
                    f = moved.dof[a]
                    J[m, f] = p0 * JX[k, 0, f] + p1 * JX[k, 1, f] + p2 * JX[k, 2, f]
                for s in range(S):
                    Jb[m, s] = p0 * JS[k, 0, s] + p1 * JS[k, 1, s] + p2 * JS[k, 2, s]
            Jb[0, S + FOCAL], Jb[1, S + FOCAL] = u * isd, v * isd
            _add(J, moved.dof, lo, hi, Jb, S + 1, r, weight * robust, t, sums)
    return total


@kernel()
def add_directions(seen, share, scale, factor, moved, sums):
    """Unit vector between two points against the observed one."""
    d, S = moved.JX.shape[3], moved.JS.shape[3]
    J, Jb, r, u = np.empty((3, d)), np.empty((3, S + SHARED)), np.empty(3), np.empty(3)
    total = 0.0
    for t in range(moved.X.shape[0]):
        X, JX, JS = moved.X[t], moved.JX[t], moved.JS[t]
        for n in range(seen.pair.shape[0]):
            precision = seen.precision[t, n]
            if precision <= 0.0:
                continue
            a, b = seen.pair[n, 0], seen.pair[n, 1]
            for i in range(3):
                u[i] = X[b, i] - X[a, i]
            length = max(np.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]), 1e-6)
            s2 = 0.0
            for i in range(3):
                u[i] /= length
                r[i] = u[i] - seen.unit[t, n, i]
                s2 += r[i] * r[i]
            cost, robust = _robust(s2 * precision, scale)
            total += cost * factor * share[t]
            lo, hi = seen.start[n], seen.start[n + 1]
            for q in range(lo, hi):
                f = seen.dof[q]
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
            _add(J, seen.dof, lo, hi, Jb, S, r, precision * factor * share[t] * robust, t, sums)
    return total


@kernel()
def add_places(seen, share, scale, moved, sums):
    """3-D points: metres from the observed place."""
    S = moved.JS.shape[3]
    r = np.empty(3)
    total = 0.0
    for t in range(moved.X.shape[0]):
        for n in range(seen.point.shape[0]):
            precision = seen.precision[t, n]
            if precision <= 0.0:
                continue
            k = seen.point[n]
            s2 = 0.0
            for i in range(3):
                r[i] = moved.X[t, k, i] - seen.xyz[t, n, i]
                s2 += r[i] * r[i]
            cost, robust = _robust(s2 * precision, scale)
            total += cost * share[t]
            lo, hi = moved.start[k], moved.start[k + 1]
            _add(moved.JX[t, k], moved.dof, lo, hi, moved.JS[t, k], S, r, precision * share[t] * robust, t, sums)
    return total


@kernel()
def add_floor(feet, share, up, height, contact_sd, below_sd, scale, moved, sums):
    """Foot points: not below the ground under the person; on it while in contact. Robust, for what is neither."""
    d, S = moved.JX.shape[3], moved.JS.shape[3]
    J, Jb, r = np.empty((1, d)), np.zeros((1, S + SHARED)), np.empty(1)
    total = 0.0
    nx, ny, nz = up[0, 1], up[1, 1], up[2, 1]
    for t in range(moved.X.shape[0]):
        JX, JS = moved.JX[t], moved.JS[t]
        for n in range(feet.point.shape[0]):
            k = feet.point[n]
            x, y, z = moved.X[t, k, 0], moved.X[t, k, 1], moved.X[t, k, 2]
            r[0] = nx * x + ny * y + nz * z - height - feet.level[t]
            cost, robust = _robust((r[0] / contact_sd) ** 2, scale)
            total += feet.contact[t, n] * cost
            weight = feet.contact[t, n] * robust / contact_sd**2
            if r[0] < 0.0:
                cost, robust = _robust((r[0] / below_sd) ** 2, 2 * scale)
                total += share[t] * cost
                weight += share[t] * robust / below_sd**2
            if weight <= 0.0:
                continue
            lo, hi = moved.start[k], moved.start[k + 1]
            for a in range(lo, hi):
                f = moved.dof[a]
                J[0, f] = nx * JX[k, 0, f] + ny * JX[k, 1, f] + nz * JX[k, 2, f]
            for s in range(S):
                Jb[0, s] = nx * JS[k, 0, s] + ny * JS[k, 1, s] + nz * JS[k, 2, s]
            Jb[0, S + TILT] = up[0, 0] * x + up[1, 0] * y + up[2, 0] * z
            Jb[0, S + TILT + 1] = up[0, 2] * x + up[1, 2] * y + up[2, 2] * z
            Jb[0, S + HEIGHT] = -1.0
            _add(J, moved.dof, lo, hi, Jb, S + SHARED, r, weight, t, sums)
    return total


@kernel()
def add_foot_speed(feet, dt, speed_sd, scale, moved, sums):
    """A foot point in contact in two neighbouring frames does not move between them."""
    d, S = moved.JX.shape[3], moved.JS.shape[3]
    J, Jb, r = np.empty((3, d)), np.empty((3, S + SHARED)), np.empty(3)
    total = 0.0
    for t in range(1, moved.X.shape[0]):
        for n in range(feet.point.shape[0]):
            both = min(feet.contact[t, n], feet.contact[t - 1, n])
            if both <= 0.0:
                continue
            k = feet.point[n]
            lo, hi = moved.start[k], moved.start[k + 1]
            s2 = 0.0
            for i in range(3):
                r[i] = moved.X[t, k, i] - moved.X[t - 1, k, i]
                s2 += r[i] * r[i]
            cost, robust = _robust(s2 / (speed_sd * dt[t - 1]) ** 2, scale)
            total += both * cost
            weight = both * robust / (speed_sd * dt[t - 1]) ** 2
            for i in range(3):
                for s in range(S):
                    Jb[i, s] = moved.JS[t, k, i, s] - moved.JS[t - 1, k, i, s]
                for a in range(lo, hi):
                    J[i, moved.dof[a]] = -moved.JX[t - 1, k, i, moved.dof[a]]
            _add(J, moved.dof, lo, hi, Jb, S, r, weight, t - 1, sums)
            for i in range(
                3
            ):  # the border has had its share with the earlier frame: only the frame's own part is added
                for a in range(lo, hi):
                    f = moved.dof[a]
                    wj = weight * moved.JX[t, k, i, f]
                    sums.g[t, f] += wj * r[i]
                    for s in range(S):
                        sums.C[t, f, s] += wj * Jb[i, s]
                    for b in range(lo, hi):
                        e = moved.dof[b]
                        sums.H1[t, f, e] -= wj * moved.JX[t - 1, k, i, e]
                        if e <= f:
                            sums.H[t, f, e] += wj * moved.JX[t, k, i, e]
    return total


@kernel()
def add_upright(trunk, share, up, precision, moved, sums):
    """The trunk's long axis near the vertical: weak, and heavy-tailed since people also lie down."""
    d, S = moved.JX.shape[3], moved.JS.shape[3]
    J, Jb, r = np.empty((3, d)), np.zeros((3, S + SHARED)), np.empty(3)
    lower, upper = trunk.point[0], trunk.point[1]
    lo, hi = trunk.start[0], trunk.start[1]
    total = 0.0
    for t in range(moved.X.shape[0]):
        s2 = 0.0
        for i in range(3):
            r[i] = moved.X[t, upper, i] - moved.X[t, lower, i] - up[i, 1]
            s2 += r[i] * r[i]
            for a in range(lo, hi):
                f = trunk.dof[a]
                J[i, f] = moved.JX[t, upper, i, f] - moved.JX[t, lower, i, f]
            Jb[i, S + TILT] = -up[i, 0]
            Jb[i, S + TILT + 1] = -up[i, 2]
        weight = precision * share[t]
        cost, robust = _robust(s2, 0.5)  # beyond half a radian it counts for little
        total += weight * cost
        _add(J, trunk.dof, lo, hi, Jb, S + SHARED, r, weight * robust, t, sums)
    return total
