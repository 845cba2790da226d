"""Sequences of meshes of one topology: an ``.npz`` with ``vertices``, or one ``.obj`` or ``.ply`` file a frame.

An ``.npz`` holds ``vertices`` (T, V, 3) and may hold ``time`` (T,) in seconds or ``fps``, and ``faces``. Files of a
folder or a glob are frames in natural order of their names (``body2.obj`` before ``body10.obj``).
"""

from __future__ import annotations

import glob
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.io.columns import plain, read_content, refuse_times
from marrow.io.files import write_atomically
from marrow.io.images import natural_key
from marrow.types import Float32, Float64

#: (E, 2) vertices that an edge joins.
Edges = NDArray[np.int64]

MESH_SUFFIXES = (".obj", ".ply")
#: Frames per second of meshes whose source does not say.
FPS = 30.0

#: Diagonal of a person's box in most frames, metres: from a curled newborn to a giant with spread arms.
_PLAUSIBLE = (0.25, 4.0)
_USUAL = 1.9
_UNITS: Mapping[str, float] = {"mm": 0.001, "cm": 0.01, "inches": 0.0254}
#: Edges of another triangulation of the same quadrilaterals: two of three agree.
_LEAST_EDGES = 0.5
#: Mean length of an edge over the mesh's diagonal, as a multiple of the expected mesh's; no pose changes it so much.
_LONGEST_EDGES = 4.0


@dataclass(frozen=True)
class Topology:
    """What meshes are expected to be like: ``vertices`` (V, 3) of one, ``faces`` (F, 3), and their ``name``."""

    name: str
    vertices: Float32
    faces: NDArray[np.int32]

    @property
    def count(self) -> int:
        """V."""
        return len(self.vertices)


@dataclass(frozen=True, eq=False)
class MeshSequence:
    """T meshes of V vertices.

    Attributes:
        name: of the source.
        time: (T,) seconds.
        vertices: (T, V, 3) metres, in the axes of the source.
        remarks: what the user should know.
    """

    name: str
    time: Float64
    vertices: Float32
    remarks: tuple[str, ...] = ()


def is_mesh_source(source: str | Path) -> bool:
    """Whether a path is a sequence of meshes: a folder, a glob, a mesh file, or an ``.npz`` with ``vertices``."""
    path = Path(source)
    if path.suffix.lower() != ".npz":
        return path.is_dir() or glob.has_magic(str(path)) or path.suffix.lower() in MESH_SUFFIXES
    try:
        with np.load(path, allow_pickle=False) as archive:
            return "vertices" in archive.files
    except (OSError, ValueError, TypeError, EOFError, AttributeError, zipfile.BadZipFile):
        return False  # whoever reads it as something else tells what is wrong with it


def read_meshes(
    source: str | Path, topology: Topology, *, fps: float | None = None, metres_per_unit: float | None = None
) -> MeshSequence:
    """Read a sequence of meshes.

    Args:
        source: ``.npz``, a folder or glob of ``.obj`` or ``.ply`` files, or one such file.
        topology: that every mesh must have.
        fps: frames per second; by default what an ``.npz`` says, else 30 with a remark.
        metres_per_unit: by default 1; then a scale that no person has is refused.

    Raises:
        InputError: nothing to read, a damaged file, another topology, positions that are not finite, or a scale that
            no person has; it names file, frame and vertex.
    """
    path = Path(source)
    if path.suffix.lower() == ".npz":
        vertices, edges, time = _archive(path, topology, fps)
        places = [f"{path}, frame {t}" for t in range(len(vertices))]
    else:
        files = _files(path)
        vertices, edges = _frames(files, topology)
        time, places = None, [str(file) for file in files]
    _refuse_lost(vertices, places)
    _refuse_order(vertices[0], edges, topology, places[0])
    if metres_per_unit is None:
        _refuse_scale(vertices, str(path))
    else:
        vertices = vertices * np.float32(metres_per_unit)
    remarks = ()
    if time is None:
        time = np.arange(len(vertices)) / _rate(FPS if fps is None else fps, "fps")
        if fps is None and len(vertices) > 1:
            remarks = (f"the meshes have no times: {FPS:g} frames per second assumed; --fps tells another rate",)
    return MeshSequence(_name(path), time, vertices, remarks)


