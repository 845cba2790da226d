"""Surfaces and lit pictures: parity with plain numpy, shadows where they belong, the same for any number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, look_at
from marrow.render.shading import Light, Sky, shade, sphere_axes
from marrow.render.shading_reference import shade_reference
from marrow.render.surfaces import PATTERNS, Pattern, Surface, merged
from marrow.types import Camera

WHITE = np.ones(3, np.float32)


def view(size: tuple[int, int] = (120, 100), eye: tuple[float, ...] = (0.8, 1.6, 3.0)) -> Camera:
    R, t = look_at(eye, (0, 0.5, 0))
    return replace(camera_from_fov(size, 45), R_cam_world=R, t_cam_world=t)


def overhead(size: int = 81, metres: float = 4.0, **changes) -> Camera:
    """Orthographic from above: x to the right, z down the picture, ``metres`` across."""
    scale, middle = size / metres, (size - 1) / 2
    K = np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1.0]])
    R = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    return Camera(K, (size, size), R, np.array([0, 0, 10.0]), lens="orthographic", **changes)


def floor(**changes) -> Surface:
    corners = np.array([[-3, 0, -3], [-3, 0, 3], [3, 0, 3], [3, 0, -3]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return replace(Surface(corners, faces, WHITE * 0.5, gloss=0.0, casts_shadow=False), **changes)


def ball(height: float = 0.5, radius: float = 0.4, **changes) -> Surface:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    vertices = (sphere.vertices + [0, height, 0]).astype(np.float32)
    return replace(Surface(vertices, sphere.faces.astype(np.int32), WHITE * 0.5, owner=0), **changes)


def test_merged_keeps_order_and_numbers():
    mesh = merged([floor(label=3), ball(label=1), ball(owner=4)])
    assert mesh.faces.max() == len(mesh.vertices) - 1
    assert (np.diff(mesh.surface) >= 0).all()
    np.testing.assert_array_equal(mesh.label, [3, 1, 0])
    np.testing.assert_array_equal(mesh.owner, [-1, 0, 4])
    second = mesh.faces[mesh.first_face[1] : mesh.first_face[2]] - mesh.first_vertex[1]
    np.testing.assert_array_equal(second, ball().faces)


@pytest.mark.parametrize("kind", [None, *PATTERNS])
@pytest.mark.parametrize(("textured", "supersample"), [(False, 1), (True, 1), (False, 2), (True, 3)])
def test_shading_equals_reference(kind, textured, supersample):
    rng = np.random.default_rng(1)
    background = rng.random((100, 120, 3)).astype(np.float32)
    lights = (
        Light((0.6, 1, 0.45), (0.9, 0.86, 0.8), softness=0.04),
        Light(colour=(3, 2, 2), position=(-1, 2, 1.5), softness=0.1),
        Light((0, 0, 1), (0.1, 0.1, 0.1), shadows=False),
    )
    body = ball(pattern=None if kind is None else Pattern(kind, (0.1, 0.2, 0.5), 0.2, seed=3), gloss=0.4)
    if textured:
        texture = rng.integers(0, 255, (16, 24, 3), dtype=np.uint8)
        body = replace(body, texture=texture, uv=body.vertices[:, :2] * 3, two_sided=True)
    surfaces = [floor(shadow_catcher=textured), body]
    picture = shade(surfaces, view(), lights, Sky(axes=5), background, supersample, shadow_size=300, sky_size=100)
    image, coverage = shade_reference(
        surfaces, view(), lights, Sky(axes=5), background, supersample, shadow_size=300, sky_size=100
    )
    error = np.abs(picture.image_linear - image) / (image + 1e-2)
    # A tap or a texel at a border may fall to the other side.
    assert (error.max(-1) > 1e-5).mean() < 5e-4
    np.testing.assert_allclose(picture.coverage, coverage, atol=1e-6)


def test_same_picture_for_any_number_of_threads():
    surfaces = [floor(), ball(pattern=Pattern("camouflage", (0.1, 0.1, 0.1), 0.2, seed=2))]
    one = shade(surfaces, view())
    for threads in (2, 3, 7):
        many = shade(surfaces, view(), threads=threads)
        np.testing.assert_array_equal(one.image_linear, many.image_linear)
        np.testing.assert_array_equal(one.coverage, many.coverage)
    np.testing.assert_array_equal(one.surface >= 0, one.raster.ids >= 0)
    assert set(np.unique(one.surface)) == {-1, 0, 1}


def test_light_of_a_matt_floor():
    """A white matt floor under a lamp above shines as the lamp's colour says, and the sky adds its own."""
    bare = floor(colour=WHITE)
    dark = Sky((0, 0, 0), (0, 0, 0), axes=0)
    sun = shade([bare], overhead(), [Light((0, 2, 0), (0.3, 0.2, 0.1))], dark)
    np.testing.assert_allclose(sun.image_linear[40, 40], [0.3, 0.2, 0.1], rtol=1e-5)
    slanted = shade([bare], overhead(), [Light((0, 1, np.sqrt(3)), (0.4, 0.4, 0.4))], dark)
    np.testing.assert_allclose(slanted.image_linear[40, 40], 0.2, rtol=1e-5)
    lamp = shade([bare], overhead(), [Light(colour=(4, 4, 4), position=(0, 2, 0))], dark)
    np.testing.assert_allclose(lamp.image_linear[40, 40], 1.0, rtol=1e-3)
    sky = shade([bare], overhead(), [], Sky((0.3, 0.3, 0.3), (0.3, 0.3, 0.3), axes=0))
    np.testing.assert_allclose(sky.image_linear[40, 40], 0.3, rtol=1e-5)


