"""Readers of published datasets in the user's own copies: what they hold, in marrow's units and axes.

:func:`read_dataset` recognises a set by its content. One module a set; each says in its docstring what its source's
axes and units are, and what of it was not verified on a real file. Nothing in a pickle is executed. No set comes with
marrow.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from marrow.conventions import nearest_names
from marrow.data.samples import Dataset, Points, Recording, Subject, View
from marrow.errors import InputError, UnknownNameError

__all__ = ["SETS", "Dataset", "Points", "Recording", "Subject", "View", "read_dataset", "recognise"]

#: Name of a set -> its module here, in the order in which they are tried; a new set is one more line and one more file.
SETS = {
    "3dpw": "threedpw",
    "emdb": "emdb",
    "agora": "agora",
    "h36m": "h36m",
    "3dhp": "mpi3dhp",
    "panoptic": "panoptic",
    "shelf": "shelf",
    "opencap": "opencap",
    "moyo": "moyo",
    "amass": "amass",
    "coco": "coco",
}


def read_dataset(path: str | Path, **options: Any) -> Dataset:
    """The dataset at a place.

    Args:
        path: a folder or file; ``"emdb=/my/folder"`` says which set it is, else its content tells.
        options: of that set's ``read``, such as ``up="z"``.

    Returns:
        The set; its recordings are read when they are asked for.

    Raises:
        InputError: nothing there is known, damaged files, or an option that the set does not have.
        UnknownNameError: no set of that name.
    """
    name, found, rest = str(path).partition("=")
    if found and not Path(path).exists() and "/" not in name:
        path = Path(rest).expanduser()
        if name.lower() not in SETS:
            near = ", ".join(nearest_names(name, SETS))
            raise UnknownNameError(f"no dataset is called {name!r}; nearest: {near}; known: {', '.join(SETS)}")
        name = name.lower()
    else:
        path = Path(path).expanduser()
        name = recognise(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    read = _module(name).read
    known = read.__kwdefaults__ or {}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InputError(f"{name} has no option {', '.join(unknown)}; it has: {', '.join(known) or 'none'}")
    return read(path, **options)


def recognise(path: str | Path) -> str:
    """Name of the set at a place, by its content.

    Raises:
        InputError: there is nothing, or nothing that is known.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if path.is_dir() and next(path.iterdir(), None) is None:
        raise InputError(f"{path}: the folder is empty")
    for name in SETS:
        if _module(name).holds(path):
            return name
    raise InputError(
        f"{path}: no dataset that is known was found there; known are {', '.join(SETS)}. "
        f"If it is one of them, say which: 3dpw={path}"
    )


def _module(name: str) -> Any:
    return importlib.import_module(f"marrow.data.readers.{SETS[name]}")
