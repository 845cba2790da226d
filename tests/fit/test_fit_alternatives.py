"""Readings that one camera cannot tell apart: they look alike, really differ, and are told with their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stepping_person import JOINT_SET, camera_at, near, pixels, stepping

from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.errors import InputError
from marrow.fit import Evidence, FitOptions, View, fit
from marrow.fit.alternatives import APART, Reading, apart, weights
from marrow.geometry.projection import project

FRAMES, WANTED = 20, 4
CAMERA = camera_at(0.8, 1.5, 4.0)
OPTIONS = FitOptions(hypotheses=WANTED, iterations=(10, 6, 8))


def evidence_of(person, lost: int = 0) -> Evidence:
    """Keypoints of one camera; nothing in the last ``lost`` frames."""
    confidence = np.ones((FRAMES, 33))
    if lost:
        confidence[-lost:] = 0.0
    view = View(CAMERA, pixels(person, CAMERA), confidence, JOINT_SET)
    return Evidence((view,), height_m=person.height_m, initial=near(person, np.random.default_rng(1), 0.1))


@pytest.fixture(scope="module")
def found():
    person = stepping(FRAMES)
    return person, fit([evidence_of(person, lost=3)], person.time, floor=False, options=OPTIONS)


def points_of(motion, q):
    return place_keypoints(load_body(), load_body().rest(dict(motion.shape)), q, JOINT_SET)


def test_they_look_alike_and_really_differ(found):
    person, result = found
    motion = result.people[0].motion
    others = motion.alternatives
    assert others is not None
    assert len(others) == WANTED - 1
    seen = slice(0, FRAMES - 3)
    size = np.ptp(pixels(person, CAMERA)[..., 1])
    own = points_of(motion, motion.q)
    origins = [result.people[0].skeleton.forward(q, t)[1] for q, t in zip(others.q, others.translation, strict=True)]
    for q in others.q:
        x = points_of(motion, q)
        away = np.linalg.norm(project(result.camera, x) - pixels(person, CAMERA), axis=-1)[seen] / size
        assert np.median(away) < 0.01
        assert np.quantile(away, 0.9) < 0.06
        differ = (x - own) - (x - own)[:, 23:25].mean(1, keepdims=True)
        assert np.linalg.norm(differ, axis=-1).max() > APART
    for i, a in enumerate(origins):
        for b in origins[:i]:
            assert apart((a - a[:, :1])[seen], (b - b[:, :1])[seen])


def test_weights_odds_and_spread(found):
    _, result = found
    motion = result.people[0].motion
    others = motion.alternatives
    assert others.weight.shape == (WANTED - 1, FRAMES)
    assert (others.weight >= 0).all()
    assert (others.weight.sum(0) < 1).all()
    assert others.weight.max() > 0.05  # a camera that could tell would leave nothing
    assert (others.log_odds <= 0).all()
    assert (np.diff(others.log_odds) <= 0).all()
    assert others.spread.shape == motion.joints_sd.shape
    np.testing.assert_allclose(others.spread[:, 0], 0, atol=1e-9)
    assert others.spread.max() > 0.02
    assert len(others.rows(np.arange(5)).spread) == 5


def test_the_likelier_reading_of_a_frame_weighs_more():
    state = None
    time = np.arange(60) / 30
    best = Reading(state, 0.0, np.zeros(60))
    other = Reading(state, 50.0, np.r_[np.zeros(30), np.full(30, 5.0)])
    weight = weights([best, other], time)
    np.testing.assert_allclose(weight.sum(0), 1)
    np.testing.assert_allclose(weight[:, :20], 0.5)
    assert weight[1, 40:].max() < 0.01


def test_a_second_camera_tells(found):
    person, one = found
    views = tuple(
        View(c, pixels(person, c), np.ones((FRAMES, 33)), JOINT_SET) for c in (CAMERA, camera_at(-4.0, 1.0, 0.5))
    )
    both = fit([replace(evidence_of(person), views=views)], person.time, floor=False, options=OPTIONS)
    left, open_ = (result.people[0].motion.alternatives for result in (both, one))
    # where two readings hardly differ, in some frames, their weights are alike; the spread tells
    assert left is None or left.spread.mean() < 0.3 * open_.spread.mean()


@pytest.mark.parametrize("count", [0, 9])
def test_counts_that_are_none(count):
    person = stepping(3)
    view = View(CAMERA, pixels(person, CAMERA), np.ones((3, 33)), JOINT_SET)
    with pytest.raises(InputError, match="1 to 8"):
        fit([Evidence((view,))], person.time, options=FitOptions(hypotheses=count))
