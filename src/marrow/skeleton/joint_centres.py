"""Joint centres from bony landmarks by published equations, from newborn to old.

| joint | equation |
|---|---|
| hip | Hara et al. 2016, Sci. Rep. 6:37707, from leg length; or Harrington et al. 2007, J. Biomech. 40(3), from pelvic width and depth |
| knee | middle of the femoral epicondyles (Grood and Suntay 1983) |
| ankle | middle of the malleoli (ISB: Wu et al. 2002, J. Biomech. 35(4)) |
| subtalar | on the axis of Rajagopal et al. 2016 (after Inman 1976), scaled with the foot |
| toes | middle of the heads of metatarsals 1 and 5 |
| shoulder | under the acromion by 10.4 % of the upper arm (de Leva 1996, J. Biomech. 29(9):1231), midway between acromion and AC joint front to back |
| elbow, wrist | middle of the humeral epicondyles; of the styloids (ISB: Wu et al. 2005, J. Biomech. 38(5)) |
| knuckles and finger joints | along the middle line of the finger, at the lengths of Buryanov and Kotiuk 2010, Int. J. Morphol. 28(3) |
| back | the one back joint of Rajagopal et al. 2016, scaled with the distance of the hips; for their meshes only |
| shoulder blade | the AC joint |
| spine and skull | discs between the vertebrae before the spinous processes; below the tragi: :data:`VERTEBRAE`, :data:`SKULL_BASE` |

The ISB's recommendation for the shoulder, Meskers et al. 1998, is left out: its five scapular points cannot be found on
a smooth skin to the centimetre that it needs. Equations with constants in millimetres hold for the sizes they were
fitted to; below those (:data:`SMALLEST`) the smallest studied person is scaled down.

Everything works on any leading dimensions, one body each; points are metres in marrow's world (Y up, facing +Z).
"""  # noqa: E501

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.vectors import cross, length, unit
from marrow.types import Float64

#: Smallest pelvic width and leg length of the children studied by Harrington and Hara (five years), metres.
SMALLEST = {"pelvic_width": 0.16, "leg_length": 0.52}

#: Rajagopal 2016's pelvis: distance of the hips, and the back joint from the mid-ASIS (forward, up), metres.
_RAJAGOPAL_HIPS, _RAJAGOPAL_BACK = 0.1546, (-0.1007, 0.0815)
#: A point of Rajagopal's subtalar axis under the ankle (forward, up, right of the right foot) on a foot of 0.27 m:
#: the joint's origin there moved 40 mm along its axis.
_SUBTALAR, _FOOT = (-0.0173, -0.0178, 0.0031), 0.27
#: Shoulder centre below the acromion over the length of the upper arm.
_SHOULDER = 0.104

#: Centre of the vertebra's body from the tip of its spinous process: (forward, up) in the spine's plane, millimetres
#: at 440 mm between the tips of C7 and L5. Composed from vertebral dimensions (Panjabi et al. 1991 and 1992, Spine):
#: half the body's depth, the canal and the process; processes of the thorax point downwards.
VERTEBRAE: Mapping[str, tuple[float, float]] = {
    "c7": (48.0, 8.0), "t8": (52.0, 24.0), "t12": (54.0, 12.0), "l5": (58.0, 6.0),
}  # fmt: skip
_COLUMN = 440.0
#: Half a vertebra with its disc over the distance of the known centres (eight, five and five vertebrae apart).
_HALF = {"c7": 0.06, "t12": 0.1, "l5": 0.1}

#: Atlanto-occipital joint from the middle of the tragi: (forward, up) over the length of the skull.
SKULL_BASE = (-0.03, -0.12)

#: Lengths of the bones of a finger from the knuckle, then soft tissue of the tip, and before them metacarpal and carpus
#: (millimetres; only ratios count).
_RAYS: Mapping[str, tuple[float, ...]] = {
    "thumb": (27.0, 46.2, 31.6, 25.6),
    "index": (28.0, 68.1, 39.8, 22.4, 19.7),
    "middle": (27.0, 64.6, 44.6, 26.3, 21.4),
    "ring": (27.0, 58.0, 41.4, 25.7, 21.2),
    "little": (27.0, 53.7, 32.7, 18.1, 19.7),
}
_JOINTS = {"thumb": ("cmc", "mcp", "ip")}
_SIDES = ("r", "l")


