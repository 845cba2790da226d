"""The markers: on the skin, left and right alike, each on a segment that moves it."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.anatomy import landmarks
from marrow.body.markers import MARKERS, skin_markers
from marrow.skeleton import Skeleton


@pytest.mark.parametrize("shape", [{}, {"age": 0.0}, {"weight": 1.0, "gender": 0.0}])
def test_markers_lie_on_the_skin_and_mirror_each_other(shape):
    body = load_body("default")
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    found = skin_markers(rest, skeleton)
    assert set(found) == set(MARKERS)
    world = {}
    for name, (segment, local) in found.items():
        frame = skeleton.bind[skeleton.body_index(segment)]
        world[name] = frame[:3, :3] @ local + frame[:3, 3]
    near = np.linalg.norm(rest.vertices[None] - np.array(list(world.values()))[:, None], axis=-1).min(1)
    assert near.max() < 0.015  # a vertex of the same triangle
    for name, x in world.items():
        if name[0] == "R":
            np.testing.assert_allclose(x * [-1, 1, 1], world["L" + name[1:]], atol=1e-4, err_msg=name)
    assert world["RASI"][0] < 0 < world["LASI"][0]


def test_each_sits_on_a_segment_that_carries_its_skin():
    """Or on the one beside it, where skin slides over the bone: the acromion, the styloids, the malleoli."""
    body = load_body("default")
    skeleton = Skeleton.inside(body.rest().landmarks)
    weights = body.skin_weights(skeleton.bodies)
    points = {landmark.name: landmark for landmark in landmarks()}
    for name, (landmark, segment) in MARKERS.items():
        b, share = skeleton.body_index(segment), 0.0
        for vertex, part in zip(points[landmark].vertices, points[landmark].weights, strict=True):
            at = slice(weights.start[vertex], weights.start[vertex + 1])
            share += part * weights.weight[at][weights.body[at] == b].sum()
        assert share > 0.15, name
