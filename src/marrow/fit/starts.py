"""States that a fit may start from: guesses, 3-D points, or nothing but keypoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.fit import _fast_kinematics as fast
from marrow.fit.problem import Prepared
from marrow.fit.state import State
from marrow.geometry import procrustes, rotations, triangulation
from marrow.geometry.projection import unproject
from marrow.skeleton import BASE, binding
from marrow.skeleton import tree as trees
from marrow.types import Camera, Float64, Guess

_STAND_OFF = 4.0  # metres: distance of a person whose size in the picture cannot be judged
_CORE = ("pelvis", "torso", "scapula_r", "scapula_l", "femur_r", "femur_l", "humerus_r", "humerus_l")


def starts(prepared: Prepared) -> list[State]:
    """Candidate starts of one person, best first."""
    evidence = prepared.evidence
    if evidence.initial is not None:
        guesses: Sequence[Guess] = [evidence.initial] if isinstance(evidence.initial, Guess) else evidence.initial
        return [from_guess(prepared, guess) for guess in guesses]
    xyz = _known_points(prepared)
    if xyz is not None:
        return [_from_points(prepared, xyz)]
    return _facing(prepared)


def from_guess(prepared: Prepared, guess: Guess) -> State:
    """State of a guess of the whole skeleton."""
    structure, model = trees.whole(), prepared.model
    R = np.asarray(guess.R_joint, float)[:, model.bodies]
    state = _relaxed(prepared, len(R))
    ball, angle = state.ball.copy(), state.angle.copy()
    fitted = np.flatnonzero(model.carried.any(0))
    for i, b in enumerate(model.bodies):
        columns = np.flatnonzero(model.tree.angle_body == i)
        if structure.kind[b] != trees.HINGE:
            ball[:, i] = R[:, i]
        elif np.isin(columns, fitted).all():
            angle[:, columns] = binding.joint_coordinates(structure, int(b), R[:, i])
    shape = np.array([guess.shape.get(n, m) for n, m in zip(prepared.riders.names, state.shape, strict=True)])
    return State(rotations.nearest_rotation(ball), model.following(angle), np.array(guess.root_p, float), shape)


def _relaxed(prepared: Prepared, frames: int) -> State:
    """Standing at ease at the origin, facing +Z, in every frame."""
    model = prepared.model
    ball = np.tile(np.eye(3), (frames, len(model.bodies), 1, 1))
    ball[:, 0] = BASE
    angle = np.tile(model.relaxed[model.hinges], (frames, 1))
    return State(ball, angle, np.zeros((frames, 3)), prepared.riders.start.copy())


def relaxed_points(prepared: Prepared) -> Float64:
    """(K, 3) points of the relaxed pose at the origin."""
    model, state = prepared.model, _relaxed(prepared, 1)
    offsets, length, local, _ = model.templates(state.shape[None])
    offsets, length = (np.ascontiguousarray(a[0, model.bodies]) for a in (offsets, length))
    R, p = fast.pose_all(model.tree, offsets, length, state.ball, state.angle, state.root)
    X, arm = np.empty((len(model.points.start) - 1, 3)), np.empty((len(model.points.body), 3))
    fast.place_points(model.points, np.ascontiguousarray(local[0]), R[0], p[0], X, arm)
    return X


def _known_points(prepared: Prepared) -> tuple[Float64, NDArray[np.int64]] | None:
    """3-D points (T, N, 3), NaN where absent, and their numbers (N,): measured, or triangulated from several views."""
    places, views = prepared.problem.observed.places, prepared.evidence.views
    if places is not None:
        return np.where(places.precision[..., None] > 0, places.xyz, np.nan), places.point
    pixels = prepared.problem.observed.pixels
    if pixels is None or len(views) < 2 or len({v.joint_set for v in views}) > 1:
        return None
    xy = np.stack([np.asarray(v.xy, float) for v in views])
    weight = np.stack([np.nan_to_num(np.asarray(v.confidence, float)) for v in views])
    weight = np.where(np.isfinite(xy).all(-1) & (weight > 0.1), weight, 0.0)
    xyz = triangulation.triangulate([v.camera for v in views], np.nan_to_num(xy), weight)
    xyz = np.where(((weight > 0).sum(0) >= 2)[..., None], xyz, np.nan)
    keypoints = prepared.keypoints[prepared.keypoints >= 0]
    return xyz[:, keypoints], pixels.point[prepared.keypoints >= 0]


def _from_points(prepared: Prepared, known: tuple[Float64, NDArray[np.int64]]) -> State:
    """Place the relaxed body on the points by its trunk; frames with too few points take their neighbours'."""
    xyz, number = known
    model, T = prepared.model, len(xyz)
    rest = relaxed_points(prepared)[number]
    core = [trees.whole().bodies.index(n) for n in _CORE]
    body = model.bodies[model.points.body[model.points.start[number]]]
    weight = np.where(np.isin(body, core), 1.0, 0.02)
    turn, root = np.tile(np.eye(3), (T, 1, 1)), np.full((T, 3), np.nan)
    for t in range(T):
        good = np.isfinite(xyz[t]).all(-1)
        if good.sum() >= 3:
            _, turn[t], root[t] = procrustes.align(rest[good], xyz[t, good], weight[good], scale=False)
    state = _relaxed(prepared, T)
    ball = state.ball.copy()
    ball[:, 0] = _held(turn, root) @ BASE
    return State(ball, state.angle, _filled(root), state.shape)


