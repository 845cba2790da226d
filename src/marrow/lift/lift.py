"""The first guess: rotations from a lifter's joints, a detector's landmarks or by recognition; then the place."""

from __future__ import annotations

import weakref

import numpy as np

from marrow.body.default import DefaultBody
from marrow.conventions import SWAP
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.geometry.projection import require_perspective, to_normalised
from marrow.lift import retrieval
from marrow.lift.directions import rotations_from_points
from marrow.lift.places import Places, places
from marrow.lift.rays import on_rays
from marrow.lift.root import solve_root
from marrow.skeleton import Skeleton
from marrow.types import Camera, Float32, Float64, Guess, Keypoints

#: The joint set of lifters.
LIFTED = "h36m17"

#: Score of a frame that was not seen: as bad as an error of the person's whole size.
UNSEEN = 1.0

#: Fewest keypoints from which a pose is read or recognised.
_FEWEST = 6

#: Poses are recognised in frames this far apart, seconds; those between are interpolated.
_INTERVAL = 0.1

#: A recognised pose goes before the landmarks' own if its reprojection error is smaller by this factor.
_DOUBT = 3.0


def lift(
    keypoints: Keypoints,
    time: Float64,
    camera: Camera,
    body: DefaultBody,
    skeleton: Skeleton,
    *,
    lifted: Float32 | None = None,
    hypotheses: int = 1,
) -> list[Guess]:
    """First guesses of one person's movement, best first.

    With a lifter's joints, one guess from their directions comes first, in the place of the last of the others. With
    world landmarks: rotations from their directions; then the most similar views of known poses, smoothest through
    time; then the landmarks with left and right exchanged, for a detector that mixed up front and back. Without: known
    poses only, each further guess facing elsewhere. The place comes from the picture, with the average body. Frames
    without evidence are interpolated.

    Args:
        keypoints: leading dimension T.
        time: (T,) seconds, increasing.
        camera: its extrinsics place the guess in the world.
        skeleton: ``Skeleton.inside(body.rest().landmarks)``.
        lifted: (T, 17, 3) the joints ``h36m17`` as a lifter says, in the camera's axes, from anywhere; NaN in frames
            without.
        hypotheses: at most so many guesses.

    Returns:
        at least one Guess; ``score`` is the mean reprojection error as a share of the person's size in the picture.

    Raises:
        InputError: shapes that do not fit, or no frame with enough keypoints.
    """
    require_perspective(camera, "lift")
    xy = np.asarray(keypoints.xy, float)
    weight = np.where(np.isfinite(xy).all(-1), np.nan_to_num(np.asarray(keypoints.confidence, float)), 0.0)
    time = np.asarray(time, float)
    if xy.ndim != 3 or len(xy) != len(time) or hypotheses < 1:
        raise InputError(f"lift: expected keypoints (T, J, 2) for T = {len(time)} times, got {xy.shape}")
    where = places(keypoints.joint_set, body, skeleton)
    enough = (weight > 0).sum(-1) >= _FEWEST
    world = None
    if keypoints.world is not None and np.isfinite(keypoints.world).any():
        world = np.where(enough[:, None, None], np.asarray(keypoints.world, float), np.nan) @ camera.R_cam_world

    def read(points: Float64, of: Places = where) -> list[Guess]:
        R_joint = rotations_from_points(points, skeleton, of)
        if not np.isfinite(R_joint).all((-1, -2, -3)).any():
            return []
        return [_placed(R_joint, xy, weight, time, camera, skeleton, where)]

    first: list[Guess] = []
    if lifted is not None:
        joints = np.where(enough[:, None, None], np.asarray(lifted, float), np.nan) @ camera.R_cam_world
        first = read(joints, places(LIFTED, body, skeleton))
        hypotheses -= len(first)
    if first and not hypotheses:
        return first
    found = [] if world is None else read(world)
    if len(found) < hypotheses:
        more = hypotheses - len(found)
        known = _recognised(xy, weight, time, camera, skeleton, where, 1 if found else more)
        # A known pose in the right view reprojects well even where its depth is wrong: it has to be clearly better.
        better = bool(found and known) and np.mean(known[0].score) * _DOUBT < np.mean(found[0].score)
        found = known + found if better else found + known
    if world is not None and len(found) < hypotheses:
        found += read(world[:, SWAP[keypoints.joint_set]])
    if not first and not found:
        raise InputError(f"lift: no frame shows {_FEWEST} keypoints of {keypoints.joint_set}; nothing to start from")
    return first + found


