"""Linear blend skinning with sparse weights: the numba twins of :func:`marrow.body.blending.skin_reference`.

One body after the other (:func:`blend_frames`, then :func:`skin_frames`) for a few, sixteen at once
(:func:`skin_lanes`) for many.
"""

# Intrinsics take one argument less than they are written with.
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import numpy as np

from marrow._compile import kernel
from marrow.body._lanes import LANES, address, skin_vertex, skin_vertex_alone, skin_vertex_back, transpose

#: Coordinates that are turned from bodies to lanes and back at a time; a multiple of three and of the lanes.
_WAITING = 192


@kernel(fastmath={"contract"})  # allows a * b + c in one rounding; NaN and infinity keep their meaning
def blend_frames(vertices, coefficients, basis, out):
    """Rest shapes ``vertices + coefficients @ basis`` of T bodies; all float32.

    Nearly all the time goes to reading the basis: once for all bodies, from front to back, eight rows at a time (one
    load and one store of the result for eight products). Rows that no body uses, as of joints at rest, are not read.

    Args:
        vertices (0, 1 or T, m): metres; none is zero.
        coefficients (T, K): of each body.
        basis (K, m).
        out (T, m): written.
    """
    frames, rows, size, last = coefficients.shape[0], coefficients.shape[1], out.shape[1], coefficients.shape[1] - 1
    for t in range(frames):
        source, to = min(t, vertices.shape[0] - 1), out[t]
        for i in range(size):
            to[i] = vertices[source, i] if source >= 0 else np.float32(0)
    c = np.zeros(8, np.float32)
    for k in range(0, rows, 8):
        # Of what stands past the last row the coefficients are zero.
        b0, b1, b2, b3 = basis[k], basis[min(k + 1, last)], basis[min(k + 2, last)], basis[min(k + 3, last)]
        b4, b5, b6 = basis[min(k + 4, last)], basis[min(k + 5, last)], basis[min(k + 6, last)]
        b7 = basis[min(k + 7, last)]
        for t in range(frames):
            used, to = False, out[t]
            for i in range(8):
                c[i] = coefficients[t, k + i] if k + i < rows else np.float32(0)
                used |= c[i] != 0
            if not used:
                continue
            c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
            for i in range(size):
                to[i] += (
                    c0 * b0[i]
                    + c1 * b1[i]
                    + c2 * b2[i]
                    + c3 * b3[i]
                    + c4 * b4[i]
                    + c5 * b5[i]
                    + c6 * b6[i]
                    + c7 * b7[i]
                )


@kernel()
def skin_frames(start, body, weight, vertices, transforms, out):
    """Pose n vertices in T frames; all float32.

    Args:
        start (n + 1,), body (nnz,) int32, weight (nnz,): influences by vertex (CSR).
        vertices (1 or T, n, 3): bind pose, metres.
        transforms (T, J, 12): rows of the 3x4 matrix that carries the bind pose to the frame.
        out (T, n, 3): written; may be ``vertices``.
    """
    for t in range(transforms.shape[0]):
        matrices = address(transforms, t * transforms[0].size)
        rest = t * vertices[0].size if vertices.shape[0] > 1 else 0
        for v in range(vertices.shape[1]):
            k, end = np.int64(start[v]), np.int64(start[v + 1])
            place, to = address(vertices, rest + 3 * v), address(out, t * out[0].size + 3 * v)
            skin_vertex_alone(address(body, 0), address(weight, 0), k, end, matrices, place, to)


