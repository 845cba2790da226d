"""Hair: a cap with a clean hairline, what hangs from it, tails and buns, beards and brows."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, Rest
from marrow.body.skinning import SkinWeights, skin
from marrow.data.synth import _fast_cloth
from marrow.data.synth._cloth_mesh import _edges, _subdivided, cut_along, smoothstep
from marrow.data.synth._head import COLUMNS, ROWS, HeadGrid, filled, hairline, head_centre, head_grid, skin_marks
from marrow.data.synth.sheets import _finer, _grid_faces
from marrow.data.synth.wardrobe import Hair
from marrow.types import Float32, Float64

#: Styles from none to most.
STYLES = ("bald", "cropped", "short", "side", "afro", "bob", "long", "ponytail", "bun")
#: Metres on the sides and on top of the head.
_THICK = {
    "cropped": (0.003, 0.004), "short": (0.007, 0.016), "side": (0.010, 0.024), "afro": (0.040, 0.055),
    "bob": (0.018, 0.020), "long": (0.016, 0.018), "ponytail": (0.006, 0.010), "bun": (0.006, 0.011),
}  # fmt: skip
#: Heights on the average body of hanging hair's rows that still lie on the cap, metres.
_CAP_HEIGHTS = (1.668, 1.655, 1.642, 1.630, 1.618)


@dataclass(frozen=True, eq=False)
class HairPiece:
    """Part of the hair at rest: points carried by ``weights``, or a sheet that hangs from the head.

    Attributes:
        points: (n, 3) float32; for a sheet (L, A, 3) float64.
        weights: of the skeleton's segments; None: all with the head.
        faces: (F, 3); colour: (n, 3) float32 linear; for a sheet, of the mesh with twice as many rows.
        down, round: of a sheet, lengths in it; thick: radius of a tail along its line (L,), or None.
    """

    points: NDArray
    weights: SkinWeights | None
    faces: NDArray[np.int32]
    colour: Float32
    place: Float32
    down: Float64 | None = None
    round: Float64 | None = None
    thick: Float64 | None = None


def scalp(vertices: Float32, hair: Hair) -> Float64:
    """Metres inside the hairline (n,) of points (n, 3) on the average body's head; negative outside."""
    d = vertices.astype(np.float64) - head_centre_of_average()
    azimuth = np.arctan2(d[:, 0], d[:, 2])
    return vertices[:, 1] - hairline(azimuth, hair.recede, hair.sideburn)


@functools.cache
def head_centre_of_average() -> Float64:
    from marrow.body import load_body

    return head_centre(load_body().rest().vertices)


def make_hair(body: DefaultBody, rest: Rest, hair: Hair, normals: Float32, hat: bool = False) -> list[HairPiece]:
    """The pieces of a person's hair at rest.

    Args:
        normals: (V, 3) of the skin at rest.
        hat: whether a hat presses it flat.
    """
    pieces = []
    if hair.style not in ("bald",):
        pieces += _on_head(body, rest, hair, hat)
    rng = np.random.default_rng(hair.seed + 1)
    if hair.beard != "none":
        pieces.append(
            _patch(body, rest, _beard_field(body, hair.beard), hair.beard_length, hair.beard_colour, normals, rng)
        )
    if hair.brow > 0:
        pieces.append(
            _patch(body, rest, _brow_field(body, round(hair.brow, 2)), 0.0012, hair.brow_colour, normals, rng)
        )
    return pieces


def surface_points(vertices: Float32, grid: HeadGrid) -> tuple[Float64, Float64, Float64]:
    """Centre (3,), unit directions (g, 3) and radii (g,) of a person's skin on the head grid."""
    centre = head_centre(vertices)
    points = (vertices[grid.corners] * grid.weights[..., None]).sum(1).astype(np.float64)
    d = points - centre
    radius = np.linalg.norm(d, axis=1)
    template = grid.place - grid.centre
    direction = np.where(grid.found[:, None], d, template)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = filled(radius.reshape(ROWS, COLUMNS), grid.found.reshape(ROWS, COLUMNS)).reshape(-1)
    return centre, direction, radius


