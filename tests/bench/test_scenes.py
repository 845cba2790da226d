"""Synthetic truth: bodies on the floor, cameras as stated, errors that see both readings of a ball joint's angles."""

import types

import numpy as np
import pytest

from marrow.bench import reconstruct as bench
from marrow.bench.noise import DetectorNoise, WorldNoise
from marrow.bench.scenes import DETECTED, MEASURED, PEOPLE, make_camera, make_truth, shoot
from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import JOINT_SETS
from marrow.data.motion_pack import motion_pack
from marrow.geometry.projection import camera_centre, project, to_camera
from marrow.skeleton import DERIVED

EXACT = DetectorNoise(sd=0, outliers=0, hidden=0, lost=0), WorldNoise(direction_sd=0, length_sd=(0, 0))


@pytest.fixture(scope="module")
def walk():
    return make_truth(motion_pack().motion("02_02"), "tall strong man", frames=24)


def test_five_unlike_people():
    statures = {name: load_body().stature(dict(shape)) for name, shape in PEOPLE.items()}
    assert len(statures) == 5
    assert 1.5 < min(statures.values()) < 1.62
    assert 1.85 < max(statures.values()) < 2.0


def test_truth_walks_on_the_floor_and_its_points_sit_on_its_body(walk):
    index = {name: i for i, name in enumerate(JOINT_SETS[DETECTED])}
    feet = walk.points[
        :, [index["left_heel"], index["right_heel"], index["left_foot_index"], index["right_foot_index"]]
    ]
    assert -0.05 < feet[..., 1].min() < 0.08
    names = JOINT_SETS[MEASURED]
    R, p = walk.skeleton.forward(walk.q)
    for joint, body in (("left_knee", "tibia_l"), ("right_elbow", "ulna_r"), ("right_hip", "femur_r")):
        np.testing.assert_allclose(walk.joints[:, names.index(joint)], p[:, walk.skeleton.body_index(body)], atol=1e-6)
    # the nose is a point of the skin; it stays on the head
    nose = walk.points[:, index["nose"]] - p[:, walk.skeleton.body_index("head")]
    local = np.einsum("tji,tj->ti", R[:, walk.skeleton.body_index("head")], nose)
    assert np.ptp(local, axis=0).max() < 0.02
    assert local[:, 0].mean() > 0.05
    again = place_keypoints(load_body(), walk.rest, walk.q[:3], MEASURED)
    np.testing.assert_allclose(again, walk.joints[:3], atol=1e-5)


def test_feet_that_stood_still_do_so_on_longer_legs():
    """The stance foot of a walk slides no more on another body than a few centimetres a second."""
    truth = make_truth(motion_pack().motion("02_02"), "long legs, short trunk", frames=60)
    index = JOINT_SETS[DETECTED].index("left_heel")
    heel = truth.points[:, index]
    speed = np.linalg.norm(np.diff(heel[:, [0, 2]], axis=0), axis=-1) * 30
    assert np.sort(speed)[:5].mean() < 0.15
    assert speed.max() > 2


def test_cameras_are_where_they_are_said_to_be():
    rng = np.random.default_rng(0)
    centre = np.array([0.3, 0.95, -0.2])
    bearings = []
    for _ in range(100):
        camera = make_camera(rng, centre)
        offset = camera_centre(camera) - centre
        assert 3 <= np.linalg.norm(offset) <= 6
        assert -5.01 <= np.degrees(np.arcsin(offset[1] / np.linalg.norm(offset))) <= 20.01
        assert camera_centre(camera)[1] > 0.3
        assert np.linalg.norm(project(camera, centre) - np.array(camera.size) / 2) < 150
        bearings.append(np.arctan2(offset[0], offset[2]))
    assert np.histogram(bearings, bins=4, range=(-np.pi, np.pi))[0].min() > 10


def test_shots_are_repeatable_and_exact_without_noise(walk):
    shot = shoot(walk, 1, 7, *EXACT)
    np.testing.assert_allclose(shot.keypoints.xy, project(shot.camera, walk.points), atol=1e-2)
    x = to_camera(shot.camera, walk.points)
    index = {name: i for i, name in enumerate(JOINT_SETS[DETECTED])}
    root = 0.5 * (x[:, index["left_hip"]] + x[:, index["right_hip"]])
    assert shot.keypoints.world is not None
    np.testing.assert_allclose(shot.keypoints.world, x - root[:, None], atol=1e-5)
    noisy = [shoot(walk, 1, 7, DetectorNoise(), WorldNoise()).keypoints for _ in range(2)]
    np.testing.assert_array_equal(noisy[0].xy, noisy[1].xy)
    other = shoot(walk, 2, 7, DetectorNoise(), WorldNoise())
    assert not np.allclose(camera_centre(other.camera), camera_centre(shot.camera))


