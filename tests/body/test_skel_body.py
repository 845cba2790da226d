"""SKEL from made-up files: against the stated joints written out plainly in float64, and against anatomy's senses.

No published file was read: these tests hold the model to what its module says of itself, not to SKEL.
"""

from __future__ import annotations

import functools

import model_files
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from marrow.body import load_body
from marrow.body.model_file import read_model_file
from marrow.body.skel import ANGLES, AXES, SkelBody, arc_end
from marrow.conventions import R_GROUND_WORLD
from marrow.errors import InputError, UnknownNameError

VERTICES = 150
BONES = model_files.SKEL_JOINTS
NAMES = tuple(name for bone in BONES for name in ANGLES[bone])
SPINE = ("lumbar_body", "thorax", "head")

#: A T-pose, metres: the right side and the middle; the left side is its mirror image.
PLACES = {
    "pelvis": (0, 0.95, 0), "lumbar_body": (0, 1.05, -0.03), "thorax": (0, 1.25, -0.04), "head": (0, 1.52, 0),
    "femur_r": (-0.08, 0.92, 0), "tibia_r": (-0.09, 0.5, 0.01), "talus_r": (-0.09, 0.08, -0.02),
    "calcn_r": (-0.09, 0.04, -0.05), "toes_r": (-0.1, 0.02, 0.1), "scapula_r": (-0.16, 1.4, -0.03),
    "humerus_r": (-0.18, 1.38, -0.02), "ulna_r": (-0.45, 1.38, -0.03), "radius_r": (-0.455, 1.385, -0.03),
    "hand_r": (-0.7, 1.38, -0.02),
}  # fmt: skip


def content(**changed):
    """A made-up file with the joints and arm bones of a T-pose; its first 24 vertices are its joints."""
    made = model_files.arrays("skel", vertices=VERTICES)
    for b, bone in enumerate(BONES):
        right = bone[:-1] + "r" if bone.endswith("_l") else bone
        side = -1 if bone.endswith("_l") else 1
        made["skin_template_v"][b] = np.array(PLACES[right]) * (side, 1, 1)
        if right in ("humerus_r", "ulna_r", "radius_r", "hand_r"):  # hanging arms, lifted to the side
            made["per_joint_rot"][b] = Rotation.from_euler("z", -90 * side, degrees=True).as_matrix()
    made["J_regressor_osim"] = np.eye(len(BONES), VERTICES)
    return made | changed


def body_of(folder, **changed):
    return SkelBody(read_model_file(model_files.write_pkl(folder / "skel_male.pkl", content(**changed), chumpy=False)))


@pytest.fixture(scope="module")
def body(tmp_path_factory):
    return body_of(tmp_path_factory.mktemp("skel"))


@pytest.fixture(scope="module")
def oblique(tmp_path_factory):
    """With bones that lie anyhow."""
    turns = Rotation.random(len(BONES), rng=np.random.default_rng(4)).as_matrix()
    turns[0] = Rotation.from_euler("x", 12, degrees=True).as_matrix()
    return body_of(tmp_path_factory.mktemp("skel"), per_joint_rot=turns)


def dense_weights(weights):
    dense = np.zeros((VERTICES, len(BONES)))
    np.add.at(dense, (np.repeat(np.arange(VERTICES), np.diff(weights.start)), weights.body), weights.weight)
    return dense


