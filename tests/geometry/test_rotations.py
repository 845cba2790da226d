"""Rotations by mathematical identity."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from marrow.geometry import rotations as rot

prop = settings(deadline=None, max_examples=80, derandomize=True)
vectors = arrays(np.float64, (3,), elements=st.floats(-10, 10))
angles3 = arrays(np.float64, (3,), elements=st.floats(-np.pi, np.pi))


def short(v: np.ndarray, limit: float = np.pi) -> np.ndarray:
    """The vector, shortened to less than ``limit``."""
    length = np.linalg.norm(v)
    return v if length < limit else v / length * (limit * (1 - 1e-9))


@prop
@given(vectors)
@example(np.zeros(3))
@example(np.array([1e-9, -2e-9, 1e-10]))
@example(np.array([1e-160, 0.0, 0.0]))
@example(np.array([np.pi, 0.0, 0.0]))
@example(np.array([0.0, np.pi - 1e-8, 0.0]))
def test_log_undoes_exp(v: np.ndarray) -> None:
    v = short(v)
    R = rot.exp(v)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(R) == pytest.approx(1, abs=1e-13)
    back = rot.log(R)
    # At half a turn both signs are right.
    assert min(np.abs(back - v).max(), np.abs(back + v).max() if np.linalg.norm(v) > np.pi - 1e-6 else 1) < 1e-8
    np.testing.assert_allclose(rot.exp(back), R, atol=1e-14)


def test_log_keeps_relative_precision_of_tiny_turns() -> None:
    v = np.array([3e-12, -1e-12, 2e-12])
    np.testing.assert_allclose(rot.log(rot.exp(v)), v, rtol=1e-9)


def test_log_is_accurate_all_the_way_to_half_a_turn() -> None:
    for angle in np.pi - np.logspace(-12, -1, 40):
        v = angle * np.array([0.6, -0.64, 0.48])
        np.testing.assert_allclose(rot.log(rot.exp(v)), v, atol=1e-12)


@prop
@given(vectors)
def test_agrees_with_roma_and_scipy(v: np.ndarray) -> None:
    ours = rot.exp(v)
    np.testing.assert_allclose(ours, Rotation.from_rotvec(v).as_matrix(), atol=1e-13)
    np.testing.assert_allclose(ours, roma.rotvec_to_rotmat(torch.from_numpy(v)).numpy(), atol=1e-6)
    q = roma.rotvec_to_unitquat(torch.from_numpy(v)).numpy()  # xyzw, as ours
    np.testing.assert_allclose(rot.matrix_from_quaternion(q), ours, atol=1e-6)


@prop
@given(angles3)
@example(np.array([0.3, np.pi / 2, -0.8]))
@example(np.array([0.3, -np.pi / 2, -0.8]))
def test_zxy_angles_describe_the_rotation(a: np.ndarray) -> None:
    R = rot.from_euler_zxy(a)
    np.testing.assert_allclose(R, rot.rotation_z(a[0]) @ rot.rotation_x(a[1]) @ rot.rotation_y(a[2]), atol=1e-14)
    np.testing.assert_allclose(R, Rotation.from_euler("ZXY", a).as_matrix(), atol=1e-14)
    back = rot.euler_zxy(R)
    assert abs(back[1]) <= np.pi / 2
    np.testing.assert_allclose(rot.from_euler_zxy(back), R, atol=1e-13)


@prop
@given(angles3)
def test_zxy_angles_come_back_on_their_own_branch(a: np.ndarray) -> None:
    a = a * np.array([1, 0.49, 1])
    np.testing.assert_allclose(rot.euler_zxy(rot.from_euler_zxy(a)), a, atol=1e-12)


@prop
@given(angles3, vectors)
def test_zxy_jacobian_by_differences(a: np.ndarray, d: np.ndarray) -> None:
    step = 1e-6 * d
    moved = rot.from_euler_zxy(a).T @ rot.from_euler_zxy(a + step)
    np.testing.assert_allclose(rot.log(moved), rot.euler_zxy_jacobian(a) @ step, atol=1e-9)
    assert np.linalg.det(rot.euler_zxy_jacobian(a)) == pytest.approx(np.cos(a[1]), abs=1e-12)


@prop
@given(vectors, vectors)
@example(np.zeros(3), np.ones(3))
@example(np.array([9e-3, 0, 0]), np.ones(3))
@example(np.array([1.1e-2, 0, 0]), np.ones(3))
def test_left_jacobian_by_differences(v: np.ndarray, d: np.ndarray) -> None:
    v, step = short(v), 1e-6 * d
    left = rot.log(rot.exp(v + step) @ rot.exp(v).T)
    right = rot.log(rot.exp(v).T @ rot.exp(v + step))
    np.testing.assert_allclose(left, rot.left_jacobian(v) @ step, atol=1e-9)
    np.testing.assert_allclose(right, rot.left_jacobian(-v) @ step, atol=1e-9)


def test_unwrapped_angles_do_not_jump_and_are_the_same_rotations() -> None:
    t = np.linspace(0, 1, 400)
    smooth = np.stack([9 * t, 1.4 * np.sin(7 * t) + 1.6 * t, -5 * t + 0.4 * np.sin(20 * t)], -1)
    R = rot.from_euler_zxy(smooth)
    wrapped = rot.euler_zxy(R)
    assert np.abs(np.diff(wrapped, axis=0)).max() > 3  # the plain read-out does jump here
    unwrapped = rot.unwrap_zxy(wrapped)
    np.testing.assert_allclose(unwrapped, smooth, atol=1e-9)
    np.testing.assert_allclose(rot.from_euler_zxy(unwrapped), R, atol=1e-12)


def test_an_arm_that_comes_down_on_another_way_hangs_at_zero_again() -> None:
    up = np.linspace(0.0, 1.0, 40)[:, None]
    down, turned = [0.0, -3.0, 0.0] + up * [-3.0, 0.0, 0.0], [-3.0, -3.0, 0.0] + up * [0.0, 0.0, 3.0]
    angles = np.concatenate([up * [0.0, -3.0, 0.0], down, turned])
    R = rot.from_euler_zxy(angles)  # up sideways, down in front, forearm turned back
    plain, near = rot.unwrap_zxy(rot.euler_zxy(R)), rot.unwrap_zxy(rot.euler_zxy(R), near_zero=True)
    np.testing.assert_allclose(rot.from_euler_zxy(near), R, atol=1e-12)
    assert np.abs(plain[-1]).max() > 2.9
    assert np.abs(near[-1]).max() < 0.3
    np.testing.assert_allclose(near[:40], plain[:40], atol=1e-12)  # raised above the head sideways: no jump
    assert (np.abs(np.diff(near, axis=0)).max(1) > 1.0).sum() == 1


def test_unwrap_passes_over_missing_frames() -> None:
    a = np.zeros((6, 2, 3))
    a[:, 0, 0] = [3.0, 3.1, np.nan, 3.2 - 2 * np.pi, 3.3 - 2 * np.pi, 3.4 - 2 * np.pi]
    out = rot.unwrap_zxy(a)
    np.testing.assert_allclose(out[3:, 0, 0], [3.2, 3.3, 3.4])
    assert np.isnan(out[2, 0, 0])
    np.testing.assert_array_equal(out[:, 1], 0)


@prop
@given(vectors, vectors)
def test_quaternion_product_is_matrix_product(v: np.ndarray, w: np.ndarray) -> None:
    R, S = rot.exp(v), rot.exp(w)
    q = rot.quaternion_multiply(rot.quaternion_from_matrix(R), rot.quaternion_from_matrix(S))
    np.testing.assert_allclose(rot.matrix_from_quaternion(q), R @ S, atol=1e-13)


def test_continuous_quaternions_have_no_sign_jumps() -> None:
    R = rot.rotation_y(np.linspace(0, 12, 200))
    q = rot.quaternion_from_matrix(R)
    q[::7] *= -1
    smooth = rot.continuous_quaternions(q)
    assert np.abs(np.diff(smooth, axis=0)).max() < 0.05
    np.testing.assert_allclose(rot.matrix_from_quaternion(smooth), R, atol=1e-13)


@prop
@given(vectors, vectors, st.floats(0, 1))
def test_slerp_goes_evenly_along_the_shortest_way(v: np.ndarray, w: np.ndarray, f: float) -> None:
    R, S = rot.exp(v), rot.exp(w)
    whole = rot.angle_between(R, S)
    if whole > np.pi - 1e-6:
        return
    middle = rot.slerp(R, S, f)
    np.testing.assert_allclose(rot.angle_between(R, middle), f * whole, atol=1e-12)
    np.testing.assert_allclose(rot.angle_between(middle, S), (1 - f) * whole, atol=1e-12)


@prop
@given(arrays(np.float64, (3, 3), elements=st.floats(-5, 5)), vectors)
def test_nearest_rotation_is_nearer_than_any_other(M: np.ndarray, v: np.ndarray) -> None:
    best = rot.nearest_rotation(M)
    assert np.linalg.det(best) == pytest.approx(1, abs=1e-12)
    assert np.linalg.norm(best - M) <= np.linalg.norm(best @ rot.exp(v) - M) + 1e-9


@prop
@given(vectors, vectors)
@example(np.array([1.0, 2.0, 3.0]), np.array([-1.0, -2.0, -3.0]))
@example(np.array([0.0, 1.0, 0.0]), np.array([0.0, -1.0, 1e-9]))
def test_rotation_between_is_the_smallest(a: np.ndarray, b: np.ndarray) -> None:
    if np.linalg.norm(a) < 1e-3 or np.linalg.norm(b) < 1e-3:
        return
    R = rot.rotation_between(a, b)
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    np.testing.assert_allclose(R @ a, b, atol=1e-7)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    between = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    np.testing.assert_allclose(rot.angle_between(np.eye(3), R), between, atol=1e-7)


def test_mean_rotation_of_a_symmetric_pair_is_its_middle_and_weights_pull() -> None:
    middle = rot.exp([0.3, -1.0, 0.4])
    turn = np.array([0.5, 0.1, -0.2])
    pair = np.stack([middle @ rot.exp(turn), middle @ rot.exp(-turn)])
    np.testing.assert_allclose(rot.mean_rotation(pair), middle, atol=1e-14)
    pulled = rot.mean_rotation(pair, [3.0, 1.0])
    assert rot.angle_between(pulled, pair[0]) < rot.angle_between(pulled, pair[1])


def test_any_leading_dimensions() -> None:
    v = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    R = rot.exp(v)
    assert R.shape == (2, 5, 4, 3, 3)
    for one, shape in ((rot.log(R), (3,)), (rot.euler_zxy(R), (3,)), (rot.quaternion_from_matrix(R), (4,))):
        assert one.shape == (2, 5, 4, *shape)
    np.testing.assert_array_equal(rot.log(R)[1, 3, 2], rot.log(R[1, 3, 2]))
    np.testing.assert_array_equal(rot.euler_zxy(R)[1, 3, 2], rot.euler_zxy(R[1, 3, 2]))
    assert rot.exp(np.zeros((0, 3))).shape == (0, 3, 3)
    assert rot.axis_angle([0, 0, 2.0], np.zeros((3, 2))).shape == (3, 2, 3, 3)
    np.testing.assert_allclose(rot.axis_angle([0, 0, 2.0], np.pi / 2) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
