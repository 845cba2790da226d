"""How lifters learn: from motions on many bodies, random cameras and a detector's errors, made as they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from marrow.data.detections import detected
from marrow.data.lifting import FPS, JOINTS, People, people, views
from marrow.lift.networks import Said
from marrow.lift.normalise import Given, normalised, to_network
from marrow.train.loop import train
from marrow.train.seeds import generator as generator_of

#: A batch: what the network reads, and the truth in its units and axes.
Batch = tuple[Given, torch.Tensor]


#: Fewer steps are a trial.
_TRIAL = 100


def learnt_from(split: str, bodies: int, steps: int, mixed: bool) -> People:
    """The :func:`marrow.data.lifting.people` for a training of so many steps; a trial of few gets one of them."""
    return people(split, bodies if steps >= _TRIAL else 1, mixed=mixed)


@dataclass(frozen=True)
class Recipe:
    """What the batches of a training hold.

    Attributes:
        batch: windows in a batch.
        window: frames in each.
        every: a window may begin at every so many frames.
        roll: cameras rolled by any angle (arXiv 2601.13913).
        flip: half of the windows in a mirror.
        plain_sd: largest standard deviation of independent errors, as a share of the person's size; each window draws
            its own evenly from 0 on.
        level: largest level of a detector's errors (:func:`marrow.data.detections.detected`), drawn likewise.
        detector: share of the windows with a detector's errors; the others have independent ones.
        height: share of the windows with the stature told.
    """

    batch: int = 1024
    window: int = 1
    every: int = 1
    roll: bool = False
    flip: bool = True
    plain_sd: float = 0.04
    level: float = 1.5
    detector: float = 0.5
    height: float = 0.5


def batches(seen: People, recipe: Recipe, seed: int) -> Callable[[int], Batch]:
    """The batch of a number, whatever was made before."""
    first = seen.starts(recipe.window, recipe.every)

    def batch(number: int) -> Batch:
        generator = generator_of(seed, number)
        rows = first[torch.randint(len(first), (recipe.batch,), generator=generator)]
        own = views(seen, rows, recipe.window, generator, roll=recipe.roll, flip=recipe.flip)
        xy, confidence = with_errors(own.xy, recipe, generator)
        told = torch.rand(recipe.batch, generator=generator) < recipe.height
        given = normalised(xy, confidence, torch.where(told, own.stature, torch.nan))
        return given, to_network(given, own.xyz - own.xyz[..., :1, :])

    return batch


def with_errors(xy: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (B, T, 17, 2) with the errors of a recipe, and their confidence (B, T, 17)."""
    count = len(xy)
    like = torch.rand(count, generator=generator) < recipe.detector
    level = torch.rand(count, generator=generator)
    found, confidence = detected(xy, None, joint_set=JOINTS, level=recipe.level * level, fps=FPS, generator=generator)
    plain = plain_errors(xy, recipe.plain_sd * level, generator)
    one = like[:, None, None]
    return torch.where(one[..., None], found, plain), torch.where(one, confidence, 1.0)


def plain_errors(xy: torch.Tensor, sd: torch.Tensor | float, generator: torch.Generator) -> torch.Tensor:
    """Independent normal errors of (B, T, J, 2), ``sd`` (B,) or one for all: a share of the longer side of the box."""
    size = (xy.amax(-2) - xy.amin(-2)).amax(-1)[..., None, None]
    sd = torch.as_tensor(sd, dtype=xy.dtype).view(-1, 1, 1, 1)
    return xy + sd * size * torch.randn(xy.shape, generator=generator)


def loss_of(said: Said, truth: torch.Tensor) -> torch.Tensor:
    """Mean distance of the joints, and how well the network knows it (a Laplace likelihood that moves no joint)."""
    return torch.linalg.vector_norm(said.mean.float() - truth, dim=-1)[..., 1:].mean() + knowledge_loss(said, truth)


def knowledge_loss(said: Said, truth: torch.Tensor) -> torch.Tensor:
    """The second part of :func:`loss_of`: how well the network knows its errors, whatever they are."""
    error = torch.linalg.vector_norm(said.mean.detach().float() - truth, dim=-1)[..., 1:]
    log_error = said.log_error.float()[..., 1:]
    return 0.02 * (error * torch.exp(-log_error) + log_error).mean()


def train_lifter(
    network: torch.nn.Module,
    seen: People,
    steps: int,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    loss: Callable[[Said, torch.Tensor], torch.Tensor] = loss_of,
    rate: float = 1e-3,
    precision: Literal["32", "bf16"] = "bf16",
    **told: Any,
) -> list[float]:
    """Train a lifting network in place; the losses of the steps. ``told`` goes to :func:`marrow.train.loop.train`."""
    make = batches(seen, recipe or Recipe(), seed)

    def of(net: torch.nn.Module, one: Batch) -> torch.Tensor:
        return loss(net(one[0]), one[1])

    return train(network, make, of, steps=steps, rate=rate, precision=precision, **told)


#: Steps, people and recipes of the lifters that come with marrow (:mod:`marrow.lift.shipped`).
FRAME = Recipe(batch=1024)
TIME = Recipe(batch=48, window=54, every=3)
BODIES, FRAME_STEPS, TIME_STEPS = 10, 10000, 12000


def train_shipped(name: str, network: torch.nn.Module, split: str, steps: int | None = None, **told: Any) -> None:
    """Train the network of a lifter that comes with marrow, ``"frame"`` or ``"time"``, on adults and children.

    Args:
        network: that of ``"time"`` with the weights of ``"frame"`` in its ``single``.
        split: the motions to learn from: ``"train"`` to be measured on others, ``"train+A+B"`` to be shipped.
        steps: fewer or more than usual.
        told: to :func:`marrow.train.loop.train`.
    """
    recipe, usual = (FRAME, FRAME_STEPS) if name == "frame" else (TIME, TIME_STEPS)
    seen = people(split, BODIES, ages=(8.0, 80.0), mixed=True)
    train_lifter(network, seen, usual if steps is None else steps, recipe, average=0.999, **told)
