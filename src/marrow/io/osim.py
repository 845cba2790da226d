"""A person for OpenSim: the model with its meshes, the motion, and the markers on the skin.

The three belong together. ``.osim`` is the skeleton scaled to the person, with masses and markers; ``.mot`` holds its
coordinates in degrees; ``.trc`` where its markers are, in metres. All are in OpenSim's ground (X forward, Y up, Z to
the right) and at the video's times. Replaying the motion in the model gives the segments and markers that marrow has:
nothing is fitted again.

Coordinates of which nothing was seen in any frame (:func:`marrow.io.tables.left_out`) are not claimed: their joints are
welded at the values they have and have no column in the motion, or they are locked where another coordinate of the
joint was seen. Frames in which the person was not seen stay in ``.mot``, filled in, because OpenSim's tools need them;
in ``.trc`` their cells are empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow import __version__
from marrow.conventions import to_ground
from marrow.errors import InputError
from marrow.io.files import GEOMETRY, output_error, temporary_beside, write_atomically
from marrow.io.influences import rectangular
from marrow.io.mot import Table, write_mot
from marrow.io.tables import LENGTHS, left_out
from marrow.io.trc import MarkerData, write_trc
from marrow.types import Float32, Float64

if TYPE_CHECKING:
    from marrow.io import PersonExport
    from marrow.skeleton import Skeleton
    from marrow.skeleton.osim.write import OtherJoint

#: Digits after the point: a micrometre in metres, and a hundred-millionth of a degree.
_TRC_DIGITS, _MOT_DIGITS = 6, 8

#: Radians by which a range is wider than the motion, so that rounding does not leave it.
_HAIR = 1e-6

#: Least weight of a segment on a triangle that its mesh also has.
_OVERLAP = 0.3

_PUBLICATIONS = (
    "Coordinates: Rajagopal et al. 2016, IEEE Trans. Biomed. Eng. 63(10); Lai et al. 2017, Ann. Biomed. Eng. 45; "
    "Uhlrich et al. 2022, Sci. Rep. 12. Masses: skin volumes, calibrated to de Leva 1996, J. Biomech. 29(9)."
)


class _Played(NamedTuple):
    """A motion as the model plays it: coordinates of the joints that are not welded, and their values (T, D), radians.

    ``fixed`` and ``joints`` are those of :class:`marrow.skeleton.osim.write.OsimExtras`.
    """

    coordinates: tuple[str, ...]
    q: Float64
    fixed: Mapping[str, float]
    joints: Mapping[str, OtherJoint | None]
    remarks: list[str]


class _Influences(NamedTuple):
    start: NDArray[np.int32]
    body: NDArray[np.int32]
    weight: Float32


def write_model(path: Path, person: PersonExport) -> list[str]:
    """Write ``.osim``, and its meshes into the folder ``Geometry`` beside it.

    Returns:
        Remarks: what modern joints cost.

    Raises:
        InputError: the person has no skeleton, or the package ``opensim`` is missing.
        OutputError: a file cannot be written.
    """
    from marrow.skeleton.inertia import segment_masses
    from marrow.skeleton.osim import modern
    from marrow.skeleton.osim.write import DOCUMENT_VERSION, OsimExtras, write_osim

    skeleton, played = _skeleton(path, person), _played(path, person)
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
        masses = modern.merged(masses, skeleton)
    meshes = {body: f"{path.stem}_{body}.obj" for body in _write_meshes(path, person)}
    extras = OsimExtras(
        name=person.name,
        markers=person.markers,
        meshes=meshes,
        fixed=played.fixed,
        reached=_reached(played),
        joints=played.joints,
        credits=" ".join([_credits(person), *(f"{remark}." for remark in played.remarks)]),
        publications=_PUBLICATIONS,
        version=modern.DOCUMENT_VERSION if person.modern else DOCUMENT_VERSION,
    )
    with temporary_beside(path) as part:
        write_osim(part, skeleton, masses, extras)
    return played.remarks


def write_motion(path: Path, person: PersonExport) -> list[str]:
    """Write ``.mot``: the coordinates of :func:`write_model`'s model in degrees (``pelvis_tx, ty, tz`` in metres).

    Returns:
        Remarks: what modern joints cost.

    Raises:
        InputError: the person has no skeleton.
        OutputError: the file cannot be written.
    """
    names, values, _, _, remarks = _played(path, person)
    values = values.copy()
    turns = [name not in LENGTHS for name in names]
    values[:, turns] = np.degrees(values[:, turns])
    values[:, [names.index(name) for name in LENGTHS]] = to_ground(person.motion.translation)
    table = Table(names, person.motion.time, np.round(values, _MOT_DIGITS), True, f"{person.name} by marrow")
    write_mot(path, table)
    return remarks


def write_markers(path: Path, person: PersonExport) -> None:
    """Write ``.trc``: the model's markers in the ground, metres; empty where the person was not seen.

    Raises:
        InputError: the person has no markers.
        OutputError: the file cannot be written.
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
    write_trc(path, MarkerData(tuple(person.markers), time, xyz, float(np.round(rate, 6)), "m"))


