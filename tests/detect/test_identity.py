"""Identities through crossings, gaps and doubles, on synthetic people whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.conventions import JOINT_SETS
from marrow.detect.blazepose import Region
from marrow.detect.detection import Detection, oks, person_size, without_duplicates
from marrow.detect.identity import Identities

_COUNT = len(JOINT_SETS["blazepose33"])
#: A standing figure of height 1, origin at the middle of the hips, y down.
_FIGURE = np.zeros((_COUNT, 2))
_FIGURE[:11] = np.column_stack([np.linspace(-0.04, 0.04, 11), np.linspace(-0.47, -0.43, 11)])
for _left, _y, _x in ((11, -0.33, 0.1), (13, -0.15, 0.13), (15, 0.0, 0.14), (23, 0.0, 0.06), (25, 0.25, 0.06)):
    _FIGURE[_left], _FIGURE[_left + 1] = (_x, _y), (-_x, _y)
for _left, _y, _x in ((17, 0.03, 0.15), (19, 0.04, 0.14), (21, 0.02, 0.13), (27, 0.48, 0.06), (29, 0.5, 0.04)):
    _FIGURE[_left], _FIGURE[_left + 1] = (_x, _y), (-_x, _y)
_FIGURE[31], _FIGURE[32] = (0.1, 0.52), (-0.02, 0.52)


def person(centre, height, rng, phase=0.0, colours=None, noise=0.008) -> Detection:
    swing = np.zeros_like(_FIGURE)
    for left, reach in ((13, 0.05), (15, 0.12), (25, 0.1), (27, 0.2), (29, 0.2), (31, 0.2)):
        swing[left, 0], swing[left + 1, 0] = reach * np.sin(phase), -reach * np.sin(phase)
    xy = (np.asarray(centre) + height * (_FIGURE + swing + noise * rng.standard_normal(_FIGURE.shape))).astype("f4")
    box = np.concatenate([xy.min(0) - 0.05 * height, xy.max(0)]).astype("f4")
    if colours is not None:
        colours = np.maximum(colours + 0.01 * rng.standard_normal(len(colours)), 0)
        colours = (colours / colours.sum()).astype("f4")
    confidence = rng.uniform(0.6, 1.0, _COUNT).astype("f4")
    region = Region((float(centre[0]), float(centre[1])), 1.25 * height, 0.0)
    return Detection("blazepose33", xy, confidence, box, 0.99, region, colours=colours)


def crossing(seed: int, coloured: bool, frames: int = 90, fps: float = 30.0):
    """Two people walk past each other, the further one not found while mostly hidden; (time, [(who, found)])."""
    rng = np.random.default_rng(seed)
    height = rng.uniform(250, 420, 2)
    speed = rng.uniform(0.5, 1.1, 2) * height.mean() * np.array([1, -1])
    meet_at = rng.uniform(1.2, 1.8)
    middle = np.array([900.0, 500.0])
    aside = rng.uniform(-0.05, 0.05, 2) * height
    wear = rng.dirichlet(np.full(24, 0.3), 2) if coloured else (None, None)
    phase = rng.uniform(0, 6, 2)
    for k in range(frames):
        time = k / fps
        x = middle[0] + speed * (time - meet_at)
        found = []
        for who in (0, 1):
            hidden = who == int(height[0] > height[1]) and abs(x[0] - x[1]) < 0.25 * height.mean()
            if not hidden:
                centre = (x[who], middle[1] + aside[who])
                found.append((who, person(centre, height[who], rng, 6 * time + phase[who], wear[who])))
        rng.shuffle(found)
        yield time, found


@pytest.mark.parametrize("coloured", [True, False])
def test_twenty_crossings_keep_identities(coloured):
    for seed in range(20):
        identities, seen, ignored = Identities(), {0: set(), 1: set()}, 0
        for time, found in crossing(seed, coloured):
            numbers = identities.update(time, [detection for _, detection in found])
            ignored += numbers.count(0)
            for (who, _), number in zip(found, numbers, strict=True):
                seen[who].add(number)
        assert all(len(numbers - {0}) == 1 for numbers in seen.values()), (seed, seen)
        assert seen[0] != seen[1]
        assert ignored <= 2


def test_turning_back_is_told_by_colours():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        wear = rng.dirichlet(np.full(24, 0.3), 2)
        identities, seen = Identities(), {0: set(), 1: set()}
        for k in range(90):
            time = k / 30
            away = abs(time - 1.5) * 250  # they meet, stand before each other and go back
            found = [(0, person((900 - away, 500), 350, rng, 6 * time, wear[0]))]
            if away > 60:
                found.append((1, person((900 + away, 505), 340, rng, 6 * time, wear[1])))
            rng.shuffle(found)
            numbers = identities.update(time, [detection for _, detection in found])
            for (who, _), number in zip(found, numbers, strict=True):
                seen[who].add(number)
        assert all(len(numbers - {0}) == 1 for numbers in seen.values()), (seed, seen)
        assert seen[0] != seen[1]


@pytest.mark.parametrize(("gap_s", "same"), [(0.5, True), (1.5, True), (4.0, False)])
def test_short_gaps_are_bridged_long_ones_are_not(gap_s, same):
    rng = np.random.default_rng(0)
    identities, numbers = Identities(), []
    for k in range(200):
        time = k / 30
        inside = not 1.0 <= time < 1.0 + gap_s
        found = [person((600 + 20 * time, 500), 300, rng, 6 * time)] if inside else []
        numbers += identities.update(time, found)
    assert len(set(numbers)) == (1 if same else 2)


def test_frame_rate_does_not_matter():
    for fps in (5, 10, 60, 120):
        for seed in range(3):
            identities, seen = Identities(), {0: set(), 1: set()}
            for time, found in crossing(seed, True, int(3 * fps), fps):
                numbers = identities.update(time, [detection for _, detection in found])
                for (who, _), number in zip(found, numbers, strict=True):
                    seen[who].add(number)
            assert all(len(numbers - {0}) == 1 for numbers in seen.values()), (fps, seed, seen)


def test_double_of_a_known_person_gets_no_number():
    rng = np.random.default_rng(1)
    identities = Identities()
    for k in range(30):
        identities.update(k / 30, [person((500, 500), 400, rng)])
    squeezed = person((505, 430), 230, rng)
    assert identities.update(1.0, [person((500, 500), 400, rng), squeezed]) == [1, 0]


def test_duplicates_go_and_neighbours_stay():
    rng = np.random.default_rng(2)
    one, again, next_to = (person((x, 500), 400, rng) for x in (500, 506, 690))
    assert without_duplicates([one, again, next_to]) == [one, next_to]
    assert without_duplicates([again, one], settled=1) == [again]


def test_similarity_is_one_for_the_same_and_falls_with_distance():
    rng = np.random.default_rng(3)
    found = person((500, 500), 400, rng)
    size = person_size(found.box)
    values = [oks(found.xy, found.xy + shift, found.confidence, size, "blazepose33") for shift in (0, 10, 40, 400)]
    assert values[0] == pytest.approx(1.0)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.01
    assert oks(found.xy, found.xy, np.zeros(_COUNT), size, "blazepose33") == 0
