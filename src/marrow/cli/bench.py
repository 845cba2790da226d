"""``marrow bench``: measure the claim of a system."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, run_guarded, write_event


def run(
    ids: Annotated[tuple[str, ...], tyro.conf.Positional, option("Systems, or all; marrow systems lists them.", "ID…")],
    tier: Annotated[
        Literal["quick", "full"],
        option("quick (default): one seed, at most a minute; full: at least three seeds, the committed evidence."),
    ] = "quick",
    out: Annotated[
        Path | None,
        option(
            "Folder for ID.json. Without it a full result is kept where marrow systems looks for it: in "
            "benchmarks/results of the source tree, or in results beside a system of your own.",
            "DIR",
        ),
    ] = None,
    folder: Annotated[Path | None, option("Systems of your own to take in.", "DIR")] = None,
    json: Annotated[bool, option("One JSON line for each result.")] = False,
) -> int:
    """Measure what a paper's idea brings: with it and without it, on the same data, seeds and budget.

    The verdict is better, worse or cannot tell, by the 95 % interval of the paired difference over whole people or
    clips.
    """
    from marrow.errors import InputError
    from marrow.systems import discover

    if not ids:
        raise InputError("no ID was given; marrow systems lists them, and all takes every one")
    names = tuple(discover(folder).entries) if ids == ("all",) else ids
    first_error = 0
    for name in names:
        code = run_guarded(lambda name=name: _bench(name, tier, out, folder, json), as_json=json, source=name)
        first_error = first_error or code
    return first_error


def _bench(name: str, tier: str, out: Path | None, folder: Path | None, as_json: bool) -> int:
    from marrow.bench.result import write_result
    from marrow.bench.runner import QUICK_S, result_path, run_bench
    from marrow.systems import find

    entry = find(name, folder)
    result = run_bench(entry.system, entry.module.bench, entry.module.Config(), tier)
    path = None if out is None else out / f"{name}.json"
    if path is None and tier == "full":
        path = result_path(entry.system, entry.path)
    if path is not None:
        write_result(path, result)
    if as_json:
        facts: dict[str, Any] = {("with" if k == "with_" else k): v for k, v in dataclasses.asdict(result).items()}
        write_event("bench", file=path, **facts)
        return 0
    print(f"{name}: {result.claim}")
    low, high = result.ci95
    print_table(
        [
            {"": "with the idea", result.metric: _number(result.with_)},
            {"": "without it", result.metric: _number(result.without)},
            {"": "difference", result.metric: _number(result.difference)},
            {"": "95 % interval", result.metric: f"{_number(low)} to {_number(high)}"},
        ]
    )
    units = f"{result.n} independent units, {len(result.seeds)} seed{'s' if len(result.seeds) > 1 else ''}"
    print(f"{result.verdict} ({units}, {result.seconds:.1f} s; {result.data})")
    if tier == "quick" and result.seconds > QUICK_S:
        print(f"note: the quick tier took more than {QUICK_S:.0f} s")
    if path is not None:
        print(f"written: {path}")
    return 0


def _number(value: float) -> str:
    return f"{value:.4g}"
