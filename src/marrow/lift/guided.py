"""Poses by a diffusion model that has seen no pictures, steered to where joints are seen in one.

After Snelgar et al. 2026, "Flexible geometric guidance for probabilistic human pose estimation with diffusion models"
(arXiv 2602.03126): samples of an unconditional model of 3-D poses, each step moved by the slope of the logarithm of a
detector's heat-maps at the projected joints. Where the root stands is integrated out in closed form at each step; now
and then hypotheses that do not agree with the picture give way to copies of those that do.
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
from marrow.data.lifting import FPS, JOINTS, People, views
from marrow.errors import InputError
from marrow.lift.agreement import agreement
from marrow.lift.evidence import Evidence, Heatmaps, as_normal, from_heatmaps, from_keypoints, shares
from marrow.lift.lifter import FRAMES_AT_ONCE, Lifted, Lifter, check_rate, read_keypoints
from marrow.lift.networks import Said
from marrow.lift.normalise import Given, from_network
from marrow.lift.reprojection import NEAREST, depth_of, root_at, seen_at
from marrow.lift.root import solve_root
from marrow.nn.diffusion import Denoiser, denoising_loss, measure_doubt, sample
from marrow.train.loop import train
from marrow.train.seeds import generator as generator_of
from marrow.types import Camera, Float32, Keypoints

#: Numbers of a pose: all joints but the root, from it, in statures; and roughly their standard deviation.
NUMBERS, SPREAD = 3 * (len(joint_names(JOINTS)) - 1), 0.17
#: Depth of a root in statures, times the angular size of the person: its usual value and the spread of its logarithm.
_FAR, _FAR_SPREAD = 0.504, 0.14
#: No joint is farther from the root, statures.
_REACH = 1.4
#: Poses by which a denoiser's doubt is measured, at most: no more than it has learnt from.
_MEASURED = 4096
#: Hypotheses that can be asked for.
MOST = 1000
#: Poses that are sampled at a time, so that memory stays bounded.
_CHUNK = 8192


@dataclass(frozen=True)
class Sampling:
    """How hypotheses are drawn.

    Attributes:
        steps: calls of the denoiser.
        largest, least: first and last standard deviation of the noise, statures.
        fresh: new noise in each step, as a multiple of an ancestral sampler's; more than 1 soon forgets what it began
            with, and with few steps keeps nearer to what is expected.
        rough: noise above which evidence moves all joints by their mean covariance, below by the denoiser's slope.
        settled: noise below which the root's depth, for telling peaks apart, follows the pose; above, that of the
            person's size in the picture.
        heed: power of the likelihood by which hypotheses are selected; less than 1, as that of an early step is rough.
        fewest: they are selected when fewer than this share of them count.
        sorted_out: noise above and below which they are not selected, statures.
        doubtful: windows are drawn again where even the best hypothesis has this energy for each number that is seen
            in the picture: all of them went the wrong way, such as upside down.
        again: at most so many times.
    """

    steps: int = 22
    largest: float = 0.8
    least: float = 0.005
    fresh: float = 1.3
    rough: float = 0.4
    settled: float = 0.2
    heed: float = 0.25
    fewest: float = 0.5
    sorted_out: tuple[float, float] = (0.6, 0.01)
    doubtful: float = 1.5
    again: int = 3


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
        generator = generator_of(seed, number)
        return poses(seen, first[torch.randint(len(first), (batch,), generator=generator)], generator)

    def loss(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        return denoising_loss(net, x, denoiser.spread)

    history = train(denoiser, make, loss, steps=steps, rate=rate, average=average, precision=precision, **told)
    generator = generator_of(seed, steps)
    rows = first[torch.randint(len(first), (min(_MEASURED, steps * batch),), generator=generator)]
    measure_doubt(denoiser, poses(seen, rows, generator), generator)
    return history


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
        (H, B, T, 17, 3) joints from the root, statures, axes of the turned camera; energy (H, B, T), see
        :func:`marrow.lift.agreement.agreement`, in the later half of the steps: low where
        picture and model agree.
    """
    how = sampling or Sampling()
    found, energy = _drawn(denoiser, evidence, count, generator, how)
    for _ in range(how.again):
        least = energy.amin(0).mean(-1)
        rows = torch.nonzero(least > how.doubtful * 2 * evidence.weight.shape[-2])[:, 0]
        if not len(rows):
            break
        part = Evidence(*(value[rows] for value in vars(evidence).values()))
        other, lower = _drawn(denoiser, part, count, generator, how)
        better = lower.amin(0).mean(-1) < least[rows]
        found[:, rows[better]], energy[:, rows[better]] = other[:, better], lower[:, better]
    return found, energy


