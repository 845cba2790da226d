"""Discovery, benches, results, pages and verbs, on the template's own effect and on files with faults."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marrow.bench.overview import Measured, draw_effects, effects, effects_drawn, overview
from marrow.bench.page import bibtex
from marrow.bench.parts import parts_of
from marrow.bench.result import read_result, write_result
from marrow.bench.runner import committed, compare, result_path, run_bench, status
from marrow.bench.system import Paired
from marrow.cli import main
from marrow.errors import InputError
from marrow.systems import HERE, TEMPLATE, discover, find, load_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one's own with one system, ``umeyama``."""
    assert main(["new", "umeyama", "--folder", str(tmp_path)]) == 0
    return tmp_path


def edit(folder: Path, *changes: tuple[str, str], name: str = "umeyama") -> Path:
    path = folder / f"{name}.py"
    text = (folder / "umeyama.py").read_text().replace("umeyama", name)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


# ---------------------------------------------------------------------------------------------------------------------
# Discovery
# ---------------------------------------------------------------------------------------------------------------------


def test_a_file_is_the_registration(folder):
    found = discover(folder)
    assert "umeyama" in found.entries
    assert found.broken == {}
    assert find("umeyama", folder).system.paper.year == 1991
    for name, told in (
        ("umeyma", "did you mean 'umeyama'"),
        ("UMEYAMA", "did you mean 'umeyama'"),
        ("zzzz", "marrow new zzzz$"),
        ("7 ?!", "marrow new ID$"),
    ):
        with pytest.raises(InputError, match=told):
            find(name, folder)
    with pytest.raises(InputError, match="no such folder"):
        discover(folder / "none")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("SYSTEM = System(", "OTHER = System("), "no SYSTEM"),
        (('id="bad"', 'id="good"'), "SYSTEM.id is 'good', expected 'bad'"),
        (('better="lower"', 'better="smaller"'), "'smaller'"),
        (("def bench(", "def measure("), "functions bench are missing"),
        (("def infer(", "def guess("), "functions infer are missing"),
        (("class Config:", "class Settings:"), "Config"),
        (("points: int = 5", "points: int"), "TypeError"),
        (("import numpy as np", "import nonsense_of_mine"), "ModuleNotFoundError"),
        (("class Config:", "class Config"), "SyntaxError"),
    ],
)
def test_a_faulty_file_is_told_and_hinders_no_other(folder, capsys, change, text):
    edit(folder, change, name="bad")
    found = discover(folder)
    assert list(found.entries) == [*discover().entries, "umeyama"]
    assert text in found.broken["bad"]
    with pytest.raises(InputError, match="'bad' cannot be used"):
        find("bad", folder)
    assert main(["systems", "--folder", str(folder)]) == 0
    assert "bad cannot be used" in capsys.readouterr().out


def test_an_entry_point_is_a_registration(tmp_path, monkeypatch):
    """As another package would have it: a module, and its metadata."""
    assert main(["new", "elsewhere", "--folder", str(tmp_path)]) == 0
    (tmp_path / "elsewhere.py").rename(tmp_path / "my_package.py")
    about = tmp_path / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[marrow.systems]\nelsewhere = my_package\n")
    assert "elsewhere" not in discover().entries
    monkeypatch.syspath_prepend(tmp_path)
    entry = discover().entries["elsewhere"]
    assert entry.path == tmp_path / "my_package.py"
    assert entry.module.__name__ == "my_package"
    monkeypatch.delitem(sys.modules, "my_package")


def test_the_same_id_twice_is_told(folder, tmp_path, monkeypatch):
    about = tmp_path / "rival-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[marrow.systems]\numeyama = rival\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "the id is taken" in discover(folder).broken["umeyama"]


