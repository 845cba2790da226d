"""Bodies whose skin is linear in everything but the turns of their joints, on tensors: SMPL's family and the like.

Loper et al. 2015 (SMPL, equations 1-10): the rest shape is a template, plus shape and expression, plus correctives that
are linear in ``R - I`` of all joints but the root; joints are linear in shape and expression; the skin follows the
joints by linear blend skinning. The root turns about its own joint, and the translation is added after.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.blending import array, blend_and_skin, plainly_float32
from marrow.body.chain import forward_kinematics
from marrow.body.model import check_outputs, check_vertex_ids
from marrow.body.skinning import FEW, SkinWeights
from marrow.errors import InputError

if TYPE_CHECKING:
    from marrow.body.model_file import ModelFile

#: What bodies on tensors give.
TENSOR_OUTPUTS = ("vertices", "joints", "frames")


@dataclass(frozen=True, eq=False)
class LinearRest:
    """One or several bodies at rest, before any pose.

    Attributes:
        coefficients: (N, S + E) of shape and expression.
        joints: (N, J, 3) metres.
    """

    body: LinearBody
    coefficients: torch.Tensor
    joints: torch.Tensor

    @functools.cached_property
    def vertices(self) -> torch.Tensor:
        """(N, V, 3) metres."""
        body = self.body
        flat = torch.addmm(body.template, self.coefficients, body.basis[: body.identity])
        return flat.view(len(self.coefficients), -1, 3)


@dataclass(frozen=True, eq=False)
class Posed:
    """Posed bodies, metres; ``...`` is the leading shape of the pose. What was not asked for is None.

    Attributes:
        vertices: (..., V or n, 3).
        joints: (..., J, 3).
        frames: (..., J, 3, 3) how each joint is turned.
    """

    vertices: torch.Tensor | None
    joints: torch.Tensor | None
    frames: torch.Tensor | None


class LinearBody(torch.nn.Module):
    """A linear body on tensors; differentiable in all it takes. Float32 on a processor runs on the fast skin.

    Args:
        template: (V, 3) metres.
        basis: (S + E + P, V, 3): shape, expression, pose correctives; P is 9 (J - 1), or 0 without correctives.
        joints: (J, 3) of the template.
        joints_basis: (S + E, J, 3).
        parents: J numbers, each parent before its children, the root's -1.
        weights: exact skinning weights.
        expressions: E.
    """

    template: torch.Tensor
    basis: torch.Tensor
    joints_template: torch.Tensor
    joints_basis: torch.Tensor

    def __init__(
        self,
        template: ArrayLike,
        basis: ArrayLike,
        joints: ArrayLike,
        joints_basis: ArrayLike,
        parents: Sequence[int],
        weights: SkinWeights,
        expressions: int = 0,
    ) -> None:
        super().__init__()

        def flat(values: ArrayLike, *shape: int) -> torch.Tensor:
            return torch.from_numpy(np.array(values, np.float32).reshape(shape))

        self.parents, self.weights, self.expressions = tuple(parents), weights, expressions
        self.identity = len(np.asarray(joints_basis))
        vertex_count = len(np.asarray(template))
        self.register_buffer("template", flat(template, 3 * vertex_count))
        self.register_buffer("basis", flat(basis, -1, 3 * vertex_count))
        self.register_buffer("joints_template", flat(joints, 3 * len(self.parents)))
        self.register_buffer("joints_basis", flat(joints_basis, self.identity, 3 * len(self.parents)))
        self._parts: dict[tuple[bytes, torch.dtype, torch.device], LinearBody] = {}

    @property
    def corrected(self) -> bool:
        """Whether the pose changes the rest shape."""
        return len(self.basis) > self.identity

    def rest(self, shape: torch.Tensor | None = None, expression: torch.Tensor | None = None) -> LinearRest:
        """Bodies at rest.

        Args:
            shape: (N or 1, up to S); what is left out is 0.
            expression: (N or 1, up to E).
        Raises:
            InputError: too many numbers, other shapes, or numbers that are not finite.
        """
        parts = [
            self._padded(values, count, name)
            for values, count, name in (
                (shape, self.identity - self.expressions, "shape"),
                (expression, self.expressions, "expression"),
            )
        ]
        rows = max(map(len, parts))
        for part, name in zip(parts, ("shape", "expression"), strict=True):
            if len(part) not in (1, rows):
                raise InputError(f"{name}: expected {rows} rows, as the other has, or one; got {len(part)}")
        coefficients = torch.cat([part.expand(rows, -1) for part in parts], 1)
        joints = torch.addmm(self.joints_template, coefficients, self.joints_basis).view(rows, -1, 3)
        return LinearRest(self, coefficients, joints)

    def pose(
        self,
        rest: LinearRest,
        pose: torch.Tensor,
        translation: torch.Tensor | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
        threads: int | None = None,
    ) -> Posed:
        """Bodies in poses: one body in all of them, or as many bodies as poses.

        Args:
            rest: from :meth:`rest`.
            pose: (..., J, 3) rotation vectors (axis times angle, radians) of each joint against its parent, the root's
                against the world; or (..., J, 3, 3) matrices.
            translation: (..., 3) metres, added to everything.
            outputs: of "vertices", "joints" and "frames"; what is not asked for is not computed.
            vertex_ids: (n,) only these vertices.
            threads: see :func:`marrow.body.skinning.skin`.
        Raises:
            InputError: other shapes, or numbers that are not finite.
        """
        check_outputs(outputs, TENSOR_OUTPUTS)
        few = self._posed_few(rest, pose, translation, outputs, vertex_ids)
        if few is not None:
            return few
        rotations, lead = joint_rotations(pose, len(self.parents))
        return self._posed(
            rest, joint_steps(self.parents, rest.joints), rotations, lead, translation, outputs, vertex_ids, threads
        )

    def _posed_few(
        self,
        rest: LinearRest,
        pose: torch.Tensor,
        translation: torch.Tensor | None,
        outputs: Sequence[str],
        vertex_ids: Sequence[int] | NDArray | None,
    ) -> Posed | None:
        """What :meth:`pose` gives, with few calls; None for many poses, numbers of another kind, or with gradients.

        None also for what is not valid: the other way tells what is wrong with it.
        """
        joints, matrices = len(self.parents), is_matrices(pose, len(self.parents))
        lead = pose.shape[: -3 if matrices else -2]
        count = math.prod(lead)
        if (
            not 0 < count < FEW
            or len(rest.joints) not in (1, count)
            or (translation is not None and not is_translation(translation, lead))
            or not plainly_float32(self.template, rest.coefficients, rest.joints, pose, translation)
        ):
            return None
        from marrow.body import _fast_few as fast

        shift = np.empty((0, 3), np.float32) if translation is None else array(translation).reshape(-1, 3)
        sizes = (joints, 3, 3), (joints, 3, 3), (joints, 3), (joints, 12)
        rotations, frames, places, transforms = (np.empty((count, *size), np.float32) for size in sizes)
        turned, at_rest = array(pose).reshape(count, joints, 3, -1), array(rest.joints)
        if not fast.move_joints(_parents(self.parents), turned, at_rest, shift, rotations, frames, places, transforms):
            return None
        vertices = None
        if "vertices" in outputs:
            turns = torch.from_numpy(rotations[:, :0])
            if self.corrected:
                turns = self.corrective_turns(torch.from_numpy(rotations), torch.from_numpy(frames))
            if not plainly_float32(turns):
                return None
            skin = self if vertex_ids is None else self._part(vertex_ids)
            shaped = rest if skin is self else LinearRest(skin, rest.coefficients, rest.joints)
            several, basis = len(rest.coefficients) > 1, array(skin.basis)
            vertices = np.empty((count, len(skin.template) // 3, 3), np.float32)
            fast.move_skin(
                array(skin.template if several else shaped.vertices).reshape(1, -1),
                array(rest.coefficients) if several else np.empty((count, 0), np.float32),
                array(turns),
                basis if several else basis[self.identity :],
                *skin.weights,
                transforms,
                vertices,
            )
        return Posed(
            None if vertices is None else torch.from_numpy(vertices).view(*lead, -1, 3),
            torch.from_numpy(places).view(*lead, joints, 3) if "joints" in outputs else None,
            torch.from_numpy(frames).view(*lead, joints, 3, 3) if "frames" in outputs else None,
        )

    def _posed(
        self,
        rest: LinearRest,
        steps: torch.Tensor,
        rotations: torch.Tensor,
        lead: tuple[int, ...],
        translation: torch.Tensor | None,
        outputs: Sequence[str],
        vertex_ids: Sequence[int] | NDArray | None,
        threads: int | None,
    ) -> Posed:
        """What :meth:`pose` gives, of joints (1 or T, J, 3) from their parents, turned by (T, J, 3, 3)."""
        shift = checked_translation(translation, lead)
        check_bodies(rest, len(rotations))
        frames, joints = forward_kinematics(self.parents, steps, rotations)
        if shift is not None:
            joints = joints + shift[:, None]
        vertices = None
        if "vertices" in outputs:
            skin = self if vertex_ids is None else self._part(vertex_ids)
            turns = self.corrective_turns(rotations, frames) if self.corrected else None
            shaped = rest if skin is self else LinearRest(skin, rest.coefficients, rest.joints)
            vertices = skin._skinned(shaped, turns, transforms_of(rest.joints, frames, joints), threads)
            vertices = vertices.view(*lead, -1, 3)
        return Posed(
            vertices,
            joints.view(*lead, -1, 3) if "joints" in outputs else None,
            frames.view(*lead, -1, 3, 3) if "frames" in outputs else None,
        )

    def corrective_turns(self, rotations: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """(T, P / 9, 3, 3) turns that drive the correctives: those of all joints but the root against their parents.

        Args:
            rotations: (T, J, 3, 3) of each joint against its parent.
            frames: (T, J, 3, 3) of each joint in the world.
        """
        return rotations[:, 1:]

    def _skinned(
        self, rest: LinearRest, turns: torch.Tensor | None, transforms: torch.Tensor, threads: int | None
    ) -> torch.Tensor:
        several = len(rest.coefficients) > 1
        vertices = self.template.view(-1, 3) if several else rest.vertices[0]
        coefficients = [rest.coefficients] if several else []
        if turns is not None:
            coefficients.append((turns - _identity(turns)).flatten(1))
        used = torch.cat(coefficients, 1) if coefficients else None
        basis = None if used is None else self.basis if several else self.basis[self.identity :]
        return blend_and_skin(basis, self.weights, used, transforms, vertices, threads)

    def _padded(self, values: torch.Tensor | None, count: int, name: str) -> torch.Tensor:
        """(N, count) of up to that many numbers."""
        if values is None:
            return self.template.new_zeros(1, count)
        if values.ndim == 1:
            values = values[None]
        if values.ndim != 2 or values.shape[1] > count:
            raise InputError(f"{name}: expected (N, up to {count}) numbers, got {tuple(values.shape)}")
        finite(values, name)
        missing = count - values.shape[1]
        return torch.nn.functional.pad(values, (0, missing)) if missing else values

    def _part(self, vertex_ids: Sequence[int] | NDArray) -> LinearBody:
        """The same body with some of its vertices, of the kind and in the place it has now; the last one is kept."""
        ids = check_vertex_ids(vertex_ids, len(self.template) // 3)
        key = ids.tobytes(), self.template.dtype, self.template.device
        if key not in self._parts:
            kept = torch.from_numpy(ids).to(self.template.device)
            part = LinearBody.__new__(LinearBody)
            torch.nn.Module.__init__(part)
            part.parents, part.expressions, part.identity = self.parents, self.expressions, self.identity
            part.weights, part._parts = self.weights.rows(ids), {}
            part.register_buffer("template", self.template.view(-1, 3)[kept].reshape(-1))
            part.register_buffer("basis", self.basis.view(len(self.basis), -1, 3)[:, kept].reshape(len(self.basis), -1))
            part.register_buffer("joints_template", self.joints_template)
            part.register_buffer("joints_basis", self.joints_basis)
            self._parts = {key: part}
        return self._parts[key]


@functools.cache
def _parents(parents: tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(parents, np.int64)


def joint_rotations(pose: torch.Tensor, joints: int) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Matrices (T, J, 3, 3) of a pose in rotation vectors (..., J, 3) or matrices (..., J, 3, 3), and what ``...`` is.

    Raises:
        InputError: another shape, or numbers that are not finite.
    """
    import roma

    matrices = is_matrices(pose, joints)
    finite(pose, "pose")
    if matrices:
        return pose.reshape(-1, joints, 3, 3), tuple(pose.shape[:-3])
    return roma.rotvec_to_rotmat(pose.reshape(-1, joints, 3)), tuple(pose.shape[:-2])


