"""Frames of an .osim file: where a socket leads, reduced to a body and a fixed placement in it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import numpy as np

from marrow.geometry.rotations import rotation_x, rotation_y, rotation_z
from marrow.skeleton.osim.model import GROUND, Placement
from marrow.skeleton.osim.xml import Element
from marrow.types import Float64

_ORIGIN = (0.0, 0.0, 0.0)


def rotation_xyz(angles: Float64) -> Float64:
    """Rx(a) @ Ry(b) @ Rz(c) (3, 3) of body-fixed angles (3,), radians: the order of every <orientation>."""
    return rotation_x(angles[0]) @ rotation_y(angles[1]) @ rotation_z(angles[2])


def placement(body: str, element: Element, location: str, orientation: str) -> Placement:
    """The placement that two children of an element give; the body's own frame where both are missing."""
    angles = element.numbers(orientation, 3, _ORIGIN)
    return Placement(body, rotation_xyz(angles), element.numbers(location, 3, _ORIGIN))


class Frames:
    """Bodies and offset frames by their paths.

    Args:
        bodies: the <Body> elements without the ground.
        offsets: (path, <PhysicalOffsetFrame>) wherever they stand.
    """

    def __init__(self, bodies: Sequence[Element], offsets: Sequence[tuple[str, Element]]) -> None:
        self._bodies = {GROUND} | {element.name for element in bodies}
        self._offsets = dict(offsets)

    def body(self, name: str, element: Element) -> str:
        """A body's name, checked.

        Raises:
            InputError: the model has no such body.
        """
        if name not in self._bodies:
            raise element.error(f"there is no body {name!r}; the bodies are {', '.join(sorted(self._bodies))}")
        return name

    def find(self, element: Element, path: str, *tags: str) -> Placement:
        """Where a socket of an element at ``path`` leads.

        Raises:
            InputError: the socket is missing, leads nowhere, or in a circle.
        """
        return self._resolve(element, path, tags, 0)

    def _resolve(self, element: Element, path: str, tags: tuple[str, ...], depth: int) -> Placement:
        target = element.string(*tags)
        if depth > 20:
            raise element.error("its frame is placed in a frame that is placed in itself")
        key = self._offset_key(target, path)
        if key is None:
            name = posixpath.basename(posixpath.normpath(posixpath.join(path, target)))
            return Placement(self.body(name, element), np.eye(3), np.zeros(3))
        offset = self._offsets[key]
        inner = self._resolve(offset, key, ("socket_parent", "socket_parent_connectee_name"), depth + 1)
        own = placement(inner.body, offset, "translation", "orientation")
        return Placement(inner.body, inner.R @ own.R, inner.R @ own.p + inner.p)

    def _offset_key(self, target: str, path: str) -> str | None:
        """The offset frame that a socket's text means, seen from its owner; None where it means a body."""
        below = posixpath.normpath(posixpath.join(path, target))
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        for candidate in (below, beside):
            if candidate in self._offsets:
                return candidate
        last = posixpath.basename(below)
        if last in self._bodies:
            return None
        # Early versions of OpenSim 4 put the model's name before the path, or wrote the bare name.
        tail = "/" + target.lstrip("./")
        ends = [key for key in self._offsets if key.endswith(tail) or tail.endswith(key)]
        ends = ends or [key for key in self._offsets if posixpath.basename(key) == last]
        return ends[0] if len(ends) == 1 else None
