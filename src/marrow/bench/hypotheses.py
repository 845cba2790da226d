"""Many poses for one picture on held-out poses: how near the best of m comes, and one chosen without the truth."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from marrow.bench.lifting import HeldOut, errors, said_by
from marrow.conventions import SWAP, joint_names
from marrow.data.lifting import JOINTS, people
from marrow.lift.evidence import Evidence, from_keypoints
from marrow.lift.guided import CHOICES, Sampling, chosen, generated, hypotheses
from marrow.lift.networks import FrameLifter
from marrow.lift.normalise import from_network
from marrow.lift.training import Recipe, train_lifter
from marrow.nn.diffusion import Denoiser

#: Share of the pairs of limbs that heat-maps show in two places, and how wide their peaks are, in ``given.xy``.
WRONG, PEAK_SD = 0.5, 0.02
#: What is told of keypoints without errors: their standard deviation, in ``given.xy``.
EXACT_SD = 0.003
#: Limbs, each by its right side's joints.
_LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


@dataclass(frozen=True)
class Drawn:
    """H hypotheses of N poses.

    Attributes:
        relative: (H, N, 17, 3) metres from the pelvis, in the camera.
        energy: (H, N), see :func:`marrow.lift.guided.hypotheses`.
        truth: (N, 17, 3) likewise.
        joints: (N, 17) bool: those that count.
    """

    relative: torch.Tensor
    energy: torch.Tensor
    truth: torch.Tensor
    joints: torch.Tensor

    def errors(self, relative: torch.Tensor) -> NDArray[np.float64]:
        """(..., N) mean distance of the joints that count, millimetres."""
        off = torch.linalg.vector_norm(relative - self.truth, dim=-1) * self.joints
        return (1000 * off.sum(-1) / self.joints.sum(-1)).double().numpy()

    def best(self, m: int) -> NDArray[np.float64]:
        """(N,) error of the best of the first m: chosen by an oracle."""
        return self.errors(self.relative[:m]).min(0)

    def chosen(self, choice: str) -> NDArray[np.float64]:
        """(N,) error of one pose, chosen without the truth (:data:`marrow.lift.guided.CHOICES`)."""
        return self.errors(chosen(self.relative, self.energy, choice))


def drawn(
    denoiser: Denoiser,
    data: HeldOut,
    evidence: Evidence,
    count: int,
    seed: int,
    *,
    sampling: Sampling | None = None,
    joints: torch.Tensor | None = None,
) -> Drawn:
    """Hypotheses of the single frames of held-out poses, whose height is told and whose root is estimated."""
    generator = torch.Generator().manual_seed(seed)
    relative, energy = hypotheses(denoiser, evidence, count, generator, sampling)
    metres = from_network(data.given(), relative)[:, :, 0]
    truth = data.relative[:, 0]
    every = torch.ones(truth.shape[:-1], dtype=torch.bool) if joints is None else joints
    return Drawn(metres, energy[..., 0], truth, every)


def ambiguous(data: HeldOut, seed: int) -> Evidence:
    """Heat-maps with two peaks: the true one, and for :data:`WRONG` of the pairs of limbs the other side's; the wrong
    peak is the higher one in half of these."""
    given = data.given()
    own = from_keypoints(given, PEAK_SD)
    generator = torch.Generator().manual_seed(seed + 100)
    names, swap = joint_names(JOINTS), torch.tensor(SWAP[JOINTS].copy())
    wrong = torch.zeros(given.confidence.shape)
    for limb in _LIMBS:
        shown = torch.rand(wrong.shape[:2], generator=generator) < WRONG
        weight = shown * (0.3 + 0.4 * torch.rand(wrong.shape[:2], generator=generator))
        for side in ("right", "left"):
            for joint in limb:
                wrong[..., names.index(f"{side}_{joint}")] = weight
    place = torch.cat([own.place, own.place[..., swap, :, :]], -2)
    weight = 0.98 * torch.stack([1 - wrong, wrong], -1)
    return Evidence(place, weight, own.variance.expand_as(weight), own.area)


def highest(evidence: Evidence) -> Evidence:
    """The highest peak of each heat-map alone, as confident as it is high: what a detector gives as a keypoint."""
    top = evidence.weight.argmax(-1, keepdim=True)
    place = evidence.place.gather(-2, top[..., None].expand(*top.shape, 2))
    return Evidence(place, evidence.weight.gather(-1, top), evidence.variance.gather(-1, top), evidence.area)


def best_and_chosen(runs: Sequence[Drawn], m: int) -> dict[str, float]:
    """Mean errors, millimetres: best of 1, 5 and m (an oracle's choice), and poses chosen without the truth."""
    out = {f"best of {k}, oracle": float(np.mean([run.best(k) for run in runs])) for k in (1, 5, m)}
    out |= {f"{choice} of {m}": float(np.mean([run.chosen(choice) for run in runs])) for choice in CHOICES}
    return {name: round(value, 1) for name, value in out.items()}


def facts(
    denoisers: Sequence[Denoiser],
    regression: torch.nn.Module | None,
    sets: Mapping[str, HeldOut],
    m: int,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Further figures of denoisers, MPJPE in millimetres unless their names say otherwise. They are told that keypoints
    are exact (:data:`EXACT_SD`), which a lifter of pairs is not.

    Args:
        denoisers: trained on poses, one for each seed.
        regression: a lifter that was trained for as long on pairs, if there is one.
        sets: of each name, held-out poses.
        m: hypotheses.
        seeds: of their noise.
    """
    out: dict[str, Any] = {}
    for name, data in sets.items():
        own = from_keypoints(data.given(), EXACT_SD)
        rows = best_and_chosen([drawn(net, data, own, m, seed) for net, seed in zip(denoisers, seeds, strict=True)], m)
        if regression is not None:
            rows["plain lifter of pairs"] = round(float(errors(said_by(regression, data), data).mean()), 1)
        out[name] = rows
        hidden, gone = _hidden(data)
        told = from_keypoints(hidden, EXACT_SD)
        runs = [drawn(net, data, told, m, seed, joints=gone) for net, seed in zip(denoisers, seeds, strict=True)]
        rows = best_and_chosen(runs, m)
        if regression is not None:
            with torch.no_grad():
                said = from_network(hidden, regression(hidden).mean)[:, 0]
            rows["plain lifter of pairs"] = round(float(runs[0].errors(said).mean()), 1)
        out[f"{name}, one limb hidden, its joints"] = rows
    free = generated(denoisers[0], 500, torch.Generator().manual_seed(0))
    out["sides of generated poses differ in length, % of the bone"] = round(_uneven(free), 1)
    out["processor ms for 20 hypotheses of one pose"] = round(
        1000 * _seconds(denoisers[0], next(iter(sets.values()))), 1
    )
    return out


def regression(bodies: int, steps: int, batch: int) -> torch.nn.Module:
    """A plain lifter of single frames that learns from as many pairs as a denoiser does from poses."""
    torch.manual_seed(0)
    network = FrameLifter(384, 2)
    seen = people("train", bodies, mixed=True)
    train_lifter(network, seen, steps, Recipe(batch=batch), rate=2e-3, average=0.999)
    return network.eval()


def _hidden(data: HeldOut) -> tuple[Any, torch.Tensor]:
    """The same keypoints without one limb, another one in each pose, and which joints these are (N, 17)."""
    names = joint_names(JOINTS)
    limbs = [[names.index(f"{side}_{joint}") for joint in limb] for limb in _LIMBS for side in ("right", "left")]
    gone = torch.zeros(len(data.xy), len(names), dtype=torch.bool)
    for k, limb in enumerate(limbs):
        gone[k :: len(limbs), limb[1:]] = True  # the limb's root stays
    confidence = data.confidence * ~gone[:, None]
    return dataclasses.replace(data, confidence=confidence).given(), gone


def _uneven(poses: torch.Tensor) -> float:
    names = joint_names(JOINTS)

    def lengths(side: str) -> torch.Tensor:
        at = [[names.index(f"{side}_{joint}") for joint in limb] for limb in _LIMBS]
        pairs = [pair for limb in at for pair in itertools.pairwise(limb)]
        return torch.stack([torch.linalg.vector_norm(poses[:, a] - poses[:, b], dim=-1) for a, b in pairs], -1)

    right, left = lengths("right"), lengths("left")
    return float(100 * ((right - left).abs() / ((right + left) / 2)).mean())


def _seconds(denoiser: Denoiser, data: HeldOut) -> float:
    """Processor time of 20 hypotheses of one pose, the least of several tries."""
    first = HeldOut(data.xy[:1], data.confidence[:1], data.xyz[:1], data.stature[:1], data.clip[:1])
    evidence, took = from_keypoints(first.given(), EXACT_SD), []
    for _ in range(5):
        start = time.process_time()
        drawn(denoiser, first, evidence, 20, 0)
        took.append(time.process_time() - start)
    return min(took)


__all__ = ["EXACT_SD", "PEAK_SD", "WRONG", "Drawn", "ambiguous", "best_and_chosen", "drawn", "facts", "highest"]
