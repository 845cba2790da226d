"""A generic model to a person's size: OpenSim's scaling tool, with checks before and after.

What is scaled by what stands in a ScaleTool setup (``.xml``), as for OpenSim. Without one, marrow writes it itself from
the model and the marker names (:mod:`marrow.clinical.measures`), and the same road is taken.
"""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrow.clinical.measures import write_setup
from marrow.clinical.opensim_tools import existing, load_model, opensim, reason, refusing, silent
from marrow.errors import InputError, OutputError
from marrow.io.files import refuse_existing, temporary_beside
from marrow.io.trc import MarkerData, read_trc, write_trc

#: Scale factors outside mean another unit or another person than the model can stand for.
_FACTORS = (0.2, 3.0)
#: A marker that moves more during the static trial (standard deviation, metres) makes its mean doubtful.
_STILL_M = 0.01


@dataclass(frozen=True)
class Scaled:
    """What scaling did.

    Attributes:
        factors: body name to its factors along X, Y, Z.
        mass_kg: of the scaled model.
        height_m: highest less lowest marker of the static trial, or None without markers above each other.
        rms_m, max_m: distance of the scaled model's markers from the measured ones, before they were moved onto them;
            None when the setup places no markers.
        worst: name of the marker with ``max_m``.
        warnings: what the user should know.
    """

    factors: Mapping[str, tuple[float, float, float]]
    mass_kg: float
    height_m: float | None
    rms_m: float | None
    max_m: float | None
    worst: str
    warnings: tuple[str, ...]


def scale_model(
    out: str | Path,
    *,
    setup: str | Path | None = None,
    model: str | Path | None = None,
    markers: str | Path | None = None,
    marker_set: str | Path | None = None,
    mass_kg: float | None = None,
    units: str | None = None,
) -> Scaled:
    """Scale a model to the markers of a static trial, and move its markers to where they were on the person.

    Args:
        out: ``.osim`` file to write.
        setup: ScaleTool file (``.xml``); what is given besides replaces what it says. The files it
            names lie relative to it.
        model: generic model (``.osim``).
        markers: static trial (``.trc``).
        marker_set: markers on the model (``.xml``), when they are not in the model.
        units: unit of the static trial (``"m"``, ``"cm"``, ``"mm"``) instead of what its header says.
        mass_kg: of the person; without it that of the setup, else the model keeps its own.

    Raises:
        InputError: files that are missing, damaged or contradict each other; the message names the marker.
        OutputError: ``out`` cannot be written.
    """
    if Path(out).suffix.lower() != ".osim":
        raise InputError(f"{out}: a model needs the suffix .osim")
    refuse_existing(out, force=True)
    if mass_kg is not None and not 0.5 <= mass_kg <= 400:
        raise InputError(f"mass: expected kilograms from 0.5 to 400, got {mass_kg:g}")
    if setup is None and (model is None or markers is None):
        raise InputError("without a setup file both a model (.osim) and a static trial (.trc) are needed")
    with tempfile.TemporaryDirectory(prefix="marrow_scale_") as name:
        folder = Path(name)
        if setup is None:
            setup = folder / "setup.xml"
            write_setup(setup, _with_markers(Path(str(model)), marker_set), read_trc(Path(str(markers)), units=units))
        return _scale(Path(out), Path(setup), model, markers, marker_set, mass_kg, units, folder)


def _scale(
    out: Path,
    setup: Path,
    model: str | Path | None,
    markers: str | Path | None,
    marker_set: str | Path | None,
    mass_kg: float | None,
    units: str | None,
    folder: Path,
) -> Scaled:
    existing(setup, "scaling setup")
    with silent(), refusing(f"{setup}: not a ScaleTool file of OpenSim"):
        tool = opensim().ScaleTool(str(setup))
    maker, scaler, placer = tool.getGenericModelMaker(), tool.getModelScaler(), tool.getMarkerPlacer()
    model_path = _named(setup, model, maker.getModelFileName(), "generic model")
    if marker_set is None and (text := maker.getMarkerSetFileName().strip()) not in ("", "Unassigned"):
        marker_set = setup.parent / text
    system = _with_markers(model_path, marker_set)
    static = read_trc(_named(setup, markers, scaler.getMarkerFileName(), "static trial"), units=units)
    mass = mass_kg if mass_kg is not None else float(tool.getSubjectMass())
    warnings = _check(setup, system, static)
    write_trc(folder / "static.trc", static)
    for part in (scaler, placer):
        part.setMarkerFileName(str(folder / "static.trc"))
        part.setOutputModelFileName("")
    scaler.setOutputScaleFileName(str(folder / "factors.xml"))
    placer.setOutputMarkerFileName("")
    placer.setOutputMotionFileName("")
    if (text := placer.getStaticPoseFileName().strip()) not in ("", "Unassigned"):
        placer.setStaticPoseFileName(str(existing(setup.parent / text, "static pose")))
    with silent("Info") as told, refusing("OpenSim's scaling failed"):
        done = not scaler.getApply() or scaler.processModel(system, "", mass)
        done = done and (not placer.getApply() or placer.processModel(system, ""))
        said = told()
    if not done:
        raise InputError(f"OpenSim's scaling failed: {reason(said[-400:])}")
    factors = _factors(folder / "factors.xml", system)
    _refuse_factors(factors, static)
    system.setName(out.stem)
    _write(out, system)
    rms, largest, worst = _marker_error(said)
    total = float(system.getTotalMass(system.initSystem()))
    return Scaled(factors, total, _height(static), rms, largest, worst, tuple(warnings))


