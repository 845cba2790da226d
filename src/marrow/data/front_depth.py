"""How far away the front of a person is at places in the picture: what a coarse depth map would say there.

A stand-in for rendered or estimated depth, of joints alone: limbs are capsules between joints, their radii shares of
the stature.
"""

from __future__ import annotations

import torch

from marrow.conventions import joint_names
from marrow.data.lifting import JOINTS

#: Radii of the body's parts, shares of the stature, by the two joints between which they lie (either side alike).
RADII = {
    ("pelvis", "hip"): 0.055,
    ("hip", "knee"): 0.045,
    ("knee", "ankle"): 0.03,
    ("pelvis", "spine"): 0.07,
    ("spine", "thorax"): 0.07,
    ("thorax", "nose"): 0.045,
    ("nose", "head_top"): 0.05,
    ("thorax", "shoulder"): 0.045,
    ("shoulder", "elbow"): 0.028,
    ("elbow", "wrist"): 0.022,
}
#: A joint is hidden where the front lies so far before it, as a share of the stature: more than its own part is thick.
HIDDEN = 0.1


def _capsules() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    names = joint_names(JOINTS)

    def at(word: str, side: str) -> int:
        return names.index(word if word in names else f"{side}_{word}")

    rows = {(at(a, side), at(b, side), radius) for (a, b), radius in RADII.items() for side in ("left", "right")}
    first, second, radius = zip(*sorted(rows), strict=True)
    return torch.tensor(first), torch.tensor(second), torch.tensor(radius)


def front_points(xyz: torch.Tensor, places: torch.Tensor, stature: torch.Tensor) -> torch.Tensor:
    """Where rays first meet the body.

    Args:
        xyz: (B, T, 17, 3) metres in the camera, joints of ``h36m17``.
        places: (B, T, K, 2) x/z and y/z of the rays.
        stature: (B,) metres.

    Returns:
        (B, T, K, 3) metres in the camera; NaN where a ray passes by.
    """
    first, second, radius = _capsules()
    ray = torch.nn.functional.normalize(torch.cat([places, torch.ones_like(places[..., :1])], -1), dim=-1)[..., None, :]
    start, along = xyz[..., None, first, :], (xyz[..., second, :] - xyz[..., first, :])[..., None, :, :]
    # what is left of both across the ray: (B, T, K, capsules, 3)
    p = start - ray * (ray * start).sum(-1, keepdim=True)
    v = along - ray * (ray * along).sum(-1, keepdim=True)
    share = (-(p * v).sum(-1) / v.square().sum(-1).clamp(min=1e-12)).clamp(0.0, 1.0)[..., None]
    within = (radius * stature[:, None, None, None]).square() - (p + share * v).square().sum(-1)
    middle = (ray * (start + share * along)).sum(-1)
    distance = torch.where(within > 0, middle - within.clamp(min=0.0).sqrt(), torch.inf).amin(-1)
    return ray[..., 0, :] * torch.where(distance.isfinite(), distance, torch.nan)[..., None]


def hidden(xyz: torch.Tensor, stature: torch.Tensor) -> torch.Tensor:
    """(B, T, 17) bool: joints (B, T, 17, 3), metres in the camera, with another part of the body before them."""
    front = front_points(xyz, xyz[..., :2] / xyz[..., 2:], stature)
    before = xyz[..., 2] - front[..., 2]
    return before > HIDDEN * stature[:, None, None]
