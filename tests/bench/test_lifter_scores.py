"""Lifters side by side: errors that are known beforehand come out as they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from marrow.bench.lifter_scores import Scores, of_equal_size, parameters, trained
from marrow.bench.lifting import HeldOut, without_joints
from marrow.errors import InputError


def some(count: int, clips: int) -> HeldOut:
    xyz = torch.randn(count, 1, 17, 3, generator=torch.Generator().manual_seed(count)) + torch.tensor([0, 0, 5.0])
    names = np.array([f"clip {k % clips}" for k in range(count)])
    return HeldOut(xyz[..., :2] / xyz[..., 2:], torch.ones(count, 1, 17), xyz, torch.full((count,), 1.7), names)


def off_by(metres: float):
    class Off(torch.nn.Module):
        by = metres

    return Off()


def say(network: torch.nn.Module, data: HeldOut) -> torch.Tensor:
    moved = data.relative.clone()
    moved[..., 1:, 0] += network.by  # type: ignore[operator]
    return moved


@pytest.fixture
def scores() -> Scores:
    own = Scores({(c, s): some(6, 3) for c in ("easy", "hard") for s in "AB"})
    own.add("good", [off_by(0.01), off_by(0.03)], say)
    own.add("bad", [off_by(0.05), off_by(0.05)], say)
    return own


def test_means_and_the_spread_of_seeds(scores):
    row = scores.table()["easy"]["good"]
    share = row["A"] / 20.0  # of the joints that count, as the root lies right
    assert 0.9 < share <= 1.0 + 1e-6
    assert row["sd over seeds"] == pytest.approx(share * np.std([10, 30], ddof=1), abs=0.02)
    assert scores.table()["hard"]["bad"]["sd over seeds"] == 0


def test_differences_are_paired(scores):
    found = scores.against("good", "bad", ("easy", "hard"), (0, 1))
    assert found["verdict"] == "better"
    assert found["n"] == 3
    assert found["difference of each seed"] == pytest.approx([-40.0, -20.0], rel=0.1)
    paired = scores.paired("good", "bad", ("easy",), (0, 1))
    assert len(paired.with_) == len(paired.clusters) == 24  # type: ignore[arg-type]


def test_missing_joints_are_as_many_as_told():
    data = without_joints(some(20, 2), 4)
    assert ((data.confidence == 0).sum(-1) == 4).all()
    assert (data.xy[data.confidence == 0] == 0).all()


def test_training_is_timed_by_seed():
    seen = []
    networks, seconds = trained(off_by, lambda network, seed: seen.append((network.by, seed)), (0, 2))
    assert seen == [(0, 0), (2, 2)]
    assert len(networks) == 2
    assert seconds >= 0


@pytest.mark.parametrize("width", [1, 2, 37, 400])
def test_a_network_of_equal_size(width):
    other = torch.nn.Linear(3, width)
    assert of_equal_size(lambda wide: torch.nn.Linear(3, wide), other) == width
    small = torch.nn.Linear(7, 5)
    near = of_equal_size(lambda wide: torch.nn.Linear(wide, wide), small)
    assert parameters(small) == 40
    assert near == 6  # 42; 5 has 30
    with pytest.raises(InputError, match="a width of more than 3"):
        of_equal_size(lambda wide: torch.nn.Linear(wide, wide), small, widest=3)
