"""A diffusion model of short rows of numbers, such as poses: denoiser, its loss, and a sampler that can be steered.

Noise is added to the numbers themselves (Karras et al. 2022, "Elucidating the design space of diffusion-based
generative models", NeurIPS), so its standard deviation ``sigma`` has their unit and is all there is of time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from marrow.nn.pose_mlp import ResidualMLP

_WAVES = 12
#: Standard deviations of the noise, as shares of the numbers' own, at which a denoiser's doubt is measured.
_LEVELS, _LEAST, _LARGEST = 24, 0.02, 10.0

#: Of expected numbers (..., N) and the noise that was on them, the slope of a log-likelihood at them (..., N).
Guide = Callable[[torch.Tensor, float], torch.Tensor]


class Denoiser(nn.Module):
    """The expected numbers behind noisy ones: a residual perceptron between the scalings of Karras et al., table 1.

    It also knows how far the numbers usually lie from the expected ones (:func:`measure_doubt`); until that is
    measured, as far as normal numbers of that spread would.

    Args:
        numbers: in a row, N.
        spread: standard deviation of the numbers, roughly.
        width, blocks: of the :class:`marrow.nn.pose_mlp.ResidualMLP`.
    """

    def __init__(self, numbers: int, spread: float, width: int = 384, blocks: int = 3) -> None:
        super().__init__()
        self.numbers, self.spread = numbers, spread
        self.net = ResidualMLP(numbers + 2 * _WAVES, numbers, width, blocks, smooth=True)
        of_normal = 1 / (1 + (self._noise() / spread).square())
        self.register_buffer("doubt", of_normal[:, None, None] * torch.eye(numbers))

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(..., N) noisy numbers and (...) or () standard deviation of their noise to (..., N) expected ones."""
        sigma = sigma.expand(x.shape[:-1])[..., None]
        both = (sigma.square() + self.spread**2).sqrt()
        said = self.net(torch.cat([x / both, self._waves(sigma)], -1))
        return x * (self.spread / both) ** 2 + said * sigma * self.spread / both

    def covariance(self, sigma: float) -> torch.Tensor:
        """(N, N) of the numbers about those expected behind noise of that standard deviation, the mean of all rows."""
        step = math.log(_LARGEST / _LEAST) / (_LEVELS - 1)
        at = min(max(math.log(sigma / (self.spread * _LEAST)) / step, 0.0), _LEVELS - 1.0)
        low = min(int(at), _LEVELS - 2)
        doubt = cast(torch.Tensor, self.doubt)
        return sigma**2 * torch.lerp(doubt[low], doubt[low + 1], at - low)

    def _noise(self) -> torch.Tensor:
        return self.spread * torch.logspace(math.log10(_LEAST), math.log10(_LARGEST), _LEVELS)

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


@torch.no_grad()
def measure_doubt(denoiser: Denoiser, x: torch.Tensor, generator: torch.Generator) -> None:
    """Measure, after training, what :meth:`Denoiser.covariance` tells.

    Args:
        denoiser: is changed in place.
        x: (B, N) true numbers.
        generator: of the noise.
    """
    for level, sigma in enumerate(denoiser._noise()):
        off = denoiser(x + sigma * torch.randn(x.shape, generator=generator), sigma) - x
        cast(torch.Tensor, denoiser.doubt)[level] = off.mT @ off / (len(x) * sigma.square())


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
    rough: float = math.inf,
    reach: float = math.inf,
    select: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Rows drawn from what the denoiser learnt, or from that times a likelihood.

    A guide's slope at the expected numbers goes back through the denoiser to the noisy ones (Chung et al. 2023,
    "Diffusion posterior sampling", ICLR): so evidence about some numbers moves those that depend on them.

    Args:
        denoiser: trained.
        draw: gives new standard normal numbers (..., N).
        steps: calls of the denoiser.
        largest, least: first and last standard deviation of the noise.
        fresh: share of new noise in each step: 0 goes straight (DDIM), 1 is ancestral, more forgets faster.
        guide: of the likelihood; may keep what it has found between steps.
        rough: noise from which on a slope goes through the denoiser's mean covariance: behind so much noise its own
            derivative is small beside the derivative's errors.
        reach: no expected number is farther from 0.
        select: of the rows of a step (..., N), before new noise is added, those to go on with; as many.
    """
    levels = noise_levels(steps, largest, least)
    x = largest * draw()
    for sigma, after in itertools.pairwise(levels):
        through = guide is not None and sigma < rough
        with torch.set_grad_enabled(through):
            x = x.detach().requires_grad_(through)
            clean = denoiser(x, torch.tensor(sigma, dtype=x.dtype))
        if guide is not None:
            slope = guide(clean.detach(), sigma)
            if through:
                push = sigma**2 * torch.autograd.grad(clean, x, slope)[0]
            else:
                push = slope @ denoiser.covariance(sigma)
            x, clean = x.detach(), clean.detach() + push
        clean = clean.clamp(-reach, reach)
        up = after * min(fresh * math.sqrt(max(1 - (after / sigma) ** 2, 0.0)), 1.0)
        down = math.sqrt(max(after**2 - up**2, 0.0))
        x = clean + (down / sigma) * (x - clean)
        if select is not None:
            x = select(x)
        if up > 0:
            x = x + up * draw()
    return x
