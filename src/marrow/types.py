"""The small frozen dataclasses that travel between the stages of the main road.

Pure data: no method does more than select or count; lists given for a camera's arrays become arrays. Arrays are numpy.
Images are uint8; keypoints, vertices and masks are float32 or uint8; time, camera matrices and skeleton coordinates are
float64. Units are metres, radians, seconds and pixels; axes are those of :mod:`marrow.conventions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """A camera with OpenCV axes (x right, y down, z forward).

    A world point is seen at ``x_cam = R_cam_world @ x_world + t_cam_world`` and then through ``K``. Pixel ``(0, 0)`` is
    the centre of the top left pixel.

    Attributes:
        K: (3, 3) intrinsic matrix, pixels.
        size: (width, height) of the image, pixels.
        R_cam_world: (3, 3) rotation from world to camera.
        t_cam_world: (3,) position of the world's origin in the camera, metres.
        distortion: (0,), (4,), (5,) or (8,) OpenCV coefficients ``k1 k2 p1 p2 [k3 [k4 k5 k6]]``; perspective only.
        lens: ``perspective``; ``orthographic`` (``K`` then acts on ``x_cam, y_cam`` in metres: its diagonal is pixels
            per metre); or ``fisheye``, equidistant (a ray at the angle theta from the axis is ``fx theta`` pixels from
            the middle).

    Lists of numbers in place of arrays become arrays.

    Raises:
        InputError: lists that are no array of numbers.
    """

    K: Float64
    size: tuple[int, int]
    R_cam_world: Float64 = field(default_factory=lambda: np.eye(3))
    t_cam_world: Float64 = field(default_factory=lambda: np.zeros(3))
    distortion: Float64 = field(default_factory=lambda: np.zeros(0))
    lens: str = "perspective"

    def __post_init__(self) -> None:
        for name in ("K", "R_cam_world", "t_cam_world", "distortion"):
            value = getattr(self, name)
            if isinstance(value, list | tuple):
                try:
                    object.__setattr__(self, name, np.asarray(value, np.float64))
                except (TypeError, ValueError) as error:
                    raise InputError(
                        f"camera: expected {name} as an array of numbers, got {value!r}: {error}"
                    ) from None


@dataclass(frozen=True)
class Frame:
    """One decoded picture of a source.

    Attributes:
        index: number of the picture in its source, from 0.
        time: seconds since the first picture, from the stream's own time stamps.
        image: (H, W, 3) uint8 RGB, upright.
    """

    index: int
    time: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class Keypoints:
    """Detected points of a named joint set; the leading dimensions are free.

    Attributes:
        joint_set: a name in :data:`marrow.conventions.JOINT_SETS`.
        xy: (..., J, 2) float32 pixels of the whole image; NaN where absent.
        confidence: (..., J) float32 in [0, 1]; 0 where absent.
        world: (..., J, 3) float32 metres, or None: the detector's own weak 3-D guess, root-centred, in camera axes
            (x right, y down, z forward). Its directions are worth more than its lengths.
    """

    joint_set: str
    xy: Float32
    confidence: Float32
    world: Float32 | None = None


@dataclass(frozen=True)
class Masks:
    """Small masks of one person in some frames of a track, with the way back to the image.

    Attributes:
        rows: (M,) increasing rows of the track's arrays that have a mask.
        values: (M, h, w) uint8, 255 = person.
        image_from_mask: (M, 2, 3) float32; ``xy_image = A @ (x_mask, y_mask, 1)`` in pixel centres.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.uint8]
    image_from_mask: Float32


@dataclass(frozen=True)
class Track:
    """One person through a video.

    Attributes:
        id: 1 for the first person found, and so on.
        frames: (N,) increasing frame indices in which the person was found.
        keypoints: leading dimension N.
        box: (N, 4) float32 ``x0 y0 x1 y1`` in pixels.
        score: (N,) float32 presence in [0, 1].
        masks: masks of some of the N frames, or None.
    """

    id: int
    frames: NDArray[np.int64]
    keypoints: Keypoints
    box: Float32
    score: Float32
    masks: Masks | None = None


