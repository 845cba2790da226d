"""References for joints and the depth of bones, on the default body."""

from __future__ import annotations

import numpy as np

from marrow.bench import anatomy
from marrow.body import load_body
from marrow.body.anatomy import bony_landmarks, skin_landmarks
from marrow.skeleton import Skeleton
from marrow.skeleton.joint_centres import joint_centres

REST = load_body().rest({"height": 0.45})
RIG = anatomy.rig_joints(REST.bone_heads)


def test_references_are_those_that_are_named():
    skin, hips = skin_landmarks(REST), joint_centres(bony_landmarks(REST), hip="harrington")
    joints = dict(RIG) | {name: hips[name] for name in ("hip_r", "hip_l")}
    joints["knee_r"] = 0.5 * (skin["lateral_femoral_epicondyle_r"] + skin["medial_femoral_epicondyle_r"])
    joints["knee_l"] = joints["knee_r"] * [-1, 1, 1] + [0.0, 0.03, 0.0]
    apart = anatomy.from_references(joints, REST)
    assert apart.shape == (5, 2)
    np.testing.assert_allclose(apart[0], 0, atol=1e-12)
    np.testing.assert_allclose(apart[1], [0, 0.03], atol=1e-3)


def test_references_are_not_the_skeleton_s_own():
    """The hip's is another equation; the others are on the skin: none is met to the last digit."""
    centres = joint_centres(bony_landmarks(REST))
    apart = anatomy.from_references({name: centres[name] for name in anatomy.NAMES}, REST)
    assert (apart > 2e-4).all()
    assert apart.mean() < 0.3 * anatomy.from_references(RIG, REST).mean()


def test_proportions_count_in_percent_of_stature():
    stature = float(REST.vertices[:, 1].max())
    before = anatomy.from_proportions(RIG, REST)
    raised = dict(RIG) | {"knee_r": np.array([0.0, 0.385 * stature, 0.0])}
    np.testing.assert_allclose(anatomy.from_proportions(raised, REST)[1], 10.0)
    np.testing.assert_allclose(np.delete(anatomy.from_proportions(raised, REST), 1), np.delete(before, 1))


def test_long_bones_lie_in_the_skin_and_points_beside_it_do_not():
    points = anatomy.along_bones(RIG)
    assert (anatomy.depth(points, REST.vertices) > 0.005).all()
    beside = anatomy.depth(points + [0.0, 0.0, 0.5], REST.vertices)
    assert (beside < -0.1).all()


def test_bones_stay_where_they_are_at_rest_and_move_along():
    skeleton = Skeleton.inside(REST.landmarks)
    bones = anatomy.bone_points(REST, anatomy.skeleton_joints(skeleton))
    assert not set(anatomy.LINED) & set(bones)
    every = np.concatenate(list(bones.values()))
    np.testing.assert_allclose(
        anatomy.carried(bones, skeleton, skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3]), every, atol=1e-9
    )
    assert (anatomy.depth(every, REST.vertices) > 0).mean() > 0.99
    q = skeleton.bind_q.copy()
    q[3] += 1.0
    R, p = skeleton.forward(q)
    np.testing.assert_allclose(
        anatomy.carried(bones, skeleton, R, p) - every, np.tile([0, 0, 1.0], (len(every), 1)), atol=1e-6
    )
