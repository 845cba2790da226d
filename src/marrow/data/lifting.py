"""What lifters learn from and are measured on: motions of the pack on many bodies, seen by cameras.

All is decided by numbers (of bodies, seeds, and for a batch its own), so that any batch can be made again alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from marrow.body import load_body
from marrow.body.keypoints import place_keypoints
from marrow.conventions import SWAP
from marrow.data.motion_pack import PackedMotion, motion_pack
from marrow.data.synth.population import Figure, sample_figure
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.tree import at_ease
from marrow.types import Float64

#: The joint set of all lifters; its first joint, the pelvis, is the root.
JOINTS = "h36m17"

#: Frames a second.
FPS = 30.0

#: Camera: degrees below the person's own level (negative: it looks up), and distances in statures.
PITCH_DEG, DISTANCE = (-10.0, 30.0), (1.5, 4.0)
#: Standard deviation of the roll of a camera held upright, degrees.
ROLL_SD_DEG = 3.0

_ARMS = ("gh_", "elbow_")
_TRUNK = ("lumbar_", "thorax_", "neck_")
#: Degrees between which invented movements go: arms, trunk, pelvis, legs; and in which share of the clips each is so.
_INVENTED: tuple[dict[str, tuple[float, float]], ...] = (
    {"gh_flex": (-40, 170), "gh_add": (-110, 20), "gh_rot": (-60, 60), "elbow_flex": (0, 140)},
    {
        "lumbar_seg_extension": (-18, 5), "lumbar_seg_bending": (-6, 6), "lumbar_seg_rotation": (-5, 5),
        "thorax_extension": (-12, 5), "thorax_bending": (-10, 10), "thorax_rotation": (-20, 20),
        "neck_extension": (-35, 35), "neck_bending": (-20, 20), "neck_rotation": (-50, 50),
    },
    {"pelvis_tilt": (-70, 20), "pelvis_list": (-20, 20)},
    {
        "hip_flexion": (-20, 110), "hip_adduction": (-40, 10), "hip_rotation": (-20, 20), "knee_angle": (0, 120),
        "ankle_angle": (-25, 20),
    },
)  # fmt: skip
_SHARES = (0.9, 0.6, 0.5, 0.4)


@dataclass(frozen=True)
class People:
    """F frames of people who move, clip after clip.

    Attributes:
        xyz: (F, 17, 3) float32 metres, marrow's world: the points of :data:`JOINTS`.
        stature: (F,) float32 metres.
        clip: (F,) index of the stretch (one clip on one body); frames of one follow each other.
        name: of the pack's clip, for each stretch: the independent unit.
    """

    xyz: torch.Tensor
    stature: torch.Tensor
    clip: torch.Tensor
    name: tuple[str, ...]

    def starts(self, window: int, every: int = 1) -> torch.Tensor:
        """First frames of all windows of ``window`` frames that lie within one stretch, every so many frames.

        Raises:
            InputError: no stretch is so long.
        """
        if window > len(self.clip):
            raise InputError(f"a window of {window} frames is longer than all {len(self.clip)}")
        first = torch.arange(0, len(self.clip) - window + 1)
        first = first[self.clip[first] == self.clip[first + window - 1]][::every]
        if not len(first):
            raise InputError(f"no motion is as long as a window of {window} frames; take a shorter one")
        return first


@dataclass(frozen=True)
class Views:
    """B windows of T frames, each seen by its own camera, which stands still.

    Attributes:
        xy: (B, T, 17, 2) where the joints are seen: x/z and y/z in the camera (x right, y down, z ahead), without
            errors; tangents of angles.
        xyz: (B, T, 17, 3) metres in the camera.
        stature: (B,) metres.
    """

    xy: torch.Tensor
    xyz: torch.Tensor
    stature: torch.Tensor


@functools.cache
def people(
    split: str, bodies: int, seed: int = 0, ages: tuple[float, float] = (18.0, 80.0), mixed: bool = False
) -> People:
    """All motions of a split on bodies drawn from the population, and mixtures of them where asked.

    Args:
        split: ``"train"``, ``"A"`` (unseen clips), ``"B"`` (an unseen subject), or several joined by ``+``.
        bodies: each motion is put on so many of them.
        seed: of the bodies; other splits take other bodies at the same seed.
        ages: years.
        mixed: each motion twice more, with arms and trunk of other motions and with invented ones.

    Raises:
        InputError: no such split, or no bodies.
    """
    if bodies < 1:
        raise InputError(f"bodies: expected at least 1, got {bodies}")
    pack = motion_pack()
    clips = [clip for name in split.split("+") for clip in pack.select(name)]
    body = load_body()
    rng = np.random.default_rng([seed, sum(split.encode())])
    xyz, stature, stretch, names = [], [], [], []
    for _ in range(bodies):
        figure = sample_figure(rng, ages)
        rest = body.rest(figure.shape)
        skeleton = Skeleton.inside(rest.landmarks)
        for q, clip in _movements(clips, skeleton, rng, mixed):
            q[:, [skeleton.index(f"pelvis_t{axis}") for axis in "xyz"]] *= _longer(figure)
            stretch.append(np.full(len(q), len(names)))
            names.append(clip.name)
            stature.append(np.full(len(q), figure.stature, np.float32))
            xyz.append(place_keypoints(body, rest, q, JOINTS).astype(np.float32))
    return People(
        torch.from_numpy(np.concatenate(xyz)),
        torch.from_numpy(np.concatenate(stature)),
        torch.from_numpy(np.concatenate(stretch)),
        tuple(names),
    )


def views(
    seen: People, first: torch.Tensor, window: int, generator: torch.Generator, *, roll: bool = False, flip: bool = True
) -> Views:
    """Windows seen by random cameras.

    Args:
        seen: the people.
        first: (B,) first frames of the windows.
        window: frames of each, T.
        generator: of the cameras.
        roll: cameras rolled by any angle instead of held nearly upright (arXiv 2601.13913).
        flip: half of the windows in a mirror, left and right exchanged.
    """
    count = len(first)

    def even(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    rows = first[:, None] + torch.arange(window)
    x, stature = seen.xyz[rows], seen.stature[first]
    if flip:
        other = x[:, :, torch.tensor(SWAP[JOINTS].copy())] * torch.tensor([-1.0, 1.0, 1.0])
        x = torch.where(even(0, 1)[:, None, None, None] < 0.5, other, x)
    yaw, pitch = even(-torch.pi, torch.pi), torch.deg2rad(even(*PITCH_DEG))
    upright = torch.deg2rad(torch.tensor(ROLL_SD_DEG)) * torch.randn(count, generator=generator)
    R = _camera(yaw, pitch, even(-torch.pi, torch.pi) if roll else upright)
    middle = x[:, :, 0].mean(1, keepdim=True)[:, :, None]
    aside = 0.1 * torch.randn(count, 1, 1, 3, generator=generator)
    x = torch.einsum("bij,btkj->btki", R, x - middle) + aside
    nearest = even(*DISTANCE) * stature
    # nobody comes nearer than 0.7 statures while walking towards the camera
    depth = torch.maximum(nearest, 0.7 * stature - x[..., 2].amin((1, 2)))
    x[..., 2] += depth[:, None, None]
    return Views(x[..., :2] / x[..., 2:], x, stature)


def _camera(yaw: torch.Tensor, pitch: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) from marrow's world to a camera that looks at a person from that side and height."""
    one, zero = torch.ones_like(yaw), torch.zeros_like(yaw)

    def matrix(*rows: torch.Tensor) -> torch.Tensor:
        return torch.stack(rows, -1).view(-1, 3, 3)

    cy, sy, cp, sp, cr, sr = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin(), roll.cos(), roll.sin()
    about_y = matrix(cy, zero, sy, zero, one, zero, -sy, zero, cy)
    facing = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    about_x = matrix(one, zero, zero, zero, cp, -sp, zero, sp, cp)
    about_z = matrix(cr, -sr, zero, sr, cr, zero, zero, zero, one)
    return about_z @ about_x @ facing @ about_y


