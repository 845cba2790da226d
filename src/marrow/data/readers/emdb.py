"""EMDB (Kaufmann et al. 2023): ``P{subject}_{sequence}_data.pkl`` for each sequence, one moving camera.

Source: metres; world right-handed, believed to have **Y up**; ``camera`` {intrinsics (3, 3), extrinsics (T, 4, 4)
world to camera, width, height}; ``smpl`` {poses_root (T, 3), poses_body (T, 69), trans (T, 3), betas (10,)} in that
world; ``kp2d`` (T, 24, 2) SMPL's joints in the picture; ``good_frames_mask`` (T,); ``bboxes``. Root of the metrics:
SMPL's pelvis.

There are no 3-D points in the files; they are those of the user's own SMPL (``marrow.load_body``). Not verified on a
real file: the world's up, 30 pictures a second, the names of the pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marrow.data.readers import _files
from marrow.data.samples import Dataset, Recording, Subject, View
from marrow.errors import InputError
from marrow.io.amass import SmplMotion
from marrow.types import Camera, Float64, Keypoints

NAME = "emdb"
LICENCE = "EMDB: non-commercial scientific research only, by its own licence"
COMMERCIAL = False
FPS = 30.0


def holds(path: Path) -> bool:
    """Whether a pickle there has EMDB's keys."""
    found = _files.files(path, "*_data.pkl")
    return bool(found) and _files.mentions(found[0], b"good_frames_mask", b"poses_root")


def read(path: Path, *, up: str = "y") -> Dataset:
    """The sequences under a folder (or one file).

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
    """
    files = {file.stem.removesuffix("_data"): file for file in _files.files(path, "*_data.pkl")}
    if not files:
        raise _files.nothing(path, "EMDB's P*/*/*_data.pkl")
    A = _files.upright(up)
    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(files), lambda name: _recording(name, files[name], A))


def _recording(name: str, path: Path, A: Float64) -> Recording:
    held = _files.load_pickle(path)
    camera, smpl = (_files.entry(held, key, path) for key in ("camera", "smpl"))

    def get(part: Any, key: str, shape: tuple[int | str, ...], group: str = "") -> Float64:
        where = f"{path}: {group!r}" if group else path
        return _files.numbers(_files.entry(part, key, where), f"{path}: '{group}{'.' * bool(group)}{key}'", shape)

    cam = get(camera, "extrinsics", ("T", 4, 4), "camera")
    frames = len(cam)
    K = get(camera, "intrinsics", (3, 3), "camera")
    size = tuple(int(get(camera, key, (), "camera")) for key in ("width", "height"))
    good = get(held, "good_frames_mask", (frames,)) > 0
    _files.rotations(cam[good, :3, :3], f"{path}: 'camera.extrinsics'")
    view = View(
        "camera",
        Camera(_files.intrinsics(K, f"{path}: 'camera.intrinsics'"), (size[0], size[1])),
        (size[0], size[1]),
        cam[:, :3, :3] @ A.T,
        cam[:, :3, 3],
        images=tuple(path.parent / "images" / f"{t:05d}.jpg" for t in range(frames)),
    )
    gender = _files.gender(held.get("gender", ""))
    poses = [get(smpl, key, (frames, 3 * count), "smpl") for key, count in (("poses_root", 1), ("poses_body", 23))]
    body = SmplMotion(
        name,
        "smpl",
        gender,
        get(smpl, "betas", ("S",), "smpl"),
        np.concatenate(poses, 1).reshape(frames, 24, 3),
        get(smpl, "trans", (frames, 3), "smpl"),
        np.arange(frames) / FPS,
    )
    xy = get(held, "kp2d", (frames, 24, 2)).astype(np.float32)
    keypoints = Keypoints("smpl24", xy, np.repeat(good[:, None], 24, 1).astype(np.float32))
    extras = {key: bool(held[key]) for key in ("emdb1", "emdb2") if isinstance(held.get(key), bool | np.bool_)}
    person = Subject(
        name.split("_")[0], good, gender, None, (keypoints,), (_boxes(held, frames, path),), body, extras=extras
    )
    return Recording(NAME, name, np.arange(frames), FPS, (view,), (person,), LICENCE, COMMERCIAL, R_world_source=A)


def _boxes(held: Any, frames: int, path: Path) -> Float64 | None:
    """(T, 4) boxes; NaN in the frames that the file calls invalid."""
    if not isinstance(held.get("bboxes"), dict):
        return None
    where = f"{path}: 'bboxes'"
    boxes = _files.numbers(_files.entry(held["bboxes"], "bboxes", where), where, (frames, 4), finite=False)
    invalid = _files.numbers(held["bboxes"].get("invalid_idxs", []), f"{path}: 'bboxes.invalid_idxs'", ("N",))
    rows = invalid.astype(int)
    if len(rows) and not (rows.min() >= 0 and rows.max() < frames):
        raise InputError(f"{path}: 'bboxes.invalid_idxs' names frames beyond the {frames} of this sequence")
    boxes[rows] = np.nan
    return boxes
