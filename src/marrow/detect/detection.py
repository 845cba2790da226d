"""What a detector finds in one picture, the protocol detectors follow, and how alike two findings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import JOINT_SETS
from marrow.detect.blazepose import Region

Float32 = NDArray[np.float32]

#: Fall-off of object keypoint similarity as fractions of person size: COCO's 17, spread over BlazePose's points.
_COCO_SIGMA = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "mouth": 0.026,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "pinky": 0.062,
    "index": 0.062,
    "thumb": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
    "heel": 0.089,
    "foot": 0.089,
}
_SIGMA_ELSEWHERE = 0.08
_GRID = 40


@dataclass(frozen=True)
class Detection:
    """One person in one picture.

    Attributes:
        joint_set: a name in :data:`marrow.conventions.JOINT_SETS`.
        xy: (J, 2) float32 pixels.
        confidence: (J,) float32 in [0, 1].
        box: (4,) float32 ``x0 y0 x1 y1`` pixels, inside the picture.
        score: presence in [0, 1].
        region: where to look for this person in the next picture.
        world: (J, 3) float32 metres as in :class:`marrow.types.Keypoints`, or None.
        mask: (h, w) uint8, 255 = person, or None.
        image_from_mask: (2, 3) float32, mask pixel centres to image pixels, or None.
        colours: (N,) float32 histogram of the person's colours, sum 1, or None.
        heatmaps: (h, w, J) float32 in [0, 1] on the same square as the mask, or None.
    """

    joint_set: str
    xy: Float32
    confidence: Float32
    box: Float32
    score: float
    region: Region
    world: Float32 | None = None
    mask: NDArray[np.uint8] | None = None
    image_from_mask: Float32 | None = None
    colours: Float32 | None = None
    heatmaps: Float32 | None = None


class Detector(Protocol):
    """Finds people in pictures.

    A detector that always finds everybody at once may ignore all but ``image``, and return () from :meth:`search`.
    ``assets`` names what it runs on, for provenance and licences (:func:`marrow.assets.credit`).
    """

    joint_set: str
    assets: tuple[str, ...]

    def search(self, image: NDArray[np.uint8], part: tuple[float, float] = (0.0, 1.0)) -> Sequence[Region]:
        """Places that may hold people.

        Args:
            image: (H, W, 3) uint8 RGB.
            part: of a whole search, as fractions: (0, 1) all of it.
        """
        ...

    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        follow: Sequence[Region] = (),
        near: Sequence[Region] = (),
        places: Sequence[Region] | None = None,
        masks: bool = True,
    ) -> list[Detection]:
        """Find each person once.

        Args:
            image: (H, W, 3) uint8 RGB.
            follow: where people of the picture before are expected now.
            near: where somebody was lost: look around there with special care.
            places: where else to look; by default everywhere (all that :meth:`search` finds).
            masks: whether people who are followed need a mask and colours this time; a detector may save itself those.
        """
        ...


def oks(
    xy: NDArray[np.floating],
    others: NDArray[np.floating],
    weight: NDArray[np.floating],
    size: float,
    joint_set: str,
) -> Any:
    """Object keypoint similarity (Ronchi and Perona 2017; COCO) of one person with others.

    Args:
        xy: (J, 2) pixels.
        others: (..., J, 2) pixels.
        weight: (..., J) how much each point counts.
        size: square root of the person's area, pixels.
        joint_set: name of the J points.

    Returns:
        (...) in [0, 1]; 0 where no point counts.
    """
    spread = 2 * _sigmas(joint_set) * max(size, 1.0)
    near = np.exp(-((others - xy) ** 2).sum(-1) / (2 * spread**2))
    total = weight.sum(-1)
    return (weight * near).sum(-1) / np.maximum(total, 1e-9) * (total > 0)


def _sigmas(joint_set: str) -> NDArray[np.float64]:
    names = JOINT_SETS[joint_set]
    return np.array([next((s for key, s in _COCO_SIGMA.items() if key in name), _SIGMA_ELSEWHERE) for name in names])


def person_size(box: NDArray[np.floating]) -> float:
    """Side of the square of the box's area, at least half its longer side (nobody is smaller when seen edge-on)."""
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    return max(float(np.sqrt(max(width * height, 0.0))), 0.5 * max(width, height))


