"""Measurements of a user's own body: the twin has the surface of people whose measurements are known.

Its mesh is coarse here, edges of 25 mm: truth is what that mesh has with the right landmarks. Errors of a mesh as fine
as the published ones: ``benchmarks/smpl_measurements.py``.
"""

from __future__ import annotations

import numpy as np
import pytest

from marrow.bench.twin import clip_of, people, thinned
from marrow.body import load_body
from marrow.body.measurements import DEFINITIONS, Figure, figure, measurements_of
from marrow.errors import InputError
from marrow.fit.smpl_measurements import smpl_figure, smpl_mesh_figure
from marrow.geometry.rotations import exp
from twin_files import VERTICES

OURS = load_body()
KEPT, FACES = thinned(OURS.rest().vertices, OURS.faces, VERTICES)
PERSON = people()[4]
#: What corresponding points 4 mm from the right ones, and a coarse mesh, leave of a length (metres).
LEFT = 0.015


def test_a_mesh_in_the_a_pose_has_the_persons_measurements(twin_body):
    own = figure(OURS.rest(PERSON))
    truth = measurements_of(Figure(own.vertices[KEPT], FACES, own.points))
    found = measurements_of(smpl_mesh_figure(twin_body, own.vertices[KEPT]))
    for name in DEFINITIONS:
        assert abs(found[name] - truth[name]) < tolerance(name, truth[name]), name
    for name in ("chest_girth", "waist_girth", "hip_girth", "calf_girth", "knee_girth", "upper_arm_girth"):
        assert found[name] == pytest.approx(truth[name], abs=0.005), name


def test_pose_place_and_facing_of_a_mesh_do_not_matter(twin_body):
    rest = OURS.rest(PERSON)
    clip = clip_of("02_01", 40, PERSON)
    step = OURS.pose(rest, clip.q[39:], clip.translation[39:], vertex_ids=KEPT).vertices[0]
    here = measurements_of(smpl_mesh_figure(twin_body, step))
    there = measurements_of(smpl_mesh_figure(twin_body, step @ exp(np.array([-1.2, 0.5, 1.5])).T + [3.0, 1.0, -2.0]))
    still = measurements_of(smpl_mesh_figure(twin_body, rest.vertices[KEPT]))
    for name in DEFINITIONS:
        assert there[name] == pytest.approx(here[name], rel=1e-3), name
        assert abs(here[name] - still[name]) < tolerance(name, still[name]), name


def test_coefficients_and_a_posed_mesh_of_them_are_the_same_person(twin_body):
    shape = np.array([1.2, -0.5, 0.8])
    whole = smpl_figure(twin_body, shape)
    assert whole.vertices[:, 1].min() == 0.0
    pose = np.random.default_rng(0).normal(scale=0.1, size=(24, 3))
    mesh = twin_body.pose(twin_body.rest(shape), pose, [1.0, 2.0, 3.0]).vertices
    found = smpl_mesh_figure(twin_body, mesh)
    assert 1000 * np.linalg.norm(found.vertices - whole.vertices, axis=1).max() < 2
    left = measurements_of(smpl_figure(twin_body, shape, side="l"))
    for name, value in measurements_of(whole).items():
        assert abs(left[name] - value) < tolerance(name, value), name
    by_name = smpl_figure(twin_body, {"shape_0": 1.2, "shape_1": -0.5, "shape_2": 0.8})
    np.testing.assert_array_equal(by_name.vertices, whole.vertices)


def test_what_a_mesh_differs_by_from_the_body_is_measured(twin_body):
    """A belt of 10 mm about the waist, which no shape coefficient has."""
    rest = OURS.rest(PERSON)
    plain = measurements_of(smpl_mesh_figure(twin_body, rest.vertices[KEPT]))
    x = rest.vertices[KEPT].astype(float)
    waist = 0.5 * (figure(rest).points["rib_10_r"] + figure(rest).points["iliac_crest_r"])[1]
    belt = (np.abs(x[:, 1] - waist) < 0.06) & (np.abs(x[:, 0]) < 0.25)
    out = x[belt] * [1, 0, 1] - [0, 0, x[belt, 2].mean()]
    x[belt] += 0.01 * out / np.linalg.norm(out, axis=1, keepdims=True)
    wider = measurements_of(smpl_mesh_figure(twin_body, x))
    assert wider["waist_girth"] - plain["waist_girth"] == pytest.approx(0.01 * 2 * np.pi, abs=0.012)
    assert wider["calf_girth"] == pytest.approx(plain["calf_girth"], abs=0.002)


def test_what_cannot_be_measured_is_refused(twin_body):
    x = twin_body.rest().vertices
    with pytest.raises(InputError, match="expected finite"):
        smpl_mesh_figure(twin_body, x[:-1])
    with pytest.raises(InputError, match="expected finite"):
        smpl_mesh_figure(twin_body, np.where(x > 0.8, np.nan, x))
    with pytest.raises(InputError, match="in the order of its own vertices"):
        smpl_mesh_figure(twin_body, x[::-1])
    with pytest.raises(InputError, match="expected metres"):
        smpl_mesh_figure(twin_body, 100 * x)
    with pytest.raises(InputError, match="expected up to 10 values"):
        smpl_figure(twin_body, np.zeros(11))
    with pytest.raises(InputError, match="expected 'r' or 'l'"):
        smpl_figure(twin_body, side="both")  # type: ignore[arg-type]


def tolerance(name: str, value: float) -> float:
    return LEFT if DEFINITIONS[name].unit == "m" else 0.02 * value
