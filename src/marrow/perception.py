"""The first half of the main road: what is seen in a source, as one track a person on a common clock."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.detect import track
from marrow.detect.camera_motion import CameraMotion
from marrow.detect.flicker import without_flicker
from marrow.detect.sides import with_sides_settled
from marrow.errors import InputError
from marrow.io.images import ImageSource
from marrow.io.keypoints import is_keypoint_source, read_keypoints
from marrow.io.source import Source
from marrow.io.video import open_source
from marrow.progress import Progress
from marrow.types import Float64, Track

#: Seen in fewer frames than this, a person in a video is left out: there is no movement to tell.
_MIN_FRAMES = 5


@dataclasses.dataclass(frozen=True)
class Seen:
    """What perception leaves for the fit."""

    name: str
    size: tuple[int, int]
    time: np.ndarray
    fps: float
    tracks: list[Track]
    static: bool
    focal_px: float | None
    warnings: list[str]
    dropped: list[str]
    frames: Source | None


class Told(NamedTuple):
    """What the user says of a source that does not say it itself."""

    size: tuple[int, int] | None = None
    fps: float | None = None


def look(
    source: str | Path | int,
    max_people: int | None,
    told: Told,
    progress: Progress,
    meanwhile: AbstractContextManager[None],
) -> Seen:
    """Tracks of a keypoint file, or of pictures through the detector; ``meanwhile`` is open while those are looked at.

    Raises InputError where the source cannot be read, and AssetError where the detector could not be obtained.
    """
    if not isinstance(source, int) and is_keypoint_source(source):
        return _look_at_keypoints(Path(source), max_people, told)
    frames = open_source(source, fps=told.fps)
    if told.size is not None:
        raise InputError(f"{source}: pictures have their own size; leave out --size (it is for keypoint files)")
    if told.fps is not None and not isinstance(frames, ImageSource):
        raise InputError(f"{source}: a video has its own time stamps; leave out --fps (it is for keypoints, pictures)")
    motion = CameraMotion()
    times: list[float] = []

    def watch(frame, boxes):
        times.append(frame.time)
        motion.add(frame, boxes)

    with meanwhile:
        tracks = track(
            frames,
            fps=frames.fps,
            max_people=max_people,
            watch=watch,
            progress=lambda done, total: progress("find people", done, total),
        )
    warnings = list(frames.warnings)
    if motion.moving:
        warnings.append(
            f"the camera moves (by {100 * motion.shift:.0f} % of the picture's width): no floor and no path through "
            "the room are claimed; angles are"
        )
    time = np.array(times)
    tracks, dropped = _usable(tracks, time)
    return Seen(
        name=frames.name,
        size=frames.size,
        time=time,
        fps=frames.fps,
        tracks=tracks,
        static=not motion.moving,
        focal_px=frames.focal_px,
        warnings=warnings + dropped,
        dropped=dropped,
        frames=frames,
    )


def _look_at_keypoints(path: Path, max_people: int | None, told: Told) -> Seen:
    found = read_keypoints(path, size=told.size, fps=told.fps)
    fps = found.fps or 30.0
    warnings = list(found.warnings)
    if found.fps is None:
        warnings.append(f"{path.name} does not tell the frame rate; {fps:g} frames a second are assumed; give --fps")
    # The longest are kept, and told in order of appearance.
    tracks = sorted(found.tracks[:max_people], key=lambda own: (int(own.frames[0]), float(own.box[0, 0])))
    warnings.append("keypoints do not tell whether the camera moved; a camera at rest is assumed")
    last = max((int(own.frames[-1]) for own in tracks), default=0)
    time = np.arange(last + 1) / fps
    tracks, dropped = _usable(tracks, time)
    return Seen(
        name=path.stem,
        size=found.size,
        time=time,
        fps=fps,
        tracks=tracks,
        static=True,
        focal_px=None,
        warnings=warnings + dropped,
        dropped=dropped,
        frames=None,
    )


def _usable(tracks: list[Track], time: Float64) -> tuple[list[Track], list[str]]:
    """Tracks with enough frames for a movement, left and right kept apart in them, and what to tell of all that."""
    least = min(_MIN_FRAMES, len(time))
    kept, told = [], []
    for own in tracks:
        if len(own.frames) < least:
            told.append(f"somebody seen in {len(own.frames)} frames only (from frame {own.frames[0]}) is left out")
            continue
        keypoints, exchanged = with_sides_settled(own.keypoints, time[own.frames])
        keypoints, _ = without_flicker(keypoints, time[own.frames])
        kept.append(dataclasses.replace(own, keypoints=keypoints))
        if exchanged.any():
            told.append(
                f"person_{len(kept)}: left and right were put right in {np.count_nonzero(exchanged)} frames "
                f"({runs(own.frames[exchanged])})"
            )
    return kept, told


def runs(frames: NDArray[np.int64], most: int = 6) -> str:
    """Frame numbers for people to read: ``"3-7, 12"``; only the first few stretches are named."""
    stretches = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    named = [str(own[0]) if len(own) == 1 else f"{own[0]}-{own[-1]}" for own in stretches[:most]]
    return ", ".join(named) + (" …" if len(stretches) > most else "")
