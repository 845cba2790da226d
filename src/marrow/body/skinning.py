"""Linear blend skinning on arrays: sparse weights, exact (all influences kept), many frames at once.

The rest shape may be the same in all frames or blended for each: ``rest = vertices + coefficients @ basis``. The side
of tensors, with gradients and the plain twin, is :mod:`marrow.body.blending`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float32, Float64

#: How far the weights of a vertex may sum from one.
_WEIGHT_SUM = 1e-3
#: Fewer frames are posed one after the other.
FEW = 6
#: Numbers that are blended at a time, to be skinned while they lie in the cache; and the fewest of a frame, a multiple
#: of three and of the lanes.
_TILE, _LEAST = 1 << 18, 768


class SkinWeights(NamedTuple):
    """Influences by vertex (CSR): ``body[start[v]:start[v + 1]]`` move vertex v with ``weight``, which sum to one."""

    start: NDArray[np.int32]
    body: NDArray[np.int32]
    weight: Float32

    @classmethod
    def of(cls, dense: NDArray, name: str) -> SkinWeights:
        """All that are not zero of weights (n, B). Raises InputError, with their name, unless they sum to one."""
        from scipy.sparse import csr_array

        sums = dense.sum(1)
        worst = int(np.abs(sums - 1).argmax()) if len(sums) else 0
        if len(sums) and abs(sums[worst] - 1) > _WEIGHT_SUM:
            raise InputError(f"{name} must sum to 1 at every vertex; at vertex {worst} they sum to {sums[worst]:.4g}")
        sparse = csr_array(dense.astype(np.float32))  # drops what is exactly zero, nothing else
        return cls(sparse.indptr.astype(np.int32), sparse.indices.astype(np.int32), sparse.data.astype(np.float32))

    def rows(self, ids: NDArray[np.intp]) -> SkinWeights:
        """The same for some vertices only."""
        count = np.diff(self.start)[ids]
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
        places = np.repeat(self.start[:-1][ids] - start[:-1], count) + np.arange(start[-1])
        return SkinWeights(start, self.body[places], self.weight[places])


class RestShapes(NamedTuple):
    """Rest shapes ``vertices + coefficients @ basis`` of n vertices in T frames, float32; one part may be missing.

    Attributes:
        vertices: (1 or T, 3 n) metres.
        coefficients: (T, K).
        basis: (K, 3 n).
    """

    vertices: Float32 | None = None
    coefficients: Float32 | None = None
    basis: Float32 | None = None

    def columns(self, tile: slice, buffer: Float32 | None = None) -> Float32:
        """(1 or T, m) of some coordinates, contiguous; blended into ``buffer``, where one is given."""
        if self.coefficients is None or self.basis is None:
            if self.vertices is None:
                raise ValueError("a rest shape needs vertices, or coefficients with their basis")
            return np.ascontiguousarray(self.vertices[:, tile])
        shape = len(self.coefficients), tile.stop - tile.start
        out = np.empty(shape, np.float32) if buffer is None else buffer[: shape[0] * shape[1]].reshape(shape)
        np.dot(self.coefficients, self.basis[:, tile], out=out)
        if self.vertices is not None:
            out += self.vertices[:, tile]
        return out


def skin(vertices: Float32, weights: SkinWeights, transforms: Float64, threads: int | None = None) -> Float32:
    """Vertices in each frame.

    Args:
        vertices: (n, 3) bind pose, metres.
        transforms: (T, J, 3, 4) what carries the bind pose to the frame, by segment.
        threads: vertices are spread over this many threads; by default the processors', at most four.
    Returns:
        (T, n, 3) float32.
    """
    rest = RestShapes(np.ascontiguousarray(vertices, np.float32).reshape(1, -1))
    matrices = np.ascontiguousarray(transforms, np.float32).reshape(*transforms.shape[:2], 12)
    return skin_shapes(rest, weights, matrices, threads)


def skin_shapes(rest: RestShapes, weights: SkinWeights, matrices: Float32, threads: int | None = None) -> Float32:
    """Vertices (T, n, 3) in each frame, from rest shapes and matrices (T, J, 12): the rows of a 3x4 transform."""
    if len(matrices) >= FEW:
        return LaneSkinning(rest, weights, matrices, threads).posed()
    from marrow.body._fast_skinning import blend_frames, skin_frames

    size = 3 * (len(weights.start) - 1)
    out = np.empty((len(matrices), size // 3, 3), np.float32)
    shapes = out
    if rest.coefficients is None or rest.basis is None:
        given = rest.columns(slice(0, size))
        shapes = given.reshape(len(given), *out.shape[1:])
    else:
        vertices = np.empty((0, size), np.float32) if rest.vertices is None else np.ascontiguousarray(rest.vertices)
        blend_frames(vertices, rest.coefficients, np.ascontiguousarray(rest.basis), out.reshape(-1, size))
    skin_frames(weights.start, weights.body, weights.weight, shapes, matrices, out)
    return out


class Pulled(NamedTuple):
    """Gradients by vertices (1 or T, 3 n), coefficients (T, K), both where wanted, and matrices (T, J, 12)."""

    vertices: Float32 | None
    coefficients: Float32 | None
    matrices: Float32


class LaneSkinning:
    """Many frames at once: blended tile by tile while a tile lies in the cache, sixteen frames in a vector."""

    def __init__(self, rest: RestShapes, weights: SkinWeights, matrices: Float32, threads: int | None = None) -> None:
        self.rest, self.weights, self.frames = rest, weights, len(matrices)
        self.count = len(weights.start) - 1
        self.matrices = _side_by_side(matrices)
        self.threads = min(4, os.cpu_count() or 1) if threads is None else max(1, threads)
        share = min(_TILE // max(self.frames, 1), -(-3 * self.count // self.threads))
        self.tile = max(1, -(-share // _LEAST)) * _LEAST
        self._kept: dict[int, Float32] = {}

    def posed(self, keep: bool = False) -> Float32:
        """(T, n, 3); ``keep`` the rest shapes for :meth:`pulled`."""
        from marrow.body._fast_skinning import skin_lanes

        # numpy asks the system for huge pages, torch does not: that halves the time of a large batch.
        out = np.empty((self.frames, self.count, 3), np.float32)

        def work(tiles: Sequence[slice]) -> None:
            buffer = None if keep else np.empty(self.frames * self.tile, np.float32)
            for tile in tiles:
                rest = self.rest.columns(tile, buffer)
                skin_lanes(*self._influences, rest, self.matrices, tile.start // 3, out)
                if keep:
                    self._kept[tile.start] = rest

        self._spread(work)
        return out

    def pulled(self, grad: Float32, vertices: bool, coefficients: bool) -> Pulled:
        """Gradients for one at the result of :meth:`posed`; by vertices and coefficients where wanted."""
        from marrow.body._fast_skinning import skin_lanes_back

        basis = self.rest.basis if coefficients else None
        shape = None if self.rest.vertices is None or not vertices else self.rest.vertices.shape
        by_vertices = None if shape is None else np.empty(shape, np.float32)
        by_coefficients: list[Float32] = []
        by_matrices: list[Float32] = []

        def work(tiles: Sequence[slice]) -> None:
            buffer = np.empty(self.frames * self.tile, np.float32)
            blends = None if basis is None else np.zeros((self.frames, len(basis)), np.float32)
            matrices = np.zeros_like(self.matrices)
            for tile in tiles:
                rest, size = self._kept[tile.start], (self.frames, tile.stop - tile.start)
                by_rest = buffer[: size[0] * size[1]].reshape(size)
                skin_lanes_back(*self._influences, rest, self.matrices, tile.start // 3, grad, by_rest, matrices)
                if blends is not None and basis is not None:
                    blends += by_rest @ basis[:, tile].T
                if by_vertices is not None:
                    by_vertices[:, tile] = by_rest.sum(0) if len(by_vertices) == 1 else by_rest
            by_matrices.append(matrices)
            if blends is not None:
                by_coefficients.append(blends)

        self._spread(work)
        matrices = sum(by_matrices[1:], by_matrices[0]).transpose(0, 3, 1, 2)
        return Pulled(
            by_vertices,
            None if basis is None else sum(by_coefficients[1:], by_coefficients[0]),
            matrices.reshape(-1, *matrices.shape[2:])[: self.frames],
        )

    @property
    def _influences(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Float32]:
        return self.weights.start, self.weights.body, self.weights.weight

    def _spread(self, work: Callable[[Sequence[slice]], None]) -> None:
        """Call ``work`` with some of the tiles (slices of coordinates) in each thread; matrix products stay in it."""
        tiles = [slice(i, min(i + self.tile, 3 * self.count)) for i in range(0, 3 * self.count, self.tile)]
        with _blas().limit(limits=1, user_api="blas"):
            if self.threads == 1 or len(tiles) < 2:
                work(tiles)
            else:
                with ThreadPoolExecutor(self.threads) as pool:
                    list(pool.map(work, (tiles[i :: self.threads] for i in range(self.threads))))


def _side_by_side(matrices: Float32) -> Float32:
    """(C, J, 12, 16) of (T, J, 12), padded with zeros."""
    from marrow.body._lanes import LANES

    groups = -(-len(matrices) // LANES)
    padded = np.zeros((groups * LANES, *matrices.shape[1:]), np.float32)
    padded[: len(matrices)] = matrices
    return np.ascontiguousarray(padded.reshape(groups, LANES, *matrices.shape[1:]).transpose(0, 2, 3, 1))


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
