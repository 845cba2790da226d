"""Shoes, hats, glasses, bags and hoods: small meshes of their own, made at rest and carried by the body's segments."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.body import DefaultBody, Rest
from marrow.body.points import SKIN_POINTS
from marrow.body.skinning import SkinWeights
from marrow.data.synth import _fast_cloth
from marrow.data.synth._cloth_mesh import smoothstep
from marrow.data.synth._head import COLUMNS, ROWS, head_grid
from marrow.data.synth.hair import _cut_grid, surface_points
from marrow.data.synth.sheets import _grid_faces
from marrow.data.synth.wardrobe import Item
from marrow.types import Float32, Float64

SHOES = ("trainers", "shoes", "boots", "sandals")
HATS = ("cap", "beanie", "sun hat")
GLASSES = ("glasses", "sunglasses")
BAGS = ("backpack", "shoulder bag")
#: Thickness of soles, metres.
SOLES = {"trainers": 0.024, "shoes": 0.018, "boots": 0.028, "sandals": 0.014}
_COLLAR = {"trainers": 0.078, "shoes": 0.062, "boots": 0.135, "sandals": 0.078}


@dataclass(frozen=True, eq=False)
class Part:
    """One mesh at rest: (n, 3) points, faces, colours, its label's name, and the weights that carry it."""

    points: Float32
    faces: NDArray[np.int32]
    colour: Float32
    label: str
    weights: SkinWeights
    gloss: float = 0.15


def make_items(body: DefaultBody, rest: Rest, items: tuple[Item, ...], outer: Float32, hair: float) -> list[Part]:
    """Meshes of all items.

    Args:
        outer: (M, 3) outermost cloth at rest.
        hair: thickness of hair below a hat, metres.
    """
    parts: list[Part] = []
    for item in items:
        if item.kind in SHOES:
            for side in "rl":
                parts += _shoe(body, rest, item, side)
        elif item.kind in HATS:
            parts += _hat(body, rest, item, hair)
        elif item.kind in GLASSES:
            parts += _glasses(rest, item)
        elif item.kind == "backpack":
            parts += _pack(rest, item, outer)
        elif item.kind == "shoulder bag":
            parts.append(_bag(rest, item, outer))
        elif item.kind == "hood":
            parts.append(_hood(rest, item))
    return parts


def _weights(rest: Rest, share: dict[str, NDArray | float], n: int) -> SkinWeights:
    names = rest.skeleton.bodies
    k = len(share)
    body = np.tile(np.array([names.index(name) for name in share], np.int32), n)
    weight = np.empty((n, k), np.float32)
    for column, w in enumerate(share.values()):
        weight[:, column] = w
    return SkinWeights(np.arange(0, n * k + 1, k, dtype=np.int32), body, weight.reshape(-1))


@functools.cache
def _foot_vertices(body: DefaultBody, side: str) -> NDArray[np.int64]:
    rest = body.rest()
    names = rest.skeleton.bodies
    w = body.skin_weights(names)
    of = np.repeat(np.arange(body.vertex_count), np.diff(w.start))
    wanted = [names.index(f"{n}_{side}") for n in ("calcn", "toes", "tibia")]
    share = np.bincount(of, w.weight * np.isin(w.body, wanted), body.vertex_count)
    return np.flatnonzero((share > 0.5) & (rest.vertices[:, 1] < 0.15))


_ALONG, _ROUND = 30, 25


