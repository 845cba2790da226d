"""Colours of skin and eyes per vertex: tone, blotches, lips, nails, reddening, the shadow of cut hair."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody
from marrow.data.synth import _fast_cloth
from marrow.data.synth import hair as hairs
from marrow.data.synth._cloth_mesh import smoothstep
from marrow.data.synth._head import skin_marks
from marrow.data.synth.wardrobe import Hair, Skin
from marrow.types import Float32, Float64

#: Vertices of the left and the right eye's own meshes.
EYES = (slice(13574, 13646), slice(13646, 13718))


def skin_colours(body: DefaultBody, skin: Skin, hair: Hair) -> Float32:
    """(V, 3) linear reflectances."""
    maps = _maps(body)
    marks = skin_marks()
    tone = np.array(skin.colour)
    amounts = np.random.default_rng(skin.seed).normal(size=maps["noise"].shape[1]) / np.sqrt(maps["noise"].shape[1])
    shadow = skin.stubble * maps["beard"] if hair.beard == "none" else np.zeros_like(maps["beard"])
    if hair.style == "cropped":
        shadow = shadow.copy()
        at = maps["scalp"]
        cut = smoothstep(hairs.scalp(maps["place"][at], hair), -0.003, 0.006)
        shadow[at] = np.minimum(shadow[at] + 0.5 * cut * maps["head"][at], 0.8)
    out = np.empty((body.vertex_count, 3), np.float32)
    nail = np.minimum(tone * [1.12, 1.08, 1.1] + [0.03, 0.01, 0.015], 1)
    _fast_cloth.tint(
        maps["noise"], amounts, skin.blotch, maps["red"], skin.red, marks["lips"], np.array(skin.lips), marks["nails"],
        nail, marks["eyelids"], marks["mouth"], shadow, np.array(hair.colour), tone, out,
    )  # fmt: skip
    return out


@functools.cache
def _maps(body: DefaultBody) -> dict[str, Any]:
    rest = body.rest()
    v = rest.vertices.astype(np.float64)
    marks = skin_marks()
    at = rest.landmarks

    def spot(x: float, y: float, z: float, size: float) -> Float64:
        d = np.abs(v[:, :1]), v[:, 1:2], v[:, 2:]
        r = np.concatenate([d[0] - x, d[1] - y, d[2] - z], 1)
        return np.exp(-((r**2).sum(1)) / size**2)

    red = 0.9 * spot(0.040, 1.545, 0.045, 0.018) + 0.6 * spot(0.0, 1.545, 0.07, 0.012) + 0.6 * marks["ears"]
    for s in "rl":
        points = [at[f"{f}_{j}_{s}"] for f in ("index", "middle", "ring", "little") for j in ("mcp", "pip")]
        for p in points:
            red += 0.35 * np.exp(-(((v - p) ** 2).sum(1)) / 0.010**2)
        for name, size in (("knee", 0.055), ("elbow", 0.045)):
            red += 0.45 * np.exp(-(((v - at[f"{name}_{s}"]) ** 2).sum(1)) / size**2)
    rng = np.random.default_rng(11)
    noise = []
    for _ in range(24):
        k = rng.normal(size=3)
        k *= 2 * np.pi / (0.02 * 6 ** rng.uniform()) / np.linalg.norm(k)
        noise.append(np.sin(v @ k + rng.uniform(0, 6.3)) * 1.4)
    y, z = v[:, 1], v[:, 2]
    cheek = np.interp(z, [-0.03, -0.005, 0.03, 0.055, 0.075], [1.575, 1.552, 1.526, 1.530, 1.533])
    throat = np.interp(z, [-0.04, -0.01, 0.02, 0.04], [1.525, 1.492, 1.462, 1.452])
    beard = smoothstep(np.minimum(cheek - y, y - throat), -0.004, 0.008) * (z > -0.04) * (1 - marks["ears"])
    skull = np.zeros(len(v))
    skull[:13348] = 1 - marks["ears"][:13348]
    return {
        "red": np.clip(red, 0, 1), "noise": np.ascontiguousarray(np.array(noise).T), "beard": beard, "head": skull,
        "place": rest.vertices, "scalp": np.flatnonzero((v[:, 1] > 1.5) & (skull > 0)),
    }  # fmt: skip


@functools.lru_cache(maxsize=64)
def eye_texture(skin: Skin) -> NDArray[np.uint8]:
    """(64, 64, 3) sRGB picture of an eye seen from ahead: white, iris, pupil and a fixed glint."""
    white, inside, pattern, pupil, glint = _eye_masks()
    picture = white * (1 - inside) + inside * np.array(skin.eyes) * pattern
    picture = np.maximum(picture * (1 - 0.97 * pupil), glint)
    picture = np.where(picture <= 0.0031308, 12.92 * picture, 1.055 * np.maximum(picture, 1e-6) ** (1 / 2.4) - 0.055)
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


@functools.cache
def _eye_masks() -> tuple[Float64, ...]:
    """Colour of the white, the iris' place and lightness, the pupil, the glint: (64, 64, 3 or 1)."""
    y, x = (np.mgrid[:64, :64] + 0.5) / 32 - 1
    r = np.hypot(x, y)
    white = np.array([0.74, 0.70, 0.67]) * (1 - 0.25 * np.clip(r - 0.5, 0, 1))[..., None]
    pattern = 1 + 0.25 * np.sin(23 * np.arctan2(y, x)) * np.clip(r / 0.5, 0, 1)
    pattern = pattern * np.where(r > 0.42, 0.45, 1.0)
    glint = 0.9 * (np.hypot(x + 0.18, y + 0.2) < 0.09)
    return (
        white, smoothstep(-r, -0.52, -0.47)[..., None], pattern[..., None], smoothstep(-r, -0.22, -0.17)[..., None],
        glint[..., None],
    )  # fmt: skip


@functools.cache
def eye_coordinates(body: DefaultBody) -> tuple[Float32, Float32]:
    """(72, 2) texture coordinates of the left and of the right eye's vertices."""
    v = body.rest().vertices
    out = []
    for eye in EYES:
        p = v[eye]
        middle, half = 0.5 * (p.max(0) + p.min(0)), 0.5 * (p.max(0) - p.min(0))
        uv = 0.5 + 0.5 * (p - middle)[:, :2] / half[:2]
        behind = p[:, 2] < middle[2]
        uv[behind] = [0.02, 0.5]
        out.append(uv.astype(np.float32))
    return out[0], out[1]
