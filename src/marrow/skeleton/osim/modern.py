"""A skeleton with the joint classes that OpenSim has had since 4.5, and what that costs.

Each segment of the spine becomes one ConstantCurvatureJoint, without the light body that the skeleton has between its
two arcs, and each scapula rides on the rib cage by a ScapulothoracicJoint (:mod:`.scapulothoracic`), beside the
clavicle, which stays a joint of its own: nothing holds the two together at the acromioclavicular joint. These classes
cannot make every pose that the skeleton makes. A motion is therefore read anew, frame by frame: the spine's coordinates
so that every segment keeps its orientation, the scapula's by least squares on points of the blade, the shoulder's so
that the arm keeps its orientation. What is left, :class:`Deviation` measures and tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from marrow.geometry import rotations
from marrow.skeleton import _fast_kinematics as fast
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.osim.ik import fit_markers
from marrow.skeleton.osim.joints import constant_curvature
from marrow.skeleton.osim.kinematics import Kinematics
from marrow.skeleton.osim.model import Coordinate, Joint, Marker, Placement
from marrow.skeleton.osim.scapulothoracic import (
    BOUNDS,
    COORDINATES,
    POINTS,
    blade_points,
    fit_gliding,
    gliding_joint,
    placed,
    seen_from,
    standing_alone,
)
from marrow.skeleton.osim.write import body_fixed_xyz, is_welded, set_coordinate
from marrow.skeleton.skeleton import Skeleton
from marrow.types import Float64

#: Version of a document with these classes: the first OpenSim that has both.
DOCUMENT_VERSION = 40500

#: Largest bend and twist of a ConstantCurvatureJoint, radians: OpenSim leaves the arc 3 degrees short of a right angle.
MOST_BENT = 1.5
#: Alternations after which the bend beside a twist that was cut off no longer changes.
_TURNS = 10
#: Radians by which a range is wider than the motion, so that rounding does not leave it.
_HAIR = 1e-6


@dataclass(frozen=True, eq=False)
class ModernJoint:
    """A joint that takes the place of one or two of the skeleton's.

    Attributes:
        joint: as it would be read from a file.
        numbers: what only its class has, in the order of OpenSim's constructor.
        default, ranges: (n,) and (n, 2) radians, of its coordinates.
    """

    joint: Joint
    numbers: tuple[ArrayLike, ...]
    default: Float64
    ranges: Float64

    @property
    def parent(self) -> str:
        """The segment that it hangs on."""
        return self.joint.parent.body

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Their names, in the class's order."""
        return self.joint.coordinates

    def make(self, osim: Any, parent: Any, child: Any) -> Any:
        """The joint between two frames of the package ``opensim``, its coordinates with ranges and defaults."""
        frames = [
            [frame, _numbers(osim, place.p), _numbers(osim, body_fixed_xyz(place.R))]
            for frame, place in ((parent, self.joint.parent), (child, self.joint.child))
        ]
        numbers = [_numbers(osim, value) for value in self.numbers]
        made = getattr(osim, self.joint.kind)(self.joint.name, *frames[0], *frames[1], *numbers)
        for k, name in enumerate(self.coordinates):
            low, high = self.ranges[k]
            set_coordinate(made.upd_coordinates(k), name, (low, high), self.default[k], clamped=True)
        return made


@dataclass(frozen=True, eq=False)
class Deviation:
    """How far a motion of the modern joints is from the skeleton's own, over T frames.

    Attributes:
        segments: N segments whose joints are others; what hangs on them goes along.
        mm: (T, N) millimetres between the segments' origins, which are their joint centres.
        deg: (T, N) degrees between their orientations.
        gap_mm: (T, 2) millimetres between clavicle and scapula at the acromioclavicular joint, right and left.
    """

    segments: tuple[str, ...]
    mm: Float64
    deg: Float64
    gap_mm: Float64

    def told(self) -> str:
        """In words: median and largest of each."""
        each = [
            f"{name} {np.median(mm):.1f} ({mm.max():.1f}) mm, {np.median(deg):.1f} ({deg.max():.1f})°"
            for name, mm, deg in zip(self.segments, self.mm.T, self.deg.T, strict=True)
        ]
        each += [
            f"acromioclavicular_{side} open by {np.median(gap):.1f} ({gap.max():.1f}) mm"
            for side, gap in zip("rl", self.gap_mm.T, strict=True)
        ]
        return (
            f"modern joints, median (largest) distance from marrow's own skeleton in {len(self.mm)} frames: "
            + "; ".join(each)
        )


