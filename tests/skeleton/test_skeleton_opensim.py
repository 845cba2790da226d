"""The referee: OpenSim itself moves a model with the same joints, and LaiUhlrich2022's joints, as ours do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from standing_body import standing

from marrow.conventions import R_GROUND_WORLD
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton.inertia import SegmentMasses
from marrow.skeleton.osim.write import write_osim
from marrow.skeleton.trunk import trunk_coordinates

opensim = pytest.importorskip("opensim")
opensim.Logger.setLevelString("Error")

LAI_UHLRICH = Path(__file__).parents[2].parent / "shared/data/opensim/LaiUhlrich2022/LaiUhlrich2022.osim"

#: Orientation (body-fixed X-Y-Z, radians) of the pin joints' frames in LaiUhlrich2022.osim; they turn about their Z.
PINS = {
    "ankle_angle_r": (0.175895, -0.105208, 0.0186622),
    "subtalar_angle_r": (-1.76818999, 0.906223, 1.8196),
    "mtp_angle_r": (-3.14159, 0.619901, 0),
    "elbow_flex_r": (-0.0228627, 0.228018, 0.0051689),
    "pro_sup_r": (-1.56884, 0.056428, 1.53614),
    "ankle_angle_l": (-0.175895, 0.105208, 0.0186622),
    "subtalar_angle_l": (1.76818999, -0.906223, 1.8196),
    "mtp_angle_l": (-3.14159, -0.619901, 0),
    "elbow_flex_l": (0.0228627, -0.228018, 0.0051689),
    "pro_sup_l": (1.56884, -0.056428, 1.53614),
}
#: Axes and signs of its custom joints; a segment of our spine, two joints, turns as its back does.
CUSTOM = {
    "pelvis": (("pelvis_tilt", (0, 0, 1), 1), ("pelvis_list", (1, 0, 0), 1), ("pelvis_rotation", (0, 1, 0), 1)),
    "femur_r": (("hip_flexion_r", (0, 0, 1), 1), ("hip_adduction_r", (1, 0, 0), 1), ("hip_rotation_r", (0, 1, 0), 1)),
    "femur_l": (("hip_flexion_l", (0, 0, 1), 1), ("hip_adduction_l", (1, 0, 0), -1), ("hip_rotation_l", (0, 1, 0), -1)),
    "lumbar": (
        ("lumbar_seg_extension", (0, 0, 1), 1),
        ("lumbar_seg_bending", (1, 0, 0), 1),
        ("lumbar_seg_rotation", (0, 1, 0), 1),
    ),
    "humerus_r": (("gh_flex_r", (0, 0, 1), 1), ("gh_add_r", (1, 0, 0), 1), ("gh_rot_r", (0, 1, 0), 1)),
    "humerus_l": (("gh_flex_l", (0, 0, 1), 1), ("gh_add_l", (-1, 0, 0), 1), ("gh_rot_l", (0, -1, 0), 1)),
}


def body(name: str):
    return opensim.Body(name, 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))


def vec(x) -> object:
    return opensim.Vec3(*(float(v) for v in x))


def rotation_of(frame, state) -> np.ndarray:
    R = frame.getTransformInGround(state).R()
    return np.array([[R.get(i, j) for j in range(3)] for i in range(3)])


def linear_axis(axis, name: str, slope: float, direction) -> None:
    """Drives one transform axis of a custom joint by a coordinate."""
    axis.setCoordinateNames(opensim.ArrayStr(name, 1))
    axis.set_function(opensim.LinearFunction(slope, 0.0))
    axis.setAxis(vec(direction))


def spatial_transform(turns):
    """A spatial transform of three (name, axis, slope) rotations."""
    out = opensim.SpatialTransform()
    for axis, (name, direction, slope) in zip(
        (out.upd_rotation1(), out.upd_rotation2(), out.upd_rotation3()), turns, strict=True
    ):
        linear_axis(axis, name, slope, direction)
    for axis in (out.upd_translation1(), out.upd_translation2(), out.upd_translation3()):
        axis.set_function(opensim.Constant(0.0))
    return out


def test_opensim_moves_the_same_tree_to_the_same_places(tmp_path):
    skeleton = Skeleton.inside(standing())
    count = len(skeleton.bodies)
    masses = SegmentMasses(np.ones(count), np.ones(count), np.zeros((count, 3)), np.tile(np.eye(3), (count, 1, 1)))
    write_osim(tmp_path / "twin.osim", skeleton, masses)
    model = opensim.Model(str(tmp_path / "twin.osim"))
    state = model.initSystem()
    rng = np.random.default_rng(0)
    for _ in range(3):
        q = rng.normal(0, 0.5, len(skeleton.coordinates))
        for name, value in zip(skeleton.coordinates, q, strict=True):
            model.getCoordinateSet().get(name).setValue(state, float(value), False)
        model.realizePosition(state)
        R, p = skeleton.forward(q)
        for b, name in enumerate(skeleton.bodies):
            frame = model.getBodySet().get(name)
            np.testing.assert_allclose(R_GROUND_WORLD @ R[b], rotation_of(frame, state), atol=1e-9, err_msg=name)
            x = frame.getPositionInGround(state)
            np.testing.assert_allclose(R_GROUND_WORLD @ p[b], [x.get(i) for i in range(3)], atol=1e-9, err_msg=name)


def test_hinges_turn_like_the_pin_joints_of_lai_uhlrich():
    skeleton = Skeleton.inside(standing())
    model = opensim.Model()
    for name, orientation in PINS.items():
        child = body(f"body_{name}")
        pin = opensim.PinJoint(
            name, model.getGround(), vec((0, 0, 0)), vec(orientation), child, vec((0, 0, 0)), vec(orientation)
        )
        pin.updCoordinate().setName(name)
        model.addBody(child)
        model.addJoint(pin)
    state = model.initSystem()
    for name in PINS:
        for angle in (0.0, 0.3, -0.2):
            model.getCoordinateSet().get(name).setValue(state, angle, False)
            model.realizePosition(state)
            q = np.zeros(len(skeleton.coordinates))
            q[skeleton.index(name)] = angle
            ours = skeleton.joint_rotations(q)[skeleton.tree.dof_body[skeleton.index(name)]]
            theirs = rotation_of(model.getBodySet().get(f"body_{name}"), state)
            np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)


def test_balls_turn_like_the_custom_joints_of_lai_uhlrich():
    skeleton = Skeleton.inside(standing())
    model = opensim.Model()
    zero = vec((0, 0, 0))
    for name, turns in CUSTOM.items():
        child = body(name)
        joint = opensim.CustomJoint(
            f"to_{name}", model.getGround(), zero, zero, child, zero, zero, spatial_transform(turns)
        )
        model.addBody(child)
        model.addJoint(joint)
    state = model.initSystem()
    q = np.random.default_rng(1).normal(0, 0.6, len(skeleton.coordinates))
    R_joint = skeleton.joint_rotations(q)
    R_joint[0] = R_GROUND_WORLD @ R_joint[0]
    lumbar, arc = skeleton.body_index("lumbar"), skeleton.body_index("lumbar_arc")
    R_joint[lumbar] = R_joint[arc] @ R_joint[lumbar]
    for turns in CUSTOM.values():
        for coordinate, _, _ in turns:
            model.getCoordinateSet().get(coordinate).setValue(state, float(q[skeleton.index(coordinate)]), False)
    model.realizePosition(state)
    for name in CUSTOM:
        theirs = rotation_of(model.getBodySet().get(name), state)
        np.testing.assert_allclose(R_joint[skeleton.body_index(name)], theirs, atol=1e-9, err_msg=name)


@pytest.fixture(scope="module")
def lai_uhlrich():
    """The real model, and what turns segments against each other at some of its coordinates."""
    if not LAI_UHLRICH.exists():
        pytest.skip("LaiUhlrich2022.osim is not on this machine")
    model = opensim.Model(str(LAI_UHLRICH))
    state = model.initSystem()

    def turned(coordinates: dict[str, float], parent: str | None, child: str) -> np.ndarray:
        for c in model.getCoordinateSet():
            c.setValue(state, 0.0, False)
        for name, value in coordinates.items():
            model.getCoordinateSet().get(name).setValue(state, float(value), False)
        model.realizePosition(state)
        R = rotation_of(model.getBodySet().get(child), state)
        return R if parent is None else rotation_of(model.getBodySet().get(parent), state).T @ R

    return {c.getName() for c in model.getCoordinateSet()}, turned


def between(skeleton: Skeleton, q: np.ndarray, parent: str, child: str) -> np.ndarray:
    R, _ = skeleton.forward(q)
    return R[skeleton.body_index(parent)].T @ R[skeleton.body_index(child)]


def test_the_real_lai_uhlrich_model_agrees(lai_uhlrich):
    """Rotation of each segment against its parent (the arm: against the trunk) at zero and at one angle."""
    skeleton = Skeleton.inside(standing())
    names, turned = lai_uhlrich
    alias = {f"gh_{way}_{side}": f"arm_{way}_{side}" for way in ("flex", "add", "rot") for side in "rl"}
    checked = 0
    for d, name in enumerate(skeleton.coordinates):
        theirs = alias.get(name, name)
        if theirs not in names or name in ("pelvis_tx", "pelvis_ty", "pelvis_tz"):
            continue
        b = int(skeleton.tree.dof_body[d])
        child = skeleton.bodies[b]
        parent = "torso" if child.startswith("humerus") else skeleton.bodies[skeleton.parents[b]]
        for angle in (0.0, 0.5):
            q = np.zeros(len(skeleton.coordinates))
            q[d] = angle
            ours = R_GROUND_WORLD @ skeleton.forward(q)[0][0] if b == 0 else between(skeleton, q, parent, child)
            R = turned({theirs: angle}, parent if b else None, child)
            np.testing.assert_allclose(ours, R, atol=1e-4, err_msg=f"{name} at {angle}")
        checked += 1
    assert checked >= 27


def test_derived_angles_are_the_real_models_coordinates(lai_uhlrich):
    """Its trunk, shared out along our spine, and its arm, on a moved scapula, are read out as its own angles."""
    skeleton = Skeleton.inside(standing())
    _, turned = lai_uhlrich
    angles = {"lumbar_extension": -0.6, "lumbar_bending": 0.25, "lumbar_rotation": -0.3}
    q = np.zeros(len(skeleton.coordinates))
    for name, value in trunk_coordinates(skeleton.tree, turned(angles, "pelvis", "torso")).items():
        q[skeleton.index(name)] = value
    for side, way in (("r", 1.0), ("l", -1.0)):
        arm = {f"arm_flex_{side}": 0.7, f"arm_add_{side}": -0.5, f"arm_rot_{side}": 0.3 * way}
        angles |= arm
        q[skeleton.index(f"clav_elevation_{side}")], q[skeleton.index(f"scap_upward_{side}")] = 0.2, 0.3
        R_scapula = between(skeleton, q, "torso", f"scapula_{side}")
        signs = np.array([1.0, way, way])
        gh = signs * rotations.euler_zxy(R_scapula.T @ turned(arm, "torso", f"humerus_{side}"))
        for name, value in zip(("gh_flex", "gh_add", "gh_rot"), gh, strict=True):
            q[skeleton.index(f"{name}_{side}")] = value
    found = skeleton.derived_angles(q)
    assert found.keys() == angles.keys()
    for name, value in angles.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
