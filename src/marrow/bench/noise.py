"""What a keypoint detector does to the truth: errors that stay, drift and jump, joints and frames that go missing.

Independent noise per frame flatters every method that smooths. Real detectors err in the same direction for a while,
put a joint consistently beside its place, swap or lose it when it is hidden. The simulation here has all of these, at
levels stated in :class:`DetectorNoise`; it has no image in it, so blur and clothes are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from marrow.errors import InputError

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class DetectorNoise:
    """Levels of the simulated errors.

    Attributes:
        sd: standard deviation of a keypoint per image axis, as a share of the person's size (the longer side of the
            box round the true keypoints).
        constant: share of the variance that stays through the clip (a joint put beside its place).
        drifting: share of the variance that drifts with the time constant ``memory``; the rest is white.
        memory: seconds after which the drifting error has forgotten itself (1/e).
        outliers: share of joint samples that are wrong altogether.
        outlier_size: their displacement (sd per axis), share of the person's size.
        hidden: share of joint samples without any detection, in runs.
        lost: share of frames without any detection, in runs.
        run: mean length of a run, seconds.
    """

    sd: float = 0.01
    constant: float = 0.3
    drifting: float = 0.5
    memory: float = 0.25
    outliers: float = 0.02
    outlier_size: float = 0.12
    hidden: float = 0.04
    lost: float = 0.03
    run: float = 0.2


@dataclass(frozen=True)
class WorldNoise:
    """Levels of the errors of a detector's own 3-D landmarks.

    Attributes:
        direction_sd: error of a bone's direction, rad per axis.
        length_sd: smallest and largest standard deviation of a bone's log length; each bone of a clip draws its own.
        constant, drifting, memory: as in :class:`DetectorNoise`.
    """

    direction_sd: float = 0.17
    length_sd: tuple[float, float] = (0.06, 0.21)
    constant: float = 0.3
    drifting: float = 0.5
    memory: float = 0.25


def correlated(
    rng: Generator, shape: tuple[int, ...], fps: float, *, constant: float, drifting: float, memory: float
) -> Float64:
    """Unit-variance noise over the first axis: a constant part, a drifting part (first-order) and a white part.

    Args:
        rng: generator.
        shape: (T, ...).
        fps: frames per second.
        constant: share of the variance that is constant over T.
        drifting: share of the variance with ``exp(-time / memory)`` correlation.
        memory: seconds.
    """
    white_share = 1.0 - constant - drifting
    if min(constant, drifting, white_share) < -1e-12:
        raise InputError(f"noise: shares must be >= 0 and sum to <= 1, got constant {constant}, drifting {drifting}")
    keep = np.exp(-1.0 / (fps * memory))
    kick = rng.normal(size=shape)
    drift = np.empty(shape)
    drift[0] = kick[0]
    for t in range(1, shape[0]):
        drift[t] = keep * drift[t - 1] + np.sqrt(1 - keep**2) * kick[t]
    stays = rng.normal(size=shape[1:])
    white = rng.normal(size=shape)
    return np.sqrt(constant) * stays + np.sqrt(drifting) * drift + np.sqrt(max(white_share, 0.0)) * white


def runs(rng: Generator, shape: tuple[int, ...], fps: float, *, share: float, length: float) -> NDArray[np.bool_]:
    """(T, ...) bool that is true for ``share`` of the samples, in runs of ``length`` seconds on average."""
    if share <= 0:
        return np.zeros(shape, bool)
    leave = min(1.0, 1.0 / (fps * length))
    enter = min(1.0, leave * share / (1.0 - share))
    state = np.empty(shape, bool)
    state[0] = rng.random(shape[1:]) < share
    for t in range(1, shape[0]):
        u = rng.random(shape[1:])
        state[t] = np.where(state[t - 1], u >= leave, u < enter)
    return state


def detect_with_errors(
    rng: Generator, xy: Float64, fps: float, size: tuple[int, int], noise: DetectorNoise
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Keypoints as a detector would report them.

    Args:
        rng: generator.
        xy: (T, K, 2) true pixels.
        fps: frames per second.
        size: (width, height) of the image; what lies outside is not detected.
        noise: levels.

    Returns:
        (T, K, 2) float32 pixels, NaN where absent, and (T, K) float32 confidence, 0 where absent. Outliers keep a high
        confidence half of the time: a confidence that always knew would be no test.
    """
    extent = np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)
    person = extent.max(-1)[:, None, None]
    error = correlated(rng, xy.shape, fps, constant=noise.constant, drifting=noise.drifting, memory=noise.memory)
    seen = xy + noise.sd * person * error
    wrong = rng.random(xy.shape[:2]) < noise.outliers
    seen = seen + wrong[..., None] * noise.outlier_size * person * rng.normal(size=xy.shape)
    confidence = rng.uniform(0.6, 1.0, xy.shape[:2])
    doubted = wrong & (rng.random(xy.shape[:2]) < 0.5)
    confidence = np.where(doubted, rng.uniform(0.2, 0.5, xy.shape[:2]), confidence)
    absent = runs(rng, xy.shape[:2], fps, share=noise.hidden, length=noise.run)
    absent |= runs(rng, xy.shape[:1], fps, share=noise.lost, length=noise.run)[:, None]
    for position in (xy, seen):
        absent |= ~np.all((position >= 0) & (position < np.array(size, float)), axis=-1)
    seen = np.where(absent[..., None], np.nan, seen)
    return seen.astype(np.float32), np.where(absent, 0.0, confidence).astype(np.float32)


#: Bones of the 33 BlazePose points as a tree from the hips' midpoint, (parent, child), parents first; ``None`` is that
#: midpoint. Face points hang on the nose.
BLAZEPOSE_TREE: tuple[tuple[str | None, str], ...] = (
    *((None, f"{side}_hip") for side in ("left", "right")),
    *((None, f"{side}_shoulder") for side in ("left", "right")),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "foot_index"), ("shoulder", "elbow"),
            ("elbow", "wrist"), ("wrist", "pinky"), ("wrist", "index"), ("wrist", "thumb"),
        )
    ),
    (None, "nose"),
    *(("nose", f"{side}_{part}") for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer", "ear")),
    ("nose", "mouth_left"),
    ("nose", "mouth_right"),
)  # fmt: skip


def world_with_errors(
    rng: Generator, x_cam: Float64, names: tuple[str, ...], fps: float, noise: WorldNoise
) -> NDArray[np.float32]:
    """A detector's own 3-D landmarks: bones in turned directions and of varying lengths, rooted between the hips.

    Args:
        rng: generator.
        x_cam: (T, 33, 3) true points in camera axes, metres.
        names: their names, those of ``blazepose33``.
        fps: frames per second.
        noise: levels.

    Returns:
        (T, 33, 3) float32 metres, root-centred, camera axes.
    """
    index = {name: i for i, name in enumerate(names)}
    root = 0.5 * (x_cam[:, index["left_hip"]] + x_cam[:, index["right_hip"]])
    shares = {"constant": noise.constant, "drifting": noise.drifting, "memory": noise.memory}
    turn = noise.direction_sd * correlated(rng, (len(x_cam), len(BLAZEPOSE_TREE), 3), fps, **shares)
    length_sd = rng.uniform(*noise.length_sd, len(BLAZEPOSE_TREE))
    stretch = np.exp(length_sd * correlated(rng, (len(x_cam), len(BLAZEPOSE_TREE)), fps, **shares))
    out = np.zeros_like(x_cam)
    for k, (parent, child) in enumerate(BLAZEPOSE_TREE):
        start = root if parent is None else x_cam[:, index[parent]]
        bone = x_cam[:, index[child]] - start
        turned = bone + np.cross(turn[:, k], bone)
        turned *= np.linalg.norm(bone, axis=-1, keepdims=True) / np.linalg.norm(turned, axis=-1, keepdims=True)
        base = 0.0 if parent is None else out[:, index[parent]]
        out[:, index[child]] = base + stretch[:, k, None] * turned
    hips = 0.5 * (out[:, index["left_hip"]] + out[:, index["right_hip"]])
    return (out - hips[:, None]).astype(np.float32)
