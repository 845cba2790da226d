"""What a lifting network says, and the plain ones: frame by frame, and over time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from marrow.conventions import joint_names
from marrow.data.lifting import JOINTS
from marrow.lift.normalise import TOLD, Given
from marrow.nn.equivariant import PlanarNet
from marrow.nn.pose_mlp import ResidualMLP

COUNT = len(joint_names(JOINTS))


class Said(NamedTuple):
    """Of B windows of T frames of J joints.

    Attributes:
        mean: (B, T, J, 3) joints relative to the root, in statures, axes of the turned camera.
        log_error: (B, T, J) logarithm of the distance expected between that and the truth, in statures.
    """

    mean: torch.Tensor
    log_error: torch.Tensor


def as_said(numbers: torch.Tensor) -> Said:
    """The last 4 J numbers of a network as what it says: three coordinates and a logarithm of each joint."""
    each = numbers.unflatten(-1, (COUNT, 4))
    mean = each[..., :3]
    return Said(mean - mean[..., :1, :], each[..., 3].clamp(-7.0, 0.0))


class FrameLifter(nn.Module):
    """Each frame by itself.

    Args:
        width, blocks: of the :class:`marrow.nn.pose_mlp.ResidualMLP`.
    """

    def __init__(self, width: int = 512, blocks: int = 2) -> None:
        super().__init__()
        self.net = ResidualMLP(3 * COUNT + TOLD, 4 * COUNT, width, blocks)

    def forward(self, given: Given) -> Said:
        return as_said(self.net(given.features))


class PlanarLifter(nn.Module):
    """Each frame by itself, equivariant by design to the camera's roll.

    Args:
        width, blocks: of the :class:`marrow.nn.equivariant.PlanarNet`.
    """

    def __init__(self, width: int = 128, blocks: int = 3) -> None:
        super().__init__()
        self.net = PlanarNet(COUNT, COUNT + TOLD, COUNT, 2 * COUNT, width, blocks)

    def forward(self, given: Given) -> Said:
        xy, other = self.net(given.xy, torch.cat([given.confidence, given.told], -1))
        return as_said(torch.cat([xy, other.unflatten(-1, (COUNT, 2))], -1).flatten(-2))


class TimeLifter(nn.Module):
    """All frames of a window at once: what a lifter of single frames says of each, bettered by residual blocks that
    look at earlier and later frames (after Pavllo et al. 2019, VideoPose3D, CVPR, with a value for every frame and
    without its strides).

    Args:
        single: the lifter of single frames. It learns no more.
        width: of the layers.
        reach: frames between the three that a block looks at, for each block: (1, 3, 9) sees 27 frames in all.
    """

    def __init__(self, single: FrameLifter, width: int = 256, reach: tuple[int, ...] = (1, 3, 9)) -> None:
        super().__init__()
        self.reach = reach
        self.single = single.requires_grad_(False)
        self.first = nn.Linear(3 * COUNT + TOLD + 4 * COUNT, width)
        self.frame = nn.ModuleList(_layers(width, width) for _ in reach)
        self.time = nn.ModuleList(_layers(3 * width, width) for _ in reach)
        self.last = nn.Linear(width, 4 * COUNT)
        # at first it says what the lifter of single frames says
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, given: Given) -> Said:
        features = given.features
        said = self.single.net(features)
        x = self.first(torch.cat([features, said], -1))
        steps = torch.arange(x.shape[1], device=x.device)
        for reach, frame, time in zip(self.reach, self.frame, self.time, strict=True):
            x = x + frame(torch.relu(x))
            # at the ends the nearest frame stands for those that are missing
            near = [x[:, (steps + k).clamp(0, len(steps) - 1)] for k in (-reach, 0, reach)]
            x = x + time(torch.relu(torch.cat(near, -1)))
        return as_said(said + self.last(torch.relu(x)))


def _layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width))
