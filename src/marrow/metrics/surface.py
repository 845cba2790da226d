"""Which points lie inside a closed surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError

#: Turns the surface a little, so that no ray runs along the edges of a mesh that was modelled along the axes.
_ASLANT = np.linalg.qr(np.array([[1.0, 0.013, 0.031], [-0.017, 1.0, 0.023], [0.029, -0.019, 1.0]]))[0]
#: Cells of the grid across the rays, each way.
_CELLS = 100


def inside(points: ArrayLike, vertices: ArrayLike, faces: ArrayLike) -> NDArray[np.bool_]:
    """Whether points lie inside a closed mesh, by its winding number about them.

    The faces that a ray passes outwards, less those it passes inwards, count how often the surface encloses its
    origin. Unlike their parity, this holds where a posed body's surface overlaps itself.

    Args:
        points: (N, 3).
        vertices: (V, 3) in the same unit and axes.
        faces: (F, 3) triangles, counter-clockwise seen from outside; every edge belongs to two of them.

    Returns:
        (N,) bool.

    Raises:
        InputError: shapes that do not fit.
    """
    p, x, f = np.asarray(points, float), np.asarray(vertices, float), np.asarray(faces, int)
    if p.shape[1:] != (3,) or x.shape[1:] != (3,) or f.shape[1:] != (3,):
        raise InputError(f"inside: expected points, vertices and faces (…, 3), got {p.shape}, {x.shape}, {f.shape}")
    p, corners = p @ _ASLANT.T, (x @ _ASLANT.T)[f]
    point, face = _one_above_the_other(p[:, :2], corners[..., :2])
    out = np.zeros(len(p), int)
    np.add.at(out, point, _crossings(p[point], corners[face]))
    return out > 0


def _one_above_the_other(p: NDArray, corners: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a point (N, 2) and a triangle (F, 3, 2) that share a cell of a grid; all that meet are among them."""
    low, high = corners.min((0, 1)), corners.max((0, 1))
    size = np.maximum(high - low, 1e-12) / _CELLS
    within = np.flatnonzero(((p >= low) & (p <= high)).all(1))
    first, last = (np.minimum((ends - low) / size, _CELLS - 1).astype(int) for ends in (corners.min(1), corners.max(1)))
    wide = last - first + 1
    face = np.repeat(np.arange(len(corners)), wide.prod(1))
    step = _counted(wide.prod(1))
    cell = (first[face, 0] + step // wide[face, 1]) * _CELLS + first[face, 1] + step % wide[face, 1]
    order = np.argsort(cell, kind="stable")
    start = np.searchsorted(cell[order], np.arange(_CELLS**2 + 1))
    own = np.minimum((p[within] - low) / size, _CELLS - 1).astype(int) @ [_CELLS, 1]
    count = start[own + 1] - start[own]
    return np.repeat(within, count), face[order[np.repeat(start[own], count) + _counted(count)]]


def _counted(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 … n - 1 for each n of ``lengths``, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _crossings(p: NDArray, corners: NDArray) -> NDArray[np.int64]:
    """(M,) 1, -1 or 0: how the ray from a point (M, 3) along the third axis crosses a triangle (M, 3, 3)."""
    a, b, c = np.moveaxis(corners - p[:, None], 1, 0)
    # the three parts of the triangle's projection about the point have one sign where the ray meets it
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], -1)
    total = parts.sum(-1)
    met = (parts >= 0).all(-1) | (parts <= 0).all(-1)
    height = parts[:, 0] * a[:, 2] + parts[:, 1] * b[:, 2] + parts[:, 2] * c[:, 2]
    return np.where(met & (height * total > 0), np.sign(total), 0.0).astype(int)


def _cross(a: NDArray, b: NDArray) -> NDArray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
