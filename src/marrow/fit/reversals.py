"""Other readings in depth of a found movement: limbs and trunk turned over along the line of sight.

A bone seen by one camera has two directions that look alike, towards the camera and away from it (Lee and Chen 1985,
"Determination of 3D human body postures from a single view"; Sminchisescu and Triggs 2003, "Kinematic jump processes").
A fit goes to the nearer one. The functions here give the states that lie on the other side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from marrow.fit._fast_kinematics import Template, pose_all
from marrow.fit.model import Model
from marrow.fit.state import State
from marrow.geometry import rotations
from marrow.skeleton import tree as trees
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Float64

#: Ball joint, hinged segment and end of a limb; the end's origin closes the second bone.
_LIMBS = {
    "leg_r": ("femur_r", "tibia_r", "talus_r"), "leg_l": ("femur_l", "tibia_l", "talus_l"),
    "arm_r": ("humerus_r", "ulna_r", "hand_r"), "arm_l": ("humerus_l", "ulna_l", "hand_l"),
}  # fmt: skip
#: Which of a limb's two bones are turned over.
UPPER, LOWER, BOTH = (True, False), (False, True), (True, True)
_STRAIGHT = np.sin(np.radians(12.0))  # a limb this straight does not tell how it is twisted


class Limb(NamedTuple):
    """Two bones: the model's segments at their beginnings and at the end, the hinge between them, its range (rad)."""

    ball: int
    hinged: int
    end: int
    hinge: int
    low: float
    high: float


def limbs(model: Model) -> list[Limb]:
    """The limbs that the model has and that are fitted."""
    structure, out = trees.whole(), []
    fitted = {b for b, _ in model.balls}
    for names in _LIMBS.values():
        at = [np.flatnonzero(model.bodies == structure.bodies.index(name)) for name in names]
        if any(len(a) == 0 for a in at) or int(at[0][0]) not in fitted:
            continue
        ball, hinged, end = (int(a[0]) for a in at)
        hinge = int(model.tree.turns.coordinate[model.tree.turns.start[hinged]])
        low, high = structure.ranges[model.hinges[hinge]]
        out.append(Limb(ball, hinged, end, hinge, float(low), float(high)))
    return out


def segments(model: Model, template: Template, state: State) -> tuple[Float64, Float64]:
    """World rotations (T, B, 3, 3) and origins (T, B, 3) of the model's segments."""
    return pose_all(model.tree, template.offsets, template.length, state.ball, state.angle, state.root)


def turned_limb(
    model: Model, template: Template, state: State, centre: Float64, limb: Limb, which: tuple[bool, bool]
) -> State:
    """The state with the ``which`` bones of a limb on the other side of their joints, seen from ``centre`` (3,)."""
    R, p = segments(model, template, state)
    a, b, c = p[:, limb.ball], p[:, limb.hinged], p[:, limb.end]
    middle = _on_ray(a, a, b, centre, which[0])
    end = _on_ray(middle, b, c, centre, which[1])
    ball, angle = state.ball.copy(), state.angle.copy()
    world, angle[:, limb.hinge] = _bent(limb, model, state, R, (b - a, c - b), (middle - a, end - middle))
    ball[:, limb.ball] = np.swapaxes(R[:, model.tree.parents[limb.ball]], -1, -2) @ world
    return replace(state, ball=ball, angle=angle)


def _on_ray(joint: Float64, before: Float64, seen: Float64, centre: Float64, turn: bool) -> Float64:
    """(T, 3) where the ray from ``centre`` through ``seen`` meets the sphere about ``joint`` of the bone's length.

    The bone leads from ``before`` to ``seen`` so far. Of the two places it is the one on the side of the joint where
    it ends now, or with ``turn`` the other; the nearest there is where the bone is too short for its ray.
    """
    ray = _unit(seen - centre)
    side = np.where(((seen - before) * ray).sum(-1) < 0, -1.0, 1.0) * (-1.0 if turn else 1.0)
    foot = centre + ((joint - centre) * ray).sum(-1)[:, None] * ray
    half = ((seen - before) ** 2).sum(-1) - ((foot - joint) ** 2).sum(-1)
    return foot + (side * np.sqrt(np.maximum(half, 0.0)))[:, None] * ray


