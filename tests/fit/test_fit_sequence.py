"""Windows give what the whole gives."""

from __future__ import annotations

import numpy as np
from stepping_person import JOINT_SET, camera_at, directions, near, pixels, provisional, stepping

from marrow.fit import Evidence, FitOptions, View, fit
from marrow.fit.sequence import windows


def test_windows_cover_every_frame_once():
    for frames, window, overlap in ((301, 300, 45), (1000, 300, 45), (90, 40, 20), (5000, 300, 60)):
        cuts = windows(frames, window, overlap)
        kept = np.concatenate([np.arange(own.start, own.stop) for _, own in cuts])
        np.testing.assert_array_equal(kept, np.arange(frames))
        for at, own in cuts:
            assert at.stop - at.start <= window
            assert at.start <= own.start
            assert at.stop >= own.stop
            assert own.start == 0 or own.start - at.start >= overlap // 2


def test_windows_equal_the_whole():
    person, camera = stepping(100), camera_at(0.8, 1.5, 4.0)
    own = provisional(camera)
    guess = near(person, np.random.default_rng(0), 0.05, own.R_cam_world.T @ camera.R_cam_world)
    guess.root_p[:] += own.R_cam_world.T @ camera.t_cam_world
    xy = pixels(person, camera) + np.random.default_rng(1).normal(0, 3.0, (100, 33, 2))
    evidence = Evidence(
        (View(own, xy, np.ones((100, 33)), JOINT_SET),),
        directions(person, camera),
        height_m=person.height_m,
        initial=guess,
    )
    whole = fit([evidence], person.time, options=FitOptions(tolerance=1e-6, iterations=(10, 10, 24)))
    cut = fit(
        [evidence], person.time, options=FitOptions(tolerance=1e-6, iterations=(10, 10, 24), window=70, overlap=30)
    )
    a, b = whole.people[0], cut.people[0]
    angles = [i for i, n in enumerate(a.motion.coordinates) if not n.startswith("pelvis_t")]
    q, sd = a.motion.q[:, angles] - b.motion.q[:, angles], np.maximum(a.motion.q_sd[:, angles], 1e-3)
    assert np.abs(q).mean() < np.radians(0.6)
    assert np.abs(q / sd).mean() < 0.2
    away = np.linalg.norm(a.motion.translation - b.motion.translation, axis=-1)
    assert away.max() < 0.04  # of 4 m distance
    np.testing.assert_allclose(a.skeleton.offsets, b.skeleton.offsets, atol=0.008)
    assert whole.camera is not None
    assert cut.camera is not None
    tilt = np.degrees(np.arccos(np.clip(whole.camera.R_cam_world[:, 1] @ cut.camera.R_cam_world[:, 1], -1, 1)))
    assert tilt < 2.5
    ratio = b.motion.q_sd[:, angles] / np.maximum(a.motion.q_sd[:, angles], 1e-9)
    assert 0.85 < np.median(ratio) < 1.15


def test_an_assumed_scale_is_as_uncertain_in_windows_as_in_the_whole():
    """It is one assumption about the person, not one for each window."""
    person, camera = stepping(96), camera_at(0.8, 1.5, 4.0)
    own = provisional(camera)
    guess = near(person, np.random.default_rng(0), 0.05, own.R_cam_world.T @ camera.R_cam_world)
    guess.root_p[:] += own.R_cam_world.T @ camera.t_cam_world
    xy = pixels(person, camera) + np.random.default_rng(1).normal(0, 3.0, (96, 33, 2))
    evidence = Evidence((View(own, xy, np.ones((96, 33)), JOINT_SET),), directions(person, camera), initial=guess)
    depth = []
    for window in (96, 32):
        found = fit([evidence], person.time, options=FitOptions(iterations=(8, 6, 8), window=window, overlap=8))
        depth.append(np.median(found.people[0].motion.q_sd[:, 3:6].max(1)))
    assert 0.87 < depth[1] / depth[0] < 1.15
