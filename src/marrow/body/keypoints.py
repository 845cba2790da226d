"""Where on the body each keypoint of a named joint set sits.

A detector's "hip" is a point of its annotators' habit, not a joint centre. Each keypoint is therefore a weighted sum
of skin vertices and joint landmarks, plus an offset in one segment's axes. Two detectors can share a name and differ
in the place: :data:`_PLACES` holds what is common, :data:`_OWN` what a set has of its own.

Sources: BlazePose, model card of the MediaPipe pose landmarker (hand points are "pinky knuckle 1, index knuckle 1,
thumb knuckle 2") and offsets learned by ``scripts/calibrate_keypoints.py``, which shows drawn people to the detector;
those of the face only in part, since a drawing does not show a face faithfully. COCO's hips and shoulders from the COCO
regressor that comes with Anny 0.6.2 (Apache-2.0), which puts its hips 21 mm before, 22 mm below and 15 mm inside the
rig's, and its shoulders 23 mm above the rig's, on the average adult.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body.points import SKIN_POINTS
from marrow.conventions import JOINT_SETS, nearest_names
from marrow.errors import AssetError, InputError
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import DefaultBody, Rest
    from marrow.skeleton import Skeleton


@dataclass(frozen=True)
class KeypointSource:
    """A keypoint's place: ``sum(vertex_weights * vertices) + sum(landmark_weights * landmarks) + R_body @ offset``.

    Attributes:
        name: the keypoint's name in its joint set.
        vertices, vertex_weights: skin vertex ids and weights.
        landmarks, landmark_weights: names of :class:`marrow.body.landmarks.Landmarks`; all weights sum to one. Each
            landmark moves with the segment :func:`landmark_body` tells.
        offset: metres along the axes of the segment ``offset_body`` (X forward, Y up, Z right), for a body of average
            size.
        offset_body: a segment of the skeleton, or None where the offset is zero.
    """

    name: str
    vertices: tuple[int, ...] = ()
    vertex_weights: tuple[float, ...] = ()
    landmarks: tuple[str, ...] = ()
    landmark_weights: tuple[float, ...] = ()
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    offset_body: str | None = None


def keypoint_sources(joint_set: str) -> tuple[KeypointSource | None, ...]:
    """The source of each keypoint of ``joint_set``, in its order; None for points that the body does not place yet.

    (Not placed are the 68 contour points of the face in ``coco133``, and the points of MPI-INF-3DHP that are called
    ``mpi_*`` because it is not known where on the body they are.) Raises InputError on an unknown set.
    """
    if joint_set not in JOINT_SETS:
        near = ", ".join(nearest_names(joint_set, JOINT_SETS))
        raise InputError(f"Unknown joint set {joint_set!r}. Nearest: {near}.")
    own = _learned(joint_set) if joint_set in LEARNED else _OWN.get(joint_set, {})
    return tuple(_named(name, own) for name in JOINT_SETS[joint_set])


def keypoint_positions(
    joint_set: str, skeleton: Skeleton, R: Float64, p: Float64, skin: ArrayLike, ids: Sequence[int] | None = None
) -> Float64:
    """Where the points of a joint set are on posed bodies, metres, world; NaN for points that the body does not place.

    Args:
        joint_set: a name of :data:`marrow.conventions.JOINT_SETS`.
        skeleton: the one inside the body.
        R, p: (..., B, 3, 3) and (..., B, 3) frames of its segments, as ``skeleton.forward`` gives them.
        skin: (..., V, 3) posed skin, or (..., n, 3) of the vertices ``ids`` (:func:`keypoint_vertices`).
        ids: n vertex numbers, or None for the whole skin.
    Returns:
        (..., K, 3).
    """
    vertices = np.asarray(skin)
    plan = _plan(joint_set)
    if ids is None:
        chosen = plan.vertices
    else:
        column = {v: i for i, v in enumerate(ids)}
        chosen = np.array([column[v] for v in plan.vertices.tolist()], np.intp)
    out = plan.vertex_weights @ vertices[..., chosen, :].astype(float)
    if plan.landmarks:
        out += plan.landmark_weights @ skeleton.points(R, p, plan.landmarks)
    for k, body, offset in plan.offsets:
        out[..., k, :] += R[..., skeleton.body_index(body), :, :] @ offset
    out[..., plan.nowhere, :] = np.nan
    return out


class _Plan(NamedTuple):
    """A joint set's sources as matrices over ``vertices`` (n,) and ``landmarks``; ``nowhere``: points without one."""

    vertices: NDArray[np.intp]
    vertex_weights: Float64
    landmarks: tuple[str, ...]
    landmark_weights: Float64
    offsets: tuple[tuple[int, str, Float64], ...]
    nowhere: NDArray[np.intp]


