"""Compiled twins of :mod:`marrow.render.overlay`: shading and blending of touched pixels only."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel


@kernel()
def blend_skin(
    image, x0, y0, ids, bary, depth, front, front_x0, front_y0, faces, normals, rays, colour, light, opacity
):
    """Blend one person's skin into ``image`` where it is the foremost skin.

    ``front`` is the depth of the foremost skin of anybody in a window that starts at (front_x0, front_y0); ``rays``
    (3, 3) maps homogeneous pixels of the image to camera directions; ``normals`` (V, 3) are in the camera's axes.
    """
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0 or depth[y, x] > front[y + y0 - front_y0, x + x0 - front_x0]:
                continue
            wj, wk = bary[y, x, 0], bary[y, x, 1]
            wi = 1.0 - wj - wk
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            nx = wi * normals[i, 0] + wj * normals[j, 0] + wk * normals[k, 0]
            ny = wi * normals[i, 1] + wj * normals[j, 1] + wk * normals[k, 1]
            nz = wi * normals[i, 2] + wj * normals[j, 2] + wk * normals[k, 2]
            px, py = x + x0, y + y0
            rx = rays[0, 0] * px + rays[0, 1] * py + rays[0, 2]
            ry = rays[1, 0] * px + rays[1, 1] * py + rays[1, 2]
            rz = rays[2, 0] * px + rays[2, 1] * py + rays[2, 2]
            size = math.sqrt((nx * nx + ny * ny + nz * nz) * (rx * rx + ry * ry + rz * rz)) + 1e-12
            facing = min(abs(nx * rx + ny * ry + nz * rz) / size, 1.0)
            length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            lit = max((nx * light[0] + ny * light[1] + nz * light[2]) / length, 0.0)
            shade = 0.4 + 0.72 * lit
            rim = 1.0 - facing
            alpha = opacity + (1.0 - opacity) * 0.8 * rim * rim
            for c in range(3):
                value = min(colour[c] * shade, 255.0)
                image[py, px, c] = np.uint8(image[py, px, c] * (1.0 - alpha) + value * alpha + 0.5)


@kernel()
def blend_capsules(image, ends, radii, inverse_depths, colours, waist, alpha, light, own, front, x0, y0):
    """Blend lit round bones (N) in the given order, antialiased, where no *other* person's skin is nearer.

    ``ends`` (N, 2, 2) pixels, ``radii`` (N, 2) pixels, ``inverse_depths`` (N, 2), ``colours`` (N, 3); ``waist`` (N,)
    is the part of the radius missing half-way. ``own`` and ``front`` are depths of this person's and of the foremost
    skin in one window that starts at (x0, y0). Flat discs: pass inverse depths of 0 to draw above everything.
    """
    height, width = image.shape[0], image.shape[1]
    for n in range(ends.shape[0]):
        ax, ay, bx, by = ends[n, 0, 0], ends[n, 0, 1], ends[n, 1, 0], ends[n, 1, 1]
        ra, rb = radii[n, 0], radii[n, 1]
        reach = max(ra, rb) + 1.0
        x_first, x_last = max(0, math.ceil(min(ax, bx) - reach)), min(width - 1, math.floor(max(ax, bx) + reach))
        y_first, y_last = max(0, math.ceil(min(ay, by) - reach)), min(height - 1, math.floor(max(ay, by) + reach))
        dx, dy = bx - ax, by - ay
        length2 = dx * dx + dy * dy
        for y in range(y_first, y_last + 1):
            for x in range(x_first, x_last + 1):
                t = 0.0
                if length2 > 0.0:
                    t = min(max(((x - ax) * dx + (y - ay) * dy) / length2, 0.0), 1.0)
                r = (ra + t * (rb - ra)) * (1.0 - waist[n] * 4.0 * t * (1.0 - t))
                ox, oy = x - ax - t * dx, y - ay - t * dy
                distance = math.sqrt(ox * ox + oy * oy)
                cover = min(max(r - distance + 0.5, 0.0), 1.0)
                if cover <= 0.0:
                    continue
                iz = inverse_depths[n, 0] + t * (inverse_depths[n, 1] - inverse_depths[n, 0])
                shade = 1.0
                if iz > 0.0:
                    wx, wy = x - x0, y - y0
                    if 0 <= wx < front.shape[1] and 0 <= wy < front.shape[0]:
                        nearest = front[wy, wx]
                        if nearest < own[wy, wx] and nearest * iz < 1.0:
                            continue
                    u = min(distance / max(r, 1e-6), 1.0)
                    scale = u / max(distance, 1e-6)
                    lit = ox * scale * light[0] + oy * scale * light[1] - math.sqrt(1.0 - u * u) * light[2]
                    shade = 0.5 + 0.55 * max(lit, 0.0)
                a = alpha[n] * cover
                for c in range(3):
                    value = min(colours[n, c] * shade, 255.0)
                    image[y, x, c] = np.uint8(image[y, x, c] * (1.0 - a) + value * a + 0.5)
