"""Orthographic and fisheye cameras: projection, rasteriser, and what refuses them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy_figure import facing_camera, toy_person

from marrow.errors import InputError
from marrow.fit.evidence import undistorted
from marrow.geometry import projection
from marrow.geometry.triangulation import triangulate
from marrow.lift.lift import lift
from marrow.render import mesh as render
from marrow.render.overlay import draw_people
from marrow.types import Camera


def lens_camera(lens: str, size: tuple[int, int] = (96, 120)) -> Camera:
    camera = facing_camera(size=size)
    focal = {"perspective": camera.K[0, 0], "orthographic": size[1] / 2.2, "fisheye": camera.K[0, 0]}[lens]
    K = np.array([[focal, 0.0, camera.K[0, 2]], [0.0, focal, camera.K[1, 2]], [0.0, 0.0, 1.0]])
    return replace(camera, K=K, lens=lens)


def person_cam(camera: Camera, subdivisions: int = 1) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces, _, _ = toy_person(subdivisions)
    return projection.to_camera(camera, vertices).astype(np.float32), faces


@pytest.mark.parametrize("lens", projection.LENSES)
def test_unproject_inverts_project(lens):
    camera = lens_camera(lens)
    rng = np.random.default_rng(3)
    x_cam = rng.normal(scale=0.5, size=(50, 3)) + [0, 0, 2]
    x = projection.from_camera(camera, x_cam)
    depth = np.linalg.norm(x_cam, axis=-1) if lens == "fisheye" else x_cam[:, 2]
    np.testing.assert_allclose(projection.unproject(camera, projection.project(camera, x), depth), x, atol=1e-9)
    start = projection.unproject(camera, projection.project(camera, x), np.zeros(50))
    along = projection.rays(camera, projection.project(camera, x))
    off = np.cross(along, x - start)
    np.testing.assert_allclose(off, 0, atol=1e-9)


def test_fisheye_is_equidistant():
    camera = lens_camera("fisheye")
    for theta in (0.0, 0.3, np.pi / 2, np.radians(99)):
        for phi in (0.0, 1.0, 4.0):
            x_cam = 3.0 * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
            xy = projection.project_camera(camera, x_cam)
            expected = camera.K[:2, 2] + camera.K[0, 0] * theta * np.array([np.cos(phi), np.sin(phi)])
            np.testing.assert_allclose(xy, expected, atol=1e-9)
    assert np.isnan(projection.project_camera(camera, [0.0, 0.1, -1.0])).all()
    assert np.isnan(projection.project_camera(camera, [0.0, 0.0, 0.0])).all()


@pytest.mark.parametrize("cull", [False, True])
@pytest.mark.parametrize("lens", ["orthographic", "fisheye"])
def test_fast_equals_reference(lens, cull):
    camera = lens_camera(lens, (72, 96))
    vertices, faces = person_cam(camera)
    fast = render.rasterize(vertices, faces, camera, cull=cull)
    slow = render.rasterize_reference(vertices, faces, camera, cull=cull)
    assert 0.03 < render.mask(fast).mean() < 0.6
    np.testing.assert_array_equal(fast.ids, slow.ids)
    np.testing.assert_allclose(fast.bary, slow.bary, atol=3e-6)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6)
    threaded = render.rasterize(vertices, faces, camera, cull=cull, threads=3)
    np.testing.assert_array_equal(fast.depth, threaded.depth)


@pytest.mark.parametrize("lens", ["orthographic", "fisheye"])
def test_pixels_see_points_on_their_triangles(lens):
    camera = lens_camera(lens, (160, 200))
    vertices, faces = person_cam(camera, 3)
    raster = render.rasterize(vertices, faces, camera)
    seen = render.mask(raster)
    points = projection.from_camera(camera, render.interpolate(raster, faces, vertices)[seen])
    y, x = np.nonzero(seen)
    xy = np.stack([x, y], -1)
    tolerance = 1e-3 if lens == "orthographic" else 0.05  # straight edges of small triangles
    np.testing.assert_allclose(projection.project(camera, points), xy, atol=tolerance)
    np.testing.assert_allclose(projection.unproject(camera, xy, raster.depth[seen]), points, atol=2e-3)


def test_orthographic_is_perspective_from_far_away():
    near = lens_camera("orthographic", (96, 120))
    far_away = 2000.0
    K = near.K.copy()
    K[:2, :2] *= far_away + near.t_cam_world[2]
    far = replace(near, K=K, lens="perspective", t_cam_world=near.t_cam_world + [0, 0, far_away])
    rasters = [render.rasterize(*person_cam(camera, 2), camera) for camera in (near, far)]
    assert (rasters[0].ids == rasters[1].ids).mean() > 0.995
    both = render.mask(rasters[0]) & render.mask(rasters[1])
    np.testing.assert_allclose(rasters[1].depth[both] - far_away, rasters[0].depth[both], atol=0.02)


def test_orthographic_cuts_at_the_near_plane_in_each_pixel():
    camera = Camera(np.array([[10.0, 0, 10], [0, 10.0, 10], [0, 0, 1]]), (21, 21), lens="orthographic")
    corners = np.array([[-1, -1, -1], [1, -1, 1], [1, 1, 1], [-1, 1, -1]], np.float32)
    raster = render.rasterize(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), camera)
    assert (raster.ids[5, :11] == -1).all()
    assert (raster.ids[5, 11:20] >= 0).all()
    np.testing.assert_allclose(raster.depth[5, 11:20], np.arange(1, 10) / 10, atol=1e-6)


def test_window_holds_all_pixels():
    for lens in projection.LENSES:
        camera = lens_camera(lens)
        vertices, faces = person_cam(camera)
        y, x = np.nonzero(render.mask(render.rasterize(vertices, faces, camera)))
        window = render.window_of(vertices, camera)
        assert window is not None
        x0, y0, x1, y1 = window
        assert x0 <= x.min()
        assert y0 <= y.min()
        assert x1 > x.max()
        assert y1 > y.max()
        xy, inverse = render.project_points(vertices, camera)
        depth = np.linalg.norm(vertices, axis=-1) if lens == "fisheye" else vertices[:, 2]
        np.testing.assert_allclose(1 / inverse, depth, rtol=1e-6)
        np.testing.assert_allclose(xy, projection.project_camera(camera, vertices), atol=2e-3)


def test_what_cannot_be_done_is_told():
    camera = lens_camera("fisheye")
    with pytest.raises(InputError, match="no lens 'panorama'"):
        projection.project(replace(camera, lens="panorama"), np.zeros(3))
    with pytest.raises(InputError, match="distortion"):
        projection.project(replace(camera, distortion=np.array([0.1, 0, 0, 0])), np.zeros(3))
    with pytest.raises(InputError, match="perspective"):
        projection.to_normalised(camera, np.zeros(2))
    with pytest.raises(InputError, match="triangulate"):
        triangulate([camera, camera], np.zeros((2, 1, 2)))
    nothing: Any = SimpleNamespace(camera=camera)
    with pytest.raises(InputError, match="fit: takes perspective"):
        undistorted(nothing)
    with pytest.raises(InputError, match="lift: takes perspective"):
        lift(nothing, np.zeros(1), camera, nothing, nothing)
    with pytest.raises(InputError, match="draw_people"):
        draw_people(np.zeros((120, 96, 3), np.uint8), [], camera)
    with pytest.raises(InputError, match="cannot be drawn"):
        render.rasterize(np.zeros((3, 3)), np.zeros((0, 3), int), replace(camera, size=(0, 5)))
