"""Bones in any pose: each moves rigidly from the bind pose, most with the segment that carries them.

:func:`bone_motions` is the one place that says how a bone moves. The patella, which no segment carries rightly, slides
there, and the vertebrae lie along the arcs of the spine. All else takes the motions as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.skeleton import binding
from marrow.skeleton.bones import segment_of
from marrow.skeleton.bones.patella import slide
from marrow.skeleton.kinematics import joint_rotation, joint_slide
from marrow.skeleton.skeleton import Skeleton
from marrow.types import Float64, Mesh

#: The ribs of this vertebra and those above are carried by one rigid cage.
_FIRST_BELOW_RIGID_RIBS = 8


class BoneMotion(NamedTuple):
    """From the bind pose to another, ``x -> R x + t`` in marrow's world: R (..., 3, 3), t (..., 3) in metres."""

    R: Float64
    t: Float64


def posed_bones(meshes: Mapping[str, Mesh], skeleton: Skeleton, R: ArrayLike, p: ArrayLike) -> dict[str, Mesh]:
    """A person's bones in other poses.

    Args:
        meshes: bones by name in the bind pose, as :func:`marrow.skeleton.bones.bone_meshes` gives them.
        skeleton: the person's.
        R, p: segments in the world, (..., B, 3, 3) and (..., B, 3) in metres, as ``skeleton.forward(q)`` gives them.

    Returns:
        The same bones with vertices (..., V, 3), float32 metres, marrow's world.

    Raises:
        InputError: R and p are not those of this skeleton, or no segment of it carries a bone.
    """
    out = {}
    for name, motion in bone_motions(meshes, skeleton, R, p).items():
        moved = meshes[name].vertices.astype(float) @ np.swapaxes(motion.R, -1, -2) + motion.t[..., None, :]
        out[name] = Mesh(moved.astype(np.float32), meshes[name].faces)
    return out


def bone_motions(meshes: Mapping[str, Mesh], skeleton: Skeleton, R: ArrayLike, p: ArrayLike) -> dict[str, BoneMotion]:
    """How each bone has moved since the bind pose; arguments and errors as for :func:`posed_bones`."""
    R, p = np.asarray(R, float), np.asarray(p, float)
    count = len(skeleton.bodies)
    if R.shape[-3:] != (count, 3, 3) or p.shape != R.shape[:-1]:
        raise InputError(
            f"bones: expected the frames of {count} segments, R (..., {count}, 3, 3) and p (..., {count}, 3), got "
            f"{R.shape} and {p.shape}; give those of skeleton.forward(q)"
        )
    turn = R @ np.swapaxes(skeleton.bind[:, :3, :3], -1, -2)
    shift = p - np.einsum("...bij,bj->...bi", turn, skeleton.bind[:, :3, 3])
    out = {}
    for name, mesh in meshes.items():
        segment = segment_of(name, skeleton.bodies)
        arc = _arc_of(name)
        if arc in skeleton.bodies:
            out[name] = _along(mesh, skeleton, arc, R, p)
        elif name.startswith("patella") and segment.startswith("tibia"):
            out[name] = _sliding(mesh, skeleton, segment, R, p)
        else:
            b = skeleton.body_index(segment)
            out[name] = BoneMotion(turn[..., b, :, :], shift[..., b, :])
    return out


def _arc_of(bone: str) -> str:
    """The light segment of the spine whose arc a vertebra lies on; empty for other bones, and behind rigid ribs."""
    region, number = bone[0], bone[1:]
    if region not in "CTL" or not number.isdigit():
        return ""
    lower = region == "T" and int(number) > _FIRST_BELOW_RIGID_RIBS
    return {"C": "neck_arc", "L": "lumbar_arc"}.get(region, "thorax_arc" if lower else "")


def _along(mesh: Mesh, skeleton: Skeleton, arc: str, R: Float64, p: Float64) -> BoneMotion:
    """A vertebra's motion, some share of the way along its part of the spine: that share of the bend and the length."""
    tree, a = skeleton.tree, skeleton.body_index(arc)
    b, parent = a + 1, int(tree.parents[a])
    base, rod = skeleton.cuts[b], skeleton.bind[a, :3, 3] - skeleton.cuts[b]
    share = float(np.clip((mesh.vertices.mean(0) - base) @ rod / (rod @ rod), 0.0, 1.0))
    x = np.zeros((*R.shape[:-3], len(skeleton.coordinates)))
    for joint in (a, b):
        own = slice(int(tree.start[joint]), int(tree.start[joint] + tree.count[joint]))
        between = np.swapaxes(R[..., tree.parents[joint], :, :], -1, -2) @ R[..., joint, :, :]
        x[..., own] = share * binding.joint_coordinates(tree, joint, between)
    bind, length = skeleton.bind[parent, :3, :3], share * skeleton.length[a]
    sagittal = joint_rotation(tree, a, x)
    turn = sagittal @ joint_rotation(tree, b, x)
    place = (base + share * rod - skeleton.bind[parent, :3, 3]) @ bind + length * joint_slide(tree, a, x)
    place = place + (sagittal @ (length * joint_slide(tree, b, x))[..., None])[..., 0]
    R_parent = R[..., parent, :, :]
    out = R_parent @ turn @ bind.T
    moved = p[..., parent, :] + (R_parent @ place[..., None])[..., 0]
    return BoneMotion(out, moved - out @ (base + share * rod))


def _sliding(mesh: Mesh, skeleton: Skeleton, tibia: str, R: Float64, p: Float64) -> BoneMotion:
    """The patella's motion, from how the tibia is bent against its parent, the femur."""
    t = skeleton.body_index(tibia)
    f = int(skeleton.parents[t])
    R_femur, R_tibia = skeleton.bind[[f, t], :3, :3]
    p_femur, p_tibia = skeleton.bind[[f, t], :3, 3]
    moved = slide(
        (mesh.vertices.astype(float) - p_femur) @ R_femur,
        (p_tibia - p_femur) @ R_femur,
        R_femur.T @ R_tibia,
        np.swapaxes(R[..., f, :, :], -1, -2) @ R[..., t, :, :],
    )
    turn = R[..., f, :, :] @ moved.R @ R_femur.T
    return BoneMotion(turn, p[..., f, :] + np.einsum("...ij,...j->...i", R[..., f, :, :], moved.t) - turn @ p_femur)
