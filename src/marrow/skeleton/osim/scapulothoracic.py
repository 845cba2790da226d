"""The scapula on the rib cage as OpenSim's ScapulothoracicJoint moves it, fitted to one person.

In that class (Seth et al. 2016, PLoS ONE 11(1)) the scapula rides on an ellipsoid that is fixed to the thorax: two
coordinates say where, a third turns it about the normal, a fourth about a winging axis in its own plane. Clavicle and
scapula of the skeleton have five coordinates between them, so not every pose can be met. The ellipsoid's radii are
those of the person's own ribs two to eight, widened by what lies between ribs and blade. Where it stands on the thorax
and how the winging axis lies in the blade is then adjusted until the poses through which the clavicle leads the scapula
(:data:`~marrow.skeleton.definition.FOLLOWERS`) are met as well as they can be; that of ``q = 0`` is met exactly.

The left side is the mirror image of the right. The class has no mirror image of itself: on the left, abduction and
upward rotation count the other way (forward and upward are negative).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.skeleton.bones import bone_meshes
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.joint_centres import joint_centres
from marrow.skeleton.osim import joints as joint_classes
from marrow.skeleton.osim.ik import fit_markers
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.skeleton.osim.model import GROUND, Body, Coordinate, Joint, Marker, Model, Placement
from marrow.skeleton.skeleton import Skeleton
from marrow.types import Float64

#: Abduction (forward round the ribs), elevation, upward rotation, winging; each with its side behind it.
COORDINATES = ("scapula_abduction", "scapula_elevation", "scapula_upward_rot", "scapula_winging")

#: Points of the blade whose distances are made small, and how much each counts: the shoulder carries the arm.
POINTS: Mapping[str, float] = {
    "acromioclavicular": 1.0,
    "shoulder": 3.0,
    "scapula_inferior": 1.0,
    "scapula_trigonum": 1.0,
}

#: Bounds within which the coordinates are sought, radians; the class turns over where elevation is a right angle.
BOUNDS = ((-2.2, 2.2), (-1.4, 1.4), (-2.0, 2.0), (-2.0, 2.0))
#: Radians by which ranges go beyond the poses that the ellipsoid was placed for.
_MARGIN = np.radians(20.0)

_RIBS = range(2, 9)
#: The part of the ribs that faces the blade: beyond this share of the half width, behind this percentile of the depth.
_BESIDE, _BEHIND = 0.35, 75.0
#: One of so many of their vertices is enough.
_EVERY = 5

#: What is adjusted, in this order: the ellipsoid's centre (3) and turn (3) from those of the ribs, the direction of the
#: point that the scapula rides on (2), the winging axis' origin (2) and direction. Lengths are in shares of the mean
#: radius, turns in radians. :data:`_START` is where most people end; the spreads say how far it may go from the ribs'
#: own ellipsoid, against a distance (:data:`_NEAR`) of the blade's points.
_START = np.array([0.25, 0.06, -0.13, 0.07, 0.08, -0.15, -0.1, 0.03, 0.07, -0.14, -1.1])
_SPREAD = np.array([0.18, 0.18, 0.18, 0.3, 0.3, 0.3, 0.3, 0.3, 0.9, 0.9, 2.0])
_NEAR = 0.01
#: Poses of the clavicle each way.
_STEPS = 5
#: The search: its most steps, the share of the cost below which one is the last, and the differences that derivatives
#: are taken over.
_ROUNDS, _ENOUGH, _DIFFERENCE = 30, 1e-4, 1e-5

#: The mirror between the sides; the axis that the joint's own frames turn round for it, so that they stay right-handed,
#: and what that does to the coordinates.
_ACROSS, _ROUND = np.diag([1.0, 1.0, -1.0]), np.diag([-1.0, 1.0, 1.0])
_SIGNS = np.array([-1.0, 1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Gliding:
    """One person's ScapulothoracicJoint on one side.

    Attributes:
        R, p: (3, 3) and (3,) metres: the ellipsoid's axes and centre in the torso.
        radii: (3,) metres, along those axes.
        R_scapula, p_scapula: (3, 3) and (3,) metres: the joint's frame in the scapula.
        origin, direction: (2,) metres and radians: the winging axis in that frame's plane.
        rest: (4,) radians: the coordinates at which the scapula stands as at ``q = 0``.
        ranges: (4, 2) radians.
    """

    R: Float64
    p: Float64
    radii: Float64
    R_scapula: Float64
    p_scapula: Float64
    origin: Float64
    direction: float
    rest: Float64
    ranges: Float64

    @property
    def numbers(self) -> tuple[Float64, Float64, float]:
        """What only this class has, in the order of OpenSim's constructor."""
        return self.radii, self.origin, self.direction


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid in the torso: axes R (3, 3), centre p (3,) and radii (3,), metres."""

    R: Float64
    p: Float64
    radii: Float64


def fit_gliding(skeleton: Skeleton, bony: Mapping[str, Float64]) -> dict[str, Gliding]:
    """The joints that move a person's scapulae most nearly as the skeleton does, by side (``"r"``, ``"l"``).

    Args:
        skeleton: one person's.
        bony: bony landmarks in the bind pose, as :func:`marrow.body.anatomy.bony_landmarks` gives them.

    Raises:
        InputError: a landmark is missing.
    """
    ribs = rib_points(skeleton, bony)
    right = _fitted(ribs, blade_points(skeleton, bony, "r"), *_swept(skeleton, "r"))
    R, p = _swept(skeleton, "l")
    left = _fitted(ribs @ _ACROSS, blade_points(skeleton, bony, "l") @ _ACROSS, _ACROSS @ R @ _ACROSS, p @ _ACROSS)
    return {"r": right, "l": _mirrored(left)}


def gliding_joint(gliding: Gliding, coordinates: Sequence[str], name: str, parent: str, child: str) -> Joint:
    """The joint as it would be read from a file; ``coordinates`` are the names of its four."""
    return Joint(
        name,
        "ScapulothoracicJoint",
        Placement(parent, gliding.R, gliding.p),
        Placement(child, gliding.R_scapula, gliding.p_scapula),
        tuple(coordinates),
        joint_classes.scapulothoracic(*gliding.numbers, tuple(coordinates)),
    )


def standing_alone(
    joints: Sequence[Joint], coordinates: Sequence[Coordinate], markers: Sequence[Marker] = ()
) -> Kinematics:
    """Joints whose parents all stand still, each on its own: they pose every child in its parent's frame."""
    bodies = [Body(joint.child.body, 1.0, np.zeros(3), np.zeros(6)) for joint in joints]
    on_ground = [replace(joint, parent=replace(joint.parent, body=GROUND)) for joint in joints]
    parts = tuple(bodies), tuple(on_ground), tuple(coordinates), (), tuple(markers)
    return Kinematics(Model("joints", Path("joints"), *parts))


