"""Nearest points of a mesh, against those of a fine sampling of it."""

from __future__ import annotations

import numpy as np
import trimesh

from marrow.body.surface import nearest_on_surface, vertex_normals

BALL = trimesh.creation.icosphere(subdivisions=2, radius=1.0)
X, F = np.asarray(BALL.vertices), np.asarray(BALL.faces)


def test_no_sampled_point_is_nearer():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (200, 3))
    found = nearest_on_surface(points, X, F)
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-12)
    assert found.weights.min() >= 0
    away = np.linalg.norm(found.of(X) - points, axis=1)
    weights = rng.dirichlet(np.ones(3) * 0.5, 400)
    samples = (weights[None, :, :, None] * X[F][:, None]).sum(2).reshape(-1, 3)
    nearest = np.linalg.norm(samples[None] - points[:, None], axis=-1).min(1)
    assert (away <= nearest + 1e-9).all()
    assert (away >= nearest - 0.01).all()


def test_points_of_the_surface_are_found_again_and_move_with_it():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(3), len(F))
    points = (weights[:, :, None] * X[F]).sum(1)
    found = nearest_on_surface(points, X, F)
    np.testing.assert_allclose(found.of(X), points, atol=1e-9)
    moved = np.stack([X, 2 * X + 1])
    np.testing.assert_allclose(found.of(moved), np.stack([points, 2 * points + 1]), atol=1e-9)
    ids, compact = found.rows(np.arange(5)).compact()
    assert len(ids) <= 15
    np.testing.assert_allclose(compact.of(X[ids]), points[:5], atol=1e-9)


def test_the_side_that_faces_away_is_passed_over():
    """Two sheets 1 cm apart, back to back: a point between them belongs to the one that faces its way."""
    square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    x = np.concatenate([square, square + [0, 0, 0.01]])
    faces = np.array([[0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6]])
    point, up = np.array([[0.4, 0.3, 0.002]]), np.array([[0.0, 0, 1]])
    np.testing.assert_allclose(nearest_on_surface(point, x, faces).of(x)[0], [0.4, 0.3, 0.0], atol=1e-12)
    np.testing.assert_allclose(nearest_on_surface(point, x, faces, up).of(x)[0], [0.4, 0.3, 0.01], atol=1e-12)


def test_normals_of_a_ball_point_outwards():
    assert ((vertex_normals(X, F) * X).sum(1) > 0.999).all()
