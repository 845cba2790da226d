"""Pictures of people in poses, the bones visible through a translucent skin, for docs/gallery/poses.

    python scripts/gallery_bones.py [--only POSE ...] [--outside] [--out FOLDER]

One picture a pose: a man, a woman, a child and a heavy person, each from two sides. ``--outside`` paints red what
sticks out of the skin.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from anatomy_pictures import GALLERY, RED, camera
from PIL import Image

from marrow.body import anatomy, load_body
from marrow.body.default import DefaultBody
from marrow.data.motion_pack import motion_pack
from marrow.render.mesh import interpolate, rasterize, vertex_normals
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import bone_meshes
from marrow.skeleton.bones.posing import posed_bones
from marrow.skeleton.joint_centres import joint_centres
from marrow.types import Camera, Mesh

PEOPLE: Mapping[str, Mapping[str, float]] = {
    "man": {"gender": 0.0},
    "woman": {"gender": 1.0},
    "child": {"age": 0.2},
    "heavy": {"gender": 0.7, "weight": 1.0, "muscle": 0.1},
}


@dataclass(frozen=True)
class Pose:
    """Coordinates in degrees, ``*`` for both sides, on top of :data:`RELAXED`; or the widest step of a clip.

    Attributes:
        angles: coordinate to degrees.
        clip: of the motion pack; the frame in which the thighs are furthest apart is taken.
        views: where the camera stands, seen from the person, who faces +Z.
        seat: whether the person sits on something.
        cell: width and height of one view, pixels; wide ones stand beside each other, a person in each row.
    """

    angles: Mapping[str, float]
    clip: str | None = None
    views: tuple[tuple[float, float, float], ...] = ((0.0, 0.1, 1.0), (1.0, 0.1, 0.0))
    seat: bool = False
    cell: tuple[int, int] = (300, 400)


#: Hands as they hang, where a pose does not say otherwise.
RELAXED = {"pro_sup_*": 75, "elbow_flex_*": 12} | {
    f"{finger}_{joint}_flex_*": 18
    for finger in ("index", "middle", "ring", "little")
    for joint in ("mcp", "pip", "dip")
}
POSES: Mapping[str, Pose] = {
    "standing": Pose({}),
    "walking": Pose({}, clip="02_01"),
    "squatting": Pose({
        "pelvis_tilt": -28, "lumbar_seg_extension": -8, "thorax_extension": -4, "neck_extension": 25,
        "hip_flexion_*": 112, "hip_adduction_*": -18, "hip_rotation_*": 10, "knee_angle_*": 122, "ankle_angle_*": 32,
        "gh_flex_*": 75, "gh_add_*": -8,
    }),
    "arms_overhead": Pose({
        "clav_elevation_*": 22, "scap_protraction_*": 26, "scap_upward_*": 22, "scap_tilt_*": 32, "gh_add_*": -120,
        "elbow_flex_*": 5, "pro_sup_*": 90,
    }),
    "sitting": Pose({
        "hip_flexion_*": 88, "hip_adduction_*": -8, "knee_angle_*": 88, "gh_flex_*": 28, "elbow_flex_*": 60,
        "pro_sup_*": 110,
    }, seat=True),
    "lying": Pose(
        {"pelvis_tilt": 90, "pelvis_list": 90, "gh_add_*": -18, "hip_adduction_*": -7, "ankle_angle_*": -25},
        views=((0.0, 0.25, 1.0), (0.0, 1.0, 0.001)), cell=(600, 210),
    ),
}  # fmt: skip

#: How many samples make one pixel in either direction.
SAMPLES = 2
SKIN, BONE, SEAT = np.array([0.80, 0.60, 0.52]), np.array([0.97, 0.94, 0.86]), np.array([0.72, 0.74, 0.78])
#: Directions to the lights, in the camera's axes (x right, y down, z forward) and in the world.
KEY, FILL, SUN = np.array([-0.45, -0.65, -0.62]), np.array([0.7, -0.1, -0.7]), np.array([-0.25, 1.0, 0.35])
#: Opacity of the skin where it faces the camera, and where it turns away.
FACING, GRAZING = 0.22, 0.88


@dataclass(frozen=True)
class Layer:
    """A surface in each pixel: colour (H, W, 3) of 0 to 1, opacity and depth (H, W), infinite where it is not."""

    colour: np.ndarray
    opacity: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class Figure:
    """A posed person: the skin in parts that can lie before one another, the bones, and what the person sits on."""

    skin: tuple[Mesh, ...]
    bones: Mesh
    seat: Mesh | None

    @property
    def extent(self) -> np.ndarray:
        """(N, 3) points that have to be in the picture."""
        return np.concatenate([part.vertices for part in (*self.skin, *([self.seat] if self.seat else []))])


def coordinates(skeleton: Skeleton, pose: Pose) -> np.ndarray:
    """q (D,) radians of a pose; the person faces +Z over the origin. Raises InputError for an unknown coordinate."""
    q = np.zeros(len(skeleton.coordinates))
    set_degrees(skeleton, q, RELAXED)
    if pose.clip is not None:
        clip = motion_pack().motion(pose.clip).full(skeleton.coordinates, q)
        right, left = (clip[:, skeleton.index(f"hip_flexion_{side}")] for side in "rl")
        q = clip[np.argmax(np.abs(right - left))]
        q[skeleton.index("pelvis_rotation")] = 0.0
    set_degrees(skeleton, q, pose.angles)
    q[skeleton.tree.translation] = 0.0
    return q


def set_degrees(skeleton: Skeleton, q: np.ndarray, angles: Mapping[str, float]) -> None:
    for name, value in angles.items():
        for own in [name.replace("*", side) for side in "rl"] if "*" in name else [name]:
            q[skeleton.index(own)] = np.radians(value)


def figure(body: DefaultBody, shape: Mapping[str, float], pose: Pose) -> Figure:
    """A person in a pose, the lowest point of the skin on the floor, or seated at the height of the bent leg."""
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    bony = anatomy.bony_landmarks(rest)
    q = coordinates(skeleton, pose)
    lift = np.zeros(3)
    skin = body.pose(rest, q, lift, outputs=("vertices",)).vertices
    lift[1] = -float(skin[:, 1].min())
    skin = skin + lift.astype(np.float32)
    R, p = skeleton.forward(q, lift)
    meshes = list(posed_bones(bone_meshes(bony, joint_centres(bony)), skeleton, R, p).values())
    parts = tuple(Mesh(skin, faces) for faces in part_faces(body))
    return Figure(parts, joined(meshes), seat_under(skin, skeleton, R, p) if pose.seat else None)


def part_faces(body: DefaultBody) -> Iterator[np.ndarray]:
    """Triangles of trunk with head, of each arm and of each leg."""
    start, bone, weight = body.bone_weights
    owner = np.array([bone[i:j][np.argmax(weight[i:j])] for i, j in pairwise(start)])
    limb = np.zeros(len(body.bones), int)
    limbs = (("upperarm", "lowerarm", "wrist", "metacarpal", "finger"), ("upperleg", "lowerleg", "foot", "toe"))
    for number, names in enumerate(limbs, 1):
        for i, name in enumerate(body.bones):
            if name.startswith(names):
                limb[i] = 2 * number + name.endswith(".L")
    of_face = limb[owner][body.faces].max(1)
    for number in np.unique(of_face):
        yield body.faces[of_face == number]


def joined(meshes: list[Mesh]) -> Mesh:
    first = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + o for m, o in zip(meshes, first, strict=True)])
    return Mesh(np.concatenate([m.vertices for m in meshes]), faces.astype(np.int32))


def seat_under(skin: np.ndarray, skeleton: Skeleton, R: np.ndarray, p: np.ndarray) -> Mesh:
    """A block under the thighs, from behind the pelvis to the middle of the thigh."""
    hip, knee = (skeleton.points(R, p, (f"{name}_r", f"{name}_l")) for name in ("hip", "knee"))
    front = float((0.45 * hip + 0.55 * knee)[:, 2].mean())
    near = (np.abs(skin[:, 2] - hip[:, 2].mean()) < 0.12) & (np.abs(skin[:, 0]) < 1.3 * abs(hip[0, 0]) + 0.05)
    back, top = float(hip[:, 2].mean()) - 0.2, float(skin[near, 1].min())
    half = float(np.abs(knee[:, 0]).max()) + 0.1
    corners = np.array([[x, y, z] for x in (-half, half) for y in (0.0, top) for z in (back, front)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    # Corners of their own for each side, so that its edges stay sharp.
    vertices = corners[np.array(quads).ravel()]
    faces = np.array([(4 * k + a, 4 * k + b, 4 * k + c) for k in range(6) for a, b, c in ((0, 1, 2), (0, 2, 3))])
    return Mesh(vertices, faces.astype(np.int32))


def seen(mesh: Mesh, cam: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W) and normals (H, W, 3) in the camera's axes of the faces that look at the camera."""
    x = np.ascontiguousarray(mesh.vertices @ cam.R_cam_world.T + cam.t_cam_world, np.float32)
    raster = rasterize(x, mesh.faces, cam, cull=True)
    normals = interpolate(raster, mesh.faces, vertex_normals(x, mesh.faces)).astype(float)
    return raster.depth.astype(float), normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9)


