"""Crops: the way back to the picture, and where they lie in the camera."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.errors import InputError
from marrow.geometry.boxes import box_iou
from marrow.geometry.crops import crop_around, place_in_camera
from marrow.geometry.projection import camera_from_fov
from marrow.io.images import cut_crop


def test_a_crop_is_square_around_its_box():
    A = crop_around([10, 20, 50, 100], 64, margin=1.5)
    corners = A @ np.array([[-0.5, -0.5, 1], [63.5, 63.5, 1]]).T
    np.testing.assert_allclose(corners.mean(1), [30, 60])
    np.testing.assert_allclose(np.ptp(corners, axis=1), [120, 120])


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 5, 9], [0, 0, np.nan, 4]])
def test_boxes_without_extent_are_refused(box):
    with pytest.raises(InputError, match="x1 > x0"):
        crop_around(box, 32)


@pytest.mark.parametrize("side", [20.0, 64.0, 300.0])
def test_pixels_come_from_where_the_map_says(side):
    """A picture whose values are its own coordinates, cropped smaller and larger."""
    y, x = np.mgrid[0:400, 0:400]
    image = np.stack([x / 2, y / 2, 0 * x], -1).astype(np.uint8)
    A = crop_around([200 - side / 2, 180 - side / 2, 200 + side / 2, 180 + side / 2], 48, margin=1.0)
    crop = cut_crop(image, A, 48)
    assert crop.shape == (48, 48, 3)
    for column, row in ((10, 8), (24, 30), (40, 40)):
        np.testing.assert_allclose(2.0 * crop[row, column, :2], A @ [column, row, 1], atol=2.5 + 0.02 * side)


def test_a_crop_in_the_middle_looks_straight_ahead():
    camera = camera_from_fov((200, 200), 90.0)
    place = place_in_camera(crop_around([50, 50, 149, 149], 32, margin=1.0), 32, camera)
    np.testing.assert_allclose(place, [0, 0, 0.99], atol=0.01)


def test_overlaps_of_boxes():
    box = np.array([0.0, 0, 2, 2])
    np.testing.assert_allclose(box_iou(box, np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])), [1, 1 / 3, 0])
