"""People drawn from the population have the statures and masses that surveys found, and bodies that measure so."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.data.synth.population import age_phenotype, bmi_of, sample_figure, stature_of
from marrow.errors import InputError
from marrow.skeleton.inertia import BODY_DENSITY, enclosed_volume

#: NHANES August 2021 to August 2023 (Fryar et al. 2025, tables 5, 7, 9 and 10): ages, sex, mean stature (cm), its 10th
#: and 90th percentile, mean BMI. Children's are of some 150 each; the sampler follows the CDC's charts of 2000.
SURVEY = (
    ((4, 6), "m", 110.2, None, 16.6), ((4, 6), "f", 108.9, None, None), ((8, 10), "m", 134.6, None, 18.3),
    ((8, 10), "f", 134.8, None, None), ((14, 16), "m", 171.1, None, None), ((16, 18), "f", 161.5, None, None),
    ((20, 30), "m", 176.3, (167.7, 185.9), 27.8), ((20, 30), "f", 163.5, (155.1, 171.9), 28.0),
    ((40, 50), "m", 176.4, (166.9, 186.8), 30.5), ((40, 50), "f", 161.7, (152.3, 170.4), 30.7),
    ((60, 70), "m", 174.7, (165.2, 184.1), 29.2), ((60, 70), "f", 160.5, (151.6, 169.4), 30.1),
    ((80, 90), "m", 170.5, (160.1, 179.3), 27.8), ((80, 90), "f", 156.8, (145.9, 165.5), 27.7),
)  # fmt: skip


@pytest.mark.parametrize(("ages", "sex", "mean", "tails", "bmi"), SURVEY)
def test_statures_and_masses_are_those_of_the_survey(
    ages: tuple[int, int], sex: str, mean: float, tails: tuple[float, float] | None, bmi: float | None
) -> None:
    rng = np.random.default_rng(5)
    drawn = [f for f in (sample_figure(rng, ages) for _ in range(500)) if f.sex == sex]
    cm = np.array([100 * f.stature for f in drawn])
    child = tails is None
    error = 3 * cm.std() / np.sqrt(len(cm))
    assert abs(cm.mean() - mean) < error + (3.0 if child else 0.6)
    if tails is not None:
        assert np.quantile(cm, (0.1, 0.9)) == pytest.approx(tails, abs=2.2)
        assert cm.std() == pytest.approx((tails[1] - tails[0]) / 2.563, rel=0.15)
    if bmi is not None:
        found = np.array([f.mass / f.stature**2 for f in drawn])
        assert abs(found.mean() - bmi) < 3 * found.std() / np.sqrt(len(found)) + (1.5 if child else 0.5)


def test_charts_are_the_cdcs_and_the_whos() -> None:
    assert 100 * stature_of(2.0, "m") == pytest.approx(86.45, abs=0.01)
    assert 100 * stature_of(10.0, "f") == pytest.approx(137.99, abs=0.02)
    # 3rd and 97th percentile of boys of 24 months
    assert 100 * stature_of(2.0, "m", -1.8808) == pytest.approx(79.91, abs=0.02)
    assert bmi_of(2.0, "m", 1.6449) == pytest.approx(19.34, abs=0.02)


def test_the_body_is_as_tall_and_heavy_as_it_says() -> None:
    body, rng = load_body(), np.random.default_rng(0)
    for _ in range(25):
        figure = sample_figure(rng, (2, 90))
        skin = body.rest(figure.shape).vertices.astype(float)
        assert np.ptp(skin[:, 1]) == pytest.approx(figure.stature, abs=0.002)
        assert BODY_DENSITY * enclosed_volume(skin, body.faces) == pytest.approx(figure.mass, rel=0.03)


def test_infants_are_about_as_heavy_as_they_say() -> None:
    body, rng = load_body(), np.random.default_rng(0)
    for _ in range(10):
        figure = sample_figure(rng, (0, 2))
        skin = body.rest(figure.shape).vertices.astype(float)
        assert np.ptp(skin[:, 1]) == pytest.approx(figure.stature, abs=0.002)
        assert BODY_DENSITY * enclosed_volume(skin, body.faces) == pytest.approx(figure.mass, rel=0.13)


def test_one_seed_gives_one_person_of_plain_finite_numbers() -> None:
    a, b = (sample_figure(np.random.default_rng(3)) for _ in range(2))
    assert a == b
    known = {p.name: p for p in load_body().spec.parameters}
    rng = np.random.default_rng(1)
    for _ in range(50):
        figure = sample_figure(rng, (0, 90))
        for name, value in figure.shape.items():
            assert type(value) is float
            assert known[name].low <= value <= known[name].high, name
        assert type(figure.mass) is float
        assert type(figure.stature) is float
        assert np.isfinite([figure.mass, figure.stature, figure.age]).all()


def test_age_leads_from_newborn_to_old() -> None:
    years = np.linspace(0, 90, 200)
    ages = np.array([age_phenotype(a) for a in years])
    assert ages[0] == pytest.approx(-1 / 3)
    assert ages[-1] == pytest.approx(1.0)
    assert (np.diff(ages) > 0).all()


@pytest.mark.parametrize("ages", [(5, 4), (-1, 4), (0, 91), (float("nan"), 4), "ab", (4,)])
def test_wrong_ages_are_told(ages: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="ages: expected two numbers of years"):
        sample_figure(np.random.default_rng(0), ages)
