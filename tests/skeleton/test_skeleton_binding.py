"""Placing the skeleton: whatever the landmarks, the bind pose is met exactly by coordinates the joints have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing_body import standing

from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton import Skeleton, bind_many, binding, definition, tree


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    stature=st.floats(0.5, 2.2),
    abduction=st.floats(0.0, 1.5),
    bend=st.floats(0.0, 2.0),
)
def test_bind_pose_meets_every_landmark(seed, stature, abduction, bend):
    rng = np.random.default_rng(seed)
    landmarks = standing(stature, abduction, bend)
    noisy = {name: x + rng.normal(0, 0.003 * stature, 3) for name, x in landmarks.items()}
    skeleton = Skeleton.inside(noisy)
    R, p = skeleton.forward(skeleton.bind_q)
    np.testing.assert_allclose(R, skeleton.bind[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(p, skeleton.bind[:, :3, 3], atol=1e-12)
    found = skeleton.points(R, p)
    for name, x in zip(skeleton.point_names, found, strict=True):
        np.testing.assert_allclose(x, noisy[name], atol=1e-12)
    assert set(skeleton.point_names) == set(landmarks)


def test_angles_of_the_bind_pose_are_the_geometric_ones():
    skeleton = Skeleton.inside(standing(arm_abduction=0.6, elbow_bend=1.0))
    q = dict(zip(skeleton.coordinates, skeleton.bind_q, strict=True))
    for side in "rl":
        assert q[f"elbow_flex_{side}"] == pytest.approx(1.0, abs=0.06)
        assert q[f"gh_add_{side}"] == pytest.approx(-0.6, abs=0.15)
        assert 0 < q[f"knee_angle_{side}"] < 0.12
        assert abs(q[f"hip_rotation_{side}"]) < 1e-9
        assert q[f"pro_sup_{side}"] == pytest.approx(np.pi / 2, abs=0.3), "palm at the thigh: half pronated"
        assert q[f"thumb_cmc_abd_{side}"] > 0.2
    assert q["pelvis_ty"] == pytest.approx(0.56 * 1.7)
    assert q["pelvis_tx"] == pytest.approx(0.01)


def test_feet_are_flat_and_both_sides_alike():
    skeleton = Skeleton.inside(standing())
    for side in "rl":
        sole = skeleton.bind[skeleton.body_index(f"calcn_{side}"), :3, 1]
        np.testing.assert_allclose(sole, [0, 1, 0], atol=1e-9)
    names = [n for n in skeleton.coordinates if n.endswith("_r")]
    right = skeleton.bind_q[[skeleton.index(n) for n in names]]
    left = skeleton.bind_q[[skeleton.index(n[:-1] + "l") for n in names]]
    np.testing.assert_allclose(right, left, atol=1e-12)


def test_a_bent_leg_gives_the_knee_axis():
    landmarks = standing()
    turn = rotations.rotation_y(0.4)  # the whole right leg turned out, its knee bent by 1.2
    hip, knee = landmarks["hip_r"], landmarks["knee_r"]
    for name in ("ankle", "subtalar", "heel", "mtp", "toe_tip"):
        bent = rotations.axis_angle([1.0, 0.0, 0.0], 1.2) @ (landmarks[f"{name}_r"] - knee) + knee
        landmarks[f"{name}_r"] = turn @ (bent - hip) + hip
    landmarks["knee_r"] = turn @ (knee - hip) + hip
    skeleton = Skeleton.inside(landmarks)
    assert skeleton.bind_q[skeleton.index("knee_angle_r")] == pytest.approx(1.25, abs=0.06)
    assert abs(skeleton.bind_q[skeleton.index("hip_rotation_r")] - 0.4) < 0.12
    R, p = skeleton.forward(skeleton.bind_q)
    np.testing.assert_allclose(skeleton.points(R, p, ("toe_tip_r",))[0], landmarks["toe_tip_r"], atol=1e-12)


def test_many_bodies_at_once_equal_one_by_one():
    bodies = [standing(s, a) for s, a in ((0.7, 0.2), (1.6, 0.9), (1.9, 0.5))]
    stacked = {name: np.stack([b[name] for b in bodies]) for name in bodies[0]}
    frames, offsets, length = bind_many(stacked)
    q = binding.bind(tree.whole(), stacked).q
    for i, body in enumerate(bodies):
        one = Skeleton.inside(body)
        np.testing.assert_allclose(q[i], one.bind_q, atol=1e-13)
        np.testing.assert_allclose(frames[i], one.bind, atol=1e-13)
        np.testing.assert_allclose(offsets[i], one.offsets, atol=1e-13)
        np.testing.assert_allclose(length[i], one.length, atol=1e-13)


def test_units_of_the_slides_are_the_persons_own_lengths():
    """The spine's are those of its segments; the knee's is the thigh's."""
    landmarks = standing(1.5)
    skeleton = Skeleton.inside(landmarks)
    ends = {
        "lumbar_arc": ("l5_s1", "t12_l1"), "lumbar": ("l5_s1", "t12_l1"), "thorax_arc": ("t12_l1", "t8_body"),
        "torso": ("t12_l1", "t8_body"), "neck_arc": ("neck", "head"), "head": ("neck", "head"),
        "tibia_r": ("hip_r", "knee_r"), "tibia_l": ("hip_l", "knee_l"),
    }  # fmt: skip
    for name, length in zip(skeleton.bodies, skeleton.length, strict=True):
        start, end = ends.get(name, ("pelvis", "pelvis"))
        assert length == pytest.approx(float(np.linalg.norm(landmarks[end] - landmarks[start]))), name


