"""Biovision hierarchy files: the skeleton with one rotation a segment, metres, degrees, Y up, facing +Z.

A BVH segment's frame is parallel to the world when all its channels are zero. marrow's segment frames are turned
against the world by one constant rotation at ``q = 0``; it is taken out on writing, so that zero channels show the
anatomical upright pose. Rotation channels are ``Zrotation Xrotation Yrotation`` (``R = Rz Rx Ry``), in degrees.
The format (Meredith and Maddock 2001) has no field for units: these files are in metres unless ``scale`` says
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.conventions import R_GROUND_WORLD
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.io.files import write_atomically
from marrow.types import Float64

#: Rotation of every marrow segment in marrow's world at ``q = 0``.
_ZERO_POSE = R_GROUND_WORLD.T

_ROTATION = ("Zrotation", "Xrotation", "Yrotation")
_POSITION = ("Xposition", "Yposition", "Zposition")
_AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}

#: Frames may miss an even grid by this part of the frame time before they are resampled.
_UNEVEN = 0.01

#: A joint moves in its parent if its place there changes by more than this (metres).
_STILL = 1e-6


@dataclass(frozen=True)
class Bvh:
    """The content of a BVH file, in the file's own units and axes.

    Attributes:
        names: B joints, parents first.
        parents: (B,) index of the parent, -1 for the root.
        offsets: (B, 3) in the parent's frame.
        ends: joint index to (3,) offset of its end site.
        frame_time: seconds.
        R: (T, B, 3, 3) rotation of each joint in the world.
        p: (T, B, 3) origin of each joint in the world.
    """

    names: tuple[str, ...]
    parents: NDArray[np.int64]
    offsets: Float64
    ends: Mapping[int, Float64]
    frame_time: float
    R: Float64
    p: Float64


def write_bvh(
    path: str | Path,
    *,
    bodies: Sequence[str],
    parents: Sequence[int] | NDArray[np.int64],
    R: Float64,
    p: Float64,
    time: Float64,
    ends: Mapping[str, Float64] | None = None,
    R_zero: Float64 = _ZERO_POSE,
    scale: float = 1.0,
) -> None:
    """Write a motion of a skeleton. Joints whose place in their parent changes get position channels like the root.

    Args:
        path: file to write.
        bodies: B names, parents first; the first is the root.
        parents: (B,) index of the parent, -1 for the root.
        R: (T, B, 3, 3) rotation of each segment in marrow's world.
        p: (T, B, 3) origin of each segment in marrow's world, metres.
        time: (T,) seconds; uneven times are resampled to an even grid of the median step.
        ends: tip of a segment without children, in its own axes, metres; by default 30 mm along its parent's bone.
        R_zero: (3, 3) rotation of all segments in the world at the zero pose.
        scale: units a metre; 100 writes centimetres.

    Raises:
        InputError: shapes that do not fit, no frame, or names with spaces.
        OutputError: the file cannot be written.
    """
    R, p, time, parent_of = _checked(bodies, parents, R, p, time)
    R, p, frame_time = _even(R, p, time)
    places = _places(R, p, parent_of)
    offsets = places.mean(0)
    moving = np.ptp(places, axis=0).max(1) > _STILL
    moving[0] = True
    turned = R @ R_zero.T
    local = turned.copy()
    for body in range(1, len(bodies)):
        local[:, body] = np.swapaxes(turned[:, parent_of[body]], -1, -2) @ turned[:, body]
    angles = np.degrees(rotations.unwrap_zxy(rotations.euler_zxy(local)))
    order = _depth_first(parent_of)
    places = places @ R_zero.T
    places[:, 0] = p[:, 0]
    columns = [block for b in order for block in ([scale * places[:, b]] if moving[b] else []) + [angles[:, b]]]
    values = np.concatenate(columns, axis=1)
    tips = {bodies.index(name): np.asarray(tip, float) for name, tip in (ends or {}).items() if name in bodies}
    with write_atomically(path, "w") as file:
        file.write("HIERARCHY\n")
        file.writelines(_hierarchy(bodies, parent_of, offsets @ R_zero.T * scale, moving, tips, R_zero * scale, 0, 0))
        file.write(f"MOTION\nFrames: {len(R)}\nFrame Time: {frame_time:.9g}\n")
        np.savetxt(file, values, fmt="%.6f")


def _checked(
    bodies: Sequence[str], parents: Any, R: Any, p: Any, time: Any
) -> tuple[Float64, Float64, Float64, NDArray[np.int64]]:
    R, p, time = np.asarray(R, float), np.asarray(p, float), np.asarray(time, float)
    parents = np.asarray(parents, np.int64)
    count, frames = len(bodies), len(time)
    if frames == 0:
        raise InputError("write_bvh: there is no frame to write")
    if R.shape != (frames, count, 3, 3) or p.shape != (frames, count, 3) or parents.shape != (count,):
        raise InputError(
            f"write_bvh: for {frames} times and {count} bodies expected R {(frames, count, 3, 3)} and p "
            f"{(frames, count, 3)}, got {R.shape} and {p.shape}"
        )
    if parents[0] != -1 or np.any(parents[1:] < 0) or np.any(parents >= np.arange(count)):
        raise InputError("write_bvh: parents must come before their children, and only the first body be a root")
    for name in bodies:
        if not name or any(letter.isspace() or letter in "{}" for letter in name):
            raise InputError(f"write_bvh: the name {name!r} holds spaces or braces, which BVH does not allow")
    if not (np.isfinite(R).all() and np.isfinite(p).all()):
        raise InputError("write_bvh: R and p must be finite in every frame")
    return R, p, time, parents


def _even(R: Float64, p: Float64, time: Float64) -> tuple[Float64, Float64, float]:
    """The same motion on an even grid, since BVH knows one frame time; untouched where it is even already."""
    if len(time) == 1:
        return R, p, 1 / 30
    steps = np.diff(time)
    if np.any(steps <= 0):
        raise InputError("write_bvh: times must increase")
    span = time[-1] - time[0]
    step = float(np.median(steps))
    if np.abs(steps - step).max() <= _UNEVEN * step:
        return R, p, float(span / (len(time) - 1))
    grid = time[0] + np.arange(int(np.floor(span / step + 1e-9)) + 1) * step
    right = np.clip(np.searchsorted(time, grid, side="right"), 1, len(time) - 1)
    left = right - 1
    part = (grid - time[left]) / (time[right] - time[left])
    turned = rotations.slerp(R[left], R[right], part[:, None])
    moved = p[left] + part[:, None, None] * (p[right] - p[left])
    return turned, moved, step


def _places(R: Float64, p: Float64, parents: NDArray[np.int64]) -> Float64:
    """(T, B, 3) place of each origin in its parent's axes; zero for the root."""
    places = np.zeros(p.shape)
    for body in range(1, len(parents)):
        parent = parents[body]
        places[:, body] = np.einsum("tji,tj->ti", R[:, parent], p[:, body] - p[:, parent])
    return places


