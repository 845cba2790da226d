"""Speed of inverse kinematics against OpenSim's own tool: same model, markers and weights, one thread, one run.

    python benchmarks/speed/ik.py [--data FOLDER] [--out benchmarks/results/speed_ik.json]

Trials: LaiUhlrich2022 with the markers of RajagopalLaiUhlrich2023 (their bodies have the same names), recordings made
from the two motions that come with the model plus 8 mm of noise (standard deviation of each axis, correlated over a
tenth of a second) and 2 % of gaps of up to half a second; and the real recordings of Gait2392 and Gait10dof18musc
with their own weights. FOLDER holds LaiUhlrich2022, Models and Pipelines, as in OpenSim's model collection. Times are
process CPU time: the tool's solver alone (its assembly and its tracking of all frames, without files), and its whole
run (read markers, solve, write the motion) against ours with the same files. OpenSim runs at the accuracy of its tool,
1e-5; once more at 1e-9, to see which of the two is nearer to the minimum.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import opensim
from scipy.ndimage import gaussian_filter1d

from marrow.io.mot import Table, read_mot, write_mot
from marrow.io.trc import MarkerData, read_trc, write_trc
from marrow.skeleton.osim import Kinematics, Model, fit_markers, read_osim
from marrow.skeleton.osim.ik import MarkerFit
from marrow.skeleton.osim.read import with_markers
from marrow.skeleton.osim.setup import coordinate_tasks
from marrow.skeleton.osim.tasks import IkSetup, read_ik_setup

NOISE, GAPS = 0.008, 0.02


@dataclass
class Trial:
    name: str
    model: Model
    markers: MarkerData
    setup: Path


def made_trial(folder: Path, name: str, scratch: Path) -> Trial:
    """A recording made from a shipped motion."""
    lai = folder / "LaiUhlrich2022"
    donor = read_osim(folder / "Models/Rajagopal/RajagopalLaiUhlrich2023.osim")
    model = with_markers(read_osim(lai / "LaiUhlrich2022.osim"), donor.markers)
    body, motion = Kinematics(model), read_mot(lai / f"{name}.mot")
    q = np.tile(body.default, (len(motion.time), 1))
    for column, values in zip(motion.names, motion.values.T, strict=True):
        if column in body.coordinates:
            angle = model.coordinates[body.index(column)].rotational and motion.in_degrees
            q[:, body.index(column)] = np.radians(values) if angle else values
    xyz = body.marker_positions(body.couple(q))
    rng = np.random.default_rng(7)
    rate = 1 / float(np.median(np.diff(motion.time)))
    noise = gaussian_filter1d(rng.normal(size=(len(xyz) + 200, *xyz.shape[1:])), 0.1 * rate / 2, axis=0)[100:-100]
    xyz = xyz + NOISE * noise / noise.std()
    hidden = np.zeros(xyz.shape[:2], bool)
    while hidden.mean() < GAPS:
        first, marker = rng.integers(len(xyz)), rng.integers(xyz.shape[1])
        hidden[first : first + rng.integers(1, max(2, int(rate / 2))), marker] = True
    xyz[hidden] = np.nan
    tasks = "".join(
        f'<IKMarkerTask name="{m}"><apply>true</apply><weight>1</weight></IKMarkerTask>' for m in body.markers
    )
    setup = scratch / f"{name}_ik.xml"
    setup.write_text(
        '<OpenSimDocument Version="40600"><InverseKinematicsTool name="made">'
        f"<IKTaskSet><objects>{tasks}</objects></IKTaskSet></InverseKinematicsTool></OpenSimDocument>"
    )
    return Trial(f"LaiUhlrich2022 {name}", model, MarkerData(body.markers, motion.time, xyz, rate), setup)


def real_trial(name: str, model: Path, markers: Path, setup: Path) -> Trial:
    return Trial(name, read_osim(model), read_trc(markers), setup)


def trials(folder: Path, scratch: Path) -> list[Trial]:
    pipelines = folder / "Pipelines"
    gait2392, gait10 = pipelines / "Gait2392_Simbody", pipelines / "Gait10dof18musc"
    return [
        made_trial(folder, "walking1_videoAndMocap", scratch),
        made_trial(folder, "squats1_videoAndMocap", scratch),
        real_trial(
            "Gait2392, real markers",
            gait2392 / "OutputReference/subject01_simbody.osim",
            gait2392 / "subject01_walk1.trc",
            gait2392 / "subject01_Setup_IK.xml",
        ),
        real_trial(
            "Gait10dof18musc, real markers",
            gait10 / "OutputReference/subject01.osim",
            gait10 / "ExperimentalData/subject01_walk.trc",
            gait10 / "OutputReference/IK/walk_Setup_IK.xml",
        ),
    ]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


# ---------------------------------------------------------------------------------------------------------------------
# OpenSim
# ---------------------------------------------------------------------------------------------------------------------


def their_model(trial: Trial) -> opensim.Model:
    """The same model in OpenSim, with the trial's markers."""
    model = opensim.Model(str(trial.model.file))
    model.initSystem()
    if model.getMarkerSet().getSize() == 0:
        for marker in trial.model.markers:
            frame = model.getBodySet().get(marker.body)
            model.addMarker(opensim.Marker(marker.name, frame, opensim.Vec3(*map(float, marker.location))))
    model.finalizeConnections()
    return model


