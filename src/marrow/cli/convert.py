"""``marrow convert``: a motion file onto marrow's body, and out in another format."""

from __future__ import annotations

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
            "Motion: .bvh, .amc (with its .asf), markers in .trc or .c3d, or marrow's motion.npz. Or meshes of the "
            'default body: a folder or "quoted*glob" of .obj or .ply files, or an .npz with vertices (T, 13718, 3).',
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
        str | None, option("Axis that points up in a marker file or in meshes: y (usual) or z (usual in .c3d).", "y|z")
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
    modern: Annotated[
        bool, option("For .osim and .mot: the joints of OpenSim 4.5 for spine and scapula; what they cost is told.")
    ] = False,
    force: Annotated[bool, option("Replace earlier files.")] = False,
    json: Annotated[bool, option("Write the result, or the error, as JSON lines to the standard output.")] = False,
) -> int:
    """Fit marrow's body to a motion file or a mesh sequence and write it in other formats.

    For example: marrow convert walk.bvh walk.glb walk.csv
    """
    given = {"skeleton": skeleton, "rest_frame": rest, "metres_per_unit": unit, "fps": fps}
    given |= {"up": up, "static": static, "height": height, "bones": bones}
    return run_guarded(lambda: _convert(source, out, given, modern, force, json), as_json=json)


def _convert(
    source: Path, out: tuple[Path, ...], given: dict[str, Any], modern: bool, force: bool, as_json: bool
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
    found = convert(source, **given)
    saved = [remark for path in out for remark in found.save(path, bones=given["bones"], modern=modern)]
    remarks = [*found.warnings, *dict.fromkeys(saved)]  # files that belong together have the same to say
    if as_json:
        write_event("converted", files=[str(path) for path in out], remarks=remarks, **found.summary())
        return 0
    print_table([found.summary()])
    for remark in remarks:
        print(f"note: {remark}")
    print("\nwritten: " + ", ".join(str(path) for path in out))
    return 0
