"""Marker trajectories in ``.trc`` files (Motion Analysis' track row column format, as OpenSim reads and writes it).

Coordinates keep *the file's own axes*: nothing is turned. For a file made for OpenSim that is OpenSim's ground
(X forward, Y up, Z right); ``marrow.conventions.from_ground`` brings it into marrow's world. Lengths become metres.

Lines of the format: 1 ``PathFileType 4 (X/Y/Z) name``; 2 keys and 3 values (``DataRate … NumMarkers Units …``);
4 ``Frame# Time`` and the marker names, each above three columns; 5 ``X1 Y1 Z1 …``; an empty line that may be absent;
then frame number, seconds and three lengths a marker, separated by tabs. A missing marker is three empty cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.io.columns import number_text, plain, read_lines, read_numbers, refuse_repeated, refuse_times
from marrow.io.files import write_atomically
from marrow.types import Float64

#: Metres in each unit of length that a header may name.
METRES: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}

_SPELLED = {"meters": "m", "metres": "m", "meter": "m", "metre": "m", "millimeters": "mm", "millimetres": "mm"}

#: Median extent of the markers of a frame outside which the unit is doubted, metres: from a finger to a sports ground.
_PLAUSIBLE = (0.005, 60.0)
#: The same of a standing person, metres.
_USUAL = 1.5

_AXES = "xyz"
_RATE_KEYS = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units")
_KEYS = (*_RATE_KEYS, "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames")


@dataclass(frozen=True)
class MarkerData:
    """Trajectories of named markers.

    Attributes:
        names: M marker names, each once.
        time: (T,) seconds, increasing.
        xyz: (T, M, 3) metres, in the axes of the file they came from; NaN where a marker was not seen.
        rate_hz: frames per second.
        units: ``"m"``, ``"cm"`` or ``"mm"``: the unit of the file (``xyz`` is in metres whatever it says).
    """

    names: tuple[str, ...]
    time: Float64
    xyz: Float64
    rate_hz: float
    units: str = "m"

    def select(self, names: tuple[str, ...]) -> MarkerData:
        """The same trajectories of some markers, in that order.

        Raises:
            InputError: a name that is not there.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            raise InputError(f"there is no marker {missing[0]!r} among the {len(self.names)} markers")
        chosen = [self.names.index(name) for name in names]
        return MarkerData(names, self.time, self.xyz[:, chosen], self.rate_hz, self.units)


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


def read_trc(path: str | Path, *, units: str | None = None) -> MarkerData:
    """Read marker trajectories, in metres and in the file's own axes.

    A row that ends early, between two markers, lacks the markers that follow.

    Args:
        path: file to read.
        units: ``"m"``, ``"cm"`` or ``"mm"`` instead of what the header says, also for a scale that looks implausible.

    Raises:
        InputError: missing or damaged file, or a scale that no person can have; names line, column or marker.
    """
    path = Path(path)
    lines = read_lines(path)
    if len(lines) < 5 or not lines[0].lstrip().startswith("PathFileType"):
        raise InputError(f"{path}, line 1: expected PathFileType (a .trc file), got {lines[0].strip()[:40]!r}")
    header = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    unit = length_unit(f"{path}, line 3: Units", header.get("Units", ""), units)
    count = _whole(path, header, "NumMarkers")
    frames = _whole(path, header, "NumFrames")
    names = _names(path, lines[3], count)
    rows = [(number, line) for number, line in enumerate(lines[4:], 5) if line.strip()]
    if rows and _is_labels(rows[0][1]):
        rows = rows[1:]
    if len(rows) != frames:
        raise InputError(
            f"{path}, line 3: NumFrames says {frames} frames, the file has {len(rows)}; it is cut short or the header "
            "is wrong. To read it as it is, correct NumFrames"
        )
    values = np.empty((frames, 1 + 3 * count))
    for index, (number, line) in enumerate(rows):
        values[index] = _row(path, number, line, names)
    refuse_times(values[:, 0], lambda index: f"{path}, line {rows[index][0]}")
    xyz = values[:, 1:].reshape(frames, count, 3) * METRES[unit]
    _refuse_holes(path, rows, names, xyz)
    if units is None:
        refuse_scale(f"{path}, line 3", unit, xyz)
    return MarkerData(names, values[:, 0].copy(), xyz, _rate(path, header, values[:, 0]), unit)


