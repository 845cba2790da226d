"""Poses that the clips lack, made from what joints can do: sitting, crouching, lying, and where arms and hands go.

Angles are in degrees; a pair is a range that is drawn from. Arms are aimed: the wrist at a place on the body, or the
humerus in a direction; :mod:`marrow.data.synth.articulation` moves the shoulder along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marrow.data.synth.articulation import AT, at_ease, mirrored, with_humerus
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.types import Float64

Range = tuple[float, float]


@dataclass(frozen=True)
class Attitude:
    """What the trunk and the legs do.

    Attributes:
        both: coordinates of the middle, and of both legs alike (named without side).
        right, left: of one leg only.
        arms: kinds of :data:`ARMS` that go with it.
        ages: years of people who do it.
        lies: the trunk is on the floor.
    """

    both: Mapping[str, Range]
    right: Mapping[str, Range] | None = None
    left: Mapping[str, Range] | None = None
    arms: tuple[str, ...] = ()
    ages: Range = (2.0, 90.0)
    lies: bool = False


_ANY = (
    "down", "down", "overhead", "forward", "sideways", "across", "on hips", "at face", "crossed", "clasped", "back",
    "behind head", "raised", "gesture", "gesture",
)  # fmt: skip
_SEATED = ("on thighs", "on thighs", "forward", "at face", "crossed", "gesture", "overhead", "clasped")

ATTITUDES: Mapping[str, Attitude] = {
    "standing": Attitude(
        {"hip_adduction": (-12, 2), "hip_rotation": (-18, 5), "lumbar_seg_extension": (-8, 6),
         "lumbar_seg_bending": (-6, 6), "thorax_rotation": (-15, 15)},
        arms=_ANY, ages=(1.0, 90.0),
    ),
    "contrapposto": Attitude(
        {"pelvis_list": (3, 8), "lumbar_seg_bending": (-9, -3)},
        right={"hip_adduction": (2, 8), "hip_rotation": (-10, 5)},
        left={"hip_flexion": (12, 28), "knee_angle": (20, 45), "ankle_angle": (0, 15), "hip_adduction": (-14, -4)},
        arms=_ANY,
    ),
    "sitting": Attitude(
        {"pelvis_tilt": (-10, 18), "hip_flexion": (72, 98), "hip_adduction": (-22, 2), "hip_rotation": (-12, 12),
         "knee_angle": (65, 105), "ankle_angle": (-10, 12), "lumbar_seg_extension": (-35, 0),
         "thorax_rotation": (-15, 15)},
        arms=_SEATED,
    ),
    "sitting, legs crossed": Attitude(
        {"pelvis_tilt": (0, 18), "lumbar_seg_extension": (-30, -8)},
        right={"hip_flexion": (88, 102), "knee_angle": (75, 95), "hip_adduction": (14, 22), "hip_rotation": (-8, 4)},
        left={"hip_flexion": (72, 80), "knee_angle": (80, 95), "hip_adduction": (-4, 2)},
        arms=_SEATED, ages=(8.0, 85.0),
    ),
    "sitting on the floor": Attitude(
        {"pelvis_tilt": (0, 20), "hip_flexion": (70, 92), "hip_adduction": (-28, -4), "hip_rotation": (-20, 5),
         "knee_angle": (0, 35), "lumbar_seg_extension": (-40, -12)},
        arms=("on thighs", "down", "forward", "at face", "clasped"), ages=(0.7, 80.0),
    ),
    "cross-legged": Attitude(
        {"pelvis_tilt": (0, 16), "hip_flexion": (82, 100), "hip_adduction": (-42, -34), "hip_rotation": (-48, -38),
         "lumbar_seg_extension": (-35, -15)},
        right={"knee_angle": (112, 122)}, left={"knee_angle": (126, 136)},
        arms=("on thighs", "at face", "gesture", "clasped"), ages=(2.0, 60.0),
    ),
    "kneeling": Attitude(
        {"hip_flexion": (0, 15), "knee_angle": (85, 100), "ankle_angle": (-45, -20), "hip_adduction": (-12, -2),
         "pelvis_tilt": (-6, 6)},
        arms=_ANY, ages=(2.0, 75.0),
    ),
    "on the heels": Attitude(
        {"hip_flexion": (78, 95), "knee_angle": (138, 148), "ankle_angle": (-52, -42), "hip_adduction": (-14, -5),
         "lumbar_seg_extension": (-30, -5), "pelvis_tilt": (-12, 5)},
        arms=_SEATED, ages=(1.0, 60.0),
    ),
    "on one knee": Attitude(
        {"pelvis_tilt": (-10, 4)},
        right={"hip_flexion": (80, 98), "knee_angle": (85, 105), "ankle_angle": (-5, 15)},
        left={"hip_flexion": (-8, 8), "knee_angle": (88, 105), "ankle_angle": (-30, 10)},
        arms=_ANY, ages=(3.0, 75.0),
    ),
    "crouching": Attitude(
        {"pelvis_tilt": (-28, -8), "hip_flexion": (105, 122), "knee_angle": (118, 142), "ankle_angle": (22, 36),
         "hip_adduction": (-24, -8), "hip_rotation": (-20, 5), "lumbar_seg_extension": (-38, -12)},
        arms=("forward", "on thighs", "gesture", "clasped", "at face"), ages=(1.5, 65.0),
    ),
    "half crouched": Attitude(
        {"pelvis_tilt": (-40, -15), "hip_flexion": (60, 90), "knee_angle": (60, 95), "ankle_angle": (15, 30),
         "hip_adduction": (-18, -4), "lumbar_seg_extension": (-25, 0)},
        arms=("forward", "on thighs", "gesture", "back"), ages=(2.0, 75.0),
    ),
    "bent over": Attitude(
        {"pelvis_tilt": (-60, -30), "hip_flexion": (35, 65), "knee_angle": (0, 30), "ankle_angle": (0, 12),
         "lumbar_seg_extension": (-45, -20), "hip_adduction": (-12, 0), "neck_extension": (-10, 30)},
        arms=("reach down", "reach down", "on thighs", "gesture"), ages=(2.0, 80.0),
    ),
    "lunge": Attitude(
        {"pelvis_tilt": (-18, 0), "thorax_rotation": (-20, 20)},
        right={"hip_flexion": (60, 90), "knee_angle": (65, 95), "ankle_angle": (5, 25)},
        left={"hip_flexion": (-28, -8), "knee_angle": (10, 50), "ankle_angle": (0, 25), "mtp_angle": (-40, -15)},
        arms=_ANY, ages=(4.0, 70.0),
    ),
    "stride": Attitude(
        {"pelvis_tilt": (-8, 2), "hip_adduction": (-14, 0)},
        right={"hip_flexion": (15, 40), "knee_angle": (5, 40)},
        left={"hip_flexion": (-22, -5), "knee_angle": (5, 40), "mtp_angle": (-35, 0)},
        arms=_ANY, ages=(1.5, 85.0),
    ),
    "one leg": Attitude(
        {"lumbar_seg_bending": (-8, 8)},
        right={"hip_flexion": (25, 100), "knee_angle": (20, 120), "hip_adduction": (-35, 0), "hip_rotation": (-30, 5)},
        left={"knee_angle": (0, 12)},
        arms=_ANY, ages=(4.0, 65.0),
    ),
    "legs apart": Attitude({"hip_adduction": (-40, -18), "hip_rotation": (-25, 0)}, arms=_ANY, ages=(2.0, 70.0)),
    "lying on the back": Attitude(
        {"pelvis_tilt": (84, 94), "hip_flexion": (-5, 20), "hip_adduction": (-20, 2), "hip_rotation": (-30, 0),
         "knee_angle": (0, 35), "ankle_angle": (-30, 0), "lumbar_seg_extension": (-8, 4)},
        arms=("down", "overhead", "sideways", "clasped", "behind head", "gesture"), ages=(0.0, 90.0), lies=True,
    ),
    "lying, knees drawn up": Attitude(
        {"pelvis_tilt": (84, 98), "hip_flexion": (45, 95), "hip_adduction": (-20, 0), "knee_angle": (60, 120)},
        arms=("down", "overhead", "sideways", "clasped", "behind head"), ages=(0.0, 90.0), lies=True,
    ),
    "lying face down": Attitude(
        {"pelvis_tilt": (-94, -84), "hip_flexion": (-8, 5), "hip_adduction": (-25, 0), "knee_angle": (0, 40),
         "ankle_angle": (-50, -25), "neck_rotation": (40, 75)},
        arms=("down", "overhead", "sideways"), ages=(0.2, 90.0), lies=True,
    ),
    "lying on the side": Attitude(
        {"pelvis_list": (82, 92), "lumbar_seg_extension": (-25, 0), "neck_bending": (5, 20), "hip_adduction": (-4, 2)},
        right={"hip_flexion": (10, 70), "knee_angle": (20, 90)},
        left={"hip_flexion": (20, 80), "knee_angle": (30, 100)},
        arms=("forward", "at face", "across"), ages=(0.3, 90.0), lies=True,
    ),
    "on all fours": Attitude(
        {"pelvis_tilt": (-92, -78), "hip_flexion": (78, 98), "knee_angle": (84, 96), "ankle_angle": (-45, -20),
         "hip_adduction": (-12, -2), "lumbar_seg_extension": (-15, 10), "neck_extension": (10, 50)},
        arms=("propped",), ages=(0.7, 70.0),
    ),
}  # fmt: skip

#: Aimed humeri: elevation from hanging, plane (0 sideways, 90 ahead, more across), turn about itself (inward positive),
#: elbow, pronation.
DIRECTIONS: Mapping[str, tuple[Range, Range, Range, Range, Range]] = {
    "down": ((4, 16), (-25, 60), (-5, 25), (4, 35), (40, 110)),
    "overhead": ((140, 172), (20, 95), (-30, 20), (2, 50), (20, 120)),
    "forward": ((60, 105), (62, 100), (-20, 25), (2, 60), (20, 140)),
    "sideways": ((65, 105), (-12, 30), (-25, 40), (2, 60), (20, 140)),
    "across": ((50, 85), (95, 122), (0, 40), (20, 80), (40, 130)),
    "raised": ((95, 140), (20, 90), (-40, 10), (10, 110), (20, 130)),
    "gesture": ((10, 55), (10, 95), (-30, 35), (45, 115), (20, 130)),
    "back": ((18, 45), (-100, -65), (-10, 20), (2, 40), (40, 120)),
    "reach down": ((60, 110), (75, 98), (-10, 20), (0, 30), (40, 120)),
    "propped": ((84, 96), (80, 90), (-5, 15), (0, 8), (110, 140)),
}
#: Aimed wrists: segment, place in it as shares of the trunk's length (ahead, up, outward), direction
#: of the elbow (ahead, up, outward), pronation, flexion of the wrist.
PLACES: Mapping[str, tuple[str, Float64, Float64, Range, Range]] = {
    "on hips": ("pelvis", np.array([0.06, 0.20, 0.52]), np.array([-0.5, 0.1, 1.0]), (60, 110), (25, 60)),
    "at face": ("head", np.array([0.34, -0.02, 0.20]), np.array([0.4, -1.0, 0.5]), (50, 120), (-10, 25)),
    "behind head": ("head", np.array([-0.16, 0.16, 0.30]), np.array([0.2, 0.4, 1.0]), (60, 130), (0, 30)),
    "crossed": ("torso", np.array([0.46, -0.38, -0.14]), np.array([0.3, -1.0, 0.8]), (60, 110), (-5, 25)),
    "clasped": ("pelvis", np.array([0.52, 0.26, 0.13]), np.array([-0.2, -0.7, 1.0]), (50, 100), (-10, 20)),
    "on thighs": ("femur", np.array([0.22, -0.62, 0.05]), np.array([-0.4, 0.1, 0.8]), (100, 150), (-35, 5)),
}
ARMS = (*DIRECTIONS, *PLACES)
_SPREAD = 0.06


def attitude(rng: np.random.Generator, age: float | None) -> tuple[Float64, str, bool]:
    """A pose (D,) of trunk and legs, mirrored half the time, with arms at ease; the arms for it; whether it lies."""
    names = [n for n, a in ATTITUDES.items() if age is None or a.ages[0] <= age <= a.ages[1]]
    own = ATTITUDES[names[int(rng.integers(len(names)))]]
    q = at_ease()
    for name, (low, high) in own.both.items():
        for full in (name,) if name in AT else (f"{name}_r", f"{name}_l"):
            q[AT[full]] = np.radians(rng.uniform(low, high))
    for side, some in (("r", own.right), ("l", own.left)):
        for name, (low, high) in (some or {}).items():
            q[AT[f"{name}_{side}"]] = np.radians(rng.uniform(low, high))
    q = follow_trunk(q)
    arms = own.arms[int(rng.integers(len(own.arms)))]
    return (mirrored(q) if rng.random() < 0.5 else q), arms, own.lies


def follow_trunk(q: Float64) -> Float64:
    """The pose with the lower chest taking its share of what the lumbar spine does."""
    for leader, follower, ratio in (
        ("lumbar_seg_extension", "thorax_extension", 0.55),
        ("lumbar_seg_bending", "thorax_bending", 0.85),
        ("thorax_rotation", "lumbar_seg_rotation", 0.33),
    ):
        q[..., AT[follower]] = ratio * q[..., AT[leader]]
    return q


def pose_arm(rng: np.random.Generator, q: Float64, side: str, kind: str, skeleton: Skeleton) -> Float64:
    """The pose (D,) with one arm as a kind of :data:`ARMS` says. Needs a skeleton with fingers."""
    q = q.copy()
    pro, flex, deviation, elbow = (AT[f"{n}_{side}"] for n in ("pro_sup", "wrist_flex", "wrist_dev", "elbow_flex"))
    if kind in DIRECTIONS:
        raised, plane, inward, bent, turned = (np.radians(rng.uniform(*r)) for r in DIRECTIONS[kind])
        q[[elbow, pro]] = bent, turned
        q[flex] = np.radians(rng.uniform(-70, -55) if kind == "propped" else rng.normal(-5, 12))
        q[deviation] = np.radians(rng.normal(4, 6))
        return with_humerus(q, side, _aimed(raised, plane, inward, side))
    segment, place, out, pronated, flexed = PLACES[kind]
    q[[pro, flex]] = np.radians(rng.uniform(*pronated)), np.radians(rng.uniform(*flexed))
    q[deviation] = np.radians(rng.normal(5, 5))
    place = place + rng.normal(0.0, _SPREAD, 3)
    return _reached(q, side, segment, place, out + rng.normal(0.0, 0.25, 3), skeleton)


def _aimed(raised: float, plane: float, inward: float, side: str) -> Float64:
    """(3, 3) humerus against the rib cage, hanging at the identity."""
    along = np.array([np.sin(raised) * np.sin(plane), -np.cos(raised), np.sin(raised) * np.cos(plane)])
    R = rotations.rotation_between(np.array([0.0, -1.0, 0.0]), along) @ rotations.rotation_y(inward)
    return R if side == "r" else _MIRROR @ R @ _MIRROR


_MIRROR = np.diag([1.0, 1.0, -1.0])


def _reached(q: Float64, side: str, segment: str, place: Float64, out: Float64, skeleton: Skeleton) -> Float64:
    """The pose with the wrist at a place, as near as the arm reaches, the elbow out to where it shall be."""
    index, sign = skeleton.body_index, np.array([1.0, 1.0, 1.0 if side == "r" else -1.0])
    torso, arm, hand = index("torso"), index(f"humerus_{side}"), index(f"hand_{side}")
    elbow = AT[f"elbow_flex_{side}"]
    R, p = skeleton.forward(q)
    trunk = float(np.linalg.norm(p[torso] - p[0]) + np.linalg.norm(p[index("head")] - p[torso]))
    own = index(segment if segment in skeleton.bodies else f"{segment}_{side}")
    target = p[own] + R[own] @ (place * sign * trunk)
    bends = np.radians(np.linspace(0.0, 150.0, 31))
    tried = np.tile(q, (len(bends), 1))
    tried[:, elbow] = bends
    Rs, ps = skeleton.forward(tried)
    wrists = (ps[:, hand] - ps[:, arm]) @ Rs[0, arm]  # in the humerus
    lengths = np.linalg.norm(wrists, axis=1)
    for _ in range(3):  # the shoulder's centre moves as the arm is raised
        R, p = skeleton.forward(q)
        way = R[torso].T @ (target - p[arm])
        far = float(np.linalg.norm(way))
        bend = float(np.interp(-far, -lengths, bends))
        wrist = np.array([np.interp(bend, bends, wrists[:, k]) for k in range(3)])
        turn = rotations.rotation_between(wrist / np.linalg.norm(wrist), way / far)
        angles = np.radians(np.arange(0.0, 360.0, 10.0))
        swivelled = rotations.axis_angle(way / far, angles) @ turn
        goal = out * sign
        outward = -swivelled[:, :, 1] @ (goal / np.linalg.norm(goal))
        score = outward - 2.0 * _strain(swivelled, side)
        q[elbow] = bend
        q = with_humerus(q, side, swivelled[int(np.argmax(score))])
    return q


def _strain(R: Float64, side: str) -> Float64:
    """(N,) how far humeri (N, 3, 3) are turned about themselves beyond what shoulders do, radians."""
    R = R if side == "r" else _MIRROR @ R @ _MIRROR
    hang = np.broadcast_to(np.array([0.0, -1.0, 0.0]), (len(R), 3))
    plain = rotations.rotation_between(hang, -R[:, :, 1])
    left = np.swapaxes(plain, -1, -2) @ R
    inward = np.arctan2(left[:, 0, 2], left[:, 0, 0])
    return np.maximum(inward - np.radians(75.0), 0.0) + np.maximum(np.radians(-80.0) - inward, 0.0)
