"""People as a population has them: age, sex, stature, mass and build, and the default body's shape for each.

Stature and body mass index from 2 to 18 years: median, skewness and spread (L, M, S of Cole and Green 1992) of the CDC
2000 growth charts (Kuczmarski et al. 2002, Vital Health Stat 11(246); ``statage``, ``bmiagerev``), at whole years (the
girls' BMI at 18 extrapolated). Younger: length and BMI for age of the WHO Child Growth Standards (2006), as remembered
and not confirmed against the source; a length counts as a stature. Adults: NHANES August 2021 to August 2023 by decades
of age (Fryar et al. 2025, Vital Health Stat 3(50), tables 7 and 10): means of stature, its standard deviation from the
10th and 90th percentile; of the BMI, M and S fitted to nine percentiles with L = -0.4 for all (within 1.8 kg/m2 of
each). Works of the US government, in the public domain. Between the ages listed all is interpolated. Scores beyond 2.5
standard deviations do not come. These are Americans: other nations are shorter or taller by some centimetres, and
lighter.

Builds (``muscle``, ``proportions``, lengths of limbs at one stature) spread as in the body's prior
(:mod:`marrow.body.shape`), which is our choice. Nothing here tells ethnicity: that stays at the body's mean.

The body's mass is its volume times the density of :mod:`marrow.skeleton.inertia`. Where the body cannot have the BMI
drawn, it has the nearest that it can, and :class:`Figure` tells that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from marrow.body.shape import LIMB_SD
from marrow.errors import InputError
from marrow.skeleton.inertia import BODY_DENSITY
from marrow.types import Float64

TABLE = Path(__file__).with_name("figures.npz")

Sex = Literal["f", "m"]

#: Years; stature: L, mean or median (centimetres), S (share); body mass index: L, M (kg/m2), S.
_LMS: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "m": (
        (0.0, 1.0, 49.9, 0.0380, -0.31, 13.4, 0.0956),
        (0.5, 1.0, 67.6, 0.0317, -0.06, 17.3, 0.0803),
        (1.0, 1.0, 75.7, 0.0314, -0.38, 16.8, 0.0783),
        (2.0, 0.942, 86.45, 0.0403, -2.011, 16.575, 0.0806),
        (3.0, -0.347, 94.96, 0.0406, -1.431, 16.019, 0.0728),
        (4.0, 0.793, 102.22, 0.0413, -1.684, 15.641, 0.0718),
        (5.0, 1.261, 108.90, 0.0425, -2.579, 15.425, 0.0758),
        (6.0, 1.150, 115.39, 0.0436, -3.197, 15.382, 0.0827),
        (7.0, 0.769, 121.77, 0.0444, -3.325, 15.505, 0.0917),
        (8.0, 0.463, 127.88, 0.0451, -3.191, 15.769, 0.1017),
        (9.0, 0.413, 133.51, 0.0462, -2.980, 16.149, 0.1113),
        (10.0, 0.503, 138.62, 0.0476, -2.774, 16.625, 0.1198),
        (11.0, 0.492, 143.52, 0.0489, -2.597, 17.176, 0.1265),
        (12.0, 0.419, 149.05, 0.0499, -2.453, 17.788, 0.1312),
        (13.0, 0.787, 156.09, 0.0503, -2.334, 18.444, 0.1341),
        (14.0, 1.635, 163.84, 0.0490, -2.231, 19.129, 0.1352),
        (15.0, 2.196, 169.94, 0.0460, -2.136, 19.828, 0.1351),
        (16.0, 2.125, 173.51, 0.0432, -2.043, 20.529, 0.1342),
        (17.0, 1.742, 175.29, 0.0415, -1.953, 21.214, 0.1331),
        (18.0, 1.410, 176.16, 0.0407, -1.877, 21.869, 0.1323),
        (25.0, 1.0, 176.3, 0.0403, -0.4, 26.72, 0.223),
        (35.0, 1.0, 176.1, 0.0410, -0.4, 28.67, 0.212),
        (45.0, 1.0, 176.4, 0.0440, -0.4, 29.56, 0.214),
        (55.0, 1.0, 174.3, 0.0423, -0.4, 29.41, 0.217),
        (65.0, 1.0, 174.7, 0.0422, -0.4, 28.36, 0.185),
        (75.0, 1.0, 172.4, 0.0430, -0.4, 28.63, 0.179),
        (85.0, 1.0, 170.5, 0.0439, -0.4, 27.21, 0.144),
    ),
    "f": (
        (0.0, 1.0, 49.1, 0.0379, -0.06, 13.3, 0.0927),
        (0.5, 1.0, 65.7, 0.0345, -0.13, 16.9, 0.0866),
        (1.0, 1.0, 74.0, 0.0348, -0.36, 16.4, 0.0845),
        (2.0, 1.072, 84.98, 0.0408, -0.987, 16.423, 0.0855),
        (3.0, 0.560, 93.92, 0.0420, -2.050, 15.722, 0.0787),
        (4.0, 0.238, 100.75, 0.0432, -2.991, 15.310, 0.0786),
        (5.0, -0.048, 107.66, 0.0442, -3.347, 15.154, 0.0840),
        (6.0, -0.216, 114.71, 0.0449, -3.236, 15.211, 0.0934),
        (7.0, -0.214, 121.49, 0.0454, -2.940, 15.441, 0.1048),
        (8.0, -0.086, 127.59, 0.0459, -2.629, 15.809, 0.1167),
        (9.0, 0.077, 132.92, 0.0468, -2.370, 16.285, 0.1276),
        (10.0, 0.273, 137.99, 0.0486, -2.178, 16.838, 0.1367),
        (11.0, 0.719, 143.98, 0.0505, -2.049, 17.443, 0.1436),
        (12.0, 1.289, 151.19, 0.0488, -1.977, 18.075, 0.1482),
        (13.0, 1.256, 157.15, 0.0440, -1.955, 18.710, 0.1506),
        (14.0, 0.964, 160.39, 0.0411, -1.976, 19.327, 0.1513),
        (15.0, 0.895, 161.86, 0.0401, -2.032, 19.907, 0.1506),
        (16.0, 0.939, 162.55, 0.0398, -2.115, 20.433, 0.1492),
        (17.0, 0.997, 162.91, 0.0397, -2.212, 20.888, 0.1478),
        (18.0, 1.046, 163.12, 0.0397, -2.297, 21.257, 0.1468),
        (25.0, 1.0, 163.5, 0.0401, -0.4, 26.89, 0.281),
        (35.0, 1.0, 162.5, 0.0432, -0.4, 29.20, 0.270),
        (45.0, 1.0, 161.7, 0.0437, -0.4, 29.17, 0.251),
        (55.0, 1.0, 161.2, 0.0431, -0.4, 30.10, 0.246),
        (65.0, 1.0, 160.5, 0.0433, -0.4, 28.99, 0.228),
        (75.0, 1.0, 158.3, 0.0382, -0.4, 28.60, 0.218),
        (85.0, 1.0, 156.8, 0.0488, -0.4, 26.71, 0.190),
    ),
}
_FARTHEST = 2.5

#: Years and the ``age`` phenotype. Up to 18 it is where a body of the phenotype's usual ``height`` is as tall as the
#: mean of both sexes; after 25 it leads evenly to 1, the old body, at 90.
_PHENOTYPE = (
    (0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 25.0, 90.0),
    (-1 / 3, -0.1, 0.02, 0.105, 0.19, 0.255, 0.31, 0.36, 0.43, 0.53, 0.60, 0.63, 2 / 3, 1.0),
)

#: Local changes that add fat where ``weight`` and ``muscle`` add no more, at their full strength.
FAT: Mapping[str, float] = {
    "local_stomach_tone_incr": -1.0,
    "local_hip_scale_depth_incr": 0.7,
    "local_torso_scale_depth_incr": 0.8,
    "local_hip_scale_horiz_incr": 0.6,
    "local_torso_scale_horiz_incr": 0.6,
    "local_buttocks_volume_incr": 0.5,
    "local_measure_waist_circ_incr": 0.6,
    **{
        f"local_{side}_{limb}_fat_incr": 0.7
        for side in "lr"
        for limb in ("upperleg", "lowerleg", "upperarm", "lowerarm")
    },
    "local_head_fat_incr": 1.0,
}


@dataclass(frozen=True)
class Figure:
    """One person's body.

    Attributes:
        shape: parameters of the default body.
        age: years.
        sex: ``"f"`` or ``"m"``.
        stature: metres, of the body (legs apart; see :mod:`marrow.body.measurements`), within 2 mm.
        mass: kilograms of the body, within 3 % (before the second birthday 13 %): what was drawn, or the nearest that
            a body of that stature can have.
    """

    shape: dict[str, float]
    age: float
    sex: Sex
    stature: float
    mass: float


def sample_figure(rng: np.random.Generator, ages: tuple[float, float] = (4.0, 90.0)) -> Figure:
    """A person drawn from the population: age even over the range, either sex as often as the other.

    Raises:
        InputError: ``ages`` is no range within 0 to 90 years.
    """
    low, high = _range(ages)
    age = float(rng.uniform(low, high))
    sex: Sex = "f" if rng.random() < 0.5 else "m"
    tall, heavy = (float(z) for z in np.clip(rng.normal(size=2), -_FARTHEST, _FARTHEST))
    stature, bmi = stature_of(age, sex, tall), bmi_of(age, sex, heavy)
    of_sex = abs(float(rng.normal(0.0, 0.08)))
    build = {
        "gender": min(1.0 - of_sex if sex == "f" else of_sex, 1.0),
        "age": age_phenotype(age),
        "muscle": float(np.clip(rng.normal(0.5, 0.15), 0.05, 0.95)),
        "proportions": float(np.clip(rng.normal(0.5, 0.2), 0.0, 1.0)),
    }
    limbs = {f"log_scale_{name}": float(sd * np.clip(rng.normal(), -2.0, 2.0)) for name, sd in LIMB_SD.items()}
    shape, mass = figure_shape(build | limbs, stature, bmi * stature**2)
    return Figure(shape, age, sex, stature, mass)


def stature_of(age: float, sex: Sex, score: float = 0.0) -> float:
    """Metres of somebody ``score`` standard deviations from the median of that age (years) and sex."""
    return _lms(*_row(age, sex)[:3], score) / 100.0


def bmi_of(age: float, sex: Sex, score: float = 0.0) -> float:
    """Body mass index, kg/m2, of somebody ``score`` standard deviations from the median of that age and sex."""
    return _lms(*_row(age, sex)[3:], score)


def age_phenotype(age: float) -> float:
    """The body's ``age`` of a person ``age`` years old."""
    return float(np.interp(age, *_PHENOTYPE))


