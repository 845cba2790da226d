"""Angle errors, coverage and bootstrap intervals against what is known of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.metrics import (
    angle_error,
    angle_rmse,
    bootstrap,
    calibration_curve,
    coverage,
    expected_calibration_error,
    interval_factor,
    paired_difference,
    rotation_error,
    wrap,
)

angles = st.floats(-20, 20)


@given(angles, angles, st.integers(-3, 3))
@settings(max_examples=50, deadline=None)
def test_angle_error_is_the_short_way_round(a, b, turns):
    error = float(angle_error(a, b))
    assert -np.pi <= error < np.pi
    assert np.cos(error) == pytest.approx(np.cos(a - b), abs=1e-9)
    assert np.sin(error) == pytest.approx(np.sin(a - b), abs=1e-9)
    assert np.cos(float(wrap(a + turns * 2 * np.pi))) == pytest.approx(np.cos(a), abs=1e-9)


def test_angle_rmse_over_frames():
    truth = np.zeros((4, 2))
    predicted = np.column_stack([np.full(4, 0.1), np.full(4, 2 * np.pi - 0.2)])
    np.testing.assert_allclose(angle_rmse(predicted, truth), [0.1, 0.2])
    with pytest.raises(InputError, match="one shape"):
        angle_rmse(predicted, truth[:3])


@given(st.floats(0, np.pi), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_rotation_error_is_the_angle_between(angle, seed):
    axis = np.random.default_rng(seed).normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    R = np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    assert float(rotation_error(R, np.eye(3))) == pytest.approx(angle, abs=1e-7)
    assert float(rotation_error(R @ R, R)) == pytest.approx(angle, abs=1e-7)


@given(st.floats(0.2, 5), st.sampled_from([0.5, 0.8, 0.95]), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_interval_factor_mends_coverage(true_factor, level, seed):
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.5, 2, 4000)
    error = rng.normal(0, sd * true_factor)
    factor = interval_factor(error, sd, level)
    assert factor == pytest.approx(true_factor, rel=0.1)
    assert coverage(error, factor * sd, level) == pytest.approx(level, abs=0.001)


def test_coverage_of_right_and_wrong_intervals():
    rng = np.random.default_rng(0)
    error = rng.normal(0, 1, 20_000)
    np.testing.assert_allclose(calibration_curve(error, 1.0), [0.5, 0.8, 0.95], atol=0.01)
    assert expected_calibration_error(error, 1.0) < 0.01
    assert expected_calibration_error(error, 0.3) > 0.2
    assert coverage(error, 0.5) == pytest.approx(0.673, abs=0.01)  # P(|z| < 0.98)


@pytest.mark.parametrize(
    ("error", "sd", "match"),
    [([], 1.0, "at least one"), ([np.nan], 1.0, "finite"), ([1.0], 0.0, "sd > 0"), ([1.0, 2.0], [1.0] * 3, "fit")],
)
def test_coverage_refuses(error, sd, match):
    with pytest.raises(InputError, match=match):
        coverage(error, sd)


def test_level_is_a_share():
    with pytest.raises(InputError, match="share"):
        coverage([1.0], 1.0, level=95)


def test_cluster_interval_covers_the_truth_where_the_naive_one_fails():
    """200 worlds of 12 clips with an offset each: the cluster interval holds the true mean about 9 times in 10."""
    rng = np.random.default_rng(1)
    inside, naive_inside = 0, 0
    for world in range(200):
        clip = np.repeat(np.arange(12), 40)
        values = rng.normal(0, 1, 12)[clip] + rng.normal(0, 0.3, clip.size)
        interval = bootstrap(values, clip, resamples=300, seed=world)
        inside += interval.low <= 0 <= interval.high
        half = 1.96 * values.std() / np.sqrt(values.size)
        naive_inside += abs(values.mean()) <= half
    assert inside / 200 > 0.82
    assert naive_inside / 200 < 0.5


def test_bootstrap_is_repeatable_and_takes_any_statistic():
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(3, 1, 100), np.repeat(list("abcde"), 20)
    mean = bootstrap(values, clusters, resamples=200)
    assert mean == bootstrap(values, clusters, resamples=200)
    again = bootstrap(values, clusters, statistic=np.mean, resamples=200)
    np.testing.assert_allclose([mean.low, mean.high, mean.estimate], [again.low, again.high, again.estimate])
    median = bootstrap(values, clusters, statistic=np.median, resamples=200)
    assert median.estimate == np.median(values)
    assert median.low < median.estimate < median.high
    assert median.clusters == 5


def test_pairing_finds_a_difference_smaller_than_the_spread():
    rng = np.random.default_rng(3)
    clip = np.repeat(np.arange(10), 20)
    hard = rng.normal(0, 5, 10)[clip]
    first, second = hard + rng.normal(0.2, 0.1, 200), hard + rng.normal(0, 0.1, 200)
    difference = paired_difference(first, second, clip)
    assert difference.low > 0
    assert difference.estimate == pytest.approx(0.2, abs=0.03)
    assert bootstrap(first, clip).low < bootstrap(second, clip).high


def test_bootstrap_refuses():
    with pytest.raises(InputError, match="2 clusters"):
        bootstrap([1.0, 2.0], ["a", "a"])
    with pytest.raises(InputError, match="NaN"):
        bootstrap([1.0, np.nan], ["a", "b"])
    with pytest.raises(InputError, match="label"):
        bootstrap([1.0, 2.0], ["a"])
    with pytest.raises(InputError, match="one value of each"):
        paired_difference([1.0, 2.0], [1.0], ["a", "b"])
