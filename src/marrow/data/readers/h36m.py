"""Human3.6M (Ionescu et al. 2014) in the two files of VideoPose3D: ``data_3d_h36m.npz`` and ``data_2d_h36m_*.npz``.

Source: metres, right-handed, **Z up**; ``positions_3d`` {subject: {action: (T, 32, 3) or (T, 17, 3)}} in the world;
``positions_2d`` {subject: {action: [4 cameras of (T, 17, 2) pixels]}}. Of the 32 points those 17 that lifters use. 50
frames a second. Root of the metrics: the pelvis, joint 0.

The files have no cameras: those who have Human3.6M's own calibration pass it as ``cameras``. Detections may have more
frames than the 3-D points; the surplus at the end is left out. Not verified on a real file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.types import Camera, Float64, Keypoints

NAME = "h36m"
LICENCE = "Human3.6M: academic use only, by its own licence agreement"
COMMERCIAL = False
FPS = 50.0
POINTS = "data_3d_h36m.npz"
#: The 17 of the 32 points, in the order of the joint set "h36m17".
USED = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


def holds(path: Path) -> bool:
    """Whether VideoPose3D's file of 3-D points is there."""
    return bool(_files.files(path, POINTS))


def read(
    path: Path,
    *,
    up: str = "z",
    detections: str | None = None,
    cameras: Mapping[str, Sequence[Camera]] | None = None,
) -> Dataset:
    """The actions of all subjects.

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
        detections: which ``data_2d_h36m_<detections>.npz``; by default ``gt`` if it is there, else the first.
        cameras: subject to its four cameras, in the order of the files and *in the source's world* (metres).
    """
    found = _files.files(path, POINTS)
    if not found:
        raise _files.nothing(path, f"VideoPose3D's {POINTS}")
    A, where = _files.upright(up), f"{found[0]}: 'positions_3d'"
    points = _tree(found[0], "positions_3d")
    seen = _detections(found[0].parent, detections)
    names = {f"{subject}/{action}": (subject, action) for subject in points for action in points[subject]}

    def one(name: str) -> Recording:
        subject, action = names[name]
        xyz = _points(points[subject][action], f"{where} of {name}")
        views, keypoints = _views(seen, subject, action, len(xyz), (cameras or {}).get(subject), A)
        person = Subject(
            subject,
            np.ones(len(xyz), bool),
            points=Points("h36m17", JOINT_SETS["h36m17"], xyz @ A.T),
            keypoints=keypoints,
        )
        return Recording(NAME, name, np.arange(len(xyz)), FPS, views, (person,), LICENCE, COMMERCIAL, R_world_source=A)

    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(names), one)


def _tree(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """Subject to action to what it has."""
    value = _files.entry(_files.load_npz(path), key, path)
    held = value.item() if isinstance(value, np.ndarray) and value.shape == () else value
    if not isinstance(held, dict) or not all(isinstance(actions, dict) for actions in held.values()):
        raise InputError(f"{path}: '{key}': expected {{subject: {{action: array}}}}, got {type(held).__name__}")
    return held


def _points(value: Any, where: str) -> Float64:
    joints = np.shape(value)[1] if np.ndim(value) == 3 else 32
    xyz = _files.numbers(value, where, ("T", 17 if joints == 17 else 32, 3))
    return xyz if joints == 17 else xyz[:, USED]


def _detections(folder: Path, name: str | None) -> tuple[Path, dict[str, dict[str, Any]]] | None:
    found = {file.stem.removeprefix("data_2d_h36m_"): file for file in sorted(folder.glob("data_2d_h36m_*.npz"))}
    if name is not None and name not in found:
        raise InputError(f"{folder}: there are no detections {name!r}; there is {', '.join(found) or 'nothing'}")
    chosen = name or ("gt" if "gt" in found else next(iter(found), None))
    return None if chosen is None else (found[chosen], _tree(found[chosen], "positions_2d"))


def _views(
    seen: tuple[Path, dict[str, dict[str, Any]]] | None,
    subject: str,
    action: str,
    frames: int,
    cameras: Sequence[Camera] | None,
    A: Float64,
) -> tuple[tuple[View, ...], tuple[Keypoints, ...]]:
    if seen is None or action not in seen[1].get(subject, {}):
        return (), ()
    where = f"{seen[0]}: 'positions_2d' of {subject}/{action}"
    every = _files.listed(seen[1][subject][action], where)
    if cameras is not None and len(cameras) != len(every):
        raise InputError(f"cameras of {subject}: expected {len(every)}, one for each of the file's, got {len(cameras)}")
    views, keypoints = [], []
    for number, value in enumerate(every):
        xy = _files.numbers(value, f"{where}, camera {number}", ("T", 17, 2))
        if len(xy) < frames:
            raise InputError(f"{where}, camera {number}: {len(xy)} frames, but the 3-D points have {frames}")
        keypoints.append(Keypoints("h36m17", xy[:frames].astype(np.float32), np.ones((frames, 17), np.float32)))
        camera = None if cameras is None else replace(cameras[number], R_cam_world=cameras[number].R_cam_world @ A.T)
        views.append(View(str(number), camera, None if camera is None else camera.size))
    return tuple(views), tuple(keypoints)
