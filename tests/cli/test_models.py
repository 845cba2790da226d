"""``marrow models``: add, list, show and remove, as a table and as JSON lines."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from marrow.cli import main

_FILES = Path(__file__).parents[1] / "body" / "model_files.py"


@pytest.fixture(scope="module")
def made() -> Any:
    """The generator of made-up files, which lies with the body's tests."""
    spec = importlib.util.spec_from_file_location("made_up_model_files", _FILES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def smpl(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("MARROW_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return made.write_pkl(tmp_path / "SMPL_NEUTRAL.pkl", made.arrays("smpl", 30))


def test_add_list_show_remove(smpl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "add your own file with: marrow models add PATH" in capsys.readouterr().out
    assert main(["models", "add", smpl.name]) == 0
    told = capsys.readouterr().out
    assert "kept as 'smpl-neutral' in" in told
    assert "non-commercial (research)" in told
    assert main(["models", "add", smpl.name, "--name", "mine"]) == 0
    capsys.readouterr()
    assert main(["models"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["name", "family", "vertices", "joints", "shape", "expression", "licence"]
    assert [row[:6] for row in rows[1:]] == [[name, "SMPL", "30", "24", "10", "0"] for name in ("mine", "smpl-neutral")]
    assert main(["models", "show", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "SMPL_NEUTRAL.pkl" in shown
    assert "smpl.is.tue.mpg.de" in shown
    assert main(["models", "remove", "mine"]) == 0
    assert main(["models", "list"]) == 0
    assert "mine" not in capsys.readouterr().out.split("untouched")[1]


def test_json_lines(smpl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def lines(words: str, code: int = 0) -> list[dict[str, Any]]:
        assert main([*words.split(), "--json"]) == code
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    [added] = lines("models add SMPL_NEUTRAL.pkl")
    assert (added["event"], added["name"], added["family"], added["vertices"]) == ("added", "smpl-neutral", "smpl", 30)
    assert Path(added["file"]).is_file()
    assert lines("models") == lines("models show smpl-neutral") == [added | {"event": "model"}]
    [error] = lines("models show smpl", 2)
    assert (error["event"], error["code"]) == ("error", 2)
    Path(added["file"]).write_bytes(b"")
    [damaged] = lines("models")
    assert (damaged["event"], damaged["name"]) == ("damaged", "smpl-neutral")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("add", "expected: marrow models add PATH"),
        ("show", "expected: marrow models show NAME"),
        ("list x", "expected: marrow models list"),
        ("show x --force", "--name and --force belong to: marrow models add PATH; not to show"),
        ("add nowhere.pkl", "there is no file nowhere.pkl"),
        ("add .", "is a folder; give one of its files: SMPL_NEUTRAL.pkl"),
        ("show smpl", "there is no model 'smpl'; the nearest"),
        ("remove smpl", "there is no model 'smpl'; the nearest"),
    ],
)
def test_mistakes(words: str, message: str, smpl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", *words.split()]) == 2
    assert message in capsys.readouterr().err


def test_a_hostile_file(smpl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smpl.write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    assert main(["models", "add", smpl.name]) == 2
    assert "asks for 'os.system'" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "models").exists()
