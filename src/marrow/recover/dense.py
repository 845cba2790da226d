"""Which point of the body each pixel of a person shows: a network, and what it says of people in a picture.

A residual network's features at an eighth of the crop become tokens of a transformer, which go back to the crop's size
beside finer features (a hybrid of both kinds, as TransUltra is: H. Yan and others, UltraPose, ICCV 2021). Each pixel
gets a part of the body and a place on it.

From a thousand pictures alone such a network hardly learns to find limbs. So it starts from what BlazePose's landmark
network, which has seen many people, knows of the crop: every pixel is told where it lies about the bones of the parts
(:mod:`marrow.recover.limbs`) and whether the person is seen there, and all pixels the points' places and depths.

The place is told in three coordinates on the body at rest (metres), by a head for each part, and the point is the
vertex of that part nearest to it. The other way, U and V of an atlas, has seams within parts: there the neighbours of a
pixel have quite other coordinates, whose average lies elsewhere. On the body at rest neighbours are neighbours, and
the part's own head and vertices keep the left thigh from the right one. U and V then follow from the vertex.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from marrow.body import load_body
from marrow.body.parts import PARTS, vertex_parts
from marrow.errors import InputError
from marrow.geometry.crops import crop_around
from marrow.io.images import cut_crop
from marrow.nn.residual import ResidualBlock, ResidualNet
from marrow.nn.vit import PictureTransformer
from marrow.recover.landmarks import COUNT, landmark_hints_and_masks
from marrow.recover.limbs import MAPS, limb_maps
from marrow.train.weights import load_weights
from marrow.types import Float32, Float64

#: Side of the crops that the network reads, pixels.
SIZE = 112
#: Trained by ``scripts/train_dense.py --people 800 --steps 1800`` on synthetic pictures alone. On held-out synthetic
#: people it names the right part for 51 % of the pixels and is 40 cm off on average; its mask: 68 % (IoU).
WEIGHTS = Path(__file__).with_name("weights") / "dense.safetensors"
_LEFT_RIGHT = [PARTS.index(p[:-1] + {"r": "l", "l": "r"}[p[-1]] if p[-2:] in ("_r", "_l") else p) + 1 for p in PARTS]
#: For each part's number, from 0 for none, that of its mirror image.
MIRRORED = np.array([0, *_LEFT_RIGHT], np.uint8)


@dataclass(frozen=True)
class Sensed:
    """What the network says of N crops of S x S pixels, at every second pixel of a row and of a column.

    Attributes:
        logits: (N, 1 + 15, S / 2, S / 2): no part, then those of :data:`marrow.body.parts.PARTS`.
        place: (N, 15, 3, S / 2, S / 2) where on the body at rest a pixel is if it shows that part, metres.
    """

    logits: torch.Tensor
    place: torch.Tensor


class DenseNet(nn.Module):
    """From crops, and the landmark network's hints of them, to parts and places.

    Args:
        size: side of the crops, pixels; a multiple of 8.
        channels: of the residual network's stages, at a quarter and an eighth of the side.
        dim: channels of the middle.
        depth: transformer blocks, in threes.
        width: channels of what follows the middle.
        attention: False: residual blocks of as many parameters in place of the transformer's.
    """

    def __init__(
        self,
        size: int = SIZE,
        channels: tuple[int, int] = (32, 64),
        dim: int = 64,
        depth: int = 3,
        width: int = 32,
        attention: bool = True,
    ) -> None:
        super().__init__()
        if size % 8 or depth % 3:
            raise InputError(f"DenseNet: expected a size in eights and a depth in threes, got {size} and {depth}")
        self.size = size
        quarter, eighth = channels
        maps = MAPS * len(PARTS) + 1
        self.picture = ResidualNet(channels, blocks=1, stride=4)
        self.told = nn.Sequential(nn.Linear(COUNT, 128), nn.ReLU(), nn.Linear(128, eighth + width))
        if attention:
            self.middle = PictureTransformer(eighth + maps, dim, depth, (size // 8, size // 8))
        else:  # a transformer block has 12 dim^2 parameters, a residual block 18 dim^2
            blocks = [ResidualBlock(dim, dim) for _ in range(2 * depth // 3)]
            self.middle = nn.Sequential(nn.Conv2d(eighth + maps, dim, 1), *blocks)
        self.reduce = nn.Conv2d(dim, width, 1)
        self.merge = ResidualBlock(width + quarter, width)
        self.fine = nn.Sequential(
            nn.Conv2d(width + maps + 3, width, 1), nn.GroupNorm(8, width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 1), nn.ReLU(),
            nn.Conv2d(2 * width, 1 + 4 * len(PARTS), 1),
        )  # fmt: skip
        middle, extent = _extents()
        self.register_buffer("part_middle", torch.tensor(middle, dtype=torch.float32)[:, :, None, None])
        self.register_buffer("part_extent", torch.tensor(extent, dtype=torch.float32)[:, :, None, None])

    part_middle: torch.Tensor
    part_extent: torch.Tensor

    def forward(self, images: torch.Tensor, hints: torch.Tensor, masks: torch.Tensor) -> Sensed:
        """Read crops.

        Args:
            images: (N, 3, S, S), sRGB from 0 to 1.
            hints: (N, 33, 8) of the crops, as :func:`marrow.recover.landmarks.landmark_hints` gives them.
            masks: (N, M, M) how likely the person is seen there, from 0 to 1.
        """
        images, half = 2 * images - 1, self.size // 2
        seen = nn.functional.interpolate(masks[:, None], size=(half, half), mode="bilinear", align_corners=False)
        maps = torch.cat([limb_maps(hints, half), 2 * seen - 1], 1)
        quarter, eighth = self.picture(images)
        code, late = self.told(hints.flatten(1))[:, :, None, None].split([eighth.shape[1], self.reduce.out_channels], 1)
        coarse = self.middle(torch.cat([eighth + code, nn.functional.avg_pool2d(maps, 4)], 1))
        merged = self.merge(torch.cat([_twice(self.reduce(coarse)), quarter], 1)) + late
        out = self.fine(torch.cat([_twice(merged), maps, nn.functional.avg_pool2d(images, 2)], 1))
        logits, place = out.split([1 + len(PARTS), 3 * len(PARTS)], 1)
        place = place.unflatten(1, (len(PARTS), 3))
        return Sensed(logits, self.part_middle + self.part_extent * place)


def _twice(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


@functools.cache
def _extents() -> tuple[Float64, Float64]:
    """Middle and half extent (15, 3) of each part on the body at rest, metres."""
    body = load_body()
    vertices, parts = np.asarray(body.rest().vertices, float), vertex_parts(body)
    low = np.array([vertices[parts == k + 1].min(0) for k in range(len(PARTS))])
    high = np.array([vertices[parts == k + 1].max(0) for k in range(len(PARTS))])
    return (low + high) / 2, (high - low) / 2


def dense_loss(sensed: Sensed, shown: torch.Tensor, part: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """How far off: where the person is to be seen, and at annotated pixels which part and where on it.

    Args:
        sensed: of N crops.
        shown: (N, S, S) bool, pixels that show the person.
        part: (N, S, S) uint8 number of the part at annotated pixels, 0 elsewhere; each crop counts alike, however many
            it has.
        place: (N, S, S, 3) places on the body at rest at these pixels, metres.
    """
    person = sensed.logits[:, 1:].logsumexp(1) - sensed.logits[:, 0]
    mask = nn.functional.binary_cross_entropy_with_logits(person, nn.functional.avg_pool2d(shown.float(), 2))
    row, y, x = torch.nonzero(part, as_tuple=True)
    number = part[row, y, x].long() - 1
    share = 1.0 / torch.bincount(row, minlength=len(part)).clamp(min=1)[row] / len(part)
    logits = sensed.logits[:, 1:].permute(0, 2, 3, 1)[row, y // 2, x // 2]
    which = nn.functional.cross_entropy(logits, number, reduction="none")
    told = sensed.place.permute(0, 3, 4, 1, 2)[row, y // 2, x // 2, number]
    away = (told - place[row, y, x].float()).abs().sum(1)
    return 2.0 * mask + (which * share).sum() + 3.0 * (away * share).sum()


@dataclass(frozen=True, eq=False)
class DensePerson:
    """What the pixels of a person's crop show.

    Attributes:
        image_from_crop: (2, 3) ``xy_image = A @ (x_crop, y_crop, 1)``.
        seen: (S, S) probability that the pixel shows the person.
        part: (S, S) uint8 part of the body, numbered from 1 as in :data:`marrow.body.parts.PARTS`; 0 where the person
            is not seen.
        place: (S, S, 3) where that is on the default body at rest, metres, as the network says; NaN where not seen.
        vertex: (S, S) int32 the part's nearest vertex; -1 where not seen.
    """

    image_from_crop: Float64
    seen: Float32
    part: NDArray[np.uint8]
    place: Float32
    vertex: NDArray[np.int32]

    def uv(self) -> Float32:
        """(S, S, 2) texture coordinates of the vertices (at a seam one of several); NaN where not seen."""
        table = vertex_uv()
        return np.where(self.vertex[..., None] >= 0, table[self.vertex], np.nan).astype(np.float32)


@functools.cache
def vertex_uv() -> Float32:
    """(V, 2) texture coordinates of the default body's vertices, at seams one of several."""
    body = load_body()
    out = np.zeros((body.vertex_count, 2), np.float32)
    out[body.faces.ravel()] = body.uv[body.faces_uv.ravel()]
    return out


