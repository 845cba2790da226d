"""Measurements of a body: against geometry computed otherwise, by laws of scale and symmetry, and against surveys."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from marrow.body import load_body
from marrow.body.measurements import DEFINITIONS, Figure, figure, measure, measure_mesh, measurements_of
from marrow.body.sections import Plane, level, perimeter, section, tape
from marrow.errors import InputError, UnknownNameError
from marrow.skeleton.inertia import BODY_DENSITY

BODY = load_body()
PEOPLE = {
    "man": {"gender": 0.0},
    "woman": {"gender": 1.0, "weight": 0.6},
    "child": {"age": 0.2},
    "baby": {"age": -0.2, "weight": 0.7},
    "heavy": {"gender": 0.6, "weight": 1.0, "muscle": 0.1},
}


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: figure(BODY.rest(shape)) for name, shape in PEOPLE.items()}


def hull_of_section(f: Figure, plane: Plane, near) -> float:
    """Perimeter of the hull of the section's loop next to a point, by trimesh."""
    mesh = trimesh.Trimesh(f.vertices, f.faces, process=False)
    path = mesh.section(plane_origin=plane.origin, plane_normal=plane.normal)
    assert path is not None
    loop = min(path.discrete, key=lambda x: np.linalg.norm(0.5 * (x.min(0) + x.max(0)) - near))
    axes = np.linalg.svd(np.eye(3) - np.outer(plane.normal, plane.normal))[0][:, :2]
    return float(ConvexHull(loop @ axes).area)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize(
    ("name", "start", "end", "share"),
    [
        ("mid_thigh_girth", "hip", "knee", 0.5),
        ("knee_girth", "hip", "knee", 1.0),
        ("upper_arm_girth", "acromion", "lateral_humeral_epicondyle", 0.5),
        ("wrist_girth", "elbow", "wrist", 1.0),
    ],
)
def test_girths_of_limbs_are_hulls_of_their_sections(figures, who, name, start, end, share):
    f = figures[who]
    a, b = f.at(start), f.at(end)
    at = a + share * (b - a)
    expected = hull_of_section(f, Plane(at, (b - a) / np.linalg.norm(b - a)), at)
    assert DEFINITIONS[name].take(f) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("who", ["man", "woman", "child", "heavy"])
def test_girths_of_the_trunk_leave_the_arms_out(figures, who):
    f = figures[who]
    heights = {
        "chest_girth": 0.5 * np.add(*f.both("nipple"))[1],
        "waist_girth": 0.5 * (f.at("rib_10") + f.at("iliac_crest"))[1],
        "hip_girth": 0.5 * np.add(*f.both("buttock"))[1],
    }
    for name, height in heights.items():
        middle = np.array([0.0, height, f.at("crotch")[2]])
        expected = hull_of_section(f, level(height), middle)
        assert DEFINITIONS[name].take(f) == pytest.approx(expected, abs=1e-6), name
        ring_of = DEFINITIONS[name].ring
        assert ring_of is not None
        ring = ring_of(f).points(f)
        np.testing.assert_allclose(ring[:, 1], height, atol=1e-9)
        assert perimeter(ring) == pytest.approx(expected, abs=1e-6)


def test_a_babys_chest_ends_where_the_arms_begin(figures):
    f = figures["baby"]
    breadth = DEFINITIONS["chest_breadth"].take(f)
    assert breadth <= np.linalg.norm(np.subtract(*f.both("acromion"))) + 1e-9
    assert DEFINITIONS["chest_girth"].take(f) > 2.0 * breadth


@pytest.mark.parametrize("who", PEOPLE)
def test_calf_and_ankle_are_the_extremes_of_the_shank(figures, who):
    f = figures[who]
    knee, ankle = f.at("knee"), f.at("ankle")
    normal = (ankle - knee) / np.linalg.norm(ankle - knee)

    def at(share):
        point = knee + share * (ankle - knee)
        return hull_of_section(f, Plane(point, normal), point)

    assert DEFINITIONS["calf_girth"].take(f) == pytest.approx(max(map(at, np.linspace(0.12, 0.5, 20))), abs=1.5e-3)
    assert DEFINITIONS["ankle_girth"].take(f) == pytest.approx(min(map(at, np.linspace(0.72, 0.97, 20))), abs=1.5e-3)