def blade_points(skeleton: Skeleton, bony: Mapping[str, Float64], side: str) -> Float64:
    """(N, 3) metres: :data:`POINTS` in the scapula's frame.

    Raises:
        InputError: a landmark is missing.
    """
    scapula = skeleton.bind[skeleton.body_index(f"scapula_{side}")]
    shoulder = skeleton.bind[skeleton.body_index(f"humerus_{side}"), :3, 3]
    names = [f"{name}_{side}" for name in POINTS]
    known = {**bony, names[0]: scapula[:3, 3], names[1]: shoulder}
    missing = [name for name in names if name not in known]
    if missing:
        raise InputError(
            f"bony landmarks: {', '.join(missing)} missing; give those of marrow.body.anatomy.bony_landmarks(rest)"
        )
    return (np.array([known[name] for name in names], float) - scapula[:3, 3]) @ scapula[:3, :3]


def placed(R: Float64, p: Float64, local: Float64) -> Float64:
    """Points (N, 3) of frames R (..., 3, 3), p (..., 3) outside of them, (..., N, 3)."""
    return np.einsum("...ij,nj->...ni", R, local) + p[..., None, :]


def rib_points(skeleton: Skeleton, bony: Mapping[str, Float64]) -> Float64:
    """(N, 3) metres: the surface of ribs two to eight of both sides in the torso's frame."""
    torso = skeleton.bind[skeleton.body_index("torso")]
    meshes = bone_meshes(bony, joint_centres(bony))
    vertices = np.concatenate([meshes[f"rib_{k}_{s}"].vertices for k in _RIBS for s in "rl"])
    return (vertices.astype(float) - torso[:3, 3]) @ torso[:3, :3]