def write_obj(path: str | Path, vertices: NDArray, faces: NDArray[np.integer]) -> None:
    """Write one mesh, vertices (V, 3) to a hundredth of a millimetre of metres and faces (F, 3), as ``.obj``.

    Raises OutputError where the file cannot be written.
    """
    # One template for all lines: several times faster than a line at a time.
    lines = "v %.5f %.5f %.5f\n" * len(vertices) + "f %d %d %d\n" * len(faces)
    with write_atomically(path, "w") as file:
        file.write(lines % (*vertices.ravel().tolist(), *(faces + 1).ravel().tolist()))


def _name(path: Path) -> str:
    """``walk`` for ``walk.npz``, ``walk/`` and ``walk/*.obj``."""
    return (path.parent.resolve() if glob.has_magic(path.name) else path).stem or "meshes"


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


def _archive(path: Path, topology: Topology, fps: float | None) -> tuple[Float32, Edges, Float64 | None]:
    """Vertices, edges and times (None where neither the file nor ``fps`` tells them) of an ``.npz``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = {name: archive[name] for name in ("vertices", "time", "fps", "faces") if name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    x = held["vertices"]
    x = x[None] if x.ndim == 2 else x
    if x.dtype.kind not in "fiu" or len(x) == 0 or x.shape[1:] != (topology.count, 3):
        raise InputError(
            f"{path}: 'vertices' must be numbers (T, {topology.count}, 3), those of {topology.name}, got {x.dtype} "
            f"{x.shape}{_hint(x.shape[1]) if x.ndim == 3 else ''}"
        )
    faces = held.get("faces", np.zeros((0, 3), int))
    if faces.dtype.kind not in "iu" or faces.ndim != 2:
        raise InputError(f"{path}: 'faces' must be whole numbers (F, 3), got {faces.dtype} {faces.shape}")
    return np.asarray(x, np.float32), _edges(faces), _times(path, held, len(x)) if fps is None else None


def _times(path: Path, held: Mapping[str, NDArray], count: int) -> Float64 | None:
    """(T,) seconds by what an archive holds, or None."""
    for name, shape in (("time", (count,)), ("fps", ())):
        value = np.asarray(held.get(name, np.zeros(shape)))
        if value.shape != shape or value.dtype.kind not in "fiu":
            raise InputError(f"{path}: '{name}' must be numbers of shape {shape}, got {value.dtype} {value.shape}")
    if "time" in held:
        time = held["time"].astype(float)
        refuse_times(time, lambda index: f"{path}, time {index}")
        return time
    if "fps" in held:
        return np.arange(count) / _rate(float(held["fps"]), f"{path}: 'fps'")
    return None


def _rate(fps: float, where: str) -> float:
    if not (np.isfinite(fps) and fps > 0):
        raise InputError(f"{where}: expected frames per second above 0, got {fps}")
    return fps


def _hint(count: int) -> str:
    return (
        "; is it SMPL's body? With --model, marrow measure reads it; else only the default body's meshes are read"
        if count in (6890, 10475)
        else ""
    )


def _files(path: Path) -> list[Path]:
    """The mesh files of a folder or glob in natural order, of one kind."""
    if glob.has_magic(str(path)):
        found = [Path(match) for match in glob.glob(str(path), recursive=True)]
    elif path.is_dir():
        found = list(path.iterdir())
    else:
        found = [path]
    files = sorted((file for file in found if file.suffix.lower() in MESH_SUFFIXES), key=natural_key)
    if not files:
        raise InputError(f"{path}: no {' or '.join(MESH_SUFFIXES)} files there; expected one for each frame")
    kinds = {kind: sum(file.suffix.lower() == kind for file in files) for kind in MESH_SUFFIXES}
    if min(kinds.values()) > 0:
        told = " and ".join(f"{count} {kind}" for kind, count in kinds.items())
        raise InputError(f'{path}: {told} files; say which are meant, such as "{files[0].parent}/*{files[0].suffix}"')
    return files


def _frames(files: Sequence[Path], topology: Topology) -> tuple[Float32, Edges]:
    """Vertices (T, V, 3) of the files, and the edges of the first."""
    vertices, first = np.empty((len(files), topology.count, 3), np.float32), None
    for t, file in enumerate(files):
        x, edges = _obj(file) if file.suffix.lower() == ".obj" else _ply(file)
        if len(x) != topology.count:
            raise InputError(
                f"{file}: {len(x)} vertices; expected {topology.count}, those of {topology.name}, in every frame"
                f"{_hint(len(x))}"
            )
        vertices[t] = x
        first = edges if first is None else first
    return vertices, np.zeros((0, 2), np.int64) if first is None else first


def _obj(path: Path) -> tuple[Float64, Edges]:
    """Vertices (V, 3) and edges (E, 2) in the order of the file.

    General readers split vertices at the seams of a texture, and then their order is lost.
    """
    lines = read_content(path).splitlines()
    rows = [line.split()[1:4] for line in lines if line.startswith((b"v ", b"v\t"))]
    try:
        vertices = np.array(rows, float).reshape(len(rows), 3)
        corners = [[int(c.split(b"/")[0]) for c in line.split()[1:]] for line in lines if line.startswith(b"f ")]
    except ValueError:
        raise InputError(f"{path}: expected lines 'v x y z' and 'f a b c' with numbers; the file is damaged") from None
    edges = [(face[i - 1], corner) for face in corners for i, corner in enumerate(face)]
    number = np.array(edges, np.int64).reshape(-1, 2)
    return vertices, np.where(number < 0, number + len(rows), number - 1)


def _ply(path: Path) -> tuple[Float64, Edges]:
    """Vertices (V, 3) and edges (E, 2) in the order of the file."""
    import trimesh

    read_content(path)
    try:
        mesh: Any = trimesh.load(path, process=False)
        vertices, faces = np.asarray(mesh.vertices, float), np.asarray(getattr(mesh, "faces", np.zeros((0, 3))), int)
    except Exception as error:  # the reader fails in its own ways on every damaged header
        raise InputError(f"{path}: cannot be read as a .ply mesh ({type(error).__name__}: {error})") from error
    return vertices, _edges(faces)


# ---------------------------------------------------------------------------------------------------------------------
# Checks
# ---------------------------------------------------------------------------------------------------------------------


def _edges(faces: NDArray) -> Edges:
    """(E, 2) corners joined by an edge, of polygons (F, n)."""
    faces = np.asarray(faces, np.int64)
    return np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2)


def _refuse_lost(vertices: Float32, places: Sequence[str]) -> None:
    good = np.isfinite(vertices).all(-1)
    if not good.all():
        frame, vertex = (int(i) for i in np.argwhere(~good)[0])
        bad = int((~good.all(-1)).sum())
        raise InputError(
            f"{places[frame]}: vertex {vertex} is not finite; {bad} of {len(vertices)} meshes have such vertices. "
            "Leave those frames out"
        )


def _refuse_order(vertices: Float32, edges: Edges, topology: Topology, place: str) -> None:
    """Refuse vertices in another order: by the edges, where there are any, and by how far neighbours lie apart."""
    known = _edges(topology.faces)
    share = float(np.isin(_keys(edges), _keys(known)).mean()) if len(edges) else 1.0
    if share < _LEAST_EDGES:
        raise InputError(
            f"{place}: only {100 * share:.0f} % of its edges are edges of {topology.name}: as many vertices, but in "
            "another order. Export the mesh with its vertices kept as they are"
        )
    longer = _edge_length(vertices, known) / _edge_length(topology.vertices, known)
    if not longer < _LONGEST_EDGES:
        raise InputError(
            f"{place}: neighbours on {topology.name} lie {longer:.0f} times too far apart; expected vertices in its "
            "own order. Export the mesh with its vertices kept as they are"
        )


def _edge_length(vertices: NDArray, edges: Edges) -> float:
    """Mean length of the edges of a mesh (V, 3) as a share of its diagonal."""
    x = vertices.astype(float)
    length = np.linalg.norm(x[edges[:, 0]] - x[edges[:, 1]], axis=1).mean()
    return float(length / max(np.linalg.norm(np.ptp(x, axis=0)), 1e-12))


def _keys(edges: Edges) -> NDArray[np.int64]:
    """(E,) one number for each undirected edge."""
    low, high = np.sort(edges, axis=1).T
    return (low << 32) | high


def _refuse_scale(vertices: Float32, where: str) -> None:
    size = float(np.median(np.linalg.norm(vertices.max(1) - vertices.min(1), axis=-1)))
    if _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1]:
        return
    unit = min(_UNITS, key=lambda name: abs(np.log(max(size, 1e-9) * _UNITS[name] / _USUAL)))
    fits = _PLAUSIBLE[0] <= size * _UNITS[unit] <= _PLAUSIBLE[1]
    hint = f"Are they in {unit}? Then add --unit {_UNITS[unit]:g}" if fits else "Tell the metres to a unit with --unit"
    raise InputError(f"{where}: expected metres, and then the person is {plain(size)} m across. {hint}")
