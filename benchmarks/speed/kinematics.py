"""Speed of forward kinematics on one core: our skeleton, its plain numpy twin, and OpenSim on the exported model.

    python benchmarks/speed/kinematics.py [--repeats 9] [--out benchmarks/results/speed_kinematics.json]

The skeleton of the average adult without fingers, 10,000 poses drawn evenly from the ranges of all coordinates,
float64: ``Skeleton.forward`` (rotation and origin of every segment), the three functions of
``marrow.skeleton.kinematics`` that say the same in numpy, the Jacobian of all segments' origins (500 poses a call), and
``realizePosition`` of the model that ``write_osim`` writes, a pose at a time as its interface wants it (setting the
state's values included, reading the bodies not). Rotations and origins must agree. Times are processor times of one
thread; the jobs take turns, and minimum, median and maximum over the repeats are told.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from marrow.bench.result import machine
from marrow.body import load_body
from marrow.conventions import R_GROUND_WORLD, from_ground, to_ground
from marrow.skeleton import Skeleton, kinematics
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.osim.write import load_opensim, write_osim
from marrow.types import Float64

COMMAND = "python benchmarks/speed/kinematics.py --out benchmarks/results/speed_kinematics.json"
POSES, JACOBIANS, TWIN, OPENSIM = 10_000, 500, 2_000, 2_000


def random_poses(skeleton: Skeleton, count: int) -> Float64:
    """(count, D) within the ranges; the pelvis turned and moved anyhow."""
    low, high = np.nan_to_num(skeleton.ranges, posinf=1.0, neginf=-1.0).T
    return np.random.default_rng(0).uniform(low, high, (count, len(low)))


def plain(skeleton: Skeleton, q: Float64) -> tuple[Float64, Float64]:
    """The numpy twin of ``Skeleton.forward``."""
    tree = skeleton.tree
    places = kinematics.joint_places(tree, q, skeleton.offsets, skeleton.length)
    return kinematics.forward(tree, kinematics.joint_rotations(tree, q), places, from_ground(q[:, tree.translation]))


class Theirs:
    """The exported model in OpenSim."""

    def __init__(self, skeleton: Skeleton, q: Float64) -> None:
        self.osim = load_opensim()
        self.osim.Logger.setLevelString("Error")
        self.bodies = skeleton.bodies
        count = len(skeleton.bodies)
        masses = SegmentMasses(
            np.full(count, 1e-3), np.ones(count), np.zeros((count, 3)), np.tile(0.01 * np.eye(3), (count, 1, 1))
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "skeleton.osim"
            write_osim(path, skeleton, masses)
            self.model = self.osim.Model(str(path))
        self.state = self.model.initSystem()
        self.values = [self._vector(row) for row in q[:, self._order(skeleton)]]

    def _order(self, skeleton: Skeleton) -> list[int]:
        """Which of our coordinates stands where among the state's values."""
        own = np.arange(len(skeleton.coordinates)) / 1000.0
        for name, value in zip(skeleton.coordinates, own, strict=True):
            coordinate = self.model.getCoordinateSet().get(name)
            coordinate.set_clamped(False)
            coordinate.setValue(self.state, float(value), False)
        found = self.state.getQ().to_numpy()
        return [int(np.argmin(np.abs(own - value))) for value in found]

    def _vector(self, row: Float64) -> Any:
        out = self.osim.Vector(len(row), 0.0)
        for k, value in enumerate(row):
            out.set(k, float(value))
        return out

    def run(self) -> None:
        model, state = self.model, self.state
        for values in self.values:
            state.setQ(values)
            model.realizePosition(state)

    def apart(self, R: Float64, p: Float64) -> dict[str, float]:
        """Largest difference from frames R (T, B, 3, 3), p (T, B, 3) in the world."""
        worst = np.zeros(2)
        for t in range(0, len(self.values), 50):
            self.state.setQ(self.values[t])
            self.model.realizePosition(self.state)
            for b, name in enumerate(self.bodies):
                frame = self.model.getBodySet().get(name).getTransformInGround(self.state)
                turn = np.array([[frame.R().get(i, k) for k in range(3)] for i in range(3)])
                worst[0] = max(worst[0], np.abs(turn - R_GROUND_WORLD @ R[t, b]).max())
                worst[1] = max(worst[1], np.abs(frame.p().to_numpy() - to_ground(p[t, b])).max())
        return {"rotation": float(f"{worst[0]:.2g}"), "origin_m": float(f"{worst[1]:.2g}")}


def rate(count: int, seconds: list[float]) -> dict[str, int]:
    """Poses per second: slowest, median and fastest repeat."""
    rates = count / np.array(seconds)
    return {"min": round(rates.min()), "median": round(float(np.median(rates))), "max": round(rates.max())}


def measured(jobs: dict[str, tuple[int, Callable[[], Any]]], repeats: int) -> dict[str, dict[str, int]]:
    """Rates of jobs that take turns, each run once before to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for k in range(repeats + 1):
        for name, (_, job) in jobs.items():
            start = time.process_time()
            job()
            if k:
                seconds[name].append(time.process_time() - start)
    return {name: rate(count, seconds[name]) for name, (count, _) in jobs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    skeleton = Skeleton.inside(load_body().rest().landmarks, fingers=False)
    q = random_poses(skeleton, POSES)
    theirs = Theirs(skeleton, q[:OPENSIM])
    bodies = np.arange(len(skeleton.bodies))
    origins = np.zeros((len(bodies), 3))
    R, p = skeleton.forward(q[:OPENSIM])
    plain_R, plain_p = plain(skeleton, q[:OPENSIM])
    jobs: dict[str, tuple[int, Callable[[], Any]]] = {
        "forward": (POSES, lambda: skeleton.forward(q)),
        "plain_twin": (TWIN, lambda: plain(skeleton, q[:TWIN])),
        "opensim_realize_position": (OPENSIM, theirs.run),
        "jacobian_of_all_origins": (JACOBIANS, lambda: skeleton.jacobian(q[:JACOBIANS], bodies, origins)),
    }
    rates = measured(jobs, options.repeats)
    median = {name: figures["median"] for name, figures in rates.items()}
    result = {
        "command": COMMAND,
        "machine": machine(),
        "opensim": theirs.osim.GetVersion(),
        "segments": len(skeleton.bodies),
        "coordinates": len(skeleton.coordinates),
        "poses": {"forward": POSES, "plain_twin": TWIN, "opensim": OPENSIM, "jacobian": JACOBIANS},
        "repeats": options.repeats,
        "poses_per_second": rates,
        "times_opensim": round(median["forward"] / median["opensim_realize_position"], 1),
        "times_plain_twin": round(median["forward"] / median["plain_twin"], 1),
        "difference_from_opensim": theirs.apart(R, p),
        "difference_from_plain_twin": {
            "rotation": float(f"{np.abs(R - plain_R).max():.2g}"),
            "origin_m": float(f"{np.abs(p - plain_p).max():.2g}"),
        },
    }
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
