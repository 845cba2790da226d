"""OpenSim's joint classes as chains of elementary motions.

Every class is a chain of turns and shifts whose amounts are functions of the coordinates, so that one kernel serves all
of them. Three-axis joints are body-fixed X-Y-Z (OpenSim sets Simbody to Euler angles). Definitions: OpenSim's reference
of each class; Ellipsoid and Scapulothoracic: Seth et al. 2010 and 2016; the constant-curvature segment is an arc that
keeps its length (its end direction is that of the rotation X-Z-Y).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marrow.skeleton.osim.functions import ARC, ELLIPSOID, IDENTITY, Function, constant, read_function
from marrow.skeleton.osim.model import Motion
from marrow.skeleton.osim.xml import Element
from marrow.types import Float64

_X, _Y, _Z = np.eye(3)
#: What a coordinate of each built-in class is: r turns, t shifts.
KINDS = {
    "WeldJoint": "",
    "PinJoint": "r",
    "SliderJoint": "t",
    "UniversalJoint": "rr",
    "BallJoint": "rrr",
    "GimbalJoint": "rrr",
    "EllipsoidJoint": "rrr",
    "PlanarJoint": "rtt",
    "FreeJoint": "rrrttt",
    "ConstantCurvatureJoint": "rrr",
    "ScapulothoracicJoint": "rrrr",
}


def read_motions(element: Element, coordinates: tuple[str, ...]) -> tuple[Motion, ...]:
    """The elementary motions of a joint element.

    Args:
        coordinates: names of its coordinates, in the file's order.

    Raises:
        InputError: an unknown class, or a file that does not fit its class.
    """
    if element.tag == "CustomJoint":
        return _custom(element, coordinates)
    if element.tag not in _BUILD:
        known = ", ".join(["CustomJoint", *_BUILD])
        raise element.error(f"the joint class {element.tag} is not known; those read are {known}")
    expected = len(KINDS[element.tag])
    if len(coordinates) != expected:
        raise element.error(f"a {element.tag} has {expected} coordinates, got {len(coordinates)}")
    return _BUILD[element.tag](element, coordinates)


def rotational(element: Element, motions: tuple[Motion, ...], names: tuple[str, ...]) -> dict[str, bool]:
    """Whether files hold each coordinate as an angle, which OpenSim writes in degrees.

    In a CustomJoint the last axis decides that is the coordinate itself or its negative; a coordinate with no such axis
    is "coupled", neither angle nor length, and is never scaled.
    """
    if element.tag != "CustomJoint":
        turning = {name for motion in motions if motion.turns for name in motion.coordinates}
        return {name: name in turning for name in names}
    out = dict.fromkeys(names, False)
    for axis in _axes(element):
        used, function = axis.words("coordinates"), _function_element(axis)
        if len(used) == 1 and used[0] in out and (function is None or function.tag == "LinearFunction"):
            slope = 1.0 if function is None else float(function.numbers("coefficients", default=(1.0, 0.0))[0])
            if abs(slope) == 1.0:
                out[used[0]] = axis.name.startswith("rotation")
    return out


def _turn(axis: Float64, coordinate: str) -> Motion:
    return Motion(True, axis, IDENTITY, (coordinate,))


def _shift(axis: Float64, coordinate: str) -> Motion:
    return Motion(False, axis, IDENTITY, (coordinate,))


def _fixed_turn(axis: Float64, angle: float) -> Motion:
    return Motion(True, axis, constant(angle), ())


def _xyz(names: tuple[str, ...]) -> tuple[Motion, ...]:
    return tuple(_turn(axis, name) for axis, name in zip((_X, _Y, _Z), names, strict=True))


def _free(_: Element, q: tuple[str, ...]) -> tuple[Motion, ...]:
    return (*(_shift(axis, name) for axis, name in zip((_X, _Y, _Z), q[3:], strict=True)), *_xyz(q[:3]))


def _on_ellipsoid(radii: Float64, q: tuple[str, ...]) -> tuple[Motion, ...]:
    """Shift to the point of the ellipsoid whose normal is the z axis of the rotation X-Y-Z, and that rotation."""
    shifts = [
        Motion(False, axis, Function(ELLIPSOID, np.array([radius, float(i)]), 2), q[:2])
        for i, (axis, radius) in enumerate(zip((_X, _Y, _Z), radii, strict=True))
    ]
    return (*shifts, *_xyz(q))


def _ellipsoid(element: Element, q: tuple[str, ...]) -> tuple[Motion, ...]:
    return _on_ellipsoid(element.numbers("radii_x_y_z", 3), q)


def _scapulothoracic(element: Element, q: tuple[str, ...]) -> tuple[Motion, ...]:
    return scapulothoracic(
        element.numbers("thoracic_ellipsoid_radii_x_y_z", 3),
        element.numbers("scapula_winging_axis_origin", 2, (0.0, 0.0)),
        element.number("scapula_winging_axis_direction", 0.0),
        q,
    )


def scapulothoracic(radii: Float64, origin: Float64, direction: float, q: tuple[str, ...]) -> tuple[Motion, ...]:
    """Motions of a ScapulothoracicJoint: abduction, elevation, upward rotation on the thorax's ellipsoid, seen a
    quarter turn about z away; then winging about an axis in the scapula's plane.

    Args:
        radii: (3,) metres, along the axes of the parent's frame.
        origin: (2,) metres, a point of the winging axis in the scapula's plane.
        direction: radians, of that axis in that plane, counter-clockwise from its y axis.
        q: names of the four coordinates.
    """
    x, y, z = radii
    point = np.array([*origin, 0.0])
    return (
        _fixed_turn(_Z, np.pi / 2),
        *_on_ellipsoid(np.array([y, x, z]), q[:3]),
        _fixed_turn(_Z, -np.pi / 2),
        Motion(False, point, constant(1.0), ()),
        _turn(np.array([-np.sin(direction), np.cos(direction), 0.0]), q[3]),
        Motion(False, -point, constant(1.0), ()),
    )


def _constant_curvature(element: Element, q: tuple[str, ...]) -> tuple[Motion, ...]:
    neutral = element.numbers("neutral_angle_x_z_y", 3, (0.0, 0.0, 0.0))
    return constant_curvature(element.number("length", 1.0), neutral, q)


def constant_curvature(length: float, neutral: Float64, q: tuple[str, ...]) -> tuple[Motion, ...]:
    """Motions of a ConstantCurvatureJoint: along an arc of the length to its end, and the turn X-Z-Y there.

    Args:
        length: metres.
        neutral: (3,) radians, added to the coordinates.
        q: names of the three coordinates, about x, z and y.
    """
    shifts = [
        Motion(False, axis, Function(ARC, np.array([length, neutral[0], neutral[1], float(i)]), 2), q[:2])
        for i, axis in enumerate((_X, _Y, _Z))
    ]
    turns = []
    for axis, angle, name in zip((_X, _Z, _Y), neutral, q, strict=True):
        turns += [_fixed_turn(axis, float(angle)), _turn(axis, name)]
    return (*shifts, *turns)


_BUILD: dict[str, Callable[[Element, tuple[str, ...]], tuple[Motion, ...]]] = {
    "WeldJoint": lambda _, q: (),
    "PinJoint": lambda _, q: (_turn(_Z, q[0]),),
    "SliderJoint": lambda _, q: (_shift(_X, q[0]),),
    "UniversalJoint": lambda _, q: (_turn(_X, q[0]), _turn(_Y, q[1])),
    "BallJoint": lambda _, q: _xyz(q),
    "GimbalJoint": lambda _, q: _xyz(q),
    "PlanarJoint": lambda _, q: (_shift(_X, q[1]), _shift(_Y, q[2]), _turn(_Z, q[0])),
    "FreeJoint": _free,
    "EllipsoidJoint": _ellipsoid,
    "ConstantCurvatureJoint": _constant_curvature,
    "ScapulothoracicJoint": _scapulothoracic,
}


_AXES = tuple(f"{way}{i}" for way in ("rotation", "translation") for i in (1, 2, 3))


def _axes(element: Element) -> list[Element]:
    """The transform axes of a custom joint: three turns, then three shifts."""
    spatial = element.find("SpatialTransform")
    if spatial is None:
        raise element.error("<SpatialTransform> is missing")
    axes = {child.name: child for child in spatial if child.tag == "TransformAxis"}
    unknown = sorted(set(axes) - set(_AXES))
    if unknown:
        raise spatial.error(f"transform axes are named {', '.join(_AXES)}; got {', '.join(unknown)}")
    return [axes[name] for name in _AXES if name in axes]


def _custom(element: Element, coordinates: tuple[str, ...]) -> tuple[Motion, ...]:
    """Motions of a custom joint; the shifts come first, along axes of the parent's frame."""
    axes = _axes(element)
    ordered = sorted(axes, key=lambda axis: axis.name.startswith("rotation"))
    motions = [_axis(axis, coordinates) for axis in ordered]
    return tuple(motion for motion in motions if motion is not None)


def _axis(element: Element, coordinates: tuple[str, ...]) -> Motion | None:
    names = element.words("coordinates")
    unknown = [name for name in names if name not in coordinates]
    if unknown:
        raise element.error(f"{', '.join(unknown)} is not a coordinate of this joint ({', '.join(coordinates)})")
    inner = _function_element(element)
    function = read_function(inner) if inner is not None else IDENTITY if names else constant(0.0)
    if function.arity and len(names) != function.arity:
        raise element.error(f"its function takes {function.arity} coordinates, <coordinates> names {len(names)}")
    if function.constant == 0.0:
        return None
    axis = element.numbers("axis", 3)
    length = float(np.linalg.norm(axis))
    if length < 1e-12:
        raise element.error("<axis> has no direction")
    turns = element.name.startswith("rotation")
    return Motion(turns, axis / length, function, names if function.arity else ())


def _function_element(element: Element) -> Element | None:
    """The function of a transform axis: bare (OpenSim 4) or within <function> (3)."""
    wrapped = element.find("function")
    inner = [child for child in wrapped or element if child.tag not in ("coordinates", "axis")]
    return inner[0] if inner else None
