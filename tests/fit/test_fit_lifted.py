"""A lifter's joints as evidence: they tell what keypoints of one camera leave open, as far as the lifter is sure."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from stepping_person import JOINT_SET, SHAPE, camera_at, near, pixels, stepping

from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.errors import InputError
from marrow.fit import Evidence, FitOptions, LiftedJoints, View, fit
from marrow.fit.evidence import kind_of, part
from marrow.fit.problem import prepare
from marrow.geometry import rotations
from marrow.geometry.projection import to_camera

FRAMES = 12
CAMERA = camera_at(0.8, 1.5, 4.0)


@pytest.fixture(scope="module")
def person():
    return stepping(FRAMES)


@pytest.fixture(scope="module")
def evidence(person):
    """Exact joints of a lifter; the start is far off."""
    joints = place_keypoints(load_body(), load_body().rest(SHAPE), person.q, "h36m17")
    xyz = to_camera(CAMERA, joints)
    view = View(CAMERA, pixels(person, CAMERA), np.ones((FRAMES, 33)), JOINT_SET)
    return Evidence(
        (view,),
        lifted=LiftedJoints(xyz - xyz[:, :1], np.full(xyz.shape[:2], 0.02)),
        known_shape=SHAPE,
        height_m=person.height_m,
        initial=near(person, np.random.default_rng(4), 0.35),
    )


def joint_errors(person, evidence) -> np.ndarray:
    """(T, B) metres, in the camera's axes, the pelvis put together."""
    result = fit([evidence], person.time, floor=False, options=FitOptions(iterations=(8, 4, 6)))
    motion = result.people[0].motion
    turn = result.camera.R_cam_world
    found = result.people[0].skeleton.forward(motion.q)[1] @ turn.T
    true = person.skeleton.forward(person.q)[1] @ CAMERA.R_cam_world.T
    return np.linalg.norm((found - found[:, :1]) - (true - true[:, :1]), axis=-1)


def test_lifted_joints_tell_the_depth(person, evidence):
    with_ = joint_errors(person, evidence)
    without = joint_errors(person, dataclasses.replace(evidence, lifted=None))
    assert with_.mean() < 0.04
    assert with_.mean() < 0.6 * without.mean()


def test_a_lifter_that_is_not_sure_moves_nothing(person, evidence):
    wrong = evidence.lifted.xyz @ rotations.exp(np.array([0.0, 1.0, 0.0]))
    error = {
        sd: joint_errors(
            person, dataclasses.replace(evidence, lifted=LiftedJoints(wrong, np.full(wrong.shape[:2], sd)))
        )
        for sd in (0.02, 20.0, 2000.0)
    }
    assert np.abs(error[20.0] - error[2000.0]).max() < 1e-3
    assert error[0.02].mean() > error[20.0].mean() + 0.02


def test_each_bone_is_as_sure_as_its_ends(person, evidence):
    sd = evidence.lifted.sd.copy()
    sd[3, 16] = 0.2  # the right wrist
    sd[4, 16] = np.nan
    lifted = dataclasses.replace(evidence.lifted, sd=sd)
    precision, plain = (
        prepare(
            dataclasses.replace(evidence, lifted=one), person.time, load_body(), FitOptions(), feet=False
        ).problem.observed.directions.precision
        for one in (lifted, evidence.lifted)
    )
    other = (precision != plain).any(0)
    assert other.sum() == 1  # the forearm's alone
    np.testing.assert_allclose(precision[3, other], plain[3, other] * 2 * 0.02**2 / (0.02**2 + 0.2**2))
    assert precision[4, other] == 0.0


def test_kinds_and_parts(evidence):
    landmarks = np.zeros((FRAMES, 33, 3))
    assert kind_of(evidence) == "lifted"
    assert kind_of(dataclasses.replace(evidence, directions=landmarks)) == "landmarks, lifted"
    assert kind_of(dataclasses.replace(evidence, lifted=None)) == "keypoints"
    assert part(evidence, slice(2, 5)).lifted.xyz.shape == (3, 17, 3)


def test_joints_that_do_not_fit_are_refused(person, evidence):
    short = LiftedJoints(evidence.lifted.xyz[:, :16], evidence.lifted.sd[:, :16])
    with pytest.raises(InputError, match=r"expected \(12, 17, 3\)"):
        fit([dataclasses.replace(evidence, lifted=short)], person.time)
    with pytest.raises(InputError, match="views"):
        fit([dataclasses.replace(evidence, views=())], person.time)
