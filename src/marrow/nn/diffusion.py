"""A diffusion model of short rows of numbers, such as poses: denoiser, its loss, and a sampler that can be steered.

Noise is added to the numbers themselves (Karras et al. 2022, "Elucidating the design space of diffusion-based
generative models", NeurIPS), so its standard deviation ``sigma`` has their unit and is all there is of time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from marrow.nn.pose_mlp import ResidualMLP

_WAVES = 12


class Denoiser(nn.Module):
    """The expected numbers behind noisy ones: a residual perceptron between the scalings of Karras et al., table 1.

    Args:
        numbers: in a row, N.
        spread: standard deviation of the numbers, roughly.
        width, blocks: of the :class:`marrow.nn.pose_mlp.ResidualMLP`.
    """

    def __init__(self, numbers: int, spread: float, width: int = 512, blocks: int = 3) -> None:
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


def denoising_loss(denoiser: Denoiser, x: torch.Tensor) -> torch.Tensor:
    """Squared error behind noise of random strength, weighted so that all strengths count alike (equation 8 there).

    Args:
        x: (B, N) true numbers.
    """
    spread = denoiser.spread
    sigma = spread * torch.exp(1.3 * torch.randn(len(x), device=x.device) - 1.0)
    found = denoiser(x + sigma[:, None] * torch.randn_like(x), sigma)
    weight = (sigma.square() + spread**2) / (sigma * spread).square()
    return (weight * (found - x).square().mean(-1)).mean()


#: Moves expected numbers (..., N) towards evidence, at noise ``sigma``; gets the noisy numbers' gradient on demand.
Guide = Callable[[torch.Tensor, float], torch.Tensor]


def noise_levels(steps: int, largest: float, least: float) -> list[float]:
    """Standard deviations from ``largest`` down to ``least`` in so many steps (equation 5 there, with rho = 7), then 0."""
    if steps == 1:
        return [largest, 0.0]
    high, low = largest ** (1 / 7), least ** (1 / 7)
    return [(high + k / (steps - 1) * (low - high)) ** 7 for k in range(steps)] + [0.0]


def sample(
    denoiser: Denoiser,
    noise: torch.Tensor,
    *,
    steps: int,
    largest: float,
    least: float,
    fresh: float = 0.0,
    guide: Guide | None = None,
    generator: torch.Generator | None = None,
    through: bool = True,
) -> torch.Tensor:
    x = largest * noise
    levels = noise_levels(steps, largest, least)
    for sigma, after in zip(levels, levels[1:], strict=False):
        level = torch.tensor(sigma)
        if guide is None:
            with torch.no_grad():
                clean = denoiser(x, level)
        elif through:
            with torch.enable_grad():
                x = x.detach().requires_grad_(True)
                clean = denoiser(x, level)
            force = guide(clean.detach(), sigma)
            pull = torch.autograd.grad(clean, x, force)[0]
            clean = clean.detach() + sigma**2 * pull
            x = x.detach()
        else:
            with torch.no_grad():
                clean = denoiser(x, level)
                s2 = sigma**2 * denoiser.spread**2 / (sigma**2 + denoiser.spread**2)
                clean = clean + s2 * guide(clean, sigma)
        up = fresh * min(after, after * math.sqrt(max(1 - (after / sigma) ** 2, 0.0)))
        down = math.sqrt(max(after**2 - up**2, 0.0))
        x = clean + (down / sigma) * (x - clean)
        if up > 0:
            x = x + up * torch.randn(x.shape, generator=generator)
    return x
