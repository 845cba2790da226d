"""Skinning weights in the rectangular form of files, with few or all influences, and what dropping some costs."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError
from marrow.types import Float32, Float64


class Influences(Protocol):
    """Sparse skinning weights: ``body[start[v]:start[v + 1]]`` move vertex v by ``weight``."""

    @property
    def start(self) -> NDArray[np.int32]: ...

    @property
    def body(self) -> NDArray[np.int32]: ...

    @property
    def weight(self) -> Float32: ...


class Skin(NamedTuple):
    """(V, K) joint indices and float64 weights, strongest first, padded with joint 0 of weight 0."""

    joints: NDArray[np.int64]
    weights: Float64


def rectangular(weights: Influences | Float64, vertices: int, bodies: int) -> Skin:
    """All influences in rectangular form, rows normalised."""
    if isinstance(weights, np.ndarray):
        if weights.shape != (vertices, bodies):
            raise InputError(f"write_glb: weights have shape {weights.shape}; expected {(vertices, bodies)}")
        row, body = np.nonzero(weights)
        weight = weights[row, body].astype(np.float64)
    else:
        row = np.repeat(np.arange(vertices), np.diff(weights.start))
        body, weight = np.asarray(weights.body, np.int64), np.asarray(weights.weight, np.float64)
        keep = weight != 0
        row, body, weight = row[keep], body[keep], weight[keep]
    if np.any(weight < 0) or (len(body) and (body.min() < 0 or body.max() >= bodies)):
        raise InputError("write_glb: weights must not be negative, and name existing bodies")
    total = np.bincount(row, weight, minlength=vertices)
    if np.any(total <= 0):
        raise InputError(f"write_glb: vertex {int(np.argmin(total))} has no weight; every vertex needs a body")
    order = np.lexsort((body, -weight, row))
    row, body, weight = row[order], body[order], (weight / total[row])[order]
    count = np.bincount(row, minlength=vertices)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    joints = np.zeros((vertices, int(count.max())), np.int64)
    values = np.zeros(joints.shape)
    joints[row, place], values[row, place] = body, weight
    return Skin(joints, values)


def reduced(skin: Skin, influences: int | None) -> Skin:
    if influences is None or influences >= skin.joints.shape[1]:
        return skin
    if influences < 1:
        raise InputError(f"influences must be at least 1, got {influences}")
    weights = skin.weights[:, :influences]
    return Skin(skin.joints[:, :influences], weights / weights.sum(axis=1, keepdims=True))


def largest_error(vertices: Float32, whole: Skin, few: Skin, bind: Float64, R: Float64, p: Float64) -> float:
    """Largest distance between skinning by all and by few influences, only where they differ."""
    changed = whole.weights[:, few.joints.shape[1] :].any(axis=1)
    points = vertices[changed].astype(np.float64)
    linear = R @ np.swapaxes(bind[:, :3, :3], -1, -2)
    move = p - np.einsum("tbij,bj->tbi", linear, bind[:, :3, 3])
    width = few.joints.shape[1]
    difference = whole.weights[changed].copy()
    difference[:, :width] -= few.weights[changed]
    largest = 0.0
    for turn, shift in zip(linear, move, strict=True):
        placed = np.zeros_like(points)
        for k in range(difference.shape[1]):
            joint = whole.joints[changed, k]
            placed += difference[:, k, None] * (np.einsum("nij,nj->ni", turn[joint], points) + shift[joint])
        largest = max(largest, float(np.linalg.norm(placed, axis=1).max(initial=0.0)))
    return largest
