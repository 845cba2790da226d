"""draft"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from marrow.lift.normalise import Given
from marrow.nn.diffusion import Denoiser, sample


@dataclass(frozen=True)
class Evidence:
    """Where joints may be in a picture: of each, a few places, each with a weight.

    Attributes:
        place: (..., J, M, 2) tangents in the turned camera.
        weight: (..., J, M) probability of each; what is missing to 1 may be anywhere in the box.
        sd: (..., J, M) standard deviation of each, tangents.
        area: (...) of the person's box.
    """

    place: torch.Tensor
    weight: torch.Tensor
    sd: torch.Tensor
    area: torch.Tensor


def from_keypoints(given: Given, sd: float = 0.01) -> Evidence:
    size = given.size[..., None, None]
    place = (given.xy * size)[..., None, :]
    return Evidence(place, given.confidence[..., None], (sd * size).expand(given.confidence[..., None].shape), (2.0 * given.size) ** 2)


def attribution(evidence: Evidence, seen: torch.Tensor, blur: torch.Tensor):
    """(..., J, M) share of each place in explaining a joint seen at (..., J, 2) with sd ``blur`` (..., J); variances."""
    var = evidence.sd.square() + blur.square()[..., None]
    off = evidence.place - seen[..., None, :]
    density = evidence.weight / (2 * torch.pi * var) * torch.exp(-0.5 * off.square().sum(-1) / var)
    # evidence against nothing
    floor = (1 - evidence.weight.sum(-1, keepdim=True)).clamp(min=1e-6) / evidence.area[..., None, None]
    return density / (density.sum(-1, keepdim=True) + floor), off, var


def root_of(r: torch.Tensor, u: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """(..., 3) root, by the equations of solve_root; r (..., J, 3), u (..., J, 2), w (..., J)."""
    w = (w / w.sum(-1, keepdim=True).clamp(min=1e-9))[..., None]
    mean_u = (w * u).sum(-2, keepdim=True)
    b = r[..., :2] - u * r[..., 2:]
    mean_b = (w * b).sum(-2, keepdim=True)
    du = u - mean_u
    z = (w * du * (b - mean_b)).sum((-1, -2)) / (w * du.square()).sum((-1, -2)).clamp(min=1e-9)
    near = 0.4 - r[..., 2].amin(-1)
    z = torch.maximum(z, near)[..., None]
    return torch.cat([mean_u[..., 0, :] * z - mean_b[..., 0, :], z], -1)


def with_root(x: torch.Tensor) -> torch.Tensor:
    r = x.unflatten(-1, (-1, 3))
    return torch.cat([torch.zeros_like(r[..., :1, :]), r], -2)


def guide(evidence: Evidence, spread: float, strength: float = 1.0, c: float = 0.2, log=None):
    state = {"share": evidence.weight}

    def force(x0: torch.Tensor, sigma: float) -> torch.Tensor:
        r = with_root(x0)
        share = state["share"]
        total = share.sum(-1)
        u = (share[..., None] * evidence.place).sum(-2) / total.clamp(min=1e-9)[..., None]
        X = root_of(r, u, total)
        p = X[..., None, :] + r
        z = p[..., 2:]
        s = sigma * c / (sigma**2 + c**2) ** 0.5
        seen = p[..., :2] / z
        share, off, var = attribution(evidence, seen, s / z[..., 0])
        state["share"] = share
        g = (share[..., None] / var[..., None] * off).sum(-2)
        out = torch.cat([g, -(seen * g).sum(-1, keepdim=True)], -1) / z
        if log is not None:
            log.append((sigma, (g * (s/z)).square().sum((-1,-2))))
        return strength * out[..., 1:, :].flatten(-2)

    return force
