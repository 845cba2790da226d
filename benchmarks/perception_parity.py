"""Does our BlazePose (LiteRT, own pre- and post-processing) say what Google's ``mediapipe`` package says?

``mediapipe`` needs numpy < 2, so it runs in an environment of its own::

    python3.12 -m venv /tmp/mp && /tmp/mp/bin/pip install mediapipe==0.10.21
    python benchmarks/perception_parity.py --oracle /tmp/mp/bin/python

Both get the same frames of the demo clip, cut so that one person is in view, since ``mediapipe`` follows only one. Two
ways of working are compared: video (region carried from frame to frame) and single pictures (search in each frame).
Differences are distances of the 33 landmarks in the image over the height of the person's box. The report goes to
``benchmarks/results/perception_parity.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

REPORT = Path(__file__).parent / "results" / "perception_parity.json"
#: Name → (first frame, one past the last, x0, y0, x1, y1): the man alone, the woman alone.
CUTS = {"man": (0, 85, 100, 0, 1094, 994), "woman": (48, 102, 888, 114, 1768, 994)}


def oracle(frames: np.ndarray, static: bool) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks (N, 33, 2) in pixels and (N, 33, 3) in metres by ``mediapipe``; NaN where it finds nobody."""
    import mediapipe  # type: ignore[import-not-found]

    size = np.array([frames.shape[2], frames.shape[1]])
    xy, world = np.full((len(frames), 33, 2), np.nan), np.full((len(frames), 33, 3), np.nan)
    settings = {"static_image_mode": static, "model_complexity": 1, "smooth_landmarks": False}
    with mediapipe.solutions.pose.Pose(**settings) as pose:
        for i, frame in enumerate(frames):
            found = pose.process(frame)
            if found.pose_landmarks:
                xy[i] = np.array([[p.x, p.y] for p in found.pose_landmarks.landmark]) * size
                world[i] = [[p.x, p.y, p.z] for p in found.pose_world_landmarks.landmark]
    return xy, world


def ours(frames: np.ndarray, static: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same by marrow, and the height (N,) of the box; of several people the first one."""
    from marrow.detect import BlazePose

    detector = BlazePose(threads=2)
    xy, world = np.full((len(frames), 33, 2), np.nan), np.full((len(frames), 33, 3), np.nan)
    height = np.full(len(frames), np.nan)
    region = None
    for i, frame in enumerate(frames):
        if static or region is None:
            found = detector.detect(frame)
        else:
            found = detector.detect(frame, follow=[region], places=())
        region = found[0].region if found else None
        if found and found[0].world is not None:
            xy[i], world[i], height[i] = found[0].xy, found[0].world, found[0].box[3] - found[0].box[1]
    return xy, world, height


def compare(cut: np.ndarray, python: str, static: bool) -> dict[str, float | int]:
    """Run both on one cut and summarise."""
    with tempfile.TemporaryDirectory() as folder:
        frames, answer = Path(folder) / "frames.npy", Path(folder) / "answer.npz"
        np.save(frames, cut)
        mode = "static" if static else "video"
        subprocess.run([python, __file__, "--answer", str(frames), str(answer), mode], check=True, capture_output=True)
        with np.load(answer) as theirs:
            their_xy, their_world = theirs["xy"], theirs["world"]
    xy, world, height = ours(cut, static)
    both = np.isfinite(xy[:, 0, 0]) & np.isfinite(their_xy[:, 0, 0])
    away = np.linalg.norm(xy - their_xy, axis=-1)[both] / height[both, None]
    away_m = np.linalg.norm(world - their_world, axis=-1)[both]
    return {
        "frames": len(cut),
        "found_by_mediapipe": int(np.isfinite(their_xy[:, 0, 0]).sum()),
        "found_by_marrow": int(np.isfinite(xy[:, 0, 0]).sum()),
        "compared": int(both.sum()),
        "median_percent_of_height": round(100 * float(np.median(away)), 3),
        "p90_percent_of_height": round(100 * float(np.percentile(away, 90)), 3),
        "world_median_mm": round(1000 * float(np.median(away_m)), 1),
    }


def main() -> None:
    """Compare and write the report, or, in the other environment, answer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--oracle", help="python of an environment with mediapipe 0.10.21")
    parser.add_argument("--answer", nargs=3, metavar=("FRAMES", "OUT", "MODE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.answer:
        frames, out, mode = chosen.answer
        xy, world = oracle(np.load(frames), mode == "static")
        np.savez(out, xy=xy, world=world)
        return
    if not chosen.oracle:
        sys.exit("perception_parity: give --oracle, the python of an environment with mediapipe==0.10.21 installed")
    from marrow.assets import asset, credit
    from marrow.io.video import open_source

    source = open_source(str(asset("demo_video") / "demo.mp4"))
    images = [frame.image for frame in source]
    report: dict = {"oracle": "mediapipe 0.10.21, pose, model_complexity 1, no smoothing", "clip": credit("demo_video")}
    report["command"] = "python benchmarks/perception_parity.py --oracle PYTHON"
    for name, (first, last, x0, y0, x1, y1) in CUTS.items():
        cut = np.stack([image[y0:y1, x0:x1] for image in images[first:last]])
        for mode, static in (("video", False), ("pictures", True)):
            report[f"{name}_{mode}"] = compare(cut, chosen.oracle, static)
            print(name, mode, report[f"{name}_{mode}"], flush=True)
    compared = [report[f"{name}_video"]["median_percent_of_height"] for name in CUTS]
    report["limit_percent_of_height"] = 1.5
    report["verdict"] = "agrees" if max(compared) <= 1.5 else "differs"
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
