"""Joint rotations from the directions of the bones in a weak 3-D guess, such as a detector's world landmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marrow.geometry import rotations
from marrow.lift.places import Places
from marrow.skeleton import Skeleton, binding
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Float64

#: Coordinates of a relaxed person, radians, for what the points do not say.
RELAXED = {"pro_sup": 1.4, "elbow_flex": 0.25, "wrist_flex": 0.0}

_UP = np.array([0.0, 1.0, 0.0])
_TOES = ("foot_index", "big_toe", "foot")
# Degrees between which a limb's own plane takes over from the hint about its hinge axis.
_STRAIGHT, _BENT = np.radians(12.0), np.radians(35.0)

Point = Callable[[str], Float64]


def rotations_from_points(points: Float64, skeleton: Skeleton, places: Places) -> Float64:
    """Joint rotations of every frame.

    Pelvis, trunk and head take the frames their points span, corrected by the frames the same points span in the bind
    pose. Hip and shoulder get the limb's direction, with the twist that puts the knee's or elbow's axis square to the
    limb's plane; where the limb is straight the foot's direction or the least twist decides. Hinges take the nearest
    angle within their range. What no point shows is relaxed.

    Args:
        points: (T, K, 3) in the order of ``places``; marrow's world axes, any origin, any scale; NaN where absent.

    Returns:
        R_joint (T, B, 3, 3), NaN in frames without both hips and both shoulders.
    """
    R_joint = _rotations(points, skeleton, places)
    # Knees, ankles, elbows and wrists lie beside their joints too, in axes that are only now known.
    return _rotations(_on_joints(points, R_joint, skeleton, places), skeleton, places)


def _on_joints(points: Float64, R_joint: Float64, skeleton: Skeleton, places: Places) -> Float64:
    """The points with those of the limbs' joints moved to the joint centres, as far as the pose is known."""
    R, _ = skeleton.compose(R_joint, np.zeros((*R_joint.shape[:-3], 3)))
    centre_of = dict(zip(skeleton.point_names, skeleton.points(*_frames(skeleton)), strict=True))
    names, out = list(places.names), points.copy()
    scale = _trunk(points, names) / _trunk(places.bind, names)
    for word in ("left", "right"):
        for joint in ("knee", "ankle", "elbow", "wrist"):
            if f"{word}_{joint}" not in names:
                continue
            k = names.index(f"{word}_{joint}")
            b = places.body[k]
            beside = skeleton.bind[b, :3, :3].T @ (centre_of[f"{joint}_{word[0]}"] - places.bind[k])
            out[..., k, :] += scale * (R[..., b, :, :] @ beside)
    return out


def _trunk(points: Float64, names: list[str]) -> Float64:
    """(..., 1) distance between the middles of shoulders and hips."""

    def at(name: str) -> Float64:
        return points[..., names.index(name), :]

    return np.linalg.norm(_middle(at, "shoulder") - _middle(at, "hip"), axis=-1, keepdims=True)


def _rotations(points: Float64, skeleton: Skeleton, places: Places) -> Float64:
    """:func:`rotations_from_points`, taking the points between the limbs' segments for the joint centres."""
    index = {name: i for i, name in enumerate(places.names)}
    missing = np.full(points.shape[:-2] + (3,), np.nan)

    def at(name: str) -> Float64:
        return points[..., index[name], :] if name in index else missing

    def bind_at(name: str) -> Float64:
        return places.bind[index[name]] if name in index else np.full(3, np.nan)

    bind = {name: skeleton.bind[b, :3, :3] for b, name in enumerate(skeleton.bodies)}
    R: dict[str, Float64] = {}
    R["pelvis"] = _pelvis(at) @ (_pelvis(bind_at).T @ bind["pelvis"])
    R["torso"] = _torso(at) @ (_torso(bind_at).T @ bind["torso"])
    head = _head(at) @ (_head(bind_at).T @ bind["head"])
    R["head"] = np.where(np.isfinite(head).all((-1, -2), keepdims=True), head, R["torso"])
    q = np.tile(relaxed(skeleton), (*points.shape[:-2], 1))
    trunk = (_middle(at, "shoulder") - _middle(at, "hip"), _middle(bind_at, "shoulder") - _middle(bind_at, "hip"))
    scale = np.linalg.norm(trunk[0], axis=-1, keepdims=True) / np.linalg.norm(trunk[1])
    centre_of = dict(zip(skeleton.point_names, skeleton.points(*_frames(skeleton)), strict=True))

    def centre(word: str, joint: str, segment: str) -> Float64:
        """Joint centre from the keypoint beside it, which a detector has in a place of its own."""
        beside = bind[segment].T @ (centre_of[f"{joint}_{word[0]}"] - bind_at(f"{word}_{joint}"))
        return at(f"{word}_{joint}") + scale * (R[segment] @ beside)

    for side, word in (("r", "right"), ("l", "left")):
        across = bind[f"hand_{side}"].T @ (bind_at(f"{word}_index") - bind_at(f"{word}_pinky"))
        _leg(at, centre(word, "hip", "pelvis"), skeleton, side, word, R, q)
        _arm(at, centre(word, "shoulder", "torso"), across, skeleton, side, word, R, q)

    bent = trunk_coordinates(skeleton.tree, _between(R["pelvis"], R["torso"]))
    neck = rotations.euler_zxy(_between(R["torso"], R["head"]))
    bent |= dict(zip(("neck_extension", "neck_bending", "neck_rotation"), np.moveaxis(neck, -1, 0), strict=True))
    for name, value in bent.items():
        q[..., skeleton.index(name)] = value
    R_joint = skeleton.joint_rotations(q)
    of = {name: b for b, name in enumerate(skeleton.bodies)}
    R_joint[..., 0, :, :] = R["pelvis"]
    for side in "rl":
        R_joint[..., of[f"femur_{side}"], :, :] = _between(R["pelvis"], R[f"femur_{side}"])
        R_joint[..., of[f"humerus_{side}"], :, :] = _between(R["torso"], R[f"humerus_{side}"])
    R_joint[~np.isfinite(R_joint).all((-1, -2, -3))] = np.nan
    return R_joint


