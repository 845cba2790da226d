"""What a set of synthetic pictures is made of: how many people, how old, how seen, how disturbed.

A preset is plain numbers: ranges that :mod:`marrow.data.synth.scenes` draws from. Angles in degrees, lengths in metres,
shares of 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from marrow.conventions import nearest_names
from marrow.errors import InputError

Range = tuple[float, float]


@dataclass(frozen=True)
class Preset:
    """Ranges of everything that differs between pictures.

    Attributes:
        meaning: one line.
        count: pictures (or clips) of the standard set.
        size: (width, height) of a picture, pixels.
        people: fewest and most.
        ages: years.
        elevation_deg: how far above the horizon the camera stands, seen from the people.
        height: share of the picture's height that a person (or the group) takes.
        fov_deg: field of view along the long side.
        nearest: no camera that is not for a close-up stands nearer to the people's middle, metres.
        upright: nobody lies or hangs: every trunk is within 60 degrees of upright.
        off_centre: how far from the middle the people may be, as a share of what is free beside them; above 1 they
            leave the picture.
        wholly: everybody must be in the picture with all their skin.
        fisheye: share of pictures through an equidistant fisheye of ``fisheye_fov_deg``.
        close: share of close-ups: the camera stands ``close_distance`` from the surface.
        occluders: most things between camera and people.
        dim: share of pictures in little light, with the noise of it.
        blur: largest blur, pixels of a 256 pixel picture.
        quality: range of JPEG qualities.
        points: dense surface points a person.
        seconds, fps: of a clip; 0 seconds for single pictures.
        camera_moves: whether cameras move during a clip.
    """

    meaning: str
    count: int = 10_000
    size: tuple[int, int] = (256, 256)
    people: tuple[int, int] = (1, 1)
    ages: Range = (4.0, 90.0)
    elevation_deg: Range = (-10.0, 30.0)
    height: Range = (0.3, 0.9)
    fov_deg: Range = (30.0, 75.0)
    nearest: float = 0.6
    upright: bool = False
    off_centre: float = 0.8
    wholly: bool = True
    fisheye: float = 0.0
    fisheye_fov_deg: Range = (120.0, 170.0)
    close: float = 0.0
    close_distance: Range = (0.35, 0.9)
    occluders: int = 0
    dim: float = 0.0
    blur: float = 0.4
    quality: tuple[int, int] = (85, 97)
    points: int = 0
    seconds: float = 0.0
    fps: float = 30.0
    camera_moves: bool = False

    @property
    def frames(self) -> int:
        """Pictures of one clip, or 1."""
        return max(1, round(self.seconds * self.fps))


PRESETS: dict[str, Preset] = {
    "clean": Preset("one person of 4 years or more, upright, whole, at eye level", nearest=1.5, upright=True),
    "hard": Preset(
        "one to three people of any age, from above and below, cut off, covered, near, through fisheyes, in the dark",
        people=(1, 3), ages=(0.0, 90.0), elevation_deg=(-35.0, 80.0), height=(0.25, 1.6), fov_deg=(25.0, 95.0),
        off_centre=1.3, wholly=False, fisheye=0.15, close=0.12, occluders=2, dim=0.25, blur=1.2, quality=(35, 95),
    ),
    "multi": Preset(
        "up to fifteen people, children among them, who cover each other",
        size=(640, 360), people=(1, 15), ages=(1.0, 90.0), elevation_deg=(-3.0, 35.0), height=(0.5, 1.2),
        fov_deg=(35.0, 80.0), off_centre=1.0, wholly=False, occluders=2, quality=(75, 97),
    ),
    "adults": Preset(
        "one adult, whole and alone, by the cameras of multi: what crowds are compared with",
        ages=(18.0, 90.0), elevation_deg=(-3.0, 35.0), height=(0.3, 0.9), fov_deg=(35.0, 80.0), off_centre=1.0,
        blur=1.0, quality=(75, 97),
    ),
    "dense": Preset(
        "one person with many points of the surface", size=(512, 512), elevation_deg=(-15.0, 45.0), height=(0.45, 0.95),
        points=2600,
    ),
    "clips": Preset(
        "short films of one or two people by still and moving cameras",
        count=313, people=(1, 2), ages=(6.0, 85.0), elevation_deg=(-8.0, 25.0), height=(0.35, 0.8), wholly=False,
        seconds=32 / 30, camera_moves=True,
    ),
}  # fmt: skip


def preset(name: str) -> Preset:
    """A preset by name. Raises InputError for another name."""
    if name not in PRESETS:
        near = ", ".join(nearest_names(name, PRESETS))
        raise InputError(f"there is no preset {name!r}; nearest: {near}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
