"""What every body model is: a specification, a rest stage for one person, and poses of that person.

``model.rest(shape, expression, bones)`` makes one person once, ``model.pose(rest, pose, translation)`` poses them as
often as wanted. Both take and give numpy arrays in marrow's world (metres, Y up, a body at rest faces +Z).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body.shape import Parameter, checked
from marrow.errors import InputError
from marrow.types import Float64, Mesh


@dataclass(frozen=True)
class Spec:
    """What a body model is, so that nobody has to guess.

    Attributes:
        name: by which it is loaded.
        family: "anny", "smpl", "smplh", "smplx", "mano", "flame" or "skel".
        parameters: of the shape, in order, with ranges and what they mean.
        expressions: names of the expression's parameters.
        joints, parents, kinds: by joint; the root's parent is -1; kinds are "ball" or "coordinates" (named ones of the
            biomechanical skeleton).
        pose: how a pose is given, with its shape.
        bind_pose, zero_pose: how the body stands at rest, and where all of the pose is zero.
        root: what the first joint turns about, and what the translation is.
        rest_joints: where the joints of a person come from.
        correctives: what the pose does to the rest shape.
        licence, source, sha256: of the data.
        remark: what else to know, such as what has not been verified.
        units, axes: the same for all: marrow's.
    """

    name: str
    family: str
    parameters: tuple[Parameter, ...]
    expressions: tuple[str, ...]
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    kinds: tuple[str, ...]
    pose: str
    bind_pose: str
    zero_pose: str
    root: str
    rest_joints: str
    correctives: str
    licence: str
    source: str
    sha256: str
    remark: str = ""
    units: str = "m"
    axes: str = "Y up, faces +Z, left is +X"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the shape parameters, in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def defaults(self) -> dict[str, float]:
        """Default value of each shape parameter."""
        return {p.name: p.default for p in self.parameters}


class BodyModel(Protocol):
    """A body that can be shaped and posed; see the module."""

    @property
    def spec(self) -> Spec:
        """Units, axes, poses, parameters, joints, licence."""
        ...

    @property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        ...

    def rest(
        self,
        shape: Any = None,
        expression: Any = None,
        bones: Mapping[str, float] | None = None,
    ) -> Any:
        """One person at rest: ``vertices`` (V, 3), ``joints`` (J, 3), and what :meth:`pose` needs.

        Args:
            shape: parameter name to value, or values in the order of ``spec.parameters``; the rest is at its default.
            expression: name to value, or values in the order of ``spec.expressions``.
            bones: segment to its length in metres, for bodies whose skeleton has parameters of its own.
        Raises:
            InputError: unknown names, too many values, values that are not finite, or bones that cannot be set.
        """
        ...

    def pose(
        self,
        rest: Any,
        pose: ArrayLike,
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
    ) -> Mesh:
        """That person posed.

        Args:
            pose: (..., ...) as ``spec.pose`` says.
            translation: (..., 3) metres, as ``spec.root`` says.
            outputs: "vertices", "joints" or both; what is not asked for is not computed.
            vertex_ids: (n,) only these vertices; the Mesh then has no faces.
        Raises:
            InputError: wrong shapes, unknown outputs, numbers that are not finite.
        """
        ...


def values_of(given: Mapping[str, float] | ArrayLike | None, defaults: Mapping[str, float], what: str) -> Float64:
    """(n,) parameters in order, of a mapping by name or of the first few values; the others at their defaults.

    Raises:
        InputError: unknown names, too many values, or values that are not finite.
    """
    if isinstance(given, Mapping):
        return np.array(list((dict(defaults) | checked(given, defaults, f"{what} parameter")).values()), float)
    values, out = np.asarray(() if given is None else given, float), np.array(list(defaults.values()), float)
    if values.ndim != 1 or len(values) > len(out):
        raise InputError(f"{what}: expected up to {len(out)} values, got an array of shape {values.shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{what}: expected finite numbers, got NaN or infinity")
    out[: len(values)] = values
    return out


def check_outputs(outputs: Sequence[str], known: Sequence[str] = ("vertices", "joints")) -> None:
    """Raise InputError where something is asked for that a body does not give."""
    unknown = set(outputs) - set(known)
    if unknown:
        raise InputError(f"outputs: expected of {', '.join(known)}; got {', '.join(sorted(unknown))}")


def check_vertex_ids(vertex_ids: Sequence[int] | NDArray, count: int) -> NDArray[np.intp]:
    """``vertex_ids`` as an index array. Raises InputError if any lies outside ``[0, count)``."""
    ids = np.asarray(vertex_ids)
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise InputError(f"vertex_ids must be a list of integers, got an array of {ids.dtype} with shape {ids.shape}.")
    if ids.size and (ids.min() < 0 or ids.max() >= count):
        raise InputError(f"vertex_ids must lie in 0 … {count - 1}, got {ids.min()} … {ids.max()}.")
    return ids.astype(np.intp)
