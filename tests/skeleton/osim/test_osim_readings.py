"""Three turns read in their two ways: the same pose, and a shoulder whose ranges stop the solver on the way to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
from osim_oracle import LINEAR, NOTHING
from shoulder_model import SHOULDER, shoulder

from marrow.skeleton.osim import Kinematics, fit_markers
from marrow.skeleton.osim.problem import Problem, build_problem
from marrow.skeleton.osim.readings import Readings


def problem_of(body: Kinematics, tasks: tuple[tuple[str, float], ...] = ()) -> Problem:
    return build_problem(body, range(len(body.markers)), np.ones(len(body.markers)), tasks)[0]


AXES = {
    "shoulder": SHOULDER,
    "reversed": ("0 0 -1", "-1 0 0", "0 1 0"),
    "first and last the same": ("0 1 0", "1 0 0", "0 1 0"),
    "first and last oblique": ("0 0 1", "1 0 0", "0 0.6 0.8"),
    "none along x, y or z": ("0.6 0.8 0", "-0.8 0.6 0", "0 0 1"),
}


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_both_readings_are_one_pose(tmp_path: Path, axes: tuple[str, ...]):
    body = shoulder(tmp_path, axes)
    readings, every = Readings(body, problem_of(body)), np.ones(3, bool)
    assert readings.turning.all()
    for q in np.random.default_rng(0).uniform(-1.4, 1.4, (10, 3)):
        other = readings.other(q, every, np.zeros(3))
        assert np.abs(other - q).max() > 1.0
        np.testing.assert_allclose(body.forward(other)[0], body.forward(q)[0], atol=1e-12)
        np.testing.assert_allclose(readings.other(other, every, q), q, atol=1e-12)
        np.testing.assert_array_equal(readings.other(q, ~every, np.zeros(3)), q)


def test_the_nearest_reading_stays_in_range(tmp_path: Path):
    body = shoulder(tmp_path, ranges=("-2.1 3.1", "-3.1 1.6", "-2.3 2.3"))
    readings = Readings(body, problem_of(body))
    far = np.array([np.pi - 0.5, -np.pi + 0.3, 2.0])
    near = [-0.5, -0.3, 2.0 - np.pi]
    np.testing.assert_allclose(readings.other(far, np.ones(3, bool), np.zeros(3)), near)
    np.testing.assert_allclose(readings.nearest(far, np.zeros(3)), near)
    np.testing.assert_array_equal(readings.nearest(far, far), far)
    far[2] = 0.5  # the nearer reading is beyond the range of rot
    np.testing.assert_allclose(readings.other(far, np.ones(3, bool), np.zeros(3)), [-0.5, -0.3, -2.3])
    np.testing.assert_array_equal(readings.nearest(far, np.zeros(3)), far)


def test_whole_turns_are_taken_back(tmp_path: Path):
    body = shoulder(tmp_path)
    turned = np.array([0.3 - 2 * np.pi, 0.2, 0.1 + 4 * np.pi])
    np.testing.assert_allclose(Readings(body, problem_of(body)).nearest(turned, np.zeros(3)), [0.3, 0.2, 0.1])


def test_joints_without_a_second_reading_are_left_alone(tmp_path: Path):
    slope = '<LinearFunction name="function"><coefficients>0.5 0</coefficients></LinearFunction>'
    others = [
        shoulder(tmp_path, ("0 0 1", "0.6 0 0.8", "0 1 0")),
        shoulder(tmp_path, last=slope),
        shoulder(tmp_path, last=NOTHING),
        shoulder(tmp_path, shift=LINEAR),
    ]
    for body in others:
        assert not Readings(body, problem_of(body)).turning.any()
    body = shoulder(tmp_path)
    assert not Readings(body, problem_of(body, (("add", 1.0),))).turning.any()


def test_every_pose_of_a_clamped_shoulder_is_found(tmp_path: Path):
    """Alone, from the default pose; the ranges are those of marrow's own shoulder."""
    body = shoulder(tmp_path, ranges=("-2.09 3.14", "-3.14 1.57", "-2.27 2.27"))
    q = np.random.default_rng(3).uniform(body.ranges[:, 0], body.ranges[:, 1], (60, 3))
    xyz = body.marker_positions(q)
    assert max(fit_markers(body, body.markers, xyz[[t]]).rms[0] for t in range(len(q))) < 1e-6
