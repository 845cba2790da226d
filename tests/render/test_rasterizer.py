"""The rasteriser against its plain reference, rays (embree), OpenCV's lens and the geometry it has to obey."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_figure import facing_camera, toy_person

from marrow.errors import InputError
from marrow.render import mesh as render
from marrow.types import Camera

LENS = np.array([-0.25, 0.08, 0.002, -0.003, 0.01])


def person_cam(camera: Camera, subdivisions: int = 2) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces, _, _ = toy_person(subdivisions)
    return (vertices @ camera.R_cam_world.T + camera.t_cam_world).astype(np.float32), faces


def assert_same(fast: render.Raster, slow: render.Raster) -> None:
    np.testing.assert_array_equal(fast.ids, slow.ids)
    np.testing.assert_allclose(fast.bary, slow.bary, atol=2e-6)
    np.testing.assert_allclose(fast.depth, slow.depth, rtol=1e-6)


@pytest.mark.parametrize("cull", [False, True])
@pytest.mark.parametrize("distortion", [np.zeros(0), LENS])
def test_fast_equals_reference(cull, distortion):
    camera = dataclasses.replace(facing_camera(size=(72, 96)), distortion=distortion)
    vertices, faces = person_cam(camera, subdivisions=1)
    fast = render.rasterize(vertices, faces, camera, cull=cull)
    assert 0.05 < render.mask(fast).mean() < 0.5
    assert_same(fast, render.rasterize_reference(vertices, faces, camera, cull=cull))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_fast_equals_reference_on_random_triangles_through_the_near_plane(seed, cull, through):
    rng = np.random.default_rng(seed)
    camera = facing_camera(size=(31, 23))
    centre = np.array([0, 0, 0.2 if through else 2.0])
    vertices = (centre + rng.normal(scale=0.5, size=(24, 3))).astype(np.float32)
    faces = rng.integers(0, 24, (16, 3)).astype(np.int32)
    fast = render.rasterize(vertices, faces, camera, cull=cull)
    slow = render.rasterize_reference(vertices, faces, camera, cull=cull)
    same = fast.ids == slow.ids
    assert same.mean() > 0.99  # clipped triangles: rounding on edges only
    np.testing.assert_allclose(fast.depth[same], slow.depth[same], rtol=1e-5)
    np.testing.assert_allclose(fast.bary[same], slow.bary[same], atol=1e-4)


def test_same_faces_as_rays():
    """Oracle: embree through trimesh, on a body-sized mesh of 17,920 triangles."""
    pytest.importorskip("embreex", reason="embreex comes with the test extra")
    camera = facing_camera(2.4, size=(512, 512))
    vertices, faces = person_cam(camera, subdivisions=3)
    raster = render.rasterize(vertices, faces, camera)
    x, y = np.meshgrid(np.arange(512), np.arange(512))
    K = camera.K
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(x.shape)], -1).reshape(-1, 3)
    hit = trimesh.Trimesh(vertices, faces, process=False).ray.intersects_first(np.zeros_like(rays), rays)
    hit = hit.reshape(512, 512)
    either = (hit >= 0) | (raster.ids >= 0)
    assert either.mean() > 0.08
    assert (hit == raster.ids)[either].mean() >= 0.999


def test_pixels_lie_on_their_triangles_and_on_their_rays():
    camera = facing_camera(size=(200, 150))
    vertices, faces = person_cam(camera)
    raster = render.rasterize(vertices, faces, camera)
    points = render.interpolate(raster, faces, vertices)
    seen = render.mask(raster)
    np.testing.assert_allclose(points[seen][:, 2], raster.depth[seen], rtol=1e-5)
    back = points[seen] @ camera.K.T
    y, x = np.nonzero(seen)
    np.testing.assert_allclose(back[:, :2] / back[:, 2:], np.stack([x, y], -1), atol=2e-3)
    assert (points[~seen] == 0).all()


def test_lens_agrees_with_opencv():
    camera = dataclasses.replace(facing_camera(2.2, size=(240, 240)), distortion=LENS)
    vertices, faces = person_cam(camera, subdivisions=3)
    raster = render.rasterize(vertices, faces, camera)
    seen = render.mask(raster)
    points = render.interpolate(raster, faces, vertices)[seen].astype(float)
    pixels, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.K, LENS)
    y, x = np.nonzero(seen)
    assert np.abs(pixels[:, 0] - np.stack([x, y], -1)).max() < 0.1
    straight = render.rasterize(vertices, faces, dataclasses.replace(camera, distortion=np.zeros(0)))
    assert (straight.ids != raster.ids).mean() > 0.05


def test_points_beyond_the_lens_model_are_not_folded_back_into_the_picture():
    camera = dataclasses.replace(facing_camera(size=(100, 100)), distortion=np.array([-0.3, 0, 0, 0]))
    far_out = np.array([[2.0, 0, 1], [2.1, 0, 1], [2.0, 0.1, 1]], np.float32)  # r = 2: r (1 - 0.3 r²) = -0.4
    raster = render.rasterize(far_out, np.array([[0, 1, 2]], np.int32), camera)
    assert not render.mask(raster).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_closed_surface_around_the_camera_has_no_cracks(seed):
    rng = np.random.default_rng(seed)
    sphere = trimesh.creation.icosphere(subdivisions=3)
    sphere.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    vertices = (sphere.vertices * rng.uniform(0.5, 3) + rng.uniform(-0.2, 0.2, 3)).astype(np.float32)
    raster = render.rasterize(vertices, np.asarray(sphere.faces), facing_camera(size=(160, 120), focal=60))
    assert render.mask(raster).all()
    assert np.isfinite(raster.depth).all()


def test_each_pixel_of_a_split_square_belongs_to_one_triangle():
    """Shared edges exactly on pixel centres: the top-left rule gives each pixel once, whatever the order."""
    K = np.array([[10.0, 0, 0], [0, 10.0, 0], [0, 0, 1]])
    camera = Camera(K, (12, 12))
    square = np.array([[0.1, 0.1, 1], [0.9, 0.1, 1], [0.9, 0.9, 1], [0.1, 0.9, 1]], np.float32)
    halves = [np.array([[0, 1, 2]], np.int32), np.array([[0, 3, 2]], np.int32)]
    one, other = (render.mask(render.rasterize(square, half, camera)) for half in halves)
    assert not (one & other).any()
    assert (one | other).sum() == 8 * 8
    assert (one | other)[1:9, 1:9].all()


def test_floor_passing_under_the_camera_is_clipped_at_the_near_plane():
    height, far = 1.5, 50.0
    corners = np.array([[-60, height, -far], [60, height, -far], [60, height, far], [-60, height, far]], np.float32)
    camera = facing_camera(size=(120, 90), focal=40)
    raster = render.rasterize(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), camera)
    y = np.arange(90)[:, None] - camera.K[1, 2] + np.zeros(120)
    expected = np.where(y > 0, height * 40 / np.maximum(y, 1e-9), np.inf)
    expected[expected > far] = np.inf
    np.testing.assert_allclose(raster.depth, expected, rtol=1e-4)


def test_nearer_surface_wins_and_ties_go_to_the_lower_id():
    square = np.array([[-1, -1, 2], [1, -1, 2], [1, 1, 2], [-1, -1, 3], [1, -1, 3], [1, 1, 3]], np.float32)
    faces = np.array([[3, 4, 5], [0, 1, 2], [0, 1, 2]], np.int32)
    raster = render.rasterize(square, faces, facing_camera(size=(64, 64)))
    assert set(np.unique(raster.ids)) == {-1, 0, 1} or set(np.unique(raster.ids)) == {-1, 1}
    assert (raster.ids == 1).sum() > 100
    assert not (raster.ids == 2).any()


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_the_result(threads):
    camera = facing_camera(size=(120, 130))
    vertices, faces = person_cam(camera)
    one, many = (render.rasterize(vertices, faces, camera, threads=n) for n in (1, threads))
    for name in ("ids", "bary", "depth"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_window_is_a_cut_of_the_whole_image():
    camera = facing_camera(size=(120, 130))
    vertices, faces = person_cam(camera)
    whole = render.rasterize(vertices, faces, camera)
    part = render.rasterize(vertices, faces, camera, window=(30, 20, 91, 111))
    assert part.origin == (30, 20)
    np.testing.assert_array_equal(part.ids, whole.ids[20:111, 30:91])
    np.testing.assert_allclose(part.depth, whole.depth[20:111, 30:91], rtol=1e-6)


def test_cull_removes_what_is_seen_from_behind():
    camera = facing_camera(size=(64, 64))
    vertices, faces = person_cam(camera)
    assert render.mask(render.rasterize(vertices, faces, camera, cull=True)).any()
    inside_out = faces[:, ::-1]
    hidden = render.rasterize(vertices, inside_out, camera, cull=True)
    shown = render.rasterize(vertices, faces, camera, cull=True)
    both = render.mask(hidden) & render.mask(shown)
    assert both.any()  # the far side is seen through the near one
    assert (hidden.depth[both] > shown.depth[both]).all()


@pytest.mark.parametrize("channels", [(), (1,), (3,), (2, 2)])
def test_interpolate_equals_reference(channels):
    camera = facing_camera(size=(80, 80))
    vertices, faces = person_cam(camera)
    attribute = np.random.default_rng(0).normal(size=(len(vertices), *channels)).astype(np.float32)
    raster = render.rasterize(vertices, faces, camera)
    fast = render.interpolate(raster, faces, attribute, background=-3)
    assert fast.shape == (80, 80, *channels)
    np.testing.assert_allclose(fast, render.interpolate_reference(raster, faces, attribute, -3), atol=1e-5)
    assert (fast[~render.mask(raster)] == -3).all()


def test_vertex_normals_equal_reference_and_point_outwards():
    vertices, faces, _, _ = toy_person(2)
    normals = render.vertex_normals(vertices, faces)
    np.testing.assert_allclose(normals, render.vertex_normals_reference(vertices, faces), atol=1e-4)
    sphere = trimesh.creation.icosphere(subdivisions=3)
    normals = render.vertex_normals(sphere.vertices, sphere.faces)
    assert (np.sum(normals * sphere.vertices, -1) > 0.999).all()


def test_nothing_to_draw_is_background():
    raster = render.rasterize(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), facing_camera(size=(4, 3)))
    assert (raster.ids == -1).all()
    assert np.isinf(raster.depth).all()
    bad = np.full((3, 3), np.nan, np.float32)
    raster = render.rasterize(bad, np.array([[0, 1, 2]], np.int32), facing_camera(size=(4, 3)))
    assert (raster.ids == -1).all()


def test_wrong_arrays_are_explained():
    camera = facing_camera(size=(8, 8))
    vertices, faces = person_cam(camera)
    with pytest.raises(InputError, match="one person and one frame"):
        render.rasterize(vertices[None], faces, camera)
    with pytest.raises(InputError, match="name vertices"):
        render.rasterize(vertices[:10], faces, camera)
    with pytest.raises(InputError, match="empty"):
        render.rasterize(vertices, faces, camera, window=(5, 5, 5, 9))
    with pytest.raises(InputError, match="do not belong"):
        render.interpolate(render.rasterize(vertices, faces, camera), faces, vertices[:5])
