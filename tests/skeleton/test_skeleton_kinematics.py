"""Kinematics: kernels against the plain twin, derivatives against finite differences, identities of the coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing_body import standing

from marrow.conventions import R_GROUND_WORLD
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton import BASE, DERIVED, Skeleton, kinematics
from marrow.skeleton import _fast_kinematics as fast


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return Skeleton.inside(standing())


def random_q(skeleton: Skeleton, count: int, seed: int, size: float = 0.8) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, (count, len(skeleton.coordinates)))


def world_points(skeleton: Skeleton, q, bodies, local):
    R, p = skeleton.forward(q)
    return p[..., bodies, :] + np.einsum("...nij,nj->...ni", R[..., bodies, :, :], local)


@pytest.mark.parametrize("knee", ["rolling", "hinge"])
@pytest.mark.parametrize("tangent", [False, True])
def test_kernels_equal_the_plain_twin(tangent, knee):
    skeleton = Skeleton.inside(standing(), knee=knee)
    tree, x = skeleton.tree, random_q(skeleton, 5, 0)
    x[0] = 0.0  # the small-angle branch
    R_joint = kinematics.joint_rotations(tree, x, tangent=tangent)
    fast_joint = fast.joint_rotations(tree.structure, x, tangent)
    np.testing.assert_allclose(fast_joint, R_joint, atol=1e-13)
    places = kinematics.joint_places(tree, x, skeleton.offsets, skeleton.length)
    fast_places = fast.joint_places(tree.structure, x, skeleton.offsets, skeleton.length)
    np.testing.assert_allclose(fast_places, places, atol=1e-13)
    root = x[:, 3:6] @ BASE.T
    R, p = kinematics.forward(tree, R_joint, places, root)
    fast_R, fast_p = fast.forward(tree.parents, fast_joint, fast_places, root)
    np.testing.assert_allclose(fast_R, R, atol=1e-12)
    np.testing.assert_allclose(fast_p, p, atol=1e-12)
    plain = kinematics.dof_twists(tree, skeleton.length, x, R, p, tangent=tangent)
    compiled = fast.dof_twists(tree.structure, skeleton.length, x, R, p, tangent)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_only_spine_and_knees_slide(skeleton):
    """Everything else keeps its place in its parent, whatever the pose; the slides are nothing at zero."""
    q = random_q(skeleton, 8, 7)
    q[0] = 0.0
    places = skeleton.joint_places(q)
    np.testing.assert_allclose(places[0], skeleton.offsets, atol=1e-15)
    moved = np.ptp(places, axis=0).max(-1) > 1e-9
    arcs = {"lumbar_arc", "lumbar", "thorax_arc", "torso", "neck_arc", "head"}
    assert {name for name, own in zip(skeleton.bodies, moved, strict=True) if own} == arcs | {"tibia_r", "tibia_l"}
    plain = Skeleton.inside(standing(), knee="hinge")
    still = np.ptp(plain.joint_places(q), axis=0).max(-1) < 1e-15
    assert still[[plain.body_index("tibia_r"), plain.body_index("tibia_l")]].all()
    assert plain.coordinates == skeleton.coordinates


def test_zero_pose_has_all_frames_parallel_to_the_ground(skeleton):
    R, p = skeleton.forward(np.zeros(len(skeleton.coordinates)))
    np.testing.assert_allclose(R, np.broadcast_to(R_GROUND_WORLD.T, R.shape), atol=1e-15)
    np.testing.assert_array_equal(p[0], 0.0)
    above = [skeleton.body_index(b) for b in ("femur_r", "tibia_r", "talus_r", "toes_r")]
    assert (np.diff(p[above, 1]) < 0).all(), "the leg hangs downwards"
    assert p[skeleton.body_index("humerus_l"), 0] > 0, "left is +X"


def test_landmarks_at_joint_centres_stay_at_the_joints(skeleton):
    """Whatever the pose: the disc at an arc's end goes with the segment above it, also when that bends sideways."""
    R, p = skeleton.forward(random_q(skeleton, 6, 8))
    at = {"t12_l1": "lumbar", "t8_body": "torso", "head": "head", "elbow_r": "radius_r", "knee_l": "tibia_l"}
    at |= {joint.centre: joint.body for joint in skeleton.joints if joint.centre not in at}
    found = skeleton.points(R, p, tuple(at))
    for i, (name, body) in enumerate(at.items()):
        np.testing.assert_allclose(found[:, i], p[:, skeleton.body_index(body)], atol=1e-12, err_msg=name)


