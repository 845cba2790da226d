"""Models of the package ``body-models`` (the extra ``body-models``), behind marrow's interface and in marrow's axes.

For families that marrow does not read itself (MHR, SOMA, GNM, posed SKEL), and to compare: SMPL's family is faster
through :mod:`marrow.body.smpl`. The package (Apache-2.0) finds files by its own configuration, ``body-models set
smpl-neutral PATH``, and fetches those that are public from the network when it first needs them.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.linear import checked_translation, joint_rotations
from marrow.body.model import Spec, check_outputs, check_vertex_ids, values_of
from marrow.body.model_file import FAMILIES, licence_notice
from marrow.body.shape import PHENOTYPES, Parameter
from marrow.conventions import nearest_names
from marrow.errors import AssetError, InputError, UnknownNameError
from marrow.types import Float32, Float64, Mesh

#: Before the package's own name of a model, in :func:`marrow.body.load_body`.
PREFIX = "body-models:"
#: Ends of a name that choose among files, and the option of the package that they are.
_ENDS = {"neutral": "gender", "male": "gender", "female": "gender", "left": "side", "right": "side"}
_LICENCES = {
    "anny": "code Apache-2.0, data CC0-1.0 (MakeHuman)",
    "mhr": "code and data Apache-2.0, as its authors state",
    "soma": "code Apache-2.0; the identities of other models have those models' terms",
}
_SITE = "https://abcamiletto.github.io/body-models"


@dataclass(frozen=True, eq=False)
class PackageRest:
    """One person at rest; see :class:`marrow.body.model.BodyModel`.

    Attributes:
        shape, expression: values in the order of the specification.
        vertices: (V, 3) float32 metres.
        joints: (J, 3) float32 metres.
    """

    shape: Float64
    expression: Float64
    vertices: Float32
    joints: Float32


def load_package_body(name: str) -> PackageBody:
    """A model by the package's name of it, such as ``smplx``, ``smplx-female``, ``mano-left`` or ``mhr``.

    Raises:
        AssetError: the package is missing, or the files that the model needs.
        UnknownNameError: the package has no such model; near ones are told.
    """
    try:
        import body_models  # type: ignore[import-not-found]
    except ImportError:
        raise AssetError(
            f"{PREFIX}{name} needs the package body-models: pip install 'marrow[body-models]'. Files of SMPL's family "
            "need no package: marrow.load_body(PATH)."
        ) from None
    known = body_models.list_models()
    family, _, end = name.rpartition("-")
    options = {_ENDS[end]: end} if family in known and end in _ENDS else {}
    if not options and name not in known:
        near = ", ".join(PREFIX + other for other in nearest_names(name, known))
        raise UnknownNameError(f"there is no model {PREFIX}{name}; the nearest: {near}")
    try:
        model = body_models.create_model(family if options else name, runtime="numpy", **options)
    except Exception as error:  # whatever its many readers and its downloads meet
        raise AssetError(
            f"the package body-models cannot make {name!r}: {error}. Its files: {_SITE}; a file that you have: "
            f"body-models set {name} PATH"
        ) from error
    return PackageBody(model, PREFIX + name)


class PackageBody:
    """A model of the package as a body. Make it with ``marrow.load_body("body-models:NAME")``.

    Args:
        model: an instance of any of the package's classes, on any of its runtimes, with ``rotation_type="axis_angle"``.
        name: what the specification calls it; by default its family.
    Raises:
        InputError: a model with rotations other than axis-angle.
    """

    def __init__(self, model: Any, name: str | None = None) -> None:
        self._model = model
        self._family = type(model).__name__.lower()
        self._name = name or PREFIX + self._family
        self._parameters: Mapping[str, Any] = model.parameter_spec
        other = {s.rotation_type for s in self._parameters.values()} - {None, "axis_angle"}
        if other:
            raise InputError(
                f"{self._name}: rotations as {other.pop()}; make the model with rotation_type='axis_angle'"
            )
        self._driven: Mapping[str, tuple[int, ...]] = model.pose_joint_indices
        self._axes = np.eye(3)
        self._axes, self._sure = _axes(model, self._family, self._joints(self._at_rest(1))[0])

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        model, count = self._model, len(self._model.joint_names)
        ball = self._ball
        given = (
            f"(..., {count}, 3) rotation vectors or (..., {count}, 3, 3) matrices of the joints"
            if ball
            else f"(..., {self._width}) numbers: {', '.join(self._pose_names)}, one after the other"
        )
        return Spec(
            name=self._name,
            family=self._family,
            parameters=self._shape_parameters(),
            expressions=tuple(f"expression_{i}" for i in range(self._size("expression"))),
            joints=tuple(model.joint_names),
            parents=tuple(int(p) for p in model.parents),
            kinds=("ball" if ball else "coordinates",) * count,
            pose=f"{given}, as the package takes them; or a mapping of the package's own names to (..., *dims)",
            bind_pose="that of the package's template",
            zero_pose="the package's get_rest_pose()",
            root="as the package has it (global_rotation where no part of the pose turns the root); the translation is "
            "added after",
            rest_joints="as the package has them",
            correctives="none" if model.skinning_spec.corrective_basis is None else "as the package has them",
            licence=self._licence(),
            source=f"package body-models {importlib.metadata.version('body-models')}",
            sha256="",
            remark="computed by the package; only its axes are turned into marrow's"
            + ("" if self._sure else ", and which they are could not be told: they are taken for the same"),
        )

    @functools.cached_property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        return self._array(self._model.skinning_spec.triangles).astype(np.int32)

    def rest(
        self,
        shape: Mapping[str, float] | ArrayLike | None = None,
        expression: Mapping[str, float] | ArrayLike | None = None,
        bones: Mapping[str, float] | None = None,
    ) -> PackageRest:
        """One person; see :meth:`marrow.body.model.BodyModel.rest`."""
        if bones:
            raise InputError(f"bones: those of {self._name} follow its shape; only the default body's can be set")
        none = dict.fromkeys(self.spec.expressions, 0.0)
        person = values_of(shape, self.spec.defaults, "shape"), values_of(expression, none, "expression")
        given = self._at_rest(1) | self._identity(person, 1)
        return PackageRest(*person, self._vertices(given)[0], self._joints(given)[0])

    def pose(
        self,
        rest: PackageRest,
        pose: ArrayLike | Mapping[str, ArrayLike],
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
    ) -> Mesh:
        """That person posed; see :meth:`marrow.body.model.BodyModel.pose`."""
        check_outputs(outputs)
        ids = None if vertex_ids is None else check_vertex_ids(vertex_ids, len(rest.vertices))
        turns, lead = self._named_pose(pose) if isinstance(pose, Mapping) else self._pose_of(pose)
        count = int(np.prod(lead))
        shift = None if translation is None else torch.from_numpy(np.array(translation, np.float64))
        shift = checked_translation(shift, lead)
        given = self._at_rest(count) | self._identity((rest.shape, rest.expression), count) | turns
        if shift is not None:
            moved = np.zeros((count, 3)) + shift.numpy() @ self._axes
            given["global_translation"] = self._like(given["global_translation"] + self._like(moved))
        wanted = "vertices" in outputs
        vertices = self._vertices(given, ids) if wanted else np.zeros((0, 3), np.float32)
        joints = self._joints(given).reshape(*lead, -1, 3) if "joints" in outputs else None
        return Mesh(
            vertices.reshape(*lead, -1, 3) if wanted else vertices,
            self.faces if wanted and ids is None else np.zeros((0, 3), np.int32),
            joints,
            self.spec.joints if joints is not None else (),
        )

    # -----------------------------------------------------------------------------------------------------------------
    # Into the package's parameters
    # -----------------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _pose_names(self) -> tuple[str, ...]:
        return tuple(name for name, spec in self._parameters.items() if spec.role == "pose")

    @functools.cached_property
    def _width(self) -> int:
        return sum(self._size(name) for name in self._pose_names)

    @functools.cached_property
    def _ball(self) -> bool:
        """Whether the pose is one rotation for each joint, the root's being the global one where no part has it."""
        if any(self._parameters[name].rotation_type is None for name in self._pose_names):
            return False
        each = [joint for joints in self._driven.values() for joint in joints]
        fits = all(self._size(name) == 3 * len(joints) for name, joints in self._driven.items())
        return fits and sorted({0, *each}) == list(range(len(self._model.joint_names))) and len(each) == len(set(each))

    def _size(self, name: str) -> int:
        return int(np.prod(self._parameters[name].dims)) if name in self._parameters else 0

    def _pose_of(self, pose: ArrayLike) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Parameters (T, ...) of a pose in one array, and its leading shape."""
        if self._ball:
            import roma

            matrices, lead = joint_rotations(torch.from_numpy(np.array(pose, np.float64)), len(self._model.joint_names))
            vectors = roma.rotmat_to_rotvec(matrices).numpy()
            parts = {name: vectors[:, list(joints)] for name, joints in self._driven.items()}
            if not any(0 in joints for joints in self._driven.values()):
                parts["global_rotation"] = vectors[:, 0] @ self._axes
        else:
            values = np.asarray(pose, np.float64)
            if values.shape[-1:] != (self._width,) or not np.isfinite(values).all():
                raise InputError(f"pose: expected finite numbers, (..., {self._width}); got {values.shape}")
            lead, values = values.shape[:-1], values.reshape(-1, self._width)
            ends = np.cumsum([self._size(name) for name in self._pose_names])[:-1]
            parts = dict(zip(self._pose_names, np.split(values, ends, axis=1), strict=True))
        return {n: self._like(v.reshape(-1, *self._parameters[n].dims)) for n, v in parts.items()}, tuple(lead)

    def _named_pose(self, pose: Mapping[str, ArrayLike]) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Parameters (T, ...) of a pose by the package's names, and their leading shape."""
        known = {name: spec.dims for name, spec in self._parameters.items() if spec.role != "identity"}
        lead: tuple[int, ...] | None = None
        parts = {}
        for name, given in pose.items():
            if name not in known:
                raise InputError(f"pose: expected names among {', '.join(known)}; got {name}")
            values, dims = np.asarray(given, np.float64), known[name]
            before = values.shape[: values.ndim - len(dims)]
            if values.shape[len(before) :] != dims or (lead is not None and before != lead):
                wanted = "..." if lead is None else ", ".join(map(str, lead)) or "nothing more"
                raise InputError(f"{name}: expected {dims} after {wanted}, got {values.shape}")
            if not np.isfinite(values).all():
                raise InputError(f"{name}: expected finite numbers, got NaN or infinity")
            lead, parts[name] = before, self._like(values.reshape(-1, *dims))
        return parts, lead or ()

    def _identity(self, person: tuple[Float64, Float64], count: int) -> dict[str, Any]:
        """Shape and expression as parameters (count, ...)."""
        shape, expression = person
        names = [name for name in self._parameters if self._is_shape(name)]
        ends = np.cumsum([self._size(name) for name in names])[:-1]
        parts = dict(zip(names, np.split(shape, ends), strict=True))
        if "expression" in self._parameters:
            parts["expression"] = expression
        return {name: self._like(np.tile(values, (count, 1))) for name, values in parts.items()}

    def _is_shape(self, name: str) -> bool:
        return self._parameters[name].role == "identity" and name != "expression"

    def _at_rest(self, count: int) -> dict[str, Any]:
        return dict(self._model.get_rest_pose(batch_dims=(count,)))

    def _like(self, values: ArrayLike) -> Any:
        reference = self._model.rest_vertices
        return self._model.runtime.asarray(values, like=reference, dtype=reference.dtype)

    # -----------------------------------------------------------------------------------------------------------------
    # Out of the package
    # -----------------------------------------------------------------------------------------------------------------

    def _vertices(self, given: Mapping[str, Any], ids: NDArray | None = None) -> Float32:
        chosen = {} if ids is None else {"vertex_indices": ids.tolist()}
        return self._turned(self._model.forward_vertices(**given, **chosen))

    def _joints(self, given: Mapping[str, Any]) -> Float32:
        return self._turned(self._model.forward_skeleton(**given)[..., :3, 3])

    def _turned(self, points: Any) -> Float32:
        return (self._array(points) @ self._axes.T).astype(np.float32)

    def _array(self, values: Any) -> NDArray:
        return np.asarray(self._model.runtime.to_numpy(values))

    def _shape_parameters(self) -> tuple[Parameter, ...]:
        known = {parameter.name: parameter for parameter in PHENOTYPES}
        labels = getattr(self._model, "phenotype_labels", None)
        found = []
        for name in filter(self._is_shape, self._parameters):
            default = float(self._parameters[name].default)
            for i in range(self._size(name)):
                label = labels[i] if labels and name == "shape" else f"{name}_{i}"
                plain = Parameter(label, default, -np.inf, np.inf, default, 1.0, "as the package has it")
                found.append(replace(known[label], default=default) if label in known else plain)
        return tuple(found)

    def _licence(self) -> str:
        if self._family in FAMILIES:
            return licence_notice(self._family)
        return _LICENCES.get(self._family, f"code Apache-2.0; the data has terms of its own, see {_SITE}")


def _axes(model: Any, family: str, joints: NDArray) -> tuple[Float64, bool]:
    """(3, 3) ``x_marrow = axes @ x_package``, and whether it is known.

    The SMPL family's axes are marrow's. The others' are read off the body at rest: hips lie left and right, the head
    lies above them.
    """
    if family in FAMILIES:
        return np.eye(3), True
    place = {joint.value: joints[model.joint_names.index(name)] for joint, name in model.common_joints.items()}
    if not {"head", "pelvis", "left_hip", "right_hip"} <= set(place):
        return np.eye(3), False
    up, left = place["head"] - place["pelvis"], place["left_hip"] - place["right_hip"]
    rows = [np.round(side / np.abs(side).max()) * (np.abs(side) == np.abs(side).max()) for side in (left, up)]
    clear = all(np.abs(side).max() > 0.9 * np.linalg.norm(side) for side in (left, up))
    if not clear or np.dot(*rows):
        return np.eye(3), False
    return np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])]), True
