"""Votes of anchors, and what draws them to the joints."""

from __future__ import annotations

import pytest
import torch

from marrow.errors import InputError
from marrow.nn.anchors import QueryBlock, plane_grid, surrounding_loss, votes


def test_a_grid_lies_in_the_plane():
    grid = plane_grid(3, 0.5)
    assert grid.shape == (9, 3)
    assert grid[:, 2].abs().max() == 0
    assert grid[:, :2].amin(0).tolist() == [-0.5, -0.5]
    assert len(grid.unique(dim=0)) == 9
    with pytest.raises(InputError, match="2 anchors"):
        plane_grid(1, 0.5)


def test_votes_are_weighted_means():
    anchors = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    offsets = torch.tensor([[[0.0, 2.0, 0.0]], [[0.0, 0.0, 4.0]]])
    joints, alone = votes(anchors, offsets, torch.log(torch.tensor([[1.0], [3.0]])))
    torch.testing.assert_close(joints, torch.tensor([[0.75, 0.5, 3.0]]))
    torch.testing.assert_close(alone, torch.tensor([[0.75, 0.0, 0.0]]))


def test_exact_offsets_give_the_joints_whatever_the_weights():
    torch.manual_seed(0)
    anchors, truth = torch.randn(5, 7, 3), torch.randn(5, 2, 3)
    joints, _ = votes(anchors, truth[:, None] - anchors[:, :, None], torch.randn(5, 7, 2))
    torch.testing.assert_close(joints, truth)


def test_near_anchors_cost_nothing():
    truth = torch.zeros(1, 2, 3)
    assert float(surrounding_loss(truth + 0.02, truth)) == 0
    assert float(surrounding_loss(truth + torch.tensor([0.25, 0, 0]), truth)) == pytest.approx(0.2)


def test_queries_ask_their_own_tokens_in_any_order():
    torch.manual_seed(0)
    block, queries, tokens = QueryBlock(8, 2), torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    found = block(queries, tokens)
    torch.testing.assert_close(found, block(queries, tokens[:, [2, 0, 1]]))
    other = tokens.clone()
    other[1] *= -1
    torch.testing.assert_close(block(queries, other)[0], found[0])
    assert (block(queries, other)[1] - found[1]).abs().max().item() > 1e-3
    with pytest.raises(InputError, match="divisor"):
        QueryBlock(9, 2)
