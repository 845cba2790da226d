"""How many of the people in synthetic pictures does the main road's detector find, and how far off are its points?

Pictures of the presets ``clean`` and ``hard`` are drawn and given to the detector as they would be in a file. A person
is found where a detection matches by AGORA's rule (:mod:`marrow.metrics.people`); the error is the mean distance of the
twelve points of shoulders, elbows, wrists, hips, knees and ankles from where ``body.keypoints`` places them, over the
longer side of the person's box. Shares and means have 95 % intervals over people (bootstrap). The report goes to
``benchmarks/results/synth_detection.json``; ``--table`` prints the table of docs/synth.md from it.

    python benchmarks/synth_detection.py --count 500
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPORT = Path(__file__).parent / "results" / "synth_detection.json"
#: Shoulders, elbows, wrists, hips, knees and ankles of blazepose33.
LIMBS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
SEED = 101

#: Factors and their bins: what of a person's record, and the edges.
FACTORS: dict[str, tuple[Callable[[dict], float], list[float]]] = {
    "elevation, degrees": (lambda p: p["elevation_deg"], [-90, -10, 0, 15, 30, 50, 90]),
    "age, years": (lambda p: p["age"], [0, 4, 10, 16, 30, 60, 91]),
    "hidden, %": (lambda p: 100 * (1 - p["visible_share"]), [-1e-9, 1, 10, 40, 101]),
    "in the picture, %": (lambda p: 100 * p["in_picture_share"], [0, 60, 90, 99.99, 101]),
    "distance, m": (lambda p: p["distance"], [0, 1, 2, 4, 8, 99]),
    "seen from, degrees from ahead": (lambda p: abs((p["azimuth_deg"] + 180) % 360 - 180), [0, 45, 90, 135, 181]),
}


def people_of(preset: str, count: int, seed: int) -> list[dict[str, Any]]:
    """A row for each person: factors, whether found, and the error as a share of the box (NaN where not found)."""
    from marrow.data.synth.annotations import annotate
    from marrow.data.synth.draw import draw, set_stage
    from marrow.data.synth.samples import Recipe, scene_of
    from marrow.detect import BlazePose
    from marrow.metrics.people import match_people
    from marrow.render.effects import jpeg

    detector, rows = BlazePose(), []
    for index in range(count):
        scene = scene_of(Recipe(preset, seed), index)
        drawn = draw(set_stage(scene))
        people = annotate(drawn, 0, maps=()).record["people"]
        found = detector.detect(jpeg(drawn.image, min(scene.disturbance.quality, 95)))
        truth = np.array(
            [[xy if xy is not None else [np.nan] * 2 for xy in p["joints"]["blazepose33"]["xy"]] for p in people], float
        )
        predicted = np.array([one.xy for one in found], float).reshape(-1, 33, 2)
        behind = ~np.isfinite(truth).all(-1)
        truth[behind] = np.nan
        use = [k for k in range(len(people)) if people[k]["box"] is not None and (~behind[k][LIMBS]).any()]
        pairs = match_people(predicted[:, LIMBS], truth[use][:, LIMBS]).pairs if use else []
        matched = {use[k]: i for i, k in pairs}
        for k in use:
            box = people[k]["box_whole"]
            error = np.nan
            if k in matched:
                away = np.linalg.norm(predicted[matched[k], LIMBS] - truth[k, LIMBS], axis=-1)
                error = float(np.nanmean(away) / max(box[2:]))
            factors = {name: float(of(people[k])) for name, (of, _) in FACTORS.items()}
            rows.append({"found": k in matched, "error": error, "extra": len(found) - len(pairs), **factors})
    return rows


def told(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Share found and mean and median error in percent, with intervals."""
    rng = np.random.default_rng(0)
    found = np.array([row["found"] for row in rows], float)
    error = 100 * np.array([row["error"] for row in rows])
    draws = rng.integers(0, len(rows), (2000, len(rows)))
    own = error[np.isfinite(error)]
    means = own[rng.integers(0, len(own), (2000, len(own)))].mean(1) if len(own) else np.array([np.nan])
    return {
        "people": len(rows),
        "found": round(100 * found.mean(), 1),
        "found95": [round(100 * v, 1) for v in np.quantile(found[draws].mean(1), [0.025, 0.975])],
        "error": round(float(own.mean()), 2) if len(own) else None,
        "error95": [round(float(v), 2) for v in np.quantile(means, [0.025, 0.975])] if len(own) else None,
        "median": round(float(np.median(own)), 2) if len(own) else None,
    }


def report(count: int) -> dict[str, Any]:
    from marrow.bench.result import commit, machine

    out: dict[str, Any] = {"command": f"python benchmarks/synth_detection.py --count {count}", "seed": SEED}
    for preset in ("clean", "hard"):
        start = time.perf_counter()
        rows = people_of(preset, count, SEED)
        by = {}
        for name, (_, edges) in FACTORS.items():
            values = np.array([row[name] for row in rows])
            for low, high in itertools.pairwise(edges):
                own = [row for row, v in zip(rows, values, strict=True) if low <= v < high]
                if len(own) >= 8:
                    by.setdefault(name, {})[f"{max(low, 0) if low == -1e-9 else low:g} to {high:g}"] = told(own)
        out[preset] = {"pictures": count, "all": told(rows), "by factor": by}
        out[preset]["seconds"] = round(time.perf_counter() - start)
    return out | {"machine": machine(), "commit": commit()}


def table(found: dict[str, Any]) -> str:
    lines = ["| preset | factor | people | found, % | error, % of the box |", "|---|---|---|---|---|"]
    for preset in ("clean", "hard"):
        rows = [("all", "", found[preset]["all"])]
        rows += [
            (name, f" {key}", one) for name, bins in found[preset]["by factor"].items() for key, one in bins.items()
        ]
        for name, key, one in rows:
            error = (
                "–"
                if one["error"] is None
                else f"{one['error']:.1f} ({one['error95'][0]:.1f} to {one['error95'][1]:.1f})"
            )
            share = f"{one['found']:.1f} ({one['found95'][0]:.1f} to {one['found95'][1]:.1f})"
            lines.append(f"| {preset} | {name}{key} | {one['people']} | {share} | {error} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, help="pictures of each preset")
    parser.add_argument("--table", action="store_true", help="print the table of the committed report")
    given = parser.parse_args()
    if given.table:
        print(table(json.loads(REPORT.read_text())))
    else:
        REPORT.write_text(json.dumps(report(given.count), indent=1) + "\n")
