"""Transformer blocks: shapes, what permutations and positions do, masks and gradients."""

from __future__ import annotations

import pytest
import torch

from marrow.errors import InputError
from marrow.nn.vit import PictureTransformer, Positions, Transformer, TransformerBlock


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_a_grid_keeps_its_shape_and_gets_the_dimension() -> None:
    net = PictureTransformer(6, 16, 2, (3, 5))
    assert net(torch.randn(2, 6, 3, 5)).shape == (2, 16, 3, 5)


def test_without_positions_tokens_may_come_in_any_order() -> None:
    net = Transformer(16, 2).eval()
    tokens, order = torch.randn(2, 7, 16), torch.randperm(7)
    torch.testing.assert_close(net(tokens[:, order]), net(tokens)[:, order])


def test_with_positions_the_order_counts() -> None:
    net = PictureTransformer(4, 16, 1, (2, 2)).eval()
    features = torch.randn(1, 4, 2, 2)
    moved = net(features.flip(3)).flip(3)
    assert not torch.allclose(moved, net(features), atol=1e-4)
    net.positions.table.data.zero_()
    torch.testing.assert_close(net(features.flip(3)).flip(3), net(features))


def test_every_place_sees_every_other_and_all_weights_learn() -> None:
    net = PictureTransformer(4, 16, 1, (3, 3))
    features = torch.randn(1, 4, 3, 3, requires_grad=True)
    net(features)[0, 0, 0, 0].backward()
    assert features.grad is not None
    assert (features.grad.abs().sum(1) > 0).all()
    (net(features) * torch.randn(16, 3, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_tokens_that_are_not_kept_change_nothing_for_the_others() -> None:
    block = TransformerBlock(16).eval()
    tokens, kept = torch.randn(1, 5, 16), torch.tensor([[True, True, True, False, False]])
    other = tokens.clone()
    other[:, 3:] = 9.0
    torch.testing.assert_close(block(tokens, kept)[:, :3], block(other, kept)[:, :3])
    torch.testing.assert_close(block(tokens, kept)[:, :3], block(tokens[:, :3]))


def test_positions_are_resized_for_another_grid() -> None:
    positions = Positions(8, (4, 4))
    positions.table.data[:] = 1.0
    torch.testing.assert_close(positions(torch.zeros(2, 8, 6, 3)), torch.ones(2, 8, 6, 3))


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InputError, match="divisor"):
        TransformerBlock(10, heads=4)
