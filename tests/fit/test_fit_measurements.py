"""From measurements to a body: people are found again, and sets that nobody has are refused."""

from __future__ import annotations

import time

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.measurements import DEFINITIONS, measure
from marrow.body.shape import PARTIAL
from marrow.errors import InputError
from marrow.fit.measurements import LOCAL, FittedShape, fit_measurements

BODY = load_body()
MANY = (
    "stature", "crotch_height", "biacromial_breadth", "chest_girth", "waist_girth", "hip_girth", "thigh_girth",
    "upper_arm_girth", "calf_girth", "neck_girth", "head_girth",
)  # fmt: skip


def somebody(seed: int, child: bool) -> dict[str, float]:
    """Random phenotypes and limbs by the population's prior; a child of any age."""
    rng = np.random.default_rng(seed)
    general = [p for p in BODY.spec.parameters if not p.name.startswith(PARTIAL)]
    shape = {p.name: float(np.clip(rng.normal(p.mean, p.sd), p.low, p.high)) for p in general}
    return shape | ({"age": float(rng.uniform(-0.1, 0.55))} if child else {})


@pytest.mark.parametrize("names", [MANY, ("stature", "chest_girth", "waist_girth", "hip_girth"), ("stature", "mass")])
@pytest.mark.parametrize(("seed", "child"), [(11, False), (12, False), (13, True), (14, True)])
def test_people_are_found_by_their_measurements(seed, child, names):
    shape = somebody(seed, child)
    truth = measure(BODY.rest(shape))
    known = {"gender": shape["gender"], "age": shape["age"]} if child else {}
    found = fit_measurements({name: truth[name] for name in names}, known)
    again = measure(BODY.rest(found.shape))
    for name in names:
        tolerance = {"girth": 0.003, "whole": 0.15}.get(DEFINITIONS[name].kind, 0.002)
        assert again[name] == pytest.approx(truth[name], abs=tolerance), name
        assert found.residuals[name] == pytest.approx(again[name] - truth[name], abs=1e-9)
    # What was not given comes out near too, half of it within 4 %, or 6 % by stature and mass alone.
    others = [name for name, d in DEFINITIONS.items() if name not in names and d.unit == "m"]
    off = [abs(again[name] / truth[name] - 1.0) for name in others]
    assert float(np.median(off)) < (0.06 if names == ("stature", "mass") else 0.04)


def test_what_is_known_is_kept():
    found = fit_measurements({"stature": 1.68}, {"gender": 1.0, "age": 0.8, "log_bone_femur_r": 0.02})
    assert (found.shape["gender"], found.shape["age"], found.shape["log_bone_femur_r"]) == (1.0, 0.8, 0.02)
    assert BODY.stature(found.shape) == pytest.approx(1.68, abs=5e-4)
    assert not [name for name in found.shape if name.startswith("local_")]


def test_more_measurements_than_one_bodys_habit_are_met_with_local_changes():
    found = fit_measurements({"stature": 1.62, "chest_girth": 0.95, "waist_girth": 0.80, "thigh_girth": 0.60})
    assert max(map(abs, found.residuals.values())) < 0.003
    assert any(name.startswith("local_measure") for name in found.shape)


def test_it_is_quick():
    fit_measurements({"stature": 1.70})
    start = time.process_time()
    fit_measurements({"stature": 1.62, "chest_girth": 0.95, "waist_girth": 0.80, "thigh_girth": 0.60})
    assert time.process_time() - start < 4.0  # 0.7 s of two busy cores when this was written


def test_the_unusual_is_told():
    found = fit_measurements({"stature": 1.40}, {"gender": 0.0})
    assert isinstance(found, FittedShape)
    (remark,) = found.remarks
    assert "height" in remark
    assert "for a child give its age" in remark
    assert fit_measurements({"stature": 1.10, "mass": 19.0}, {"age": 0.25}).remarks == ()


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({}, "no measurements given"),
        ({"wast": 0.8}, "did you mean waist_girth"),
        ({"waist_girth": "wide"}, "expected a number"),
        ({"waist_girth": float("nan")}, "above 0"),
        ({"stature": 170.0}, r"170 m is no person's; give it in m, such as 1\.7$"),
        ({"stature": 1700.0}, r"such as 1\.7$"),
        ({"ankle_girth": 23.0}, r"such as 0\.23$"),
        ({"stature": 1.70, "waist_girth": 0.25}, r"waist_girth 0\.25 m \(nearest 0\.\d+\)"),
        ({"stature": 1.70, "waist_girth": 1.9}, "no body has these measurements together"),
        ({"mass": 5.0}, r"mass 5 kg .*for a child give its age"),
        ({"stature": 0.70}, r"stature 0\.7 m .*for a child give its age"),
    ],
)
def test_what_cannot_be_is_refused(targets, words):
    with pytest.raises(InputError, match=words):
        fit_measurements(targets)


def test_unknown_parameters_are_refused():
    with pytest.raises(InputError, match="gender"):
        fit_measurements({"stature": 1.7}, {"gendr": 1.0})


def test_local_changes_exist_and_change_their_measurement():
    base = measure(BODY.rest())
    for name, groups in LOCAL.items():
        for group in groups:
            changed = measure(BODY.rest(dict.fromkeys(group, 0.5)))
            assert abs(changed[name] - base[name]) > 0.001, (name, group)
