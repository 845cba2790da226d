"""Where the cameras of a synthetic scene stand and what they see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marrow.data.synth.presets import Preset
from marrow.geometry.projection import camera_centre, camera_from_fov, look_at, project, project_camera
from marrow.geometry.rotations import rotation_x, rotation_y, rotation_z
from marrow.types import Camera, Float64

#: No camera stands lower than this above the floor, metres.
LOWEST = 0.1
#: No camera stands nearer than this to anybody's skin, metres.
CLEAR = 0.2
#: Up in the picture, also for a camera that looks straight down.
_UP = (0.0, 1.0, 1e-3)
#: How often a camera is drawn anew until the people are seen as the preset asks.
_DRAWS = 30


def frame_people(
    rng: np.random.Generator, points: Float64, preset: Preset, size: tuple[int, int], azimuth: float | None = None
) -> Camera | None:
    """A still camera that sees people as a preset asks; None where the draws did not succeed.

    Args:
        rng: generator.
        points: (N, 3) points of everybody's skin, world, metres.
        preset: ranges.
        size: (width, height) of the picture, pixels.
        azimuth: radians, from where the camera looks (0: from +Z); by default from any side.
    """
    for _ in range(_DRAWS):
        camera = _draw(rng, points, preset, size, azimuth)
        if camera is not None:
            return camera
    return None


def _draw(
    rng: np.random.Generator, points: Float64, preset: Preset, size: tuple[int, int], azimuth: float | None
) -> Camera | None:
    turn = rng.uniform(0, 2 * np.pi) if azimuth is None else azimuth
    pitch = np.radians(rng.uniform(*preset.elevation_deg))
    away = np.array([np.cos(pitch) * np.sin(turn), np.sin(pitch), np.cos(pitch) * np.cos(turn)])
    roll = rotation_z(np.radians(rng.normal(0, 1.5)))
    if rng.random() < preset.fisheye:
        plain = fisheye_from_fov(size, rng.uniform(*preset.fisheye_fov_deg))
    else:
        plain = camera_from_fov(size, rng.uniform(*preset.fov_deg))
    centre = (points.min(0) + points.max(0)) / 2
    if rng.random() < preset.close:
        near = points[rng.integers(len(points))]
        camera = _placed(plain, near + away * rng.uniform(*preset.close_distance), near, roll)
        return camera if _clear(camera, points) else None
    camera = _at_share(plain, points, centre, away, roll, rng.uniform(*preset.height))
    if camera is None or np.linalg.norm(camera_centre(camera) - centre) < preset.nearest or not _clear(camera, points):
        return None
    camera = _aside(rng, camera, points, preset.off_centre)
    if not preset.wholly:
        return camera
    xy = project(camera, points)
    inside = np.isfinite(xy).all() and (xy > 1).all() and (xy < np.array(size) - 2).all()
    share = np.ptp(xy[:, 1]) / size[1] if inside else 0.0
    return camera if inside and preset.height[0] <= share <= preset.height[1] else None


def _clear(camera: Camera, points: Float64) -> bool:
    """Whether a camera stands in nobody."""
    return bool(np.linalg.norm(points - camera_centre(camera), axis=1).min() > CLEAR)


def _at_share(
    plain: Camera, points: Float64, centre: Float64, away: Float64, roll: Float64, share: float
) -> Camera | None:
    """The camera at the distance from which the people's higher or wider side takes that share of the picture."""
    near, far = 0.25, 60.0
    points = np.concatenate([points[::11], points[points.argmin(0)], points[points.argmax(0)]])
    # Only where the floor holds the camera up does it turn on its way.
    ahead = (points - centre) @ (roll @ look_at(away, np.zeros(3), _UP)[0]).T
    for _ in range(16):
        middle = math.sqrt(near * far)
        if centre[1] + middle * away[1] >= LOWEST:
            xy = project_camera(plain, ahead + [0.0, 0.0, middle])
        else:
            xy = project(_placed(plain, centre + middle * away, centre, roll), points)
        sides = np.ptp(xy, axis=0) / np.array(plain.size) if np.isfinite(xy).all() else np.array([9.0, 9.0])
        near, far = (middle, far) if max(sides[1], 0.95 * sides[0]) > share else (near, middle)
    return _placed(plain, centre + far * away, centre, roll) if far < 59 else None


