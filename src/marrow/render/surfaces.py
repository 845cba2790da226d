"""What there is to draw: coloured triangle surfaces, and several of them as one mesh.

Colours are linear reflectances of 0 to 1 (not sRGB), positions metres in the world, faces counter-clockwise from
outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float32

#: Kinds of :class:`Pattern`, in the order of the compiled kernels' numbers (0 is no pattern).
PATTERNS = ("stripes", "checks", "plaid", "dots", "noise", "camouflage", "print")


@dataclass(frozen=True)
class Pattern:
    """A second colour that takes turns with the surface's own by the place on the undeformed surface.

    ``stripes`` run across ``direction``; ``checks``, ``plaid`` and ``dots`` lie in the planes of ``direction`` and of
    the horizontal along the front or, on the sides, along the depth (as cloth is cut, with a seam between). ``noise``
    blends softly, ``camouflage`` in patches of both colours and a mixture, ``print`` is one figure on the front
    (towards +Z) of about ``size`` across.

    Attributes:
        kind: one of :data:`PATTERNS`.
        colour: linear RGB reflectance of the second colour.
        size: metres of one repeat (for ``noise`` and ``camouflage`` about that of a patch).
        direction: in the undeformed surface's axes; need not be of unit length.
        seed: of ``noise``, ``camouflage`` and ``print``.
    """

    kind: str
    colour: tuple[float, float, float]
    size: float
    direction: tuple[float, float, float] = (0.0, 1.0, 0.0)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Surface:
    """One coloured triangle mesh.

    Attributes:
        vertices: (V, 3) float32 metres in the world.
        faces: (F, 3) int32, counter-clockwise from outside.
        colour: (V, 3) float32 linear RGB reflectance; (3,) for one colour.
        pattern: changes the colour by ``place``.
        place: (V, 3) float32 undeformed positions, metres, for ``pattern``; None: the vertices themselves.
        texture: (h, w, 3) uint8 sRGB picture that multiplies the colour; needs ``uv``. It repeats beyond 0 to 1.
        uv: (V, 2) float32 texture coordinates, origin at the lower left.
        gloss: 0 (matt) to 1 (polished).
        two_sided: lit on both sides, as cloth is; otherwise the inside is not drawn.
        label: what it is, by the caller's list.
        owner: number of the person it belongs to, -1 for scenery.
        casts_shadow: False for what only receives shadows. A floor or a wall should not cast: the shadow maps then stay
            as narrow and sharp as the people.
        shadow_catcher: True for a floor or wall that the background picture shows already: it is not drawn, but darkens
            the background by the share of light that is kept from it.
    """

    vertices: Float32
    faces: NDArray[np.int32]
    colour: Float32
    pattern: Pattern | None = None
    place: Float32 | None = None
    texture: NDArray[np.uint8] | None = None
    uv: Float32 | None = None
    gloss: float = 0.1
    two_sided: bool = False
    label: int = 0
    owner: int = -1
    casts_shadow: bool = True
    shadow_catcher: bool = False


@dataclass(frozen=True, eq=False)
class Merged:
    """Several surfaces as one mesh; S surfaces, V vertices and F faces in all.

    Attributes:
        vertices: (V, 3) float32 metres in the world.
        faces: (F, 3) int32.
        surface: (F,) int16 number of each face's surface.
        first_vertex: (S + 1,) where each surface's vertices begin.
        first_face: (S + 1,) where each surface's faces begin.
        label: (S,) int32.
        owner: (S,) int32.
    """

    vertices: Float32
    faces: NDArray[np.int32]
    surface: NDArray[np.int16]
    first_vertex: NDArray[np.int64]
    first_face: NDArray[np.int64]
    label: NDArray[np.int32]
    owner: NDArray[np.int32]


def merged(surfaces: Sequence[Surface]) -> Merged:
    """All surfaces as one mesh, in their order.

    Raises:
        InputError: more than 32,767 surfaces, arrays of a wrong shape, vertices that are not finite, faces that name
            vertices which are not there, an unknown pattern, or a texture without coordinates.
    """
    if len(surfaces) > np.iinfo(np.int16).max:
        raise InputError(f"surfaces: {len(surfaces)} are too many; join what belongs together (at most 32767)")
    for number, surface in enumerate(surfaces):
        _check(surface, f"surface {number}")
    first_vertex = np.cumsum([0, *(len(s.vertices) for s in surfaces)])
    first_face = np.cumsum([0, *(len(s.faces) for s in surfaces)])
    vertices = np.zeros((first_vertex[-1], 3), np.float32)
    faces = np.zeros((first_face[-1], 3), np.int32)
    number = np.zeros(first_face[-1], np.int16)
    for s, surface in enumerate(surfaces):
        vertices[first_vertex[s] : first_vertex[s + 1]] = surface.vertices
        own = slice(first_face[s], first_face[s + 1])
        faces[own] = np.asarray(surface.faces) + first_vertex[s]
        number[own] = s
    return Merged(
        vertices,
        faces,
        number,
        first_vertex,
        first_face,
        np.array([s.label for s in surfaces], np.int32),
        np.array([s.owner for s in surfaces], np.int32),
    )


def _check(surface: Surface, name: str) -> None:
    vertices, faces = np.asarray(surface.vertices), np.asarray(surface.faces)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise InputError(f"{name}: expected vertices (V, 3) and faces (F, 3), got {vertices.shape} and {faces.shape}")
    count = len(vertices)
    if len(faces) and (faces.min() < 0 or faces.max() >= count):
        raise InputError(f"{name}: faces name vertices {faces.min()} to {faces.max()}, but there are {count}")
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices).all(1)).sum())
        raise InputError(f"{name}: {bad} of {count} vertices are not finite; leave the surface out or mend the pose")
    if np.shape(surface.colour) not in ((3,), (count, 3)):
        raise InputError(f"{name}: colour has shape {np.shape(surface.colour)}, expected ({count}, 3) or (3,)")
    if surface.place is not None and np.shape(surface.place) != (count, 3):
        raise InputError(f"{name}: place has shape {np.shape(surface.place)}, expected ({count}, 3)")
    if surface.texture is not None:
        texture = np.asarray(surface.texture)
        if texture.ndim != 3 or texture.shape[2] != 3 or texture.dtype != np.uint8 or not texture.size:
            raise InputError(
                f"{name}: the texture is {texture.shape} {texture.dtype}, expected an RGB picture (h, w, 3) of uint8"
            )
        if surface.uv is None or np.shape(surface.uv) != (count, 2):
            got = "none" if surface.uv is None else np.shape(surface.uv)
            raise InputError(f"{name}: a texture needs uv ({count}, 2), got {got}")
    pattern = surface.pattern
    if pattern is not None:
        if pattern.kind not in PATTERNS:
            raise InputError(f"{name}: no pattern {pattern.kind!r}; there are {', '.join(PATTERNS)}")
        if not pattern.size > 0 or not np.linalg.norm(pattern.direction) > 0:
            raise InputError(f"{name}: a pattern needs a size above 0 and a direction that is not zero, got {pattern}")
