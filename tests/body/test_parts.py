"""Parts of the skin: every vertex has one, left mirrors right, and they lie where their names say."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.parts import PARTS, face_parts, part_of, vertex_parts, vertex_segments


def test_every_vertex_and_face_has_a_part():
    body = load_body()
    vertices, faces = vertex_parts(body), face_parts(body)
    assert set(np.unique(vertices)) == set(np.unique(faces)) == set(range(1, len(PARTS) + 1))
    assert len(vertices) == body.vertex_count
    assert len(faces) == len(body.faces)
    assert vertex_segments(body).max() < len(body.rest().skeleton.bodies)


def test_parts_lie_where_their_names_say():
    body = load_body()
    rest, part = body.rest(), vertex_parts(body)
    middle = {name: rest.vertices[part == k + 1].mean(0) for k, name in enumerate(PARTS)}
    assert middle["head"][1] > middle["torso"][1] > middle["pelvis"][1] > middle["thigh_r"][1] > middle["shank_r"][1]
    assert middle["shank_r"][1] > middle["foot_r"][1]
    for name in ("upper_arm", "forearm", "hand", "thigh", "shank", "foot"):
        right, left = middle[f"{name}_r"], middle[f"{name}_l"]
        assert right[0] < 0 < left[0]
        np.testing.assert_allclose(right * [-1, 1, 1], left, atol=0.004)


@pytest.mark.parametrize(
    ("segment", "part"),
    [
        ("pelvis", "pelvis"), ("torso", "torso"), ("head", "head"), ("humerus_l", "upper_arm_l"), ("toes_r", "foot_r"),
        ("index_distal_l", "hand_l"), ("radius_r", "forearm_r"), ("scapula_l", "torso"),
    ],
)  # fmt: skip
def test_segments_belong_to_parts(segment, part):
    assert part_of(segment) == part