def _aside(rng: np.random.Generator, camera: Camera, points: Float64, off_centre: float) -> Camera:
    """The camera turned so that the people are not in the middle."""
    xy = project(camera, points)
    if not np.isfinite(xy).all():
        return camera
    size = np.array(camera.size, float)
    low, high = xy.min(0), xy.max(0)
    free = np.maximum((size - (high - low)) / 2, 0.05 * size if off_centre > 1 else 0.0)
    wanted = rng.uniform(-off_centre, off_centre, 2) * free + size / 2
    # Moving the principal ray instead of the principal point keeps K that of a whole picture.
    shift = wanted - (low + high) / 2
    angles = np.arctan2(shift, [camera.K[0, 0], camera.K[1, 1]])
    turn = rotation_y(float(angles[0])) @ rotation_x(-float(angles[1]))
    return replace(camera, R_cam_world=turn @ camera.R_cam_world, t_cam_world=turn @ camera.t_cam_world)


def handheld(rng: np.random.Generator, camera: Camera, frames: int, fps: float, target: Float64) -> list[Camera]:
    """A camera that moves: walked around or towards a target (3,), or turned, with the tremor of a hand.

    Returns:
        One camera for each of ``frames``.
    """
    seconds = np.arange(frames) / fps
    eye = camera_centre(camera)
    orbit, dolly, lift = rng.normal(0, [0.12, 0.08, 0.05])  # radians, share and metres a second
    tremor = np.stack([_smooth(rng, seconds) for _ in range(6)], 1) * [0.01, 0.01, 0.01, 0.004, 0.004, 0.004]
    out = []
    for t, shake in zip(seconds, tremor, strict=True):
        offset = rotation_y(orbit * t) @ (eye - target) * np.exp(dolly * t)
        here = target + offset + [0.0, lift * t, 0.0] + shake[:3]
        here[1] = max(here[1], LOWEST)
        R, _ = look_at(here, target)
        first, _ = look_at(eye, target)
        R = rotation_x(shake[3]) @ rotation_y(shake[4]) @ rotation_z(shake[5]) @ camera.R_cam_world @ first.T @ R
        out.append(replace(camera, R_cam_world=R, t_cam_world=-R @ here))
    return out


def ring(rng: np.random.Generator, points: Float64, preset: Preset, size: tuple[int, int], count: int) -> list[Camera]:
    """``count`` still cameras around the people, of one rig."""
    first = rng.uniform(0, 2 * np.pi)
    turns = [first + 2 * np.pi * k / count + rng.normal(0, 0.15) for k in range(count)]
    found = [frame_people(rng, points, preset, size, turn) for turn in turns]
    return [camera for camera in found if camera is not None]


def fisheye_from_fov(size: tuple[int, int], fov_deg: float) -> Camera:
    """An equidistant fisheye with its field of view along the long side, degrees."""
    width, height = size
    focal = max(width, height) / 2 / np.radians(fov_deg / 2)
    K = np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
    return Camera(K, size, lens="fisheye")


def elevation_deg(camera: Camera, target: Sequence[float] | Float64) -> float:
    """How far above the horizon the camera stands, seen from a point (3,), degrees."""
    offset = camera_centre(camera) - np.asarray(target, float)
    return float(np.degrees(np.arcsin(offset[1] / np.linalg.norm(offset))))


def _placed(plain: Camera, eye: Float64, target: Float64, roll: Float64) -> Camera:
    eye = np.array(eye)
    eye[1] = max(eye[1], LOWEST)
    R, _ = look_at(eye, target, _UP)
    R = roll @ R
    return replace(plain, R_cam_world=R, t_cam_world=-R @ eye)


def _smooth(rng: np.random.Generator, seconds: Float64) -> Float64:
    """A tremor of unit size: three sines of 0.5 to 6 hertz."""
    rates, phases = rng.uniform(0.5, 6.0, 3), rng.uniform(0, 2 * np.pi, 3)
    return np.sin(2 * np.pi * rates * seconds[:, None] + phases).mean(1)
