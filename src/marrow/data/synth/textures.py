"""A user's own pictures as cloth: found in a folder, named by file and hash, read when drawn."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
#: Larger pictures are reduced to this many pixels along a side.
_LARGEST = 512


def list_textures(folder: str | Path) -> tuple[tuple[str, str], ...]:
    """(name, hash) of the pictures in a folder, by name.

    Raises:
        InputError: the folder is not there, holds no picture, or one that cannot be read.
    """
    import cv2

    folder = Path(folder)
    files = sorted(f for f in folder.glob("*") if f.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise InputError(f"textures: no pictures ({', '.join(SUFFIXES)}) in {folder}")
    damaged = next((f for f in files if not cv2.haveImageReader(str(f))), None)
    if damaged is not None:
        raise InputError(f"textures: {damaged} cannot be read as a picture")
    return tuple((f.name, _hash(f)) for f in files)


@functools.lru_cache(maxsize=256)
def read_texture(folder: Path, name: str, digest: str) -> NDArray[np.uint8]:
    """(h, w, 3) sRGB picture. Raises InputError if it is missing, unreadable, or not the one of that hash."""
    import cv2

    path = folder / name
    if not path.is_file():
        raise InputError(f"textures: no {name} in {folder}")
    if _hash(path) != digest:
        raise InputError(f"textures: {name} in {folder} is another picture than the look was made with")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"textures: {path} cannot be read as a picture")
    shrink = _LARGEST / max(picture.shape[:2])
    if shrink < 1:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[:, :, ::-1], np.uint8)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
