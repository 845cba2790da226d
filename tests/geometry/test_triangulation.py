"""Triangulation: exact from exact pixels, robust to missing views, better than its linear start under noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, look_at, project
from marrow.geometry.rotations import exp
from marrow.geometry.triangulation import triangulate
from marrow.types import Camera

prop = settings(deadline=None, max_examples=30, derandomize=True)


def ring(count: int, lens: bool = True) -> list[Camera]:
    cameras = []
    for number in range(count):
        eye = exp([0, 0.7 * number, 0]) @ [0, 1.0 + 0.3 * number, 4.0]
        R, t = look_at(eye, [0, 1, 0])
        distortion = np.array([-0.1, 0.02, 1e-3, 0.0]) if lens and number % 2 else np.zeros(0)
        cameras.append(replace(camera_from_fov((1280, 720)), R_cam_world=R, t_cam_world=t, distortion=distortion))
    return cameras


@prop
@given(st.integers(0, 1000), st.integers(2, 5))
def test_exact_from_exact_pixels(seed: int, count: int) -> None:
    cameras = ring(count)
    x = np.random.default_rng(seed).normal(scale=0.5, size=(4, 3, 3)) + [0, 1, 0]
    xy = np.stack([project(camera, x) for camera in cameras])
    np.testing.assert_allclose(triangulate(cameras, xy), x, atol=1e-8)


def test_missing_and_weightless_views() -> None:
    cameras = ring(3)
    x = np.random.default_rng(1).normal(scale=0.3, size=(5, 3)) + [0, 1, 0]
    xy = np.stack([project(camera, x) for camera in cameras])
    weight = np.ones(xy.shape[:-1])
    xy[0, 0] = np.nan  # two views are left
    xy[:2, 1] = np.nan  # one is left
    xy[0, 2] += 500
    weight[0, 2] = 0  # the wrong one counts nothing
    out = triangulate(cameras, xy, weight)
    np.testing.assert_allclose(out[[0, 2, 3, 4]], x[[0, 2, 3, 4]], atol=1e-8)
    assert np.isnan(out[1]).all()


def test_refined_solution_has_the_least_reprojection_error() -> None:
    cameras, rng = ring(4, lens=False), np.random.default_rng(2)
    x = rng.normal(scale=0.5, size=(30, 3)) + [0, 1, 0]
    xy = np.stack([project(camera, x) for camera in cameras]) + rng.normal(scale=3, size=(4, 30, 2))

    def cost(points: np.ndarray) -> np.ndarray:
        views = [project(camera, points) for camera in cameras]
        return ((np.stack(views) - xy) ** 2).sum((0, -1))

    best = triangulate(cameras, xy)
    assert (cost(best) <= cost(triangulate(cameras, xy, iterations=0)) + 1e-9).all()
    for shift in 1e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert (cost(best + shift) > cost(best)).all()
    assert np.median(np.linalg.norm(best - x, axis=-1)) < 0.02


def test_a_point_behind_a_camera_is_refused() -> None:
    cameras = [camera_from_fov((640, 480)), replace(camera_from_fov((640, 480)), t_cam_world=np.array([-0.5, 0, 0]))]
    # Rays that part: they meet behind both cameras.
    assert np.isnan(triangulate(cameras, [[300.0, 240.0], [340.0, 240.0]])).all()


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(InputError, match=r"\(2, \.\.\., 2\)"):
        triangulate(ring(2), np.zeros((3, 4, 2)))
    with pytest.raises(InputError, match="weight"):
        triangulate(ring(2), np.zeros((2, 4, 2)), np.ones((2, 5)))
