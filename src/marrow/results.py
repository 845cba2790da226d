"""What a capture gives: people with their motion, angles and how sure they are, and the files made of them."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from marrow import __version__
from marrow.body import DefaultBody
from marrow.errors import InputError
from marrow.io.ahead import read_ahead
from marrow.io.files import prepare_output_folder, remove_earlier_results, write_atomically
from marrow.io.source import Source
from marrow.io.tables import angle_units
from marrow.io.writer import Writer
from marrow.person import Person as Person
from marrow.progress import Progress, silent
from marrow.render.overlay import PALETTE, Figure, draw_people
from marrow.render.stick import stick_figure
from marrow.skeleton.osim.geometry import read_geometry_folder
from marrow.types import Camera, Float64

if TYPE_CHECKING:
    from marrow.fit import Floor

_PACKAGES = ("ai-edge-litert", "av", "numba", "numpy", "opencv-python-headless", "opensim", "pygltflib", "scipy")
#: On held-out synthetic people (``scripts/train_dense.py`` tells it).
_DENSE_ERRS = (
    "dense.mp4 is a rough sketch: its network has learnt from few synthetic pictures, and even on such it is 40 cm off "
    "on average, often for mistaking left for right"
)
_FILES = (
    "motion.npz",
    "angles.csv",
    "keypoints.csv",
    "body.glb",
    "skeleton.bvh",
    "skeleton.osim",
    "motion.mot",
    "markers.trc",
)


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
        focal_sd: standard deviation of the focal length as a share of it; 0 where it was known.
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
    focal_sd: float
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
                "lens": self.camera.lens,
                "focal_from": self.focal_origin,
                "focal_sd_share": round(self.focal_sd, 4),
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
        dense: bool = False,
        codec: str = "h264",
        influences: int | None = None,
        mass_kg: float | Sequence[float] | None = None,
        bones: str | Path | None = None,
        modern: bool = False,
        force: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Write ``capture.json``, ``overlay.mp4`` and a folder for each person.

        Each file appears under its name only when it is complete.

        Args:
            folder: made if missing; a folder with other content is refused without ``force``.
            overlay: also draw bodies and bones onto the video.
            dense: also ``dense.mp4``; see :meth:`save_dense`.
            codec: of the videos; see :data:`marrow.io.writer.CODECS`.
            influences: largest number of bones per vertex in ``body.glb``; all by default.
            mass_kg: of each person in their order (one number: the first person's), for ``skeleton.osim``.
            bones: folder ``Geometry`` of your own OpenSim, whose bones ``skeleton.osim`` then names; by default
                marrow's are written beside it.
            modern: ``skeleton.osim`` and ``motion.mot`` with the joint classes of OpenSim 4.5; see
                :meth:`Person.save`.
            force: replace earlier results.

        Raises:
            InputError: a mass that is not positive, or a folder without bones.
            OutputError: the folder is taken or cannot be written.
        """
        masses, options = _masses(mass_kg), {"influences": influences, "bones": bones, "modern": modern}
        if bones is not None:
            read_geometry_folder(bones)  # before earlier results are removed
        progress = progress or silent
        folder = prepare_output_folder(folder, force=force)
        remove_earlier_results(folder)
        licences, remarks = [dict(part) for part in self.licences], []
        if bones is None:
            licences.append({"name": "bones of skeleton.osim", "licence": "CC0-1.0", "holder": "The marrow authors"})
        if len(masses) > len(self.people):
            remarks.append(f"{len(masses)} masses were given for {len(self.people)} people; the last were not used")
        if overlay and self.frames is not None:
            # Drawing and encoding leave the interpreter free for the other files most of the time.
            with ThreadPoolExecutor(1, "marrow-save") as writer:
                written = writer.submit(self._save_people, folder, masses, options, silent)
                licences.append(self.save_overlay(folder / "overlay.mp4", codec=codec, progress=progress))
                remarks += written.result()
        else:
            remarks += self._save_people(folder, masses, options, progress)
        if dense and self.frames is None:
            remarks.append("keypoints have no pictures to draw on: there is no dense.mp4")
        elif dense:
            remarks.append(_DENSE_ERRS)
            licences.append(self.save_dense(folder / "dense.mp4", codec=codec, progress=progress))
        about = self.provenance() | {"licences": licences, "warnings": [*self.warnings, *remarks]}
        about["settings"] |= {"overlay": overlay, "dense": dense, "codec": codec, "mass_kg": list(masses)} | options
        about["settings"]["bones"] = None if bones is None else str(bones)
        text = msgspec.json.format(msgspec.json.encode(about), indent=2)
        with write_atomically(folder / "capture.json", "wb") as stream:
            stream.write(text)
        return folder

    def _save_people(
        self, folder: Path, masses: Sequence[float], options: Mapping[str, Any], progress: Progress
    ) -> list[str]:
        """Every file of every person; returns remarks."""
        total, remarks = len(self.people) * len(_FILES), []
        mass_of = dict(zip((person.name for person in self.people), masses, strict=False))
        for done, (person, file) in enumerate((person, file) for person in self.people for file in _FILES):
            progress("write files", done, total)
            own = folder / person.name
            own.mkdir(exist_ok=True)
            told = person.save(own / file, mass_kg=mass_of.get(person.name), **options)
            named = [f"{person.name}: {remark}" for remark in told]
            remarks += [remark for remark in named if remark not in remarks]  # files that belong together say the same
        progress("write files", total, total)
        return remarks

    def save_overlay(self, path: str | Path, *, codec: str = "h264", progress: Progress | None = None) -> dict:
        """Draw bodies and bones onto the video; returns the encoder's credit.

        Raises:
            InputError: there are no pictures to draw on.
        """
        return self._save_video(path, self._drawn(), "overlay", codec, progress)

    def save_dense(self, path: str | Path, *, codec: str = "h264", progress: Progress | None = None) -> dict:
        """Draw which point of the body each pixel of a person shows, by a network that has seen synthetic people only.

        Red, green and blue run with the place on the body at rest from right to left, from the soles to the top of the
        head and from back to front, with a line every 10 cm of height and breadth. Returns the encoder's credit.

        Raises:
            InputError: there are no pictures to draw on.
        """
        return self._save_video(path, self._densely(), "dense", codec, progress)

    def _save_video(
        self,
        path: str | Path,
        pictures: Iterator[tuple[NDArray[np.uint8], float]],
        stage: str,
        codec: str,
        progress: Progress | None,
    ) -> dict:
        """Pictures with their times as a video; returns the encoder's credit."""
        if self.frames is None:
            raise InputError(f"{self.name}: keypoints have no pictures to draw on")
        progress = progress or silent
        with Writer(path, self.camera.size, fps=self.fps, codec=codec) as video, ThreadPoolExecutor(1) as encoder:
            before = None
            for done, (image, time) in enumerate(pictures, 1):
                # One picture is encoded while the next is drawn.
                if before is not None:
                    before.result()
                before = encoder.submit(video.write, image, time)
                progress(stage, done, len(self.time))
            if before is not None:
                before.result()
        return {"name": Path(path).name, "licence": video.encoder.licence, "holder": video.licence}

    def _drawn(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Each picture with the people drawn onto it, and its time."""
        sticks = [stick_figure(person.skeleton, *person.segments) for person in self.people]
        for frame in read_ahead(self.frames or ()):
            figures = [
                _figure(person, joints[row], bones, PALETTE[n % len(PALETTE)], row)
                for n, (person, (joints, bones)) in enumerate(zip(self.people, sticks, strict=True))
                if 0 <= (row := frame.index - int(person.frames[0])) < len(person.frames)
            ]
            yield draw_people(frame.image, figures, self.camera), frame.time

    def _densely(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Each picture with what its pixels show of the people, and its time."""
        from marrow.recover.dense import dense_people
        from marrow.render.dense import draw_dense

        skin = self.body.rest().vertices
        bounds = (skin.min(0).tolist(), skin.max(0).tolist())
        tracks = [person.track for person in self.people]
        for frame in read_ahead(self.frames or ()):
            boxes = [own.box[row] for own in tracks for row in np.flatnonzero(own.frames == frame.index)]
            image = frame.image
            for found in dense_people(image, boxes):
                image = draw_dense(image, found.image_from_crop, found.seen, found.place, bounds)
            yield image, frame.time


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


def _masses(mass_kg: float | Sequence[float] | None) -> tuple[float, ...]:
    masses = () if mass_kg is None else tuple(np.atleast_1d(np.asarray(mass_kg, float)).tolist())
    for value in masses:
        if not 0.5 <= value <= 600:
            raise InputError(f"mass_kg: expected kilograms between 0.5 and 600, got {value:g}")
    return masses


def _told(person: Person) -> dict[str, Any]:
    """A person's entry in ``capture.json``."""
    error = person.error[np.isfinite(person.error)]
    written = [name for name in person.angles if name not in person.left_out]
    return {
        "name": person.name,
        "files": list(_FILES),
        "first_frame": int(person.frames[0]),
        "last_frame": int(person.frames[-1]),
        "frames_seen": len(person.track.frames),
        "height_m": round(person.height_m, 4),
        "scale": "given" if person.height_given else "assumed",
        "reprojection_share_of_height": {
            "median": round(float(np.median(error)), 5) if len(error) else None,
            "p95": round(float(np.percentile(error, 95)), 5) if len(error) else None,
        },
        "observed": person.observed,
        "angles.csv": {"unit": {"time": "s"} | angle_units(written), "left_out": list(person.left_out)},
        "alternatives": _alternatives(person),
        "shape": dict(person.motion.shape),
        "warnings": list(person.warnings),
    }


def _alternatives(person: Person) -> list[dict[str, float]]:
    """How likely each alternative is, and how far it lies from the result at most, on average over the frames."""
    found = person.alternatives
    if found is None:
        return []
    own = person.segments[1]
    p = person.skeleton.forward(found.q, found.translation)[1]
    away = np.linalg.norm((p - p[..., :1, :]) - (own - own[:, :1]), axis=-1).mean(1).max(-1)
    return [
        {"log_odds": round(float(odds), 2), "mean_weight": round(float(w.mean()), 4), "farthest_m": round(float(m), 3)}
        for odds, w, m in zip(found.log_odds, found.weight, away, strict=True)
    ]
