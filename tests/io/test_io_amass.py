"""Files of AMASS: what is written comes back, turned worlds agree, and what does not fit is told."""

from __future__ import annotations

import numpy as np
import pytest

from broken_files import break_compressed
from marrow.errors import InputError
from marrow.geometry.rotations import exp
from marrow.io.amass import JOINTS, SmplMotion, is_amass, read_amass, write_amass
from marrow.io.markers import upright


def motion(family: str = "smplh", frames: int = 7) -> SmplMotion:
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.5, (frames, JOINTS[family], 3))
    trans, betas = rng.normal(0, 1, (frames, 3)), rng.normal(0, 1, 16)
    return SmplMotion("walk", family, "male", betas, poses, trans, np.arange(frames) / 120)


@pytest.mark.parametrize("family", list(JOINTS))
def test_there_and_back(family, tmp_path):
    path = tmp_path / "walk.npz"
    write_amass(path, motion(family))
    assert is_amass(path)
    found = read_amass(path)
    assert (found.name, found.family, found.gender) == ("walk", family, "male")
    for name in ("betas", "poses", "trans", "time"):
        np.testing.assert_allclose(getattr(found, name), getattr(motion(family), name), atol=1e-12)
    with np.load(path) as file:
        assert file["poses"].shape == (7, 3 * JOINTS[family])
        assert float(file["mocap_frame_rate" if family == "smplx" else "mocap_framerate"]) == 120


def test_a_turned_world_turns_about_the_pelvis():
    """A point that the root carries lies where the turned world has it."""
    pelvis, point, own = np.array([0.01, -0.24, 0.03]), np.array([0.2, 0.5, -0.1]), motion()
    A = upright("z") @ exp([0.1, 0.2, 0.3])

    def placed(m: SmplMotion) -> np.ndarray:
        return exp(m.poses[:, 0]) @ (point - pelvis) + pelvis + m.trans

    turned = own.turned(A, pelvis)
    np.testing.assert_allclose(placed(turned), placed(own) @ A.T, atol=1e-12)
    np.testing.assert_array_equal(turned.poses[:, 1:], own.poses[:, 1:])
    assert np.linalg.norm(own.trans @ A.T - turned.trans, axis=1).min() > 0.1, "the pivot matters"


def test_the_gender_is_read_however_it_is_kept(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"poses": np.zeros((2, 156)), "trans": np.zeros((2, 3)), "betas": np.zeros((1, 16)), "mocap_framerate": 60}
    for gender, expected in ((b"female", "female"), ("Male", "male"), (np.array(["neutral"], object), ""), (3, "")):
        np.savez(path, gender=gender, **arrays)
        assert read_amass(path).gender == expected
    assert read_amass(path).betas.shape == (16,)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"poses": np.zeros((2, 63))}, r"72 \(smpl\), 156 \(smplh\), 165 \(smplx\); got \(2, 63\)"),
        ({"poses": np.zeros((0, 156))}, "'poses' must be"),
        ({"poses": np.full((2, 156), np.nan)}, "'poses' holds NaN"),
        ({"poses": np.full((2, 156), 90.0)}, "'poses' reaches 90; expected radians, are these degrees"),
        ({"trans": None}, "'trans' is missing"),
        ({"trans": np.zeros((3, 3))}, r"'trans' must be \(2, 3\)"),
        ({"betas": np.zeros((2, 16))}, r"'betas' must be \(S,\)"),
        ({"betas": np.array(["a"])}, "'betas' must be numbers"),
        ({"betas": None}, "'betas' is missing"),
        ({"mocap_framerate": None}, "frames per second in 'mocap_framerate'"),
        ({"mocap_framerate": -1.0}, "frames per second"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, changed, message):
    path = tmp_path / "a.npz"
    arrays = {
        "poses": np.zeros((2, 156)), "trans": np.zeros((2, 3)), "betas": np.zeros(16), "gender": "male",
        "mocap_framerate": 60.0,
    } | changed  # fmt: skip
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    assert is_amass(path)
    with pytest.raises(InputError, match=message):
        read_amass(path)


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "a.npz"
    write_amass(path, motion())
    break_compressed(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_amass(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pose_body": np.zeros((6, 63))}, r"'pose_body' must have a row for each of 'poses' \(7\)"),
        ({"poses": np.zeros(())}, "'poses' must be"),
    ],
)
def test_parts_of_a_pose_that_do_not_fit_are_told(tmp_path, changed, message):
    path = tmp_path / "a.npz"
    write_amass(path, motion("smplx"))
    with np.load(path) as file:
        np.savez(path, **dict(file) | changed)
    with pytest.raises(InputError, match=message):
        read_amass(path)


def test_other_files_are_none(tmp_path):
    np.savez(tmp_path / "a.npz", q=np.zeros(3))
    (tmp_path / "b.npz").write_bytes(b"PK")
    np.save(tmp_path / "c.npy", np.zeros(3))
    (tmp_path / "c.npy").rename(tmp_path / "c.npz")
    assert not any(is_amass(tmp_path / name) for name in ("a.npz", "b.npz", "c.npz", "missing.npz", "a.bvh"))
