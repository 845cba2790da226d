"""The command line: ``marrow VERB …``.

Each verb is a file of this folder. Its ``run`` has the verb's options as typed arguments and its help as docstring, and
returns an exit code; an optional ``prepare`` may rewrite the words before they are parsed, and an optional
``runner(words)`` gives the ``run`` whose options depend on them. Only the verb that was typed is imported, and a verb
imports what it needs when it runs, so help and mistakes are answered at once.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import marrow
from marrow.cli._report import run_guarded
from marrow.errors import InputError

_DESCRIPTION = "From a video of a person to a body, the skeleton inside it, joint angles and files."


def verbs() -> tuple[str, ...]:
    """Names of the verbs: the files of this folder."""
    return tuple(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after ``marrow``; None takes those of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        code = run_guarded(lambda: _dispatch(words, as_json), as_json=as_json)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # tyro leaves this way after help (0), and after a mistake in the options (2) it told of
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BrokenPipeError:
        # The reader of a pipe (`marrow … | head`) has gone; nothing more can be told to it, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _dispatch(words: list[str], as_json: bool) -> int:
    known = verbs()
    if not words or words[0] in ("-h", "--help"):
        return _help(known)
    if words[0] in ("-V", "--version"):
        print(f"marrow {marrow.__version__}")
        return 0
    verb = words[0]
    if verb not in known:
        raise InputError(_unknown(verb, known))
    module = importlib.import_module(f"marrow.cli.{verb}")
    rest = getattr(module, "prepare", list)(words[1:])
    run = module.runner(rest) if hasattr(module, "runner") else module.run
    return int(_parse(run, verb, rest, as_json)())


def _parse(run: Callable[..., int], verb: str, words: Sequence[str], as_json: bool) -> Callable[[], int]:
    """The verb with its options, ready to run.

    Raises:
        InputError: a mistake in the options, for programs that read JSON lines; else tyro shows it and leaves.
    """
    import tyro

    @functools.wraps(run)
    def ready(*given: Any, **options: Any) -> Callable[[], int]:
        return functools.partial(run, *given, **options)

    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told) if as_json else contextlib.nullcontext():
            return tyro.cli(ready, prog=f"marrow {verb}", args=words, config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as stop:
        if not (as_json and stop.code):
            raise
        raise InputError(_plain(told.getvalue()) or "the options could not be understood") from None


def _plain(box: str) -> str:
    """The words of a framed message, without the frame's title."""
    lines = [line for line in box.splitlines() if not line.startswith("╭")]
    return " ".join(re.sub(r"[─-╿]", " ", " ".join(lines)).split())


def _load(verb: str) -> Callable[..., int]:
    return importlib.import_module(f"marrow.cli.{verb}").run


def _help(known: Sequence[str]) -> int:
    width = max(map(len, known))
    print(f"usage: marrow VERB [OPTIONS]\n\n{_DESCRIPTION}\n\nverbs:")
    for verb in known:
        print(f"  {verb:{width}}  {(_load(verb).__doc__ or '').strip().splitlines()[0]}")
    print("\nThe options of a verb: marrow VERB --help. The version: marrow --version.")
    print("First steps: marrow demo, then: marrow capture YOUR_VIDEO.mp4")
    return 0


def _unknown(verb: str, known: Sequence[str]) -> str:
    import difflib

    # Some verbs are short: a loose match would take almost any word for one of them.
    near = [] if verb.startswith("-") else difflib.get_close_matches(verb, known, n=1, cutoff=0.55)
    if near:
        return f"there is no verb {verb!r}; did you mean: marrow {near[0]}"
    if os.path.exists(verb):
        return f"a verb is missing before {verb!r}; did you mean: marrow capture {verb}"
    return f"there is no verb {verb!r}; the verbs are {', '.join(known)}; see marrow --help"
