"""A joint invented for a moment loses its confidence; fast movements keep theirs."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.bench.noise import DetectorNoise, WorldNoise
from marrow.bench.scenes import make_truth, shoot
from marrow.conventions import JOINT_SETS
from marrow.data.motion_pack import motion_pack
from marrow.detect.flicker import without_flicker
from marrow.types import Keypoints

JOINTS = JOINT_SETS["blazepose33"]
LEG = [
    k
    for k, name in enumerate(JOINTS)
    if name.startswith("left") and any(p in name for p in ("knee", "ankle", "heel", "foot"))
]


def filmed(name, frames=60):
    truth = make_truth(motion_pack().motion(name), "average", frames=frames)
    noise = DetectorNoise(hidden=0.0, lost=0.0, outliers=0.0)
    return shoot(truth, 0, 0, noise, WorldNoise()).keypoints, truth.time


@pytest.mark.parametrize("frames", [[20], [20, 21], [31, 33]])
def test_a_leg_invented_for_a_moment_is_not_believed(frames):
    keypoints, time = filmed("02_01")
    trunk = np.linalg.norm(keypoints.xy[0, 11] - keypoints.xy[0, 23])
    keypoints.xy[np.ix_(frames, LEG)] += np.float32([1.2 * trunk, -0.6 * trunk])
    after, away = without_flicker(keypoints, time)
    assert away[np.ix_(frames, LEG)].all()
    assert (after.confidence[np.ix_(frames, LEG)] < 0.1).all()
    assert np.isnan(after.world[np.ix_(frames, LEG)]).all()
    kept = ~away
    assert away.sum() <= len(frames) * len(LEG) + 2
    np.testing.assert_array_equal(after.xy, keypoints.xy)
    np.testing.assert_array_equal(after.confidence[kept], keypoints.confidence[kept])


def test_real_movement_is_believed():
    judged, doubted = 0, 0
    for name in ("02_01", "02_03", "te_jumping_1", "te_running_1", "te_soccer_1"):
        _, away = without_flicker(*filmed(name))
        judged, doubted = judged + away.size, doubted + int(away.sum())
    assert doubted < 0.002 * judged


def test_few_frames_are_not_judged():
    rng = np.random.default_rng(0)
    wild = Keypoints("coco17", rng.uniform(0, 500, (8, 17, 2)).astype("f4"), np.ones((8, 17), "f4"))
    assert not without_flicker(wild, np.arange(8) / 10)[1].any()
    assert not without_flicker(wild, np.arange(8) * 1.0)[1].any()
