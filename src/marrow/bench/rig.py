"""The same movement by another rig: the default body posed by its own 104 graphics bones.

A mesh sequence of it has the body's topology but was not made by marrow's skeleton, as those of other people are not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marrow.body import DefaultBody
from marrow.body.default import Rest
from marrow.body.posing import nearest_rotation
from marrow.body.rig import rig_matrix
from marrow.skeleton import Skeleton
from marrow.types import Float64, Mesh

#: The graphics bone whose head is the joint of that name.
JOINTS = {
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot",
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist",
}  # fmt: skip


def pose_on_rig(body: DefaultBody, rest: Rest, skeleton: Skeleton, q: Float64) -> Mesh:
    """Skin (T, V, 3) and bone heads (T, 104, 3) of the rig following a movement of the skeleton.

    Every bone turns as the segments do that share it, so that a spine or a forearm bends over several bones. The root
    goes where the pelvis carries it.

    Args:
        q: (T, D) coordinates of ``skeleton``, which is inside ``rest``.
    """
    R, p = skeleton.forward(q)
    turned = R @ np.swapaxes(skeleton.bind[:, :3, :3], -1, -2)
    shares = rig_matrix(body.bones, skeleton.bodies)
    # the rig counts from a pose that is the same for every shape, and not from the person's own bind pose
    from_reference = body.bone_frames(rest) @ np.swapaxes(body.reference_frames, -1, -2)
    world = nearest_rotation(np.einsum("nb,tbij->tnij", shares, turned)) @ from_reference
    parents = np.array(body.bone_parents)
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, parents[1:]], -1, -2) @ world[:, 1:]
    root = p[:, 0] + turned[:, 0] @ (rest.bone_heads[0] - skeleton.bind[0, :3, 3])
    return body.pose_bones(rest, local, root)


def rig_joint(bones: Sequence[str], heads: Float64, joint: str, side: str) -> Float64:
    """(..., 3) the head of the bone that begins at a joint of :data:`JOINTS`, ``side`` r or l."""
    return heads[..., list(bones).index(f"{JOINTS[joint]}.{side.upper()}"), :]
