"""``marrow new``: begin a system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import tyro

from marrow.cli._options import option


def run(
    id: Annotated[str, tyro.conf.Positional, option("Of the system: lower-case letters, digits, underscores.", "ID")],
    folder: Annotated[
        Path | None, option("Where to put it, made if need be; without it among marrow's own systems.", "DIR")
    ] = None,
) -> int:
    """Begin a system: copy the template, which is a whole working system, under a new name.

    Nothing else has to be edited: the file is the registration.
    """
    from marrow.bench.system import check_id
    from marrow.errors import InputError, OutputError
    from marrow.io.files import output_error, write_atomically
    from marrow.systems import HERE, TEMPLATE, discover

    check_id(id)
    own = folder is None or folder.resolve() == HERE
    if folder is None and not ((HERE.parents[2] / "pyproject.toml").is_file() and os.access(HERE, os.W_OK)):
        raise InputError("marrow is not installed from its source tree; say where the file goes: --folder DIR")
    taken = {**(found := discover()).entries, **found.broken}
    if id in taken:
        raise InputError(f"there is a system {id!r} already; choose another id, or see: marrow show {id}")
    path = (HERE if folder is None else folder) / f"{id}.py"
    if path.exists():
        raise OutputError(f"{path} exists; nothing was overwritten. Give another id or another --folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, path) from None
    with write_atomically(path, "w") as file:
        file.write(TEMPLATE.read_text(encoding="utf-8").replace("_template", id))
    more = "" if own else f" --folder {folder}"
    print(f"written: {path}\nIt works as it stands; make it yours, part by part. Then:")
    print(f"  marrow show {id}{more}\n  marrow bench {id} --tier quick{more}")
    if own:
        print(f"  python -m pytest tests/test_systems.py -k {id}")
    return 0
