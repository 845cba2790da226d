"""Distances along a surface, as of the geodesic errors of dense correspondence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.cache import cache_dir
from marrow.errors import InputError
from marrow.io.files import write_atomically
from marrow.types import Float32, Float64

#: Pairs compared at once.
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Geodesics:
    """Distances along a mesh between any two of its V vertices, by way of L landmarks.

    To a landmark the distance is Dijkstra's; between two vertices it is the largest difference of their distances to a
    landmark, which no path can be shorter than, and which is the distance where a landmark lies beyond one of them.

    Attributes:
        to_landmarks: (V, L) metres.
    """

    to_landmarks: Float32

    def between(self, first: ArrayLike, second: ArrayLike) -> Float64:
        """Distances of vertices (N,) from vertices (N,), metres."""
        a, b = np.asarray(first).ravel(), np.asarray(second).ravel()
        if a.shape != b.shape:
            raise InputError(f"between: expected as many vertices on both sides, got {len(a)} and {len(b)}")
        out = np.empty(len(a))
        for start in range(0, len(a), _AT_ONCE):
            at = slice(start, start + _AT_ONCE)
            out[at] = np.abs(self.to_landmarks[a[at]] - self.to_landmarks[b[at]]).max(1)
        return out


def geodesics(vertices: ArrayLike, faces: ArrayLike, landmarks: int = 600) -> Geodesics:
    """Of a mesh (some seconds the first time, then from marrow's cache).

    Args:
        vertices: (V, 3) metres.
        faces: (F, 3) triangles.
        landmarks: spread over the surface, each as far from those before as can be.
    """
    x, triangles = np.asarray(vertices, float), np.asarray(faces, np.int64)
    key = hashlib.sha256(x.astype(np.float32).tobytes() + triangles.tobytes() + bytes(str(landmarks), "ascii"))
    path = cache_dir() / "geodesics" / f"{key.hexdigest()[:16]}.npy"
    if path.is_file():
        return Geodesics(np.load(path, allow_pickle=False))
    graph = surface_graph(x, triangles)
    found = Geodesics(_to_landmarks(graph, min(landmarks, len(x))))
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        np.save(file, found.to_landmarks, allow_pickle=False)
    return found


def surface_graph(vertices: Float64, faces: NDArray[np.int64]) -> Any:
    """Sparse (V, V) lengths of edges and of the diagonals over them, all in one piece.

    A diagonal joins the corners opposite a common edge of two triangles, at its length when both are laid flat: with
    edges alone, paths zigzag and are some 8 % too long. Pieces that do not hang together (an eyeball) are tied to
    the nearest vertices of the largest.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    sides = np.concatenate([faces[:, [0, 1, 2]], faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]])  # edge, corner opposite
    edges = np.sort(sides[:, :2], 1)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, opposite = edges[order], sides[order, 2]
    shared = np.flatnonzero((edges[1:] == edges[:-1]).all(1))
    a, b = vertices[edges[shared, 0]], vertices[edges[shared, 1]]
    flat = [_in_plane(a, b, vertices[opposite[shared + k]]) for k in (0, 1)]
    diagonal = np.hypot(flat[0][0] - flat[1][0], flat[0][1] + flat[1][1])
    # the straight line leaves both triangles where it does not cross their common edge
    share = flat[0][1] / np.maximum(flat[0][1] + flat[1][1], 1e-12)
    crosses = flat[0][0] + share * (flat[1][0] - flat[0][0])
    inside = (crosses > 0) & (crosses < np.linalg.norm(b - a, axis=1))
    pairs = [edges, np.stack([opposite[shared], opposite[shared + 1]], 1)[inside]]
    lengths = [np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1), diagonal[inside]]
    graph = _graph(pairs, lengths, len(vertices))
    count, piece = connected_components(graph, directed=False)
    if count > 1:
        main = piece == np.bincount(piece).argmax()
        apart, near = KDTree(vertices[main]).query(vertices[~main])
        pairs.append(np.stack([np.flatnonzero(~main), np.flatnonzero(main)[near]], 1))
        lengths.append(np.maximum(apart, 1e-6))
        graph = _graph(pairs, lengths, len(vertices))
    return coo_matrix(graph).tocsr()


def _graph(pairs: list[NDArray], lengths: list[Float64], count: int) -> Any:
    from scipy.sparse import coo_matrix

    pair, length = np.concatenate(pairs), np.concatenate(lengths)
    pair = np.sort(pair, 1)
    _, first = np.unique(pair[:, 0] * count + pair[:, 1], return_index=True)  # else lengths of one pair add up
    pair, length = pair[first], length[first]
    one_way = coo_matrix((length, (pair[:, 0], pair[:, 1])), shape=(count, count)).tocsr()
    return one_way + one_way.T


def _in_plane(a: Float64, b: Float64, c: Float64) -> tuple[Float64, Float64]:
    """Where corners c (N, 3) lie from a along the edge to b, and how far from it."""
    along = b - a
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    x = ((c - a) * along).sum(1)
    return x, np.linalg.norm(c - a - x[:, None] * along, axis=1)


def _to_landmarks(graph: Any, count: int) -> Float32:
    from scipy.sparse.csgraph import dijkstra

    out = np.empty((graph.shape[0], count), np.float32)
    next_one, nearest = 0, np.full(graph.shape[0], np.inf)
    for column in range(count):
        own = dijkstra(graph, directed=False, indices=next_one)
        out[:, column] = own
        nearest = np.minimum(nearest, own)
        next_one = int(nearest.argmax())
    return out
