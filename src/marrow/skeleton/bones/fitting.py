"""Carry the reference body's bones over to a person: an affine map per region, then a bend that meets every landmark.

A region has a primary direction and a second one across it, and three distances whose ratios scale along the primary,
the second and the third direction. What the affine map leaves at the region's landmarks is interpolated by a Matérn
kernel of order 3/2 (positive definite, smooth, and gone away from the landmarks), so that the landmarks are met
exactly and nothing is extrapolated. Left regions are right ones with the sides exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marrow.errors import InputError
from marrow.types import Float64

Pair = tuple[str, str]

FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Region:
    """How the bones of a region follow its landmarks. ``*`` in a name stands for the side, r or l.

    Attributes:
        primary, second: from and to of the two directions.
        scale: pairs whose distances scale along primary, second and third direction.
        controls: landmarks that are met, the first of them the affine map's fixed point.
        reach: range of the bend over the length of the first scale.
    """

    primary: Pair
    second: Pair
    scale: tuple[Pair, Pair, Pair]
    controls: tuple[str, ...]
    reach: float = 0.5


_HEAD = ("head", "vertex", "glabella", "sellion", "subnasale", "menton", "occiput", "inion", "tragus_r", "tragus_l",
         "euryon_r", "euryon_l", "zygion_r", "zygion_l", "gonion_r", "gonion_l")  # fmt: skip
_TRUNK = ("t8_body", "head", "c7_body", "t12_body", "l5_body", "c7", "t8", "t12", "l5", "sacrum", "suprasternal_notch",
          "midsternum", "xiphoid", "rib_6_r", "rib_6_l", "rib_10_r", "rib_10_l", "rib_3_r", "rib_3_l",
          "costal_margin_r", "costal_margin_l")  # fmt: skip
_PELVIS = ("pelvis", "hip_r", "hip_l", "asis_r", "asis_l", "psis_r", "psis_l", "iliac_crest_r", "iliac_crest_l",
           "iliac_tubercle_r", "iliac_tubercle_l", "pubic_symphysis", "ischial_tuberosity_r", "ischial_tuberosity_l",
           "sacrum", "l5_body")  # fmt: skip
_KNEE = ("lateral_femoral_epicondyle_*", "medial_femoral_epicondyle_*")
_ELBOW = ("medial_humeral_epicondyle_*", "lateral_humeral_epicondyle_*")
_STYLOIDS = ("ulnar_styloid_*", "radial_styloid_*")
_FOREFOOT = ("metatarsal_head_1_*", "metatarsal_head_5_*")
_COLLAR = ("sternoclavicular_*", "acromioclavicular_*")
_PALM = ("little_mcp_*", "index_mcp_*")

REGIONS: Mapping[str, Region] = {
    "skull": Region(
        ("menton", "vertex"), ("tragus_l", "tragus_r"),
        (("menton", "vertex"), ("euryon_l", "euryon_r"), ("occiput", "glabella")), _HEAD,
    ),
    "trunk": Region(
        ("l5_body", "c7_body"), ("rib_6_l", "rib_6_r"),
        (("l5_body", "c7_body"), ("rib_6_l", "rib_6_r"), ("t8", "midsternum")), _TRUNK,
    ),
    "pelvis": Region(
        ("asis_l", "asis_r"), ("psis_r", "asis_r"),
        (("asis_l", "asis_r"), ("psis_r", "asis_r"), ("ischial_tuberosity_r", "iliac_crest_r")), _PELVIS,
    ),
    "clavicle": Region(
        _COLLAR, ("t8_body", "suprasternal_notch"),
        (_COLLAR, _COLLAR, _COLLAR), _COLLAR,
    ),
    "scapula": Region(
        ("scapula_inferior_*", "acromion_*"), ("scapula_trigonum_*", "acromion_*"),
        (("scapula_inferior_*", "acromion_*"), ("scapula_trigonum_*", "acromion_*"),
         ("scapula_inferior_*", "acromion_*")),
        ("shoulder_*", "acromion_*", "acromioclavicular_*", "coracoid_*", "scapula_trigonum_*", "scapula_superior_*",
         "scapula_inferior_*"),
    ),
    "humerus": Region(
        ("elbow_*", "shoulder_*"), _ELBOW, (("elbow_*", "shoulder_*"), _ELBOW, _ELBOW),
        ("elbow_*", "shoulder_*", *_ELBOW), 0.25,
    ),
    "forearm": Region(
        ("wrist_*", "elbow_*"), _STYLOIDS, (("wrist_*", "elbow_*"), _STYLOIDS, _STYLOIDS),
        ("elbow_*", "wrist_*", *_ELBOW, "olecranon_*", *_STYLOIDS), 0.3,
    ),
    "hand": Region(
        ("wrist_*", "middle_mcp_*"), _PALM, (("wrist_*", "middle_mcp_*"), _PALM, _PALM),
        ("wrist_*", *_STYLOIDS, "thumb_cmc_*", "thumb_mcp_*", "index_mcp_*", "middle_mcp_*", "ring_mcp_*",
         "little_mcp_*"),
    ),
    "femur": Region(
        ("knee_*", "hip_*"), _KNEE, (("knee_*", "hip_*"), _KNEE, ("knee_*", "patella_*")),
        ("knee_*", "hip_*", *_KNEE, "greater_trochanter_*"), 0.2,
    ),
    "tibia": Region(
        ("ankle_*", "knee_*"), _KNEE, (("ankle_*", "knee_*"), _KNEE, ("knee_*", "patella_*")),
        ("knee_*", "ankle_*", *_KNEE, "patella_*", "tibial_tuberosity_*", "medial_malleolus_*"), 0.2,
    ),
    "fibula": Region(
        ("ankle_*", "knee_*"), _KNEE, (("ankle_*", "knee_*"), _KNEE, _KNEE),
        ("fibula_head_*", "lateral_malleolus_*", "ankle_*"), 0.2,
    ),
    "foot": Region(
        ("calcaneus_*", "metatarsal_head_2_*"), _FOREFOOT,
        (("calcaneus_*", "toe_tip_*"), _FOREFOOT, ("calcaneus_*", "ankle_*")),
        ("ankle_*", "calcaneus_*", "lateral_malleolus_*", "medial_malleolus_*", "navicular_*", "metatarsal_base_5_*",
         "metatarsal_head_1_*", "metatarsal_head_2_*", "metatarsal_head_5_*", "toe_tip_*", "small_toe_tip_*"),
    ),
}  # fmt: skip


def _phalanges() -> dict[str, Region]:
    out = {}
    for finger in FINGERS:
        joints = ("mcp", "ip", "tip") if finger == "thumb" else ("mcp", "pip", "dip", "tip")
        names = ("proximal", "distal") if finger == "thumb" else ("proximal", "middle", "distal")
        for name, a, b in zip(names, joints[:-1], joints[1:], strict=True):
            ends = (f"{finger}_{a}_*", f"{finger}_{b}_*")
            out[f"{finger}_{name}"] = Region(ends, _PALM, (ends, _PALM, _PALM), ends)
    return out


_PHALANGES: Mapping[str, Region] = _phalanges()


def region_of(stem: str) -> str:
    """Name of the region a bone (without its side) belongs to; vertebrae are ``column``, fingers their finger."""
    if stem in ("skull", "mandible", "clavicle", "scapula", "humerus", "femur", "fibula"):
        return "skull" if stem == "mandible" else stem
    if stem in ("hip_bone", "sacrum"):
        return "pelvis"
    if stem in ("ulna", "radius"):
        return "forearm"
    if stem in ("tibia", "patella"):
        return "tibia"
    if stem == "sternum" or stem.startswith(("rib_", "costal_")):
        return "thorax"
    if stem[0] in "CTL" and stem[1:].isdigit():
        return "column"
    if stem in _PHALANGES:
        return stem.split("_")[0]
    if stem.startswith(("toe_", "metatarsal_", "cuneiform_")) or stem in ("talus", "calcaneus", "navicular", "cuboid"):
        return "foot"
    return "hand"


def warp(
    vertices: Mapping[str, Float64], marks: Mapping[str, Float64], places: Mapping[str, Float64]
) -> dict[str, Float64]:
    """Vertices (V, 3) of every bone for a person whose landmarks ``marks`` are at ``places``."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in vertices:
        stem, _, side = name.rpartition("_")
        stem, side = (stem, side) if side in ("r", "l") else (name, "")
        region = region_of(stem)
        if stem in _PHALANGES:
            region = stem
        elif region in ("column", "thorax"):
            region, side = "trunk", ""
        elif region in ("pelvis", "skull"):
            side = ""
        groups.setdefault((region, side), []).append(name)
    out: dict[str, Float64] = {}
    for (region, side), names in groups.items():
        moved = carry(
            _PHALANGES.get(region) or REGIONS[region], side, marks, places, np.concatenate([vertices[n] for n in names])
        )
        ends = np.cumsum([len(vertices[n]) for n in names])[:-1]
        out |= dict(zip(names, np.split(moved, ends), strict=True))
    return {name: out[name] for name in vertices}