def _shoe(body: DefaultBody, rest: Rest, item: Item, side: str) -> list[Part]:
    marks = rest.landmarks
    v = rest.vertices[_foot_vertices(body, side)].astype(np.float64)
    heel, toe = marks[f"heel_{side}"], 0.5 * (marks[f"toe_tip_{side}"] + marks[f"mtp_{side}"])
    forward = np.array([toe[0] - heel[0], 0.0, toe[2] - heel[2]])
    forward /= np.linalg.norm(forward)
    right = np.array([forward[2], 0.0, -forward[0]])
    floor = v[:, 1].min()
    size = float(marks["head_top"][1]) / 1.7
    u, w, h = (v - heel) @ forward, (v - heel) @ right, v[:, 1] - floor
    collar = _COLLAR[item.kind] * size
    low = h < max(collar, 0.05 * size)
    u0, u1 = u[low].min() - 0.008 * size, u[low].max() + 0.012 * size
    length = u1 - u0
    t = (1 - np.cos(np.linspace(0, np.pi, _ALONG))) / 2
    at = u0 + t * length
    left_side, right_side, top = np.zeros(_ALONG), np.zeros(_ALONG), np.zeros(_ALONG)
    _fast_cloth.profile(u, w, h, low, at, 0.016 * size, left_side, right_side, top)
    for _ in range(3):
        left_side, right_side, top = _even(left_side), _even(right_side), _even(top)
    ankle_u = float((marks[f"ankle_{side}"] - heel) @ forward)
    cut = ankle_u + 0.038 * size
    closed = smoothstep(at, cut, cut + 0.035 * size)
    pad = (0.0045 if item.kind != "sandals" else 0.0035) * size
    round_end = np.sqrt(np.clip(1 - ((0.5 - t) / 0.5) ** 6, 0, 1))
    middle, half = 0.5 * (left_side + right_side), (0.5 * (right_side - left_side) + pad) * round_end
    instep = np.maximum(top + pad, 0.03 * size)
    front = smoothstep(t, 0.80, 1.0)
    instep = instep * (1 - 0.25 * front * (1 - round_end))
    tall = (1 - closed) * collar + closed * np.minimum(instep, collar * 1.1)
    s = np.linspace(-1, 1, _ROUND)
    q = np.abs(s) * np.pi
    c = closed[:, None]
    out = np.sign(s) * ((1 - c) * np.sin(q / 2) ** 0.45 + c * _power(np.sin(q), 0.7))
    up = (1 - c) * (1 - np.cos(q / 2)) ** 1.15 + c * 0.5 * (1 - _power(np.cos(q), 0.7))
    x = middle[:, None] + half[:, None] * out
    y = tall[:, None] * up
    heel_lean = 0.010 * size * smoothstep(-t, -0.25, 0.0)[:, None] * (y / collar - 0.5)
    points = heel + at[:, None, None] * forward + x[..., None] * right
    points = points + heel_lean[..., None] * forward
    points[..., 1] = floor + y - 0.002
    sole = SOLES[item.kind] * size
    upper = points.reshape(-1, 3)
    faces = _grid_faces(_ALONG, _ROUND, False)[:, ::-1]
    colour = np.tile(np.array(item.colour, np.float32), (len(upper), 1)).reshape(_ALONG, _ROUND, 3)
    if item.kind == "trainers":
        colour[(t > 0.36) & (t < 0.62), 5:8] = item.second
        colour[(t > 0.36) & (t < 0.62), -8:-5] = item.second
        laces = (t > 0.5) & (t < 0.74)
        colour[laces, :2] = 0.85
        colour[laces, -2:] = 0.85
    parts = []
    if item.kind == "sandals":
        bands = np.zeros(_ALONG - 1, bool)
        bands[(t[:-1] > 0.62) & (t[:-1] < 0.78)] = True
        bands[(t[:-1] > 0.40) & (t[:-1] < 0.48)] = True
        cell = np.arange(len(faces)) // 2 // (_ROUND - 1)
        faces = faces[bands[cell]]
    mtp_u = float((marks[f"mtp_{side}"] - heel) @ forward)

    def carried(p: Float64) -> SkinWeights:
        toes = smoothstep((p - heel) @ forward, mtp_u - 0.025 * size, mtp_u + 0.02 * size)
        shank = 0.75 * smoothstep(p[:, 1] - floor, 0.06 * size, 0.12 * size)
        return _weights(
            rest,
            {f"toes_{side}": toes * (1 - shank), f"tibia_{side}": shank, f"calcn_{side}": (1 - toes) * (1 - shank)},
            len(p),
        )

    parts.append(Part(upper.astype(np.float32), faces, colour.reshape(-1, 3), "shoes", carried(upper), 0.25))
    edge = half + 0.0025 * size * round_end
    rows = [(-1.0, 0.012 * size), (-1.0, -sole), (1.0, -sole), (1.0, 0.012 * size)]
    band = np.stack(
        [
            heel + at[:, None] * forward + (middle + k * edge)[:, None] * right + np.array([0.0, 1.0, 0.0]) * 0
            for k, _ in rows
        ],
        1,
    )
    rise = 0.008 * size * smoothstep(t, 0.85, 1.0)
    for k, (_, level) in enumerate(rows):
        band[:, k, 1] = floor + level + (rise if level < 0 else 0)
    flat = band.reshape(-1, 3)
    tint = np.tile(np.array(item.second, np.float32), (len(flat), 1))
    parts.append(Part(flat.astype(np.float32), _grid_faces(_ALONG, 4, False)[:, ::-1], tint, "shoes", carried(flat)))
    return parts


