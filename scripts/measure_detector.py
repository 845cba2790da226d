"""Measure what the main road's detector does to the truth, on drawn people: ``src/marrow/data/detector_errors.json``.

    python scripts/measure_detector.py --collect build/detector.npz
    python scripts/measure_detector.py build/detector.npz

The first draws pictures of the presets ``clean`` and ``hard`` and films of one person of 3 s (preset ``clips``, but
longer), shows them to the detector, matches people by AGORA's rule and keeps points, confidences and truth; several
such files may be given to the second, which makes the table that :mod:`marrow.data.detections` draws errors from.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from marrow.conventions import JOINT_SETS, SWAP
from marrow.data.detections import TABLE, kind_of
from marrow.data.synth.annotations import annotate
from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.presets import preset
from marrow.data.synth.samples import Recipe, scene_of
from marrow.data.synth.scenes import sample_scene
from marrow.detect import BlazePose, track
from marrow.metrics.people import match_people
from marrow.render.effects import jpeg
from marrow.types import Float64, Frame

JOINT_SET = "blazepose33"
SEED = 211
#: Shoulders, elbows, wrists, hips, knees and ankles.
LIMBS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
#: Points that decide whether sides are exchanged, and those that then are.
PARTS = {
    "body": (LIMBS, list(range(33))),
    "legs": ([25, 26, 27, 28], list(range(25, 33))),
    "arms": ([13, 14, 15, 16], list(range(13, 23))),
}
CLEARLY = 0.04
FACINGS = {"front": (0.35, np.inf), "side": (-0.35, 0.35), "back": (-np.inf, -0.35)}
KINDS = tuple(dict.fromkeys(kind_of(name) for name in JOINT_SETS[JOINT_SET]))
KIND_OF = np.array([KINDS.index(kind_of(name)) for name in JOINT_SETS[JOINT_SET]])
OF_KIND = [np.flatnonzero(kind == KIND_OF).tolist() for kind in range(len(KINDS))]
SIDE = np.array(
    [1.0 if "left" in n.split("_") else -1.0 if "right" in n.split("_") else 0.0 for n in JOINT_SETS[JOINT_SET]]
)
GRID = np.arange(0.0, 6.01, 0.25)
EDGES = (0.015, 0.03, 0.06, 0.12)
LEVELS = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
#: Samples that a row of quantiles needs.
FEWEST = 60
FIELDS = ("source", "clip", "frame", "found", "xy", "confidence", "truth", "seen", "camera", "visible_share")
SOURCES = ("clean", "hard", "clips")


# ---------------------------------------------------------------------------------------------------------------------
# Pictures and what the detector says
# ---------------------------------------------------------------------------------------------------------------------


def truths(record: dict) -> list[dict]:
    """Points of the people of a picture: pixels, metres in the camera's axes, and what is seen."""
    R, t = np.array(record["camera"]["R_cam_world"]), np.array(record["camera"]["t_cam_world"])
    out = []
    for person in record["people"]:
        told = person["joints"][JOINT_SET]
        xy = np.array([[np.nan] * 2 if one is None else one for one in told["xy"]], float)
        xyz = np.array(told["xyz"], float) @ R.T + t
        out.append({"truth": xy, "camera": xyz, "seen": told["seen"], "visible_share": person["visible_share"]})
        out[-1]["box"] = person["box"]
    return out


def pictures(name: str, count: int, detector: BlazePose, rows: list[dict]) -> None:
    for index in range(count):
        scene = scene_of(Recipe(name, SEED), index)
        drawn = draw(set_stage(scene))
        people = [one for one in truths(annotate(drawn, 0, maps=()).record) if one["box"] is not None]
        people = [one for one in people if np.isfinite(one["truth"]).all()]
        found = detector.detect(jpeg(drawn.image, min(scene.disturbance.quality, 95)))
        predicted = np.array([one.xy for one in found], float).reshape(-1, 33, 2)
        true = np.array([one["truth"] for one in people]).reshape(-1, 33, 2)
        pairs = match_people(predicted[:, LIMBS], true[:, LIMBS]).pairs if people else []
        matched = {k: i for i, k in pairs}
        for k, one in enumerate(people):
            own = found[matched[k]] if k in matched else None
            rows.append(row(name, index, 0, own and own.xy, own and own.confidence, one))


