"""Writing so that a file under its final name is always whole: temporary file beside it, flush, rename."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from marrow.errors import InputError, MarrowError, OutputError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space or write to another disk",
    errno.EDQUOT: "your disk quota is used up; free some space or write to another disk",
    errno.EFBIG: "the file is larger than this file system or account allows; write to another disk",
    errno.EACCES: "you may not write there; choose a folder of your own, or change its permissions",
    errno.EPERM: "you may not write there; choose a folder of your own, or change its permissions",
    errno.EROFS: "that disk is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it first, or choose another one",
    errno.ENOTDIR: "a part of that path is a file and not a folder; choose another name",
    errno.EISDIR: "a folder of that name exists; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the disk reports an input/output error; write to another disk",
}

#: Folder of a model's meshes, beside the model; OpenSim looks there by itself.
GEOMETRY = "Geometry"

#: What one capture leaves in its folder, besides the ``person_<n>`` folders; ``*`` stands for anything.
_CAPTURE_FILES = ("capture.json", "overlay.*", "dense.*")
_PERSON_FILES = (
    *("motion.npz", "angles.csv", "keypoints.csv", "body.glb", "skeleton.bvh"),
    *("skeleton.osim", "motion.mot", "markers.trc", f"{GEOMETRY}/skeleton_*.obj"),
)


def output_error(error: OSError, path: str | Path) -> OutputError:
    """The :class:`OutputError` that says which file could not be written, why, and what to do."""
    why = _ADVICE.get(error.errno or 0) or error.strerror or str(error)
    return OutputError(f"could not write {path}: {why}")


@contextlib.contextmanager
def temporary_beside(path: str | Path) -> Iterator[Path]:
    """Give a name in the same folder to write to; rename it to ``path`` at the end, or remove it on any failure.

    The suffix stays, since writers of media choose the format by it.

    Raises:
        OutputError: the file cannot be written; nothing is left behind and an older ``path`` is untouched.
    """
    path = Path(path)
    part = _part_of(path, uuid.uuid4().hex[:8])
    try:
        if path.is_dir():
            raise OutputError(f"could not write {path}: {_ADVICE[errno.EISDIR]}")
        yield part
        _flush_to_disk(part)
        os.replace(part, path)
    except MarrowError:
        raise
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_torn(path: str | Path) -> None:
    """Remove what killed processes left of their tries to write ``path``; nobody may be writing it now."""
    path = Path(path)
    pattern = _part_of(Path(glob.escape(path.name)), "?" * 8).name
    for part in path.parent.glob(pattern):
        with contextlib.suppress(OSError):
            part.unlink()


def _part_of(path: Path, mark: str) -> Path:
    return path.with_name(f".{path.stem[:64]}.{mark}.part{path.suffix}")


@contextlib.contextmanager
def write_atomically(path: str | Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it is complete.

    Args:
        path: final name; its folder must exist.
        mode: ``"wb"`` or ``"w"`` (UTF-8, no newline translation unless ``options`` say otherwise).
        options: further arguments of :func:`open`.

    Raises:
        OutputError: disk full, no permission, no such folder …; nothing is left behind.
    """
    if mode not in ("wb", "w"):
        raise InputError(f"write_atomically: mode must be 'wb' or 'w', got {mode!r}")
    if mode == "w":
        options = {"encoding": "utf-8", "newline": "", **options}
    with temporary_beside(path) as part, open(part, mode, **options) as file:
        yield file


def prepare_output_folder(folder: str | Path, *, force: bool = False) -> Path:
    """Make a folder for results and make sure, before any long work, that they can be written there.

    Nothing is removed here; see :func:`remove_earlier_results`.

    Raises:
        OutputError: it is a file, holds something and ``force`` is false, or cannot be made or written.
    """
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; give the name of a folder with --out")
        if not force and folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder} is not empty; nothing was overwritten. Choose another --out, or add --force")
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{uuid.uuid4().hex[:8]}.part"
        probe.touch()
        probe.unlink()
    except MarrowError:
        raise
    except OSError as error:
        raise output_error(error, folder) from error
    return folder


def refuse_existing(path: str | Path, *, force: bool = False) -> None:
    """Refuse, before any work, to write over a file or into a folder that is not there.

    Raises:
        OutputError: the file exists and ``force`` is false, or its folder does not.
    """
    path = Path(path)
    if path.exists() and not force:
        raise OutputError(f"{path} exists; nothing was overwritten. Give another name, or add --force")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"could not write {path}: {_ADVICE[errno.ENOENT]}")


def remove_earlier_results(folder: str | Path) -> None:
    """Remove what an earlier capture wrote there (and nothing else), so that two captures never mix.

    Raises:
        OutputError: a file cannot be removed.
    """
    folder = Path(folder)
    people = [person for person in folder.glob("person_*") if person.is_dir()]
    old = [file for name in _CAPTURE_FILES for file in folder.glob(name)]
    old += [file for person in people for name in _PERSON_FILES for file in person.glob(name)]
    try:
        for file in old:
            file.unlink(missing_ok=True)
        for emptied in [*(person / GEOMETRY for person in people), *people]:
            if emptied.is_dir() and not any(emptied.iterdir()):
                emptied.rmdir()
    except OSError as error:
        raise output_error(error, folder) from error


def _flush_to_disk(path: Path) -> None:
    """Let the rename happen only after the data are on the disk, so that a power cut cannot leave an empty file."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
