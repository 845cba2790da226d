"""A scene as one HTML file that plays anywhere, without a server or a network."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from marrow.io.files import write_atomically
from marrow.view.drawing import Drawing, quiet_server, stop_quietly
from marrow.view.scene import Scene

#: A file of so many frames of two people has about 20 MB; browsers unpack all of it at once.
MOST_FRAMES = 1500


def write_html(path: str | Path, scene: Scene, *, fps: float | None = None) -> None:
    """Write the animation as one self-contained HTML file (about 1 MiB and upwards; without the video's pictures).

    Args:
        fps: frames per second to keep; by default every frame, and of long videos :data:`MOST_FRAMES` evenly spread.

    Raises:
        OutputError: the file cannot be written.
    """
    # The serializer belongs to viser's server; nobody connects to this one, and it ends before we return.
    server = quiet_server(8080, scene.title)
    try:
        drawing = Drawing(replace(scene, pictures=None), server)
        recorder = server.get_scene_serializer()
        kept = frames_to_keep(scene, fps)
        times = np.asarray(scene.time, float)
        for frame, following in itertools.pairwise(kept):
            drawing.show_frame(int(frame))
            recorder.insert_sleep(float(times[following] - times[frame]))
        drawing.show_frame(int(kept[-1]))
        recorder.insert_sleep(float(np.median(np.diff(times[kept]))) if len(kept) > 1 else 0.0)
        page = recorder.as_html()
    finally:
        stop_quietly(server)
    with write_atomically(Path(path), "w") as file:
        file.write(page)


def frames_to_keep(scene: Scene, fps: float | None) -> np.ndarray:
    """Frame numbers, at most ``fps`` per second (None: at most MOST_FRAMES in all), the first one always."""
    if fps is None:
        return np.arange(0, len(scene.time), -(-len(scene.time) // MOST_FRAMES))
    slots = np.floor((np.asarray(scene.time, float) - scene.time[0]) * fps + 1e-6)
    return np.unique(slots, return_index=True)[1]
