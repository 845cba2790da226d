"""Hip bone, sacrum, vertebrae, ribs and sternum of the reference body (millimetres, left side)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from shapes import Shape, ball, blend, ellipsoid, sheet, spline, squeezed, tube, unit, without

Marks = Mapping[str, np.ndarray]
X, Y, Z = np.eye(3)  # the body's left, up, ahead

VERTEBRAE = (*(f"C{k}" for k in range(1, 8)), *(f"T{k}" for k in range(1, 13)), *(f"L{k}" for k in range(1, 6)))
#: Heights of vertebra and disc together (Panjabi et al. 1991, 1992; Gilad and Nissan 1986), only ratios count.
_HEIGHT = dict(
    zip(
        VERTEBRAE,
        (15, 20, 18, 18, 18, 18, 19, 20, 21, 22, 22.5, 23, 23.5, 24, 24.5, 25, 26, 27.5, 29, 33, 35, 37, 37.5, 38),
        strict=True,
    )
)
#: Half widths of the body, sideways and front to back.
_BODY = {
    **{f"C{k}": (9.0 + 0.4 * k, 8.0) for k in range(1, 8)},
    **{f"T{k}": (13.0 + 0.45 * k + (1.5 if k > 9 else 0), 10.0 + 0.5 * k) for k in range(1, 13)},
    **{f"L{k}": (20.5 + 0.9 * k, 17.0) for k in range(1, 6)},
}


def column(m: Marks) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Centre of each vertebra's body and its axes (left, up, ahead), along a curve through the known ones."""
    sacral = m["l5_body"] + [0, -24.0, -9.0]
    knots = [m["head"] + [0, -3, 3], m["c7_body"], m["t8_body"], m["t12_body"], m["l5_body"], sacral]
    places = [-0.5, 6.0, 14.0, 18.0, 23.0, 23.7]
    order = list(_HEIGHT.values())
    level = np.cumsum(order) - 0.5 * np.array(order)
    at = np.interp(places, np.arange(24), level, left=-8.0)
    at[0], at[-1] = -8.0, level[-1] + 28.0
    from scipy.interpolate import PchipInterpolator

    known = np.array(knots)
    height = PchipInterpolator(at, known[:, 1])
    depth = PchipInterpolator(-known[:, 1], known[:, 2])
    out = {}
    for name, s in zip(VERTEBRAE, level, strict=True):
        y = float(height(s))
        slope = float(depth(-y + 5) - depth(-y - 5)) / 10  # dz per dropped mm
        up = unit(np.array([0.0, 1.0, -slope]))
        out[name] = (np.array([0.0, y, float(depth(-y))]), np.stack([X, up, np.cross(X, up)], -1))
    return out


