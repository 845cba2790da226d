"""OpenSim's tables: what is written is what is read (by OpenSim too), and every fault is told with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import opensim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.io.mot import Table, read_mot, write_mot

SHARED = Path(__file__).parents[3] / "shared" / "data" / "opensim"
FILES = sorted([*SHARED.rglob("*.mot"), *SHARED.rglob("*.sto")])


def table(seed: int = 0, rows: int = 5, columns: int = 3, *, in_degrees: bool = True) -> Table:
    rng = np.random.default_rng(seed)
    names = tuple(f"knee_angle_{k}" for k in range(columns))
    return Table(names, np.arange(rows) / 30, rng.normal(0, 30, (rows, columns)), in_degrees)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    columns=st.integers(1, 9),
    in_degrees=st.booleans(),
    gap=st.booleans(),
)
def test_round_trip(tmp_path_factory, seed, rows, columns, in_degrees, gap):
    path = tmp_path_factory.getbasetemp() / "toy.mot"
    written = table(seed, rows, columns, in_degrees=in_degrees)
    if gap:
        written.values[0, 0] = np.nan
    write_mot(path, written)
    read = read_mot(path)
    assert (read.names, read.in_degrees, read.title) == (written.names, in_degrees, "Coordinates")
    np.testing.assert_array_equal(read.time, written.time)
    np.testing.assert_array_equal(read.values, written.values)


@pytest.mark.parametrize("in_degrees", [True, False])
def test_opensim_reads_what_is_written(tmp_path, in_degrees):
    written = table(1, 6, 4, in_degrees=in_degrees)
    for suffix in ("mot", "sto"):
        path = tmp_path / f"a.{suffix}"
        write_mot(path, written)
        read = opensim.TimeSeriesTable(str(path))
        assert tuple(read.getColumnLabels()) == written.names
        np.testing.assert_array_equal(read.getIndependentColumn(), written.time)
        np.testing.assert_array_equal(read.getMatrix().to_numpy(), written.values)
        assert opensim.Storage(str(path)).isInDegrees() is in_degrees


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_real_files_read_as_opensim_reads_them(path):
    storage = opensim.Storage(str(path))
    read = read_mot(path)
    assert ("time", *read.names) == tuple(storage.getColumnLabels().get(k) for k in range(len(read.names) + 1))
    assert read.in_degrees == storage.isInDegrees()
    assert len(read.time) == storage.getSize()
    for row in (0, len(read.time) // 2, -1):
        vector = storage.getStateVector(row % len(read.time))
        expected = [vector.getData().get(k) for k in range(len(read.names))]
        assert read.time[row] == pytest.approx(vector.getTime(), abs=1e-12)
        np.testing.assert_allclose(read.values[row], expected, rtol=1e-14)


def test_there_are_real_files():
    if not SHARED.exists():
        pytest.skip("../shared/data/opensim is not here")
    assert len(FILES) == 9


HEADERS = {
    "no version": "x\nnRows=1\nnColumns=2\nendheader\n",
    "version": "x\nversion=1\nnRows=1\nnColumns=2\nendheader\n",
    "simm": "x\ndatacolumns 2\ndatarows 1\notherdata 1\nrange 0 1\nendheader\n",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_degrees_where_the_header_is_silent_are_opensims(tmp_path, kind):
    path = tmp_path / "a.mot"
    path.write_text(HEADERS[kind] + "time\ta\n0\t1\n")
    assert read_mot(path).in_degrees == opensim.Storage(str(path)).isInDegrees() == (kind != "version")


# ---------------------------------------------------------------------------------------------------------------------

GOOD = """Coordinates
version=1
nRows=2
nColumns=3
inDegrees=yes

Units are S.I. units, 'inDegrees' says whether rotational values are in degrees (yes) or radians (no).

