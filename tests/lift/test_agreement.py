"""Agreement of pose and picture: the normal likelihood written out, and what must not count."""

import pytest
import torch

from marrow.lift.agreement import agreement

JOINTS, HIDDEN, DEPTH = 17, 3, 3.0


@pytest.fixture
def given():
    generator = torch.Generator().manual_seed(0)
    relative = 0.3 * torch.randn(2, 1, 1, JOINTS, 3, generator=generator)
    relative[..., 0, :] = 0
    seen = 0.2 * torch.randn(1, 1, JOINTS, 2, generator=generator)
    precision = 1e4 * torch.rand(1, 1, JOINTS, generator=generator)
    precision[..., HIDDEN] = 0
    factor = 0.01 * torch.randn(48, 48, generator=generator)
    depth = torch.full((1, 1), DEPTH)
    return {
        "relative": relative, "seen": seen, "precision": precision, "covariance": factor @ factor.mT, "depth": depth,
        "depth_sd": 0.4 * torch.ones(1, 1),
    }  # fmt: skip


def test_it_is_the_likelihood_with_the_root_integrated_out(given):
    told = [j for j in range(JOINTS) if j != HIDDEN]
    seen, precision = given["seen"][0, 0, told].double(), given["precision"][0, 0, told].double()
    by_joints = torch.zeros(len(told), 2, JOINTS, 3, dtype=torch.float64)
    for row, joint in enumerate(told):
        by_joints[row, :, joint, :2] = torch.eye(2)
        by_joints[row, :, joint, 2] = -seen[row]
    by_joints = by_joints[..., 1:, :].flatten(2).flatten(0, 1)
    aside, along = torch.eye(2).double().repeat(len(told), 1), 0.4 * seen.flatten()
    variance = by_joints @ given["covariance"].double() @ by_joints.mT + 1e4 * aside @ aside.mT
    variance = variance + along[:, None] * along + torch.diag((DEPTH**2 / precision).repeat_interleave(2))
    relative = given["relative"][:, 0, 0, told].double()
    away = (seen * (relative[..., 2:] + DEPTH) - relative[..., :2]).flatten(1)
    expected = (torch.linalg.solve(variance, away.mT).mT * away).sum(-1)
    torch.testing.assert_close(agreement(**given)[1].flatten().double(), expected, rtol=1e-4, atol=1e-3)


def test_the_slope_is_that_of_the_likelihood(given):
    given["relative"].requires_grad_(True)
    slope, energy = agreement(**given)
    (of_energy,) = torch.autograd.grad(energy.sum(), given["relative"])
    torch.testing.assert_close(slope.detach(), -0.5 * of_energy[..., 1:, :].flatten(-2), rtol=1e-3, atol=1e-2)


def test_where_the_root_stands_and_hidden_joints_do_not_count(given):
    before = agreement(**given)[1]
    given["seen"][..., HIDDEN, :] += 5.0
    torch.testing.assert_close(agreement(**given)[1], before)
    pose, root = given["relative"], torch.tensor([0.3, -0.2, DEPTH])
    given["seen"] = (pose + root)[:, ..., :2] / (pose + root)[..., 2:]
    assert (agreement(**given)[1] < 1e-3 * before).all()
