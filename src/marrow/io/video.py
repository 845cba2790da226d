"""Pictures from anywhere: a video, a picture, a folder or pattern of pictures, a webcam.

Reference: FFmpeg through PyAV. Rotation comes from the stream's display matrix, time from its time stamps, so phone
videos stand upright and variable frame rates keep their timing.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import EOFError as EndOfStreamError
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from marrow.errors import InputError
from marrow.io.images import IMAGE_SUFFIXES, open_images
from marrow.io.source import Source, check_size, focal_from_35mm
from marrow.io.webcam import open_webcam
from marrow.io.writer import CODECS as CODECS
from marrow.io.writer import Writer as Writer
from marrow.types import Frame

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp"),
    *(".ogv", ".gif", ".mjpeg"),
)


def open_source(where: str | Path | int, *, fps: float | None = None, seconds: float | None = None) -> Source:
    """Open a video file, a picture, a folder or glob pattern of pictures, or a webcam.

    Args:
        where: path, pattern such as ``"shots/*.png"``, or the webcam's index (``0`` or ``"0"``).
        fps: frames per second of a picture sequence, which carries no time; not for videos.
        seconds: how long to read a webcam; by default ten.

    Raises:
        InputError: nothing there, unknown suffix, empty, damaged or too small, or a webcam that does not answer.
    """
    if fps is not None and not fps > 0:
        raise InputError(f"fps must be positive, got {fps}")
    path = Path(str(where))
    if isinstance(where, int) or (str(where).isdecimal() and not path.exists()):
        return open_webcam(int(str(where)), seconds=seconds)
    if path.is_dir():
        return _open_many(_pictures(path.iterdir()), path, path.resolve().name, f"folder {path}", fps)
    if path.is_file():
        return _open_file(path, fps)
    if glob.has_magic(str(where)):
        found = [Path(match) for match in glob.glob(str(where), recursive=True) if Path(match).is_file()]
        videos = [match for match in found if match.suffix.lower() in VIDEO_SUFFIXES]
        if len(videos) > 1:
            raise InputError(f"{where} matches {len(videos)} videos; name them one by one: marrow capture A.mp4 B.mp4")
        if videos:
            return _open_file(videos[0], fps)
        return _open_many(_pictures(found), path, path.parent.resolve().name, f"pattern {where}", fps)
    raise InputError(f"{where}: no such file or folder (in {Path.cwd()})")


def _pictures(paths: Any) -> list[Path]:
    return [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]


def _open_many(pictures: list[Path], path: Path, name: str, what: str, fps: float | None) -> Source:
    if not pictures:
        videos = [p.name for p in path.glob("*") if p.suffix.lower() in VIDEO_SUFFIXES] if path.is_dir() else []
        hint = f"; it holds videos, open one: {path / videos[0]}" if videos else ""
        raise InputError(f"{what} holds no pictures ({' '.join(IMAGE_SUFFIXES)}){hint}")
    return open_images(pictures, name, fps)


def _open_file(path: Path, fps: float | None) -> Source:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return open_images([path], path.stem, fps)
    if suffix in VIDEO_SUFFIXES:
        return open_video(path)
    if suffix == ".json":
        raise InputError(f"{path} is a keypoint file, not a video: read it with marrow.io.keypoints.read_keypoints")
    if suffix in (".heic", ".heif"):
        raise InputError(f"{path}: HEIC pictures cannot be read; save it as JPEG or PNG first")
    raise InputError(
        f"{path}: unknown suffix {suffix or '(none)'}; expected a video ({' '.join(VIDEO_SUFFIXES)}) "
        f"or a picture ({' '.join(IMAGE_SUFFIXES)})"
    )


@dataclass
class VideoSource(Source):
    """A video file. Damaged parts are left out and reported in ``warnings``."""

    path: Path = Path()
    announced_seconds: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        done, start, last = 0, None, -1.0
        problems: list[str] = []
        with _open_container(self.path) as container:
            stream = container.streams.video[0]
            reformatter = VideoReformatter()
            for picture in _good_pictures(container, stream, problems):
                if picture.pts is None or picture.time_base is None:
                    now = done / self.fps
                else:
                    now = float(picture.pts * picture.time_base)
                    start = now if start is None else start
                    now -= start
                if now <= last:
                    self.warn(f"{self.path.name}: time stamps do not increase; evenly spaced ones are used there")
                    now = last + 1 / self.fps
                last = now
                yield Frame(done, now, _upright(picture, reformatter, stream.sample_aspect_ratio, self.rotation))
                done += 1
        self._report(done, last + 1 / self.fps, problems)

    def _report(self, done: int, end: float, problems: list[str]) -> None:
        """Say what was lost. A few frames may be hidden on purpose by an edit list: that alone is no damage."""
        lost = (self.count or done) - done
        early = self.announced_seconds is not None and end < 0.97 * self.announced_seconds - 0.2
        if early:
            problems.append(f"it ends after {end:.2f} of {self.announced_seconds:.2f} seconds")
        if problems or lost > max(2, 0.02 * done):
            announced = f" of {self.count}" if self.count else ""
            why = problems[0] if problems else "the file ends early"
            self.warn(f"{self.path.name} is damaged: {done}{announced} frames could be read ({why})")
        self.count = done


def open_video(path: str | Path) -> VideoSource:
    """Open a video file and decode its first picture.

    Raises:
        InputError: missing, empty, damaged, without a picture stream or too small.
    """
    path = Path(path)
    problems: list[str] = []
    with _open_container(path) as container:
        if not container.streams.video:
            raise InputError(f"{path}: no picture stream in this file (sound only?)")
        stream = container.streams.video[0]
        first = next(_good_pictures(container, stream, problems), None)
        if first is None:
            why = problems[0] if problems else "it ends before the first picture"
            raise InputError(f"{path}: no picture could be decoded ({why}); the file is damaged or incomplete")
        # Phones store the picture as the sensor lies and say in a display matrix how to turn it.
        rotation = round(first.rotation / 90) % 4 * 90
        shape = _upright(first, VideoReformatter(), stream.sample_aspect_ratio, rotation).shape
        count = stream.frames or _count_packets(container, stream)
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else 30.0
        metadata = {**container.metadata, **stream.metadata}
        announced = None if stream.frames else _announced_seconds(container, stream)
    size = (shape[1], shape[0])
    check_size(size, str(path))
    source = VideoSource(path.stem, size, fps, count or None, rotation=rotation, path=path, announced_seconds=announced)
    if not rate:
        source.warn(f"{path.name} names no frame rate: 30 frames per second assumed where time stamps are missing")
    source.focal_px = _focal(metadata, size)
    return source


def _open_container(path: Path) -> InputContainer:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    try:
        # "file:" and the whitelist keep odd names and playlists from being taken for addresses on a network.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a video that can be read ({_reason(error)}); the file is damaged, incomplete "
            "or of another kind. If it plays elsewhere, convert it: ffmpeg -i IN -c:v libx264 OUT.mp4"
        ) from error
    for stream in container.streams.video:
        stream.thread_type = "AUTO"
    return container


def _good_pictures(container: Any, stream: Any, problems: list[str]) -> Iterator[av.VideoFrame]:
    """Decode, stepping over damaged packets; what went wrong is appended to ``problems``."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (FFmpegError, OSError) as error:
            problems.append(_reason(error))
            packet = None
        if packet is None:
            return
        try:
            pictures = packet.decode()
        except EndOfStreamError:
            continue
        except (FFmpegError, ValueError) as error:
            problems.append(_reason(error))
            continue
        yield from pictures


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


