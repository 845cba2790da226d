"""What faces do: strengths of the body's face actions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Kind: actions (without Left, Right) and how strong they may become.
FACES: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.5, "eyeSquint": 0.3, "mouthDimple": 0.3},
    "laugh": {"mouthSmile": 1.0, "jawOpen": 0.45, "cheekSquint": 0.8, "eyeSquint": 0.5, "mouthUpperUp": 0.4},
    "talk": {"jawOpen": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
    "vowel": {"mouthFunnel": 0.6, "mouthPucker": 0.5, "jawOpen": 0.25},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.8, "eyeWide": 0.7, "jawOpen": 0.4},
    "anger": {"browDown": 0.9, "eyeSquint": 0.3, "noseSneer": 0.5, "mouthPress": 0.6},
    "sadness": {"browInnerUp": 0.8, "mouthFrown": 0.7, "mouthShrugLower": 0.4},
    "effort": {"eyeSquint": 0.7, "browDown": 0.5, "mouthStretch": 0.6, "mouthPress": 0.3},
    "eyes closed": {"eyeBlink": 1.0},
}
_KINDS = tuple(FACES)
_P = np.array([8, 5, 2, 5, 2, 1, 1, 1, 1, 1]) / 27
_WHOLE = ("browInnerUp", "jawOpen", "mouthFunnel", "mouthPucker", "mouthShrugLower")


def sample_expression(rng: np.random.Generator) -> dict[str, float]:
    """Face actions of the default body, name to strength in [0, 1]: an expression, a glance and sometimes a blink."""
    kind = _KINDS[int(rng.choice(len(_KINDS), p=_P))]
    how = rng.uniform(0.3, 1.0)
    out: dict[str, float] = {}
    for action, most in FACES[kind].items():
        strength = most * (1.0 if kind == "eyes closed" else how * rng.uniform(0.7, 1.0))
        if action in _WHOLE:
            out[action] = strength
        else:  # no face is quite symmetric
            for side in ("Left", "Right"):
                out[action + side] = min(strength * (1.0 if kind == "eyes closed" else rng.uniform(0.85, 1.15)), 1.0)
    across, up = (float(v) for v in np.clip(rng.normal(0.0, 0.25, 2), -0.8, 0.8))
    left, right = ("Out", "In") if across > 0.0 else ("In", "Out")
    out |= {f"eyeLook{left}Left": abs(across), f"eyeLook{right}Right": abs(across)}
    out |= {f"eyeLook{'Up' if up > 0.0 else 'Down'}{side}": abs(up) for side in ("Left", "Right")}
    if kind != "eyes closed" and rng.random() < 0.06:
        out |= dict.fromkeys(("eyeBlinkLeft", "eyeBlinkRight"), float(rng.uniform(0.3, 1.0)))
    return {name: float(value) for name, value in out.items()}
