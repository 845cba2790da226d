"""Joint moments from movement and ground reaction forces: OpenSim's inverse dynamics, with checks before and after.

OpenSim itself is quiet about much that makes its numbers wrong: coordinates that are not in the file stay at their
default, gaps spread through its splines, and forces end where their file ends. Here these are errors or warnings.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from marrow.clinical.opensim_tools import existing, load_model, opensim, reason, refusing, silent
from marrow.errors import InputError
from marrow.io.mot import Table, read_mot, write_mot
from marrow.types import Float64

#: Cut-off of the low-pass filter of the coordinates, Hz; usual for walking, as in OpenSim's own examples.
LOWPASS_HZ = 6.0

#: Largest residual force over the largest external force that still passes for a consistent measurement: Hicks et al.,
#: "Is my model good enough?" (J Biomech Eng 2015), table 3.
RESIDUAL_SHARE = 0.05

#: Degrees written as radians (and the other way round) show by the size of the largest rotation.
_TOO_MANY_RADIANS = 4 * np.pi
_TOO_FEW_DEGREES = np.pi / 2


@dataclass(frozen=True)
class Dynamics:
    """Generalised forces of a movement.

    Attributes:
        forces: one column a coordinate, ``<name>_moment`` (N·m) or ``<name>_force`` (N), as OpenSim names them.
        mass_kg: of the model.
        residual_share: largest residual force at the root over the largest external force; None without forces.
        warnings: what the user should know.
    """

    forces: Table
    mass_kg: float
    residual_share: float | None
    warnings: tuple[str, ...]


def inverse_dynamics(
    model: str | Path,
    motion: str | Path | Table,
    *,
    loads: str | Path | None = None,
    grf: str | Path | None = None,
    lowpass_hz: float | None = LOWPASS_HZ,
    time: tuple[float, float] | None = None,
) -> Dynamics:
    """Run OpenSim's inverse dynamics (muscles take no part).

    Args:
        model: ``.osim`` file.
        motion: ``.mot`` or ``.sto`` file of coordinates (or of OpenSim's states), marrow's own ``.npz``, or a table.
        loads: OpenSim's ExternalLoads file (``.xml``): which forces act on which body.
        grf: ``.mot`` file with the forces, instead of the one that ``loads`` names.
        lowpass_hz: cut-off of the filter of the coordinates; None or 0 filters nothing.
        time: first and last second; by default all that the motion has.

    Raises:
        InputError: files that are missing, damaged or contradict each other; the message names coordinate or column.
    """
    if lowpass_hz is not None and not (np.isfinite(lowpass_hz) and lowpass_hz >= 0):
        raise InputError(f"lowpass_hz: expected a frequency in Hz, or 0 for no filter, got {lowpass_hz}")
    if grf is not None and loads is None:
        raise InputError(f"{grf}: forces alone do not say on which body they act; give the ExternalLoads file too")
    system = load_model(model)
    table = motion if isinstance(motion, Table) else _read(existing(motion, "motion"))
    name = table.title if isinstance(motion, Table) else str(motion)
    table, warnings = _coordinates(system, table, name)
    begin, end = _range(table, time, name)
    if lowpass_hz and len(table.time) > 1 and lowpass_hz >= 0.5 / np.median(np.diff(table.time)):
        raise InputError(f"{name}: lowpass_hz {lowpass_hz:g} is above half of the motion's rate; nothing can pass it")
    external = None if loads is None else _read_loads(system, Path(loads), grf, (begin, end))
    with tempfile.TemporaryDirectory(prefix="marrow_id_") as folder:
        forces = _run(system, table, external, lowpass_hz or -1.0, (begin, end), Path(folder))
    peak = None if external is None else _peak(external, begin, end)
    if peak is None:
        warnings.append("no external forces were given: what the ground carries appears as a force at the root")
    share = None if not peak else _residual(system, forces) / peak
    if share is not None and share > RESIDUAL_SHARE:
        warnings.append(
            f"the residual force at the root reaches {share:.0%} of the largest external force (Hicks et al. 2015 "
            f"accept {RESIDUAL_SHARE:.0%}): movement, masses and forces do not agree well"
        )
    mass = system.getTotalMass(system.getWorkingState())
    return Dynamics(forces, float(mass), share, tuple(warnings))


# ---------------------------------------------------------------------------------------------------------------------
# The motion
# ---------------------------------------------------------------------------------------------------------------------


def _read(path: Path) -> Table:
    """A table of coordinates of any kind of file that holds some."""
    if path.suffix.lower() == ".npz":
        from marrow.io.npz import read_motion

        motion = read_motion(path)
        return Table(motion.coordinates, motion.time, motion.q, in_degrees=False, title=path.name)
    table = read_mot(path)
    # OpenSim's states have names such as /jointset/hip_r/hip_flexion_r/value, and speeds between them.
    short = [n.split("/")[-2] if n.startswith("/") and n.endswith("/value") else n for n in table.names]
    return replace(table, names=tuple(short))


def _coordinates(system: Any, table: Table, name: str) -> tuple[Table, list[str]]:
    """The columns that are coordinates of the model, checked."""
    known = system.getCoordinateSet()
    coordinates = [known.get(k) for k in range(known.getSize())]
    names = tuple(c.getName() for c in coordinates)
    present = tuple(n for n in names if n in table.names)
    if not present:
        raise InputError(
            f"{name}: none of its {len(table.names)} columns ({', '.join(table.names[:4])} …) is a coordinate of the "
            f"model ({', '.join(names[:4])} …)"
        )
    values = np.stack([table.column(n) for n in present], axis=1)
    gaps = np.isnan(values)
    if gaps.any():
        row, column = (int(k) for k in np.argwhere(gaps)[0])
        raise InputError(f"{name}: {present[column]} has no value at {table.time[row]:g} s; fill the gaps first")
    rotations = [n in present and known.get(n).getMotionType() == 1 for n in present]
    _refuse_units(values[:, rotations], table.in_degrees, name)
    state = system.getWorkingState()
    free = [c.getName() for c in coordinates if not c.isConstrained(state)]
    missing = [n for n in free if n not in present]
    warnings = []
    if missing:
        shown = ", ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
        warnings.append(f"{len(missing)} coordinates are not in the motion and stay at the model's default: {shown}")
    return replace(table, names=present, values=values), warnings


def _refuse_units(rotations: Float64, in_degrees: bool, name: str) -> None:
    """Ask when no person can turn so far, or so little, in the unit of the header."""
    if not rotations.size:
        return
    largest = float(np.abs(rotations).max())
    if not in_degrees and largest > _TOO_MANY_RADIANS:
        raise InputError(
            f"{name}: the header says radians (inDegrees=no), and one rotation is {largest:.1f}. Are the values in "
            "degrees? Correct inDegrees"
        )
    if in_degrees and rotations.shape[1] >= 6 and 0.1 < largest < _TOO_FEW_DEGREES and len(rotations) > 1:
        raise InputError(
            f"{name}: the header says degrees (inDegrees=yes), and no rotation is larger than {largest:.2f}. Are the "
            "values in radians? Correct inDegrees"
        )


def _range(table: Table, time: tuple[float, float] | None, name: str) -> tuple[float, float]:
    first, last = float(table.time[0]), float(table.time[-1])
    if len(table.time) < 4:
        raise InputError(f"{name}: {len(table.time)} rows are too few for accelerations; expected at least 4")
    if time is None:
        return first, last
    begin, end = time
    if not begin < end:
        raise InputError(f"time: expected first and last second, got {begin:g} and {end:g}")
    if begin >= last or end <= first:
        raise InputError(f"{name}: it goes from {first:g} to {last:g} s, and {begin:g} to {end:g} s were asked for")
    return max(begin, first), min(end, last)


# ---------------------------------------------------------------------------------------------------------------------
# External forces
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Loads:
    """An ExternalLoads file with its data: (file, data file, data, per force the three columns of its vector)."""

    path: Path
    data_path: Path
    data: Table
    force_columns: tuple[tuple[str, ...], ...]


def _read_loads(system: Any, path: Path, grf: str | Path | None, time: tuple[float, float]) -> _Loads:
    existing(path, "external loads")
    with silent(), refusing(f"{path}: not an ExternalLoads file of OpenSim"):
        loads = opensim().ExternalLoads(str(path), True)
    count = loads.getSize()
    if count == 0:
        raise InputError(f"{path}: it names no force")
    data_path = Path(grf) if grf is not None else _beside(path, loads.getDataFileName())
    data = read_mot(existing(data_path, f"forces that {path.name} names"))
    columns = []
    for k in range(count):
        force = loads.get(k)
        body = force.getAppliedToBodyName()
        if not system.getBodySet().contains(body):
            raise InputError(f"{path}: {force.getName()} acts on {body!r}, and the model has no such body")
        for key in ("Force", "Point", "Torque"):
            found = _columns(path, data_path, data, force, key)
            if key == "Force":
                columns.append(found)
    begin, end = time
    if data.time[0] > begin + 1e-6 or data.time[-1] < end - 1e-6:
        raise InputError(
            f"{data_path}: forces go from {data.time[0]:g} to {data.time[-1]:g} s, the motion from {begin:g} to "
            f"{end:g} s; choose a time within both"
        )
    used = [name for found in columns for name in found]
    for name in used:
        if np.isnan(data.column(name)).any():
            raise InputError(f"{data_path}: {name} has empty cells; fill the gaps first")
    return _Loads(path, data_path, data, tuple(columns))


def _beside(path: Path, name: str) -> Path:
    """A file that an XML file names, relative to that XML file."""
    named = Path(name.strip())
    return named if named.is_absolute() else path.parent / named


def _columns(path: Path, data_path: Path, data: Table, force: Any, key: str) -> tuple[str, ...]:
    """The three columns whose names begin with an identifier of the force."""
    identifier = getattr(force, f"get{key}Identifier")()
    if not identifier:
        return ()
    found = tuple(name for name in data.names if name.startswith(identifier))
    if len(found) < 3:
        raise InputError(
            f"{path}: {force.getName()} wants three columns {identifier}… and {data_path.name} has {len(found)}; its "
            f"columns are {', '.join(data.names[:6])} …"
        )
    return found[:3]


def _peak(loads: _Loads, begin: float, end: float) -> float:
    """Largest sum of the external forces in the time, N."""
    rows = (loads.data.time >= begin) & (loads.data.time <= end)
    total = np.zeros((int(rows.sum()), 3))
    for names in loads.force_columns:
        if names:
            total += np.stack([loads.data.column(name)[rows] for name in names], axis=1)
    return float(np.linalg.norm(total, axis=1).max(initial=0.0))


# ---------------------------------------------------------------------------------------------------------------------
# The tool
# ---------------------------------------------------------------------------------------------------------------------


def _run(
    system: Any, table: Table, loads: _Loads | None, lowpass_hz: float, time: tuple[float, float], folder: Path
) -> Table:
    osim = opensim()
    write_mot(folder / "motion.mot", table)
    tool = osim.InverseDynamicsTool()
    tool.setModel(system)
    tool.setCoordinatesFileName(str(folder / "motion.mot"))
    tool.setLowpassCutoffFrequency(lowpass_hz)
    tool.setStartTime(time[0])
    tool.setEndTime(time[1])
    tool.setResultsDir(str(folder))
    tool.setOutputGenForceFileName("forces.sto")
    excluded = osim.ArrayStr()
    excluded.append("muscles")
    tool.setExcludedForces(excluded)
    if loads is not None:
        tool.setExternalLoadsFileName(str(_copy_loads(loads, folder)))
    with silent() as told, refusing("OpenSim's inverse dynamics failed"):
        done = tool.run()
    if not done or not (folder / "forces.sto").exists():
        raise InputError(f"OpenSim's inverse dynamics failed: {reason(told())}")
    return read_mot(folder / "forces.sto")


def _copy_loads(loads: _Loads, folder: Path) -> Path:
    """The ExternalLoads file with the full name of its data, so that it does not matter where it lies."""
    copy = folder / "loads.xml"
    with silent():
        content = opensim().ExternalLoads(str(loads.path), True)
        content.setDataFileName(str(loads.data_path.resolve()))
        content.printToXML(str(copy))
    return copy


def _residual(system: Any, forces: Table) -> float:
    """Largest force, N, at the joints between the ground and the model."""
    names = [f"{name}_force" for name in _root_coordinates(system)]
    present = [forces.column(name) for name in names if name in forces.names]
    return float(np.linalg.norm(present, axis=0).max()) if present else 0.0


def _root_coordinates(system: Any) -> list[str]:
    joints = system.getJointSet()
    found = []
    for k in range(joints.getSize()):
        joint = joints.get(k)
        if joint.getParentFrame().findBaseFrame().getName() == "ground":
            found += [joint.get_coordinates(c).getName() for c in range(joint.numCoordinates())]
    return found
