"""Bone meshes: closed, mirrored, inside the skin on ten people (benchmarks/bones.py does a hundred), about 15 s."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from marrow import io
from marrow.bench.osim_export import export_of, random_person
from marrow.body import anatomy, load_body
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import bone_meshes, bones, segment_of, template
from marrow.skeleton.joint_centres import joint_centres


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "benchmarks" / "bones.py"
    spec = importlib.util.spec_from_file_location("bench_bones", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_bones"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_bones"]


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def adult(body):
    marks = anatomy.bony_landmarks(body.rest({}))
    return marks, joint_centres(marks)


def test_a_skeleton_has_two_hundred_bones(adult):
    meshes = bone_meshes(*adult)
    assert {"skull", "mandible", "sacrum", "C1", "T12", "L5", "rib_1_r", "rib_12_l", "patella_r", "talus_l"} <= set(
        meshes
    )
    cartilage = [name for name in meshes if name.startswith("costal_cartilage")]
    # 206 in an adult, without hyoid and six ear bones; 22 bones of the head are two here, sacrum and coccyx one
    assert len(meshes) - len(cartilage) == 206 - 1 - 6 - 20 - 1


@pytest.mark.parametrize("detail", ["full", "light"])
def test_every_bone_is_a_closed_surface_seen_from_outside(adult, detail):
    for name, mesh in bone_meshes(*adult, detail=detail).items():
        f = mesh.faces.astype(np.int64)
        edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
        there, back = (np.sort(e[:, 0] * len(mesh.vertices) + e[:, 1]) for e in (edges, edges[:, ::-1]))
        assert np.array_equal(there, back), name  # each edge is walked as often one way as the other
        a, b, c = mesh.vertices[f].astype(float).transpose(1, 0, 2)
        volume_ml = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 * 1e6
        assert 0.1 < volume_ml < 4000, name


def test_the_light_bones_are_the_same_bones(adult):
    """Few vertices, near those of the full bone (some 4 mm apart) and as far out as they."""
    full, light = bone_meshes(*adult), bone_meshes(*adult, detail="light")
    assert list(full) == list(light)
    assert 8_000 < sum(len(mesh.vertices) for mesh in light.values()) < 12_000
    for name, mesh in light.items():
        whole = full[name].vertices
        assert cKDTree(whole).query(mesh.vertices)[0].max() < 0.005, name
        for thin, thick in ((mesh.vertices.min(0), whole.min(0)), (mesh.vertices.max(0), whole.max(0))):
            assert np.abs(thin - thick).max() < 0.005, name


def test_light_bones_of_the_midline_mirror_themselves(adult):
    for name, mesh in bone_meshes(*adult, detail="light").items():
        if not name.endswith(("_r", "_l")):
            near = cKDTree(mesh.vertices).query(mesh.vertices * [-1, 1, 1])[0]
            assert near.max() < 1e-5, name


@pytest.mark.parametrize("detail", ["full", "light"])
def test_the_average_adults_bones_are_the_template(adult, detail):
    stored = template(detail)
    for name, mesh in bone_meshes(*adult, detail=detail).items():
        assert np.allclose(mesh.vertices, stored.vertices[name], atol=1e-6), name


@pytest.mark.parametrize(("detail", "stride"), [("full", 12), ("light", 2)])
def test_ten_people_from_newborn_to_old(body, bench, detail, stride):
    measure = bench.Measure(body)
    for shape in bench.people(10, seed=3):
        found = bench.measured(measure, shape, stride=stride, detail=detail)
        assert found["inside"] >= 0.995, (shape, found["outside_of"])
        assert found["asymmetry_mm"] <= 0.1
        for site, width in found["widths"].items():
            assert 0.60 <= width <= 0.98, (site, width, shape)


def test_points_outside_are_counted_outside(body, bench):
    """The measure itself: points pushed out of the skin, and points in the mouth, which is lined with skin."""
    rest = body.rest({})
    measure = bench.Measure(body)
    skin = anatomy.skin_landmarks(rest)
    inwards = anatomy.bony_landmarks(rest)
    names = ["patella_r", "c7", "asis_l", "vertex", "rib_6_r"]
    out = np.array([skin[n] + 0.2 * (skin[n] - inwards[n]) for n in names])
    assert not measure.inside(rest.vertices, out).any()
    mouth = 0.5 * (skin["subnasale"] + skin["menton"]) + [0.0, 0.0, -0.035]
    assert measure.inside(rest.vertices, mouth[None]).all()


def test_bones_ride_on_the_segments(adult):
    skeleton = Skeleton.inside(adult[1])
    frames = dict(zip(skeleton.bodies, skeleton.bind, strict=True))
    parts = bones(adult[0], adult[1], frames)
    assert {"pelvis", "femur_r", "tibia_l", "torso", "head", "humerus_r", "radius_l", "index_distal_r"} <= set(parts)
    assert {"lumbar", "clavicle_r", "scapula_l"} <= set(parts), "lumbar spine and shoulder blades have their own"
    assert sum(len(m.vertices) for m in parts.values()) == sum(len(m.vertices) for m in bone_meshes(*adult).values())
    femur = parts["femur_r"].vertices
    # in the thigh's frame: the head around the origin, the condyles a thigh's length below, Z to the right
    assert np.sqrt((femur**2).sum(1)).min() < 0.026
    thigh = np.linalg.norm(adult[1]["hip_r"] - adult[1]["knee_r"])
    assert femur[:, 1].min() == pytest.approx(-thigh - 0.025, abs=0.012)
    assert femur[:, 2].max() > -femur[:, 2].min()
    back = femur @ frames["femur_r"][:3, :3].T + frames["femur_r"][:3, 3]
    assert np.allclose(back, bone_meshes(*adult)["femur_r"].vertices, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_meshes_beside_a_written_model_are_bones_inside_the_skin(body, bench, tmp_path, seed):
    """As OpenSim draws them: each file in its segment's frame; that it loads them without a remark is tested in io."""
    pytest.importorskip("opensim")
    rest, skeleton, motion = random_person(body, np.random.default_rng(seed), 2)
    person = export_of(body, rest, skeleton, motion)
    io.save(tmp_path / "x.osim", person)
    files = dict(re.findall(r'<Mesh name="(\w+)_geom_1">.*?<mesh_file>([^<]+)<', (tmp_path / "x.osim").read_text()))
    assert set(files) == {segment_of(name, skeleton.bodies) for name in template("light").vertices}
    assert {path.name for path in (tmp_path / "Geometry").iterdir()} == set(files.values())
    world = {}
    for segment, file in files.items():
        lines = (tmp_path / "Geometry" / file).read_text().splitlines()
        local = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
        frame = skeleton.bind[skeleton.body_index(segment)]
        world[segment] = local @ frame[:3, :3].T + frame[:3, 3]
    assert bench.Measure(body).inside(rest.vertices, np.concatenate(list(world.values()))).mean() >= 0.995
    for segment, x in world.items():
        if segment.endswith("_r"):
            np.testing.assert_allclose(x * [-1, 1, 1], world[f"{segment[:-1]}l"], atol=2e-5, err_msg=segment)