def their_solver(model: opensim.Model, trc: Path, setup: IkSetup) -> Callable[..., np.ndarray]:
    """OpenSim's solver over all frames, as its tool calls it: values (T, D) by accuracy."""
    state = model.initSystem()
    weights = opensim.SetMarkerWeights()
    for name, weight in (setup.markers or {}).items():
        weights.cloneAndAppend(opensim.MarkerWeight(name, weight))
    reference = opensim.MarkersReference(str(trc), weights)
    aims = opensim.SimTKArrayCoordinateReference()
    for aim in setup.coordinates:
        value = model.getCoordinateSet().get(aim.coordinate).getDefaultValue()
        task = opensim.CoordinateReference(aim.coordinate, opensim.Constant(value))
        task.setWeight(aim.weight)
        aims.push_back(task)
    times = list(reference.getMarkerTable().getIndependentColumn())
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getCoordinateSet().getSize())]

    def run(accuracy: float = 1e-5) -> np.ndarray:
        solver = opensim.InverseKinematicsSolver(model, reference, aims, float("inf"))
        solver.setAccuracy(accuracy)
        state.setTime(times[0])
        solver.assemble(state)
        q = np.empty((len(times), len(coordinates)))
        for t, now in enumerate(times):
            state.setTime(now)
            solver.track(state)
            q[t] = [c.getValue(state) for c in coordinates]
        return q

    return run


def their_tool(model: opensim.Model, trc: Path, setup: IkSetup, out: Path) -> None:
    tool = opensim.InverseKinematicsTool(str(setup.file), False)
    tool.setModel(model)
    tool.setMarkerDataFileName(str(trc))
    tool.setOutputMotionFileName(str(out))
    tool.setResultsDir(str(out.parent))
    tool.setStartTime(-np.inf)
    tool.setEndTime(np.inf)
    tool.run()


# ---------------------------------------------------------------------------------------------------------------------
# Ours
# ---------------------------------------------------------------------------------------------------------------------


def our_fit(body: Kinematics, markers: MarkerData, setup: IkSetup) -> MarkerFit:
    tasks = coordinate_tasks(body, setup, markers.time)
    return fit_markers(body, markers.names, markers.xyz, weights=setup.markers, tasks=tasks, time=markers.time)


def our_tool(model: Path, body: Kinematics, trc: Path, setup: IkSetup, out: Path) -> None:
    markers = read_trc(trc)
    fit = our_fit(body, markers, setup)
    values = np.where([c.rotational for c in body.model.coordinates], np.degrees(fit.q), fit.q)
    write_mot(out, Table(body.coordinates, markers.time, values, True))


