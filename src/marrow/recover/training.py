"""Training of the regressor on crops, and the reader that knows only their mean."""

from __future__ import annotations

import functools
from typing import Any

import torch

from marrow.body import load_body
from marrow.conventions import joint_names
from marrow.data.synth.crops import JOINT_SET, Crops
from marrow.recover.landmarks import COLUMNS, POINTS, hints_mirrored, hints_moved, landmark_hints
from marrow.recover.people import as_images
from marrow.recover.regressor import PHENOTYPES, BodyRegressor, Read, angle_columns, read_loss
from marrow.train.loop import shuffled, train
from marrow.train.seeds import generator
from marrow.types import Float32

#: Crops (N, 3, S, S), places (N, 3), hints (N, 33, 8), and what is known of them.
Given = tuple[torch.Tensor, torch.Tensor, torch.Tensor, Read]


def targets(crops: Crops) -> Read:
    """What a regressor should say of crops."""
    names = [p.name for p in load_body().spec.parameters]
    size = crops.images.shape[1]
    return Read(
        torch.tensor(crops.R_cam_pelvis, dtype=torch.float32),
        torch.tensor(crops.q[:, angle_columns()], dtype=torch.float32),
        torch.tensor(crops.shape[:, [names.index(name) for name in PHENOTYPES]], dtype=torch.float32),
        torch.tensor((crops.xy - (size - 1) / 2) / (size / 2)).float().clamp(-3, 3),
    )


def train_on(
    model: BodyRegressor,
    crops: Crops,
    *,
    steps: int,
    batch: int,
    seed: int,
    rate: float,
    hints: Float32 | None = None,
    **told: Any,
) -> list[float]:
    """Train a regressor on crops that are mirrored, turned and moved by chance; the losses of the steps.

    Args:
        hints: of the crops (:func:`marrow.recover.landmarks.landmark_hints`); by default they are made.
        told: further options of :func:`marrow.train.loop.train`.
    """
    wanted, images, place = targets(crops), as_images(crops.images), torch.tensor(crops.place, dtype=torch.float32)
    if hints is None:
        hints = landmark_hints(crops.images if model.hints else ())
    given = torch.tensor(hints) if model.hints else torch.zeros(len(images), POINTS, COLUMNS)
    rows_of = shuffled(len(images), batch, seed)

    def given_of(number: int) -> Given:
        rows, chance = rows_of(number), generator(seed, 1, number)
        own = Read(*(value[rows] for value in vars(wanted).values() if value is not None))
        which = torch.rand(len(rows), generator=chance) < 0.5
        return moved(*mirrored(images[rows], place[rows], given[rows], own, which), chance)

    def loss(net: torch.nn.Module, one: Given) -> torch.Tensor:
        return read_loss(net(*one[:3]), one[3])

    return train(model, given_of, loss, steps=steps, rate=rate, **told)


def mirrored(images: torch.Tensor, place: torch.Tensor, hints: torch.Tensor, known: Read, which: torch.Tensor) -> Given:
    """Some crops (``which`` (N,) bool) as in a mirror, with what is known of them."""
    column, sign, joint = _other_side()
    one = which[:, None]
    R = known.R_cam_pelvis * torch.tensor([-1.0, 1.0, 1.0])[:, None] * torch.tensor([1.0, 1.0, -1.0])
    return (
        torch.where(one[:, :, None, None], images.flip(3), images),
        torch.where(one, place * torch.tensor([-1.0, 1.0, 1.0]), place),
        torch.where(one[:, :, None], hints_mirrored(hints), hints),
        Read(
            torch.where(one[:, :, None], R, known.R_cam_pelvis),
            torch.where(one, known.angles[:, column] * sign, known.angles),
            known.build,
            torch.where(one[:, :, None], known.xy[:, joint] * torch.tensor([-1.0, 1.0]), known.xy),
        ),
    )


def moved(
    images: torch.Tensor, place: torch.Tensor, hints: torch.Tensor, known: Read, generator: torch.Generator
) -> Given:
    """Crops in another light, turned about their middle (and the camera with them), moved and cut wider or narrower."""
    count = len(images)
    turn, zoom, x, y = (torch.randn(count, 4, generator=generator) * torch.tensor([0.2, 0.08, 0.08, 0.08])).T
    zoom, shift = zoom.exp(), torch.stack([x, y], 1)
    c, s = turn.cos(), turn.sin()
    ahead = torch.nn.functional.normalize(torch.cat([place[:, :2], torch.ones(count, 1)], 1), dim=1)
    in_picture = torch.stack([c, -s, s, c], 1).view(-1, 2, 2)
    # where each pixel of the new crop is in the old one
    back = torch.cat([zoom[:, None, None] * in_picture.transpose(1, 2), shift[:, :, None]], 2)
    grid = torch.nn.functional.affine_grid(back, list(images.shape), align_corners=False)
    gain = 1 + 0.15 * torch.randn(count, 3, 1, 1, generator=generator)
    seen = torch.nn.functional.grid_sample(images, grid, align_corners=False) * gain
    there = torch.cat([place[:, :2] + shift * place[:, 2:] / 2, zoom[:, None] * place[:, 2:]], 1)
    K = torch.zeros(count, 3, 3)
    K[:, 0, 1], K[:, 0, 2], K[:, 1, 2] = -ahead[:, 2], ahead[:, 1], -ahead[:, 0]
    K = K - K.transpose(1, 2)
    about = torch.eye(3) + s[:, None, None] * K + (1 - c)[:, None, None] * (K @ K)
    xy = (known.xy - shift[:, None]) @ in_picture.transpose(1, 2) / zoom[:, None, None]
    told = hints_moved(hints, in_picture, about, shift, zoom)
    return seen.clamp(0, 1), there, told, Read(about @ known.R_cam_pelvis, known.angles, known.build, xy)


@functools.cache
def _other_side() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each angle and joint the column of its other side, and of each angle the sign that a mirror gives it."""
    every = load_body().rest().skeleton.coordinates
    names = [every[k] for k in angle_columns()]
    sides = {"_r": "_l", "_l": "_r"}
    column = [names.index(name[:-2] + sides[name[-2:]] if name[-2:] in sides else name) for name in names]
    sign = [-1.0 if name.endswith(("_bending", "_rotation")) else 1.0 for name in names]
    words = {"right": "left", "left": "right"}
    joints = joint_names(JOINT_SET)
    other = [joints.index("_".join(words.get(word, word) for word in name.split("_"))) for name in joints]
    return torch.tensor(column), torch.tensor(sign), torch.tensor(other)


class MeanBody(torch.nn.Module):
    """The trivial reader: the mean angles, build and joints of crops, upright and facing the camera.

    Args:
        crops: whose mean.
    """

    def __init__(self, crops: Crops) -> None:
        super().__init__()
        known = targets(crops)
        self.mean = Read(
            torch.tensor([[[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]]]).transpose(1, 2),
            *(value.mean(0, keepdim=True) for value in (known.angles, known.build, known.xy)),
        )

    hints = 0

    def forward(self, images: torch.Tensor, place: torch.Tensor, hints: torch.Tensor | None = None) -> Read:
        """The same of every crop."""
        mean, count = self.mean, len(images)
        return Read(
            mean.R_cam_pelvis.expand(count, 3, 3), mean.angles.expand(count, -1), mean.build.expand(count, -1),
            mean.xy.expand(count, -1, 2),
        )  # fmt: skip
