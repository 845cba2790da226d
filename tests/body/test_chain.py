"""Forward kinematics on tensors: the compiled one against plain torch, values and gradients."""

from __future__ import annotations

import torch

from marrow.body.chain import forward_kinematics, forward_kinematics_reference

PARENTS = (-1, 0, 0, 1, 3, 2, 5)


def _input(frames: int, bodies: int, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    steps = torch.randn(bodies, len(PARENTS), 3, dtype=kind)
    return steps.requires_grad_(), torch.randn(frames, len(PARENTS), 3, 3, dtype=kind).requires_grad_()


def test_equals_plain_torch():
    for bodies in (1, 4):
        steps, turns = _input(4, bodies, torch.float64)
        found = forward_kinematics(PARENTS, steps, turns)
        expected = forward_kinematics_reference(PARENTS, steps, turns)
        pulls = [torch.randn_like(x) for x in expected]
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
        for a, b in zip(
            torch.autograd.grad(found, (steps, turns), pulls),
            torch.autograd.grad(expected, (steps, turns), pulls),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_precision_is_kept():
    steps, turns = _input(2, 1, torch.float32)
    assert all(x.dtype == torch.float32 for x in forward_kinematics(PARENTS, steps, turns))


def test_one_step_by_hand():
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    steps = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 0.0, 0.0]]])
    world, place = forward_kinematics((-1, 0), steps, torch.stack([quarter, quarter])[None])
    torch.testing.assert_close(place[0], torch.tensor([[1.0, 2.0, 3.0], [1.0, 3.0, 3.0]]))
    torch.testing.assert_close(world[0, 1], quarter @ quarter)
