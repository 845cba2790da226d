"""Synthetic truth: how far is the main road from it, and do its standard deviations hold?

    python benchmarks/main_road.py            # about 10 minutes on two cores
    python benchmarks/main_road.py --quick    # about one minute
    python benchmarks/main_road.py --lifter time --weights lifters --calibrate  # what is committed: 20 minutes

With a lifter, ``lifters`` has to hold weights that know no such clip: those that benchmarks/lifting.py trains.

Held-out motions (other clips of the training subjects, and another subject) on five bodies, two cameras each, a
detector that errs as ``marrow.bench.noise`` says. The claim: fitting all frames at once beats fitting each alone.
Writes ``benchmarks/results/main_road.json``; with ``--calibrate`` first the factors on the standard deviations, which
are fitted on other bodies, cameras and clips (:mod:`marrow.bench.intervals`).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from marrow.bench import intervals
from marrow.bench.noise import DetectorNoise, WorldNoise
from marrow.bench.reconstruct import (
    CONDITIONS,
    GROUPS,
    LIFTED,
    angle_names,
    columns,
    lifter_offset,
    observed,
    reconstruct,
)
from marrow.bench.result import BenchResult, commit, machine, verdict, write_result
from marrow.bench.scenes import PEOPLE, make_truth, shoot
from marrow.bench.second_opinion import best_mean, likeness, were_they_independent
from marrow.data.motion_pack import PackedMotion, motion_pack
from marrow.fit.priors import WEIGHTS, load_calibration
from marrow.lift.lifter import Lifter
from marrow.lift.shipped import NETWORKS, load_shipped
from marrow.metrics import bootstrap, paired_difference
from marrow.skeleton import tree as trees

ROOT = Path(__file__).resolve().parents[1]
FRAMES, SEED = 60, 20
ALL = {**CONDITIONS, **LIFTED}
KINDS = tuple(dict.fromkeys(told.kind for told in ALL.values()))
FRAMEWISE = ("landmarks", "keypoints only")  # conditions in which frames are fitted alone too
ALONE_LIFTED = "the lifter alone"
ALONE = slice(5, None, 10)  # frames that are also fitted each alone, in one camera of each scene
#: What limits the figures: the same with less noise, on the first body and camera.
QUIETER: dict[str, tuple[DetectorNoise, WorldNoise]] = {
    "exact keypoints and landmarks": (
        DetectorNoise(sd=0.0, outliers=0.0, hidden=0.0, lost=0.0),
        WorldNoise(direction_sd=0.0, length_sd=(0.0, 0.0)),
    ),
    "no constant part of the noise": (
        DetectorNoise(constant=0.0, drifting=0.7),
        WorldNoise(constant=0.0, drifting=0.7),
    ),
    "no outliers, nothing missing": (DetectorNoise(outliers=0.0, hidden=0.0, lost=0.0), WorldNoise()),
}


def clips(count: int) -> list[tuple[PackedMotion, int]]:
    """Held-out motions and where a window starts in each: subject 02, 01_12 to 01_14, some of each activity."""
    pack = motion_pack()
    walks = ("te_walking_6", "te_walking_10", "te_walking_15", "te_walking_20")
    chosen = [m for m in pack.select("A", "B") if not m.name.startswith("te_walking") or m.name in walks]
    rng = np.random.default_rng(SEED)
    picked = [(m, int(rng.integers(0, max(len(m.q) - FRAMES, 0) + 1))) for m in chosen]
    if count >= len(picked):
        return picked
    return [picked[i] for i in np.linspace(0, len(picked) - 1, count).astype(int)]


@functools.cache
def lifter_of(name: str | None, folder: Path | None) -> Lifter | None:
    """A lifter with the weights of a folder; one for each process."""
    return None if name is None or folder is None else load_shipped(name, folder / f"{name}.safetensors")


def work(job: tuple[str, int, int, str, int, tuple[str, ...], tuple[str | None, Path | None]]) -> list[dict[str, Any]]:
    """One body in one window: all cameras and conditions."""
    name, number, start, person, cameras, conditions, told = job
    lifter = lifter_of(*told)
    truth = make_truth(motion_pack().motion(name), person, start=start, frames=FRAMES)
    out = []
    for camera in range(cameras):
        seed = SEED + 1000 * number + 10 * list(PEOPLE).index(person)
        shot = shoot(truth, camera, seed, DetectorNoise(), WorldNoise())
        if lifter is not None:
            try:
                offset = lifter_offset(shot, lifter)[observed(shot)]
                out.append(_row(name, number, person, camera, ALONE_LIFTED, "lifter", offset))
            except Exception as error:
                out.append(_failure(name, number, person, camera, ALONE_LIFTED, error))
        for condition in conditions:
            if condition in ("focal unknown", "height unknown") and camera != number % cameras:
                continue
            try:
                both = condition in FRAMEWISE
                alone = ALONE if both and camera == 0 and (number + list(PEOPLE).index(person)) % 2 == 0 else None
                scores = reconstruct(shot, ALL[condition], lifter=lifter, alone=alone)
            except Exception as error:  # a failure is a result; it is counted and shown
                out.append(_failure(name, number, person, camera, condition, error))
                continue
            for method, score in scores.items():
                out.append(_row(name, number, person, camera, condition, method, score))
    if person == next(iter(PEOPLE)):
        for name_, levels in QUIETER.items():
            got = reconstruct(shoot(truth, 0, SEED + 1000 * number, *levels), CONDITIONS["landmarks"])
            out.append(_row(name, number, person, 0, name_, "sequence", got["sequence"]))
    return out


def _failure(clip: str, number: int, person: str, camera: int, condition: str, error: Exception) -> dict[str, Any]:
    return _row(clip, number, person, camera, condition, "failed", f"{type(error).__name__}: {error}")


def _row(clip: str, number: int, person: str, camera: int, condition: str, method: str, score: Any) -> dict[str, Any]:
    return {
        "clip": clip, "window": f"{clip}@{number}", "person": person, "camera": camera, "condition": condition,
        "method": method, "score": score,
    }  # fmt: skip


def select(rows: list[dict[str, Any]], condition: str, method: str) -> list[dict[str, Any]]:
    """Rows of one condition and method."""
    return [r for r in rows if r["condition"] == condition and r["method"] == method]


def pooled(rows: list[dict[str, Any]], field: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) observed frames of all rows of a per-frame error, and their clips."""
    values = [getattr(r["score"], field)[r["score"].observed] for r in rows]
    return np.concatenate(values), np.concatenate([[r["clip"]] * len(v) for r, v in zip(rows, values, strict=True)])


