"""What the sampled poses know of the skeleton: mirrored coordinates, headings, and the shoulder girdle's rhythm.

Everything here is in the order of :data:`NAMES`, the coordinates of the whole skeleton with fingers, radians and metres
(OpenSim's ground: X ahead, Y up, Z to the right), and takes leading dimensions (frames).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.geometry import rotations
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.tree import relaxed, whole
from marrow.types import Float64

TREE = whole()
NAMES: tuple[str, ...] = TREE.coordinates
AT = {name: i for i, name in enumerate(NAMES)}
LOW, HIGH = TREE.ranges[:, 0], TREE.ranges[:, 1]
#: Coordinates with a range: all but the pelvis'.
RANGED = np.isfinite(LOW)

_TURNED_IN = 60.0  # degrees by which relaxed forearms are pronated

#: Clavicle: degrees it rises between the two elevations of the humerus against the thorax (Ludewig et al. 2009 measured
#: 6 to 15 of true elevation at 120 degrees; with the scapula's followers this gives the 2:1 rhythm of Inman et al.
#: 1944), and degrees it comes forward with a level arm reaching straight ahead, or back with one raised sideways.
_RISE, _FROM, _TO = 24.0, 30.0, 160.0
_AHEAD, _BACK = 14.0, -9.0


def at(names: Sequence[str]) -> NDArray[np.intp]:
    """Indices of coordinates by name."""
    return np.array([AT[name] for name in names], np.intp)


PELVIS = slice(0, 6)
_GH = {s: at([f"gh_{n}_{s}" for n in ("flex", "add", "rot")]) for s in "rl"}
_CLAVICLE = {s: at([f"clav_{n}_{s}" for n in ("protraction", "elevation")]) for s in "rl"}
_SCAPULA = {s: at([f"scap_{n}_{s}" for n in ("protraction", "upward", "tilt")]) for s in "rl"}
LEGS = at([n for n in NAMES if n.startswith(("hip_", "knee_", "ankle_", "subtalar_", "mtp_"))])
TRUNK = at([n for n in NAMES if n.startswith(("lumbar_", "thorax_"))])
NECK = at([n for n in NAMES if n.startswith("neck_")])
_OF_ARM = ("clav_", "scap_", "gh_", "elbow_", "pro_", "wrist_")
ARMS = {s: at([n for n in NAMES if n.endswith(f"_{s}") and n.startswith(_OF_ARM)]) for s in "rl"}


def _mirror() -> tuple[NDArray[np.intp], Float64]:
    source, sign = np.arange(len(NAMES)), np.ones(len(NAMES))
    for i, name in enumerate(NAMES):
        if name[-2:] in ("_r", "_l"):
            source[i] = AT[name[:-1] + ("l" if name.endswith("r") else "r")]
        else:  # a turn about the lateral axis stays, and so does a move in the midplane
            lateral = abs(TREE.axes[i][2]) > 0.5
            sign[i] = (-1.0 if lateral else 1.0) if name == "pelvis_tz" else (1.0 if lateral else -1.0)
            if name in ("pelvis_tx", "pelvis_ty"):
                sign[i] = 1.0
    return source, sign


_SOURCE, _SIGN = _mirror()
_FOLLOWERS = [(AT[f.name], AT[f.leader], f.ratio) for f in FOLLOWERS]
_BALLS = [(first, signs) for _, first, signs in TREE.balls]


def mirrored(q: Float64) -> Float64:
    """The poses (..., D) seen in a mirror: right and left exchanged."""
    return _SIGN * q[..., _SOURCE]


def at_ease() -> Float64:
    """(D,) standing with relaxed hands, the forearms half turned in."""
    return _at_ease().copy()


@functools.cache
def _at_ease() -> Float64:
    q = relaxed(NAMES)
    q[[AT["pro_sup_r"], AT["pro_sup_l"]]] = np.radians(_TURNED_IN)
    return q


def full(coordinates: tuple[str, ...], q: Float64) -> Float64:
    """Poses (..., D) of a clip's columns (..., C): the rest at ease, but what goes along with a column does so."""
    out = np.broadcast_to(at_ease(), (*q.shape[:-1], len(NAMES))).copy()
    out[..., at(coordinates)] = q
    for follower, leader, ratio in _FOLLOWERS:
        if NAMES[leader] in coordinates and NAMES[follower] not in coordinates:
            out[..., follower] = ratio * out[..., leader]
    return out


def within(q: Float64) -> Float64:
    """The poses (..., D) with every coordinate in its range; an arm is first read as its ranges have it."""
    q = q.copy()
    for s in "rl":
        q[..., _GH[s]] = _reading(q[..., _GH[s]], s)
    return np.where(RANGED, np.clip(q, LOW, HIGH), q)


