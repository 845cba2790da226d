"""``marrow train``: a system's options, its weights, stopping and going on, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from marrow.cli import main
from marrow.errors import InputError
from marrow.systems import Entry
from marrow.systems._template import SYSTEM
from marrow.train.weights import save_weights

LEARNER = '''

@dataclass
class Config:
    """What a user may set.

    Attributes:
        rows: to learn from.
        steps: of the optimiser.
        pause: seconds a batch takes.
        widths: of nothing at all.
        moves: at test time.
        none: of usually no use.
    """

    rows: int = 20
    steps: int = 12
    pause: float = 0.0
    widths: tuple[int, ...] = (1, 2)
    moves: int = 3
    none: int = 0


def build(config):
    import torch

    return torch.nn.Linear(3, 1)


def train(model, config, steps=None, seed=0, **told):
    import time

    from marrow.train.loop import shuffled, train
    from marrow.train.seeds import generator
    import torch

    x, rows = torch.randn(config.rows, 3, generator=generator(seed)), shuffled(config.rows, 4, seed)

    def batch(number):
        time.sleep(config.pause)
        return x[rows(number)]

    return train(model, batch, lambda m, b: (m(b) - b.sum(1, keepdim=True)).square().mean(),
                 steps=config.steps if steps is None else steps, rate=0.1, warm=2, **told)
'''


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that take in a folder with the systems ``learner``, which learns, and ``still``, which does not."""
    folder = tmp_path / "systems"
    folder.mkdir()
    for name in ("learner", "still"):
        assert main(["new", name, "--folder", str(folder)]) == 0
    with open(folder / "learner.py", "a", encoding="utf-8") as file:
        file.write(LEARNER)
    monkeypatch.chdir(tmp_path)
    return ["--folder", str(folder)]


def test_a_system_is_trained_with_its_own_options(there, capsys):
    assert main(["train", "learner", *there]) == 0
    told = capsys.readouterr().out
    assert "in 12 steps" in told
    assert "written: learner.safetensors" in told
    words = [
        "--rows",
        "9",
        "--widths",
        "3",
        "4",
        "--steps",
        "5",
        "--log",
        "log.jsonl",
        "--json",
        "--out",
        "b.safetensors",
    ]
    assert main(["train", "learner", *words, *there]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (events[-1]["event"], events[-1]["steps"], events[-1]["file"]) == ("train", 5, "b.safetensors")
    assert any(event["event"] == "progress" and event["stage"] == "training" for event in events)
    assert len(Path("log.jsonl").read_text().splitlines()) == 5
    from marrow.systems import find

    entry = find("learner", there[1])
    assert torch.equal(entry.load("b.safetensors").weight, load_file("b.safetensors")["weight"])
    told = entry.config_of("b.safetensors")
    assert (told.rows, told.widths, told.steps) == (9, (3, 4), 5)


def test_settings_of_another_version_are_told(there):
    from marrow.systems import find

    entry = find("learner", there[1])
    for config, needle in (
        ({"colour": "red"}, "has no setting 'colour'"),
        ({"rows": "many"}, "cannot be read: .*rows"),
    ):
        save_weights(torch.nn.Linear(3, 1), "old.safetensors", header={"owner": "learner", "config": config})
        with pytest.raises(InputError, match=needle):
            entry.load("old.safetensors")
    Path("torn.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"torn\.safetensors: no weights"):
        entry.load("torn.safetensors")
    save_weights(torch.nn.Linear(3, 1), "plain.safetensors")  # without settings: the usual ones
    assert entry.config_of("plain.safetensors") == entry.module.Config()


def test_settings_of_any_plain_type_come_back(there):
    """And those that cannot be written are told before the training."""
    from marrow.systems import find

    @dataclass
    class Config:
        where: Path = Path("here")
        widths: tuple[int, ...] = (1,)
        share: float | None = None
        made: int = field(default=3, init=False)

    module = find("learner", there[1]).module
    entry = Entry(SYSTEM, types.SimpleNamespace(**(vars(module) | {"Config": Config})), Path("learner.py"))
    config = Config(Path("there/x"), (4, 5), 0.5)
    entry.save(torch.nn.Linear(3, 1), "a.safetensors", config)
    assert entry.config_of("a.safetensors") == config
    with pytest.raises(InputError, match="a setting of the type Linear cannot be written"):
        entry.header(Config(share=torch.nn.Linear(1, 1)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (["--rows", "-1"], 1),
        (["--rows", "0"], 1),
        (["--steps", "-3"], 1),
        (["--moves", "-1"], 0),
        (["--none", "-1"], 0),
    ],
)
def test_fewer_than_none_is_refused(there, words, least, capfd):
    assert main(["train", "learner", *words, *there]) == InputError.exit_code
    assert f"{words[0]}: expected at least {least}" in capfd.readouterr().err
    assert not Path("learner.safetensors").exists()


def test_one_seed_gives_one_file(there, capsys):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["train", "learner", "--seed", seed, "--out", f"{name}.safetensors", *there]) == 0
    a, b, c = (Path(f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_the_options_of_the_system_are_told(there, capsys):
    assert main(["train", "learner", "--help", *there]) == 0
    told = capsys.readouterr().out
    for needle in ("--rows", "to learn from", "--keep", "--pause"):
        assert needle in told
    assert told.count("--steps N") == 1, "the system has it too"


def test_killed_and_gone_on_with(there, capsys):
    words = ["train", "learner", "--steps", "40", "--pause", "0.02", "--keep", "kept", "--every", "5", *there]
    process = subprocess.Popen([sys.executable, "-m", "marrow", *words, "--out", "a.safetensors"])
    deadline = time.monotonic() + 300
    while not Path("kept").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Path("a.safetensors").exists()
    assert main([*words, "--out", "a.safetensors"]) == 4, "a checkpoint is not lost by chance"
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--out", "a.safetensors", "--resume"]) == 0
    assert "from the beginning" not in capsys.readouterr().err
    assert main([*words, "--out", "b.safetensors", "--force"]) == 0
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    assert main([*words, "--rows", "30", "--out", "c.safetensors", "--resume"]) == 2
    assert "rows=30" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["still"], 2, "still learns nothing: its file has no train"),
        (["nothing"], 2, "there is no system 'nothing'"),
        (["time"], 2, "python scripts/train_lifters.py time"),
        (["frame"], 2, "python benchmarks/lifting.py"),
        (["--seed", "1", "learner"], 2, "comes before all options"),
        (["learner", "--resume"], 2, "--keep FILE"),
        (["learner", "--out", "no/such/file.safetensors"], 4, "create it first"),
        (["learner", "--keep", "no/such/file"], 4, "create it first"),
        (["learner", "--log", "no/such/file"], 4, "create it first"),
        (["learner", "--steps", "-1"], 2, "--steps: expected at least 1"),
        (["learner", "--processes", "0"], 2, "at least 1"),
        (["learner", "--keep", "same", "--log", "same"], 2, "different files"),
    ],
)
def test_what_cannot_be_trained(there, capsys, words, code, text):
    assert main(["train", *words, *there]) == code
    assert text in capsys.readouterr().err
    assert not list(Path().glob("*.safetensors"))


