"""Pictures of the anatomical landmarks and of the bones inside the skin, for docs/gallery.

python scripts/anatomy_pictures.py [--landmarks] [--bones]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from marrow.body import anatomy, load_body
from marrow.body.default import DefaultBody, Rest
from marrow.render import interpolate, rasterize, vertex_normals
from marrow.skeleton.bones import bone_meshes
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Camera, Mesh

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery"
LOOK = {
    "front": (0, 0, 1), "back": (0, 0, -1), "left": (1, 0, 0), "right": (-1, 0, 0), "top": (0, 1, 0.001),
    "half": (0.7, 0.1, 0.7), "medial": (-1, 0, 0),
}  # fmt: skip
SKIN, BONE, RED = (190, 150, 130), (236, 225, 200), (220, 30, 30)
#: Sheets of landmarks: file, then view, centre and half width in metres on the reference body, and the skin in sight.
SHEETS: Mapping[str, tuple[tuple[str, tuple[float, float, float], float, str], ...]] = {
    "pelvis": (
        ("front", (0, 0.98, 0), 0.2, "trunk"),
        ("left", (0, 0.98, -0.05), 0.2, "trunk"),
        ("back", (0, 0.98, 0), 0.2, "trunk"),
    ),
    "trunk": (
        ("front", (0, 1.32, 0), 0.24, "all"),
        ("left", (0, 1.32, -0.05), 0.24, "trunk"),
        ("back", (0, 1.32, 0), 0.24, "all"),
    ),
    "shoulder": (
        ("half", (0.12, 1.4, 0), 0.16, "all"),
        ("top", (0.1, 1.4, -0.06), 0.16, "body"),
        ("back", (0.12, 1.38, 0), 0.16, "all"),
    ),
    "knee": (
        ("front", (0.15, 0.5, 0), 0.13, "leg"),
        ("left", (0.15, 0.5, -0.06), 0.13, "leg"),
        ("medial", (0.15, 0.5, -0.06), 0.13, "leg"),
    ),
    "foot": (
        ("left", (0.2, 0.06, -0.01), 0.15, "leg"),
        ("medial", (0.2, 0.06, -0.01), 0.15, "leg"),
        ("top", (0.2, 0.0, -0.01), 0.15, "foot"),
    ),
    "arm": (
        ("back", (0.4, 1.2, 0), 0.16, "arm"),
        ("top", (0.5, 1.05, 0.14), 0.14, "arm"),
        ("front", (0.5, 1.02, 0.1), 0.14, "arm"),
    ),
    "head": (
        ("front", (0, 1.65, 0), 0.14, "all"),
        ("left", (0, 1.65, -0.02), 0.14, "all"),
        ("back", (0, 1.65, 0), 0.14, "all"),
    ),
}
PARTS = {
    "leg": ("upperleg", "lowerleg", "foot", "toe"), "foot": ("foot", "toe"),
    "arm": ("upperarm", "lowerarm", "wrist", "metacarpal", "finger"),
    "trunk": ("root", "pelvis", "spine", "clavicle", "shoulder", "neck", "head", "eye", "upperleg"),
    "body": ("spine", "clavicle", "shoulder", "upperarm", "neck01"),
}  # fmt: skip


def camera(look: str | tuple[float, float, float], centre: np.ndarray, half: float, size: tuple[int, int]) -> Camera:
    """A camera far away, nearly parallel; ``half`` metres reach from the middle to the left edge.

    ``look`` is where it stands, seen from the centre: a name of :data:`LOOK`, or a direction in the world.
    """
    z = -np.array(LOOK[look] if isinstance(look, str) else look, float)
    z /= np.linalg.norm(z)
    up = np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
    y = -(up - up @ z * z)
    y /= np.linalg.norm(y)
    R = np.stack([np.cross(y, z), y, z])
    distance = 30.0
    f = size[0] / 2 / half * distance
    K = np.array([[f, 0, size[0] / 2], [0, f, size[1] / 2], [0, 0, 1]])
    return Camera(K, size, R, -R @ (centre - distance * z))


def shaded(x: np.ndarray, faces: np.ndarray, cam: Camera, colour: tuple[int, int, int]) -> tuple:
    """Picture (H, W, 3), depth and normals in the camera of a mesh on white."""
    x_cam = np.ascontiguousarray(x @ cam.R_cam_world.T + cam.t_cam_world, np.float32)
    raster = rasterize(x_cam, np.ascontiguousarray(faces, np.int32), cam, cull=True)
    normals = interpolate(raster, faces, vertex_normals(x_cam, faces)).astype(float)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    light = 0.25 + 0.75 * np.clip(normals @ np.array([-0.4, -0.5, -0.77]), 0, 1)
    return np.where(raster.ids[..., None] >= 0, light[..., None] * colour, 255.0), raster.depth, normals


def glass(skin: np.ndarray, skin_faces: np.ndarray, bones: Mesh, cam: Camera) -> np.ndarray:
    """Bones in a glassy skin; what sticks out of it is red."""
    picture, near, _ = shaded(bones.vertices, bones.faces, cam, BONE)
    outside, depth, normals = shaded(skin, skin_faces, cam, SKIN)
    seen = np.isfinite(depth)
    opacity = np.where(seen, 0.20 + 0.45 * (1 - np.abs(normals[..., 2])) ** 1.2, 0.0)[..., None]
    out = picture * (1 - opacity) + outside * opacity
    out[np.isfinite(near) & (near < depth - 0.0005)] = RED
    return out.astype(np.uint8)


def all_bones(rest: Rest) -> Mesh:
    """Every bone of a person as one mesh."""
    bony = anatomy.bony_landmarks(rest)
    meshes = list(bone_meshes(bony, joint_centres(bony)).values())
    first = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + o for m, o in zip(meshes, first, strict=True)])
    return Mesh(np.concatenate([m.vertices for m in meshes]), faces.astype(np.int32))


def labelled(picture: np.ndarray, points: Mapping[str, np.ndarray], cam: Camera, depth: np.ndarray) -> np.ndarray:
    """Red dots with names where the points are in sight."""
    out = np.ascontiguousarray(picture.astype(np.uint8))
    used: list[tuple[int, int]] = []
    for name, point in points.items():
        x_cam = cam.R_cam_world @ point + cam.t_cam_world
        x, y = (round(float(v)) for v in (cam.K @ x_cam)[:2] / x_cam[2])
        if not (0 <= x < cam.size[0] and 0 <= y < cam.size[1]) or x_cam[2] > depth[y, x] + 0.012:
            continue
        cv2.circle(out, (x, y), 4, (200, 0, 0), -1, cv2.LINE_AA)
        text = y + 4
        while any(abs(text - v) < 12 and abs(x - u) < 150 for u, v in used):
            text += 12
        used.append((x, text))
        cv2.putText(out, name, (x + 7, text), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 90), 1, cv2.LINE_AA)
    return out


def part_faces(body: DefaultBody, part: str) -> np.ndarray:
    """Triangles of the left limb or the trunk alone, so that nothing stands in the way."""
    if part == "all":
        return body.faces
    start, bone, weight = body.bone_weights
    owner = np.array([bone[i:j][np.argmax(weight[i:j])] for i, j in pairwise(start)])
    chosen = [i for i, n in enumerate(body.bones) if n.startswith(PARTS[part])]
    if part in ("leg", "arm", "foot"):
        chosen = [i for i in chosen if body.bones[i].endswith(".L")]
    return body.faces[np.isin(owner, chosen)[body.faces].all(1)]


def draw_landmarks(folder: Path) -> None:
    """One sheet for each region: every landmark of the left side and the midline on the reference body's skin."""
    folder.mkdir(parents=True, exist_ok=True)
    body = load_body()
    rest = body.rest(anatomy.reference_shape())
    points = {n.removesuffix("_l"): x for n, x in anatomy.skin_landmarks(rest).items() if not n.endswith("_r")}
    first_vertex = {mark.name.removesuffix("_l"): mark.vertices[0] for mark in anatomy.landmarks()}
    for name, views in SHEETS.items():
        row = []
        for look, centre, half, part in views:
            cam = camera(look, np.array(centre), half, (440, 440))
            faces = part_faces(body, part)
            picture, depth, _ = shaded(rest.vertices, faces, cam, (225, 185, 165))
            shown = {n: x for n, x in points.items() if first_vertex[n] in faces}
            row.append(labelled(picture, shown, cam, depth))
        save(folder / f"{name}.png", np.hstack(row))


