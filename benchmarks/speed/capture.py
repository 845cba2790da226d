"""How long the main road takes on the demo clip: milliseconds per frame and stage, cold compiles, peak memory.

    python benchmarks/speed/capture.py [--runs 5] [--out benchmarks/results/speed_capture.json]

Each run is a process of its own. "cold" starts with an empty cache of compiled code (the perception weights stay),
"warm" with a full one. Memory is the process's largest resident set; it is measured again on the clip played four
times in a row, to tell whether it grows with the video's length.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parents[1] / "results" / "speed_capture.json"


def one_run(source: str, overlay: bool) -> dict:
    """Capture and save once in this process; seconds from the first import on, per stage, and peak memory."""
    begin = time.perf_counter()
    import marrow

    _ = marrow.capture
    imported = time.perf_counter()
    last, stage_s = [imported, "import"], {}

    def progress(stage: str, done: int, total: int | None) -> None:
        now = time.perf_counter()
        stage_s[stage] = stage_s.get(stage, 0.0) + now - last[0]
        last[:] = [now, stage]

    capture = marrow.capture(source, progress=progress)
    captured = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        capture.save(Path(folder) / "out", overlay=overlay, progress=progress)
    end = time.perf_counter()
    return {
        "import_s": imported - begin,
        "capture_s": captured - imported,
        "save_s": end - captured,
        "stage_s": stage_s,
        "frames": len(capture.time),
        "person_frames": int(sum(len(person.track.frames) for person in capture.people)),
        "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_process(source: str, *, overlay: bool, cache: Path | None = None) -> dict:
    """The same in a new process, with compiled code kept in ``cache``."""
    environment = dict(os.environ)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache)
    command = [sys.executable, __file__, "--child", source, "--overlay" if overlay else "--no-overlay"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def four_times(clip: Path, folder: Path) -> Path:
    """The clip played four times in a row."""
    from marrow.io.video import open_source
    from marrow.io.writer import Writer

    source = open_source(clip)
    out = folder / "four.mp4"
    with Writer(out, source.size, fps=source.fps) as video:
        for _ in range(4):
            for frame in source:
                video.write(frame.image)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--child")
    parser.add_argument("--overlay", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(one_run(options.child, options.overlay)))
        return
    from marrow.assets import asset

    clip = str(asset("demo_video") / "demo.mp4")
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "numba"
        cold = in_process(clip, overlay=True, cache=cache)
        with_overlay = [in_process(clip, overlay=True, cache=cache) for _ in range(options.runs)]
        without = [in_process(clip, overlay=False, cache=cache) for _ in range(options.runs)]
        long = in_process(str(four_times(Path(clip), Path(folder))), overlay=False, cache=cache)
        shutil.rmtree(cache)

    def total(run: dict) -> float:
        return run["capture_s"] + run["save_s"]

    frames = without[0]["frames"]
    report = {
        "command": "python benchmarks/speed/capture.py",
        "clip": f"demo clip, {frames} frames, {without[0]['person_frames']} person-frames",
        "cores": os.cpu_count(),
        "runs": options.runs,
        "frames_per_s_without_overlay": spread([frames / total(run) for run in without]),
        "frames_per_s_with_overlay": spread([frames / total(run) for run in with_overlay]),
        "ms_per_frame": {
            stage: spread([1000 * run["stage_s"][stage] / frames for run in with_overlay])
            for stage in with_overlay[0]["stage_s"]
        },
        "import_s": spread([run["import_s"] for run in without]),
        "cold_run_s": round(cold["import_s"] + total(cold), 2),
        "cold_compile_s": round(total(cold) - float(np.median([total(run) for run in with_overlay])), 2),
        "peak_MiB": spread([run["peak_MiB"] for run in without]),
        "peak_MiB_with_overlay": spread([run["peak_MiB"] for run in with_overlay]),
        "peak_MiB_four_times_the_length": round(long["peak_MiB"]),
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def spread(values: list[float]) -> list[float]:
    """Minimum, median and maximum."""
    return [round(float(x), 2) for x in (np.min(values), np.median(values), np.max(values))]


if __name__ == "__main__":
    main()
