"""Speed of making synthetic pictures, and whether its memory grows with their number.

    python benchmarks/speed/synth.py [--count 60] [--out benchmarks/results/speed_synth.json]

Preset ``clean`` (one clothed person) at 256 by 256 pixels with all annotations and files, as ``marrow synth`` makes
them, on one and on two workers; and ``multi`` (up to ten people) at its own size. Told are wall times, and processor
times of one process on one thread, which a busy machine changes less. The first pictures of a process (which compile,
and read the body and the motions) are not timed; with two workers the clock runs from the first finished part of the
set to the last. Memory is the largest sum of the resident sets of the command and its workers, four times a second;
pages that they share count for each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from marrow.bench.result import machine
from marrow.data.synth.annotations import annotate
from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.making import make_set
from marrow.data.synth.samples import Recipe, make, scene_of
from marrow.data.synth.scenes import Choices

COMMAND = "python benchmarks/speed/synth.py"
RESULT = Path(__file__).parents[1] / "results" / "speed_synth.json"
CLEAN, MULTI = Recipe("clean", choices=Choices(size=(256, 256))), Recipe("multi")
#: Pictures a second on two cores, and how much the memory of 200 pictures may exceed that of 50.
LEAST, GROWTH = 40.0, 1.05
WARM = 3
#: Pictures of a set whose memory is looked at.
FEW, MANY = 50, 200


def one_thread(recipe: Recipe, count: int) -> dict[str, Any]:
    """Processor and wall milliseconds a picture: least, median and most of the pictures."""
    with threadpool_limits(limits=1, user_api="blas"):
        for index in range(WARM):
            list(make(recipe, 100_000 + index))
        processor, wall = [], []
        for index in range(count):
            began, turned = time.perf_counter(), time.thread_time()
            list(make(recipe, index))
            processor.append(time.thread_time() - turned)
            wall.append(time.perf_counter() - began)
    return {"processor_ms": spread(processor), "wall_ms": spread(wall), "mean_processor_ms": mean(processor)}


def stages(recipe: Recipe, count: int) -> dict[str, float]:
    """Mean processor milliseconds a picture of what a picture is made in; files are what is left."""
    steps = ("scene", "pose", "draw", "annotate")
    total = dict.fromkeys(steps, 0.0)
    with threadpool_limits(limits=1, user_api="blas"):
        for index in range(-WARM, count):
            times = [time.thread_time()]
            scene = scene_of(recipe, index if index >= 0 else 100_000 - index)
            times.append(time.thread_time())
            stage = set_stage(scene)
            times.append(time.thread_time())
            drawn = draw(stage)
            times.append(time.thread_time())
            annotate(drawn, 0)
            times.append(time.thread_time())
            if index >= 0:
                for step, low, high in zip(steps, times, times[1:], strict=False):
                    total[step] += high - low
    return {step: round(1e3 * seconds / count, 1) for step, seconds in total.items()}


def on_workers(workers: int, count: int) -> dict[str, float]:
    """Pictures a second of a whole set, and the largest memory, MiB."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as told:
        command = [
            sys.executable,
            __file__,
            "--child",
            str(workers),
            "--count",
            str(count),
            "--folder",
            folder + "/set",
        ]
        child = subprocess.Popen(command, stdout=told)
        peak = 0.0
        while child.poll() is None:
            peak = max(peak, resident(child.pid))
            time.sleep(0.25)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
        told.seek(0)
        seconds, made = json.loads(told.read().splitlines()[-1])
    return {"pictures_per_s": round(made / seconds, 2), "peak_MiB": round(peak)}


def whole_set(workers: int, count: int, folder: str) -> tuple[float, int]:
    """Seconds from the first finished part of a set to the last, and how many pictures were made in them."""
    seen: list[tuple[float, int]] = []

    def progress(_: str, done: int, total: int | None) -> None:
        if done:
            seen.append((time.perf_counter(), done))

    make_set(CLEAN, folder, count, workers=workers, layout="folder", progress=progress)
    return seen[-1][0] - seen[0][0], seen[-1][1] - seen[0][1]


def resident(pid: int) -> float:
    """MiB of a process and all that it started (Linux)."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:  # ended in between
            continue
        parents[int(path.parent.name)], sizes[int(path.parent.name)] = int(fields[1]), int(fields[21])
    own = {pid}
    while more := {child for child, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(sizes.get(p, 0) for p in own) * os.sysconf("SC_PAGE_SIZE") / 2**20


def spread(seconds: list[float]) -> list[float]:
    """Least, median and most, milliseconds."""
    return [round(1e3 * float(x), 1) for x in (np.min(seconds), np.median(seconds), np.max(seconds))]


def mean(seconds: list[float]) -> float:
    return round(1e3 * float(np.mean(seconds)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60, help="pictures that are timed")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--note", default="", help="what else to tell of the machine")
    parser.add_argument("--child", type=int)
    parser.add_argument("--folder")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(whole_set(options.child, options.count, options.folder)))
        return
    load = os.getloadavg()[0]
    one = one_thread(CLEAN, options.count)
    few, many = on_workers(2, FEW), on_workers(2, MANY)
    single = on_workers(1, max(options.count, 20))
    quick = 2e3 / one["mean_processor_ms"]
    report = {
        "command": COMMAND,
        "machine": machine(),
        "note": options.note,
        "load_average": {"start": round(load, 2), "end": round(os.getloadavg()[0], 2)},
        "pictures": options.count,
        "claims": [
            {"claim": f"at least {LEAST:g} pictures a second on two cores", "wall": many["pictures_per_s"],
             "by_processor_time": round(quick, 1), "holds": many["pictures_per_s"] >= LEAST},
            {"claim": f"{MANY} pictures take no more memory than {FEW} (5 % allowed)", "MiB": many["peak_MiB"],
             "of_few_MiB": few["peak_MiB"], "holds": many["peak_MiB"] <= GROWTH * few["peak_MiB"]},
        ],
        "clean_256": {"one_thread": one, "stages_processor_ms": stages(CLEAN, options.count),
                      "one_worker": single, "two_workers": many},
        "multi": one_thread(MULTI, max(options.count // 5, 2)),
    }  # fmt: skip
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
