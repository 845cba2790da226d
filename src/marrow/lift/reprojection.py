"""Where a pose stands and where its joints are then seen, for networks: in turned cameras, in statures, with gradients.

As :mod:`marrow.lift.root`, which serves pixels of a real camera.
"""

from __future__ import annotations

import torch

from marrow.lift.normalise import Given

#: No joint comes nearer to the camera than so many statures.
NEAREST = 0.2


def tangents(given: Given) -> torch.Tensor:
    """(B, T, J, 2) where the joints are seen in the turned camera, up to a common shift of less than a hundredth of
    the person's size."""
    return given.xy * given.size[..., None, None]


def depth_of(relative: torch.Tensor, seen: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How far away the root is, by least squares, in closed form.

    With ``u (X_z + r_z) = X_xy + r_xy`` as in :func:`marrow.lift.root.solve_root`: two of the three unknowns leave the
    least squares by their means.

    Args:
        relative: (..., J, 3) joints from the root, any unit.
        seen: (..., J, 2) tangents.
        weight: (..., J), 0 where a joint is not seen.

    Returns:
        (...) in the same unit, so that no joint is nearer than :data:`NEAREST`.
    """
    w = _shares(weight)
    off = seen - (w * seen).sum(-2, keepdim=True)
    beside = relative[..., :2] - seen * relative[..., 2:]
    z = (w * off * beside).sum((-1, -2)) / (w * off.square()).sum((-1, -2)).clamp(min=1e-9)
    return torch.maximum(z, NEAREST - relative[..., 2].amin(-1))


def root_at(relative: torch.Tensor, seen: torch.Tensor, weight: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """(..., 3) the root at a depth (...) that brings joints nearest to where they are seen; the rest as above."""
    w, z = _shares(weight), depth[..., None]
    aside = (w * (seen * (z[..., None, :] + relative[..., 2:]) - relative[..., :2])).sum(-2)
    return torch.cat([aside, z], -1)


def root_of(relative: torch.Tensor, seen: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(..., 3) the root that brings joints nearest to where they are seen; arguments as of :func:`depth_of`."""
    return root_at(relative, seen, weight, depth_of(relative, seen, weight))


def _shares(weight: torch.Tensor) -> torch.Tensor:
    return (weight / weight.sum(-1, keepdim=True).clamp(min=1e-9))[..., None]


def seen_at(relative: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """(..., J, 2) tangents of joints (..., J, 3) from a root (..., 3), none nearer than :data:`NEAREST`."""
    x = root[..., None, :] + relative
    return x[..., :2] / x[..., 2:].clamp(min=NEAREST)
