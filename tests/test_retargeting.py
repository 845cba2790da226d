"""``marrow.retarget`` and the files of AMASS: out to a model of the user's, and in again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import marrow
from marrow.bench.twin import clip_of
from marrow.body.shelf import add_model
from marrow.cli import main
from marrow.conversion import Converted
from marrow.errors import InputError
from marrow.fit.smpl import Retargeted
from marrow.io.amass import read_amass
from marrow.io.npz import read_motion, write_motion
from marrow.types import Motion


@pytest.fixture(scope="module")
def motion() -> Motion:
    """Walking, somewhere in the room."""
    clip = clip_of("02_01", frames=12, shape={"height": 0.45})
    return Motion(clip.time, clip.coordinates, clip.q, clip.translation + [0.4, 0.0, -1.5], clip.shape)


@pytest.fixture(scope="module")
def there(motion, twin_body) -> Retargeted:
    found = marrow.retarget(motion, to=twin_body)
    assert isinstance(found, Retargeted)
    return found


@pytest.fixture
def shelf(twin_file, twin_body, tmp_path, monkeypatch):
    """The user's models, the twin among them; ``twin_body`` keeps its registration."""
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("MARROW_DEBUG", raising=False)
    add_model(twin_file)
    return tmp_path


def same(found: Motion, motion: Motion) -> None:
    np.testing.assert_allclose(found.translation, motion.translation, atol=0.01)
    for name in ("knee_angle_r", "hip_flexion_l", "pelvis_rotation", "elbow_flex_r"):
        i = motion.coordinates.index(name)
        assert np.degrees(np.median(np.abs(found.q[:, i] - motion.q[:, i]))) < 3, name


def test_the_skin_is_where_it_was(there, motion, twin_body):
    assert 1000 * there.residual[:, 0].mean() < 4
    mesh = twin_body.pose(twin_body.rest(there.betas), there.poses, there.trans)
    ours = marrow.load_body("default")
    own = ours.pose(ours.rest(motion.shape), motion, outputs=("vertices",)).vertices
    for at in (np.min, np.max):
        np.testing.assert_allclose(at(mesh.vertices, axis=1), at(own, axis=1), atol=0.03)


def test_skins_far_apart_are_told(there):
    assert there.warnings == ()
    far = dataclasses.replace(there, residual=there.residual + 0.03)
    assert "mm apart on average" in far.warnings[0]


@pytest.mark.parametrize("up", ["z", "y"])
def test_a_file_in_either_axes_gives_the_motion_back(there, motion, shelf, up):
    path = shelf / "walk.npz"
    there.save(path, up=up)
    kept = read_amass(path)
    assert kept.gender == "neutral"
    height = {"z": 2, "y": 1}[up]
    assert np.ptp(kept.trans[:, height]) < 0.1, "walking is level"
    found = marrow.convert(path, up=None if up == "z" else "y")
    same(found.motion, motion)
    assert found.warnings == ("smpl-neutral does not bend its fingers: they stay relaxed",)
    assert found.summary()["residual median, 95 % (mm)"][0] < 5
    np.testing.assert_allclose(found.motion.time, motion.time, atol=1e-9)


def test_a_wrong_axis_is_noticed(there, shelf):
    there.save(shelf / "walk.npz")
    assert "Try --up z" in marrow.convert(shelf / "walk.npz", up="y").warnings[-1]


def test_back_in_memory(there, motion, twin_body):
    back = marrow.retarget(there, to="default")  # by the body it was made with, which is kept under no name
    assert isinstance(back, Converted)
    same(back.motion, motion)
    given = marrow.retarget(there.motion, to="default", body=twin_body)
    np.testing.assert_array_equal(given.motion.q, back.motion.q)


def test_what_makes_no_sense_is_refused(there, motion, twin_body, tmp_path):
    with pytest.raises(InputError, match="of marrow's body already"):
        marrow.retarget(motion, to="default")
    with pytest.raises(InputError, match="says which body of SMPL's family a motion is of"):
        marrow.retarget(motion, to=twin_body, body=twin_body)  # type: ignore[call-overload]
    with pytest.raises(InputError, match=r"got str; read a file first: marrow\.convert\(PATH\)"):
        marrow.retarget("walk.bvh", to=twin_body)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="there is no model 'smpl-female'"):
        marrow.retarget(motion, to="smpl-female")
    with pytest.raises(InputError, match=r"is written as \.npz"):
        there.save(tmp_path / "walk.bvh")
    with pytest.raises(InputError, match="up: expected y or z"):
        there.save(tmp_path / "walk.npz", up="x")
    empty = Motion(motion.time[:0], motion.coordinates, motion.q[:0], motion.translation[:0], motion.shape)
    with pytest.raises(InputError, match="expected frames"):
        marrow.retarget(empty, to=twin_body)


def test_more_shape_than_the_model_has_is_told(there, shelf):
    path = shelf / "walk.npz"
    there.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"betas": np.r_[arrays["betas"], np.ones(6)]})
    assert "6 shape coefficients more than smpl-neutral" in marrow.convert(path).warnings[0]


def test_the_verb_goes_both_ways(motion, shelf, capsys):
    write_motion(shelf / "motion.npz", motion)
    assert main(["convert", str(shelf / "motion.npz"), str(shelf / "smpl.npz"), "--to", "smpl-neutral"]) == 0
    assert "distance of the skins" in capsys.readouterr().out
    words = ["convert", str(shelf / "smpl.npz"), str(shelf / "back.npz"), str(shelf / "back.csv")]
    assert main([*words, "--model", "smpl-neutral"]) == 0
    assert "they stay relaxed" in capsys.readouterr().out
    same(read_motion(shelf / "back.npz"), motion)
    assert (shelf / "back.csv").is_file()


def test_the_verb_tells_what_is_missing(there, shelf, capsys):
    def fails(*words: object) -> str:
        assert main(["convert", *map(str, words)]) == 2
        return capsys.readouterr().err

    there.save(shelf / "smpl.npz")
    assert "no model 'smpl-male'" in fails(shelf / "smpl.npz", shelf / "a.npz", "--model", "smpl-male")
    assert "written as .npz only" in fails(shelf / "smpl.npz", shelf / "a.npz", shelf / "a.glb", "--to", "smpl-neutral")
    assert "takes no --fps" in fails(shelf / "smpl.npz", shelf / "a.npz", "--fps", "30")
    assert "default: expected a model of SMPL's family" in fails(
        shelf / "smpl.npz", shelf / "a.npz", "--model", "default"
    )
    assert "takes no --model" in fails(shelf / "walk.bvh", shelf / "a.npz", "--model", "smpl-neutral")
    main(["models", "remove", "smpl-neutral"])
    assert "marrow models add PATH" in fails(shelf / "smpl.npz", shelf / "a.npz")
    assert not (shelf / "a.npz").exists()
