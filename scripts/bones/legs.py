"""Femur, patella, tibia, fibula and the bones of the foot, on the left side of the reference body (millimetres)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from shapes import Shape, ball, blend, box, ellipsoid, frame, squeezed, tube, unit, without

Marks = Mapping[str, np.ndarray]
UP = np.array([0.0, 1.0, 0.0])


def femur(m: Marks) -> Shape:
    hip, knee = m["hip"], m["knee"]
    lateral, medial = m["lateral_femoral_epicondyle"], m["medial_femoral_epicondyle"]
    axes = frame(hip - knee, lateral - medial)  # z towards the lateral side
    x, y, z = axes.T
    x = -x if x[2] < 0 else x
    half = 0.5 * np.linalg.norm(lateral - medial)
    trochanter = m["greater_trochanter"]
    top = trochanter - 17 * z - 22 * y
    low = knee + 52 * y + 5 * x
    shaft = tube(
        [top, top + 0.33 * (low - top) + 9 * x, top + 0.7 * (low - top) + 9 * x, low, knee + 26 * y],
        [17, 13.5, 13.5, 18, 22],
    )
    flare = squeezed(tube([knee + 75 * y + 4 * x, knee + 16 * y], [14, 0.62 * half]), knee, z, 1.35)
    head = ball(hip, 23.0)
    neck = squeezed(tube([hip, trochanter - 20 * z - 10 * y], [15.5, 17]), hip, x, 0.85)
    great = ellipsoid(trochanter - 13 * z - 4 * y - 2 * x, [17, 20, 13], axes)
    lesser = ellipsoid(top - 30 * y - 13 * z - 10 * x, [9, 12, 9], axes)
    condyles = []
    for sign, width in ((1.0, 0.47), (-1.0, 0.45)):
        c = knee + sign * 0.50 * half * z - 8 * x
        condyles.append(ellipsoid(c - 3 * y, [31, 25, width * half], axes))
    groove = ellipsoid(knee + 14 * x + 2 * y, [14, 21, 0.70 * half], axes)
    bumps = [ellipsoid(knee + s * (half - 13) * z + 2 * y - 4 * x, [15, 14, 13], axes) for s in (1, -1)]
    body = blend([shaft, flare, *condyles, groove, *bumps, neck, great, lesser], 14)
    notch = tube([knee - 45 * x - 12 * y, knee - 2 * x - 30 * y], [8.5, 8.5])
    trochlea = tube([knee + 33 * x + 24 * y, knee + 33 * x - 22 * y], [5, 6])
    return blend([without(without(body, notch, 8), trochlea, 8), head], 5)


def patella(m: Marks) -> Shape:
    axes = frame(m["hip"] - m["knee"], m["lateral_femoral_epicondyle"] - m["medial_femoral_epicondyle"])
    x = axes[:, 0] if axes[2, 0] > 0 else -axes[:, 0]
    centre = m["patella"] - 9.5 * x
    body = ellipsoid(centre + 2 * axes[:, 1], [9, 20, 20], axes)
    return blend([body, ellipsoid(centre - 13 * axes[:, 1], [6, 10, 9], axes)], 8)


def tibia(m: Marks) -> Shape:
    knee, ankle = m["knee"], m["ankle"]
    side = m["lateral_femoral_epicondyle"] - m["medial_femoral_epicondyle"]
    half = 0.5 * np.linalg.norm(side)
    axes = frame(knee - ankle, side)
    x, y, z = axes.T
    x = -x if x[2] < 0 else x
    plateau = knee - 34 * y - 6 * x
    tops = [ellipsoid(plateau + s * 0.48 * half * z - 4 * y, [25, 14, 0.54 * half], axes) for s in (1, -1)]
    metaphysis = squeezed(tube([plateau - 8 * y, plateau - 48 * y + 3 * x], [22, 14]), plateau, z, 1.30)
    tuberosity = m["tibial_tuberosity"] - 8 * x
    spine = [tube([plateau + s * 5 * z + 4 * y, plateau + s * 4 * z + 13 * y], [7, 3]) for s in (1, -1)]
    below = ankle + 22 * y - 3 * z
    shaft = tube(
        [plateau - 40 * y, knee + 0.30 * (ankle - knee) + 3 * x, knee + 0.65 * (ankle - knee) - 1 * z, below],
        [15, 12.5, 11, 14],
    )
    crest = tube([tuberosity, knee + 0.35 * (ankle - knee) + 12 * x, knee + 0.65 * (ankle - knee) + 6 * x], [7, 4, 4])
    plafond = ellipsoid(ankle + 20 * y - 4 * z, [17, 12, 20], axes)
    malleolus = m["medial_malleolus"]
    inner = tube([ankle + 22 * y - 14 * z, malleolus + 6 * z + 3 * y, malleolus + 7 * z - 5 * y], [11, 7, 5])
    parts = [*tops, metaphysis, tube([plateau + 10 * x - 10 * y, tuberosity], [12, 8]), shaft, crest, plafond, inner]
    body = blend([*parts, *spine], 10)
    return without(body, box(ankle + 2 * z - 1 * y, [19, 15, 19], 7, axes), 3)


def fibula(m: Marks) -> Shape:
    head, malleolus = m["fibula_head"], m["lateral_malleolus"]
    y = unit(m["knee"] - m["ankle"])
    z = unit(m["lateral_malleolus"] - m["medial_malleolus"])
    start = head - 9 * z + 2 * y
    end = malleolus - 6 * z
    middle = 0.5 * (start + end) - 3 * z
    shaft = tube([start, start - 35 * y, middle, end + 45 * y, end + 8 * y], [9, 6, 5.2, 5.5, 8])
    tip = squeezed(tube([end + 14 * y, end - 8 * y - 3 * unit([0, 0, 1])], [8, 6]), end, z, 0.75)
    return blend([shaft, tip, tube([start, start + 9 * y - 3 * z], [8, 4])], 6)


def foot_axes(m: Marks) -> np.ndarray:
    """Columns: forward along the second ray, up, lateral."""
    forward = unit((m["metatarsal_head_2"] - m["heel"]) * [1, 0, 1])
    lateral = np.cross(UP, forward)
    return np.stack([forward, UP, lateral], -1)


def hindfoot(m: Marks) -> dict[str, Shape]:
    """Talus, calcaneus, navicular, cuboid and the three cuneiforms."""
    x, y, z = (axes := foot_axes(m)).T
    ankle, heel, navicular, base = m["ankle"], m["calcaneus"], m["navicular"], m["metatarsal_base_5"]
    dome = squeezed(tube([ankle - 11 * z + y, ankle + 11 * z + y], [13, 13]), ankle, x, 1.15)
    middle = navicular + 15 * z + 7 * y
    head = middle - 13 * x + y
    talus = blend(
        [dome, ellipsoid(ankle - 14 * y, [22, 9, 14], axes), tube([ankle + 8 * x - 8 * y, head], [12, 11])], 8
    )
    back = heel + 19 * x + 2 * y
    front = base + 9 * x - 17 * z + 13 * y
    heelbone = [
        ellipsoid(back, [19, 20, 27], axes),
        tube([back + 3 * y, ankle - 34 * y + 6 * x + 2 * z, front - 20 * x + y], [17, 15, 11]),
        ellipsoid(ankle - 29 * y - 10 * z + 6 * x, [12, 6, 8], axes),
        ellipsoid(ankle - 25 * y - 4 * x + 3 * z, [15, 6, 10], axes),
    ]
    out = {"talus": talus, "calcaneus": blend(heelbone, 10)}
    out["navicular"] = blend([ellipsoid(middle + 1 * x, [6.5, 12, 16], axes), ball(navicular + 7 * z + 2 * y, 6.0)], 5)
    out["cuboid"] = box(front, [14, 10, 11.5], 7, axes)
    for k, place in enumerate(cuneiforms(m), 1):
        out[f"cuneiform_{k}"] = box(place, [10.5, (12.5, 10, 10)[k - 1], 7.5], 5, axes)
    return out


def cuneiforms(m: Marks) -> list[np.ndarray]:
    """Centres of the three cuneiform bones, before the navicular."""
    x, y, z = foot_axes(m).T
    middle = m["navicular"] + 18 * x + 15 * z + 4 * y
    return [middle + side * z + high * y for side, high in ((-9.5, -4.0), (5.0, 3.0), (19.0, 0.0))]


def forefoot(m: Marks) -> dict[str, Shape]:
    """Metatarsals and phalanges."""
    x, y, z = foot_axes(m).T
    out: dict[str, Shape] = {}
    head1 = m["metatarsal_head_1"] + 10 * z + 3 * y
    head5 = m["metatarsal_head_5"] - 7 * z + 3 * y
    head2 = m["metatarsal_head_2"] - 8 * y
    base5 = m["metatarsal_base_5"] - 6 * z + 3 * y
    bases = [place + 17 * x - 1.5 * y for place in cuneiforms(m)]
    bases += [0.42 * bases[2] + 0.58 * base5 + 10 * x + 3 * y, base5 + 13 * x + y]
    for k in range(1, 6):
        t = (k - 2) / 3
        head = head1 if k == 1 else head2 + t * (head5 - head2) + (4 * t * (1 - t)) * 4 * x
        base = bases[k - 1]
        thick = 1.45 if k == 1 else 1.0
        shaft = tube([base, 0.5 * (base + head) + 3 * y, head], np.array([7.0, 4.2, 5.5]) * thick)
        parts = [shaft, ball(head, 6.6 * thick), ball(base, 7.2 * thick)]
        if k == 5:
            parts.append(tube([base, base5], [6.5, 5]))
        out[f"metatarsal_{k}"] = blend(parts, 5)
        tip = m[f"toe_{k}"]
        names = ("proximal", "distal") if k == 1 else ("proximal", "middle", "distal")
        stops = (0.0, 0.56, 1.0) if k == 1 else (0.0, 0.52, 0.77, 1.0)
        line = [head + 6 * thick * x - 2 * y, m[f"toe_joint_{k}"], tip]
        for name, a, b in zip(names, stops[:-1], stops[1:], strict=True):
            p, q = (_along(line, t) for t in (a + 0.03, b - 0.03))
            r = (5.6 if k == 1 else 4.0) - (1.0 if name == "distal" else 0.0)
            out[f"toe_{k}_{name}"] = phalanx(p, q, r)
    return out


def _along(line: list[np.ndarray], t: float) -> np.ndarray:
    lengths = [np.linalg.norm(b - a) for a, b in pairwise(line)]
    s = t * sum(lengths)
    for a, b, length in zip(line[:-1], line[1:], lengths, strict=True):
        if s <= length or b is line[-1]:
            return a + (b - a) * min(1.0, s / length)
        s -= length
    raise AssertionError


def phalanx(start: np.ndarray, end: np.ndarray, radius: float) -> Shape:
    shaft = tube([start, 0.5 * (start + end), end], [radius, 0.62 * radius, 0.75 * radius])
    return blend([shaft, ball(start, 1.12 * radius), ball(end, 0.92 * radius)], 3)


def leg(m: Marks) -> dict[str, Shape]:
    """All bones of the left leg by name, without a side."""
    return {
        "femur": femur(m), "patella": patella(m), "tibia": tibia(m), "fibula": fibula(m), **hindfoot(m), **forefoot(m)
    }  # fmt: skip
