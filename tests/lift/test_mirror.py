"""People and their mirror images are told alike."""

from __future__ import annotations

import pytest
import torch

from marrow.conventions import SWAP
from marrow.lift.mirror import BothSides, mirrored, mirrored_given
from marrow.lift.networks import FrameLifter, TimeLifter
from marrow.lift.normalise import normalised


@pytest.fixture
def given():
    xy = torch.randn(2, 6, 17, 2, generator=torch.Generator().manual_seed(0)) * 0.2
    return normalised(xy, torch.rand(2, 6, 17, generator=torch.Generator().manual_seed(1)), torch.tensor([1.7, 1.2]))


@pytest.fixture(params=[lambda: FrameLifter(32, 1), lambda: TimeLifter(FrameLifter(32, 1), 32, (1, 3))])
def network(request):
    torch.manual_seed(0)
    made = request.param().eval()
    for one in made.modules():
        if isinstance(one, torch.nn.Linear):
            torch.nn.init.normal_(one.weight, std=0.1)
    return made


def test_a_mirror_in_a_mirror_shows_the_same(given, network):
    twice = mirrored_given(mirrored_given(given))
    assert torch.equal(twice.xy, given.xy)
    assert torch.equal(twice.confidence, given.confidence)
    said = network(given)
    assert torch.equal(mirrored(mirrored(said)).mean, said.mean)


def test_a_mirror_image_is_read_as_a_mirrored_picture_is(given):
    """Turned over before or after it is normalised."""
    xy = torch.randn(1, 3, 17, 2, generator=torch.Generator().manual_seed(2)) * 0.2
    confidence, swap = torch.ones(1, 3, 17), torch.tensor(SWAP["h36m17"].copy())
    before = normalised(xy[..., swap, :] * torch.tensor([-1.0, 1.0]), confidence, torch.tensor([1.7]))
    after = mirrored_given(normalised(xy, confidence, torch.tensor([1.7])))
    torch.testing.assert_close(before.xy, after.xy)
    torch.testing.assert_close(before.told, after.told)


def test_both_sides_know_no_left_and_right(given, network):
    both = BothSides(network)
    one, other = both(given), mirrored(both(mirrored_given(given)))
    torch.testing.assert_close(one.mean, other.mean, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(one.log_error, other.log_error, atol=1e-6, rtol=1e-5)
    plain = network(given)
    assert (plain.mean - one.mean).abs().max() > 1e-3
