"""Time: frame rate, gaps, label swaps, contact with the floor."""

from __future__ import annotations

import numpy as np
import pytest
from stepping_person import JOINT_SET, camera_at, directions, near, pixels, provisional, stepping

from marrow.fit import Evidence, View, fit
from marrow.fit.evidence import kind_of
from marrow.fit.priors import calibration_of, load_calibration
from marrow.geometry import rotations
from marrow.geometry.projection import project, to_camera
from marrow.skeleton import DERIVED
from marrow.skeleton.definition import FOLLOWERS
from marrow.types import OBSERVED, PRIOR, WEAK

CAMERA = camera_at(0.8, 1.5, 4.0)
LEGS = ("hip_flexion_r", "hip_flexion_l", "knee_angle_r", "knee_angle_l")


def _noise(frames, sd=4.0, seed=2):
    """Errors of about 1 % of the person's size, most of each lasting for a quarter of a second."""
    rng = np.random.default_rng(seed)
    out = rng.normal(0, sd, (frames, 33, 2))
    for t in range(1, frames):
        out[t] = 0.87 * out[t - 1] + 0.49 * out[t]
    return out


def _evidence(person, xy=None, world=None, confidence=None):
    own = provisional(CAMERA)
    turn = own.R_cam_world.T @ CAMERA.R_cam_world
    guess = near(person, np.random.default_rng(0), 0.05, turn)
    guess.root_p[:] += own.R_cam_world.T @ CAMERA.t_cam_world
    xy = pixels(person, CAMERA) if xy is None else xy
    confidence = np.ones(xy.shape[:2]) if confidence is None else confidence
    world = directions(person, CAMERA) if world is None else world
    return Evidence((View(own, xy, confidence, JOINT_SET),), world, height_m=person.height_m, initial=guess)


def _columns(person, names=LEGS):
    return [person.skeleton.index(n) for n in names]


@pytest.fixture(scope="module")
def plain():
    person = stepping(60)
    return person, fit([_evidence(person, pixels(person, CAMERA) + _noise(60))], person.time)


def test_floor_and_feet(plain):
    person, result = plain
    assert result.floor is not None
    assert result.camera is not None
    up = result.camera.R_cam_world[:, 1]
    tilt = np.degrees(np.arccos(up @ CAMERA.R_cam_world[:, 1]))
    assert tilt < 8.0  # stepping on the spot tells little of it
    found = result.people[0]
    contact = found.motion.contact
    R, p = found.skeleton.forward(found.motion.q)
    soles = found.skeleton.points(R, p, ("toe_tip_r", "toe_tip_l"))[..., 1]
    R, p = person.skeleton.forward(person.q)
    true = person.skeleton.points(R, p, ("toe_tip_r", "toe_tip_l"))[..., 1]
    assert contact[true < 0.03].mean() > 0.6
    assert contact[true > 0.12].mean() < 0.2
    standing = soles[contact > 0.5]
    assert np.abs(standing - 0.02).max() < 0.03  # the toe's point lies some 20 mm above the sole


def test_result_is_complete_and_finite(plain):
    person, result = plain
    motion = result.people[0].motion
    assert motion.q.shape == motion.q_sd.shape == motion.mark.shape == person.q.shape
    assert np.isfinite(motion.q).all()
    assert np.isfinite(motion.q_sd).all()
    assert np.isfinite(motion.joints_sd).all()
    assert motion.observed.all()
    assert motion.derived_sd.shape == motion.derived_mark.shape == (len(motion.q), len(DERIVED))
    assert np.isfinite(motion.derived_sd).all()
    knees, hips = (motion.mark[:, _columns(person, names)] for names in (LEGS[2:], LEGS[:2]))
    assert (knees == OBSERVED).mean() > 0.8
    # the prior tells a hip's flexion from the knee's to some 12 degrees, one camera to 8: seen, if not half as sure
    assert (hips != PRIOR).mean() > 0.9
    assert np.degrees(np.median(motion.q_sd[:, _columns(person)], axis=0)).max() < 10
    np.testing.assert_allclose(motion.q[:, 3:6] @ [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], motion.translation, atol=1e-12)
    joints = result.people[0].skeleton.forward(motion.q)[1]
    seen = to_camera(result.camera, joints)[:, :12]
    truth = to_camera(CAMERA, person.skeleton.forward(person.q)[1])[:, :12]
    assert np.linalg.norm(seen - truth, axis=-1).mean() < 0.05


def test_what_is_not_seen_is_not_called_observed(plain):
    person, result = plain
    motion = result.people[0].motion
    hidden = [person.skeleton.index(n) for n in ("clav_elevation_r", "index_pip_flex_l", "subtalar_angle_r")]
    assert (motion.mark[:, hidden] > OBSERVED).mean() > 0.7
    assert (motion.q_sd[:, hidden] > np.radians(2.0)).all()


