"""Models with the joint classes of newer OpenSim: they load without a remark, and deviate as much as is said."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from marrow import io
from marrow.bench.osim_export import Moved, export_of, moved, random_person
from marrow.body import DefaultBody, load_body
from marrow.cli import main
from marrow.conventions import R_GROUND_WORLD, to_ground
from marrow.data.motion_pack import motion_pack
from marrow.errors import InputError
from marrow.io.mot import read_mot
from marrow.io.npz import write_motion
from marrow.io.trc import read_trc
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.osim import Kinematics, fit_markers, modern, read_osim
from marrow.skeleton.osim.modern import modernised
from marrow.types import OBSERVED, PRIOR, Motion

opensim = pytest.importorskip("opensim")
opensim.Logger.removeFileSink()

SPINE = ("lumbar_seg", "thorax", "neck")
GLIDING = ("scapula_abduction", "scapula_elevation", "scapula_upward_rot", "scapula_winging")


@pytest.fixture(scope="module")
def body() -> DefaultBody:
    return load_body("default")


def somebody(body: DefaultBody, seed: int, poses: int = 6) -> io.PersonExport:
    """A random person whose scapulae go along with the clavicles, give or take 4 degrees."""
    rng = np.random.default_rng(seed)
    rest, skeleton, motion = random_person(body, rng, poses)
    q = motion.q.copy()
    for f in (f for f in FOLLOWERS if f.name.startswith("scap_")):
        d = skeleton.index(f.name)
        own = f.ratio * q[:, skeleton.index(f.leader)] + rng.normal(0.0, np.radians(4.0), poses)
        q[:, d] = np.clip(own, *skeleton.ranges[d])
    person = export_of(body, rest, skeleton, dataclasses.replace(motion, q=q))
    return dataclasses.replace(person, modern=True, extras={"body": "CC0"})


def save(folder: Path, person: io.PersonExport) -> str:
    """Write the three files; the remark that model and motion have in common."""
    told = [io.save(folder / name, person) for name in ("skeleton.osim", "motion.mot", "markers.trc")]
    assert told[0] == told[1]
    assert len(told[0]) == 1
    assert told[2] == []
    return told[0][0]


def apart(found: Moved, person: io.PersonExport, segment: str) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres and degrees between OpenSim's segment and ours, (T,) each."""
    b, ours = found.bodies.index(segment), person.bodies.index(segment)
    mm = 1000 * np.linalg.norm(found.p[:, b] - person.p[:, ours], axis=-1)
    cosine = 0.5 * (np.einsum("tij,tij->t", found.R[:, b], person.R[:, ours]) - 1.0)
    return mm, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


@pytest.mark.parametrize("seed", range(6))
def test_opensim_agrees_with_the_stated_deviation(body, tmp_path, seed):
    person = somebody(body, seed)
    told = save(tmp_path, person)
    found = moved(tmp_path)
    assert found.log == ""
    deviation = modernised(person.skeleton, person.bony, person.motion.q).deviation
    scapulae_and_arms = [f"{name}_{side}" for name in ("scapula", "humerus") for side in "rl"]
    assert set(deviation.segments) == {"lumbar", "torso", "head", *scapulae_and_arms}
    for k, segment in enumerate(deviation.segments):
        mm, deg = apart(found, person, segment)
        np.testing.assert_allclose(deviation.mm[:, k], mm, atol=1e-3, err_msg=segment)
        np.testing.assert_allclose(deviation.deg[:, k], deg, atol=1e-3, err_msg=segment)
        stated = re.search(rf"{segment} ([\d.]+) \(([\d.]+)\) mm, ([\d.]+) \(([\d.]+)\)°", told)
        expected = [np.median(mm), mm.max(), np.median(deg), deg.max()]
        np.testing.assert_allclose([float(value) for value in stated.groups()], expected, atol=0.051)
    for k, side in enumerate("rl"):
        scapula, clavicle = (found.bodies.index(f"{name}_{side}") for name in ("scapula", "clavicle"))
        local = person.skeleton.offsets[person.bodies.index(f"scapula_{side}")]
        end = found.p[:, clavicle] + found.R[:, clavicle] @ local
        gap = 1000 * np.linalg.norm(end - found.p[:, scapula], axis=-1)
        np.testing.assert_allclose(deviation.gap_mm[:, k], gap, atol=1e-3)
        assert f"acromioclavicular_{side} open by {np.median(gap):.1f} ({gap.max():.1f}) mm" in told
    # what has its own joints stays, what hangs on others goes along without turning
    for segment in ("pelvis", "calcn_l", "tibia_r"):
        assert max(apart(found, person, segment)[0]) < 1e-4
    for side in "rl":
        shift = [apart(found, person, f"{name}_{side}")[0] for name in ("humerus", "hand", "index_distal")]
        np.testing.assert_allclose(shift[1:], np.tile(shift[0], (2, 1)), atol=1e-3)
        assert apart(found, person, f"hand_{side}")[1].max() < 1e-3
    assert told in found.model.get_credits()