def _even(x: Float64) -> Float64:
    padded = np.concatenate([x[:1], x, x[-1:]])
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def _power(x: Float64, exponent: float) -> Float64:
    return np.sign(x) * np.abs(x) ** exponent


def _hat(body: DefaultBody, rest: Rest, item: Item, hair: float) -> list[Part]:
    grid = head_grid(body)
    scale = float(rest.landmarks["head_top"][1] - rest.landmarks["head"][1]) / 0.152
    centre, direction, radius = surface_points(rest.vertices, grid)
    ahead = np.cos(grid.azimuth)
    rim = {"cap": 1.632, "beanie": 1.612, "sun hat": 1.640}[item.kind] + 0.012 * ahead
    field = grid.height - rim
    r = radius.reshape(ROWS, COLUMNS)
    for _ in range(4):
        r = 0.5 * r + 0.25 * (np.roll(r, 1, 1) + np.roll(r, -1, 1))
    thick = (0.009 if item.kind != "beanie" else 0.013) * scale + hair
    lift = thick + (0.016 * scale * smoothstep(grid.height, 1.66, 1.70) if item.kind != "beanie" else 0.0)
    if item.kind == "beanie":
        lift = lift + 0.0012 * scale * np.sin(18 * grid.azimuth) + 0.004 * scale * smoothstep(-field, -0.03, -0.02)
    points = centre + direction * (r.reshape(-1) + lift)[:, None]
    keep, i, j, t, faces = _cut_grid(field.astype(np.float32), grid)
    p = np.concatenate([points[keep], points[i] + t[:, None] * (points[j] - points[i])])
    colour = np.tile(np.array(item.colour, np.float32), (len(p), 1))
    parts = [Part(p.astype(np.float32), faces, colour, "hat", _weights(rest, {"head": 1.0}, len(p)))]
    if item.kind == "beanie":
        band = np.minimum(field, 0.024 - field)
        keep, i, j, t, faces = _cut_grid(band.astype(np.float32), grid)
        points = points + direction * 0.004 * scale
        p = np.concatenate([points[keep], points[i] + t[:, None] * (points[j] - points[i])])
        return [*parts, _rigid(rest, p, faces, item.second, "hat", "head")]
    around = np.radians(np.linspace(-62, 62, 25)) if item.kind == "cap" else np.linspace(0, 2 * np.pi, 49)
    column = np.round((around % (2 * np.pi)) / (2 * np.pi) * COLUMNS).astype(int) % COLUMNS
    height = field.reshape(ROWS, COLUMNS)
    start = []
    for a, c in zip(around, column, strict=True):
        k = int(np.argmin(np.abs(height[:, c] - 0.001)))
        q = points.reshape(ROWS, COLUMNS, 3)[k, c] - centre
        flat = np.hypot(q[0], q[2])
        start.append(centre + [flat * np.sin(a), q[1], flat * np.cos(a)])
    start = np.array(start)
    start[:, 1] = np.convolve(np.pad(start[:, 1], 3, mode="edge"), np.ones(7) / 7, "valid")
    rows = 6
    out = np.zeros((rows, len(around), 3))
    for k in range(rows):
        q = k / (rows - 1)
        if item.kind == "cap":
            reach = 0.068 * scale * np.cos(around * np.pi / 2 / np.radians(64)) ** 0.6
            out[k] = start + q * reach[:, None] * [0.0, 0.0, 1.0]
            out[k, :, 1] += -q * 0.016 * scale - 0.010 * scale * np.sin(around) ** 2 * q
        else:
            away = np.stack([np.sin(around), np.zeros_like(around), np.cos(around)], 1)
            out[k] = start + q * 0.085 * scale * away
            out[k, :, 1] += -q * 0.022 * scale + 0.006 * scale * q * np.cos(2 * around)
    flat = out.reshape(-1, 3)
    tint = np.tile(np.array(item.second if item.kind == "cap" else item.colour, np.float32), (len(flat), 1))
    weights = _weights(rest, {"head": 1.0}, len(flat))
    parts.append(Part(flat.astype(np.float32), _grid_faces(rows, len(around), False)[:, ::-1], tint, "hat", weights))
    return parts


