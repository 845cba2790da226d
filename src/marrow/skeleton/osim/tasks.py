"""What a set-up file of OpenSim's inverse kinematics asks for: weights of markers, and coordinates drawn to values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marrow.errors import InputError
from marrow.skeleton.osim.xml import Element, parse

_SOURCES = ("default_value", "manual_value", "from_file")


@dataclass(frozen=True)
class CoordinateAim:
    """A coordinate task as written.

    Attributes:
        source: ``default_value``, ``manual_value`` or ``from_file``.
        value: radians or metres, for ``manual_value``.
    """

    coordinate: str
    weight: float
    source: str
    value: float


@dataclass(frozen=True, eq=False)
class IkSetup:
    """Tasks that apply.

    Attributes:
        markers: weight by name; None where the file has no marker task, which means every marker with weight 1.
        coordinates: tasks for coordinates.
        coordinate_file: table of the values ``from_file``, relative to the set-up file; None where none is named.
    """

    file: Path
    markers: dict[str, float] | None
    coordinates: tuple[CoordinateAim, ...]
    coordinate_file: Path | None


def read_ik_setup(path: str | Path) -> IkSetup:
    """Read the tasks of an ``InverseKinematicsTool`` (or of a bare ``IKTaskSet``).

    Model, marker file, time range, accuracy and outputs that the file names are not used.

    Raises:
        InputError: not such a file, or a task that cannot be followed; file and line are named.
    """
    root = parse(path)
    everything = [root, *root.walk()]
    tasks = next((e for e in everything if e.tag == "IKTaskSet"), None)
    if tasks is None:
        raise InputError(f"{path}: no <IKTaskSet> in it; expected the set-up of an inverse kinematics tool")
    markers, coordinates = {}, []
    holder = tasks.find("objects") or tasks
    for task in holder:
        if task.tag not in ("IKMarkerTask", "IKCoordinateTask") or not task.flag("apply", True):
            continue
        weight = task.number("weight", 1.0)
        if weight < 0:
            raise task.error(f"its weight is {weight:g}; expected 0 or more")
        if task.tag == "IKMarkerTask":
            markers[task.name] = weight
        else:
            coordinates.append(_aim(task, weight))
    named = next((e.text.strip() for e in everything if e.tag == "coordinate_file"), "")
    file = None if named in ("", "Unassigned") else Path(path).parent / named
    return IkSetup(Path(path), markers or None, tuple(coordinates), file)


def _aim(task: Element, weight: float) -> CoordinateAim:
    source = task.string("value_type", default="default_value")
    if source not in _SOURCES:
        raise task.error(f"its value_type is {source!r}; expected {', '.join(_SOURCES)}")
    return CoordinateAim(task.name, weight, source, task.number("value", 0.0))