def _named(setup: Path, given: str | Path | None, text: str, what: str) -> Path:
    """The file given, or the one that the setup names."""
    if given is not None:
        return existing(given, what)
    text = text.strip()
    if text in ("", "Unassigned"):
        raise InputError(f"{setup}: it names no {what}; give one")
    path = setup.parent / text
    if not path.is_file():
        raise InputError(f"{path}: no such file ({what} that {setup.name} names); give another one")
    return path


def _with_markers(model: Path, marker_set: str | Path | None) -> Any:
    """The model, with the markers of a file added to its own."""
    system = load_model(model)
    if marker_set is not None:
        path = existing(marker_set, "marker set")
        with silent(), refusing(f"{path}: not a MarkerSet file that fits {model.name}"):
            system.updateMarkerSet(opensim().MarkerSet(str(path)))
            system.initSystem()
    if system.getMarkerSet().getSize() == 0:
        raise InputError(f"{model}: the model has no markers; name a file with them: --marker-set SET.xml")
    return system


def _check(setup: Path, system: Any, static: MarkerData) -> list[str]:
    """Refuse measures whose markers are missing (OpenSim would leave those bodies as they are); tell the rest."""
    known = {system.getMarkerSet().get(k).getName() for k in range(system.getMarkerSet().getSize())}
    try:
        tree = ET.parse(setup)
    except ET.ParseError as error:
        raise InputError(f"{setup}: not XML ({error})") from None
    for pair in tree.iter("MarkerPair"):
        for name in (pair.findtext("markers") or "").split():
            for place, names in (("the static trial", static.names), ("the model", known)):
                if name not in names:
                    raise InputError(f"{setup}: a measure needs the marker {name!r}, which is not in {place}")
    warnings = []
    common = [name for name in static.names if name in known]
    if not common:
        raise InputError(f"the static trial and the model have no marker in common ({static.names[0]!r} …)")
    unknown = [name for name in static.names if name not in known]
    if unknown:
        warnings.append(f"{len(unknown)} markers of the static trial are not on the model: {', '.join(unknown[:8])}")
    chosen = static.select(tuple(common))
    moved = np.nanmax(np.nanstd(chosen.xyz, axis=0), axis=-1)
    if np.nanmax(moved) > _STILL_M:
        name, most = common[int(np.nanargmax(moved))], 1000 * float(np.nanmax(moved))
        warnings.append(
            f"{name} moves by {most:.0f} mm (standard deviation) in the static trial; did the person stand?"
        )
    return warnings


def _factors(path: Path, system: Any) -> dict[str, tuple[float, float, float]]:
    if not path.exists():  # the setup does not scale
        return {}
    bodies = system.getBodySet()
    found = {}
    for scale in ET.parse(path).iter("Scale"):
        x, y, z = (float(word) for word in (scale.findtext("scales") or "1 1 1").split())
        name = (scale.findtext("segment") or "").strip()
        if bodies.contains(name):  # OpenSim lists the ground and the frames of joints too
            found[name] = (x, y, z)
    return found


def _refuse_factors(factors: Mapping[str, tuple[float, float, float]], static: MarkerData) -> None:
    low, high = _FACTORS
    for body, values in factors.items():
        if not low <= min(values) <= max(values) <= high:
            raise InputError(
                f"{body} would be scaled by {max(values, key=abs):.3g}. Is the unit of the static trial "
                f"({static.units}) right, and are its markers those of the model?"
            )


def _marker_error(said: str) -> tuple[float | None, float | None, str]:
    """OpenSim tells these figures in its log only."""
    found = re.findall(r"marker error: RMS = ([\d.eE+-]+), max = ([\d.eE+-]+) \((.*?)\)\s*$", said, flags=re.MULTILINE)
    if not found:
        return None, None, ""
    rms, largest, worst = found[-1]
    return float(rms), float(largest), worst


def _height(static: MarkerData) -> float | None:
    height = float(np.ptp(np.nanmean(static.xyz[..., 1], axis=0)))
    return height if height > 0.3 else None


def _write(out: Path, system: Any) -> None:
    with temporary_beside(out) as part, silent():
        try:
            system.printToXML(str(part))
        except RuntimeError as error:
            raise OutputError(f"could not write {out}: {reason(str(error))}") from error
