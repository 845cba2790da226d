"""Joint sets made from one another, on a body that the converters were not learned on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marrow import conventions, convert_joints
from marrow.body import load_body
from marrow.body.keypoints import keypoint_positions, keypoint_vertices
from marrow.conventions import JOINT_SETS, JointConversion, joint_conversion
from marrow.data.motion_pack import motion_pack
from marrow.errors import AssetError
from marrow.skeleton.tree import at_ease
from marrow.types import Float64, Keypoints

SETS = sorted(JOINT_SETS)
PAIRS = [("blazepose33", "h36m17"), ("blazepose33", "coco17"), ("coco17", "h36m17"), ("body25", "mpii16"),
         ("h36m17", "coco17"), ("smpl24", "h36m17"), ("h36m17", "smpl24"), ("coco133", "blazepose33")]  # fmt: skip


def keypoints(joint_set: str, points: Float64) -> Keypoints:
    confidence = np.asarray(np.isfinite(points).all(-1), np.float32)
    return Keypoints(joint_set, points[..., :2].astype(np.float32), confidence, points.astype(np.float32))


@pytest.fixture(scope="module")
def posed() -> dict[str, Float64]:
    """(T, J, 3) metres of every set on somebody 1.70 m tall; neither the shape nor the motions are in any fit."""
    body = load_body()
    rest = body.rest({"gender": 0.8, "weight": 0.6, "muscle": 0.6})
    skeleton = rest.skeleton
    neutral = at_ease(skeleton.coordinates)
    q = np.concatenate([clip.full(skeleton.coordinates, neutral)[::40] for clip in motion_pack().select("B")])
    ids = sorted({v for name in SETS for v in keypoint_vertices(name)})
    skin = np.asarray(body.pose(rest, q, vertex_ids=ids, outputs=("vertices",)).vertices, float)
    R, p = skeleton.forward(q)
    scale = 1.70 / float(rest.vertices[:, 1].max())
    return {name: scale * keypoint_positions(name, skeleton, R, p, skin, ids) for name in SETS}


def rms_mm(found: Float64, true: Float64) -> Float64:
    return 1000 * np.sqrt(np.square(found - true).sum(-1).mean(0))


@pytest.mark.parametrize(("src", "dst"), PAIRS)
def test_joints_come_out_where_the_body_has_them(posed: dict[str, Float64], src: str, dst: str) -> None:
    out, way = convert_joints(keypoints(src, posed[src]), src, dst), joint_conversion(src, dst)
    known = np.isfinite(way.residual_mm)
    assert out.world is not None
    error = rms_mm(out.world.astype(float), posed[dst])[known]
    assert known.sum() > 10
    assert (error < 1.6 * way.residual_mm[known] + 4.0).all(), dict(
        zip(np.array(JOINT_SETS[dst])[known], error, strict=True)
    )
    assert error.mean() < 1.2 * way.residual_mm[known].mean() + 1.0


def test_the_detectors_habits_are_undone(posed: dict[str, Float64]) -> None:
    joints = ("hip", "shoulder", "elbow", "ankle")
    a, b = ([JOINT_SETS[name].index(f"left_{j}") for j in joints] for name in ("blazepose33", "h36m17"))
    out = convert_joints(keypoints("blazepose33", posed["blazepose33"]), "blazepose33", "h36m17")
    assert out.world is not None
    copied = rms_mm(posed["blazepose33"][:, a], posed["h36m17"][:, b])
    assert (rms_mm(out.world[:, b].astype(float), posed["h36m17"][:, b]) < 0.75 * copied).all()


def test_there_and_back(posed: dict[str, Float64]) -> None:
    """coco17 by way of h36m17, which has neither eyes nor ears."""
    there = convert_joints(keypoints("coco17", posed["coco17"]), "coco17", "h36m17")
    back = convert_joints(there, "h36m17", "coco17")
    assert back.world is not None
    error = rms_mm(back.world.astype(float), posed["coco17"])
    assert error.max() < 50
    limbs = [
        k for k, name in enumerate(JOINT_SETS["coco17"]) if name.split("_")[-1] in ("elbow", "wrist", "knee", "ankle")
    ]
    np.testing.assert_allclose(error[limbs], 0.0, atol=1e-3)
    hips = [JOINT_SETS["coco17"].index(f"{side}_{j}") for side in ("left", "right") for j in ("hip", "shoulder")]
    assert (error[hips] < 20).all()


@pytest.mark.parametrize("dst", SETS)
@pytest.mark.parametrize("src", SETS)
def test_weights_sum_to_one_and_exact_is_exact(src: str, dst: str) -> None:
    way = joint_conversion(src, dst)
    given = np.array([kind != "absent" for kind in way.kind])
    np.testing.assert_allclose(way.matrix.sum(1), given, atol=1e-9)
    assert np.abs(way.matrix).sum(1).max() < 5.0  # nothing that would blow up a detector's scatter
    assert np.isnan(way.residual_mm[~given]).all()
    learned = np.array([kind == "learned" for kind in way.kind])
    assert (way.residual_mm[learned] < 60).all() or src == dst
    if src == dst:
        np.testing.assert_array_equal(way.matrix, np.eye(len(given)))
        assert set(way.kind) == {"copy"}
        assert not way.residual_mm.any()


@pytest.mark.parametrize(("src", "dst"), PAIRS)
def test_where_and_how_large_does_not_matter(src: str, dst: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, len(JOINT_SETS[src]), 3))
    one = convert_joints(keypoints(src, points), src, dst)
    other = convert_joints(keypoints(src, 250 * points + [400.0, 300.0, 10.0]), src, dst)
    np.testing.assert_allclose(other.xy, 250 * one.xy + [400.0, 300.0], atol=2e-3)
    assert one.world is not None
    assert other.world is not None
    np.testing.assert_allclose(other.world, 250 * one.world + [400.0, 300.0, 10.0], atol=2e-3)


def test_without_a_part_the_plain_point_stands_in() -> None:
    names, to = JOINT_SETS["blazepose33"], JOINT_SETS["h36m17"]
    k = keypoints("blazepose33", np.random.default_rng(1).normal(size=(33, 3)))
    whole = convert_joints(k, "blazepose33", "h36m17")
    heel, ankle = names.index("left_heel"), to.index("left_ankle")
    k.confidence[heel] = 0
    out = convert_joints(k, "blazepose33", "h36m17")
    np.testing.assert_array_equal(out.xy[ankle], k.xy[names.index("left_ankle")])
    assert not np.array_equal(out.xy[ankle], whole.xy[ankle])
    rest = [j for j in range(17) if j != ankle]
    np.testing.assert_array_equal(out.xy[rest], whole.xy[rest])
    k.xy[names.index("left_ankle")] = np.nan
    out = convert_joints(k, "blazepose33", "h36m17")
    assert np.isnan(out.xy[ankle]).all()
    assert out.confidence[ankle] == 0
    k.confidence[names.index("left_hip")] = 0  # nothing stands in for the crown, which hangs on the hips too
    assert convert_joints(k, "blazepose33", "h36m17").confidence[to.index("head_top")] == 0


def test_without_learning_only_what_was_seen_comes_out() -> None:
    k = keypoints("coco133", np.random.default_rng(3).normal(size=(133, 3)))
    names = JOINT_SETS["halpe26"]
    out = convert_joints(k, "coco133", "halpe26", learned=False)
    assert out.confidence[names.index("head_top")] == 0
    assert convert_joints(k, "coco133", "halpe26").confidence[names.index("head_top")] > 0
    nose = JOINT_SETS["coco133"].index("nose")
    np.testing.assert_array_equal(out.xy[names.index("nose")], k.xy[nose])


def test_learned_sums_are_as_sure_as_their_least_sure_part() -> None:
    way: JointConversion = joint_conversion("blazepose33", "h36m17")
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.1, 1.0, (4, 33)).astype(np.float32)
    k = Keypoints("blazepose33", rng.normal(size=(4, 33, 2)).astype(np.float32), confidence)
    out = convert_joints(k, "blazepose33", "h36m17")
    for joint, row in enumerate(way.matrix):
        np.testing.assert_array_equal(out.confidence[:, joint], confidence[:, row != 0].min(1))


def test_every_set_is_in_the_table() -> None:
    assert set(conventions._converters()["sets"].tolist()) == set(JOINT_SETS)
    assert conventions._CONVERTERS.stat().st_size < 200_000


def test_a_damaged_table_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "joint_converters.npz").write_bytes(b"no array")
    monkeypatch.setattr(conventions, "_CONVERTERS", tmp_path / "joint_converters.npz")
    conventions._converters.cache_clear()
    joint_conversion.cache_clear()
    try:
        with pytest.raises(AssetError, match="reinstall marrow"):
            joint_conversion("coco17", "h36m17")
    finally:
        conventions._converters.cache_clear()
