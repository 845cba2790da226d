"""Forward kinematics and Jacobians of any model read from an .osim file, over frames."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.conventions import nearest_names
from marrow.errors import InputError
from marrow.skeleton.osim import _fast_kinematics as fast
from marrow.skeleton.osim import tables as tabulate
from marrow.skeleton.osim.functions import Function
from marrow.skeleton.osim.model import GROUND, Model
from marrow.types import Float64


class Kinematics:
    """A model ready to be posed.

    Positions and rotations are in OpenSim's ground (X forward, Y up, Z to the right), metres; coordinates ``q`` are the
    model's, in the order of :attr:`coordinates`, radians and metres. Leading dimensions are free. Coordinates are taken
    as they come; :meth:`couple` makes the dependent ones follow.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tables = tabulate.build(model)
        self.bodies: tuple[str, ...] = tuple(joint.child.body for joint in model.joints)
        self.coordinates = model.coordinate_names
        self.markers = model.marker_names
        arguments = np.diff(self.tables.functions.arg_start)
        self.width = int(max(3, arguments.max(initial=0), *(len(c.independent) for c in model.couplings), 0))

    @functools.cached_property
    def default(self) -> Float64:
        """(D,) default values, dependent coordinates following."""
        return self.couple([c.default for c in self.model.coordinates])

    @functools.cached_property
    def ranges(self) -> Float64:
        """(D, 2) ranges as the file gives them; see ``Coordinate.clamped`` for whether they bind."""
        return np.array([c.range for c in self.model.coordinates], float).reshape(-1, 2)

    @functools.cached_property
    def couplings(self) -> tabulate.Functions:
        """The functions of the couplings."""
        return tabulate.flatten_functions(
            [c.function for c in self.model.couplings],
            [[self.index(name) for name in c.independent] for c in self.model.couplings],
        )

    @functools.cached_property
    def dependent(self) -> NDArray[np.int64]:
        """Coordinate index of each coupling's dependent one."""
        return np.array([self.index(c.dependent) for c in self.model.couplings], np.int64)

    @functools.cached_property
    def marker_bodies(self) -> NDArray[np.int64]:
        """(M,) body of each marker, -1 for the ground."""
        return np.array([self.body_index(m.body) for m in self.model.markers], np.int64)

    @functools.cached_property
    def marker_locations(self) -> Float64:
        """(M, 3) metres, in the bodies."""
        return np.array([m.location for m in self.model.markers], float).reshape(-1, 3)

    def index(self, coordinate: str) -> int:
        """Index of a coordinate.

        Raises:
            InputError: the model has none of that name.
        """
        return _position(coordinate, self.coordinates, "coordinate")

    def body_index(self, body: str) -> int:
        """Index of a body, -1 for the ground.

        Raises:
            InputError: the model has none of that name.
        """
        return -1 if body == GROUND else _position(body, self.bodies, "body")

    def couple(self, q: ArrayLike) -> Float64:
        """Coordinates (..., D) with the dependent ones set by the couplings."""
        q, flat = self._flat(q)
        flat = flat.copy()
        fast.couple(self.couplings, self.dependent, flat, self.width)
        return flat.reshape(q.shape)

    def forward(self, q: ArrayLike) -> tuple[Float64, Float64]:
        """Rotations (..., B, 3, 3) and origins (..., B, 3) of the bodies' frames.

        Args:
            q: (..., D) radians and metres.
        """
        R, p, _ = self._poses(q)
        return R, p

    def marker_positions(self, q: ArrayLike) -> Float64:
        """(..., M, 3) positions of all markers of the model."""
        return self.points(q, self.marker_bodies, self.marker_locations)

    def points(self, q: ArrayLike, bodies: Sequence[int] | NDArray[np.int64], local: ArrayLike) -> Float64:
        """(..., N, 3) positions of points fixed to bodies.

        Args:
            bodies: (N,) body indices, -1 for the ground.
            local: (N, 3) metres, in the bodies.
        """
        R, p, _ = self._poses(q)
        return _world(R, p, np.asarray(bodies, np.int64), np.asarray(local, float).reshape(-1, 3))

    def jacobian(self, q: ArrayLike, bodies: Sequence[int] | NDArray[np.int64], local: ArrayLike) -> Float64:
        """(..., N, 3, D): derivatives of :meth:`points` by each coordinate on its own (couplings not applied)."""
        shape = np.shape(q)[:-1]
        bodies, local = np.asarray(bodies, np.int64), np.asarray(local, float).reshape(-1, 3)
        R, p, screws = self._poses(q)
        count = int(np.prod(shape, dtype=int))
        points = np.ascontiguousarray(_world(R, p, bodies, local).reshape(count, -1, 3))
        flat = screws.reshape(count, -1, 6)
        J = fast.point_jacobian(self.tables, flat, points, bodies, len(self.coordinates))
        return J.reshape(*shape, len(bodies), 3, len(self.coordinates))

    def coupling_jacobian(self, q: ArrayLike) -> Float64:
        """(..., D, D): derivatives of :meth:`couple` by each coordinate; those by dependent coordinates are zero.

        ``jacobian(q, …) @ coupling_jacobian(q)`` is the derivative of the points where the couplings hold.
        """
        coupled, flat = self._flat(self.couple(q))
        rates = fast.coupling_rates(self.couplings, self.dependent, flat, self.width)
        return rates.reshape(*coupled.shape, flat.shape[1])

    def _poses(self, q: ArrayLike) -> tuple[Float64, Float64, Float64]:
        q, flat = self._flat(q)
        R, p, screws = fast.poses(self.tables, flat, self.width)
        lead = q.shape[:-1]
        return (
            R.reshape(*lead, *R.shape[1:]),
            p.reshape(*lead, *p.shape[1:]),
            screws.reshape(*lead, *screws.shape[1:]),
        )

    def _flat(self, q: ArrayLike) -> tuple[Float64, Float64]:
        q = np.asarray(q, float)
        if q.shape[-1:] != (len(self.coordinates),):
            raise InputError(f"q: expected (..., {len(self.coordinates)}), the model's coordinates, got {q.shape}")
        return q, np.ascontiguousarray(q.reshape(int(np.prod(q.shape[:-1], dtype=int)), q.shape[-1]))


