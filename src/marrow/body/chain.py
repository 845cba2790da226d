"""Forward kinematics of a tree of ball joints, on tensors.

``world[j] = world[p] @ rotations[j]`` and ``place[j] = place[p] + world[p] @ steps[j]`` for the parent ``p`` of ``j``;
the root's are its own rotation and step.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch.autograd.forward_ad import unpack_dual


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


def plainly_float32(*tensors: torch.Tensor | None) -> bool:
    """Whether :func:`turns` and :func:`carry` may have these: float32 on the processor, and no derivative recorded."""
    recording = torch.is_grad_enabled()
    return all(
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and not (recording and x.requires_grad)
        and unpack_dual(x).tangent is None
        for x in tensors
        if x is not None
    )


def turns(vectors: torch.Tensor) -> torch.Tensor:
    """(..., 3, 3) of rotation vectors (..., 3), radians, where :func:`plainly_float32`; else ``roma`` gives the same."""
    from marrow.body import _fast_chain as fast

    out = np.empty((*vectors.shape, 3), np.float32)
    fast.turns(_array(vectors).reshape(-1, 3), out.reshape(-1, 3, 3))
    return torch.from_numpy(out)


def carry(
    parents: Sequence[int],
    rest: torch.Tensor,
    steps: torch.Tensor | None,
    rotations: torch.Tensor,
    shift: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """:func:`forward_kinematics` and what it carries, in one go, where all of it is :func:`plainly_float32`.

    Args:
        rest: (1 or T, J, 3) joints at rest, metres.
        steps: (1 or T, J, 3) from the parent to the joint; by default those at rest.
        rotations: (T, J, 3, 3) against the parent.
        shift: (1 or T, 3) is added to all places.
    Returns:
        world (T, J, 3, 3) and place (T, J, 3); and (T, J, 3, 4) what carries what is fixed to the joints from rest.
    """
    from marrow.body import _fast_chain as fast

    above, rest_places = _parents(tuple(parents)), _array(rest)
    if steps is None:
        between = rest_places - rest_places[:, above] * (above >= 0)[:, None]
    else:
        between = _array(steps)
    shifts = np.empty((0, 3), np.float32) if shift is None else _array(shift)
    frames, places, transforms = (np.empty((*rotations.shape[:2], *s), np.float32) for s in ((3, 3), (3,), (3, 4)))
    fast.carry(above, rest_places, between, _array(rotations), shifts, frames, places, transforms)
    return torch.from_numpy(frames), torch.from_numpy(places), torch.from_numpy(transforms)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy())


@functools.cache
def _parents(parents: tuple[int, ...]) -> np.ndarray:
    return np.array(parents, np.int64)


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
