"""What a second estimate can add, where it is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.bench.second_opinion import best_mean, likeness, were_they_independent
from marrow.errors import InputError

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.normal(size=(2, 4000, 5, 3))


def test_independent_errors_of_one_size_are_averaged():
    error, weight = best_mean(ONE, OTHER)
    assert abs(weight - 0.5) < 0.03
    assert abs(error / np.linalg.norm(ONE, axis=-1).mean() - np.sqrt(0.5)) < 0.01
    assert abs(likeness(ONE, OTHER)) < 0.02


def test_a_worse_one_counts_by_its_variance():
    error, weight = best_mean(ONE, 2 * OTHER)
    assert abs(weight - 0.2) < 0.03
    assert abs(error / np.linalg.norm(ONE, axis=-1).mean() - np.sqrt(0.8)) < 0.01


def test_the_same_errors_bring_nothing():
    assert likeness(ONE, 3 * ONE) == pytest.approx(1.0)
    assert best_mean(ONE, 3 * ONE) == (pytest.approx(np.linalg.norm(ONE, axis=-1).mean()), 0.0)
    error, _ = were_they_independent(ONE, ONE)  # as large, but of other rows
    assert abs(error / np.linalg.norm(ONE, axis=-1).mean() - np.sqrt(0.5)) < 0.01


def test_rows_without_an_answer_are_left_out_and_others_refused():
    gone = OTHER.copy()
    gone[::2] = np.nan
    assert best_mean(ONE, gone) == best_mean(ONE[1::2], OTHER[1::2])
    with pytest.raises(InputError, match="no row"):
        likeness(ONE, np.full_like(ONE, np.nan))
    with pytest.raises(InputError, match="same joints"):
        likeness(ONE, OTHER[:, :4])
