"""Chance that is a function of numbers: the same numbers give the same draws, in whatever order they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def mixed(*numbers: int) -> int:
    """One seed of several numbers from 0, such as a seed and the number of a batch."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*numbers: int) -> torch.Generator:
    """A generator of torch for so many numbers: ``generator(seed, number)`` for the chance in a batch."""
    return torch.Generator().manual_seed(mixed(*numbers))


@contextmanager
def chance_apart() -> Iterator[None]:
    """What is drawn inside, such as the first weights of a network, leaves torch's own chance outside as it was."""
    with torch.random.fork_rng(devices=[]):
        yield


def set_seed(seed: int) -> None:
    """Set torch's own chance, from which networks take their first weights."""
    torch.manual_seed(seed)
