"""What a keypoint detector does to the truth, in batches: errors that last, outliers, joints that go missing."""

from __future__ import annotations

import torch


def detected(
    xy: torch.Tensor,
    visible: torch.Tensor | None,
    *,
    joint_set: str,
    level: torch.Tensor | float = 1.0,
    fps: float = 30.0,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (B, T, J, 2) as a detector would report them, and its confidence (B, T, J); 0 where a joint is missing."""
    B, T, J, _ = xy.shape
    level = torch.as_tensor(level, dtype=xy.dtype).expand(B).view(-1, 1, 1)
    size = (xy.amax(-2) - xy.amin(-2)).amax(-1)[..., None, None]
    stays = torch.randn(B, 1, J, 2, generator=generator)
    white = torch.randn(B, T, J, 2, generator=generator)
    error = 0.013 * level[..., None] * (0.8 * stays + 0.6 * white)
    wrong = torch.rand(B, T, J, generator=generator) < 0.02 * level
    error = error + wrong[..., None] * 0.1 * torch.randn(B, T, J, 2, generator=generator)
    missing = torch.rand(B, 1, J, generator=generator) < 0.04 * level
    confidence = torch.where(wrong, 0.5, 0.9) + 0.1 * (torch.rand(B, T, J, generator=generator) - 0.5)
    confidence = torch.where(missing, 0.0, confidence)
    return torch.where(missing[..., None], 0.0, xy + size * error), confidence
