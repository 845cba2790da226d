"""The first guess: exact where the data are exact, near where they are not, honest where there are none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.conventions import joint_names
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.geometry.projection import project
from marrow.lift import lift
from marrow.lift.directions import relaxed, rotations_from_points
from marrow.lift.lift import UNSEEN
from marrow.lift.places import places
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Keypoints

BODY = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


def squat_with_arms(skeleton, frames: int = 24) -> np.ndarray:
    """(T, D): a turning person goes down and up again, the arms swing forward."""
    s = np.sin(np.linspace(0, np.pi, frames)) ** 2
    q = np.tile(relaxed(skeleton), (frames, 1))
    wanted = {"hip_flexion": 1.2 * s, "knee_angle": 0.1 + 1.4 * s, "ankle_angle": 0.2 * s, "gh_flex": 0.2 + 1.2 * s}
    for name, value in wanted.items():
        for side in "rl":
            q[:, skeleton.index(f"{name}_{side}")] = value
    q[:, skeleton.index("gh_add_r")] = q[:, skeleton.index("gh_add_l")] = -0.3
    q[:, skeleton.index("elbow_flex_r")] = 0.9
    q[:, skeleton.index("pelvis_rotation")] = np.linspace(-0.4, 0.4, frames)
    q[:, skeleton.index("pelvis_ty")] = 1.0 - 0.4 * s
    return q


def seen(skeleton, body, camera, q, joint_set="blazepose33", *, world=True):
    """Exact keypoints of a movement, the points themselves and the times."""
    x = places(joint_set, body, skeleton).posed(*skeleton.forward(q))
    confidence = np.isfinite(x).all(-1).astype(np.float32) * 0.9
    xy = project(camera, x).astype(np.float32)
    relative = (x - np.nanmean(x, axis=1, keepdims=True)) @ camera.R_cam_world.T
    kp = Keypoints(joint_set, xy, confidence, relative.astype(np.float32) if world else None)
    return kp, x, np.arange(len(q)) / 30


def joint_error(skeleton, body, guess, x, joint_set="blazepose33") -> np.ndarray:
    """(T,) mean distance of the body's joints, metres: (in place, with the middle of the hips put together)."""
    where = places(joint_set, body, skeleton)
    found = where.posed(*skeleton.compose(guess.R_joint, guess.root_p))
    chosen = [i for i, name in enumerate(where.names) if name.endswith(BODY) and name.startswith(("left", "right"))]
    hips = [i for i, name in enumerate(where.names) if name in ("left_hip", "right_hip")]

    def centred(a):
        return a[:, chosen] - a[:, hips].mean(1, keepdims=True)

    in_place = np.linalg.norm((found - x)[:, chosen], axis=-1).mean(-1)
    return np.stack([in_place, np.linalg.norm(centred(found) - centred(x), axis=-1).mean(-1)])


