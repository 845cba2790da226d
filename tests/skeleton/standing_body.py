"""A made-up standing adult in an A-pose: segment lengths in fractions of stature (Drillis and Contini 1966), metres."""

from __future__ import annotations

import numpy as np

from marrow.geometry import rotations


def standing(stature: float = 1.70, arm_abduction: float = 0.7, elbow_bend: float = 0.15) -> dict[str, np.ndarray]:
    """Landmarks by name in marrow's world (left is +X), standing on the floor."""
    h = stature
    out = {
        "pelvis": [0, 0.56 * h, 0.01],
        "l5_s1": [0, 0.575 * h, -0.06],
        "t12_l1": [0, 0.68 * h, -0.06],
        "t8_body": [0, 0.74 * h, -0.06],
        "neck": [0, 0.83 * h, -0.03],
        "head": [0, 0.89 * h, 0.0],
        "head_top": [0, h, 0.0],
    }
    out = {name: np.array(x, float) for name, x in out.items()}
    for side, s in (("r", -1.0), ("l", 1.0)):
        points = {
            "hip": [0.048 * h, 0.53 * h, 0.0],
            "knee": [0.055 * h, 0.285 * h, 0.005],
            "ankle": [0.060 * h, 0.043 * h, -0.02],
            "subtalar": [0.058 * h, 0.025 * h, -0.03],
            "heel": [0.058 * h, 0.01, -0.06],
            "mtp": [0.068 * h, 0.015, 0.12],
            "toe_tip": [0.072 * h, 0.012, 0.18],
            "clavicle": [0.012 * h, 0.81 * h, 0.02],
            "acromioclavicular": [0.09 * h, 0.835 * h, -0.02],
            "shoulder": [0.105 * h, 0.81 * h, -0.02],
        }
        for name, x in points.items():
            out[f"{name}_{side}"] = np.array([s * x[0], x[1], x[2]])
        _arm(out, side, s, h, arm_abduction, elbow_bend)
    return out


def _arm(out: dict[str, np.ndarray], side: str, s: float, h: float, abduction: float, bend: float) -> None:
    turn = rotations.rotation_z(s * abduction)
    # the forearm bends forward, the palm looks at the thigh
    fore = turn @ rotations.rotation_x(-bend)
    out[f"elbow_{side}"] = out[f"shoulder_{side}"] + turn @ np.array([0, -0.172 * h, 0])
    wrist = out[f"elbow_{side}"] + fore @ np.array([0, -0.157 * h, 0])
    out[f"wrist_{side}"] = wrist

    def at(x: float, y: float, z: float) -> np.ndarray:
        return wrist + fore @ np.array([-s * x, -y, z])

    for finger, ahead in (("index", 0.03), ("middle", 0.008), ("ring", -0.012), ("little", -0.03)):
        for name, y, x in (("mcp", 0.085, 0.0), ("pip", 0.125, 0.008), ("dip", 0.148, 0.02), ("tip", 0.166, 0.034)):
            out[f"{finger}_{name}_{side}"] = at(x, y, ahead * (1 + y))
    out[f"hand_{side}"] = out[f"middle_mcp_{side}"]
    for name, x, y, z in (("cmc", 0.01, 0.02, 0.025), ("mcp", 0.03, 0.055, 0.05), ("ip", 0.042, 0.08, 0.06)):
        out[f"thumb_{name}_{side}"] = at(x, y, z)
    out[f"thumb_tip_{side}"] = at(0.052, 0.105, 0.065)
