"""A small residual network for pictures (K. He and others, CVPR 2016), with group norms, for small batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Args:
        inputs, outputs: channels; outputs a multiple of 8.
        stride: of the first convolution and the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(8, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(8, outputs)
        nn.init.zeros_(self.second_norm.weight)  # each block begins as its shortcut
        plain = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class ResidualNet(nn.Module):
    """Features of a picture at several sizes.

    Args:
        channels: of each stage; each halves the sides once more, from the stem's on.
        blocks: residual blocks of each stage.
        stride: of the stem, an even number: the first stage's sides are so many times shorter than the picture's.
    """

    def __init__(self, channels: Sequence[int] = (32, 64, 128, 256), blocks: int = 1, stride: int = 2) -> None:
        super().__init__()
        kernel = 5 if stride == 2 else 2 * stride - 1
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels[0], kernel, stride, kernel // 2, bias=False), nn.GroupNorm(8, channels[0]), nn.ReLU()
        )
        stages, inputs = [], channels[0]
        for number, outputs in enumerate(channels):
            own = [ResidualBlock(inputs, outputs, 1 if number == 0 else 2)]
            own += [ResidualBlock(outputs, outputs) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*own))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Of pictures (N, 3, H, W) around zero: (N, channels, H / stride, W / stride), and so on, each half as
        large."""
        x, out = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out
