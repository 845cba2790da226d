"""People through a video: one pass over the frames, each person one track."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from marrow.detect.blazepose import Region
from marrow.detect.detection import Detection, Detector
from marrow.detect.identity import Identities, Person
from marrow.io.ahead import read_ahead
from marrow.types import Frame, Keypoints, Masks, Track

#: Every part of the picture is searched for newcomers once in this time.
SWEEP_S = 0.75
#: Somebody lost is looked for at the expected place for this long, this often.
_SEEK_S, _SEEK_EVERY_S = 1.0, 0.1
_FOLLOW_S = 0.3
#: Masks and colours are taken this often, and always while two people are nearer than this part of their regions.
_MASK_EVERY_S, _CLOSE = 0.15, 0.6
#: What was seen for less time than this (or in less than half of a shorter video) was no person.
_MIN_SEEN_S, _MIN_MEAN_SCORE = 0.4, 0.7

Watch = Callable[[Frame, np.ndarray], None]


@dataclass
class _Record:
    """What is kept of one person while the video runs; heat-maps and histograms are dropped."""

    frames: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    found: list[Detection] = field(default_factory=list)


def track(
    source: Iterable[Frame],
    detector: Detector | None = None,
    *,
    fps: float | None = None,
    max_people: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    watch: Watch | None = None,
    threads: int = 2,
) -> list[Track]:
    """Follow each person through a video.

    People are followed from picture to picture; the whole picture is searched for newcomers at least every
    ``SWEEP_S`` seconds, a part of it in each frame and beside the next frame's work. Memory grows only with the
    results (about 2 kB per person and frame).

    Args:
        source: frames in order; read once, ahead of the work, on a thread of its own.
        detector: who finds people; BlazePose by default.
        fps: pictures per second, used where the frames' time stamps do not increase.
        max_people: keep only the so many people seen longest and largest.
        progress: called as ``progress(frames_done, frames_in_all_or_None)`` after each frame.
        watch: called with each frame and the (N, 4) boxes of the people in it, to look at pictures in the same pass.
        threads: parts of a picture worked on at once (for the default detector).

    Returns:
        Tracks in the order in which the people appeared, ``id`` 1, 2, …; empty where nobody was found.

    Raises:
        AssetError: the default detector's networks could not be obtained.
    """
    if detector is None:
        from marrow.detect.people import BlazePose

        detector = BlazePose(threads=threads)
    total = getattr(source, "count", None)
    total = total if isinstance(total, int) else None  # a list's count is a method
    identities, records = Identities(), {}
    before: float | None = None
    part = (0.0, 1.0)
    searching: Future | None = None
    lookahead, searcher = read_ahead(source), ThreadPoolExecutor(1, "marrow-search")
    length = 0.0
    try:
        for done, frame in enumerate(lookahead, 1):
            time = frame.time
            if before is not None and time <= before:
                time = before + (1 / fps if fps else 1 / 30)
            part = (0.0, 1.0) if before is None else _due(part[1], time - before)
            places = None if searching is None else searching.result()
            # A whole search is done at once; of a part, the places found are looked at in the next picture.
            searching = None if part == (0.0, 1.0) else searcher.submit(detector.search, frame.image, part)
            places = None if searching is None else places or ()
            found = _one_frame(detector, identities, frame, time, before, places)
            numbers = identities.update(time, found)
            for number, person in zip(numbers, found, strict=True):
                if number == 0:
                    continue
                record = records.setdefault(number, _Record())
                record.frames.append(frame.index)
                record.times.append(time)
                record.found.append(_slim(person))
            if watch is not None:
                watch(
                    frame,
                    np.array([person.box for number, person in zip(numbers, found, strict=True) if number]).reshape(
                        -1, 4
                    ),
                )
            if progress is not None:
                progress(done, total)
            length += 0.0 if before is None else time - before
            before = time
    finally:
        lookahead.close()
        searcher.shutdown()
    return _as_tracks(records.values(), detector.joint_set, length, max_people)


def _one_frame(
    detector: Detector,
    identities: Identities,
    frame: Frame,
    time: float,
    before: float | None,
    places: Sequence[Region] | None,
) -> list[Detection]:
    """Detections of one frame: known people followed, the lost sought, and newcomers where ``places`` says."""
    present = [person for person in identities.people if person.time == before]
    lost = [person for person in identities.people if person.time != before and time - person.time <= _SEEK_S]
    recently = [person for person in lost if time - person.time <= _FOLLOW_S]
    return detector.detect(
        frame.image,
        follow=[person.region(time) for person in [*present, *recently]],
        near=[
            person.region(time)
            for person in lost
            if person.established and before is not None and _falls_due(person.time, before, time, _SEEK_EVERY_S)
        ],
        places=places,
        masks=before is None or _falls_due(0.0, before, time, _MASK_EVERY_S) or _close_by(present) or bool(lost),
    )


def _close_by(people: Sequence[Person]) -> bool:
    """Whether any two may be mistaken for one another."""
    return any(
        np.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1]) < _CLOSE * (a.size + b.size) / 2
        for a, b in combinations([person.last.region for person in people], 2)
    )


def _falls_due(start: float, before: float, time: float, every: float) -> bool:
    """Whether a multiple of ``every`` seconds after ``start`` lies between the picture before and this one."""
    return bool(np.ceil((time - start) / every) > np.ceil((before - start) / every))


def _due(searched: float, gap_s: float) -> tuple[float, float]:
    """Part of a sweep that is due ``gap_s`` seconds after the sweep had come as far as ``searched``."""
    start = 0.0 if searched >= 1 else searched
    stop = start + gap_s / SWEEP_S
    return (0.0, 1.0) if gap_s >= SWEEP_S else (start, min(stop, 1.0))


def _slim(found: Detection) -> Detection:
    return Detection(
        joint_set=found.joint_set,
        xy=found.xy,
        confidence=found.confidence,
        box=found.box,
        score=found.score,
        region=found.region,
        world=found.world,
        mask=found.mask,
        image_from_mask=found.image_from_mask,
    )


def _as_tracks(records: Iterable[_Record], joint_set: str, length: float, max_people: int | None) -> list[Track]:
    """Drop what was no person, keep the most present, number the rest by appearance."""
    kept = [record for record in records if _is_person(record, length)]
    if max_people is not None:
        kept = sorted(kept, key=_presence, reverse=True)[:max_people]
    kept.sort(key=lambda record: (record.frames[0], record.found[0].box[0]))
    return [_as_track(number, record, joint_set) for number, record in enumerate(kept, 1)]


def _is_person(record: _Record, length: float) -> bool:
    steps = np.diff(record.times)
    seen = float(np.minimum(steps, 0.2).sum()) if len(steps) else 0.0
    score = float(np.mean([found.score for found in record.found]))
    return seen >= min(_MIN_SEEN_S, 0.5 * length) and score >= _MIN_MEAN_SCORE


def _presence(record: _Record) -> float:
    boxes = np.array([found.box for found in record.found])
    return float(np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)).sum())


def _as_track(number: int, record: _Record, joint_set: str) -> Track:
    found = record.found
    worlds = [own.world for own in found]
    masked = [(row, own.mask, own.image_from_mask) for row, own in enumerate(found) if own.mask is not None]
    masks = None
    if masked:
        rows, squares, ways = zip(*masked, strict=True)
        masks = Masks(np.array(rows, np.int64), np.stack(squares), np.stack(ways).astype(np.float32))
    return Track(
        id=number,
        frames=np.array(record.frames, np.int64),
        keypoints=Keypoints(
            joint_set=joint_set,
            xy=np.stack([own.xy for own in found]).astype(np.float32),
            confidence=np.stack([own.confidence for own in found]).astype(np.float32),
            world=None if any(w is None for w in worlds) else np.stack(worlds).astype(np.float32),  # type: ignore[arg-type]
        ),
        box=np.stack([own.box for own in found]).astype(np.float32),
        score=np.array([own.score for own in found], np.float32),
        masks=masks,
    )
