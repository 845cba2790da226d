"""``marrow measure --model``: coefficients, meshes and files of AMASS of a user's own body."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.measurements import Measurements, measurements_of
from marrow.body.shelf import add_model
from marrow.cli import main
from marrow.errors import InputError
from marrow.fit.smpl_measurements import smpl_figure
from marrow.io.amass import SmplMotion, write_amass
from marrow.io.meshes import write_obj

BETAS = np.r_[1.2, -0.5, np.zeros(8)]


@pytest.fixture(autouse=True)
def shelf(twin_file, twin_body, tmp_path, monkeypatch):
    """The user's models, the twin among them; ``twin_body`` keeps its registration."""
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("MARROW_DEBUG", raising=False)
    add_model(twin_file)
    return tmp_path


@pytest.fixture
def truth(twin_body) -> Measurements:
    return measurements_of(smpl_figure(twin_body, BETAS))


def motion(betas=BETAS) -> SmplMotion:
    return SmplMotion("walk", "smpl", "neutral", betas, np.zeros((2, 24, 3)), np.zeros((2, 3)), np.arange(2.0))


def measured(capsys, *words: object) -> dict:
    assert main(["measure", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def same(event: dict, truth: Measurements) -> None:
    values = {name: entry["value"] for name, entry in event["measurements"].items()}
    assert values.keys() == truth.keys()
    assert values["waist_girth"] == pytest.approx(100 * truth["waist_girth"], abs=0.1)
    assert values["stature"] == pytest.approx(100 * truth["stature"], abs=0.1)
    assert values["mass"] == pytest.approx(truth["mass"], rel=2e-3)


@pytest.mark.parametrize("words", [["1.2,-0.5"], ["1.2", "-0.5"], ["shape_0=1.2", "shape_1=-0.5"]])
def test_coefficients_in_their_order_or_by_name(words, truth, capsys):
    found = measured(capsys, "--model", "smpl-neutral", "--shape", *words)
    same(found, truth)
    assert list(found["shape"].values())[:2] == [1.2, -0.5]


def test_a_mesh_in_the_models_topology(truth, twin_body, shelf, capsys):
    x = twin_body.pose(twin_body.rest(BETAS), np.full((24, 3), 0.05)).vertices
    write_obj(shelf / "scan.obj", x, twin_body.faces)
    found = measured(capsys, shelf / "scan.obj", "--model", "smpl-neutral", "--out", shelf / "standing.obj")
    same(found, truth)
    assert found["shape"] is None
    same(measured(capsys, shelf / "standing.obj", "--model", "smpl-neutral"), truth)


def test_the_person_of_a_file_of_amass(truth, shelf, capsys):
    write_amass(shelf / "walk.npz", motion())
    same(measured(capsys, shelf / "walk.npz"), truth)
    write_amass(shelf / "more.npz", motion(np.r_[BETAS, np.ones(6)]))
    found = measured(capsys, shelf / "more.npz", "--model", "smpl-neutral")
    same(found, truth)
    assert "6 shape coefficients more than smpl-neutral" in found["remarks"][0]


def test_what_is_printed_gives_the_body_again(truth, capsys):
    assert main(["measure", "--model", "smpl-neutral", "--shape=1.2,-0.5"]) == 0
    words = capsys.readouterr().out.split("the body again: ")[1].splitlines()[0].split()
    same(measured(capsys, *words), truth)


def test_mistakes_are_told(shelf, twin_body, capsys):
    def fails(*words: object) -> str:
        assert main(["measure", *map(str, words)]) == InputError.exit_code
        return capsys.readouterr().err

    write_amass(shelf / "walk.npz", motion())
    write_obj(shelf / "ours.obj", load_body().rest().vertices, load_body().faces)
    write_obj(shelf / "theirs.obj", twin_body.rest().vertices, twin_body.faces)
    model = ("--model", "smpl-neutral")
    assert "there is no model 'smpl-male'" in fails("--model", "smpl-male")
    assert "expected a model of SMPL's family" in fails("--model", "default")
    assert "11 numbers; the model has 10" in fails(*model, "--shape=" + ",".join("1" * 11))
    assert "expected name=number" in fails(*model, "--shape=1.2;3")
    assert "shape_o" in fails(*model, "--shape", "shape_o=1")
    assert "--want: only for the default body" in fails(*model, "--want", "stature=170")
    assert "--bones: only for the default body" in fails(shelf / "walk.npz", "--bones", "femur=40")
    assert "tells the shape already" in fails(shelf / "walk.npz", "--shape=1")
    assert "leave out" in fails(shelf / "theirs.obj", *model, "--shape=1")
    assert "those of smpl-neutral" in fails(shelf / "ours.obj", *model)
    assert "those of the default body" in fails(shelf / "theirs.obj")
    assert "leave --model out" in fails(shelf / "person_1", *model)
