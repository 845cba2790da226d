"""A clip of measured 3-D joint positions: what every reader of motion capture here returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PointClip:
    """Joint positions of one person through time.

    Attributes:
        name: the clip's own name, ``"01_05"`` or ``"tr_walking_3"``.
        subject: who moves; clips of one subject share one body. ``"unknown"`` where the source does not say.
        fps: frames per second.
        points: names of the P points.
        xyz: (T, P, 3) float64 metres in marrow's world (Y up, floor near y = 0).
        rest: (P, 3) metres: the same points in the source's own neutral pose, upright and facing +Z; NaN where unknown.
    """

    name: str
    subject: str
    fps: float
    points: tuple[str, ...]
    xyz: NDArray[np.float64]
    rest: NDArray[np.float64]

    def every(self, fps: float) -> PointClip:
        """The clip at a lower rate by keeping every n-th frame; ``fps`` must divide the clip's rate."""
        from marrow.errors import InputError

        step = round(self.fps / fps)
        if step < 1 or abs(self.fps - step * fps) > 1e-6 * self.fps:
            raise InputError(f"{self.name}: {fps} fps does not divide the clip's {self.fps} fps")
        return PointClip(self.name, self.subject, fps, self.points, self.xyz[::step], self.rest)


def split_of(name: str) -> str:
    """The fixed split of the training data: ``"train"``, ``"A"`` (unseen clips) or ``"B"`` (unseen subjects).

    Train: CMU 01_01 to 01_11, ``tr_*``, 05_01 to 05_16. A: 01_12 to 01_14, ``te_*``, 05_17 to 05_20. B: subjects 02
    and 07. Names with three digits (``005_03``) count like those with two.
    """
    from marrow.errors import InputError

    if name.startswith("tr_"):
        return "train"
    if name.startswith("te_"):
        return "A"
    subject, _, number = name.partition("_")
    if subject.isdigit() and number.isdigit():
        last_of_train = {1: 11, 5: 16}
        if int(subject) in last_of_train:
            return "train" if int(number) <= last_of_train[int(subject)] else "A"
        if int(subject) in (2, 7):
            return "B"
    raise InputError(f"clip {name!r} is not in the fixed split; expected 01_xx, 02_xx, 05_xx, 07_xx, tr_* or te_*")
