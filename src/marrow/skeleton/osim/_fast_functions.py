"""Evaluation of :mod:`marrow.skeleton.osim.functions`, compiled: value and partial derivatives."""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel


@kernel()
def evaluate(kind, data, at, x, partial, n):
    """Value of a function at ``x[:n]``; ``partial[:n]`` receives the derivatives.

    Args:
        kind: one of the kinds of ``functions``.
        data: the numbers of all functions; this one's begin at ``at``.
    """
    if kind == 0:
        return _piecewise(data, at, x[0], partial)
    if kind == 1:
        angle = data[at + 1] * x[0] + data[at + 2]
        partial[0] = data[at] * data[at + 1] * np.cos(angle)
        return data[at] * np.sin(angle) + data[at + 3]
    if kind == 2:
        return _polynomial(data, at, x, partial, n)
    if kind == 3:
        return _ellipsoid(data[at], int(data[at + 1]), x[0], x[1], partial)
    return _arc(data[at], int(data[at + 3]), x[0] + data[at + 1], x[1] + data[at + 2], partial)


@kernel()
def _piecewise(data, at, x, partial):
    n, m = int(data[at]), int(data[at + 1])
    knots = at + 2
    piece = 0
    while piece < n and x >= data[knots + piece]:
        piece += 1
    t = x - data[knots + max(piece - 1, 0)]
    row = knots + n + piece * m
    value, slope = data[row + m - 1], 0.0
    for k in range(m - 2, -1, -1):
        slope = slope * t + value
        value = value * t + data[row + k]
    partial[0] = slope
    return value


@kernel()
def _polynomial(data, at, x, partial, n):
    value = 0.0
    for j in range(n):
        partial[j] = 0.0
    for i in range(int(data[at])):
        row = at + 1 + i * (n + 1)
        term = data[row]
        for j in range(n):
            term *= x[j] ** data[row + 1 + j]
        value += term
        for j in range(n):
            power = data[row + 1 + j]
            if power > 0:
                rest = data[row] * power * x[j] ** (power - 1)
                for k in range(n):
                    if k != j:
                        rest *= x[k] ** data[row + 1 + k]
                partial[j] += rest
    return value


@kernel()
def _ellipsoid(r, component, a, b, partial):
    sa, ca, sb, cb = np.sin(a), np.cos(a), np.sin(b), np.cos(b)
    if component == 0:
        partial[0], partial[1] = 0.0, r * cb
        return r * sb
    if component == 1:
        partial[0], partial[1] = -r * ca * cb, r * sa * sb
        return -r * sa * cb
    partial[0], partial[1] = -r * sa * cb, -r * ca * sb
    return r * ca * cb


@kernel()
def _arc(length, component, a, b, partial):
    """An arc of the given length; it bends by theta = asin |horizontal part of its end direction u|.

    Horizontal: length (1 - cos theta) / theta along u's horizontal part; up: length sin theta / theta.
    """
    sa, ca, sb, cb = np.sin(a), np.cos(a), np.sin(b), np.cos(b)
    u0, u2 = -sb, cb * sa
    s2 = u0 * u0 + u2 * u2
    # side = (1 - cos theta) / (theta s) and up = s / theta with s = sin theta; *_by are derivatives by s^2 / 2.
    if s2 < 1e-6:
        side, up = 0.5 + s2 / 24.0, 1.0 - s2 / 6.0
        side_by, up_by = 1.0 / 12.0, -1.0 / 3.0
    else:
        s = min(np.sqrt(s2), 1.0 - 1e-12)
        theta, c = np.arcsin(s), np.sqrt(1.0 - s * s)
        side, up = (1.0 - c) / (theta * s), s / theta
        side_by = (1.0 / (c * theta) - side * (1.0 / (c * theta) + 1.0 / s)) / s
        up_by = (1.0 / theta - s / (c * theta * theta)) / s
    a2, b0, b2 = cb * ca, -cb, -sb * sa  # derivatives of u by a and b; u0 does not vary with a
    by_a, by_b = u2 * a2, u0 * b0 + u2 * b2
    if component == 1:
        partial[0], partial[1] = length * up_by * by_a, length * up_by * by_b
        return length * up
    if component == 0:
        partial[0] = length * side_by * by_a * u0
        partial[1] = length * (side_by * by_b * u0 + side * b0)
        return length * side * u0
    partial[0] = length * (side_by * by_a * u2 + side * a2)
    partial[1] = length * (side_by * by_b * u2 + side * b2)
    return length * side * u2
