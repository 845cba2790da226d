"""Results in the browser: bodies, bones, floor, camera and a timeline, served on this computer only."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Scene": "marrow.view.scene",
    "Skin": "marrow.view.scene",
    "ViewPerson": "marrow.view.scene",
    "open_viewer": "marrow.view.app",
    "scene_of": "marrow.view.loading",
    "show": "marrow.view.app",
    "write_html": "marrow.view.html",
}

__all__ = [*_HOME]

if TYPE_CHECKING:
    from marrow.view.app import open_viewer as open_viewer
    from marrow.view.app import show as show
    from marrow.view.html import write_html as write_html
    from marrow.view.loading import scene_of as scene_of
    from marrow.view.scene import Scene as Scene
    from marrow.view.scene import Skin as Skin
    from marrow.view.scene import ViewPerson as ViewPerson


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'marrow.view' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(importlib.import_module(_HOME[name]), name)