def rib_ellipsoid(points: Float64, through: Float64) -> Ellipsoid:
    """The ellipsoid nearest to the right side of the ribs where they face the blade, grown until it reaches a point.

    Args:
        points: (N, 3) metres: both sides' ribs in the torso.
        through: (3,) metres.
    """
    facing = points[:, 2] > _BESIDE * points[:, 2].max()
    facing &= points[:, 0] < np.percentile(points[:, 0], _BEHIND)
    shell = points[facing][::_EVERY]
    low, high = shell.min(0), shell.max(0)

    def missed(x: Float64) -> Float64:
        local = (shell - x[:3]) @ rotations.rotation_z(x[6])
        share = np.linalg.norm(local / np.exp(x[3:6]), axis=1)
        return (share - 1.0) / share * np.linalg.norm(local, axis=1)

    # It begins as a shell whose middle lies inwards of the ribs, ahead of those behind.
    start = np.array([high[0], *(0.5 * (low + high))[1:], *np.log(high - low), 0.0])
    x = least_squares(missed, start).x
    R, radii = rotations.rotation_z(x[6]), np.exp(x[3:6])
    grown = np.linalg.norm((through - x[:3]) @ R / radii)
    return Ellipsoid(R, x[:3], radii * grown)


def _fitted(ribs: Float64, blade: Float64, R: Float64, p: Float64) -> Gliding:
    """The joint of the right side.

    Args:
        ribs: (M, 3) metres: points of the ribs in the torso.
        blade: (N, 3) metres: :data:`POINTS` in the scapula.
        R, p: (T, 3, 3) and (T, 3) metres: poses of the scapula in the torso, that of rest first.
    """
    targets = placed(R, p, blade)
    middle = targets[0].mean(0)
    ellipsoid = rib_ellipsoid(ribs, middle)
    weights = np.array(list(POINTS.values()))
    scale = np.sqrt(weights / weights.sum() / len(targets))[:, None] / (_NEAR * ellipsoid.radii.mean())

    def cost(y: Float64) -> Float64:
        _, missed = _ridden(_placed(y, ellipsoid, middle, R[0], p[0]), blade, targets)
        return np.concatenate([(missed * scale).ravel(), y / _SPREAD])

    best = least_squares(cost, _START, x_scale=_SPREAD, diff_step=_DIFFERENCE, ftol=_ENOUGH, max_nfev=_ROUNDS)
    found = _placed(best.x, ellipsoid, middle, R[0], p[0])
    q, _ = _ridden(found, blade, targets)
    return replace(found, ranges=np.stack([q.min(0) - _MARGIN, q.max(0) + _MARGIN], -1))


