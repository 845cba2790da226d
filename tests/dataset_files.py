"""Writers of small files in the shapes of published datasets, of a motion from the pack seen by known cameras.

Every writer takes what marrow's readers have to give back (:class:`Scene`, marrow's world) and turns it into the
source's own axes and units. ``change`` may spoil the content before it is written.
"""

from __future__ import annotations

import contextlib
import functools
import json
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from marrow.conventions import JOINT_SETS, to_ground
from marrow.geometry.projection import look_at, project
from marrow.geometry.rotations import exp, log
from marrow.io.mot import Table, write_mot
from marrow.io.trc import MarkerData, write_trc
from marrow.types import Camera

T = 5
FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
FROM_Y_DOWN = np.diag([1.0, -1.0, -1.0])
PELVIS = np.array([0.01, -0.21, 0.02])  # where a body at rest has its pelvis' joint
Change = Callable[[Any], Any]

_SEGMENTS = {
    **{"shoulder": "humerus", "elbow": "ulna", "wrist": "hand", "hip": "femur", "knee": "tibia", "ankle": "talus"},
    **{"foot": "toes", "mpi_foot": "calcn", "mpi_toe": "toes", "hand": "hand", "collar": "clavicle"},
    **{"big_toe": "toes", "small_toe": "toes", "heel": "calcn", "mpi_hand": "hand", "mpi_clavicle": "clavicle"},
}
_TRUNK = {
    **{"pelvis": "pelvis", "mid_hip": "pelvis", "spine": "lumbar", "spine1": "lumbar", "spine2": "lumbar"},
    **{"spine3": "torso", "thorax": "torso", "mpi_spine": "lumbar", "mpi_spine2": "lumbar", "mpi_spine3": "torso"},
    "mpi_spine4": "torso",
}


@dataclass(frozen=True)
class Scene:
    """Marrow's world: segments (T, B), a turn of the root (T, 3, 3), and two cameras that stand and one that moves."""

    bodies: tuple[str, ...]
    p: np.ndarray
    root: np.ndarray
    cameras: tuple[Camera, ...]
    moving: tuple[Camera, ...]

    def points(self, joint_set: str) -> np.ndarray:
        """(T, J, 3) a point for each name, at or near a segment's origin."""
        return np.stack([self._point(name) for name in JOINT_SETS[joint_set]], 1)

    def _point(self, name: str) -> np.ndarray:
        side, _, part = name.partition("_")
        if side in ("left", "right") and part in _SEGMENTS:
            segment, nudge = f"{_SEGMENTS[part]}_{side[0]}", 0.0
        else:
            segment = _TRUNK.get(name, "head")
            nudge = (sum(map(ord, name)) % 17) * 0.004 if segment == "head" else 0.0
        return self.p[:, self.bodies.index(segment)] + [nudge, 0.5 * nudge, -nudge]

    def seen(self, joint_set: str, camera: int = 0) -> np.ndarray:
        """(T, J, 2) pixels in a standing camera."""
        return project(self.cameras[camera], self.points(joint_set))

    def followed(self, joint_set: str) -> np.ndarray:
        """(T, J, 2) pixels in the moving camera."""
        return np.stack([project(c, x) for c, x in zip(self.moving, self.points(joint_set), strict=True)])


