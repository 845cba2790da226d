"""Forward kinematics and screws of :class:`~marrow.skeleton.osim.tables.Tables`, compiled.

Everything is float64 and in OpenSim's ground. The screw of a column is (omega, v): a point x fixed to the body or to
one further out moves by ``omega x x + v`` per unit of the column's coordinate.
"""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel
from marrow.skeleton.osim._fast_functions import evaluate


@kernel()
def _place(kind, fixed_R, fixed_p, e, R, p, b):
    """Frame ``b`` moved on by the fixed placement ``e``."""
    if kind & 2:
        x, y, z = fixed_p[e, 0], fixed_p[e, 1], fixed_p[e, 2]
        for i in range(3):
            p[b, i] += R[b, i, 0] * x + R[b, i, 1] * y + R[b, i, 2] * z
    if kind & 1:
        for i in range(3):
            x, y, z = R[b, i, 0], R[b, i, 1], R[b, i, 2]
            for k in range(3):
                R[b, i, k] = x * fixed_R[e, 0, k] + y * fixed_R[e, 1, k] + z * fixed_R[e, 2, k]


@kernel()
def _turn(R, p, b, turn, amount, screws, columns, first, last, partial):
    """Frame ``b`` turned about its own axis; the axis times the rates added to the screws."""
    a0, a1, a2 = R[b, 0, turn], R[b, 1, turn], R[b, 2, turn]
    p0, p1, p2 = p[b, 0], p[b, 1], p[b, 2]
    v0, v1, v2 = p1 * a2 - p2 * a1, p2 * a0 - p0 * a2, p0 * a1 - p1 * a0
    for i in range(first, last):
        k, rate = columns[i], partial[i - first]
        screws[k, 0] += rate * a0
        screws[k, 1] += rate * a1
        screws[k, 2] += rate * a2
        screws[k, 3] += rate * v0
        screws[k, 4] += rate * v1
        screws[k, 5] += rate * v2
    s, c = np.sin(amount), np.cos(amount)
    j, k = (turn + 1) % 3, (turn + 2) % 3
    for i in range(3):
        u, w = R[b, i, j], R[b, i, k]
        R[b, i, j] = c * u + s * w
        R[b, i, k] = c * w - s * u


@kernel()
def _shift(R, p, b, axis, e, amount, screws, columns, first, last, partial):
    """Frame ``b`` shifted along a vector of its own; the vector times the rates added to the screws."""
    x, y, z = axis[e, 0], axis[e, 1], axis[e, 2]
    for i in range(3):
        along = R[b, i, 0] * x + R[b, i, 1] * y + R[b, i, 2] * z
        p[b, i] += amount * along
        for k in range(first, last):
            screws[columns[k], 3 + i] += partial[k - first] * along


@kernel()
def pose(tables, q, R, p, screws, x, partial):
    """Frames and screws of one pose, in place.

    Args:
        q: (D,) coordinates.
        R: (B, 3, 3), p: (B, 3), screws: (K, 6) receive the result.
        x, partial: scratch, as long as the most arguments of a function.
    """
    parent, start, turn, axis = tables.parent, tables.start, tables.turn, tables.axis
    fixed_kind, fixed_R, fixed_p = tables.fixed_kind, tables.fixed_R, tables.fixed_p
    end_kind, end_R, end_p, columns = tables.end_kind, tables.end_R, tables.end_p, tables.arg_column
    functions = tables.functions
    kind, data, data_start = functions.kind, functions.data, functions.data_start
    arg, arg_start = functions.arg, functions.arg_start
    for k in range(screws.shape[0]):
        for i in range(6):
            screws[k, i] = 0.0
    for b in range(parent.shape[0]):
        a = parent[b]
        for i in range(3):
            p[b, i] = p[a, i] if a >= 0 else 0.0
            for k in range(3):
                R[b, i, k] = R[a, i, k] if a >= 0 else (1.0 if i == k else 0.0)
        for e in range(start[b], start[b + 1]):
            first, last = arg_start[e], arg_start[e + 1]
            for i in range(first, last):
                x[i - first] = q[arg[i]]
            amount = evaluate(kind[e], data, data_start[e], x, partial, last - first)
            _place(fixed_kind[e], fixed_R, fixed_p, e, R, p, b)
            if turn[e] >= 0:
                _turn(R, p, b, turn[e], amount, screws, columns, first, last, partial)
            else:
                _shift(R, p, b, axis, e, amount, screws, columns, first, last, partial)
        _place(end_kind[b], end_R, end_p, b, R, p, b)


@kernel()
def poses(tables, q, width):
    """R (T, B, 3, 3), p (T, B, 3) and screws (T, K, 6) of coordinates q (T, D)."""
    count, bodies, columns = q.shape[0], tables.parent.shape[0], tables.column_body.shape[0]
    R, p = np.empty((count, bodies, 3, 3)), np.empty((count, bodies, 3))
    screws, x, partial = np.empty((count, columns, 6)), np.zeros(width), np.zeros(width)
    for t in range(count):
        pose(tables, q[t], R[t], p[t], screws[t], x, partial)
    return R, p, screws


@kernel()
def point_jacobian(tables, screws, points, bodies, dof):
    """J (T, N, 3, dof) of world points (T, N, 3) fixed to bodies (N,); -1 is the ground."""
    parent, column_start, coordinate = tables.parent, tables.column_start, tables.column_coordinate
    count, n = points.shape[0], points.shape[1]
    J = np.zeros((count, n, 3, dof))
    for t in range(count):
        for i in range(n):
            x0, x1, x2 = points[t, i, 0], points[t, i, 1], points[t, i, 2]
            b = bodies[i]
            while b >= 0:
                for k in range(column_start[b], column_start[b + 1]):
                    d = coordinate[k]
                    w0, w1, w2 = screws[t, k, 0], screws[t, k, 1], screws[t, k, 2]
                    J[t, i, 0, d] += w1 * x2 - w2 * x1 + screws[t, k, 3]
                    J[t, i, 1, d] += w2 * x0 - w0 * x2 + screws[t, k, 4]
                    J[t, i, 2, d] += w0 * x1 - w1 * x0 + screws[t, k, 5]
                b = parent[b]
    return J


@kernel()
def couple(functions, dependent, q, width):
    """Dependent coordinates of q (T, D) set in place, one coupling after the other."""
    x, partial = np.empty(width), np.empty(width)
    for t in range(q.shape[0]):
        for f in range(dependent.shape[0]):
            first, last = functions.arg_start[f], functions.arg_start[f + 1]
            for i in range(first, last):
                x[i - first] = q[t, functions.arg[i]]
            at = functions.data_start[f]
            q[t, dependent[f]] = evaluate(functions.kind[f], functions.data, at, x, partial, last - first)


@kernel()
def coupling_rates(functions, dependent, q, width):
    """Derivatives (T, D, D) of all coordinates by the independent ones, at q (T, D) that follows the couplings."""
    count, dof = q.shape
    out = np.zeros((count, dof, dof))
    x, partial = np.empty(width), np.empty(width)
    for t in range(count):
        for d in range(dof):
            out[t, d, d] = 1.0
        for f in range(dependent.shape[0]):
            first, last = functions.arg_start[f], functions.arg_start[f + 1]
            for i in range(first, last):
                x[i - first] = q[t, functions.arg[i]]
            evaluate(functions.kind[f], functions.data, functions.data_start[f], x, partial, last - first)
            out[t, dependent[f], dependent[f]] = 0.0
            for i in range(first, last):
                for d in range(dof):
                    out[t, dependent[f], d] += partial[i - first] * out[t, functions.arg[i], d]
    return out
