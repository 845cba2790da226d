"""A small real capture (six frames of keypoints of the demo clip's jump) written through the command line."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import marrow
import marrow.cli._capture as cli_capture
from marrow.cli import main
from marrow.errors import InputError, OutputError
from marrow.skeleton.osim import read_osim

PERSON_FILES = {
    *("motion.npz", "angles.csv", "keypoints.csv", "body.glb", "skeleton.bvh"),
    *("skeleton.osim", "motion.mot", "markers.trc"),
}


@pytest.fixture(scope="module")
def keypoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of OpenPose files, one a frame."""
    folder = tmp_path_factory.mktemp("openpose") / "jump"
    folder.mkdir()
    frames = json.loads((Path(__file__).parent / "jump_body25.json").read_text())
    for number, points in enumerate(frames):
        content = {"version": 1.3, "people": [{"pose_keypoints_2d": points}]}
        (folder / f"jump_{number:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def captured(keypoints: Path) -> marrow.Capture:
    return marrow.capture(keypoints, height=1.8)


@pytest.fixture
def road(captured: marrow.Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real result again without fitting again; everything after the fit is real."""
    monkeypatch.setattr(cli_capture.main_road, "capture", lambda *_, **__: captured)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MARROW_DEBUG", raising=False)


def content(folder: Path) -> dict[str, bytes]:
    """Files by name, but for the meshes of the model."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "Geometry"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.usefixtures("road")
def test_what_is_written_and_told(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", str(keypoints)]) == 0
    folder = Path("marrow_out/jump")
    assert set(content(folder)) == {"capture.json"} | {f"person_1/{name}" for name in PERSON_FILES}
    out = capsys.readouterr().out
    assert "person_1" in out
    assert all(name in out for name in PERSON_FILES)
    assert out.count("Geometry") == 1
    assert len(list((folder / "person_1" / "Geometry").glob("skeleton_*.obj"))) > 20
    about = json.loads((folder / "capture.json").read_text())
    assert "bones of skeleton.osim" in {part["name"] for part in about["licences"]}
    with open(folder / "person_1" / "angles.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(-20 < float(row["knee_angle_r"]) < 160 for row in rows)


@pytest.mark.usefixtures("road")
def test_json_result(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", str(keypoints), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "result"
    assert len(events[-1]["people"]) == 1
    assert events[-1]["seconds"] >= 0


@pytest.mark.usefixtures("road")
def test_fewer_influences_tell_their_error(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", str(keypoints), "--influences", "4", "--out", "four"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "influence" in line]
    assert len(told) == 1
    assert "mm" in told[0]


@pytest.mark.usefixtures("road")
def test_a_known_mass_goes_into_the_model(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", str(keypoints), "--mass", "83.25,60", "--out", "m"]) == 0
    model = read_osim(Path("m/person_1/skeleton.osim"))
    assert sum(body.mass for body in model.bodies) == pytest.approx(83.25)
    assert "2 masses were given for 1 people" in capsys.readouterr().out
    assert json.loads(Path("m/capture.json").read_text())["settings"]["mass_kg"] == [83.25, 60]


@pytest.mark.usefixtures("road")
def test_the_users_own_bones_are_named_and_not_copied(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("OpenSim").mkdir()
    Path("OpenSim/r_femur.obj").write_text("v 0 0 0\nv 0 -0.4 0\nv 0.1 0 0\nf 1 2 3\n")
    assert main(["capture", str(keypoints), "--bones", "OpenSim", "--out", "b"]) == 0
    text = Path("b/person_1/skeleton.osim").read_text()
    assert text.count("<mesh_file>") == 1
    assert f"<mesh_file>{Path('OpenSim').absolute().as_posix()}/r_femur.obj</mesh_file>" in text
    assert not Path("b/person_1/Geometry").exists()
    assert "lacks 80 of 81 bones (legs of Rajagopal 2016)" in capsys.readouterr().out
    about = json.loads(Path("b/capture.json").read_text())
    assert about["settings"]["bones"] == "OpenSim"
    assert not [part for part in about["licences"] if part["name"].startswith("bones")]


@pytest.mark.usefixtures("road")
def test_modern_joints_tell_what_they_cost(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", str(keypoints), "--modern", "--out", "new"]) == 0
    kinds = {joint.kind for joint in read_osim(Path("new/person_1/skeleton.osim")).joints}
    assert {"ConstantCurvatureJoint", "ScapulothoracicJoint"} < kinds
    told = [line for line in capsys.readouterr().out.splitlines() if "modern joints" in line]
    assert len(told) == 1
    about = json.loads(Path("new/capture.json").read_text())
    assert told[0] in [f"warning: {warning}" for warning in about["warnings"]]
    assert about["settings"]["modern"] is True


@pytest.mark.parametrize("mass", ["0", "nan", "70;80", "70000"])
def test_an_impossible_mass_is_refused_at_once(keypoints: Path, capsys: pytest.CaptureFixture[str], mass: str) -> None:
    assert main(["capture", str(keypoints), f"--mass={mass}"]) == InputError.exit_code
    assert "--mass: expected kilograms" in capsys.readouterr().err


@pytest.mark.usefixtures("road")
def test_results_stay_without_force_and_are_replaced_with_it(
    keypoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capture", str(keypoints), "--out", "r"]) == 0
    (Path("r") / "notes.txt").write_text("mine")
    before = content(Path("r"))
    assert main(["capture", str(keypoints), "--out", "r"]) == OutputError.exit_code
    assert content(Path("r")) == before
    assert "--force" in capsys.readouterr().err
    assert main(["capture", str(keypoints), "--out", "r", "--force"]) == 0
    assert set(content(Path("r"))) == set(before)
    assert (Path("r") / "notes.txt").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a Unix thing")
@pytest.mark.usefixtures("road")
def test_a_full_disk_leaves_whole_files_only(keypoints: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # body.glb is larger
    try:
        code = main(["capture", str(keypoints), "--out", "full"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == OutputError.exit_code
    err = capsys.readouterr().err
    assert "body.glb" in err
    assert "Traceback" not in err
    left = content(Path("full"))
    assert set(left) < {f"person_1/{name}" for name in PERSON_FILES}
    assert "person_1/body.glb" not in left
    assert main(["capture", str(keypoints), "--out", "whole"]) == 0
    whole = content(Path("whole"))
    assert all(left[name] == whole[name] for name in left if name.endswith(".csv"))


@pytest.mark.usefixtures("road")
def test_ctrl_c_while_writing_keeps_what_is_finished(
    keypoints: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def interrupted(**_: Any) -> Iterator[Any]:
        def progress(stage: str, done: int, total: int | None) -> None:
            if stage == "write files" and done == 2:
                raise KeyboardInterrupt

        yield progress

    monkeypatch.setattr(cli_capture, "show_progress", interrupted)
    assert main(["capture", str(keypoints), "--out", "r"]) == 130
    left = content(Path("r"))
    assert len(left) == 2
    assert set(left) < {f"person_1/{name}" for name in PERSON_FILES}
    assert "stopped" in capsys.readouterr().err