def light(normals: np.ndarray) -> np.ndarray:
    """(H, W, 1) brightness: two lamps, and more from above than from below."""
    key, fill = (np.clip(normals @ (lamp / np.linalg.norm(lamp)), 0, 1) for lamp in (KEY, FILL))
    return (0.46 - 0.10 * normals[..., 1] + 0.52 * key + 0.20 * fill)[..., None]


def creases(depth: np.ndarray, reach: float) -> np.ndarray:
    """(H, W, 1) shade of what lies behind its surroundings, 0 to 1 (Luft et al. 2006); ``reach`` in pixels."""
    there = np.isfinite(depth).astype(float)
    filled = np.where(there > 0, depth, 0.0)
    around = cv2.GaussianBlur(filled, (0, 0), reach) / np.maximum(cv2.GaussianBlur(there, (0, 0), reach), 1e-6)
    return np.clip((filled - around) / 0.03, 0, 1)[..., None] * there[..., None]


def opaque(mesh: Mesh, cam: Camera, colour: np.ndarray, pixels_per_m: float) -> Layer:
    """Bones: darker where they lie deep among others, paler the further away."""
    depth, normals = seen(mesh, cam)
    shade = light(normals) * (1 - 0.45 * creases(depth, 0.012 * pixels_per_m))
    there = np.isfinite(depth)
    span = np.ptp(depth[there]) if there.any() else 0.0
    far = np.where(there, depth - depth[there].min(initial=np.inf), 0.0) / max(span, 1e-6)
    haze = 0.22 * far[..., None] * min(1.0, span / 0.3)
    return Layer((colour * shade) * (1 - haze) + 0.93 * haze, there.astype(float), depth)


