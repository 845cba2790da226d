"""Maps of the limbs under a crop's pixels, from the points that a landmark network sees."""

from __future__ import annotations

import functools

import torch

from marrow.body.parts import PARTS
from marrow.conventions import joint_names

#: Maps of each part: how near, and there along its bone, beside it, and how far from the camera.
MAPS = 4
#: How far around its bone a part reaches, shares of the trunk's length.
_REACH = {"head": 0.3, "torso": 0.35, "pelvis": 0.3, "upper_arm": 0.15, "forearm": 0.12, "hand": 0.12, "thigh": 0.2,
          "shank": 0.15, "foot": 0.12}  # fmt: skip


def limb_maps(hints: torch.Tensor, size: int) -> torch.Tensor:
    """What pixels know of the bones of the 15 parts around them.

    Args:
        hints: (N, 33, 8) points of N crops (:func:`marrow.recover.landmarks.landmark_hints`).
        size: of the maps.
    Returns:
        (N, 4 * 15, size, size), part by part: 1 on the part's bone and less beside it, as a Gaussian; and times that
        the place along the bone from -1 to 1 (and a little beyond), the one beside it (to the right when looking from
        its near end to its far one) in reaches of the part, and metres behind the hips.
    """
    start, end = _ends(hints.device)
    a, b = start @ hints[..., :5], end @ hints[..., :5]  # (N, 15, 5): x, y, and metres
    trunk = torch.linalg.vector_norm(a[:, 1, :2] - b[:, 1, :2], dim=-1).clamp(min=0.15)
    reach = (_reaches(hints.device) * trunk[:, None])[:, :, None, None]
    grid = (torch.arange(size, device=hints.device) + 0.5) * (2 / size) - 1
    bone = b[..., :2] - a[..., :2]
    length = torch.linalg.vector_norm(bone, dim=-1).clamp(min=1e-3)
    ux, uy = (bone / length[..., None])[..., None, None].unbind(2)
    # a bone that points at the camera is short: what lies around it is still the part
    length = length[..., None, None].maximum(0.5 * reach)
    dx = grid[None, None, None, :] - a[..., 0, None, None]
    dy = grid[None, None, :, None] - a[..., 1, None, None]
    along, beside = dx * ux + dy * uy, dy * ux - dx * uy
    beyond = along - along.clamp(min=0).minimum(length)
    near = torch.exp(-0.5 * (beside**2 + beyond**2) / reach**2)
    share = (along / length).clamp(-0.5, 1.5)
    depth = a[..., 4, None, None] + share * (b - a)[..., 4, None, None]
    return torch.stack(
        [near, near * (2 * share - 1), near * (beside / reach).clamp(-3, 3), 2 * near * depth], 2
    ).flatten(1, 2)


@functools.cache
def _reaches(device: torch.device) -> torch.Tensor:
    return torch.tensor([_REACH[part.removesuffix("_r").removesuffix("_l")] for part in PARTS], device=device)


@functools.cache
def _ends(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(15, 33) weights of the points in the near and the far end of each part's bone."""
    names = joint_names("blazepose33")
    limbs = {
        "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"), "hand": ("wrist", "index pinky"),
        "thigh": ("hip", "knee"), "shank": ("knee", "ankle"), "foot": ("heel", "foot_index"),
    }  # fmt: skip
    trunk = {"head": ("shoulder", "ear"), "torso": ("shoulder", "hip")}
    out = torch.zeros(2, len(PARTS), len(names))
    for k, part in enumerate(PARTS):
        stem, _, side = part.rpartition("_")
        sides = {"r": ("right",), "l": ("left",)}.get(side, ("right", "left"))
        for end, points in enumerate(limbs.get(stem) or trunk.get(part, ("hip", "hip"))):
            own = sides if part != "pelvis" else sides[end : end + 1]  # across, from hip to hip
            rows = [names.index(f"{word}_{point}") for word in own for point in points.split()]
            out[end, k, rows] = 1 / len(rows)
    return out[0].to(device), out[1].to(device)
