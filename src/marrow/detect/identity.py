"""Who is who from picture to picture: keypoints, motion and colours, assigned all at once.

Every person found is compared with where each known person should be now (constant velocity, distances as in object
keypoint similarity, wider after a gap) and with that person's colours; the Hungarian method picks the assignment of
least total cost. So two people who cross are told apart by where they were going and by what they wear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from marrow.detect.blazepose import Region, box_iou
from marrow.detect.detection import Detection, person_size

#: Seconds after which a person who was lost is forgotten.
MEMORY_S = 2.0
#: Standard deviation of a keypoint's place about its prediction, in person sizes: at once, and added per second.
_SPREAD, _SPREAD_PER_S = 0.10, 0.60
#: Weight of the colours' distance (0 same, 1 nothing in common) and the cost at which nobody known fits.
_COLOUR_WEIGHT, _LIMIT = 6.0, 9.0
_VELOCITY_S, _COLOUR_SHARE = 0.12, 0.08
_COAST_S = 0.5


@dataclass
class Person:
    """One known person; the only mutable state of tracking."""

    id: int
    last: Detection
    time: float
    velocity: NDArray[np.float64]
    colours: NDArray[np.float32] | None
    #: Seconds of evidence behind ``velocity``.
    known_s: float = 0.0

    def expected(self, time: float) -> NDArray[np.float64]:
        """(2,) pixels by which the person has moved since last seen; motion is not trusted beyond half a second."""
        return self.velocity * min(time - self.time, _COAST_S)

    def region(self, time: float) -> Region:
        """Where to look at ``time``."""
        seen = self.last.region
        step = np.clip(self.expected(time), -0.4 * seen.size, 0.4 * seen.size)
        return Region((seen.centre[0] + float(step[0]), seen.centre[1] + float(step[1])), seen.size, seen.angle)


class Identities:
    """Gives each detection the number of its person; numbers start at 1 and are never used again."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self._next = 1

    def active(self, time: float, within_s: float) -> list[Person]:
        """People seen within the last ``within_s`` seconds."""
        return [person for person in self.people if time - person.time <= within_s]

    def update(self, time: float, detections: Sequence[Detection]) -> list[int]:
        """Person numbers of the detections of one picture, in their order.

        Args:
            time: seconds, increasing from call to call.
            detections: people found, each once.
        """
        self.people = [person for person in self.people if time - person.time <= MEMORY_S]
        cost = np.array([[_cost(person, found, time) for found in detections] for person in self.people])
        owner: dict[int, Person] = {}
        if cost.size:
            # A dear assignment is worth a newcomer, so costs beyond the limit all count the same.
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, _LIMIT)), strict=True):
                if cost[row, column] < _LIMIT:
                    owner[int(column)] = self.people[int(row)]
        ids = []
        boxes = np.array([found.box for found in detections]).reshape(-1, 4)
        for i, found in enumerate(detections):
            others = np.delete(boxes, i, axis=0)
            crowded = bool(len(others) and box_iou(found.box, others).max() > 0.15)
            person = owner.get(i)
            if person is None:
                person = Person(self._next, found, time, np.zeros(2), found.colours)
                self.people.append(person)
                self._next += 1
            else:
                _advance(person, found, time, crowded)
            ids.append(person.id)
        return ids


def _cost(person: Person, found: Detection, time: float) -> float:
    """How badly a detection fits a person: half the squared normalised distance plus the weighted colour distance."""
    gap = time - person.time
    size = max(person_size(person.last.box), 0.7 * person_size(found.box), 1.0)
    weight = np.sqrt(np.maximum(person.last.confidence * found.confidence, 0.0)) + 1e-3
    expected = person.last.xy + person.expected(time)
    away = ((found.xy - expected) ** 2).sum(-1)
    spread = size * (_SPREAD + _SPREAD_PER_S * gap)
    # A point far off (a limb mistaken) must not outweigh the body, hence the bounded penalty per point.
    motion = float((weight * np.minimum(away / (2 * spread**2), 2 * _LIMIT)).sum() / weight.sum())
    ratio = person_size(found.box) / size
    scale = float(np.log(max(ratio, 1e-3)) ** 2) * 2
    return motion + scale + _COLOUR_WEIGHT * _colour_distance(person.colours, found.colours)


def _colour_distance(a: NDArray[np.floating] | None, b: NDArray[np.floating] | None) -> float:
    """Hellinger distance of two histograms, in [0, 1]; 0 where one is unknown."""
    if a is None or b is None:
        return 0.0
    return float(np.sqrt(max(0.0, 1.0 - float(np.sqrt(a * b).sum()))))


def _advance(person: Person, found: Detection, time: float, crowded: bool) -> None:
    """Take a detection into a person's state; colours are learned only where nobody else is near."""
    gap = max(time - person.time, 1e-6)
    weight = person.last.confidence * found.confidence + 1e-6
    moved = (weight[:, None] * (found.xy - person.last.xy)).sum(0) / weight.sum() / gap
    # The first steps count fully, so that a newcomer's velocity is known at once; later ones are smoothed.
    person.known_s += gap
    share = max(1 - np.exp(-gap / _VELOCITY_S), min(1.0, gap / person.known_s))
    person.velocity = person.velocity + share * (moved - person.velocity)
    if found.colours is not None and not crowded:
        old = found.colours if person.colours is None else person.colours
        person.colours = ((1 - _COLOUR_SHARE) * old + _COLOUR_SHARE * found.colours).astype(np.float32)
    person.last, person.time = found, time
