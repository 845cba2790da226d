"""Axes, joint sets and the one way from a joint set to another.

World: right-handed, metres, **Y up**; a person at rest stands at the origin, faces **+Z** and has the left side on +X.
OpenSim's ground has X forward, Y up and Z right: ``(x, y, z)_world -> (z, y, -x)_ground``. Cameras are OpenCV's (x
right, y down, z forward). Lengths in metres, angles in radians, time in seconds; quaternions are xyzw.

A name in :data:`JOINT_SETS` means the same anatomical point in every set that has it. Detectors still place a point of
one name centimetres apart; :mod:`marrow.body.keypoints` describes where on the body each of them sits.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import AssetError, InputError
from marrow.types import Keypoints

R_GROUND_WORLD: NDArray[np.float64] = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""(3, 3) rotation from marrow's world to OpenSim's ground."""
R_GROUND_WORLD.setflags(write=False)


def to_ground(x_world: ArrayLike) -> NDArray[np.float64]:
    """Turn points or directions (..., 3) from marrow's world into OpenSim's ground."""
    return np.asarray(x_world, float) @ R_GROUND_WORLD.T


def from_ground(x_ground: ArrayLike) -> NDArray[np.float64]:
    """Turn points or directions (..., 3) from OpenSim's ground into marrow's world."""
    return np.asarray(x_ground, float) @ R_GROUND_WORLD


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The ``count`` names of ``known`` that look most like ``name``, best first, for error messages."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.0)
    return [by_lower[lower] for lower in found]


# ---------------------------------------------------------------------------------------------------------------------
# Joint sets
# ---------------------------------------------------------------------------------------------------------------------

_FINGERS = ("index", "middle", "ring", "little")


def _hand21(side: str) -> tuple[str, ...]:
    """The 21 points of one hand in the order of OpenPose, MediaPipe and COCO-WholeBody."""
    thumb = tuple(f"{side}_thumb_{part}" for part in ("cmc", "mcp", "ip", "tip"))
    rest = tuple(f"{side}_{finger}_{part}" for finger in _FINGERS for part in ("mcp", "pip", "dip", "tip"))
    return (f"{side}_hand_root", *thumb, *rest)


_COCO17 = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
_FEET6 = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")

