"""Sampling: what an exact denoiser of normal numbers gives is known; and a small one learns."""

import math

import pytest
import torch

from marrow.nn.diffusion import Denoiser, denoising_loss, measure_doubt, noise_levels, sample
from marrow.train.loop import train

MEAN, SD = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.0])


class Exact(torch.nn.Module):
    """The exact denoiser of independent normal numbers."""

    def forward(self, x, sigma):
        return (SD**2 * x + sigma**2 * MEAN) / (SD**2 + sigma**2)

    def covariance(self, sigma):
        return torch.diag(sigma**2 * SD**2 / (sigma**2 + SD**2))


def drawn(**options):
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(2000, 2, generator=generator)  # noqa: E731
    return sample(Exact(), draw, **{"steps": 60, "largest": 80.0, "least": 0.01} | options)


@pytest.mark.parametrize("fresh", [0.0, 1.0, 1.3])
def test_samples_have_the_mean_and_spread_of_the_data(fresh):
    x = drawn(fresh=fresh)
    torch.testing.assert_close(x.mean(0), MEAN, atol=0.08, rtol=0)
    torch.testing.assert_close(x.std(0), SD, atol=0.1, rtol=0)


@pytest.mark.parametrize("rough", [0.0, 1.0, math.inf])
def test_a_guide_moves_what_it_speaks_of_and_nothing_else(rough):
    """Of one number an observation with a normal error: the posterior mean lies between, the other number stays."""
    seen, variance = 2.0, 0.25

    def guide(x0, sigma):
        # the expected number is uncertain itself
        doubt = sigma**2 * SD[0] ** 2 / (sigma**2 + SD[0] ** 2)
        slope = torch.zeros_like(x0)
        slope[:, 0] = (seen - x0[:, 0]) / (variance + doubt)
        return slope

    x = drawn(guide=guide, rough=rough)
    posterior = (MEAN[0] / SD[0] ** 2 + seen / variance) / (1 / SD[0] ** 2 + 1 / variance)
    torch.testing.assert_close(x[:, 0].mean(), posterior, atol=0.08, rtol=0)
    assert x[:, 0].std() < 0.8 * SD[0]
    torch.testing.assert_close(x[:, 1].mean(), MEAN[1], atol=0.08, rtol=0)


def test_rows_are_selected_and_stay_within_reach():
    x = drawn(select=lambda rows: rows[:1].expand_as(rows), reach=2.0)
    assert x.std(0).max() == 0, "all come from one row at last"
    assert x.abs().max() <= 2.0


def test_doubt_of_a_denoiser_that_is_exact_is_that_of_normal_numbers():
    torch.manual_seed(0)
    denoiser = Denoiser(3, 0.5, 8, 1)
    for parameter in denoiser.net.last.parameters():
        torch.nn.init.zeros_(parameter)
    expected = {sigma: sigma**2 * 0.5**2 / (sigma**2 + 0.5**2) * torch.eye(3) for sigma in (0.02, 0.3, 2.0)}
    for _ in range(2):
        for sigma, covariance in expected.items():
            torch.testing.assert_close(denoiser.covariance(sigma), covariance, rtol=0.1, atol=0.05 * covariance.max())
        measure_doubt(denoiser, 0.5 * torch.randn(4096, 3), torch.Generator().manual_seed(0))


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