@pytest.mark.parametrize("seed", range(10, 14))
def test_segments_are_met_as_well_as_promised(body, seed):
    """Spine and arms keep their orientation; the scapula is off by millimetres and few degrees."""
    person = somebody(body, seed, poses=40)
    deviation = modernised(person.skeleton, person.bony, person.motion.q).deviation
    mm, deg = (
        dict(zip(deviation.segments, values, strict=True))
        for values in (np.median(deviation.mm, 0), np.median(deviation.deg, 0))
    )
    assert max(deg[name] for name in ("lumbar", "torso", "head", "humerus_r", "humerus_l")) < 1e-6
    assert max(mm["lumbar"], mm["torso"]) < 1.5
    assert mm["head"] < 4.0
    assert max(mm["humerus_r"], mm["humerus_l"]) < 4.0
    assert max(deg["scapula_r"], deg["scapula_l"]) < 6.0
    at_rest = modernised(person.skeleton, person.bony, np.zeros((1, len(person.skeleton.coordinates)))).deviation
    assert max(at_rest.mm.max(), at_rest.gap_mm.max()) < 1e-3


def test_classes_names_and_masses(body, tmp_path):
    person = somebody(body, 3)
    save(tmp_path, person)
    plain = dataclasses.replace(person, modern=False)
    assert io.save(tmp_path / "plain.osim", plain) == []
    roots = [ET.parse(tmp_path / f"{name}.osim").getroot() for name in ("skeleton", "plain")]
    new, old = ({j.get("name"): j.tag for j in root.find("Model/JointSet/objects") or ()} for root in roots)
    assert set(old.values()) == {"CustomJoint", "PinJoint"}
    assert [root.get("Version") for root in roots] == ["40500", "40000"]
    assert {name for name, kind in new.items() if kind == "ConstantCurvatureJoint"} == set(SPINE)
    assert {name for name, kind in new.items() if kind == "ScapulothoracicJoint"} == {
        "scapulothoracic_r", "scapulothoracic_l",
    }  # fmt: skip
    assert set(new.values()) == {"CustomJoint", "PinJoint", "ConstantCurvatureJoint", "ScapulothoracicJoint"}
    bodies = [{b.get("name") for b in root.find("Model/BodySet/objects") or ()} for root in roots]
    assert bodies[1] - bodies[0] == {"lumbar_arc", "thorax_arc", "neck_arc"}
    assert len(new) == len(bodies[0])  # no loops
    models = [opensim.Model(str(tmp_path / f"{name}.osim")) for name in ("skeleton", "plain")]
    weights = [model.getTotalMass(model.initSystem()) for model in models]
    assert weights[0] == pytest.approx(weights[1], rel=1e-12)
    for name in SPINE:
        joint = models[0].getJointSet().get(name)
        names = [joint.get_coordinates(k).getName() for k in range(3)]
        assert names == [f"{name}_bending", f"{name}_extension", f"{name}_rotation"]
        b = person.skeleton.body_index({"lumbar_seg": "lumbar", "thorax": "torso", "neck": "head"}[name])
        assert opensim.ConstantCurvatureJoint.safeDownCast(joint).get_length() == person.skeleton.length[b]
    columns = set(read_mot(tmp_path / "motion.mot").names)
    scapula = {f"{way}_{s}" for way in ("scap_protraction", "scap_upward", "scap_tilt") for s in "rl"}
    assert columns ^ set(person.motion.coordinates) == scapula | {f"{name}_{s}" for name in GLIDING for s in "rl"}
    assert columns == {c.getName() for c in models[0].getCoordinateSet()}


