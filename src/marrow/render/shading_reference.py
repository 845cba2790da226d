"""The shading of :mod:`marrow.render.shading` in plain numpy: for reading and for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.geometry.projection import warp
from marrow.render import _fast_shading as columns
from marrow.render.effects import SRGB_TO_LINEAR
from marrow.render.mesh import rasterize
from marrow.render.shading import Light, Prepared, Sky, prepare
from marrow.render.surfaces import Surface
from marrow.types import Camera, Float32, Float64


def shade_reference(
    surfaces: Sequence[Surface],
    camera: Camera,
    lights: Sequence[Light],
    sky: Sky,
    background: Float32,
    supersample: int = 1,
    *,
    shadow_size: int = 1024,
    sky_size: int = 224,
) -> tuple[Float64, Float64]:
    """Linear picture (H, W, 3) and coverage (H, W), as :func:`marrow.render.shading.shade` gives them."""
    ready = prepare(surfaces, camera, lights, sky, shadow_size, sky_size)
    s = supersample
    fine = warp(camera, [[s, 0, (s - 1) / 2], [0, s, (s - 1) / 2]], (camera.size[0] * s, camera.size[1] * s))
    raster = rasterize(ready.vertices_cam, ready.mesh.faces, fine, cull=ready.culled)
    seen = raster.ids >= 0
    f = raster.ids[seen]
    corners = ready.mesh.faces[f]
    surface = ready.mesh.surface[f]
    weight = raster.bary[seen].astype(float)
    weight = np.concatenate([1 - weight.sum(-1, keepdims=True), weight], -1)

    def blend(values: Float32) -> Float64:
        return np.einsum("nk,nkc->nc", weight, values[corners].astype(float))

    def cross(points: Float32) -> Float64:
        a, b, c = np.moveaxis(points[corners].astype(float), 1, 0)
        return np.cross(b - a, c - a)

    def view_of(x: Float64) -> tuple[Float64, Float64]:
        """Unit directions to the camera, and how broad a sample is there."""
        breadth = 1 / np.sqrt(abs(np.linalg.det(fine.K[:2, :2])))
        if ready.axis.any():
            return np.broadcast_to(-ready.axis, x.shape), np.full(len(x), breadth)
        return _unit(ready.eye - x), breadth * np.linalg.norm(ready.eye - x, axis=-1)

    x, n = blend(ready.mesh.vertices), blend(ready.normals)
    view, width = view_of(x)
    behind = (cross(ready.mesh.vertices) * view).sum(-1) < 0
    n = np.where(((ready.table[surface, columns.TWO_SIDED] > 0) & behind)[:, None], -n, n)
    at_sample = np.argwhere(seen)
    pixel = at_sample[:, ::-1].astype(float)
    in_pixel = raster.ids.reshape(camera.size[1], s, camera.size[0], s)
    alone = (in_pixel == in_pixel[:, :1, :, :1]).all((1, 3))
    group = _groups(
        at_sample // s @ [camera.size[0], 1], at_sample % s @ [s, 1], surface, x, _unit(n), width, alone.ravel()
    )
    first = np.unique(group, return_index=True)[1]
    count = np.bincount(group).astype(float)

    def mean(values: Float64) -> Float64:
        out = np.zeros((len(count), *values.shape[1:]))
        np.add.at(out, group, values)
        return out / count.reshape(-1, *(1,) * (values.ndim - 1))

    row, each = ready.table[surface[first]], ready.table[surface]
    block = _blocks(raster.ids, s, ready)[seen][first]
    at, x, n = x, _shared(mean(x), block), _unit(_shared(mean(n), block))
    normal = n
    view, width = view_of(x)
    width = width * np.sqrt(count)
    direct, kept = [], []
    for light in ready.lights:
        towards, fall = _towards(light, x)
        number = int(light[columns.MAP])
        share = np.ones(len(x))
        if number >= 0:
            lit = _lit(
                ready.light_maps[number], ready.light_frames[number], at, normal[group], light[columns.SOFTNESS], pixel
            )
            share = np.where((lit[first] > 0) & (lit[first] < 1), mean(lit), lit[first])
        kept.append(share)
        direct.append((towards, fall * np.maximum((n * towards).sum(-1), 0)))
    under_sky, open_sky = _sky(ready, x, n)
    albedo = blend(ready.colours)
    textured = each[:, columns.TEXTURE] >= 0
    albedo[textured] *= _texture(ready, each[textured], blend(ready.uvs)[textured])
    albedo = mean(albedo)
    patterned = row[:, columns.KIND] > 0
    part = np.zeros(len(x))
    part[patterned] = _pattern(
        row[patterned], mean(blend(ready.places))[patterned], cross(ready.places)[first][patterned], width[patterned]
    )
    albedo += part[:, None] * (row[:, columns.COLOUR : columns.COLOUR + 3] - albedo)

    gloss = row[:, columns.GLOSS, None]
    facing = np.maximum((n * view).sum(-1, keepdims=True), 0)
    ao = np.minimum(under_sky / (open_sky + 1e-12), 1)
    height = np.clip(2 * facing * n[:, 1:2] - view[:, 1:2], -1, 1)
    mirrored = ready.down + (ready.up - ready.down) * (0.5 + 0.5 * height)
    out = albedo * open_sky * _bounced(ao, albedo) + gloss * (0.04 + 0.96 * (1 - facing) ** 5) * ao * mirrored
    power = 8 + np.floor(120 * gloss + 0.5)
    total, left = 1e-12 + open_sky.sum(-1), 1e-12 + under_sky.sum(-1)
    for light, (towards, lit), share in zip(ready.lights, direct, kept, strict=True):
        lamp = light[columns.LAMP : columns.LAMP + 3]
        half = np.maximum((n * _unit(towards + view)).sum(-1, keepdims=True), 0)
        shine = gloss * 0.04 * 0.125 * (power + 8) * half**power
        out += (share * lit)[:, None] * lamp * (albedo + shine)
        total, left = total + lit * lamp.sum(), left + share * lit * lamp.sum()
    catcher = row[:, columns.CATCHER] > 0
    shown = np.repeat(np.repeat(np.array(background, float), s, 0), s, 1)
    coverage = np.zeros(seen.shape)
    blocks = (camera.size[1], s, camera.size[0], s)
    shown[seen] = np.where(catcher[group, None], shown[seen] * (left / total)[group, None], out[group])
    coverage[seen] = ~catcher[group]
    return (
        shown.reshape(*blocks, 3).mean((1, 3)),
        coverage.reshape(blocks).mean((1, 3)),
    )


def _blocks(ids: NDArray[np.int32], s: int, ready: Prepared) -> NDArray[np.intp]:
    """(h, w) number of the block of 2 by 2 pixels that a sample shares its light with; -1 for those that share none."""
    faces = ready.mesh.faces
    alike = np.abs(ready.normals[faces] - ready.normals[faces[:, :1]]).max((1, 2)) < columns.PLAIN
    plain = alike & (ready.colours[faces] == ready.colours[faces[:, :1]]).all((1, 2))
    plain &= ready.table[ready.mesh.surface, columns.CATCHER] <= 0
    side = 2 * s
    out = np.full(ids.shape, -1)
    high, wide = ids.shape[0] // side, ids.shape[1] // side
    tiles = ids[: high * side, : wide * side].reshape(high, side, wide, side).transpose(0, 2, 1, 3)
    face = tiles[:, :, :1, :1]
    whole = (tiles == face).all((2, 3)) & (face[..., 0, 0] >= 0) & np.append(plain, False)[face[..., 0, 0]]
    number = np.where(whole, np.arange(high * wide).reshape(high, wide), -1)
    out[: high * side, : wide * side] = np.repeat(np.repeat(number, side, 0), side, 1)
    return out


def _shared(values: Float64, block: NDArray[np.intp]) -> Float64:
    """Values (G, 3) of groups, those of each block replaced by their mean."""
    out = values.copy()
    for number in np.unique(block[block >= 0]):
        out[block == number] = values[block == number].mean(0)
    return out


def _groups(
    pixel: NDArray[np.intp],
    sample: NDArray[np.intp],
    surface: NDArray[np.int16],
    x: Float64,
    n: Float64,
    width: Float64,
    alone: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """(N,) which samples are shaded as one: those of a pixel that are like the first that is in no group yet.

    ``alone`` (H W,) says of which pixels all samples are, since they see one face.
    """
    group, count = np.full(len(pixel), -1), 0
    order = np.lexsort((sample, pixel))
    while (group < 0).any():
        left = order[group[order] < 0]
        leaders = left[np.unique(pixel[left], return_index=True)[1]]
        leader = leaders[np.searchsorted(pixel[leaders], pixel[left])]
        close = ((x[left] - x[leader]) ** 2).sum(-1) < (columns.CLOSE * width[leader]) ** 2
        alike = (n[left] * n[leader]).sum(-1) > columns.ALIKE
        own = (left == leader) | alone[pixel[left]] | (close & alike & (surface[left] == surface[leader]))
        group[left[own]] = count + np.searchsorted(pixel[leaders], pixel[left[own]])
        count += len(leaders)
    return group


def _unit(vectors: Float64) -> Float64:
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-20)


def _towards(light: Float64, x: Float64) -> tuple[Float64, Float64]:
    """Unit directions (N, 3) to a light, and how much of its strength arrives (N,)."""
    if light[columns.POINT] <= 0:
        return np.broadcast_to(light[:3], x.shape), np.ones(len(x))
    offset = light[:3] - x
    squared = (offset**2).sum(-1) + 1e-12
    return offset / np.sqrt(squared)[:, None], 1 / squared


def _bounced(ao: Float64, albedo: Float64) -> Float64:
    a, b, c = 2.0404 * albedo - 0.3324, -4.7951 * albedo + 0.6417, 2.7552 * albedo + 0.6903
    return np.maximum(ao, np.minimum(((ao * a + b) * ao + c) * ao, 1))


def _lit(depths: Float32, frame: Float64, x: Float64, n: Float64, softness: float, pixel: Float64) -> Float64:
    """(N,) part of a light that arrives: what hides it, then the taps on a disc as wide as the half shadow."""
    size = len(depths)
    far = x @ frame[3, :3] + frame[3, 3]
    behind = far <= 0
    far = np.where(behind, 1.0, far)
    per_metre = np.linalg.norm(frame[0, :3]) / far
    x = x + (1.5 / per_metre)[:, None] * n
    far = np.where(behind, 1.0, x @ frame[3, :3] + frame[3, 3])
    u, v = ((x @ frame[:2, :3].T + frame[:2, 3]) / far[:, None] + 0.5 * (size - 1)).T
    d = x @ frame[2, :3] + frame[2, 3]
    along = n @ frame[2, :3]
    away = along > -1e-6
    along = np.where(away, -1.0, along)
    lean = np.clip(-(n @ frame[:2, :3].T) / (np.linalg.norm(frame[0, :3]) * along)[:, None], -3, 3)
    slopes = lean / per_metre[:, None]
    turn = np.modf(52.9829189 * np.modf(pixel @ [0.06711056, 0.00583715])[0])[0]
    turn = np.floor(columns.TURNS * turn) / columns.TURNS * 2 * np.pi
    taps = np.stack(
        [
            columns.DISC[:, 0] * np.cos(turn)[:, None] - columns.DISC[:, 1] * np.sin(turn)[:, None],
            columns.DISC[:, 0] * np.sin(turn)[:, None] + columns.DISC[:, 1] * np.cos(turn)[:, None],
        ],
        -1,
    )

    def look(reach: Float64) -> tuple[Float64, Float64]:
        offset = reach[:, None, None] * taps
        texel = np.floor(np.stack([u, v], -1)[:, None] + offset + 0.5).astype(int)
        inside = np.all((texel >= 0) & (texel < size), axis=-1)
        i, j = np.where(inside[..., None], texel, 0).transpose(2, 0, 1)
        depth = np.where(inside, depths[j, i], np.inf)
        limit = d[:, None] + (slopes[:, None] * offset).sum(-1) - (0.5 / per_metre)[:, None]
        return depth, depth < limit

    reach = np.maximum(softness * per_metre * 0.8, 1.5)
    outside = (np.stack([u, v]) < -reach).any(0) | (np.stack([u, v]) > size - 1 + reach).any(0)
    depth, hides = look(reach)
    count = hides.sum(-1)
    mean = np.where(hides, depth, 0).sum(-1) / np.maximum(count, 1)
    reach = np.minimum(np.maximum(softness * (d - mean) * per_metre, 1), reach)
    lit = 1 - look(reach)[1].mean(-1)
    return np.where(behind | away | outside | (count == 0), 1.0, lit)


def _sky(ready: Prepared, x: Float64, n: Float64) -> tuple[Float64, Float64]:
    """(N, 3) light of the sky with and without what hides it."""
    up, down = ready.up, ready.down
    if not len(ready.sky_axes):
        light = down + (up - down) * (0.5 + n[:, 1:2] / 3)
        return light, light
    seen, total, weight = np.zeros_like(x), np.zeros_like(x), np.zeros(len(x))
    for axis, frame, (lowest, highest) in zip(ready.sky_axes, ready.sky_frames, ready.sky_maps, strict=True):
        cosine = n @ axis
        back, cosine = cosine < 0, np.abs(cosine)
        size = len(lowest)
        place = (x + 1.2 / np.linalg.norm(frame[0, :3]) * n) @ frame[:3, :3].T + frame[:3, 3]
        uv, d = place[:, :2] + 0.5 * (size - 1), place[:, 2]
        inside = np.all((uv >= 0) & (uv < size - 1), axis=-1)
        first = np.where(inside[:, None], uv, 0).astype(int)
        part = np.where(inside[:, None], uv, 0) - first
        hidden = np.zeros(len(x))
        for right in (0, 1):
            for below in (0, 1):
                w = np.abs(1 - right - part[:, 0]) * np.abs(1 - below - part[:, 1])
                at = (first[:, 1] + below, first[:, 0] + right)
                before = np.where(back, highest[at] - d, d - lowest[at])
                fade = np.clip((columns.FAR - before) / (columns.FAR - columns.NEAR), 0, 1)
                hidden += w * np.where(before > 0, fade, 0)
        height = np.where(back, -axis[1], axis[1])
        light = cosine[:, None] * (down + (up - down) * (0.5 + 0.5 * height)[:, None])
        total += light
        seen += light * np.where(inside, 1 - hidden, 1)[:, None]
        weight += cosine
    return seen / weight[:, None], total / weight[:, None]


def _texture(ready: Prepared, row: Float64, uv: Float64) -> Float64:
    first, height, width = row[:, columns.TEXTURE : columns.TEXTURE + 3].astype(int).T
    place = np.stack([uv[:, 0] * width, (1 - uv[:, 1]) * height], -1) - 0.5
    low = np.floor(place).astype(int)
    out = np.zeros((len(uv), 3))
    for right in (0, 1):
        for below in (0, 1):
            w = np.abs(1 - right - (place - low)[:, 0]) * np.abs(1 - below - (place - low)[:, 1])
            texel = first + (low[:, 1] + below) % height * width + (low[:, 0] + right) % width
            out += w[:, None] * SRGB_TO_LINEAR[ready.texels[texel]]
    return out


def _pattern(row: Float64, place: Float64, normal: Float64, width: Float64) -> Float64:
    size, seed = row[:, columns.SIZE], row[:, columns.SEED].astype(int)
    side = np.abs(normal[:, 0]) > np.abs(normal[:, 2])
    across = np.where(
        side[:, None],
        row[:, columns.ACROSS_Z : columns.ACROSS_Z + 3],
        row[:, columns.ACROSS_X : columns.ACROSS_X + 3],
    )
    a = (place * row[:, columns.ALONG : columns.ALONG + 3]).sum(-1) / size
    b = (place * across).sum(-1) / size
    width = np.maximum(width / size, 1e-6)
    band, beside = _band(a, width), _band(b, width)
    r = np.hypot(a - np.floor(a) - 0.5, b - np.floor(b) - 0.5)
    dots = np.clip((0.3 - r) / width + 0.5, 0, 1)
    dots += np.clip(2 * width - 0.5, 0, 1) * (0.2827 - dots)
    noise = _noise(place / size[:, None], seed)
    soft = np.clip(2 * noise - 0.5, 0, 1)
    second = np.clip((_noise(place / size[:, None], seed + 7) - 0.53) / 0.02 + 0.5, 0, 1)
    camouflage = np.maximum(np.clip((noise - 0.53) / 0.02 + 0.5, 0, 1), 0.45 * second)
    ca, cb = a - row[:, columns.CENTRE] / size, b - row[:, columns.CENTRE + 1] / size
    r = np.hypot(ca, cb)
    ring = np.stack([2 * ca / (r + 1e-9), 2 * cb / (r + 1e-9), 0 * r], -1)
    inside = np.clip((0.36 + 0.28 * (_noise(ring, seed) - 0.5) - r) / width + 0.5, 0, 1)
    holes = np.clip((_noise(np.stack([6 * ca, 6 * cb, 0 * r], -1), seed + 3) - 0.42) / 0.04 + 0.5, 0, 1)
    figure = np.where(side | (normal[:, 2] < 0), 0, inside * holes)
    kinds = [
        band,
        band + beside - 2 * band * beside,
        (band + beside) / 2,
        dots,
        soft * soft * (3 - 2 * soft),
        camouflage,
    ]
    return np.select([row[:, columns.KIND] == k + 1 for k in range(6)], kinds, figure)


def _band(t: Float64, width: Float64) -> Float64:
    return np.clip((0.5 - np.abs(2 * (t - np.floor(t)) - 1)) / (2 * width) + 0.5, 0, 1)


def _noise(place: Float64, seed: Float64) -> Float64:
    return 0.67 * _octave(place, seed) + 0.33 * _octave(2.03 * place, seed + 101)


def _octave(place: Float64, seed: Float64) -> Float64:
    low = np.floor(place)
    part = place - low
    part = part * part * (3 - 2 * part)
    total = np.zeros(len(place))
    for corner in np.ndindex(2, 2, 2):
        i, j, k = (low.astype(np.int64) + corner).T
        h = ((i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (seed * 40503)) & 0xFFFFFFFF
        for _ in range(2):
            h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
        total += np.abs(1 - np.array(corner) - part).prod(-1) * (h ^ (h >> 16)) / 2**32
    return total
