"""Distances between many segments, compiled; the plain twin is :func:`marrow.data.synth.collisions.distance`."""

from __future__ import annotations

import numpy as np

from marrow._compile import kernel


@kernel()
def overlaps(ends, pairs, reach, out):
    """``out (T, P) = reach (P,) -`` the least distance between the segments ``pairs (P, 2)`` of ``ends (T, N, 2, 3)``.

    After Ericson 2005, Real-Time Collision Detection, 5.1.9.
    """
    for t in range(ends.shape[0]):
        for k in range(pairs.shape[0]):
            i, j = pairs[k, 0], pairs[k, 1]
            A, B, C, E, F = 0.0, 0.0, 0.0, 0.0, 0.0
            for x in range(3):
                u = ends[t, i, 1, x] - ends[t, i, 0, x]
                v = ends[t, j, 1, x] - ends[t, j, 0, x]
                w = ends[t, i, 0, x] - ends[t, j, 0, x]
                A, B, C, E, F = A + u * u, B + u * v, C + u * w, E + v * v, F + v * w
            A, E = max(A, 1e-12), max(E, 1e-12)
            down = A * E - B * B
            s = 0.0
            if down > 1e-9 * A * E:
                s = min(max((B * F - C * E) / down, 0.0), 1.0)
            r = min(max((B * s + F) / E, 0.0), 1.0)
            s = min(max((B * r - C) / A, 0.0), 1.0)
            apart = 0.0
            for x in range(3):
                u = ends[t, i, 1, x] - ends[t, i, 0, x]
                v = ends[t, j, 1, x] - ends[t, j, 0, x]
                w = ends[t, i, 0, x] - ends[t, j, 0, x]
                d = w + s * u - r * v
                apart += d * d
            out[t, k] = reach[k] - np.sqrt(apart)


@kernel()
def around(points, start, end, centre):
    """Mean distance of points (N, 3) beside a line from their middle, which goes to ``centre`` (3,) from the line.

    Points before ``start`` and behind ``end`` are left out; NaN where there are no others.
    """
    along = end - start
    squared = along[0] ** 2 + along[1] ** 2 + along[2] ** 2
    away = np.empty((points.shape[0], 3))
    count = 0
    centre[:] = 0.0
    for i in range(points.shape[0]):
        t = 0.0
        for c in range(3):
            away[count, c] = points[i, c] - start[c]
            t += away[count, c] * along[c]
        t /= squared
        if not 0.0 < t < 1.0:
            continue
        for c in range(3):
            away[count, c] -= t * along[c]
            centre[c] += away[count, c]
        count += 1
    centre /= count
    total = 0.0
    for i in range(count):
        x, y, z = away[i, 0] - centre[0], away[i, 1] - centre[1], away[i, 2] - centre[2]
        total += np.sqrt(x * x + y * y + z * z)
    return total / count
