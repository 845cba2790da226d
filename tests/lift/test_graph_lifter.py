"""The lifters on the skeleton's graph and of anchors: what they say, what reaches what, and that they learn."""

from __future__ import annotations

import pytest
import torch

from marrow.data.lifting import People
from marrow.lift.anchor_lifter import AnchorLifter, DirectLifter, depth_bins, depth_cue
from marrow.lift.anchor_training import shifted, train_anchors, voted_loss
from marrow.lift.graph_lifter import GraphLifter
from marrow.lift.normalise import Given, from_network, normalised
from marrow.lift.training import Recipe, train_lifter
from marrow.nn.kan import KANLayer


@pytest.fixture
def given() -> Given:
    generator = torch.Generator().manual_seed(0)
    confidence = torch.ones(3, 2, 17)
    confidence[0, 1, 5] = 0.0
    return normalised(
        0.2 * torch.randn(3, 2, 17, 2, generator=generator), confidence, torch.tensor([1.6, 1.7, torch.nan])
    )


@pytest.fixture(scope="module")
def few() -> People:
    """Sixty frames of points that stand in random poses around a person's."""
    generator = torch.Generator().manual_seed(1)
    rise = torch.tensor([0.95, 0.95, 0.5, 0.08, 0.95, 0.5, 0.08, 1.2, 1.45, 1.55, 1.7, 1.4, 1.1, 0.9, 1.4, 1.1, 0.9])
    xyz = 0.1 * torch.randn(60, 17, 3, generator=generator)
    xyz[..., 1] += rise
    return People(xyz, torch.full((60,), 1.7), torch.zeros(60, dtype=torch.long), ("one",))


def small_anchors() -> AnchorLifter:
    torch.manual_seed(0)
    return AnchorLifter(16, 32, 1, local=2, side=3)


@pytest.mark.parametrize("layer", [None, KANLayer])
def test_joints_are_said_from_the_root(given, layer):
    torch.manual_seed(0)
    net = GraphLifter(8, 1) if layer is None else GraphLifter(8, 1, layer, (0.8, 0.2), response=True)
    said = net(given)
    assert said.mean.shape == (3, 2, 17, 3)
    assert said.log_error.shape == (3, 2, 17)
    assert said.mean[..., 0, :].abs().max().item() == 0
    torch.testing.assert_close(net(given).mean[1], said.mean[1])


def test_anchors_and_the_direct_one_say_the_same_kind_of_thing(given):
    torch.manual_seed(0)
    for net in (small_anchors(), DirectLifter(16, 32, 1)):
        voted = net(given)
        assert voted.said.mean.shape == (3, 2, 17, 3)
        assert voted.said.mean[..., 0, :].abs().max().item() == 0
        assert voted.depth.shape == (3, 2, 17, 16)
        assert voted_loss(voted, torch.zeros(3, 2, 17, 3)).isfinite()
    assert voted.alone is None


def test_a_new_network_follows_the_keypoints(given):
    """Before anything is learnt a joint lies near its own keypoint, seen from the root, in the plane of the root."""
    net = small_anchors()
    mean = net(given).said.mean
    flat = (given.xy - given.xy[..., :1, :]) * net.scale.exp()
    assert torch.corrcoef(torch.stack([mean[..., :2].flatten(), flat.flatten()]))[0, 1].item() > 0.9


def test_depth_may_be_told_or_not(given):
    net = small_anchors()
    none = torch.full((3, 2, 17), torch.nan)
    torch.testing.assert_close(net(given, none).said.mean, net(given).said.mean)
    told = torch.linspace(-0.3, 0.3, 17).expand(3, 2, 17)
    assert (net(given, told).said.mean - net(given).said.mean).abs().max().item() > 1e-4


def test_the_cue_is_depth_from_the_middle_in_statures(given):
    front = torch.zeros(3, 2, 17, 3)
    front[..., 2] = 4.0 + 0.17 * torch.arange(17)
    front[:, :, 16] = torch.nan
    straight = Given(**(vars(given) | {"R_cam": torch.eye(3).expand(3, 2, 3, 3), "stature": torch.full((3,), 1.7)}))
    cue = depth_cue(front, straight)
    assert cue[..., 16].isnan().all()
    torch.testing.assert_close(cue[..., :16], (0.1 * (torch.arange(16) - 7.0)).expand(3, 2, 16))
    assert depth_bins(16).diff().unique().numel() >= 1


def test_shifts_are_as_long_and_as_frequent_as_told():
    xy = torch.rand(200, 1, 17, 2, generator=torch.Generator().manual_seed(0))
    step = (shifted(xy, 0.3, 0.2, torch.Generator().manual_seed(1)) - xy).norm(dim=-1)
    size = (xy.amax(-2) - xy.amin(-2)).amax(-1)[..., None].expand_as(step)
    moved = step > 1e-6
    assert moved.float().mean().item() == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(step[moved], 0.2 * size[moved])


def test_both_learn(few):
    torch.manual_seed(0)
    graph, anchors = GraphLifter(8, 1, KANLayer), small_anchors()
    for losses in (
        train_lifter(graph, few, 60, Recipe(batch=32), rate=1e-2),
        train_anchors(anchors, few, 60, batch=32, rate=5e-3),
    ):
        assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_metres_come_back(given):
    said = small_anchors()(given).said
    assert from_network(given, said.mean).shape == (3, 2, 17, 3)
