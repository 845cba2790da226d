"""From a body at rest to the points the skeleton is placed by: the rig's bone heads where it has one, or skin points.

The bone heads are a graphics rig's (hips too far apart, ankles too high); anatomical regressions will replace them
here, behind the same names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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

_SIDES = ("r", "l")

_BONE_NAMES = tuple(_CENTRE) + tuple(f"{name}_{s}" for s in _SIDES for name in _SIDED)
_BONES = tuple(_CENTRE.values()) + tuple(f"{bone}.{s.upper()}" for s in _SIDES for bone in _SIDED.values())
_SKIN_NAMES = ("head_top", *(f"{name}_{s}" for s in _SIDES for name in _SKIN))

#: Vertices that :class:`Landmarks` reads.
LANDMARK_VERTICES: tuple[int, ...] = tuple(sorted({v for name in _SKIN_NAMES for v in SKIN_POINTS[name]}))


class Landmarks:
    """Reads the landmarks off bone heads and skin; made once per list of bones.

    ``pelvis`` is the midpoint of the two anterior superior iliac spines, the origin of OpenSim's pelvis: their skin
    points, moved back by the soft tissue (:data:`ASIS_DEPTH`). ``lumbar`` lies between the rig's spine04 and spine03,
    which puts it relative to the pelvis where Rajagopal et al. 2016 have their back joint (0.10 m behind, 0.08 m
    above). ``subtalar`` lies under the ankle centre, 40 % of the way down to the height of the heel's hindmost point.
    ``mtp`` is the midpoint of the roots of toes 1 and 5. The others are bone heads or skin points of the same place.
    """

    def __init__(self, bones: Sequence[str]) -> None:
        index = {name: i for i, name in enumerate(bones)}
        self._bones = np.array([index[bone] for bone in _BONES])
        self._spine = np.array([index["spine04"], index["spine03"]])
        self._toes = np.array([[index[f"toe{k}-1.{s.upper()}"] for k in (1, 5)] for s in _SIDES])
        self._mean = np.zeros((len(_SKIN_NAMES), len(LANDMARK_VERTICES)))
        for row, name in zip(self._mean, _SKIN_NAMES, strict=True):
            for vertex in SKIN_POINTS[name]:
                row[LANDMARK_VERTICES.index(vertex)] += 1.0 / len(SKIN_POINTS[name])

    def __call__(self, heads: Float64, skin: Float64) -> dict[str, Float64]:
        """Points of the bind pose: name to (3,) float64, marrow's world, metres.

        Args:
            heads: (N, 3) bone heads.
            skin: (L, 3) positions of :data:`LANDMARK_VERTICES`.
        """
        out: dict[str, Float64] = dict(zip(_BONE_NAMES, heads[self._bones], strict=True))
        out |= dict(zip(_SKIN_NAMES, self._mean @ skin, strict=True))
        out["lumbar"] = heads[self._spine].mean(0)
        toes = heads[self._toes].mean(1)
        for side, toe in zip(_SIDES, toes, strict=True):
            subtalar = out[f"ankle_{side}"].copy()
            subtalar[1] += 0.4 * (out[f"heel_{side}"][1] - subtalar[1])
            out[f"subtalar_{side}"], out[f"mtp_{side}"] = subtalar, toe
        hips = out["hip_r"] - out["hip_l"]
        out["pelvis"] = 0.5 * (out["asis_r"] + out["asis_l"])
        out["pelvis"][2] -= ASIS_DEPTH * math.sqrt(hips @ hips)
        return out
