"""Marker files of any kind, and which way is up in them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.io.trc import MarkerData, read_trc
from marrow.types import Float64

#: From a file's axes to OpenSim's ground (Y up) by the axis that points up there.
_UPRIGHT = {"y": np.eye(3), "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])}
#: What laboratories write, by the suffix of the file: OpenSim's marker files have Y up, C3D files mostly Z.
USUAL_UP = {".trc": "y", ".c3d": "z"}


def upright(up: str) -> Float64:
    """(3, 3) from axes in which ``up``, ``"y"`` or ``"z"``, points up to those with Y up.

    Raises:
        InputError: another axis.
    """
    if up not in _UPRIGHT:
        raise InputError(f"up: expected y or z, got {up!r}")
    return _UPRIGHT[up]


def not_upright(up: str) -> str:
    """The remark on a person who lies when ``up`` is taken to point up."""
    other = "z" if up == "y" else "y"
    return f"the person does not stand upright with {up} up; is {other} up in this file? Try --up {other}"


def read_markers(path: str | Path, *, units: str | None = None) -> MarkerData:
    """Markers of a ``.trc`` or ``.c3d`` file, metres, in the file's own axes.

    Args:
        units: ``"m"``, ``"cm"`` or ``"mm"`` instead of what the file says.

    Raises:
        InputError: another suffix, or a file that cannot be used.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in USUAL_UP:
        given = suffix or "a file without suffix"
        raise InputError(f"{path}: cannot read markers from {given}; expected {' or '.join(USUAL_UP)}")
    if suffix == ".trc":
        return read_trc(path, units=units)
    from marrow.io.c3d import read_c3d

    return read_c3d(path, units=units).markers


def read_upright(path: str | Path, *, up: str | None = None, units: str | None = None) -> tuple[MarkerData, str]:
    """Markers as :func:`read_markers` gives them, turned so that Y is up, and the axis that was taken to be up.

    Args:
        up: ``"y"`` or ``"z"``; None takes what is usual for the kind of file.

    Raises:
        InputError: an axis, a suffix or a file that cannot be used.
    """
    taken = up or USUAL_UP.get(Path(path).suffix.lower(), "y")
    turn = upright(taken)
    markers = read_markers(path, units=units)
    return dataclasses.replace(markers, xyz=markers.xyz @ turn.T), taken
