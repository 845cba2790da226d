"""Crops to learn from: as many as asked for, drawn once."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.data.synth import crops as made
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices


def test_as_many_as_asked_for_and_drawn_once(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path))
    recipe = Recipe("adults", 5, Choices(size=(96, 96)), ())
    told: list[tuple] = []
    two = made.at_least(recipe, 2, 32, progress=lambda *words: told.append(words))
    assert two.images.shape == (2, 32, 32, 3)
    assert (two.age >= 18).all()
    assert (two.hidden < 0.01).all()
    assert told[-1] == ("drawing people", 2, 2)

    def never(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(made, "draw", never)
    again = made.at_least(recipe, 2, 32)
    np.testing.assert_array_equal(two.images, again.images)
    np.testing.assert_array_equal(two.q, again.q)


def test_joints_lie_in_the_crop_where_the_camera_sees_them(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """The middle of the joints is near the crop's middle, and the pelvis' own place is the origin."""
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path))
    one = made.at_least(Recipe("adults", 6, Choices(size=(96, 96)), ()), 1, 32)
    assert np.abs(one.xy[0].mean(0) - 15.5).max() < 8
    assert np.linalg.norm(one.joints_cam[0, 0]) < 0.15
