"""CMU Panoptic (Joo et al. 2015): ``calibration_*.json`` and ``hdPose3d_stage1_coco19/body3DScene_*.json``.

Source: **centimetres**, right-handed, **Y down** (believed; the format itself was checked on real files); cameras
{name, type, resolution, K, distCoef (5), R, t (3, 1)}, world to camera; bodies {id, joints19: 19 x (x, y, z, score)},
where a score of -1 means absent. The views are the HD cameras. 29.97 frames a second. Root of the metrics: the middle
of the hips (``mid_hip``).

A person is an id; frames in which it is not there are NaN and not valid. There are no 2-D points in the set.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.types import Camera, Float64

NAME = "panoptic"
LICENCE = "CMU Panoptic: non-commercial research only, by its own licence"
COMMERCIAL = False
FPS = 29.97
POSES = "hdPose3d_stage1_coco19"


def _sequences(path: Path) -> list[Path]:
    """Folders that hold folders of 3-D poses: this one, or those in it."""
    if (path / POSES).is_dir():
        return [path]
    return sorted(folder.parent for folder in path.glob(f"*/{POSES}") if folder.is_dir()) if path.is_dir() else []


def holds(path: Path) -> bool:
    """Whether there is a folder of 3-D poses."""
    return bool(_sequences(path))


def read(path: Path, *, up: str = "-y", kind: str = "hd") -> Dataset:
    """The sequences: the folder of one, or those in a folder.

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
        kind: type of the cameras to take: "hd", "vga" or "kinect-color".
    """
    found = {folder.name: folder for folder in _sequences(path)}
    if not found:
        raise _files.nothing(path, f"Panoptic's SEQUENCE/{POSES}/")
    A = _files.upright(up)
    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(found), lambda name: _recording(found[name], A, kind))


def _recording(folder: Path, A: Float64, kind: str) -> Recording:
    scenes = sorted((folder / POSES).glob("body3DScene_*.json"))
    frames = [(int(number[1]), file) for file in scenes if (number := re.search(r"_(\d+)$", file.stem))]
    if not frames:
        raise InputError(f"{folder / POSES}: expected body3DScene_00000000.json and so on; none is there")
    bodies: dict[int, dict[int, Float64]] = {}
    for row, (_, file) in enumerate(frames):
        for body in _files.listed(_files.entry(_files.load_json(file), "bodies", file), f"{file}: 'bodies'"):
            who = _files.entry(body, "id", f"{file}: 'bodies'")
            if not isinstance(who, int):
                raise InputError(f"{file}: 'id': expected a number, got {type(who).__name__}")
            where = f"{file}: 'joints19' of body {who}"
            points = _files.numbers(_files.entry(body, "joints19", f"{file}: body {who}"), where, (76,))
            bodies.setdefault(who, {})[row] = points.reshape(19, 4)
    numbers = np.array([number for number, _ in frames])
    views = tuple(_views(folder, numbers, A, kind))
    people = tuple(_person(who, bodies[who], len(frames), A) for who in sorted(bodies))
    return Recording(
        NAME, folder.name, numbers, FPS, views, people, LICENCE, COMMERCIAL, ("mid_hip",), R_world_source=A
    )


def _person(who: int, rows: dict[int, Float64], frames: int, A: Float64) -> Subject:
    xyz, score = np.full((frames, 19, 3), np.nan), np.zeros((frames, 19))
    for row, points in rows.items():
        there = points[:, 3] >= 0
        xyz[row] = np.where(there[:, None], points[:, :3] / 100.0 @ A.T, np.nan)
        score[row] = np.where(there, np.clip(points[:, 3], 0, 1), 0)
    valid = np.isin(np.arange(frames), list(rows))
    return Subject(str(who), valid, points=Points("panoptic19", JOINT_SETS["panoptic19"], xyz, score))


def _views(folder: Path, frames: np.ndarray, A: Float64, kind: str) -> list[View]:
    found = sorted(folder.glob("calibration_*.json"))
    if not found:
        raise InputError(f"{folder}: expected calibration_{folder.name}.json; none is there")
    held = _files.entry(_files.load_json(found[0]), "cameras", found[0])
    views = []
    for camera in _files.listed(held, f"{found[0]}: 'cameras'"):
        if _files.entry(camera, "type", f"{found[0]}: 'cameras'") != kind:
            continue
        name = str(_files.entry(camera, "name", f"{found[0]}: 'cameras'"))
        read, size = _camera(camera, name, found[0], A)
        pictures = folder / "hdImgs" / name
        images = [pictures / f"{name}_{number:08d}.jpg" for number in frames] if pictures.is_dir() else []
        views.append(View(name, read, size, images=tuple(images)))
    if not views:
        raise InputError(f"{found[0]}: 'cameras': none is of the type {kind!r}")
    return views


def _camera(held: Any, name: str, path: Path, A: Float64) -> tuple[Camera, tuple[int, int]]:
    def get(key: str, shape: tuple[int | str, ...]) -> Float64:
        where = f"{path}: '{key}' of camera {name}"
        return _files.numbers(_files.entry(held, key, f"{path}: camera {name}"), where, shape)

    width, height = get("resolution", (2,))
    size = (int(width), int(height))
    K = _files.intrinsics(get("K", (3, 3)), f"{path}: 'K' of camera {name}")
    R = _files.rotations(get("R", (3, 3)), f"{path}: 'R' of camera {name}")
    return Camera(K, size, R @ A.T, get("t", (3, 1))[:, 0] / 100.0, get("distCoef", (5,))), size
