"""The trunk as one: its coordinates from the turn of the rib cage; and its segments, which bend as arcs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standing_body import standing

from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.trunk import trunk_coordinates

SKELETON = Skeleton.inside(standing())
LEADERS = ("lumbar_seg_extension", "lumbar_seg_bending", "thorax_rotation")
#: follower: (leader, ratio), of the trunk.
FOLLOWING = {f.name: (f.leader, f.ratio) for f in FOLLOWERS if f.leader in LEADERS}
RANGES = {name: SKELETON.ranges[SKELETON.index(name)] for name in SKELETON.coordinates}
#: A trunk is bent by no more than one and a half times its range.
EDGE = 1.5


def pose(leaders) -> np.ndarray:
    """(..., D) coordinates of trunks whose leaders are (..., 3), the others following."""
    leaders = np.asarray(leaders, float)
    q = np.zeros((*leaders.shape[:-1], len(SKELETON.coordinates)))
    q[..., [SKELETON.index(name) for name in LEADERS]] = leaders
    for name, (leader, ratio) in FOLLOWING.items():
        q[..., SKELETON.index(name)] = ratio * q[..., SKELETON.index(leader)]
    return q


def turn(q: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation of the rib cage in the pelvis' frame."""
    R, _ = SKELETON.forward(q)
    return np.swapaxes(R[..., 0, :, :], -1, -2) @ R[..., SKELETON.body_index("torso"), :, :]


def put(found: dict[str, np.ndarray]) -> np.ndarray:
    q = np.zeros((*found[LEADERS[0]].shape, len(SKELETON.coordinates)))
    for name, value in found.items():
        q[..., SKELETON.index(name)] = value
    return q


@settings(max_examples=60, deadline=None)
@given(st.tuples(*(st.floats(*RANGES[name]) for name in LEADERS)))
def test_any_turn_within_range_comes_back(leaders):
    q = pose(leaders)
    found = trunk_coordinates(SKELETON.tree, turn(q))
    assert set(found) == set(LEADERS) | set(FOLLOWING)
    np.testing.assert_allclose(put(found), q, atol=1e-9)
    np.testing.assert_allclose(turn(put(found)), turn(q), atol=1e-9)


def test_a_trunk_at_the_corners_of_its_range_comes_back():
    corners = np.array(np.meshgrid(*(RANGES[name] for name in LEADERS))).reshape(3, -1).T
    np.testing.assert_allclose(put(trunk_coordinates(SKELETON.tree, turn(pose(corners)))), pose(corners), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31))
def test_followers_keep_their_ratios_and_the_edge_is_kept_whatever_the_turn(seed):
    R = rotations.exp(np.random.default_rng(seed).normal(0, 1.5, (5, 3)))
    found = trunk_coordinates(SKELETON.tree, R)
    assert all(np.isfinite(value).all() for value in found.values())
    for name, (leader, ratio) in FOLLOWING.items():
        np.testing.assert_allclose(found[name], ratio * found[leader], atol=1e-12)
    for name in LEADERS:
        low, high = EDGE * RANGES[name]
        assert ((low - 1e-12 <= found[name]) & (found[name] <= high + 1e-12)).all(), name


@pytest.mark.parametrize("degrees", [100, 160])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("leader", "axis"), [*zip(LEADERS, np.eye(3)[[2, 0, 1]], strict=True)])
def test_a_turn_beyond_the_range_ends_at_the_edge(leader, axis, sign, degrees):
    """About one axis: its leader at the edge on the side of the turn, unless that reaches further; the others still."""
    share = 1.0 + sum(ratio for of, ratio in FOLLOWING.values() if of == leader)
    wanted = np.clip(np.radians(sign * degrees) / share, *(EDGE * RANGES[leader]))
    found = trunk_coordinates(SKELETON.tree, rotations.axis_angle(axis, np.radians(sign * degrees)))
    for name in LEADERS:
        assert found[name] == pytest.approx(wanted if name == leader else 0.0, abs=np.radians(0.1)), name


