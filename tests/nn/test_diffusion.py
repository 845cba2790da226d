"""Sampling: what an exact denoiser of normal numbers gives is known; and a small one learns."""

import pytest
import torch

from marrow.nn.diffusion import Denoiser, denoising_loss, noise_levels, sample
from marrow.train.loop import train

MEAN, SD = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.0])


class Exact(torch.nn.Module):
    """The exact denoiser of independent normal numbers."""

    def forward(self, x, sigma):
        return (SD**2 * x + sigma**2 * MEAN) / (SD**2 + sigma**2)


def drawn(**options):
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(2000, 2, generator=generator)  # noqa: E731
    return sample(Exact(), draw, **{"steps": 60, "largest": 80.0, "least": 0.01} | options)


@pytest.mark.parametrize("fresh", [0.0, 1.0])
def test_samples_have_the_mean_and_spread_of_the_data(fresh):
    x = drawn(fresh=fresh)
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.08, rtol=0)
    torch.testing.assert_close(x.std(0), SD, atol=0.1, rtol=0)


def test_a_guide_moves_what_it_speaks_of_and_nothing_else():
    """Of one number an observation with a normal error: the posterior mean lies between, the other number stays."""
    seen, variance = 2.0, 0.25

    def guide(x0, sigma):
        # the expected number is uncertain itself
        doubt = sigma**2 * SD[0] ** 2 / (sigma**2 + SD[0] ** 2)
        slope = torch.zeros_like(x0)
        slope[:, 0] = (seen - x0[:, 0]) / (variance + doubt)
        return slope

    x = drawn(guide=guide)
    posterior = (MEAN[0] / SD[0] ** 2 + seen / variance) / (1 / SD[0] ** 2 + 1 / variance)
    torch.testing.assert_close(x[:, 0].mean(), posterior, atol=0.08, rtol=0)
    assert x[:, 0].std() < 0.8 * SD[0]
    torch.testing.assert_close(x[:, 1].mean(), MEAN[1], atol=0.08, rtol=0)


def test_noise_falls_to_none():
    levels = noise_levels(8, 2.0, 0.01)
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(2.0)
    assert levels[-2:] == [pytest.approx(0.01), 0.0]
    assert noise_levels(1, 2.0, 0.01) == [pytest.approx(2.0), 0.0]


def test_a_denoiser_learns_what_two_numbers_have_in_common():
    """Points on a circle: behind noise, a trained denoiser finds points near the circle, where noise alone is not."""

    def circle(number):
        angle = 2 * torch.pi * torch.rand(128, generator=torch.Generator().manual_seed(number))
        return torch.stack([angle.cos(), angle.sin()], -1)

    torch.manual_seed(0)
    net = Denoiser(2, 0.7, 64, 1)
    history = train(net, circle, lambda model, x: denoising_loss(model, x, 0.7), steps=300, rate=5e-3, average=0.98)
    assert sum(history[-50:]) < 0.93 * sum(history[:50])
    noisy = circle(9999) + 0.2 * torch.randn(128, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = net(noisy, torch.tensor(0.2))
    off = lambda x: (torch.linalg.vector_norm(x, dim=-1) - 1).abs().mean()  # noqa: E731
    assert off(found) < 0.7 * off(noisy)
