"""What every source of pictures offers, and the checks that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

from marrow.errors import InputError
from marrow.types import Frame

#: A picture with a shorter side than this cannot show a person that any detector finds.
MIN_SIDE = 16

#: Diagonal of a 36 mm × 24 mm film frame, millimetres: what "35 mm equivalent" refers to (CIPA DCG-001).
_FILM_DIAGONAL = 43.2666


@dataclass
class Source(ABC):
    """Upright RGB pictures in order of time. Iterate it for :class:`marrow.types.Frame`, as often as you like.

    Attributes:
        name: short name for folders and titles, such as ``"walk"`` for ``walk.mp4``.
        size: (width, height) in pixels of the upright pictures.
        fps: pictures per second, on average over the source.
        count: number of pictures that the source announces, or None where it is unknown (webcam).
        focal_px: focal length in pixels from the file's own metadata, or None.
        rotation: degrees counter-clockwise by which stored pictures are turned to stand upright: 0, 90, 180 or 270.
        live: a webcam that was not read yet; pictures come as they are taken.
        warnings: what the user should know; reading may add to it.
    """

    name: str
    size: tuple[int, int]
    fps: float
    count: int | None
    focal_px: float | None = None
    rotation: int = 0
    live: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def duration(self) -> float | None:
        """Length in seconds: pictures divided by their rate; None where the count is unknown."""
        return None if self.count is None else self.count / self.fps

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Decode from the first picture on."""

    def warn(self, message: str) -> None:
        """Add a warning once, however often the source is read."""
        if message not in self.warnings:
            self.warnings.append(message)


def check_size(size: tuple[int, int], what: str) -> None:
    """Refuse pictures in which nobody can be seen.

    Raises:
        InputError: a side is shorter than :data:`MIN_SIDE` pixels.
    """
    if min(size) < MIN_SIDE:
        raise InputError(
            f"{what} is {size[0]}×{size[1]} pixels; expected at least {MIN_SIDE} a side "
            "(about 100 pixels of person height are needed in practice)"
        )


def focal_from_35mm(focal_mm: float, size: tuple[int, int]) -> float:
    """Focal length in pixels from its 35 mm equivalent, through the picture's diagonal (CIPA DCG-001)."""
    width, height = size
    return focal_mm * (width**2 + height**2) ** 0.5 / _FILM_DIAGONAL