def _depth_first(parents: NDArray[np.int64]) -> list[int]:
    """Order of the joints in the file, and so of the channels."""
    order: list[int] = []
    stack = [0]
    while stack:
        body = stack.pop()
        order.append(body)
        stack += [int(child) for child in np.flatnonzero(parents == body)[::-1]]
    return order


def _hierarchy(
    bodies: Sequence[str],
    parents: NDArray[np.int64],
    offsets: Float64,
    moving: NDArray[np.bool_],
    tips: Mapping[int, Float64],
    turn: Float64,
    body: int,
    depth: int,
) -> Iterator[str]:
    pad = "  " * depth
    children = np.flatnonzero(parents == body)
    yield f"{pad}{'JOINT' if depth else 'ROOT'} {bodies[body]}\n{pad}{{\n"
    yield f"{pad}  OFFSET {_numbers(offsets[body])}\n"
    channels = (*_POSITION, *_ROTATION) if moving[body] else _ROTATION
    yield f"{pad}  CHANNELS {len(channels)} {' '.join(channels)}\n"
    for child in children:
        yield from _hierarchy(bodies, parents, offsets, moving, tips, turn, int(child), depth + 1)
    if not len(children):
        tip = turn @ tips[body] if body in tips else _default_tip(offsets[body], float(np.linalg.norm(turn[0])))
        yield f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET {_numbers(tip)}\n{pad}  }}\n"
    yield f"{pad}}}\n"


def _default_tip(offset: Float64, scale: float) -> Float64:
    length = np.linalg.norm(offset)
    return offset / length * 0.03 * scale if length > 0 else np.array([0.0, 0.03 * scale, 0.0])


def _numbers(values: Float64) -> str:
    return " ".join(f"{value:.6f}" for value in values)


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float]
    channels: list[str]


