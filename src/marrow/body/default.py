"""The default body: Anny's shape space (136 rows, face actions, local changes), stretchable limbs, at rest.

The body stands on the floor (lowest vertex at y = 0), its
pelvis over the origin, facing +Z, in an A-pose (the bind pose).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.body import anatomy, posing
from marrow.body._store import Store, file_sha256, read_store
from marrow.body.bones import BoneStretch, is_stretched
from marrow.body.bones import stretches as bone_stretches
from marrow.body.landmarks import Landmarks
from marrow.body.model import Spec, check_outputs, check_vertex_ids
from marrow.body.rig import grouped_weights, rig_matrix
from marrow.body.shape import Coefficients, Stretch, checked, local_name, parameters
from marrow.body.skinning import SkinWeights, skin
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.types import Float32, Float64, Mesh, Motion

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from marrow.body.subset import BodySubset


@dataclass(frozen=True)
class Rest:
    """One person's body at rest (bind pose), marrow's world, metres.

    Attributes:
        shape: the shape parameters it was made from (those given; the others are at their defaults).
        expression: face actions it wears.
        vertices: (V, 3) float32.
        bones: the rig's 104 bones.
        bone_heads: (104, 3) float64.
        landmarks: joint centres and ends of segments, name to (3,) float64; see
            :class:`marrow.body.landmarks.Landmarks`.
        coefficients: (K,) of the shape rows, for the rig's own bone frames.
    """

    shape: Mapping[str, float]
    expression: Mapping[str, float]
    vertices: Float32
    bones: tuple[str, ...]
    bone_heads: Float64
    landmarks: Mapping[str, Float64]
    coefficients: Float64

    @functools.cached_property
    def skeleton(self) -> Skeleton:
        """The biomechanical skeleton inside, by which the body is posed."""
        return Skeleton.inside(self.landmarks)

    @property
    def joints(self) -> Float64:
        """(B, 3) origins of the skeleton's segments in the bind pose, metres."""
        return self.skeleton.bind[:, :3, 3]


