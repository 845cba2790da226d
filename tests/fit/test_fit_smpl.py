"""A motion goes to a body of SMPL's family and comes back: skins lie on each other, angles return."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marrow.bench.twin import clip_of
from marrow.body import load_body
from marrow.body.shelf import add_model
from marrow.errors import InputError
from marrow.fit.smpl import from_smpl, model_of, smpl_body, to_smpl
from marrow.geometry.rotations import exp
from marrow.io.amass import SmplMotion
from marrow.types import Motion

OURS = load_body()


@pytest.fixture(scope="module")
def motion() -> Motion:
    clip = clip_of("te_soccer_1", shape={})
    at = slice(0, 120, 10)
    return Motion(np.arange(12) / 3, clip.coordinates, clip.q[at], clip.translation[at], clip.shape)


@pytest.fixture(scope="module")
def there(motion, twin_body):
    return to_smpl(motion, twin_body, name="soccer")


@pytest.fixture(scope="module")
def back(there, twin_body):
    return from_smpl(there.motion, twin_body)


def test_the_skins_lie_on_each_other(there):
    mean, most = 1000 * there.residual.mean(0)
    assert mean < 3
    assert most < 8
    assert there.summary()["distance of the skins, mean, 95 % (mm)"] == [round(mean, 1), round(most, 1)]
    assert there.poses.shape == (12, 24, 3)
    assert there.betas.shape == (10,)


def test_another_person_keeps_their_size(twin_body):
    clip = clip_of("02_01", frames=3)
    found = to_smpl(clip, twin_body)
    assert 1000 * found.residual.mean(0)[0] < 5
    rest = twin_body.rest(found.betas).vertices
    assert abs(np.ptp(rest[:, 1]) - OURS.stature(clip.shape)) < 0.03


def test_angles_come_back(motion, back):
    """Of the shoulder girdle, the arm against the rib cage; shares of it are not in SMPL. Fingers neither."""
    skeleton = OURS.rest(motion.shape).skeleton
    shares = ("clav", "scap", "gh_", "thumb", "index", "middle", "ring", "little", "pelvis_t")
    found = back.person
    away = {
        name: np.degrees(np.median(np.abs(found.motion.q[:, i] - motion.q[:, i])))
        for i, name in enumerate(skeleton.coordinates)
        if not name.startswith(shares) or name == "pelvis_tilt"
    }
    ours, theirs = (s.derived_angles(m.q) for s, m in ((skeleton, motion), (found.skeleton, found.motion)))
    away |= {name: np.degrees(np.median(np.abs(ours[name] - theirs[name]))) for name in ours}
    assert np.median(list(away.values())) < 1, away
    legs = [name for name in away if name.startswith(("hip", "knee", "ankle", "pelvis"))]
    assert max(away[name] for name in legs) < 1.5, away
    hands = [name for name in away if name.startswith(("pro_sup", "wrist"))]
    assert max(away[name] for name in hands) < 6, away
    assert max(own for name, own in away.items() if name not in hands) < 2.5, away
    assert np.linalg.norm(found.motion.translation - motion.translation, axis=1).max() < 0.01


def test_what_remains_is_told_by_segment(back):
    assert set(back.residual) >= {"femur_r", "humerus_l", "head", "torso"}
    assert all(own.shape == (12,) for own in back.residual.values())
    assert 1000 * np.median(back.residual["tibia_r"]) < 4


def test_a_turned_world_turns_the_result(there, back, twin_body):
    """The root turns about the pelvis' joint and not about the origin."""
    turn = exp([0.0, 1.1, 0.0])
    turned = from_smpl(there.motion.turned(turn, there.pelvis), twin_body).person.motion
    np.testing.assert_allclose(turned.translation, back.person.motion.translation @ turn.T, atol=3e-3)
    column = turned.coordinates.index("knee_angle_r")
    np.testing.assert_allclose(turned.q[:, column], back.person.motion.q[:, column], atol=np.radians(0.5))


def test_other_families_are_refused(there, twin_body):
    with pytest.raises(InputError, match=r"of the family smplx, but SMPL_NEUTRAL.pkl is of the family smpl"):
        from_smpl(replace(there.motion, family="smplx"), twin_body)
    with pytest.raises(InputError, match="expected a model of SMPL's family"):
        smpl_body("default")


def test_the_model_is_found_by_family_and_gender(twin_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MARROW_MODELS", str(tmp_path))
    own = SmplMotion("walk", "smpl", "male", np.zeros(10), np.zeros((1, 24, 3)), np.zeros((1, 3)), np.zeros(1))
    with pytest.raises(InputError, match=r"made with SMPL, male; no such model is kept. Add your own file with"):
        model_of(own)
    add_model(twin_file)
    assert model_of(replace(own, gender="neutral")) == "smpl-neutral"
    assert model_of(replace(own, gender="")) == "smpl-neutral"
    with pytest.raises(InputError, match="such as --model smpl-neutral"):
        model_of(own)
    add_model(twin_file, "mine")
    with pytest.raises(InputError, match=r"kept are mine, smpl-neutral. Choose one: --model mine"):
        model_of(replace(own, gender=""))
    assert model_of(replace(own, gender="neutral")) == "smpl-neutral"


def test_bent_arms_come_back(twin_body):
    """Of the forearm the fit looks at no skin; without its own place to begin with, it once stayed straight."""
    clip = clip_of("01_14.1", shape={})
    at = slice(0, 60, 12)
    arms = Motion(np.arange(5.0), clip.coordinates, clip.q[at], clip.translation[at], clip.shape)
    column = clip.coordinates.index("elbow_flex_r")
    assert np.degrees(arms.q[:, column].max()) > 70
    found = from_smpl(to_smpl(arms, twin_body).motion, twin_body).person.motion
    assert np.degrees(np.abs(found.q[:, column] - arms.q[:, column]).max()) < 6
