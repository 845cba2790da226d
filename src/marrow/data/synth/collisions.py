"""A fast test of whether a posed body runs into itself: rounded segments instead of skin.

Limbs are capsules between joint centres (two each, they taper), the trunk is a stack of level capsules as wide and deep
as the skin there, all read off the body at rest. It is a test for sampling poses: soft tissue that touches passes, and
so may a fingertip that lies in the skin (docs/synth.md says how many do).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marrow.data.synth._fast_collisions import around, overlaps
from marrow.data.synth.articulation import TREE
from marrow.types import Float64

if TYPE_CHECKING:
    from marrow.body.default import DefaultBody, Rest
    from marrow.skeleton import Skeleton

#: Limb part: segment, the landmarks of its ends, the shares of the line between that it takes.
_LIMBS: Mapping[str, tuple[str, str, str, float, float]] = {
    f"{name}_{s}": (f"{body}_{s}", f"{a}_{s}", f"{b}_{s}", low, high)
    for s in "rl"
    for name, body, a, b, low, high in (
        ("upper arm 1", "humerus", "shoulder", "elbow", 0.1, 0.5),
        ("upper arm 2", "humerus", "shoulder", "elbow", 0.5, 1.0),
        ("forearm 1", "ulna", "elbow", "wrist", 0.0, 0.5),
        ("forearm 2", "radius", "elbow", "wrist", 0.5, 1.0),
        ("hand", "hand", "wrist", "middle_mcp", 0.1, 1.0),
        ("thigh 0", "femur", "hip", "knee", 0.05, 0.25),
        ("thigh 1", "femur", "hip", "knee", 0.25, 0.6),
        ("thigh 2", "femur", "hip", "knee", 0.6, 1.0),
        ("shank 1", "tibia", "knee", "ankle", 0.0, 0.5),
        ("shank 2", "tibia", "knee", "ankle", 0.5, 1.0),
        ("foot", "calcn", "heel", "mtp", 0.15, 1.0),
    )
}
#: Fingers: segment and ends of thin capsules, in shares of the hand's breadth.
_FINGERS = {
    f"{name}_{s}": (f"{body}_{s}", f"{a}_{s}", f"{b}_{s}")
    for s in "rl"
    for name, body, a, b in (
        ("thumb 1", "thumb_proximal", "thumb_mcp", "thumb_ip"),
        ("thumb 2", "thumb_distal", "thumb_ip", "thumb_tip"),
        ("fingers 1", "middle_proximal", "middle_mcp", "middle_pip"),
        ("fingers 2", "middle_distal", "middle_dip", "middle_tip"),
        ("index 1", "index_proximal", "index_mcp", "index_pip"),
        ("index 2", "index_distal", "index_dip", "index_tip"),
        ("little 1", "little_proximal", "little_mcp", "little_pip"),
        ("little 2", "little_distal", "little_dip", "little_tip"),
    )
}
_FINGER_NAMES = tuple(name[:-2] for name in _FINGERS if name.endswith("_r"))
#: Level of the trunk: segment and the shares by which it stands between two landmarks, from the first up.
_TRUNK: Mapping[str, tuple[str, str, str, float]] = {
    "hips": ("pelvis", "hip_r", "l5_s1", 0.15),
    "crests": ("pelvis", "hip_r", "l5_s1", 1.0),
    "waist": ("lumbar", "l5_s1", "t12_l1", 0.5),
    "ribs": ("lumbar", "l5_s1", "t12_l1", 1.0),
    "low chest": ("torso", "t12_l1", "neck", 0.35),
    "chest": ("torso", "t12_l1", "neck", 0.6),
    "shoulders": ("torso", "t12_l1", "neck", 0.8),
}
#: Share of the radii's sum, and metres on a grown body, by which two may overlap: skin that touches gives way.
_SOFT, _SOFT_M = 0.03, 0.005
_GROWN = 1.7


@dataclass(frozen=True, eq=False)
class Solids:
    """Capsules of one body.

    Attributes:
        names: N parts.
        bodies: (N,) segment of each.
        ends: (N, 2, 3) metres, in that segment's frame.
        radius: (N,) metres.
        pairs: (P, 2) parts that must not meet.
        reach: (P,) metres: axes nearer than this collide.
    """

    names: tuple[str, ...]
    bodies: NDArray[np.intp]
    ends: Float64
    radius: Float64
    pairs: NDArray[np.int64]
    reach: Float64

    @functools.cached_property
    def families(self) -> dict[str, NDArray[np.bool_]]:
        """(P,) the pairs of an arm (``arm_r``, ``arm_l``) with anything but an arm, and of the legs with each other."""
        kind = np.array([_family(name) for name in self.names])
        a, b = kind[self.pairs[:, 0]], kind[self.pairs[:, 1]]
        arms = {s: (a == s) != (b == s) for s in ("arm_r", "arm_l")}
        between = np.isin(a, ["arm_r", "arm_l"]) & np.isin(b, ["arm_r", "arm_l"])
        legs = np.isin(a, ["leg_r", "leg_l"]) & np.isin(b, ["leg_r", "leg_l"]) & (a != b)
        return {s: own & ~between for s, own in arms.items()} | {"legs": legs}

    @functools.cached_property
    def trunk(self) -> NDArray[np.bool_]:
        """(N,) parts of the trunk below the neck."""
        return np.isin(self.names, list(_TRUNK))

    def placed(self, skeleton: Skeleton, q: Float64) -> Float64:
        """(..., N, 2, 3) ends in the world."""
        R, p = skeleton.forward(q)
        return self.ends @ np.swapaxes(R[..., self.bodies, :, :], -1, -2) + p[..., self.bodies, None, :]

    def depth(self, ends: Float64) -> Float64:
        """(..., P) metres by which the parts of each pair run into each other; negative where they are apart."""
        flat = np.ascontiguousarray(ends).reshape(-1, len(self.names), 2, 3)
        out = np.empty((len(flat), len(self.pairs)))
        overlaps(flat, self.pairs, self.reach, out)
        return out.reshape(*ends.shape[:-3], len(self.pairs))

    def lowest(self, ends: Float64) -> Float64:
        """(...,) height of the lowest point, metres."""
        return (ends[..., 1].min(-1) - self.radius).min(-1)


def solids(body: DefaultBody, rest: Rest) -> Solids:
    """Capsules of a body of known shape (about a millisecond)."""
    skeleton = rest.skeleton
    part = _parts(body)
    x = rest.vertices
    marks = rest.landmarks
    found: list[tuple[str, str, Float64, Float64, float]] = []
    for name, (segment, a, b, low, high) in _LIMBS.items():
        start, end = marks[a] + low * (marks[b] - marks[a]), marks[a] + high * (marks[b] - marks[a])
        own = x[part[name]]
        centre = np.empty(3)  # flesh is not centred on the bone
        radius = float(around(own, start, end, centre))
        start, end = start + centre, end + centre
        found.append((name, segment, start, end, radius))
    for name, (segment, a, b) in _FINGERS.items():
        width = math.dist(marks[f"index_mcp_{name[-1]}"], marks[f"little_mcp_{name[-1]}"])
        found.append((name, segment, marks[a], marks[b], 0.16 * width))
    trunk = x[part["trunk"]].astype(np.float64)
    for name, (segment, a, b, share) in _TRUNK.items():
        y = marks[a][1] + share * (marks[b][1] - marks[a][1])
        own = trunk[np.abs(trunk[:, 1] - y) < 0.012 * marks["head_top"][1]]
        left, right = _quantiles(own[:, 0], (0.01, 0.99))
        back, front = _quantiles(own[:, 2], (0.02, 0.98))
        radius = min(front - back, right - left) / 2.0
        middle = np.array([(left + right) / 2.0, y, (back + front) / 2.0])
        out = np.array([max((right - left) / 2.0 - radius, 0.0), 0.0, 0.0])
        found.append((name, segment, middle - out, middle + out, radius))
    head = x[part["head"]].astype(np.float64)
    up = marks["head_top"] - marks["head"]
    width, depth = np.ptp(head[:, 0]), np.ptp(head[:, 2])
    radius = 0.5 * min(0.88 * float(width), float(depth))
    middle = np.array([0.0, head[:, 1].min(), head[:, 2].mean()])
    top = np.array([0.0, marks["head_top"][1] - radius, middle[2]])
    found.append(("head", "head", np.array([0.0, marks["head"][1] + 0.25 * up[1], top[2]]), top, radius))
    found.append(("neck", "torso", marks["neck"], marks["head"], 0.4 * radius))
    names = tuple(f[0] for f in found)
    bodies = np.array([skeleton.body_index(f[1]) for f in found], np.intp)
    ends = np.array([(f[2], f[3]) for f in found])
    R, p = skeleton.bind[bodies, :3, :3], skeleton.bind[bodies, :3, 3]
    local = (ends - p[:, None]) @ R
    radii = np.array([f[4] for f in found])
    pairs = _pairs(names)
    total = radii[pairs].sum(1)
    size = marks["head_top"][1] / _GROWN
    soft = _SOFT * total + _SOFT_M * size
    return Solids(names, bodies, local, radii, pairs, total - soft)


def _quantiles(values: Float64, at: tuple[float, float]) -> tuple[float, float]:
    """``np.quantile`` without its overhead."""
    x = np.sort(values)
    places = [(int(q * (len(x) - 1)), q * (len(x) - 1)) for q in at]
    low, high = (float(x[k] + (place - k) * (x[min(k + 1, len(x) - 1)] - x[k])) for k, place in places)
    return low, high


def scaled(of: Solids, skeleton: Skeleton, own: Skeleton) -> Solids:
    """The solids of the body that ``own`` is inside of, on another skeleton: each as much larger as its segment is."""
    size, mine = _sizes(skeleton), _sizes(own)
    factor = size[of.bodies] / mine[of.bodies]
    radius = of.radius * factor
    reach = of.reach * factor[of.pairs].mean(1)
    return Solids(of.names, of.bodies, of.ends * factor[:, None, None], radius, of.pairs, reach)


def _sizes(skeleton: Skeleton) -> Float64:
    """(B,) metres: how far the next joints are from a segment's origin, or it from its parent's."""
    length = np.linalg.norm(skeleton.offsets, axis=1)
    length[0] = np.linalg.norm(skeleton.offsets[skeleton.body_index("femur_r")])
    out = length.copy()
    for b, parent in enumerate(skeleton.parents):
        if parent > 0:
            out[parent] = max(out[parent], length[b])
    return np.maximum(out, 1e-3)


@functools.cache
def _parts(body: DefaultBody) -> dict[str, NDArray[np.intp]]:
    """Part to every third of the vertices that mostly follow it."""
    weights = body.skin_weights(TREE.bodies)
    count = np.diff(weights.start)
    row = np.repeat(np.arange(len(count)), count)
    order = np.lexsort((weights.weight, row))
    owner = weights.body[order[np.cumsum(count) - 1]]
    chosen = np.arange(len(owner))[::3]
    of = {name: i for i, name in enumerate(TREE.bodies)}

    def members(*names: str) -> NDArray[np.intp]:
        return chosen[np.isin(owner[chosen], [of[n] for n in names])]

    out = {name: members(row[0]) for name, row in _LIMBS.items()}
    for s in "rl":
        for name in (f"forearm 1_{s}", f"forearm 2_{s}"):
            out[name] = members(f"ulna_{s}", f"radius_{s}")
    out["trunk"] = members("pelvis", "lumbar_arc", "lumbar", "thorax_arc", "torso", "clavicle_r", "clavicle_l")
    out["head"] = members("head")
    return out


def _family(name: str) -> str:
    if name[-2:] not in ("_r", "_l"):
        return "trunk"
    return ("leg" if name.startswith(("thigh", "shank", "foot")) else "arm") + name[-2:]


@functools.cache
def _pairs(names: tuple[str, ...]) -> NDArray[np.int64]:
    """(P, 2) pairs of parts that have no common joint and can meet."""
    kind = [n[:-2] if n[-2:] in ("_r", "_l") else n for n in names]
    side = [n[-1] if n[-2:] in ("_r", "_l") else "" for n in names]
    arm = ("upper arm 1", "upper arm 2", "forearm 1", "forearm 2", "hand", *_FINGER_NAMES)
    leg = ("thigh 0", "thigh 1", "thigh 2", "shank 1", "shank 2", "foot")
    trunk = tuple(_TRUNK)

    def meet(i: int, j: int) -> bool:
        a, b = kind[i], kind[j]
        if a in arm and b in arm:
            if side[i] != side[j]:
                return True
            return {a, b} in ({"upper arm 1", "forearm 2"}, {"upper arm 1", "hand"})
        if "thigh 0" in (a, b) and not {a, b} & set(arm):  # the groin folds
            return False
        if a in leg and b in leg:
            return side[i] != side[j] or {a, b} in ({"thigh 1", "shank 2"}, {"thigh 1", "foot"})
        if {a, b} & set(arm) and {a, b} & set(leg):
            return not ({"upper arm 1"} & {a, b})
        limb, other = (a, b) if a in arm or a in leg else (b, a)
        if limb in arm and (other in trunk or other in ("head", "neck")):
            if limb == "upper arm 1":  # the armpit closes
                return other in ("head", "waist", "crests")
            return not (limb == "upper arm 2" and other == "neck")
        if limb in leg and other in trunk:
            if limb == "thigh 1":
                return False
            if limb == "thigh 2":
                return other in ("waist", "ribs", "low chest", "chest", "shoulders")
            return True
        return limb in leg and other in ("head", "neck")

    return np.array([(i, j) for i in range(len(names)) for j in range(i) if meet(i, j)], np.int64)


def distance(a: Float64, b: Float64, c: Float64, d: Float64) -> Float64:
    """(...,) least distance between the segments a-b and c-d (..., 3) (Ericson 2005, Real-Time Collision Detection)."""
    u, v, w = b - a, d - c, a - c
    A, E, F = (u * u).sum(-1), (v * v).sum(-1), (v * w).sum(-1)
    B, C = (u * v).sum(-1), (u * w).sum(-1)
    A, E = np.maximum(A, 1e-12), np.maximum(E, 1e-12)
    down = A * E - B * B
    s = np.where(down > 1e-9 * A * E, np.clip((B * F - C * E) / np.maximum(down, 1e-18), 0.0, 1.0), 0.0)
    t = np.clip((B * s + F) / E, 0.0, 1.0)
    s = np.clip((B * t - C) / A, 0.0, 1.0)
    apart = w + s[..., None] * u - t[..., None] * v
    return np.sqrt((apart * apart).sum(-1))