def _skeleton(path: Path, person: PersonExport) -> Skeleton:
    if person.skeleton is None:
        raise InputError(f"{path}: this motion has no skeleton to save; choose .glb, .bvh or .npz")
    return person.skeleton


def _fixed(person: PersonExport) -> Mapping[str, float]:
    """Coordinates of which nothing was seen, and the value (radians) that they keep."""
    motion = person.motion
    return {name: float(motion.q[0, motion.coordinates.index(name)]) for name in left_out(motion)}


def _played(path: Path, person: PersonExport) -> _Played:
    from marrow.skeleton.osim.modern import modernised
    from marrow.skeleton.osim.write import is_welded

    skeleton, fixed, motion = _skeleton(path, person), _fixed(person), person.motion
    if person.modern:
        found = modernised(skeleton, person.bony, motion.q, fixed)
        return _Played(found.coordinates, found.q, found.fixed, found.joints, [found.deviation.told()])
    names = [c.name for joint in skeleton.joints if not is_welded(joint, fixed) for c in joint.coordinates]
    return _Played(tuple(names), motion.q[:, [motion.coordinates.index(name) for name in names]], fixed, {}, [])


def _reached(played: _Played) -> Mapping[str, tuple[float, float]]:
    """Least and largest value of each angle of the skeleton's own joints, radians."""
    other = {name for joint in played.joints.values() if joint is not None for name in joint.coordinates}
    low, high = played.q.min(0) - _HAIR, played.q.max(0) + _HAIR
    ends = zip(played.coordinates, low.tolist(), high.tolist(), strict=True)
    return {name: (a, b) for name, a, b in ends if name not in LENGTHS and name not in other}


def _credits(person: PersonExport) -> str:
    body = person.extras.get("body", "")
    return f"Made by marrow {__version__}." + (f" Body: {body}." if body else "")


def _sparse(person: PersonExport) -> _Influences:
    """Skinning weights by vertex."""
    weights = person.weights
    if not isinstance(weights, np.ndarray):
        return _Influences(weights.start, weights.body, weights.weight)
    row, body = np.nonzero(weights)
    start = np.searchsorted(row, np.arange(len(weights) + 1)).astype(np.int32)
    return _Influences(start, body.astype(np.int32), weights[row, body].astype(np.float32))


def _write_meshes(path: Path, person: PersonExport) -> list[str]:
    """Write each segment's part of the skin as ``.obj`` in the segment's axes; the names of those that have one.

    Parts overlap where the skin is blended, so that few holes open when rigid parts turn against each other.
    """
    skin = rectangular(person.weights, len(person.vertices), len(person.bodies))
    dense = np.zeros((len(person.bodies), len(person.vertices)))
    np.add.at(dense, (skin.joints.T, np.arange(len(person.vertices))), skin.weights.T)
    share = dense[:, person.faces].mean(2)
    own = share >= np.minimum(_OVERLAP, share.max(0))
    folder = path.parent / GEOMETRY
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    written = []
    for b in np.flatnonzero(own.any(1)):
        used, faces = np.unique(person.faces[own[b]], return_inverse=True)
        local = (person.vertices[used] - person.bind[b, :3, 3]) @ person.bind[b, :3, :3]
        _write_obj(folder / f"{path.stem}_{person.bodies[b]}.obj", local, faces.reshape(-1, 3))
        written.append(person.bodies[b])
    return written


def _write_obj(path: Path, vertices: Float64, faces: NDArray[np.integer]) -> None:
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist()]
    with write_atomically(path, "w") as file:
        file.write("\n".join(lines) + "\n")
