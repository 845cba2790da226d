"""``marrow id``: joint moments from movement and ground reaction forces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event


def run(
    model: Annotated[Path, option("Model of the person, scaled.", "M.osim")],
    motion: Annotated[Path, option("Coordinates over time (.mot, .sto, or marrow's motion.npz).", "Q.mot")],
    loads: Annotated[
        Path | None,
        option("ExternalLoads file of OpenSim: which ground reaction forces act on which body.", "L.xml"),
    ] = None,
    grf: Annotated[Path | None, option("Forces, instead of the file that --loads names.", "F.mot")] = None,
    lowpass: Annotated[float, option("Cut-off of the coordinates' filter, Hz (default 6); 0 for none.", "HZ")] = 6.0,
    time: Annotated[tuple[float, float] | None, option("First and last second; without it all.", "A B")] = None,
    out: Annotated[Path, option("Generalised forces to write (default moments.sto).", "OUT.sto")] = Path("moments.sto"),
    force: Annotated[bool, option("Replace an earlier file.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as a JSON line to the standard output.")] = False,
) -> int:
    """Compute joint moments by inverse dynamics, with OpenSim's own tool.

    For example: marrow id --model subject.osim --motion walk.mot --loads walk_grf.xml --out moments.sto
    """
    return _id(out, force, json, model=model, motion=motion, loads=loads, grf=grf, lowpass_hz=lowpass, time=time)


def _id(out: Path, force: bool, as_json: bool, **given: Any) -> int:
    import numpy as np

    from marrow.clinical.dynamics import inverse_dynamics
    from marrow.io.files import refuse_existing
    from marrow.io.mot import write_mot

    refuse_existing(out, force=force)
    found = inverse_dynamics(**given)
    write_mot(out, found.forces)
    names, values = found.forces.names, found.forces.values
    rows = [
        {
            "coordinate": name.rpartition("_")[0],
            "unit": "N" if name.endswith("_force") else "N·m",
            "lowest": float(column.min()),
            "highest": float(column.max()),
            "RMS": float(np.sqrt(np.mean(column**2))),
        }
        for name, column in zip(names, values.T, strict=True)
    ]
    if as_json:
        share = found.residual_share
        facts = {"mass_kg": found.mass_kg, "residual_share": share, "warnings": found.warnings, "forces": rows}
        write_event("moments", file=out, **facts)
        return 0
    print_table(rows)
    print(f"\nmass {found.mass_kg:.1f} kg, {len(values)} frames", end="")
    print("" if found.residual_share is None else f", residual force {found.residual_share:.1%} of the external force")
    for warning in found.warnings:
        print(f"note: {warning}")
    print(f"written: {out}")
    return 0