def test_listing_systems_loads_nothing_heavy():
    heavy = ("torch", "lightning_fabric", "cv2", "numba", "scipy", "matplotlib", "opensim", "viser")
    code = (
        f"import sys; from marrow.cli import main; main(['systems']); print([n for n in {heavy} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_listing_systems_takes_less_than_half_a_second():
    """Of the processor, the best of three: other work on the machine does not count."""
    code = "import time; from marrow.cli import main; main(['systems']); print(time.process_time())"
    words = [sys.executable, "-c", code]
    took = [float(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[-1]) for _ in "123"]
    assert min(took) < 0.5


# ---------------------------------------------------------------------------------------------------------------------
# Benches
# ---------------------------------------------------------------------------------------------------------------------


def test_a_real_effect_is_found_and_its_absence_is_not(folder):
    entry = find("umeyama", folder)
    full = run_bench(entry.system, entry.module.bench, entry.module.Config(), "full")
    assert (full.verdict, full.n, full.seeds) == ("better", 600, (0, 1, 2))
    assert full.ci95[1] < 0
    assert full.difference == pytest.approx(full.with_ - full.without)
    # Points that fill space, with little noise, never mirror: both alignments are the same.
    config = entry.module.Config(points=20, thickness=1.0, noise=0.01)
    none = run_bench(entry.system, entry.module.bench, config, "quick")
    assert none.verdict == "cannot tell"
    assert none.difference == pytest.approx(0.0, abs=1e-12)
    higher = dataclasses.replace(entry.system, claim=dataclasses.replace(entry.system.claim, better="higher"))
    assert run_bench(higher, entry.module.bench, entry.module.Config(), "quick").verdict == "worse"


def test_another_real_effect():
    entry = load_file(Path(__file__).parent / "folder" / "ridge.py")
    found = run_bench(entry.system, entry.module.bench, entry.module.Config(), "full")
    assert (found.verdict, found.n) == ("better", 90)
    assert 1.0 < found.with_ < found.without, "the noise itself, variance 1, cannot be predicted"


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Frames of one person err alike; drawing whole people keeps the 95 % interval honest where frames would not."""
    hits = {"people": 0, "frames": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        person = np.repeat(rng.normal(size=30), 20)
        with_ = person + 0.3 * rng.normal(size=600) - 0.5
        labels = {"people": np.repeat(np.arange(30), 20), "frames": np.arange(600)}
        for name, clusters in labels.items():
            low, high = compare(Paired(with_, np.zeros(600), clusters, (0,), "x"))["ci95"]
            hits[name] += low <= -0.5 <= high
    assert hits["people"] >= 0.85 * 60
    assert hits["frames"] < 0.6 * 60


def returning(**changes: object) -> Callable:
    good = {"with_": [1.0, 2.0], "without": [2.0, 3.0], "clusters": [0, 1], "seeds": (0,), "data": "made up"}
    return lambda config, tier: Paired(**{**good, **changes})


@pytest.mark.parametrize(
    ("tier", "changes", "text"),
    [
        ("full", {}, "at least 3 seeds"),
        ("quick", {"seeds": (0, 1)}, "exactly 1 seed"),
        ("full", {"seeds": (0, 0, 0)}, "twice"),
        ("quick", {"data": " "}, "Paired.data"),
        ("quick", {"without": [1.0]}, "one value of each"),
        ("quick", {"with_": [1.0, np.nan]}, "NaN"),
        ("quick", {"clusters": [0, 0]}, "at least 2 clusters"),
        ("huge", {}, "quick or full"),
    ],
)
def test_benches_that_prove_nothing_are_refused(folder, tier, changes, text):
    system = find("umeyama", folder).system
    with pytest.raises(InputError, match=text):
        run_bench(system, returning(**changes), None, tier)


def test_results_are_read_for_what_they_are(folder):
    entry = find("umeyama", folder)
    assert status(entry.system, committed(entry.system, entry.path)) == "not measured yet"
    result = run_bench(entry.system, entry.module.bench, entry.module.Config(), "full")
    path = result_path(entry.system, entry.path)
    assert path == folder / "results" / "umeyama.json"
    write_result(path, result)
    assert committed(entry.system, entry.path) == result
    assert status(entry.system, result) == "reproduced"
    worse = dataclasses.replace(result, verdict="cannot tell")
    assert status(entry.system, worse) == "not reproduced (cannot tell)"
    guessed = dataclasses.replace(entry.system, claim=dataclasses.replace(entry.system.claim, from_abstract=True))
    assert "not called reproduced" in status(guessed, result)
    write_result(path, dataclasses.replace(result, claim="It is faster."))
    with pytest.raises(InputError, match="measure again: marrow bench umeyama --tier full"):
        committed(entry.system, entry.path)


def test_results_of_own_systems_lie_in_the_source_tree():
    system = load_file_of_template()
    assert result_path(system, HERE / "x.py").parent == Path(__file__).parents[2] / "benchmarks" / "results"


def load_file_of_template():
    from marrow.systems import _template

    return _template.SYSTEM


# ---------------------------------------------------------------------------------------------------------------------
# Pages, parts and verbs
# ---------------------------------------------------------------------------------------------------------------------


def test_parts_are_read_from_the_imports(tmp_path):
    (tmp_path / "x.py").write_text(
        "import numpy\nfrom marrow.metrics import mpjpe\nfrom marrow.geometry import rotations\n"
        "def f():\n    from marrow.geometry.procrustes import align\n    from marrow.types import Motion\n"
    )
    parts = {part.name: part for part in parts_of(tmp_path / "x.py")}
    assert list(parts) == ["marrow.geometry.procrustes.align", "marrow.geometry.rotations", "marrow.metrics.mpjpe"]
    for name, word in (("marrow.geometry.procrustes.align", "def align"), ("marrow.metrics.mpjpe", "def mpjpe")):
        part = parts[name]
        assert part.path.read_text().splitlines()[part.line - 1].startswith(word)


def test_the_verbs(folder, capsys):
    there = ["--folder", str(folder)]
    assert main(["bench", "umeyama", *there]) == 0
    out = capsys.readouterr().out
    assert "better (200 independent units, 1 seed" in out
    assert not (folder / "results").exists(), "a quick result is no evidence and is not kept"
    assert main(["bench", "umeyama", "--tier", "full", "--json", *there]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["event"] == "bench"
    assert told["with"] == read_result(folder / "results" / "umeyama.json").with_
    assert main(["systems", "--json", "--pages", str(folder / "pages"), *there]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (row,) = [row for row in rows if row.get("id") == "umeyama"]
    assert row["status"] == "reproduced"
    assert row["measured"].startswith("-0.3")
    text = (folder / "pages" / "umeyama.md").read_text()
    assert main(["show", "umeyama", *there]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(text)
    assert re.search(r"marrow\.geometry\.procrustes\.align  .*procrustes\.py:\d+", shown)
    for needle in ("**Reproduced.**", "| with the idea | 0.2", "`points` | `5`", "procrustes.align", "```bibtex"):
        assert needle in text
    assert main(["systems", *there]) == 0
    table = capsys.readouterr().out
    assert table.split("\n")[0].split() == ["id", "task", "idea", "verb", "measured", "effect", "seconds"]
    assert "Rigid alignment" in table
    assert "-0.3" in table
    assert main(["systems", "--task", "cooking", *there]) == 2
    assert "no system is for 'cooking'; tasks: " in " ".join(capsys.readouterr().err.split())
    assert main(["cite", "umeyama", *there]) == 0
    assert "@article{umeyama1991," in capsys.readouterr().out


def test_verbs_refuse_what_is_not_there(folder, capsys):
    for words in (
        ["show", "nothing"],
        ["cite"],
        ["bench"],
        ["bench", "nothing"],
        ["new", "3D pose"],
        ["cite", "nothing"],
    ):
        assert main(words) == 2, words
        assert capsys.readouterr().err.startswith("marrow: ")
    before = (folder / "umeyama.py").read_text()
    assert main(["new", "umeyama", "--folder", str(folder)]) == 4
    told = capsys.readouterr().err
    assert "exists; nothing was overwritten" in told
    assert "--force" not in told, "the verb has none"
    assert main(["new", "umeyama", "--folder", str(folder / "umeyama.py")]) == 4
    assert (folder / "umeyama.py").read_text() == before
    assert main(["bench", "umeyama", "--tier", "slow", "--folder", str(folder)]) == 2


def test_one_failing_bench_does_not_stop_the_others(folder, capsys):
    edit(folder, ("    seeds = (0,)", "    raise ValueError('broken')\n    seeds = (0,)"), name="bad")
    assert main(["bench", "bad", "umeyama", "--folder", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert "better" in out
    assert "bad: its bench failed (ValueError: broken)" in err


def test_a_new_system_goes_among_marrows_own(monkeypatch, tmp_path, capsys):
    """Without a folder: into the source tree, and nothing else is touched."""
    import marrow.systems as systems

    monkeypatch.setattr(systems, "HERE", tmp_path)
    with_pyproject = tmp_path / "src" / "marrow" / "systems"
    with_pyproject.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(systems, "HERE", with_pyproject)
    assert main(["new", "mine"]) == 0
    assert [path.name for path in with_pyproject.iterdir()] == ["mine.py"]
    assert "tests/test_systems.py -k mine" in capsys.readouterr().out
    (tmp_path / "pyproject.toml").unlink()
    assert main(["new", "other"]) == 2
    assert "--folder" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_made(tmp_path):
    assert main(["new", "mine", "--folder", str(tmp_path / "a" / "b")]) == 0
    assert "mine" in discover(tmp_path / "a" / "b").entries


def test_the_template_names_itself_nowhere_else():
    """``marrow new`` replaces the name; a rest of it would end in every system."""
    text = TEMPLATE.read_text(encoding="utf-8")
    assert text.count("_template") == 2, "in id and verb"


def test_effects_are_improvements_whichever_way_the_figure_goes(folder, tmp_path):
    entry = find("umeyama", folder)
    result = run_bench(entry.system, entry.module.bench, entry.module.Config(), "full")
    higher = dataclasses.replace(entry.system, claim=dataclasses.replace(entry.system.claim, better="higher"))
    of = lambda system, **change: Measured(system, "Idea (paper).", dataclasses.replace(result, **change))  # noqa: E731
    (gain, low, high) = effects([of(entry.system)])[0]["gain"]
    assert 0 < low < gain < high < 100
    assert gain == pytest.approx(-100 * result.difference / result.without, abs=1e-3)
    assert effects([of(higher)])[0]["gain"] == [-gain, -high, -low]
    assert effects([of(entry.system, tier="quick"), Measured(entry.system, "", None)]) == []
    draw_effects([of(entry.system)], tmp_path / "effects.png")
    assert effects_drawn(tmp_path / "effects.png") == effects([of(entry.system)])
    text = overview([of(entry.system), Measured(higher, "No paper yet.", None)], "effects.png")
    assert "2 systems, 1 measured, the claimed effect found in 1." in text
    assert "| [umeyama](umeyama.md) | Idea | -0.3" in text
    assert "not measured yet" in text


def test_bibtex():
    from marrow.bench.system import Paper

    text = bibtex("skel", Paper("From Skin", ("A B", "C D"), 2023, arxiv="2509.06607"))
    assert "author = {A B and C D}" in text
    assert "journal = {arXiv:2509.06607}" in text
    assert text.count("{") == text.count("}")


def test_load_file_says_what_is_missing(tmp_path):
    (tmp_path / "x.py").write_text('"""Nothing."""\n')
    with pytest.raises(InputError, match="no SYSTEM"):
        load_file(tmp_path / "x.py")
