"""Bones from a user's own OpenSim: the meshes of its folder ``Geometry``, placed in a person's segments.

Those meshes are drawn in the frames of a generic adult, Rajagopal 2016's (``r_femur``, ``r_tibia`` …) or Gait2392's
(``femur_r``, ``tibia_r`` …). Each *part* of that adult, such as the thigh, has two joints; it is turned, scaled and
moved until they lie where the person's are. This is done at zero coordinates, where the segments of all these models,
and marrow's, are parallel; but the fingers are as in the bind pose, since they are drawn slightly bent. The files
themselves are neither read nor copied.

Places of the joints are those of Rajagopal2016.osim and of Gait2392. Where these have no joint (crown and
base of the skull, knuckle of the middle finger), they were read off the meshes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.rotations import rotation_between
from marrow.skeleton.definition import FINGER_BODIES, FINGERS
from marrow.skeleton.osim.write import OsimMesh
from marrow.skeleton.skeleton import Skeleton
from marrow.types import Float64

Point = tuple[float, float, float]

#: Kinds of mesh that OpenSim opens; of two files of one name the first kind is taken.
SUFFIXES = (".vtp", ".obj", ".stl")

#: What shows that a folder holds Gait2392's legs. Either model has a ``sacrum``, an ``l_pelvis`` and an ``l_fibula``,
#: and they differ. Where a folder has the legs of both, as OpenSim's common one had, these three are Gait2392's.
_MARK_OF_GAIT2392 = "femur_r"


_LOOKED_FOR = "the folder Geometry of your OpenSim, such as …/OpenSim 4.5/Geometry"


@dataclass(frozen=True)
class Part:
    """A part of the generic adult, right side; ``*`` in a name stands for the side.

    Attributes:
        start, end: the person's joints and landmarks that its two joints meet; of two the middle.
        start_at, end_at: places of its two joints in its own frame, metres.
        across: two of the person's joints, and their distance in the generic adult, for the width of what has one.
    """

    start: tuple[str, ...]
    end: tuple[str, ...]
    start_at: Point
    end_at: Point
    across: tuple[str, str, float] | None = None


@dataclass(frozen=True)
class Drawn:
    """A mesh of the generic adult.

    Attributes:
        part: the part it belongs to.
        segments: of the person; the first that the skeleton has carries it.
        at: origin of the mesh's axes in the part's frame, metres, right side.
        scale: that the generic model gives it.
        side: ``r``, ``l`` or nothing.
    """

    part: str
    segments: tuple[str, ...]
    at: Point = (0.0, 0.0, 0.0)
    scale: float = 1.0
    side: str = ""


_HIPS, _SHOULDERS = ("hip_r", "hip_l"), ("shoulder_r", "shoulder_l")
_CALCN, _TOES = (-0.04877, -0.04195, 0.00792), (0.13003, -0.04395, 0.009)

_UPPER: Mapping[str, Part] = {
    "trunk": Part(("lumbar",), _SHOULDERS, (0, 0, 0), (0.003155, 0.3715, 0), (*_SHOULDERS, 0.34)),
    "head": Part(("head",), ("head_top",), (0, 0.515, 0), (-0.008, 0.651, 0)),
    "upper arm": Part(("shoulder_*",), ("elbow_*",), (0, 0, 0), (0.013144, -0.286273, -0.009595)),
    "forearm": Part(("elbow_*",), ("wrist_*",), (0, 0, 0), (-0.015524, -0.248848, 0.039693)),
    "hand": Part(("wrist_*",), ("hand_*",), (0, 0, 0), (0.0015, -0.083, 0)),
    "foot": Part(("ankle_*",), ("mtp_*",), (0, 0, 0), _TOES),
}
_PARTS: Mapping[str, Mapping[str, Part]] = {
    "Rajagopal 2016": {
        "pelvis": Part(_HIPS, ("lumbar",), (-0.056276, -0.07849, 0), (-0.1007, 0.0815, 0), (*_HIPS, 0.15452)),
        "thigh": Part(("hip_*",), ("knee_*",), (0, 0, 0), (-0.00809, -0.40796, -0.00275)),
        "shank": Part(("knee_*",), ("ankle_*",), (-0.00809, -0.003535, -0.001485), (-0.01, -0.4, 0)),
        **_UPPER,
    },
    "Gait2392": {
        "pelvis": Part(_HIPS, ("lumbar",), (-0.0707, -0.0661, 0), (-0.1007, 0.0815, 0), (*_HIPS, 0.167)),
        "thigh": Part(("hip_*",), ("knee_*",), (0, 0, 0), (-0.0042, -0.3959, 0)),
        "shank": Part(("knee_*",), ("ankle_*",), (0, 0, 0), (0, -0.43, 0)),
        **_UPPER,
    },
}  # fmt: skip

_TRUNK: Mapping[str, Drawn] = {
    "sacrum": Drawn("pelvis", ("pelvis",)),
    "hat_spine": Drawn("trunk", ("torso",)),
    "hat_ribs_scap": Drawn("trunk", ("torso",)),
    "hat_ribs": Drawn("trunk", ("torso",)),
    "hat_skull": Drawn("head", ("head",)),
    "hat_jaw": Drawn("head", ("head",)),
}
_LEG: Mapping[str, Drawn] = {
    "pelvis": Drawn("pelvis", ("pelvis",)),
    "femur": Drawn("thigh", ("femur_*",)),
    "patella": Drawn("thigh", ("patella_*", "tibia_*"), (0.0443, -0.41876, 0)),
    "tibia": Drawn("shank", ("tibia_*",)),
    "fibula": Drawn("shank", ("tibia_*",)),
    "talus": Drawn("foot", ("talus_*",)),
    "foot": Drawn("foot", ("calcn_*",), _CALCN),
    "bofoot": Drawn("foot", ("toes_*",), _TOES),
}
#: Rajagopal's, and taken for both: Gait2392 has no arms.
_ARM: Mapping[str, Drawn] = {
    "humerus_*v": Drawn("upper arm", ("humerus_*",)),
    "ulna_*v": Drawn("forearm", ("ulna_*",)),
    "radius_*v": Drawn("forearm", ("radius_*",), (-0.006727, -0.013007, 0.026083)),
}
#: Bone of the hand to the segment that carries it, if the skeleton has it; else the hand does.
_HAND: Mapping[str, str] = {
    **dict.fromkeys(("pisiform", "lunate", "scaphoid", "triquetrum", "hamate", "capitate", "trapezoid"), "hand"),
    **dict.fromkeys(("trapezium", "metacarpal2", "metacarpal3", "metacarpal4", "metacarpal5"), "hand"),
    **{"metacarpal1": "thumb_metacarpal", "thumb_proximal": "thumb_proximal", "thumb_distal": "thumb_distal"},
    **{f"{finger}_proximal": f"{finger}_proximal" for finger in FINGERS},
    **{f"{finger}_medial": f"{finger}_middle" for finger in FINGERS},
    **{f"{finger}_distal": f"{finger}_distal" for finger in FINGERS},
}


#: What one model has and the other has not.
_ABSENT: Mapping[str, tuple[str, ...]] = {"Rajagopal 2016": ("hat_ribs",), "Gait2392": ("hat_ribs_scap", "patella")}


def _leg_name(model: str, stem: str, s: str) -> str:
    if model == "Rajagopal 2016":
        return f"{s}_{stem}"
    if stem in ("femur", "tibia"):
        return f"{stem}_{s}"
    return stem if s == "r" else f"l_{stem}"


def _drawn(model: str) -> dict[str, Drawn]:
    """Every mesh of a model by its name."""
    out = {stem: drawn for stem, drawn in _TRUNK.items() if stem not in _ABSENT[model]}
    for s in ("r", "l"):
        leg = {_leg_name(model, stem, s): drawn for stem, drawn in _LEG.items() if stem not in _ABSENT[model]}
        arm = {name.replace("*", s): drawn for name, drawn in _ARM.items()}
        hand = {f"{name}_{s}vs": Drawn("hand", (f"{to}_*", "hand_*"), scale=0.85) for name, to in _HAND.items()}
        out |= {name: replace(drawn, side=s) for name, drawn in (leg | arm | hand).items()}
    return out


_DRAWN: Mapping[str, Mapping[str, Drawn]] = {model: _drawn(model) for model in _PARTS}


@dataclass(frozen=True)
class GeometryFolder:
    """What a user's folder holds.

    Attributes:
        path: of the folder, absolute.
        model: whose pelvis and legs they are.
        files: name of a mesh to its file in the folder.
        missing: meshes of that model that are not there.
    """

    path: Path
    model: str
    files: Mapping[str, str]
    missing: tuple[str, ...]


def read_geometry_folder(folder: str | Path) -> GeometryFolder:
    """Look for OpenSim's bone meshes in a folder.

    Raises:
        InputError: there is no such folder, or none of the meshes in it.
    """
    folder = Path(folder).expanduser().absolute()
    if not folder.is_dir():
        what = "a file" if folder.exists() else "not there"
        raise InputError(f"bones: {folder} is {what}; give {_LOOKED_FOR}")
    there: dict[str, str] = {}
    for suffix in reversed(SUFFIXES):
        there |= {path.stem.lower(): path.name for path in folder.iterdir() if path.suffix.lower() == suffix}
    model = "Gait2392" if _MARK_OF_GAIT2392 in there else "Rajagopal 2016"
    files = {name: there[name] for name in _DRAWN[model] if name in there}
    if not files:
        inner = next((path for path in sorted(folder.iterdir()) if path.is_dir() and path.name == "Geometry"), None)
        hint = f"; did you mean {inner}?" if inner else f"; give {_LOOKED_FOR}"
        raise InputError(
            f"bones: {folder} holds none of OpenSim's bones, such as r_femur.vtp or femur_r.vtp (or .obj, .stl){hint}"
        )
    return GeometryFolder(folder, model, files, tuple(name for name in _DRAWN[model] if name not in files))


def placed_meshes(found: GeometryFolder, skeleton: Skeleton) -> dict[str, list[OsimMesh]]:
    """The folder's bones in a person's segments: segment to meshes, their files by their names in the folder.

    Raises:
        InputError: the skeleton lacks a segment, or a joint that a part is placed by.
    """
    q = np.where([_is_of_finger(name, skeleton) for name in skeleton.coordinates], skeleton.bind_q, 0.0)
    R, p = skeleton.forward(q, np.zeros(3))
    R, p = R[0].T @ R, p @ R[0]  # in the axes of the pelvis, with which all but the fingers are parallel
    places = dict(zip(skeleton.point_names, skeleton.points(R, p), strict=True))
    out: dict[str, list[OsimMesh]] = {}
    for name, file in found.files.items():
        drawn = _DRAWN[found.model][name]
        part, side = _PARTS[found.model][drawn.part], drawn.side
        turn, scale, start = place(part, side, places)
        origin = start + turn @ (scale * (_mirrored(drawn.at, side) - _mirrored(part.start_at, side)))
        b = _carrier(name, _sided(drawn.segments, side), skeleton)
        sx, sy, sz = (drawn.scale * scale).tolist()
        mesh = OsimMesh(file, (sx, sy, sz), R[b].T @ turn, (origin - p[b]) @ R[b])
        out.setdefault(skeleton.bodies[b], []).append(mesh)
    return out


def _is_of_finger(coordinate: str, skeleton: Skeleton) -> bool:
    return skeleton.joints[int(skeleton.tree.dof_body[skeleton.index(coordinate)])].body in FINGER_BODIES


def _carrier(mesh: str, segments: list[str], skeleton: Skeleton) -> int:
    for segment in segments:
        if segment in skeleton.bodies:
            return skeleton.body_index(segment)
    raise InputError(f"bones: {mesh} belongs to {' or '.join(segments)}, and the skeleton has neither")


def place(part: Part, side: str, places: Mapping[str, Float64]) -> tuple[Float64, Float64, Float64]:
    """Rotation (3, 3), factors (3,) and start (3,) that bring a part's joints to a person's.

    The part is scaled alike in all directions, or to the person's width from side to side where it has one; then it
    turns the shortest way.
    """
    start, end = (
        np.mean([_of(places, name) for name in _sided(names, side)], axis=0) for names in (part.start, part.end)
    )
    generic = _mirrored(part.end_at, side) - _mirrored(part.start_at, side)
    length = float(np.linalg.norm(end - start))
    scale = np.full(3, length / float(np.linalg.norm(generic)))
    if part.across is not None:
        first, second, width = part.across
        scale[2] = float(np.linalg.norm(_of(places, first) - _of(places, second))) / width
    if not (scale > 1e-3).all():
        raise InputError(f"bones: the joints {part.start[0]} and {part.end[0]} coincide (side {side or 'both'})")
    direction = scale * generic
    turn = rotation_between(direction / np.linalg.norm(direction), (end - start) / length)
    return turn, scale, start


def _of(places: Mapping[str, Float64], name: str) -> Float64:
    if name not in places:
        raise InputError(f"bones: the skeleton has no point {name!r}, by which OpenSim's meshes are placed")
    return places[name]


def _sided(names: tuple[str, ...], side: str) -> list[str]:
    return [name.replace("*", side) for name in names]


def _mirrored(place: ArrayLike, side: str) -> Float64:
    """The right side's place on the side that is meant: Z points to the right."""
    return np.asarray(place, float) * [1.0, 1.0, -1.0 if side == "l" else 1.0]