def test_a_sphere_and_a_cylinder_measure_what_they_are():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.2)
    (piece,) = section(ball.vertices, ball.faces, level(0.1))
    ring = piece.points[tape(piece.points, np.array([0.0, 1.0, 0.0]))]
    assert perimeter(ring) == pytest.approx(2 * np.pi * np.sqrt(0.2**2 - 0.1**2), rel=2e-3)
    assert section(ball.vertices, ball.faces, level(0.3)) == []
    vertices = np.concatenate([ball.vertices, ball.vertices + [1.0, 0.0, 0.0]])
    faces = np.concatenate([ball.faces, ball.faces + len(ball.vertices)])
    assert len(section(vertices, faces, level(0.05))) == 2
    star = np.array([[0, 0, 0], [1, 0, 0], [0.5, 0, 0.2], [1, 0, 1], [0, 0, 1]], float)  # a hollow is bridged
    assert perimeter(star[tape(star, np.array([0.0, 1.0, 0.0]))]) == pytest.approx(4.0)


def test_whole_body_measures(figures):
    f = figures["woman"]
    mesh = trimesh.Trimesh(f.vertices, f.faces, process=False)
    found = measurements_of(f)
    assert found["volume"] == pytest.approx(mesh.volume, rel=1e-9)
    assert found["surface_area"] == pytest.approx(mesh.area, rel=1e-9)
    assert found["mass"] == pytest.approx(BODY_DENSITY * mesh.volume, rel=1e-9)
    assert found["bmi"] == pytest.approx(found["mass"] / found["stature"] ** 2)
    assert found["stature"] == pytest.approx(BODY.stature(PEOPLE["woman"]), abs=1e-6)


@pytest.mark.parametrize("who", ["man", "child"])
def test_a_body_scaled_evenly_scales_its_measures(figures, who):
    f, scale = figures[who], 1.3
    larger = dataclasses.replace(f, vertices=scale * f.vertices, points={n: scale * x for n, x in f.points.items()})
    before, after = measurements_of(f), measurements_of(larger)
    power = {"m": 1, "m2": 2, "m3": 3, "kg": 3, "kg/m2": 1}
    for name, value in before.items():
        assert after[name] == pytest.approx(scale ** power[DEFINITIONS[name].unit] * value, rel=1e-6), name


@pytest.mark.parametrize("who", PEOPLE)
def test_left_and_right_are_alike(who):
    rest = BODY.rest(PEOPLE[who])
    right, left = measure(rest), measure(rest, "l")
    for name in DEFINITIONS:
        assert left[name] == pytest.approx(right[name], rel=0.012), name


def test_sides_differ_where_bones_do():
    rest = BODY.rest(bones={"femur_l": 0.45})
    assert measure(rest, "l")["femur_length"] == pytest.approx(0.45, abs=1e-6)
    assert measure(rest, "r")["femur_length"] < 0.41
    with pytest.raises(InputError, match="'r' or 'l'"):
        measure(rest, "both")  # pyright: ignore[reportArgumentType]


def test_weight_adds_to_every_girth_and_hardly_to_bones():
    found = [measure(BODY.rest({"weight": w})) for w in (0.1, 0.35, 0.6, 0.9)]
    lean = ("head_girth", "ankle_girth", "wrist_girth")  # the shape space puts no fat there
    for name, definition in DEFINITIONS.items():
        values = [m[name] for m in found]
        if name in ("volume", "mass", "bmi") or (definition.kind == "girth" and name not in lean):
            assert np.all(np.diff(values) > 0), name
    for name in ("stature", "femur_length", "tibia_length", "foot_length"):
        assert np.ptp([m[name] for m in found]) < 0.03 * found[0][name], name


