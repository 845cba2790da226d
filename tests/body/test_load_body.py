"""Bodies by name and by file, and what all of them have in common."""

from __future__ import annotations

import model_files
import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.model_file import read_model_file
from marrow.body.skel import SkelBody
from marrow.body.smpl import SmplBody, SmplTensors
from marrow.errors import InputError


@pytest.fixture(scope="module")
def smpl_file(tmp_path_factory):
    return model_files.write_pkl(
        tmp_path_factory.mktemp("models") / "my_smpl.pkl", model_files.arrays("smpl", vertices=120)
    )


@pytest.fixture(scope="module")
def skel_file(tmp_path_factory):
    return model_files.write_npz(
        tmp_path_factory.mktemp("models") / "my_skel.npz", model_files.arrays("skel", vertices=120)
    )


@pytest.fixture(scope="module", params=["default", "anny", "smpl", "skel"])
def model(request, smpl_file, skel_file):
    if request.param == "anny":
        pytest.importorskip("anny", reason="the anny package (test extra) is not installed")
    return load_body({"smpl": smpl_file, "skel": skel_file}.get(request.param, request.param))


def zero_pose(model, rest, count: int) -> np.ndarray:
    if model.spec.family == "skel":
        return np.zeros((count, len(model.angle_names)))
    if model.spec.kinds[0] == "coordinates":
        return np.tile(rest.skeleton.bind_q, (count, 1))
    return np.zeros((count, len(model.spec.joints), 3))


def test_same_interface(model):
    spec = model.spec
    first = spec.parameters[0].name
    rest = model.rest({first: 0.3})
    pose, translation = zero_pose(model, rest, 2), np.array([[0.0, 1, 0], [0, 1, 2]])
    mesh = model.pose(rest, pose, translation)
    assert mesh.vertices.shape == (2, len(rest.vertices), 3)
    assert mesh.vertices.dtype == np.float32
    assert mesh.joints.shape == (2, len(spec.joints), 3)
    assert mesh.joint_names == spec.joints
    np.testing.assert_allclose(
        mesh.vertices[1] - mesh.vertices[0], np.tile([0.0, 0, 2], (len(rest.vertices), 1)), atol=1e-5
    )
    ids = [3, 99, 7]
    few = model.pose(rest, pose[0], translation[0], vertex_ids=ids, outputs=("vertices",))
    np.testing.assert_allclose(few.vertices, mesh.vertices[0, ids], atol=1e-5)
    assert few.joints is None
    assert few.faces.shape == (0, 3)
    again = model.rest(np.array([0.3]))
    np.testing.assert_array_equal(again.vertices, rest.vertices)


def test_spec_is_complete(model):
    spec = model.spec
    assert spec.units == "m"
    assert len(spec.joints) == len(spec.parents) == len(spec.kinds)
    assert spec.parents[0] == -1
    assert all(-1 <= parent < joint for joint, parent in enumerate(spec.parents))
    for text in (
        spec.pose,
        spec.bind_pose,
        spec.zero_pose,
        spec.root,
        spec.rest_joints,
        spec.correctives,
        spec.licence,
    ):
        assert text
    assert model.faces.max() < len(model.rest().vertices)


def test_same_mistakes(model):
    rest = model.rest()
    pose = zero_pose(model, rest, 1)
    with pytest.raises(InputError, match="outputs: expected of"):
        model.pose(rest, pose, outputs=("bones",))
    with pytest.raises(InputError, match="vertex_ids must lie in"):
        model.pose(rest, pose, vertex_ids=[10**6])
    with pytest.raises(InputError):
        model.pose(rest, pose[:, :-1])
    with pytest.raises(InputError, match="Unknown shape parameter"):
        model.rest({"no such thing": 1.0})


def test_by_file_and_by_name(smpl_file, tmp_path, monkeypatch):
    body = load_body(smpl_file)
    assert isinstance(body, SmplBody)
    assert body is load_body(str(smpl_file))
    assert body.spec.name == "my_smpl.pkl"
    from marrow.body.shelf import add_model

    monkeypatch.setenv("MARROW_MODELS", str(tmp_path))
    add_model(smpl_file, "mine")
    np.testing.assert_allclose(load_body("mine").rest().vertices, body.rest().vertices, atol=1e-6)
    assert load_body("mine").spec.name == "mine"


def test_a_name_that_means_another_file_by_now(tmp_path, monkeypatch):
    sizes = {"one": 90, "two": 110}
    for folder, vertices in sizes.items():
        (tmp_path / folder).mkdir()
        model_files.write_npz(tmp_path / folder / "mine.npz", model_files.arrays("smpl", vertices=vertices))
    for folder, vertices in sizes.items():
        monkeypatch.chdir(tmp_path / folder)
        assert len(load_body("mine.npz").rest().vertices) == vertices


def test_a_skeleton_of_other_joints_is_not_taken_for_balls(tmp_path):
    path = model_files.write_pkl(tmp_path / "skel.pkl", model_files.arrays("skel", vertices=100))
    with pytest.raises(InputError, match="whose joints are no balls"):
        SmplTensors(read_model_file(path))
    assert isinstance(load_body(path), SkelBody)


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path))
    with pytest.raises(InputError, match="default"):
        load_body("defalt")