#: Values of :attr:`Motion.mark`.
OBSERVED, WEAK, PRIOR = 0, 1, 2


@dataclass(frozen=True)
class Alternatives:
    """H other readings of what was seen, likeliest first: one camera cannot tell them from the result, or hardly.

    Attributes:
        q: (H, T, D) coordinates, as in :class:`Motion`.
        translation: (H, T, 3) metres, as in :class:`Motion`.
        weight: (H, T) how likely each is in each frame, by the evidence around that frame; those of a frame and the
            result's own sum to one. Not calibrated.
        log_odds: (H,) logarithm of how much less likely each is than the result over all frames, as if their errors
            were independent: a rank.
        spread: (T, B) metres: how far the readings lie apart at each segment's origin, seen from the pelvis; the root
            mean square distance from their mean, by weight.
    """

    q: Float64
    translation: Float64
    weight: Float64
    log_odds: Float64
    spread: Float64

    def __len__(self) -> int:
        return len(self.q)

    def rows(self, frames: NDArray[np.int64]) -> Alternatives:
        """The alternatives in some of their frames."""
        return Alternatives(
            self.q[:, frames], self.translation[:, frames], self.weight[:, frames], self.log_odds, self.spread[frames]
        )


@dataclass(frozen=True)
class Motion:
    """A person's movement as coordinates of the biomechanical skeleton.

    Attributes:
        time: (T,) seconds.
        coordinates: the D coordinate names, in the skeleton's order.
        q: (T, D) radians and metres; ``pelvis_tx/ty/tz`` in OpenSim's ground (X forward, Y up, Z right).
        translation: (T, 3) metres: the same pelvis origin in marrow's world (Y up, +Z ahead).
        shape: the body's identity: parameter name to value (see the body's ``spec``).
        q_sd: (T, D) standard deviation of ``q``, or None where it was not estimated.
        mark: (T, D) uint8 ``OBSERVED``, ``WEAK`` or ``PRIOR``: how much the evidence, and not the prior, decided.
        derived_sd: (T, 9) radians: standard deviation of the angles of ``skeleton.DERIVED``, or None.
        derived_mark: (T, 9) uint8: their marks, or None.
        observed: (T,) bool: frames with evidence.
        joints_sd: (T, B) metres: standard deviation of each segment origin (root mean square over axes), or None.
        contact: (T, 2) probability that the right and the left foot bear on the floor, or None.
        alternatives: other readings of what was seen, or None where none were looked for or found.
    """

    time: Float64
    coordinates: tuple[str, ...]
    q: Float64
    translation: Float64
    shape: Mapping[str, float]
    q_sd: Float64 | None = None
    mark: NDArray[np.uint8] | None = None
    derived_sd: Float64 | None = None
    derived_mark: NDArray[np.uint8] | None = None
    observed: NDArray[np.bool_] | None = None
    joints_sd: Float64 | None = None
    contact: Float64 | None = None
    alternatives: Alternatives | None = None


#: Fields of :class:`Motion` with a row for each frame.
BY_FRAME = (
    "time", "q", "translation", "q_sd", "mark", "derived_sd", "derived_mark", "observed", "joints_sd", "contact",
)  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """A first guess of a movement, from which a fit starts.

    Attributes:
        R_joint: (T, B, 3, 3) rotation of each segment against its parent; the root's: from its segment to the world.
        root_p: (T, 3) metres: the pelvis origin in marrow's world.
        score: (T,) how far the guess is from what was seen, lower is better; comparable between guesses of one person.
        shape: shape parameters that go with it; empty for the average body.
    """

    R_joint: Float64
    root_p: Float64
    score: Float64
    shape: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh with the joints that pose it; the leading dimensions are free.

    Attributes:
        vertices: (..., V, 3) float32 metres.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        joints: (..., J, 3) float32 metres, or None.
        joint_names: J names, or empty.
    """

    vertices: Float32
    faces: NDArray[np.int32]
    joints: Float32 | None = None
    joint_names: tuple[str, ...] = ()
