"""Our kinematics against OpenSim: all joint classes, all function classes, both document versions, real models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
from osim_oracle import (
    LINEAR,
    SHARED,
    Oracle,
    axis,
    coordinate,
    custom,
    document,
    jacobian_error,
    joint,
    largest_difference,
    marker,
    offset,
    saved,
    two_joints,
)

from marrow.errors import InputError
from marrow.skeleton.osim import Kinematics, forward_subjects, read_osim

JOINTS = {
    "WeldJoint": (0, ""),
    "PinJoint": (1, ""),
    "SliderJoint": (1, ""),
    "UniversalJoint": (2, ""),
    "BallJoint": (3, ""),
    "GimbalJoint": (3, ""),
    "PlanarJoint": (3, ""),
    "FreeJoint": (6, ""),
    "EllipsoidJoint": (3, "<radii_x_y_z>0.3 0.2 0.5</radii_x_y_z>"),
    "ConstantCurvatureJoint": (3, "<neutral_angle_x_z_y>0.1 -0.05 0.2</neutral_angle_x_z_y><length>0.4</length>"),
    "ScapulothoracicJoint": (
        4,
        "<thoracic_ellipsoid_radii_x_y_z>0.08 0.17 0.09</thoracic_ellipsoid_radii_x_y_z>"
        "<scapula_winging_axis_origin>-0.03 0.02</scapula_winging_axis_origin>"
        "<scapula_winging_axis_direction>0.4</scapula_winging_axis_direction>",
    ),
}

_POINTS = "<x>-1.5 -1 -0.4 0.1 0.6 0.9 1.4</x><y>0.3 -0.2 0.1 0.5 0.2 -0.1 0.4</y>"
FUNCTIONS = {
    "constant": '<Constant name="function"><value>0.3</value></Constant>',
    "linear": '<LinearFunction name="function"><coefficients>-0.7 0.2</coefficients></LinearFunction>',
    "polynomial": '<PolynomialFunction name="function"><coefficients>0.1 -0.2 0.5 0.3</coefficients>'
    "</PolynomialFunction>",
    "spline": f'<SimmSpline name="function">{_POINTS}</SimmSpline>',
    "spline of 2": '<SimmSpline name="function"><x>-0.5 0.4</x><y>0 0.3</y></SimmSpline>',
    "spline of 3": '<SimmSpline name="function"><x>-0.5 0.1 0.4</x><y>0 0.3 0.1</y></SimmSpline>',
    "spline of 4": '<SimmSpline name="function"><x>-0.5 0.1 0.2 0.4</x><y>0 0.3 0.1 0.2</y></SimmSpline>',
    "multiplied": '<MultiplierFunction name="function"><function><SimmSpline>'
    f"{_POINTS}</SimmSpline></function><scale>1.3</scale></MultiplierFunction>",
    "broken line": f'<PiecewiseLinearFunction name="function">{_POINTS}</PiecewiseLinearFunction>',
    "sine": '<Sine name="function"><amplitude>0.4</amplitude><omega>2</omega><phase>0.3</phase>'
    "<offset>0.1</offset></Sine>",
    "step": '<StepFunction name="function"><transition_start_time>-0.3</transition_start_time>'
    "<transition_end_time>0.5</transition_end_time><start_value>0.2</start_value><end_value>0.7</end_value>"
    "</StepFunction>",
    "gcv 3": f'<GCVSpline name="function"><half_order>2</half_order>{_POINTS}</GCVSpline>',
    "gcv 5": f'<GCVSpline name="function"><half_order>3</half_order>{_POINTS}</GCVSpline>',
}
MODELS = (
    "Models/Rajagopal/Rajagopal2016.osim",
    "Models/Rajagopal/RajagopalLaiUhlrich2023.osim",
    "LaiUhlrich2022/LaiUhlrich2022.osim",
    "Models/Gait2392_Simbody/gait2392_thelen2003muscle.osim",
    "Models/Gait10dof18musc/gait10dof18musc.osim",
    "Pipelines/Gait2392_Simbody/OutputReference/subject01_simbody.osim",
    "Pipelines/Gait10dof18musc/OutputReference/subject01.osim",
)


def check(path: Path, poses: int = 200) -> None:
    metres, entries = largest_difference(path, poses)
    assert metres < 1e-9
    assert entries < 1e-9
    body = Kinematics(read_osim(path))
    for q in np.random.default_rng(3).uniform(-1, 1, (5, len(body.coordinates))):
        assert jacobian_error(body, q) < 1e-7


@pytest.mark.parametrize("kind", JOINTS)
def test_joint_class(kind: str, tmp_path: Path):
    count, inside = JOINTS[kind]
    check(saved(tmp_path, two_joints(kind, count, inside)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_class(name: str, tmp_path: Path):
    check(saved(tmp_path, two_joints("CustomJoint", 2, custom(FUNCTIONS[name]))))


def test_function_of_two_coordinates(tmp_path: Path):
    terms = " ".join(str(x) for x in (0.1, 0.3, -0.2, 0.5, 0.15, -0.4))
    function = (
        '<MultivariatePolynomialFunction name="function"><dimension>2</dimension><order>2</order>'
        f"<coefficients>{terms}</coefficients></MultivariatePolynomialFunction>"
    )
    check(saved(tmp_path, two_joints("CustomJoint", 2, custom(function, "q0 q1"))))


def test_constant_pieces(tmp_path: Path):
    """OpenSim has no derivative of these, so only values are compared."""
    function = f'<PiecewiseConstantFunction name="function">{"_"}</PiecewiseConstantFunction>'.replace("_", _POINTS)
    metres, _ = largest_difference(saved(tmp_path, two_joints("CustomJoint", 2, custom(function))), 100)
    assert metres < 1e-9


def test_an_axis_without_function_follows_its_coordinate(tmp_path: Path):
    """And a custom joint may leave axes out."""
    inside = f"<SpatialTransform>{axis('rotation1', 'q0', '0 0 1', LINEAR)}{axis('translation2', 'q0', '0 1 0', '')}"
    path = saved(tmp_path, two_joints("CustomJoint", 1, inside + "</SpatialTransform>"))
    body = Kinematics(read_osim(path))
    R0, p0 = body.forward(np.zeros(2))
    R, p = body.forward([0.0, 0.5])
    turn = R0[1].T @ R[1]
    np.testing.assert_allclose(np.trace(turn), 1 + 2 * np.cos(0.5), atol=1e-12)
    assert np.linalg.norm(p[1] - p0[1]) > 0.1


def test_frames_within_frames_and_markers_on_them(tmp_path: Path):
    """Offset frames on bodies, on each other and in the model; joints and markers that use them by path."""
    body = (
        '<Body name="a"><components>'
        + offset("on_a", "..", "0.1 0.2 0.3", "0.1 0.2 0.3")
        + '</components><mass>1</mass><inertia>1 1 1 0 0 0</inertia></Body><Body name="b"><mass>1</mass>'
        "<inertia>1 1 1 0 0 0</inertia></Body>"
    )
    pin = (
        '<PinJoint name="second"><socket_parent_frame>../../bodyset/a/on_a</socket_parent_frame>'
        "<socket_child_frame>/jointset/second/chained</socket_child_frame>"
        f"<coordinates>{coordinate('turn')}</coordinates><frames>"
        + offset("inner", "/bodyset/b", "0 0.1 0", "0.4 0 0")
        + offset("chained", "../inner", "0.2 0 0", "0 0.5 0.1")
        + "</frames></PinJoint>"
    )
    free = joint("FreeJoint", "first", "ground", "bodyset/a", [f"f{i}" for i in range(6)])
    held = marker("m", "a/on_a", "0.1 0 0.2")
    text = document([], [free, pin], [held]).replace("<BodySet><objects>", f"<BodySet><objects>{body}")
    check(saved(tmp_path, text), 50)


VERSION_3 = """<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="30000"><Model name="old"><BodySet><objects>
<Body name="ground"><mass>0</mass><mass_center>0 0 0</mass_center><inertia_xx>0</inertia_xx><inertia_yy>0</inertia_yy>
 <inertia_zz>0</inertia_zz><inertia_xy>0</inertia_xy><inertia_xz>0</inertia_xz><inertia_yz>0</inertia_yz><Joint />
 </Body>
