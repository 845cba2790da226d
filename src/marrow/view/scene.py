"""What the viewer shows, as plain arrays: it knows nothing of body models or files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Camera, Float32, Float64

UNOBSERVED = (150, 150, 150)


@dataclass(frozen=True)
class Skin:
    """A skin that the browser poses by itself from one rigid motion per segment (linear blend skinning).

    The browser keeps the four strongest influences of each vertex; the others are dropped and the rest rescaled.

    Attributes:
        vertices: (V, 3) float32 metres in the bind pose.
        weights: (V, B), rows sum to one.
        bind: (B, 4, 4) segment frames in the world in the bind pose.
        R: (T, B, 3, 3) and
        p: (T, B, 3) metres: segment frames in the world, frame by frame.
    """

    vertices: Float32
    weights: Float32
    bind: Float64
    R: Float64 | Float32
    p: Float64 | Float32

    def posed(self, frame: int) -> Float32:
        """(V, 3) float32 vertices of one frame, as the browser poses them."""
        motion = np.einsum("bij,bjk->bik", self.R[frame], np.swapaxes(self.bind[:, :3, :3], -1, -2))
        shift = self.p[frame] - np.einsum("bij,bj->bi", motion, self.bind[:, :3, 3])
        weights = four_strongest(self.weights)
        blended = np.einsum("vb,bij->vij", weights, motion)
        return (np.einsum("vij,vj->vi", blended, self.vertices) + weights @ shift).astype(np.float32)


@dataclass(frozen=True)
class ViewPerson:
    """One person of a scene of T frames.

    Attributes:
        name: as shown in the list of people.
        faces: (F, 3) int32.
        joints: (T, J, 3) metres; NaN in frames where the person is absent.
        bones: pairs of joint numbers.
        colour: red, green, blue of 0 to 255.
        vertices: (T, V, 3) float32, or a function from frame to (V, 3); not needed where ``skin`` is given.
        skin: preferred where there is one: far less data per frame.
        observed: (T,) bool, or None: all. Elsewhere the person is drawn in grey: nobody saw what is shown.
        ghost: another reading of somebody: drawn fainter than people.
    """

    name: str
    faces: NDArray[np.int32]
    joints: Float64 | Float32
    bones: Sequence[tuple[int, int]]
    colour: tuple[int, int, int]
    vertices: Float32 | Callable[[int], Float32] | None = None
    skin: Skin | None = None
    observed: NDArray[np.bool_] | None = None
    ghost: bool = False

    def colour_at(self, frame: int) -> tuple[int, int, int]:
        """The person's colour, or grey in frames in which they were not observed."""
        return self.colour if self.observed is None or self.observed[frame] else UNOBSERVED

    def present(self, frame: int) -> bool:
        """Whether the person is there in a frame."""
        return bool(np.isfinite(self.joints[frame]).all())

    def vertices_at(self, frame: int) -> Float32 | None:
        """(V, 3) float32 of one frame, computed on demand; None where the scene has no skin."""
        if self.vertices is None:
            return None if self.skin is None else self.skin.posed(frame)
        found = self.vertices(frame) if callable(self.vertices) else self.vertices[frame]
        return np.asarray(found, np.float32)


@dataclass(frozen=True)
class Scene:
    """Everything in view.

    Attributes:
        people: any number.
        time: (T,) increasing seconds.
        camera: the camera that filmed it, or None.
        floor: height of the floor, metres; None where no floor is known.
        pictures: a function from frame to the video's picture (h, w, 3) uint8 (small is enough) or None.
        title: shown above the controls.
    """

    people: Sequence[ViewPerson]
    time: Float64
    camera: Camera | None = None
    floor: float | None = 0.0
    pictures: Callable[[int], NDArray[np.uint8] | None] | None = None
    title: str = "marrow"

    def __post_init__(self) -> None:
        count = len(self.time)
        if count == 0:
            raise InputError("Scene: no frames to show; expected at least one time stamp")
        for person in self.people:
            if person.joints.ndim != 3 or len(person.joints) != count:
                raise InputError(
                    f"Scene: {person.name} has joints {person.joints.shape}, expected ({count}, J, 3): one row for "
                    "each time stamp, NaN where the person is absent"
                )
            moving = person.vertices if isinstance(person.vertices, np.ndarray) else None
            length = len(moving) if moving is not None else len(person.skin.p) if person.skin else count
            if length != count:
                raise InputError(f"Scene: {person.name} has {length} skins for {count} time stamps; give one for each")


def four_strongest(weights: Float32) -> Float32:
    """(V, B) float32 skinning weights with all but the four largest of each row set to zero, rows summing to one."""
    weights = np.asarray(weights, np.float32)
    if weights.shape[1] > 4:
        drop = np.argpartition(weights, -4, axis=1)[:, :-4]
        weights = weights.copy()
        np.put_along_axis(weights, drop, 0, axis=1)
    return weights / weights.sum(1, keepdims=True)


def middle_and_size(scene: Scene) -> tuple[Float64, float]:
    """Centre of everybody's joints over all frames (3,) and the radius around it that holds them, metres."""
    joints = [person.joints.reshape(-1, 3) for person in scene.people]
    points = np.concatenate(joints) if joints else np.zeros((0, 3))
    points = points[np.isfinite(points).all(-1)]
    if not len(points):
        return np.array([0.0, 1.0, 0.0]), 1.0
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, float(np.linalg.norm(high - low) / 2)
