"""``body.glb``: one skinned, animated mesh with named bones, for Blender, game engines and browsers.

glTF 2.0 has marrow's own world: metres, Y up, right-handed, a person facing +Z. The bones' rest pose is the bind pose.
All influences of a vertex are written, four to each pair ``JOINTS_n``/``WEIGHTS_n``; viewers that read only
``JOINTS_0`` need ``influences=4``, which drops the weakest and says what that costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
from numpy.typing import NDArray

import marrow
from marrow.errors import InputError
from marrow.geometry import rotations
from marrow.io.files import write_atomically
from marrow.io.influences import Influences, Skin, largest_error, rectangular, reduced
from marrow.types import Float32, Float64

#: A joint moves with its parent if its place there changes by less than this over the motion (metres).
_STILL = 1e-6

#: Linear colour of the skin where there is no texture.
_SKIN_COLOUR = (0.62, 0.42, 0.32, 1.0)


def write_glb(
    path: str | Path,
    *,
    vertices: Float32,
    faces: NDArray[np.int32],
    weights: Influences | Float64,
    bodies: Sequence[str],
    parents: Sequence[int] | NDArray[np.int64],
    bind: Float64,
    R: Float64,
    p: Float64,
    time: Float64,
    uv: Float32 | None = None,
    faces_uv: NDArray[np.int32] | None = None,
    influences: int | None = None,
    name: str = "person",
    extras: Mapping[str, Any] | None = None,
) -> float:
    """Write an animated body.

    Args:
        path: ``.glb`` file to write.
        vertices: (V, 3) bind pose, marrow's world, metres.
        faces: (F, 3) counter-clockwise from outside.
        weights: sparse :class:`Influences`, or dense (V, B); rows sum to one.
        bodies: B segment names, parents first.
        parents: (B,) index of the parent, -1 for a root.
        bind: (B, 4, 4) segment frames of the bind pose in the world.
        R: (T, B, 3, 3) segment rotations in the world.
        p: (T, B, 3) segment origins in the world, metres.
        time: (T,) seconds, increasing, from 0 on.
        uv: (U, 2) texture coordinates, origin at the lower left; with ``faces_uv`` (F, 3).
        influences: keep only so many for each vertex (a multiple of 4 uses the file best); None keeps all.
        name: name of the mesh and of the node above the bones.
        extras: provenance to store in the file (licences, whether the scale was assumed …).

    Returns:
        Largest distance in metres, over all vertices and frames, that the dropped influences cost; 0 if none was.

    Raises:
        InputError: shapes or values that do not fit.
        OutputError: the file cannot be written.
    """
    arrays = _checked(vertices, faces, bodies, parents, bind, R, p, time)
    vertices, faces, parents, bind, R, p, time = arrays
    whole = rectangular(weights, len(vertices), len(bodies))
    skin = reduced(whole, influences)
    error = largest_error(vertices, whole, skin, bind, R, p) if skin is not whole else 0.0
    corners = None
    if uv is not None and faces_uv is not None:
        vertices, faces, skin, corners = _split_at_seams(vertices, faces, skin, uv, faces_uv)
    build = _Builder()
    joints = _add_joints(build, bodies, parents, bind, name)
    skin_index = _add_skin(build, bind, joints)
    mesh = _add_mesh(build, vertices, faces, skin, corners, len(bodies), name)
    build.gltf.nodes.append(pygltflib.Node(name=f"{name}_skin", mesh=mesh, skin=skin_index))
    roots = [joints[-1] + 1, len(build.gltf.nodes) - 1]
    build.gltf.scenes.append(pygltflib.Scene(nodes=roots))
    build.gltf.scene = 0
    _add_animation(build, parents, joints, bind, R, p, time)
    build.gltf.asset = pygltflib.Asset(
        version="2.0", generator=f"marrow {marrow.__version__}", extras=dict(extras or {})
    )
    with write_atomically(path) as file:
        file.write(build.bytes())
    return error


def _checked(
    vertices: Any, faces: Any, bodies: Sequence[str], parents: Any, bind: Any, R: Any, p: Any, time: Any
) -> tuple[Float32, NDArray[np.int32], NDArray[np.int64], Float64, Float64, Float64, Float64]:
    vertices, faces = np.asarray(vertices, np.float32), np.asarray(faces, np.int32)
    parents, time = np.asarray(parents, np.int64), np.asarray(time, np.float64)
    bind, R, p = (np.asarray(array, np.float64) for array in (bind, R, p))
    B, T = len(bodies), len(time)
    wanted = {"parents": (parents, (B,)), "bind": (bind, (B, 4, 4)), "R": (R, (T, B, 3, 3)), "p": (p, (T, B, 3))}
    for what, (array, shape) in wanted.items():
        if array.shape != shape:
            raise InputError(f"write_glb: {what} has shape {array.shape}; expected {shape} for {B} bodies, {T} times")
        if not np.isfinite(array).all():
            raise InputError(f"write_glb: {what} must be finite everywhere")
    if T == 0 or time[0] < 0 or np.any(np.diff(time) <= 0):
        raise InputError("write_glb: time needs at least one value, must increase and start at 0 or later")
    if np.any(parents >= np.arange(B)):
        raise InputError("write_glb: parents must come before their children")
    if vertices.ndim != 2 or vertices.shape[1] != 3 or not np.isfinite(vertices).all():
        raise InputError(f"write_glb: vertices must be finite (V, 3), got {vertices.shape}")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.size == 0 or faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"write_glb: faces must be (F, 3) indices of the {len(vertices)} vertices, got {faces.shape}")
    return vertices, faces, parents, bind, R, p, time


def _split_at_seams(
    vertices: Float32, faces: NDArray[np.int32], skin: Skin, uv: Float32, faces_uv: NDArray[np.int32]
) -> tuple[Float32, NDArray[np.int32], Skin, tuple[Float32, NDArray[np.int64]]]:
    """One vertex for each pair of position and texture coordinate, as glTF has one index for both.

    The last value is ``(uv of each new vertex, old vertex of each new vertex)``.
    """
    if faces_uv.shape != faces.shape:
        raise InputError(f"write_glb: faces_uv has shape {faces_uv.shape}; expected {faces.shape}")
    pairs = np.stack([faces.ravel(), faces_uv.ravel()], axis=1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    old = unique[:, 0].astype(np.int64)
    # glTF's texture origin is the upper left corner.
    flipped = np.stack([uv[unique[:, 1], 0], 1 - uv[unique[:, 1], 1]], axis=1).astype(np.float32)
    new_faces = index.reshape(faces.shape).astype(np.int32)
    return vertices[old], new_faces, Skin(skin.joints[old], skin.weights[old]), (flipped, old)


# ---------------------------------------------------------------------------------------------------------------------
# glTF objects
# ---------------------------------------------------------------------------------------------------------------------


class _Builder:
    """A glTF document and its one binary buffer."""

    def __init__(self) -> None:
        self.gltf = pygltflib.GLTF2()
        self._parts: list[bytes] = []
        self._length = 0

    def accessor(self, array: NDArray, kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Add an array (rows are elements); returns the index of its accessor."""
        code = {
            "f4": pygltflib.FLOAT,
            "u1": pygltflib.UNSIGNED_BYTE,
            "u2": pygltflib.UNSIGNED_SHORT,
            "u4": pygltflib.UNSIGNED_INT,
        }[array.dtype.str[1:]]
        data = np.ascontiguousarray(array).tobytes()
        self.gltf.bufferViews.append(
            pygltflib.BufferView(buffer=0, byteOffset=self._length, byteLength=len(data), target=target)
        )
        data += b"\0" * (-len(data) % 4)
        self._parts.append(data)
        self._length += len(data)
        rows = array.reshape(len(array), -1)
        self.gltf.accessors.append(
            pygltflib.Accessor(
                bufferView=len(self.gltf.bufferViews) - 1,
                componentType=code,
                count=len(array),
                type=kind,
                min=rows.min(axis=0).tolist() if bounds else None,
                max=rows.max(axis=0).tolist() if bounds else None,
            )
        )
        return len(self.gltf.accessors) - 1

    def bytes(self) -> bytes:
        self.gltf.buffers = [pygltflib.Buffer(byteLength=self._length)]
        self.gltf.set_binary_blob(b"".join(self._parts))
        return b"".join(self.gltf.save_to_bytes())


