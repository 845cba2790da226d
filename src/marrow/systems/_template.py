"""Rigid alignment that cannot mirror (S. Umeyama, "Least-squares estimation of transformation parameters between two
point patterns", PAMI 1991).

Idea: the least-squares rotation between two point sets comes from a singular value decomposition. Its product can be a
reflection when points are noisy or nearly flat. Umeyama turns the sign of the least singular direction, which gives the
best *rotation*.

Reproduced here: the sign correction and its effect on points beside a nearly flat set. Not reproduced: nothing.

(This is the template that ``marrow new ID`` copies: a whole, working system. Replace it by yours, part by part, in this
order. Import heavy packages inside functions. What a second system needs too moves to the area where it belongs. A
system that learns also has ``train(model, config, steps=None, seed=0, **told)``, which hands ``told`` on to
``marrow.train.loop.train`` and returns its losses: docs/systems.md.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marrow.bench.system import Claim, Paired, Paper, System
from marrow.geometry.procrustes import align
from marrow.geometry.rotations import exp
from marrow.types import Float64


@dataclass
class Config:
    """What a user may set.

    Attributes:
        points: number of points in a set.
        thickness: standard deviation of the set across its plane; 1 along it.
        noise: standard deviation of the second set's errors.
    """

    points: int = 5
    thickness: float = 0.1
    noise: float = 0.15


@dataclass(frozen=True)
class Model:
    """What ``build`` makes and ``infer`` uses."""

    corrected: bool = True


def build(config: Config) -> Model:
    """The method as the paper has it, of shared parts."""
    return Model()


def example(config: Config) -> tuple[Float64, Float64]:
    """A small input of the kind a user gives, for the tests: two point sets (N, 3)."""
    src, dst, _, _ = _sets(config, np.random.default_rng(0), 1)
    return src[0], dst[0]


def infer(model: Model, inputs: tuple[Float64, Float64]) -> tuple[Float64, Float64]:
    """Rotation (3, 3) and translation (3,) that lay the first set on the second."""
    src, dst = inputs
    if model.corrected:
        _, R, t = align(src, dst, scale=False)
        return R, t
    a, b = src - src.mean(-2, keepdims=True), dst - dst.mean(-2, keepdims=True)
    U, _, Vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    R = U @ Vt
    return R, dst.mean(-2) - (R @ src.mean(-2)[..., None])[..., 0]


def bench(config: Config, tier: str) -> Paired:
    """The same point sets aligned with and without the correction; the error of points beside the set."""
    seeds = (0,) if tier == "quick" else (0, 1, 2)
    with_, without, clusters = [], [], []
    for seed in seeds:
        src, dst, beside, truth = _sets(config, np.random.default_rng(seed), 200)
        for model, errors in ((Model(True), with_), (Model(False), without)):
            R, t = infer(model, (src, dst))
            errors.append(np.linalg.norm((R @ beside[..., None])[..., 0] + t - truth, axis=-1))
        clusters.append(1000 * seed + np.arange(200))
    return Paired(
        np.concatenate(with_),
        np.concatenate(without),
        np.concatenate(clusters),
        seeds=seeds,
        data=f"{200 * len(seeds)} random sets of {config.points} nearly flat points",
    )


def _sets(config: Config, rng: np.random.Generator, count: int) -> tuple[Float64, Float64, Float64, Float64]:
    """Sets (K, N, 3) before and after a random rotation with noise; a point (K, 3) beside each, and its true place."""
    flat = rng.normal(size=(count, config.points, 3)) * [1.0, 1.0, config.thickness]
    beside = np.array([0.0, 0.0, 1.0]) + 0.1 * rng.normal(size=(count, 3))
    R = exp(rng.normal(size=(count, 3)))
    dst = flat @ np.swapaxes(R, -1, -2) + config.noise * rng.normal(size=flat.shape)
    return flat, dst, beside, (R @ beside[..., None])[..., 0]


SYSTEM = System(
    id="_template",
    paper=Paper(
        title="Least-squares estimation of transformation parameters between two point patterns",
        authors=("Shinji Umeyama",),
        year=1991,
        venue="IEEE Transactions on Pattern Analysis and Machine Intelligence",
        doi="10.1109/34.88573",
    ),
    tasks=("alignment",),
    verb="marrow bench _template",
    claim=Claim(
        text="Turning the sign of the least singular direction lowers the error of points beside a nearly flat set.",
        metric="error of a point beside the set, in units of the set's extent",
        better="lower",
    ),
)
