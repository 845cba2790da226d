"""Do the reported standard deviations hold? Factors on them by kind of evidence, and the coverage of their intervals.

The factors are fitted on people, cameras and clips that are in no test: :data:`marrow.bench.scenes.OTHERS` in the
motion pack's training clips. (The pose prior has seen those clips, though not those bodies; the test tells whether
that matters.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from marrow.bench.noise import DetectorNoise, WorldNoise
from marrow.bench.reconstruct import CONDITIONS, LIFTED, Score, reconstruct
from marrow.bench.scenes import OTHERS, make_truth, shoot
from marrow.data.motion_pack import motion_pack
from marrow.lift.lifter import Lifter
from marrow.metrics import coverage, interval_factor
from marrow.types import Float64

#: Prefixes of coordinates that get a factor of their own.
FACTORS = (
    "hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle",
    "lumbar_extension", "lumbar_bending", "lumbar_rotation", "neck_", "gh_", "arm_", "elbow_flex",
)  # fmt: skip
#: Conditions that stand for the kinds of evidence.
FITTED_ON = ("landmarks", "keypoints only")
LIMIT_SD = 1.0  # rad: a wider interval says "unknown"; it is counted apart and not calibrated
_WALKS = 12  # every so many training clips of walking are used, all of the others
_CAMERAS, _SEED = 2, 700_000
_FEWEST = 500  # values that make a factor

#: A scene: clip, its number, body, camera.
Job = tuple[str, int, str, int]


def jobs() -> list[Job]:
    """The scenes on which the factors are fitted."""
    names = [m.name for m in motion_pack().select("train")]
    walks = [n for n in names if "walking" in n]
    chosen = [n for n in names if n not in walks] + walks[::_WALKS]
    people = list(OTHERS)
    return [(n, i, people[(i + c) % len(people)], c) for i, n in enumerate(chosen) for c in range(_CAMERAS)]


def work(job: Job, frames: int = 60, lifter: Lifter | None = None) -> dict[str, Score]:
    """Scores of one scene, by condition; those with a lifter too where there is one."""
    name, number, person, camera = job
    motion = motion_pack().motion(name)
    rng = np.random.default_rng([_SEED, number])
    start = int(rng.integers(0, max(len(motion.q) - frames, 0) + 1))
    truth = make_truth(motion, person, start=start, frames=frames)
    shot = shoot(truth, camera, _SEED + number, DetectorNoise(), WorldNoise())
    known = {c: CONDITIONS[c] for c in FITTED_ON} | (dict(LIFTED) if lifter is not None else {})
    return {c: reconstruct(shot, told, lifter=lifter)["sequence"] for c, told in known.items()}


def factors(scores: Sequence[Mapping[str, Score]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Factors on the standard deviation by kind of evidence and prefix of the coordinate's name."""
    out: dict[str, dict[str, float]] = {}
    for condition in scores[0]:
        own: dict[str, float] = {}
        for prefix in FACTORS:
            error, sd = angles([s[condition] for s in scores], [i for i, n in enumerate(names) if n.startswith(prefix)])
            ok = told(sd)
            if ok.sum() > _FEWEST:
                own[prefix] = round(interval_factor(error[ok], sd[ok]), 3)
        out[{**CONDITIONS, **LIFTED}[condition].kind] = own
    return out


def angles(scores: Sequence[Score], index: Sequence[int]) -> tuple[Float64, Float64]:
    """Errors and standard deviations of some coordinates in observed frames, degrees, flat."""
    error = np.concatenate([s.angle[s.observed][:, index].ravel() for s in scores])
    sd = np.concatenate([s.sd[s.observed][:, index].ravel() for s in scores])
    return np.degrees(error), np.degrees(sd)


def told(sd: Float64) -> NDArray[np.bool_]:
    """Where a standard deviation (degrees) claims to know something."""
    return np.isfinite(sd) & (sd > 0) & (sd < np.degrees(LIMIT_SD))


def covered(
    scores: Sequence[Score], index: Sequence[int], names: Sequence[str], known: Mapping[str, float]
) -> dict[str, float]:
    """Share of the errors of some coordinates inside their intervals, raw and with the ``known`` factors."""
    raw, inside, count, said = 0.0, {0.5: 0.0, 0.8: 0.0, 0.95: 0.0}, 0, 0
    for i in index:
        error, sd = angles(scores, [i])
        ok = told(sd)
        count, said = count + len(ok), said + int(ok.sum())
        if not ok.any():
            continue
        factor = next((v for k, v in known.items() if names[i].startswith(k)), 1.0)
        raw += coverage(error[ok], sd[ok]) * ok.sum()
        for level in inside:
            inside[level] += coverage(error[ok], factor * sd[ok], level) * ok.sum()
    share = max(said, 1)
    return {
        "raw 95 %": round(float(raw / share), 3),
        **{f"{int(100 * level)} %": round(float(v / share), 3) for level, v in inside.items()},
        "told": round(said / max(count, 1), 3),
    }
