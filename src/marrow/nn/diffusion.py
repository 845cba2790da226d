"""A diffusion model of short rows of numbers, such as poses: denoiser, its loss, and a sampler that can be steered.

Noise is added to the numbers themselves (Karras et al. 2022, "Elucidating the design space of diffusion-based
generative models", NeurIPS), so its standard deviation ``sigma`` has their unit and is all there is of time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import nn

from marrow.nn.pose_mlp import ResidualMLP

_WAVES = 12

#: Of expected numbers (..., N) and the noise that was on them, the slope of a log-likelihood at them (..., N).
Guide = Callable[[torch.Tensor, float], torch.Tensor]


class Denoiser(nn.Module):
    """The expected numbers behind noisy ones: a residual perceptron between the scalings of Karras et al., table 1.

    Args:
        numbers: in a row, N.
        spread: standard deviation of the numbers, roughly.
        width, blocks: of the :class:`marrow.nn.pose_mlp.ResidualMLP`.
    """

    def __init__(self, numbers: int, spread: float, width: int = 384, blocks: int = 3) -> None:
        super().__init__()
        self.numbers, self.spread = numbers, spread
        self.net = ResidualMLP(numbers + 2 * _WAVES, numbers, width, blocks)

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(..., N) noisy numbers and (...) or () standard deviation of their noise to (..., N) expected ones."""
        sigma = sigma.expand(x.shape[:-1])[..., None]
        both = (sigma.square() + self.spread**2).sqrt()
        said = self.net(torch.cat([x / both, self._waves(sigma)], -1))
        return x * (self.spread / both) ** 2 + said * sigma * self.spread / both

    def _waves(self, sigma: torch.Tensor) -> torch.Tensor:
        frequency = 0.2 * 1.4 ** torch.arange(_WAVES, device=sigma.device, dtype=sigma.dtype)
        phase = (sigma / self.spread).log() * frequency
        return torch.cat([phase.sin(), phase.cos()], -1)


def denoising_loss(denoiser: nn.Module, x: torch.Tensor, spread: float) -> torch.Tensor:
    """Squared error behind noise of random strength, weighted so that all strengths count alike (equation 8 there).

    Args:
        denoiser: a :class:`Denoiser`, or what wraps it.
        x: (B, N) true numbers.
        spread: that of the denoiser.
    """
    sigma = spread * torch.exp(1.3 * torch.randn(len(x), device=x.device) - 1.0)
    found = denoiser(x + sigma[:, None] * torch.randn_like(x), sigma)
    weight = (sigma.square() + spread**2) / (sigma * spread).square()
    return (weight * (found - x).square().mean(-1)).mean()


def noise_levels(steps: int, largest: float, least: float) -> list[float]:
    """Standard deviations from ``largest`` to ``least`` in so many steps (equation 5 there, rho = 7), then 0."""
    high, low = largest ** (1 / 7), least ** (1 / 7)
    return [(high + k / max(steps - 1, 1) * (low - high)) ** 7 for k in range(steps)] + [0.0]


def sample(
    denoiser: Denoiser,
    draw: Callable[[], torch.Tensor],
    *,
    steps: int,
    largest: float,
    least: float,
    fresh: float = 1.0,
    guide: Guide | None = None,
) -> torch.Tensor:
    """Rows drawn from what the denoiser learnt, or from that times a likelihood.

    A guide's slope at the expected numbers goes back through the denoiser to the noisy ones (Chung et al. 2023,
    "Diffusion posterior sampling", ICLR): so evidence about some numbers moves those that depend on them.

    Args:
        denoiser: trained.
        draw: gives new standard normal numbers (..., N).
        steps: calls of the denoiser.
        largest, least: first and last standard deviation of the noise.
        fresh: share of new noise in each step: 0 goes straight (DDIM), 1 is ancestral.
        guide: of the likelihood; may keep what it has found between steps.
    """
    levels = noise_levels(steps, largest, least)
    x = largest * draw()
    for sigma, after in itertools.pairwise(levels):
        with torch.set_grad_enabled(guide is not None):
            x = x.detach().requires_grad_(guide is not None)
            clean = denoiser(x, torch.tensor(sigma, dtype=x.dtype))
        if guide is not None:
            slope = guide(clean.detach(), sigma)
            clean = clean.detach() + sigma**2 * torch.autograd.grad(clean, x, slope)[0]
            x = x.detach()
        up = fresh * after * math.sqrt(max(1 - (after / sigma) ** 2, 0.0))
        down = math.sqrt(max(after**2 - up**2, 0.0))
        x = clean + (down / sigma) * (x - clean)
        if up > 0:
            x = x + up * draw()
    return x
