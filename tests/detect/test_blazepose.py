"""The arithmetic around the networks, against plain loops and identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.detect.blazepose import (
    CROP_SIZE,
    Region,
    anchors,
    crop,
    decode_landmarks,
    decode_search,
    image_from_crop,
    merge_overlapping,
    refine,
    region_between,
    sigmoid,
)
from marrow.detect.search import Candidate, distinct, same_place, tiles
from marrow.geometry.boxes import box_iou


def test_anchors_are_those_of_the_published_graph():
    plain = []
    for layers, stride in ((1, 8), (1, 16), (3, 32)):
        cells = 224 // stride
        plain += [
            ((x + 0.5) / cells, (y + 0.5) / cells)
            for y in range(cells)
            for x in range(cells)
            for _ in range(2 * layers)
        ]
    assert anchors().shape == (2254, 2)
    np.testing.assert_allclose(anchors(), plain, atol=1e-7)


def test_search_output_decodes_to_box_and_points():
    boxes, logits = np.zeros((2254, 12), np.float32), np.full(2254, -100.0, np.float32)
    logits[1000] = 3.0
    boxes[1000] = [22.4, -11.2, 44.8, 67.2, 0, 0, 22.4, 0, 0, 44.8, -22.4, -22.4]
    found, scores = decode_search(boxes, logits, 0.5)
    anchor = anchors()[1000]
    assert scores == pytest.approx([1 / (1 + np.exp(-3.0))])
    np.testing.assert_allclose(found[0, :4], [*(anchor + (0.0, -0.2)), *(anchor + (0.2, 0.1))], atol=1e-6)
    expected = anchor + np.array([[0, 0], [0.1, 0], [0, 0.2], [-0.1, -0.1]])
    np.testing.assert_allclose(found[0, 4:].reshape(4, 2), expected, atol=1e-6)


def test_overlapping_candidates_are_averaged_by_score_and_others_kept():
    boxes = np.zeros((3, 12), np.float32)
    boxes[:, :4] = [[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]
    merged, scores = merge_overlapping(boxes, np.array([0.9, 0.6, 0.7], np.float32))
    np.testing.assert_allclose(scores, [0.9, 0.7])
    np.testing.assert_allclose(merged[:, 0], [0.4, 50], atol=1e-5)


def test_no_candidates_merge_to_none():
    merged, scores = merge_overlapping(np.zeros((0, 12), np.float32), np.zeros(0, np.float32))
    assert merged.shape == (0, 12)
    assert scores.shape == (0,)


@given(st.lists(st.floats(-50, 50), min_size=8, max_size=8))
def test_iou_is_symmetric_and_bounded(numbers):
    a, b = np.array(numbers[:4]), np.array(numbers[4:])
    a, b = (np.concatenate([np.minimum(x[:2], x[2:]), np.maximum(x[:2], x[2:])]) for x in (a, b))
    forth, back = box_iou(a, b[None])[0], box_iou(b, a[None])[0]
    assert forth == pytest.approx(back)
    assert 0 <= forth <= 1 + 1e-9


@given(st.floats(-3.1, 3.1), st.floats(20, 900), st.floats(-100, 2000), st.floats(-100, 2000))
def test_region_stands_on_its_two_points(angle, radius, x, y):
    centre = np.array([x, y])
    rim = centre + radius * np.array([np.sin(angle), -np.cos(angle)])
    region = region_between(centre, rim)
    assert region.angle == pytest.approx(angle, abs=1e-6)
    assert region.size == pytest.approx(2.5 * radius)
    to_image = image_from_crop(region)
    middle = CROP_SIZE / 2
    np.testing.assert_allclose(to_image @ (middle, middle, 1), centre, atol=1e-6)
    # The rim lies straight above the centre in the upright crop, 1 / 1.25 of the way to its edge.
    np.testing.assert_allclose(to_image @ (middle, middle - middle / 1.25, 1), rim, atol=1e-6)


@pytest.mark.parametrize("size", [200.0, 1000.0, 2000.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, -2.5])
def test_crop_shows_what_its_map_says(size, angle):
    y, x = np.mgrid[:1400, :1600].astype(np.float32)
    image = np.stack([x * 0.15, y * 0.15, (x + y) * 0.08], -1)
    region = Region((800.0, 700.0), size, angle)
    square = crop(image.astype(np.uint8), region).astype(float)
    v, u = np.mgrid[:CROP_SIZE, :CROP_SIZE]
    place = np.stack([u, v, np.ones_like(u)], -1) @ image_from_crop(region).T
    inside = np.all((place > 20) & (place < (1580, 1380)), axis=-1)
    expected = place @ np.array([[0.15, 0, 0.08], [0, 0.15, 0.08]])
    assert inside.mean() > 0.3
    assert np.abs(square - expected)[inside].max() < 2.5


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_refinement_equals_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.1, 1.1, (39, 2)).astype(np.float32)
    heat = rng.normal(-2, 2, (64, 64, 39)).astype(np.float32)
    refined, peak = refine(xy, heat)
    for j in range(39):
        column, row = (int(v) for v in np.trunc(xy[j] * 64))
        if not (0 <= column < 64 and 0 <= row < 64):
            np.testing.assert_allclose(refined[j], xy[j])
            assert peak[j] == 0
            continue
        rows = np.arange(max(0, row - 3), min(64, row + 4))
        columns = np.arange(max(0, column - 3), min(64, column + 4))
        weight = sigmoid(heat[np.ix_(rows, columns, [j])])[..., 0]
        assert peak[j] == pytest.approx(weight.max())
        mean = np.array([(weight.sum(0) @ columns), (weight.sum(1) @ rows)]) / weight.sum() / 64
        np.testing.assert_allclose(refined[j], mean if weight.max() >= 0.5 else xy[j], atol=1e-5)


def test_landmarks_and_world_turn_with_the_region():
    rng = np.random.default_rng(0)
    flat = np.concatenate([rng.uniform(60, 200, (39, 3)), rng.normal(0, 1, (39, 2))], 1).ravel().astype(np.float32)
    world = rng.normal(0, 0.4, 117).astype(np.float32)
    heat = np.full((64, 64, 39), -20.0, np.float32)
    mask = np.full((256, 256), -9.0, np.float32)
    mask[40:80, 100:120] = 9.0
    outputs = (flat, np.array([0.9], np.float32), mask, heat, world)
    upright = decode_landmarks(outputs, Region((500.0, 400.0), 512.0, 0.0))
    turned = decode_landmarks(outputs, Region((500.0, 400.0), 512.0, np.pi / 2))
    relative = upright.xy - (500, 400)
    np.testing.assert_allclose(turned.xy - (500, 400), np.column_stack([-relative[:, 1], relative[:, 0]]), atol=1e-3)
    np.testing.assert_allclose(turned.world[:, 0], -upright.world[:, 1], atol=1e-6)
    np.testing.assert_allclose(turned.world[:, 1], upright.world[:, 0], atol=1e-6)
    np.testing.assert_allclose(turned.world[:, 2], upright.world[:, 2])
    np.testing.assert_allclose(upright.xy, 2 * flat.reshape(39, 5)[:33, :2] + (244, 144), atol=1e-3)
    # The white patch's middle, in mask pixels, lies where it lies in the image.
    rows, columns = np.nonzero(upright.mask > 127)
    middle = upright.image_from_mask @ (columns.mean(), rows.mean(), 1)
    np.testing.assert_allclose(middle, (500 + 2 * (109.5 - 128), 400 + 2 * (59.5 - 128)), atol=1e-3)


@pytest.mark.parametrize("size", [(1768, 994), (994, 1768), (640, 480), (300, 300), (4000, 500), (1, 1), (50, 2000)])
def test_tiles_cover_the_picture(size):
    width, height = size
    squares = tiles(width, height)
    assert squares[0][2] == (max(size) if width < 1.3 * height or min(size) < 112 else height)
    for fraction in {side for _, _, side in squares if side <= min(size)}:
        seen = np.zeros((height, width), bool)
        for x, y, side in squares:
            if side == fraction:
                assert 0 <= x <= width - side
                assert 0 <= y <= height - side
                seen[y : y + side, x : x + side] = True
        assert seen.all()


def test_distinct_keeps_the_best_of_each_place():
    near, again, far = (Region((x, 100.0), 200.0, 0.0) for x in (100.0, 110.0, 400.0))
    kept = distinct([Candidate(near, 0.7), Candidate(again, 0.9), Candidate(far, 0.6)])
    assert [candidate.region for candidate in kept] == [again, far]
    assert same_place(near, again)
    assert not same_place(near, Region((100.0, 100.0), 400.0, 0.0))
