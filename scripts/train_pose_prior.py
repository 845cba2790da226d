"""Train the pose prior of the fit: a Gaussian mixture over the motion pack's poses, and how fast joints accelerate.

    python scripts/train_pose_prior.py

Only the split ``train`` is used. Poses are tangent coordinates: a ball joint's three slots hold the rotation vector of
its joint rotation, a hinge's its angle. The number of components is chosen by cross-validation over *activities*: clips
of one activity are too much alike to tell how the prior fares on what it has not seen. One more component, broad and of
small weight, keeps poses unlike all recordings possible. Coordinates that the recordings do not show in every clip
(root, ankles, neck, clavicles, forearms, hands) are left to the fit's own broad prior.

Writes ``src/marrow/fit/weights/pose_prior.safetensors``: ``means (M, d)``, ``precision_cholesky (M, d, d)`` with
precision ``P = L @ L.T`` (L upper triangular, as scikit-learn has it), ``log_weights (M,)``, ``acceleration_sd (d,)``
in rad/s^2; metadata: ``coordinates`` (comma separated), the command and the held-out log-likelihood. Also
``moving_acceleration_sd`` with ``moving_coordinates``: the same for every coordinate that moves in the recordings.
Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from safetensors.numpy import save_file
from scipy.ndimage import gaussian_filter1d
from sklearn.mixture import GaussianMixture

from marrow.body import load_body
from marrow.data.motion_pack import PackedMotion, motion_pack
from marrow.fit.priors import WEIGHTS
from marrow.geometry.rotations import log
from marrow.skeleton import Skeleton

#: The coordinates that lead the trunk; the rest of it follows them (``definition.FOLLOWERS``).
TRUNK = ("lumbar_seg_extension", "lumbar_seg_bending", "thorax_rotation")
COORDINATES = (
    *(f"{name}_{s}" for s in "rl" for name in ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle")),
    *TRUNK,
    *(f"{name}_{s}" for s in "rl" for name in ("gh_flex", "gh_add", "gh_rot", "elbow_flex")),
)  # fmt: skip
#: Every coordinate whose acceleration the recordings show (ankles in the ASF clips only).
MOVING = (
    *("pelvis_tilt", "pelvis_list", "pelvis_rotation", "pelvis_tx", "pelvis_ty", "pelvis_tz"),
    *COORDINATES,
    *("ankle_angle_r", "ankle_angle_l"),
)
#: Variance added to every component (rad^2): the recordings' own differences from the population, about 5 degrees.
WIDTH = np.radians(5.0) ** 2
#: Weight and inflation (of the covariance of all poses) of the broad component.
BROAD_WEIGHT, BROAD_FACTOR = 0.1, 2.0
TAIL = 1.5  # acceleration sd over the 99th percentile of accelerations
SMOOTHING = 0.02  # s, Gaussian, against the noise of the recordings before differencing


def mirrored(x: np.ndarray) -> np.ndarray:
    """The poses (N, d) seen in a mirror: right and left exchanged, sideways turns reversed.

    Rotation vectors are in segment axes (X forward, Y up, Z right): a mirror reverses their X and Y components.
    """
    column = {name: i for i, name in enumerate(COORDINATES)}
    out = np.empty_like(x)
    for name, i in column.items():
        stem, _, side = name.rpartition("_")
        other = f"{stem}_{'l' if side == 'r' else 'r'}" if side in ("r", "l") else name
        out[:, i] = x[:, column[other]] * SIGN[i]
    return out


def _signs() -> np.ndarray:
    """-1 for the X and Y components of rotation vectors (first and second slot of a ball) and for a trunk bent sideways
    or twisted, 1 for Z and for hinges."""
    first, second = ("flexion", "gh_flex"), ("adduction", "_add")
    # slots of a ball are named flexion, adduction, rotation and hold the components X, Y, Z of the rotation vector
    sideways = (*first, *second, *TRUNK[1:])
    return np.array([-1.0 if any(w in n for w in sideways) else 1.0 for n in COORDINATES])


SIGN = _signs()


def poses(skeleton: Skeleton, motions: Sequence[PackedMotion]) -> list[np.ndarray]:
    """Tangent coordinates (T, d) of each clip."""
    index = [skeleton.index(name) for name in COORDINATES]
    return [skeleton.to_tangent(m.full(skeleton.coordinates))[:, index] for m in motions]


def activity(name: str) -> str:
    """What is done in a clip: ``"01"`` (playground), ``"walking"``, ``"running"`` …"""
    return name.split("_")[0 if name[:2].isdigit() else 1]


def fit_mixture(x: np.ndarray, components: int, seed: int = 0) -> GaussianMixture:
    """Gaussian mixture of full covariances over the poses and their mirror images, the broad component last."""
    both = np.concatenate([x, mirrored(x)])
    model = GaussianMixture(components, covariance_type="full", reg_covar=WIDTH, max_iter=200, random_state=seed)
    model.fit(both)
    weights, means, covariances = (np.asarray(a) for a in (model.weights_, model.means_, model.covariances_))
    whole = BROAD_FACTOR * (np.cov(both.T) + WIDTH * np.eye(both.shape[1]))
    model.weights_ = np.append((1 - BROAD_WEIGHT) * weights, BROAD_WEIGHT)
    model.means_ = np.concatenate([means, both.mean(0)[None]])
    model.covariances_ = np.concatenate([covariances, whole[None]])
    # P = L @ L.T with L the inverse transposed Cholesky factor of the covariance
    root = np.swapaxes(np.linalg.inv(np.linalg.cholesky(model.covariances_)), -1, -2)
    model.precisions_cholesky_ = root
    return model


def cross_validate(clips: dict[str, np.ndarray], choices: Sequence[int]) -> dict[int, float]:
    """Log-likelihood per pose of left-out activities (each counts once), by number of components."""
    out = {}
    for components in choices:
        scores = []
        for held in clips:
            kept = np.concatenate([x[::3] for name, x in clips.items() if name != held])
            scores.append(float(fit_mixture(kept, components).score(clips[held][::3])))
        out[components] = float(np.mean(scores))
        each = ", ".join(f"{name} {score:.1f}" for name, score in zip(clips, scores, strict=True))
        print(
            f"{components:3d} components: {out[components]:6.2f} nats per pose of a left-out activity ({each})",
            flush=True,
        )
    return out


def accelerations(skeleton: Skeleton, motions: Sequence[PackedMotion]) -> dict[str, float]:
    """Standard deviation of each coordinate's acceleration, rad/s^2 and m/s^2, over lightly smoothed recordings.

    Rotations: second difference of ``log(R_{t-1}^T R_t)``. Every activity counts the same. Accelerations are far from
    normal: their root mean square is set by quiet stretches, and a fit that takes it for a normal distribution's smears
    running and jumping (on ``benchmarks/main_road.py``, 50 mm of error instead of 36). So the figure is ``TAIL`` times
    the 99th percentile: what hardly anybody ever does.
    """
    pieces: dict[str, dict[str, list[np.ndarray]]] = {name: defaultdict(list) for name in MOVING}
    for m in motions:
        q = m.full(skeleton.coordinates)
        rate = _velocities(skeleton, q, skeleton.joint_rotations(q), m.fps)
        for name in MOVING:
            if name.startswith("ankle") and not m.name[:2].isdigit():
                continue
            smooth = gaussian_filter1d(rate[:, skeleton.index(name)], SMOOTHING * m.fps)
            pieces[name][activity(m.name)].append(np.abs(np.diff(smooth)) * m.fps)
    out = {}
    for name, by_activity in pieces.items():
        values = [np.concatenate(v) for v in by_activity.values()]
        weight = np.concatenate([np.full(len(v), 1.0 / len(v)) for v in values])
        pooled = np.concatenate(values)
        order = np.argsort(pooled)
        share = np.cumsum(weight[order]) / weight.sum()
        out[name] = TAIL * float(pooled[order][np.searchsorted(share, 0.99)])
    return _balanced(out)


def _velocities(skeleton: Skeleton, q: np.ndarray, R: np.ndarray, fps: float) -> np.ndarray:
    """(T - 1, D) rates of the tangent coordinates: body-fixed angular velocity for rotations."""
    rate = np.diff(q, axis=0) * fps
    for b, first, _ in skeleton.tree.balls:
        rate[:, first : first + 3] = log(np.swapaxes(R[:-1, b], -1, -2) @ R[1:, b]) * fps
    return rate


def _balanced(sd: dict[str, float]) -> dict[str, float]:
    """Right and left, and both directions along the floor, take their root mean square: none is faster."""
    out = dict(sd)
    out["pelvis_tx"] = out["pelvis_tz"] = float(np.hypot(sd["pelvis_tx"], sd["pelvis_tz"]) / np.sqrt(2))
    for name in sd:
        if name.endswith("_r"):
            other = name[:-1] + "l"
            out[name] = out[other] = float(np.hypot(sd[name], sd[other]) / np.sqrt(2))
    return out


def main() -> None:
    """Train, report, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, default=0, help="number of components; 0 = by cross-validation")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "pose_prior.safetensors")
    args = parser.parse_args()
    skeleton = Skeleton.inside(load_body().rest().landmarks)
    pack = motion_pack()
    motions = pack.select("train")
    by_activity: dict[str, list[np.ndarray]] = defaultdict(list)
    for motion, x in zip(motions, poses(skeleton, motions), strict=True):
        by_activity[activity(motion.name)].append(x)
    clips = {name: np.concatenate(x) for name, x in by_activity.items()}
    components = args.components
    if not components:
        scores = cross_validate(clips, (1, 4, 8, 12, 16))
        components = max(scores, key=lambda k: scores[k])
    x = np.concatenate(list(clips.values()))
    model, gaussian = fit_mixture(x, components), fit_mixture(x, 1)
    likelihood = {}
    for split in ("train", "A", "B"):
        held = np.concatenate(poses(skeleton, pack.select(split)))
        likelihood[split] = float(model.score(held))
        print(f"split {split}: {likelihood[split]:.3f} nats per pose ({gaussian.score(held):.3f} with one component)")
    print(f"{components} components and the broad one, {len(x)} poses and their mirror images")
    moving = accelerations(skeleton, motions)
    print("acceleration sd:", {k: round(v, 2) for k, v in moving.items()})
    arrays = {
        "means": model.means_,
        "precision_cholesky": model.precisions_cholesky_,
        "log_weights": np.log(np.asarray(model.weights_)),
        "acceleration_sd": np.array([moving[name] for name in COORDINATES]),
        "moving_acceleration_sd": np.array([moving[name] for name in MOVING]),
    }
    metadata = {
        "coordinates": ",".join(COORDINATES),
        "moving_coordinates": ",".join(MOVING),
        "command": f"python scripts/train_pose_prior.py --components {components}",
        "log_likelihood": json.dumps({k: round(v, 4) for k, v in likelihood.items()}),
        "data": "marrow motion pack, split train (from mocap.cs.cmu.edu, funded by NSF EIA-0196217)",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()}, args.out, metadata=metadata)
    print(f"{args.out.name}: {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