def joint_centres(
    landmarks: Mapping[str, ArrayLike], *, hip: Literal["hara", "harrington"] = "hara", fingers: bool = True
) -> dict[str, Float64]:
    """Joint centres and ends of segments, under the names that :meth:`marrow.skeleton.Skeleton.inside` takes.

    Args:
        landmarks: bony landmarks by name, (..., 3) metres, as :func:`marrow.body.anatomy.bony_landmarks` gives them.
        hip: which equation places the hips. Leg length is the surer measure on a body whose iliac spines lie under
            soft tissue (Hara et al. 2016), so it is the default.
        fingers: False leaves the fingers' joints out, and needs nothing of them.

    Returns:
        Name to (..., 3): ``pelvis`` (mid-ASIS), ``hip_r`` … ``hip_l``, ``knee``, ``ankle``, ``subtalar``, ``mtp``,
        ``lumbar``, ``l5_s1``, ``t12_l1``, ``neck`` (C7 and T1), ``head`` (atlanto-occipital), ``clavicle``
        (sternoclavicular), ``acromioclavicular``, ``shoulder``, ``elbow``, ``wrist``, the fingers' joints; centres of
        vertebrae ``c7_body`` …; ends ``heel``, ``toe_tip``, ``head_top``, finger tips.

    Raises:
        InputError: a landmark is missing or not finite, or ``hip`` is neither equation.
    """
    x = _checked(landmarks, fingers)
    if hip not in ("hara", "harrington"):
        raise InputError(f"hip: expected 'hara' or 'harrington', got {hip!r}")
    out = _pelvis(x, hip)
    for side in _SIDES:
        out |= _leg(x, side) | _arm(x, side)
    if fingers:
        out |= _fingers(x, [out[f"wrist_{side}"] for side in _SIDES])
        out |= {f"hand_{side}": out[f"middle_mcp_{side}"] for side in _SIDES}
    return out | _spine(x) | {"head_top": x["vertex"]}


def pelvic_axes(landmarks: Mapping[str, Float64]) -> Float64:
    """ISB's pelvic frame (..., 3, 3): columns forward, up, right in the world; the plane of ASIS and PSIS is level."""
    right = unit(landmarks["asis_r"] - landmarks["asis_l"])
    back = 0.5 * (landmarks["psis_r"] + landmarks["psis_l"])
    forward = 0.5 * (landmarks["asis_r"] + landmarks["asis_l"]) - back
    up = unit(cross(right, forward))
    return np.stack([cross(up, right), up, right], -1)


def harrington(width: ArrayLike, depth: ArrayLike) -> Float64:
    """Right hip (..., 3) in the pelvic frame from mid-ASIS: forward, up, right; all metres.

    Harrington et al. 2007, the equations recommended there and by Sangeux et al. 2014; 32 people from 5 to 40 years.
    """
    w, d = np.asarray(width, float), np.asarray(depth, float)
    s = np.maximum(1.0, SMALLEST["pelvic_width"] / w)
    return np.stack([-0.24 * s * d - 0.0099, -0.30 * s * w - 0.0109, 0.33 * s * w + 0.0073], -1) / s[..., None]


def hara(leg_length: ArrayLike) -> Float64:
    """As :func:`harrington`, from the distance of ASIS and medial malleolus in metres (157 people, 5 to 40 years)."""
    length = np.asarray(leg_length, float)
    s = np.maximum(1.0, SMALLEST["leg_length"] / length)
    scaled = s * length
    hip = np.stack([0.011 - 0.063 * scaled, -0.009 - 0.078 * scaled, 0.008 + 0.086 * scaled], -1)
    return hip / s[..., None]


