"""The front of a person at places in the picture, against a capsule worked out by hand, and who hides whom."""

from __future__ import annotations

import pytest
import torch

from marrow.conventions import joint_names
from marrow.data.front_depth import RADII, front_points, hidden
from marrow.data.lifting import JOINTS

NAMES = joint_names(JOINTS)


@pytest.fixture
def person() -> torch.Tensor:
    """(1, 1, 17, 3): somebody who stands upright 4 metres before the camera, arms straight out to the sides."""
    rise = [0.0, 0.0, 0.45, 0.87, 0.0, 0.45, 0.87, -0.25, -0.5, -0.6, -0.75, -0.45, -0.45, -0.45, -0.45, -0.45, -0.45]
    side = [0, -0.1, -0.1, -0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0, 0.18, 0.45, 0.7, -0.18, -0.45, -0.7]
    return torch.tensor([[x, y, 4.0] for x, y in zip(side, rise, strict=True)])[None, None]


def test_the_front_of_a_thigh_is_its_radius_before_it(person):
    stature = torch.tensor([1.7])
    middle = 0.5 * (person[0, 0, NAMES.index("left_hip")] + person[0, 0, NAMES.index("left_knee")])
    found = front_points(person, (middle[:2] / middle[2])[None, None, None], stature)[0, 0, 0]
    before = 4.0 - float(found[2])
    assert before == pytest.approx(RADII["hip", "knee"] * 1.7, abs=2e-3)  # rays are a little oblique
    torch.testing.assert_close(found[:2] / found[2], middle[:2] / middle[2])


def test_rays_beside_the_person_meet_nothing(person):
    assert front_points(person, torch.full((1, 1, 1, 2), 0.4), torch.tensor([1.7])).isnan().all()


def test_depth_grows_with_the_distance(person):
    stature, far = torch.tensor([1.7]), person + torch.tensor([0.0, 0.0, 2.0])
    near, away = (front_points(x, x[..., :2] / x[..., 2:], stature)[..., 2] for x in (person, far))
    torch.testing.assert_close(away - near, torch.full_like(near, 2.0), atol=5e-3, rtol=0)


def test_a_wrist_before_the_trunk_hides_it_and_one_behind_is_hidden(person):
    stature, wrist, spine = torch.tensor([1.7]), NAMES.index("left_wrist"), NAMES.index("spine")
    assert not hidden(person, stature).any()
    before, behind = person.clone(), person.clone()
    for x, z in ((before, 3.6), (behind, 4.4)):
        x[0, 0, wrist] = torch.tensor([0.0, -0.25 * z / 4.0, z])
    assert hidden(before, stature)[0, 0, [wrist, spine]].tolist() == [False, True]
    assert hidden(behind, stature)[0, 0, [wrist, spine]].tolist() == [True, False]