def _on_head(body: DefaultBody, rest: Rest, hair: Hair, hat: bool) -> list[HairPiece]:
    grid = head_grid(body)
    rng = np.random.default_rng(hair.seed)
    scale = float(rest.landmarks["head_top"][1] - rest.landmarks["head"][1]) / 0.152
    centre, direction, radius = surface_points(rest.vertices, grid)
    side, top = _THICK[hair.style]
    long = hair.style in ("bob", "long")
    degrees = np.abs((np.degrees(grid.azimuth) + 180) % 360 - 180)
    field = grid.height - hairline(grid.azimuth, hair.recede, hair.sideburn)
    if long:
        curtain = smoothstep(degrees, 52.0, 66.0)
        field = np.maximum(field, curtain * (grid.height - 1.555) + (1 - curtain) * field)
    ragged = 0.0022 if hair.style in ("short", "side", "cropped") else 0.001
    columns = _columns(rng, 3)
    field = field + ragged * columns[(np.arange(ROWS * COLUMNS) % COLUMNS)]
    up = smoothstep(grid.height, 1.60, 1.68)
    thick = (side + (top - side) * up) * (0.6 + 0.8 * hair.volume) * scale
    if hair.style == "side":
        lean = np.sin(grid.azimuth - np.radians(35.0) * (1 if hair.seed % 2 else -1))
        thick = thick * (1 + 0.45 * lean * up)
    if hat:
        thick = np.where(grid.height > 1.585, np.minimum(thick, 0.004 * scale), thick)
    edge = smoothstep(field, 0.0, 0.030 if hair.style in ("afro",) else 0.024)
    if long:
        edge = np.maximum(edge, 0.85 * smoothstep(degrees, 60.0, 72.0) * (field > -0.02))
    along = np.arange(ROWS * COLUMNS) // COLUMNS
    lumps = _lumps(rng, grid, hair.style == "afro")
    bumps = (0.10 if hair.style != "cropped" else 0.0) * (lumps + 0.6 * columns[np.arange(ROWS * COLUMNS) % COLUMNS])
    height = 0.0012 * scale + thick * edge * (1 + bumps)
    points = centre + direction * (radius + height)[:, None]
    strands = _columns(rng, 1)
    shade = (
        1.0 + 0.22 * strands[np.arange(ROWS * COLUMNS) % COLUMNS] + 0.08 * lumps + 0.05 * rng.normal(size=len(field))
    )
    shade *= 0.80 + 0.25 * edge
    colour = _tinted(hair.colour, shade)
    keep, i, j, t, faces = _cut_grid(field.astype(np.float32), grid)
    cutter = lambda a: np.concatenate([a[keep], a[i] + t.reshape(-1, *(1,) * (a.ndim - 1)) * (a[j] - a[i])])  # noqa: E731
    place = _strand_place(grid.azimuth, along.astype(float))
    nearest = np.concatenate([keep, np.where(t < 0.5, i, j)])
    pieces = [
        HairPiece(
            cutter(points).astype(np.float32),
            grid.skin.rows(nearest),
            faces,
            cutter(colour).astype(np.float32),
            cutter(place).astype(np.float32),
        )
    ]
    if long:
        pieces.append(_curtain(rest, hair, points.reshape(ROWS, COLUMNS, 3), grid, scale, strands, rng))
    if hair.style == "ponytail":
        pieces.append(_tail(hair, centre, points, grid, scale, rng))
    if hair.style == "bun":
        pieces.append(_bun(hair, points, grid, scale, rng))
    return pieces


