"""A skeleton as an OpenSim model, built by the official package ``opensim`` from the tree's own description.

A hinge with one coordinate becomes a PinJoint, everything else a CustomJoint whose functions are the tree's own
(linear, or polynomials where a turn or a slide is coupled to a coordinate), a joint that does not move a WeldJoint:
classes that every OpenSim from 4.0 on knows, and that move as our kinematics do. Segment frames, names, signs and zeros
are the skeleton's; the ground is OpenSim's (X forward, Y up, Z to the right).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import ArrayLike

from marrow.errors import InputError
from marrow.geometry.rotations import rotation_between
from marrow.skeleton.definition import FREE, HINGE, Joint
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.skeleton import Skeleton
from marrow.skeleton.tree import Terms
from marrow.types import Float64

#: Version of the document: the first whose joints, markers and meshes are written as here, so that later ones read it.
DOCUMENT_VERSION = 40000

#: Names of joints by the segment that the joint carries, without its side: those of the Rajagopal and Lai-Uhlrich
#: models where they have the joint. Others are named after their centres.
JOINT_NAMES: Mapping[str, str] = {
    "pelvis": "ground_pelvis",
    "femur": "hip",
    "lumbar_arc": "lumbar_sagittal",
    "lumbar": "lumbar_lateral",
    "thorax_arc": "thorax_sagittal",
    "torso": "thorax_lateral",
    "neck_arc": "neck_sagittal",
    "head": "neck_lateral",
    "clavicle": "sternoclavicular",
    "ulna": "elbow",
    "radius": "radioulnar",
    "hand": "radius_hand",
}

#: Range that files give for what is free: a turn to either side, and metres from where the person started.
_FREE_TURN, _FREE_WAY = np.pi, 50.0

#: How meshes look: red, green and blue of bone.
_COLOUR = (0.89, 0.86, 0.77)


@dataclass(frozen=True)
class OsimMesh:
    """A mesh that is fixed to a segment.

    Attributes:
        file: as OpenSim finds it: in the model's folder, in ``Geometry`` beside it, or anywhere by its whole path.
        scale: factors along the mesh's own axes.
        R, p: the mesh's axes (3, 3) and origin (3,), metres, in the segment's frame.
    """

    file: str
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    R: Float64 = field(default_factory=lambda: np.eye(3))
    p: Float64 = field(default_factory=lambda: np.zeros(3))


class OtherJoint(Protocol):
    """A joint that takes the place of one that the tree describes: the segment it hangs on, its coordinates."""

    @property
    def parent(self) -> str: ...

    @property
    def coordinates(self) -> tuple[str, ...]: ...

    def make(self, osim: Any, parent: Any, child: Any) -> Any:
        """The joint between the frames of two bodies, its coordinates with names, ranges and defaults."""
        ...


@dataclass(frozen=True)
class OsimExtras:
    """What a model holds besides its joints.

    Attributes:
        name: of the model.
        markers: name to (segment, (3,) metres in its frame).
        meshes: segment to its meshes.
        fixed: coordinates that are held at a value (radians): joints all of whose are, are welded, others locked.
        reached: coordinate to the least and largest value (radians) of a motion that the model is to play.
        joints: segment to the joint that takes the place of its own (:mod:`marrow.skeleton.osim.modern`); None leaves
            the segment out.
        credits, publications: free text.
        version: of the document.
    """

    name: str = "marrow"
    markers: Mapping[str, tuple[str, ArrayLike]] = field(default_factory=dict)
    meshes: Mapping[str, Sequence[OsimMesh]] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)
    reached: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    joints: Mapping[str, OtherJoint | None] = field(default_factory=dict)
    credits: str = ""
    publications: str = ""
    version: int = DOCUMENT_VERSION


def write_osim(path: str | Path, skeleton: Skeleton, masses: SegmentMasses, extras: OsimExtras | None = None) -> None:
    """Write an ``.osim`` file that OpenSim 4.0 and later read without a remark.

    Args:
        path: file to write (not atomically: see :mod:`marrow.io.osim`).
        skeleton: one person's.
        masses: of its segments, in their order.
        extras: name, markers, meshes, credits.

    Raises:
        InputError: the package ``opensim`` is missing, or names or masses are not those of the skeleton.
        OSError: the file cannot be written.
    """
    osim = load_opensim()
    extras = extras or OsimExtras()
    _check(skeleton, masses, extras)
    model = _model(osim, skeleton, masses, extras)
    model.printToXML(str(path))
    text = Path(path).read_text(encoding="utf-8")
    text = re.sub(r'(<OpenSimDocument Version=")\d+', rf"\g<1>{extras.version}", text, count=1)
    # Attached through the package, a mesh would be looked for at once, and not beside the file.
    for body, meshes in extras.meshes.items():
        text = text.replace(f'<Body name="{body}">', f'<Body name="{body}">\n{_attached(body, meshes)}', 1)
    Path(path).write_text(text, encoding="utf-8")


def load_opensim() -> ModuleType:
    """The package ``opensim``, imported when first used and kept from writing ``opensim.log``.

    Raises:
        InputError: it is not installed.
    """
    try:
        import opensim
    except ImportError as error:
        raise InputError(
            f"this needs the package opensim, which cannot be loaded ({error}); pip install 'opensim>=4.6'"
        ) from error
    opensim.Logger.removeFileSink()
    return opensim


def joint_name(joint: Joint) -> str:
    """Rajagopal's name of a joint where there is one, else the name of its centre."""
    stem, side = (joint.body[:-2], joint.body[-2:]) if joint.body.endswith(("_r", "_l")) else (joint.body, "")
    return f"{JOINT_NAMES[stem]}{side}" if stem in JOINT_NAMES else joint.centre


