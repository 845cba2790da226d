"""Which distances between markers scale which body, when no setup file says so.

A body with a joint at either end is measured from the marker nearest to the one joint to the marker nearest to the
other, as in the usual setups (thigh: front of the pelvis to outer knee). Marker clusters in the middle of a segment sit
anywhere and measure nothing. A body that ends a chain, or bears several, is measured by its two markers furthest apart.
Left and right share the mean of both; a body without a measure takes the one of the nearest body that has one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from marrow.errors import InputError
from marrow.io.trc import MarkerData
from marrow.types import Float64

#: A marker measures a joint from within this part of the segment's length.
_NEAR = 0.5
#: Shorter distances carry too much of a marker's own misplacement, metres.
_SHORT = 0.12

Pair = tuple[str, str]


@dataclass(frozen=True)
class _Body:
    """A body with its joints at the model's default pose, in the ground's axes, metres."""

    name: str
    parent: str
    near: Float64
    ends: tuple[Float64, ...]
    children: tuple[str, ...]


def write_setup(path: str | Path, system: Any, static: MarkerData) -> None:
    """Write a ScaleTool file with measures found from the model's default pose.

    Args:
        path: ``.xml`` file to write; it names no model and no trial.
        system: ``opensim.Model`` with markers, its system built.
        static: the static trial.

    Raises:
        InputError: not one body can be measured.
    """
    bodies = _bodies(system)
    places = _places(system, static.names)
    if not places:
        markers = system.getMarkerSet()
        own = ", ".join(markers.get(k).getName() for k in range(min(4, markers.getSize())))
        raise InputError(
            f"model and static trial share no marker: the model has {own} …, the trial "
            f"{', '.join(static.names[:4])} …; give a marker set file with the trial's names"
        )
    pairs = {body.name: pair for body in bodies if (pair := _pair(body, bodies, places)) is not None}
    if not pairs:
        raise InputError(
            f"no two of the {len(places)} markers that model and static trial share lie near the ends of a body; give "
            "a setup file that says which markers measure what"
        )
    measures: dict[frozenset[Pair], list[str]] = {}
    for body in bodies:
        own = _nearest_measured(body, bodies, pairs)
        both = frozenset(pairs[name] for name in (own, _other_side(own)) if name in pairs)
        measures.setdefault(both, []).append(body.name)
    landmarks = {name for pair in pairs.values() for name in pair}
    ET.ElementTree(_document(measures, sorted(places), landmarks, static.time)).write(path, encoding="utf-8")


def _bodies(system: Any) -> list[_Body]:
    """The bodies, parents first."""
    state = system.initSystem()
    joints = [system.getJointSet().get(k) for k in range(system.getJointSet().getSize())]
    links = [
        (j.getParentFrame().findBaseFrame().getName(), j.getChildFrame().findBaseFrame().getName()) for j in joints
    ]
    origins = [j.getChildFrame().getPositionInGround(state).to_numpy() for j in joints]
    found: list[_Body] = []
    waiting = ["ground"]
    while waiting:
        parent = waiting.pop(0)
        for (above, name), origin in zip(links, origins, strict=True):
            if above == parent:
                below = [k for k, link in enumerate(links) if link[0] == name]
                ends = tuple(origins[k] for k in below)
                found.append(_Body(name, parent, origin, ends, tuple(links[k][1] for k in below)))
                waiting.append(name)
    return found


def _places(system: Any, names: Sequence[str]) -> dict[str, tuple[str, Float64]]:
    """Body and place (3,) in the ground of every marker that the trial has too."""
    state = system.getWorkingState()
    markers = system.getMarkerSet()
    found = {}
    for k in range(markers.getSize()):
        marker = markers.get(k)
        if marker.getName() in names:
            place = marker.getLocationInGround(state).to_numpy()
            found[marker.getName()] = (marker.getParentFrame().findBaseFrame().getName(), place)
    return found


def _pair(body: _Body, bodies: Sequence[_Body], places: dict[str, tuple[str, Float64]]) -> Pair | None:
    """The two markers that measure a body, or None."""
    if len(body.ends) == 1 and body.parent != "ground":
        far = body.ends[0]
        length = float(np.linalg.norm(far - body.near))
        above = _closest(places, {body.parent, body.name}, body.near, _NEAR * length)
        below = _closest(places, {body.name, *body.children}, far, _NEAR * length)
        if above and below and _distance(places, above, below) > max(_SHORT, _NEAR * length):
            return above, below
    own = sorted(name for name, (on, _) in places.items() if on == body.name)
    apart = max(combinations(own, 2), key=lambda pair: _distance(places, *pair), default=None)
    # Between two joints the widest pair of a body may be a cluster across it, and says nothing of its length.
    single = len(body.ends) == 1 and body.parent != "ground"
    return apart if apart and not single and _distance(places, *apart) > _SHORT else None


def _closest(places: dict[str, tuple[str, Float64]], on: set[str], point: Float64, within: float) -> str | None:
    distance = {name: float(np.linalg.norm(x - point)) for name, (body, x) in places.items() if body in on}
    best = min(distance, key=lambda name: distance[name], default=None)
    return best if best is not None and distance[best] <= within else None


def _distance(places: dict[str, tuple[str, Float64]], a: str, b: str) -> float:
    return float(np.linalg.norm(places[a][1] - places[b][1]))


def _nearest_measured(body: _Body, bodies: Sequence[_Body], pairs: dict[str, Pair]) -> str:
    """The body itself, else the nearest by joints that is measured."""
    # The next segment outwards comes first: ulna with radius, talus with the foot.
    links = {b.name: (*sorted(b.children), b.parent) for b in bodies}
    seen, ring = {body.name}, [body.name]
    while ring:
        for name in ring:
            if name in pairs or _other_side(name) in pairs:
                return name if name in pairs else _other_side(name)
        ring = [near for name in ring for near in links.get(name, ()) if near not in seen]
        seen.update(ring)
    return next(iter(pairs))


def _other_side(name: str) -> str:
    for a, b in (("_r", "_l"), ("_l", "_r")):
        if name.endswith(a):
            return name[: -len(a)] + b
    return name


def _document(
    measures: dict[frozenset[Pair], list[str]], markers: list[str], landmarks: set[str], time: Float64
) -> Any:
    root = ET.Element("OpenSimDocument", Version="40000")
    tool = ET.SubElement(root, "ScaleTool", name="marrow")
    ET.SubElement(tool, "mass").text = "-1"
    scaler = ET.SubElement(tool, "ModelScaler")
    span = f"{float(time[0])!r} {float(time[-1])!r}"
    for part in (scaler, placer := ET.SubElement(tool, "MarkerPlacer")):
        ET.SubElement(part, "apply").text = "true"
        ET.SubElement(part, "time_range").text = span
    ET.SubElement(scaler, "scaling_order").text = "measurements"
    ET.SubElement(scaler, "preserve_mass_distribution").text = "true"
    measured = ET.SubElement(ET.SubElement(scaler, "MeasurementSet", name="marrow"), "objects")
    for pairs, bodies in measures.items():
        one = ET.SubElement(measured, "Measurement", name=bodies[0])
        ET.SubElement(one, "apply").text = "true"
        inside = ET.SubElement(ET.SubElement(one, "MarkerPairSet"), "objects")
        for pair in sorted(pairs):
            ET.SubElement(ET.SubElement(inside, "MarkerPair"), "markers").text = " ".join(pair)
        inside = ET.SubElement(ET.SubElement(one, "BodyScaleSet"), "objects")
        for body in bodies:
            ET.SubElement(ET.SubElement(inside, "BodyScale", name=body), "axes").text = "X Y Z"
    tasks = ET.SubElement(ET.SubElement(placer, "IKTaskSet", name="marrow"), "objects")
    for name in markers:
        task = ET.SubElement(tasks, "IKMarkerTask", name=name)
        ET.SubElement(task, "apply").text = "true"
        # Landmarks were put on bones with care; what lies between them was not.
        ET.SubElement(task, "weight").text = "10" if name in landmarks else "1"
    return root