def test_trees_with_fewer_or_more_segments(adult):
    few = {"pelvis", "torso", "head", "clavicle_r", "hand_r", "tibia_r", "calcn_r"}
    assert segment_of("index_distal_r", few) == "hand_r"
    assert segment_of("scapula_r", few) == "clavicle_r"
    assert segment_of("L3", few) == "torso"
    assert segment_of("patella_r", few) == "tibia_r"
    more = few | {"scapula_r", "lumbar", "index_distal_r", "patella_r"}
    assert segment_of("index_distal_r", more) == "index_distal_r"
    assert segment_of("scapula_r", more) == "scapula_r"
    assert (segment_of("L3", more), segment_of("T3", more), segment_of("rib_3_r", more)) == (
        "lumbar",
        "torso",
        "torso",
    )
    with pytest.raises(InputError, match="femur"):
        segment_of("femur_r", few)


def test_faults_are_told(adult):
    marks, centres = adult
    with pytest.raises(InputError, match="patella_l"):
        bone_meshes({k: v for k, v in marks.items() if k != "patella_l"}, centres)
    with pytest.raises(InputError, match="finite"):
        bone_meshes(marks | {"c7": np.full(3, np.nan)}, centres)
    with pytest.raises(InputError, match="coincide"):
        bone_meshes(marks | {"euryon_r": marks["euryon_l"]}, centres)
