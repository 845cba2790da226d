"""A moving person with exact keypoints, for the tests of the fit."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from marrow.body import load_body
from marrow.body.keypoints import keypoint_sources
from marrow.fit import Guess
from marrow.fit.model import relaxed_pose
from marrow.fit.riders import make_riders
from marrow.geometry import rotations
from marrow.geometry.projection import camera_from_fov, look_at, project, to_camera
from marrow.skeleton import BASE, Skeleton
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Camera

SHAPE = {"height": 0.42, "log_scale_thigh": 0.04, "log_scale_forearm": -0.03}
JOINT_SET = "blazepose33"


@dataclass(frozen=True)
class Person:
    """Truth: times, coordinates (T, D), points (T, 33, 3) of the joint set and the skeleton."""

    time: np.ndarray
    q: np.ndarray
    points: np.ndarray
    skeleton: Skeleton
    height_m: float


@functools.cache
def _body():
    skeleton = Skeleton.inside(load_body().rest(SHAPE).landmarks)
    riders = make_riders(load_body(), list(keypoint_sources(JOINT_SET)), (), SHAPE)
    template = riders.templates(np.zeros((1, 0)))
    return skeleton, riders.entries, template.local[0], float(template.stature[0])


def stepping(frames: int, fps: float = 30.0) -> Person:
    """Stepping on the spot while turning slowly; arms swing, trunk twists, feet touch the floor in turn."""
    skeleton, entries, local, stature = _body()
    t = np.arange(frames) / fps
    q, at, w = np.tile(relaxed_pose(skeleton.tree), (frames, 1)), skeleton.index, 2 * np.pi * 0.8
    for side, phase in (("r", 0.0), ("l", np.pi)):
        lift = np.maximum(np.sin(w * t + phase), 0.0) ** 2
        q[:, at(f"hip_flexion_{side}")] = 0.1 + 0.9 * lift
        q[:, at(f"knee_angle_{side}")] = 0.2 + 1.4 * lift
        q[:, at(f"ankle_angle_{side}")] = 0.1 + 0.1 * lift
        q[:, at(f"gh_flex_{side}")] = 0.1 - 0.5 * np.sin(w * t + phase)
        q[:, at(f"gh_add_{side}")] = -0.15
        q[:, at(f"elbow_flex_{side}")] = 0.6 + 0.3 * np.sin(w * t + phase)
        q[:, at(f"pro_sup_{side}")] = 1.2
        q[:, at(f"hip_adduction_{side}")] = -0.08
    twisted = rotations.rotation_z(np.full(frames, -0.08)) @ rotations.rotation_y(0.12 * np.sin(w * t))
    bent = trunk_coordinates(skeleton.tree, twisted)
    for name, value in bent.items():
        q[:, at(name)] = value
    q[:, at("pelvis_rotation")] = 0.5 * t
    q[:, at("pelvis_ty")] = 0.94
    R, p = skeleton.forward(q)
    feet = skeleton.points(R, p, ("heel_r", "toe_tip_r", "heel_l", "toe_tip_l"))
    q[:, at("pelvis_ty")] -= feet[..., 1].min(1) - 0.02
    R, p = skeleton.forward(q)
    points, e = np.zeros((frames, len(entries), 3)), 0
    for k, point in enumerate(entries):
        for body, weight in point:
            points[:, k] += R[:, body] @ local[e] + weight * p[:, body]
            e += 1
    return Person(t, q, points, skeleton, stature)


def camera_at(x: float, y: float, z: float) -> Camera:
    """A camera that looks at the person's middle."""
    R, t = look_at(np.array([x, y, z]), np.array([0.0, 0.9, 0.0]))
    return replace(camera_from_fov((1280, 720), 60.0), R_cam_world=R, t_cam_world=t)


def provisional(camera: Camera) -> Camera:
    """The same camera standing level at the origin of a world of its own."""
    return replace(camera, R_cam_world=np.diag([1.0, -1.0, -1.0]), t_cam_world=np.zeros(3))


def pixels(person: Person, camera: Camera) -> np.ndarray:
    """(T, 33, 2) exact keypoints."""
    return project(camera, person.points)


def directions(person: Person, camera: Camera) -> np.ndarray:
    """(T, 33, 3) exact landmarks in the camera's axes, between the hips."""
    x = to_camera(camera, person.points)
    return x - x[:, 23:25].mean(1, keepdims=True)


def near(person: Person, rng: np.random.Generator, angle: float = 0.1, turn: np.ndarray | None = None) -> Guess:
    """The truth disturbed by ``angle`` radians in every joint and some centimetres; in the world turned by ``turn``."""
    q = person.q.copy()
    R = person.skeleton.joint_rotations(q)
    root = person.skeleton.forward(q)[1][:, 0]
    shake = rotations.exp(rng.normal(0, angle, (1, R.shape[1], 3)))
    hinged = np.array([j.kind == 2 for j in person.skeleton.joints])
    R = np.where(hinged[None, :, None, None], R, R @ shake)
    root = root + rng.normal(0, 0.05, 3)
    if turn is not None:
        R[:, 0] = turn @ R[:, 0]
        root = root @ turn.T
    return Guess(R, root, np.zeros(len(q)), SHAPE)


__all__ = [
    "BASE",
    "JOINT_SET",
    "SHAPE",
    "Person",
    "camera_at",
    "directions",
    "near",
    "pixels",
    "provisional",
    "stepping",
]
