"""Rows of numbers in text files, read so that every mistake is told with its file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.types import Float64


def read_content(path: str | Path) -> bytes:
    """The content of a file that must not be empty.

    Raises:
        InputError: missing, unreadable or empty.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not raw.strip():
        raise InputError(f"{path}: the file is empty")
    return raw


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file (UTF-8, with or without byte order mark; any line ends), without their line ends.

    Raises:
        InputError: missing, unreadable, empty or binary.
    """
    raw = read_content(path)
    if b"\0" in raw[:4096]:
        raise InputError(f"{path}: expected text, got a binary file; is its suffix right?")
    # Names from other tools may be Latin-1; one odd letter should not make the numbers unreadable.
    return raw.decode("utf-8-sig", errors="replace").splitlines()


def plain(value: float) -> str:
    """A number in three digits without a power of ten: ``1670``, ``0.00167``."""
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def read_numbers(cells: Sequence[str], where: Callable[[int], str]) -> Float64:
    """One row of cells as numbers; empty cells and ``nan`` are NaN.

    Args:
        cells: texts of the cells.
        where: place of the cell with that index, for messages (``"walk.trc, line 7, marker 'R.ASIS'"``).

    Raises:
        InputError: a cell that is no number, or infinite; the message names it.
    """
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        values = np.array([_number(cell, where, index) for index, cell in enumerate(cells)], np.float64)
    endless = np.isinf(values)
    if endless.any():
        index = int(np.flatnonzero(endless)[0])
        raise InputError(f"{where(index)}: expected a finite number or an empty cell, got {cells[index].strip()!r}")
    return values


def _number(cell: str, where: Callable[[int], str], index: int) -> float:
    text = cell.strip()
    if not text:
        return np.nan
    try:
        return float(text)
    except ValueError:
        comma = "; write decimals with a point" if text.replace(",", "", 1).lstrip("+-").isdigit() else ""
        raise InputError(f"{where(index)}: expected a number or an empty cell, got {text[:40]!r}{comma}") from None


def refuse_repeated(names: Sequence[str], where: str, kind: str) -> None:
    """Refuse names that occur twice.

    Raises:
        InputError: names the first repeated one and both its places, counted from 1.
    """
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            places = f"as number {first[name] + 1} and {index + 1}"
            raise InputError(f"{where}: {kind} {name!r} is there twice ({places}); rename one of them")
        first[name] = index


def refuse_times(time: Float64, where: Callable[[int], str]) -> None:
    """Refuse times that are missing or do not increase.

    Args:
        time: (T,) seconds.
        where: place of the row with that index.

    Raises:
        InputError: names the first bad row.
    """
    for index in np.flatnonzero(~np.isfinite(time))[:1]:
        raise InputError(f"{where(int(index))}: the time is missing")
    for index in np.flatnonzero(np.diff(time) <= 0)[:1]:
        raise InputError(
            f"{where(int(index) + 1)}: times must increase, got {time[index + 1]:g} s after {time[index]:g} s"
        )


def number_text(values: Iterable[float], missing: str) -> list[str]:
    """The shortest texts that read back as the same numbers; ``missing`` for NaN."""
    return [missing if value != value else repr(float(value)) for value in values]