def films(count: int, seconds: float, rows: list[dict]) -> None:
    given = replace(preset("clips"), people=(1, 1), seconds=seconds)
    for index in range(count):
        scene = sample_scene("clips", given, SEED, index)
        frames, true = [], []
        for number in range(given.frames):
            drawn = draw(set_stage(scene, number))
            true.append(truths(annotate(drawn, 0, maps=()).record)[0])
            image = jpeg(drawn.image, min(scene.disturbance.quality, 95))
            frames.append(Frame(number, number / given.fps, image))
        tracks = track(iter(frames), fps=given.fps, max_people=1, threads=1)
        where = dict(zip(tracks[0].frames.tolist(), range(len(tracks[0].frames)), strict=True)) if tracks else {}
        for number, one in enumerate(true):
            k = where.get(number)
            own = None if k is None else tracks[0].keypoints
            rows.append(row("clips", index, number, own and own.xy[k], own and own.confidence[k], one))
        print(f"film {index}: found in {len(where)} of {len(frames)}", file=sys.stderr, flush=True)


def row(source: str, clip: int, frame: int, xy, confidence, one: dict) -> dict:
    return {
        "source": SOURCES.index(source), "clip": clip, "frame": frame, "found": xy is not None,
        "xy": np.full((33, 2), np.nan) if xy is None else xy,
        "confidence": np.zeros(33) if confidence is None else confidence,
        **{name: one[name] for name in ("truth", "camera", "seen", "visible_share")},
    }  # fmt: skip