def glassy(mesh: Mesh, cam: Camera) -> Layer:
    """Skin: clear where it faces the camera, dense where it turns away, with a soft highlight."""
    depth, normals = seen(mesh, cam)
    turned = 1 - np.abs(normals[..., 2])
    opacity = np.where(np.isfinite(depth), FACING + (GRAZING - FACING) * turned**1.7, 0.0)
    half = KEY / np.linalg.norm(KEY) + [0, 0, -1]
    shine = np.clip(normals @ (half / np.linalg.norm(half)), 0, 1)[..., None] ** 40
    return Layer(SKIN * (0.35 + 0.75 * light(normals)) + 0.35 * shine, opacity, depth)


def composed(layers: list[Layer], ground: np.ndarray) -> np.ndarray:
    """Layers over one another, in each pixel from the farthest to the nearest."""
    order = np.argsort(-np.stack([layer.depth for layer in layers]), axis=0)
    opacity = np.stack([layer.opacity for layer in layers])[..., None]
    colour = np.stack([layer.colour for layer in layers])
    out = ground
    for row in order:
        a, c = (np.take_along_axis(x, row[None, ..., None], 0)[0] for x in (opacity, colour))
        out = out * (1 - a) + c * a
    return out


def ground(shadowed: list[Mesh], cam: Camera, pixels_per_m: float) -> np.ndarray:
    """A pale background, and the shadow of the meshes on the floor."""
    width, height = cam.size
    out = np.linspace(0.99, 0.93, height)[:, None, None] * np.ones((height, width, 3))
    dark = np.zeros((height, width))
    for mesh in shadowed:
        flat = mesh.vertices - (mesh.vertices[:, 1:2] / SUN[1]) * SUN.astype(np.float32)
        x = np.ascontiguousarray(flat @ cam.R_cam_world.T + cam.t_cam_world, np.float32)
        dark = np.maximum(dark, np.isfinite(rasterize(x, mesh.faces, cam).depth))
    return out * (1 - 0.22 * cv2.GaussianBlur(dark, (0, 0), 0.02 * pixels_per_m)[..., None])