def angles(rows: list[dict[str, Any]], index: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Errors and standard deviations of some coordinates in observed frames, degrees, flat."""
    return intervals.angles([r["score"] for r in rows], index)


def joint_report(rows: list[dict[str, Any]], condition: str) -> dict[str, Any]:
    """Position errors of one condition, millimetres, sequence against frame by frame."""
    out: dict[str, Any] = {}
    for method in ("sequence", "same frames", "framewise"):
        own = select(rows, condition, method)
        if not own:
            continue
        out[method] = {}
        for field in ("mpjpe", "pa_mpjpe", "absolute", "root"):
            values, clip = pooled(own, field)
            interval = bootstrap(1e3 * values, clip)
            out[method][field + "_mm"] = _rounded(interval.estimate, interval.low, interval.high)
        out[method]["mpjpe_median_mm"] = round(float(np.median(1e3 * pooled(own, "mpjpe")[0])), 1)
        out[method]["pelvis_deg"] = round(float(np.degrees(np.median(pooled(own, "pelvis")[0]))), 1)
        out[method]["seconds"] = round(float(np.mean([r["score"].seconds for r in own])), 2)
    return out


def lifter_report(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """What a lifter changes, on the same scenes: MPJPE in mm with its interval, and median angle errors' shares."""
    out: dict[str, Any] = {}
    for with_, without in (("landmarks, lifted", "landmarks"), ("keypoints, lifted", "keypoints only")):
        own, other = select(rows, with_, "sequence"), select(rows, without, "sequence")
        if not own or len(own) != len(other):
            continue
        (a, clip), (b, _) = pooled(own, "mpjpe"), pooled(other, "mpjpe")
        difference = paired_difference(1e3 * a, 1e3 * b, clip)
        errors = {
            name: tuple(float(np.median(np.abs(angles(rows_, [i])[0]))) for rows_ in (own, other))
            for i, name in enumerate(names)
        }
        shares = {
            group: _share([np.abs(angles(rows_, columns(names, group))[0]) for rows_ in (own, other)])
            for group in GROUPS
        }
        out[without] = {
            "mpjpe_mm": _rounded(1e3 * a.mean(), 1e3 * b.mean()),
            "difference_mm": _rounded(difference.estimate, difference.low, difference.high),
            "what a lifter can add": _can_add(rows, other),
            "mpjpe share": round(float(a.mean() / b.mean()), 3),
            "angle shares": shares,
            ">= 15 % less joint error": bool(a.mean() <= 0.85 * b.mean()),
            ">= 15 % less angle error, mean of the groups": bool(np.mean(list(shares.values())) <= 0.85),
            "median error of each coordinate, with and without": {
                name: [round(value, 2) for value in pair] for name, pair in errors.items()
            },
        }
    return out


def _can_add(rows: list[dict[str, Any]], fitted: list[dict[str, Any]]) -> dict[str, Any]:
    """Errors of the lifter alone beside those of fits without it, and the least that any even use of both can reach."""
    scene = {(r["window"], r["person"], r["camera"]): r["score"] for r in select(rows, ALONE_LIFTED, "lifter")}
    pairs = [
        (r["score"].offset[r["score"].observed], scene[r["window"], r["person"], r["camera"]])
        for r in fitted if (r["window"], r["person"], r["camera"]) in scene
    ]  # fmt: skip
    own, lifted = (np.concatenate(part) for part in zip(*pairs, strict=True))
    together, weight = best_mean(own, lifted)
    apart, _ = were_they_independent(own, lifted)
    fit_, alone = (1e3 * float(np.nanmean(np.linalg.norm(e, axis=-1))) for e in (own, lifted))
    return {
        "mpjpe_mm of the fit without it, of the lifter alone": _rounded(fit_, alone),
        "correlation of their errors": round(likeness(own, lifted), 2),
        "best mean of both, weighed with the truth at hand, mm": round(1e3 * together, 1),
        "weight of the lifter in it": round(weight, 2),
        "the same if their errors were independent, mm": round(1e3 * apart, 1),
    }


def _share(errors: list[np.ndarray]) -> float:
    """Of the second's median, the first's."""
    return round(float(np.median(errors[0]) / np.median(errors[1])), 3)


def angle_report(rows: list[dict[str, Any]], condition: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Median absolute angle errors by group, degrees."""
    out: dict[str, Any] = {}
    for group in GROUPS:
        out[group] = {}
        for method in ("sequence", "same frames", "framewise"):
            own = select(rows, condition, method)
            if not own:
                continue
            error, _ = angles(own, columns(names, group))
            low, high = np.quantile(np.abs(error), [0.5, 0.9])
            out[group][method] = {"median": round(float(low), 2), "90 %": round(float(high), 2)}
    return out


def limits(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """MPJPE (mm) and median angle errors (degrees) of the first body and camera, with the noise and with less of it."""
    first = [r for r in rows if r["person"] == next(iter(PEOPLE)) and r["camera"] == 0]
    out: dict[str, Any] = {}
    for condition in ("landmarks", *QUIETER):
        own = select(first, condition, "sequence")
        if own:
            out[condition] = {"MPJPE mm": round(1e3 * float(pooled(own, "mpjpe")[0].mean()), 1)}
            for group in GROUPS:
                error, _ = angles(own, columns(names, group))
                out[condition][group] = round(float(np.median(np.abs(error))), 2)
    return out


def coverage_report(
    rows: list[dict[str, Any]], names: tuple[str, ...], factors: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """Coverage of the intervals, raw and with the factors of each condition's kind of evidence."""
    report: dict[str, Any] = {}
    for condition, told in ALL.items():
        scores = [r["score"] for r in select(rows, condition, "sequence")]
        if scores:
            known = factors.get(told.kind, {})
            report[condition] = {g: intervals.covered(scores, columns(names, g), names, known) for g in GROUPS}
    return report


def calibration_work(job: tuple[intervals.Job, tuple[str | None, Path | None]]) -> dict[str, Any]:
    """Scores of one scene of the calibration."""
    return intervals.work(job[0], lifter=lifter_of(*job[1]))


def calibrate(pool: ProcessPoolExecutor, told: tuple[str | None, Path | None]) -> dict[str, dict[str, float]]:
    """Fit the factors on people, cameras and clips that are not tested here, and write them."""
    scores = list(pool.map(calibration_work, [(job, told) for job in intervals.jobs()]))
    names = angle_names(trees.whole().coordinates)
    factors = {kind: load_calibration(kind) for kind in KINDS} | intervals.factors(scores, names)
    text = {"made_by": "benchmarks/main_road.py --calibrate", "commit": commit(ROOT), "factors": factors}
    (WEIGHTS / "calibration.json").write_text(json.dumps(text, indent=1) + "\n")
    print(f"written: {WEIGHTS / 'calibration.json'}; it changes reported standard deviations, not the raw ones here")
    return factors


def _rounded(*values: float) -> list[float]:
    return [round(v, 1) for v in values]


def targets(details: dict[str, Any]) -> dict[str, Any]:
    """The figures asked for, and whether they are met (known focal length and stature)."""
    out = {}
    for condition in (*FRAMEWISE, *LIFTED):
        if condition not in details["joints"]:
            continue
        joints, angle = details["joints"][condition], details["angles"][condition]
        got = joints["sequence"]["mpjpe_mm"][0]
        cover = [v["95 %"] for v in details["coverage"].get(condition, {}).values()]
        median = {group: angle[group]["sequence"]["median"] for group in ("hip flexion", "knee", "other leg")}
        own: dict[str, list[Any]] = {"MPJPE <= 70 mm": [got, got <= 70]}
        if "framewise" in joints:
            same, alone = joints["same frames"]["mpjpe_mm"][0], joints["framewise"]["mpjpe_mm"][0]
            own[">= 30 % below framewise"] = [round(1 - same / alone, 3), same <= 0.7 * alone]
        for group, limit in (("hip flexion", 6), ("knee", 6), ("other leg", 10)):
            own[f"{group} <= {limit} deg"] = [median[group], median[group] <= limit]
        own["coverage 90-98 % in every group"] = [cover, bool(cover) and all(0.9 <= c <= 0.98 for c in cover)]
        out[condition] = own
    return out


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 windows, 2 bodies, 1 camera")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bodies", type=int, default=len(PEOPLE), help="fewer bodies: the second and following")
    parser.add_argument("--cameras", type=int, default=2, help="cameras of each scene")
    parser.add_argument("--windows", type=int, default=99, help="at most so many, evenly chosen")
    parser.add_argument("--lifter", choices=tuple(NETWORKS), help="also with this lifter")
    parser.add_argument("--weights", type=Path, help="folder of weights of the lifter that know no held-out motion")
    parser.add_argument("--calibrate", action="store_true", help="write the factors that the run finds")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "main_road.json")
    args = parser.parse_args()
    if args.lifter is not None and args.weights is None:
        parser.error("--lifter needs --weights: those that ship have learnt from the motions that are held out here")
    began = time.perf_counter()
    windows = clips(6 if args.quick else args.windows)
    bodies = 2 if args.quick else args.bodies
    people = list(PEOPLE) if bodies >= len(PEOPLE) else list(PEOPLE)[1 : 1 + bodies]
    cameras = 1 if args.quick else args.cameras
    told = (args.lifter, args.weights)
    conditions = tuple(c for c, known in ALL.items() if args.lifter is not None or not known.lifted)
    jobs = [
        (m.name, n, start, person, cameras, conditions, told)
        for n, (m, start) in enumerate(windows)
        for person in people
    ]
    rows: list[dict[str, Any]] = []
    factors = {kind: load_calibration(kind) for kind in KINDS}
    with ProcessPoolExecutor(args.jobs) as pool:
        if args.calibrate:
            factors = calibrate(pool, told)
        for done, got in enumerate(pool.map(work, jobs), 1):
            rows += got
            print(
                f"\r{done} of {len(jobs)} scenes, {time.perf_counter() - began:.0f} s",
                end="",
                file=sys.stderr,
                flush=True,
            )
    print(file=sys.stderr)
    failures = [r for r in rows if r["method"] == "failed"]
    for failure in failures:
        print("failed:", failure)
    result = report(rows, failures, factors, args.quick, time.perf_counter() - began)
    show(result)
    part = args.quick or args.cameras < 2 or len(people) < len(PEOPLE) or args.windows < 99
    if part and args.out.name == "main_road.json":
        args.out = args.out.with_name("main_road_quick.json")
    write_result(args.out, result)
    print(f"written: {args.out}")