@functools.cache
def _plan(joint_set: str) -> _Plan:
    sources = keypoint_sources(joint_set)
    placed = [(k, source) for k, source in enumerate(sources) if source is not None]
    vertices = keypoint_vertices(joint_set)
    landmarks = sorted({name for _, source in placed for name in source.landmarks})
    on_skin, on_marks = np.zeros((len(sources), len(vertices))), np.zeros((len(sources), len(landmarks)))
    for k, source in placed:
        for v, w in zip(source.vertices, source.vertex_weights, strict=True):
            on_skin[k, vertices.index(v)] += w
        for name, w in zip(source.landmarks, source.landmark_weights, strict=True):
            on_marks[k, landmarks.index(name)] += w
    offsets = tuple((k, s.offset_body, np.array(s.offset)) for k, s in placed if s.offset_body is not None)
    nowhere = np.array([k for k, source in enumerate(sources) if source is None], np.intp)
    return _Plan(np.array(vertices, np.intp), on_skin, tuple(landmarks), on_marks, offsets, nowhere)


def keypoint_vertices(joint_set: str) -> list[int]:
    """Skin vertices that the points of a joint set need, increasing."""
    return sorted({v for source in keypoint_sources(joint_set) if source is not None for v in source.vertices})


def place_keypoints(body: DefaultBody, rest: Rest, q: Float64, joint_set: str) -> Float64:
    """World positions (T, K, 3) of a joint set's points on a body posed by (T, D) coordinates, metres.

    Raises:
        InputError: an unknown joint set, or one with points that the body does not place.
    """
    absent = [n for n, s in zip(JOINT_SETS.get(joint_set, ()), keypoint_sources(joint_set), strict=True) if s is None]
    if absent:
        raise InputError(
            f"the body does not place every point of {joint_set}: not {absent[0]} and {len(absent) - 1} more"
        )
    ids = keypoint_vertices(joint_set)
    skin = np.asarray(body.pose(rest, q, vertex_ids=ids, outputs=("vertices",)).vertices, float)
    return keypoint_positions(joint_set, rest.skeleton, *rest.skeleton.forward(q), skin, ids)


def landmark_body(landmark: str) -> str:
    """The skeleton segment a joint landmark moves with (of the spine, the one below an arc's foot or above its top)."""
    stem, _, side = landmark.rpartition("_")
    if side not in ("r", "l"):
        stem, side = landmark, ""
    if stem not in _BODY:
        raise InputError(f"Landmark {landmark!r} is a skin point or unknown; it has no segment of its own.")
    return f"{_BODY[stem]}_{side}" if side else _BODY[stem]


_PARTS = {"mcp": "proximal", "pip": "middle", "dip": "distal"}
_FINGERS = ("index", "middle", "ring", "little")
_BODY = {
    "pelvis": "pelvis", "l5_s1": "pelvis", "t12_l1": "lumbar", "t8_body": "torso", "neck": "torso", "head": "head",
    "hip": "femur", "knee": "tibia", "ankle": "talus", "subtalar": "calcn", "mtp": "toes",
    "clavicle": "clavicle", "shoulder": "humerus", "elbow": "ulna", "wrist": "hand", "hand": "hand",
    "thumb_cmc": "thumb_metacarpal", "thumb_mcp": "thumb_proximal", "thumb_ip": "thumb_distal",
    **{f"{f}_{joint}": f"{f}_{part}" for f in _FINGERS for joint, part in _PARTS.items()},
}  # fmt: skip


def _skin(*points: str) -> KeypointSource:
    ids = tuple(v for point in points for v in SKIN_POINTS[point])
    return KeypointSource("", vertices=ids, vertex_weights=(1 / len(ids),) * len(ids))


def _joints(**weights: float) -> KeypointSource:
    return KeypointSource("", landmarks=tuple(weights), landmark_weights=tuple(weights.values()))


def _midline() -> dict[str, KeypointSource]:
    shoulders = _joints(shoulder_l=0.5, shoulder_r=0.5)
    hips = _joints(hip_l=0.5, hip_r=0.5)
    return {
        "nose": _skin("nose"),
        "head_top": _skin("head_top"),
        "mouth_left": _skin("mouth_l"),
        "mouth_right": _skin("mouth_r"),
        "neck": shoulders,
        "thorax": _joints(neck=1.0),
        "upper_neck": _joints(head=1.0),
        "head": _joints(head=1.0),
        "mid_hip": hips,
        "pelvis": hips,
        "spine": _joints(t12_l1=1.0),
        "spine1": _joints(l5_s1=0.5, t12_l1=0.5),
        "spine2": _joints(t12_l1=0.8, t8_body=0.2),
        "spine3": _joints(t8_body=1.0),
    }