JOINT_SETS: dict[str, tuple[str, ...]] = {
    # MediaPipe BlazePose. *_index, *_pinky and *_thumb are the first knuckles of the hand, *_foot_index the toes' end.
    "blazepose33": (
        *("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
        *("left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky"),
        *("left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel"),
        *("left_foot_index", "right_foot_index"),
    ),
    "coco17": _COCO17,
    # OpenPose's older model.
    "coco18": (
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
        *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear"),
    ),
    # COCO-WholeBody: body, feet, 68 iBUG face points, left hand, right hand.
    "coco133": (
        *_COCO17,
        *_FEET6,
        *(f"face_{number}" for number in range(68)),
        *_hand21("left"),
        *_hand21("right"),
    ),
    # OpenPose BODY_25.
    "body25": (
        *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
        *("mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel"),
        *("right_big_toe", "right_small_toe", "right_heel"),
    ),
    "halpe26": (
        *_COCO17,
        *("head_top", "neck", "mid_hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe"),
        *("left_heel", "right_heel"),
    ),
    # Human3.6M, the usual 17 of its 32; "nose" is its Neck/Nose, "head_top" its Head.
    "h36m17": (
        *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine"),
        *("thorax", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
        *("right_shoulder", "right_elbow", "right_wrist"),
    ),
    "mpii16": (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax"),
        *("upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow"),
        "left_wrist",
    ),
    # The 14 of Leeds Sports Pose, also of Shelf and Campus (their "bottom head" is the upper neck).
    "lsp14": (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
        *("upper_neck", "head_top"),
    ),
    # CMU Panoptic's 3-D points (hdPose3d_stage1_coco19).
    "panoptic19": (
        *("neck", "nose", "mid_hip", "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee"),
        *("left_ankle", "right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle"),
        *("left_eye", "left_ear", "right_eye", "right_ear"),
    ),
    # MPI-INF-3DHP: 28 in its training part, 17 in its test part. Points that no other set is known to have where it
    # has them are "mpi_*".
    "mpi3dhp28": (
        *("mpi_spine3", "mpi_spine4", "mpi_spine2", "mpi_spine", "pelvis", "neck", "mpi_head", "head_top"),
        *("left_mpi_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_mpi_hand"),
        *("right_mpi_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_mpi_hand"),
        *("left_hip", "left_knee", "left_ankle", "left_mpi_foot", "left_mpi_toe"),
        *("right_hip", "right_knee", "right_ankle", "right_mpi_foot", "right_mpi_toe"),
    ),
    "mpi3dhp17": (
        *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow"),
        *("left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "mpi_spine", "mpi_head"),
    ),
    # SMPL's own joints; "head" is the skull's base, "*_foot" the ball of the foot, "*_hand" the third knuckle.
    "smpl24": (
        *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle"),
        *("right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hand", "right_hand"),
    ),
}
"""Joint-set name -> joint names in order. ``left`` and ``right`` are the person's."""

_LIMBS = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)
_BOX = (
    *(("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    *(("left_shoulder", "left_hip"), ("right_shoulder", "right_hip")),
)
_FACE5 = tuple((f"{side}_{a}", b) for side in ("left", "right") for a, b in (("eye", "nose"),)) + tuple(
    (f"{side}_ear", f"{side}_eye") for side in ("left", "right")
)
_TOES = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("ankle", "heel"), ("ankle", "big_toe"), ("big_toe", "small_toe"))
)
_NECK = (
    *(("neck", "nose"), ("neck", "left_shoulder"), ("neck", "right_shoulder")),
    *(("neck", "left_hip"), ("neck", "right_hip")),
)
_NECK_ONE_HIP = (
    *(("neck", "nose"), ("neck", "left_shoulder"), ("neck", "right_shoulder"), ("neck", "mid_hip")),
    *(("mid_hip", "left_hip"), ("mid_hip", "right_hip")),
)
_THORAX = (
    *(("thorax", "left_shoulder"), ("thorax", "right_shoulder"), ("pelvis", "left_hip"), ("pelvis", "right_hip")),
)

_MPI = (
    *(("pelvis", "left_hip"), ("pelvis", "right_hip"), ("pelvis", "mpi_spine"), ("mpi_spine", "neck")),
    *(("neck", "mpi_head"), ("mpi_head", "head_top")),
)


def _mpi_ends(side: str) -> tuple[tuple[str, str], ...]:
    return (
        *(("neck", f"{side}_mpi_clavicle"), (f"{side}_mpi_clavicle", f"{side}_shoulder")),
        *((f"{side}_wrist", f"{side}_mpi_hand"), (f"{side}_ankle", f"{side}_mpi_foot")),
        (f"{side}_mpi_foot", f"{side}_mpi_toe"),
    )


def _hand_edges(side: str) -> tuple[tuple[str, str], ...]:
    names = _hand21(side)
    chains = [names[1 + 4 * finger : 5 + 4 * finger] for finger in range(5)]
    return tuple(pair for chain in chains for pair in zip((names[0], *chain), chain, strict=False))


_FACE68_LINES = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
_FACE68 = tuple((f"face_{i}", f"face_{i + 1}") for first, end in _FACE68_LINES for i in range(first, end - 1))

_EDGE_NAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "blazepose33": (
        *_LIMBS,
        *_BOX,
        ("mouth_left", "mouth_right"),
        *(
            pair
            for s in ("left", "right")
            for pair in (
                *(("nose", f"{s}_eye_inner"), (f"{s}_eye_inner", f"{s}_eye"), (f"{s}_eye", f"{s}_eye_outer")),
                *((f"{s}_eye_outer", f"{s}_ear"), (f"{s}_wrist", f"{s}_pinky"), (f"{s}_wrist", f"{s}_index")),
                *((f"{s}_wrist", f"{s}_thumb"), (f"{s}_pinky", f"{s}_index"), (f"{s}_ankle", f"{s}_heel")),
                *((f"{s}_heel", f"{s}_foot_index"), (f"{s}_ankle", f"{s}_foot_index")),
            )
        ),
    ),
    "coco17": (*_LIMBS, *_BOX, *_FACE5),
    "coco18": (*_LIMBS, *_NECK, *_FACE5),
    "coco133": (*_LIMBS, *_BOX, *_FACE5, *_TOES, *_FACE68, *_hand_edges("left"), *_hand_edges("right")),
    "body25": (*_LIMBS, *_NECK_ONE_HIP, *_FACE5, *_TOES),
    "halpe26": (*_LIMBS, *_NECK_ONE_HIP, *_FACE5, *_TOES, ("nose", "head_top")),
    "h36m17": (*_LIMBS, *_THORAX, ("pelvis", "spine"), ("spine", "thorax"), ("thorax", "nose"), ("nose", "head_top")),
    "mpii16": (*_LIMBS, *_THORAX, ("pelvis", "thorax"), ("thorax", "upper_neck"), ("upper_neck", "head_top")),
    "lsp14": (*_LIMBS, *_BOX, ("upper_neck", "head_top")),
    "panoptic19": (*_LIMBS, *_NECK_ONE_HIP, *_FACE5),
    "mpi3dhp28": (*_LIMBS, *_MPI, *(pair for s in ("left", "right") for pair in _mpi_ends(s))),
    "mpi3dhp17": (*_LIMBS, *_MPI, ("neck", "left_shoulder"), ("neck", "right_shoulder")),
    "smpl24": (
        *_LIMBS,
        *(("pelvis", "spine1"), ("spine1", "spine2"), ("spine2", "spine3"), ("spine3", "neck"), ("neck", "head")),
        *(
            pair
            for s in ("left", "right")
            for pair in (
                *(("pelvis", f"{s}_hip"), (f"{s}_ankle", f"{s}_foot"), ("spine3", f"{s}_collar")),
                *((f"{s}_collar", f"{s}_shoulder"), (f"{s}_wrist", f"{s}_hand")),
            )
        ),
    ),
}

EDGES: dict[str, tuple[tuple[int, int], ...]] = {
    name: tuple((JOINT_SETS[name].index(a), JOINT_SETS[name].index(b)) for a, b in pairs)
    for name, pairs in _EDGE_NAMES.items()
}
"""Joint-set name -> pairs of joint indices to draw as lines."""

# Mirror images among the 68 face points (iBUG): each run of points against the run it turns into.
_FACE68_RUNS = (
    *((range(17), range(16, -1, -1)), (range(17, 22), range(26, 21, -1)), (range(31, 36), range(35, 30, -1))),
    *((range(36, 40), range(45, 41, -1)), (range(40, 42), range(47, 45, -1)), (range(48, 55), range(54, 47, -1))),
    *((range(55, 60), range(59, 54, -1)), (range(60, 65), range(64, 59, -1)), (range(65, 68), range(67, 64, -1))),
)
_FACE68_SWAP = {
    a: b for run, image in _FACE68_RUNS for pair in zip(run, image, strict=True) for a, b in (pair, pair[::-1])
}


def _mirrored(name: str) -> str:
    if name.startswith("face_"):
        number = int(name.removeprefix("face_"))
        return f"face_{_FACE68_SWAP.get(number, number)}"
    parts = ["right" if part == "left" else "left" if part == "right" else part for part in name.split("_")]
    return "_".join(parts)


def _swap(names: tuple[str, ...]) -> NDArray[np.int64]:
    permutation = np.array([names.index(_mirrored(name)) for name in names], np.int64)
    permutation.setflags(write=False)
    return permutation


SWAP: dict[str, NDArray[np.int64]] = {name: _swap(joints) for name, joints in JOINT_SETS.items()}
"""Joint-set name -> permutation that exchanges left and right: ``mirrored = points[..., SWAP[name], :]``."""


def joint_names(joint_set: str) -> tuple[str, ...]:
    """Names of a joint set.

    Raises:
        InputError: there is no joint set of that name; the nearest names are given.
    """
    if joint_set not in JOINT_SETS:
        near = ", ".join(nearest_names(joint_set, JOINT_SETS))
        raise InputError(f"no joint set is called {joint_set!r}; nearest: {near}; known: {', '.join(JOINT_SETS)}")
    return JOINT_SETS[joint_set]


# ---------------------------------------------------------------------------------------------------------------------
# From one joint set to another
# ---------------------------------------------------------------------------------------------------------------------

_CONVERTERS = Path(__file__).with_name("joint_converters.npz")
_SMPL_PELVIS = "smpl_pelvis"  # SMPL's root lies some 9 cm above the middle of the hips: another point than "pelvis"

# What stands in for a joint that the source lacks: alternatives in order, each the plain mean of the points named.
# Only points that do coincide to within a detector's own scatter are listed; everything else comes out absent.
_STAND_INS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("mid_hip",), ("left_hip", "right_hip")),
    "mid_hip": (("pelvis",), ("left_hip", "right_hip")),
    # OpenPose defines its neck as the middle of the shoulders, which is also where H36M and MPII put the thorax.
    "neck": (("thorax",), ("left_shoulder", "right_shoulder")),
    "thorax": (("left_shoulder", "right_shoulder"),),
    # Half-way up the trunk: what is fed to lifters trained on H36M when a detector has no such point.
    "spine": (("left_shoulder", "right_shoulder", "left_hip", "right_hip"),),
    "mouth_left": (("face_54",),),
    "mouth_right": (("face_48",),),
    "left_eye_inner": (("face_42",),),
    "left_eye_outer": (("face_45",),),
    "right_eye_inner": (("face_39",),),
    "right_eye_outer": (("face_36",),),
    **{
        f"{side}_{name}": alternatives
        for side in ("left", "right")
        for name, alternatives in {
            "big_toe": ((f"{side}_foot_index",),),
            "foot_index": ((f"{side}_big_toe",),),
            "pinky": ((f"{side}_little_mcp",),),
            "index": ((f"{side}_index_mcp",),),
            "thumb": ((f"{side}_thumb_mcp",),),
            "little_mcp": ((f"{side}_pinky",),),
            "index_mcp": ((f"{side}_index",),),
            "thumb_mcp": ((f"{side}_thumb",),),
            "hand_root": ((f"{side}_wrist",),),
            "middle_mcp": ((f"{side}_hand",), (f"{side}_index", f"{side}_pinky")),
            "hand": ((f"{side}_middle_mcp",), (f"{side}_index", f"{side}_pinky")),
        }.items()
    },
}


