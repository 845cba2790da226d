"""A real video through Python: people, angles, a curve and files, in five calls.

    python examples/04_video.py [VIDEO]        writes marrow_out/examples/video/ and knee.png

Without a video two seconds of the demo clip are used (a jumping man and a walking woman; obtained through pip on first
use).
"""

import itertools
import sys
from pathlib import Path

import numpy as np

import marrow
from marrow.assets import asset
from marrow.io.video import Writer, open_source

FIRST, LAST = 90, 150


def two_seconds(out: Path) -> Path:
    """The part of the demo clip in which both people are in view."""
    clip = open_source(asset("demo_video") / "demo.mp4")
    with Writer(out / "two_seconds.mp4", clip.size, fps=clip.fps) as video:
        for frame in itertools.islice(clip, FIRST, LAST):
            video.write(frame.image)
    return out / "two_seconds.mp4"


def main() -> None:
    out = Path("marrow_out/examples/video")
    out.mkdir(parents=True, exist_ok=True)
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else two_seconds(out.parent)
    capture = marrow.capture(video)
    for person in capture.people:
        knee = person.angles["knee_angle_r"]
        sure = np.median(person.confidence["knee_angle_r"])
        print(f"{person.name}: right knee {knee.min():.0f}° to {knee.max():.0f}°, standard deviation {sure:.1f}°")
    capture.save(out, force=True)
    capture.people[0].plot("knee_angle").savefig(out / "knee.png")
    print(f"files in {out}; see them with: marrow view {out}")


if __name__ == "__main__":
    main()
