"""OpenSim's tables over time: motions ``.mot`` and storages ``.sto``, and the older SIMM motions.

Columns keep their names, order and *units of the file*: angles are in degrees or radians as ``in_degrees`` says (it
holds for rotations only; OpenSim never scales lengths, forces or moments), and axes are the file's own, which for
OpenSim's coordinates is its ground (X forward, Y up, Z right). Format: a title, ``key=value`` lines, ``endheader``, one
line with ``time`` and the column names, then rows, separated by tabs or spaces. SIMM motions have ``datacolumns`` and
``datarows`` instead, and are in degrees.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.io.columns import number_text, read_lines, read_numbers, refuse_repeated, refuse_times
from marrow.io.files import write_atomically
from marrow.types import Float64


@dataclass(frozen=True)
class Table:
    """Columns over time.

    Attributes:
        names: C column names without ``time``; a name may repeat (SIMM motions with several force plates).
        time: (T,) seconds, increasing.
        values: (T, C) in the units of the file; NaN where a cell was empty.
        in_degrees: whether the columns that are rotations are in degrees (else radians).
        title: first line of the file.
    """

    names: tuple[str, ...]
    time: Float64
    values: Float64
    in_degrees: bool
    title: str = "Coordinates"

    def column(self, name: str) -> Float64:
        """(T,) values of one column.

        Raises:
            InputError: there is no such column, and the message names the nearest; or there are two.
        """
        if name not in self.names:
            near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.names[:8])} …"
            raise InputError(f"there is no column {name!r} in {self.title!r}; {hint}")
        if (count := self.names.count(name)) > 1:
            raise InputError(f"the column {name!r} is there {count} times in {self.title!r}; rename them")
        return self.values[:, self.names.index(name)]


def read_mot(path: str | Path) -> Table:
    """Read a ``.mot`` or ``.sto`` file (OpenSim's or SIMM's).

    As in OpenSim, a header without ``inDegrees`` means radians, and degrees if it has no ``version`` either.

    Raises:
        InputError: missing or damaged file; the message names line and column.
    """
    path = Path(path)
    lines = read_lines(path)
    end = next((index for index, line in enumerate(lines) if line.strip().lower() == "endheader"), None)
    if end is None:
        raise InputError(f"{path}: the line 'endheader' is missing; this is no .mot or .sto file, or it is damaged")
    header = _header(lines[:end])
    if header.get("datatype", "double").lower() != "double":
        raise InputError(f"{path}: DataType={header['datatype']} is not supported; expected plain numbers (double)")
    below = [(number, line) for number, line in enumerate(lines[end + 1 :], end + 2) if line.strip()]
    if len(below) < 2:
        raise InputError(f"{path}: after endheader expected the column names and at least one row")
    names = _names(path, *below[0])
    rows = below[1:]
    _compare(path, header, ("ncolumns", "datacolumns"), len(names) + 1, "columns")
    _compare(path, header, ("nrows", "datarows"), len(rows), "rows")
    values = np.stack([_row(path, number, line, names) for number, line in rows])
    refuse_times(values[:, 0], lambda index: f"{path}, line {rows[index][0]}")
    title = lines[0].strip() if end else ""
    return Table(names, values[:, 0].copy(), values[:, 1:].copy(), _in_degrees(path, header), title)


def _header(lines: list[str]) -> Mapping[str, str]:
    """``key=value`` lines and SIMM's ``key value`` lines, keys in lower case; all else is comment."""
    found = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        words = line.split()
        if equals and key and " " not in key.strip():
            found[key.strip().lower()] = value.strip()
        elif len(words) == 2 and words[0].lower() in ("datacolumns", "datarows"):
            found[words[0].lower()] = words[1]
    return found


def _in_degrees(path: Path, header: Mapping[str, str]) -> bool:
    text = header.get("indegrees", "no" if "version" in header else "yes").lower()
    if text not in ("yes", "no", "y", "n", "true", "false"):
        raise InputError(f"{path}: inDegrees must be yes or no, got {text!r}")
    return text[0] in "yt"


def _compare(path: Path, header: Mapping[str, str], keys: tuple[str, ...], found: int, what: str) -> None:
    """Refuse a file that has another number of rows or columns than its header says."""
    for key in keys:
        if key in header and header[key] != str(found):
            raise InputError(
                f"{path}: the header says {header[key]} {what} ({key}), the file has {found}; it is cut short or the "
                "header is wrong. To read it as it is, correct the header"
            )


def _cells(line: str) -> list[str]:
    """Cells of a line; with tabs between them a cell may be empty, and ends of lines may have further tabs."""
    return line.rstrip().split("\t") if "\t" in line.strip() else line.split()


def _names(path: Path, number: int, line: str) -> tuple[str, ...]:
    cells = [cell.strip() for cell in _cells(line)]
    if cells[0].lower() != "time":
        raise InputError(f"{path}, line {number}: the first column must be 'time', got {cells[0]!r}")
    if "" in cells:
        raise InputError(f"{path}, line {number}, column {cells.index('') + 1}: the column has no name")
    return tuple(cells[1:])


def _row(path: Path, number: int, line: str, names: tuple[str, ...]) -> Float64:
    cells = line.split("\t") if "\t" in line.strip() else line.split()
    width = len(names) + 1
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        raise InputError(
            f"{path}, line {number}: expected {width} cells (time and {len(names)} columns), got {len(cells)}"
        )
    heads = ("time", *names)
    return read_numbers(cells, lambda index: f"{path}, line {number}, column {index + 1} ({heads[index]})")


def write_mot(path: str | Path, table: Table) -> None:
    """Write a ``.mot`` or ``.sto`` file that OpenSim reads; numbers with all their digits, NaN as ``nan``.

    Raises:
        InputError: shapes, names or times that do not fit the format.
        OutputError: the file cannot be written.
    """
    shape = (len(table.time), len(table.names))
    if np.shape(table.values) != shape or 0 in shape:
        raise InputError(
            f"write_mot: for {shape[0]} times and {shape[1]} names expected values {shape}, "
            f"got {np.shape(table.values)}"
        )
    for name in table.names:
        if not name or any(letter.isspace() for letter in name):
            raise InputError(f"write_mot: the column name {name!r} is empty or holds spaces")
    refuse_repeated(("time", *table.names), "write_mot", "column")
    refuse_times(np.asarray(table.time, float), lambda index: f"write_mot: row {index}")
    if np.isinf(table.values).any():
        raise InputError("write_mot: values must be finite, or NaN where they are missing")
    title = " ".join(table.title.split()).replace("=", " ") or "Coordinates"
    with write_atomically(path, "w") as file:
        file.write(f"{title}\nversion=1\nnRows={shape[0]}\nnColumns={shape[1] + 1}\n")
        file.write(f"inDegrees={'yes' if table.in_degrees else 'no'}\n\nendheader\n")
        file.write("\t".join(("time", *table.names)) + "\n")
        for now, row in zip(table.time, table.values, strict=True):
            file.write("\t".join([repr(float(now)), *number_text(row.tolist(), "nan")]) + "\n")
