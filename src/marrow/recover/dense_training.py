"""How the dense network learns, and how far off it is: from synthetic crops with so many points annotated a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from marrow.body import load_body
from marrow.body.geodesics import Geodesics, geodesics
from marrow.body.keypoints import keypoint_positions
from marrow.body.parts import PARTS, vertex_parts
from marrow.data.synth.crops import crops
from marrow.data.synth.samples import Recipe
from marrow.data.synth.scenes import Choices
from marrow.metrics.dense import geodesic_point_similarity
from marrow.progress import Progress, silent
from marrow.recover.dense import MIRRORED, SIZE, DenseNet, dense_loss, nearest_vertices, read_crops
from marrow.recover.landmarks import hints_mirrored, landmark_hints_and_masks
from marrow.train.loop import shuffled, train
from marrow.types import Float32, Float64

#: Pictures in one file of the cache.
_CHUNK = 100


@dataclass(frozen=True, eq=False)
class DensePeople:
    """N crops of S x S pixels with the truth, and what the landmark network says of them.

    Attributes:
        images, part, spot: as in :class:`marrow.data.synth.crops.Crops`.
        hints, masks: of :func:`marrow.recover.landmarks.landmark_hints_and_masks`.
    """

    images: NDArray[np.uint8]
    part: NDArray[np.uint8]
    spot: NDArray[np.float16]
    hints: Float32
    masks: NDArray[np.uint8]

    def rows(self, which: NDArray | slice) -> DensePeople:
        """Some of them."""
        return DensePeople(*(own[which] for own in vars(self).values()))


def dense_people_of(split: str, seed: int, count: int, progress: Progress = silent) -> DensePeople:
    """The people of so many pictures of the preset "dense", drawn at 256 pixels.

    Args:
        split: of the shipped motions: "train", "A" or "B".
        seed: of the set.
        count: pictures, one person each; a crop is left out where less than a tenth of the person is seen.
    """
    recipe = Recipe("dense", seed=seed, choices=Choices(size=(256, 256), split=split))
    starts = range(0, count, _CHUNK)
    parts = [crops(recipe, range(s, min(s + _CHUNK, count)), SIZE, dense=True, progress=progress) for s in starts]
    images, part, spot = (np.concatenate([getattr(own, n) for own in parts]) for n in ("images", "part", "spot"))
    return DensePeople(images, part, spot, *landmark_hints_and_masks(images))


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
    people: DensePeople,
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
    chosen = annotated(people.part, points, seed)
    order = shuffled(len(chosen), batch, seed)

    def batch_of(number: int) -> tuple[torch.Tensor, ...]:
        rows = order(number).numpy()
        return _batch(np.random.default_rng([seed, 1, number]), people.rows(rows), chosen[rows], disturbed)

    def loss(net: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return dense_loss(net(*given[:3]), *given[3:])

    return train(model, batch_of, loss, steps=steps, rate=rate, warm=min(50, steps // 4), **told)


def _batch(
    rng: np.random.Generator, people: DensePeople, own: NDArray[np.uint8], disturbed: bool
) -> tuple[torch.Tensor, ...]:
    image, shown, place = people.images.astype(np.float32) / 255, people.part > 0, people.spot.astype(np.float32)
    masks, hints = people.masks.astype(np.float32) / 255, torch.from_numpy(people.hints)
    turned = rng.random(len(own)) < 0.5
    for flat in (image, shown, masks):
        flat[turned] = flat[turned, :, ::-1]
    own[turned], place[turned] = (
        MIRRORED[own[turned, :, ::-1]],
        place[turned, :, ::-1] * np.array([-1, 1, 1], np.float32),
    )
    hints = torch.where(torch.from_numpy(turned)[:, None, None], hints_mirrored(hints), hints)
    gain = np.exp(rng.normal(0, 0.2, (len(own), 1, 1, 1)) + rng.normal(0, 0.08, (len(own), 1, 1, 3)))
    image = np.clip(image * gain.astype(np.float32), 0, 1)
    if disturbed:
        image = np.stack([_disturbed(rng, one) for one in image])
    return (
        torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2), np.float32)), hints,
        torch.from_numpy(masks), torch.from_numpy(shown), torch.from_numpy(own), torch.from_numpy(place),
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


def errors(people: DensePeople, model: DenseNet) -> Errors:
    """Of a network."""
    told = read_crops(model, people.images, (people.hints, people.masks), everywhere=True)
    return errors_of(people, [own[3] for own in told], [own[0] for own in told])


def errors_of(
    people: DensePeople, vertex: Iterable[NDArray[np.int32]], seen: Iterable[NDArray[np.floating]] | None = None
) -> Errors:
    """Of vertices (S, S) under the pixels of each person.

    Args:
        people: with the truth.
        vertex: also where the person is not thought to be seen.
        seen: (S, S) probability that the pixel shows the person; None: where it does.
    """
    between, truth, parts = _geodesics(), _true_vertices(people), vertex_parts(load_body())
    rows = []
    total, count = np.zeros(15), np.zeros(15)
    for part, true, said, likely in zip(people.part, truth, vertex, people.part if seen is None else seen, strict=True):
        shown, thought = part > 0, likely > 0.5
        number = part[shown]
        away = between.between(said[shown], true)
        total += np.bincount(number - 1, away, 15)
        count += np.bincount(number - 1, minlength=15)
        similarity = geodesic_point_similarity(np.where(thought[shown], away, np.inf))
        overlap = (thought & shown).sum() / (thought | shown).sum()
        right = parts[said[shown]] == number
        within = away[right].mean() if right.any() else np.nan
        rows.append((away.mean(), similarity, right.mean(), within, overlap))
    distance, similarity, right, within, overlap = np.array(rows).T
    return Errors(distance, similarity, right, within, total / np.maximum(count, 1), overlap)


def middle_of_part(people: DensePeople) -> NDArray[np.int32]:
    """(N, S, S) the vertex nearest to the middle of the true part under each pixel: an answer that knows the part."""
    body = load_body()
    parts, x = vertex_parts(body), np.asarray(body.rest().vertices, float)
    numbers = np.arange(1, len(PARTS) + 1)
    means = np.array([x[parts == k].mean(0) for k in numbers])
    return np.concatenate([[0], nearest_vertices(numbers, means)]).astype(np.int32)[people.part]


def nearest_point(people: DensePeople) -> NDArray[np.int32]:
    """(N, S, S) the vertex at the landmark network's point nearest to each pixel: an answer without learning."""
    rest = load_body().rest()
    R, p = rest.skeleton.bind[:, :3, :3], rest.skeleton.bind[:, :3, 3]
    points = keypoint_positions("blazepose33", rest.skeleton, R, p, rest.vertices)
    vertex = np.asarray(KDTree(rest.vertices).query(points)[1], np.int32)
    size = people.part.shape[1]
    pixels = (np.indices((size, size))[::-1].reshape(2, -1).T + 0.5) * (2 / size) - 1
    nearest = [KDTree(own[:, :2]).query(pixels)[1] for own in people.hints]
    return vertex[np.array(nearest)].reshape(people.part.shape)


def _true_vertices(people: DensePeople) -> list[NDArray[np.int32]]:
    shown = [part > 0 for part in people.part]
    return [
        nearest_vertices(part[at], spot[at].astype(float))
        for part, spot, at in zip(people.part, people.spot, shown, strict=True)
    ]


def _geodesics() -> Geodesics:
    body = load_body()
    return geodesics(body.rest().vertices, body.faces)