def _drawn(
    denoiser: Denoiser, evidence: Evidence, count: int, generator: torch.Generator, how: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """:func:`hypotheses`, drawn once."""
    windows, frames = evidence.area.shape

    def draw() -> torch.Tensor:
        return torch.randn(count, windows, 1, NUMBERS, generator=generator).expand(-1, -1, frames, -1)

    guide = _Guide(denoiser, evidence, count, generator, how)
    x = sample(
        denoiser, draw, steps=how.steps, largest=how.largest, least=how.least, fresh=how.fresh, guide=guide.slope,
        rough=how.rough, reach=_REACH, select=guide.select,
    )  # fmt: skip
    return _joints(x), guide.energy()


def generated(
    denoiser: Denoiser, count: int, generator: torch.Generator, sampling: Sampling | None = None
) -> torch.Tensor:
    """(N, 17, 3) poses of nobody in particular, from the root, in statures, as cameras see them."""
    how = sampling or Sampling()

    def draw() -> torch.Tensor:
        return torch.randn(count, NUMBERS, generator=generator)

    x = sample(denoiser, draw, steps=how.steps, largest=how.largest, least=how.least, fresh=how.fresh)
    return _joints(x)


class _Guide:
    """What the evidence says of so many hypotheses, step after step."""

    def __init__(
        self, denoiser: Denoiser, evidence: Evidence, count: int, generator: torch.Generator, how: Sampling
    ) -> None:
        self.denoiser, self.evidence, self.generator, self.how = denoiser, evidence, generator, how
        windows = len(evidence.area)
        self.depth = _FAR / (evidence.area.sqrt() / 2)
        # of joints that are seen in one place for sure, the same share counts for all hypotheses
        self.sure = evidence.weight.shape[-1] == 1 and bool(((evidence.weight == 0) | (evidence.weight >= 1)).all())
        self.share = evidence.weight if self.sure else evidence.weight.expand(count, *evidence.weight.shape)
        self.sigma = math.inf
        self.counted = torch.zeros(count, windows)  # logarithms of the likelihoods at the last selection
        self.energies: list[torch.Tensor] = []

    def slope(self, x0: torch.Tensor, sigma: float) -> torch.Tensor:
        relative, covariance = _joints(x0), self.denoiser.covariance(sigma)
        if not self.sure:
            self.share = self._shares(relative, covariance, sigma)
        seen, precision = as_normal(self.evidence, self.share)
        slope, energy = agreement(relative, seen, precision, covariance, self.depth, _FAR_SPREAD * self.depth)
        self.energies.append(energy)
        self.sigma = sigma
        return slope

    def _shares(self, relative: torch.Tensor, covariance: torch.Tensor, sigma: float) -> torch.Tensor:
        """(H, B, T, J, M) how much each place explains where the joints are now believed."""
        at, precision = as_normal(self.evidence, self.share)
        weight = (precision > 0) * self.share.sum(-1)
        # early on the expected pose is a mean of many, which is smaller than each: its own depth would be too near
        trust = 1 / (1 + (sigma / self.how.settled) ** 2)
        root = root_at(relative, at, weight, depth_of(relative, at, weight) ** trust * self.depth ** (1 - trust))
        z = (root[..., None, 2] + relative[..., 2]).clamp(min=NEAREST)
        doubt = torch.nn.functional.pad(covariance.diagonal().unflatten(0, (-1, 3)).mean(-1), (1, 0))
        return shares(self.evidence, seen_at(relative, root), doubt / z.square())

    def select(self, rows: torch.Tensor) -> torch.Tensor:
        """Hypotheses to go on with: once they agree too unequally, each as often as it agrees (a particle filter)."""
        first, last = self.how.sorted_out
        if not last < self.sigma < first:
            return rows
        likely = -0.5 * self.how.heed * self.energies[-1].mean(-1)
        count = len(likely)
        share = torch.softmax((likely - self.counted).nan_to_num(-math.inf), 0)
        enough = 1 / share.square().sum(0) >= self.how.fewest * count
        at = (torch.arange(count)[:, None] + torch.rand(1, share.shape[1], generator=self.generator)) / count
        drawn = torch.searchsorted(share.cumsum(0).mT.contiguous(), at.mT.contiguous()).mT.clamp(max=count - 1)
        # copies side by side would make the first few hypotheses alike
        mixed = torch.rand(drawn.shape, generator=self.generator).argsort(0)
        kept = torch.where(enough, torch.arange(count)[:, None], drawn.gather(0, mixed))

        def keep(x: torch.Tensor) -> torch.Tensor:
            return x.gather(0, kept.view(*kept.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:]))

        self.counted = torch.where(enough, self.counted, keep(likely))
        self.energies = [keep(energy) for energy in self.energies]
        if not self.sure:
            self.share = keep(self.share)
        return keep(rows)

    def energy(self) -> torch.Tensor:
        """(H, B, T) of the later half of the steps: in the last ones alone even an impossible picture is nearly met."""
        return torch.stack(self.energies[len(self.energies) // 2 :]).mean(0)


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
    """(H, B, T) weights of the hypotheses; those of 1.4 times the lowest energy count a seventh of it."""
    least = energy.amin(0)
    return torch.softmax(-5 * (energy / least.clamp(min=1e-9) - 1), 0)


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
        fps: float = FPS,
        *,
        hypotheses: int = 20,
        heatmaps: Heatmaps | None = None,
    ) -> Lifted:
        """Lift one person's keypoints, as :class:`marrow.lift.lifter.Lifter` does.

        Args:
            fps: does not matter here: single frames are looked at.
            hypotheses: how many, at most :data:`MOST`; ``alternatives`` of the answer holds them, those of low energy
                first (of the whole sequence). Its other poses are one made of them by :attr:`choice`, its ``sd`` their
                spread. One alone has no spread: ``sd`` is then NaN, but for the pelvis, which is 0 as ever.
            heatmaps: of the same frames, which then count instead of the keypoints of the joints that they have.

        Raises:
            InputError: as there; a number of hypotheses that is not whole or out of range; heat-maps of another number
                of frames, or that are none.
        """
        if isinstance(hypotheses, bool) or hypotheses not in range(1, MOST + 1):
            raise InputError(f"hypotheses: expected a whole number of at least 1, at most {MOST}, got {hypotheses!r}")
        hypotheses = int(hypotheses)
        check_rate(fps)
        xy, confidence = read_keypoints(keypoints, joint_set)
        if heatmaps is not None:
            _check_maps(heatmaps, len(xy))
        told = np.concatenate([xy, confidence[..., None]], -1).astype(np.float32)
        size = min(max(_CHUNK // hypotheses, 1), FRAMES_AT_ONCE)
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
            # one hypothesis tells nothing of its error
            return Said(mean, spread.clamp(min=1e-3).log() if count > 1 else torch.full_like(spread, math.nan))

        # the spread is a distance, of which a coordinate has its third in variance
        one = Lifter(self.name, network, calibration=3**-0.5, completes=False)(told, JOINTS, camera, height)
        relative, energy = kept
        seen = np.isfinite(one.relative[:, 0, 0])
        pixels = np.where(told[..., 2:] > 0, told[..., :2], np.nan).astype(float)
        where = []
        for hypothesis in relative.numpy():
            # the lifter has refused to work without a camera
            root, _ = solve_root(cast(Camera, camera), pixels, told[..., 2].astype(float), hypothesis.astype(float))
            # where picture and pose do not fit each other at all, as the lifter says
            root = np.where(np.isfinite(root), root, one.root)
            where.append(np.where(seen[:, None, None], root[:, None] + hypothesis, np.nan))
        return dataclasses.replace(one, alternatives=np.stack(where).astype(np.float32)), energy


def _check_maps(heatmaps: Heatmaps, frames: int) -> None:
    if not isinstance(heatmaps, Heatmaps):
        raise InputError(
            f"heatmaps: expected a marrow.lift.evidence.Heatmaps, got {type(heatmaps).__name__}; write "
            "Heatmaps(joint_set, values, image_from_map)"
        )
    values = np.asarray(heatmaps.values)
    if len(values) != frames:
        raise InputError(f"heat-maps: expected those of {frames} frames, got {len(values)}")
    if not ((values >= 0) & (values <= 1)).all():  # NaN too
        raise InputError(
            f"heat-maps: expected values from 0 to 1, got {values.min():.3g} to {values.max():.3g}; write 0 for NaN, "
            "divide by the highest value that there can be, and clip: np.clip(values, 0, 1)"
        )
    if not values.any():
        raise InputError("heat-maps: all are zero everywhere; leave heatmaps= out where there are none")


def _frames(heatmaps: Heatmaps, part: slice) -> Heatmaps:
    return dataclasses.replace(heatmaps, values=heatmaps.values[part], image_from_map=heatmaps.image_from_map[part])
