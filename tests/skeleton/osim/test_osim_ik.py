"""Inverse kinematics: exact on clean markers, OpenSim's own minimum on noisy ones, gaps, bounds, locks, tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
import osim_oracle as oracle
from leg_model import leg, motion, recording, the_leg
from osim_oracle import SHARED, saved

from marrow.errors import InputError
from marrow.skeleton.osim import CoordinateTask, Kinematics, fit_markers, read_osim


def test_clean_markers_give_the_motion_back(tmp_path: Path):
    body = the_leg(tmp_path)
    q = motion(body, 60)
    fit = fit_markers(body, body.markers, recording(body, q, 0, 0))
    np.testing.assert_allclose(fit.q, q, atol=1e-9)
    assert np.nanmax(fit.errors) < 1e-9
    assert fit.undetermined == ()
    assert set(fit.free) == set(body.coordinates) - {"patella_angle"}


def test_noisy_markers_with_gaps_give_opensims_minimum(tmp_path: Path):
    body = the_leg(tmp_path)
    xyz = recording(body, motion(body, 15), 0.008, 0.05)
    weights = {name: 1.0 + (i % 4) for i, name in enumerate(body.markers)}
    fit = fit_markers(body, body.markers, xyz, weights=weights)
    names, theirs = oracle.solve(body.model.file, body.markers, xyz, weights)
    theirs = theirs[:, [names.index(name) for name in body.coordinates]]
    np.testing.assert_allclose(fit.q, theirs, atol=2e-6)
    errors = np.linalg.norm(body.marker_positions(theirs) - xyz, axis=-1)
    errors = errors[:, [body.markers.index(name) for name in fit.markers]]
    assert np.nansum(fit.errors**2 * fit.weights) <= np.nansum(errors**2 * fit.weights) + 1e-12


def test_coordinate_tasks_weigh_as_in_opensim(tmp_path: Path):
    """Against the mean of the markers seen, so that gaps count; also for a dependent coordinate and a still marker."""
    body = the_leg(tmp_path, ground_marker=True)
    xyz = recording(body, motion(body, 6), 0.005, 0.15)
    weights = dict.fromkeys(body.markers, 2.0)
    tasks = [("ankle", 0.3, 0.2), ("hip_rotation", 0.01, -0.3)]
    fit = fit_markers(
        body, body.markers, xyz, weights=weights, tasks=[CoordinateTask(n, w, np.array(v)) for n, w, v in tasks]
    )
    names, theirs = oracle.solve(body.model.file, body.markers, xyz, weights, tasks)
    np.testing.assert_allclose(fit.q, theirs[:, [names.index(name) for name in body.coordinates]], atol=2e-6)
    free = fit_markers(body, body.markers, xyz, weights=weights)
    assert np.abs(free.q - fit.q).max() > 0.05


def test_a_task_for_a_dependent_coordinate_moves_the_one_it_follows(tmp_path: Path):
    body = the_leg(tmp_path)
    xyz = recording(body, motion(body, 3), 0, 0)
    fit = fit_markers(body, body.markers, xyz, tasks=[CoordinateTask("patella_angle", 1e6, np.array(-0.9))])
    np.testing.assert_allclose(fit.q[:, body.index("patella_angle")], -0.9, atol=1e-4)
    np.testing.assert_allclose(fit.q, body.couple(fit.q))


def test_clamped_coordinates_stay_in_their_range(tmp_path: Path):
    text = leg().replace(
        '<Coordinate name="knee"><range>-9 9</range><clamped>false</clamped>',
        '<Coordinate name="knee"><range>-0.6 0.1</range><clamped>true</clamped>',
    )
    body = Kinematics(read_osim(saved(tmp_path, text)))
    q = motion(the_leg(tmp_path.parent), 40)
    saved(tmp_path, text)
    fit = fit_markers(body, body.markers, body.marker_positions(q))
    knee = fit.q[:, body.index("knee")]
    beyond = q[:, body.index("knee")] < -0.6
    assert 0 < beyond.sum() < len(beyond)
    assert knee.min() == -0.6
    assert knee.max() <= 0.1
    np.testing.assert_allclose(knee[beyond], -0.6)
    names, theirs = oracle.solve(
        body.model.file, body.markers, body.marker_positions(q)[:8], dict.fromkeys(body.markers, 1.0)
    )
    np.testing.assert_allclose(fit.q[:8], theirs[:, [names.index(name) for name in body.coordinates]], atol=1e-4)


def test_locked_and_prescribed_coordinates_are_held(tmp_path: Path):
    line = "<LinearFunction><coefficients>2 -0.1</coefficients></LinearFunction>"
    line = f"<prescribed_function>{line}</prescribed_function>"
    body = the_leg(
        tmp_path,
        knee="<default_value>-0.3</default_value><locked>true</locked>",
        hip=f"{line}<prescribed>true</prescribed>",
    )
    time = np.arange(10) / 50
    fit = fit_markers(body, body.markers, recording(body, motion(body, 10), 0.001, 0), time=time)
    assert (fit.q[:, body.index("knee")] == -0.3).all()
    np.testing.assert_allclose(fit.q[:, body.index("hip_flexion")], 2 * time - 0.1, atol=1e-15)
    assert {"knee", "hip_flexion"}.isdisjoint(fit.free)


@pytest.mark.parametrize("turn", [(0, 3.0, 0), (1.6, 0, 0), (0.5, -2.2, 1.0)])
def test_a_body_that_starts_turned_away_is_found(tmp_path: Path, turn: tuple[float, float, float]):
    body = the_leg(tmp_path)
    q = motion(body, 5)
    q[:, :3] += turn
    q[:, 3:6] += [20.0, 1.0, -30.0]
    fit = fit_markers(body, body.markers, recording(body, q, 0.004, 0))
    assert fit.rms.max() < 0.01


def test_frames_without_markers_repeat_their_neighbour_and_are_told(tmp_path: Path):
    body = the_leg(tmp_path)
    q = motion(body, 12)
    xyz = body.marker_positions(q)
    xyz[:2] = np.nan
    xyz[7] = np.nan
    fit = fit_markers(body, body.markers, xyz)
    assert fit.empty_frames == (0, 1, 7)
    np.testing.assert_array_equal(fit.q[0], fit.q[2])
    np.testing.assert_array_equal(fit.q[7], fit.q[6])
    assert np.isnan(fit.rms[[0, 1, 7]]).all()
    seen = [2, 3, 4, 5, 6, 8, 9, 10, 11]
    np.testing.assert_allclose(fit.q[seen], q[seen], atol=1e-9)


def test_what_no_marker_moves_stays_at_its_default_and_is_told(tmp_path: Path):
    body = the_leg(tmp_path)
    few = [name for name in body.markers if not name.startswith("foot")]
    q = motion(body, 4)
    xyz = body.marker_positions(q)[:, [body.markers.index(name) for name in few]]
    fit = fit_markers(body, few, xyz)
    assert fit.undetermined == ("ankle",)
    assert (fit.q[:, body.index("ankle")] == 0).all()


def test_a_frame_that_went_astray_does_not_spoil_those_after_it(tmp_path: Path):
    body = the_leg(tmp_path)
    q = motion(body, 30)
    xyz = recording(body, q, 0.002, 0)
    swapped = list(range(xyz.shape[1]))[::-1]
    xyz[10:13] = xyz[10:13][:, swapped]
    fit = fit_markers(body, body.markers, xyz)
    good = np.r_[0:10, 13:30]
    assert fit.rms[good].max() < 0.006 < fit.rms[10:13].min()


def test_names_are_matched_and_missing_ones_explained(tmp_path: Path):
    body = the_leg(tmp_path)
    xyz = np.zeros((2, 3, 3))
    with pytest.raises(InputError, match=r"Foot_0.*the model has foot_0"):
        fit_markers(body, ["Foot_0", "Knee", "x"], xyz)
    with pytest.raises(InputError, match="has a weight above 0"):
        fit_markers(body, ["foot_0", "Knee", "x"], xyz, weights={"Knee": 1.0})
    with pytest.raises(InputError, match=r"\(T, 2, 3\)"):
        fit_markers(body, ["foot_0", "foot_1"], xyz)
    with pytest.raises(InputError, match=r"did you mean ankle"):
        fit_markers(body, ["foot_0", "foot_1", "x"], xyz, tasks=[CoordinateTask("ankel", 1, np.array(0.0))])
    without = Kinematics(read_osim(saved(tmp_path, leg().split("<MarkerSet>")[0] + "</Model></OpenSimDocument>")))
    with pytest.raises(InputError, match="no markers"):
        fit_markers(without, ["foot_0", "foot_1", "x"], xyz)


def test_a_recording_without_a_single_marker_is_refused(tmp_path: Path):
    body = the_leg(tmp_path)
    with pytest.raises(InputError, match="none of the 14 markers"):
        fit_markers(body, body.markers, np.full((3, 14, 3), np.nan))


def test_a_model_with_nothing_to_find_is_only_measured(tmp_path: Path):
    text = leg().replace("<clamped>false</clamped>", "<clamped>false</clamped><locked>true</locked>")
    body = Kinematics(read_osim(saved(tmp_path, text)))
    still = body.marker_positions(body.default)
    fit = fit_markers(body, body.markers, still[None] + [0.003, 0.004, 0])
    assert fit.free == ()
    np.testing.assert_array_equal(fit.q[0], body.default)
    np.testing.assert_allclose(fit.errors, 0.005)


def test_gait10dof_reference():
    """The published walking result of OpenSim's own example: 0.05 degrees on average (measured 0.004)."""
    folder = SHARED / "Pipelines/Gait10dof18musc"
    if not folder.exists():
        pytest.skip("the Gait10dof18musc example is not on this machine")
    from marrow.io.mot import read_mot
    from marrow.io.trc import read_trc
    from marrow.skeleton.osim.tasks import read_ik_setup

    body = Kinematics(read_osim(folder / "OutputReference/subject01.osim"))
    markers = read_trc(folder / "ExperimentalData/subject01_walk.trc")
    setup = read_ik_setup(folder / "OutputReference/IK/walk_Setup_IK.xml")
    reference = read_mot(folder / "OutputReference/IK/subject01_walk_IK.mot")
    fit = fit_markers(body, markers.names, markers.xyz, weights=setup.markers)
    turning = [name for name in reference.names if body.model.coordinates[body.index(name)].rotational]
    ours = np.degrees(fit.q[:, [body.index(name) for name in turning]])
    theirs = np.stack([reference.column(name) for name in turning], -1)
    assert np.abs(ours - theirs).mean() < 0.01
    assert np.abs(ours - theirs).max() < 0.1
