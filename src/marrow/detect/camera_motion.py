"""Did the camera move? Background corners followed from a key picture to each later one answer it.

A floor, a direction of gravity and a trajectory can be claimed only for a static camera, so the main road asks this
first. Corners (Shi and Tomasi 1994) outside the people's boxes are followed by pyramidal Lucas-Kanade flow, and a
similarity transform is fitted to them by RANSAC. A static camera is always compared with its first picture, so nothing
drifts; only when too little of the key picture is left does a new one take its place and the transforms chain.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.detect.blazepose import halvings, shrink
from marrow.types import Frame

#: About the width, pixels, of the pictures that are compared.
_WIDTH = 480
_STRIDE_S = 0.2
_MIN_CORNERS = 12

#: A tripod's video stays under this fraction of the image width; compression noise moves corners by less than 0.002.
MOVING = 0.02


class CameraMotion:
    """Running estimate of how far the background has moved; feed it the frames, then ask :attr:`moving`.

    Attributes:
        shift: largest displacement of the picture's corners from the first frame, as a fraction of image width.
        judged: number of pictures that had enough background to judge.
    """

    def __init__(self) -> None:
        self.shift = 0.0
        self.judged = 0
        self._time = -np.inf
        self._key: NDArray[np.uint8] | None = None
        self._corners: NDArray[np.float32] | None = None
        self._key_to_first = np.eye(3)
        self._previous: tuple[NDArray[np.uint8], NDArray[np.float64]] | None = None

    @property
    def moving(self) -> bool:
        """True when the background left its place by more than ``MOVING`` of the image width."""
        return self.shift > MOVING

    def add(self, frame: Frame, boxes: NDArray[np.floating] | None = None) -> None:
        """Take one frame; ``boxes`` (N, 4) pixels of people to leave out. Frames closer than 0.2 s are skipped."""
        if frame.time - self._time < _STRIDE_S:
            return
        self._time = frame.time
        factor = halvings(frame.image.shape[1] / _WIDTH)
        scale = 1 / factor
        small = shrink(frame.image, factor)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        people = np.zeros((0, 4)) if boxes is None else np.asarray(boxes) * scale
        if self._key is None:
            self._set_key(grey, people)
            return
        step = self._follow(grey)
        if step is None and self._previous is not None:
            image, self._key_to_first = self._previous
            self._set_key(image, people)
            step = self._follow(grey)
        if step is None:
            self._set_key(grey, people)
            self._previous = None
            return
        to_first = self._key_to_first @ step
        self._previous = (grey, to_first)
        self.judged += 1
        h, w = grey.shape
        corners = np.array([[0, 0, 1], [w, 0, 1], [0, h, 1], [w, h, 1]], float).T
        moved = (to_first @ corners - corners)[:2]
        self.shift = max(self.shift, float(np.median(np.linalg.norm(moved, axis=0))) / w)

    def _set_key(self, grey: NDArray[np.uint8], people: NDArray[np.floating]) -> None:
        allowed = np.full(grey.shape, 255, np.uint8)
        for x0, y0, x1, y1 in people:
            margin = 0.15 * (y1 - y0)
            rows = slice(max(0, int(y0 - margin)), max(0, int(y1 + margin)))
            allowed[rows, max(0, int(x0 - margin)) : max(0, int(x1 + margin))] = 0
        self._key = grey
        self._corners = cv2.goodFeaturesToTrack(grey, 200, 0.01, 8, mask=allowed)  # type: ignore[assignment]

    def _follow(self, grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """(3, 3) transform from ``grey`` to the key picture, or None where too few corners are left."""
        if self._key is None or self._corners is None or len(self._corners) < _MIN_CORNERS:
            return None
        found, status, _ = cv2.calcOpticalFlowPyrLK(self._key, grey, self._corners, None)  # type: ignore[call-overload]
        kept = status.ravel() == 1
        if kept.sum() < _MIN_CORNERS:
            return None
        step, inliers = cv2.estimateAffinePartial2D(found[kept], self._corners[kept], ransacReprojThreshold=1.0)
        if step is None or inliers.sum() < max(_MIN_CORNERS, 0.3 * len(self._corners)):
            return None
        return np.vstack([step, [0, 0, 1]])
