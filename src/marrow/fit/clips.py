"""Motion capture onto marrow's body and skeleton: one shape from frames spread over the clips, then all frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from marrow.body import load_body
from marrow.data.clips import PointClip
from marrow.data.targets import Targets, first_guess, targets
from marrow.fit.api import fit
from marrow.fit.evidence import Evidence, Points
from marrow.fit.options import FitOptions
from marrow.fit.result import PersonFit
from marrow.progress import Progress
from marrow.skeleton import Skeleton
from marrow.types import Float64

#: Standard deviation of a target, metres: the ends of limbs are measured well, points inside the trunk are not.
_SD = {"pelvis": 0.02, "l5_s1": 0.02, "neck": 0.02, "head": 0.02, "head_top": 0.02}
_LIMB_SD = 0.01
_STILL = FitOptions(contact=False, upright=0.0, robust=0.0, pose_prior=0.3, smoothness=0.0, limits=True)
_MOVING = FitOptions(contact=False, upright=0.0, robust=0.0, pose_prior=0.3, smoothness=1.0, limits=True)


def fit_shape(clips: Sequence[PointClip], frames: int = 150) -> dict[str, float]:
    """Body shape of one subject from frames spread over all their clips, each on its own.

    Args:
        clips: of one subject, with the same points.
        frames: how many are used.
    """
    landmarks = load_body().rest().landmarks
    made = [targets(clip, landmarks) for clip in clips]
    xyz = np.concatenate([t.xyz for t in made])
    pelvis, torso = (np.concatenate([getattr(t, name) for t in made]) for name in ("R_pelvis", "R_torso"))
    pick = np.unique(np.linspace(0, len(xyz) - 1, frames).astype(int))
    some = Targets(made[0].names, xyz[pick], pelvis[pick], torso[pick], made[0].head_direction)
    result = fit(
        [_evidence(some, None)], np.arange(len(pick), dtype=np.float64), body=load_body(), floor=False, options=_STILL
    )
    return dict(result.people[0].motion.shape)


def fit_clip(
    clip: PointClip, shape: Mapping[str, float], progress: Progress | None = None
) -> tuple[PersonFit, tuple[str, ...], Float64]:
    """Fit all frames of a clip with a known shape.

    Returns:
        the fit; P names of the landmarks fitted; and (T, P) metres from each to its target, NaN where unknown.
    """
    target = targets(clip, load_body().rest().landmarks)
    # Each time divided, not steps added up: the same floats whatever the length.
    time = np.array([t / clip.fps for t in range(len(clip.xyz))], dtype=np.float64)
    result = fit([_evidence(target, shape)], time, body=load_body(), floor=False, options=_MOVING, progress=progress)
    person = result.people[0]
    R, p = person.skeleton.forward(person.motion.q)
    distance = np.linalg.norm(person.skeleton.points(R, p, target.names) - target.xyz, axis=-1)
    return person, target.names, distance


def _evidence(target: Targets, shape: Mapping[str, float] | None) -> Evidence:
    """The targets as points for the fit, with the first guess that belongs to them."""
    sd = np.array([_SD.get(name, _LIMB_SD) for name in target.names])
    return Evidence(
        points=(Points(target.xyz, target.names, sd),),
        initial=first_guess(target, Skeleton.inside(load_body().rest(shape).landmarks)),
        known_shape=shape,
    )
