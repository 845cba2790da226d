"""A missing asset skips a test at home and fails it in continuous integration."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from marrow import assets
from marrow.errors import AssetError
from obtaining import obtain


@pytest.fixture
def offline(tmp_path, monkeypatch) -> None:
    """An empty cache, and no wheel anywhere."""
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path))
    monkeypatch.delenv("MARROW_WHEELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", sorted(assets.ASSETS))
def test_a_missing_asset_fails_in_continuous_integration(monkeypatch, name):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"{name} must be there"):
        obtain(name)
    for off in ("", "false", "0"):
        monkeypatch.setenv("CI", off)
        with pytest.raises(pytest.skip.Exception, match="no connection"):
            obtain(name)


def test_damage_is_never_skipped(monkeypatch):
    def damaged(name):
        raise AssetError("not the expected file")

    monkeypatch.setattr(assets, "asset", damaged)
    with pytest.raises(AssetError, match="expected"):
        obtain("mediapipe")


def test_no_test_skips_an_asset_by_itself():
    """Whoever catches an AssetError and skips must do it through ``obtain``."""
    for path in Path(__file__).parent.rglob("*.py"):
        if path.name == "obtaining.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert "skip(" not in ast.unparse(node), f"{path.name}:{node.lineno}: use obtaining.obtain"
