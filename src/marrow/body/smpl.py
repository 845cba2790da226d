"""SMPL and its family from a user's own files: SMPL, SMPL-H, SMPL-X, MANO, FLAME.

Loper et al. 2015 (SMPL), Romero et al. 2017 (MANO, SMPL-H), Li et al. 2017 (FLAME), Pavlakos et al. 2019 (SMPL-X): one
set of equations, :mod:`marrow.body.linear`. What differs is which joints there are and what their turns are called.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.file_body import FileBody, tensor
from marrow.body.linear import LinearBody, Posed, linear_parts
from marrow.body.model import Spec
from marrow.body.model_file import ModelFile
from marrow.errors import InputError
from marrow.types import Mesh

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
                f"{file.source}: a file of the family {file.family}, whose joints are no balls; give it to "
                "marrow.load_body"
            )
        super().__init__(**linear_parts(file))
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


class SmplBody(FileBody[SmplTensors]):
    """A body of SMPL's family, on arrays. Make it with :func:`marrow.body.load_body`."""

    def __init__(self, file: ModelFile, name: str | None = None) -> None:
        super().__init__(file, SmplTensors(file), name)

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        file, joints = self._file, self._file.joint_names
        whole = file.family not in ("mano", "flame")
        return self._spec(
            kinds=("ball",) * len(joints),
            pose=f"(..., {len(joints)}, 3) rotation vectors or (..., {len(joints)}, 3, 3) matrices against the parent",
            bind_pose="T-pose" if whole else "flat hand" if file.family == "mano" else "mouth closed, eyes ahead",
            zero_pose="the bind pose",
            correctives="linear in R - I of all joints but the first" if len(file.pose_basis) else "none",
        )

    @property
    def gender(self) -> str:
        """ "female", "male" or "neutral" where the file or its name tells; else ""."""
        return self._file.gender

    @property
    def has_fingers(self) -> bool:
        """Whether fingers have joints of their own; SMPL's do not."""
        return any(name.endswith("_index1") for name in self._file.joint_names)

    def owners(self) -> NDArray[np.int64]:
        """(V,) which joint has the most weight on each vertex."""
        start, joint, weight = self._file.weights
        row = np.repeat(np.arange(self.vertex_count), np.diff(start))
        return joint[np.lexsort((-weight, row))][start[:-1]].astype(np.int64)

    def __call__(self, *, flat_hand_mean: bool | None = None, **given: ArrayLike) -> Mesh:
        """Bodies of named parameters, as :meth:`SmplTensors.parameters_of` takes them, in arrays."""
        with torch.no_grad():
            tensors = {name: tensor(values) for name, values in given.items()}
            return self._mesh(self._tensors(flat_hand_mean=flat_hand_mean, **tensors))
