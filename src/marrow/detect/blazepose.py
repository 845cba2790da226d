"""What stands around BlazePose's two networks: anchors, decoding, regions, landmarks, heat-map refinement, mask.

Pure functions on arrays, written from the published graph settings of MediaPipe 0.10 (``pose_detection_cpu``,
``pose_landmark_by_roi_cpu``) and Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose tracking". The
detector sees a square of 224 pixels and gives, per person, a face box and four points (middle of the hips, a point on
the circle around the body above them, middle of the shoulders, the same for the upper body). The landmark network sees
a rotated square of 256 pixels in which the person stands upright.

Positions are pixels of the whole image, (0, 0) in the centre of the top left pixel, unless a name says otherwise.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.geometry.boxes import box_iou

Float32 = NDArray[np.float32]

SEARCH_SIZE = 224
CROP_SIZE = 256
MASK_SIZE = 64
_LANDMARKS = 39  # 33 of the body, 2 that give the next region, 4 unused
_BODY = 33
_REGION_SCALE = 1.25
_KERNEL = 7
#: How coarsely, on average, the crop samples what was averaged for it.
_SHRINK_LEFT = 1.25
_MIN_HEAT = 0.5


@dataclass(frozen=True)
class Region:
    """A square that holds a person; ``angle`` turns the image's up towards the person's up.

    Attributes:
        centre: (x, y) pixels, about the middle of the hips.
        size: side of the square, pixels.
        angle: radians, clockwise in the picture.
    """

    centre: tuple[float, float]
    size: float
    angle: float


@dataclass(frozen=True)
class Landmarks:
    """The landmark network's answer for one region.

    Attributes:
        xy: (33, 2) float32 pixels.
        visibility: (33,) float32: present and not hidden.
        presence: (33,) float32: inside the picture.
        agreement: (33,) float32: highest value of the point's heat-map near it. The network places each point twice, by
            regression and by heat-map; where it cannot tell left from right the first lies between the two places that
            the second shows, and this falls from about 0.75 to 0.2.
        world: (33, 3) float32 metres about the middle of the hips, axes of the camera (x right, y down, z forward).
        score: probability that the region holds a person.
        next_region: where the person is, seen from these landmarks.
        mask: (64, 64) uint8 person mask of the region, 255 = person, or None where it was not computed.
        image_from_mask: (2, 3) float32, mask pixel centres to image pixels.
        heatmaps: (64, 64, 33) float32 in [0, 1], or None.
    """

    xy: Float32
    visibility: Float32
    presence: Float32
    agreement: Float32
    world: Float32
    score: float
    next_region: Region
    mask: NDArray[np.uint8] | None
    image_from_mask: Float32
    heatmaps: Float32 | None = None


def sigmoid(x: NDArray[np.floating]) -> Float32:
    """Logistic function, safe for large negative logits."""
    return (1.0 / (1.0 + np.exp(-np.clip(x, -80.0, 80.0)))).astype(np.float32)


@functools.lru_cache(1)
def anchors() -> Float32:
    """(2254, 2) anchor centres in [0, 1]: two per cell at stride 8 and 16, six (three equal layers) at stride 32."""
    layers = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        cells = SEARCH_SIZE // stride
        centre = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(centre, centre)
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), per_cell, axis=0))
    return np.concatenate(layers)


def decode_search(boxes: Float32, logits: Float32, min_score: float) -> tuple[Float32, Float32]:
    """Turn the detector's raw output into candidates, overlapping ones still among them.

    Args:
        boxes: (2254, 12) centre, size, four points, in pixels of the 224 square relative to the anchors.
        logits: (2254,) person scores.
        min_score: candidates below it are dropped.

    Returns:
        (N, 12) in [0, 1] of the square: box ``x0 y0 x1 y1`` and four points; and (N,) scores.
    """
    keep = logits > np.log(min_score / (1.0 - min_score))
    raw = boxes[keep] / SEARCH_SIZE
    anchor = anchors()[keep]
    centre = raw[:, :2] + anchor
    half = raw[:, 2:4] / 2
    points = raw[:, 4:].reshape(-1, 4, 2) + anchor[:, None]
    found = np.concatenate([centre - half, centre + half, points.reshape(-1, 8)], 1)
    return found.astype(np.float32), sigmoid(logits[keep])


def merge_overlapping(candidates: Float32, scores: Float32, min_iou: float = 0.3) -> tuple[Float32, Float32]:
    """Weighted non-maximum suppression (Bazarevsky et al. 2019, BlazeFace): overlapping candidates are averaged.

    Args:
        candidates: (N, 12), the first four columns a box.
        scores: (N,).

    Returns:
        (M, 12) averages weighted by score, and (M,) the best score of each, best first.
    """
    order = np.argsort(-scores)
    left, kept, kept_scores = candidates[order], [], []
    left_scores = scores[order]
    while len(left):
        overlapping = box_iou(left[0, :4], left[:, :4]) > min_iou
        overlapping[0] = True
        weight = left_scores[overlapping]
        kept.append((weight @ left[overlapping]) / weight.sum())
        kept_scores.append(left_scores[0])
        left, left_scores = left[~overlapping], left_scores[~overlapping]
    return np.array(kept, np.float32).reshape(-1, candidates.shape[1]), np.array(kept_scores, np.float32)


def region_between(centre: NDArray[np.floating], rim: NDArray[np.floating]) -> Region:
    """Region of a person from the middle of the hips and the point on the body's circle above it, both (2,)."""
    dx, dy = float(rim[0] - centre[0]), float(rim[1] - centre[1])
    return Region((float(centre[0]), float(centre[1])), 2 * _REGION_SCALE * float(np.hypot(dx, dy)), _turn(dx, dy))


