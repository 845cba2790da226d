"""Forward kinematics of a tree of ball joints, on tensors.

``world[j] = world[p] @ rotations[j]`` and ``place[j] = place[p] + world[p] @ steps[j]`` for the parent ``p`` of ``j``;
the root's are its own rotation and step.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch


def forward_kinematics(
    parents: Sequence[int], steps: torch.Tensor, rotations: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each joint is and how it is turned; differentiable.

    Args:
        parents: J numbers, each parent before its children; the root's is -1.
        steps: (1 or T, J, 3) from the parent to the joint in the rest pose.
        rotations: (T, J, 3, 3) against the parent.
    Returns:
        world (T, J, 3, 3) and place (T, J, 3), of the kind of ``rotations``.
    """
    if rotations.device.type != "cpu":
        return forward_kinematics_reference(parents, steps, rotations)
    return _Chain.apply(tuple(parents), steps, rotations)  # type: ignore[return-value]


def forward_kinematics_reference(
    parents: Sequence[int], steps: torch.Tensor, rotations: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same in plain torch, one level of the tree after the other."""
    world, place = list(rotations.unbind(1)), list(steps.expand(len(rotations), -1, -1).unbind(1))
    for level in _levels(tuple(parents)):
        above = [parents[j] for j in level]
        turned = torch.stack([world[p] for p in above], 1)
        step = torch.stack([place[j] for j in level], 1)
        reached = torch.stack([place[p] for p in above], 1) + (turned @ step[..., None])[..., 0]
        turned = turned @ rotations[:, level]
        for i, j in enumerate(level):
            world[j], place[j] = turned[:, i], reached[:, i]
    return torch.stack(world, 1), torch.stack(place, 1)


@functools.cache
def _levels(parents: tuple[int, ...]) -> list[list[int]]:
    """Joints below the root by their distance from it."""
    depth: list[int] = []
    for parent in parents:
        depth.append(0 if parent < 0 else depth[parent] + 1)
    return [[j for j, d in enumerate(depth) if d == level] for level in range(1, max(depth) + 1)]


class _Chain(torch.autograd.Function):
    """In float64 inside: the rounding of one joint would go on into all behind it."""

    @staticmethod
    def forward(ctx, parents, steps, rotations):
        from marrow.body import _fast_chain as fast

        ctx.parents = np.array(parents, np.int64)
        ctx.steps, ctx.rotations = (np.ascontiguousarray(x.detach().numpy(), np.float64) for x in (steps, rotations))
        ctx.world, place = np.empty_like(ctx.rotations), np.empty(ctx.rotations.shape[:-1])
        fast.chain(ctx.parents, ctx.steps, ctx.rotations, ctx.world, place)
        ctx.kind = rotations.dtype
        return torch.tensor(ctx.world, dtype=ctx.kind), torch.tensor(place, dtype=ctx.kind)

    @staticmethod
    def backward(ctx, *grads):
        from marrow.body import _fast_chain as fast

        by_world, by_place = (np.array(grad.numpy(), np.float64, order="C") for grad in grads)
        by_rotations, by_steps = np.empty_like(ctx.rotations), np.zeros_like(ctx.steps)
        fast.chain_back(ctx.parents, ctx.steps, ctx.rotations, ctx.world, by_world, by_place, by_rotations, by_steps)
        return None, torch.from_numpy(by_steps).to(ctx.kind), torch.from_numpy(by_rotations).to(ctx.kind)
