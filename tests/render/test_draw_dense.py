"""Dense correspondence drawn onto a picture."""

from __future__ import annotations

import numpy as np

from marrow.geometry.crops import crop_around
from marrow.render.dense import draw_dense

BOUNDS = ((-1.0, 0.0, -0.5), (1.0, 2.0, 0.5))


def person(size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Seen in the middle; places run by 4 cm a pixel."""
    seen = np.zeros((size, size), np.float32)
    seen[8:24, 8:24] = 1
    y, x = np.mgrid[:size, :size]
    place = np.stack([0.04 * (x - 16), 0.04 * (40 - y), np.zeros_like(x)], -1).astype(np.float32)
    place[seen == 0] = np.nan
    return seen, place


def test_only_the_person_is_painted_and_the_picture_given_stays() -> None:
    image = np.full((90, 100, 3), 200, np.uint8)
    seen, place = person()
    A = crop_around((30, 20, 70, 60), 32)
    drawn = draw_dense(image, A, seen, place, BOUNDS)
    assert (image == 200).all()
    rows, columns = np.nonzero((drawn != image).any(-1))
    low, high = A @ [7.4, 7.4, 1], A @ [23.6, 23.6, 1]
    assert columns.min() >= low[0] - 1
    assert columns.max() <= high[0] + 1
    assert rows.min() >= low[1] - 1
    assert rows.max() <= high[1] + 1
    assert len(rows) > 0.8 * np.prod(high - low)


def test_colours_run_with_the_place_and_lines_stand_every_ten_centimetres() -> None:
    seen, place = person()
    A = crop_around((20, 20, 80, 80), 32)
    drawn = draw_dense(np.zeros((100, 100, 3), np.uint8), A, seen, place, BOUNDS, opacity=1.0).astype(int)
    x0, y0 = np.round(A @ [9, 9, 1]).astype(int)
    x1, y1 = np.round(A @ [22, 22, 1]).astype(int)
    inner = drawn[y0:y1, x0:x1]
    dark = inner.max(-1) < 30
    assert 0.1 < dark.mean() < 0.7
    kept = np.where(dark, -1, inner[..., 0])
    columns = [row[row >= 0].mean() for row in kept.T if (row >= 0).any()]
    assert (np.diff(columns) > -1e-9).all()
    height = [row[~hidden].mean() for row, hidden in zip(inner[..., 1], dark, strict=True) if (~hidden).any()]
    assert height[0] > height[-1]


def test_beyond_the_edge_nothing_happens() -> None:
    seen, place = person()
    image = np.full((50, 50, 3), 9, np.uint8)
    for box in ((200, 200, 240, 240), (-100, -100, -60, -60)):
        np.testing.assert_array_equal(draw_dense(image, crop_around(box, 32), seen, place, BOUNDS), image)
    draw_dense(image, crop_around((30, 30, 70, 70), 32), seen, place, BOUNDS)
