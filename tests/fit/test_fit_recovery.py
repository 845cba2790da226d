"""Exact data give back the exact movement, whatever the kind of evidence."""

from __future__ import annotations

import numpy as np
import pytest
from stepping_person import JOINT_SET, SHAPE, camera_at, directions, near, pixels, provisional, stepping

from marrow.errors import InputError
from marrow.fit import Evidence, FitOptions, Points, View, fit
from marrow.geometry import rotations
from marrow.geometry.projection import to_camera

#: No opinions of its own: what is measured decides.
BARE = FitOptions(
    pose_prior=1e-9, shape_prior=1e-6, smoothness=1e-9, limits=False, robust=100.0, upright=0.0, contact=False,
    directions=1e-6, iterations=(30, 10, 30), tolerance=1e-13,
)  # fmt: skip
EXACT = 1e-4  # rad
#: Coordinates that the keypoints tell exactly (the head's five points and the hands' knuckles included).
SEEN = (
    "pelvis_tilt", "pelvis_list", "hip_flexion_r", "hip_adduction_l", "knee_angle_r", "knee_angle_l", "ankle_angle_r",
    "lumbar_seg_extension", "thorax_rotation", "neck_rotation", "elbow_flex_r", "elbow_flex_l",
)  # fmt: skip


def _errors(person, result, names=SEEN):
    q = result.people[0].motion.q
    return {n: np.abs(q[:, person.skeleton.index(n)] - person.q[:, person.skeleton.index(n)]).max() for n in names}


def test_points_give_back_the_movement():
    person = stepping(6)
    R, p = person.skeleton.forward(person.q)
    names = person.skeleton.point_names
    evidence = Evidence(
        points=(Points(person.skeleton.points(R, p, names), names, 0.001),),
        known_shape=SHAPE,
        initial=near(person, np.random.default_rng(0)),
    )
    result = fit([evidence], person.time, options=BARE)
    # no landmark lies beside the head's long axis
    errors = _errors(person, result, (*(n for n in SEEN if n != "neck_rotation"), "hip_rotation_r", "gh_flex_r"))
    assert max(errors.values()) < EXACT, errors


def test_two_views_give_back_movement_and_shape():
    person = stepping(6)
    views = tuple(
        View(c, pixels(person, c), np.ones((6, 33)), JOINT_SET)
        for c in (camera_at(1.0, 1.5, 4.0), camera_at(-4.0, 1.0, 1.0))
    )
    evidence = Evidence(views=views, known_shape=SHAPE, initial=near(person, np.random.default_rng(1)))
    result = fit([evidence], person.time, floor=False, options=BARE)
    errors = _errors(person, result)
    assert max(errors.values()) < EXACT, errors
    assert np.nanmax(result.people[0].reprojection_px) < 0.05


def test_one_view_with_directions_gives_back_the_pose_in_the_camera():
    person, camera = stepping(5), camera_at(0.8, 1.6, 4.0)
    own = provisional(camera)
    turn = own.R_cam_world.T @ camera.R_cam_world
    guess = near(person, np.random.default_rng(2), 0.05, turn)
    guess.root_p[:] += own.R_cam_world.T @ camera.t_cam_world
    options = FitOptions(**{**BARE.__dict__, "directions": 1.0})
    evidence = Evidence(
        views=(View(own, pixels(person, camera), np.ones((5, 33)), JOINT_SET),),
        directions=directions(person, camera),
        known_shape=SHAPE,
        initial=guess,
    )
    result = fit([evidence], person.time, floor=False, options=options)
    errors = _errors(person, result, SEEN[2:])
    assert max(errors.values()) < EXACT, errors
    joints = result.people[0].skeleton.forward(result.people[0].motion.q)[1]
    assert result.camera is not None
    found = to_camera(result.camera, joints)
    assert np.abs(found - to_camera(camera, person.skeleton.forward(person.q)[1]))[:, :12].max() < 1e-3


def test_shape_comes_out_of_points():
    person = stepping(4)
    R, p = person.skeleton.forward(person.q)
    names = tuple(n for n in person.skeleton.point_names)
    evidence = Evidence(points=(Points(person.skeleton.points(R, p, names), names, 0.001),))
    result = fit([evidence], person.time, options=BARE)
    found = result.people[0]
    lengths = [np.linalg.norm(s.offsets[1:13], axis=-1) for s in (found.skeleton, person.skeleton)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=2e-3)


def test_turning_the_world_changes_nothing():
    person = stepping(8)
    turn = rotations.exp(np.array([0.3, -0.8, 0.4]))
    R, p = person.skeleton.forward(person.q)
    names = (
        "hip_r",
        "hip_l",
        "knee_r",
        "knee_l",
        "ankle_r",
        "ankle_l",
        "shoulder_r",
        "shoulder_l",
        "elbow_r",
        "wrist_r",
        "neck",
    )
    x = person.skeleton.points(R, p, names) + np.random.default_rng(3).normal(0, 0.01, (8, len(names), 3))
    results = [
        fit([Evidence(points=(Points(xyz, names, 0.01),))], person.time).people[0].motion.q for xyz in (x, x @ turn.T)
    ]
    own = [person.skeleton.index(n) for n in ("hip_flexion_r", "knee_angle_r", "lumbar_seg_extension", "elbow_flex_r")]
    np.testing.assert_allclose(results[0][:, own], results[1][:, own], atol=2e-3)


@pytest.mark.parametrize("time", [np.array([0.0, 0.0]), np.array([0.0, np.nan]), np.zeros(0)])
def test_bad_times_are_refused(time):
    evidence = Evidence(points=(Points(np.zeros((len(time), 1, 3)), ("hip_r",)),))
    with pytest.raises(InputError, match="time"):
        fit([evidence], time)


def test_bad_evidence_is_refused():
    camera = camera_at(0.0, 1.0, 4.0)
    with pytest.raises(InputError, match="nothing to fit"):
        fit([Evidence()], np.arange(3.0))
    with pytest.raises(InputError, match="no people"):
        fit([], np.arange(3.0))
    with pytest.raises(InputError, match="expected"):
        fit([Evidence(views=(View(camera, np.zeros((2, 33, 2)), np.zeros((2, 33)), JOINT_SET),))], np.arange(3.0))
    with pytest.raises(InputError, match="nearest"):
        fit([Evidence(views=(View(camera, np.zeros((3, 33, 2)), np.zeros((3, 33)), "blazepose"),))], np.arange(3.0))
    with pytest.raises(InputError, match="landmark"):
        fit([Evidence(points=(Points(np.zeros((3, 1, 3)), ("knee",)),))], np.arange(3.0))