def _curtain(rest: Rest, hair: Hair, points: Float64, grid: HeadGrid, scale: float, strands: Float64, rng) -> HairPiece:
    """The sheet that hangs from the sides and the back of the head."""
    columns = [c for c in range(COLUMNS) if min(c, COLUMNS - c) * 360 >= 60 * COLUMNS]
    height = grid.height.reshape(ROWS, COLUMNS)
    cap = []  # rows that lie on the cap, so that no seam is seen
    for at in _CAP_HEIGHTS:
        row = np.array([int(np.argmin(np.abs(height[:, c] - at))) for c in columns])
        cap.append(points[row, columns])
    cap = np.array(cap)
    for _ in range(2):
        cap[:, 1:-1] = 0.25 * cap[:, :-2] + 0.5 * cap[:, 1:-1] + 0.25 * cap[:, 2:]
    start = cap[-1]
    step = 0.022 * scale
    levels = max(round(hair.length / step), 4)
    centre = head_centre(rest.vertices)
    away = cap - centre
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    cap = cap + 0.0015 * scale * away
    away = start - centre
    away[:, 1] = 0
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    aside = 0.5 + 0.5 * away[:, 2:3]
    hung = np.zeros((levels, len(columns), 3))
    for level in range(levels):
        s = (level + 1) * step / scale
        bulge = 0.010 * scale * np.sin(min(s / 0.14, 1.0) * np.pi)
        hung[level] = start + away * (bulge + 0.0015 * scale)
        hung[level, :, 1] = start[:, 1] - s * scale
        back = float(smoothstep(np.array(s), 0.08, 0.24)) if hair.style == "long" else 0.0
        hung[level, :, 0] *= 1 - 0.28 * back * aside[:, 0]
        hung[level, :, 2] -= 0.08 * scale * back * aside[:, 0]
        hung[level] -= away * aside * 0.10 * max(s - 0.07, 0.0) * scale * (hair.style == "bob")
    lock = _columns(rng, 2)[columns]
    hung += (away * lock[:, None])[None] * (0.004 * scale * np.linspace(0, 1, levels)[:, None, None])
    ends = 0.02 * scale * rng.normal(size=len(columns)) * (hair.style == "long")
    hung[-1, :, 1] += np.convolve(ends, [0.25, 0.5, 0.25], "same")
    out = np.concatenate([cap, hung])
    levels = len(out)
    down = np.zeros(out.shape[:2])
    down[1:] = np.linalg.norm(np.diff(out, axis=0), axis=-1)
    around = np.linalg.norm(np.roll(out, -1, 1) - out, axis=-1)
    rows, cols = 2 * levels - 1, len(columns)
    fine = strands[columns] + 0.35 * rng.normal(size=cols)
    shade = 1.0 + 0.22 * fine[None] + 0.05 * rng.normal(size=(rows, cols))
    shade *= np.linspace(1.05, 0.92, rows)[:, None]
    azimuth = np.array(columns) * (2 * np.pi / COLUMNS)
    place = _strand_place(np.tile(azimuth, rows), np.repeat(np.arange(rows) * 0.5 + 20.0, cols).astype(np.float64))
    return HairPiece(
        out, None, _grid_faces(rows, cols, False), _tinted(hair.colour, shade.reshape(-1)), place.astype(np.float32),
        down, around,
    )  # fmt: skip