def length_unit(where: str, text: str, given: str | None = None) -> str:
    """The unit ``"m"``, ``"cm"`` or ``"mm"`` that a file names, or the ``given`` one instead.

    Raises:
        InputError: neither of them.
    """
    text, where = (text, where) if given is None else (given, "units")
    unit = _SPELLED.get(text.lower(), text.lower())
    if unit not in METRES:
        raise InputError(f"{where}: expected the unit of length m, cm or mm, got {text!r}")
    return unit


def _whole(path: Path, header: Mapping[str, str], key: str) -> int:
    text = header.get(key)
    if text is None:
        raise InputError(f"{path}, line 2: the key {key} or its value in line 3 is missing")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value >= 1 and value.is_integer()):
        raise InputError(f"{path}, line 3: {key} must be a whole number from 1, got {text!r}")
    return int(value)


def _rate(path: Path, header: Mapping[str, str], time: Float64) -> float:
    text = header.get("DataRate", "")
    try:
        rate = float(text)
    except ValueError:
        rate = np.nan
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}, line 3: DataRate must be frames per second above 0, got {text!r}")
    if len(time) > 2:
        measured = (len(time) - 1) / (time[-1] - time[0])
        if not 0.5 < measured / rate < 2:
            raise InputError(
                f"{path}, line 3: DataRate says {rate:g} Hz, the times of the rows {measured:g} Hz; are the times in "
                "seconds? Correct one of them"
            )
    return rate


def _names(path: Path, line: str, count: int) -> tuple[str, ...]:
    cells = line.split("\t") if "\t" in line else line.split()
    if len(cells) < 2 or not cells[0].strip().lower().startswith("frame"):
        raise InputError(f"{path}, line 4: expected Frame#, Time and the marker names, got {line.strip()[:40]!r}")
    names = tuple(cell.strip() for cell in cells[2:] if cell.strip())
    if len(names) != count:
        raise InputError(f"{path}, line 4: {len(names)} marker names, but NumMarkers in line 3 says {count}")
    refuse_repeated(names, f"{path}, line 4", "marker")
    return names


def _is_labels(line: str) -> bool:
    """Whether this is line 5 of the format, ``X1 Y1 Z1 …``."""
    return line.split()[0][:1] in ("X", "x")


def _row(path: Path, number: int, line: str, names: tuple[str, ...]) -> Float64:
    """(1 + 3 M,) time and lengths of one row."""
    cells = line.split("\t") if "\t" in line else line.split()
    width = 2 + 3 * len(names)
    if len(cells) > width:
        if any(cell.strip() for cell in cells[width:]):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells, but {len(names)} markers need {width}; a tab too much?"
            )
        cells = cells[:width]
    elif len(cells) < width:
        if len(cells) < 2 or (len(cells) - 2) % 3:
            after = names[max(len(cells) - 2, 0) // 3]
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells instead of {width}; the row is cut off at marker {after!r}"
            )
        cells = cells + [""] * (width - len(cells))

    def where(index: int) -> str:
        column = index + 2
        what = "time" if index == 0 else f"marker {names[(index - 1) // 3]!r}, {_AXES[(index - 1) % 3]}"
        return f"{path}, line {number}, column {column} ({what})"

    return read_numbers(cells[1:], where)


def _refuse_holes(path: Path, rows: list[tuple[int, str]], names: tuple[str, ...], xyz: Float64) -> None:
    """A marker has all three coordinates or none."""
    absent = np.isnan(xyz)
    partly = absent.any(-1) & ~absent.all(-1)
    if partly.any():
        frame, marker = (int(index) for index in np.argwhere(partly)[0])
        axes = ", ".join(_AXES[axis] for axis in np.flatnonzero(absent[frame, marker]))
        raise InputError(
            f"{path}, line {rows[frame][0]}: marker {names[marker]!r} has no {axes}, but the rest; fill in the cell or "
            "empty all three"
        )