def turned(q: Float64, angle: Float64 | float) -> Float64:
    """The poses (..., D), turned and moved by an angle about the ground's vertical."""
    q, (first, signs) = q.copy(), _BALLS[0]
    Ry = rotations.rotation_y(angle)
    R = Ry @ rotations.from_euler_zxy(signs * q[..., first : first + 3])
    q[..., first : first + 3] = signs * rotations.euler_zxy(R)
    q[..., 3:6] = (Ry @ q[..., 3:6, None])[..., 0]
    return q


def heading(q: Float64) -> Float64:
    """(...,) angle about the vertical from the ground's X to where the pelvis faces; of one that lies, to its head."""
    first, signs = _BALLS[0]
    R = rotations.from_euler_zxy(signs * q[..., first : first + 3])
    ahead, up = R[..., :, 0], R[..., :, 1]
    level = np.hypot(ahead[..., 0], ahead[..., 2]) > 0.4
    way = np.where(level[..., None], ahead, up)
    return np.arctan2(-way[..., 2], way[..., 0])


def facing_ahead(q: Float64) -> Float64:
    """The poses (..., D), each turned to face ahead, the pelvis above the origin."""
    q = turned(q, -heading(q))
    q[..., [3, 5]] = 0.0
    return q


def humerus(q: Float64, side: str) -> Float64:
    """(..., 3, 3) humerus against the rib cage."""
    return _girdle(q, side) @ _ball(q[..., _GH[side]], side)


def with_humerus(q: Float64, side: str, R: Float64) -> Float64:
    """The poses with the humerus at R (..., 3, 3) against the rib cage, collar bone and shoulder blade going along.

    The rhythm is that of raising an arm: see the figures above. A clavicle's own coordinates are overwritten.
    """
    q = q.copy()
    out = 1.0 if side == "r" else -1.0
    along = -R[..., :, 1]
    raised = np.degrees(np.arccos(np.clip(-along[..., 1], -1.0, 1.0)))
    share = np.clip((raised - _FROM) / (_TO - _FROM), 0.0, 1.0)
    rise = _RISE * share * share * (3.0 - 2.0 * share) ** 0.5
    # ahead: how far the arm points forward or across; sideways: how far outward and back
    ahead, sideways = along[..., 0], out * along[..., 2]
    forward = _AHEAD * np.clip(ahead + 0.5 * np.maximum(-sideways, 0.0), 0.0, 1.0)
    back = _BACK * np.clip(sideways - np.maximum(ahead, 0.0), 0.0, 1.0) + 6.0 * np.minimum(ahead, 0.0)
    protraction, elevation = _CLAVICLE[side]
    q[..., protraction] = np.radians(forward + back)
    q[..., elevation] = np.radians(rise)
    for follower, leader, ratio in _FOLLOWERS:
        if leader == elevation:
            q[..., follower] = ratio * q[..., leader]
    angles = _signs(side) * rotations.euler_zxy(np.swapaxes(_girdle(q, side), -1, -2) @ R)
    q[..., _GH[side]] = _reading(angles, side)
    return q


def with_girdle(q: Float64) -> Float64:
    """The poses with collar bones and shoulder blades where raised arms take them; the humeri stay as they are."""
    for s in "rl":
        q = with_humerus(q, s, humerus(q, s))
    return q


def smooth_arms(q: Float64) -> Float64:
    """Poses (T, D) with the angles of pelvis, hips and arms on the branch nearest to the frame before."""
    q = q.copy()
    for first, signs in _BALLS:
        slot = slice(first, first + 3)
        q[:, slot] = signs * rotations.unwrap_zxy(signs * q[:, slot])
    return q


def _girdle(q: Float64, side: str) -> Float64:
    """(..., 3, 3) shoulder blade against the rib cage."""
    of = [*_CLAVICLE[side], *_SCAPULA[side]]
    steps = rotations.exp(TREE.axes[of] * q[..., of, None])
    return functools.reduce(np.matmul, np.moveaxis(steps, -3, 0))


def _signs(side: str) -> Float64:
    return next(signs for first, signs in _BALLS if first == _GH[side][0])


def _ball(angles: Float64, side: str) -> Float64:
    return rotations.from_euler_zxy(_signs(side) * angles)


def _reading(angles: Float64, side: str) -> Float64:
    """Of the two Z-X-Y readings (..., 3) of one rotation the one that leaves its ranges less."""
    slot = _GH[side]
    turn = 2.0 * np.pi

    def wrapped(a: Float64) -> Float64:
        return (a + np.pi) % turn - np.pi

    one = wrapped(angles)
    other = wrapped(np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], -1))

    def excess(a: Float64) -> Float64:
        return np.maximum(np.maximum(LOW[slot] - a, a - HIGH[slot]), 0.0).sum(-1) + 1e-3 * np.abs(a).sum(-1)

    return np.where((excess(other) < excess(one))[..., None], other, one)
