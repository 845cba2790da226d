"""Anny through its own package (the extra ``anny``), behind marrow's interface and in marrow's axes.

Brégier et al. 2025, arXiv 2511.03589. The default body has the same shape space and needs no package; this one is for
those who want Anny itself: its own 104 bones, and the package's own arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.linear import checked_translation, joint_rotations
from marrow.body.model import Spec, check_outputs, check_vertex_ids, values_of
from marrow.body.shape import PHENOTYPES, Parameter, local_name
from marrow.errors import AssetError, InputError
from marrow.types import Float32, Float64, Mesh

#: ``x_marrow = _AXES @ x_anny``: Anny has Z up and faces -Y.
_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class AnnyRest:
    """One person at rest; see :class:`marrow.body.model.BodyModel`.

    Attributes:
        phenotypes, changes, expression: values in Anny's order.
        vertices: (V, 3) float32 metres, in Anny's reference pose.
        joints: (104, 3) float32 metres.
    """

    phenotypes: Float64
    changes: Float64
    expression: Float64
    vertices: Float32
    joints: Float32


class AnnyBody:
    """Anny's own package as a body. Make it with ``marrow.load_body("anny")``; the first time takes about a minute."""

    def __init__(self) -> None:
        try:
            import anny
        except ImportError:
            raise AssetError(
                "the body 'anny' needs the package anny: pip install 'marrow[anny]'. The body 'default' has the same "
                "shape space and needs nothing."
            ) from None
        self._model = anny.Anny(local_changes="default", facial_actions="all")
        self._source = f"package anny {anny.__version__}"
        self._parents = tuple(int(p) for p in self._model.bone_parents)

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        model, known = self._model, {parameter.name: parameter for parameter in PHENOTYPES}
        change = "1 fully as named, 0 unchanged"
        bones = tuple(model.bone_labels)
        return Spec(
            name="anny",
            family="anny",
            parameters=tuple(known[name] for name in model.phenotype_labels)
            + tuple(Parameter(local_name(n), 0.0, -1.0, 1.0, 0.0, 0.15, change) for n in model.local_change_labels),
            expressions=tuple(model.facial_action_labels),
            joints=bones,
            parents=self._parents,
            kinds=("ball",) * len(bones),
            pose=f"(..., {len(bones)}, 3) rotation vectors or (..., {len(bones)}, 3, 3) matrices of each bone against "
            "a reference pose that is the same for all shapes, in the world's axes",
            bind_pose="A-pose",
            zero_pose="the reference pose, close to the bind pose",
            root="turns about its own head, which the translation places",
            rest_joints="blend shapes of their own",
            correctives="none",
            licence="code Apache-2.0, data CC0-1.0 (MakeHuman)",
            source=self._source,
            sha256="",
        )

    @functools.cached_property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        return self._model.faces.numpy().astype(np.int32)

    def rest(
        self,
        shape: Mapping[str, float] | ArrayLike | None = None,
        expression: Mapping[str, float] | ArrayLike | None = None,
        bones: Mapping[str, float] | None = None,
    ) -> AnnyRest:
        """One person; see :meth:`marrow.body.model.BodyModel.rest`."""
        if bones:
            raise InputError("bones: Anny's bones follow its shape; only the default body's can be set")
        values = values_of(shape, self.spec.defaults, "shape")
        count = len(self._model.phenotype_labels)
        person = (
            values[:count],
            values[count:],
            values_of(expression, dict.fromkeys(self.spec.expressions, 0.0), "face"),
        )
        mesh = self._posed(person, np.tile(np.eye(3), (1, len(self._parents), 1, 1)), np.zeros((1, 3)))
        return AnnyRest(*person, *(part[0] for part in mesh))

    def pose(
        self,
        rest: AnnyRest,
        pose: ArrayLike,
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
    ) -> Mesh:
        """That person posed; see :meth:`marrow.body.model.BodyModel.pose`."""
        check_outputs(outputs)
        ids = None if vertex_ids is None else check_vertex_ids(vertex_ids, len(rest.vertices))
        rotations, lead = joint_rotations(torch.from_numpy(np.array(pose, np.float64)), len(self._parents))
        shift = None if translation is None else torch.from_numpy(np.array(translation, np.float64))
        shift = checked_translation(shift, lead)
        place = np.zeros((len(rotations), 3)) if shift is None else np.broadcast_to(shift.numpy(), (len(rotations), 3))
        person = rest.phenotypes, rest.changes, rest.expression
        vertices, joints = (
            part.reshape(*lead, *part.shape[1:]) for part in self._posed(person, rotations.numpy(), place)
        )
        wanted = "vertices" in outputs
        return Mesh(
            (vertices if ids is None else vertices[..., ids, :]) if wanted else np.zeros((0, 3), np.float32),
            self.faces if wanted and ids is None else np.zeros((0, 3), np.int32),
            joints if "joints" in outputs else None,
            self.spec.joints if "joints" in outputs else (),
        )

    def _posed(
        self, person: tuple[Float64, Float64, Float64], rotations: Float64, translation: Float64
    ) -> tuple[Float32, Float32]:
        """Vertices (T, V, 3) and heads (T, 104, 3) in marrow's axes."""
        pose = np.tile(np.eye(4), (*rotations.shape[:2], 1, 1))
        pose[..., :3, :3] = _AXES.T @ rotations @ _AXES
        pose[:, 0, :3, 3] = translation @ _AXES
        phenotypes, changes, face = (torch.from_numpy(part)[None].expand(len(pose), -1) for part in person)
        with torch.no_grad():
            out = self._model(torch.from_numpy(pose), phenotypes, changes, face)
        heads = out["bone_poses"][..., :3, 3]
        return tuple((part.numpy() @ _AXES.T).astype(np.float32) for part in (out["vertices"], heads))  # type: ignore[return-value]
