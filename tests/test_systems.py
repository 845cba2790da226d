"""Every system works, however little is known of it here: it builds, trains, saves, loads, infers, and is measured.

Parametrised over what discovery finds, over a copy of the template that ``marrow new`` would write, and over a small
system that learns.
"""

from __future__ import annotations

import ast
import importlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marrow.bench.overview import Measured, effects, effects_drawn, overview
from marrow.bench.page import page
from marrow.bench.parts import parts_of
from marrow.bench.runner import committed
from marrow.bench.system import SEEDS
from marrow.cli import verbs
from marrow.cli.new import run as new
from marrow.cli.systems import PICTURE
from marrow.systems import Entry, discover, load_file

ROOT = Path(__file__).parents[1]
ORDER = ("Config", "build", "infer", "bench", "SYSTEM")
LONGEST = 220
SECONDS = 6.0

FOUND = discover()


@pytest.fixture(scope="module", params=["the template", "a learner", *FOUND.entries])
def entry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Entry:
    if request.param in FOUND.entries:
        return FOUND.entries[request.param]
    if request.param == "a learner":
        return load_file(ROOT / "tests" / "systems" / "folder" / "ridge.py")
    folder = tmp_path_factory.mktemp("systems")
    new("from_template", folder=folder)
    return load_file(folder / "from_template.py")


def numbers(value: Any) -> list[np.ndarray]:
    """All arrays and numbers of a result, whatever its type."""
    if isinstance(value, Mapping):
        return [n for item in value.values() for n in numbers(item)]
    if isinstance(value, list | tuple):
        return [n for item in value for n in numbers(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [n for name in value.__dataclass_fields__ for n in numbers(getattr(value, name))]
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return [np.asarray(value, float)] if isinstance(value, np.ndarray | float | int) else []


def test_no_file_is_broken():
    assert FOUND.broken == {}


def test_it_works(entry, tmp_path):
    """Builds, takes two training steps where it trains, saves, loads and infers, in a few seconds."""
    importlib.import_module("lightning_fabric")  # a second or two that all who train share
    start = time.process_time()
    config = entry.module.Config()
    model = entry.module.build(config)
    if entry.learns:
        entry.module.train(model, config, steps=2)
        entry.save(model, tmp_path / "model", config)
    inputs = entry.module.example(config)
    result = numbers(entry.infer(model, inputs))
    assert result, "infer gives no numbers"
    assert all(np.isfinite(array).any() for array in result if array.size)
    if entry.learns:
        again = numbers(entry.infer(entry.load(tmp_path / "model"), inputs))
        for first, second in zip(result, again, strict=True):
            np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    assert time.process_time() - start < SECONDS


def test_the_file_reads_as_all_others_do(entry):
    tree = ast.parse(entry.path.read_text(encoding="utf-8"))
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append("infer" if node.name == "fit" else node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    places = [names.index(name) for name in ORDER]
    assert places == sorted(places), f"expected the order docstring, {', '.join(ORDER)}"
    assert names[-1] == "SYSTEM"
    assert len(entry.path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert len((entry.module.__doc__ or "").split()) >= 30, "paper, idea in three sentences, what is reproduced"


def test_a_user_reaches_it(entry):
    words = entry.system.verb.split()
    assert words[0] == "marrow"
    assert words[1] in verbs()


@pytest.mark.parametrize("name", FOUND.entries or ["none yet"])
def test_it_is_measured_and_its_page_is_current(name):
    """The committed full result validates, and docs/systems holds the page that is generated from it."""
    if name not in FOUND.entries:
        assert not list((ROOT / "docs" / "systems").glob("*.md")), "pages without a system"
        return
    found = FOUND.entries[name]
    result = committed(found.system, found.path)
    assert result is not None, f"measure it: marrow bench {name} --tier full"
    assert result.tier == "full"
    assert len(result.seeds) >= SEEDS["full"]
    text = page(found.system, found.module.__doc__ or "", found.module.Config, parts_of(found.path), result)
    path = ROOT / "docs" / "systems" / f"{name}.md"
    assert path.is_file(), "write it: marrow systems --pages docs/systems"
    assert path.read_text(encoding="utf-8") == text, "write it anew: marrow systems --pages docs/systems"


def test_the_overview_of_all_systems_is_current():
    """docs/systems/README.md and its picture are those of the committed results."""
    measured = [
        Measured(found.system, found.module.__doc__ or "", committed(found.system, found.path))
        for found in FOUND.entries.values()
    ]
    folder = ROOT / "docs" / "systems"
    anew = "write it anew: marrow systems --pages docs/systems"
    assert (folder / "README.md").read_text(encoding="utf-8") == overview(measured, PICTURE), anew
    assert effects_drawn(folder / PICTURE) == effects(measured), anew
