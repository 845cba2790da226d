"""Joints that nobody sees are put where they usually are, and what that leaves open is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from marrow.conventions import joint_names
from marrow.data.lifting import people, views
from marrow.lift.completion import UsualPoses, completed, usual_poses
from marrow.lift.shipped import example
from marrow.lifters import load_lifter

NAMES = joint_names("h36m17")


def joint(*names: str) -> list[int]:
    return [NAMES.index(name) for name in names]


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    """(N, 17, 2) of an unseen subject, on a body that nobody learnt from, one camera each."""
    seen = people("B", 1, seed=3)
    rows = torch.arange(0, len(seen.clip), 20)
    return views(seen, rows, 1, torch.Generator().manual_seed(3)).xy[:, 0]


def hidden(poses: torch.Tensor, gone: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    confidence = torch.full(poses.shape[:-1], 0.9)
    confidence[:, gone] = 0
    return torch.where(confidence[..., None] > 0, poses, torch.nan), confidence


def size(poses: torch.Tensor) -> torch.Tensor:
    return (poses.amax(-2) - poses.amin(-2)).amax(-1)


@pytest.mark.parametrize(
    ("gone", "most"),
    [
        (joint("pelvis"), 0.01),
        (joint("nose"), 0.05),
        (joint("right_ankle"), 0.10),
        (joint("left_elbow"), 0.06),
        (joint("right_knee", "right_ankle", "left_knee", "left_ankle"), 0.17),
    ],
)
def test_they_are_found_near_where_they_are(poses, gone, most):
    xy, confidence = hidden(poses, gone)
    found, told, _ = completed(xy, confidence)
    assert torch.equal(found[confidence > 0], poses[confidence > 0])
    assert (told[confidence == 0] == 1).all()
    off = torch.linalg.vector_norm(found - poses, dim=-1)[:, gone].mean(-1) / size(poses)
    assert off.mean() < most


def test_a_person_farther_away_and_aside_is_filled_in_alike(poses):
    gone = joint("right_ankle", "left_wrist")
    xy, confidence = hidden(poses, gone)
    near, far = completed(xy, confidence)[0], completed(0.3 * xy + torch.tensor([0.2, -0.1]), confidence)[0]
    torch.testing.assert_close(far, 0.3 * near + torch.tensor([0.2, -0.1]), atol=1e-5, rtol=1e-4)


def test_what_is_left_open(poses):
    few = poses[:4]

    def left(*gone: str) -> torch.Tensor:
        return completed(*hidden(few, joint(*gone)))[2][0]

    one, two = left("right_ankle"), left("right_ankle", "right_knee")
    (ankle,), (knee,), (nose,) = joint("right_ankle"), joint("right_knee"), joint("nose")
    assert (one >= 0).all()
    assert one[ankle] > 10 * one[nose]
    assert 0.02 < one[ankle].sqrt() < 0.15  # statures
    assert two[ankle] > one[ankle]
    assert two[knee] > one[knee]


def test_whole_people_and_those_hardly_seen_stay_as_they_are(poses):
    confidence = torch.full(poses.shape[:-1], 0.4)
    same, told, left = completed(poses, confidence)
    assert same is poses
    assert told is confidence
    assert (left == 0).all()
    few = confidence.clone()
    few[:, 3:] = 0
    assert torch.equal(completed(poses, few)[0], poses)


def test_the_conditional_mean_is_that_of_a_normal_distribution():
    """Of three joints, the third in the middle of the others but for its own chance."""
    chance = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 200_000, 2, dtype=torch.float64, generator=chance)
    third = (first + second) / 2 + 0.1 * torch.randn(200_000, 2, dtype=torch.float64, generator=chance)
    space = torch.randn(200_000, 9, dtype=torch.float64, generator=chance)
    usual = UsualPoses(torch.zeros(3, 2).double(), torch.cov(torch.cat([first, second, third, space], -1).T))
    way, left = usual.given(torch.tensor([True, True, False]))
    expected = torch.tensor([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]]).double()
    torch.testing.assert_close(way, expected, atol=2e-3, rtol=0)
    assert left[2] == pytest.approx(1.0, abs=0.02)  # nothing seen tells of space here
    assert left[:2].max() < 0.01


@pytest.mark.parametrize("name", ["time", "frame", "posekan"])
def test_a_missing_nose_moves_no_body(name):
    lifter, (points, camera) = load_lifter(name), example()
    (nose,) = joint("nose")
    whole = lifter(points, "h36m17", camera, 1.7)
    points[:, nose] = np.nan
    found = lifter(points, "h36m17", camera, 1.7)
    others = [j for j in range(17) if j != nose]
    assert np.linalg.norm(found.relative - whole.relative, axis=-1)[:, others].mean() < 0.03
    assert (found.sd[:, nose] > 1.3 * whole.sd[:, nose]).all()


def test_the_distribution_is_one():
    usual = usual_poses()
    assert usual.mean.shape == (17, 2)
    assert usual.covariance.shape == (85, 85)
    torch.testing.assert_close(usual.covariance, usual.covariance.T)
    assert torch.linalg.eigvalsh(usual.covariance).min() > -1e-5