def test_directions_give_back_the_pose(skeleton, body):
    rng = np.random.default_rng(0)
    q = np.tile(relaxed(skeleton), (40, 1))
    for name, low, high in (
        ("hip_flexion", -0.3, 1.5), ("hip_adduction", -0.6, 0.2), ("hip_rotation", -0.4, 0.4), ("knee_angle", 0.7, 2.0),
        ("ankle_angle", -0.4, 0.4), ("gh_flex", -0.8, 1.4), ("gh_add", -1.2, 0.1), ("gh_rot", -0.8, 0.8),
        ("elbow_flex", 0.7, 2.2), ("pro_sup", 0.3, 2.5),
    ):  # fmt: skip
        for side in "rl":
            q[:, skeleton.index(f"{name}_{side}")] = rng.uniform(low, high, 40)
    q[:, :3] = rng.uniform(-1, 1, (40, 3))
    for name in ("neck_extension", "neck_bending", "neck_rotation"):
        q[:, skeleton.index(name)] = rng.uniform(-0.4, 0.4, 40)
    for name, value in trunk_coordinates(skeleton.tree, rotations.rotation_y(rng.uniform(-0.4, 0.4, 40))).items():
        q[:, skeleton.index(name)] = value
    where = places("blazepose33", body, skeleton)
    R, p = skeleton.forward(q)
    found = rotations_from_points(3.0 * where.posed(R, p) + 7.0, skeleton, where)  # neither scale nor origin matters
    # the shoulders' middle lies off the axis about which the trunk turns, which tilts the pelvis' frame a little
    assert np.degrees(rotations.angle_between(found[:, 0], R[:, 0])).max() < 1.5
    R2, p2 = skeleton.compose(found, p[:, 0])
    head = skeleton.body_index("head")
    assert np.degrees(rotations.angle_between(R2[:, head], R[:, head])).max() < 0.5
    error = dict(zip(skeleton.bodies, np.linalg.norm(p2 - p, axis=-1).T, strict=True))
    # the guess bends the leg in one plane, from which the knee's oblique axis leads the shank 4 degrees away
    for body, mean, most in (
        ("tibia", 0.001, 0.002),
        ("talus", 0.033, 0.04),
        ("ulna", 0.006, 0.01),
        ("hand", 0.014, 0.03),
    ):
        for side in "rl":
            assert error[f"{body}_{side}"].mean() < mean, body
            assert error[f"{body}_{side}"].max() < most, body
    back = skeleton.coordinates_from_joint_rotations(found, p[:, 0])
    for name, degrees in (("knee_angle_r", 4), ("hip_flexion_l", 6), ("elbow_flex_r", 4), ("pro_sup_l", 12)):
        wrong = np.degrees(np.abs(back - q)[:, skeleton.index(name)])
        assert np.median(wrong) < degrees, name


def test_missing_hips_leave_the_frame_open_and_missing_hands_do_not(skeleton, body):
    where = places("blazepose33", body, skeleton)
    q = squat_with_arms(skeleton, 3)
    x = where.posed(*skeleton.forward(q))
    names = list(where.names)
    x[0, names.index("left_hip")] = np.nan
    for name in ("left_wrist", "left_index", "left_elbow", "right_ankle", "right_heel", "nose"):
        x[1, names.index(name)] = np.nan
    R_joint = rotations_from_points(x, skeleton, where)
    assert np.isnan(R_joint[0]).all()
    assert np.isfinite(R_joint[1:]).all()


def test_world_landmarks_lead_to_the_place_and_pose(skeleton, body, camera):
    kp, x, time = seen(skeleton, body, camera, squat_with_arms(skeleton))
    guesses = lift(kp, time, camera, body, skeleton, hypotheses=3)
    assert len(guesses) == 3
    in_place, centred = joint_error(skeleton, body, guesses[0], x)
    assert centred.max() < 0.04
    assert in_place.mean() < 0.08
    assert guesses[0].score.mean() < 0.02
    turned = guesses[-1]  # left read for right: the person faces the other way
    angle = rotations.angle_between(turned.R_joint[:, 0], guesses[0].R_joint[:, 0])
    assert np.degrees(np.median(angle)) > 120


def test_noisy_world_landmarks_with_wrong_bone_lengths(skeleton, body, camera):
    kp, x, time = seen(skeleton, body, camera, squat_with_arms(skeleton))
    assert kp.world is not None
    rng = np.random.default_rng(1)
    world = kp.world * (1 + 0.1 * rng.normal(size=kp.world.shape[:2])[..., None]) + rng.normal(0, 0.02, kp.world.shape)
    noisy = dataclasses.replace(kp, world=world.astype(np.float32), xy=kp.xy + rng.normal(0, 4, kp.xy.shape))
    guess = lift(noisy, time, camera, body, skeleton)[0]
    assert joint_error(skeleton, body, guess, x)[1].mean() < 0.075


@pytest.mark.parametrize("joint_set", ["blazepose33", "coco17", "halpe26", "body25", "h36m17"])
def test_pictures_alone_are_recognised(skeleton, body, camera, joint_set):
    kp, x, time = seen(skeleton, body, camera, squat_with_arms(skeleton), joint_set, world=False)
    guesses = lift(kp, time, camera, body, skeleton, hypotheses=2)
    in_place, centred = joint_error(skeleton, body, guesses[0], x, joint_set)
    assert centred.mean() < 0.16
    assert in_place.mean() < 0.4
    assert guesses[0].score.mean() < 0.05
    apart = rotations.angle_between(guesses[0].R_joint[:, 0], guesses[1].R_joint[:, 0])
    assert np.degrees(np.median(apart)) > 40, "the second guess faces elsewhere"


