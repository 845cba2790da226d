"""``marrow demo``: the whole road on a real clip."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

from marrow.cli._options import option


def run(
    out: Annotated[
        Path | None,
        option("Folder for the results. Without it ./marrow_out/demo, or demo_2 … when that is taken.", "DIR"),
    ] = None,
    overlay: Annotated[bool, option("Leave out the overlay video.")] = True,
    force: Annotated[bool, option("Replace earlier results in the folder.")] = False,
    json: Annotated[bool, option("Write progress, results and errors as JSON lines to the standard output.")] = False,
) -> int:
    """Fetch a short clip of two people, capture it and tell what was found.

    The clip (a man jumps, a woman walks) comes with the Sports2D package (BSD-3-Clause); pip fetches it once.
    """
    from marrow.assets import asset
    from marrow.cli._capture import Request, capture_one

    if not json:
        print("marrow demo: a jumping man and a walking woman (clip of the Sports2D project, BSD-3-Clause)", flush=True)
    clip = asset("demo_video") / "demo.mp4"
    folder = out or _free_folder(Path("marrow_out"), "demo", force=force)
    title = "demo clip"
    return capture_one(Request(str(clip), folder, overlay=overlay, force=force, as_json=json, title=title))


def _free_folder(parent: Path, name: str, *, force: bool) -> Path:
    """``parent/name``, or the first of ``name_2``, ``name_3`` … that holds nothing yet."""
    folders = (parent / (name if number == 1 else f"{name}_{number}") for number in itertools.count(1))
    return next(
        folder for folder in folders if force or not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    )
