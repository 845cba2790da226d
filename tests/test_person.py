"""What a person of a capture says of itself: derived angles with their uncertainty, names, sizes, files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.body import load_body
from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, project
from marrow.io import EXPORTERS
from marrow.io.mot import read_mot
from marrow.io.trc import read_trc
from marrow.person import Person, standing_height_px
from marrow.skeleton import DERIVED, Skeleton
from marrow.skeleton.osim import Kinematics, read_osim
from marrow.types import OBSERVED, WEAK, Camera, Keypoints, Motion, Track

T = 6


@pytest.fixture(scope="module")
def person() -> Person:
    """Somebody with bent arms, five pixels from where the detector saw them."""
    body = load_body("default")
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    rng = np.random.default_rng(0)
    q = np.zeros((T, len(skeleton.coordinates)))
    for side in "rl":
        for name, degrees in (("gh_flex", 50), ("gh_add", -20), ("gh_rot", 15), ("clav_elevation", 8)):
            q[:, skeleton.index(f"{name}_{side}")] = np.radians(degrees)
    q += np.radians(rng.normal(0, 3, q.shape))
    mark = np.full(q.shape, OBSERVED, np.uint8)
    derived_mark = np.full((T, len(DERIVED)), OBSERVED, np.uint8)
    derived_mark[: T - 2, DERIVED.index("arm_rot_l")] = WEAK
    motion = Motion(
        time=np.arange(T) / 30,
        coordinates=skeleton.coordinates,
        q=q,
        translation=np.tile([0.0, 1.0, 0.0], (T, 1)),
        shape={},
        q_sd=np.radians(rng.uniform(1, 3, q.shape)),
        mark=mark,
        derived_sd=np.radians(rng.uniform(1, 3, derived_mark.shape)),
        derived_mark=derived_mark,
        observed=np.ones(T, bool),
    )
    points = Keypoints("coco17", np.zeros((T, 17, 2), np.float32), np.ones((T, 17), np.float32))
    track = Track(1, np.arange(T), points, np.tile(np.float32([0, 0, 100, 50]), (T, 1)), np.ones(T, np.float32))
    return Person(
        name="person_1",
        track=track,
        frames=np.arange(T),
        video_time=motion.time,
        motion=motion,
        skeleton=skeleton,
        rest=rest,
        body=body,
        reprojection_px=np.full((T, 17), 5.0),
        height_m=1.7,
        height_given=True,
        height_px=np.full(T, 500.0),
    )


def test_derived_angles_are_told_like_the_others(person):
    assert set(person.confidence) == set(person.observed) == set(person.angles)
    angles = person.skeleton.derived_angles(person.motion.q)
    for i, name in enumerate(DERIVED):
        np.testing.assert_allclose(person.angles[name], np.degrees(angles[name]))
        np.testing.assert_allclose(person.confidence[name], np.degrees(person.motion.derived_sd[:, i]))
    assert person.observed["arm_flex_r"] == person.observed["arm_flex_l"] == "observed"
    assert person.observed["arm_rot_l"] == "weak"  # in most frames


def test_what_was_not_estimated_is_not_told(person):
    bare = dataclasses.replace(person.motion, q_sd=None, mark=None, derived_sd=None, derived_mark=None)
    without = dataclasses.replace(person, motion=bare)
    assert set(without.confidence) == set(without.angles)
    assert np.isnan(without.confidence["arm_flex_r"]).all()
    assert np.isnan(without.confidence["knee_angle_r"]).all()
    assert without.observed == {}


def test_a_wrong_name_is_answered_with_near_ones(person):
    for names in (person.angles, person.confidence, person.observed):
        with pytest.raises(KeyError, match=r"^no coordinate 'knee'; did you mean .*knee_angle_r"):
            names["knee"]
        assert "knee" not in names
        assert names.get("knee") is None
    with pytest.raises(InputError):
        person.angles["knee"]


def test_errors_are_shares_of_the_standing_height(person):
    assert person.summary()["error (% of height)"] == pytest.approx(1.0)
    assert person.error.shape == (T, 17)


def test_standing_height_in_the_picture():
    camera = camera_from_fov((1000, 800), 60.0)
    upright = Camera(camera.K, camera.size, np.diag([1.0, -1.0, -1.0]), np.array([0.0, 1.0, 0.0]))
    place = np.array([[0.3, 0.9, -4.0], [0.0, 0.9, -8.0], [0.0, 0.9, 4.0]])
    found = standing_height_px(1.8, place, upright)
    ends = project(upright, place[:2, None] + np.array([[0.0, -0.9, 0.0], [0.0, 0.9, 0.0]]))
    np.testing.assert_allclose(found[:2], ends[:, 0, 1] - ends[:, 1, 1])
    assert np.isnan(found[2])  # behind the camera


def test_a_person_goes_to_opensim(person, tmp_path):
    for name in ("walk.osim", "walk.mot", "walk.trc"):
        assert person.save(tmp_path / name, mass_kg=70.0) == []
    model = read_osim(tmp_path / "walk.osim")
    assert sum(body.mass for body in model.bodies) == pytest.approx(70.0)
    table, markers = read_mot(tmp_path / "walk.mot"), read_trc(tmp_path / "walk.trc")
    np.testing.assert_allclose(table.column("gh_flex_r"), person.angles["gh_flex_r"], atol=1e-6)
    body = Kinematics(model)
    q = np.radians(table.values)
    lengths = [table.names.index(name) for name in ("pelvis_tx", "pelvis_ty", "pelvis_tz")]
    q[:, lengths] = table.values[:, lengths]
    found = body.marker_positions(q[:, [table.names.index(name) for name in body.coordinates]])
    order = [body.markers.index(name) for name in markers.names]
    np.testing.assert_allclose(found[:, order], markers.xyz, atol=1e-5)
    with pytest.raises(InputError, match="mass_kg"):
        person.save(tmp_path / "walk.osim", mass_kg=0.0)


def test_unknown_suffixes_are_answered_with_all_that_are_there(person, tmp_path):
    with pytest.raises(InputError) as caught:
        person.save(tmp_path / "walk.fbx")
    assert all(suffix in str(caught.value) for suffix in (*EXPORTERS, ".html"))
    assert list(tmp_path.iterdir()) == []
