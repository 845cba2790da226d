"""Square crops of people, with the way back to the picture and to the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.types import Camera, Float64

#: A crop's side as a share of the longer side of the person's box.
MARGIN = 1.2


def crop_around(box: ArrayLike, size: int, margin: float = MARGIN) -> Float64:
    """(2, 3) ``xy_image = A @ (x_crop, y_crop, 1)`` of a square crop of ``size`` pixels around a box ``x0 y0 x1 y1``.

    Raises:
        InputError: a box without extent, or that is not finite.
    """
    x0, y0, x1, y1 = (float(v) for v in np.asarray(box, float).ravel())
    if not np.isfinite([x0, y0, x1, y1]).all() or x1 <= x0 or y1 <= y0:
        raise InputError(f"box: expected x0 y0 x1 y1 in pixels with x1 > x0 and y1 > y0, got {(x0, y0, x1, y1)}")
    scale = max(x1 - x0, y1 - y0) * margin / size
    middle = (size - 1) / 2
    return np.array([[scale, 0, (x0 + x1) / 2 - scale * middle], [0, scale, (y0 + y1) / 2 - scale * middle]])


def place_in_camera(image_from_crop: Float64, size: int, camera: Camera) -> Float64:
    """(3,) where a crop looks and how wide, in the camera: x/z and y/z of its middle, its side over the focal length.

    What Li et al. 2022 (CLIFF, ECCV) give their network beside the crop, since a crop alone does not tell how the
    person is turned against the camera.
    """
    middle = image_from_crop @ np.array([(size - 1) / 2, (size - 1) / 2, 1.0])
    focal = camera.K[0, 0]
    return np.array([*(middle - camera.K[:2, 2]) / focal, image_from_crop[0, 0] * size / focal])
