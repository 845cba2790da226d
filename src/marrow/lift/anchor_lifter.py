"""A lifter whose anchors in space vote for the joints, and the one beside it that says the joints directly.

Both read, beside the keypoints, how deep the front of the person is where the keypoints are, if anything says so.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from marrow.lift.networks import COUNT, Said
from marrow.lift.normalise import TOLD, Given
from marrow.nn.anchors import QueryBlock, plane_grid, votes
from marrow.nn.pose_mlp import ResidualMLP

#: Depths from the root that joints are sorted into, and half the side of the grid of anchors, statures.
DEEPEST, EXTENT = 0.5, 0.6
#: Statures to a unit of the normalised picture, where learning begins.
_SCALE = 0.55
#: Score of a joint's own anchors above all others', where learning begins.
_OWN = 4.0


class Voted(NamedTuple):
    """What is said of B windows of T frames, and what it was made of.

    Attributes:
        said: as all lifters do.
        alone: (B, T, 17, 3) weighted means of the anchors without their offsets, or None without anchors.
        depth: (B, T, 17, D) logarithms of how likely each joint is at each of :func:`depth_bins`.
    """

    said: Said
    alone: torch.Tensor | None
    depth: torch.Tensor


def depth_bins(count: int) -> torch.Tensor:
    """(count,) depths from the root, statures."""
    return torch.linspace(-DEEPEST, DEEPEST, count)


def depth_cue(front: torch.Tensor, given: Given) -> torch.Tensor:
    """What networks read of points on the front of a person.

    Args:
        front: (B, T, 17, 3) metres in the camera (:func:`marrow.data.front_depth.front_points`); NaN where none.
        given: what they read of the keypoints.

    Returns:
        (B, T, 17) depths in the turned camera from their median, statures; NaN where none.
    """
    z = (front @ given.R_cam)[..., 2]
    return (z - z.nanmedian(-1, keepdim=True).values) / given.stature[:, None, None]


class DepthEncoder(nn.Module):
    """Tokens of the joints that know how deep the joints may lie.

    Args:
        dim: channels of a token.
        width, blocks: of the :class:`marrow.nn.pose_mlp.ResidualMLP` inside.
        bins: depths that a joint is sorted into.
    """

    def __init__(self, dim: int, width: int, blocks: int, bins: int) -> None:
        super().__init__()
        self.trunk = ResidualMLP(5 * COUNT + TOLD, COUNT * dim, width, blocks)
        self.depth = nn.Linear(dim, bins)
        self.lifted = nn.Linear(bins, dim, bias=False)

    def forward(self, given: Given, cue: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (B T, 17, dim) and depth logits (B T, 17, bins)."""
        cue = torch.full_like(given.confidence, torch.nan) if cue is None else cue
        told = torch.cat([cue.nan_to_num().clamp(-1.0, 1.0), cue.isfinite().to(cue.dtype)], -1)
        tokens = self.trunk(torch.cat([given.features, told], -1).flatten(0, 1)).unflatten(-1, (COUNT, -1))
        depth = self.depth(tokens)
        return tokens + self.lifted(depth.softmax(-1)), depth


class AnchorLifter(nn.Module):
    """Anchors around each joint of the picture and on a grid ask the joints' tokens and vote.

    Args:
        dim: channels of tokens and queries.
        width, blocks, bins: of the :class:`DepthEncoder`.
        local: anchors around each joint, whose places the network says.
        side: anchors on each side of the grid.
    """

    grid: torch.Tensor

    def __init__(
        self, dim: int = 48, width: int = 256, blocks: int = 2, bins: int = 16, local: int = 2, side: int = 6
    ) -> None:
        super().__init__()
        self.encoder = DepthEncoder(dim, width, blocks, bins)
        self.local = nn.Linear(dim, 3 * local)
        nn.init.normal_(self.local.weight, std=0.01)
        with torch.no_grad():  # one behind the other, as depth is what the picture does not tell
            self.local.bias.view(local, 3).zero_()[:, 2] = torch.linspace(-0.2, 0.2, local)
        self.scale = nn.Parameter(torch.tensor(_SCALE).log())
        self.register_buffer("grid", plane_grid(side, EXTENT), persistent=False)
        self.role = nn.Parameter(0.1 * torch.randn(COUNT * local + side * side, dim))
        self.place = nn.Linear(3, dim)
        self.block = QueryBlock(dim)
        self.vote = nn.Sequential(nn.LayerNorm(dim), last := nn.Linear(dim, 4 * COUNT))
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)
        # learning begins where each joint follows its own keypoint
        own = torch.eye(COUNT).repeat_interleave(local, 0)
        self.trust = nn.Parameter(_OWN * torch.cat([own, torch.zeros(side * side, COUNT)]))
        self.error = nn.Linear(dim, 1)

    def anchors(self, given: Given, tokens: torch.Tensor) -> torch.Tensor:
        """(B T, A, 3) statures from the root: those around the joints, then the grid."""
        flat = (given.xy - given.xy[..., :1, :]).flatten(0, 1) * self.scale.exp()
        canonical = torch.cat([flat, torch.zeros_like(flat[..., :1])], -1)
        around = canonical[..., None, :] + self.local(tokens).float().unflatten(-1, (-1, 3))
        return torch.cat([around.flatten(1, 2), self.grid.expand(len(flat), -1, -1)], 1)

    def say(self, given: Given) -> Said:
        """What it says without a depth cue, as other networks do."""
        return self(given).said

    def forward(self, given: Given, cue: torch.Tensor | None = None) -> Voted:
        """``cue`` (B, T, 17) as from :func:`depth_cue`, or None."""
        tokens, depth = self.encoder(given, cue)
        anchors = self.anchors(given, tokens)
        own = tokens.repeat_interleave(self.local.out_features // 3, 1)
        own = torch.cat([own, own.new_zeros(len(own), len(self.grid), own.shape[-1])], 1)
        said = self.vote(self.block(own + self.role + self.place(anchors), tokens)).float()
        offsets, scores = said.unflatten(-1, (COUNT, 4)).split((3, 1), -1)
        mean, alone = votes(anchors, offsets, scores[..., 0] + self.trust)
        return _voted(given, mean, alone, self.error(tokens)[..., 0], depth)


class DirectLifter(nn.Module):
    """The same without anchors: each joint's query asks the tokens and says where the joint is.

    Args:
        dim, width, blocks, bins: as of :class:`AnchorLifter`.
        hidden: channels within the queries' layers.
    """

    def __init__(
        self, dim: int = 48, width: int = 256, blocks: int = 2, bins: int = 16, hidden: int | None = None
    ) -> None:
        super().__init__()
        self.encoder = DepthEncoder(dim, width, blocks, bins)
        self.role = nn.Parameter(0.1 * torch.randn(COUNT, dim))
        self.block = QueryBlock(dim, hidden=hidden)
        self.last = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4))

    def forward(self, given: Given, cue: torch.Tensor | None = None) -> Voted:
        """``cue`` (B, T, 17) as from :func:`depth_cue`, or None."""
        tokens, depth = self.encoder(given, cue)
        said = self.last(self.block(tokens + self.role, tokens)).float()
        return _voted(given, said[..., :3], None, said[..., 3], depth)


def _voted(
    given: Given, mean: torch.Tensor, alone: torch.Tensor | None, log_error: torch.Tensor, depth: torch.Tensor
) -> Voted:
    def frames(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(0, given.xy.shape[:2])

    said = Said(frames(mean - mean[:, :1]), frames(log_error).clamp(-7.0, 0.0))
    return Voted(said, None if alone is None else frames(alone), frames(depth))