@kernel()
def skin_lanes(start, body, weight, rest, transforms, first, out):
    """Pose the vertices ``first ... first + m`` of T bodies; all float32.

    Args:
        start (n + 1,), body (nnz,) int32, weight (nnz,): influences of all vertices (CSR).
        rest (1 or T, 3 m): coordinates of the bind pose, of all bodies or by body.
        transforms (C, J, 12, 16): as those of :func:`skin_frames`, sixteen bodies side by side; 16 C >= T.
        first: the first vertex.
        out (T, n, 3): written.
    """
    frames, width = out.shape[0], 3 * out.shape[1]
    flat = out.reshape(frames, width)
    placed = np.empty((_WAITING, LANES), np.float32)
    moved = np.empty((_WAITING, LANES), np.float32)
    for low in range(0, rest.shape[1], _WAITING):
        rows = min(_WAITING, rest.shape[1] - low)
        for c in range(transforms.shape[0]):
            count = min(LANES, frames - c * LANES)
            if rest.shape[0] > 1 or c == 0:
                _gather(rest, c * LANES, count, low, rows, placed)
            matrices = address(transforms, c * transforms[0].size)
            for i in range(0, rows, 3):
                v = first + (low + i) // 3
                k, end = np.int64(start[v]), np.int64(start[v + 1])
                place, to = address(placed, i * LANES), address(moved, i * LANES)
                skin_vertex(address(body, 0), address(weight, 0), k, end, matrices, place, to)
            _scatter(moved, rows, flat, c * LANES, count, 3 * first + low)


@kernel()
def skin_lanes_back(start, body, weight, rest, transforms, first, grad, to_rest, to_transforms):
    """The reverse of :func:`skin_lanes` for a gradient ``grad`` (T, n, 3) at ``out``.

    ``to_rest`` (T, 3 m) is written (by body, also where ``rest`` is shared), ``to_transforms`` is added to.
    """
    frames, width = grad.shape[0], 3 * grad.shape[1]
    flat = grad.reshape(frames, width)
    placed = np.empty((_WAITING, LANES), np.float32)
    pulled = np.empty((_WAITING, LANES), np.float32)
    to_placed = np.empty((_WAITING, LANES), np.float32)
    for low in range(0, rest.shape[1], _WAITING):
        rows = min(_WAITING, rest.shape[1] - low)
        for c in range(transforms.shape[0]):
            count = min(LANES, frames - c * LANES)
            if rest.shape[0] > 1 or c == 0:
                _gather(rest, c * LANES, count, low, rows, placed)
            pulled[:] = 0
            to_placed[:] = 0
            _gather(flat, c * LANES, count, 3 * first + low, rows, pulled)
            matrices = address(transforms, c * transforms[0].size)
            to_matrices = address(to_transforms, c * transforms[0].size)
            for i in range(0, rows, 3):
                v = first + (low + i) // 3
                k, end = np.int64(start[v]), np.int64(start[v + 1])
                place, grad_at, to = (
                    address(placed, i * LANES),
                    address(pulled, i * LANES),
                    address(to_placed, i * LANES),
                )
                skin_vertex_back(
                    address(body, 0), address(weight, 0), k, end, matrices, place, grad_at, to_matrices, to
                )  # fmt: skip
            _scatter(to_placed, rows, to_rest, c * LANES, count, low)


@kernel()
def _gather(source, body, count, low, rows, to):
    """Columns ``low ... low + rows`` of ``count`` bodies as rows of sixteen; where there is one body, it is all."""
    if source.shape[0] == 1:
        for i in range(rows):
            to[i] = source[0, low + i]
        return
    whole = rows - rows % LANES if count == LANES else 0
    for i in range(0, whole, LANES):
        transpose(address(source, body * source.shape[1] + low + i), source.shape[1], address(to, i * LANES), LANES)
    for t in range(count):
        for i in range(whole, rows):
            to[i, t] = source[body + t, low + i]


@kernel()
def _scatter(rows_of_lanes, rows, to, body, count, low):
    """The reverse of :func:`_gather` (by body)."""
    whole = rows - rows % LANES if count == LANES else 0
    for i in range(0, whole, LANES):
        transpose(address(rows_of_lanes, i * LANES), LANES, address(to, body * to.shape[1] + low + i), to.shape[1])
    for t in range(count):
        for i in range(whole, rows):
            to[body + t, low + i] = rows_of_lanes[i, t]
