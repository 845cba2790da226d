"""What a capture gives: people with their motion, angles and how sure they are, and the files made of them."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from marrow import __version__, io
from marrow.body import DefaultBody
from marrow.body.default import Rest
from marrow.errors import InputError
from marrow.io.files import prepare_output_folder, remove_earlier_results, write_atomically
from marrow.io.source import Source
from marrow.io.writer import Writer
from marrow.progress import Progress, silent
from marrow.render.overlay import PALETTE, Figure, draw_people
from marrow.render.stick import stick_figure
from marrow.skeleton import Skeleton
from marrow.types import OBSERVED, PRIOR, WEAK, Camera, Float32, Float64, Motion, Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from marrow.fit import Floor, Hypothesis

_PACKAGES = ("ai-edge-litert", "av", "numba", "numpy", "opencv-python-headless", "pygltflib", "scipy")
_FILES = ("motion.npz", "angles.csv", "keypoints.csv", "body.glb", "skeleton.bvh")
_MARKS = {OBSERVED: "observed", WEAK: "weak", PRIOR: "prior"}


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a capture.

    Attributes:
        name: ``person_1`` and so on; also the folder.
        track: where the detector saw the person.
        frames: (T,) video frames of the motion's rows, from the first to the last in which the person was seen.
        video_time: (N,) seconds of every video frame.
        motion: coordinates with standard deviations; see :class:`marrow.types.Motion`.
        skeleton: scaled to the person.
        rest: the person's body at rest.
        body: the model that ``rest`` belongs to.
        reprojection_px: (T, K) distance of each detected keypoint from the fitted body's; NaN where absent.
        hypotheses: other movements that explain the video nearly as well.
        height_m: stature of the fitted body.
        height_given: whether the height was known or the scale is assumed.
        warnings: what the user should know.
    """

    name: str
    track: Track
    frames: NDArray[np.int64]
    video_time: Float64
    motion: Motion
    skeleton: Skeleton
    rest: Rest
    body: DefaultBody
    reprojection_px: Float64
    hypotheses: tuple[Hypothesis, ...]
    height_m: float
    height_given: bool
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        scale = "given" if self.height_given else "assumed"
        return f"<Person {self.name}: {len(self.frames)} frames, {self.height_m:.2f} m ({scale})>"

    @functools.cached_property
    def angles(self) -> dict[str, Float64]:
        """Coordinate name to (T,) degrees (metres for ``pelvis_tx, ty, tz``), with the derived ``arm_*`` angles."""
        named = dict(zip(self.motion.coordinates, self.motion.q.T, strict=True))
        return self._in_degrees(named | self.skeleton.derived_angles(self.motion.q))

    @functools.cached_property
    def confidence(self) -> dict[str, Float64]:
        """Coordinate name to (T,) standard deviation, degrees (metres for ``pelvis_tx, ty, tz``)."""
        sd = np.full(self.motion.q.shape, np.nan) if self.motion.q_sd is None else self.motion.q_sd
        return self._in_degrees(dict(zip(self.motion.coordinates, sd.T, strict=True)))

    def _in_degrees(self, named: Mapping[str, Float64]) -> dict[str, Float64]:
        lengths = self.motion.coordinates[3:6]
        return {name: value if name in lengths else np.degrees(value) for name, value in named.items()}

    @property
    def observed(self) -> dict[str, str]:
        """Coordinate name to what decided it in most frames: ``observed``, ``weak`` or ``prior``."""
        mark, seen = self.motion.mark, self.motion.observed
        if mark is None:
            return {}
        rows = mark if seen is None else mark[seen]
        most = [int(np.bincount(column, minlength=3).argmax()) for column in rows.T]
        return {name: _MARKS[value] for name, value in zip(self.motion.coordinates, most, strict=True)}

    def vertices(self, rows: int | slice | NDArray[np.int64] = slice(None)) -> Float32:
        """(..., V, 3) skin in marrow's world, for rows of the motion."""
        q, translation = self.motion.q[rows], self.motion.translation[rows]
        return self.body.pose(self.rest, self.skeleton, q, translation, outputs=("vertices",)).vertices

    @functools.cached_property
    def segments(self) -> tuple[Float64, Float64]:
        """R (T, B, 3, 3) and p (T, B, 3): the segments' frames in marrow's world."""
        return self.skeleton.forward(self.motion.q, self.motion.translation)

    def save(self, path: str | Path, *, influences: int | None = None) -> list[str]:
        """Write one file; its kind follows the suffix (``.npz .csv .glb .bvh .html``).

        Args:
            influences: for ``.glb``: keep only so many bones per vertex.

        Returns:
            remarks, such as what fewer influences cost.

        Raises:
            InputError: an unknown suffix.
            OutputError: the file cannot be written.
        """
        if Path(path).suffix.lower() == ".html":
            from marrow.view import scene_of, write_html

            write_html(path, scene_of(self))
            return []
        return io.save(path, self._export, influences=influences)

    @functools.cached_property
    def _export(self) -> io.PersonExport:
        R, p = self.segments
        return io.PersonExport(
            motion=self.motion,
            frames=self.frames,
            video_time=self.video_time,
            bodies=self.skeleton.bodies,
            parents=self.skeleton.parents,
            bind=self.skeleton.bind,
            R=R,
            p=p,
            vertices=self.rest.vertices,
            faces=self.body.faces,
            weights=self.body.skin_weights(self.skeleton.bodies),
            uv=self.body.uv,
            faces_uv=self.body.faces_uv,
            derived=self.skeleton.derived_angles(self.motion.q),
            ends=_bone_ends(self.skeleton),
            track=self.track,
            name=self.name,
            extras={"generator": f"marrow {__version__}", "body": self.body.spec.licence},
        )

    def plot(self, *names: str) -> Plot:
        """Angle curves with their 95 % bands as a matplotlib figure, such as ``person.plot("knee_angle")``."""
        from marrow.view.curves import plot_angles

        return plot_angles(self.motion.time, self.angles, self.confidence, names=names or None, title=self.name)

    def summary(self) -> dict[str, Any]:
        """What was found, in one row."""
        size = float(np.median(self.track.box[:, 3] - self.track.box[:, 1]))
        knee = [np.nanmax(self.angles[f"knee_angle_{side}"]) for side in "rl"]
        return {
            "person": self.name,
            "first frame": int(self.frames[0]),
            "last frame": int(self.frames[-1]),
            "frames seen": len(self.track.frames),
            "height (m)": round(self.height_m, 3),
            "scale": "given" if self.height_given else "assumed",
            "error (% of height)": round(float(np.nanmedian(self.reprojection_px)) / size * 100, 2),
            "most knee flexion r, l (°)": [round(float(value)) for value in knee],
        }


