"""The default detector: BlazePose's two networks through LiteRT, for several people and small ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from marrow.assets import asset
from marrow.detect import search as searching
from marrow.detect._network import Network
from marrow.detect.blazepose import MASK_SIZE, Landmarks, Region, crop, decode_landmarks
from marrow.detect.detection import Detection, without_duplicates

#: A candidate of the search network becomes a person when that network and then the landmark network are this sure.
#: MediaPipe uses 0.5 for both; several tiles a picture ask for more, or trees become people.
_SEARCH_SCORE, _NEW_SCORE = 0.5, 0.9
#: A lost person may be looked for with less certainty, since we know somebody was there.
_NEAR_SEARCH_SCORE, _NEAR_SCORE = 0.35, 0.75
#: A followed person is lost below this presence (MediaPipe's own threshold).
_FOLLOW_SCORE = 0.5
#: Mean confidence of the points (hidden ones and those outside the picture count as 0) for a known and a new person.
_FOLLOW_SEEN, _NEW_SEEN = 0.25, 0.35
_LOOKS = 3
#: Changes (turn, zoom) of a region to look again: after losing somebody, and when the network contradicts itself.
_TURNED, _SHAKEN = ((0.7, 1.0), (-0.7, 1.0)), ((-0.1, 1.1),)
_GOOD_QUALITY = 0.55
#: A point's confidence is reduced where its heat-map stays below this at the point.
_FULL_TRUST = 0.5
_NEAR_TURNS = (0.0, 2 * np.pi / 3, -2 * np.pi / 3)
_NEAR_MARGIN = 1.4
_HUES, _SATURATIONS, _VALUES = 8, 3, 4
#: The landmark network's mask, and the layers for nothing else: a third of its time.
_MASK_OUTPUT = "Identity_2"


class BlazePose:
    """Several people per picture in the joint set ``blazepose33``.

    Args:
        heatmaps: also give each detection's heat-maps.
        threads: how many pictures' parts are worked on at once.

    Raises:
        AssetError: the networks could not be obtained.
    """

    joint_set: str = "blazepose33"
    assets: tuple[str, ...] = ("mediapipe",)

    def __init__(self, *, heatmaps: bool = False, threads: int = 1) -> None:
        folder = asset("mediapipe")
        self._search_network = Network(folder / "pose_detection.tflite")
        self._landmarks = Network(folder / "pose_landmark_full.tflite")
        self._landmarks_only = Network(folder / "pose_landmark_full.tflite", without=(_MASK_OUTPUT,))
        self._heatmaps = heatmaps
        self._pool = ThreadPoolExecutor(threads, "marrow-detect") if threads > 1 else None
        cv2.setNumThreads(1)  # parallel work comes from our own threads

    def search(self, image: NDArray[np.uint8], part: tuple[float, float] = (0.0, 1.0)) -> list[Region]:
        """Places that may hold people; see :class:`marrow.detect.Detector`."""
        height, width = image.shape[:2]
        squares = searching.tiles(width, height)
        first, last = (int(np.ceil(share * len(squares) - 1e-9)) for share in part)
        found = self._run(
            [
                lambda tile=tile: searching.search_tile(self._search_network, image, tile, _SEARCH_SCORE)
                for tile in squares[first:last]
            ]
        )
        return [own.region for own in searching.distinct([candidate for own in found for candidate in own])]

    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        follow: Sequence[Region] = (),
        near: Sequence[Region] = (),
        places: Sequence[Region] | None = None,
        masks: bool = True,
    ) -> list[Detection]:
        """Find each person once; see :class:`marrow.detect.Detector`."""
        jobs: list[Callable[[], Any]] = [
            lambda region=region: self._followed(image, region, masks) for region in follow
        ]
        jobs += [lambda region=region: self._search_near(image, region) for region in near]
        results = self._run(jobs)
        people = [own for own in results[: len(follow)] if own is not None]
        missed = [own.region for own in searching.distinct([one for found in results[len(follow) :] for one in found])]
        known = [own.region for own in people]
        places = self.search(image) if places is None else places
        fresh = self._newcomers(image, places, known, _NEW_SCORE)
        fresh += self._newcomers(image, missed, [*known, *(new.region for new in fresh)], _NEAR_SCORE)
        if fresh and not masks:  # masks tell whether a newcomer is a second finding of somebody known
            people = [self._with_mask(image, own) for own in people]
        return without_duplicates([*people, *fresh], settled=len(people))

    def _run(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        if self._pool is None or len(jobs) == 1:
            return [job() for job in jobs]
        return [future.result() for future in [self._pool.submit(job) for job in jobs]]

    def _look(self, image: NDArray[np.uint8], region: Region, mask: bool = True) -> Landmarks:
        """Landmarks of the person in one region."""
        square = crop(image, region)
        network = self._landmarks if mask else self._landmarks_only
        outputs = network(np.multiply(square, np.float32(1 / 255), dtype=np.float32)[None])
        return decode_landmarks(outputs, region, self._heatmaps)

    def _with_mask(self, image: NDArray[np.uint8], person: Detection) -> Detection:
        """The same finding with its mask."""
        found = self._look(image, person.region)
        return replace(person, mask=found.mask, image_from_mask=found.image_from_mask, colours=_colours(image, found))

    def _followed(self, image: NDArray[np.uint8], region: Region, mask: bool) -> Detection | None:
        """A known person, or None where nobody is there any more."""
        found = self._follow(image, region, mask)
        person = self._detection(image, found) if found.score >= _FOLLOW_SCORE else None
        return person if person is not None and _seen(person) > _FOLLOW_SEEN else None

    def _follow(self, image: NDArray[np.uint8], region: Region, mask: bool) -> Landmarks:
        """Landmarks in a known person's region; if nobody seems to be there, or the two answers that the network gives
        for each point disagree, the best of a few slightly different looks."""
        best = self._look(image, region, mask)
        others = _TURNED if best.score < _FOLLOW_SCORE else _SHAKEN
        for turn, zoom in others:
            if best.score >= _FOLLOW_SCORE and _quality(best) >= _GOOD_QUALITY:
                break
            other = self._look(image, Region(region.centre, region.size * zoom, region.angle + turn), mask)
            best = max(best, other, key=lambda found: (found.score >= _FOLLOW_SCORE, _quality(found)))
        return best

    def _newcomers(
        self,
        image: NDArray[np.uint8],
        places: Sequence[Region],
        known: Sequence[Region],
        min_score: float,
    ) -> list[Detection]:
        """People whom nobody knows yet, where the landmark network confirms them."""
        new = [place for place in places if not any(searching.same_place(place, other) for other in known)]
        found = self._run([lambda region=region: self._settle(image, region, min_score) for region in new])
        people = [self._detection(image, landmarks) for landmarks in found if landmarks is not None]
        return [own for own in people if _seen(own) > _NEW_SEEN]

    def _settle(self, image: NDArray[np.uint8], region: Region, min_score: float) -> Landmarks | None:
        """Look again from where the landmarks say the person is until that place is stable; None if it is nobody."""
        found = self._look(image, region)
        for _ in range(_LOOKS - 1):
            if found.score < 0.5:
                return None
            before, found = found, self._look(image, found.next_region)
            if _quality(found) >= _GOOD_QUALITY and searching.same_place(before.next_region, found.next_region):
                break
        return found if self._credible(image, found, min_score) else None

    def _credible(self, image: NDArray[np.uint8], found: Landmarks, min_score: float) -> bool:
        """Whether landmarks can be a person: sure, centred in the picture, neither a dot nor a giant."""
        height, width = image.shape[:2]
        x, y = found.next_region.centre
        margin = 0.1 * max(width, height)
        inside = -margin < x < width + margin and -margin < y < height + margin
        spread = float(np.sqrt(found.xy.var(axis=0).sum())) / max(found.next_region.size, 1e-6)
        fits = found.next_region.size < 3.0 * max(width, height) and spread > 0.06
        return found.score >= min_score and inside and fits

    def _search_near(self, image: NDArray[np.uint8], region: Region) -> list[searching.Candidate]:
        """Search turned squares around where somebody was lost; in a somersault any side may be up."""
        wide = region.size * _NEAR_MARGIN
        found: list[searching.Candidate] = []
        for turn in _NEAR_TURNS:
            turned = Region(region.centre, wide, region.angle + turn)
            found += searching.search_region(self._search_network, image, turned, _NEAR_SEARCH_SCORE)
        return found

    def _detection(self, image: NDArray[np.uint8], found: Landmarks) -> Detection:
        height, width = image.shape[:2]
        inside = np.all((found.xy >= -0.5) & (found.xy <= (width - 0.5, height - 0.5)), axis=1)
        trust = np.clip(found.agreement / _FULL_TRUST, 0.1, 1.0)
        confidence = (found.visibility * found.presence * trust * inside).astype(np.float32)
        return Detection(
            joint_set=self.joint_set,
            xy=found.xy,
            confidence=confidence,
            box=_box(found, width, height),
            score=float(np.clip(found.score, 0.0, 1.0)),
            region=found.next_region,
            world=found.world,
            mask=found.mask,
            image_from_mask=None if found.mask is None else found.image_from_mask,
            colours=_colours(image, found),
            heatmaps=found.heatmaps,
        )


def _quality(found: Landmarks) -> float:
    """How far regression and heat-maps agree on the visible points below the neck, in [0, 1]."""
    weight = found.visibility[11:] * found.presence[11:] + 1e-6
    return float(weight @ found.agreement[11:] / weight.sum())


def _seen(person: Detection) -> float:
    return float(person.confidence.mean())


def _box(found: Landmarks, width: int, height: int) -> NDArray[np.float32]:
    """(4,) box around landmarks and the top of the head, clipped to the picture."""
    nose, mouth = found.xy[0], found.xy[9:11].mean(0)
    eyes = found.xy[[2, 5]].mean(0)
    crown = eyes + 2.2 * (eyes - mouth)  # the eyes are about half-way up the head, the mouth a fifth
    head = np.linalg.norm(crown - nose)
    points = np.vstack([found.xy, crown, crown + (head / 4, 0), crown - (head / 4, 0)])
    margin = 0.02 * float(np.max(np.ptp(points, axis=0)))
    low, high = points.min(0) - margin, points.max(0) + margin
    limit = np.array([width - 0.5, height - 0.5])
    return np.concatenate([np.clip(low, -0.5, limit), np.clip(high, -0.5, limit)]).astype(np.float32)


def _colours(image: NDArray[np.uint8], found: Landmarks) -> NDArray[np.float32] | None:
    """(192,) histogram of hue, saturation and value, upper body and lower body apart, inside the mask if there is one.

    The mask's square is upright and centred on the hips, so its upper half is the upper body.
    """
    if found.mask is None:
        return None
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    square = cv2.warpAffine(
        image, found.image_from_mask, (MASK_SIZE, MASK_SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    hsv = cv2.cvtColor(square, cv2.COLOR_RGB2HSV).astype(np.int32)
    hue, saturation, value = hsv[..., 0] * _HUES // 180, hsv[..., 1] * _SATURATIONS // 256, hsv[..., 2] * _VALUES // 256
    hue = np.where((saturation == 0) | (value == 0), 0, hue)  # grey and black have no hue worth comparing
    half = (np.arange(MASK_SIZE) >= MASK_SIZE // 2)[:, None]
    cell = ((half * _HUES + hue) * _SATURATIONS + saturation) * _VALUES + value
    counts = np.bincount(cell[found.mask > 127], minlength=2 * _HUES * _SATURATIONS * _VALUES).astype(np.float32)
    return counts / max(float(counts.sum()), 1.0)
