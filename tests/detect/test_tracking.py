"""The pass over a video: a stand-in detector that knows the truth, and the real one on the demo clip."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from marrow.detect import track
from marrow.detect.blazepose import Region
from marrow.detect.detection import Detection
from marrow.detect.tracking import SWEEP_S
from marrow.io.ahead import read_ahead
from marrow.types import Frame

_IMAGE = np.zeros((100, 200, 3), np.uint8)


class Scripted:
    """Finds people where a script says they are: followed ones at once, others only in the tile they stand in."""

    joint_set = "coco17"
    assets = ()

    def __init__(self, people):
        self.people, self.calls, self.searched = people, [], []

    def search(self, image, part=(0.0, 1.0)):
        self.searched.append(part)
        there = self.people(len(self.searched) - 1)
        return [Region((x, 50.0), 80.0, 0.0) for x, tile in there if part[0] <= tile < part[1]]

    def detect(self, image, *, follow=(), near=(), places=None, masks=True):
        places = self.search(image) if places is None else places
        self.calls.append((len(follow), len(near)))
        found = []
        for x, _ in self.people(len(self.calls) - 1):
            if any(abs(region.centre[0] - x) < 20 for region in [*follow, *near, *places]):
                xy = np.column_stack([np.full(17, x), np.linspace(20, 80, 17)]).astype("f4")
                box = np.array([x - 10, 20, x + 10, 80], "f4")
                found.append(Detection("coco17", xy, np.ones(17, "f4"), box, 0.95, Region((x, 50.0), 80.0, 0.0)))
        return found


def frames(count, fps=30.0):
    return [Frame(i, i / fps, _IMAGE) for i in range(count)]


@pytest.mark.parametrize("fps", [5.0, 24.0, 30.0, 120.0])
@pytest.mark.parametrize("part", [0.0, 0.31, 0.999])
def test_newcomer_is_found_within_a_second(fps, part):
    count, enters = int(4 * fps), int(1.37 * fps)
    detector = Scripted(lambda k: [(50.0, 0.5)] + ([(150.0, part)] if k >= enters else []))
    first, second = track(frames(count, fps), detector)
    assert first.id == 1
    assert list(first.frames) == list(range(count))
    assert (second.frames[0] - enters) / fps <= 1.0
    assert list(second.frames) == list(range(second.frames[0], count))


def test_each_sweep_searches_everything():
    detector = Scripted(lambda k: [])
    track(frames(90), detector)
    parts = np.array(detector.searched[1:])
    assert detector.searched[0] == (0.0, 1.0)
    assert parts[:, 0].min() < 0.1
    assert parts[:, 1].max() == 1.0
    np.testing.assert_allclose((parts[:, 1] - parts[:, 0]).sum(), 89 / 30 / SWEEP_S, rtol=0.1)


def test_short_flicker_is_no_person_but_a_short_video_is():
    flicker = Scripted(lambda k: [(50.0, 0.0)] + ([(150.0, 0.0)] if k in (20, 40) else []))
    assert len(track(frames(60), flicker)) == 1
    assert len(track(frames(1), Scripted(lambda k: [(50.0, 0.0)]))) == 1
    assert track(frames(60), Scripted(lambda k: [])) == []
    assert track([], Scripted(lambda k: [])) == []


def test_gap_is_left_empty_and_max_people_keeps_the_most_present():
    script = Scripted(lambda k: ([] if 30 <= k < 40 else [(50.0, 0.0)]) + ([(150.0, 0.0)] if k > 40 else []))
    (one,) = track(frames(90), script, max_people=1)
    back = int(one.frames[30])  # somebody lost is looked for ten times a second
    assert 40 <= back <= 42
    assert list(one.frames) == [*range(30), *range(back, 90)]
    assert one.keypoints.xy.shape == (len(one.frames), 17, 2)
    assert one.masks is None


def test_progress_and_watch_are_called_for_each_frame():
    done, watched = [], []
    track(
        frames(5),
        Scripted(lambda k: [(50.0, 0.0)]),
        progress=lambda frame, in_all: done.append((frame, in_all)),
        watch=lambda frame, boxes: watched.append((frame.index, boxes.shape)),
    )
    assert done == [(i, None) for i in range(1, 6)]
    assert watched == [(i, (1, 4)) for i in range(5)]


def test_time_stamps_that_stand_still_are_mended():
    still = [Frame(i, 0.0, _IMAGE) for i in range(60)]
    (one,) = track(still, Scripted(lambda k: [(50.0 + k, 0.0)]), fps=30.0)
    assert len(one.frames) == 60


def test_reading_ahead_keeps_order_passes_errors_on_and_stops():
    assert [frame.index for frame in read_ahead(frames(20))] == list(range(20))

    def broken():
        yield from frames(3)
        raise OSError("disk gone")

    seen = read_ahead(broken())
    assert len(list(itertools.islice(seen, 3))) == 3
    with pytest.raises(OSError, match="disk gone"):
        next(seen)
    endless = read_ahead(Frame(i, i / 30, _IMAGE) for i in itertools.count())
    next(endless)
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "marrow-decode"]


def test_reading_ahead_is_bounded():
    taken = []

    def source():
        for frame in frames(50):
            taken.append(frame.index)
            yield frame

    ahead = read_ahead(source(), ahead=4)
    next(ahead)
    assert len(taken) <= 7
    ahead.close()
