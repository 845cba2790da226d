"""``marrow measure``: lengths, girths and mass of a body, or the body that has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event

if TYPE_CHECKING:
    from marrow.body.default import Rest
    from marrow.body.measurements import Measurements

#: What a unit of marrow's is shown in, and how many of those it makes.
_SHOWN = {"m": ("cm", 100.0), "kg": ("kg", 1.0), "m2": ("m²", 1.0), "m3": ("l", 1000.0), "kg/m2": ("kg/m²", 1.0)}

_EXAMPLES = {"shape": "gender=1 age=0.7", "want": "stature=170 waist=82", "bones": "femur=45 tibia_l=38"}


def run(
    source: Annotated[
        Path | None,
        tyro.conf.Positional,
        option(
            "Who is measured: a motion.npz, the folder of a person or of a capture of one, or a mesh (.obj, .ply) in "
            "the default body's topology, standing in its A-pose. Without it the body that the options describe.",
            metavar="[IN]",
        ),
    ] = None,
    shape: Annotated[
        tuple[str, ...], option("Parameters of the body, such as gender=1 age=0.2 weight=0.7.", "NAME=VALUE…")
    ] = (),
    want: Annotated[
        tuple[str, ...],
        option(
            "Find the likeliest body with these measurements, in cm and kg: stature=170 waist=82 mass=70.",
            "NAME=VALUE…",
        ),
    ] = (),
    bones: Annotated[
        tuple[str, ...],
        option("Lengths of bones in cm, between joint centres: femur=45 tibia_l=38 shoulders=36.", "NAME=VALUE…"),
    ] = (),
    side: Annotated[str, option("Whose limbs are measured: r or l.", "r|l")] = "r",
    out: Annotated[
        tuple[Path, ...], option("Files to write: the table as .csv, the body at rest as .obj.", "OUT…")
    ] = (),
    force: Annotated[bool, option("Replace earlier files.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as a JSON line to the standard output.")] = False,
) -> int:
    """Measure a body as tape and caliper would, or find the body that has given measurements.

    For example: marrow measure walk/person_1
    or: marrow measure --want stature=170 waist=82 --shape gender=1 --out body.obj
    """
    options = {"shape": _pairs("shape", shape), "want": _pairs("want", want), "bones": _pairs("bones", bones)}
    return _measure(source, options, side, out, force, json)


def _measure(
    source: Path | None,
    options: Mapping[str, dict[str, float]],
    side: str,
    out: Sequence[Path],
    force: bool,
    as_json: bool,
) -> int:
    from marrow.body import load_body
    from marrow.body.measurements import measure, measure_mesh
    from marrow.errors import InputError
    from marrow.io.files import refuse_existing
    from marrow.io.meshes import MESH_SUFFIXES, write_obj

    if side != "r" and side != "l":
        raise InputError(f"--side: expected r or l, got {side!r}")
    for path in out:
        if path.suffix.lower() not in (".csv", ".obj"):
            raise InputError(f"--out {path}: expected a name that ends in .csv (the table) or .obj (the body)")
        refuse_existing(path, force=force)
    given = [f"--{name}" for name, values in options.items() if values]
    if source is not None and source.suffix.lower() in MESH_SUFFIXES:
        if given:
            raise InputError(f"{' '.join(given)}: a mesh is measured as it is; leave out {source} or the options")
        vertices = _vertices(source)
        found, shape, remarks = measure_mesh(vertices, side=side), None, []
    else:
        rest, remarks = _body(source, options)
        vertices, shape = rest.vertices, dict(rest.shape)
        found = measure(rest, side)
    rows = _rows(found)
    for path in out:
        if path.suffix.lower() == ".csv":
            _write_table(path, rows)
        else:
            write_obj(path, vertices, load_body().faces)
    _tell(rows, shape, remarks, out, as_json)
    return 0


def _body(source: Path | None, options: Mapping[str, dict[str, float]]) -> tuple[Rest, list[str]]:
    """The body that a motion or the options describe, and remarks."""
    from marrow.body import load_body
    from marrow.body.bones import BoneLengthError
    from marrow.body.measurements import DEFINITIONS, near
    from marrow.errors import InputError
    from marrow.fit.measurements import fit_measurements

    shape, remarks = options["shape"], []
    _check_ranges(shape)
    bones = {name: value / 100.0 for name, value in options["bones"].items()}
    if source is not None:
        if shape or options["want"]:
            raise InputError(f"{source} tells the shape already: leave it out, or --shape and --want")
        shape = _shape_of(source)
    elif options["want"]:
        targets = {}
        for short, value in options["want"].items():
            name = short if short in DEFINITIONS else f"{short}_girth"
            if name not in DEFINITIONS:
                raise InputError(f"--want: there is no measurement {short!r}{near(short)}")
            if name in targets:
                raise InputError(f"--want: {name} is given twice; leave one out")
            targets[name] = value / _SHOWN[DEFINITIONS[name].unit][1]
        found = fit_measurements(targets, shape, shown=_SHOWN)
        shape, remarks = dict(found.shape), list(found.remarks)
        if bones:
            remarks.append("--bones came after --want: what the bones change is no longer as wanted")
    try:
        return load_body().rest(shape, bones=bones), remarks
    except BoneLengthError as error:
        raise InputError(error.told("cm", 100.0)) from None


def _check_ranges(shape: Mapping[str, float]) -> None:
    """Raises InputError where a parameter is beyond its range: the body would be that of the range's end."""
    from marrow.body import load_body
    from marrow.errors import InputError

    for parameter in load_body().spec.parameters:
        value = shape.get(parameter.name, parameter.default)
        if not parameter.low - 1e-3 <= value <= parameter.high + 1e-3:
            raise InputError(
                f"--shape {parameter.name}={value:g}: expected {parameter.low:.3g} to {parameter.high:.3g} "
                f"({parameter.meaning})"
            )


