"""What changes during a fit: poses, shape, camera and floor; and the step along a tangent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from marrow.fit._fast_residuals import FOCAL, HEIGHT, TILT, Shared
from marrow.fit.model import Model
from marrow.geometry import rotations
from marrow.types import Float64


@dataclass(frozen=True)
class State:
    """One person: ``ball`` (T, B, 3, 3) joint rotations (identity for hinges), ``angle`` (T, M), ``root`` (T, 3) world
    metres, ``shape`` (S,)."""

    ball: Float64
    angle: Float64
    root: Float64
    shape: Float64

    def moved(self, model: Model, step: Float64, shape_step: Float64) -> State:
        """The state after ``step`` (T, d): rotations by local rotation vectors, the rest by addition."""
        ball = self.ball.copy()
        for b, f in model.balls:
            ball[:, b] = self.ball[:, b] @ rotations.exp(step[:, f : f + 3])
        return State(ball, self.angle + step @ model.carried, self.root + step[:, 3:6], self.shape + shape_step)

    def cut(self, frames: slice) -> State:
        """The same person in some of the frames."""
        return State(self.ball[frames].copy(), self.angle[frames].copy(), self.root[frames].copy(), self.shape)


def moved_shared(shared: Shared, step: Float64) -> Shared:
    """Camera and floor after the step (4,) in log focal length, two tilts and height."""
    up = shared.up
    normal = up[:, 1] + step[TILT] * up[:, 0] + step[TILT + 1] * up[:, 2]
    turn = rotations.rotation_between(up[:, 1], normal)
    return Shared(
        focal=shared.focal * float(np.exp(step[FOCAL])),
        up=np.ascontiguousarray(turn @ up),
        height=shared.height + float(step[HEIGHT]),
    )


def orthonormal(state: State) -> State:
    """Remove the rounding that thousands of products leave in the rotations."""
    return replace(state, ball=rotations.nearest_rotation(state.ball))