def _local(R: Float64, p: Float64, parents: NDArray[np.int64]) -> tuple[Float64, Float64]:
    """Quaternions (..., B, 4) and places (..., B, 3) of the joints in their parents' axes."""
    turned, placed = R.copy(), p.copy()
    for body, parent in enumerate(parents):
        if parent >= 0:
            back = np.swapaxes(R[..., parent, :, :], -1, -2)
            turned[..., body, :, :] = back @ R[..., body, :, :]
            placed[..., body, :] = (back @ (p[..., body, :] - p[..., parent, :])[..., None])[..., 0]
    return rotations.quaternion_from_matrix(turned), placed


def _add_joints(
    build: _Builder, bodies: Sequence[str], parents: NDArray[np.int64], bind: Float64, name: str
) -> list[int]:
    """Nodes of the bones in the bind pose, and one node above them; returns the bones' node indices."""
    quaternions, places = _local(bind[:, :3, :3], bind[:, :3, 3], parents)
    joints = list(range(len(bodies)))
    for body, body_name in enumerate(bodies):
        children = np.flatnonzero(parents == body).tolist()
        build.gltf.nodes.append(
            pygltflib.Node(
                name=body_name,
                translation=places[body].tolist(),
                rotation=quaternions[body].tolist(),
                children=children,
            )
        )
    roots = np.flatnonzero(parents < 0).tolist()
    build.gltf.nodes.append(pygltflib.Node(name=name, children=roots))
    return joints


