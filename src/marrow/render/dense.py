"""Dense correspondence drawn onto a picture: colours by place on the body, with lines of equal height and breadth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.types import Float32, Float64

#: Between two lines, metres on the body at rest.
SPACING = 0.1
#: Neighbouring crop pixels whose places are further apart show different limbs, metres.
_JUMP = 0.12


def draw_dense(
    image: NDArray[np.uint8],
    image_from_crop: Float64,
    seen: Float32,
    place: Float32,
    bounds: Sequence[Sequence[float]],
    *,
    opacity: float = 0.6,
) -> NDArray[np.uint8]:
    """Draw one person's dense correspondence; the picture given stays as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        image_from_crop: (2, 3) ``xy_image = A @ (x_crop, y_crop, 1)``.
        seen: (S, S) probability that the crop's pixel shows the person.
        place: (S, S, 3) where it is on the body at rest, metres; NaN where not seen.
        bounds: lowest and highest (x, y, z) of the body at rest, metres: red, green and blue run from 0 to 1 over them.
        opacity: of the colours; the lines are nearly opaque.
    """
    import cv2

    height, width = image.shape[:2]
    size = seen.shape[0]
    low = np.floor(image_from_crop @ [-0.5, -0.5, 1]).astype(int).clip(0, [width, height])
    high = np.ceil(image_from_crop @ [size - 0.5, size - 0.5, 1]).astype(int).clip(0, [width, height])
    if (high <= low).any():
        return image.copy()
    # from pixels of the window to those of the crop
    scale = 1 / image_from_crop[0, 0]
    A = np.array([[scale, 0, 0], [0, scale, 0]])
    A[:, 2] = scale * (low - image_from_crop[:, 2])
    window = (int(high[0] - low[0]), int(high[1] - low[1]))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    known = np.asarray(np.isfinite(place).all(-1))
    filled = np.asarray(np.where(known[..., None], place, 0), np.float32)
    weight = np.asarray(cv2.warpAffine(known.astype(np.float32), A, window, flags=flags))
    where = np.asarray(cv2.warpAffine(filled, A, window, flags=flags)) / np.maximum(weight, 1e-3)[..., None]
    shown = (np.asarray(cv2.warpAffine(seen, A, window, flags=flags)) > 0.5) & (weight > 0.3)
    least, most = (np.asarray(bound, float) for bound in bounds)
    colour = 255 * ((where - least) / (most - least)).clip(0, 1)
    lines = _lines(where, shown, scale)
    colour[lines] = 20
    part = image[low[1] : high[1], low[0] : high[0]].astype(float)
    share = np.where(lines, 0.9, opacity)[..., None] * shown[..., None]
    out = image.copy()
    out[low[1] : high[1], low[0] : high[0]] = np.rint(part * (1 - share) + colour * share).astype(np.uint8)
    return out


def _lines(where: NDArray, shown: NDArray[np.bool_], scale: float) -> NDArray[np.bool_]:
    """(h, w) pixels on a line of equal x or y; ``scale`` is that of crop pixels in those of the picture."""
    out = np.zeros(shown.shape, bool)
    jump = _JUMP * scale
    for axis in (0, 1):
        level = np.floor(where[..., axis] / SPACING)
        for way in (0, 1):
            step = np.diff(level, axis=way) != 0
            near = np.abs(np.diff(where, axis=way)).max(-1) < jump
            both = shown[1:] & shown[:-1] if way == 0 else shown[:, 1:] & shown[:, :-1]
            crossed = step & near & both
            if way == 0:
                out[1:] |= crossed
            else:
                out[:, 1:] |= crossed
    return out
