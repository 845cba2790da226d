"""Small pictures of the video for the viewer's camera, read in the background while the scene is already shown."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.errors import MarrowError
from marrow.types import Float64, Frame

WIDTH = 256
#: About 10 MB of JPEG at most, however long the video is; then every second picture is dropped, and so on.
MOST = 1200


class Pictures:
    """A function from frame of the scene to the video's picture of that instant, as small as the viewer needs it."""

    def __init__(self, open_frames: Callable[[], Iterable[Frame]], time: Float64, width: int = WIDTH) -> None:
        """``open_frames`` gives the video's frames in order; ``time`` (T,) are the scene's seconds."""
        self._open = open_frames
        self._time = np.asarray(time, float)
        self._width = width
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._jpegs: list[bytes] = []
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def __call__(self, frame: int) -> NDArray[np.uint8] | None:
        """(h, w, 3) uint8 RGB nearest in time among those read so far, or None before the first one."""
        self.start()
        with self._lock:
            if not self._jpegs:
                return None
            after = bisect.bisect(self._seconds, self._time[frame])
            near = min((i for i in (after - 1, after) if 0 <= i < len(self._jpegs)),
                       key=lambda i: abs(self._seconds[i] - self._time[frame]))  # fmt: skip
            jpeg = self._jpegs[near]
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        return None if image is None else np.ascontiguousarray(image[..., ::-1], np.uint8)

    def start(self) -> None:
        """Begin reading, once."""
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._read, name="marrow-pictures", daemon=True)
        self._thread.start()

    def finish(self, timeout: float | None = None) -> None:
        """Wait until all is read."""
        self.start()
        if self._thread is not None:
            self._thread.join(timeout)

    def stop(self) -> None:
        """Read no further."""
        self._stopped.set()

    def _read(self) -> None:
        step = 1
        try:
            for count, frame in enumerate(self._open()):
                if self._stopped.is_set():
                    return
                if count % step:
                    continue
                jpeg = _small_jpeg(frame.image, self._width)
                with self._lock:
                    self._seconds.append(frame.time)
                    self._jpegs.append(jpeg)
                    if len(self._jpegs) >= MOST:
                        self._seconds, self._jpegs, step = self._seconds[::2], self._jpegs[::2], 2 * step
        except (MarrowError, OSError):
            return  # the pictures are an extra: the people are shown without them


def _small_jpeg(image: NDArray[np.uint8], width: int) -> bytes:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
