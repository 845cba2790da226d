"""Dense correspondence from densely annotated synthetic people (H. Yan and others, "UltraPose", ICCV 2021).

Idea: people annotate some hundred points of a person by hand, a drawn body knows the point under every pixel. So
synthetic people, drawn from a body whose shape, pose and looks are set apart, give thousands of points a person at no
cost and without error. A hybrid of convolutions and a transformer that learns from them says of each pixel which part
of the body it shows and where on it.

Built here: the synthetic set (``marrow synth dense``, 2,600 points a person), a small network of that kind
(:mod:`marrow.recover.dense`), DensePose's measure, and the comparison of densities: the same network, pictures, batches
and steps with 2,600 points a person against the 106 of DensePose-COCO. The crops have fewer pixels of a person than
2,600, mostly 1,000 to 2,500: then all are annotated. Both learn the mask from every pixel. The network does not begin
with pixels alone: it is given what BlazePose's landmark network says of the crop (33 points, along and across the
limbs, and a mask). From pixels alone, at sixteen passes over 800 people, it erred by 39 cm with many points and with
few; so it errs by 15, the middle of the true part by 19, and many points are a little better than few: by 2 %. Neither
the transformer nor 2,600 points against 530 made a difference that one seed could show. Not: their body, renderer and
sizes (5,000 persons), 24 parts with U and V (here 15 and places on the body at rest), real pictures. Read were the
abstract and the authors' README, not the paper: the rest is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marrow.bench.system import Claim, Paired, Paper, System

if TYPE_CHECKING:
    from marrow.recover.dense import DenseNet, DensePerson
    from marrow.recover.dense_training import Errors

#: Points a person: of UltraPose, between, and of DensePose-COCO.
DENSE, BETWEEN, SPARSE = 2600, 530, 106


@dataclass
class Config:
    """What a user may set.

    Attributes:
        people: to learn from.
        points: annotated on each of them.
        steps: of the optimiser.
        batch: crops in a step.
        held_out: people to measure on, from two splits of motions that nobody learns from.
    """

    people: int = 800
    points: int = DENSE
    steps: int = 800
    batch: int = 8
    held_out: int = 200


def build(config: Config, seed: int = 0, attention: bool = True) -> DenseNet:
    """The network, which knows nothing yet."""
    import torch

    from marrow.recover.dense import DenseNet

    torch.manual_seed(seed)
    return DenseNet(attention=attention)


def train(model: DenseNet, config: Config, steps: int | None = None, seed: int = 0, **told: Any) -> list[float]:
    """Learn from synthetic people, no more of them than the steps can take in."""
    from marrow.recover.dense_training import dense_people_of, train_dense

    steps = config.steps if steps is None else steps
    people = dense_people_of("train", 0, min(config.people, 2 * steps))
    return train_dense(model, people, config.points, steps, batch=min(config.batch, 4 * steps), seed=seed, **told)


def example(config: Config) -> tuple[NDArray[np.uint8], Sequence[Sequence[float]]]:
    """A picture (H, W, 3) uint8 of nothing in particular, and a box ``x0 y0 x1 y1`` in it."""
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    return picture, [(30.0, 10.0, 90.0, 110.0)]


def infer(model: DenseNet, inputs: Any) -> list[DensePerson]:
    """Parts, places and vertices of the body under the pixels of people: of a picture, or of one and its boxes."""
    from marrow.recover.dense import dense_people

    image, boxes = inputs if isinstance(inputs, tuple) else (inputs, None)
    return dense_people(image, boxes, model)


def bench(config: Config, tier: str) -> Paired:
    """The network with many and with few points of the same people, on held-out people in held-out motions."""
    from marrow.bench.runner import compare
    from marrow.body.parts import PARTS
    from marrow.metrics.dense import average_precision
    from marrow.recover.dense_training import (
        dense_people_of,
        errors,
        errors_of,
        middle_of_part,
        nearest_point,
        train_dense,
    )

    seeds = (0,) if (quick := tier == "quick") else (0, 1, 2)
    people = dense_people_of("train", 0, 100 if quick else config.people)
    steps = config.steps // 10 if quick else config.steps
    each = 30 if quick else config.held_out // 2
    tested = [dense_people_of(split, 1, max(each, 100)).rows(slice(each)) for split in "AB"]

    def measured(points: int, seed: int, attention: bool = True) -> list[Errors]:  # one for each split
        model = build(config, seed, attention)
        train_dense(model, people, points, steps, batch=config.batch, seed=seed)
        return [errors(own, model) for own in tested]

    dense = [measured(DENSE, seed) for seed in seeds]
    sparse = [measured(SPARSE, seed) for seed in seeds]
    named = (("with", dense), ("without", sparse))
    distance = {"with": _all(dense, "distance"), "without": _all(sparse, "distance")}
    persons = np.tile(np.arange(len(distance["with"]) // len(seeds)), len(seeds))

    def against(first: list[list[Errors]], second: list[list[Errors]], name: str, better: str) -> dict[str, Any]:
        """A further figure of people, with and without, and its interval over them."""
        values = 100 * np.stack([_all(runs, name) for runs in (first, second)])
        known = np.flatnonzero(np.isfinite(values).all(0))
        pairs = Paired(*values[:, known], clusters=persons[known], seeds=seeds[: len(first)], data="the same")
        return compare(pairs, better=better)

    shown = (people.part > 0).sum((1, 2))
    middles, nearest = ([errors_of(own, answer(own)) for own in tested] for answer in (middle_of_part, nearest_point))
    details: dict[str, Any] = {
        "similarity (GPS), %": against(dense, sparse, "similarity", "higher"),
        "pixels with the right part, %": against(dense, sparse, "right_part", "higher"),
        "where the part is right, cm": against(dense, sparse, "within", "lower"),
        "mask, intersection over union, %": against(dense, sparse, "overlap", "higher"),
        "average precision (GPS 0.5:0.95)": {
            name: round(average_precision(_all(runs, "similarity")), 4) for name, runs in named
        },
        "cm by part": {
            part: {name: round(100 * float(_all(runs, "by_part")[k :: len(PARTS)].mean()), 2) for name, runs in named}
            for k, part in enumerate(PARTS)
        },
        "the middle of the true part, cm": round(100 * _all([middles], "distance").mean(), 3),
        "the surface at the nearest landmark, cm": round(100 * _all([nearest], "distance").mean(), 3),
        "pixels of a person to learn from": [int(v) for v in np.percentile(shown, [5, 50, 95])],
        "cm by split": {
            split: {name: round(100 * np.mean([run[k].distance for run in runs]), 3) for name, runs in named}
            for k, split in enumerate("AB")
        },
    }
    if not quick:
        details[f"{DENSE} points against {BETWEEN}, cm, seed 0"] = against(
            dense[:1], [measured(BETWEEN, 0)], "distance", "lower"
        )
        details["transformer against residual blocks of as many parameters, cm, seed 0"] = against(
            dense[:1], [measured(DENSE, 0, attention=False)], "distance", "lower"
        )
    return Paired(
        100 * distance["with"],
        100 * distance["without"],
        persons,
        seeds=seeds,
        data=f"{len(persons) // len(seeds)} held-out synthetic people in held-out motions, {len(shown)} to learn from, "
        f"{steps} steps of {config.batch}",
        details=details,
    )


def _all(runs: list[list[Errors]], name: str) -> NDArray[np.float64]:
    """A figure of everybody, seed by seed."""
    return np.concatenate([getattr(own, name) for run in runs for own in run])


SYSTEM = System(
    id="ultrapose",
    paper=Paper(
        title="UltraPose: Synthesizing Dense Pose with 1 Billion Points by Human-body Decoupling 3D Model",
        authors=("Haonan Yan", "Jiaqi Chen", "Xujie Zhang", "Shengkai Zhang", "Nianhong Jiao", "Xiaodan Liang",
                 "Tianxiang Zheng"),
        year=2021,
        venue="ICCV",
        arxiv="2110.15267",
    ),
    tasks=("dense", "image"),
    verb="marrow capture VIDEO --dense",
    claim=Claim(
        text="The same network learns dense correspondence better from 2,600 points a person than from 106.",
        metric="mean geodesic distance over the pixels of a held-out person (cm)",
        from_abstract=True,
    ),
    notes=("UltraPose's own code is MIT, over parts of DensePose; nothing of it is used here.",),
)  # fmt: skip
