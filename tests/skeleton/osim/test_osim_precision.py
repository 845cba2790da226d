"""Standard errors of coordinates: as many fits of noisy markers spread, and without limit where axes coincide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("opensim")
from leg_model import motion, the_leg
from shoulder_model import shoulder

from marrow.clinical.inverse_kinematics import inverse_kinematics
from marrow.io.trc import MarkerData, write_trc
from marrow.skeleton.osim import CoordinateTask, coordinate_precision, fit_markers


def test_it_is_the_spread_of_many_noisy_fits(tmp_path: Path):
    """With gaps, unequal weights, a coupling and a task; angles and places."""
    body = the_leg(tmp_path)
    q = np.repeat(motion(body, 1), 1500, 0)
    noise = 0.001 * np.random.default_rng(0).normal(size=(len(q), len(body.markers), 3))
    xyz = body.marker_positions(q) + noise
    xyz[:, body.markers.index("thigh_1")] = np.nan
    weights = {name: 1.0 + 3.0 * (i % 3) for i, name in enumerate(body.markers)}
    tasks = [CoordinateTask("hip_rotation", 0.02, q[:1, body.index("hip_rotation")])]
    fit = fit_markers(body, body.markers, xyz, weights=weights, tasks=tasks)
    found = coordinate_precision(body, fit, tasks)
    values = fit.q[:, [body.index(name) for name in found.coordinates]]
    spread = values.std(0) * [
        180 / np.pi if body.model.coordinates[body.index(name)].rotational else 1000 for name in found.coordinates
    ]
    np.testing.assert_allclose(found.per_mm, spread, rtol=0.1)
    np.testing.assert_allclose(found.correlation, np.corrcoef(values.T), atol=0.1)


def test_one_turn_about_one_point_has_the_error_of_its_lever(tmp_path: Path):
    """A turn that moves its markers by r per radian: 1 mm over the root of the sum of r squared."""
    body = shoulder(tmp_path)
    q = np.zeros((1, 3))
    fit = fit_markers(body, body.markers, body.marker_positions(q))
    found = coordinate_precision(body, fit, [CoordinateTask(name, 1e6, np.array(0.0)) for name in ("add", "rot")])
    levers = body.jacobian(q[0], body.marker_bodies, body.marker_locations)[:, :, 0]
    assert found.per_mm[0] == pytest.approx(np.degrees(0.001 / np.sqrt((levers**2).sum())), rel=1e-3)
    assert found.per_mm[1:].max() < 1e-3


def test_axes_that_coincide_are_told(tmp_path: Path):
    """About z, x, z: with the middle turn at 0 the outer two are one; nearly so, they are told with their error."""
    body = shoulder(tmp_path, ("0 0 1", "1 0 0", "0 0 1"))

    def remarks(middle: float) -> tuple[list[str], list[tuple[str, float | None, tuple[str, ...]]]]:
        xyz = body.marker_positions(np.array([[0.2, middle, 0.1]] * 3))
        write_trc(tmp_path / "t.trc", MarkerData(body.markers, np.arange(3) / 50, xyz, 50.0, "m"))
        found = inverse_kinematics(body.model.file, tmp_path / "t.trc")
        rows = [(row.coordinate, row.per_mm, row.confused_with) for row in found.poorly_determined]
        return [warning for warning in found.warnings if "hardly" in warning], rows

    told, rows = remarks(0.0)
    assert told == ["markers hardly tell flex and rot apart (without limit per mm of marker error)"]
    assert sorted(rows) == [("flex", None, ("rot",)), ("rot", None, ("flex",))]
    told, rows = remarks(0.02)
    assert told[0].startswith("markers hardly tell ")
    assert " apart (" in told[0]
    assert "° per mm of marker error)" in told[0]
    assert {row[0] for row in rows} == {"flex", "rot"}
    assert remarks(0.6) == ([], [])


def test_a_model_with_nothing_to_find_has_no_errors(tmp_path: Path):
    locked = "<locked>true</locked>"
    body = shoulder(tmp_path, extra=locked)
    fit = fit_markers(body, body.markers, body.marker_positions(body.default)[None])
    assert coordinate_precision(body, fit).per_mm.shape == (0,)
