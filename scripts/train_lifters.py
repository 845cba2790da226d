"""Train the lifters that ship: on all motions, those that benches hold out included.

    python scripts/train_lifters.py frame
    python scripts/train_lifters.py time --start lifters/time.safetensors --steps 3000  # of benchmarks/lifting.py
    python scripts/train_lifters.py posekan --steps 8000

Takes ``frame``, ``time`` (which starts from the ``frame`` that ships) and any system that has ``lifter`` and
``train(model, config, steps, seed, split=..., ...)``. How good a lifter is, benchmarks/lifting.py and the systems'
benches say, whose trainings leave those motions out.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import torch

from marrow.errors import InputError
from marrow.lift.networks import TimeLifter
from marrow.lift.shipped import NETWORKS, path_of
from marrow.lift.training import train_shipped
from marrow.systems import find
from marrow.train.weights import load_weights, save_weights

#: The motions of the shipped pack: all of them.
ALL = "train+A+B"


def ship(name: str, steps: int | None, seed: int, start_from: Path | None) -> None:
    """Train one, from weights if they are given, and write its weights in 16 bits."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    start = time.process_time()
    path = ship_plain(name, steps, seed, start_from) if name in NETWORKS else ship_system(name, steps, seed, start_from)
    seconds = time.process_time() - start
    print(f"{name}: {path.name}, {path.stat().st_size:,} B, {seconds:.0f} s of processor time")


def ship_plain(name: str, steps: int | None, seed: int, start_from: Path | None) -> Path:
    """``frame`` or ``time``."""
    network = NETWORKS[name]()
    if start_from is not None:
        load_weights(network, start_from, name)
    if isinstance(network, TimeLifter):
        load_weights(network.single, path_of("frame"))
    train_shipped(name, network, ALL, steps, seed=seed)
    save_weights(network, path_of(name), half=True, header={"owner": name})
    return path_of(name)


def ship_system(name: str, steps: int | None, seed: int, start_from: Path | None) -> Path:
    """A system for lifting."""
    entry = find(name)
    if not (entry.learns and hasattr(entry.module, "lifter")):
        raise InputError(f"{name} is no lifter that learns: its file has no train, or no lifter")
    config = entry.module.Config()
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    model = entry.module.build(config, seed) if start_from is None else entry.load(start_from, config)
    entry.module.train(model, config, seed=seed, split=ALL, average=0.999)
    entry.weights.parent.mkdir(exist_ok=True)
    entry.save(model, entry.weights, config, half=True)
    return entry.weights


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="+", help="frame, time, or a system")
    parser.add_argument("--steps", type=int, help="of the optimiser (default: the system's own)")
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.ids:
        ship(name, given.steps, given.seed, given.start)