def collect(path: Path, count: int, clips: int, seconds: float) -> None:
    rows: list[dict] = []
    start = time.perf_counter()

    def keep() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, allow_pickle=False, **{name: np.array([r[name] for r in rows], np.float32) for name in FIELDS}
        )
        print(f"{len(rows)} rows, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)

    if clips:
        films(clips, seconds, rows)
        keep()
    if count:
        detector = BlazePose()
        for name in ("clean", "hard"):
            pictures(name, count, detector, rows)
            keep()


# ---------------------------------------------------------------------------------------------------------------------
# What the errors are like
# ---------------------------------------------------------------------------------------------------------------------


class Errors(NamedTuple):
    """N people who were found: errors (N, 33, 2) as shares of the size, with the frame of the trunk of each.

    ``up`` (N, 2) unit vector from the hips to the shoulders, ``across`` (N, 2) from the right to the left shoulder over
    the size, ``facing`` (N,) their product over the trunk's length: above 0 from the front. ``swapped``: by the parts
    of :data:`PARTS`, (N,) where the detector's left is the right, of those parts; errors are after undoing that.
    """

    error: Float64
    confidence: Float64
    seen: NDArray[np.bool_]
    up: Float64
    across: Float64
    facing: Float64
    swapped: dict[str, NDArray[np.bool_]]
    clip: Float64
    frame: Float64


def errors_of(data: dict[str, NDArray]) -> Errors:
    data = {name: value[data["found"] > 0].astype(float) for name, value in data.items()}
    xy, true = data["xy"], data["truth"]
    size = np.ptp(true[:, LIMBS], axis=1).max(-1)
    trunk = true[:, [11, 12]].mean(1) - true[:, [23, 24]].mean(1)
    across = true[:, 11] - true[:, 12]
    length = np.linalg.norm(trunk, axis=-1)
    facing = (across[:, 1] * trunk[:, 0] - across[:, 0] * trunk[:, 1]) / length**2
    away = np.linalg.norm(xy - true, axis=-1) / size[:, None]
    mirrored = np.linalg.norm(xy - true[:, SWAP[JOINT_SET]], axis=-1) / size[:, None]
    swapped, undone = {}, true.copy()
    before = np.zeros(len(xy), bool)
    for part, (deciding, moved) in PARTS.items():
        a, b = away[:, deciding].mean(1), mirrored[:, deciding].mean(1)
        swapped[part] = (b < 0.5 * a) & (a > CLEARLY) & ~before
        before |= swapped[part] if part == "body" else False
        exchanged = np.ix_(swapped[part], moved)
        undone[exchanged] = true[:, SWAP[JOINT_SET]][exchanged]
    # a point of the left hidden behind the body is no more hidden when it is called the right one
    error = (xy - undone) / size[:, None, None]
    return Errors(
        error, data["confidence"], data["seen"] == 2, trunk / length[:, None], across / size[:, None], facing, swapped,
        data["clip"], data["frame"],
    )  # fmt: skip


def bias_of(errors: Errors) -> Float64:
    """(K, 2) mean error of each kind of point along the trunk and, outwards, along the shoulders (least squares without
    what is far off)."""
    out = np.zeros((len(KINDS), 2))
    for kind, own in enumerate(OF_KIND):
        target = np.concatenate([errors.error[:, j] for j in own])
        basis = np.concatenate([np.stack([errors.up, SIDE[j] * errors.across], -1) for j in own])
        for _ in range(5):
            left = np.linalg.norm(target - basis @ out[kind], axis=-1)
            keep = left < 3.5 * np.median(left)
            A, b = basis[keep].reshape(-1, 2), target[keep].reshape(-1)
            out[kind] = np.linalg.solve(A.T @ A + 1e-6 * np.eye(2), A.T @ b)
        if len(own) == 1:
            out[kind, 1] = 0.0
    return out


def residual_of(errors: Errors, bias: Float64) -> Float64:
    mean = bias[KIND_OF, 0, None] * errors.up[:, None] + (SIDE * bias[KIND_OF, 1])[:, None] * errors.across[:, None]
    return errors.error - mean


def standard(left: Float64, seen: NDArray[np.bool_]) -> Float64:
    """(N, 33, 2) what each error would be were it normal: the same direction, the length by its rank in its kind."""
    out = np.zeros_like(left)
    length = np.linalg.norm(left, axis=-1)
    for own in OF_KIND:
        for state in (True, False):
            who = np.zeros(seen.shape, bool)
            who[:, own] = seen[:, own] == state
            rank = (stats.rankdata(length[who]) - 0.5) / who.sum()
            out[who] = left[who] / np.maximum(length[who], 1e-9)[:, None] * np.sqrt(-2 * np.log1p(-rank))[:, None]
    return out


def mirrored_mean(matrix: Float64) -> Float64:
    swap = SWAP[JOINT_SET]
    return (matrix + matrix[np.ix_(swap, swap)]) / 2


def as_correlation(matrix: Float64) -> Float64:
    """The nearest matrix with ones on its diagonal and no eigenvalue below 0.01, roughly."""
    for _ in range(20):
        value, vector = np.linalg.eigh(matrix)
        matrix = (vector * np.maximum(value, 0.01)) @ vector.T
        scale = np.sqrt(np.diag(matrix))
        matrix = matrix / scale[:, None] / scale[None, :]
    return matrix


def spread_of_people(z: Float64, correlation: Float64) -> float:
    """Standard deviation of the logarithm of a person's own scale that makes lengths as alike as they are."""
    normal = stats.norm.ppf(np.clip(1 - np.exp(-(z**2).sum(-1) / 2), 1e-6, 1 - 1e-6))
    apart = np.triu_indices(33, 1)
    target = np.corrcoef(normal.T)[apart].mean()
    rng, factor = np.random.default_rng(0), np.linalg.cholesky(correlation)
    draws = np.einsum("jk,nkc->njc", factor, rng.normal(size=(4000, 33, 2)))
    best = (np.inf, 0.0)
    for sd in np.arange(0.0, 1.2, 0.05):
        length = np.linalg.norm(np.exp(sd * rng.normal(size=(4000, 1, 1))) * draws, axis=-1)
        ranks = stats.norm.ppf((stats.rankdata(length, axis=0) - 0.5) / len(length))
        best = min(best, (abs(float(np.corrcoef(ranks.T)[apart].mean() - target)), float(sd)))
    return best[1]


def lengths_of(left: Float64, seen: NDArray[np.bool_], spread: float) -> Float64:
    """(K, 2, G) length of an error, seen and hidden, at the lengths :data:`GRID` of a drawn standard error."""
    rng = np.random.default_rng(1)
    drawn = np.exp(spread * rng.normal(size=400_000)) * np.linalg.norm(rng.normal(size=(400_000, 2)), axis=-1)
    share = np.searchsorted(np.sort(drawn), GRID) / len(drawn)
    length = np.linalg.norm(left, axis=-1)
    out = np.zeros((len(KINDS), 2, len(GRID)))
    for kind, own in enumerate(OF_KIND):
        for hidden in (0, 1):
            values = length[:, own][seen[:, own] != bool(hidden)]
            out[kind, hidden] = np.quantile(values, np.clip(share, 0, 1 - 1 / len(values)))
            out[kind, hidden, 0] = 0.0
    return out


def confidence_of(errors: Errors, left: Float64) -> Float64:
    """(K, 2, bins, L) quantiles of the confidence by kind, seen and hidden, and the error's bin."""
    length = np.linalg.norm(left, axis=-1)
    where = np.searchsorted(EDGES, length)
    out = np.zeros((len(KINDS), 2, len(EDGES) + 1, len(LEVELS)))
    for kind, own in enumerate(OF_KIND):
        for hidden in (0, 1):
            state = errors.seen[:, own] != bool(hidden)
            for bin_ in range(len(EDGES) + 1):
                near = 0
                while True:  # where there are few, those of the bins beside count too
                    who = state & (np.abs(where[:, own] - bin_) <= near)
                    if who.sum() >= FEWEST or near > len(EDGES):
                        break
                    near += 1
                out[kind, hidden, bin_] = np.quantile(errors.confidence[:, own][who], LEVELS)
    return out


def times_of(films: list[NDArray], fps: float, valid: list[NDArray]) -> dict[str, float]:
    """Shares of the variance that stay and drift, and the drift's memory in seconds, of series (T, ...) of mean 0."""
    lags = np.unique(np.round(np.geomspace(1, 60, 16)).astype(int))
    found = []
    for lag in lags:
        top = bottom = 0.0
        for z, ok in zip(films, valid, strict=True):
            both = ok[lag:] & ok[:-lag]
            top += (z[lag:] * z[:-lag])[both].sum()
            bottom += both.sum()
        found.append(top / bottom)
    variance = np.concatenate([z[ok] for z, ok in zip(films, valid, strict=True)]).var()
    rho = np.array(found) / variance
    best = (np.inf, 0.0, 0.0, 0.1)
    for memory in np.geomspace(0.03, 1.5, 40):
        A = np.stack([np.ones(len(lags)), np.exp(-lags / fps / memory)], -1)
        shares, _ = optimize.nnls(A, rho)
        best = min(best, (float(((A @ shares - rho) ** 2).sum()), *map(float, shares), float(memory)))
    _, constant, drifting, memory = best
    total = max(constant + drifting, 1.0)
    return {"constant": constant / total, "drifting": drifting / total, "memory": memory}


def by_film(errors: Errors, values: NDArray) -> list[NDArray]:
    """Values of each film with a row for each frame, NaN where nobody was found."""
    out = []
    for clip in np.unique(errors.clip):
        own = errors.clip == clip
        rows = np.full((int(errors.frame.max()) + 1, *values.shape[1:]), np.nan)
        rows[errors.frame[own].astype(int)] = values[own]
        out.append(rows)
    return out


def measure(data: dict[str, NDArray]) -> dict:
    """The table."""
    source = data["source"].astype(int)
    of = {name: {k: v[source == SOURCES.index(name)] for k, v in data.items()} for name in SOURCES}
    still, rough, moving = (errors_of(of[name]) for name in SOURCES)
    bias = bias_of(still)
    left = residual_of(still, bias)
    z = standard(left, still.seen)
    correlation = as_correlation(mirrored_mean(np.einsum("njc,nkc->jk", z, z) / (2 * len(z))))
    spread = spread_of_people(z, correlation)
    lengths = lengths_of(left, still.seen, spread)
    hidden = ~still.seen
    share = np.array([hidden[:, own].mean() for own in OF_KIND])
    together = as_correlation(mirrored_mean(np.sin(np.pi / 2 * np.corrcoef(hidden.T))))

    fps = preset("clips").fps
    z_moving = standard(residual_of(moving, bias), moving.seen)
    series = by_film(moving, z_moving)
    rank = np.zeros(moving.confidence.shape)
    length = np.linalg.norm(residual_of(moving, bias), axis=-1)
    where = np.searchsorted(EDGES, length)
    for own in OF_KIND:
        for state in (True, False):
            for bin_ in range(len(EDGES) + 1):
                who = np.zeros(rank.shape, bool)
                who[:, own] = (moving.seen[:, own] == state) & (where[:, own] == bin_)
                if who.any():
                    rank[who] = stats.norm.ppf((stats.rankdata(moving.confidence[who]) - 0.5) / who.sum())
    hides = by_film(moving, (~moving.seen - share[KIND_OF]).astype(float))
    sure = by_film(moving, rank)
    found = by_film(moving, np.ones(len(moving.clip)))
    flips = by_film(moving, np.stack([moving.swapped[part] for part in PARTS], -1).astype(float))
    ok = [np.isfinite(one) for one in series]
    times = {
        "error": times_of([np.nan_to_num(one) for one in series], fps, ok),
        "hidden": times_of([np.nan_to_num(one) for one in hides], fps, [np.isfinite(one) for one in hides]),
        "confidence": times_of([np.nan_to_num(one) for one in sure], fps, [np.isfinite(one) for one in sure]),
    }
    alike = float(np.asarray(np.corrcoef(rank.T))[np.triu_indices(33, 1)].mean())
    swaps = {}
    for part in PARTS:
        rows = {}
        for name, (low, high) in FACINGS.items():
            both = [(e.swapped[part][(e.facing > low) & (e.facing <= high)]) for e in (still, moving)]
            # films count by people, not by frames: each of theirs is worth a ninth
            weight = np.concatenate([np.full(len(b), w) for b, w in zip(both, (1.0, 1 / 9), strict=True)])
            rows[name] = round(float((np.concatenate(both) * weight).sum() / (weight.sum() + 1.0)), 4)
        swaps[part] = rows
    missing = [np.isnan(one) for one in found]
    return {
        "kinds": list(KINDS),
        "bias": np.round(bias, 4).tolist(),
        "person_log_sd": round(spread, 3),
        "grid": GRID.tolist(),
        "length": np.round(lengths, 4).tolist(),
        "correlation": np.round(correlation, 2).tolist(),
        "hidden_share": np.round(share, 3).tolist(),
        "hidden_correlation": np.round(together, 2).tolist(),
        "swaps": swaps,
        "swap_run_s": round(run_length([one > 0.5 for one in flips]) / fps, 3),
        "lost": {
            "share": round(float(np.mean([m.mean() for m in missing])), 4),
            "run_s": round(run_length([m[:, None] for m in missing]) / fps, 3),
        },
        "edges": list(EDGES),
        "levels": list(LEVELS),
        "confidence": np.round(confidence_of(still, left), 3).tolist(),
        "confidence_alike": round(alike, 3),
        "times": {name: {k: round(v, 3) for k, v in own.items()} for name, own in times.items()},
        "found": {name: round(float(d["found"].mean()), 4) for name, d in of.items()},
        "quantiles": {name: summary(e, bias) for name, e in zip(SOURCES, (still, rough, moving), strict=True)},
        "hard_level": round(hard_level(still, rough, bias), 2),
    }  # fmt: skip


def run_length(films_: list[NDArray[np.bool_]]) -> float:
    """Mean number of frames of the runs of true values down the columns."""
    total = sum(int(one.sum()) for one in films_)
    starts = sum(int((one[1:] & ~one[:-1]).sum() + one[0].sum()) for one in films_)
    return total / max(starts, 1)


def summary(errors: Errors, bias: Float64) -> dict[str, list[float]]:
    """Quantiles (50, 90, 99 %) of the limb points' errors, seen and hidden, sides put right; and before that."""
    length = np.linalg.norm(residual_of(errors, bias), axis=-1)
    out = {}
    for name, state in (("seen", True), ("hidden", False)):
        own = length[:, LIMBS][errors.seen[:, LIMBS] == state]
        out[name] = [round(float(v), 4) for v in np.quantile(own, (0.5, 0.9, 0.99))]
    return out


def hard_level(still: Errors, rough: Errors, bias: Float64) -> float:
    """How much longer errors on hard pictures are, by the medians of seen and hidden limb points."""
    a, b = summary(still, bias), summary(rough, bias)
    return float(np.exp(np.mean([np.log(b[k][i] / a[k][i]) for k in a for i in (0, 1)])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="*", help="what --collect kept")
    parser.add_argument("--collect", type=Path, help="draw and detect, and keep that here")
    parser.add_argument("--count", type=int, default=600, help="pictures of each preset")
    parser.add_argument("--clips", type=int, default=54, help="films")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a film")
    parser.add_argument("--out", type=Path, default=TABLE)
    given = parser.parse_args()
    if given.collect:
        collect(given.collect, given.count, given.clips, given.seconds)
    if given.data:
        files = [np.load(path) for path in given.data]
        data = {name: np.concatenate([file[name] for file in files]) for name in FIELDS}
        counts = {name: int((data["source"] == k).sum()) for k, name in enumerate(SOURCES)}
        about = {
            "detector": "BlazePose GHUM full (MediaPipe 0.10.21)", "joint_set": JOINT_SET,
            "command": "python scripts/measure_detector.py --collect build/detector.npz; "
            "python scripts/measure_detector.py build/detector.npz",
            "people": counts, "unit": "longer side of the box around the twelve limb points",
        }  # fmt: skip
        given.out.write_text(text_of({"about": about, **measure(data)}))


def text_of(table: dict) -> str:
    """JSON with a line for each row of numbers."""
    lines = []
    for name, value in table.items():
        nested = isinstance(value, list) and value and isinstance(value[0], list)
        rows = ",\n  ".join(json.dumps(row) for row in value) if nested else json.dumps(value)
        lines.append(f' "{name}": ' + (f"[\n  {rows}\n ]" if nested else rows))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
