"""Held-out poses with some of the keypoints far off, with a coarse depth of the person and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from marrow.bench.lifting import SEED, HeldOut, held_out
from marrow.data.front_depth import hidden
from marrow.lift.anchor_training import noisy_cue, shifted
from marrow.lift.normalise import from_network

#: Shifts of 30 % of the keypoints, per cent of the box; the errors of all are 1 %.
SHIFTS, SHARE = (0, 10, 20, 30), 0.3


@dataclass(frozen=True)
class CuedHeldOut(HeldOut):
    """Held-out windows with what is told of depth.

    Attributes:
        cue: (N, T, 17) as :func:`marrow.lift.anchor_lifter.depth_cue` gives it, or None.
    """

    cue: torch.Tensor | None = None


def corrupted_sets(count: int) -> dict[tuple[str, str], HeldOut]:
    """Of ``"10 %, depth"``, ``"10 %, no depth"`` and so on, and split, the windows."""
    sets: dict[tuple[str, str], HeldOut] = {}
    for shift in SHIFTS:
        for split in "AB":
            plain = held_out(split, "1 %", count=count)
            generator = torch.Generator().manual_seed(SEED + 3)
            xy = shifted(plain.xy, SHARE, shift / 100, generator)
            moved = dataclasses.replace(plain, xy=xy)
            cue = noisy_cue(plain.xyz, xy, plain.stature, moved.given(), generator)
            for name, told in (("depth", cue), ("no depth", None)):
                sets[f"{shift} %, {name}", split] = CuedHeldOut(**vars(moved), cue=told)
    return sets


def said_with_cue(network: Any, data: HeldOut, chunk: int = 250) -> torch.Tensor:
    """(N, T, 17, 3) metres from the pelvis, as a network says that reads depth cues."""
    given, cue = data.given(), data.cue if isinstance(data, CuedHeldOut) else None
    out = []
    with torch.no_grad():
        for start in range(0, len(data.xy), chunk):
            rows = slice(start, start + chunk)
            part = type(given)(*(value[rows] for value in vars(given).values()))
            voted = network(part, None if cue is None else cue[rows])
            out.append(from_network(part, voted.said.mean.float()))
    return torch.cat(out)


def by_visibility(
    networks: Sequence[torch.nn.Module], sets: Mapping[tuple[str, str], HeldOut]
) -> dict[str, dict[str, float]]:
    """Of each condition the mean error, millimetres, of joints that the body hides, and of the others."""
    found: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for (condition, _), data in sets.items():
        gone = hidden(data.xyz, data.stature)[..., 1:]
        for network in networks:
            error = 1000 * torch.linalg.vector_norm(said_with_cue(network, data) - data.relative, dim=-1)[..., 1:]
            found.setdefault(condition, []).append((error[gone], error[~gone]))
    return {
        condition: {
            name: round(float(torch.cat(parts).mean()), 1)
            for name, parts in zip(("hidden", "seen"), zip(*pairs, strict=True), strict=True)
        }
        for condition, pairs in found.items()
    }
