"""OpenSim loads what was written without a remark, and moves it to where marrow has it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from marrow import io
from marrow.bench.osim_export import blended, export_of, random_person, replay
from marrow.body import DefaultBody, load_body
from marrow.conventions import to_ground
from marrow.data.motion_pack import motion_pack
from marrow.errors import InputError, OutputError
from marrow.io.mot import read_mot
from marrow.io.trc import MarkerData, read_trc
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import template
from marrow.skeleton.osim import Kinematics, fit_markers, read_osim
from marrow.types import OBSERVED, PRIOR, Motion

opensim = pytest.importorskip("opensim")
opensim.Logger.removeFileSink()

FILES = ("skeleton.osim", "motion.mot", "markers.trc")


@pytest.fixture(scope="module")
def body() -> DefaultBody:
    return load_body("default")


def somebody(body: DefaultBody, seed: int = 0, poses: int = 4) -> io.PersonExport:
    return export_of(body, *random_person(body, np.random.default_rng(seed), poses))


def save(folder: Path, person: io.PersonExport) -> None:
    for name in FILES:
        assert io.save(folder / name, person) == []


@pytest.mark.parametrize("seed", range(15))
def test_random_people_are_where_they_should_be(body, tmp_path, seed):
    """Part of benchmarks/osim_export.py, which does 200."""
    rest, skeleton, motion = random_person(body, np.random.default_rng(100 + seed), 4)
    person = export_of(body, rest, skeleton, motion)
    save(tmp_path, person)
    found = replay(tmp_path, person)
    assert found.log == ""
    assert max(found.centres_mm, found.markers_mm, found.meshes_mm) < 0.01
    assert found.coordinates_deg < 1e-5
    assert 1.0 < found.mass_kg < 250.0
    sliding = blended(body, rest, skeleton, person)
    assert max(values.max() for values in sliding.values()) < 250.0
    assert sliding["VERT"].max() < 0.1  # the skin is float32


def test_what_was_never_seen_is_welded_or_locked(body, tmp_path):
    person = somebody(body)
    names = person.motion.coordinates
    mark = np.full(person.motion.q.shape, OBSERVED, np.uint8)
    unseen = [i for i, n in enumerate(names) if n.startswith(("index_", "thumb_cmc_abd_r", "wrist_dev_l"))]
    mark[:, unseen] = PRIOR
    q = person.motion.q.copy()
    q[:, unseen] = q[0, unseen]
    motion = dataclasses.replace(person.motion, q=q, mark=mark)
    R, p = person.skeleton.forward(q, motion.translation)
    person = dataclasses.replace(person, motion=motion, R=R, p=p)
    save(tmp_path, person)
    found = replay(tmp_path, person)
    assert found.log == ""
    assert max(found.centres_mm, found.markers_mm) < 0.01
    model = opensim.Model(str(tmp_path / "skeleton.osim"))
    state = model.initSystem()
    assert model.getJointSet().get("index_pip_r").getConcreteClassName() == "WeldJoint"
    locked = {c.getName() for c in model.getCoordinateSet() if c.getLocked(state)}
    assert locked == {"thumb_cmc_abd_r", "wrist_dev_l"}
    assert set(names) - set(read_mot(tmp_path / "motion.mot").names) == {n for n in names if n.startswith("index_")}


def test_units_times_and_gaps(body, tmp_path):
    person = somebody(body, 1)
    observed = np.array([True, False, True, True])
    person = dataclasses.replace(person, motion=dataclasses.replace(person.motion, observed=observed))
    save(tmp_path, person)
    table = read_mot(tmp_path / "motion.mot")
    assert table.in_degrees
    np.testing.assert_array_equal(table.time, person.motion.time)
    knee = person.motion.q[:, person.motion.coordinates.index("knee_angle_r")]
    np.testing.assert_allclose(table.column("knee_angle_r"), np.degrees(knee), atol=1e-7)
    np.testing.assert_allclose(table.column("pelvis_tx"), to_ground(person.motion.translation)[:, 0], atol=1e-7)
    markers = read_trc(tmp_path / "markers.trc")
    assert markers.units == "m"
    np.testing.assert_array_equal(markers.time, person.motion.time)
    assert np.isnan(markers.xyz[1]).all()
    assert np.isfinite(markers.xyz[observed]).all()
    assert np.isfinite(table.values).all()


def test_opensim_does_not_clip_what_lies_beyond_the_soft_ranges(body, tmp_path):
    person = somebody(body, 2)
    q = person.motion.q.copy()
    knee = person.motion.coordinates.index("knee_angle_r")
    q[1, knee] = np.radians(170.0)
    motion = dataclasses.replace(person.motion, q=q)
    io.save(tmp_path / "skeleton.osim", dataclasses.replace(person, motion=motion))
    model = opensim.Model(str(tmp_path / "skeleton.osim"))
    state = model.initSystem()
    coordinate = model.getCoordinateSet().get("knee_angle_r")
    assert coordinate.getClamped(state)
    coordinate.setValue(state, float(q[1, knee]))  # as the program with windows does it
    assert coordinate.getValue(state) == pytest.approx(q[1, knee], abs=1e-9)
    assert coordinate.getRangeMin() == pytest.approx(np.radians(-5), abs=1e-9)


def test_one_picture_is_enough(body, tmp_path):
    person = somebody(body, 3, poses=1)
    save(tmp_path, person)
    assert replay(tmp_path, person).markers_mm < 0.01


def test_a_known_mass_and_the_credits_are_in_the_model(body, tmp_path):
    person = dataclasses.replace(somebody(body, 4), mass_kg=81.5, extras={"body": "CC0 & Apache"})
    io.save(tmp_path / "a.osim", person)
    model = opensim.Model(str(tmp_path / "a.osim"))
    assert model.getTotalMass(model.initSystem()) == pytest.approx(81.5)
    assert "marrow" in model.get_credits()
    assert "CC0 & Apache" in model.get_credits()
    assert "Bones: marrow's, CC0" in model.get_credits()
    assert "Rajagopal" in model.get_publications()


def test_people_share_a_folder(body, tmp_path):
    for k in range(2):
        io.save(tmp_path / f"p{k}.osim", somebody(body, k))
    meshes = {path.name for path in (tmp_path / "Geometry").iterdir()}
    assert {"p0_femur_r.obj", "p1_femur_r.obj"} <= meshes
    assert all(name.startswith(("p0_", "p1_")) for name in meshes)
    vertices = sum(path.read_text().count("v ") for path in (tmp_path / "Geometry").glob("p0_*"))
    assert vertices == sum(len(bone) for bone in template("light").vertices.values())


def test_a_body_without_bony_landmarks_has_no_bones(body, tmp_path):
    person = dataclasses.replace(somebody(body, 1), bony={})
    save(tmp_path, person)
    assert not (tmp_path / "Geometry").exists()
    found = replay(tmp_path, person)
    assert found.log == ""
    assert "ones" not in opensim.Model(str(tmp_path / "skeleton.osim")).get_credits()


def test_dense_weights_give_the_same_model(body, tmp_path):
    person = somebody(body, 5)
    sparse = person.weights
    dense = np.zeros((len(person.vertices), len(person.bodies)))
    np.add.at(dense, (np.repeat(np.arange(len(dense)), np.diff(sparse.start)), sparse.body), sparse.weight)
    io.save(tmp_path / "a.osim", person)
    one = (tmp_path / "a.osim").read_text()
    io.save(tmp_path / "a.osim", dataclasses.replace(person, weights=dense))
    masses = [[float(line.split(">")[1].split("<")[0]) for line in text.splitlines() if "<mass>" in line]
              for text in (one, (tmp_path / "a.osim").read_text())]  # fmt: skip
    np.testing.assert_allclose(*masses, rtol=1e-6)
    assert len(masses[0]) == len(person.bodies)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(body, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Geometry"):
        io.save(tmp_path / "a.osim", somebody(body))


def test_bad_input_is_told(body, tmp_path):
    person = somebody(body)
    with pytest.raises(OutputError):
        io.save(tmp_path / "no" / "a.osim", person)
    with pytest.raises(InputError, match="mass_kg"):
        io.save(tmp_path / "a.osim", dataclasses.replace(person, mass_kg=-1.0))
    with pytest.raises(InputError, match="no markers"):
        io.save(tmp_path / "a.trc", dataclasses.replace(person, markers={}))
    (tmp_path / "Geometry").write_text("a file")
    with pytest.raises(OutputError, match="Geometry"):
        io.save(tmp_path / "a.osim", person)
    assert not (tmp_path / "a.osim").exists()


def exact_markers(
    body: DefaultBody, folder: Path, clip: str, frames: slice | list[int]
) -> tuple[Kinematics, MarkerData]:
    """A model that marrow exports, and the markers that it has in frames of a clip of the motion pack."""
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    q = motion_pack().motion(clip).full(skeleton.coordinates)[frames]
    motion = Motion(np.arange(len(q)) / 10, skeleton.coordinates, q, skeleton.forward(q)[1][:, 0], {})
    save(folder, export_of(body, rest, skeleton, motion))
    return Kinematics(read_osim(folder / "skeleton.osim")), read_trc(folder / "markers.trc")


def test_marrow_ik_finds_the_motion_of_its_own_model(body, tmp_path):
    """Jumping with the arms overhead: no frame is read on the far side of the clamped shoulder, not even alone."""
    model, recorded = exact_markers(body, tmp_path, "te_jumping_1", slice(None, None, 9))
    assert 1000 * fit_markers(model, recorded.names, recorded.xyz).rms.max() < 1.0
    alone = [fit_markers(model, recorded.names, recorded.xyz[[t]]).rms[0] for t in (8, 10, 16, 18)]
    assert 1000 * max(alone) < 1.0


def test_marrow_ik_reads_a_shoulder_the_other_way_where_its_range_asks_for_it(body, tmp_path):
    """Climbing: raised arms and shoulder blades, each frame alone; some were off by up to 9 mm."""
    model, recorded = exact_markers(body, tmp_path, "01_12", [72, 198, 234, 450, 612, 702])
    alone = [fit_markers(model, recorded.names, recorded.xyz[[t]]) for t in range(len(recorded.xyz))]
    assert 1000 * max(fit.rms[0] for fit in alone) < 0.3
    pelvis = [abs(fit.q[0, model.index("pelvis_tilt")]) for fit in alone]
    assert max(pelvis) < np.pi / 2, "read without whole turns"
