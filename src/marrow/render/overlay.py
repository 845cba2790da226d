"""People drawn onto a video frame: see-through skin, the skeleton inside it, and the detected points.

Only pixels under a person are touched. Whoever is nearer hides whoever is behind, skin and bones; a person's own skin
never hides their own bones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.geometry.projection import require_perspective, to_camera
from marrow.render import mesh
from marrow.types import Camera, Float32, Float64

#: Told apart by colour-blind eyes as well (Okabe and Ito), brightest first; people take them in turn.
PALETTE = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178))
BONE = (250, 244, 228)
#: Towards the light, in the camera's axes: from above, slightly left, behind the camera.
LIGHT = np.array([-0.35, -0.65, -0.67])
#: Radius of a bone: a part of its length, within these bounds in metres.
BONE_PART, BONE_LOW, BONE_HIGH = 0.055, 0.004, 0.015


@dataclass(frozen=True)
class Figure:
    """One person at one instant, as it is drawn.

    Attributes:
        vertices_world: (V, 3) metres.
        faces: (F, 3) int32, counter-clockwise from outside.
        joints_world: (J, 3) metres, or None for no skeleton.
        bones: pairs of joint numbers.
        colour: red, green, blue of 0 to 255; see :data:`PALETTE`.
        keypoints: (K, 2) detected pixels (NaN where absent), or None.
        confidence: (K,) in [0, 1], or None: all alike.
    """

    vertices_world: Float32
    faces: NDArray[np.int32]
    joints_world: Float64 | None = None
    bones: Sequence[tuple[int, int]] = ()
    colour: tuple[int, int, int] = PALETTE[0]
    keypoints: Float32 | None = None
    confidence: Float32 | None = None


@dataclass(frozen=True)
class _Layer:
    """A figure in camera axes and its raster (None where its skin is out of the picture)."""

    figure: Figure
    vertices_cam: Float32
    raster: mesh.Raster | None


def draw_people(
    image: NDArray[np.uint8], people: Sequence[Figure], camera: Camera, *, opacity: float = 0.5
) -> NDArray[np.uint8]:
    """Draw people onto a picture; the picture given stays as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        people: everybody in view, in any order.
        camera: of this picture, with the world it is posed in.
        opacity: of the skin where it faces the camera, 0 (glass with an outline) to 1.

    Returns:
        (H, W, 3) uint8.

    Raises:
        InputError: another kind of picture, or one whose size is not the camera's.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"draw_people: expected an RGB picture (H, W, 3) of uint8, got {image.shape} {image.dtype}")
    if image.shape[1::-1] != tuple(camera.size):
        raise InputError(
            f"draw_people: the picture is {image.shape[1]}x{image.shape[0]} but the camera {camera.size[0]}x"
            f"{camera.size[1]}; scale one to the other first (a resized picture needs its own K)"
        )
    if not 0 <= opacity <= 1:
        raise InputError(f"draw_people: opacity must lie between 0 and 1, got {opacity}")
    require_perspective(camera, "draw_people")
    canvas = np.array(image, order="C")
    layers = [_layer(figure, camera) for figure in people]
    layers.sort(key=lambda layer: -float(np.median(layer.vertices_cam[:, 2])) if len(layer.vertices_cam) else 0.0)
    front, origin = _foremost([layer.raster for layer in layers if layer.raster is not None])
    for layer in layers:
        if layer.raster is not None and opacity > 0:
            _blend_skin(canvas, layer, camera, front, origin, opacity)
        _blend_bones(canvas, layer, camera, front, origin)
    for layer in layers:
        _blend_keypoints(canvas, layer.figure)
    return canvas


def _layer(figure: Figure, camera: Camera) -> _Layer:
    vertices_cam = np.ascontiguousarray(to_camera(camera, figure.vertices_world), np.float32)
    window = mesh.window_of(vertices_cam, camera)
    raster = mesh.rasterize(vertices_cam, figure.faces, camera, window=window, cull=True) if window else None
    return _Layer(figure, vertices_cam, raster)


def _foremost(rasters: Sequence[mesh.Raster]) -> tuple[Float32, tuple[int, int]]:
    """Smallest depth of all rasters in the window that holds them all, and that window's first pixel."""
    if not rasters:
        return np.zeros((0, 0), np.float32), (0, 0)
    if len(rasters) == 1:
        return rasters[0].depth, rasters[0].origin
    low = np.min([r.origin for r in rasters], axis=0)
    high = np.max([np.add(r.origin, r.depth.shape[::-1]) for r in rasters], axis=0)
    front = np.full((high - low)[::-1], np.inf, np.float32)
    for raster in rasters:
        part = _part(front, raster, low)
        np.minimum(part, raster.depth, out=part)
    return front, (int(low[0]), int(low[1]))


def _part(image: Float32, raster: mesh.Raster, origin: Sequence[int]) -> Float32:
    """The view of ``image``, whose first pixel is ``origin``, that a raster covers."""
    x, y = raster.origin[0] - origin[0], raster.origin[1] - origin[1]
    return image[y : y + raster.depth.shape[0], x : x + raster.depth.shape[1]]


def _blend_skin(
    canvas: NDArray[np.uint8],
    layer: _Layer,
    camera: Camera,
    front: Float32,
    origin: tuple[int, int],
    opacity: float,
) -> None:
    from marrow.render import _fast_overlay

    raster, faces = layer.raster, np.ascontiguousarray(layer.figure.faces, np.int32)
    if raster is None:
        return
    _fast_overlay.blend_skin(
        canvas,
        *raster.origin,
        raster.ids,
        raster.bary,
        raster.depth,
        front,
        *origin,
        faces,
        mesh.vertex_normals(layer.vertices_cam, faces),
        np.linalg.inv(camera.K),
        np.array(layer.figure.colour, float),
        LIGHT,
        float(opacity),
    )


