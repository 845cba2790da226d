"""scripts/train_lifters.py writes weights that the loaders take, and that say whose they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from marrow.errors import InputError
from marrow.lift import shipped
from marrow.lifters import load_lifter
from marrow.systems import Entry
from marrow.train.weights import save_weights, saved_header

SCRIPT = Path(__file__).parents[1] / "scripts" / "train_lifters.py"


@pytest.fixture
def ship(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path)
    monkeypatch.setattr(Entry, "weights", property(lambda self: tmp_path / f"{self.system.id}.safetensors"))
    threads = torch.get_num_threads()
    yield runpy.run_path(str(SCRIPT))["ship"]
    torch.set_num_threads(threads)


def test_a_system_and_on_from_its_weights(ship, tmp_path):
    ship("posekan", 2, 0, None)
    first = load_lifter("posekan")(*shipped.example()[:1], "h36m17", shipped.example()[1])
    assert saved_header(tmp_path / "posekan.safetensors", "posekan")["config"]["steps"] == 2
    ship("posekan", 2, 0, tmp_path / "posekan.safetensors")
    again = load_lifter("posekan")(*shipped.example()[:1], "h36m17", shipped.example()[1])
    assert abs(again.relative - first.relative).max() > 0


def test_the_lifter_over_time_holds_that_of_single_frames(ship, tmp_path):
    frame = shipped.frame_network()
    save_weights(frame, tmp_path / "frame.safetensors")
    ship("time", 1, 0, None)
    assert saved_header(tmp_path / "time.safetensors", "time")["owner"] == "time"
    within = load_lifter("time").network.network.single
    for name, value in frame.state_dict().items():
        torch.testing.assert_close(within.state_dict()[name], value, atol=1e-3, rtol=1e-3)


def test_what_is_no_lifter(ship):
    with pytest.raises(InputError, match="skel is no lifter that learns"):
        ship("skel", 1, 0, None)
