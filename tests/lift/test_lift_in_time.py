"""A lifter on the road: frames of any rate, and its joints as a first guess."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_lift import joint_error, seen, squat_with_arms

from marrow.conventions import joint_names
from marrow.lift import lift
from marrow.lift.lifter import Lifter
from marrow.lift.networks import Said
from marrow.lift.timing import between, lift_in_time, without_gaps
from marrow.types import Keypoints

COUNT = len(joint_names("h36m17"))


class Watched:
    """A network that says the picture itself, flat, and remembers how many frames it was given."""

    frames = 0

    def __call__(self, given) -> Said:
        self.frames = given.xy.shape[1]
        flat = torch.cat([given.xy, torch.zeros_like(given.xy[..., :1])], -1)
        return Said(flat - flat[..., :1, :], torch.full(given.xy.shape[:-1], -3.0))


@pytest.mark.parametrize(("fps", "given"), [(30, 31), (29.97, 31), (60, 31), (12, 31)])
def test_a_lifter_sees_frames_at_its_own_rate(camera, fps, given):
    frames = round(fps) + 1
    time = np.arange(frames) / fps
    rng = np.random.default_rng(0)
    xy = 300 + 200 * rng.random((1, COUNT, 2)) + 40 * np.sin(2 * time)[:, None, None]
    network = Watched()
    lifter = Lifter("watched", network, rate=30.0)
    said = lift_in_time(lifter, Keypoints("h36m17", xy, np.ones((frames, COUNT))), time, camera)
    assert network.frames == given
    np.testing.assert_allclose(lifter(xy, "h36m17", camera, fps=fps).relative, said.relative, atol=1e-5)
    assert network.frames == given
    assert said.xyz.shape == (frames, COUNT, 3)
    assert said.sd.shape == (frames, COUNT)
    assert said.alternatives.shape == (0, frames, COUNT, 3)
    plain = Lifter("plain", network)(xy, "h36m17", camera, fps=fps)
    assert network.frames == frames  # single frames have no rate
    assert np.abs(said.relative - plain.relative).max() < 0.01


def test_between_two_frames_of_which_one_shows_it():
    time, at = np.arange(4.0), np.array([0.0, 0.4, 1.5, 2.25, 3.0])
    values = np.array([[0.0], [1.0], [np.nan], [3.0]])
    assert between(values, time, at)[:, 0].tolist() == [0.0, 0.4, 1.0, 3.0, 3.0]
    both = np.array([[0.0], [np.nan], [np.nan], [3.0]])
    assert np.isnan(between(both, time, at)[2, 0])


def test_frames_without_anybody_stay_so_at_other_rates(camera):
    """At 60 frames a second every second one is looked at; what the others show or lack is not forgotten."""
    xy = np.tile(300 + 200 * np.random.default_rng(0).random((1, COUNT, 2)), (60, 1, 1))
    lifter = Lifter("watched", Watched(), rate=30.0)
    for dark in ([21], [20, 22], [30, 31, 32, 33]):
        gone = xy.copy()
        gone[dark] = np.nan
        found = lifter(gone, "h36m17", camera, fps=60)
        for values in (found.xyz, found.relative, found.root, found.sd):
            assert np.flatnonzero(~np.isfinite(values.reshape(60, -1)).all(1)).tolist() == dark


def test_a_lifters_joints_are_the_first_of_the_guesses(skeleton, body, camera):
    q = squat_with_arms(skeleton)
    points, x, time = seen(skeleton, body, camera, q, world=False)
    _, joints, _ = seen(skeleton, body, camera, q, "h36m17")
    lifted = (joints @ camera.R_cam_world.T + [0.3, -2.0, 5.0]).astype(np.float32)  # from anywhere
    lifted[5] = np.nan
    found = lift(points, time, camera, body, skeleton, lifted=lifted, hypotheses=2)
    assert len(found) == 2
    without = lift(points, time, camera, body, skeleton, hypotheses=1)
    np.testing.assert_array_equal(found[1].R_joint, without[0].R_joint)
    own, other = (joint_error(skeleton, body, guess, x)[1].mean() for guess in found)
    assert own < 0.04
    assert own < 0.6 * other


def test_a_lifter_that_says_nothing_leaves_the_other_guesses(skeleton, body, camera):
    points, _, time = seen(skeleton, body, camera, squat_with_arms(skeleton, 6), world=False)
    nothing = np.full((6, COUNT, 3), np.nan, np.float32)
    found = lift(points, time, camera, body, skeleton, lifted=nothing, hypotheses=1)
    assert len(found) == 1


def test_joints_near_frames_that_show_them_are_filled_in():
    time = np.arange(60) / 30
    walk = np.linspace(100, 700, 60)
    xy = np.stack([np.stack([walk + 5 * j, np.full(60, 300.0 + 10 * j)], -1) for j in range(COUNT)], 1)
    confidence = np.full((60, COUNT), 0.3, np.float32)
    confidence[10:16, 10] = 0  # a gap
    confidence[:, 7] = 0  # never seen
    confidence[:40, 13] = 0  # seen late
    confidence[30] = 0  # nobody
    whole = without_gaps(Keypoints("h36m17", np.where(confidence[..., None] > 0, xy, 0.0), confidence), time)
    np.testing.assert_allclose(whole.xy[10:16, 10], xy[10:16, 10], rtol=1e-4)
    np.testing.assert_allclose(whole.confidence[10:16, 10], 0.6, rtol=1e-5)
    assert (whole.confidence[:, 7] == 0).all()
    assert (whole.confidence[:25, 13] == 0).all()
    np.testing.assert_allclose(whole.xy[31:40, 13], xy[31:40, 13], rtol=1e-4)
    assert (whole.confidence[30] == 0).all()