def without_duplicates(detections: Sequence[Detection], settled: int = 0) -> list[Detection]:
    """Each person once: of two findings of one person, the more trusted stays.

    Args:
        detections: findings; the first ``settled`` come from following known people and win over the others.
        settled: how many of them are followed.
    """
    order = sorted(range(len(detections)), key=lambda i: (i >= settled, -detections[i].score))
    kept: list[int] = []
    for i in order:
        if not any(_same_person(detections[i], detections[j], i >= settled) for j in kept):
            kept.append(i)
    return [detections[i] for i in sorted(kept)]


def _same_person(new: Detection, old: Detection, newcomer: bool) -> bool:
    """Whether two findings show one person.

    A newcomer is judged strictly: a squeezed, stretched or turned second finding of a person shares pixels, head or
    legs with the first. Two people followed so far are one only when the whole bodies coincide.
    """
    if new.joint_set != old.joint_set or _gap(new.box, old.box):
        return False
    size = max(person_size(new.box), person_size(old.box)) if newcomer else person_size(old.box)
    weight = np.sqrt(new.confidence * old.confidence)
    if oks(old.xy, new.xy, weight, size, old.joint_set) > (0.5 if newcomer else 0.7):
        return True
    if not newcomer:
        return shared_mask(new, old) > 0.75 and oks(old.xy, new.xy, weight, size, old.joint_set) > 0.25
    names = JOINT_SETS[old.joint_set]
    face = np.array([any(part in name for part in ("nose", "eye", "ear", "mouth")) for name in names])
    legs = np.array([any(part in name for part in ("knee", "ankle", "heel", "foot")) for name in names])
    parts = [oks(old.xy, new.xy, weight * part, size, old.joint_set) for part in (face, legs)]
    return max(parts) > 0.5 or contained(new.box, old.box) > 0.8 or shared_mask(new, old) > 0.4


def shared_mask(a: Detection, b: Detection) -> float:
    """Pixels of both masks as a fraction of the smaller mask's, on a coarse grid; 0 where a mask is missing."""
    if a.mask is None or b.mask is None or a.image_from_mask is None or b.image_from_mask is None:
        return 0.0
    low = np.maximum(a.box[:2], b.box[:2])
    high = np.minimum(a.box[2:], b.box[2:])
    whole_low, whole_high = np.minimum(a.box[:2], b.box[:2]), np.maximum(a.box[2:], b.box[2:])
    if np.any(high <= low):
        return 0.0
    x, y = (np.linspace(whole_low[k], whole_high[k], _GRID) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    inside_a, inside_b = _mask_at(a.mask, a.image_from_mask, grid), _mask_at(b.mask, b.image_from_mask, grid)
    return float((inside_a & inside_b).sum()) / max(float(min(inside_a.sum(), inside_b.sum())), 1.0)


def _mask_at(mask: NDArray[np.uint8], image_from_mask: Float32, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(N,) whether image points (N, 2) lie on the person."""
    place = np.round((xy - image_from_mask[:, 2]) @ np.linalg.inv(image_from_mask[:, :2]).T).astype(int)
    inside = np.all((place >= 0) & (place < mask.shape[::-1]), axis=1)
    place = np.clip(place, 0, np.array(mask.shape[::-1]) - 1)
    return inside & (mask[place[:, 1], place[:, 0]] > 127)


def _gap(a: NDArray[np.floating], b: NDArray[np.floating]) -> bool:
    """Whether two boxes (4,) have no point in common."""
    return bool(np.any(np.minimum(a[2:], b[2:]) <= np.maximum(a[:2], b[:2])))


def contained(inner: NDArray[np.floating], outer: NDArray[np.floating]) -> float:
    """Fraction of the first box (4,) that lies in the second."""
    side = np.minimum(inner[2:], outer[2:]) - np.maximum(inner[:2], outer[:2])
    area = float(np.prod(inner[2:] - inner[:2]))
    return float(np.prod(np.clip(side, 0, None))) / max(area, 1e-9)
