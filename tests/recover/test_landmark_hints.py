"""Hints of people who are not upright."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from marrow.detect.blazepose import Landmarks, Region
from marrow.recover import landmarks


def seen(crops: list[np.ndarray], agreement: dict[int, float]) -> Iterator[Landmarks]:
    """A network that finds every point at the white pixel, and agrees on it by the quarter turn that put it there."""
    for crop in crops:
        y, x = np.argwhere(crop[..., 0] == 255)[0]
        quarters = [(1, 6), (1, 1), (6, 1), (6, 6)].index((y, x))  # from the upper right one against the clock
        xy = np.tile(np.array([x, y], np.float32) * 32 + 15.5, (33, 1))
        world = np.tile(np.array([x - 3.5, y - 3.5, 7.0], np.float32), (33, 1))
        mask = np.kron(crop[..., 0], np.ones((8, 8), np.uint8))
        same = np.ones(33, np.float32)
        yield Landmarks(
            xy, same, same, agreement[quarters] * same, world, 1.0, Region((0, 0), 1, 0), mask, np.zeros((2, 3))
        )  # fmt: skip


@pytest.mark.parametrize("best", [0, 1, 2, 3])
def test_the_turn_that_is_agreed_upon_is_turned_back(best: int, monkeypatch: pytest.MonkeyPatch) -> None:
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[1, 6] = 255
    agreement = {quarters: 0.8 if quarters == best else 0.2 for quarters in range(4)}
    monkeypatch.setattr(landmarks, "_looked", lambda crops: seen(crops, agreement))
    hints, masks = landmarks.landmark_hints_and_masks([crop])
    np.testing.assert_allclose(hints[0, :, 7], 0.8)
    np.testing.assert_allclose(hints[0, 5, :5], [0.625, -0.625, 2.5, -2.5, 7.0], atol=1e-6)
    assert masks[0, 12, 52] == 255
    assert masks[0].astype(int).sum() == 64 * 255


def test_a_little_more_agreement_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    crop = np.zeros((8, 8, 3), np.uint8)
    crop[1, 6] = 255
    monkeypatch.setattr(landmarks, "_looked", lambda crops: seen(crops, {0: 0.3, 1: 0.45, 2: 0.4, 3: 0.1}))
    np.testing.assert_allclose(landmarks.landmark_hints_and_masks([crop])[0][0, :, 7], 0.3)