@dataclass(frozen=True, eq=False)
class Modern:
    """A motion in the modern joints, and these.

    Attributes:
        coordinates: those of the model, in the order of its joints; none of welded joints.
        q: (T, D) radians; the root's three translations in metres.
        joints: segment to its joint; None where the segment is left out. The others keep the skeleton's.
        fixed: coordinates of the joints that are kept whose values are held, radians.
        deviation: what the classes cost.
    """

    coordinates: tuple[str, ...]
    q: Float64
    joints: Mapping[str, ModernJoint | None]
    fixed: Mapping[str, float]
    deviation: Deviation


def modernised(
    skeleton: Skeleton, bony: Mapping[str, Float64], q: ArrayLike, fixed: Mapping[str, float] | None = None
) -> Modern:
    """A motion of a skeleton in the joint classes of newer OpenSim.

    Args:
        skeleton: one person's.
        bony: bony landmarks in the bind pose, as :func:`marrow.body.anatomy.bony_landmarks` gives them.
        q: (T, D) the skeleton's coordinates.
        fixed: coordinates that are held at a value (radians). Where that is all of a segment's, it is welded as it
            stands; where it is some, the new joint turns freely.

    Raises:
        InputError: a landmark is missing.
    """
    q = np.asarray(q, float)
    motion = _Motion(skeleton, q, fixed or {}, *skeleton.forward(q))
    made = {**_spine(motion), **_girdle(motion, bony)}
    x, alone = _read(motion, bony, made)
    own, moved = _moved(motion, made, *alone.forward(x))
    values = dict(zip(skeleton.coordinates, own.T, strict=True)) | dict(zip(alone.coordinates, x.T, strict=True))
    joints = {**dict.fromkeys(_arcs(skeleton)), **{body: _reaching(joint, values) for body, joint in made.items()}}
    names = tuple(_names(motion, joints))
    free = {c.name for _, b in _shoulders(motion) for c in skeleton.joints[b].coordinates}
    held = {c.name for joint in skeleton.joints if joint.body not in joints for c in joint.coordinates} - free
    return Modern(
        coordinates=names,
        q=np.stack([values[name] for name in names], -1),
        joints=joints,
        fixed={name: value for name, value in motion.fixed.items() if name in held},
        deviation=_deviation(motion, (*made, *(skeleton.bodies[b] for b in _humeri(skeleton))), *moved),
    )


def arc_coordinates(R: Float64) -> Float64:
    """Coordinates (..., 3), about x, z and y, at which a ConstantCurvatureJoint turns by R (..., 3, 3).

    Where that is bent or twisted by more than :data:`MOST_BENT`, the bend ends there, and the twist, with the bend that
    then comes nearest.
    """
    R = _bent_back(R)
    x, z = _bend(R)
    y = np.clip(np.arctan2(R[..., 0, 2], R[..., 0, 0]), -MOST_BENT, MOST_BENT)
    M = R @ np.swapaxes(rotations.rotation_y(y), -1, -2)
    for _ in range(_TURNS):  # the x, then the z, with which x-z is nearest to M; both stay where no twist was cut off
        s, c = np.sin(z), np.cos(z)
        across, along = M[..., 2, 0] * s + M[..., 2, 1] * c, M[..., 1, 0] * s + M[..., 1, 1] * c
        x = np.arctan2(across - M[..., 1, 2], along + M[..., 2, 2])
        s, c = np.sin(x), np.cos(x)
        across, along = M[..., 1, 0] * c + M[..., 2, 0] * s, M[..., 1, 1] * c + M[..., 2, 1] * s
        z = np.arctan2(across - M[..., 0, 1], along + M[..., 0, 0])
    x, z = _bend(_bent_back(rotations.rotation_x(x) @ rotations.rotation_z(z)))
    return np.clip(np.stack([x, z, y], -1), -MOST_BENT, MOST_BENT)


