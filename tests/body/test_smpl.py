"""SMPL's family from made-up files: against the published equations written out plainly in float64."""

from __future__ import annotations

import model_files
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from marrow.body.model_file import read_model_file
from marrow.body.smpl import PARTS, SmplBody
from marrow.errors import InputError

VERTICES = 150
FAMILIES = tuple(PARTS)


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / f"{request.param}.pkl"
    model_files.write_pkl(path, model_files.arrays(request.param, vertices=VERTICES))
    return read_model_file(path)


@pytest.fixture(scope="module")
def body(model):
    return SmplBody(model)


def plain(model, shape, expression, vectors, translation):
    """One body after Loper et al. 2015, equations 2-10: vertices (V, 3) and joints (J, 3)."""
    basis = np.concatenate([model.shape_basis, model.expression_basis])
    shaped = model.template + np.einsum("kvc,k->vc", basis, np.concatenate([shape, expression]))
    joints = model.joint_regressor.toarray() @ shaped
    R = Rotation.from_rotvec(vectors).as_matrix()
    rest = shaped + np.einsum("kvc,k->vc", model.pose_basis, (R[1:] - np.eye(3)).reshape(-1))
    world = []
    for j, parent in enumerate(model.parents):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = R[j], joints[j] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    homogeneous, dense = np.c_[rest, np.ones(len(rest))], np.zeros((len(rest), len(joints)))
    for v in range(len(rest)):
        for k in range(model.weights.start[v], model.weights.start[v + 1]):
            dense[v, model.weights.body[k]] += model.weights.weight[k]
    bind = [np.block([[np.eye(3), -joint[:, None]], [np.zeros((1, 3)), 1]]) for joint in joints]
    blended = np.einsum("vj,jab->vab", dense, np.array([W @ B for W, B in zip(world, bind, strict=True)]))
    posed = np.einsum("vab,vb->va", blended, homogeneous)[:, :3]
    return posed + translation, np.array([W[:3, 3] for W in world]) + translation


def draw(model, count, seed=0):
    rng = np.random.default_rng(seed)
    sizes = len(model.shape_basis), len(model.expression_basis)
    shape, expression = (rng.normal(0, 1, size) for size in sizes)
    return shape, expression, rng.normal(0, 0.5, (count, len(model.parents), 3)), rng.normal(0, 1, (count, 3))


@pytest.mark.parametrize("count", [1, 9])
def test_equals_the_published_equations(model, body, count):
    shape, expression, vectors, translation = draw(model, count)
    rest = body.rest(shape, expression)
    mesh = body.pose(rest, vectors, translation)
    assert mesh.joint_names == model.joint_names
    for t in range(count):
        vertices, joints = plain(model, shape, expression, vectors[t], translation[t])
        np.testing.assert_allclose(mesh.vertices[t], vertices, atol=1e-5)
        np.testing.assert_allclose(mesh.joints[t], joints, atol=1e-5)
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape[:2], 3, 3)
    np.testing.assert_allclose(body.pose(rest, matrices, translation).vertices, mesh.vertices, atol=5e-6)


def test_bodies_of_their_own(model, body):
    """As many shapes as poses, on tensors, give what each gives alone."""
    shapes, poses = torch.randn(8, len(model.shape_basis)), 0.4 * torch.randn(8, len(model.parents), 3)
    twin = body.tensors()
    together = twin.pose(twin.rest(shapes), poses)
    for i in range(8):
        alone = body.pose(body.rest(shapes[i].numpy()), poses[i].numpy())
        np.testing.assert_allclose(together.vertices[i], alone.vertices, atol=5e-6)
        np.testing.assert_allclose(together.joints[i], alone.joints, atol=5e-6)


def test_gradients_by_finite_differences(model, body):
    exact = body.tensors().double()
    shape, expression, pose, translation = (torch.from_numpy(x) for x in draw(model, 2, seed=1))
    inputs = [x.requires_grad_() for x in (shape[:3], expression[:2], pose, translation)]
    pull = torch.randn(2, VERTICES, 3, dtype=torch.float64)

    def loss(shape, expression, pose, translation):
        rest = exact.rest(shape[None], expression[None])
        return (exact.pose(rest, pose, translation, vertex_ids=range(VERTICES)).vertices * pull).sum()

    assert torch.autograd.gradcheck(loss, inputs, fast_mode=True)


def test_fast_gradients_equal_exact_ones(model, body):
    fast, exact = body.tensors(), body.tensors().double()
    shape, expression, pose, translation = (torch.from_numpy(x) for x in draw(model, 7, seed=2))
    for shapes in (1, 7):
        found = []
        for twin, kind in ((fast, torch.float32), (exact, torch.float64)):
            inputs = [
                x.to(kind).requires_grad_()
                for x in (shape.expand(shapes, -1), expression.expand(shapes, -1), pose, translation)
            ]
            posed = twin.pose(twin.rest(*inputs[:2]), *inputs[2:])
            pull = torch.sin(torch.arange(posed.vertices.numel())).view(posed.vertices.shape)
            loss = (posed.vertices * pull).sum() + (posed.joints**2).sum()
            found.append(torch.autograd.grad(loss, [x for x in inputs if x.numel()]))
        for a, b in zip(*found, strict=True):
            assert float((a - b).abs().max()) < 1e-5 * float(b.abs().max())


def test_the_root_turns_about_its_joint(model, body):
    rest, pose = body.rest(), np.zeros((len(model.parents), 3))
    pose[0] = 0.3, 1.1, -0.4
    turned, still = body.pose(rest, pose), rest.joints[0]
    np.testing.assert_allclose(turned.joints[0], still, atol=1e-6)
    R = Rotation.from_rotvec(pose[0]).as_matrix()
    np.testing.assert_allclose(turned.vertices, (rest.vertices - still) @ R.T + still, atol=5e-6)


