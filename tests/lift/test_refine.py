"""Refinement at test time: nearer to the picture, no further than allowed, missing joints left alone."""

import functools

import numpy as np
import pytest
import torch

from marrow.bench.refining import free_joints
from marrow.lift.lifter import Lifter
from marrow.lift.mirror import BothSides, mirrored, mirrored_given
from marrow.lift.networks import FrameLifter, Said
from marrow.lift.normalise import normalised
from marrow.lift.refine import refine, unsure_loss
from marrow.lift.reprojection import root_of, seen_at, tangents
from marrow.lift.shipped import example
from marrow.lifters import load_lifter


@pytest.fixture(scope="module")
def network():
    return load_lifter("uao").network


@pytest.fixture(scope="module")
def given():
    pixels, camera = example(6)
    u = torch.from_numpy((pixels - camera.K[:2, 2]) / 1000.0).float()
    noise = 0.004 * torch.randn(u.shape, generator=torch.Generator().manual_seed(0))
    confidence = torch.ones(1, 6, 17)
    confidence[0, 2, 3] = 0
    return normalised((u + noise)[None], confidence, torch.tensor([1.75]))


def misfit(given, said):
    root = root_of(said.mean, tangents(given), given.confidence)
    off = torch.linalg.vector_norm(seen_at(said.mean, root) - tangents(given), dim=-1) / given.size[..., None]
    return float((off * given.confidence).sum() / given.confidence.sum())


def test_it_fits_the_picture_better_and_a_strong_prior_holds_it(network, given):
    with torch.no_grad():
        first = network(given)
    free, held = (refine(network, given, prior=prior, flip=False) for prior in (0.0, 10.0))
    assert misfit(given, free) < 0.75 * misfit(given, first)
    moved = [torch.linalg.vector_norm(said.mean - first.mean, dim=-1).mean() for said in (free, held)]
    assert moved[1] < 0.5 * moved[0]
    assert not free.mean.requires_grad
    still = refine(network, given, steps=0, flip=False)
    torch.testing.assert_close(still.mean, first.mean)


def test_joints_move_further_where_the_network_is_unsure(given):
    """A network whose joints can all move alike, but half of which it says to be sure of."""

    def network(given):
        depth = given.xy.sum(-1, keepdim=True)
        mean = torch.cat([given.xy, 0.3 * depth], -1) * 0.5
        sure = torch.where(torch.arange(17) % 2 == 0, -6.0, -1.0).expand(given.confidence.shape)
        return Said(mean - mean[..., :1, :], sure)

    with torch.no_grad():
        first = network(given)
    moved = torch.linalg.vector_norm(refine(network, given, flip=False, prior=0.02).mean - first.mean, dim=-1)
    assert moved[..., 1::2].mean() > 2 * moved[..., 2::2].mean()
    alike = refine(network, given, flip=False, prior=0.02, uncertain=False).mean
    moved = torch.linalg.vector_norm(alike - first.mean, dim=-1)
    assert moved[..., 1::2].mean() < 2 * moved[..., 2::2].mean()


def test_missing_joints_stay_missing_for_the_network(given):
    kept = []

    def network(given):
        kept.append(given.xy[0, 2, 3].detach().clone())
        mean = torch.cat([given.xy, given.xy[..., :1]], -1)
        return Said(mean - mean[..., :1, :], torch.zeros(given.confidence.shape))

    refine(network, given, flip=False, steps=3)
    assert (torch.stack(kept) == 0).all()


def test_a_mirror_of_a_mirror_is_no_mirror(network, given):
    twice = mirrored_given(mirrored_given(given))
    torch.testing.assert_close(twice.xy, given.xy)
    torch.testing.assert_close(twice.confidence, given.confidence)
    with torch.no_grad():
        said = network(given)
    torch.testing.assert_close(mirrored(mirrored(said)).mean, said.mean)
    both = refine(network, given, steps=2)
    other = mirrored(refine(network, mirrored_given(given), steps=2))
    torch.testing.assert_close(both.mean, other.mean, atol=1e-5, rtol=1e-4)


def test_every_lifter_takes_it(given):
    pixels, camera = example(6)
    torch.manual_seed(0)
    network = FrameLifter(32, 1).eval()
    plain = Lifter("plain", network)(pixels, "h36m17", camera)
    fine = Lifter("refined", network, refine=functools.partial(refine, steps=5))(pixels, "h36m17", camera)
    assert np.isfinite(fine.relative).all()
    assert np.abs(fine.relative - plain.relative).max() > 1e-3
    assert all(p.grad is None for p in network.parameters())


def test_free_joints_fit_without_any_network(network, given):
    with torch.no_grad():
        first = network(given)
    assert misfit(given, free_joints(network, given)) < 0.6 * misfit(given, first)


def test_the_loss_is_least_where_uncertainty_is_the_error():
    truth, mean = torch.zeros(1, 1, 17, 3), torch.full((1, 1, 17, 3), 0.1)
    error = float(np.log(np.sqrt(0.03)))
    losses = [unsure_loss(Said(mean, torch.full((1, 1, 17), s)), truth) for s in (error - 0.3, error, error + 0.3)]
    assert losses[1] < losses[0]
    assert losses[1] < losses[2]


def test_a_network_that_looks_into_a_mirror_is_not_mirrored_again(network, given):
    both = BothSides(network)
    asked = []

    class Counted(BothSides):
        def forward(self, given):
            asked.append(1)
            return super().forward(given)

    found = refine(Counted(network), given, steps=3)
    assert len(asked) == 5  # what it says first, three steps, and at the end
    torch.testing.assert_close(found.mean, refine(both, given, steps=3, flip=False).mean)
