"""Keypoint files of OpenPose and COCO, written here by the published formats, come back as tracks."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marrow.conventions import JOINT_SETS
from marrow.errors import InputError
from marrow.io.keypoints import is_keypoint_source, read_keypoints
from marrow.io.linking import link_frames

RNG = np.random.default_rng(3)
BODY = RNG.uniform(-1, 1, (133, 2)) * (60, 150)


def walk(frames: int, start: float, step: float, joints: int) -> np.ndarray:
    """(T, J, 3) a person of 300 pixels height sliding sideways, confidence 0.9."""
    xy = BODY[:joints] + np.array([start, 300.0]) + np.arange(frames)[:, None, None] * (step, 0.0)
    xy = xy + np.random.default_rng(int(start)).normal(0, 1, xy.shape)
    return np.concatenate([xy, np.full((frames, joints, 1), 0.9)], axis=-1)


def openpose(points) -> dict:
    return {"person_id": [-1], "pose_keypoints_2d": np.asarray(points).ravel().tolist()}


def write_openpose(folder, people_by_frame) -> None:
    for frame, people in enumerate(people_by_frame):
        content = {"version": 1.3, "people": [openpose(points) for points in people]}
        (folder / f"clip_{frame:012d}_keypoints.json").write_text(json.dumps(content))


def test_openpose_folder_with_two_people_who_cross(tmp_path):
    a, b = walk(40, 150, 12, 25), walk(40, 700, -12, 25)
    # The order within a file says nothing about identity; the second person leaves early.
    write_openpose(tmp_path, [([b[t], a[t]] if t % 2 else [a[t], b[t]]) if t < 35 else [a[t]] for t in range(40)])
    assert is_keypoint_source(tmp_path)
    tracks, size, fps, warnings = read_keypoints(tmp_path)
    assert [track.id for track in tracks] == [1, 2]
    assert [len(track.frames) for track in tracks] == [40, 35]
    assert tracks[0].keypoints.joint_set == "body25"
    np.testing.assert_allclose(tracks[0].keypoints.xy, a[..., :2], rtol=1e-5)
    np.testing.assert_allclose(tracks[1].keypoints.xy, b[:35, :, :2], rtol=1e-5)
    np.testing.assert_allclose(tracks[0].keypoints.confidence, 0.9, rtol=1e-5)
    assert (tracks[0].box[:, :2] < np.nanmin(tracks[0].keypoints.xy, axis=1)).all()
    assert fps is None
    assert size[0] >= 700
    assert "size of the picture" in warnings[0]
    assert read_keypoints(tmp_path, size=(999, 777)).size == (999, 777)


def test_missing_points_are_nan_with_no_confidence(tmp_path):
    a = walk(3, 200, 5, 25)
    a[:, 4] = 0
    write_openpose(tmp_path, [[frame] for frame in a])
    keypoints = read_keypoints(tmp_path).tracks[0].keypoints
    assert np.isnan(keypoints.xy[:, 4]).all()
    assert (keypoints.confidence[:, 4] == 0).all()
    assert np.isfinite(keypoints.xy[:, 5:]).all()


def test_frames_without_people_keep_their_number(tmp_path):
    a = walk(10, 200, 5, 25)
    write_openpose(tmp_path, [[] if t in (0, 4, 5) else [a[t]] for t in range(10)])
    (track,) = read_keypoints(tmp_path).tracks
    assert track.frames.tolist() == [1, 2, 3, 6, 7, 8, 9]


def test_openpose_18_keeps_its_points_by_name(tmp_path):
    a = walk(2, 200, 5, 18)
    write_openpose(tmp_path, [[frame] for frame in a])
    keypoints = read_keypoints(tmp_path).tracks[0].keypoints
    names = JOINT_SETS[keypoints.joint_set]
    for old, name in enumerate(JOINT_SETS["coco18"]):
        np.testing.assert_allclose(keypoints.xy[:, names.index(name)], a[:, old, :2], rtol=1e-5)


def result(image_id, points, score=0.8, **more) -> dict:
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": np.asarray(points).ravel().tolist(),
        "score": score,
        **more,
    }


@pytest.mark.parametrize(("joints", "joint_set"), [(17, "coco17"), (26, "halpe26")])
def test_coco_results(tmp_path, joints, joint_set):
    a, b = walk(20, 150, 3, joints), walk(20, 500, 3, joints)
    entries = [result(7 + t, person[t]) for t in range(20) for person in (a, b) if not (t == 3 and person is a)]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(entries))
    assert is_keypoint_source(path)
    read = read_keypoints(path)
    assert [len(track.frames) for track in read.tracks] == [20, 19]
    assert read.tracks[0].keypoints.joint_set == joint_set
    assert read.tracks[1].frames.tolist() == [t for t in range(20) if t != 3]
    np.testing.assert_allclose(read.tracks[0].keypoints.xy, b[..., :2], rtol=1e-5)
    assert read.tracks[0].score == pytest.approx(0.8)


def test_results_named_by_file_and_image_numbers_of_a_data_set(tmp_path):
    a = walk(12, 150, 3, 17)
    path = tmp_path / "alphapose.json"
    path.write_text(json.dumps([result(f"{t}.jpg", a[t]) for t in range(12)]))
    assert read_keypoints(path).tracks[0].frames.tolist() == list(range(12))
    path.write_text(json.dumps([result(397133 + 5000 * t, a[t]) for t in range(12)]))
    read = read_keypoints(path)
    assert read.tracks[0].frames.tolist() == list(range(12))
    assert any("image_id" in warning for warning in read.warnings)


def test_coco_annotations_with_flags_sizes_and_tracks(tmp_path):
    a, b = walk(6, 150, 3, 17), walk(6, 160, 3, 17)
    a[..., 2], b[..., 2] = 2, 2
    a[:, 3, 2], a[:, 4] = 1, 0
    images = [{"id": 100 - t, "file_name": f"{t:03d}.jpg", "width": 800, "height": 600} for t in range(6)]
    entries = [
        {"id": 1, "image_id": 100 - t, "category_id": 1, "keypoints": person[t].ravel().tolist(), "track_id": name}
        for t in range(6)
        for name, person in ((5, a), (9, b))
    ]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"info": {"fps": 25}, "images": images, "annotations": entries}))
    tracks, size, fps, warnings = read_keypoints(path)
    assert (size, fps, warnings) == ((800, 600), 25.0, [])
    np.testing.assert_allclose(tracks[0].keypoints.xy[:, :3], a[:, :3, :2], rtol=1e-5)
    assert tracks[0].keypoints.confidence[0, :5].tolist() == [1, 1, 1, 0.5, 0]
    assert np.isnan(tracks[0].keypoints.xy[:, 4]).all()
    assert tracks[1].frames.tolist() == list(range(6))


def test_what_the_user_says_of_size_and_rate_goes_first(tmp_path):
    a = walk(6, 150, 3, 17)
    path = tmp_path / "walk.json"
    path.write_text(json.dumps([result(t, a[t]) for t in range(6)]))
    tracks, size, fps, warnings = read_keypoints(path, size=(1000, 700), fps=50)
    assert (size, fps, warnings, len(tracks)) == ((1000, 700), 50.0, [], 1)
    images = [{"id": t, "width": 800, "height": 600} for t in range(6)]
    path.write_text(
        json.dumps({"info": {"fps": 25}, "images": images, "annotations": [result(t, a[t]) for t in range(6)]})
    )
    assert read_keypoints(path, size=(800, 600), fps=25).warnings == []
    _, size, fps, warnings = read_keypoints(path, size=(1000, 700), fps=50)
    assert (size, fps) == ((1000, 700), 50.0)
    assert [needle in warning for needle, warning in zip(("800×600", "25"), warnings, strict=True)] == [True, True]


def test_a_size_that_the_points_do_not_fit_is_refused(tmp_path):
    path = tmp_path / "walk.json"
    path.write_text(json.dumps([result(t, points) for t, points in enumerate(walk(6, 150, 3, 17))]))
    with pytest.raises(InputError, match=r"lie outside of a picture of 64×48 .* --size WIDTH HEIGHT"):
        read_keypoints(path, size=(64, 48))


def test_pictures_beside_keypoints_are_told(tmp_path):
    write_openpose(tmp_path, [[points] for points in walk(6, 150, 3, 25)])
    assert is_keypoint_source(tmp_path)
    assert not any("pictures, which" in warning for warning in read_keypoints(tmp_path).warnings)
    (tmp_path / "clip_000000000000_rendered.png").write_bytes(b"")
    assert is_keypoint_source(tmp_path)
    assert any("pictures, which" in warning and "*.png" in warning for warning in read_keypoints(tmp_path).warnings)


def test_whole_body_keeps_body_and_feet(tmp_path):
    a = walk(4, 300, 3, 133)
    path = tmp_path / "wholebody.json"
    path.write_text(json.dumps([result(t, a[t]) for t in range(4)]))
    whole = read_keypoints(path).tracks[0].keypoints
    body, feet = a[:, :17], a[:, 17:23]
    path.write_text(json.dumps([result(t, body[t], foot_kpts=feet[t].ravel().tolist()) for t in range(4)]))
    parts = read_keypoints(path).tracks[0].keypoints
    for keypoints in (whole, parts):
        names = JOINT_SETS[keypoints.joint_set]
        for name in ("left_ankle", "left_big_toe", "right_heel"):
            want = a[:, JOINT_SETS["coco133"].index(name), :2]
            np.testing.assert_allclose(keypoints.xy[:, names.index(name)], want, rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ('{"people": [', "not valid JSON"),
        ('{"people": 3}', "'people' must be a list"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', r"people\[0\]\.pose_keypoints_2d has 2 numbers"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', r"has 1 keypoints; expected 25 \(body25\)"),
        ('{"people": [{"pose_keypoints_2d": ["a", 2, 3]}]}', "flat list of numbers"),
        ('{"people": [{}]}', r"people\[0\]\.pose_keypoints_2d"),
        ('{"version": 1}', "fields version"),
        ("3", "got a value"),
        ('[{"keypoints": [1, 2, 3]}]', "image_id"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3]}]', "expected 17"),
        ('[{"image_id": [1], "keypoints": [1, 2, 3]}]', "image_id"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 2, "keypoints": [' + "1," * 50 + "1]}]}", "not among"),
        ('{"images": [{}], "annotations": []}', "needs an 'id'"),
    ],
)
def test_damaged_files_name_file_and_field(tmp_path, content, words):
    path = tmp_path / "points.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        read_keypoints(path)
    assert "points.json" in str(caught.value)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_keypoints(tmp_path / "no.json")
    with pytest.raises(InputError, match=r"no \*_keypoints"):
        read_keypoints(tmp_path)
    write_openpose(tmp_path, [[], []])
    assert read_keypoints(tmp_path).tracks == []
    assert not is_keypoint_source(tmp_path / "no.mp4")


JSON_FIELDS = (
    *("people", "pose_keypoints_2d", "person_id", "image_id", "keypoints", "annotations"),
    *("images", "id", "score", "width", "height", "frame_id", "foot_kpts"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(JSON_FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(content=json_values)
def test_any_json_is_read_or_refused_as_input(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content))
    with contextlib.suppress(InputError):
        assert isinstance(read_keypoints(path).tracks, list)


def test_linking_survives_a_gap_and_starts_newcomers():
    a = walk(30, 150, 6, 17)
    frames = [t for t in range(30) if not 10 <= t < 18] + [5]
    points = [a[t] for t in frames[:-1]] + [walk(1, 600, 0, 17)[0]]
    labels = link_frames(frames, [p[:, :2] for p in points], [p[:, 2] for p in points])
    assert set(labels[:-1]) == {0}
    assert labels[-1] == 1