def _checked(landmarks: Mapping[str, ArrayLike], fingers: bool) -> dict[str, Float64]:
    needed = _needed(fingers)
    missing = sorted(set(needed) - set(landmarks))
    if missing:
        raise InputError(
            f"landmarks: {', '.join(missing)} missing; give those of marrow.body.anatomy.bony_landmarks(rest)"
        )
    x = {name: np.asarray(value, float) for name, value in landmarks.items()}
    right = all(x[name].shape[-1:] == (3,) for name in needed)
    if not right or not np.isfinite(np.concatenate([x[name].ravel() for name in needed])).all():
        bad = sorted(name for name in needed if x[name].shape[-1:] != (3,) or not np.isfinite(x[name]).all())
        raise InputError(f"landmarks: {', '.join(bad)} must be finite (..., 3) positions in metres")
    return x


@functools.cache
def _needed(fingers: bool) -> tuple[str, ...]:
    middle = ("vertex", "glabella", "occiput", "c7", "t8", "t12", "l5", "suprasternal_notch")
    sided = (
        "asis", "psis", "tragus", "lateral_femoral_epicondyle", "medial_femoral_epicondyle", "lateral_malleolus",
        "medial_malleolus", "calcaneus", "metatarsal_head_1", "metatarsal_head_5", "toe_tip", "acromion",
        "acromioclavicular", "sternoclavicular", "lateral_humeral_epicondyle", "medial_humeral_epicondyle",
        "radial_styloid", "ulnar_styloid",
    )  # fmt: skip
    if fingers:
        sided += tuple(f"{f}_{j}" for f in _RAYS for j in (*_joints(f), "tip"))
    return middle + tuple(f"{name}_{side}" for side in _SIDES for name in sided)


def _middle(x: Mapping[str, Float64], first: str, second: str) -> Float64:
    return 0.5 * (x[first] + x[second])


def _pelvis(x: dict[str, Float64], hip: str) -> dict[str, Float64]:
    centre = _middle(x, "asis_r", "asis_l")
    axes = pelvic_axes(x)
    if hip == "harrington":
        width = length(x["asis_r"] - x["asis_l"])
        local = harrington(width, length(centre - _middle(x, "psis_r", "psis_l")))
    else:
        legs = [length(x[f"asis_{s}"] - x[f"medial_malleolus_{s}"]) for s in _SIDES]
        local = hara(np.mean(legs, axis=0))
    mirrored = local * [1.0, 1.0, -1.0]
    hips = [centre + np.einsum("...ij,...j->...i", axes, v) for v in (local, mirrored)]
    scale = length(hips[0] - hips[1])[..., None] / _RAJAGOPAL_HIPS
    forward, up = _upright(x)
    back = centre + scale * (_RAJAGOPAL_BACK[0] * forward + _RAJAGOPAL_BACK[1] * up)
    return {"pelvis": centre, "hip_r": hips[0], "hip_l": hips[1], "lumbar": back}


def _upright(x: Mapping[str, Float64]) -> tuple[Float64, Float64]:
    """Forward and up of the standing body (..., 3): up is the world's."""
    up = np.broadcast_to([0.0, 1.0, 0.0], x["asis_r"].shape)
    return unit(cross(up, x["asis_r"] - x["asis_l"])), up


def _leg(x: dict[str, Float64], s: str) -> dict[str, Float64]:
    ankle = _middle(x, f"lateral_malleolus_{s}", f"medial_malleolus_{s}")
    heel = x[f"calcaneus_{s}"]
    along = x[f"toe_tip_{s}"] - heel
    size = length(along)[..., None] / _FOOT
    up = np.broadcast_to([0.0, 1.0, 0.0], along.shape)
    forward = unit(along * [1.0, 0.0, 1.0])
    lateral = cross(forward, up) * (1.0 if s == "r" else -1.0)
    subtalar = ankle + size * (_SUBTALAR[0] * forward + _SUBTALAR[1] * up + _SUBTALAR[2] * lateral)
    return {
        f"knee_{s}": _middle(x, f"lateral_femoral_epicondyle_{s}", f"medial_femoral_epicondyle_{s}"),
        f"ankle_{s}": ankle,
        f"subtalar_{s}": subtalar,
        f"mtp_{s}": _middle(x, f"metatarsal_head_1_{s}", f"metatarsal_head_5_{s}"),
        f"heel_{s}": heel,
        f"toe_tip_{s}": x[f"toe_tip_{s}"],
    }


