"""Skull and lower jaw of the reference body (millimetres)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from shapes import Shape, ball, blend, box, ellipsoid, sheet, squeezed, tube, without

Marks = Mapping[str, np.ndarray]


def skull(m: Marks) -> Shape:
    brow, back, top, wide = m["glabella"], m["occiput"], m["vertex"], m["euryon"][0]
    nose, lip, ear, cheek, nape = m["sellion"], m["subnasale"], m["tragus"], m["zygion"], m["inion"]
    length = brow[2] - back[2]
    middle = np.array([0.0, 0.5 * (brow[1] + back[1]) + 6, 0.5 * (brow[2] + back[2])])
    vault = [
        ellipsoid(middle + [0, 4, -0.04 * length], [wide, top[1] - middle[1] - 4, 0.46 * length]),
        ellipsoid(middle + [0, 10, 0.16 * length], [0.86 * wide, top[1] - middle[1] - 14, 0.33 * length]),
        ellipsoid(middle + [0, -8, -0.24 * length], [0.86 * wide, 46, 0.26 * length]),
        ellipsoid(middle + [0, -34, -0.10 * length], [0.72 * wide, 26, 0.30 * length]),
    ]
    head = blend(vault, 26)
    ridge = tube(
        [
            [-36, brow[1] - 8, brow[2] - 18],
            [-17, brow[1] + 1, brow[2] - 5],
            [17, brow[1] + 1, brow[2] - 5],
            [36, brow[1] - 8, brow[2] - 18],
        ],
        [7, 6, 6, 7],
    )
    bridge = tube([nose + [0, 0, -6], nose + [0, -14, -1]], [6.5, 4.5])
    upper = lip + [0, -2, -12]
    maxilla = [
        ellipsoid(upper + [0, 7, -17], [24, 17, 20]),
        squeezed(
            tube([upper + [-18, -6, -24], upper + [-11, -6, -5], upper + [11, -6, -5], upper + [18, -6, -24]], 7.5),
            upper,
            [0, 1, 0],
            1.3,
        ),
        tube([upper + [0, 9, 0], upper + [0, 6, 6]], [5, 2.5]),
    ]
    parts = [head, ridge, bridge, *maxilla]
    for s in (1, -1):
        side = np.array([s, 1, 1])
        bone = (cheek + [-5, -1, 0]) * side
        front = np.array([s * 36, cheek[1] - 2, lip[2] - 26])
        parts += [
            tube([front, bone + [-s * 3, 0, 10], bone, (ear + [-10, 3, 4]) * side], [8.5, 5.5, 4, 5]),
            tube([front, [s * 40, brow[1] - 14, brow[2] - 22]], [8, 6]),
            tube([front, upper + [s * 14, 2, -8]], [9, 9]),
            ellipsoid((ear + [-14, -16, -14]) * side, [9, 17, 11]),
        ]
    solid = blend(parts, 10)
    for s in (1, -1):
        orbit = np.array([s * 31, brow[1] - 22, brow[2] - 8])
        cone = tube([orbit + [s * 2, 0, 8], orbit + [-s * 8, 2, -26]], [18.5, 7])
        solid = without(solid, squeezed(cone, orbit, [0, 1, 0], 0.92), 5)
        temple = ellipsoid([s * (wide + 8), brow[1] - 14, brow[2] - 40], [14, 26, 22])
        solid = without(solid, temple, 10)
        under = ellipsoid([s * 38, upper[1] - 6, upper[2] - 42], [15, 22, 20])
        solid = without(solid, under, 8)
    opening = np.array([0.0, lip[1] + 16, lip[2] - 5])
    pear = blend([tube([opening + [s * 6.5, -5, 6], opening + [s * 5, -5, -24]], 6.5) for s in (1, -1)], 4)
    pear = blend([pear, tube([opening + [0, 9, 6], opening + [0, 5, -24]], [4.5, 4])], 8)
    solid = without(solid, pear, 3)
    hole = np.array([0.0, nape[1] - 14, m["head"][2] - 4])
    solid = without(solid, tube([hole + [0, -50, 6], hole + [0, 8, 0]], [15, 15]), 5)
    return _with_teeth(solid, upper + [0, -17, 4])


def jaw(m: Marks) -> Shape:
    chin, angle, ear = m["menton"], m["gonion"], m["tragus"]
    chin = chin + [0, 3, -8]
    parts = []
    for s in (1, -1):
        side = np.array([s, 1, 1])
        corner = (angle + [-4, 2, 2]) * side
        knob = (ear + [-10, -4, 14]) * side
        beak = (ear + [-13, -6, 34]) * side
        row = np.array([s * 20, chin[1] + 22, chin[2] - 24])
        parts.append(
            tube([chin, chin + [s * 17, 0, -6], 0.5 * (chin + corner) + [s * 8, 1, 2], corner], [9.5, 9, 8, 6])
        )
        parts.append(tube([chin + [0, 9, -3], chin + [s * 13, 10, -8], row + [0, -8, 0], row + [s * 4, -5, -16]], 6.5))
        branch = [[corner + [0, 0, -2], corner + [0, 2, 12], row + [s * 5, -8, -20]],
                  [0.5 * (corner + knob), 0.5 * (corner + beak) + [0, 2, 4], row + [s * 6, 8, -20]],
                  [knob, 0.5 * (knob + beak) + [0, -9, 0], beak]]  # fmt: skip
        parts.append(sheet(branch, np.array([[4.5, 4, 4], [4, 3, 3], [4.5, 3, 3]])))
        parts.append(squeezed(ball(knob, 7.5), knob, [0, 0, 1], 0.7))
    solid = blend([*parts, ellipsoid(chin + [0, -1, 3], [15, 9, 7])], 7)
    return _with_teeth(solid, chin + [0, 19, 4])


#: Widths of the teeth from the middle outwards, millimetres.
_TEETH = (8.0, 6.6, 7.4, 7.0, 7.0, 9.6, 9.0)


def _with_teeth(solid: Shape, front: np.ndarray) -> Shape:
    """A row of teeth on an elliptic arch whose front middle is given."""
    a = np.linspace(0.0, 1.9, 200)
    arch = np.stack([24.5 * np.sin(a), 0 * a, -36.0 * (1 - np.cos(a))], -1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))])
    ends = np.cumsum(_TEETH)
    teeth = []
    for s in (1, -1):
        for width, end in zip(_TEETH, ends, strict=True):
            at = np.array([np.interp(end - 0.5 * width, length, arch[:, i]) for i in range(3)])
            ahead = np.array([np.interp(end - 0.5 * width + 0.5, length, arch[:, i]) for i in range(3)]) - at
            x = ahead / np.linalg.norm(ahead) * [s, 1, 1]
            axes = np.stack([x, [0.0, 1.0, 0.0], np.cross(x, [0.0, 1.0, 0.0])], -1)
            teeth.append(box(front + at * [s, 1, 1], [0.47 * width, 5.5, 3.0 + 0.12 * width], 1.6, axes))
    return blend([solid, blend(teeth, 0.3)], 1.5)


def bones(m: Marks) -> dict[str, Shape]:
    """Skull and lower jaw by name."""
    return {"skull": skull(m), "mandible": jaw(m)}
