"""Forward kinematics and its derivatives, compiled; the plain twin is :mod:`marrow.skeleton.kinematics`.

All arrays are C-contiguous float64, indices int64. ``R_joint[t, b]`` is the rotation of segment ``b`` against its
parent; for the root it is the rotation from its segment frame to marrow's world, and ``base`` (3, 3) is that rotation
at ``q = 0`` (``R_GROUND_WORLD.T``). ``tangent`` says what ``x`` holds in the three slots of a ball or of the root: a
rotation vector (True) or the angles about the elementary axes (False).
"""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel

_FREE, _BALL = 0, 1


@kernel(inline="always")
def turn(R, axis, angle):
    """``R (3, 3) = R @ exp(axis * angle)`` in place, for a unit ``axis``."""
    s, c = np.sin(angle), np.cos(angle)
    x, y, z = axis[0], axis[1], axis[2]
    for i in range(3):  # a row turns the other way round: Rodrigues' formula with -angle
        u, v, w = R[i, 0], R[i, 1], R[i, 2]
        along = (1.0 - c) * (u * x + v * y + w * z)
        R[i, 0] = c * u + along * x + s * (v * z - w * y)
        R[i, 1] = c * v + along * y + s * (w * x - u * z)
        R[i, 2] = c * w + along * z + s * (u * y - v * x)


@kernel()
def exp_so3(v, out):
    """``out (3, 3) = exp(v)`` for a rotation vector ``v (3,)``, radians."""
    x, y, z = v[0], v[1], v[2]
    t2 = x * x + y * y + z * z
    if t2 < 1e-8:
        a, b = 1.0 - t2 / 6.0, 0.5 - t2 / 24.0
    else:
        t = np.sqrt(t2)
        a, b = np.sin(t) / t, (1.0 - np.cos(t)) / t2
    out[0, 0], out[0, 1], out[0, 2] = 1.0 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1.0 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1.0 - b * (x * x + y * y)


@kernel()
def multiply(a, b, out):
    """``out = a @ b`` for (3, 3); ``out`` must be neither ``a`` nor ``b``."""
    for i in range(3):
        for k in range(3):
            out[i, k] = a[i, 0] * b[0, k] + a[i, 1] * b[1, k] + a[i, 2] * b[2, k]


