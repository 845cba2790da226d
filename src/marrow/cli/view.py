"""``marrow view``: results in the browser."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import tyro

from marrow.cli._options import option


def run(
    folder: Annotated[Path, tyro.conf.Positional, option("What marrow capture wrote.", "DIR")],
    port: Annotated[int, option("Where the page is served (default 8080).", "N")] = 8080,
) -> int:
    """Show the bodies, bones and timeline of a captured folder in the browser.

    Nothing leaves this computer: the page is served on 127.0.0.1 only. Ctrl-C ends it.
    """
    from marrow.view import show

    with contextlib.suppress(KeyboardInterrupt):
        show(folder, port=port)
    return 0
