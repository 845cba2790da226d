"""One schema for every committed measurement, ``benchmarks/results/<system>.json``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marrow.errors import InputError

VERDICTS = ("better", "worse", "cannot tell", "not reproduced")


@dataclass(frozen=True)
class BenchResult:
    """A claim and what was measured about it.

    Attributes:
        system: what was measured.
        claim: one sentence that the numbers can refute.
        tier: ``"quick"`` or ``"full"``.
        data: what it was measured on, one line.
        seeds: seeds of the runs.
        n: number of independent units (clips, people).
        metric: name and unit of ``with_``, ``without`` and ``difference``.
        with_: the figure with the claimed idea (written as ``with``).
        without: the figure without it.
        difference: ``with - without``.
        ci95: low and high end of the difference's 95 % interval.
        verdict: one of ``VERDICTS``.
        seconds: wall time of the measurement.
        machine: processor family and count, versions.
        commit: of the code that ran; ends in ``+`` when the tree had changes.
        command: what to type to repeat it.
        details: every further figure, nested plain data.
    """

    system: str
    claim: str
    tier: str
    data: str
    seeds: tuple[int, ...]
    n: int
    metric: str
    with_: float
    without: float
    difference: float
    ci95: tuple[float, float]
    verdict: str
    seconds: float
    machine: str
    commit: str
    command: str
    details: Mapping[str, Any] = field(default_factory=dict)


def verdict(ci95: tuple[float, float], *, lower_is_better: bool = True) -> str:
    """Read an interval of ``with - without``: better, worse, or cannot tell when it holds 0."""
    low, high = ci95
    if low <= 0 <= high:
        return "cannot tell"
    return "better" if (high < 0) == lower_is_better else "worse"


def write_result(path: str | Path, result: BenchResult) -> None:
    """Write a result as indented JSON, whole or not at all."""
    values = {("with" if k == "with_" else k): v for k, v in result.__dict__.items()}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
    os.replace(draft, path)


def read_result(path: str | Path) -> BenchResult:
    """Read and check a committed result.

    Raises:
        InputError: a field is missing, unknown, of the wrong kind, or contradicts another.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise InputError(f"{path.name}: not JSON ({error})") from None
    values = {("with_" if k == "with" else k): v for k, v in values.items()}
    expected = set(BenchResult.__dataclass_fields__)
    if set(values) != expected:
        raise InputError(f"{path.name}: missing or unknown fields {sorted(set(values) ^ expected)}")
    for name in ("with_", "without", "difference", "seconds"):
        if not isinstance(values[name], (int, float)):
            raise InputError(f"{path.name}: {name} must be a number, got {values[name]!r}")
    values["seeds"], values["ci95"] = tuple(values["seeds"]), tuple(values["ci95"])
    result = BenchResult(**values)
    if result.verdict not in VERDICTS or len(result.ci95) != 2 or result.ci95[0] > result.ci95[1]:
        raise InputError(f"{path.name}: verdict {result.verdict!r} or interval {result.ci95} is not valid")
    if abs(result.with_ - result.without - result.difference) > 1e-3 * max(1.0, abs(result.difference)):
        raise InputError(f"{path.name}: difference {result.difference} is not with - without")
    return result


def machine() -> str:
    """Processor family, number of usable cores and Python version, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def commit(folder: str | Path = ".") -> str:
    """Short name of the commit in ``folder``, with ``+`` when tracked files differ; ``"unknown"`` outside git."""
    try:
        name = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changed else "")


def _git(folder: str | Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
