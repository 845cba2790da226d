"""Synthetic truth: real movements on bodies of known shape, seen by known cameras, reported with a detector's errors.

What is true here: coordinates, shape, camera, floor, and where each keypoint sits on the body. What is not tested by
it: that people are shaped and articulated like the body model, and that a detector's points sit where
``body.keypoints`` says; the constant part of the simulated noise stands in for the latter.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marrow.bench.noise import DetectorNoise, WorldNoise, detect_with_errors, world_with_errors
from marrow.body import Rest, load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import JOINT_SETS
from marrow.data.motion_pack import PackedMotion, motion_pack
from marrow.geometry.projection import camera_from_fov, look_at, project, to_camera
from marrow.geometry.rotations import rotation_z
from marrow.skeleton import Skeleton
from marrow.skeleton.tree import at_ease
from marrow.types import Camera, Float64, Keypoints

#: Joint sets: what the simulated detector reports, and what position errors are measured on.
DETECTED, MEASURED = "blazepose33", "h36m17"

#: Five people, unlike in sex, stature, build and the lengths of their limbs.
PEOPLE: dict[str, Mapping[str, float]] = {
    "average": {},
    "tall strong man": {"gender": 0.0, "height": 0.52, "weight": 0.65, "muscle": 0.7},
    "small slight woman": {"gender": 1.0, "height": 0.35, "weight": 0.3, "muscle": 0.4},
    "long legs, short trunk": {
        "gender": 0.9, "height": 0.5, "log_scale_thigh": 0.05, "log_scale_shank": 0.05, "log_scale_trunk": -0.04,
        "log_scale_upper_arm": -0.04, "log_scale_shoulders": -0.05,
    },
    "heavy, short legs, long arms": {
        "gender": 0.2, "height": 0.35, "weight": 0.85, "log_scale_thigh": -0.05, "log_scale_shank": -0.04,
        "log_scale_upper_arm": 0.05, "log_scale_forearm": 0.04, "log_scale_hips": 0.05,
    },
}  # fmt: skip

#: Others, on whom standard deviations are calibrated; they are in no test.
OTHERS: dict[str, Mapping[str, float]] = {
    "long trunk, broad": {
        "gender": 0.1, "height": 0.45, "weight": 0.5, "log_scale_trunk": 0.04, "log_scale_thigh": -0.02,
        "log_scale_shoulders": 0.05,
    },
    "woman, short shanks": {
        "gender": 0.85, "height": 0.42, "weight": 0.6, "muscle": 0.35, "log_scale_shank": -0.04,
        "log_scale_hips": 0.04, "log_scale_forearm": -0.03,
    },
    "tall, long thighs, slight": {
        "gender": 0.5, "height": 0.55, "weight": 0.35, "log_scale_thigh": 0.05, "log_scale_upper_arm": 0.03,
        "log_scale_head": -0.03,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """A person moving.

    Attributes:
        clip, person: names.
        shape, rest, skeleton: the body.
        time: (T,) seconds.
        q: (T, D) coordinates; ``pelvis_tx, ty, tz`` included.
        joints: (T, 17, 3) metres, world, the points of ``MEASURED``.
        points: (T, 33, 3) metres, world, the points of ``DETECTED``.
        height_m: stature.
    """

    clip: str
    person: str
    shape: Mapping[str, float]
    rest: Rest
    skeleton: Skeleton
    time: Float64
    q: Float64
    joints: Float64
    points: Float64
    height_m: float


@dataclass(frozen=True)
class Shot:
    """What one camera's detector reports of a person; ``keypoints.world`` holds the simulated 3-D landmarks."""

    truth: Truth
    number: int
    camera: Camera
    keypoints: Keypoints


def make_truth(motion: PackedMotion, person: str, *, start: int = 0, frames: int | None = None) -> Truth:
    """A stretch of a packed motion on one of :data:`PEOPLE` or :data:`OTHERS`, standing on the floor.

    The path is scaled with the length of the legs, so that feet that stood still do so again.
    """
    body, shape = load_body(), dict((PEOPLE | OTHERS)[person])
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    q = motion.full(skeleton.coordinates, at_ease(skeleton.coordinates))
    q = q[start : None if frames is None else start + frames].copy()
    moved = [skeleton.index(f"pelvis_t{axis}") for axis in "xyz"]
    q[:, moved] *= leg_length(skeleton) / _leg_length_of(motion.subject)
    R, p = skeleton.forward(q)
    feet = skeleton.points(R, p, tuple(f"{name}_{s}" for s in "rl" for name in ("heel", "toe_tip")))
    own = np.array([rest.landmarks[f"{name}_{s}"][1] for s in "rl" for name in ("heel", "toe_tip")])
    # the lowest the soles get, not counting the odd frame in which a fitted foot dips below the rest
    above = np.min(feet[..., 1] - own, axis=1)
    q[:, moved[1]] -= float(np.quantile(above, 0.05))
    return Truth(
        motion.name, person, shape, rest, skeleton, np.arange(len(q)) / motion.fps, q,
        place_keypoints(body, rest, q, MEASURED), place_keypoints(body, rest, q, DETECTED), body.stature(shape),
    )  # fmt: skip


def leg_length(skeleton: Skeleton) -> float:
    """Thigh plus shank of the right leg, metres."""
    return float(sum(np.linalg.norm(skeleton.offsets[skeleton.body_index(b)]) for b in ("tibia_r", "talus_r")))


@functools.cache
def _leg_length_of(subject: str) -> float:
    return leg_length(Skeleton.inside(load_body().rest(motion_pack().shapes[subject]).landmarks))


def make_camera(rng: np.random.Generator, centre: Float64, size: tuple[int, int] = (1920, 1080)) -> Camera:
    """A camera 3 to 6 m away, looking 5 degrees up to 20 degrees down, from any side, rolled a little.

    Args:
        rng: generator.
        centre: (3,) metres, where it looks.
        size: (width, height), pixels; the field of view is that of a phone, 60 to 75 degrees along the long side.
    """
    distance, pitch, azimuth = rng.uniform(3, 6), np.radians(rng.uniform(-5, 20)), rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(pitch) * np.sin(azimuth), np.sin(pitch), np.cos(pitch) * np.cos(azimuth)])
    plain = camera_from_fov(size, rng.uniform(60, 75))
    R, t = look_at(centre + distance * away, centre + rng.normal(0, 0.1, 3))
    roll = rotation_z(np.radians(rng.normal(0, 1.0)))
    return Camera(plain.K, size, roll @ R, roll @ t)


def shoot(truth: Truth, number: int, seed: int, noise: DetectorNoise, world: WorldNoise) -> Shot:
    """Film a truth with one random camera and a detector that errs; ``seed`` and ``number`` fix all randomness."""
    rng = np.random.default_rng([seed, number])
    camera = make_camera(rng, truth.joints.mean((0, 1)))
    fps = 1.0 / float(np.median(np.diff(truth.time)))
    xy, confidence = detect_with_errors(rng, project(camera, truth.points), fps, camera.size, noise)
    landmarks = world_with_errors(rng, to_camera(camera, truth.points), JOINT_SETS[DETECTED], fps, world)
    seen = np.any(confidence > 0, axis=1)
    landmarks = np.where(np.reshape(seen, (-1, 1, 1)), landmarks, np.float32(np.nan))
    return Shot(truth, number, camera, Keypoints(DETECTED, xy, confidence, landmarks.astype(np.float32)))
