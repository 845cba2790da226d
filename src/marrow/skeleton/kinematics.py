"""The plain twin of the kernels: any leading dimensions, numpy, made to be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marrow.geometry import rotations
from marrow.skeleton.tree import BASE, FREE, HINGE, Terms, Tree, term_value
from marrow.types import Float64


def driven(terms: Terms, i: int, x: Float64) -> Float64:
    """Angle (or share of the joint's length) (...,) of term i at coordinates x (..., D)."""
    return term_value(terms, i, x[..., terms.coordinate[i]])


def rate(terms: Terms, i: int, x: Float64) -> Float64:
    """Derivative (...,) of :func:`driven` by the term's coordinate."""
    slope = np.polyder(np.append(terms.polynomial[i][::-1], 0.0))
    return np.asarray(np.polyval(slope, x[..., terms.coordinate[i]]), np.float64)


def of_joint(terms: Terms, b: int) -> range:
    """The terms of joint b."""
    return range(int(terms.start[b]), int(terms.start[b + 1]))


def joint_rotation(tree: Tree, b: int, x: Float64) -> Float64:
    """Rotation (..., 3, 3) of joint b at coordinates x (..., D), by its turns in their order."""
    R = np.broadcast_to(np.eye(3), (*x.shape[:-1], 3, 3))
    for i in of_joint(tree.turns, b):
        R = R @ rotations.axis_angle(tree.turns.axis[i], driven(tree.turns, i, x))
    return R


def joint_slide(tree: Tree, b: int, x: Float64) -> Float64:
    """Slide (..., 3) of joint b at coordinates x (..., D), in its parent's axes, for a length of 1."""
    out = np.zeros((*x.shape[:-1], 3))
    for i in of_joint(tree.slides, b):
        out += driven(tree.slides, i, x)[..., None] * tree.slides.axis[i]
    return out


def joint_rotations(tree: Tree, x: Float64, *, tangent: bool = False) -> Float64:
    """Rotations (..., B, 3, 3) of the segments against their parents (root: against marrow's world).

    Args:
        x: (..., D) coordinates ``q``, or with ``tangent`` the tangent coordinates.
    """
    out = []
    for b, start in enumerate(tree.start):
        ball = tangent and tree.kind[b] != HINGE
        R = rotations.exp(x[..., start : start + 3]) if ball else joint_rotation(tree, b, x)
        out.append(BASE @ R if tree.kind[b] == FREE else R)
    return np.stack(out, -3)


def joint_places(tree: Tree, x: Float64, offsets: Float64, length: Float64) -> Float64:
    """Origins (..., B, 3) of the segments in their parents' frames, metres; see the kernel of the same name."""
    out = np.broadcast_to(offsets, (*x.shape[:-1], *offsets.shape)).copy()
    for b in tree.sliding:
        out[..., b, :] += length[b] * joint_slide(tree, b, x)
    return out


def forward(tree: Tree, R_joint: Float64, places: Float64, root_p: Float64) -> tuple[Float64, Float64]:
    """World rotations (..., B, 3, 3) and origins (..., B, 3) of the segments; metres, marrow's world."""
    R, p = [R_joint[..., 0, :, :]], [root_p]
    for b in range(1, len(tree.parents)):
        a = tree.parents[b]
        R.append(R[a] @ R_joint[..., b, :, :])
        p.append(p[a] + (R[a] @ places[..., b, :, None])[..., 0])
    return np.stack(R, -3), np.stack(p, -2)


def dof_twists(
    tree: Tree, length: Float64, x: Float64, R: Float64, p: Float64, *, tangent: bool = False
) -> tuple[Float64, Float64, Float64]:
    """World axes, pivots and slides (..., D, 3) of all coordinates; see the kernel of the same name."""
    axis, pivot, slide = (np.zeros((*x.shape, 3)) for _ in range(3))
    for b, (start, count) in enumerate(zip(tree.start, tree.count, strict=True)):
        above = np.broadcast_to(BASE, R.shape[:-3] + (3, 3)) if tree.parents[b] < 0 else R[..., tree.parents[b], :, :]
        pivot[..., start : start + count, :] = p[..., b, None, :]
        if tangent and tree.kind[b] != HINGE:
            axis[..., start : start + 3, :] = np.swapaxes(R[..., b, :, :], -1, -2)
        else:
            so_far = above
            for i in of_joint(tree.turns, b):
                c = tree.turns.coordinate[i]
                axis[..., c, :] += rate(tree.turns, i, x)[..., None] * (so_far @ tree.turns.axis[i])
                so_far = so_far @ rotations.axis_angle(tree.turns.axis[i], driven(tree.turns, i, x))
        for i in of_joint(tree.slides, b):
            c = tree.slides.coordinate[i]
            slide[..., c, :] += length[b] * rate(tree.slides, i, x)[..., None] * (above @ tree.slides.axis[i])
        if tree.kind[b] == FREE:
            axis[..., start + 3 : start + count, :] = tree.axes[start + 3 : start + count] @ BASE.T
    return axis, pivot, slide


def jacobian(
    tree: Tree, bodies: NDArray[np.int64], points: Float64, axis: Float64, pivot: Float64, slide: Float64
) -> Float64:
    """Derivative (..., N, 3, D) of world points (..., N, 3) fixed to segments; see the kernel of the same name."""
    J = np.cross(axis[..., None, :, :], points[..., :, None, :] - pivot[..., None, :, :]) + slide[..., None, :, :]
    J[..., tree.translation, :] = axis[..., None, tree.translation, :]
    return np.swapaxes(J * tree.moves[bodies][..., None], -1, -2)