def test_a_person_is_shaped_once(model, body):
    """Poses of one person share the rest shape that the first of them made."""
    twin = body.tensors()
    rest = twin.rest(torch.zeros(1, 2))
    twin.pose(rest, torch.zeros(len(model.parents), 3))
    assert "vertices" in vars(rest)


def test_some_vertices_or_only_joints(model, body):
    shape, expression, vectors, translation = draw(model, 3)
    rest, ids = body.rest(shape, expression), [5, 3, 77]
    whole = body.pose(rest, vectors, translation)
    few = body.pose(rest, vectors, translation, vertex_ids=ids)
    np.testing.assert_allclose(few.vertices, whole.vertices[:, ids], atol=5e-6)
    assert few.faces.shape == (0, 3)
    joints = body.pose(rest, vectors, translation, outputs=("joints",))
    np.testing.assert_array_equal(joints.joints, whole.joints)
    assert joints.vertices.shape == (0, 3)


def test_some_vertices_follow_the_body_to_another_kind_of_number(model, body):
    """What was kept of the vertices asked for before is not used once the numbers are others."""
    tensors, ids = body.tensors(), [3, 1, 40]
    shape, expression, vectors, translation = draw(model, 2)
    rest = tensors.rest(torch.from_numpy(shape).float(), torch.from_numpy(expression).float())
    tensors.pose(rest, torch.from_numpy(vectors).float(), outputs=("vertices",), vertex_ids=ids)
    tensors.double()
    rest = tensors.rest(torch.from_numpy(shape), torch.from_numpy(expression))
    pose, shift = torch.from_numpy(vectors), torch.from_numpy(translation)
    whole = tensors.pose(rest, pose, shift, outputs=("vertices",)).vertices
    some = tensors.pose(rest, pose, shift, outputs=("vertices",), vertex_ids=ids).vertices
    assert whole is not None
    assert some is not None
    assert some.dtype == torch.float64
    np.testing.assert_allclose(some, whole[:, ids], atol=1e-12)


def test_usual_names(model, body):
    rng = np.random.default_rng(3)
    turns = {name: rng.normal(0, 0.4, (2, 3 * count)) for name, count in PARTS[model.family].items()}
    named = body(betas=[0.3, -1.0], transl=[[1.0, 2, 3]], **turns)
    pose = np.concatenate(list(turns.values()), 1).reshape(2, -1, 3)
    rest = body.rest([0.3, -1.0])
    np.testing.assert_allclose(named.vertices, body.pose(rest, pose, [1.0, 2, 3]).vertices, atol=5e-6)
    whole = body(shape=[0.3, -1.0], poses=pose.reshape(2, -1), trans=[1.0, 2, 3])
    np.testing.assert_allclose(whole.vertices, named.vertices, atol=5e-6)


@pytest.mark.parametrize("model", ["smplh", "smplx", "mano"], indirect=True)
def test_hands_by_components(model, body):
    side, name = ("hand", "hand_pose") if model.family == "mano" else ("right", "right_hand_pose")
    components, mean = model.hands[side]
    values = np.array([[0.4, -0.2, 0.7]])
    full = values @ components[:3] + mean
    np.testing.assert_allclose(body(**{name: values}).vertices, body(**{name: full}).vertices, atol=5e-6)
    about_flat = body(flat_hand_mean=True, **{name: values}).vertices
    np.testing.assert_allclose(about_flat, body(**{name: full - mean}).vertices, atol=5e-6)
    about_mean = body(flat_hand_mean=False, **{name: full - mean}).vertices
    np.testing.assert_allclose(about_mean, body(**{name: full}).vertices, atol=5e-6)


def test_mistakes_are_named(model, body):
    joints, rest = len(model.parents), body.rest()
    with pytest.raises(InputError, match=rf"pose: expected \(\.\.\., {joints}, 3\).*got \(4, 3\)"):
        body.pose(rest, np.zeros((4, 3)))
    with pytest.raises(InputError, match="pose: expected finite"):
        body.pose(rest, np.full((joints, 3), np.nan))
    with pytest.raises(InputError, match=r"translation: expected \(2, 3\) or \(3,\)"):
        body.pose(rest, np.zeros((2, joints, 3)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="shape: expected up to"):
        body.rest(np.zeros(9999))
    with pytest.raises(InputError, match="Unknown shape parameter 'betaz'"):
        body.rest({"betaz": 1.0})
    with pytest.raises(InputError, match="bones: the joints of"):
        body.rest(bones={"femur_r": 0.4})
    with pytest.raises(InputError, match="lumpy: a body of the family"):
        body(lumpy=[1.0])
    with pytest.raises(InputError, match="given twice"):
        body(betas=[1.0], shape=[1.0])
    with pytest.raises(InputError, match="outputs: expected"):
        body.pose(rest, np.zeros((joints, 3)), outputs=("bones",))
    twin = body.tensors()
    with pytest.raises(InputError, match="expected 3 poses"):
        twin.pose(twin.rest(torch.zeros(3, 2)), torch.zeros(2, joints, 3))


def test_spec_says_all(model, body):
    spec = body.spec
    assert spec.family == model.family
    assert len(spec.joints) == len(spec.parents) == len(spec.kinds)
    assert "non-commercial" in spec.licence
    assert all(text for text in (spec.pose, spec.bind_pose, spec.root, spec.rest_joints, spec.correctives, spec.sha256))
