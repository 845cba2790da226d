"""Shelf and Campus (Belagiannis et al. 2014): ``actorsGT.mat`` and a calibration as JSON.

Source: ``actor3D`` (1, n) cells of actors, each a cell for every frame: (14, 3) **metres** in the world (believed
right-handed with **Z up**), or empty where nobody is. ``calibration_*.json`` {camera: {fx, fy, cx, cy, k (3), p (2),
R (3, 3), T (3, 1)}} with ``x_cam = R (x_world - T)``: T is the camera's centre, believed to be in **millimetres**.
Points are those of Leeds Sports Pose ("lsp14"). Root of the metrics: the middle of the hips.

The layout of ``actor3D`` was checked on real files; axes, units and the calibration were not. Frames per second and
sizes of pictures are not in the files. No licence came with the sets: whether commercial use is allowed is not
settled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.io.mat import read_mat
from marrow.types import Camera, Float64

NAME = "shelf"
LICENCE = "Shelf and Campus: no licence is known; ask the authors"
COMMERCIAL = None


def holds(path: Path) -> bool:
    """Whether there is a file of actors."""
    return bool(_files.files(path, "actorsGT.mat"))


def read(path: Path, *, up: str = "z", metres_per_unit: float = 0.001) -> Dataset:
    """The set in a folder, or both sets in the folders of one.

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
        metres_per_unit: of the cameras' centres in the calibration.
    """
    found = {file.parent.name: file for file in _files.files(path, "actorsGT.mat")}
    if not found:
        raise _files.nothing(path, "actorsGT.mat of Shelf or Campus")
    A = _files.upright(up)

    def one(name: str) -> Recording:
        return _recording(name, found[name], A, metres_per_unit)

    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(found), one)


def _recording(name: str, path: Path, A: Float64, unit: float) -> Recording:
    actors = _actors(_files.entry(read_mat(path, "actor3D"), "actor3D", path), path)
    if not actors or len({len(actor) for actor in actors}) != 1 or len(actors[0]) == 0:
        raise InputError(
            f"{path}: 'actor3D': expected as many frames for each actor, got {[len(actor) for actor in actors]}"
        )
    people = []
    for number, actor in enumerate(actors):
        xyz = np.full((len(actor), 14, 3), np.nan)
        for row, points in enumerate(actor):
            if points is not None:
                xyz[row] = points @ A.T
        valid = np.array([points is not None for points in actor])
        people.append(Subject(str(number), valid, points=Points("lsp14", JOINT_SETS["lsp14"], xyz)))
    frames = np.arange(len(actors[0]))
    return Recording(
        NAME, name, frames, None, tuple(_views(path.parent, A, unit)), tuple(people), LICENCE, COMMERCIAL,
        ("left_hip", "right_hip"), R_world_source=A,
    )  # fmt: skip


def _actors(value: Any, path: Path) -> list[list[Float64 | None]]:
    """Points (14, 3) or None for each frame of each actor; cells may stand in cells of one."""
    cells = _opened(value)
    if not isinstance(cells, np.ndarray) or cells.dtype != object:
        raise InputError(f"{path}: 'actor3D': expected a cell for each actor, got {_told(cells)}")
    actors = []
    for number, actor in enumerate(cells.ravel()):
        frames = _opened(actor)
        if not isinstance(frames, np.ndarray) or frames.dtype != object:
            raise InputError(
                f"{path}: 'actor3D' of actor {number}: expected a cell for each frame, got {_told(frames)}"
            )
        actors.append([_frame(cell, f"{path}: 'actor3D' of actor {number}, frame {t}") for t, cell in
                       enumerate(frames.ravel())])  # fmt: skip
    return actors


def _opened(value: Any) -> Any:
    """What stands in a cell of one that holds a cell."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        inner = value.ravel()[0]
        if not (isinstance(inner, np.ndarray) and inner.dtype == object):
            break
        value = inner
    return value


def _told(value: Any) -> str:
    return f"an array {value.shape} of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def _frame(cell: Any, where: str) -> Float64 | None:
    while isinstance(cell, np.ndarray) and cell.dtype == object and cell.size == 1:
        cell = cell.ravel()[0]
    return None if np.size(cell) <= 1 else _files.numbers(cell, where, (14, 3))


def _views(folder: Path, A: Float64, unit: float) -> list[View]:
    found = sorted(folder.glob("calibration*.json"))
    if not found:
        raise InputError(f"{folder}: expected calibration_shelf.json or calibration_campus.json; none is there")
    held = _files.load_json(found[0])
    if not isinstance(held, dict) or not held:
        raise InputError(f"{found[0]}: expected cameras by name, got {type(held).__name__}")
    return [View(str(name), _camera(camera, f"{found[0]}: camera {name}", A, unit)) for name, camera in held.items()]


def _camera(held: Any, where: str, A: Float64, unit: float) -> Camera:
    def get(key: str, count: int) -> Float64:
        value = np.asarray(_files.entry(held, key, where), dtype=object).ravel()
        return _files.numbers(value.tolist(), f"{where}, '{key}'", (count,))

    fx, fy, cx, cy = (get(key, 1)[0] for key in ("fx", "fy", "cx", "cy"))
    K = _files.intrinsics(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), f"{where}, 'fx', 'fy'")
    R = _files.rotations(get("R", 9).reshape(3, 3), f"{where}, 'R'")
    k, p = get("k", 3), get("p", 2)
    return Camera(K, (0, 0), R @ A.T, -R @ get("T", 3) * unit, np.array([k[0], k[1], p[0], p[1], k[2]]))
