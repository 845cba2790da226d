"""A written model: joint classes, names, ranges, masses, and the same movement in OpenSim and in our own reader."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marrow.body import load_body
from marrow.conventions import R_GROUND_WORLD, to_ground
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.osim import Kinematics, read_osim
from marrow.skeleton.osim.frames import rotation_xyz
from marrow.skeleton.osim.write import DOCUMENT_VERSION, OsimExtras, OsimMesh, body_fixed_xyz, write_osim

opensim = pytest.importorskip("opensim")

#: Welded: a thumb's joints, and a knee and a spine whose segments are then held where they have slid to.
WELDED = {
    "thumb_mcp_flex_r": 0.4, "thumb_cmc_flex_l": -0.1, "thumb_cmc_abd_l": 0.3, "knee_angle_l": 0.6,
    "lumbar_seg_extension": -0.3,
}  # fmt: skip
FIXED = {"wrist_flex_r": 0.2, **WELDED}
EXTRAS = OsimExtras(
    name="a person & more",
    markers={"TOP": ("head", (0.01, 0.2, 0.0)), "RTIP": ("thumb_distal_r", (0.0, -0.03, 0.0))},
    meshes={"femur_r": [OsimMesh("a&b.obj")]},
    fixed=FIXED,
    reached={"knee_angle_r": (-0.5, 1.0), "pelvis_tilt": (-4.0, 0.0)},
    credits="Made & given <freely>",
    publications="none",
)
CLASSES = {
    "hip_r": "CustomJoint",
    "elbow_l": "PinJoint",
    "radius_hand_r": "CustomJoint",
    "ground_pelvis": "CustomJoint",
    "knee_r": "CustomJoint",
    "lumbar_lateral": "CustomJoint",
    "thorax_sagittal": "CustomJoint",
    "neck_lateral": "CustomJoint",
    "sternoclavicular_r": "CustomJoint",
    "acromioclavicular_l": "CustomJoint",
    "shoulder_r": "CustomJoint",
}


def skeleton() -> Skeleton:
    return Skeleton.inside(load_body("default").rest({"gender": 0.0}).landmarks)


def masses(own: Skeleton) -> SegmentMasses:
    count = len(own.bodies)
    rng = np.random.default_rng(3)
    inertia = np.einsum("bij,bkj->bik", *[rng.normal(0, 0.1, (count, 3, 3))] * 2)
    inertia = np.trace(inertia, axis1=1, axis2=2)[:, None, None] * np.eye(3) - inertia
    return SegmentMasses(np.ones(count), rng.uniform(0.5, 2, count), rng.normal(0, 0.1, (count, 3)), inertia)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Skeleton, SegmentMasses]:
    path = tmp_path_factory.mktemp("osim") / "model.osim"
    own = skeleton()
    write_osim(path, own, masses(own), EXTRAS)
    return path, own, masses(own)


@pytest.fixture(scope="module")
def loaded(written):
    opensim.Logger.removeFileSink()
    sink = opensim.StringLogSink()
    opensim.Logger.setLevelString("Warn")
    opensim.Logger.addSink(sink)
    model = opensim.Model(str(written[0]))
    state = model.initSystem()
    opensim.Logger.removeSink(sink)
    return model, state, sink.getString()


def test_opensim_loads_it_and_has_nothing_to_say_but_of_the_mesh(loaded):
    lines = [line for line in loaded[2].splitlines() if line]
    assert lines == ["Couldn't find file 'a&b.obj'."]


def test_classes_names_and_texts(written):
    document = ET.parse(written[0]).getroot()
    assert document.get("Version") == str(DOCUMENT_VERSION)
    joints = {joint.get("name"): joint.tag for joint in document.find("Model/JointSet/objects") or ()}
    assert len(joints) == len(written[1].bodies)
    assert {name: joints[name] for name in CLASSES} == CLASSES
    welded = {name for name, kind in joints.items() if kind == "WeldJoint"}
    assert welded == {"thumb_mcp_r", "thumb_cmc_l", "knee_l", "lumbar_sagittal"}
    assert joints["thumb_mcp_l"] == "PinJoint"
    assert set(joints.values()) == {"CustomJoint", "PinJoint", "WeldJoint"}
    assert document.findtext("Model/credits") == EXTRAS.credits
    assert [mesh.text for mesh in document.iter("mesh_file")] == ["a&b.obj"]


def test_coordinates_ranges_and_defaults(written, loaded):
    own, (model, state, _) = written[1], loaded
    names = [c.getName() for c in model.getCoordinateSet()]
    assert set(names) == set(own.coordinates) - set(WELDED)
    for coordinate in model.getCoordinateSet():
        name = coordinate.getName()
        assert coordinate.getLocked(state) == (name == "wrist_flex_r")
        assert coordinate.getClamped(state) == (not name.startswith("pelvis"))
        low, high = own.ranges[own.index(name)]
        least, most = EXTRAS.reached.get(name, (np.inf, -np.inf))
        assert coordinate.getRangeMin() == pytest.approx(min(low, least)) or np.isinf(low)
        assert coordinate.getRangeMax() == pytest.approx(max(high, most)) or np.isinf(high)
        turns = coordinate.getMotionType() == opensim.Coordinate.Rotational
        assert turns == (name not in ("pelvis_tx", "pelvis_ty", "pelvis_tz")), name
        if name not in (*FIXED, "pelvis_ty"):
            assert coordinate.getDefaultValue() == 0
    assert model.getCoordinateSet().get("wrist_flex_r").getDefaultValue() == 0.2


def test_it_stands_on_the_ground(written, loaded):
    own, (model, state, _) = written[1], loaded
    model.realizePosition(state)
    bodies = [model.getBodySet().get(own.bodies[b]) for b in own.point_body]
    places = [opensim.Vec3(*map(float, local)) for local in own.point_local]
    heights = [b.findStationLocationInGround(state, x).get(1) for b, x in zip(bodies, places, strict=True)]
    assert 0 <= min(heights) < 0.03  # landmarks of the foot lie a little above its sole


def test_masses_are_kept(written, loaded):
    own, expected = written[1:]
    for b, name in enumerate(own.bodies):
        body = loaded[0].getBodySet().get(name)
        assert body.getMass() == pytest.approx(expected.mass[b], rel=1e-12)
        np.testing.assert_allclose(body.getMassCenter().to_numpy(), expected.centre[b], rtol=1e-12)
        I = body.getInertia()
        found = [*I.getMoments().to_numpy(), *I.getProducts().to_numpy()]
        own_I = expected.inertia[b]
        np.testing.assert_allclose(found, [*np.diag(own_I), own_I[0, 1], own_I[0, 2], own_I[1, 2]], rtol=1e-12)


def test_opensim_and_our_reader_move_it_as_the_skeleton_moves(written, loaded):
    path, own, _ = written
    model, state, _ = loaded
    ours = Kinematics(read_osim(path))
    rng = np.random.default_rng(0)
    q = rng.uniform(-0.7, 0.7, (20, len(own.coordinates)))
    q[:, [own.index(name) for name in FIXED]] = list(FIXED.values())
    R, p = own.forward(q)
    names = ours.model.coordinate_names
    R_read, p_read = ours.forward(q[:, [own.index(name) for name in names]])
    order = [ours.bodies.index(name) for name in own.bodies]
    np.testing.assert_allclose(p_read[:, order], to_ground(p), atol=1e-9)
    np.testing.assert_allclose(R_read[:, order], R_GROUND_WORLD @ R, atol=1e-9)
    for t in range(3):
        for coordinate in model.getCoordinateSet():
            if not coordinate.getLocked(state):
                coordinate.setValue(state, float(q[t, own.index(coordinate.getName())]), False)
        model.realizePosition(state)
        found = [model.getBodySet().get(name).getPositionInGround(state).to_numpy() for name in own.bodies]
        np.testing.assert_allclose(found, to_ground(p[t]), atol=1e-9)
        for name, (body, local) in EXTRAS.markers.items():
            b = own.body_index(body)
            place = model.getMarkerSet().get(name).getLocationInGround(state).to_numpy()
            np.testing.assert_allclose(place, to_ground(p[t, b] + R[t, b] @ local), atol=1e-9)


def test_the_plain_knee_is_a_pin_joint_and_moves_alike(tmp_path):
    own = Skeleton.inside(load_body("default").rest().landmarks, knee="hinge")
    write_osim(tmp_path / "plain.osim", own, masses(own))
    joints = ET.parse(tmp_path / "plain.osim").getroot().find("Model/JointSet/objects")
    assert {joint.get("name"): joint.tag for joint in joints or ()}["knee_r"] == "PinJoint"
    ours = Kinematics(read_osim(tmp_path / "plain.osim"))
    q = np.random.default_rng(1).uniform(-0.7, 0.7, (5, len(own.coordinates)))
    _, p_read = ours.forward(q[:, [own.index(name) for name in ours.model.coordinate_names]])
    order = [ours.bodies.index(name) for name in own.bodies]
    np.testing.assert_allclose(p_read[:, order], to_ground(own.forward(q)[1]), atol=1e-9)


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_body_fixed_angles_come_back(angles):
    R = rotation_xyz(np.array(angles))
    np.testing.assert_allclose(rotation_xyz(body_fixed_xyz(R)), R, atol=1e-12)


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2])
def test_body_fixed_angles_come_back_at_the_singularity(pitch):
    R = rotation_xyz(np.array([0.4, pitch, -1.1]))
    np.testing.assert_allclose(rotation_xyz(body_fixed_xyz(R)), R, atol=1e-9)


def test_bad_input_is_told(tmp_path, monkeypatch):
    own = skeleton()
    fine = masses(own)
    few = SegmentMasses(fine.volume[:3], fine.mass[:3], fine.centre[:3], fine.inertia[:3])
    with pytest.raises(InputError, match="3 masses for 59 segments"):
        write_osim(tmp_path / "a.osim", own, few)
    for extras, what in (
        (OsimExtras(markers={"A": ("femurr", (0, 0, 0))}), "no segment 'femurr'"),
        (OsimExtras(meshes={"spleen": [OsimMesh("a.obj")]}), "no segment 'spleen'"),
        (OsimExtras(fixed={"knee_angle": 0.0}), "no coordinate 'knee_angle'"),
        (OsimExtras(reached={"hip_r": (0.0, 1.0)}), "no coordinate 'hip_r'"),
    ):
        with pytest.raises(InputError, match=what):
            write_osim(tmp_path / "a.osim", own, fine, extras)
    monkeypatch.setitem(sys.modules, "opensim", None)
    with pytest.raises(InputError, match=r"pip install 'opensim>=4\.6'"):
        write_osim(tmp_path / "a.osim", own, fine)
    assert not list(tmp_path.iterdir())