def relaxed(skeleton: Skeleton) -> Float64:
    """(D,) relaxed coordinates: fingers and thumb as in the bind pose, the rest by :data:`RELAXED` or zero."""
    q = np.zeros(len(skeleton.coordinates))
    for d, name in enumerate(skeleton.coordinates):
        if any(part in name for part in ("thumb", "index", "middle", "ring", "little")):
            q[d] = skeleton.bind_q[d]
        elif name[:-2] in RELAXED:
            q[d] = RELAXED[name[:-2]]
    return q


def _pelvis(at: Point) -> Float64:
    right = at("right_hip") - at("left_hip")
    up = _middle(at, "shoulder") - _middle(at, "hip")
    z = _unit(right)
    y = _unit(up - (up * z).sum(-1, keepdims=True) * z)
    return np.stack([np.cross(y, z), y, z], -1)


def _torso(at: Point) -> Float64:
    return _frame(_middle(at, "shoulder") - _middle(at, "hip"), at("right_shoulder") - at("left_shoulder"))


def _head(at: Point) -> Float64:
    """From ears and nose; from eyes where the ears are missing."""
    ears, eyes = (_unit(at(f"right_{n}") - at(f"left_{n}")) for n in ("ear", "eye"))
    z = np.where(np.isfinite(ears), ears, eyes)
    behind = _middle(at, "ear")
    forward = at("nose") - behind
    x = _unit(forward - (forward * z).sum(-1, keepdims=True) * z)
    return np.stack([x, np.cross(z, x), z], -1)


def _leg(at: Point, hip: Float64, skeleton: Skeleton, side: str, word: str, R: dict[str, Float64], q: Float64) -> None:
    knee, ankle = at(f"{word}_knee"), at(f"{word}_ankle")
    heel, toe = at(f"{word}_heel"), _first(at, [f"{word}_{name}" for name in _TOES])
    foot = toe - np.where(np.isfinite(heel), heel, ankle)
    thigh = _or(_unit(knee - hip), -R["pelvis"][..., :, 1])
    shank = _or(_unit(ankle - knee), thigh)
    # A straight leg turns as its foot does; without a foot it hangs from the pelvis with the least twist.
    carried = _swung(R["pelvis"], -R["pelvis"][..., :, 1], thigh)[..., :, 2]
    # The foot is read against the shank, which shares the knee's axis however far the knee is bent.
    by_foot = _unit(np.cross(foot, -shank))
    hint = _or(np.where(_sine(foot, shank) > 0.5, by_foot, np.nan), carried)
    # A knee that seems to bend forwards is noise of a nearly straight leg: the hint is right, the plane is not.
    forwards = (np.cross(thigh, shank) * hint).sum(-1, keepdims=True) > 0
    right = np.where(forwards, hint, -_hinge_axis(thigh, shank, -hint))
    R[f"femur_{side}"] = _frame(-thigh, right)
    bend = _put_hinge(skeleton, f"knee_angle_{side}", R[f"femur_{side}"], shank, -_UP, q)
    R_tibia = R[f"femur_{side}"] @ rotations.axis_angle(skeleton.tree.axes[skeleton.index(f"knee_angle_{side}")], bend)
    rest = skeleton.bind[skeleton.body_index(f"calcn_{side}"), :3, :3]
    names = skeleton.point_names
    if f"heel_{side}" in names and f"toe_tip_{side}" in names:
        ends = skeleton.points(*_frames(skeleton), (f"heel_{side}", f"toe_tip_{side}"))
        nominal = rest.T @ _unit(ends[1] - ends[0])
    else:
        nominal = np.array([1.0, 0.0, 0.0])
    _put_hinge(skeleton, f"ankle_angle_{side}", R_tibia, _unit(foot), nominal, q)


