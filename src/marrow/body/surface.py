"""Points on a triangle mesh: the nearest ones to given points, kept as corners with weights that any pose can carry."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float64

#: Triangles whose middles are nearest are looked at exactly, this many for each point.
_CANDIDATES = 24
#: A triangle that faces the other way counts as this much further away, metres.
_AVERSE = 0.05
_AT_ONCE = 4096


class SurfacePoints(NamedTuple):
    """N points fixed to a mesh of triangles.

    Attributes:
        corners: (N, 3) vertices of the triangle that each lies on.
        weights: (N, 3) of its corners; not negative, the sum is one.
    """

    corners: NDArray[np.int32]
    weights: Float64

    def of(self, vertices: NDArray) -> NDArray:
        """Their places (..., N, 3) on a mesh whose vertices are (..., V, 3)."""
        return (vertices[..., self.corners, :] * self.weights[:, :, None].astype(vertices.dtype)).sum(-2)

    def rows(self, ids: NDArray[np.intp]) -> SurfacePoints:
        """Some of them."""
        return SurfacePoints(self.corners[ids], self.weights[ids])

    def compact(self) -> tuple[NDArray[np.intp], SurfacePoints]:
        """The vertices (n,) that they lie on, and the same points on a mesh of those alone."""
        ids, place = np.unique(self.corners, return_inverse=True)
        return ids.astype(np.intp), SurfacePoints(place.reshape(-1, 3).astype(np.int32), self.weights)


def vertex_normals(vertices: NDArray, faces: NDArray) -> Float64:
    """(V, 3) unit normals, each face counting by its area; zero where a vertex has no face."""
    x = np.asarray(vertices, float)
    own = np.cross(x[faces[:, 1]] - x[faces[:, 0]], x[faces[:, 2]] - x[faces[:, 0]])
    out = np.zeros_like(x)
    for corner in range(3):
        np.add.at(out, faces[:, corner], own)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-30)


def nearest_on_surface(
    points: NDArray, vertices: NDArray, faces: NDArray, normals: NDArray | None = None
) -> SurfacePoints:
    """The point of a mesh nearest to each of ``points``.

    Args:
        points: (N, 3) metres.
        vertices, faces: (V, 3) and (F, 3) of the mesh, whose triangles are about as long as wide.
        normals: (N, 3) outward; then the surface must face the same way, so that a point on the inside of the upper
            arm does not fall onto the chest. Where nothing near does, the nearest of all is taken.
    """
    from scipy.spatial import KDTree

    p, corners = np.asarray(points, float), np.asarray(vertices, float)[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing /= np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-30)
    count = min(_CANDIDATES, len(corners))
    near = KDTree(corners.mean(1)).query(p, count)[1].reshape(len(p), count)
    chosen, weights = np.empty(len(p), np.int64), np.empty((len(p), 3))
    for start in range(0, len(p), _AT_ONCE):
        at = slice(start, start + _AT_ONCE)
        own = _nearest_in_triangle(p[at, None], corners[near[at]])
        away = np.linalg.norm((own[..., None] * corners[near[at]]).sum(-2) - p[at, None], axis=-1)
        if normals is not None:
            away += _AVERSE * ((facing[near[at]] * normals[at, None]).sum(-1) < 0.2)
        best = away.argmin(1)
        rows = np.arange(len(best))
        chosen[at], weights[at] = near[at][rows, best], own[rows, best]
    return SurfacePoints(np.asarray(faces)[chosen].astype(np.int32), weights)


def _nearest_in_triangle(p: Float64, corners: Float64) -> Float64:
    """Weights (..., 3) of the corners (..., 3, 3) of the triangles' points nearest to ``p`` (..., 3)."""
    a, b, c = np.moveaxis(
        np.broadcast_to(corners, (*np.broadcast_shapes(p.shape[:-1], corners.shape[:-2]), 3, 3)), -2, 0
    )
    ab, ac, ap = b - a, c - a, p - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    within = np.stack([1 - v - w, v, w], -1)
    edges = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, along = (a, b, c)[first], (a, b, c)[second] - (a, b, c)[first]
        share = ((p - start) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-30)
        share = np.clip(share, 0.0, 1.0)
        weights = np.zeros_like(within)
        weights[..., first], weights[..., second] = 1 - share, share
        edges.append(weights)
    choices = np.stack(edges)
    reached = choices[..., 0, None] * a + choices[..., 1, None] * b + choices[..., 2, None] * c
    best = np.linalg.norm(reached - p, axis=-1).argmin(0)
    on_edge = np.take_along_axis(choices, best[None, ..., None], 0)[0]
    return np.where((within >= 0).all(-1, keepdims=True), within, on_edge)
