"""Each person's own time: from the first to the last frame in which something was seen of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marrow.fit.evidence import FAINT, Evidence
from marrow.fit.result import PersonFit
from marrow.types import PRIOR, Float64

_FEWEST = 3  # frames; what is shorter is fitted over the whole time
_ANGLE_SD, _PLACE_SD = np.pi / np.sqrt(3), 2.0  # rad, m: nothing is known


def span_of(evidence: Evidence, frames: int) -> slice:
    """Frames from the first to the last with a keypoint or a 3-D point; all ``frames`` where there are hardly any."""
    seen = np.zeros(frames, bool)
    for view in evidence.views:
        seen |= (np.nan_to_num(np.asarray(view.confidence, float)) > FAINT).any(1)
    for points in evidence.points:
        seen |= np.asarray(np.isfinite(points.xyz).all(-1)).any(1)
    at = np.flatnonzero(seen)
    if not len(at) or at[-1] - at[0] + 1 < _FEWEST:
        return slice(0, frames)
    return slice(int(at[0]), int(at[-1]) + 1)


def padded(person: PersonFit, span: slice, time: Float64) -> PersonFit:
    """The person on all of ``time`` (T,): outside their span they keep still, and nothing is claimed of them."""
    before, after = span.start, len(time) - span.stop
    if not before and not after:
        return person
    motion = person.motion
    outside = np.ones(len(time), bool)
    outside[span] = False

    def held(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(before, after)] + [(0, 0)] * (array.ndim - 1), mode="edge")

    def filled(array: np.ndarray | None, value: float) -> np.ndarray | None:
        if array is None:
            return None
        out = held(array)
        out[outside] = value
        return out

    nearest = np.clip(np.arange(len(time)) - before, 0, len(motion.time) - 1)
    q_sd = filled(motion.q_sd, _ANGLE_SD)
    if q_sd is not None:
        q_sd[outside, 3:6] = _PLACE_SD
    wide = replace(
        motion, time=time, q=held(motion.q), translation=held(motion.translation), q_sd=q_sd,
        mark=filled(motion.mark, PRIOR), derived_sd=filled(motion.derived_sd, _ANGLE_SD),
        derived_mark=filled(motion.derived_mark, PRIOR), observed=filled(motion.observed, False),
        joints_sd=filled(motion.joints_sd, _PLACE_SD), contact=filled(motion.contact, 0.0),
        alternatives=None if motion.alternatives is None else motion.alternatives.rows(nearest),
    )  # fmt: skip
    reprojection = np.full((len(time), person.reprojection_px.shape[1]), np.nan)
    reprojection[span] = person.reprojection_px
    return replace(person, motion=wide, reprojection_px=reprojection)