def _held(turn: Float64, root: Float64) -> Float64:
    """Rotations of frames without a root copied from the nearest frame that has one."""
    known = np.flatnonzero(np.isfinite(root).all(-1))
    if len(known) == 0:
        return turn
    nearest = known[np.abs(np.arange(len(turn))[:, None] - known).argmin(1)]
    return turn[nearest]


def _filled(root: Float64) -> Float64:
    """Positions (T, 3) interpolated over frames without one."""
    frames, known = np.arange(len(root)), np.isfinite(root).all(-1)
    if not known.any():
        return np.zeros_like(root)
    return np.stack([np.interp(frames, frames[known], root[known, k]) for k in range(3)], -1)


def _facing(prepared: Prepared) -> list[State]:
    """Standing where the keypoints are, turned towards the camera, away, and to both sides."""
    view = prepared.evidence.views[0]
    T = len(view.xy)
    root = _filled(_depths(prepared, view.camera))
    base = _relaxed(prepared, T)
    out = []
    for yaw in (0.0, np.pi, np.pi / 2, -np.pi / 2):
        ball = base.ball.copy()
        ball[:, 0] = _towards(view.camera) @ rotations.rotation_y(yaw) @ BASE
        out.append(State(ball, base.angle, root, base.shape))
    return out


def _towards(camera: Camera) -> Float64:
    """Rotation about the vertical that turns +Z towards the camera."""
    back = -camera.R_cam_world[2]
    return rotations.rotation_y(np.arctan2(back[0], back[2]))


def _depths(prepared: Prepared, camera: Camera) -> Float64:
    """(T, 3) pelvis positions from the size and the middle of the keypoints; NaN where too few."""
    pixels = prepared.problem.observed.pixels
    if pixels is None:
        return np.zeros((1, 3))
    first = pixels.camera == 0
    rest = relaxed_points(prepared)[pixels.point[first]]
    T = len(pixels.xy)
    root = np.full((T, 3), np.nan)
    for t in range(T):
        good = pixels.weight[t, first] > 0
        if good.sum() < 4:
            continue
        pixel, model = pixels.xy[t, first][good], rest[good]
        spread = max(float(np.linalg.norm(pixel.std(0))), 1e-3)
        depth = camera.K[1, 1] * float(np.linalg.norm(model.std(0)[:2])) / spread
        middle = unproject(camera, pixel.mean(0), min(max(depth, 0.5), 50.0))
        root[t] = middle - model.mean(0)
    if not np.isfinite(root).any():
        root[0] = unproject(camera, camera.K[:2, 2], _STAND_OFF)
    return root


__all__ = ["from_guess", "relaxed_points", "starts"]
