"""AGORA (Patel et al. 2021): tables of pandas, pickled, a row for each picture; and predictions in its form.

Source: a column holds, for each picture, a list with an item for each person: ``gt_joints_2d`` (J, 2) pixels of the
picture of 3840 x 2160, ``gt_joints_3d`` (J, 3) **metres in the camera's axes** (x right, y down, z forward;
believed), ``gender``, ``kid``, ``occlusion`` (percent), ``isValid``, ``age``, ``ethnicity``, paths of fits; ``camX``,
``camY``, ``camZ``, ``camYaw`` and each person's ``X``, ``Y``, ``Z``, ``Yaw`` are in Unreal's left-handed axes in
centimetres and degrees, and stay as they are in ``extras``. There are no intrinsics: the world *is the camera*,
turned to Y up. Root of the metrics: SMPL's pelvis.

J = 24 or 45 begins with SMPL's joints, J = 127 with SMPL-X's, of which the first 22 are SMPL's; the rest stays in
``extras["gt_joints_3d"]``. Names of columns were read from a description; nothing was verified on a real file. Fitted
parameters are in files of their own, which are not read.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError
from marrow.types import Float64, Keypoints

NAME = "agora"
LICENCE = "AGORA: non-commercial scientific research only, by its own licence"
COMMERCIAL = False
SIZE = (3840, 2160)
#: Joints of a row's points -> how many of them are SMPL's first ones.
_SMPL = {24: 24, 45: 24, 127: 22}
_OF_PERSON = ("gender", "kid", "occlusion", "isValid", "age", "ethnicity", "X", "Y", "Z", "Yaw")
_PATHS = ("gt_path_smpl", "gt_path_smplx")
_OF_PICTURE = ("camX", "camY", "camZ", "camYaw")


def holds(path: Path) -> bool:
    """Whether a pickle there is a table with AGORA's columns."""
    found = _files.files(path, "*.pkl")
    return bool(found) and _files.mentions(found[0], b"imgPath", b"camYaw")


def read(path: Path) -> Dataset:
    """The pictures of the tables under a folder (or of one file). Each table is read once for the pictures' names."""
    found = _files.files(path, "*.pkl")
    if not found:
        raise _files.nothing(path, "AGORA's tables, *.pkl")
    table = functools.lru_cache(maxsize=1)(_table)  # rows of one table are asked for one after another
    places: dict[str, tuple[Path, int]] = {}
    for file in found:
        for row, image in enumerate(table(file)["imgPath"]):
            places[str(image) if str(image) not in places else f"{file.stem}/{image}"] = (file, row)

    def one(name: str) -> Recording:
        file, row = places[name]
        return _recording(name, table(file), row, file)

    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(places), one)


def _table(path: Path) -> Mapping[str, NDArray]:
    held = _files.load_pickle(path)
    rows = len(_files.entry(held, "imgPath", path))
    if not all(isinstance(column, np.ndarray) and column.shape == (rows,) for column in held.values()):
        raise InputError(f"{path}: expected a table of pandas with {rows} rows in each column")
    return held


def _recording(name: str, table: Mapping[str, NDArray], row: int, path: Path) -> Recording:
    A = _files.UPRIGHT["-y"]
    image = str(table["imgPath"][row])
    where = f"{path}: row {row} ({image})"
    lists = {key: _items(table[key][row], f"{where}, '{key}'") for key in table if _is_list(table[key][row])}
    counts = {len(items) for items in lists.values()}
    if len(counts) > 1:
        told = ", ".join(f"{key} {len(items)}" for key, items in lists.items())
        raise InputError(f"{where}: expected as many people in each column, got {told}")
    folder = _files.beside(path, "images")
    view = View("camera", None, SIZE, images=(folder / image,) if folder else (Path(image),))
    shared = {key: table[key][row] for key in _OF_PICTURE if key in table}
    people = tuple(_person(lists, n, shared, where, A) for n in range(max(counts, default=0)))
    return Recording(NAME, name, np.zeros(1, int), None, (view,), people, LICENCE, COMMERCIAL, R_world_source=A)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray) and np.ndim(value if isinstance(value, np.ndarray) else [0]) > 0


def _items(value: Any, where: str) -> list[Any]:
    return _files.listed(value, where)


