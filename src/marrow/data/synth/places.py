"""Where synthetic people stand: floors, walls, skies, lamps, furniture, and a user's own photographs as backgrounds."""

from __future__ import annotations

import colorsys
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.render.shading import Light, Sky
from marrow.render.surfaces import Pattern, Surface
from marrow.types import Camera, Float32, Float64

#: A floor reaches this far, metres.
_REACH = 40.0
#: Things hide no more of the people from any camera, as a share.
_MOST_HIDDEN = 0.8
#: People and furniture keep this far apart, metres.
_GAP = 0.04


@dataclass(frozen=True)
class Thing:
    """A piece of furniture or an obstacle: boxes, cylinders and balls, each by centre, size and turn about Y.

    Attributes:
        kind: what it stands for.
        parts: (shape, centre (3,), size (3,)) in the thing's axes, metres; shape is "box", "cylinder" or "ball".
        at: (3,) where its origin (on its floor) stands in the world.
        turn: radians about Y.
        colour: linear reflectance.
        pattern: or None.
    """

    kind: str
    parts: tuple[tuple[str, tuple[float, float, float], tuple[float, float, float]], ...]
    at: tuple[float, float, float]
    turn: float
    colour: tuple[float, float, float]
    pattern: Pattern | None = None


@dataclass(frozen=True)
class Place:
    """Surroundings and light.

    Attributes:
        kind: "room", "outdoors", "studio" or "photo".
        floor: colour of the floor; None: there is none to see (a photograph).
        floor_pattern: or None.
        wall: colour of a room's walls.
        wall_pattern: or None.
        walls: half a room's width and depth and its height, metres; zeros outdoors.
        horizon, zenith: linear colours of the background.
        lights: lamps and sun.
        sky: light from everywhere.
        photo: file of a background picture.
        things: furniture and obstacles.
    """

    kind: str
    floor: tuple[float, float, float] | None
    floor_pattern: Pattern | None
    wall: tuple[float, float, float]
    wall_pattern: Pattern | None
    walls: tuple[float, float, float]
    horizon: tuple[float, float, float]
    zenith: tuple[float, float, float]
    lights: tuple[Light, ...]
    sky: Sky
    photo: Path | None = None
    things: tuple[Thing, ...] = ()


def sample_place(rng: np.random.Generator, eyes: Float64, people: Float64, dim: bool, photos: Sequence[Path]) -> Place:
    """Surroundings that hold all cameras ``eyes`` (N, 3) and people's points ``people`` (M, 3), metres, world.

    Args:
        dim: little light.
        photos: pictures to stand before; where there are any, half of the scenes do.
    """
    kind = str(rng.choice(["room", "outdoors", "studio"], p=[0.5, 0.38, 0.12]))
    if len(photos) and rng.random() < 0.5:
        kind = "photo"
    around = np.concatenate([eyes, people])
    half = np.abs(around[:, [0, 2]]).max(0) + rng.uniform(0.6, 3.0, 2)
    walls = (float(half[0]), float(half[1]), float(max(2.5, around[:, 1].max() + 0.3) + rng.uniform(0, 0.6)))
    outdoors = kind == "outdoors"
    floor = _colour(rng, (0.03, 0.25), (0.1, 0.45) if outdoors else (0.0, 0.35), (0.15, 0.65))
    if outdoors and rng.random() < 0.45:
        floor = _hsv(rng.uniform(0.2, 0.35), rng.uniform(0.4, 0.7), rng.uniform(0.12, 0.35))
    wall = _colour(rng, (0.0, 1.0), (0.0, 0.35), (0.45, 0.9))
    strength = (0.25 if dim else 1.0) * float(rng.uniform(0.8, 1.2))
    horizon, zenith = _background(rng, kind)
    return Place(
        kind,
        None if kind == "photo" else floor,
        _pattern(rng, floor, ("noise", "noise", "camouflage") if outdoors else ("noise", "checks", "stripes", "noise")),
        wall,
        _pattern(rng, wall, ("noise", "noise", "stripes", "checks")) if rng.random() < 0.6 else None,
        walls if kind == "room" else (0.0, 0.0, 0.0),
        _three(strength * np.array(horizon)),
        _three(strength * np.array(zenith)),
        _lights(rng, kind, strength, walls),
        _ambient(rng, kind, strength),
        Path(photos[int(rng.integers(len(photos)))]) if kind == "photo" else None,
    )


