"""Reading ``.osim`` documents of OpenSim 3 and 4 into a :class:`~marrow.skeleton.osim.model.Model`.

What moves is read: bodies, joints, coordinates, couplings, markers. Muscles, geometry, contact and controllers are not
looked at.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from marrow.errors import InputError
from marrow.skeleton.osim import joints as joint_classes
from marrow.skeleton.osim.frames import Frames, placement, rotation_xyz
from marrow.skeleton.osim.functions import Function, read_function
from marrow.skeleton.osim.model import GROUND, Body, Coordinate, Coupling, Joint, Marker, Model, Placement
from marrow.skeleton.osim.xml import Element, parse

_OLDEST = 20302
_JOINT_TAGS = frozenset(joint_classes.KINDS) | {"CustomJoint"}


def read_osim(path: str | Path) -> Model:
    """Read a model.

    Raises:
        InputError: the file cannot be read or describes no tree of known joints; file, line and element are named.
    """
    root = parse(path)
    model, version = _model_element(root)
    elements = _Elements(model, version)
    frames = Frames(elements.bodies, elements.offset_frames)
    joints, coordinates = [], {}
    for element, owner in elements.joints:
        joint, own = _read_joint(element, owner, frames, version)
        for name, coordinate in own.items():
            if name in coordinates:
                raise element.error(f"the coordinate {name!r} belongs to two joints")
            coordinates[name] = coordinate
        joints.append((joint, element))
    ordered = _in_tree_order(joints, [b.name for b in elements.bodies], model)
    warnings: list[str] = []
    return Model(
        name=model.name,
        file=Path(path),
        bodies=tuple(_read_body(element) for element in elements.bodies),
        joints=ordered,
        coordinates=tuple(coordinates.values()),
        couplings=_read_couplings(model, coordinates, warnings),
        markers=_read_markers(model, frames),
        warnings=tuple(warnings),
    )


def _model_element(root: Element) -> tuple[Element, int]:
    if root.tag == "OpenSimDocument":
        text, model = root.attributes.get("Version", "").strip(), root.find("Model")
        if not text.isdecimal():
            raise root.error(f"its Version is {text!r}; expected a number such as 40000")
        version = int(text)
        if model is None:
            held = root.children[0].tag if root.children else "nothing"
            raise root.error(f"expected a <Model>, found {held}; is this a set-up file instead of a model?")
        if version < _OLDEST:
            raise root.error(f"version {version} is too old; open the file in OpenSim and save it again")
        return model, version
    raise root.error("expected <OpenSimDocument> with a <Model>; is this an .osim file?")


class _Elements:
    """The elements of interest, wherever the file keeps them.

    Attributes:
        bodies: without the ground.
        joints: with the body element they stand in (version 3), else None.
    """

    def __init__(self, model: Element, version: int) -> None:
        self.bodies: list[Element] = []
        self.joints: list[tuple[Element, Element | None]] = []
        self.offset_frames: list[tuple[str, Element]] = []
        seen: dict[str, Element] = {}
        for element in [e for group in ("BodySet", "components") for e in _members(model.find(group))]:
            if element.tag != "Body":
                continue
            if element.name in seen:
                raise element.error(f"a second body of that name; the first is on line {seen[element.name].line}")
            seen[element.name] = element
            if element.name != GROUND:
                self.bodies.append(element)
            inner = element.find("Joint")
            if inner is not None and inner.children:
                self.joints.append((inner.children[0], element))
        for element in _members(model.find("JointSet")):
            self.joints.append((element, None))
        for element in _members(model.find("components")):
            if element.tag in _JOINT_TAGS or element.tag.endswith("Joint"):
                self.joints.append((element, None))
        if not self.bodies:
            raise model.error("no <Body> in it; a model needs a BodySet")
        self._find_offset_frames(model)

    def _find_offset_frames(self, model: Element) -> None:
        owners = [(f"/jointset/{e.name}", e) for e, _ in self.joints]
        owners += [(f"/bodyset/{e.name}", e) for e in self.bodies]
        ground = model.find("Ground")
        owners += [("/ground", ground)] if ground is not None else []
        for path, owner in owners:
            for element in owner.walk():
                if element.tag == "PhysicalOffsetFrame":
                    self.offset_frames.append((f"{path}/{element.name}", element))
        for element in _members(model.find("components")):
            if element.tag == "PhysicalOffsetFrame":
                self.offset_frames.append((f"/{element.name}", element))


def _members(group: Element | None) -> list[Element]:
    """Elements of a set: those below its <objects>, or its own children."""
    if group is None:
        return []
    objects = group.find("objects")
    return list(group if objects is None else objects)


def _read_body(element: Element) -> Body:
    names = ("xx", "yy", "zz", "xy", "xz", "yz")
    if element.find("inertia") is not None:
        inertia = element.numbers("inertia", 6)
    else:
        inertia = np.array([element.number(f"inertia_{name}", 0.0) for name in names])
    return Body(element.name, element.number("mass", 0.0), element.numbers("mass_center", 3, (0.0, 0.0, 0.0)), inertia)


def _read_joint(
    element: Element, owner: Element | None, frames: Frames, version: int
) -> tuple[Joint, dict[str, Coordinate]]:
    if element.tag not in _JOINT_TAGS:
        raise element.error(
            f"the joint class {element.tag} is not known; those read are {', '.join(sorted(_JOINT_TAGS))}"
        )
    listed = element.find("coordinates", "CoordinateSet")
    coordinate_elements = [e for e in _members(listed) if e.tag == "Coordinate"]
    names = tuple(e.name for e in coordinate_elements)
    if not names and element.tag != "CustomJoint":  # OpenSim leaves out what nobody has changed
        names = tuple(f"{element.name}_coord_{i}" for i in range(len(joint_classes.KINDS[element.tag])))
    if owner is None:
        path = f"/jointset/{element.name}"
        parent = frames.find(element, path, "socket_parent_frame", "socket_parent_frame_connectee_name")
        child = frames.find(element, path, "socket_child_frame", "socket_child_frame_connectee_name")
    else:
        if element.flag("reverse", False):
            raise element.error("a reversed joint is not read; swap parent and child in OpenSim")
        parent = placement(
            frames.body(element.string("parent_body"), element), element, "location_in_parent", "orientation_in_parent"
        )
        child = placement(owner.name, element, "location", "orientation")
    if child.body == GROUND:
        raise element.error("its child is the ground; swap parent and child in OpenSim")
    motions = joint_classes.read_motions(element, names)
    turning = joint_classes.rotational(element, motions, names)
    own = {name: _default_coordinate(name, turning[name]) for name in names}
    for one in coordinate_elements:
        own[one.name] = _read_coordinate(one, turning[one.name])
    return Joint(element.name, element.tag, parent, child, names, motions), own


def _default_coordinate(name: str, rotational: bool) -> Coordinate:
    limit = math.pi if rotational else 1.0
    return Coordinate(name, rotational, 0.0, (-limit, limit))


def _read_coordinate(element: Element, rotational: bool) -> Coordinate:
    limit = math.pi if rotational else 1.0
    low, high = element.numbers("range", 2, (-limit, limit))
    clamped = element.flag("clamped", False)
    if clamped and low > high:
        raise element.error(f"its <range> {low:g} {high:g} is empty")
    prescribed = None
    holder = element.find("prescribed_function")
    if element.flag("prescribed", False) and holder is not None and holder.children:
        prescribed = read_function(holder.children[0])
    return Coordinate(
        element.name,
        rotational,
        element.number("default_value", element.number("initial_value", 0.0)),
        (float(low), float(high)),
        clamped,
        element.flag("locked", False),
        prescribed,
    )


def _in_tree_order(joints: Sequence[tuple[Joint, Element]], bodies: Sequence[str], model: Element) -> tuple[Joint, ...]:
    """Joints from the ground outwards; every body must hang on exactly one."""
    by_child: dict[str, tuple[Joint, Element]] = {}
    for joint, element in joints:
        if joint.child.body in by_child:
            first = by_child[joint.child.body][0].name
            raise element.error(
                f"closes a loop: the body {joint.child.body!r} already hangs on the joint {first!r}; "
                "keep one of the two and couple the coordinates instead"
            )
        by_child[joint.child.body] = joint, element
    loose = [name for name in bodies if name not in by_child]
    if loose:
        raise model.error(
            f"no joint holds the bodies {', '.join(loose)}; give each a joint (a FreeJoint lets it float)"
        )
    ordered, placed, waiting = [], {GROUND}, list(by_child.values())
    while waiting:
        ready = [pair for pair in waiting if pair[0].parent.body in placed]
        if not ready:
            ring = ", ".join(joint.name for joint, _ in waiting)
            raise waiting[0][1].error(f"the joints {ring} form a cycle that does not reach the ground")
        ordered += [joint for joint, _ in ready]
        placed |= {joint.child.body for joint, _ in ready}
        waiting = [pair for pair in waiting if pair[0].child.body not in placed]
    return tuple(ordered)


def _read_couplings(model: Element, coordinates: dict[str, Coordinate], warnings: list[str]) -> tuple[Coupling, ...]:
    couplings: dict[str, Coupling] = {}
    where: dict[str, Element] = {}
    for element in [e for group in ("ConstraintSet", "components") for e in _members(model.find(group))]:
        if not element.tag.endswith("Constraint") or element.flag("isDisabled", False):
            continue
        if not element.flag("isEnforced", True):
            continue
        if element.tag != "CoordinateCouplerConstraint":
            warnings.append(f"line {element.line}: the constraint {element.name!r} ({element.tag}) is not enforced")
            continue
        coupling = _read_coupling(element, coordinates)
        if coupling.dependent in couplings:
            raise element.error(f"the coordinate {coupling.dependent!r} already follows another constraint")
        couplings[coupling.dependent], where[coupling.dependent] = coupling, element
    ordered: list[Coupling] = []
    while len(ordered) < len(couplings):
        done = {c.dependent for c in ordered}
        ready = [
            c
            for c in couplings.values()
            if c.dependent not in done and not set(c.independent) & (set(couplings) - done)
        ]
        ready.sort(key=lambda c: list(couplings).index(c.dependent))
        if not ready:
            left = next(name for name in couplings if name not in done)
            raise where[left].error("the couplings go round in a circle")
        ordered += ready
    return tuple(ordered)


def _read_coupling(element: Element, coordinates: dict[str, Coordinate]) -> Coupling:
    dependent, independent = element.string("dependent_coordinate_name"), element.words("independent_coordinate_names")
    _known(element, [dependent, *independent], coordinates)
    holder = element.find("coupled_coordinates_function")
    if holder is None or not holder.children:
        raise element.error("<coupled_coordinates_function> is missing or empty")
    function: Function = read_function(holder.children[0]).scaled(element.number("scale_factor", 1.0))
    if not independent or (function.arity and function.arity != len(independent)):
        raise element.error(f"its function takes {function.arity} coordinates, named are {len(independent)}")
    return Coupling(element.name, dependent, independent, function)


def _known(element: Element, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise element.error(f"there is no coordinate {', '.join(unknown)} in the model")


def _read_markers(model: Element, frames: Frames) -> tuple[Marker, ...]:
    markers: dict[str, Marker] = {}
    for element in _members(model.find("MarkerSet")) + _members(model.find("components")):
        if element.tag != "Marker":
            continue
        if element.name in markers:
            raise element.error("a second marker of that name")
        location = element.numbers("location", 3)
        if element.find("body") is not None:
            body = frames.body(element.string("body"), element)
        else:
            at = frames.find(element, f"/markerset/{element.name}", "socket_parent_frame", "socket_parent")
            body, location = at.body, at.R @ location + at.p
        markers[element.name] = Marker(element.name, body, location)
    return tuple(markers.values())


def with_markers(model: Model, markers: Iterable[Marker]) -> Model:
    """The model with other markers, such as those of a model with the same bodies.

    Raises:
        InputError: a marker sits on a body that the model lacks.
    """
    markers = tuple(markers)
    bodies = {GROUND, *(body.name for body in model.bodies)}
    lost = sorted({m.body for m in markers} - bodies)
    if lost:
        raise InputError(f"{model.file}: the markers need the bodies {', '.join(lost)}, which this model lacks")
    return dataclasses.replace(model, markers=markers)


__all__ = ["Placement", "read_osim", "rotation_xyz", "with_markers"]
