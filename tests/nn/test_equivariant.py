"""Networks that turn with their input."""

import math

import torch

from marrow.nn.equivariant import PlanarNet


def test_vectors_turn_and_scalars_stay():
    torch.manual_seed(0)
    net = PlanarNet(5, 3, 4, 2, width=16, blocks=2)
    vector, scalar = torch.randn(7, 5, 2), torch.randn(7, 3)
    for angle in (0.3, 2.0, math.pi):
        c, s = math.cos(angle), math.sin(angle)
        R = torch.tensor([[c, -s], [s, c]])
        (v, x), (v_turned, x_turned) = net(vector, scalar), net(vector @ R.T, scalar)
        torch.testing.assert_close(v_turned, v @ R.T, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(x_turned, x, atol=1e-5, rtol=1e-4)


def test_it_is_no_constant():
    torch.manual_seed(0)
    net = PlanarNet(5, 3, 4, 2, width=16, blocks=2)
    a, b = (net(torch.randn(1, 5, 2), torch.zeros(1, 3)) for _ in range(2))
    assert (a[0] - b[0]).abs().max() > 1e-3
    assert (a[1] - b[1]).abs().max() > 1e-3
