"""The skeleton as data: segments, joints, coordinates, axes, ranges and the landmark of each joint centre.

A joint is an ordered list of elementary rotations about constant axes, each driven by one coordinate,
``R_parent_child = prod_i exp(axis_i * q_i)``. Axes are written in segment axes (X forward, Y up, Z to the right), for
the *right* side; :func:`mirrored` gives the left side's axes so that a coordinate has the same anatomical meaning on
both. At ``q = 0`` all segment frames are parallel.

Names, signs and zeros of the pelvis, leg, trunk, elbow and forearm coordinates, and the oblique axes of ankle,
subtalar, toe, elbow and forearm joints are those of LaiUhlrich2022.osim (Apache-2.0; Rajagopal et al. 2016, IEEE TBME
63(10); Lai et al. 2017, Ann. Biomed. Eng. 45; Uhlrich et al. 2022, Sci. Rep. 12), axis = third column of the body-fixed
X-Y-Z orientation of the pin joint's frame there. Wrist signs are those of Rajagopal 2016.

Ranges are soft limits in degrees: the wider of LaiUhlrich2022 and the passive ranges of the American Academy of
Orthopaedic Surgeons (Greene and Heckman 1994), rounded outwards. Ball joints are limited in their Z-X-Y angles; those
of the shoulder are wide, because the same arm pose has two Z-X-Y readings.
"""

from __future__ import annotations

from dataclasses import dataclass

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_NONE = float("inf")

#: Kinds of joint. ``FREE`` is a ball followed by three translations in the ground.
FREE, BALL, HINGE = 0, 1, 2

FINGERS = ("index", "middle", "ring", "little")


@dataclass(frozen=True)
class Coordinate:
    """One coordinate: its name, the axis it turns about (or moves along) and its range in degrees (metres)."""

    name: str
    axis: tuple[float, float, float]
    low: float
    high: float


@dataclass(frozen=True)
class Joint:
    """The joint that carries the segment ``body``; ``centre`` is the landmark at its joint centre."""

    body: str
    parent: str | None
    kind: int
    centre: str
    coordinates: tuple[Coordinate, ...]


def mirrored(axis: tuple[float, float, float]) -> tuple[float, float, float]:
    """Axis of the left joint: mirroring in the sagittal plane keeps the lateral part of a rotation axis only."""
    return (-axis[0], -axis[1], axis[2])


_C = Coordinate

_ROOT = Joint(
    "pelvis",
    None,
    FREE,
    "pelvis",
    (
        _C("pelvis_tilt", Z, -_NONE, _NONE),
        _C("pelvis_list", X, -_NONE, _NONE),
        _C("pelvis_rotation", Y, -_NONE, _NONE),
        _C("pelvis_tx", X, -_NONE, _NONE),
        _C("pelvis_ty", Y, -_NONE, _NONE),
        _C("pelvis_tz", Z, -_NONE, _NONE),
    ),
)

# One leg and one arm, right side; ``_side`` appends _r or mirrors to _l.
_LEG = (
    Joint(
        "femur",
        "pelvis",
        BALL,
        "hip",
        (_C("hip_flexion", Z, -30, 140), _C("hip_adduction", X, -60, 40), _C("hip_rotation", Y, -50, 50)),
    ),
    Joint("tibia", "femur", HINGE, "knee", (_C("knee_angle", (0.0, 0.0, -1.0), -5, 155),)),
    Joint("talus", "tibia", HINGE, "ankle", (_C("ankle_angle", (-0.10501402, -0.17402184, 0.97912637), -55, 40),)),
    Joint("calcn", "talus", HINGE, "subtalar", (_C("subtalar_angle", (0.78718000, 0.60474720, -0.12094825), -35, 35),)),
    Joint("toes", "calcn", HINGE, "mtp", (_C("mtp_angle", (0.58095458, 0.0, -0.81393598), -70, 45),)),
)

_TRUNK = (
    Joint(
        "torso",
        "pelvis",
        BALL,
        "lumbar",
        (_C("lumbar_extension", Z, -100, 45), _C("lumbar_bending", X, -50, 50), _C("lumbar_rotation", Y, -60, 60)),
    ),
    Joint(
        "head",
        "torso",
        BALL,
        "neck",
        (_C("neck_extension", Z, -70, 75), _C("neck_bending", X, -50, 50), _C("neck_rotation", Y, -85, 85)),
    ),
)

