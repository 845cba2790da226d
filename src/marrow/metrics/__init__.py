"""How far an estimate is from the truth, in the field's own terms, with intervals that respect dependent frames.

Everything is numpy float64, metres, seconds and radians. Functions return one number per pose, leading dimensions
kept, so that the caller decides (and says) whether to average per frame, per clip or per person.
"""

from marrow.metrics.angles import angle_error, angle_rmse, rotation_error, wrap
from marrow.metrics.bootstrap import Interval, bootstrap, paired_difference
from marrow.metrics.calibration import calibration_curve, coverage, expected_calibration_error, interval_factor
from marrow.metrics.pose import absolute_mpjpe, acceleration_error, mpjpe, n_mpjpe, pa_mpjpe, root_error, root_indices
from marrow.metrics.surface import inside

__all__ = [
    "Interval",
    "absolute_mpjpe",
    "acceleration_error",
    "angle_error",
    "angle_rmse",
    "bootstrap",
    "calibration_curve",
    "coverage",
    "expected_calibration_error",
    "inside",
    "interval_factor",
    "mpjpe",
    "n_mpjpe",
    "pa_mpjpe",
    "paired_difference",
    "root_error",
    "root_indices",
    "rotation_error",
    "wrap",
]
