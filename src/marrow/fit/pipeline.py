"""The stages of a fit: start, robust fit without a floor, contacts and floor, tight fit, read-out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from marrow.fit import floor as floors
from marrow.fit._fast_residuals import Scales, Shared
from marrow.fit.alternatives import Reading, readings
from marrow.fit.arrow import SharedPrior
from marrow.fit.evidence import Evidence, kind_of
from marrow.fit.model import Linear
from marrow.fit.options import FitOptions
from marrow.fit.problem import Prepared
from marrow.fit.search import search
from marrow.fit.solver import Problem, Solution, solve, with_contact
from marrow.fit.starts import starts
from marrow.fit.state import State, orthonormal
from marrow.types import Float64

Progress = Callable[[str, int, "int | None"], None]

#: Robust scales and weights of directions of the three stages, as multiples of the final ones.
_STAGES = ((4.0, 3.0), (2.0, 1.5), (1.0, 1.0))
_CONTACT_HEIGHT, _CONTACT_SPEED, _BELOW = 0.03, 0.45, 0.025  # m, m/s, m
_ROBUST_FLOOR = 4.0
_ROUGHLY = 20.0  # early stages stop at so many times the tolerance
#: Starts are followed in rounds: up to so many iterations where the cost is within this factor of the best one's.
_ROUNDS = ((2, np.inf), (5, 4.0), (1000, 1.3))
_FREE_HEIGHT_SD = 2.0  # m: prior of the floor's height about where the feet were first seen
_TRUNK_MEMORY = 2.0  # s for which a person keeps leaning the same way


@dataclass(frozen=True)
class Setting:
    """What all people of a fit share.

    Attributes:
        prior: of camera and floor in the first stage (floor fixed).
        up: (3, 3) where the vertical is first taken to be (second column).
        gravity: the camera is static and alone, so that the vertical is to be found.
        floor: contacts are to be used.
        repeated: factor that the precisions of focal length and tilt have while solving.
    """

    prior: SharedPrior
    up: Float64
    gravity: bool
    floor: bool
    repeated: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """A finished solve with the problems as they were last (contacts included), and each person's readings of the
    evidence, the solution first; empty where none were looked for.
    """

    solution: Solution
    problems: list[Problem]
    setting: Setting
    scales: Scales
    readings: list[list[Reading]]


def scales(options: FitOptions, stage: int, setting: Setting, contact: bool, loose: float = 1.0) -> Scales:
    """Robust scales and standard deviations of one stage."""
    robust, directions = _STAGES[stage]
    upright = 1.0 / (options.upright**2 * _TRUNK_MEMORY * 30.0) if setting.gravity and options.upright > 0 else 0.0
    return Scales(
        robust_pixel=options.robust * robust,
        robust_direction=options.robust * robust,
        robust_place=options.robust * robust,
        direction=options.directions * directions,
        robust_floor=_ROBUST_FLOOR,
        contact_height=_CONTACT_HEIGHT * loose,
        contact_speed=_CONTACT_SPEED * loose,
        below=_BELOW * loose if contact else 0.0,
        upright=upright,
    )


def setting_of(
    people: Sequence[Evidence],
    options: FitOptions,
    *,
    focal_known: bool,
    static: bool,
    floor: bool,
    repeats: float = 1.0,
) -> Setting:
    """Which of camera, vertical and floor are unknown. Several views come with their world; points need no camera.

    ``repeats`` strengthens the priors of focal length and tilt: see :func:`marrow.fit.problem.repeats`.
    """
    views = people[0].views
    alone = all(len(p.views) == 1 for p in people)
    gravity = bool(views) and alone and static
    up = first_up(views[0].camera.R_cam_world) if gravity else np.eye(3)
    level = up[:, [0, 2]]
    tilt = np.radians([options.roll_deg, options.pitch_deg])
    prior = SharedPrior(
        focal_precision=np.inf if focal_known or not views else repeats / options.focal_sd**2,
        level=np.ascontiguousarray(level),
        tilt_precision=repeats / tilt**2 if gravity else np.full(2, np.inf),
    )
    return Setting(prior, up, gravity, floor and static and bool(views) and options.contact, repeats)


def first_up(R_cam_world: Float64) -> Float64:
    """(3, 3) axis across the picture, first vertical, axis along the view, for a camera whose tilt is unknown.

    The vertical is the world's Y where that points up in the picture, else the picture's own.
    """
    up = np.array([0.0, 1.0, 0.0])
    if -R_cam_world[1] @ up < 0.5:
        up = -R_cam_world[1]
    across = R_cam_world[0] - (R_cam_world[0] @ up) * up
    across /= np.linalg.norm(across)
    return np.ascontiguousarray(np.stack([across, up, np.cross(across, up)], -1))


def run(people: Sequence[Prepared], setting: Setting, options: FitOptions, progress: Progress | None) -> Outcome:
    """All stages. Each person is first solved alone from every start; then all together with camera and floor."""
    shared = Shared(1.0, setting.up, 0.0)
    tell = _teller(progress, sum(options.iterations))
    with ThreadPoolExecutor(max_workers=len(people)) as executor:
        found = list(executor.map(lambda person: _first_stage(person, shared, setting, options), people))
    states, linears = [own[0].states[0] for own in found], [own[0].linears[0] for own in found]
    tell(options.iterations[0])
    second = scales(options, 1, setting, False)
    problems = [p.problem for p in people]
    solution = solve(
        problems, states, shared, second, setting.prior, linears=linears,
        iterations=options.iterations[1], tolerance=_ROUGHLY * options.tolerance,
    )  # fmt: skip
    tell(options.iterations[1])
    if setting.floor:
        located = _locate(people, solution, setting)
        setting = replace(setting, prior=_with_height(setting.prior, located.height))
        solution = replace(solution, shared=located)
    outcome = finish(people, solution, setting, options, tell)
    if options.hypotheses > 1:
        others = [[s.states[0] for s in own[1:]] for own in found]
        outcome = replace(outcome, readings=_readings(people, outcome, others, options))
    return outcome


def _readings(
    people: Sequence[Prepared], outcome: Outcome, others: list[list[State]], options: FitOptions
) -> list[list[Reading]]:
    """Each person's readings, camera and floor as found."""
    found, prior = outcome.solution, outcome.setting.prior
    fixed = replace(prior, focal_precision=np.inf, tilt_precision=np.full(2, np.inf), height_precision=np.inf)

    def of(number: int) -> list[Reading]:
        person = replace(people[number], problem=outcome.problems[number])

        def further(state: State, iterations: int, linears: list[Linear] | None = None) -> Solution:
            return solve(
                [person.problem], [state], found.shared, outcome.scales, fixed,
                linears=linears, iterations=iterations, tolerance=_ROUGHLY * options.tolerance,
            )  # fmt: skip

        return readings(person, found, number, others[number], outcome.scales, further, options.hypotheses)

    with ThreadPoolExecutor(max_workers=len(people)) as executor:
        return list(executor.map(of, range(len(people))))


