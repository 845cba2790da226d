"""Points inside and outside closed surfaces, also where the surface overlaps itself."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from marrow.errors import InputError
from marrow.metrics import inside


def test_a_ball():
    ball = trimesh.creation.icosphere(subdivisions=3)
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (2000, 3))
    radius = np.linalg.norm(points, axis=1)
    clear = np.abs(radius - 0.995) > 0.01
    found = inside(points, ball.vertices, ball.faces)
    np.testing.assert_array_equal(found[clear], radius[clear] < 1)
    assert not inside(points, ball.vertices, ball.faces[:, ::-1]).any()


def test_a_box_along_the_axes():
    box = trimesh.creation.box((2, 2, 2))
    points = np.array([[0, 0, 0], [0.5, 0.5, -0.5], [0, 0, 1.5], [0, 0, -1.5], [3, 0, 0]], float)
    np.testing.assert_array_equal(inside(points, box.vertices, box.faces), [True, True, False, False, False])


def test_overlapping_surfaces():
    """Where two balls overlap one is inside both, which the parity of crossings would call outside."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    both = trimesh.util.concatenate([ball, ball.copy().apply_translation([0.8, 0, 0])])
    points = np.array([[0.4, 0, 0], [-0.5, 0, 0], [1.3, 0, 0], [0.4, 0.95, 0]])
    np.testing.assert_array_equal(inside(points, both.vertices, both.faces), [True, True, True, False])


def test_shapes_are_checked():
    with pytest.raises(InputError, match="inside: expected points"):
        inside(np.zeros(3), np.zeros((4, 3)), np.zeros((2, 3), int))