def test_turning_the_world_turns_the_guess(skeleton, body, camera):
    kp, _, time = seen(skeleton, body, camera, squat_with_arms(skeleton, 6))
    R_turn, shift = rotations.exp(np.array([0.3, 1.1, -0.2])), np.array([0.5, -1.0, 2.0])
    other = dataclasses.replace(
        camera,
        R_cam_world=camera.R_cam_world @ R_turn.T,
        t_cam_world=camera.t_cam_world - camera.R_cam_world @ R_turn.T @ shift,
    )
    for keypoints in (kp, dataclasses.replace(kp, world=None)):
        a = lift(keypoints, time, camera, body, skeleton)[0]
        b = lift(keypoints, time, other, body, skeleton)[0]
        np.testing.assert_allclose(b.root_p, a.root_p @ R_turn.T + shift, atol=1e-5)
        np.testing.assert_allclose(b.R_joint[:, 0], R_turn @ a.R_joint[:, 0], atol=1e-5)
        np.testing.assert_allclose(b.R_joint[:, 1:], a.R_joint[:, 1:], atol=1e-5)


@pytest.mark.parametrize("world", [True, False])
def test_unseen_frames_are_interpolated_and_said(skeleton, body, camera, world):
    kp, _, time = seen(skeleton, body, camera, squat_with_arms(skeleton), world=world)
    whole = lift(kp, time, camera, body, skeleton)[0]
    gone = np.zeros(len(time), bool)
    gone[[0, 1, 9, 10, 11, 12, 23]] = True
    kp.xy[gone], kp.confidence[gone] = np.nan, 0
    if kp.world is not None:
        kp.world[gone] = np.nan
    guess = lift(kp, time, camera, body, skeleton)[0]
    assert np.isfinite(guess.R_joint).all()
    assert np.isfinite(guess.root_p).all()
    assert (guess.score[gone] == UNSEEN).all()
    assert (guess.score[~gone] < 0.1).all()
    np.testing.assert_allclose(guess.R_joint[0], guess.R_joint[2], atol=1e-9)
    np.testing.assert_allclose(guess.root_p[23], guess.root_p[22], atol=1e-9)
    step = rotations.angle_between(guess.R_joint[10], guess.R_joint[11])
    across = rotations.angle_between(guess.R_joint[8], guess.R_joint[13])
    np.testing.assert_allclose(step, across / 5, atol=1e-6)
    assert np.linalg.norm(guess.root_p - whole.root_p, axis=-1).max() < 0.6


def test_nothing_to_see_is_an_error(skeleton, body, camera):
    kp, _, time = seen(skeleton, body, camera, squat_with_arms(skeleton, 4), world=False)
    with pytest.raises(InputError, match="T = 3"):
        lift(kp, time[:3], camera, body, skeleton)
    kp.confidence[:] = 0
    with pytest.raises(InputError, match="no frame"):
        lift(kp, time, camera, body, skeleton)


def test_one_frame_is_enough(skeleton, body, camera):
    for world in (True, False):
        kp, x, time = seen(skeleton, body, camera, squat_with_arms(skeleton, 24)[12:13], world=world)
        guess = lift(kp, time, camera, body, skeleton)[0]
        assert joint_error(skeleton, body, guess, x)[1][0] < 0.25


def test_keypoints_are_placed_where_the_body_has_them(skeleton, body):
    for joint_set in ("blazepose33", "coco17", "body25"):
        where = places(joint_set, body, skeleton)
        assert where.names == joint_names(joint_set)
        R, p = skeleton.forward(skeleton.bind_q)
        posed = where.posed(R, p)
        placed = where.body >= 0
        assert placed.sum() >= 15
        np.testing.assert_allclose(posed[placed], where.bind[placed], atol=1e-6)
