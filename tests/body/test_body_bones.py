"""Bones as parameters of their own: lengths exact, soft tissue untouched, motion files hold them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from marrow.body import load_body
from marrow.body.anatomy import bony_landmarks
from marrow.body.bones import BONES, NAMES, bone_lengths, ends_of
from marrow.body.landmarks import joint_centres_of
from marrow.body.points import SKIN_POINTS
from marrow.errors import InputError
from marrow.io.npz import read_motion, write_motion
from marrow.skeleton import Skeleton
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Motion

BODY = load_body()
PEOPLE = ({}, {"gender": 1.0, "weight": 0.85}, {"age": 0.2, "weight": 0.6}, {"age": -0.1}, {"log_scale_thigh": 0.1})


def girth(rest, start: str, end: str, share: float) -> float:
    """Length of the section across a limb at a share of the line between two joint centres, metres."""
    a, b = rest.landmarks[start], rest.landmarks[end]
    at = a + share * (b - a)
    mesh = trimesh.Trimesh(rest.vertices, BODY.faces, process=False)
    path = mesh.section(plane_origin=at, plane_normal=(b - a) / np.linalg.norm(b - a))
    assert path is not None
    loop = min(path.discrete, key=lambda points: np.linalg.norm(points.mean(0) - at))
    assert np.array_equal(loop[0], loop[-1])
    return float(np.linalg.norm(np.diff(loop, axis=0), axis=1).sum())


def lengths(rest) -> dict[str, float]:
    return bone_lengths(rest.landmarks)


@pytest.mark.parametrize("shape", PEOPLE)
@pytest.mark.parametrize("name", sorted(BONES))
def test_a_bone_gets_its_length_exactly_and_no_other_changes(name, shape):
    before = lengths(BODY.rest(shape))
    mine = [n for n in NAMES if n == name or n[:-2] == name]
    for factor in (0.9, 1.1):
        wanted = factor * before[mine[0]]
        after = lengths(BODY.rest(shape, bones={name: wanted}))
        for other in NAMES:
            assert after[other] == pytest.approx(wanted if other in mine else before[other], abs=1e-9), other


def test_one_side_alone_and_all_bones_at_once():
    before = lengths(BODY.rest())
    wanted = {name: before[name] * (1.0 + 0.01 * (i % 7 - 3)) for i, name in enumerate(NAMES)}
    rest = BODY.rest(bones=wanted)
    assert lengths(rest) == pytest.approx(wanted, abs=1e-9)
    assert abs(rest.vertices[:, 1].min()) < 1e-6
    np.testing.assert_allclose(rest.landmarks["pelvis"][[0, 2]], 0.0, atol=1e-9)
    both = lengths(BODY.rest(bones={"femur": 0.42, "femur_l": 0.40}))
    assert (both["femur_r"], both["femur_l"]) == pytest.approx((0.42, 0.40), abs=1e-9)


@pytest.mark.parametrize("shape", PEOPLE)
@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("name", ["femur", "tibia", "humerus", "radius"])
def test_soft_tissue_keeps_its_girth(name, factor, shape):
    rest = BODY.rest(shape)
    other = BODY.rest(shape, bones={name: factor * lengths(rest)[f"{name}_r"]})
    start, end = ends_of(f"{name}_l")
    tolerance = 0.0015 if shape.get("age", 1.0) < 0.0 else 0.001  # a baby's thigh reaches further down its femur
    for share in (0.4, 0.5, 0.6, 0.7, 0.8):
        assert abs(girth(other, start, end, share) - girth(rest, start, end, share)) < tolerance, share
    # A limb that is only carried along keeps its own exactly.
    start, end = ends_of("humerus_r" if name != "humerus" else "tibia_r")
    assert abs(girth(other, start, end, 0.5) - girth(rest, start, end, 0.5)) < 1e-6


def test_widths_carry_the_limbs_along_unchanged():
    rest = BODY.rest()
    own = lengths(rest)
    wide = BODY.rest(bones={"hips": own["hips"] + 0.02, "shoulders": own["shoulders"] + 0.03})
    moved = wide.vertices - rest.vertices
    for tip, dx in (("heel_r", -0.01), ("heel_l", 0.01), ("middle_tip_r", -0.015), ("middle_tip_l", 0.015)):
        np.testing.assert_allclose(moved[list(SKIN_POINTS[tip])], [[dx, 0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(moved[list(SKIN_POINTS["nose"])], 0.0, atol=1e-6)


def test_without_bones_nothing_changes_and_with_them_the_shape_says_it_all(tmp_path):
    rest = BODY.rest({"gender": 1.0})
    assert np.array_equal(BODY.rest({"gender": 1.0}, bones={}).vertices, rest.vertices)
    assert rest.shape == {"gender": 1.0}
    long = BODY.rest({"gender": 1.0}, bones={"femur_r": 0.45, "spine": 0.5})
    assert set(long.shape) == {"gender", "log_bone_femur_r", "log_bone_spine"}
    skeleton = Skeleton.inside(long.landmarks)
    q = np.zeros((1, len(skeleton.coordinates)))
    motion = Motion(np.zeros(1), skeleton.coordinates, q, np.zeros((1, 3)), long.shape)
    write_motion(tmp_path / "motion.npz", motion)
    again = BODY.rest(read_motion(tmp_path / "motion.npz").shape)
    assert np.array_equal(again.vertices, long.vertices)
    assert lengths(again)["femur_r"] == pytest.approx(0.45, abs=1e-9)


def test_the_skeleton_inside_has_the_length_and_poses_the_skin():
    rest = BODY.rest(bones={"femur_l": 0.45})
    skeleton = Skeleton.inside(rest.landmarks)
    _, p = skeleton.forward(skeleton.bind_q)
    thigh = p[skeleton.body_index("tibia_l")] - p[skeleton.body_index("femur_l")]
    assert np.linalg.norm(thigh) == pytest.approx(0.45, abs=1e-6)
    mesh = BODY.pose(rest, skeleton.bind_q)
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), np.ptp(rest.vertices, axis=0), atol=1e-4)


def test_bone_meshes_go_with_the_carried_joint_centres():
    rest = BODY.rest(bones={"femur_r": 0.45})
    centres = joint_centres_of(rest)
    np.testing.assert_allclose(centres["hip_r"], rest.landmarks["hip_r"], atol=1e-9)
    assert np.linalg.norm(joint_centres(bony_landmarks(rest))["hip_r"] - centres["hip_r"]) > 0.002
    plain = BODY.rest()
    for name, point in joint_centres(bony_landmarks(plain)).items():
        np.testing.assert_allclose(joint_centres_of(plain)[name], point, atol=2e-5)


def test_an_asked_length_replaces_what_the_shape_says():
    rest = BODY.rest({"log_bone_tibia_r": 0.1, "log_bone_tibia_l": 0.1}, bones={"tibia_r": 0.40})
    own = lengths(BODY.rest())["tibia_l"]
    assert lengths(rest)["tibia_r"] == pytest.approx(0.40, abs=1e-9)
    assert lengths(rest)["tibia_l"] == pytest.approx(own * np.exp(0.1), abs=1e-9)


def test_a_subset_has_the_same_bones():
    subset = BODY.subset(range(0, 13718, 97), ["height", "log_bone_femur_r", "log_bone_spine", "log_bone_shoulders"])
    vectors = np.array([[0.3, 0.1, -0.05, 0.08], [0.4, 0.0, 0.0, 0.0]])
    many = subset.rest(vectors)
    for i, vector in enumerate(vectors):
        rest = BODY.rest(dict(zip(subset.names, vector, strict=True)))
        np.testing.assert_allclose(many.vertices[i], rest.vertices[::97], atol=2e-6)
        for name, x in rest.landmarks.items():
            np.testing.assert_allclose(many.landmarks[name][i], x, atol=2e-6)
    assert not [n for n in BODY.subset([0]).names if n.startswith("log_bone_")]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"femur": 40.0}, r"0\.2.. to 0\.6.. m; its own is 0\.404 m.*metres"),
        ({"tibia_l": 0.9}, r"tibia_l of 0\.9 m .knee to ankle. is outside"),
        ({"femor": 0.4}, "did you mean femur"),
        ({"hips": float("nan")}, "metres"),
        ({"hips": "wide"}, "metres"),
    ],
)
def test_lengths_that_cannot_be_are_told_with_the_range(asked, words):
    with pytest.raises(InputError, match=words):
        BODY.rest(bones=asked)
