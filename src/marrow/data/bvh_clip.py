"""BVH files as clips of measured joints: unit, neutral pose and names found out, since the format states none of them.

A BVH holds lengths in a unit of its maker's choice and angles against its own zero pose. Here the unit is found from
the size of the figure, the neutral pose is the pose of zero angles where that is a standing person (a T-pose is) or
else a frame that the caller names, and joints are known by the names of the common makers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.data.clips import PointClip
from marrow.errors import InputError
from marrow.geometry.rotations import rotation_y
from marrow.io.bvh import Bvh, read_bvh
from marrow.io.columns import plain
from marrow.types import Float64

#: Metres per file unit that makers use: metres, centimetres, inches, millimetres, and CMU's inches over 0.45.
UNITS = (1.0, 0.01, 0.0254, 0.001, 0.0254 / 0.45)
#: Metres from a person's ankles to the neck: newborn to giant.
_TALL = (0.35, 2.0)
#: A point this far above the root joint (m), so that the root's own rotation enters the pelvis' orientation.
_ABOVE_ROOT = 0.1


@dataclass(frozen=True)
class Naming:
    """Names of one maker's joints; those of the limbs take a side, the left one first."""

    sides: tuple[str, str]
    root: str
    spine: tuple[str, ...]
    thorax: tuple[str, ...]
    head: tuple[str, ...]
    hip: str
    knee: str
    ankle: str
    mtp: tuple[str, ...]
    shoulder: str
    elbow: str
    wrist: str


#: ``{}`` is the side. Of several names the first that a file has is taken.
NAMINGS = (
    Naming(
        ("Left", "Right"), "Hips", ("Spine", "LowerBack", "Spine1"), ("Neck", "Neck1"), ("Head",), "{}UpLeg", "{}Leg",
        "{}Foot", ("{}ToeBase", "{}Toe"), "{}Arm", "{}ForeArm", "{}Hand",
    ),
    Naming(
        ("Left", "Right"), "Hips", ("Chest", "Spine"), ("Neck",), ("Head",), "{}Hip", "{}Knee", "{}Ankle", ("{}Toe",),
        "{}Shoulder", "{}Elbow", "{}Wrist",
    ),
    Naming(
        ("L", "R"), "CC_Base_Hip", ("CC_Base_Waist",), ("CC_Base_NeckTwist01", "CC_Base_Head"), ("CC_Base_Head",),
        "CC_Base_{}_Thigh", "CC_Base_{}_Calf", "CC_Base_{}_Foot", ("CC_Base_{}_ToeBase",), "CC_Base_{}_Upperarm",
        "CC_Base_{}_Forearm", "CC_Base_{}_Hand",
    ),
    Naming(
        ("L", "R"), "Bip01_Pelvis", ("Bip01_Spine1", "Bip01_Spine"), ("Bip01_Neck",), ("Bip01_Head",),
        "Bip01_{}_Thigh", "Bip01_{}_Calf", "Bip01_{}_Foot", ("Bip01_{}_Toe0",), "Bip01_{}_UpperArm",
        "Bip01_{}_Forearm", "Bip01_{}_Hand",
    ),
    Naming(
        ("l", "r"), "pelvis", ("torso",), ("clavicle_l",), ("head",), "femur_{}", "tibia_{}", "talus_{}", ("toes_{}",),
        "humerus_{}", "ulna_{}", "hand_{}",
    ),
)  # fmt: skip


def read_bvh_clip(
    path: str | Path, *, rest_frame: int | None = None, metres_per_unit: float | None = None
) -> PointClip:
    """Read a BVH file as a clip of joints named as :func:`marrow.data.targets.targets` knows them.

    Args:
        path: the file; Y up.
        rest_frame: a frame (from 0) in which the person stands upright in a neutral pose, facing anywhere; by default
            the pose of zero angles.
        metres_per_unit: of the file's lengths; by default that of :data:`UNITS` in which the figure is nearest to a
            grown person, so a child's file needs it.

    Raises:
        InputError: a damaged file, unknown joint names, a figure of impossible size, or no neutral pose.
    """
    path = Path(path)
    bvh = read_bvh(path)
    index = _indices(path, bvh)
    if rest_frame is not None and not 0 <= rest_frame < len(bvh.p):
        raise InputError(f"{path.name}: rest frame {rest_frame} is not one of its {len(bvh.p)} frames (0 the first)")
    rest_R, rest_p = _zero_pose(bvh) if rest_frame is None else (bvh.R[rest_frame], bvh.p[rest_frame])
    units = UNITS if metres_per_unit is None else (metres_per_unit,)
    scale = _metres_per_unit(path, np.asarray(rest_p)[list(index.values())], index, units)
    up = rest_R[index["root"]].T @ (0.0, 1.0, 0.0)
    rest = _points(bvh, index, rest_R[None], rest_p[None], scale, up)[0]
    rest = _facing_ahead(path, index, rest, rest_frame)
    xyz = _points(bvh, index, bvh.R, bvh.p, scale, up)
    lowest = min(float(np.quantile(xyz[:, list(index).index(f"ankle_{s}"), 1], 0.05)) for s in "lr")
    xyz[..., 1] -= lowest - float(rest[list(index).index("ankle_l"), 1] - rest[:, 1].min())
    return PointClip(path.stem, path.stem, 1.0 / bvh.frame_time, tuple(index), xyz, rest)


