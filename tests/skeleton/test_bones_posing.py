"""Posed bones stay with their segments and keep their form, for any leading dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import anatomy, load_body
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import bone_meshes, bones, segment_of
from marrow.skeleton.bones.posing import bone_motions, posed_bones
from marrow.skeleton.joint_centres import joint_centres


@pytest.fixture(scope="module")
def person():
    """Landmarks, joint centres, skeleton and light bones of the average adult."""
    marks = anatomy.bony_landmarks(load_body().rest({}))
    centres = joint_centres(marks)
    return marks, centres, Skeleton.inside(centres), bone_meshes(marks, centres, detail="light")


def poses(skeleton: Skeleton, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.4, (*shape, len(skeleton.coordinates)))


def test_the_bind_pose_leaves_every_bone_where_it_is(person):
    _, _, skeleton, meshes = person
    posed = posed_bones(meshes, skeleton, skeleton.bind[:, :3, :3], skeleton.bind[:, :3, 3])
    assert list(posed) == list(meshes)
    for name, mesh in posed.items():
        np.testing.assert_allclose(mesh.vertices, meshes[name].vertices, atol=1e-6)


def test_bones_go_where_their_segments_go(person):
    """All of a segment's bones together are its mesh in its own frame, wherever that is."""
    marks, centres, skeleton, meshes = person
    R, p = skeleton.forward(poses(skeleton, 2, 3))
    posed = posed_bones(meshes, skeleton, R, p)
    own = bones(marks, centres, dict(zip(skeleton.bodies, skeleton.bind, strict=True)), detail="light")
    for segment in own:
        b = skeleton.body_index(segment)
        if segment.startswith("tibia"):  # which carries the patella in files, where nothing can slide
            continue
        if segment in ("lumbar", "torso"):  # vertebrae lie along the arcs
            continue
        members = [posed[bone].vertices for bone in meshes if segment_of(bone, skeleton.bodies) == segment]
        local = (np.concatenate(members, axis=-2) - p[..., b, None, :]) @ R[..., b, :, :]
        assert local.shape == (2, 3, *own[segment].vertices.shape)
        np.testing.assert_allclose(local, np.broadcast_to(own[segment].vertices, local.shape), atol=2e-6)


def test_vertebrae_lie_along_the_bent_spine(person):
    """From the sacrum to the skull the gaps stay even, however the spine is bent; the ends go with their segments."""
    _, _, skeleton, meshes = person
    q = np.zeros((40, len(skeleton.coordinates)))
    rng = np.random.default_rng(1)
    for d, name in enumerate(skeleton.coordinates):
        if name.startswith(("lumbar_seg", "thorax", "neck")):
            q[:, d] = rng.uniform(*skeleton.ranges[d], 40)
    R, p = skeleton.forward(q, np.zeros(3))
    column = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)]
    posed = posed_bones({name: meshes[name] for name in column}, skeleton, R, p)
    at = np.stack([posed[name].vertices.mean(-2) for name in column], 1)
    rest = np.stack([meshes[name].vertices.mean(0) for name in column])
    ratio = np.linalg.norm(np.diff(at, axis=1), axis=-1) / np.linalg.norm(np.diff(rest, axis=0), axis=-1)
    assert 0.6 < ratio.min() < ratio.max() < 1.4  # of middles; spinous processes come together in extension
    motions = bone_motions(meshes, skeleton, R, p)
    for vertebra, segment in (("T1", "torso"), ("T8", "torso")):
        b = skeleton.body_index(segment)
        turn = R[:, b] @ skeleton.bind[b, :3, :3].T
        np.testing.assert_allclose(motions[vertebra].R, turn, atol=1e-9)
    lowest = np.einsum("tij,tik->tjk", motions["L5"].R, R[:, 0] @ skeleton.bind[0, :3, :3].T)
    assert np.degrees(np.arccos(np.clip((np.trace(lowest, axis1=1, axis2=2) - 1) / 2, -1, 1))).max() < 16


def test_bones_are_rigid(person):
    _, _, skeleton, meshes = person
    motions = bone_motions(meshes, skeleton, *skeleton.forward(poses(skeleton, 4)))
    for name, motion in motions.items():
        np.testing.assert_allclose(motion.R @ np.swapaxes(motion.R, -1, -2), np.tile(np.eye(3), (4, 1, 1)), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(motion.R), 1.0, atol=1e-12, err_msg=name)
        assert motion.t.shape == (4, 3)


def test_the_patella_slides_round_the_end_of_the_thigh(person):
    """From before the knee to under it, its tip at the patellar ligament's length from the tuberosity all the way."""
    marks, _, skeleton, meshes = person
    q = np.zeros((7, len(skeleton.coordinates)))
    for side in "rl":
        q[:, skeleton.index(f"knee_angle_{side}")] = np.radians(np.linspace(0, 120, 7))
    R, p = skeleton.forward(q, np.zeros(3))
    posed = posed_bones(meshes, skeleton, R, p)
    both = {}
    for side in "rl":
        f, t = (skeleton.body_index(f"{name}_{side}") for name in ("femur", "tibia"))
        patella = posed[f"patella_{side}"].vertices
        forward, up, _ = (((patella.mean(1) - p[:, t])[:, None] @ R[:, f])[:, 0]).T
        assert forward[0] > 0.03
        assert abs(up[0]) < 0.01
        assert abs(forward[-1]) < 0.005
        assert up[-1] < -0.005  # the shank's origin has slid down the condyles by some millimetres
        tuberosity = (marks[f"tibial_tuberosity_{side}"] - skeleton.bind[t, :3, 3]) @ skeleton.bind[t, :3, :3]
        tip = patella[:, meshes[f"patella_{side}"].vertices[:, 1].argmin()]
        ligament = np.linalg.norm(tip - p[:, t] - R[:, t] @ tuberosity, axis=-1)
        assert ligament.max() / ligament.min() < 1.2
        both[side] = patella
    np.testing.assert_allclose(both["r"] * [-1, 1, 1], both["l"], atol=1e-5)


def test_frames_of_another_skeleton_are_told(person):
    _, _, skeleton, meshes = person
    R, p = skeleton.forward(poses(skeleton))
    with pytest.raises(InputError, match=r"give those of skeleton\.forward"):
        posed_bones(meshes, skeleton, R[:-1], p[:-1])
    with pytest.raises(InputError, match="and p"):
        posed_bones(meshes, skeleton, R, p[None])
