"""Priors of poses and of smoothness, as the arrays the kernels read.

The pose prior is a Gaussian mixture over tangent coordinates (trained by ``scripts/train_pose_prior.py``). Coordinates
that it does not know have a separate Gaussian around the pose of a person standing at ease. All are densities of single
poses, whereas neighbouring frames repeat each other; see :func:`static_weight`.

Limits are one-sided and soft. Those of a ball apply to the components of its rotation vector (order x, y, z: adduction,
rotation, flexion), which is free of the singularities of Z-X-Y angles and equals them for small turns.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.errors import AssetError
from marrow.fit._fast_kinematics import BALL, HINGE, TRANSLATION
from marrow.fit._fast_priors import Mixture, Slots, Smooth
from marrow.fit.model import Model
from marrow.skeleton import tree as trees
from marrow.types import Float64

WEIGHTS = Path(__file__).with_name("weights")

#: Fallback Gaussian by the start of the coordinate's name: mean and sd in degrees (balls: of each component).
_FALLBACK: tuple[tuple[str, float, float], ...] = (
    ("hip_", 0.0, 40.0), ("knee_angle", 20.0, 40.0), ("ankle_angle", 0.0, 15.0), ("subtalar", 0.0, 8.0),
    ("mtp", 0.0, 12.0), ("lumbar_seg_rotation", 0.0, 5.0), ("lumbar", 0.0, 12.0), ("thorax_rotation", 0.0, 12.0),
    ("thorax", 0.0, 8.0), ("neck", 0.0, 20.0), ("clav", 0.0, 7.0), ("scap", 0.0, 8.0), ("gh_", 0.0, 55.0),
    ("elbow", 35.0, 40.0), ("pro_sup", 80.0, 40.0), ("wrist", 0.0, 20.0),
)  # fmt: skip

#: Standard deviation of acceleration at 30 Hz by the start of the name, rad/s^2; where no motion data told it.
_ACCELERATION: tuple[tuple[str, float], ...] = (
    ("pelvis_t", 3.0), ("pelvis_", 8.0), ("hip_", 15.0), ("knee", 25.0), ("ankle", 20.0), ("subtalar", 8.0),
    ("mtp", 15.0), ("lumbar", 15.0), ("thorax", 20.0), ("neck", 10.0), ("clav", 5.0), ("scap", 5.0), ("gh_", 20.0),
    ("elbow", 25.0), ("pro_sup", 20.0), ("wrist", 20.0), ("", 15.0),
)  # fmt: skip

_LIMIT_SD = np.radians(2.0)
_BALL_AXES = (
    1,
    2,
    0,
)  # component x of a rotation vector is the second coordinate (adduction), y the third, z the first


@dataclass(frozen=True)
class PosePrior:
    """The trained mixture: coordinate names (m), constants, means, precisions, acceleration sd by name."""

    coordinates: tuple[str, ...]
    mixture: Mixture
    acceleration_sd: dict[str, float]


@functools.cache
def load_pose_prior(path: Path = WEIGHTS / "pose_prior.safetensors") -> PosePrior | None:
    """The shipped mixture; None where the package has none. Raises AssetError on a file that is not one."""
    from safetensors import safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            names = tuple(file.metadata()["coordinates"].split(","))
            means, factor, log_weights, acceleration = (
                file.get_tensor(n).astype(float)
                for n in ("means", "precision_cholesky", "log_weights", "acceleration_sd")
            )
    except Exception as error:
        raise AssetError(f"the pose prior {path} cannot be read ({error}); reinstall marrow") from error
    precision = factor @ np.swapaxes(factor, -1, -2)
    constant = log_weights + 0.5 * np.linalg.slogdet(precision)[1]
    mixture = Mixture(np.ascontiguousarray(constant), np.ascontiguousarray(means), np.ascontiguousarray(precision))
    return PosePrior(names, mixture, dict(zip(names, (float(a) for a in acceleration), strict=True)))


@functools.cache
def load_calibration(kind: str, path: Path = WEIGHTS / "calibration.json") -> dict[str, float]:
    """Factor on the standard deviation by the start of the coordinate's name (longest match wins).

    ``kind`` is :func:`marrow.fit.evidence.kind_of`; empty for a kind that was not calibrated.
    """
    if not path.is_file():
        return {}
    return {str(k): float(v) for k, v in json.loads(path.read_text())["factors"].get(kind, {}).items()}


def calibration_of(name: str, factors: dict[str, float]) -> float:
    """The factor of one coordinate, 1 where none is known."""
    fits = [key for key in factors if name.startswith(key)]
    return factors[max(fits, key=len)] if fits else 1.0


def pose_slots(
    model: Model, structure: trees.Tree, prior: PosePrior | None, *, limits: bool = True
) -> tuple[Slots, Mixture]:
    """Slots of the fitted coordinates under the prior, those of the mixture first.

    A mixture whose coordinates are not all fitted is marginalised to those that are.
    """
    where = {structure.coordinates[c]: f for f, c in enumerate(model.coordinates)}
    known = [n for n in prior.coordinates if n in where] if prior else []
    rest = [n for n in where if n not in known and model.tree.dof_body[where[n]] != 0]
    names = known + rest
    dof, body, part, mean, sd, lower, upper = [], [], [], [], [], [], []
    for name in names:
        f = where[name]
        kind, index, b = model.tree.dof_kind[f], model.tree.dof_index[f], model.tree.dof_body[f]
        ball = kind == BALL
        dof.append(f - index if ball else f)
        body.append(b if ball else -1)
        part.append(index)
        m, s = _fallback(name)
        mean.append(0.0 if ball else m)
        sd.append(s)
        lo, hi = _limits(structure, int(model.coordinates[f]), int(index) if ball else None)
        lower.append(lo)
        upper.append(hi)
    count = len(known)
    precision = np.array([0.0 if i < count else 1.0 / s**2 for i, s in enumerate(sd)])
    slots = Slots(
        np.array(dof, np.int64), np.array(body, np.int64), np.array(part, np.int64), np.array(mean), precision,
        np.array(lower), np.array(upper), 1.0 / _LIMIT_SD**2 if limits else 0.0,
    )  # fmt: skip
    return slots, _marginal(prior, known)


def _marginal(prior: PosePrior | None, known: list[str]) -> Mixture:
    if prior is None or not known:
        return Mixture(np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0, 0)))
    if len(known) == len(prior.coordinates):
        return prior.mixture
    keep = np.array([prior.coordinates.index(n) for n in known])
    mix = prior.mixture
    covariance = np.linalg.inv(mix.precision)[:, keep[:, None], keep]
    precision = np.linalg.inv(covariance)
    log_weight = mix.constant - 0.5 * np.linalg.slogdet(mix.precision)[1]
    constant = log_weight + 0.5 * np.linalg.slogdet(precision)[1]
    return Mixture(constant, *(np.ascontiguousarray(a, float) for a in (mix.mean[:, keep], precision)))


def _fallback(name: str) -> tuple[float, float]:
    for start, mean, sd in _FALLBACK:
        if name.startswith(start):
            return float(np.radians(mean)), float(np.radians(sd))
    return 0.0, float(np.radians(30.0))


def _limits(structure: trees.Tree, coordinate: int, component: int | None) -> tuple[float, float]:
    """Limits of a hinge's angle, or of a component of a ball's rotation vector."""
    if component is None:
        lo, hi = structure.ranges[coordinate]
        return float(lo), float(hi)
    first = coordinate - component
    angle = first + _BALL_AXES[component]
    lo, hi = structure.ranges[angle]
    sign = structure.axes[angle][component]  # adduction and rotation count the other way on the left
    return (float(lo), float(hi)) if sign > 0 else (-float(hi), -float(lo))


def smoothness(model: Model, structure: trees.Tree, prior: PosePrior | None, factor: float = 1.0) -> Smooth:
    """Acceleration precisions of every fitted unknown; ``factor`` multiplies the standard deviations."""
    names = [structure.coordinates[c] for c in model.coordinates]
    sd = np.array([factor * _acceleration(n, prior) for n in names])
    precision = 1.0 / sd**2
    hinged = np.flatnonzero(model.tree.dof_kind == HINGE)
    root = int(np.flatnonzero(model.tree.dof_kind == TRANSLATION)[0])
    return Smooth(
        np.array([b for b, _ in model.balls], np.int64),
        np.array([f for _, f in model.balls], np.int64),
        np.array([precision[f : f + 3] for _, f in model.balls]).reshape(-1, 3),
        model.tree.dof_index[hinged],
        hinged.astype(np.int64),
        np.ascontiguousarray(precision[hinged]),
        root,
        np.ascontiguousarray(precision[root : root + 3]),
    )


def _acceleration(name: str, prior: PosePrior | None) -> float:
    if prior is not None and name in prior.acceleration_sd:
        return prior.acceleration_sd[name]
    return next(sd for start, sd in _ACCELERATION if name.startswith(start))


def static_weight(sd: Float64, acceleration_sd: Float64, rate: float = 30.0) -> Float64:
    """Weight of a single-pose density per frame such that the whole process has that density as its marginal.

    A coordinate with static precision ``w rate / sd^2`` and acceleration precision ``rate / acceleration_sd^2`` per
    second has the spectrum ``1 / (a + b omega^4)`` and the variance ``a^(-3/4) b^(-1/4) / (2 sqrt 2)``; setting
    it to ``sd^2`` gives w. It is the reciprocal of the number of frames in which the pose is the same for the prior's
    purposes.
    """
    sd, acceleration_sd = np.asarray(sd, float), np.asarray(acceleration_sd, float)
    b = rate / acceleration_sd**2
    a = (2 * np.sqrt(2) * sd**2 * b**0.25) ** (-4 / 3)
    return a * sd**2 / rate


#: :func:`static_weight` of the common coordinates (sd 10 to 40 degrees, accelerations 5 to 25 rad/s^2) lies between
#: 0.02 and 0.04: a pose repeats itself for about a second.
TYPICAL_STATIC_WEIGHT = 0.03
