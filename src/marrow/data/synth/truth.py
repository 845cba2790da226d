"""The people of a synthetic set as a camera has them: joints in the picture, joints and skin in the camera's axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrow.body import load_body
from marrow.data.synth.stores import read_records
from marrow.errors import InputError
from marrow.geometry.projection import project_camera, to_camera
from marrow.types import Camera, Float32, Float64

#: The joint set; its first point is the pelvis.
JOINT_SET = "h36m17"
#: Somebody of whose surface less is in the picture does not count, as if wholly hidden.
LEAST_INSIDE = 0.1


@dataclass(frozen=True, eq=False)
class TruePeople:
    """G people of one picture.

    Attributes:
        name: of the picture, without folder and ending.
        file: where it lies in the set.
        camera: that took it.
        xy: (G, 17, 2) pixels; NaN behind the camera.
        joints: (G, 17, 3) metres in the camera's axes.
        vertices: (G, V, 3) the skin under the clothes, metres in the camera's axes.
        boxes: (G, 4) ``x0 y0 x1 y1`` around the whole person, as far as the picture goes.
        hidden: (G,) share of the person's own pixels that something else hides; 1 also for those who are hardly in
            the picture (:data:`LEAST_INSIDE`).
        age: (G,) years.
        off_centre: (G,) distance of the box's middle from the picture's, as a share of half the picture's diagonal.
    """

    name: str
    file: str
    camera: Camera
    xy: Float64
    joints: Float64
    vertices: Float32
    boxes: Float64
    hidden: Float64
    age: Float64
    off_centre: Float64


def read_truth(folder: str | Path, *, vertices: bool = True) -> Iterator[TruePeople]:
    """The people of each picture of a set that ``marrow synth`` made, those who are in no pixel left out.

    Args:
        folder: of the set.
        vertices: also pose their skin; otherwise V is 0.
    Raises:
        InputError: no set, one of clips, or a record that lacks something.
    """
    for file, record in read_records(folder):
        if "people" not in record:
            raise InputError(f"{folder}: {file}: expected a set of pictures, this is one of clips")
        try:
            yield _people(file, record, vertices)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: {file}: its record is damaged ({type(error).__name__}: {error})") from None


def _people(file: str, record: dict[str, Any], vertices: bool) -> TruePeople:
    told = record["camera"]
    arrays = {name: np.array(told[name], float) for name in ("K", "R_cam_world", "t_cam_world", "distortion")}
    camera = Camera(size=(int(told["size"][0]), int(told["size"][1])), lens=told["lens"], **arrays)
    people = [person for person in record["people"] if person["box_whole"] is not None]
    count = len(people)
    joints = np.zeros((count, 17, 3))
    skin = np.zeros((count, load_body().vertex_count if vertices else 0, 3), np.float32)
    boxes = np.zeros((count, 4))
    for k, person in enumerate(people):
        joints[k] = to_camera(camera, person["joints"][JOINT_SET]["xyz"])
        x, y, width, height = person["box_whole"]
        boxes[k] = x, y, x + width, y + height
        if vertices:
            skin[k] = to_camera(camera, _skin(person))
    hidden = np.array([1 - person["visible_share"] for person in people])
    inside = np.array([person["in_picture_share"] for person in people])
    size = np.array(camera.size, float)
    away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - size / 2, axis=-1) / (np.linalg.norm(size) / 2)
    return TruePeople(
        Path(file).stem, file, camera, project_camera(camera, joints), joints, skin, boxes,
        np.where(inside < LEAST_INSIDE, 1.0, hidden), np.array([person["age"] for person in people]), away,
    )  # fmt: skip


def _skin(person: dict[str, Any]) -> Float64:
    body = load_body()
    rest = body.rest(person["shape"], person["expression"])
    return np.asarray(body.pose(rest, np.array(person["q"]), outputs=("vertices",), threads=1).vertices, float)
