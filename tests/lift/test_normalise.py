"""What networks read of keypoints, and the way back."""

import math

import pytest
import torch

from marrow.data.lifting import people, views
from marrow.lift.normalise import enough, from_network, normalised, to_network


@pytest.fixture(scope="module")
def own():
    seen = people("B", 1)
    first = seen.starts(3)[::100]
    return views(seen, first, 3, torch.Generator().manual_seed(0))


def turned(xy, R):
    """Places (..., 2) as a camera that was turned by R (3, 3) sees them."""
    ray = torch.cat([xy, torch.ones_like(xy[..., :1])], -1) @ R.T
    return ray[..., :2] / ray[..., 2:]


def about(axis, degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    R = torch.eye(3)
    R[i, i] = R[j, j] = c
    R[i, j], R[j, i] = -s, s
    return R


def test_there_and_back(own):
    given = normalised(own.xy, torch.ones(own.xy.shape[:-1]), own.stature)
    relative = own.xyz - own.xyz[..., :1, :]
    torch.testing.assert_close(from_network(given, to_network(given, relative)), relative, atol=1e-5, rtol=1e-4)


def test_pictures_have_one_size_and_middle(own):
    given = normalised(own.xy, torch.ones(own.xy.shape[:-1]), own.stature)
    torch.testing.assert_close(given.xy.mean(-2), torch.zeros_like(given.xy.mean(-2)), atol=1e-5, rtol=0)
    spread = given.xy.square().sum(-1).mean(-1).sqrt()
    torch.testing.assert_close(spread, torch.full_like(spread, 0.5))


def test_where_in_the_picture_does_not_matter(own):
    """A camera turned to the side sees the same, but for a small roll; a camera twice as near in a world half as large
    sees the very same."""
    seen = torch.ones(own.xy.shape[:-1])
    first = normalised(own.xy, seen, own.stature)
    aside = normalised(turned(own.xy, about(1, 12)), seen, own.stature)
    torch.testing.assert_close(first.size, aside.size, atol=2e-3, rtol=2e-2)
    assert (first.xy.norm(dim=-1) - aside.xy.norm(dim=-1)).abs().max() < 0.02
    relative = own.xyz - own.xyz[..., :1, :]
    said = to_network(aside, relative @ about(1, 12).T)
    assert (said[..., 2] - to_network(first, relative)[..., 2]).abs().max() < 0.02


def test_a_roll_turns_what_is_read_and_what_is_said(own):
    seen, R = torch.ones(own.xy.shape[:-1]), about(2, 70)
    a, b = (normalised(xy, seen, own.stature) for xy in (own.xy, turned(own.xy, R)))
    torch.testing.assert_close(b.xy, a.xy @ R[:2, :2].T, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(a.told, b.told, atol=1e-5, rtol=1e-4)
    relative = own.xyz - own.xyz[..., :1, :]
    torch.testing.assert_close(to_network(b, relative @ R.T), to_network(a, relative) @ R.T, atol=1e-5, rtol=1e-4)


def test_missing_joints_are_not_read(own):
    seen = torch.ones(own.xy.shape[:-1])
    seen[..., 5] = 0
    wild = own.xy.clone()
    wild[..., 5, :] = torch.nan
    a, b = normalised(own.xy, seen, own.stature), normalised(wild, seen, own.stature)
    assert torch.equal(a.features, b.features)
    assert (a.xy[..., 5, :] == 0).all()


def test_unknown_stature_is_told(own):
    seen = torch.ones(own.xy.shape[:-1])
    unknown = normalised(own.xy, seen, torch.full_like(own.stature, torch.nan))
    assert torch.isfinite(unknown.features).all()
    assert (unknown.told[..., 1] == 0).all()
    assert (normalised(own.xy, seen, own.stature).told[..., 1] == 1).all()


def test_a_pose_needs_joints():
    confidence = torch.zeros(1, 2, 17)
    confidence[0, 1, :6] = 0.5
    assert enough(confidence).tolist() == [[False, True]]
