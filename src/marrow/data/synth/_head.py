"""Where on the head things are: a grid of directions from the middle of the head to the skin, and hairlines on it.

Made once in a process for the default body; heights are those of the average body, metres.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow._compile import kernel
from marrow.body import DefaultBody
from marrow.body.points import SKIN_POINTS
from marrow.body.skinning import SkinWeights
from marrow.data.synth import _fast_cloth
from marrow.types import Float32, Float64

#: Rows from the crown downward, columns around (0 ahead, growing to the left).
ROWS, COLUMNS = 44, 72
_LOWEST = np.radians(140.0)
_MARKS = Path(__file__).with_name("skin_marks.npz")


@functools.cache
def skin_marks() -> dict[str, Float32]:
    """Masks per vertex of the body, 0 to 1: lips, nails, ears, eyelids, face, mouth."""
    with np.load(_MARKS) as marks:
        return {name: (marks[name] / 255).astype(np.float32) for name in marks.files}


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """Grid points g = ROWS * COLUMNS on the skin of the head without its ears.

    Attributes:
        corners, weights: (g, 3) the body's vertices each lies between.
        found: (g,) bool, False where only an ear was met.
        azimuth: (g,) radians; height: (g,) metres; place: (g, 3) on the average body.
        faces, edges, face_edges: of the grid as a mesh.
        skin: weights of the skeleton's segments.
        centre: (3,) of the average head.
    """

    corners: NDArray[np.int64]
    weights: Float32
    found: NDArray[np.bool_]
    azimuth: Float64
    height: Float64
    place: Float64
    faces: NDArray[np.int32]
    edges: NDArray[np.int32]
    face_edges: NDArray[np.int32]
    skin: SkinWeights
    centre: Float64


def head_centre(vertices: NDArray) -> Float64:
    """(3,) middle of a head at rest: a little above the middle between the ears."""
    left, right = (vertices[list(SKIN_POINTS[f"ear_{s}"])].mean(0) for s in "lr")
    top = vertices[list(SKIN_POINTS["head_top"])].mean(0)
    middle = 0.5 * (left + right).astype(np.float64)
    return middle + [0.0, 0.16 * (top[1] - middle[1]), 0.004]


@functools.cache
def head_grid(body: DefaultBody) -> HeadGrid:
    """The grid on the default body's head (some tenths of a second, once)."""
    from marrow.data.synth._cloth_mesh import _edges

    rest = body.rest()
    v = rest.vertices.astype(np.float64)
    marks = skin_marks()
    centre = head_centre(v)
    phi = (np.arange(ROWS) + 0.35) / ROWS * _LOWEST
    azimuth = np.arange(COLUMNS) / COLUMNS * 2 * np.pi
    p, a = np.meshgrid(phi, azimuth, indexing="ij")
    # rows lean back, so that columns run like combed hair and lines of equal row like a hat's rim
    d = np.stack([np.sin(p) * np.sin(a), np.cos(p), np.sin(p) * np.cos(a)], -1).reshape(-1, 3)
    drop = (marks["ears"] > 0.3) | (marks["mouth"] > 0.3)
    drop[13348:] = True
    faces = body.faces[(v[body.faces][..., 1].min(1) > 1.40) & ~drop[body.faces].any(1)].astype(np.int64)
    face, weight = np.full(len(d), -1), np.zeros((len(d), 3))
    _cast(centre, d, v[faces], face, weight)
    found = face >= 0
    corners = np.zeros((len(d), 3), np.int64)
    corners[found] = faces[face[found]]
    grid = found.reshape(ROWS, COLUMNS)
    for row, column in zip(*np.nonzero(~grid), strict=True):
        for step in range(1, 20):
            above = max(row - step, 0)
            if grid[above, column]:
                corners[row * COLUMNS + column] = corners[above * COLUMNS + column]
                weight[row * COLUMNS + column] = weight[above * COLUMNS + column]
                break
    place = (v[corners] * weight[..., None]).sum(1)
    radius = np.linalg.norm(place - centre, axis=1)
    radius = filled(radius.reshape(ROWS, COLUMNS), grid).reshape(-1)
    place = np.where(found[:, None], place, centre + radius[:, None] * d)
    i, j = np.meshgrid(np.arange(ROWS - 1), np.arange(COLUMNS), indexing="ij")
    q, r = i * COLUMNS + j, i * COLUMNS + (j + 1) % COLUMNS
    s, t = q + COLUMNS, r + COLUMNS
    mesh = np.concatenate([np.stack([q, s, r], -1), np.stack([r, s, t], -1)]).reshape(-1, 3)
    cap = np.stack([np.zeros(COLUMNS - 2, int), np.arange(1, COLUMNS - 1), np.arange(2, COLUMNS)], 1)
    mesh = np.concatenate([mesh, cap]).astype(np.int32)
    edges, face_edges = _edges(mesh)
    near = corners[np.arange(len(d)), weight.argmax(1)]
    skin = body.skin_weights(rest.skeleton.bodies).rows(near)
    return HeadGrid(
        corners, weight.astype(np.float32), found, np.tile(azimuth, ROWS), place[:, 1], place, mesh, edges, face_edges,
        skin, centre,
    )  # fmt: skip


