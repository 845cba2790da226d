"""A person for OpenSim: the model with its bones, the motion, and the markers on the skin.

The three belong together. ``.osim`` is the skeleton scaled to the person, with masses, markers and meshes of the bones
(:mod:`marrow.skeleton.bones`, the light set) in the segments' frames, a file for each segment; ``.mot`` holds its
coordinates in degrees; ``.trc`` where its markers are, in metres. All are in OpenSim's ground (X forward, Y up, Z to
the right) and at the video's times. Replaying the motion in the model gives the segments and markers that marrow has:
nothing is fitted again.

Coordinates of which nothing was seen in any frame (:func:`marrow.io.tables.left_out`) are not claimed: their joints are
welded at the values they have and have no column in the motion, or they are locked where another coordinate of the
joint was seen. Frames in which the person was not seen stay in ``.mot``, filled in, because OpenSim's tools need them;
in ``.trc`` their cells are empty.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow import __version__
from marrow.conventions import to_ground
from marrow.errors import InputError
from marrow.io.files import GEOMETRY, output_error, temporary_beside
from marrow.io.meshes import write_obj
from marrow.io.mot import Table, write_mot
from marrow.io.tables import LENGTHS, left_out
from marrow.io.trc import MarkerData, write_trc
from marrow.types import Float32, Float64

if TYPE_CHECKING:
    from marrow.io import PersonExport
    from marrow.skeleton import Skeleton
    from marrow.skeleton.osim.write import OsimMesh, OtherJoint

#: Digits after the point: a micrometre in metres, and a hundred-millionth of a degree.
_TRC_DIGITS, _MOT_DIGITS = 6, 8

#: Radians by which a range is wider than the motion, so that rounding does not leave it.
_HAIR = 1e-6

_PUBLICATIONS = (
    "Coordinates: Rajagopal et al. 2016, IEEE Trans. Biomed. Eng. 63(10); Lai et al. 2017, Ann. Biomed. Eng. 45; "
    "Uhlrich et al. 2022, Sci. Rep. 12. Masses: skin volumes, calibrated to de Leva 1996, J. Biomech. 29(9)."
)


class Played(NamedTuple):
    """A motion as the model plays it: coordinates of the joints that are not welded, and their values (T, D), radians.

    ``fixed``, ``joints`` and ``version`` are those of :class:`marrow.skeleton.osim.write.OsimExtras`.
    """

    coordinates: tuple[str, ...]
    q: Float64
    fixed: Mapping[str, float]
    joints: Mapping[str, OtherJoint | None]
    version: int
    remarks: list[str]


class _Influences(NamedTuple):
    start: NDArray[np.int32]
    body: NDArray[np.int32]
    weight: Float32


def write_model(path: Path, person: PersonExport) -> list[str]:
    """Write ``.osim``, and the bones into the folder ``Geometry`` beside it, unless the user gives a folder of bones.

    Returns:
        Remarks: which bones the user's folder lacks; what modern joints cost.

    Raises:
        InputError: the person has no skeleton, the user's folder has no bones, or the package ``opensim`` is missing.
        OutputError: a file cannot be written.
    """
    from marrow.skeleton.inertia import segment_masses
    from marrow.skeleton.osim.write import OsimExtras, write_osim

    skeleton, played = _skeleton(path, person), person.played
    masses = segment_masses(
        person.vertices,
        person.faces,
        _sparse(person),
        skeleton.bind,
        skeleton.bodies,
        skeleton.parents,
        cuts=skeleton.cuts,
        mass_kg=person.mass_kg,
    )
    if person.modern:
        from marrow.skeleton.osim.modern import merged

        masses = merged(masses, skeleton)
    if person.geometry is None:
        meshes, remarks = _write_bones(path, person), []
    else:
        meshes, remarks = _users_bones(path, skeleton, person.geometry)
    extras = OsimExtras(
        name=person.name,
        markers=person.markers,
        meshes=meshes,
        fixed=played.fixed,
        reached=_reached(played),
        joints=played.joints,
        credits=" ".join([_credits(person), *(f"{remark}." for remark in played.remarks)]),
        publications=_PUBLICATIONS,
        version=played.version,
    )
    with temporary_beside(path) as part:
        write_osim(part, skeleton, masses, extras)
    return remarks + played.remarks


def write_motion(path: Path, person: PersonExport) -> list[str]:
    """Write ``.mot``: the coordinates of :func:`write_model`'s model in degrees (``pelvis_tx, ty, tz`` in metres).

    Returns:
        Remarks: what modern joints cost.

    Raises:
        InputError: the person has no skeleton.
        OutputError: the file cannot be written.
    """
    _skeleton(path, person)
    played = person.played
    names, values = played.coordinates, played.q.copy()
    turns = [name not in LENGTHS for name in names]
    values[:, turns] = np.degrees(values[:, turns])
    values[:, [names.index(name) for name in LENGTHS]] = to_ground(person.motion.translation)
    table = Table(names, person.motion.time, np.round(values, _MOT_DIGITS), True, f"{person.name} by marrow")
    write_mot(path, table)
    return played.remarks


def write_markers(path: Path, person: PersonExport) -> None:
    """Write ``.trc``: the model's markers in the ground, metres; empty where the person was not seen.

    Raises:
        InputError: the person has no markers.
        OutputError: the file cannot be written.
    """
    write_trc(path, marker_data(path, person))


def marker_data(path: Path, person: PersonExport) -> MarkerData:
    """The model's markers over time in OpenSim's ground, metres; NaN where the person was not seen.

    Raises:
        InputError: the person has no markers; ``path`` is what was to be written.
    """
    skeleton = _skeleton(path, person)
    if not person.markers:
        raise InputError(f"{path}: this motion has no markers to save; .mot holds its coordinates")
    bodies = [skeleton.body_index(body) for body, _ in person.markers.values()]
    local = np.array([place for _, place in person.markers.values()])
    xyz = to_ground(person.p[:, bodies] + np.einsum("tmij,mj->tmi", person.R[:, bodies], local))
    xyz = np.round(xyz, _TRC_DIGITS)
    if person.motion.observed is not None:
        xyz[~person.motion.observed] = np.nan
    time = person.motion.time
    rate = (len(time) - 1) / (time[-1] - time[0]) if len(time) > 1 else 1.0
    return MarkerData(tuple(person.markers), time, xyz, float(np.round(rate, 6)), "m")


def _skeleton(where: str | Path, person: PersonExport) -> Skeleton:
    if person.skeleton is None:
        raise InputError(f"{where}: this motion has no skeleton to save; choose .glb, .bvh or .npz")
    return person.skeleton


def _fixed(person: PersonExport) -> Mapping[str, float]:
    """Coordinates of which nothing was seen, and the value (radians) that they keep."""
    motion = person.motion
    return {name: float(motion.q[0, motion.coordinates.index(name)]) for name in left_out(motion)}


def played(person: PersonExport) -> Played:
    """What model and motion have in common; :attr:`marrow.io.PersonExport.played` keeps it for both."""
    from marrow.skeleton.osim.write import DOCUMENT_VERSION, is_welded

    skeleton, fixed, motion = _skeleton(person.name, person), _fixed(person), person.motion
    if person.modern:
        from marrow.skeleton.osim import modern

        found = modern.modernised(skeleton, person.bony, motion.q, fixed)
        told = [found.deviation.told()]
        return Played(found.coordinates, found.q, found.fixed, found.joints, modern.DOCUMENT_VERSION, told)
    names = [c.name for joint in skeleton.joints if not is_welded(joint, fixed) for c in joint.coordinates]
    q = motion.q[:, [motion.coordinates.index(name) for name in names]]
    return Played(tuple(names), q, fixed, {}, DOCUMENT_VERSION, [])


def _reached(played: Played) -> Mapping[str, tuple[float, float]]:
    """Least and largest value of each angle of the skeleton's own joints, radians."""
    other = {name for joint in played.joints.values() if joint is not None for name in joint.coordinates}
    low, high = played.q.min(0) - _HAIR, played.q.max(0) + _HAIR
    ends = zip(played.coordinates, low.tolist(), high.tolist(), strict=True)
    return {name: (a, b) for name, a, b in ends if name not in LENGTHS and name not in other}


