"""``marrow scale`` and ``marrow id`` as typed: tables, JSON, exit codes, nothing overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_models import legs, pendulum, standing

from marrow.cli import main
from marrow.io.mot import Table, read_mot, write_mot
from marrow.io.trc import write_trc


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_scale(capfd):
    legs(Path("m.osim"))
    write_trc("s.trc", standing({"femur": 1.1}))
    words = ["scale", "--model", "m.osim", "--markers", "s.trc", "--mass", "70"]
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert "femur_r  1.09" in out or "femur_r  1.10" in out
    assert "mass 70.0 kg" in out
    assert "written: scaled.osim" in out
    assert err == ""
    assert main(words) == 4
    assert "--force" in capfd.readouterr().err
    assert main([*words, "--force", "--json"]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["event"] == "scaled"
    assert told["mass_kg"] == pytest.approx(70)
    assert main(["scale", "--model", "m.osim", "--force"]) == 2
    assert "static trial" in capfd.readouterr().err


def test_id(capfd):
    time = np.arange(101) / 100
    write_mot("q.mot", Table(("swing",), time, 20 * np.sin(3 * time)[:, None], True))
    pendulum(Path("m.osim"))
    words = ["id", "--model", "m.osim", "--motion", "q.mot"]
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert "swing" in out
    assert "N·m" in out
    assert "no external forces" in out
    assert err == ""
    assert read_mot("moments.sto").names == ("swing_moment",)
    assert main(words) == 4
    capfd.readouterr()
    assert main([*words, "--force", "--json", "--time", "0.2", "0.8", "--lowpass", "0"]) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["forces"][0]["coordinate"] == "swing"
    assert read_mot("moments.sto").time[0] == pytest.approx(0.2, abs=1e-5)
    assert main(["id", "--model", "none.osim", "--motion", "q.mot", "--json", "--force"]) == 2
    out, err = capfd.readouterr()
    assert json.loads(out)["event"] == "error"
    assert "none.osim: no such file" in err