def plain(body, shape, q, translation):
    """One body as the module says: frames (J, 3, 3), joints (J, 3), vertices (V, 3)."""
    file = body._file
    shaped = file.template + np.einsum("kvc,k->vc", file.shape_basis, shape)
    rest, angle = file.joint_regressor.toarray() @ shaped, dict(zip(NAMES, q, strict=True))
    bind = file.extra["per_joint_rot"] @ R_GROUND_WORLD.T
    frames, joints = [], []
    for b, (bone, parent) in enumerate(zip(BONES, file.parents, strict=True)):
        B = bind[BONES.index("thorax") if bone.startswith("scapula") else b]
        turns = [Rotation.from_rotvec(angle[name] * (B @ np.array(AXES[name]))).as_matrix() for name in ANGLES[bone]]
        R = functools.reduce(np.matmul, turns)
        step = rest[b] - (rest[parent] if b else 0)
        if bone in SPINE:
            length, along = np.linalg.norm(step), step / np.linalg.norm(step)
            end = turns[0] @ turns[1] @ along
            across, t = end - (end @ along) * along, np.arccos(np.clip(end @ along, -1, 1))
            if t > 1e-6:
                step = length * (np.sin(t) * along + (1 - np.cos(t)) * across / np.linalg.norm(across)) / t
        if bone.startswith("scapula"):
            side = 1 if bone.endswith("_r") else -1
            apart = rest[BONES.index("scapula_r")] - rest[BONES.index("scapula_l")]
            radii = np.array([0.8, 1.2, 1.0]) * np.linalg.norm(apart) / 2
            a, e = (angle[name] for name in ANGLES[bone][:2])
            normal = np.array([np.sin(a) * np.cos(e), np.sin(e), side * np.cos(a) * np.cos(e)])
            step = step + B @ (radii * (normal - (0, 0, side)))
        frames.append(frames[parent] @ R if b else R)
        joints.append(joints[parent] + frames[parent] @ step if b else step)
    frames, joints = np.array(frames), np.array(joints)
    dense = dense_weights(file.weights)
    carried = np.einsum("jab,vjb->vja", frames, shaped[:, None] - rest) + joints
    return frames, joints + translation, np.einsum("vj,vja->va", dense, carried) + translation


def draw(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.5, 10), rng.normal(0, 0.4, (count, 46)), rng.normal(0, 1, (count, 3))


def behind(body, bone):
    """Indices of a bone and all that hang on it."""
    found = {BONES.index(bone)}
    for b, parent in enumerate(body._file.parents):
        found |= {b} if parent in found else set()
    return found


def test_at_zero_it_is_template_and_shape(body):
    shape = np.linspace(-1, 1, 10)
    rest = body.rest(shape)
    mesh = body.pose(rest, np.zeros(46))
    expected = body._file.template + np.einsum("kvc,k->vc", body._file.shape_basis, shape)
    np.testing.assert_allclose(mesh.vertices, expected, atol=1e-5)
    np.testing.assert_allclose(mesh.joints, expected[: len(BONES)], atol=1e-5)
    np.testing.assert_allclose(
        body.bones(body.rest(), np.zeros(46)).vertices, body._file.extra["skel_template_v"], atol=1e-5
    )


@pytest.mark.parametrize("bone", BONES)
def test_each_angle_turns_what_is_behind_it(oblique, bone):
    """By exactly that angle, about the stated axis of that bone at rest, and nothing else."""
    twin = oblique.tensors().double()
    bind = oblique._file.extra["per_joint_rot"] @ R_GROUND_WORLD.T
    frame = bind[BONES.index("thorax" if bone.startswith("scapula") else bone)]
    for name in ANGLES[bone]:
        for angle in (0.7, -0.3):
            q = torch.from_numpy(oblique.angles({name: angle}))
            frames = twin.pose(twin.rest(), q, outputs=("frames",)).frames
            assert frames is not None
            for b in range(len(BONES)):
                turn = Rotation.from_matrix(frames[b].numpy()).as_rotvec()
                expected = angle * frame @ np.array(AXES[name]) if b in behind(oblique, bone) else np.zeros(3)
                np.testing.assert_allclose(turn, expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 9])
def test_equals_the_joints_written_out(oblique, count):
    shape, q, translation = draw(count)
    rest = oblique.rest(shape)
    mesh = oblique.pose(rest, q, translation)
    twin = oblique.tensors()
    frames = twin.pose(
        twin.rest(torch.from_numpy(shape).float()), torch.from_numpy(q).float(), outputs=("frames",)
    ).frames
    assert frames is not None
    for t in range(count):
        turned, joints, vertices = plain(oblique, shape, q[t], translation[t])
        np.testing.assert_allclose(frames[t].numpy(), turned, atol=1e-5)
        np.testing.assert_allclose(mesh.joints[t], joints, atol=1e-5)
        np.testing.assert_allclose(mesh.vertices[t], vertices, atol=1e-5)