def report(
    rows: list[dict[str, Any]],
    failures: list[dict[str, Any]],
    factors: dict[str, dict[str, float]],
    quick: bool,
    seconds: float,
) -> BenchResult:
    """Everything measured, in the committed schema."""
    names = angle_names(trees.whole().coordinates)
    details: dict[str, Any] = {
        "joints": {c: joint_report(rows, c) for c in ALL if select(rows, c, "sequence")},
        "angles": {c: angle_report(rows, c, names) for c in ALL if select(rows, c, "sequence")},
        "lifter": lifter_report(rows, names),
        "what limits": limits(rows, names),
        "coverage": coverage_report(rows, names, factors),
        "factors": factors,
        "by clip": by_clip(rows),
        "by split": {
            split: round(1e3 * float(np.mean(pooled(own, "mpjpe")[0])), 1)
            for split, own in _by_split(select(rows, "landmarks", "sequence")).items()
        },
        "failures": [
            f"{f['window']} {f['person']} camera {f['camera']} {f['condition']}: {f['score']}" for f in failures
        ],
        "noise": {"detector": DetectorNoise().__dict__, "landmarks": WorldNoise().__dict__},
    }
    details["targets"] = targets(details)
    first, clip = pooled(select(rows, "landmarks", "same frames"), "mpjpe")
    second, _ = pooled(select(rows, "landmarks", "framewise"), "mpjpe")
    difference = paired_difference(1e3 * first, 1e3 * second, clip)
    ci95 = (round(difference.low, 2), round(difference.high, 2))
    return BenchResult(
        system="main_road",
        claim="fitting all frames at once has a lower MPJPE than fitting each frame alone, on the same evidence",
        tier="quick" if quick else "full",
        data=f"motion pack, splits A and B: {len({r['window'] for r in rows})} windows of {FRAMES} frames at 30 Hz, "
        f"{len({r['person'] for r in rows})} bodies, {len({r['camera'] for r in rows})} cameras; observed frames; "
        "simulated detector",
        seeds=(SEED,),
        n=difference.clusters,
        metric="MPJPE, 17 joints, root-aligned, camera axes, mm (known focal length and stature, 3-D landmarks)",
        with_=round(1e3 * float(first.mean()), 2),
        without=round(1e3 * float(second.mean()), 2),
        difference=round(1e3 * float(first.mean()), 2) - round(1e3 * float(second.mean()), 2),
        ci95=ci95,
        verdict=verdict(ci95),
        seconds=round(seconds, 1),
        machine=machine(),
        commit=commit(ROOT),
        command="python benchmarks/main_road.py" + " ".join(["", *sys.argv[1:]]),
        details=details,
    )