def test_our_reader_moves_it_as_opensim_does(body, tmp_path):
    person = somebody(body, 4, poses=12)
    save(tmp_path, person)
    found, ours = moved(tmp_path), Kinematics(read_osim(tmp_path / "skeleton.osim"))
    assert ours.model.warnings == ()
    q = found.q[:, [found.coordinates.index(name) for name in ours.coordinates]]
    R, p = ours.forward(q)
    order = [found.bodies.index(name) for name in ours.bodies]
    np.testing.assert_allclose(p, to_ground(found.p)[:, order], atol=1e-6)
    np.testing.assert_allclose(R_GROUND_WORLD.T @ R, found.R[:, order], atol=1e-6)


def test_marrow_ik_finds_a_walk_again(body, tmp_path):
    """Markers of the skeleton, whose girdle swings, on the modern model: off by what the classes cost, or less."""
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    q = motion_pack().motion("02_01").full(skeleton.coordinates)[::3]
    for side in "rl":
        q[:, skeleton.index(f"clav_elevation_{side}")] = np.radians(10.0) * np.sin(np.arange(len(q)) / 4)
        q[:, skeleton.index(f"clav_protraction_{side}")] = 0.3 * q[:, skeleton.index(f"gh_flex_{side}")]
    motion = Motion(np.arange(len(q)) / 10, skeleton.coordinates, q, skeleton.forward(q)[1][:, 0], {})
    person = dataclasses.replace(export_of(body, rest, skeleton, motion), modern=True)
    save(tmp_path, person)
    model = str(tmp_path / "skeleton.osim")
    out = tmp_path / "found.mot"
    assert main(["ik", "--model", model, "--markers", str(tmp_path / "markers.trc"), "--out", str(out)]) == 0
    found, written = read_mot(out), read_mot(tmp_path / "motion.mot")
    for name in ("knee_angle_r", "lumbar_seg_extension", "neck_rotation", "elbow_flex_l"):
        np.testing.assert_allclose(found.column(name), written.column(name), atol=1.0, err_msg=name)
    ours = Kinematics(read_osim(model))
    recorded = read_trc(tmp_path / "markers.trc")
    fit = fit_markers(ours, recorded.names, recorded.xyz)
    assert 1e-3 < 1000 * fit.errors.max() < 4.0
    clavicles = {f"{name}_{side}" for name in ("clav_protraction", "clav_elevation") for side in "rl"}
    assert clavicles < set(fit.undetermined)  # nothing holds them to the scapulae


def test_what_lies_beyond_the_classes_ends_at_their_edge(body, tmp_path):
    person = somebody(body, 6, poses=3)
    q = person.motion.q.copy()
    skeleton = person.skeleton
    neck = [skeleton.index(f"neck_{way}") for way in ("extension", "bending", "rotation")]
    q[:, neck] = np.radians([(-110.0, 0.0, 0.0), (0.0, 0.0, 100.0), (20.0, 0.0, 40.0)])
    R, p = skeleton.forward(q, person.motion.translation)
    person = dataclasses.replace(person, motion=dataclasses.replace(person.motion, q=q), R=R, p=p)
    save(tmp_path, person)
    found = moved(tmp_path)
    assert found.log == ""  # OpenSim warns beyond a right angle
    _, deg = apart(found, person, "head")
    edge = np.degrees(1.5)
    np.testing.assert_allclose(deg, [110.0 - edge, 100.0 - edge, 0.0], atol=1e-3)


