"""Jitter and bone lengths against motions whose figures are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.metrics import bone_length_asymmetry, bone_length_variation, bone_lengths, jitter


def test_jitter_of_a_cubic_is_its_third_derivative():
    t = np.arange(20) / 30.0
    joints = np.zeros((20, 2, 3))
    joints[:, 0, 0] = 5 * t**3 + 2 * t**2 - t
    np.testing.assert_allclose(jitter(joints, 30.0), 30.0 / 2)  # 6 * 5, of one of two joints
    ok = np.ones(20, bool)
    ok[10] = False
    missing = np.isnan(jitter(joints, 30.0, valid_frames=ok))
    assert np.flatnonzero(missing).tolist() == [7, 8, 9, 10]


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_jitter_knows_nothing_of_place_speed_and_acceleration(seed):
    rng = np.random.default_rng(seed)
    joints, t = rng.normal(size=(12, 3, 3)), np.arange(12)[:, None, None]
    moved = joints + rng.normal(size=3) + t * rng.normal(size=3) + t**2 * rng.normal(size=3)
    np.testing.assert_allclose(jitter(moved, 50.0), jitter(joints, 50.0), rtol=1e-6)


def test_bones_by_hand():
    joints = np.zeros((4, 5, 3))
    joints[:, 1, 1], joints[:, 2, 1] = 0.4, [0.4, 0.4, 0.44, 0.44]
    joints[:, 3, 0], joints[:, 4, 0] = 0.3, -0.2
    np.testing.assert_allclose(bone_lengths(joints, [(0, 1), (0, 3)]), [[0.4, 0.3]] * 4)
    np.testing.assert_allclose(bone_length_variation(joints, [(0, 1), (0, 2)]), [0, 0.02 / 0.42], atol=1e-12)
    np.testing.assert_allclose(bone_length_asymmetry(joints, [(0, 3)], [(0, 4)]), [[0.4]] * 4)
    joints[1, 1] = np.nan
    assert bone_length_variation(joints, [(0, 1)]) == pytest.approx([0.0])


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_rigid_body_in_motion_keeps_its_bones(seed):
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(6, 3))
    turns = np.linalg.qr(rng.normal(size=(9, 3, 3)))[0]
    moving = pose @ turns + rng.normal(size=(9, 1, 3))
    bones = [(0, 1), (1, 2), (2, 5)]
    assert (bone_length_variation(moving, bones) < 1e-9).all()
    noisy = moving + rng.normal(0, 0.05, moving.shape)
    assert (bone_length_variation(noisy, bones) > 1e-3).all()


def test_motion_metrics_refuse():
    for wrong in (np.zeros((3, 2, 3)), np.zeros((9, 2))):
        with pytest.raises(InputError, match="jitter"):
            jitter(wrong, 30.0)
    with pytest.raises(InputError, match="pairs"):
        bone_lengths(np.zeros((2, 3, 3)), [(0, 3)])
    with pytest.raises(InputError, match="one motion"):
        bone_length_variation(np.zeros((2, 3)), [(0, 1)])
    with pytest.raises(InputError, match="both sides"):
        bone_length_asymmetry(np.zeros((4, 3)), [(0, 1)], [])