@dataclass(frozen=True, eq=False)
class Capture:
    """Everything found in one source. Made by :func:`marrow.capture`.

    Attributes:
        source: as given; ``name`` is its short name and ``source_sha256`` its hash where it is one file.
        time: (N,) seconds of each video frame.
        fps: frames per second.
        camera: in marrow's world.
        camera_static: False where the camera moved; then no floor and no path are claimed.
        focal_origin: ``given``, ``file`` or ``assumed``.
        floor: the floor that was found, or None.
        people: in order of appearance.
        warnings, licences: for the user, and what entered the result.
        frames: the pictures, or None (keypoints).
        body: the body model.
    """

    source: str
    name: str
    source_sha256: str | None
    time: Float64
    fps: float
    camera: Camera
    camera_static: bool
    focal_origin: str
    floor: Floor | None
    people: tuple[Person, ...]
    warnings: tuple[str, ...]
    licences: tuple[Mapping[str, str], ...]
    frames: Source | None
    body: DefaultBody
    settings: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Capture {self.name}: {len(self.time)} frames, people: {', '.join(p.name for p in self.people)}>"

    def summary(self) -> list[dict[str, Any]]:
        """One row a person: what was found."""
        return [person.summary() for person in self.people]

    def show(self, *, port: int = 8080, block: bool = True) -> Any:
        """Bodies, bones and timeline in the browser."""
        from marrow.view import show

        return show(self, port=port, block=block)

    def provenance(self) -> dict[str, Any]:
        """What ``capture.json`` holds: source, settings, versions, camera, people, warnings, licences."""
        versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
        K, size = self.camera.K, self.camera.size
        return {
            "marrow": __version__,
            "python": platform.python_version(),
            "versions": versions,
            "source": {
                "path": self.source,
                "name": self.name,
                "sha256": self.source_sha256,
                "size": list(size),
                "fps": self.fps,
                "frames": len(self.time),
            },
            "settings": dict(self.settings),
            "conventions": "metres, radians, seconds; world Y up, people at rest face +Z; camera axes as in OpenCV",
            "camera": {
                "K": K.tolist(),
                "size": list(size),
                "R_cam_world": self.camera.R_cam_world.tolist(),
                "t_cam_world": self.camera.t_cam_world.tolist(),
                "distortion": self.camera.distortion.tolist(),
                "focal_from": self.focal_origin,
                "static": self.camera_static,
            },
            "floor": None
            if self.floor is None
            else {
                "height": 0.0,
                "normal": [0.0, 1.0, 0.0],
                "frames_with_contact": self.floor.contacts,
                "camera_pitch_deg": round(self.floor.pitch_deg, 2),
                "camera_roll_deg": round(self.floor.roll_deg, 2),
            },
            "people": [_told(person) for person in self.people],
            "body": {"name": self.body.spec.name, "sha256": self.body.spec.sha256},
            "warnings": list(self.warnings),
            "licences": [dict(part) for part in self.licences],
        }

    def save(
        self,
        folder: str | Path,
        *,
        overlay: bool = True,
        codec: str = "h264",
        influences: int | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write ``capture.json``, ``overlay.mp4`` and a folder for each person.

        Each file appears under its name only when it is complete.

        Args:
            folder: made if missing; a folder with other content is refused without ``force``.
            overlay: also draw bodies and bones onto the video.
            codec: of the overlay; see :data:`marrow.io.writer.CODECS`.
            influences: largest number of bones per vertex in ``body.glb``; all by default.
            force: replace earlier results.

        Raises:
            OutputError: the folder is taken or cannot be written.
        """
        progress = progress or silent
        folder = prepare_output_folder(folder, force=force)
        remove_earlier_results(folder)
        licences = [dict(part) for part in self.licences]
        total, remarks = len(self.people) * len(_FILES), []
        for done, (person, file) in enumerate((person, file) for person in self.people for file in _FILES):
            progress("write files", done, total)
            (folder / person.name).mkdir(exist_ok=True)
            remarks += [
                f"{person.name}: {remark}" for remark in person.save(folder / person.name / file, influences=influences)
            ]
        progress("write files", total, total)
        if overlay and self.frames is not None:
            licences.append(self.save_overlay(folder / "overlay.mp4", codec=codec, progress=progress))
        about = self.provenance() | {"licences": licences, "warnings": [*self.warnings, *remarks]}
        text = msgspec.json.format(msgspec.json.encode(about), indent=2)
        with write_atomically(folder / "capture.json", "wb") as stream:
            stream.write(text)
        return folder

    def save_overlay(self, path: str | Path, *, codec: str = "h264", progress: Progress | None = None) -> dict:
        """Draw bodies and bones onto the video; returns the encoder's credit.

        Raises:
            InputError: there are no pictures to draw on.
        """
        if self.frames is None:
            raise InputError(f"{self.name}: keypoints have no pictures to draw on")
        progress = progress or silent
        with Writer(path, self.camera.size, fps=self.fps, codec=codec) as video, ThreadPoolExecutor(1) as encoder:
            before = None
            for done, (image, time) in enumerate(self._drawn(), 1):
                # One picture is encoded while the next is drawn.
                if before is not None:
                    before.result()
                before = encoder.submit(video.write, image, time)
                progress("overlay", done, len(self.time))
            if before is not None:
                before.result()
        return {"name": "overlay.mp4", "licence": video.encoder.licence, "holder": video.licence}

    def _drawn(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Each picture with the people drawn onto it, and its time."""
        sticks = [stick_figure(person.skeleton, *person.segments) for person in self.people]
        for frame in self.frames or ():
            figures = [
                _figure(person, joints[row], bones, PALETTE[n % len(PALETTE)], row)
                for n, (person, (joints, bones)) in enumerate(zip(self.people, sticks, strict=True))
                if 0 <= (row := frame.index - int(person.frames[0])) < len(person.frames)
            ]
            yield draw_people(frame.image, figures, self.camera), frame.time


def _bone_ends(skeleton: Skeleton) -> dict[str, Float64]:
    """Tip of each segment without children, in its own axes, metres."""
    leaves = set(range(len(skeleton.bodies))) - set(skeleton.parents.tolist())
    return {
        skeleton.bodies[body]: local
        for name, body, local in zip(skeleton.point_names, skeleton.point_body, skeleton.point_local, strict=True)
        if int(body) in leaves and ("_tip" in name or name == "head_top")
    }


def _figure(person: Person, joints: Float64, bones: Any, colour: tuple[int, int, int], row: int) -> Figure:
    """A person as drawn in one frame; the detector's points are there only where it found the person."""
    track, at = person.track, int(np.searchsorted(person.track.frames, person.frames[row]))
    found = at < len(track.frames) and track.frames[at] == person.frames[row]
    return Figure(
        vertices_world=person.vertices(row),
        faces=person.body.faces,
        joints_world=joints,
        bones=bones,
        colour=colour,
        keypoints=track.keypoints.xy[at] if found else None,
        confidence=track.keypoints.confidence[at] if found else None,
    )


def _told(person: Person) -> dict[str, Any]:
    """A person's entry in ``capture.json``."""
    size = np.median(person.track.box[:, 3] - person.track.box[:, 1])
    error = person.reprojection_px[np.isfinite(person.reprojection_px)] / size
    return {
        "name": person.name,
        "files": list(_FILES),
        "first_frame": int(person.frames[0]),
        "last_frame": int(person.frames[-1]),
        "frames_seen": len(person.track.frames),
        "height_m": round(person.height_m, 4),
        "scale": "given" if person.height_given else "assumed",
        "reprojection_share_of_box_height": {
            "median": round(float(np.median(error)), 5) if len(error) else None,
            "p95": round(float(np.percentile(error, 95)), 5) if len(error) else None,
        },
        "observed": person.observed,
        "alternatives_cost_difference": [round(other.log_odds, 2) for other in person.hypotheses],
        "shape": dict(person.motion.shape),
        "warnings": list(person.warnings),
    }
