"""The training loop learns, goes on where it was killed, shares work between processes, and says what went wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy_training import network, trained, weights

from marrow.errors import InputError, OutputError
from marrow.train.loop import shuffled, train


def line(seed: int) -> tuple[torch.nn.Module, list[float]]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(2, 1)
    x = torch.randn(64, 2)
    y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5
    history = train(
        model, shuffled(64, 16, seed), lambda m, r: (m(x[r]) - y[r]).square().mean(), steps=300, rate=0.05,
        weight_decay=0.0, warm=10,
    )  # fmt: skip
    return model, history


def test_it_finds_a_line_and_leaves_the_model_ready() -> None:
    model, history = line(0)
    assert history[-1] < 1e-3 < history[0]
    assert len(history) == 300
    assert not model.training


def test_one_seed_gives_one_training() -> None:
    assert line(3)[1] == line(3)[1]
    assert line(3)[1] != line(4)[1]


def test_each_row_comes_once_in_a_pass_and_a_batch_knows_nothing_of_the_others() -> None:
    rows = shuffled(10, 4, 1)
    seen = torch.cat([rows(number) for number in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()
    again = shuffled(10, 4, 1)
    for number in (4, 0, 2):
        assert torch.equal(again(number), seen[4 * number : 4 * number + 4])
    assert sorted(shuffled(3, 7, 0)(0)[:6].tolist()) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(InputError, match="at least one row"):
        shuffled(0, 4, 1)


def test_the_model_holds_the_average_of_its_weights_at_the_end() -> None:
    seen: list[float] = []

    def loss(model: torch.nn.Module, _: int) -> torch.Tensor:
        seen.append(model.weight.item())
        return (model.weight - 3).square().sum()

    last, model = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))
    with torch.no_grad():
        last.weight.zero_()
        model.weight.zero_()
    train(last, lambda n: n, loss, steps=20, rate=0.1, warm=1)
    after, expected = [*seen[1:], last.weight.item()], 0.0
    for step, value in enumerate(after):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    train(model, lambda n: n, loss, steps=20, rate=0.1, warm=1, average=0.5)
    assert model.weight.item() == pytest.approx(expected, rel=1e-5)
    assert abs(expected - after[-1]) > 1e-3


def test_batches_of_a_step_are_averaged() -> None:
    """Two halves with accumulation are the whole batch."""
    x = torch.randn(40, 3)
    found = []
    for size, accumulate in ((8, 1), (4, 2)):
        model = network(1)
        model[1].p = 0.0
        batch = lambda n, size=size: x[(n * size + torch.arange(size)) % 40]  # noqa: E731
        train(model, batch, lambda m, b: (m(b) - b[:, :1]).square().mean(), steps=10, accumulate=accumulate)
        found.append(weights(model))
    torch.testing.assert_close(*found)


def test_half_precision_learns_and_its_loss_is_whole() -> None:
    kinds = set()

    @dataclasses.dataclass(frozen=True)
    class Said:
        value: torch.Tensor

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> Said:
            out = self.one(x)
            kinds.add(out.dtype)
            return Said(out)

    def loss(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        said = net(x).value
        kinds.add(("loss", said.dtype, (x.T @ x).dtype))
        return (said - x.sum(1, keepdim=True)).square().mean()

    torch.manual_seed(0)
    model, x = Net(), torch.randn(32, 3)
    history = train(model, lambda n: x, loss, steps=60, rate=0.1, warm=1, precision="bf16")
    assert history[-1] < 0.05 * history[0]
    assert kinds == {torch.bfloat16, ("loss", torch.float32, torch.float32)}
    model(x)
    assert torch.float32 in kinds, "afterwards the model is as it was"


# ---------------------------------------------------------------------------------------------------------------------
# Stopping and going on
# ---------------------------------------------------------------------------------------------------------------------


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """SIGKILL at several moments of real processes; then one goes on to the end, bitwise as if nothing had been."""
    torch.set_num_threads(1)
    whole = network()
    history = trained(whole, 60)
    kept, log = tmp_path / "kept.safetensors", tmp_path / "log.jsonl"
    command = [sys.executable, str(Path(__file__).with_name("toy_training.py")), str(tmp_path), "60"]
    for _ in range(2):
        before = kept.stat().st_mtime_ns if kept.exists() else 0
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        while (not kept.exists() or kept.stat().st_mtime_ns == before) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.04)  # in the middle of something
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    with open(log, "a", encoding="utf-8") as file:
        file.write('{"step": 4, "lo')  # as a kill may leave it
    kept.with_name(".kept.0123abcd.part.safetensors").write_bytes(b"half")
    again = network(seed=7)  # what it begins with matters no more
    assert trained(again, 60, keep=kept, every=3, resume=True, log=log) == history
    assert torch.equal(weights(again), weights(whole))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.safetensors", "log.jsonl"]
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    assert [one["step"] for one in lines] == list(range(1, 61))
    assert [one["loss"] for one in lines] == history
    assert lines[-1]["samples"] == 60 * 8
    assert all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(lines))
    assert lines[5]["rate"] > lines[-1]["rate"] > 0


def test_a_finished_training_is_read_and_not_repeated(tmp_path: Path) -> None:
    kept = tmp_path / "kept.safetensors"
    first, second = network(), network(3)
    history = trained(first, 10, keep=kept)
    told: list[int] = []
    assert trained(second, 10, keep=kept, resume=True, progress=lambda *word: told.append(word[1])) == history
    assert torch.equal(weights(first), weights(second))
    assert told == []


def test_chance_outside_is_left_alone() -> None:
    torch.manual_seed(0)
    torch.randint(2**31, ())
    expected = torch.rand(1)
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        model.weight.fill_(1)
        model.bias.fill_(0)
    train(model, lambda n: torch.rand(1), lambda m, b: m(b).square().sum(), steps=3)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rate": 0.01}, "rate 0.03, this one 0.01"),
        ({"steps": 20}, "steps 10, this one 20"),
        ({"accumulate": 2}, "batches a step 1, this one 2"),
        ({"about": "other data"}, "about '', this one 'other data'"),
        ({"average": 0.0}, "average"),
        ({"width": 7}, "another model"),
    ],
)
def test_another_training_is_not_gone_on_with(tmp_path: Path, change: dict, text: str) -> None:
    kept = tmp_path / "kept.safetensors"
    trained(network(), 10, keep=kept)
    data = kept.read_bytes()
    model = network(1, change.pop("width", 6))
    before = weights(model).clone()
    with pytest.raises(InputError, match=text):
        trained(model, **{"steps": 10, "keep": kept, "resume": True, **change})
    assert torch.equal(weights(model), before)
    assert kept.read_bytes() == data


def test_damaged_checkpoints_are_told(tmp_path: Path) -> None:
    kept = tmp_path / "kept.safetensors"
    trained(network(), 10, keep=kept)
    data = kept.read_bytes()
    for broken in (data[:100], data[:-50], b"", b"\xff" * 300, data[:20] + b"??" + data[22:]):
        kept.write_bytes(broken)
        with pytest.raises(InputError, match=r"kept\.safetensors"):
            trained(network(), 10, keep=kept, resume=True)
        assert kept.read_bytes() == broken
    from marrow.train.weights import save_weights

    save_weights(network(), kept)
    with pytest.raises(InputError, match="no checkpoint of a training"):
        trained(network(), 10, keep=kept, resume=True)


def test_a_full_disk_tears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.safetensors"
    trained(network(), 10, keep=kept, every=4)
    data = kept.read_bytes()
    real, calls = os.replace, []

    def full(*words: object) -> None:
        calls.append(words)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", full)
    other = tmp_path / "other.safetensors"
    with pytest.raises(OutputError, match=r"other\.safetensors: the disk is full"):
        trained(network(), 10, keep=other, every=4)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.safetensors", "other.safetensors"]
    model, whole = network(2), network()
    trained(whole, 10)
    trained(model, 10, keep=other, resume=True)  # from step 4, whose checkpoint is whole
    assert torch.equal(weights(model), weights(whole))
    assert kept.read_bytes() == data


def test_the_log_on_a_full_disk() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    from marrow.train import loop

    file = open("/dev/full", "w")  # noqa: SIM115 (closing writes again)
    with pytest.raises(OutputError, match=r"log\.jsonl: the disk is full"):
        loop._write_line(file, Path("log.jsonl"), loop.Progressed(1, 0), 0.5, 0.1)
    with contextlib.suppress(OSError):
        file.close()


# ---------------------------------------------------------------------------------------------------------------------
# Several processes
# ---------------------------------------------------------------------------------------------------------------------


def test_two_processes_are_one_with_twice_the_batches(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    alone = network()
    first = trained(alone, 20, accumulate=2)
    shared = network()
    second = trained(shared, 20, processes=2, log=log, keep=tmp_path / "kept.safetensors")
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weights(alone), weights(shared), rtol=1e-5, atol=1e-6)
    assert json.loads(log.read_text().splitlines()[-1])["samples"] == 2 * 20 * 8
    assert not torch.distributed.is_initialized()
    assert "LOCAL_RANK" not in os.environ


def test_a_process_that_fails_is_told_and_none_is_left() -> None:
    def batch(number: int) -> torch.Tensor:
        if number == 5:  # of the second process
            raise ValueError("row 5 is damaged")
        return torch.ones(1)

    with pytest.raises(InputError, match=r"one of 2 processes failed \(ValueError: row 5 is damaged\)"):
        train(torch.nn.Linear(1, 1), batch, lambda m, b: m(b).square().sum(), steps=9, processes=2)
    with pytest.raises(InputError, match="smaller rate"):
        train(torch.nn.Linear(1, 1), torch.tensor, lambda m, b: m.bias.sum() * float("nan"), steps=9, processes=2)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# ---------------------------------------------------------------------------------------------------------------------
# What goes wrong
# ---------------------------------------------------------------------------------------------------------------------


def test_a_loss_or_gradient_that_is_no_number_changes_no_weight() -> None:
    for bad, text in (
        (lambda m: m.weight.sum() * float("nan"), "the loss became nan at step 0"),
        (lambda m: (m.weight * 0).sum().sqrt(), "the gradient became nan at step 0"),
    ):
        model = torch.nn.Linear(1, 1)
        before = model.weight.clone()
        with pytest.raises(InputError, match=text):
            train(model, lambda n: n, lambda m, b, bad=bad: bad(m), steps=5)
        assert torch.equal(model.weight, before)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"steps": -1}, "steps of at least 0"),
        ({"average": 1.0}, "average"),
        ({"precision": "16"}, "'32' or 'bf16'"),
        ({"accumulate": 0}, "accumulate of at least 1"),
        ({"processes": 0}, "processes of at least 1"),
        ({"every": 0}, "every of at least 1"),
        ({"resume": True}, "without keep"),
    ],
)
def test_settings_out_of_range(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        trained(network(), **options)


def test_an_absent_folder_is_told_before_any_work(tmp_path: Path) -> None:
    def never(number: int) -> None:
        raise AssertionError("work was begun")

    for name in ("keep", "log"):
        with pytest.raises(OutputError, match="create it first"):
            train(torch.nn.Linear(1, 1), never, lambda m, b: m.bias.sum(), steps=1, **{name: tmp_path / "no" / "file"})
    with pytest.raises(InputError, match="nothing to learn"):
        train(torch.nn.Flatten(), never, lambda m, b: torch.zeros(()), steps=1)
