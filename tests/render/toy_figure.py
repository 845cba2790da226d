"""A small artificial person for the tests of drawing and viewing: ellipsoids on a stick figure, no body model."""

from __future__ import annotations

import numpy as np
import trimesh

from marrow.types import Camera

JOINTS = np.array(
    [
        [0, 0.95, 0],
        [-0.1, 0.9, 0],
        [-0.1, 0.48, 0.02],
        [-0.1, 0.08, 0],
        [0.1, 0.9, 0],
        [0.1, 0.48, 0.02],
        [0.1, 0.08, 0],
        [0, 1.45, 0],
        [0, 1.6, 0.02],
        [-0.2, 1.42, 0],
        [-0.32, 1.15, 0.02],
        [-0.36, 0.9, 0.1],
        [0.2, 1.42, 0],
        [0.32, 1.15, 0.02],
        [0.36, 0.9, 0.1],
    ]
)
BONES = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8)]
BONES += [(7, 9), (9, 10), (10, 11), (7, 12), (12, 13), (13, 14)]


def toy_person(subdivisions: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """Vertices (V, 3) float32 metres standing on y = 0 and facing +Z, faces, joints (15, 3), bones."""
    width = {(0, 7): 0.15, (7, 8): 0.09}
    parts = []
    for a, b in BONES:
        start, end = JOINTS[a], JOINTS[b]
        length = float(np.linalg.norm(end - start))
        part = trimesh.creation.icosphere(subdivisions=subdivisions)
        r = width.get((a, b), 0.06)
        part.apply_scale([r, r, length / 2 + r])
        part.apply_transform(trimesh.geometry.align_vectors([0, 0, 1], (end - start) / length))
        part.apply_translation((start + end) / 2)
        parts.append(part)
    mesh = trimesh.util.concatenate(parts)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32), JOINTS.copy(), list(BONES)


def facing_camera(distance: float = 3.5, size: tuple[int, int] = (256, 256), focal: float | None = None) -> Camera:
    """A camera ``distance`` metres ahead of the person, one metre high, looking at it."""
    focal = focal or 1.3 * size[1]
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1.0]])
    R = np.diag([1.0, -1.0, -1.0])
    return Camera(K, size, R, np.array([0.0, 1.0, distance]))
