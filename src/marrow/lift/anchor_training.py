"""How anchors learn: keypoints of which some are far off, and a coarse depth of the person in half of the windows."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch

from marrow.data.front_depth import front_points
from marrow.data.lifting import People, views
from marrow.lift.anchor_lifter import Voted, depth_bins, depth_cue
from marrow.lift.normalise import Given, normalised, to_network
from marrow.lift.training import Recipe, loss_of, with_errors
from marrow.nn.anchors import surrounding_loss
from marrow.train.loop import train
from marrow.train.seeds import generator as generator_of

#: Standard deviation of the depth that is told, statures (some 5 cm), and the share of joints where it is missing.
DEPTH_SD, DEPTH_MISSING = 0.03, 0.1
#: Weights of the losses beside the joints': the anchors' and the depth's.
ANCHOR_LOSS, DEPTH_LOSS = 0.2, 0.02


class CuedBatch(NamedTuple):
    """What the network reads, and the truth in its units and axes (B, T, 17, 3)."""

    given: Given
    cue: torch.Tensor
    truth: torch.Tensor


def shifted(
    xy: torch.Tensor, share: torch.Tensor | float, shift: torch.Tensor | float, generator: torch.Generator
) -> torch.Tensor:
    """Keypoints (B, T, J, 2) some of which, other ones in each frame, lie elsewhere.

    Args:
        share: (B,) or one for all: chance of each joint.
        shift: (B,) or one for all: how far, in any direction, as a share of the longer side of the box.
    """
    size = (xy.amax(-2) - xy.amin(-2)).amax(-1)[..., None]
    share, shift = (torch.as_tensor(v, dtype=xy.dtype).view(-1, 1, 1) for v in (share, shift))
    moved = torch.rand(xy.shape[:-1], generator=generator) < share
    angle = 2 * torch.pi * torch.rand(xy.shape[:-1], generator=generator)
    step = torch.stack([angle.cos(), angle.sin()], -1) * (moved * shift * size)[..., None]
    return xy + step


def noisy_cue(
    xyz: torch.Tensor, xy: torch.Tensor, stature: torch.Tensor, given: Given, generator: torch.Generator
) -> torch.Tensor:
    """A coarse depth at keypoints (B, T, 17): of capsules around the joints ``xyz``, with errors and gaps."""
    cue = depth_cue(front_points(xyz, xy, stature), given)
    cue = cue + DEPTH_SD * torch.randn(cue.shape, generator=generator)
    return torch.where(torch.rand(cue.shape, generator=generator) < DEPTH_MISSING, torch.nan, cue)


def voted_loss(voted: Voted, truth: torch.Tensor) -> torch.Tensor:
    """Joints as all lifters have them; anchors are to surround the joints; depths are to be the joints'."""
    bins = depth_bins(voted.depth.shape[-1])
    near = -0.5 * ((truth[..., 2:] - bins) / (bins[1] - bins[0])).square()
    depth = -(near.softmax(-1) * voted.depth.float().log_softmax(-1)).sum(-1).mean()
    loss = loss_of(voted.said, truth) + DEPTH_LOSS * depth
    return loss if voted.alone is None else loss + ANCHOR_LOSS * surrounding_loss(voted.alone, truth)


def train_anchors(
    network: torch.nn.Module,
    seen: People,
    steps: int,
    *,
    batch: int = 128,
    seed: int = 0,
    rate: float = 2e-3,
    precision: Literal["32", "bf16"] = "bf16",
    **told: Any,
) -> list[float]:
    """Train a network that reads depth cues, in place; the losses. ``told`` goes to :func:`marrow.train.loop.train`.

    In half of the windows up to 40 % of the keypoints are shifted by up to 35 % of the box, and in half of them no
    depth is told.
    """
    first, recipe = seen.starts(1), Recipe(batch=batch)

    def make(number: int) -> CuedBatch:
        generator = generator_of(seed, number)

        def even(high: float) -> torch.Tensor:
            return high * torch.rand(batch, generator=generator)

        rows = first[torch.randint(len(first), (batch,), generator=generator)]
        own = views(seen, rows, 1, generator)
        xy, confidence = with_errors(own.xy, recipe, generator)
        wrong = even(1.0) < 0.5
        xy = shifted(xy, torch.where(wrong, even(0.4), 0.0), even(0.35), generator)
        given = normalised(xy, confidence, torch.where(even(1.0) < recipe.height, own.stature, torch.nan))
        cue = noisy_cue(own.xyz, xy, own.stature, given, generator)
        cue = torch.where((even(1.0) < 0.5)[:, None, None] & (confidence > 0), cue, torch.nan)
        return CuedBatch(given, cue, to_network(given, own.xyz - own.xyz[..., :1, :]))

    def loss(net: torch.nn.Module, one: CuedBatch) -> torch.Tensor:
        return voted_loss(net(one.given, one.cue), one.truth)

    return train(network, make, loss, steps=steps, rate=rate, precision=precision, **told)
