"""Files of datasets: found, opened without running anything in them, and checked key by key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body._npz import read_npz
from marrow.body.unpickle import unpickle
from marrow.errors import InputError
from marrow.io.columns import read_content
from marrow.types import Float64

_MAX_OPCODES = 20_000_000
_LARGEST = 1e15  # nothing that is measured of people is as large; single precision ends at 3e38
_ORTHONORMAL = 1e-3  # calibrations are written with four digits or more

#: Rotation from a source whose up is that axis to marrow's world, by half or quarter turns about X.
UPRIGHT: Mapping[str, Float64] = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-y": np.diag([1.0, -1.0, -1.0]),
}


def upright(up: str) -> Float64:
    """(3, 3) from the source's axes to marrow's; raises InputError for anything but "y", "z" and "-y"."""
    if up not in UPRIGHT:
        raise InputError(f"up: expected one of {', '.join(UPRIGHT)}, got {up!r}")
    return UPRIGHT[up]


# Finding


def files(path: Path, pattern: str) -> list[Path]:
    """The files under a folder that match, sorted; or the path itself, if it is a file that does."""
    if path.is_file():
        return [path] if path.match(pattern) else []
    return sorted(file for file in path.rglob(pattern) if file.is_file())


def by_name(root: Path, found: Iterable[Path]) -> dict[str, Path]:
    """Files by their stems, or by their paths under ``root`` where stems repeat."""
    found = list(found)
    stems = [file.stem for file in found]
    if len(set(stems)) == len(stems):
        return dict(zip(stems, found, strict=True))
    return {file.relative_to(root).with_suffix("").as_posix(): file for file in found}


def beside(path: Path, name: str, levels: int = 4) -> Path | None:
    """A folder of that name beside the path or one of the folders above it."""
    for above in list(path.parents)[:levels]:
        if (above / name).is_dir():
            return above / name
    return None


def mentions(path: Path, *words: bytes) -> bool:
    """Whether all words stand in a file, as the keys of a pickle do; nothing is interpreted."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return all(word in data for word in words)


def nothing(path: Path, wanted: str) -> InputError:
    """What to say of a place that does not hold what a set needs."""
    if not path.exists():
        return InputError(f"{path}: there is no such file or folder")
    return InputError(f"{path}: expected {wanted}; none is there")


# Opening


def load_pickle(path: Path) -> Any:
    """What a pickle holds, through :mod:`marrow.body.unpickle`: nothing in it is executed."""
    return unpickle(read_content(path), str(path), max_opcodes=_MAX_OPCODES)


def load_npz(path: Path) -> dict[str, NDArray]:
    """The arrays of an ``.npz``; those of objects are read without executing anything."""
    return read_npz(read_content(path), str(path))


def load_json(path: Path) -> Any:
    try:
        return json.loads(read_content(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is not JSON, or it is truncated ({error}); get the file again") from error


def load_hdf5(path: Path) -> dict[str, NDArray]:
    """The numeric data sets at the top of an HDF5 file (MATLAB 7.3 writes such), in the file's own order of axes."""
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(f"{path}: an HDF5 file needs the package h5py: pip install 'marrow[hdf5]'") from error
    read_content(path)
    try:
        with h5py.File(path, "r") as file:
            held = {str(name): file.get(name) for name in file}
            return {name: np.asarray(value[()]) for name, value in held.items() if isinstance(value, h5py.Dataset)}
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise InputError(f"{path}: this HDF5 file is damaged or truncated ({error}); get it again") from error


# Checking


def entry(held: Any, key: str, where: str | Path) -> Any:
    """What a dictionary has under a key.

    Raises:
        InputError: it is no dictionary, or the key is missing; what is there is told.
    """
    if not isinstance(held, Mapping):
        raise InputError(f"{where}: expected a dictionary with '{key}', got {type(held).__name__}")
    if key not in held:
        there = ", ".join(str(name) for name in list(held)[:12]) or "nothing"
        raise InputError(f"{where}: '{key}' is missing; there is {there}")
    return held[key]


def numbers(value: Any, where: str, shape: Sequence[int | str], *, finite: bool = True) -> Float64:
    """Numbers of a shape, as float64.

    Args:
        where: file and key, for messages.
        shape: sizes; a letter stands for any size.
        finite: whether NaN and infinity are refused.

    Raises:
        InputError: no numbers, another shape, or not finite.
    """
    spelled = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{where}: expected numbers {spelled}, got lists of different lengths") from error
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: expected numbers {spelled}, got {type(value).__name__} of type {array.dtype}")
    fits = array.ndim == len(shape)
    fits = fits and all(isinstance(n, str) or n == m for n, m in zip(shape, array.shape, strict=True))
    if not fits:
        raise InputError(f"{where}: expected {spelled}, got {array.shape}")
    if finite and not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{where}: holds NaN or infinity, first at {first}; expected finite numbers {spelled}")
    if array.size and float(np.nanmax(np.abs(array.astype(float)), initial=0.0)) > _LARGEST:
        raise InputError(f"{where}: holds numbers beyond {_LARGEST:g}; the file is damaged, get it again")
    return array.astype(float)


def listed(value: Any, where: str, count: int | None = None) -> list[Any]:
    """A list, or an array's rows, of so many items."""
    if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and value.ndim == 0):
        raise InputError(f"{where}: expected a list, got {type(value).__name__}")
    if count is not None and len(value) != count:
        raise InputError(f"{where}: expected {count} items, got {len(value)}")
    return list(value)


def rotations(R: Float64, where: str) -> Float64:
    """Rotations (..., 3, 3), checked: a mirrored or skewed matrix means another format, or a damaged file.

    Raises:
        InputError: not orthonormal, or left-handed.
    """
    away = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max(initial=0.0)
    if away > _ORTHONORMAL:
        raise InputError(f"{where}: expected rotations, got matrices that are {away:.2g} away from orthonormal")
    if (np.linalg.det(R) < 0).any():
        raise InputError(f"{where}: expected rotations, got a reflection (left-handed axes)")
    return R


def intrinsics(K: Float64, where: str) -> Float64:
    """A camera matrix (3, 3), checked: positive focal lengths and a last row 0 0 1."""
    if not (K[0, 0] > 0 and K[1, 1] > 0 and np.allclose(K[2], [0, 0, 1]) and K[1, 0] == 0):
        raise InputError(f"{where}: expected a camera matrix (fx, fy > 0, last row 0 0 1), got {K.tolist()}")
    return K


def gender(value: Any) -> str:
    """ "female", "male", "neutral" or ""; from words or letters, of text or bytes."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return {"f": "female", "m": "male", "n": "neutral"}.get(text.strip().lower()[:1], "")