@functools.cache
def conversion(src: str, dst: str) -> tuple[tuple[int, ...], ...]:
    """For each joint of ``dst``, the indices in ``src`` of the points of that name, or those whose mean stands in.

    Empty where ``src`` has no such point.
    """
    source, target = joint_names(src), joint_names(dst)
    if src == dst:
        return tuple((joint,) for joint in range(len(source)))
    index = {_SMPL_PELVIS if src == "smpl24" and name == "pelvis" else name: i for i, name in enumerate(source)}

    def parts(name: str) -> tuple[int, ...]:
        if dst == "smpl24" and name == "pelvis":
            return ()
        for alternative in ((name,), *_STAND_INS.get(name, ())):
            if all(part in index for part in alternative):
                return tuple(index[part] for part in alternative)
        return ()

    return tuple(parts(name) for name in target)


@dataclass(frozen=True, eq=False)
class JointConversion:
    """How the joints of one set are made from those of another.

    Attributes:
        src, dst: the joint sets, of S and D joints.
        matrix: (D, S) weights, each row summing to one: ``points_dst = matrix @ points_src``, in metres and, up to
            perspective within the body, in pixels. Rows of absent joints are 0.
        kind: (D,) ``"copy"``, ``"mean"`` (of points that surround the joint evenly), ``"learned"`` or ``"absent"``.
        residual_mm: (D,) root mean square distance of what comes out from where the body has the joint, on unseen
            people scaled to 1.70 m in unseen motions; 0 where exact, NaN where it is not known where on the body one of
            the points is, or where the joint is absent.
    """

    src: str
    dst: str
    matrix: NDArray[np.float64]
    kind: tuple[str, ...]
    residual_mm: NDArray[np.float64]