@functools.cache
def scene() -> Scene:
    from marrow.body import load_body
    from marrow.data.motion_pack import motion_pack
    from marrow.skeleton import Skeleton

    skeleton = Skeleton.inside(load_body().rest().landmarks).without_fingers()
    q = motion_pack().motion("02_01" if "02_01" in motion_pack().names else 0).full(skeleton.coordinates)
    R, p = skeleton.forward(q[10 : 10 + 6 * T : 6])
    upright = R[:, 0] @ np.swapaxes(skeleton.bind[0, :3, :3][None], -1, -2)  # of a body that faces +Z at rest
    K = np.array([[1100.0, 0, 955.5], [0, 1090.0, 540.25], [0, 0, 1]])
    k = np.array([-0.05, 0.01, 0.001, -0.002, 0.003])
    centre = p[:, 0].mean(0)

    def camera(eye: list[float], distortion: np.ndarray) -> Camera:
        R_cam, t_cam = look_at(centre + eye, centre)
        return Camera(K, (1920, 1080), R_cam, t_cam, distortion)

    standing = (camera([0.5, 0.6, 4.0], np.zeros(0)), camera([4.0, 1.0, -0.7], k))
    moving = tuple(camera([0.3 * t, 0.4, 3.5 + 0.1 * t], np.zeros(0)) for t in range(T))
    return Scene(skeleton.bodies, p, upright, standing, moving)


def _same(held: Any) -> Any:
    return held


def extrinsics(camera: Camera, A: np.ndarray, unit: float = 1.0) -> np.ndarray:
    """(4, 4) source's world to camera, in the source's unit."""
    E = np.eye(4)
    E[:3, :3], E[:3, 3] = camera.R_cam_world @ A, camera.t_cam_world * unit
    return E


def body_in(A: np.ndarray, joints: int) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, joints, 3) and trans (T, 3) of a body in the source's world, whose pelvis is the scene's."""
    poses = 0.1 * np.random.default_rng(0).standard_normal((T, joints, 3))
    poses[:, 0] = log(A.T @ scene().root)
    return poses, scene().p[:, 0] @ A - PELVIS


def dump(path: Path, held: Any, protocol: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    return path


# The sets


def threedpw(folder: Path, change: Change = _same) -> Path:
    poses, trans = body_in(np.eye(3), 24)
    xy = scene().followed("coco18")
    confidence = np.full((T, 18), 0.8)
    xy[0, 3], confidence[0, 3] = 0, 0
    held = {
        "sequence": "walk_00",
        "poses": [poses.reshape(T, 72)] * 2,
        "betas": [np.arange(10) / 10, np.zeros(10)],
        "trans": [trans] * 2,
        "poses2d": [np.concatenate([xy, confidence[..., None]], -1).transpose(0, 2, 1)] * 2,
        "jointPositions": [scene().points("smpl24").reshape(T, 72)] * 2,
        "cam_poses": np.stack([extrinsics(camera, np.eye(3)) for camera in scene().moving]),
        "cam_intrinsics": scene().moving[0].K,
        "campose_valid": [np.array([1, 1, 1, 1, 0]), np.ones(T, int)],
        "genders": ["m", "f"],
        "img_frame_ids": np.arange(T) * 2,
    }
    (folder / "imageFiles" / "walk_00").mkdir(parents=True, exist_ok=True)
    dump(folder / "sequenceFiles" / "test" / "walk_00.pkl", change(held))
    return folder


def emdb(folder: Path, change: Change = _same) -> Path:
    poses, trans = body_in(np.eye(3), 24)
    camera = scene().moving[0]
    held = {
        "gender": "female",
        "name": "P1_14_outdoor_climb",
        "emdb1": np.bool_(True),
        "emdb2": False,
        "n_frames": T,
        "good_frames_mask": np.array([True, True, False, True, True]),
        "camera": {
            "intrinsics": camera.K,
            "extrinsics": np.stack([extrinsics(camera, np.eye(3)) for camera in scene().moving]),
            "width": 1920,
            "height": 1080,
        },
        "smpl": {
            "poses_root": poses[:, 0],
            "poses_body": poses[:, 1:].reshape(T, 69),
            "trans": trans,
            "betas": np.arange(10) / 10,
        },
        "kp2d": scene().followed("smpl24"),
        "bboxes": {"bboxes": np.tile([1.0, 2, 30, 40], (T, 1)), "invalid_idxs": np.array([2])},
    }
    dump(folder / "P1" / "14_outdoor_climb" / "P1_14_outdoor_climb_data.pkl", change(held), 4)
    return folder


def amass(folder: Path, change: Change = _same) -> Path:
    poses, trans = body_in(FROM_Z_UP, 52)
    held = {
        "poses": poses.reshape(T, 156),
        "trans": trans,
        "betas": np.arange(16) / 16,
        "dmpls": np.zeros((T, 8)),
        "gender": "male",
        "mocap_framerate": 120.0,
    }
    place = folder / "CMU" / "01"
    place.mkdir(parents=True, exist_ok=True)
    np.savez(place / "shape.npz", betas=np.zeros(16))
    np.savez(place / "01_01_poses.npz", **change(held))
    return folder


def moyo(folder: Path, change: Change = _same) -> Path:
    poses, trans = body_in(FROM_Z_UP, 55)
    held = {
        "fullpose": poses.reshape(T, 165),
        "trans": trans,
        "betas": np.zeros(300),
        "gender": "female",
        "mocap_frame_rate": 60,
    }
    dump(folder / "mosh" / "train" / "220923_yogi_Boat_stageii.pkl", change(held), 4)
    return folder


def h36m(folder: Path, change: Change = _same) -> Path:
    """Without cameras; those of :func:`h36m_cameras` go with it."""
    xyz = np.zeros((T, 32, 3))
    used = [i for i in range(32) if i not in (4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31)]
    xyz[:, used] = scene().points("h36m17") @ FROM_Z_UP
    seen = [scene().seen("h36m17", camera) for camera in (0, 1, 0, 1)]
    longer = [np.concatenate([xy, xy[-1:]]) for xy in seen]
    held = {
        "positions_3d": {"S1": {"Walking 1": xyz.astype(np.float32)}},
        "positions_2d": {"S1": {"Walking 1": longer}},
    }
    held = change(held)
    folder.mkdir(parents=True, exist_ok=True)
    if "positions_3d" in held:
        np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(held["positions_3d"], dtype=object))
    about = {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
    np.savez(
        folder / "data_2d_h36m_gt.npz",
        positions_2d=np.array(held["positions_2d"], dtype=object),
        metadata=np.array(about, dtype=object),
    )
    return folder


def h36m_cameras() -> dict[str, list[Camera]]:
    """The cameras in the source's world."""
    turned = [Camera(c.K, c.size, c.R_cam_world @ FROM_Z_UP, c.t_cam_world, c.distortion) for c in scene().cameras * 2]
    return {"S1": turned}


