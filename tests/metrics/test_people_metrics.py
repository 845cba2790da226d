"""Several people in a picture: who is who, and errors that count those who were missed."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.errors import InputError
from marrow.metrics.people import Scores, finding, match_people, score_people, sums

RNG = np.random.default_rng(4)
FIGURE = RNG.uniform(0, 1, (17, 2)) * [40, 100]


def crowd(*at: float) -> np.ndarray:
    """People (G, 17, 2) side by side."""
    return np.stack([FIGURE + [x, 0.0] for x in at]) if at else np.zeros((0, 17, 2))


def bodies(count: int, vertices: int = 30) -> tuple[np.ndarray, np.ndarray]:
    return RNG.normal(size=(count, 17, 3)), RNG.normal(size=(count, vertices, 3))


def test_everybody_is_matched_with_themselves_in_any_order():
    truth = crowd(0, 60, 200)
    matches = match_people(truth[[2, 0, 1]] + 1.0, truth)
    assert sorted(map(tuple, matches.pairs.tolist())) == [(0, 2), (1, 0), (2, 1)]
    assert not len(matches.missed)
    assert not len(matches.false)


def test_the_nearest_pair_goes_first():
    """Greedy, as AGORA is: the second prediction is nearer to the first person, and the other gets what is left."""
    matches = match_people(crowd(-8, 1), crowd(0, 12))
    assert (1, 0) in map(tuple, matches.pairs.tolist())


def test_who_is_far_away_is_not_matched():
    matches = match_people(crowd(500), crowd(0))
    assert matches.missed.tolist() == [0]
    assert matches.false.tolist() == [0]


def test_boxes_that_hardly_overlap_do_not_match():
    width = np.ptp(FIGURE[:, 0])
    assert len(match_people(crowd(0.7 * width), crowd(0)).pairs) == 1
    assert len(match_people(crowd(0.9 * width), crowd(0)).pairs) == 0


def test_the_hidden_count_neither_way():
    truth = crowd(0, 60, 200)
    matches = match_people(crowd(0, 60), truth, [0.2, 0.95, 0.95])
    assert matches.pairs.tolist() == [[0, 0]]
    assert matches.ignored.tolist() == [1]
    assert not len(matches.missed)
    assert not len(matches.false)


def test_joints_that_are_not_given_are_left_out():
    truth = crowd(0)
    truth[0, 3:] = np.nan
    assert len(match_people(crowd(1), truth).pairs) == 1


@pytest.mark.parametrize(
    ("predicted", "truth", "hidden", "words"),
    [
        (np.zeros((1, 16, 2)), crowd(0), None, "one joint set"),
        (np.full((1, 17, 2), np.nan), crowd(0), None, "finite"),
        (crowd(0), np.full((1, 17, 2), np.nan), None, "no joint"),
        (crowd(0), crowd(0), [0.1, 0.2], "hidden"),
    ],
)
def test_what_does_not_fit_is_told(predicted, truth, hidden, words):
    with pytest.raises(InputError, match=words):
        match_people(predicted, truth, hidden)


def test_f1_and_the_normalised_error_by_hand():
    matches = [match_people(crowd(0, 500), crowd(0, 60)), match_people(crowd(0), crowd(0))]
    found = finding(matches, [0.1, 0.3])
    assert (found.found, found.missed, found.false) == (2, 1, 1)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert found.error == pytest.approx(0.2)
    assert found.normalised == pytest.approx(0.3)
    with pytest.raises(InputError, match="one for each pair"):
        finding(matches, [0.1])


def test_nobody_found_is_infinitely_bad():
    found = finding([match_people(crowd(), crowd(0))], [])
    assert found.normalised == float("inf")
    assert np.isnan(found.error)


def scores(leave_out: int = 0, invent: int = 0, error: float = 0.0) -> Scores:
    """Of three pictures with three people; from the first some are left out, to it some are added."""
    truth, predicted = [], []
    for k in range(3):
        xy, (joints, skin) = crowd(0, 60, 120), bodies(3)
        truth.append((xy, joints, skin))
        kept = slice(leave_out if k == 0 else 0, None)
        more = invent if k == 0 else 0
        off = np.concatenate([np.zeros((1, 3)), np.full((16, 3), error / np.sqrt(3))])
        predicted.append(
            (
                np.concatenate([xy[kept], crowd(*range(1000, 1000 + 300 * more, 300))]),
                np.concatenate([joints[kept] + off + 5.0, np.zeros((more, 17, 3))]),
                np.concatenate([skin[kept] + 5.0 + error / np.sqrt(3), np.zeros((more, 30, 3))]),
            )
        )
    return score_people(predicted, truth, [np.zeros(3)] * 3)[0]


def test_perfect_predictions_wherever_they_stand():
    found = scores().finding()
    assert found.f1 == 1.0
    assert found.normalised == pytest.approx(0.0, abs=1e-12)
    assert scores().finding("mpjpe").normalised == pytest.approx(0.0, abs=1e-12)


def test_errors_are_means_of_distances():
    assert scores(error=0.1).finding().error == pytest.approx(0.1)
    assert scores(error=0.1).finding("mpjpe").error == pytest.approx(0.1 * 16 / 17)


def test_the_missed_raise_the_normalised_error_alone():
    every, some = scores(error=0.1).finding(), scores(leave_out=2, error=0.1).finding()
    assert some.error == pytest.approx(every.error)
    assert some.normalised == pytest.approx(0.1 * (7 + 1) / 7)
    assert some.normalised > every.normalised


def test_the_invented_raise_it_too():
    assert scores(invent=2, error=0.1).finding().normalised == pytest.approx(0.1 * (9 + 1) / 9)


def test_without_vertices_there_are_joints():
    xy, (joints, skin) = crowd(0), bodies(1)
    found = score_people([(xy, joints, None)], [(xy, joints, skin)], [np.zeros(1)])[0]
    assert np.isnan(found.finding().error)
    assert found.finding("mpjpe").error == 0.0


def test_pseudo_values_have_the_normalised_error_as_their_mean():
    rng = np.random.default_rng(0)
    found = rng.random(400) < 0.8
    error = np.where(found, rng.gamma(4, 0.02, 400), np.nan)
    many = Scores(np.repeat(np.arange(80), 5), error, error, found, rng.integers(0, 3, 80))
    values = many.pseudo_values()
    assert values.shape == (80,)
    assert values.mean() == pytest.approx(many.finding().normalised, rel=5e-3)
    # their spread is that of the figure over other pictures
    draws = [many.pictures(rng.integers(0, 80, 80)).finding().normalised for _ in range(600)]
    assert values.std() / np.sqrt(80) == pytest.approx(np.std(draws), rel=0.15)


def test_pseudo_values_need_people_in_two_pictures():
    with pytest.raises(InputError, match="at least 2 pictures"):
        Scores(np.array([0]), np.ones(1), np.ones(1), np.ones(1, bool), np.zeros(2, int)).pseudo_values()


def test_some_pictures():
    every = scores(leave_out=1, error=0.1)
    twice = every.pictures([0, 0, 2])
    assert sums(twice)[:, 1].tolist() == [1, 1, 0]
    assert twice.finding().missed == 2
