"""The skeleton of one person: where its joints are, where its segments go, and what its coordinates say."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.conventions import from_ground, nearest_names, to_ground
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton import _fast_kinematics as fast
from marrow.skeleton import binding, definition
from marrow.skeleton import tree as trees
from marrow.skeleton.definition import Joint
from marrow.skeleton.tree import BASE, Tree
from marrow.types import Float64


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A skeleton of B segments and D coordinates, scaled to one person.

    Attributes:
        tree: structure, the same for everybody (parents, kinds, axes, ranges).
        offsets: (B, 3) metres: the segment's origin in its parent's frame where nothing slides; root: its origin in the
            bind pose, world.
        length: (B,) metres: unit of the joint's slides, 0 where it has none.
        bind_q: (D,) coordinates of the bind pose.
        bind: (B, 4, 4) segment frames in marrow's world in the bind pose (world from segment).
        point_names: names of the landmarks that came with the body (joint centres and ends).
        point_body: (P,) segment each landmark is fixed to.
        point_local: (P, 3) metres in that segment's frame.
    """

    tree: Tree
    offsets: Float64
    length: Float64
    bind_q: Float64
    bind: Float64
    point_names: tuple[str, ...]
    point_body: NDArray[np.int64]
    point_local: Float64

    @classmethod
    def inside(
        cls, landmarks: Mapping[str, ArrayLike], *, fingers: bool = True, knee: Literal["rolling", "hinge"] = "rolling"
    ) -> Skeleton:
        """Skeleton inside a body standing in its bind pose.

        Args:
            landmarks: name to (3,) metres, marrow's world. The joint centres of :data:`definition.JOINTS` are needed,
                with ``fingers`` also the finger tips; other known ends (``heel_r``, ``head_top`` …) are kept if given.
            fingers: False leaves the fingers' segments out.
            knee: ``"rolling"`` couples the knee's small turns and glides to its flexion, as Lai-Uhlrich do; ``"hinge"``
                only flexes.

        Raises:
            InputError: ``knee`` is neither, or a landmark is missing, not finite or not (3,), or two of one segment
                coincide.
        """
        tree = _tree(fingers, knee)
        points = {name: np.asarray(x, float) for name, x in landmarks.items()}
        bad = sorted(name for name, x in points.items() if x.shape != (3,))
        if bad:
            raise InputError(f"landmarks: {', '.join(bad)}: expected shape (3,), got {points[bad[0]].shape}")
        q, R, p, offsets, length = binding.bind(tree, points)
        bind = np.tile(np.eye(4), (len(tree.bodies), 1, 1))
        bind[:, :3, :3], bind[:, :3, 3] = R, p
        where = landmark_bodies(tree)
        where = {name: where[name] for name in where if name in points}
        local = binding.local_points(R, p, points, where)
        return cls(tree, offsets, length, q, bind, tuple(where), np.array(list(where.values()), np.int64), local)

    # -- structure ------------------------------------------------------------------------------------------------

    @property
    def bodies(self) -> tuple[str, ...]:
        """B segment names, parents first."""
        return self.tree.bodies

    @property
    def parents(self) -> NDArray[np.int64]:
        """(B,) index of each segment's parent, -1 for the root."""
        return self.tree.parents

    @property
    def joints(self) -> tuple[Joint, ...]:
        """B joints: kind, coordinates, axes."""
        return self.tree.joints

    @property
    def coordinates(self) -> tuple[str, ...]:
        """D coordinate names."""
        return self.tree.coordinates

    @property
    def ranges(self) -> Float64:
        """(D, 2) soft limits, radians; infinite where free."""
        return self.tree.ranges

    @property
    def moves(self) -> NDArray[np.bool_]:
        """(B, D) whether a coordinate moves a segment."""
        return self.tree.moves

    def index(self, coordinate: str) -> int:
        """Position of a coordinate in ``q``."""
        return _position(coordinate, self.coordinates, "coordinate")

    def body_index(self, body: str) -> int:
        """Position of a segment among :attr:`bodies`."""
        return _position(body, self.bodies, "segment")

    def without_fingers(self) -> Skeleton:
        """The same person without the segments of the fingers; ``q`` keeps its order, the fingers' slots left out."""
        tree = trees.cut(self.tree)
        bodies = [self.body_index(name) for name in tree.bodies]
        slots = [self.index(name) for name in tree.coordinates]
        back = {old: new for new, old in enumerate(bodies)}
        kept = [i for i, b in enumerate(self.point_body) if int(b) in back]
        return Skeleton(
            tree,
            self.offsets[bodies],
            self.length[bodies],
            self.bind_q[slots],
            self.bind[bodies],
            tuple(self.point_names[i] for i in kept),
            np.array([back[int(self.point_body[i])] for i in kept], np.int64),
            self.point_local[kept],
        )

    @functools.cached_property
    def cuts(self) -> Float64:
        """(B, 3) metres, marrow's world, bind pose: where each segment's flesh begins."""
        out = self.bind[:, :3, 3].copy()
        for b, joint in enumerate(self.joints):
            if joint.begins in self.point_names:
                i = self.point_names.index(joint.begins)
                frame = self.bind[self.point_body[i]]
                out[b] = frame[:3, :3] @ self.point_local[i] + frame[:3, 3]
        return out

    # -- kinematics -----------------------------------------------------------------------------------------------

    def joint_rotations(self, x: ArrayLike, *, tangent: bool = False) -> Float64:
        """R_joint (..., B, 3, 3): segment against parent; the root's is segment to marrow's world.

        Args:
            x: (..., D) coordinates ``q``, or tangent coordinates with ``tangent``.
        """
        x, flat = self._flat(x)
        R = fast.joint_rotations(self.tree.structure, flat, tangent)
        return R.reshape(x.shape[:-1] + R.shape[1:])

    def joint_places(self, q: ArrayLike) -> Float64:
        """(..., B, 3) metres: each segment's origin in its parent's frame at coordinates q (..., D)."""
        q, flat = self._flat(q)
        places = fast.joint_places(self.tree.structure, flat, self.offsets, self.length)
        return places.reshape(q.shape[:-1] + places.shape[1:])

    def forward(self, q: ArrayLike, translation: ArrayLike | None = None) -> tuple[Float64, Float64]:
        """Segment frames in marrow's world: R (..., B, 3, 3) and origins p (..., B, 3), metres.

        Args:
            q: (..., D) coordinates.
            translation: (..., 3) pelvis origin in marrow's world; by default ``pelvis_tx, ty, tz`` of ``q``.
        """
        q, flat = self._flat(q)
        root = from_ground(flat[:, self.tree.translation]) if translation is None else np.asarray(translation, float)
        root = np.ascontiguousarray(np.broadcast_to(root, q.shape[:-1] + (3,)) if translation is not None else root)
        R, p = fast.pose(self.tree.structure, flat, self.offsets, self.length, root.reshape(-1, 3))
        return R.reshape(q.shape[:-1] + R.shape[1:]), p.reshape(q.shape[:-1] + p.shape[1:])

    def compose(self, R_joint: ArrayLike, root_p: ArrayLike) -> tuple[Float64, Float64]:
        """As :meth:`forward`, from joint rotations (..., B, 3, 3) and the pelvis origin (..., 3) in marrow's world."""
        R_joint, root_p = np.asarray(R_joint, float), np.asarray(root_p, float)
        lead, tree = R_joint.shape[:-3], self.tree
        flat = np.ascontiguousarray(R_joint.reshape(-1, *R_joint.shape[-3:]))
        x = np.zeros((len(flat), len(self.coordinates)))
        for b in tree.sliding:
            first, count = int(tree.start[b]), int(tree.count[b])
            x[:, first : first + count] = binding.joint_coordinates(tree, b, flat[:, b])
        places = fast.joint_places(tree.structure, x, self.offsets, self.length)
        root = np.ascontiguousarray(np.broadcast_to(root_p, (*lead, 3)).reshape(-1, 3))
        R, p = fast.forward(tree.parents, flat, places, root)
        return R.reshape(lead + R.shape[1:]), p.reshape(lead + p.shape[1:])

    def points(self, R: Float64, p: Float64, names: tuple[str, ...] | None = None) -> Float64:
        """World positions (..., N, 3) of landmarks, given :meth:`forward`'s result; all of them by default."""
        if names is None:
            chosen = np.arange(len(self.point_names))
        else:
            chosen = np.array([_position(name, self.point_names, "landmark") for name in names], np.int64)
        body = self.point_body[chosen]
        return p[..., body, :] + np.einsum("...nij,nj->...ni", R[..., body, :, :], self.point_local[chosen])

    def jacobian(
        self,
        q: ArrayLike,
        bodies: ArrayLike,
        points: ArrayLike,
        translation: ArrayLike | None = None,
        *,
        tangent: bool = False,
    ) -> Float64:
        """Derivative (..., N, 3, D) of world points fixed to segments.

        Args:
            q: (..., D) coordinates.
            bodies: (N,) segment index of each point.
            points: (N, 3) metres in those segments' frames.
            translation: as in :meth:`forward`.
            tangent: the ball and root slots are child-side local increments (``R exp(delta)``) and not rates of ``q``.
        """
        q, flat = self._flat(q)
        R, p = self.forward(q, translation)
        lead, t = q.shape[:-1], self.tree
        R_flat, p_flat = R.reshape(-1, *R.shape[-3:]), p.reshape(-1, *p.shape[-2:])
        axis, pivot, slide = fast.dof_twists(t.structure, self.length, flat, R_flat, p_flat, tangent)
        bodies, points = np.asarray(bodies, np.int64), np.asarray(points, float)
        x = p_flat[:, bodies] + np.einsum("tnij,nj->tni", R_flat[:, bodies], points)
        first, last = t.translation.start, t.translation.stop
        J = fast.jacobian(t.moves, bodies, x, axis, pivot, slide, first, last)
        return J.reshape(*lead, len(bodies), 3, len(self.coordinates))

    # -- coordinates ----------------------------------------------------------------------------------------------

    def to_tangent(self, q: ArrayLike) -> Float64:
        """Tangent coordinates (..., D): rotation vectors of the root (against the ground) and of the balls."""
        out: Float64 = np.array(q, float)
        slots = self.tree.ball_slots
        out[..., slots] = rotations.log(rotations.from_euler_zxy(self.tree.ball_signs * out[..., slots]))
        return out

    def from_tangent(self, x: ArrayLike) -> Float64:
        """Coordinates ``q`` (..., D) of tangent coordinates, angles on the principal branch (see :meth:`unwrap`)."""
        out, slots = np.array(x, float), self.tree.ball_slots
        out[..., slots] = self.tree.ball_signs * rotations.euler_zxy(rotations.exp(out[..., slots]))
        return out

    def tangent_from_joint_rotations(self, R_joint: ArrayLike, root_p: ArrayLike) -> Float64:
        """Tangent coordinates (..., D) of R_joint (..., B, 3, 3) and the pelvis origin (..., 3) in marrow's world.

        The angle of a single hinge is the nearest one; several axes are read in their order.
        """
        R_joint = np.asarray(R_joint, float)
        out = np.zeros(R_joint.shape[:-3] + (len(self.coordinates),))
        for b, d in enumerate(self.tree.start):
            R = R_joint[..., b, :, :]
            if self.tree.kind[b] == trees.FREE:
                out[..., d : d + 3] = rotations.log(BASE.T @ R)
                out[..., d + 3 : d + 6] = to_ground(root_p)
            elif self.tree.kind[b] == trees.BALL:
                out[..., d : d + 3] = rotations.log(R)
            else:
                count = int(self.tree.count[b])
                out[..., d : d + count] = binding.joint_coordinates(self.tree, b, R)
        return out

    def coordinates_from_joint_rotations(self, R_joint: ArrayLike, root_p: ArrayLike) -> Float64:
        """Coordinates ``q`` (..., D) of joint rotations; see :meth:`tangent_from_joint_rotations`."""
        return self.from_tangent(self.tangent_from_joint_rotations(R_joint, root_p))

    def unwrap(self, q: ArrayLike) -> Float64:
        """The same poses (T, D) with Z-X-Y angles on the branch nearest to the frame before; hinges as they are."""
        out, slots = np.array(q, float), self.tree.ball_slots
        signs = self.tree.ball_signs
        out[:, slots] = signs * rotations.unwrap_zxy(signs * out[:, slots])
        return out

    def derived_angles(self, q: ArrayLike) -> dict[str, Float64]:
        """:data:`definition.DERIVED` by name (...,), body-fixed Z-X-Y angles, radians.

        ``lumbar_extension, _bending, _rotation``: whole trunk (rib cage) against pelvis. ``arm_flex, arm_add, arm_rot``
        (+ ``_r``, ``_l``): humerus against rib cage. With one leading dimension it is taken as time; the arms' angles
        then jump only to come back towards zero.
        """
        R, _ = self.forward(q, np.zeros(3))

        def between(parent: str, child: str, sign: float) -> list[Float64]:
            a, b = self.body_index(parent), self.body_index(child)
            angles = rotations.euler_zxy(np.swapaxes(R[..., a, :, :], -1, -2) @ R[..., b, :, :])
            if angles.ndim == 2:
                angles = rotations.unwrap_zxy(angles, near_zero=True)
            return [angles[..., 0], sign * angles[..., 1], sign * angles[..., 2]]

        values = between("pelvis", "torso", 1.0)
        for side, sign in (("r", 1.0), ("l", -1.0)):
            values += between("torso", f"humerus_{side}", sign)
        return dict(zip(definition.DERIVED, values, strict=True))

    def _flat(self, x: ArrayLike) -> tuple[Float64, Float64]:
        x = np.asarray(x, float)
        if x.shape[-1:] != (len(self.coordinates),):
            raise InputError(f"q: expected (..., {len(self.coordinates)}), the skeleton's coordinates, got {x.shape}")
        return x, np.ascontiguousarray(x.reshape(-1, x.shape[-1]))


