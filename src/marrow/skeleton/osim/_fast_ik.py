"""Inverse kinematics, compiled: Newton's method per frame on the tree, started from the neighbouring frame.

Minimised per frame: ``1/2 sum_m w_m |x_m(q) - y_m|^2 + W/2 sum_c w_c (q_c - v_c)^2`` with W the sum of the weights of
the markers seen, which is W times the objective of OpenSim's tool (Simbody's Markers and QValue conditions). Bounds
hold by an active set.

The equations need no Jacobian: the markers of a body act on every coordinate nearer to the ground through the ten sums
``w, w x, w x x^T``, the three ``w e`` and the nine ``w x e^T``, which add up along the tree (the composite-body
recursion that gives mass matrices; Featherstone, Rigid Body Dynamics Algorithms, 2008, chapters 6 and 8, also for the
factorisation without fill-in). The second derivatives are those of turns and shifts, ``d2x / dq_i dq_j = omega_i x dx /
dq_j`` with i nearer to the ground; the curvature of splines and couplings is left out, which costs steps, not accuracy.
Where the whole is not positive definite or does not lower the cost, the damped Gauss-Newton step is taken instead.
Nothing is allocated per frame.
"""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel
from marrow.skeleton.osim._fast_functions import evaluate
from marrow.skeleton.osim._fast_kinematics import pose

_TINY = 1e-12
_LEAST_CURVATURE = 1e-3  # of the Gauss-Newton one, below which a Newton step is not trusted


@kernel()
def _copy(source, out):
    """``out[:] = source``; a loop, because the compiled slice brings all its error messages with it."""
    for i in range(out.shape[0]):
        out[i] = source[i]


@kernel()
def _follow(problem, y, work):
    """Coordinates and their derivatives by the variables: ``work.q`` and ``work.rate`` (dependent coordinates)."""
    functions, dependent = problem.couplings, problem.dependent
    q, rate, x, partial = work.q, work.rate, work.x, work.partial
    n = y.shape[0]
    for i in range(n):
        q[problem.variable[i]] = y[i]
    for f in range(dependent.shape[0]):
        first, last = functions.arg_start[f], functions.arg_start[f + 1]
        for i in range(first, last):
            x[i - first] = q[functions.arg[i]]
        q[dependent[f]] = evaluate(functions.kind[f], functions.data, functions.data_start[f], x, partial, last - first)
        for v in range(n):
            rate[f, v] = 0.0
        for i in range(first, last):
            c = functions.arg[i]
            if problem.variable_of[c] >= 0:
                rate[f, problem.variable_of[c]] += partial[i - first]
            elif problem.coupling_of[c] >= 0:
                for v in range(n):
                    rate[f, v] += partial[i - first] * rate[problem.coupling_of[c], v]


