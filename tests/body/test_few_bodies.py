"""A few poses without gradients: the compiled way against the same body in float64, and when it is not taken."""

from __future__ import annotations

import copy

import model_files
import numpy as np
import pytest
import torch
from make_anny_oracle import random_rotations
from scipy.spatial.transform import Rotation

from marrow.body import _fast_few
from marrow.body.default_tensors import DefaultTensors
from marrow.body.linear import TENSOR_OUTPUTS, LinearBody, linear_parts
from marrow.body.model_file import read_model_file
from marrow.body.skel import SkelTensors
from marrow.body.skinning import FEW
from marrow.body.smpl import SmplTensors
from marrow.errors import InputError

VERTICES, NEAR = 151, 1e-6  # metres


def file_of(folder, family: str):
    content = model_files.arrays(family, vertices=VERTICES)
    return read_model_file(model_files.write_pkl(folder / f"{family}.pkl", content, chumpy=False))


@pytest.fixture(scope="module", params=["smpl", "smplh", "smplx", "mano"])
def file(request, tmp_path_factory):
    return file_of(tmp_path_factory.mktemp("models"), request.param)


@pytest.fixture(scope="module")
def body(file):
    return SmplTensors(file)


@pytest.fixture
def taken(monkeypatch):
    """One entry for each pose that went the compiled way."""
    made, move = [], _fast_few.move_joints

    def counted(*arguments):
        made.append(1)
        return move(*arguments)

    monkeypatch.setattr(_fast_few, "move_joints", counted)
    return made


def draw(body, lead, bodies=1):
    """Shapes (bodies, S), rotation vectors (..., J, 3) and translations (..., 3)."""
    rng = np.random.default_rng(0)
    sizes = (bodies, body.identity - body.expressions), (*lead, len(body.parents), 3), (*lead, 3)
    return [torch.from_numpy(rng.normal(0, 0.4, size).astype(np.float32)) for size in sizes]


def check(body, shape, pose, translation, **options):
    """Posed by a body and by its twin in float64; returns what was found."""
    twin = copy.deepcopy(body).double()
    found = body.pose(body.rest(shape), pose, translation, **options)
    place = None if translation is None else translation.double()
    wanted = twin.pose(twin.rest(shape.double()), pose.double(), place, **options)
    for name in TENSOR_OUTPUTS:
        a, b = getattr(found, name), getattr(wanted, name)
        assert (a is not None) == (name in options.get("outputs", ("vertices", "joints")))
        if a is not None:
            assert a.dtype == torch.float32
            torch.testing.assert_close(a.double(), b, rtol=0, atol=NEAR)
    return found


@pytest.mark.parametrize("lead", [(), (1,), (2,), (FEW - 1,), (2, 2)])
def test_one_body_in_float64(body, taken, lead):
    found = check(body, *draw(body, lead), outputs=TENSOR_OUTPUTS)
    assert found.vertices.shape == (*lead, VERTICES, 3)
    assert found.joints.shape == (*lead, len(body.parents), 3)
    assert found.frames.shape == (*lead, len(body.parents), 3, 3)
    assert taken


def test_bodies_of_their_own(body, taken):
    check(body, *draw(body, (3,), bodies=3))
    check(body, *draw(body, (1, 3), bodies=3), vertex_ids=[5, 3, 77])
    assert len(taken) == 2


def test_what_is_asked_for(body, taken):
    shape, pose, translation = draw(body, (2,))
    check(body, shape, pose, None)
    check(body, shape, pose, translation[0])
    check(body, shape, pose, translation[:1], outputs=("joints",))
    check(body, shape, pose, translation, vertex_ids=[5, 3, 77])
    assert check(body, shape, pose, translation, vertex_ids=[]).vertices.shape == (2, 0, 3)
    matrices = torch.from_numpy(Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix()).float()
    check(body, shape, matrices.view(*pose.shape, 3), translation)
    assert len(taken) == 6


