"""Motions on many bodies, and cameras."""

import numpy as np
import pytest
import torch

from marrow.data.lifting import JOINTS, people, views
from marrow.errors import InputError
from marrow.metrics.pose import root_indices


@pytest.fixture(scope="module")
def seen():
    return people("B", 2)


def _view(seen, number, **options):
    first = seen.starts(9)[:: len(seen.starts(9)) // 64]
    return first, views(seen, first, 9, torch.Generator().manual_seed(number), **options)


def test_joints_are_the_lifters(seen):
    assert root_indices(JOINTS) == (0,)
    assert seen.xyz.shape == (len(seen.clip), 17, 3)
    assert torch.isfinite(seen.xyz).all()
    assert len(seen.name) == int(seen.clip.max()) + 1


def test_bones_keep_their_length(seen):
    """Knees and ankles of one stretch are as far apart in every frame."""
    for k in range(int(seen.clip.max()) + 1):
        own = seen.xyz[seen.clip == k]
        assert (own[:, 2] - own[:, 3]).norm(dim=-1).std() < 1e-3


def test_bodies_differ_and_splits_take_others(seen):
    assert len(seen.stature.unique()) == 2
    assert not set(seen.stature.unique().tolist()) & set(people("A", 2).stature.unique().tolist())


def test_windows_stay_within_a_stretch(seen):
    for window in (1, 27, 81):
        first = seen.starts(window)
        assert (seen.clip[first] == seen.clip[first + window - 1]).all()


def test_views_are_decided_by_the_generator(seen):
    (_, a), (_, b), (_, c) = _view(seen, 1), _view(seen, 1), _view(seen, 2)
    assert torch.equal(a.xy, b.xy)
    assert not torch.equal(a.xy, c.xy)


def test_everybody_is_ahead_of_the_camera_and_projects_to_what_is_seen(seen):
    _, own = _view(seen, 3)
    assert own.xyz[..., 2].min() > 0.5
    torch.testing.assert_close(own.xy, own.xyz[..., :2] / own.xyz[..., 2:])


def test_heads_are_up_unless_cameras_roll(seen):
    _, upright = _view(seen, 4)
    _, rolled = _view(seen, 4, roll=True)
    up = [(own.xy[..., 10, 1] < own.xy[..., 0, 1]).float().mean() for own in (upright, rolled)]
    assert up[0] > 0.8
    assert 0.3 < up[1] < 0.7


def test_a_roll_is_all_that_roll_changes(seen):
    """Distances between joints stay, and so does depth against the pelvis."""
    _, a = _view(seen, 5, flip=False)
    _, b = _view(seen, 5, flip=False, roll=True)
    a_rel, b_rel = (own.xyz - own.xyz[:, :, :1] for own in (a, b))
    torch.testing.assert_close(a_rel[..., 2], b_rel[..., 2], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(a_rel[..., :2].norm(dim=-1), b_rel[..., :2].norm(dim=-1), atol=1e-4, rtol=1e-4)


def test_a_mirror_keeps_right_arms_right(seen):
    """In a mirror the right hip is still to the right of a person: the trunk's frame keeps its hand."""
    for flip in (False, True):
        _, own = _view(seen, 6, flip=flip)
        across = own.xyz[..., 4, :] - own.xyz[..., 1, :]  # right hip to left hip
        up = own.xyz[..., 8, :] - own.xyz[..., 0, :]
        ahead = torch.linalg.cross(across, up)
        toes = own.xyz[..., 9, :] - own.xyz[..., 8, :]  # the nose is ahead of the thorax
        assert ((ahead * toes).sum(-1) > 0).float().mean() > 0.9


def test_impossible_requests_are_refused(seen):
    with pytest.raises(InputError, match="bodies"):
        people("B", 0)
    with pytest.raises(InputError, match="splits"):
        people("C", 1)
    with pytest.raises(InputError, match="shorter"):
        seen.starts(len(seen.clip))


def test_mixtures_are_other_poses_on_the_same_bodies():
    plain, mixed = people("B", 1), people("B", 1, mixed=True)
    n = len(plain.clip)
    assert len(mixed.clip) == 3 * n
    np.testing.assert_array_equal(plain.xyz, mixed.xyz[:n])
    for new in (mixed.xyz[n : 2 * n], mixed.xyz[2 * n :]):
        wrists = (plain.xyz[:, 13] - plain.xyz[:, 0] - (new[:, 13] - new[:, 0])).norm(dim=-1)
        assert wrists.median() > 0.1
        steps = (new[1:] - new[:-1]).norm(dim=-1).amax(-1)
        assert steps[mixed.clip[: n - 1] == mixed.clip[1:n]].max() < 0.4  # no jumps
    torch.testing.assert_close(plain.xyz[:, 3], mixed.xyz[n : 2 * n, 3])  # legs are one's own