def mpi3dhp(folder: Path, change: Change = _same) -> Path:
    cameras = [Camera(c.K, c.size, c.R_cam_world, c.t_cam_world) for c in scene().cameras]
    points = scene().points("mpi3dhp28")
    held = {
        "annot2": [project(camera, points).reshape(T, 56) for camera in cameras],
        "annot3": [((points @ c.R_cam_world.T + c.t_cam_world) * 1000).reshape(T, 84) for c in cameras],
        "cameras": np.array([0, 4]),
        "calibration": "Skeletool Camera Calibration File V1.0\n"
        + "".join(_calibration(number, camera) for number, camera in zip((0, 4), cameras, strict=True)),
    }
    held = change(held)
    place = folder / "S1" / "Seq1"
    place.mkdir(parents=True, exist_ok=True)
    if "calibration" in held:
        (place / "camera.calibration").write_text(held.pop("calibration"))
    scipy.io.savemat(place / "annot.mat", {k: _column(v) if isinstance(v, list) else v for k, v in held.items()})
    return folder


def _calibration(number: int, camera: Camera) -> str:
    K = np.eye(4)
    K[:3, :3] = camera.K
    rows = {
        "name": number,
        "  sensor": "10 10",
        "  size": "1920 1080",
        "  animated": 0,
        "  intrinsic": " ".join(map(repr, K.ravel().tolist())),
        "  extrinsic": " ".join(map(repr, extrinsics(camera, np.eye(3), 1000.0).ravel().tolist())),
        "  radial": 0,
    }
    return "".join(f"{key:14} {value}\n" for key, value in rows.items())