def _bend(R: Float64) -> tuple[Float64, Float64]:
    """Angles (...,) about x, then z, that carry the y axis to where R (..., 3, 3) carries it."""
    return np.arctan2(R[..., 2, 1], R[..., 1, 1]), np.arcsin(np.clip(-R[..., 0, 1], -1.0, 1.0))


def _bent_back(R: Float64) -> Float64:
    """R (..., 3, 3), turned back by as much as it tilts the y axis by more than :data:`MOST_BENT`."""
    up = R[..., :, 1]
    axis = np.stack([up[..., 2], np.zeros_like(up[..., 0]), -up[..., 0]], -1)  # y x up
    length = np.linalg.norm(axis, axis=-1)
    excess = np.maximum(np.arctan2(length, up[..., 1]) - MOST_BENT, 0.0)
    return rotations.exp(-axis * (excess / np.maximum(length, 1e-12))[..., None]) @ R


def merged(masses: SegmentMasses, skeleton: Skeleton) -> SegmentMasses:
    """Masses with those of the spine's light bodies given to the segments that they carry; theirs become zero."""
    volume, mass, centre, inertia = (
        np.array(part) for part in (masses.volume, masses.mass, masses.centre, masses.inertia)
    )
    for body, b in _arcs(skeleton).values():
        pair = [body, b]  # in the bind pose their frames are the same
        middle = mass[pair] @ centre[pair] / mass[pair].sum()
        away = centre[pair] - middle
        square = np.einsum("n,ni,nj->ij", mass[pair], away, away)
        inertia[body] = inertia[pair].sum(0) + np.trace(square) * np.eye(3) - square
        centre[body], mass[body], volume[body] = middle, mass[pair].sum(), volume[pair].sum()
        mass[b], volume[b], inertia[b] = 0.0, 0.0, 0.0
    return SegmentMasses(volume, mass, centre, inertia)


def _numbers(osim: Any, value: ArrayLike) -> Any:
    """A number, ``Vec2`` or ``Vec3`` as the package ``opensim`` takes it."""
    numbers = np.atleast_1d(np.asarray(value, float)).tolist()
    return numbers[0] if len(numbers) == 1 else (osim.Vec2 if len(numbers) == 2 else osim.Vec3)(*numbers)


def _arcs(skeleton: Skeleton) -> dict[str, tuple[int, int]]:
    """The spine's light bodies: name to the segment that each carries, and itself."""
    carried = [b for b, joint in enumerate(skeleton.joints) if joint.begins is not None]
    return {skeleton.bodies[a]: (b, a) for b in carried for a in [int(skeleton.parents[b])]}


class _Motion(NamedTuple):
    """What is to be met: coordinates (T, D), those that are held, and the segments' frames in marrow's world."""

    skeleton: Skeleton
    q: Float64
    fixed: Mapping[str, float]
    R: Float64  # (T, B, 3, 3)
    p: Float64  # (T, B, 3)

    def seen_from(self, parent: str, body: str) -> tuple[Float64, Float64]:
        """The body's frame in the parent's, (T, 3, 3) and (T, 3)."""
        return seen_from(self.R, self.p, self.skeleton.body_index(parent), self.skeleton.body_index(body))


def _humeri(skeleton: Skeleton) -> list[int]:
    return [skeleton.body_index(f"humerus_{side}") for side in "rl"]


