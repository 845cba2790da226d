"""Other readings of the same evidence, which one camera cannot tell from what was found, or hardly.

Candidates are the found movement with one part of the body turned over in depth (:mod:`marrow.fit.reversals`) and where
the fit's other starts led. Each is settled by a few steps at the fit's last weights; of those that end apart from the
result and from each other the ones of lowest cost are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marrow.fit._fast_kinematics import Template
from marrow.fit._fast_residuals import Scales
from marrow.fit.problem import Prepared
from marrow.fit.reversals import segments
from marrow.fit.search import Solve, frame_cost, moves
from marrow.fit.solver import Problem, Solution
from marrow.fit.state import State, orthonormal
from marrow.types import Float64

#: Two readings differ where some segment, seen from the pelvis, lies so far away (m) in a tenth of the frames.
APART, _TENTH = 0.10, 0.9
_SETTLE, _VERIFY = 4, 8  # iterations of each candidate, and of those that are kept
#: Seconds of pictures that tell of a reading as one, since a detector's errors last.
_MEMORY = 8 / 30


@dataclass(frozen=True)
class Reading:
    """Another solution.

    Attributes:
        state: of the person.
        cost: of the whole.
        frame: (T,) cost of each frame (keypoints, directions, pose and smoothness).
    """

    state: State
    cost: float
    frame: Float64


def readings(
    person: Prepared, found: Solution, number: int, others: Sequence[State], scales: Scales, solve: Solve, count: int
) -> list[Reading]:
    """The result, as the first, and at most ``count - 1`` readings apart from it and from each other, likeliest first.

    Args:
        person: and its ``number`` among the people of the fit; contacts as in the fit's end.
        found: the fit of all people.
        others: where other starts led.
        scales: of the fit's end.
        solve: with camera and floor as found.
        count: how many in all.
    """
    problem, linear = person.problem, found.linears[number]
    best = _reading(problem, found.states[number], found.normals[number].cost, found, number, scales)
    if count < 2:
        return [best]
    template = linear.at(best.state.shape)
    candidates = [turned(best.state, template) for turned in moves(person)] if person.evidence.views else []
    candidates += [replace(orthonormal(other), shape=best.state.shape) for other in others]
    settled = sorted((solve(state, _SETTLE, [linear]) for state in candidates), key=lambda s: s.cost)
    kept = [best]
    for one in settled:
        if len(kept) == count:
            break
        if not _apart(person, found, number, one.states[0], kept):
            continue
        further = solve(one.states[0], _VERIFY, one.linears)
        state = replace(further.states[0], shape=best.state.shape)
        if _apart(person, found, number, state, kept):
            kept.append(_reading(problem, state, further.cost, found, number, scales))
    return [best, *sorted(kept[1:], key=lambda r: r.cost)]


def _reading(problem: Problem, state: State, cost: float, found: Solution, number: int, scales: Scales) -> Reading:
    return Reading(state, cost, frame_cost(problem, found.linears[number], state, found.shared, scales))


def _apart(person: Prepared, found: Solution, number: int, state: State, kept: Sequence[Reading]) -> bool:
    template = found.linears[number].at(found.states[number].shape)
    here = _from_pelvis(person, template, state)
    return all(apart(here, _from_pelvis(person, template, other.state)) for other in kept)


def _from_pelvis(person: Prepared, template: Template, state: State) -> Float64:
    p = segments(person.model, template, state)[1]
    return p - p[:, :1]


def apart(a: Float64, b: Float64) -> bool:
    """Whether points (T, B, 3) of two readings differ by :data:`APART` somewhere in a tenth of the frames."""
    return bool(np.quantile(np.linalg.norm(a - b, axis=-1).max(-1), _TENTH) > APART)


def weights(found: Sequence[Reading], time: Float64) -> Float64:
    """(H, T) how likely each reading is in each frame, summing to one over the readings.

    Costs of frames are averaged over :data:`_MEMORY` to each side and count as one observation of that length, because
    a detector errs in the same way for as long. A frame's own weight is a posterior probability as far as the modelled
    noise holds; it is not calibrated.
    """
    near = np.abs(time[:, None] - time) <= _MEMORY
    near = near / near.sum(1, keepdims=True)
    cost = np.stack([r.frame for r in found]) @ near.T
    log = -cost + cost.min(0)
    return np.exp(log) / np.exp(log).sum(0)


__all__ = ["APART", "Reading", "apart", "readings", "weights"]
