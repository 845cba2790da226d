"""Offsets of a detector's keypoints that were learned from drawn people."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from marrow.body import keypoints
from marrow.body.keypoints import LEARNED, detector_noise, keypoint_sources
from marrow.conventions import JOINT_SETS, SWAP

SCRIPT = Path(__file__).parents[2] / "scripts" / "calibrate_keypoints.py"


@pytest.fixture(scope="module")
def table():
    return json.loads(LEARNED["blazepose33"].read_text())


def test_the_file_tells_how_it_was_made_and_every_keypoint_has_its_row(table, skeleton):
    about = table["about"]
    assert about["command"].startswith("python scripts/calibrate_keypoints.py")
    assert about["used"] > 1000
    assert about["used"] <= about["pictures"]
    for name, row in table["keypoints"].items():
        assert np.isfinite(row["offset"]).all(), name
        assert np.linalg.norm(row["offset"]) <= 0.06 + 1e-4, name
        assert row["segment"] in skeleton.bodies or f"{row['segment']}_r" in skeleton.bodies, name
        assert row["n"] > 500, name
        assert row["bias_mm"] < max(row["bias_before_mm"], 8), name
    assert len(table["keypoints"]) == 17  # the nose, and sixteen on both sides


def test_learned_offsets_are_mirror_images():
    sources = keypoint_sources("blazepose33")
    for source, twin in zip(sources, SWAP["blazepose33"], strict=True):
        other = sources[twin]
        assert source is not None
        assert other is not None
        np.testing.assert_array_equal(np.array(source.offset) * [1, 1, -1], other.offset)
        assert source.offset_body is not None
        assert other.offset_body == {"_r": source.offset_body[:-1] + "l", "_l": source.offset_body[:-1] + "r"}.get(
            source.offset_body[-2:], source.offset_body
        )


def test_noise_is_a_plausible_share_of_the_person():
    noise = detector_noise("blazepose33")
    assert noise is not None
    assert tuple(noise) == JOINT_SETS["blazepose33"]
    assert all(0.003 < sd < 0.03 for sd in noise.values())
    assert detector_noise("coco17") is None


def test_a_damaged_file_is_told(tmp_path, monkeypatch):
    (tmp_path / "offsets.json").write_text("{}")
    monkeypatch.setitem(keypoints.LEARNED, "blazepose33", tmp_path / "offsets.json")
    keypoints._learned_table.cache_clear()
    try:
        with pytest.raises(keypoints.AssetError, match="calibrate_keypoints"):
            detector_noise("blazepose33")
    finally:
        keypoints._learned_table.cache_clear()


def test_the_detector_agrees_better_with_the_learned_places_on_new_pictures(table, monkeypatch):
    spec = importlib.util.spec_from_file_location("calibrate_keypoints", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "calibrate_keypoints", script)
    spec.loader.exec_module(script)
    data, drawn = script.collect(people=4, views=6, seed=12345, show=None)
    assert len(data["xy"]) > 0.7 * drawn
    offset = np.array([table["keypoints"][script.stem(name)[0]]["offset"] for name in JOINT_SETS["blazepose33"]])
    moved = np.einsum("nkij,kj->nki", data["jacobian"], offset) * (data["stature"] / 1.7)[:, None, None]
    before = np.median(np.linalg.norm(data["xy"] - data["base"], axis=-1) / data["height_px"][:, None], axis=0)
    after = np.median(np.linalg.norm(data["xy"] - data["base"] - moved, axis=-1) / data["height_px"][:, None], axis=0)
    assert after.mean() < 0.8 * before.mean()
    assert after.max() < 0.035