@functools.cache
def landmark_bodies(tree: Tree) -> dict[str, int]:
    """Landmark name to the segment it is fixed to: joint centres to their own segment, ends to theirs."""
    where: dict[str, int] = {}
    for b, joint in enumerate(tree.joints):
        # the disc above an arc goes with the segment that its second half carries too
        if joint.centre not in where or (joint.slides and tree.parents[b] == where[joint.centre]):
            where[joint.centre] = b
    for name, body in definition.END_LANDMARKS.items():
        if body in tree.bodies:
            where[name] = tree.bodies.index(body)
    return where


def bind_many(landmarks: Mapping[str, Float64]) -> tuple[Float64, Float64, Float64]:
    """Frames (..., B, 4, 4), offsets (..., B, 3) and lengths (..., B) of many bodies at once (see ``Skeleton``).

    Args:
        landmarks: name to (..., 3) metres, marrow's world.
    """
    bound = binding.bind(trees.whole(), landmarks)
    frames = np.zeros(bound.p.shape[:-1] + (4, 4))
    frames[..., :3, :3], frames[..., :3, 3], frames[..., 3, 3] = bound.R, bound.p, 1.0
    return frames, bound.offsets, bound.length


def _tree(fingers: bool, knee: str) -> Tree:
    if knee not in ("rolling", "hinge"):
        raise InputError(f"knee: expected 'rolling' or 'hinge', got {knee!r}")
    tree = trees.whole() if knee == "rolling" else trees.with_hinged_knees()
    return tree if fingers else trees.cut(tree)


def _position(name: str, known: tuple[str, ...], what: str) -> int:
    try:
        return known.index(name)
    except ValueError:
        near = ", ".join(nearest_names(name, known))
        raise InputError(f"no {what} {name!r} in this skeleton; did you mean {near}?") from None
