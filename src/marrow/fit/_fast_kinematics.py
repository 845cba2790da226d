"""Kernels: forward kinematics, skin points and their derivatives for one frame.

A tree here is the skeleton reduced to what the evidence can see (:class:`Tree`). A point is a fixed sum over entries,

    X_k = sum_e  R_b(e) y_e + w_e p_b(e),

where ``R_b, p_b`` are the world rotation and origin of body ``b``, ``w_e`` the skinning weight and ``y_e`` the weighted
local point (metres, segment frame). Joint centres are the special case ``y = 0, w = 1``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow._compile import kernel
from marrow.skeleton._fast_kinematics import dot, slope, value
from marrow.skeleton.tree import Terms

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TRANSLATION, BALL, HINGE = 0, 1, 2


class Tree(NamedTuple):
    """The kinematic tree as arrays (B bodies, M angles, d unknowns per frame).

    ``ground`` is the world rotation of a body whose joint rotations are all the identity. A body's joint rotation is
    that of its ball, or its turns about single axes; these and the slides of its origin are driven by the M angles. An
    unknown angle takes others along: ``follower`` is a chain through them, ``ratio`` how fast each follows.
    """

    parents: Ints  # (B,), -1 for the root; parents come first
    ground: Floats  # (3, 3)
    turns: Terms  # of the bodies with single axes; the coordinate is the number of the angle
    slides: Terms
    angle_body: Ints  # (M,) body that each angle moves
    follower: Ints  # (M,) the next angle that the same unknown drives, -1 at the end
    ratio: Floats  # (M,) of an angle to its unknown
    dof_body: Ints  # (d,)
    dof_kind: Ints  # (d,) TRANSLATION, BALL or HINGE
    dof_index: Ints  # (d,) axis 0..2 of a translation or ball; number of the angle of a hinge
    below: NDArray[np.bool_]  # (B, B): below[b, a] where b is a or hangs below a


class PointTable(NamedTuple):
    """Which entries make each point and which unknowns move it (K points, E entries)."""

    start: Ints  # (K + 1,) entries of point k
    body: Ints  # (E,)
    weight: Floats  # (E,)
    dof_start: Ints  # (K + 1,) into dof
    dof: Ints


class Template(NamedTuple):
    """What the shape decides, with its derivatives (S shape unknowns)."""

    offsets: Floats  # (B, 3) joint centre in the parent's frame
    length: Floats  # (B,) unit of the slides
    local: Floats  # (E, 3) weighted local points
    d_offsets: Floats  # (S, B, 3)
    d_length: Floats  # (S, B)
    d_local: Floats  # (S, E, 3)


class Placed(NamedTuple):
    """Where the bodies of one frame are, and how their angles move them."""

    R: Floats  # (B, 3, 3) to the world
    p: Floats  # (B, 3) origins, metres
    slid: Floats  # (B, 3) the slide of the origin in the world, for a length of 1
    axis: Floats  # (M, 3) turn about the body's origin per unit of each angle
    slide: Floats  # (M, 3) move of the body's origin per unit of each angle


@kernel()
def empty_placed(tree):
    """Room for one frame."""
    B, M = tree.parents.shape[0], tree.angle_body.shape[0]
    return Placed(np.empty((B, 3, 3)), np.empty((B, 3)), np.empty((B, 3)), np.empty((M, 3)), np.empty((M, 3)))


@kernel()
def _turn(R, body, x, y, z, angle):
    """R[body] = R[body] @ Rot((x, y, z), angle)."""
    s, c = np.sin(angle), np.cos(angle)
    u = 1.0 - c
    m00, m01, m02 = c + x * x * u, x * y * u - z * s, x * z * u + y * s
    m10, m11, m12 = y * x * u + z * s, c + y * y * u, y * z * u - x * s
    m20, m21, m22 = z * x * u - y * s, z * y * u + x * s, c + z * z * u
    for i in range(3):
        a, b, d = R[body, i, 0], R[body, i, 1], R[body, i, 2]
        R[body, i, 0] = a * m00 + b * m10 + d * m20
        R[body, i, 1] = a * m01 + b * m11 + d * m21
        R[body, i, 2] = a * m02 + b * m12 + d * m22


@kernel()
def pose_tree(tree, offsets, length, ball, angle, root, out):
    """Fill ``out`` (:class:`Placed`).

    ``ball`` (B,3,3) are joint rotations of balls (identity for other bodies), ``angle`` (M,), ``root`` (3,) world.
    """
    turns, slides = tree.turns, tree.slides
    out.axis[:] = 0.0
    out.slide[:] = 0.0
    out.slid[:] = 0.0
    R = out.R
    for b in range(tree.parents.shape[0]):
        a = tree.parents[b]
        up = tree.ground if a < 0 else R[a]
        for s in range(slides.start[b], slides.start[b + 1]):
            h = slides.coordinate[s]
            way, rate = value(slides.polynomial[s], angle[h]), length[b] * slope(slides.polynomial[s], angle[h])
            for i in range(3):
                along = dot(up[i], slides.axis[s])
                out.slid[b, i] += way * along
                out.slide[h, i] += rate * along
        for i in range(3):
            if a < 0:
                out.p[b, i] = root[i]
            else:
                out.p[b, i] = out.p[a, i] + dot(up[i], offsets[b]) + length[b] * out.slid[b, i]
            for j in range(3):
                R[b, i, j] = up[i, 0] * ball[b, 0, j] + up[i, 1] * ball[b, 1, j] + up[i, 2] * ball[b, 2, j]
        for n in range(turns.start[b], turns.start[b + 1]):
            h = turns.coordinate[n]
            theta, rate = angle[h], 1.0
            if not turns.linear[n]:
                theta, rate = value(turns.polynomial[n], angle[h]), slope(turns.polynomial[n], angle[h])
            for i in range(3):
                out.axis[h, i] += rate * dot(R[b, i], turns.axis[n])
            _turn(R, b, turns.axis[n, 0], turns.axis[n, 1], turns.axis[n, 2], theta)


@kernel()
def pose_all(tree, offsets, length, ball, angle, root):
    """World rotations (T, B, 3, 3) and origins (T, B, 3) of all frames."""
    T, B = ball.shape[0], ball.shape[1]
    R, p = np.empty((T, B, 3, 3)), np.empty((T, B, 3))
    placed = empty_placed(tree)
    for t in range(T):
        pose_tree(tree, offsets, length, ball[t], angle[t], root[t], placed)
        R[t], p[t] = placed.R, placed.p
    return R, p


@kernel()
def place_points(points, local, R, p, X, arm):
    """World points ``X`` (K,3) and the share of each entry ``arm`` (E,3) = R_b y_e + w_e p_b."""
    for k in range(X.shape[0]):
        X[k, 0] = X[k, 1] = X[k, 2] = 0.0
        for e in range(points.start[k], points.start[k + 1]):
            b, w = points.body[e], points.weight[e]
            for i in range(3):
                v = R[b, i, 0] * local[e, 0] + R[b, i, 1] * local[e, 1] + R[b, i, 2] * local[e, 2] + w * p[b, i]
                arm[e, i] = v
                X[k, i] += v


@kernel()
def _lever(tree, points, k, body, p, arm, out):
    """Into ``out`` (3,): the share of point ``k`` that hangs below ``body``, from its origin; returns its weight."""
    weight = 0.0
    out[0] = out[1] = out[2] = 0.0
    for e in range(points.start[k], points.start[k + 1]):
        if tree.below[points.body[e], body]:
            w = points.weight[e]
            weight += w
            for i in range(3):
                out[i] += arm[e, i] - w * p[body, i]
    return weight


@kernel()
def point_jacobian(tree, points, k, placed, arm, lever, out):
    """Derivative of point ``k`` by the unknowns of the frame, into ``out[k]`` (3, d); only what moves it is set.

    ``lever`` (3,) is scratch.
    """
    for n in range(points.dof_start[k], points.dof_start[k + 1]):
        f = points.dof[n]
        kind, index, body = tree.dof_kind[f], tree.dof_index[f], tree.dof_body[f]
        if kind == TRANSLATION:
            for i in range(3):
                out[k, i, f] = 1.0 if i == index else 0.0
        elif kind == BALL:
            _lever(tree, points, k, body, placed.p, arm, lever)
            ax, ay, az = placed.R[body, 0, index], placed.R[body, 1, index], placed.R[body, 2, index]
            out[k, 0, f] = ay * lever[2] - az * lever[1]
            out[k, 1, f] = az * lever[0] - ax * lever[2]
            out[k, 2, f] = ax * lever[1] - ay * lever[0]
        else:
            out[k, 0, f] = out[k, 1, f] = out[k, 2, f] = 0.0
            h = index
            while h >= 0:
                weight = _lever(tree, points, k, tree.angle_body[h], placed.p, arm, lever)
                r, slide = tree.ratio[h], placed.slide
                ax, ay, az = placed.axis[h, 0], placed.axis[h, 1], placed.axis[h, 2]
                out[k, 0, f] += r * (ay * lever[2] - az * lever[1] + weight * slide[h, 0])
                out[k, 1, f] += r * (az * lever[0] - ax * lever[2] + weight * slide[h, 1])
                out[k, 2, f] += r * (ax * lever[1] - ay * lever[0] + weight * slide[h, 2])
                h = tree.follower[h]


@kernel()
def shape_jacobian(tree, points, template, placed, d_origin, out):
    """Derivative of every point by the shape: ``out`` (K,3,S). ``d_origin`` (B,3,S) is scratch."""
    S, R = template.d_offsets.shape[0], placed.R
    for b in range(tree.parents.shape[0]):
        a = tree.parents[b]
        for s in range(S):
            x, y, z = template.d_offsets[s, b, 0], template.d_offsets[s, b, 1], template.d_offsets[s, b, 2]
            longer = template.d_length[s, b]
            for i in range(3):
                if a < 0:
                    d_origin[b, i, s] = 0.0
                else:
                    moved = R[a, i, 0] * x + R[a, i, 1] * y + R[a, i, 2] * z + longer * placed.slid[b, i]
                    d_origin[b, i, s] = d_origin[a, i, s] + moved
    for k in range(out.shape[0]):
        for i in range(3):
            for s in range(S):
                out[k, i, s] = 0.0
        for e in range(points.start[k], points.start[k + 1]):
            b, w = points.body[e], points.weight[e]
            for s in range(S):
                x, y, z = template.d_local[s, e, 0], template.d_local[s, e, 1], template.d_local[s, e, 2]
                for i in range(3):
                    turned = R[b, i, 0] * x + R[b, i, 1] * y + R[b, i, 2] * z
                    out[k, i, s] += turned + w * d_origin[b, i, s]


@kernel()
def place_all(tree, points, template, ball, angle, root, X, JX, JS):
    """Points (T,K,3) of all frames, with derivatives by the frame's unknowns (T,K,3,d) and by the shape (T,K,3,S).

    ``ball`` (T,B,3,3), ``angle`` (T,M), ``root`` (T,3) are the state. ``JX`` must come zeroed.
    """
    B, S = ball.shape[1], template.d_offsets.shape[0]
    placed, lever = empty_placed(tree), np.empty(3)
    arm, d_origin = np.empty((points.body.shape[0], 3)), np.empty((B, 3, S))
    for t in range(ball.shape[0]):
        pose_tree(tree, template.offsets, template.length, ball[t], angle[t], root[t], placed)
        place_points(points, template.local, placed.R, placed.p, X[t], arm)
        for k in range(X.shape[1]):
            point_jacobian(tree, points, k, placed, arm, lever, JX[t])
        if S > 0:
            shape_jacobian(tree, points, template, placed, d_origin, JS[t])


@kernel()
def joint_variances(J, JS, start, dof, own, gain, border):
    """(T, B) summed variance over the three axes of points with derivatives ``J`` (T,B,3,d) and ``JS`` (T,B,3,S).

    The pose has the covariance ``own`` (T,d,d) for a known border and follows the border by ``gain`` (T,d,n); the
    border (first the shape) has the covariance ``border`` (n,n).
    """
    T, B, S, n = J.shape[0], J.shape[1], JS.shape[3], border.shape[0]
    total = np.empty(n)
    out = np.zeros((T, B))
    for t in range(T):
        for b in range(B):
            lo, hi = start[b], start[b + 1]
            for i in range(3):
                for c in range(n):
                    total[c] = JS[t, b, i, c] if c < S else 0.0
                for x in range(lo, hi):
                    f = dof[x]
                    for y in range(lo, hi):
                        out[t, b] += J[t, b, i, f] * own[t, f, dof[y]] * J[t, b, i, dof[y]]
                    for c in range(n):
                        total[c] += J[t, b, i, f] * gain[t, f, c]
                for c in range(n):
                    for e in range(n):
                        out[t, b] += total[c] * border[c, e] * total[e]
    return out