def refuse_scale(where: str, unit: str, xyz: Float64) -> None:
    """Ask when the markers of most frames lie closer together or further apart than a person's can.

    Args:
        where: file and place of the unit, for the message.
        unit: what the file says.
        xyz: (T, M, 3) metres by that unit.

    Raises:
        InputError: says the extent and which unit would explain it.
    """
    seen = xyz[np.isfinite(xyz).all(-1).sum(1) >= 3]
    if not len(seen):
        return
    extent = float(np.median(np.linalg.norm(np.nanmax(seen, 1) - np.nanmin(seen, 1), axis=-1)))
    low, high = _PLAUSIBLE
    if extent == 0 or low <= extent <= high:
        return
    sizes = {name: extent / METRES[unit] * scale for name, scale in METRES.items()}
    better = min(sizes, key=lambda name: abs(np.log(sizes[name] / _USUAL)))
    hint = f". Are the values in {better}?" if better != unit else ", which no person does."
    raise InputError(
        f"{where}: the unit is given as {unit}, and then the markers of a frame spread over {plain(extent)} m{hint} "
        f"Correct it in the file; marrow ik and marrow scale also take --units {better}"
    )


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------


def write_trc(path: str | Path, markers: MarkerData) -> None:
    """Write marker trajectories in ``markers.units``, in the axes they are in; OpenSim reads it.

    Numbers are written with all their digits. Markers that were not seen are empty cells.

    Raises:
        InputError: shapes, names or times that do not fit the format.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    check_markers(markers, "write_trc")
    frames, count = markers.xyz.shape[:2]
    rate = f"{markers.rate_hz:.10g}"
    values = [rate, rate, str(frames), str(count), markers.units, rate, "1", str(frames)]
    flat = (markers.xyz / METRES[markers.units]).reshape(frames, -1)
    with write_atomically(path, "w") as file:
        file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")
        file.write("\t".join(_KEYS) + "\n" + "\t".join(values) + "\n")
        file.write("Frame#\tTime\t" + "\t\t\t".join(markers.names) + "\t\t\n")
        file.write("\t\t" + "\t".join(f"{axis}{k}" for k in range(1, count + 1) for axis in "XYZ") + "\n\n")
        for frame in range(frames):
            time = repr(float(markers.time[frame]))
            cells = [str(frame + 1), time, *number_text(flat[frame].tolist(), "")]
            # OpenSim drops one empty cell at the end of a row and then misses it.
            file.write("\t".join(cells) + ("\n" if cells[-1] else "\t\n"))


def check_markers(markers: MarkerData, caller: str) -> None:
    """Refuse what no marker file can hold.

    Raises:
        InputError: shapes, names, units, rate or times that do not fit.
    """
    shape = (len(markers.time), len(markers.names), 3)
    if np.shape(markers.xyz) != shape or 0 in shape:
        raise InputError(
            f"{caller}: for {shape[0]} times and {shape[1]} names expected xyz {shape}, got {np.shape(markers.xyz)}"
        )
    if markers.units not in METRES:
        raise InputError(f"{caller}: units must be m, cm or mm, got {markers.units!r}")
    if not (np.isfinite(markers.rate_hz) and markers.rate_hz > 0):
        raise InputError(f"{caller}: rate_hz must be above 0, got {markers.rate_hz}")
    for name in markers.names:
        if not name.strip() or name != name.strip() or any(letter in name for letter in "\t\n\r"):
            raise InputError(f"{caller}: the marker name {name!r} is empty or holds tabs, line ends or outer spaces")
    refuse_repeated(markers.names, caller, "marker")
    refuse_times(np.asarray(markers.time, float), lambda index: f"{caller}: frame {index}")
    absent = np.isnan(markers.xyz)
    if np.isinf(markers.xyz).any() or (absent.any(-1) != absent.all(-1)).any():
        raise InputError(f"{caller}: xyz must be finite, or NaN in all three coordinates of a marker")