def _column(parts: list[Any]) -> np.ndarray:
    cells = np.empty((len(parts), 1), object)
    for row, part in enumerate(parts):
        cells[row, 0] = part
    return cells


def mpi3dhp_test(folder: Path, change: Change = _same) -> Path:
    """The test part; needs h5py."""
    import h5py

    camera, points = scene().cameras[0], scene().points("mpi3dhp17")
    held = {
        "annot2": project(camera, points)[:, None],
        "annot3": (points @ camera.R_cam_world.T + camera.t_cam_world)[:, None] * 1000,
        "univ_annot3": np.zeros((T, 1, 17, 3)),
        "valid_frame": np.array([[1.0, 1, 0, 1, 1]]).T,
        "activity_annotation": np.ones((T, 1)),
    }
    (folder / "TS1").mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "TS1" / "annot_data.mat", "w") as file:
        for key, value in change(held).items():
            file[key] = value
    return folder


def panoptic(folder: Path, change: Change = _same) -> Path:
    points = scene().points("panoptic19") @ FROM_Y_DOWN * 100
    scores = np.full((T, 19, 1), 0.9)
    scores[1, 4] = -1
    joints = np.concatenate([points, scores], -1)
    held = {
        "cameras": [
            {
                **{"name": f"00_0{n}", "type": "hd", "resolution": [1920, 1080], "panel": 0, "node": n},
                **{"K": c.K.tolist(), "distCoef": np.resize(c.distortion, 5).tolist() if n else [0.0] * 5},
                "R": (c.R_cam_world @ FROM_Y_DOWN).tolist(),
                "t": (c.t_cam_world * 100)[:, None].tolist(),
            }
            for n, c in enumerate(scene().cameras)
        ]
        + [{"name": "01_01", "type": "vga"}],
        "scenes": [
            {
                **{"version": 0.7, "univTime": 1.0, "fpsType": "hd_29_97"},
                "bodies": [{"id": 3, "joints19": joints[t].ravel().tolist()}] if t != 2 else [],
            }
            for t in range(T)
        ],
    }
    held = change(held)
    place = folder / "170407_dance1"
    poses = place / "hdPose3d_stage1_coco19"
    poses.mkdir(parents=True, exist_ok=True)
    (place / "calibration_170407_dance1.json").write_text(json.dumps({"cameras": held["cameras"]}))
    for t, one in enumerate(held["scenes"]):
        (poses / f"body3DScene_{100 + t:08d}.json").write_text(json.dumps(one))
    return folder


def shelf(folder: Path, change: Change = _same) -> Path:
    points = scene().points("lsp14") @ FROM_Z_UP
    calibration = {}
    for n, c in enumerate(scene().cameras):
        k = np.resize(c.distortion, 5) if len(c.distortion) else np.zeros(5)
        R = c.R_cam_world @ FROM_Z_UP
        calibration[str(n)] = {
            **{"fx": c.K[0, 0], "fy": c.K[1, 1], "cx": c.K[0, 2], "cy": c.K[1, 2]},
            **{"k": [[k[0]], [k[1]], [k[4]]], "p": [[k[2]], [k[3]]]},
            **{"R": R.tolist(), "T": (-R.T @ c.t_cam_world * 1000)[:, None].tolist()},
        }
    held = {"actors": [list(points), [np.zeros((0, 0)), *points[1:]]], "calibration": calibration}
    held = change(held)
    place = folder / "Shelf"
    place.mkdir(parents=True, exist_ok=True)
    actors = np.empty((1, len(held["actors"])), object)
    for n, frames in enumerate(held["actors"]):
        actors[0, n] = _column(frames)
    scipy.io.savemat(place / "actorsGT.mat", {"actor3D": actors})
    (place / "calibration_shelf.json").write_text(json.dumps(held["calibration"]))
    return folder


