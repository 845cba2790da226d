"""Files that cannot be read as a tree of joints: the error names file, line and element, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
from osim_oracle import LINEAR, axis, coordinate, document, joint, marker, saved, two_joints

from marrow.errors import InputError
from marrow.skeleton.osim import Kinematics, read_osim
from marrow.skeleton.osim.functions import read_function
from marrow.skeleton.osim.read import with_markers
from marrow.skeleton.osim.xml import parse

BLADE = (
    "<thoracic_ellipsoid_radii_x_y_z>0.08 0.17 0.09</thoracic_ellipsoid_radii_x_y_z>"
    "<scapula_winging_axis_origin>-0.03 0.02</scapula_winging_axis_origin>"
)
PIN = joint("PinJoint", "hinge", "ground", "bodyset/a", ["turn"])


def coupler(dependent: str, independent: str, function: str = "<Constant><value>1</value></Constant>") -> str:
    return (
        f'<CoordinateCouplerConstraint name="c_{dependent}"><coupled_coordinates_function>{function}'
        f"</coupled_coordinates_function><independent_coordinate_names>{independent}</independent_coordinate_names>"
        f"<dependent_coordinate_name>{dependent}</dependent_coordinate_name></CoordinateCouplerConstraint>"
    )


def constrained(*constraints: str) -> str:
    return f"<ConstraintSet><objects>{''.join(constraints)}</objects></ConstraintSet>"


def custom(inside: str) -> str:
    text = joint("CustomJoint", "j", "ground", "bodyset/a", ["q0"], f"<SpatialTransform>{inside}</SpatialTransform>")
    return document(["a"], [text])


BAD = {
    "unknown joint": (
        document(["a"], [PIN.replace("PinJoint", "MagicJoint")]),
        r'model\.osim:4: <MagicJoint name="hinge">: the joint class MagicJoint is not known; those .*BallJoint',
    ),
    "missing body": (
        document(["a"], [PIN.replace("/bodyset/a", "/bodyset/b")]),
        r'<PhysicalOffsetFrame name="in_child">: there is no body \'b\'; the bodies are a, ground',
    ),
    "loose body": (document(["a", "b"], [PIN]), r"no joint holds the bodies b; give each a joint"),
    "loop": (
        document(["a"], [PIN, PIN.replace("hinge", "second").replace("turn", "other")]),
        r"closes a loop: the body 'a' already hangs on the joint 'hinge'",
    ),
    "cycle": (
        document(
            ["a", "b"],
            [
                joint("PinJoint", "ab", "bodyset/a", "bodyset/b", ["x"]),
                joint("PinJoint", "ba", "bodyset/b", "bodyset/a", ["y"]),
            ],
        ),
        "the joints ab, ba form a cycle that does not reach the ground",
    ),
    "child is the ground": (
        document(["a"], [joint("PinJoint", "hinge", "bodyset/a", "ground", ["turn"])]),
        "its child is the ground; swap parent and child",
    ),
    "coordinate twice": (
        document(["a", "b"], [PIN, joint("PinJoint", "next", "bodyset/a", "bodyset/b", ["turn"])]),
        "the coordinate 'turn' belongs to two joints",
    ),
    "body twice": (document(["a", "a"], [PIN]), r"a second body of that name; the first is on line 3"),
    "marker twice": (
        document(["a"], [PIN], [marker("m", "a", "0 0 0"), marker("m", "a", "1 0 0")]),
        'name="m">: a second marker of that name',
    ),
    "marker on nothing": (document(["a"], [PIN], [marker("m", "arm", "0 0 0")]), "there is no body 'arm'"),
    "number": (
        document(["a"], [PIN.replace("0.1 -0.2 0.05", "0.1 x 0.05")]),
        r"model\.osim:4: <translation>: expected numbers, got '0.1 x 0.05'",
    ),
    "too few numbers": (document(["a"], [PIN.replace("0.1 -0.2 0.05", "0.1 0.2")]), "expected 3 numbers, got 2"),
    "not finite": (document(["a"], [PIN.replace("0.1 -0.2 0.05", "0.1 nan 2")]), "expected finite numbers"),
    "flag": (document(["a"], [PIN.replace(">false<", ">maybe<")]), "<clamped>: expected true or false, got 'maybe'"),
    "empty range": (
        document(["a"], [PIN.replace("-9 9", "2 1").replace(">false<", ">true<")]),
        r"its <range> 2 1 is empty",
    ),
    "too many coordinates": (
        document(["a"], [joint("PinJoint", "hinge", "ground", "bodyset/a", ["turn", "slide"])]),
        "a PinJoint has 1 coordinates, got 2",
    ),
    "no radii": (two_joints("EllipsoidJoint", 3), "<radii_x_y_z> is missing"),
    "no transform": (two_joints("CustomJoint", 1), "<SpatialTransform> is missing"),
    "foreign coordinate": (
        custom(axis("rotation1", "elbow", "0 0 1", LINEAR)),
        r'<TransformAxis name="rotation1">: elbow is not a coordinate of this joint \(q0\)',
    ),
    "unknown axis": (
        custom(axis("rotation4", "q0", "0 0 1", LINEAR)),
        "transform axes are named rotation1, .*rotation4",
    ),
    "no direction": (custom(axis("rotation1", "q0", "0 0 0", LINEAR)), "<axis> has no direction"),
    "arity": (custom(axis("rotation1", "", "0 0 1", LINEAR)), "takes 1 coordinates, <coordinates> names 0"),
    "unknown function": (
        custom(axis("rotation1", "q0", "0 0 1", '<Wavelet name="function" />')),
        "a function of the class Wavelet is not read; those read are Constant",
    ),
    "coupled twice": (
        document(["a"], [PIN], more=constrained(coupler("turn", "turn"), coupler("turn", "turn"))),
        "already follows another constraint",
    ),
    "coupled in a circle": (
        document(["a"], [joint("GimbalJoint", "g", "ground", "bodyset/a", ["x", "y", "z"])]).replace(
            "</Model>", constrained(coupler("x", "y"), coupler("y", "x")) + "</Model>"
        ),
        "the couplings go round in a circle",
    ),
    "coupled to nothing": (
        document(["a"], [PIN], more=constrained(coupler("turn", "elbow"))),
        "there is no coordinate elbow in the model",
    ),
    "old": (document(["a"], [PIN]).replace("40600", "10800"), "version 10800 is too old; open the file in OpenSim"),
    "a set-up file": (
        '<OpenSimDocument Version="40000"><ScaleTool /></OpenSimDocument>',
        "expected a <Model>, found ScaleTool; is this a set-up file",
    ),
    "other XML": ("<svg></svg>", "<svg>: expected <OpenSimDocument>"),
    "not XML": ("time knee\n0 1\n", r"model\.osim:1: not well-formed XML"),
    "cut off": (document(["a"], [PIN])[:-40], "not well-formed XML"),
    "document type": (
        '<!DOCTYPE x [<!ENTITY a "aaaa">]><OpenSimDocument>&a;</OpenSimDocument>',
        "a document type has no place here",
    ),
    "empty": (document([], []), "no <Body> in it"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(name: str, tmp_path: Path):
    text, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        read_osim(saved(tmp_path, text))
    assert re.search(r"model\.osim:\d+: ", str(caught.value))


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"no\.osim: cannot be read \(No such file"):
        read_osim(tmp_path / "no.osim")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<SimmSpline><x>0 1</x><y>0 1 2</y></SimmSpline>", "as many <x> as <y>"),
        ("<SimmSpline><x>0 2 1</x><y>0 1 2</y></SimmSpline>", r"must ascend; number 3 \(1\) follows 2"),
        ("<GCVSpline><half_order>3</half_order><x>0 1 2</x><y>0 1 2</y></GCVSpline>", "at least 6 points"),
        ("<GCVSpline><error_variance>1</error_variance><x>0 1</x><y>0 1</y></GCVSpline>", "smoothing spline"),
        ("<MultiplierFunction><scale>2</scale></MultiplierFunction>", "one function inside <function>"),
        (
            "<MultivariatePolynomialFunction><dimension>2</dimension><order>1</order><coefficients>1</coefficients>"
            "</MultivariatePolynomialFunction>",
            "expected 3 coefficients for dimension 2 and order 1, got 1",
        ),
        (
            "<StepFunction><transition_start_time>1</transition_start_time><transition_end_time>1</transition_end_time>"
            "</StepFunction>",
            "not after its start",
        ),
    ],
)
def test_bad_function(text: str, message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        read_function(parse(saved(tmp_path, text)))


def test_constraints_that_are_off_do_not_couple(tmp_path: Path):
    off = coupler("turn", "turn").replace("<coupled", "<isEnforced>false</isEnforced><coupled", 1)
    old = coupler("turn", "turn").replace("<coupled", "<isDisabled>true</isDisabled><coupled", 1)
    model = read_osim(saved(tmp_path, document(["a"], [PIN], more=constrained(off, old))))
    assert model.couplings == ()


def test_markers_of_another_model(tmp_path: Path):
    model = read_osim(saved(tmp_path, document(["a"], [PIN], [marker("m", "a", "0 0 1")])))
    other = read_osim(saved(tmp_path, document(["b"], [PIN.replace("/a", "/b")], [marker("n", "b", "0 0 1")])))
    assert Kinematics(with_markers(model, model.markers)).markers == ("m",)
    with pytest.raises(InputError, match="need the bodies b, which this model lacks"):
        with_markers(model, other.markers)


def test_unknown_names_and_shapes_are_told(tmp_path: Path):
    body = Kinematics(read_osim(saved(tmp_path, document(["a"], [PIN]))))
    with pytest.raises(InputError, match="no coordinate 'tur' in this model; did you mean turn"):
        body.index("tur")
    with pytest.raises(InputError, match="no body 'A' in this model; did you mean a"):
        body.body_index("A")
    with pytest.raises(InputError, match=r"expected \(\.\.\., 1\)"):
        body.forward(np.zeros(3))
    assert coordinate("turn") in PIN


def test_damaged_files_give_errors_that_name_the_file_and_nothing_else(tmp_path: Path):
    """Pieces of a model removed, doubled or replaced at random: read, or refused with a message."""
    whole = two_joints("ScapulothoracicJoint", 4, BLADE)
    whole = whole.replace("</Model>", constrained(coupler("q1", "q0")) + "</Model>")
    rng = np.random.default_rng(0)
    words = ("", "x", "-", "nan", "<a/>", "1e999", "\x00", "../..", "..", "/", "é", "0 0 0")
    refused: list[str] = []
    for _ in range(120):
        text = whole
        for _ in range(rng.integers(1, 4)):
            at, length = rng.integers(len(text)), rng.integers(1, 40)
            pieces = (str(rng.choice(words)), text[at : at + length] * 2)
            text = text[:at] + pieces[rng.integers(2)] + text[at + length :]
        if rng.random() < 0.7:  # well-formed: the text of one element or attribute replaced
            spots = list(re.finditer(r'>([^<>]+)<|="([^"]*)"', whole))
            spot = spots[rng.integers(len(spots))]
            group = 1 if spot.group(1) is not None else 2
            text = whole[: spot.start(group)] + str(rng.choice(words)) + whole[spot.end(group) :]
        path = tmp_path / "model.osim"
        path.write_text(text, encoding="utf-8")
        try:
            body = Kinematics(read_osim(path))
        except InputError as error:
            refused.append(str(error))
        else:
            assert np.isfinite(body.forward(body.default)[1]).all()
    assert 10 < len(refused) < 110
    assert all("model.osim" in message for message in refused)