def finish(
    people: Sequence[Prepared],
    solution: Solution,
    setting: Setting,
    options: FitOptions,
    tell: Callable[[int], None] = lambda more: None,
) -> Outcome:
    """The tight fit from a rough one, twice if there is a floor: contacts are first taken loosely, then strictly."""
    problems, contact, final = [p.problem for p in people], setting.floor, scales(options, 2, setting, False)
    for loose in (2.0, 1.0) if contact else (1.0,):
        if contact:
            problems, contact = _contacts(people, problems, solution, loose)
        final = scales(options, 2, setting, contact, loose)
        prior = setting.prior if contact else _without_height(setting.prior)
        solution = solve(
            problems, [orthonormal(s) for s in solution.states], solution.shared, final, prior,
            linears=solution.linears, iterations=-(-options.iterations[2] // 2),
            tolerance=options.tolerance * (_ROUGHLY if loose > 1.0 else 1.0),
        )  # fmt: skip
        tell(options.iterations[2] // 2)
    prior = setting.prior if contact else _without_height(setting.prior)
    return Outcome(solution, problems, replace(setting, floor=contact, prior=prior), final, [[] for _ in people])


def _with_height(prior: SharedPrior, height: float) -> SharedPrior:
    return replace(prior, height=height, height_precision=1.0 / _FREE_HEIGHT_SD**2)


def _without_height(prior: SharedPrior) -> SharedPrior:
    return replace(prior, height_precision=np.inf)


def _teller(progress: Progress | None, total: int) -> Callable[[int], None]:
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done = min(done + more, total)
        if progress is not None:
            progress("fit", done, total)

    return tell


def _first_stage(person: Prepared, shared: Shared, setting: Setting, options: FitOptions) -> list[Solution]:
    """Solutions from every start, best first, camera and floor as given."""
    fixed = replace(setting.prior, focal_precision=np.inf, tilt_precision=np.full(2, np.inf))
    first = scales(options, 0, setting, False)

    def further(state: State, iterations: int, linears: list[Linear] | None = None) -> Solution:
        return solve(
            [person.problem], [state], shared, first, fixed,
            linears=linears, iterations=iterations, tolerance=_ROUGHLY * options.tolerance,
        )  # fmt: skip

    found = [further(state, min(_ROUNDS[0][0], options.iterations[0])) for state in starts(person)]
    done = _ROUNDS[0][0]
    for upto, close in _ROUNDS[1:]:
        best = min(s.cost for s in found)
        near, more = best + (close - 1.0) * abs(best), min(upto, options.iterations[0]) - done
        found = [
            further(s.states[0], more, s.linears) if s.cost <= near and not s.converged and more > 0 else s
            for s in found
        ]
        done = upto
    found = sorted(found, key=lambda s: s.cost)
    if kind_of(person.evidence) == "keypoints" and len(person.seen) > 2:
        found[0] = search(person, found[0], shared, first, further)
    return found


def _soles(people: Sequence[Prepared], solution: Solution) -> list[np.ndarray]:
    return [n.points[:, p.feet] for p, n in zip(people, solution.normals, strict=True)]


def _locate(people: Sequence[Prepared], solution: Solution, setting: Setting) -> Shared:
    """First floor under the feet; its tilt only where the vertical is unknown."""
    sd = setting.prior.tilt_precision**-0.5 if setting.gravity else np.full(2, 1e-6)
    return floors.first_floor(
        _soles(people, solution),
        [p.time for p in people],
        solution.shared,
        [p.seen for p in people],
        setting.prior.level,
        sd,
    )


def _contacts(people, problems, solution, loose):
    """Problems with new contact probabilities and ground levels, and whether there is enough contact for a floor."""
    found = [
        floors.contact(x, p.time, solution.shared, p.seen, loose=loose)
        for x, p in zip(_soles(people, solution), people, strict=True)
    ]
    if not floors.enough([probability for probability, _ in found]):
        return problems, False
    new = [
        with_contact(p, probability * p.observed.share[:, None], level)
        for p, (probability, level) in zip(problems, found, strict=True)
    ]
    return new, True
