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
def coded_normals(ids, bary, faces, vertices, normals, R, eye, axis, out):
    """``out`` (H, W, 3) uint8: unit normals in the camera's axes as (n + 1) / 2 x 255, at least 1; 0 nothing seen.

    ``vertices`` and ``normals`` (V, 3) are the world's, ``R`` (3, 3) leads to the camera's axes. Of faces seen from
    behind, as a cloth's inside is, they are turned over; the camera is at ``eye``, or looks along ``axis`` if that is
    not zero (orthographic).
    """
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            f = ids[y, x]
            if f < 0:
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = 0
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            wj, wk = bary[y, x, 0], bary[y, x, 1]
            wi = np.float32(1.0) - wj - wk
            a = wi * normals[i, 0] + wj * normals[j, 0] + wk * normals[k, 0]
            b = wi * normals[i, 1] + wj * normals[j, 1] + wk * normals[k, 1]
            c = wi * normals[i, 2] + wj * normals[j, 2] + wk * normals[k, 2]
            scale = np.float32(1.0) / max(math.sqrt(a * a + b * b + c * c), np.float32(1e-6))
            ux, uy, uz = (
                vertices[j, 0] - vertices[i, 0],
                vertices[j, 1] - vertices[i, 1],
                vertices[j, 2] - vertices[i, 2],
            )
            vx, vy, vz = (
                vertices[k, 0] - vertices[i, 0],
                vertices[k, 1] - vertices[i, 1],
                vertices[k, 2] - vertices[i, 2],
            )
            rx, ry, rz = axis[0], axis[1], axis[2]
            if rx == 0.0 and ry == 0.0 and rz == 0.0:
                rx, ry, rz = vertices[i, 0] - eye[0], vertices[i, 1] - eye[1], vertices[i, 2] - eye[2]
            if (uy * vz - uz * vy) * rx + (uz * vx - ux * vz) * ry + (ux * vy - uy * vx) * rz > 0.0:
                scale = -scale
            for n in range(3):
                value = (R[n, 0] * a + R[n, 1] * b + R[n, 2] * c) * scale
                out[y, x, n] = np.uint8(min(max(math.floor((value + 1.0) * 127.5 + 0.5), 1.0), 255.0))


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
