"""``marrow measure``: lengths, girths and mass of a body, or the body that has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from marrow.body.default import Rest
    from marrow.body.measurements import Figure, Measurements, Side

#: What a unit of marrow's is shown in, and how many of those it makes.
_SHOWN = {"m": ("cm", 100.0), "kg": ("kg", 1.0), "m2": ("m²", 1.0), "m3": ("l", 1000.0), "kg/m2": ("kg/m²", 1.0)}

_EXAMPLES = {"shape": "gender=1 age=0.7", "want": "stature=170 waist=82", "bones": "femur=45 tibia_l=38"}


def run(
    source: Annotated[
        Path | None,
        tyro.conf.Positional,
        option(
            "Who is measured: a motion.npz, the folder of a person or of a capture of one, an .npz of AMASS, or a mesh "
            "(.obj, .ply) in the default body's topology, standing in its A-pose, or with --model in that model's, in "
            "any pose. Without it the body that the options describe.",
            metavar="[IN]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        option("Another body than the default: a model of yours (marrow models), such as smpl-neutral.", "NAME|PATH"),
    ] = None,
    shape: Annotated[
        tuple[str, ...],
        option(
            "Parameters of the body, such as gender=1 age=0.2 weight=0.7; of a model its coefficients in order: "
            "--shape=1.2,-0.5.",
            "NAME=VALUE…",
        ),
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
    or, of your own SMPL file (marrow models): marrow measure --model smpl-neutral --shape=1.2,-0.5
    """
    options = {"want": _pairs("want", want), "bones": _pairs("bones", bones)}
    return _measure(source, model, shape, options, side, out, force, json)


def _measure(
    source: Path | None,
    model: str | None,
    shape: Sequence[str],
    options: Mapping[str, dict[str, float]],
    side: str,
    out: Sequence[Path],
    force: bool,
    as_json: bool,
) -> int:
    from marrow.body.measurements import measurements_of
    from marrow.errors import InputError
    from marrow.io.amass import is_amass
    from marrow.io.files import refuse_existing
    from marrow.io.meshes import write_obj

    if side != "r" and side != "l":
        raise InputError(f"--side: expected r or l, got {side!r}")
    for path in out:
        if path.suffix.lower() not in (".csv", ".obj"):
            raise InputError(f"--out {path}: expected a name that ends in .csv (the table) or .obj (the body)")
        refuse_existing(path, force=force)
    given = [*(["--shape"] if shape else []), *(f"--{name}" for name, values in options.items() if values)]
    if given and _is_mesh(source):
        raise InputError(f"{' '.join(given)}: a mesh is measured as it is; leave out {source} or the options")
    if model is not None or (source is not None and is_amass(source)):
        found = _of_model(source, model, shape, options, side)
    else:
        found = _of_default(source, {"shape": _pairs("shape", shape), **options}, side)
    rows = _rows(measurements_of(found.figure))
    for path in out:
        if path.suffix.lower() == ".csv":
            _write_table(path, rows)
        else:
            write_obj(path, found.figure.vertices, found.figure.faces)
    _tell(rows, found, out, as_json)
    return 0


class _Found(NamedTuple):
    """Who is measured; ``shape`` and the words that give the body again are None and empty for a mesh."""

    figure: Figure
    shape: dict[str, float] | None
    remarks: Sequence[str] = ()
    again: str = ""


def _is_mesh(source: Path | None) -> bool:
    from marrow.io.meshes import MESH_SUFFIXES

    return source is not None and source.suffix.lower() in MESH_SUFFIXES


def _of_default(source: Path | None, options: Mapping[str, dict[str, float]], side: Side) -> _Found:
    """A mesh of the default body, or the body that a motion or the options describe."""
    from marrow.body import load_body
    from marrow.body.measurements import figure, mesh_figure

    if source is not None and _is_mesh(source):
        body = load_body()
        return _Found(
            mesh_figure(_vertices(source, "the default body", body.rest().vertices, body.faces), side=side), None
        )
    rest, remarks = _body(source, options)
    shape = dict(rest.shape)
    words = [f"{name}={value:.4g}" for name, value in shape.items() if abs(value) > 5e-5 or name == "gender"]
    return _Found(figure(rest, side), shape, remarks, f"--shape {' '.join(words)}" if words else "")


