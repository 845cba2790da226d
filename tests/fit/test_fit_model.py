"""The fit's kinematics: derivatives of points under coupled turns, slides and followers; who follows, and when."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from stepping_person import SHAPE, near, stepping

from marrow.body import load_body
from marrow.body.keypoints import KeypointSource
from marrow.fit import Evidence, FitOptions, Points, fit, solver
from marrow.fit._fast_kinematics import HINGE
from marrow.fit.model import Linear, Model, build_model
from marrow.fit.riders import make_riders
from marrow.fit.state import State
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton import tree as trees
from marrow.skeleton.definition import FOLLOWERS

WHOLE = trees.whole()
FRAMES = 3
#: Points of every kind: joint centres (of sliding segments, too), skin shared by several segments, one on a long stalk.
SOURCES = (
    "hip_r", "knee_r", "knee_l", "ankle_l", "toe_tip_r", "l5_s1", "t12_l1", "t8_body", "neck", "head", "head_top",
    "acromioclavicular_l", "shoulder_r", "elbow_l", "wrist_r", "index_mcp_l",
    *(KeypointSource(f"skin_{v}", (v,), (1.0,)) for v in (881, 1200, 3700, 4100, 8200, 9000, 10500)),
    KeypointSource("two", (10, 6000), (0.3, 0.7)),
    KeypointSource("stalk", landmarks=("t8_body",), landmark_weights=(1.0,), offset=(0, 1, 0), offset_body="torso"),
)  # fmt: skip
NAMES = ("height", "log_scale_thigh", "log_scale_trunk", "log_scale_upper_arm")


@functools.cache
def prepared(coupled: bool) -> tuple[Model, Linear]:
    riders = make_riders(load_body(), list(SOURCES), NAMES, {})
    model = build_model(WHOLE, riders.entries, riders.moving, riders.templates, coupled=coupled)
    return model, model.linearised(riders.mean, 0.5 * riders.sd, riders.bounds)


def somewhere(model: Model, linear: Linear, seed: int = 0, size: float = 0.5) -> State:
    """Random poses; followers where their leaders put them."""
    rng = np.random.default_rng(seed)
    ball = np.tile(np.eye(3), (FRAMES, len(model.bodies), 1, 1))
    for b, _ in model.balls:
        ball[:, b] = rotations.exp(rng.normal(0, size, (FRAMES, 3)))
    angle = model.following(rng.normal(0, size, (FRAMES, len(model.hinges))))
    return State(ball, angle, rng.normal(0, 1, (FRAMES, 3)), linear.shape + 0.02)


@pytest.mark.parametrize("coupled", [True, False])
def test_points_are_where_the_skeleton_has_them(coupled):
    """The fit's own kernels against the skeleton's, on the same coordinates."""
    model, linear = prepared(coupled)
    state = replace(somewhere(model, linear), shape=linear.shape)
    skeleton = Skeleton.inside(load_body().rest(dict(zip(NAMES, linear.shape, strict=True))).landmarks)
    x = np.zeros((FRAMES, len(skeleton.coordinates)))
    x[:, model.hinges] = state.angle
    for b, first, _ in WHOLE.balls:
        at = np.flatnonzero(model.bodies == b)
        R = state.ball[:, at[0]]
        x[:, first : first + 3] = rotations.log(trees.BASE.T @ R if b == 0 else R)
    R, p = skeleton.forward(skeleton.from_tangent(x), state.root)
    found = solver.place(model, linear, state).X
    for k, source in enumerate(SOURCES):
        if isinstance(source, str):  # the body at rest has its vertices in single precision
            np.testing.assert_allclose(found[:, k], skeleton.points(R, p, (source,))[:, 0], atol=1e-6, err_msg=source)
    torso = skeleton.body_index("torso")
    np.testing.assert_allclose(found[:, -1], p[:, torso] + R[:, torso, :, 1], atol=1e-6)


@pytest.mark.parametrize("coupled", [True, False])
def test_derivatives_agree_with_finite_differences(coupled):
    """By every unknown of a frame, its followers and slides along with it, and by the shape."""
    model, linear = prepared(coupled)
    state, h = somewhere(model, linear), 1e-6
    moved = solver.place(model, linear, state)
    for f in range(model.size):
        step = np.zeros((FRAMES, model.size))
        step[:, f] = h
        ends = [solver.place(model, linear, state.moved(model, s * step, np.zeros(len(NAMES)))).X for s in (1, -1)]
        name = WHOLE.coordinates[model.coordinates[f]]
        np.testing.assert_allclose(moved.JX[..., f], (ends[0] - ends[1]) / (2 * h), atol=2e-8, err_msg=name)
    still = np.zeros((FRAMES, model.size))
    for s, name in enumerate(NAMES):
        ends = [
            solver.place(model, linear, state.moved(model, still, k * h * np.eye(len(NAMES))[s])).X for k in (1, -1)
        ]
        np.testing.assert_allclose(moved.JS[..., s], (ends[0] - ends[1]) / (2 * h), atol=2e-8, err_msg=name)


def test_coupling_takes_the_followers_from_the_unknowns_and_nothing_else():
    (tied, _), (free, _) = prepared(True), prepared(False)
    unknown = [{WHOLE.coordinates[c] for c in model.coordinates} for model in (tied, free)]
    assert unknown[1] - unknown[0] == {f.name for f in FOLLOWERS}
    assert unknown[0] <= unknown[1]
    np.testing.assert_array_equal(tied.hinges, free.hinges)
    number = {WHOLE.coordinates[c]: i for i, c in enumerate(tied.hinges)}
    for f in FOLLOWERS:
        (lead,) = np.flatnonzero(tied.coordinates == WHOLE.coordinates.index(f.leader))
        assert tied.carried[lead, number[f.name]] == f.ratio
        assert free.carried[:, number[f.name]].sum() == 1.0
    assert (free.carried[free.tree.dof_kind == HINGE].sum(1) == 1.0).all()


def test_steps_keep_followers_at_their_ratios():
    model, linear = prepared(True)
    state = somewhere(model, linear)
    rng = np.random.default_rng(1)
    for _ in range(3):
        state = state.moved(model, rng.normal(0, 0.2, (FRAMES, model.size)), np.zeros(len(NAMES)))
    number = {WHOLE.coordinates[c]: i for i, c in enumerate(model.hinges)}
    for f in FOLLOWERS:
        np.testing.assert_allclose(
            state.angle[:, number[f.name]], f.ratio * state.angle[:, number[f.leader]], atol=1e-12
        )
    np.testing.assert_allclose(model.following(state.angle), state.angle, atol=1e-12)


def test_a_leader_that_no_point_shows_leaves_its_followers_alone():
    """Points on one leg only: the model has no trunk, no arms, and no coupling to go wrong."""
    riders = make_riders(load_body(), ["hip_r", "knee_r", "ankle_r"], (), {})
    model = build_model(WHOLE, riders.entries, riders.moving, riders.templates, coupled=True)
    names = {WHOLE.bodies[b] for b in model.bodies}
    assert names == {"pelvis", "femur_r", "tibia_r", "talus_r"}
    assert {WHOLE.coordinates[c] for c in model.hinges} == {"knee_angle_r", "ankle_angle_r"}
    # the ankle's centre shows the knee, and not the ankle
    assert "ankle_angle_r" not in {WHOLE.coordinates[c] for c in model.coordinates}


#: No opinions of its own: what is measured decides.
BARE = FitOptions(
    pose_prior=1e-9, shape_prior=1e-6, smoothness=1e-9, limits=False, robust=100.0, upright=0.0, contact=False,
    iterations=(30, 10, 30), tolerance=1e-13,
)  # fmt: skip


def odd_trunk():
    """Somebody whose ribs and shoulder blades do not follow as assumed."""
    person = stepping(5)
    q = person.q.copy()
    for name, value in (
        ("thorax_extension", 0.15), ("thorax_bending", -0.1), ("lumbar_seg_rotation", 0.1), ("clav_elevation_r", 0.2),
        ("scap_upward_r", 0.05), ("scap_tilt_l", 0.15), ("scap_protraction_r", -0.1),
    ):  # fmt: skip
        q[:, person.skeleton.index(name)] += value
    return person, q


def test_a_fit_to_joint_centres_keeps_followers_at_their_ratios():
    person, q = odd_trunk()
    names = person.skeleton.point_names
    points = Points(person.skeleton.points(*person.skeleton.forward(q), names), names, 0.001)
    evidence = Evidence(points=(points,), known_shape=SHAPE, initial=near(person, np.random.default_rng(0)))
    found = fit([evidence], person.time, options=BARE).people[0].motion
    for f in FOLLOWERS:
        lead, own = (found.q[:, person.skeleton.index(name)] for name in (f.leader, f.name))
        np.testing.assert_allclose(own, f.ratio * lead, atol=1e-12, err_msg=f.name)


def skin_points(skeleton: Skeleton) -> np.ndarray:
    """Vertices everywhere on the body, and all those that the shoulder blades have a noticeable part in."""
    body = load_body()
    weights = body.skin_weights(skeleton.bodies)
    blades = np.isin(weights.body, [skeleton.body_index(f"scapula_{side}") for side in "rl"]) & (weights.weight > 0.02)
    row = np.repeat(np.arange(body.vertex_count), np.diff(weights.start))
    return np.union1d(np.random.default_rng(4).choice(body.vertex_count, 400, replace=False), row[blades])


def test_points_on_the_skin_free_the_followers():
    """Exact points all over the skin give back lumbar, thoracic and shoulder-blade angles that no ratio holds to.

    To a degree or two: the fit leaves out the smallest skinning weights.
    """
    person, q = odd_trunk()
    body, ids = load_body(), skin_points(person.skeleton)
    mesh = body.pose(body.rest(SHAPE), q, vertex_ids=ids, outputs=("vertices",))
    sources = tuple(KeypointSource(f"v{v}", (int(v),), (1.0,)) for v in ids)
    points = Points(mesh.vertices.astype(float), sources, 0.001)
    evidence = Evidence(points=(points,), known_shape=SHAPE, initial=near(person, np.random.default_rng(0), 0.05))
    found = fit([evidence], person.time, options=BARE).people[0].motion
    at = person.skeleton.index
    for f in FOLLOWERS:
        assert np.degrees(np.abs(found.q - q)[:, at(f.name)]).max() < 2.0, f.name
    odd = found.q[:, at("thorax_extension")] - 0.55 * found.q[:, at("lumbar_seg_extension")]
    assert odd.min() > 0.1
