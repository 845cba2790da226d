"""MPJPE and its relatives: values worked by hand, invariances, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marrow.errors import InputError
from marrow.metrics import (
    absolute_mpjpe,
    acceleration_error,
    joint_errors,
    mpjpe,
    n_mpjpe,
    pa_mpjpe,
    pck3d,
    pck3d_auc,
    root_error,
    root_indices,
)

poses = arrays(np.float64, (4, 17, 3), elements=st.floats(-2, 2, width=32))


def spread_poses(seed: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, (count, 17, 3))


def similarity(seed: int) -> tuple[float, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return float(rng.uniform(0.5, 2)), q, rng.normal(size=3)


def test_values_worked_by_hand():
    truth = np.zeros((1, 2, 3))
    truth[0, 1] = [0, 1, 0]
    predicted = truth + [3, 0, 4]  # the whole pose is 5 m away
    predicted[0, 1] += [0, 0, 0.1]
    assert absolute_mpjpe(predicted, truth) == pytest.approx([(5 + np.hypot(3, 4.1)) / 2])
    assert mpjpe(predicted, truth, root=0) == pytest.approx([0.05])
    assert mpjpe(predicted, truth, root=[0, 1]) == pytest.approx([0.05])
    assert root_error(predicted, truth, root=0) == pytest.approx([5.0])
    # a pose twice as large is right up to scale
    assert n_mpjpe(2 * truth, truth, root=0) == pytest.approx([0.0])
    assert mpjpe(2 * truth, truth, root=0) == pytest.approx([0.5])


@given(poses, st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_invariances(truth, seed):
    predicted = truth + np.random.default_rng(seed).normal(0, 0.05, truth.shape)
    s, R, t = similarity(seed)
    moved = s * predicted @ R.T + t
    base = mpjpe(predicted, truth)
    np.testing.assert_allclose(mpjpe(predicted + t, truth - t), base, atol=1e-9)
    np.testing.assert_allclose(mpjpe(predicted @ R.T, truth @ R.T), base, atol=1e-9)
    np.testing.assert_allclose(n_mpjpe(s * predicted + t, truth), n_mpjpe(predicted, truth), atol=1e-9)
    assert np.all(n_mpjpe(predicted, truth) <= base * 2 + 1e-9)
    assert moved.shape == truth.shape
    assert np.all(mpjpe(truth, truth) == 0)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_pa_mpjpe_is_invariant_to_similarity_and_smallest(seed):
    truth = spread_poses(seed)
    predicted = truth + np.random.default_rng(seed + 1).normal(0, 0.05, truth.shape)
    s, R, t = similarity(seed + 2)
    base = pa_mpjpe(predicted, truth)
    np.testing.assert_allclose(pa_mpjpe(s * predicted @ R.T + t, truth), base, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(pa_mpjpe(s * truth @ R.T + t, truth), 0, atol=1e-8)
    assert np.all(base < absolute_mpjpe(predicted @ R.T + t, truth))


def test_pa_mpjpe_does_not_forgive_a_mirrored_pose():
    truth = spread_poses(5)
    assert np.all(pa_mpjpe(truth * [-1, 1, 1], truth) > 0.1)


def test_pa_mpjpe_without_scale_keeps_the_size_error():
    truth = spread_poses(6)
    assert np.all(pa_mpjpe(1.5 * truth, truth) < 1e-9)
    assert np.all(pa_mpjpe(1.5 * truth, truth, scale=False) > 0.05)


@pytest.mark.parametrize("metric", [mpjpe, absolute_mpjpe, n_mpjpe, pa_mpjpe])
def test_absent_joints_count_only_when_named(metric):
    truth = spread_poses(7)
    predicted = truth + np.random.default_rng(8).normal(0, 0.05, truth.shape)
    broken = predicted.copy()
    broken[1, 5] = np.nan
    valid = np.isfinite(broken).all(-1)
    assert np.isnan(metric(broken, truth)).tolist() == [False, True, False]
    got = metric(broken, truth, valid=valid)
    assert np.isfinite(got).all()
    keep = [j for j in range(17) if j != 5]
    np.testing.assert_allclose(got[1], metric(predicted[1:2, keep], truth[1:2, keep])[0], atol=1e-12)


def test_leading_dimensions_are_kept():
    truth = spread_poses(9, 12).reshape(2, 3, 2, 17, 3)
    for metric in (mpjpe, absolute_mpjpe, n_mpjpe, pa_mpjpe, root_error):
        assert metric(truth, truth).shape == (2, 3, 2)


def test_acceleration_error_of_a_known_curve():
    time = np.arange(30) / 30
    truth = np.zeros((30, 2, 3))
    predicted = truth.copy()
    predicted[:, :, 0] = 0.5 * 3.0 * time[:, None] ** 2  # 3 m/s² too much
    np.testing.assert_allclose(acceleration_error(predicted, truth, 30), 3.0, atol=1e-9)
    valid = np.ones(30, bool)
    valid[10] = False
    assert np.flatnonzero(np.isnan(acceleration_error(predicted, truth, 30, valid_frames=valid))).tolist() == [8, 9, 10]
    with pytest.raises(InputError, match="T >= 3"):
        acceleration_error(truth[:2], truth[:2], 30)


def test_joint_sets_are_checked():
    assert len(root_indices("h36m17")) == 1
    assert len(root_indices("coco17")) == 2
    pose = spread_poses(1)
    truth = pose[:, ::-1]
    hips = list(root_indices("coco17"))
    np.testing.assert_allclose(mpjpe(pose, truth, joint_set="coco17"), mpjpe(pose, truth, root=hips))
    with pytest.raises(InputError, match="coco17"):
        root_indices("coco_17")
    with pytest.raises(InputError, match="convert_joints"):
        mpjpe(pose, pose, joint_set="blazepose33")
    with pytest.raises(InputError, match="one shape"):
        mpjpe(pose, pose[:, :16])
    with pytest.raises(InputError, match="below 17"):
        mpjpe(pose, pose, root=17)
    with pytest.raises(InputError, match="valid"):
        mpjpe(pose, pose, valid=np.ones(5, bool))
    with pytest.raises(InputError, match="at least 3"):
        pa_mpjpe(pose, pose, valid=np.arange(17) < 2)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_errors_of_joints_have_mpjpe_as_their_mean(seed):
    truth, rng = spread_poses(seed), np.random.default_rng(seed)
    predicted = truth + rng.normal(0, 0.1, truth.shape)
    each = joint_errors(predicted, truth, root=[1, 2])
    assert each.shape == (3, 17)
    np.testing.assert_allclose(each.mean(-1), mpjpe(predicted, truth, root=[1, 2]))


def test_pck_by_hand():
    truth = np.zeros((1, 4, 3))
    predicted = truth.copy()
    predicted[0, 1:, 0] = [0.1, 0.149, 0.151]
    assert pck3d(predicted, truth) == pytest.approx([0.75])
    assert pck3d(predicted, truth, threshold=0.12) == pytest.approx([0.5])
    # of 31 thresholds in steps of 5 mm the joints are within 31, 11, 1 and 0
    assert pck3d_auc(predicted, truth) == pytest.approx([(31 + 11 + 1) / (4 * 31)])
    assert pck3d(predicted, truth, valid=[[True, False, False, True]]) == pytest.approx([0.5])
    assert np.isnan(pck3d(predicted, truth, valid=[[False] * 4]))
    predicted[0, 2] = np.nan
    assert np.isnan(pck3d(predicted, truth)), "nothing is skipped silently"
    assert pck3d(predicted, truth, valid=[[True, True, False, True]]) == pytest.approx([2 / 3])


@given(st.integers(0, 10_000), st.floats(0.01, 0.4))
@settings(max_examples=25, deadline=None)
def test_pck_grows_with_the_threshold_and_its_area_lies_below(seed, noise):
    truth = spread_poses(seed)
    predicted = truth + np.random.default_rng(seed).normal(0, noise, truth.shape)
    shares = [pck3d(predicted, truth, threshold=t) for t in (0.05, 0.1, 0.15)]
    assert (shares[0] <= shares[1]).all()
    assert (shares[1] <= shares[2]).all()
    assert (pck3d_auc(predicted, truth) <= shares[2]).all()
    np.testing.assert_array_equal(pck3d_auc(truth, truth), 1.0)
