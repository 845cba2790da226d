"""Solid shapes as signed distances (negative inside), their blends, and the surface mesh of such a solid.

A shape is a function of points (N, 3) to distances (N,), in millimetres. Distances need only be right near the surface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

Points = np.ndarray
Shape = Callable[[Points], np.ndarray]


def unit(v: Sequence[float] | np.ndarray) -> np.ndarray:
    v = np.asarray(v, float)
    return v / np.linalg.norm(v)


def frame(along: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Columns: forward, along, beside made orthogonal to ``along`` (right-handed: forward = along x beside)."""
    y = unit(along)
    z = unit(beside - (beside @ y) * y)
    return np.stack([np.cross(y, z), y, z], -1)


def ball(centre: np.ndarray, radius: float) -> Shape:
    return lambda x: np.linalg.norm(x - centre, axis=-1) - radius


def ellipsoid(centre: np.ndarray, radii: Sequence[float], axes: np.ndarray | None = None) -> Shape:
    """Columns of ``axes`` are the directions of the radii; by default the world's."""
    r = np.asarray(radii, float)
    axes = np.eye(3) if axes is None else axes

    def f(x: Points) -> np.ndarray:
        q = (x - centre) @ axes
        k = np.linalg.norm(q / r, axis=-1)
        g = np.linalg.norm(q / r**2, axis=-1)
        return k * (k - 1.0) / np.maximum(g, 1e-9)

    return f


def box(centre: np.ndarray, half: Sequence[float], rounding: float, axes: np.ndarray | None = None) -> Shape:
    axes = np.eye(3) if axes is None else axes
    inner = np.asarray(half, float) - rounding

    def f(x: Points) -> np.ndarray:
        q = np.abs((x - centre) @ axes) - inner
        return np.linalg.norm(np.maximum(q, 0.0), axis=-1) + np.minimum(q.max(-1), 0.0) - rounding

    return f


