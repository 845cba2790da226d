"""Posing the skin: by marrow's skeleton (the main road), or by the rig's own 104 bones (parity with Anny).

The rig's own mode follows Anny 0.6.2 (Apache-2.0), ``local-ref``: a bone's rotation is given in the world's axes,
relative to a reference pose that is the same for every shape; all identities give that reference pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body.skinning import SkinWeights, skin
from marrow.errors import InputError
from marrow.types import Float32, Float64

if TYPE_CHECKING:
    from marrow.skeleton import Skeleton


def segment_transforms(bind: Float64, R: Float64, p: Float64) -> Float64:
    """What carries points of the bind pose along with each segment.

    Args:
        bind: (B, 4, 4) segment frames of the bind pose (world from segment).
        R, p: (..., B, 3, 3) and (..., B, 3) segment frames now.
    Returns:
        (..., B, 3, 4).
    """
    linear = R @ np.swapaxes(bind[:, :3, :3], -1, -2)
    offset = p - np.einsum("...bij,bj->...bi", linear, bind[:, :3, 3])
    return np.concatenate([linear, offset[..., None]], axis=-1)


def pose_by_skeleton(
    vertices: Float32,
    weights: SkinWeights,
    skeleton: Skeleton,
    q: ArrayLike,
    translation: ArrayLike | None,
    threads: int | None,
) -> tuple[Float32, Float64]:
    """Vertices (..., n, 3) and segment origins (..., B, 3) for coordinates q (..., D); see ``Skeleton.forward``."""
    R, p = skeleton.forward(q, translation)
    transforms = segment_transforms(skeleton.bind, R, p)
    lead = transforms.shape[:-3]
    posed = skin(vertices, weights, transforms.reshape(-1, *transforms.shape[-3:]), threads)
    return posed.reshape(*lead, *posed.shape[1:]), p


def nearest_rotation(M: Float64) -> Float64:
    """Rotations nearest to matrices (..., 3, 3) (special orthogonal Procrustes)."""
    U, _, Vt = np.linalg.svd(M)
    U[..., :, 2] *= np.linalg.det(U @ Vt)[..., None]
    return U @ Vt


def bone_transforms(
    parents: Sequence[int],
    heads: Float64,
    frames: Float64,
    reference: Float64,
    rotations: NDArray,
    translation: ArrayLike | None,
) -> tuple[Float64, Float64]:
    """Forward kinematics of the rig's own bones.

    Args:
        parents: N, the root's is -1.
        heads, frames: (N, 3) and (N, 3, 3) bones at rest.
        reference: (N, 3, 3) bone frames of the reference pose.
        rotations: (..., N, 3, 3) of each bone against the reference pose, world axes.
        translation: (..., 3) position of the root's head, in the world's axes turned into the root's frame, as in Anny.
    Returns:
        (..., N, 3, 4) what carries rest points with each bone, and the heads (..., N, 3).
    """
    rotations = np.asarray(rotations, np.float64)
    if rotations.shape[-3:] != (len(parents), 3, 3):
        raise InputError(f"local_rotations: expected (..., {len(parents)}, 3, 3), got {rotations.shape}.")
    lead = rotations.shape[:-3]
    world = np.empty(rotations.shape)
    place = np.empty((*lead, len(parents), 3))
    world[..., 0, :, :] = reference[0].T @ rotations[..., 0, :, :] @ reference[0]
    start = np.zeros(3) if translation is None else np.asarray(translation, np.float64)
    place[..., 0, :] = start @ reference[0]
    for bone, parent in enumerate(parents):
        if parent < 0:
            continue
        # The step from parent to child, turned with the parent from its rest to its reference frame (not for the root).
        step = heads[bone] - heads[parent]
        if parent > 0:
            step = reference[parent] @ (frames[parent].T @ step)
        carried = world[..., parent, :, :] @ reference[parent].T
        world[..., bone, :, :] = carried @ rotations[..., bone, :, :] @ reference[bone]
        place[..., bone, :] = place[..., parent, :] + carried @ step
    linear = world @ np.swapaxes(frames, -1, -2)
    offset = place - np.einsum("...nij,nj->...ni", linear, heads)
    return np.concatenate([linear, offset[..., None]], axis=-1), place