def test_where_the_flesh_of_a_segment_begins():
    """The spine's segments have their origins at their upper ends and their flesh from the lower ones upwards."""
    landmarks = standing()
    skeleton = Skeleton.inside(landmarks)
    cuts = dict(zip(skeleton.bodies, skeleton.cuts, strict=True))
    for body, mark in (("lumbar", "l5_s1"), ("torso", "t12_l1"), ("head", "neck"), ("femur_r", "hip_r")):
        np.testing.assert_allclose(cuts[body], landmarks[mark], atol=1e-12, err_msg=body)


@pytest.mark.parametrize("knee", ["rolling", "hinge"])
def test_bent_knees_of_a_bind_pose_are_met_exactly(knee):
    """The knee's glide in the bind pose is taken off again, so that the landmarks are where they were."""
    landmarks = standing()
    for side in "rl":
        pivot = landmarks[f"knee_{side}"]
        for name in ("ankle", "subtalar", "heel", "mtp", "toe_tip"):
            back = rotations.rotation_x(0.9) @ (landmarks[f"{name}_{side}"] - pivot)
            landmarks[f"{name}_{side}"] = pivot + back
    skeleton = Skeleton.inside(landmarks, knee=knee)
    R, p = skeleton.forward(skeleton.bind_q)
    assert skeleton.bind_q[skeleton.index("knee_angle_r")] > 0.8
    for name, x in zip(skeleton.point_names, skeleton.points(R, p), strict=True):
        np.testing.assert_allclose(x, landmarks[name], atol=1e-12, err_msg=name)
    straight = np.zeros(len(skeleton.coordinates))
    slid = skeleton.joint_places(skeleton.bind_q) - skeleton.joint_places(straight)
    knees = [skeleton.body_index(f"tibia_{side}") for side in "rl"]
    assert (np.linalg.norm(slid[knees], axis=-1) > 1e-3).all() == (knee == "rolling")


