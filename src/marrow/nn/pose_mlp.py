"""A residual multi-layer perceptron for poses (Martinez et al., "A simple yet effective baseline", ICCV 2017)."""

from __future__ import annotations

import torch
from torch import nn


class ResidualMLP(nn.Module):
    """A layer, residual blocks of two layers, a layer.

    Args:
        inputs, outputs: numbers in and out.
        width: of the layers between.
        blocks: how many.
        dropout: share of units left out while training.
        smooth: bends of the layers without corners (SiLU for ReLU), for networks whose own slopes are used.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int = 512, blocks: int = 2, dropout: float = 0.0, smooth: bool = False
    ) -> None:
        super().__init__()
        self.bend = nn.SiLU() if smooth else nn.ReLU()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), self.bend, nn.Dropout(dropout), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        self.last = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(self.bend(x))
        return self.last(self.bend(x))
