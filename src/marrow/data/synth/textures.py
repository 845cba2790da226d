"""A user's own pictures as cloth: a look names the file and the hash of what was in it."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

#: Larger pictures are reduced to this many pixels along a side.
_LARGEST = 512


@functools.lru_cache(maxsize=1024)
def texture_of(path: Path) -> tuple[str, str]:
    """(path, hash) of a picture, as a look has them. Raises InputError where there is no such file."""
    return str(path), _hash(path)


@functools.lru_cache(maxsize=256)
def read_texture(path: str, digest: str) -> NDArray[np.uint8]:
    """(h, w, 3) sRGB picture. Raises InputError if it is missing, unreadable, or not the one of that hash."""
    import cv2

    if _hash(Path(path)) != digest:
        raise InputError(f"textures: {path} is another picture than the look was made with; bring the old one back")
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"textures: {path} cannot be read as a picture")
    shrink = _LARGEST / max(picture.shape[:2])
    if shrink < 1:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[:, :, ::-1], np.uint8)


def _hash(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"textures: there is no {path}")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
