"""Small OpenSim models whose sizes and moments are known, and their markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import opensim

from marrow.io.trc import MarkerData

opensim.Logger.setLevelString("Error")

GRAVITY = 9.80665
MASS, ARM, INERTIA = 2.0, 0.5, 0.1

#: Two-legged toy: body, parent, place of its joint in the parent, markers in the body.
LEGS = {
    "pelvis": ("ground", (0, 1.0, 0), {"R.ASIS": (0.02, 0.05, 0.12), "L.ASIS": (0.02, 0.05, -0.12)}),
    "femur_r": ("pelvis", (0, 0, 0.08), {"R.Knee": (0, -0.42, 0.05), "R.Thigh": (0.05, -0.2, 0.05)}),
    "tibia_r": ("femur_r", (0, -0.42, 0), {"R.Ankle": (0, -0.40, 0.04), "R.Shank": (0.05, -0.2, 0.03)}),
    "foot_r": ("tibia_r", (0, -0.40, 0), {"R.Heel": (-0.06, -0.03, 0), "R.Toe": (0.18, -0.03, 0)}),
    "femur_l": ("pelvis", (0, 0, -0.08), {"L.Knee": (0, -0.42, -0.05), "L.Thigh": (0.05, -0.2, -0.05)}),
    "tibia_l": ("femur_l", (0, -0.42, 0), {"L.Ankle": (0, -0.40, -0.04), "L.Shank": (0.05, -0.2, -0.03)}),
    "foot_l": ("tibia_l", (0, -0.40, 0), {"L.Heel": (-0.06, -0.03, 0), "L.Toe": (0.18, -0.03, 0)}),
}


def pendulum(path: Path) -> Path:
    """A body that hangs from the ground on a pin about Z; its coordinate is ``swing``."""
    model = opensim.Model()
    model.setName("pendulum")
    model.setGravity(opensim.Vec3(0, -GRAVITY, 0))
    body = opensim.Body("bob", MASS, opensim.Vec3(0, -ARM, 0), opensim.Inertia(0.1, 0.1, INERTIA, 0, 0, 0))
    model.addBody(body)
    joint = opensim.PinJoint("hinge", model.getGround(), body)
    joint.updCoordinate().setName("swing")
    model.addJoint(joint)
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def legs(path: Path) -> Path:
    """Pelvis and two legs of pins about Z, standing, with markers."""
    model = opensim.Model()
    model.setName("legs")
    bodies = {"ground": model.getGround()}
    zero, inertia = opensim.Vec3(0), opensim.Inertia(0.05, 0.05, 0.05, 0, 0, 0)
    for name, (parent, place, markers) in LEGS.items():
        body = opensim.Body(name, 5.0, zero, inertia)
        model.addBody(body)
        bodies[name] = body
        at = opensim.Vec3(*(float(v) for v in place))
        if parent == "ground":
            joint = opensim.FreeJoint("root", bodies[parent], at, zero, body, zero, zero)
        else:
            joint = opensim.PinJoint(f"{name}_joint", bodies[parent], at, zero, body, zero, zero)
            joint.updCoordinate().setName(f"{name}_angle")
        model.addJoint(joint)
        for marker, point in markers.items():
            model.addMarker(opensim.Marker(marker, body, opensim.Vec3(*(float(v) for v in point))))
    model.finalizeConnections()
    model.printToXML(str(path))
    return path


def standing(factors: dict[str, float], *, units: str = "mm", seed: int = 0, noise_m: float = 0.0) -> MarkerData:
    """The markers of somebody whose bodies have these sizes (``femur`` stands for both sides), standing for 1 s."""
    origins, places = {"ground": np.zeros(3)}, {}
    for name, (parent, place, markers) in LEGS.items():
        parent_factor = factors.get(parent.split("_")[0], 1.0) if parent != "ground" else 1.0
        origins[name] = origins[parent] + parent_factor * np.array(place, float)
        for marker, point in markers.items():
            places[marker] = origins[name] + factors.get(name.split("_")[0], 1.0) * np.array(point, float)
    time = np.arange(51) / 50
    xyz = np.stack(list(places.values()))[None] + np.random.default_rng(seed).normal(0, 1, (51, 14, 3)) * noise_m
    return MarkerData(tuple(places), time, xyz, 50.0, units)
