"""Reading a skeleton's motion in the joint classes of newer OpenSim, without OpenSim."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.anatomy import bony_landmarks
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.osim.modern import MOST_BENT, arc_coordinates, merged, modernised
from marrow.skeleton.osim.scapulothoracic import COORDINATES, blade_points, fit_gliding, rib_ellipsoid

ACROSS = np.diag([1.0, 1.0, -1.0])


@pytest.fixture(scope="module")
def person() -> tuple[Skeleton, dict[str, np.ndarray]]:
    rest = load_body("default").rest({"gender": 0.0})
    return Skeleton.inside(rest.landmarks), bony_landmarks(rest)


def turned(x: np.ndarray) -> np.ndarray:
    """The turn of a ConstantCurvatureJoint at coordinates (..., 3)."""
    return rotations.rotation_x(x[..., 0]) @ rotations.rotation_z(x[..., 1]) @ rotations.rotation_y(x[..., 2])


def degrees_apart(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.degrees(np.linalg.norm(rotations.log(np.swapaxes(A, -1, -2) @ B), axis=-1))


def test_turns_within_the_class_are_read_exactly():
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (500, 3))
    np.testing.assert_allclose(arc_coordinates(turned(x)), x, atol=1e-12)
    np.testing.assert_array_equal(arc_coordinates(np.eye(3)), np.zeros(3))
    assert arc_coordinates(np.tile(np.eye(3), (2, 4, 1, 1))).shape == (2, 4, 3)


def test_the_class_is_not_left():
    R = rotations.exp(np.random.default_rng(1).normal(0.0, 1.5, (1000, 3)))
    x = arc_coordinates(R)
    assert np.abs(x).max() <= MOST_BENT
    assert np.arccos(np.cos(x[:, 0]) * np.cos(x[:, 1])).max() < MOST_BENT + 1e-9
    straight = rotations.rotation_z([2.0, -2.5])
    np.testing.assert_allclose(arc_coordinates(straight), [[0.0, MOST_BENT, 0.0], [0.0, -MOST_BENT, 0.0]], atol=1e-12)


def test_a_neck_that_twists_too_far_is_met_as_nearly_as_the_class_can():
    low, high = np.radians([(-70, 75), (-50, 50), (-85, 85)]).T
    R = rotations.from_euler_zxy(np.random.default_rng(2).uniform(low, high, (1000, 3)))
    x = arc_coordinates(R)
    left = degrees_apart(R, turned(x))
    assert 0.05 < (left > 1e-6).mean() < 0.2
    for step in np.eye(3) * 1e-3:  # no change within the bounds brings it nearer
        for change in (step, -step):
            other = np.clip(x + change, -MOST_BENT, MOST_BENT)
            assert (degrees_apart(R, turned(other)) > left - 1e-4).all()


def test_an_ellipsoid_is_found_again_from_its_points():
    rng = np.random.default_rng(2)
    normals = rng.normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    tilt, radii, centre = rotations.rotation_z(0.15), np.array([0.07, 0.16, 0.09]), np.array([0.03, -0.01, 0.05])
    right = centre + (radii * normals) @ tilt.T
    points = np.concatenate([right[right[:, 2] > 0], right[right[:, 2] > 0] @ ACROSS])
    through = centre + tilt @ (1.2 * radii * np.array([-0.6, 0.0, 0.8]))
    found = rib_ellipsoid(points, through)
    np.testing.assert_allclose(found.radii, 1.2 * radii, rtol=1e-3)
    np.testing.assert_allclose(found.p, centre, atol=1e-4)
    np.testing.assert_allclose(found.R, tilt, atol=1e-3)


def test_the_scapula_s_joint(person):
    skeleton, bony = person
    found = fit_gliding(skeleton, bony)
    right, left = found["r"], found["l"]
    assert np.linalg.det(left.R) == pytest.approx(1.0)
    np.testing.assert_allclose(left.p, ACROSS @ right.p, atol=1e-6)  # the body is symmetric
    np.testing.assert_allclose(left.rest, right.rest * [-1.0, 1.0, -1.0, 1.0], atol=1e-6)
    # as large as a rib cage with the tissue under the blade, and inside the chest
    assert 0.05 < right.radii[0] < right.radii[2] < right.radii[1] < 0.25
    assert np.abs(right.p[2]) < 0.08
    assert (right.ranges[:, 0] < right.rest).all()
    assert (right.rest < right.ranges[:, 1]).all()


def test_both_sides_move_as_mirror_images(person):
    """Left abduction and upward rotation count the other way; elevation and winging do not."""
    skeleton, bony = person
    rng, q = np.random.default_rng(3), np.zeros((5, len(skeleton.coordinates)))
    for name in ("clav_protraction", "clav_elevation", "scap_protraction", "scap_upward", "scap_tilt"):
        for side in "rl":
            q[:, skeleton.index(f"{name}_{side}")] = rng.uniform(0.0, 0.3, 5) if side == "r" else 0.0
            q[:, skeleton.index(f"{name}_l")] = q[:, skeleton.index(f"{name}_r")]
    found = modernised(skeleton, bony, q)
    values = dict(zip(found.coordinates, found.q.T, strict=True))
    for name, sign in zip(COORDINATES, (-1.0, 1.0, -1.0, 1.0), strict=True):
        np.testing.assert_allclose(values[f"{name}_l"], sign * values[f"{name}_r"], atol=1e-4, err_msg=name)
    np.testing.assert_allclose(*found.deviation.gap_mm.T, atol=1e-3)


def test_forward_up_and_upward_are_positive_on_the_right(person):
    skeleton, bony = person
    q = np.zeros((4, len(skeleton.coordinates)))
    q[1, skeleton.index("clav_protraction_r")] = 0.3
    q[2, skeleton.index("clav_elevation_r")] = 0.3
    q[3, skeleton.index("scap_upward_r")] = 0.3
    found = modernised(skeleton, bony, q)
    column = [found.coordinates.index(f"{name}_r") for name in COORDINATES]
    rest, forward, up, upward = found.q[:, column]
    assert forward[0] > rest[0] + 0.1
    assert up[1] > rest[1] + 0.1
    assert upward[2] > rest[2] + 0.1


def test_arms_keep_their_orientation_and_their_description(person):
    skeleton, bony = person
    rng = np.random.default_rng(4)
    q = np.zeros((30, len(skeleton.coordinates)))
    q[:, skeleton.index("clav_elevation_r")] = 0.4
    names = [f"gh_{way}_r" for way in ("flex", "add", "rot")]
    columns = [skeleton.index(name) for name in names]
    q[:, columns] = rng.uniform(-1.0, 1.0, (30, 3))
    q[:, columns[1]] += np.pi  # beyond a right angle there are two descriptions; the given one stays
    found = modernised(skeleton, bony, q)
    new = found.q[:, [found.coordinates.index(name) for name in names]]
    assert np.abs(new - q[:, columns]).max() < 1.2
    assert found.deviation.deg[:, found.deviation.segments.index("humerus_r")].max() < 1e-5


def test_masses_of_the_light_bodies_go_to_what_they_carry(person):
    skeleton, _ = person
    rng, count = np.random.default_rng(5), len(skeleton.bodies)
    spread = np.einsum("bij,bkj->bik", *[rng.normal(0, 0.1, (count, 3, 3))] * 2)
    inertia = np.trace(spread, axis1=1, axis2=2)[:, None, None] * np.eye(3) - spread
    masses = SegmentMasses(np.ones(count), rng.uniform(0.5, 2, count), rng.normal(0, 0.1, (count, 3)), inertia)
    found = merged(masses, skeleton)

    def whole(m: SegmentMasses) -> tuple[float, np.ndarray, np.ndarray]:
        """Mass, centre and inertia about the world's origin of the body in its bind pose."""
        R, p = skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3]
        x = p + np.einsum("bij,bj->bi", R, m.centre)
        own = R @ m.inertia @ np.swapaxes(R, 1, 2)
        shift = np.einsum("bi,bi->b", x, x)[:, None, None] * np.eye(3) - np.einsum("bi,bj->bij", x, x)
        return m.mass.sum(), m.mass @ x, (own + m.mass[:, None, None] * shift).sum(0)

    for a, b in zip(whole(found), whole(masses), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    gone = [skeleton.body_index(f"{name}_arc") for name in ("lumbar", "thorax", "neck")]
    assert not found.mass[gone].any()
    kept = skeleton.body_index("femur_r")
    assert found.mass[kept] == masses.mass[kept]


def test_what_is_held_is_welded(person):
    skeleton, bony = person
    q = np.random.default_rng(6).normal(0.0, 0.1, (1, len(skeleton.coordinates)))
    q = np.repeat(q, 3, axis=0)
    spine_and_girdle = [n for n in skeleton.coordinates if n.startswith(("lumbar", "thorax", "neck", "clav", "scap"))]
    fixed = {name: float(q[0, skeleton.index(name)]) for name in [*spine_and_girdle, "wrist_dev_l", "mtp_angle_r"]}
    found = modernised(skeleton, bony, q, fixed)
    assert {joint.joint.kind for joint in found.joints.values() if joint} == {"WeldJoint"}
    assert set(found.fixed) == {*(n for n in fixed if n.startswith("clav")), "wrist_dev_l", "mtp_angle_r"}
    assert not {*spine_and_girdle, "mtp_angle_r"} & set(found.coordinates)
    assert "wrist_dev_l" in found.coordinates
    assert max(found.deviation.mm.max(), found.deviation.deg.max()) < 1e-5
    np.testing.assert_allclose(found.q, q[:, [skeleton.index(name) for name in found.coordinates]], atol=1e-9)


def test_a_missing_landmark_is_told(person):
    skeleton, bony = person
    bare = {name: x for name, x in bony.items() if name != "scapula_trigonum_r"}
    with pytest.raises(InputError, match=r"scapula_trigonum_r missing; give those of"):
        blade_points(skeleton, bare, "r")


def test_ranges_hold_the_motion(person):
    skeleton, bony = person
    q = np.zeros((2, len(skeleton.coordinates)))
    q[1, skeleton.index("lumbar_seg_extension")] = np.radians(-75.0)
    found = modernised(skeleton, bony, q)
    joint = found.joints["lumbar"]
    assert joint is not None
    low, high = dict(zip(joint.coordinates, joint.ranges, strict=True))["lumbar_seg_extension"]
    assert low == pytest.approx(np.radians(-75.0), abs=1e-5)
    assert high == skeleton.ranges[skeleton.index("lumbar_seg_extension"), 1]
    assert dataclasses.replace(joint).coordinates == (
        "lumbar_seg_bending", "lumbar_seg_extension", "lumbar_seg_rotation",
    )  # fmt: skip