def test_nothing_to_go_on_from_is_told(there, capsys):
    assert main(["train", "learner", "--keep", "kept", "--resume", "--moves", "0", *there]) == 0
    told, said = capsys.readouterr()
    assert "kept is not there: the training starts from the beginning" in said
    assert f'find("learner", "{there[1]}").load("learner.safetensors")' in told


def test_the_weights_of_a_lifter_are_loaded_by_its_name(tmp_path, capsys, monkeypatch):
    import marrow.systems.posekan as posekan

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(posekan, "train", lambda model, config, steps=None, seed=0, **told: [])
    assert main(["train", "posekan", "--width", "8"]) == 0
    line = 'lifter = marrow.load_lifter("posekan", weights="posekan.safetensors")'
    assert f"in Python: import marrow; {line}" in capsys.readouterr().out
    import marrow

    assert marrow.load_lifter("posekan", weights="posekan.safetensors").name.startswith("posekan with")


def test_files_are_not_replaced_unasked(there, capsys):
    assert main(["train", "learner", *there]) == 0
    before = Path("learner.safetensors").read_bytes()
    assert main(["train", "learner", "--steps", "3", *there]) == 4
    assert Path("learner.safetensors").read_bytes() == before
    assert main(["train", "learner", "--steps", "3", "--force", *there]) == 0
    assert Path("learner.safetensors").read_bytes() != before
    Path("log.jsonl").write_text("mine")
    assert main(["train", "learner", "--log", "log.jsonl", "--out", "other.safetensors", *there]) == 4
    assert Path("log.jsonl").read_text() == "mine"


def test_a_system_that_takes_no_further_options(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ["--folder", str(Path(__file__).parents[1] / "systems" / "folder")]
    assert main(["train", "ridge", "--penalty", "2", *folder]) == 0
    assert Path("ridge.safetensors").is_file()
    assert main(["train", "ridge", "--keep", "kept", "--force", *folder]) == 2
    assert "takes no --keep" in capsys.readouterr().err
