"""How the dense network learns, and how far off it is: from synthetic crops with so many points annotated a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.geodesics import Geodesics, geodesics
from marrow.data.synth.crops import Crops, crops
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices
from marrow.metrics.dense import geodesic_point_similarity
from marrow.progress import Progress, silent
from marrow.recover.dense import MIRRORED, SIZE, DenseNet, dense_loss, nearest_vertices, read_crops
from marrow.train.loop import shuffled, train
from marrow.types import Float64

#: Pictures in one file of the cache.
_CHUNK = 100


def dense_crops(split: str, seed: int, count: int, progress: Progress = silent) -> list[Crops]:
    """Crops of the people of so many pictures of the preset "dense", drawn at 256 pixels.

    Args:
        split: of the shipped motions: "train", "A" or "B".
        seed: of the set.
        count: pictures, one person each; a crop is left out where less than a tenth of the person is seen.
    """
    recipe = Recipe("dense", seed=seed, choices=Choices(size=(256, 256), split=split))
    starts = range(0, count, _CHUNK)
    return [crops(recipe, range(s, min(s + _CHUNK, count)), SIZE, dense=True, progress=progress) for s in starts]


def annotated(part: NDArray[np.uint8], points: int, seed: int) -> NDArray[np.uint8]:
    """The parts (N, S, S) at so many pixels of each crop, drawn by chance, or at all where there are fewer; else 0."""
    rng = np.random.default_rng(seed)
    out = np.zeros_like(part)
    for own, kept in zip(part.reshape(len(part), -1), out.reshape(len(part), -1), strict=True):
        at = np.flatnonzero(own)
        at = rng.choice(at, min(points, len(at)), replace=False)
        kept[at] = own[at]
    return out


def train_dense(
    model: DenseNet,
    people: list[Crops],
    points: int,
    steps: int,
    *,
    batch: int = 4,
    rate: float = 3e-3,
    seed: int = 0,
    disturbed: bool = False,
    **told: Any,
) -> list[float]:
    """Train a network in place on crops, whose points are annotated once; returns the loss of each step.

    Every second crop is mirrored and all get another white balance and brightness. The mask of the person is known of
    every pixel, however few points there are.

    Args:
        points: a person.
        disturbed: also grey pictures, blur and noise, for cameras unlike the synthetic one.
        told: further options of :func:`marrow.train.loop.train`.
    """
    images = np.concatenate([own.images for own in people])
    part = np.concatenate([own.part for own in people])
    spot = np.concatenate([own.spot for own in people])
    chosen = annotated(part, points, seed)
    rows = shuffled(len(images), batch, seed)

    def batch_of(number: int) -> tuple[torch.Tensor, ...]:
        chance = np.random.default_rng([seed, 1, number])
        return _batch(chance, images, part, chosen, spot, rows(number).numpy(), disturbed)

    def loss(net: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return dense_loss(net(given[0]), *given[1:])

    return train(model, batch_of, loss, steps=steps, rate=rate, warm=min(50, steps // 4), **told)


def _batch(
    rng: np.random.Generator,
    images: NDArray[np.uint8],
    part: NDArray[np.uint8],
    chosen: NDArray[np.uint8],
    spot: NDArray[np.float16],
    rows: NDArray[np.int64],
    disturbed: bool,
) -> tuple[torch.Tensor, ...]:
    image = images[rows].astype(np.float32) / 255
    shown, own, place = part[rows] > 0, chosen[rows], spot[rows].astype(np.float32)
    turned = rng.random(len(rows)) < 0.5
    image[turned], shown[turned] = image[turned, :, ::-1], shown[turned, :, ::-1]
    own[turned], place[turned] = (
        MIRRORED[own[turned, :, ::-1]],
        place[turned, :, ::-1] * np.array([-1, 1, 1], np.float32),
    )
    gain = np.exp(rng.normal(0, 0.2, (len(rows), 1, 1, 1)) + rng.normal(0, 0.08, (len(rows), 1, 1, 3)))
    image = np.clip(image * gain.astype(np.float32), 0, 1)
    if disturbed:
        image = np.stack([_disturbed(rng, one) for one in image])
    return (
        torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2), np.float32)),
        torch.from_numpy(shown), torch.from_numpy(own), torch.from_numpy(place),
    )  # fmt: skip


def _disturbed(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    if rng.random() < 0.3:
        grey = image.mean(-1, keepdims=True)
        image = grey + np.float32(rng.uniform(0, 1)) * (image - grey)
    if rng.random() < 0.4:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    image = np.clip(image, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    noise = rng.normal(0, rng.uniform(0, 0.04), image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Errors:
    """How far off a network is on N people; each figure is a mean over the pixels that show the person.

    Attributes:
        distance: (N,) metres along the default body, between the true vertex and the network's, whose part is the
            likeliest one even where it thinks that nobody is seen.
        similarity: (N,) geodesic point similarity, which is 0 at pixels where it thinks that nobody is seen.
        right_part: (N,) share of pixels with the right part.
        within: (N,) metres, mean distance over the pixels with the right part; NaN where there are none.
        by_part: (15,) mean distance over all pixels of each part, metres.
        overlap: (N,) of the mask with the true one: intersection over union.
    """

    distance: Float64
    similarity: Float64
    right_part: Float64
    within: Float64
    by_part: Float64
    overlap: Float64


def errors(people: Crops, model: DenseNet | None) -> Errors:
    """Of a network on crops; of None, which says the middle vertex of the true part everywhere."""
    between, truth = _geodesics(), _true_vertices(people)
    middle = _middles()
    rows = []
    total, count = np.zeros(15), np.zeros(15)
    told = [None] * len(people.images) if model is None else read_crops(model, people.images, everywhere=True)
    for part, vertices, own in zip(people.part, truth, told, strict=True):
        shown = part > 0
        number = part[shown]
        if own is None:
            seen, said, vertex = shown.astype(np.float32), part, middle[part]
        else:
            seen, said, _, vertex = own
        away = between.between(vertex[shown], vertices)
        thought = seen > 0.5
        total += np.bincount(number - 1, away, 15)
        count += np.bincount(number - 1, minlength=15)
        similarity = geodesic_point_similarity(np.where(thought[shown], away, np.inf))
        overlap = (thought & shown).sum() / (thought | shown).sum()
        right = said[shown] == number
        within = away[right].mean() if right.any() else np.nan
        rows.append((away.mean(), similarity, right.mean(), within, overlap))
    distance, similarity, right, within, overlap = np.array(rows).T
    return Errors(distance, similarity, right, within, total / np.maximum(count, 1), overlap)


def _true_vertices(people: Crops) -> list[NDArray[np.int32]]:
    shown = [part > 0 for part in people.part]
    return [
        nearest_vertices(part[at], spot[at].astype(float))
        for part, spot, at in zip(people.part, people.spot, shown, strict=True)
    ]


def _geodesics() -> Geodesics:
    body = load_body()
    return geodesics(body.rest().vertices, body.faces)


def _middles() -> NDArray[np.int32]:
    """(16,) vertex nearest to the middle of each part's vertices, by the part's number; the first is of none."""
    from marrow.body.parts import PARTS, vertex_parts

    body = load_body()
    parts, x = vertex_parts(body), np.asarray(body.rest().vertices, float)
    numbers = np.arange(1, len(PARTS) + 1)
    means = np.array([x[parts == k].mean(0) for k in numbers])
    return np.concatenate([[0], nearest_vertices(numbers, means)]).astype(np.int32)