def spline(points: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Catmull-Rom curve through points (n, d) at ``count`` places, evenly in the parameter."""
    p = np.asarray(points, float)
    if len(p) == 2:
        t = np.linspace(0, 1, count)[:, None]
        return p[0] * (1 - t) + p[1] * t
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    s = np.linspace(0, len(p) - 3 - 1e-9, count)
    i = s.astype(int)
    t = (s - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def tube(points: Sequence[np.ndarray], radii: Sequence[float] | float, count: int = 0) -> Shape:
    """A round tube along a smooth curve; radii at the given points are interpolated likewise."""
    p = np.asarray(points, float)
    r = np.full(len(p), radii, float) if np.isscalar(radii) else np.asarray(radii, float)
    n = count or max(2, 5 * (len(p) - 1) + 1)
    if len(p) == 2:
        n = 2
    curve = spline(np.concatenate([p, r[:, None]], 1), n)

    def f(x: Points) -> np.ndarray:
        return np.min([_from_segment(x, a, b) for a, b in pairwise(curve)], axis=0)

    return f


def squeezed(shape: Shape, centre: np.ndarray, direction: np.ndarray, factor: float) -> Shape:
    """The shape scaled by ``factor`` along a direction about a centre."""
    n = unit(direction)

    def f(x: Points) -> np.ndarray:
        h = (x - centre) @ n
        return shape(x + ((1.0 / factor - 1.0) * h)[:, None] * n) * min(1.0, factor)

    return f


def sheet(rows: Sequence[Sequence[np.ndarray]], thickness: float | np.ndarray, fine: int = 3) -> Shape:
    """A curved plate through a grid of points; ``thickness`` is half of it, one number or one per grid point."""
    grid = np.asarray(rows, float)
    half = np.broadcast_to(np.asarray(thickness, float), grid.shape[:2])
    grid = np.concatenate([grid, half[..., None]], -1)
    grid = np.stack([spline(row, fine * (grid.shape[1] - 1) + 1) for row in grid])
    grid = np.stack([spline(column, fine * (len(rows) - 1) + 1) for column in grid.transpose(1, 0, 2)], 1)
    triangles = []
    for i in range(grid.shape[0] - 1):
        for j in range(grid.shape[1] - 1):
            a, b, c, d = grid[i, j], grid[i, j + 1], grid[i + 1, j + 1], grid[i + 1, j]
            triangles += [(a, b, c), (a, c, d)]

    def f(x: Points) -> np.ndarray:
        out = np.full(len(x), np.inf)
        for corners in triangles:
            out = np.minimum(out, _from_triangle(x, np.asarray(corners)))
        return out

    return f


def _from_triangle(x: Points, t: np.ndarray) -> np.ndarray:
    """Distance from a triangle (3, 4), less its half thickness in the fourth column."""
    a, b, c = t[:, :3]
    n = np.cross(b - a, c - a)
    out = np.min([_from_segment(x, t[i], t[(i + 1) % 3]) for i in range(3)], axis=0)
    if n @ n < 1e-9:
        return out
    shares = np.stack([(x - p) @ np.cross(n, q - p) for p, q in ((b, c), (c, a), (a, b))], -1) / (n @ n)
    flat = np.abs((x - a) @ n) / np.linalg.norm(n) - shares @ t[:, 3]
    return np.where((shares >= 0).all(-1), np.minimum(out, flat), out)


def _from_segment(x: Points, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    d = b[:3] - a[:3]
    t = np.clip((x - a[:3]) @ d / max(d @ d, 1e-9), 0.0, 1.0)
    return np.linalg.norm(x - a[:3] - t[:, None] * d, axis=-1) - (a[3] + t * (b[3] - a[3]))


def blend(shapes: Sequence[Shape], k: float) -> Shape:
    """Union whose seams are filled over some ``k`` millimetres."""

    def f(x: Points) -> np.ndarray:
        out = shapes[0](x)
        for shape in shapes[1:]:
            d = shape(x)
            h = np.maximum(k - np.abs(out - d), 0.0) / k
            out = np.minimum(out, d) - h * h * k / 4
        return out

    return f


def without(shape: Shape, cut: Shape, k: float) -> Shape:
    """The shape less another one, edges rounded over ``k`` millimetres."""

    def f(x: Points) -> np.ndarray:
        a, b = shape(x), -cut(x)
        h = np.maximum(k - np.abs(a - b), 0.0) / k
        return np.maximum(a, b) + h * h * k / 4

    return f


def mesh(shape: Shape, low: np.ndarray, high: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) of the solid within a box, by surface nets; the largest piece only.

    One vertex for each cell that the surface crosses, in the middle of its crossings, then drawn onto the surface.
    """
    n = np.ceil((high - low) / cell).astype(int) + 1
    axes = [low[i] + cell * np.arange(n[i]) for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    value = np.concatenate([shape(part) for part in np.array_split(grid, max(1, len(grid) // 200_000))]).reshape(n)
    value = np.where(value == 0.0, 1e-6, value)
    inside = value < 0
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    count = sum(inside[i : n[0] - 1 + i, j : n[1] - 1 + j, k : n[2] - 1 + k].astype(int) for i, j, k in corners)
    crossed = (count > 0) & (count < 8)
    where = np.argwhere(crossed)
    number = np.full(crossed.shape, -1)
    number[crossed] = np.arange(len(where))
    total, hits = np.zeros((len(where), 3)), np.zeros(len(where))
    for a in range(8):
        for b in range(a + 1, 8):
            if np.abs(corners[a] - corners[b]).sum() != 1:
                continue
            va, vb = (value[tuple((where + corners[c]).T)] for c in (a, b))
            cut = (va < 0) != (vb < 0)
            t = np.where(cut, va / np.where(cut, va - vb, 1.0), 0.0)
            place = corners[a] + t[:, None] * (corners[b] - corners[a])
            total[cut] += place[cut]
            hits[cut] += 1
    vertices = low + cell * (where + total / hits[:, None])
    vertices = _drawn(shape, vertices, cell)
    return _largest(vertices, _quads(inside, number))


def _quads(inside: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Two triangles for each grid edge that the surface crosses."""
    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        first, second = np.moveaxis(inside, axis, 0)[:-1], np.moveaxis(inside, axis, 0)[1:]
        at = np.argwhere(first != second)
        sense = first[tuple(at.T)]
        rest = [i for i in range(3) if i != axis]
        cell = np.empty_like(at)
        cell[:, axis], cell[:, rest[0]], cell[:, rest[1]] = at[:, 0], at[:, 1], at[:, 2]
        keep = (cell[:, u] > 0) & (cell[:, v] > 0)
        cell, sense = cell[keep], sense[keep]
        step_u, step_v = np.eye(3, dtype=int)[u], np.eye(3, dtype=int)[v]
        q = [number[tuple((cell - s).T)] for s in (0 * step_u, step_u, step_u + step_v, step_v)]
        a, b, c, d = (np.where(sense, q[i], q[j]) for i, j in ((0, 0), (1, 3), (2, 2), (3, 1)))
        faces += [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    return np.concatenate(faces)


def _drawn(shape: Shape, x: np.ndarray, cell: float) -> np.ndarray:
    """Vertices moved onto the surface by two Newton steps, at most half a cell."""
    start, h = x.copy(), 0.05 * cell
    for _ in range(2):
        d = shape(x)
        g = np.stack([shape(x + h * e) - shape(x - h * e) for e in np.eye(3)], -1) / (2 * h)
        x = x - (d / np.maximum((g * g).sum(-1), 0.05))[:, None] * g
        x = start + np.clip(x - start, -0.4 * cell, 0.4 * cell)
    return x


def _largest(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if (faces < 0).any():
        raise ValueError("the solid leaves its box")
    n = len(vertices)
    edges = coo_array((np.ones(2 * len(faces)), (faces[:, :2].T.ravel(), faces[:, 1:].T.ravel())), shape=(n, n))
    label = connected_components(edges, directed=False)[1]
    keep = label == np.bincount(label).argmax()
    faces = faces[keep[faces].all(1)]
    back = np.cumsum(keep) - 1
    return vertices[keep], back[faces]
