"""Ridge regression (A. E. Hoerl and R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
Technometrics 1970).

Idea: with few samples and inputs that depend on each other, least squares has a huge variance. A small penalty on the
size of the weights costs some bias and takes most of the variance away. The error on new samples falls.

Reproduced here: the penalty and its effect on the error of prediction. Not reproduced: its choice by a trace plot.
It stands in the tests as a system that learns in steps, saves and loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marrow.bench.system import Claim, Paired, Paper, System
from marrow.types import Float64


@dataclass
class Config:
    """Settings of the problem and of the method."""

    inputs: int = 10
    samples: int = 15
    penalty: float = 1.0


@dataclass
class Model:
    """Weights (D,), learned in steps, and the penalty on them."""

    weights: Float64
    penalty: float


def build(config: Config) -> Model:
    """A model that knows nothing yet."""
    return Model(np.zeros(config.inputs), config.penalty)


def train(model: Model, config: Config, steps: int = 1, seed: int = 0) -> None:
    """Newton steps on the penalised squares; one is exact."""
    x, y, _, _ = _problem(config, np.random.default_rng(seed))
    for _ in range(steps):
        slope = x.T @ (x @ model.weights - y) + model.penalty * model.weights
        model.weights -= np.linalg.solve(x.T @ x + model.penalty * np.eye(config.inputs), slope)


def save(model: Model, path: Path) -> None:
    """Write the model to a file."""
    with open(path, "wb") as file:
        np.savez(file, weights=model.weights, penalty=model.penalty)


def load(path: Path, config: Config) -> Model:
    """Read it back."""
    with np.load(path) as content:
        return Model(content["weights"], float(content["penalty"]))


def example(config: Config) -> Float64:
    """Three inputs (3, D)."""
    return np.random.default_rng(9).normal(size=(3, config.inputs))


def infer(model: Model, inputs: Float64) -> Float64:
    """Predictions (N,) for inputs (N, D)."""
    return inputs @ model.weights


def bench(config: Config, tier: str) -> Paired:
    """The same problems learned with and without the penalty; squared error on new samples."""
    seeds = (0,) if tier == "quick" else (0, 1, 2)
    errors: dict[float, list[float]] = {config.penalty: [], 1e-9: []}
    for seed in seeds:
        for problem in range(30):
            for penalty, found in errors.items():
                model = Model(np.zeros(config.inputs), penalty)
                train(model, config, 1, seed=100 * seed + problem)
                _, _, x, y = _problem(config, np.random.default_rng(100 * seed + problem))
                found.append(float(np.mean((infer(model, x) - y) ** 2)))
    with_, without = errors.values()
    data = f"{len(with_)} problems of {config.samples} samples"
    return Paired(with_, without, np.arange(len(with_)), seeds=seeds, data=data)


def _problem(config: Config, rng: np.random.Generator) -> tuple[Float64, Float64, Float64, Float64]:
    """Samples to learn from, (N, D) and (N,), and new ones; inputs share one common part."""
    weights = rng.normal(size=config.inputs) / np.sqrt(config.inputs)
    parts = []
    for count in (config.samples, 200):
        x = 0.3 * rng.normal(size=(count, config.inputs)) + rng.normal(size=(count, 1))
        parts += [x, x @ weights + rng.normal(size=count)]
    return parts[0], parts[1], parts[2], parts[3]


SYSTEM = System(
    id="ridge",
    paper=Paper(
        title="Ridge regression: biased estimation for nonorthogonal problems",
        authors=("Arthur E. Hoerl", "Robert W. Kennard"),
        year=1970,
        venue="Technometrics",
        doi="10.1080/00401706.1970.10488634",
    ),
    tasks=("regression",),
    verb="marrow bench ridge --folder tests/systems/folder",
    claim=Claim(
        text="A penalty on the weights lowers the error on new samples when inputs depend on each other.",
        metric="mean squared error, in units of the noise's variance",
    ),
)