@pytest.mark.parametrize("position", [None, (0.0, 6.0, 0.0)])
def test_shadow_lies_where_the_rays_say(position):
    """A ball under a light straight above: dark where rays towards the light meet it, lit elsewhere."""
    dark = Sky((0, 0, 0), (0, 0, 0), axes=0)
    light = Light((0, 1, 0), (1, 1, 1), position=position, softness=0.001)
    floating = ball(height=1.0)
    seen_below = replace(
        overhead(121), R_cam_world=np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), t_cam_world=np.array([0, 0, 10.0])
    )
    under = floor(faces=floor().faces[:, ::-1].copy(), two_sided=True)  # looked at from below
    lit = shade([under, floating], seen_below, [light], dark, supersample=1)
    assert lit.image_linear.max() == 0.0  # the underside of the floor has no light
    picture = shade([floor(), floating], view((160, 120), (0, 3, 5)), [light], dark, supersample=1)
    on_floor = picture.surface == 0
    from marrow.geometry.projection import unproject

    y, x = np.nonzero(on_floor)
    points = unproject(view((160, 120), (0, 3, 5)), np.stack([x, y], -1), picture.raster.depth[on_floor])
    towards = np.array([0, 1.0, 0]) if position is None else np.array(position) - points
    towards = np.broadcast_to(towards / np.linalg.norm(towards, axis=-1, keepdims=True), points.shape)
    offset = np.array([0, 1.0, 0]) - points
    miss = np.linalg.norm(np.cross(offset, towards), axis=-1)
    bright = picture.image_linear[on_floor][:, 0]
    assert (bright[miss < 0.38] == 0).all()
    assert (miss < 0.38).sum() > 50
    assert (bright[miss > 0.42] > 0.05 if position is None else bright[miss > 0.42] > 0.001).all()


def test_dark_under_a_ball_on_the_floor_and_bright_far_away():
    sky = Sky((1, 1, 1), (1, 1, 1))
    camera = view((200, 160), (0, 1.0, 5))
    picture = shade([floor(), ball(height=0.4)], camera, [], sky)
    on_floor = picture.surface == 0
    bright = np.where(on_floor, picture.image_linear[..., 0], np.nan)
    column = bright[:, 100]
    contact = np.flatnonzero(np.isfinite(column))[0]
    below = np.flatnonzero(picture.surface[:, 100] == 1).max() + 2
    assert column[below] < 0.6 * np.nanmax(column)
    assert abs(np.nanmax(column) - 0.5) < 0.02
    assert contact < 160
    beside = shade([floor(), ball(height=0.4)], camera, [], replace(sky, axes=0))
    assert beside.image_linear[below, 100, 0] > picture.image_linear[below, 100, 0]


