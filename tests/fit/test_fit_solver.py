"""Derivatives, the arrow's linear algebra and the uncertainty it gives, against plain dense computation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stepping_person import JOINT_SET, camera_at, directions, near, pixels, provisional, stepping

from marrow.body import load_body
from marrow.fit import Evidence, FitOptions, Points, View, arrow, pipeline, solver, uncertainty
from marrow.fit._fast_residuals import SHARED, Shared
from marrow.fit.problem import prepare
from marrow.fit.starts import starts
from marrow.fit.state import moved_shared
from marrow.geometry import rotations

FRAMES = 5


@pytest.fixture(scope="module")
def scene():
    """A person with every kind of evidence at a state away from the optimum."""
    person, camera = stepping(FRAMES), camera_at(0.8, 1.6, 4.0)
    rng = np.random.default_rng(0)
    own = provisional(camera)
    guess = near(person, rng, 0.1, own.R_cam_world.T @ camera.R_cam_world)
    guess.root_p[:] += own.R_cam_world.T @ camera.t_cam_world
    xy = pixels(person, camera) + rng.normal(0, 8.0, (FRAMES, 33, 2))
    evidence = Evidence(
        views=(View(own, xy, rng.uniform(0.3, 1.0, (FRAMES, 33)), JOINT_SET),),
        directions=directions(person, camera) + rng.normal(0, 0.03, (FRAMES, 33, 3)),
        points=(Points(rng.normal(0, 1.0, (FRAMES, 2, 3)) + [0, 0, -4.0], ("knee_r", "hand_l"), 0.1),),
        height_m=1.8,
        initial=guess,
    )
    options = FitOptions(pose_prior=30.0, robust=3.0)
    time = np.cumsum([0.0, 0.03, 0.04, 0.02, 0.05])
    prepared = prepare(evidence, time, load_body(), options, feet=True)
    setting = pipeline.setting_of([evidence], options, focal_known=False, static=True, floor=True)
    contact = rng.uniform(0.2, 1.0, (FRAMES, len(prepared.feet)))
    problem = solver.with_contact(prepared.problem, contact, rng.uniform(-0.2, 0.2, FRAMES))
    state = starts(prepared)[0]
    step = rng.normal(0, 0.1, (FRAMES, problem.model.size))
    state = state.moved(problem.model, step, rng.normal(0, 0.3, len(state.shape)) * problem.shape_step)
    soles = solver.place(problem.model, problem.linearised(state.shape), state).X[:, prepared.feet]
    shared = Shared(1.1, setting.up, float(soles[..., 1].mean()))  # half of the soles are below the floor
    prior = replace(setting.prior, height_precision=0.25)
    return problem, state, shared, pipeline.scales(options, 0, setting, True), prior


def _cost(scene, linear, state, shared):
    problem, _, _, scales, prior = scene
    return solver.evaluate(problem, linear, state, shared, scales).cost + arrow.shared_terms(prior, shared)[0]


def test_gradients_agree_with_finite_differences(scene):
    problem, state, shared, scales, prior = scene
    linear = problem.linearised(state.shape)
    normal = solver.evaluate(problem, linear, state, shared, scales)
    assert set(normal.costs) >= {
        "pixels",
        "directions",
        "places",
        "floor",
        "upright",
        "prior",
        "limits",
        "smooth",
        "shape",
    }
    assert all(normal.costs[k] > 0 for k in ("pixels", "directions", "places", "floor", "upright", "smooth", "shape"))
    d, S, h = problem.model.size, len(state.shape), 1e-6
    for t, f in [(t, f) for t in (0, 2, FRAMES - 1) for f in range(d)]:
        step = np.zeros((FRAMES, d))
        step[t, f] = h
        up = _cost(scene, linear, state.moved(problem.model, step, np.zeros(S)), shared)
        down = _cost(scene, linear, state.moved(problem.model, -step, np.zeros(S)), shared)
        want = (up - down) / (2 * h)
        assert normal.g[t * d + f] == pytest.approx(want, rel=2e-4, abs=2e-3), (t, f)
    gradient = normal.gb.copy()
    gradient[S:] += arrow.shared_terms(prior, shared)[1]
    for c in range(S + SHARED):
        step = np.zeros(S + SHARED)
        step[c] = h
        up = _cost(
            scene, linear, state.moved(problem.model, np.zeros((FRAMES, d)), step[:S]), moved_shared(shared, step[S:])
        )
        down = _cost(
            scene, linear, state.moved(problem.model, np.zeros((FRAMES, d)), -step[:S]), moved_shared(shared, -step[S:])
        )
        assert gradient[c] == pytest.approx((up - down) / (2 * h), rel=2e-4, abs=5e-3), c


def _dense(normal, d):
    """The whole symmetric matrix of a band."""
    N = len(normal.g)
    A = np.zeros((N, N))
    for j in range(N):
        width = min(normal.band.shape[1], N - j)
        A[j : j + width, j] = normal.band[j, :width]
    return A + np.tril(A, -1).T


def test_band_and_dense_give_the_same_step(scene):
    problem, state, shared, scales, prior = scene
    linear = problem.linearised(state.shape)
    normal = solver.evaluate(problem, linear, state, shared, scales)
    damping = 0.1
    (step,), border = solver._step([problem], [normal], [state], prior, shared, damping, map)
    A, N = _dense(normal, problem.model.size), len(normal.g)
    A[np.diag_indices(N)] += solver._diagonal(problem.model, FRAMES, damping)
    B = normal.Hb.copy()
    _, g_shared, H_shared = arrow.shared_terms(prior, shared)
    S = len(state.shape)
    B[S:, S:] += H_shared
    gb = normal.gb.copy()
    gb[S:] += g_shared
    schur = B - normal.C.T @ np.linalg.solve(A, normal.C)
    B = B + np.diag(damping * np.diag(schur))  # the solver damps the border after elimination
    whole = np.block([[A, normal.C], [normal.C.T, B]])
    want = -np.linalg.solve(whole, np.concatenate([normal.g, gb]))
    np.testing.assert_allclose(step.ravel(), want[:N], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(border, want[N:], rtol=1e-6, atol=1e-9)


def test_curvature_is_positive_semidefinite(scene):
    problem, state, shared, scales, _ = scene
    linear = problem.linearised(state.shape)
    normal = solver.evaluate(problem, linear, state, shared, scales)
    smallest = np.linalg.eigvalsh(_dense(normal, problem.model.size))[0]
    assert smallest > -1e-6 * np.abs(normal.band[:, 0]).max()


@pytest.mark.parametrize("frames", [FRAMES, FRAMES - 1])
def test_selected_inverse_is_the_inverse(scene, frames):
    problem, state, shared, scales, _ = scene
    linear = problem.linearised(state.shape)
    normal = solver.evaluate(problem, linear, state, shared, scales)
    d = problem.model.size
    N = frames * d
    normal = replace(normal, band=normal.band[:N].copy(), g=normal.g[:N], C=normal.C[:N])
    factor = arrow.factorise(normal, np.full(N, 1.0))
    assert factor is not None
    A = _dense(normal, d) + np.eye(N)
    inverse = np.linalg.inv(A)
    found = uncertainty.diagonal_blocks(factor, d)
    for t in range(frames):
        at = slice(t * d, (t + 1) * d)
        np.testing.assert_allclose(found[t], inverse[at, at], rtol=1e-6, atol=1e-10)


def test_angle_spread_follows_the_rotation():
    """A joint's local covariance becomes that of its Z-X-Y angles: compared with samples."""
    rng = np.random.default_rng(1)
    angles = np.array([0.5, -0.6, 0.3])
    local = rng.normal(0, 0.02, (20000, 3)) * [1.0, 0.5, 2.0]
    sampled = rotations.euler_zxy(rotations.from_euler_zxy(angles) @ rotations.exp(local)).std(0)
    inverse = np.linalg.inv(rotations.euler_zxy_jacobian(angles))
    found = np.sqrt(np.diag(inverse @ np.diag((0.02 * np.array([1.0, 0.5, 2.0])) ** 2) @ inverse.T))
    np.testing.assert_allclose(found, sampled, rtol=0.03)
