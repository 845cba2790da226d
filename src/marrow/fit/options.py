"""Settings of a fit."""

from __future__ import annotations

from dataclasses import dataclass

#: Shape parameters that a fit looks for.
SHAPE = (
    "gender", "muscle", "weight", "height", "proportions", "log_scale_trunk", "log_scale_shoulders", "log_scale_hips",
    "log_scale_neck", "log_scale_head", "log_scale_upper_arm", "log_scale_forearm", "log_scale_hand", "log_scale_thigh",
    "log_scale_shank", "log_scale_foot",
)  # fmt: skip

#: Readings that can be looked for: there are hardly more that really differ.
MOST_HYPOTHESES = 8


@dataclass(frozen=True)
class FitOptions:
    """Weights and limits of a fit; the defaults are those of a single uncalibrated camera.

    Attributes:
        shape: shape parameters to fit.
        fingers: fit the fingers' joints where points lie on them; else they stay relaxed.
        coupled: beginnings of the names of coordinates that go along with their leaders
            (:data:`marrow.skeleton.definition.FOLLOWERS`); by default all, or none where points lie on the skin.
        pose_prior: factor on the pose prior; 0 = none. The base is what makes neighbouring frames count once.
        shape_prior: factor on the precision of the shape prior.
        smoothness: factor on the acceleration precision; 0 = none.
        limits: keep joints within their ranges.
        robust: Geman-McClure scales at the end of the fit, in standard deviations; 0 = plain least squares.
        directions: weight of the bone directions at the end of the fit.
        upright: standard deviation (rad) of the trunk against the vertical; 0 = no such prior.
        focal_sd: prior standard deviation of the log of an unknown focal length.
        pitch_deg, roll_deg: prior standard deviation of a static camera's tilt.
        contact: find and use the feet's contacts.
        hypotheses: readings of each person that are looked for, the result among them; up to one window of frames.
        iterations: most steps of each of the three stages.
        window, overlap: longest stretch of frames that is solved at once, and what neighbouring stretches share.
    """

    shape: tuple[str, ...] = SHAPE
    fingers: bool = False
    coupled: tuple[str, ...] | None = None
    pose_prior: float = 1.5
    shape_prior: float = 1.0
    smoothness: float = 0.5
    limits: bool = True
    robust: float = 4.0
    directions: float = 0.7
    upright: float = 0.12
    focal_sd: float = 0.25
    pitch_deg: float = 12.0
    roll_deg: float = 3.0
    contact: bool = True
    hypotheses: int = 1
    iterations: tuple[int, int, int] = (15, 10, 20)
    tolerance: float = 1e-4
    window: int = 600
    overlap: int = 45