def by_clip(rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Mean MPJPE in mm of each window: sequence, sequence in the frames fitted alone, those frames alone."""
    methods = ("sequence", "same frames", "framewise")
    out: dict[str, list[float]] = {}
    for window in dict.fromkeys(r["window"] for r in rows):
        own = [r for r in rows if r["window"] == window]
        found = [1e3 * float(pooled(select(own, "landmarks", m), "mpjpe")[0].mean()) for m in methods]
        out[window] = _rounded(*found)
    return out


def _by_split(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    split = {m.name: m.split for m in motion_pack()}
    out: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        out[split[row["clip"]]].append(row)
    return out


def show(result: BenchResult) -> None:
    """Print the tables."""
    d = result.details
    print(f"{'MPJPE mm':16s}{'':14s}{'mean, 95 % interval':>22s}  median    PA   root  pelvis deg   s")
    for condition, methods in d["joints"].items():
        for method, got in methods.items():
            print(
                f"{condition:16s}{method:14s}{got['mpjpe_mm']!s:>22s}{got['mpjpe_median_mm']:8.1f}"
                f"{got['pa_mpjpe_mm'][0]:6.1f}{got['root_mm'][0]:7.1f}{got['pelvis_deg']:12.1f}{got['seconds']:6.2f}"
            )
    print(f"\n{'median |error| deg':20s}" + "".join(f"{c:>22s}" for c in d["angles"]))
    for group in GROUPS:
        cells = [
            f"{v[group]['sequence']['median']:.1f} ({v[group].get('framewise', {}).get('median', '-')})"
            for v in d["angles"].values()
        ]
        print(f"{group:20s}" + "".join(f"{c:>22s}" for c in cells))
    print(f"\n{'95 % coverage (raw)':20s}" + "".join(f"{c:>22s}" for c in d["coverage"]))
    for group in GROUPS:
        cells = [f"{v[group]['95 %']:.3f} ({v[group]['raw 95 %']:.3f})" for v in d["coverage"].values()]
        print(f"{group:20s}" + "".join(f"{c:>22s}" for c in cells))
    for without, changed in d["lifter"].items():
        shown = {k: v for k, v in changed.items() if not k.startswith("median error of each")}
        print(f"\na lifter, {without}: {shown}")
    print("\nwhat limits:", *(f"\n  {k}: {v}" for k, v in d["what limits"].items()))
    print("\nfactors:", d["factors"])
    for condition, goals in d["targets"].items():
        for goal, (value, met) in goals.items():
            print(f"{condition:16s} {goal:34s} {value} {'met' if met else 'MISSED'}")
    print(f"\n{result.verdict}: {result.difference:.1f} mm, 95 % {result.ci95}")


if __name__ == "__main__":
    main()
