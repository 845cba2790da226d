"""The rotations nearest to matrices (special orthogonal Procrustes), on tensors and differentiable."""

from __future__ import annotations

import numpy as np
import torch


def nearest_rotation(matrices: torch.Tensor) -> torch.Tensor:
    """Rotations R (..., 3, 3) that maximise ``trace(R^T M)`` for matrices M (..., 3, 3)."""
    if matrices.device.type != "cpu":
        return nearest_rotation_reference(matrices)
    return _NearestRotation.apply(matrices)  # type: ignore[return-value]


def nearest_rotation_reference(matrices: torch.Tensor) -> torch.Tensor:
    """The same by singular value decomposition in plain torch."""
    import roma

    return roma.special_procrustes(matrices)  # type: ignore[return-value]


class _NearestRotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, matrices):
        from marrow.body._fast_procrustes import nearest_rotations

        ctx.matrices = np.array(matrices.detach().numpy(), np.float64, order="C").reshape(-1, 3, 3)
        ctx.rotations = np.empty_like(ctx.matrices)
        nearest_rotations(ctx.matrices, ctx.rotations)
        return torch.tensor(ctx.rotations, dtype=matrices.dtype).view(matrices.shape)

    @staticmethod
    def backward(ctx, grad):
        from marrow.body._fast_procrustes import nearest_rotations_back

        by_rotations = np.array(grad.numpy(), np.float64, order="C").reshape(-1, 3, 3)
        by_matrices = np.empty_like(by_rotations)
        nearest_rotations_back(ctx.matrices, ctx.rotations, by_rotations, by_matrices)
        return torch.tensor(by_matrices, dtype=grad.dtype).view(grad.shape)
