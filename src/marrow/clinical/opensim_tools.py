"""OpenSim's own tools without their noise: loaded when used, silent, and their mistakes as marrow's errors.

OpenSim prints tables and warnings (such as one for every bone mesh that is not there), and writes ``opensim.log`` into
the working folder. Here the log file is never begun, and what the tools say is kept for the error message.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from marrow.errors import InputError
from marrow.skeleton.osim.write import load_opensim


def opensim() -> Any:
    """The package ``opensim``; see :func:`marrow.skeleton.osim.write.load_opensim`."""
    return load_opensim()


@contextlib.contextmanager
def silent(level: str = "Error") -> Iterator[Callable[[], str]]:
    """Keep OpenSim quiet.

    Args:
        level: least serious messages that are kept (``"Info"``, ``"Warn"``, ``"Error"``).

    Yields:
        A function that gives the messages so far.
    """
    logger = opensim().Logger
    before, sink = logger.getLevelString(), opensim().StringLogSink()
    with _no_output():
        logger.addSink(sink)
        logger.setLevelString(level)
        try:
            yield sink.getString
        finally:
            logger.setLevelString(before)
            logger.removeSink(sink)


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """Send what C++ prints (not Python) to nowhere; streams of a process without them are left alone."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            for stream in (1, 2):
                kept = os.dup(stream)
                os.dup2(nowhere, stream)
                stack.callback(os.close, kept)
                stack.callback(os.dup2, kept, stream)
            stack.callback(_flush_c)
        yield


def _flush_c() -> None:
    """C's own buffer is emptied while it still goes nowhere."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)


def load_model(path: str | Path) -> Any:
    """An ``opensim.Model`` of a file, its system built.

    Raises:
        InputError: missing or damaged file, unknown parts, or bodies that cannot move (no mass, no joints).
    """
    path = existing(path, "model")
    with silent(), refusing(f"{path}: OpenSim cannot load this model"):
        model = opensim().Model(str(path))
        state = model.initSystem()
        mass = model.getTotalMass(state)
    if model.getNumCoordinates() == 0:
        raise InputError(f"{path}: the model has no coordinate; there is nothing that can move")
    if not mass > 0:
        raise InputError(f"{path}: the bodies have no mass (together {mass:g} kg)")
    return model


def existing(path: str | Path, what: str) -> Path:
    """The path, if there is a file.

    Raises:
        InputError: there is none.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file ({what})")
    return path


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn OpenSim's exceptions into an :class:`InputError` that begins with ``what``."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(f"{what}: {reason(str(error))}") from error


def reason(text: str) -> str:
    """The sentence that matters in a message of OpenSim or Simbody, in one line."""
    text = re.sub(r"^std::exception in '[^']*':\s*", "", text.strip())
    text = re.sub(r"SimTK Exception thrown at [^:]*:\d+:\s*", "", text)
    text = re.sub(r"Error detected by Simbody method [^:]*(::[^:]*)*:\s", "", text)
    text = re.sub(r"\s*\(Required condition .*?was not met\.\)", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*Thrown at \S+ in .*$", "", text, flags=re.DOTALL)
    return " ".join(text.split())[:400].rstrip(".") or "no reason was given"