def test_turns_small_and_large(body, taken):
    shape, pose, translation = draw(body, (3,))
    for size in (0.0, 1e-6, 2e-4, 3e-4, 20.0):
        check(body, shape, size * pose, translation)
    pose[:, len(body.parents) // 2 :] = 0  # joints at rest: their correctives are left out
    check(body, shape, pose, translation)
    assert len(taken) == 6


def test_numbers_that_do_not_lie_side_by_side(body, taken):
    shape, pose, translation = draw(body, (4,), bodies=4)
    apart = [
        x.T.contiguous().T if x.ndim == 2 else x.permute(2, 1, 0).contiguous().permute(2, 1, 0) for x in (shape, pose)
    ]
    check(body, *apart, translation.flip(0))
    assert taken


def test_without_correctives(file, taken):
    body = LinearBody(**linear_parts(file, corrected=False))
    twin = copy.deepcopy(body).double()
    shape, pose, translation = draw(body, (2,), bodies=2)
    for bodies in (1, 2):
        found = body.pose(body.rest(shape[:bodies]), pose, translation).vertices
        wanted = twin.pose(twin.rest(shape[:bodies].double()), pose.double(), translation.double()).vertices
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=NEAR)
    assert len(taken) == 2


class Backward(SmplTensors):
    """Correctives by other turns than those of the pose."""

    def corrective_turns(self, rotations, frames):
        return (frames[:, :1].mT @ frames)[:, 1:].mT * self.strength

    strength: torch.Tensor | float = 1.0


def test_correctives_of_its_own(file, taken):
    body = Backward(file)
    check(body, *draw(body, (2,)))
    assert taken
    shape, pose, translation = draw(body, (1,))
    body.strength = torch.ones((), requires_grad=True)  # a derivative that only the correctives record
    body.pose(body.rest(shape), pose, translation).vertices.sum().backward()
    assert body.strength.grad is not None


@pytest.mark.parametrize("correctives", [False, True])
def test_skel(tmp_path, correctives):
    body = SkelTensors(file_of(tmp_path, "skel"), correctives=correctives)
    rng = np.random.default_rng(0)
    for bodies in (1, 3):
        shape, q, translation = (
            torch.from_numpy(rng.normal(0, 0.4, size).astype(np.float32)) for size in ((bodies, 10), (3, 46), (3, 3))
        )
        check(body, shape, q, translation, outputs=TENSOR_OUTPUTS)


def test_default_body():
    body, rng = DefaultTensors(), np.random.default_rng(0)
    twin = copy.deepcopy(body).double()
    rotations, age = torch.from_numpy(random_rotations(rng, 3)).float(), torch.from_numpy(rng.random(3)).float()
    for bodies in (1, 3):
        found = body.pose(body.rest({"age": age[:bodies]}), rotations).vertices
        wanted = twin.pose(twin.rest({"age": age[:bodies].double()}), rotations.double()).vertices
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-6)


def test_not_where_a_derivative_is_recorded(body, taken):
    given = draw(body, (1,))
    for i in range(3):
        leaves = [x.clone().requires_grad_(k == i) for k, x in enumerate(given)]
        posed = body.pose(body.rest(leaves[0]), *leaves[1:])
        (grad,) = torch.autograd.grad(posed.vertices.sum(), leaves[i])
        assert float(grad.abs().sum()) > 0
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(given[1], torch.ones_like(given[1]))
        with pytest.raises(RuntimeError, match="jvp"):  # there is none, and it is not lost without a word
            body.pose(body.rest(given[0]), dual)
    assert not taken
    leaves = [x.clone().requires_grad_() for x in given]
    for still in (torch.no_grad(), torch.inference_mode()):
        with still:
            assert not body.pose(body.rest(leaves[0]), *leaves[1:]).vertices.requires_grad
    assert len(taken) == 2
    body.pose(body.rest(given[0]), *draw(body, (FEW,))[1:])
    copy.deepcopy(body).double().pose(body.rest(given[0]), given[1].double())
    assert len(taken) == 2


def test_mistakes_are_named(body):
    joints, rest = len(body.parents), body.rest()
    pose, place = torch.zeros(1, joints, 3), torch.zeros(1, 3)
    with pytest.raises(InputError, match=rf"pose: expected \(\.\.\., {joints}, 3\).*got \(4, 3\)"):
        body.pose(rest, torch.zeros(4, 3))
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match="pose: expected finite"):
            body.pose(rest, pose + wrong, place[0, :2])
        with pytest.raises(InputError, match="translation: expected finite"):
            body.pose(rest, pose, place + wrong)
    with pytest.raises(InputError, match=r"translation: expected \(1, 3\) or \(3,\)"):
        body.pose(rest, pose, torch.zeros(2, 3))
    with pytest.raises(InputError, match="expected 3 poses"):
        body.pose(body.rest(torch.zeros(3, 2)), pose)
    with pytest.raises(InputError, match="vertex_ids must lie in"):
        body.pose(rest, pose, vertex_ids=[VERTICES])