class DefaultBody:
    """Anny's body as marrow's default. Make it with :func:`marrow.body.load_body`."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or read_store()
        arrays = self._store.arrays
        self._template = arrays["template"].reshape(-1)
        self._coefficients = Coefficients(self._store)
        #: The rig's own 104 bones, and the parent of each (the root's is -1).
        self.bones: tuple[str, ...] = tuple(self._store.meta["bones"])
        self.bone_parents: tuple[int, ...] = tuple(self._store.meta["parents"])
        self._stretch = Stretch(self.bones, self.bone_parents)
        self._landmarks = Landmarks(self.bones)
        self._parameters = parameters(self._store)
        self._by_name = {p.name: p for p in self._parameters}
        self._defaults = {p.name: p.default for p in self._parameters}
        self._face_row = {name: i for i, name in enumerate(self._store.meta["face_actions"])}
        first = len(self._face_row)
        self._local_row = {
            local_name(label): first + 2 * i for i, label in enumerate(self._store.meta["local_changes"])
        }
        self._skins: dict[tuple[str, ...], SkinWeights] = {}
        self._all = _Reading(self, np.arange(self.vertex_count))

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self._template) // 3

    @functools.cached_property
    def spec(self) -> Spec:
        """What the body is; see :class:`marrow.body.model.Spec`."""
        skeleton = self.rest().skeleton
        names = len(skeleton.coordinates)
        return Spec(
            name="default",
            family="anny",
            parameters=self._parameters,
            expressions=tuple(self._face_row),
            joints=tuple(skeleton.bodies),
            parents=tuple(int(p) for p in skeleton.tree.parents),
            kinds=("coordinates",) * len(skeleton.bodies),
            pose=f"(..., {names}) coordinates of the skeleton by name (rest.skeleton.coordinates), radians and metres",
            bind_pose="A-pose, standing on the floor, the pelvis over the origin",
            zero_pose="upright, arms down, palms forward (anatomical)",
            root="pelvis_tx, ty, tz place the pelvis' origin in OpenSim's ground; a translation, in marrow's world, "
            "takes their place",
            rest_joints="regressed from the skin's bony points (docs/anatomy.md)",
            correctives="none",
            licence=self._store.meta["licence"],
            source=self._store.meta["source"],
            sha256=file_sha256(),
        )

    @functools.cached_property
    def faces(self) -> NDArray[np.int32]:
        """(F, 3) triangles, counter-clockwise seen from outside."""
        return self._store.arrays["faces"].astype(np.int32)

    @functools.cached_property
    def uv(self) -> Float32:
        """(U, 2) texture coordinates in [0, 1], origin at the lower left."""
        return self._store.arrays["uv"]

    @functools.cached_property
    def faces_uv(self) -> NDArray[np.int32]:
        """(F, 3) rows of :attr:`uv` of each triangle's corners."""
        return self._store.arrays["faces_uv"].astype(np.int32)

    def rest(
        self,
        shape: Mapping[str, float] | ArrayLike | None = None,
        expression: Mapping[str, float] | ArrayLike | None = None,
        bones: Mapping[str, float] | None = None,
    ) -> Rest:
        """The body of one person at rest (a few milliseconds).

        Args:
            shape: parameter name to value, or values in the order of ``spec.parameters``; the rest is at its default.
                Phenotypes outside their range are clamped to it, as in Anny.
            expression: face action name to strength in [0, 1].
            bones: bone to its length in metres, between joint centres (:data:`marrow.body.bones.BONES`): ``femur``
                for both sides, ``femur_l`` for one, widths ``hips`` and ``shoulders``. The soft tissue around it stays
                as it is. The result's shape then holds ``log_bone_*`` that give the same body again. With legs of
                unequal length the pelvis stays level and the shorter one hangs free.
        Raises:
            InputError: unknown name, value that is not finite, or a bone outside the range that its message tells.
        """
        shape = checked(_named(shape, self._by_name, "shape"), self._by_name, "shape parameter")
        expression = checked(_named(expression, self._face_row, "expression"), self._face_row, "face action")
        values = self._defaults | shape
        coefficients = self._coefficients(values)
        moves = self._moves(values, expression)
        vertices = self._template + coefficients.astype(np.float32) @ self._store.basis
        vertices = vertices.reshape(-1, 3)
        for row, strength in moves:
            ids, move = self._store.sparse_row(row)
            vertices[ids] += np.float32(strength) * move
        heads = self._heads(coefficients, moves)
        vertices, heads = self._all.stretched(vertices, heads, values)
        vertices, heads, landmarks = self._all.standing(vertices, heads, values["weight"])
        if bones:
            shape |= bone_stretches(bones, landmarks, shape)
        vertices, heads, landmarks = self._all.with_bones(vertices, heads, landmarks, shape)
        return Rest(shape, expression, vertices.astype(np.float32), self.bones, heads, landmarks, coefficients)

    def stature(self, shape: Mapping[str, float] | None = None) -> float:
        """Height of the body at rest from sole to crown, metres."""
        return float(self.rest(shape).vertices[:, 1].max())

    def shape_for_height(self, stature: float, shape: Mapping[str, float] | None = None) -> dict[str, float]:
        """``shape`` with its ``height`` phenotype set so that the body is ``stature`` metres tall (within 0.1 mm).

        Raises:
            InputError: no value of ``height`` in its range gives that stature (then ``age`` is wrong, most likely).
        """
        shape = checked(shape, self._by_name, "shape parameter")
        parameter = self._by_name["height"]
        low, high = parameter.low, parameter.high
        shortest, tallest = self.stature(shape | {"height": low}), self.stature(shape | {"height": high})
        if not shortest <= stature <= tallest:
            raise InputError(
                f"A stature of {stature} m is outside what this body can have: {shortest:.2f} to {tallest:.2f} m. "
                "Give metres; for a child, set 'age' (-0.33 newborn, 0 baby, 0.33 child, 0.67 young adult) as well."
            )
        height = low
        for _ in range(8):  # stature is all but linear in the phenotype
            height = low + (high - low) * (stature - shortest) / (tallest - shortest)
            found = self.stature(shape | {"height": height})
            if abs(found - stature) < 1e-4:
                break
            if found < stature:
                low, shortest = height, found
            else:
                high, tallest = height, found
        return shape | {"height": height}

    def subset(self, vertex_ids: Sequence[int] | NDArray, names: Sequence[str] | None = None) -> BodySubset:
        """A few vertices only, for solvers: see :class:`BodySubset`. Raises InputError on ids outside the mesh."""
        from marrow.body.subset import BodySubset

        return BodySubset(self, vertex_ids, names)

    def skin_weights(self, bodies: Sequence[str]) -> SkinWeights:
        """Exact skinning weights of the skeleton's segments ``bodies``. Raises InputError where one is missing."""
        key = tuple(bodies)
        if key not in self._skins:
            a = self._store.arrays
            shares = rig_matrix(self.bones, key)
            self._skins[key] = SkinWeights(*grouped_weights(a["weight_start"], a["weight_bone"], a["weight"], shares))
        return self._skins[key]

    @functools.cached_property
    def bone_weights(self) -> SkinWeights:
        """Exact skinning weights of the rig's own bones."""
        a = self._store.arrays
        return SkinWeights(a["weight_start"], a["weight_bone"].astype(np.int32), a["weight"])

    def pose(
        self,
        rest: Rest,
        pose: ArrayLike | Motion,
        translation: ArrayLike | None = None,
        *,
        outputs: Sequence[str] = ("vertices", "joints"),
        vertex_ids: Sequence[int] | NDArray | None = None,
        threads: int | None = None,
    ) -> Mesh:
        """The body posed by its skeleton.

        Args:
            rest: the body at rest.
            pose: (..., D) coordinates of ``rest.skeleton``, or a Motion (its ``q`` and ``translation``).
            translation: (..., 3) pelvis origin in marrow's world; by default what ``pose`` says.
            outputs: "vertices", "joints" or both; what is not asked for is not computed.
            vertex_ids: (n,) only these vertices; the Mesh then has no faces.
            threads: see :func:`marrow.body.skinning.skin`.
        Returns:
            Mesh with vertices (..., V or n, 3), and the segments' origins as joints.
        Raises:
            InputError: wrong shapes or unknown outputs.
        """
        if isinstance(pose, Motion):
            pose, translation = pose.q, pose.translation if translation is None else translation
        skeleton = rest.skeleton
        check_outputs(outputs)
        ids = None if vertex_ids is None else check_vertex_ids(vertex_ids, self.vertex_count)
        if "vertices" not in outputs:
            ids = np.zeros(0, np.intp)
        weights = self.skin_weights(skeleton.bodies)
        vertices = rest.vertices
        if ids is not None:
            weights, vertices = weights.rows(ids), vertices[ids]
        posed, joints = posing.pose_by_skeleton(vertices, weights, skeleton, pose, translation, threads)
        return Mesh(
            posed,
            self.faces if ids is None else np.zeros((0, 3), np.int32),
            joints.astype(np.float32) if "joints" in outputs else None,
            tuple(skeleton.bodies) if "joints" in outputs else (),
        )

    @property
    def reference_frames(self) -> Float64:
        """(104, 3, 3) frames of the rig's own bones in the pose that :meth:`pose_bones` turns them against."""
        return self._store.arrays["reference_frames"]

    def bone_frames(self, rest: Rest) -> Float64:
        """(104, 3, 3) frames of the rig's own bones at rest: nearest rotations to what is linear in the shape."""
        a = self._store.arrays
        M = a["frames"] + np.tensordot(rest.coefficients, a["frames_basis"].astype(np.float64), 1)
        for row, strength in self._moves(rest.shape, {}):
            chosen = a["local_frame_row"] == row
            M[a["local_frame_bone"][chosen]] += strength * a["local_frame_change"][chosen]
        return posing.nearest_rotation(M)

    def pose_bones(self, rest: Rest, local_rotations: ArrayLike, translation: ArrayLike | None = None) -> Mesh:
        """The body posed by the rig's own 104 bones, as ``anny.Anny(pose_parameterization="local-ref")`` does it.

        Args:
            rest: the body at rest.
            local_rotations: (..., 104, 3, 3) each bone against the shape-free reference pose, in the world's axes.
            translation: (..., 3) of the root; zero puts the root's head at the origin (the floor is not kept).
        """
        rotations = np.asarray(local_rotations, np.float64)
        transforms, heads = posing.bone_transforms(
            self.bone_parents,
            rest.bone_heads,
            self.bone_frames(rest),
            self.reference_frames,
            rotations,
            translation,
        )
        flat = transforms.reshape(-1, *transforms.shape[-3:])
        posed = skin(rest.vertices, self.bone_weights, flat).reshape(*rotations.shape[:-3], -1, 3)
        return Mesh(posed, self.faces, heads.astype(np.float32), self.bones)

    def _moves(self, values: Mapping[str, float], face: Mapping[str, float]) -> list[tuple[int, float]]:
        """(sparse row, strength) of everything that is not zero."""
        moves = [(self._face_row[name], value) for name, value in face.items() if value != 0.0]
        for name, row in self._local_row.items():
            value = values.get(name, 0.0)
            if value != 0.0:
                moves.append((row, value) if value > 0.0 else (row + 1, -value))
        return moves

    def _heads(self, coefficients: Float64, moves: Sequence[tuple[int, float]]) -> Float64:
        """(104, 3) bone heads before any stretch."""
        a = self._store.arrays
        heads = a["heads"] + np.tensordot(coefficients, self._heads_basis, 1)
        for row, strength in moves:
            chosen = a["local_head_row"] == row
            heads[a["local_head_bone"][chosen]] += strength * a["local_head_move"][chosen]
        return heads

    @functools.cached_property
    def _heads_basis(self) -> Float64:
        return self._store.arrays["heads_basis"].astype(np.float64)