<Body name="thigh"><mass>8</mass><mass_center>0 -0.2 0</mass_center><inertia_xx>0.1</inertia_xx>
 <inertia_yy>0.02</inertia_yy><inertia_zz>0.1</inertia_zz><inertia_xy>0</inertia_xy><inertia_xz>0</inertia_xz>
 <inertia_yz>0</inertia_yz><Joint><BallJoint name="hip"><parent_body>ground</parent_body>
 <location_in_parent>0.1 0.9 0.08</location_in_parent><orientation_in_parent>0.1 0.2 0.3</orientation_in_parent>
 <location>0.01 0.02 0.03</location><orientation>-0.3 0.2 0.1</orientation><CoordinateSet><objects>
 COORDINATES</objects></CoordinateSet></BallJoint></Joint></Body>
<Body name="shank"><mass>3</mass><mass_center>0 -0.2 0</mass_center><inertia_xx>0.1</inertia_xx>
 <inertia_yy>0.02</inertia_yy><inertia_zz>0.1</inertia_zz><inertia_xy>0</inertia_xy><inertia_xz>0</inertia_xz>
 <inertia_yz>0</inertia_yz><Joint><CustomJoint name="knee"><parent_body>thigh</parent_body>
 <location_in_parent>0 -0.4 0</location_in_parent><orientation_in_parent>0 0.1 0</orientation_in_parent>
 <location>0 0 0</location><orientation>0 0.1 0</orientation><CoordinateSet><objects>KNEE</objects></CoordinateSet>
 <SpatialTransform><TransformAxis name="rotation1"><coordinates>knee</coordinates><axis>0 0 1</axis><function>
 <LinearFunction><coefficients> 1 0</coefficients></LinearFunction></function></TransformAxis>
 <TransformAxis name="rotation2"><coordinates></coordinates><axis>0 1 0</axis><function><Constant><value>0</value>
 </Constant></function></TransformAxis><TransformAxis name="rotation3"><coordinates></coordinates><axis>1 0 0</axis>
 <function><Constant><value>0</value></Constant></function></TransformAxis>
 <TransformAxis name="translation1"><coordinates>knee</coordinates><axis>1 0 0</axis><function><MultiplierFunction>
 <function><SimmSpline><x> -2 -1.2 -0.5 0 0.2</x><y> -0.03 -0.01 0.001 0.004 0.005</y></SimmSpline></function>
 <scale>1.1</scale></MultiplierFunction></function></TransformAxis>
 <TransformAxis name="translation2"><coordinates></coordinates><axis>0 1 0</axis><function><Constant>
 <value>-0.02</value></Constant></function></TransformAxis>
 <TransformAxis name="translation3"><coordinates></coordinates><axis>0 0 1</axis>
 <function><Constant><value>0</value></Constant></function></TransformAxis></SpatialTransform></CustomJoint></Joint></Body>
