"""A small training with chance in batches, network and start; also run as a process of its own, to be killed.

python toy_training.py FOLDER STEPS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch

from marrow.train.loop import shuffled, train
from marrow.train.seeds import generator

ROWS, SIZE = 60, 8


def network(seed: int = 0, width: int = 6) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, width), torch.nn.Dropout(0.2), torch.nn.Linear(width, 1))


def trained(model: torch.nn.Module, steps: int = 30, slow: float = 0.0, **options: Any) -> list[float]:
    """Learn a noisy sum of three numbers."""
    x = torch.randn(ROWS, 3, generator=generator(5))
    rows = shuffled(ROWS, SIZE, 1)

    def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        time.sleep(slow)
        own = x[rows(number)]
        return own + 0.1 * torch.randn(own.shape, generator=generator(2, number)), own.sum(1, keepdim=True)

    def loss(net: torch.nn.Module, given: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (net(given[0]) - given[1]).square().mean()

    return train(model, batch, loss, steps=steps, **{"rate": 0.03, "warm": 5, "average": 0.9, **options})


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    trained(
        network(), steps, slow=0.005, keep=folder / "kept.safetensors", every=3, resume=True, log=folder / "log.jsonl"
    )
