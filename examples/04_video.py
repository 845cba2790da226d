"""A real video through Python: people, angles, a curve and files, in five calls.

    python examples/04_video.py [VIDEO]        writes marrow_out/examples/video/ and knee.png

Without a video the demo clip is used (a jumping man and a walking woman; obtained through pip on first use).
"""

import sys
from pathlib import Path

import numpy as np

import marrow
from marrow.assets import asset


def main() -> None:
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else asset("demo_video") / "demo.mp4"
    out = Path("marrow_out/examples/video")
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
