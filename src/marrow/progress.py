"""How far long work has come: a bar with stage and remaining time on a terminal, JSON lines for programs, else silence.

Stages report by calling ``progress(stage, done, total)``; ``total`` is None where it is not known beforehand. Calls may
come from any thread.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

Progress = Callable[[str, int, "int | None"], None]

_JSON_INTERVAL_S = 0.5


def silent(stage: str, done: int, total: int | None) -> None:
    """The progress callback that shows nothing."""


@contextlib.contextmanager
def show_progress(*, as_json: bool = False, title: str | None = None) -> Iterator[Progress]:
    """Give a callback ``progress(stage, done, total)`` that shows progress until the ``with`` block ends.

    Args:
        as_json: write one JSON object per line to the standard output instead of drawing.
        title: what is being worked on; drawn before the stages, ``"source"`` in JSON.
    """
    if as_json:
        yield JsonLines(sys.stdout, source=title)
    elif sys.stderr.isatty():
        with _bars(title) as progress:
            yield progress
    else:
        yield silent


class JsonLines:
    """Writes ``{"event": "progress", "stage": …, "done": …, "total": …, "eta_s": …}``, at most two lines a second.

    The first call and the end of each stage are always written.
    """

    def __init__(self, stream: IO[str], *, source: str | None = None, interval_s: float = _JSON_INTERVAL_S) -> None:
        self._stream, self._source, self._interval_s = stream, source, interval_s
        self._begin: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        with self._lock:
            now = time.monotonic()
            begin, before = self._begin.setdefault(stage, (now, done))
            finished = total is not None and done >= total
            if now - self._last.get(stage, -1e9) < self._interval_s and not finished:
                return
            self._last[stage] = now
            eta_s = None
            if total is not None and done > before:
                eta_s = round((now - begin) / (done - before) * (total - done), 1)
            event = {"event": "progress", "stage": stage, "done": done, "total": total, "eta_s": eta_s}
            if self._source is not None:
                event["source"] = self._source
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()


@contextlib.contextmanager
def _bars(title: str | None) -> Iterator[Progress]:
    """One rich bar a stage on the standard error stream."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    if title is not None:
        console.print(title, style="bold", markup=False, highlight=False)
    with RichProgress(*columns, console=console) as display:
        tasks: dict[str, TaskID] = {}
        lock = threading.Lock()

        def progress(stage: str, done: int, total: int | None) -> None:
            with lock:
                if stage not in tasks:
                    tasks[stage] = display.add_task(stage, total=total)
                display.update(tasks[stage], completed=done, total=total)

        yield progress