def test_offsets_change_smoothly_with_the_arm():
    """No jump where the elbow's plane takes over from the pelvis' lateral axis."""
    bends = np.linspace(0.0, 1.2, 400)
    bodies = [standing(elbow_bend=float(b)) for b in bends]
    bound = binding.bind(tree.whole(), {name: np.stack([b[name] for b in bodies]) for name in bodies[0]})
    q, offsets = bound.q, bound.offsets
    assert np.abs(np.diff(q, axis=0)).max() < 0.02
    assert np.abs(np.diff(offsets, axis=0)).max() < 0.002


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(-1.4, 1.4), st.floats(-1.4, 1.4))
def test_two_hinges_reach_what_they_can(seed, a, b):
    rng = np.random.default_rng(seed)
    first = rotations.exp(rng.normal(0, 0.3, 3)) @ np.array([0.0, 0.0, 1.0])
    second = rotations.exp(rng.normal(0, 0.3, 3)) @ np.array([1.0, 0.0, 0.0])
    nominal = np.array([0.0, 1.0, 0.0])
    direction = rotations.axis_angle(first, a) @ rotations.axis_angle(second, b) @ nominal
    found_a, found_b = binding._two_hinges(first, second, nominal, direction)
    reached = rotations.axis_angle(first, found_a) @ rotations.axis_angle(second, found_b) @ nominal
    np.testing.assert_allclose(reached, direction, atol=1e-6)


def test_hinge_coordinates_are_the_nearest_angle():
    axis = np.array([[0.0, 0.6, 0.8]])
    away = rotations.exp(np.array([0.1, 0.05, -0.02]))
    R = rotations.axis_angle(axis[0], 0.7) @ away
    best = binding.hinge_coordinates(axis, R)[0]
    angles = best + np.linspace(-0.3, 0.3, 301)
    distance = rotations.angle_between(rotations.axis_angle(axis[0], angles), R)
    assert abs(int(distance.argmin()) - 150) <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_chains_of_axes_are_read_back(seed):
    """Two axes at any angle, three at right angles: exactly; a scapula's three angles in their order."""
    rng = np.random.default_rng(seed)
    whole = tree.whole()
    for name in ("clavicle_r", "hand_l", "torso", "scapula_r", "scapula_l"):
        b = whole.bodies.index(name)
        axes = whole.axes[whole.start[b] : whole.start[b] + whole.count[b]]
        q = rng.uniform(-1.4, 1.4, (3, len(axes)))
        R = np.broadcast_to(np.eye(3), (3, 3, 3))
        for axis, angle in zip(axes, q.T, strict=True):
            R = R @ rotations.axis_angle(axis, angle)
        np.testing.assert_allclose(binding.hinge_coordinates(axes, R), q, atol=1e-9, err_msg=name)


def test_three_axes_must_be_a_right_handed_triad():
    with pytest.raises(ValueError, match="right-handed"):
        binding.hinge_coordinates(np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), np.eye(3))


def test_bad_landmarks_are_refused():
    landmarks = standing()
    with pytest.raises(InputError, match="knee_r missing"):
        Skeleton.inside({k: v for k, v in landmarks.items() if k != "knee_r"})
    with pytest.raises(InputError, match="knee_r"):
        Skeleton.inside(landmarks | {"knee_r": np.array([np.nan, 0, 0])})
    with pytest.raises(InputError, match="shape"):
        Skeleton.inside(landmarks | {"knee_r": np.zeros(2)})
    with pytest.raises(InputError, match="coincide"):
        Skeleton.inside(landmarks | {"knee_r": landmarks["hip_r"]})
    without_tips = {k: v for k, v in landmarks.items() if "_tip_" not in k}
    with pytest.raises(InputError, match="index_tip_l"):
        Skeleton.inside(without_tips)
    assert len(Skeleton.inside(without_tips, fingers=False).bodies) == 29


def test_a_side_takes_every_landmark_of_its_joints():
    thumb = definition.Joint("thumb", "hand", definition.HINGE, "cmc", (), length=("wrist", "cmc"), begins="wrist")
    (left,) = definition._side((thumb,), "l")
    assert (left.body, left.parent, left.centre) == ("thumb_l", "hand_l", "cmc_l")
    assert (left.length, left.begins) == (("wrist_l", "cmc_l"), "wrist_l")