def _credits(person: PersonExport) -> str:
    credits = [f"Made by marrow {__version__}."]
    if "body" in person.extras:
        credits.append(f"Body: {person.extras['body']}.")
    if person.geometry is not None:
        credits.append("Bones: meshes of the user's own OpenSim, scaled; their own terms hold.")
    elif person.bony:
        credits.append("Bones: marrow's, CC0, fitted to the person's landmarks; not an image of their own bones.")
    return " ".join(credits)


def _sparse(person: PersonExport) -> _Influences:
    """Skinning weights by vertex."""
    weights = person.weights
    if not isinstance(weights, np.ndarray):
        return _Influences(weights.start, weights.body, weights.weight)
    row, body = np.nonzero(weights)
    start = np.searchsorted(row, np.arange(len(weights) + 1)).astype(np.int32)
    return _Influences(start, body.astype(np.int32), weights[row, body].astype(np.float32))


def _write_bones(path: Path, person: PersonExport) -> dict[str, list[OsimMesh]]:
    """Write the bones of each segment as one ``.obj`` in the segment's axes; segment to its mesh.

    A body without bony landmarks has no bones to write.
    """
    from marrow.skeleton.bones import bones
    from marrow.skeleton.osim.write import OsimMesh

    if not person.bony:
        return {}
    frames = dict(zip(person.bodies, person.bind, strict=True))
    folder = path.parent / GEOMETRY
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    meshes = {}
    for segment, mesh in bones(person.bony, person.centres, frames, detail="light").items():
        file = f"{path.stem}_{segment}.obj"
        write_obj(folder / file, mesh.vertices, mesh.faces)
        meshes[segment] = [OsimMesh(file)]
    return meshes


def _users_bones(path: Path, skeleton: Skeleton, folder: Path) -> tuple[dict[str, list[OsimMesh]], list[str]]:
    """Segment to the user's own meshes, and what is missing among them.

    A folder that lies beside or below the model is named from there, so that the two can be moved together; any other
    by its whole path. Files in the model's own ``Geometry`` need no folder.
    """
    from marrow.skeleton.osim.geometry import placed_meshes, read_geometry_folder

    found = read_geometry_folder(folder)
    home = path.absolute().parent
    if found.path in (home, home / GEOMETRY):
        prefix = Path()
    else:
        prefix = found.path.relative_to(home) if found.path.is_relative_to(home) else found.path
    meshes = {
        segment: [dataclasses.replace(mesh, file=(prefix / mesh.file).as_posix()) for mesh in own]
        for segment, own in placed_meshes(found, skeleton).items()
    }
    if not found.missing:
        return meshes, []
    some = ", ".join(found.missing[:6]) + (" …" if len(found.missing) > 6 else "")
    every = len(found.missing) + len(found.files)
    told = (
        f"{found.path} lacks {len(found.missing)} of {every} bones (legs of {found.model}), which are left out: {some}"
    )
    return meshes, [f"{path.name}: {told}"]
