"""Crowds with children who cover each other, and a score that counts the missed (P. Patel and others, "AGORA: Avatars
in Geography Optimized for Regression Analysis", CVPR 2021).

Idea: pictures of real people have no true bodies, so AGORA draws scanned people, children among them, in crowds where
they cover each other. A regressor that learns on them becomes better at such people. Errors of the matched people alone
reward leaving out the hard ones, so the mean error is divided by the F1 score of finding them (NMVE, NMJE).

Reproduced here: the protocol, and both effects on marrow's own crowds (preset ``multi``), with a small regressor
against the same one trained on ``adults``: one adult each, whole and alone, by such cameras. It sees crops of 64 pixels
and BlazePose's landmarks in them: of so few it learns little from pixels alone. Crops are cut around true boxes, as
BlazePose finds few people of a crowd. By the means of groups (``details``) crowds help with people of whom a tenth or
more is hidden, hardly with children, and cost accuracy on those hardly hidden: in BlazePose's own boxes, which hold
mostly such people, the two cannot be told apart. Not: scans and image-based light, SMPL-X and its fits, fine-tuning of
published regressors, real pictures. Bodies are the default body's, joints ``h36m17`` and not SMPL's 24, F1 is not
rounded, and who is less than a tenth in the picture does not count. Read were the abstract, a summary and a
description of the evaluation, not the full text. A picture's figure is a jackknife pseudo-value of the NMVE of all
pictures (``marrow.metrics.people``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.bench.system import Claim, Paired, Paper, System
from marrow.types import Camera

if TYPE_CHECKING:
    from marrow.data.synth.crops import Crops
    from marrow.recover.people import People
    from marrow.recover.regressor import BodyRegressor

#: The regressor of the bench's first seed; ``python scripts/train_agora.py`` makes it.
WEIGHTS = Path(__file__).parent / "weights" / "agora.safetensors"


@dataclass
class Config:
    """What a user may set.

    Attributes:
        crops: people to learn from.
        size: of a crop, pixels.
        steps: of the optimiser.
        batch: crops a step.
        rate: highest learning rate.
        pictures: held out, in each of the motion splits A and B.
        channels: of the network's stages.
    """

    crops: int = 1200
    size: int = 64
    steps: int = 1000
    batch: int = 16
    rate: float = 2e-3
    pictures: int = 30
    channels: tuple[int, ...] = (16, 32, 64, 128, 192)


def build(config: Config) -> BodyRegressor:
    """The regressor with the weights that ship, or, of another form, with none."""
    from marrow.train.weights import load_weights

    model = _new(config, 0)
    if WEIGHTS.is_file() and config.channels == Config().channels:
        load_weights(model, WEIGHTS)
    return model.eval()


def train(
    model: BodyRegressor, config: Config, steps: int | None = None, seed: int = 0, *learnt_from: Any, **told: Any
) -> list[float]:
    """Train on crops of crowds, or on others and their hints; the losses. A trial of few steps draws a few adults."""
    from marrow.recover.training import train_on

    steps = config.steps if steps is None else steps
    if not learnt_from:
        few = steps < 20
        learnt_from = (_crops("adults" if few else "multi", steps if few else config.crops, config.size), None)
    crops, hints = learnt_from
    return train_on(model, crops, steps=steps, batch=config.batch, seed=seed, rate=config.rate, hints=hints, **told)


def example(config: Config) -> tuple[Any, Any]:
    """A picture of noise, and a box in it, so that no detector is needed."""
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    return picture, np.array([[40.0, 10.0, 90.0, 110.0]])


def infer(model: BodyRegressor, inputs: Any, camera: Camera | None = None, size: int = Config.size) -> People:
    """Everybody in a picture, with their skin in metres in the camera.

    Args:
        model: of :func:`build`.
        inputs: a path or (H, W, 3) uint8 RGB; or such a picture and the boxes (P, 4) ``x0 y0 x1 y1`` to look at,
            by default those of :func:`marrow.detect.detect`.
        camera: by default one with the usual field of view; what is wrong with it is wrong with the distances.
        size: of the crops the model learnt from.
    """
    from marrow.geometry.projection import camera_from_fov
    from marrow.io.images import read_image
    from marrow.recover.people import read_people

    picture, boxes = inputs if isinstance(inputs, tuple) else (inputs, None)
    image = read_image(picture) if isinstance(picture, str | Path) else np.asarray(picture)
    if boxes is None:
        from marrow.detect import detect

        boxes = np.array([found.box for found in detect(image)])
    return read_people(model, image, boxes, camera or camera_from_fov((image.shape[1], image.shape[0])), size)


def bench(config: Config, tier: str) -> Paired:
    """The same network trained on crowds and on single adults, on the people of the same held-out crowds."""
    from marrow.bench import crowds
    from marrow.recover.landmarks import landmark_hints
    from marrow.recover.training import MeanBody

    quick = tier == "quick"
    seeds = (0,) if quick else (0, 1, 2)
    if quick:
        config = Config(crops=200, steps=150, pictures=6, size=config.size, channels=config.channels)
    crowd = crowds.joined([crowds.held_out(split, 100 + k, config.pictures) for k, split in enumerate("AB")])
    learnt_from = {preset: _crops(preset, config.crops, config.size) for preset in ("multi", "adults")}
    models: dict[str, list[BodyRegressor]] = {}
    for preset, people in learnt_from.items():
        hints, models[preset] = landmark_hints(people.images), [_new(config, seed) for seed in seeds]
        for model, seed in zip(models[preset], seeds, strict=True):
            train(model, config, config.steps, seed, people, hints)
    own, details = crowds.compared(crowd, models, MeanBody(learnt_from["multi"]), config.size)
    with_, without = (np.concatenate([1000 * scores.pseudo_values() for scores in own[p]]) for p in models)
    data = (
        f"{len(crowd.images)} pictures of crowds in held-out motions, {len(own['multi'][0].found)} people who count, "
        f"their true boxes; {config.crops} crops to learn from, {config.steps} steps of {config.batch}"
    )
    pictures = np.tile(np.arange(len(crowd.images)), len(seeds))
    return Paired(with_, without, pictures, seeds=seeds, data=data, details=details)


def _crops(preset: str, count: int, size: int) -> Crops:
    from marrow.data.synth.crops import at_least
    from marrow.data.synth.samples import Recipe

    return at_least(Recipe(preset, 0, maps=()), count, size)


def _new(config: Config, seed: int) -> BodyRegressor:
    import torch

    from marrow.recover.landmarks import COUNT
    from marrow.recover.regressor import BodyRegressor

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BodyRegressor(config.channels, COUNT)


SYSTEM = System(
    id="agora",
    paper=Paper(
        title="AGORA: Avatars in Geography Optimized for Regression Analysis",
        authors=(
            "Priyanka Patel", "Chun-Hao P. Huang", "Joachim Tesch", "David T. Hoffmann", "Shashank Tripathi",
            "Michael J. Black",
        ),
        year=2021,
        venue="CVPR",
        arxiv="2104.14643",
    ),
    tasks=("synthetic data", "metrics", "body from a picture"),
    verb="marrow score PREDICTIONS --truth SET",
    claim=Claim(
        text="A regressor trained on crowds with children and people who cover each other has a lower NMVE on held-out "
        "crowds than the same regressor trained on as many single adults who are wholly seen.",
        metric="NMVE (mm)",
        from_abstract=True,
    ),
    notes=("AGORA's own data and code are for research only; nothing of them is used here.",),
)  # fmt: skip