def is_welded(joint: Joint, fixed: Mapping[str, float]) -> bool:
    """Whether a joint cannot move with these coordinates fixed; the root always can."""
    return joint.kind != FREE and all(c.name in fixed for c in joint.coordinates)


def _check(skeleton: Skeleton, masses: SegmentMasses, extras: OsimExtras) -> None:
    if len(masses.mass) != len(skeleton.bodies):
        raise InputError(f"write_osim: {len(masses.mass)} masses for {len(skeleton.bodies)} segments")
    for body in [*extras.meshes, *extras.joints, *(body for body, _ in extras.markers.values())]:
        skeleton.body_index(body)
    for name in [*extras.fixed, *extras.reached]:
        skeleton.index(name)


def _model(osim: Any, skeleton: Skeleton, masses: SegmentMasses, extras: OsimExtras) -> Any:
    model = osim.Model()
    model.setName(re.sub(r"[^\w.-]+", "_", extras.name) or "marrow")
    model.set_credits(extras.credits)
    model.set_publications(extras.publications)
    model.set_length_units("meters")
    model.set_force_units("N")
    # Everything stays referenced from Python until the model is connected: OpenSim owns what it is given.
    bodies: dict[str, Any] = {}
    still = np.array([extras.fixed.get(name, 0.0) for name in skeleton.coordinates])
    rotations, places = skeleton.joint_rotations(still), skeleton.joint_places(still)
    height = _standing(skeleton, still)
    for b, joint in enumerate(skeleton.joints):
        other = extras.joints.get(joint.body)
        if other is None and joint.body in extras.joints:
            continue
        body = _body(osim, joint.body, masses, b)
        if other is None:
            parent = model.getGround() if b == 0 else bodies[skeleton.bodies[skeleton.parents[b]]]
            made = _joint(osim, skeleton, b, parent, body, (rotations[b], places[b]), extras)
        else:
            made = other.make(osim, bodies[other.parent], body)
        if b == 0:
            made.upd_coordinates(4).set_default_value(height)
        model.addBody(body)
        model.addJoint(made)
        bodies[joint.body] = body
    for name, (body, local) in extras.markers.items():
        marker = osim.Marker()
        marker.setName(name)
        marker.setParentFrameName(f"/bodyset/{body}")
        marker.set_location(_vec(osim, local))
        model.updMarkerSet().cloneAndAppend(marker)  # addMarker finalizes the whole model each time
    model.finalizeConnections()
    return model


