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

from marrow.detect.blazepose import Region
from marrow.detect.detection import Detection, contained, person_size
from marrow.geometry.boxes import box_iou

#: Seconds after which a person who was lost is forgotten, and one who was hardly seen yet.
MEMORY_S, _DOUBTFUL_MEMORY_S = 2.0, 0.3
#: From this much time in view on a person is established, and doubles of them are taken for what they are.
ESTABLISHED_S = 0.5
#: Standard deviation of a keypoint's place about its prediction, in person sizes: at once, and added per second.
_SPREAD, _SPREAD_PER_S = 0.10, 0.60
#: The same for the middle of the body, and the price of comparing no more than that.
_MIDDLE_SPREAD, _MIDDLE_PRICE = 0.15, 2.5
#: Weight of the colours' distance (0 same, 1 nothing in common) and the cost at which nobody known fits.
_COLOUR_WEIGHT, _LIMIT = 5.0, 9.0
#: How fast velocity and colours follow, seconds; one look never changes the colours by more than this share.
_VELOCITY_S, _COLOURS_S, _MAX_COLOUR_SHARE = 0.12, 0.4, 0.3
_COAST_S = 0.5
_DOUBLE_INSIDE = 0.55


@dataclass
class Person:
    """One known person; the only mutable state of tracking."""

    id: int
    last: Detection
    time: float
    velocity: NDArray[np.float64]
    colours: NDArray[np.float32] | None
    #: When ``colours`` were last learned.
    coloured: float
    #: Seconds of evidence behind ``velocity``, and in view in all.
    known_s: float = 0.0
    seen_s: float = 0.0

    @property
    def established(self) -> bool:
        """Seen long enough to be no mistake."""
        return self.seen_s >= ESTABLISHED_S

    @property
    def memory_s(self) -> float:
        """Seconds for which the person is remembered when not seen."""
        return MEMORY_S if self.established else _DOUBTFUL_MEMORY_S

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
        self._first: float | None = None

    def update(self, time: float, detections: Sequence[Detection]) -> list[int]:
        """Person numbers of the detections of one picture, in their order; 0 for a double of somebody else.

        Args:
            time: seconds, increasing from call to call.
            detections: people found.
        """
        self._first = time if self._first is None else self._first
        self.people = [person for person in self.people if time - person.time <= person.memory_s]
        owner: dict[int, Person] = {}
        for group in (True, False):  # the established choose first
            people = [person for person in self.people if person.established == group]
            self._assign(people, detections, time, owner)
        sure = [i for i, person in owner.items() if person.established]
        ids = []
        for i, found in enumerate(detections):
            person = owner.get(i)
            if i not in sure and any(_double(found, detections[j]) for j in sure):
                self.people = [other for other in self.people if other is not person]
                ids.append(0)
                continue
            if person is None:
                known_s = ESTABLISHED_S if time == self._first else 0.0
                person = Person(self._next, found, time, np.zeros(2), found.colours, time, seen_s=known_s)
                self.people.append(person)
                self._next += 1
            else:
                _advance(person, found, time, _crowded(i, detections))
            ids.append(person.id)
        return ids

    @staticmethod
    def _assign(
        people: Sequence[Person], detections: Sequence[Detection], time: float, owner: dict[int, Person]
    ) -> None:
        """Enter the cheapest assignment of people to detections that have no owner yet into ``owner``."""
        free = [i for i in range(len(detections)) if i not in owner]
        if not people or not free:
            return
        cost = np.array([[_cost(person, detections[i], time) for i in free] for person in people])
        # A dear assignment is worth a newcomer, so costs beyond the limit all count the same.
        for row, column in zip(*linear_sum_assignment(np.minimum(cost, _LIMIT)), strict=True):
            if cost[row, column] < _LIMIT:
                owner[free[int(column)]] = people[int(row)]


def _crowded(i: int, detections: Sequence[Detection]) -> bool:
    others = np.array([found.box for j, found in enumerate(detections) if j != i]).reshape(-1, 4)
    return bool(len(others) and box_iou(detections[i].box, others).max() > 0.15)


def _double(found: Detection, known: Detection) -> bool:
    """Whether a newcomer is a second finding of somebody known: most of it lies where that person is."""
    return contained(found.box, known.box) > _DOUBLE_INSIDE or contained(known.box, found.box) > _DOUBLE_INSIDE


def _cost(person: Person, found: Detection, time: float) -> float:
    """How badly a detection fits a person: half the squared normalised distance plus the weighted colour distance.

    The distance is that of the keypoints, or of the middle of the body where that is more favourable: in a somersault
    between two pictures, or with left and right mistaken, the keypoints say little.
    """
    gap = time - person.time
    size = max(person_size(person.last.box), 0.7 * person_size(found.box), 1.0)
    weight = np.sqrt(np.maximum(person.last.confidence * found.confidence, 0.0)) + 1e-3
    weight = weight / weight.sum()
    expected = person.last.xy + person.expected(time)
    away = ((found.xy - expected) ** 2).sum(-1)
    spread = size * (_SPREAD + _SPREAD_PER_S * gap)
    # A point far off (a limb mistaken) must not outweigh the body, hence the bounded penalty per point.
    points = float((weight * np.minimum(away / (2 * spread**2), 2 * _LIMIT)).sum())
    step = weight @ (found.xy - expected)
    middle = float(step @ step) / (2 * (size * (_MIDDLE_SPREAD + _SPREAD_PER_S * gap)) ** 2)
    scale = float(np.log(max(person_size(found.box) / size, 1e-3)) ** 2) * 2
    return (
        min(points, middle + _MIDDLE_PRICE) + scale + _COLOUR_WEIGHT * _colour_distance(person.colours, found.colours)
    )


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
    person.seen_s += min(gap, 0.2)
    share = max(1 - np.exp(-gap / _VELOCITY_S), min(1.0, gap / person.known_s))
    person.velocity = person.velocity + share * (moved - person.velocity)
    if found.colours is not None and not crowded:
        old = found.colours if person.colours is None else person.colours
        part = min(1 - np.exp(-(time - person.coloured) / _COLOURS_S), _MAX_COLOUR_SHARE)
        person.colours = ((1 - part) * old + part * found.colours).astype(np.float32)
        person.coloured = time
    person.last, person.time = found, time
