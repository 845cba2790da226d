"""Train the lifters that ship: on all motions, those that benches hold out included.

    python scripts/train_lifters.py frame
    python scripts/train_lifters.py time --start lifters/time.safetensors --steps 3000  # of benchmarks/lifting.py
    python scripts/train_lifters.py posekan --steps 8000

Takes ``frame``, ``time`` (which starts from the ``frame`` that ships) and any system that has
``train(model, config, steps, seed, split=..., ...)`` and a path ``WEIGHTS``. How good a lifter is,
benchmarks/lifting.py and the systems' benches say, whose trainings leave those motions out.
"""

from __future__ import annotations

import argparse
import inspect
import time
from pathlib import Path

import torch

from marrow.errors import InputError
from marrow.lift.networks import TimeLifter
from marrow.lift.shipped import SHIPPED, frame_network, time_network
from marrow.lift.shipped import WEIGHTS as SHIPPED_WEIGHTS
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
    if name in SHIPPED:
        network = frame_network() if name == "frame" else time_network()
        path = SHIPPED_WEIGHTS / f"{name}.safetensors"
        if start_from is not None:
            load_weights(network, start_from)
        if isinstance(network, TimeLifter):
            load_weights(network.single, SHIPPED_WEIGHTS / "frame.safetensors")
        train_shipped(name, network, ALL, steps, seed=seed)
    elif start_from is not None:
        raise InputError(f"--start is for {' and '.join(SHIPPED)}, not for {name}")
    else:
        network, path = of_system(name, steps, seed)
    path.parent.mkdir(exist_ok=True)
    save_weights(network, path, half=True)
    seconds = time.process_time() - start
    print(f"{name}: {path.name}, {path.stat().st_size:,} B, {seconds:.0f} s of processor time")


def of_system(name: str, steps: int | None, seed: int) -> tuple[torch.nn.Module, Path]:
    """The trained network of a system, and where its weights belong."""
    module = find(name).module
    if not hasattr(module, "WEIGHTS") or not hasattr(module, "train"):
        raise InputError(f"{name} ships no weights: its file has no WEIGHTS, or no train")
    if "split" not in inspect.signature(module.train).parameters:
        raise InputError(f"{name} is no lifter: its train takes no split")
    config = module.Config()
    model = module.build(config, seed)
    module.train(model, config, steps, seed, split=ALL, average=0.999)
    return model, module.WEIGHTS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="+", help="frame, time, or a system")
    parser.add_argument("--steps", type=int, help="of the optimiser (default: the system's own)")
    parser.add_argument("--start", type=Path, help="weights to start from; of frame or time")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.ids:
        ship(name, given.steps, given.seed, given.start)
