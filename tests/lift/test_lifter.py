"""Lifters as a user calls them."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from marrow.data.lifting import people
from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, project_camera
from marrow.lift.lifter import Lifter
from marrow.lift.networks import FrameLifter, PlanarLifter, Said, TimeLifter
from marrow.lift.normalise import to_network
from marrow.lift.shipped import example
from marrow.lift.training import Recipe, batches
from marrow.types import Camera, Keypoints


@pytest.fixture
def lifter():
    torch.manual_seed(0)
    return Lifter("test", FrameLifter(32, 1).eval())


@pytest.fixture
def walk():
    return example(9)


def test_an_oracle_network_gives_back_the_truth(walk):
    """With a network that says the truth, pixels become the very joints in metres, where they stand."""
    points, camera = walk
    truth = np.concatenate([(points - camera.K[:2, 2]) / 250.0, np.zeros((9, 17, 1))], -1) + [0.4, -0.2, 4.0]
    truth[..., 2] += 0.3 * np.sin(np.arange(17))
    relative = torch.tensor(truth - truth[:, :1]).float()

    def network(given):
        return Said(to_network(given, relative[None]), torch.full((1, 9, 17), -3.0))

    found = Lifter("oracle", network)(project_camera(camera, truth), "h36m17", camera, 1.8)
    np.testing.assert_allclose(found.xyz, truth, atol=2e-3)
    np.testing.assert_allclose(found.relative, relative, atol=1e-5)
    np.testing.assert_allclose(found.sd[:, 1:], np.exp(-3) * np.sqrt(np.pi / 8) * 1.8, rtol=1e-4)
    assert found.height_known
    assert found.height == 1.8


@pytest.mark.parametrize(
    "make",
    [
        lambda: FrameLifter(32, 1),
        lambda: PlanarLifter(16, 1),
        lambda: TimeLifter(FrameLifter(32, 1), 32, (1, 3)),
    ],
)
def test_every_network_lifts(make, walk):
    torch.manual_seed(0)
    found = Lifter("test", make().eval())(walk[0], "h36m17", walk[1])
    assert found.xyz.shape == (9, 17, 3)
    assert np.isfinite(found.relative).all()
    assert (found.sd[:, 1:] > 0).all()
    assert not found.height_known
    np.testing.assert_allclose(found.xyz[:, 0], found.root, atol=1e-6)
    assert np.isfinite(found.xyz).all()  # by size, where a wild pose fits nowhere
    assert ((found.root[:, 2] > 1.0) & (found.root[:, 2] < 12.0)).all()


def test_a_time_lifter_is_the_same_in_pieces(walk, monkeypatch):
    """A long video is lifted in chunks; those overlap enough."""
    torch.manual_seed(0)
    network = TimeLifter(FrameLifter(32, 1), 32, (1, 3)).eval()
    points, camera = example(60)
    alone = Lifter("test", network.single)(points, "h36m17", camera)
    lifter = Lifter("test", network)
    # untrained it says what the lifter of single frames says
    np.testing.assert_array_equal(lifter(points, "h36m17", camera).relative, alone.relative)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    assert np.abs(lifter(points, "h36m17", camera).relative - alone.relative).max() > 0.01
    whole = lifter(points, "h36m17", camera)
    monkeypatch.setattr("marrow.lift.lifter.FRAMES_AT_ONCE", 17)
    monkeypatch.setattr("marrow.lift.lifter._BESIDE", 8)
    np.testing.assert_allclose(lifter(points, "h36m17", camera).relative, whole.relative, atol=1e-5)


def test_other_joint_sets_and_keypoints(lifter, walk):
    points, camera = walk
    coco = np.full((9, 17, 2), 300.0) + np.random.default_rng(0).normal(0, 80, (9, 17, 2))
    assert np.isfinite(lifter(coco, "coco17", camera).relative).all()
    same = Keypoints("h36m17", points.astype(np.float32), np.ones((9, 17), np.float32))
    np.testing.assert_allclose(lifter(same, camera=camera).xyz, lifter(points, "h36m17", camera).xyz, atol=1e-5)


def test_missing_joints_and_frames(lifter, walk):
    points, camera = walk
    points = points.copy()
    points[2, 5:9] = np.nan
    points[4] = np.nan
    found = lifter(points, "h36m17", camera)
    assert np.isfinite(found.relative[2]).all()
    assert np.isnan(found.relative[4]).all()
    assert np.isfinite(found.relative[[0, 1, 3, 5]]).all()
    with_confidence = np.concatenate([walk[0], np.ones((9, 17, 1))], -1)
    with_confidence[2, 5:9, 2] = 0
    with_confidence[4, :, 2] = 0
    np.testing.assert_allclose(lifter(with_confidence, "h36m17", camera).relative, found.relative, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"joint_set": None}, "joint_set="),
        ({"joint_set": "h36m16"}, "h36m17"),
        ({"joint_set": "blazepose33"}, "33"),
        ({"camera": None}, "camera_from_fov"),
        ({"height": 180.0}, "1.80"),
        ({"height": float("nan")}, "height"),
        ({"keypoints": np.zeros((0, 17, 2))}, "T >= 1"),
        ({"keypoints": np.zeros((17, 2))}, "keypoints\\[None\\]"),
        ({"keypoints": np.full((3, 17, 2), 0.5)}, "pixels"),
        ({"keypoints": np.full((3, 17, 3), 95.0)}, "from 0 to 1"),
        ({"keypoints": [[[1.0, 2.0], [3.0]]]}, "array of numbers"),
        ({"camera": np.eye(3)}, "marrow.Camera"),
        ({"camera": camera_from_fov((320, 180), 60.0)}, "100 % of the keypoints lie far outside.*320×180.*reach from"),
        ({"camera": camera_from_fov((1280, 720), math.radians(50))}, "0.873 degrees.*takes degrees"),
        ({"camera": Camera(np.diag([1.0, 1.0, 1.0]), (1280, 720))}, "180 degrees.*in pixels"),
        ({"camera": Camera(np.full((3, 3), np.nan), (1280, 720))}, "nan degrees"),
        ({"camera": Camera(np.eye(4), (1280, 720))}, r"\(3, 3\), pixels, got \(4, 4\)"),
        ({"height": [1.7]}, "one number"),
        ({"fps": 0.0}, "frames a second from 1"),
        ({"fps": float("nan")}, "frames a second from 1"),
        ({"fps": True}, "frames a second from 1.*got True"),
        ({"fps": "60"}, "frames a second from 1"),
    ],
)
def test_wrong_input_is_answered(lifter, walk, change, told):
    options = {"keypoints": walk[0], "joint_set": "h36m17", "camera": walk[1], "height": 1.7} | change
    with pytest.raises(InputError, match=told):
        lifter(**options)


@pytest.mark.parametrize("size", [(640, 720), (1280, 360), (0, 0)])
def test_people_partly_outside_are_lifted(lifter, walk, size):
    """The walker stands near (640, 360); of (0, 0) nothing is known."""
    points, camera = walk
    found = lifter(points, "h36m17", dataclasses.replace(camera, size=size))
    np.testing.assert_array_equal(found.xyz, lifter(points, "h36m17", camera).xyz)


@pytest.mark.parametrize("fov", [1.0, 175.0])
def test_the_widest_and_the_narrowest_camera_are_taken(lifter, walk, fov):
    assert np.isfinite(lifter(walk[0], "h36m17", camera_from_fov((1280, 720), fov)).relative).all()


def test_nothing_seen_gives_nothing(lifter, walk):
    assert np.isnan(lifter(np.full((3, 17, 2), np.nan), "h36m17", walk[1]).xyz).all()


def test_the_root_is_exact():
    xy, camera = example(3)
    network = FrameLifter(16, 1)
    said = Lifter("toy", network.eval())(xy, "h36m17", camera)
    assert (said.sd[:, 0] == 0).all()
    assert (said.relative[:, 0] == 0).all()
    assert (said.sd[:, 1:] > 0).all()


def test_seeds_reach_the_batches():
    seen = people("A", 1)
    first, again, other = (batches(seen, Recipe(batch=4), seed)(0)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.05
