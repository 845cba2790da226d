"""Written ``.osim``, ``.mot`` and ``.trc`` replayed in OpenSim itself, against the person they were written from."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marrow import io
from marrow.body import DefaultBody
from marrow.body.anatomy import bony_landmarks, landmarks
from marrow.body.default import Rest
from marrow.body.landmarks import joint_centres_of
from marrow.body.markers import MARKERS, skin_markers
from marrow.conventions import R_GROUND_WORLD, from_ground, to_ground
from marrow.data.motion_pack import MotionPack, PackedMotion
from marrow.io.files import GEOMETRY
from marrow.skeleton import Skeleton
from marrow.skeleton.osim.write import load_opensim
from marrow.types import Float64, Motion

FILES = ("skeleton.osim", "motion.mot", "markers.trc")
#: Bounds of the root's random rotations, radians, and spread of its place, metres.
_ROOT_TURN, _ROOT_WAY = (1.2, 1.2, np.pi), 1.0


@dataclass(frozen=True, eq=False)
class Replay:
    """What OpenSim made of one person's files; lengths in mm, angles in degrees.

    Attributes:
        log: warnings and errors while the files were loaded; empty if all is well.
        mass_kg: of the model.
        centres_mm: largest distance of a segment's origin from ours.
        markers_mm: the same of the model's markers, and of those in the ``.trc`` file.
        meshes_mm: the same of the meshes' vertices.
        coordinates_deg: largest difference of a coordinate (metres count as radians).
    """

    log: str
    mass_kg: float
    centres_mm: float
    markers_mm: float
    meshes_mm: float
    coordinates_deg: float


@dataclass(frozen=True, eq=False)
class Moved:
    """A written model as OpenSim moves it through the T rows of its motion.

    Attributes:
        log: warnings and errors while the files were loaded and played; empty if all is well.
        model: of the package ``opensim``.
        coordinates, q: names, and (T, D) values, radians and metres.
        bodies, R, p: names, and their frames in marrow's world, (T, B, 3, 3) and (T, B, 3) metres.
    """

    log: str
    model: Any
    coordinates: tuple[str, ...]
    q: Float64
    bodies: tuple[str, ...]
    R: Float64
    p: Float64


def random_person(body: DefaultBody, rng: np.random.Generator, poses: int) -> tuple[Rest, Skeleton, Motion]:
    """Somebody of 1 to 90 years and any phenotype, in random poses within the skeleton's ranges."""
    shape = {name: float(rng.uniform()) for name in ("gender", "age", "muscle", "weight", "height", "proportions")}
    for parameter in body.spec.parameters:
        if parameter.name.startswith("log_scale_"):
            shape[parameter.name] = float(rng.normal(0.0, parameter.sd))
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    q = rng.uniform(-1.0, 1.0, (poses, len(skeleton.coordinates)))
    low, high = np.nan_to_num(skeleton.ranges, posinf=0.0, neginf=0.0).T
    q = 0.5 * (low + high) + 0.5 * (high - low) * q
    q[:, :3] = rng.uniform(-1.0, 1.0, (poses, 3)) * _ROOT_TURN
    place = rng.normal(0.0, _ROOT_WAY, (poses, 3))
    q[:, skeleton.tree.translation] = to_ground(place)
    time = 0.1 + np.cumsum(rng.uniform(0.02, 0.05, poses))
    return rest, skeleton, Motion(time, skeleton.coordinates, q, place, shape)


def packed_person(
    body: DefaultBody, pack: MotionPack, clip: PackedMotion, *, every: int = 1, others_at_rest: bool = False
) -> tuple[Rest, Skeleton, Motion]:
    """The subject of a clip of the motion pack with each ``every``-th frame of it.

    ``others_at_rest`` has the coordinates that the pack lacks as in the bind pose, else they are zero.
    """
    shape = pack.shapes[clip.subject]
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    q = clip.full(skeleton.coordinates, skeleton.bind_q if others_at_rest else None)[::every]
    place = from_ground(q[:, skeleton.tree.translation])
    return rest, skeleton, Motion(np.arange(len(q)) * every / clip.fps, skeleton.coordinates, q, place, shape)


def people_options(description: str | None, *, people: int, poses: int, out: Path) -> argparse.Namespace:
    """``--people``, ``--poses`` and ``--out`` of a benchmark over random people, with these defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=people)
    parser.add_argument("--poses", type=int, default=poses)
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


def export_of(body: DefaultBody, rest: Rest, skeleton: Skeleton, motion: Motion) -> io.PersonExport:
    """The person as the exporters for OpenSim need it."""
    R, p = skeleton.forward(motion.q, motion.translation)
    return io.PersonExport(
        motion=motion,
        frames=np.arange(len(motion.time)),
        video_time=motion.time,
        bodies=skeleton.bodies,
        parents=skeleton.parents,
        bind=skeleton.bind,
        R=R,
        p=p,
        vertices=rest.vertices,
        faces=body.faces,
        weights=body.skin_weights(skeleton.bodies),
        skeleton=skeleton,
        markers=skin_markers(rest, skeleton),
        bony=bony_landmarks(rest),
        centres=joint_centres_of(rest),
    )


def written_and_replayed(person: io.PersonExport) -> Replay:
    """The person's files, written to a folder that does not stay, in OpenSim."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            io.save(Path(folder) / name, person)
        return replay(Path(folder), person)