def _glasses(rest: Rest, item: Item) -> list[Part]:
    v = rest.vertices
    at = lambda name: v[list(SKIN_POINTS[name])].mean(0).astype(np.float64)  # noqa: E731
    scale = float(np.linalg.norm(at("eye_l") - at("eye_r"))) / 0.058
    wire = 0.0017 * scale
    meshes: list[tuple[Float64, NDArray]] = []
    lenses: list[tuple[Float64, NDArray]] = []
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    for s, sign in (("l", 1.0), ("r", -1.0)):
        eye = at(f"eye_{s}")
        middle = eye + np.array([0.001 * sign, -0.004, 0.014]) * scale
        ring = np.zeros((28, 3))
        ring[:, 0] = 0.0245 * scale * _power(np.cos(angle), 0.8)
        ring[:, 1] = 0.019 * scale * _power(np.sin(angle), 0.8)
        ring[:, 2] = -0.10 * np.abs(ring[:, 0]) * (np.sign(ring[:, 0]) == sign)
        ring += middle
        meshes.append(_wire(np.concatenate([ring, ring[:1]]), wire))
        fan = np.concatenate([ring.mean(0)[None], ring])
        k = np.arange(28)
        lenses.append((fan, np.stack([np.zeros(28, int), 1 + k, 1 + (k + 1) % 28], 1)))
        outer = middle + np.array([0.0245 * sign, 0.006, -0.003]) * scale
        ear = at(f"ear_{s}")
        end = np.array([ear[0] + 0.004 * sign * scale, outer[1] + 0.002, ear[2] + 0.010 * scale])
        side = np.array([max(abs(end[0]), abs(outer[0]) + 0.004 * scale) * sign, outer[1], 0.5 * (outer[2] + end[2])])
        meshes.append(_wire(np.stack([outer, 0.5 * (outer + side) + [0.003 * sign, 0, 0], side, end]), wire))
    nose = 0.5 * (at("eye_l") + at("eye_r")) + np.array([0.0, 0.0, 0.017]) * scale
    meshes.append(_wire(nose + np.array([[-0.006, 0, 0], [0, 0.002, 0.001], [0.006, 0, 0]]) * scale, wire))
    points, faces = _joined(meshes)
    parts = [_rigid(rest, points, faces, item.colour, "glasses", "head", 0.5)]
    if item.kind == "sunglasses":
        points, faces = _joined(lenses)
        parts.append(_rigid(rest, points, faces, (0.012, 0.012, 0.014), "glasses", "head", 0.8))
    return parts


def _rigid(rest: Rest, points: Float64, faces: NDArray, colour, label: str, body: str, gloss: float = 0.15) -> Part:
    tint = np.tile(np.array(colour, np.float32), (len(points), 1))
    weights = _weights(rest, {body: 1.0}, len(points))
    return Part(points.astype(np.float32), faces.astype(np.int32), tint, label, weights, gloss)


def _joined(meshes) -> tuple[Float64, NDArray]:
    offset = np.cumsum([0, *(len(p) for p, _ in meshes)])
    return np.concatenate([p for p, _ in meshes]), np.concatenate(
        [f + o for (_, f), o in zip(meshes, offset, strict=False)]
    )


def _wire(line: Float64, radius: float) -> tuple[Float64, NDArray]:
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-12
    side = np.cross(along, [0.1, 0.9, 0.35])
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-12
    other = np.cross(along, side)
    a = np.arange(6) / 6 * 2 * np.pi
    ring = np.cos(a)[None, :, None] * side[:, None] + np.sin(a)[None, :, None] * other[:, None]
    return (line[:, None] + radius * ring).reshape(-1, 3), _grid_faces(len(line), 6, True)