@kernel()
def dot(a, b):
    """Scalar product of two (3,) vectors."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel()
def value(polynomial, x):
    """``sum_k polynomial[k] x ** (k + 1)``."""
    total = 0.0
    for k in range(polynomial.shape[0] - 1, -1, -1):
        total = (total + polynomial[k]) * x
    return total


@kernel()
def slope(polynomial, x):
    """Derivative of :func:`value` by ``x``."""
    total = 0.0
    for k in range(polynomial.shape[0] - 1, -1, -1):
        total = total * x + (k + 1) * polynomial[k]
    return total


@kernel()
def joint_rotations(tree, x, tangent):
    """R_joint (T, B, 3, 3) from coordinates ``x`` (T, D); ``tree`` is a :class:`marrow.skeleton.tree.Structure`."""
    n_frames, n_bodies = x.shape[0], tree.kind.shape[0]
    turns = tree.turns
    out = np.empty((n_frames, n_bodies, 3, 3))
    identity, local = np.eye(3), np.empty((3, 3))
    for t in range(n_frames):
        for b in range(n_bodies):
            start = tree.base if tree.kind[b] == _FREE else identity
            if tangent and tree.kind[b] <= _BALL:
                exp_so3(x[t, tree.start[b] : tree.start[b] + 3], local)
                multiply(start, local, out[t, b])
            else:
                out[t, b] = start
                for i in range(turns.start[b], turns.start[b + 1]):
                    angle = x[t, turns.coordinate[i]]
                    if not turns.linear[i]:
                        angle = value(turns.polynomial[i], angle)
                    turn(out[t, b], turns.axis[i], angle)
    return out


@kernel()
def joint_places(tree, x, offsets, length):
    """(T, B, 3) metres: each segment's origin in its parent's frame.

    Args:
        x: (T, D) coordinates; tangent ones give the same, as only single axes slide.
        offsets: (B, 3) metres, where it is without a slide.
        length: (B,) metres, unit of the slides.
    """
    n_frames, n_bodies = x.shape[0], tree.kind.shape[0]
    slides = tree.slides
    out = np.empty((n_frames, n_bodies, 3))
    for t in range(n_frames):
        out[t] = offsets
        for b in range(n_bodies):
            for i in range(slides.start[b], slides.start[b + 1]):
                way = length[b] * value(slides.polynomial[i], x[t, slides.coordinate[i]])
                for k in range(3):
                    out[t, b, k] += way * slides.axis[i, k]
    return out


@kernel()
def forward(parents, R_joint, places, root_p):
    """World rotations R (T, B, 3, 3) and origins p (T, B, 3) of the segments.

    Args:
        parents: (B,) index of the parent, -1 for the root; a parent comes before its children.
        R_joint: (T, B, 3, 3) against the parent; root: against the world.
        places: (T, B, 3) metres: origin in the parent's frame (:func:`joint_places`); the root's row is not used.
        root_p: (T, 3) metres: the root's origin in the world.
    """
    n_frames, n_bodies = R_joint.shape[0], parents.shape[0]
    R, p = np.empty((n_frames, n_bodies, 3, 3)), np.empty((n_frames, n_bodies, 3))
    for t in range(n_frames):
        for b in range(n_bodies):
            a = parents[b]
            if a < 0:
                R[t, b] = R_joint[t, b]
                p[t, b] = root_p[t]
            else:
                multiply(R[t, a], R_joint[t, b], R[t, b])
                for i in range(3):
                    p[t, b, i] = p[t, a, i] + dot(R[t, a, i], places[t, b])
    return R, p


@kernel()
def pose(tree, x, offsets, length, root_p):
    """What :func:`joint_rotations`, :func:`joint_places` and :func:`forward` give one after the other, in one pass."""
    n_frames, n_bodies = x.shape[0], tree.kind.shape[0]
    turns, slides = tree.turns, tree.slides
    R, p = np.empty((n_frames, n_bodies, 3, 3)), np.empty((n_frames, n_bodies, 3))
    place = np.empty(3)
    for t in range(n_frames):
        for b in range(n_bodies):
            a = tree.parents[b]
            if a < 0:
                R[t, b] = tree.base
                p[t, b] = root_p[t]
            else:
                place[:] = offsets[b]
                for i in range(slides.start[b], slides.start[b + 1]):
                    way = length[b] * value(slides.polynomial[i], x[t, slides.coordinate[i]])
                    for k in range(3):
                        place[k] += way * slides.axis[i, k]
                for i in range(3):
                    p[t, b, i] = p[t, a, i]
                    for k in range(3):
                        p[t, b, i] += R[t, a, i, k] * place[k]
                        R[t, b, i, k] = R[t, a, i, k]
            for i in range(turns.start[b], turns.start[b + 1]):
                angle = x[t, turns.coordinate[i]]
                if not turns.linear[i]:
                    angle = value(turns.polynomial[i], angle)
                turn(R[t, b], turns.axis[i], angle)
    return R, p


@kernel()
def dof_twists(tree, length, x, R, p, tangent):
    """World axes, pivots and slides (T, D, 3) of all coordinates.

    A point fixed to segment ``b`` moves by ``axis x (point - pivot) + slide`` per unit of any rotational coordinate on
    its chain, and by ``axis`` per metre of a translation (coordinates 3, 4, 5 of a free joint).

    With ``tangent`` the increment of a ball or of the root is child-side local, ``R_joint <- R_joint exp(delta)``: its
    axes are the columns of ``R[t, b]``. Otherwise the axes are those of the elementary rotations, for rates of ``q``.
    """
    n_frames, n_bodies, n_dofs = R.shape[0], tree.parents.shape[0], tree.axes.shape[0]
    turns, slides = tree.turns, tree.slides
    axis, pivot, slide = (
        np.zeros((n_frames, n_dofs, 3)),
        np.empty((n_frames, n_dofs, 3)),
        np.zeros((n_frames, n_dofs, 3)),
    )
    so_far = np.empty((3, 3))
    for t in range(n_frames):
        for b in range(n_bodies):
            d, a = tree.start[b], tree.parents[b]
            if tangent and tree.kind[b] <= _BALL:
                for i in range(3):
                    for k in range(3):
                        axis[t, d + i, k] = R[t, b, k, i]
            else:
                so_far[:] = tree.base if a < 0 else R[t, a]
                for i in range(turns.start[b], turns.start[b + 1]):
                    c = turns.coordinate[i]
                    angle, rate = x[t, c], 1.0
                    if not turns.linear[i]:
                        rate = slope(turns.polynomial[i], angle)
                        angle = value(turns.polynomial[i], angle)
                    for k in range(3):
                        axis[t, c, k] += rate * dot(so_far[k], turns.axis[i])
                    if i + 1 < turns.start[b + 1]:
                        turn(so_far, turns.axis[i], angle)
            for i in range(slides.start[b], slides.start[b + 1]):
                c = slides.coordinate[i]
                rate = length[b] * slope(slides.polynomial[i], x[t, c])
                for k in range(3):
                    slide[t, c, k] += rate * dot(R[t, a, k], slides.axis[i])
            if tree.kind[b] == _FREE:
                for i in range(3, tree.count[b]):
                    for k in range(3):
                        axis[t, d + i, k] = dot(tree.base[k], tree.axes[d + i])
            for i in range(tree.count[b]):
                pivot[t, d + i] = p[t, b]
    return axis, pivot, slide


@kernel()
def jacobian(moves, bodies, points, axis, pivot, slide, first, last):
    """Derivative (T, N, 3, D) of world points (T, N, 3) fixed to ``bodies`` (N,), from :func:`dof_twists`' result.

    ``moves`` (B, D) says which coordinate moves which segment; coordinates ``first`` to ``last`` are translations.
    """
    n_frames, n_points, n_dofs = points.shape[0], points.shape[1], moves.shape[1]
    out = np.zeros((n_frames, n_points, 3, n_dofs))
    for t in range(n_frames):
        for n in range(n_points):
            for d in range(n_dofs):
                if not moves[bodies[n], d]:
                    continue
                a, b, c = axis[t, d, 0], axis[t, d, 1], axis[t, d, 2]
                if first <= d < last:
                    out[t, n, 0, d], out[t, n, 1, d], out[t, n, 2, d] = a, b, c
                    continue
                x = points[t, n, 0] - pivot[t, d, 0]
                y = points[t, n, 1] - pivot[t, d, 1]
                z = points[t, n, 2] - pivot[t, d, 2]
                out[t, n, 0, d] = b * z - c * y + slide[t, d, 0]
                out[t, n, 1, d] = c * x - a * z + slide[t, d, 1]
                out[t, n, 2, d] = a * y - b * x + slide[t, d, 2]
    return out
