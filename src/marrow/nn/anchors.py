"""Joints as votes of anchors: points in space that each say how far a joint lies from them, and how sure they are.

F. Xiong and others, "A2J: Anchor-to-joint regression network", ICCV 2019; anchors in space as J. Zheng and others,
"PandaPose", NeurIPS 2025.
"""

from __future__ import annotations

import torch
from torch import nn

from marrow.errors import InputError


def plane_grid(side: int, extent: float) -> torch.Tensor:
    """(side * side, 3) points of depth 0 on a square grid from minus to plus ``extent``.

    Raises:
        InputError: fewer than 2 points a side.
    """
    if side < 2:
        raise InputError(f"a grid needs at least 2 anchors a side, got {side}")
    line = torch.linspace(-extent, extent, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)], -1).flatten(0, 1)


def votes(anchors: torch.Tensor, offsets: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What anchors say of joints together.

    Args:
        anchors: (..., A, 3) points.
        offsets: (..., A, J, 3) from each to each joint.
        scores: (..., A, J); the softmax over the anchors are their weights.

    Returns:
        joints (..., J, 3), the weighted means of anchor and offset; and (..., J, 3) the weighted means of the anchors
        alone, which :func:`surrounding_loss` draws to the joints.
    """
    weight = scores.softmax(-2)
    alone = weight.transpose(-1, -2) @ anchors
    return alone + (weight[..., None] * offsets).sum(-3), alone


def surrounding_loss(alone: torch.Tensor, truth: torch.Tensor, free: float = 0.05) -> torch.Tensor:
    """How far the weighted anchors (..., J, 3) are from the joints, mean beyond a distance that costs nothing.

    A2J's regularisation: anchors that surround a joint are to be the ones that decide about it.
    """
    return (torch.linalg.vector_norm(alone - truth, dim=-1) - free).clamp(min=0.0).mean()


class QueryBlock(nn.Module):
    """Queries look at tokens, then go through the same two layers each, beside shortcuts.

    Args:
        dim: channels; a multiple of ``heads``.
        heads: of the attention.
        hidden: channels between the two layers.

    Raises:
        InputError: dim is no multiple of heads.
    """

    def __init__(self, dim: int, heads: int = 4, hidden: int | None = None) -> None:
        super().__init__()
        if dim % heads:
            raise InputError(f"heads: expected a divisor of dim {dim}, got {heads}")
        self.heads = heads
        self.query_norm, self.token_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ask, self.read, self.write = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        hidden = hidden or 2 * dim
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, queries: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(N, A, dim) queries of (N, T, dim) tokens to (N, A, dim)."""
        split = (self.heads, queries.shape[-1] // self.heads)
        query = self.ask(self.query_norm(queries)).unflatten(-1, split).transpose(1, 2)
        key, value = self.read(self.token_norm(tokens)).unflatten(-1, (2, *split)).permute(2, 0, 3, 1, 4)
        # written out: the fused one is several times slower backwards in 16 bits on processors
        weight = (query @ key.transpose(-1, -2) / split[1] ** 0.5).softmax(-1).to(value.dtype)
        found = weight @ value
        queries = queries + self.write(found.transpose(1, 2).flatten(-2))
        return queries + self.layers(queries)
