"""The shipped pose prior: valid, symmetric, and a better account of held-out poses than a single Gaussian would be."""

import json

import numpy as np
import pytest
from safetensors import safe_open

from marrow.body import load_body
from marrow.data.motion_pack import motion_pack
from marrow.fit.priors import WEIGHTS
from marrow.skeleton import Skeleton

PRIOR = WEIGHTS / "pose_prior.safetensors"


@pytest.fixture(scope="module")
def prior() -> dict:
    with safe_open(PRIOR, framework="numpy") as file:
        arrays = {name: file.get_tensor(name).astype(float) for name in file.keys()}  # noqa: SIM118
        return arrays | dict(file.metadata())


def held_out(split: str, names: list[str]) -> np.ndarray:
    skeleton = Skeleton.inside(load_body().rest().landmarks)
    index = [skeleton.index(name) for name in names]
    return np.concatenate(
        [skeleton.to_tangent(m.full(skeleton.coordinates))[:, index] for m in motion_pack().select(split)]
    )


def gaussian(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    z = np.linalg.solve(np.linalg.cholesky(covariance), (x - mean).T)
    logdet = np.linalg.slogdet(2 * np.pi * covariance)[1]
    return -0.5 * ((z**2).sum(0) + logdet)


def log_density(prior: dict, x: np.ndarray) -> np.ndarray:
    parts = []
    for w, mean, root in zip(prior["log_weights"], prior["means"], prior["precision_cholesky"], strict=True):
        parts.append(w + gaussian(x, mean, np.linalg.inv(root @ root.T)))
    return np.logaddexp.reduce(parts)


def test_arrays_fit_each_other(prior):
    d = len(prior["coordinates"].split(","))
    M = len(prior["log_weights"])
    assert prior["means"].shape == (M, d)
    assert prior["precision_cholesky"].shape == (M, d, d)
    assert prior["acceleration_sd"].shape == (d,)
    assert np.all(prior["acceleration_sd"] > 0)
    np.testing.assert_allclose(np.tril(prior["precision_cholesky"], -1), 0, atol=1e-5)
    assert np.exp(prior["log_weights"]).sum() == pytest.approx(1, abs=1e-5)
    assert "train_pose_prior.py" in prior["command"]
    assert set(prior["coordinates"].split(",")) < set(prior["moving_coordinates"].split(","))


def test_held_out_likelihood_is_as_committed_and_beats_one_gaussian(prior):
    names = prior["coordinates"].split(",")
    committed = json.loads(prior["log_likelihood"])
    train = held_out("train", names)
    for split in ("A", "B"):
        x = held_out(split, names)
        mean = log_density(prior, x).mean()
        assert mean == pytest.approx(committed[split], abs=0.02)
        assert mean > gaussian(x, train.mean(0), np.cov(train.T)).mean()


def test_right_and_left_are_alike(prior):
    """Mirror images of poses are as likely as the poses: the prior has no favourite leg."""
    names = prior["coordinates"].split(",")
    x = held_out("A", names)[::5]
    partner = [
        names.index(n[:-1] + {"r": "l", "l": "r"}[n[-1]]) if n[-2:] in ("_r", "_l") else i for i, n in enumerate(names)
    ]
    # slots of a ball hold the components X, Y, Z of a rotation vector, those of the trunk its own angles
    sideways = ("hip_flexion", "hip_adduction", "lumbar_seg_bending", "thorax_rotation", "gh_flex", "gh_add")
    sign = np.array([-1.0 if n.startswith(sideways) else 1.0 for n in names])
    difference = log_density(prior, x) - log_density(prior, x[:, partner] * sign)
    assert abs(difference.mean()) < 0.5
    standing, knees_backwards = np.zeros((2, len(names)))
    knees_backwards[[names.index("knee_angle_r"), names.index("knee_angle_l")]] = -1.5
    likely = log_density(prior, np.stack([standing, knees_backwards]))
    assert likely[0] - likely[1] > 5
