"""What every reader of a dataset returns: one recording, with its cameras and people, in marrow's world.

World: metres, Y up, right-handed; the heading is the source's. Cameras are OpenCV's. Pixels are as stored: whether the
source counts them from the centre or the corner of the top left pixel is not known for most sets (half a pixel).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.conventions import nearest_names
from marrow.errors import InputError, UnknownNameError
from marrow.geometry.projection import project_camera, to_camera
from marrow.io.amass import SmplMotion
from marrow.io.mot import Table
from marrow.types import Camera, Float64, Keypoints


@dataclass(frozen=True, eq=False)
class View:
    """One camera through a recording of T frames.

    Attributes:
        name: of the camera in its set.
        camera: its intrinsics, and its place if it stands still; None where the set does not tell. Its ``size`` is
            (0, 0) where the set does not tell that.
        size: (width, height) of the pictures in pixels, or None.
        R_cam_world, t_cam_world: (T, 3, 3) and (T, 3) metres of a camera that moves, or None.
        valid: (T,) frames in which the camera's place is known, or None for all.
        placed: whether its place is in the recording's world (OpenCap's cameras have another).
        images: a file for each frame, or empty; whether they exist is not looked at.
        video: a film of all frames, or None.
    """

    name: str
    camera: Camera | None = None
    size: tuple[int, int] | None = None
    R_cam_world: Float64 | None = None
    t_cam_world: Float64 | None = None
    valid: NDArray[np.bool_] | None = None
    placed: bool = True
    images: tuple[Path, ...] = ()
    video: Path | None = None

    def at(self, frame: int) -> Camera:
        """The camera in one frame.

        Raises:
            InputError: nothing is known of this camera.
        """
        camera = self._camera()
        if self.R_cam_world is None or self.t_cam_world is None:
            return camera
        return replace(camera, R_cam_world=self.R_cam_world[frame], t_cam_world=self.t_cam_world[frame])

    def project(self, xyz_world: ArrayLike) -> Float64:
        """Pixels (T, …, 2) of world points (T, …, 3), each row by the camera of its frame; NaN behind the camera.

        Raises:
            InputError: nothing is known of this camera, or there is not a row for each frame of a moving one.
        """
        xyz, camera = np.asarray(xyz_world, float), self._camera()
        R, t = self.R_cam_world, self.t_cam_world
        if R is None or t is None:
            return project_camera(camera, to_camera(camera, xyz))
        if len(xyz) != len(R):
            raise InputError(f"camera {self.name} moves: expected points of its {len(R)} frames, got {len(xyz)}")
        flat = xyz.reshape(len(R), -1, 3)
        seen = project_camera(camera, np.einsum("tij,tnj->tni", R, flat) + t[:, None])
        return seen.reshape(*xyz.shape[:-1], 2)

    def _camera(self) -> Camera:
        if self.camera is None:
            raise InputError(f"nothing is known of the camera {self.name}: its set does not come with a calibration")
        return self.camera


@dataclass(frozen=True, eq=False)
class Points:
    """3-D points of one person.

    Attributes:
        joint_set: a name in :data:`marrow.conventions.JOINT_SETS`, or "" for markers.
        names: the J points.
        xyz: (T, J, 3) metres in marrow's world; NaN where absent.
        confidence: (T, J) in [0, 1], or None where the source has none.
    """

    joint_set: str
    names: tuple[str, ...]
    xyz: Float64
    confidence: Float64 | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """One person of a recording of T frames and C views.

    Attributes:
        name: of the person within the set, or its number within the recording.
        valid: (T,) frames in which the set vouches for what it tells of this person.
        gender: "female", "male", "neutral" or "".
        points: 3-D points, or None.
        keypoints: 2-D points (T, J) for each view, or None; empty where the set has none.
        boxes: (T, 4) ``x0 y0 x1 y1`` pixels for each view, or None; empty where the set has none.
        body: pose and shape *as stored*, in the source's own axes: ``body.turned(recording.R_world_source, pelvis)``
            brings it into marrow's world, ``marrow.load_body`` gives its skin.
        kinematics: coordinates of an OpenSim model, as stored, or None.
        extras: what else the set tells, by the set's own names.
    """

    name: str
    valid: NDArray[np.bool_]
    gender: str = ""
    points: Points | None = None
    keypoints: tuple[Keypoints | None, ...] = ()
    boxes: tuple[Float64 | None, ...] = ()
    body: SmplMotion | None = None
    kinematics: Table | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Recording:
    """A sequence, or one picture, of a dataset.

    Attributes:
        dataset: name of the set.
        name: of the recording in it.
        frames: (T,) number of each frame in the source.
        fps: frames per second, or None where the set does not tell or it is a picture.
        views: the C cameras.
        people: who is in it.
        licence: on what terms the set may be used, in one sentence.
        commercial: whether those allow commercial use; None: it is not settled.
        root: the joints whose mean is the root of this set's metrics.
        R_world_source: (3, 3) from the source's axes to marrow's.
        remarks: what a user should know of this recording, such as axes that do not look as believed.
    """

    dataset: str
    name: str
    frames: NDArray[np.int64]
    fps: float | None
    views: tuple[View, ...]
    people: tuple[Subject, ...]
    licence: str
    commercial: bool | None
    root: tuple[str, ...] = ("pelvis",)
    R_world_source: Float64 = field(default_factory=lambda: np.eye(3))
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A set on the user's disk; iterate for its recordings, which are read one at a time.

    Attributes:
        name: of the set, such as ``"3dpw"``.
        path: where it is.
        licence, commercial: as in :class:`Recording`.
        names: the recordings, in order.
        read_one: reads one of them by its name; users take ``dataset[name]``.
    """

    name: str
    path: Path
    licence: str
    commercial: bool | None
    names: tuple[str, ...]
    read_one: Callable[[str], Recording]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Recording]:
        return (self[name] for name in self.names)

    def __getitem__(self, which: str | int) -> Recording:
        """A recording by name or number.

        Raises:
            UnknownNameError: there is none of that name; the nearest are given.
            InputError: its file is damaged.
        """
        from marrow.data.readers.doubts import doubts

        if isinstance(which, int):
            which = self.names[which]
        if which not in self.names:
            near = ", ".join(nearest_names(which, self.names)) or "none"
            raise UnknownNameError(f"{self.path}: {self.name} has no recording {which!r} here; nearest: {near}")
        found = self.read_one(which)
        return replace(found, remarks=(*found.remarks, *doubts(found)))
