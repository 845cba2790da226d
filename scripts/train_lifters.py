"""Train the lifters of systems that ship: on all motions, those that benches hold out included.

    python scripts/train_lifters.py posekan pandapose
    python scripts/train_lifters.py posekan --steps 8000

Takes any system that has ``train(model, config, steps, seed, split=..., ...)`` and a path ``WEIGHTS``; how good a
lifter is, its bench says, whose training leaves those motions out.
"""

from __future__ import annotations

import argparse
import time

from marrow.errors import InputError
from marrow.systems import find
from marrow.train.weights import save_weights


def ship(name: str, steps: int | None, seed: int) -> None:
    """Train one and write its weights in 16 bits."""
    module = find(name).module
    if not hasattr(module, "WEIGHTS") or not hasattr(module, "train"):
        raise InputError(f"{name} ships no weights: its file has no WEIGHTS, or no train")
    config, start = module.Config(), time.process_time()
    model = module.build(config, seed)
    module.train(model, config, steps, seed, split="train+A+B", average=0.999)
    module.WEIGHTS.parent.mkdir(exist_ok=True)
    save_weights(model, module.WEIGHTS, half=True)
    size = module.WEIGHTS.stat().st_size
    print(f"{name}: {module.WEIGHTS.name}, {size:,} B, {time.process_time() - start:.0f} s of processor time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="+")
    parser.add_argument("--steps", type=int, help="of the optimiser (default: the system's own)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.ids:
        ship(name, given.steps, given.seed)
