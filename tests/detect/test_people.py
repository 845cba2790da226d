"""The real networks on real and on empty pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from marrow.conventions import JOINT_SETS, SWAP
from marrow.detect import BlazePose, track
from marrow.geometry.boxes import box_iou
from marrow.types import Frame

LABELS = Path(__file__).parents[2] / "benchmarks" / "labels" / "demo.json"


@pytest.fixture(scope="module")
def picture(demo_frames):
    return demo_frames[-1].image


@pytest.fixture(scope="module")
def found(blazepose, picture):
    """The man (upper left) and the woman in one picture."""
    people = sorted(blazepose.detect(picture), key=lambda person: person.box[0])
    assert len(people) == 2
    return people


def heights(people):
    return np.array([person.box[3] - person.box[1] for person in people])


def test_demo_clip_holds_two_people_found_nearly_always(blazepose, demo_clip):
    """The clip has a somersault against the sun, and the woman comes from behind a tree."""
    tracks = track(demo_clip, blazepose)
    assert [one.id for one in tracks] == [1, 2]
    labels = json.loads(LABELS.read_text())["frames"]
    for one, who, least in zip(tracks, ("man", "woman"), (0.95, 0.90), strict=True):
        boxes = {int(k): own[who]["box"] for k, own in labels.items() if own[who]["visible"]}
        hits = [
            box_iou(one.box[at], np.array([box]))[0] > 0.5
            for index, box in boxes.items()
            for at in np.flatnonzero(one.frames == index)
        ]
        assert sum(hits) >= least * len(boxes)
        assert all(hits)  # found elsewhere would be the other person, or a tree
        assert one.masks is not None
        assert one.masks.values.shape == (len(one.masks.rows), 64, 64)
        assert one.masks.values.dtype == np.uint8
        times = one.frames[one.masks.rows] / 30
        assert np.diff(times).max() < 0.3  # masks are taken several times a second, not in each frame
        assert len(times) < len(one.frames)
        assert one.keypoints.world is not None
        assert one.keypoints.xy.dtype == np.float32


def test_landmarks_do_not_depend_on_the_mask(blazepose, picture, found):
    regions = [person.region for person in found]
    full, bare = (blazepose.detect(picture, follow=regions, places=(), masks=masks) for masks in (True, False))
    for one, other in zip(full, bare, strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        np.testing.assert_array_equal(one.world, other.world)
        assert one.mask is not None
        assert one.colours is not None
        assert other.mask is None
        assert other.colours is None


def test_tracking_is_deterministic_whatever_the_threads(demo_frames):
    few = demo_frames[-6:]
    once, again = (track(few, BlazePose(threads=threads)) for threads in (1, 3))
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one.keypoints.xy, other.keypoints.xy)


def empty_pictures(kind, demo_frames):
    rng = np.random.default_rng(0)
    if kind == "noise":
        for _ in range(75):
            yield rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    elif kind == "textured pan":
        layers = [cv2.GaussianBlur(rng.normal(0, 1, (700, 1200, 3)), (0, 0), s) * s * 40 for s in (2, 6, 20)]
        wide = np.clip(sum(layers) + 128, 0, 255).astype(np.uint8)
        for i in range(75):
            yield wide[i : i + 480, 4 * i : 4 * i + 640].copy()
    elif kind == "posts with balls":
        for i in range(75):
            image = np.full((720, 1280, 3), 200, np.uint8)
            for k in range(12):
                x, y = k * 110 + i, 100 + 20 * (k % 3)
                cv2.rectangle(image, (x, y), (x + 40, 640), (30 + 10 * k, 60, 90), -1)
                cv2.circle(image, (x + 20, y - 20), 25, (200, 160, 130), -1)
            yield image
    else:  # trees, houses and the wall, panned over in the demo clip's first picture, below and right of the man
        still = demo_frames[0].image
        for i in range(75):
            part = np.ascontiguousarray(still[470:, 3 * i : 3 * i + 900] if i < 38 else still[:, 848 + i : 1700])
            yield cv2.resize(part, None, fx=1.3, fy=1.3)


@pytest.mark.parametrize("kind", ["noise", "textured pan", "posts with balls", "scenery"])
def test_nobody_in_three_hundred_pictures_without_people(blazepose, demo_frames, kind):
    frames = [Frame(i, i / 30, image) for i, image in enumerate(empty_pictures(kind, demo_frames))]
    assert len(frames) == 75
    assert track(frames, blazepose) == []


def test_mirrored_picture_mirrors_the_people(blazepose, picture, found):
    mirrored = sorted(blazepose.detect(np.ascontiguousarray(picture[:, ::-1])), key=lambda person: -person.box[0])
    for person, image in zip(found, mirrored, strict=True):
        back = image.xy[list(SWAP["blazepose33"])] * (-1, 1) + (picture.shape[1] - 1, 0)
        away = np.linalg.norm(back - person.xy, axis=1)[person.confidence > 0.5]
        assert np.median(away) < 0.03 * heights([person])[0]
        assert person.world is not None
        assert image.world is not None


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_region_finds_the_turned_person(blazepose, picture, found, turns):
    """A person lying or upside down: points turn with the picture, and so do the world points."""
    turned = np.ascontiguousarray(np.rot90(picture, turns))
    height, width = picture.shape[:2]
    for person in found:
        x, y = person.region.centre
        centre = {1: (y, width - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (height - 1 - y, x)}[turns]
        region = type(person.region)(centre, person.region.size, person.region.angle - turns * np.pi / 2)
        (again,) = blazepose.detect(turned, follow=[region], places=())
        u, v = again.xy.T
        back = {1: (width - 1 - v, u), 2: (width - 1 - u, height - 1 - v), 3: (v, height - 1 - u)}[turns]
        away = np.linalg.norm(np.column_stack(back) - person.xy, axis=1)[person.confidence > 0.5]
        assert np.median(away) < 0.02 * heights([person])[0]
        flat = np.array([[0.0, 1.0], [-1.0, 0.0]])
        assert person.world is not None
        assert again.world is not None
        expected = person.world[:, :2] @ np.linalg.matrix_power(flat, turns).T
        assert np.median(np.linalg.norm(again.world[:, :2] - expected, axis=1)) < 0.05


def test_portrait_and_small_pictures_are_searched_too(blazepose, picture, found):
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    small = sorted(blazepose.detect(half), key=lambda person: person.box[0])
    for person, other in zip(found, small, strict=True):
        assert box_iou(person.box, 2 * other.box[None])[0] > 0.7
    (man,) = blazepose.detect(np.ascontiguousarray(picture[:, 400:900]))
    assert box_iou(found[0].box, (man.box + (400, 0, 400, 0))[None])[0] > 0.7


def test_findings_are_consistent_in_themselves(picture, found):
    height, width = picture.shape[:2]
    for person in found:
        inside = (person.xy >= -0.5).all(1) & (person.xy <= (width - 0.5, height - 0.5)).all(1)
        assert person.confidence.min() >= 0
        assert person.confidence.max() <= 1
        assert np.all(person.confidence[~inside] == 0)
        sure = person.xy[person.confidence > 0.5]
        assert np.all((sure >= person.box[:2]) & (sure <= person.box[2:]))
        assert person.mask is not None
        assert person.image_from_mask is not None
        rows, columns = np.nonzero(person.mask > 127)
        place = np.column_stack([columns, rows, np.ones(len(rows))]) @ person.image_from_mask.T
        assert np.mean(np.all((place >= person.box[:2]) & (place <= person.box[2:]), axis=1)) > 0.95
        assert person.colours is not None
        assert person.colours.sum() == pytest.approx(1.0)
        names = JOINT_SETS[person.joint_set]
        head, foot = person.xy[names.index("nose")], person.xy[names.index("left_heel")]
        assert 0.75 < (foot[1] - head[1]) / heights([person])[0] < 1.0


def test_heatmaps_peak_at_the_points(picture, found):
    person = BlazePose(heatmaps=True).detect(picture)[0]
    assert person.heatmaps is not None
    assert person.image_from_mask is not None
    flat = person.heatmaps.reshape(-1, 33)
    peak = np.column_stack([flat.argmax(0) % 64, flat.argmax(0) // 64]).astype(float)
    # A heat-map cell and a mask cell cover the same pixels, but the network's points count from a cell's corner.
    place = np.column_stack([peak - 0.375, np.ones(33)]) @ person.image_from_mask.T
    sure = (flat.max(0) > 0.6) & (person.confidence > 0.5)
    assert sure.sum() > 15
    cell = np.linalg.norm(person.image_from_mask[:, 0])
    assert np.median(np.linalg.norm(place - person.xy, axis=1)[sure]) < 1.5 * cell


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (40, 40, 3)])
def test_tiny_pictures_hold_nobody(blazepose, shape):
    assert blazepose.detect(np.full(shape, 90, np.uint8)) == []
