"""Markers on the skin of the default body, as a motion laboratory sticks them on, each fixed to one segment.

Names are those of the Rajagopal 2016 and Lai-Uhlrich models where they have the marker (R or L, then the bony point),
and made in their manner where they have not; the points are :mod:`marrow.body.anatomy`'s, on the skin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from marrow.body.anatomy import skin_landmarks
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import Rest
    from marrow.skeleton import Skeleton

_MIDLINE = {
    "VERT": ("vertex", "head"),
    "SELL": ("sellion", "head"),
    "OCCI": ("occiput", "head"),
    "C7": ("c7", "torso"),
    "CLAV": ("suprasternal_notch", "torso"),
    "STRN": ("xiphoid", "torso"),
    "T8": ("t8", "torso"),
    "SACR": ("sacrum", "pelvis"),
}
_SIDED = {
    "TRAG": ("tragus", "head"),
    "ACR": ("acromion", "scapula"),
    "LEL": ("lateral_humeral_epicondyle", "humerus"),
    "MEL": ("medial_humeral_epicondyle", "humerus"),
    "FAulna": ("ulnar_styloid", "ulna"),
    "FAradius": ("radial_styloid", "radius"),
    "MCP2": ("metacarpal_head_2", "hand"),
    "MCP5": ("metacarpal_head_5", "hand"),
    "ASI": ("asis", "pelvis"),
    "PSI": ("psis", "pelvis"),
    "GTR": ("greater_trochanter", "femur"),
    "LFC": ("lateral_femoral_epicondyle", "femur"),
    "MFC": ("medial_femoral_epicondyle", "femur"),
    "TTB": ("tibial_tuberosity", "tibia"),
    "LMAL": ("lateral_malleolus", "tibia"),
    "MMAL": ("medial_malleolus", "tibia"),
    "CAL": ("calcaneus", "calcn"),
    "MT1": ("metatarsal_head_1", "calcn"),
    "MT2": ("metatarsal_head_2", "calcn"),
    "MT5": ("metatarsal_head_5", "calcn"),
    "HLX": ("toe_tip", "toes"),
}
_ONE = ("head", "torso", "pelvis")

#: Marker to the landmark it sits on and the segment it moves with.
MARKERS: Mapping[str, tuple[str, str]] = _MIDLINE | {
    f"{side.upper()}{name}": (f"{landmark}_{side}", body if body in _ONE else f"{body}_{side}")
    for name, (landmark, body) in _SIDED.items()
    for side in "rl"
}


def skin_markers(rest: Rest, skeleton: Skeleton) -> dict[str, tuple[str, Float64]]:
    """Marker to its segment and place (3,) in that segment's frame, metres.

    Args:
        rest: the body at rest.
        skeleton: ``Skeleton.inside(rest.landmarks)``.
    """
    points = skin_landmarks(rest)
    out: dict[str, tuple[str, Float64]] = {}
    for name, (landmark, body) in MARKERS.items():
        frame = skeleton.bind[skeleton.body_index(body)]
        out[name] = (body, np.asarray((points[landmark] - frame[:3, 3]) @ frame[:3, :3]))
    return out
