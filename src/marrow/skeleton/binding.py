"""From landmarks to a skeleton: anatomical frames, the coordinates of the bind pose and the offsets of the joints.

The bind pose is a standing one: feet flat on the floor, trunk and head neutral, the arms anywhere. The coordinates are
found from the pelvis outwards, each joint within its own freedom: a ball takes the anatomical frame built on landmarks,
a hinge the angle that brings its segment's long axis nearest to them. What a hinge cannot express (the varus of a knee,
the carrying angle of an elbow) stays in the offset of the next joint, so that the bind pose is met exactly and the
joints' axes are the same for everybody. Spine and shoulder girdle are at zero. Everything works on any leading
dimensions, one body each.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from marrow.conventions import R_GROUND_WORLD, to_ground
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.geometry.vectors import cross, length
from marrow.skeleton import _fast_kinematics as fast
from marrow.skeleton.definition import FINGERS, THUMB_FLEXION, mirrored
from marrow.skeleton.tree import Tree, term_value, whole
from marrow.types import Float64

_UP = np.array([0.0, 1.0, 0.0])  # of the world, and the long axis of a segment in its own frame
_SIDES = ("r", "l")
_SIGN = np.array([1.0, -1.0])  # right, left: axes X and Y are mirrored

# Below the first angle a limb counts as straight and its hinge axis comes from the pelvis; above the second one the
# plane of the limb decides alone.
_STRAIGHT, _BENT = np.radians(20.0), np.radians(45.0)

#: A knee's coupled turns move the reading of its flexion by less each round: 1e-9 rad after these.
_ROUNDS = 8


class Bound(NamedTuple):
    """A skeleton in its bind pose; B segments, D coordinates, metres, marrow's world.

    Attributes:
        q: (..., D) coordinates.
        R, p: (..., B, 3, 3) and (..., B, 3) segment frames.
        offsets: (..., B, 3) origin in the parent's frame without any slide; root: the world.
        length: (..., B) unit of the slides, 0 where a joint has none.
    """

    q: Float64
    R: Float64
    p: Float64
    offsets: Float64
    length: Float64


def bind(tree: Tree, landmarks: Mapping[str, Float64]) -> Bound:
    """The skeleton inside landmarks of the bind pose.

    Args:
        landmarks: name to (..., 3) metres, marrow's world.

    Raises:
        InputError: a landmark is missing or not finite, or two of one segment coincide.
    """
    points = _checked(tree, landmarks)
    angles = _angles(tree, points)
    q = np.zeros(points["pelvis"].shape[:-1] + (len(tree.coordinates),))
    for d, name in enumerate(tree.coordinates):
        if name in angles:
            q[..., d] = angles[name]
    q[..., tree.translation] = to_ground(points["pelvis"])
    p = np.stack([points[j.centre] for j in tree.joints], -2)
    lead, B = q.shape[:-1], len(tree.joints)
    flat = q.reshape(-1, q.shape[-1])
    nowhere = np.zeros((len(flat), B, 3))
    R_joint = fast.joint_rotations(tree.structure, flat, False)
    R, _ = fast.forward(tree.parents, R_joint, nowhere, nowhere[:, 0])
    R = R.reshape(*lead, B, 3, 3)
    unit = np.zeros((*lead, B))
    for b in tree.sliding:
        start, end = tree.joints[b].length or ("", "")
        unit[..., b] = length(points[end] - points[start])
    # What the slides are in the bind pose is taken off again.
    slides = fast.joint_places(tree.structure, flat, np.zeros((B, 3)), np.ones(B)).reshape(*lead, B, 3)
    offsets = -unit[..., None] * slides
    parents = tree.parents[1:]
    offsets[..., 1:, :] += _turned_back(R[..., parents, :, :], p[..., 1:, :] - p[..., parents, :])
    offsets[..., 0, :] = p[..., 0, :]
    return Bound(q, R, p, offsets, unit)


def local_points(R: Float64, p: Float64, landmarks: Mapping[str, Float64], where: Mapping[str, int]) -> Float64:
    """Landmarks (..., N, 3) in the frames of the segments ``where`` fixes them to, in that mapping's order."""
    if not where:
        return np.zeros(p.shape[:-2] + (0, 3))
    bodies = list(where.values())
    x = np.stack([np.asarray(landmarks[name], float) for name in where], -2)
    return _turned_back(R[..., bodies, :, :], x - p[..., bodies, :])