def test_any_leading_dimensions():
    rng = np.random.default_rng(2)
    low, high = np.array([RANGES[name] for name in LEADERS]).T
    R = turn(pose(rng.uniform(low, high, (2, 3, 3))))
    together = trunk_coordinates(SKELETON.tree, R)
    for name, value in together.items():
        assert value.shape == (2, 3)
        alone = [[trunk_coordinates(SKELETON.tree, one)[name] for one in row] for row in R]
        np.testing.assert_allclose(value, alone, atol=1e-13)
    assert trunk_coordinates(SKELETON.tree, R[:0])[LEADERS[0]].shape == (0, 3)
    few = trunk_coordinates(SKELETON.without_fingers().tree, R)
    assert all(np.array_equal(few[name], value) for name, value in together.items())


#: Segment whose origin is the arc's tip, its coordinate, the point at which the arc begins; the arc starts along Y and
#: bends across: backwards (extension), to the right (bending).
ARCS = [
    (body, f"{name}_{way}", ends)
    for name, body, ends in (
        ("lumbar_seg", "lumbar", ("l5_s1", "t12_l1")),
        ("thorax", "torso", ("t12_l1", "t8_body")),
        ("neck", "head", ("neck", "head")),
    )
    for way in ("extension", "bending")
]
ACROSS = {"extension": np.array([-1.0, 0.0, 0.0]), "bending": np.array([0.0, 0.0, 1.0])}


def tips(body: str, coordinate: str, angle: np.ndarray, ends: tuple[str, str]) -> tuple[np.ndarray, float]:
    """(T, 3) the arc's tip in the frame below, from where the straight arc begins, and the arc's length."""
    landmarks = standing()
    length = float(np.linalg.norm(landmarks[ends[1]] - landmarks[ends[0]]))
    q = np.zeros((len(angle), len(SKELETON.coordinates)))
    q[:, SKELETON.index(coordinate)] = angle
    places = SKELETON.joint_places(q)
    b = SKELETON.body_index(body)
    if coordinate.endswith("extension"):
        b = int(SKELETON.parents[b])
    return places[:, b] - SKELETON.offsets[b] + [0.0, length, 0.0], length


@pytest.mark.parametrize(("body", "coordinate", "ends"), ARCS)
def test_a_segment_of_the_spine_bends_as_an_arc(body, coordinate, ends):
    a = np.linspace(*RANGES[coordinate], 60)
    tip, length = tips(body, coordinate, a, ends)
    across = ACROSS[coordinate.rpartition("_")[2]]
    along = np.sin(a) / a
    expected = length * (along[:, None] * [0.0, 1.0, 0.0] + ((1 - np.cos(a)) / a)[:, None] * across)
    np.testing.assert_allclose(tip, expected, atol=1e-4 * length)
    # of an arc of constant curvature the chord and the turn tell the length
    chord = np.linalg.norm(tip, axis=-1)
    np.testing.assert_allclose(chord * (a / 2) / np.sin(a / 2), length, rtol=1e-4)
    assert np.ptp(chord) > 0.005 * length, "a segment that only turned would keep its chord"


@pytest.mark.parametrize(("body", "coordinate", "ends"), ARCS)
def test_the_tip_of_an_arc_moves_as_the_segment_there_points(body, coordinate, ends):
    """The upper end stays a smooth continuation: its Y axis is the tangent of the arc, at half the turn the chord's."""
    a = np.linspace(*RANGES[coordinate], 60)
    tip, _ = tips(body, coordinate, a, ends)
    q = np.zeros((len(a), len(SKELETON.coordinates)))
    q[:, SKELETON.index(coordinate)] = a / 2
    half = turn_between(
        q, *{"lumbar": ("pelvis", "lumbar"), "torso": ("lumbar", "torso"), "head": ("torso", "head")}[body]
    )
    np.testing.assert_allclose(half[:, :, 1], tip / np.linalg.norm(tip, axis=-1, keepdims=True), atol=1e-4)


def turn_between(q: np.ndarray, below: str, above: str) -> np.ndarray:
    R, _ = SKELETON.forward(q)
    return np.swapaxes(R[:, SKELETON.body_index(below)], -1, -2) @ R[:, SKELETON.body_index(above)]


def test_twisting_moves_no_centre_of_the_spine():
    q = np.zeros((3, len(SKELETON.coordinates)))
    for name in ("lumbar_seg_rotation", "thorax_rotation", "neck_rotation"):
        q[1:, SKELETON.index(name)] = 0.2, -0.1
    places = SKELETON.joint_places(q)
    np.testing.assert_allclose(places, np.broadcast_to(places[0], places.shape), atol=1e-15)
