"""Tables for people and spreadsheets: plain CSV with one header line, one row for each video frame.

``angles.csv``: ``frame``, ``time`` (s), ``observed`` (1 seen, 0 filled in from the frames around), then every
coordinate in degrees (``pelvis_tx/ty/tz`` in metres, OpenSim's ground), the derived ``arm_*`` angles, one ``…_sd``
column each where a standard deviation is known, and one ``…_mark`` column each (``observed``, ``weak``, ``prior``).
Cells are empty in frames in which the person is absent. Coordinates of which nothing was seen in any frame
(:func:`left_out`) have no columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import JOINT_SETS
from marrow.errors import InputError
from marrow.io.files import write_atomically
from marrow.types import OBSERVED, PRIOR, WEAK, Float64, Motion, Track

#: Coordinates in metres; every other one is an angle.
LENGTHS = ("pelvis_tx", "pelvis_ty", "pelvis_tz")

#: Values of ``Motion.mark`` in words.
MARKS = {OBSERVED: "observed", WEAK: "weak", PRIOR: "prior"}


def left_out(motion: Motion) -> tuple[str, ...]:
    """Coordinates of which nothing was seen in any frame: marked ``prior`` throughout, and never moving."""
    if motion.mark is None or not len(motion.q):
        return ()
    still = (motion.mark == PRIOR).all(0) & (np.ptp(motion.q, axis=0) < 1e-9)
    return tuple(name for name, out in zip(motion.coordinates, still, strict=True) if out)


def angle_units(names: Iterable[str]) -> dict[str, str]:
    """Coordinate name to its unit in ``angles.csv``: ``deg``, or ``m`` for :data:`LENGTHS`."""
    return {name: "m" if name in LENGTHS else "deg" for name in names}


def write_angles_csv(
    path: str | Path,
    motion: Motion,
    *,
    frames: Sequence[int] | NDArray[np.int64] | None = None,
    time: Float64 | None = None,
    derived: Mapping[str, Float64] | None = None,
    derived_sd: Mapping[str, Float64] | None = None,
    derived_mark: Mapping[str, NDArray[np.uint8]] | None = None,
) -> None:
    """Write the coordinates over time.

    Args:
        path: file to write.
        motion: T samples.
        frames: (T,) video frame of each sample; by default 0 … T-1.
        time: (N,) seconds of every video frame; by default the samples' own, and then each sample is one row.
        derived: further angles, name to (T,) radians (``Skeleton.derived_angles``).
        derived_sd: their standard deviations, radians, for some or all of them.
        derived_mark: their marks, for some or all of them.

    Raises:
        InputError: lengths that do not fit.
        OutputError: the file cannot be written.
    """
    rows, all_time = _rows(len(motion.time), frames, time, motion.time)
    derived, derived_sd, derived_mark = derived or {}, derived_sd or {}, derived_mark or {}
    for name, values in (*derived.items(), *derived_sd.items(), *derived_mark.items()):
        if len(values) != len(motion.time):
            raise InputError(f"derived angle {name}: {len(values)} values for {len(motion.time)} samples")
    unseen = left_out(motion)
    kept = [at for at, name in enumerate(motion.coordinates) if name not in unseen]
    names = [motion.coordinates[at] for at in kept]
    scale = np.array([1.0 if name in LENGTHS else 180 / np.pi for name in names])
    columns: list[tuple[str, Iterable[str]]] = []
    columns += _numbers(names, (motion.q[:, kept] * scale).T)
    columns += _numbers(derived, [np.degrees(values) for values in derived.values()])
    if motion.q_sd is not None:
        columns += _numbers([f"{name}_sd" for name in names], (motion.q_sd[:, kept] * scale).T)
    columns += _numbers([f"{name}_sd" for name in derived_sd], [np.degrees(sd) for sd in derived_sd.values()])
    if motion.mark is not None:
        columns += _words(names, motion.mark[:, kept].T)
    columns += _words(derived_mark, list(derived_mark.values()))
    observed = np.ones(len(motion.time), bool) if motion.observed is None else motion.observed
    columns.insert(0, ("observed", ["1" if seen else "0" for seen in observed]))
    _write(path, rows, all_time, columns)


def write_keypoints_csv(path: str | Path, track: Track, *, time: Float64) -> None:
    """Write the detector's keypoints: ``frame, time, score``, then ``<name>_x, _y`` (pixels) and ``_confidence``.

    Args:
        path: file to write.
        track: the person; leading dimension N of its frames.
        time: seconds of every video frame.

    Raises:
        InputError: the track has frames that ``time`` has not.
        OutputError: the file cannot be written.
    """
    names = JOINT_SETS[track.keypoints.joint_set]
    rows, all_time = _rows(len(track.frames), track.frames, time, time)
    xy, confidence = track.keypoints.xy, track.keypoints.confidence
    columns = _numbers(["score"], [track.score])
    for joint, name in enumerate(names):
        values = [xy[:, joint, 0], xy[:, joint, 1], confidence[:, joint]]
        columns += _numbers([f"{name}_x", f"{name}_y", f"{name}_confidence"], values)
    _write(path, rows, all_time, columns)


def _rows(
    count: int, frames: Sequence[int] | NDArray[np.int64] | None, time: Float64 | None, own_time: Float64
) -> tuple[NDArray[np.int64], Float64]:
    """Row of each sample, and the time of each row."""
    time = np.asarray(own_time if time is None else time, np.float64)
    rows = np.arange(count) if frames is None else np.asarray(frames, np.int64)
    if rows.shape != (count,):
        raise InputError(f"frames: expected one for each of {count} samples, got {rows.shape}")
    if count and (rows.min() < 0 or rows.max() >= len(time)):
        raise InputError(
            f"frames {rows.min()} to {rows.max()} do not fit a video of {len(time)} frames; give all frames' times"
        )
    if np.any(np.diff(rows) <= 0):
        raise InputError("frames must increase")
    return rows, time


def _numbers(names: Iterable[str], columns: Iterable[NDArray]) -> list[tuple[str, Iterable[str]]]:
    """Name and text cells of each column; what is not finite is an empty cell."""
    return [(name, [f"{v:.5f}" if np.isfinite(v) else "" for v in c]) for name, c in zip(names, columns, strict=True)]


def _words(names: Iterable[str], columns: Iterable[NDArray[np.uint8]]) -> list[tuple[str, Iterable[str]]]:
    """``…_mark`` and the words of each column of marks."""
    return [(f"{name}_mark", [MARKS[int(mark)] for mark in own]) for name, own in zip(names, columns, strict=True)]


def _write(
    path: str | Path, rows: NDArray[np.int64], time: Float64, columns: Sequence[tuple[str, Iterable[str]]]
) -> None:
    cells = dict(zip(rows.tolist(), zip(*(column for _, column in columns), strict=True), strict=True))
    names = [name for name, _ in columns]
    # A frame without the person: seen 0 times, and nothing else to say.
    absent = ["0" if name == "observed" else "" for name in names]
    with write_atomically(path, "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "time", *names])
        for row, now in enumerate(time):
            table.writerow([row, f"{now:.6f}", *cells.get(row, absent)])
