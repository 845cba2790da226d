"""The residual network: sizes, and that every block begins as its shortcut."""

from __future__ import annotations

import torch

from marrow.nn.residual import ResidualBlock, ResidualNet


def test_each_stage_halves_the_sides():
    shapes = [tuple(x.shape) for x in ResidualNet((8, 16, 24), blocks=2)(torch.zeros(2, 3, 32, 32))]
    assert shapes == [(2, 8, 16, 16), (2, 16, 8, 8), (2, 24, 4, 4)]


def test_a_new_block_is_its_shortcut():
    block, x = ResidualBlock(8, 8), torch.rand(1, 8, 6, 6)
    torch.testing.assert_close(block(x), x)


def test_pictures_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    net, x = ResidualNet((8, 16)), torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(net(x)[-1][1], net(x[1:2])[-1][0], rtol=1e-4, atol=1e-5)