def carry(
    region: Region, side: str, marks: Mapping[str, Float64], places: Mapping[str, Float64], x: Float64
) -> Float64:
    """Points (N, 3) of the reference body carried over. Raises InputError where two landmarks of a scale coincide."""
    names = [name.replace("*", side) for name in region.controls]
    source, target = (np.array([where[name] for name in names]) for where in (marks, places))
    A_source, size_source = _axes(region, side, marks)
    A_target, size_target = _axes(region, side, places)
    linear = A_target * (size_target / size_source) @ A_source.T
    rest = target - target[0] - (source - source[0]) @ linear.T
    range_ = region.reach * size_source[0]
    weights = np.linalg.solve(_kernel(source, source, range_), rest)
    return target[0] + (x - source[0]) @ linear.T + _kernel(x, source, range_) @ weights


def _axes(region: Region, side: str, where: Mapping[str, Float64]) -> tuple[Float64, Float64]:
    """Columns primary, second, third; and the three distances."""

    def between(pair: Pair) -> Float64:
        return where[pair[1].replace("*", side)] - where[pair[0].replace("*", side)]

    size = np.array([np.linalg.norm(between(pair)) for pair in region.scale], np.float64)
    if not (size > 1e-4).all():
        pair = region.scale[int(np.argmin(size))]
        raise InputError(f"bones: the landmarks {pair[0]} and {pair[1]} (side {side or 'both'}) coincide")
    first = between(region.primary)
    first = first / np.linalg.norm(first)
    second = between(region.second)
    second = second - (second @ first) * first
    second = second / np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], -1), size


def _kernel(x: Float64, centres: Float64, range_: float) -> Float64:
    r = np.linalg.norm(x[:, None] - centres, axis=-1) / range_
    return (1.0 + r) * np.exp(-r)
