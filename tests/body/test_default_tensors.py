"""The default body on tensors against the one on arrays, in its own 104 bones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from make_anny_oracle import random_rotations

from marrow.body.default_tensors import DefaultTensors
from marrow.errors import InputError

NAMES = ("gender", "muscle", "weight", "height", "proportions")


@pytest.fixture(scope="module")
def twin():
    return DefaultTensors()


def _people(rng: np.random.Generator, count: int) -> dict[str, torch.Tensor]:
    return {n: torch.from_numpy(rng.random(count)) for n in NAMES} | {
        "age": torch.from_numpy(rng.uniform(-1 / 3, 1, count))
    }


def test_equals_the_body_on_arrays(body, twin):
    rng, count = np.random.default_rng(0), 8
    people, rotations, translation = _people(rng, count), random_rotations(rng, count), rng.standard_normal((count, 3))
    posed = twin.pose(
        twin.rest(people),
        torch.from_numpy(rotations).float(),
        torch.from_numpy(translation).float(),
        outputs=("vertices", "joints", "frames"),
    )
    for i in range(count):
        mesh = body.pose_bones(body.rest({n: float(v[i]) for n, v in people.items()}), rotations[i], translation[i])
        np.testing.assert_allclose(posed.vertices[i], mesh.vertices, atol=3e-6)
        np.testing.assert_allclose(posed.joints[i], mesh.joints, atol=2e-6)
    assert posed.frames.shape == (count, 104, 3, 3)


def test_one_person_in_many_poses(twin):
    rng = np.random.default_rng(1)
    rotations = torch.from_numpy(random_rotations(rng, 7)).float()
    one = {n: v[:1] for n, v in _people(rng, 1).items()}
    many = {n: v.expand(7) for n, v in one.items()}
    a, b = twin.pose(twin.rest(one), rotations), twin.pose(twin.rest(many), rotations)
    torch.testing.assert_close(a.vertices, b.vertices, rtol=0, atol=5e-6)


def test_gradients(twin):
    exact = DefaultTensors().double()
    rng = np.random.default_rng(2)
    people, rotations = _people(rng, 6), torch.from_numpy(random_rotations(rng, 6))
    found = []
    for body, kind in ((twin, torch.float32), (exact, torch.float64)):
        shape = {n: v.to(kind).requires_grad_() for n, v in people.items()}
        turns = rotations.to(kind).requires_grad_()
        posed = body.pose(body.rest(shape), turns)
        pull = torch.sin(torch.arange(posed.vertices.numel())).view(posed.vertices.shape)
        found.append(torch.autograd.grad((posed.vertices * pull).sum(), [turns, *shape.values()]))
    for a, b in zip(*found, strict=True):
        # Bone frames are the nearest rotations to matrices that are far from being one: they lose a digit or two.
        assert float((a - b).abs().max()) < 1e-4 * float(b.abs().max())


def test_gradient_by_finite_differences():
    exact = DefaultTensors().double()
    turns = torch.from_numpy(random_rotations(np.random.default_rng(3), 1))
    weight = torch.tensor([0.62], dtype=torch.float64, requires_grad=True)

    def loss(weight):
        posed = exact.pose(exact.rest({"weight": weight}), turns)
        return (posed.vertices * torch.sin(torch.arange(posed.vertices.numel()).view(posed.vertices.shape))).sum()

    assert torch.autograd.gradcheck(loss, (weight,), eps=1e-6, atol=1e-5)


def test_mistakes_are_named(twin):
    with pytest.raises(InputError, match="expected names among gender"):
        twin.rest({"size": torch.ones(1)})
    with pytest.raises(InputError, match=r"weight: expected \(3,\) values"):
        twin.rest({"age": torch.ones(3), "weight": torch.ones(2)})
    with pytest.raises(InputError, match="age: expected finite"):
        twin.rest({"age": torch.tensor([float("nan")])})
    with pytest.raises(InputError, match=r"\(\.\.\., 104, 3\)"):
        twin.pose(twin.rest(), torch.zeros(24, 3))
