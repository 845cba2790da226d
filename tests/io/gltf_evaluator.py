"""A glTF evaluator of its own: reads a .glb by the specification and poses its skinned mesh at any time.

It shares no code with the writer: accessors, slerp, the node tree and skinning are done here from the glTF 2.0 text
(sections 3.6, 3.7.3 and 3.11, appendix C).
"""

from __future__ import annotations

import numpy as np
import pygltflib

TYPES = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    def __init__(self, path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        view = self.gltf.bufferViews[accessor.bufferView]
        kind = np.dtype("<" + TYPES[accessor.componentType])
        count = accessor.count * WIDTH[accessor.type]
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        assert start % kind.itemsize == 0
        assert count * kind.itemsize <= view.byteLength
        return np.frombuffer(self.blob, kind, count, start).reshape(accessor.count, -1)

    def at(self, sampler, time: float) -> np.ndarray:
        """Value of an animation sampler, LINEAR, clamped at its ends."""
        times, values = self.array(sampler.input)[:, 0], self.array(sampler.output).astype(float)
        assert sampler.interpolation == "LINEAR"
        assert (np.diff(times) > 0).all()
        k = int(np.searchsorted(times, time, side="right")) - 1
        if k < 0 or k >= len(times) - 1:
            return values[np.clip(k, 0, len(times) - 1)]
        s = (time - times[k]) / (times[k + 1] - times[k])
        a, b = values[k], values[k + 1]
        if values.shape[1] == 3:
            return (1 - s) * a + s * b
        dot = a @ b
        b, dot = (b, dot) if dot >= 0 else (-b, -dot)
        angle = np.arccos(min(dot, 1.0))
        if angle < 1e-6:
            return (1 - s) * a + s * b
        return (np.sin((1 - s) * angle) * a + np.sin(s * angle) * b) / np.sin(angle)

    def nodes_at(self, time: float | None) -> list[np.ndarray]:
        """World matrices of all nodes; None is the rest pose of the file."""
        trs = [{"translation": n.translation, "rotation": n.rotation, "scale": n.scale} for n in self.gltf.nodes]
        if time is not None:
            (animation,) = self.gltf.animations
            for channel in animation.channels:
                trs[channel.target.node][channel.target.path] = self.at(animation.samplers[channel.sampler], time)
        world: list[np.ndarray] = [np.eye(4)] * len(trs)

        def visit(node: int, above: np.ndarray) -> None:
            x, y, z, w = (0, 0, 0, 1) if trs[node]["rotation"] is None else trs[node]["rotation"]
            assert abs(x * x + y * y + z * z + w * w - 1) < 1e-5
            local = np.eye(4)
            local[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
            local[:3, :3] *= np.array(trs[node]["scale"] or (1, 1, 1))
            local[:3, 3] = (0, 0, 0) if trs[node]["translation"] is None else trs[node]["translation"]
            world[node] = above @ local
            for child in self.gltf.nodes[node].children or []:
                visit(child, world[node])

        for root in self.gltf.scenes[self.gltf.scene].nodes:
            visit(root, np.eye(4))
        return world

    def skinned(self, time: float | None) -> np.ndarray:
        """(V, 3) vertices of the one skinned mesh."""
        (node,) = [n for n in self.gltf.nodes if n.skin is not None]
        skin = self.gltf.skins[node.skin]
        (primitive,) = self.gltf.meshes[node.mesh].primitives
        world = self.nodes_at(time)
        inverse = self.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.array([world[joint] for joint in skin.joints]) @ inverse
        points = self.array(primitive.attributes.POSITION).astype(float)
        points = np.concatenate([points, np.ones((len(points), 1))], axis=1)
        out, total, used = np.zeros_like(points), np.zeros(len(points)), 0
        while (joints := getattr(primitive.attributes, f"JOINTS_{used}", None)) is not None:
            weights = self.array(getattr(primitive.attributes, f"WEIGHTS_{used}")).astype(float)
            for k in range(4):
                posed = np.einsum("nij,nj->ni", matrices[self.array(joints)[:, k]], points)
                out += weights[:, k, None] * posed
            total += weights.sum(axis=1)
            used += 1
        assert np.abs(total - 1).max() < 1e-6
        return out[:, :3]