_ARM = (
    Joint(
        "clavicle",
        "torso",
        HINGE,
        "clavicle",
        # Signs: protraction brings the shoulder forward, elevation up. Zero is the relaxed girdle of the bind pose.
        (_C("clav_protraction", Y, -25, 30), _C("clav_elevation", (-1.0, 0.0, 0.0), -10, 45)),
    ),
    Joint(
        "humerus",
        "clavicle",
        BALL,
        "shoulder",
        (_C("gh_flex", Z, -120, 180), _C("gh_add", X, -180, 90), _C("gh_rot", Y, -130, 130)),
    ),
    Joint("ulna", "humerus", HINGE, "elbow", (_C("elbow_flex", (0.22604727, 0.02226899, 0.97386176), -5, 155),)),
    Joint("radius", "ulna", HINGE, "elbow", (_C("pro_sup", (0.05639806, 0.99840645, 0.00195321), -10, 170),)),
    Joint(
        "hand",
        "radius",
        HINGE,
        "wrist",
        # flexion brings the palm to the forearm, deviation is positive towards the ulna
        (_C("wrist_flex", Z, -80, 85), _C("wrist_dev", X, -30, 45)),
    ),
)

#: Flexion axis of the thumb's last two joints in the frame of the metacarpal: between the fingers' flexion axis (Z)
#: and the normal of the palm (X), since the thumb stands rotated against the fingers (Cooney et al. 1981, J. Bone Joint
#: Surg. 63-A).
THUMB_FLEXION = (0.70710678, 0.0, 0.70710678)


def _hand() -> tuple[Joint, ...]:
    joints = [
        Joint(
            "thumb_metacarpal",
            "hand",
            HINGE,
            "thumb_cmc",
            # flexion carries the thumb across the palm, abduction away from the palm
            (_C("thumb_cmc_flex", X, -70, 50), _C("thumb_cmc_abd", Z, -30, 80)),
        ),
        Joint(
            "thumb_proximal", "thumb_metacarpal", HINGE, "thumb_mcp", (_C("thumb_mcp_flex", THUMB_FLEXION, -20, 70),)
        ),
        Joint("thumb_distal", "thumb_proximal", HINGE, "thumb_ip", (_C("thumb_ip_flex", THUMB_FLEXION, -30, 90),)),
    ]
    for finger in FINGERS:
        # Abduction leads away from the middle finger; the middle finger's own is positive towards the thumb.
        away = X if finger in ("ring", "little") else (-1.0, 0.0, 0.0)
        proximal, middle, distal = (f"{finger}_{phalanx}" for phalanx in ("proximal", "middle", "distal"))
        knuckle = (_C(f"{finger}_mcp_flex", Z, -35, 100), _C(f"{finger}_mcp_abd", away, -30, 30))
        joints += [
            Joint(proximal, "hand", HINGE, f"{finger}_mcp", knuckle),
            Joint(middle, proximal, HINGE, f"{finger}_pip", (_C(f"{finger}_pip_flex", Z, -10, 115),)),
            Joint(distal, middle, HINGE, f"{finger}_dip", (_C(f"{finger}_dip_flex", Z, -15, 90),)),
        ]
    return tuple(joints)


_MIDLINE = ("pelvis", "torso", "head")


def _side(joints: tuple[Joint, ...], side: str) -> tuple[Joint, ...]:
    def suffixed(name: str | None) -> str | None:
        return name if name is None or name in _MIDLINE else f"{name}_{side}"

    def coordinate(c: Coordinate) -> Coordinate:
        axis = c.axis if side == "r" else mirrored(c.axis)
        return Coordinate(f"{c.name}_{side}", axis, c.low, c.high)

    return tuple(
        Joint(
            f"{j.body}_{side}",
            suffixed(j.parent),
            j.kind,
            f"{j.centre}_{side}",
            tuple(coordinate(c) for c in j.coordinates),
        )
        for j in joints
    )


#: All joints in tree order, a parent before its children.
JOINTS: tuple[Joint, ...] = (
    (_ROOT,) + _side(_LEG, "r") + _side(_LEG, "l") + _TRUNK + _side(_ARM + _hand(), "r") + _side(_ARM + _hand(), "l")
)

BODIES: tuple[str, ...] = tuple(j.body for j in JOINTS)
COORDINATES: tuple[str, ...] = tuple(c.name for j in JOINTS for c in j.coordinates)

#: Segments of the fingers; :meth:`Skeleton.without_fingers` drops them.
FINGER_BODIES: frozenset[str] = frozenset(f"{j.body}_{s}" for j in _hand() for s in "rl")

#: Landmarks that are not joint centres, and the segment each is fixed to.
_ENDS = {"heel": "calcn", "toe_tip": "toes", "hand": "hand", "thumb_tip": "thumb_distal"} | {
    f"{f}_tip": f"{f}_distal" for f in FINGERS
}
END_LANDMARKS: dict[str, str] = {"head": "head", "head_top": "head"} | {
    f"{name}_{s}": f"{body}_{s}" for s in "rl" for name, body in _ENDS.items()
}

#: Humerus against thorax, read out beside the tree's own shoulder coordinates.
DERIVED: tuple[str, ...] = tuple(f"{name}_{s}" for s in "rl" for name in ("arm_flex", "arm_add", "arm_rot"))
