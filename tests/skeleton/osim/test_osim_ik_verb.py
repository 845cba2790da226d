"""``marrow ik`` and the checks around it: matching names, sizes, swapped markers, set-up files, what is written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
from leg_model import leg, motion, recording, the_leg
from osim_oracle import saved

from marrow.cli import main
from marrow.clinical.inverse_kinematics import _doubts, inverse_kinematics
from marrow.errors import InputError
from marrow.io.mot import Table, read_mot, write_mot
from marrow.io.trc import MarkerData, write_trc
from marrow.skeleton.osim import Kinematics
from marrow.skeleton.osim.tasks import read_ik_setup


class Trial:
    """The leg, its motion, and files of it."""

    def __init__(self, folder: Path, frames: int = 20, noise: float = 0.001) -> None:
        self.folder, self.body = folder, the_leg(folder)
        self.q = motion(self.body, frames)
        self.time = np.arange(frames) / 50
        self.xyz = recording(self.body, self.q, noise, 0)
        self.names = list(self.body.markers)
        self.model = self.body.model.file

    def markers(self, units: str = "m") -> Path:
        path = self.folder / "trial.trc"
        write_trc(path, MarkerData(tuple(self.names), self.time, self.xyz, 50.0, units))
        return path

    def setup(self, tasks: str) -> Path:
        path = self.folder / "ik.xml"
        path.write_text(
            '<OpenSimDocument Version="40000"><InverseKinematicsTool><IKTaskSet><objects>'
            f"{tasks}</objects></IKTaskSet><coordinate_file>q.mot</coordinate_file></InverseKinematicsTool>"
            "</OpenSimDocument>"
        )
        return path


def marker_tasks(names: list[str], weight: float = 1.0) -> str:
    one = '<IKMarkerTask name="{}"><apply>true</apply><weight>{}</weight></IKMarkerTask>'
    return "".join(one.format(name, weight) for name in names)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_the_verb_writes_a_motion_that_opensim_reads(trial: Trial, capsys: pytest.CaptureFixture[str]):
    import opensim

    out = trial.folder / "walk.mot"
    words = ["ik", "--model", str(trial.model), "--markers", str(trial.markers("mm")), "--out", str(out)]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "20 frames, 11 coordinates from 14 markers" in told
    assert "shank_1" in told
    storage = opensim.Storage(str(out))
    assert storage.isInDegrees()
    assert storage.getSize() == 20
    table = read_mot(out)
    assert table.names == trial.body.coordinates
    np.testing.assert_allclose(table.column("knee"), np.degrees(trial.q[:, trial.body.index("knee")]), atol=1)
    np.testing.assert_allclose(table.column("pelvis_tx"), trial.q[:, trial.body.index("pelvis_tx")], atol=0.005)
    assert main(words) == 4
    assert "--force" in capsys.readouterr().err


def test_json_tells_the_errors_of_every_marker(trial: Trial, capsys: pytest.CaptureFixture[str]):
    trial.xyz[7, 3] += 0.05
    out = trial.folder / "walk.mot"
    main(["ik", "--model", str(trial.model), "--markers", str(trial.markers()), "--out", str(out), "--json"])
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["frames"]) == ("angles", 20)
    assert event["poorly_determined"] == []
    assert event["worst_time_s"] == pytest.approx(0.14)
    worst = max(event["markers"], key=lambda row: row["max_mm"])
    assert worst["marker"] == trial.names[3]
    assert worst["worst_time"] == pytest.approx(0.14)
    assert worst["frames"] == 20


def test_a_mistake_is_told_in_json_too(trial: Trial, capsys: pytest.CaptureFixture[str]):
    code = main(["ik", "--model", str(trial.folder / "no.osim"), "--markers", str(trial.markers()), "--json"])
    assert code == 2
    assert "no.osim" in json.loads(capsys.readouterr().out)["message"]


def test_weights_and_tasks_of_a_set_up_file(trial: Trial):
    write_mot(
        trial.folder / "q.mot",
        Table(("ankle", "pelvis_tx"), trial.time, np.stack([np.degrees(trial.time), trial.time], -1), True),
    )
    inner = "<weight>1e9</weight><value_type>{}</value_type><value>{}</value>"
    aim = f'<IKCoordinateTask name="{{}}">{inner}</IKCoordinateTask>'
    tasks = marker_tasks([name for name in trial.names if name != "foot_0"])
    tasks += aim.format("ankle", "from_file", 0) + aim.format("hip_rotation", "manual_value", 0.2)
    tasks += aim.format("hip_adduction", "default_value", 0.4)
    tasks += aim.format("knee", "manual_value", 9).replace("<weight>", "<apply>false</apply><weight>")
    found = inverse_kinematics(trial.model, trial.markers(), setup=trial.setup(tasks))
    q, body = found.fit.q, trial.body
    np.testing.assert_allclose(q[:, body.index("ankle")], trial.time, atol=1e-6)
    np.testing.assert_allclose(q[:, body.index("hip_rotation")], 0.2, atol=1e-6)
    np.testing.assert_allclose(q[:, body.index("hip_adduction")], 0.0, atol=1e-6)
    assert abs(q[:, body.index("knee")]).max() < 2
    assert "foot_0" not in found.fit.markers


def test_values_between_the_rows_of_the_coordinate_file(trial: Trial):
    known = np.linspace(-0.1, 0.5, 25)
    write_mot(trial.folder / "other.mot", Table(("ankle",), known, np.sin(5 * known)[:, None], False))
    aim = '<IKCoordinateTask name="ankle"><weight>1e9</weight><value_type>from_file</value_type></IKCoordinateTask>'
    setup = trial.setup(marker_tasks(trial.names) + aim)
    found = inverse_kinematics(trial.model, trial.markers(), setup=setup, coordinates=trial.folder / "other.mot")
    np.testing.assert_allclose(found.fit.q[:, trial.body.index("ankle")], np.sin(5 * trial.time), atol=1e-5)


def test_degrees_under_a_header_of_radians_are_asked_about(trial: Trial):
    write_mot(trial.folder / "q.mot", Table(("ankle",), trial.time, np.full((20, 1), 30.0), False))
    aim = '<IKCoordinateTask name="ankle"><weight>1</weight><value_type>from_file</value_type></IKCoordinateTask>'
    with pytest.raises(InputError, match=r"q\.mot: ankle reaches 30 radians; are these degrees"):
        inverse_kinematics(trial.model, trial.markers(), setup=trial.setup(aim))


def test_names_that_do_not_match_are_told_with_near_ones(trial: Trial):
    trial.names[trial.names.index("foot_1")] = "Foot-1"
    found = inverse_kinematics(trial.model, trial.markers())
    assert any("not recorded: foot_1 (do you mean Foot-1?)" in warning for warning in found.warnings)
    trial.names = [f"m{i}" for i in range(len(trial.names))]
    with pytest.raises(InputError, match=r"trial\.trc: no recorded marker is one of the model's"):
        inverse_kinematics(trial.model, trial.markers())


@pytest.mark.parametrize("factor", [0.01, 10.0])
def test_another_size_is_asked_about(trial: Trial, factor: float):
    trial.xyz *= factor
    with pytest.raises(InputError, match=r"is the unit \(m\) right\?.*--units"):
        inverse_kinematics(trial.model, trial.markers())


def test_swapped_markers_are_told(trial: Trial):
    i, j = trial.names.index("shank_0"), trial.names.index("foot_0")
    trial.xyz[5:9, [i, j]] = trial.xyz[5:9, [j, i]]
    found = inverse_kinematics(trial.model, trial.markers())
    swaps = [warning for warning in found.warnings if "swapped" in warning]
    assert len(swaps) == 1
    assert "0.1–0.16 s" in swaps[0]
    assert {"shank_0", "foot_0"} <= set(swaps[0].replace(" and", "").split())
    near = Trial(trial.folder)
    i, j = near.names.index("thigh_0"), near.names.index("thigh_1")
    near.xyz[2:4, [i, j]] = near.xyz[2:4, [j, i]]
    told = [w for w in inverse_kinematics(near.model, near.markers()).warnings if "swapped" in w]
    assert told == ["thigh_0 and thigh_1 look swapped at 0.04–0.06 s; exchange them there and run again"]
    clean = Trial(trial.folder)
    assert not any("swapped" in warning for warning in inverse_kinematics(clean.model, clean.markers()).warnings)


def test_a_part_of_the_recording(trial: Trial):
    found = inverse_kinematics(trial.model, trial.markers(), time=(0.1, 0.2))
    np.testing.assert_allclose(found.angles.time, [0.1, 0.12, 0.14, 0.16, 0.18, 0.2])
    with pytest.raises(InputError, match="no frame from 5 to 6 s"):
        inverse_kinematics(trial.model, trial.markers(), time=(5, 6))


def test_gaps_and_what_no_marker_moves_are_told(trial: Trial):
    trial.xyz[3:5] = np.nan
    keep = [i for i, name in enumerate(trial.names) if not name.startswith("foot")]
    trial.names, trial.xyz = [trial.names[i] for i in keep], trial.xyz[:, keep]
    told = " ".join(inverse_kinematics(trial.model, trial.markers()).warnings)
    assert "no marker is seen at 0.06–0.08 s" in told
    assert "no marker moves ankle" in told


def test_of_many_that_no_marker_moves_some_are_named(trial: Trial):
    fit = inverse_kinematics(trial.model, trial.markers()).fit
    fit = dataclasses.replace(fit, undetermined=tuple(f"finger_{i}" for i in range(40)))
    recorded = MarkerData(tuple(trial.names), trial.time, trial.xyz, 50.0)
    (told,) = _doubts(trial.body, fit, recorded)
    assert told == ("no marker moves finger_0, finger_1, finger_2, finger_3 and 36 more: they stay at their default")


def test_set_up_files_that_cannot_be_used(trial: Trial):
    with pytest.raises(InputError, match="no <IKTaskSet>"):
        read_ik_setup(trial.model)
    with pytest.raises(InputError, match=r"ik\.xml:1: <IKMarkerTask name=\"a\">: its weight is -1"):
        read_ik_setup(trial.setup(marker_tasks(["a"], -1)))
    bad = '<IKCoordinateTask name="knee"><value_type>guess</value_type></IKCoordinateTask>'
    with pytest.raises(InputError, match="its value_type is 'guess'"):
        read_ik_setup(trial.setup(bad))
    aim = '<IKCoordinateTask name="kne"><value_type>default_value</value_type></IKCoordinateTask>'
    with pytest.raises(InputError, match=r"no coordinate 'kne' in this model; did you mean knee"):
        inverse_kinematics(trial.model, trial.markers(), setup=trial.setup(aim))
    lost = '<IKCoordinateTask name="knee"><value_type>from_file</value_type></IKCoordinateTask>'
    write_mot(trial.folder / "q.mot", Table(("ankle",), trial.time, np.zeros((20, 1)), True))
    with pytest.raises(InputError, match="the coordinate file lacks it"):
        inverse_kinematics(trial.model, trial.markers(), setup=trial.setup(lost))


def test_constraints_that_are_not_followed_are_told(trial: Trial):
    weld = '<WeldConstraint name="glue"><isEnforced>true</isEnforced></WeldConstraint>'
    text = leg().replace("<ConstraintSet><objects>", f"<ConstraintSet><objects>{weld}")
    found = inverse_kinematics(saved(trial.folder, text), trial.markers())
    assert any("'glue' (WeldConstraint) is not enforced" in warning for warning in found.warnings)
    assert isinstance(trial.body, Kinematics)


def test_markers_in_a_c3d_have_z_up(trial: Trial, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("ezc3d", reason="the extra [c3d] is not installed")
    from marrow.io.c3d import C3d, write_c3d

    z_up = trial.xyz @ np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    path = trial.folder / "trial.c3d"
    write_c3d(path, C3d(MarkerData(tuple(trial.names), trial.time, z_up, 50.0, "mm")))
    out = trial.folder / "walk.sto"
    assert main(["ik", "--model", str(trial.model), "--markers", str(path), "--out", str(out)]) == 0
    assert "upright" not in capsys.readouterr().out
    np.testing.assert_allclose(
        read_mot(out).values, inverse_kinematics(trial.model, trial.markers()).angles.values, atol=1e-3
    )


def test_which_way_is_up_can_be_said_and_is_asked_about(trial: Trial):
    y_up = inverse_kinematics(trial.model, trial.markers())
    trial.xyz = np.stack([trial.xyz[..., 0], -trial.xyz[..., 2], trial.xyz[..., 1]], -1)
    lying = inverse_kinematics(trial.model, trial.markers())
    asked = "the person does not stand upright with y up; is z up in this file? Try --up z"
    assert asked in lying.warnings
    z_up = inverse_kinematics(trial.model, trial.markers(), up="z")
    assert z_up.warnings == y_up.warnings == ()
    np.testing.assert_allclose(z_up.angles.values, y_up.angles.values, atol=1e-3)


def test_what_cannot_be_read_or_written_is_refused_before_any_work(trial: Trial, capsys: pytest.CaptureFixture[str]):
    words = ["ik", "--model", str(trial.folder / "no.osim"), "--markers", str(trial.markers())]
    assert main([*words, "--out", str(trial.folder / "walk.csv")]) == 2
    assert "walk.csv: cannot write .csv; expected .mot or .sto, such as --out walk.mot" in capsys.readouterr().err
    assert main([*words, "--out", str(trial.folder / "walk")]) == 2
    assert "cannot write a file without suffix" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"t\.csv: cannot read markers from \.csv; expected \.trc or \.c3d"):
        inverse_kinematics(trial.model, trial.folder / "t.csv")
    with pytest.raises(InputError, match="up: expected y or z, got 'x'"):
        inverse_kinematics(trial.model, trial.markers(), up="x")
