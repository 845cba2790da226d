"""Transformer blocks for pictures (A. Dosovitskiy and others, ViT, ICLR 2021), with the norm before each part."""

from __future__ import annotations

import torch
from torch import nn

from marrow.errors import InputError


class TransformerBlock(nn.Module):
    """Attention of every token to every other, then the same two layers for each token, each beside a shortcut.

    Args:
        dim: channels; a multiple of ``heads``.
        heads: of the attention.
        widening: of the two layers' middle, in units of ``dim``.
    """

    def __init__(self, dim: int, heads: int = 4, widening: int = 4) -> None:
        super().__init__()
        if dim % heads:
            raise InputError(f"heads: expected a divisor of dim {dim}, got {heads}")
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.read = nn.Linear(dim, 3 * dim)
        self.write = nn.Linear(dim, dim)
        self.layers_norm = nn.LayerNorm(dim)
        self.layers = nn.Sequential(nn.Linear(dim, widening * dim), nn.GELU(), nn.Linear(widening * dim, dim))

    def forward(self, tokens: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """(N, T, dim) to (N, T, dim).

        Args:
            tokens: (N, T, dim).
            kept: (N, T) bool, tokens that may be looked at; at least one of each row. None: all.
        """
        N, T, dim = tokens.shape
        parts = self.read(self.attention_norm(tokens)).view(N, T, 3, self.heads, dim // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mask = None if kept is None else kept[:, None, None, :]
        found = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        tokens = tokens + self.write(found.transpose(1, 2).reshape(N, T, dim))
        return tokens + self.layers(self.layers_norm(tokens))


class Transformer(nn.Module):
    """Blocks one after the other and a last norm. It knows nothing of order: add positions to the tokens.

    Args:
        dim, heads: of each block.
        depth: number of blocks.
    """

    def __init__(self, dim: int, depth: int, heads: int = 4) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """(N, T, dim) to (N, T, dim); ``kept`` as in :class:`TransformerBlock`."""
        for block in self.blocks:
            tokens = block(tokens, kept)
        return self.norm(tokens)


class Positions(nn.Module):
    """Learnt positions of a grid, added to what is there; for another grid they are resized.

    Args:
        dim: channels.
        grid: (rows, columns) that they are learnt on.
    """

    def __init__(self, dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(1, dim, *grid))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, dim, h, w) to (N, dim, h, w)."""
        table, size = self.table, features.shape[-2:]
        if table.shape[-2:] != size:
            table = nn.functional.interpolate(table, size=size, mode="bilinear", align_corners=False)
        return features + table


class PictureTransformer(nn.Module):
    """A transformer over a grid of features: each place is a token that sees all others.

    Args:
        inputs: channels of the features.
        dim, depth, heads: of the :class:`Transformer`.
        grid: (rows, columns) of the features.
    """

    def __init__(self, inputs: int, dim: int, depth: int, grid: tuple[int, int], heads: int = 4) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, dim, 1)
        self.positions = Positions(dim, grid)
        self.transformer = Transformer(dim, depth, heads)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, inputs, h, w) to (N, dim, h, w)."""
        x = self.positions(self.enter(features))
        tokens = self.transformer(x.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).reshape(x.shape)