def joint_coordinates(tree: Tree, b: int, R: Float64) -> Float64:
    """Coordinates (..., n) of joint b, of single axes, whose rotation is nearest to R (..., 3, 3) of its segment.

    Turns that come with a coordinate are taken off and the rest read again until both agree.
    """
    first, count = int(tree.start[b]), int(tree.count[b])
    axes = tree.axes[first : first + count]
    q = hinge_coordinates(axes, R)
    coupled = range(int(tree.turns.start[b]) + count, int(tree.turns.start[b + 1]))
    for _ in range(_ROUNDS if coupled else 0):
        rest = R
        for i in reversed(coupled):
            x = q[..., int(tree.turns.coordinate[i]) - first]
            turn = _rotation(tree.turns.axis[i], term_value(tree.turns, i, x))
            rest = rest @ np.swapaxes(turn, -1, -2)
        q = hinge_coordinates(axes, rest)
    return q


def hinge_coordinates(axes: Float64, R: Float64) -> Float64:
    """Coordinates (..., n) of a chain of up to three axes (n, 3) whose rotation is nearest to R (..., 3, 3).

    One axis: the angle that maximises ``trace(exp(axis a).T @ R)``. Two: the first angle from where R carries the
    second axis; exact for a rotation the chain can make. Three: axes at right angles, each the cross product of the two
    others; always exact.

    Raises:
        ValueError: three axes that are no right-handed triad.
    """
    R = np.asarray(R, float)
    if len(axes) == 3:
        if not np.allclose(cross(axes[0], axes[1]), axes[2], atol=1e-9):
            raise ValueError("a chain of three axes must be a right-handed triad")
        M = axes @ R @ axes.T
        q = [
            np.arctan2(-M[..., 1, 2], M[..., 2, 2]),
            np.arcsin(np.clip(M[..., 0, 2], -1.0, 1.0)),
            np.arctan2(-M[..., 0, 1], M[..., 0, 0]),
        ]
        return np.stack(q, -1)
    if len(axes) == 1:
        a = axes[0]
        w = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1)
        cosine = np.trace(R, axis1=-2, axis2=-1) - np.einsum("i,...ij,j->...", a, R, a)
        return np.arctan2(w @ a, cosine)[..., None]
    first = hinge_angle(axes[0], axes[1], R @ axes[1])
    rest = np.swapaxes(_rotation(axes[0], first), -1, -2) @ R
    return np.concatenate([first[..., None], hinge_coordinates(axes[1:], rest)], -1)


def _checked(tree: Tree, landmarks: Mapping[str, Float64]) -> dict[str, Float64]:
    needed = _needed(tree)
    missing = sorted(needed - set(landmarks))
    if missing:
        raise InputError(
            f"landmarks: {', '.join(missing)} missing; a skeleton needs those that "
            "marrow.skeleton.joint_centres.joint_centres gives (a body at rest has them: rest.landmarks)"
        )
    out = {name: np.asarray(landmarks[name], float) for name in needed}
    right = all(x.shape[-1:] == (3,) for x in out.values())
    if not right or not np.isfinite(np.concatenate([x.ravel() for x in out.values()])).all():
        bad = sorted(name for name, x in out.items() if x.shape[-1:] != (3,) or not np.isfinite(x).all())
        raise InputError(f"landmarks: {', '.join(bad)} must be finite (..., 3) positions in metres")
    return out


@functools.lru_cache(16)
def _needed(tree: Tree) -> frozenset[str]:
    needed = {j.centre for j in tree.joints} | {name for j in tree.joints for name in j.length or ()}
    needed |= {f"{n}_{s}" for n in ("index_mcp", "middle_mcp", "little_mcp") for s in "rl"}
    if any("index_proximal" in j.body for j in tree.joints):
        needed |= {f"{f}_tip_{s}" for f in (*FINGERS, "thumb") for s in "rl"}
    return frozenset(needed)