def test_both_readings_of_a_ball_joint_are_the_same_angle(walk):
    skeleton, q = walk.skeleton, walk.q
    assert np.abs(bench.coordinate_error(skeleton, q, q)).max() == 0
    other = q.copy()
    for _, first, signs in skeleton.tree.balls:
        own = signs * q[:, first : first + 3]
        twin = np.stack([own[:, 0] + np.pi, np.pi - own[:, 1], own[:, 2] - np.pi], -1)
        other[:, first : first + 3] = signs * twin
    np.testing.assert_allclose(skeleton.forward(other)[0], skeleton.forward(q)[0], atol=1e-9)
    np.testing.assert_allclose(bench.coordinate_error(skeleton, other, q), 0, atol=1e-9)
    bent = q.copy()
    bent[:, skeleton.index("knee_angle_r")] += 0.1
    bent[:, skeleton.index("pelvis_tx")] += 7.0  # metres, not wrapped
    error = bench.coordinate_error(skeleton, bent, q)
    np.testing.assert_allclose(error[:, skeleton.index("knee_angle_r")], 0.1)
    np.testing.assert_allclose(error[:, skeleton.index("pelvis_tx")], 7.0)


def test_errors_of_trunk_and_arms_come_after_those_of_the_coordinates(walk):
    skeleton, q = walk.skeleton, walk.q
    names = bench.angle_names(skeleton.coordinates)
    assert names == (*skeleton.coordinates, *DERIVED)
    assert np.abs(bench.all_errors(skeleton, q, q)).max() == 0
    bent = q.copy()
    bent[:, skeleton.index("lumbar_seg_extension")] += 0.06
    bent[:, skeleton.index("thorax_extension")] += 0.04
    bent[:, skeleton.index("hip_flexion_l")] += 0.2
    error = dict(zip(names, bench.all_errors(skeleton, bent, q).T, strict=True))
    np.testing.assert_allclose(error["hip_flexion_l"], 0.2, atol=1e-9)
    # the walker's trunk leans and twists by some degrees: bends do not add up to the last bit
    np.testing.assert_allclose(error["lumbar_extension"], 0.1, atol=0.01)
    for name in DERIVED[3:]:
        np.testing.assert_allclose(error[name], 0.0, atol=1e-9, err_msg=name)
    assert [names[i] for i in bench.columns(names, "lumbar")] == list(DERIVED[:3])
    assert len(bench.columns(names, "arm against trunk")) == len(bench.columns(names, "shoulder")) == 6


def test_both_readings_of_a_raised_arm_are_the_same_angle(walk):
    """Derived angles are read on the principal branch, where an arm over the head may stand on either."""
    skeleton, q = walk.skeleton, walk.q.copy()
    for side in "rl":
        q[:, skeleton.index(f"gh_flex_{side}")] = 0.3
        q[:, skeleton.index(f"gh_add_{side}")] = np.linspace(-1.4, -1.75, len(q))  # over the pole at 90 degrees
        q[:, skeleton.index(f"gh_rot_{side}")] = 0.2
    near = q.copy()
    columns = [skeleton.index(f"gh_add_{side}") for side in "rl"]
    near[:, columns] -= 0.01
    error = bench.all_errors(skeleton, near, q)[:, -len(DERIVED) :]
    assert np.abs(error).max() < 0.3


def test_exact_evidence_is_reconstructed_and_noise_costs(walk):
    exact = bench.reconstruct(shoot(walk, 0, 3, *EXACT), bench.CONDITIONS["landmarks"], alone=slice(4, None, 12))
    whole = exact["sequence"]
    assert whole.mpjpe.shape == (24,)
    assert whole.mpjpe.mean() < 0.035
    assert np.all(whole.pa_mpjpe <= whole.mpjpe + 1e-9)
    assert np.all(whole.mpjpe <= whole.absolute + whole.root + 1e-9)
    np.testing.assert_allclose(np.linalg.norm(whole.offset, axis=-1).mean(-1), whole.mpjpe, atol=1e-9)
    knee = bench.columns(walk.skeleton.coordinates, "knee")
    assert len(knee) == 2
    assert np.degrees(np.median(np.abs(whole.angle[:, knee]))) < 6
    assert len(exact["framewise"].mpjpe) == len(exact["same frames"].mpjpe) == 2
    np.testing.assert_array_equal(exact["same frames"].mpjpe, whole.mpjpe[[4, 16]])
    noisy = bench.reconstruct(shoot(walk, 0, 3, DetectorNoise(sd=0.04), WorldNoise()), bench.CONDITIONS["landmarks"])
    assert noisy["sequence"].mpjpe.mean() > whole.mpjpe.mean()


def test_how_far_a_lifter_is_by_itself(walk):
    shot = shoot(walk, 0, 3, *EXACT)
    true = to_camera(shot.camera, walk.joints)

    def off_by_a_cm(keypoints, camera, height, **told):
        assert height == walk.height_m
        assert camera.t_cam_world.tolist() == [0, 0, 0]  # where it stands is not told
        relative = true - true[:, :1] + 0.01 * np.eye(3)[0]
        relative[:, 0] = 0.0
        return types.SimpleNamespace(relative=relative)

    offset = bench.lifter_offset(shot, off_by_a_cm)  # type: ignore[arg-type]
    np.testing.assert_allclose(offset[:, 1:], np.broadcast_to([0.01, 0, 0], offset[:, 1:].shape), atol=1e-9)
    np.testing.assert_allclose(offset[:, 0], 0.0, atol=1e-9)
