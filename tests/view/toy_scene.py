"""Animated toy scenes: a person who waves and walks, one skinned by segments, one as changing vertices."""

from __future__ import annotations

import numpy as np
from toy_figure import JOINTS, facing_camera, toy_person

from marrow.geometry.rotations import exp
from marrow.view.scene import Scene, Skin, ViewPerson

FRAMES = 30
ELBOW_L, ARM = 13, (13, 14)


def skinned_person(name: str = "person 1", frames: int = FRAMES, x: float = 0.0) -> ViewPerson:
    """Two segments: everything, and the left forearm, which lifts; the whole person walks ahead."""
    vertices, faces, joints, bones = toy_person(1)
    part = len(vertices) // len(bones)
    weights = np.zeros((len(vertices), 2), np.float32)
    weights[:, 0] = 1
    forearm = slice(part * bones.index(ARM), part * (bones.index(ARM) + 1))
    weights[forearm] = (0, 1)
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[1, :3, 3] = JOINTS[ELBOW_L]
    walk = np.stack([np.full(frames, x), np.zeros(frames), np.linspace(0, 1.5, frames)], -1)
    R = np.tile(np.eye(3), (frames, 2, 1, 1))
    R[:, 1] = exp(np.linspace(0, 2.2, frames)[:, None] * [-1.0, 0, 0])
    p = np.stack([walk, walk + JOINTS[ELBOW_L]], 1)
    moved = joints + walk[:, None]
    moved[:, ARM[1]] = p[:, 1] + np.einsum("tij,j->ti", R[:, 1], JOINTS[ARM[1]] - JOINTS[ARM[0]])
    return ViewPerson(name, faces, moved, bones, (86, 180, 233), skin=Skin(vertices, weights, bind, R, p))


def toy_scene(frames: int = FRAMES) -> Scene:
    """A skinned person and one of explicit vertices who is absent for some frames, filmed from the front."""
    first = skinned_person("person 1", frames, -0.5)
    second = skinned_person("person 2", frames, 0.7)
    joints = second.joints.copy()
    joints[frames // 3 : frames // 2] = np.nan
    posed = ViewPerson("person 2", second.faces, joints, second.bones, (230, 159, 0), vertices=second.skin.posed)
    time = np.arange(frames) / 30
    camera = facing_camera(4.5, size=(640, 480), focal=600)
    return Scene([first, posed], time, camera, 0.0, lambda t: np.full((60, 80, 3), 8 * t % 256, np.uint8), "toy")