def test_axes_are_the_published_ones():
    """Of Rajagopal2016.osim: third columns of the pin joints' orientations (body-fixed X-Y-Z)."""
    for name, orientation in (
        ("elbow_flex_r", (-0.0229, 0.2280, 0.0052)),
        ("pro_sup_r", (-1.5688, 0.0564, 1.5361)),
    ):
        axis = Rotation.from_euler("XYZ", orientation).as_matrix()[:, 2]
        np.testing.assert_allclose(AXES[name], axis, atol=2e-3)
    assert len(NAMES) == len(set(NAMES)) == 46
    for name in NAMES:
        assert np.linalg.norm(AXES[name]) == pytest.approx(1, abs=1e-4)
        if name.endswith("_r"):
            np.testing.assert_array_equal(np.array(AXES[name[:-1] + "l"]), np.array(AXES[name]) * (-1, -1, 1))


def test_an_arc_keeps_its_length():
    """The end that OpenSim's ConstantCurvatureJoint of 0.2 m gives for half a radian about x."""
    straight = torch.tensor([0.0, 0.2, 0.0], dtype=torch.float64)
    bent = torch.from_numpy(Rotation.from_euler("x", 0.5).as_matrix()) @ straight
    np.testing.assert_allclose(arc_end(straight, bent), (0, 0.1918, 0.0490), atol=5e-5)
    for t in (1e-9, 1e-3, 0.19, 0.21, 2.0):
        bent = torch.from_numpy(Rotation.from_euler("x", t).as_matrix()) @ straight
        np.testing.assert_allclose(
            arc_end(straight, bent), (0, 0.2 * np.sin(t) / t, 0.4 * np.sin(t / 2) ** 2 / t), atol=1e-11
        )


LEFT, UP, FORWARD = np.eye(3)


@pytest.mark.parametrize(
    ("name", "joint", "way"),
    [
        ("pelvis_tilt", "head", -FORWARD),
        ("lumbar_extension", "head", -FORWARD),
        ("thorax_bending", "head", -LEFT),
        ("thorax_rotation", "hand_r", FORWARD),
        ("hip_flexion_r", "tibia_r", FORWARD),
        ("hip_adduction_r", "tibia_r", LEFT),
        ("hip_adduction_l", "tibia_l", -LEFT),
        ("knee_angle_r", "talus_r", -FORWARD),
        ("ankle_angle_l", "toes_l", UP),
        ("scapula_abduction_r", "scapula_r", FORWARD),
        ("scapula_abduction_l", "scapula_l", FORWARD),
        ("scapula_elevation_r", "scapula_r", UP),
        ("scapula_elevation_l", "scapula_l", UP),
        ("elbow_flex_r", "hand_r", FORWARD),
        ("elbow_flex_l", "hand_l", FORWARD),
        ("gh_add_r", "ulna_r", -UP),
    ],
)
def test_senses(body, name, joint, way):
    rest = body.rest()
    moved = body.pose(rest, {name: 0.3}).joints[BONES.index(joint)] - rest.joints[BONES.index(joint)]
    assert moved @ way > 0.7 * np.linalg.norm(moved) > 0.01


def test_left_and_right_are_mirror_images(body):
    _, (q,), _ = draw(1, seed=5)
    swap = {"_r": "_l", "_l": "_r"}
    other = [BONES.index(bone[:-2] + swap[bone[-2:]]) if bone[-2:] in swap else b for b, bone in enumerate(BONES)]
    mirrored = np.zeros(46)
    for value, name in zip(q, NAMES, strict=True):
        turns = name in ("pelvis_list", "pelvis_rotation") or (name.endswith(("_bending", "_rotation")))
        sign = -1 if turns and name[-2:] not in swap else 1
        mirrored[NAMES.index(name[:-2] + swap[name[-2:]] if name[-2:] in swap else name)] = sign * value
    rest = body.rest()
    one, two = body.pose(rest, q), body.pose(rest, mirrored)
    np.testing.assert_allclose(two.joints[other], one.joints * (-1, 1, 1), atol=2e-6)


def test_gradients_by_finite_differences(oblique):
    exact = oblique.tensors().double()
    shape, q, translation = (torch.from_numpy(x) for x in draw(2, seed=1))
    pull = torch.randn(2, 40, 3, dtype=torch.float64)

    def loss(shape, q, translation):
        rest = exact.rest(shape[None])
        posed = exact.pose(rest, q, translation, vertex_ids=range(40))
        return (
            (posed.vertices * pull).sum()
            + (posed.joints**2).sum()
            + exact.posed_bones(rest, q, translation)[:, ::7].sum()
        )

    for pose in (q, torch.zeros_like(q)):
        inputs = [x.clone().requires_grad_() for x in (shape, pose, translation)]
        assert torch.autograd.gradcheck(loss, inputs, fast_mode=True)


