"""Forward kinematics of a tree of ball joints and its reverse: the numba twins of :mod:`marrow.body.chain`; float64."""

from __future__ import annotations

from marrow._compile import kernel


@kernel()
def chain(parents, steps, rotations, world, place):
    """Write world (T, J, 3, 3) and place (T, J, 3) for parents (J,), steps (1 or T, J, 3), rotations (T, J, 3, 3)."""
    for t in range(rotations.shape[0]):
        step = steps[t if steps.shape[0] > 1 else 0]
        for j in range(rotations.shape[1]):
            p = parents[j]
            for a in range(3):
                place[t, j, a] = place[t, p, a] if p >= 0 else step[j, a]
                for b in range(3):
                    if p < 0:
                        world[t, j, a, b] = rotations[t, j, a, b]
                        continue
                    place[t, j, a] += world[t, p, a, b] * step[j, b]
                    world[t, j, a, b] = 0.0
                    for c in range(3):
                        world[t, j, a, b] += world[t, p, a, c] * rotations[t, j, c, b]


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