def test_longer_bones_leave_girths_alone():
    rest = BODY.rest({"gender": 1.0})
    before = measure(rest)
    after = measure(BODY.rest({"gender": 1.0}, bones={"femur": 1.08 * before["femur_length"]}))
    assert after["femur_length"] == pytest.approx(1.08 * before["femur_length"], abs=1e-6)
    assert after["stature"] > before["stature"] + 0.02
    for name in ("mid_thigh_girth", "calf_girth", "hip_girth", "waist_girth", "chest_girth", "upper_arm_girth"):
        assert after[name] == pytest.approx(before[name], abs=0.001), name


#: Means of the 2012 survey of the US Army (ANSUR II: Gordon et al. 2014), men and women, in metres and rounded.
ANSUR = {
    "cervical_height": (1.52, 1.40), "acromial_height": (1.44, 1.34), "crotch_height": (0.85, 0.78),
    "hand_length": (0.19, 0.18), "foot_length": (0.27, 0.25), "biacromial_breadth": (0.42, 0.37),
    "bicristal_breadth": (0.28, 0.27), "chest_depth": (0.25, 0.25), "waist_breadth": (0.33, 0.30),
    "hip_breadth": (0.346, 0.354), "head_length": (0.20, 0.19), "head_breadth": (0.154, 0.148),
    "head_girth": (0.57, 0.56), "neck_girth": (0.40, 0.33), "chest_girth": (1.06, 0.95), "waist_girth": (0.94, 0.86),
    "hip_girth": (1.02, 1.02), "thigh_girth": (0.625, 0.615), "calf_girth": (0.39, 0.373),
    "ankle_girth": (0.23, 0.216), "wrist_girth": (0.176, 0.155),
}  # fmt: skip


@pytest.mark.parametrize(("column", "gender", "stature", "mass"), [(0, 0.0, 1.756, 85.5), (1, 1.0, 1.629, 67.8)])
def test_a_body_of_average_stature_and_mass_has_average_measures(column, gender, stature, mass):
    from marrow.fit.measurements import fit_measurements

    found = fit_measurements({"stature": stature, "mass": mass}, {"gender": gender}).measurements
    off = {name: found[name] / means[column] - 1.0 for name, means in ANSUR.items()}
    assert max(map(abs, off.values())) < 0.16, off
    assert float(np.mean(np.abs(list(off.values())))) < 0.06, off


def test_a_mesh_measures_as_the_body_it_is():
    rest = BODY.rest({"gender": 1.0, "weight": 0.5})
    by_mesh, by_rest = measure_mesh(rest.vertices), measure(rest)
    for name in DEFINITIONS:
        assert by_mesh[name] == pytest.approx(by_rest[name], rel=2e-4), name


def test_what_cannot_be_measured_is_told():
    x = BODY.rest().vertices
    with pytest.raises(InputError, match=r"13718, 3.*Figure"):
        measure_mesh(x[:100])
    with pytest.raises(InputError, match="upright, Y up"):
        measure_mesh(x[:, [0, 2, 1]])
    with pytest.raises(InputError, match="faces \\+Z"):
        measure_mesh(x * [-1, 1, -1])
    with pytest.raises(InputError, match=r"landmarks .*missing"):
        measurements_of(Figure(x.astype(float), BODY.faces, {}))
    with pytest.raises(UnknownNameError, match="did you mean waist_girth"):
        measure(BODY.rest())["waist_grith"]
    assert "waist" not in measure(BODY.rest())


def test_every_definition_says_how_and_whence_and_so_does_the_page():
    page = (Path(__file__).parents[2] / "docs" / "measurements.md").read_text(encoding="utf-8")
    for name, definition in DEFINITIONS.items():
        assert f"| `{name}` | {definition.text} | {definition.standard} |" in page
        assert name == definition.name
        assert definition.text
        assert definition.standard
        assert definition.unit in ("m", "kg", "m2", "m3", "kg/m2")
        assert definition.kind in ("length", "breadth", "girth", "whole")
