"""OpenSim as the referee: small models written for the tests, and what OpenSim makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import opensim

from marrow.skeleton.osim import Kinematics, read_osim

opensim.Logger.setLevelString("Error")

SHARED = Path(__file__).parents[3].parent / "shared/data/opensim"


def coordinate(name: str, extra: str = "") -> str:
    """A <Coordinate>, not clamped."""
    return f'<Coordinate name="{name}"><range>-9 9</range><clamped>false</clamped>{extra}</Coordinate>'


def offset(name: str, body: str, translation: str = "0 0 0", orientation: str = "0 0 0") -> str:
    return (
        f'<PhysicalOffsetFrame name="{name}"><socket_parent>{body}</socket_parent>'
        f"<translation>{translation}</translation><orientation>{orientation}</orientation></PhysicalOffsetFrame>"
    )


def joint(
    kind: str, name: str, parent: str, child: str, coordinates: Sequence[str], inside: str = "", extra: str = ""
) -> str:
    """A joint with turned and shifted frames on both sides."""
    listed = "".join(coordinate(c, extra) for c in coordinates)
    frames = offset("in_parent", f"/{parent}", "0.1 -0.2 0.05", "0.3 -0.4 0.2")
    frames += offset("in_child", f"/{child}", "-0.05 0.12 0.07", "-0.2 0.5 1.1")
    return (
        f'<{kind} name="{name}"><socket_parent_frame>in_parent</socket_parent_frame>'
        f"<socket_child_frame>in_child</socket_child_frame><coordinates>{listed}</coordinates>"
        f"<frames>{frames}</frames>{inside}</{kind}>"
    )


def marker(name: str, body: str, location: str) -> str:
    return (
        f'<Marker name="{name}"><socket_parent_frame>/bodyset/{body}</socket_parent_frame>'
        f"<location>{location}</location></Marker>"
    )


def document(bodies: Sequence[str], joints: Sequence[str], markers: Sequence[str] = (), more: str = "") -> str:
    """An .osim document of OpenSim 4."""
    held = "".join(
        f'<Body name="{b}"><mass>1</mass><mass_center>0 0 0</mass_center><inertia>1 1 1 0 0 0</inertia></Body>'
        for b in bodies
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<OpenSimDocument Version="40600"><Model name="made">\n'
        f"<BodySet><objects>{held}</objects></BodySet>\n<JointSet><objects>{''.join(joints)}</objects></JointSet>\n"
        f"<MarkerSet><objects>{''.join(markers)}</objects></MarkerSet>\n{more}</Model></OpenSimDocument>\n"
    )


def two_joints(kind: str, count: int, inside: str = "") -> str:
    """A joint of a class on a body that itself turns, so that frames and screws have to add up."""
    names = [f"q{i}" for i in range(count)]
    return document(
        ["first", "second"],
        [
            joint("PinJoint", "base", "ground", "bodyset/first", ["base_angle"]),
            joint(kind, "tested", "bodyset/first", "bodyset/second", names, inside),
        ],
        [marker("a", "first", "0.1 0.2 0.3"), marker("b", "second", "-0.2 0.1 0.4"), marker("c", "second", "0 -0.3 0")],
    )


def axis(name: str, coordinates: str, direction: str, function: str) -> str:
    return (
        f'<TransformAxis name="{name}"><coordinates>{coordinates}</coordinates><axis>{direction}</axis>'
        f"{function}</TransformAxis>"
    )


LINEAR = '<LinearFunction name="function"><coefficients>1 0</coefficients></LinearFunction>'
NOTHING = '<Constant name="function"><value>0</value></Constant>'


def custom(function: str, coordinates: str = "q0") -> str:
    """A <SpatialTransform> in which the function turns, shifts, and turns about an oblique axis."""
    return "<SpatialTransform>{}</SpatialTransform>".format(
        "".join(
            [
                axis("rotation1", coordinates, "0 0 1", function),
                axis("rotation2", "q1", "0.6 0 0.8", LINEAR),
                axis("rotation3", coordinates, "0.2 -0.9 0.3", function),
                axis("translation1", coordinates, "2 0 0", function),
                axis("translation2", "q1", "0 1 0", LINEAR),
                axis("translation3", "", "0 0 1", '<Constant name="function"><value>0.25</value></Constant>'),
            ]
        )
    )


def saved(folder: Path, text: str) -> Path:
    path = folder / "model.osim"
    path.write_text(text, encoding="utf-8")
    return path


class Oracle:
    """A model in OpenSim."""

    def __init__(self, path: Path, coordinates: Sequence[str]) -> None:
        self.model = opensim.Model(str(path))
        self.state = self.model.initSystem()
        self.coordinates = [self.model.getCoordinateSet().get(name) for name in coordinates]
        assert len(self.coordinates) == self.model.getCoordinateSet().getSize()
        for held in self.coordinates:
            held.setLocked(self.state, False)

    def pose(self, q: np.ndarray) -> None:
        for held, value in zip(self.coordinates, q, strict=True):
            held.setValue(self.state, float(value), False)
        self.model.realizePosition(self.state)

    def frame(self, body: str) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (3, 3) and origin (3,) of a body in the ground."""
        frame = self.model.getBodySet().get(body).getTransformInGround(self.state)
        R, p = frame.R(), frame.p()
        return np.array([[R.get(i, k) for k in range(3)] for i in range(3)]), np.array([p.get(i) for i in range(3)])

    def marker(self, name: str) -> np.ndarray:
        x = self.model.getMarkerSet().get(name).getLocationInGround(self.state)
        return np.array([x.get(i) for i in range(3)])


