"""One capture with its display and its folder: what the verbs ``capture`` and ``demo`` share."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marrow import main_road
from marrow.cli._report import print_files, print_table, write_event
from marrow.io.files import prepare_output_folder
from marrow.io.writer import choose_encoder
from marrow.lift.shipped import DEFAULT as DEFAULT_LIFTER
from marrow.progress import show_progress
from marrow.skeleton.osim.geometry import read_geometry_folder

if TYPE_CHECKING:
    from marrow.lift.lifter import Lifter


@dataclass(frozen=True)
class Request:
    """The options of one capture, as in ``marrow capture --help``."""

    source: str | int
    folder: Path
    height: tuple[float, ...] | None = None
    fov_deg: float | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    max_people: int | None = None
    lifter: Lifter | str | None = DEFAULT_LIFTER
    hypotheses: int = 1
    codec: str = "h264"
    influences: int | None = None
    mass_kg: tuple[float, ...] | None = None
    bones: Path | None = None
    modern: bool = False
    overlay: bool = True
    dense: bool = False
    commercial: bool = False
    force: bool = False
    as_json: bool = False
    title: str | None = None


def capture_one(request: Request) -> int:
    """Capture a source, write its folder and tell what was found.

    Raises:
        MarrowError: see :mod:`marrow.errors`; files that were finished before stay, no other is left.
    """
    begin = time.monotonic()
    if request.overlay or request.dense:
        choose_encoder(request.codec)  # a codec that is not there is told before the long work
    if request.bones is not None:
        read_geometry_folder(request.bones)  # and so are bones
    with (
        _folder(request),
        show_progress(as_json=request.as_json, title=request.title or str(request.source)) as progress,
    ):
        capture = main_road.capture(
            request.source,
            height=request.height,
            fov_deg=request.fov_deg,
            size=request.size,
            fps=request.fps,
            max_people=request.max_people,
            lifter=request.lifter,
            hypotheses=request.hypotheses,
            commercial=request.commercial,
            progress=progress,
        )
        capture.save(
            request.folder,
            overlay=request.overlay,
            dense=request.dense,
            codec=request.codec,
            influences=request.influences,
            mass_kg=request.mass_kg,
            bones=request.bones,
            modern=request.modern,
            force=request.force,
            progress=progress,
        )
    seconds = time.monotonic() - begin
    people = capture.summary()
    warnings = [str(warning) for warning in capture.warnings]
    warnings += [f"{person.name}: {warning}" for person in capture.people for warning in person.warnings]
    # What writing the files brought to light, such as the error that fewer influences make.
    about = json.loads((request.folder / "capture.json").read_text(encoding="utf-8"))
    warnings += [warning for warning in about.get("warnings", []) if warning not in warnings]
    if request.as_json:
        result = {"people": people, "warnings": warnings, "seconds": round(seconds, 2)}
        write_event("result", source=str(request.source), folder=str(request.folder), **result)
        return 0
    print()
    print_table(people)
    for warning in warnings:
        print(f"warning: {warning}")
    print_files(request.folder)
    print(f"done in {seconds:.1f} s")
    return 0


@contextlib.contextmanager
def _folder(request: Request) -> Iterator[None]:
    """Make the folder, so that a bad one is found before the long work; take it away again if it stays empty."""
    missing = [folder for folder in (request.folder, *request.folder.parents) if not folder.exists()]
    prepare_output_folder(request.folder, force=request.force)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise
