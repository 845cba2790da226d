"""Errors of 3-D joint positions: MPJPE and its relatives.

Definitions follow Ionescu et al., Human3.6M (PAMI 2014) for MPJPE, Rhodin et al. (CVPR 2018) for N-MPJPE and the usual
similarity alignment for PA-MPJPE. All take predictions and truth of shape (..., J, 3) in metres and return metres of
shape (...); a report that says "mm" multiplies. A joint that is NaN in either array gives NaN unless ``valid`` leaves
it out: nothing is skipped silently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.conventions import JOINT_SETS, nearest_names
from marrow.errors import InputError
from marrow.geometry.procrustes import align, apply_similarity

Float64 = NDArray[np.float64]
Root = int | Sequence[int]

#: Metres, of 3DPCK.
PCK_THRESHOLD = 0.15


def root_indices(joint_set: str) -> tuple[int, ...]:
    """Indices whose mean is the root of a named joint set: its pelvis, else its two hips.

    Raises:
        InputError: unknown joint set, or one without pelvis and hips (hands, faces).
    """
    names = _joint_names(joint_set)
    for root in ("pelvis", "mid_hip"):
        if root in names:
            return (names.index(root),)
    if "left_hip" in names and "right_hip" in names:
        return names.index("left_hip"), names.index("right_hip")
    raise InputError(f"joint set {joint_set!r} has neither pelvis nor hips; give root=INDEX or use absolute_mpjpe")


def mpjpe(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    root: Root | None = None,
    joint_set: str | None = None,
    valid: ArrayLike | None = None,
) -> Float64:
    """Mean per-joint position error after both poses are moved to their root.

    Args:
        predicted: (..., J, 3) m.
        truth: (..., J, 3) m, same shape.
        root: index of the root joint, or several whose mean it is; default: the root of ``joint_set``, else joint 0.
        joint_set: name in ``conventions.JOINT_SETS``; J is checked against it.
        valid: (..., J) bool, joints to count; default all.

    Returns:
        (...) m.
    """
    p, g, ok = _checked(predicted, truth, valid, joint_set)
    return _mean_distance(*_rooted(p, g, _root(root, joint_set, p.shape[-2])), ok)


def joint_errors(
    predicted: ArrayLike, truth: ArrayLike, *, root: Root | None = None, joint_set: str | None = None
) -> Float64:
    """Position error of each joint after both poses are moved to their root: (..., J, 3) m to (..., J) m.

    Its mean over joints is :func:`mpjpe`, which describes the arguments.
    """
    p, g, _ = _checked(predicted, truth, None, joint_set)
    p, g = _rooted(p, g, _root(root, joint_set, p.shape[-2]))
    return np.linalg.norm(p - g, axis=-1)


def pck3d(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    threshold: float = PCK_THRESHOLD,
    root: Root | None = None,
    joint_set: str | None = None,
    valid: ArrayLike | None = None,
) -> Float64:
    """Share of joints at most a threshold away, both poses moved to their root (Mehta et al. 2017): (...) in [0, 1].

    Args:
        threshold: m; of MPI-INF-3DHP 0.15, about half a head.
        predicted, truth, root, joint_set, valid: as in :func:`mpjpe`. A pose of which nothing counts gives NaN.
    """
    return _shares(predicted, truth, np.array([threshold]), root, joint_set, valid)[..., 0]


def pck3d_auc(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    root: Root | None = None,
    joint_set: str | None = None,
    valid: ArrayLike | None = None,
) -> Float64:
    """Area under the curve of 3DPCK: its mean over 31 thresholds from 0 to 0.15 m, as MPI-INF-3DHP has it: (...)."""
    return _shares(predicted, truth, np.linspace(0.0, PCK_THRESHOLD, 31), root, joint_set, valid).mean(-1)


def absolute_mpjpe(
    predicted: ArrayLike, truth: ArrayLike, *, joint_set: str | None = None, valid: ArrayLike | None = None
) -> Float64:
    """Mean per-joint position error without any alignment: (..., J, 3) m to (...) m."""
    return _mean_distance(*_checked(predicted, truth, valid, joint_set))


def root_error(
    predicted: ArrayLike, truth: ArrayLike, *, root: Root | None = None, joint_set: str | None = None
) -> Float64:
    """Distance between the roots themselves, the part MPJPE hides: (..., J, 3) m to (...) m."""
    p, g, _ = _checked(predicted, truth, None, joint_set)
    index = _root(root, joint_set, p.shape[-2])
    return np.linalg.norm(p[..., index, :].mean(-2) - g[..., index, :].mean(-2), axis=-1)


def n_mpjpe(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    root: Root | None = None,
    joint_set: str | None = None,
    valid: ArrayLike | None = None,
) -> Float64:
    """MPJPE after the best scale about the root (Rhodin et al. 2018, section 4): (..., J, 3) m to (...) m."""
    p, g, ok = _checked(predicted, truth, valid, joint_set)
    p, g = _rooted(p, g, _root(root, joint_set, p.shape[-2]))
    weight = ok[..., None]
    dot = np.where(weight, p * g, 0.0).sum((-2, -1))
    square = np.where(weight, p * p, 0.0).sum((-2, -1))
    scale = np.divide(dot, square, out=np.zeros_like(dot), where=square > 0)
    return _mean_distance(p * scale[..., None, None], g, ok)


def pa_mpjpe(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    joint_set: str | None = None,
    valid: ArrayLike | None = None,
    scale: bool = True,
) -> Float64:
    """MPJPE after the best rotation, translation and (unless ``scale=False``) scale: (..., J, 3) m to (...) m.

    The rotation is proper (det +1): a mirrored pose keeps its error.
    """
    p, g, ok = _checked(predicted, truth, valid, joint_set)
    if np.any(ok.sum(-1) < 3):
        raise InputError(
            "pa_mpjpe: expected at least 3 valid joints in every pose; leave out the poses that have fewer"
        )
    s, R, t = align(p, g, weight=ok.astype(float), scale=scale)
    # align leaves out what is not finite; here it stays in, and shows as NaN
    return _mean_distance(apply_similarity(s, R, t, p), g, ok)


def acceleration_error(
    predicted: ArrayLike, truth: ArrayLike, fps: float, *, valid_frames: ArrayLike | None = None
) -> Float64:
    """Mean difference of joint accelerations by central second differences.

    Args:
        predicted: (T, J, 3) m at a constant rate.
        truth: (T, J, 3) m.
        fps: frames per second.
        valid_frames: (T,) bool; accelerations that touch an invalid frame are NaN.

    Returns:
        (T - 2,) m/s².
    """
    p, g, _ = _checked(predicted, truth, None, None)
    if p.ndim != 3 or len(p) < 3:
        raise InputError(f"acceleration_error: expected (T, J, 3) with T >= 3, got {p.shape}")
    difference = p - g
    error = np.linalg.norm(difference[2:] - 2 * difference[1:-1] + difference[:-2], axis=-1).mean(-1) * fps**2
    if valid_frames is not None:
        ok = np.asarray(valid_frames, bool)
        error = np.where(ok[2:] & ok[1:-1] & ok[:-2], error, np.nan)
    return error


def _joint_names(joint_set: str) -> tuple[str, ...]:
    if joint_set not in JOINT_SETS:
        near = ", ".join(nearest_names(joint_set, JOINT_SETS))
        raise InputError(f"joint set: got {joint_set!r}; nearest known: {near}")
    return JOINT_SETS[joint_set]


def _root(root: Root | None, joint_set: str | None, count: int) -> list[int]:
    if root is None:
        return list(root_indices(joint_set)) if joint_set is not None else [0]
    index = [root] if isinstance(root, (int, np.integer)) else list(root)
    if not index or any(not -count <= i < count for i in index):
        raise InputError(f"root: expected joint indices below {count}, got {root!r}")
    return index


def _rooted(p: Float64, g: Float64, root: list[int]) -> tuple[Float64, Float64]:
    return p - p[..., root, :].mean(-2, keepdims=True), g - g[..., root, :].mean(-2, keepdims=True)


def _shares(
    predicted: ArrayLike,
    truth: ArrayLike,
    thresholds: Float64,
    root: Root | None,
    joint_set: str | None,
    valid: ArrayLike | None,
) -> Float64:
    """(..., T) shares of the counted joints that are at most each threshold away."""
    p, g, ok = _checked(predicted, truth, valid, joint_set)
    error = joint_errors(p, g, root=root, joint_set=joint_set)
    missing = (np.isnan(error) & ok).any(-1, keepdims=True)
    near = ((error[..., None] <= thresholds) & ok[..., None]).sum(-2).astype(float)
    count = ok.sum(-1)[..., None]
    share = np.divide(near, count, out=np.full(near.shape, np.nan), where=count > 0)
    return np.where(missing, np.nan, share)


def _checked(
    predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike | None, joint_set: str | None
) -> tuple[Float64, Float64, NDArray[np.bool_]]:
    p, g = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if p.shape != g.shape or p.ndim < 2 or p.shape[-1] != 3:
        raise InputError(f"joints: expected two arrays of one shape (..., J, 3), got {p.shape} and {g.shape}")
    if joint_set is not None:
        count = len(_joint_names(joint_set))
        if p.shape[-2] != count:
            raise InputError(
                f"joints: {joint_set} has {count} joints, got {p.shape[-2]}; "
                f"use marrow.convert_joints(keypoints, SOURCE, {joint_set!r}) first"
            )
    ok = np.ones(p.shape[:-1], bool) if valid is None else np.asarray(valid, bool)
    try:
        return p, g, np.broadcast_to(ok, p.shape[:-1])
    except ValueError:
        raise InputError(f"valid: expected a shape that fits {p.shape[:-1]}, got {ok.shape}") from None


def _mean_distance(p: Float64, g: Float64, ok: NDArray[np.bool_]) -> Float64:
    """Mean over the counted joints; a pose with none gives NaN."""
    distance = np.where(ok, np.linalg.norm(p - g, axis=-1), 0.0)
    count = ok.sum(-1)
    return np.divide(distance.sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)