def _turn(dx: float, dy: float) -> float:
    """Angle in (-pi, pi] that takes the image's up (0, -1) to (dx, dy)."""
    return float(np.arctan2(dx, -dy))


def image_from_crop(region: Region, size: int = CROP_SIZE) -> NDArray[np.float64]:
    """(2, 3) affine map from pixels of the upright ``size`` × ``size`` crop to pixels of the image."""
    scale = region.size / size
    cos, sin = np.cos(region.angle) * scale, np.sin(region.angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, np.array(region.centre) - linear @ np.full(2, size / 2)])


def crop(image: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """(256, 256, 3) uint8: the region, turned upright; beyond the picture its edge goes on."""
    matrix = image_from_crop(region)
    factor = halvings(region.size / CROP_SIZE / _SHRINK_LEFT)
    if factor > 1:  # a coarse sampling would alias, and the networks were trained on smooth pictures
        image, matrix = _shrunk_part(image, matrix, factor)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (CROP_SIZE, CROP_SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _shrunk_part(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut out what the crop touches, average squares of ``factor`` pixels, and adapt the crop's map."""
    corners = matrix[:, :2] @ (np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * CROP_SIZE) + matrix[:, 2:]
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(1)).astype(int) - 2, 0, limit - 1)
    high = np.clip(np.ceil(corners.max(1)).astype(int) + 3, low + 1, limit)
    adapted = matrix / factor
    adapted[:, 2] = (matrix[:, 2] - low + 0.5) / factor - 0.5
    return shrink(image[low[1] : high[1], low[0] : high[0]], factor), adapted


def halvings(ratio: float) -> int:
    """The power of two, at least 1, that is nearest to ``ratio`` on a logarithmic scale."""
    return 2 ** max(0, round(np.log2(max(ratio, 1e-6))))


def shrink(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The means of squares of ``factor`` pixels, a power of two; left-overs at the right and lower edge go.

    Halving again and again is several times faster than OpenCV's averaging by other factors.
    """
    while factor > 1:
        height, width = (max(1, side // 2) for side in image.shape[:2])
        image = np.asarray(
            cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
        factor //= 2
    return image


def decode_landmarks(outputs: tuple[Float32, ...], region: Region, heatmaps: bool = False) -> Landmarks:
    """Turn the landmark network's outputs into landmarks in the image.

    Args:
        outputs: landmarks (195,) = 39 × (x, y, z in crop pixels, visibility logit, presence logit); presence of a
            person (1,); mask logits (256, 256), which may be missing; heat-map logits (64, 64, 39); world landmarks
            (117,) = 39 × xyz metres.
        region: the region that was cropped.
        heatmaps: keep the heat-maps of the 33 body points.
    """
    flat, flag, *mask_logits, heat_logits, world = outputs
    points = flat.reshape(_LANDMARKS, 5)
    refined, peak = refine(points[:, :2] / CROP_SIZE, heat_logits)
    refined = refined * CROP_SIZE
    to_image = image_from_crop(region)
    xy = refined @ to_image[:, :2].T + to_image[:, 2]
    turn = to_image[:, :2] * (CROP_SIZE / region.size)
    world = world.reshape(_LANDMARKS, 3)[:_BODY].copy()
    world[:, :2] = world[:, :2] @ turn.T
    step = CROP_SIZE / MASK_SIZE
    to_mask = np.column_stack([to_image[:, :2] * step, to_image @ np.array([(step - 1) / 2, (step - 1) / 2, 1.0])])
    return Landmarks(
        xy=xy[:_BODY].astype(np.float32),
        visibility=sigmoid(points[:_BODY, 3]),
        presence=sigmoid(points[:_BODY, 4]),
        agreement=peak[:_BODY],
        world=world.astype(np.float32),
        score=float(flag.ravel()[0]),
        next_region=region_between(xy[33], xy[34]),
        mask=_small_mask(mask_logits[0]) if mask_logits else None,
        image_from_mask=to_mask.astype(np.float32),
        heatmaps=sigmoid(heat_logits[..., :_BODY]) if heatmaps else None,
    )


def _small_mask(logits: Float32) -> NDArray[np.uint8]:
    """(64, 64) uint8 from logits (256, 256)."""
    small = cv2.resize(logits, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_AREA)
    return np.round(255 * sigmoid(np.asarray(small, np.float32))).astype(np.uint8)


def refine(xy: NDArray[np.floating], heat_logits: Float32) -> tuple[Float32, Float32]:
    """Move each point to the centre of mass of its heat-map within 7 × 7 cells, where that is confident.

    Args:
        xy: (39, 2) in [0, 1] of the crop.
        heat_logits: (64, 64, 39).

    Returns:
        (39, 2) in [0, 1]; points outside the crop, or on a heat-map that stays below 0.5, are left as they are; and
        (39,) highest value of the heat-map in those cells, 0 outside the crop.
    """
    side, count = heat_logits.shape[0], heat_logits.shape[2]
    cell = np.trunc(xy * side).astype(int)
    inside = np.all((cell >= 0) & (cell < side), axis=1)
    reach = np.arange(_KERNEL) - _KERNEL // 2
    column = cell[:, :1] + reach  # (39, 7)
    row = cell[:, 1:] + reach
    valid = ((row >= 0) & (row < side))[:, :, None] & ((column >= 0) & (column < side))[:, None]
    index = np.arange(count)[:, None, None]
    picked = heat_logits[np.clip(row, 0, side - 1)[:, :, None], np.clip(column, 0, side - 1)[:, None], index]
    heat = sigmoid(picked) * valid
    total = heat.sum((1, 2))
    peak = heat.max((1, 2)) * inside
    use = peak >= _MIN_HEAT
    safe = np.where(use, total, 1.0)
    mean = np.stack([(heat * column[:, None]).sum((1, 2)), (heat * row[:, :, None]).sum((1, 2))], 1) / safe[:, None]
    return np.where(use[:, None], mean / side, xy).astype(np.float32), peak.astype(np.float32)
