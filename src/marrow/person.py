"""One person of a capture: movement, angles, how sure they are, and the files that can be made of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from marrow import __version__, io
from marrow.body import DefaultBody
from marrow.body.anatomy import bony_landmarks
from marrow.body.default import Rest
from marrow.body.landmarks import joint_centres_of
from marrow.body.markers import skin_markers
from marrow.conventions import nearest_names
from marrow.errors import InputError, UnknownNameError
from marrow.io.tables import LENGTHS, MARKS, left_out
from marrow.skeleton import DERIVED, Skeleton
from marrow.types import Alternatives, Camera, Float32, Float64, Motion, Track

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

Value = TypeVar("Value")

#: What :meth:`Person.save` can write.
SUFFIXES = (*io.EXPORTERS, ".html")


class ByName(dict[str, Value]):
    """A dictionary whose error for a wrong name suggests near ones."""

    def __missing__(self, name: object) -> Value:
        near = ", ".join(nearest_names(str(name), self))
        raise UnknownNameError(f"no coordinate {name!r}; did you mean {near}?" if near else f"no coordinate {name!r}")


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
        height_m: stature of the fitted body.
        height_given: whether the height was known or the scale is assumed.
        height_px: (T,) pixels that the person's standing height takes at their distance, whatever their pose.
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
    height_m: float
    height_given: bool
    height_px: Float64
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        scale = "given" if self.height_given else "assumed"
        return f"<Person {self.name}: {len(self.frames)} frames, {self.height_m:.2f} m ({scale})>"

    @functools.cached_property
    def angles(self) -> ByName[Float64]:
        """Coordinate name to (T,) degrees (metres for ``pelvis_tx, ty, tz``), with those derived of trunk and arms."""
        return self._in_degrees(self._named(self.motion.q) | self._derived)

    @functools.cached_property
    def confidence(self) -> ByName[Float64]:
        """Coordinate name to (T,) standard deviation, degrees (metres for ``pelvis_tx, ty, tz``)."""
        sd = np.full(self.motion.q.shape, np.nan) if self.motion.q_sd is None else self.motion.q_sd
        missing = {name: np.full(len(sd), np.nan) for name in DERIVED}
        return self._in_degrees(self._named(sd) | missing | derived_columns(self.motion.derived_sd))

    @property
    def observed(self) -> ByName[str]:
        """Coordinate name to what decided it in most frames: ``observed``, ``weak`` or ``prior``."""
        mark, seen = self.motion.mark, self.motion.observed
        if mark is None:
            return ByName()
        rows = slice(None) if seen is None else seen
        named = self._named(mark) | derived_columns(self.motion.derived_mark)
        return ByName({name: MARKS[int(np.bincount(own[rows], minlength=3).argmax())] for name, own in named.items()})

    @property
    def left_out(self) -> tuple[str, ...]:
        """Coordinates of which nothing was seen in any frame, such as fingers; ``angles.csv`` leaves them out."""
        return left_out(self.motion)

    def _named(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return dict(zip(self.motion.coordinates, values.T, strict=True))

    def _in_degrees(self, named: Mapping[str, Float64]) -> ByName[Float64]:
        return ByName({name: value if name in LENGTHS else np.degrees(value) for name, value in named.items()})

    @functools.cached_property
    def _derived(self) -> dict[str, Float64]:
        return self.skeleton.derived_angles(self.motion.q)

    @property
    def alternatives(self) -> Alternatives | None:
        """Other movements that explain the source nearly as well, or None where none were looked for or found."""
        return self.motion.alternatives

    def vertices(
        self, rows: int | slice | NDArray[np.int64] = slice(None), *, alternative: int | None = None
    ) -> Float32:
        """(..., V, 3) skin in marrow's world, for rows of the motion; or of an alternative, counted from 0.

        Raises:
            InputError: there is no such alternative.
        """
        q, translation = self.motion.q[rows], self.motion.translation[rows]
        if alternative is not None:
            found = self.alternatives
            count = 0 if found is None else len(found)
            if found is None or not 0 <= alternative < count:
                raise InputError(
                    f"{self.name}: alternative {alternative} of {count}; capture(hypotheses=…) asks for more"
                )
            q, translation = found.q[alternative][rows], found.translation[alternative][rows]
        return self.body.pose(self.rest, q, translation, outputs=("vertices",)).vertices

    @functools.cached_property
    def segments(self) -> tuple[Float64, Float64]:
        """R (T, B, 3, 3) and p (T, B, 3): the segments' frames in marrow's world."""
        return self.skeleton.forward(self.motion.q, self.motion.translation)

    def save(
        self,
        path: str | Path,
        *,
        influences: int | None = None,
        mass_kg: float | None = None,
        bones: str | Path | None = None,
        modern: bool = False,
    ) -> list[str]:
        """Write one file; its kind follows the suffix: ``.npz .csv .glb .bvh .osim .mot .trc .html``.

        A ``.csv`` holds the angles, or the detector's points where its name begins with ``keypoints``. OpenSim's model
        (``.osim``, with the bones in a folder ``Geometry`` beside it), motion (``.mot``) and markers (``.trc``) belong
        together; see :mod:`marrow.io.osim`.

        Args:
            influences: for ``.glb``: keep only so many bones per vertex.
            mass_kg: for ``.osim``: the person's mass; by default the body's volume times a usual density.
            bones: for ``.osim``: the folder ``Geometry`` of your own OpenSim, whose bones the model then names, scaled
                to the person; see :mod:`marrow.skeleton.osim.geometry`.
            modern: for ``.osim`` and ``.mot``, which then belong together: the joint classes of OpenSim 4.5 for spine
                and scapula; see :mod:`marrow.skeleton.osim.modern`.

        Returns:
            remarks, such as what fewer influences or modern joints cost.

        Raises:
            InputError: an unknown suffix, or a folder without bones.
            OutputError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in SUFFIXES:
            given = suffix or "a file without suffix"
            raise InputError(f"{path}: cannot save as {given}; choose {' '.join(SUFFIXES)}")
        if suffix == ".html":
            from marrow.view import scene_of, write_html

            write_html(path, scene_of(self))
            return []
        geometry = None if bones is None else Path(bones)
        export = self._export.with_options(mass_kg=mass_kg, geometry=geometry, modern=modern)
        return io.save(path, export, influences=influences)

    @functools.cached_property
    def _export(self) -> io.PersonExport:
        return exported(
            self.name,
            self.motion,
            self.skeleton,
            self.rest,
            self.body,
            frames=self.frames,
            video_time=self.video_time,
            track=self.track,
        )

    def plot(self, *names: str) -> Plot:
        """Angle curves with their 95 % bands as a matplotlib figure, such as ``person.plot("knee_angle")``."""
        from marrow.view.curves import plot_angles

        return plot_angles(self.motion.time, self.angles, self.confidence, names=names or None, title=self.name)

    @property
    def error(self) -> Float64:
        """(T, K) distance of each detected keypoint from the fitted body's, as a share of the standing height."""
        return self.reprojection_px / self.height_px[:, None]

    def summary(self) -> dict[str, Any]:
        """What was found, in one row."""
        knee = [np.nanmax(self.angles[f"knee_angle_{side}"]) for side in "rl"]
        return {
            "person": self.name,
            "first frame": int(self.frames[0]),
            "last frame": int(self.frames[-1]),
            "frames seen": len(self.track.frames),
            "height (m)": round(self.height_m, 3),
            "scale": "given" if self.height_given else "assumed",
            "error (% of height)": round(float(np.nanmedian(self.error)) * 100, 2),
            "most knee flexion r, l (°)": [round(float(value)) for value in knee],
        }