def _angles(tree: Tree, points: dict[str, Float64]) -> dict[str, Float64]:
    """Every rotational coordinate of the bind pose by name; those left out are zero."""
    out: dict[str, Float64] = {}
    R_pelvis = _frame(_UP, points["hip_r"] - points["hip_l"])
    out |= _ball(("pelvis_tilt", "pelvis_list", "pelvis_rotation"), R_GROUND_WORLD @ R_pelvis)
    _legs(tree, points, R_pelvis, out)
    R_hand = _arms(points, R_pelvis, out)
    if "thumb_cmc_r" in points:
        _fingers(points, R_hand, out)
    return out


def _legs(tree: Tree, points: dict[str, Float64], R_pelvis: Float64, out: dict[str, Float64]) -> None:
    hip, knee, ankle = (_both(points, name) for name in ("hip", "knee", "ankle"))
    right = R_pelvis[..., None, :, 2]
    R_femur = _frame(hip - knee, _hinge_axis(hip, knee, ankle, -right) * -1.0)
    between = np.swapaxes(R_pelvis, -1, -2)[..., None, :, :] @ R_femur
    _put_ball(out, ("hip_flexion", "hip_adduction", "hip_rotation"), between)

    bend = hinge_angle(_axes("knee_angle"), -_UP, _turned_back(R_femur, ankle - knee))
    _put(out, "knee_angle", bend)
    R_tibia = R_femur @ _knees(tree, bend)

    # A flat foot: its upward axis is the world's. The toe-out against the shank stays in the offset of the toe joint.
    up = _turned_back(R_tibia, np.broadcast_to(_UP, knee.shape))
    first, second = _two_hinges(_axes("ankle_angle"), _axes("subtalar_angle"), _UP, up)
    _put(out, "ankle_angle", first)
    _put(out, "subtalar_angle", second)


def _knees(tree: Tree, bend: Float64) -> Float64:
    """Rotations (..., 2, 3, 3) of the right and the left shank against the thigh at knee angles (..., 2)."""
    out = []
    for i, side in enumerate(_SIDES):
        turns, b = tree.turns, tree.bodies.index(f"tibia_{side}")
        R = np.broadcast_to(np.eye(3), (*bend.shape[:-1], 3, 3))
        for k in range(int(turns.start[b]), int(turns.start[b + 1])):
            R = R @ _rotation(turns.axis[k], term_value(turns, k, bend[..., i]))
        out.append(R)
    return np.stack(out, -3)


