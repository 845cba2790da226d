"""Poses by a diffusion model that has seen no pictures, steered to where joints are seen in one.

After Snelgar et al. 2026, "Flexible geometric guidance for probabilistic human pose estimation with diffusion models"
(arXiv 2602.03126): samples of an unconditional model of 3-D poses, each step moved by the slope of the logarithm of a
detector's heat-maps at the projected joints. Where the root stands is solved in closed form at each step.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike

from marrow.conventions import joint_names
from marrow.data.lifting import JOINTS, People, views
from marrow.errors import InputError
from marrow.lift.evidence import Evidence, Heatmaps, from_heatmaps, from_keypoints, shares
from marrow.lift.lifter import Lifted, Lifter, read_keypoints
from marrow.lift.networks import Said
from marrow.lift.normalise import Given, from_network
from marrow.lift.reprojection import NEAREST, depth_of, root_at, seen_at
from marrow.lift.root import solve_root
from marrow.nn.diffusion import Denoiser, Guide, denoising_loss, sample
from marrow.train.loop import train
from marrow.types import Camera, Float32, Keypoints

#: Numbers of a pose: all joints but the root, from it, in statures; and roughly their standard deviation.
NUMBERS, SPREAD = 3 * (len(joint_names(JOINTS)) - 1), 0.17
#: Depth of a root in statures, times the angular size of the person: its usual value and the spread of its logarithm.
_FAR, _FAR_SPREAD = 0.504, 0.14
#: Poses that are sampled at a time, so that memory stays bounded.
_CHUNK = 8192


@dataclass(frozen=True)
class Sampling:
    """How hypotheses are drawn.

    Attributes:
        steps: calls of the denoiser.
        largest, least: first and last standard deviation of the noise, statures.
        fresh: share of new noise in each step.
        strength: factor on the slope of the evidence; with fewer steps it has to be less.
        doubt: standard deviation, statures, that a joint's expected place has at most beside the noise's own.
        settled: noise below which the root's depth follows the pose; above, that of the person's size in the picture.
    """

    steps: int = 36
    largest: float = 1.5
    least: float = 0.005
    fresh: float = 1.0
    strength: float = 5.0
    doubt: float = 0.15
    settled: float = 0.2


def poses(seen: People, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(B, 48) poses for training, turned as random cameras see them; nothing is projected.

    Args:
        seen: the people.
        rows: (B,) frames.
        generator: of the cameras.
    """
    own = views(seen, rows, 1, generator)
    return _numbers((own.xyz - own.xyz[..., :1, :])[:, 0] / own.stature[:, None, None])