def _of_model(
    source: Path | None, model: str | None, shape: Sequence[str], options: Mapping[str, Any], side: Side
) -> _Found:
    """A body of SMPL's family: a mesh in its topology, the person of a file of AMASS, or one of given coefficients."""
    from marrow.errors import InputError
    from marrow.fit.smpl import model_of, of_known_shapes, smpl_body
    from marrow.fit.smpl_measurements import smpl_figure, smpl_mesh_figure
    from marrow.io.amass import is_amass, read_amass

    idle = " ".join(f"--{name}" for name, values in options.items() if values)
    if idle:
        raise InputError(f"{idle}: only for the default body; leave that out, or the model")
    motion = read_amass(source) if source is not None and is_amass(source) else None
    if motion is not None and shape:
        raise InputError(f"{source} tells the shape already: leave it or --shape out")
    if motion is None and source is not None and not _is_mesh(source):
        raise InputError(f"{source}: not a mesh or file of AMASS, which alone --model is for; leave --model out")
    body, remarks = smpl_body(model_of(motion) if model is None and motion is not None else str(model)), ()
    if motion is not None:
        motion, remarks = of_known_shapes(motion, body)
        values = dict(zip(body.spec.defaults, motion.betas.tolist(), strict=False))
    elif source is not None:
        x = _vertices(source, body.spec.name, body.rest().vertices, body.faces)
        return _Found(smpl_mesh_figure(body, x, side=side), None)
    else:
        values = _coefficients(shape, body.spec.defaults)
    words = " ".join(f"{name}={value:.4g}" for name, value in values.items())
    again = f"--model {model or body.spec.name} --shape {words}" if words else ""
    return _Found(smpl_figure(body, values, side=side), values, remarks, again)


def _coefficients(words: Sequence[str], defaults: Mapping[str, float]) -> dict[str, float]:
    """Coefficients by name, of numbers in their order (``1.2,-0.5``) or ``name=value`` words."""
    from marrow.errors import InputError

    parts = [part for word in words for part in word.split(",") if part]
    if any("=" in part for part in parts):
        return _pairs("shape", parts)
    if len(parts) > len(defaults):
        raise InputError(f"--shape: {len(parts)} numbers; the model has {len(defaults)} shape coefficients")
    return _pairs("shape", [f"{name}={part}" for name, part in zip(defaults, parts, strict=False)])


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


def _vertices(source: Path, name: str, vertices: NDArray, faces: NDArray) -> NDArray:
    """(V, 3) of a mesh file in the topology of a body of that ``name``."""
    from marrow.io.meshes import Topology, read_meshes

    return read_meshes(source, Topology(name, vertices, faces)).vertices[0]


def _pairs(option: str, words: Sequence[str]) -> dict[str, float]:
    """``name=value`` words as numbers. Raises InputError for any other word, and for a name that comes twice."""
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


def _tell(rows: Sequence[Mapping[str, Any]], found: _Found, out: Sequence[Path], as_json: bool) -> None:
    if as_json:
        values = {row["name"]: {"value": row["value"], "unit": row["unit"]} for row in rows}
        write_event(
            "measurements", measurements=values, shape=found.shape, remarks=found.remarks, files=[str(p) for p in out]
        )
        return
    print_table(
        [
            {"name": row["name"], "value": f"{row['value']:7.1f}", "unit": row["unit"], "definition": row["definition"]}
            for row in rows
        ]
    )
    if found.again:
        print(f"\nthe body again: {found.again}")
    for remark in found.remarks:
        print(f"note: {remark}")
    if out:
        print("written: " + ", ".join(str(path) for path in out))
