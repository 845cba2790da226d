"""The plain twin of the kernels: any leading dimensions, numpy, made to be read."""

from __future__ import annotations

import numpy as np

from marrow.geometry import rotations
from marrow.skeleton.tree import BASE, FREE, HINGE, Tree
from marrow.types import Float64


def joint_rotations(tree: Tree, x: Float64, *, tangent: bool = False) -> Float64:
    """Rotations (..., B, 3, 3) of the segments against their parents (root: against marrow's world).

    Args:
        x: (..., D) coordinates ``q``, or with ``tangent`` the tangent coordinates.
    """
    out = []
    for b, (start, count) in enumerate(zip(tree.start, tree.count, strict=True)):
        ball = tree.kind[b] != HINGE
        if ball and tangent:
            R = rotations.exp(x[..., start : start + 3])
        else:
            R = np.broadcast_to(np.eye(3), (*x.shape[:-1], 3, 3))
            for d in range(start, start + (3 if ball else count)):
                R = R @ rotations.axis_angle(tree.axes[d], x[..., d])
        out.append(BASE @ R if tree.kind[b] == FREE else R)
    return np.stack(out, -3)


def forward(tree: Tree, R_joint: Float64, offsets: Float64, root_p: Float64) -> tuple[Float64, Float64]:
    """World rotations (..., B, 3, 3) and origins (..., B, 3) of the segments; metres, marrow's world."""
    R, p = [R_joint[..., 0, :, :]], [root_p]
    for b in range(1, len(tree.parents)):
        a = tree.parents[b]
        R.append(R[a] @ R_joint[..., b, :, :])
        p.append(p[a] + R[a] @ offsets[b])
    return np.stack(R, -3), np.stack(p, -2)


def dof_axes(tree: Tree, x: Float64, R: Float64, p: Float64, *, tangent: bool = False) -> tuple[Float64, Float64]:
    """World axes and pivots (..., D, 3) of all coordinates; see the kernel of the same name."""
    axes, pivots = [], []
    for b, (start, count) in enumerate(zip(tree.start, tree.count, strict=True)):
        ball = tree.kind[b] != HINGE
        turns = 3 if ball else int(count)
        so_far = np.broadcast_to(BASE, R.shape[:-3] + (3, 3)) if tree.parents[b] < 0 else R[..., tree.parents[b], :, :]
        for i in range(count):
            d = start + i
            if i >= turns:
                axis = np.broadcast_to(BASE @ tree.axes[d], p.shape[:-2] + (3,))
            elif ball and tangent:
                axis = R[..., b, :, i]
            else:
                axis = so_far @ tree.axes[d]
                so_far = so_far @ rotations.axis_angle(tree.axes[d], x[..., d])
            axes.append(axis)
            pivots.append(p[..., b, :])
    return np.stack(axes, -2), np.stack(pivots, -2)
