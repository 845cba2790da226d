"""Lifters that pass what they know of a joint along the tree of the skeleton."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from marrow.conventions import EDGES
from marrow.data.lifting import JOINTS
from marrow.lift.networks import COUNT, Said, as_said
from marrow.lift.normalise import TOLD, Given
from marrow.nn.graph import Propagation, ResponseNorm, normalised_adjacency

#: Of numbers in and out the layer that each joint's numbers go through.
MakeLayer = Callable[[int, int], nn.Module]


def gelu_layer(inputs: int, outputs: int) -> nn.Module:
    """A linear layer with an activation that is the same everywhere, as graph convolutions have it."""
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU())


class GraphLifter(nn.Module):
    """Each frame by itself: residual blocks of two layers, before each of which every joint gathers from others.

    Args:
        width: channels of each joint.
        blocks: how many.
        layer: what gathered numbers go through.
        hops: weights of the adjacency, its square and so on (:class:`marrow.nn.graph.Propagation`).
        response: with global response normalisation at the end of each block.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 2,
        layer: MakeLayer = gelu_layer,
        hops: Sequence[float] = (1.0,),
        response: bool = False,
    ) -> None:
        super().__init__()
        A = normalised_adjacency(EDGES[JOINTS], COUNT)
        self.first = nn.Linear(3 + TOLD, width)
        self.joint = nn.Parameter(0.1 * torch.randn(COUNT, width))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.LayerNorm(width), Propagation(A, hops), layer(width, width)),
                *(nn.LayerNorm(width), Propagation(A, hops), layer(width, width)),
                ResponseNorm(width) if response else nn.Identity(),
            )
            for _ in range(blocks)
        )
        self.last = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4))

    def forward(self, given: Given) -> Said:
        told = given.told[..., None, :].expand(*given.xy.shape[:-1], TOLD)
        x = self.first(torch.cat([given.xy, given.confidence[..., None], told], -1)) + self.joint
        for block in self.blocks:
            x = x + block(x)
        return as_said(self.last(x).flatten(-2))