@functools.cache
def _part_trees() -> list[tuple[NDArray[np.intp], object]]:
    from scipy.spatial import KDTree

    body = load_body()
    ids = [np.flatnonzero(vertex_parts(body) == k + 1) for k in range(len(PARTS))]
    return [(own, KDTree(body.rest().vertices[own])) for own in ids]


def nearest_vertices(part: NDArray, place: NDArray) -> NDArray[np.int32]:
    """(N,) vertices of the parts (N,), from 1, nearest to the places (N, 3) on the body at rest."""
    out = np.empty(len(part), np.int32)
    for k, (ids, tree) in enumerate(_part_trees()):
        own = np.flatnonzero(part == k + 1)
        if len(own):
            out[own] = ids[tree.query(place[own])[1]]  # type: ignore[attr-defined]
    return out


def dense_people(
    image: NDArray[np.uint8], boxes: ArrayLike | None = None, model: DenseNet | None = None
) -> list[DensePerson]:
    """Which points of the body the pixels of people show.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) ``x0 y0 x1 y1`` in pixels around the people; None: those of :func:`marrow.detect.detect`.
        model: None: the one that ships.
    Returns:
        One for each box, in their order.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(f"dense_people: expected an RGB picture (H, W, 3) of uint8, got {image.shape} {image.dtype}")
    if boxes is None:
        from marrow.detect import detect

        boxes = [person.box for person in detect(image)]
    model = model or shipped_model()
    places = [crop_around(box, model.size) for box in np.asarray(boxes, float).reshape(-1, 4)]
    crops = [cut_crop(image, place, model.size) for place in places]
    return [DensePerson(A, *told) for A, told in zip(places, read_crops(model, crops), strict=True)]


def read_crops(
    model: DenseNet,
    crops: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    known: tuple[Float32, NDArray[np.uint8]] | None = None,
    *,
    everywhere: bool = False,
) -> list[tuple[Float32, NDArray[np.uint8], Float32, NDArray[np.int32]]]:
    """``seen``, ``part``, ``place`` and ``vertex`` (see :class:`DensePerson`) of crops (N, S, S, 3) uint8.

    Args:
        known: what :func:`marrow.recover.landmarks.landmark_hints_and_masks` says of the crops; None: it is asked.
        everywhere: also where the person is not thought to be seen, which the network's part and place there answer.
    """
    hints, masks = known or landmark_hints_and_masks(crops)
    out = []
    for start in range(0, len(crops), 16):
        rows = slice(start, start + 16)
        batch = torch.from_numpy(np.stack(list(crops[rows]))).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            sensed = model(batch, torch.from_numpy(hints[rows]), torch.from_numpy(masks[rows]).float() / 255)
            logits, place = _twice(sensed.logits), _twice(sensed.place.flatten(1, 2)).unflatten(1, (-1, 3))
            person = (logits[:, 1:].logsumexp(1) - logits[:, 0]).sigmoid().numpy()
            best = logits[:, 1:].argmax(1)
            index = best[:, None, None].expand(-1, 1, 3, -1, -1)
            places = place.gather(1, index)[:, 0].permute(0, 2, 3, 1).numpy()
        for seen, part, place in zip(person, best.numpy() + 1, places, strict=True):
            shown = np.ones(seen.shape, bool) if everywhere else seen > 0.5
            vertex = np.full(seen.shape, -1, np.int32)
            vertex[shown] = nearest_vertices(part[shown], place[shown])
            own = np.where(shown, part, 0).astype(np.uint8)
            out.append((seen, own, np.where(shown[..., None], place, np.nan).astype(np.float32), vertex))
    return out


@functools.cache
def shipped_model() -> DenseNet:
    """The network that ships with marrow, trained on synthetic pictures alone."""
    model = DenseNet()
    load_weights(model, WEIGHTS)
    return model
