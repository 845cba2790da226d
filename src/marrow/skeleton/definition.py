"""The skeleton as data: segments, joints, coordinates, axes, ranges and the landmark of each joint centre.

A joint is an ordered list of elementary rotations about constant axes, each a function of one coordinate, and of slides
along constant axes of the parent: what OpenSim calls a PinJoint or a CustomJoint. Most rotations are by the coordinate
itself, ``R_parent_child = prod_i exp(axis_i * q_i)``; what else a coordinate drives is a :class:`Coupled` motion. Axes
are written in segment axes (X forward, Y up, Z to the right), for the *right* side; :func:`mirrored` gives the left
side's axes so that a coordinate has the same anatomical meaning on both. At ``q = 0`` all segment frames are parallel.

Names, signs and zeros of the pelvis, leg, elbow and forearm coordinates, the oblique axes of knee, ankle, subtalar,
toe, elbow and forearm joints, and the knee's rolling and gliding are those of LaiUhlrich2022.osim (Apache-2.0;
Rajagopal et al. 2016, IEEE TBME 63(10); Lai et al. 2017, Ann. Biomed. Eng. 45; Uhlrich et al. 2022, Sci. Rep. 12),
axis = third column of the body-fixed X-Y-Z orientation of the pin joint's frame there. Wrist signs are those of
Rajagopal 2016.

The spine has three segments, lumbar (L5/S1 to T12/L1), lower thoracic (to the eighth vertebra, where the rib cage is
taken for rigid) and cervical (C7/T1 to the skull). Each bends as an arc of constant length and curvature: first in the
sagittal plane, which carries a light body (``*_arc``), then sideways, then it twists. The upper arm hangs on the
scapula, which hangs on the clavicle. Coordinates of the whole trunk (``lumbar_*``) and of the humerus against the
thorax (``arm_*``), which the Rajagopal models have, are :data:`DERIVED` from these.

Ranges are soft limits in degrees: the wider of LaiUhlrich2022 and the passive ranges of the American Academy of
Orthopaedic Surgeons (Greene and Heckman 1994), rounded outwards; of the spine's segments after White and Panjabi 1990
(Clinical Biomechanics of the Spine), of clavicle and scapula after Ludewig et al. 2009 (J. Bone Joint Surg. 91-A). Ball
joints are limited in their Z-X-Y angles; those of the shoulder are wide, because the same arm pose has two Z-X-Y
readings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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


Axis = tuple[float, float, float]


@dataclass(frozen=True)
class Coupled:
    """A motion that comes with a coordinate: a turn about ``axis`` or a slide along it, by a polynomial of it.

    Attributes:
        polynomial: coefficients of the first, second … power of the coordinate (radians); it is zero at zero. Turns are
            in radians, slides in shares of the joint's length.
    """

    coordinate: str
    axis: Axis
    polynomial: tuple[float, ...]


@dataclass(frozen=True)
class Joint:
    """The joint that carries the segment ``body``.

    Attributes:
        centre: the landmark at the segment's origin.
        coordinates: each turns the segment about its axis (those of the root's last three move it), in this order.
        turns: further rotations, about axes carried by those before.
        slides: displacements of the segment's origin along axes of the parent.
        length: the two landmarks whose distance in the bind pose is the slides' unit.
        begins: landmark where the segment's flesh begins, if that is not at its origin.
    """

    body: str
    parent: str | None
    kind: int
    centre: str
    coordinates: tuple[Coordinate, ...]
    turns: tuple[Coupled, ...] = ()
    slides: tuple[Coupled, ...] = ()
    length: tuple[str, str] | None = None
    begins: str | None = None


def mirrored(axis: Axis) -> Axis:
    """Axis of the left joint: mirroring in the sagittal plane keeps the lateral part of a rotation axis only."""
    return (-axis[0], -axis[1], axis[2])


def _reflected(direction: Axis) -> Axis:
    """Direction of a slide on the left side."""
    return (direction[0], direction[1], -direction[2])


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

# Knee of LaiUhlrich2022 (after Walker et al. 1988): axes of its oblique frame in the femur's, and polynomials of the
# flexion angle; slides in metres there, on a femur of 0.4096 m.
_KNEE_FLEXION, _KNEE_VARUS, _KNEE_TWIST = (
    (0.0, -0.07071, -0.99750),
    (0.99225, 0.12398, -0.00879),
    (-0.12429, 0.98976, -0.07016),
)
_LAI_FEMUR = 0.4096
_KNEE_TURNS = (
    Coupled("knee_angle", _KNEE_VARUS, (0.079100012, -0.032847810, -0.025218326, 0.010832095)),
    Coupled("knee_angle", _KNEE_TWIST, (0.369499349, -0.169480051, 0.025165763)),
)
_KNEE_SLIDES = tuple(
    Coupled("knee_angle", axis, tuple(c / _LAI_FEMUR for c in metres))
    for axis, metres in (
        (_KNEE_FLEXION, (2.641427e-05, 1.817511e-03, -1.015150e-03, 1.590448e-04)),
        (_KNEE_TWIST, (3.936909e-03, -1.1442376e-02, 5.079766e-03, -5.796878e-04)),
        (_KNEE_VARUS, (6.265430e-03, 6.116494e-04, -4.453611e-03, 1.208087e-03)),
    )
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
    Joint(
        "tibia",
        "femur",
        HINGE,
        "knee",
        (_C("knee_angle", _KNEE_FLEXION, -5, 155),),
        _KNEE_TURNS,
        _KNEE_SLIDES,
        ("hip", "knee"),
    ),
    Joint("talus", "tibia", HINGE, "ankle", (_C("ankle_angle", (-0.10501402, -0.17402184, 0.97912637), -55, 40),)),
    Joint("calcn", "talus", HINGE, "subtalar", (_C("subtalar_angle", (0.78718000, 0.60474720, -0.12094825), -35, 35),)),
    Joint("toes", "calcn", HINGE, "mtp", (_C("mtp_angle", (0.58095458, 0.0, -0.81393598), -70, 45),)),
)

# The end of an arc of length 1 that starts along Y and bends by a: sin(a) / a - 1 along Y and (1 - cos(a)) / a across,
# as their series; at 1.2 rad they are short by 1e-5.
_ALONG = (0.0, -1 / 6, 0.0, 1 / 120, 0.0, -1 / 5040)
_ACROSS = (1 / 2, 0.0, -1 / 24, 0.0, 1 / 720, 0.0, -1 / 40320)

#: Largest power in any :class:`Coupled` motion.
DEGREE = len(_ACROSS)


def _spine(
    name: str, arc: str, body: str, parent: str, ends: tuple[str, str], ranges: tuple[tuple[float, float], ...]
) -> tuple[Joint, Joint]:
    """A segment of the spine between two landmarks: its sagittal arc, then its arc sideways with a twist."""
    extension, bending, rotation = (f"{name}_{motion}" for motion in ("extension", "bending", "rotation"))
    backward, right = (-1.0, 0.0, 0.0), Z
    return (
        Joint(
            arc,
            parent,
            HINGE,
            ends[1],
            (_C(extension, Z, *ranges[0]),),
            slides=(Coupled(extension, backward, _ACROSS), Coupled(extension, Y, _ALONG)),
            length=ends,
        ),
        Joint(
            body,
            arc,
            HINGE,
            ends[1],
            (_C(bending, X, *ranges[1]), _C(rotation, Y, *ranges[2])),
            slides=(Coupled(bending, right, _ACROSS), Coupled(bending, Y, _ALONG)),
            length=ends,
            begins=ends[0],
        ),
    )


_TRUNK = (
    *_spine("lumbar_seg", "lumbar_arc", "lumbar", "pelvis", ("l5_s1", "t12_l1"), ((-65, 30), (-30, 30), (-15, 15))),
    *_spine("thorax", "thorax_arc", "torso", "lumbar", ("t12_l1", "t8_body"), ((-40, 25), (-25, 25), (-45, 45))),
    *_spine("neck", "neck_arc", "head", "torso", ("neck", "head"), ((-70, 75), (-50, 50), (-85, 85))),
)

#: The scapula's plane stands this far in front of the frontal plane at rest (Ludewig et al. 2009: 35 to 41 degrees).
_SCAPULAR_PLANE = math.radians(35.0)
_SCAPULAR_SPINE = (math.sin(_SCAPULAR_PLANE), 0.0, math.cos(_SCAPULAR_PLANE))

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
        "scapula",
        "clavicle",
        HINGE,
        "acromioclavicular",
        # Y, then the normal of the scapula's plane, then its spine (ISB: Wu et al. 2005). Positive: the socket turns
        # forward, upward; the lower angle comes forward (posterior tilt).
        (
            _C("scap_protraction", Y, -30, 45),
            _C("scap_upward", (-_SCAPULAR_SPINE[2], 0.0, _SCAPULAR_SPINE[0]), -20, 60),
            _C("scap_tilt", _SCAPULAR_SPINE, -20, 50),
        ),
    ),
    Joint(
        "humerus",
        "scapula",
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


_MIDLINE = ("pelvis", *(j.body for j in _TRUNK))


def _side(joints: tuple[Joint, ...], side: str) -> tuple[Joint, ...]:
    """The joints of one side, given as those of the right side without ``_r``."""
    right = side == "r"

    def own(name: str) -> str:
        return f"{name}_{side}"

    def coordinate(c: Coordinate) -> Coordinate:
        return replace(c, name=own(c.name), axis=c.axis if right else mirrored(c.axis))

    def turn(c: Coupled) -> Coupled:
        return replace(c, coordinate=own(c.coordinate), axis=c.axis if right else mirrored(c.axis))

    def slide(c: Coupled) -> Coupled:
        return replace(c, coordinate=own(c.coordinate), axis=c.axis if right else _reflected(c.axis))

    return tuple(
        replace(
            j,
            body=own(j.body),
            parent=j.parent if j.parent is None or j.parent in _MIDLINE else own(j.parent),
            centre=own(j.centre),
            coordinates=tuple(coordinate(c) for c in j.coordinates),
            turns=tuple(turn(c) for c in j.turns),
            slides=tuple(slide(c) for c in j.slides),
            length=None if j.length is None else (own(j.length[0]), own(j.length[1])),
            begins=None if j.begins is None else own(j.begins),
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

#: Hands at rest, degrees by the end of the coordinate's name (without side): fingers slightly bent, the thumb beside
#: the palm. At zero the thumb would lie in the palm.
RELAXED_HAND = {
    "mcp_flex": 25.0,
    "pip_flex": 30.0,
    "dip_flex": 15.0,
    "ip_flex": 15.0,
    "thumb_cmc_flex": -30.0,
    "thumb_cmc_abd": 20.0,
}

#: Landmarks that are not joint centres, and the segment each is fixed to.
_ENDS = {"heel": "calcn", "toe_tip": "toes", "hand": "hand", "thumb_tip": "thumb_distal"} | {
    f"{f}_tip": f"{f}_distal" for f in FINGERS
}
END_LANDMARKS: dict[str, str] = {
    "lumbar": "pelvis",
    "l5_s1": "pelvis",
    "neck": "torso",
    "head_top": "head",
} | {f"{name}_{s}": f"{body}_{s}" for s in "rl" for name, body in _ENDS.items()}

#: Whole trunk against pelvis, and humerus against thorax: read out beside the tree's own coordinates.
DERIVED: tuple[str, ...] = (
    "lumbar_extension",
    "lumbar_bending",
    "lumbar_rotation",
    *(f"{name}_{s}" for s in "rl" for name in ("arm_flex", "arm_add", "arm_rot")),
)


@dataclass(frozen=True)
class Follower:
    """A coordinate that goes along with another one where nothing tells the two apart.

    Attributes:
        ratio: to the leader.
        sd: degrees by which people differ from that.
        against: coordinates that make up for such a difference.
    """

    name: str
    leader: str
    ratio: float
    sd: float
    against: tuple[str, ...]


_GH = ("gh_flex", "gh_add", "gh_rot")

#: The lower thoracic spine takes its share of a bent or twisted trunk (ranges of White and Panjabi 1990). The scapula
#: goes with the raised clavicle so that the middle of its medial border keeps its distance from the ribs
#: (``tests/skeleton/test_girdle.py``). The spreads are our choice.
FOLLOWERS: tuple[Follower, ...] = (
    Follower("thorax_extension", "lumbar_seg_extension", 0.55, 6.0, ("lumbar_seg_extension",)),
    Follower("thorax_bending", "lumbar_seg_bending", 0.85, 5.0, ("lumbar_seg_bending",)),
    Follower("lumbar_seg_rotation", "thorax_rotation", 0.33, 4.0, ("thorax_rotation",)),
    *(
        Follower(f"{name}_{s}", f"{leader}_{s}", ratio, sd, tuple(f"{gh}_{s}" for gh in _GH))
        for s in "rl"
        for name, leader, ratio, sd in (
            ("scap_protraction", "clav_elevation", 1.2, 8.0),
            ("scap_upward", "clav_elevation", 1.0, 8.0),
            ("scap_tilt", "clav_elevation", 1.45, 8.0),
        )
    ),
)
