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


def root_of(relative: torch.Tensor, seen: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The root that brings joints nearest to where they are seen, in closed form.

    With ``u (X_z + r_z) = X_xy + r_xy`` as in :func:`marrow.lift.root.solve_root`: two of the three unknowns leave the
    least squares by their means.

    Args:
        relative: (..., J, 3) joints from the root, any unit.
        seen: (..., J, 2) tangents.
        weight: (..., J), 0 where a joint is not seen.

    Returns:
        (..., 3) in the same unit. Where nothing is seen the person stands just before the camera.
    """
    w = (weight / weight.sum(-1, keepdim=True).clamp(min=1e-9))[..., None]
    middle = (w * seen).sum(-2, keepdim=True)
    beside = relative[..., :2] - seen * relative[..., 2:]
    mean = (w * beside).sum(-2, keepdim=True)
    off = seen - middle
    z = (w * off * (beside - mean)).sum((-1, -2)) / (w * off.square()).sum((-1, -2)).clamp(min=1e-9)
    z = torch.maximum(z, NEAREST - relative[..., 2].amin(-1))[..., None]
    return torch.cat([middle[..., 0, :] * z - mean[..., 0, :], z], -1)


def seen_at(relative: torch.Tensor, root: torch.Tensor) -> torch.Tensor:
    """(..., J, 2) tangents of joints (..., J, 3) from a root (..., 3), none nearer than :data:`NEAREST`."""
    x = root[..., None, :] + relative
    return x[..., :2] / x[..., 2:].clamp(min=NEAREST)
