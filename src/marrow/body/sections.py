"""Plane sections of a surface, and the tape measure around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from marrow.types import Float64


@dataclass(frozen=True)
class Plane:
    """All points x with ``(x - origin) @ normal = 0``; origin (3,) metres, normal (3,) of length one."""

    origin: Float64
    normal: Float64


def level(height: float) -> Plane:
    """The level plane at a height in metres."""
    return Plane(np.array([0.0, height, 0.0]), np.array([0.0, 1.0, 0.0]))


def across(start: Float64, end: Float64, share: float) -> Plane:
    """The plane across the line between two points (3,), at a share of the way."""
    along = end - start
    return Plane(start + share * along, along / np.linalg.norm(along))


class Cut(NamedTuple):
    """Where a plane cuts the edges of a surface: points (n, 3) metres, and the edges' ends (n, 2), vertices."""

    points: Float64
    edges: NDArray[np.int64]


def section(vertices: Float64, faces: NDArray[np.integer], plane: Plane) -> list[Cut]:
    """The connected pieces of a surface's section with a plane, each in no order.

    Args:
        vertices: (V, 3) metres.
        faces: (F, 3) triangles; of a closed surface, each piece is a closed loop.
    """
    height = (vertices - plane.origin) @ plane.normal
    above = height > 0.0  # a vertex in the plane counts as below it, so every cut face has two cut edges
    a, b, c = (above[faces[:, k]] for k in range(3))
    cut = faces[(a != b) | (b != c)]
    if len(cut) == 0:
        return []
    edges = np.stack([cut, np.roll(cut, -1, axis=1)], -1)
    edges = edges[above[edges[..., 0]] != above[edges[..., 1]]]  # (2 F', 2), two of each face
    low, high = np.sort(edges, axis=1).T.astype(np.int64)
    keys, of_face = np.unique(low * len(vertices) + high, return_inverse=True)
    ends = np.stack(np.divmod(keys, len(vertices)), 1)
    points = cut_points(vertices, ends, plane)
    pair = of_face.reshape(-1, 2)
    graph = coo_array((np.ones(len(pair)), (pair[:, 0], pair[:, 1])), shape=(len(ends), len(ends)))
    count, piece = connected_components(graph, directed=False)
    return [Cut(points[piece == i], ends[piece == i]) for i in range(count)]


def cut_points(vertices: Float64, edges: NDArray[np.integer], plane: Plane) -> Float64:
    """Where a plane cuts the lines of edges (n, 2): (n, 3), beyond an end where it does not lie between the two."""
    start, end = vertices[edges[:, 0]], vertices[edges[:, 1]]
    a, b = (start - plane.origin) @ plane.normal, (end - plane.origin) @ plane.normal
    return start + (a / (a - b))[:, None] * (end - start)


def slab(vertices: Float64, faces: NDArray[np.integer], first: Plane, last: Plane) -> NDArray[np.integer]:
    """The faces (n, 3) that parallel planes between two can cut."""
    height = (vertices - first.origin) @ first.normal
    a, b, c = (height[faces[:, k]] for k in range(3))
    top = np.maximum(np.maximum(a, b), c) >= 0.0
    return faces[top & (np.minimum(np.minimum(a, b), c) <= (last.origin - first.origin) @ first.normal)]


def tape(points: Float64, normal: Float64) -> NDArray[np.integer]:
    """Which of the points (n, 3) of a plane a tape measure around them touches: the corners of their convex hull."""
    try:
        return ConvexHull(points @ _axes(normal).T).vertices
    except (QhullError, ValueError):  # fewer than three points, or all in a line
        return np.arange(len(points))


def perimeter(ring: Float64) -> float:
    """Length of the closed line through corners (k, 3), metres."""
    return float(np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum())


def _axes(normal: Float64) -> Float64:
    """Two unit vectors (2, 3) across a unit vector."""
    x, y, z = normal.tolist()
    first = np.array([0.0, z, -y] if abs(x) <= max(abs(y), abs(z)) else [z, 0.0, -x])
    first /= np.linalg.norm(first)
    return np.array([first, np.cross(normal, first)], float)
