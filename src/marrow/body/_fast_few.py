"""A few bodies without gradients in two compiled calls, joints and skin; float32, the joints in float64 inside.

The twin of what :meth:`marrow.body.linear.LinearBody.pose` does else. Reading the basis drives all other code and
numbers out of the processor's nearer caches, so that a small call of torch takes several times as long as in a loop of
its own: what counts here is how few calls there are.
"""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel
from marrow.body._fast_chain import chain
from marrow.body._fast_skinning import blend_frames, skin_frames


@kernel()
def move_joints(parents, pose, rest, shift, rotations, frames, places, transforms):
    """Pose the joints of T bodies. Returns whether what was given and found is finite.

    Args:
        parents (J,): each before its children; the root's is -1.
        pose (T, J, 3, 1): rotation vectors, radians, against the parent; or (T, J, 3, 3) matrices.
        rest (1 or T, J, 3): joints at rest, metres.
        shift (0, 1 or T, 3): metres, added to all places; none is zero.
        rotations (T, J, 3, 3): written, the pose in matrices; ``frames`` (T, J, 3, 3): how joints are turned in the
            world; ``places`` (T, J, 3): where they are; ``transforms`` (T, J, 12): rows of the 3x4 matrix that carries
            the bind pose there.
    """
    turns, world, place = np.empty(frames.shape), np.empty(frames.shape), np.empty(places.shape)
    steps = np.empty(rest.shape)
    total = 0.0  # no sum hides a NaN or infinity
    for n in range(rest.shape[0]):
        for j in range(rest.shape[1]):
            for a in range(3):
                above = rest[n, parents[j], a] if parents[j] >= 0 else np.float32(0)
                steps[n, j, a] = np.float64(rest[n, j, a]) - above
    for t in range(pose.shape[0]):
        for j in range(pose.shape[1]):
            if pose.shape[3] == 1:
                _turn(pose[t, j, 0, 0], pose[t, j, 1, 0], pose[t, j, 2, 0], turns[t, j])
            for a in range(3):
                for b in range(3):
                    if pose.shape[3] == 3:
                        turns[t, j, a, b] = pose[t, j, a, b]
                    total += turns[t, j, a, b]
                    rotations[t, j, a, b] = turns[t, j, a, b]
    chain(parents, steps, turns, world, place)
    for t in range(pose.shape[0]):
        start, moved = min(t, rest.shape[0] - 1), min(t, shift.shape[0] - 1)
        for j in range(pose.shape[1]):
            for a in range(3):
                left = place[t, j, a]
                if moved >= 0:
                    left += shift[moved, a]
                total += left
                places[t, j, a] = left
                for b in range(3):
                    left -= world[t, j, a, b] * rest[start, j, b]
                    frames[t, j, a, b] = world[t, j, a, b]
                    transforms[t, j, 4 * a + b] = world[t, j, a, b]
                transforms[t, j, 4 * a + 3] = left
    return math.isfinite(total)


@kernel()
def _turn(x, y, z, out):
    """The matrix (3, 3) of a rotation vector, radians."""
    x, y, z = np.float64(x), np.float64(y), np.float64(z)
    squared = x * x + y * y + z * z
    a, b = 1 - squared / 6, 0.5 - squared / 24  # sin(angle) / angle and (1 - cos(angle)) / angle^2, for small angles
    if squared > 1e-8:
        angle = math.sqrt(squared)
        a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / squared
    out[0, 0], out[0, 1], out[0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)


@kernel()
def move_skin(vertices, shape, turns, basis, start, body, weight, transforms, out):
    """Pose n vertices of T bodies: blend by shape and by ``turns - I``, then skin; all float32.

    Args:
        vertices (1, 3 n): metres, of all bodies before what is blended.
        shape (T, S), turns (T, P / 9, 3, 3): of each body; S may be 0.
        basis (S + P, 3 n).
        start, body, weight, transforms: as :func:`marrow.body._fast_skinning.skin_frames` takes them.
        out (T, n, 3): written.
    """
    frames, first = shape.shape
    coefficients = np.empty((frames, basis.shape[0]), np.float32)
    for t in range(frames):
        for k in range(first):
            coefficients[t, k] = shape[t, k]
        for j in range(turns.shape[1]):
            for a in range(3):
                for b in range(3):
                    coefficients[t, first + 9 * j + 3 * a + b] = turns[t, j, a, b] - np.float32(a == b)
    blend_frames(vertices, coefficients, basis, out.reshape(frames, -1))
    skin_frames(start, body, weight, out, transforms, out)
