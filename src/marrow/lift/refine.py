"""Test-time optimisation of what a lifting network reads, so that what it says fits the picture better.

After Wang et al. 2025, "Uncertainty-aware testing-time optimization for 3D human pose estimation" (UAO, IEEE TMM): the
network stays as it is; the latent that moves is its 2-D input; each joint may leave the first answer as far as the
network was unsure of it; the same is done in a mirror, and both are averaged. There the root's true place is used
where the pose is projected, which nobody has who lifts; here it is estimated at each step.
"""

from __future__ import annotations

import dataclasses

import torch

from marrow.lift.lifter import Network
from marrow.lift.mirror import MIRROR, BothSides, mean_of, mirrored, mirrored_given
from marrow.lift.networks import Said
from marrow.lift.normalise import Given
from marrow.lift.reprojection import root_of, seen_at, tangents


def refine(
    network: Network,
    given: Given,
    *,
    steps: int = 20,
    rate: float = 0.005,
    prior: float = 0.006,
    miss: float = 0.025,
    robust: float = 0.02,
    uncertain: bool = True,
    flip: bool = True,
    root: torch.Tensor | None = None,
) -> Said:
    """What a network says once its input was optimised; for :attr:`marrow.lift.lifter.Lifter.refine`.

    Args:
        network: frozen; any lifting network.
        given: what it reads.
        steps: of Adam.
        rate: of Adam: about how far a joint of the input moves in a step, in the unit of ``given.xy``.
        prior: weight of the distance between what is said and what was said first, beside the reprojection error in the
            unit of ``given.xy``.
        miss: mean reprojection error of the first answer, in that unit, at which the weight is ``prior``. In each frame
            it grows with the square of that error, which tells how noisy the keypoints are; 0: it is the same
            everywhere, as in the paper.
        robust: reprojection errors beyond this (in that unit) count by their logarithm, so that outliers pull less; 0:
            by themselves, as in the paper.
        uncertain: that distance in units of the error that the network expects of each joint; otherwise in their mean.
        flip: also in a mirror; the mean of both. A network that looks into one by itself needs it not.
        root: (B, T, 3) true root in the turned camera, statures; by default it is estimated.
    """
    said = _optimised(network, given, steps, rate, prior, miss, robust, uncertain, root)
    if not flip or isinstance(network, BothSides):
        return said
    there = None if root is None else root * MIRROR.to(root)
    other = mirrored(_optimised(network, mirrored_given(given), steps, rate, prior, miss, robust, uncertain, there))
    return mean_of(said, other)


def unsure_loss(said: Said, truth: torch.Tensor) -> torch.Tensor:
    """Error of each joint over how unsure the network is of it, and that: a Laplace likelihood of both heads."""
    error = torch.linalg.vector_norm(said.mean.float() - truth, dim=-1)[..., 1:]
    log_error = said.log_error.float()[..., 1:]
    return (error * torch.exp(-log_error) + log_error).mean()


def _optimised(
    network: Network,
    given: Given,
    steps: int,
    rate: float,
    prior: float,
    miss: float,
    robust: float,
    uncertain: bool,
    root: torch.Tensor | None,
) -> Said:
    with torch.no_grad():
        first = network(given)
    stay = torch.exp(-first.log_error)
    if not uncertain:
        stay = stay.mean(-1, keepdim=True).expand_as(stay)
    seen, unit = tangents(given), given.size[..., None]
    count = given.confidence.sum(-1).clamp(min=1e-6)

    def missed(mean: torch.Tensor) -> torch.Tensor:
        """(B, T, J) reprojection errors."""
        X = root_of(mean, seen, given.confidence) if root is None else root
        return torch.linalg.vector_norm(seen_at(mean, X) - seen, dim=-1) / unit

    weight = torch.full_like(count, prior)
    if miss:
        with torch.no_grad():
            weight *= ((given.confidence * missed(first.mean.float())).sum(-1) / count / miss).square()
    z = given.xy.clone().requires_grad_(True)
    adam = torch.optim.Adam([z], lr=rate)
    for _ in range(steps):
        with torch.enable_grad():
            mean = network(dataclasses.replace(given, xy=z)).mean.float()
            off = missed(mean)
            if robust:
                off = robust * torch.log1p(off / robust)
            fit = (given.confidence * off).sum(-1) / count
            away = (stay * torch.linalg.vector_norm(mean - first.mean, dim=-1)).mean(-1)
            (slope,) = torch.autograd.grad((fit + weight * away).sum(), z)
        z.grad = slope * (given.confidence > 0)[..., None]  # what is missing stays what the network knows as missing
        adam.step()
    with torch.no_grad():
        return Said(network(dataclasses.replace(given, xy=z.detach())).mean, first.log_error)
