"""Overlays and masks: what is touched, who hides whom, and parity with the plain reference."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from toy_figure import facing_camera, toy_person

from marrow.errors import InputError
from marrow.render.mesh import mask, rasterize
from marrow.render.overlay import Figure, blend_skin_reference, draw_people, skeleton_pieces
from marrow.render.silhouette import iou, mask_camera, person_masks, silhouette

CAMERA = facing_camera(3.2, size=(220, 200))


def person(x: float = 0.0, z: float = 0.0, colour=(255, 0, 0), bones: bool = True) -> Figure:
    vertices, faces, joints, pairs = toy_person(2)
    shift = np.array([x, 0, z])
    moved = (vertices + shift).astype(np.float32)
    return Figure(moved, faces, joints + shift if bones else None, pairs if bones else (), colour)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (200, 220, 3)).astype(np.uint8)


@pytest.mark.parametrize("opacity", [0.2, 0.5, 1.0])
def test_skin_equals_the_plain_reference(opacity):
    figure = person(0.1, bones=False, colour=(200, 120, 40))
    drawn = draw_people(picture(), [figure], CAMERA, opacity=opacity)
    expected = blend_skin_reference(picture(), figure, CAMERA, opacity)
    difference = np.abs(drawn.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_only_covered_pixels_change_and_the_input_stays():
    image = picture()
    before = image.copy()
    figure = person(bones=False)
    drawn = draw_people(image, [figure], CAMERA)
    np.testing.assert_array_equal(image, before)
    changed = (drawn != image).any(-1)
    body = silhouette(figure.vertices_world, figure.faces, CAMERA)
    assert not changed[~body].any()
    assert changed[body].mean() > 0.98


def test_bones_are_drawn_where_opencv_draws_them():
    figure = person()
    without = draw_people(picture(), [dataclasses.replace(figure, joints_world=None)], CAMERA)
    changed = (draw_people(picture(), [figure], CAMERA) != without).any(-1)
    joints, _ = cv2.projectPoints(
        figure.joints_world, cv2.Rodrigues(CAMERA.R_cam_world)[0], CAMERA.t_cam_world, CAMERA.K, None
    )
    pixels = np.round(joints[:, 0]).astype(int)
    expected = np.zeros(changed.shape, np.uint8)
    for a, b in figure.bones:
        cv2.line(expected, pixels[a].tolist(), pixels[b].tolist(), 255)
    assert changed[expected > 0].mean() > 0.97
    near = cv2.dilate(expected, np.ones((9, 9), np.uint8)) > 0
    assert not changed[~near].any()


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_person_hides_skin_and_bones_of_the_farther(order):
    near, far = person(0.2, 0.6, (255, 0, 0)), person(-0.2, -0.4, (0, 255, 0))
    both = draw_people(picture(), [near, far][::order], CAMERA)
    only_near = draw_people(picture(), [near], CAMERA)
    covered = silhouette(near.vertices_world, near.faces, CAMERA)
    np.testing.assert_array_equal(both[covered], only_near[covered])
    only_far = draw_people(picture(), [dataclasses.replace(far, joints_world=None)], CAMERA)
    free = silhouette(far.vertices_world, far.faces, CAMERA) & ~cv2.dilate(covered.astype(np.uint8), np.ones((15, 15)))
    no_bones = draw_people(picture(), [dataclasses.replace(p, joints_world=None) for p in (near, far)], CAMERA)
    free = free.astype(bool)
    assert free.sum() > 100
    assert (covered & silhouette(far.vertices_world, far.faces, CAMERA)).sum() > 100
    np.testing.assert_array_equal(no_bones[free], only_far[free])


def test_own_skin_never_hides_own_bones():
    solid = draw_people(picture(), [person()], CAMERA, opacity=1.0)
    hidden = draw_people(picture(), [person(bones=False)], CAMERA, opacity=1.0)
    assert (solid != hidden).any(-1).sum() > 300


def test_keypoints_mark_their_places_and_absent_ones_are_left_out():
    bare = np.full((200, 220, 3), 100, np.uint8)
    points = np.array([[50, 60], [np.nan, np.nan], [150, 30], [1e9, 1e9]], np.float32)
    figure = Figure(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), keypoints=points,
                    confidence=np.array([1, 1, 0, 1], np.float32))  # fmt: skip
    drawn = draw_people(bare, [figure], CAMERA)
    y, x = np.nonzero((drawn != bare).any(-1))
    assert drawn[60, 50].min() > 180
    assert abs(y - 60).max() <= 3
    assert abs(x - 50).max() <= 3


def test_people_out_of_view_or_behind_the_camera_draw_nothing():
    image = picture()
    for figure in (person(x=30.0), person(z=9.0)):
        np.testing.assert_array_equal(draw_people(image, [figure], CAMERA), image)
    np.testing.assert_array_equal(draw_people(image, [], CAMERA), image)


def test_person_lying_under_the_camera_is_cut_at_the_camera_plane():
    figure = person()
    x, y, z = figure.vertices_world.T
    lying = dataclasses.replace(figure, vertices_world=np.stack([x, z + 0.75, 4.1 - y], -1), joints_world=None)
    changed = (draw_people(picture(), [lying], CAMERA) != picture()).any(-1)
    assert changed[-1].any()
    assert not changed[:100].any()


def test_bones_are_ordered_from_far_to_near_and_scale_with_distance():
    camera = facing_camera(3.2, size=(220, 200), focal=1000)
    near, far = (skeleton_pieces(person(z=z), camera) for z in (0.0, -3.2))
    assert (np.diff(near[2].mean(-1)) > -0.05 * near[2].max()).all()
    bones_near, bones_far = near[1].max(), far[1].max()
    assert bones_near == pytest.approx(2 * bones_far, rel=0.05)


def test_distorted_camera_puts_bones_inside_the_skin():
    camera = dataclasses.replace(facing_camera(2.0, size=(220, 200)), distortion=np.array([-0.2, 0.05, 0, 0]))
    ends = skeleton_pieces(person(), camera)[0].reshape(-1, 2)
    body = silhouette(person().vertices_world, person().faces, camera)
    x, y = np.round(ends).astype(int).T
    inside = (x >= 0) & (x < 220) & (y >= 0) & (y < 200)
    assert inside.sum() > 10
    assert body[y[inside], x[inside]].all()


def test_wrong_pictures_are_explained():
    with pytest.raises(InputError, match="uint8"):
        draw_people(picture().astype(float), [], CAMERA)
    with pytest.raises(InputError, match="camera"):
        draw_people(picture()[:50], [], CAMERA)
    with pytest.raises(InputError, match="opacity"):
        draw_people(picture(), [], CAMERA, opacity=50)


def test_person_masks_share_the_picture_by_depth():
    people = [person(-0.1, 0.5), person(0.1, -0.5), person(50.0)]
    masks = person_masks([(p.vertices_world, p.faces) for p in people], CAMERA)
    whole = [silhouette(p.vertices_world, p.faces, CAMERA) for p in people]
    assert not (masks.sum(0) > 1).any()
    np.testing.assert_array_equal(masks[0], whole[0])
    np.testing.assert_array_equal(masks[1], whole[1] & ~whole[0])
    assert not masks[2].any()
    swapped = person_masks([(p.vertices_world, p.faces) for p in people[::-1]], CAMERA)
    np.testing.assert_array_equal(swapped[::-1], masks)


def test_silhouette_is_where_the_raster_sees_the_mesh():
    figure = person()
    vertices_cam = (figure.vertices_world @ CAMERA.R_cam_world.T + CAMERA.t_cam_world).astype(np.float32)
    expected = mask(rasterize(vertices_cam, figure.faces, CAMERA))
    np.testing.assert_array_equal(silhouette(figure.vertices_world, figure.faces, CAMERA), expected)


def test_mask_camera_follows_a_turned_and_scaled_mask():
    figure = person()
    whole = silhouette(figure.vertices_world, figure.faces, CAMERA)
    turn, scale = np.radians(25), 1.6
    A = np.zeros((2, 3))
    A[:, :2] = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    A[:, 2] = np.array([110, 100]) - A[:, :2] @ [50, 60]
    small = silhouette(figure.vertices_world, figure.faces, mask_camera(CAMERA, A, (100, 120)))
    warped = cv2.warpAffine(whole.astype(np.uint8), A, (100, 120), flags=cv2.WARP_INVERSE_MAP) > 0
    assert iou(small, warped) > 0.9
    with pytest.raises(InputError, match="inverted"):
        mask_camera(CAMERA, np.zeros((2, 3)), (10, 10))


def test_iou():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert np.isnan(iou(a, b))
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(4 / 12)
    with pytest.raises(InputError, match="mask_camera"):
        iou(a, b[:2])
