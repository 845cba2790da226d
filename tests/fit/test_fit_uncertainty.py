"""How sure the angles of whole trunk and arms are: against samples, at singular poses, and what is said of them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from stepping_person import SHAPE, near, stepping

from marrow.body import load_body
from marrow.fit import Evidence, FitOptions, Points, fit, uncertainty
from marrow.fit.evidence import kind_of
from marrow.fit.model import Model, build_model
from marrow.fit.problem import prepare
from marrow.fit.riders import make_riders
from marrow.geometry import rotations
from marrow.skeleton import DERIVED, Skeleton
from marrow.skeleton import tree as trees
from marrow.skeleton.definition import FOLLOWERS
from marrow.types import OBSERVED, PRIOR, WEAK

WHOLE = trees.whole()
#: A kind of evidence without calibration.
PLAIN = ""
FRAMES, DRAWS = 3, 600


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return Skeleton.inside(load_body().rest().landmarks)


@pytest.fixture(scope="module", params=[True, False], ids=["coupled", "free"])
def model(request) -> Model:
    """One whose points show everything from pelvis to hands."""
    names = [f"{n}_{s}" for s in "rl" for n in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "hand")]
    riders = make_riders(load_body(), ["pelvis", "neck", "head", "head_top", *names], (), {})
    return build_model(WHOLE, riders.entries, riders.moving, riders.templates, coupled=request.param)


def bent_arms(skeleton: Skeleton) -> np.ndarray:
    """(3, D) people who lean and twist, their arms away from the poles of Z-X-Y angles."""
    rng = np.random.default_rng(5)
    q = rng.normal(0, 0.15, (FRAMES, len(skeleton.coordinates)))
    for side in "rl":
        q[:, skeleton.index(f"gh_flex_{side}")] += 0.8
        q[:, skeleton.index(f"gh_add_{side}")] -= 0.4
    for f in FOLLOWERS:
        q[:, skeleton.index(f.name)] = f.ratio * q[:, skeleton.index(f.leader)]
    return q


def covariances(model: Model, degrees: float = 1.5) -> np.ndarray:
    """(3, d, d) with everything correlated with everything; an arm is then known to some 5 degrees.

    Spreads are those of first order: twice as wide, and a sample's own is up to a tenth wider.
    """
    rng = np.random.default_rng(6)
    d = model.size
    half = rng.normal(0, 1, (FRAMES, d, d)) / np.sqrt(d) + 0.6 * np.eye(d)
    half *= np.radians(degrees) * rng.uniform(0.4, 1.6, (FRAMES, d, 1))
    return half @ np.swapaxes(half, -1, -2)


def moved(model: Model, skeleton: Skeleton, q: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(N, T, D) coordinates after steps (N, T, d) of the unknowns: rotations by local vectors, the rest by addition."""
    x = np.tile(skeleton.to_tangent(q), (len(steps), 1, 1))
    x[..., model.hinges] += steps @ model.carried
    for b, f in model.balls:
        first = int(WHOLE.start[model.bodies[b]])
        own = slice(first, first + 3)
        x[..., own] = rotations.log(rotations.exp(x[..., own]) @ rotations.exp(steps[..., f : f + 3]))
    return skeleton.from_tangent(x)


def observed(q: np.ndarray) -> np.ndarray:
    return np.full(q.shape, OBSERVED, np.uint8)


def test_deviations_are_those_of_a_sample(model, skeleton):
    q, covariance = bent_arms(skeleton), covariances(model)
    sd, _ = uncertainty.derived_spread(model, skeleton, q, covariance, observed(q), PLAIN)
    assert sd.shape == (FRAMES, len(DERIVED))
    rng = np.random.default_rng(7)
    steps = np.stack([rng.multivariate_normal(np.zeros(model.size), c, DRAWS) for c in covariance], 1)
    sample = skeleton.derived_angles(moved(model, skeleton, q, steps)[:, :, None])
    for i, name in enumerate(DERIVED):
        np.testing.assert_allclose(sd[:, i], sample[name][:, :, 0].std(0), rtol=0.15, err_msg=name)


def test_only_what_lies_between_two_segments_counts(model, skeleton):
    """Neither the pelvis' place and turn in the world nor the legs say how sure a bent trunk is."""
    q, covariance = bent_arms(skeleton), covariances(model)
    sd, _ = uncertainty.derived_spread(model, skeleton, q, covariance, observed(q), PLAIN)
    other = covariance.copy()
    legs = [i for i, c in enumerate(model.coordinates) if WHOLE.coordinates[c].startswith(("pelvis", "hip", "knee"))]
    other[:, legs] = other[:, :, legs] = 0.0
    again, _ = uncertainty.derived_spread(model, skeleton, q, other, observed(q), PLAIN)
    np.testing.assert_allclose(again, sd, rtol=1e-12)
    arms = [i for i, c in enumerate(model.coordinates) if WHOLE.coordinates[c].startswith(("gh_", "clav", "scap"))]
    other[:, arms] = other[:, :, arms] = 0.0
    trunk, _ = uncertainty.derived_spread(model, skeleton, q, other, observed(q), PLAIN)
    np.testing.assert_allclose(trunk[:, :3], sd[:, :3], rtol=1e-12)
    np.testing.assert_allclose(trunk[:, 3:], 0.0, atol=1e-12)


