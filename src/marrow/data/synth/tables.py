"""A set's annotations as others read them: COCO's JSON (keypoints, whole body), and a table of people like AGORA's."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from marrow.conventions import EDGES, JOINT_SETS
from marrow.data.synth.stores import read_records
from marrow.io.files import write_atomically

#: Somebody under this age is a child, years (AGORA: children of its own scans).
_CHILD = 16.0
#: Beyond these the person does not count, percent hidden.
_VALID = (0.0, 90.0)
#: Where the whole-body points begin and end in ``coco133``.
_WHOLE = {"foot": (17, 23), "face": (23, 91), "lefthand": (91, 112), "righthand": (112, 133)}


def write_coco(folder: Path) -> Path:
    """``coco.json`` of a set of pictures: boxes, masks (run lengths), 17 keypoints and COCO-WholeBody's fields.

    ``v`` is 2 seen, 1 hidden, 0 not in the picture. The face's 68 contour points, which the body does not place, are 0.
    """
    images, annotations = [], []
    for number, (name, record) in enumerate(read_records(folder)):
        width, height = record["camera"]["size"]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for person in record["people"]:
            if person["box"] is not None:
                annotations.append(_coco_person(person, number, len(annotations), (width, height)))
    names = list(JOINT_SETS["coco17"])
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": names}
    category["skeleton"] = [[a + 1, b + 1] for a, b in EDGES["coco17"]]
    about = {"description": "synthetic people by marrow", "version": "1.0"}
    path = folder / "coco.json"
    with write_atomically(path) as file:
        file.write(
            msgspec.json.encode({"info": about, "images": images, "annotations": annotations, "categories": [category]})
        )
    return path


def _coco_person(person: dict[str, Any], image: int, number: int, size: tuple[int, int]) -> dict[str, Any]:
    body = _points(person["joints"]["coco17"])
    whole = _points(person["joints"]["coco133"])
    x, y, width, height = person["box"]
    out = {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "bbox": [x, y, width, height],
        "area": person["pixels"], "segmentation": {"size": [size[1], size[0]], "counts": person["rle"]},
        "keypoints": body, "num_keypoints": sum(v > 0 for v in body[2::3]),
    }  # fmt: skip
    for name, (first, last) in _WHOLE.items():
        out[f"{name}_kpts"] = whole[3 * first : 3 * last]
        out[f"{name}_valid"] = any(v > 0 for v in whole[3 * first + 2 : 3 * last : 3])
    return out


def _points(joints: dict[str, Any]) -> list[float]:
    """``x y v`` by point; zeros where it is not in the picture."""
    out: list[float] = []
    for xy, seen in zip(joints["xy"], joints["seen"], strict=True):
        out += [*xy, seen] if seen and xy is not None else [0.0, 0.0, 0]
    return out


def write_people(folder: Path) -> Path:
    """``people.csv``: a row for each person, with AGORA's columns where they have a meaning here.

    ``X Y Z Yaw`` place the pelvis in the world (metres, degrees; Y up), ``camX camY camZ camYaw`` the camera;
    ``occlusion`` is the percentage of the person's own pixels that something else hides.
    """
    path = folder / "people.csv"
    with write_atomically(path, "w") as file:
        rows = _rows(folder)
        first = next(rows, None)
        if first is not None:
            table = csv.DictWriter(file, list(first), lineterminator="\n")
            table.writeheader()
            table.writerow(first)
            table.writerows(rows)
    return path


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for name, record in read_records(folder):
        for frame in record.get("frames", [record]):
            R = np.array(frame["camera"]["R_cam_world"])
            eye = -R.T @ frame["camera"]["t_cam_world"]
            yaw = np.degrees(np.arctan2(R[2, 0], R[2, 2]))
            for person in frame["people"]:
                hidden = 100 * (1 - person["visible_share"])
                x, y, z = person["translation"]
                yield {
                    "imgPath": name, "frame": frame["frame"], "person": person["id"],
                    "X": x, "Y": y, "Z": z, "Yaw": round(person["yaw_deg"], 2),
                    "camX": round(eye[0], 5), "camY": round(eye[1], 5), "camZ": round(eye[2], 5),
                    "camYaw": round(yaw, 2), "gender": {"f": "female", "m": "male"}[person["sex"]],
                    "kid": person["age"] < _CHILD, "age": round(person["age"], 1), "occlusion": round(hidden, 1),
                    "isValid": _VALID[0] <= hidden <= _VALID[1] and person["box"] is not None,
                    "stature": round(person["stature"], 4), "mass": round(person["mass"], 2),
                    "elevation": round(person["elevation_deg"], 2), "distance": round(person["distance"], 3),
                }  # fmt: skip