def blend_skin_reference(
    canvas: NDArray[np.uint8], figure: Figure, camera: Camera, opacity: float
) -> NDArray[np.uint8]:
    """One person's skin on a whole picture, in plain numpy.

    Lit by :data:`LIGHT`; the more the surface turns away from the viewer, the more opaque it is, as glass would be.
    """
    vertices_cam = to_camera(camera, figure.vertices_world).astype(np.float32)
    raster = mesh.rasterize(vertices_cam, figure.faces, camera, cull=True)
    normals = mesh.interpolate(raster, figure.faces, mesh.vertex_normals(vertices_cam, figure.faces)).astype(float)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    y, x = np.mgrid[: raster.ids.shape[0], : raster.ids.shape[1]]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(camera.K).T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    turned = 1 - np.abs((normals * rays).sum(-1, keepdims=True))
    alpha = opacity + (1 - opacity) * 0.8 * turned**2
    lit = np.maximum((normals * LIGHT).sum(-1, keepdims=True), 0)
    skin = np.minimum(np.array(figure.colour) * (0.4 + 0.72 * lit), 255)
    blended = np.floor(canvas * (1 - alpha) + skin * alpha + 0.5).astype(np.uint8)
    return np.where(mesh.mask(raster)[..., None], blended, canvas)


def _blend_bones(
    canvas: NDArray[np.uint8], layer: _Layer, camera: Camera, front: Float32, origin: tuple[int, int]
) -> None:
    from marrow.render import _fast_overlay

    figure = layer.figure
    if figure.joints_world is None or not len(figure.joints_world):
        return
    pieces = skeleton_pieces(figure, camera)
    own = np.full_like(front, np.inf)
    if layer.raster is not None:
        _part(own, layer.raster, origin)[:] = layer.raster.depth
    _fast_overlay.blend_capsules(canvas, *pieces, LIGHT, own, front, *origin)


def skeleton_pieces(figure: Figure, camera: Camera) -> tuple[Float64, Float64, Float64, Float64, Float64, Float64]:
    """A figure's bones and joints as round pieces of the picture, farthest first.

    Returns:
        ends (N, 2, 2) pixels, radii (N, 2) pixels, 1 / depth (N, 2), colours (N, 3), waist (N,), opacity (N,):
        bones narrow towards their middle, joints are balls. Pieces with an end behind the camera are left out.
    """
    joints = np.asarray(figure.joints_world, float)
    pairs = np.array([*figure.bones, *((j, j) for j in _used_joints(figure))], int).reshape(-1, 2)
    xy, inverse_depth = mesh.project_points(to_camera(camera, joints), camera)
    lengths = np.linalg.norm(joints[pairs[:, 0]] - joints[pairs[:, 1]], axis=-1)
    is_bone = pairs[:, 0] != pairs[:, 1]
    thickness = np.where(is_bone, np.clip(BONE_PART * lengths, BONE_LOW, BONE_HIGH), 0.0)
    at_joint = np.zeros(len(joints))
    for column in (0, 1):  # a joint is as thick as its thickest bone
        np.maximum.at(at_joint, pairs[:, column], thickness)
    at_joint = np.where(at_joint > 0, at_joint, BONE_LOW)
    radius = np.where(is_bone, thickness, 1.2 * at_joint[pairs[:, 0]])
    focal = float(np.sqrt(abs(np.linalg.det(camera.K[:2, :2]))))
    iz = inverse_depth[pairs]
    order = np.argsort(iz.mean(-1) * np.where(is_bone, 1, 1.05), kind="stable")  # balls over the ends they join
    order = order[(iz[order] > 0).all(-1) & np.isfinite(xy[pairs[order]]).all((-1, -2))]
    bright = 0.6 * np.array(figure.colour, float) + 0.4 * 255
    colours = np.where(is_bone[:, None], np.array(BONE, float), bright)
    radii = np.maximum(radius[:, None] * focal * iz, 0.9)
    waist = np.where(is_bone, 0.35, 0.0)
    return xy[pairs][order], radii[order], iz[order], colours[order], waist[order], np.full(len(order), 0.92)


def _used_joints(figure: Figure) -> list[int]:
    """Joints that get a ball: those of the bones, or all where there are no bones."""
    if not len(figure.bones):
        return list(range(len(np.asarray(figure.joints_world))))
    return sorted({joint for bone in figure.bones for joint in bone})


def _blend_keypoints(canvas: NDArray[np.uint8], figure: Figure) -> None:
    """Small faint discs at the detected points, fainter where the detector is unsure."""
    from marrow.render import _fast_overlay

    if figure.keypoints is None:
        return
    xy = np.asarray(figure.keypoints, float).reshape(-1, 2)
    sure = np.ones(len(xy)) if figure.confidence is None else np.asarray(figure.confidence, float)
    shown = np.flatnonzero(np.isfinite(xy).all(-1) & (sure > 0))
    ends = np.repeat(np.clip(xy[shown], -1e6, 1e6)[:, None], 2, axis=1)
    radius = max(canvas.shape[0] / 420, 1.2)
    zeros = np.zeros((len(shown), 2))
    nothing = np.zeros((0, 0), np.float32)
    for grow, colour, strength in ((0.8, (20, 20, 20), 0.45), (0.0, (255, 255, 255), 0.75)):
        _fast_overlay.blend_capsules(
            canvas,
            ends,
            np.full((len(shown), 2), radius + grow),
            zeros,
            np.tile(np.array(colour, float), (len(shown), 1)),
            zeros[:, 0],
            strength * np.clip(sure[shown], 0.15, 1),
            LIGHT,
            nothing,
            nothing,
            0,
            0,
        )
