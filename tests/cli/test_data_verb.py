"""``marrow data`` tells what a dataset holds, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dataset_files as files
from marrow.cli import main


def test_a_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.threedpw(tmp_path)
    assert main(["data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"3dpw: 1 recordings in {tmp_path}" in out
    assert "(no commercial use)" in out
    assert "3-D points, 2-D points, body" in out
    assert main(["data", f"3dpw={tmp_path}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["dataset"], told["commercial"], told["count"]) == ("dataset", "3dpw", False, 1)
    assert told["recordings"][0]["frames"] == files.T


def test_more_than_the_limit_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.agora(tmp_path)
    assert main(["data", str(tmp_path), "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "a_0.png" in out
    assert "b_0.png" not in out
    assert "and 1 more" in out


def test_doubts_and_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def small(held: dict) -> dict:
        held["actors"] = [[points / 100 for points in actor] for actor in held["actors"]]
        return held

    files.shelf(tmp_path / "set", small)
    assert main(["data", str(tmp_path / "set")]) == 0
    assert "note: people extend over" in capsys.readouterr().out
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["data", str(empty)]) == 2
    assert f"{empty}: the folder is empty" in capsys.readouterr().err
    assert main(["data", str(tmp_path), "--limit", "0"]) == 2
    assert "--limit: expected at least 1" in capsys.readouterr().err