</objects></BodySet><MarkerSet><objects><Marker name="ankle"><body>shank</body><location>0 -0.4 0.03</location>
<fixed>false</fixed></Marker></objects></MarkerSet></Model></OpenSimDocument>
"""


def test_document_of_version_3(tmp_path: Path):
    text = VERSION_3.replace("COORDINATES", "".join(map(coordinate, ("flexion", "adduction", "rotation"))))
    path = saved(tmp_path, text.replace("KNEE", coordinate("knee", "<default_value>-0.2</default_value>")))
    model = read_osim(path)
    assert model.coordinate_names == ("flexion", "adduction", "rotation", "knee")
    assert model.coordinates[3].default == -0.2
    assert [b.mass for b in model.bodies] == [8, 3]
    check(path)


def test_couplings_follow_each_other(tmp_path: Path):
    """Dependent coordinates as OpenSim assembles them, one of them hanging on another."""

    def coupler(dependent: str, independent: str, function: str, scale: float) -> str:
        return (
            f'<CoordinateCouplerConstraint name="{dependent}_con"><isEnforced>true</isEnforced>'
            f"<coupled_coordinates_function>{function}</coupled_coordinates_function>"
            f"<independent_coordinate_names>{independent}</independent_coordinate_names>"
            f"<dependent_coordinate_name>{dependent}</dependent_coordinate_name><scale_factor>{scale}</scale_factor>"
            "</CoordinateCouplerConstraint>"
        )

    spline = f"<SimmSpline>{_POINTS}</SimmSpline>"
    line = "<LinearFunction><coefficients>0.5 0.1</coefficients></LinearFunction>"
    couplers = coupler("q2", "q1", line, 1) + coupler("q1", "q0", spline, 1.5)
    more = f"<ConstraintSet><objects>{couplers}</objects></ConstraintSet>"
    path = saved(tmp_path, two_joints("GimbalJoint", 3).replace("</Model>", f"{more}</Model>"))
    body = Kinematics(read_osim(path))
    assert [c.dependent for c in body.model.couplings] == ["q1", "q2"]
    oracle = Oracle(path, body.coordinates)
    for angle in (-0.8, 0.0, 0.35, 1.2):
        oracle.coordinates[1].setValue(oracle.state, angle, True)
        theirs = [c.getValue(oracle.state) for c in oracle.coordinates]
        np.testing.assert_allclose(body.couple([theirs[0], theirs[1], 0, 0]), theirs, atol=1e-8)
    q = np.array([0.1, 0.35, 0, 0])
    step = np.array([0, 1e-6, 0, 0])
    numeric = (body.couple(q + step) - body.couple(q - step)) / 2e-6
    np.testing.assert_allclose(body.coupling_jacobian(q)[:, 1], numeric, atol=1e-8)
    assert not body.coupling_jacobian(q)[:, 2:].any()


def test_default_names_where_the_file_leaves_the_coordinates_out(tmp_path: Path):
    text = document(["a"], [joint("PinJoint", "hinge", "ground", "bodyset/a", [])]).replace(
        "<coordinates></coordinates>", ""
    )
    assert Kinematics(read_osim(saved(tmp_path, text))).coordinates == ("hinge_coord_0",)


def test_leading_dimensions_are_free_and_a_pose_alone_is_the_same(tmp_path: Path):
    body = Kinematics(read_osim(saved(tmp_path, two_joints("BallJoint", 3))))
    q = np.random.default_rng(0).normal(size=(2, 3, 4))
    R, p = body.forward(q)
    assert R.shape == (2, 3, 2, 3, 3)
    R1, p1 = body.forward(q[1, 2])
    np.testing.assert_array_equal(R[1, 2], R1)
    np.testing.assert_array_equal(p[1, 2], p1)
    assert body.jacobian(q, body.marker_bodies, body.marker_locations).shape == (2, 3, 3, 3, 4)
    ground = body.points(q, [-1], [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(ground, np.broadcast_to([1.0, 2.0, 3.0], ground.shape))
    assert not body.jacobian(q, [-1], [[1.0, 2.0, 3.0]]).any()


def test_several_subjects_at_once(tmp_path: Path):
    bodies = []
    for i, width in enumerate(("0.1", "0.2", "0.4")):
        folder = tmp_path / str(i)
        folder.mkdir()
        text = two_joints("BallJoint", 3).replace("0.1 -0.2 0.05", f"{width} -0.2 0.05")
        bodies.append(Kinematics(read_osim(saved(folder, text))))
    q = np.random.default_rng(0).normal(size=(3, 6, 4))
    R, p = forward_subjects(bodies, q)
    assert R.shape == (3, 6, 2, 3, 3)
    np.testing.assert_array_equal(p[2], bodies[2].forward(q[2])[1])
    with pytest.raises(InputError, match=r"expected \(3, \.\.\., D\)"):
        forward_subjects(bodies, q[:2])
    text = two_joints("BallJoint", 3).replace('"second"', '"hand"').replace("/second", "/hand")
    other = Kinematics(read_osim(saved(tmp_path, text)))
    with pytest.raises(InputError, match="not those of"):
        forward_subjects([*bodies[:2], other], q)


@pytest.mark.parametrize("file", MODELS)
def test_real_model(file: str):
    path = SHARED / file
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    check(path)
    body = Kinematics(read_osim(path))
    oracle = Oracle(path, body.coordinates)
    for theirs, ours in zip(oracle.coordinates, body.model.coordinates, strict=True):
        assert (theirs.getDefaultValue(), theirs.getDefaultLocked()) == (ours.default, ours.locked)
        assert (theirs.getRangeMin(), theirs.getRangeMax()) == pytest.approx(ours.range, abs=1e-12)
        assert theirs.getDefaultClamped() == ours.clamped
        assert (theirs.getMotionType() == 1) == ours.rotational


def test_markers_are_kept_on_their_bodies(tmp_path: Path):
    body = Kinematics(read_osim(saved(tmp_path, two_joints("PinJoint", 1))))
    assert body.markers == ("a", "b", "c")
    assert [body.bodies[b] for b in body.marker_bodies] == ["first", "second", "second"]
    np.testing.assert_array_equal(body.marker_locations[1], [-0.2, 0.1, 0.4])
