"""Real parts for the tests of perception: the networks, frames of the demo clip."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from marrow.detect import BlazePose
from marrow.types import Frame
from obtaining import obtain


@pytest.fixture(scope="session")
def blazepose() -> BlazePose:
    obtain("mediapipe")
    return BlazePose(threads=2)


def _demo():
    import av

    with av.open(str(obtain("demo_video") / "demo.mp4")) as container:
        container.streams.video[0].thread_type = "AUTO"
        for i, picture in enumerate(container.decode(video=0)):
            yield Frame(i, i / 30, np.asarray(picture.to_ndarray(format="rgb24"), np.uint8))


@pytest.fixture
def demo_clip() -> Iterator[Frame]:
    """All 230 frames of the demo clip, decoded as they are taken."""
    obtain("demo_video")
    return _demo()


@pytest.fixture(scope="session")
def demo_frames() -> list[Frame]:
    """Frames 0, 5, …, 75 of the demo clip."""
    return list(itertools.islice(_demo(), 0, 76, 5))
