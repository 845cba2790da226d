"""Figures of several hypotheses: their number always told, their order of no account."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.metrics import best_by_count, best_of_m, diversity


def test_aggregators_by_hand():
    values = np.array([[3.0, 1.0, 8.0], [2.0, 2.0, 5.0]])
    for name, expected in (
        ("best", [1, 2]),
        ("mean", [4, 3]),
        ("median", [3, 2]),
        ("first", [3, 2]),
        ("worst", [8, 5]),
    ):
        found = best_of_m(values, name)
        np.testing.assert_allclose(found.values, expected)
        assert (found.m, found.aggregator) == (3, name)
    assert str(best_of_m(values)) == "1.5 (best of 3)"
    np.testing.assert_allclose(best_of_m(values, better="higher").values, [8, 5])
    np.testing.assert_allclose(best_of_m(values, "worst", better="higher").values, [1, 2])


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_the_expected_best_is_that_of_all_subsets(seed, m):
    values = np.random.default_rng(seed).normal(size=m)
    for better, best in (("lower", min), ("higher", max)):
        curve = best_by_count(values, better=better)
        expected = [np.mean([best(c) for c in itertools.combinations(values, k)]) for k in range(1, m + 1)]
        np.testing.assert_allclose(curve, expected, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_more_hypotheses_are_never_worse_and_their_order_is_of_no_account(seed):
    rng = np.random.default_rng(seed)
    values = rng.exponential(size=(5, 8))
    curve = best_by_count(values)
    assert (np.diff(curve, axis=-1) <= 1e-12).all()
    np.testing.assert_allclose(curve[:, 0], best_of_m(values, "mean").values)
    np.testing.assert_allclose(curve[:, -1], best_of_m(values).values)
    np.testing.assert_allclose(best_by_count(rng.permuted(values, axis=-1)), curve)


def test_diversity():
    joints = np.zeros((2, 3, 4, 3))
    assert diversity(joints) == pytest.approx([0, 0])
    joints[0, 2, :, 0] = 0.3  # of three pairs two are 0.3 apart
    assert diversity(joints) == pytest.approx([0.2, 0])


def test_hypotheses_refuse():
    with pytest.raises(InputError, match="at least one hypothesis"):
        best_of_m(np.zeros((3, 0)))
    with pytest.raises(InputError, match="best, mean, median, first, worst"):
        best_of_m([1.0], "oracle")
    with pytest.raises(InputError, match="'lower' or 'higher'"):
        best_by_count([1.0], better="small")
    with pytest.raises(InputError, match="m >= 2"):
        diversity(np.zeros((1, 4, 3)))
