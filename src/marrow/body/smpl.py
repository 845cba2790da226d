"""SMPL and its family from a user's own files: SMPL, SMPL-H, SMPL-X, MANO, FLAME.

Loper et al. 2015 (SMPL), Romero et al. 2017 (MANO, SMPL-H), Li et al. 2017 (FLAME), Pavlakos et al. 2019 (SMPL-X): one
set of equations, :mod:`marrow.body.linear`. What differs is which joints there are and what their turns are called.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.linear import LinearBody, LinearRest, Posed
from marrow.body.model import Spec, check_outputs, values_of
from marrow.body.model_file import ModelFile
from marrow.body.shape import Parameter
from marrow.errors import InputError
from marrow.types import Float32, Float64, Mesh

#: The parts of a pose, in the order of the joints, and how many joints each turns.
PARTS: Mapping[str, Mapping[str, int]] = {
    "smpl": {"global_orient": 1, "body_pose": 23},
    "smplh": {"global_orient": 1, "body_pose": 21, "left_hand_pose": 15, "right_hand_pose": 15},
    "smplx": {
        "global_orient": 1, "body_pose": 21, "jaw_pose": 1, "leye_pose": 1, "reye_pose": 1,
        "left_hand_pose": 15, "right_hand_pose": 15,
    },
    "mano": {"global_orient": 1, "hand_pose": 15},
    "flame": {"global_orient": 1, "neck_pose": 1, "jaw_pose": 1, "leye_pose": 1, "reye_pose": 1},
}  # fmt: skip

#: Other names for the same, as datasets and packages have them.
ALIASES: Mapping[str, str] = {
    "betas": "shape", "beta": "shape", "expr": "expression", "exp": "expression", "expression_params": "expression",
    "transl": "translation", "trans": "translation", "global_translation": "translation",
    "root_orient": "global_orient", "pelvis_rotation": "global_orient", "pose_body": "body_pose",
    "pose_jaw": "jaw_pose", "poses": "pose", "full_pose": "pose", "theta": "pose", "thetas": "pose",
}  # fmt: skip
#: Names that hold several parts, one after the other.
_JOINED: Mapping[str, tuple[str, ...]] = {
    "pose_hand": ("left_hand_pose", "right_hand_pose"),
    "pose_eye": ("leye_pose", "reye_pose"),
}
_HANDS: Mapping[str, str] = {"left_hand_pose": "left", "right_hand_pose": "right", "hand_pose": "hand"}


class SmplTensors(LinearBody):
    """A body of SMPL's family on tensors: :class:`marrow.body.linear.LinearBody` that knows the usual names.

    ``forward(betas=…, body_pose=…, global_orient=…, transl=…)``: rotation vectors, in any of the names of
    :data:`PARTS` and :data:`ALIASES`; what is left out is 0.
    """

    def __init__(self, file: ModelFile) -> None:
        if file.family not in PARTS:
            raise InputError(
                f"{file.source}: files of the family {file.family} are read (marrow.body.shelf.find_model), but posed "
                f"by the package body-models alone: marrow.load_body('body-models:{file.family}')"
            )
        identity = np.concatenate([file.shape_basis, file.expression_basis])
        regressor = file.joint_regressor
        super().__init__(
            file.template,
            np.concatenate([identity, file.pose_basis]),
            regressor @ file.template,
            np.stack([regressor @ move for move in identity]) if len(identity) else np.zeros((0, len(file.parents), 3)),
            file.parents,
            file.weights,
            expressions=len(file.expression_basis),
        )
        self.family, self.sides = file.family, tuple(file.hands)
        for side, (components, mean) in file.hands.items():
            self.register_buffer(f"components_{side}", torch.from_numpy(np.array(components, np.float32)))
            self.register_buffer(f"mean_{side}", torch.from_numpy(np.array(mean, np.float32)))

    def forward(self, *, flat_hand_mean: bool | None = None, **given: torch.Tensor) -> Posed:
        """Pose bodies by named parameters; see :meth:`parameters_of`."""
        shape, expression, pose, translation = self.parameters_of(given, flat_hand_mean=flat_hand_mean)
        return self.pose(self.rest(shape, expression), pose, translation)

    def parameters_of(
        self, given: Mapping[str, torch.Tensor], *, flat_hand_mean: bool | None = None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
        """Named parameters as :meth:`rest` and :meth:`pose` take them.

        Args:
            given: of the names in :data:`PARTS` and :data:`ALIASES`. Rotations are vectors (..., 3 n) or (..., n, 3); a
                hand's may be its first principal components instead, (..., up to 44). ``pose`` has all joints'.
            flat_hand_mean: False adds the mean hand to full hand poses, too; True leaves it out of components, too. By
                default components are about the mean hand, and full hand poses about the flat one.
        Returns:
            shape (N, S), expression (N, E), pose (..., J, 3) and translation (..., 3).
        Raises:
            InputError: an unknown name, the same twice, or sizes that do not fit.
        """
        parts = PARTS[self.family]
        found = self._named(given)
        rows = max((len(values) for values in found.values() if values.ndim > 1), default=1)
        if "pose" in found:
            clash = sorted(set(found) & set(parts))
            if clash:
                raise InputError(f"pose: has all joints already; leave {', '.join(clash)} out")
            pose = self._joint_vectors(found["pose"], len(self.parents), "pose")
            pose = pose.expand(rows, -1, -1) if len(pose) == 1 else pose
        else:
            turns = [
                self._joint_vectors(self._hand(name, found[name], flat_hand_mean), count, name)
                if name in found
                else self.template.new_zeros(1, count, 3)
                for name, count in parts.items()
            ]
            for name, turn in zip(parts, turns, strict=True):
                if len(turn) not in (1, rows):
                    raise InputError(f"{name}: expected {rows} rows, as the others have, or one; got {len(turn)}")
            pose = torch.cat([turn.expand(rows, -1, -1) for turn in turns], 1)
        return found.get("shape"), found.get("expression"), pose, found.get("translation")

    def _named(self, given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The parameters under their own names."""
        parts = PARTS[self.family]
        known = {"shape", "expression", "pose", "translation", *parts}
        found: dict[str, torch.Tensor] = {}
        for name, values in given.items():
            names = _JOINED.get(name, (ALIASES.get(name, name),))
            if not set(names) <= known:
                raise InputError(
                    f"{name}: a body of the family {self.family} takes {', '.join(sorted(known))} "
                    f"(or {', '.join(sorted(a for a, own in ALIASES.items() if own in known))})"
                )
            for own, part in zip(names, torch.as_tensor(values).chunk(len(names), -1), strict=True):
                if own in found:
                    raise InputError(f"{name}: {own} is given twice, under two names")
                found[own] = part
        return found

    def _joint_vectors(self, values: torch.Tensor, count: int, name: str) -> torch.Tensor:
        """(N, count, 3) of numbers side by side or joint by joint."""
        if values.shape[-1:] == (3 * count,) and values.ndim <= 2:
            return values.reshape(-1, count, 3)
        if values.shape[-2:] == (count, 3):
            return values.reshape(-1, count, 3)
        raise InputError(
            f"{name}: expected (N, {3 * count}) or (N, {count}, 3) rotation vectors, got {tuple(values.shape)}"
        )

    def _hand(self, name: str, values: torch.Tensor, flat_hand_mean: bool | None) -> torch.Tensor:
        """A hand's full pose (N, 45) of principal components; what is no hand, as it is."""
        side = _HANDS.get(name)
        if side is None or side not in self.sides:
            return values
        components, mean = self.get_buffer(f"components_{side}"), self.get_buffer(f"mean_{side}")
        full = len(mean)
        in_full = values.shape[-1] == full or tuple(values.shape[-2:]) == (full // 3, 3)
        pose = values.reshape(-1, full) if in_full else values.reshape(-1, values.shape[-1])
        if not in_full:
            if pose.shape[1] > len(components):
                raise InputError(
                    f"{name}: expected (N, {full}) rotation vectors or (N, up to {len(components)}) principal "
                    f"components, got {tuple(values.shape)}"
                )
            pose = pose @ components[: pose.shape[1]]
        flat = in_full if flat_hand_mean is None else flat_hand_mean
        return pose if flat else pose + mean


@dataclass(frozen=True, eq=False)
class SmplRest:
    """One person at rest; see :class:`marrow.body.model.BodyModel`.

    Attributes:
        shape, expression: (S,) and (E,) coefficients.
        vertices: (V, 3) float32 metres.
        joints: (J, 3) float32 metres.
    """

    shape: Float64
    expression: Float64
    vertices: Float32
    joints: Float32
    on_tensors: LinearRest


class SmplBody:
    """A body of SMPL's family, on arrays. Make it with :func:`marrow.body.load_body`."""

    def __init__(self, file: ModelFile, name: str | None = None) -> None:
        self._file, self._name = file, name or file.source
        self._tensors = SmplTensors(file)

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        file, joints = self._file, self._file.joint_names
        meaning = "standard deviations along a direction of the family's own population"
        whole = file.family not in ("mano", "flame")
        return Spec(
            name=self._name,
            family=file.family,
            parameters=tuple(
                Parameter(f"shape_{i}", 0.0, -np.inf, np.inf, 0.0, 1.0, meaning) for i in range(len(file.shape_basis))
            ),
            expressions=tuple(f"expression_{i}" for i in range(len(file.expression_basis))),
            joints=joints,
            parents=file.parents,
            kinds=("ball",) * len(joints),
            pose=f"(..., {len(joints)}, 3) rotation vectors or (..., {len(joints)}, 3, 3) matrices against the parent",
            bind_pose="T-pose" if whole else "flat hand" if file.family == "mano" else "mouth closed, eyes ahead",
            zero_pose="the bind pose",
            root=f"turns about the {joints[0]}'s place at rest, not the origin; the translation is added after",
            rest_joints="regressed from the skin at rest",
            correctives="linear in R - I of all joints but the first" if len(file.pose_basis) else "none",
            licence=file.licence,
            source=file.source,
            sha256=file.sha256,
        )

    @property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        return self._file.faces

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self._file.template)

    def tensors(self) -> SmplTensors:
        """The same body on tensors, differentiable; a ``torch.nn.Module`` that can go to another device."""
        return copy.deepcopy(self._tensors)

    def rest(
        self,
        shape: Mapping[str, float] | ArrayLike | None = None,
        expression: Mapping[str, float] | ArrayLike | None = None,
        bones: Mapping[str, float] | None = None,
    ) -> SmplRest:
        """One person at rest; see :meth:`marrow.body.model.BodyModel.rest`. Values may be fewer than there are."""
        if bones:
            raise InputError(f"bones: the joints of {self._name} follow its skin; only the default body's can be set")
        none = dict.fromkeys(self.spec.expressions, 0.0)
        given = values_of(shape, self.spec.defaults, "shape"), values_of(expression, none, "expression")
        with torch.no_grad():
            rest = self._tensors.rest(*(_tensor(values)[None] for values in given))
            return SmplRest(*given, rest.vertices[0].numpy(), rest.joints[0].numpy(), rest)

    def pose(
        self,
        rest: SmplRest,
        pose: ArrayLike,
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
        threads: int | None = None,
    ) -> Mesh:
        """That person posed; see :meth:`marrow.body.model.BodyModel.pose`."""
        check_outputs(outputs)
        with torch.no_grad():
            posed = self._tensors.pose(
                rest.on_tensors,
                _tensor(pose),
                None if translation is None else _tensor(translation),
                outputs=outputs,
                vertex_ids=vertex_ids,
                threads=threads,
            )
        return self._mesh(posed, vertex_ids)

    def __call__(self, *, flat_hand_mean: bool | None = None, **given: ArrayLike) -> Mesh:
        """Bodies of named parameters, as :meth:`SmplTensors.parameters_of` takes them, in arrays."""
        with torch.no_grad():
            return self._mesh(self._tensors(flat_hand_mean=flat_hand_mean, **{n: _tensor(v) for n, v in given.items()}))

    def _mesh(self, posed: Posed, vertex_ids: Sequence[int] | NDArray | None = None) -> Mesh:
        vertices = np.zeros((0, 3), np.float32) if posed.vertices is None else posed.vertices.numpy()
        whole = vertex_ids is None and posed.vertices is not None
        return Mesh(
            vertices,
            self.faces if whole else np.zeros((0, 3), np.int32),
            None if posed.joints is None else posed.joints.numpy(),
            () if posed.joints is None else self._file.joint_names,
        )


def _tensor(values: ArrayLike) -> torch.Tensor:
    return torch.from_numpy(np.array(values, np.float32))
