"""The trunk as one: coordinates of lumbar and thoracic spine from the turn of the rib cage against the pelvis.

Points on shoulders and hips tell how the whole trunk is bent and twisted, not where along the spine. Lumbar and
thoracic spine then share it at the ratios of :data:`marrow.skeleton.definition.FOLLOWERS`.
"""

from __future__ import annotations

import functools

import numpy as np

from marrow.geometry import rotations
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.tree import Tree
from marrow.types import Float64

#: Turns of the chain from pelvis to rib cage that one leader each drives.
_LEADERS = ("lumbar_seg_extension", "lumbar_seg_bending", "thorax_rotation")
_ROUNDS = 8
_WIDER = 1.5  # a trunk is bent by no more than so many times its range


def trunk_coordinates(tree: Tree, R: Float64) -> dict[str, Float64]:
    """Lumbar and thoracic coordinates (...,) by name, radians, that turn the rib cage by R against the pelvis.

    Gauss-Newton within bounds on the three that lead; a turn beyond what a trunk can do ends at the edge.

    Args:
        R: (..., 3, 3) rotation of the rib cage in the pelvis' frame.
    """
    chain, ratio, low, high = _chain(tree)
    axes = tree.axes[chain]
    x = rotations.log(R)[..., [2, 0, 1]] / ratio.sum(0)
    for _ in range(_ROUNDS):
        x = np.clip(x, low, high)
        steps = [rotations.axis_angle(a, v) for a, v in zip(axes, np.moveaxis(x @ ratio.T, -1, 0), strict=True)]
        # each axis as the rib cage sees it: turned back by all that follow
        after, columns = np.broadcast_to(np.eye(3), R.shape), []
        for axis, step in zip(axes[::-1], steps[::-1], strict=True):
            after = step @ after
            columns.append(np.swapaxes(after, -1, -2) @ axis)
        J = np.stack(columns[::-1], -1) @ ratio
        left = rotations.log(np.swapaxes(after, -1, -2) @ R)
        step = np.linalg.solve(J, left[..., None])[..., 0]
        # a leader at its edge that would go further stays there, and the step is found anew without it
        held = (x <= low) & (step < 0) | (x >= high) & (step > 0)
        J = np.where(held[..., None, :], 0.0, J)
        normal = np.swapaxes(J, -1, -2) @ J + np.where(held[..., None], np.eye(3), 0.0)
        x = x + np.linalg.solve(normal, np.swapaxes(J, -1, -2) @ left[..., None])[..., 0]
    q = np.clip(x, low, high) @ ratio.T
    return {tree.coordinates[d]: q[..., i] for i, d in enumerate(chain)}


@functools.cache
def _chain(tree: Tree) -> tuple[list[int], Float64, Float64, Float64]:
    """Coordinates from pelvis to rib cage in their order, (6, 3) how they follow the leaders, the leaders' bounds."""
    of = {f.name: (f.leader, f.ratio) for f in FOLLOWERS}
    bodies = ("lumbar_arc", "lumbar", "thorax_arc", "torso")
    chain = [d for d, b in enumerate(tree.dof_body) if tree.bodies[b] in bodies]
    ratio = np.zeros((len(chain), len(_LEADERS)))
    for row, d in zip(ratio, chain, strict=True):
        name = tree.coordinates[d]
        leader, share = of.get(name, (name, 1.0))
        row[_LEADERS.index(leader)] = share
    ends = tree.ranges[[tree.coordinates.index(name) for name in _LEADERS]] * _WIDER
    return chain, ratio, ends[:, 0], ends[:, 1]