def _arms(points: dict[str, Float64], R_trunk: Float64, out: dict[str, Float64]) -> Float64:
    """Angles of shoulder, elbow, forearm and wrist into ``out``; returns the hands' frames (..., 2, 3, 3)."""
    shoulder, elbow, wrist = (_both(points, name) for name in ("shoulder", "elbow", "wrist"))
    axis = _axes("elbow_flex")
    # The frame whose own (oblique) elbow axis, seen along the humerus, is the axis the arm is bent about.
    R_level = _frame(shoulder - elbow, R_trunk[..., None, :, 2])
    level = np.einsum("...ij,...j->...i", R_level, np.broadcast_to(axis, elbow.shape))
    R_plane = _frame(shoulder - elbow, _hinge_axis(shoulder, elbow, wrist, level))
    R_humerus = R_plane @ _rotation(_UP, -np.arctan2(axis[:, 0], axis[:, 2]))
    _put_ball(out, ("gh_flex", "gh_add", "gh_rot"), np.swapaxes(R_trunk, -1, -2)[..., None, :, :] @ R_humerus)

    bend = hinge_angle(axis, -_UP, _turned_back(R_humerus, wrist - elbow))
    _put(out, "elbow_flex", bend)
    R_ulna = R_humerus @ _rotation(axis, bend)

    index, middle, little = (_both(points, f"{name}_mcp") for name in ("index", "middle", "little"))
    R_hand = _frame(wrist - middle, (index - little) * _SIGN[:, None])
    # Pronation, flexion and deviation turn about three nearly orthogonal axes: a few alternations find all three.
    pronation, flexion, deviation = _axes("pro_sup"), _axes("wrist_flex"), _axes("wrist_dev")
    target = np.swapaxes(R_ulna, -1, -2) @ R_hand
    angle = np.zeros(target.shape[:-2])
    R = target
    for _ in range(4):
        # what is left of the turn about the long axis, once the hand's own axis has been brought in line
        first, second = _two_hinges(flexion, deviation, _UP, R[..., :, 1])
        bent = _rotation(flexion, first) @ _rotation(deviation, second)
        twist = rotations.log(R @ np.swapaxes(bent, -1, -2))
        angle = angle + (twist * pronation).sum(-1)
        R = np.swapaxes(_rotation(pronation, angle), -1, -2) @ target
    first, second = _two_hinges(flexion, deviation, _UP, R[..., :, 1])
    _put(out, "pro_sup", angle)
    _put(out, "wrist_flex", first)
    _put(out, "wrist_dev", second)
    bent = _rotation(flexion, first) @ _rotation(deviation, second)
    return R_ulna @ _rotation(pronation, angle) @ bent


def _fingers(points: dict[str, Float64], R_hand: Float64, out: dict[str, Float64]) -> None:
    for finger in (*FINGERS, "thumb"):
        names = ("cmc", "mcp", "ip", "tip") if finger == "thumb" else ("mcp", "pip", "dip", "tip")
        chain = [_both(points, f"{finger}_{name}") for name in names]
        if finger == "thumb":
            root, hinge = ("thumb_cmc_flex", "thumb_cmc_abd"), np.stack([THUMB_FLEXION, mirrored(THUMB_FLEXION)])
        else:
            root, hinge = (f"{finger}_mcp_flex", f"{finger}_mcp_abd"), _axes(f"{finger}_pip_flex")
        a, b = _axes(root[0]), _axes(root[1])
        first, second = _two_hinges(a, b, -_UP, _unit(_turned_back(R_hand, chain[1] - chain[0])))
        _put(out, root[0], first)
        _put(out, root[1], second)
        R = R_hand @ _rotation(a, first) @ _rotation(b, second)
        for joint, start, end in zip(names[1:3], chain[1:3], chain[2:4], strict=True):
            bend = hinge_angle(hinge, -_UP, _turned_back(R, end - start))
            _put(out, f"{finger}_{joint}_flex", bend)
            R = R @ _rotation(hinge, bend)


# ---------------------------------------------------------------------------------------------------------------------
# Small geometry
# ---------------------------------------------------------------------------------------------------------------------


def _both(points: dict[str, Float64], name: str) -> Float64:
    """(..., 2, 3) right and left landmark of a name."""
    right, left = points[f"{name}_r"], points[f"{name}_l"]
    out = np.empty((*right.shape[:-1], 2, 3))
    out[..., 0, :], out[..., 1, :] = right, left
    return out


@functools.cache
def _axes(coordinate: str) -> Float64:
    """(2, 3) axis of a coordinate on the right and on the left."""
    tree = whole()
    axes = np.stack([tree.axes[tree.coordinates.index(f"{coordinate}_{side}")] for side in _SIDES])
    axes.flags.writeable = False
    return axes


def _put(out: dict[str, Float64], name: str, value: Float64) -> None:
    for i, side in enumerate(_SIDES):
        out[f"{name}_{side}"] = value[..., i]


def _ball(names: tuple[str, str, str], R: Float64) -> dict[str, Float64]:
    angles = rotations.euler_zxy(R)
    return {name: angles[..., i] for i, name in enumerate(names)}


def _put_ball(out: dict[str, Float64], names: tuple[str, str, str], R: Float64) -> None:
    """Z-X-Y angles of (..., 2, 3, 3), with adduction and rotation of the left side counted the other way."""
    angles = rotations.euler_zxy(R)
    for i, name in enumerate(names):
        _put(out, name, angles[..., i] * (1.0 if i == 0 else _SIGN))


