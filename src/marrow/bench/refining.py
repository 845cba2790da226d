"""Refinements at test time on held-out poses: with a root that is estimated or true, and without any network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from marrow.bench.lifter_scores import Say
from marrow.bench.lifting import HeldOut
from marrow.lift.lifter import Network
from marrow.lift.networks import Said
from marrow.lift.normalise import Given, from_network
from marrow.lift.reprojection import root_of, seen_at, tangents


def saying(refinement: Callable[..., Said], true_root: bool = False) -> Say:
    """What a network says after refinement, for :class:`marrow.bench.lifter_scores.Scores`.

    Args:
        refinement: of (network, given), and a keyword ``root`` where ``true_root``.
        true_root: the pose is projected from where the root truly is, which no user knows.
    """

    def say(network: torch.nn.Module, data: HeldOut) -> torch.Tensor:
        given = data.given()
        told: dict[str, Any] = {}
        if true_root:
            at = (data.xyz[..., :1, :] @ given.R_cam)[..., 0, :] / given.stature[:, None, None]
            # the common shift that normalising takes out of the picture belongs to the root
            relative = (data.relative @ given.R_cam) / given.stature[:, None, None, None]
            shift = (seen_at(relative, at) - tangents(given)).mean(-2)
            told["root"] = torch.cat([at[..., :2] - shift * at[..., 2:], at[..., 2:]], -1)
        return from_network(given, refinement(network, given, **told).mean)

    return say


def free_joints(network: Network, given: Given, *, steps: int = 20, rate: float = 0.005) -> Said:
    """Reprojection refinement without the network: the joints themselves move, in statures."""
    with torch.no_grad():
        said = network(given)
    seen, unit = tangents(given), given.size[..., None]
    count = given.confidence.sum(-1).clamp(min=1e-6)
    x = said.mean.clone().requires_grad_(True)
    adam = torch.optim.Adam([x], lr=rate)
    for _ in range(steps):
        with torch.enable_grad():
            relative = x - x[..., :1, :]
            X = root_of(relative, seen, given.confidence)
            off = torch.linalg.vector_norm(seen_at(relative, X) - seen, dim=-1) / unit
            (x.grad,) = torch.autograd.grad(((given.confidence * off).sum(-1) / count).sum(), x)
        adam.step()
    x = x.detach()
    return Said(x - x[..., :1, :], said.log_error)
