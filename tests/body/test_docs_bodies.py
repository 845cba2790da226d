"""docs/bodies.md: its examples run, its table of speed is that of the committed figures, its names are the code's."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import model_files
import pytest

from marrow.body.smpl import _JOINED, ALIASES, PARTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bodies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
#: What a block that needs an optional package imports.
OPTIONAL = "body_models"


def test_examples_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, family, shapes in (("SMPL_NEUTRAL", "smpl", 10), ("MANO_RIGHT", "mano", 10)):
        content = model_files.arrays(family, shapes=shapes, vertices=None if family == "mano" else 2500)
        model_files.write_pkl(tmp_path / f"{name}.pkl", content, chumpy=False)
    names: dict[str, object] = {}
    for block in BLOCKS:
        if OPTIONAL in block and importlib.util.find_spec(OPTIONAL) is None:
            continue
        exec(compile(block, "docs/bodies.md", "exec"), names)
    assert len(BLOCKS) > 7


def test_names_are_those_of_the_code():
    for name in [*ALIASES, *ALIASES.values(), *_JOINED, *(part for parts in PARTS.values() for part in parts)]:
        assert f"`{name}`" in PAGE, name


@pytest.mark.parametrize("patent", ["10,395,411", "11,017,577"])
def test_patents_are_named(patent):
    assert patent in PAGE


def test_the_table_of_speed_is_the_measured_one():
    path = ROOT / "benchmarks" / "speed" / "bodies.py"
    specification = importlib.util.spec_from_file_location("speed_of_bodies", path)
    assert specification is not None
    assert specification.loader is not None
    bench = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(bench)
    result = json.loads((ROOT / "benchmarks" / "results" / "speed_bodies.json").read_text(encoding="utf-8"))
    for row in bench.table(result).splitlines():
        assert row in PAGE
