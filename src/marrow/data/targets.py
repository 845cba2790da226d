"""From a clip's measured points to targets for marrow's skeleton: the same posture in this body's definition of joints.

Motion capture models put a joint elsewhere than a body's rig does: CMU's hips are 0.18 m apart and the default body's
0.23 m, CMU's "wrist" lies in the middle of the forearm, a neutral trunk leans differently. Fitting raw points would
turn such differences into false angles. So the measured *rotations* of pelvis and trunk (against the source's own
neutral pose) and the measured limbs (directions and lengths) are kept, and hips and shoulders are put where this body
has them; a limb moves along with its root. Foot points are tilted so that a foot that stands is a flat foot; where the
source has none, a foot whose ankle is low and slow is taken to stand flat, pointing where the pelvis points, and is
unknown otherwise.

No motion of the clavicle, of the hands or about the neck's long axis is taken: CMU's data has none, or its points do
not show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from marrow.conventions import R_GROUND_WORLD
from marrow.data.activities import MISSING_TRUNK
from marrow.data.clips import PointClip
from marrow.errors import InputError
from marrow.geometry.procrustes import align
from marrow.geometry.rotations import axis_angle, euler_zxy, exp, log, rotation_between, rotation_z
from marrow.skeleton import Skeleton
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Float64, Guess

#: This module's name of a point -> its name in the sources.
_ASF = {
    "root": "root", "spine": "upperback", "thorax": "thorax", "head": "head",
    **{
        f"{ours}_{s}": f"{s}{theirs}"
        for s in "lr"
        for ours, theirs in (
            ("hip", "hipjoint"), ("knee", "femur"), ("ankle", "tibia"), ("mtp", "foot"), ("shoulder", "clavicle"),
            ("elbow", "humerus"), ("wrist", "wrist"),
        )
    },
}  # fmt: skip
_ACTIVITIES = {
    "root": "pelvis", "spine": "spine", "thorax": "thorax", "head": "head",
    **{
        f"{name}_{s}": f"{side}_{name}"
        for s, side in (("l", "left"), ("r", "right"))
        for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
    },
}  # fmt: skip
_OWN = {name: name for name in _ASF if not name.startswith("mtp")}

#: An ankle this little above its lowest (m) and this slow (m/s) belongs to a standing foot.
STANDING_HEIGHT, STANDING_SPEED = 0.03, 0.4


@dataclass(frozen=True)
class Targets:
    """Where landmarks of the body should be.

    Attributes:
        names: P landmark names of the body.
        xyz: (T, P, 3) metres, marrow's world; NaN where unknown.
        R_pelvis, R_torso: (T, 3, 3) rotation of pelvis and trunk against upright and facing +Z, marrow's world axes.
        head_direction: (3,) where the body's neutral head points from the neck, trunk upright.
    """

    names: tuple[str, ...]
    xyz: Float64
    R_pelvis: Float64
    R_torso: Float64
    head_direction: Float64


def targets(clip: PointClip, landmarks: Mapping[str, ArrayLike]) -> Targets:
    """Targets of a clip for a body with these bind-pose landmarks.

    Args:
        clip: from :func:`~marrow.data.asf_amc.read_clip`, :func:`~marrow.data.bvh_clip.read_bvh_clip` or
            :func:`~marrow.data.activities.read_activities`.
        landmarks: name to (3,) metres: the (default) body's landmarks in its bind pose, facing +Z.

    Raises:
        InputError: the clip's points are those of no source.
    """
    x, rest, missing, flat_at_rest = _common(clip)
    body = {name: np.asarray(value, float) for name, value in landmarks.items()}
    middle = 0.5 * (x["hip_l"] + x["hip_r"])
    R_pelvis = _turned(x, rest, ("root", "hip_l", "hip_r"))
    R_torso = _turned(x, rest, ("spine", "thorax", "shoulder_l", "shoulder_r"))

    def on_pelvis(name: str) -> Float64:
        return middle + R_pelvis @ (body[name] - 0.5 * (body["hip_l"] + body["hip_r"]))

    out = {name: on_pelvis(name) for name in ("pelvis", "l5_s1", "hip_l", "hip_r")}
    trunk = (_height(rest, "shoulder", "hip") + missing) / _height(body, "shoulder", "hip")
    # The spine below the rib cage bends evenly: its chord has turned half as far as the rib cage.
    halfway = R_pelvis @ exp(0.5 * log(np.swapaxes(R_pelvis, -1, -2) @ R_torso))
    ribs = out["l5_s1"] + trunk * halfway @ (body["t8_body"] - body["l5_s1"])
    for name in ("neck", "shoulder_l", "shoulder_r"):
        out[name] = ribs + trunk * R_torso @ (body[name] - body["t8_body"])
    out |= _head(x, rest, body, out["neck"], R_torso)
    for s in "lr":
        out |= _leg(x, rest, body, out[f"hip_{s}"], s, flat_at_rest)
        if f"mtp_{s}" not in out:
            out[f"mtp_{s}"] = _standing_foot(out[f"ankle_{s}"], body, R_pelvis, clip.fps, s)
        out |= _arm(x, body, out[f"shoulder_{s}"], s)
    names = tuple(out)
    head = _unit(body["head_top"] - body["neck"])
    return Targets(names, np.stack([out[name] for name in names], 1), R_pelvis, R_torso, head)


def first_guess(targets: Targets, skeleton: Skeleton) -> Guess:
    """Joint rotations that bring a skeleton near the targets, from which a fit starts.

    The femur's flexion axis is the normal of the bent leg, fading to the pelvis' lateral axis where the leg is
    straight; the humerus likewise. Feet, hands and the shoulder girdle are left at zero.

    Args:
        targets: of T frames.
        skeleton: the one to be fitted.
    """
    at = {name: targets.xyz[:, i] for i, name in enumerate(targets.names)}
    upright, names = R_GROUND_WORLD.T, skeleton.bodies
    parent_of = {b: names[p] for b, p in zip(names, skeleton.parents, strict=True) if p >= 0}
    R: dict[str, Float64] = {"pelvis": targets.R_pelvis @ upright, "torso": targets.R_torso @ upright}
    neck = _unit(at["head_top"] - at["neck"])
    head = rotation_between(targets.R_torso @ targets.head_direction, neck) @ R["torso"]
    q = np.zeros((len(targets.xyz), len(skeleton.coordinates)))
    bent = trunk_coordinates(skeleton.tree, np.swapaxes(R["pelvis"], -1, -2) @ R["torso"])
    tilted = euler_zxy(np.swapaxes(R["torso"], -1, -2) @ head)
    bent |= dict(zip(("neck_extension", "neck_bending", "neck_rotation"), tilted.T, strict=True))
    for name, value in bent.items():
        q[:, skeleton.index(name)] = value
    joint = skeleton.joint_rotations(q)
    joint[:, 0] = R["pelvis"]
    for s in "lr":
        R[f"femur_{s}"], knee = _limb(at[f"hip_{s}"], at[f"knee_{s}"], at[f"ankle_{s}"], R["pelvis"], 1.0)
        R[f"tibia_{s}"] = R[f"femur_{s}"] @ rotation_z(-knee)
        R[f"humerus_{s}"], elbow = _limb(at[f"shoulder_{s}"], at[f"elbow_{s}"], at[f"wrist_{s}"], R["torso"], -1.0)
        R[f"ulna_{s}"] = R[f"humerus_{s}"] @ rotation_z(elbow)
        for body in (f"femur_{s}", f"tibia_{s}", f"humerus_{s}", f"ulna_{s}"):
            above = "torso" if body.startswith("humerus") else parent_of[body]  # the girdle is at zero
            joint[:, skeleton.body_index(body)] = np.swapaxes(R[above], -1, -2) @ R[body]
    return Guess(joint, at["pelvis"], np.zeros(len(targets.xyz)))


def _limb(start: Float64, middle: Float64, end: Float64, R_parent: Float64, sign: float) -> tuple[Float64, Float64]:
    """Rotation of the upper segment and bend of a two-bone limb; ``sign`` 1 bends backwards (knee), -1 forwards."""
    up, lower = _unit(start - middle), _unit(end - middle)
    normal = sign * np.cross(up, lower)
    sine = np.linalg.norm(normal, axis=-1, keepdims=True)
    bent = np.clip(sine / np.sin(np.radians(25.0)), 0.0, 1.0)
    lateral = bent * normal / np.maximum(sine, 1e-9) + (1.0 - bent) * R_parent[..., :, 2]
    right = _unit(lateral - (lateral * up).sum(-1, keepdims=True) * up)
    R = np.stack([np.cross(up, right), up, right], -1)
    return R, np.arctan2(sine[..., 0], -(up * lower).sum(-1))


def _common(clip: PointClip) -> tuple[dict[str, Float64], dict[str, Float64], float, bool]:
    """Moving and resting points under common names, the length missing from the source's trunk, and whether its neutral
    pose has the feet flat on the floor."""
    known = next((t for t in (_ASF, _ACTIVITIES, _OWN) if set(t.values()) <= set(clip.points)), None)
    if known is None:
        raise InputError(
            f"{clip.name}: expected the points of a CMU .asf, of the 17-joint clips or {', '.join(_OWN)}; "
            f"got {', '.join(clip.points)}"
        )
    own = known is _OWN
    if own:
        known = {name: name for name in clip.points if name in _ASF}
    index = {ours: clip.points.index(theirs) for ours, theirs in known.items()}
    x = {ours: clip.xyz[:, i] for ours, i in index.items()}
    rest = {ours: clip.rest[i] for ours, i in index.items()}
    return x, rest, MISSING_TRUNK if known is _ACTIVITIES else 0.0, own


def _turned(x: Mapping[str, Float64], rest: Mapping[str, Float64], names: tuple[str, ...]) -> Float64:
    """(T, 3, 3) rotation that takes the resting points to the measured ones."""
    src = np.stack([rest[n] for n in names])
    dst = np.stack([x[n] for n in names], 1)
    return align(np.broadcast_to(src, dst.shape), dst, scale=False)[1]


def _height(points: Mapping[str, Float64], upper: str, lower: str) -> float:
    return float(sum(points[f"{upper}_{s}"][1] - points[f"{lower}_{s}"][1] for s in "lr") / 2)


def _head(
    x: Mapping[str, Float64], rest: Mapping[str, Float64], body: Mapping[str, Float64], neck: Float64, R: Float64
) -> dict[str, Float64]:
    """Head against trunk: the smallest rotation that explains where the head points."""
    before = R @ _unit(rest["head"] - rest["thorax"])
    swing = rotation_between(before, _unit(x["head"] - x["thorax"])) @ R
    return {name: neck + swing @ (body[name] - body["neck"]) for name in ("head", "head_top")}


def _leg(
    x: Mapping[str, Float64],
    rest: Mapping[str, Float64],
    body: Mapping[str, Float64],
    hip: Float64,
    s: str,
    flat_at_rest: bool,
) -> dict[str, Float64]:
    """Knee, ankle and root of the toes; the foot's own slope is known at rest or from where the ankle is low."""
    moved = hip - x[f"hip_{s}"]
    out = {f"knee_{s}": x[f"knee_{s}"] + moved, f"ankle_{s}": x[f"ankle_{s}"] + moved}
    if f"mtp_{s}" in x:
        foot = x[f"mtp_{s}"] - x[f"ankle_{s}"]
        axis = _unit(np.cross(foot, x[f"knee_{s}"] - x[f"ankle_{s}"]))
        if flat_at_rest:
            flat = float(_slope(rest[f"mtp_{s}"] - rest[f"ankle_{s}"]))
        else:
            standing = x[f"ankle_{s}"][:, 1] <= np.quantile(x[f"ankle_{s}"][:, 1], 0.2)
            flat = float(np.median(_slope(foot[standing])))
        tilt = float(_slope(body[f"mtp_{s}"] - body[f"ankle_{s}"])) - flat
        turned = (axis_angle(axis, np.full(len(axis), -tilt)) @ foot[..., None])[..., 0]
        out[f"mtp_{s}"] = out[f"ankle_{s}"] + turned
    return out