def _recognised(
    xy: Float64, weight: Float64, time: Float64, camera: Camera, skeleton: Skeleton, where: Places, count: int
) -> list[Guess]:
    """Guesses from known poses; empty if no frame shows enough."""
    views = _views(skeleton, where)
    seen = np.flatnonzero((weight[:, views.keypoints] > 0).sum(-1) >= _FEWEST)
    if not len(seen):
        return []
    seen = _thinned(seen, time)
    u = to_normalised(camera, np.nan_to_num(xy))
    w = weight[seen][:, views.keypoints]
    R_ray = _ray_frames(u[seen], weight[seen])
    picture = u[seen][:, views.keypoints]
    # seen along the ray to the person, which is how the views were made
    straight = np.einsum("tji,tkj->tki", R_ray, np.concatenate([picture, np.ones((*picture.shape[:-1], 1))], -1))
    index, distance = retrieval.candidates(views, straight[..., :2] / straight[..., 2:], w)
    out: list[Guess] = []
    path = None
    for _ in range(count):
        path = retrieval.smoothest(views, index, distance, time[seen], avoid=path)
        R_joint = np.full((len(time), len(skeleton.bodies), 3, 3), np.nan)
        R_joint[seen] = views.R_joint[views.pose[path]]
        R_world = camera.R_cam_world.T @ R_ray @ views.R_view[path]
        R_joint[seen, 0] = R_world @ R_joint[seen, 0]
        guess = _placed(_calmed(R_joint, time), xy, weight, time, camera, skeleton, where)
        out.append(_sharpened(guess, xy, weight, time, camera, skeleton, where))
    return out


def _sharpened(
    guess: Guess, xy: Float64, weight: Float64, time: Float64, camera: Camera, skeleton: Skeleton, where: Places
) -> Guess:
    """The guess with its limbs on the rays of the picture."""
    R, p = skeleton.compose(guess.R_joint, guess.root_p)
    x_cam = where.posed(R, p) @ camera.R_cam_world.T + camera.t_cam_world
    x_cam = on_rays(x_cam, xy, weight, camera, where)
    R_joint = rotations_from_points(x_cam @ camera.R_cam_world, skeleton, where)
    R_joint[(weight > 0).sum(-1) < _FEWEST] = np.nan
    if not np.isfinite(R_joint).all((-1, -2, -3)).any():
        return guess
    return _placed(R_joint, xy, weight, time, camera, skeleton, where)


def _placed(
    R_joint: Float64, xy: Float64, weight: Float64, time: Float64, camera: Camera, skeleton: Skeleton, where: Places
) -> Guess:
    """A guess from joint rotations (T, B, 3, 3), NaN in frames without any: solved place, gaps filled."""
    known = np.asarray(np.isfinite(R_joint).all((-1, -2, -3)))
    R_joint = _filled_rotations(R_joint, known, time)
    R, p = skeleton.compose(R_joint, np.zeros(3))
    relative = where.posed(R, p) @ camera.R_cam_world.T
    root_cam, error = solve_root(camera, xy, weight, relative)
    placed = np.isfinite(root_cam).all(-1)
    if placed.any():
        root_cam[placed] *= _steady(root_cam[placed, 2], time[placed])[:, None]
        root_cam = np.stack([np.interp(time, time[placed], root_cam[placed, i]) for i in range(3)], -1)
    else:
        root_cam = np.tile([0.0, 0.0, 4.0], (len(time), 1))  # nothing said where: somewhere in front of the camera
    root = (root_cam - camera.t_cam_world) @ camera.R_cam_world
    return Guess(R_joint, root, np.where(placed, error, UNSEEN))


