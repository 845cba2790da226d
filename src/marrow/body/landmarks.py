"""From a body at rest to the points the skeleton is placed by: the rig's bone heads where it has one, or skin points.

The bone heads are a graphics rig's (hips too far apart, ankles too high); anatomical regressions will replace them
here, behind the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.body.points import SKIN_POINTS

Float64 = NDArray[np.float64]

#: The bony point lies this far behind the skin over it, as a share of the distance between the hip centres.
ASIS_DEPTH = 0.06

_FINGERS = {"index": 2, "middle": 3, "ring": 4, "little": 5}

_CENTRE = {"neck": "neck01", "head": "head"}
_SIDED = {
    "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "clavicle": "clavicle", "shoulder": "upperarm01",
    "elbow": "lowerarm01", "wrist": "wrist", "hand": "finger3-1",
    "thumb_cmc": "finger1-1", "thumb_mcp": "finger1-2", "thumb_ip": "finger1-3",
    **{f"{f}_{j}": f"finger{n}-{k}" for f, n in _FINGERS.items() for j, k in (("mcp", 1), ("pip", 2), ("dip", 3))},
}  # fmt: skip
_SKIN = ("heel", "toe_tip", "asis", "thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip")

#: Vertices that :func:`landmarks` reads.
LANDMARK_VERTICES: tuple[int, ...] = tuple(
    sorted({v for name in (*(f"{n}_{s}" for n in _SKIN for s in "rl"), "head_top") for v in SKIN_POINTS[name]})
)


def landmarks(bones: Sequence[str], heads: Float64, skin: Mapping[int, Float64]) -> dict[str, Float64]:
    """Points of the bind pose, marrow's world, metres.

    Args:
        bones: the N bone names.
        heads: (N, 3) bone heads.
        skin: vertex id to (3,) position, at least :data:`LANDMARK_VERTICES`.
    Returns:
        name to (3,) float64. ``lumbar`` lies between the rig's spine04 and spine03, which puts it relative to the
        pelvis where the full-body model of Rajagopal et al. 2016 has its back joint (0.10 behind, 0.08 m above).
        ``pelvis`` is the midpoint of the two anterior superior iliac spines, the origin of OpenSim's
        pelvis: their skin points, moved back by the soft tissue (:data:`ASIS_DEPTH`). ``subtalar`` lies under the ankle
        centre, 40 % of the way down to the heel's sole. ``mtp`` is the mean of the roots of toes 1 and 5.
    """
    head = {name: heads[i] for i, name in enumerate(bones)}
    out: dict[str, Float64] = {name: head[bone].copy() for name, bone in _CENTRE.items()}
    out["head_top"] = np.mean([skin[v] for v in SKIN_POINTS["head_top"]], axis=0)
    out["lumbar"] = 0.5 * (head["spine04"] + head["spine03"])
    for side in "rl":
        suffix = "." + side.upper()
        for name, bone in _SIDED.items():
            out[f"{name}_{side}"] = head[bone + suffix].copy()
        for name in _SKIN:
            out[f"{name}_{side}"] = np.mean([skin[v] for v in SKIN_POINTS[f"{name}_{side}"]], axis=0)
        ankle, heel = out[f"ankle_{side}"], out[f"heel_{side}"]
        out[f"subtalar_{side}"] = np.array([ankle[0], ankle[1] + 0.4 * (heel[1] - ankle[1]), ankle[2]])
        out[f"mtp_{side}"] = 0.5 * (head[f"toe1-1{suffix}"] + head[f"toe5-1{suffix}"])
    out["pelvis"] = _pelvis(out)
    return out


def _pelvis(found: Mapping[str, Float64]) -> Float64:
    hips = float(np.linalg.norm(found["hip_r"] - found["hip_l"]))
    middle = 0.5 * (found["asis_r"] + found["asis_l"])
    return middle - np.array([0.0, 0.0, ASIS_DEPTH * hips])