def _person(lists: Mapping[str, list[Any]], n: int, shared: Mapping[str, Any], where: str, A: Float64) -> Subject:
    extras = dict(shared) | {key: lists[key][n] for key in (*_OF_PERSON, *_PATHS) if key in lists}
    valid = np.array([bool(extras.get("isValid", True))])
    points, keypoints = None, None
    if "gt_joints_3d" in lists:
        every = _joints(lists["gt_joints_3d"][n], 3, f"{where}, 'gt_joints_3d' of person {n}")
        extras["gt_joints_3d"] = every
        points = Points("smpl24", JOINT_SETS["smpl24"], _smpl(every)[None] @ A.T)
    if "gt_joints_2d" in lists:
        every = _joints(lists["gt_joints_2d"][n], 2, f"{where}, 'gt_joints_2d' of person {n}")
        extras["gt_joints_2d"] = every
        xy = _smpl(every)[None]
        keypoints = Keypoints("smpl24", xy.astype(np.float32), np.asarray(np.isfinite(xy).all(-1), np.float32))
    gender = _files.gender(extras.get("gender", ""))
    return Subject(str(n), valid, gender, points, (keypoints,) if keypoints else (), extras=extras)


def _joints(value: Any, axes: int, where: str) -> Float64:
    points = _files.numbers(value, where, ("J", axes))
    if len(points) not in _SMPL:
        raise InputError(f"{where}: expected {', '.join(map(str, _SMPL))} joints, got {len(points)}")
    return points


def _smpl(points: Float64) -> Float64:
    """(24, k) SMPL's joints; NaN for those that are not there."""
    count = _SMPL[len(points)]
    return np.concatenate([points[:count], np.full((24 - count, points.shape[1]), np.nan)])


# Predictions


@dataclass(frozen=True, eq=False)
class Prediction:
    """One predicted person, as AGORA's evaluation takes it: ``<picture>_personId_<k>.pkl``.

    Attributes:
        image: stem of the picture.
        person: its number there.
        joints: (24, 2) pixels of the picture of 3840 x 2160.
        vertices: (10475 or 6890, 3) metres in the camera's axes, or None.
        joints_3d: (127 or 24, 3) metres in the camera's axes, or None.
        params: parameters of the body as stored, name to array; empty where vertices came.
    """

    image: str
    person: int
    joints: Float64
    vertices: Float64 | None
    joints_3d: Float64 | None
    params: Mapping[str, Float64]


def read_predictions(path: str | Path) -> list[Prediction]:
    """The predictions in a folder (or one file).

    Raises:
        InputError: none is there, a damaged file, or neither vertices nor parameters in one.
    """
    path = Path(path)
    found = _files.files(path, "*_personId_*.pkl")
    if not found:
        raise _files.nothing(path, "predictions, PICTURE_personId_0.pkl and so on")
    return [_prediction(file) for file in found]


def _prediction(path: Path) -> Prediction:
    image, _, number = path.stem.rpartition("_personId_")
    if not number.isdigit():
        raise InputError(f"{path}: expected the name PICTURE_personId_NUMBER.pkl")
    held = _files.load_pickle(path)
    joints = _files.numbers(_files.entry(held, "joints", path), f"{path}: 'joints'", (24, 2))
    if "params" in held:
        params = _files.entry(held, "params", path)
        if not isinstance(params, dict):
            raise InputError(f"{path}: 'params': expected a dictionary of arrays, got {type(params).__name__}")
        read = {}
        for key, value in params.items():
            shape = [chr(97 + axis) for axis in range(np.ndim(value))]
            read[str(key)] = _files.numbers(value, f"{path}: 'params.{key}'", shape)
        return Prediction(image, int(number), joints, None, None, read)
    vertices = _files.numbers(_files.entry(held, "verts", path), f"{path}: 'verts'", ("V", 3))
    if len(vertices) not in (6890, 10475):
        raise InputError(f"{path}: 'verts': expected 6890 (SMPL) or 10475 (SMPL-X), got {len(vertices)}")
    places = _files.numbers(_files.entry(held, "allSmplJoints3d", path), f"{path}: 'allSmplJoints3d'", ("J", 3))
    return Prediction(image, int(number), joints, vertices, places, {})