def furnished(
    rng: np.random.Generator, place: Place, eyes: Float64, people: Float64, count: int, between: int
) -> Place:
    """The place with up to ``count`` things that touch nobody, up to ``between`` cameras and people, and a backdrop."""
    things: list[Thing] = []
    centre = people.mean(0)
    hidden = np.zeros((len(eyes), len(people)), bool)
    for n in range(count + between):
        for _ in range(6):
            thing = _thing(rng)
            if n < between:
                eye = eyes[rng.integers(len(eyes))]
                target = people[rng.integers(len(people))]
                spot = eye + rng.uniform(0.35, 0.8) * (target - eye)
            else:
                turn, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 3.5)
                spot = centre + distance * np.array([np.sin(turn), 0, np.cos(turn)])
            thing = replace(thing, at=(float(spot[0]), 0.0, float(spot[2])))
            if not _free(thing, eyes, people) or (n >= between and not _aside(spot, centre, eyes)):
                continue
            more = hidden | _hidden(thing, eyes, people)
            if (more.mean(1) <= _MOST_HIDDEN).all():
                things.append(thing)
                hidden = more
                break
    for _ in range(int(rng.integers(2, 12)) if place.kind == "outdoors" else 0):
        turn, distance = rng.uniform(0, 2 * np.pi), rng.uniform(11, _REACH - 4)
        spot = centre + distance * np.array([np.sin(turn), 0, np.cos(turn)])
        far = replace(_backdrop(rng), at=(float(spot[0]), 0.0, float(spot[2])))
        if _free(far, eyes, people):
            things.append(far)
    return replace(place, things=tuple(things))


def surfaces_of(place: Place, label: int, around: Float64, cells: int = 8) -> list[Surface]:
    """Floor, walls and things.

    Args:
        label: marks them as scenery.
        around: (3,) the floor's middle.
        cells: squares along a side of floor and walls; a lens that bends lines needs more.
    """
    out = []
    if place.floor is not None:
        reach = max(place.walls[:2]) if place.kind == "room" else _REACH
        floor, squares = _grid(reach, around if place.kind != "room" else np.zeros(3), cells)
        out.append(_plain(floor, squares, place.floor, place.floor_pattern, label))
    if place.kind == "room":
        out += [_plain(*wall, place.wall, place.wall_pattern, label) for wall in _walls(*place.walls, cells)]
        ceiling = floor + np.array([0.0, place.walls[2], 0.0], np.float32)
        out.append(_plain(ceiling, squares, (0.8, 0.8, 0.78), None, label))
    for thing in place.things:
        vertices, faces = _mesh_of(thing)
        colour = np.tile(np.array(thing.colour, np.float32), (len(vertices), 1))
        # what is far off would only make the shadow maps coarse
        near = thing.kind not in ("house", "tree")
        out.append(Surface(vertices, faces, colour, thing.pattern, label=label, gloss=0.2, casts_shadow=near))
    return out


def background(place: Place, camera: Camera) -> Float32:
    """(H, W, 3) linear light from where there is no surface: a sky by height above the horizon, or the photograph."""
    width, height = camera.size
    if place.photo is not None:
        return _photo(place.photo, camera.size)
    K, R = camera.K, camera.R_cam_world
    y = (np.arange(height)[:, None] - K[1, 2]) / K[1, 1]
    x = (np.arange(width)[None] - K[0, 2]) / K[0, 0]
    size = np.sqrt(x * x + y * y + (camera.lens != "fisheye"))
    if camera.lens == "fisheye":  # the distance from the axis is the angle
        up = (x * R[0, 1] + y * R[1, 1]) * np.sinc(size / np.pi) + R[2, 1] * np.cos(size)
    else:
        up = (x * R[0, 1] + y * R[1, 1] + R[2, 1]) / size
    share = np.clip(up, 0, 1).astype(np.float32)[..., None] ** np.float32(0.6)
    low, high = np.array(place.horizon, np.float32), np.array(place.zenith, np.float32)
    return low + share * (high - low)


