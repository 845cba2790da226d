"""``marrow show``: all about one system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from marrow.cli._options import option


def run(
    id: Annotated[str, tyro.conf.Positional, option("Of the system; marrow systems lists them.", "ID")],
    folder: Annotated[Path | None, option("Systems of your own to take in.", "DIR")] = None,
) -> int:
    """Show a system: its idea, how to run it, what was measured here, what it is made of.

    The text is that of its page in the documentation, with the places of its parts on this computer.
    """
    from marrow.bench.parts import parts_of
    from marrow.systems import find

    entry = find(id, folder)
    print(page_of(entry))
    print(f"Its code: {entry.path}")
    for part in parts_of(entry.path):
        print(f"  {part.name}  {part.path}:{part.line}")
    return 0


def page_of(entry: Any) -> str:
    """The page of a system (Markdown)."""
    from marrow.bench.page import page
    from marrow.bench.parts import parts_of
    from marrow.bench.runner import committed

    doc, config = entry.module.__doc__ or "", entry.module.Config
    return page(entry.system, doc, config, parts_of(entry.path), committed(entry.system, entry.path))
