"""The training loop learns, is the same for the same seed, and says what went wrong."""

from __future__ import annotations

import itertools

import pytest
import torch

from marrow.errors import InputError
from marrow.train.loop import shuffled, train


def line(seed: int) -> tuple[torch.nn.Module, list[float]]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    x = torch.randn(64, 2)
    y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    rows = shuffled(64, 16, seed)
    history = train(
        model, (next(rows) for _ in itertools.count()), lambda m, r: (m(x[r]) - y[r]).square().mean(), steps=300,
        rate=0.05, weight_decay=0.0, warm=10,
    )  # fmt: skip
    return model, history


def test_it_finds_a_line_and_leaves_the_model_ready():
    model, history = line(0)
    assert history[-1] < 1e-3 < history[0]
    assert len(history) == 300
    assert not model.training


def test_one_seed_gives_one_training():
    assert line(3)[1] == line(3)[1]
    assert line(3)[1] != line(4)[1]


def test_each_row_comes_once_before_any_comes_again():
    rows = shuffled(10, 4, 1)
    seen = torch.cat([next(rows) for _ in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()


def test_what_goes_wrong_is_told():
    model = torch.nn.Linear(1, 1)
    with pytest.raises(InputError, match="ran out after 2 of 5"):
        train(model, iter([1, 2]), lambda m, b: m(torch.ones(1)).sum(), steps=5)
    with pytest.raises(InputError, match="smaller rate"):
        train(model, itertools.repeat(0), lambda m, b: m(torch.ones(1)).sum() * float("nan"), steps=5)
