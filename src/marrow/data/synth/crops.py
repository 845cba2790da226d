"""Crops of synthetic people with what networks learn from them, made once and kept in the cache."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.keypoints import keypoint_positions
from marrow.body.parts import face_parts
from marrow.cache import cache_dir
from marrow.data.synth.annotations import skin_hits, skin_rasters
from marrow.data.synth.draw import Drawn, draw, set_stage, whole_mask
from marrow.data.synth.making import VERSION, told_choices
from marrow.data.synth.samples import Recipe, scene_of
from marrow.errors import InputError
from marrow.geometry.crops import crop_around, place_in_camera
from marrow.geometry.projection import project, to_camera
from marrow.io.files import write_atomically
from marrow.io.images import cut_crop
from marrow.progress import Progress, silent
from marrow.types import Float32, Float64

#: Joints of the crops.
JOINT_SET = "h36m17"
#: Pictures whose crops are kept together where their number is not known before.
_AT_A_TIME = 25
#: Nobody is looked for any longer after so many pictures without anybody.
_IN_VAIN = 100
#: Who is less tall is left out, pixels.
_LEAST = 24


@dataclass(frozen=True, eq=False)
class Crops:
    """N crops of S x S pixels, each around one person.

    Attributes:
        images: (N, S, S, 3) uint8 sRGB.
        picture: (N,) number of the scene it is from.
        place: (N, 3) where the crop lies in the camera (:func:`marrow.geometry.crops.place_in_camera`).
        R_cam_pelvis: (N, 3, 3) how the pelvis is turned in the camera.
        q: (N, D) coordinates of the default skeleton.
        shape: (N, P) in the order of the default body's ``spec.parameters``.
        xy: (N, 17, 2) joints in crop pixels.
        joints_cam: (N, 17, 3) metres in the camera's axes, from the pelvis.
        hidden: (N,) share of the person that something else hides.
        age: (N,) years.
        part: (N, S, S) uint8 part of the skin under each pixel in which the person is seen, from 1; 0 elsewhere.
        spot: (N, S, S, 3) float16 where that skin is on the default body at rest, metres; 0 elsewhere. Both are empty
            where no dense truth was asked for.
    """

    images: NDArray[np.uint8]
    picture: NDArray[np.int64]
    place: Float32
    R_cam_pelvis: Float64
    q: Float64
    shape: Float64
    xy: Float32
    joints_cam: Float32
    hidden: Float32
    age: Float32
    part: NDArray[np.uint8]
    spot: NDArray[np.float16]

    def rows(self, which: NDArray) -> Crops:
        """Some of them."""
        return Crops(*(getattr(self, f.name)[which] for f in dataclasses.fields(self)))


def crops(
    recipe: Recipe, numbers: Sequence[int], size: int, *, dense: bool = False, progress: Progress = silent
) -> Crops:
    """Crops of everybody in the pictures of some numbers who is at least a tenth visible and 24 pixels tall.

    The boxes are those of the whole person in the picture, moved and grown a little by chance, as a detector's are.
    Kept in marrow's cache by what they were made of.

    Args:
        recipe: of the pictures.
        numbers: of the scenes.
        size: S, pixels.
        dense: also ``part`` and ``spot``.
        progress: told of finished scenes.
    """
    choices = told_choices(recipe.choices)  # own motions and pictures by their content
    key = repr((VERSION, recipe.preset, recipe.seed, choices, tuple(numbers), size, dense))
    path = cache_dir() / "synth" / f"crops-{recipe.preset}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            return Crops(*(file[f.name] for f in dataclasses.fields(Crops)))
    made: list[dict[str, NDArray]] = []
    for done, number in enumerate(numbers):
        progress("drawing people", done, len(numbers))
        drawn = draw(set_stage(scene_of(recipe, number)))
        made += _of_picture(np.random.default_rng([recipe.seed, number]), drawn, size, dense)
    progress("drawing people", len(numbers), len(numbers))
    found = Crops(**{name: np.stack([row[name] for row in made]) for name in made[0]}) if made else _nobody(size, dense)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        np.savez(file, **vars(found))
    return found


def at_least(recipe: Recipe, count: int, size: int, *, progress: Progress = silent) -> Crops:
    """The first ``count`` crops of a recipe's people, from as many pictures as it takes.

    What is drawn is kept after every few pictures, so an interrupted call is gone on with.

    Raises:
        InputError: there is nobody to cut out in the first pictures, which are too small.
    """
    parts: list[Crops] = []
    together = _AT_A_TIME if count >= _AT_A_TIME else 1
    while (found := sum(len(part.images) for part in parts)) < count:
        progress("drawing people", found, count)
        first = together * len(parts)
        if not found and first >= _IN_VAIN:
            raise InputError(f"nobody in the first {first} pictures of the recipe is {_LEAST} pixels tall: {recipe}")
        parts.append(crops(recipe, range(first, first + together), size))
    progress("drawing people", count, count)
    names = [f.name for f in dataclasses.fields(Crops)]
    return Crops(*(np.concatenate([getattr(part, name) for part in parts])[:count] for name in names))


def _nobody(size: int, dense: bool) -> Crops:
    """No crops, with the shapes of some."""
    body = load_body()
    coordinates, parameters = len(body.rest().skeleton.coordinates), len(body.spec.parameters)
    none = np.zeros(0, np.float32)
    return Crops(
        np.zeros((0, size, size, 3), np.uint8), none.astype(np.int64), none.reshape(0, 3), np.zeros((0, 3, 3)),
        np.zeros((0, coordinates)), np.zeros((0, parameters)), none.reshape(0, 17, 2), none.reshape(0, 17, 3), none,
        none, np.zeros((0, size, size) if dense else (0, 0), np.uint8),
        np.zeros((0, size, size, 3) if dense else (0, 0), np.float16),
    )  # fmt: skip


def _of_picture(rng: np.random.Generator, drawn: Drawn, size: int, dense: bool) -> Iterable[dict[str, NDArray]]:
    camera, body = drawn.camera, load_body()
    under = skin_rasters(drawn) if dense else []
    height, width = drawn.image.shape[:2]
    for k, person in enumerate(drawn.stage.people):
        whole, seen = whole_mask(drawn, k), drawn.person == k
        rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
        jitter = rng.normal(0, [0.04, 0.04, 0.06])
        if len(rows) < _LEAST or seen.sum() < 0.1 * whole.sum():
            continue
        box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
        side = max(box[2] - box[0], box[3] - box[1])
        centre = (box[:2] + box[2:]) / 2 + jitter[:2] * side
        half = side / 2 * np.exp(jitter[2])
        image_from_crop = crop_around([*(centre - half), *(centre + half)], size)
        skeleton = person.actor.rest.skeleton
        joints = keypoint_positions(JOINT_SET, skeleton, person.R, person.p, person.skin)
        pelvis_cam = to_camera(camera, person.p[0])
        xy = (project(camera, joints) - image_from_crop[:, 2]) / image_from_crop[0, 0]
        shape = person.actor.rest.shape
        row = {
            "images": cut_crop(drawn.image, image_from_crop, size),
            "picture": np.array(drawn.stage.scene.index),
            "place": place_in_camera(image_from_crop, size, camera).astype(np.float32),
            "R_cam_pelvis": camera.R_cam_world @ person.R[0],
            "q": person.actor.q[drawn.stage.frame],
            "shape": np.array([shape.get(p.name, p.default) for p in body.spec.parameters]),
            "xy": np.nan_to_num(xy).astype(np.float32),
            "joints_cam": (to_camera(camera, joints) - pelvis_cam).astype(np.float32),
            "hidden": np.float32(1 - seen.sum() / whole.sum()),
            "age": np.float32(person.actor.figure.age),
            "part": np.zeros((size, size) if dense else 0, np.uint8),
            "spot": np.zeros((size, size, 3) if dense else 0, np.float16),
        }
        if dense and (raster := under[k]) is not None:
            part = np.zeros((height, width), np.uint8)
            spot = np.zeros((height, width, 3), np.float32)
            r, c, face, bary = skin_hits(drawn, k, raster)
            weights = np.concatenate([1 - bary.sum(-1, keepdims=True), bary], -1)
            part[r, c] = face_parts(body)[face]
            spot[r, c] = np.einsum("nk,nkc->nc", weights, body.rest().vertices[body.faces[face]])
            row["part"] = _nearest(part, image_from_crop, size)
            row["spot"] = _nearest(spot, image_from_crop, size).astype(np.float16)
        yield row


def _nearest(image: NDArray, image_from_crop: Float64, size: int) -> NDArray:
    """The crop of a map whose values must not be blended."""
    return cv2.warpAffine(image, image_from_crop, (size, size), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
