"""Which of our skeleton's segments carries each of the body's 104 bones: the skin's weights regrouped.

The rig has more bones than the skeleton (five spine bones, three neck bones, two per long bone), but no shoulder blade.
A bone that lies across a joint is shared between the segments on its two sides, so that the skin bends over its length
and not in one crease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

#: Shares of bones on the midline.
_MIDLINE: Mapping[str, Mapping[str, float]] = {
    "root": {"pelvis": 1.0},
    "spine05": {"pelvis": 0.85, "lumbar": 0.15},
    "spine04": {"pelvis": 0.4, "lumbar": 0.6},
    "spine03": {"lumbar": 0.6, "torso": 0.4},
    "spine02": {"torso": 1.0},
    "spine01": {"torso": 1.0},
    "neck01": {"torso": 0.75, "head": 0.25},
    "neck02": {"torso": 0.4, "head": 0.6},
    "neck03": {"torso": 0.1, "head": 0.9},
    "head": {"head": 1.0},
}

#: Shares of bones with a side, without it (``pelvis`` and ``head`` have none themselves).
_SIDED: Mapping[str, Mapping[str, float]] = {
    "pelvis": {"pelvis": 1.0},
    "upperleg01": {"femur": 1.0},
    "upperleg02": {"femur": 1.0},
    "lowerleg01": {"tibia": 1.0},
    "lowerleg02": {"tibia": 1.0},
    "foot": {"calcn": 1.0},
    "clavicle": {"clavicle": 0.7, "scapula": 0.3},
    "shoulder01": {"clavicle": 0.1, "scapula": 0.75, "humerus": 0.15},
    "upperarm01": {"humerus": 0.82, "scapula": 0.18},
    "upperarm02": {"humerus": 1.0},
    "lowerarm01": {"ulna": 0.8, "radius": 0.2},
    "lowerarm02": {"ulna": 0.25, "radius": 0.75},
    "wrist": {"hand": 1.0},
    "eye": {"head": 1.0},
    **{f"metacarpal{k}": {"hand": 1.0} for k in range(1, 5)},
    **{f"toe{k}-{j}": {"toes": 1.0} for k in range(1, 6) for j in range(1, 4)},
    **{
        f"finger{k}-{j}": {f"{finger}_{part}": 1.0}
        for k, finger in enumerate(("thumb", "index", "middle", "ring", "little"), 1)
        for j, part in enumerate(
            ("metacarpal", "proximal", "distal") if k == 1 else ("proximal", "middle", "distal"), 1
        )
    },
}

_NO_SIDE = ("pelvis", "lumbar", "torso", "head")


def rig_matrix(bones: Sequence[str], bodies: Sequence[str]) -> NDArray[np.float64]:
    """(N, B) shares: row n tells which bodies move bone n. Rows sum to one.

    Raises InputError where a bone has no place, or a body that it needs is not in ``bodies``.
    """
    column = {name: i for i, name in enumerate(bodies)}
    out = np.zeros((len(bones), len(bodies)))
    for row, bone in enumerate(bones):
        for body, share in _shares(bone).items():
            if body not in column:
                raise InputError(f"The skeleton has no segment {body!r}, which the body's bone {bone!r} hangs on.")
            out[row, column[body]] += share
    return out


def _shares(bone: str) -> Mapping[str, float]:
    if bone in _MIDLINE:
        return _MIDLINE[bone]
    stem, _, side = bone.rpartition(".")
    if stem not in _SIDED:
        raise InputError(f"No skeleton segment is known for the body's bone {bone!r}.")
    return {body if body in _NO_SIDE else f"{body}_{side.lower()}": share for body, share in _SIDED[stem].items()}


def grouped_weights(
    start: NDArray[np.int32], bone: NDArray[np.uint8], weight: NDArray[np.float32], shares: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Skinning weights of the bodies from those of the bones; all influences kept, rows sum to one.

    Args:
        start, bone, weight: CSR by vertex, (V + 1,), (nnz,), (nnz,).
        shares: (N, B) of :func:`rig_matrix`.
    Returns:
        CSR ``(start, body, weight)`` with int32 indices.
    """
    from scipy.sparse import csr_array

    bones = csr_array((weight.astype(np.float64), bone.astype(np.int32), start), shape=(len(start) - 1, len(shares)))
    bodies = csr_array(bones @ csr_array(shares))
    bodies.sort_indices()
    total = np.repeat(np.asarray(bodies.sum(axis=1)).ravel(), np.diff(bodies.indptr))
    return bodies.indptr.astype(np.int32), bodies.indices.astype(np.int32), (bodies.data / total).astype(np.float32)
