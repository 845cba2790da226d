"""Files of weights: what is no such file, and what is in it, is told before a network answers with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from marrow.errors import InputError
from marrow.train.loop import train
from marrow.train.weights import load_weights, save_weights


def checkpoint(path: Path) -> None:
    x = torch.ones(2, 3)
    train(torch.nn.Linear(3, 1), lambda number: x, lambda net, batch: net(batch).square().mean(), steps=2, keep=path)


def broken(value: float) -> torch.nn.Module:
    net = torch.nn.Linear(3, 1)
    net.weight.data[0, 1] = value
    return net


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "w: there is no such file"),
        (lambda path: path.mkdir(), "w: that is a folder"),
        (lambda path: path.write_bytes(b"torn"), "w: no weights of this model"),
        (lambda path: save_weights(torch.nn.Linear(4, 1), path), "w: no weights of this model: weight has the shape"),
        (checkpoint, "w: this is the checkpoint of a training, not weights"),
        (lambda path: save_weights(broken(torch.nan), path), "w: damaged weights: weight has NaN"),
        (lambda path: save_weights(broken(1e6), path, half=True), "w: damaged weights: weight has NaN or infinite"),
    ],
)
def test_what_is_no_file_of_weights(tmp_path, make, told):
    path = tmp_path / "w"
    make(path)
    model = torch.nn.Linear(3, 1)
    before = model.weight.clone()
    with pytest.raises(InputError, match=told):
        load_weights(model, path)
    assert torch.equal(model.weight, before)
