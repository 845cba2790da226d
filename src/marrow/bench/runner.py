"""Running a system's bench: the paired difference, its interval over whole clusters, and what it says of the claim."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from marrow.bench.result import BenchResult, commit, machine, read_result, verdict
from marrow.bench.system import SEEDS, TIERS, Paired, System
from marrow.errors import InputError, MarrowError
from marrow.metrics.bootstrap import paired_difference

_PACKAGE = Path(__file__).parents[1]

#: The quick tier is for every change, so it has to be quick: seconds.
QUICK_S = 60.0


def run_bench(system: System, bench: Callable[[Any, str], Paired], config: Any, tier: str) -> BenchResult:
    """Measure a system's claim.

    Args:
        system: whose claim.
        bench: the ``bench(config, tier)`` of its file.
        config: of the system.
        tier: ``"quick"`` (one seed) or ``"full"`` (at least three).

    Raises:
        InputError: unknown tier, or a bench whose figures do not pair, are not finite or have too few seeds or units.
    """
    if tier not in TIERS:
        raise InputError(f"tier: expected {' or '.join(TIERS)}, got {tier!r}")
    start = time.perf_counter()
    try:
        found = bench(config, tier)
    except MarrowError:
        raise
    except Exception as error:  # a stranger's code may fail in any way, which is then no fault of marrow's
        raise InputError(f"{system.id}: its bench failed ({type(error).__name__}: {error})") from error
    seconds = time.perf_counter() - start
    _check(system, found, tier)
    facts = compare(found, better=system.claim.better)
    return BenchResult(
        system=system.id,
        claim=system.claim.text,
        tier=tier,
        data=found.data,
        seeds=tuple(int(seed) for seed in found.seeds),
        metric=system.claim.metric,
        seconds=round(seconds, 2),
        machine=machine(),
        commit=commit(_PACKAGE),
        command=f"marrow bench {system.id} --tier {tier}",
        details=dict(found.details),
        **facts,
    )


def compare(found: Paired, *, better: str = "lower") -> dict[str, Any]:
    """Means with and without, their paired difference with its 95 % interval, and the verdict.

    The figures of a :class:`BenchResult`; a bench may put further comparisons of this kind into its details.

    Raises:
        InputError: shapes that do not match, values that are not finite, or fewer than 2 clusters.
    """
    interval = paired_difference(found.with_, found.without, found.clusters)
    with_, without = float(np.mean(np.asarray(found.with_))), float(np.mean(np.asarray(found.without)))
    ci95 = (interval.low, interval.high)
    return {
        "n": interval.clusters,
        "with_": with_,
        "without": without,
        "difference": with_ - without,
        "ci95": ci95,
        "verdict": verdict(ci95, lower_is_better=better == "lower"),
    }


def _check(system: System, found: Paired, tier: str) -> None:
    seeds = found.seeds
    if len(set(seeds)) != len(seeds):
        raise InputError(f"{system.id}: the bench names a seed twice: {seeds}")
    if len(seeds) < SEEDS[tier] or (tier == "quick" and len(seeds) > 1):
        wanted = "exactly 1 seed" if tier == "quick" else f"at least {SEEDS[tier]} seeds"
        raise InputError(f"{system.id}: the {tier} tier takes {wanted}, its bench used {len(seeds)}")
    if not found.data.strip():
        raise InputError(f"{system.id}: the bench must say in one line what it was measured on (Paired.data)")


def result_path(system: System, file: Path) -> Path:
    """Where the result of a system lies.

    Args:
        system: the entry.
        file: its file. Results of marrow's own systems lie in ``benchmarks/results`` of the source tree, or in the
            installed package; those of others in ``results`` beside their file.
    """
    if file.parent != _PACKAGE / "systems":
        return file.parent / "results" / f"{system.id}.json"
    source = _PACKAGE.parents[1] / "benchmarks" / "results"
    return (source if source.is_dir() else _PACKAGE / "benchmark_results") / f"{system.id}.json"


def committed(system: System, file: Path) -> BenchResult | None:
    """The result of a system (of the file ``file``) that was kept, or None.

    Raises:
        InputError: it is damaged, belongs to another system or to an earlier claim.
    """
    path = result_path(system, file)
    if not path.is_file():
        return None
    result = read_result(path)
    for name, said, expected in (
        ("system", result.system, system.id),
        ("claim", result.claim, system.claim.text),
        ("metric", result.metric, system.claim.metric),
    ):
        if said != expected:
            raise InputError(
                f"{path.name}: its {name} is {said!r}, the system's {expected!r}; measure again: "
                f"marrow bench {system.id} --tier full"
            )
    return result


def status(system: System, result: BenchResult | None) -> str:
    """In a few words what was found of the claim."""
    if result is None or result.tier != "full":
        return "not measured yet"
    if result.verdict != "better":
        return f"not reproduced ({result.verdict})"
    return (
        "effect found; built from the abstract, so not called reproduced"
        if system.claim.from_abstract
        else "reproduced"
    )


def effect_text(result: BenchResult) -> str:
    """``-3.10 (95 % interval -3.52 to -2.71)``."""
    low, high = result.ci95
    return f"{result.difference:+.3g} (95 % interval {low:+.3g} to {high:+.3g})"
