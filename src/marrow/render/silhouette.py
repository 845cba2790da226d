"""Masks of posed bodies, for comparison with a detector's masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.geometry.projection import to_camera
from marrow.render import mesh
from marrow.types import Camera, Float32


def silhouette(vertices_world: Float32, faces: NDArray[np.int32], camera: Camera) -> NDArray[np.bool_]:
    """(H, W) True where one mesh (V, 3) in metres covers the picture, whatever stands before it."""
    return person_masks([(vertices_world, faces)], camera)[0]


def person_masks(meshes: Sequence[tuple[Float32, NDArray[np.int32]]], camera: Camera) -> NDArray[np.bool_]:
    """(P, H, W) masks of P meshes (vertices in the world, faces): each pixel belongs to the nearest one only."""
    width, height = camera.size
    masks = np.zeros((len(meshes), height, width), bool)
    nearest = np.full((height, width), np.inf, np.float32)
    for person, (vertices_world, faces) in enumerate(meshes):
        vertices_cam = to_camera(camera, vertices_world).astype(np.float32)
        window = mesh.window_of(vertices_cam, camera)
        if window is None:
            continue
        x0, y0, x1, y1 = window
        raster = mesh.rasterize(vertices_cam, faces, camera, window=window)
        ahead = raster.depth < nearest[y0:y1, x0:x1]
        masks[:person, y0:y1, x0:x1] &= ~ahead
        masks[person, y0:y1, x0:x1] = ahead
        np.minimum(nearest[y0:y1, x0:x1], raster.depth, out=nearest[y0:y1, x0:x1])
    return masks


def mask_camera(camera: Camera, image_from_mask: ArrayLike, size: tuple[int, int]) -> Camera:
    """The camera that sees the world in the pixels of a small mask instead of the image's.

    Args:
        image_from_mask: (2, 3), ``xy_image = A @ (x_mask, y_mask, 1)``, as in :class:`marrow.types.Masks`; may turn.
        size: (width, height) of the mask.

    Raises:
        InputError: a map that is not invertible.
    """
    A = np.vstack([np.asarray(image_from_mask, float).reshape(2, 3), [0, 0, 1]])
    if not np.isfinite(A).all() or abs(np.linalg.det(A)) < 1e-12:
        raise InputError(f"mask_camera: image_from_mask {A[:2].tolist()} cannot be inverted; expected a (2, 3) map")
    return replace(camera, K=np.linalg.inv(A) @ camera.K, size=size)


def iou(a: ArrayLike, b: ArrayLike) -> float:
    """Intersection over union of two masks of one shape; NaN where both are empty."""
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if a.shape != b.shape:
        raise InputError(f"iou: masks of shapes {a.shape} and {b.shape}; draw the body through mask_camera first")
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else float("nan")
