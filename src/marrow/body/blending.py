"""Blended and skinned vertices on tensors: a fast path with gradients on the processor, and its plain twin."""

from __future__ import annotations

import numpy as np
import torch
from torch.autograd.forward_ad import unpack_dual

from marrow.body.skinning import LaneSkinning, RestShapes, SkinWeights, skin_shapes


def blend_and_skin(
    basis: torch.Tensor | None,
    weights: SkinWeights,
    coefficients: torch.Tensor | None,
    transforms: torch.Tensor,
    vertices: torch.Tensor | None = None,
    threads: int | None = None,
) -> torch.Tensor:
    """``vertices + coefficients @ basis``, moved by the weighted sum of transforms; differentiable in these three.

    Float32 on the processor runs on the fast skin, all else on :func:`blend_and_skin_reference`.

    Args:
        basis: (K, 3 n), contiguous; None with ``coefficients``.
        coefficients: (T, K), of each frame.
        transforms: (T, J, 3, 4) what carries the rest shape to the frame.
        vertices: (n, 3) rest shape of all frames, or (T, n, 3).
        threads: as in :func:`marrow.body.skinning.skin`.
    Returns:
        (T, n, 3) of the kind of ``transforms``.
    """
    if transforms.device.type != "cpu" or transforms.dtype != torch.float32:
        return blend_and_skin_reference(basis, weights, coefficients, transforms, vertices)
    return _BlendAndSkin.apply(basis, weights, coefficients, transforms, vertices, threads)  # type: ignore[return-value]


def blend_and_skin_reference(
    basis: torch.Tensor | None,
    weights: SkinWeights,
    coefficients: torch.Tensor | None,
    transforms: torch.Tensor,
    vertices: torch.Tensor | None = None,
) -> torch.Tensor:
    """:func:`blend_and_skin` in plain torch, of any precision, on any device."""
    rest = vertices
    if basis is not None and coefficients is not None:
        rest = (coefficients @ basis).view(len(coefficients), -1, 3)
        rest = rest if vertices is None else rest + vertices
    if rest is None:
        raise ValueError("a rest shape needs vertices, or coefficients with their basis")
    return skin_reference(rest, weights, transforms)


def skin_reference(vertices: torch.Tensor, weights: SkinWeights, transforms: torch.Tensor) -> torch.Tensor:
    """Skinning in plain torch, differentiable in vertices and transforms.

    Args:
        vertices: (n, 3) or (T, n, 3).
        transforms: (T, J, 3, 4).
    Returns:
        (T, n, 3).
    """
    blended = (_dense(weights, transforms) @ transforms.flatten(2)).unflatten(-1, (3, 4))
    return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]


def _dense(weights: SkinWeights, like: torch.Tensor) -> torch.Tensor:
    """(n, J) weights."""
    vertex = np.repeat(np.arange(len(weights.start) - 1), np.diff(weights.start))
    dense = np.zeros((len(weights.start) - 1, like.shape[1]))
    np.add.at(dense, (vertex, weights.body), weights.weight)
    return torch.as_tensor(dense, dtype=like.dtype, device=like.device)


class _BlendAndSkin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, basis, weights, coefficients, transforms, vertices, threads):
        matrices = array(transforms).reshape(*transforms.shape[:2], 12)
        rest = RestShapes(
            None if vertices is None else array(vertices).reshape(-1, 3 * vertices.shape[-2]),
            None if coefficients is None else array(coefficients),
            None if basis is None else basis.detach().numpy(),
        )
        if not any(ctx.needs_input_grad):
            return torch.from_numpy(skin_shapes(rest, weights, matrices, threads))
        ctx.shape = None if vertices is None else vertices.shape
        ctx.skinning = LaneSkinning(rest, weights, matrices, threads)
        return torch.from_numpy(ctx.skinning.posed(keep=True))

    @staticmethod
    def backward(ctx, *grads):
        (grad,) = grads
        _, _, blends, _, vertices, _ = ctx.needs_input_grad
        found = ctx.skinning.pulled(array(grad), vertices, blends)
        return (
            None,
            None,
            None if found.coefficients is None else torch.from_numpy(found.coefficients),
            torch.from_numpy(found.matrices).view(len(grad), -1, 3, 4),
            None if found.vertices is None else torch.from_numpy(found.vertices).view(ctx.shape),
            None,
        )


def plainly_float32(*tensors: torch.Tensor | None) -> bool:
    """Whether compiled code without gradients may have these: float32 on the processor, no derivative recorded."""
    recording = torch.is_grad_enabled()
    return all(
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and not (recording and x.requires_grad)
        and unpack_dual(x).tangent is None
        for x in tensors
        if x is not None
    )


def array(tensor: torch.Tensor) -> np.ndarray:
    """The same numbers, contiguous float32; a copy only where they are not."""
    return np.ascontiguousarray(tensor.detach().numpy(), np.float32)
