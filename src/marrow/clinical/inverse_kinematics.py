"""Joint angles from marker files: what stands around :func:`marrow.skeleton.osim.fit_markers`, and what to doubt."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.io.markers import not_upright, read_upright
from marrow.io.mot import Table, read_mot
from marrow.io.trc import MarkerData
from marrow.skeleton.osim import CoordinateTask, Kinematics, MarkerFit, coordinate_precision, fit_markers, read_osim
from marrow.skeleton.osim.setup import coordinate_tasks
from marrow.skeleton.osim.tasks import IkSetup, read_ik_setup
from marrow.types import Float64

_NAMED, _NAMED_POOR = 8, 4  # names that a message lists
_MOST_FRAMES, _MOST_PAIRS = 300, 15  # that are tried for swapped markers
_POOR_PER_MM = 3.0  # degrees or mm for 1 mm of marker noise, of which skin markers have 5 to 10
_CONFUSED = 0.9  # correlation of the errors of coordinates that the markers hardly tell apart
_FULL_TURNS = 4 * np.pi  # radians: a coordinate file that goes further was meant in degrees


@dataclass(frozen=True, eq=False)
class MarkerErrors:
    """How one marker fits.

    Attributes:
        frames: in which it is seen.
        worst_time: seconds, of the largest error.
    """

    marker: str
    frames: int
    rms_mm: float
    max_mm: float
    worst_time: float


@dataclass(frozen=True, eq=False)
class PoorlyDetermined:
    """A coordinate that the markers hardly tell.

    Attributes:
        per_mm: its standard error for 1 mm of marker noise along each axis, degrees or mm; None beyond 180.
        confused_with: other such coordinates that make up for it, so that the markers tell little but their sum.
    """

    coordinate: str
    per_mm: float | None
    confused_with: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class InverseKinematics:
    """Joint angles of a recording.

    Attributes:
        angles: all coordinates of the model over time; angles in degrees, lengths in metres.
        fit: the same in radians, and the errors.
        markers: by marker, in the model's order.
        rms_mm: of all markers and frames, weighted.
        worst_time: seconds, of the frame that fits worst.
        poorly_determined: coordinates that marker noise moves by more than 3 degrees (or mm) per mm, worst first.
        warnings: what the user should look at, in words.
    """

    angles: Table
    fit: MarkerFit
    markers: tuple[MarkerErrors, ...]
    rms_mm: float
    worst_time: float
    poorly_determined: tuple[PoorlyDetermined, ...]
    warnings: tuple[str, ...]


def inverse_kinematics(
    model: str | Path,
    markers: str | Path,
    *,
    setup: str | Path | None = None,
    coordinates: str | Path | None = None,
    units: str | None = None,
    up: str | None = None,
    time: tuple[float, float] | None = None,
) -> InverseKinematics:
    """Coordinates of an OpenSim model that bring its markers nearest to recorded ones, as OpenSim's tool does.

    Args:
        model: ``.osim`` of the person, scaled, with markers.
        markers: ``.trc`` or ``.c3d``.
        setup: set-up file of OpenSim's tool, for the weights and coordinate tasks; without it all markers weigh 1.
        coordinates: table for tasks that take their value from a file, instead of the one that the set-up names.
        units: of the marker file, instead of what its header says.
        up: the axis, ``"y"`` or ``"z"``, that points up in the marker file; by default Z in ``.c3d``, else Y.
        time: first and last second; None takes all frames.

    Raises:
        InputError: a file that cannot be used; the message says which, where, and what to do.
    """
    body = Kinematics(read_osim(model))
    recording, up = read_upright(markers, up=up, units=units)
    recording = _within(recording, time, markers)
    tasks = read_ik_setup(setup) if setup is not None else None
    warnings = list(body.model.warnings) + _unmatched(body, recording, tasks)
    weights = tasks.markers if tasks else None
    _refuse_size(body, recording, markers)
    aims = coordinate_tasks(body, tasks, recording.time, _targets(body, tasks, coordinates)) if tasks else ()
    try:
        fit = fit_markers(body, recording.names, recording.xyz, weights=weights, tasks=aims, time=recording.time)
    except InputError as fault:
        raise InputError(f"{markers}: {fault}") from None
    poor = _poorly_determined(body, fit, aims)
    warnings += _doubts(body, fit, recording) + _hardly_told(body, poor)
    if _lies(body, fit):
        warnings.append(not_upright(up))
    angles = np.where([c.rotational for c in body.model.coordinates], np.degrees(fit.q), fit.q)
    rms = fit.rms
    seen = np.isfinite(fit.errors)
    mean_square = float((np.nan_to_num(fit.errors) ** 2 * fit.weights).sum() / (seen * fit.weights).sum())
    return InverseKinematics(
        angles=Table(body.coordinates, recording.time, angles, True),
        fit=fit,
        markers=_by_marker(body, fit, recording.time),
        rms_mm=1e3 * mean_square**0.5,
        worst_time=float(recording.time[int(np.nanargmax(rms))]),
        poorly_determined=poor,
        warnings=tuple(warnings),
    )


def _within(recording: MarkerData, time: tuple[float, float] | None, path: str | Path) -> MarkerData:
    if time is None:
        return recording
    keep = (recording.time >= time[0] - 1e-9) & (recording.time <= time[1] + 1e-9)
    if not keep.any():
        first, last = recording.time[[0, -1]]
        raise InputError(f"{path}: no frame from {time[0]:g} to {time[1]:g} s; it has {first:g} to {last:g} s")
    return dataclasses.replace(recording, time=recording.time[keep], xyz=recording.xyz[keep])


def _unmatched(body: Kinematics, recording: MarkerData, setup: IkSetup | None) -> list[str]:
    """Markers that are not used although somebody may think so."""
    weights = setup.markers if setup else None
    wanted = set(body.markers) if weights is None else {name for name, weight in weights.items() if weight > 0}
    if not wanted & set(body.markers) & set(recording.names):
        return []  # refused with its own message by the fit
    out = []
    lost = [name for name in body.markers if name in wanted and name not in recording.names]
    if lost:
        out.append(f"not recorded: {_near(lost, recording.names)}")
    if weights is None:
        extra = [name for name in recording.names if name not in body.markers]
        if extra:
            out.append(f"recorded, but not in the model: {_near(extra, body.markers)}")
    else:
        unknown = [name for name in weights if name not in body.markers]
        if unknown:
            out.append(f"weighted, but not in the model: {_near(unknown, body.markers)}")
    return out


def _near(names: Sequence[str], known: Sequence[str]) -> str:
    """Names, with the known one that differs only in case and punctuation where there is one."""
    by_letters = {_plain(name): name for name in known}
    words = [
        f"{name} (do you mean {by_letters[_plain(name)]}?)" if _plain(name) in by_letters else name
        for name in names[:_NAMED]
    ]
    return ", ".join(words) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _refuse_size(body: Kinematics, recording: MarkerData, path: str | Path) -> None:
    """Ask when the recording is some other size than the model can be, such as millimetres taken for metres."""
    common = [name for name in body.markers if name in recording.names]
    xyz = recording.xyz[:, [recording.names.index(name) for name in common]]
    if len(common) < 3:
        return
    seen = np.logical_and.reduce(np.isfinite(xyz), -1)
    frame = int(np.argmax(seen.sum(1)))
    if seen[frame].sum() < 3:
        return
    own = body.marker_positions(body.default)[[body.markers.index(name) for name in common]]
    ratio = _spread(xyz[frame, seen[frame]]) / max(_spread(own[seen[frame]]), 1e-9)
    if not 0.25 < ratio < 4:
        raise InputError(
            f"{path}: its markers spread over {ratio:.3g} times what they do on the model; is the unit "
            f"({recording.units}) right? Read it with --units mm, cm or m, or scale the model (marrow scale)"
        )


def _spread(x: Float64) -> float:
    return float(np.sqrt(((x - x.mean(0)) ** 2).sum(-1).mean()))


def _targets(
    body: Kinematics, setup: IkSetup | None, given: str | Path | None
) -> tuple[Float64, dict[str, Float64]] | None:
    """The coordinate table in radians and metres, where a task needs it."""
    if setup is None or all(aim.source != "from_file" for aim in setup.coordinates):
        return None
    path = given if given is not None else setup.coordinate_file
    if path is None:
        return None
    table = read_mot(path)
    columns = {}
    for name in table.names:
        if name not in body.coordinates:
            continue
        values = table.column(name)
        if body.model.coordinates[body.index(name)].rotational:
            values = np.radians(values) if table.in_degrees else values
            if not table.in_degrees and np.nanmax(np.abs(values), initial=0) > _FULL_TURNS:
                raise InputError(
                    f"{path}: {name} reaches {np.nanmax(np.abs(values)):.3g} radians; are these degrees? "
                    "Then write inDegrees=yes in its header"
                )
        columns[name] = values
    return table.time, columns


def _doubts(body: Kinematics, fit: MarkerFit, recording: MarkerData) -> list[str]:
    out = []
    time = recording.time
    if fit.undetermined:
        names, more = fit.undetermined[:_NAMED_POOR], len(fit.undetermined) - _NAMED_POOR
        rest = f" and {more} more" if more > 0 else ""
        out.append(f"no marker moves {', '.join(names)}{rest}: they stay at their default")
    if fit.empty_frames:
        out.append(f"no marker is seen at {_spans(time, fit.empty_frames)}: the pose of the frame beside is repeated")
    if fit.stopped_frames:
        out.append(f"the solver did not settle at {_spans(time, fit.stopped_frames)}")
    target = recording.xyz[:, [recording.names.index(name) for name in fit.markers]]
    for (first, second), frames in swapped_markers(body, fit, target).items():
        out.append(f"{first} and {second} look swapped at {_spans(time, frames)}; exchange them there and run again")
    return out


def _lies(body: Kinematics, fit: MarkerFit) -> bool:
    """Whether a body that floats on the ground is not upright in most frames, as it is in its default pose."""
    still, _ = body.forward(body.default)
    R, _ = body.forward(fit.q)
    roots = np.flatnonzero((body.tables.parent < 0) & (np.diff(body.tables.column_start) == 6))
    up = np.einsum("trk,rk->tr", R[:, roots, 1], still[roots, 1])
    return bool((np.median(up, axis=0) < 0.5).any())


def _poorly_determined(
    body: Kinematics, fit: MarkerFit, tasks: Sequence[CoordinateTask]
) -> tuple[PoorlyDetermined, ...]:
    found = coordinate_precision(body, fit, tasks)
    poor = [int(i) for i in np.argsort(-found.per_mm, kind="stable") if found.per_mm[i] > _POOR_PER_MM]
    alike = np.abs(found.correlation) > _CONFUSED
    return tuple(
        PoorlyDetermined(
            found.coordinates[i],
            float(found.per_mm[i]) if np.isfinite(found.per_mm[i]) else None,
            tuple(found.coordinates[j] for j in poor if j != i and alike[i, j]),
        )
        for i in poor
    )


def _hardly_told(body: Kinematics, poor: Sequence[PoorlyDetermined]) -> list[str]:
    """One remark on all poorly determined coordinates, those that are confused with each other together."""
    words: list[str] = []
    told: set[str] = set()
    for row in poor:
        if row.coordinate in told:
            continue
        names = [row.coordinate, *(name for name in row.confused_with if name not in told)]
        told.update(names)
        unit = "°" if body.model.coordinates[body.index(row.coordinate)].rotational else " mm"
        size = "without limit" if row.per_mm is None else f"{row.per_mm:.2g}{unit}"
        listed = f"{', '.join(names[:-1])} and {names[-1]} apart" if len(names) > 1 else names[0]
        words.append(f"{listed} ({size}{'' if words else ' per mm of marker error'})")
    more = f" and {len(words) - _NAMED_POOR} more" if len(words) > _NAMED_POOR else ""
    return [f"markers hardly tell {'; '.join(words[:_NAMED_POOR])}{more}"] if words else []


def swapped_markers(body: Kinematics, fit: MarkerFit, recorded: Float64) -> dict[tuple[str, str], list[int]]:
    """Pairs of markers whose exchange makes a frame fit at least twice as well, and in which frames.

    Only frames that fit far worse than usual are looked at, and the pairs that lie nearest to each other's places.

    Args:
        recorded: (T, M, 3) metres, of the fit's markers.
    """
    rms = np.nan_to_num(fit.rms)
    usual = float(np.median(rms))
    frames = np.flatnonzero(rms > max(1.5 * usual, usual + 0.005))[:_MOST_FRAMES]
    if not len(frames):
        return {}
    apart = np.linalg.norm(fit.positions[frames, :, None] - recorded[frames, None], axis=-1)
    own = np.diagonal(apart, axis1=1, axis2=2)
    gain = own[:, :, None] + own[:, None] - apart - np.swapaxes(apart, 1, 2)
    promise = np.triu((np.nan_to_num(gain) > 0.01).sum(0), 1)
    found: dict[tuple[str, str], list[int]] = {}
    best = 0.5 * rms[frames]
    owner = np.full(len(frames), -1)
    pairs = [divmod(int(k), len(own[0])) for k in np.argsort(-promise, axis=None)[:_MOST_PAIRS] if promise.flat[k]]
    weights = dict(zip(fit.markers, fit.weights.tolist(), strict=True))
    for k, (i, j) in enumerate(pairs):
        exchanged = recorded[frames].copy()
        exchanged[:, [i, j]] = exchanged[:, [j, i]]
        again = np.nan_to_num(fit_markers(body, fit.markers, exchanged, weights=weights).rms)
        better = again < best
        best[better], owner[better] = again[better], k
    for t, k in zip(frames, owner, strict=True):
        if k >= 0:
            i, j = pairs[k]
            found.setdefault((fit.markers[i], fit.markers[j]), []).append(int(t))
    return found


def _spans(time: Float64, frames: Sequence[int]) -> str:
    """Frames as spans of seconds."""
    runs = np.split(np.asarray(frames), np.flatnonzero(np.diff(frames) > 1) + 1)
    words = [f"{time[r[0]]:.3g} s" if len(r) == 1 else f"{time[r[0]]:.3g}–{time[r[-1]]:.3g} s" for r in runs[:4]]
    return ", ".join(words) + (f" and {len(runs) - 4} more spans" if len(runs) > 4 else "")


def _by_marker(body: Kinematics, fit: MarkerFit, time: Float64) -> tuple[MarkerErrors, ...]:
    rows = {}
    for name, errors in zip(fit.markers, fit.errors.T, strict=True):
        seen = np.isfinite(errors)
        if not seen.any():
            continue
        worst = int(np.nanargmax(errors))
        rms = float(np.sqrt(np.mean(errors[seen] ** 2)))
        rows[name] = MarkerErrors(name, int(seen.sum()), 1e3 * rms, 1e3 * float(errors[worst]), float(time[worst]))
    return tuple(rows[name] for name in body.markers if name in rows)
