"""What an .osim file says about motion, as plain data: bodies, joints, coordinates, couplings, markers.

Units are the file's: metres and radians. Frames are OpenSim's (ground: X forward, Y up, Z to the right).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from marrow.skeleton.osim.functions import Function
from marrow.types import Float64

GROUND = "ground"


@dataclass(frozen=True, eq=False)
class Placement:
    """A frame fixed in a body: ``x_body = R @ x + p``.

    Attributes:
        body: the body's name, or ``ground``.
        R: (3, 3).
        p: (3,) metres.
    """

    body: str
    R: Float64
    p: Float64


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid body.

    Attributes:
        mass: kg.
        mass_centre: (3,) metres, in the body.
        inertia: (6,) kg m²: xx, yy, zz, xy, xz, yz about the mass centre.
    """

    name: str
    mass: float
    mass_centre: Float64
    inertia: Float64


@dataclass(frozen=True)
class Coordinate:
    """A generalised coordinate.

    Attributes:
        rotational: an angle, which files hold in degrees if their header says so; else a length or what OpenSim calls
            coupled (it drives turns and shifts through functions), which files never scale.
        default: its value where nobody says otherwise.
        range: (low, high).
        clamped: solvers keep it within its range.
        locked: solvers hold it at its default.
        prescribed: its function of time where the file prescribes it; solvers follow it.
    """

    name: str
    rotational: bool
    default: float
    range: tuple[float, float]
    clamped: bool = False
    locked: bool = False
    prescribed: Function | None = None


@dataclass(frozen=True, eq=False)
class Motion:
    """An elementary motion: a turn about an axis or a shift along it, by a function of coordinates.

    Attributes:
        turns: rotation in radians; else translation in metres.
        axis: (3,) unit vector (translations: of any length) in the frame that the motions before have reached.
        function: the amount.
        coordinates: the function's arguments.
    """

    turns: bool
    axis: Float64
    function: Function
    coordinates: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Joint:
    """A joint: its child's frame starts on its parent's and goes through the motions, in order.

    Attributes:
        kind: OpenSim's class, such as ``PinJoint``.
        parent: the joint's frame in the parent body.
        child: the joint's frame in the child body.
        coordinates: names, in the file's order.
    """

    name: str
    kind: str
    parent: Placement
    child: Placement
    coordinates: tuple[str, ...]
    motions: tuple[Motion, ...]


@dataclass(frozen=True, eq=False)
class Coupling:
    """A coordinate that follows others: ``q[dependent] = function(q[independent])``."""

    name: str
    dependent: str
    independent: tuple[str, ...]
    function: Function


@dataclass(frozen=True, eq=False)
class Marker:
    """A point of a body.

    Attributes:
        location: (3,) metres, in the body.
    """

    name: str
    body: str
    location: Float64


@dataclass(frozen=True, eq=False)
class Model:
    """A model as read; joints in tree order (a parent comes before its children).

    Attributes:
        couplings: in the order in which they can be evaluated.
        warnings: what the file holds that is not followed, in words.
    """

    name: str
    file: Path
    bodies: tuple[Body, ...]
    joints: tuple[Joint, ...]
    coordinates: tuple[Coordinate, ...]
    couplings: tuple[Coupling, ...]
    markers: tuple[Marker, ...]
    warnings: tuple[str, ...] = ()

    @functools.cached_property
    def coordinate_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.coordinates)

    @functools.cached_property
    def marker_names(self) -> tuple[str, ...]:
        return tuple(m.name for m in self.markers)