def filled(radius: Float64, found: NDArray[np.bool_]) -> Float64:
    """(ROWS, COLUMNS) radii, smooth where they were not found."""
    radius = radius.copy()
    _fast_cloth.fill(radius, found, 20)
    return radius


@kernel()
def _cast(origin, directions, triangles, face, weight):
    for r in range(directions.shape[0]):
        d = directions[r]
        best = 0.0
        for f in range(triangles.shape[0]):
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
            vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
            px, py, pz = d[1] * vz - d[2] * vy, d[2] * vx - d[0] * vz, d[0] * vy - d[1] * vx
            det = ux * px + uy * py + uz * pz
            if math.fabs(det) < 1e-14:
                continue
            tx, ty, tz = origin[0] - a[0], origin[1] - a[1], origin[2] - a[2]
            u = (tx * px + ty * py + tz * pz) / det
            if u < -1e-9 or u > 1 + 1e-9:
                continue
            qx, qy, qz = ty * uz - tz * uy, tz * ux - tx * uz, tx * uy - ty * ux
            w = (d[0] * qx + d[1] * qy + d[2] * qz) / det
            if w < -1e-9 or u + w > 1 + 1e-9:
                continue
            t = (vx * qx + vy * qy + vz * qz) / det
            if t > best:
                best = t
                face[r] = f
                weight[r, 0], weight[r, 1], weight[r, 2] = 1 - u - w, u, w


#: Hairline: degrees from ahead to behind, and heights on the average body (metres).
_AZIMUTH = (0, 20, 38, 52, 62, 70, 77, 84, 92, 108, 117, 128, 145, 165, 180)
_LINE = (1.656, 1.656, 1.650, 1.634, 1.610, 1.588, 1.570, 1.572, 1.601, 1.600, 1.570, 1.536, 1.514, 1.508, 1.507)


def hairline(azimuth: Float64, recede: float = 0.0, sideburn: float = 0.0) -> Float64:
    """Height (n,) of the hairline at azimuths (n,), metres on the average body.

    Args:
        recede: metres that forehead and temples have moved up and back.
        sideburn: metres that the hair before the ears is longer.
    """
    degrees = np.abs((np.degrees(azimuth) + 180) % 360 - 180)
    line = np.interp(degrees, np.linspace(0, 180, 181), _smooth_line())
    temple = np.exp(-(((degrees - 38) / 22) ** 2))
    line = line + recede * (0.35 * np.exp(-((degrees / 30) ** 2)) + temple) * 0.8
    return line - sideburn * np.exp(-(((degrees - 78) / 6) ** 2))


@functools.cache
def _smooth_line() -> Float64:
    line = np.interp(np.linspace(0, 180, 181), _AZIMUTH, _LINE)
    padded = np.concatenate([line[12:0:-1], line, line[-2:-14:-1]])
    window = np.exp(-((np.arange(-12, 13) / 5.0) ** 2))
    return np.convolve(padded, window / window.sum(), "valid").astype(np.float64)
