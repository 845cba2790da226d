"""Pictures of lit surfaces: shadows, a sky, colours, textures and patterns, in linear light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.render.mesh import Raster
from marrow.render.surfaces import Surface
from marrow.types import Camera, Float32


@dataclass(frozen=True)
class Light:
    """A lamp or the sun.

    Attributes:
        direction: (3,) world, from the scene towards a light that is far away; of no account with ``position``.
        colour: linear RGB: a white matt surface that faces the light shines so brightly (1 is the picture's white). With
            ``position``, at a distance of one metre; it falls with the square of the distance.
        position: (3,) world, metres: a lamp there; None: far away.
        shadows: whether it casts shadows.
        softness: half the angle under which the light is seen, radians (the sun 0.0047, a window or an overcast sun 0.1):
            how fast the edges of shadows soften with the distance from what casts them.
    """

    direction: tuple[float, float, float] = (0.3, 1.0, 0.5)
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    position: tuple[float, float, float] | None = None
    shadows: bool = True
    softness: float = 0.03


@dataclass(frozen=True)
class Sky:
    """Light from everywhere: linear RGB from straight above and from straight below, blended between."""

    up: tuple[float, float, float] = (0.35, 0.38, 0.42)
    down: tuple[float, float, float] = (0.16, 0.15, 0.14)


@dataclass(frozen=True, eq=False)
class Picture:
    """A drawn picture and what each pixel of it sees.

    Attributes:
        image_linear: (H, W, 3) float32 linear RGB, on the background.
        coverage: (H, W) float32 part of the pixel that surfaces cover, 0 to 1.
        raster: at the pixel centres; ids are faces of ``merged(surfaces)``.
        surface: (H, W) int16 number of the surface seen at the pixel centre, -1 background.
    """

    image_linear: Float32
    coverage: Float32
    raster: Raster
    surface: NDArray[np.int16]


def shade(
    surfaces: Sequence[Surface],
    camera: Camera,
    lights: Sequence[Light] = (Light(),),
    sky: Sky = Sky(),
    background: Float32 | None = None,
    supersample: int = 2,
    *,
    threads: int = 1,
) -> Picture:
    """Draw lit surfaces; see the module's text.

    Args:
        background: (H, W, 3) float32 linear; None: black.
        supersample: samples of each pixel along a side.

    Raises:
        InputError: surfaces that cannot be drawn (see :func:`marrow.render.surfaces.merged`), a background of another
            size, a picture without pixels.
    """
    raise NotImplementedError