class _Words:
    """The words of a file with their line numbers, for messages that say where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        self._words = [(word, number) for number, line in enumerate(text.splitlines(), 1) for word in line.split()]
        self._next = 0

    def fail(self, message: str) -> InputError:
        line = self._words[min(self._next, len(self._words)) - 1][1] if self._words else 1
        return InputError(f"{self.path}, line {line}: {message}")

    def take(self, expected: str | None = None) -> str:
        if self._next >= len(self._words):
            raise self.fail(f"the file ends early{f'; expected {expected}' if expected else ''}")
        word = self._words[self._next][0]
        self._next += 1
        if expected is not None and word.lower() != expected.lower():
            raise self.fail(f"expected {expected}, got {word!r}")
        return word

    def number(self, what: str) -> float:
        word = self.take()
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise self.fail(f"{what}: expected a number, got {word!r}")
        return value

    def whole(self, what: str, most: int) -> int:
        value = self.number(what)
        if value != int(value) or not 0 <= value <= most:
            raise self.fail(f"{what}: expected a whole number from 0 to {most}, got {value:g}")
        return int(value)

    def rest(self, count: int, what: str) -> Float64:
        words = [word for word, _ in self._words[self._next :]]
        if len(words) != count:
            raise self.fail(f"{what}: expected {count} numbers, got {len(words)}; the file is cut short or damaged")
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError as error:
            raise self.fail(f"{what}: {error}") from error
        if not np.isfinite(values).all():
            raise self.fail(f"{what}: a value is not finite")
        return values


def read_bvh(path: str | Path) -> Bvh:
    """Read a BVH file of any channel order.

    Raises:
        InputError: missing or damaged file; the message names the line.
    """
    words = _Words(Path(path))
    words.take("HIERARCHY")
    words.take("ROOT")
    joints: list[_Joint] = []
    ends: dict[int, Float64] = {}
    _read_joint(words, joints, ends)
    words.take("MOTION")
    words.take("Frames:")
    frames = words.whole("Frames", 100_000_000)
    words.take("Frame")
    words.take("Time:")
    frame_time = words.number("Frame Time")
    count = sum(len(joint.channels) for joint in joints)
    values = words.rest(frames * count, "motion").reshape(frames, count)
    parents = np.array([joint.parent for joint in joints], np.int64)
    offsets = np.array([joint.offset for joint in joints], np.float64)
    R, p = _forward(joints, parents, offsets, values)
    return Bvh(tuple(joint.name for joint in joints), parents, offsets, ends, frame_time, R, p)


def _read_joint(words: _Words, joints: list[_Joint], ends: dict[int, Float64]) -> None:
    """Read the root's block; a stack instead of recursion, so that no depth of nesting can end the program."""
    open_joints: list[int] = []
    while True:
        name = words.take()
        words.take("{")
        words.take("OFFSET")
        offset = [words.number("OFFSET") for _ in range(3)]
        words.take("CHANNELS")
        channels = [_channel(words) for _ in range(words.whole("CHANNELS", 6))]
        joints.append(_Joint(name, open_joints[-1] if open_joints else -1, offset, channels))
        open_joints.append(len(joints) - 1)
        while (word := words.take().lower()) != "joint":
            if word == "end":
                words.take("Site")
                words.take("{")
                words.take("OFFSET")
                ends[open_joints[-1]] = np.array([words.number("OFFSET") for _ in range(3)])
                words.take("}")
            elif word == "}":
                open_joints.pop()
                if not open_joints:
                    return
            else:
                raise words.fail(f"expected JOINT, End Site or }}, got {word!r}")


def _channel(words: _Words) -> str:
    word = words.take()
    known = {name.lower(): name for name in (*_POSITION, *_ROTATION)}
    if word.lower() not in known:
        raise words.fail(f"unknown channel {word!r}; expected one of {', '.join(known.values())}")
    return known[word.lower()]


def _forward(
    joints: list[_Joint], parents: NDArray[np.int64], offsets: Float64, values: Float64
) -> tuple[Float64, Float64]:
    R = np.empty((len(values), len(joints), 3, 3))
    p = np.empty((len(values), len(joints), 3))
    column = 0
    for index, joint in enumerate(joints):
        local = np.broadcast_to(np.eye(3), (len(values), 3, 3))
        place = np.tile(offsets[index], (len(values), 1))
        moved = False
        for channel in joint.channels:
            value = values[:, column]
            column += 1
            if channel in _POSITION:
                # A position channel replaces the offset, as readers of the format agree.
                if not moved:
                    place, moved = np.zeros_like(place), True
                place[:, _POSITION.index(channel)] = value
            else:
                local = local @ rotations.axis_angle(np.array(_AXES[channel[0]]), np.radians(value))
        parent = parents[index]
        if parent < 0:
            R[:, index], p[:, index] = local, place
        else:
            R[:, index] = R[:, parent] @ local
            p[:, index] = p[:, parent] + np.einsum("tij,tj->ti", R[:, parent], place)
    return R, p
