"""Measured points become targets for the body: rotations and limbs kept, hips and shoulders where the body has them."""

import numpy as np
import pytest

from marrow.body import load_body
from marrow.conventions import R_GROUND_WORLD
from marrow.data.activities import JOINTS, REST
from marrow.data.clips import PointClip
from marrow.data.targets import first_guess, targets
from marrow.errors import InputError
from marrow.geometry.rotations import exp, rotation_y
from marrow.skeleton import Skeleton

BODY = load_body().rest().landmarks


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def activity(frames: int = 40, seed: int = 0) -> tuple[PointClip, np.ndarray, np.ndarray]:
    """A clip with known rotations of pelvis and trunk and random limbs, in the layout of the 17-joint clips."""
    rng = np.random.default_rng(seed)
    R_pelvis, R_torso = exp(rng.normal(0, 0.4, (frames, 3))), exp(rng.normal(0, 0.4, (frames, 3)))
    rest = {name: np.array(x) for name, x in REST.items()}
    x = {}
    for name in ("pelvis", "right_hip", "left_hip"):
        x[name] = [0, 1, 0] + R_pelvis @ rest[name]
    for name in ("spine", "thorax", "left_shoulder", "right_shoulder", "neck", "head"):
        x[name] = [0, 1, 0] + R_torso @ rest[name]
    for side in ("left", "right"):
        for start, middle, end in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            v = rng.normal(size=(2, frames, 3))
            v /= np.linalg.norm(v, axis=-1, keepdims=True)
            x[f"{side}_{middle}"] = x[f"{side}_{start}"] + 0.4 * v[0]
            x[f"{side}_{end}"] = x[f"{side}_{middle}"] + 0.4 * v[1]
    xyz = np.stack([x[name] for name in JOINTS], 1)
    missing = (np.nan,) * 3
    clip = PointClip("tr_x", "s", 60.0, JOINTS, xyz, np.array([REST.get(name, missing) for name in JOINTS]))
    return clip, R_pelvis, R_torso


def test_rotations_of_pelvis_and_trunk_are_found():
    clip, R_pelvis, R_torso = activity()
    got = targets(clip, BODY)
    np.testing.assert_allclose(got.R_pelvis, R_pelvis, atol=1e-9)
    np.testing.assert_allclose(got.R_torso, R_torso, atol=1e-9)
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    head = np.einsum("tji,tj->ti", R_torso, at["head_top"] - at["neck"])
    np.testing.assert_allclose(head, np.tile(BODY["head_top"] - BODY["neck"], (len(head), 1)), atol=1e-9)


def test_limbs_keep_direction_and_length_and_hang_on_this_bodys_hips():
    clip, R_pelvis, _ = activity(seed=1)
    got = targets(clip, BODY)
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    raw = {name: clip.xyz[:, i] for i, name in enumerate(JOINTS)}
    across = np.einsum("tji,tj->ti", R_pelvis, at["hip_l"] - at["hip_r"])
    np.testing.assert_allclose(across, np.tile(BODY["hip_l"] - BODY["hip_r"], (len(across), 1)), atol=1e-9)
    for s, side in (("l", "left"), ("r", "right")):
        for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow")):
            expected = raw[f"{side}_{b}"] - raw[f"{side}_{a}"]
            np.testing.assert_allclose(at[f"{b}_{s}"] - at[f"{a}_{s}"], expected, atol=1e-9)
        forearm, raw_forearm = at[f"wrist_{s}"] - at[f"elbow_{s}"], raw[f"{side}_wrist"] - raw[f"{side}_elbow"]
        np.testing.assert_allclose(np.cross(forearm, raw_forearm), 0, atol=1e-9)
        share = np.linalg.norm(forearm, axis=-1) / 0.4
        wanted = np.linalg.norm(BODY[f"wrist_{s}"] - BODY[f"elbow_{s}"]) / np.linalg.norm(
            BODY[f"elbow_{s}"] - BODY[f"shoulder_{s}"]
        )
        np.testing.assert_allclose(share, wanted)


def test_turning_and_moving_the_clip_turns_and_moves_the_targets():
    clip, _, _ = activity(seed=2)
    R, t = rotation_y(1.1), np.array([0.5, 0.0, -2.0])
    moved = PointClip(clip.name, clip.subject, clip.fps, clip.points, clip.xyz @ R.T + t, clip.rest)
    np.testing.assert_allclose(targets(moved, BODY).xyz, targets(clip, BODY).xyz @ R.T + t, atol=1e-9)


