"""What a body's shape parameters mean: names, ranges, prior, and how they become blend coefficients and stretches.

Phenotypes follow Anny (Brégier et al. 2025, arXiv 2511.03589): each phenotype is interpolated linearly between its
anchors, and a shape row's coefficient is the product of the interpolation weights of the anchors that row belongs to.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body._store import Store
from marrow.errors import InputError

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A shape parameter: its default, allowed range, Gaussian prior (adult population), and what its values mean."""

    name: str
    default: float
    low: float
    high: float
    mean: float
    sd: float
    meaning: str = ""


# Prior of an adult population; sources in :func:`parameters`.
PHENOTYPES = (
    Parameter("gender", 0.5, 0.0, 1.0, 0.5, 0.30, "0 male, 1 female"),
    Parameter("age", 0.75, -1 / 3, 1.0, 0.75, 0.04, "-1/3 newborn, 0 baby, 1/3 child, 2/3 young adult, 1 old"),
    Parameter("muscle", 0.5, 0.0, 1.0, 0.5, 0.15, "0 least, 0.5 average, 1 most"),
    Parameter("weight", 0.5, 0.0, 1.0, 0.5, 0.15, "0 thinnest, 0.5 average, 1 heaviest"),
    Parameter("height", 0.375, 0.0, 1.0, 0.375, 0.08, "0 shortest, 1 tallest of that gender and age; not metres"),
    Parameter("proportions", 0.5, 0.0, 1.0, 0.5, 0.20, "0 ideal, 1 uncommon"),
)

#: Limbs that can be stretched: name -> bones (without side), and the direction: along the line between two bone heads
#: (from, to), along a world axis of the rest pose ("x"), or the same in all directions (None).
LIMBS: Mapping[str, tuple[tuple[str, ...], tuple[str, str] | str | None]] = {
    "trunk": (("spine05", "spine04", "spine03", "spine02", "spine01"), ("spine05", "neck01")),
    "shoulders": (("clavicle", "shoulder01"), "x"),
    "hips": (("root", "pelvis"), "x"),
    "neck": (("neck01", "neck02", "neck03"), ("neck01", "head")),
    "head": (("head", "eye"), None),
    "upper_arm": (("upperarm01", "upperarm02"), ("upperarm01", "lowerarm01")),
    "forearm": (("lowerarm01", "lowerarm02"), ("lowerarm01", "wrist")),
    "hand": (("wrist", "metacarpal", "finger"), None),
    "thigh": (("upperleg01", "upperleg02"), ("upperleg01", "lowerleg01")),
    "shank": (("lowerleg01", "lowerleg02"), ("lowerleg01", "foot")),
    "foot": (("foot", "toe"), "foot"),
}

#: Begins the names of parameters that stretch single bones (:mod:`marrow.body.bones`).
LOG_BONE = "log_bone_"
#: Those that say something about one part only; they are fitted where they are asked for, the others always.
PARTIAL = ("local_", LOG_BONE)
#: A log stretch lies within plus and minus this.
LOG_RANGE = 0.4

#: Standard deviation of a limb's log length given the phenotypes.
LIMB_SD = {
    "trunk": 0.03, "shoulders": 0.05, "hips": 0.05, "neck": 0.06, "head": 0.025, "upper_arm": 0.035, "forearm": 0.035,
    "hand": 0.035, "thigh": 0.035, "shank": 0.035, "foot": 0.035,
}  # fmt: skip

# The same of a single bone.
_BONE_SD = 0.035
#: Bones that can be stretched; what they are: :data:`marrow.body.bones.BONES`.
BONES = (
    "hips", "spine", "neck", "shoulders",
    *(f"{name}_{side}" for name in ("humerus", "radius", "hand", "femur", "tibia", "foot") for side in "rl"),
)  # fmt: skip


def parameters(store: Store) -> tuple[Parameter, ...]:
    """All shape parameters: phenotypes, log stretches of limbs, local changes, log stretches of bones (in this order).

    The prior is that of adults of both sexes together, stature 1.70 ± 0.10 m (NHANES 2015-2018, Fryar et al. 2021,
    Vital Health Stat 3(46): men 1.753 m, women 1.613 m, each with sd 0.07 m: pooled 1.68 ± 0.10 m). ``age`` 2/3 is a
    young adult and 1 an old one. Limbs: at equal stature segment lengths vary with a sd of 3-4 % (residuals of
    regressions of segment length on stature, as in de Leva 1996, J. Biomech. 29(9), whose mean proportions lie within
    4 % of this body's for thigh, shank and upper arm; this body's forearm is 9 % shorter). The other spreads are our
    choice.
    """
    longer = "natural logarithm of the factor on its length, 0 unchanged"
    low, high = -LOG_RANGE, LOG_RANGE
    limbs = tuple(Parameter(f"log_scale_{name}", 0.0, low, high, 0.0, LIMB_SD[name], longer) for name in LIMBS)
    change = "1 fully as named, -1 the opposite, 0 unchanged"
    labels = store.meta["local_changes"]
    local = tuple(Parameter(local_name(label), 0.0, -1.0, 1.0, 0.0, 0.15, change) for label in labels)
    lone = f"{longer}; the soft tissue stays as it is"
    bones = tuple(Parameter(LOG_BONE + name, 0.0, low, high, 0.0, _BONE_SD, lone) for name in BONES)
    return PHENOTYPES + limbs + local + bones


