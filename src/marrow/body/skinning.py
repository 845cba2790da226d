"""Linear blend skinning: sparse weights, exact (all influences kept), of bodies that blend their rest shape linearly.

``rest = vertices + coefficients @ basis`` and ``out = (sum of weight * transform) applied to rest``: :func:`skin` on
arrays for one rest shape, :func:`blend_and_skin` on tensors with gradients, :func:`skin_reference` in plain torch.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float32, Float64

if TYPE_CHECKING:
    import torch

#: Fewer frames are posed one after the other.
_FEW = 6
#: Vertices whose rest shape is blended and skinned while it lies in the cache.
_TILE = 128


class SkinWeights(NamedTuple):
    """Influences by vertex (CSR): ``body[start[v]:start[v + 1]]`` move vertex v with ``weight``, which sum to one."""

    start: NDArray[np.int32]
    body: NDArray[np.int32]
    weight: Float32

    def rows(self, ids: NDArray[np.intp]) -> SkinWeights:
        """The same for some vertices only."""
        count = np.diff(self.start)[ids]
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
        places = np.repeat(self.start[:-1][ids] - start[:-1], count) + np.arange(start[-1])
        return SkinWeights(start, self.body[places], self.weight[places])


def skin(vertices: Float32, weights: SkinWeights, transforms: Float64, threads: int | None = None) -> Float32:
    """Vertices in each frame.

    Args:
        vertices: (n, 3) bind pose, metres.
        transforms: (T, B, 3, 4) what carries the bind pose to the frame, by segment.
        threads: vertices are spread over this many threads; by default the processors', at most four.
    Returns:
        (T, n, 3) float32.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    matrices = np.ascontiguousarray(transforms, np.float32).reshape(*transforms.shape[:2], 12)
    out = np.empty((len(matrices), len(vertices), 3), np.float32)
    if len(matrices) < _FEW:
        from marrow.body._fast_skinning import skin_frames

        skin_frames(*weights, vertices[None], matrices, out)
    else:
        _Lanes(None, weights, matrices, threads).pose(vertices.reshape(-1), None, out)
    return out


