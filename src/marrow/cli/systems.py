"""``marrow systems``: the papers that live here, with what was measured of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event
from marrow.errors import InputError

#: The picture of all effects among the pages.
PICTURE = "effects.png"


def run(
    task: Annotated[str | None, option("Only systems for this task.", "TASK")] = None,
    pages: Annotated[
        Path | None, option("Write a page of documentation for each system there, and of all.", "DIR")
    ] = None,
    folder: Annotated[Path | None, option("Systems of your own to take in.", "DIR")] = None,
    json: Annotated[bool, option("One JSON line for each system.")] = False,
) -> int:
    """List the systems: one paper each, with the effect that was measured here.

    The seconds are those of the full measurement. Details: marrow show ID. Measure again: marrow bench ID.
    """
    from marrow.systems import discover

    found = discover(folder)
    tasks = sorted({own for e in found.entries.values() for own in e.system.tasks})
    if task is not None and task not in tasks:
        raise InputError(
            f"--task: no system is for {task!r}; tasks: {', '.join(tasks)}; begin a system by marrow new ID"
        )
    entries = [e for e in found.entries.values() if task is None or task in e.system.tasks]
    rows = [_row(entry) for entry in entries]
    if pages is not None:
        _write_pages(pages, entries, of_all=task is None)
    if json:
        for row in rows:
            write_event("system", **row)
        for name, why in found.broken.items():
            write_event("broken", id=name, message=why)
        return 0
    print_table([_shown(row) for row in rows])
    if not rows:
        print("no system yet; begin one with: marrow new ID")
    for name, why in found.broken.items():
        print(f"{name} cannot be used: {why}")
    return 0


def _row(entry: Any) -> dict[str, Any]:
    from marrow.bench.page import idea_of
    from marrow.bench.runner import committed, effect_text, status

    system = entry.system
    try:
        result = committed(system, entry.path)
        told = status(system, result)
    except InputError as error:
        result, told = None, str(error)
    return {
        "id": system.id,
        "tasks": system.tasks,
        "idea": idea_of(entry.module.__doc__ or ""),
        "verb": system.verb,
        "claim": system.claim.text,
        "measured": "" if result is None else f"{effect_text(result)}, {result.metric}",
        "status": told,
        "seconds": None if result is None else result.seconds,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """The row of the table: all that is of use at a glance."""
    effect = row["status"] if not row["measured"] else f"{row['measured']}: {row['status'].partition(';')[0]}"
    return {
        "id": row["id"],
        "task": row["tasks"],
        "idea": row["idea"],
        "verb": row["verb"].removeprefix("marrow "),
        "measured effect": effect,
        "seconds": row["seconds"],
    }


def _write_pages(folder: Path, entries: list[Any], of_all: bool) -> None:
    from marrow.bench.overview import Measured, draw_effects, overview
    from marrow.bench.runner import committed
    from marrow.cli.show import page_of
    from marrow.io.files import write_atomically

    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        with write_atomically(folder / f"{entry.system.id}.md", "w") as file:
            file.write(page_of(entry))
    if not of_all:
        return
    measured = [Measured(e.system, e.module.__doc__ or "", committed(e.system, e.path)) for e in entries]
    draw_effects(measured, folder / PICTURE)
    with write_atomically(folder / "README.md", "w") as file:
        file.write(overview(measured, PICTURE))
