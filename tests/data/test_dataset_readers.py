"""Every reader gives back what its writer was given: axes, units, cameras, masks; and refuses what is damaged."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dataset_files as files
from dataset_files import T, scene
from marrow.conventions import JOINT_SETS
from marrow.data.readers import SETS, Recording, read_dataset, recognise
from marrow.data.readers.agora import read_predictions
from marrow.errors import InputError, UnknownNameError
from marrow.geometry.projection import project

VIEWLESS = ("amass", "moyo")
BODIES = ("3dpw", "emdb", "amass", "moyo")
POINTS = {
    **{"3dpw": "smpl24", "h36m": "h36m17", "3dhp": "mpi3dhp28", "panoptic": "panoptic19", "shelf": "lsp14"},
    "agora": "smpl24",
}
SEEN = {"3dpw": "coco18", "emdb": "smpl24", "h36m": "h36m17", "3dhp": "mpi3dhp28", "coco": "coco17", "agora": "smpl24"}


def one(name: str, folder: Path, **options: Any) -> Recording:
    files.WRITERS[name](folder)
    if name == "h36m":
        options |= {"cameras": files.h36m_cameras()}
    data = read_dataset(folder, **options)
    assert data.name == name
    return data[0]


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_recognised_and_its_arrays_fit_together(name: str, tmp_path: Path) -> None:
    found = one(name, tmp_path)
    assert recognise(tmp_path) == name
    frames, views = len(found.frames), len(found.views)
    assert found.remarks == ()
    assert found.dataset == name
    assert len(found.licence) > 10
    assert found.commercial in (False, None)
    assert not np.allclose(found.R_world_source, 0)
    assert np.linalg.det(found.R_world_source) == pytest.approx(1)
    assert views == 0 if name in VIEWLESS else views > 0
    assert found.people
    for person in found.people:
        assert person.valid.shape == (frames,)
        assert person.valid.dtype == bool
        assert len(person.keypoints) in (0, views)
        if person.points is not None:
            assert person.points.xyz.shape == (frames, len(person.points.names), 3)
            if person.points.joint_set:
                assert person.points.names == JOINT_SETS[person.points.joint_set]
                assert set(found.root) <= set(person.points.names)
        for keypoints in person.keypoints:
            assert keypoints is not None
            assert keypoints.xy.shape == (frames, len(JOINT_SETS[keypoints.joint_set]), 2)
            assert keypoints.confidence.shape == keypoints.xy.shape[:-1]
            absent = keypoints.confidence == 0
            assert np.isnan(keypoints.xy[absent]).all() or name == "emdb"
        if person.body is not None:
            assert len(person.body.poses) == len(person.body.trans) == frames
    for view in found.views:
        assert view.valid is None or view.valid.shape == (frames,)
        assert len(view.images) in (0, frames)


@pytest.mark.parametrize("name", POINTS)
def test_points_come_back_in_marrows_world(name: str, tmp_path: Path) -> None:
    found = one(name, tmp_path)
    person = found.people[0]
    assert person.points is not None
    assert person.points.joint_set == POINTS[name]
    wanted = scene().points(POINTS[name])
    if name == "agora":  # the world is the camera, turned
        camera = scene().cameras[0]
        wanted = (wanted[:1] @ camera.R_cam_world.T + camera.t_cam_world) * [1, -1, -1]
    there = np.isfinite(person.points.xyz)
    np.testing.assert_allclose(person.points.xyz[there], wanted[there], atol=1e-6)
    assert there.mean() > 0.7
    # a person is upright, and has the left side on the left of where it looks
    up = person.points.xyz[0, person.points.names.index("left_hip")][1]
    assert up - person.points.xyz[0, person.points.names.index("left_ankle")][1] > 0.5


@pytest.mark.parametrize("name", [name for name in POINTS if name != "agora"])
def test_projections_of_points_are_where_the_cameras_saw_them(name: str, tmp_path: Path) -> None:
    found = one(name, tmp_path)
    person = found.people[0]
    assert person.points is not None
    for place, view in enumerate(found.views):
        seen = view.project(person.points.xyz)
        if name == "3dpw":
            wanted = scene().followed("smpl24")
        elif name == "3dhp":
            wanted = person.keypoints[place].xy
        else:
            wanted = scene().seen(POINTS[name], place % 2)
        there = np.isfinite(seen)
        np.testing.assert_allclose(seen[there], wanted[there], atol=2e-3)
        assert there.mean() > 0.7


@pytest.mark.parametrize("name", SEEN)
def test_2d_points_are_those_that_were_seen(name: str, tmp_path: Path) -> None:
    found = one(name, tmp_path)
    keypoints = found.people[0].keypoints[0]
    assert keypoints is not None
    assert keypoints.joint_set == SEEN[name]
    wanted = scene().followed(SEEN[name]) if name in ("3dpw", "emdb") else scene().seen(SEEN[name])
    if name == "3dhp":
        wanted = project(scene().cameras[0], scene().points("mpi3dhp28"))
    there = np.isfinite(keypoints.xy)
    np.testing.assert_allclose(keypoints.xy[there], wanted[: len(keypoints.xy)][there], rtol=1e-5)
    assert there.mean() > 0.9
    if name in ("3dpw", "emdb"):  # the moving camera is where it was
        np.testing.assert_allclose(found.views[0].project(scene().points(SEEN[name])), wanted, atol=1e-6)
        np.testing.assert_allclose(project(found.views[0].at(3), scene().points(SEEN[name])[3]), wanted[3], atol=1e-6)


@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_as_stored_and_turn_into_marrows_world(name: str, tmp_path: Path) -> None:
    found = one(name, tmp_path)
    body = found.people[0].body
    assert body is not None
    assert body.family == {"3dpw": "smpl", "emdb": "smpl", "amass": "smplh", "moyo": "smplx"}[name]
    assert body.gender == found.people[0].gender != ""
    root, pelvis = files.turned_root(body, found.R_world_source)
    np.testing.assert_allclose(root, scene().root, atol=1e-9)
    np.testing.assert_allclose(pelvis, scene().p[:, 0], atol=1e-9)
    assert found.fps == {"3dpw": 30, "emdb": 30, "amass": 120, "moyo": 60}[name]
    assert body.time[-1] == pytest.approx((T - 1) / found.fps)


def test_masks(tmp_path: Path) -> None:
    pw = one("3dpw", tmp_path / "a")
    assert pw.people[0].valid.tolist() == [True] * 4 + [False]
    assert pw.views[0].valid is not None
    assert pw.views[0].valid.all()  # the other person's camera is vouched for
    assert pw.views[0].images[3] == tmp_path / "a" / "imageFiles" / "walk_00" / "image_00003.jpg"
    assert np.isnan(pw.people[0].keypoints[0].xy[0, 3]).all()
    emdb = one("emdb", tmp_path / "b").people[0]
    assert emdb.valid.tolist() == [True, True, False, True, True]
    assert emdb.boxes[0] is not None
    assert np.isnan(emdb.boxes[0]).all(1).tolist() == [False, False, True, False, False]
    assert emdb.extras == {"emdb1": True, "emdb2": False}
    pan = one("panoptic", tmp_path / "c")
    assert pan.frames.tolist() == [100, 101, 102, 103, 104]
    assert [view.name for view in pan.views] == ["00_00", "00_01"]
    assert pan.people[0].name == "3"
    assert pan.people[0].valid.tolist() == [True, True, False, True, True]
    assert np.isnan(pan.people[0].points.xyz[1, 4]).all()
    assert pan.people[0].points.confidence[1, 4] == 0
    shelf = one("shelf", tmp_path / "d")
    assert shelf.people[1].valid.tolist() == [False, True, True, True, True]
    agora = one("agora", tmp_path / "e")
    assert [bool(person.valid[0]) for person in agora.people] == [True, False]
    assert agora.people[1].extras["kid"] is True
    assert agora.views[0].size == (3840, 2160)


def test_coco_keeps_what_its_metric_needs(tmp_path: Path) -> None:
    person = one("coco", tmp_path).people[0]
    assert person.extras["area"] == 1200.5
    assert person.extras["visibility"][[2, 3, 4]].tolist() == [2, 1, 0]
    assert person.keypoints[0].confidence[0, [2, 3, 4]].tolist() == [1, 1, 0]
    assert person.boxes[0].tolist() == [[10, 20, 40, 60]]


def test_whole_bodies_of_coco(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    given = {part: np.c_[rng.uniform(1, 1000, (count, 2)), np.full(count, 0.5)] for part, count in parts.items()}

    def whole(held: Any) -> Any:
        held["annotations"][0] |= {part: values.ravel().tolist() for part, values in given.items()}
        return held

    data = read_dataset(files.coco(tmp_path, whole))
    keypoints = data[0].people[0].keypoints[0]
    assert data.commercial is False
    assert keypoints.joint_set == "coco133"
    place = JOINT_SETS["coco133"].index
    np.testing.assert_allclose(keypoints.xy[0, place("right_heel")], given["foot_kpts"][5, :2], rtol=1e-6)
    np.testing.assert_allclose(keypoints.xy[0, place("face_67")], given["face_kpts"][67, :2], rtol=1e-6)
    np.testing.assert_allclose(keypoints.xy[0, place("right_little_tip")], given["righthand_kpts"][20, :2], rtol=1e-6)
    assert keypoints.confidence[0, 30] == 0.5


def test_opencap_keeps_coordinates_and_says_that_its_cameras_stand_elsewhere(tmp_path: Path) -> None:
    found = one("opencap", tmp_path)
    person, view = found.people[0], found.views[0]
    assert found.name == "squat1"
    assert found.fps == 60
    np.testing.assert_allclose(person.points.xyz[:, 2], scene().p[:, scene().bodies.index("tibia_r")], atol=1e-6)
    assert person.kinematics.in_degrees
    assert person.kinematics.column("knee_angle_r").tolist() == [1, 3, 5, 7, 9]
    assert not view.placed
    assert view.size == (1920, 1080)
    np.testing.assert_allclose(view.project(scene().points("coco17")), scene().seen("coco17", 1), atol=1e-6)


def test_test_part_of_3dhp(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    data = read_dataset(files.mpi3dhp_test(tmp_path))
    found = data["TS1"]
    person, camera = found.people[0], scene().cameras[0]
    assert found.remarks == ()
    assert person.valid.tolist() == [True, True, False, True, True]
    in_camera = person.points.xyz * [1, -1, -1]
    back = (in_camera - camera.t_cam_world) @ camera.R_cam_world
    np.testing.assert_allclose(back, scene().points("mpi3dhp17"), atol=1e-9)
    uv = in_camera[..., :2] / in_camera[..., 2:]
    np.testing.assert_allclose(uv @ camera.K[:2, :2].T + camera.K[:2, 2], person.keypoints[0].xy, atol=1e-3)
    bad = tmp_path / "bad" / "TS1" / "annot_data.mat"
    bad.parent.mkdir(parents=True)
    bad.write_bytes((tmp_path / "TS1" / "annot_data.mat").read_bytes()[:900])
    with pytest.raises(InputError, match=r"annot_data\.mat: this HDF5 file is damaged"):
        read_dataset(bad.parent)[0]
    files.mpi3dhp_test(tmp_path / "less", without("annot3"))
    with pytest.raises(InputError, match=r"'annot3' is missing; there is .*annot2"):
        read_dataset(tmp_path / "less")[0]


def test_hdf5_without_its_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "TS1" / "annot_data.mat"
    file.parent.mkdir()
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    imported = builtins.__import__

    def without_h5py(name: str, *args: Any, **more: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return imported(name, *args, **more)

    monkeypatch.delitem(sys.modules, "h5py", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_h5py)
    with pytest.raises(InputError, match=r"needs the package h5py: pip install 'marrow\[hdf5\]'"):
        read_dataset(tmp_path)[0]


def test_predictions_of_agora(tmp_path: Path) -> None:
    vertices = np.zeros((6890, 3))
    held = {"joints": np.ones((24, 2)), "verts": vertices, "allSmplJoints3d": np.zeros((24, 3))}
    files.dump(tmp_path / "a_0_personId_1.pkl", held, 4)
    params = {"transl": np.zeros(3), "betas": np.zeros((1, 10)), "body_pose": np.zeros((1, 21, 3))}
    files.dump(tmp_path / "b_0_personId_0.pkl", {"joints": np.ones((24, 2)), "params": params, "pose2rot": True}, 4)
    first, second = read_predictions(tmp_path)
    assert (first.image, first.person, first.vertices.shape) == ("a_0", 1, (6890, 3))
    assert (second.vertices, second.params["betas"].shape) == (None, (1, 10))
    files.dump(tmp_path / "c_0_personId_0.pkl", held | {"verts": vertices[:5]}, 4)
    with pytest.raises(InputError, match=r"c_0_personId_0\.pkl: 'verts': expected 6890 .* got 5"):
        read_predictions(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="none is there"):
        read_predictions(empty)


def test_human36m_without_cameras_and_with_other_detections(tmp_path: Path) -> None:
    files.h36m(tmp_path)
    found = read_dataset(tmp_path)["S1/Walking 1"]
    assert [view.camera for view in found.views] == [None] * 4
    with pytest.raises(InputError, match="nothing is known of the camera"):
        found.views[0].project(np.zeros((T, 1, 3)))
    with pytest.raises(InputError, match="there are no detections 'cpn'; there is gt"):
        read_dataset(tmp_path, detections="cpn")


# What is not as believed is told


def test_other_axes_units_and_cameras_than_believed_are_told(tmp_path: Path) -> None:
    files.amass(tmp_path / "a")
    assert "people are not upright" in read_dataset(tmp_path / "a", up="y")[0].remarks[0]

    def millimetres(held: Any) -> Any:
        held["actors"] = [[1000 * points for points in actor] for actor in held["actors"]]
        return held

    remarks = " ".join(read_dataset(files.shelf(tmp_path / "b", millimetres))[0].remarks)
    assert "another unit" in remarks

    def elsewhere(held: Any) -> Any:
        held["cam_poses"][:, 0, 3] += 1.0
        return held

    remarks = " ".join(read_dataset(files.threedpw(tmp_path / "c", elsewhere))[0].remarks)
    assert "times the person's size beside the 2-D points" in remarks


# What is damaged is refused


def without(*keys: str) -> Callable[[Any], Any]:
    """The content without a key, which may be one in another."""

    def change(held: Any) -> Any:
        inner = held
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return held

    return change


def put(value: Any, *keys: Any) -> Callable[[Any], Any]:
    """The content with another value under a key; a function is given the old one."""

    def change(held: Any) -> Any:
        inner = held
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value(inner[keys[-1]]) if callable(value) else value
        return held

    return change


def nan(array: Any) -> Any:
    spoiled = np.array(array, float)
    spoiled[(0,) * spoiled.ndim] = np.nan
    return spoiled


def mirrored(matrices: Any) -> Any:
    spoiled = np.array(matrices, float)
    spoiled[..., 0, :3] *= -1
    return spoiled


def ragged(value: Any) -> Any:
    return value[:-1]


DAMAGED: list[tuple[str, Callable[[Any], Any], str]] = [
    ("3dpw", without("trans"), r"walk_00\.pkl: 'trans' is missing; there is sequence, poses"),
    ("3dpw", put(mirrored, "cam_poses"), r"'cam_poses': expected rotations, got a reflection"),
    ("3dpw", put(nan, "cam_poses"), r"'cam_poses': holds NaN or infinity, first at \(0, 0, 0\)"),
    ("3dpw", put(lambda v: [v[0][:, :71], v[1]], "poses"), r"'poses' of person 0: expected \(5, 72\), got \(5, 71\)"),
    ("3dpw", put(lambda v: v[:1], "betas"), r"'betas' has 1 people"),
    ("3dpw", put("far", "cam_intrinsics"), r"'cam_intrinsics': expected numbers \(3, 3\), got str"),
    ("3dpw", put(np.diag([-1.0, 1, 1]), "cam_intrinsics"), r"expected a camera matrix"),
    ("emdb", without("smpl", "poses_root"), r"'smpl': 'poses_root' is missing"),
    ("emdb", put(ragged, "kp2d"), r"'kp2d': expected \(5, 24, 2\), got \(4, 24, 2\)"),
    ("emdb", put(nan, "smpl", "trans"), r"'smpl\.trans': holds NaN"),
    ("emdb", put([99], "bboxes", "invalid_idxs"), r"names frames beyond the 5"),
    ("emdb", put(7, "camera"), r"expected a dictionary with '\w+', got int"),
    ("amass", without("betas"), r"'betas' is missing"),
    ("amass", put(nan, "poses"), r"'poses' holds NaN"),
    ("amass", put(ragged, "trans"), r"'trans' must be \(5, 3\)"),
    ("moyo", without("betas"), r"stageii\.pkl: 'betas' is missing"),
    ("moyo", put(lambda v: v[:, :156], "fullpose"), r"'fullpose': expected \(T, 165\), got \(5, 156\)"),
    ("moyo", put(0, "mocap_frame_rate"), r"expected frames per second above 0"),
    ("h36m", put(np.zeros((5, 16, 3)), "positions_3d", "S1", "Walking 1"), r"of S1/Walking 1: expected \(T, 32, 3\)"),
    ("h36m", put(lambda v: [v[0][:3], *v[1:]], "positions_2d", "S1", "Walking 1"), r"camera 0: 3 frames, but .* 5"),
    ("h36m", put(nan, "positions_3d", "S1", "Walking 1"), r"holds NaN"),
    ("h36m", put([1, 2], "positions_3d"), r"expected \{subject: \{action: array\}\}"),
    ("3dhp", without("annot3"), r"annot\.mat: 'annot3' is missing"),
    ("3dhp", without("calibration"), r"camera\.calibration: no such file"),
    ("3dhp", put(lambda v: [v[0][:, :50], v[1]], "annot2"), r"'annot2' of camera 0: expected \(T, 56\), got \(5, 50\)"),
    ("3dhp", put(lambda v: [v[0][:3], v[1]], "annot2"), r"expected as many frames for each camera"),
    ("3dhp", put(np.array([0, 3]), "cameras"), r"camera\.calibration: camera 3 is missing"),
    ("3dhp", put(lambda v: v.replace("1920 1080", "1920"), "calibration"), r"'size' of camera 0: expected \(2,\), got"),
    ("3dhp", put(lambda v: v.replace("extrinsic", "extr"), "calibration"), r"'extrinsic' is missing"),
    ("panoptic", put(lambda v: v[:75], "scenes", 0, "bodies", 0, "joints19"), r"body 3: expected \(76,\), got \(75,\)"),
    ("panoptic", without("scenes", 1, "bodies"), r"body3DScene_00000101\.json: 'bodies' is missing"),
    ("panoptic", put(mirrored, "cameras", 0, "R"), r"'R' of camera 00_00: .* reflection"),
    ("panoptic", put([], "cameras"), r"none is of the type 'hd'"),
    ("panoptic", put(lambda v: [[2 * x for x in row] for row in v], "cameras", 0, "R"), r"away from orthonormal"),
    ("shelf", put(np.zeros((13, 3)), "actors", 0, 1), r"actor 0, frame 1: expected \(14, 3\), got \(13, 3\)"),
    ("shelf", put(lambda v: v[:3], "actors", 0), r"expected as many frames for each actor, got \[3, 5\]"),
    ("shelf", without("calibration", "1", "R"), r"calibration_shelf\.json: camera 1: 'R' is missing"),
    ("coco", put(lambda v: v[:50], "annotations", 0, "keypoints"), r"annotation 7, 'keypoints': expected \(51,\)"),
    ("coco", without("images"), r"'images' is missing"),
    ("coco", put(5, "annotations", 0, "image_id"), r"'image_id' 5 of an annotation is not among 'images'"),
    ("agora", put(lambda v: [v[0][:1], v[1]], "gender"), r"row 0 \(a_0\.png\): expected as many people in each column"),
    ("agora", put(lambda v: [[v[0][0][:9], v[0][1]], v[1]], "gt_joints_3d"), r"expected 24, 45, 127 joints, got 9"),
    ("agora", without("imgPath"), r"'imgPath' is missing"),
    ("opencap", without("rotation"), r"cameraIntrinsicsExtrinsics\.pickle: 'rotation' is missing"),
    ("opencap", put(np.zeros(2), "translation"), r"'translation': expected 3 numbers, got \(2,\)"),
]


@pytest.mark.parametrize(("name", "change", "text"), DAMAGED, ids=[f"{d[0]}-{n}" for n, d in enumerate(DAMAGED)])
def test_damaged_content_is_refused(name: str, change: Callable[[Any], Any], text: str, tmp_path: Path) -> None:
    def jsonable(held: Any) -> Any:
        return json.loads(json.dumps(change(held), default=lambda array: array.tolist()))

    files.WRITERS[name](tmp_path, jsonable if name == "panoptic" else change)
    with pytest.raises(InputError, match=text):
        read_dataset(f"{name}={tmp_path}")[0]


LARGEST = {
    **{
        "3dpw": "*.pkl",
        "emdb": "*.pkl",
        "amass": "*_poses.npz",
        "moyo": "*.pkl",
        "h36m": "data_3d*",
        "3dhp": "annot.mat",
    },
    **{"panoptic": "body3DScene_00000102.json", "shelf": "actorsGT.mat", "coco": "*.json", "agora": "*.pkl"},
    "opencap": "*.pickle",
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_truncated_files_are_refused(name: str, share: float, tmp_path: Path) -> None:
    files.WRITERS[name](tmp_path)
    file = next(tmp_path.rglob(LARGEST[name]))
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=file.name):
        read_dataset(f"{name}={tmp_path}")[0]


class Runs:
    """Writes a file when Python's own unpickler meets it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("3dpw", ("genders",)),
        ("emdb", ("name",)),
        ("moyo", ("gender",)),
        ("agora", ("kid", 0)),
        ("h36m", ("positions_3d", "S2")),
        ("opencap", ("rotation_EulerAngles",)),
    ],
)
def test_pickles_that_would_run_something_do_not(name: str, keys: tuple[Any, ...], tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    def spoil(held: Any) -> Any:
        inner = held
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = Runs(mark)
        return held

    files.WRITERS[name](tmp_path / "set", spoil)
    with pytest.raises(InputError, match=r"posix\.mkdir.*not executed|nt\.mkdir.*not executed"):
        read_dataset(tmp_path / "set")[0]
    assert not mark.exists()
    pickle.loads(pickle.dumps(Runs(mark)))  # it would have
    assert mark.exists()


def test_places_without_a_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder is empty"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="there is no such file or folder"):
        read_dataset(tmp_path / "nothing")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no dataset that is known was found there; known are 3dpw, emdb"):
        read_dataset(tmp_path)
    with pytest.raises(UnknownNameError, match="no dataset is called '3dwp'; nearest: 3dpw"):
        read_dataset(f"3dwp={tmp_path}")
    for name in SETS:
        with pytest.raises(InputError, match="none is there"):
            read_dataset(f"{name}={tmp_path}")


def test_names_and_options(tmp_path: Path) -> None:
    data = read_dataset(files.agora(tmp_path))
    assert len(data) == 2
    assert [found.name for found in data] == list(data.names) == ["a_0.png", "b_0.png"]
    with pytest.raises(UnknownNameError, match=r"agora has no recording 'c_0\.png' here; nearest: "):
        data["c_0.png"]
    with pytest.raises(InputError, match="agora has no option up; it has: none"):
        read_dataset(tmp_path, up="y")
    files.emdb(tmp_path / "emdb")
    with pytest.raises(InputError, match="up: expected one of y, z, -y, got 'x'"):
        read_dataset(tmp_path / "emdb", up="x")