def test_a_standing_foot_of_an_asf_clip_becomes_flat():
    rest: dict[str, tuple[float, float, float]] = {
        "root": (0, 0.1, -0.04),
        "upperback": (0, 0.33, -0.05),
        "thorax": (0, 0.45, -0.05),
    }
    rest["head"] = (0, 0.74, -0.05)
    for s, side in (("l", 1.0), ("r", -1.0)):
        rest[f"{s}hipjoint"], rest[f"{s}femur"] = (side * 0.09, 0, 0), (side * 0.09, -0.42, 0.02)
        rest[f"{s}tibia"], rest[f"{s}foot"] = (side * 0.09, -0.84, 0), (side * 0.09, -0.87, 0.13)
        rest[f"{s}clavicle"], rest[f"{s}humerus"] = (side * 0.2, 0.5, -0.06), (side * 0.48, 0.5, -0.06)
        rest[f"{s}wrist"] = (side * 0.76, 0.5, -0.05)
    names = tuple(rest)
    still = np.array([rest[n] for n in names], float)
    xyz = np.repeat(still[None] + [0, 0.9, 0], 10, 0)
    got = targets(PointClip("01_01", "s", 120.0, names, xyz, still), BODY)
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    np.testing.assert_allclose(got.R_pelvis, np.broadcast_to(np.eye(3), (10, 3, 3)), atol=1e-9)
    for s in "lr":
        foot, own = at[f"mtp_{s}"] - at[f"ankle_{s}"], BODY[f"mtp_{s}"] - BODY[f"ankle_{s}"]
        slope = np.arctan2(foot[:, 1], foot[:, 2])
        np.testing.assert_allclose(slope, np.arctan2(own[1], np.hypot(own[0], own[2])), atol=0.02)
        np.testing.assert_allclose(np.linalg.norm(foot, axis=-1), np.hypot(0.03, 0.13), atol=1e-9)


def test_a_foot_without_points_stands_flat_while_its_ankle_rests():
    clip, _, _ = activity(frames=30, seed=4)
    xyz = np.repeat(clip.xyz[:1], 30, 0)
    ankle = JOINTS.index("left_ankle")
    xyz[:, ankle] = [0.1, 0.3, 0.2]
    xyz[:20, ankle, 1] = 0.08  # at rest, then lifted
    moved = PointClip(clip.name, clip.subject, clip.fps, clip.points, xyz, clip.rest)
    got = targets(moved, BODY)
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    still = np.linalg.norm(np.gradient(at["ankle_l"], axis=0), axis=-1) * clip.fps < 0.4
    low = at["ankle_l"][:, 1] < np.quantile(at["ankle_l"][:, 1], 0.02) + 0.03
    known = np.isfinite(at["mtp_l"]).all(-1)
    np.testing.assert_array_equal(known, still & low)
    assert 15 <= known.sum() <= 20
    foot = at["mtp_l"] - at["ankle_l"]
    own = BODY["mtp_l"] - BODY["ankle_l"]
    np.testing.assert_allclose(foot[known, 1], own[1], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(foot[known], axis=-1), np.linalg.norm(own), atol=1e-9)


def test_points_of_another_source_are_refused():
    clip = PointClip("x", "s", 30.0, ("a", "b"), np.zeros((2, 2, 3)), np.zeros((2, 3)))
    with pytest.raises(InputError, match="17-joint"):
        targets(clip, BODY)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((unit(a) * unit(b)).sum(-1), -1.0, 1.0)))


@pytest.mark.parametrize("knee", ["rolling", "hinge"])
def test_the_guess_puts_the_joints_at_the_targets(knee):
    """Pelvis, rib cage and thighs exactly, but for the glide of a rolling knee; shanks and forearms nearly."""
    clip, _, _ = activity(seed=3)
    got = targets(clip, BODY)
    skeleton = Skeleton.inside(BODY, knee=knee)
    guess = first_guess(got, skeleton)
    np.testing.assert_allclose(np.linalg.det(guess.R_joint), 1, atol=1e-9)
    R, p = skeleton.compose(guess.R_joint, guess.root_p)
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    origin = {name: p[:, i] for i, name in enumerate(skeleton.bodies)}
    np.testing.assert_allclose(origin["pelvis"], at["pelvis"], atol=1e-9)
    np.testing.assert_allclose(R[:, skeleton.body_index("torso")], got.R_torso @ R_GROUND_WORLD.T, atol=1e-9)
    for s in "lr":
        np.testing.assert_allclose(origin[f"femur_{s}"], at[f"hip_{s}"], atol=1e-6)
        thigh = origin[f"tibia_{s}"] - origin[f"femur_{s}"]
        away = degrees_between(thigh, at[f"knee_{s}"] - at[f"hip_{s}"])
        assert away.max() < (0.001 if knee == "hinge" else 1.0)
        shank, forearm = origin[f"talus_{s}"] - origin[f"tibia_{s}"], origin[f"hand_{s}"] - origin[f"ulna_{s}"]
        assert np.median(degrees_between(shank, at[f"ankle_{s}"] - at[f"knee_{s}"])) < 3
        assert np.median(degrees_between(forearm, at[f"wrist_{s}"] - at[f"elbow_{s}"])) < 20


def test_the_rib_cage_is_put_where_a_spine_that_bends_evenly_carries_it():
    """Trunks turned by 57 degrees on average: the neck, seen from the sacrum, lies within a few degrees of where the
    skeleton's own spine brings it. One that turned with the rib cage would be more than 10 off."""
    clip, _, _ = activity(seed=3)
    got = targets(clip, BODY)
    skeleton = Skeleton.inside(BODY)
    guess = first_guess(got, skeleton)
    points = skeleton.points(*skeleton.compose(guess.R_joint, guess.root_p), ("l5_s1", "neck"))
    at = {name: got.xyz[:, i] for i, name in enumerate(got.names)}
    np.testing.assert_allclose(points[:, 0], at["l5_s1"], atol=1e-9)
    chord, own = at["neck"] - at["l5_s1"], points[:, 1] - points[:, 0]
    assert degrees_between(own, chord).mean() < 2.5
    assert degrees_between(own, chord).max() < 7
    stiff = got.R_torso @ (BODY["neck"] - BODY["l5_s1"])
    assert degrees_between(own, stiff).mean() > 10
