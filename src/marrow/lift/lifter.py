"""A trained lifting network as a user calls it: pixels in, metres in the camera out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from marrow._threads import one_thread
from marrow.conventions import convert_joints, joint_names
from marrow.data.lifting import FPS, JOINTS
from marrow.errors import InputError
from marrow.geometry.projection import fov_deg, require_perspective, to_normalised
from marrow.lift.completion import completed
from marrow.lift.networks import Said
from marrow.lift.normalise import USUAL, Given, enough, from_network, normalised
from marrow.lift.root import solve_root
from marrow.lift.timing import at_rate
from marrow.types import Camera, Float32, Float64, Keypoints

#: Heights that a person can have, metres.
SHORTEST, TALLEST = 0.3, 2.8
#: Frame rates that films have, frames a second.
RATES = (1.0, 10_000.0)
#: Frames that are lifted at a time, so that memory stays bounded; and how many of the next chunk are seen beside them.
FRAMES_AT_ONCE, _BESIDE = 4096, 128
#: A higher confidence is none; some detectors give slightly more than 1.
_SUREST = 2.0
#: Keypoints that all lie nearer to the corner of the picture are no pixels.
_PIXELS = 8.0
#: Fields of view along the long side that a camera can have, degrees.
_FOV = (1.0, 175.0)
#: Most keypoints farther out of the picture than this share of its size are of another picture. People who are partly
#: outside of it are not meant.
_OUT = 0.5
#: Usual root mean square distance of joints to their middle across the line of sight, statures.
_SPREAD = 0.21


@dataclass(frozen=True)
class Lifted:
    """One person in 3-D, of the joint set ``h36m17``, in the camera (x right, y down, z ahead).

    Attributes:
        xyz: (T, 17, 3) float32 metres from the camera; NaN in frames with too few joints.
        relative: (T, 17, 3) float32 metres from the pelvis.
        sd: (T, 17) float32 metres: standard deviation of each of the three coordinates of ``relative``; NaN where the
            lifter cannot tell it.
        root: (T, 3) float32 metres: where the pelvis is, as the picture and ``relative`` give it; where those do not
            fit each other at all, by the size of the person in the picture.
        height: metres, as told, or what was assumed.
        height_known: whether it was told; otherwise all lengths share its error.
        alternatives: (H, T, 17, 3) float32 metres from the camera, hypotheses, likely ones first; H = 0 where the
            lifter gives one answer alone.
    """

    xyz: Float32
    relative: Float32
    sd: Float32
    root: Float32
    height: float
    height_known: bool
    alternatives: Float32


#: What networks are to a lifter: what they say of what is given.
Network = Callable[[Given], Said]


@dataclass(frozen=True)
class Lifter:
    """A lifter with a network inside.

    Attributes:
        name: of the lifter.
        network: in evaluation mode.
        calibration: standard deviation of a coordinate over the distance that the network expects; for normal errors,
            alike in all directions, sqrt(pi / 8).
        refine: what is said instead at test time, of (network, given); or None.
        rate: frames a second of the movements that it has learnt; None where it looks at single frames.
        completes: joints that are missing are told to the network where they usually are
            (:func:`marrow.lift.completion.completed`); otherwise as missing.
    """

    name: str
    network: Network
    calibration: float = math.sqrt(math.pi / 8)
    refine: Callable[[Network, Given], Said] | None = None
    rate: float | None = None
    completes: bool = True

    def __call__(
        self,
        keypoints: Keypoints | ArrayLike,
        joint_set: str | None = None,
        camera: Camera | None = None,
        height: float | None = None,
        fps: float = FPS,
    ) -> Lifted:
        """Lift one person's keypoints.

        Args:
            keypoints: (T, J, 2) or (T, J, 3) pixels with confidence, NaN or confidence 0 where missing; or
                :class:`marrow.Keypoints`. Frames of one person, one after the other.
            joint_set: what they are, such as ``"h36m17"``; not needed with :class:`marrow.Keypoints`.
            camera: that took the pictures; its ``K`` decides how pixels become angles.
            height: standing height in metres, if known.
            fps: frames a second; a lifter that has learnt movements at another :attr:`rate` is given frames between.

        Returns:
            NaN in frames with too few joints.

        Raises:
            InputError: wrong shapes, an unknown joint set, no camera, an impossible one or that of other pictures,
                metres given for pixels, a height that nobody has or an impossible rate.
        """
        xy, confidence = read_keypoints(keypoints, joint_set)
        check_rate(fps)
        camera, unit, known = _camera(camera, xy[confidence > 0]), _height(height), height is not None
        points = Keypoints(JOINTS, xy.astype(np.float32), confidence)
        if self.rate is None:
            return self._lifted(points, camera, unit, known)
        time = np.arange(len(xy)) / fps
        return at_rate(lambda even: self._lifted(even, camera, unit, known), points, time, self.rate)

    def _lifted(self, points: Keypoints, camera: Camera, unit: float, known: bool) -> Lifted:
        """Of keypoints (T, 17) at the lifter's rate; ``unit`` is the stature, known or not."""
        xy, confidence = np.asarray(points.xy, float), np.asarray(points.confidence)
        u = to_normalised(camera, np.where(confidence[..., None] > 0, xy, camera.K[:2, 2]))
        told = torch.full((1,), unit if known else math.nan)
        relative, sd = self.relative(torch.from_numpy(u).float(), torch.from_numpy(confidence), told)
        root, _ = solve_root(camera, xy, confidence.astype(float), relative.numpy().astype(float))
        x = relative.numpy()
        unplaced = np.isnan(root).any(-1) & np.isfinite(x).all((-1, -2))
        root[unplaced] = _by_size(u[unplaced], confidence[unplaced] > 0, unit)
        root = root.astype(np.float32)
        return Lifted(root[:, None] + x, x, sd.numpy(), root, unit, known, np.zeros((0, *x.shape), np.float32))

    def relative(
        self, xy: torch.Tensor, confidence: torch.Tensor, stature: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Joints from the pelvis (T, 17, 3) and standard deviations of each coordinate (T, 17), metres in the camera.

        Args:
            xy: (T, 17, 2) x/z and y/z in the camera.
            confidence: (T, 17), 0 where missing.
            stature: (1,) metres, NaN where unknown.
        """
        where, sd = [], []
        open_ = torch.zeros_like(confidence)
        if self.completes:
            xy, confidence, open_ = completed(xy, confidence)
        with torch.no_grad(), one_thread():
            for start in range(0, len(xy), FRAMES_AT_ONCE):
                first, end = max(start - _BESIDE, 0), min(start + FRAMES_AT_ONCE, len(xy))
                part = slice(first, min(end + _BESIDE, len(xy)))
                given = normalised(xy[None, part], confidence[None, part], stature)
                said = self.network(given) if self.refine is None else self.refine(self.network, given)
                kept = slice(start - first, end - first)
                seen = torch.where(enough(given.confidence), 1.0, math.nan)[0, kept, None]
                where.append(from_network(given, said.mean)[0, kept] * seen[..., None])
                known = said.log_error[0, kept].exp() * self.calibration
                own = (known.square() + open_[start : start + len(known)]).sqrt() * given.stature * seen
                own[:, 0] = 0.0 * seen[:, 0]  # the root is where it is, and networks learn nothing of its error
                sd.append(own)
        return torch.cat(where), torch.cat(sd)


def _by_size(u: Float64, seen: NDArray[np.bool_], stature: float) -> Float64:
    """(T, 3) metres: the middle of the joints seen at (T, J, 2), x/z and y/z, as far away as their spread says."""
    count = np.maximum(seen.sum(-1), 1)[:, None]
    middle = np.where(seen[..., None], u, 0.0).sum(-2) / count
    away = np.where(seen, np.linalg.norm(u - middle[:, None], axis=-1), 0.0)
    spread = np.sqrt((away**2).sum(-1, keepdims=True) / count)
    depth = _SPREAD * stature / np.maximum(spread, 1e-6)
    return depth * np.concatenate([middle, np.ones_like(depth)], -1)


def read_keypoints(keypoints: Keypoints | ArrayLike, joint_set: str | None) -> tuple[Float64, Float32]:
    """Pixels (T, 17, 2) and confidence (T, 17), 0 where missing, of the joint set ``h36m17``.

    Raises:
        InputError: wrong shapes, an unknown joint set, metres or three coordinates given for pixels.
    """
    if not isinstance(keypoints, Keypoints):
        try:
            points = np.asarray(keypoints, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"keypoints: expected an array of numbers (T, J, 2), got something else: {error}"
            ) from None
        keypoints = _as_keypoints(points, joint_set)
    elif joint_set is not None and joint_set != keypoints.joint_set:
        raise InputError(f"joint_set: these keypoints are {keypoints.joint_set!r}, not {joint_set!r}; leave it out")
    if keypoints.joint_set != JOINTS:
        keypoints = convert_joints(keypoints, keypoints.joint_set, JOINTS)
    xy = np.asarray(keypoints.xy, float)
    seen = np.isfinite(xy).all(-1) & (np.nan_to_num(keypoints.confidence) > 0)
    if xy.ndim != 3 or not len(xy):
        raise InputError(f"keypoints: expected (T, J, 2) of T >= 1 frames of one person, got {xy.shape}")
    extent = np.where(seen[..., None], np.abs(xy), 0.0).max(initial=0.0)
    if seen.any() and extent < _PIXELS:
        raise InputError(
            f"keypoints: expected pixels of the whole picture, got numbers up to {extent:.3g}; multiply shares of the "
            "picture by its width and height, and do not give metres"
        )
    return xy, np.where(seen, np.clip(np.nan_to_num(keypoints.confidence), 0.0, 1.0), 0.0).astype(np.float32)


def _as_keypoints(points: Float32, joint_set: str | None) -> Keypoints:
    if joint_set is None:
        raise InputError('joint_set: tell what the keypoints are, such as joint_set="h36m17" or "coco17"')
    count = len(joint_names(joint_set))
    if points.ndim != 3 or points.shape[1] != count or points.shape[2] not in (2, 3):
        raise InputError(
            f"keypoints: expected (T, {count}, 2) or (T, {count}, 3) for {joint_set}, got {points.shape}; one picture "
            "is keypoints[None]"
        )
    xy, finite = points[..., :2], np.isfinite(points).all(-1)
    confidence = points[..., 2] if points.shape[2] == 3 else np.ones(finite.shape, np.float32)
    highest = confidence[finite].max(initial=0.0)
    if highest > _SUREST:
        raise InputError(
            f"keypoints: expected confidence from 0 to 1 as the third number, got {highest:.3g}; per cent have to be "
            "divided by 100, and of points in space only their pixels are wanted"
        )
    return Keypoints(joint_set, xy, np.where(finite, confidence, 0.0).astype(np.float32))


def _camera(camera: Camera | None, xy: Float64) -> Camera:
    """The camera, if pixels (N, 2) can be of its pictures."""
    if camera is None:
        raise InputError(
            "camera: pixels alone do not say how large anything is; give the camera, such as "
            "camera=marrow.camera_from_fov((1920, 1080), 60)"
        )
    if not isinstance(camera, Camera):
        raise InputError(
            f"camera: expected a marrow.Camera, got {type(camera).__name__}; write marrow.Camera(K, (width, height))"
        )
    require_perspective(camera, "a lifter")
    if np.shape(camera.K) != (3, 3):
        raise InputError(f"camera: expected K of the shape (3, 3), pixels, got {np.shape(camera.K)}")
    if min(camera.size) < 1:  # some data sets do not tell it
        return camera
    width, height = camera.size
    # K of another order of magnitude makes every person tiny or huge, and nothing else would tell
    fov = round(fov_deg(camera), 6)  # the ends are allowed, whatever the arithmetic makes of them
    if not _FOV[0] <= fov <= _FOV[1]:
        raise InputError(
            f"camera: its field of view along the long side is {fov:.3g} degrees, expected {_FOV[0]:g} to {_FOV[1]:g}; "
            f"K has to be in pixels of the {width}×{height} picture, and marrow.camera_from_fov takes degrees"
        )
    size = np.array(camera.size)
    out = ((xy < -_OUT * size) | (xy > (1 + _OUT) * size)).any(-1)
    if len(xy) and out.mean() > 0.5:
        low, high = np.percentile(xy, (5, 95), axis=0)
        raise InputError(
            f"camera: {100 * out.mean():.0f} % of the keypoints lie far outside of its picture of {width}×{height} "
            f"pixels (they reach from {low[0]:.0f}, {low[1]:.0f} to {high[0]:.0f}, {high[1]:.0f}); give the camera of "
            "these pictures, such as marrow.camera_from_fov((WIDTH, HEIGHT), 60)"
        )
    return camera


def check_rate(fps: float) -> None:
    """Raises InputError for what is no frame rate of a film."""
    slowest, fastest = RATES
    number = isinstance(fps, (int, float, np.number)) and not isinstance(fps, bool)
    if not (number and slowest <= fps <= fastest):
        raise InputError(f"fps: expected frames a second from {slowest:g} to {fastest:g}, such as 59.94, got {fps!r}")


def _height(height: float | None) -> float:
    if height is None:
        return USUAL
    if not isinstance(height, (int, float, np.number)):
        raise InputError(f"height: expected one number, metres, got {height!r}")
    if not SHORTEST <= height <= TALLEST:
        hint = f"; did you mean {height / 100:.2f}?" if SHORTEST <= height / 100 <= TALLEST else ""
        raise InputError(f"height: expected metres between {SHORTEST} and {TALLEST}, got {height:g}{hint}")
    return float(height)
