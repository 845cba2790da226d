"""One plain training loop: AdamW, a warm start, a cosine to zero, clipped gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from marrow.errors import InputError
from marrow.progress import Progress, silent


def train(
    model: torch.nn.Module,
    batches: Iterator[Any],
    loss: Callable[[torch.nn.Module, Any], torch.Tensor],
    *,
    steps: int,
    rate: float = 1e-3,
    weight_decay: float = 0.01,
    warm: int = 100,
    clip: float = 1.0,
    progress: Progress = silent,
) -> list[float]:
    """Train a model in place.

    Args:
        model: left in evaluation mode.
        batches: gives a batch for each step; whatever ``loss`` takes.
        loss: of the model on a batch, a number to be made small.
        steps: of the optimiser.
        rate: highest learning rate.
        weight_decay: of matrices and kernels; biases and scales decay not.
        warm: steps until the highest rate is reached.
        clip: largest norm of a gradient.
    Returns:
        The loss of each step.
    Raises:
        InputError: the loss became NaN or infinite, or the batches ran out.
    """
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps, warm))
    model.train()
    history: list[float] = []
    for step in range(steps):
        batch = next(batches, None)
        if batch is None:
            raise InputError(f"train: the batches ran out after {step} of {steps} steps")
        value = loss(model, batch)
        if not math.isfinite(value.item()):
            raise InputError(f"train: the loss became {value.item()} at step {step}; take a smaller rate than {rate}")
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
        schedule.step()
        history.append(value.item())
        progress("training", step + 1, steps)
    model.eval()
    return history


def shuffled(count: int, size: int, seed: int) -> Iterator[torch.Tensor]:
    """Endless batches of ``size`` row numbers below ``count``: each row once, in a new order, then again."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.zeros(0, dtype=torch.long)
    while True:
        while len(left) < size:
            left = torch.cat([left, torch.randperm(count, generator=generator)])
        yield left[:size]
        left = left[size:]


def _rate(step: int, steps: int, warm: int) -> float:
    return min(1.0, (step + 1) / max(warm, 1)) * 0.5 * (1 + math.cos(math.pi * min(step / max(steps, 1), 1.0)))
