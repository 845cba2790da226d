"""Splines against scipy's, their derivative against differences, and what a layer can become."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from marrow.errors import InputError
from marrow.nn.kan import KANLayer, cubic_bsplines


def test_splines_are_those_of_scipy():
    intervals, low, high = 4, -1.0, 3.0
    knots = np.arange(-3, intervals + 4) * (high - low) / intervals + low
    x = np.linspace(low, high - 1e-6, 50)
    expected = BSpline.design_matrix(x, knots, 3).toarray()
    found = cubic_bsplines(torch.from_numpy(x), low, high, intervals)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(-1).numpy(), 1.0, atol=1e-9)


def test_they_end_three_intervals_beyond():
    far = torch.tensor([-1.0 - 3.0, 3.0 + 3.0], dtype=torch.float64)
    assert cubic_bsplines(far, -1.0, 3.0, 4).detach().abs().max() == 0


def test_the_derivative_is_right():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: cubic_bsplines(value, -2.5, 2.5, 5), x)


def test_a_layer_learns_what_no_linear_one_can():
    """A sum of a sine and a square, each of its own input."""
    torch.manual_seed(0)
    layer = KANLayer(2, 1, intervals=8)
    x = 4 * torch.rand(400, 2) - 2
    y = torch.sin(3 * x[:, :1]) + x[:, 1:].square()
    optimiser = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(200):
        optimiser.zero_grad()
        loss = (layer(x) - y).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.01 * y.var().item()


def test_nonsense_is_answered():
    with pytest.raises(InputError, match="intervals"):
        KANLayer(2, 2, intervals=0)
