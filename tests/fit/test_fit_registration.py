"""Corresponding points of two bodies, where they are known: the twin's vertices are some of the default body's."""

from __future__ import annotations

import numpy as np
import pytest

from broken_files import break_compressed
from marrow.bench.twin import thinned
from marrow.body import load_body
from marrow.errors import InputError
from marrow.fit import registration as registering
from marrow.fit.meshes import owners
from marrow.fit.registration import limbs_along, register, registration, straight_hands
from marrow.skeleton.definition import FINGER_BODIES
from twin_files import VERTICES

OURS = load_body()
REST = OURS.rest()


@pytest.fixture(scope="module")
def found(twin_body):
    return registration(twin_body)


@pytest.fixture(scope="module")
def kept(twin_body):
    ids, faces = thinned(REST.vertices, OURS.faces, VERTICES)
    np.testing.assert_array_equal(faces, twin_body.faces)
    return ids


def test_points_that_are_the_same_are_found(found, kept):
    """In millimetres on the average body, on a mesh with edges of 25; not of fingers, which have no joints there."""
    bodies = REST.skeleton.bodies
    finger = np.array([name in FINGER_BODIES for name in bodies])[owners(OURS, bodies)[kept]]
    away = 1000 * np.linalg.norm(found.theirs_on_ours.of(REST.vertices) - REST.vertices[kept], axis=1)
    assert found.theirs_sure[~finger].mean() > 0.95
    body = away[~finger & found.theirs_sure]
    assert np.median(body) < 4
    assert np.quantile(body, 0.95) < 12


def test_both_ways_agree(found, twin_body):
    """There and back again, a point of the other surface is where it was."""
    back = found.theirs_on_ours.of(found.ours_on_theirs.of(twin_body.rest().vertices))
    away = 1000 * np.linalg.norm(back - twin_body.rest().vertices, axis=1)[found.theirs_sure]
    assert np.median(away) < 1
    assert np.quantile(away, 0.95) < 6


def test_the_inside_of_the_head_is_not_relied_on(found):
    start, bone, _ = OURS.bone_weights
    eyes = np.array([name.startswith("eye") for name in OURS.bones])[bone]
    of_eyes = np.repeat(np.arange(OURS.vertex_count), np.diff(start))[eyes]
    assert found.ours_sure[of_eyes].mean() < 0.8
    assert found.ours_sure.mean() > 0.9


def test_it_is_made_once(found, twin_body, monkeypatch):
    monkeypatch.setattr(registering, "register", None)
    again = registration(twin_body)
    np.testing.assert_array_equal(again.theirs_on_ours.corners, found.theirs_on_ours.corners)
    np.testing.assert_array_equal(again.ours_sure, found.ours_sure)
    assert again.shape == found.shape


def test_a_damaged_entry_of_the_cache_is_made_again(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
    assert registering._read(tmp_path / "a.npz") is None
    assert registering._read(tmp_path / "missing.npz") is None


def test_an_entry_whose_compressed_bytes_are_damaged_is_made_again(found, tmp_path):
    registering._write(tmp_path / "a.npz", found)
    assert registering._read(tmp_path / "a.npz") is not None
    break_compressed(tmp_path / "a.npz")
    assert registering._read(tmp_path / "a.npz") is None


@pytest.mark.parametrize(
    "turn", [[[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.diag([-1, 1, -1])], ids=["z_up", "facing_back"]
)
def test_a_body_with_other_axes_is_refused(twin_body, turn):
    rest, A = twin_body.rest(), np.array(turn, float).T
    joints = dict(zip(twin_body.spec.joints, rest.joints.astype(float) @ A, strict=True))
    with pytest.raises(InputError, match=r"stand upright and face \+Z"):
        register(rest.vertices @ A, twin_body.faces, joints)


def test_a_body_in_other_units_is_refused(twin_body):
    rest = twin_body.rest()
    joints = dict(zip(twin_body.spec.joints, 100 * rest.joints.astype(float), strict=True))
    with pytest.raises(InputError, match=r"expected a grown person's body in a T-pose, metres"):
        register(100 * rest.vertices, twin_body.faces, joints)


def test_limbs_lie_where_they_are_told():
    along = {"humerus_l": np.array([1.0, 0, 0]), "ulna_l": np.array([0.6, 0, 0.8]), "femur_r": np.array([0.0, -1, 0])}
    skeleton = REST.skeleton
    R, p = skeleton.compose(limbs_along(REST, straight_hands(skeleton), along), REST.landmarks["pelvis"])
    at = dict(zip(skeleton.point_names, skeleton.points(R, p), strict=True))
    for name, (start, end) in {
        "humerus_l": ("shoulder_l", "elbow_l"), "ulna_l": ("elbow_l", "wrist_l"), "femur_r": ("hip_r", "knee_r"),
    }.items():  # fmt: skip
        line = at[end] - at[start]
        assert line @ along[name] / np.linalg.norm(line) > np.cos(np.radians(2.0))
