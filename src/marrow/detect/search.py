"""Where to look for people: the whole picture and overlapping square tiles, and how their findings become regions.

The search network sees 224 × 224 pixels, so a person of a quarter of the picture's height is too small in the whole
picture. Squares of the short side and of 0.6 of it, overlapping, find such people too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.detect._network import Network
from marrow.detect.blazepose import (
    SEARCH_SIZE,
    Region,
    decode_search,
    halvings,
    image_from_crop,
    merge_overlapping,
    region_between,
    shrink,
)

#: Tile sides as fractions of the picture's short side, each with the overlap of neighbours as a fraction of the tile.
_TILES = ((1.0, 0.5), (0.6, 0.33))
_WIDE = 1.3
#: Two regions are of one person when their centres are nearer than this fraction of the size, and sizes are alike.
_SAME_CENTRE, _SAME_SIZE = 0.25, 1.6


@dataclass(frozen=True)
class Candidate:
    """A region that may hold a person, and the search network's score for it."""

    region: Region
    score: float


@functools.lru_cache(16)
def tiles(width: int, height: int) -> tuple[tuple[int, int, int], ...]:
    """Squares ``(x, y, side)`` to search, larger ones first.

    The whole picture (padded, so the square sticks out) comes first unless the picture is wide: nobody standing is
    larger than squares of a wide picture's height, and the whole of it shrunk to 224 pixels gives mostly mistakes.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
    """
    long, short = max(width, height), min(width, height)
    squares = []
    if width < _WIDE * height or short < SEARCH_SIZE // 2:
        squares.append(((width - long) // 2, (height - long) // 2, long))
    for fraction, overlap in _TILES:
        side = round(short * fraction)
        if side >= 0.9 * long or side < SEARCH_SIZE // 2:
            continue  # no closer look than the whole picture, or a picture too small to gain from it
        for y in _starts(height, side, overlap):
            squares += [(x, y, side) for x in _starts(width, side, overlap)]
    return tuple(squares)


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Evenly spaced tile starts that cover ``length``."""
    count = 1 + int(np.ceil(max(length - side, 0) / (side * (1 - overlap)) - 1e-9))
    return [int(x) for x in np.round(np.linspace(0, max(length - side, 0), count))]


def search_tile(
    network: Network, image: NDArray[np.uint8], tile: tuple[int, int, int], min_score: float
) -> list[Candidate]:
    """People in one square of the picture.

    Args:
        network: BlazePose's search network.
        image: (H, W, 3) uint8 RGB.
        tile: ``(x, y, side)`` of :func:`tiles`.
        min_score: candidates below it are dropped.
    """
    boxes, logits = network(_tile_input(image, tile))
    found, scores = merge_overlapping(*decode_search(boxes, logits[:, 0], min_score))
    x, y, side = tile
    points = found[:, 4:].reshape(-1, 4, 2) * side + (x - 0.5, y - 0.5)
    return [Candidate(region_between(own[0], own[1]), float(score)) for own, score in zip(points, scores, strict=True)]


def _tile_input(image: NDArray[np.uint8], tile: tuple[int, int, int]) -> NDArray[np.float32]:
    """(1, 224, 224, 3) in [-1, 1]; what sticks out of the picture is black."""
    x, y, side = tile
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    scale = SEARCH_SIZE / side
    factor = halvings(0.75 / scale)
    part = shrink(image[y0:y1, x0:x1], factor)
    x1, y1 = min(x1, x0 + part.shape[1] * factor), min(y1, y0 + part.shape[0] * factor)
    u0, v0 = round((x0 - x) * scale), round((y0 - y) * scale)
    u1, v1 = max(u0 + 1, round((x1 - x) * scale)), max(v0 + 1, round((y1 - y) * scale))
    square = np.zeros((SEARCH_SIZE, SEARCH_SIZE, 3), np.uint8)
    square[v0:v1, u0:u1] = cv2.resize(part, (u1 - u0, v1 - v0), interpolation=cv2.INTER_LINEAR)
    return _as_input(square)


def _as_input(square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(1, 224, 224, 3) float32 in [-1, 1]."""
    scaled = np.multiply(square, np.float32(2 / 255), dtype=np.float32)
    scaled -= 1
    return scaled[None]


def same_place(a: Region, b: Region) -> bool:
    """Whether two regions show one person: centres close together and sizes alike."""
    size = min(a.size, b.size)
    gap = np.hypot(a.centre[0] - b.centre[0], a.centre[1] - b.centre[1])
    return bool(gap < _SAME_CENTRE * size and max(a.size, b.size) < _SAME_SIZE * size)


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates of different places, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate.score):
        if not any(same_place(candidate.region, other.region) for other in kept):
            kept.append(candidate)
    return kept


def search_region(network: Network, image: NDArray[np.uint8], region: Region, min_score: float) -> list[Candidate]:
    """People in a turned square of the picture; angles of what is found are in the picture again."""
    to_image = image_from_crop(region, SEARCH_SIZE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(image, to_image, (SEARCH_SIZE, SEARCH_SIZE), flags=flags)
    boxes, logits = network(_as_input(np.asarray(square, np.uint8)))
    found, scores = merge_overlapping(*decode_search(boxes, logits[:, 0], min_score))
    points = found[:, 4:].reshape(-1, 4, 2) * SEARCH_SIZE @ to_image[:, :2].T + to_image[:, 2]
    return [Candidate(region_between(own[0], own[1]), float(score)) for own, score in zip(points, scores, strict=True)]
