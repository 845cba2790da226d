"""The whole road on a movement whose truth is known, and on a part of the demo clip."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import marrow
from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import JOINT_SETS
from marrow.data.motion_pack import motion_pack
from marrow.errors import InputError, NoPersonError
from marrow.geometry.projection import camera_from_fov, project
from marrow.io.npz import read_motion
from marrow.io.video import open_source
from marrow.io.writer import Writer
from marrow.main_road import _fov_warning, looking_ahead
from marrow.skeleton import Skeleton
from obtaining import obtain

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
    seen = place_keypoints(body, rest, q, "halpe26")
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


@pytest.mark.parametrize("lifter", ["time", "frame", None])
def test_angles_of_a_known_walk(walk, lifter):
    path, skeleton, q = walk
    capture = marrow.capture(path, height=load_body("default").stature(), fov_deg=55.0, lifter=lifter)
    assert any("not calibrated with the lifter" in text for text in capture.warnings) == (lifter == "frame")
    assert capture.provenance()["settings"]["lifter"] == lifter
    assert len(capture.people) == 1
    person = capture.people[0]
    assert len(person.motion.time) == FRAMES
    for name, limit in (("knee_angle_r", 8.0), ("knee_angle_l", 8.0), ("hip_flexion_r", 10.0), ("hip_flexion_l", 10.0)):
        error = np.abs(person.angles[name] - np.degrees(q[:, skeleton.index(name)]))
        assert np.median(error) < limit, name
    assert np.nanmedian(person.reprojection_px) < 6
    assert set(person.confidence) == set(person.angles) == set(person.observed)
    assert person.confidence["knee_angle_r"].shape == (FRAMES,)
    assert np.all(person.confidence["arm_flex_r"] > 0)
    assert person.observed["knee_angle_r"] == "observed"
    assert person.observed["index_mcp_flex_r"] == "prior"
    assert not any("scale assumed" in text for text in capture.warnings)


def test_the_world_begins_under_the_person_and_the_camera_sees_them(walk):
    path, _, _ = walk
    capture = marrow.capture(path)
    person = capture.people[0]
    np.testing.assert_allclose(person.motion.translation[0, [0, 2]], 0.0, atol=1e-9)
    assert person.angles["pelvis_tx"][0] == pytest.approx(0.0, abs=1e-9)
    _, p = person.segments
    knee = p[:, person.skeleton.body_index("tibia_r")]
    seen = person.track.keypoints.xy[:, JOINT_SETS["halpe26"].index("right_knee")]
    away = np.linalg.norm(project(capture.camera, knee) - seen, axis=-1)
    assert np.median(away / person.height_px) < 0.03


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


def test_size_and_rate_of_keypoints_can_be_given(walk, tmp_path):
    path, _, _ = walk
    entries = [entry | {"score": 1.0} for entry in json.loads(path.read_text())["annotations"]]
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(entries))
    options = {"height": 1.7, "fov_deg": 55.0}
    told = marrow.capture(path, **options)
    given = marrow.capture(bare, size=SIZE, fps=30, **options)
    np.testing.assert_allclose(given.people[0].motion.q, told.people[0].motion.q, atol=1e-6)
    assert (given.camera.size, given.fps) == (SIZE, 30)
    assert not any("assumed" in text for text in given.warnings if "camera at rest" not in text)
    assert given.provenance()["settings"]["size"] == list(SIZE)
    for wrong in ({"size": (8, 8)}, {"size": (640.5, 480)}, {"fps": 0.0}, {"fps": float("nan")}, {"fov_deg": 0.9}):
        with pytest.raises(InputError, match="expected"):
            marrow.capture(bare, **wrong)


def test_a_video_tells_size_and_rate_itself(tmp_path):
    clip = tmp_path / "grey.mp4"
    with Writer(clip, (64, 48), fps=30) as video:
        for _ in range(3):
            video.write(np.full((48, 64, 3), 128, np.uint8))
    with pytest.raises(InputError, match="leave out --size"):
        marrow.capture(clip, size=(64, 48))
    with pytest.raises(InputError, match="leave out --fps"):
        marrow.capture(clip, fps=30)


def test_the_field_of_view_is_told_as_well_as_it_is_known():
    camera = camera_from_fov(SIZE, 50.0)
    told = _fov_warning(camera, 0.1)
    # A tenth of the focal length at 50°: sin(50°) * 0.1 rad.
    assert "50° ± 4°" in told
    assert "±" not in _fov_warning(camera, 0.25)
    assert "did not determine it" in _fov_warning(camera, 0.25)


def test_the_folder_is_read_back(walk, tmp_path):
    path, _, _ = walk
    capture = marrow.capture(path, height=1.7)
    capture.save(tmp_path / "out")
    about = json.loads((tmp_path / "out" / "capture.json").read_text())
    assert about["people"][0]["scale"] == "given"
    assert {part["licence"] for part in about["licences"]} >= {"Apache-2.0"}
    assert about["settings"].items() >= {"codec": "h264", "overlay": True, "influences": None, "fps": None}.items()
    with open(tmp_path / "out" / "person_1" / "angles.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == FRAMES
    columns, told = set(table[0]), about["people"][0]["angles.csv"]
    plain = {name for name in columns if not name.endswith(("_sd", "_mark"))}
    assert set(told["unit"]) == plain - {"frame", "observed"}
    assert (told["unit"]["knee_angle_r"], told["unit"]["pelvis_tx"], told["unit"]["time"]) == ("deg", "m", "s")
    assert "index_mcp_flex_r" in told["left_out"]
    assert not columns & set(told["left_out"])
    assert {"knee_angle_r_sd", "mtp_angle_r", "arm_flex_r_sd", "arm_rot_l_mark"} <= columns
    assert "index_mcp_flex_r" in read_motion(tmp_path / "out" / "person_1" / "motion.npz").coordinates
    capture.people[0].save(tmp_path / "walk.html")
    assert (tmp_path / "walk.html").stat().st_size > 100_000


def test_part_of_the_demo_clip(tmp_path):
    obtain("mediapipe")
    clip = obtain("demo_video") / "demo.mp4"
    frames = [frame for frame in open_source(clip) if 100 <= frame.index < 140]
    short = tmp_path / "short.mp4"
    with Writer(short, (frames[0].image.shape[1], frames[0].image.shape[0]), fps=30) as video:
        for frame in frames:
            video.write(frame.image)
    capture = marrow.capture(short)
    assert len(capture.people) == 2
    assert capture.camera_static
    for person in capture.people:
        assert np.nanmedian(person.error) < 0.02
        upright = np.percentile(person.track.box[:, 3] - person.track.box[:, 1], 90)
        assert 0.7 * upright < np.median(person.height_px) < 1.3 * upright
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