def _unit(v: Float64) -> Float64:
    size = length(v)[..., None]
    if not (size > 1e-9).all():
        raise InputError("landmarks: two joint centres of one segment coincide, or the body does not stand upright")
    return v / size


def _frame(up: Float64, right: Float64) -> Float64:
    """Frame (..., 3, 3) in the world with Y along ``up`` and Z as near to ``right`` as that allows."""
    y, right = np.broadcast_arrays(_unit(np.asarray(up, float)), right)
    z = _unit(right - (right * y).sum(-1, keepdims=True) * y)
    out = np.empty((*z.shape, 3))
    out[..., 0], out[..., 1], out[..., 2] = cross(y, z), y, z
    return out


def _turned_back(R: Float64, x: Float64) -> Float64:
    """``R.T @ x`` for stacks."""
    return (x[..., None, :] @ R)[..., 0, :]


def _hinge_axis(top: Float64, middle: Float64, bottom: Float64, when_straight: Float64) -> Float64:
    """World axis (..., 3) about which ``bottom`` is turned against ``top``; a given one while the limb is straight."""
    normal = cross(_unit(middle - top), _unit(bottom - middle))
    sine = length(normal)[..., None]
    cosine = (_unit(middle - top) * _unit(bottom - middle)).sum(-1, keepdims=True)
    s = np.clip((np.arctan2(sine, cosine) - _STRAIGHT) / (_BENT - _STRAIGHT), 0.0, 1.0)
    weight = s * s * (3.0 - 2.0 * s)
    return weight * normal / np.maximum(sine, 1e-9) + (1.0 - weight) * when_straight


def hinge_angle(axis: Float64, nominal: Float64, direction: Float64) -> Float64:
    """Angle (...,) about ``axis`` that turns ``nominal`` nearest to ``direction``."""
    n = nominal - (nominal * axis).sum(-1, keepdims=True) * axis
    d = direction - (direction * axis).sum(-1, keepdims=True) * axis
    return np.arctan2((cross(n, d) * axis).sum(-1), (n * d).sum(-1))


def _two_hinges(first: Float64, second: Float64, nominal: Float64, direction: Float64) -> tuple[Float64, Float64]:
    """Angles with ``exp(first a) exp(second b) nominal = direction`` (unit vectors), or as near as the axes allow.

    The component of ``direction`` along the first axis fixes b (Paden's second subproblem; Murray, Li and Sastry 1994,
    section 3.3.2), of whose two values the one nearer to zero is meant; the rest is a single hinge.
    """
    along = (second * nominal).sum(-1, keepdims=True) * second
    cosine = (first * (nominal - along)).sum(-1)
    sine = (first * cross(second, nominal)).sum(-1)
    wanted = (first * direction).sum(-1) - (first * along).sum(-1)
    middle = np.arctan2(sine, cosine)
    spread = np.arccos(np.clip(wanted / np.hypot(sine, cosine), -1.0, 1.0))
    low, high = _wrapped(middle - spread), _wrapped(middle + spread)
    b = np.where(np.abs(low) < np.abs(high), low, high)
    turned = _rotation(second, b) @ nominal
    return hinge_angle(first, turned, direction), b


def _rotation(axis: ArrayLike, angle: Float64) -> Float64:
    """Rotation (..., 3, 3) about a unit axis; a leaner ``rotations.axis_angle``."""
    axis = np.asarray(axis, float)
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    s, c = np.sin(angle), np.cos(angle)
    k = 1.0 - c
    out = np.empty(np.shape(angle) + (3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = c + k * x * x, k * x * y - s * z, k * x * z + s * y
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = k * x * y + s * z, c + k * y * y, k * y * z - s * x
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = k * x * z - s * y, k * y * z + s * x, c + k * z * z
    return out


def _wrapped(angle: Float64) -> Float64:
    return (angle + np.pi) % (2 * np.pi) - np.pi
