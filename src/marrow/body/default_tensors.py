"""The default body on tensors, many people at once, posed by its own 104 bones; differentiable.

The twin of :meth:`marrow.body.default.DefaultBody.rest` and ``pose_bones`` in phenotypes, pose and translation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from marrow.body._store import Store, read_store
from marrow.body.blending import blend_and_skin
from marrow.body.chain import forward_kinematics
from marrow.body.linear import TENSOR_OUTPUTS, Posed, checked_translation, finite, joint_rotations
from marrow.body.model import check_outputs
from marrow.body.procrustes import nearest_rotation
from marrow.body.shape import PHENOTYPES
from marrow.body.skinning import SkinWeights
from marrow.errors import InputError

_COMMON = {parameter.name: parameter.default for parameter in PHENOTYPES}


@dataclass(frozen=True, eq=False)
class TensorRest:
    """Bodies at rest; their place in the world is that of the rig, not the floor's.

    Attributes:
        coefficients: (N, K) of the shape rows.
        heads: (N, 104, 3) metres: where the bones begin.
        frames: (N, 104, 3, 3) how the bones are turned.
    """

    body: DefaultTensors
    coefficients: torch.Tensor
    heads: torch.Tensor
    frames: torch.Tensor

    @functools.cached_property
    def vertices(self) -> torch.Tensor:
        """(N, V, 3) metres."""
        body = self.body
        return (body.template + self.coefficients @ body.basis).view(len(self.coefficients), -1, 3)


class DefaultTensors(torch.nn.Module):
    """The default body with its own bones, on tensors. Float32 on a processor runs on the fast skin."""

    template: torch.Tensor
    basis: torch.Tensor
    reference: torch.Tensor
    _heads: torch.Tensor
    _heads_basis: torch.Tensor
    _frames: torch.Tensor
    _frames_basis: torch.Tensor
    _terms: torch.Tensor
    _projection: torch.Tensor

    def __init__(self, store: Store | None = None) -> None:
        super().__init__()
        store = store or read_store()
        a, count = store.arrays, len(store.meta["bones"])
        self.parents = tuple(store.meta["parents"])
        self.weights = SkinWeights(a["weight_start"], a["weight_bone"].astype(np.int32), a["weight"])
        self.anchors = {name: tuple(anchors) for name, anchors in store.meta["anchors"].items()}
        self.register_buffer("template", torch.from_numpy(a["template"].reshape(-1)))
        self.register_buffer("basis", torch.from_numpy(store.basis))
        self.register_buffer("reference", torch.from_numpy(a["reference_frames"]).float())
        self.register_buffer("_terms", torch.from_numpy(a["terms"].astype(np.int64)))
        self.register_buffer("_projection", torch.from_numpy(a["projection"].astype(np.float32)))
        for name, size in (("heads", 3), ("frames", 9)):
            self.register_buffer(f"_{name}", torch.from_numpy(a[name].reshape(size * count)))
            basis = a[f"{name}_basis"].astype(np.float32).reshape(-1, size * count)
            self.register_buffer(f"_{name}_basis", torch.from_numpy(basis))

    def rest(self, shape: Mapping[str, torch.Tensor] | None = None) -> TensorRest:
        """Bodies at rest.

        Args:
            shape: phenotype to (N,) or () values; what is not named is at its default, what is out of range is clamped.
        Raises:
            InputError: unknown names, shapes that do not agree, or numbers that are not finite.
        """
        coefficients = self._coefficients(shape or {})
        rows = len(coefficients)
        heads = (self._heads + coefficients @ self._heads_basis).view(rows, -1, 3)
        frames = (self._frames + coefficients @ self._frames_basis).view(rows, -1, 3, 3)
        return TensorRest(self, coefficients, heads, nearest_rotation(frames))

    def pose(
        self,
        rest: TensorRest,
        pose: torch.Tensor,
        translation: torch.Tensor | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        threads: int | None = None,
    ) -> Posed:
        """Bodies posed by their bones: one body in all poses, or as many bodies as poses.

        Args:
            rest: from :meth:`rest`.
            pose: (..., 104, 3) rotation vectors or (..., 104, 3, 3) matrices of each bone against the shape-free
                reference pose, in the world's axes, as ``DefaultBody.pose_bones`` takes them.
            translation: (..., 3) of the root, as there.
            outputs: of "vertices", "joints" and "frames"; what is not asked for is not computed.
            threads: see :func:`marrow.body.skinning.skin`.
        Raises:
            InputError: other shapes, or numbers that are not finite.
        """
        check_outputs(outputs, TENSOR_OUTPUTS)
        rotations, lead = joint_rotations(pose, len(self.parents))
        if len(rest.heads) not in (1, len(rotations)):
            raise InputError(
                f"pose: expected {len(rest.heads)} poses, one for each body at rest (or one body), got {len(rotations)}"
            )
        shift = checked_translation(translation, lead)
        reference = self.reference
        # Bones turn about the world's axes in a pose that is the same for all shapes: from a body's own bones into that
        # pose leads `settled`, and on from there an ordinary chain.
        settled = reference @ rest.frames.mT
        first = reference[0].T @ rotations[:, :1]
        turned, place = forward_kinematics(
            self.parents, self._steps(rest, settled), torch.cat([first, rotations[:, 1:]], 1)
        )
        if shift is not None:
            place = place + (shift @ reference[0])[:, None]
        vertices = None
        if "vertices" in outputs:
            linear = turned @ settled
            offset = place - (linear * rest.heads[:, :, None]).sum(-1)
            vertices = self._skinned(rest, torch.cat([linear, offset[..., None]], -1), threads).view(*lead, -1, 3)
        return Posed(
            vertices,
            place.view(*lead, -1, 3) if "joints" in outputs else None,
            (turned @ reference).view(*lead, -1, 3, 3) if "frames" in outputs else None,
        )

    def _steps(self, rest: TensorRest, settled: torch.Tensor) -> torch.Tensor:
        """(N, 104, 3) from parent to child in the reference pose; the root's is zero, its children's are unturned."""
        above = torch.tensor([max(p, 0) for p in self.parents], device=rest.heads.device)
        step = rest.heads - rest.heads[:, above]
        turned = (settled[:, above] * step[:, :, None]).sum(-1)
        return torch.where((above == 0)[:, None], step, turned)

    def _skinned(self, rest: TensorRest, transforms: torch.Tensor, threads: int | None) -> torch.Tensor:
        if len(rest.coefficients) == 1:
            return blend_and_skin(None, self.weights, None, transforms, rest.vertices[0], threads)
        template = self.template.view(-1, 3)
        return blend_and_skin(self.basis, self.weights, rest.coefficients, transforms, template, threads)

    def _coefficients(self, shape: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(N, K); the tensor twin of :class:`marrow.body.shape.Coefficients`."""
        unknown = set(shape) - set(self.anchors)
        if unknown:
            raise InputError(f"shape: expected names among {', '.join(self.anchors)}; got {', '.join(sorted(unknown))}")
        values = {name: torch.atleast_1d(torch.as_tensor(value)).to(self.template) for name, value in shape.items()}
        rows = max(map(len, values.values()), default=1)
        third = self.template.new_full((rows, 3), 1 / 3)
        weights = [third]
        for name, anchors in self.anchors.items():
            value = values.get(name, self.template.new_full((1,), _COMMON.get(name, 0.5)))
            if value.ndim != 1 or len(value) not in (1, rows):
                raise InputError(
                    f"{name}: expected ({rows},) values, as the others have, or one; got {tuple(value.shape)}"
                )
            finite(value, name)
            weights.append(_hat(value.expand(rows), anchors))
        weights.append(third.new_ones(rows, 1))  # what padded terms point at
        return torch.cat(weights, 1)[:, self._terms].prod(-1) @ self._projection


def _hat(value: torch.Tensor, anchors: Sequence[float]) -> torch.Tensor:
    """(N, A) linear interpolation weights of values (N,) over A increasing anchors; clamped."""
    value = value.clamp(anchors[0], anchors[-1])[:, None]
    points = value.new_tensor(anchors)
    share = ((value - points[:-1]) / (points[1:] - points[:-1])).clamp(0, 1)
    rising = torch.cat([torch.ones_like(value), share], 1)
    return rising - torch.cat([share, torch.zeros_like(value)], 1)
