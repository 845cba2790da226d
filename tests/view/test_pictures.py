"""Pictures of the video for the viewer's camera."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from toy_scene import FRAMES, toy_scene

from marrow.errors import InputError
from marrow.types import Frame
from marrow.view import pictures
from marrow.view.app import open_viewer
from marrow.view.pictures import Pictures


def frames(count: int, fps: float = 30.0):
    for index in range(count):
        yield Frame(index, index / fps, np.full((90, 160, 3), (index % 250, 100, 50), np.uint8))


def test_each_instant_gets_the_nearest_picture():
    time = np.array([0.0, 0.101, 0.5, 99.0])
    shown = Pictures(lambda: frames(20), time, width=64)
    shown.finish(30)
    for frame, expected in enumerate([0, 3, 15, 19]):
        picture = shown(frame)
        assert picture.shape == (36, 64, 3)
        np.testing.assert_allclose(picture.reshape(-1, 3).mean(0), [expected, 100, 50], atol=4)


def test_long_videos_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 16)
    shown = Pictures(lambda: frames(200), np.arange(200) / 30, width=8)
    shown.finish(30)
    assert len(shown._jpegs) <= 16
    steps = np.diff(shown._seconds)
    np.testing.assert_allclose(steps, steps[0])
    assert shown._seconds[-1] > 5


def test_video_that_cannot_be_read_leaves_the_viewer_without_pictures():
    def broken():
        raise InputError("no such video")
        yield

    shown = Pictures(broken, np.zeros(1))
    shown.finish(30)
    assert shown(0) is None


def test_stop_ends_the_reading():
    seen = []

    def endless():
        for frame in frames(10**9):
            seen.append(frame.index)
            if len(seen) == 5:
                shown.stop()
            yield frame

    shown = Pictures(endless, np.zeros(1))
    shown.finish(30)
    assert len(seen) == 5
    with pytest.raises(IndexError):
        shown(1)


def test_viewer_shows_the_first_picture_when_it_arrives():
    shown = Pictures(lambda: frames(40), np.arange(FRAMES) / 30, width=32)
    scene = dataclasses.replace(toy_scene(), pictures=shown)
    with open_viewer(scene, port=8397) as viewer:
        shown.finish(30)
        end = time.monotonic() + 30
        while viewer._drawing.waits_for_picture and time.monotonic() < end:
            time.sleep(0.05)
        first = viewer._drawing.frustum.image.copy()
        assert first.shape == (18, 32, 3)
        viewer.seek(FRAMES - 1)
        assert viewer._drawing.frustum.image[..., 0].mean() > first[..., 0].mean() + 20