def spinous_tips(m: Marks, bodies: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Tips of the spinous processes, between those that are landmarks."""
    known = {k: m[k.lower()] - bodies[k][0] for k in ("C7", "T8", "T12", "L5")}
    known["C2"] = 0.72 * known["C7"] + [0, 2.0, 0]
    order = [VERTEBRAE.index(k) for k in ("C2", "C7", "T8", "T12", "L5")]
    offsets = np.array([known[k] for k in ("C2", "C7", "T8", "T12", "L5")])
    return {
        name: bodies[name][0] + [np.interp(i, order, offsets[:, c]) for c in range(3)]
        for i, name in enumerate(VERTEBRAE)
    }


def vertebra(name: str, body: tuple[np.ndarray, np.ndarray], tip: np.ndarray, height: float) -> Shape:
    centre, axes = body
    left, up, ahead = axes.T
    wide, deep = _BODY[name]
    half = 0.5 * height - (1.5 if name[0] == "C" else 2.0)
    canal = centre - (deep + 7) * ahead + 0.1 * height * up
    if name == "C1":
        ring = [centre + 5 * ahead, centre + 20 * left - 4 * ahead, centre + 14 * left - 24 * ahead]
        back = centre - 31 * ahead
        arcs = [tube([p * [s, 1, 1] for p in (*ring, back)], [5, 7.5, 4.5, 4]) for s in (1, -1)]
        return blend(
            [*arcs, *(tube([centre * [s, 1, 1] + s * 18 * left, centre + s * 32 * left], [6, 4]) for s in (1, -1))], 4
        )
    block = squeezed(
        tube([centre - (half - 3) * up, centre + (half - 3) * up], [wide - 3, wide - 3]), centre, ahead, deep / wide
    )
    core = _capped(block, centre, up, half)
    parts = [core]
    side = 13 if name[0] == "C" else 11 if name[0] == "T" else 15
    reach = {"C": 24.0, "T": 33.0, "L": 42.0}[name[0]]
    r = {"C": 3.6, "T": 4.4, "L": 5.0}[name[0]]
    for s in (1, -1):
        pedicle = centre + s * 0.7 * wide * left - 0.6 * deep * ahead + 0.15 * height * up
        corner = canal + s * side * left
        parts.append(tube([pedicle, corner, canal - 8 * ahead - 2 * up], [r + 1, r + 2, r + 0.5]))
        aim = -0.25 if name[0] == "C" else 0.5 if name[0] == "T" else 0.15
        parts.append(
            tube([corner, corner + s * (reach - side) * left - aim * (reach - side) * ahead + 1 * up], [r, r - 0.4])
        )
        joint = corner - 1 * ahead
        parts.append(tube([joint + 0.55 * height * up, joint - 0.55 * height * up - 2 * ahead], [r - 0.3, r]))
    parts.append(squeezed(tube([canal - 8 * ahead, tip + 6 * ahead], [5.5, 5.5]), tip, left, 0.7))
    parts.append(ellipsoid(tip + 5 * unit(canal - tip), [4, 6, 5], axes))
    if name == "C2":
        parts.append(tube([centre, centre + 24 * up], [6.5, 4.5]))
    return blend(parts, 4)


def _capped(shape: Shape, centre: np.ndarray, up: np.ndarray, half: float) -> Shape:
    """The solid between two planes: a vertebra's end plates."""

    def f(x: np.ndarray) -> np.ndarray:
        a, b = shape(x), np.abs((x - centre) @ up) - half
        h = np.maximum(3.0 - np.abs(a - b), 0.0) / 3.0
        return np.maximum(a, b) + h * h * 0.75

    return f


def hip_bone(m: Marks) -> Shape:
    hip, front, crest, tubercle = m["hip"], m["asis"], m["iliac_crest"], m["iliac_tubercle"]
    back, sit, pubis = m["psis"], m["ischial_tuberosity"], m["pubic_symphysis"]
    front, crest, tubercle = front - [6, 2, 6], crest - [8, 5, 0], tubercle - [7, 0, 0]
    back = back + [0, 0, 8]
    rim = [back, 0.45 * crest + 0.55 * back + [7, 19, -2], crest, tubercle + [0, 12, 4], front]
    # where the wing meets the arch above the socket, from the sacrum to the lower front spine
    low = [
        back + [4, -38, 14], hip + [-27, 37, -36], hip + [-9, 37, -14], hip + [6, 30, 8], front + [-10, -37, -4],
    ]  # fmt: skip
    hollow = [
        0.5 * (a + b) + d
        for a, b, d in zip(rim, low, ([0, 0, 0], [-4, 0, 4], [-5, 0, 3], [-2, 0, 2], [0, 0, 0]), strict=True)
    ]
    wing = sheet([rim, hollow, low], np.array([[7, 6, 5, 7, 7], [7, 4, 3, 4, 6], [9, 9, 10, 10, 8]]))
    crest_line = tube(rim, [8, 6.5, 6.5, 8, 7])
    socket = blend([ball(hip, 33.0), ellipsoid(hip + [-16, 6, -4], [18, 26, 26])], 14)
    joint = pubis + [9, -14, -8]
    upper = tube([hip + [-18, -6, 20], 0.5 * (hip + joint) + [2, 9, 17], joint + [3, 6, 0]], [14, 9, 10])
    body = tube([hip + [-12, -18, -14], sit + [-8, 28, 16], sit + [-8, 12, 12]], [17, 14, 15])
    lower = tube([sit + [-10, 10, 14], sit + [-22, -2, 40], joint + [6, -24, -8], joint + [1, -4, 0]], [12, 7, 6.5, 9])
    ischial_spine = tube([hip + [-20, -8, -30], hip + [-30, -14, -44]], [8, 3])
    face = tube([joint + [-3.5, 10, 1], joint + [-3.5, -14, -4]], [7.5, 7])
    rear = tube([back + [2, -4, 6], back + [5, -34, 12], hip + [-22, 18, -34]], [10, 10, 12])
    solid = blend([wing, crest_line, socket, upper, body, lower, ischial_spine, face, rear], 12)
    cup = blend([ball(hip, 26.0), tube([hip, hip + [40, -14, 10]], [26, 27])], 2)
    return without(solid, cup, 4)


def sacrum(m: Marks, bodies: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Shape:
    centre = bodies["L5"][0]
    skin = m["sacrum"]
    top = centre + [0, -31, -14]
    middle = skin + [0, -8, 20]
    low = skin + [0, -62, 14]
    tip = low + [0, -34, 22]
    half = m["psis"][0]
    low_width = 16.0
    curve = spline([top, middle, low], 7)
    widths = np.interp(np.linspace(0, 1, 7), [0, 0.3, 0.6, 0.8, 1], [half + 13, half + 12, half, 26, low_width])
    thick = np.interp(np.linspace(0, 1, 7), [0, 0.5, 1], [15, 11, 6])
    rows = [[c + [-0.85 * w, 0, -6], c, c + [0.85 * w, 0, -6]] for c, w in zip(curve, widths, strict=True)]
    plate = sheet(rows, np.stack([0.8 * thick, thick, 0.8 * thick], -1), 2)
    up = unit(top - middle)
    promontory = squeezed(tube([top - 4 * up, top + 3 * up], [20, 20]), top, np.cross(X, up), 0.7)
    ridge = tube([top + [0, 2, -20], skin + [0, 6, 6], skin + [0, -30, 6], low], [5, 6, 5, 4])
    tail = tube([low, 0.5 * (low + tip) + [0, 0, -3], tip], [8, 6, 3.5])
    wings = [
        tube([top + [s * 22, -3, -4], top + [s * 42, -20, -18], top + [s * 38, -42, -24]], [12, 11, 9]) for s in (1, -1)
    ]
    holes = [
        tube([curve[k] + [s * (26 - 2.5 * k), 2, 34], curve[k] + [s * (24 - 2.5 * k), -4, -34]], [4.5, 3.2])
        for k in (2, 3, 4, 5)
        for s in (1, -1)
    ]
    solid = blend([plate, promontory, ridge, tail, *wings], 8)
    for hole in holes:
        solid = without(solid, hole, 3)
    return solid


class Cage:
    """The shell on which the ribs lie: half an ellipse-like section at each height, from spine to breastbone."""

    def __init__(self, m: Marks, bodies: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.bodies = bodies
        self.notch, self.tip = m["suprasternal_notch"] + [0, -4, -7], m["xiphoid"] + [0, 6, -5]
        self.middle = m["midsternum"] + [0, 0, -6]
        wide, low = m["rib_6"], m["rib_10"]
        heights = [bodies["T1"][0][1], bodies["T2"][0][1], bodies["T3"][0][1], bodies["T4"][0][1], bodies["T6"][0][1]]
        width = wide[0] - 4
        known = [low[1] - 40, low[1], wide[1], *heights[::-1]]
        values = [
            0.82 * low[0],
            low[0] - 4,
            width,
            0.97 * width,
            0.86 * width,
            0.74 * width,
            0.60 * width,
            0.42 * width,
        ]
        self._width = np.array([known, values])
        self._back = np.array(
            [
                [m["l5"][1], m["t12"][1], m["t8"][1], m["c7"][1] - 30],
                [m["t12"][2] + 14, m["t12"][2] + 13, m["t8"][2] + 12, m["t8"][2] + 24],
            ]
        )
        front = [(low[1] - 60, self.tip[2] - 16), (low[1], self.tip[2] - 8), (self.tip[1], self.tip[2]),
                 (self.middle[1], self.middle[2]), (self.notch[1], self.notch[2])]  # fmt: skip
        self._front = np.array(front).T

    def at(self, angle: float, y: float) -> np.ndarray:
        """Point at an angle from straight back (0) over the side (pi / 2) to straight ahead (pi)."""
        w = float(np.interp(y, *self._width))
        back, front = float(np.interp(y, *self._back)), float(np.interp(y, *self._front))
        middle = 0.5 * (back + front)
        s, c = np.sin(angle), -np.cos(angle)
        return np.array([w * abs(s) ** 0.80, y, middle + 0.5 * (front - back) * np.sign(c) * abs(c) ** 0.85])


#: Per rib: angle where bone ends and cartilage begins (degrees from straight back), how far the front end lies below
#: the head (millimetres), and where on the sternum (0 notch, 1 tip) its cartilage arrives.
_RIBS = (
    (142, 26, 0.10), (146, 45, 0.27), (148, 58, 0.40), (147, 70, 0.53), (145, 80, 0.64), (142, 88, 0.74),
    (137, 94, 0.80), (128, 92, None), (120, 88, None), (112, 80, None), (82, 56, None), (58, 30, None),
)  # fmt: skip


def rib_path(k: int, cage: Cage) -> np.ndarray:
    """Curve (n, 3) of the left rib ``k`` from its head beside the spine to its front end."""
    end, drop, _ = _RIBS[k - 1]
    centre, axes = cage.bodies[f"T{k}"]
    wide, deep = _BODY[f"T{k}"]
    head = centre + (wide + 1) * axes[:, 0] - 0.75 * deep * axes[:, 2] + 6 * axes[:, 1]
    tubercle = centre + 31 * axes[:, 0] - (deep + 13) * axes[:, 2] + 2 * axes[:, 1]
    points = [head, tubercle]
    start = 32.0 if k > 1 else 55.0
    for angle in np.linspace(start, end, 7):
        share = (angle - 20.0) / (end - 20.0)
        points.append(cage.at(np.radians(angle), tubercle[1] - 3 - drop * share**1.25))
    return spline(points, 33)


def rib(k: int, cage: Cage) -> Shape:
    path = rib_path(k, cage)[::2]
    radius = np.interp(np.linspace(0, 1, len(path)), [0, 0.1, 0.3, 0.9, 1], [4.2, 3.4, 4.4, 4.4, 5.0])
    if k > 10:
        radius = radius * np.linspace(1, 0.6, len(path))
    return blend([tube(path, radius, len(path)), ball(path[0], 4.8), ball(rib_path(k, cage)[5], 4.6)], 3)


def cartilage(k: int, cage: Cage) -> Shape:
    """From the end of rib ``k`` to the sternum; those of ribs 8 to 10 join the one above."""
    end = rib_path(k, cage)[-1]
    share = _RIBS[k - 1][2]
    if share is not None:
        goal = sternum_line(cage, share) + [12.0 + 3 * (k > 2), 0, -2]
        middle = 0.5 * (end + goal) + [0, -0.12 * abs(end[1] - goal[1]) - (3 if k > 4 else 0), 5]
        return tube([end, middle, goal], [5.0, 4.2, 4.2])
    above = rib_path(k - 1, cage)[-1]
    goal = (
        above + 0.30 * (sternum_line(cage, 0.8) - above) if k > 8 else above + 0.45 * (sternum_line(cage, 0.8) - above)
    )
    middle = 0.5 * (end + goal) + [-2, -4, 2]
    return tube([end, middle, goal - [0, 3, 0]], [4.6, 4.0, 3.6])


def sternum_line(cage: Cage, share: float) -> np.ndarray:
    line = spline([cage.notch, cage.middle, cage.tip], 21)
    return np.array([np.interp(share, np.linspace(0, 1, 21), line[:, i]) for i in range(3)])


def sternum(cage: Cage) -> Shape:
    widths = ((0.0, 25.0), (0.10, 26.0), (0.24, 16.0), (0.36, 15.0), (0.62, 19.0), (0.78, 15.0), (0.86, 8.0))
    rows = []
    for share, w in widths:
        c = sternum_line(cage, share)
        rows.append([c + [-w, 0, -2], c, c + [w, 0, -2]])
    plate = sheet(rows, 5.0, 2)
    notch = ball(cage.notch + [0, 12, 0], 13)
    xiphoid = tube([sternum_line(cage, 0.84), sternum_line(cage, 1.0)], [6, 3.5])
    angle = tube([sternum_line(cage, 0.25) + [-10, 0, 2], sternum_line(cage, 0.25) + [10, 0, 2]], 4)
    return without(blend([plate, xiphoid, angle], 5), notch, 4)


def trunk(m: Marks) -> dict[str, Shape]:
    """Bones of the midline, and of the left side (``rib_1`` …, ``costal_cartilage_1`` …, ``hip_bone``) by name."""
    bodies = column(m)
    tips = spinous_tips(m, bodies)
    cage = Cage(m, bodies)
    out = {name: vertebra(name, bodies[name], tips[name], _HEIGHT[name]) for name in VERTEBRAE}
    out["sacrum"], out["sternum"], out["hip_bone"] = sacrum(m, bodies), sternum(cage), hip_bone(m)
    out |= {f"rib_{k}": rib(k, cage) for k in range(1, 13)}
    out |= {f"costal_cartilage_{k}": cartilage(k, cage) for k in range(1, 11)}
    return out