def _shoulders(motion: _Motion) -> list[tuple[int, int]]:
    """Scapula and humerus of the arms whose shoulders move."""
    skeleton = motion.skeleton
    moving = [b for b in _humeri(skeleton) if not is_welded(skeleton.joints[b], motion.fixed)]
    return [(int(skeleton.parents[b]), b) for b in moving]


def _spine(motion: _Motion) -> dict[str, ModernJoint]:
    """The spine's segments, each on one arc that begins where the skeleton's begins."""
    skeleton, out = motion.skeleton, {}
    for b, a in _arcs(skeleton).values():
        bending, rotation = (c.name for c in skeleton.joints[b].coordinates)
        names = (bending, skeleton.joints[a].coordinates[0].name, rotation)
        name, parent, child = bending.removesuffix("_bending"), skeleton.bodies[skeleton.parents[a]], skeleton.bodies[b]
        if all(own in motion.fixed for own in names):
            out[child] = _welded(motion, name, parent, child)
            continue
        length = float(skeleton.length[b])
        joint = Joint(
            name,
            "ConstantCurvatureJoint",
            Placement(parent, np.eye(3), skeleton.offsets[a] - [0.0, length, 0.0]),
            Placement(child, np.eye(3), np.zeros(3)),
            names,
            constant_curvature(length, np.zeros(3), names),
        )
        ranges = skeleton.ranges[[skeleton.index(own) for own in names]]
        out[child] = ModernJoint(joint, (np.zeros(3), length), np.zeros(3), ranges)
    return out


def _girdle(motion: _Motion, bony: Mapping[str, Float64]) -> dict[str, ModernJoint]:
    """The scapulae on the torso."""
    skeleton, out = motion.skeleton, {}
    for side, own in fit_gliding(skeleton, bony).items():
        body, name = f"scapula_{side}", f"scapulothoracic_{side}"
        b = skeleton.body_index(body)
        if all(is_welded(skeleton.joints[k], motion.fixed) for k in (b, skeleton.parents[b])):
            out[body] = _welded(motion, name, "torso", body)
            continue
        names = [f"{coordinate}_{side}" for coordinate in COORDINATES]
        out[body] = ModernJoint(gliding_joint(own, names, name, "torso", body), own.numbers, own.rest, own.ranges)
    return out


def _welded(motion: _Motion, name: str, parent: str, body: str) -> ModernJoint:
    """A joint that keeps a segment where it is in the first frame."""
    turns, places = motion.seen_from(parent, body)
    frames = Placement(parent, turns[0], places[0]), Placement(body, np.eye(3), np.zeros(3))
    return ModernJoint(Joint(name, "WeldJoint", *frames, (), ()), (), np.zeros(0), np.zeros((0, 2)))


def _reaching(joint: ModernJoint, values: Mapping[str, Float64]) -> ModernJoint:
    """The joint with ranges that hold the values, radians, of its coordinates."""
    ranges = joint.ranges.copy()
    for row, name in zip(ranges, joint.coordinates, strict=True):
        row[:] = min(row[0], values[name].min() - _HAIR), max(row[1], values[name].max() + _HAIR)
    return replace(joint, ranges=ranges)