def test_nothing_is_claimed_where_angles_are_singular(model, skeleton):
    q = bent_arms(skeleton)
    for side in "rl":
        for name in ("clav_protraction", "clav_elevation", "scap_protraction", "scap_upward", "scap_tilt"):
            q[:, skeleton.index(f"{name}_{side}")] = 0.0
    q[:2, skeleton.index("gh_add_r")] = np.radians(-88)
    q[2, skeleton.index("gh_add_r")] = np.radians(-40)
    sd, _ = uncertainty.derived_spread(model, skeleton, q, covariances(model), observed(q), PLAIN)
    told = dict(zip(DERIVED, np.degrees(sd).T, strict=True))
    for name in ("arm_flex_r", "arm_rot_r"):
        assert (told[name][:2] > 100).all()
        assert told[name][2] < 20
    assert (told["arm_add_r"] < 20).all()
    assert (told["arm_flex_l"] < 20).all()


def test_the_worst_mark_that_matters_counts():
    variance = np.array([[1.0, 1.0, 1.0, 0.0], [0.05, 0.5, 9.0, 0.0]]).T
    mark = np.array([[OBSERVED, PRIOR], [OBSERVED, PRIOR], [WEAK, OBSERVED], [OBSERVED, OBSERVED]], np.uint8)
    assert uncertainty._worst_mark(mark, variance).tolist() == [OBSERVED, PRIOR, WEAK, PRIOR]


def test_marks_of_the_parts_decide_those_of_the_whole(model, skeleton):
    """If they have a share in its variance: the three angles, one rotation, have one mark."""
    q = bent_arms(skeleton)
    mark = observed(q)
    mark[:, skeleton.index("gh_rot_l")] = WEAK
    mark[1, skeleton.index("lumbar_seg_extension")] = PRIOR
    mark[:, skeleton.index("knee_angle_r")] = PRIOR
    covariance = np.tile(np.diag(np.full(model.size, 1e-4)), (FRAMES, 1, 1))
    (ball,) = (f for b, f in model.balls if WHOLE.bodies[model.bodies[b]] == "humerus_l")
    for axis, expected in (("x", OBSERVED), ("y", WEAK), ("z", OBSERVED)):  # it turns about the arm's long axis, Y
        own, k = covariance.copy(), ball + "xyz".index(axis)
        own[:, k, k] = 0.1
        _, found = uncertainty.derived_spread(model, skeleton, q, own, mark, PLAIN)
        told = dict(zip(DERIVED, found.T.tolist(), strict=True))
        assert told["arm_flex_r"] == [OBSERVED] * 3
        assert told["arm_flex_l"] == told["arm_rot_l"] == [expected] * 3, axis
        assert told["lumbar_extension"] == told["lumbar_bending"] == [OBSERVED, PRIOR, OBSERVED]


def test_what_followers_leave_open_is_said(model, skeleton):
    """A tied coordinate's spread is its leader's, and how much people differ; free ones are left as they are."""
    q = bent_arms(skeleton)
    sd, mark = np.full(q.shape, np.radians(2.0)), observed(q)
    before = sd.copy()
    uncertainty.shared_out(model, WHOLE, sd, mark)
    if skeleton.index("scap_tilt_r") in model.coordinates:
        np.testing.assert_array_equal(sd, before)
        assert (mark == OBSERVED).all()
        return
    for f in FOLLOWERS:
        own, lead = skeleton.index(f.name), skeleton.index(f.leader)
        np.testing.assert_allclose(sd[:, own], np.hypot(f.ratio * before[:, lead], np.radians(f.sd)))
        assert (mark[:, own] == PRIOR).all()
        assert (mark[:, [skeleton.index(name) for name in f.against]] == WEAK).all()
    assert (sd[:, skeleton.index("hip_flexion_r")] == np.radians(2.0)).all()


def test_a_fit_tells_them():
    """``Motion.derived_sd`` and ``derived_mark`` are those of the fit's own covariance."""
    person = stepping(8)
    R, p = person.skeleton.forward(person.q)
    names = tuple(n for n in person.skeleton.point_names if "tip" not in n)
    rng = np.random.default_rng(8)
    xyz = person.skeleton.points(R, p, names) + rng.normal(0, 0.01, (8, len(names), 3))
    evidence = Evidence(points=(Points(xyz, names, 0.01),), known_shape=SHAPE, initial=near(person, rng, 0.05))
    spreads = []

    def listen(*given):
        spreads.append(SimpleNamespace(given=given, told=original(*given)))
        return spreads[-1].told

    original = uncertainty.derived_spread
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uncertainty, "derived_spread", listen)
        motion = fit([evidence], person.time).people[0].motion
    (once,) = spreads
    model, skeleton, q, covariance, _, kind = once.given
    assert kind == kind_of(evidence)
    np.testing.assert_array_equal(motion.derived_sd, once.told[0])
    np.testing.assert_array_equal(motion.derived_mark, once.told[1])
    steps = np.stack([rng.multivariate_normal(np.zeros(model.size), c, DRAWS) for c in covariance], 1)
    sample = skeleton.derived_angles(moved(model, skeleton, q, steps)[:, :, None])
    plain, _ = uncertainty.derived_spread(model, skeleton, q, covariance, observed(q), PLAIN)
    for i, name in enumerate(DERIVED):
        ratio = plain[:, i] / sample[name][:, :, 0].std(0)
        assert np.median(ratio) == pytest.approx(1.0, abs=0.15), name
    assert prepare(evidence, person.time, load_body(), FitOptions(), feet=False).model.size == model.size
