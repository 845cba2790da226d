"""``marrow cite``: the paper of a system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from marrow.cli._options import option


def run(
    ids: Annotated[tuple[str, ...], tyro.conf.Positional, option("Systems; marrow systems lists them.", "ID…")],
    folder: Annotated[Path | None, option("Systems of your own to take in.", "DIR")] = None,
) -> int:
    """Print the BibTeX entries of the papers of systems."""
    from marrow.bench.page import bibtex
    from marrow.errors import InputError
    from marrow.systems import find

    if not ids:
        raise InputError("no ID was given; marrow systems lists them")
    print("\n\n".join(bibtex(name, find(name, folder).system.paper) for name in ids))
    return 0