def _indices(path: Path, bvh: Bvh) -> dict[str, int]:
    """Our name of each point to the file's joint."""
    names = {name.rpartition(":")[2]: i for i, name in enumerate(bvh.names)}  # "mixamorig:Hips"
    for naming in NAMINGS:
        found, missing = {}, False
        wanted = {"root": (naming.root,), "spine": naming.spine, "thorax": naming.thorax, "head": naming.head}
        for s, side in zip("lr", naming.sides, strict=True):
            for part in ("hip", "knee", "ankle", "mtp", "shoulder", "elbow", "wrist"):
                own = getattr(naming, part)
                wanted[f"{part}_{s}"] = tuple(n.format(side) for n in ((own,) if isinstance(own, str) else own))
        for ours, theirs in wanted.items():
            hit = next((names[n] for n in theirs if n in names), None)
            if hit is not None:
                found[ours] = hit
            elif not ours.startswith("mtp"):
                missing = True
        if not missing:
            return found
    raise InputError(
        f"{path.name}: its joints are named {', '.join(bvh.names[:8])} …; known are the names of CMU, Mixamo, LaFAN1, "
        "Biovision, Character Creator, Biped and marrow. Rename the joints"
    )


def _zero_pose(bvh: Bvh) -> tuple[Float64, Float64]:
    """Rotations (B, 3, 3) and origins (B, 3) of all angles zero."""
    p = np.zeros_like(bvh.offsets)
    for i, parent in enumerate(bvh.parents):
        p[i] = bvh.offsets[i] + (p[parent] if parent >= 0 else 0.0)
    return np.broadcast_to(np.eye(3), (len(p), 3, 3)), p


def _points(bvh: Bvh, index: dict[str, int], R: Float64, p: Float64, scale: float, up: Float64) -> Float64:
    """(T, P, 3) metres; the root's point is moved along ``up`` of its own axes, the head's to the end of the head."""
    out = p[:, list(index.values())] * scale
    out[:, 0] += _ABOVE_ROOT * R[:, index["root"]] @ up
    head = index["head"]
    tip = scale * bvh.ends[head] if head in bvh.ends else np.array([0.0, _ABOVE_ROOT, 0.0])
    out[:, list(index).index("head")] += R[:, head] @ tip
    return out


def _metres_per_unit(path: Path, rest: Float64, index: dict[str, int], units: tuple[float, ...]) -> float:
    """The unit in which the figure has the size of a person, the most usual where several do."""
    at = {name: rest[i] for i, name in enumerate(index)}
    tall = sum(
        np.linalg.norm(at[a] - at[b]) for a, b in (("thorax", "hip_l"), ("hip_l", "knee_l"), ("knee_l", "ankle_l"))
    )
    near = [unit for unit in units if _TALL[0] <= tall * unit <= _TALL[1]]
    if not near:
        raise InputError(
            f"{path.name}: from ankle to neck the figure measures {plain(float(tall))} of the file's units, which is "
            f"no person with {', '.join(plain(unit) for unit in units)} m to the unit. Give it: --unit METRES"
        )
    return min(near, key=lambda unit: abs(np.log(tall * unit / 1.35)))


def _facing_ahead(path: Path, index: dict[str, int], rest: Float64, rest_frame: int | None) -> Float64:
    """The neutral pose turned about the vertical to face +Z, hips above the origin; refused if nobody stands so."""
    at = {name: rest[i] for i, name in enumerate(index)}
    left = at["hip_l"] - at["hip_r"]
    trunk = at["thorax"] - 0.5 * (at["hip_l"] + at["hip_r"])
    leg = 0.25 * (at["hip_l"] + at["hip_r"]) - 0.25 * (at["ankle_l"] + at["ankle_r"])
    upright = [v[1] / max(float(np.linalg.norm(v)), 1e-9) for v in (trunk, leg)]
    if min(upright) < 0.9 or abs(left[1]) > 0.3 * np.linalg.norm(left):
        what = "the pose of zero angles" if rest_frame is None else f"frame {rest_frame}"
        raise InputError(
            f"{path.name}: in {what} nobody stands upright (Y up). Name a frame in which the person stands in a "
            "neutral pose: --rest FRAME"
        )
    turned = rest @ rotation_y(np.arctan2(left[2], left[0])).T
    middle = 0.5 * (turned[list(index).index("hip_l")] + turned[list(index).index("hip_r")])
    return turned - (middle[0], 0.0, middle[2])
