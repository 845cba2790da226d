"""Several lifters, each trained from several seeds, on the same held-out poses under several conditions."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from marrow.bench.lifting import HeldOut, errors, said_by
from marrow.bench.runner import compare
from marrow.bench.system import Paired
from marrow.errors import InputError

Network = TypeVar("Network", bound=torch.nn.Module)
#: Of a network and held-out poses the joints (N, T, 17, 3), metres from the pelvis.
Say = Callable[[torch.nn.Module, HeldOut], torch.Tensor]


class Scores:
    """Errors in millimetres of lifters by name, condition and seed.

    Args:
        sets: of condition and split (such as ``"3 %", "A"``) the poses; each condition has the same splits, with poses
            in the same order.
    """

    def __init__(self, sets: Mapping[tuple[str, str], HeldOut]) -> None:
        self.sets = dict(sets)
        self.conditions = tuple(dict.fromkeys(condition for condition, _ in self.sets))
        self.splits = tuple(dict.fromkeys(split for _, split in self.sets))
        #: Of name, condition and split the errors (seeds, N).
        self.found: dict[tuple[str, str, str], list[NDArray[np.float64]]] = {}

    def add(self, name: str, networks: Sequence[torch.nn.Module], say: Say = said_by) -> None:
        """Measure one lifter, a network for each seed."""
        for (condition, split), data in self.sets.items():
            runs = [errors(say(network.eval(), data), data) for network in networks]
            self.found[name, condition, split] = runs

    def paired(self, one: str, other: str, conditions: Sequence[str], seeds: Sequence[int]) -> Paired:
        """Both on all splits, seeds and the conditions; the independent unit is the motion."""
        parts = [(c, s, k) for c in conditions for s in self.splits for k in range(len(seeds))]
        values = [np.concatenate([self.found[name, c, s][k] for c, s, k in parts]) for name in (one, other)]
        clips = np.concatenate([self.sets[c, s].clip for c, s, _ in parts])
        return Paired(*values, clusters=clips, seeds=tuple(seeds), data="")

    def against(self, one: str, other: str, conditions: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
        """The paired difference of both, for details, and that of each seed."""
        facts = compare(self.paired(one, other, conditions, seeds))
        means = {name: self._of_seeds(name, conditions) for name in (one, other)}
        each = [round(float(d), 2) for d in means[one] - means[other]]
        rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in facts.items()}
        return rounded | {"ci95": [round(v, 2) for v in facts["ci95"]], "difference of each seed": each}

    def table(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Of each condition and lifter the mean of each split, and the standard deviation over the seeds of both."""
        names = tuple(dict.fromkeys(name for name, _, _ in self.found))
        out: dict[str, dict[str, dict[str, Any]]] = {}
        for condition in self.conditions:
            for name in names:
                row: dict[str, Any] = {
                    split: round(float(np.mean(self.found[name, condition, split])), 1) for split in self.splits
                }
                runs = self._of_seeds(name, (condition,))
                row["sd over seeds"] = round(float(runs.std(ddof=1)), 2) if len(runs) > 1 else None
                out.setdefault(condition, {})[name] = row
        return out

    def _of_seeds(self, name: str, conditions: Sequence[str]) -> NDArray[np.float64]:
        runs = [np.concatenate(part) for c in conditions for part in zip(*self._splits(name, c), strict=True)]
        return np.array([run.mean() for run in runs]).reshape(len(conditions), -1).mean(0)

    def _splits(self, name: str, condition: str) -> list[list[NDArray[np.float64]]]:
        return [self.found[name, condition, split] for split in self.splits]


def parameters(network: torch.nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def of_equal_size(make: Callable[[int], torch.nn.Module], other: torch.nn.Module, widest: int = 1024) -> int:
    """The width that gives a network as many parameters as another has, as nearly as can be.

    Raises:
        InputError: ``widest`` has too few.
    """
    wanted = parameters(other)
    if parameters(make(widest)) < wanted:
        raise InputError(f"a network of {wanted:,} parameters needs a width of more than {widest}")
    reached = bisect_left(range(1, widest), wanted, key=lambda width: parameters(make(width))) + 1
    return min((max(reached - 1, 1), reached), key=lambda width: abs(parameters(make(width)) - wanted))


def trained(
    make: Callable[[int], Network], train: Callable[[Network, int], Any], seeds: Sequence[int]
) -> tuple[list[Network], float]:
    """A network of each seed, and the processor time that one training took, seconds (wall time would be that of
    whatever else runs)."""
    networks, start = [make(seed) for seed in seeds], time.process_time()
    for network, seed in zip(networks, seeds, strict=True):
        train(network, seed)
    return networks, round((time.process_time() - start) / len(seeds), 1)
