"""``marrow ik``: joint angles of any OpenSim model from recorded markers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event


def run(
    model: Annotated[Path, option("Model of the person, scaled, with markers.", "M.osim")],
    markers: Annotated[Path, option("Recorded markers: .trc or .c3d.", "T.trc")],
    weights: Annotated[
        Path | None,
        option(
            "Set-up file of OpenSim's tool: weights and coordinate tasks. Without it all markers weigh 1.", "IK.xml"
        ),
    ] = None,
    coordinates: Annotated[
        Path | None,
        option("Values for tasks that take them from a file, instead of the file that --weights names.", "Q.mot"),
    ] = None,
    units: Annotated[
        str | None, option("Of the marker file (m, cm, mm), instead of what its header says.", "U")
    ] = None,
    up: Annotated[
        str | None, option("Axis that points up in the marker file: y (usual in .trc) or z (usual in .c3d).", "y|z")
    ] = None,
    time: Annotated[tuple[float, float] | None, option("First and last second; without it all frames.", "A B")] = None,
    out: Annotated[Path, option("Motion to write, .mot or .sto (default angles.mot).", "OUT.mot")] = Path("angles.mot"),
    force: Annotated[bool, option("Replace an earlier file.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as a JSON line to the standard output.")] = False,
) -> int:
    """Find the joint angles of any OpenSim model from recorded markers, in every frame.

    For example: marrow ik --model subject.osim --markers walk.trc --weights walk_Setup_IK.xml --out walk.mot
    """
    given = {"setup": weights, "coordinates": coordinates, "units": units, "up": up, "time": time}
    return _ik(model, markers, out, force, json, **given)


def _ik(model: Path, markers: Path, out: Path, force: bool, as_json: bool, **given: Any) -> int:
    from marrow.clinical.inverse_kinematics import inverse_kinematics
    from marrow.errors import InputError
    from marrow.io.files import refuse_existing
    from marrow.io.mot import write_mot

    if out.suffix.lower() not in (".mot", ".sto"):
        given_suffix = out.suffix or "a file without suffix"
        raise InputError(f"{out}: cannot write {given_suffix}; expected .mot or .sto, such as --out {out.stem}.mot")
    refuse_existing(out, force=force)
    found = inverse_kinematics(model, markers, **given)
    write_mot(out, found.angles)
    rows = [
        {"marker": m.marker, "frames": m.frames, "RMS mm": m.rms_mm, "max mm": m.max_mm, "at s": round(m.worst_time, 3)}
        for m in found.markers
    ]
    frames = len(found.angles.time)
    if as_json:
        facts = {"frames": frames, "rms_mm": found.rms_mm, "worst_time_s": found.worst_time}
        facts["undetermined"] = found.fit.undetermined
        facts["poorly_determined"] = [row.__dict__ for row in found.poorly_determined]
        write_event("angles", file=out, **facts, warnings=found.warnings, markers=[m.__dict__ for m in found.markers])
        return 0
    print_table(rows)
    print(
        f"\n{frames} frames, {len(found.fit.free)} coordinates from {len(rows)} markers: {found.rms_mm:.1f} mm RMS, ",
        end="",
    )
    print(f"worst frame at {found.worst_time:.3f} s")
    for warning in found.warnings:
        print(f"note: {warning}")
    print(f"written: {out}")
    return 0
