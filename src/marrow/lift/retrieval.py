"""A 3-D pose for a 2-D one by recognition: the most similar view of a known pose, then the smoothest way through time.

After Jiang 2010 (ICPR, "3D human pose reconstruction using millions of exemplars") and Chen and Ramanan 2017 (CVPR, "3D
human pose estimation = 2D pose estimation + matching"), with several candidates a frame and a Viterbi pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marrow.geometry import rotations
from marrow.lift import library
from marrow.lift.places import Places
from marrow.skeleton import Skeleton
from marrow.types import Float32, Float64

YAWS, PITCHES_DEG = 16, (-8.0, 8.0, 24.0)
#: Candidates kept for each yaw: so the front and the back of an ambiguous picture both stay in the race.
_PER_YAW = 2
#: Poses taken from the motion pack.
POSES = 600

#: Standard deviation of the shape distance between a picture and its best view, and of joint speed, metres/second.
_SHAPE_SD, _SPEED_SD = 0.03, 1.2


@dataclass(frozen=True)
class Views:
    """V views of poses, root-centred, in a camera that looks straight at the person.

    Attributes:
        R_joint: (P, B, 3, 3) joint rotations of the poses; the root's against a person-centred frame.
        pose: (V,) pose of each view.
        R_view: (V, 3, 3) from the person-centred frame to the camera (x right, y down, z forward).
        yaw: (V,) index of the yaw, ``YAWS`` of them.
        keypoints: indices of the joint set's keypoints that are compared.
        xy: (V, 2 K) projected points, x and y of each, metres.
        x: (V, K, 3) the same points with depth.
    """

    R_joint: Float64
    pose: NDArray[np.int64]
    R_view: Float64
    yaw: NDArray[np.int64]
    keypoints: NDArray[np.int64]
    xy: Float32
    x: Float32


def views(skeleton: Skeleton, places: Places) -> Views:
    """All views of the library's poses on a skeleton."""
    q = library.poses(skeleton, POSES)
    R, p = skeleton.forward(q)
    face = np.array([any(part in name for part in ("mouth", "inner", "outer")) for name in places.names])
    keypoints = np.flatnonzero((places.body >= 0) & ~face)
    x = places.posed(R, p)[:, keypoints]
    x -= p[:, :1]
    turn = 2 * np.pi * np.arange(YAWS) / YAWS
    tilt = np.radians(PITCHES_DEG)
    # the person's world to a level camera in front, which is faced at yaw 0
    facing = np.diag([1.0, -1.0, -1.0])
    R_view = np.stack([rotations.rotation_x(t) @ facing @ rotations.rotation_y(a) for a in turn for t in tilt])
    seen = np.einsum("vij,pkj->pvki", R_view, x).astype(np.float32)
    count = len(R_view)
    seen = seen.reshape(-1, *seen.shape[2:])
    return Views(
        skeleton.joint_rotations(q),
        np.repeat(np.arange(len(q)), count),
        R_view[np.tile(np.arange(count), len(q))],
        np.tile(np.repeat(np.arange(YAWS), len(tilt)), len(q)),
        keypoints,
        seen[..., :2].reshape(len(seen), -1),
        seen,
    )


def candidates(views: Views, xy: Float64, weight: Float64, *, chunk: int = 16) -> tuple[NDArray[np.int64], Float64]:
    """The best views of every frame.

    The distance is the share of the picture's weighted spread that the best shift and scale of a view leave over.

    Args:
        xy: (T, K, 2) picture of the compared keypoints, any scale; weight (T, K), 0 where absent.

    Returns:
        indices (T, C) of views and their distances (T, C) in [0, 1].
    """
    frames, best, cost = len(xy), [], []
    square = views.xy.reshape(len(views.xy), -1, 2)
    squared = (square**2).sum(-1)
    order = np.argsort(views.yaw, kind="stable")
    inverse = order.reshape(YAWS, -1)
    for start in range(0, frames, chunk):
        w = np.where(np.isfinite(xy[start : start + chunk]).all(-1), weight[start : start + chunk], 0.0)
        w = (w / np.maximum(w.sum(-1, keepdims=True), 1e-9)).astype(np.float32)
        a = np.nan_to_num(xy[start : start + chunk]).astype(np.float32)
        a = (a - (w[..., None] * a).sum(-2, keepdims=True)) * np.ones(1, np.float32)
        spread = (w * (a**2).sum(-1)).sum(-1)
        a /= np.sqrt(np.maximum(spread, 1e-12))[:, None, None]
        product = views.xy @ (w[..., None] * a).reshape(len(a), -1).T
        mean_x, mean_y = square[..., 0] @ w.T, square[..., 1] @ w.T
        own = squared @ w.T - mean_x**2 - mean_y**2
        explained = np.maximum(product, 0.0) ** 2 / np.maximum(own, 1e-6)
        by_yaw = explained.T[:, inverse]
        top = np.argpartition(-by_yaw, _PER_YAW, axis=-1)[..., :_PER_YAW]
        index = np.take_along_axis(np.broadcast_to(inverse, by_yaw.shape), top, -1).reshape(len(a), -1)
        best.append(index)
        cost.append(1.0 - np.take_along_axis(explained.T, index, -1))
    return np.concatenate(best), np.clip(np.concatenate(cost), 0.0, 1.0).astype(float)


def smoothest(
    views: Views, index: NDArray[np.int64], distance: Float64, time: Float64, avoid: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """View of each frame (T,) on the path of least cost through the candidates (Viterbi).

    Args:
        index, distance: (T, C) from :func:`candidates`.
        time: (T,) seconds, increasing.
        avoid: (T,) views of another path; candidates that face within 60 degrees of it are avoided.
    """
    cost = distance / (2 * _SHAPE_SD**2)
    if avoid is not None:
        apart = np.abs((views.yaw[index] - views.yaw[avoid][:, None] + YAWS // 2) % YAWS - YAWS // 2)
        cost = cost + 1e4 * (apart * (360 / YAWS) < 60)
    x = views.x[index].astype(float)
    x = x.reshape(*index.shape, -1)
    joints = x.shape[-1] / 3
    back = np.zeros(index.shape, np.int64)
    total = cost[0]
    for t in range(1, len(index)):
        step = max(time[t] - time[t - 1], 1e-3)
        square = (x[t] ** 2).sum(-1)[:, None] + (x[t - 1] ** 2).sum(-1) - 2 * x[t] @ x[t - 1].T
        move = square / joints / (2 * (_SPEED_SD * step) ** 2)
        way = total[None] + move
        back[t] = way.argmin(1)
        total = way.min(1) + cost[t]
    path = [int(total.argmin())]
    for t in range(len(index) - 1, 0, -1):
        path.append(int(back[t, path[-1]]))
    return index[np.arange(len(index)), path[::-1]]
