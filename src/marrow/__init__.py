"""marrow: from a video of a person to a body, the skeleton inside it, joint angles and files.

Importing this package is cheap; each public name loads its module on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Capture": "marrow.results",
    "Camera": "marrow.types",
    "Keypoints": "marrow.types",
    "Motion": "marrow.types",
    "Person": "marrow.results",
    "Skeleton": "marrow.skeleton",
    "Track": "marrow.types",
    "camera_from_fov": "marrow.geometry.projection",
    "capture": "marrow.main_road",
    "convert": "marrow.conversion",
    "convert_joints": "marrow.conventions",
    "load_body": "marrow.body",
    "load_lifter": "marrow.lifters",
    "retarget": "marrow.retargeting",
}

__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from marrow.body import load_body as load_body
    from marrow.conventions import convert_joints as convert_joints
    from marrow.conversion import convert as convert
    from marrow.geometry.projection import camera_from_fov as camera_from_fov
    from marrow.lifters import load_lifter as load_lifter
    from marrow.main_road import capture as capture
    from marrow.results import Capture as Capture
    from marrow.results import Person as Person
    from marrow.retargeting import retarget as retarget
    from marrow.skeleton import Skeleton as Skeleton
    from marrow.types import Camera as Camera
    from marrow.types import Keypoints as Keypoints
    from marrow.types import Motion as Motion
    from marrow.types import Track as Track


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'marrow' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