def test_what_only_follows_is_not_called_known(plain):
    """Keypoints do not tell the lower ribs from the lumbar spine, nor the shoulder blade from the collar bone."""
    person, result = plain
    motion, at = result.people[0].motion, person.skeleton.index
    for f in FOLLOWERS:
        lead, own = motion.q[:, at(f.leader)], motion.q[:, at(f.name)]
        np.testing.assert_allclose(own, f.ratio * lead, atol=1e-9, err_msg=f.name)
        assert (motion.mark[:, at(f.name)] == PRIOR).all(), f.name
        assert (motion.q_sd[:, at(f.name)] >= np.radians(f.sd) - 1e-12).all(), f.name
        for name in f.against:
            assert (motion.mark[:, at(name)] >= WEAK).all(), name


def test_the_whole_trunk_is_surer_than_its_shares(plain):
    """What is unknown of the division between lumbar and thoracic spine leaves the sum of both alone.

    Before their calibrations, which measured each against the truth by itself.
    """
    person, result = plain
    motion = result.people[0].motion
    known = load_calibration(kind_of(_evidence(person)))
    for whole, part, spread in (
        ("lumbar_bending", "lumbar_seg_bending", 5.0),
        ("lumbar_rotation", "thorax_rotation", 4.0),
    ):
        sd = motion.derived_sd[:, DERIVED.index(whole)] / calibration_of(whole, known)
        assert (motion.q_sd[:, person.skeleton.index(part)] > np.radians(spread)).all()
        share = sum(f.ratio for f in FOLLOWERS if f.leader == part)
        alone = np.sqrt(motion.q_sd[:, person.skeleton.index(part)] ** 2 - np.radians(spread) ** 2)
        alone /= calibration_of(part, known)
        assert np.median(sd / ((1.0 + share) * alone)) == pytest.approx(1.0, abs=0.1), whole


def test_frame_rate_does_not_matter():
    slow, fast = stepping(40, 30.0), stepping(80, 60.0)
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 4.0, (40, 33, 2))
    # the same picture twice, as a faster camera would nearly see it
    results = [
        fit([_evidence(slow, pixels(slow, CAMERA) + noise)], slow.time),
        fit([_evidence(fast, pixels(fast, CAMERA) + np.repeat(noise, 2, 0))], fast.time),
    ]
    q = [r.people[0].motion.q[:, _columns(slow)] for r in results]
    assert np.degrees(np.abs(q[0][4:-4] - q[1][8:-8:2])).mean() < 1.0
    sd = [r.people[0].motion.q_sd[:, _columns(slow)] for r in results]
    np.testing.assert_allclose(np.median(sd[0]), np.median(sd[1]), rtol=0.15)


def test_gap_is_bridged_with_growing_variance():
    person = stepping(60)
    xy, confidence = pixels(person, CAMERA) + _noise(60), np.ones((60, 33))
    gap = slice(25, 37)
    xy[gap], confidence[gap] = np.nan, 0.0
    world = directions(person, CAMERA)
    world[gap] = np.nan
    motion = fit([_evidence(person, xy, world, confidence)], person.time).people[0].motion
    assert not motion.observed[gap].any()
    assert motion.observed[:25].all()
    assert (motion.mark[gap] != OBSERVED).all()
    sd = motion.q_sd[:, _columns(person)]
    assert (sd[31] > sd[12]).all()
    assert (sd[31] > sd[26]).all()
    assert sd[31].mean() > 1.25 * sd[12].mean()
    assert np.isfinite(motion.q).all()
    assert np.abs(np.diff(motion.q[:, _columns(person)], axis=0)).max() < 0.5


def test_swapped_labels_are_outvoted(plain):
    person, clean = plain
    rng = np.random.default_rng(5)
    left, right = list(range(11, 33, 2)), list(range(12, 33, 2))
    xy, world = pixels(person, CAMERA) + _noise(60), directions(person, CAMERA)
    for t in rng.choice(60, 3, replace=False):
        for array in (xy, world):
            array[t, left + right] = array[t, right + left]
    swapped = fit([_evidence(person, xy, world)], person.time)
    a, b = (r.people[0].motion.q[:, _columns(person)] for r in (clean, swapped))
    sd = clean.people[0].motion.q_sd[:, _columns(person)]
    assert (np.abs(a - b) / sd).mean() < 0.5
    assert np.degrees(np.abs(a - b)).mean() < 2.0


def test_start_without_a_guess_finds_the_pose():
    person = stepping(20)
    turned = person.points @ rotations.rotation_y(2.0).T
    own = provisional(CAMERA)
    x = to_camera(CAMERA, turned)
    evidence = Evidence(
        (View(own, project(CAMERA, turned), np.ones((20, 33)), JOINT_SET),), x - x[:, 23:25].mean(1, keepdims=True),
        height_m=person.height_m,
    )  # fmt: skip
    result = fit([evidence], person.time)
    assert np.nanmedian(result.people[0].reprojection_px) < 6.0
    error = result.people[0].motion.q[:, _columns(person)] - person.q[:, _columns(person)]
    assert np.degrees(np.abs(error)).mean() < 8.0
    assert result.people[0].motion.alternatives is None  # nobody asked
