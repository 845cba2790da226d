"""Crops to learn from: as many as asked for, drawn once."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.data.synth import crops as made
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices
from marrow.errors import InputError


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


@pytest.mark.parametrize("dense", [False, True])
def test_pictures_without_anybody_to_cut_out(dense, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """People of less than 24 pixels: no rows, in the shapes of those that have some."""
    monkeypatch.setenv("MARROW_CACHE", str(tmp_path))
    small, large = (Recipe("adults", 5, Choices(size=(side, side)), ()) for side in (16, 96))
    none, some = (made.crops(recipe, [0], 32, dense=dense) for recipe in (small, large))
    assert len(some.images) == 1
    for name, value in vars(some).items():
        assert getattr(none, name).shape == (0, *value.shape[1:]), name
        assert getattr(none, name).dtype == value.dtype, name
    monkeypatch.setattr(made, "_IN_VAIN", 2)
    with pytest.raises(InputError, match="nobody in the first 2 pictures"):
        made.at_least(small, 1, 32)
