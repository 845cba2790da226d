"""Distances along a surface: against spheres, planes and Dijkstra's on the body."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from marrow.body import geodesics as module
from marrow.body import load_body
from marrow.body.geodesics import Geodesics, geodesics, surface_graph


@pytest.fixture(scope="module")
def of_body(tmp_path_factory: pytest.TempPathFactory) -> Geodesics:
    body = load_body()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "cache_dir", lambda: tmp_path_factory.mktemp("cache"))
        return geodesics(body.rest().vertices, body.faces, 300)


def test_on_a_sphere_it_is_the_arc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cache_dir", lambda: tmp_path)
    ball = trimesh.creation.icosphere(subdivisions=3)
    found = geodesics(ball.vertices, ball.faces, 200)
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(ball.vertices), (2, 500))
    arc = np.arccos(np.clip((ball.vertices[a] * ball.vertices[b]).sum(1), -1, 1))
    assert np.abs(found.between(a, b) - arc).mean() < 0.05
    assert (found.between(a, a) == 0).all()
    np.testing.assert_array_equal(found.between(a, b), found.between(b, a))
    again = geodesics(ball.vertices, ball.faces, 200)  # now from the cache
    np.testing.assert_array_equal(again.to_landmarks, found.to_landmarks)


def test_diagonals_over_edges_shorten_the_way_on_a_plane() -> None:
    n = 12
    y, x = np.mgrid[:n, :n]
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(n * n)], 1).astype(float)
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + n], 1), np.stack([corner + 1, corner + n + 1, corner + n], 1)]
    )
    from scipy.sparse.csgraph import dijkstra

    own = dijkstra(surface_graph(vertices, faces), indices=0)
    straight = np.hypot(vertices[:, 0], vertices[:, 1])
    assert (own >= straight - 1e-9).all()
    assert own[-1] == pytest.approx(straight[-1])  # along the diagonals, which the triangles do not have
    assert (own[1:] / straight[1:]).max() < 1.09


def test_on_the_body_landmarks_tell_nearly_what_dijkstra_does(of_body: Geodesics) -> None:
    from scipy.sparse.csgraph import dijkstra

    body = load_body()
    graph = surface_graph(np.asarray(body.rest().vertices, float), np.asarray(body.faces, np.int64))
    rng = np.random.default_rng(1)
    starts = rng.integers(0, body.vertex_count, 8)
    exact = dijkstra(graph, indices=starts)
    assert np.isfinite(exact).all()
    ends = np.arange(body.vertex_count)
    told = np.stack([of_body.between(np.full(len(ends), start), ends) for start in starts])
    short = exact - told
    assert short.min() > -1e-4  # never longer than the shortest path
    assert short.mean() < 0.01
    near = exact < 0.3
    assert short[near].mean() < 0.01


def test_from_hand_to_hand_it_is_longer_than_through_the_air(of_body: Geodesics) -> None:
    body = load_body()
    x = body.rest().vertices
    left, right = int(x[:, 0].argmax()), int(x[:, 0].argmin())
    away = of_body.between([left], [right])[0]
    assert 1.15 * np.linalg.norm(x[left] - x[right]) < away < 2.2
