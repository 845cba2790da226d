"""C3D files (www.c3d.org) through ezc3d: markers, and the analog channels (force plates, EMG) beside them.

Coordinates keep *the file's own axes*; laboratories differ, and many have Z up. Lengths of markers become metres.
Channels keep their names, units and values. Points that a program has computed (joint angles, moments, powers: the
groups ``ANGLES``, ``FORCES``, ``MOMENTS``, ``POWERS``, ``SCALARS`` of ``POINT``) are no markers and are kept apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.columns import refuse_repeated
from marrow.io.files import temporary_beside
from marrow.io.trc import METRES, MarkerData, check_markers, length_unit, refuse_scale
from marrow.types import Float64

_COMPUTED = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")

#: C3D has one rate and no time stamps: rows may lie this part of a step beside an even grid.
_UNEVEN = 0.1


@dataclass(frozen=True)
class Channels:
    """Signals sampled beside the markers.

    Attributes:
        names: C channel names, as in the file.
        values: (S, C) in the units of the file.
        rate_hz: samples per second; a whole multiple of the markers' rate.
        units: C units, as in the file.
    """

    names: tuple[str, ...] = ()
    values: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    rate_hz: float = 0.0
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class C3d:
    """The content of a C3D file.

    Attributes:
        markers: trajectories, metres, in the file's own axes; frame 1 of the trial is at 0 s.
        analog: force plate, EMG and other channels; without channels it is empty.
        computed: name to (T, 3) of points that a program computed, in the units of the file.
    """

    markers: MarkerData
    analog: Channels = field(default_factory=Channels)
    computed: Mapping[str, Float64] = field(default_factory=dict)


def read_c3d(path: str | Path, *, units: str | None = None) -> C3d:
    """Read a C3D file.

    Args:
        path: file to read.
        units: ``"m"``, ``"cm"`` or ``"mm"`` instead of what the file says, also for a scale that looks implausible.

    Raises:
        InputError: missing or damaged file, no markers, two of one name, or a scale that no person can have.
    """
    path = Path(path)
    raw = _read(path)
    texts = raw.texts["POINT"]
    if raw.points.size == 0:
        raise InputError(f"{path}: no marker in any frame")
    xyz = raw.points[:3].transpose(2, 1, 0)  # ezc3d gives NaN where the residual is negative
    labels = _labels(texts, "LABELS", xyz.shape[1], "point")
    computed = {label for group in _COMPUTED for label in _strings(texts, group)}
    chosen = [index for index, label in enumerate(labels) if label not in computed]
    names = tuple(labels[index] for index in chosen)
    if not names:
        raise InputError(f"{path}: all {len(labels)} points are computed ones (angles, moments …); there is no marker")
    refuse_repeated(names, str(path), "marker")
    rate = float(raw.rates[0])
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}: POINT:RATE must be above 0, got {rate}")
    unit = length_unit(f"{path}, POINT:UNITS", (_strings(texts, "UNITS") or [""])[0], units)
    metres = xyz[:, chosen] * METRES[unit]
    _refuse_endless(path, names, metres)
    if units is None:
        refuse_scale(f"{path}, POINT:UNITS", unit, metres)
    time = (raw.first + np.arange(len(xyz))) / rate
    others = {label: xyz[:, index] for index, label in enumerate(labels) if label in computed}
    return C3d(MarkerData(names, time, metres, rate, unit), _channels(raw), others)


def _refuse_endless(path: Path, names: Sequence[str], xyz: Float64) -> None:
    absent = np.isnan(xyz)
    bad = np.isinf(xyz).any(-1) | (absent.any(-1) & ~absent.all(-1))
    if bad.any():
        frame, marker = (int(index) for index in np.argwhere(bad)[0])
        raise InputError(
            f"{path}, frame {frame + 1}: marker {names[marker]!r} has no finite place; the file is damaged"
        )


def write_c3d(path: str | Path, content: C3d) -> None:
    """Write markers, in ``content.markers.units``, and channels; computed points are not written.

    Values are stored as 32-bit floats, as the format has it.

    Raises:
        InputError: shapes or names that do not fit the format, or times that lie on no even grid.
        OutputError: the file cannot be written.
    """
    path, markers, analog = Path(path), content.markers, content.analog
    if path.suffix != ".c3d":
        raise InputError(f"{path}: a C3D file needs the suffix .c3d")
    check_markers(markers, "write_c3d")
    first = _first_frame(markers)
    frames, count = markers.xyz.shape[:2]
    file: Any = _ezc3d().c3d()
    points = np.full((4, count, frames), 1.0)
    points[:3] = markers.xyz.transpose(2, 1, 0) / METRES[markers.units]
    residuals = np.where(np.isnan(points[0]), -1.0, 0.0)[None]
    file["header"]["points"]["first_frame"] = first
    file["parameters"]["POINT"]["RATE"]["value"] = [markers.rate_hz]
    file["parameters"]["POINT"]["LABELS"]["value"] = list(markers.names)
    file["parameters"]["POINT"]["UNITS"]["value"] = [markers.units]
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = residuals
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, count, frames), bool)
    if analog.names:
        _put_channels(file, analog, frames, markers.rate_hz)
    with temporary_beside(path) as part:
        file.write(str(part))


def _ezc3d() -> Any:
    try:
        import ezc3d
    except ImportError:
        raise InputError("C3D files need the package ezc3d: pip install 'marrow[c3d]'") from None
    return ezc3d


@dataclass(frozen=True)
class _Raw:
    """What the reading process hands over; see :mod:`marrow.io._c3d_child`."""

    points: Float64
    analogs: Float64
    rates: Float64
    first: int
    texts: Mapping[str, Mapping[str, list[str]]]


def _read(path: Path) -> _Raw:
    """Read in a process of its own: with a damaged file the C++ reader may crash or never end."""
    _ezc3d()
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    damaged = f"{path}: cannot be read as C3D; it is damaged or cut short"
    seconds = 60 + path.stat().st_size / 1e6
    with tempfile.TemporaryDirectory(prefix="marrow_c3d_") as folder:
        out = Path(folder) / "content.npz"
        words = [sys.executable, "-m", "marrow.io._c3d_child", str(path), str(out)]
        around = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
        try:
            done = subprocess.run(words, env=around, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise InputError(f"{damaged} (reading did not end within {seconds:.0f} s)") from None
        if done.returncode != 0 or not out.is_file():
            why = done.stderr.strip().splitlines()[-1:] if done.returncode == 1 else []
            raise InputError(f"{damaged} ({why[0] if why else 'the reader broke down'})")
        with np.load(out) as content:
            arrays = {name: content[name] for name in ("points", "analogs", "rates")}
            return _Raw(**arrays, first=int(content["first"]), texts=json.loads(str(content["texts"])))


def _strings(group: Mapping[str, list[str]], key: str) -> list[str]:
    """The texts of a parameter and of its continuations ``KEY2``, ``KEY3`` … (a parameter holds at most 255)."""
    found: list[str] = []
    number = 1
    while (name := key if number == 1 else f"{key}{number}") in group:
        found += [text.strip() for text in group[name]]
        number += 1
    return found


def _labels(group: Mapping[str, list[str]], key: str, count: int, kind: str) -> list[str]:
    """``count`` labels; points without one are numbered."""
    labels = _strings(group, key)[:count]
    labels += [""] * (count - len(labels))
    return [label or f"{kind}_{index}" for index, label in enumerate(labels, 1)]


def _channels(raw: _Raw) -> Channels:
    values = raw.analogs[0].T
    if not values.size:
        return Channels()
    units = (_strings(raw.texts["ANALOG"], "UNITS") + [""] * values.shape[1])[: values.shape[1]]
    names = _labels(raw.texts["ANALOG"], "LABELS", values.shape[1], "channel")
    return Channels(tuple(names), values, float(raw.rates[1]), tuple(units))


def _first_frame(markers: MarkerData) -> int:
    """Number of the first frame, from 0; refuses times beside the even grid that the format assumes."""
    steps = np.asarray(markers.time) * markers.rate_hz
    first = round(float(steps[0]))
    off = np.abs(steps - steps[0] - np.arange(len(steps)))
    if off.max() > _UNEVEN or not 0 <= first < 65_000:
        worst = int(off.argmax())
        raise InputError(
            f"write_c3d: C3D has no time stamps, and frame {worst} ({markers.time[worst]:g} s) lies on no grid of "
            f"{markers.rate_hz:g} Hz from 0 s on; resample the markers first"
        )
    return first


def _put_channels(file: Any, analog: Channels, frames: int, rate_hz: float) -> None:
    samples = round(analog.rate_hz / rate_hz)
    shape = (frames * samples, len(analog.names))
    if abs(samples * rate_hz - analog.rate_hz) > 1e-6 * analog.rate_hz or np.shape(analog.values) != shape:
        raise InputError(
            f"write_c3d: analog at {analog.rate_hz:g} Hz beside markers at {rate_hz:g} Hz must be a whole multiple, "
            f"with values {shape}; got {np.shape(analog.values)}"
        )
    _check_units(analog.units, len(analog.names))
    group = file["parameters"]["ANALOG"]
    group["RATE"]["value"] = [analog.rate_hz]
    group["LABELS"]["value"] = list(analog.names)
    group["UNITS"]["value"] = list(analog.units or [""] * len(analog.names))
    file["data"]["analogs"] = np.ascontiguousarray(analog.values.T[None])


def _check_units(units: Sequence[str], count: int) -> None:
    if units and len(units) != count:
        raise InputError(f"write_c3d: {len(units)} units for {count} channels")
