"""The measurements committed under benchmarks/results are whole, finite, and say how to repeat them."""

from __future__ import annotations

import json
import math
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marrow.bench.result import read_result
from marrow.cli import verbs
from marrow.errors import InputError

ROOT = Path(__file__).parents[1]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float):
        yield value


def check(path: Path) -> None:
    """Raise AssertionError or InputError for what a committed result must not be."""
    content = json.loads(path.read_text(encoding="utf-8"))
    found = list(numbers(content))
    assert len(found) > 5, "no measurement in it"
    assert all(math.isfinite(number) for number in found)
    words = shlex.split(content["command"])
    if words[0] == "marrow":
        assert words[1] in verbs()
    else:
        assert words[0] == "python"
        assert (ROOT / words[1]).is_file(), f"{words[1]} does not exist"
    if "system" in content:
        result = read_result(path)
        assert result.system == path.stem
        assert result.n > 0
        assert result.seeds
        assert result.seconds > 0


def test_there_are_results() -> None:
    assert {"main_road.json", "demo_clip.json", "speed_capture.json"} <= {path.name for path in RESULTS}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_committed_result_is_whole(path: Path) -> None:
    check(path)


@pytest.mark.parametrize(
    "change",
    [
        {"with": float("nan")},
        {"with": 1e9},
        {"details": {"groups": [1.0, float("inf")]}},
        {"command": "python benchmarks/nowhere.py"},
        {"command": "marrow bnech main_road"},
        {"system": "another"},
        {"claim": None, "n": 0},
    ],
)
def test_a_broken_result_is_found(tmp_path: Path, change: dict[str, Any]) -> None:
    content = json.loads((ROOT / "benchmarks" / "results" / "main_road.json").read_text(encoding="utf-8"))
    path = tmp_path / "main_road.json"
    path.write_text(json.dumps(content))
    check(path)
    path.write_text(json.dumps(content | change))
    with pytest.raises((AssertionError, InputError)):
        check(path)


def test_the_table_of_lifters_is_that_of_the_result() -> None:
    script = runpy.run_path(str(ROOT / "benchmarks" / "lifting.py"))
    table = script["table"](json.loads((ROOT / "benchmarks" / "results" / "lifting.json").read_text()))
    anew = "python benchmarks/lifting.py --table benchmarks/results/lifting.json"
    assert table in (ROOT / "docs" / "lifting.md").read_text(encoding="utf-8"), anew
