"""Triangle meshes to pixels: which triangle each pixel sees, where on it, and how far away.

Everything here is numpy, float32 images and CPU; hard visibility without derivatives. Pixel ``(x, y)`` is sampled at
its centre, which is the coordinate ``(x, y)`` itself. :func:`rasterize` runs compiled; :func:`rasterize_reference` is
the same mathematics in plain numpy, for reading and for tests.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.geometry.projection import FISHEYE_LIMIT, LENSES, check_lens
from marrow.types import Camera, Float32, Float64

#: Nothing nearer than this is drawn, metres.
NEAR = 0.01


@dataclass(frozen=True)
class Raster:
    """What each pixel of a window of the image sees.

    Attributes:
        ids: (H, W) int32 face index, -1 where there is only background.
        bary: (H, W, 2) float32 perspective-correct weights of the face's second and third vertex (the first has
            the rest); 0 in the background.
        depth: (H, W) float32 metres along the optical axis (fisheye: from the camera); infinite in the background.
        origin: (x, y) of the window's first pixel in the image.
    """

    ids: NDArray[np.int32]
    bary: Float32
    depth: Float32
    origin: tuple[int, int] = (0, 0)


def rasterize(
    vertices_cam: Float32,
    faces: NDArray[np.int32],
    camera: Camera,
    *,
    window: tuple[int, int, int, int] | None = None,
    cull: bool | NDArray[np.bool_] = False,
    near: float = NEAR,
    threads: int = 1,
) -> Raster:
    """Draw a triangle mesh: face ids, barycentrics and depth.

    The result does not depend on ``threads``; of two faces at one depth the lower id is seen. A lens distortion or a
    fisheye is applied to the vertices (edges stay straight), which is exact enough for meshes whose triangles are
    small: cut floors and walls into squares. A fisheye leaves out triangles with a vertex more than 100 degrees off
    its axis (:data:`marrow.geometry.projection.FISHEYE_LIMIT`) or nearer than ``near``, and does not clip them.

    Args:
        vertices_cam: (V, 3) metres in the camera's axes (x right, y down, z forward).
        faces: (F, 3) int32, counter-clockwise seen from outside.
        camera: its ``K``, ``size``, ``lens`` and ``distortion`` are used (the vertices are in its frame already).
        window: ``x0 y0 x1 y1`` pixels (ends excluded) to draw instead of the whole image.
        cull: leave out faces seen from behind; (F,) for some faces only.
        near: distance of the near plane, metres; triangles that cross it are clipped.
        threads: bands of rows drawn at the same time.

    Raises:
        InputError: arrays of another shape, face indices out of range, an unknown lens, or an empty picture or window.
            (Faces with a vertex that is not finite are left out.)
    """
    from marrow.render import _fast_mesh

    vertices, faces = _checked(vertices_cam, faces)
    x0, y0, x1, y1 = _checked_window(window, camera)
    xy, inverse_depth, vertices_px = _project(vertices, camera, near, x0, y0)
    far, culled = _far(vertices, camera), np.ascontiguousarray(np.broadcast_to(cull, len(faces)), np.bool_)
    height, width = y1 - y0, x1 - x0
    ids = np.empty((height, width), np.int32)
    bary = np.empty((height, width, 2), np.float32)
    depth = np.empty((height, width), np.float32)

    def draw(row0: int, row1: int) -> None:
        _fast_mesh.rasterize_rows(
            xy, inverse_depth, vertices_px, faces, near, far, culled, row0, row1, ids, bary, depth
        )

    if threads <= 1:
        draw(0, height)
    else:
        rows = np.linspace(0, height, min(threads, height) + 1).astype(int).tolist()
        with ThreadPoolExecutor(len(rows) - 1) as pool:
            list(pool.map(draw, rows[:-1], rows[1:]))
    return Raster(ids, bary, depth, (x0, y0))


def covered(
    vertices_cam: Float32, faces: NDArray[np.int32], camera: Camera, known: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """(H, W) pixels that a mesh covers: ``rasterize(...).ids >= 0`` with nothing culled, but quicker.

    Args:
        known: (H, W) pixels of which it is known already.
    """
    from marrow.render import _fast_mesh

    vertices, faces = _checked(vertices_cam, faces)
    xy, inverse_depth, vertices_px = _project(vertices, camera, NEAR, 0, 0)
    if len(vertices_px) or camera.lens == "orthographic":  # triangles that the near plane cuts
        return rasterize(vertices, faces, camera).ids >= 0
    out = np.zeros(camera.size[::-1], np.bool_) if known is None else known.copy()
    _fast_mesh.cover(xy, inverse_depth, faces, out)
    return out


def rasterize_reference(
    vertices_cam: Float32,
    faces: NDArray[np.int32],
    camera: Camera,
    *,
    window: tuple[int, int, int, int] | None = None,
    cull: bool = False,
    near: float = NEAR,
) -> Raster:
    """:func:`rasterize` in plain numpy: one triangle at a time, every pixel of the window; slow."""
    vertices, faces = _checked(vertices_cam, faces)
    x0, y0, x1, y1 = _checked_window(window, camera)
    xy, inverse_depth, vertices_px = _project(vertices, camera, near, x0, y0)
    pixels = np.stack(np.meshgrid(np.arange(x1 - x0), np.arange(y1 - y0)), axis=-1).astype(float)
    ids = np.full(pixels.shape[:2], -1, np.int32)
    bary = np.zeros(pixels.shape, np.float32)
    best = np.zeros(pixels.shape[:2], np.float32)
    far = _far(vertices, camera)
    for f, corners in enumerate(faces):
        flat = None
        if (inverse_depth[corners] > 0).all():
            weights, inside, facing = _edge_weights(xy[corners], pixels)
            if far:
                flat = weights
                inside = inside & (far - weights @ inverse_depth[corners] >= near)
            weights = weights * inverse_depth[corners]
        elif (inverse_depth[corners] > 0).any() and (inverse_depth[corners] != -2).all():
            weights, inside, facing = _homogeneous_weights(vertices_px[corners], pixels, near)
        else:
            continue
        nearness = weights.sum(-1)
        seen = inside & (nearness.astype(np.float32) > best) & (facing | (not cull))
        ids[seen] = f
        best[seen] = nearness[seen]
        bary[seen] = weights[seen][:, 1:] / nearness[seen][:, None] if flat is None else flat[seen][:, 1:]
    with np.errstate(divide="ignore"):
        depth = np.float32(1) / best if not far else np.where(best > 0, np.float32(far) - best, np.float32(np.inf))
    return Raster(ids, bary, depth, (x0, y0))


def _edge_weights(corners: Float64, pixels: Float64) -> tuple[Float64, NDArray[np.bool_], bool]:
    """Screen barycentrics (..., 3) of pixels in a triangle (3, 2), inside mask by the top-left rule, front-facing."""
    (ux, uy), (vx, vy) = corners[1] - corners[0], corners[2] - corners[0]
    twice_area = ux * vy - vx * uy
    if twice_area == 0:
        return np.zeros((*pixels.shape[:2], 3)), np.zeros(pixels.shape[:2], bool), False
    sign = np.sign(twice_area)
    start, end = np.roll(corners, -1, axis=0), np.roll(corners, -2, axis=0)
    edge = sign * (end - start)
    offset = pixels[..., None, :] - start
    values = edge[:, 0] * offset[..., 1] - edge[:, 1] * offset[..., 0]
    owns_border = (edge[:, 1] < 0) | ((edge[:, 1] == 0) & (edge[:, 0] > 0))
    inside = ((values > 0) | ((values == 0) & owns_border)).all(-1)
    return values * sign / twice_area, inside, bool(twice_area < 0)


def _homogeneous_weights(corners: Float64, pixels: Float64, near: float) -> tuple[Float64, NDArray[np.bool_], bool]:
    """Barycentrics over depth (..., 3) of pixels in a triangle of homogeneous pixels (3, 3) that crosses ``near``."""
    volume = np.linalg.det(corners)
    if volume == 0:
        return np.zeros((*pixels.shape[:2], 3)), np.zeros(pixels.shape[:2], bool), False
    rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
    weights = rays @ np.linalg.inv(corners)
    nearness = weights.sum(-1)
    inside = (weights >= 0).all(-1) & (nearness > 0) & (nearness <= 1 / near)
    return weights, inside, bool(volume < 0)


def interpolate(raster: Raster, faces: NDArray[np.int32], attribute: Float32, background: float = 0.0) -> Float32:
    """Carry a per-vertex attribute to the pixels.

    Args:
        attribute: (V,) or (V, C), converted to float32.
        background: value where no face is seen.

    Returns:
        (H, W) or (H, W, C) float32.
    """
    from marrow.render import _fast_mesh

    attribute = np.asarray(attribute, np.float32)
    columns = np.ascontiguousarray(attribute.reshape(len(attribute), -1))
    if raster.ids.max(initial=-1) >= len(faces) or np.max(faces, initial=-1) >= len(columns):
        raise InputError(
            f"interpolate: {len(faces)} faces over {len(columns)} attribute rows do not belong to this raster; "
            "pass the faces that were drawn and one attribute row per vertex"
        )
    out = np.empty((*raster.ids.shape, columns.shape[1]), np.float32)
    _fast_mesh.interpolate(raster.ids, raster.bary, _int32(faces), columns, np.float32(background), out)
    return out.reshape(raster.ids.shape + attribute.shape[1:])


def interpolate_reference(
    raster: Raster, faces: NDArray[np.int32], attribute: Float32, background: float = 0.0
) -> Float32:
    """:func:`interpolate` in plain numpy."""
    attribute = np.asarray(attribute, np.float32)
    out = np.full(raster.ids.shape + attribute.shape[1:], background, np.float32)
    seen = mask(raster)
    b = raster.bary[seen]
    weights = np.concatenate([1 - b.sum(-1, keepdims=True), b], axis=-1)
    out[seen] = np.einsum("nk,nk...->n...", weights, attribute[faces[raster.ids[seen]]])
    return out


def mask(raster: Raster) -> NDArray[np.bool_]:
    """(H, W) True where the mesh is seen."""
    return raster.ids >= 0


def vertex_normals(vertices: Float32, faces: NDArray[np.int32]) -> Float32:
    """(V, 3) float32 outward unit normals at the vertices: mean of the faces' normals, weighted by their areas.

    Vertices that belong to no face, or to flat faces only, get zeros.
    """
    from marrow.render import _fast_mesh

    vertices, faces = _checked(vertices, faces)
    out = np.empty_like(vertices)
    _fast_mesh.vertex_normals(vertices, faces, out)
    return out


def vertex_normals_reference(vertices: Float32, faces: NDArray[np.int32]) -> Float32:
    """:func:`vertex_normals` in plain numpy."""
    a, b, c = np.moveaxis(np.asarray(vertices, float)[faces], 1, 0)
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], np.cross(b - a, c - a))
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    return (total / np.where(length > 0, length, 1)).astype(np.float32)


def project_points(points_cam: ArrayLike, camera: Camera, near: float = NEAR) -> tuple[Float64, Float64]:
    """Pixels (N, 2) of camera points (N, 3) and their 1/depth (N,); NaN and -1 or -2 where a point cannot be seen."""
    points = np.ascontiguousarray(points_cam, np.float32)
    xy, inverse_depth, _ = _project(points, camera, near, 0, 0)
    if camera.lens == "orthographic":
        z = points[:, 2].astype(float)
        inverse_depth = np.where(inverse_depth <= 0, -2.0, np.where(z >= near, 1 / np.maximum(z, near), -1.0))
    xy[inverse_depth <= 0] = np.nan
    return xy, inverse_depth


def window_of(vertices_cam: Float32, camera: Camera, near: float = NEAR) -> tuple[int, int, int, int] | None:
    """``x0 y0 x1 y1`` (ends excluded) of the pixels that a mesh can touch; None where it is out of the picture."""
    vertices = np.ascontiguousarray(vertices_cam, np.float32)
    xy, inverse_depth, _ = _project(vertices, camera, near, 0, 0)
    ahead = inverse_depth > 0
    if not ahead.any():
        return None
    if camera.lens == "perspective" and (inverse_depth == -1).any():  # the clipped part can reach anywhere
        return (0, 0, *camera.size)
    x, y = (xy if ahead.all() else xy[ahead]).T
    x0, y0 = max(int(np.ceil(x.min())), 0), max(int(np.ceil(y.min())), 0)
    x1, y1 = min(int(np.floor(x.max())) + 1, camera.size[0]), min(int(np.floor(y.max())) + 1, camera.size[1])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _project(vertices: Float32, camera: Camera, near: float, x0: int, y0: int) -> tuple[Float64, Float64, Float64]:
    """Snapped window pixels (V, 2), 1/z or a negative flag (V,), homogeneous window pixels (V, 3).

    Fisheye: 1/distance. Orthographic: :func:`_far` less z, also for points behind the camera.
    """
    from marrow.render import _fast_mesh

    check_lens(camera)
    K = np.array(camera.K, float)
    xy = np.zeros((len(vertices), 2))
    inverse_depth = np.zeros(len(vertices))
    distortion, max_radius2 = lens(camera)
    kind, far = LENSES.index(camera.lens), _far(vertices, camera)
    _fast_mesh.project(
        vertices,
        K,
        kind,
        distortion,
        max_radius2,
        FISHEYE_LIMIT,
        near,
        far,
        float(x0),
        float(y0),
        xy,
        inverse_depth,
    )
    if not (inverse_depth == _fast_mesh.BEHIND).any():
        return xy, inverse_depth, np.zeros((0, 3))
    K[0] -= x0 * K[2]
    K[1] -= y0 * K[2]
    vertices_px = np.empty((len(vertices), 3))
    _fast_mesh.homogeneous(vertices, K, vertices_px)
    return xy, inverse_depth, vertices_px


def _far(vertices: Float32, camera: Camera) -> float:
    """A depth beyond all vertices for an orthographic camera, 0 for others."""
    if camera.lens != "orthographic":
        return 0.0
    z = vertices[:, 2][np.isfinite(vertices[:, 2])]
    return float(z.max(initial=0.0)) + 1.0


def lens(camera: Camera) -> tuple[Float64, float]:
    """(8,) OpenCV coefficients, and the squared tangent of the angle beyond which the lens model folds over.

    The second is infinite for a camera without distortion.
    """
    coefficients = np.zeros(8)
    coefficients[: len(camera.distortion)] = camera.distortion
    if not coefficients.any():
        return coefficients, np.inf
    k1, k2, _, _, k3, k4, k5, k6 = coefficients
    r = np.linspace(0, 5, 5001)
    seen_at = r * (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
    folds = np.flatnonzero(np.diff(seen_at) <= 0)
    return coefficients, float(r[folds[0]] ** 2) if len(folds) else 25.0


def _int32(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(faces, np.int32)


def _checked(vertices: Float32, faces: NDArray[np.int32]) -> tuple[Float32, NDArray[np.int32]]:
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = _int32(faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise InputError(
            f"mesh: expected vertices (V, 3) and faces (F, 3), got {vertices.shape} and {faces.shape}; "
            "draw one person and one frame at a time"
        )
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise InputError(
            f"mesh: faces name vertices {faces.min()} to {faces.max()}, but there are {len(vertices)}; "
            "pass the faces that belong to these vertices"
        )
    return vertices, faces


def _checked_window(window: tuple[int, int, int, int] | None, camera: Camera) -> tuple[int, int, int, int]:
    if min(camera.size) < 1:
        raise InputError(f"rasterize: a picture of {camera.size[0]}x{camera.size[1]} pixels cannot be drawn")
    x0, y0, x1, y1 = window or (0, 0, *camera.size)
    if x1 <= x0 or y1 <= y0:
        raise InputError(f"rasterize: the window x0 y0 x1 y1 = {(x0, y0, x1, y1)} is empty; give x1 > x0 and y1 > y0")
    return int(x0), int(y0), int(x1), int(y1)
