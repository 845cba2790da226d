"""Training of the regressor on crops, and the reader that knows only their mean."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from marrow.body import load_body
from marrow.data.synth.crops import Crops
from marrow.progress import Progress, silent
from marrow.recover.people import as_images
from marrow.recover.regressor import PHENOTYPES, BodyRegressor, Read, angle_columns, read_loss
from marrow.train.loop import shuffled, train


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
    model: BodyRegressor, crops: Crops, *, steps: int, batch: int, seed: int, rate: float, progress: Progress = silent
) -> list[float]:
    """Train a regressor on crops, their light changed by chance; the losses of the steps."""
    wanted, images, place = targets(crops), as_images(crops.images), torch.tensor(crops.place, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor, Read]]:
        for rows in shuffled(len(images), batch, seed):
            gain = 1 + 0.2 * torch.randn(len(rows), 3, 1, 1, generator=generator)
            own = Read(wanted.R_cam_pelvis[rows], wanted.angles[rows], wanted.build[rows], wanted.xy[rows])
            yield (images[rows] * gain).clamp(0, 1), place[rows], own

    def loss(net: torch.nn.Module, given: tuple[torch.Tensor, torch.Tensor, Read]) -> torch.Tensor:
        return read_loss(net(given[0], given[1]), given[2])

    return train(model, batches(), loss, steps=steps, rate=rate, progress=progress)


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

    def forward(self, images: torch.Tensor, place: torch.Tensor) -> Read:
        """The same of every crop."""
        mean, count = self.mean, len(images)
        return Read(
            mean.R_cam_pelvis.expand(count, 3, 3), mean.angles.expand(count, -1), mean.build.expand(count, -1),
            mean.xy.expand(count, -1, 2),
        )  # fmt: skip
