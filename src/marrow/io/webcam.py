"""A camera attached to this machine, through OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.source import Source, check_size
from marrow.types import Frame


@dataclass
class WebcamSource(Source):
    """A camera read through OpenCV; it can be iterated once."""

    device: Any = None
    seconds: float | None = None

    def __iter__(self) -> Iterator[Frame]:
        if self.device is None:
            raise InputError(f"{self.name} was read already; a webcam can be read once, open it again")
        device, self.device = self.device, None
        start, done, last = None, 0, -1.0
        try:
            while True:
                good, bgr = device.read()
                now = time.monotonic()
                if not good:
                    if not done:
                        raise InputError(f"{self.name} gives no pictures; is another program using it?")
                    return
                start = now if start is None else start
                # Two pictures from a buffer can share a clock tick.
                now = max(now - start, last + 1e-6)
                if self.seconds is not None and now > self.seconds:
                    return
                last = now
                yield Frame(done, now, np.ascontiguousarray(bgr[..., ::-1]))
                done += 1
        finally:
            self.count = done
            if last > 0 and done > 1:
                self.fps = (done - 1) / last
            device.release()


def open_webcam(index: int | str, *, seconds: float | None = None) -> WebcamSource:
    """Open a webcam by its index (or anything else that OpenCV's ``VideoCapture`` takes).

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
    fps = rate if 1 <= rate <= 1000 else 30.0
    try:
        check_size(size, f"webcam {index}")
    except InputError:
        device.release()
        raise
    name = f"webcam{index}" if isinstance(index, int) else Path(index).stem
    return WebcamSource(name, size, fps, None, live=True, device=device, seconds=seconds)
