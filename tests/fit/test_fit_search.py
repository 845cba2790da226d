"""Other readings in depth: a limb that is turned over looks the same, and the search turns a wrong one back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stepping_person import JOINT_SET, camera_at, near, pixels, stepping

from marrow.body import load_body
from marrow.fit import Evidence, FitOptions, View, fit
from marrow.fit.problem import prepare
from marrow.fit.reversals import BOTH, LOWER, UPPER, limbs, segments, turned_limb, turned_trunk
from marrow.fit.starts import from_guess
from marrow.geometry.projection import project
from marrow.skeleton import tree as trees

CAMERA = camera_at(0.8, 1.5, 4.0)


@pytest.fixture(scope="module")
def person():
    """A prepared person with the true state (but for its shape) and the joints' template."""
    truth = stepping(30)
    guess = near(truth, np.random.default_rng(0), 0.0)
    view = View(CAMERA, pixels(truth, CAMERA), np.ones((30, 33)), JOINT_SET)
    evidence = Evidence((view,), height_m=truth.height_m, initial=guess)
    prepared = prepare(evidence, truth.time, load_body("default"), FitOptions(), feet=False)
    state = from_guess(prepared, guess)
    return prepared, state, prepared.problem.linearised(state.shape).template


@pytest.mark.parametrize("which", [UPPER, LOWER, BOTH])
def test_a_turned_limb_looks_the_same_and_lies_elsewhere(person, which):
    prepared, state, template = person
    model = prepared.model
    centre = -CAMERA.R_cam_world.T @ CAMERA.t_cam_world
    before = segments(model, template, state)[1]
    assert len(limbs(model)) == 4
    for limb in limbs(model):
        turned = turned_limb(model, template, state, centre, limb, which)
        after = segments(model, template, turned)[1]
        np.testing.assert_allclose(after[:, limb.ball], before[:, limb.ball], atol=1e-9)
        away = [
            np.linalg.norm(project(CAMERA, after[:, b]) - project(CAMERA, before[:, b]), axis=-1) for b in limb[1:3]
        ]
        inside = (turned.angle[:, limb.hinge] > limb.low + 1e-6) & (turned.angle[:, limb.hinge] < limb.high - 1e-6)
        bent = np.sin(np.abs(turned.angle[:, limb.hinge])) > 0.25
        assert np.median(away[0]) < 1.0  # px; the person is some 700 px tall
        assert np.median(away[1][inside & bent]) < 3.0  # a knee's coupled turns are left out
        depth = [(x[:, limb.hinged] - x[:, limb.ball]) @ CAMERA.R_cam_world[2] for x in (before, after)]
        moved = np.abs(depth[0]) > 0.05
        if moved.any():
            assert (np.sign(depth[0]) * np.sign(depth[1]) == (-1 if which[0] else 1))[moved].mean() > 0.8


def test_a_turned_trunk_keeps_the_limbs_directions(person):
    prepared, state, template = person
    model = prepared.model
    centre = -CAMERA.R_cam_world.T @ CAMERA.t_cam_world
    before = segments(model, template, state)[0]
    turned = turned_trunk(model, template, state, centre, "torso", True, True)
    after = segments(model, template, turned)[0]
    upper = [limb.ball for limb in limbs(model)]
    np.testing.assert_allclose(after[:, upper], before[:, upper], atol=1e-9)
    torso = int(np.flatnonzero(model.bodies == trees.whole().bodies.index("torso"))[0])
    assert np.abs(after[:, torso] - before[:, torso]).max() > 0.1
    again = turned_trunk(model, template, turned, centre, "torso", True, True)
    np.testing.assert_allclose(segments(model, template, again)[0], before, atol=0.05)


def test_a_limb_that_starts_on_the_wrong_side_is_found(person):
    """The guess has the right shank turned over in every frame; without the search the ankle ends 16 cm off.

    One draw of the detector's noise in ten keeps the wrong reading for some frames; of three, two must be found.
    """
    prepared, state, template = person
    truth, evidence = stepping(30), prepared.evidence
    model = prepared.model
    centre = -CAMERA.R_cam_world.T @ CAMERA.t_cam_world
    leg = limbs(model)[0]
    wrong = turned_limb(model, template, state, centre, leg, LOWER)
    guess = evidence.initial
    R = guess.R_joint.copy()
    R[:, model.bodies[leg.ball]] = wrong.ball[:, leg.ball]
    bend = truth.skeleton.index("knee_angle_r")
    q = truth.q.copy()
    q[:, bend] = wrong.angle[:, leg.hinge]
    R[:, model.bodies[leg.hinged]] = truth.skeleton.joint_rotations(q)[:, model.bodies[leg.hinged]]
    true = truth.skeleton.forward(truth.q)[1]
    ankle = truth.skeleton.bodies.index("talus_r")
    errors = []
    for seed in (1, 2, 3):
        noise = np.random.default_rng(seed).normal(0, 3.0, (30, 33, 2))
        view = replace(evidence.views[0], xy=evidence.views[0].xy + noise)
        found = fit([replace(evidence, views=(view,), initial=replace(guess, R_joint=R))], truth.time, floor=False)
        joints = found.people[0].skeleton.forward(found.people[0].motion.q)[1]
        away = np.linalg.norm((joints - joints[:, :1] - true + true[:, :1])[:, ankle], axis=-1)
        errors.append(np.median(away))
    assert np.sum(np.array(errors) < 0.08) >= 2, errors
