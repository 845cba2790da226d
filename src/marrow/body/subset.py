"""A few vertices and the landmarks as a fast float64 function of the shape vector, for solvers that difference it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marrow.body.bones import is_stretched
from marrow.body.default import DefaultBody, _Reading
from marrow.body.model import check_vertex_ids
from marrow.body.shape import PARTIAL
from marrow.errors import InputError
from marrow.types import Float64


class SubsetRest(NamedTuple):
    """Chosen vertices (..., n, 3) and landmarks (..., 3) of the bind pose, metres, float64, as ``Rest`` has them."""

    vertices: Float64
    landmarks: dict[str, Float64]


class BodySubset:
    """Chosen vertices of a body as a function of its shape vector.

    Attributes:
        vertex_ids: (n,) the chosen vertices.
        names: shape parameters in the order of the shape vector (by default phenotypes and limb stretches).
        defaults, low, high, mean, sd: (P,) of these parameters.
    """

    def __init__(self, body: DefaultBody, vertex_ids: Sequence[int] | NDArray, names: Sequence[str] | None) -> None:
        self.vertex_ids = check_vertex_ids(vertex_ids, body.vertex_count)
        known = {p.name: p for p in body.spec.parameters}
        self.names = tuple(names) if names is not None else tuple(n for n in known if not n.startswith(PARTIAL))
        unknown = [n for n in self.names if n not in known]
        if unknown:
            raise InputError(f"Unknown shape parameters {unknown}; the body's spec lists {len(known)} names.")
        chosen = [known[n] for n in self.names]
        self.defaults = np.array([p.default for p in chosen])
        self.low, self.high = np.array([p.low for p in chosen]), np.array([p.high for p in chosen])
        self.mean, self.sd = np.array([p.mean for p in chosen]), np.array([p.sd for p in chosen])
        self._body, self._base = body, body.spec.defaults
        floor = body._store.arrays["floor_vertices"].astype(np.intp)
        rest = np.setdiff1d(np.union1d(floor, body._landmarks.vertex_ids), self.vertex_ids)
        self._all_ids = np.concatenate([self.vertex_ids, rest])
        self._reading = _Reading(body, self._all_ids)
        columns = (3 * self._all_ids[:, None] + np.arange(3)).ravel()
        self._template = body._template[columns].astype(np.float64)
        self._basis = np.ascontiguousarray(body._store.basis[:, columns], dtype=np.float64)
        self._place = np.full(body.vertex_count, -1)
        self._place[self._all_ids] = np.arange(len(self._all_ids))
        self._rows: dict[int, tuple[NDArray, Float64]] = {}

    def rest(self, shapes: NDArray | Sequence[float]) -> SubsetRest:
        """Vertices and landmarks of shape vectors (..., P), in the order of :attr:`names`.

        Raises InputError where the last dimension is not P.
        """
        vectors = np.asarray(shapes, dtype=np.float64)
        if vectors.shape[-1:] != (len(self.names),):
            raise InputError(f"Shape vectors must have shape (..., {len(self.names)}), got {vectors.shape}.")
        body, flat = self._body, vectors.reshape(-1, len(self.names))
        every = [self._base | dict(zip(self.names, row, strict=True)) for row in flat.tolist()]
        coefficients = np.stack([body._coefficients(values) for values in every])
        blended = (self._template + coefficients @ self._basis).reshape(len(flat), -1, 3)
        vertices, heads = [], []
        for own, row, values in zip(blended, coefficients, every, strict=True):
            moves = body._moves(values, {})
            for sparse, strength in moves:
                places, move = self._sparse(sparse)
                own[places] += strength * move
            moved = self._reading.stretched(own, body._heads(row, moves), values)
            vertices.append(moved[0])
            heads.append(moved[1])
        weight = np.array([values["weight"] for values in every])
        skin, standing, landmarks = self._reading.standing(np.stack(vertices), np.stack(heads), weight)
        for i, values in enumerate(every):
            if is_stretched(values):
                own = {name: points[i] for name, points in landmarks.items()}
                skin[i], _, own = self._reading.with_bones(skin[i], standing[i], own, values)
                for name, point in own.items():
                    landmarks[name][i] = point
        lead = vectors.shape[:-1]
        return SubsetRest(
            skin[:, : len(self.vertex_ids)].reshape(*lead, len(self.vertex_ids), 3),
            {name: x.reshape(*lead, 3) for name, x in landmarks.items()},
        )

    def _sparse(self, row: int) -> tuple[NDArray, Float64]:
        if row not in self._rows:
            ids, move = self._body._store.sparse_row(row)
            places = self._place[ids]
            self._rows[row] = places[places >= 0], move[places >= 0].astype(np.float64)
        return self._rows[row]
