"""Real parts for the tests of perception: the networks, frames of the demo clip."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.assets import asset
from marrow.detect import BlazePose
from marrow.errors import AssetError
from marrow.types import Frame


def _asset(name):
    try:
        return asset(name)
    except AssetError as error:
        if "could not be obtained" in str(error):
            pytest.skip(f"no connection and no cached wheel for the asset {name}")
        raise


@pytest.fixture(scope="session")
def blazepose() -> BlazePose:
    _asset("mediapipe")
    return BlazePose(threads=2)


@pytest.fixture(scope="session")
def demo_frames() -> list[Frame]:
    """Every third of the first 190 frames of the demo clip."""
    import av

    with av.open(str(_asset("demo_video") / "demo.mp4")) as container:
        container.streams.video[0].thread_type = "AUTO"
        return [
            Frame(i, i / 30, np.ascontiguousarray(picture.to_ndarray(format="rgb24")))
            for i, picture in enumerate(container.decode(video=0))
            if i % 3 == 0 and i < 190
        ]
