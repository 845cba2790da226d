"""Cameras: projection and its inverse, crops that keep rays, lens distortion against OpenCV."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.errors import InputError
from marrow.geometry import projection as pro
from marrow.geometry.rotations import exp
from marrow.types import Camera

prop = settings(deadline=None, max_examples=60, derandomize=True)
WEAK_LENS = np.array([-0.12, 0.05, 8e-4, -5e-4, 0.01])
RATIONAL_LENS = np.array([0.4, -0.2, 1e-3, -8e-4, 0.02, 0.5, -0.1, 0.01])


def posed(seed: int, distortion: np.ndarray | None = None) -> Camera:
    """A camera some metres from the origin that has it in view."""
    rng = np.random.default_rng(seed)
    eye = np.array([0, 1.4, 0]) + 3.5 * exp([0, rng.uniform(-3, 3), 0]) @ [0, 0, 1]
    R, t = pro.look_at(eye, rng.normal(scale=0.2, size=3) + [0, 1, 0])
    camera = pro.camera_from_fov((1280, 720), float(rng.uniform(40, 80)))
    K = camera.K + [[0, 3.0, 12.0], [0, 25.0, -7.0], [0, 0, 0]]  # skew, oblong pixels, shifted axis
    return Camera(K, (1280, 720), R, t, np.zeros(0) if distortion is None else distortion)


@pytest.mark.parametrize("lens", [None, WEAK_LENS[:4], WEAK_LENS, RATIONAL_LENS])
def test_project_agrees_with_opencv(lens: np.ndarray | None) -> None:
    camera = posed(1, lens)
    x = np.random.default_rng(0).normal(scale=0.5, size=(40, 3)) + [0, 1, 0]
    rvec = cv2.Rodrigues(camera.R_cam_world)[0]
    K = camera.K * np.array([[1, 0, 1], [1, 1, 1], [1, 1, 1]])  # OpenCV knows no skew
    want = cv2.projectPoints(x, rvec, camera.t_cam_world, K, camera.distortion if lens is not None else None)[0][:, 0]
    np.testing.assert_allclose(pro.project(replace(camera, K=K), x), want, atol=1e-8)


@prop
@given(st.integers(0, 10_000), st.sampled_from([None, WEAK_LENS, RATIONAL_LENS]))
def test_unproject_undoes_project(seed: int, lens: np.ndarray | None) -> None:
    camera = posed(seed, lens)
    x = np.random.default_rng(seed).normal(scale=0.4, size=(3, 5, 3)) + [0, 1, 0]
    depth = pro.to_camera(camera, x)[..., 2]
    xy = pro.project(camera, x)
    np.testing.assert_allclose(pro.unproject(camera, xy, depth), x, atol=1e-8)
    ray = pro.rays(camera, xy)
    away = x - pro.camera_centre(camera)
    np.testing.assert_allclose(ray, away / np.linalg.norm(away, axis=-1, keepdims=True), atol=1e-8)
    np.testing.assert_allclose(pro.from_camera(camera, pro.to_camera(camera, x)), x, atol=1e-13)


def test_points_behind_the_camera_have_no_pixel() -> None:
    camera = pro.camera_from_fov((640, 480))
    xy = pro.project(camera, [[0, 0, 2.0], [0, 0, 0], [0.1, 0, -2.0]])
    np.testing.assert_allclose(xy[0], [319.5, 239.5])
    assert np.isnan(xy[1:]).all()


@prop
@given(
    st.integers(0, 10_000),
    st.floats(-300, 900),
    st.floats(-300, 500),
    st.floats(20, 900),
    st.floats(20, 900),
    st.sampled_from([(256, 256), (224, 310), (31, 640)]),
)
def test_crop_changes_K_and_keeps_rays(
    seed: int, x0: float, y0: float, width: float, height: float, size: tuple[int, int]
) -> None:
    camera = posed(seed, WEAK_LENS)
    small, A = pro.crop(camera, (x0, y0, x0 + width, y0 + height), size)
    assert small.size == size
    xy = np.random.default_rng(seed).uniform([0, 0], [1280, 720], size=(20, 2))
    moved = xy @ A[:, :2].T + A[:, 2]
    np.testing.assert_allclose(pro.rays(small, moved), pro.rays(camera, xy), atol=1e-9)
    x = np.random.default_rng(seed).normal(scale=0.4, size=(20, 3)) + [0, 1, 0]
    np.testing.assert_allclose(
        pro.project(small, x), pro.project(camera, x) @ A[:, :2].T + A[:, 2], atol=1e-6
    )  # fmt: skip
    corners = np.array([[x0, y0], [x0 + width, y0 + height]]) @ A[:, :2].T + A[:, 2]
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5]], atol=1e-9)
    assert not np.allclose(small.K, camera.K)


def test_crop_of_the_whole_picture_is_the_picture() -> None:
    camera = posed(3)
    same, A = pro.crop(camera, (-0.5, -0.5, 1279.5, 719.5), (1280, 720))
    np.testing.assert_allclose(A, [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(same.K, camera.K, atol=1e-9)


def test_crop_matrix_is_what_opencv_warps_by() -> None:
    image = np.zeros((60, 80), np.float32)
    image[20:30, 40:50] = 1
    _, A = pro.crop(pro.camera_from_fov((80, 60)), (39.5, 19.5, 49.5, 29.5), (10, 10))
    cut = cv2.warpAffine(image, A, (10, 10), flags=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(cut, np.ones((10, 10), np.float32))


@prop
@given(st.floats(5, 170), st.sampled_from([(1920, 1080), (1080, 1920), (1, 1), (33, 32)]))
def test_field_of_view_is_that_of_the_long_side(fov: float, size: tuple[int, int]) -> None:
    camera = pro.camera_from_fov(size, fov)
    assert pro.fov_deg(camera) == pytest.approx(fov)
    long = int(np.argmax(size))
    edges = np.tile(camera.K[:2, 2], (2, 1))
    edges[:, long] = [-0.5, size[long] - 0.5]
    a, b = pro.rays(camera, edges)
    assert np.degrees(np.arccos(np.clip(a @ b, -1, 1))) == pytest.approx(fov, abs=1e-5)


def test_look_at_puts_the_target_in_the_middle_and_up_upwards() -> None:
    R, t = pro.look_at([1, 2, 5], [0.3, 1, 0])
    camera = replace(pro.camera_from_fov((640, 480)), R_cam_world=R, t_cam_world=t)
    assert np.linalg.det(R) == pytest.approx(1)
    np.testing.assert_allclose(pro.project(camera, [0.3, 1, 0]), [319.5, 239.5], atol=1e-9)
    above = pro.project(camera, [0.3, 1.5, 0])
    assert above[1] < 239
    assert above[0] == pytest.approx(319.5, abs=1e-9)
    np.testing.assert_allclose(pro.camera_centre(camera), [1, 2, 5], atol=1e-12)
    # A person who faces +Z, seen from the front, has the left side on the right of the picture.
    R, t = pro.look_at([0, 1, 4], [0, 1, 0])
    front = replace(camera, R_cam_world=R, t_cam_world=t)
    assert pro.project(front, [0.5, 1, 0])[0] > pro.project(front, [-0.5, 1, 0])[0]


@pytest.mark.parametrize("lens", [WEAK_LENS[:4], WEAK_LENS, RATIONAL_LENS, np.array([-0.35, 0.15, 0, 0, -0.03])])
def test_undistort_undoes_distort(lens: np.ndarray) -> None:
    uv = np.random.default_rng(0).uniform(-0.6, 0.6, size=(7, 50, 2))
    np.testing.assert_allclose(pro.undistort(lens, pro.distort(lens, uv)), uv, atol=1e-10)


def test_undistort_tells_places_that_no_ray_reaches() -> None:
    barrel = np.array([-0.3, 0.0, 0.0, 0.0])  # r (1 - 0.3 r²) is at most 0.70
    out = pro.undistort(barrel, [[0.5, 0.0], [0.9, 0.0]])
    np.testing.assert_allclose(pro.distort(barrel, out[0]), [0.5, 0], atol=1e-12)
    assert np.isnan(out[1]).all()


def test_lists_serve_as_arrays() -> None:
    K = [[800.0, 0, 320], [0, 800, 240], [0, 0, 1]]
    camera = Camera(K, (640, 480), distortion=(0.1, 0.0, 0.0, 0.0))  # type: ignore[arg-type]
    same = Camera(np.array(K), (640, 480), distortion=np.array([0.1, 0.0, 0.0, 0.0]))
    x = np.array([[0.3, -0.2, 2.0]])
    np.testing.assert_array_equal(pro.project(camera, x), pro.project(same, x))
    for wrong in ([[1, 0], [0]], [["a"]], [None, {}]):
        with pytest.raises(InputError, match="expected K as an array of numbers"):
            Camera(wrong, (640, 480))  # type: ignore[arg-type]


def test_mistakes_are_told() -> None:
    camera = pro.camera_from_fov((64, 48))
    with pytest.raises(InputError, match="0, 4, 5 or 8"):
        pro.distort([0.1, 0.2], [0, 0])
    with pytest.raises(InputError, match="between 0 and 180"):
        pro.camera_from_fov((64, 48), 180)
    with pytest.raises(InputError, match="at least 1 pixel"):
        pro.camera_from_fov((0, 48))
    with pytest.raises(InputError, match="x0 < x1"):
        pro.crop(camera, (5, 5, 5, 9), (8, 8))
    with pytest.raises(InputError, match="upright"):
        pro.look_at([0, 2, 0], [0, 0, 0])
