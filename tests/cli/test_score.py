"""``marrow score``: predictions of one's own against a small synthetic set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from marrow.cli import main
from marrow.data.synth.making import make_set
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices
from marrow.data.synth.truth import TruePeople, read_truth
from marrow.geometry.projection import project_camera
from marrow.io.predictions import Predictions, write_predictions


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of few people."""
    folder = tmp_path_factory.mktemp("score") / "crowd"
    return make_set(Recipe("hard", 3, Choices(size=(96, 96)), ()), folder, 3, layout="folder")


@pytest.fixture(scope="module")
def truth(crowd: Path) -> list[TruePeople]:
    return list(read_truth(crowd))


@pytest.fixture
def mine(tmp_path: Path, truth: list[TruePeople]) -> Path:
    """Perfect predictions."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for people in truth:
        write_predictions(folder / f"{people.name}.npz", Predictions(people.xy, people.joints, people.vertices))
    return folder


def score(mine: Path, crowd: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    assert main(["score", str(mine), "--truth", str(crowd), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(mine: Path, crowd: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["score", str(mine), "--truth", str(crowd)]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err


def test_the_truth_is_what_the_set_tells(truth):
    for people in truth:
        assert people.vertices.shape[0] == len(people.xy) == len(people.age)
        np.testing.assert_allclose(project_camera(people.camera, people.joints), people.xy, atol=0.05)
        # the pelvis lies inside its own skin
        middle = people.vertices.mean(1)
        assert (np.linalg.norm(people.joints[:, 0] - middle, axis=-1) < 0.5).all()


def test_perfect_predictions(mine, crowd, capsys):
    table = score(mine, crowd, capsys)["table"]
    assert table["F1"] == table["recall"] == 1.0
    for name in ("MVE", "MPJPE", "NMVE", "NMJE"):
        assert table[name] == pytest.approx(0.0, abs=0.01)


def test_who_is_left_out_costs(mine, crowd, truth, capsys):
    off = [Predictions(p.xy, p.joints, p.vertices + np.float32(0.1)) for p in truth]
    for people, said in zip(truth, off, strict=True):
        write_predictions(mine / f"{people.name}.npz", said)
    every = score(mine, crowd, capsys)["table"]
    none = Predictions(np.zeros((0, 17, 2)), np.zeros((0, 17, 3)), np.zeros((0, truth[0].vertices.shape[1], 3)))
    counting = next(k for k, people in enumerate(truth) if (people.hidden <= 0.9).any())
    write_predictions(mine / f"{truth[counting].name}.npz", none)
    some = score(mine, crowd, capsys)["table"]
    assert some["MVE"] == pytest.approx(every["MVE"], abs=0.05)
    assert some["NMVE"] > every["NMVE"] + 1


def test_json_and_no_vertices(mine, crowd, truth, capsys):
    for people in truth:
        (mine / f"{people.name}.npz").unlink()
        rows = [
            {"joints2d": xy.tolist(), "joints3d": joints.tolist()}
            for xy, joints in zip(people.xy, people.joints, strict=True)
        ]
        (mine / f"{people.name}.json").write_text(json.dumps({"people": rows}))
    table = score(mine, crowd, capsys)["table"]
    assert table["MVE"] is None
    assert table["NMJE"] == pytest.approx(0.0, abs=0.01)


def test_the_table_is_printed(mine, crowd, capsys):
    assert main(["score", str(mine), "--truth", str(crowd)]) == 0
    out = capsys.readouterr().out
    for word in ("NMVE", "recall", "adults", "hidden", "pelvises"):
        assert word in out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("{0}.npz", b"PK\x03\x04 cut off", "no predictions that can be read"),
        ("{0}.json", b"{", "no predictions that can be read"),
        ("{0}.json", b'{"people": [{"joints2d": [[0, 0]]}]}', "lacks 'joints3d'"),
        ("{0}.json", b'{"people": [{"joints2d": [[0, 0]], "joints3d": [[0, 0, 0]]}]}', "expected (1, 17, 2)"),
        ("{0}.json", b'{"people": 7}', "no predictions that can be read"),
        (
            "{0}.json",
            b'{"people": [{"joints2d": [], "joints3d": []}, {"joints2d": [], "joints3d": [], "vertices": []}]}',
            "lacks 'vertices'",
        ),
        ("nobody.json", b'{"people": []}', "no picture of this name"),
    ],
)
def test_damaged_files_are_named(mine, crowd, truth, name, content, words, capsys):
    file = mine / name.format(truth[0].name)
    for other in mine.glob(f"{truth[0].name}.*"):
        if "nobody" not in name:
            other.unlink()
    file.write_bytes(content)
    err = refused(mine, crowd, capsys)
    assert words in err
    assert file.name in err


def test_values_that_are_not_finite(mine, crowd, truth, capsys):
    xy = truth[0].xy.copy()
    xy[0, 0] = np.nan
    write_predictions(mine / f"{truth[0].name}.npz", Predictions(xy, truth[0].joints, truth[0].vertices))
    assert "not finite" in refused(mine, crowd, capsys)


def test_arrays_of_no_people(mine, crowd, truth, capsys):
    np.savez(mine / f"{truth[0].name}.npz", joints2d=3.0, joints3d=truth[0].joints)
    assert "joints2d: expected (P, 17, 2), got ()" in refused(mine, crowd, capsys)


def test_two_files_for_a_picture(mine, crowd, truth, capsys):
    (mine / f"{truth[0].name}.json").write_text('{"people": []}')
    assert f"there is also {truth[0].name}.json" in refused(mine, crowd, capsys)


def test_a_picture_without_predictions(mine, crowd, truth, capsys):
    (mine / f"{truth[1].name}.npz").unlink()
    assert "the first is " + truth[1].name in refused(mine, crowd, capsys)


def test_no_set_and_no_folder(mine, crowd, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "no synthetic set" in refused(mine, tmp_path / "empty", capsys)
    assert "no such folder" in refused(tmp_path / "not there", crowd, capsys)


def test_a_damaged_record(mine, crowd, tmp_path, capsys):
    copy = tmp_path / "copy"
    (copy / "labels").mkdir(parents=True)
    for label in (crowd / "labels").glob("*.json"):
        record = json.loads(label.read_text())
        record["people"][0].pop("joints")
        (copy / "labels" / label.name).write_text(json.dumps(record))
    assert "its record is damaged" in refused(mine, copy, capsys)