def _add_skin(build: _Builder, bind: Float64, joints: list[int]) -> int:
    inverse = np.linalg.inv(bind)
    inverse[:, 3] = (0.0, 0.0, 0.0, 1.0)
    # glTF stores matrices by columns.
    matrices = np.swapaxes(inverse, -1, -2).astype(np.float32)
    index = build.accessor(matrices.reshape(-1, 16), pygltflib.MAT4)
    build.gltf.skins.append(pygltflib.Skin(inverseBindMatrices=index, joints=joints, skeleton=joints[-1] + 1))
    return len(build.gltf.skins) - 1


def _add_mesh(
    build: _Builder,
    vertices: Float32,
    faces: NDArray[np.int32],
    skin: Skin,
    corners: tuple[Float32, NDArray[np.int64]] | None,
    bodies: int,
    name: str,
) -> int:
    gpu = pygltflib.ARRAY_BUFFER
    attributes = pygltflib.Attributes()
    attributes.POSITION = build.accessor(vertices, pygltflib.VEC3, target=gpu, bounds=True)
    normals = _normals(vertices, faces, None if corners is None else corners[1])
    attributes.NORMAL = build.accessor(normals, pygltflib.VEC3, target=gpu)
    if corners is not None:
        attributes.TEXCOORD_0 = build.accessor(corners[0], pygltflib.VEC2, target=gpu)
    width = -(-skin.joints.shape[1] // 4) * 4
    pad = ((0, 0), (0, width - skin.joints.shape[1]))
    kind = np.uint8 if bodies <= 256 else np.uint16
    joints = np.pad(skin.joints, pad).astype(kind)
    weights = np.pad(_sum_to_one(skin.weights), pad)
    for set_ in range(width // 4):
        part = slice(4 * set_, 4 * set_ + 4)
        setattr(attributes, f"JOINTS_{set_}", build.accessor(joints[:, part], pygltflib.VEC4, target=gpu))
        setattr(attributes, f"WEIGHTS_{set_}", build.accessor(weights[:, part], pygltflib.VEC4, target=gpu))
    index = build.accessor(faces.reshape(-1).astype(np.uint32), pygltflib.SCALAR, target=pygltflib.ELEMENT_ARRAY_BUFFER)
    surface = pygltflib.PbrMetallicRoughness(
        baseColorFactor=list(_SKIN_COLOUR), metallicFactor=0.0, roughnessFactor=0.7
    )
    build.gltf.materials.append(pygltflib.Material(name="skin", pbrMetallicRoughness=surface, alphaCutoff=None))
    primitive = pygltflib.Primitive(attributes=attributes, indices=index, material=0)
    build.gltf.meshes.append(pygltflib.Mesh(name=name, primitives=[primitive]))
    return len(build.gltf.meshes) - 1


def _sum_to_one(weights: Float64) -> Float32:
    """float32 weights whose float32 sum is one: the rest of rounding goes to the strongest, which stands first."""
    out = weights.astype(np.float32)
    out[:, 0] += np.float32(1) - out.sum(axis=1, dtype=np.float32)
    return out


def _normals(vertices: Float32, faces: NDArray[np.int32], old: NDArray[np.int64] | None) -> Float32:
    """(V, 3) unit normals weighted by area; equal on both sides of a texture seam."""
    corner = vertices.astype(np.float64)[faces]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    group = np.arange(len(vertices)) if old is None else old
    total = np.zeros((int(group.max()) + 1, 3))
    for k in range(3):
        np.add.at(total, group[faces[:, k]], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.where(length > 0, total / np.where(length > 0, length, 1), (0.0, 1.0, 0.0))
    return unit[group].astype(np.float32)


def _add_animation(
    build: _Builder,
    parents: NDArray[np.int64],
    joints: list[int],
    bind: Float64,
    R: Float64,
    p: Float64,
    time: Float64,
) -> None:
    """Rotations of all joints, and places of those that move in their parent; still ones get a single key."""
    quaternions, places = _local(R, p, parents)
    _, bind_places = _local(bind[:, :3, :3], bind[:, :3, 3], parents)
    quaternions = rotations.continuous_quaternions(quaternions)
    every = build.accessor(time.astype(np.float32)[:, None], pygltflib.SCALAR, bounds=True)
    once = build.accessor(time[:1].astype(np.float32)[:, None], pygltflib.SCALAR, bounds=True)
    animation = pygltflib.Animation(name="motion")

    def add(node: int, path: str, values: Float64, kind: str, still: bool) -> None:
        data = (values[:1] if still else values).astype(np.float32)
        output = build.accessor(data, kind)
        animation.samplers.append(
            pygltflib.AnimationSampler(input=once if still else every, output=output, interpolation="LINEAR")
        )
        target = pygltflib.AnimationChannelTarget(node=node, path=path)
        animation.channels.append(pygltflib.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))

    for body, node in enumerate(joints):
        turn = quaternions[:, body]
        add(node, "rotation", turn, pygltflib.VEC4, bool(np.ptp(turn, axis=0).max() < 1e-9))
        if np.abs(places[:, body] - bind_places[body]).max() > _STILL:
            add(
                node,
                "translation",
                places[:, body],
                pygltflib.VEC3,
                bool(np.ptp(places[:, body], axis=0).max() < _STILL),
            )
    build.gltf.animations.append(animation)