def largest_difference(path: Path, poses: int, spread: float = 1.0, seed: int = 0) -> tuple[float, float]:
    """Largest differences over random poses: positions of bodies and markers, metres, and entries of rotations."""
    body = Kinematics(read_osim(path))
    oracle = Oracle(path, body.coordinates)
    q = np.random.default_rng(seed).uniform(-spread, spread, (poses, len(body.coordinates)))
    R, p = body.forward(q)
    x = body.marker_positions(q)
    metres, entries = 0.0, 0.0
    for t in range(poses):
        oracle.pose(q[t])
        for b, name in enumerate(body.bodies):
            their_R, their_p = oracle.frame(name)
            metres = max(metres, float(np.abs(p[t, b] - their_p).max()))
            entries = max(entries, float(np.abs(R[t, b] - their_R).max()))
        for m, name in enumerate(body.markers):
            metres = max(metres, float(np.abs(x[t, m] - oracle.marker(name)).max()))
    return metres, entries


def jacobian_error(body: Kinematics, q: np.ndarray, step: float = 1e-6) -> float:
    """Largest difference between the Jacobian of a point on every body and central differences."""
    bodies, local = np.arange(len(body.bodies)), np.tile([0.1, -0.2, 0.3], (len(body.bodies), 1))
    J = body.jacobian(q, bodies, local)
    numeric = np.empty_like(J)
    for d in range(len(q)):
        change = np.zeros(len(q))
        change[d] = step
        numeric[..., d] = (body.points(q + change, bodies, local) - body.points(q - change, bodies, local)) / (2 * step)
    return float(np.abs(J - numeric).max())


def solve(
    path: Path,
    names: Sequence[str],
    xyz: np.ndarray,
    weights: dict[str, float],
    tasks: Sequence[tuple[str, float, float]] = (),
    accuracy: float = 1e-9,
) -> tuple[list[str], np.ndarray]:
    """OpenSim's inverse kinematics: names and values (T, D) of all coordinates.

    Args:
        xyz: (T, M, 3) metres, NaN for gaps.
        tasks: (coordinate, weight, value).
    """
    model = opensim.Model(str(path))
    state = model.initSystem()
    table = opensim.TimeSeriesTableVec3()
    table.setColumnLabels(list(names))
    for t, row in enumerate(xyz):
        values = opensim.RowVectorVec3(len(names))
        for m, x in enumerate(row):
            values[m] = opensim.Vec3(*map(float, x))
        table.appendRow(t / 100, values)
    chosen = opensim.SetMarkerWeights()
    for name, weight in weights.items():
        chosen.cloneAndAppend(opensim.MarkerWeight(name, weight))
    aims = opensim.SimTKArrayCoordinateReference()
    for name, weight, value in tasks:
        aim = opensim.CoordinateReference(name, opensim.Constant(value))
        aim.setWeight(weight)
        aims.push_back(aim)
    solver = opensim.InverseKinematicsSolver(model, opensim.MarkersReference(table, chosen), aims, float("inf"))
    solver.setAccuracy(accuracy)
    state.setTime(0.0)
    solver.assemble(state)
    coordinates = [model.getCoordinateSet().get(i) for i in range(model.getCoordinateSet().getSize())]
    q = np.empty((len(xyz), len(coordinates)))
    for t in range(len(xyz)):
        state.setTime(t / 100)
        solver.track(state)
        q[t] = [c.getValue(state) for c in coordinates]
    return [c.getName() for c in coordinates], q
