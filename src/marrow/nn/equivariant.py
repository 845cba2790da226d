"""Layers that turn when their input turns in the plane, by design.

Features are vectors in the plane (complex numbers, which a turn multiplies by a unit number) and scalars (which it does
not change): the planar form of vector neurons (Deng et al., ICCV 2021). A complex matrix commutes with every turn;
products of one vector with the conjugate of another are scalars.
"""

from __future__ import annotations

import torch
from torch import nn


class PlanarBlock(nn.Module):
    """A residual block of vectors and scalars.

    Args:
        vectors, scalars: channels.
    """

    def __init__(self, vectors: int, scalars: int) -> None:
        super().__init__()
        self.read = PlanarLinear(vectors, 2 * vectors)
        self.mix = nn.Sequential(
            nn.LayerNorm(scalars + 2 * vectors), nn.Linear(scalars + 2 * vectors, scalars), nn.ReLU()
        )
        self.scalar = nn.Linear(scalars, scalars)
        self.gate = nn.Linear(scalars, vectors)
        self.write = PlanarLinear(vectors, vectors)

    def forward(self, vector: torch.Tensor, scalar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(..., vectors, 2) and (..., scalars) to the same."""
        a, b = self.read(vector).chunk(2, -2)
        dot = (a * b).sum(-1)
        cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
        mixed = self.mix(torch.cat([scalar, dot, cross], -1))
        return vector + self.write(a * self.gate(mixed)[..., None]), scalar + self.scalar(mixed)


class PlanarLinear(nn.Module):
    """A complex matrix: (..., inputs, 2) to (..., outputs, 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.real = nn.Linear(inputs, outputs, bias=False)
        self.imaginary = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        re, im = x.unbind(-1)
        return torch.stack([self.real(re) - self.imaginary(im), self.real(im) + self.imaginary(re)], -1)


class PlanarNet(nn.Module):
    """Blocks between a layer in and a layer out.

    Args:
        vectors, scalars: numbers of vectors and scalars given.
        out_vectors, out_scalars: wanted.
        width: channels of either kind between.
        blocks: how many.
    """

    def __init__(
        self, vectors: int, scalars: int, out_vectors: int, out_scalars: int, width: int = 128, blocks: int = 3
    ) -> None:
        super().__init__()
        self.vector_in, self.scalar_in = PlanarLinear(vectors, width), nn.Linear(scalars, width)
        self.blocks = nn.ModuleList(PlanarBlock(width, width) for _ in range(blocks))
        self.vector_out, self.scalar_out = PlanarLinear(width, out_vectors), nn.Linear(width, out_scalars)

    def forward(self, vector: torch.Tensor, scalar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(..., vectors, 2) and (..., scalars) to (..., out_vectors, 2), which turn along, and (..., out_scalars),
        which do not."""
        vector, scalar = self.vector_in(vector), self.scalar_in(scalar)
        for block in self.blocks:
            vector, scalar = block(vector, scalar)
        return self.vector_out(vector), self.scalar_out(torch.relu(scalar))
