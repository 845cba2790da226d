"""The whole road on a movement whose truth is known, and on a part of the demo clip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import marrow
from marrow.assets import asset
from marrow.bench.scenes import place
from marrow.body import load_body
from marrow.conventions import JOINT_SETS
from marrow.data.motion_pack import motion_pack
from marrow.errors import AssetError, NoPersonError
from marrow.geometry.projection import camera_from_fov, project
from marrow.io.video import open_source
from marrow.io.writer import Writer
from marrow.main_road import looking_ahead
from marrow.skeleton import Skeleton

FRAMES = 45
SIZE = (1280, 720)


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> tuple[Path, Skeleton, np.ndarray]:
    """COCO file with whole-foot keypoints of somebody who walks 4 m before a level camera 1.2 m above the floor."""
    body = load_body("default")
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    motion = next(m for m in motion_pack() if m.split != "train" and "walk" in m.name)
    q = motion.full(skeleton.coordinates)[:FRAMES]
    seen = place(body, rest, skeleton, q, "halpe26")
    camera = looking_ahead(camera_from_fov(SIZE, 55.0))
    centre = seen.reshape(-1, 3).mean(0)
    xy = project(camera, seen - [centre[0], 1.2, centre[2] + 4.0])
    rng = np.random.default_rng(0)
    xy = xy + rng.normal(0, 1.5, xy.shape)
    entries = [
        {
            "image_id": t,
            "category_id": 1,
            "track_id": 1,
            "id": t,
            "keypoints": np.c_[xy[t], np.full(len(JOINT_SETS["halpe26"]), 2)].ravel().tolist(),
        }
        for t in range(FRAMES)
    ]
    images = [{"id": t, "width": SIZE[0], "height": SIZE[1], "frame_id": t} for t in range(FRAMES)]
    path = tmp_path_factory.mktemp("walk") / "walk.json"
    path.write_text(json.dumps({"info": {"fps": 30}, "images": images, "annotations": entries}))
    return path, skeleton, q


def test_angles_of_a_known_walk(walk):
    path, skeleton, q = walk
    capture = marrow.capture(path, height=load_body("default").stature(), fov_deg=55.0)
    assert len(capture.people) == 1
    person = capture.people[0]
    assert len(person.motion.time) == FRAMES
    for name, limit in (("knee_angle_r", 8.0), ("knee_angle_l", 8.0), ("hip_flexion_r", 10.0), ("hip_flexion_l", 10.0)):
        error = np.abs(person.angles[name] - np.degrees(q[:, skeleton.index(name)]))
        assert np.median(error) < limit, name
    assert np.nanmedian(person.reprojection_px) < 6
    assert person.confidence["knee_angle_r"].shape == (FRAMES,)
    assert person.observed["knee_angle_r"] == "observed"
    assert person.observed["index_mcp_flex_r"] == "prior"
    assert not any("scale assumed" in text for text in capture.warnings)


@pytest.mark.parametrize("height", [1.5, 1.9])
def test_a_given_height_is_kept(walk, height):
    path, _, _ = walk
    person = marrow.capture(path, height=height).people[0]
    assert person.height_given
    assert person.height_m == pytest.approx(height, abs=0.005)


def test_what_is_assumed_is_told(walk):
    path, _, _ = walk
    capture = marrow.capture(path)
    assert any("scale assumed" in text for text in capture.warnings)
    assert any("field of view is not known" in text for text in capture.warnings)
    person = capture.people[0]
    assert person.height_m == pytest.approx(1.70, abs=0.03)
    assert not person.height_given


def test_the_folder_is_read_back(walk, tmp_path):
    path, _, _ = walk
    capture = marrow.capture(path, height=1.7)
    capture.save(tmp_path / "out")
    about = json.loads((tmp_path / "out" / "capture.json").read_text())
    assert about["people"][0]["scale"] == "given"
    assert {part["licence"] for part in about["licences"]} >= {"Apache-2.0"}
    table = (tmp_path / "out" / "person_1" / "angles.csv").read_text().splitlines()
    assert len(table) == 1 + FRAMES
    capture.people[0].save(tmp_path / "walk.html")
    assert (tmp_path / "walk.html").stat().st_size > 100_000


def test_part_of_the_demo_clip(tmp_path):
    try:
        clip = asset("demo_video") / "demo.mp4"
    except AssetError as error:
        pytest.skip(f"the demo clip could not be obtained: {error}")
    frames = [frame for frame in open_source(clip) if 100 <= frame.index < 140]
    short = tmp_path / "short.mp4"
    with Writer(short, (frames[0].image.shape[1], frames[0].image.shape[0]), fps=30) as video:
        for frame in frames:
            video.write(frame.image)
    capture = marrow.capture(short)
    assert len(capture.people) == 2
    assert capture.camera_static
    heights = [np.median(person.track.box[:, 3] - person.track.box[:, 1]) for person in capture.people]
    for person, height in zip(capture.people, heights, strict=True):
        assert np.nanmedian(person.reprojection_px) < 0.02 * height
    # The man stands on a shed, the woman on the ground before it.
    man = min(range(2), key=lambda n: np.median(capture.people[n].track.box[:, 3]))
    grounds = [float(np.percentile(person.segments[1][..., 1].min(1), 10)) for person in capture.people]
    assert grounds[man] - grounds[1 - man] > 0.8
    capture.save(tmp_path / "out")
    assert (tmp_path / "out" / "overlay.mp4").stat().st_size > 50_000


def test_nobody_is_no_error_of_the_file(tmp_path):
    empty = tmp_path / "nobody.json"
    empty.write_text(json.dumps({"images": [{"id": 0, "width": 640, "height": 480}], "annotations": []}))
    with pytest.raises(NoPersonError, match="nobody"):
        marrow.capture(empty)