@kernel()
def _evaluate(problem, y, target, weight, total, goal, work):
    """The cost at ``y``; frames, screws and the bodies' sums are left in ``work``."""
    _follow(problem, y, work)
    R, p, sums = work.R, work.p, work.sums
    pose(problem.tables, work.q, R, p, work.screws, work.x, work.partial)
    first, local = problem.marker_start, problem.marker_local
    cost = 0.0
    for b in range(R.shape[0]):
        W, s0, s1, s2, xx, yy, zz, xy, xz, yz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        F0, F1, F2, t00, t01, t02, t10, t11, t12 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        t20, t21, t22 = 0.0, 0.0, 0.0
        for m in range(first[b], first[b + 1]):
            w = weight[m]
            if w == 0.0:
                continue
            l0, l1, l2 = local[m, 0], local[m, 1], local[m, 2]
            x0 = p[b, 0] + R[b, 0, 0] * l0 + R[b, 0, 1] * l1 + R[b, 0, 2] * l2
            x1 = p[b, 1] + R[b, 1, 0] * l0 + R[b, 1, 1] * l1 + R[b, 1, 2] * l2
            x2 = p[b, 2] + R[b, 2, 0] * l0 + R[b, 2, 1] * l1 + R[b, 2, 2] * l2
            d0, d1, d2 = x0 - target[m, 0], x1 - target[m, 1], x2 - target[m, 2]
            cost += 0.5 * w * (d0 * d0 + d1 * d1 + d2 * d2)
            e0, e1, e2, w0, w1, w2 = w * d0, w * d1, w * d2, w * x0, w * x1, w * x2
            W, s0, s1, s2 = W + w, s0 + w0, s1 + w1, s2 + w2
            xx, yy, zz = xx + w0 * x0, yy + w1 * x1, zz + w2 * x2
            xy, xz, yz = xy + w0 * x1, xz + w0 * x2, yz + w1 * x2
            F0, F1, F2 = F0 + e0, F1 + e1, F2 + e2
            t00, t01, t02 = t00 + x0 * e0, t01 + x0 * e1, t02 + x0 * e2
            t10, t11, t12 = t10 + x1 * e0, t11 + x1 * e1, t12 + x1 * e2
            t20, t21, t22 = t20 + x2 * e0, t21 + x2 * e1, t22 + x2 * e2
        sums[b, 0], sums[b, 1], sums[b, 2], sums[b, 3] = W, s0, s1, s2
        sums[b, 4], sums[b, 5], sums[b, 6] = yy + zz, xx + zz, xx + yy
        sums[b, 7], sums[b, 8], sums[b, 9] = -xy, -xz, -yz
        sums[b, 10], sums[b, 11], sums[b, 12] = t00, t01, t02
        sums[b, 13], sums[b, 14], sums[b, 15] = t10, t11, t12
        sums[b, 16], sums[b, 17], sums[b, 18] = t20, t21, t22
        sums[b, 19], sums[b, 20], sums[b, 21] = F0, F1, F2
    for c in range(problem.task.shape[0]):
        miss = work.q[problem.task[c]] - goal[c]
        cost += 0.5 * total * problem.task_weight[c] * miss * miss
    return cost


@kernel()
def _spread(problem, c, d, first, second, both, work):
    """Terms of coordinates c and d, through their derivatives by the variables (both ways if ``both``)."""
    start, variables, coupling_of = problem.behind_start, problem.behind, problem.coupling_of
    A, C, rate = work.A, work.C, work.rate
    for i in range(start[c], start[c + 1]):
        u = variables[i]
        fu = 1.0 if coupling_of[c] < 0 else rate[coupling_of[c], u]
        for j in range(start[d], start[d + 1]):
            v = variables[j]
            factor = fu if coupling_of[d] < 0 else fu * rate[coupling_of[d], v]
            A[u, v] += factor * first
            C[u, v] += factor * second
            if both:
                A[v, u] += factor * first
                C[v, u] += factor * second


@kernel()
def _slope(problem, c, value, work):
    """The gradient's share of coordinate c."""
    for i in range(problem.behind_start[c], problem.behind_start[c + 1]):
        u = problem.behind[i]
        work.g[u] += value if problem.coupling_of[c] < 0 else value * work.rate[problem.coupling_of[c], u]


