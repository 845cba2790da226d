"""Axes and joint sets."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow import convert_joints
from marrow.conventions import (
    EDGES,
    JOINT_SETS,
    R_GROUND_WORLD,
    SWAP,
    conversion,
    from_ground,
    joint_conversion,
    joint_names,
    nearest_names,
    to_ground,
)
from marrow.errors import InputError
from marrow.types import Keypoints

prop = settings(deadline=None, max_examples=40, derandomize=True)
SETS = sorted(JOINT_SETS)


def random_keypoints(joint_set: str, seed: int, *lead: int, world: bool = True) -> Keypoints:
    rng, count = np.random.default_rng(seed), len(JOINT_SETS[joint_set])
    return Keypoints(
        joint_set,
        rng.uniform(0, 900, size=(*lead, count, 2)).astype(np.float32),
        rng.uniform(0.1, 1, size=(*lead, count)).astype(np.float32),
        rng.normal(size=(*lead, count, 3)).astype(np.float32) if world else None,
    )


@prop
@given(st.tuples(*[st.floats(-100, 100)] * 3))
def test_ground_round_trip(x: tuple[float, float, float]) -> None:
    np.testing.assert_array_equal(to_ground(x), [x[2], x[1], -x[0]])
    np.testing.assert_array_equal(from_ground(to_ground(x)), x)


def test_ground_is_a_rotation_and_means_what_opensim_means() -> None:
    np.testing.assert_array_equal(R_GROUND_WORLD @ R_GROUND_WORLD.T, np.eye(3))
    assert np.linalg.det(R_GROUND_WORLD) == 1
    ahead, up, right = [0, 0, 1], [0, 1, 0], [-1, 0, 0]  # of a person at rest, in marrow's world
    np.testing.assert_array_equal(to_ground([ahead, up, right]), np.eye(3))


@pytest.mark.parametrize("name", SETS)
def test_joint_sets_are_sound(name: str) -> None:
    joints = JOINT_SETS[name]
    number = re.search(r"\d+$", name)
    assert number is not None
    assert len(set(joints)) == len(joints) == int(number.group())
    swap = SWAP[name]
    np.testing.assert_array_equal(swap[swap], np.arange(len(joints)))
    for joint, other in zip(joints, swap, strict=True):
        if "left" in joint:
            assert joints[other] == joint.replace("left", "right")
    assert all(0 <= a < len(joints) and 0 <= b < len(joints) and a != b for a, b in EDGES[name])
    mirrored = {frozenset((int(swap[a]), int(swap[b]))) for a, b in EDGES[name]}
    if name != "coco133":  # the lines of its face are numbered one way round
        assert mirrored == {frozenset(edge) for edge in EDGES[name]}


def test_orders_that_files_and_networks_fix() -> None:
    assert JOINT_SETS["coco17"].index("left_hip") == 11
    assert JOINT_SETS["blazepose33"].index("left_heel") == 29
    assert JOINT_SETS["body25"].index("mid_hip") == 8
    assert JOINT_SETS["body25"].index("right_heel") == 24
    assert JOINT_SETS["halpe26"].index("right_heel") == 25
    assert JOINT_SETS["coco133"].index("face_0") == 23
    assert JOINT_SETS["coco133"].index("left_hand_root") == 91
    assert JOINT_SETS["coco133"].index("right_little_tip") == 132
    assert JOINT_SETS["h36m17"].index("left_shoulder") == 11
    assert JOINT_SETS["mpii16"].index("left_shoulder") == 13
    assert JOINT_SETS["smpl24"].index("head") == 15


@pytest.mark.parametrize("name", SETS)
def test_conversion_to_itself_changes_nothing(name: str) -> None:
    k = random_keypoints(name, 0, 2, 3)
    same = convert_joints(k, name, name)
    np.testing.assert_array_equal(same.xy, k.xy)
    np.testing.assert_array_equal(same.confidence, k.confidence)
    np.testing.assert_array_equal(same.world, k.world)


@pytest.mark.parametrize("dst", SETS)
@pytest.mark.parametrize("src", SETS)
def test_conversion_commutes_with_mirroring(src: str, dst: str) -> None:
    k = random_keypoints(src, 1, 4)
    mirrored = Keypoints(src, k.xy[:, SWAP[src]], k.confidence[:, SWAP[src]])
    one, other = convert_joints(mirrored, src, dst), convert_joints(k, src, dst)
    np.testing.assert_allclose(one.xy, other.xy[:, SWAP[dst]], rtol=1e-5)
    np.testing.assert_allclose(one.confidence, other.confidence[:, SWAP[dst]], rtol=1e-6)


@pytest.mark.parametrize("src", SETS)
def test_every_set_gives_the_limbs_of_every_other(src: str) -> None:
    limbs = [f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
    k = random_keypoints(src, 2)
    for dst in SETS:
        out, way = convert_joints(k, src, dst), joint_conversion(src, dst)
        for limb in limbs:
            a, b = JOINT_SETS[dst].index(limb), JOINT_SETS[src].index(limb)
            assert way.kind[a] in ("copy", "learned")
            assert out.confidence[a] > 0
            if way.kind[a] == "copy":
                np.testing.assert_array_equal(out.xy[a], k.xy[b])
                assert out.confidence[a] == k.confidence[b]


def test_means_are_as_sure_as_their_least_sure_part() -> None:
    k = random_keypoints("coco17", 3, 5)
    out = convert_joints(k, "coco17", "body25")
    hips = [JOINT_SETS["coco17"].index(f"{side}_hip") for side in ("left", "right")]
    joint = JOINT_SETS["body25"].index("mid_hip")
    assert joint_conversion("coco17", "body25").kind[joint] == "mean"
    np.testing.assert_allclose(out.xy[:, joint], k.xy[:, hips].mean(1), rtol=1e-6)
    assert out.world is not None
    assert k.world is not None
    np.testing.assert_allclose(out.world[:, joint], k.world[:, hips].mean(1), atol=1e-6)
    np.testing.assert_array_equal(out.confidence[:, joint], k.confidence[:, hips].min(1))


def test_what_the_source_does_not_tell_is_absent() -> None:
    out = convert_joints(random_keypoints("coco17", 4), "coco17", "blazepose33")
    for name in ("left_foot_index", "right_foot_index"):
        joint = JOINT_SETS["blazepose33"].index(name)
        assert np.isnan(out.xy[joint]).all()
        assert out.world is not None
        assert np.isnan(out.world[joint]).all()
        assert out.confidence[joint] == 0
    assert conversion("coco17", "smpl24")[JOINT_SETS["smpl24"].index("pelvis")] == ()
    assert joint_conversion("coco17", "smpl24").kind[JOINT_SETS["smpl24"].index("pelvis")] == "absent"
    assert conversion("smpl24", "body25")[JOINT_SETS["body25"].index("mid_hip")] == (1, 2)


def test_absent_parts_make_absent_joints() -> None:
    k = random_keypoints("coco17", 5)
    left, right = (JOINT_SETS["coco17"].index(f"{side}_hip") for side in ("left", "right"))
    k.confidence[left] = 0  # absent by confidence, although a place is written
    k.xy[right] = np.nan
    out = convert_joints(k, "coco17", "body25")
    for name in ("mid_hip", "left_hip", "right_hip"):
        joint = JOINT_SETS["body25"].index(name)
        assert np.isnan(out.xy[joint]).all()
        assert out.confidence[joint] == 0
    assert np.isfinite(out.xy[JOINT_SETS["body25"].index("neck")]).all()


def test_without_world_there_is_none() -> None:
    assert convert_joints(random_keypoints("coco17", 6, world=False), "coco17", "body25").world is None


def test_mistakes_are_told_with_a_way_out() -> None:
    with pytest.raises(InputError, match=r"got ndarray; .*write marrow\.Keypoints\('coco17', xy, confidence\)"):
        convert_joints(np.zeros((2, 17, 2)), "coco17", "h36m17")  # type: ignore[arg-type]
    k = random_keypoints("coco17", 7)
    with pytest.raises(InputError, match="nearest: blazepose33"):
        convert_joints(k, "coco17", "blazepos")
    with pytest.raises(InputError, match="'coco17', not 'body25'"):
        convert_joints(k, "body25", "h36m17")
    with pytest.raises(InputError, match=r"\(\.\.\., 17, 2\).*got \(16, 2\)"):
        convert_joints(Keypoints("coco17", k.xy[:16], k.confidence), "coco17", "body25")
    with pytest.raises(InputError, match="confidence"):
        convert_joints(Keypoints("coco17", k.xy, k.confidence[:16]), "coco17", "body25")
    with pytest.raises(InputError, match="COCO"):
        joint_names("COCO")


def test_nearest_names() -> None:
    assert nearest_names("kneeangle_r", ["hip_flexion_r", "knee_angle_r", "knee_angle_l"])[0] == "knee_angle_r"
    assert nearest_names("x", []) == []
    assert len(nearest_names("zzz", SETS)) == 3