endheader
time\thip_flexion_r\tpelvis_ty
0.00\t10.5\t0.95
0.01\t11.5\t0.96
"""


def read_text(tmp_path: Path, text: str) -> Table:
    (tmp_path / "a.mot").write_bytes(text.encode())
    return read_mot(tmp_path / "a.mot")


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\t", "   "),
        GOOD.replace("\n", "\t\t\n"),  # every line filled up with tabs, as spreadsheets do
        GOOD.replace("inDegrees=yes", "inDegrees = Yes").replace("endheader", "EndHeader"),
    ],
    ids=["plain", "crlf", "blanks", "tabs at ends", "letters"],
)
def test_variants_read_alike(tmp_path, text):
    read = read_text(tmp_path, text)
    assert (read.names, read.in_degrees) == (("hip_flexion_r", "pelvis_ty"), True)
    np.testing.assert_array_equal(read.values, [[10.5, 0.95], [11.5, 0.96]])
    np.testing.assert_array_equal(read.column("pelvis_ty"), [0.95, 0.96])


def test_empty_cells_are_gaps(tmp_path):
    read = read_text(tmp_path, GOOD.replace("\t10.5\t0.95", "\t\t0.95").replace("11.5\t0.96", "11.5\t"))
    np.testing.assert_array_equal(np.isnan(read.values), [[True, False], [False, True]])


@pytest.mark.parametrize(
    ("old", "new", "needles"),
    [
        ("endheader", "end", ("endheader",)),
        ("nRows=2", "nRows=3", ("3 rows", "has 2")),
        ("nColumns=3", "nColumns=4", ("4 columns", "has 3")),
        ("=yes", "=maybe", ("inDegrees", "'maybe'")),
        ("version=1", "DataType=Vec3", ("DataType=Vec3",)),
        ("time\t", "t\t", ("line 10", "'time'", "'t'")),
        ("hip_flexion_r\t", "\t", ("line 10", "column 2", "no name")),
        ("\t11.5", "\t11.5x", ("line 12", "column 2 (hip_flexion_r)", "'11.5x'")),
        ("11.5\t0.96", "11.5", ("line 12", "expected 3 cells", "got 2")),
        ("0.96\n", "0.96\t3\n", ("line 12", "expected 3 cells", "got 4")),
        ("0.01\t", "-0.01\t", ("line 12", "increase")),
        ("0.01\t", "\t", ("line 12", "time is missing")),
        ("0.00\t10.5\t0.95\n0.01\t11.5\t0.96\n", "", ("at least one row",)),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, old, new, needles):
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, GOOD.replace(old, new, 1))
    assert str(caught.value).startswith(str(tmp_path / "a.mot"))
    for needle in needles:
        assert needle in str(caught.value)


def test_columns_are_found_by_name_or_told(tmp_path):
    read = read_text(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"'hip_flexion_l'.*did you mean 'hip_flexion_r'"):
        read.column("hip_flexion_l")
    twice = read_text(tmp_path, GOOD.replace("pelvis_ty", "hip_flexion_r"))
    with pytest.raises(InputError, match="'hip_flexion_r' is there 2 times"):
        twice.column("hip_flexion_r")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"names": ("a", "a", "b")}, "twice"),
        ({"names": ("a", "time", "b")}, "twice"),
        ({"names": ("a", "b")}, "expected values"),
        ({"names": ("a", "b c", "d")}, "spaces"),
        ({"time": np.array([0.0, 0.1, 0.1, 0.2, 0.3])}, "increase"),
        ({"values": np.full((5, 3), np.inf)}, "finite"),
    ],
)
def test_what_cannot_be_written(tmp_path, change, text):
    with pytest.raises(InputError, match=text):
        write_mot(tmp_path / "a.mot", Table(**{**table().__dict__, **change}))
    assert list(tmp_path.iterdir()) == []


DAMAGE = [b"", b"\t", b"\n", b"-", b"nan", b"1e999", b"\xff", b"=", b" ", b"99999999", b"x"]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_and_never_crash(tmp_path_factory, data):
    """Any cut, insertion or exchange of bytes gives a reading or an InputError."""
    raw = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        length = data.draw(st.integers(0, 12))
        new = data.draw(
            st.sampled_from([b"", b"\t", b"\n", b"-", b"nan", b"1e999", b"\xff", b"=", b" ", b"99999999", b"x"])
        )
        raw[at : at + length] = new
        raw = raw or bytearray(b"x")
    path = tmp_path_factory.getbasetemp() / "damaged.mot"
    path.write_bytes(bytes(raw))
    with contextlib.suppress(InputError):
        assert len(read_mot(path).time) > 0
