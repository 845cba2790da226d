"""Lifters by name, and what is said where there is none of that name or its weights are bad."""

from __future__ import annotations

import inspect
import re
import types
from dataclasses import dataclass

import pytest
import torch

import marrow
from marrow import systems
from marrow.cli import capture, main
from marrow.errors import AssetError, InputError
from marrow.lift import shipped
from marrow.lift.lifter import Lifter
from marrow.lift.networks import FrameLifter
from marrow.lifters import known_lifters, load_lifter
from marrow.systems import Entry, Found
from marrow.train.weights import save_weights


@pytest.fixture
def some_systems(monkeypatch, tmp_path):
    """Systems ``toy`` with a lifter, ``better`` that refines, and ``other`` for another task."""

    @dataclass
    class Config:
        width: int = 16

    def entry(name, tasks, **functions):
        return Entry(
            types.SimpleNamespace(id=name, tasks=tasks), types.SimpleNamespace(**functions), tmp_path / "toy.py"
        )

    learner = {
        "Config": Config,
        "build": lambda config: FrameLifter(config.width, 1),
        "train": lambda model, config, **told: [],
        "lifter": lambda model, config: Lifter("toy", model),
    }
    entries = {
        "toy": entry("toy", ("lift",), **learner),
        "better": entry("better", ("lift",), refine=lambda network, given: "better"),
        "other": entry("other", ("alignment",), **learner),
    }
    entries["toy"].weights.parent.mkdir()
    save_weights(FrameLifter(16, 1), entries["toy"].weights)
    found = Found(entries, {"torn": "no SYSTEM"})
    monkeypatch.setattr(systems, "discover", lambda folder=None: found)
    return entries


def test_a_systems_lifter_and_one_that_refines(some_systems):
    assert load_lifter("toy").name == "toy"
    refined = load_lifter("toy", refine="better")
    assert refined.refine(None, None) == "better"
    assert refined.name == "toy, refined by better"
    assert set(known_lifters()) == {"frame", "time", "toy"}
    assert marrow.load_lifter is load_lifter


def test_weights_of_ones_own(some_systems, tmp_path):
    """The file of ``marrow train`` tells how wide its network is."""
    toy, own = some_systems["toy"], tmp_path / "own.safetensors"
    model = FrameLifter(24, 1)
    toy.save(model, own, toy.module.Config(24))
    lifter = load_lifter("toy", weights=own)
    assert re.fullmatch(r"toy with own.safetensors \(sha256 [0-9a-f]{8}…\)", lifter.name)
    for name, value in lifter.network.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    with pytest.raises(
        InputError, match=r"own\.safetensors: these are weights of 'toy', not of 'time'; give them to 'toy'"
    ):
        load_lifter("time", weights=own)
    some_systems["twin"] = Entry(types.SimpleNamespace(id="twin", tasks=("lift",)), toy.module, toy.path)
    with pytest.raises(InputError, match="weights of 'toy', not of 'twin'"):  # whose network is the same
        load_lifter("twin", weights=own)
    with pytest.raises(InputError, match="weights of 'toy', not of 'twin'"):
        some_systems["twin"].load(own, toy.module.Config(24))
    save_weights(FrameLifter(8, 1), tmp_path / "narrow.safetensors")  # of nobody in particular
    with pytest.raises(InputError, match=r"narrow\.safetensors: no weights of this model"):
        load_lifter("time", weights=tmp_path / "narrow.safetensors")
    with pytest.raises(InputError, match=r"nowhere\.safetensors: there is no such file"):
        load_lifter("toy", weights=tmp_path / "nowhere.safetensors")
    toy.weights.unlink()
    with pytest.raises(AssetError, match="'toy' has no weights in this"):
        load_lifter("toy")


@pytest.mark.parametrize(
    ("name", "refine", "needle"),
    [
        ("tme", None, "no lifter 'tme'; nearest: time"),
        ("other", None, "no lifter 'other'"),  # a system, but not for lifting
        ("better", None, "no lifter 'better'"),
        ("toy", "bettr", "no refinement 'bettr'; nearest: better"),
        ("torn", None, "no SYSTEM"),
    ],
)
def test_unknown_names(some_systems, name, refine, needle):
    with pytest.raises(InputError, match=needle):
        load_lifter(name, refine=refine)


def test_a_lifter_that_learns_nothing(some_systems):
    rule = {"Config": some_systems["toy"].module.Config, "build": lambda config: "a rule"}
    rule["lifter"] = lambda model, config: Lifter(model, lambda given: given)
    some_systems["rule"] = Entry(
        types.SimpleNamespace(id="rule", tasks=("lift",)), types.SimpleNamespace(**rule), some_systems["toy"].path
    )
    assert load_lifter("rule").name == "a rule"
    with pytest.raises(InputError, match="'rule' learns nothing; leave weights='x' out"):
        load_lifter("rule", weights="x")


def test_what_fits_the_picture_by_itself_is_not_refined():
    with pytest.raises(InputError, match="'diffusion_pose' takes no refinement"):
        load_lifter("diffusion_pose", refine="uao")


def test_loading_leaves_chance_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_lifter("posekan")
    assert torch.equal(torch.rand(3), expected)


def test_no_system_refines(monkeypatch):
    monkeypatch.setattr(systems, "discover", lambda folder=None: Found({}, {}))
    with pytest.raises(InputError, match=r"no refinement .uao., nor any other"):
        load_lifter("time", refine="uao")


def test_weights_that_come_along(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    with pytest.raises(AssetError, match="has no weights in this"):
        shipped.load_shipped("time")
    with pytest.raises(AssetError, match="has no weights in this"):  # before the video, which is not there
        marrow.capture(tmp_path / "nothing.mp4")
    save_weights(shipped.time_network(), tmp_path / "time.safetensors", half=True)
    found = shipped.load_shipped("time")
    assert (found.name, found.rate) == ("time", 30.0)
    (tmp_path / "time.safetensors").write_bytes(b"torn")
    with pytest.raises(AssetError, match="'time' cannot be loaded"):
        shipped.load_shipped("time")
    save_weights(FrameLifter(64, 1), tmp_path / "frame.safetensors")
    with pytest.raises(AssetError, match="'frame' cannot be loaded"):
        shipped.load_shipped("frame")


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (["--lifter", "tiem"], "nearest: time"),
        (["--lifter", "none", "--refine", "uao"], "take one, such as --lifter time"),
        (["--lifter", "none", "--weights", "own.safetensors"], "take one, such as --lifter time"),
        (["--weights", "own.safetensors"], "own.safetensors: there is no such file"),
    ],
)
def test_the_command_line_says_so(words, needle, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["capture", "nothing.json", *words]) == InputError.exit_code
    assert needle in " ".join(capfd.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lifter", "needle"),
    [
        ("posekan", r"got 'posekan'; of a system: lifter=marrow.load_lifter\(ID\)"),
        ("Tiem", "got 'Tiem'; did you mean 'time'"),
        ("none", "got 'none'; for no lifter write lifter=None"),
        (3, "got 3; write lifter='time'"),
    ],
)
def test_what_is_no_lifter(tmp_path, lifter, needle):
    with pytest.raises(InputError, match=r"expected 'frame', 'time', a lifter or None, " + needle):
        marrow.capture(tmp_path / "nothing.json", lifter=lifter)


def test_the_default_of_the_command_is_that_of_the_function():
    asked = inspect.signature(marrow.capture).parameters["lifter"].default
    assert asked == shipped.DEFAULT == inspect.signature(capture.run).parameters["lifter"].default
    assert asked in shipped.NETWORKS
