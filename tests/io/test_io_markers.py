"""Marker files of either kind and which way is up in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marrow.errors import InputError
from marrow.io.markers import read_markers, read_upright, upright
from marrow.io.trc import MarkerData, write_trc


def trial(folder: Path) -> Path:
    path = folder / "walk.trc"
    xyz = np.array([[[0.5, 1.5, -0.25], [0.0, 1.0, 2.0]]] * 3)
    write_trc(path, MarkerData(("HEAD", "KNEE"), np.arange(3) / 50, xyz, 50.0, "mm"))
    return path


@pytest.mark.parametrize("up", ["y", "z"])
def test_up_becomes_y_and_right_stays_right(up: str):
    turn = upright(up)
    np.testing.assert_array_equal(turn @ np.eye(3)["xyz".index(up)], [0, 1, 0])
    assert np.linalg.det(turn) == pytest.approx(1)


def test_markers_are_turned_upright(tmp_path: Path):
    path = trial(tmp_path)
    own = read_markers(path)
    as_usual, taken = read_upright(path)
    assert taken == "y"
    np.testing.assert_array_equal(as_usual.xyz, own.xyz)
    turned, taken = read_upright(path, up="z")
    assert taken == "z"
    np.testing.assert_allclose(turned.xyz[0], [[0.5, -0.25, -1.5], [0.0, 2.0, -1.0]])
    assert read_upright(path, units="m")[0].xyz[0, 0, 0] == pytest.approx(500)


def test_c3d_files_have_z_up(tmp_path: Path):
    pytest.importorskip("ezc3d", reason="the extra [c3d] is not installed")
    from marrow.io.c3d import C3d, write_c3d

    write_c3d(tmp_path / "walk.c3d", C3d(read_markers(trial(tmp_path))))
    found, taken = read_upright(tmp_path / "walk.c3d")
    assert taken == "z"
    np.testing.assert_allclose(found.xyz[0, 0], [0.5, -0.25, -1.5], atol=1e-6)


def test_what_cannot_be_read_is_told(tmp_path: Path):
    with pytest.raises(InputError, match=r"from \.csv; expected \.trc or \.c3d"):
        read_markers(tmp_path / "walk.csv")
    with pytest.raises(InputError, match="a file without suffix"):
        read_upright(tmp_path / "walk")
    with pytest.raises(InputError, match="expected y or z, got 'x'"):
        read_upright(trial(tmp_path), up="x")