def _arm(x: dict[str, Float64], s: str) -> dict[str, Float64]:
    elbow = _middle(x, f"lateral_humeral_epicondyle_{s}", f"medial_humeral_epicondyle_{s}")
    acromion, joint = x[f"acromion_{s}"], x[f"acromioclavicular_{s}"]
    forward, up = _upright(x)
    size = length(acromion - elbow)[..., None]
    ahead = np.einsum("...i,...i->...", joint - acromion, forward)[..., None]
    return {
        f"clavicle_{s}": x[f"sternoclavicular_{s}"],
        f"acromioclavicular_{s}": joint,
        f"shoulder_{s}": acromion + 0.5 * ahead * forward - _SHOULDER * size * up,
        f"elbow_{s}": elbow,
        f"wrist_{s}": _middle(x, f"radial_styloid_{s}", f"ulnar_styloid_{s}"),
    }


def _fingers(x: dict[str, Float64], wrists: Sequence[Float64]) -> dict[str, Float64]:
    """Joints at their share of the middle line from the wrist's centre to the tip."""
    knots = np.stack([
        np.stack([wrist, *(x[f"{finger}_{joint}_{s}"] for joint in (*_joints(finger), "tip"))], -2)
        for s, wrist in zip(_SIDES, wrists, strict=True) for finger in _RAYS
    ], -3)  # fmt: skip
    steps = length(np.diff(knots, axis=-2))
    along = np.cumsum(steps, axis=-1)
    at = along[..., -1:] * np.tile(_SHARES, (len(_SIDES), 1))
    piece = np.minimum((along[..., None, :] < at[..., None]).sum(-1), steps.shape[-1] - 1)
    end, step = np.take_along_axis(along, piece, -1), np.take_along_axis(steps, piece, -1)
    start = np.take_along_axis(knots, piece[..., None], -2)
    stop = np.take_along_axis(knots, piece[..., None] + 1, -2)
    found = stop + ((end - at) / step)[..., None] * (start - stop)
    out = {}
    for k, (s, finger) in enumerate((s, finger) for s in _SIDES for finger in _RAYS):
        out[f"{finger}_tip_{s}"] = knots[..., k, -1, :]
        out |= {f"{finger}_{joint}_{s}": found[..., k, n, :] for n, joint in enumerate(_joints(finger))}
    return out


def _joints(finger: str) -> tuple[str, ...]:
    return _JOINTS.get(finger, ("mcp", "pip", "dip"))


#: (5, 3) how far along the line from wrist to tip a finger's joints lie.
_SHARES = np.array(
    [[sum(ray[: k + (1 if name == "thumb" else 2)]) / sum(ray) for k in range(3)] for name, ray in _RAYS.items()]
)


def _spine(x: dict[str, Float64]) -> dict[str, Float64]:
    size = length(x["c7"] - x["l5"])[..., None] / _COLUMN
    right = unit(x["asis_r"] - x["asis_l"])
    up = unit(x["c7"] - x["l5"])
    forward = unit(cross(up, right))
    out = {f"{name}_body": x[name] + size * (f * forward + u * up) for name, (f, u) in VERTEBRAE.items()}
    skull = length(x["glabella"] - x["occiput"])[..., None]
    ahead, above = _upright(x)
    out["head"] = _middle(x, "tragus_r", "tragus_l") + skull * (SKULL_BASE[0] * ahead + SKULL_BASE[1] * above)
    # A disc lies half a vertebra lower than the centre above it, along the line to the next one known.
    out["neck"] = out["c7_body"] + _HALF["c7"] * (out["t8_body"] - out["c7_body"])
    out["t12_l1"] = out["t12_body"] + _HALF["t12"] * (out["l5_body"] - out["t12_body"])
    out["l5_s1"] = out["l5_body"] - _HALF["l5"] * (out["t12_body"] - out["l5_body"])
    return out
