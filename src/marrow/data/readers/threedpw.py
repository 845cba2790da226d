"""3DPW: 3-D poses in the wild (von Marcard et al. 2018): a pickle for each sequence, one moving camera.

Source: metres; world right-handed, believed to have **Y up**; ``cam_poses`` (T, 4, 4) world to camera; ``poses`` (T,
72) and ``trans`` (T, 3) of SMPL in that world for each person, ``jointPositions`` (T, 72) its 24 joints there,
``poses2d`` (T, 3, 18) OpenPose's points x, y, confidence; Python-2 pickles. Root of the metrics: SMPL's pelvis.

Not verified on a real file: the world's up, the layout of ``jointPositions``, the shape of ``campose_valid`` ((T,) or
a row for each person), 30 pictures a second, the names of the pictures. Parameters at 60 Hz and clothed shapes are
not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.io.amass import SmplMotion
from marrow.types import Camera, Float64, Keypoints

NAME = "3dpw"
LICENCE = "3DPW: non-commercial scientific research only, by its own licence"
COMMERCIAL = False
FPS = 30.0


def holds(path: Path) -> bool:
    """Whether a pickle there has 3DPW's keys."""
    found = _files.files(path, "*.pkl")
    return bool(found) and _files.mentions(found[0], b"cam_poses", b"cam_intrinsics", b"poses2d")


def read(path: Path, *, up: str = "y") -> Dataset:
    """The sequences under a folder (or one file).

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
    """
    found = _files.by_name(path, _files.files(path, "*.pkl"))
    if not found:
        raise _files.nothing(path, "3DPW's sequenceFiles/*/*.pkl")
    A = _files.upright(up)
    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(found), lambda name: _recording(name, found[name], A))


def _recording(name: str, path: Path, A: Float64) -> Recording:
    held = _files.load_pickle(path)

    def get(key: str) -> Any:
        return _files.entry(held, key, path)

    poses = _files.listed(get("poses"), f"{path}: 'poses'")
    cam = _files.numbers(get("cam_poses"), f"{path}: 'cam_poses'", ("T", 4, 4))
    frames, people = len(cam), len(poses)
    good = _valid(held.get("campose_valid"), people, frames, path)
    known = np.asarray(good.any(0))
    _files.rotations(cam[known, :3, :3], f"{path}: 'cam_poses'")
    K = _files.numbers(get("cam_intrinsics"), f"{path}: 'cam_intrinsics'", (3, 3))
    folder = _files.beside(path, "imageFiles")
    view = View(
        "camera",
        Camera(_files.intrinsics(K, f"{path}: 'cam_intrinsics'"), (0, 0)),
        R_cam_world=cam[:, :3, :3] @ A.T,
        t_cam_world=cam[:, :3, 3],
        valid=known,
        images=tuple(folder / path.stem / f"image_{t:05d}.jpg" for t in range(frames)) if folder else (),
    )
    subjects = tuple(_person(held, path, number, frames, good[number], A) for number in range(people))
    return Recording(NAME, name, np.arange(frames), FPS, (view,), subjects, LICENCE, COMMERCIAL, R_world_source=A)


def _person(held: Any, path: Path, number: int, frames: int, good: np.ndarray, A: Float64) -> Subject:
    def of(key: str, shape: tuple[int | str, ...]) -> Float64:
        every = _files.listed(_files.entry(held, key, path), f"{path}: '{key}'")
        if number >= len(every):
            raise InputError(f"{path}: '{key}' has {len(every)} people, 'poses' more")
        return _files.numbers(every[number], f"{path}: '{key}' of person {number}", shape)

    poses = of("poses", (frames, 72)).reshape(frames, 24, 3)
    genders = held.get("genders")
    gender = _files.gender(genders[number]) if isinstance(genders, list) and number < len(genders) else ""
    seen = of("poses2d", (frames, 3, 18)).transpose(0, 2, 1)
    absent = seen[..., 2] <= 0
    keypoints = Keypoints(
        "coco18",
        np.where(absent[..., None], np.nan, seen[..., :2]).astype(np.float32),
        np.clip(seen[..., 2], 0, 1).astype(np.float32),
    )
    points = None
    if "jointPositions" in held:
        xyz = of("jointPositions", (frames, 72)).reshape(frames, 24, 3) @ A.T
        points = Points("smpl24", JOINT_SETS["smpl24"], xyz)
    body = SmplMotion(
        f"{path.stem} {number}", "smpl", gender, of("betas", ("S",)), poses, of("trans", (frames, 3)),
        np.arange(frames) / FPS,
    )  # fmt: skip
    return Subject(str(number), good, gender, points, (keypoints,), body=body)


def _valid(value: Any, people: int, frames: int, path: Path) -> np.ndarray:
    """(P, T) frames that count; all where the file does not say."""
    if value is None:
        return np.ones((people, frames), bool)
    where = f"{path}: 'campose_valid'"
    given = np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(_files.listed(value, where))
    shape = (frames,) if given.ndim == 1 else (people, frames)
    return np.broadcast_to(_files.numbers(given, where, shape) > 0, (people, frames))