def replay(folder: Path, person: io.PersonExport) -> Replay:
    """``skeleton.osim``, ``motion.mot`` and ``markers.trc`` of a folder in OpenSim, moved through all rows."""
    osim: Any = load_opensim()
    with _listening(osim) as sink:
        model, state, motion = _loaded(osim, folder)
        tracked = osim.TimeSeriesTableVec3(str(folder / "markers.trc"))
    names, values = motion.getColumnLabels(), motion.getMatrix().to_numpy()
    known = [person.motion.coordinates.index(name) for name in names]
    worst = np.zeros(4)
    worst[3] = np.degrees(np.abs(values - person.motion.q[:, known]).max())
    assert np.allclose(motion.getIndependentColumn(), person.motion.time, atol=1e-9)
    coordinates = [model.getCoordinateSet().get(name) for name in names]
    bodies = [model.getBodySet().get(name) for name in person.bodies]
    meshes = {b: _vertices(folder, name) for b, name in enumerate(person.bodies)}
    flat = tracked.flatten()
    in_trc = flat.getMatrix().to_numpy().reshape(len(values), -1, 3)
    for t, row in enumerate(values):
        for coordinate, value in zip(coordinates, row, strict=True):
            if not coordinate.getLocked(state):
                coordinate.setValue(state, float(value), False)
        model.realizePosition(state)
        R, p = _frames(bodies, state)
        centres = to_ground(person.p[t])
        worst[0] = max(worst[0], _apart(p, centres))
        expected = np.array([_placed(person, t, name, local) for name, local in person.markers.values()])
        found = np.array([model.getMarkerSet().get(n).getLocationInGround(state).to_numpy() for n in person.markers])
        worst[1] = max(worst[1], _apart(found, expected), _apart(in_trc[t], expected))
        for b, local in meshes.items():
            ours = to_ground(local @ person.R[t, b].T + person.p[t, b])
            worst[2] = max(worst[2], _apart(local @ R[b].T + p[b], ours))
    centres, markers, vertices = (float(value) for value in 1000 * worst[:3])
    return Replay(sink.getString(), model.getTotalMass(state), centres, markers, vertices, float(worst[3]))


def moved(folder: Path) -> Moved:
    """``skeleton.osim`` and ``motion.mot`` of a folder in OpenSim; it clamps coordinates as its window does."""
    osim: Any = load_opensim()
    with _listening(osim) as sink:
        model, state, motion = _loaded(osim, folder)
        played = [model.getCoordinateSet().get(name) for name in motion.getColumnLabels()]
        bodies, coordinates = list(model.getBodySet()), list(model.getCoordinateSet())
        q, frames = [], []
        for row in motion.getMatrix().to_numpy():
            for coordinate, value in zip(played, row, strict=True):
                if not coordinate.getLocked(state):
                    coordinate.setValue(state, float(value))
            model.realizePosition(state)
            q.append([coordinate.getValue(state) for coordinate in coordinates])
            frames.append(_frames(bodies, state))
    R, p = (np.array(part) for part in zip(*frames, strict=True))
    return Moved(
        log=sink.getString(),
        model=model,
        coordinates=tuple(coordinate.getName() for coordinate in coordinates),
        q=np.array(q),
        bodies=tuple(body.getName() for body in bodies),
        R=R_GROUND_WORLD.T @ R,
        p=from_ground(p),
    )


@contextlib.contextmanager
def _listening(osim: Any) -> Iterator[Any]:
    """A sink of what OpenSim says from warnings upwards."""
    sink = osim.StringLogSink()
    osim.Logger.setLevelString("Warn")
    osim.Logger.addSink(sink)
    try:
        yield sink
    finally:
        osim.Logger.removeSink(sink)


def _loaded(osim: Any, folder: Path) -> tuple[Any, Any, Any]:
    """Model, state and motion (radians) of a folder."""
    model = osim.Model(str(folder / "skeleton.osim"))
    state = model.initSystem()
    motion = osim.TimeSeriesTable(str(folder / "motion.mot"))
    model.getSimbodyEngine().convertDegreesToRadians(motion)
    return model, state, motion


def blended(body: DefaultBody, rest: Rest, skeleton: Skeleton, person: io.PersonExport) -> dict[str, Float64]:
    """Marker to (T,) mm: how far the skin's own point is from the one fixed to the marker's segment."""
    points = {landmark.name: landmark for landmark in landmarks()}
    used = sorted({v for landmark, _ in MARKERS.values() for v in points[landmark].vertices})
    posed = body.pose(rest, person.motion, vertex_ids=used, outputs=("vertices",)).vertices.astype(float)
    out = {}
    for name, (landmark, _) in MARKERS.items():
        at = [used.index(v) for v in points[landmark].vertices]
        skin = np.einsum("v,tvi->ti", points[landmark].weights, posed[:, at])
        segment, local = person.markers[name]
        b = person.bodies.index(segment)
        out[name] = 1000 * np.linalg.norm(skin - person.p[:, b] - person.R[:, b] @ local, axis=-1)
    return out


def _vertices(folder: Path, body: str) -> Float64:
    path = folder / GEOMETRY / f"skeleton_{body}.obj"
    lines = path.read_text().splitlines() if path.exists() else []
    return np.array([line.split()[1:] for line in lines if line.startswith("v ")], float).reshape(-1, 3)


def _frames(bodies: list[Any], state: Any) -> tuple[Float64, Float64]:
    frames = [body.getTransformInGround(state) for body in bodies]
    R = np.array([[[f.R().get(i, j) for j in range(3)] for i in range(3)] for f in frames])
    return R, np.array([f.p().to_numpy() for f in frames])


def _placed(person: io.PersonExport, t: int, body: str, local: Float64) -> Float64:
    b = person.bodies.index(body)
    return to_ground(person.R[t, b] @ local + person.p[t, b])


def _apart(a: Float64, b: Float64) -> float:
    return float(np.linalg.norm(a - b, axis=-1).max(initial=0.0))
