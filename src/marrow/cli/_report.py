"""What the verbs tell the user: errors with their exit codes, the table of people, the files written."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from marrow.errors import MarrowError, OutputError
from marrow.io.files import GEOMETRY

INTERRUPTED = 130
"""Exit code after Ctrl-C (128 + SIGINT)."""
INTERNAL_ERROR = 70
"""Exit code of an error that marrow did not foresee (EX_SOFTWARE)."""


def run_guarded(task: Callable[[], int], *, as_json: bool = False, source: str | None = None) -> int:
    """Run a task; turn its errors into a message and an exit code, without a traceback.

    ``MARROW_DEBUG=1`` shows the traceback too. Ctrl-C gives 130.
    """
    try:
        return task()
    except KeyboardInterrupt as error:
        _tell("stopped; files that were finished are complete and stay", INTERRUPTED, error, as_json, source)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except MarrowError as error:
        _tell(str(error), error.exit_code, error, as_json, source)
        return error.exit_code
    except OSError as error:
        _tell(str(error), OutputError.exit_code, error, as_json, source)
        return OutputError.exit_code
    except Exception as error:
        text = f"unexpected {type(error).__name__}: {error}. This is a fault in marrow; MARROW_DEBUG=1 shows where"
        _tell(text, INTERNAL_ERROR, error, as_json, source)
        return INTERNAL_ERROR


def _tell(text: str, code: int, error: BaseException, as_json: bool, source: str | None) -> None:
    if os.environ.get("MARROW_DEBUG", "0") not in ("", "0"):
        traceback.print_exception(error)
    if as_json:
        write_event("error", source=source, code=code, message=text)
    named = source is None or source in text or text.startswith(Path(source).stem)
    print(f"marrow: {text}" if named else f"marrow: {source}: {text}", file=sys.stderr)


def write_event(event: str, **fields: Any) -> None:
    """Write one JSON line to the standard output."""
    print(json.dumps({"event": event, **fields}, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    """What JSON can hold of numpy scalars, arrays and paths."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows with the same keys as a table on the standard output."""
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in rows[0]:
        numeric = all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(Text(str(name)), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in rows[0]))
    # A file or a pipe has no width; rich would assume 80 columns and break the cells.
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def print_files(folder: Path) -> None:
    """Print the files under a folder with their sizes, and what to do with them next."""
    sizes: dict[str, int] = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        # the many meshes of a model count as one
        name = f"{file.parent}{os.sep}" if file.parent.name == GEOMETRY else str(file)
        sizes[name] = sizes.get(name, 0) + file.stat().st_size
    width = max(map(len, sizes), default=0)
    print("\nfiles:")
    for name, size in sizes.items():
        print(f"  {name:{width}}  {_size(size):>9}")
    print(f"\nlook at it in the browser: marrow view {folder}")


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
