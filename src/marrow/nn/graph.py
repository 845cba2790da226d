"""Layers on a graph, such as the tree of a skeleton: values of each node, gathered from nodes near by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from marrow.errors import InputError


def normalised_adjacency(edges: Sequence[tuple[int, int]], nodes: int) -> torch.Tensor:
    """(nodes, nodes) ``D^-1/2 (A + I) D^-1/2`` of an undirected graph (Kipf and Welling 2017, ICLR).

    Raises:
        InputError: an edge to a node that is not there.
    """
    A = torch.eye(nodes)
    for i, j in edges:
        if not (0 <= i < nodes and 0 <= j < nodes):
            raise InputError(f"edges: expected nodes 0 to {nodes - 1}, got the edge {(i, j)}")
        A[i, j] = A[j, i] = 1.0
    d = A.sum(-1).rsqrt()
    return d[:, None] * A * d


class Propagation(nn.Module):
    """Each node gathers from others: ``h_1 A + h_2 A^2 + ...``, with A the graph's and a learnt, symmetric part.

    The learnt part begins at 0 and may join any two nodes (Zou and Tang 2021, Modulated GCN, ICCV).

    Args:
        adjacency: (N, N), such as that of :func:`normalised_adjacency`.
        hops: weights of A, of its square, and so on.
        learnt: with the learnt part.
    """

    adjacency: torch.Tensor

    def __init__(self, adjacency: torch.Tensor, hops: Sequence[float] = (1.0,), learnt: bool = True) -> None:
        super().__init__()
        self.hops = tuple(hops)
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.own = nn.Parameter(torch.zeros_like(adjacency)) if learnt else None

    def matrix(self) -> torch.Tensor:
        """(N, N), which is applied."""
        A = self.adjacency if self.own is None else self.adjacency + 0.5 * (self.own + self.own.T)
        power, total = A, self.hops[0] * A
        for weight in self.hops[1:]:
            power = power @ A
            total = total + weight * power
        return total

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., N, channels) to the same."""
        return self.matrix().to(x.dtype) @ x


class ResponseNorm(nn.Module):
    """Global response normalisation (Woo and others 2023, ConvNeXt V2, CVPR): channels that respond strongly over all
    nodes are strengthened against the others. It begins as the identity.

    Args:
        channels: how many.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., N, channels) to the same."""
        size = x.square().sum(-2, keepdim=True).add(1e-12).sqrt()  # the root has no slope at 0
        return x + self.scale * (x * (size / (size.mean(-1, keepdim=True) + 1e-6))) + self.shift