def _attached(body: str, meshes: Sequence[OsimMesh]) -> str:
    """XML of a body's meshes: attached to it where they lie in its frame, else to frames of their own on it."""
    own: list[str] = []
    shifted: dict[str, list[str]] = {}
    for number, mesh in enumerate(meshes, 1):
        text = _mesh(f"{body}_geom_{number}", mesh)
        if np.array_equal(mesh.R, np.eye(3)) and not mesh.p.any():
            own.append(text)
        else:
            translation, orientation = _numbers(mesh.p), _numbers(body_fixed_xyz(mesh.R))
            place = f"<translation>{translation}</translation><orientation>{orientation}</orientation>"
            shifted.setdefault(place, []).append(text)
    frames = [
        f'<PhysicalOffsetFrame name="{body}_bones_{number}"><attached_geometry>{"".join(texts)}</attached_geometry>'
        f"<socket_parent>..</socket_parent>{place}</PhysicalOffsetFrame>"
        for number, (place, texts) in enumerate(shifted.items(), 1)
    ]
    components = f"<components>{''.join(frames)}</components>" if frames else ""
    return components + (f"<attached_geometry>{''.join(own)}</attached_geometry>" if own else "")


def _mesh(name: str, mesh: OsimMesh) -> str:
    return (
        f'<Mesh name="{name}"><socket_frame>..</socket_frame><scale_factors>{_numbers(mesh.scale)}</scale_factors>'
        f"<mesh_file>{escape(mesh.file)}</mesh_file><Appearance><color>{_numbers(_COLOUR)}</color></Appearance></Mesh>"
    )


def _numbers(values: ArrayLike) -> str:
    return " ".join(f"{float(value):.10g}" for value in np.asarray(values))


def _body(osim: Any, name: str, masses: SegmentMasses, b: int) -> Any:
    I = masses.inertia[b]
    inertia = osim.Inertia(*(float(I[k]) for k in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))))
    return osim.Body(name, float(masses.mass[b]), _vec(osim, masses.centre[b]), inertia)


def _joint(
    osim: Any,
    skeleton: Skeleton,
    b: int,
    parent: Any,
    body: Any,
    still: tuple[Float64, Float64],
    extras: OsimExtras,
) -> Any:
    """The joint of segment b: welded, pin or custom, its coordinates with ranges and defaults.

    ``still`` is the segment's rotation and place in its parent at the values of the fixed coordinates.
    """
    joint, tree = skeleton.joints[b], skeleton.tree
    names = [c.name for c in joint.coordinates]
    offset = np.zeros(3) if b == 0 else skeleton.offsets[b]
    place, zero = _vec(osim, offset), _vec(osim, np.zeros(3))
    if is_welded(joint, extras.fixed):
        turn = _vec(osim, body_fixed_xyz(still[0]))
        return osim.WeldJoint(joint_name(joint), parent, _vec(osim, still[1]), turn, body, zero, zero)
    if joint.kind == HINGE and len(names) == 1 and not (joint.turns or joint.slides):
        axis = tree.axes[tree.start[b]]
        turn = _vec(osim, body_fixed_xyz(rotation_between(np.array([0.0, 0.0, 1.0]), axis)))
        made = osim.PinJoint(joint_name(joint), parent, place, turn, body, zero, turn)
    else:
        transform = _spatial_transform(osim, skeleton, b)
        made = osim.CustomJoint(joint_name(joint), parent, place, zero, body, zero, zero, transform)
        made.finalizeFromProperties()  # makes the coordinates
    for k, name in enumerate(names):
        _describe(made.upd_coordinates(k), name, skeleton, extras, clamped=joint.kind != FREE)
    return made


def _describe(coordinate: Any, name: str, skeleton: Skeleton, extras: OsimExtras, *, clamped: bool) -> None:
    """Name, range and default. The fit's ranges are soft, so a range grows to what the motion reached: OpenSim would
    clip it otherwise. Where it is clamped, OpenSim's inverse kinematics stays in it."""
    d = skeleton.index(name)
    free = _FREE_TURN if d < skeleton.tree.translation.start else _FREE_WAY
    low, high = skeleton.ranges[d] if clamped else (-free, free)
    least, most = extras.reached.get(name, (low, high))
    set_coordinate(
        coordinate,
        name,
        (min(low, least), max(high, most)),
        extras.fixed.get(name, 0.0),
        clamped=clamped,
        locked=name in extras.fixed,
    )