def test_shadow_catcher_shows_the_background_and_its_shadow():
    background = np.full((100, 120, 3), 0.5, np.float32)
    picture = shade([floor(shadow_catcher=True), ball(height=0.4)], view(), background=background)
    on_floor = picture.surface == 0
    assert picture.coverage[on_floor].min() == 0.0
    shares = picture.image_linear[on_floor] / 0.5
    assert shares.max() <= 1.0 + 1e-5
    assert shares.min() < 0.6
    assert np.median(shares) > 0.9


def test_two_sided_surfaces_are_lit_on_both_sides():
    wall = Surface(
        np.array([[-1, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 1, 0]], np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        WHITE * 0.5,
        casts_shadow=False,
    )
    front, back = view(eye=(0, 0.5, 3)), view(eye=(0, 0.5, -3))
    lights = [Light((0, 0, 1), (1, 1, 1)), Light((0, 0, -1), (0.5, 0.5, 0.5))]
    both = [shade([replace(wall, two_sided=True)], camera, lights).image_linear[50, 60, 0] for camera in (front, back)]
    assert both[0] > both[1] > 0.2
    assert shade([wall], back, lights).coverage.max() == 0
    assert shade([wall], front, lights).coverage.max() == 1


def test_patterns_take_both_colours():
    for kind in PATTERNS:
        patterned = floor(pattern=Pattern(kind, (0.0, 0.0, 0.0), 0.7, (0, 0, 1)), colour=WHITE)
        if kind == "print":  # on what faces ahead only
            continue
        image = shade([patterned], overhead(), [Light((0, 1, 0), (1, 1, 1))], Sky((0, 0, 0), (0, 0, 0), 0)).image_linear
        assert np.ptp(image) > 0.8, kind
    stripes = floor(pattern=Pattern("stripes", (0, 0, 0), 1.0, (0, 0, 1)), colour=WHITE)
    image = shade([stripes], overhead(160), [Light((0, 1, 0), (1, 1, 1))], Sky((0, 0, 0), (0, 0, 0), 0)).image_linear
    np.testing.assert_allclose(image[..., 0].mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(image[:, 10], image[:, 150], atol=1e-5)


def test_axes_are_spread_evenly():
    axes = sphere_axes(64)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=-1), 1)
    np.testing.assert_allclose(axes.T @ axes / 64, np.eye(3) / 3, atol=0.02)


def test_camera_inside_a_body_is_fine():
    camera = replace(camera_from_fov((40, 30), 60), t_cam_world=np.array([0, -0.5, 0.0]))
    assert shade([ball()], camera).coverage.max() == 0
    assert shade([replace(ball(), two_sided=True)], camera).coverage.min() == 1


def test_what_cannot_be_drawn_is_told():
    camera = view((20, 20))
    good = ball()
    broken = good.vertices.copy()
    broken[3, 1] = np.nan
    wrong = [
        (replace(good, vertices=broken), "1 of .* not finite"),
        (replace(good, vertices=good.vertices[:5]), "name vertices"),
        (replace(good, vertices=good.vertices[:, :2]), "expected vertices"),
        (replace(good, colour=np.ones((3, 3))), "colour has shape"),
        (replace(good, place=np.ones((3, 3))), "place has shape"),
        (replace(good, texture=np.zeros((2, 2, 3), np.uint8)), "needs uv"),
        (replace(good, texture=np.zeros((2, 2, 3))), "of uint8"),
        (replace(good, pattern=Pattern("tartan", (0, 0, 0), 1)), "no pattern 'tartan'"),
        (replace(good, pattern=Pattern("dots", (0, 0, 0), 0)), "size above 0"),
    ]
    for surface, words in wrong:
        with pytest.raises(InputError, match=words):
            shade([surface], camera)
    with pytest.raises(InputError, match="cannot be drawn"):
        shade([good], replace(camera, size=(0, 20)))
    with pytest.raises(InputError, match="background"):
        shade([good], camera, background=np.zeros((3, 3, 3)))
    with pytest.raises(InputError, match="direction"):
        shade([good], camera, [Light((0, 0, 0))])
    assert shade([], camera).coverage.max() == 0
