"""Landmarks: same points on everybody, mirrored, on the skin, with bone under it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marrow.body import anatomy, load_body
from marrow.errors import InputError

PEOPLE = ({}, {"gender": 0.0}, {"gender": 1.0, "weight": 1.0}, {"weight": 0.0}, {"age": 0.2}, {"age": -1 / 3})


@pytest.fixture(scope="module")
def body():
    return load_body()


def test_there_are_some_sixty_with_isb_names():
    names = {mark.name.removesuffix("_r").removesuffix("_l") for mark in anatomy.landmarks()}
    assert 60 <= len(names) <= 70
    assert {"asis", "psis", "c7", "t8", "acromion", "medial_malleolus", "ulnar_styloid", "metatarsal_head_5"} <= names
    isb = {mark.name: mark.isb for mark in anatomy.landmarks()}
    assert (isb["acromion_r"], isb["scapula_trigonum_l"], isb["suprasternal_notch"]) == ("AA", "TS", "IJ")


@pytest.mark.parametrize("shape", PEOPLE)
def test_left_is_the_mirror_image_of_right(body, shape):
    rest = body.rest(shape)
    for points in (anatomy.skin_landmarks(rest), anatomy.bony_landmarks(rest)):
        for name, x in points.items():
            twin = name[:-2] + "_l" if name.endswith("_r") else name
            if not name.endswith("_l"):
                assert np.allclose(points[twin] * [-1, 1, 1], x, atol=1e-4), name


@pytest.mark.parametrize("shape", PEOPLE)
def test_bony_points_lie_under_the_skin(body, shape):
    import trimesh

    rest = body.rest(shape)
    mesh = trimesh.Trimesh(rest.vertices, body.faces, process=False)
    lines = anatomy.finger_lines(rest.bones)
    bony = {n: x for n, x in anatomy.bony_landmarks(rest).items() if n not in lines}
    inside = mesh.contains(np.array(list(bony.values())))
    assert inside.all(), [n for n, good in zip(bony, inside, strict=True) if not good]


@pytest.mark.parametrize("shape", PEOPLE)
def test_fingers_are_read_off_the_rigs_middle_lines(body, shape):
    import trimesh

    rest = body.rest(shape)
    lines, marks = anatomy.finger_lines(rest.bones), anatomy.bony_landmarks(rest)
    assert len(lines) == 2 * 5 * 3
    assert lines["thumb_cmc_r"] == rest.bones.index("finger1-1.R")
    assert lines["little_dip_l"] == rest.bones.index("finger5-3.L")
    for name, row in lines.items():
        np.testing.assert_array_equal(marks[name], rest.bone_heads[row])
    mesh = trimesh.Trimesh(rest.vertices, body.faces, process=False)
    assert mesh.contains(rest.bone_heads[list(lines.values())]).all()


def test_soft_tissue_follows_weight(body):
    for mark in anatomy.landmarks():
        assert 0.003 <= mark.depth[0] <= mark.depth[1] <= mark.depth[2] <= 0.06, mark.name
    rest = body.rest({})
    thin, heavy = anatomy.bony_landmarks(rest, 0.0), anatomy.bony_landmarks(rest, 1.0)
    skin = anatomy.skin_landmarks(rest)["asis_r"]
    depth = [np.linalg.norm(x["asis_r"] - skin) for x in (thin, heavy)]
    assert depth[0] == pytest.approx(0.010, rel=0.05)
    assert depth[1] > depth[0] + 0.008


def test_heights_are_those_of_adults(body):
    """Against stature, men of Gordon et al. 1989 (ANSUR): within 1.5 % of stature."""
    rest = body.rest({"gender": 0.0})
    tall = rest.vertices[:, 1].max()
    height = {name: x[1] / tall for name, x in anatomy.skin_landmarks(rest).items()}
    for name, expected in {
        "acromion_r": 0.821, "suprasternal_notch": 0.817, "rib_10_r": 0.640, "asis_r": 0.560,
        "greater_trochanter_r": 0.525, "lateral_malleolus_r": 0.040, "tragus_r": 0.925,
    }.items():  # fmt: skip
        assert height[name] == pytest.approx(expected, abs=0.015), name


def test_solvers_read_a_few_vertices_of_many_bodies(body):
    reader = anatomy.reader()
    rests = [body.rest(s) for s in ({}, {"age": 0.3})]
    together = reader.bones_of(np.stack([r.vertices[reader.vertex_ids] for r in rests]), 0.5)
    assert len(reader.vertex_ids) < 1000
    for rest, found in zip(rests, together, strict=True):
        alone = anatomy.bony_landmarks(rest, 0.5)
        assert np.allclose(found, [alone[name] for name in reader.names], atol=1e-12)


def test_the_page_tells_every_landmark_and_its_depth():
    page = (Path(__file__).parents[2] / "docs" / "anatomy.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for mark in anatomy.landmarks():
        depths = " / ".join(f"{1000 * d:.0f}" for d in mark.depth)
        assert rows[mark.name.removesuffix("_r").removesuffix("_l")].endswith(f"| {depths} |"), mark.name


def test_weight_out_of_range_is_refused(body):
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        anatomy.bony_landmarks(body.rest({}), 1.2)
