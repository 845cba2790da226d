"""How far an estimate is from the truth, in the field's own terms, with intervals that respect dependent frames.

Everything is numpy float64, metres, seconds and radians. Functions return one number per pose, leading dimensions
kept, so that the caller decides (and says) whether to average per frame, per clip or per person.
"""

from marrow.metrics.angles import angle_error, angle_rmse, rotation_error, wrap
from marrow.metrics.bootstrap import Interval, bootstrap, paired_difference
from marrow.metrics.calibration import calibration_curve, coverage, expected_calibration_error, interval_factor
from marrow.metrics.hypotheses import Aggregated, best_by_count, best_of_m, diversity
from marrow.metrics.motion import bone_length_asymmetry, bone_length_variation, bone_lengths, jitter
from marrow.metrics.pose import (
    absolute_mpjpe,
    acceleration_error,
    joint_errors,
    mpjpe,
    n_mpjpe,
    pa_mpjpe,
    pck3d,
    pck3d_auc,
    root_error,
    root_indices,
)
from marrow.metrics.spatial_uncertainty import (
    ause,
    mahalanobis_squared,
    position_calibration_curve,
    position_calibration_error,
    position_coverage,
    position_nll,
    rank_correlation,
)
from marrow.metrics.surface import inside

__all__ = [
    "Aggregated",
    "Interval",
    "absolute_mpjpe",
    "acceleration_error",
    "angle_error",
    "angle_rmse",
    "ause",
    "best_by_count",
    "best_of_m",
    "bone_length_asymmetry",
    "bone_length_variation",
    "bone_lengths",
    "bootstrap",
    "calibration_curve",
    "coverage",
    "diversity",
    "expected_calibration_error",
    "inside",
    "interval_factor",
    "jitter",
    "joint_errors",
    "mahalanobis_squared",
    "mpjpe",
    "n_mpjpe",
    "pa_mpjpe",
    "paired_difference",
    "pck3d",
    "pck3d_auc",
    "position_calibration_curve",
    "position_calibration_error",
    "position_coverage",
    "position_nll",
    "rank_correlation",
    "root_error",
    "root_indices",
    "rotation_error",
    "wrap",
]
