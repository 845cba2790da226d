"""Garments as shells over the body: cut along clean lines, hung around limbs and trunk, carried by the pose.

A garment is made on the cloth mesh (:mod:`marrow.data.synth._cloth_mesh`) at rest: pushed outward to where cloth would
hang, smoothed, kept outside the skin and the garments below it, then cut at its hems. Skirts and coat tails are sheets
of rings (:mod:`marrow.data.synth.sheets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, Rest
from marrow.body.skinning import SkinWeights, skin
from marrow.data.synth import _fast_cloth
from marrow.data.synth._cloth_mesh import TRUNK_BINS, ClothMesh, Tube, cloth_mesh
from marrow.data.synth.cuts import Cut, Shape, shape_of
from marrow.data.synth.wardrobe import Garment
from marrow.types import Float32, Float64

#: How far a hem is folded inward, metres.
_FOLD = 0.006
#: Rounds of smoothing along hems.
_RIM_ROUNDS = 14
#: Least distance of a garment from the garment below it, metres.
_LAYER = 0.0035


@dataclass(frozen=True, eq=False)
class Shell:
    """One garment of a person at rest.

    Attributes:
        garment: what it is.
        shape: how it is cut.
        ids: (n,) vertices of the cloth mesh it is made of.
        points: (n, 3) float32 at rest.
        weights: of the skeleton's segments, of those vertices.
        gap: (M,) float32 metres it keeps from what is below.
        covered: (M,) bool, where it is.
        cuts: the drawn pieces: the garment, then its trims.
    """

    garment: Garment
    shape: Shape
    ids: NDArray[np.int64]
    points: Float32
    weights: SkinWeights
    gap: Float32
    covered: NDArray[np.bool_]
    cuts: tuple[Cut, ...]


def make_shells(
    body: DefaultBody, rest: Rest, garments: Sequence[Garment], normals: Float32
) -> tuple[list[Shell], Float32]:
    """Shells of garments, inner ones first, and where the outermost skin or cloth is (M, 3) at rest.

    Args:
        normals: (V, 3) of the skin at rest.
    """
    mesh = cloth_mesh(body)
    points = mesh.on(rest.vertices)
    normal = unit(mesh.on(normals))
    scale = float(rest.landmarks["head_top"][1]) / 1.7
    lines = _lines(rest)
    shells: list[Shell] = []
    base = points.copy()
    worn = np.zeros(len(points), bool)
    for garment in garments:
        shape = shape_of(mesh, garment)
        shell = _shell(mesh, garment, shape, base, normal, worn, lines, scale)
        shells.append(shell)
        base[shell.ids[shell.covered[shell.ids]]] = shell.points[shell.covered[shell.ids]]
        worn |= shell.covered
    return shells, base


def _shell(
    mesh: ClothMesh,
    garment: Garment,
    shape: Shape,
    base: Float32,
    normal: Float32,
    worn: NDArray[np.bool_],
    lines: dict[str, Float64],
    scale: float,
) -> Shell:
    ids = shape.ids
    gap, X = np.empty(len(base), np.float32), np.empty_like(base)
    _fast_cloth.lay(base, normal, worn, shape.gap, _LAYER, scale**0.5, gap, X)
    start = X.copy()
    for tube, line, hang in (
        (mesh.trunk, "trunk", shape.trunk),
        (mesh.hips, "trunk", shape.hips),
        (mesh.legs[0], "leg_r", shape.legs),
        (mesh.legs[1], "leg_l", shape.legs),
        (mesh.arms[0], "arm_r", shape.arms),
        (mesh.arms[1], "arm_l", shape.arms),
    ):
        if hang is not None:
            _hang(X, start, tube, lines[line], hang, scale)
    if shape.legs is not None:  # a leg's cloth stays on its own side
        between = shape.between
        X[between, 0] = np.where(mesh.place[between, 0] > 0, np.maximum(X[between, 0], 0), np.minimum(X[between, 0], 0))
    _fast_cloth.relax(X, ids, mesh.start, mesh.neighbour, shape.inside, base, normal, gap, shape.smoothing, 0.6)
    if shape.legs is not None:
        _fast_cloth.relax(X, between, mesh.start, mesh.neighbour, shape.inside, base, normal, gap, 7, 0.7)
    if shape.folds > 0:
        rng = np.random.default_rng(garment.seed)
        rows = rng.choice(np.arange(6, 24), 6, replace=False)
        amounts = rng.normal(size=6) / (1.0 + 0.35 * (rows // 6))
        _fast_cloth.fold(X, ids, base, normal, mesh.noise, rows, amounts, shape.creases, 0.55 * shape.folds * scale)
        _fast_cloth.relax(X, ids, mesh.start, mesh.neighbour, shape.inside, base, normal, gap, 1, 0.4)
    if shape.trunk is not None:  # hems stay level
        hung = mesh.trunk.ids
        level = mesh.trunk.share.astype(np.float32)
        X[hung, 1] += level * (start[hung, 1] - X[hung, 1])
    return Shell(garment, shape, ids, X[ids], mesh.weights.rows(ids), gap, shape.covered, shape.cuts)


def _hang(X: Float32, start: Float32, tube: Tube, line: Float64, hang: tuple[Float64, Float64], scale: float) -> None:
    n = len(tube.ids)
    axis, ahead = np.empty((n, 3)), np.empty((n, 3))
    if tube.bins == TRUNK_BINS:
        level = np.interp(tube.along, _TRUNK_Y, np.arange(len(_TRUNK_Y)))
    else:
        level = tube.along
    _fast_cloth.axis_points(level, line, axis)
    _fast_cloth.axis_points(level + 0.02, line, ahead)
    along = ahead - axis
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    grid = np.empty(tube.bins)
    ease, taper = hang
    _fast_cloth.drape(
        start, tube.ids, axis, along, tube.level, tube.angle, tube.share, ease * scale, taper * scale, X, grid
    )


#: Heights on the average body of the points of the trunk's line.
_TRUNK_Y = np.array([0.60, 0.80, 0.963, 1.158, 1.288, 1.443])


def _lines(rest: Rest) -> dict[str, Float64]:
    """Lines of joints: of the trunk (from below), of legs and arms."""
    marks = rest.landmarks
    low = 0.5 * (marks["hip_r"] + marks["hip_l"])
    knees = 0.5 * (marks["knee_r"] + marks["knee_l"])
    back = np.stack([marks["pelvis"], marks["t12_l1"], marks["t8_body"], marks["c7_body"]])
    share = (0.89 - 0.80) / (0.89 - 0.49)
    below = low + share * (knees - low)
    trunk = np.stack([low + (0.89 - 0.60) / 0.40 * (knees - low), below, *back])
    trunk[:, 0] = 0.0
    depth = float(marks["pelvis"][1]) / 0.963
    trunk[:, 2] = np.array([-0.05, -0.06, -0.055, -0.05, -0.05, -0.06]) * depth
    lines = {"trunk": trunk}
    for side in "rl":
        lines[f"leg_{side}"] = np.stack([marks[f"{j}_{side}"] for j in ("hip", "knee", "ankle")])
        lines[f"arm_{side}"] = np.stack([marks[f"{j}_{side}"] for j in ("shoulder", "elbow", "wrist")])
    return lines


def unit(v: Float32) -> Float32:
    """Vectors (n, 3) of length one."""
    v = np.array(v, np.float32)
    _fast_cloth.to_unit(v)
    return v


def pose_shells(
    mesh: ClothMesh, shells: Sequence[Shell], transforms: Float64, skin_points: Float32, normal: Float32, floor: float
) -> list[Float32]:
    """Points (M, 3) of each shell in a pose (only those of its ``ids``).

    Args:
        transforms: (B, 3, 4) what carries the rest to the pose, by segment.
        skin_points, normal: (M, 3) posed skin and its unit normals on the cloth mesh.
        floor: lowest height cloth may have, metres.
    """
    base = skin_points.copy()
    out = []
    for shell in shells:
        X = base.copy()
        X[shell.ids] = skin(shell.points, shell.weights, transforms[None])[0]
        _fast_cloth.push_out(X, shell.ids, base, normal, shell.gap, floor)
        _fast_cloth.relax(
            X, shell.ids, mesh.start, mesh.neighbour, shell.shape.inside, base, normal, shell.gap, 1, 0.35
        )
        out.append(X)
        chosen = shell.ids[shell.covered[shell.ids]]
        base[chosen] = X[chosen]
    return out


def drawn(cut: Cut, points: Float32, below: Float32, normal: Float32) -> Float32:
    """Vertices (n, 3) of a cut piece: kept ones, those on the rim, and the rim folded inward."""
    i, j, t = cut.edge_from, cut.edge_to, cut.edge_share
    kept = points[cut.kept]
    rim = points[i] + t[:, None] * (points[j] - points[i])
    _fast_cloth.smooth_rim(rim, cut.rim, _RIM_ROUNDS)
    if cut.lift:
        kept = kept + cut.lift * normal[cut.kept]
        rim = rim + cut.lift * normal[i]
        return np.concatenate([kept, rim]).astype(np.float32)
    inward = below[i] + t[:, None] * (below[j] - below[i]) - rim
    length = np.linalg.norm(inward, axis=1, keepdims=True)
    folded = rim + inward * np.minimum(_FOLD / np.maximum(length, 1e-6), 0.9)
    return np.concatenate([kept, rim, folded]).astype(np.float32)
