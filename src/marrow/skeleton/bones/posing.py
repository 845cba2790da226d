"""Bones in any pose: each moves rigidly from the bind pose, with the segment that carries it.

:func:`bone_motions` is the one place that says how a bone moves, so that a vertebra, which knows how far up its part of
the spine it is, can be laid along a bent one there; all else takes the motions as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.skeleton.bones import segment_of
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
    motions = bone_motions(meshes, skeleton, R, p)
    out = {}
    for name, mesh in meshes.items():
        motion = motions[name]
        moved = mesh.vertices.astype(float) @ np.swapaxes(motion.R, -1, -2) + motion.t[..., None, :]
        out[name] = Mesh(moved.astype(np.float32), mesh.faces)
    return out


def bone_motions(bones: Iterable[str], skeleton: Skeleton, R: ArrayLike, p: ArrayLike) -> dict[str, BoneMotion]:
    """How each bone has moved since the bind pose; arguments as for :func:`posed_bones`."""
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
    for bone in bones:
        b = skeleton.body_index(segment_of(bone, skeleton.bodies))
        out[bone] = BoneMotion(turn[..., b, :, :], shift[..., b, :])
    return out
