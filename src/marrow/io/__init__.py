"""Reading sources and writing results: :data:`EXPORTERS` is the table of what a person can be saved as.

Importing this package is cheap; each writer is loaded when it is used.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float32, Float64, Motion, Track

if TYPE_CHECKING:
    from marrow.io.influences import Influences
    from marrow.io.osim import Played
    from marrow.skeleton import Skeleton


@dataclass(frozen=True)
class PersonExport:
    """One person as the exporters need it: plain arrays, marrow's world, metres.

    Attributes:
        motion: T samples of D coordinates.
        frames: (T,) video frame of each sample.
        video_time: (N,) seconds of every video frame.
        bodies, parents: B segments of the skeleton, parents first; (B,) with -1 for the root.
        bind: (B, 4, 4) segment frames of the bind pose (``Skeleton.bind``).
        R, p: (T, B, 3, 3) and (T, B, 3) segments in the world (``Skeleton.forward``).
        vertices, faces: (V, 3) bind pose and (F, 3) (``body.rest(motion.shape).vertices``, ``body.faces``).
        weights: skinning weights by segment (``body.skin_weights(bodies)``).
        uv, faces_uv: texture coordinates, or None.
        derived, derived_sd: derived angles (``arm_*``), name to (T,) radians.
        derived_mark: their marks, name to (T,).
        ends: tip (3,) of segments without children, in their own axes, for formats that draw bones to their ends.
        track: the detector's keypoints, or None.
        skeleton: for OpenSim's formats; the same segments in the same order.
        markers: marker to its segment and place (3,) in that segment's frame, for OpenSim's formats.
        bony: landmarks on the bones in the bind pose, name to (3,) metres, by which ``.osim`` gets the person's bones.
        centres: joint centres that go with them, in the bind pose, name to (3,) metres.
        geometry: folder of the user's own OpenSim meshes, which ``.osim`` takes instead of those bones; or None.
        modern: ``.osim`` and ``.mot`` with the joint classes of OpenSim 4.5 (:mod:`marrow.skeleton.osim.modern`).
        mass_kg: of the person, or None where it is not known.
        name: used inside files.
        extras: provenance for formats that can hold it.
    """

    motion: Motion
    frames: NDArray[np.int64]
    video_time: Float64
    bodies: tuple[str, ...]
    parents: NDArray[np.int64]
    bind: Float64
    R: Float64
    p: Float64
    vertices: Float32
    faces: NDArray[np.int32]
    weights: Influences | Float64
    uv: Float32 | None = None
    faces_uv: NDArray[np.int32] | None = None
    derived: Mapping[str, Float64] = field(default_factory=dict)
    derived_sd: Mapping[str, Float64] = field(default_factory=dict)
    derived_mark: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    ends: Mapping[str, Float64] = field(default_factory=dict)
    track: Track | None = None
    skeleton: Skeleton | None = None
    markers: Mapping[str, tuple[str, Float64]] = field(default_factory=dict)
    bony: Mapping[str, Float64] = field(default_factory=dict)
    centres: Mapping[str, Float64] = field(default_factory=dict)
    geometry: Path | None = None
    modern: bool = False
    mass_kg: float | None = None
    name: str = "person"
    extras: Mapping[str, Any] = field(default_factory=dict)

    def with_options(self, **options: Any) -> PersonExport:
        """The same person with other values of these fields, which must be hashable.

        The same options give the same object, so files that belong together share what is computed for them.
        """
        return self._with_options.setdefault(tuple(sorted(options.items())), replace(self, **options))

    @functools.cached_property
    def _with_options(self) -> dict[tuple[tuple[str, Any], ...], PersonExport]:
        return {}

    @functools.cached_property
    def played(self) -> Played:
        """The motion as the model of ``.osim`` plays it in ``.mot``; needs the skeleton."""
        from marrow.io.osim import played

        return played(self)


def save(path: str | Path, person: PersonExport, *, influences: int | None = None) -> list[str]:
    """Write a person in the format that the suffix names.

    Args:
        path: file to write; its folder must exist.
        influences: for ``.glb``: keep only so many influences for each vertex.

    Returns:
        Remarks for the user, such as what dropping influences or modern joints cost, or which meshes a folder of bones
        lacks.

    Raises:
        InputError: no exporter for that suffix.
        OutputError: the file cannot be written.
    """
    return exporter(path)(Path(path), person, influences)


def exporter(path: str | Path) -> Callable[[Path, PersonExport, int | None], list[str]]:
    """What writes the format that the suffix of ``path`` names; raises InputError where nothing does."""
    suffix = Path(path).suffix.lower()
    if suffix not in EXPORTERS:
        raise InputError(f"{path}: cannot save as {suffix or 'a file without suffix'}; choose {' '.join(EXPORTERS)}")
    return EXPORTERS[suffix]


def _save_npz(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.npz import write_motion

    write_motion(path, person.motion)
    return []


def _save_csv(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    """``keypoints….csv`` holds the detector's points, any other name the angles."""
    from marrow.io.tables import write_angles_csv, write_keypoints_csv

    if path.stem.startswith("keypoints"):
        if person.track is None:
            raise InputError(f"{path}: this person has no keypoints to save")
        write_keypoints_csv(path, person.track, time=person.video_time)
        return []
    write_angles_csv(
        path,
        person.motion,
        frames=person.frames,
        time=person.video_time,
        derived=person.derived,
        derived_sd=person.derived_sd,
        derived_mark=person.derived_mark,
    )
    return []


def _save_glb(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.gltf import write_glb

    error = write_glb(
        path,
        vertices=person.vertices,
        faces=person.faces,
        weights=person.weights,
        bodies=person.bodies,
        parents=person.parents,
        bind=person.bind,
        R=person.R,
        p=person.p,
        time=person.motion.time,
        uv=person.uv,
        faces_uv=person.faces_uv,
        influences=influences,
        name=person.name,
        extras=person.extras,
    )
    if influences is None:
        return []
    return [f"{path.name}: with {influences} influences a vertex the skin moves by up to {error * 1000:.2f} mm"]


def _save_bvh(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.bvh import write_bvh

    write_bvh(
        path,
        bodies=person.bodies,
        parents=person.parents,
        R=person.R,
        p=person.p,
        time=person.motion.time,
        ends=person.ends,
    )
    return []


def _save_osim(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.osim import write_model

    return write_model(path, person)


def _save_mot(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.osim import write_motion

    return write_motion(path, person)


def _save_trc(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    from marrow.io.osim import write_markers

    write_markers(path, person)
    return []


def _save_c3d(path: Path, person: PersonExport, influences: int | None) -> list[str]:
    """The markers of ``.trc``, with Z up, as laboratories write C3D files."""
    from marrow.io.c3d import C3d, write_c3d
    from marrow.io.osim import marker_data

    data = marker_data(path, person)
    x, y, z = np.moveaxis(data.xyz, -1, 0)
    write_c3d(path, C3d(replace(data, xyz=np.stack([x, -z, y], -1), units="mm")))
    return []


#: Suffix to exporter; a new format is one more line here and one more file in this folder.
EXPORTERS: dict[str, Callable[[Path, PersonExport, int | None], list[str]]] = {
    ".npz": _save_npz,
    ".csv": _save_csv,
    ".glb": _save_glb,
    ".bvh": _save_bvh,
    ".osim": _save_osim,
    ".mot": _save_mot,
    ".trc": _save_trc,
    ".c3d": _save_c3d,
}
