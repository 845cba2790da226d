"""SKEL from a user's own file: SMPL's skin and shapes on a skeleton of 24 bones with 46 angles.

Written from the paper (Keller et al. 2023, "From Skin to Skeleton", ACM TOG 42(6), arXiv 2509.06607), of which the
abstract and summaries were read, and from the names and shapes of the file's arrays. No code of its authors was used.

Published are: the bones and how many angles each has; joints regressed from the skin at rest; SMPL's template and
shapes; linear blend skinning; that the spine bends with constant curvature and the scapula glides on an ellipsoid. Axes
and signs of pelvis, hip, knee, ankle, subtalar, toe, elbow, forearm and wrist joints are the Rajagopal and Lai-Uhlrich
models' (:mod:`marrow.skeleton.definition`), those of the spine OpenSim's ConstantCurvatureJoint, those of the scapula
OpenSim's ScapulothoracicJoint (Seth et al. 2016), on the left mirrored so that an angle means the same on both sides.

Readings of ours, where nothing published was found, are :data:`READINGS`. None was held against a real file.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow.body.blending import blend_and_skin
from marrow.body.file_body import FileBody, FileRest, tensor
from marrow.body.linear import (
    TENSOR_OUTPUTS,
    LinearBody,
    LinearRest,
    Posed,
    check_bodies,
    finite,
    joint_steps,
    linear_parts,
    transforms_of,
)
from marrow.body.model import Spec, check_outputs
from marrow.body.model_file import ModelFile
from marrow.body.skinning import SkinWeights
from marrow.conventions import R_GROUND_WORLD, nearest_names
from marrow.errors import InputError, UnknownNameError
from marrow.skeleton.definition import JOINTS, Axis, X, Y, Z, mirrored
from marrow.types import Float64, Mesh

#: What this model takes the paper and the file to mean, without having seen either confirmed.
READINGS = (
    "the angles follow each other by bone, in the file's order of bones; all zero is the file's own rest pose",
    "'per_joint_rot' turns each bone's axes (X forward, Y up, Z to the right) into the body's at rest",
    "angles of one joint turn about its axes one after the other, each carried by those before",
    "the knee is a plain hinge about Lai-Uhlrich's oblique axis, without its rolling and gliding",
    "lumbar, thorax and head joints stand at the end of an arc of constant length from their parent's joint",
    "the scapula glides on an ellipsoid about the thorax, half as wide as the scapulae's joints are apart",
    "a bone's mesh grows with the distance from its joint to its children's (2 cm away or more)",
    "'parameter_mapping', 'tpose_transfo', 'apose_transfo' and 'apose_rel_transfo' are not used",
)

_LEG: Mapping[str, tuple[str, ...]] = {
    "femur": ("hip_flexion", "hip_adduction", "hip_rotation"),
    "tibia": ("knee_angle",),
    "talus": ("ankle_angle",),
    "calcn": ("subtalar_angle",),
    "toes": ("mtp_angle",),
}
_ARM: Mapping[str, tuple[str, ...]] = {
    "scapula": ("scapula_abduction", "scapula_elevation", "scapula_upward_rot"),
    "humerus": ("gh_flex", "gh_add", "gh_rot"),
    "ulna": ("elbow_flex",),
    "radius": ("pro_sup",),
    "hand": ("wrist_flex", "wrist_dev"),
}


def _sided(limb: Mapping[str, tuple[str, ...]], side: str) -> dict[str, tuple[str, ...]]:
    return {f"{bone}_{side}": tuple(f"{name}_{side}" for name in names) for bone, names in limb.items()}


#: Bone to the names of its angles, in the order in which they turn it.
ANGLES: Mapping[str, tuple[str, ...]] = {
    "pelvis": ("pelvis_tilt", "pelvis_list", "pelvis_rotation"),
    **_sided(_LEG, "r"),
    **_sided(_LEG, "l"),
    "lumbar_body": ("lumbar_bending", "lumbar_extension", "lumbar_rotation"),
    "thorax": ("thorax_bending", "thorax_extension", "thorax_rotation"),
    "head": ("head_bending", "head_extension", "head_rotation"),
    **_sided(_ARM, "r"),
    **_sided(_ARM, "l"),
}
#: How many angles there are.
_COUNT = sum(map(len, ANGLES.values()))
_SPINE = ("lumbar_body", "thorax", "head")
_SCAPULA: Mapping[str, Axis] = {"abduction": Y, "elevation": (-1.0, 0.0, 0.0), "upward_rot": Z}

#: Angle to its axis in its bone's axes (X forward, Y up, Z to the right); the scapula's in the thorax's.
AXES: Mapping[str, Axis] = {
    **{coordinate.name: coordinate.axis for joint in JOINTS for coordinate in joint.coordinates},
    **{name: axis for bone in _SPINE for name, axis in zip(ANGLES[bone], (X, Z, Y), strict=True)},
    **{f"scapula_{name}_r": axis for name, axis in _SCAPULA.items()},
    **{f"scapula_{name}_l": mirrored(axis) for name, axis in _SCAPULA.items()},
}

#: Radii of the thorax's ellipsoid (forward, up, sideways) in shares of the last: a choice of ours, after a rib cage of
#: some 24 by 36 by 30 cm.
_RIB_CAGE = (0.8, 1.2, 1.0)

#: Metres from a bone's joint to another that can be where the bone ends.
_BONE = 0.02

#: The file's keys of the bones' mesh: vertices, weights, faces.
_BONE_MESH = ("skel_template_v", "skel_weights", "skel_template_f")

#: SMPL's joints behind the root: the bone that moves each, and SMPL's parent.
_SMPL: Mapping[str, tuple[str, str]] = {
    "left_hip": ("femur_l", "pelvis"), "right_hip": ("femur_r", "pelvis"), "spine1": ("lumbar_body", "pelvis"),
    "left_knee": ("tibia_l", "left_hip"), "right_knee": ("tibia_r", "right_hip"), "spine2": ("lumbar_body", "spine1"),
    "left_ankle": ("calcn_l", "left_knee"), "right_ankle": ("calcn_r", "right_knee"), "spine3": ("thorax", "spine2"),
    "left_foot": ("toes_l", "left_ankle"), "right_foot": ("toes_r", "right_ankle"), "neck": ("head", "spine3"),
    "left_collar": ("scapula_l", "spine3"), "right_collar": ("scapula_r", "spine3"), "head": ("head", "neck"),
    "left_shoulder": ("humerus_l", "left_collar"), "right_shoulder": ("humerus_r", "right_collar"),
    "left_elbow": ("radius_l", "left_shoulder"), "right_elbow": ("radius_r", "right_shoulder"),
    "left_wrist": ("hand_l", "left_elbow"), "right_wrist": ("hand_r", "right_elbow"),
    "left_hand": ("hand_l", "left_wrist"), "right_hand": ("hand_r", "right_wrist"),
}  # fmt: skip


class SkelTensors(LinearBody):
    """SKEL on tensors: a linear body whose joints are turned and moved by 46 angles; differentiable in all it takes.

    Args:
        file: of the family "skel".
        correctives: let bones drive SMPL's pose correctives, each of SMPL's joints by the bone that moves it. Which
            bone that is is a reading of ours (:data:`_SMPL`).

    Attributes:
        bones: names of the bones, in the file's order.
        names: of the 46 angles in order: the file's own names, where it has them.
        ours: names of :data:`ANGLES` for the same.
    """

    axes: torch.Tensor
    slots: torch.Tensor
    thorax: torch.Tensor
    outward: torch.Tensor
    radii: torch.Tensor
    bone_template: torch.Tensor

    def __init__(self, file: ModelFile, *, correctives: bool = False) -> None:
        super().__init__(**linear_parts(file, corrected=correctives))
        self.bones, frames = bone_names(file), bone_frames(file)
        self.names, self.ours = angle_names(file, self.bones)
        thorax = frames[self.bones.index("thorax")]
        slots, axes = np.full((len(self.bones), 3), _COUNT), np.zeros((len(self.bones), 3, 3))
        for b, bone in enumerate(self.bones):
            frame = thorax if bone.startswith("scapula") else frames[b]
            for k, name in enumerate(ANGLES[bone]):
                slots[b, k], axes[b, k] = self.ours.index(name), frame @ np.array(AXES[name])
        self._spine = [self.bones.index(bone) for bone in _SPINE]
        self._scapulae = [self.bones.index(bone) for bone in ("scapula_r", "scapula_l")]
        moved_by = {"pelvis": "pelvis"} | {name: bone for name, (bone, _) in _SMPL.items()}
        self._drives = [self.bones.index(moved_by[name]) for name in _SMPL]
        self._against = [self.bones.index(moved_by[parent]) for _, parent in _SMPL.values()]
        self._ends = bone_ends(file.parents, file.joint_regressor @ file.template)
        template, self.bone_weights, self.bone_faces = bone_mesh(file)
        self.register_buffer("slots", torch.from_numpy(slots))
        for name, values in {
            "axes": axes,
            "thorax": thorax,
            "outward": np.stack([thorax[:, 2], -thorax[:, 2]]),
            "radii": np.array(_RIB_CAGE),
            "bone_template": template,
        }.items():
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))

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
            pose: (..., 46) radians, in the order of :attr:`names`.
            translation: (..., 3) metres, added to everything.
            outputs: of "vertices", "joints" and "frames" (how each bone is turned against the rest pose); what is not
                asked for is not computed.
            vertex_ids: (n,) only these vertices.
            threads: see :func:`marrow.body.skinning.skin`.
        Raises:
            InputError: other shapes, or numbers that are not finite.
        """
        check_outputs(outputs, TENSOR_OUTPUTS)
        if pose.shape[-1:] != (_COUNT,):
            raise InputError(
                f"pose: expected (..., {_COUNT}) radians, in the order {', '.join(self.names[:3])} … "
                f"{self.names[-1]}; got {tuple(pose.shape)}"
            )
        finite(pose, "pose")
        lead, q = tuple(pose.shape[:-1]), pose.reshape(-1, _COUNT)
        check_bodies(rest, len(q))
        swing, rotations = self._turns(q)
        steps = self._steps(rest, swing)
        return self._posed(rest, steps, rotations, lead, translation, outputs, vertex_ids, threads)

    def posed_bones(
        self, rest: LinearRest, pose: torch.Tensor, translation: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(..., N, 3) metres: vertices of the bones' mesh. Each bone is scaled about its joint, then goes with it.

        Raises:
            InputError: the file has no such mesh, other shapes, or numbers that are not finite.
        """
        if self.bone_weights is None:
            raise InputError(f"bones: the file has no mesh of them; it needs {', '.join(map(repr, _BONE_MESH))}")
        posed = self.pose(rest, pose, translation, outputs=("joints", "frames"))
        assert posed.joints is not None
        assert posed.frames is not None
        count = len(self.parents)
        grown = self._growth(rest.joints)[..., None, None] * posed.frames.view(-1, count, 3, 3)
        at_rest = self.joints_template.view(1, count, 3)
        transforms = transforms_of(at_rest, grown, posed.joints.view(-1, count, 3))
        moved = blend_and_skin(None, self.bone_weights, None, transforms, self.bone_template)
        return moved.view(*posed.joints.shape[:-2], -1, 3)

    def corrective_turns(self, rotations: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        """(T, 23, 3, 3) turns of SMPL's joints against their parents, as the bones that move them make them."""
        return frames[:, self._against].mT @ frames[:, self._drives]

    def _turns(self, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(T, J, 3, 3) of the first two angles of each bone, and of all, against the parent."""
        import roma

        angles = torch.nn.functional.pad(q, (0, 1))[:, self.slots]
        turns = roma.rotvec_to_rotmat(angles[..., None] * self.axes)
        swing = turns[:, :, 0] @ turns[:, :, 1]
        return swing, swing @ turns[:, :, 2]

    def _steps(self, rest: LinearRest, swing: torch.Tensor) -> torch.Tensor:
        """(T, J, 3) from each bone's parent to it, with the arcs of the spine and the gliding of the scapulae."""
        steps = joint_steps(self.parents, rest.joints)
        straight = steps[:, self._spine]
        bent = (swing[:, self._spine] @ straight[..., None])[..., 0]
        apart = rest.joints[:, self._scapulae[0]] - rest.joints[:, self._scapulae[1]]
        half_axes = self.radii * apart.norm(dim=-1, keepdim=True)[:, None] / 2
        facing = (swing[:, self._scapulae] @ self.outward[..., None])[..., 0]
        glide = self._on_ribs(facing, half_axes) - self._on_ribs(self.outward[None], half_axes)
        moves = torch.cat([arc_end(straight, bent) - straight, glide], 1)
        moved = torch.tensor([*self._spine, *self._scapulae], device=steps.device)
        return steps.expand(len(swing), -1, -1).index_add(1, moved, moves)

    def _on_ribs(self, facing: torch.Tensor, half_axes: torch.Tensor) -> torch.Tensor:
        """(T, 2, 3) points of the thorax's ellipsoid from its centre, as Seth et al. 2016 place the scapula.

        Args:
            facing: (T, 2, 3) unit vectors, in the body's axes, that point outward at rest.
            half_axes: (N, 1, 3) of the ellipsoid, in the thorax's axes.
        """
        return (half_axes * (facing @ self.thorax)) @ self.thorax.mT

    def _growth(self, joints: torch.Tensor) -> torch.Tensor:
        """(N, J) size of each bone against the template's, by the distances to its ends; that of its parent if none."""
        before = self.joints_template.view(1, -1, 3)
        sizes: list[torch.Tensor] = []
        for b, ends in enumerate(self._ends):
            if ends:
                now, then = (
                    (places[:, ends] - places[:, b : b + 1]).norm(dim=-1).sum(1) for places in (joints, before)
                )
                sizes.append(now / then)
            else:
                sizes.append(sizes[self.parents[b]] if b else joints.new_ones(len(joints)))
        return torch.stack(sizes, 1)


def arc_end(straight: torch.Tensor, bent: torch.Tensor) -> torch.Tensor:
    """Where an arc of constant length and curvature ends that sets out along one vector and arrives along another.

    The chord halves the angle between the two, t, and is ``2 sin(t / 2) / t`` of the arc's length.

    Args:
        straight: (..., 3) metres: the arc while it is straight.
        bent: (..., 3) the same vector, turned into the direction at the end.
    Returns:
        (..., 3) metres from the arc's start.
    """
    length = (straight * straight).sum(-1, keepdim=True).clamp_min(1e-18)
    w = ((bent - straight) ** 2).sum(-1, keepdim=True) / (4 * length)  # sin(t / 2) squared
    near = w < 0.01
    small, large = torch.where(near, w, 0), torch.where(near, 0.5, w).clamp(max=1 - 1e-6)
    series = 1 + small * (1 / 6 + small * (3 / 40 + small * (15 / 336 + small * 105 / 3456)))
    half = torch.where(near, series, large.sqrt().asin() / large.sqrt())  # (t / 2) / sin(t / 2)
    cosine = (1 - torch.where(near, small, large)).sqrt()
    return (straight + bent) / (2 * half * cosine)


class SkelBody(FileBody[SkelTensors]):
    """SKEL on arrays. Make it with :func:`marrow.body.load_body`.

    Args:
        correctives: as :class:`SkelTensors` takes it.
    """

    def __init__(self, file: ModelFile, name: str | None = None, *, correctives: bool = False) -> None:
        super().__init__(file, SkelTensors(file, correctives=correctives), name)

    @property
    def angle_names(self) -> tuple[str, ...]:
        """Names of the 46 angles in order: the file's own, where it has them; our names are known too."""
        return self._tensors.names

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        driven = "SMPL's, linear in R - I of its joints, each turned by the bone that moves it (a reading of ours)"
        return self._spec(
            kinds=("coordinates",) * len(self._file.parents),
            pose=f"(..., {_COUNT}) radians: {', '.join(self.angle_names)}",
            bind_pose="T-pose",
            zero_pose="the bind pose; not OpenSim's",
            correctives=driven if self._tensors.corrected else "off: what drives them in the file is not known",
            remark=f"not verified on a real file; taken to be so: {'; '.join(READINGS)}",
        )

    def pose(
        self,
        rest: FileRest,
        pose: ArrayLike | Mapping[str, ArrayLike],
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
        threads: int | None = None,
    ) -> Mesh:
        """That person posed; see :meth:`marrow.body.model.BodyModel.pose`. Angles may be named, see :meth:`angles`."""
        q = self.angles(pose) if isinstance(pose, Mapping) else pose
        return super().pose(rest, q, translation, outputs=outputs, vertex_ids=vertex_ids, threads=threads)

    def bones(
        self,
        rest: FileRest,
        pose: ArrayLike | Mapping[str, ArrayLike],
        translation: ArrayLike | None = None,
    ) -> Mesh:
        """The file's mesh of the bones, of that person in that pose.

        Raises:
            InputError: the file has none, other shapes, or numbers that are not finite.
        """
        q = self.angles(pose) if isinstance(pose, Mapping) else pose
        with torch.no_grad():
            vertices = self._tensors.posed_bones(
                rest.on_tensors, tensor(q), None if translation is None else tensor(translation)
            )
        return Mesh(vertices.numpy(), self._tensors.bone_faces)

    def angles(self, by_name: Mapping[str, ArrayLike]) -> Float64:
        """(..., 46) radians of some angles by name, each (...,); the others are 0.

        Raises:
            UnknownNameError: near names are told.
        """
        index = {name: i for names in (self._tensors.ours, self._tensors.names) for i, name in enumerate(names)}
        for name in by_name:
            if name not in index:
                near = ", ".join(nearest_names(name, index))
                raise UnknownNameError(f"pose: there is no angle {name!r}; the nearest: {near}")
        values = np.broadcast_arrays(0.0, *(np.asarray(value, float) for value in by_name.values()))[1:]
        out = np.zeros((*(values[0].shape if values else ()), _COUNT))
        for name, value in zip(by_name, values, strict=True):
            out[..., index[name]] = value
        return out


# ---------------------------------------------------------------------------------------------------------------------
# What the file says
# ---------------------------------------------------------------------------------------------------------------------


def bone_names(file: ModelFile) -> tuple[str, ...]:
    """The bones in the file's order, by their names in :data:`ANGLES`. Raises InputError where they are others."""
    given = tuple(map(str, file.extra.get("bone_names", ())))
    for names in (given, file.joint_names):
        if sorted(names) == sorted(ANGLES):
            return names
    missing = [name for name in ANGLES if name not in (given or file.joint_names)]
    raise InputError(
        f"{file.source}: 'bone_names' must name SKEL's {len(ANGLES)} bones; missing: {', '.join(missing) or 'none'}; "
        f"got {', '.join((given or file.joint_names)[:6])} …"
    )


def bone_frames(file: ModelFile) -> Float64:
    """(24, 3, 3) each bone's axes (X forward, Y up, Z to the right) at rest, as columns in the body's.

    Without turns in the file, bones have the body's axes. The turns may lead from the body's axes (that of the pelvis
    is then near none) or from the anatomical ones (that of the pelvis then brings X forward): the pelvis tells.

    Raises:
        InputError: these are no rotations, or the pelvis would be upright and face forward in neither way.
    """
    turns = np.asarray(file.extra.get("per_joint_rot", np.tile(np.eye(3), (len(file.parents), 1, 1))), float)
    far = np.abs(turns @ np.swapaxes(turns, 1, 2) - np.eye(3)).max()
    if far > 1e-3 or (np.linalg.det(turns) < 0).any():
        raise InputError(f"{file.source}: 'per_joint_rot' must be rotations (24, 3, 3); they are off by {far:.2g}")
    root = bone_names(file).index("pelvis")
    for frames in (turns, turns @ R_GROUND_WORLD.T):
        if min(frames[root, 2, 0], frames[root, 1, 1]) > 0.7:
            return frames
    raise InputError(
        f"{file.source}: 'per_joint_rot' must leave the pelvis upright and facing +Z; it is {turns[root].tolist()}"
    )


def angle_names(file: ModelFile, bones: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the 46 angles as the file has them (ours where it has none), and ours for the same.

    A name of the file that is one of ours says which angle stands there; the others follow by bone.
    """
    ours = [name for bone in bones for name in ANGLES[bone]]
    given = tuple(map(str, file.extra.get("pose_params_name", ()))) or tuple(ours)
    if len(given) != _COUNT or len(set(given)) != _COUNT:
        raise InputError(
            f"{file.source}: 'pose_params_name' must be {_COUNT} different names; got {len(given)}, "
            f"{len(set(given))} of them different"
        )
    left = iter([name for name in ours if name not in given])
    return given, tuple(name if name in ours else next(left) for name in given)


def bone_ends(parents: Sequence[int], joints: Float64) -> list[list[int]]:
    """The joints (J, 3) at which each bone ends: its children's, or those behind a child that is too near."""

    def ends(bone: int, joint: int) -> list[int]:
        found = []
        for child in (c for c, parent in enumerate(parents) if parent == joint):
            far = np.linalg.norm(joints[child] - joints[bone]) >= _BONE
            found += [child] if far else ends(bone, child)
        return found

    return [ends(bone, bone) for bone in range(len(parents))]


def bone_mesh(file: ModelFile) -> tuple[Float64, SkinWeights | None, NDArray[np.int32]]:
    """Vertices (N, 3) in metres, weights and faces (M, 3) of the bones' mesh; none of it where the file has no mesh.

    Raises:
        InputError: faces out of range, or weights that do not sum to one.
    """
    if not all(key in file.extra for key in _BONE_MESH):
        return np.zeros((0, 3)), None, np.zeros((0, 3), np.int32)
    vertices, weights, faces = (np.asarray(file.extra[key]) for key in _BONE_MESH)
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise InputError(
            f"{file.source}: 'skel_template_f' must name vertices 0 to {len(vertices) - 1}; "
            f"got {faces.min()} to {faces.max()}"
        )
    return vertices, SkinWeights.of(weights, f"{file.source}: 'skel_weights'"), faces.astype(np.int32)
