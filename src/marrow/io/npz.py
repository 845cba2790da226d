"""``motion.npz``: a motion as plain arrays, exact to the last bit, readable by anything that reads numpy files.

Fields are those of :class:`marrow.types.Motion`, and of its alternatives with ``alternatives_`` before the name; the
shape is stored as ``shape_names`` and ``shape_values``. Fields that are None are left out. No field needs pickle, so
reading runs no code.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.files import write_atomically
from marrow.types import Alternatives, Motion

_FORMAT = 2

#: Field to (type, shape in letters); T times, D coordinates, E derived angles, B segments.
_FIELDS: dict[str, tuple[type[np.generic], str]] = {
    "time": (np.float64, "T"),
    "q": (np.float64, "TD"),
    "translation": (np.float64, "T3"),
    "q_sd": (np.float64, "TD"),
    "mark": (np.uint8, "TD"),
    "derived_sd": (np.float64, "TE"),
    "derived_mark": (np.uint8, "TE"),
    "observed": (np.bool_, "T"),
    "joints_sd": (np.float64, "TB"),
    "contact": (np.float64, "T2"),
}
#: The same for :class:`marrow.types.Alternatives`, whose fields are all there or none; H alternatives.
_ALTERNATIVES: dict[str, tuple[type[np.generic], str]] = {
    "alternatives_q": (np.float64, "HTD"),
    "alternatives_translation": (np.float64, "HT3"),
    "alternatives_weight": (np.float64, "HT"),
    "alternatives_log_odds": (np.float64, "H"),
    "alternatives_spread": (np.float64, "TB"),
}
_REQUIRED = ("time", "q", "translation")


def write_motion(path: str | Path, motion: Motion) -> None:
    """Write a motion.

    Raises:
        InputError: arrays that do not fit together, named.
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    for name, (kind, _) in _FIELDS.items():
        value = getattr(motion, name)
        if value is not None:
            arrays[name] = np.asarray(value, kind)
    if motion.alternatives is not None:
        for name, (kind, _) in _ALTERNATIVES.items():
            arrays[name] = np.asarray(getattr(motion.alternatives, name.removeprefix("alternatives_")), kind)
    arrays["coordinates"] = np.array(motion.coordinates, dtype=str)
    arrays["shape_names"] = np.array(list(motion.shape), dtype=str)
    arrays["shape_values"] = np.array(list(motion.shape.values()), np.float64)
    _check(arrays, str(path))
    with write_atomically(path) as file:
        np.savez_compressed(file, marrow_motion=np.array(_FORMAT), **arrays)


def read_motion(path: str | Path) -> Motion:
    """Read a motion that :func:`write_motion` wrote.

    Raises:
        InputError: missing or damaged file, not a motion, or fields that do not fit together.
    """
    path = Path(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise InputError(f"{path}: a single array, not a motion; expected motion.npz as marrow writes it")
        with loaded as file:
            arrays = {name: file[name] for name in file.files}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a motion file, or damaged ({error})") from error
    version = arrays.get("marrow_motion")
    if version is None:
        raise InputError(f"{path}: an npz file, but not a motion (the field 'marrow_motion' is missing)")
    if version.shape != () or version != _FORMAT:
        raise InputError(f"{path}: motion format {version}; this marrow reads {_FORMAT}. Make the file again with it")
    _check(arrays, str(path))
    return Motion(
        coordinates=tuple(str(name) for name in arrays["coordinates"]),
        shape={str(n): float(v) for n, v in zip(arrays["shape_names"], arrays["shape_values"], strict=True)},
        alternatives=Alternatives(*(arrays[name] for name in _ALTERNATIVES)) if "alternatives_q" in arrays else None,
        **{name: arrays.get(name) for name in _FIELDS},  # pyright: ignore[reportArgumentType]
    )


def _check(arrays: dict[str, Any], where: str) -> None:
    """Types and shapes of all fields; raises InputError that names the first one that does not fit."""
    for name in (*_REQUIRED, "coordinates", "shape_names", "shape_values"):
        if name not in arrays:
            raise InputError(f"{where}: the field '{name}' is missing")
    for name in ("coordinates", "shape_names"):
        # An empty tuple of names becomes an array of length 0.
        if arrays[name].ndim != 1 or arrays[name].dtype.kind not in "US":
            raise InputError(f"{where}: the field '{name}' must be a list of names")
    if arrays["shape_values"].shape != arrays["shape_names"].shape or arrays["shape_values"].dtype != np.float64:
        raise InputError(f"{where}: 'shape_values' must be float64, one for each of 'shape_names'")
    sizes = {"3": 3, "2": 2, "D": len(arrays["coordinates"])}
    there = [name for name in _ALTERNATIVES if name in arrays]
    if there and len(there) < len(_ALTERNATIVES):
        missing = next(name for name in _ALTERNATIVES if name not in arrays)
        raise InputError(f"{where}: the field '{missing}' is missing beside '{there[0]}'")
    for name, (kind, letters) in (_FIELDS | _ALTERNATIVES).items():
        array = arrays.get(name)
        if array is None:
            continue
        if array.dtype != kind or array.ndim != len(letters):
            raise InputError(
                f"{where}: '{name}' must be {len(letters)}-D {kind.__name__}, got {array.dtype} {array.shape}"
            )
        for letter, length in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, length) != length:
                raise InputError(
                    f"{where}: '{name}' has shape {array.shape}; expected {sizes[letter]} where it has {length}"
                )
