"""motion.npz, angles.csv, keypoints.csv and the table of exporters."""

from __future__ import annotations

import csv
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from io_toy import toy

from marrow.errors import InputError, OutputError
from marrow.io import EXPORTERS, PersonExport, save
from marrow.io.npz import read_motion, write_motion
from marrow.io.tables import left_out, write_angles_csv, write_keypoints_csv
from marrow.types import OBSERVED, PRIOR, WEAK, Keypoints, Motion, Track

NAMES = ("pelvis_tilt", "pelvis_tx", "knee_angle_r")


def motion(frames: int = 4, **more) -> Motion:
    rng = np.random.default_rng(frames)
    fields = {
        "time": 0.1 + np.arange(frames) / 30,
        "coordinates": NAMES,
        "q": rng.normal(0, 1, (frames, 3)),
        "translation": rng.normal(0, 1, (frames, 3)),
        "shape": {"height": 0.6, "log_scale_thigh": -0.03},
    }
    return Motion(**(fields | more))


def full(frames: int = 4) -> Motion:
    rng = np.random.default_rng(1)
    return motion(
        frames,
        q_sd=rng.random((frames, 3)),
        mark=np.tile(np.array([OBSERVED, WEAK, PRIOR], np.uint8), (frames, 1)),
        observed=np.arange(frames) % 2 == 0,
        derived_sd=rng.random((frames, 9)),
        derived_mark=np.tile(np.repeat(np.array([PRIOR, WEAK, OBSERVED], np.uint8), 3), (frames, 1)),
        joints_sd=rng.random((frames, 5)),
        contact=rng.random((frames, 2)),
    )


def same(a: Motion, b: Motion) -> None:
    for field in dataclasses.fields(Motion):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype
            assert np.array_equal(x, y, equal_nan=x.dtype.kind == "f"), field.name
        else:
            assert x == y


floats = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=30, deadline=None)
@given(
    q=hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(3)), elements=floats),
    shape=st.dictionaries(st.text("abc_é", min_size=1, max_size=8), st.floats(allow_nan=False), max_size=4),
)
def test_motion_comes_back_exactly(tmp_path_factory, q, shape):
    path = tmp_path_factory.getbasetemp() / "motion.npz"
    written = motion(len(q), q=q, shape=shape)
    write_motion(path, written)
    same(written, read_motion(path))


def test_motion_with_everything_comes_back_and_needs_no_pickle(tmp_path):
    write_motion(tmp_path / "motion.npz", full())
    same(full(), read_motion(tmp_path / "motion.npz"))
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as file:
        assert all(file[name].dtype.kind != "O" for name in file.files)