@kernel()
def _column(sums, screws, b, k):
    """Sums over the markers carried by body ``b`` for column ``k``, u = dx/dq_k being what it does to a marker.

    Returns:
        x x (w u) and w u: three numbers each; u x (w e): three; u . (w e).
    """
    W, h0, h1, h2 = sums[b, 0], sums[b, 1], sums[b, 2], sums[b, 3]
    xx, yy, zz, xy, xz, yz = sums[b, 4], sums[b, 5], sums[b, 6], sums[b, 7], sums[b, 8], sums[b, 9]
    t00, t01, t02, t10, t11 = sums[b, 10], sums[b, 11], sums[b, 12], sums[b, 13], sums[b, 14]
    t12, t20, t21, t22 = sums[b, 15], sums[b, 16], sums[b, 17], sums[b, 18]
    F0, F1, F2 = sums[b, 19], sums[b, 20], sums[b, 21]
    w0, w1, w2 = screws[k, 0], screws[k, 1], screws[k, 2]
    v0, v1, v2 = screws[k, 3], screws[k, 4], screws[k, 5]
    n0 = xx * w0 + xy * w1 + xz * w2 + h1 * v2 - h2 * v1
    n1 = xy * w0 + yy * w1 + yz * w2 + h2 * v0 - h0 * v2
    n2 = xz * w0 + yz * w1 + zz * w2 + h0 * v1 - h1 * v0
    f0 = W * v0 + w1 * h2 - w2 * h1
    f1 = W * v1 + w2 * h0 - w0 * h2
    f2 = W * v2 + w0 * h1 - w1 * h0
    c0 = t01 * w1 + t02 * w2 - (t11 + t22) * w0 + v1 * F2 - v2 * F1
    c1 = t10 * w0 + t12 * w2 - (t00 + t22) * w1 + v2 * F0 - v0 * F2
    c2 = t20 * w0 + t21 * w1 - (t00 + t11) * w2 + v0 * F1 - v1 * F0
    # x x (w e) is the antisymmetric part of the tensor t
    slope = w0 * (t12 - t21) + w1 * (t20 - t02) + w2 * (t01 - t10) + v0 * F0 + v1 * F1 + v2 * F2
    return n0, n1, n2, f0, f1, f2, c0, c1, c2, slope


@kernel()
def _normal_equations(problem, total, goal, work):
    """``work.A = J^T W J``, the rest of the Hessian ``work.C`` and ``work.g = J^T W e`` from the sums.

    The sums become those of whole subtrees. Of A and C the lower triangles hold.
    """
    tables, A, C, g, sums, screws = problem.tables, work.A, work.C, work.g, work.sums, work.screws
    parent, start, coordinate = tables.parent, tables.column_start, tables.column_coordinate
    behind_start, direct = problem.behind_start, problem.column_variable
    for i in range(g.shape[0]):
        g[i] = 0.0
        for j in range(g.shape[0]):
            A[i, j] = 0.0
            C[i, j] = 0.0
    for b in range(parent.shape[0] - 1, -1, -1):
        if sums[b, 0] == 0.0:
            continue
        if parent[b] >= 0:
            for i in range(22):
                sums[parent[b], i] += sums[b, i]
        for k in range(start[b], start[b + 1]):
            c, u = coordinate[k], direct[k]
            if behind_start[c] == behind_start[c + 1]:
                continue
            n0, n1, n2, f0, f1, f2, c0, c1, c2, slope = _column(sums, screws, b, k)
            if u >= 0:
                g[u] += slope
            else:
                _slope(problem, c, slope, work)
            last, on = k + 1, b
            while on >= 0:
                for l in range(start[on], last):
                    s0, s1, s2 = screws[l, 0], screws[l, 1], screws[l, 2]
                    first = s0 * n0 + s1 * n1 + s2 * n2 + screws[l, 3] * f0 + screws[l, 4] * f1 + screws[l, 5] * f2
                    second = s0 * c0 + s1 * c1 + s2 * c2
                    v = direct[l]
                    if v >= 0 and (u > v or l == k):
                        A[u, v] += first
                        C[u, v] += second
                    else:
                        _spread(problem, c, coordinate[l], first, second, l != k, work)
                on = parent[on]
                last = start[on + 1]
    for t in range(problem.task.shape[0]):
        c, w = problem.task[t], total * problem.task_weight[t]
        _spread(problem, c, c, w, 0.0, c < 0, work)
        _slope(problem, c, w * (work.q[c] - goal[t]), work)


