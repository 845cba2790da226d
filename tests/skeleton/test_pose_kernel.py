"""The fused kernels of pose and Jacobian against the plain twin, for every kind of tree."""

from __future__ import annotations

import numpy as np
import pytest
from standing_body import standing

from marrow.conventions import from_ground
from marrow.skeleton import Skeleton, kinematics
from marrow.skeleton import _fast_kinematics as fast

TREES = {
    "whole": {},
    "without fingers": {"fingers": False},
    "hinged knees": {"knee": "hinge"},
}


@pytest.fixture(scope="module", params=list(TREES))
def skeleton(request) -> Skeleton:
    return Skeleton.inside(standing(), **TREES[request.param])


def poses(skeleton: Skeleton) -> np.ndarray:
    q = np.random.default_rng(0).normal(0.0, 0.8, (7, len(skeleton.coordinates)))
    q[0] = 0.0
    return q


def plain_pose(skeleton: Skeleton, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tree = skeleton.tree
    places = kinematics.joint_places(tree, q, skeleton.offsets, skeleton.length)
    return kinematics.forward(tree, kinematics.joint_rotations(tree, q), places, from_ground(q[..., tree.translation]))


def test_pose_equals_the_plain_twin_and_the_three_kernels(skeleton) -> None:
    q, tree = poses(skeleton), skeleton.tree
    R, p = skeleton.forward(q)
    plain_R, plain_p = plain_pose(skeleton, q)
    np.testing.assert_allclose(R, plain_R, atol=1e-13)
    np.testing.assert_allclose(p, plain_p, atol=1e-13)
    places = fast.joint_places(tree.structure, q, skeleton.offsets, skeleton.length)
    R_joint = fast.joint_rotations(tree.structure, q, False)
    stepwise_R, stepwise_p = fast.forward(tree.parents, R_joint, places, from_ground(q[:, tree.translation]))
    np.testing.assert_allclose(R, stepwise_R, atol=1e-13)
    np.testing.assert_allclose(p, stepwise_p, atol=1e-13)


@pytest.mark.parametrize("tangent", [False, True])
def test_joint_rotations_equal_the_plain_twin(skeleton, tangent: bool) -> None:
    q = poses(skeleton)
    R = skeleton.joint_rotations(q, tangent=tangent)
    np.testing.assert_allclose(R, kinematics.joint_rotations(skeleton.tree, q, tangent=tangent), atol=1e-13)


@pytest.mark.parametrize("tangent", [False, True])
def test_jacobian_equals_the_plain_twin(skeleton, tangent: bool) -> None:
    q, rng = poses(skeleton).reshape(7, 1, -1), np.random.default_rng(1)
    bodies, local = rng.integers(0, len(skeleton.bodies), 9), rng.normal(0.0, 0.1, (9, 3))
    J = skeleton.jacobian(q, bodies, local, tangent=tangent)
    R, p = plain_pose(skeleton, q)
    twists = kinematics.dof_twists(skeleton.tree, skeleton.length, q, R, p, tangent=tangent)
    x = p[..., bodies, :] + np.einsum("...nij,nj->...ni", R[..., bodies, :, :], local)
    np.testing.assert_allclose(J, kinematics.jacobian(skeleton.tree, bodies, x, *twists), atol=1e-12)


def test_jacobian_equals_differences(skeleton) -> None:
    q, h = poses(skeleton)[3], 1e-6
    bodies = np.arange(len(skeleton.bodies))
    J = skeleton.jacobian(q, bodies, np.zeros((len(bodies), 3)))
    steps = h * np.eye(len(q))
    numeric = (skeleton.forward(q + steps)[1] - skeleton.forward(q - steps)[1]) / (2 * h)
    np.testing.assert_allclose(J, np.moveaxis(numeric, 0, -1), atol=1e-8)
