"""``marrow scale``: a generic OpenSim model to a person's size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event


def run(
    setup: Annotated[
        Path | None,
        tyro.conf.Positional,
        option(
            "ScaleTool file of OpenSim (.xml); the options replace what it says. Without it the distances that scale "
            "each body are chosen from the model and the names of its markers.",
            "[SETUP.xml]",
        ),
    ] = None,
    model: Annotated[Path | None, option("Generic model.", "M.osim")] = None,
    markers: Annotated[Path | None, option("Markers of a static trial.", "T.trc")] = None,
    marker_set: Annotated[Path | None, option("Markers on the model, when they are not in it.", "S.xml")] = None,
    units: Annotated[str | None, option("Of the static trial: m, cm or mm, instead of its header.", "U")] = None,
    mass: Annotated[float | None, option("Of the person, kg; without it the model keeps its own.", "KG")] = None,
    out: Annotated[Path, option("Model to write (default scaled.osim).", "OUT.osim")] = Path("scaled.osim"),
    force: Annotated[bool, option("Replace an earlier file.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as a JSON line to the standard output.")] = False,
) -> int:
    """Scale an OpenSim model to a person's markers, with OpenSim's own tool.

    For example: marrow scale --model gait2392.osim --markers static.trc --mass 72.6 --out subject.osim
    """
    given = {"setup": setup, "model": model, "markers": markers, "marker_set": marker_set}
    return _scale(out, force, json, **given, mass_kg=mass, units=units)


def _scale(out: Path, force: bool, as_json: bool, **given: Any) -> int:
    from marrow.clinical.scaling import scale_model
    from marrow.io.files import refuse_existing

    refuse_existing(out, force=force)
    scaled = scale_model(out, **given)
    if as_json:
        write_event("scaled", file=out, **scaled.__dict__)
        return 0
    print_table([{"body": body, "x": x, "y": y, "z": z} for body, (x, y, z) in scaled.factors.items()])
    print(f"\nmass {scaled.mass_kg:.1f} kg", end="")
    if scaled.rms_m is not None and scaled.max_m is not None:
        print(
            f"; markers off by {1000 * scaled.rms_m:.0f} mm RMS, {1000 * scaled.max_m:.0f} mm at most "
            f"({scaled.worst}), before they were moved to where they were measured",
            end="",
        )
    print()
    for warning in scaled.warnings:
        print(f"note: {warning}")
    print(f"written: {out}")
    return 0