@kernel()
def _step(problem, y, damping, second, work):
    """The step from ``y`` into ``work.trial``; returns the largest change of a variable.

    With ``second`` it is Newton's, or -1 is returned where the Hessian is not positive definite; else it is the damped
    Gauss-Newton step.
    """
    A, C, H, g, s = work.A, work.C, work.H, work.g, work.s
    n = y.shape[0]
    for i in range(n):
        low, high = y[i] <= problem.low[i], y[i] >= problem.high[i]
        held = (low and g[i] > 0.0) or (high and g[i] < 0.0) or A[i, i] <= _TINY * problem.scale
        work.held[i] = held
        s[i] = 0.0 if held else -g[i]
        for j in range(i):
            both = A[i, j] + C[i, j] if second else A[i, j]
            H[i, j] = 0.0 if held or work.held[j] else both
        diagonal = A[i, i] + C[i, i] if second else A[i, i] * (1.0 + damping)
        H[i, i] = 1.0 if held else diagonal
    # H = L^T D L, leaves first, which fills nothing in: a zero between two branches stays one.
    for k in range(n - 1, -1, -1):
        if not work.held[k]:
            if second and H[k, k] < _LEAST_CURVATURE * A[k, k]:
                return -1.0
            H[k, k] = max(H[k, k], _TINY * (A[k, k] + problem.scale * _TINY))
        for i in range(k):
            if H[k, i] != 0.0:
                factor = H[k, i] / H[k, k]
                for j in range(i + 1):
                    H[i, j] -= factor * H[k, j]
                s[i] -= factor * s[k]
    largest = 0.0
    for k in range(n):
        value = s[k]
        for i in range(k):
            value -= H[k, i] * s[i]
        s[k] = value / H[k, k]
        work.trial[k] = min(max(y[k] + s[k], problem.low[k]), problem.high[k])
        largest = max(largest, abs(work.trial[k] - y[k]))
    return largest


@kernel()
def _solve(problem, y, target, weight, goal, work, tolerance, most):
    """``y`` to the minimum of one frame, in place; returns the cost and the number of steps."""
    total = 0.0
    for m in range(weight.shape[0]):
        total += weight[m]
    # One call of each kernel in the loop: every further one would be compiled into it again.
    _copy(y, work.trial)
    cost, largest, damping, steps, second = np.inf, np.inf, 0.0, 0, True
    while True:
        trial_cost = _evaluate(problem, work.trial, target, weight, total, goal, work)
        better = trial_cost <= cost * (1.0 + 1e-13) + 1e-300
        # A Newton step squares what is left, so a larger one may be the last.
        done = largest < (10.0 * tolerance if second and better else tolerance) or steps >= most
        if better:
            _copy(work.trial, y)
            cost = trial_cost
        if done:
            return cost, steps
        if better:
            _normal_equations(problem, total, goal, work)
            damping = damping * 0.1 if damping > 1e-6 else 0.0
            second = True
        elif second:
            second = False
        else:
            damping = max(10.0 * damping, 1e-3)
        for _ in range(2):
            largest = _step(problem, y, damping, second, work)
            if largest >= 0.0:
                break
            second = False
        steps += 1


@kernel()
def solve_frames(problem, work, order, started, Y, targets, weights, goals, held, tolerance, most):
    """Variables of all frames.

    Args:
        order: frames in the order in which they are solved.
        started: (T,) frame whose result a frame starts from; -1: from what ``Y`` holds for it.
        Y: (T, n) variables: starting values in, results out.
        targets: (T, M, 3) metres; weights: (T, M), 0 where a marker is not seen.
        goals: (T, C) of the coordinate tasks.
        held: (T, D) values of the coordinates that are no variables.
        tolerance: radians and metres of the largest change at which a frame is done.
        most: steps a frame may take.

    Returns:
        cost and steps, in the order of ``order``.
    """
    cost, steps = np.zeros(order.shape[0]), np.zeros(order.shape[0], np.int64)
    for i in range(order.shape[0]):
        t = order[i]
        if started[t] >= 0:
            _copy(Y[started[t]], Y[t])
        _copy(held[t], work.q)
        cost[i], steps[i] = _solve(problem, Y[t], targets[t], weights[t], goals[t], work, tolerance, most)
    return cost, steps