def draw_bones(folder: Path) -> None:
    """An average man, a woman, a child and a heavy person from three sides, and details of the man."""
    folder.mkdir(parents=True, exist_ok=True)
    body = load_body()
    people = {
        "man": {"gender": 0.0},
        "woman": {"gender": 1.0},
        "child": {"age": 0.2},
        "heavy": {"weight": 1.0, "muscle": 0.4},
    }
    for name, shape in people.items():
        rest = body.rest(shape)
        bones, tall = all_bones(rest), float(rest.vertices[:, 1].max())
        middle = np.array([0.0, 0.5 * tall, 0.0])
        row = [
            glass(rest.vertices, body.faces, bones, camera(look, middle, 0.36 * tall, (504, 756)))
            for look in ("front", "left", "back")
        ]
        save(folder / f"bones_{name}.png", np.hstack(row))
    rest = body.rest({"gender": 0.0})
    bones = all_bones(rest)
    views = (("front", (0, 1.66, 0), 0.14), ("left", (0, 1.66, -0.03), 0.14), ("half", (0, 1.33, -0.05), 0.24),
             ("front", (0, 0.98, -0.05), 0.2), ("half", (0.15, 0.5, -0.05), 0.14), ("left", (0.2, 0.07, 0), 0.17),
             ("back", (0.15, 1.38, -0.05), 0.16), ("top", (0.5, 1.05, 0.14), 0.14))  # fmt: skip
    cells = [glass(rest.vertices, body.faces, bones, camera(v, np.array(c), h, (400, 400))) for v, c, h in views]
    save(folder / "bones_details.png", np.vstack([np.hstack(cells[:4]), np.hstack(cells[4:])]))


def save(path: Path, picture: np.ndarray) -> None:
    """Write a PNG, as small as it goes without loss."""
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(path, f"{path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landmarks", action="store_true", help="only the sheets of landmarks")
    parser.add_argument("--bones", action="store_true", help="only the bones")
    options = parser.parse_args()
    if options.landmarks or not options.bones:
        draw_landmarks(GALLERY / "landmarks")
    if options.bones or not options.landmarks:
        draw_bones(GALLERY / "bones")


if __name__ == "__main__":
    main()
