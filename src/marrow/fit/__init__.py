"""The fit: one Levenberg-Marquardt solver over all frames, the body's shape, the camera and the floor.

``fit(people, time, ...)`` takes any evidence (keypoints in one or several cameras, bone directions, measured 3-D
points) and returns, for each person, a movement of the skeleton with a standard deviation and a mark for every
coordinate.

The stages are in ``pipeline``, the linear algebra in ``solver``, the residuals in ``_fast_residuals`` and
``_fast_priors``, what the answer is worth in ``uncertainty``.
"""

from __future__ import annotations

from marrow.fit.api import fit, framewise
from marrow.fit.evidence import Evidence, LiftedJoints, Points, View
from marrow.fit.floor import Floor
from marrow.fit.options import FitOptions
from marrow.fit.result import FitResult, PersonFit
from marrow.types import Guess

__all__ = [
    "Evidence",
    "FitOptions",
    "FitResult",
    "Floor",
    "Guess",
    "LiftedJoints",
    "PersonFit",
    "Points",
    "View",
    "fit",
    "framewise",
]
