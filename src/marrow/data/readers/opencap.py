"""OpenCap (Uhlrich et al. 2023): the folder of a session as it is downloaded; a recording is a trial.

Source: ``OpenSimData/Kinematics/<trial>.mot`` coordinates of the scaled OpenSim model (degrees as the file says,
ground: X ahead, Y up, Z right; kept as stored); ``MarkerData/**/<trial>.trc`` markers in that ground (its header
names the unit); ``Videos/Cam*/cameraIntrinsicsExtrinsics.pickle`` {intrinsicMat (3, 3), distortion (1, 5), imageSize
(2, 1) height and width, rotation (3, 3), translation (3, 1) **mm**}, from the *checkerboard's* axes to the camera.

Markers were turned and lifted from the checkerboard to the ground by amounts that are not in these files, so the
cameras' places are not in the recording's world (``View.placed`` is False). Root of the metrics: coordinates, no
point. Not verified on a real session: the pickle's shapes, the places of films.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import R_GROUND_WORLD, from_ground
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.io.mot import Table, read_mot
from marrow.io.trc import MarkerData, read_trc
from marrow.types import Camera, Float64

NAME = "opencap"
LICENCE = "OpenCap: the session belongs to whoever recorded it, on the terms that the participant agreed to"
COMMERCIAL = None
CALIBRATION = "cameraIntrinsicsExtrinsics.pickle"
_FILMS = (".mov", ".mp4", ".avi")


def _trials(path: Path) -> dict[str, dict[str, Path]]:
    """Trial to its files of coordinates and markers."""
    found: dict[str, dict[str, Path]] = {}
    for suffix, folder in (("mot", path / "OpenSimData" / "Kinematics"), ("trc", path / "MarkerData")):
        if folder.is_dir():
            for file in _files.files(folder, f"*.{suffix}"):
                found.setdefault(file.stem, {})[suffix] = file
    return dict(sorted(found.items()))


def holds(path: Path) -> bool:
    """Whether there are trials, or calibrated cameras, where OpenCap keeps them."""
    return bool(_trials(path)) or any(path.glob(f"Videos/Cam*/{CALIBRATION}"))


def read(path: Path) -> Dataset:
    """The trials of one session."""
    trials = _trials(path)
    if not trials:
        raise _files.nothing(path, "trials in OpenSimData/Kinematics/*.mot or MarkerData/*.trc")
    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(trials), lambda name: _recording(path, name, trials[name]))


def _recording(session: Path, name: str, found: dict[str, Path]) -> Recording:
    table = read_mot(found["mot"]) if "mot" in found else None
    markers = read_trc(found["trc"]) if "trc" in found else None
    time = _time(table, markers)
    remarks = ()
    if table is not None and markers is not None and not _together(table, markers):
        # the coordinates may have been cut; their times tell which markers go with them
        remarks = (
            f"the markers have {len(markers.time)} rows and the coordinates {len(table.time)}: kinematics.time counts",
        )
    points = None if markers is None else Points("", markers.names, from_ground(markers.xyz))
    person = Subject(session.name, np.ones(len(time), bool), points=points, kinematics=table)
    step = np.median(np.diff(time)) if len(time) > 1 else np.nan
    fps = markers.rate_hz if markers is not None else round(float(1 / step), 3) if step > 0 else None
    return Recording(
        NAME, name, np.arange(len(time)), fps, tuple(_views(session, name)), (person,), LICENCE, COMMERCIAL,
        (), R_world_source=R_GROUND_WORLD.T, remarks=remarks,
    )  # fmt: skip


def _time(table: Table | None, markers: MarkerData | None) -> Float64:
    if markers is not None:
        return markers.time
    assert table is not None
    return table.time


def _together(table: Table, markers: MarkerData) -> bool:
    return len(table.time) == len(markers.time) and bool(np.allclose(table.time, markers.time, atol=1e-3))


def _views(session: Path, trial: str) -> list[View]:
    views = []
    for file in sorted(session.glob(f"Videos/Cam*/{CALIBRATION}")):
        camera, size = _camera(_files.load_pickle(file), file)
        films = [film for film in sorted(file.parent.rglob(f"{trial}*")) if film.suffix.lower() in _FILMS]
        views.append(View(file.parent.name, camera, size, placed=False, video=films[0] if films else None))
    return views


def _camera(held: Any, path: Path) -> tuple[Camera, tuple[int, int]]:
    def get(key: str, count: int) -> Float64:
        value = _files.entry(held, key, path)
        if np.size(value) != count:
            raise InputError(f"{path}: '{key}': expected {count} numbers, got {np.shape(value)}")
        return _files.numbers(np.ravel(value), f"{path}: '{key}'", (count,))

    height, width = get("imageSize", 2)
    size = (int(width), int(height))
    K = _files.intrinsics(get("intrinsicMat", 9).reshape(3, 3), f"{path}: 'intrinsicMat'")
    R = _files.rotations(get("rotation", 9).reshape(3, 3), f"{path}: 'rotation'")
    return Camera(K, size, R, get("translation", 3) / 1000.0, get("distortion", 5)), size
