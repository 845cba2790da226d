"""The rig's own mode against anny: a committed sample, and 200 random people and poses where anny is installed."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from make_anny_oracle import AXES, PATH, in_anny, random_rotations

TOLERANCE = 1e-4  # metres


def test_committed_sample(body):
    with np.load(PATH) as file:
        oracle = dict(file)
    for i in range(len(oracle["vertices"])):
        rest = body.rest(ast.literal_eval(str(oracle["shape"][i])), ast.literal_eval(str(oracle["face"][i])))
        mesh = body.pose_bones(rest, oracle["rotations"][i], oracle["translation"][i])
        error = np.linalg.norm(mesh.vertices[oracle["ids"]] - oracle["vertices"][i], axis=1)
        assert error.max() < TOLERANCE
        assert np.linalg.norm(mesh.joints - oracle["heads"][i], axis=1).max() < TOLERANCE
        assert mesh.joint_names == body.bones


@pytest.fixture(scope="module")
def anny_model():
    """anny's own model; its first construction on a machine takes a minute or more, then it is cached by anny."""
    anny = pytest.importorskip("anny", reason="the anny package (test extra) is not installed")
    if anny.__version__ != "0.6.2":
        pytest.skip(f"the body was built from anny 0.6.2, installed is {anny.__version__}")
    return anny.Anny(skinning_method="warp_lbs")


def test_two_hundred_people_and_poses(body, anny_model):
    import torch

    rng = np.random.default_rng(1)
    labels, worst = anny_model.phenotype_labels, 0.0
    for _ in range(8):
        values = rng.random((25, len(labels)))
        values[:, labels.index("age")] = rng.uniform(-1 / 3, 1, 25)
        rotations, translation = random_rotations(rng, 25), rng.standard_normal((25, 3))
        with torch.no_grad():
            out = anny_model(in_anny(rotations, translation), torch.from_numpy(values))
        expected = out["vertices"].numpy() @ AXES.T
        for i in range(25):
            mesh = body.pose_bones(body.rest(dict(zip(labels, values[i], strict=True))), rotations[i], translation[i])
            worst = max(worst, float(np.linalg.norm(mesh.vertices - expected[i], axis=1).max()))
    assert worst < TOLERANCE


def test_wrong_frames_would_be_seen(body):
    """The committed sample can fail: the same pose without the bones' own frames is centimetres off."""
    with np.load(PATH) as file:
        oracle = dict(file)
    rest = body.rest(ast.literal_eval(str(oracle["shape"][0])))
    turned = np.swapaxes(oracle["rotations"][0], -1, -2)
    mesh = body.pose_bones(rest, turned, oracle["translation"][0])
    assert np.linalg.norm(mesh.vertices[oracle["ids"]] - oracle["vertices"][0], axis=1).max() > 0.01