def figure_shape(build: Mapping[str, float], stature: float, mass: float) -> tuple[dict[str, float], float]:
    """Shape with the ``height`` and ``weight`` that give a stature (metres) and mass (kilograms); the mass it then has.

    The mass is reached by ``weight``, beyond that with less ``muscle`` (which is how this body's shapes become thin or
    fat), beyond that with :data:`FAT`.

    Args:
        build: ``gender, age, muscle, proportions`` and any ``log_scale_*``.
    """
    own = _table().of(build)
    usual = build["muscle"]
    # muscle, weight and fat, from the thinnest to the fattest
    knots = np.array(
        [[0.0, 0.0, 0.0], [usual, 0.0, 0.0], [usual, 0.5, 0.0], [usual, 1.0, 0.0]]
        + [[0.0, 1.0, share] for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    )
    masses = [own.mass(knot, stature) for knot in knots]
    k = next((i for i in range(1, len(knots)) if masses[i] >= mass), len(knots) - 1)
    low, high, at_low, at_high = 0.0, 1.0, masses[k - 1], masses[k]
    here, found = knots[k], masses[k]
    for _ in range(6):  # all but linear between two knots
        share = low + (high - low) * min(max((mass - at_low) / max(at_high - at_low, 1e-9), 0.0), 1.0)
        here = (1.0 - share) * knots[k - 1] + share * knots[k]
        found = own.mass(here, stature)
        if abs(found - mass) < 1e-3 * mass or share in (0.0, 1.0):
            break
        if found < mass:
            low, at_low = share, found
        else:
            high, at_high = share, found
    muscle, weight, fat = here.tolist()
    shape = dict(build) | {"muscle": muscle, "weight": weight, "height": own.height(muscle, weight, stature)}
    if fat > 0.0:
        shape |= {name: fat * value for name, value in FAT.items()}
    return shape, found


def _range(ages: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(a) for a in ages)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0.0 <= low <= high <= 90.0:
        raise InputError(f"ages: expected two numbers of years, 0 <= low <= high <= 90, as (4, 90); got {ages!r}")
    return low, high


def _row(age: float, sex: str) -> tuple[float, float, float, float, float, float]:
    """L, M, S of stature and of the body mass index."""
    if sex not in _LMS:
        raise InputError(f"sex: expected 'f' or 'm', got {sex!r}")
    years, rows = _rows(sex)
    k = min(max(int(np.searchsorted(years, age)), 1), len(years) - 1)
    share = min(max((age - years[k - 1]) / (years[k] - years[k - 1]), 0.0), 1.0)
    L, M, S, L_bmi, M_bmi, S_bmi = ((1.0 - share) * rows[k - 1] + share * rows[k]).tolist()
    return L, M, S, L_bmi, M_bmi, S_bmi


@functools.cache
def _rows(sex: str) -> tuple[Float64, Float64]:
    rows = np.array(_LMS[sex])
    return rows[:, 0], rows[:, 1:]


def _lms(power: float, median: float, spread: float, score: float) -> float:
    """Inverse of Cole and Green's score."""
    if abs(power) < 1e-6:
        return median * math.exp(spread * score)
    return median * max(1.0 + power * spread * score, 0.1) ** (1.0 / power)


@dataclass(frozen=True)
class _Table:
    """What the default body measures, on a grid of its phenotypes (``scripts/build_figure_table.py``).

    Attributes:
        anchors, finer: axes ``gender, age, muscle, weight, height, proportions`` of the two grids.
        lengths: stature, then the heights in it of trunk, neck, thigh, shank and head (metres).
        root: cube root of the volume, metres, on the finer grid.
        limbs: exponents of the limbs' factors in the volume.
        fat: factor of :data:`FAT` on ``root`` by gender (0, 1), age (0.2, 0.75) and strength.
    """

    anchors: tuple[Float64, ...]
    finer: tuple[Float64, ...]
    lengths: Float64
    root: Float64
    limbs: Float64
    fat: Float64

    def of(self, build: Mapping[str, float]) -> _Own:
        """What is left of the grids for one gender, age, proportions and stretch of limbs."""
        gender, age, proportions = (build[name] for name in ("gender", "age", "proportions"))
        factor = {limb: math.exp(build.get(f"log_scale_{limb}", 0.0)) for limb in LIMB_SD}
        more = np.array([1.0, *(factor[limb] - 1.0 for limb in ("trunk", "neck", "thigh", "shank", "head"))])

        def cut(grid: Float64, axes: tuple[Float64, ...]) -> Float64:
            grid = np.tensordot(_hat(gender, axes[0]), grid, 1)
            grid = np.tensordot(_hat(age, axes[1]), grid, 1)
            return np.tensordot(grid, _hat(proportions, axes[5]), (3, 0))

        stature = cut(self.lengths @ more, self.anchors)
        volume = math.exp(sum(e * build.get(f"log_scale_{n}", 0.0) for e, n in zip(self.limbs, LIMB_SD, strict=True)))
        by_age = np.tensordot(_hat(gender, np.array([0.0, 1.0])), self.fat, 1)
        fat = np.tensordot(_hat(age, np.array([0.2, 0.75])), by_age, 1)
        return _Own(self, stature, cut(self.root, self.finer), volume, fat)


@dataclass(frozen=True)
class _Own:
    """The table of one person: ``stature`` and ``root`` over muscle, weight and height."""

    table: _Table
    stature: Float64
    root: Float64
    limbs: float
    fat: Float64

    def height(self, muscle: float, weight: float, stature: float) -> float:
        """The ``height`` phenotype that gives a stature, metres."""
        low, high = _cut(self.stature, muscle, weight, self.table.anchors).tolist()
        return min(max((stature - low) / (high - low), 0.0), 1.0)

    def mass(self, build: Float64, stature: float) -> float:
        """Kilograms of somebody ``stature`` metres tall with ``muscle, weight`` and a share of :data:`FAT` (3,)."""
        muscle, weight, fat = build.tolist()
        height = self.height(muscle, weight, stature)
        root = float(np.interp(height, self.table.finer[4], _cut(self.root, muscle, weight, self.table.finer)))
        root *= float(np.interp(fat, np.linspace(0.0, 1.0, len(self.fat)), self.fat))
        return BODY_DENSITY * self.limbs * root**3


def _cut(grid: Float64, muscle: float, weight: float, axes: tuple[Float64, ...]) -> Float64:
    k, share = _between(muscle, axes[2])
    grid = (1.0 - share) * grid[k - 1] + share * grid[k]
    k, share = _between(weight, axes[3])
    return np.asarray((1.0 - share) * grid[k - 1] + share * grid[k])


def _hat(value: float, anchors: Float64) -> Float64:
    """Weights of linear interpolation of a value, held within the anchors."""
    out = np.zeros(len(anchors))
    k, share = _between(value, anchors)
    out[k - 1], out[k] = 1.0 - share, share
    return out


def _between(value: float, anchors: Float64) -> tuple[int, float]:
    """The anchor above a value, held within them, and the share of the way to it from the one below."""
    value = min(max(value, float(anchors[0])), float(anchors[-1]))
    k = min(max(int(anchors.searchsorted(value)), 1), len(anchors) - 1)
    low, high = float(anchors[k - 1]), float(anchors[k])
    return k, (value - low) / (high - low)


@functools.cache
def _table() -> _Table:
    names = ("gender", "age", "muscle", "weight", "height", "proportions")
    with np.load(TABLE, allow_pickle=False) as file:
        return _Table(
            tuple(file[f"anchor_{name}"] for name in names),
            tuple(file[f"finer_{name}"] for name in names),
            *(file[name].astype(np.float64) for name in ("lengths", "root", "limbs", "fat")),
        )