def coco(folder: Path, change: Change = _same) -> Path:
    xy = scene().seen("coco17")[0]
    v = np.full(17, 2)
    v[3], v[4] = 1, 0
    triples = np.concatenate([np.where(v[:, None] > 0, xy, 0), v[:, None]], 1)
    person = {
        **{"id": 7, "image_id": 139, "category_id": 1, "iscrowd": 0, "area": 1200.5, "num_keypoints": 16},
        **{"keypoints": triples.ravel().tolist(), "bbox": [10, 20, 30, 40], "segmentation": []},
    }
    held = {
        "images": [{"id": 139, "file_name": "000000000139.jpg", "width": 1920, "height": 1080}, {"id": 140}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person", "keypoints": list(JOINT_SETS["coco17"])}],
    }
    place = folder / "annotations"
    place.mkdir(parents=True, exist_ok=True)
    (place / "person_keypoints_val2017.json").write_text(json.dumps(change(held)))
    return folder


def agora(folder: Path, change: Change = _same) -> Path:
    camera, points = scene().cameras[0], scene().points("smpl24")
    in_camera = points @ camera.R_cam_world.T + camera.t_cam_world
    held = {
        "imgPath": ["a_0.png", "b_0.png"],
        **{"camX": [1.0, 2.0], "camY": [0.0, 0.0], "camZ": [170.0, 170.0], "camYaw": [10.0, 20.0]},
        "gender": [["male", "female"], ["female"]],
        "kid": [[False, True], [False]],
        "occlusion": [[5.0, 95.0], [0.0]],
        "isValid": [[True, False], [True]],
        "X": [[1.0, 2.0], [3.0]],
        "gt_joints_2d": [[project(camera, points[t]) for t in (0, 1)], [project(camera, points[2])]],
        "gt_joints_3d": [[in_camera[0], in_camera[1]], [in_camera[2]]],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_0_withjv.pkl").write_bytes(frame_pickle(change(held)))
    return folder


def opencap(folder: Path, change: Change = _same) -> Path:
    names = ("r_shoulder_study", "L_shoulder_study", "r_knee_study")
    xyz = np.stack([scene().p[:, scene().bodies.index(b)] for b in ("humerus_r", "humerus_l", "tibia_r")], 1)
    camera = scene().cameras[1]
    held = {
        "intrinsicMat": camera.K,
        "distortion": camera.distortion[None],
        "imageSize": np.array([[1080.0], [1920.0]]),
        "rotation": camera.R_cam_world,
        "translation": camera.t_cam_world[:, None] * 1000,
        "rotation_EulerAngles": np.zeros((3, 1)),
    }
    time = np.arange(T) / 60
    for part in ("OpenSimData/Kinematics", "MarkerData"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_trc(folder / "MarkerData" / "squat1.trc", MarkerData(names, time, to_ground(xyz), 60.0, "mm"))
    table = Table(("pelvis_tx", "knee_angle_r"), time, np.arange(2.0 * T).reshape(T, 2), True)
    write_mot(folder / "OpenSimData" / "Kinematics" / "squat1.mot", table)
    dump(folder / "Videos" / "Cam0" / "cameraIntrinsicsExtrinsics.pickle", change(held), 4)
    return folder


WRITERS: dict[str, Callable[..., Path]] = {
    **{"3dpw": threedpw, "emdb": emdb, "amass": amass, "moyo": moyo, "h36m": h36m, "3dhp": mpi3dhp},
    **{"panoptic": panoptic, "shelf": shelf, "coco": coco, "agora": agora, "opencap": opencap},
}


# Tables of pandas, without pandas


def frame_pickle(columns: dict[str, list[Any]], *, before_1_3: bool = False, blocks: Any = None) -> bytes:
    """What pandas' ``DataFrame.to_pickle`` writes of columns, as pandas 2 does or one before 1.3."""
    rows = len(next(iter(columns.values())))
    values = np.empty((len(columns), rows), object)
    for column, cells in enumerate(columns.values()):
        for row, cell in enumerate(cells):
            values[column, row] = cell
    numeric = [n for n, cells in enumerate(columns.values()) if all(isinstance(cell, float) for cell in cells)]
    others = [n for n in range(len(columns)) if n not in numeric]
    with _pretended_pandas() as pandas:
        parts = [(values[numeric].astype(float), np.array(numeric)), (values[others], np.array(others))]
        parts = parts if blocks is None else blocks(parts)
        names = np.array(list(columns), object)
        axes = [pandas.Index({"data": names, "name": None}), pandas.RangeIndex({"start": 0, "stop": rows, "step": 1})]
        if before_1_3:
            held = [{"values": part, "mgr_locs": places} for part, places in parts]
            manager = pandas.OldManager((axes, [], [], {"0.14.1": {"axes": axes, "blocks": held}}))
        else:
            manager = pandas.Manager([pandas.Block(*part) for part in parts], axes)
        return pickle.dumps(pandas.frame(manager), protocol=4)


@contextlib.contextmanager
def _pretended_pandas() -> Iterator[types.SimpleNamespace]:
    """Classes that pickle under pandas' names; the names are gone afterwards."""

    def unpickle_block(*args: Any) -> None: ...
    def new_index(*args: Any) -> None: ...

    class DataFrame: ...

    class BlockManager:
        def __reduce__(self) -> Any:
            return self.how

    class Index:
        def __init__(self, held: Any) -> None:
            self.held = held

        def __reduce__(self) -> Any:
            return new_index, (type(self), self.held)

    class RangeIndex(Index): ...

    class Block:
        def __init__(self, values: Any, places: Any) -> None:
            self.parts = (values, places, 2)

        def __reduce__(self) -> Any:
            return unpickle_block, self.parts

    def manager(how: Callable[[Any], Any]) -> Any:
        made = BlockManager()
        made.how = how
        return made

    def frame(inner: Any) -> Any:
        made = DataFrame()
        vars(made).update(_mgr=inner, _typ="dataframe", _metadata=[], attrs={}, _flags={})
        return made

    import copyreg

    homes = {
        "pandas.core.frame": {"DataFrame": DataFrame},
        "pandas.core.internals.managers": {"BlockManager": BlockManager},
        "pandas._libs.internals": {"_unpickle_block": unpickle_block},
        "pandas.core.indexes.base": {"_new_Index": new_index, "Index": Index},
        "pandas.core.indexes.range": {"RangeIndex": RangeIndex},
    }
    kept = dict(sys.modules)
    try:
        for home in homes:
            parts = home.split(".")
            for n in range(1, len(parts) + 1):
                sys.modules[".".join(parts[:n])] = types.ModuleType(".".join(parts[:n]))
        for home, held in homes.items():
            for name, value in held.items():
                value.__module__, value.__name__, value.__qualname__ = home, name, name
                setattr(sys.modules[home], name, value)
        yield types.SimpleNamespace(
            frame=frame,
            Manager=lambda blocks, axes: manager((BlockManager, (tuple(blocks), axes))),
            OldManager=lambda state: manager((copyreg.__newobj__, (BlockManager,), state)),
            Block=Block,
            Index=Index,
            RangeIndex=RangeIndex,
        )
    finally:
        for name in set(sys.modules) - set(kept):
            if name.startswith("pandas"):
                del sys.modules[name]
        sys.modules.update({name: module for name, module in kept.items() if name.startswith("pandas")})


def turned_root(body: Any, A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The root's turn (T, 3, 3) and the pelvis (T, 3) of a body as read, in marrow's world."""
    found = body.turned(A, PELVIS)
    return exp(found.poses[:, 0]), found.trans + PELVIS