def framed(view: tuple[float, float, float], points: np.ndarray, size: tuple[int, int]) -> tuple[Camera, float]:
    """A camera in which points (N, 3) fill the picture, and its pixels per metre."""
    axes = camera(view, np.zeros(3), 1.0, size).R_cam_world
    flat = points @ axes.T
    low, high = flat.min(0), flat.max(0)
    half = 0.56 * max(high[0] - low[0], (high[1] - low[1]) * size[0] / size[1])
    return camera(view, 0.5 * (low + high) @ axes, half, size), size[0] / 2 / half


def drawn(who: Figure, pose: Pose, *, outside: bool = False) -> list[np.ndarray]:
    """Pictures (H, W, 3) uint8 of a figure, one for each view of the pose; ``outside`` paints red what sticks out."""
    out = []
    for view in pose.views:
        cam, scale = framed(view, who.extent, (pose.cell[0] * SAMPLES, pose.cell[1] * SAMPLES))
        skin = [glassy(part, cam) for part in who.skin]
        bones = opaque(who.bones, cam, BONE, scale)
        if outside:
            bare = bones.depth < np.min([layer.depth for layer in skin], axis=0) - 0.0005
            bones.colour[bare] = np.array(RED) / 255
        seats = [] if who.seat is None else [who.seat]
        solid = [bones, *(opaque(seat, cam, SEAT, scale) for seat in seats)]
        picture = composed([*solid, *skin], ground([*who.skin, *seats], cam, scale))
        small = cv2.resize(picture, pose.cell, interpolation=cv2.INTER_AREA)
        out.append((255 * np.clip(small, 0, 1)).astype(np.uint8))
    return out


def save(path: Path, picture: np.ndarray) -> None:
    """A PNG with a palette, which halves it."""
    Image.fromarray(picture).quantize(160, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, f"{path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(POSES), help="draw these poses")
    parser.add_argument("--outside", action="store_true", help="paint red what sticks out of the skin")
    parser.add_argument("--out", type=Path, default=GALLERY / "poses")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    body = load_body()
    for name in options.only or POSES:
        pose = POSES[name]
        people = [drawn(figure(body, shape, pose), pose, outside=options.outside) for shape in PEOPLE.values()]
        wide = pose.cell[0] > pose.cell[1]
        picture = np.vstack([np.hstack(p) for p in people]) if wide else np.hstack([np.vstack(p) for p in people])
        save(options.out / f"{name}.png", picture)


if __name__ == "__main__":
    main()
