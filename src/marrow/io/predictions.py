"""What a method says of the people in one picture, as a file of its own: ``.npz`` or ``.json``.

An ``.npz`` holds ``joints2d`` (P, J, 2) pixels, ``joints3d`` (P, J, 3) and, where there are any, ``vertices``
(P, V, 3), both in metres in the camera's axes (x right, y down, z ahead). A ``.json`` holds ``people``, a list with a
mapping of the same names for each person: ``joints2d`` (J, 2) and so on. Nobody found: no rows, an empty list.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.files import write_atomically
from marrow.types import Float32, Float64

_COLUMNS = {"joints2d": 2, "joints3d": 3, "vertices": 3}


@dataclass(frozen=True, eq=False)
class Predictions:
    """P people.

    Attributes:
        joints2d: (P, J, 2) pixels.
        joints3d: (P, J, 3) metres in the camera's axes.
        vertices: (P, V, 3) metres in the camera's axes, or None.
    """

    joints2d: Float64
    joints3d: Float64
    vertices: Float32 | Float64 | None = None


def read_predictions(path: str | Path, joints: int, vertices: int) -> Predictions:
    """Read a file of predictions.

    Args:
        path: ending in ``.npz`` or ``.json``.
        joints: J that is expected.
        vertices: V that is expected, where there are any.
    Raises:
        InputError: damaged, or arrays of other shapes or with values that are not finite.
    """
    path = Path(path)
    try:
        content = _json(path) if path.suffix == ".json" else _npz(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        said = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: no predictions that can be read ({said}); docs/score.md tells the form") from None
    found: dict[str, Float64] = {}
    for name, (columns, rows) in {n: (c, vertices if n == "vertices" else joints) for n, c in _COLUMNS.items()}.items():
        if name not in content:
            continue
        array = content[name]
        if array.ndim and len(array) == 0:
            array = np.zeros((0, rows, columns))
        people = len(found.get("joints2d", array)) if array.ndim else "P"
        if array.shape != (people, rows, columns):
            raise InputError(f"{path}: {name}: expected ({people}, {rows}, {columns}), got {array.shape}")
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name}: a value is not finite; leave out whom you do not predict")
        found[name] = array
    return Predictions(**found)


def write_predictions(path: str | Path, people: Predictions) -> None:
    """Write an ``.npz``."""
    arrays: dict[str, Any] = {
        name: np.asarray(getattr(people, name), np.float32) for name in _COLUMNS if getattr(people, name) is not None
    }
    with write_atomically(path) as file:
        np.savez_compressed(file, **arrays)


def _npz(path: Path) -> dict[str, Float64]:
    with np.load(path, allow_pickle=False) as file:
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("a single array")
        content = {name: np.asarray(file[name], float) for name in _COLUMNS if name in file}
    lacking = [name for name in ("joints2d", "joints3d") if name not in content]
    if lacking:
        raise KeyError(lacking[0])
    return content


def _json(path: Path) -> dict[str, Float64]:
    people: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["people"]
    names = ["joints2d", "joints3d", *(["vertices"] if any("vertices" in person for person in people) else [])]
    return {name: np.array([person[name] for person in people], float) for name in names}