def test_fast_gradients_equal_exact_ones(oblique):
    shape, q, translation = (torch.from_numpy(x) for x in draw(7, seed=2))
    found = []
    for twin, kind in ((oblique.tensors(), torch.float32), (oblique.tensors().double(), torch.float64)):
        inputs = [x.to(kind).requires_grad_() for x in (shape.expand(7, -1), q, translation)]
        posed = twin.pose(twin.rest(inputs[0]), *inputs[1:])
        pull = torch.sin(torch.arange(posed.vertices.numel())).view(posed.vertices.shape)
        found.append(torch.autograd.grad((posed.vertices * pull).sum() + (posed.joints**2).sum(), inputs))
    for a, b in zip(*found, strict=True):
        assert float((a - b).abs().max()) < 1e-5 * float(b.abs().max())


def test_many_are_as_each_alone(oblique):
    shapes, poses = torch.randn(5, 10), 0.4 * torch.randn(5, 46)
    twin = oblique.tensors()
    rest = twin.rest(shapes)
    together, bones = twin.pose(rest, poses), twin.posed_bones(rest, poses)
    for i in range(5):
        own = oblique.rest(shapes[i].numpy())
        alone = oblique.pose(own, poses[i].numpy())
        np.testing.assert_allclose(together.vertices[i], alone.vertices, atol=1e-5)
        np.testing.assert_allclose(together.joints[i], alone.joints, atol=1e-5)
        np.testing.assert_allclose(bones[i], oblique.bones(own, poses[i].numpy()).vertices, atol=1e-5)
    few = oblique.pose(oblique.rest(), poses.view(5, 1, 46).numpy(), vertex_ids=[9, 3], outputs=("vertices",))
    assert few.vertices.shape == (5, 1, 2, 3)
    np.testing.assert_allclose(
        few.vertices[:, 0], oblique.pose(oblique.rest(), poses.numpy()).vertices[:, [9, 3]], atol=1e-5
    )


def test_bones_go_with_their_joints(tmp_path):
    """A vertex at a joint, held by that bone alone, stays at it in every shape and pose."""
    made = content()
    joints = made["skin_template_v"][: len(BONES)]
    body = body_of(tmp_path, skel_template_v=joints, skel_template_f=np.array([[0, 1, 2]]), skel_weights=np.eye(24),
                   skel_weights_rigid=np.eye(24))  # fmt: skip
    shape, q, translation = draw(3)
    rest = body.rest(0.02 * shape)
    bones = body.bones(rest, q, translation)
    np.testing.assert_allclose(bones.vertices, body.pose(rest, q, translation).joints, atol=1e-5)
    assert bones.faces.tolist() == [[0, 1, 2]]


def test_correctives_by_the_bones(tmp_path, body):
    """Off unless asked for; a bent knee then drives those of SMPL's knee alone, a turned pelvis none."""
    corrected = SkelBody(body._file, correctives=True)
    assert body.spec.correctives.startswith("off")
    rest = body.rest()
    turned = {"pelvis_tilt": 0.5, "pelvis_rotation": -0.7}
    np.testing.assert_allclose(
        corrected.pose(corrected.rest(), turned).vertices, body.pose(rest, turned).vertices, atol=1e-5
    )
    one, knee = {"knee_angle_r": 0.9}, 5  # SMPL's right knee
    twin = body.tensors().double()
    frames = twin.pose(twin.rest(), torch.from_numpy(body.angles(one)), outputs=("frames",)).frames
    R = frames[BONES.index("tibia_r")].numpy()
    moves = np.einsum("k,kvc->vc", (R - np.eye(3)).reshape(-1), body._file.pose_basis[9 * (knee - 1) : 9 * knee])
    expected = body.pose(rest, one).vertices
    weights = torch.from_numpy(dense_weights(body._file.weights))
    blended = torch.einsum("vj,jab->vab", weights, frames).numpy()
    expected = expected + np.einsum("vab,vb->va", blended, moves)
    np.testing.assert_allclose(corrected.pose(corrected.rest(), one).vertices, expected, atol=1e-5)


