"""The simulated detector errs as stated, and a result file that contradicts itself is refused."""

import json

import numpy as np
import pytest

from marrow.bench.noise import (
    BLAZEPOSE_TREE,
    DetectorNoise,
    WorldNoise,
    correlated,
    detect_with_errors,
    runs,
    world_with_errors,
)
from marrow.bench.result import BenchResult, commit, machine, read_result, verdict, write_result
from marrow.conventions import JOINT_SETS
from marrow.errors import InputError

NAMES = JOINT_SETS["blazepose33"]
SIZE = (1280, 720)


def person(frames: int = 200, seed: int = 0) -> np.ndarray:
    """(T, 33, 2) pixels of a person about 400 px tall in the middle of the image."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform([560, 160], [720, 560], (1, 33, 2))
    xy[0, 0, 1], xy[0, 1, 1] = 160, 560
    return np.repeat(xy, frames, 0)


def test_correlated_noise_has_unit_variance_and_the_stated_memory():
    noise = correlated(np.random.default_rng(0), (300, 4000), 30, constant=0.2, drifting=0.5, memory=0.25)
    np.testing.assert_allclose(noise.var(1).mean(), 1.0, atol=0.03)
    for lag in (3, 8, 30):
        expected = 0.2 + 0.5 * np.exp(-lag / 30 / 0.25)
        assert np.mean(noise[lag:] * noise[:-lag]) == pytest.approx(expected, abs=0.03)
    with pytest.raises(InputError, match="shares"):
        correlated(np.random.default_rng(0), (3, 2), 30, constant=0.8, drifting=0.5, memory=1)


def test_runs_have_the_stated_share_and_length():
    state = runs(np.random.default_rng(1), (600, 500), 30, share=0.1, length=0.2)
    assert state.mean() == pytest.approx(0.1, abs=0.01)
    starts = (state[1:] & ~state[:-1]).sum()
    assert state[1:].sum() / starts == pytest.approx(6, rel=0.1)
    assert not runs(np.random.default_rng(1), (10, 3), 30, share=0, length=0.2).any()


def test_detector_errors_have_the_stated_size():
    xy = person(2000)
    noise = DetectorNoise(constant=0.0, outliers=0, hidden=0, lost=0)
    seen, confidence = detect_with_errors(np.random.default_rng(2), xy, 30, SIZE, noise)
    assert (seen - xy).std() == pytest.approx(4.0, rel=0.05)  # 1 % of 400 px
    assert seen.dtype == confidence.dtype == np.float32
    assert confidence.min() >= 0.6
    noise = DetectorNoise(sd=0, outliers=0.02, hidden=0, lost=0)
    seen, confidence = detect_with_errors(np.random.default_rng(2), xy, 30, SIZE, noise)
    wrong = np.linalg.norm(seen - xy, axis=-1) > 1e-2
    assert wrong.mean() == pytest.approx(0.02, abs=0.003)
    assert 0.3 < (confidence[wrong] < 0.5).mean() < 0.7


def test_missing_joints_frames_and_what_leaves_the_image():
    xy = person(3000)
    xy[:, 7] = [-50, 100]
    noise = DetectorNoise(hidden=0.05, lost=0.1)
    seen, confidence = detect_with_errors(np.random.default_rng(3), xy, 30, SIZE, noise)
    absent = np.isnan(seen)[..., 0]
    np.testing.assert_array_equal(absent, confidence == 0)
    assert np.all(absent[:, 7])
    rest = np.delete(absent, 7, axis=1)
    assert rest.all(1).mean() == pytest.approx(0.1, abs=0.03)
    assert rest[~rest.all(1)].mean() == pytest.approx(0.05, abs=0.01)


def test_world_landmarks_vary_in_length_and_direction():
    x = np.random.default_rng(4).normal(0, 0.3, (1, 33, 3)).repeat(400, 0) + [0.3, -0.2, 4.0]
    world = world_with_errors(np.random.default_rng(5), x, NAMES, 30, WorldNoise())
    i = {name: k for k, name in enumerate(NAMES)}
    hips = 0.5 * (world[:, i["left_hip"]] + world[:, i["right_hip"]])
    np.testing.assert_allclose(hips, 0, atol=1e-6)
    variation, turns = [], []
    for parent, child in BLAZEPOSE_TREE:
        if parent is None:
            continue
        bone, true = world[:, i[child]] - world[:, i[parent]], x[:, i[child]] - x[:, i[parent]]
        length, true_length = np.linalg.norm(bone, axis=-1), np.linalg.norm(true, axis=-1)
        variation.append(length.std() / length.mean())
        turns.append(np.degrees(np.arccos(np.clip((bone * true).sum(-1) / length / true_length, -1, 1))))
    assert 0.03 < min(variation) < 0.09
    assert 0.12 < max(variation) < 0.30
    assert 6 < np.mean(turns) < 16
    exact = WorldNoise(direction_sd=0, length_sd=(0, 0))
    world = world_with_errors(np.random.default_rng(5), x, NAMES, 30, exact)
    root = 0.5 * (x[:, i["left_hip"]] + x[:, i["right_hip"]])
    np.testing.assert_allclose(world, x - root[:, None], atol=1e-6)


def test_the_tree_reaches_every_point_once():
    children = [child for _, child in BLAZEPOSE_TREE]
    assert sorted(children) == sorted(NAMES)
    seen: set[str | None] = {None}
    for parent, child in BLAZEPOSE_TREE:
        assert parent in seen
        seen.add(child)


def example() -> BenchResult:
    return BenchResult(
        system="x", claim="a < b", tier="quick", data="made up", seeds=(0,), n=3, metric="MPJPE mm", with_=50.0,
        without=80.0, difference=-30.0, ci95=(-35.0, -25.0), verdict="better", seconds=1.0, machine=machine(),
        commit="abc", command="python x.py", details={"groups": {"hip": 1.0}},
    )  # fmt: skip


def test_result_round_trip_and_verdicts(tmp_path):
    path = tmp_path / "results" / "x.json"
    write_result(path, example())
    assert read_result(path) == example()
    assert json.loads(path.read_text())["with"] == 50.0
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]
    assert verdict((-2, -1)) == "better"
    assert verdict((-2, -1), lower_is_better=False) == "worse"
    assert verdict((1, 2)) == "worse"
    assert verdict((-1, 2)) == "cannot tell"
    assert commit(tmp_path) == "unknown"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"verdict": "great"}, "verdict"),
        ({"difference": -10.0}, "with - without"),
        ({"ci95": [3.0, 1.0]}, "interval"),
        ({"with": "fifty"}, "number"),
        ({"extra": 1}, "extra"),
    ],
)
def test_results_that_contradict_themselves_are_refused(tmp_path, change, match):
    path = tmp_path / "x.json"
    write_result(path, example())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=match):
        read_result(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        read_result(path)
