"""What the viewer shows, without a browser: posing on demand, absence, files, addresses, errors."""

from __future__ import annotations

import dataclasses
import json
import socket

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toy_figure import toy_person
from toy_scene import FRAMES, skinned_person, toy_scene

from marrow.errors import InputError
from marrow.types import Motion
from marrow.view.app import open_viewer, show
from marrow.view.drawing import _bone_poses, bone_mesh
from marrow.view.html import MOST_FRAMES, frames_to_keep
from marrow.view.scene import UNOBSERVED, Scene, ViewPerson, four_strongest, middle_and_size


def test_skin_is_posed_as_its_segments_move():
    person = skinned_person()
    vertices, _, joints, _ = toy_person(1)
    np.testing.assert_allclose(person.vertices_at(0), vertices + [0, 0, 0], atol=1e-6)
    last = person.vertices_at(FRAMES - 1)
    still = person.skin.weights[:, 0] == 1
    np.testing.assert_allclose(last[still], vertices[still] + [0, 0, 1.5], atol=1e-6)
    forearm = ~still
    before = np.linalg.norm(vertices[forearm] - joints[13], axis=-1)
    after = np.linalg.norm(last[forearm] - person.joints[-1, 13], axis=-1)
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.abs(last[forearm] - vertices[forearm] - [0, 0, 1.5]).max() > 0.2


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float32, (6, 7), elements=st.floats(0.0625, 1, width=32)))
def test_four_strongest_influences_are_kept_and_sum_to_one(weights):
    kept = four_strongest(weights)
    np.testing.assert_allclose(kept.sum(1), 1, rtol=1e-5)
    assert ((kept > 0).sum(1) <= 4).all()
    for before, after in zip(weights, kept, strict=True):
        assert before[after > 0].min() >= before[after == 0].max()


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, (5, 3), elements=st.floats(-2, 2)))
def test_bones_reach_from_joint_to_joint(joints):
    pairs = np.array([[0, 1], [1, 2], [3, 4]])
    lengths = np.linalg.norm(joints[pairs[:, 1]] - joints[pairs[:, 0]], axis=-1)
    wxyz, start = _bone_poses(joints, pairs)
    w, x, y, z = wxyz.astype(float).T
    up = np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], -1)  # image of +Y
    end = start + up * lengths[:, None]
    np.testing.assert_allclose(end, joints[pairs[:, 1]], atol=1e-5 + 1e-6 * lengths.max())


def test_bone_mesh_is_a_unit_bone_with_outward_faces():
    vertices, faces = bone_mesh()
    assert vertices[:, 1].min() == 0
    assert vertices[:, 1].max() == 1
    a, b, c = (vertices[faces[:, k]].astype(float) for k in range(3))
    assert np.einsum("ni,ni->", a, np.cross(b, c)) > 0  # six times the volume