def local_name(label: str) -> str:
    """``stomach-pregnant-incr`` -> ``local_stomach_pregnant_incr``."""
    return "local_" + label.replace("-", "_")


def checked(
    values: Mapping[str, float] | None, known: Sequence[str] | Mapping[str, Any], what: str
) -> dict[str, float]:
    """``values`` as floats. Raises InputError on an unknown name or a value that is not finite."""
    out: dict[str, float] = {}
    for name, value in (values or {}).items():
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise InputError(f"Unknown {what} {name!r}; the body's spec lists {len(known)} names.{hint}")
        try:
            out[name] = float(value)
        except (TypeError, ValueError):
            raise InputError(f"{what} {name!r} must be one number, got {value!r}.") from None
        if not math.isfinite(out[name]):
            raise InputError(f"{what} {name!r} must be finite, got {value!r}.")
    return out


class Coefficients:
    """Phenotypes to the K coefficients of the shape rows (piecewise multilinear, clamped to the anchors as in Anny)."""

    def __init__(self, store: Store) -> None:
        self._anchors = [np.array(store.meta["anchors"][name]) for name in store.meta["anchors"]]
        self._names = list(store.meta["anchors"])
        self._terms = store.arrays["terms"].astype(np.intp)
        self._projection = store.arrays["projection"].astype(np.float64)

    def __call__(self, phenotypes: Mapping[str, float]) -> Float64:
        """(K,) coefficients; phenotypes that are not named (cupsize, firmness) are at 0.5, race at one third each."""
        weights = [np.full(3, 1 / 3)]
        for name, anchors in zip(self._names, self._anchors, strict=True):
            weights.append(_hat(phenotypes.get(name, 0.5), anchors))
        weights.append(np.ones(1))  # what padded terms point at
        return np.prod(np.concatenate(weights)[self._terms], axis=1) @ self._projection


def _hat(value: float, anchors: Float64) -> Float64:
    """Linear interpolation weights of ``value`` over increasing ``anchors``."""
    out = np.zeros(len(anchors))
    value = min(max(value, anchors[0]), anchors[-1])
    upper = min(max(int(np.searchsorted(anchors, value)), 1), len(anchors) - 1)
    share = (value - anchors[upper - 1]) / (anchors[upper] - anchors[upper - 1])
    out[upper - 1], out[upper] = 1.0 - share, share
    return out


class Stretch:
    """Stretches limbs: every bone gets an affine map about its head, children follow; the skin blends the maps."""

    def __init__(self, bones: Sequence[str], parents: Sequence[int]) -> None:
        count = len(bones)
        self._index = {name: i for i, name in enumerate(bones)}
        sides = [name[-2:] if name.endswith((".L", ".R")) else "" for name in bones]
        keys = [(limb_of(name), side) for name, side in zip(bones, sides, strict=True)]
        self._keys = list(dict.fromkeys(keys))
        self._key_of_bone = np.array([self._keys.index(key) for key in keys])
        self._parent = np.maximum(np.array(parents), 0)
        self._path = np.zeros((count, count))  # [b, a] = 1 where a is b or an ancestor of b (the root left out)
        for bone in range(count):
            a = bone
            while parents[a] >= 0:
                self._path[bone, a] = 1.0
                a = parents[a]

    def __call__(self, values: Mapping[str, float], heads: Float64) -> tuple[Float64, Float64] | None:
        """Linear parts (N, 3, 3) and new heads (N, 3): ``x -> A_b (x - heads_b) + new_b``; None without a stretch."""
        wanted = {limb: values.get(f"log_scale_{limb}", 0.0) for limb in LIMBS}
        if not any(wanted.values()):
            return None
        maps = np.empty((len(self._keys), 3, 3))
        for i, (limb, side) in enumerate(self._keys):
            maps[i] = self._map(limb, side, wanted[limb], heads) if wanted[limb] != 0.0 else np.eye(3)
        linear = maps[self._key_of_bone]
        steps = (linear[self._parent] @ (heads - heads[self._parent])[:, :, None])[:, :, 0]
        return linear, heads[0] + self._path @ steps

    def _map(self, limb: str, side: str, log_scale: float, heads: Float64) -> Float64:
        scale, direction = math.exp(log_scale), LIMBS[limb][1]
        if direction is None:
            return scale * np.eye(3)
        if direction == "x":
            along = np.array([1.0, 0.0, 0.0])
        elif direction == "foot":  # level, from the ankle to the balls of the toes: the ankle keeps its height
            toes = heads[[self._index[f"toe{k}-1{side}"] for k in range(1, 6)]]
            along = toes.mean(0) - heads[self._index["foot" + side]]
            along[1] = 0.0
        else:
            start, end = (self._index.get(name + side, self._index.get(name, -1)) for name in direction)
            along = heads[end] - heads[start]
        along = along / math.sqrt(along @ along)
        return np.eye(3) + (scale - 1.0) * np.outer(along, along)


def limb_of(bone: str) -> str:
    """Limb of :data:`LIMBS` that a bone of the rig's belongs to."""
    stem = bone.removesuffix(".L").removesuffix(".R")
    for limb, (names, _) in LIMBS.items():
        if any(stem == name or (name in ("metacarpal", "finger", "toe") and stem.startswith(name)) for name in names):
            return limb
    raise KeyError(f"bone {bone!r} belongs to no limb")