def _shape_of(source: Path) -> dict[str, float]:
    from marrow.errors import InputError
    from marrow.io.amass import is_amass
    from marrow.io.npz import read_motion

    file = source
    if source.is_dir():
        people = sorted(source.glob("person_*/motion.npz"))
        if (source / "motion.npz").is_file():
            people = [source / "motion.npz"]
        if len(people) > 1:
            raise InputError(f"{source} holds {len(people)} people; say whom: marrow measure {people[0].parent}")
        if not people:
            raise InputError(f"{source} holds no motion.npz; give a folder that marrow capture wrote, or a file")
        file = people[0]
    elif not source.exists():
        raise InputError(f"{source}: no such file or folder")
    elif file.suffix.lower() != ".npz":
        raise InputError(
            f"{source}: expected a motion.npz, a folder of marrow capture, or a mesh (.obj, .ply); of another motion "
            f"make one first: marrow convert {source} motion.npz"
        )
    if is_amass(file):
        raise InputError(
            f"{file}: a motion of SMPL's family; make marrow's of it first: marrow convert {file} motion.npz"
        )
    return dict(read_motion(file).shape)


def _vertices(source: Path) -> Any:
    from marrow.body import load_body
    from marrow.io.meshes import Topology, read_meshes

    body = load_body()
    return read_meshes(source, Topology("the default body", body.rest().vertices, body.faces)).vertices[0]


def _pairs(option: str, words: Sequence[str]) -> dict[str, float]:
    """``name=value`` words as numbers. Raises InputError for any other word."""
    from marrow.errors import InputError

    out: dict[str, float] = {}
    for word in words:
        name, _, value = (part.strip() for part in word.partition("="))
        try:
            number = float(value)
        except ValueError:
            raise InputError(f"--{option}: expected name=number, such as {_EXAMPLES[option]}; got {word!r}") from None
        if not math.isfinite(number):
            raise InputError(f"--{option} {name}: expected a finite number, got {value}")
        if name in out:
            raise InputError(f"--{option}: {name} is given twice; leave one out")
        out[name] = number
    return out


def _rows(found: Measurements) -> list[dict[str, Any]]:
    from marrow.body.measurements import DEFINITIONS

    rows = []
    for name, value in found.items():
        definition = DEFINITIONS[name]
        unit, factor = _SHOWN[definition.unit]
        told = {"definition": definition.text, "standard": definition.standard}
        rows.append({"name": name, "value": value * factor, "unit": unit, **told})
    return rows


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import csv

    from marrow.io.files import write_atomically

    with write_atomically(path, "w") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({**row, "value": f"{row['value']:.3f}"} for row in rows)


def _tell(
    rows: Sequence[Mapping[str, Any]],
    shape: Mapping[str, float] | None,
    remarks: Sequence[str],
    out: Sequence[Path],
    as_json: bool,
) -> None:
    if as_json:
        values = {row["name"]: {"value": row["value"], "unit": row["unit"]} for row in rows}
        write_event("measurements", measurements=values, shape=shape, remarks=remarks, files=[str(p) for p in out])
        return
    print_table(
        [
            {"name": row["name"], "value": f"{row['value']:7.1f}", "unit": row["unit"], "definition": row["definition"]}
            for row in rows
        ]
    )
    if shape:
        words = " ".join(
            f"{name}={value:.4g}" for name, value in shape.items() if abs(value) > 5e-5 or name == "gender"
        )
        print(f"\nthe body again: --shape {words}")
    for remark in remarks:
        print(f"note: {remark}")
    if out:
        print("written: " + ", ".join(str(path) for path in out))
