"""Synthetic scenes: people, their looks and movements, a place, light and cameras, all drawn from one seed.

A scene is made by its preset, seed and number alone, whatever was made before it and on whichever worker. Each kind of
thing has a stream of random numbers of its own, so that people do not change where a preset's cameras do.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.body import load_body
from marrow.body.parts import PARTS, vertex_parts
from marrow.data.synth import cameras as cameras_of
from marrow.data.synth.collisions import solids
from marrow.data.synth.faces import sample_expression
from marrow.data.synth.looks import Look
from marrow.data.synth.motions import PoseSource
from marrow.data.synth.outfits import Outfit, dress
from marrow.data.synth.places import Place, Thing, furnished, make_seat, sample_place
from marrow.data.synth.population import Figure, sample_figure
from marrow.data.synth.poses import PoseSampler, stand
from marrow.data.synth.presets import Preset
from marrow.data.synth.sampling import sample_look
from marrow.data.synth.textures import list_textures
from marrow.errors import InputError
from marrow.geometry.projection import camera_centre
from marrow.geometry.rotations import euler_zxy, from_euler_zxy, rotation_y
from marrow.types import Camera, Float32, Float64

if TYPE_CHECKING:
    from marrow.body import Rest

#: The skins of two people stay this far apart, metres: both wear clothes.
CLEARANCE = 0.06
#: Thighs are level where hips and knees differ in height by less than this; seats are so high; metres.
_LEVEL, _SEATS = 0.14, (0.22, 0.8)
#: Every n-th vertex of the skin stands for it where places are compared.
_SPARSE = 9


@dataclass(frozen=True)
class Choices:
    """What a user may set beyond a preset.

    Attributes:
        size: (width, height) of the pictures, pixels; None: the preset's.
        views: cameras that see each scene.
        split: of the shipped motions: "train", "A" or "B".
        motions: the user's own; None: those that ship.
        photos: background pictures.
        textures: a folder of pictures for clothes.
    """

    size: tuple[int, int] | None = None
    views: int = 1
    split: str = "train"
    motions: PoseSource | None = None
    photos: tuple[Path, ...] = ()
    textures: Path | None = None


@dataclass(frozen=True, eq=False)
class Actor:
    """One person of a scene.

    Attributes:
        figure: age, sex and shape.
        look: clothes and hair.
        rest: the body at rest, with its expression.
        outfit: what is worn, at rest.
        q: (T, D) coordinates in the world (``rest.skeleton``).
    """

    figure: Figure
    look: Look
    rest: Rest
    outfit: Outfit
    q: Float64


@dataclass(frozen=True)
class Disturbance:
    """What happens to light on its way to a file.

    Attributes:
        exposure: factor on the light.
        full_well: electrons of a white pixel (fewer: more noise).
        blur: pixels.
        quality: of JPEG.
    """

    exposure: float
    full_well: float
    blur: float
    quality: int


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that decides a picture.

    Attributes:
        preset, seed, index: what it is made from.
        time: (T,) seconds of its frames.
        actors: people.
        cameras: by view and frame.
        place: surroundings and light.
        disturbance: noise and the like.
        factors: named numbers and words to sort results by.
    """

    preset: str
    seed: int
    index: int
    time: Float64
    actors: tuple[Actor, ...]
    cameras: tuple[tuple[Camera, ...], ...]
    place: Place
    disturbance: Disturbance
    factors: dict[str, Any] = field(default_factory=dict)


def stream(preset: str, seed: int, index: int, name: str) -> np.random.Generator:
    """Random numbers of one thing (``name``) in one scene."""
    return np.random.default_rng([seed, index, zlib.crc32(preset.encode()), zlib.crc32(name.encode())])


