"""The body that has given measurements: stature, girths, mass … to shape parameters.

Bounded least squares over phenotypes, stretches of limbs and, for the girths that are given, the local changes made for
them; what the measurements leave open follows the population's prior (:func:`marrow.body.shape.parameters`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from marrow.body import DefaultBody, load_body
from marrow.body.measurements import DEFINITIONS, Figure, Measurements, measure, near, points_of
from marrow.body.shape import PARTIAL, checked
from marrow.errors import InputError
from marrow.types import Float64

#: Local changes that are fitted too where one of their measurements is given; those of one row go together.
LOCAL: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "neck_girth": (("local_measure_neck_circ_incr",),),
    "chest_girth": (("local_measure_bust_circ_incr",), ("local_torso_scale_depth_incr",)),
    "chest_breadth": (("local_torso_scale_horiz_incr",),),
    "chest_depth": (("local_torso_scale_depth_incr",),),
    "waist_girth": (("local_measure_waist_circ_incr",),),
    "waist_breadth": (("local_measure_waist_circ_incr",), ("local_torso_scale_horiz_incr",)),
    "waist_depth": (("local_measure_waist_circ_incr",), ("local_torso_scale_depth_incr",)),
    "hip_girth": (("local_measure_hips_circ_incr",),),
    "hip_breadth": (("local_hip_scale_horiz_incr",),),
    "thigh_girth": (("local_measure_thigh_circ_incr",),),
    "mid_thigh_girth": (("local_measure_thigh_circ_incr",),),
    "knee_girth": (("local_measure_knee_circ_incr",),),
    "calf_girth": (("local_measure_calf_circ_incr",),),
    "ankle_girth": (("local_measure_ankle_circ_incr",),),
    "upper_arm_girth": (("local_measure_upperarm_circ_incr",),),
    "forearm_girth": (("local_r_lowerarm_fat_incr", "local_l_lowerarm_fat_incr"),),
    "wrist_girth": (("local_measure_wrist_circ_incr",),),
    "foot_breadth": (("local_r_foot_scale_horiz_incr", "local_l_foot_scale_horiz_incr"),),
    "head_breadth": (("local_head_scale_horiz_incr",),),
    "head_length": (("local_head_scale_depth_incr",),),
}

#: Standard deviation within which a measurement is met, and what it may be off before it counts as missed, by unit.
_PRECISION = {"m": 0.0005, "kg": 0.02, "m2": 0.005, "m3": 1e-4, "kg/m2": 0.05}
_MISSED = {"m": 0.005, "kg": 1.0, "m2": 0.05, "m3": 1e-3, "kg/m2": 0.5}
#: Shares of the default body's own length between which a length may be some person's, and units that may be meant.
_SOMEBODY, _METRES = (0.1, 3.0), {"m": 1.0, "cm": 0.01, "mm": 0.001}
#: Step of a difference, in standard deviations of the prior.
_STEP = 0.03
#: Share of the prior that is left when measurements could not be met with all of it.
_WEAK = 0.1
_ROUNDS, _TRIES = 14, 4
#: Least damping of a step, as a share of the greatest curvature, and the share of the cost that a round has to gain:
#: two without it end the search.
_DAMPING, _SETTLED = 1e-6, 0.03
#: A parameter further from the prior's mean than this many standard deviations is told, and how far it may go.
_UNUSUAL, _FARTHEST = 3.0, 5.0


@dataclass(frozen=True)
class FittedShape:
    """A body found by its measurements.

    Attributes:
        shape: parameters for ``DefaultBody.rest``.
        measurements: all measurements of that body.
        residuals: for each that was given, what the body has less what was asked: metres, kg …
        remarks: what the user should know.
    """

    shape: Mapping[str, float]
    measurements: Measurements
    residuals: Mapping[str, float]
    remarks: tuple[str, ...]


def fit_measurements(
    targets: Mapping[str, float],
    shape: Mapping[str, float] | None = None,
    *,
    shown: Mapping[str, tuple[str, float]] | None = None,
) -> FittedShape:
    """Find the likeliest body with given measurements (a second or two).

    Args:
        targets: name of :data:`marrow.body.measurements.DEFINITIONS` to its value: metres, kg, m², m³ or kg/m².
        shape: parameters that are known, such as ``{"gender": 1.0, "age": 0.2}``; they are kept. Who is no adult needs
            an ``age``.
        shown: for messages: a unit to the one that the user gave it in and how many of those it makes, such as
            ``{"m": ("cm", 100.0)}``.

    Raises:
        InputError: nothing to fit, an unknown name, a value that cannot be, or a set that no body has: then it says
            which measurement is missed and what comes nearest.
    """
    body, shown = load_body(), shown or {}
    wanted = _checked(targets, shown)
    known = {p.name: p for p in body.spec.parameters}
    model = _Model(body, tuple(wanted), checked(shape, known, "shape parameter"))
    goal = np.array(list(wanted.values()))
    for prior in (1.0, _WEAK):
        x = model.solve(goal, prior)
        found = model.shape(x)
        measured = measure(body.rest(found))
        residuals = {name: measured[name] - value for name, value in wanted.items()}
        missed = [name for name, off in residuals.items() if abs(off) > _MISSED[DEFINITIONS[name].unit]]
        if not missed:
            return FittedShape(found, measured, residuals, model.remarks(x))
    raise InputError(_refusal(wanted, measured, missed, shown, adult="age" not in model.fixed))


def _checked(targets: Mapping[str, float], shown: Mapping[str, tuple[str, float]]) -> dict[str, float]:
    if not targets:
        raise InputError("no measurements given; give some, such as {'stature': 1.70, 'waist_girth': 0.82}")
    out: dict[str, float] = {}
    for name, value in targets.items():
        if name not in DEFINITIONS:
            raise InputError(f"there is no measurement {name!r}{near(name)}")
        unit, factor = _unit(name, shown)
        try:
            out[name] = float(value)
        except (TypeError, ValueError):
            raise InputError(f"{name}: expected a number ({unit}), got {value!r}") from None
        if not (math.isfinite(out[name]) and out[name] > 0.0):
            raise InputError(f"{name}: expected a number above 0 ({unit}), got {_number(out[name] * factor)}")
    own = measure(load_body().rest())
    for name, value in out.items():
        unit, factor = _unit(name, shown)
        if DEFINITIONS[name].unit == "m" and not _is_somebodys(value, own[name]):
            typed = value * factor
            meant = (typed * metres for metres in _METRES.values())
            hint = next((f", such as {_number(x * factor)}" for x in meant if _is_somebodys(x, own[name])), "")
            raise InputError(f"{name}: {_number(typed)} {unit} is no person's; give it in {unit}{hint}")
    return out


def _is_somebodys(length: float, own: float) -> bool:
    return _SOMEBODY[0] * own <= length <= _SOMEBODY[1] * own


def _unit(name: str, shown: Mapping[str, tuple[str, float]]) -> tuple[str, float]:
    """In which unit messages tell a measurement, and how many of those its own makes."""
    unit = DEFINITIONS[name].unit
    return shown.get(unit, (unit, 1.0))


def _number(value: float) -> str:
    """Four digits, never as a power of ten."""
    return f"{float(f'{value:.4g}'):g}"


def _refusal(
    wanted: Mapping[str, float],
    measured: Mapping[str, float],
    missed: Sequence[str],
    shown: Mapping[str, tuple[str, float]],
    *,
    adult: bool,
) -> str:
    told = []
    for name in missed:
        unit, factor = _unit(name, shown)
        told.append(f"{name} {_number(wanted[name] * factor)} {unit} (nearest {_number(measured[name] * factor)})")
    words = f"no body has these measurements together: {', '.join(told)}. Correct or leave out one of them"
    small = adult and (wanted.get("stature", 2.0) < 1.4 or wanted.get("mass", 70.0) < 25.0)
    return words + ("; for a child give its age, such as age 0.33" if small else "")


class _Model:
    """Measurements as a function of the free parameters, in standard deviations from the prior's mean."""

    def __init__(self, body: DefaultBody, names: Sequence[str], fixed: Mapping[str, float]) -> None:
        self._names, self.fixed = names, dict(fixed)
        general = [(p.name,) for p in body.spec.parameters if not p.name.startswith(PARTIAL)]
        local = dict.fromkeys(group for name in names for group in LOCAL.get(name, ()))
        self._groups = [group for group in (*general, *local) if not set(group) & set(fixed)]
        every = [*dict.fromkeys([name for group in (*general, *local) for name in group] + list(fixed))]
        self._faces = body.faces
        self._subset = s = body.subset(np.arange(body.vertex_count), every)
        at = [s.names.index(group[0]) for group in self._groups]
        self._mean, self._sd = s.mean[at], s.sd[at]
        self._low = np.maximum((s.low[at] - self._mean) / self._sd, -_FARTHEST)
        self._high = np.minimum((s.high[at] - self._mean) / self._sd, _FARTHEST)
        self._base = np.array([fixed.get(name, value) for name, value in zip(s.names, s.defaults, strict=True)])
        self._place = [[s.names.index(name) for name in group] for group in self._groups]

    def __call__(self, x: Float64) -> Float64:
        """(M,) measurements of parameters (P,)."""
        (figure,) = self._figures(x[None])
        return np.array([DEFINITIONS[name].take(figure) for name in self._names])

    def slopes(self, x: Float64, step: float) -> Float64:
        """(M, P) derivative of the measurements, by differences towards one side, each tape held to its edges."""
        steps = np.where((x + step <= self._high) & (x + step >= self._low), step, -step)
        here, *around = self._figures(np.concatenate([x[None], x + np.diag(steps)]))
        held = [DEFINITIONS[name].held(here) for name in self._names]
        value = np.array([take(here) for take in held])
        return (np.array([[take(f) for take in held] for f in around]) - value).T / steps

    def _figures(self, x: Float64) -> list[Figure]:
        rest = self._subset.rest(self._vectors(x))
        centres = [{name: points[i] for name, points in rest.landmarks.items()} for i in range(len(x))]
        return [Figure(v, self._faces, points_of(v, c)) for v, c in zip(rest.vertices, centres, strict=True)]

    def solve(self, goal: Float64, prior: float) -> Float64:
        """(P,) parameters that meet the goal (M,) with a share of the prior: Levenberg-Marquardt within bounds."""
        precision = np.array([_PRECISION[DEFINITIONS[name].unit] for name in self._names])
        x = np.clip(np.zeros(len(self._mean)), self._low, self._high)
        off, damping, step, stuck = (self(x) - goal) / precision, _DAMPING, _STEP, 0
        gained, trial, there = 0.0, x, off
        for _ in range(_ROUNDS):
            slope = self.slopes(x, step) / precision[:, None]
            before = float(off @ off + prior * x @ x)
            scale = float(np.square(slope).sum(0).max())
            for _ in range(_TRIES):
                hold = math.sqrt(damping * scale)
                A = np.concatenate([slope, math.sqrt(prior) * np.eye(len(x)), hold * np.eye(len(x))])
                b = np.concatenate([slope @ x - off, np.zeros(len(x)), hold * x])
                trial = lsq_linear(A, b, (self._low, self._high), method="bvls").x
                there = (self(trial) - goal) / precision
                gained = before - float(there @ there + prior * trial @ trial)
                if gained > 0.0:
                    break
                damping *= 10.0
            if gained > 0.0:
                x, off, damping = trial, there, max(0.1 * damping, _DAMPING)
            stuck = stuck + 1 if gained < _SETTLED * before else 0
            if stuck == 2:
                break
            # The blend has kinks, at which the next differences look to the other side.
            step = -step
        return x

    def shape(self, x: Float64) -> dict[str, float]:
        """Shape parameters: what was known, and what was found."""
        vector = self._vectors(x[None])[0]
        free = {name for group in self._groups for name in group}
        return {n: float(v) for n, v in zip(self._subset.names, vector, strict=True) if n in free or n in self.fixed}

    def remarks(self, x: Float64) -> tuple[str, ...]:
        """What is unusual."""
        far = [
            f"{group[0]} {self._mean[i] + self._sd[i] * x[i]:.2f}"
            for i, group in enumerate(self._groups)
            if abs(x[i]) > _UNUSUAL
        ]
        child = "; for a child give its age" if far and "age" not in self.fixed else ""
        return (f"few people are like that: {', '.join(far)}{child}",) if far else ()

    def _vectors(self, x: Float64) -> Float64:
        out = np.tile(self._base, (len(x), 1))
        for i, places in enumerate(self._place):
            out[:, places] = (self._mean[i] + self._sd[i] * x[:, i])[:, None]
        return out
