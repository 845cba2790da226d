"""Which vertices a fit to meshes looks at, and that it reads the fingers where it is asked to."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.bench.rig import JOINTS, pose_on_rig, rig_joint
from marrow.body import load_body
from marrow.fit.meshes import EACH, EACH_FINGER, fit_meshes, owners, skin_points
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FINGER_BODIES

BODY = load_body()
REST_SHAPE = {"height": 0.5, "gender": 0.2}
REST = BODY.rest(REST_SHAPE)
SKELETON = Skeleton.inside(REST.landmarks)


@pytest.mark.parametrize("fingers", [True, False])
def test_points_are_spread_over_all_segments(fingers):
    ids = np.array(skin_points(fingers))
    assert len(set(ids.tolist())) == len(ids)
    assert len(ids) == (222 if fingers else 132)
    owner = owners(BODY, SKELETON.bodies)
    for b in np.unique(owner):
        finger = SKELETON.bodies[b] in FINGER_BODIES
        own = ids[owner[ids] == b]
        count = 0 if finger and not fingers else EACH_FINGER if finger else EACH
        small = (owner == b).sum() < 4 * count  # of a small patch of skin not every vertex is steady
        assert len(own) == count or (small and len(own) >= 3), SKELETON.bodies[b]
        if len(own):
            x, every = REST.vertices[own], REST.vertices[owner == b]
            apart = np.linalg.norm(x[:, None] - x[None], axis=-1)[np.triu_indices(len(own), 1)].min()
            assert apart > 0.1 * np.linalg.norm(np.ptp(every, axis=0)), SKELETON.bodies[b]


def test_nothing_but_the_skeleton_moves_the_points():
    ids = list(skin_points())
    still = BODY.rest().vertices[ids]
    for action in BODY.spec.expressions:
        np.testing.assert_allclose(BODY.rest(expression={action: 1.0}).vertices[ids], still, atol=1e-5)
    local = np.tile(np.eye(3), (len(BODY.bones), 1, 1))
    before = BODY.pose_bones(BODY.rest(), local).vertices[ids]
    for bone in ("eye.L", "eye.R"):
        local[BODY.bones.index(bone)] = [[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    np.testing.assert_allclose(BODY.pose_bones(BODY.rest(), local).vertices[ids], before, atol=1e-6)


def waving() -> np.ndarray:
    """(6, D) coordinates: standing, the fingers closing."""
    q = np.zeros((6, len(SKELETON.coordinates)))
    q[:, 4] = 0.95
    for i, name in enumerate(SKELETON.coordinates):
        if name.endswith(("pip_flex_r", "mcp_flex_r")):
            q[:, i] = np.linspace(0.1, 0.9, 6)
    return q


def test_fingers_are_read():
    q = waving()
    skin = BODY.pose(REST, q, outputs=("vertices",)).vertices
    found = fit_meshes(skin, np.arange(6) / 30)
    column = SKELETON.index("index_pip_flex_r")
    np.testing.assert_allclose(found.person.motion.q[:, column], q[:, column], atol=2e-3)
    assert max(np.median(own) for own in found.residual.values()) < 2e-4
    without = fit_meshes(skin, np.arange(6) / 30, fingers=False)
    assert np.ptp(without.person.motion.q[:, column]) == 0
    assert without.worst.startswith("hand")
    np.testing.assert_allclose(without.person.motion.translation, found.person.motion.translation, atol=1e-3)


def test_the_rig_at_rest_is_the_body_at_rest():
    mesh = pose_on_rig(BODY, REST, SKELETON, SKELETON.bind_q[None])
    np.testing.assert_allclose(mesh.vertices[0], REST.vertices, atol=2e-3)
    for joint, bone in JOINTS.items():
        expected = REST.bone_heads[BODY.bones.index(f"{bone}.L")]
        np.testing.assert_allclose(rig_joint(BODY.bones, mesh.joints, joint, "l")[0], expected, atol=2e-3)


def test_the_rig_follows_the_skeleton():
    q = waving()
    q[:, SKELETON.index("knee_angle_l")] = 1.2
    q[:, 2] = 0.7
    own = BODY.pose(REST, q, outputs=("vertices",)).vertices
    rig = pose_on_rig(BODY, REST, SKELETON, q).vertices
    apart = np.linalg.norm(rig - own, axis=-1)
    assert np.median(apart) < 0.02
    assert np.median(np.linalg.norm(own - REST.vertices, axis=-1)) > 0.1


BENT = {"lumbar_seg_extension": -40, "thorax_extension": -20, "neck_extension": 30, "lumbar_seg_bending": 8}
BACK = {"lumbar_seg_extension": 28, "thorax_extension": 24, "neck_extension": 70}


@pytest.mark.parametrize("degrees", [BENT, BACK])
def test_a_trunk_that_stays_bent_is_read(degrees):
    """The light segments within the spine have no skin of their own; the fit must find their turns nevertheless."""
    q = np.zeros((6, len(SKELETON.coordinates)))
    q[:, 4] = 0.95
    for name, value in degrees.items():
        q[:, SKELETON.index(name)] = np.radians(value)
    skin = BODY.pose(REST, q, outputs=("vertices",)).vertices
    found = fit_meshes(skin, np.arange(6) / 30, shape=REST_SHAPE, fingers=False).person.motion
    for name in degrees:
        column = SKELETON.index(name)
        assert np.degrees(np.abs(found.q - q)[:, column]).max() < 0.5, name