def _movements(
    clips: list[PackedMotion], skeleton: Skeleton, rng: np.random.Generator, mixed: bool
) -> Iterator[tuple[Float64, PackedMotion]]:
    """Coordinates of each clip on a skeleton; where asked also with others' arms and trunk, and with invented ones."""
    ease = at_ease(skeleton.coordinates)
    full = [clip.full(skeleton.coordinates, ease) for clip in clips]
    for q, clip in zip(full, clips, strict=True):
        yield q.copy(), clip
    if not mixed:
        return
    limbs = [[i for i, name in enumerate(skeleton.coordinates) if name.startswith(part)] for part in (_ARMS, _TRUNK)]
    for q, clip in zip(full, clips, strict=True):
        new = q.copy()
        for columns in limbs:
            other = full[int(rng.integers(len(full)))]
            # forwards and backwards through the other clip, as long as it takes: no jumps
            there = (int(rng.integers(len(other))) + np.arange(len(q))) % (2 * len(other))
            there = np.minimum(there, 2 * len(other) - 1 - there)
            new[:, columns] = other[there][:, columns]
        yield new, clip
    for q, clip in zip(full, clips, strict=True):
        yield _invented(q, skeleton, rng), clip


def _invented(q: Float64, skeleton: Skeleton, rng: np.random.Generator) -> Float64:
    """A movement whose arms, trunk and now and then legs go from one random pose to the next."""
    new = q.copy()
    free = rng.random(4) < _SHARES
    for part, wanted in zip(_INVENTED, free, strict=True):
        if not wanted:
            continue
        for name, (low, high) in part.items():
            for full in (name,) if name in skeleton.coordinates else (f"{name}_r", f"{name}_l"):
                new[:, skeleton.index(full)] = np.radians(_between_poses(rng, len(q), low, high))
    return new


def _between_poses(rng: np.random.Generator, frames: int, low: float, high: float) -> Float64:
    """(T,) from one random value to the next in 0.4 to 1.6 seconds each, starting and ending slowly."""
    knots = np.cumsum(rng.uniform(0.4, 1.6, int(frames / FPS / 0.4) + 3)) * FPS
    values = rng.uniform(low, high, len(knots))
    t = np.arange(frames) + knots[0]
    k = np.searchsorted(knots, t, side="right") - 1
    share = (t - knots[k]) / (knots[k + 1] - knots[k])
    return values[k] + (values[k + 1] - values[k]) * (1 - np.cos(np.pi * share)) / 2


def _longer(figure: Figure) -> float:
    """Factor on the ways of the pack's people, of 1.75 metres or so: taller people take longer steps."""
    return figure.stature / 1.75


__all__ = ["FPS", "JOINTS", "People", "Views", "people", "views"]
