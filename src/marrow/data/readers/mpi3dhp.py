"""MPI-INF-3DHP (Mehta et al. 2017): ``S*/Seq*/annot.mat`` with its calibration, and the test's ``TS*/annot_data.mat``.

Training source (MATLAB 5): cells of 14 cameras, ``annot2`` (T, 56) pixels and ``annot3`` (T, 84) **millimetres in the
camera's axes** (x right, y down, z forward) of 28 points; ``camera.calibration`` has for each camera 4 x 4
``intrinsic`` and ``extrinsic`` (world to camera, mm) matrices by rows. The world is believed to have **Y up**. Points
are brought into it by the first camera; how far the others disagree is told.

Test source (MATLAB 7.3, HDF5): ``annot2`` (T, 1, 17, 2), ``annot3`` (T, 1, 17, 3) mm in the camera's axes,
``valid_frame``. There is no calibration, so the world *is the camera* turned to Y up, and the view has no intrinsics.

Root of the metrics: the pelvis. ``univ_annot3``, scaled to one size of person, is not read. The number of frames per
second (25 or 50) is not in the files. Not verified on a real file: shapes, the layout of the calibration, the world's
up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.io.mat import read_mat
from marrow.types import Camera, Float64, Keypoints

NAME = "3dhp"
LICENCE = "MPI-INF-3DHP: non-commercial scientific research only, by its own licence"
COMMERCIAL = False
#: Distance between the points of two cameras in the world from which it is told, metres.
_DISAGREE = 0.02


def holds(path: Path) -> bool:
    """Whether there is a file of the training or the test part."""
    return bool(_found(path))


def _found(path: Path) -> list[Path]:
    return [*_files.files(path, "annot.mat"), *_files.files(path, "annot_data.mat")]


def read(path: Path, *, up: str = "y") -> Dataset:
    """The sequences of both parts under a folder (or one file).

    Args:
        up: axis of the training part's world that points up: "y", "z" or "-y".
    """
    A = _files.upright(up)
    files: dict[str, Path] = {}
    for file in _found(path):
        test = file.name == "annot_data.mat"
        files[file.parent.name if test else f"{file.parent.parent.name}/{file.parent.name}"] = file
    if not files:
        raise _files.nothing(path, "MPI-INF-3DHP's S*/Seq*/annot.mat or TS*/annot_data.mat")

    def one(name: str) -> Recording:
        file = files[name]
        return _test(name, file) if file.name == "annot_data.mat" else _train(name, file, A)

    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(files), one)


# Training part


def _train(name: str, path: Path, A: Float64) -> Recording:
    cameras = read_calibration(path.parent / "camera.calibration")
    held = read_mat(path, "annot2", "annot3", "cameras")
    xy, xyz = _cells(held, "annot2", 56, path), _cells(held, "annot3", 84, path)
    if len({len(part) for part in (*xy, *xyz)}) != 1 or len(xy) != len(xyz) or len(xy[0]) == 0:
        raise InputError(
            f"{path}: 'annot2' and 'annot3': expected as many frames for each camera, "
            f"got {[len(part) for part in xy]} and {[len(part) for part in xyz]}"
        )
    numbers = _numbers(held, len(xy), path)
    missing = [str(number) for number in numbers if number not in cameras]
    if missing:
        raise InputError(f"{path.parent / 'camera.calibration'}: camera {', '.join(missing)} is missing")
    frames = len(xy[0])
    views, keypoints, places = [], [], []
    for number, seen, points in zip(numbers, xy, xyz, strict=True):
        camera = cameras[number]
        in_camera = points.reshape(frames, 28, 3) / 1000.0
        places.append((in_camera - camera.t_cam_world) @ camera.R_cam_world @ A.T)
        turned = Camera(camera.K, camera.size, camera.R_cam_world @ A.T, camera.t_cam_world)
        film = path.parent / "imageSequence" / f"video_{number}.avi"
        views.append(View(str(number), turned, camera.size, video=film if film.exists() else None))
        keypoints.append(
            Keypoints("mpi3dhp28", seen.reshape(frames, 28, 2).astype(np.float32), np.ones((frames, 28), np.float32))
        )
    apart = max(float(np.median(np.linalg.norm(place - places[0], axis=-1))) for place in places)
    remarks = () if apart < _DISAGREE else (f"the cameras' 3-D points lie up to {apart:.2g} m apart in the world",)
    person = Subject(
        name.split("/")[0],
        np.ones(frames, bool),
        points=Points("mpi3dhp28", JOINT_SETS["mpi3dhp28"], places[0]),
        keypoints=tuple(keypoints),
    )
    return Recording(
        NAME, name, np.arange(frames), None, tuple(views), (person,), LICENCE, COMMERCIAL,
        R_world_source=A, remarks=remarks,
    )  # fmt: skip


def _cells(held: Any, key: str, width: int, path: Path) -> list[Float64]:
    """A cell array's parts (T, width), one a camera."""
    cells = np.asarray(_files.entry(held, key, path))
    if cells.dtype != object:
        raise InputError(f"{path}: '{key}': expected a cell for each camera, got an array {cells.shape}")
    return [
        _files.numbers(cell, f"{path}: '{key}' of camera {n}", ("T", width)) for n, cell in enumerate(cells.ravel())
    ]