def compare(trial: Trial, folder: Path, repeats: int) -> dict[str, Any]:
    """Figures of one trial; ours and theirs alternate, and the fastest run of each counts."""
    trc, setup = folder / "trial.trc", read_ik_setup(trial.setup)
    write_trc(trc, trial.markers)
    body, model = Kinematics(trial.model), their_model(trial)
    names = [model.getCoordinateSet().get(i).getName() for i in range(model.getCoordinateSet().getSize())]
    solver = their_solver(model, trc, setup)
    our_fit(body, trial.markers, setup)
    times: dict[str, list[float]] = {"ours": [], "theirs": [], "our_tool": [], "their_tool": []}
    fit, theirs = None, None
    for _ in range(repeats):
        for _ in range(5):
            seconds, fit = timed(lambda: our_fit(body, trial.markers, setup))
            times["ours"].append(seconds)
        seconds, theirs = timed(solver)
        times["theirs"].append(seconds)
        times["our_tool"].append(timed(lambda: our_tool(trial.model.file, body, trc, setup, folder / "ours.mot"))[0])
        times["their_tool"].append(timed(lambda: their_tool(model, trc, setup, folder / "theirs.mot"))[0])
    assert fit is not None
    assert theirs is not None
    order = [names.index(n) for n in body.coordinates]
    seconds, tight = timed(lambda: solver(1e-9))
    return figures(trial, body, fit, theirs[:, order], times) | tight_figures(body, fit, tight[:, order], seconds)


def figures(
    trial: Trial, body: Kinematics, fit: MarkerFit, theirs: np.ndarray, times: dict[str, list[float]]
) -> dict[str, Any]:
    used = [body.markers.index(name) for name in fit.markers]
    target = trial.markers.xyz[:, [trial.markers.names.index(name) for name in fit.markers]]
    their_errors = np.linalg.norm(body.marker_positions(theirs)[:, used] - target, axis=-1)
    turns = np.array([c.rotational for c in body.model.coordinates])
    sought = np.array([name in fit.free for name in body.coordinates]) & turns
    apart = np.degrees(np.abs(fit.q - theirs)[:, sought])
    frames = len(fit.q)
    fastest = {name: min(values) for name, values in times.items()}

    def weighted(errors: np.ndarray) -> float:
        seen = np.isfinite(errors)
        return 1e3 * float(np.sqrt(((errors**2 * fit.weights)[seen]).sum() / (fit.weights * seen).sum()))

    return {
        "trial": trial.name,
        "frames": frames,
        "coordinates_sought": len(fit.free),
        "markers": len(fit.markers),
        "frames_per_second": round(frames / fastest["ours"]),
        "opensim_frames_per_second": round(frames / fastest["theirs"], 1),
        "times_faster": round(fastest["theirs"] / fastest["ours"], 1),
        "with_files_times_faster": round(fastest["their_tool"] / fastest["our_tool"], 1),
        "steps_per_frame": round(float(fit.steps.mean()), 2),
        "weighted_marker_rms_mm": round(weighted(fit.errors), 4),
        "opensim_weighted_marker_rms_mm": round(weighted(their_errors), 4),
        "angle_difference_deg_median": round(float(np.median(apart)), 4),
        "angle_difference_deg_mean": round(float(apart.mean()), 4),
        "angle_difference_deg_p95": round(float(np.percentile(apart, 95)), 4),
        "angle_difference_deg_max": round(float(apart.max()), 3),
    }


def tight_figures(body: Kinematics, fit: MarkerFit, theirs: np.ndarray, seconds: float) -> dict[str, Any]:
    """The same comparison with OpenSim told to be far more accurate than its tool is by default."""
    sought = [c.rotational and c.name in fit.free for c in body.model.coordinates]
    apart = np.degrees(np.abs(fit.q - theirs)[:, sought])
    return {
        "opensim_at_1e-9_frames_per_second": round(len(theirs) / seconds, 1),
        "angle_difference_at_1e-9_deg_median": round(float(np.median(apart)), 6),
        "angle_difference_at_1e-9_deg_p95": round(float(np.percentile(apart, 95)), 6),
        "angle_difference_at_1e-9_deg_max": round(float(apart.max()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[3] / "shared/data/opensim"
    parser.add_argument("--data", type=Path, default=default, metavar="FOLDER")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    options = parser.parse_args()
    opensim.Logger.setLevelString("Error")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [compare(trial, Path(scratch), options.repeats) for trial in trials(options.data, Path(scratch))]
    result = {
        "command": "python benchmarks/speed/ik.py --out benchmarks/results/speed_ik.json",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}",
        "opensim": opensim.GetVersion(),
        "noise_mm": 1e3 * NOISE,
        "gaps": GAPS,
        "trials": rows,
    }
    for row in rows:
        print(json.dumps(row, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