def _box(half: Float64, bulge: float = 0.35, n: int = 10) -> tuple[Float64, NDArray]:
    """A box with rounded edges around the origin."""
    p, a = np.meshgrid((np.arange(n) + 0.02) / (n - 0.96) * np.pi, np.arange(2 * n) / n * np.pi, indexing="ij")
    d = np.stack(
        [
            _power(np.sin(p), bulge) * _power(np.sin(a), bulge),
            _power(np.cos(p), bulge),
            _power(np.sin(p), bulge) * _power(np.cos(a), bulge),
        ],
        -1,
    )
    return (d * half).reshape(-1, 3), _grid_faces(n, 2 * n, True)


def _pack(rest: Rest, item: Item, outer: Float32) -> list[Part]:
    marks = rest.landmarks
    size = float(marks["head_top"][1]) / 1.7
    half = np.array([0.145, 0.215, 0.085]) * size * item.size
    points, faces = _box(half, 0.42)
    high, low = marks["c7_body"][1] - 0.05 * size, marks["t12_l1"][1]
    trunk = (outer[:, 1] > low) & (outer[:, 1] < high) & (np.abs(outer[:, 0]) < 0.08 * size)
    back = float(np.quantile(outer[trunk, 2], 0.05))
    flat = points[:, 2] > 0.4 * half[2]
    points[:, 0] *= 1 - 0.12 * np.clip(points[:, 1] / half[1], 0, 1)
    points[flat, 2] = 0.4 * half[2]
    points += [0.0, high - half[1] * 0.92, back - 0.42 * half[2]]
    pocket, pocket_faces = _box(half * [0.72, 0.34, 0.35], 0.45)
    pocket += [0.0, high - half[1] * 1.38, back - 1.30 * half[2]]
    return [
        _rigid(rest, points, faces, item.colour, "bag", "torso"),
        _rigid(rest, pocket, pocket_faces, item.second, "bag", "torso"),
    ]


def _bag(rest: Rest, item: Item, outer: Float32) -> Part:
    marks = rest.landmarks
    size = float(marks["head_top"][1]) / 1.7
    half = np.array([0.045, 0.115, 0.15]) * size * item.size
    points, faces = _box(half, 0.45)
    y = marks["hip_l"][1] + 0.0 * size
    near = (np.abs(outer[:, 1] - y) < 0.08 * size) & (np.abs(outer[:, 2] + 0.05 * size) < 0.12 * size)
    near &= outer[:, 0] < 2.6 * abs(marks["hip_l"][0]) + 0.05 * size
    side = float(np.quantile(outer[near & (outer[:, 0] > 0), 0], 0.97))
    points += [side + half[0] * 0.85, y - 0.02 * size, -0.03 * size]
    part = _rigid(rest, points, faces, item.colour, "bag", "pelvis")
    part.colour[(part.points[:, 1] > y + 0.02 * size)] = item.second
    return part


def _hood(rest: Rest, item: Item) -> Part:
    """A hood that lies on the shoulders."""
    marks = rest.landmarks
    size = float(marks["head_top"][1]) / 1.7
    centre = marks["c7_body"] + np.array([0.0, -0.022, 0.028]) * size
    theta = np.radians(np.linspace(-150, 150, 41))
    a = np.arange(14) / 14 * 2 * np.pi
    back = 0.5 + 0.5 * np.cos(theta)
    radius = (0.010 + 0.030 * back**1.2) * size
    ring = 0.078 * size + 0.012 * size * back
    tilt = -0.045 * size * (0.5 - 0.5 * np.cos(theta)) ** 1.4
    out = np.zeros((41, 14, 3))
    direction = np.stack([np.sin(theta), np.zeros(41), -np.cos(theta)], 1)
    line = centre + direction * (ring * np.array([1.0]))[:, None]
    line[:, 1] += tilt + 0.006 * size
    stretch = 1 + 0.7 * back
    out = line[:, None] + radius[:, None, None] * (
        np.cos(a)[None, :, None] * direction[:, None] * 0.9
        + (np.sin(a)[None, :] * stretch[:, None])[..., None] * np.array([0.0, 1.0, 0.0])
    )
    out[..., 1] -= (0.02 * size * back)[:, None]
    return _rigid(rest, out.reshape(-1, 3), _grid_faces(41, 14, True), item.colour, "top", "torso")
