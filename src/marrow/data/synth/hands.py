"""What hands do: shapes of the fingers with the couplings that tendons impose.

The last joint of a finger bends with the one before it (about two thirds of it, as when a hand closes); ring and little
finger share a muscle and differ little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from marrow.data.synth.articulation import AT, HIGH, LOW
from marrow.skeleton.definition import FINGERS
from marrow.types import Float64

#: Kind: degrees of the knuckle and of the middle joint of index, middle, ring and little finger; spread; thumb:
#: metacarpal flexion and abduction, proximal and distal flexion.
HANDS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...], float, tuple[float, ...]]] = {
    "relaxed": ((20, 24, 27, 28), (26, 30, 34, 36), 2, (-28, 22, 10, 15)),
    "flat": ((0, 0, 0, 0), (2, 2, 2, 2), 1, (-35, 10, 0, 0)),
    "open": ((2, 2, 2, 2), (6, 6, 6, 6), 12, (-50, 35, 0, 0)),
    "fist": ((78, 82, 84, 86), (92, 95, 95, 92), 0, (-12, 48, 35, 45)),
    "point": ((5, 80, 82, 84), (4, 92, 94, 92), 0, (-12, 48, 35, 45)),
    "thumb up": ((74, 78, 80, 82), (88, 92, 92, 90), 0, (-62, 10, 0, -5)),
    "two": ((4, 4, 78, 80), (4, 4, 90, 88), 8, (-10, 50, 40, 45)),
    "hook": ((15, 15, 15, 15), (75, 78, 78, 75), 1, (-35, 20, 10, 15)),
    "rod": ((52, 56, 60, 64), (58, 62, 62, 58), 1, (-18, 55, 25, 30)),
    "cup": ((32, 36, 40, 44), (38, 42, 44, 44), 3, (-28, 58, 12, 20)),
    "pinch": ((48, 30, 28, 28), (42, 32, 32, 34), 3, (-18, 58, 20, 25)),
}
#: How often each comes.
SHARES = {
    "relaxed": 10, "flat": 3, "open": 3, "fist": 3, "point": 2, "thumb up": 1, "two": 1, "hook": 1, "rod": 2, "cup": 2,
    "pinch": 2,
}  # fmt: skip
_KINDS = tuple(SHARES)
_P = np.array(list(SHARES.values()), float) / sum(SHARES.values())


def hand_kind(rng: np.random.Generator) -> str:
    """A kind of :data:`HANDS`, as often as :data:`SHARES` says."""
    return _KINDS[int(rng.choice(len(_KINDS), p=_P))]


def hand(rng: np.random.Generator, side: str, kind: str | None = None) -> dict[int, float]:
    """Finger coordinates (index in ``articulation.NAMES`` to radians) of one hand (``"r"`` or ``"l"``).

    ``kind`` is one of :data:`HANDS`; drawn by :data:`SHARES` where it is not given.
    """
    knuckles, middles, spread, thumb = HANDS[kind or hand_kind(rng)]
    out: dict[str, float] = {}
    loose = rng.normal(1.0, 0.12)
    noise = rng.normal(size=(4, 3))
    noise[3] = 0.7 * noise[2] + 0.4 * noise[3]
    away = {"index": 1.0, "middle": 0.0, "ring": 0.8, "little": 1.5}
    for finger, knuckle, middle, own in zip(FINGERS, knuckles, middles, noise, strict=True):
        bend = middle * loose + 4.0 * own[1]
        out[f"{finger}_mcp_flex"] = knuckle * loose + 4.0 * own[0]
        out[f"{finger}_mcp_abd"] = away[finger] * spread + 1.5 * own[2]
        out[f"{finger}_pip_flex"] = bend
        out[f"{finger}_dip_flex"] = max(bend, 0.0) * 0.66
    names = ("thumb_cmc_flex", "thumb_cmc_abd", "thumb_mcp_flex", "thumb_ip_flex")
    out |= dict(zip(names, np.array(thumb) + 4.0 * rng.normal(size=4), strict=True))
    rows = {AT[f"{name}_{side}"]: np.radians(value) for name, value in out.items()}
    return {i: float(min(max(v, LOW[i]), HIGH[i])) for i, v in rows.items()}


def set_hand(q: Float64, own: Mapping[int, float]) -> None:
    """Write a hand into poses (..., D)."""
    for i, value in own.items():
        q[..., i] = value
