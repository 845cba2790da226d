"""How garments are cut: where each lies on the cloth mesh, how it hangs, and its trims.

Fields over the cloth mesh are positive where the garment is and measure about metres on the average body, so that the
lines where they are zero are the hems. They do not depend on the person: a cut is made once for its numbers and kept.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.data.synth._cloth_mesh import (
    ARM_BINS,
    LEG_BINS,
    TRUNK_BINS,
    TRUNK_BOTTOM,
    TRUNK_TOP,
    ClothMesh,
    cut_along,
    smoothstep,
)
from marrow.data.synth.wardrobe import Garment
from marrow.types import Float32, Float64

#: Cloth goes on this far beyond its hems while it is shaped, metres, so that hems hang like the rest.
_BEYOND = 0.05

Hang = tuple[Float64, Float64]


@dataclass(frozen=True, eq=False)
class Cut:
    """A piece of cloth cut from the cloth mesh.

    Attributes:
        kept: (k,) vertices of the cloth mesh.
        edge_from, edge_to, edge_share: (r,) the rim's vertices, on edges of the cloth mesh.
        faces: (F, 3) of the vertices [kept, rim, folded rim].
        colour: which of the garment's two colours.
        lift: metres it lies above the garment; 0 the garment itself, with its rim folded inward.
        rim: (p, 2) pieces of the rim, numbers among the rim's vertices.
        printed: whether it carries the garment's pattern or texture.
        place: (n, 3) on the average body, metres.
    """

    kept: NDArray[np.int64]
    edge_from: NDArray[np.int64]
    edge_to: NDArray[np.int64]
    edge_share: Float32
    faces: NDArray[np.int32]
    colour: int
    lift: float
    printed: bool
    rim: NDArray[np.int32]
    place: Float32

    def at(self, values: NDArray) -> NDArray:
        """(n, ...) of values (M, ...) on the cloth mesh."""
        t = self.edge_share.reshape(-1, *(1,) * (values.ndim - 1))
        rim = values[self.edge_from] * (1 - t) + values[self.edge_to] * t
        parts = [values[self.kept], rim] if self.lift else [values[self.kept], rim, rim]
        return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Shape:
    """A garment's cut and how it hangs, for all people.

    Attributes:
        field: (M,) metres inside the hem, float32.
        ids: vertices that are shaped; inside: the same as (M,) bool; covered: (M,) bool where the garment is.
        gap: (M,) least distance from the skin, metres.
        trunk, hips, legs, arms: ease and taper of the tubes' levels, metres; None where it lies on the body.
        between: vertices between the legs.
        smoothing: rounds; folds: metres; creases: (M,) where folds are, 0 to 1.
        hides: metres inside the hem beyond which nothing below is seen.
        cuts: pieces to draw.
    """

    field: Float32
    ids: NDArray[np.int64]
    inside: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    gap: Float32
    trunk: Hang | None
    hips: Hang | None
    legs: Hang | None
    arms: Hang | None
    between: NDArray[np.int64]
    smoothing: int
    folds: float
    creases: Float32
    hides: float
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, eq=False)
class _Fixed:
    """What all garments are made from: columns of the cloth mesh, one after the other in memory.

    Attributes:
        x, y, z: (M,) place on the average body, metres.
        leg, arm, of_leg, of_arm: (M,) the larger of the right and the left side's.
        soft_leg, soft_arm: (2, M) metres that are added to a limb's field where the limb fades; infinite off it.
        creased_leg, creased_arm: (M,) where folds of trousers and of sleeves are.
    """

    x: Float64
    y: Float64
    z: Float64
    leg: Float64
    arm: Float64
    of_leg: Float64
    of_arm: Float64
    soft_leg: Float64
    soft_arm: Float64
    creased_leg: Float64
    creased_arm: Float64


@functools.cache
def _fixed(mesh: ClothMesh) -> _Fixed:
    x, y, z = np.ascontiguousarray(mesh.place.astype(np.float64).T)
    leg, arm, of_leg, of_arm = (v.max(1) for v in (mesh.leg, mesh.arm, mesh.of_leg, mesh.of_arm))
    soft_leg, soft_arm = (
        np.where(share > 0.02, 0.6 * (1 - smoothstep(share, 0.02, 0.35)), np.inf)
        for share in (mesh.of_leg.T, mesh.of_arm.T)
    )
    knees = 0.35 + 0.9 * np.exp(-(((leg - 1.0) / 0.22) ** 2)) + 0.9 * np.exp(-(((leg - 1.9) / 0.2) ** 2))
    knees += 0.5 * np.exp(-(((leg - 0.1) / 0.2) ** 2))
    elbows = 0.45 + 0.9 * np.exp(-(((arm - 1.0) / 0.3) ** 2)) * (of_arm > 0.4)
    elbows += 0.7 * smoothstep(-y, -1.12, -0.95)
    return _Fixed(x, y, z, leg, arm, of_leg, of_arm, soft_leg, soft_arm, knees, elbows)


def shape_of(mesh: ClothMesh, garment: Garment) -> Shape:
    """The shape of a garment; kept for one of the same numbers that follows soon."""
    g = garment
    return _shape(mesh, g.kind, g.length, g.sleeve, g.fit, g.neck, g.open)


@functools.lru_cache(maxsize=16)  # about a megabyte each, and few are asked for twice
def _shape(mesh: ClothMesh, kind: str, length: float, sleeve: float, fit: float, neck: str, opened: bool) -> Shape:
    fixed = _fixed(mesh)
    x, y, z = fixed.x, fixed.y, fixed.z
    legs = hips = arms = trunk = None
    hides = 0.03
    smoothing = 5
    if kind in BOTTOMS:
        waist = 1.005 - 0.03 * (kind in ("jeans", "trousers"))
        field = np.minimum(waist - 0.15 * (z + 0.05) - y, _limb_field(mesh.leg, fixed.soft_leg, length, 0.40))
        gap = np.full(len(x), {"leggings": 0.0025, "under": 0.002, "socks": 0.002}.get(kind, 0.004))
        if kind not in ("leggings", "under"):
            slope = 0.16 - 0.15 * min(fit, 1.0)
            hips = _hang(TRUNK_BINS[0], 0.003, 0.003 + 0.004 * fit, 0.9 * _TRUNK_STEP)
            legs = _hang(LEG_BINS[0], 0.003 + 0.004 * fit, 0.004 + 0.012 * fit, slope * _LEG_STEP)
        else:
            smoothing = 3
        folds = 0.0025 + 0.005 * fit if legs is not None else 0.0
        creases = fixed.creased_leg
    elif kind == "socks":
        field = np.minimum(_limb_field(2.4 - mesh.leg, fixed.soft_leg, length, 0.40), (fixed.leg - 1.2) * 0.4)
        gap = np.full(len(x), 0.002)
        folds, creases, smoothing = 0.0, np.zeros(len(x)), 2
    elif kind in STRAPS:
        if kind == "straps":
            field = np.minimum(0.019 - np.abs(np.abs(x) - 0.088), y - 1.14 - 0.2 * (z < -0.05))
        else:
            a, b = np.array([-0.095, 1.42]), np.array([0.16, 0.90])
            n = np.array([(b - a)[1], -(b - a)[0]]) / np.linalg.norm(b - a)
            field = np.minimum(0.017 - np.abs((x - a[0]) * n[0] + (y - a[1]) * n[1]), y - 0.92)
        field = np.minimum(field, 2.0 * (0.5 - fixed.of_arm))
        gap = np.full(len(x), 0.005)
        folds, creases, smoothing = 0.0, np.zeros(len(x)), 4
        hides = 9.0
    else:
        hem = length
        field = np.minimum(y - hem - 0.1 * (z + 0.05), _neckline(mesh, neck))
        if kind in ("tank", "dress-tank"):
            field = np.minimum(field, 0.118 + 0.42 * np.maximum(1.405 - y, 0.0) - np.abs(x))
            field = np.minimum(field, 2.0 * (0.6 - fixed.of_arm))
        else:
            field = np.minimum(field, _limb_field(mesh.arm, fixed.soft_arm, sleeve, 0.26))
        if opened:
            width = 0.012 + 0.055 * smoothstep(1.42 - y, 0.0, 0.45) * (0.4 + fit)
            field = np.minimum(field, np.where(z > -0.05, np.abs(x) - width, 1.0))
            hides = 0.05
        thick = _THICK.get(kind, 0.0035)
        gap = np.full(len(x), thick)
        slope = 0.5 - 0.48 * min(fit, 1.0)
        trunk = _hang(TRUNK_BINS[0], thick, thick + 0.004 + 0.016 * fit, slope * _TRUNK_STEP)
        arms = _hang(
            ARM_BINS[0],
            thick + 0.002 * fit,
            thick + 0.010 * fit + (0.02 * fit if sleeve < 1 else 0),
            (0.16 - 0.12 * fit) * _ARM_STEP,
        )
        folds = 0.003 + 0.005 * fit
        creases = fixed.creased_arm
        if kind == "dress-tank" or kind == "dress":
            trunk = _hang(TRUNK_BINS[0], thick, thick + 0.004, 0.8 * _TRUNK_STEP)
    field = field.astype(np.float32)
    inside = field > -_BEYOND
    cuts = [_cut(mesh, field, 0, 0.0, True)]
    for trim, colour, lift, printed in _trims(mesh, kind, field, opened, neck):
        cuts.append(_cut(mesh, trim.astype(np.float32), colour, lift, printed))
    return Shape(
        field, np.flatnonzero(inside), inside, field > 0, gap.astype(np.float32), trunk, hips, legs, arms,
        np.flatnonzero(inside & (np.abs(x) < 0.05) & (y < 0.9) & (y > 0.66)), smoothing, folds,
        creases.astype(np.float32), hides, tuple(cuts),
    )  # fmt: skip


_THICK = {"jumper": 0.007, "hoodie": 0.008, "jacket": 0.010, "coat": 0.012, "shirt": 0.004}
STRAPS = ("straps", "strap")
BOTTOMS = ("trousers", "jeans", "shorts", "leggings", "under")
_TRUNK_STEP = (TRUNK_TOP - TRUNK_BOTTOM) / (TRUNK_BINS[0] - 1)
_LEG_STEP = (2.1 - 0.22) / (LEG_BINS[0] - 1) * 0.4
_ARM_STEP = (2.1 - 0.2) / (ARM_BINS[0] - 1) * 0.24


def _hang(levels: int, first: float, last: float, taper: float) -> Hang:
    return np.linspace(first, last, levels), np.full(levels, taper)


def _limb_field(along: Float64, soft: Float64, end: float, metres: float) -> Float64:
    """Metres to the end of a sleeve or leg at ``end`` along the limb (M, 2); large off the limbs."""
    right, left = (end - along.T) * metres + soft
    return np.minimum(np.minimum(right, left), 1.0)


@functools.cache
def _neckline(mesh: ClothMesh, neck: str) -> Float64:
    """Metres outside the hole for the neck."""
    x, y, z = _fixed(mesh).x, _fixed(mesh).y, _fixed(mesh).z
    if neck == "high":
        return np.where(y > 1.36, 1.468 + 0.35 * (0.0 - z) - y, 1.0) + 0.0
    low = {"crew": 0.0, "scoop": 0.035, "wide": 0.02, "v": 0.0, "collar": -0.012, "lapel": 0.02}[neck]
    wide = {"crew": 0.0, "scoop": 0.018, "wide": 0.03, "v": 0.0, "collar": -0.008, "lapel": 0.006}[neck]
    depth = 0.05 + (0.032 + low) * smoothstep(z, -0.08, 0.0)
    q = x / (0.072 + wide), np.minimum(y - 1.455, 0.0) / depth, (z + 0.035) / (0.078 + 0.5 * wide)
    r = np.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    field = (r - 1) * 0.075
    if neck == "v" or neck == "lapel":
        tip = 1.29 if neck == "v" else 1.22
        wedge = np.abs(x) - 0.33 * (y - tip) * (1.35 if neck == "lapel" else 1.0)
        field = np.minimum(field, np.where((z > -0.04) & (y > tip - 0.05), wedge * 0.9, 1.0))
    field = np.minimum(field, 1.462 - 0.5 * np.maximum(z + 0.03, 0.0) - y)
    return np.where(y < 1.1, 1.0, field)


def _trims(mesh: ClothMesh, kind: str, field: Float32, opened: bool, neck: str):
    """(field, colour, lift, printed) of bands and strips on a garment."""
    fixed = _fixed(mesh)
    x, y, z = fixed.x, fixed.y, fixed.z
    front = np.where(z > -0.03, 1.0, -1.0)
    if kind in ("jeans", "trousers", "shorts"):
        yield np.where(y > 0.88, np.minimum(field, 0.036 - field), -1.0), 1, 0.0022, False
    if kind in ("jumper", "hoodie", "jacket") and not opened:
        arm_end = fixed.of_arm > 0.5
        band = np.minimum(field + 0.0, (0.045 if kind != "jacket" else 0.03) - field)
        yield np.where(arm_end | (y < 1.1), band, -1.0), 1, 0.002, False
    if neck in ("crew", "scoop", "v", "wide") and kind in ("t-shirt", "long-sleeve", "jumper", "hoodie"):
        yield (
            np.where(y > 1.2, np.minimum(_neckline(mesh, neck), 0.016 - _neckline(mesh, neck)), -1.0),
            1,
            0.0015,
            False,
        )
    if kind in ("shirt", "jacket", "coat") and not opened:
        strip = (0.014 if kind == "shirt" else 0.008) - np.abs(x)
        yield np.where(front > 0, np.minimum(strip, field), -1.0), 0 if kind == "shirt" else 1, 0.002, False
    if neck in ("collar", "lapel") and kind in ("shirt", "jacket", "coat"):
        hole = _neckline(mesh, neck)
        band = np.minimum(np.minimum(field, hole), (0.030 if kind == "shirt" else 0.042) - hole)
        yield np.where(y > 1.2, band, -1.0), 0 if kind == "shirt" else 1, 0.006, False
    if kind == "hoodie":
        pocket = np.minimum(0.10 - 0.25 * np.maximum(y - 0.99, 0) - np.abs(x), np.minimum(y - 0.945, 1.075 - y))
        yield np.where(front > 0, pocket, -1.0), 0, 0.004, False


def _cut(mesh: ClothMesh, field: Float32, colour: int, lift: float, printed: bool) -> Cut:
    field = np.where(np.abs(field) < 1e-5, np.float32(1e-5), field)
    order, i, j, faces, rim = cut_along(field, mesh.faces, mesh.face_edges, mesh.edges)
    kept, on_rim = len(order), len(i)
    share = (field[i] / (field[i] - field[j])).astype(np.float32)
    at = mesh.place[i] + share[:, None] * (mesh.place[j] - mesh.place[i])
    place = np.concatenate([mesh.place[order], at] if lift else [mesh.place[order], at, at]).astype(np.float32)
    if not lift:
        p, q = rim.T
        fold_p, fold_q = p + on_rim, q + on_rim
        faces = np.concatenate([faces, np.stack([q, p, fold_p], 1), np.stack([q, fold_p, fold_q], 1)])
    return Cut(
        order, i, j, share, np.ascontiguousarray(faces, np.int32), colour, lift, printed, rim - np.int32(kept), place
    )