def sample_scene(name: str, given: Preset, seed: int, index: int, choices: Choices = Choices()) -> Scene:
    """Draw a scene.

    Args:
        name: of the preset, which the streams of random numbers are named by.
        given: its ranges.
        seed: of the whole set.
        index: number of the scene in it.
        choices: what the user set.
    """
    size = choices.size or given.size
    for attempt in range(12):
        tag = f"#{attempt}" if attempt else ""
        actors = _actors(name + tag, given, seed, index, choices)
        skin = _skin_points(actors)
        rng = stream(name + tag, seed, index, "cameras")
        views = _views(rng, given, skin, size, choices.views)
        if views:
            break
    else:
        raise InputError(f"no camera sees the people of scene {index} as preset {name} asks; choose another --seed")
    rng = stream(name, seed, index, "place")
    eyes = np.array([camera_centre(c) for view in views for c in view])
    dim = bool(rng.random() < given.dim)
    place = sample_place(rng, eyes, skin, dim, choices.photos)
    between = int(rng.integers(0, given.occluders + 1))
    if place.kind != "photo":
        place = furnished(rng, place, eyes, skin, int(rng.integers(0, 5)), between)
        if not given.seconds:
            seats = [seat for seat in (_seat(rng, actor) for actor in actors) if seat is not None]
            place = replace(place, things=(*place.things, *seats))
    rng = stream(name, seed, index, "disturbance")
    disturbance = Disturbance(
        float(1.35 * np.exp(rng.normal(0, 0.12))), float(rng.uniform(150, 600) if dim else rng.uniform(800, 6000)),
        float(rng.uniform(0, given.blur) * max(size) / 256), int(rng.integers(given.quality[0], given.quality[1] + 1)),
    )  # fmt: skip
    factors = {
        "people": len(actors), "place": place.kind, "dim": dim, "things": len(place.things),
        "blur_px": disturbance.blur, "quality": disturbance.quality, "lens": views[0][0].lens, "frames": given.frames,
    }  # fmt: skip
    time = np.arange(given.frames) / given.fps
    return Scene(name, seed, index, time, actors, views, place, disturbance, factors)


def _actors(name: str, given: Preset, seed: int, index: int, choices: Choices) -> tuple[Actor, ...]:
    rng = stream(name, seed, index, "people")
    low, high = given.people
    # few people are likelier than many
    count = low + int((high - low + 1) * rng.random() ** 1.4)
    sampler = PoseSampler(choices.split, choices.motions)
    actors: list[Actor] = []
    taken: list[Float32] = []
    for number in range(count):
        own = stream(name, seed, index, f"person {number}")
        actor, skin = _actor(own, given, sampler, choices.textures)
        placed = _placed(own, actor, skin, taken, count)
        if placed is not None:
            actors.append(placed[0])
            taken.append(placed[1])
    return tuple(actors)


def _actor(
    rng: np.random.Generator, given: Preset, sampler: PoseSampler, textures: Path | None
) -> tuple[Actor, Float32]:
    """A person at the origin, and points (T, n, 3) of their skin."""
    body = load_body()
    figure = sample_figure(rng, given.ages)
    look = sample_look(rng, figure, textures=_listed(textures) if textures else ())
    rest = body.rest(figure.shape, sample_expression(rng))
    flesh = solids(body, rest)
    if given.seconds:
        q = sampler.clip(rng, rest.skeleton, given.seconds, given.fps, flesh)
    else:
        for _ in range(20):
            q = sampler.pose(rng, rest.skeleton, figure.age, flesh)[None]
            if not given.upright or _uprightness(rest, q[0]) > 0.5:
                break
    q = stand(body, rest, q)
    outfit = dress(body, rest, look, textures)
    q[:, rest.skeleton.index("pelvis_ty")] += outfit.sole
    ids = np.arange(0, body.vertex_count, _SPARSE)
    skin = np.asarray(body.pose(rest, q, vertex_ids=ids, outputs=("vertices",), threads=1).vertices)
    return Actor(figure, look, rest, outfit, q), skin


def _seat(rng: np.random.Generator, actor: Actor) -> Thing | None:
    """What somebody sits on whose thighs are level and whose seat is high above the floor; None for everybody else."""
    body, q = load_body(), actor.q[0]
    R, p = actor.rest.skeleton.forward(q)
    at = {name: p[actor.rest.skeleton.body_index(name)] for name in ("femur_r", "femur_l", "tibia_r", "tibia_l")}
    level = all(abs(at[f"femur_{s}"][1] - at[f"tibia_{s}"][1]) < _LEVEL for s in "rl")
    if not level or R[0, 1, 1] < 0.7:
        return None
    ids = np.flatnonzero(vertex_parts(body) == PARTS.index("pelvis") + 1)
    skin = np.asarray(body.pose(actor.rest, q, vertex_ids=ids, outputs=("vertices",), threads=1).vertices)
    lowest = skin[skin[:, 1].argmin()]
    if not _SEATS[0] < lowest[1] < _SEATS[1]:
        return None
    ahead = (at["tibia_r"] + at["tibia_l"] - at["femur_r"] - at["femur_l"])[[0, 2]]
    turn = float(np.arctan2(ahead[0], ahead[1]))
    hips = (at["femur_r"] + at["femur_l"]) / 2
    # from behind the pelvis to before the hollows of the knees
    middle = hips[[0, 2]] - 0.02 * ahead / np.linalg.norm(ahead)
    return make_seat(rng, (float(middle[0]), 0.0, float(middle[1])), turn, float(lowest[1]) - 0.004)


