"""Pictures of bodies: a mesh rasteriser with gathers, lit surfaces, visibility, overlays on video frames, silhouettes.

Derivatives: :mod:`marrow.render.differentiable`; exposure, noise, blur and files: :mod:`marrow.render.effects`.
"""

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
    "Light": "marrow.render.shading",
    "Picture": "marrow.render.shading",
    "Sky": "marrow.render.shading",
    "shade": "marrow.render.shading",
    "Merged": "marrow.render.surfaces",
    "Pattern": "marrow.render.surfaces",
    "Surface": "marrow.render.surfaces",
    "merged": "marrow.render.surfaces",
    "Guidance": "marrow.render.visibility",
    "amodal_mask": "marrow.render.visibility",
    "face_map": "marrow.render.visibility",
    "guidance": "marrow.render.visibility",
    "joints_visible": "marrow.render.visibility",
    "label_map": "marrow.render.visibility",
    "owner_map": "marrow.render.visibility",
    "visible": "marrow.render.visibility",
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
    from marrow.render.shading import Light as Light
    from marrow.render.shading import Picture as Picture
    from marrow.render.shading import Sky as Sky
    from marrow.render.shading import shade as shade
    from marrow.render.silhouette import person_masks as person_masks
    from marrow.render.silhouette import silhouette as silhouette
    from marrow.render.surfaces import Merged as Merged
    from marrow.render.surfaces import Pattern as Pattern
    from marrow.render.surfaces import Surface as Surface
    from marrow.render.surfaces import merged as merged
    from marrow.render.visibility import Guidance as Guidance
    from marrow.render.visibility import amodal_mask as amodal_mask
    from marrow.render.visibility import face_map as face_map
    from marrow.render.visibility import guidance as guidance
    from marrow.render.visibility import joints_visible as joints_visible
    from marrow.render.visibility import label_map as label_map
    from marrow.render.visibility import owner_map as owner_map
    from marrow.render.visibility import visible as visible


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'marrow.render' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(importlib.import_module(_HOME[name]), name)