def test_what_the_file_says(tmp_path, body):
    """Turns may lead from the body's axes or the bones'; names that are known say which angle stands where."""
    other = body_of(tmp_path, per_joint_rot=content()["per_joint_rot"] @ R_GROUND_WORLD.T)
    _, q, _ = draw(2)
    np.testing.assert_allclose(other.pose(other.rest(), q).joints, body.pose(body.rest(), q).joints, atol=1e-6)
    names = [f"q{i}" for i in range(46)]
    names[0], names[45] = "knee_angle_r", "wrist_flex_l"
    named = body_of(tmp_path, pose_params_name=names)
    assert named.angle_names == tuple(names)
    known = {"knee_angle_r": 0.4, "pelvis_tilt": 0.2, "elbow_flex_l": [0.1, 0.9]}
    assert named.angles(known)[:, 0].tolist() == [0.4, 0.4]
    assert named.angles({"q1": 0.2}).tolist() == named.angles({"pelvis_tilt": 0.2}).tolist()
    np.testing.assert_allclose(named.pose(named.rest(), known).joints, body.pose(body.rest(), known).joints, atol=1e-6)


def test_found_by_file_and_by_name(tmp_path, monkeypatch):
    path = model_files.write_pkl(tmp_path / "mine.pkl", content(), chumpy=False)
    body = load_body(path)
    assert isinstance(body, SkelBody)
    assert body.spec.family == "skel"
    assert "not verified on a real file" in body.spec.remark
    assert "non-commercial" in body.spec.licence
    assert body.spec.kinds == ("coordinates",) * 24
    from marrow.body.shelf import add_model

    monkeypatch.setenv("MARROW_MODELS", str(tmp_path))
    add_model(path, "kept")
    _, q, _ = draw(2)
    kept = load_body("kept")
    assert isinstance(kept, SkelBody)
    np.testing.assert_allclose(kept.pose(kept.rest(), q).vertices, body.pose(body.rest(), q).vertices, atol=1e-6)
    np.testing.assert_allclose(kept.bones(kept.rest(), q).vertices, body.bones(body.rest(), q).vertices, atol=1e-6)


def test_mistakes_are_named(tmp_path, body):
    rest = body.rest()
    with pytest.raises(InputError, match=r"pose: expected \(\.\.\., 46\) radians, in the order q0.*got \(24, 3\)"):
        body.pose(rest, np.zeros((24, 3)))
    with pytest.raises(InputError, match="pose: expected finite"):
        body.pose(rest, np.full(46, np.nan))
    with pytest.raises(UnknownNameError, match=r"there is no angle 'knee_r'.*knee_angle_r"):
        body.pose(rest, {"knee_r": 0.3})
    with pytest.raises(InputError, match=r"translation: expected \(2, 3\) or \(3,\)"):
        body.pose(rest, np.zeros((2, 46)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="outputs: expected"):
        body.pose(rest, np.zeros(46), outputs=("bones",))
    with pytest.raises(InputError, match="bones: the joints of"):
        body.rest(bones={"femur_r": 0.4})
    with pytest.raises(InputError, match="'pose_params_name' must be 46 different names; got 3"):
        body_of(tmp_path, pose_params_name=["a", "b", "c"])
    with pytest.raises(InputError, match=r"'per_joint_rot' must be rotations \(24, 3, 3\)"):
        body_of(tmp_path, per_joint_rot=np.ones((24, 3, 3)))
    with pytest.raises(InputError, match="'per_joint_rot' must leave the pelvis upright"):
        body_of(tmp_path, per_joint_rot=np.tile(np.diag([1.0, -1, -1]), (24, 1, 1)))
    with pytest.raises(InputError, match="'bone_names' must name SKEL's 24 bones; missing: pelvis"):
        body_of(tmp_path, bone_names=["hip", *BONES[1:]], joints_name=["hip", *BONES[1:]])
    with pytest.raises(InputError, match="'skel_weights' must sum to 1"):
        body_of(tmp_path, skel_weights=np.zeros((2 * VERTICES, 24)))
    twin = body.tensors()
    with pytest.raises(InputError, match="expected 3 poses"):
        twin.pose(twin.rest(torch.zeros(3, 2)), torch.zeros(2, 46))
    without = content()
    del without["skel_template_v"]
    bare = SkelBody(read_model_file(model_files.write_pkl(tmp_path / "bare.pkl", without, chumpy=False)))
    with pytest.raises(InputError, match="bones: the file has no mesh of them; it needs 'skel_template_v'"):
        bare.bones(bare.rest(), np.zeros(46))