def _filled_rotations(R_joint: Float64, known: np.ndarray, time: Float64) -> Float64:
    """Frames that are not known, turned evenly from the last known to the next; the ends are held."""
    at = np.flatnonzero(known)
    if not len(at):
        raise InputError("lift: no frame shows both hips and both shoulders; nothing to start from")
    if len(at) == len(known):
        return R_joint
    gaps = np.flatnonzero(~known)
    after = np.clip(np.searchsorted(at, gaps), 0, len(at) - 1)
    before = np.clip(np.searchsorted(at, gaps) - 1, 0, len(at) - 1)
    span = time[at[after]] - time[at[before]]
    share = np.where(span > 0, (time[gaps] - time[at[before]]) / np.where(span > 0, span, 1.0), 0.0)
    out = R_joint.copy()
    out[gaps] = rotations.slerp(R_joint[at[before]], R_joint[at[after]], np.clip(share, 0, 1)[:, None])
    return out


def _steady(depth: Float64, time: Float64, reach: float = 0.17) -> Float64:
    """Factors (T,) that bring depths to their running median over ``reach`` seconds to both sides.

    The depth of a single frame comes from the size of the picture alone and jumps with every noisy bone.
    """
    log = np.log(depth)
    first, last = np.searchsorted(time, time - reach), np.searchsorted(time, time + reach, side="right")
    # the window is cut evenly at both ends of the video, or the median would lag a person who comes nearer
    half = np.minimum(np.arange(len(time)) - first, last - 1 - np.arange(len(time)))
    return np.exp([np.median(log[t - h : t + h + 1]) - log[t] for t, h in enumerate(half)])


def _thinned(frames: np.ndarray, time: Float64) -> np.ndarray:
    """Of these frames, those at least :data:`_INTERVAL` apart."""
    slot = np.floor((time[frames] - time[frames[0]]) / _INTERVAL + 1e-6)
    return frames[np.concatenate([[True], np.diff(slot) > 0])]


def _calmed(R_joint: Float64, time: Float64, width: float = 0.06) -> Float64:
    """Rotations averaged over time with a Gaussian of ``width`` seconds, which rounds the steps between known poses."""
    known = np.flatnonzero(np.isfinite(R_joint).all((-1, -2, -3)))
    near = np.exp(-0.5 * ((time[known, None] - time[known]) / width) ** 2)
    near[near < 1e-3] = 0.0
    out = R_joint.copy()
    flat = R_joint[known].reshape(len(known), -1)
    mean = ((near / near.sum(1, keepdims=True)) @ flat).reshape(R_joint[known].shape)
    out[known] = rotations.nearest_rotation(mean)
    return out


def _ray_frames(u: Float64, weight: Float64) -> Float64:
    """(T, 3, 3) from a camera that looks straight at the person to the real one: the least rotation between the two."""
    share = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-9)
    centre = (share[..., None] * u).sum(-2)
    ray = np.concatenate([centre, np.ones((len(centre), 1))], -1)
    return rotations.rotation_between(np.array([0.0, 0.0, 1.0]), ray)


_VIEWS: weakref.WeakKeyDictionary[Skeleton, dict[tuple[str, ...], retrieval.Views]] = weakref.WeakKeyDictionary()


def _views(skeleton: Skeleton, where: Places) -> retrieval.Views:
    """Views are made once per skeleton and joint set (a second or so)."""
    own = _VIEWS.setdefault(skeleton, {})
    if where.names not in own:
        own[where.names] = retrieval.views(skeleton, where)
    return own[where.names]


__all__ = ["UNSEEN", "lift"]