def photos_in(folder: str | Path) -> list[Path]:
    """The pictures of a user's folder, by name.

    Raises:
        InputError: it is no folder, holds no picture, or something that only its name says is one.
    """
    from PIL import Image

    from marrow.io.images import IMAGE_SUFFIXES, read_image

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give one with pictures ({' '.join(IMAGE_SUFFIXES)})")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no picture; expected files that end in {' '.join(IMAGE_SUFFIXES)}")
    for path in found:
        try:
            with Image.open(path):  # its first bytes alone: there may be thousands
                pass
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            read_image(path)  # tells what is wrong
    return found


def _hsv(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """Linear RGB of a colour that is told as screens show it."""
    r, g, b = (float(c) ** 2.2 for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    return r, g, b


def _three(values: Float64) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _colour(rng: np.random.Generator, hue, saturation, value) -> tuple[float, float, float]:
    return _hsv(rng.uniform(*hue), rng.uniform(*saturation), rng.uniform(*value))


def _pattern(rng: np.random.Generator, base: Sequence[float], kinds: Sequence[str]) -> Pattern:
    shade = rng.choice([rng.uniform(0.6, 0.85), rng.uniform(1.1, 1.3)])
    second = _three(np.minimum(np.array(base) * shade + rng.uniform(0, 0.04, 3), 0.95))
    along = rng.uniform(0, np.pi)
    direction = (float(np.cos(along)), 0.0, float(np.sin(along)))
    return Pattern(str(rng.choice(kinds)), second, float(rng.uniform(0.12, 0.8)), direction, int(rng.integers(1 << 30)))


def _background(rng: np.random.Generator, kind: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    if kind == "outdoors":
        grey = rng.random()
        horizon = _hsv(rng.uniform(0.5, 0.62), 0.12 * grey, rng.uniform(0.75, 0.98))
        return horizon, _hsv(rng.uniform(0.55, 0.62), 0.1 + 0.5 * grey, rng.uniform(0.6, 0.95))
    plain = _colour(rng, (0.0, 1.0), (0.0, 0.3), (0.3, 0.95))
    return plain, _three(np.array(plain) * rng.uniform(0.7, 1.0, 3))


def _lights(rng: np.random.Generator, kind: str, strength: float, walls: Sequence[float]) -> tuple[Light, ...]:
    turn, pitch = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(25, 75))
    main = (float(np.cos(pitch) * np.sin(turn)), float(np.sin(pitch)), float(np.cos(pitch) * np.cos(turn)))
    warm = rng.uniform(-0.12, 0.18)
    power = strength * float(rng.uniform(0.5, 0.95))
    colour = (power * (1 + warm), power, power * (1 - warm))
    soft = float(rng.choice([0.005, 0.02, 0.08])) if kind == "outdoors" else float(rng.uniform(0.04, 0.15))
    lights = [Light(main, colour, softness=soft)]
    if kind != "outdoors" and rng.random() < 0.7:
        turn += rng.uniform(1.5, 4.0)
        fill = strength * float(rng.uniform(0.1, 0.35))
        lights.append(Light((float(np.sin(turn)), 0.6, float(np.cos(turn))), (fill, fill, fill), shadows=False))
    return tuple(lights)


def _ambient(rng: np.random.Generator, kind: str, strength: float) -> Sky:
    level = strength * float(rng.uniform(0.22, 0.5))
    tint = 1.15 if kind == "outdoors" else 1.0
    ground = level * float(rng.uniform(0.3, 0.6))
    return Sky((level, level, min(level * tint, 1.0)), (ground, ground * 0.97, ground * 0.92))


def _thing(rng: np.random.Generator) -> Thing:
    kind = str(rng.choice(["crate", "table", "chair", "pillar", "ball", "bench", "shelf", "plant"]))
    w, d, h = rng.uniform(0.3, 1.3), rng.uniform(0.3, 0.9), rng.uniform(0.35, 1.1)
    leg = 0.05

    def box(x: float, y: float, z: float, a: float, b: float, c: float):
        return ("box", (float(x), float(y), float(z)), (float(a), float(b), float(c)))

    corners = [(sx, sz) for sx in (-1, 1) for sz in (-1, 1)]
    if kind == "crate":
        parts = [box(0, h / 2, 0, w, h, d)]
    elif kind in ("table", "bench"):
        top = h if kind == "table" else 0.45
        parts = [box(0, top, 0, w, 0.05, d)]
        parts += [box(sx * (w / 2 - leg), top / 2, sz * (d / 2 - leg), leg, top, leg) for sx, sz in corners]
    elif kind == "chair":
        parts = [box(0, 0.45, 0, 0.45, 0.05, 0.45), box(0, 0.75, -0.21, 0.45, 0.5, 0.04)]
        parts += [box(sx * 0.2, 0.225, sz * 0.2, 0.04, 0.45, 0.04) for sx, sz in corners]
    elif kind == "pillar":
        r = float(rng.uniform(0.08, 0.25))
        parts = [("cylinder", (0.0, 1.3, 0.0), (r, 2.6, r))]
    elif kind == "ball":
        r = float(rng.uniform(0.11, 0.4))
        parts = [("ball", (0.0, r, 0.0), (r, r, r))]
    elif kind == "shelf":
        tall = float(rng.uniform(1.0, 2.0))
        parts = [box(sx * w / 2, tall / 2, 0, 0.03, tall, 0.3) for sx in (-1, 1)]
        parts += [box(0, y, 0, w, 0.03, 0.3) for y in np.linspace(0.1, tall, 4)]
    else:
        parts = [("cylinder", (0.0, 0.15, 0.0), (0.16, 0.3, 0.16))]
        spots = rng.normal(0, [0.14, 0.2, 0.14], (7, 3)) + [0, 0.75, 0]
        parts += [("ball", _three(spot), (0.18, 0.16, 0.18)) for spot in spots]
    green = kind == "plant"
    colour = _colour(rng, (0.22, 0.38), (0.3, 0.7), (0.2, 0.5)) if green else _material(rng)
    pattern = _pattern(rng, colour, ("noise", "stripes")) if rng.random() < 0.5 else None
    return Thing(kind, tuple(parts), (0.0, 0.0, 0.0), float(rng.uniform(0, 2 * np.pi)), colour, pattern)


def make_seat(rng: np.random.Generator, at: tuple[float, float, float], turn: float, height: float) -> Thing:
    """A stool, a box or a chair of a height, metres, whose front is turned to ``turn`` (radians from +Z to +X)."""
    wide, deep, leg = float(rng.uniform(0.34, 0.5)), 0.34, 0.035
    kind = str(rng.choice(["stool", "box", "chair"]))
    seat: tuple[str, tuple[float, float, float], tuple[float, float, float]]
    if kind == "box":
        parts = (("box", (0.0, height / 2, 0.0), (wide, height, deep)),)
    else:
        seat = ("box", (0.0, height - 0.025, 0.0), (wide, 0.05, deep))
        legs = tuple(
            ("box", (sx * (wide / 2 - leg), (height - 0.05) / 2, sz * (deep / 2 - leg)), (leg, height - 0.05, leg))
            for sx in (-1, 1)
            for sz in (-1, 1)
        )
        back = (("box", (0.0, height + 0.22, -deep / 2 - 0.12), (wide, 0.4, 0.03)),) if kind == "chair" else ()
        parts = (seat, *legs, *back)
    return Thing("seat", parts, at, turn, _material(rng))


def _material(rng: np.random.Generator) -> tuple[float, float, float]:
    """Wood, grey metal or plastic, or paint."""
    kind = rng.random()
    if kind < 0.5:
        return _colour(rng, (0.05, 0.1), (0.3, 0.6), (0.3, 0.75))
    if kind < 0.8:
        return _colour(rng, (0.5, 0.65), (0.0, 0.12), (0.2, 0.9))
    return _colour(rng, (0.0, 1.0), (0.3, 0.65), (0.3, 0.8))


def _backdrop(rng: np.random.Generator) -> Thing:
    """Something far off outdoors: a house or a tree."""
    turn = float(rng.uniform(0, 2 * np.pi))
    if rng.random() < 0.5:
        w, d, h = (float(v) for v in rng.uniform((4, 4, 3), (14, 10, 12)))
        colour = _colour(rng, (0.02, 0.14), (0.05, 0.4), (0.4, 0.9))
        windows = Pattern("checks", _hsv(0.6, 0.2, float(rng.uniform(0.2, 0.5))), float(rng.uniform(1.2, 2.5)))
        return Thing("house", (("box", (0.0, h / 2, 0.0), (w, h, d)),), (0.0, 0.0, 0.0), turn, colour, windows)
    trunk, crown = float(rng.uniform(1.5, 3.0)), float(rng.uniform(1.0, 2.5))
    spots = rng.normal(0, [0.5, 0.4, 0.5], (6, 3)) * crown + [0, trunk + crown, 0]
    leaves = [("ball", _three(spot), (crown * 0.7, crown * 0.6, crown * 0.7)) for spot in spots]
    stem = ("cylinder", (0.0, trunk / 2, 0.0), (0.15, trunk, 0.15))
    colour = _colour(rng, (0.2, 0.36), (0.4, 0.75), (0.15, 0.45))
    speckle = Pattern("noise", _three(1.6 * np.array(colour)), 0.35, seed=int(rng.integers(1 << 30)))
    return Thing("tree", (stem, *leaves), (0.0, 0.0, 0.0), turn, colour, speckle)


def _aside(spot: Float64, centre: Float64, eyes: Float64) -> bool:
    """Whether something at a spot (3,) covers nobody who is at ``centre``: it is not on the cameras' side."""
    ahead = (eyes - centre)[:, [0, 2]]
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return bool((ahead @ (spot - centre)[[0, 2]] < 0.1).all())


def _free(thing: Thing, eyes: Float64, people: Float64) -> bool:
    """Whether nobody's skin and no camera is within a thing's boxes (balls and cylinders count as boxes)."""
    c, s = np.cos(thing.turn), np.sin(thing.turn)
    points = np.concatenate([people, eyes]) - thing.at
    local = c * points[:, 0] - s * points[:, 2], points[:, 1], s * points[:, 0] + c * points[:, 2]
    far = np.full(len(points), _GAP)
    far[len(people) :] = 0.25
    for shape, centre, size in thing.parts:
        half = _half(shape, size)
        within = [np.abs(x - m) < h + far for x, m, h in zip(local, centre, half, strict=True)]
        if (within[0] & within[1] & within[2]).any():
            return False
    return True


def _hidden(thing: Thing, eyes: Float64, people: Float64) -> NDArray[np.bool_]:
    """(N, M) whether a thing's boxes lie between each eye and each of people's points."""
    c, s = np.cos(thing.turn), np.sin(thing.turn)
    turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    start, end = (eyes - thing.at) @ turn.T, (people - thing.at) @ turn.T
    step = end[None] - start[:, None]
    step = np.where(np.abs(step) < 1e-9, 1e-9, step)
    out = np.zeros(step.shape[:2], bool)
    for shape, centre, size in thing.parts:
        half = _half(shape, size)
        a, b = ((np.array(centre) + side * half - start[:, None]) / step for side in (-1, 1))
        first, last = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
        out |= (first < last) & (last > 0) & (first < 1)
    return out


def _half(shape: str, size: tuple[float, float, float]) -> Float64:
    """Half the sides of the box around a primitive."""
    return np.array(size) * {"ball": [1, 1, 1], "cylinder": [1, 0.5, 1]}.get(shape, [0.5, 0.5, 0.5])


@functools.cache
def _primitive(shape: str) -> tuple[Float32, NDArray[np.int32]]:
    """A box or cylinder of half size 1 or 0.5, or a ball of radius 1; flat sides have corners of their own."""
    import trimesh

    if shape == "box":
        mesh = trimesh.creation.box((1, 1, 1))
        mesh.unmerge_vertices()
    elif shape == "cylinder":
        mesh = trimesh.creation.cylinder(1.0, 1.0, sections=24)
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
        mesh.unmerge_vertices()
    else:
        mesh = trimesh.creation.icosphere(2)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32)


def _mesh_of(thing: Thing) -> tuple[Float32, NDArray[np.int32]]:
    vertices, faces, count = [], [], 0
    for shape, centre, size in thing.parts:
        own, cells = _primitive(shape)
        vertices.append(own * np.array(size, np.float32) + np.array(centre, np.float32))
        faces.append(cells + count)
        count += len(own)
    local = np.concatenate(vertices)
    c, s = np.cos(thing.turn), np.sin(thing.turn)
    turned = np.stack([c * local[:, 0] + s * local[:, 2], local[:, 1], -s * local[:, 0] + c * local[:, 2]], 1)
    return (turned + thing.at).astype(np.float32), np.concatenate(faces).astype(np.int32)


def _plain(
    vertices: Float32, faces: NDArray[np.int32], colour: Sequence[float], pattern: Pattern | None, label: int
) -> Surface:
    colours = np.tile(np.array(colour, np.float32), (len(vertices), 1))
    return Surface(vertices, faces, colours, pattern, two_sided=True, label=label, casts_shadow=False)


def _grid(reach: float, centre: Float64, cells: int) -> tuple[Float32, NDArray[np.int32]]:
    """A level square, finer near its middle, since lenses that bend lines need small triangles there."""
    steps = np.linspace(-1, 1, cells + 1)
    steps = reach * np.sign(steps) * np.abs(steps) ** 2.2
    x, z = np.meshgrid(steps, steps, indexing="ij")
    vertices = np.stack([x + round(float(centre[0])), np.zeros_like(x), z + round(float(centre[2]))], -1)
    return vertices.reshape(-1, 3).astype(np.float32), _cells(cells)


@functools.cache
def _cells(cells: int) -> NDArray[np.int32]:
    """Two triangles to each square of a grid of cells + 1 points a side."""
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, -1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]).astype(
        np.int32
    )


def _walls(half_x: float, half_z: float, height: float, cells: int) -> list[tuple[Float32, NDArray[np.int32]]]:
    t, y = np.meshgrid(np.linspace(-1, 1, cells + 1), np.linspace(0, height, cells + 1), indexing="ij")
    still = np.ones_like(t)
    sides = [
        np.stack([half_x * still * sign, y, half_z * t], -1) for sign in (-1, 1)
    ] + [np.stack([half_x * t, y, half_z * still * sign], -1) for sign in (-1, 1)]  # fmt: skip
    return [(side.reshape(-1, 3).astype(np.float32), _cells(cells)) for side in sides]


@functools.lru_cache(maxsize=64)
def _photo(path: Path, size: tuple[int, int]) -> Float32:
    """(H, W, 3) linear middle part of a picture of the wanted shape."""
    import cv2

    from marrow.io.images import read_image

    image = read_image(path)
    width, height = size
    scale = max(width / image.shape[1], height / image.shape[0])
    w, h = min(round(width / scale), image.shape[1]), min(round(height / scale), image.shape[0])
    y, x = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
    small = cv2.resize(image[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    return ((small / 255.0) ** 2.2).astype(np.float32)