def _uprightness(rest: Rest, q: Float64) -> float:
    """Cosine of the angle between the trunk and the vertical."""
    R, _ = rest.skeleton.forward(q)
    return float(R[rest.skeleton.body_index("torso"), 1, 1])


@functools.cache
def _listed(folder: Path) -> tuple[tuple[str, str], ...]:
    return list_textures(folder)


def _placed(
    rng: np.random.Generator, actor: Actor, skin: Float32, taken: Sequence[Float32], count: int
) -> tuple[Actor, Float32] | None:
    """The person turned and moved to where they touch nobody; None where there was no room."""
    from scipy.spatial import KDTree

    reach = 0.0 if count == 1 else 0.45 * np.sqrt(count)
    others = [(other.min((0, 1)), other.max((0, 1)), other) for other in taken]
    for attempt in range(40):
        turn = rng.uniform(-np.pi, np.pi)
        shift = np.array([rng.uniform(-1, 1), 0.0, rng.uniform(-0.7, 0.7)]) * reach * (1 + 0.06 * attempt)
        moved = (skin @ rotation_y(turn).T + shift).astype(np.float32)
        low, high = moved.min((0, 1)) - CLEARANCE, moved.max((0, 1)) + CLEARANCE
        near = [other for least, most, other in others if (low < most).all() and (least < high).all()]
        frames = range(0, len(moved), 3)
        if all(
            KDTree(other[t]).query(moved[t], distance_upper_bound=CLEARANCE)[0].min() > CLEARANCE
            for other in near
            for t in frames
        ):
            q = turned(actor.q, actor.rest.skeleton.coordinates, turn, shift)
            return replace(actor, q=q), moved
    return None


def turned(q: Float64, coordinates: Sequence[str], angle: float, shift: Sequence[float] | Float64) -> Float64:
    """Coordinates (T, D) of the same movement turned about the world's vertical through the origin, then moved.

    Args:
        angle: radians, from +Z towards +X.
        shift: (3,) metres, world.
    """
    from marrow.conventions import to_ground

    column = {name: i for i, name in enumerate(coordinates)}
    angles = [column[f"pelvis_{name}"] for name in ("tilt", "list", "rotation")]
    places = [column[f"pelvis_t{axis}"] for axis in "xyz"]
    turn = rotation_y(angle)
    out = np.array(q)
    out[:, angles] = euler_zxy(turn @ from_euler_zxy(q[:, angles]))
    out[:, places] = q[:, places] @ turn.T + to_ground(shift)
    return out


def _skin_points(actors: Sequence[Actor]) -> Float64:
    """(N, 3) points of everybody's skin, of clips in the first, middle and last frame."""
    body = load_body()
    ids = np.arange(0, body.vertex_count, _SPARSE)
    out = []
    for actor in actors:
        frames = sorted({0, len(actor.q) // 2, len(actor.q) - 1})
        posed = body.pose(actor.rest, actor.q[frames], vertex_ids=ids, outputs=("vertices",), threads=1)
        out.append(np.asarray(posed.vertices, float).reshape(-1, 3))
    return np.concatenate(out)


def _views(
    rng: np.random.Generator, given: Preset, skin: Float64, size: tuple[int, int], count: int
) -> tuple[tuple[Camera, ...], ...]:
    """Cameras by view and frame; empty where the people cannot be seen as the preset asks."""
    if count > 1:
        still = cameras_of.ring(rng, skin, given, size, count)
        if len(still) < count:
            return ()
    else:
        found = cameras_of.frame_people(rng, skin, given, size)
        if found is None:
            return ()
        still = [found]
    frames, moving = given.frames, given.camera_moves and rng.random() < 0.7
    target = skin.mean(0)
    return tuple(
        tuple(cameras_of.handheld(rng, camera, frames, given.fps, target)) if moving else (camera,) * frames
        for camera in still
    )
