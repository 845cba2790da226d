"""Joints that nobody sees: where they usually are beside those that are seen, and how much that leaves open.

Lifting networks do badly where a joint is missing, and nearly as well as with it where its place is about right. Poses
as pictures show them (normalised as in :mod:`marrow.lift.normalise`) and as bodies hold them are taken as one normal
distribution; what is missing follows from what is seen as its conditional mean.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from marrow.lift.normalise import SPREAD, enough

#: Made by ``python scripts/fit_usual_poses.py`` of the training motions.
USUAL = Path(__file__).with_name("usual_poses.npz")
#: Variance that is added to what is seen, so that nothing is believed of differences smaller than a detector's errors.
_BLUR = 1e-4
_ROUNDS = 8


@dataclass(frozen=True)
class UsualPoses:
    """A normal distribution of J joints in the picture and in space.

    Attributes:
        mean: (J, 2) normalised places in the picture.
        covariance: (5 J, 5 J) of those, joint after joint, and then of the joints from the root, statures.
    """

    mean: torch.Tensor
    covariance: torch.Tensor

    def given(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What joints ``seen`` (J,) bool tell of all others.

        Returns:
            (2 M, 2 S) by which the places of the S seen joints, from their means, give those of the M missing ones;
            (J,) variance of a coordinate of each joint in space, statures squared: of a missing one what is left open,
            of a seen one what is left open and would not be with all joints seen.
        """
        flat = len(seen) * 2
        place, space = self.covariance[:flat, :flat], self.covariance[flat:, flat:]
        across = self.covariance[flat:, :flat]
        blurred = place + _BLUR * torch.eye(flat, dtype=place.dtype)
        shown = seen.repeat_interleave(2)
        inverse = torch.linalg.inv(blurred[shown][:, shown])
        way = place[~shown][:, shown] @ inverse

        def explained(columns: torch.Tensor, precision: torch.Tensor) -> torch.Tensor:
            return ((columns @ precision) * columns).sum(-1)

        told = explained(across[:, shown], inverse)
        dims = len(space) // len(seen)
        most = torch.where(seen.repeat_interleave(dims), explained(across, torch.linalg.inv(blurred)), space.diagonal())
        return way, (most - told).clamp(min=0.0).view(-1, dims).mean(-1)


@functools.cache
def usual_poses() -> UsualPoses:
    """Those of the training motions, seen by random cameras."""
    with np.load(USUAL) as stored:
        return UsualPoses(*(torch.from_numpy(stored[name]).double() for name in ("mean", "covariance")))


def completed(
    xy: torch.Tensor, confidence: torch.Tensor, usual: UsualPoses | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keypoints with the missing joints where they usually are beside the others.

    Args:
        xy: (T, J, 2) x/z and y/z in the camera; any number where missing.
        confidence: (T, J), 0 where missing.
        usual: poses; by default :func:`usual_poses`.

    Returns:
        (T, J, 2) places; (T, J) confidence, 1 where a joint was filled in; (T, J) variance of each coordinate of the
        joint in space that this leaves open, statures squared. Frames with too few joints stay as they are.
    """
    seen = confidence > 0
    open_ = torch.zeros_like(confidence)
    partly = enough(confidence) & ~seen.all(-1)
    if not bool(partly.any()):
        return xy, confidence, open_
    usual = usual or usual_poses()
    xy, confidence = xy.clone(), confidence.clone()
    for pattern in torch.unique(seen[partly], dim=0):
        rows = torch.nonzero(partly & (seen == pattern).all(-1))[:, 0]
        way, variance = usual.given(pattern)
        xy[rows] = _filled(xy[rows].double(), pattern, usual, way).to(xy.dtype)
        open_[rows] = variance.to(open_.dtype)
        confidence[rows] = torch.where(pattern, confidence[rows], 1.0)
    return xy, confidence, open_


def _filled(x: torch.Tensor, seen: torch.Tensor, poses: UsualPoses, way: torch.Tensor) -> torch.Tensor:
    """(N, J, 2) with the joints that are not ``seen`` (J,), as :meth:`UsualPoses.given` tells the way to them.

    Size and middle of the whole person are known only once it is filled in, so both are found in turn.
    """
    mean, own = poses.mean, x[:, seen]
    other, middle = mean[seen], own.mean(-2, keepdim=True)
    variance = poses.covariance.diagonal()[: mean.numel()].view_as(mean)[seen]
    spread = ((other - other.mean(-2)).square() + variance).sum(-1).mean().sqrt()
    size = _spread(own - middle) / spread
    shift = middle - size * other.mean(-2)
    full = x.clone()
    for _ in range(_ROUNDS):
        z = (own - shift) / size - other
        full[:, ~seen] = shift + size * (mean[~seen] + (z.flatten(1) @ way.T).unflatten(-1, (-1, 2)))
        shift = full.mean(-2, keepdim=True)
        size = _spread(full - shift) / SPREAD
    return full


def _spread(x: torch.Tensor) -> torch.Tensor:
    """(N, 1, 1) root mean square distance of (N, J, 2) from 0."""
    return x.square().sum(-1).mean(-1).sqrt().clamp(min=1e-9)[:, None, None]
