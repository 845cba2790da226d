"""Shape and poses come back from points of the skin, correctives and still joints included."""

from __future__ import annotations

import model_files
import numpy as np
import pytest
import torch

from marrow.body.model_file import read_model_file
from marrow.body.smpl import SmplBody
from marrow.body.to_points import _Solver, _stepped, fit_to_points

IDS = np.arange(240)


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    """Every joint has vertices of its own around it, some of them shared with its parent."""
    content, rng = model_files.arrays("smpl", vertices=300, shapes=10), np.random.default_rng(1)
    parents = model_files.PARENTS["smpl"]
    centres = np.cumsum(rng.normal(0, 0.15, (24, 3)), 0)
    owner = np.arange(300) % 24
    content["v_template"] = centres[owner] + rng.normal(0, 0.07, (300, 3))
    weights = np.zeros((300, 24))
    weights[np.arange(300), owner] = 0.8
    weights[np.arange(300), np.maximum(np.array(parents)[owner], 0)] += 0.2
    content["weights"], content["J_regressor"] = weights, np.eye(24)[owner].T / np.bincount(owner)[:, None]
    content["posedirs"] = rng.normal(0, 0.0005, content["posedirs"].shape)
    path = tmp_path_factory.mktemp("models") / "own.npz"
    return SmplBody(read_model_file(model_files.write_npz(path, content)))


def truth(body, frames=5):
    rng = np.random.default_rng(2)
    shape, pose = rng.normal(0, 1, 10), rng.normal(0, 0.4, (frames, 24, 3))
    return shape, pose, rng.normal(0, 1, (frames, 3))


def test_what_was_posed_is_found(body):
    shape, pose, translation = truth(body)
    points = body.pose(body.rest(shape), pose, translation, vertex_ids=IDS).vertices
    found = fit_to_points(body.tensors(), points, IDS)
    np.testing.assert_allclose(found.shape, shape, atol=0.02)
    np.testing.assert_allclose(found.pose, pose, atol=np.radians(0.3))
    posed = body.pose(body.rest(found.shape), found.pose, found.translation).vertices
    whole = body.pose(body.rest(shape), pose, translation).vertices
    assert np.linalg.norm(posed - whole, axis=-1).mean() < 5e-4


def test_still_joints_stay(body):
    shape, pose, translation = truth(body, 2)
    pose[:, [15, 20]] = 0.0
    seen = np.flatnonzero(~np.isin(np.arange(240) % 24, (15, 20)))  # nothing shows them
    points = body.pose(body.rest(shape), pose, translation, vertex_ids=seen).vertices
    found = fit_to_points(body.tensors(), points, seen, still=(15, 20))
    np.testing.assert_allclose(found.pose, pose, atol=np.radians(1.0))


def test_the_gradient_is_that_of_the_cost(body):
    shape, pose, translation = (torch.from_numpy(x.astype(np.float32)) for x in truth(body, 3))
    tensors = body.tensors()
    tensors.basis[tensors.identity :] = 0  # the derivative leaves the correctives out
    solver = _Solver(tensors, IDS, 10, ())
    import roma

    turns = roma.rotvec_to_rotmat(pose)
    with torch.no_grad():
        points = tensors.pose(tensors.rest(shape[None]), turns, translation, vertex_ids=IDS).vertices + 0.01
        normal = solver._normal(points, turns, translation, shape, True)
        for column in (0, 8, 40, 70, 73):
            step = torch.zeros(3, 75, dtype=torch.float64)
            step[:, column] = 5e-3
            costs = [
                solver._normal(points, *_stepped(turns, translation, sign * step), shape, False).cost
                for sign in (1, -1)
            ]
            slope = (costs[1] - costs[0]) / (4 * 5e-3)
            torch.testing.assert_close(slope, normal.pose_gradient[:, column], rtol=0.02, atol=20.0)
        more = torch.zeros(10)
        more[3] = 0.05
        costs = [solver._normal(points, turns, translation, shape + s * more, False).cost for s in (1, -1)]
        torch.testing.assert_close((costs[1] - costs[0]) / 0.2, normal.shape_gradient[:, 3], rtol=0.02, atol=20.0)