def train_denoiser(
    denoiser: Denoiser,
    seen: People,
    steps: int,
    batch: int,
    *,
    seed: int = 0,
    rate: float = 2e-3,
    average: float = 0.999,
    precision: Literal["32", "bf16"] = "bf16",
    **told: Any,
) -> list[float]:
    """Train a denoiser of :func:`poses` in place; the losses of the steps.

    Args:
        seen: whose poses.
        batch: poses in a step.
        told: to :func:`marrow.train.loop.train`, with ``rate``, ``average`` and ``precision``.
    """
    first = seen.starts(1)

    def make(number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed((seed << 32) + number)
        return poses(seen, first[torch.randint(len(first), (batch,), generator=generator)], generator)

    def loss(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return denoising_loss(net, x, denoiser.spread)

    return train(denoiser, make, loss, steps=steps, rate=rate, average=average, precision=precision, **told)


def hypotheses(
    denoiser: Denoiser,
    evidence: Evidence,
    count: int,
    generator: torch.Generator,
    sampling: Sampling | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Poses that agree with the evidence, and how little the model had to be pushed for each.

    Frames of a window share their noise, so that a hypothesis goes on smoothly from frame to frame.

    Args:
        denoiser: of :func:`poses`.
        evidence: of (B, T).
        count: H hypotheses.
        generator: of the noise.
        sampling: how.

    Returns:
        (H, B, T, 17, 3) joints from the root, statures, axes of the turned camera; energy (H, B, T): the mean squared
        pull of the evidence in the later half of the steps, low where picture and model agree.
    """
    how = sampling or Sampling()
    windows, frames = evidence.area.shape
    pushed: list[torch.Tensor] = []

    def draw() -> torch.Tensor:
        return torch.randn(count, windows, 1, NUMBERS, generator=generator).expand(-1, -1, frames, -1)

    far = _FAR / (evidence.area.sqrt() / 2)
    depth = far * torch.exp(_FAR_SPREAD * torch.randn(count, windows, 1, generator=generator))
    guide = _guide(evidence, depth, how, pushed)
    x = sample(denoiser, draw, steps=how.steps, largest=how.largest, least=how.least, fresh=how.fresh, guide=guide)
    return _joints(x), torch.stack(pushed[len(pushed) // 2 :]).mean(0)


def generated(
    denoiser: Denoiser, count: int, generator: torch.Generator, sampling: Sampling | None = None
) -> torch.Tensor:
    """(N, 17, 3) poses of nobody in particular, from the root, in statures, as cameras see them."""
    how = sampling or Sampling()

    def draw() -> torch.Tensor:
        return torch.randn(count, NUMBERS, generator=generator)

    return _joints(sample(denoiser, draw, steps=how.steps, largest=how.largest, least=how.least, fresh=how.fresh))


def _guide(evidence: Evidence, depth: torch.Tensor, how: Sampling, pushed: list[torch.Tensor]) -> Guide:
    share = evidence.weight

    def slope(x0: torch.Tensor, sigma: float) -> torch.Tensor:
        nonlocal share
        relative, weight = _joints(x0), share.sum(-1)
        at = share.unsqueeze(-2).matmul(evidence.place).squeeze(-2) / weight.clamp(min=1e-9)[..., None]
        at, weight = at.expand(*relative.shape[:-1], 2), weight.expand(relative.shape[:-1])
        # early on the expected pose is a mean of many, which is smaller than each: its own depth would be too near
        trust = 1 / (1 + (sigma / how.settled) ** 2)
        own = depth_of(relative, at, weight)
        root = root_at(relative, at, weight, own**trust * depth ** (1 - trust))
        seen = seen_at(relative, root)
        z = (root[..., None, 2] + relative[..., 2]).clamp(min=NEAREST)
        doubt = sigma * how.doubt / math.hypot(sigma, how.doubt) / z
        share, pull = shares(evidence, seen, doubt.square())
        pushed.append((pull * doubt[..., None]).square().sum((-1, -2)))
        pull = how.strength * pull / z[..., None]
        return _numbers(torch.cat([pull, -(seen * pull).sum(-1, keepdim=True)], -1))

    return slope


def _joints(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pad(x.unflatten(-1, (-1, 3)), (0, 0, 1, 0))


def _numbers(joints: torch.Tensor) -> torch.Tensor:
    return joints[..., 1:, :].flatten(-2)


#: Ways to make one pose of many without knowing the truth.
CHOICES = ("mean", "weighted", "energy", "joints")


def chosen(relative: torch.Tensor, energy: torch.Tensor, choice: str = "weighted") -> torch.Tensor:
    """One pose (B, T, 17, 3) of hypotheses (H, B, T, 17, 3) with energies (H, B, T).

    Args:
        choice: ``"mean"``; ``"weighted"``: the mean, those of low energy counting more; ``"energy"``: the one of lowest
            energy; ``"joints"``: of each joint the median.

    Raises:
        InputError: no such choice.
    """
    if choice == "mean":
        return relative.mean(0)
    if choice == "joints":
        return relative.median(0).values
    if choice == "energy":
        best = energy.argmin(0)
        return relative.gather(0, best[None, ..., None, None].expand(1, *relative.shape[1:]))[0]
    if choice == "weighted":
        return (_weights(energy)[..., None, None] * relative).sum(0)
    raise InputError(f"choice: expected one of {', '.join(CHOICES)}, got {choice!r}")


def _weights(energy: torch.Tensor) -> torch.Tensor:
    """(H, B, T) weights of the hypotheses; those of twice the lowest energy count a seventh of it."""
    least = energy.amin(0)
    return torch.softmax(-2 * (energy / least.clamp(min=1e-9) - 1), 0)


@dataclass(frozen=True)
class GuidedLifter:
    """A lifter that gives many poses for one picture; called as :class:`marrow.lift.lifter.Lifter`.

    Attributes:
        name: of the lifter.
        denoiser: of :func:`poses`.
        sampling: how hypotheses are drawn.
        choice: of :data:`CHOICES`, for the one pose beside them.
        seed: of all chance: the same keypoints give the same poses.
    """

    name: str
    denoiser: Denoiser
    sampling: Sampling = dataclasses.field(default_factory=Sampling)
    choice: str = "weighted"
    seed: int = 0

    def __call__(
        self,
        keypoints: Keypoints | ArrayLike,
        joint_set: str | None = None,
        camera: Camera | None = None,
        height: float | None = None,
        *,
        hypotheses: int = 20,
        heatmaps: Heatmaps | None = None,
    ) -> Lifted:
        """Lift one person's keypoints, as :class:`marrow.lift.lifter.Lifter` does.

        Args:
            hypotheses: how many; ``alternatives`` of the answer holds them, those of low energy first (of the whole
                sequence). Its other poses are one made of them by :attr:`choice`, its ``sd`` their spread.
            heatmaps: of the same frames, which then count instead of the keypoints of the joints that they have.

        Raises:
            InputError: as there; fewer than one hypothesis; heat-maps of another number of frames.
        """
        if hypotheses < 1:
            raise InputError(f"hypotheses: expected at least 1, got {hypotheses}")
        xy, confidence = read_keypoints(keypoints, joint_set)
        if heatmaps is not None and len(heatmaps.values) != len(xy):
            raise InputError(f"heat-maps: expected those of {len(xy)} frames, got {len(heatmaps.values)}")
        told = np.concatenate([xy, confidence[..., None]], -1).astype(np.float32)
        size = max(_CHUNK // hypotheses, 1)
        parts: list[Lifted] = []
        energies: list[torch.Tensor] = []
        for start in range(0, len(told), size):
            part = slice(start, start + size)
            maps = None if heatmaps is None else _frames(heatmaps, part)
            found = self._part(told[part], camera, height, hypotheses, maps)
            parts.append(found[0])
            energies.append(found[1])
        # in the order of the whole sequence
        order = torch.cat(energies, 1).nan_to_num(0.0).mean(1).argsort().numpy()
        each = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ("xyz", "relative", "sd", "root")}
        alternatives = np.concatenate([p.alternatives for p in parts], 1)[order]
        return dataclasses.replace(parts[0], **each, alternatives=alternatives)

    def _part(
        self, told: Float32, camera: Camera | None, height: float | None, count: int, maps: Heatmaps | None
    ) -> tuple[Lifted, torch.Tensor]:
        kept: list[torch.Tensor] = []

        def network(given: Given) -> Said:
            evidence = from_keypoints(given) if maps is None or camera is None else from_heatmaps(maps, camera, given)
            generator = torch.Generator().manual_seed(self.seed)
            relative, energy = hypotheses(self.denoiser, evidence, count, generator, self.sampling)
            kept.extend([from_network(given, relative)[:, 0], energy[:, 0]])
            mean = chosen(relative, energy, self.choice)
            spread = (relative - mean).square().sum(-1).mean(0).sqrt()
            return Said(mean, spread.clamp(min=1e-3).log())

        # the spread is a distance, of which a coordinate has its third in variance
        one = Lifter(self.name, network, calibration=3**-0.5)(told, JOINTS, camera, height)
        relative, energy = kept
        seen = np.isfinite(one.relative[:, 0, 0])
        pixels = np.where(told[..., 2:] > 0, told[..., :2], np.nan).astype(float)
        where = []
        for hypothesis in relative.numpy():
            # the lifter has refused to work without a camera
            root, _ = solve_root(cast(Camera, camera), pixels, told[..., 2].astype(float), hypothesis.astype(float))
            where.append(np.where(seen[:, None, None], root[:, None] + hypothesis, np.nan))
        return dataclasses.replace(one, alternatives=np.stack(where).astype(np.float32)), energy


def _frames(heatmaps: Heatmaps, part: slice) -> Heatmaps:
    return dataclasses.replace(heatmaps, values=heatmaps.values[part], image_from_map=heatmaps.image_from_map[part])
