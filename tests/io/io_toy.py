"""A small skeleton and skin for the exporters: random but valid, independent of the body and skeleton areas."""

from __future__ import annotations

import numpy as np

from marrow.geometry import rotations

BODIES = ("pelvis", "femur_r", "tibia_r", "femur_l", "tibia_l", "torso", "head")
PARENTS = np.array([-1, 0, 1, 0, 3, 0, 5])


def smooth_rotations(rng: np.random.Generator, time: np.ndarray, count: int, size: float = 0.8) -> np.ndarray:
    """(T, count, 3, 3) rotations that change smoothly."""
    a, b, phase = rng.normal(0, size, (3, count, 3))
    return rotations.exp(a * np.sin(3 * time[:, None, None] + phase) + b)


def chain(R_local: np.ndarray, offsets: np.ndarray, root: np.ndarray, parents: np.ndarray = PARENTS):
    """World rotations and origins of a tree, written out plainly."""
    R, p = R_local.copy(), np.zeros((*R_local.shape[:-2], 3))
    p[..., 0, :] = root
    for body in range(1, len(parents)):
        R[..., body, :, :] = R[..., parents[body], :, :] @ R_local[..., body, :, :]
        p[..., body, :] = p[..., parents[body], :] + R[..., parents[body], :, :] @ offsets[body]
    return R, p


def toy(seed: int = 0, frames: int = 9, vertices: int = 60, step: float = 0.04) -> dict:
    """Arguments of ``write_glb``: a cloud of triangles with up to 7 influences a vertex."""
    rng = np.random.default_rng(seed)
    B = len(BODIES)
    time = np.arange(frames) * step
    offsets = rng.normal(0, 0.3, (B, 3))
    offsets[0] = 0
    R, p = chain(smooth_rotations(rng, time, B), offsets, rng.normal(0, 1, 3) + time[:, None] * (0, 0, 1.3))
    bind_R, bind_p = chain(rotations.exp(rng.normal(0, 0.5, (B, 3))), offsets, np.array([0.0, 0.9, 0.0]))
    bind = np.tile(np.eye(4), (B, 1, 1))
    bind[:, :3, :3], bind[:, :3, 3] = bind_R, bind_p
    weights = rng.random((vertices, B)) ** 3 * (rng.random((vertices, B)) < 0.8)
    weights[np.arange(vertices), rng.integers(0, B, vertices)] += 0.2
    weights /= weights.sum(axis=1, keepdims=True)
    return {
        "vertices": rng.normal(0, 0.4, (vertices, 3)).astype(np.float32) + np.float32([0, 1, 0]),
        "faces": rng.permuted(np.tile(np.arange(vertices), (20, 1)), axis=1)[:, :9].reshape(-1, 3).astype(np.int32),
        "weights": weights,
        "bodies": BODIES,
        "parents": PARENTS,
        "bind": bind,
        "R": R,
        "p": p,
        "time": time,
    }