def _standing_foot(ankle: Float64, body: Mapping[str, Float64], R_pelvis: Float64, fps: float, s: str) -> Float64:
    """(T, 3) root of the toes of a foot that stands flat; NaN where it does not stand."""
    ahead = R_pelvis[:, :, 2] * [1.0, 0.0, 1.0]
    flat = body[f"mtp_{s}"] - body[f"ankle_{s}"]
    ball = ankle + np.hypot(flat[0], flat[2]) * _unit(ahead) + np.array([0.0, flat[1], 0.0])
    speed = np.linalg.norm(np.gradient(ankle, axis=0), axis=-1) * fps
    low = ankle[:, 1] < np.quantile(ankle[:, 1], 0.02) + STANDING_HEIGHT
    return np.where((low & (speed < STANDING_SPEED))[:, None], ball, np.nan)


def _arm(x: Mapping[str, Float64], body: Mapping[str, Float64], shoulder: Float64, s: str) -> dict[str, Float64]:
    """Elbow and wrist; the forearm has the body's own share of the upper arm's measured length."""
    elbow = x[f"elbow_{s}"] + shoulder - x[f"shoulder_{s}"]
    upper = np.linalg.norm(x[f"elbow_{s}"] - x[f"shoulder_{s}"], axis=-1, keepdims=True)
    share = np.linalg.norm(body[f"wrist_{s}"] - body[f"elbow_{s}"]) / np.linalg.norm(
        body[f"elbow_{s}"] - body[f"shoulder_{s}"]
    )
    along = _unit(x[f"wrist_{s}"] - x[f"elbow_{s}"])
    return {f"elbow_{s}": elbow, f"wrist_{s}": elbow + share * upper * along}


def _unit(v: Float64) -> Float64:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def _slope(v: Float64) -> Float64:
    """Angle below the horizontal, radians."""
    return np.arctan2(-v[..., 1], np.hypot(v[..., 0], v[..., 2]))
