"""``marrow convert``: a motion file onto marrow's body, and out in another format or on another body."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, run_guarded, write_event


def run(
    source: Annotated[
        Path,
        tyro.conf.Positional,
        option(
            "Motion: .bvh, .amc (with its .asf), markers in .trc or .c3d, marrow's motion.npz or an .npz of AMASS. Or "
            'meshes of the default body: a folder or "quoted*glob" of .obj or .ply files, or an .npz with vertices '
            "(T, 13718, 3).",
            metavar="IN",
        ),
    ],
    out: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        option("Files to write; the suffix names the format (.npz .csv .glb .bvh …).", metavar="OUT…"),
    ],
    skeleton: Annotated[Path | None, option("Skeleton of an .amc; by default the .asf beside it.", "FILE.asf")] = None,
    rest: Annotated[
        int | None,
        option("For a .bvh whose zero pose is no standing person: a frame in which one stands upright.", "FRAME"),
    ] = None,
    unit: Annotated[
        float | None,
        option(
            "Metres to a unit of a .bvh (by default the usual one that gives a grown person) or of meshes (default 1).",
            "M",
        ),
    ] = None,
    up: Annotated[
        str | None,
        option("Axis that points up in markers, meshes or AMASS: y (usual) or z (usual in .c3d and AMASS).", "y|z"),
    ] = None,
    static: Annotated[
        Path | None,
        option("Markers of a static trial: shapes the body, and places markers that sit on no bony point.", "FILE"),
    ] = None,
    height: Annotated[float | None, option("Standing height in metres, for markers.", "M")] = None,
    fps: Annotated[
        float | None, option("Frames per second of an .amc (default 120) or of meshes (default 30).", "F")
    ] = None,
    bones: Annotated[
        Path | None,
        option("For an .osim: folder Geometry of your own OpenSim, whose bones it then names, scaled.", "FOLDER"),
    ] = None,
    model: Annotated[
        str | None,
        option("For AMASS: the model of yours that it is of; by default that of its family and gender.", "NAME|PATH"),
    ] = None,
    to: Annotated[
        str | None,
        option("Write .npz files as AMASS does, for this model of yours, such as smpl-neutral.", "NAME|PATH"),
    ] = None,
    modern: Annotated[
        bool, option("For .osim and .mot: the joints of OpenSim 4.5 for spine and scapula; what they cost is told.")
    ] = False,
    force: Annotated[bool, option("Replace earlier files.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as JSON lines to the standard output.")] = False,
) -> int:
    """Fit marrow's body to a motion file or a mesh sequence and write it in other formats.

    For example: marrow convert walk.bvh walk.glb walk.csv; or, for your own SMPL file (marrow models):
    marrow convert walk.bvh walk_smpl.npz --to smpl-neutral
    """
    given = {"skeleton": skeleton, "rest_frame": rest, "metres_per_unit": unit, "fps": fps}
    given |= {"up": up, "static": static, "height": height, "bones": bones, "model": model}
    return run_guarded(lambda: _convert(source, out, given, to, modern, force, json), as_json=json)


def _convert(
    source: Path, out: tuple[Path, ...], given: dict[str, Any], to: str | None, modern: bool, force: bool, as_json: bool
) -> int:
    from marrow.conversion import convert
    from marrow.errors import InputError
    from marrow.io import exporter
    from marrow.io.files import refuse_existing

    if not out:
        raise InputError(f"where to? Name a file to write, such as: marrow convert {source} {source.stem}.glb")
    for path in out:
        exporter(path)  # before the first file is written
        refuse_existing(path, force=force)
    has_model = any(path.suffix.lower() == ".osim" for path in out)
    if given["bones"] is not None and not has_model:
        raise InputError(f"--bones: only an .osim has bones; name one too, such as {source.stem}.osim")
    if modern and not has_model:
        raise InputError(f"--modern: only an .osim has these joints; name one too, such as {source.stem}.osim")
    if to is not None:
        return _retarget(source, out, given, to, as_json)
    found = convert(source, **given)
    saved = [remark for path in out for remark in found.save(path, bones=given["bones"], modern=modern)]
    remarks = [*found.warnings, *dict.fromkeys(saved)]  # files that belong together have the same to say
    return _told(out, remarks, [found.summary()], as_json)


def _retarget(source: Path, out: tuple[Path, ...], given: dict[str, Any], to: str, as_json: bool) -> int:
    from marrow.conversion import convert
    from marrow.errors import InputError
    from marrow.fit.smpl import smpl_body
    from marrow.retargeting import retarget

    other = [str(path) for path in out if path.suffix.lower() != ".npz"]
    if other:
        raise InputError(f"--to: a motion of {to} is written as .npz only; leave {', '.join(other)} out")
    body = smpl_body(to)  # told before the long work
    own = convert(source, **given)
    found = retarget(own, to=body)
    for path in out:
        found.save(path)
    return _told(out, [*own.warnings, *found.warnings], [own.summary() | found.summary()], as_json)


def _told(out: Sequence[Path], remarks: Sequence[str], rows: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        write_event("converted", files=[str(path) for path in out], remarks=list(remarks), **rows[0])
        return 0
    print_table(rows)
    for remark in remarks:
        print(f"note: {remark}")
    print("\nwritten: " + ", ".join(str(path) for path in out))
    return 0
