"""Where joints and bones should be: references for joint centres that the skeleton is not built from, and the skin.

Hips are measured against Harrington 2007 (the default skeleton has Hara 2016), knee, ankle, elbow and wrist against the
middles that the ISB defines (Wu et al. 2002, 2005), of landmarks on the *skin* and not on bone. Heights and lengths as
shares of stature are those of Drillis and Contini 1966 (in Winter 2009, figure 4.1), which know nothing of landmarks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from marrow.bench.rig import JOINTS, rig_joint
from marrow.body import Rest, load_body
from marrow.body.anatomy import bony_landmarks, skin_landmarks
from marrow.metrics import inside
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import bone_meshes, segment_of
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Float64

#: Names of the joints that are measured, right and left.
NAMES: tuple[str, ...] = tuple(f"{joint}_{side}" for joint in JOINTS for side in "rl")
#: Joints that have a reference; all but the hip are the middle of two landmarks.
REFERRED = ("hip", "knee", "ankle", "elbow", "wrist")
_MIDDLES = {
    "knee": ("lateral_femoral_epicondyle", "medial_femoral_epicondyle"),
    "ankle": ("lateral_malleolus", "medial_malleolus"),
    "elbow": ("lateral_humeral_epicondyle", "medial_humeral_epicondyle"),
    "wrist": ("radial_styloid", "ulnar_styloid"),
}
_HEIGHTS = {"hip": 0.530, "knee": 0.285, "ankle": 0.039, "shoulder": 0.818}
_LENGTHS = {("shoulder", "elbow"): 0.186, ("elbow", "wrist"): 0.146}
_LONG_BONES = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))

STRIDE = 20
LINED = ("skull", "mandible", "C1", "C2")

#: A joint of :data:`NAMES` to its (..., 3) metres.
Joints = Mapping[str, Float64]


def skeleton_joints(skeleton: Skeleton, R: Float64 | None = None, p: Float64 | None = None) -> Joints:
    """Joint centres of a skeleton posed by ``R, p = skeleton.forward(q)``; by default at rest."""
    if R is None or p is None:
        R, p = skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3]
    return dict(zip(NAMES, np.moveaxis(skeleton.points(R, p, NAMES), -2, 0), strict=True))


def rig_joints(heads: Float64) -> Joints:
    """Joints of the graphics rig, from its bones' heads (..., 104, 3)."""
    return {name: rig_joint(load_body().bones, heads, *name.split("_")) for name in NAMES}


def from_references(joints: Joints, rest: Rest) -> Float64:
    """(5, 2) metres of the joints :data:`REFERRED` (right, left) of a body at rest from their references."""
    hips, skin = joint_centres(bony_landmarks(rest), hip="harrington"), skin_landmarks(rest)
    expected = {name: hips[name] for name in ("hip_r", "hip_l")}
    for joint, (a, b) in _MIDDLES.items():
        expected |= {f"{joint}_{s}": 0.5 * (skin[f"{a}_{s}"] + skin[f"{b}_{s}"]) for s in "rl"}
    return np.array(
        [[np.linalg.norm(joints[f"{j}_{s}"] - expected[f"{j}_{s}"]) for s in "rl"] for j in REFERRED], float
    )


def from_proportions(joints: Joints, rest: Rest) -> Float64:
    """(6,) percent of stature by which heights and lengths of the right side differ from the published ones."""
    stature = float(rest.vertices[:, 1].max())
    off = [joints[f"{joint}_r"][1] / stature - share for joint, share in _HEIGHTS.items()]
    off += [np.linalg.norm(joints[f"{a}_r"] - joints[f"{b}_r"]) / stature - share for (a, b), share in _LENGTHS.items()]
    return 100 * np.abs(np.array(off, float))


def along_bones(joints: Joints, points: int = 11) -> Float64:
    """(N, 3) points along the long bones of one pose, joints included."""
    share = np.linspace(0, 1, points)[:, None]
    ends = [(joints[f"{a}_{s}"], joints[f"{b}_{s}"]) for a, b in _LONG_BONES for s in "rl"]
    return np.concatenate([a + share * (b - a) for a, b in ends])


def inside_at_rest(joints: Joints, rest: Rest) -> float:
    """Percent of the bones' vertices inside the skin at rest, the bones warped to these joint centres."""
    points = np.concatenate(list(bone_points(rest, joints).values()))
    return 100 * float((depth(points, rest.vertices) > 0).mean())


def bone_points(rest: Rest, joints: Joints) -> dict[str, Float64]:
    """Bone to every :data:`STRIDE`-th vertex (n, 3) of its mesh at rest, the bones warped to these joint centres.

    Left out is what lies behind the lining of mouth and throat (:data:`LINED`), which the skin counts as open air.
    """
    bony = bony_landmarks(rest)
    meshes = bone_meshes(bony, {**joint_centres(bony), **joints})
    return {name: mesh.vertices[::STRIDE].astype(float) for name, mesh in meshes.items() if name not in LINED}


def carried(points: Mapping[str, Float64], skeleton: Skeleton, R: Float64, p: Float64) -> Float64:
    """(N, 3) bone points of :func:`bone_points` in one pose of the skeleton, ``R`` (B, 3, 3) and ``p`` (B, 3)."""
    out = []
    for bone, x in points.items():
        b = skeleton.body_index(segment_of(bone, skeleton.bodies))
        out.append((x - skeleton.bind[b, :3, 3]) @ skeleton.bind[b, :3, :3] @ R[b].T + p[b])
    return np.concatenate(out)


def depth(points: Float64, skin: ArrayLike) -> Float64:
    """(N,) metres from points (N, 3) to the nearest vertex of a skin (V, 3) of the default body; outside negative."""
    away = KDTree(np.asarray(skin)).query(points)[0]
    return np.where(inside(points, skin, load_body().faces), away, -away)
