"""Lifters by name, and what is said where there is none of that name or its weights are bad."""

from __future__ import annotations

import inspect
import types

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
from marrow.systems import Found
from marrow.train.weights import save_weights


@pytest.fixture
def one_system(monkeypatch):
    """A system ``toy`` with a lifter, ``better`` that refines, and ``other`` for another task."""

    def entry(tasks, **functions):
        return types.SimpleNamespace(
            system=types.SimpleNamespace(tasks=tasks), module=types.SimpleNamespace(**functions)
        )

    toy = Lifter("toy", lambda given: given)
    entries = {
        "toy": entry(("lift",), lifter=lambda: toy),
        "better": entry(("lift",), refine=lambda network, given: "better"),
        "other": entry(("alignment",), lifter=lambda: toy),
    }
    found = Found(entries, {"torn": "no SYSTEM"})
    monkeypatch.setattr(systems, "discover", lambda folder=None: found)
    return toy


def test_a_systems_lifter_and_one_that_refines(one_system):
    assert load_lifter("toy") is one_system
    refined = load_lifter("toy", refine="better")
    assert refined.refine(None, None) == "better"
    assert refined.name == "toy, refined by better"
    assert set(known_lifters()) == {"frame", "time", "toy"}
    assert marrow.load_lifter is load_lifter


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
def test_unknown_names(one_system, name, refine, needle):
    with pytest.raises(InputError, match=needle):
        load_lifter(name, refine=refine)


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
    monkeypatch.setattr(shipped, "SHIPPED", {"time": lambda: None})
    with pytest.raises(InputError, match=r"no refinement .uao., nor any other"):
        load_lifter("time", refine="uao")


def test_weights_that_come_along(tmp_path):
    with pytest.raises(AssetError, match="has no weights in this"):
        shipped.time_lifter(tmp_path)
    save_weights(shipped.time_network(), tmp_path / "time.safetensors", half=True)
    assert shipped.time_lifter(tmp_path).name == "time"
    (tmp_path / "time.safetensors").write_bytes(b"torn")
    with pytest.raises(AssetError, match="'time' cannot be loaded"):
        shipped.time_lifter(tmp_path)
    save_weights(FrameLifter(64, 1), tmp_path / "frame.safetensors")
    with pytest.raises(AssetError, match="'frame' cannot be loaded"):
        shipped.frame_lifter(tmp_path)


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (["--lifter", "tiem"], "nearest: time"),
        (["--lifter", "none", "--refine", "uao"], "take one, such as --lifter time"),
    ],
)
def test_the_command_line_says_so(words, needle, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["capture", "nothing.json", *words]) == InputError.exit_code
    assert needle in " ".join(capfd.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_systems_name_is_no_lifter(tmp_path):
    with pytest.raises(
        InputError, match=r"expected 'frame', 'time', what marrow.*got 'posekan'.*load_lifter\('posekan'\)"
    ):
        marrow.capture(tmp_path / "nothing.json", lifter="posekan")


def test_the_default_of_the_command_is_that_of_the_function():
    asked = inspect.signature(marrow.capture).parameters["lifter"].default
    assert asked == shipped.DEFAULT == inspect.signature(capture.run).parameters["lifter"].default
    assert asked in shipped.SHIPPED
