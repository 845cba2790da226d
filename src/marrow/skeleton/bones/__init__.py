"""Bones to look at: meshes of the whole skeleton, fitted to one person by its landmarks and joint centres.

The meshes are made from formulas by ``scripts/build_bones.py`` inside the average adult (CC0). For a person each bone
is carried over by the affine map that its own landmarks define (length, width and depth apart) and then bent so that
every landmark of its region is met; see :mod:`marrow.skeleton.bones.fitting`. Topology is the same for everybody.
There are two sets: the full one, and a light one with an eighth of the vertices for files and programs with windows.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import AssetError, InputError
from marrow.skeleton.bones.fitting import FINGERS, region_of, warp
from marrow.types import Float64, Mesh

Detail: TypeAlias = Literal["full", "light"]

_DATA = Path(__file__).resolve().parent / "data"
#: Where each set of bones is stored.
FILES: Mapping[Detail, Path] = {"full": _DATA / "bones.npz", "light": _DATA / "bones_light.npz"}

#: Metres per step of the stored coordinates.
UNIT = 6e-5

_SIDES = ("r", "l")


@dataclass(frozen=True)
class Template:
    """The bones in the reference body's bind pose, marrow's world, metres.

    Attributes:
        vertices, faces: by bone; names of sided bones end in ``_r`` and ``_l``.
        marks: landmarks and joint centres of the reference body.
    """

    vertices: Mapping[str, Float64]
    faces: Mapping[str, NDArray[np.int32]]
    marks: Mapping[str, Float64]


@functools.cache
def template(detail: Detail = "full") -> Template:
    """The shipped bones. Raises AssetError where the file is missing or broken."""
    path = FILES[detail]
    try:
        with np.load(path) as data:
            ends = np.cumsum(data["sizes"], axis=0)[:-1]
            stored = zip(
                data["names"].tolist(),
                np.split(data["vertices"] * UNIT, ends[:, 0]),
                np.split(data["faces"].astype(np.int32), ends[:, 1]),
                data["midline"].tolist(),
                strict=True,
            )
            marks = dict(zip(data["marks"].tolist(), data["places"], strict=True))
            vertices, faces = {}, {}
            for name, v, f, midline in stored:
                if midline:
                    vertices[name], faces[name] = v, f
                    continue
                vertices[f"{name}_l"], faces[f"{name}_l"] = v, f
                vertices[f"{name}_r"], faces[f"{name}_r"] = v * [-1.0, 1.0, 1.0], np.ascontiguousarray(f[:, ::-1])
    except (OSError, KeyError, ValueError) as error:
        raise AssetError(f"The file of bones {path} cannot be read ({error}): reinstall marrow.") from error
    return Template(vertices, faces, marks)


def bone_meshes(
    landmarks: Mapping[str, ArrayLike], centres: Mapping[str, ArrayLike], *, detail: Detail = "full"
) -> dict[str, Mesh]:
    """Every bone by name, in the bind pose of the person's body (marrow's world, metres).

    Args:
        landmarks: bony landmarks by name, (3,) metres, as :func:`marrow.body.anatomy.bony_landmarks` gives them.
        centres: as :func:`marrow.skeleton.joint_centres.joint_centres` gives them.
        detail: ``"full"`` (90,000 vertices) or ``"light"`` (11,000); the same bones.

    Raises:
        InputError: a landmark or centre is missing, not finite or not (3,).
    """
    bones = template(detail)
    places = {name: np.asarray(x, float) for name, x in {**landmarks, **centres}.items() if name in bones.marks}
    missing = sorted(set(bones.marks) - set(places))
    if missing:
        raise InputError(f"bones: {', '.join(missing)} missing; give bony_landmarks(rest) and joint_centres(landmarks)")
    bad = sorted(name for name, x in places.items() if x.shape != (3,) or not np.isfinite(x).all())
    if bad:
        raise InputError(f"bones: {', '.join(bad)} must be finite (3,) positions in metres")
    moved = warp(bones.vertices, bones.marks, places)
    return {name: Mesh(x.astype(np.float32), bones.faces[name]) for name, x in moved.items()}


def bones(
    landmarks: Mapping[str, ArrayLike],
    centres: Mapping[str, ArrayLike],
    frames: Mapping[str, ArrayLike],
    *,
    detail: Detail = "full",
) -> dict[str, Mesh]:
    """Bones by segment, in the segments' own frames (X forward, Y up, Z right), metres.

    Args:
        landmarks, centres, detail: see :func:`bone_meshes`.
        frames: segment name to (4, 4), world from segment in the bind pose: ``dict(zip(s.bodies, s.bind))`` of
            ``s = Skeleton.inside(centres)``. A tree that lacks a segment (scapula, lumbar spine, fingers) gets its
            bones with the next one that it has.

    Raises:
        InputError: as :func:`bone_meshes`, or no segment of ``frames`` takes a bone.
    """
    parts: dict[str, list[tuple[Float64, NDArray[np.int32]]]] = {}
    for name, mesh in bone_meshes(landmarks, centres, detail=detail).items():
        segment = segment_of(name, frames)
        frame = np.asarray(frames[segment], float)
        local = (mesh.vertices.astype(float) - frame[:3, 3]) @ frame[:3, :3]
        parts.setdefault(segment, []).append((local, mesh.faces))
    return {segment: _merged(pieces) for segment, pieces in parts.items()}


def segment_of(bone: str, segments: Container[str]) -> str:
    """The first of the segments a bone may ride on that exists in ``segments``. Raises InputError where none does."""
    stem, _, side = bone.rpartition("_")
    stem, side = (stem, f"_{side}") if side in _SIDES else (bone, "")
    choices = _segments(stem)
    for choice in choices:
        for name in (choice + side, choice):
            if name in segments:
                return name
    raise InputError(f"bones: {bone} belongs to {' or '.join(choices)}, and the skeleton has neither")


#: Segments that carry a region's bones, the best first; ``{}`` is the bone itself.
_CARRIERS: Mapping[str, tuple[str, ...]] = {
    "skull": ("head",),
    "cervical": ("torso",),
    "thorax": ("torso",),
    "lumbar": ("lumbar", "torso"),
    "pelvis": ("pelvis",),
    "clavicle": ("clavicle", "torso"),
    "scapula": ("scapula", "clavicle", "torso"),
    "humerus": ("humerus",),
    "forearm": ("{}", "ulna"),
    "hand": ("hand",),
    "finger": ("{}", "hand"),
    "femur": ("femur",),
    "tibia": ("{}", "tibia"),
    "fibula": ("tibia",),
    "foot": ("calcn",),
    "talus": ("talus", "calcn"),
    "toe": ("toes", "calcn"),
}


def _segments(stem: str) -> tuple[str, ...]:
    region = region_of(stem)
    if stem == "metacarpal_1":
        return ("thumb_metacarpal", "hand")
    if region == "column":
        region = {"C": "cervical", "T": "thorax", "L": "lumbar"}[stem[0]]
    elif region in FINGERS:
        region = "finger"
    elif region == "foot":
        region = "talus" if stem == "talus" else "toe" if stem.startswith("toe_") else "foot"
    return tuple(name.format(stem) for name in _CARRIERS[region])


def _merged(pieces: list[tuple[Float64, NDArray[np.int32]]]) -> Mesh:
    first = np.cumsum([0] + [len(v) for v, _ in pieces[:-1]])
    vertices = np.concatenate([v for v, _ in pieces]).astype(np.float32)
    return Mesh(vertices, np.concatenate([f + o for (_, f), o in zip(pieces, first, strict=True)]).astype(np.int32))
