"""Inverse dynamics against a pendulum's own law, against OpenSim's shipped references, and with faulty files."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_models import ARM, GRAVITY, INERTIA, MASS, pendulum

from marrow.clinical.dynamics import inverse_dynamics
from marrow.errors import InputError
from marrow.io.mot import Table, read_mot, write_mot
from marrow.io.npz import write_motion
from marrow.types import Motion

SHARED = Path(__file__).parents[3] / "shared" / "data" / "opensim" / "Pipelines"

TIME = np.arange(201) / 100
SWING = 0.5 * np.sin(3 * TIME)
MOMENT = -4.5 * np.sin(3 * TIME) * (INERTIA + MASS * ARM**2) + MASS * GRAVITY * ARM * np.sin(SWING)

LOADS = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><ExternalLoads name="loads"><objects>
<ExternalForce name="push"><applied_to_body>{body}</applied_to_body>
<force_expressed_in_body>ground</force_expressed_in_body><point_expressed_in_body>ground</point_expressed_in_body>
<force_identifier>force_v</force_identifier><point_identifier>force_p</point_identifier>
<torque_identifier></torque_identifier></ExternalForce></objects><groups/>
<datafile>push.mot</datafile></ExternalLoads></OpenSimDocument>
"""


def motion(*, in_degrees: bool = True) -> Table:
    return Table(("swing",), TIME, (np.degrees(SWING) if in_degrees else SWING)[:, None], in_degrees)


def push(folder: Path, *, body: str = "bob", until: float = 3.0) -> Path:
    """A force of 20 N along X at the lower end of the pendulum's rest, and its ExternalLoads file."""
    time = np.linspace(-0.5, until, 60)
    values = np.tile([20.0, 0, 0, 0, -1.0, 0], (60, 1))
    names = ("force_vx", "force_vy", "force_vz", "force_px", "force_py", "force_pz")
    write_mot(folder / "push.mot", Table(names, time, values, False))
    (folder / "loads.xml").write_text(LOADS.format(body=body))
    return folder / "loads.xml"


@pytest.mark.parametrize("in_degrees", [True, False])
def test_a_pendulum_obeys_its_law(tmp_path, in_degrees):
    write_mot(tmp_path / "q.mot", motion(in_degrees=in_degrees))
    found = inverse_dynamics(pendulum(tmp_path / "m.osim"), tmp_path / "q.mot", lowpass_hz=0)
    assert found.forces.names == ("swing_moment",)
    assert found.mass_kg == MASS
    assert found.residual_share is None
    inner = slice(10, -10)  # splines are free at their ends
    np.testing.assert_allclose(found.forces.time, TIME, atol=1e-5)
    np.testing.assert_allclose(found.forces.column("swing_moment")[inner], MOMENT[inner], atol=2e-3)


def test_motions_of_other_kinds(tmp_path):
    """OpenSim's states, and marrow's own motion, give the same moments as a plain table."""
    model = pendulum(tmp_path / "m.osim")
    expected = inverse_dynamics(model, motion()).forces.values
    names = ("/jointset/hinge/swing/value", "/jointset/hinge/swing/speed")
    write_mot(tmp_path / "states.sto", Table(names, TIME, np.stack([SWING, SWING], 1), False))
    own = Motion(TIME, ("swing", "knee_angle_r"), np.stack([SWING, SWING], 1), np.zeros((201, 3)), {})
    write_motion(tmp_path / "motion.npz", own)
    for name in ("states.sto", "motion.npz"):
        np.testing.assert_allclose(inverse_dynamics(model, tmp_path / name).forces.values, expected, atol=1e-6)


def test_a_force_on_the_body_is_taken_out(tmp_path):
    model = pendulum(tmp_path / "m.osim")
    found = inverse_dynamics(model, motion(), loads=push(tmp_path), lowpass_hz=None)
    # 20 N along X at (0, -1, 0) turn about Z by 20 N·m, which the joint need not do.
    inner = slice(10, -10)
    np.testing.assert_allclose(found.forces.column("swing_moment")[inner], MOMENT[inner] - 20, atol=2e-3)
    assert found.residual_share == 0.0


def test_a_part_of_the_time(tmp_path):
    found = inverse_dynamics(pendulum(tmp_path / "m.osim"), motion(), time=(0.5, 99))
    assert found.forces.time[0] == pytest.approx(0.5, abs=1e-5)
    assert found.forces.time[-1] == pytest.approx(2.0, abs=1e-5)


def refused(text: str, *args, **options) -> None:
    with pytest.raises(InputError, match=text) as caught:
        inverse_dynamics(*args, **options)
    assert "\n" not in str(caught.value)


