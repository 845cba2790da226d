"""Uncertainties of positions: right ones are found right, wrong ones wrong, and orders are told apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from marrow.errors import InputError
from marrow.metrics import (
    ause,
    mahalanobis_squared,
    position_calibration_curve,
    position_calibration_error,
    position_coverage,
    position_nll,
    rank_correlation,
)


def drawn(seed: int, count: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N, 3) and the covariances (N, 3, 3) that they were drawn from."""
    rng = np.random.default_rng(seed)
    root = 0.02 * np.tril(rng.normal(size=(count, 3, 3)))
    root[:, range(3), range(3)] = rng.uniform(0.01, 0.05, (count, 3))
    return (root @ rng.normal(size=(count, 3, 1)))[..., 0], root @ np.swapaxes(root, -1, -2)


def test_true_covariances_are_found_calibrated_and_wrong_ones_not():
    error, covariance = drawn(0)
    np.testing.assert_allclose(position_calibration_curve(error, covariance), [0.5, 0.8, 0.95], atol=0.02)
    assert position_calibration_error(error, covariance) < 0.01
    assert position_calibration_error(error, covariance / 9) > 0.2
    assert position_coverage(error, 4 * covariance) > 0.99
    # intervals by the axis, which hold 95 % each, do not hold 95 % together: the ellipsoid does
    sd = 0.03
    ball = sd * np.random.default_rng(1).normal(size=(6000, 3))
    assert position_coverage(ball, sd) == pytest.approx(0.95, abs=0.01)
    assert (np.abs(ball) < 1.96 * sd).all(-1).mean() < 0.88


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_likelihoods_and_lengths(seed):
    error, covariance = drawn(seed, 4)
    expected = [-multivariate_normal(np.zeros(3), S).logpdf(e) for e, S in zip(error, covariance, strict=True)]
    np.testing.assert_allclose(position_nll(error, covariance), expected)
    lengths = [e @ np.linalg.inv(S) @ e for e, S in zip(error, covariance, strict=True)]
    np.testing.assert_allclose(mahalanobis_squared(error, covariance), lengths, rtol=1e-6)
    # neither depends on the axes, and the right covariance is the likeliest
    R = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    np.testing.assert_allclose(mahalanobis_squared(error @ R.T, R @ covariance @ R.T), lengths, rtol=1e-6)
    many, true = drawn(seed, 2000)
    assert position_nll(many, true).mean() < min(position_nll(many, f * true).mean() for f in (0.6, 1.6))


def test_one_deviation_for_all_axes():
    error = np.random.default_rng(0).normal(size=(3, 3, 3))
    sd = np.full((3, 3), 2.0)  # nine deviations, not a covariance
    np.testing.assert_allclose(mahalanobis_squared(error, sd), np.square(error).sum(-1) / 4)
    np.testing.assert_allclose(mahalanobis_squared(error, 2.0), np.square(error).sum(-1) / 4)
    np.testing.assert_allclose(mahalanobis_squared(error[0, 0], 4 * np.eye(3)), np.square(error[0, 0]).sum() / 4)


def test_orders():
    rng = np.random.default_rng(2)
    error = rng.exponential(size=3000)
    assert rank_correlation(error**3, error) == pytest.approx(1.0)
    assert rank_correlation(-error, error) == pytest.approx(-1.0)
    assert abs(rank_correlation(rng.normal(size=3000), error)) < 0.06
    assert ause(error**3, error) == pytest.approx(0.0, abs=1e-12)
    by_chance, none, useful = (
        ause(rng.normal(size=3000), error),
        ause(np.ones(3000), error),
        ause(error + rng.normal(0, 0.5, 3000), error),
    )
    assert by_chance == pytest.approx(none, abs=0.05)
    assert 0 < useful < 0.6 * none
    assert ause(-error, error) > none
    # worked by hand: errors 1, 2, 3; all of them have mean 2, without the worst 1.5, without both 1
    assert ause([1, 1, 1], [1, 2, 3]) == pytest.approx(np.mean([0, 0.5, 1]) / 2)


@given(st.integers(0, 1000), st.floats(0.1, 10))
@settings(max_examples=15, deadline=None)
def test_orders_know_no_unit(seed, unit):
    rng = np.random.default_rng(seed)
    error, doubt = rng.exponential(size=(2, 40))
    assert ause(doubt, unit * error) == pytest.approx(ause(doubt, error))
    assert ause(np.log(doubt), error) == pytest.approx(ause(doubt, error))
    assert ause(doubt, error) >= -1e-12


def test_uncertainties_refuse():
    one = np.ones((2, 3))
    for error, covariance, text in (
        (np.ones((2, 2)), 1.0, "errors"),
        (np.zeros((0, 3)), 1.0, "errors"),
        (one, np.ones(5), "covariances"),
        (one, -np.eye(3), "positive definite"),
        (one, 0.0, "positive definite"),
        (one * np.nan, 1.0, "finite"),
    ):
        with pytest.raises(InputError, match=text):
            position_nll(error, covariance)
    with pytest.raises(InputError, match="shares"):
        position_coverage(one, 1.0, 95)
    for doubt, error in (([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [-1.0, 2.0])):
        with pytest.raises(InputError, match="expected"):
            ause(doubt, error)
    with pytest.raises(InputError, match="all errors are 0"):
        ause([1.0, 2.0], [0.0, 0.0])
