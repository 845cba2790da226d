"""Linear blend skinning: sparse weights, exact (all influences kept), of bodies that blend their rest shape linearly.

``rest = vertices + coefficients @ basis`` and ``out = (sum of weight * transform) applied to rest``: :func:`skin` on
arrays for one rest shape, :func:`blend_and_skin` on tensors with gradients, :func:`skin_reference` in plain torch.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
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
_TILE = 256


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
        _Lanes(None, weights, matrices, threads).pose(vertices.reshape(1, -1), None, out)
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
        vertices: (n, 3) rest shape of all frames, or (T, n, 3), to which the blended one is added.
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
            shift = None if vertices is None else array(vertices).reshape(-1, 3 * vertices.shape[-2])
            # numpy asks for huge pages, torch does not: that halves the time of a large batch.
            out = np.empty((len(matrices), len(weights.start) - 1, 3), np.float32)
            ctx.shape = None if vertices is None else vertices.shape
            data, blend = (None if basis is None else basis.numpy()), array(coefficients)
            ctx.needed, ctx.rows = any(ctx.needs_input_grad), 0 if shift is None else len(shift)
            if len(matrices) < _FEW and not ctx.needed:
                from marrow.body._fast_skinning import skin_frames

                rest = shift if blend is None else blend @ data
                rest = rest if blend is None or shift is None else rest + shift
                skin_frames(*weights, rest.reshape(len(rest), -1, 3), matrices, out)
            else:
                ctx.lanes = _Lanes(data, weights, matrices, threads)
                ctx.lanes.pose(shift, blend, out, keep=ctx.needed)
            return torch.from_numpy(out)

        @staticmethod
        def backward(ctx, grad):
            grad = np.ascontiguousarray(grad.numpy(), np.float32)
            to_blend, to_vertices = ctx.needs_input_grad[2], ctx.needs_input_grad[4]
            by_rest, by_blend, by_matrix = ctx.lanes.pull(grad, ctx.rows if to_vertices else 0, to_blend)
            return (
                None,
                None,
                None if by_blend is None else torch.from_numpy(by_blend),
                torch.from_numpy(by_matrix).view(len(grad), -1, 3, 4),
                None if by_rest is None else torch.from_numpy(by_rest).view(ctx.shape),
                None,
            )

    return BlendAndSkin


class _Lanes:
    """Many frames at once: blended tile by tile while a tile lies in the cache, sixteen frames in a vector."""

    def __init__(self, basis: Float32 | None, weights: SkinWeights, matrices: Float32, threads: int | None) -> None:
        self.basis, self.weights, self.frames = basis, weights, len(matrices)
        self.count = len(weights.start) - 1
        self.matrices = _side_by_side(matrices)
        self.threads = min(4, os.cpu_count() or 1) if threads is None else max(1, threads)
        self.kept: dict[int, Float32] = {}

    def pose(
        self, vertices: Float32 | None, coefficients: Float32 | None, out: Float32, keep: bool = False
    ) -> None:
        """Fill ``out`` (T, n, 3) from vertices (1 or T, 3 n) and coefficients (T, K); see :func:`blend_and_skin`.

        ``keep`` the rest shapes for :meth:`pull`.
        """
        from marrow.body._fast_skinning import skin_lanes

        def work(tiles: Sequence[slice]) -> None:
            buffer = np.empty(self.frames * 3 * _TILE, np.float32)
            for tile in tiles:
                rest = self._rest(tile, vertices, coefficients, None if keep else buffer)
                skin_lanes(*self.weights, rest, self.matrices, tile.start // 3, out)
                if keep:
                    self.kept[tile.start] = rest

        self._spread(work)

    def _rest(
        self, tile: slice, vertices: Float32 | None, coefficients: Float32 | None, buffer: Float32 | None
    ) -> Float32:
        """Rest shapes of some vertices: (T, 3 m), or (1, 3 m) where all frames share it."""
        if coefficients is None:
            return np.ascontiguousarray(vertices[:, tile])
        shape = self.frames, tile.stop - tile.start
        rest = np.empty(shape, np.float32) if buffer is None else buffer[: shape[0] * shape[1]].reshape(shape)
        np.dot(coefficients, self.basis[:, tile], out=rest)
        if vertices is not None:
            rest += vertices[:, tile]
        return rest

    def pull(self, grad: Float32, vertices: int, to_blend: bool) -> tuple[Float32 | None, Float32 | None, Float32]:
        """Gradients by vertices (1 or T, 3 n), coefficients (T, K) and matrices (T, J, 12) for one at ``out``.

        ``vertices`` has that many rows; 0: not wanted.
        """
        from marrow.body._fast_skinning import skin_lanes_back

        by_rest = np.empty((vertices, 3 * self.count), np.float32) if vertices else None
        found: list[tuple[Float32, Float32 | None]] = []

        def work(tiles: Sequence[slice]) -> None:
            buffer = np.empty(self.frames * 3 * _TILE, np.float32)
            by_matrix, by_blend = np.zeros_like(self.matrices), None
            for tile in tiles:
                rest, shape = self.kept[tile.start], (self.frames, tile.stop - tile.start)
                pulled = buffer[: shape[0] * shape[1]].reshape(shape)
                skin_lanes_back(*self.weights, rest, self.matrices, tile.start // 3, grad, pulled, by_matrix)
                if to_blend:
                    part = pulled @ self.basis[:, tile].T
                    by_blend = part if by_blend is None else by_blend + part
                if by_rest is not None:
                    by_rest[:, tile] = pulled.sum(0) if vertices == 1 else pulled
            found.append((by_matrix, by_blend))

        self._spread(work)
        by_matrix = np.sum([matrix for matrix, _ in found], 0)
        by_matrix = by_matrix.transpose(0, 3, 1, 2).reshape(-1, by_matrix.shape[1], 12)[: self.frames]
        return by_rest, np.sum([blend for _, blend in found], 0) if to_blend else None, by_matrix

    def _spread(self, work: Callable[[Sequence[slice]], None]) -> None:
        """Call ``work`` with runs of tiles (slices of coordinates), each in a thread; the matrix products stay in it."""
        tiles = [slice(i, min(i + 3 * _TILE, 3 * self.count)) for i in range(0, 3 * self.count, 3 * _TILE)]
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


def blend_and_skin_reference(
    basis: torch.Tensor | None,
    weights: SkinWeights,
    coefficients: torch.Tensor | None,
    transforms: torch.Tensor,
    vertices: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """:func:`blend_and_skin` in plain torch, of any precision, on any device; ``threads`` are torch's own."""
    rest = vertices
    if basis is not None and coefficients is not None:
        rest = (coefficients @ basis).view(len(coefficients), -1, 3)
        rest = rest if vertices is None else rest + vertices
    if rest is None:
        raise ValueError("blend_and_skin: expected vertices, or a basis with coefficients, got neither")
    return skin_reference(rest, weights, transforms)


def skin_reference(vertices: torch.Tensor, weights: SkinWeights, transforms: torch.Tensor) -> torch.Tensor:
    """Skinning in plain torch, differentiable in vertices and transforms.

    Args:
        vertices: (n, 3) or (T, n, 3).
        transforms: (T, J, 3, 4).
    Returns:
        (T, n, 3).
    """
    blended = _dense(weights, transforms) @ transforms.flatten(2)
    blended = blended.unflatten(-1, (3, 4))
    return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]


def _dense(weights: SkinWeights, like: torch.Tensor) -> torch.Tensor:
    """(n, J) weights."""
    import torch

    vertex = np.repeat(np.arange(len(weights.start) - 1), np.diff(weights.start))
    dense = np.zeros((len(weights.start) - 1, like.shape[1]))
    np.add.at(dense, (vertex, weights.body), weights.weight)
    return torch.as_tensor(dense, dtype=like.dtype, device=like.device)
