"""Bones as parameters of their own: lengths and widths of the skeleton change, the soft tissue around it does not.

After ATLAS (Park et al. 2025, arXiv 2508.15767), which parts a body into a skeleton and a surface. Here a bone lies
between two joint centres and has a stretch. Space is stretched along the bone between its two ends only: what lies
beyond either end is carried along unchanged, and nothing moves across the bone, so a limb of another length keeps its
girths. Each point of the skin goes with its limbs as its skinning weights say. Joint centres are carried, not found
anew from the skin, so a length is met exactly and no other one changes.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body import shape
from marrow.body.shape import LOG_BONE, LOG_RANGE, limb_of
from marrow.errors import InputError
from marrow.types import Float64


class BoneLengthError(InputError):
    """A length that a bone of this body cannot have: asked for, what it can have, and its own, in metres."""

    def __init__(self, name: str, length: float, limits: tuple[float, float], own: float) -> None:
        self.name, self.length, self.limits, self.own = name, length, limits, own
        low, high = limits
        hint = " Lengths are in metres." if any(low <= length * unit <= high for unit in (0.01, 0.001)) else ""
        super().__init__(f"{self.told('m', 1.0)}.{hint}")

    def told(self, unit: str, factor: float) -> str:
        """The message in another unit, of which ``factor`` make a metre."""
        low, high, own = (f"{value * factor:.{3 if unit == 'm' else 1}f}" for value in (*self.limits, self.own))
        return (
            f"bones: {self.name} of {self.length * factor:g} {unit} ({BONES[_split(self.name)[0]].what}) is outside "
            f"what this body can have: {low} to {high} {unit}; its own is {own} {unit}"
        )


@dataclass(frozen=True)
class Bone:
    """A bone, or what is taken for one.

    Attributes:
        limb: of :data:`marrow.body.shape.LIMBS`, whose skin goes with it.
        above: the limb that this one hangs on.
        ends: the two joint centres whose distance is its length.
        pivot: the point that the stretch leaves where the limb above puts it.
        direction: "along" the line between its ends, "level" (that line without its rise) or "across" the body.
        what: it is, in words.
    """

    limb: str
    above: str | None
    ends: tuple[str, str]
    pivot: str
    direction: str
    what: str


_MIDLINE = {
    "hips": Bone("hips", None, ("hip_r", "hip_l"), "pelvis", "across", "hip to hip: width of the pelvis"),
    "spine": Bone("trunk", "hips", ("l5_s1", "neck"), "l5_s1", "along", "sacrum (L5/S1) to neck (C7/T1)"),
    "neck": Bone("neck", "trunk", ("neck", "head"), "neck", "along", "C7/T1 to the skull"),
}
_SIDED = {
    "shoulders": Bone("shoulders", "trunk", ("shoulder_r", "shoulder_l"), "clavicle", "across", "shoulder to shoulder"),
    "humerus": Bone("upper_arm", "shoulders", ("shoulder", "elbow"), "shoulder", "along", "shoulder to elbow"),
    "radius": Bone("forearm", "upper_arm", ("elbow", "wrist"), "elbow", "along", "elbow to wrist"),
    "hand": Bone("hand", "forearm", ("wrist", "hand"), "wrist", "along", "wrist to middle knuckle; fingers go along"),
    "femur": Bone("thigh", "hips", ("hip", "knee"), "hip", "along", "hip to knee"),
    "tibia": Bone("shank", "thigh", ("knee", "ankle"), "knee", "along", "knee to ankle"),
    "foot": Bone("foot", "shank", ("heel", "toe_tip"), "ankle", "level", "heel to tip of the big toe"),
}

#: Bones by the names that ``DefaultBody.rest(bones=…)`` takes without a side; all but the midline's and the widths have
#: ``_r`` and ``_l`` as well.
BONES: Mapping[str, Bone] = _MIDLINE | _SIDED

#: Bones with their sides: those with a length of their own.
NAMES: tuple[str, ...] = shape.BONES

#: Limb to the landmarks, without side, that it carries; a joint centre goes with the limb above it.
_CARRIED: Mapping[str, tuple[str, ...]] = {
    "hips": ("pelvis", "hip", "lumbar", "l5_s1"),
    "trunk": ("l5_body", "t12_body", "t12_l1", "t8_body", "c7_body", "neck", "clavicle"),
    "neck": ("head",),
    "head": ("head_top",),
    "shoulders": ("acromioclavicular", "shoulder"),
    "upper_arm": ("elbow",),
    "forearm": ("wrist",),
    "thigh": ("knee",),
    "shank": ("ankle",),
    "foot": ("subtalar", "mtp", "heel", "toe_tip"),
}
_LIMB_OF_LANDMARK = {name: limb for limb, names in _CARRIED.items() for name in names}

#: A limb of one side ("" in the middle).
_Key = tuple[str, str]


def bone_lengths(landmarks: Mapping[str, Float64]) -> dict[str, float]:
    """Length of every bone of :data:`NAMES` in metres.

    Args:
        landmarks: joint centres by name (3,), as ``rest.landmarks`` has them.
    """
    return {name: float(np.linalg.norm(np.subtract(*(landmarks[end] for end in ends_of(name))))) for name in NAMES}


def ends_of(name: str) -> tuple[str, str]:
    """The two joint centres that a bone of :data:`NAMES` lies between."""
    stem, side = _split(name)
    first, last = BONES[stem].ends
    return (f"{first}_{side}", f"{last}_{side}") if side else (first, last)


def stretches(
    asked: Mapping[str, float], landmarks: Mapping[str, Float64], held: Mapping[str, float]
) -> dict[str, float]:
    """Shape parameters ``log_bone_*`` that give bones the lengths asked for.

    Args:
        asked: name of :data:`BONES`, with or without side, to metres; a name with its side outweighs one without.
        landmarks: of the body before any stretch of bones.
        held: ``log_bone_*`` of the other bones.

    Raises:
        InputError: an unknown name, a length that is not a finite number, or one outside what the body can have.
    """
    wanted = _sided(asked)
    out = dict(held)
    for name, length in wanted.items():
        # One at a time and in order: the width of the shoulders alone follows from another bone, the spine before it.
        low, high = (_length(name, landmarks, {**out, LOG_BONE + name: end}) for end in (-LOG_RANGE, LOG_RANGE))
        if not low <= length <= high:
            raise BoneLengthError(name, length, (low, high), bone_lengths(landmarks)[name])
        out[LOG_BONE + name] = _solved(name, length, landmarks, out)
    return {LOG_BONE + name: out[LOG_BONE + name] for name in wanted}


def _solved(name: str, length: float, landmarks: Mapping[str, Float64], held: Mapping[str, float]) -> float:
    """The stretch that gives a length: Newton on a function that is all but linear in the factor."""
    factor = 1.0
    for _ in range(20):
        now, more = (_length(name, landmarks, {**held, LOG_BONE + name: math.log(f)}) for f in (factor, factor + 1e-3))
        step = (length - now) / (more - now) * 1e-3
        factor = min(max(factor + step, 0.5), 2.0)
        if abs(step) < 1e-12:
            break
    return math.log(factor)


def _length(name: str, landmarks: Mapping[str, Float64], values: Mapping[str, float]) -> float:
    return bone_lengths(carried(landmarks, values))[name]


def _sided(asked: Mapping[str, float]) -> dict[str, float]:
    """Lengths by name of :data:`NAMES`, in its order."""
    both: dict[str, float] = {}
    own: dict[str, float] = {}
    known = sorted({*NAMES, *BONES})
    for name, value in asked.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise InputError(f"bones: no bone {name!r}; did you mean {', '.join(near or known)}?")
        try:
            length = float(value)
        except (TypeError, ValueError):
            raise InputError(f"bones: {name}: expected a length in metres, got {value!r}") from None
        if not math.isfinite(length):
            raise InputError(f"bones: {name}: expected a length in metres, got {value!r}")
        if name in NAMES:
            own[name] = length
        else:
            both |= {f"{name}_{side}": length for side in "rl"}
    wanted = both | own
    return {name: wanted[name] for name in NAMES if name in wanted}


def _split(name: str) -> tuple[str, str]:
    stem, _, side = name.rpartition("_")
    return (stem, side) if side in ("r", "l") and stem in BONES else (name, "")


# -- the stretch itself -----------------------------------------------------------------------------------------------


def is_stretched(values: Mapping[str, float]) -> bool:
    """Whether shape parameters stretch any bone."""
    return any(values.get(LOG_BONE + name, 0.0) != 0.0 for name in NAMES)


def carried(landmarks: Mapping[str, Float64], values: Mapping[str, float]) -> dict[str, Float64]:
    """Landmarks (3,) of the body with its bones stretched as ``values`` (``log_bone_*``) say; it may not stand yet."""
    moves = _Moves(landmarks, values)
    return {name: x + moves(_key_of_landmark(name), x[None])[0] for name, x in landmarks.items()}


class BoneStretch:
    """Stretches the bones of bodies whose skin goes with the rig's bones.

    Args:
        bones: names of the rig's N bones.
        share: (n, N) of each vertex in the rig's bones; sparse or dense, rows sum to one.
    """

    def __init__(self, bones: Sequence[str], share: Any) -> None:
        keys = [(limb_of(name), _side(name)) for name in bones]
        self._keys = list(dict.fromkeys(keys))
        self._of_bone = np.array([self._keys.index(key) for key in keys])
        group = (self._of_bone[:, None] == np.arange(len(self._keys))).astype(float)
        self._share = np.asarray(share @ group, float)

    def __call__(
        self, vertices: NDArray, heads: Float64, landmarks: Mapping[str, Float64], values: Mapping[str, float]
    ) -> tuple[NDArray, Float64, dict[str, Float64]]:
        """Vertices (n, 3), heads (N, 3) and landmarks with the bones stretched as ``values`` say, in place of those."""
        moves = _Moves(landmarks, values)
        x = vertices.astype(float)
        skin, moved = x.copy(), heads.copy()
        for i, key in enumerate(self._keys):
            there = np.flatnonzero(self._share[:, i])
            skin[there] += self._share[there, i, None] * moves(key, x[there])
            mine = self._of_bone == i
            moved[mine] += moves(key, heads[mine])
        return skin.astype(vertices.dtype), moved, carried(landmarks, values)


class _Moves:
    """How far each limb carries a point."""

    def __init__(self, landmarks: Mapping[str, Float64], values: Mapping[str, float]) -> None:
        self._landmarks, self._values = landmarks, values
        self._bases: dict[_Key, Float64] = {}

    def __call__(self, key: _Key, x: Float64) -> Float64:
        """(n, 3) by which the limb carries points (n, 3) of the body before."""
        limb, side = key
        base, name = self._base(key), _OF_LIMB.get(limb)  # the head has none: it goes with what it sits on
        log = 0.0 if name is None else self._values.get(LOG_BONE + (name if name in NAMES else f"{name}_{side}"), 0.0)
        if name is None or log == 0.0:
            return np.broadcast_to(base, x.shape)
        bone, factor = BONES[name], math.exp(log)
        along, start, length = self._span(bone, side)
        reach = np.clip((x - start) @ along, 0.0, length)
        still = np.clip((self._at(bone.pivot, side) - start) @ along, 0.0, length)
        return base + (factor - 1.0) * (reach - still)[:, None] * along

    def _base(self, key: _Key) -> Float64:
        """(3,) by which the limb above carries the pivot."""
        if key not in self._bases:
            limb, side = key
            bone = BONES.get(_OF_LIMB.get(limb, ""))
            above, pivot = ("neck", "head") if bone is None else (bone.above, bone.pivot)
            if above is None:
                self._bases[key] = np.zeros(3)
            else:
                outer = (above, side if above in _SIDED_LIMBS else "")
                self._bases[key] = self(outer, self._at(pivot, side)[None])[0]
        return self._bases[key]

    def _span(self, bone: Bone, side: str) -> tuple[Float64, Float64, float]:
        """Unit vector, start (3,) and length of the stretch of space that a bone takes up."""
        if bone.limb == "shoulders":  # from the collar bone outwards, on each side
            start, end = self._at("clavicle", side), self._at("shoulder", side)
        else:
            start, end = (self._at(name, side) for name in bone.ends)
        line = end - start
        if bone.direction == "level":
            line = line * [1.0, 0.0, 1.0]
        elif bone.direction == "across":
            line = line * [1.0, 0.0, 0.0]
        length = float(np.linalg.norm(line))
        return line / length, start, length

    def _at(self, name: str, side: str) -> Float64:
        return self._landmarks[name] if name in self._landmarks else self._landmarks[f"{name}_{side}"]


_OF_LIMB: Mapping[str, str] = {bone.limb: name for name, bone in BONES.items()}
_SIDED_LIMBS = frozenset(bone.limb for bone in _SIDED.values())


def _side(bone: str) -> str:
    """Side of a bone of the rig's, where its limb has sides."""
    return bone[-1].lower() if bone.endswith((".L", ".R")) and limb_of(bone) in _SIDED_LIMBS else ""


@functools.cache
def _key_of_landmark(name: str) -> _Key:
    stem, side = (name[:-2], name[-1]) if name.endswith(("_r", "_l")) else (name, "")
    limb = _LIMB_OF_LANDMARK.get(stem, "hand")  # the fingers' own
    return (limb, side if limb in _SIDED_LIMBS else "")
