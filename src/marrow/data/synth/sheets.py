"""Skirts, the lower parts of dresses and the tails of coats: rings of points that hang from the waist.

At rest the rings widen from the hips downward; in a pose they start where pelvis and thighs carry them, and then hang
for some steps of position-based dynamics, kept out of the legs. No random numbers: the same pose gives the same cloth.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import Rest
from marrow.body.skinning import SkinWeights, skin
from marrow.data.synth import _fast_cloth
from marrow.data.synth._cloth_mesh import ClothMesh, smoothstep
from marrow.data.synth.wardrobe import Garment
from marrow.types import Float32, Float64

_ANGLES = 40
#: Metres between rings on an adult.
_STEP = 0.045
#: Steps of the dynamics, and what gravity moves in one (metres), and the share of the way back at the hem.
_ROUNDS, _GRAVITY, _MEMORY = 30, 0.006, 0.02


@dataclass(frozen=True, eq=False)
class Sheet:
    """A hanging sheet at rest.

    Attributes:
        garment: what it is.
        points: (L, A, 3) rest, metres.
        closed: whether the rings are.
        weights: of the segments that carry each point.
        down, round: (L, A) lengths to the point above and to the next of the ring.
        place: (n, 3) float32 for patterns; faces: (F, 3), of the finer mesh that is drawn.
        capsules: (C, 2) points and (C, 2) radii: legs, and the hips.
    """

    garment: Garment
    points: Float64
    closed: bool
    weights: SkinWeights
    down: Float64
    round: Float64
    place: Float32
    faces: NDArray[np.int32]
    radii: Float64


def make_sheet(mesh: ClothMesh, rest: Rest, garment: Garment, outer: Float32, top: float) -> Sheet:
    """A sheet around what is worn.

    Args:
        outer: (M, 3) outermost skin or cloth at rest.
        top: height of the first ring on the average body, metres.
    """
    scale = float(rest.landmarks["head_top"][1]) / 1.7
    closed = not garment.open
    opening = 0.0 if closed else 0.16
    angle = opening + np.arange(_ANGLES) / (_ANGLES if closed else _ANGLES - 1) * (2 * np.pi - 2 * opening)
    tube = mesh.trunk
    height = np.interp(top, [0.80, 1.158], [0.0, 1.0])
    marks = rest.landmarks
    crotch = outer[tube.ids[np.abs(tube.along - 0.80) < 0.02], 1].mean()
    y0 = crotch + height * (marks["t12_l1"][1] - crotch)
    ankle, knee, hip = (0.5 * (marks[f"{j}_r"] + marks[f"{j}_l"]) for j in ("ankle", "knee", "hip"))
    y1 = float(np.interp(garment.length, [0, 1, 2], [hip[1], knee[1], ankle[1]]))
    levels = max(round(float(y0 - y1) / (_STEP * scale)), 4) + 1
    y = np.linspace(y0, y1, levels)
    centre = np.array([0.0, -0.05 * scale])
    near = tube.ids[tube.share > 0.3]
    d = outer[near][:, [0, 2]] - centre
    r, a, h = np.linalg.norm(d, axis=1), np.arctan2(d[:, 0], d[:, 1]) % (2 * np.pi), outer[near, 1]
    row = np.round((y0 - h) / (y[0] - y[1])).astype(int)
    column = np.round((a - angle[0]) / (angle[1] - angle[0])).astype(int) % _ANGLES
    there = (row >= 0) & (row < levels)
    radius = np.zeros((levels, _ANGLES))
    np.maximum.at(radius, (row[there], column[there]), r[there])
    total, count = np.zeros(_ANGLES), np.zeros(_ANGLES)
    first = np.abs(h - y0) < 0.02 * scale
    np.add.at(total, column[first], r[first])
    np.add.at(count, column[first], 1.0)
    for _ in range(2):
        radius = np.maximum(radius, np.maximum(np.roll(radius, 1, 1), np.roll(radius, -1, 1)))
    flare = 0.05 + 0.5 * garment.fit
    ease = 0.004 * scale
    step = float(y[0] - y[1])
    radius[0] = np.where(count > 0, total / np.maximum(count, 1), radius[0])
    radius[0] = _round_smooth(np.where(radius[0] > 0, radius[0], radius[0].max()), closed) + 0.003 * scale
    for level in range(1, levels):
        wider = radius[level - 1] + flare * step * smoothstep(np.array(level / levels), -0.3, 0.4)
        radius[level] = np.maximum(_round_smooth(radius[level] + ease, closed), wider - 0.0)
    rng = np.random.default_rng(garment.seed)
    waves = int(rng.integers(7, 12))
    depth = np.linspace(0, 1, levels)[:, None] ** 1.3 * (0.004 + 0.03 * garment.fit) * scale
    radius += depth * np.sin(waves * angle + rng.uniform(0, 6) + 0.8 * np.sin(2 * angle + rng.uniform(0, 6)))
    points = np.stack(
        [radius * np.sin(angle), np.repeat(y[:, None], _ANGLES, 1), centre[1] + radius * np.cos(angle)], -1
    )
    down = np.zeros((levels, _ANGLES))
    down[1:] = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    around = np.linalg.norm(np.roll(points, -1, 1) - points, axis=-1)
    legs = smoothstep(y0 - y, 0.05 * scale, 0.28 * scale)[:, None]
    left = smoothstep(points[..., 0], -0.09 * scale, 0.09 * scale)
    names = rest.skeleton
    carry = _carriers(mesh, outer, near, points, len(names.bodies))
    carry *= (1 - 0.9 * legs)[..., None]
    shin = smoothstep(knee[1] - y, -0.15 * scale, 0.15 * scale)[:, None]
    for side, share in (("r", 1 - left), ("l", left)):
        carry[..., names.body_index(f"femur_{side}")] += 0.9 * legs * share * (1 - shin)
        carry[..., names.body_index(f"tibia_{side}")] += 0.9 * legs * share * shin
    weights = SkinWeights.of(carry.reshape(-1, carry.shape[-1]), "carriers of a sheet")
    fine = _finer(points, closed).reshape(-1, 3)
    place = fine.copy()
    place /= scale
    wide = 2 * levels - 1, 2 * _ANGLES if closed else 2 * _ANGLES - 1
    return Sheet(
        garment, points, closed, weights, down, around, place.astype(np.float32), _grid_faces(*wide, closed),
        _leg_radii(mesh, rest, outer) + 0.006 * scale,
    )  # fmt: skip


def hang_sheet(sheet: Sheet, rest: Rest, transforms: Float64, p: Float64, floor: float) -> Float32:
    """Vertices (n, 3) of a sheet in a pose.

    Args:
        transforms: (B, 3, 4) from rest to pose by segment; p: (B, 3) the segments' origins in the pose.
        floor: height below which cloth does not hang, metres.
    """
    skeleton = rest.skeleton
    flat = sheet.points.reshape(-1, 3).astype(np.float32)
    carried = skin(flat, sheet.weights, transforms[None])[0].astype(np.float64).reshape(sheet.points.shape)
    posed = carried.copy()
    capsules = np.zeros((6, 2, 3))
    for s, side in enumerate("rl"):
        femur, tibia, talus = (p[skeleton.body_index(f"{n}_{side}")] for n in ("femur", "tibia", "talus"))
        capsules[s] = femur, tibia
        capsules[2 + s] = tibia, talus
    hips = 0.5 * (capsules[0, 0] + capsules[1, 0])
    up = transforms[0, :, :3] @ np.array([0.0, 1.0, 0.0])
    for s in range(2):
        capsules[4 + s] = capsules[s, 0], 0.5 * (capsules[s, 0] + hips) + 0.08 * up
    _fast_cloth.hang(
        posed,
        carried,
        sheet.down,
        sheet.round,
        sheet.closed,
        capsules,
        sheet.radii,
        floor,
        _ROUNDS,
        _GRAVITY,
        np.linspace(0.3, _MEMORY, len(posed)),
    )
    return np.ascontiguousarray(_finer(posed, sheet.closed).reshape(-1, 3), np.float32)


def _carriers(mesh: ClothMesh, outer: Float32, near: NDArray, points: Float64, bodies: int) -> Float64:
    """(L, A, B) weights of the cloth's nearest vertices, evened around the rings."""
    from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

    _, at = cKDTree(outer[near]).query(points.reshape(-1, 3), k=3)
    out = np.zeros((points.shape[0] * points.shape[1], bodies))
    rows = np.arange(len(out))
    for k in range(3):
        start, body, weight = mesh.weights.rows(near[at[:, k]])
        np.add.at(out, (np.repeat(rows, np.diff(start)), body), weight / 3)
    out = out.reshape(*points.shape[:2], bodies)
    for _ in range(2):
        out = 0.5 * out + 0.25 * (np.roll(out, 1, 1) + np.roll(out, -1, 1))
    return out


