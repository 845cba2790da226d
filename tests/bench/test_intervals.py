"""Factors on standard deviations: fitted apart from the test, and they bring intervals to their level."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from marrow.bench import intervals
from marrow.bench.reconstruct import Score
from marrow.bench.scenes import OTHERS, PEOPLE
from marrow.data.motion_pack import motion_pack

NAMES = ("hip_flexion_r", "knee_angle_r", "pelvis_tilt")


def scores(errors: float, count: int = 20) -> list[Score]:
    """Errors of ``errors`` times the reported standard deviation of 0.1 rad; every fifth frame unobserved and wild."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        own = {f.name: np.zeros(60) for f in fields(Score) if f.name not in ("observed", "angle", "sd", "seconds")}
        observed = np.arange(60) % 5 > 0
        angle = rng.normal(0, 0.1 * errors, (60, 3))
        angle[~observed] = 3.0
        out.append(Score(observed=observed, angle=angle, sd=np.full((60, 3), 0.1), seconds=0.0, **own))
    return out


def test_calibration_and_test_share_no_person_and_no_clip():
    assert not set(OTHERS) & set(PEOPLE)
    held_out = {m.name for m in motion_pack().select("A", "B")}
    jobs = intervals.jobs()
    assert {person for *_, person, _ in jobs} == set(OTHERS)
    assert not {name for name, *_ in jobs} & held_out
    assert len(set(jobs)) == len(jobs) > 50


def test_factors_bring_coverage_to_its_level():
    told = {"landmarks": scores(0.5), "keypoints only": scores(2.0)}
    rows = [dict(zip(told, pair, strict=True)) for pair in zip(*told.values(), strict=True)]
    found = intervals.factors(rows, NAMES)
    assert found["landmarks"]["hip_flexion"] == pytest.approx(0.5, rel=0.15)
    assert found["keypoints"]["knee_angle"] == pytest.approx(2.0, rel=0.15)
    assert set(found["keypoints"]) == {"hip_flexion", "knee_angle"}
    got = intervals.covered(told["keypoints only"], [0, 1], NAMES, found["keypoints"])
    assert got["raw 95 %"] < 0.75
    assert got["95 %"] == pytest.approx(0.95, abs=0.01)
    assert got["80 %"] == pytest.approx(0.80, abs=0.03)
    assert got["told"] == 1.0
