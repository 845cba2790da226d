"""docs/synth.md and docs/synth_looks.md: their examples run, and the table of the detector is the report's."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from marrow.data.synth.making import make_set
from marrow.data.synth.presets import PRESETS
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices

ROOT = Path(__file__).parents[3]
SYNTH = (ROOT / "docs" / "synth.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["synth.md", "synth_looks.md"])
def test_the_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page == "synth.md":
        make_set(Recipe("clean", choices=Choices(size=(64, 64))), "pictures", 1)
    names: dict[str, object] = {}
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "my_captures/" not in b]
    assert blocks
    for block in blocks:
        exec(compile(block, f"docs/{page}", "exec"), names)
    if page == "synth.md":
        part = names["part"]
        assert isinstance(part, np.ndarray)
        assert set(np.unique(part)) > {0, 1}


def test_the_detectors_table_is_that_of_the_report():
    place = ROOT / "benchmarks" / "synth_detection.py"
    spec = importlib.util.spec_from_file_location("synth_detection", place)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    report = json.loads((ROOT / "benchmarks" / "results" / "synth_detection.json").read_text())
    shown = re.search(r"<!-- table: [^>]*-->\n(.*?)<!-- end -->", SYNTH, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == bench.table(report)


def test_every_preset_is_described():
    for name, preset in PRESETS.items():
        row = next(line for line in SYNTH.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"{preset.count:,}" in row
        assert (ROOT / "docs" / "gallery" / f"synth_{name}.jpg").is_file()
