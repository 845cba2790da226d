"""The .glb read back by an evaluator of its own gives the skin that direct skinning gives."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import trimesh
from gltf_evaluator import Glb
from hypothesis import given, settings
from hypothesis import strategies as st
from io_toy import BODIES, PARENTS, toy

from marrow.errors import InputError, OutputError
from marrow.io.gltf import write_glb


def direct(person: dict, frame: int) -> np.ndarray:
    """Linear blend skinning written from its definition, float64."""
    out = np.zeros((len(person["vertices"]), 3))
    for body in range(len(person["bodies"])):
        now = np.eye(4)
        now[:3, :3], now[:3, 3] = person["R"][frame, body], person["p"][frame, body]
        carry = now @ np.linalg.inv(person["bind"][body])
        moved = person["vertices"].astype(float) @ carry[:3, :3].T + carry[:3, 3]
        out += person["weights"][:, body, None] * moved
    return out


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 12))
def test_posed_skin_agrees_with_direct_skinning(tmp_path_factory, seed, frames):
    path = tmp_path_factory.getbasetemp() / "toy.glb"
    person = toy(seed, frames)
    assert write_glb(path, **person) == 0.0
    glb = Glb(path)
    for frame, time in enumerate(person["time"]):
        # The file's times are float32, so a time just before a key is asked for as that key.
        assert np.abs(glb.skinned(float(np.float32(time))) - direct(person, frame)).max() < 1e-5
    assert np.abs(glb.skinned(None) - person["vertices"]).max() < 1e-5


def test_between_frames_the_motion_is_smooth(tmp_path):
    """Signs of quaternions are continuous: half way between frames the skin is near the mean of both."""
    person = toy(3, 40, step=0.02)
    write_glb(tmp_path / "a.glb", **person)
    glb = Glb(tmp_path / "a.glb")
    for frame in range(39):
        half = glb.skinned(float(person["time"][frame] + 0.01))
        assert np.abs(half - (direct(person, frame) + direct(person, frame + 1)) / 2).max() < 0.01
    for channel in glb.gltf.animations[0].channels:
        if channel.target.path == "rotation":
            keys = glb.array(glb.gltf.animations[0].samplers[channel.sampler].output)
            assert (np.sum(keys[1:] * keys[:-1], axis=1) > 0).all()


def test_bones_are_named_nodes_in_their_hierarchy(tmp_path):
    write_glb(tmp_path / "a.glb", **toy(), name="person_1", extras={"licences": ["CC0"]})
    gltf = Glb(tmp_path / "a.glb").gltf
    joints = gltf.skins[0].joints
    assert [gltf.nodes[joint].name for joint in joints] == list(BODIES)
    for body, parent in enumerate(PARENTS):
        above = [n.name for n in gltf.nodes if joints[body] in (n.children or [])]
        assert above == [BODIES[parent] if parent >= 0 else "person_1"]
    assert gltf.asset.version == "2.0"
    assert gltf.asset.extras == {"licences": ["CC0"]}


def test_all_influences_are_written_or_the_cost_is_told(tmp_path):
    person = toy(5)
    most = int((person["weights"] > 0).sum(axis=1).max())
    assert most > 4
    write_glb(tmp_path / "all.glb", **person)
    attributes = Glb(tmp_path / "all.glb").gltf.meshes[0].primitives[0].attributes
    assert attributes.JOINTS_1 is not None
    told = write_glb(tmp_path / "four.glb", **person, influences=4)
    four = Glb(tmp_path / "four.glb")
    assert getattr(four.gltf.meshes[0].primitives[0].attributes, "JOINTS_1", None) is None
    seen = max(
        np.linalg.norm(four.skinned(float(np.float32(t))) - direct(person, k), axis=1).max()
        for k, t in enumerate(person["time"])
    )
    assert told > 1e-3
    assert told == pytest.approx(seen, abs=1e-5)
    assert write_glb(tmp_path / "same.glb", **person, influences=most) == 0.0


def test_no_joint_is_named_twice_for_a_vertex_and_idle_slots_are_zero(tmp_path):
    person = toy(8)
    write_glb(tmp_path / "a.glb", **person)
    glb = Glb(tmp_path / "a.glb")
    attributes = glb.gltf.meshes[0].primitives[0].attributes
    joints = np.hstack([glb.array(attributes.JOINTS_0), glb.array(attributes.JOINTS_1)])
    weights = np.hstack([glb.array(attributes.WEIGHTS_0), glb.array(attributes.WEIGHTS_1)])
    assert (joints[weights == 0] == 0).all()
    for row, weight in zip(joints, weights, strict=True):
        used = row[weight > 0]
        assert len(set(used)) == len(used)


def test_sparse_and_dense_weights_give_the_same_file(tmp_path):
    from scipy.sparse import csr_array

    from marrow.body.skinning import SkinWeights

    person = toy(2)
    write_glb(tmp_path / "dense.glb", **person)
    sparse = csr_array(person["weights"])
    person["weights"] = SkinWeights(sparse.indptr, sparse.indices, sparse.data)
    write_glb(tmp_path / "sparse.glb", **person)
    assert (tmp_path / "dense.glb").read_bytes() == (tmp_path / "sparse.glb").read_bytes()


def test_joints_that_slide_are_animated(tmp_path):
    person = toy(4)
    person["p"][:, 4:] += np.sin(person["time"])[:, None, None] * 0.1
    write_glb(tmp_path / "a.glb", **person)
    last = len(person["time"]) - 1
    got = Glb(tmp_path / "a.glb").skinned(float(np.float32(person["time"][last])))
    assert np.abs(got - direct(person, last)).max() < 1e-5


def test_texture_seams_split_vertices_and_keep_normals(tmp_path):
    box = trimesh.creation.box()
    person = toy(1)
    person["vertices"], person["faces"] = box.vertices.astype(np.float32), box.faces.astype(np.int32)
    person["weights"] = person["weights"][: len(box.vertices)]
    uv = np.random.default_rng(0).random((36, 2)).astype(np.float32)
    write_glb(tmp_path / "a.glb", **person, uv=uv, faces_uv=np.arange(36).reshape(12, 3))
    glb = Glb(tmp_path / "a.glb")
    primitive = glb.gltf.meshes[0].primitives[0]
    index = glb.array(primitive.indices).reshape(-1, 3)
    assert len(glb.array(primitive.attributes.POSITION)) == 36
    assert np.array_equal(glb.array(primitive.attributes.POSITION)[index], person["vertices"][person["faces"]])
    texture = glb.array(primitive.attributes.TEXCOORD_0)[index].reshape(-1, 2)
    np.testing.assert_allclose(texture, np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1), atol=1e-6)
    normals = glb.array(primitive.attributes.NORMAL)[index]
    corners = person["vertices"][person["faces"]]
    # Every corner of a centred box has an outward normal, equal for all faces that meet there.
    assert (np.sum(normals * corners, axis=-1) > 0.5).all()
    assert np.abs(normals - box.vertex_normals[person["faces"]]).max() < 0.35


def test_the_container_follows_the_specification(tmp_path):
    write_glb(tmp_path / "a.glb", **toy())
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON"
    document = json.loads(data[20 : 20 + size])
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
    assert trimesh.load(tmp_path / "a.glb").geometry


def test_the_default_body_in_motion(tmp_path):
    """The whole chain: marrow's body on marrow's skeleton, written, read back, and posed by the evaluator."""
    from scipy.spatial import cKDTree

    from marrow.body import load_body
    from marrow.skeleton import Skeleton

    body = load_body("default")
    rest = body.rest({"height": 0.7})
    skeleton = Skeleton.inside(rest.landmarks)
    rng = np.random.default_rng(0)
    low, high = np.clip(skeleton.ranges, -1, 1).T
    q = rng.uniform(low, high, (4, len(skeleton.coordinates))) * 0.6
    R, p = skeleton.forward(q)
    time = np.arange(4) / 30
    arguments = {
        "vertices": rest.vertices,
        "faces": body.faces,
        "weights": body.skin_weights(skeleton.bodies),
        "bodies": skeleton.bodies,
        "parents": skeleton.parents,
        "bind": skeleton.bind,
        "R": R,
        "p": p,
        "time": time,
        "uv": body.uv,
        "faces_uv": body.faces_uv,
    }
    assert write_glb(tmp_path / "body.glb", **arguments) == 0
    assert 0 < write_glb(tmp_path / "four.glb", **arguments, influences=4) < 0.02
    glb = Glb(tmp_path / "body.glb")
    primitive = glb.gltf.meshes[0].primitives[0]
    distance, vertex = cKDTree(rest.vertices).query(glb.array(primitive.attributes.POSITION))
    assert distance.max() == 0
    want = body.pose(rest, q).vertices
    for frame in range(4):
        got = glb.skinned(float(np.float32(time[frame])))
        assert np.linalg.norm(got - want[frame][vertex], axis=1).max() < 1e-4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": np.array([0.0, 0.1])}, r"R has shape .* expected \(2, 7, 3, 3\)"),
        ({"parents": np.array([-1, 2, 1, 0, 3, 0, 5])}, "parents must come before"),
        ({"faces": np.array([[0, 1, 999]])}, "faces must be"),
        ({"weights": np.zeros((60, 7))}, "vertex 0 has no weight"),
        ({"weights": np.ones((60, 6))}, "weights have shape"),
        ({"p": np.full((9, 7, 3), np.nan)}, "p must be finite"),
        ({"time": np.arange(9.0)[::-1]}, "must increase"),
        ({"influences": 0}, "at least 1"),
    ],
)
def test_misfits_are_input_errors(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        write_glb(tmp_path / "a.glb", **(toy() | change))
    assert not (tmp_path / "a.glb").exists()


def test_unwritable_place(tmp_path):
    with pytest.raises(OutputError, match="folder does not exist"):
        write_glb(tmp_path / "no" / "a.glb", **toy())