def is_matrices(pose: torch.Tensor, joints: int) -> bool:
    """Whether a pose is in matrices (..., J, 3, 3). Raises InputError unless it is, or in vectors (..., J, 3)."""
    matrices = tuple(pose.shape[-3:]) == (joints, 3, 3)
    if not matrices and tuple(pose.shape[-2:]) != (joints, 3):
        raise InputError(
            f"pose: expected (..., {joints}, 3) rotation vectors or (..., {joints}, 3, 3) matrices, "
            f"got {tuple(pose.shape)}"
        )
    return matrices


def check_bodies(rest: LinearRest, poses: int) -> None:
    """Raise InputError unless there is one body at rest, or one for each pose."""
    if len(rest.joints) not in (1, poses):
        raise InputError(
            f"pose: expected {len(rest.joints)} poses, one for each body at rest (or one body), got {poses}"
        )


def transforms_of(rest: torch.Tensor, frames: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(T, J, 3, 4) what carries what is fixed to joints from rest to their pose.

    Args:
        rest: (1 or T, J, 3) joints at rest.
        frames: (T, J, 3, 3) what each does to directions.
        places: (T, J, 3) joints in the pose.
    """
    return torch.cat([frames, (places - (frames * rest[:, :, None]).sum(-1))[..., None]], -1)


def linear_parts(file: ModelFile, *, corrected: bool = True) -> dict[str, Any]:
    """A file's arrays as :class:`LinearBody` takes them; without pose correctives where they are not wanted."""
    identity, regressor = np.concatenate([file.shape_basis, file.expression_basis]), file.joint_regressor
    moved = [regressor @ move for move in identity]
    return {
        "template": file.template,
        "basis": np.concatenate([identity, file.pose_basis]) if corrected else identity,
        "joints": regressor @ file.template,
        "joints_basis": np.stack(moved) if moved else np.zeros((0, len(file.parents), 3)),
        "parents": file.parents,
        "weights": file.weights,
        "expressions": len(file.expression_basis),
    }


def joint_steps(parents: Sequence[int], joints: torch.Tensor) -> torch.Tensor:
    """(N, J, 3) from each joint's parent to it; the root's from the origin."""
    above = torch.tensor([max(p, 0) for p in parents], device=joints.device)
    return torch.cat([joints[:, :1], (joints - joints[:, above])[:, 1:]], 1)


def is_translation(translation: torch.Tensor, lead: tuple[int, ...]) -> bool:
    """Whether a translation has a shape that :func:`checked_translation` takes."""
    return tuple(translation.shape) in ((3,), (1, 3), (*lead, 3))


def checked_translation(translation: torch.Tensor | None, lead: tuple[int, ...]) -> torch.Tensor | None:
    """(T or 1, 3) of a translation (..., 3) or (3,). Raises InputError on another shape or what is not finite."""
    if translation is None:
        return None
    if not is_translation(translation, lead):
        raise InputError(f"translation: expected {(*lead, 3)} or (3,) metres, got {tuple(translation.shape)}")
    finite(translation, "translation")
    return translation.reshape(-1, 3)


def finite(values: torch.Tensor, name: str) -> None:
    """Raise InputError where a number is NaN or infinite."""
    if not math.isfinite(values.detach().sum()):  # cheaper than to ask each; no sum hides a NaN or infinity
        raise InputError(f"{name}: expected finite numbers, got NaN or infinity")


def _identity(like: torch.Tensor) -> torch.Tensor:
    return torch.eye(3, dtype=like.dtype, device=like.device)