def _numbers(held: Any, count: int, path: Path) -> list[int]:
    """Which cameras the cells are of: those the file names, or 0, 1, …"""
    if "cameras" not in held:
        return list(range(count))
    given = np.asarray(held["cameras"])
    if given.dtype == object:
        given = np.array([np.asarray(cell).ravel()[0] for cell in given.ravel() if np.size(cell)])
    given = given.ravel()
    return _files.numbers(given, f"{path}: 'cameras'", (count,)).astype(int).tolist()


def read_calibration(path: Path) -> dict[int, Camera]:
    """The cameras of ``camera.calibration`` by number, in the source's world, metres."""
    from marrow.io.columns import read_lines

    cameras: dict[int, Camera] = {}
    block: dict[str, list[str]] = {}
    for line in [*read_lines(path), "name"]:
        key, *cells = line.split() or [""]
        if key == "name":
            if "name" in block:
                number, camera = _camera(block, path)
                cameras[number] = camera
            block = {}
        block[key] = cells
    if not cameras:
        raise InputError(f"{path}: expected blocks of 'name', 'size', 'intrinsic' and 'extrinsic'; there is none")
    return cameras


def _camera(block: dict[str, list[str]], path: Path) -> tuple[int, Camera]:
    name = " ".join(block["name"])

    def get(key: str, count: int) -> Float64:
        where = f"{path}: '{key}' of camera {name}"
        try:
            values = [float(cell) for cell in _files.entry(block, key, f"{path}: camera {name}")]
        except ValueError as error:
            raise InputError(f"{where}: expected {count} numbers ({error})") from error
        return _files.numbers(values, where, (count,))

    if not name.isdigit():
        raise InputError(f"{path}: 'name': expected the number of a camera, got {name!r}")
    width, height = get("size", 2)
    K, E = get("intrinsic", 16).reshape(4, 4), get("extrinsic", 16).reshape(4, 4)
    R = _files.rotations(E[:3, :3], f"{path}: 'extrinsic' of camera {name}")
    where = f"{path}: 'intrinsic' of camera {name}"
    return int(name), Camera(_files.intrinsics(K[:3, :3], where), (int(width), int(height)), R, E[:3, 3] / 1000.0)


# Test part


def _test(name: str, path: Path) -> Recording:
    held = _files.load_hdf5(path)
    A = _files.UPRIGHT["-y"]  # a camera's y points down
    xyz = _points(held, "annot3", 3, path) / 1000.0
    frames = len(xyz)
    xy = _points(held, "annot2", 2, path)
    if len(xy) != frames:
        raise InputError(f"{path}: 'annot2' has {len(xy)} frames, 'annot3' {frames}")
    valid = np.asarray(_files.entry(held, "valid_frame", path)).ravel()
    valid = _files.numbers(valid, f"{path}: 'valid_frame'", (frames,)) > 0
    pictures = tuple(path.parent / "imageSequence" / f"img_{t + 1:06d}.jpg" for t in range(frames))
    keypoints = Keypoints("mpi3dhp17", xy.astype(np.float32), np.ones((frames, 17), np.float32))
    points = Points("mpi3dhp17", JOINT_SETS["mpi3dhp17"], xyz @ A.T)
    person = Subject(name, valid, points=points, keypoints=(keypoints,))
    if "activity_annotation" in held:
        person = replace(person, extras={"activity_annotation": held["activity_annotation"].ravel()})
    view = View("camera", images=pictures)
    return Recording(NAME, name, np.arange(frames), None, (view,), (person,), LICENCE, COMMERCIAL, R_world_source=A)


def _points(held: Any, key: str, axes: int, path: Path) -> Float64:
    value = _files.entry(held, key, path)
    return _files.numbers(value, f"{path}: '{key}'", ("T", 1, 17, axes))[:, 0]
