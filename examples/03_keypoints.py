"""Joint angles from keypoints alone: a recorded walk is filmed by a made-up camera, and found again.

    python examples/03_keypoints.py        writes marrow_out/examples/walk.json and marrow_out/examples/walk/

The keypoints are a COCO file as many detectors write it; OpenPose folders work alike.
"""

import json
from pathlib import Path

import numpy as np

import marrow
from marrow.body.keypoints import place_keypoints
from marrow.data.motion_pack import motion_pack
from marrow.geometry.projection import camera_from_fov, look_at, project
from marrow.types import Camera

CLIP, FRAMES, SIZE, FOV_DEG = "02_01", 60, (1920, 1080), 60


def film(body, rest, skeleton, q) -> list[dict]:
    """One COCO annotation a frame, halpe26 keypoints with one pixel of noise."""
    points = place_keypoints(body, rest, q, "halpe26")
    centre = points.mean(axis=(0, 1))
    R, t = look_at(eye=centre + (4.5, 0.6, 1.0), target=centre)
    camera = Camera(camera_from_fov(SIZE, FOV_DEG).K, SIZE, R, t)
    xy = project(camera, points) + np.random.default_rng(0).normal(0, 1, (*points.shape[:2], 2))
    flat = np.concatenate([xy, np.full((*xy.shape[:2], 1), 2.0)], axis=-1).reshape(len(xy), -1)
    return [{"id": n, "image_id": n, "category_id": 1, "keypoints": row.tolist()} for n, row in enumerate(flat)]


def main() -> None:
    out = Path("marrow_out/examples")
    out.mkdir(parents=True, exist_ok=True)
    body = marrow.load_body("default")
    rest = body.rest({"gender": 0.8, "height": 0.45})
    skeleton = marrow.Skeleton.inside(rest.landmarks)
    recorded = motion_pack().motion(CLIP)
    q = recorded.full(skeleton.coordinates)[:FRAMES]

    annotations = film(body, rest, skeleton, q)
    images = [{"id": n, "file_name": f"{n:04d}.jpg", "width": SIZE[0], "height": SIZE[1]} for n in range(len(q))]
    content = {"info": {"fps": recorded.fps}, "images": images, "annotations": annotations}
    (out / "walk.json").write_text(json.dumps(content))

    capture = marrow.capture(out / "walk.json", height=body.stature(rest.shape), fov_deg=FOV_DEG)
    person = capture.people[0]
    for name in ("hip_flexion_r", "knee_angle_r", "hip_flexion_l", "knee_angle_l"):
        truth = np.degrees(q[:, skeleton.index(name)])
        error = np.abs(person.angles[name] - truth)
        print(
            f"{name:14s} from {truth.min():4.0f}° to {truth.max():4.0f}°, found within {np.median(error):.1f}° (median)"
        )
    print("files:", capture.save(out / "walk", force=True))
    for warning in capture.warnings:
        print("note:", warning)


if __name__ == "__main__":
    main()
