"""People are solved on the frames in which they were seen, and told on all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stepping_person import JOINT_SET, camera_at, directions, near, pixels, stepping

from marrow.fit import Evidence, FitOptions, View, fit
from marrow.fit.evidence import part
from marrow.fit.spans import span_of
from marrow.types import PRIOR

CAMERA = camera_at(0.8, 1.5, 4.0)
SEEN = slice(6, 36)
QUICK = FitOptions(iterations=(5, 4, 6))


@pytest.fixture(scope="module")
def evidence():
    """Seen in 30 of 44 frames."""
    person = stepping(44)
    xy, confidence = pixels(person, CAMERA), np.zeros((44, 33))
    confidence[SEEN] = 1.0
    guess = near(person, np.random.default_rng(0), 0.03)
    view = View(CAMERA, xy, confidence, JOINT_SET)
    return person, Evidence((view,), directions(person, CAMERA), height_m=person.height_m, initial=guess)


def test_a_person_is_fitted_where_seen_and_nothing_is_claimed_elsewhere(evidence):
    person, told = evidence
    assert span_of(told, 44) == SEEN
    whole = fit([told], person.time, options=QUICK).people[0]
    alone = fit([part(told, SEEN)], person.time[SEEN], options=QUICK).people[0]
    np.testing.assert_allclose(whole.motion.q[SEEN], alone.motion.q, atol=1e-9)
    assert whole.motion.q.shape == person.q.shape
    assert not whole.motion.observed[:6].any()
    assert (whole.motion.mark[36:] == PRIOR).all()
    assert (whole.motion.q_sd[:6] > 1.5).all()
    assert np.isfinite(whole.motion.q_sd).all()
    assert (whole.motion.contact[36:] == 0).all()
    assert np.isnan(whole.reprojection_px[:6]).all()
    np.testing.assert_array_equal(whole.motion.time, person.time)


def test_two_people_with_different_times_share_the_camera(evidence):
    person, told = evidence
    later = replace(told.views[0], confidence=np.roll(told.views[0].confidence, 8, axis=0))
    both = fit([told, replace(told, views=(later,))], person.time, options=QUICK)
    assert [p.motion.observed.sum() for p in both.people] == [30, 30]
    knee = person.skeleton.index("knee_angle_r")
    common = slice(14, 36)
    a, b = (p.motion.q[common, knee] for p in both.people)
    assert np.degrees(np.abs(a - person.q[common, knee])).mean() < 3.0
    assert np.degrees(np.abs(b - person.q[common, knee])).mean() < 3.0


def test_never_seen_is_fitted_over_the_whole_time(evidence):
    _, told = evidence
    nothing = replace(told.views[0], confidence=np.zeros((44, 33)))
    assert span_of(replace(told, views=(nothing,)), 44) == slice(0, 44)