def test_absence_and_grey_where_not_observed():
    scene = toy_scene()
    assert not scene.people[1].present(FRAMES // 3)
    assert scene.people[1].present(0)
    seen = np.ones(FRAMES, bool)
    seen[4] = False
    person = dataclasses.replace(scene.people[0], observed=seen)
    assert person.colour_at(4) == UNOBSERVED
    assert person.colour_at(5) == person.colour


def test_scene_explains_lengths_that_do_not_fit():
    person = skinned_person()
    with pytest.raises(InputError, match="one row for"):
        Scene([person], np.arange(5) / 30)
    with pytest.raises(InputError, match="skins for"):
        Scene([dataclasses.replace(person, vertices=np.zeros((3, 9, 3), np.float32))], np.arange(FRAMES) / 30)
    with pytest.raises(InputError, match="no frames"):
        Scene([], np.zeros(0))


def test_middle_ignores_absent_frames():
    centre, size = middle_and_size(toy_scene())
    assert np.isfinite(centre).all()
    assert 0.5 < size < 3
    assert middle_and_size(Scene([], np.zeros(1)))[1] > 0


@pytest.mark.parametrize(("fps", "kept"), [(None, 30), (30, 30), (10, 10), (1, 1)])
def test_frames_to_keep(fps, kept):
    frames = frames_to_keep(toy_scene(), fps)
    assert len(frames) == kept
    assert frames[0] == 0
    assert (np.diff(frames) > 0).all()


def test_html_of_long_videos_keeps_evenly_spread_frames():
    frames = frames_to_keep(Scene([], np.arange(4000) / 30), None)
    assert len(frames) <= MOST_FRAMES
    assert set(np.diff(frames)) == {3}
    assert len(frames_to_keep(Scene([], np.arange(4000) / 30), 30)) == 4000


def test_viewer_listens_on_this_computer_only():
    with open_viewer(toy_scene(4), port=8390) as viewer:
        port = int(viewer.url.rsplit(":", 1)[1])
        assert viewer.url.startswith("http://127.0.0.1:")
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for address in own - {"127.0.0.1"}:
            with pytest.raises(OSError):  # noqa: PT011 - refused, unreachable or timed out, by system
                socket.create_connection((address, port), timeout=2)


def test_seek_moves_the_scene_and_stays_in_range():
    with open_viewer(toy_scene(), port=8391) as viewer:
        viewer.seek(12)
        assert viewer.frame == 12
        viewer.seek(10_000)
        assert viewer.frame == FRAMES - 1
        for frame in range(FRAMES):  # the second person is absent for some
            viewer.seek(frame)


def test_two_viewers_do_not_collide():
    with open_viewer(toy_scene(2), port=8392) as one, open_viewer(toy_scene(2), port=8392) as other:
        assert one.url != other.url


def test_scene_without_people_or_bones_is_shown():
    bare = dataclasses.replace(skinned_person(), bones=[], skin=None)
    never = dataclasses.replace(skinned_person(), joints=np.full((FRAMES, 15, 3), np.nan))
    for people in ([], [bare], [never]):
        with open_viewer(Scene(people, np.arange(FRAMES) / 30, floor=None), port=8393) as viewer:
            viewer.seek(3)


def test_show_says_where_to_look(capsys):
    show(toy_scene(3), port=8394, block=False).stop()
    printed = capsys.readouterr().out
    assert printed.startswith("Open http://127.0.0.1:")
    assert "Ctrl-C" in printed
    assert "viser" not in printed


def test_impossible_ports_and_folders_are_explained(tmp_path):
    with pytest.raises(InputError, match="port"):
        open_viewer(toy_scene(2), port=0)
    with pytest.raises(InputError, match="marrow capture"):
        show(tmp_path / "none", block=False)
    with pytest.raises(InputError, match=r"motion\.npz"):
        show(tmp_path, block=False)


@pytest.fixture(scope="module")
def walking() -> Motion:
    """A few frames of the default body's skeleton, raising a knee while moving ahead."""
    from marrow.body import load_body
    from marrow.skeleton import Skeleton

    skeleton = Skeleton.inside(load_body("default").rest(None).landmarks)
    q = np.zeros((6, len(skeleton.coordinates)))
    q[:, skeleton.index("hip_flexion_r")] = np.linspace(0, 1, 6)
    way = np.stack([np.zeros(6), np.full(6, skeleton.offsets[0, 1]), np.linspace(0, 0.5, 6)], -1)
    observed = np.array([1, 1, 1, 0, 1, 1], bool)
    return Motion(np.arange(6) / 30, skeleton.coordinates, q, way, {}, observed=observed)


def test_motion_becomes_a_person_whose_skin_is_the_bodys(walking):
    from marrow.body import load_body
    from marrow.view.loading import scene_of_motions

    late = dataclasses.replace(walking, time=walking.time + 2 / 30, q=walking.q[:, :], observed=None)
    scene = scene_of_motions([walking, late])
    assert len(scene.time) == 8
    first, second = scene.people
    assert [second.present(t) for t in range(8)] == [False] * 2 + [True] * 6
    assert first.colour_at(3) == UNOBSERVED
    body = load_body("default")
    rest = body.rest(walking.shape)
    exact = body.pose(rest, walking.q, walking.translation).vertices
    error = np.linalg.norm(first.vertices_at(5) - exact[5], axis=-1)
    assert np.median(error) < 1e-5
    assert error.max() < 0.01  # four influences against all
    inside = first.joints[5]
    low, high = exact[5].min(0) - 0.03, exact[5].max(0) + 0.03
    assert ((inside > low) & (inside < high)).all()


def test_a_captured_folder_is_read_back(walking, tmp_path):
    from marrow.io.npz import write_motion
    from marrow.view.loading import scene_of

    for number in (1, 2, 10):
        folder = tmp_path / f"person_{number}"
        folder.mkdir()
        write_motion(folder / "motion.npz", walking)
    camera = toy_scene().camera
    about = {"floor": None, "camera": {name: np.asarray(getattr(camera, name)).tolist()
             for name in ("K", "size", "R_cam_world", "t_cam_world", "distortion")}}  # fmt: skip
    (tmp_path / "capture.json").write_text(json.dumps(about))
    scene = scene_of(tmp_path)
    assert [person.name for person in scene.people] == ["person 1", "person 2", "person 10"]
    assert scene.floor is None
    assert scene.camera is not None
    np.testing.assert_allclose(scene.camera.t_cam_world, camera.t_cam_world)
    (tmp_path / "capture.json").write_text("{ broken")
    with pytest.raises(InputError, match=r"capture\.json"):
        scene_of(tmp_path)


def test_motion_of_another_skeleton_is_refused(walking):
    from marrow.view.loading import scene_of_motions

    other = dataclasses.replace(walking, coordinates=("a", *walking.coordinates[1:]))
    with pytest.raises(InputError, match="another version"):
        scene_of_motions([other])
    with pytest.raises(InputError, match="nobody"):
        scene_of_motions([])


def test_person_needs_no_skin():
    person = skinned_person()
    bare = ViewPerson("p", person.faces, person.joints, person.bones, person.colour)
    assert bare.vertices_at(0) is None