def _tail(hair: Hair, centre: Float64, points: Float64, grid: HeadGrid, scale: float, rng) -> HairPiece:
    """A ponytail: a line of points that hangs, drawn as a tube."""
    back = points.reshape(ROWS, COLUMNS, 3)[:, COLUMNS // 2]
    height = grid.height.reshape(ROWS, COLUMNS)[:, COLUMNS // 2]
    start = back[int(np.argmin(np.abs(height - (1.60 + 0.06 * hair.volume))))]
    levels = max(round(hair.length / (0.025 * scale)), 5) + 1
    s = np.arange(levels) * 0.025 * scale
    out = np.zeros((levels, 1, 3))
    out[:, 0] = start
    out[:, 0, 2] -= 0.022 * scale * (1 - np.exp(-s / (0.03 * scale)))
    out[:, 0, 1] -= np.maximum(s - 0.02 * scale, 0)
    down = np.zeros((levels, 1))
    down[1:] = np.linalg.norm(np.diff(out, axis=0), axis=-1)
    q = np.linspace(0, 1, levels)
    thick = scale * (0.010 + 0.020 * np.sin(np.pi * np.clip(q * 0.8 + 0.12, 0, 1)) ** 0.8) * (1 - 0.75 * q**4)
    rows = 2 * levels - 1
    shade = 1 + 0.22 * rng.normal(size=(1, _TAIL)) + 0.05 * rng.normal(size=(rows, _TAIL))
    faces = _grid_faces(rows, _TAIL, True)
    angle = np.arange(_TAIL) / _TAIL * 2 * np.pi
    place = _strand_place(np.tile(angle, rows), np.repeat(np.arange(rows) * 0.5, _TAIL).astype(np.float64))
    return HairPiece(
        out, None, faces, _tinted(hair.colour, shade.reshape(-1)), place.astype(np.float32), down, np.zeros_like(down),
        thick,
    )  # fmt: skip


_TAIL = 14


def _bun(hair: Hair, points: Float64, grid: HeadGrid, scale: float, rng) -> HairPiece:
    back = points.reshape(ROWS, COLUMNS, 3)[:, COLUMNS // 2]
    height = grid.height.reshape(ROWS, COLUMNS)[:, COLUMNS // 2]
    k = int(np.argmin(np.abs(height - (1.585 + 0.09 * hair.volume))))
    out = back[k] - back.mean(0)
    out = np.array([0.0, out[1], min(out[2], -1e-3)])
    out /= np.linalg.norm(out)
    r = (0.026 + 0.014 * hair.volume) * scale
    rows, cols = 12, 20
    p, a = np.meshgrid((np.arange(rows) + 0.02) / (rows - 1) * np.pi, np.arange(cols) / cols * 2 * np.pi, indexing="ij")
    twist = 1 + 0.05 * np.sin(3 * a + 5 * p)
    ball = np.stack([np.sin(p) * np.sin(a), np.cos(p), np.sin(p) * np.cos(a)], -1) * twist[..., None]
    ball = back[k] + out * 0.4 * r + ball * r * [1.05, 0.95, 0.85]
    shade = 1 + 0.2 * np.sin(3 * a + 5 * p + 1) + 0.1 * rng.normal(size=p.shape)
    place = _strand_place((3 * a + 5 * p).ravel() / 3, p.ravel())
    return HairPiece(
        ball.reshape(-1, 3).astype(np.float32), None, _grid_faces(rows, cols, True),
        _tinted(hair.colour, shade.reshape(-1)), place.astype(np.float32),
    )  # fmt: skip


def pose_piece(piece: HairPiece, rest: Rest, transforms: Float64, p: Float64, floor: float) -> Float32:
    """Vertices (n, 3) of a piece of hair in a pose; ``transforms`` (B, 3, 4), ``p`` (B, 3) segment origins."""
    skeleton = rest.skeleton
    if piece.weights is not None:
        return skin(np.ascontiguousarray(piece.points), piece.weights, transforms[None])[0]
    T = transforms[skeleton.body_index("head")]
    carried = piece.points.astype(np.float64) @ T[:, :3].T + T[:, 3]
    if piece.down is None or piece.round is None:
        return carried.astype(np.float32)
    capsules, radii = _shoulders(rest, transforms, p)
    posed = carried.copy()
    memory = np.linspace(0.5, 0.06, len(posed))
    memory[: len(_CAP_HEIGHTS)] = 1.0 if piece.thick is None else memory[: len(_CAP_HEIGHTS)]
    _fast_cloth.hang(posed, carried, piece.down, piece.round, False, capsules, radii, floor, 20, 0.006, memory)
    if piece.thick is not None:
        return _tube(posed[:, 0], piece.thick)
    return np.ascontiguousarray(_finer(posed, False)[:, ::2].reshape(-1, 3), np.float32)


def _shoulders(rest: Rest, transforms: Float64, p: Float64) -> tuple[Float64, Float64]:
    """Capsules (C, 2, 3) and radii (C, 2) of head, neck, shoulders, back and chest in a pose."""
    skeleton, marks = rest.skeleton, rest.landmarks
    scale = float(marks["head_top"][1]) / 1.7

    def at(body: str, point: Float64) -> Float64:
        T = transforms[skeleton.body_index(body)]
        return T[:, :3] @ point + T[:, 3]

    forward = np.array([0.0, 0.0, 1.0])
    capsules, radii = [], []
    skull = at("head", marks["head"] + [0, 0.055 * scale, 0.012]), at("head", marks["head"] + [0, 0.09 * scale, -0.01])
    capsules.append(skull)
    radii.append((0.078 * scale, 0.085 * scale))
    neck = at("torso", marks["c7_body"] + 0.01 * forward), at("head", marks["head"] + 0.0 * forward)
    capsules.append(neck)
    radii.append((0.066 * scale, 0.062 * scale))
    for s in "rl":
        c7 = at("torso", marks["c7_body"] + [0, -0.03 * scale, 0.005])
        capsules.append((c7, at(f"scapula_{s}", marks[f"acromioclavicular_{s}"] - [0, 0.025 * scale, 0])))
        radii.append((0.066 * scale, 0.062 * scale))
    for x in (-1.0, 0.0, 1.0):
        aside = np.array([0.075 * x * scale, 0.0, 0.0])
        low = at("torso", marks["t12_l1"] + aside + 0.03 * forward)
        capsules.append((at("torso", marks["t8_body"] + aside + [0, 0.08 * scale, 0.01]), low))
        radii.append((0.115 * scale, 0.11 * scale))
    return np.array(capsules), np.array(radii)


def _tube(line: Float64, radius: Float64) -> Float32:
    line = _finer(line[:, None], False)[:, 0]
    radius = np.interp(np.arange(len(line)) / 2, np.arange(len(radius)), radius)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.cross(along, [0.31, 0.17, 0.93])
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    other = np.cross(along, side)
    angle = np.arange(_TAIL) / _TAIL * 2 * np.pi
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    ring = ring * (1 + 0.10 * np.sin(5 * angle))[None, :, None]
    return np.ascontiguousarray((line[:, None] + radius[:, None, None] * ring).reshape(-1, 3), np.float32)


def _columns(rng: np.random.Generator, smooth: int) -> Float64:
    """(COLUMNS,) noise around the head."""
    x = rng.normal(size=COLUMNS)
    for _ in range(smooth):
        x = 0.25 * np.roll(x, 1) + 0.5 * x + 0.25 * np.roll(x, -1)
    return x / x.std()


def _lumps(rng: np.random.Generator, grid: HeadGrid, coarse: bool) -> Float64:
    """(g,) smooth noise over the head, of unit deviation."""
    fields = _lump_fields(grid, coarse)
    return rng.normal(size=len(fields)) @ fields / np.sqrt(len(fields))


@functools.lru_cache(maxsize=4)
def _lump_fields(grid: HeadGrid, coarse: bool) -> Float64:
    rng = np.random.default_rng(5)
    out = []
    for _ in range(16):
        k = rng.normal(size=3)
        k *= 2 * np.pi / ((0.055 if coarse else 0.09) * rng.uniform(0.6, 1.5)) / np.linalg.norm(k)
        out.append(np.sin(grid.place @ k + rng.uniform(0, 6.3)) * np.sqrt(2))
    return np.array(out)


def _tinted(colour: tuple[float, float, float], shade: Float64) -> Float32:
    return np.clip(np.array(colour) * np.maximum(shade, 0.35)[:, None], 0, 1).astype(np.float32)


def _strand_place(around: Float64, along: Float64) -> Float64:
    """Places (n, 3) in which even noise is drawn out along the hair."""
    return np.stack([0.09 * np.sin(around), 0.002 * along, 0.09 * np.cos(around)], 1)


def _cut_grid(field: Float32, mesh) -> tuple[NDArray, NDArray, NDArray, Float64, NDArray[np.int32]]:
    """Kept vertices, ends and shares of the rim's edges, faces."""
    field = np.where(np.abs(field) < 1e-5, np.float32(1e-5), field)
    keep, i, j, faces, _ = cut_along(field, mesh.faces, mesh.face_edges, mesh.edges)
    t = (field[i] / (field[i] - field[j])).astype(np.float64)
    return keep, i, j, t, faces.copy()


@dataclass(frozen=True, eq=False)
class _Patch:
    """The lower face and the brows, subdivided."""

    parents: NDArray[np.int64]
    faces: NDArray[np.int32]
    edges: NDArray[np.int32]
    face_edges: NDArray[np.int32]
    place: Float64
    lips: Float64
    weights: SkinWeights


@functools.cache
def _face_patch(body: DefaultBody) -> _Patch:
    rest = body.rest()
    v, marks = rest.vertices.astype(np.float64), skin_marks()
    wanted = (v[:, 1] > 1.42) & (v[:, 1] < 1.64) & (v[:, 2] > -0.04) & (marks["mouth"] < 0.3) & (marks["ears"] < 0.3)
    wanted[13348:] = False
    kept = body.faces[wanted[body.faces].all(1)].astype(np.int64)
    parents, faces = _subdivided(kept, v, 0.0045)
    edges, face_edges = _edges(faces)
    mean = lambda a: 0.5 * (a[parents[:, 0]] + a[parents[:, 1]])  # noqa: E731
    weights = body.skin_weights(rest.skeleton.bodies).rows(parents[:, 0])
    return _Patch(parents, faces, edges, face_edges, mean(v), mean(marks["lips"].astype(float)), weights)


@functools.lru_cache(maxsize=64)
def _brow_field(body: DefaultBody, thickness: float) -> tuple:
    patch = _face_patch(body)
    x, y, z = np.abs(patch.place[:, 0]), patch.place[:, 1], patch.place[:, 2]
    middle = 1.6035 + 0.0045 * np.sin(np.clip((x - 0.010) / 0.038, 0, 1) * 2.2)
    half = 0.0045 * thickness * np.clip((x - 0.0095) / 0.006, 0, 1) * np.clip((0.049 - x) / 0.022, 0, 1) ** 0.6
    field = np.where(z > 0.0, half - np.abs(y - middle) * 1.0 - 2e-4, -1.0)
    return _cut_grid(field.astype(np.float32), patch)


@functools.lru_cache(maxsize=64)
def _beard_field(body: DefaultBody, kind: str) -> tuple:
    patch = _face_patch(body)
    x, y, z = np.abs(patch.place[:, 0]), patch.place[:, 1], patch.place[:, 2]
    cheek = np.interp(z, [-0.03, -0.005, 0.03, 0.055, 0.075], [1.575, 1.552, 1.526, 1.517, 1.517])
    throat = np.interp(z, [-0.04, -0.01, 0.02, 0.04], [1.525, 1.492, 1.462, 1.452])
    below = np.minimum(cheek - y, 0.7 * (y - throat))
    moustache = np.minimum(np.minimum(1.5365 - 0.25 * x - y, y - 1.512), 0.034 - x)
    moustache = np.where(z > 0.04, moustache, -1.0)
    lips = (0.35 - patch.lips) * 0.01
    if kind == "full":
        field = np.minimum(np.maximum(below, moustache), lips)
    elif kind == "moustache":
        field = np.minimum(moustache, lips)
    else:  # goatee: around mouth and chin
        chin = np.minimum(0.030 - x, np.where(z > 0.02, below, -1.0))
        field = np.minimum(np.maximum(chin, moustache), lips)
    return _cut_grid(field.astype(np.float32), patch)


def _patch(body: DefaultBody, rest: Rest, cut: tuple, length: float, colour, normal: Float32, rng) -> HairPiece:
    patch = _face_patch(body)
    keep, i, j, t, faces = cut
    on = lambda a: 0.5 * (a[patch.parents[:, 0]] + a[patch.parents[:, 1]])  # noqa: E731
    points, normals = on(rest.vertices), on(normal)
    scale = float(rest.landmarks["head_top"][1] - rest.landmarks["head"][1]) / 0.152
    top = points + normals * np.float32(length * scale)
    low = points - normals * np.float32(0.0005)
    t = t[:, None].astype(np.float32)
    inner = np.concatenate([top[keep], low[i] + t * (low[j] - low[i])])
    shade = 1 + 0.15 * rng.normal(size=len(inner))
    nearest = np.concatenate([keep, i])
    return HairPiece(
        inner, patch.weights.rows(nearest), faces, _tinted(colour, shade), patch.place[nearest].astype(np.float32)
    )
