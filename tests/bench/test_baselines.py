"""The trivial lifters are what they say: no constant beats the mean, and the flat pose errs by relative depth alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.bench.baselines import flat_pose, mean_pose
from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, project
from marrow.metrics import joint_errors, mpjpe

CAMERA = camera_from_fov((640, 480), 50)


def people(seed: int, count: int = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.3, (count, 17, 3)) + np.array([0, 0, 4.0]) + rng.normal(0, 0.3, (count, 1, 3))


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_constant_pose_has_a_smaller_square_error_than_the_mean(seed):
    poses, rng = people(seed), np.random.default_rng(seed + 1)
    mean = mean_pose(poses, root=[1, 2])
    np.testing.assert_allclose(mean[[1, 2]].mean(0), 0, atol=1e-12)

    def square(constant: np.ndarray) -> float:
        return float(np.square(joint_errors(np.broadcast_to(constant, poses.shape), poses, root=[1, 2])).mean())

    for _ in range(5):
        step = rng.normal(0, 0.05, mean.shape)
        assert square(mean) < square(mean + step - step[[1, 2]].mean(0))
    moved = poses + rng.normal(size=(len(poses), 1, 3))
    np.testing.assert_allclose(mean_pose(moved, root=[1, 2]), mean, atol=1e-12)
    np.testing.assert_allclose(mean_pose(poses[::-1], root=[1, 2]), mean, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_flat_pose_is_the_truth_of_flat_people_and_seen_where_they_are(seed):
    poses = people(seed)
    depth = poses[:, 0, 2]
    flat = flat_pose(CAMERA, project(CAMERA, poses), depth)
    np.testing.assert_allclose(project(CAMERA, flat), project(CAMERA, poses), atol=1e-6)
    np.testing.assert_allclose(flat[..., 2], np.broadcast_to(depth[:, None], flat.shape[:2]))
    # the missing depth is a part of every joint's error
    missing = np.abs(poses[..., 2] - depth[:, None])
    assert (joint_errors(flat, poses) >= missing - 1e-9).all()
    poses[..., 2] = depth[:, None]
    np.testing.assert_allclose(mpjpe(flat_pose(CAMERA, project(CAMERA, poses), depth), poses), 0, atol=1e-9)


def test_baselines_refuse():
    with pytest.raises(InputError, match="at least one"):
        mean_pose(np.zeros((0, 17, 3)))
    with pytest.raises(InputError, match="for each pose"):
        flat_pose(CAMERA, np.zeros((5, 17, 2)), 4.0)
    with pytest.raises(InputError, match="in front"):
        flat_pose(CAMERA, np.zeros((1, 17, 2)), [-1.0])