def _leg_radii(mesh: ClothMesh, rest: Rest, outer: Float32) -> Float64:
    """(6, 2) radii of thighs, shins and hips, metres, of what is worn."""
    marks = rest.landmarks
    found = []
    for s, side in enumerate("rl"):
        line = np.stack([marks[f"{j}_{side}"] for j in ("hip", "knee", "ankle")])
        t = mesh.leg[:, s]
        axis = np.zeros((len(t), 3))
        _fast_cloth.axis_points(t, line, axis)
        r = np.linalg.norm(outer - axis, axis=1)
        own = mesh.of_leg[:, s] > 0.8
        found.append([float(np.quantile(r[own & (np.abs(t - at) < 0.08)], 0.75)) for at in (0.4, 0.95, 1.35, 1.9)])
    f = np.array(found)
    thigh = np.stack([f[:, 0] * 1.03, f[:, 1]], 1)
    shin = np.stack([f[:, 2], f[:, 3]], 1)
    hips = np.stack([f[:, 0] * 1.0, f[:, 0] * 0.95], 1)
    return np.concatenate([thigh, shin, hips])


def _round_smooth(r: Float64, closed: bool) -> Float64:
    for _ in range(3):
        padded = np.concatenate([r[-1:], r, r[:1]]) if closed else np.concatenate([r[:1], r, r[-1:]])
        r = np.maximum(r, 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:])
    return r


def _finer(points: Float64, closed: bool) -> Float64:
    """(2 L - 1, 2 A or 2 A - 1, 3): midpoints put between, on a cubic through four points."""
    L, A = points.shape[:2]
    rows = np.empty((2 * L - 1, A, 3))
    rows[::2] = points
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    rows[1::2] = (9 * (padded[1:-2] + padded[2:-1]) - padded[:-3] - padded[3:]) / 16
    if closed:
        around = np.concatenate([rows[:, -1:], rows, rows[:, :2]], 1)
    else:
        around = np.concatenate([2 * rows[:, :1] - rows[:, 1:2], rows, 2 * rows[:, -1:] - rows[:, -2:-1]], 1)
    middle = (9 * (around[:, 1:-2] + around[:, 2:-1]) - around[:, :-3] - around[:, 3:]) / 16
    out = np.empty((len(rows), 2 * A if closed else 2 * A - 1, 3))
    out[:, ::2] = rows
    out[:, 1::2] = middle
    return out


@functools.lru_cache(256)
def _grid_faces(rows: int, columns: int, closed: bool) -> NDArray[np.int32]:
    """Two triangles per cell, outward for angles that grow from +Z to +X and rows that go down."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    faces = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.int32)
    faces.flags.writeable = False
    return faces