@functools.cache
def joint_conversion(src: str, dst: str) -> JointConversion:
    """What :func:`convert_joints` does, joint by joint, and how far off it is.

    Points that coincide on the body are copied. Where a copy or a mean (:func:`conversion`) lies beside the joint, as
    the detector's hips do beside the hips' centres, or there is none, weights learned on posed bodies of many shapes
    serve (``scripts/fit_joint_converters.py``). What they cannot tell to within 60 mm is absent.

    Raises:
        InputError: there is no joint set of that name.
    """
    plain = conversion(src, dst)
    matrix = np.zeros((len(plain), len(joint_names(src))))
    for joint, parts in enumerate(plain):
        matrix[joint, list(parts)] = 1 / max(len(parts), 1)
    kind = [{0: "absent", 1: "copy"}.get(len(parts), "mean") for parts in plain]
    residual = np.zeros(len(plain))
    if src != dst:
        rows, parts, weights, residual = _learned(src, dst)
        matrix[np.unique(rows)] = 0.0
        matrix[rows, parts] = weights
        for joint in np.unique(rows):
            matrix[joint] /= matrix[joint].sum()
            kind[joint] = "learned"
    for array in (matrix, residual):
        array.setflags(write=False)
    return JointConversion(src, dst, matrix, tuple(kind), residual)


