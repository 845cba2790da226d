"""Frames decoded on a thread of their own, a few early, while the caller works."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread

from marrow.types import Frame

_AHEAD = 4


def read_ahead(source: Iterable[Frame], ahead: int = _AHEAD) -> Generator[Frame, None, None]:
    """The same frames, decoded on another thread up to ``ahead`` frames early; its exceptions arrive here."""
    queue: Queue = Queue(ahead)
    stopped = Event()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for frame in source:
                if not put((frame, None)):
                    return
            put((None, None))
        except BaseException as error:
            put((None, error))

    reader = Thread(target=read, name="marrow-decode", daemon=True)
    reader.start()
    try:
        while True:
            frame, error = queue.get()
            if error is not None:
                raise error
            if frame is None:
                return
            yield frame
    finally:
        stopped.set()
        reader.join(timeout=5)
