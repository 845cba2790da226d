"""The body posed by the skeleton and by its own bones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.body.blending import skin_reference
from marrow.body.posing import nearest_rotation
from marrow.body.skinning import SkinWeights, skin
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.types import Motion


def random_q(skeleton, count, seed=0, size=0.4):
    return skeleton.bind_q + size * np.random.default_rng(seed).standard_normal((count, len(skeleton.coordinates)))


@pytest.mark.parametrize("shape", [{}, {"age": 0.1, "weight": 0.9}, {"log_scale_thigh": 0.2, "log_scale_trunk": -0.1}])
def test_the_bind_pose_gives_the_body_at_rest(body, shape):
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    mesh = body.pose(rest, skeleton.bind_q)
    np.testing.assert_allclose(mesh.vertices, rest.vertices, atol=2e-6)
    assert mesh.joint_names == skeleton.bodies
    np.testing.assert_allclose(mesh.joints[skeleton.body_index("tibia_r")], rest.landmarks["knee_r"], atol=1e-6)


def test_moving_and_turning_the_pelvis_moves_the_body_rigidly(body, rest, skeleton):
    q = random_q(skeleton, 1)[0]
    turned = q.copy()
    turned[skeleton.index("pelvis_rotation")] += 0.7  # last of the body-fixed angles: about the pelvis' own Y
    a = body.pose(rest, q, translation=[0.1, 1.0, 0.2])
    b = body.pose(rest, turned, translation=[3.0, 0.9, -8.0])
    pelvis = skeleton.body_index("pelvis")
    before, after = a.vertices - a.joints[pelvis], b.vertices - b.joints[pelvis]
    R_before, R_after = (skeleton.joint_rotations(x)[pelvis] for x in (q, turned))
    np.testing.assert_allclose(after, before @ (R_after @ R_before.T).T, atol=5e-6)
    np.testing.assert_allclose(b.joints[pelvis], [3.0, 0.9, -8.0], atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 20), st.integers(1, 3))
def test_compiled_skinning_equals_torch(seed, frames, threads):
    rng = np.random.default_rng(seed)
    n, bodies = 40, 7
    count = rng.integers(1, 5, n)
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    weight = rng.random(start[-1]).astype(np.float32)
    weights = SkinWeights(start, rng.integers(0, bodies, start[-1]).astype(np.int32), weight)
    vertices = rng.standard_normal((n, 3)).astype(np.float32)
    transforms = rng.standard_normal((frames, bodies, 3, 4))
    fast = skin(vertices, weights, transforms, threads)
    slow = skin_reference(torch.from_numpy(vertices).double(), weights, torch.from_numpy(transforms))
    np.testing.assert_allclose(fast, slow.numpy(), rtol=1e-5, atol=2e-5)
    ids = rng.permutation(n)[:11]
    np.testing.assert_array_equal(skin(vertices[ids], weights.rows(ids), transforms, 1), fast[:, ids])


def test_reference_skinning_is_differentiable():
    rng = np.random.default_rng(0)
    weights = SkinWeights(
        np.array([0, 2, 3, 5], np.int32),
        np.array([0, 1, 2, 1, 2], np.int32),
        np.array([0.4, 0.6, 1, 0.5, 0.5], np.float32),
    )
    vertices = torch.from_numpy(rng.standard_normal((3, 3))).requires_grad_()
    transforms = torch.from_numpy(rng.standard_normal((2, 3, 3, 4))).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, t: skin_reference(v, weights, t), (vertices, transforms))


def test_subsets_outputs_and_motions_agree_with_the_whole(body, rest, skeleton):
    q = random_q(skeleton, 3)
    place = np.array([[0.0, 1.0, 0.0], [0.1, 1.1, 0.0], [0.2, 1.0, 0.3]])
    whole = body.pose(rest, q, place)
    assert whole.vertices.shape == (3, 13718, 3)
    ids = [5, 9000, 13717, 5]
    few = body.pose(rest, q, place, vertex_ids=ids)
    np.testing.assert_array_equal(few.vertices, whole.vertices[:, ids])
    assert len(few.faces) == 0
    joints = body.pose(rest, q, place, outputs=("joints",))
    assert joints.vertices.shape == (3, 0, 3)
    np.testing.assert_array_equal(joints.joints, whole.joints)
    motion = Motion(np.arange(3.0), skeleton.coordinates, q, place, {})
    np.testing.assert_array_equal(body.pose(rest, motion).vertices, whole.vertices)
    shaped = body.pose(rest, q[:2].reshape(1, 2, -1), place[:2].reshape(1, 2, 3))
    np.testing.assert_array_equal(shaped.vertices[0], whole.vertices[:2])
    with pytest.raises(InputError, match="outputs"):
        body.pose(rest, q, outputs=("bones",))
    with pytest.raises(InputError, match="coordinates"):
        body.pose(rest, q[:, :-1])


def test_bending_one_finger_moves_that_finger_only(body, rest, skeleton):
    q = skeleton.bind_q.copy()
    straight = body.pose(rest, q).vertices
    q[skeleton.index("index_pip_flex_l")] += 1.0
    moved = np.linalg.norm(body.pose(rest, q).vertices - straight, axis=1)
    where = rest.vertices[moved > 1e-3]
    assert moved.max() > 0.02
    assert len(where) > 50
    chain = np.array([rest.landmarks[f"index_{j}_l"] for j in ("mcp", "pip", "dip", "tip")])
    distance = np.linalg.norm(where[:, None] - chain, axis=-1).min(1)
    assert distance.max() < 0.03


@pytest.mark.parametrize(
    ("angles", "litres"),
    [
        ({"knee_angle_r": 110}, 0.3),
        ({"hip_flexion_r": 100}, 1.8),
        ({"elbow_flex_r": 130}, 0.17),
        ({"lumbar_seg_extension": -45, "thorax_extension": -25}, 6.0),
        ({"lumbar_seg_rotation": 10, "thorax_rotation": 30}, 1.6),
        ({"neck_rotation": 70}, 0.4),
        ({"gh_flex_r": 160, "clav_elevation_r": 20}, 1.3),
        ({"pro_sup_r": -104}, 0.43),
        ({"pro_sup_r": 56}, 0.20),
    ],
)
def test_bends_and_twists_do_not_collapse(body, rest, skeleton, angles, litres):
    """Volume lost against the bind pose, of about 60 litres: what wringing out a joint would cost shows here.

    Blended matrices lose some by nature; these bounds were set after looking at the poses.
    """
    q = skeleton.bind_q.copy()
    for name, value in angles.items():
        q[skeleton.index(name)] += np.radians(value)
    bent = body.pose(rest, q).vertices.astype(float)
    assert 1e3 * (volume(rest.vertices.astype(float), body.faces) - volume(bent, body.faces)) < litres


def volume(vertices, faces):
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def test_own_bones_translate_and_refuse_other_counts(body, rest):
    eye = np.tile(np.eye(3), (104, 1, 1))
    a = body.pose_bones(rest, eye)
    b = body.pose_bones(rest, np.stack([eye, eye]), np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
    np.testing.assert_allclose(b.vertices[0], a.vertices, atol=1e-7)
    step = b.vertices[1] - b.vertices[0]
    np.testing.assert_allclose(step - step[0], 0, atol=2e-6)
    assert np.linalg.norm(step[0]) == pytest.approx(np.sqrt(14), abs=1e-5)
    with pytest.raises(InputError, match="104"):
        body.pose_bones(rest, np.eye(3))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16))
def test_nearest_rotation_is_a_rotation_and_keeps_rotations(seed):
    M = np.random.default_rng(seed).standard_normal((4, 3, 3))
    R = nearest_rotation(M)
    np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    np.testing.assert_allclose(nearest_rotation(2.5 * R), R, atol=1e-12)
