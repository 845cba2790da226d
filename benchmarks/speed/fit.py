"""Milliseconds per frame and iteration of the fit, by stage, on a synthetic person; and of the read-out.

    python benchmarks/speed/fit.py [--frames 240] [--repeat 15] [--out benchmarks/results/speed_fit.json]

Times are processor times of one thread (best of ``--repeat``), so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from marrow.bench.result import machine
from marrow.body import load_body
from marrow.body.keypoints import keypoint_sources
from marrow.fit import Evidence, FitOptions, View, arrow, fit, pipeline, solver, uncertainty
from marrow.fit._fast_residuals import Shared
from marrow.fit.problem import prepare
from marrow.fit.riders import make_riders
from marrow.fit.starts import starts
from marrow.geometry.projection import camera_from_fov, project, to_camera
from marrow.skeleton import Skeleton
from marrow.types import Camera

COMMAND = "python benchmarks/speed/fit.py --out benchmarks/results/speed_fit.json"
JOINT_SET = "blazepose33"


def walking(frames: int) -> tuple[Evidence, np.ndarray]:
    """Keypoints and 3-D landmarks of somebody swinging legs and arms four metres before the camera."""
    body = load_body()
    skeleton = Skeleton.inside(body.rest().landmarks)
    t = np.arange(frames) / 30.0
    q = np.zeros((frames, len(skeleton.coordinates)))
    for side, phase in (("r", 0.0), ("l", np.pi)):
        for name, mean, swing in (("hip_flexion", 0.1, 0.4), ("knee_angle", 0.5, 0.4), ("gh_flex", 0.0, -0.4)):
            q[:, skeleton.index(f"{name}_{side}")] = mean + swing * np.sin(5.0 * t + phase)
    q[:, 4] = 0.95
    riders = make_riders(body, list(keypoint_sources(JOINT_SET)), (), {})
    _, local, _ = riders.templates(np.zeros((1, 0)))
    R, p = skeleton.forward(q)
    points, e = np.zeros((frames, len(riders.entries), 3)), 0
    for k, entries in enumerate(riders.entries):
        for segment, weight in entries:
            points[:, k] += R[:, segment] @ local[0, e] + weight * p[:, segment]
            e += 1
    K = camera_from_fov((1280, 720), 60.0).K
    camera = Camera(K, (1280, 720), np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.9, 4.0]))
    xy = project(camera, points) + np.random.default_rng(0).normal(0, 4.0, (frames, len(riders.entries), 2))
    world = to_camera(camera, points)
    view = View(camera, xy, np.ones(xy.shape[:2]), JOINT_SET)
    return Evidence((view,), world - world[:, 23:25].mean(1, keepdims=True)), t


def best(run: Callable[[], object], repeat: int) -> float:
    """Seconds of processor time, after one run that compiles."""
    run()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def measure(frames: int, repeat: int) -> dict[str, float]:
    """Milliseconds by stage."""
    evidence, t = walking(frames)
    options = FitOptions()
    start = time.process_time()
    fit([evidence], t, options=options)
    first = time.process_time() - start
    prepared = prepare(evidence, t, load_body(), options, feet=True)
    setting = pipeline.setting_of([evidence], options, focal_known=True, static=True, floor=True)
    problem = solver.with_contact(prepared.problem, np.full((frames, len(prepared.feet)), 0.5))
    state, shared = starts(prepared)[0], Shared(1.0, setting.up, 0.0)
    scales = pipeline.scales(options, 2, setting, True)
    linear = problem.linearised(state.shape)
    normal = solver.evaluate(problem, linear, state, shared, scales)
    damping = np.full(len(normal.g), 1.0)
    factor = arrow.factorise(normal, damping)
    assert factor is not None
    per_frame = 1e3 / frames
    residuals = best(lambda: solver.evaluate(problem, linear, state, shared, scales), repeat) * per_frame
    band = best(lambda: arrow.factorise(normal, damping), repeat) * per_frame
    return {
        "unknowns_per_frame": problem.model.size,
        "residuals_and_derivatives_ms_per_frame_iteration": residuals,
        "band_and_border_ms_per_frame_iteration": band,
        "iteration_ms_per_frame": residuals + band,
        "shape_derivatives_ms": best(lambda: problem.linearised(state.shape), repeat) * 1e3,
        "selected_inverse_ms_per_frame": best(lambda: uncertainty.diagonal_blocks(factor, problem.model.size), 3)
        * per_frame,
        "whole_fit_ms_per_frame": best(lambda: fit([evidence], t, options=options), 2) * per_frame,
        "first_fit_s": first,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    found = measure(args.frames, args.repeat)
    for name, value in found.items():
        print(f"{name:52s} {value:9.3f}")
    if args.out is not None:
        args.out.write_text(
            json.dumps({"command": COMMAND, "frames": args.frames, "machine": machine(), **found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
