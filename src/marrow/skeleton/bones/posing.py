"""Bones in any pose: each moves rigidly from the bind pose, most with the segment that carries them.

:func:`bone_motions` is the one place that says how a bone moves. The patella, which no segment carries rightly, slides
there; a vertebra, which knows how far up its part of the spine it is, can be laid along a bent one there. All else
takes the motions as they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.skeleton.bones import segment_of
from marrow.skeleton.bones.patella import slide
from marrow.skeleton.skeleton import Skeleton
from marrow.types import Float64, Mesh


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
        if name.startswith("patella") and segment.startswith("tibia"):
            out[name] = _sliding(mesh, skeleton, segment, R, p)
        else:
            b = skeleton.body_index(segment)
            out[name] = BoneMotion(turn[..., b, :, :], shift[..., b, :])
    return out


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
