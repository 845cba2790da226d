"""Marker files: what is written is what is read (by OpenSim too), and every fault is told with its place."""

from __future__ import annotations

import contextlib
import time as clock
from pathlib import Path

import numpy as np
import opensim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError, OutputError
from marrow.io.trc import METRES, MarkerData, read_trc, write_trc

SHARED = Path(__file__).parents[3] / "shared" / "data" / "opensim"
FILES = sorted(SHARED.rglob("*.trc"))


def markers(seed: int = 0, frames: int = 4, count: int = 3, *, gaps: float = 0.0, units: str = "mm") -> MarkerData:
    rng = np.random.default_rng(seed)
    xyz = rng.normal(0, 0.5, (frames, count, 3))
    xyz[rng.random((frames, count)) < gaps] = np.nan
    names = tuple(f"R.M{k}" for k in range(count))
    return MarkerData(names, 0.5 + np.arange(frames) / 60, xyz, 60.0, units)


def opensim_table(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names, times and (T, M, 3) values as the official package reads them."""
    table = opensim.TimeSeriesTableVec3(str(path))
    rows = [table.getRowAtIndex(k) for k in range(table.getNumRows())]
    values = np.array([[row[m].to_numpy() for m in range(table.getNumColumns())] for row in rows])
    return tuple(table.getColumnLabels()), np.array(table.getIndependentColumn()), values


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 12),
    count=st.integers(1, 9),
    gaps=st.sampled_from([0.0, 0.3]),
    units=st.sampled_from(sorted(METRES)),
)
def test_round_trip(tmp_path_factory, seed, frames, count, gaps, units):
    path = tmp_path_factory.getbasetemp() / "toy.trc"
    written = markers(seed, frames, count, gaps=gaps, units=units)
    write_trc(path, written)
    read = read_trc(path)
    assert read.names == written.names
    assert (read.units, read.rate_hz) == (units, 60.0)
    np.testing.assert_array_equal(read.time, written.time)
    np.testing.assert_allclose(read.xyz, written.xyz, rtol=1e-15)


def test_opensim_reads_what_is_written(tmp_path):
    written = markers(1, 7, 5, gaps=0.2, units="m")
    written.xyz[2, -1] = np.nan  # empty cells at the end of a row
    write_trc(tmp_path / "a.trc", written)
    names, time, values = opensim_table(tmp_path / "a.trc")
    assert names == written.names
    np.testing.assert_array_equal(time, written.time)
    np.testing.assert_array_equal(values, written.xyz)


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_real_files_read_as_opensim_reads_them(path):
    names, time, values = opensim_table(path)
    read = read_trc(path)
    assert read.names == names
    np.testing.assert_array_equal(read.time, time)
    np.testing.assert_allclose(read.xyz, values / 1000, rtol=1e-15)
    assert 1.0 < np.median(np.ptp(read.xyz[:, :, 1], axis=1)) < 2.0, "a standing person is 1 to 2 m high, Y up"


def test_there_are_real_files():
    if not SHARED.exists():
        pytest.skip("../shared/data/opensim is not here")
    assert len(FILES) == 4


def test_select(tmp_path):
    chosen = markers().select(("R.M2", "R.M0"))
    np.testing.assert_array_equal(chosen.xyz[:, 1], markers().xyz[:, 0])
    with pytest.raises(InputError, match=r"'L\.ASIS'"):
        markers().select(("L.ASIS",))


# ---------------------------------------------------------------------------------------------------------------------
# Files as they come: each takes the text of a good file and changes it.
# ---------------------------------------------------------------------------------------------------------------------

GOOD = """PathFileType\t4\t(X/Y/Z)\ta.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames
100\t100\t2\t3\tmm\t100\t1\t2
Frame#\tTime\tHEAD\t\t\tR.ASIS\t\t\tL.ASIS\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2\tX3\tY3\tZ3

1\t0.00\t0\t1700\t0\t10\t1000\t130\t10\t1000\t-130
2\t0.01\t0\t1701\t0\t11\t1000\t130\t11\t1000\t-130
"""


def read_text(tmp_path: Path, text: str, **options) -> MarkerData:
    path = tmp_path / "a.trc"
    path.write_bytes(text.encode())
    return read_trc(path, **options)


def changed(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        changed(("Z3\n\n", "Z3\n")),  # no empty line before the rows
        changed(("130\t10\t1000\t-130\n2", "130\t10\t1000\t-130\t\n2")),  # a tab at the end of a row, as in Gait2392
        changed(("HEAD\t\t\tR.ASIS\t\t\tL.ASIS\t\t", "HEAD\tR.ASIS\tL.ASIS")),
        GOOD.replace("\t\t\t", "\t").replace("\t", " "),  # blanks instead of tabs
    ],
    ids=["plain", "crlf", "bom", "no empty line", "tab at end", "names side by side", "blanks"],
)
def test_variants_read_alike(tmp_path, text):
    read = read_text(tmp_path, text)
    assert read.names == ("HEAD", "R.ASIS", "L.ASIS")
    np.testing.assert_allclose(read.xyz[1], [[0, 1.701, 0], [0.011, 1.0, 0.13], [0.011, 1.0, -0.13]])


@pytest.mark.parametrize(("unit", "scale"), [("cm", 0.01), ("millimeters", 0.001), ("M", 1.0)])
def test_units_of_the_header_are_honoured(tmp_path, unit, scale):
    text = changed(("\tmm\t", f"\t{unit}\t"))
    if scale == 1.0:
        text = text.replace("1700", "1.7").replace("1701", "1.701").replace("1000", "1.0").replace("130", "0.13")
        expected = 1.7
    else:
        expected = 1700 * scale
    assert read_text(tmp_path, text).xyz[0, 0, 1] == pytest.approx(expected)


def test_empty_cells_and_rows_that_end_early_are_gaps(tmp_path):
    text = changed(("1\t0.00\t0\t1700\t0\t", "1\t0.00\t\t\t\t"), ("\t11\t1000\t-130\n", "\n"))
    read = read_text(tmp_path, text)
    np.testing.assert_array_equal(np.isnan(read.xyz[..., 0]), [[True, False, False], [False, False, True]])


@pytest.mark.parametrize(
    ("old", "new", "needles"),
    [
        ("PathFileType", "time", ("line 1", "PathFileType")),
        ("\tNumMarkers", "\tMarkers", ("line 2", "NumMarkers")),
        ("\t3\tmm", "\t4\tmm", ("line 4", "3 marker names", "4")),
        ("\t3\tmm", "\tthree\tmm", ("line 3", "NumMarkers", "'three'")),
        ("\t2\t3\tmm", "\t9\t3\tmm", ("NumFrames says 9", "has 2")),
        ("\tmm\t", "\tinch\t", ("line 3", "m, cm or mm", "'inch'")),
        ("100\t100", "0\t100", ("DataRate", "'0'")),
        ("\tR.ASIS", "\tHEAD", ("line 4", "'HEAD'", "twice", "1 and 2")),
        ("Frame#", "Bild", ("line 4", "Frame#")),
        ("\t1701", "\t17o1", ("line 8", "column 4", "'HEAD', y", "'17o1'")),
        ("\t1701", "\t1701,5", ("line 8", "'HEAD', y", "point")),
        ("\t1701", "\tinf", ("line 8", "'HEAD', y", "finite")),
        ("\t1701", "\t", ("line 8", "'HEAD'", "no y")),
        ("\t11\t1000\t-130\n", "\t11\n", ("line 8", "'L.ASIS'", "cut off")),
        ("\t11\t1000\t-130\n", "\t11\t1000\t-130\t7\n", ("line 8", "12 cells", "need 11")),
        ("2\t0.01", "2\t0.00", ("line 8", "increase")),
        ("2\t0.01", "2\t", ("line 8", "time is missing")),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, old, new, needles):
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, changed((old, new)))
    assert str(caught.value).startswith(str(tmp_path / "a.trc"))
    for needle in needles:
        assert needle in str(caught.value)


def test_times_that_contradict_the_rate(tmp_path):
    text = changed(("\t2\t3\tmm", "\t3\t3\tmm")) + "3\t20\t0\t1701\t0\t11\t1000\t130\t11\t1000\t-130\n"
    with pytest.raises(InputError, match=r"DataRate says 100 Hz.*0\.1 Hz"):
        read_text(tmp_path, text)


def test_implausible_scale_is_asked_about(tmp_path):
    with pytest.raises(InputError, match=r"unit is given as m.*747 m\. Are the values in mm\?.*take --units mm"):
        read_text(tmp_path, changed(("\tmm\t", "\tm\t")))
    assert read_text(tmp_path, changed(("\tmm\t", "\tm\t")), units="mm").xyz[0, 0, 1] == pytest.approx(1.7)
    small = changed(("\tmm\t", "\tmm\t")).replace("1700", "1.7").replace("1701", "1.701").replace("1000", "1.0")
    small = small.replace("130", "0.13").replace("\t10\t", "\t0.01\t").replace("\t11\t", "\t0.011\t")
    with pytest.raises(InputError, match=r"Are the values in m\?"):
        read_text(tmp_path, small)


@pytest.mark.parametrize(("content", "text"), [(b"", "empty"), (b"\0\1PathFileType", "binary"), (None, "no such file")])
def test_files_that_are_none(tmp_path, content, text):
    path = tmp_path / "a.trc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=text):
        read_trc(path)


def test_ten_thousand_markers(tmp_path):
    """A large file is read in time, and a fault in it told in one short line."""
    many = markers(3, 5, 10_000)
    write_trc(tmp_path / "a.trc", many)
    start = clock.process_time()
    np.testing.assert_allclose(read_trc(tmp_path / "a.trc").xyz, many.xyz, rtol=1e-14)
    assert clock.process_time() - start < 2
    text = (tmp_path / "a.trc").read_text()
    with pytest.raises(InputError) as caught:
        read_text(tmp_path, text.replace("R.M9000\t", "R.M77\t"))
    assert "'R.M77'" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"names": ("a", "a", "b")}, "twice"),
        ({"names": ("a", "b")}, "expected xyz"),
        ({"names": ("a", "b\tc", "d")}, "tabs"),
        ({"units": "inch"}, "m, cm or mm"),
        ({"rate_hz": 0.0}, "above 0"),
        ({"time": np.array([0.0, 0.1, 0.1, 0.2])}, "increase"),
        ({"xyz": np.full((4, 3, 3), np.inf)}, "finite"),
    ],
)
def test_what_cannot_be_written(tmp_path, change, text):
    with pytest.raises(InputError, match=text):
        write_trc(tmp_path / "a.trc", MarkerData(**{**markers().__dict__, **change}))
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        write_trc(tmp_path / "no" / "a.trc", markers())


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
    path = tmp_path_factory.getbasetemp() / "damaged.trc"
    path.write_bytes(bytes(raw))
    with contextlib.suppress(InputError):
        assert len(read_trc(path).time) > 0


@pytest.mark.parametrize("count", ["1e999", "-1e999", "nan", "2.5", "0"])
def test_counts_that_are_none(tmp_path, count):
    path = tmp_path / "counts.trc"
    lines = GOOD.splitlines()
    keys, values = lines[1].split("\t"), lines[2].split("\t")
    values[keys.index("NumMarkers")] = count
    path.write_text("\n".join([lines[0], lines[1], "\t".join(values), *lines[3:]]))
    with pytest.raises(InputError, match="NumMarkers must be a whole number from 1"):
        read_trc(path)
