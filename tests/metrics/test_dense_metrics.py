"""Geodesic point similarity and its average precision."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.errors import InputError
from marrow.metrics.dense import average_precision, geodesic_point_similarity


def test_thirty_centimetres_are_half_similar() -> None:
    assert geodesic_point_similarity([0.3]) == pytest.approx(0.5, abs=2e-3)


def test_exact_is_one_and_unseen_is_nothing() -> None:
    assert geodesic_point_similarity([0.0, 0.0]) == 1.0
    assert geodesic_point_similarity([0.0, np.inf]) == 0.5


def test_precision_is_the_share_of_people_over_ten_thresholds() -> None:
    assert average_precision([1.0, 1.0]) == 1.0
    assert average_precision([0.5, 0.49]) == pytest.approx(0.05)
    assert average_precision([0.72]) == pytest.approx(0.5)


@pytest.mark.parametrize("distance", [[], [-0.1], [np.nan]])
def test_what_is_no_distance_is_refused(distance: list[float]) -> None:
    with pytest.raises(InputError):
        geodesic_point_similarity(distance)


def test_one_similarity_a_person() -> None:
    with pytest.raises(InputError):
        average_precision(np.ones((2, 3)))