def set_coordinate(
    coordinate: Any, name: str, limits: tuple[float, float], default: float, *, clamped: bool, locked: bool = False
) -> None:
    """Name a coordinate of the package ``opensim`` and give it its range and default, radians or metres."""
    coordinate.setName(name)
    coordinate.set_range(0, float(limits[0]))
    coordinate.set_range(1, float(limits[1]))
    coordinate.set_default_value(float(default))
    coordinate.set_clamped(clamped)
    coordinate.set_locked(locked)


def _spatial_transform(osim: Any, skeleton: Skeleton, b: int) -> Any:
    """The joint's turns in their order, and its slides; those of the root are its translations."""
    tree, out = skeleton.tree, osim.SpatialTransform()
    _drive(osim, skeleton, tree.turns, b, 1.0, (out.upd_rotation1(), out.upd_rotation2(), out.upd_rotation3()))
    translations = (out.upd_translation1(), out.upd_translation2(), out.upd_translation3())
    if skeleton.joints[b].kind == FREE:
        for axis, c in zip(translations, skeleton.joints[b].coordinates[3:], strict=True):
            axis.setAxis(_vec(osim, c.axis))
            axis.setCoordinateNames(osim.ArrayStr(c.name, 1))
            axis.set_function(osim.LinearFunction(1.0, 0.0))
    else:
        _drive(osim, skeleton, tree.slides, b, float(skeleton.length[b]), translations)
    return out


def _drive(osim: Any, skeleton: Skeleton, terms: Terms, b: int, scale: float, axes: tuple[Any, Any, Any]) -> None:
    """Let the coordinates drive one transform axis for each of the joint's terms, times ``scale``; the rest is zero."""
    rows = range(int(terms.start[b]), int(terms.start[b + 1]))
    directions = list(terms.axis[rows.start : rows.stop])
    # OpenSim wants three axes of a basis, also where nothing moves along the last.
    directions += list(np.linalg.svd(np.array(directions).reshape(-1, 3))[2][len(directions) :])
    for k, axis in enumerate(axes):
        axis.setAxis(_vec(osim, directions[k]))
        if k >= len(rows):
            axis.set_function(osim.Constant(0.0))
            continue
        i = rows[k]
        axis.setCoordinateNames(osim.ArrayStr(skeleton.coordinates[int(terms.coordinate[i])], 1))
        axis.set_function(_function(osim, scale * terms.polynomial[i]))


def _function(osim: Any, polynomial: Float64) -> Any:
    """A function of OpenSim from the coefficients of the first, second … power."""
    used = np.trim_zeros(polynomial, "b")
    if len(used) == 1:
        return osim.LinearFunction(float(used[0]), 0.0)
    highest_first = [*used[::-1], 0.0]
    vector = osim.Vector(len(highest_first), 0.0)
    for k, value in enumerate(highest_first):
        vector.set(k, float(value))
    return osim.PolynomialFunction(vector)


def _standing(skeleton: Skeleton, q: Float64) -> float:
    """Height of the pelvis at ``q`` (D,) with the lowest landmark where it is in the bind pose, metres."""
    R, p = skeleton.forward(q, np.zeros(3))
    bind = skeleton.points(skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3])
    lowest = min(skeleton.points(R, p)[:, 1].min(), p[:, 1].min())
    return float(min(bind[:, 1].min(), skeleton.bind[:, 1, 3].min()) - lowest)


def body_fixed_xyz(R: Float64) -> Float64:
    """Angles (3,) with ``R = Rx(a) @ Ry(b) @ Rz(c)``, radians: OpenSim's <orientation>."""
    b = np.arctan2(R[0, 2], np.hypot(R[0, 0], R[0, 1]))
    if abs(np.cos(b)) < 1e-9:
        return np.array([np.arctan2(R[2, 1], R[1, 1]), b, 0.0])
    return np.array([np.arctan2(-R[1, 2], R[2, 2]), b, np.arctan2(-R[0, 1], R[0, 0])])


def _vec(osim: Any, x: ArrayLike) -> Any:
    return osim.Vec3(*(float(value) for value in np.asarray(x, float)))
