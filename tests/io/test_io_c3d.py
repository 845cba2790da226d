"""C3D: markers, gaps, first frame and channels survive; computed points are no markers; faults are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.io.c3d import C3d, Channels, read_c3d, write_c3d
from marrow.io.trc import METRES, MarkerData

ezc3d = pytest.importorskip("ezc3d", reason="the extra [c3d] is not installed")


def content(seed: int = 0, frames: int = 6, count: int = 4, *, units: str = "mm", first: int = 0) -> C3d:
    rng = np.random.default_rng(seed)
    xyz = rng.normal(0, 0.5, (frames, count, 3))
    xyz[rng.random((frames, count)) < 0.2] = np.nan
    names = tuple(f"subject:M{k}" for k in range(count))
    markers = MarkerData(names, (first + np.arange(frames)) / 100, xyz, 100.0, units)
    return C3d(markers, Channels(("Force.Fx1", "EMG 2"), rng.normal(0, 300, (frames * 10, 2)), 1000.0, ("N", "V")))


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 12),
    count=st.integers(1, 9),
    units=st.sampled_from(sorted(METRES)),
    first=st.sampled_from([0, 1, 500]),
)
def test_round_trip(tmp_path_factory, seed, frames, count, units, first):
    path = tmp_path_factory.getbasetemp() / "toy.c3d"
    written = content(seed, frames, count, units=units, first=first)
    write_c3d(path, written)
    read = read_c3d(path)
    assert (read.markers.names, read.markers.units) == (written.markers.names, units)
    np.testing.assert_allclose(read.markers.time, written.markers.time, atol=1e-9)
    np.testing.assert_allclose(read.markers.xyz, written.markers.xyz, rtol=1e-6, atol=1e-9)
    assert (read.analog.names, read.analog.units) == (("Force.Fx1", "EMG 2"), ("N", "V"))
    assert read.analog.rate_hz == 1000
    np.testing.assert_allclose(read.analog.values, written.analog.values, rtol=1e-6)
    assert read.computed == {}


def test_many_markers_have_all_their_names(tmp_path):
    """A parameter of the format holds 255 texts; further ones go on in LABELS2 …"""
    written = content(count=700)
    write_c3d(tmp_path / "a.c3d", written)
    assert read_c3d(tmp_path / "a.c3d").markers.names == written.markers.names


def foreign(path: Path, labels: list[str], *, units: str = "mm", scale: float = 1000.0, **groups: list[str]) -> Path:
    """A file as another program writes it."""
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100]
    file["parameters"]["POINT"]["LABELS"]["value"] = labels
    file["parameters"]["POINT"]["UNITS"]["value"] = [units]
    for name, values in groups.items():
        file.add_parameter("POINT", name, values)
    file["data"]["points"] = np.random.default_rng(0).normal(0, scale, (4, len(labels), 3))
    file.write(str(path))
    return path


def test_computed_points_are_no_markers(tmp_path):
    path = foreign(tmp_path / "a.c3d", ["LASI", "RASI", "LKneeAngles", "SACR"], ANGLES=["LKneeAngles"])
    read = read_c3d(path)
    assert read.markers.names == ("LASI", "RASI", "SACR")
    assert list(read.computed) == ["LKneeAngles"]
    assert read.computed["LKneeAngles"].shape == (3, 3)
    assert read.analog.names == ()
    everything = foreign(tmp_path / "b.c3d", ["a", "b", "c", "d"], POWERS=["a", "b", "c", "d"])
    with pytest.raises(InputError, match="all 4 points are computed"):
        read_c3d(everything)


def test_a_negative_residual_is_a_gap(tmp_path):
    """Many programs leave zeros or old places where a marker was not seen, and say so by the residual alone."""
    path = foreign(tmp_path / "a.c3d", ["a", "b", "c", "d"])
    file = ezc3d.c3d(str(path))
    file["data"]["meta_points"]["residuals"][0, 2, 1] = -1
    file["data"]["points"][:3, 2, 1] = 0
    file.write(str(path))
    expected = np.zeros((3, 4), bool)
    expected[1, 2] = True
    np.testing.assert_array_equal(np.isnan(read_c3d(path).markers.xyz[..., 0]), expected)


def test_points_without_label_are_numbered(tmp_path):
    assert read_c3d(foreign(tmp_path / "a.c3d", ["LASI", "", "", ""])).markers.names == (
        "LASI",
        "point_2",
        "point_3",
        "point_4",
    )


def test_faults_are_told(tmp_path):
    with pytest.raises(InputError, match="'LASI' is there twice"):
        read_c3d(foreign(tmp_path / "a.c3d", ["LASI", "RASI", "LASI", "SACR"]))
    with pytest.raises(InputError, match=r"POINT:UNITS.*Are the values in mm\?"):
        read_c3d(foreign(tmp_path / "b.c3d", ["a", "b", "c", "d"], units="m"))
    assert read_c3d(tmp_path / "b.c3d", units="mm").markers.units == "mm"
    with pytest.raises(InputError, match="m, cm or mm, got 'furlong'"):
        read_c3d(foreign(tmp_path / "c.c3d", ["a", "b", "c", "d"], units="furlong"))
    with pytest.raises(InputError, match="no such file"):
        read_c3d(tmp_path / "none.c3d")
    whole = (tmp_path / "a.c3d").read_bytes()
    for damaged in (b"", b"C3D", b"x" * 3000, whole[: len(whole) // 2]):
        (tmp_path / "d.c3d").write_bytes(damaged)
        with pytest.raises(InputError, match=r"d\.c3d.*damaged"):
            read_c3d(tmp_path / "d.c3d")


def test_a_file_that_crashes_the_reader_does_not_crash_the_caller(tmp_path):
    """The type of a parameter is exchanged; the C++ reader then ends its process."""
    write_c3d(tmp_path / "a.c3d", content())
    raw = (tmp_path / "a.c3d").read_bytes()
    assert b"USED\x07\x00\x02" in raw
    (tmp_path / "a.c3d").write_bytes(raw.replace(b"USED\x07\x00\x02", b"USED\x07\x00\xff", 1))
    with pytest.raises(InputError, match=r"a\.c3d.*damaged.*broke down"):
        read_c3d(tmp_path / "a.c3d")


def test_what_the_format_cannot_hold(tmp_path):
    good = content()
    uneven = MarkerData(**{**good.markers.__dict__, "time": good.markers.time + [0, 0, 0.004, 0, 0, 0]})
    with pytest.raises(InputError, match=r"frame 2 .*no grid of 100 Hz"):
        write_c3d(tmp_path / "a.c3d", C3d(uneven))
    with pytest.raises(InputError, match="whole multiple"):
        write_c3d(tmp_path / "a.c3d", C3d(good.markers, Channels(("a",), np.zeros((15, 1)), 250.0)))
    with pytest.raises(InputError, match="1 units for 2 channels"):
        write_c3d(tmp_path / "a.c3d", C3d(good.markers, Channels(("a", "b"), np.zeros((6, 2)), 100.0, ("N",))))
    with pytest.raises(InputError, match=r"suffix \.c3d"):
        write_c3d(tmp_path / "a.C3D", good)
    assert list(tmp_path.iterdir()) == []