def test_leading_dimensions_and_translation(skeleton):
    q = random_q(skeleton, 6, 1).reshape(2, 3, -1)
    R, p = skeleton.forward(q)
    assert R.shape == (2, 3, len(skeleton.bodies), 3, 3)
    R1, p1 = skeleton.forward(q[1, 2])
    np.testing.assert_allclose(R[1, 2], R1, atol=1e-15)
    np.testing.assert_allclose(p[1, 2], p1, atol=1e-15)
    shift = np.array([0.3, -0.2, 0.5])
    _, moved = skeleton.forward(q, translation=q[..., 3:6] @ R_GROUND_WORLD + shift)
    np.testing.assert_allclose(moved, p + shift, atol=1e-12)
    again = skeleton.compose(skeleton.joint_rotations(q), p[..., 0, :])
    np.testing.assert_allclose(again[1], p, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_jacobian_of_coordinates(seed):
    skeleton = Skeleton.inside(standing())
    rng = np.random.default_rng(seed)
    q = rng.normal(0, 0.7, len(skeleton.coordinates))
    bodies, local = rng.integers(0, len(skeleton.bodies), 6), rng.normal(0, 0.1, (6, 3))
    J = skeleton.jacobian(q, bodies, local)
    h = 1e-6
    steps = np.eye(len(q)) * h
    numeric = (world_points(skeleton, q + steps, bodies, local) - world_points(skeleton, q - steps, bodies, local)) / (
        2 * h
    )
    np.testing.assert_allclose(J, np.moveaxis(numeric, 0, -1), atol=1e-8)


def test_jacobian_of_tangent_increments(skeleton):
    rng = np.random.default_rng(3)
    q = rng.normal(0, 0.7, len(skeleton.coordinates))
    bodies = np.arange(0, len(skeleton.bodies), 2)
    local = rng.normal(0, 0.1, (len(bodies), 3))
    J = skeleton.jacobian(q, bodies, local, tangent=True)
    hinged = np.setdiff1d(np.arange(6, len(q)), skeleton.tree.ball_slots)
    np.testing.assert_allclose(J[..., hinged], skeleton.jacobian(q, bodies, local)[..., hinged], atol=1e-12)
    R_joint, h = skeleton.joint_rotations(q), 1e-6
    tree = skeleton.tree
    for _, d, _ in tree.balls:
        b = int(tree.dof_body[d])
        for i in range(3):
            ends = []
            for sign in (1, -1):
                turned = R_joint.copy()
                turned[b] = turned[b] @ rotations.exp(sign * h * np.eye(3)[i])
                R, p = skeleton.compose(turned, q[3:6] @ R_GROUND_WORLD)
                ends.append(p[bodies] + np.einsum("nij,nj->ni", R[bodies], local))
            np.testing.assert_allclose(J[..., d + i], (ends[0] - ends[1]) / (2 * h), atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_tangent_round_trip_keeps_every_rotation(seed):
    """A knee's flexion is read off its coupled turns within its range, and a good way beyond."""
    skeleton = Skeleton.inside(standing())
    q = np.random.default_rng(seed).normal(0, 1.2, (4, len(skeleton.coordinates)))
    knees = [skeleton.index(f"knee_angle_{side}") for side in "rl"]
    q[:, knees] = np.clip(q[:, knees], *np.radians([-45.0, 180.0]))
    x = skeleton.to_tangent(q)
    R = skeleton.joint_rotations(q)
    np.testing.assert_allclose(skeleton.joint_rotations(x, tangent=True), R, atol=1e-9)
    np.testing.assert_allclose(skeleton.joint_rotations(skeleton.from_tangent(x)), R, atol=1e-9)
    root = q[..., 3:6] @ R_GROUND_WORLD
    back = skeleton.coordinates_from_joint_rotations(R, root)
    np.testing.assert_allclose(skeleton.joint_rotations(back), R, atol=1e-9)
    np.testing.assert_allclose(back[..., 3:6], q[..., 3:6], atol=1e-12)


def test_coordinates_come_back_where_angles_are_small(skeleton):
    q = random_q(skeleton, 50, 4, size=0.3)
    np.testing.assert_allclose(skeleton.from_tangent(skeleton.to_tangent(q)), q, atol=1e-9)
    back = skeleton.coordinates_from_joint_rotations(skeleton.joint_rotations(q), q[:, 3:6] @ R_GROUND_WORLD)
    np.testing.assert_allclose(back, q, atol=1e-9)


def test_unwrap_follows_a_turn_and_an_arm_over_the_head(skeleton):
    time = np.linspace(0, 1, 80)
    q = np.zeros((80, len(skeleton.coordinates)))
    q[:, skeleton.index("pelvis_rotation")] = 9.0 * time
    q[:, skeleton.index("gh_add_l")] = -2.6 * time  # beyond the pole of the Z-X-Y angles
    principal = skeleton.from_tangent(skeleton.to_tangent(q))
    assert np.abs(np.diff(principal, axis=0)).max() > 2.0
    np.testing.assert_allclose(skeleton.unwrap(principal), q, atol=1e-7)


def test_arm_angles_are_the_humerus_against_the_thorax(skeleton):
    q = np.zeros((3, len(skeleton.coordinates)))
    for side in "rl":
        q[:, skeleton.index(f"gh_flex_{side}")] = 0.4
        q[:, skeleton.index(f"gh_add_{side}")] = -0.3
        q[:, skeleton.index(f"gh_rot_{side}")] = 0.2
    q[:, skeleton.index("lumbar_seg_bending")] = 0.5  # must not show
    arm = skeleton.derived_angles(q)
    for side in "rl":
        found = [arm[f"arm_{name}_{side}"] for name in ("flex", "add", "rot")]
        np.testing.assert_allclose(found, np.repeat([[0.4], [-0.3], [0.2]], 3, 1), atol=1e-12)
    q[:, skeleton.index("clav_elevation_l")] = 0.2
    raised = skeleton.derived_angles(q)
    assert (raised["arm_add_l"] < arm["arm_add_l"] - 0.1).all(), "raising the girdle abducts the arm"
    np.testing.assert_allclose(raised["arm_add_r"], arm["arm_add_r"], atol=1e-12)
    q[:, skeleton.index("scap_upward_l")] = 0.3
    turned = skeleton.derived_angles(q)
    assert (turned["arm_add_l"] < raised["arm_add_l"] - 0.1).all(), "so does turning the scapula upwards"


@pytest.mark.parametrize(
    ("coordinate", "derived"),
    [
        ("lumbar_seg_extension", "lumbar_extension"),
        ("thorax_extension", "lumbar_extension"),
        ("lumbar_seg_bending", "lumbar_bending"),
        ("thorax_bending", "lumbar_bending"),
        ("lumbar_seg_rotation", "lumbar_rotation"),
        ("thorax_rotation", "lumbar_rotation"),
    ],
)
def test_trunk_angles_are_the_rib_cage_against_the_pelvis(skeleton, coordinate, derived):
    q = np.zeros(len(skeleton.coordinates))
    q[skeleton.index(coordinate)] = 0.2
    q[:3] = 0.4, -0.3, 0.8  # where the pelvis points must not show
    q[skeleton.index("neck_extension")] = 0.5
    found = skeleton.derived_angles(q)
    assert tuple(found) == DERIVED
    for name in DERIVED[:3]:
        assert found[name] == pytest.approx(0.2 if name == derived else 0.0, abs=1e-12)


def test_derived_angles_follow_an_arm_over_the_head(skeleton):
    q = np.zeros((80, len(skeleton.coordinates)))
    q[:, skeleton.index("gh_add_l")] = np.linspace(0.0, -2.6, 80)  # beyond the pole of the Z-X-Y angles
    together = skeleton.derived_angles(q)["arm_add_l"]
    np.testing.assert_allclose(together, q[:, skeleton.index("gh_add_l")], atol=1e-9)
    alone = skeleton.derived_angles(q[:, None])["arm_add_l"][:, 0]
    assert np.abs(alone).max() < np.pi / 2 + 1e-9, "each frame alone stays on the principal branch"


def test_without_fingers_moves_the_rest_alike(skeleton):
    small = skeleton.without_fingers()
    q = random_q(skeleton, 3, 5)
    slots = [skeleton.index(name) for name in small.coordinates]
    R, p = skeleton.forward(q)
    R2, p2 = small.forward(q[:, slots])
    bodies = [skeleton.body_index(b) for b in small.bodies]
    np.testing.assert_allclose(R2, R[:, bodies], atol=1e-14)
    np.testing.assert_allclose(p2, p[:, bodies], atol=1e-14)
    assert len(small.bodies) == 29
    direct = Skeleton.inside(standing(), fingers=False)
    np.testing.assert_allclose(direct.length, small.length, atol=1e-14)
    np.testing.assert_allclose(direct.offsets, small.offsets, atol=1e-14)
    assert set(small.point_names) == set(direct.point_names)


def mirrored_coordinates(skeleton: Skeleton, q: np.ndarray) -> np.ndarray:
    """The pose seen in a mirror: sides swapped, what leans, turns or lies sideways in the midline reversed."""
    out = np.empty_like(q)
    flipped = {"pelvis_list", "pelvis_rotation", "pelvis_tz"}
    flipped |= {f"{part}_{way}" for part in ("lumbar_seg", "thorax", "neck") for way in ("bending", "rotation")}
    for i, name in enumerate(skeleton.coordinates):
        other = {"r": "l", "l": "r"}
        source = f"{name[:-1]}{other[name[-1]]}" if name[-2:] in ("_r", "_l") else name
        out[..., i] = q[..., skeleton.index(source)] * (-1.0 if name in flipped else 1.0)
    return out


def test_a_mirrored_pose_has_mirrored_joints(skeleton):
    q = random_q(skeleton, 4, 6)
    R, p = skeleton.forward(q)
    R2, p2 = skeleton.forward(mirrored_coordinates(skeleton, q))
    names = skeleton.point_names
    swap = [
        names.index(f"{n[:-1]}{'l' if n[-1] == 'r' else 'r'}") if n[-2:] in ("_r", "_l") else names.index(n)
        for n in names
    ]
    seen = skeleton.points(R, p) * [-1.0, 1.0, 1.0]
    np.testing.assert_allclose(skeleton.points(R2, p2)[:, swap], seen, atol=1e-12)


@pytest.mark.parametrize(
    ("coordinate", "point", "direction"),
    [
        ("hip_flexion", "knee", (0, 0, 1)),
        ("hip_adduction", "knee", "medial"),
        ("hip_rotation", "toe_tip", "medial"),
        ("knee_angle", "ankle", (0, 0, -1)),
        ("ankle_angle", "toe_tip", (0, 1, 0)),
        ("subtalar_angle", "mtp", "medial"),
        ("mtp_angle", "toe_tip", (0, -1, 0)),
        ("clav_protraction", "shoulder", (0, 0, 1)),
        ("clav_elevation", "shoulder", (0, 1, 0)),
        ("scap_protraction", "shoulder", (0, 0, 1)),
        ("scap_upward", "elbow", "lateral"),
        ("scap_tilt", "elbow", (0, 0, 1)),
        ("gh_flex", "elbow", (0, 0, 1)),
        ("gh_add", "elbow", "medial"),
        ("elbow_flex", "wrist", (0, 0, 1)),
        ("pro_sup", "thumb_tip", (0, 0, 1)),
        ("wrist_flex", "middle_mcp", (0, 0, 1)),
        ("wrist_dev", "middle_mcp", "medial"),
        ("index_mcp_flex", "index_tip", (0, 0, 1)),
        ("index_mcp_abd", "index_tip", "lateral"),
        ("little_mcp_abd", "little_tip", "medial"),
        ("thumb_cmc_abd", "thumb_tip", (0, 0, 1)),
        ("thumb_cmc_flex", "thumb_tip", "medial"),
    ],
)
@pytest.mark.parametrize("side", ["r", "l"])
def test_positive_means_what_the_field_means(skeleton, coordinate, point, direction, side):
    q = np.zeros(len(skeleton.coordinates))
    before = skeleton.points(*skeleton.forward(q), (f"{point}_{side}",))[0]
    q[skeleton.index(f"{coordinate}_{side}")] = 0.3
    after = skeleton.points(*skeleton.forward(q), (f"{point}_{side}",))[0]
    if isinstance(direction, str):
        inwards = 1.0 if side == "r" else -1.0  # right is -X
        direction = np.array([inwards if direction == "medial" else -inwards, 0, 0])
    assert (after - before) @ np.asarray(direction, float) > 0.003


@pytest.mark.parametrize(
    ("coordinate", "point", "direction"),
    [
        ("pelvis_tilt", "head_top", (0, 0, -1)),
        ("pelvis_list", "head_top", (-1, 0, 0)),
        ("pelvis_rotation", "hip_r", (0, 0, 1)),
        ("pelvis_tx", "head_top", (0, 0, 1)),
        ("pelvis_tz", "head_top", (-1, 0, 0)),
        ("lumbar_seg_extension", "head_top", (0, 0, -1)),
        ("thorax_extension", "head_top", (0, 0, -1)),
        ("lumbar_seg_bending", "head_top", (-1, 0, 0)),
        ("thorax_bending", "head_top", (-1, 0, 0)),
        ("lumbar_seg_rotation", "shoulder_r", (0, 0, 1)),
        ("thorax_rotation", "shoulder_r", (0, 0, 1)),
        ("neck_extension", "head_top", (0, 0, -1)),
        ("neck_bending", "head_top", (-1, 0, 0)),
    ],
)
def test_positive_in_the_midline(skeleton, coordinate, point, direction):
    q = np.zeros(len(skeleton.coordinates))
    before = skeleton.points(*skeleton.forward(q), (point,))[0]
    q[skeleton.index(coordinate)] = 0.2
    after = skeleton.points(*skeleton.forward(q), (point,))[0]
    assert (after - before) @ np.asarray(direction, float) > 0.01


def test_wrong_sizes_and_names_are_refused(skeleton):
    with pytest.raises(InputError, match=r"93"):
        skeleton.forward(np.zeros(92))
    with pytest.raises(InputError, match="knee_angle_r"):
        skeleton.index("knee_angel_r")
    with pytest.raises(InputError, match="tibia_r"):
        skeleton.body_index("tibia")
    with pytest.raises(InputError, match="'rolling' or 'hinge', got 'ball'"):
        Skeleton.inside(standing(), knee="ball")  # type: ignore[arg-type]
