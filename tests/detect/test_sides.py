"""Left and right over time, on people of the motion pack filmed by a detector that errs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from marrow.bench.noise import DetectorNoise, WorldNoise
from marrow.bench.scenes import make_truth, shoot
from marrow.conventions import JOINT_SETS, SWAP
from marrow.data.motion_pack import motion_pack
from marrow.detect.sides import with_sides_settled

JOINTS = JOINT_SETS["blazepose33"]
LEGS = [k for k, name in enumerate(JOINTS) if any(part in name for part in ("knee", "ankle", "heel", "foot"))]


@pytest.fixture(scope="module")
def walk():
    return make_truth(motion_pack().motion("02_01"), "average", frames=60)


def filmed(truth, number=0):
    shot = shoot(truth, number, 0, DetectorNoise(hidden=0.0, lost=0.0, outliers=0.0), WorldNoise())
    return shot.keypoints


def wrong(keypoints, frames, joints):
    """The same with ``joints`` on the other side in ``frames``, as the detector errs."""
    swap = np.arange(len(JOINTS))
    swap[joints] = SWAP["blazepose33"][joints]
    xy, confidence, world = keypoints.xy.copy(), keypoints.confidence.copy(), keypoints.world.copy()
    xy[frames], confidence[frames] = xy[frames][:, swap], confidence[frames][:, swap]
    if len(joints) == len(JOINTS):
        world[frames] = world[frames][:, swap] * (1, 1, -1)
    else:
        world[frames, :, :2] = world[frames][:, swap, :2]
    return dataclasses.replace(keypoints, xy=xy, confidence=confidence, world=world)


@pytest.mark.parametrize("frames", [range(0, 4), range(20, 28), range(57, 60)])
def test_whole_body_exchanged_is_put_right(walk, frames):
    frames, trunk, judged = list(frames), [11, 12, 23, 24], 0
    for number in range(8):
        keypoints = filmed(walk, number)
        shoulders, trunk_px = (
            np.linalg.norm(keypoints.xy[frames][:, a] - keypoints.xy[frames][:, b], axis=-1)
            for a, b in ((11, 12), (11, 23))
        )
        if shoulders.min() < 0.4 * trunk_px.max():
            continue  # seen from the side, where the two labellings are nearly as good
        judged += 1
        after, exchanged = with_sides_settled(wrong(keypoints, frames, list(range(len(JOINTS)))), walk.time)
        assert set(frames) <= set(np.flatnonzero(exchanged))
        np.testing.assert_array_equal(after.xy[frames][:, trunk], keypoints.xy[frames][:, trunk])
        np.testing.assert_allclose(after.world[frames][:, trunk], keypoints.world[frames][:, trunk])
        change = frames[-1] if frames[0] == 0 else frames[0]
        assert after.confidence[change, 11] < 0.5 * keypoints.confidence[change, 11]
    assert judged >= 3


def test_legs_exchanged_in_a_stride_are_put_right(walk):
    for number in range(4):
        keypoints = filmed(walk, number)
        apart = np.linalg.norm(keypoints.xy[:, 27] - keypoints.xy[:, 28], axis=-1)
        start = int(np.argmax(apart[5:50])) + 5
        frames = [start, start + 1]
        after, exchanged = with_sides_settled(wrong(keypoints, frames, LEGS), walk.time)
        assert exchanged[frames].all()
        np.testing.assert_array_equal(after.xy[frames][:, LEGS], keypoints.xy[frames][:, LEGS])
        np.testing.assert_allclose(after.world[frames][:, LEGS, :2], keypoints.world[frames][:, LEGS, :2])


def test_good_keypoints_are_left_alone():
    changed, frames = 0, 0
    for motion in list(motion_pack())[::12]:
        truth = make_truth(motion, "small slight woman", frames=90)
        for number in range(2):
            keypoints = filmed(truth, number)
            after, exchanged = with_sides_settled(keypoints, truth.time)
            changed, frames = changed + int(exchanged.sum()), frames + len(exchanged)
            same = ~exchanged
            np.testing.assert_array_equal(after.xy[same], keypoints.xy[same])
    assert frames > 500
    assert changed < 0.02 * frames


def test_turning_round_is_no_exchange(walk):
    """A person on a turntable, one turn in a second: the sides pass each other without a jump."""
    time = np.arange(30) / 30
    base = np.random.default_rng(0).normal(0, 20, (len(JOINTS), 3)) + (0, 300, 0)
    left = np.array([name.startswith("left") for name in JOINTS])
    right = np.array([name.startswith("right") for name in JOINTS])
    base[:, 0] = 60.0 * left - 60.0 * right
    base[[11, 12], 1], base[[23, 24], 1] = 150, 300
    angle = 2 * np.pi * time[:, None]
    xy = np.stack([np.cos(angle) * base[:, 0] + np.sin(angle) * base[:, 2], np.tile(base[:, 1], (30, 1))], -1)
    keypoints = dataclasses.replace(filmed(walk), xy=xy.astype("f4"), confidence=np.ones((30, 33), "f4"), world=None)
    _, exchanged = with_sides_settled(keypoints, time)
    assert not exchanged.any()


def test_nothing_to_tell():
    from marrow.types import Keypoints

    one = Keypoints("coco17", np.ones((1, 17, 2), "f4"), np.ones((1, 17), "f4"))
    assert not with_sides_settled(one, np.zeros(1))[1].any()
    gone = Keypoints("coco17", np.full((5, 17, 2), np.nan, "f4"), np.zeros((5, 17), "f4"))
    assert not with_sides_settled(gone, np.arange(5) / 30)[1].any()