def _learned(src: str, dst: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Joints, parts and weights of the sums learned for a pair of sets, and the residuals of all joints."""
    table = _converters()
    sets = table["sets"].tolist()
    a, b = sets.index(src), sets.index(dst)
    own = (table["where"][:, :2] == (a, b)).all(-1)
    joints, parts = table["where"][own, 2:].T.astype(np.intp)
    residual = table["residual_mm"][a, b, : len(JOINT_SETS[dst])].astype(np.float64)
    return joints, parts, table["weight"][own].astype(np.float64), residual


@functools.cache
def _converters() -> dict[str, NDArray[Any]]:
    try:
        with np.load(_CONVERTERS, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise AssetError(f"{_CONVERTERS} cannot be read ({error}): reinstall marrow.") from error


def convert_joints(keypoints: Keypoints, src: str, dst: str, *, learned: bool = True) -> Keypoints:
    """Express keypoints of one joint set in another.

    A joint that both sets have at one place of the body is copied, some are means of others, others are learned sums of
    few points; :func:`joint_conversion` tells which, and how far off they are. A joint that cannot be made is absent:
    NaN with confidence 0. Where a part of a learned sum is absent, the copy or mean stands in that the source has,
    else the joint is absent. What comes out is as confident as its least confident part.

    Args:
        keypoints: (..., J) points of the set ``src``.
        src: joint set of ``keypoints``; has to equal ``keypoints.joint_set``.
        dst: joint set wanted.
        learned: whether learned sums may be used; without them only what was seen comes out, as what is fitted to
            keypoints needs it (a crown guessed from the ears is no further evidence).

    Returns:
        Keypoints of the set ``dst``, with the same leading dimensions; ``world`` only if the source had it.

    Raises:
        InputError: an unknown set, no :class:`marrow.Keypoints`, or arrays that do not have the shape of ``src``.
    """
    source = joint_names(src)
    way, plain = joint_conversion(src, dst), conversion(src, dst)
    _check(keypoints, src, len(source))
    lead, count = keypoints.confidence.shape[:-1], len(way.matrix)
    seen = np.nan_to_num(keypoints.confidence) * np.isfinite(keypoints.xy).all(axis=-1)
    xy = np.full((*lead, count, 2), np.nan, np.float32)
    world = None if keypoints.world is None else np.full((*lead, count, 3), np.nan, np.float32)
    confidence = np.zeros((*lead, count), np.float32)
    for joint, (row, stand_in) in enumerate(zip(way.matrix, plain, strict=True)):
        sums = [(np.array(stand_in, int), np.full(len(stand_in), 1 / max(len(stand_in), 1)))]
        if learned and way.kind[joint] == "learned":
            sums.append((np.flatnonzero(row), row[row != 0]))
        for parts, weights in sums:  # the better one last
            if not len(parts):
                continue
            certain = seen[..., parts].min(axis=-1)
            there = certain > 0
            confidence[..., joint] = np.where(there, certain, confidence[..., joint])
            point = _weighted(keypoints.xy, parts, weights)
            xy[..., joint, :] = np.where(there[..., None], point, xy[..., joint, :])
            if world is not None and keypoints.world is not None:
                point = _weighted(keypoints.world, parts, weights)
                world[..., joint, :] = np.where(there[..., None], point, world[..., joint, :])
    return Keypoints(dst, xy, confidence, world)


def _weighted(points: NDArray[Any], parts: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """The weighted sum of some of (..., J, d) points; a single one as it is."""
    return points[..., parts[0], :] if len(parts) == 1 else weights @ points[..., parts, :]


def _check(keypoints: Keypoints, src: str, count: int) -> None:
    if not isinstance(keypoints, Keypoints):
        raise InputError(
            f"keypoints: expected marrow.Keypoints, got {type(keypoints).__name__}; of pixels xy (..., {count}, 2) and "
            f"confidence (..., {count}) write marrow.Keypoints({src!r}, xy, confidence)"
        )
    if keypoints.joint_set != src:
        raise InputError(
            f"these keypoints are {keypoints.joint_set!r}, not {src!r}; "
            f"write convert_joints(keypoints, {keypoints.joint_set!r}, ...)"
        )
    parts: list[tuple[str, Any, tuple[int, ...]]] = [
        ("xy", keypoints.xy, (count, 2)),
        ("confidence", keypoints.confidence, (count,)),
    ]
    if keypoints.world is not None:
        parts.append(("world", keypoints.world, (count, 3)))
    lead = np.shape(keypoints.confidence)[:-1]
    for name, value, tail in parts:
        if np.shape(value) != (*lead, *tail):
            raise InputError(
                f"keypoints.{name}: expected (..., {', '.join(map(str, tail))}) for {src}, got {np.shape(value)}; "
                "xy, confidence and world share their leading dimensions"
            )