def test_what_was_never_seen_is_welded(body, tmp_path):
    person = somebody(body, 7)
    names = person.motion.coordinates
    unseen = [n for n in names if n.startswith("neck_") or (n.startswith(("clav_", "scap_", "gh_")) and n[-1] == "r")]
    unseen += ["gh_rot_l", "thorax_rotation", "wrist_flex_r"]
    columns = [names.index(name) for name in unseen]
    mark = np.full(person.motion.q.shape, OBSERVED, np.uint8)
    mark[:, columns] = PRIOR
    q = person.motion.q.copy()
    q[:, columns] = 0.5 * q[0, columns]
    R, p = person.skeleton.forward(q, person.motion.translation)
    person = dataclasses.replace(person, motion=dataclasses.replace(person.motion, q=q, mark=mark), R=R, p=p)
    save(tmp_path, person)
    found = moved(tmp_path)
    assert found.log == ""
    kinds = {j.getName(): j.getConcreteClassName() for j in found.model.getJointSet()}
    assert kinds["neck"] == kinds["scapulothoracic_r"] == kinds["sternoclavicular_r"] == "WeldJoint"
    assert kinds["scapulothoracic_l"] == "ScapulothoracicJoint"
    state = found.model.initSystem()
    assert {c.getName() for c in found.model.getCoordinateSet() if c.getLocked(state)} == {"wrist_flex_r"}
    written = set(read_mot(tmp_path / "motion.mot").names)
    assert {"gh_rot_l", "thorax_rotation", "wrist_flex_r"} < written
    assert not written & {"neck_bending", "scapula_winging_r", "gh_flex_r", "clav_elevation_r"}
    mm, deg = apart(found, person, "scapula_r")
    torso = apart(found, person, "torso")[0]
    np.testing.assert_allclose(mm, torso, atol=1e-3)  # welded where it is, it is only carried along
    assert max(deg) < 1e-3
    assert max(apart(found, person, "humerus_l")[1]) < 1e-3
    assert max(apart(found, person, "head")[1]) < 1e-3


def test_one_picture_is_enough(body, tmp_path):
    person = somebody(body, 8, poses=1)
    assert "in 1 frames" in save(tmp_path, person)
    assert moved(tmp_path).log == ""


def test_convert_computes_writes_and_tells_them_once(body, tmp_path, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr(modern, "modernised", lambda *given: calls.append(given) or modernised(*given))
    motion = somebody(body, 11, poses=3).motion
    write_motion(tmp_path / "m.npz", motion)
    files = [str(tmp_path / f"m.{suffix}") for suffix in ("osim", "mot", "trc")]
    assert main(["convert", str(tmp_path / "m.npz"), *files, "--modern"]) == 0
    assert len(calls) == 1
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note:")]
    assert len(notes) == 1
    assert notes[0].startswith("note: modern joints, median (largest) distance from marrow's own skeleton in 3 frames")
    assert "ScapulothoracicJoint" in (tmp_path / "m.osim").read_text()
    assert "scapula_winging_l" in read_mot(tmp_path / "m.mot").names


def test_modern_without_a_model_is_refused(body, tmp_path, capsys):
    write_motion(tmp_path / "m.npz", somebody(body, 11, poses=1).motion)
    assert main(["convert", str(tmp_path / "m.npz"), str(tmp_path / "m.mot"), "--modern"]) == InputError.exit_code
    assert "--modern: only an .osim has these joints; name one too, such as m.osim" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_missing_landmarks_are_told(body, tmp_path):
    person = somebody(body, 9)
    bare = {name: x for name, x in person.bony.items() if name != "scapula_inferior_l"}
    with pytest.raises(InputError, match="scapula_inferior_l"):
        io.save(tmp_path / "skeleton.osim", dataclasses.replace(person, bony=bare))
    assert list(tmp_path.iterdir()) == []
