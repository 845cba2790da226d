"""The torch twin of the OpenSim kinematics: the same numbers as the kernels, the same derivatives from autograd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from marrow.errors import InputError
from marrow.nn.osim_kinematics import TorchKinematics
from marrow.skeleton.osim import Kinematics, read_osim

_POINTS = "<x>-1.5 -1 -0.4 0.1 0.6 0.9 1.4</x><y>0.3 -0.2 0.1 0.5 0.2 -0.1 0.4</y>"
_FUNCTIONS = (
    f'<SimmSpline name="function">{_POINTS}</SimmSpline>',
    '<Sine name="function"><amplitude>0.4</amplitude><omega>2</omega><phase>0.3</phase></Sine>',
    '<PolynomialFunction name="function"><coefficients>0.1 -0.2 0.5 0.3</coefficients></PolynomialFunction>',
)
_TWO = (
    '<MultivariatePolynomialFunction name="function"><dimension>2</dimension><order>2</order>'
    "<coefficients>0.1 0.3 -0.2 0.5 0.15 -0.4</coefficients></MultivariatePolynomialFunction>"
)


def joint(kind: str, name: str, parent: str, child: str, coordinates: list[str], inside: str = "") -> str:
    listed = "".join(f'<Coordinate name="{c}" />' for c in coordinates)
    frames = "".join(
        f'<PhysicalOffsetFrame name="{where}"><socket_parent>/{body}</socket_parent><translation>{at}</translation>'
        f"<orientation>{turn}</orientation></PhysicalOffsetFrame>"
        for where, body, at, turn in (
            ("in_parent", parent, "0.1 -0.2 0.05", "0.3 -0.4 0.2"),
            ("in_child", child, "-0.05 0.12 0.07", "-0.2 0.5 1.1"),
        )
    )
    return (
        f'<{kind} name="{name}"><socket_parent_frame>in_parent</socket_parent_frame><socket_child_frame>in_child'
        f"</socket_child_frame><coordinates>{listed}</coordinates><frames>{frames}</frames>{inside}</{kind}>"
    )


@pytest.fixture
def body(tmp_path: Path) -> Kinematics:
    """One joint of each kind of motion and function in a row, a coupling, markers on both ends and on the ground."""
    rows = [("c0", "0 0 1"), ("c1", "0.6 0 0.8"), ("c2", "1 0 0"), ("c0 c1", "1 0 0")]
    names = ("rotation1", "rotation2", "rotation3", "translation1")
    axes = [
        f'<TransformAxis name="{name}"><coordinates>{used}</coordinates><axis>{axis}</axis>{function}</TransformAxis>'
        for name, (used, axis), function in zip(names, rows, (*_FUNCTIONS, _TWO), strict=True)
    ]
    custom = f"<SpatialTransform>{''.join(axes)}</SpatialTransform>"
    radii = "<radii_x_y_z>.3 .2 .5</radii_x_y_z>"
    joints = [
        joint("FreeJoint", "j0", "ground", "bodyset/b0", [f"f{i}" for i in range(6)]),
        joint("CustomJoint", "j1", "bodyset/b0", "bodyset/b1", ["c0", "c1", "c2"], custom),
        joint(
            "EllipsoidJoint",
            "j2",
            "bodyset/b1",
            "bodyset/b2",
            ["e0", "e1", "e2"],
            radii,
        ),
        joint("ConstantCurvatureJoint", "j3", "bodyset/b2", "bodyset/b3", ["a0", "a1", "a2"], "<length>0.4</length>"),
    ]
    bodies = "".join(f'<Body name="b{i}"><mass>1</mass></Body>' for i in range(4))
    markers = "".join(
        f'<Marker name="m{i}"><socket_parent_frame>/{at}</socket_parent_frame><location>0.1 0.2 -0.3</location>'
        "</Marker>"
        for i, at in enumerate(("bodyset/b3", "ground", "bodyset/b0"))
    )
    coupler = (
        '<CoordinateCouplerConstraint name="k"><coupled_coordinates_function>'
        f"<SimmSpline>{_POINTS}</SimmSpline></coupled_coordinates_function><independent_coordinate_names>c0"
        "</independent_coordinate_names><dependent_coordinate_name>e1</dependent_coordinate_name>"
        "</CoordinateCouplerConstraint>"
    )
    path = tmp_path / "all.osim"
    path.write_text(
        f'<OpenSimDocument Version="40600"><Model name="all"><BodySet><objects>{bodies}</objects></BodySet><JointSet>'
        f"<objects>{''.join(joints)}</objects></JointSet><ConstraintSet><objects>{coupler}</objects></ConstraintSet>"
        f"<MarkerSet><objects>{markers}</objects></MarkerSet></Model></OpenSimDocument>"
    )
    return Kinematics(read_osim(path))


def test_same_numbers_as_the_kernels(body: Kinematics):
    q = np.random.default_rng(0).uniform(-1, 1, (4, 5, len(body.coordinates)))
    q[0, 0, -3:] = 0.0, 0.0003, 0.2  # an arc that is nearly straight
    twin = TorchKinematics(body)
    R, p = twin.forward(torch.tensor(q))
    own_R, own_p = body.forward(q)
    np.testing.assert_allclose(R.numpy(), own_R, atol=1e-13)
    np.testing.assert_allclose(p.numpy(), own_p, atol=1e-13)
    np.testing.assert_allclose(twin.marker_positions(torch.tensor(q)).numpy(), body.marker_positions(q), atol=1e-13)
    np.testing.assert_allclose(twin.couple(torch.tensor(q)).numpy(), body.couple(q), atol=1e-13)
    single = twin.forward(torch.tensor(q, dtype=torch.float32))[1]
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), own_p, atol=1e-5)


def test_autograd_gives_the_kernels_jacobian(body: Kinematics):
    twin = TorchKinematics(body)
    for q in np.random.default_rng(1).uniform(-1, 1, (3, len(body.coordinates))):
        own = body.jacobian(q, body.marker_bodies, body.marker_locations)
        J = torch.func.jacrev(twin.marker_positions)(torch.tensor(q))
        np.testing.assert_allclose(J.numpy(), own, atol=1e-11)
        coupled = torch.func.jacrev(twin.couple)(torch.tensor(q))
        np.testing.assert_allclose(coupled.numpy(), body.coupling_jacobian(q), atol=1e-12)


def test_derivatives_are_finite_where_an_arc_is_straight(body: Kinematics):
    q = torch.zeros(len(body.coordinates), dtype=torch.float64)
    J = torch.func.jacrev(TorchKinematics(body).marker_positions)(q)
    own = body.jacobian(q.numpy(), body.marker_bodies, body.marker_locations)
    np.testing.assert_allclose(J.numpy(), own, atol=1e-12)


def test_wrong_shapes_are_told(body: Kinematics):
    with pytest.raises(InputError, match=r"expected floats \(\.\.\., 15\)"):
        TorchKinematics(body).forward(torch.zeros(3))
    with pytest.raises(InputError, match="int64"):
        TorchKinematics(body).forward(torch.zeros(15, dtype=torch.int64))
