"""COCO keypoints (Lin et al. 2014), COCO-WholeBody (Jin et al. 2020): a JSON of annotations; a recording is a picture.

Source: pixels, x right, y down; ``annotations[]`` {image_id, keypoints: 17 x (x, y, v), bbox (x, y, width, height),
area, iscrowd}; v = 0 means not labelled, 1 labelled and hidden, 2 visible. Whole body: ``foot_kpts`` (6),
``face_kpts`` (68), ``lefthand_kpts`` and ``righthand_kpts`` (21), each x, y, and a confidence or v. No cameras and no
3-D points. Checked on real COCO files; the whole-body fields were not.

Confidence is 1 where a body point is labelled, whether it is seen or not: ``extras["visibility"]`` (J,) keeps v,
which the metric OKS needs, with ``area``, ``iscrowd`` and ``id``.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from marrow.conventions import JOINT_SETS
from marrow.data.readers import _files
from marrow.data.samples import Dataset, Recording, Subject, View
from marrow.errors import InputError
from marrow.types import Float64, Keypoints

NAME = "coco"
LICENCE = "COCO: annotations CC BY 4.0; each picture has its own licence on Flickr"
COMMERCIAL = None
WHOLE_LICENCE = (
    "COCO-WholeBody: annotations for non-commercial research only; each picture has its own licence on Flickr"
)
#: Fields of the whole body after the 17 points, with how many points each has, in the order of "coco133".
PARTS = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
_HEAD = 4096


def _candidates(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".json" else []
    return sorted(path.glob("*keypoints*.json")) + sorted(path.glob("*wholebody*.json")) + sorted(
        path.glob("annotations/*keypoints*.json")
    ) + sorted(path.glob("annotations/*wholebody*.json"))  # fmt: skip


def holds(path: Path) -> bool:
    """Whether a JSON there has COCO's three lists."""
    return any(
        _files.mentions(file, b'"images"', b'"annotations"', b'"image_id"', b'"keypoints"')
        for file in _candidates(path)[:1]
    )


def read(path: Path) -> Dataset:
    """The pictures with people of one file of annotations; in a folder with several, name the file."""
    found = list(dict.fromkeys(_candidates(path)))
    if not found:
        raise _files.nothing(path, "COCO's person_keypoints_*.json")
    if len(found) > 1:
        raise InputError(f"{path}: there are several files: {', '.join(file.name for file in found)}; name one of them")
    file = found[0]
    held = _files.load_json(file)
    images = _files.listed(_files.entry(held, "images", file), f"{file}: 'images'")
    annotations = _files.listed(_files.entry(held, "annotations", file), f"{file}: 'annotations'")
    by_image: dict[Any, list[Any]] = defaultdict(list)
    for annotation in annotations:
        if "keypoints" in annotation or not isinstance(annotation, dict):
            by_image[_files.entry(annotation, "image_id", f"{file}: 'annotations'")].append(annotation)
    pictures = {_files.entry(image, "id", f"{file}: 'images'"): image for image in images}
    lost = [str(image) for image in by_image if image not in pictures]
    if lost:
        raise InputError(f"{file}: 'image_id' {lost[0]} of an annotation is not among 'images'")
    whole = any(part in annotation for each in by_image.values() for annotation in each for part in PARTS)
    licence, commercial = (WHOLE_LICENCE, False) if whole else (LICENCE, COMMERCIAL)
    names = {str(image): image for image in by_image}

    def one(name: str) -> Recording:
        image = names[name]
        view = _view(pictures[image], file)
        people = tuple(_person(annotation, file, whole) for annotation in by_image[image])
        root = ("left_hip", "right_hip")
        return Recording(NAME, name, np.zeros(1, int), None, (view,), people, licence, commercial, root)

    return Dataset(NAME, path, licence, commercial, tuple(names), one)


def _view(image: Any, file: Path) -> View:
    where = f"{file}: picture {image['id']}"
    width, height = (
        int(_files.numbers(_files.entry(image, k, where), f"{where}, '{k}'", ())) for k in ("width", "height")
    )
    name = str(_files.entry(image, "file_name", where))
    split = file.stem.rsplit("_", 1)[-1]
    folder = _files.beside(file, split, 3) or _files.beside(file, "images", 3) or file.parent
    return View("camera", None, (width, height), images=(folder / name,))


def _person(annotation: Any, file: Path, whole: bool) -> Subject:
    number = str(annotation.get("id", ""))
    where = f"{file}: annotation {number}"
    triples = [_triples(annotation["keypoints"], 17, f"{where}, 'keypoints'")]
    joint_set = "coco17"
    if whole:
        joint_set = "coco133"
        triples += [
            _triples(annotation[part], count, f"{where}, '{part}'") if part in annotation else np.zeros((count, 3))
            for part, count in PARTS.items()
        ]
    xyv = np.concatenate(triples)
    assert len(xyv) == len(JOINT_SETS[joint_set])
    there = xyv[:, 2] > 0
    # body points have 0, 1 or 2; detectors wrote confidences for the rest
    confidence = np.where(there, np.minimum(xyv[:, 2], 1), 0)
    keypoints = Keypoints(
        joint_set,
        np.where(there[:, None], xyv[:, :2], np.nan)[None].astype(np.float32),
        confidence[None].astype(np.float32),
    )
    box = None
    if "bbox" in annotation:
        x, y, w, h = _files.numbers(annotation["bbox"], f"{where}, 'bbox'", (4,))
        box = np.array([[x, y, x + w, y + h]])
    extras = {key: annotation[key] for key in ("id", "area", "iscrowd", "num_keypoints") if key in annotation}
    extras["visibility"] = xyv[:, 2]
    valid = np.array([bool(there.any()) and not annotation.get("iscrowd", 0)])
    return Subject(number, valid, keypoints=(keypoints,), boxes=(box,), extras=extras)


def _triples(value: Any, count: int, where: str) -> Float64:
    return _files.numbers(value, where, (3 * count,)).reshape(count, 3)