def exported(
    name: str,
    motion: Motion,
    skeleton: Skeleton,
    rest: Rest,
    body: DefaultBody,
    *,
    frames: NDArray[np.int64] | None = None,
    video_time: Float64 | None = None,
    track: Track | None = None,
) -> io.PersonExport:
    """A motion on a body as the exporters need it; without a video every sample is a frame of its own."""
    R, p = skeleton.forward(motion.q, motion.translation)
    return io.PersonExport(
        motion=motion,
        frames=np.arange(len(motion.q)) if frames is None else frames,
        video_time=motion.time if video_time is None else video_time,
        bodies=skeleton.bodies,
        parents=skeleton.parents,
        bind=skeleton.bind,
        R=R,
        p=p,
        vertices=rest.vertices,
        faces=body.faces,
        weights=body.skin_weights(skeleton.bodies),
        uv=body.uv,
        faces_uv=body.faces_uv,
        derived=skeleton.derived_angles(motion.q),
        derived_sd=derived_columns(motion.derived_sd),
        derived_mark=derived_columns(motion.derived_mark),
        ends=_bone_ends(skeleton),
        track=track,
        skeleton=skeleton,
        markers=skin_markers(rest, skeleton),
        bony=bony_landmarks(rest),
        centres=joint_centres_of(rest),
        name=name,
        extras={"generator": f"marrow {__version__}", "body": body.spec.licence},
    )


def _bone_ends(skeleton: Skeleton) -> dict[str, Float64]:
    """Tip of each segment without children, in its own axes, metres."""
    leaves = set(range(len(skeleton.bodies))) - set(skeleton.parents.tolist())
    return {
        skeleton.bodies[body]: local
        for name, body, local in zip(skeleton.point_names, skeleton.point_body, skeleton.point_local, strict=True)
        if int(body) in leaves and ("_tip" in name or name == "head_top")
    }


def standing_height_px(height_m: float, translation: Float64, camera: Camera) -> Float64:
    """(T,) pixels that a standing person's height takes at the distance of the pelvis (T, 3); NaN behind the camera."""
    depth = translation @ camera.R_cam_world[2] + camera.t_cam_world[2]
    return height_m * camera.K[1, 1] / np.where(depth > 0, depth, np.nan)


def derived_columns(values: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
    """Columns (T, 9) of the derived angles by name; empty for None."""
    return {} if values is None else dict(zip(DERIVED, values.T, strict=True))