def _bent(
    limb: Limb, model: Model, state: State, R: Float64, old: tuple[Float64, Float64], new: tuple[Float64, Float64]
) -> tuple[Float64, Float64]:
    """World rotation (T, 3, 3) of the upper segment and hinge angle (T,) that turn bones from ``old`` to ``new``.

    The turns that come with the knee's flexion (adduction and rotation of the shank) are left out here: the result is
    a start, and the iterations after it settle them.
    """
    turn = int(model.tree.turns.start[limb.hinged])
    axis, theta = model.tree.turns.axis[turn], state.angle[:, limb.hinge]
    upper = _unit(np.einsum("tji,tj->ti", R[:, limb.ball], old[0]))
    lower = _unit(np.einsum("tji,tj->ti", R[:, limb.hinged], old[1]))
    u, v = _unit(new[0]), _unit(new[1])
    # angle about the axis at which the bones would be in line, and the share of them across the axis
    across_u, across_v = upper - (upper @ axis)[:, None] * axis, lower - (lower @ axis)[:, None] * axis
    phase = np.arctan2(np.cross(across_u, across_v) @ axis, (across_u * across_v).sum(-1))
    size = np.maximum(np.linalg.norm(across_u, axis=-1) * np.linalg.norm(across_v, axis=-1), 1e-9)
    bend = np.arccos(np.clip(((u * v).sum(-1) - (upper @ axis) * (lower @ axis)) / size, -1.0, 1.0))
    sense = np.where(np.sin(theta + phase) < 0, -1.0, 1.0)
    theta = np.clip(sense * bend - phase, limb.low, limb.high)
    bent = np.einsum("tij,tj->ti", rotations.axis_angle(axis, theta), lower)
    before = R[:, limb.ball]
    swung = rotations.rotation_between(np.einsum("tij,tj->ti", before, upper), u) @ before
    sine = np.minimum(np.linalg.norm(np.cross(upper, bent), axis=-1), np.linalg.norm(np.cross(u, v), axis=-1))
    framed = _frame(u, v) @ np.swapaxes(_frame(upper, bent), -1, -2)
    world = np.where((sine > _STRAIGHT)[:, None, None], framed, swung)
    return world, theta


def turned_trunk(
    model: Model, template: Template, state: State, centre: Float64, name: str, lean: bool, turn: bool
) -> State:
    """The state with a trunk segment's long axis (``lean``) or its right-left axis (``turn``) turned over in depth.

    ``name`` is ``"torso"`` or ``"pelvis"``. Whatever hangs on the segment keeps its direction in the world.
    """
    structure, at = trees.whole(), _place(model)
    b = at[name]
    R, p = segments(model, template, state)
    ray = _unit(p[:, b] - centre)
    up, right = R[:, b, :, 1], R[:, b, :, 2]
    up, right = (_mirrored(up, ray) if lean else up), (_mirrored(right, ray) if turn else right)
    new = _frame(up, right)[..., [2, 0, 1]]
    ball, angle = state.ball.copy(), state.angle.copy()
    if name == "pelvis":
        ball[:, b] = np.swapaxes(np.broadcast_to(model.tree.ground, new.shape), -1, -2) @ new
        pelvis, torso = new, R[:, at["torso"]]
    else:
        pelvis, torso = R[:, at["pelvis"]], new
    bent = trunk_coordinates(structure, np.swapaxes(pelvis, -1, -2) @ torso)
    if name == "torso" and "head" in at:
        neck = rotations.euler_zxy(np.swapaxes(torso, -1, -2) @ R[:, at["head"]])
        bent |= dict(zip(("neck_extension", "neck_bending", "neck_rotation"), np.moveaxis(neck, -1, 0), strict=True))
    for coordinate, value in bent.items():
        h = model.angle_index(structure, coordinate)
        if h is not None:
            angle[:, h] = value
    moved = replace(state, ball=ball, angle=model.following(angle))
    turned, _ = segments(model, template, moved)
    for child, _ in model.balls:
        if child != b and model.tree.below[child, b] and not _below_other(model, child, b):
            above = turned[:, model.tree.parents[child]]
            ball[:, child] = np.swapaxes(above, -1, -2) @ R[:, child]
    return replace(moved, ball=ball)


def _place(model: Model) -> dict[str, int]:
    """The model's segments by name."""
    names = trees.whole().bodies
    return {names[int(b)]: i for i, b in enumerate(model.bodies)}


def _below_other(model: Model, child: int, b: int) -> bool:
    """Whether a fitted ball lies between ``child`` and the segment ``b`` above it."""
    balls = {n for n, _ in model.balls}
    up = int(model.tree.parents[child])
    while up not in (b, -1):
        if up in balls:
            return True
        up = int(model.tree.parents[up])
    return False


def _mirrored(v: Float64, ray: Float64) -> Float64:
    return v - 2 * (v * ray).sum(-1, keepdims=True) * ray


def _unit(v: Float64) -> Float64:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def _frame(first: Float64, second: Float64) -> Float64:
    """(T, 3, 3) columns: ``first``, what of ``second`` is square to it, and their cross product."""
    x = _unit(first)
    z = _unit(np.cross(x, second))
    return np.stack([x, np.cross(z, x), z], -1)