def _count_packets(container: Any, stream: Any) -> int:
    """Number of pictures of a container that does not announce it (mkv, ts); reads the file without decoding."""
    try:
        container.seek(0)
        return sum(1 for packet in container.demux(stream) if packet.size)
    except (FFmpegError, OSError):
        return 0


def _announced_seconds(container: Any, stream: Any) -> float | None:
    """Length of the pictures by the header of a file that names no count; a sound track may be longer."""
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if clock:
        hours, minutes, seconds = (float(part) for part in clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _upright(picture: av.VideoFrame, reformatter: VideoReformatter, aspect: Any, rotation: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB with square pixels, turned upright."""
    width = picture.width
    if aspect and 0.1 < aspect < 10 and aspect != 1:
        width = max(1, round(picture.width * float(aspect)))
    # A conversion context of one's own per video, serial: faster than the frame's default.
    rgb = reformatter.reformat(picture, format="rgb24", width=width, threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, rotation // 90)) if rotation else rgb


def _focal(metadata: dict[str, str], size: tuple[int, int]) -> float | None:
    """Focal length in pixels by the 35 mm equivalent that some phones write into QuickTime metadata."""
    for key, value in metadata.items():
        if key.lower().endswith(("focal_length.35mm_equivalent", "focallengthin35mmfilm")):
            try:
                focal = float(value)
            except ValueError:
                continue
            if 4 < focal < 2000:
                return focal_from_35mm(focal, size)
    return None