def _read(motion: _Motion, bony: Mapping[str, Float64], made: Mapping[str, ModernJoint]) -> tuple[Float64, Kinematics]:
    """Coordinates (T, n) of the joints that come nearest to the segments' frames, and the joints, each on its own."""
    bounds = {f"{name}_{side}": bound for name, bound in zip(COORDINATES, BOUNDS, strict=True) for side in "rl"}
    coordinates = [
        Coordinate(name, True, float(value), bounds.get(name, (-MOST_BENT, MOST_BENT)), clamped=True)
        for joint in made.values()
        for name, value in zip(joint.coordinates, joint.default, strict=True)
    ]
    markers: dict[str, Marker] = {}
    targets, weights = [], {}
    for body in [body for body, joint in made.items() if joint.joint.kind == "ScapulothoracicJoint"]:
        blade = blade_points(motion.skeleton, bony, body[-1])
        names = [f"{name}_{body[-1]}" for name in POINTS]
        markers |= {name: Marker(name, body, local) for name, local in zip(names, blade, strict=True)}
        weights |= dict(zip(names, POINTS.values(), strict=True))
        targets.append(placed(*motion.seen_from("torso", body), blade))
    alone = standing_alone([joint.joint for joint in made.values()], coordinates, list(markers.values()))
    x = np.tile(alone.default, (len(motion.q), 1))
    if targets:
        x = fit_markers(alone, tuple(markers), np.concatenate(targets, 1), weights=weights, start=alone.default).q
    for body, joint in made.items():
        if joint.joint.kind == "ConstantCurvatureJoint":
            turns, _ = motion.seen_from(joint.parent, body)
            x[:, [alone.index(name) for name in joint.coordinates]] = arc_coordinates(turns)
    return x, alone


def _moved(
    motion: _Motion, made: Mapping[str, ModernJoint], turns: Float64, places: Float64
) -> tuple[Float64, tuple[Float64, Float64]]:
    """The skeleton's coordinates (T, D) with shoulders that keep the arms' orientation, and the segments' frames.

    Args:
        turns, places: (T, N, 3, 3) and (T, N, 3) metres: the segments of ``made`` in their parents.
    """
    skeleton, q = motion.skeleton, motion.q.copy()
    parents, R_joint, p_joint = skeleton.parents.copy(), skeleton.joint_rotations(q), skeleton.joint_places(q)
    for k, (body, joint) in enumerate(made.items()):
        b = skeleton.body_index(body)
        parents[b], R_joint[:, b], p_joint[:, b] = skeleton.body_index(joint.parent), turns[:, k], places[:, k]
    root = np.ascontiguousarray(motion.p[:, 0])
    R, _ = fast.forward(parents, R_joint, p_joint, root)
    balls = {b: (d, signs) for b, d, signs in skeleton.tree.balls}
    for scapula, b in _shoulders(motion):
        R_joint[:, b] = np.swapaxes(R[:, scapula], -1, -2) @ motion.R[:, b]
        d, signs = balls[b]
        both = np.stack([signs * q[:, d : d + 3], rotations.euler_zxy(R_joint[:, b])])
        q[:, d : d + 3] = signs * rotations.unwrap_zxy(both)[1]  # the description nearest to the skeleton's
    return q, fast.forward(parents, R_joint, p_joint, root)


def _names(motion: _Motion, joints: Mapping[str, ModernJoint | None]) -> Iterator[str]:
    """Coordinates of the model in the order of its joints, none of welded ones."""
    for joint in motion.skeleton.joints:
        other = joints.get(joint.body)
        if other is not None:
            yield from other.coordinates
        elif joint.body not in joints and not is_welded(joint, motion.fixed):
            yield from (c.name for c in joint.coordinates)


def _deviation(motion: _Motion, segments: tuple[str, ...], R: Float64, p: Float64) -> Deviation:
    """From frames R (T, B, 3, 3) and p (T, B, 3) of all segments."""
    skeleton = motion.skeleton
    bodies = [skeleton.body_index(body) for body in segments]
    scapulae = [skeleton.body_index(f"scapula_{side}") for side in "rl"]
    clavicles = skeleton.parents[scapulae]
    ends = np.einsum("tnij,tnj->tni", R[:, clavicles], skeleton.joint_places(motion.q)[:, scapulae])
    between = np.swapaxes(motion.R[:, bodies], -1, -2) @ R[:, bodies]
    return Deviation(
        segments,
        1000 * np.linalg.norm(p[:, bodies] - motion.p[:, bodies], axis=-1),
        np.degrees(np.linalg.norm(rotations.log(between), axis=-1)),
        1000 * np.linalg.norm(p[:, scapulae] - p[:, clavicles] - ends, axis=-1),
    )