def test_faulty_motions_are_told(tmp_path):
    model = pendulum(tmp_path / "m.osim")
    good = motion()
    refused("none of its 1 columns .knee.*swing", model, replace(good, names=("knee",)))
    gap = good.values.copy()
    gap[7] = np.nan
    refused(r"swing has no value at 0\.07 s", model, replace(good, values=gap))
    refused("says radians.*Are the values in degrees", model, replace(good, in_degrees=False))
    refused("too few", model, Table(("swing",), TIME[:3], good.values[:3], True))
    refused("0 to 2 s, and 3 to 4 s", model, good, time=(3, 4))
    refused("first and last", model, good, time=(1, 1))
    refused("half of the motion's rate", model, good, lowpass_hz=60)
    refused("frequency", model, good, lowpass_hz=-1)
    refused("no such file", model, tmp_path / "none.mot")


def test_radians_under_a_header_that_says_degrees(tmp_path):
    """A single hinge may move little; six rotations of a walking person do not."""
    from toy_models import legs

    names = tuple(f"{body}_{side}_angle" for body in ("femur", "tibia", "foot") for side in "rl")
    table = Table(names, TIME, np.tile(SWING[:, None], (1, 6)), True)
    refused("says degrees.*Are the values in radians", legs(tmp_path / "m.osim"), table)
    found = inverse_dynamics(tmp_path / "m.osim", replace(table, in_degrees=False))
    assert any("stay at the model's default" in warning for warning in found.warnings)


def test_faulty_models_and_forces_are_told(tmp_path):
    model, good = pendulum(tmp_path / "m.osim"), motion()
    refused("no such file", tmp_path / "none.osim", good)
    (tmp_path / "cut.osim").write_text(model.read_text()[:500])
    refused("cannot load this model", tmp_path / "cut.osim", good)
    (tmp_path / "light.osim").write_text(re.sub("<mass>.*?</mass>", "<mass>0</mass>", model.read_text()))
    refused("bob is massless", tmp_path / "light.osim", good)
    (tmp_path / "joint.osim").write_text(re.sub("PinJoint", "FancyJoint", model.read_text()))
    refused(re.escape("joint.osim"), tmp_path / "joint.osim", good)
    refused("acts on 'calcn_r'", model, good, loads=push(tmp_path, body="calcn_r"))
    refused("-0.5 to 1 s, the motion from 0 to 2 s", model, good, loads=push(tmp_path, until=1.0))
    (tmp_path / "push.mot").unlink()
    refused("push.mot: no such file", model, good, loads=tmp_path / "loads.xml")
    write_mot(tmp_path / "other.mot", Table(("fx", "fy"), TIME, np.zeros((201, 2)), False))
    refused("three columns force_v.* has 0", model, good, loads=tmp_path / "loads.xml", grf=tmp_path / "other.mot")
    refused("which body", model, good, grf=tmp_path / "other.mot")
    (tmp_path / "loads.xml").write_text("<a/>")
    refused("ExternalLoads", model, good, loads=tmp_path / "loads.xml")


def test_nothing_is_printed_and_no_log_is_left(tmp_path):
    """In a process that begins with it: OpenSim would print a table and begin ``opensim.log``."""
    pendulum(tmp_path / "m.osim")
    write_mot(tmp_path / "q.mot", motion())
    code = "from marrow.clinical import inverse_dynamics; inverse_dynamics('m.osim', 'q.mot')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.osim", "q.mot"]


REFERENCES = {
    "gait2392": (
        "Gait2392_Simbody/OutputReference/subject01_simbody.osim",
        "Gait2392_Simbody/subject01_walk1_ik.mot",
        "Gait2392_Simbody/subject01_walk1_grf.xml",
        "Gait2392_Simbody/OutputReference/ResultsInverseDynamics/InverseDynamicsOutput.sto",
    ),
    "gait10dof18musc": (
        "Gait10dof18musc/OutputReference/subject01.osim",
        "Gait10dof18musc/OutputReference/IK/subject01_walk_IK.mot",
        "Gait10dof18musc/ExperimentalData/subject01_walk_grf.xml",
        "Gait10dof18musc/OutputReference/ID/Results/subject01_walk_ID.sto",
    ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_shipped_references(name):
    """Every coordinate within 1 N·m (or N) RMS of what OpenSim's authors ship for the walk of subject01."""
    if not SHARED.exists():
        pytest.skip("../shared/data/opensim is not here")
    model, moving, loads, reference = (SHARED / path for path in REFERENCES[name])
    expected = read_mot(reference)
    found = inverse_dynamics(model, moving, loads=loads, time=(expected.time[0], expected.time[-1])).forces
    assert set(found.names) == set(expected.names)
    # The reference of Gait2392 begins 0.1 s before the motion that is shipped with it.
    rows = (expected.time >= found.time[0]) & (expected.time <= found.time[-1])
    assert rows.sum() > 60
    for column in expected.names:
        ours = np.interp(expected.time[rows], found.time, found.column(column))
        assert np.sqrt(np.mean((ours - expected.column(column)[rows]) ** 2)) <= 1.0, column
