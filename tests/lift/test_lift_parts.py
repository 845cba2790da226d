"""Root, rays, recognition: each part by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.geometry.projection import camera_from_fov, project_camera
from marrow.lift import library, retrieval
from marrow.lift.places import places
from marrow.lift.rays import on_rays
from marrow.lift.root import solve_root


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), depth=st.floats(1.5, 30.0))
def test_root_is_exact_for_exact_points(seed, depth):
    rng = np.random.default_rng(seed)
    camera = dataclasses.replace(camera_from_fov((1920, 1080)), distortion=np.array([-0.05, 0.01, 0.001, -0.001]))
    root = np.array([rng.uniform(-0.2, 0.2) * depth, rng.uniform(-0.1, 0.1) * depth, depth])
    relative = rng.normal(0, 0.3, (1, 14, 3))
    xy = project_camera(camera, root + relative)
    weight = rng.uniform(0.1, 1, (1, 14))
    weight[0, 3], xy[0, 4] = 0, np.nan
    found, error = solve_root(camera, xy, weight, relative)
    np.testing.assert_allclose(found[0], root, atol=1e-5 * depth)
    assert error[0] < 1e-6


def test_root_bears_an_outlier_and_refuses_two_points():
    rng = np.random.default_rng(0)
    camera, root = camera_from_fov((1280, 720)), np.array([0.3, -0.1, 4.0])
    relative = rng.normal(0, 0.3, (1, 14, 3))
    xy = project_camera(camera, root + relative)
    xy[0, 0] += 150
    found, _ = solve_root(camera, xy, np.ones((1, 14)), relative)
    plain, _ = solve_root(camera, xy[:, 1:], np.ones((1, 13)), relative[:, 1:])
    assert np.linalg.norm(found - plain) < 0.12
    nothing, error = solve_root(camera, xy, np.where(np.arange(14) < 2, 1.0, 0.0)[None], relative)
    assert np.isnan(nothing).all()
    assert np.isnan(error).all()


def test_limbs_on_rays_keep_their_lengths_and_meet_the_picture(skeleton, body, camera):
    where = places("coco17", body, skeleton)
    rng = np.random.default_rng(2)
    q = np.tile(library.relaxed(skeleton), (30, 1)) + rng.normal(0, 0.25, (30, len(skeleton.coordinates)))
    q[:, :6] = [0, 0, 0, 0, 1, 0]
    x = where.posed(*skeleton.forward(q)) @ camera.R_cam_world.T + camera.t_cam_world
    xy = project_camera(camera, x)
    start = x + rng.normal(0, 0.01, x.shape) * [1, 1, 0]  # hips and shoulders keep their depth
    weight = np.ones(xy.shape[:2])
    found = on_rays(start, xy, weight, camera, where)
    limbs = [i for i, n in enumerate(where.names) if n.endswith(("knee", "ankle", "elbow", "wrist"))]
    pixels = np.linalg.norm(project_camera(camera, found) - xy, axis=-1)[:, limbs]
    assert np.median(pixels) < 1e-6, "most joints are met exactly; the rest lie in the picture plane"
    names = list(where.names)
    for side in ("left", "right"):
        upper = [names.index(f"{side}_hip"), names.index(f"{side}_knee")]
        new = np.linalg.norm(found[:, upper[1]] - found[:, upper[0]], axis=-1)
        old = np.linalg.norm(start[:, upper[1]] - start[:, upper[0]], axis=-1)
        assert np.median(np.abs(new - old)) < 1e-9
        assert (new > old - 1e-9).all(), "never shorter than the bone; longer only where the ray misses"
    exact = on_rays(x, xy, weight, camera, where)
    np.testing.assert_allclose(exact[:, limbs], x[:, limbs], atol=1e-5)
    hidden = on_rays(start, xy, np.zeros_like(weight), camera, where)
    np.testing.assert_allclose(hidden, start, atol=1e-12)


@pytest.fixture(scope="module")
def known(skeleton, body):
    where = places("coco17", body, skeleton)
    return retrieval.views(skeleton, where)


def test_a_view_recognises_itself_at_any_size_and_place(known):
    chosen = np.arange(0, len(known.pose), max(1, len(known.pose) // 12))
    picture = known.xy[chosen].reshape(len(chosen), -1, 2).astype(float) * 37.0 + [200.0, -50.0]
    index, distance = retrieval.candidates(known, picture, np.ones(picture.shape[:2]))
    assert index.shape == distance.shape == (len(chosen), retrieval.YAWS * 2)
    assert (distance.min(1) < 1e-4).all()
    for own, row, cost in zip(chosen, index, distance, strict=True):
        assert own in row or cost.min() < 1e-6
    yaws = known.yaw[index]
    assert (np.sort(yaws, 1) == np.repeat(np.arange(retrieval.YAWS), 2)).all(), "two of each yaw"


def test_a_hidden_point_does_not_count(known):
    picture = known.xy[[5]].reshape(1, -1, 2).astype(float)
    weight = np.ones(picture.shape[:2])
    weight[0, 3] = 0
    index, distance = retrieval.candidates(known, picture, weight)
    moved = picture.copy()
    moved[0, 3] += 10.0
    index2, distance2 = retrieval.candidates(known, moved, weight)
    np.testing.assert_array_equal(index, index2)
    np.testing.assert_allclose(distance, distance2, atol=1e-5)


def test_the_smoothest_path_is_the_cheapest_of_all(known):
    """Viterbi against trying every path."""
    rng = np.random.default_rng(3)
    index = rng.integers(0, len(known.pose), (4, 3))
    distance, time = rng.uniform(0, 0.02, (4, 3)), np.array([0.0, 0.03, 0.1, 0.13])
    found = retrieval.smoothest(known, index, distance, time)

    def cost(way):
        x = known.x[[index[t, c] for t, c in enumerate(way)]].astype(float)
        move = ((x[1:] - x[:-1]) ** 2).sum((1, 2)) / x.shape[1]
        steps = move / (2 * (retrieval._SPEED_SD * np.diff(time)) ** 2)
        return steps.sum() + sum(distance[t, c] for t, c in enumerate(way)) / (2 * retrieval._SHAPE_SD**2)

    best = min(np.ndindex(3, 3, 3, 3), key=cost)
    np.testing.assert_array_equal(found, [index[t, c] for t, c in enumerate(best)])


def test_library_poses_face_ahead_at_the_origin(skeleton):
    q = library.poses(skeleton, 60)
    assert 60 < len(q) <= 60 + 72 + 1 or len(q) == 72
    np.testing.assert_allclose(q[:, 3:6], 0.0)
    R, _ = skeleton.forward(q)
    sideways = R[:, 0, :, 2]  # the pelvis' right in the world: -X, perhaps leaning
    assert (sideways[:, 0] < 0).all()
    np.testing.assert_allclose(sideways[:, 2], 0.0, atol=1e-6)


def test_taking_out_the_heading_keeps_the_lean(skeleton):
    q = np.zeros((3, len(skeleton.coordinates)))
    q[:, 0], q[:, 2], q[:, 3] = -0.6, [0.0, 1.0, -2.5], 4.0
    turned = skeleton.joint_rotations(q)
    from marrow.geometry import rotations

    heading = rotations.axis_angle([0.0, 1.0, 0.0], np.array([0.0, 0.7, 2.9]))
    q2 = skeleton.coordinates_from_joint_rotations(
        np.concatenate([(heading @ turned[:, 0])[:, None], turned[:, 1:]], 1), np.zeros((3, 3))
    )
    np.testing.assert_allclose(
        skeleton.joint_rotations(library.without_heading(skeleton, q2)),
        skeleton.joint_rotations(library.without_heading(skeleton, q)),
        atol=1e-9,
    )


def test_a_jump_in_depth_is_steadied_and_an_approach_is_not():
    from marrow.lift.lift import _steady

    time = np.arange(40) / 30
    approach = np.linspace(6.0, 3.0, 40)
    np.testing.assert_allclose(_steady(approach, time), 1.0, atol=1e-3)
    jumpy = approach.copy()
    jumpy[[7, 20]] *= [1.5, 0.6]
    np.testing.assert_allclose(jumpy * _steady(jumpy, time), approach, rtol=0.04)


def test_a_root_with_points_behind_the_camera_is_refused():
    """The linear equations hold for points behind the camera too; a person there is no answer."""
    camera = camera_from_fov((1280, 720))
    relative = np.random.default_rng(4).normal(0, 0.5, (1, 12, 3))
    for depth, refused in ((0.4, True), (3.0, False)):
        x = relative + [0.1, 0.0, depth]
        xy = (x @ camera.K.T)[..., :2] / x[..., 2:]
        root, error = solve_root(camera, xy, np.ones((1, 12)), relative)
        assert np.isnan(root).all() == refused
        assert np.isnan(error).all() == refused