def _swept(skeleton: Skeleton, side: str) -> tuple[Float64, Float64]:
    """Poses of the scapula in the torso as the clavicle leads it, that of ``q = 0`` first: (T, 3, 3) and (T, 3)."""
    protraction, elevation = (skeleton.index(f"clav_{way}_{side}") for way in ("protraction", "elevation"))
    steps = [np.linspace(low, high, _STEPS) for low, high in skeleton.ranges[[protraction, elevation]]]
    q = np.zeros((1 + _STEPS**2, len(skeleton.coordinates)))
    q[1:, protraction], q[1:, elevation] = np.stack(np.meshgrid(*steps), -1).reshape(-1, 2).T
    for follower in FOLLOWERS:
        if follower.name.startswith("scap_") and follower.name.endswith(f"_{side}"):
            d = skeleton.index(follower.name)
            q[:, d] = np.clip(follower.ratio * q[:, skeleton.index(follower.leader)], *skeleton.ranges[d])
    return seen_from(*skeleton.forward(q), skeleton.body_index("torso"), skeleton.body_index(f"scapula_{side}"))


def seen_from(R: Float64, p: Float64, a: int, b: int) -> tuple[Float64, Float64]:
    """Frame b in frame a, (..., 3, 3) and (..., 3), of frames (..., B, 3, 3) and (..., B, 3)."""
    back = np.swapaxes(R[..., a, :, :], -1, -2)
    return back @ R[..., b, :, :], np.einsum("...ij,...j->...i", back, p[..., b, :] - p[..., a, :])


def _placed(y: Float64, ribs: Ellipsoid, through: Float64, R: Float64, p: Float64) -> Gliding:
    """The joint for what is adjusted, y (11,).

    Args:
        through: (3,) metres: the blade's middle at rest, in the torso.
        R, p: (3, 3) and (3,) metres: the scapula at rest, in the torso.
    """
    size = ribs.radii.mean()
    ahead, up, right = (through - ribs.p) @ ribs.R / ribs.radii
    rest = np.array([np.arctan2(ahead, right), np.arcsin(np.clip(up, -1.0, 1.0)), 0.0, 0.0])
    rest[:2] += y[6:8]
    bare = Gliding(
        R=ribs.R @ rotations.exp(y[3:6]),
        p=ribs.p + size * y[:3],
        radii=ribs.radii,
        R_scapula=np.eye(3),
        p_scapula=np.zeros(3),
        origin=size * y[8:10],
        direction=float(y[10]),
        rest=rest,
        ranges=np.array(BOUNDS),
    )
    R_joint, p_joint = _alone(bare).forward(rest)
    return replace(bare, R_scapula=R.T @ R_joint[0], p_scapula=R.T @ (p_joint[0] - p))


def _alone(gliding: Gliding, blade: Float64 | None = None) -> Kinematics:
    """The joint in the torso, with the blade's points (N, 3) as markers."""
    joint = gliding_joint(gliding, COORDINATES, "scapulothoracic", "torso", "scapula")
    coordinates = [
        Coordinate(name, True, float(value), bounds, clamped=True)
        for name, value, bounds in zip(COORDINATES, gliding.rest, BOUNDS, strict=True)
    ]
    markers = [] if blade is None else [Marker(name, "scapula", x) for name, x in zip(POINTS, blade, strict=True)]
    return standing_alone([joint], coordinates, markers)


def _ridden(gliding: Gliding, blade: Float64, targets: Float64) -> tuple[Float64, Float64]:
    """Coordinates (T, 4) that bring the blade's points nearest to targets (T, N, 3), and by how much they miss them."""
    fit = fit_markers(_alone(gliding, blade), tuple(POINTS), targets, weights=POINTS, start=gliding.rest)
    return fit.q, fit.positions - targets


def _mirrored(right: Gliding) -> Gliding:
    """The joint of the left side."""
    return Gliding(
        R=_ACROSS @ right.R @ _ROUND,
        p=_ACROSS @ right.p,
        radii=right.radii,
        R_scapula=_ACROSS @ right.R_scapula @ _ROUND,
        p_scapula=_ACROSS @ right.p_scapula,
        origin=right.origin * [-1.0, 1.0],
        direction=np.pi - right.direction,
        rest=right.rest * _SIGNS,
        ranges=np.sort(right.ranges * _SIGNS[:, None], axis=1),
    )
