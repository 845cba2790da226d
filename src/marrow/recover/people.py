"""Everybody in one picture, from boxes around them: each is read off a crop and placed where the camera sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body import load_body
from marrow.geometry.crops import crop_around, place_in_camera
from marrow.geometry.projection import project_camera
from marrow.io.images import cut_crop
from marrow.lift.root import solve_root
from marrow.recover.landmarks import landmark_hints
from marrow.recover.regressor import PHENOTYPES, Read, body_of
from marrow.types import Camera, Float32, Float64

#: Metres of somebody whose distance the joints do not tell: from the height of the box.
_STATURE = 1.6


@dataclass(frozen=True, eq=False)
class People:
    """P people in the camera's axes (x right, y down, z ahead), metres.

    Attributes:
        xy: (P, 17, 2) joints (``h36m17``, the pelvis first) in the picture, pixels.
        joints: (P, 17, 3).
        vertices: (P, V, 3) skin of the default body.
        build: (P, 6) :data:`marrow.recover.regressor.PHENOTYPES`.
        boxes: (P, 4) ``x0 y0 x1 y1`` that were looked at, pixels.
    """

    xy: Float64
    joints: Float64
    vertices: Float32
    build: Float64
    boxes: Float64


def read_people(
    model: torch.nn.Module, image: NDArray[np.uint8], boxes: ArrayLike, camera: Camera, size: int
) -> People:
    """Read everybody in one picture.

    Args:
        model: gives a :class:`marrow.recover.regressor.Read` of crops and places.
        image: (H, W, 3) uint8 RGB.
        boxes: (P, 4) ``x0 y0 x1 y1`` pixels.
        camera: that took it; its extrinsics are not used.
        size: of the crops the model was trained with, pixels.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    ways = [crop_around(box, size) for box in boxes]
    if not ways:
        none = np.zeros((0, 17, 3))
        skin = np.zeros((0, load_body().vertex_count, 3), np.float32)
        return People(none[..., :2], none, skin, np.zeros((0, len(PHENOTYPES))), boxes)
    crops = np.stack([cut_crop(image, way, size) for way in ways])
    places = np.stack([place_in_camera(way, size, camera) for way in ways])
    with torch.no_grad():
        hints = torch.tensor(landmark_hints(crops)) if getattr(model, "hints", 0) else None
        read: Read = model(as_images(crops), torch.tensor(places, dtype=torch.float32), hints)
    build = _within(read.build.double().numpy())
    seen = (size - 1) / 2 + read.xy.double().numpy() * size / 2
    xy, joints, vertices = [], [], []
    for k, way in enumerate(ways):
        shape: dict[str, float] = dict(zip(PHENOTYPES, build[k].tolist(), strict=True))
        skin, relative = body_of(read.R_cam_pelvis[k].double().numpy(), read.angles[k].double().numpy(), shape)
        in_picture = seen[k] @ way[:, :2].T + way[:, 2]
        root = _root(camera, in_picture, relative, boxes[k])
        joints.append(relative + root)
        vertices.append(skin + root.astype(np.float32))
        xy.append(project_camera(camera, joints[-1]))
    return People(np.stack(xy), np.stack(joints), np.stack(vertices), build, boxes)


def as_images(crops: NDArray[np.uint8]) -> torch.Tensor:
    """Crops (N, S, S, 3) uint8 as a network's input (N, 3, S, S), 0 to 1."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255


def _within(build: Float64) -> Float64:
    known = {p.name: p for p in load_body().spec.parameters}
    low, high = zip(*((known[name].low, known[name].high) for name in PHENOTYPES), strict=True)
    return np.clip(build, low, high)


def _root(camera: Camera, xy: Float64, relative: Float64, box: Float64) -> Float64:
    """(3,) the pelvis in the camera, from where its joints are seen, or roughly from the box."""
    root, _ = solve_root(camera, xy[None], np.ones((1, len(xy))), relative[None])
    if np.isfinite(root).all() and (root[0, 2] + relative[:, 2] > 0.1).all():
        return root[0]
    depth = max(camera.K[1, 1] * _STATURE / (box[3] - box[1]), 1.0 - relative[:, 2].min())
    middle = ((box[:2] + box[2:]) / 2 - camera.K[:2, 2]) / np.diag(camera.K)[:2]
    return np.array([*(middle * depth), depth])
