"""Forward kinematics of a tree of ball joints and its reverse: the numba twins of :mod:`marrow.body.chain`; float64."""

from __future__ import annotations

import math

import numpy as np

from marrow._compile import kernel


@kernel()
def turns(vectors, out):
    """Write matrices (n, 3, 3) of rotation vectors (n, 3), radians; float64 inside."""
    for i in range(vectors.shape[0]):
        x, y, z = np.float64(vectors[i, 0]), np.float64(vectors[i, 1]), np.float64(vectors[i, 2])
        squared = x * x + y * y + z * z
        a, b = 1 - squared / 6, 0.5 - squared / 24  # sin(angle) / angle and (1 - cos(angle)) / angle^2
        if squared > 1e-8:
            angle = math.sqrt(squared)
            a, b = math.sin(angle) / angle, (1 - math.cos(angle)) / squared
        out[i, 0, 0], out[i, 0, 1], out[i, 0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
        out[i, 1, 0], out[i, 1, 1], out[i, 1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
        out[i, 2, 0], out[i, 2, 1], out[i, 2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)


@kernel()
def chain(parents, steps, rotations, world, place):
    """Write world (T, J, 3, 3) and place (T, J, 3) for parents (J,), steps (1 or T, J, 3), rotations (T, J, 3, 3)."""
    for t in range(rotations.shape[0]):
        step = steps[t if steps.shape[0] > 1 else 0]
        for j in range(rotations.shape[1]):
            p = parents[j]
            if p < 0:
                world[t, j] = rotations[t, j]
                place[t, j] = step[j]
                continue
            for a in range(3):
                place[t, j, a] = place[t, p, a]
                for b in range(3):
                    place[t, j, a] += world[t, p, a, b] * step[j, b]
                    world[t, j, a, b] = 0.0
                    for c in range(3):
                        world[t, j, a, b] += world[t, p, a, c] * rotations[t, j, c, b]


@kernel()
def carry(parents, rest, steps, rotations, shift, frames, places, transforms):
    """What :func:`chain` gives, shifted, and what carries there from rest; all float32, float64 inside.

    Args:
        parents (J,): each before its children; the root's is -1.
        rest (1 or T, J, 3): joints at rest, metres.
        steps (1 or T, J, 3): from the parent to the joint.
        rotations (T, J, 3, 3): against the parent.
        shift (0, 1 or T, 3): added to all places; none is zero.
        frames (T, J, 3, 3), places (T, J, 3), transforms (T, J, 3, 4): written.
    """
    world, place = np.empty(rotations.shape), np.empty(places.shape)
    chain(parents, steps, rotations, world, place)
    for t in range(rotations.shape[0]):
        start = rest[t if rest.shape[0] > 1 else 0]
        for j in range(rotations.shape[1]):
            for a in range(3):
                left = place[t, j, a]
                if shift.shape[0] > 0:
                    left += shift[t if shift.shape[0] > 1 else 0, a]
                places[t, j, a] = left
                for b in range(3):
                    left -= world[t, j, a, b] * start[j, b]
                    frames[t, j, a, b] = transforms[t, j, a, b] = world[t, j, a, b]
                transforms[t, j, a, 3] = left


@kernel()
def chain_back(parents, steps, rotations, world, by_world, by_place, by_rotations, by_steps):
    """The reverse: ``by_world`` and ``by_place`` are changed, ``by_rotations`` is written, ``by_steps`` added to."""
    for t in range(rotations.shape[0]):
        row = t if steps.shape[0] > 1 else 0
        for j in range(rotations.shape[1] - 1, -1, -1):
            p = parents[j]
            if p < 0:
                by_rotations[t, j] = by_world[t, j]
                by_steps[row, j] += by_place[t, j]
                continue
            for a in range(3):
                by_place[t, p, a] += by_place[t, j, a]
                for b in range(3):
                    by_steps[row, j, b] += world[t, p, a, b] * by_place[t, j, a]
                    by_world[t, p, a, b] += by_place[t, j, a] * steps[row, j, b]
                    by_rotations[t, j, a, b] = 0.0
                    for c in range(3):
                        by_rotations[t, j, a, b] += world[t, p, c, a] * by_world[t, j, c, b]
                        by_world[t, p, a, b] += by_world[t, j, a, c] * rotations[t, j, b, c]