def blend_and_skin(
    basis: torch.Tensor | None,
    weights: SkinWeights,
    coefficients: torch.Tensor | None,
    transforms: torch.Tensor,
    vertices: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """Blended and posed vertices on the processor; differentiable in coefficients, transforms and vertices.

    Args:
        basis: (K, 3 n) float32, contiguous.
        coefficients: (T, K), of each frame.
        transforms: (T, J, 3, 4) what carries the rest shape to the frame.
        vertices: (n, 3) rest shape of all frames, to which the blended one is added.
        threads: as in :func:`skin`.
    Returns:
        (T, n, 3) float32.
    """
    return _function().apply(basis, weights, coefficients, transforms, vertices, threads)


@functools.cache
def _function():
    """The autograd function; made at first use, since torch takes long to import."""
    import torch

    class BlendAndSkin(torch.autograd.Function):
        @staticmethod
        def forward(ctx, basis, weights, coefficients, transforms, vertices, threads):
            def array(tensor):
                return None if tensor is None else np.ascontiguousarray(tensor.detach().numpy(), np.float32)

            matrices = array(transforms).reshape(*transforms.shape[:2], 12)
            shift = None if vertices is None else array(vertices).reshape(-1)
            out = torch.empty(len(matrices), len(weights.start) - 1, 3)
            data, blend = (None if basis is None else basis.numpy()), array(coefficients)
            ctx.needed = any(ctx.needs_input_grad)
            if len(matrices) < _FEW and not ctx.needed:
                from marrow.body._fast_skinning import skin_frames

                rest = shift[None] if blend is None else blend @ data
                rest = rest if blend is None or shift is None else rest + shift
                skin_frames(*weights, rest.reshape(len(rest), -1, 3), matrices, out.numpy())
            else:
                ctx.lanes = _Lanes(data, weights, matrices, threads, keep=ctx.needed)
                ctx.lanes.pose(shift, blend, out.numpy())
            return out

        @staticmethod
        def backward(ctx, grad):
            lanes = ctx.lanes
            by_rest, by_blend, by_matrix = lanes.pull(np.ascontiguousarray(grad.numpy()), ctx.needs_input_grad[4])
            return (
                None,
                None,
                None if by_blend is None else torch.from_numpy(by_blend),
                torch.from_numpy(by_matrix).view(len(grad), -1, 3, 4),
                None if by_rest is None else torch.from_numpy(by_rest).view(-1, 3),
                None,
            )

    return BlendAndSkin


class _Lanes:
    """Many frames at once: blended tile by tile while a tile lies in the cache, sixteen frames in a vector."""

    def __init__(
        self, basis: Float32 | None, weights: SkinWeights, matrices: Float32, threads: int | None, keep: bool = False
    ) -> None:
        from marrow.body._lanes import LANES

        self.basis, self.weights, self.frames = basis, weights, len(matrices)
        self.count = len(weights.start) - 1
        self.groups = -(-self.frames // LANES)
        self.padded = self.groups * LANES
        self.matrices = _side_by_side(matrices, self.groups)
        self.threads = min(4, os.cpu_count() or 1) if threads is None else max(1, threads)
        self.keep = keep

    def pose(self, vertices: Float32 | None, coefficients: Float32 | None, out: Float32) -> None:
        """Fill ``out`` (T, n, 3) from vertices (3 n,) and coefficients (T, K); see :func:`blend_and_skin`."""
        from marrow.body._fast_skinning import skin_lanes

        self.blend = None
        if coefficients is not None:
            self.blend = np.zeros((coefficients.shape[1], self.padded), np.float32)
            self.blend[:, : self.frames] = coefficients.T
        self.rest = None
        if self.keep:
            self.rest = np.empty((3 * self.count, 1 if self.blend is None else self.padded), np.float32)

        def work(low: int, high: int) -> None:
            buffer = None if self.keep or self.blend is None else np.empty((3 * _TILE, self.padded), np.float32)
            for first in range(low, high, _TILE):
                rows = slice(3 * first, 3 * min(first + _TILE, high))
                rest = self._rest(rows, vertices, buffer)
                skin_lanes(*self.weights, rest, self.matrices, first, out)

        self._spread(work)

    def _rest(self, rows: slice, vertices: Float32 | None, buffer: Float32 | None) -> Float32:
        """The rest shape of some vertices: (3 m, 16 C), or (3 m, 1) where all frames share it."""
        if self.blend is None:
            rest = vertices[rows, None]
            if self.rest is not None:
                self.rest[rows] = rest
            return rest
        rest = buffer[: rows.stop - rows.start] if self.rest is None else self.rest[rows]
        np.dot(self.basis[:, rows].T, self.blend, out=rest)
        if vertices is not None:
            rest += vertices[rows, None]
        return rest

    def pull(self, grad: Float32, to_vertices: bool) -> tuple[Float32 | None, Float32 | None, Float32]:
        """Gradients by vertices (3 n,), coefficients (T, K) and matrices (T, J, 12) for one at ``out``."""
        from marrow.body._fast_skinning import skin_lanes_back

        by_rest = np.empty(3 * self.count, np.float32) if to_vertices else None
        found: list[tuple[Float32, Float32 | None]] = []

        def work(low: int, high: int) -> None:
            buffer = np.empty((3 * _TILE, self.rest.shape[1]), np.float32)
            by_matrix = np.zeros_like(self.matrices)
            by_blend = None if self.blend is None else np.zeros_like(self.blend)
            for first in range(low, high, _TILE):
                rows = slice(3 * first, 3 * min(first + _TILE, high))
                rest = self.rest[rows]
                pulled = buffer[: len(rest)]
                skin_lanes_back(*self.weights, rest, self.matrices, first, grad, pulled, by_matrix)
                if by_blend is not None:
                    by_blend += self.basis[:, rows] @ pulled
                if by_rest is not None:
                    by_rest[rows] = pulled.sum(1)
            found.append((by_matrix, by_blend))

        self._spread(work)
        by_matrix = np.sum([matrix for matrix, _ in found], 0)
        by_matrix = by_matrix.transpose(0, 3, 1, 2).reshape(self.padded, -1, 12)[: self.frames]
        by_blend = None if self.blend is None else np.sum([blend for _, blend in found], 0).T[: self.frames]
        return by_rest, by_blend, by_matrix

    def _spread(self, work: Callable[[int, int], None]) -> None:
        """Call ``work(first, end)`` for ranges of vertices, each in a thread; the matrix products stay in it."""
        tiles = -(-self.count // _TILE)
        threads = min(self.threads, tiles)
        ends = [_TILE * (tiles * i // threads) for i in range(threads)] + [self.count]
        with _blas().limit(limits=1, user_api="blas"):
            if threads == 1:
                work(0, self.count)
            else:
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(work, ends[:-1], ends[1:]))


def _side_by_side(matrices: Float32, groups: int) -> Float32:
    """(C, J, 12, 16) of (T, J, 12), padded with zeros."""
    padded = np.zeros((groups * 16, *matrices.shape[1:]), np.float32)
    padded[: len(matrices)] = matrices
    return np.ascontiguousarray(padded.reshape(groups, 16, *matrices.shape[1:]).transpose(0, 2, 3, 1))


@functools.cache
def _blas():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def skin_reference(vertices: torch.Tensor, weights: SkinWeights, transforms: torch.Tensor) -> torch.Tensor:
    """The same in plain torch, differentiable in vertices and transforms.

    Args:
        vertices: (n, 3) or (T, n, 3).
        transforms: (T, B, 3, 4).
    Returns:
        (T, n, 3).
    """
    import torch

    count = torch.from_numpy(np.diff(weights.start)).long()
    row = torch.repeat_interleave(torch.arange(len(count)), count)
    body = torch.from_numpy(weights.body).long()
    weight = torch.from_numpy(weights.weight).to(transforms.dtype)
    points = torch.broadcast_to(vertices, (len(transforms), len(count), 3))[:, row]
    moved = (transforms[:, body, :, :3] @ points[..., None])[..., 0] + transforms[:, body, :, 3]
    return torch.zeros(len(transforms), len(count), 3, dtype=transforms.dtype).index_add(
        1, row, weight[:, None] * moved
    )
