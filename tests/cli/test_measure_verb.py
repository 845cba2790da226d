"""``marrow measure``: bodies from options, motions and meshes; tables and files; mistakes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.measurements import DEFINITIONS, measure
from marrow.cli import main
from marrow.errors import InputError
from marrow.io.npz import write_motion
from marrow.skeleton import Skeleton
from marrow.types import Motion

SHAPE = {"gender": 1.0, "weight": 0.6, "log_bone_femur_r": 0.03}


def values(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert event["event"] == "measurements"
    return {name: entry["value"] for name, entry in event["measurements"].items()}


@pytest.fixture
def person(tmp_path):
    folder = tmp_path / "walk" / "person_1"
    folder.mkdir(parents=True)
    names = Skeleton.inside(load_body().rest(SHAPE).landmarks).coordinates
    write_motion(folder / "motion.npz", Motion(np.zeros(1), names, np.zeros((1, len(names))), np.zeros((1, 3)), SHAPE))
    return folder


def test_a_motion_its_folder_and_its_capture_are_measured(person, capsys):
    truth = measure(load_body().rest(SHAPE))
    for source in (person / "motion.npz", person, person.parent):
        assert main(["measure", str(source), "--json"]) == 0
        found = values(capsys)
        assert found["stature"] == pytest.approx(100 * truth["stature"])
        assert found["femur_length"] == pytest.approx(100 * truth["femur_length"])
        assert found["volume"] == pytest.approx(1000 * truth["volume"])


def test_the_table_names_every_measurement_and_the_body_comes_back(capsys, tmp_path):
    table, mesh = tmp_path / "t.csv", tmp_path / "body.obj"
    words = ["--want", "stature=165", "waist=75", "--shape", "gender=1", "--out", str(table), str(mesh)]
    assert main(["measure", *words]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in DEFINITIONS)
    with table.open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows.keys() == DEFINITIONS.keys()
    assert float(rows["stature"]["value"]) == pytest.approx(165, abs=0.1)
    assert float(rows["waist_girth"]["value"]) == pytest.approx(75, abs=0.3)
    assert rows["waist_girth"]["unit"] == "cm"
    # The mesh measures the same, and so does the shape that was printed.
    assert main(["measure", str(mesh), "--json"]) == 0
    assert values(capsys)["waist_girth"] == pytest.approx(float(rows["waist_girth"]["value"]), abs=0.02)
    shape = out.split("--shape ")[1].splitlines()[0].split()
    assert main(["measure", "--shape", *shape, "--json"]) == 0
    assert values(capsys)["waist_girth"] == pytest.approx(float(rows["waist_girth"]["value"]), abs=0.05)


def test_bones_are_given_in_centimetres(capsys):
    assert main(["measure", "--bones", "femur=44", "tibia_l=37", "--json"]) == 0
    assert values(capsys)["femur_length"] == pytest.approx(44.0, abs=1e-4)
    assert main(["measure", "--bones", "femur=44", "tibia_l=37", "--side", "l", "--json"]) == 0
    assert values(capsys)["tibia_length"] == pytest.approx(37.0, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        ("--want wast=80", "did you mean waist_girth"),
        ("--want stature", "expected name=number"),
        ("--shape gender=1 gender=0", "gender is given twice"),
        ("--want waist=20 stature=170", "no body has these measurements together"),
        ("--shape gendr=1", "gender"),
        ("--want stature=1.70 waist=0.82", "stature: 1.7 cm is no person's; give it in cm, such as 170"),
        ("--want waist=820", "waist_girth: 820 cm is no person's; give it in cm, such as 82"),
        ("--want stature=-170", "expected a number above 0 (cm), got -170"),
        ("--want waist=30 stature=170", "waist_girth 30 cm (nearest 4"),
        ("--want stature=170 mass=700", "mass 700 kg (nearest"),
        ("--want volume=0.07", "volume 0.07 l (nearest"),
        ("--want stature=170 stature=180", "stature is given twice"),
        ("--want waist=80 waist_girth=90", "waist_girth is given twice"),
        ("--want waist=82cm", "such as stature=170 waist=82; got 'waist=82cm'"),
        ("--want waist=inf", "expected a finite number, got inf"),
        ("--shape age=30", "--shape age=30: expected -0.333 to 1 (-1/3 newborn"),
        ("--bones femur=440", "27.1 to 60.3 cm; its own is 40.4 cm"),
        ("--bones femur=0.44", "femur_r of 0.44 cm (hip to knee) is outside"),
        ("--side left", "expected r or l"),
        ("--out body.stl", ".csv (the table) or .obj"),
        ("no_such_folder", "no such file"),
        ("clip.bvh", "no such file"),
    ],
)
def test_mistakes_are_told(words, needle, capsys):
    assert main(["measure", *words.split()]) == InputError.exit_code
    assert needle in capsys.readouterr().err


def test_a_source_and_a_wish_do_not_go_together(person, capsys, tmp_path):
    assert main(["measure", str(person), "--want", "stature=170"]) == InputError.exit_code
    assert "tells the shape already" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("")
    assert main(["measure", "--out", str(tmp_path / "t.csv")]) != 0
    assert "--force" in capsys.readouterr().err
    other = person.parent / "person_2"
    other.mkdir()
    (other / "motion.npz").write_bytes((person / "motion.npz").read_bytes())
    assert main(["measure", str(person.parent)]) == InputError.exit_code
    assert "2 people; say whom" in capsys.readouterr().err


def test_another_motion_is_to_be_converted_first(capsys, tmp_path):
    clip = tmp_path / "walk.bvh"
    clip.write_text("HIERARCHY")
    assert main(["measure", str(clip)]) == InputError.exit_code
    assert f"marrow convert {clip} motion.npz" in capsys.readouterr().err