def test_bad_motion_files_are_input_errors(tmp_path):
    path = tmp_path / "motion.npz"
    with pytest.raises(InputError, match="no such file"):
        read_motion(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        read_motion(path)
    write_motion(path, full())
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_motion(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="single array"):
        read_motion(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(InputError, match="marrow_motion"):
        read_motion(path)
    np.savez(path, marrow_motion=np.array(99))
    with pytest.raises(InputError, match="format 99"):
        read_motion(path)
    np.savez(path, marrow_motion=np.array(1))  # whose coordinates were another skeleton's
    with pytest.raises(InputError, match="format 1; this marrow reads 2"):
        read_motion(path)
    with pytest.raises(InputError, match="'q_sd' has shape"):
        write_motion(path, motion(4, q_sd=np.zeros((5, 3))))
    with pytest.raises(InputError, match="'derived_sd' has shape"):
        write_motion(path, motion(4, derived_sd=np.zeros((5, 9))))


@pytest.mark.parametrize("field", ["q", "time", "coordinates", "shape_values"])
def test_missing_or_wrong_fields_are_named(tmp_path, field):
    path = tmp_path / "motion.npz"
    write_motion(path, full())
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{name: array for name, array in arrays.items() if name != field})
    with pytest.raises(InputError, match=f"'{field}' is missing"):
        read_motion(path)
    np.savez(path, **(arrays | {field: np.zeros((2, 2, 2), complex)}))
    with pytest.raises(InputError, match=field):
        read_motion(path)


def rows(path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_angles_have_a_row_for_every_frame_of_the_video(tmp_path):
    written, time = full(), np.arange(8) / 30
    derived = {"arm_flex_r": np.linspace(0, 1, 4)}
    of_derived = {"derived_sd": {"arm_flex_r": np.ones(4)}, "derived_mark": {"arm_flex_r": np.array([0, 1, 2, 0])}}
    frames = np.array([2, 3, 5, 6])
    path = tmp_path / "angles.csv"
    write_angles_csv(path, written, frames=frames, time=time, derived=derived, **of_derived)
    table = rows(path)
    assert [int(row["frame"]) for row in table] == list(range(8))
    np.testing.assert_allclose([float(row["time"]) for row in table], time, atol=1e-6)
    assert [row["observed"] for row in table] == ["0", "0", "1", "0", "0", "1", "0", "0"]
    for frame, row in enumerate(table):
        rest = [value for name, value in row.items() if name not in ("frame", "time", "observed")]
        if frame not in frames:
            assert set(rest) == {""}
            continue
        k = list(frames).index(frame)
        assert float(row["knee_angle_r"]) == pytest.approx(np.degrees(written.q[k, 2]), abs=1e-4)
        assert float(row["pelvis_tx"]) == pytest.approx(written.q[k, 1], abs=1e-4)
        assert float(row["pelvis_tilt_sd"]) == pytest.approx(np.degrees(written.q_sd[k, 0]), abs=1e-4)
        assert float(row["arm_flex_r"]) == pytest.approx(np.degrees(k / 3), abs=1e-4)
        assert float(row["arm_flex_r_sd"]) == pytest.approx(np.degrees(1), abs=1e-4)
        assert row["arm_flex_r_mark"] == ("observed", "weak", "prior", "observed")[k]
        assert [row[f"{name}_mark"] for name in NAMES] == ["observed", "weak", "prior"]


def test_what_was_never_seen_has_no_column(tmp_path):
    mark = np.full((4, 3), PRIOR, np.uint8)
    mark[:, 0] = WEAK
    q = motion(4).q.copy()
    q[:, [0, 2]] = 0.3  # still: the first is seen nevertheless, the last is not
    written = motion(4, q=q, mark=mark, q_sd=np.ones((4, 3)))
    assert left_out(written) == (NAMES[2],)
    write_angles_csv(tmp_path / "angles.csv", written)
    assert not any(name.startswith(NAMES[2]) for name in rows(tmp_path / "angles.csv")[0])
    assert {NAMES[0], f"{NAMES[1]}_sd", f"{NAMES[1]}_mark"} <= set(rows(tmp_path / "angles.csv")[0])
    assert left_out(motion(4)) == ()
    write_motion(tmp_path / "motion.npz", written)
    assert read_motion(tmp_path / "motion.npz").coordinates == NAMES


def test_values_that_are_not_known_are_empty(tmp_path):
    q = motion().q.copy()
    q[1, 2] = np.nan
    write_angles_csv(tmp_path / "angles.csv", motion(4, q=q))
    table = rows(tmp_path / "angles.csv")
    assert table[1]["knee_angle_r"] == ""
    assert table[0]["knee_angle_r"] != ""
    assert list(table[0]) == ["frame", "time", "observed", *NAMES]


def test_tables_that_do_not_fit_are_input_errors(tmp_path):
    path = tmp_path / "angles.csv"
    with pytest.raises(InputError, match="frames 0 to 9 do not fit"):
        write_angles_csv(path, motion(), frames=[0, 1, 2, 9])
    with pytest.raises(InputError, match="must increase"):
        write_angles_csv(path, motion(), frames=[0, 1, 1, 2])
    with pytest.raises(InputError, match="expected one for each"):
        write_angles_csv(path, motion(), frames=[0, 1])
    with pytest.raises(InputError, match="arm_flex_r: 3 values for 4"):
        write_angles_csv(path, motion(), derived={"arm_flex_r": np.zeros(3)})
    assert not path.exists()


def track() -> Track:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 500, (3, 17, 2)).astype(np.float32)
    confidence = np.full((3, 17), 0.75, np.float32)
    xy[1, 0], confidence[1, 0] = np.nan, 0
    box, score = np.zeros((3, 4), np.float32), np.ones(3, np.float32)
    return Track(1, np.array([1, 2, 4]), Keypoints("coco17", xy, confidence), box, score)


def test_keypoints_table(tmp_path):
    write_keypoints_csv(tmp_path / "keypoints.csv", track(), time=np.arange(6) / 25)
    table = rows(tmp_path / "keypoints.csv")
    assert len(table) == 6
    assert table[0]["nose_x"] == table[3]["left_knee_y"] == ""
    assert (table[2]["nose_x"], table[2]["nose_confidence"]) == ("", "0.00000")
    assert float(table[4]["right_ankle_y"]) == pytest.approx(track().keypoints.xy[2, 16, 1], abs=1e-4)
    with pytest.raises(InputError, match="a video of 3 frames"):
        write_keypoints_csv(tmp_path / "short.csv", track(), time=np.arange(3) / 25)


def person_export() -> PersonExport:
    person = toy(0, 4)
    time = person.pop("time") + 0.2
    return PersonExport(motion=motion(4, time=time), frames=np.arange(4), video_time=time, track=track(), **person)


def test_every_suffix_is_saved_and_unknown_ones_are_refused(tmp_path):
    names = ("motion.npz", "angles.csv", "body.glb", "skeleton.bvh")
    of_a_skeleton = {".osim", ".mot", ".trc", ".c3d"}  # tests/io/test_io_osim.py
    assert {name[name.index(".") :] for name in names} | of_a_skeleton == set(EXPORTERS)
    person = dataclasses.replace(person_export(), video_time=np.arange(6) / 25)
    for name in (*names, "keypoints.csv"):
        assert save(tmp_path / name, person) == []
        assert (tmp_path / name).stat().st_size > 100
    assert "knee_angle_r" in (tmp_path / "angles.csv").read_text()
    assert "nose_x" in (tmp_path / "keypoints.csv").read_text()
    (remark,) = save(tmp_path / "four.glb", person, influences=4)
    assert "4 influences" in remark
    assert "mm" in remark
    with pytest.raises(InputError, match=r"cannot save as \.fbx; choose \.npz \.csv \.glb \.bvh"):
        save(tmp_path / "a.fbx", person)
    with pytest.raises(InputError, match="no keypoints"):
        save(tmp_path / "keypoints.csv", dataclasses.replace(person, track=None))
    with pytest.raises(OutputError):
        save(tmp_path / "no" / "angles.csv", person)
    for suffix in of_a_skeleton:
        with pytest.raises(InputError, match="no skeleton"):
            save(tmp_path / f"a{suffix}", person)


def test_importing_the_table_of_exporters_is_cheap():
    heavy = ("torch", "cv2", "numba", "av", "pygltflib", "scipy")
    script = f"import sys, marrow.io; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
