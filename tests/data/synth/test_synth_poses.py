"""Sampled poses and movements: finite, in range, repeatable, mirrored rightly, on the floor, and through nobody."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from marrow.body import load_body
from marrow.data.synth import articulation as joints
from marrow.data.synth.articulation import AT, HIGH, LOW, NAMES, RANGED
from marrow.data.synth.attitudes import ARMS, ATTITUDES, pose_arm
from marrow.data.synth.collisions import distance, solids
from marrow.data.synth.faces import FACES, sample_expression
from marrow.data.synth.hands import HANDS, hand, hand_kind
from marrow.data.synth.motions import PoseSource, shipped
from marrow.data.synth.population import sample_figure
from marrow.data.synth.poses import PoseSampler, stand
from marrow.errors import InputError
from marrow.skeleton import Skeleton

BODY = load_body()
REST = BODY.rest()


@pytest.fixture(scope="module")
def sampler() -> PoseSampler:
    return PoseSampler()


def test_poses_are_finite_in_range_and_face_ahead(sampler: PoseSampler) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        q = sampler.pose(rng, REST.skeleton)
        assert q.shape == (len(NAMES),)
        assert np.isfinite(q).all()
        assert (q >= LOW - 1e-9)[RANGED].all()
        assert (q <= HIGH + 1e-9)[RANGED].all()
        assert q[[AT["pelvis_tx"], AT["pelvis_tz"]]] == pytest.approx([0, 0])
        assert float(joints.heading(q)) == pytest.approx(0.0, abs=1e-6)


def test_one_seed_gives_one_pose(sampler: PoseSampler) -> None:
    one, other = (sampler.pose(np.random.default_rng(7), REST.skeleton) for _ in range(2))
    assert np.array_equal(one, other)
    again = PoseSampler().pose(np.random.default_rng(7), REST.skeleton)
    assert np.array_equal(one, again)
    a, b = (sampler.clip(np.random.default_rng(7), REST.skeleton, 1.0, 25.0) for _ in range(2))
    assert np.array_equal(a, b)


def test_a_mirrored_pose_gives_the_mirrored_skin() -> None:
    skin = REST.vertices.astype(float)
    far, twin = cKDTree(skin * [-1, 1, 1]).query(skin)
    assert far.max() < 1e-4, "the body is symmetric"
    rng = np.random.default_rng(0)
    low, high = np.where(RANGED, LOW, -1.0), np.where(RANGED, HIGH, 1.0)
    for _ in range(10):
        q = low + (high - low) * rng.uniform(0.2, 0.8, len(low))
        here, there = (np.asarray(BODY.pose(REST, x).vertices, float) for x in (q, joints.mirrored(q)))
        assert np.abs(there - (here * [-1, 1, 1])[twin]).max() < 1e-3
        assert np.array_equal(joints.mirrored(joints.mirrored(q)), q)


def test_the_girdle_moves_with_the_arm_and_leaves_the_humerus() -> None:
    rng = np.random.default_rng(0)
    skeleton = REST.skeleton
    for _ in range(20):
        q = joints.at_ease()
        for n, s in itertools.product(("flex", "add", "rot"), "rl"):
            q[AT[f"gh_{n}_{s}"]] = rng.uniform(-1.5, 1.5)
        moved = joints.with_girdle(q)
        R, then = skeleton.forward(q)[0], skeleton.forward(moved)[0]
        arms = [skeleton.body_index(f"humerus_{s}") for s in "rl"]
        assert then[arms] == pytest.approx(R[arms], abs=1e-9)
    up = joints.with_humerus(joints.at_ease(), "r", np.diag([1.0, -1.0, -1.0]))
    assert 20 < np.degrees(up[AT["clav_elevation_r"]]) < 28
    assert up[AT["scap_upward_r"]] == pytest.approx(up[AT["clav_elevation_r"]])
    assert (up >= LOW)[RANGED].all()
    assert (up <= HIGH)[RANGED].all()


def test_turning_keeps_the_pose() -> None:
    q = joints.at_ease()
    q[:6] = 0.3, -0.2, 0.5, 1.0, 0.9, 2.0
    turned = joints.turned(q, 0.7)
    assert float(joints.heading(turned) - joints.heading(q)) == pytest.approx(0.7)
    assert np.linalg.norm(turned[3:6]) == pytest.approx(np.linalg.norm(q[3:6]))
    assert joints.turned(turned, -0.7) == pytest.approx(q)


@pytest.mark.parametrize("kind", ARMS)
def test_arms_stay_in_range(kind: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        q = joints.at_ease()
        for s in "rl":
            q = pose_arm(rng, q, s, kind, REST.skeleton)
        assert np.isfinite(q).all()
        moved = joints.within(q)
        # what a range cuts off stays small: the arm goes where it was aimed
        assert np.abs(moved - q)[RANGED].max() < np.radians(25)


def test_attitudes_name_what_there_is() -> None:
    for name, own in ATTITUDES.items():
        assert set(own.arms) <= set(ARMS), name
        assert own.ages[0] < own.ages[1]
        for limits in (own.both, own.right or {}, own.left or {}):
            for coordinate, (low, high) in limits.items():
                index = AT[coordinate if coordinate in AT else f"{coordinate}_r"]
                assert np.degrees(LOW[index]) - 1e-6 <= low < high <= np.degrees(HIGH[index]) + 1e-6, coordinate


def test_somebody_of_every_age_does_something(sampler: PoseSampler) -> None:
    rng = np.random.default_rng(0)
    for age in (0.0, 0.5, 1.0, 3.0, 30.0, 90.0):
        figure = sample_figure(rng, (age, age))
        q = sampler.pose(rng, BODY.rest(figure.shape).skeleton, age)
        assert np.isfinite(q).all()


def test_standing_puts_the_lowest_skin_on_the_floor(sampler: PoseSampler) -> None:
    rng = np.random.default_rng(1)
    q = sampler.pose(rng, REST.skeleton)
    before = np.asarray(BODY.pose(REST, q).vertices)[:, 1].min()
    assert abs(before) < 0.05, "the solids stand nearly so"
    skin = np.asarray(BODY.pose(REST, stand(BODY, REST, q)).vertices)
    assert abs(skin[:, 1].min()) < 1e-5
    clip = stand(BODY, REST, sampler.clip(rng, REST.skeleton, 2.0, 15.0))
    lowest = np.asarray(BODY.pose(REST, clip).vertices)[..., 1].min(-1)
    assert (lowest > -0.001).mean() >= 0.9
    assert lowest.min() > -0.10


@pytest.mark.parametrize(("seconds", "fps"), [(1.0, 30.0), (0.02, 60.0), (12.0, 24.0), (2.0, 120.0)])
def test_movements_are_as_long_as_asked_and_go_on_smoothly(sampler: PoseSampler, seconds: float, fps: float) -> None:
    q = sampler.clip(np.random.default_rng(2), REST.skeleton, seconds, fps)
    assert q.shape == (round(seconds * fps), len(NAMES))
    assert np.isfinite(q).all()
    assert q[0, [3, 5]] == pytest.approx([0, 0], abs=1e-9)
    if len(q) > 1:
        R = REST.skeleton.forward(q)[0]
        cosine = (np.einsum("tbij,tbij->tb", R[1:], R[:-1]) - 1) / 2
        fastest = np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() * fps
        assert fastest < 1500, "degrees a second"
        hinges = [i for i, n in enumerate(NAMES) if RANGED[i] and not n.startswith(("gh_", "hip_"))]
        assert (q[:, hinges] >= LOW[hinges] - 1e-9).all()
        assert (q[:, hinges] <= HIGH[hinges] + 1e-9).all()


def test_a_named_clip_and_a_frame_of_it(sampler: PoseSampler) -> None:
    name = next(iter(sampler.source.clips))
    assert np.isfinite(sampler.frame(name, 3, REST.skeleton)).all()
    assert np.isfinite(sampler.clip(np.random.default_rng(0), REST.skeleton, 1.0, name=name)).all()
    with pytest.raises(InputError, match="did you mean"):
        sampler.frame("tr_walkin_3", 0, REST.skeleton)
    with pytest.raises(InputError, match="no frame 99999; it has"):
        sampler.frame(name, 99999, REST.skeleton)


def test_splits_have_nothing_in_common() -> None:
    splits = {name: shipped(name) for name in ("train", "A", "B")}
    for a, b in itertools.combinations(splits.values(), 2):
        assert not set(a.clips) & set(b.clips)
    subjects = {name: {c.subject for c in s.clips.values()} for name, s in splits.items()}
    assert not subjects["B"] & (subjects["train"] | subjects["A"])
    assert sum(len(s.clips) for s in splits.values()) == 123


def test_what_is_wrong_is_told(sampler: PoseSampler) -> None:
    with pytest.raises(InputError, match="no split 'test': expected 'train', 'A' or 'B'"):
        PoseSampler("test")
    with pytest.raises(InputError, match="no clips to draw poses from"):
        PoseSampler(source=PoseSource({}, {}))
    with pytest.raises(InputError, match="whole skeleton"):
        sampler.pose(np.random.default_rng(0), REST.skeleton.without_fingers())
    with pytest.raises(InputError, match="expected a duration and a rate"):
        sampler.clip(np.random.default_rng(0), REST.skeleton, 0.0)
    with pytest.raises(InputError, match="expected a duration and a rate"):
        sampler.clip(np.random.default_rng(0), REST.skeleton, float("nan"))


def test_solids_lie_in_the_body_and_apart_where_it_stands() -> None:
    flesh = solids(BODY, REST)
    ends = flesh.placed(REST.skeleton, REST.skeleton.bind_q)
    assert flesh.depth(ends).max() < 0.0
    assert abs(flesh.lowest(ends)) < 0.02
    i, j = flesh.pairs.T
    plain = flesh.reach - distance(ends[i, 0], ends[i, 1], ends[j, 0], ends[j, 1])
    assert flesh.depth(ends) == pytest.approx(plain, abs=1e-12)


def test_a_hand_in_the_belly_collides() -> None:
    flesh, q = solids(BODY, REST), joints.at_ease()
    q = joints.with_humerus(q, "r", np.eye(3))
    q[[AT["elbow_flex_r"], AT["gh_rot_r"]]] = np.radians([95, 90])
    assert flesh.depth(flesh.placed(REST.skeleton, q)).max() > 0.02


def test_sampled_poses_run_into_nothing(sampler: PoseSampler) -> None:
    rng = np.random.default_rng(4)
    clear = 0
    for _ in range(20):
        figure = sample_figure(rng)
        rest = BODY.rest(figure.shape)
        flesh = solids(BODY, rest)
        q = sampler.pose(rng, rest.skeleton, figure.age, flesh)
        clear += flesh.depth(flesh.placed(rest.skeleton, q)).max() <= 0.0
    assert clear >= 19


@pytest.mark.parametrize("kind", HANDS)
def test_hands_are_in_range_and_alike_on_both_sides(kind: str) -> None:
    rng = np.random.default_rng(0)
    for side in "rl":
        own = hand(rng, side, kind)
        assert len(own) == 20
        assert all(LOW[i] <= v <= HIGH[i] for i, v in own.items())
        assert {NAMES[i][-1] for i in own} == {side}
    assert hand_kind(rng) in HANDS


def test_expressions_are_face_actions() -> None:
    rng = np.random.default_rng(0)
    known = set(BODY.spec.expressions)
    for _ in range(200):
        face = sample_expression(rng)
        assert set(face) <= known
        assert all(0.0 <= v <= 1.0 for v in face.values())
    assert {a + s for actions in FACES.values() for a in actions for s in ("", "Left")} & known
    assert sample_expression(np.random.default_rng(5)) == sample_expression(np.random.default_rng(5))


def test_the_default_body_fits_other_skeletons() -> None:
    child = BODY.rest({"age": 0.2}).skeleton
    assert isinstance(child, Skeleton)
    q = PoseSampler("B").pose(np.random.default_rng(0), child)
    assert np.isfinite(q).all()
