"""Pictures of lit surfaces: shadows, a sky, colours, textures and patterns, in linear light.

One pass of the rasteriser at ``supersample`` times the resolution; samples of a pixel that lie close together on one
surface are lit as one, with the normal blended from the vertices, by lamps (Lambert, a mild gloss after Blinn 1977 with
Schlick's reflectance) and by a sky from above and below. Where one flat face of one colour fills a block of two by two
pixels, these share all but shadows, patterns and textures. Lamps cast soft shadows from depth maps (Fernando 2005,
Percentage-Closer Soft Shadows). How much of the sky a place sees comes from low depth maps along axes spread over the
sphere, each of which serves both its ends; so it is dark where an arm meets the trunk and under the feet; what is more
than 2 m away hides nothing. Light between near surfaces of one colour is put back after Jimenez et al. 2016.

It is meant to be believable, not exact: no mirrors, no light through skin or cloth, no light from one coloured surface
on another. Everything is the same for any number of threads.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.geometry.projection import camera_centre, check_lens, to_camera, warp
from marrow.render.effects import SRGB_TO_LINEAR
from marrow.render.mesh import Raster, rasterize, vertex_normals
from marrow.render.surfaces import PATTERNS, Merged, Surface, merged
from marrow.types import Camera, Float32, Float64

#: Samples that are shaded at once; bounds the memory to about 30 bytes each.
_BAND = 4_000_000

#: Faces with edges shorter than this, in texels of the sky's maps, are drawn there by their corners.
_DOT = 1.0

#: Metres that the sky's maps span at the least: what hides the sky is smooth, and finer maps only take longer.
_SPAN = 3.2


@dataclass(frozen=True)
class Light:
    """A lamp or the sun.

    Attributes:
        direction: (3,) world, from the scene towards a light that is far away; of no account with ``position``.
        colour: linear RGB: a white matt surface that faces the light shines so brightly (1 is the picture's white).
            With ``position``, at a distance of one metre; it falls with the square of the distance.
        position: (3,) world, metres: a lamp there; None: far away.
        shadows: whether it casts shadows.
        softness: half the angle under which the light is seen, radians (the sun 0.0047, a window or an overcast sun
            0.1): how fast the edges of shadows soften with the distance from what casts them.
    """

    direction: tuple[float, float, float] = (0.3, 1.0, 0.5)
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    position: tuple[float, float, float] | None = None
    shadows: bool = True
    softness: float = 0.03


@dataclass(frozen=True)
class Sky:
    """Light from everywhere, blended from straight above to straight below.

    Attributes:
        up: linear RGB from above.
        down: linear RGB from below (what floor and walls give back).
        axes: directions in pairs along which it is looked at what hides the sky; 0: nothing hides it.
    """

    up: tuple[float, float, float] = (0.35, 0.38, 0.42)
    down: tuple[float, float, float] = (0.16, 0.15, 0.14)
    axes: int = 16


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn picture and what each pixel of it sees.

    Attributes:
        image_linear: (H, W, 3) float32 linear RGB, on the background.
        coverage: (H, W) float32 part of the pixel that surfaces cover, 0 to 1.
        raster: at the pixel centres; ids are faces of ``merged(surfaces)``.
        surface: (H, W) int16 number of the surface seen at the pixel centre, -1 background.
        normals: (V, 3) float32 world, at the vertices of ``merged(surfaces)``.
    """

    image_linear: Float32
    coverage: Float32
    raster: Raster
    surface: NDArray[np.int16]
    normals: Float32


def shade(
    surfaces: Sequence[Surface],
    camera: Camera,
    lights: Sequence[Light] = (Light(),),
    sky: Sky = Sky(),
    background: Float32 | None = None,
    supersample: int = 2,
    *,
    shadow_size: int = 1024,
    sky_size: int = 224,
    threads: int = 1,
    mesh: Merged | None = None,
) -> Picture:
    """Draw lit surfaces; see the module's text.

    Args:
        camera: a fisheye's limits are those of :func:`marrow.render.mesh.rasterize`.
        background: (H, W, 3) float32 linear; None: black.
        supersample: samples of each pixel along a side, 1 to 8.
        shadow_size: texels along a side of each light's depth map, spread over all that casts shadows.
        sky_size: the same for the sky's.
        threads: bands of rows shaded at the same time.
        mesh: ``merged(surfaces)``, where it is there already.

    Raises:
        InputError: surfaces that cannot be drawn (see :func:`marrow.render.surfaces.merged`), a background of another
            size, a light without direction, a picture without pixels.
    """
    from marrow.render import _fast_shading

    check_lens(camera)
    width, height = camera.size
    if width < 1 or height < 1 or not 1 <= supersample <= 8:
        raise InputError(f"shade: a picture of {width}x{height} pixels with supersample={supersample} cannot be drawn")
    if background is None:
        background = np.zeros((height, width, 3), np.float32)
    background = np.ascontiguousarray(background, np.float32)
    if background.shape != (height, width, 3):
        raise InputError(f"shade: the background is {background.shape}, but the camera sees ({height}, {width}, 3)")
    ready = prepare(surfaces, camera, lights, sky, shadow_size, sky_size, mesh)
    mesh = ready.mesh
    fine = warp(
        camera,
        [[supersample, 0, (supersample - 1) / 2], [0, supersample, (supersample - 1) / 2]],
        (width * supersample, height * supersample),
    )
    image = np.empty((height, width, 3), np.float32)
    coverage = np.empty((height, width), np.float32)
    footprint = 1 / float(np.sqrt(abs(np.linalg.det(fine.K[:2, :2]))))

    def draw(row0: int, row1: int) -> None:
        window = (0, row0 * supersample, fine.size[0], row1 * supersample)
        raster = rasterize(ready.vertices_cam, mesh.faces, fine, window=window, cull=ready.culled)
        _fast_shading.shade_rows(
            row0,
            raster.ids,
            raster.bary,
            mesh.faces,
            mesh.surface,
            mesh.vertices,
            ready.normals,
            ready.colours,
            ready.places,
            ready.uvs,
            ready.table,
            ready.texels,
            SRGB_TO_LINEAR,
            ready.eye,
            ready.axis,
            footprint,
            ready.lights,
            ready.light_maps,
            ready.light_frames,
            ready.light_nearest,
            ready.sky_maps,
            ready.sky_table,
            ready.sky_bounds,
            ready.up,
            ready.down,
            background,
            supersample,
            image,
            coverage,
        )

    bands = min((height + 1) // 2, max(threads, -(-width * height * supersample**2 // _BAND)))
    rows = (np.linspace(0, (height + 1) // 2, bands + 1).astype(int) * 2).clip(max=height).tolist()  # pairs of rows
    if threads <= 1:
        for row0, row1 in itertools.pairwise(rows):
            draw(row0, row1)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(draw, rows[:-1], rows[1:]))
    raster = rasterize(ready.vertices_cam, mesh.faces, camera, cull=ready.culled)
    seen = np.where(raster.ids >= 0, mesh.surface[raster.ids], np.int16(-1)) if len(mesh.faces) else raster.ids
    return Picture(image, coverage, raster, seen.astype(np.int16), ready.normals)


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that shading reads, as plain arrays; tables' columns are named in ``_fast_shading``.

    Attributes:
        mesh: all surfaces.
        vertices_cam: (V, 3) float32 in the camera's axes.
        culled: (F,) faces not drawn from behind.
        normals, colours, places, uvs: (V, 3), (V, 3), (V, 3), (V, 2) float32.
        table: (S, 24) of the surfaces.
        texels: (N, 3) uint8 of all textures, one after the other.
        eye: (3,) the camera's place in the world.
        axis: (3,) where an orthographic camera looks; zeros for others.
        lights: (L, 9); ``light_maps`` (M, n, n) depths nearest to them, ``light_frames`` (M, 4, 4), and
            ``light_nearest`` (M, t, t) the least of each tile of the maps.
        sky_axes: (D, 3); ``sky_maps`` (D, 2, n, n) lowest and highest depths, ``sky_frames`` (D, 4, 4).
        sky_table: (D, 16) of these for the kernel; ``sky_bounds`` (2, 3) beyond which nothing hides the sky.
        up, down: (3,) colours of the sky.
    """

    mesh: Merged
    vertices_cam: Float32
    culled: NDArray[np.bool_]
    normals: Float32
    colours: Float32
    places: Float32
    uvs: Float32
    table: Float64
    texels: NDArray[np.uint8]
    eye: Float64
    axis: Float64
    lights: Float64
    light_maps: Float32
    light_frames: Float64
    light_nearest: Float32
    sky_axes: Float64
    sky_maps: Float32
    sky_frames: Float64
    sky_table: Float64
    sky_bounds: Float64
    up: Float64
    down: Float64


def prepare(
    surfaces: Sequence[Surface],
    camera: Camera,
    lights: Sequence[Light],
    sky: Sky,
    shadow_size: int,
    sky_size: int,
    mesh: Merged | None = None,
) -> Prepared:
    """Merge the surfaces and draw the depth maps of lights and sky; arguments as in :func:`shade`."""
    from marrow.render import _fast_shading

    if mesh is None:
        mesh = merged(surfaces)
    culled = ~np.array([s.two_sided for s in surfaces], bool)[mesh.surface]
    casting = np.array([s.casts_shadow and not s.shadow_catcher for s in surfaces], bool)[mesh.surface]
    casters = _casters(mesh, casting)
    light_table, light_maps, light_frames = _lights(lights, casters, shadow_size)
    tiles = -(-shadow_size // _fast_shading.TILE)
    light_nearest = np.empty((len(light_maps), tiles, tiles), np.float32)
    _fast_shading.tile_nearest(light_maps, light_nearest)
    axes = sphere_axes(sky.axes) if len(casters.points) else np.zeros((0, 3))
    sky_frames = _frames_along(-axes, casters.points, sky_size, _SPAN)
    sky_maps = np.empty((len(axes), 2, sky_size, sky_size), np.float32)
    texel = 1 / max((float(np.linalg.norm(frame[0, :3])) for frame in sky_frames), default=1.0)
    long = np.empty_like(casters.faces)
    long = long[: _fast_shading.long_faces(casters.points, casters.faces, _DOT * texel, long)]
    for frame, (lowest, highest) in zip(sky_frames, sky_maps, strict=True):
        _fast_shading.depth_map(casters.points, long, frame, True, casters.scratch, lowest, highest)
    colours, places, uvs = (_per_vertex(surfaces, mesh, name) for name in ("colour", "place", "uv"))
    table, texels = _table(surfaces, places, mesh)
    return Prepared(
        mesh,
        to_camera(camera, mesh.vertices).astype(np.float32),
        culled,
        vertex_normals(mesh.vertices, mesh.faces),
        colours,
        places,
        uvs,
        table,
        texels,
        camera_centre(camera),
        np.array(camera.R_cam_world[2], float) if camera.lens == "orthographic" else np.zeros(3),
        light_table,
        light_maps,
        light_frames,
        light_nearest,
        axes,
        sky_maps,
        sky_frames,
        _sky_table(axes, sky_frames, sky_size),
        _fast_shading.FAR * np.array([[-1.0], [1]]) + bounds(casters.points),
        np.array(sky.up, float),
        np.array(sky.down, float),
    )


def bounds(points: Float32) -> Float64:
    """(2, 3) least and most of coordinates (N, 3); infinite of no points."""
    from marrow.render import _fast_shading

    out = np.empty((2, 3))
    _fast_shading.extents(points, np.eye(3), out[0], out[1])
    return out


def _sky_table(axes: Float64, frames: Float64, size: int) -> Float64:
    from marrow.render import _fast_shading as fast

    table = np.zeros((len(axes), fast.SKY_COLUMNS))
    for row, axis, frame in zip(table, axes, frames, strict=True):
        row[:3] = axis
        row[fast.STEP] = 1.2 / np.linalg.norm(frame[0, :3])
        row[fast.ROWS : fast.ROWS + 12] = frame[:3].ravel()
        row[fast.ROWS + 3] += 0.5 * (size - 1)
        row[fast.ROWS + 7] += 0.5 * (size - 1)
    return table


def sphere_axes(count: int) -> Float64:
    """(count, 3) unit axes spread evenly over the upper half of the sphere (Fibonacci's spiral)."""
    y = 1 - (np.arange(count) + 0.5) / max(count, 1)
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    across = np.sqrt(1 - y * y)
    return np.stack([across * np.cos(turn), y, across * np.sin(turn)], -1)


@dataclass(frozen=True, eq=False)
class _Casters:
    """What casts shadows: ``points`` (N, 3) float32 world, ``faces`` (F, 3) of them, ``scratch`` (N, 3) float32."""

    points: Float32
    faces: NDArray[np.int32]
    scratch: Float32


def _casters(mesh: Merged, casting: NDArray[np.bool_]) -> _Casters:
    from marrow.render import _fast_shading

    points, faces = np.empty_like(mesh.vertices), np.empty_like(mesh.faces)
    number = np.empty(len(points), np.int32)
    found, count = _fast_shading.casters(mesh.vertices, mesh.faces, casting, number, points, faces)
    return _Casters(points[:found], faces[:count], np.empty((found, 3), np.float32))


def _lights(lights: Sequence[Light], casters: _Casters, size: int) -> tuple[Float64, Float32, Float64]:
    """The kernel's table of lights (L, 9), their depth maps (M, n, n) and frames (M, 4, 4)."""
    from marrow.render import _fast_shading as fast

    table = np.zeros((len(lights), fast.LIGHT_COLUMNS))
    frames: list[Float64] = []
    for row, light in zip(table, lights, strict=True):
        row[fast.LAMP : fast.LAMP + 3] = light.colour
        row[fast.SOFTNESS], row[fast.MAP] = light.softness, -1
        if light.position is None:
            length = float(np.linalg.norm(light.direction))
            if not 0 < length < np.inf:
                raise InputError(f"shade: a light needs a direction that is not zero, got {light.direction}")
            row[:3] = np.array(light.direction) / length
        else:
            row[:3], row[fast.POINT] = light.position, 1
        if not light.shadows or not len(casters.points):
            continue
        points = casters.points
        if light.position is None:
            frame = _frames_along(-row[None, :3], points, size)[0]
        else:
            frame = _frame_from(row[:3], points, size)
        if frame is None:
            continue
        row[fast.MAP] = len(frames)
        frames.append(frame)
    maps = np.empty((len(frames), size, size), np.float32)
    for frame, nearest in zip(frames, maps, strict=True):
        fast.depth_map(
            casters.points, casters.faces, frame, False, casters.scratch, nearest, np.empty((0, 0), np.float32)
        )
    return table, maps, np.array(frames).reshape(-1, 4, 4)


def _frames_along(ahead: Float64, points: Float32, size: int, least: float = 1e-6) -> Float64:
    """(D, 4, 4) from the world to texels and depth of views along ``ahead`` (D, 3) that hold all points (N, 3).

    ``least`` is how many metres the maps span at the least.
    """
    from marrow.render import _fast_shading

    R = _looking(ahead)
    low, high = np.empty((2, len(R), 2))
    _fast_shading.extents(points, R[:, :2].reshape(-1, 3), low.reshape(-1), high.reshape(-1))
    scale = (size - 4) / np.maximum((high - low).max(-1, initial=0.0), least)[:, None]
    frames = np.zeros((len(R), 4, 4))
    frames[:, :2, :3] = scale[..., None] * R[:, :2]
    frames[:, :2, 3] = -scale * (low + high) / 2
    frames[:, 2, :3] = R[:, 2]
    frames[:, 3, 3] = 1
    return frames


def _frame_from(place: Float64, points: Float32, size: int) -> Float64 | None:
    """The same for a view from a place; None where points lie around it, which one map cannot hold."""
    from marrow.render import _fast_shading

    middle = bounds(points).mean(0)
    if np.linalg.norm(middle - place) < 1e-6:
        return None
    R = _looking((middle - place)[None])[0]
    nearest, tangent = _fast_shading.widest_tangent(points, R, place)
    if nearest < 0.05:
        return None
    frame = np.zeros((4, 4))
    frame[:2, :3] = (size - 4) / 2 / max(tangent, 1e-6) * R[:2]
    frame[2, :3] = frame[3, :3] = R[2]
    frame[:, 3] = -frame[:, :3] @ place
    return frame


def _looking(ahead: Float64) -> Float64:
    """(D, 3, 3) rows right, down and ahead of views along ``ahead`` (D, 3); which way is right does not matter."""
    z = ahead / np.sqrt((ahead * ahead).sum(-1, keepdims=True))
    x = np.cross(z, np.eye(3)[np.abs(z).argmin(-1)])
    x /= np.sqrt((x * x).sum(-1, keepdims=True))
    return np.stack([x, np.cross(z, x), z], 1)


def _per_vertex(surfaces: Sequence[Surface], mesh: Merged, name: str) -> Float32:
    """(V, C) of all surfaces' colour, place or uv."""
    out = np.zeros((len(mesh.vertices), 2 if name == "uv" else 3), np.float32)
    for surface, start, end in zip(surfaces, mesh.first_vertex[:-1], mesh.first_vertex[1:], strict=True):
        values = getattr(surface, name)
        if values is None and name == "place":
            values = surface.vertices
        if values is not None:
            out[start:end] = values
    return out


def _table(surfaces: Sequence[Surface], places: Float32, mesh: Merged) -> tuple[Float64, NDArray[np.uint8]]:
    """The kernel's table of surfaces (S, 24), and the texels (N, 3) of all textures, one after the other."""
    from marrow.render import _fast_shading as fast

    table = np.zeros((len(surfaces), fast.COLUMNS))
    texels: list[NDArray[np.uint8]] = []
    count = 0
    for number, (row, surface) in enumerate(zip(table, surfaces, strict=True)):
        row[fast.GLOSS], row[fast.TWO_SIDED] = surface.gloss, surface.two_sided
        row[fast.CATCHER], row[fast.TEXTURE] = surface.shadow_catcher, -1
        if surface.texture is not None:
            high, wide = surface.texture.shape[:2]
            row[fast.TEXTURE : fast.TEXTURE + 3] = count, high, wide
            texels.append(surface.texture.reshape(-1, 3))
            count += high * wide
        pattern = surface.pattern
        if pattern is None:
            continue
        row[fast.KIND], row[fast.SIZE], row[fast.SEED] = PATTERNS.index(pattern.kind) + 1, pattern.size, pattern.seed
        row[fast.COLOUR : fast.COLOUR + 3] = pattern.colour
        along = np.array(pattern.direction, float) / np.linalg.norm(pattern.direction)
        row[fast.ALONG : fast.ALONG + 3] = along
        for column, axis in ((fast.ACROSS_X, 0), (fast.ACROSS_Z, 2)):
            row[column : column + 3] = _across(along, axis)
        own = mesh.faces[mesh.first_face[number] : mesh.first_face[number + 1]]
        if pattern.kind == "print" and len(own):
            middle = bounds(places[own.ravel()]).mean(0)
            row[fast.CENTRE], row[fast.CENTRE + 1] = middle @ along, middle @ row[fast.ACROSS_X : fast.ACROSS_X + 3]
    return table, np.concatenate(texels) if texels else np.zeros((1, 3), np.uint8)


def _across(along: Float64, axis: int) -> Float64:
    """The unit vector across ``along`` next to an axis of the world; next to Y where they are nearly the same."""
    beside = np.eye(3)[axis if abs(along[axis]) < 0.95 else 1]
    across = beside - float(beside @ along) * along
    return np.asarray(across / np.linalg.norm(across), np.float64)
