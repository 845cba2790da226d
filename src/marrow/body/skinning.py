"""Linear blend skinning: sparse weights, exact (all influences kept)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float32, Float64

if TYPE_CHECKING:
    import torch

_FRAMES_PER_TASK = 8


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
        threads: frames are spread over this many threads; by default the processors', at most four.
    Returns:
        (T, n, 3) float32.
    """
    from marrow.body._fast_skinning import skin_frames

    vertices = np.ascontiguousarray(vertices, np.float32)
    matrices = np.ascontiguousarray(transforms, np.float32).reshape(*transforms.shape[:2], 12)
    out = np.empty((len(matrices), len(vertices), 3), np.float32)
    pieces = [slice(i, i + _FRAMES_PER_TASK) for i in range(0, len(matrices), _FRAMES_PER_TASK)]
    threads = min(4, os.cpu_count() or 1) if threads is None else threads

    def work(piece: slice) -> None:
        skin_frames(weights.start, weights.body, weights.weight, vertices, matrices[piece], out[piece])

    if threads <= 1 or len(pieces) <= 1:
        for piece in pieces:
            work(piece)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, pieces))
    return out


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
