"""Linear blend skinning with sparse weights: the numba twins of :func:`marrow.body.skinning.skin_reference`.

One body after the other (:func:`skin_frames`) for a few, sixteen at once (:func:`skin_lanes`) for many.
"""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel
from marrow.body._lanes import LANES, address, skin_vertex, skin_vertex_back, transpose

#: Vertices whose results wait in the cache before they are written body by body; a multiple of LANES.
_WAITING = 64


@kernel()
def skin_frames(start, body, weight, vertices, transforms, out):
    """Pose n vertices in T frames; all float32.

    Args:
        start (n + 1,), body (nnz,) int32, weight (nnz,): influences by vertex (CSR).
        vertices (1 or T, n, 3): bind pose, metres.
        transforms (T, J, 12): rows of the 3x4 matrix that carries the bind pose to the frame.
        out (T, n, 3): written.
    """
    for t in range(transforms.shape[0]):
        matrices, rest = transforms[t], vertices[t if vertices.shape[0] > 1 else 0]
        for v in range(rest.shape[0]):
            x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
            ox = oy = oz = x * 0
            for k in range(start[v], start[v + 1]):
                m = matrices[body[k]]
                w = weight[k]
                ox += w * (m[0] * x + m[1] * y + m[2] * z + m[3])
                oy += w * (m[4] * x + m[5] * y + m[6] * z + m[7])
                oz += w * (m[8] * x + m[9] * y + m[10] * z + m[11])
            out[t, v, 0] = ox
            out[t, v, 1] = oy
            out[t, v, 2] = oz


@kernel()
def skin_lanes(start, body, weight, rest, transforms, first, out):
    """Pose the vertices ``first ... first + m`` of T bodies; all float32.

    Args:
        start (n + 1,), body (nnz,) int32, weight (nnz,): influences of all vertices (CSR).
        rest (3 m, 16 C): coordinates of the bind pose by body, or (3 m, 1) of all bodies.
        transforms (C, J, 12, 16): as those of :func:`skin_frames`, sixteen bodies side by side; 16 C >= T.
        first: the first vertex.
        out (T, n, 3): written.
    """
    shared = rest.shape[1] == 1
    spread = np.empty((3 * _WAITING, LANES), np.float32)
    moved = np.empty((3 * _WAITING, LANES), np.float32)
    width = 3 * out.shape[1]
    for low in range(0, rest.shape[0], 3 * _WAITING):
        rows = min(3 * _WAITING, rest.shape[0] - low)
        if shared:
            for i in range(rows):
                spread[i] = rest[low + i, 0]
        for c in range(transforms.shape[0]):
            matrices = address(transforms, c * transforms[0].size)
            for i in range(0, rows, 3):
                v = first + (low + i) // 3
                if shared:
                    place, step = address(spread, i * LANES), LANES
                else:
                    place, step = address(rest, (low + i) * rest.shape[1] + c * LANES), rest.shape[1]
                k, end = np.int64(start[v]), np.int64(start[v + 1])
                skin_vertex(
                    address(body, 0), address(weight, 0), k, end, matrices, place, step, address(moved, i * LANES)
                )
            count, column = min(LANES, out.shape[0] - c * LANES), 3 * first + low
            whole = rows - rows % LANES if count == LANES else 0
            for i in range(0, whole, LANES):
                to = address(out, c * LANES * width + column + i)
                transpose(address(moved, i * LANES), LANES, to, width)
            for t in range(count):
                for i in range(whole, rows):
                    out[c * LANES + t, (column + i) // 3, i % 3] = moved[i, t]


@kernel()
def skin_lanes_back(start, body, weight, rest, transforms, first, grad, to_rest, to_transforms):
    """The reverse of :func:`skin_lanes` for a gradient ``grad`` (T, n, 3) at ``out``.

    ``to_rest`` (as ``rest``) is written, ``to_transforms`` (C, J, 12, 16) is added to.
    """
    shared = rest.shape[1] == 1
    spread = np.empty((3 * _WAITING, LANES), np.float32)
    spread_grad = np.empty((3 * _WAITING, LANES), np.float32)
    pulled = np.zeros((3 * _WAITING, LANES), np.float32)
    width = 3 * grad.shape[1]
    to_rest[:] = 0
    for low in range(0, rest.shape[0], 3 * _WAITING):
        rows = min(3 * _WAITING, rest.shape[0] - low)
        if shared:
            spread_grad[:] = 0
            for i in range(rows):
                spread[i] = rest[low + i, 0]
        for c in range(transforms.shape[0]):
            count, column = min(LANES, grad.shape[0] - c * LANES), 3 * first + low
            whole = rows - rows % LANES if count == LANES else 0
            for i in range(0, whole, LANES):
                source = address(grad, c * LANES * width + column + i)
                transpose(source, width, address(pulled, i * LANES), LANES)
            for i in range(whole, rows):
                pulled[i] = 0
                for t in range(count):
                    pulled[i, t] = grad[c * LANES + t, (column + i) // 3, i % 3]
            for i in range(0, rows, 3):
                v = first + (low + i) // 3
                if shared:
                    place, step = address(spread, i * LANES), LANES
                    to_place = address(spread_grad, i * LANES)
                else:
                    offset, step = (low + i) * rest.shape[1] + c * LANES, rest.shape[1]
                    place, to_place = address(rest, offset), address(to_rest, offset)
                k, end = np.int64(start[v]), np.int64(start[v + 1])
                block = c * transforms[0].size
                skin_vertex_back(
                    address(body, 0), address(weight, 0), k, end, address(transforms, block), place, step,
                    address(pulled, i * LANES), address(to_transforms, block), to_place, step,
                )  # fmt: skip
        if shared:
            for i in range(rows):
                to_rest[low + i, 0] = spread_grad[i].sum()
