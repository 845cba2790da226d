"""Bones to segments, and where detectors' keypoints sit."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body.keypoints import keypoint_sources, landmark_body
from marrow.body.points import SKIN_POINTS
from marrow.body.rig import rig_matrix
from marrow.conventions import JOINT_SETS, SWAP
from marrow.errors import InputError


def place(source, rest, skeleton):
    """A keypoint on the body at rest."""
    x = np.zeros(3)
    for vertex, weight in zip(source.vertices, source.vertex_weights, strict=True):
        x = x + weight * rest.vertices[vertex]
    for name, weight in zip(source.landmarks, source.landmark_weights, strict=True):
        x = x + weight * rest.landmarks[name]
    if source.offset_body is not None:
        x = x + skeleton.bind[skeleton.body_index(source.offset_body), :3, :3] @ np.array(source.offset)
    return x


def test_every_bone_is_shared_out_wholly_and_every_segment_that_has_flesh_has_skin(body, skeleton):
    """The talus lies inside the foot, and the sagittal halves of the spine's arcs are not flesh but joints."""
    shares = rig_matrix(body.bones, skeleton.bodies)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    assert shares.min() >= 0
    bare = {name for name, share in zip(skeleton.bodies, shares.sum(0), strict=True) if share == 0}
    assert bare == {"talus_r", "talus_l", "lumbar_arc", "thorax_arc", "neck_arc"}
    left = [i for i, n in enumerate(body.bones) if n.endswith(".L")]
    right = [body.bones.index(body.bones[i][:-1] + "R") for i in left]
    swap = [skeleton.bodies.index({"_r": n[:-1] + "l", "_l": n[:-1] + "r"}.get(n[-2:], n)) for n in skeleton.bodies]
    np.testing.assert_array_equal(shares[left][:, swap], shares[right])


def test_grouped_weights_keep_all_influences(body, skeleton):
    own, grouped = body.bone_weights, body.skin_weights(skeleton.bodies)
    sums = np.add.reduceat(grouped.weight.astype(float), grouped.start[:-1])
    np.testing.assert_allclose(sums, 1.0, atol=1e-6)
    assert (grouped.weight > 0).all()
    shares = rig_matrix(body.bones, skeleton.bodies)
    for vertex in range(0, body.vertex_count, 501):
        expected = np.zeros(len(skeleton.bodies))
        for k in range(own.start[vertex], own.start[vertex + 1]):
            expected += own.weight[k] * shares[own.body[k]]
        found = np.zeros_like(expected)
        row = slice(grouped.start[vertex], grouped.start[vertex + 1])
        found[grouped.body[row]] = grouped.weight[row]
        np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


def test_a_skeleton_without_a_needed_segment_is_refused(body):
    with pytest.raises(InputError, match="pelvis"):
        rig_matrix(body.bones, ["torso"])


@pytest.mark.parametrize("joint_set", sorted(JOINT_SETS))
def test_sources_are_whole_ordered_and_mirror_images(joint_set, rest, skeleton):
    sources = keypoint_sources(joint_set)
    names = JOINT_SETS[joint_set]
    assert [s.name for s in sources if s] == [n for n in names if not n.startswith("face_") and "mpi_" not in n]
    points = np.full((len(names), 3), np.nan)
    for i, source in enumerate(sources):
        if source is None:
            continue
        assert sum(source.vertex_weights) + sum(source.landmark_weights) == pytest.approx(1.0)
        for name in source.landmarks:
            b = int(skeleton.point_body[skeleton.point_names.index(name)])
            assert landmark_body(name) == skeleton.bodies[b], name
        points[i] = place(source, rest, skeleton)
    placed = ~np.isnan(points[:, 0])
    np.testing.assert_allclose(points[np.array(SWAP[joint_set])][placed], (points * [-1, 1, 1])[placed], atol=3e-4)


def test_blazepose_points_lie_in_their_region(rest, skeleton):
    at = {s.name: place(s, rest, skeleton) for s in keypoint_sources("blazepose33") if s}
    mark = rest.landmarks
    assert at["nose"][2] == max(p[2] for n, p in at.items() if "eye" in n or "ear" in n or n == "nose")
    assert at["left_eye_outer"][0] > at["left_eye"][0] > at["left_eye_inner"][0] > 0
    assert at["left_ear"][0] > at["left_eye_outer"][0]
    assert at["left_eye"][1] > at["nose"][1] > at["mouth_left"][1] > mark["neck"][1]
    assert at["left_heel"][2] < at["left_ankle"][2] < at["left_foot_index"][2]
    assert max(at["left_heel"][1], at["left_foot_index"][1]) < 0.06
    for name in ("left_index", "left_pinky", "left_thumb"):
        assert 0.02 < np.linalg.norm(at[name] - at["left_wrist"]) < 0.15


def test_skin_points_are_on_the_skin_where_they_say(body, rest):
    height = rest.vertices[:, 1].max()
    assert rest.vertices[SKIN_POINTS["head_top"][0], 1] == pytest.approx(height, abs=1e-3)
    for side in "rl":
        heel = rest.vertices[list(SKIN_POINTS[f"heel_{side}"])].mean(0)
        toe = rest.vertices[list(SKIN_POINTS[f"toe_tip_{side}"])].mean(0)
        assert 0.13 < (toe - heel)[2] / height < 0.17  # foot length over stature: 0.15
        for finger in ("thumb", "index", "middle", "ring", "little"):
            tip = rest.vertices[list(SKIN_POINTS[f"{finger}_tip_{side}"])].mean(0)
            last = rest.landmarks[f"{finger}_{'ip' if finger == 'thumb' else 'dip'}_{side}"]
            assert 0.01 < np.linalg.norm(tip - last) < 0.04


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="blazepose33"):
        keypoint_sources("blazepose")
    with pytest.raises(InputError, match="heel_r"):
        landmark_body("heel_r")