def _arm(
    at: Point,
    shoulder: Float64,
    across: Float64,
    skeleton: Skeleton,
    side: str,
    word: str,
    R: dict[str, Float64],
    q: Float64,
) -> None:
    elbow, wrist = at(f"{word}_elbow"), at(f"{word}_wrist")
    upper = _or(_unit(elbow - shoulder), -R["torso"][..., :, 1])
    fore = _or(_unit(wrist - elbow), upper)
    axis = skeleton.tree.axes[skeleton.index(f"elbow_flex_{side}")]
    level = _swung(R["torso"], -R["torso"][..., :, 1], upper) @ axis
    R_plane = _frame(-upper, _hinge_axis(upper, fore, level))
    R_humerus = R_plane @ rotations.axis_angle(_UP, -np.arctan2(axis[0], axis[2]))
    R[f"humerus_{side}"] = R_humerus
    bend = _put_hinge(skeleton, f"elbow_flex_{side}", R_humerus, fore, -_UP, q)
    R_ulna = R_humerus @ rotations.axis_angle(axis, bend)
    # what goes across the hand from the little to the index finger fixes the forearm's rotation
    seen = at(f"{word}_index") - at(f"{word}_pinky")
    _put_hinge(skeleton, f"pro_sup_{side}", R_ulna, seen, across, q)


def _put_hinge(
    skeleton: Skeleton, name: str, R_parent: Float64, direction: Float64, nominal: Float64, q: Float64
) -> Float64:
    """Angle about a hinge that turns ``nominal`` (segment axes) nearest to a world ``direction``, within its range."""
    d = skeleton.index(name)
    inside = (direction[..., None, :] @ R_parent)[..., 0, :]
    angle = binding.hinge_angle(skeleton.tree.axes[d], nominal, inside)
    angle = np.clip(angle, *skeleton.ranges[d])
    q[..., d] = np.where(np.isfinite(angle), angle, q[..., d])
    return q[..., d]


def _hinge_axis(upper: Float64, lower: Float64, when_straight: Float64) -> Float64:
    normal = np.cross(upper, lower)
    sine = np.linalg.norm(normal, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (upper * lower).sum(-1, keepdims=True))
    s = np.clip((angle - _STRAIGHT) / (_BENT - _STRAIGHT), 0.0, 1.0)
    weight = s * s * (3.0 - 2.0 * s)
    return weight * normal / np.maximum(sine, 1e-9) + (1.0 - weight) * when_straight


def _frames(skeleton: Skeleton) -> tuple[Float64, Float64]:
    """Segment frames of the bind pose."""
    return skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3]


def _middle(at: Point, name: str) -> Float64:
    return 0.5 * (at(f"left_{name}") + at(f"right_{name}"))


def _first(at: Point, names: list[str]) -> Float64:
    out = at(names[0])
    for name in names[1:]:
        out = _or(out, at(name))
    return out


def _or(a: Float64, b: Float64) -> Float64:
    """``a`` where it is finite, else ``b``."""
    return np.where(np.isfinite(a).all(-1, keepdims=True), a, b)


def _unit(v: Float64) -> Float64:
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 1e-9, v / length, np.nan)


def _sine(a: Float64, b: Float64) -> Float64:
    return np.linalg.norm(np.cross(_unit(a), _unit(b)), axis=-1, keepdims=True)


def _frame(up: Float64, right: Float64) -> Float64:
    y = _unit(up)
    z = _unit(right - (right * y).sum(-1, keepdims=True) * y)
    return np.stack([np.cross(y, z), y, z], -1)


def _swung(R: Float64, before: Float64, after: Float64) -> Float64:
    """``R`` turned by the least rotation that brings the direction ``before`` to ``after``."""
    return rotations.rotation_between(before, after) @ R


def _between(R_parent: Float64, R_child: Float64) -> Float64:
    return np.swapaxes(R_parent, -1, -2) @ R_child
