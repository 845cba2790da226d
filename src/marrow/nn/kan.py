"""Layers whose edges are learnt functions (Z. Liu and others, "KAN: Kolmogorov-Arnold Networks", 2024).

A linear layer multiplies each input by a number on its way to each output; a KAN layer puts a function of one variable
there: a multiple of SiLU and a cubic spline.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from marrow.errors import InputError


class _Cubes(torch.autograd.Function):
    """Cubic B-splines of ``u``, in units of the knots' distance, around the whole numbers from -1 on.

    Forwards and backwards keep ``u`` alone, which is a tenth of what automatic differentiation would keep.
    """

    @staticmethod
    def forward(ctx: Any, u: torch.Tensor, count: int) -> torch.Tensor:
        ctx.save_for_backward(u)
        ctx.count = count
        outer, inner = _tails((u[..., None] - _middles(u, count)).abs_())
        return outer.pow(3).sub_(inner.pow_(3), alpha=4.0).div_(6.0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (u,) = ctx.saved_tensors
        away = u[..., None] - _middles(u, ctx.count)
        outer, inner = _tails(away.abs())
        slope = outer.square_().sub_(inner.square_(), alpha=4.0).mul_(away.sign_()).mul_(-0.5)
        return slope.mul_(gradients[0]).sum(-1), None


def _middles(u: torch.Tensor, count: int) -> torch.Tensor:
    return torch.arange(-1, count - 1, dtype=u.dtype, device=u.device)


def _tails(distance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (2.0 - distance).clamp_(min=0.0), (1.0 - distance).clamp_(min=0.0)


def cubic_bsplines(x: torch.Tensor, low: float, high: float, intervals: int) -> torch.Tensor:
    """Values (..., intervals + 3) of all cubic B-splines over equal intervals at ``x`` (...).

    Their sum is 1 between ``low`` and ``high``; three intervals further out all are 0.
    """
    return cast(torch.Tensor, _Cubes.apply((x - low) * (intervals / (high - low)), intervals + 3))


class KANLayer(nn.Module):
    """From ``inputs`` to ``outputs`` numbers, a function of one variable on each way, summed at each output.

    Args:
        inputs, outputs: how many.
        intervals: of each spline.
        reach: splines live between minus and plus this; beyond it only SiLU acts. Inputs are best of unit size.

    Raises:
        InputError: no intervals, or no reach.
    """

    def __init__(self, inputs: int, outputs: int, intervals: int = 5, reach: float = 2.5) -> None:
        super().__init__()
        if intervals < 1 or reach <= 0:
            raise InputError(f"a spline needs intervals and a reach above 0, got {intervals} and {reach}")
        self.intervals, self.reach = intervals, reach
        self.base = nn.Linear(inputs, outputs)
        self.spline = nn.Linear(inputs * (intervals + 3), outputs, bias=False)
        nn.init.normal_(self.spline.weight, std=0.1 / inputs**0.5)  # begins nearly as SiLU

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) to (..., outputs)."""
        x = x.float()  # cubes of few bits are too coarse
        splines = cubic_bsplines(x, -self.reach, self.reach, self.intervals)
        return self.base(nn.functional.silu(x)) + self.spline(splines.flatten(-2))
