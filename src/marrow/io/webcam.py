"""A camera attached to this machine, through OpenCV: read live once, and from its own recording afterwards."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.source import Source, check_size
from marrow.io.writer import Writer
from marrow.types import Frame

#: Length of a webcam recording when the caller names none; without an end there would never be a result.
WEBCAM_SECONDS = 10.0


@dataclass
class WebcamSource(Source):
    """A camera. The first iteration is live and recorded to a temporary file, which later ones read.

    The recording goes with this object. Leaving the live iteration early ends the recording there.
    """

    device: Any = None
    seconds: float = WEBCAM_SECONDS
    _folder: Any = field(default_factory=lambda: tempfile.TemporaryDirectory(prefix="marrow-webcam-"))

    @property
    def _recording(self) -> Path:
        return Path(self._folder.name) / f"{self.name}.mp4"

    def __iter__(self) -> Iterator[Frame]:
        from marrow.io.video import open_video

        if self.device is not None:
            device, self.device = self.device, None
            return self._record(device)
        if not self._recording.exists():
            raise InputError(f"{self.name} is being read, or gave no pictures; open it again")
        return iter(open_video(self._recording))

    def _record(self, device: Any) -> Iterator[Frame]:
        # MPEG-4 is the encoder that takes least from what else runs while the camera does.
        video = Writer(self._recording, self.size, fps=self.fps, codec="mpeg4")
        last = 0.0
        try:
            with video:
                for frame in self._live(device):
                    last = frame.time
                    video.write(frame.image, frame.time)
                    try:
                        yield frame
                    except GeneratorExit:
                        return
        finally:
            device.release()
            self.count, self.live = video.count, False
            if last > 0 and video.count > 1:
                self.fps = (video.count - 1) / last

    def _live(self, device: Any) -> Iterator[Frame]:
        start, done, last = None, 0, -1.0
        while True:
            good, bgr = device.read()
            now = time.monotonic()
            if not good:
                if not done:
                    raise InputError(f"{self.name} gives no pictures; is another program using it?")
                return
            start = now if start is None else start
            # Pictures from a buffer can come at once; a tenth of a millisecond keeps their order.
            now = max(now - start, last + 1e-4)
            if done and now > self.seconds:
                return
            last = now
            yield Frame(done, now, np.ascontiguousarray(bgr[..., ::-1]))
            done += 1


def open_webcam(index: int | str, *, seconds: float | None = None) -> WebcamSource:
    """Open a webcam by its index (or anything else that OpenCV's ``VideoCapture`` takes).

    Args:
        index: 0 is the first camera.
        seconds: length of the recording; by default :data:`WEBCAM_SECONDS`.

    Raises:
        InputError: no such camera, or it cannot be used.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    import cv2

    device = cv2.VideoCapture(index)
    if not device.isOpened():
        device.release()
        raise InputError(
            f"webcam {index} cannot be opened; is it plugged in, free and permitted? Or give a video file instead"
        )
    size = (int(device.get(cv2.CAP_PROP_FRAME_WIDTH)), int(device.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    rate = device.get(cv2.CAP_PROP_FPS)
    try:
        check_size(size, f"webcam {index}")
    except InputError:
        device.release()
        raise
    source = WebcamSource(
        name=f"webcam{index}" if isinstance(index, int) else Path(index).stem,
        size=size,
        fps=rate if 1 <= rate <= 1000 else 30.0,
        count=None,
        live=True,
        device=device,
        seconds=WEBCAM_SECONDS if seconds is None else seconds,
    )
    if seconds is None:
        source.warn(f"{source.name}: {WEBCAM_SECONDS:g} seconds were recorded")
    return source
