"""Clavicle, scapula, humerus, ulna, radius and the bones of the hand of the reference body (millimetres, left side)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from legs import phalanx
from shapes import Shape, ball, blend, box, ellipsoid, frame, sheet, squeezed, tube, unit, without

Marks = Mapping[str, np.ndarray]
FINGERS = ("thumb", "index", "middle", "ring", "little")


def clavicle(m: Marks) -> Shape:
    start, end = m["sternoclavicular"], m["acromioclavicular"]
    along = unit(end - start)
    ahead = unit(np.cross(along, np.cross([0.0, 0.0, 1.0], along)))
    s, e = start + 4 * along - 2 * ahead + [0, -4, 0], end - 6 * along + [0, -5, 0]
    d = e - s
    curve = [s, s + 0.22 * d + 6 * ahead, s + 0.5 * d + 4 * ahead, s + 0.78 * d - 7 * ahead, e]
    shaft = tube(curve, [9.0, 6.2, 5.4, 5.8, 6.2])
    outer = squeezed(tube([s + 0.80 * d - 7 * ahead, e], [8, 9]), e, [0, 1, 0], 0.6)
    return blend([shaft, outer, ball(s, 9.5)], 6)


def scapula(m: Marks) -> Shape:
    top, root, low = m["scapula_superior"], m["scapula_trigonum"], m["scapula_inferior"]
    tip, joint, beak, head = m["acromion"], m["acromioclavicular"], m["coracoid"], m["shoulder"]
    inward = unit(root - head)
    socket = head + 27 * inward + [0, -3, 0]
    neck = socket + 12 * inward
    root, low, top = root + [2, 0, 6], low + [2, 4, 7], top + [2, -2, 2]
    notch = 0.55 * neck + 0.45 * top + [2, 6, 3]
    side = 0.5 * (neck + low) + [-3, -4, 0]
    under = neck + [0, -16, -2]
    middle = (root + neck) / 2 + [0, -2, 4]
    blade = sheet(
        [
            [top, 0.5 * (top + notch) + [0, 2, 2], notch, neck + [0, 12, 2]],
            [root, middle + [-6, 0, 3], 0.5 * (middle + neck) + [0, 0, 2], neck],
            [0.5 * (root + low) + [-3, 0, -1], 0.5 * (middle + low) + [4, 8, 5], 0.6 * side + 0.4 * neck, under],
            [low, low + [4, 4, 1], 0.5 * (low + side) + [1, 0, 1], side],
        ],
        np.array([[3.2, 3.0, 3.2, 6], [3.4, 3.0, 3.4, 8], [3.4, 3.0, 3.2, 7], [4.5, 4, 4, 4]]),
    )
    borders = [tube([top, root, 0.5 * (root + low) + [-3, 0, -1], low], [3.5, 4, 3.2, 5])]
    borders.append(tube([low, side, under], [5, 4.5, 6]))
    glenoid = squeezed(ellipsoid(socket, [16, 19, 16]), socket, inward, 0.6)
    glenoid = without(blend([glenoid, ball(neck, 13)], 8), ball(head, 25.5), 3)
    corner = tip + [-4, -4, 3]
    ridge_end = 0.45 * root + 0.55 * corner + [0, 2, 0]
    ridge = sheet(
        [[root, ridge_end, corner], [root + [4, -2, 5], 0.5 * (middle + neck) + [4, 2, 4], neck + [2, 4, -4]]],
        np.array([[4, 4.5, 6], [3, 3, 5]]),
    )
    shelf = sheet(
        [[corner, corner + [3, 1, 14], joint + [3, -5, 2]], [ridge_end, corner + [-12, 3, 12], joint + [-4, -5, -4]]],
        4.0,
    )
    hook = beak + [2, -3, -6]
    process = tube([neck + [2, 10, 4], neck + [2, 27, 12], 0.5 * (neck + hook) + [4, 22, 14], hook], [9, 8, 7, 6])
    return blend([blade, *borders, glenoid, ridge, shelf, process], 7)


def humerus(m: Marks) -> Shape:
    head, elbow = m["shoulder"], m["elbow"]
    lateral, medial = m["lateral_humeral_epicondyle"], m["medial_humeral_epicondyle"]
    axes = frame(head - elbow, lateral - medial)
    x, y, z = axes.T
    back = unit(m["olecranon"] - elbow)
    x = -back + (back @ y) * y
    x = unit(x - (x @ z) * z)
    half = 0.5 * np.linalg.norm(lateral - medial)
    out = unit(0.75 * z + 0.45 * x)  # the greater tubercle looks sideways and ahead
    parts = [
        tube([head + 5 * z - 6 * y, head - 45 * y + 8 * z], [20, 13]),
        tube([head - 40 * y + 8 * z, 0.5 * (head + elbow) + 4 * z + 1 * x, elbow + 60 * y], [13, 10.5, 10]),
        ellipsoid(head + 15 * out - 3 * y, [13, 17, 13], axes),
        ellipsoid(head + 15 * x + 2 * z - 6 * y, [8, 12, 7], axes),
    ]
    flare = squeezed(tube([elbow + 62 * y, elbow + 16 * y], [10, 0.80 * half]), elbow, x, 0.52)
    parts += [flare]
    parts += [ellipsoid(elbow + s * (half - 9) * z + 3 * y, [9, 12, 9], axes) for s in (1, -1)]
    shaft = blend(parts, 12)
    wheel = blend(
        [
            tube([elbow - 0.55 * half * z + 2 * x, elbow + 2 * x - 2 * z], [11, 9]),
            ball(elbow + 0.5 * half * z + 4 * x, 10.5),
        ],
        5,
    )
    pit = ellipsoid(elbow + 15 * y - 13 * x, [9, 11, 12], axes)
    groove = tube([head + 26 * x + 12 * z + 6 * y, head + 18 * x + 12 * z - 40 * y], [4, 3])
    return blend([without(without(blend([shaft, wheel], 5), pit, 5), groove, 4), ball(head, 23.5)], 4)


def forearm(m: Marks) -> dict[str, Shape]:
    elbow, wrist, tip = m["elbow"], m["wrist"], m["olecranon"]
    radial, ulnar = m["radial_styloid"], m["ulnar_styloid"]
    y = unit(elbow - wrist)
    z = unit(m["lateral_humeral_epicondyle"] - m["medial_humeral_epicondyle"])
    x = unit(elbow - tip - ((elbow - tip) @ y) * y)  # ahead, away from the olecranon
    across = unit(radial - ulnar)
    point = tip + 8 * unit(elbow - tip)
    trunk = elbow - 5 * z - 17 * x
    end = ulnar + 7 * across + 5 * y
    shaft = tube(
        [trunk - 28 * y, elbow - 75 * y - 8 * z - 6 * x, 0.4 * elbow + 0.6 * wrist - 9 * across, end], [10, 8, 6.2, 7]
    )
    hook = tube([point - 2 * y, trunk - 12 * y, trunk - 30 * y], [10.5, 11, 11])
    beak = tube([trunk - 22 * y, elbow - 4 * z + 6 * x - 17 * y], [10, 7])
    ulna = blend([shaft, hook, beak, ball(end, 7.5), tube([end, ulnar + 4 * across - 3 * y], [5.5, 3.5])], 7)
    ulna = without(ulna, tube([elbow - 30 * z + 1 * x, elbow + 12 * z + 1 * x], [11, 11]), 3)
    head = elbow + 11 * z + 5 * x - 15 * y
    low = wrist + 6 * across + 9 * y
    bow = 0.5 * (elbow + wrist) + 10 * across + 4 * z
    shaft = tube([head - 14 * y, head - 34 * y, bow, wrist + 40 * y + 8 * across, low], [7, 7.5, 6.2, 8, 11.5])
    disc = squeezed(ellipsoid(head, [11, 11, 11]), head, y, 0.55)
    flare = squeezed(tube([low + 26 * y, low], [9, 14.5]), low, unit(np.cross(across, y)), 0.72)
    bump = ellipsoid(head - 30 * y - 5 * z + 2 * x, [6, 9, 6])
    styloid = tube([low + 6 * across, radial - 5 * across - 3 * y], [7, 4])
    radius = blend([shaft, disc, tube([head, head - 16 * y], 6.5), flare, bump, styloid], 6)
    return {"ulna": ulna, "radius": without(radius, ball(wrist - 19 * y + 2 * across, 21), 3)}


def hand(m: Marks) -> dict[str, Shape]:
    out: dict[str, Shape] = {}
    wrist, knuckle = m["wrist"], m["middle_mcp"]
    along = unit(knuckle - wrist)
    across = m["index_mcp"] - m["little_mcp"]
    across = unit(across - (across @ along) * along)
    axes = np.stack([np.cross(along, across), along, across], -1)
    length = np.linalg.norm(knuckle - wrist)
    scale = length / 92.0
    carpals = {
        "scaphoid": (11, 9, 7.5, 9, 6.5), "lunate": (9, -1, 7, 7.5, 6.5), "triquetrum": (13, -12, 6.5, 7, 6),
        "pisiform": (15, -15, 5, 5, 4.5), "trapezium": (22, 16, 7, 7, 6.5), "trapezoid": (24, 7.5, 6, 6.5, 5.5),
        "capitate": (20, -1.5, 6.5, 10.5, 6.5), "hamate": (21, -11, 6.5, 8, 6.5),
    }  # fmt: skip
    palm = (
        axes[:, 0]
        if axes[:, 0] @ (m["wrist"] - 0.5 * (m["metacarpal_head_3"] + m["metacarpal_head_2"])) > 0
        else -axes[:, 0]
    )
    for name, (forth, side, thick, long, wide) in carpals.items():
        arch = -2.5 + 0.018 * side**2 + (7 if name == "pisiform" else 0)
        place = wrist + scale * (forth * along + side * across + arch * palm)
        out[name] = box(place, scale * np.array([thick, long, wide]), 4.5 * scale, axes)
    for k, finger in enumerate(FINGERS):
        r = scale * (6.0, 5.4, 5.4, 4.9, 4.5)[k]
        if finger == "thumb":
            base, head = m["thumb_cmc"], m["thumb_mcp"]
            line, stops = [head, m["thumb_ip"], m["thumb_tip"]], ("proximal", "distal")
        else:
            head = m[f"{finger}_mcp"]
            base = wrist + scale * ((32, 32, 31, 30)[k - 1] * along + (10, 1.5, -6.5, -13.5)[k - 1] * across - 1 * palm)
            line = [head, m[f"{finger}_pip"], m[f"{finger}_dip"], m[f"{finger}_tip"]]
            stops = ("proximal", "middle", "distal")
        d = unit(head - base)
        a, b = base + 3 * d, head - 5 * d
        shaft = tube([a, 0.5 * (a + b) - 1.5 * palm, b], [0.95 * r, 0.62 * r, 0.9 * r])
        out[f"metacarpal_{k + 1}"] = blend([shaft, ball(a, 1.1 * r), ball(b, 1.18 * r)], 3)
        for name, p, q in zip(stops, line[:-1], line[1:], strict=True):
            d = unit(q - p)
            r_here = r * {"proximal": 0.92, "middle": 0.80, "distal": 0.66}[name]
            out[f"{finger}_{name}"] = phalanx(p + 1.0 * d + 0.5 * r_here * d, q - 2.0 * d - 0.4 * r_here * d, r_here)
    return out


def arm(m: Marks) -> dict[str, Shape]:
    """All bones of the left girdle, arm and hand by name, without a side."""
    return {"clavicle": clavicle(m), "scapula": scapula(m), "humerus": humerus(m), **forearm(m), **hand(m)}
