"""Compiled twins of :mod:`marrow.render.visibility`."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel


@kernel()
def guidance(ids, bary, faces, normals, R, uv_faces, uv, part, by_face, out_normal, out_uv, out_part):
    """All guidance maps in one pass over the pixels; see :func:`marrow.render.visibility.guidance`."""
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0:
                for c in range(3):
                    out_normal[y, x, c] = 0.0
                for c in range(2):
                    out_uv[y, x, c] = 0.0
                out_part[y, x] = -1
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            wj, wk = bary[y, x, 0], bary[y, x, 1]
            wi = np.float32(1.0) - wj - wk
            nx = wi * normals[i, 0] + wj * normals[j, 0] + wk * normals[k, 0]
            ny = wi * normals[i, 1] + wj * normals[j, 1] + wk * normals[k, 1]
            nz = wi * normals[i, 2] + wj * normals[j, 2] + wk * normals[k, 2]
            size = math.sqrt(nx * nx + ny * ny + nz * nz)
            scale = np.float32(1.0 / size if size > 0.0 else 0.0)
            for c in range(3):
                out_normal[y, x, c] = (R[c, 0] * nx + R[c, 1] * ny + R[c, 2] * nz) * scale
            a, b, d = uv_faces[f, 0], uv_faces[f, 1], uv_faces[f, 2]
            for c in range(2):
                out_uv[y, x, c] = wi * uv[a, c] + wj * uv[b, c] + wk * uv[d, c]
            if by_face:
                out_part[y, x] = part[f]
            elif wi >= wj and wi >= wk:
                out_part[y, x] = part[i]
            else:
                out_part[y, x] = part[j] if wj >= wk else part[k]


@kernel()
def seen_share(xy, depth, map_depth, map_owner, person, inside, tolerance, x0, y0, out):
    """``out`` (N,): bilinear share of the four pixels around each point that do not hide it; -1 out of the picture.

    A pixel hides what lies more than ``tolerance`` behind it, but one whose owner is ``person`` only what lies more
    than ``inside`` (N,) behind it.
    """
    height, width = map_depth.shape
    for n in range(xy.shape[0]):
        x, y = xy[n, 0] - x0, xy[n, 1] - y0
        out[n] = -1.0
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            continue
        i, j = math.floor(x), math.floor(y)
        fx, fy = x - i, y - j
        share = 0.0
        for corner in range(4):
            right, below = corner & 1, corner >> 1
            w = (fx if right else 1.0 - fx) * (fy if below else 1.0 - fy)
            px, py = min(max(int(i) + right, 0), width - 1), min(max(int(j) + below, 0), height - 1)
            allowed = inside[n] if person >= 0 and map_owner[py, px] == person else tolerance
            if depth[n] <= map_depth[py, px] + allowed:
                share += w
        out[n] = share
