"""Linear blend skinning with sparse weights: the numba twin of :func:`marrow.body.skinning.skin_reference`."""

from __future__ import annotations

from marrow._compile import kernel


@kernel()
def skin_frames(start, body, weight, vertices, transforms, out):
    """Pose n vertices in T frames; all float32.

    Args:
        start (n + 1,), body (nnz,) int32, weight (nnz,): influences by vertex (CSR).
        vertices (n, 3): bind pose, metres.
        transforms (T, B, 12): rows of the 3x4 matrix that carries the bind pose to the frame.
        out (T, n, 3): written.
    """
    for t in range(transforms.shape[0]):
        matrices = transforms[t]
        for v in range(vertices.shape[0]):
            x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
            first = start[v]
            last = start[v + 1]
            ox = oy = oz = vertices[v, 0] * 0
            for k in range(first, last):
                m = matrices[body[k]]
                w = weight[k]
                ox += w * (m[0] * x + m[1] * y + m[2] * z + m[3])
                oy += w * (m[4] * x + m[5] * y + m[6] * z + m[7])
                oz += w * (m[8] * x + m[9] * y + m[10] * z + m[11])
            out[t, v, 0] = ox
            out[t, v, 1] = oy
            out[t, v, 2] = oz
