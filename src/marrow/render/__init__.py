"""Pictures of bodies: a mesh rasteriser with gathers, overlays on video frames, silhouettes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Raster": "marrow.render.mesh",
    "interpolate": "marrow.render.mesh",
    "mask": "marrow.render.mesh",
    "rasterize": "marrow.render.mesh",
    "vertex_normals": "marrow.render.mesh",
    "Figure": "marrow.render.overlay",
    "draw_people": "marrow.render.overlay",
    "person_masks": "marrow.render.silhouette",
    "silhouette": "marrow.render.silhouette",
}

__all__ = [*_HOME]

if TYPE_CHECKING:
    from marrow.render.mesh import Raster as Raster
    from marrow.render.mesh import interpolate as interpolate
    from marrow.render.mesh import mask as mask
    from marrow.render.mesh import rasterize as rasterize
    from marrow.render.mesh import vertex_normals as vertex_normals
    from marrow.render.overlay import Figure as Figure
    from marrow.render.overlay import draw_people as draw_people
    from marrow.render.silhouette import person_masks as person_masks
    from marrow.render.silhouette import silhouette as silhouette


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'marrow.render' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(importlib.import_module(_HOME[name]), name)
