"""What the main road makes of the demo clip, against labels made by eye.

    python benchmarks/demo_clip.py [--out benchmarks/results/demo_clip.json]

Reads benchmarks/labels/demo.json (boxes of the man and the woman in every 10th frame) and measures: who was found,
identity switches, reprojection error against person height, overlap of the rendered body with the detector's mask,
height of standing feet above the floor they stand on, and the jumps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import marrow
from marrow.assets import asset
from marrow.render.silhouette import silhouette
from marrow.results import Capture, Person

HERE = Path(__file__).parent
LABELS = HERE / "labels" / "demo.json"
RESULT = HERE / "results" / "demo_clip.json"
#: A detection is the labelled person where their boxes overlap by this much.
_SAME = 0.3
_STANCE = 0.5
_SOLE = ("heel", "mtp", "toe_tip")


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of boxes ``x0 y0 x1 y1``."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = float(np.prod(np.clip(high - low, 0, None)))
    area = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return common / max(area - common, 1e-9)


def box_at(person: Person, frame: int) -> np.ndarray | None:
    """The detector's box of a person in a frame, or None where it did not find them."""
    at = int(np.searchsorted(person.track.frames, frame))
    found = at < len(person.track.frames) and person.track.frames[at] == frame
    return person.track.box[at] if found else None


def found_people(capture: Capture, labels: dict[str, Any]) -> dict[str, Any]:
    """Share of labelled visible frames in which each labelled person has a track, and how often the track changed."""
    out: dict[str, Any] = {"people": len(capture.people)}
    for who in ("man", "woman"):
        tracks = []
        for frame, people in labels["frames"].items():
            if not people[who]["visible"]:
                continue
            label = np.array(people[who]["box"], float)
            scores = {
                person.name: overlap(box, label)
                for person in capture.people
                if (box := box_at(person, int(frame))) is not None
            }
            best = max(scores, key=lambda name: scores[name], default=None)
            tracks.append(best if best is not None and scores[best] >= _SAME else None)
        named = [name for name in tracks if name is not None]
        out[who] = {
            "visible_frames": len(tracks),
            "found": round(len(named) / len(tracks), 4),
            "tracks": sorted(set(named)),
            "identity_switches": int(sum(a != b for a, b in itertools.pairwise(named))),
        }
    return out


def reprojection(person: Person) -> dict[str, float]:
    """Distance of detected from fitted keypoints as a share of the person's standing height in the picture."""
    share = person.error[np.isfinite(person.error)]
    return {"median": round(float(np.median(share)), 5), "p95": round(float(np.percentile(share, 95)), 5)}


def mask_overlap(capture: Capture, person: Person) -> dict[str, float]:
    """IoU of the rendered body with the detector's mask, over the frames in which it gave one."""
    masks = person.track.masks
    if masks is None:
        return {}
    width, height = capture.camera.size
    values = []
    for at, frame in enumerate(person.track.frames[masks.rows]):
        row = int(frame - person.frames[0])
        square = cv2.warpAffine(masks.values[at], masks.image_from_mask[at], (width, height), flags=cv2.INTER_LINEAR)
        detected = square > 127
        body = silhouette(person.vertices(row), person.body.faces, capture.camera)
        either = np.count_nonzero(detected | body)
        if np.count_nonzero(detected):
            values.append(np.count_nonzero(detected & body) / either)
    return {"median": round(float(np.median(values)), 4), "p10": round(float(np.percentile(values, 10)), 4)}


def feet(person: Person) -> np.ndarray:
    """(T, 2) height of the lowest sole point of the right and the left foot, metres above the world's floor."""
    R, p = person.segments
    lowest = []
    for side in "rl":
        names = tuple(f"{name}_{side}" for name in _SOLE)
        lowest.append(person.skeleton.points(R, p, names)[..., 1].min(-1))
    return np.stack(lowest, -1)


def stance(person: Person) -> dict[str, Any]:
    """How far standing feet are from the level on which the person stands (the median over one unbroken stance)."""
    if person.motion.contact is None:
        return {}
    height, bears = feet(person), person.motion.contact > _STANCE
    level, away = levels(height, bears), []
    for foot in range(2):
        away.append(np.abs(height[bears[:, foot], foot] - level[bears[:, foot]]))
    values = np.concatenate(away)
    return {
        "frames": len(values),
        "median_mm": round(1000 * float(np.median(values)), 1),
        "p95_mm": round(1000 * float(np.percentile(values, 95)), 1),
        "levels_m": sorted({round(float(x), 2) for x in level[bears.any(1)]}),
    }


def levels(height: np.ndarray, bears: np.ndarray, gap: float = 0.25) -> np.ndarray:
    """(T,) height of the ground a person stands on: standing feet in groups with more than ``gap`` between them.

    Before the first and between contacts it is the last one that held.
    """
    lowest = np.where(bears, height, np.nan)
    seen = np.sort(lowest[np.isfinite(lowest)])
    groups = np.split(seen, np.flatnonzero(np.diff(seen) > gap) + 1)
    centres = np.array([np.median(group) for group in groups if len(group)])
    out, last = np.full(len(height), np.nan), np.nan
    for t in range(len(height)):
        now = lowest[t][np.isfinite(lowest[t])]
        if len(now):
            last = centres[np.abs(centres - now.min()).argmin()]
        out[t] = last
    return out


def jumps(person: Person, least_s: float = 0.1) -> list[dict[str, float]]:
    """Flights: both feet off the ground for ``least_s``, between two stances or after one; rise of the pelvis."""
    motion = person.motion
    if motion.contact is None or motion.observed is None:
        return []
    bears = motion.contact > _STANCE
    up = ~bears.any(1)
    edges = np.flatnonzero(np.diff(np.r_[False, up, False].astype(int)))
    out = []
    for start, stop in edges.reshape(-1, 2):
        if start == 0 or stop == len(up) or motion.time[stop - 1] - motion.time[start] < least_s:
            continue
        before = np.flatnonzero(bears.any(1)[:start])[-30:]
        standing = float(np.max(motion.translation[before, 1]))
        out.append(
            {
                "start_s": round(float(motion.time[start]), 2),
                "flight_s": round(float(motion.time[stop - 1] - motion.time[start]), 2),
                "rise_m": round(float(motion.translation[start:stop, 1].max() - standing), 3),
                "foot_clearance_m": round(float(feet(person)[start:stop].min(1).max() - feet(person)[before].min()), 3),
            }
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    labels = json.loads(LABELS.read_text())
    begin = time.perf_counter()
    capture = marrow.capture(asset("demo_video") / "demo.mp4")
    seconds = time.perf_counter() - begin
    found = found_people(capture, labels)
    report: dict[str, Any] = {
        "command": "python benchmarks/demo_clip.py",
        "clip": "demo.mp4 of Sports2D 0.8.34 (BSD-3-Clause), 230 frames",
        "capture_s": round(seconds, 1),
        "found": found,
        "camera": {"focal_px": round(float(capture.camera.K[0, 0])), "static": capture.camera_static},
        "warnings": list(capture.warnings),
    }
    for person in capture.people:
        who = next((w for w in ("man", "woman") if person.name in found[w]["tracks"]), person.name)
        report[who] = {
            "height_m": round(person.height_m, 3),
            "reprojection_share_of_height": reprojection(person),
            "mask_iou": mask_overlap(capture, person),
            "stance": stance(person),
            "jumps": jumps(person),
        }
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