def _sided(word: str, side: str) -> dict[str, KeypointSource]:
    out = {
        f"{word}_{joint}": _joints(**{f"{joint}_{side}": 1.0})
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    }
    for point in ("eye", "eye_inner", "eye_outer", "ear", "heel"):
        out[f"{word}_{point}"] = _skin(f"{point}_{side}")
    out[f"{word}_big_toe"] = _skin(f"toe_tip_{side}")
    out[f"{word}_small_toe"] = _skin(f"small_toe_tip_{side}")
    out[f"{word}_foot_index"] = _skin(f"toe_tip_{side}")
    out[f"{word}_foot"] = _joints(**{f"mtp_{side}": 1.0})
    out[f"{word}_collar"] = _joints(**{f"clavicle_{side}": 0.5, f"shoulder_{side}": 0.5})
    out[f"{word}_hand"] = _joints(**{f"hand_{side}": 1.0})
    out[f"{word}_hand_root"] = _joints(**{f"wrist_{side}": 1.0})
    out[f"{word}_pinky"] = _joints(**{f"little_mcp_{side}": 1.0})
    out[f"{word}_index"] = _joints(**{f"index_mcp_{side}": 1.0})
    out[f"{word}_thumb"] = _joints(**{f"thumb_ip_{side}": 1.0})
    for joint in ("cmc", "mcp", "ip"):
        out[f"{word}_thumb_{joint}"] = _joints(**{f"thumb_{joint}_{side}": 1.0})
    for finger in _FINGERS:
        for joint in _PARTS:
            out[f"{word}_{finger}_{joint}"] = _joints(**{f"{finger}_{joint}_{side}": 1.0})
    for finger in ("thumb", *_FINGERS):
        out[f"{word}_{finger}_tip"] = _skin(f"{finger}_tip_{side}")
    return out


_PLACES: Mapping[str, KeypointSource] = {**_midline(), **_sided("left", "l"), **_sided("right", "r")}


def _moved(name: str, forward: float, up: float, right: float, body: str) -> KeypointSource:
    return replace(_PLACES[name], offset=(forward, up, right), offset_body=body)


def _moved_both(name: str, forward: float, up: float, inward: float, body: str) -> dict[str, KeypointSource]:
    left, right = f"left_{name}", f"right_{name}"
    return {left: _moved(left, forward, up, inward, body), right: _moved(right, forward, up, -inward, body)}


# Annotators of the COCO family: hips before, below and outside the joint, shoulders on top of it.
_SHOULDERS = _moved_both("shoulder", 0.0, 0.023, 0.0, "torso")
_MIDDLES = {
    "neck": _moved("neck", 0.0, 0.023, 0.0, "torso"),
    "mid_hip": _moved("mid_hip", 0.021, -0.022, 0.0, "pelvis"),
}
_COCO = _moved_both("hip", 0.021, -0.022, -0.014, "pelvis") | _SHOULDERS | _MIDDLES
_OWN: Mapping[str, Mapping[str, KeypointSource]] = dict.fromkeys(
    ("coco17", "coco18", "coco133", "body25", "halpe26"), _COCO
)

#: Offsets that were learned by showing drawn people to the detector, by joint set.
LEARNED = {"blazepose33": Path(__file__).resolve().parent / "data" / "blazepose_offsets.json"}
_MIDLINE_SEGMENTS = ("pelvis", "torso", "head")


def detector_noise(joint_set: str) -> dict[str, float] | None:
    """What is left between detector and place on drawn people, by keypoint; None where nothing was learned.

    A robust standard deviation of one pixel coordinate as a share of the person's height in the picture. Pictures of
    real people add to it.
    """
    if joint_set not in LEARNED:
        return None
    table = _learned_table(joint_set)
    return {name: float(table[_stem(name)[0]]["noise"]) for name in JOINT_SETS[joint_set]}


@functools.cache
def _learned_table(joint_set: str) -> Mapping[str, Any]:
    """The file of :data:`LEARNED`: rows by keypoint, left and right in one (the right)."""
    path = LEARNED[joint_set]
    try:
        return json.loads(path.read_text())["keypoints"]
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(
            f"{path} cannot be read ({error}): reinstall marrow, or run scripts/calibrate_keypoints.py."
        ) from error


@functools.cache
def _learned(joint_set: str) -> Mapping[str, KeypointSource]:
    """The common places of a joint set, moved by what was learned."""
    table, out = _learned_table(joint_set), {}
    for name in JOINT_SETS[joint_set]:
        stem, side = _stem(name)
        segment, (forward, up, right) = table[stem]["segment"], table[stem]["offset"]
        body = segment if segment in _MIDLINE_SEGMENTS else f"{segment}_{side}"
        out[name] = _moved(name, forward, up, -right if side == "l" else right, body)
    return out


def _stem(name: str) -> tuple[str, str]:
    """A keypoint's name without its side, and the side (``r``, ``l``, or empty in the middle)."""
    for word, side in (("left", "l"), ("right", "r")):
        if name.startswith(f"{word}_"):
            return name.removeprefix(f"{word}_"), side
        if name.endswith(f"_{word}"):
            return name.removesuffix(f"_{word}"), side
    return name, ""


def _named(name: str, own: Mapping[str, KeypointSource]) -> KeypointSource | None:
    place = own.get(name) or _PLACES.get(name)
    return None if place is None else replace(place, name=name)