def forward_subjects(bodies: Sequence[Kinematics], q: ArrayLike) -> tuple[Float64, Float64]:
    """Rotations (S, ..., B, 3, 3) and origins (S, ..., B, 3) of S people's models, such as one scaled to each.

    Args:
        bodies: S models with the same bodies and coordinates.
        q: (S, ..., D) radians and metres.

    Raises:
        InputError: another number of models than of coordinates, or models that differ in more than their sizes.
    """
    q = np.asarray(q, float)
    if not len(bodies) or q.ndim < 2 or len(q) != len(bodies):
        raise InputError(
            f"q: expected ({len(bodies)}, ..., D), one block for each of at least one model, got {q.shape}"
        )
    for body in bodies:
        if (body.bodies, body.coordinates) != (bodies[0].bodies, bodies[0].coordinates):
            first = bodies[0].model.file
            raise InputError(f"{body.model.file}: its bodies or coordinates are not those of {first}, in their order")
    R, p = zip(*(body.forward(part) for body, part in zip(bodies, q, strict=True)), strict=True)
    return np.stack(R), np.stack(p)


def function_values(function: Function, x: ArrayLike) -> Float64:
    """Values (T,) of a function of one variable, such as a prescribed coordinate of time."""
    x = np.asarray(x, float).reshape(-1, 1)
    out = np.concatenate([x, np.zeros_like(x)], 1)
    fast.couple(tabulate.flatten_functions([function], [[0]]), np.array([1], np.int64), out, 3)
    return np.ascontiguousarray(out[:, 1])


def _world(R: Float64, p: Float64, bodies: NDArray[np.int64], local: Float64) -> Float64:
    x = np.einsum("...nij,nj->...ni", R[..., bodies, :, :], local) + p[..., bodies, :]
    x[..., bodies < 0, :] = local[bodies < 0]
    return x


def _position(name: str, known: tuple[str, ...], what: str) -> int:
    try:
        return known.index(name)
    except ValueError:
        near = ", ".join(nearest_names(name, known))
        raise InputError(f"no {what} {name!r} in this model; did you mean {near}?") from None
