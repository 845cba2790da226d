"""Writing video: one class, a handful of codecs with their licences named."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.codec.codec import UnknownCodecError
from av.error import FFmpegError
from numpy.typing import NDArray

from marrow.errors import InputError, OutputError
from marrow.io.files import output_error, temporary_beside

#: Ticks per second of written time stamps. MPEG-4 allows at most 65535; 60000 holds 24, 25, 30 and 30/1.001 exactly.
_TICKS = 60000

#: Colours are coded by ITU-R BT.601 and tagged so (FFmpeg's SMPTE170M): what OpenCV's quick conversion makes.
_BT601 = 6


@dataclass(frozen=True)
class Encoder:
    """An FFmpeg encoder, its licence and the options that make it quick at good quality."""

    name: str
    licence: str
    options: Mapping[str, str] = field(default_factory=dict)
    bits_per_pixel: float = 0.0


#: ``--codec`` to encoders, first one present in the installed PyAV wins.
CODECS: dict[str, tuple[Encoder, ...]] = {
    "h264": (
        Encoder("libx264", "GPL-2.0-or-later", {"preset": "superfast", "crf": "21"}),
        Encoder("libopenh264", "BSD-2-Clause", {}, 0.15),
    ),
    "vp9": (
        Encoder(
            "libvpx-vp9",
            "BSD-3-Clause",
            {"crf": "30", "b": "0", "deadline": "realtime", "cpu-used": "8", "row-mt": "1"},
        ),
    ),
    "mpeg4": (Encoder("mpeg4", "LGPL-2.1-or-later", {"qscale": "4", "flags": "+qscale", "global_quality": "472"}),),
    "openh264": (Encoder("libopenh264", "BSD-2-Clause", {}, 0.15),),
}


class Writer:
    """Write RGB pictures to a video file that appears under its name only when it is complete.

    Use it as a context manager; leaving with an exception removes the unfinished file::

        with Writer("overlay.mp4", (1280, 720), fps=30) as video:
            video.write(image)

    Args:
        path: ``.mp4``, ``.mov``, ``.mkv`` or ``.webm`` (webm: codec vp9 only).
        size: (width, height) of the pictures; an odd side gets one repeated row or column, as 4:2:0 video needs.
        fps: frames per second of pictures written without a time.
        codec: a key of :data:`CODECS`; ``h264`` uses x264 (GPL), the others have no GPL part.

    Attributes:
        encoder: the encoder in use, with its licence, for the provenance.
        count: pictures written so far.

    Raises:
        InputError: unknown codec, codec not in this PyAV, bad size or suffix.
        OutputError: the file cannot be written.
    """

    def __init__(
        self, path: str | Path, size: tuple[int, int], *, fps: float | Fraction = 30.0, codec: str = "h264"
    ) -> None:
        self.path = Path(path)
        self.size = (int(size[0]), int(size[1]))
        if min(self.size) < 1:
            raise InputError(f"Writer: size must be positive, got {size}")
        if not fps > 0:
            raise InputError(f"Writer: fps must be positive, got {fps}")
        if self.path.suffix.lower() not in (".mp4", ".mov", ".mkv", ".webm", ".m4v"):
            raise InputError(f"{self.path}: a video needs the suffix .mp4, .mov, .mkv or .webm")
        if self.path.suffix.lower() == ".webm" and codec != "vp9":
            raise InputError(f"{self.path}: webm holds VP9, not {codec}; use --codec vp9 or the suffix .mp4")
        self.encoder = choose_encoder(codec)
        self.count = 0
        self._fps = Fraction(fps).limit_denominator(1001)
        self._last = -1
        self._cleanup = contextlib.ExitStack()
        self._container: Any = None
        self._stream: Any = None

    @property
    def licence(self) -> str:
        """One line for the provenance: which encoder made the file, under which licence."""
        return f"{self.encoder.name} ({self.encoder.licence}) through FFmpeg in PyAV"

    def __enter__(self) -> Writer:
        part = self._cleanup.enter_context(temporary_beside(self.path))
        try:
            faststart = {"movflags": "+faststart"} if part.suffix in (".mp4", ".mov", ".m4v") else {}
            self._container = av.open(f"file:{part}", "w", options=faststart)
            self._stream = self._add_stream()
            # Otherwise the file is opened with the first picture only, and a bad place is told late.
            self._container.start_encoding()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            self._raise(error)
        return self

    def _add_stream(self) -> Any:
        stream = self._container.add_stream(self.encoder.name, rate=self._fps)
        width, height = (side + side % 2 for side in self.size)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT601
        context.color_range = 1
        if self.encoder.bits_per_pixel:
            context.bit_rate = int(self.encoder.bits_per_pixel * width * height * float(self._fps))
        context.thread_type = "AUTO"
        context.options = dict(self.encoder.options)
        return stream

    def write(self, image: NDArray[np.uint8], time: float | None = None) -> None:
        """Append a picture.

        Args:
            image: (H, W, 3) uint8 RGB of the writer's size.
            time: seconds from the video's start, increasing; None continues at ``fps``.

        Raises:
            InputError: wrong shape or type, or a time that does not increase.
            OutputError: the file cannot be written (disk full …).
        """
        if self._container is None:
            raise InputError("Writer: use it in a with statement: with Writer(...) as video: video.write(image)")
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise InputError(
                f"Writer: expected ({height}, {width}, 3) uint8 RGB, got {tuple(image.shape)} {image.dtype}"
            )
        seconds = self.count / self._fps if time is None else time
        tick = round(seconds * _TICKS)
        if tick <= self._last:
            raise InputError(
                f"Writer: times must increase; got {float(seconds):.6f} s after {self._last / _TICKS:.6f} s"
            )
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        yuv: Any = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS)
        try:
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            self._raise(error)
        self._last = tick
        self.count += 1

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        container, self._container = self._container, None
        failure: BaseException | None = error
        if container is not None:
            try:
                if error is None:
                    if self.count == 0:
                        raise InputError(f"{self.path}: no picture was written, so there is no video")
                    container.mux(self._stream.encode(None))
                container.close()
            except Exception as closing:
                failure = error or closing
        # A failure makes the context below remove the unfinished file instead of giving it its name.
        with contextlib.suppress(BaseException) if failure is not None else contextlib.nullcontext():
            self._cleanup.__exit__(type(failure) if failure else None, failure, getattr(failure, "__traceback__", None))
        if failure is not None and error is None:
            self._raise(failure)

    def _raise(self, error: BaseException) -> None:
        if isinstance(error, (InputError, OutputError)):
            raise error
        if isinstance(error, OSError):
            raise output_error(error, self.path) from error
        if isinstance(error, FFmpegError):
            raise OutputError(f"could not write {self.path}: {error}") from error
        raise error


def choose_encoder(codec: str) -> Encoder:
    """The first encoder of ``codec`` that the installed PyAV has.

    Raises:
        InputError: unknown codec, or none of its encoders is there.
    """
    if codec not in CODECS:
        raise InputError(f"codec {codec!r} is unknown; choose one of {', '.join(CODECS)}")
    for encoder in CODECS[codec]:
        if _present(encoder):
            return encoder
    there = [name for name in CODECS if any(_present(encoder) for encoder in CODECS[name])]
    raise InputError(f"this PyAV has no encoder for {codec!r}; choose --codec {' or '.join(there)}")


def _present(encoder: Encoder) -> bool:
    try:
        av.Codec(encoder.name, "w")
    except UnknownCodecError:
        return False
    return True
