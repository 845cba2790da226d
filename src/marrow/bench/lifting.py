"""Held-out poses for lifters, seen by fixed cameras with errors of several kinds, and how far lifters are from them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from marrow.data.detections import detected
from marrow.data.lifting import FPS, JOINTS, views
from marrow.data.lifting import people as people_of
from marrow.lift.normalise import enough, from_network, normalised
from marrow.lift.training import plain_errors
from marrow.metrics import mpjpe, n_mpjpe, pa_mpjpe

#: Errors of keypoints: independent ones of so many per cent of the person's size, or those of the detector.
NOISES: dict[str, float | None] = {"clean": 0.0, "1 %": 0.01, "3 %": 0.03, "detector": None}
#: Bodies that the held-out motions are put on, and the seed of all that is random in it.
BODIES, SEED = 4, 1000


@dataclass(frozen=True)
class HeldOut:
    """N windows of T frames nobody learns from.

    Attributes:
        xy: (N, T, 17, 2) keypoints, x/z and y/z in the camera, with errors.
        confidence: (N, T, 17).
        xyz: (N, T, 17, 3) metres in the camera: the truth.
        stature: (N,) metres.
        clip: (N,) name of the motion: the independent unit.
    """

    xy: torch.Tensor
    confidence: torch.Tensor
    xyz: torch.Tensor
    stature: torch.Tensor
    clip: NDArray[np.str_]

    @property
    def relative(self) -> torch.Tensor:
        """(N, T, 17, 3) metres from the pelvis."""
        return self.xyz - self.xyz[..., :1, :]

    def given(self, *, height: bool = True):
        """What networks read of it, the stature told or not."""
        return normalised(self.xy, self.confidence, self.stature if height else torch.full_like(self.stature, np.nan))


@functools.cache
def held_out(
    split: str, noise: str = "clean", window: int = 1, count: int = 2000, roll: bool = False, bodies: int = BODIES
) -> HeldOut:
    """Windows of split ``"A"`` or ``"B"``, spread evenly over its motions and bodies, each seen by its own camera.

    The same windows and cameras for every kind of ``noise`` (a key of :data:`NOISES`).
    """
    seen = people_of(split, bodies, SEED)
    first = seen.starts(window)
    first = first[torch.linspace(0, len(first) - 1, min(count, len(first))).long()]
    own = views(seen, first, window, torch.Generator().manual_seed(SEED), roll=roll, flip=False)
    generator, sd = torch.Generator().manual_seed(SEED + 1), NOISES[noise]
    if sd is None:
        xy, confidence = detected(own.xy, None, joint_set=JOINTS, fps=FPS, generator=generator)
    else:
        xy, confidence = plain_errors(own.xy, sd, generator), torch.ones(own.xy.shape[:-1])
    clip = np.array([seen.name[k] for k in seen.clip[first]])
    return HeldOut(xy, confidence, own.xyz, own.stature, clip)


def without_joints(data: HeldOut, missing: int) -> HeldOut:
    """The same windows without so many joints, others in each window."""
    generator = torch.Generator().manual_seed(SEED + 2)
    order = torch.rand(len(data.xy), data.xy.shape[-2], generator=generator).argsort(-1)
    gone = (order < missing)[:, None]
    xy = torch.where(gone[..., None], 0.0, data.xy)
    return dataclasses.replace(data, xy=xy, confidence=torch.where(gone, 0.0, data.confidence))


#: What is measured of (N, T, 17, 3) predicted and true: MPJPE and its relatives, millimetres.
METRICS = {"mpjpe": mpjpe, "n_mpjpe": n_mpjpe, "pa_mpjpe": pa_mpjpe}


def said_by(network: torch.nn.Module, data: HeldOut, *, height: bool = True, chunk: int = 500) -> torch.Tensor:
    """(N, T, 17, 3) metres from the pelvis, as a network says."""
    given = data.given(height=height)
    out = []
    with torch.no_grad():
        for start in range(0, len(data.xy), chunk):
            part = type(given)(*(value[start : start + chunk] for value in vars(given).values()))
            out.append(from_network(part, network(part).mean.float()))
    return torch.cat(out)


def errors(predicted: torch.Tensor, data: HeldOut, metric: Callable[..., NDArray[np.float64]] = mpjpe):
    """(N,) mean error of each window over the frames in which enough is seen, millimetres."""
    each = 1000.0 * metric(predicted.nan_to_num().numpy(), data.relative.numpy(), joint_set=JOINTS)
    seen = enough(data.confidence).numpy()
    return np.where(seen, each, 0.0).sum(-1) / np.maximum(seen.sum(-1), 1)


class Anchor(torch.nn.Module):
    """The anchor of all figures: a plain network (Martinez et al. 2017) of joints in the picture, moved to the root and
    scaled by their box, to metres in the camera; it knows neither the camera nor the stature.

    Args:
        width, blocks: of the network.
    """

    def __init__(self, width: int = 512, blocks: int = 2) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = [torch.nn.Linear(34, width), torch.nn.ReLU()]
        for _ in range(2 * blocks):
            layers += [torch.nn.Linear(width, width), torch.nn.ReLU()]
        self.net = torch.nn.Sequential(*layers, torch.nn.Linear(width, 51))

    def forward(self, xy: torch.Tensor) -> torch.Tensor:
        """(..., 17, 2) x/z and y/z to (..., 17, 3) metres from the pelvis."""
        size = (xy.amax(-2) - xy.amin(-2)).amax(-1)[..., None, None]
        out = self.net(((xy - xy[..., :1, :]) / size).flatten(-2)).unflatten(-1, (17, 3))
        return out - out[..., :1, :]
