"""A body read from the user's own file, on arrays: what SMPL's family and SKEL have in common."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.linear import LinearBody, LinearRest, Posed
from marrow.body.model import Spec, check_outputs, values_of
from marrow.body.model_file import ModelFile
from marrow.body.shape import Parameter
from marrow.body.skinning import SkinWeights
from marrow.errors import InputError
from marrow.types import Float32, Float64, Mesh

Tensors = TypeVar("Tensors", bound=LinearBody)


@dataclass(frozen=True, eq=False)
class FileRest:
    """One person at rest; see :class:`marrow.body.model.BodyModel`.

    Attributes:
        shape, expression: (S,) and (E,) coefficients.
        vertices: (V, 3) float32 metres.
        joints: (J, 3) float32 metres.
        on_tensors: the same person on tensors, one body, by which it is posed.
    """

    shape: Float64
    expression: Float64
    vertices: Float32
    joints: Float32
    on_tensors: LinearRest


class FileBody(Generic[Tensors]):
    """A linear body of a file, on arrays; its families say what their ``spec`` is.

    Args:
        file: from :func:`marrow.body.model_file.read_model_file`.
        tensors: the same body on tensors.
        name: by which it is known; by default that of the file.
    """

    def __init__(self, file: ModelFile, tensors: Tensors, name: str | None = None) -> None:
        self._file, self._tensors, self._name = file, tensors, name or file.source

    @property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        raise NotImplementedError

    @property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        return self._file.faces

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self._file.template)

    @property
    def weights(self) -> SkinWeights:
        """Skinning weights of the joints, by vertex."""
        return self._file.weights

    def tensors(self) -> Tensors:
        """The same body on tensors, differentiable; a ``torch.nn.Module`` that can go to another device."""
        return copy.deepcopy(self._tensors)

    def rest(
        self,
        shape: Mapping[str, float] | ArrayLike | None = None,
        expression: Mapping[str, float] | ArrayLike | None = None,
        bones: Mapping[str, float] | None = None,
    ) -> FileRest:
        """One person at rest; see :meth:`marrow.body.model.BodyModel.rest`. Values may be fewer than there are."""
        if bones:
            raise InputError(f"bones: the joints of {self._name} follow its skin; only the default body's can be set")
        none = dict.fromkeys(self.spec.expressions, 0.0)
        given = values_of(shape, self.spec.defaults, "shape"), values_of(expression, none, "expression")
        with torch.no_grad():
            rest = self._tensors.rest(*(tensor(values)[None] for values in given))
            return FileRest(*given, rest.vertices[0].numpy(), rest.joints[0].numpy(), rest)

    def pose(
        self,
        rest: FileRest,
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
                tensor(pose),
                None if translation is None else tensor(translation),
                outputs=outputs,
                vertex_ids=vertex_ids,
                threads=threads,
            )
        return self._mesh(posed, vertex_ids)

    def _spec(self, **own: Any) -> Spec:
        """The specification of a body of this file, with what its family says of itself."""
        file, joints = self._file, self._file.joint_names
        meaning = "standard deviations along a direction of the family's own population"
        common: dict[str, Any] = {
            "name": self._name,
            "family": file.family,
            "parameters": tuple(
                Parameter(f"shape_{i}", 0.0, -np.inf, np.inf, 0.0, 1.0, meaning) for i in range(len(file.shape_basis))
            ),
            "expressions": tuple(f"expression_{i}" for i in range(len(file.expression_basis))),
            "joints": joints,
            "parents": file.parents,
            "root": f"turns about the {joints[0]}'s place at rest, not the origin; the translation is added after",
            "rest_joints": "regressed from the skin at rest",
            "licence": file.licence,
            "source": file.source,
            "sha256": file.sha256,
        }
        return Spec(**common | own)

    def _mesh(self, posed: Posed, vertex_ids: Sequence[int] | NDArray | None = None) -> Mesh:
        vertices = np.zeros((0, 3), np.float32) if posed.vertices is None else posed.vertices.numpy()
        whole = vertex_ids is None and posed.vertices is not None
        return Mesh(
            vertices,
            self.faces if whole else np.zeros((0, 3), np.int32),
            None if posed.joints is None else posed.joints.numpy(),
            () if posed.joints is None else self.spec.joints,
        )


def tensor(values: ArrayLike) -> torch.Tensor:
    """A float32 tensor of its own."""
    return torch.from_numpy(np.array(values, np.float32))