class _Reading:
    """The steps after blending that all vertices and subsets share: stretch, stand on the floor, read the landmarks."""

    def __init__(self, body: DefaultBody, ids: NDArray) -> None:
        self._body, self._ids = body, ids
        place = np.full(body.vertex_count, -1)
        place[ids] = np.arange(len(ids))
        self._floor = place[body._store.arrays["floor_vertices"].astype(np.intp)]
        self._skin = place[body._landmarks.vertex_ids]
        self._stretch, self._landmarks = body._stretch, body._landmarks

    @functools.cached_property
    def _weights(self) -> csr_array:
        """(n, N) weights of the bones; made at the first stretch: scipy takes longer to import than the body."""
        from scipy.sparse import csr_array

        start, bone, weight = self._body.bone_weights.rows(self._ids)
        return csr_array((weight, bone, start), shape=(len(self._ids), len(self._body.bones)))

    def stretched(self, vertices: NDArray, heads: Float64, values: Mapping[str, float]) -> tuple[NDArray, Float64]:
        """Vertices (n, 3) and heads (N, 3) with the limbs as long as ``values`` say."""
        stretched = self._stretch(values, heads)
        if stretched is None:
            return vertices, heads
        linear, moved = stretched
        offset = moved - (linear @ heads[:, :, None])[:, :, 0]
        maps = np.concatenate([linear, offset[:, :, None]], axis=2).reshape(len(heads), 12)
        blended = (self._weights @ maps.astype(vertices.dtype)).reshape(-1, 3, 4)
        return (blended[:, :, :3] @ vertices[:, :, None])[:, :, 0] + blended[:, :, 3], moved

    def standing(
        self, vertices: NDArray, heads: Float64, weight: ArrayLike
    ) -> tuple[NDArray, Float64, dict[str, Float64]]:
        """Vertices (..., n, 3), heads (..., N, 3) and landmarks of bodies that stand on the floor over the origin."""
        skin = vertices[..., self._skin, :].astype(np.float64)
        landmarks = self._landmarks(heads, skin, anatomy.tissue_weight(weight))
        floor = vertices[..., self._floor, 1].min(-1).astype(np.float64)
        pelvis = landmarks["pelvis"]
        shift = -np.stack([pelvis[..., 0], floor, pelvis[..., 2]], -1)
        landmarks = {name: point + shift for name, point in landmarks.items()}
        return vertices + shift[..., None, :].astype(vertices.dtype), heads + shift[..., None, :], landmarks

    @functools.cached_property
    def _bone_stretch(self) -> BoneStretch:
        return BoneStretch(self._body.bones, self._weights)

    def with_bones(
        self, vertices: NDArray, heads: Float64, landmarks: dict[str, Float64], values: Mapping[str, float]
    ) -> tuple[NDArray, Float64, dict[str, Float64]]:
        """A standing body (n, 3), (N, 3) with its bones stretched as ``values`` say, standing again."""
        if not is_stretched(values):
            return vertices, heads, landmarks
        vertices, heads, landmarks = self._bone_stretch(vertices, heads, landmarks, values)
        up = np.array([0.0, -float(vertices[self._floor, 1].min()), 0.0])
        landmarks = {name: point + up for name, point in landmarks.items()}
        return vertices + up.astype(vertices.dtype), heads + up, landmarks


def _named(
    values: Mapping[str, float] | ArrayLike | None, names: Mapping[str, Any], what: str
) -> Mapping[str, float] | None:
    """Values by name, where they come as an array of the first few."""
    if values is None or isinstance(values, Mapping):
        return values
    found = np.asarray(values, float)
    if found.ndim != 1 or len(found) > len(names):
        raise InputError(f"{what}: expected up to {len(names)} values, got an array of shape {found.shape}")
    return dict(zip(names, found.tolist(), strict=False))
