"""MATLAB files: what scipy writes is read as it is, and no byte of a damaged file does more than raise an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from marrow.errors import InputError
from marrow.io.mat import read_mat

CELLS = np.empty((2, 1), object)
CELLS[0, 0], CELLS[1, 0] = np.arange(6.0).reshape(2, 3), np.zeros((0, 0))
HELD = {
    **{"whole": np.arange(24, dtype=np.int16).reshape(2, 3, 4), "one": 2.5, "flags": np.array([[True, False]])},
    **{"single": np.ones((1, 3), np.float32), "cells": CELLS, "text": "abc", "inside": {"a": 1}},
}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes(compressed: bool, tmp_path: Path) -> None:
    file = tmp_path / "x.mat"
    scipy.io.savemat(file, HELD, do_compression=compressed)
    found = read_mat(file)
    assert set(found) == {"whole", "one", "flags", "single", "cells"}
    theirs = scipy.io.loadmat(file)
    for name in ("whole", "one", "flags", "single"):
        np.testing.assert_array_equal(found[name], theirs[name])
    assert found["cells"].shape == (2, 1)
    np.testing.assert_array_equal(found["cells"][0, 0], CELLS[0, 0])
    assert found["cells"][1, 0].size == 0
    assert set(read_mat(file, "one", "none")) == {"one"}
    with pytest.raises(InputError, match="'text': expected numbers or cells of them, got text"):
        read_mat(file, "text")
    with pytest.raises(InputError, match="'inside': expected numbers or cells of them, got a structure"):
        read_mat(file, "inside")


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "x.mat"
    file.write_bytes(b"x" * 500)
    with pytest.raises(InputError, match="not a MATLAB file of version 5 to 7"):
        read_mat(file)
    file.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(400))
    with pytest.raises(InputError, match=r"version 7\.3 \(HDF5\)"):
        read_mat(file)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_raise_input_errors(compressed: bool, tmp_path: Path) -> None:
    file = tmp_path / "x.mat"
    scipy.io.savemat(file, HELD, do_compression=compressed)
    data, rng = file.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        spoiled = bytearray(data)
        for place in rng.integers(128, len(data), rng.integers(1, 5)):
            spoiled[place] = rng.choice([0, 1, 14, 15, 127, 255])
        file.write_bytes(spoiled if rng.random() < 0.7 else data[: rng.integers(1, len(data))])
        try:
            read_mat(file, "whole", "cells", "text")
        except InputError:
            refused += 1
    assert refused > 200
