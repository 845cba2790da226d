"""Pictures of every coordinate at zero and at both ends of its range, for docs/coordinates.md.

    python scripts/coordinate_pictures.py [--only GROUP ...] [--out FOLDER]

One PNG a group. The segment that a coordinate moves, with all that hangs on it, is blue; the red line is the axis it
turns about, the red arrow the positive sense. Sided coordinates are shown on the right.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from marrow.body import anatomy, load_body
from marrow.conventions import R_GROUND_WORLD
from marrow.geometry.rotations import exp, from_euler_zxy
from marrow.render.mesh import interpolate, rasterize, vertex_normals
from marrow.skeleton import Skeleton
from marrow.skeleton import _fast_kinematics as fast
from marrow.skeleton.bones import bone_meshes, segment_of
from marrow.skeleton.definition import DERIVED, FOLLOWERS
from marrow.skeleton.joint_centres import joint_centres
from marrow.skeleton.trunk import trunk_coordinates
from marrow.types import Camera, Float64, Mesh

GALLERY = Path(__file__).resolve().parents[1] / "docs" / "gallery" / "coordinates"

#: Where the camera stands, seen from the person, who faces +Z with the left at +X; and in words.
VIEWS: Mapping[str, tuple[tuple[float, float, float], str]] = {
    "right": ((-1.0, 0.0, 0.0), "from the right"),
    "front": ((0.0, 0.0, 1.0), "from the front"),
    "back": ((0.0, 0.0, -1.0), "from behind"),
    "top": ((0.0, 1.0, 0.001), "from above, front at the top"),
    "front_high": ((0.0, 0.6, 0.8), "from the front and above"),
    "front_top": ((0.0, 0.75, 0.66), "from the front and above"),
}
CELL, TITLE, SAMPLES, COLOURS = 290, 40, 2, 128
SKIN, BONE, MOVING = (200, 160, 140), (238, 228, 205), (95, 145, 205)
RED, GREEN, GREY, INK = (205, 25, 25), (20, 120, 40), (120, 120, 120), (20, 20, 60)
SKIN_OPACITY = 0.38
PLACE = ("pelvis_tx", "pelvis_ty", "pelvis_tz")
#: Elevation of the clavicle for each degree that the arm goes up beyond 30, in the pictures of the derived arm angles.
CLAVICLE_SHARE = 0.22
#: Parts of the spine whose vertebrae lie along the arc: joints of the two bends, landmarks at both ends, vertebrae.
ARCS = {
    "lumbar": ("lumbar_arc", "lumbar", "l5_s1", "t12_l1", ("L1", "L2", "L3", "L4", "L5")),
    "thorax": ("thorax_arc", "torso", "t12_l1", "t8_body", ("T9", "T10", "T11", "T12")),
    "neck": ("neck_arc", "head", "neck", "head", ("C1", "C2", "C3", "C4", "C5", "C6", "C7")),
}


@dataclass(frozen=True)
class Row:
    """One coordinate at its negative end, zero and its positive end.

    Attributes:
        words: of the negative and the positive end, and of the middle.
        view: of :data:`VIEWS`.
        focus: landmark in the middle of the picture, and an offset from it in metres (world).
        half: metres from the middle to the edge.
        hidden: segments that are left out with all that hangs on them.
        only: these segments, with all that hangs on them, are all that is shown.
        base: other coordinates, degrees.
        ends: degrees or metres, by default the coordinate's range.
        middle: value of the picture between them.
    """

    coordinate: str
    words: tuple[str, ...]
    view: str
    focus: str
    half: float
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hidden: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    base: Mapping[str, float] = field(default_factory=dict)
    ends: tuple[float, float] | None = None
    middle: float = 0.0


class Person:
    """The average man with his bones, ready to be posed."""

    def __init__(self) -> None:
        self.body = load_body()
        self.rest = self.body.rest({"gender": 0.0})
        self.skeleton = Skeleton.inside(self.rest.landmarks)
        bony = anatomy.bony_landmarks(self.rest)
        self.bones = bone_meshes(bony, joint_centres(bony))
        self.landmarks = {**bony, **self.rest.landmarks}
        weights = self.body.skin_weights(self.skeleton.bodies)
        start, segment, weight = weights
        owner = [int(segment[i:j][np.argmax(weight[i:j])]) for i, j in pairwise(start)]
        self.skin_owner = np.array(owner)

    def q(self, angles: Mapping[str, float]) -> Float64:
        """Coordinates (D,) from degrees (metres for the pelvis' place), derived ones too; the rest is zero."""
        s, q = self.skeleton, np.zeros(len(self.skeleton.coordinates))
        for name, value in angles.items():
            if name in s.coordinates:
                q[s.index(name)] = value if name in PLACE else np.radians(value)
        trunk = np.radians([angles.get(name, 0.0) for name in DERIVED[:3]])
        if trunk.any():
            for name, value in trunk_coordinates(s.tree, from_euler_zxy(trunk)).items():
                q[s.index(name)] = value
        arm = np.radians([angles.get(name, 0.0) for name in DERIVED[3:6]])
        if arm.any():
            self._raise_girdle(q, arm)
        return q

    def _raise_girdle(self, q: Float64, arm: Float64) -> None:
        """Right clavicle, scapula and humerus that turn the upper arm by Z-X-Y angles against the rib cage."""
        s, R_arm = self.skeleton, from_euler_zxy(arm)
        raised = float(np.arccos(np.clip(R_arm[1, 1], -1.0, 1.0)))
        q[s.index("clav_elevation_r")] = CLAVICLE_SHARE * max(0.0, raised - np.radians(30.0))
        for follower in FOLLOWERS:
            if follower.leader == "clav_elevation_r":
                q[s.index(follower.name)] = follower.ratio * q[s.index(follower.leader)]
        R, _ = s.forward(q)
        torso, scapula = (R[s.body_index(name)] for name in ("torso", "scapula_r"))
        R_joint = s.joint_rotations(q)
        R_joint[s.body_index("humerus_r")] = scapula.T @ torso @ R_arm
        q[:] = s.coordinates_from_joint_rotations(R_joint, np.zeros(3))

    def turn_of(self, name: str, q: Float64) -> tuple[Float64, Float64, int]:
        """Axis and pivot (3,) of a coordinate in the world, and the segment that it moves."""
        s = self.skeleton
        R, p = s.forward(q)
        if name in DERIVED:
            body = s.body_index("torso" if name.startswith("lumbar") else "humerus_r")
            axes = R[s.body_index("pelvis" if name.startswith("lumbar") else "torso")]
            pivot = s.points(R, p, ("l5_s1",))[0] if name.startswith("lumbar") else p[body]
            return axes[:, (2, 0, 1)[DERIVED.index(name) % 3]], pivot, body
        d = s.index(name)
        axes, pivots, slides = fast.dof_twists(s.tree.structure, s.length, q[None], R[None], p[None], False)
        axis, pivot, slide = axes[0, d], pivots[0, d], slides[0, d]
        if name not in PLACE:  # with its slide, a turn about an axis beside the segment's origin
            pivot = pivot - np.cross(slide, axis) / (axis @ axis)
        return axis / np.linalg.norm(axis), pivot, int(s.tree.dof_body[d])

    def below(self, bodies: Sequence[str]) -> set[int]:
        """Indices of segments and all that hangs on them."""
        out = {self.skeleton.body_index(name) for name in bodies}
        for b, a in enumerate(self.skeleton.parents):
            if int(a) in out:
                out.add(b)
        return out

    def posed_bones(self, q: Float64) -> dict[str, tuple[int, Mesh]]:
        """Bone to the segment it goes with and its mesh in the world."""
        s = self.skeleton
        R, p = s.forward(q)
        out = {}
        for name, mesh in self.bones.items():
            segment = segment_of(name, s.bodies)
            x = mesh.vertices.astype(float)
            arc = next((part for part, (*_, own) in ARCS.items() if name in own), None)
            if arc is None:
                b = s.body_index(segment)
                R_b, p_b, R_0, p_0 = R[b], p[b], s.bind[b, :3, :3], s.bind[b, :3, 3]
                x = (x - p_0) @ R_0 @ R_b.T + p_b
            else:
                b = s.body_index(ARCS[arc][1])
                x = self._along(arc, x, q, R, p)
            out[name] = (b, Mesh(x.astype(np.float32), mesh.faces))
        return out

    def _along(self, arc: str, x: Float64, q: Float64, R: Float64, p: Float64) -> Float64:
        """A vertebra laid along its part of the spine, which bends by a share of the angles up to where it stands."""
        s = self.skeleton
        first, second, low, high, _ = ARCS[arc]
        a, b = s.body_index(first), s.body_index(second)
        parent = int(s.parents[a])
        line = self.landmarks[high] - self.landmarks[low]
        middle = x.mean(0)
        share = float(np.clip((middle - self.landmarks[low]) @ line / (line @ line), 0.0, 1.0))
        turn, place = s.joint_rotations(share * q), share * (s.joint_places(share * q) - s.offsets)
        R_0, p_0 = s.bind[parent, :3, :3], s.bind[parent, :3, 3]
        local, centre = (x - p_0) @ R_0, (middle - p_0) @ R_0
        local = (local - centre) @ (turn[a] @ turn[b]).T + centre + place[a] + turn[a] @ place[b]
        return local @ R[parent].T + p[parent]


def camera(view: str, centre: Float64, half: float, size: int) -> Camera:
    """A camera far away, nearly parallel; ``half`` metres reach from the middle to the edge."""
    z = -np.array(VIEWS[view][0])
    z /= np.linalg.norm(z)
    up = np.array([0.0, 1.0, 0.0]) if abs(z[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
    y = -(up - up @ z * z)
    y /= np.linalg.norm(y)
    R = np.stack([np.cross(y, z), y, z])
    f = size / 2 / half * 30.0
    K = np.array([[f, 0, size / 2], [0, f, size / 2], [0, 0, 1]])
    return Camera(K, (size, size), R, -R @ (centre - 30.0 * z))


def shaded(mesh: Mesh, colours: Float64, cam: Camera) -> tuple[Float64, Float64, Float64]:
    """Picture (H, W, 3) on white, depth (H, W) and how far the surface turns away (H, W); colours (V, 3)."""
    x = np.ascontiguousarray(mesh.vertices @ cam.R_cam_world.T + cam.t_cam_world, np.float32)
    raster = rasterize(x, mesh.faces, cam, cull=True)
    normals = interpolate(raster, mesh.faces, vertex_normals(x, mesh.faces)).astype(float)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9
    light = 0.35 + 0.65 * np.clip(normals @ np.array([-0.4, -0.5, -0.77]), 0, 1)
    seen = np.isfinite(raster.depth)
    colour = interpolate(raster, mesh.faces, colours.astype(np.float32)).astype(float)
    return np.where(seen[..., None], light[..., None] * colour, 255.0), raster.depth, 1 - np.abs(normals[..., 2]) * seen


def joined(meshes: Sequence[Mesh]) -> Mesh:
    first = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + o for m, o in zip(meshes, first, strict=True)])
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.ascontiguousarray(faces, np.int32))


def drawn(person: Person, q: Float64, cam: Camera, moving: set[int], hidden: set[int]) -> Image.Image:
    """Bones, those of moving segments blue, in a translucent skin."""
    bones = [(b, mesh) for b, mesh in person.posed_bones(q).values() if b not in hidden]
    colours = np.concatenate([np.tile(MOVING if b in moving else BONE, (len(m.vertices), 1)) for b, m in bones])
    picture, _, _ = shaded(joined([m for _, m in bones]), colours, cam)
    skin = person.body.pose(person.rest, q, outputs=("vertices",)).vertices
    keep = ~np.isin(person.skin_owner, list(hidden))[person.body.faces].any(1)
    faces = np.ascontiguousarray(person.body.faces[keep])
    outside, depth, away = shaded(Mesh(skin, faces), np.tile(SKIN, (len(skin), 1)), cam)
    opacity = np.where(np.isfinite(depth), SKIN_OPACITY * (0.75 + 0.9 * away**2), 0.0)[..., None]
    return Image.fromarray((picture * (1 - opacity) + outside * opacity).astype(np.uint8))


def arrow(
    draw: ImageDraw.ImageDraw, points: Float64, width: int, head: float, colour: tuple[int, int, int] = RED
) -> None:
    """A line through points (N, 2) in pixels with an arrow's head at its end."""
    draw.line([tuple(x) for x in points], colour, width, joint="curve")
    tip = points[-1]
    back = next((x for x in points[::-1] if np.linalg.norm(tip - x) > 0.8 * head), points[0])
    along = (tip - back) / (np.linalg.norm(tip - back) + 1e-9)
    across = np.array([-along[1], along[0]])
    tip = tip + 0.5 * head * along
    draw.polygon([tuple(tip), *(tuple(tip - head * along + k * 0.55 * head * across) for k in (1, -1))], colour)


def draw_sense(picture: Image.Image, person: Person, q: Float64, row: Row, cam: Camera, hidden: set[int]) -> None:
    """The axis of a coordinate through its joint and an arrow round it (or along it) in the positive sense."""
    draw = ImageDraw.Draw(picture)
    axis, centre, body = person.turn_of(row.coordinate, q)
    unit, head, width = row.half, 9.0 * SAMPLES, 2 * SAMPLES

    def seen(points: Float64) -> Float64:
        x = points @ cam.R_cam_world.T + cam.t_cam_world
        return (x @ cam.K.T)[:, :2] / x[:, 2:]

    if row.coordinate in PLACE:
        arrow(draw, seen(centre + np.linspace(0.0, 0.5, 20)[:, None] * unit * axis), width, head)
        return
    moving = person.below([person.skeleton.bodies[body]]) - hidden
    start = start_of_arrow(person, q, moving or person.below([person.skeleton.bodies[body]]), axis, centre)
    start *= np.clip(1.5 * np.linalg.norm(start), 0.25 * unit, 0.42 * unit) / np.linalg.norm(start)
    angles = np.linspace(np.radians(-5), np.radians(75), 40)
    arrow(draw, seen(np.array([centre + exp(axis * v) @ start for v in angles])), width, head)
    facing = float(axis @ cam.R_cam_world[2])
    if abs(facing) < 0.93:
        ends = seen(centre + np.array([-0.5, 0.5])[:, None] * unit * axis)
        arrow(draw, np.linspace(ends[0], ends[1], 20), SAMPLES, 0.7 * head)
    x, y = seen(centre[None])[0]
    r = 5 * SAMPLES
    draw.ellipse((x - r, y - r, x + r, y + r), outline=RED, width=SAMPLES)
    if facing < -0.93:  # the axis points to the camera: a dot; away from it: a cross
        draw.ellipse((x - r / 2.5, y - r / 2.5, x + r / 2.5, y + r / 2.5), RED)
    elif facing > 0.93:
        k = r / np.sqrt(2)
        draw.line((x - k, y - k, x + k, y + k), RED, SAMPLES)
        draw.line((x - k, y + k, x + k, y - k), RED, SAMPLES)


def draw_ground(picture: Image.Image, cam: Camera) -> None:
    """The ground's axes at its origin: X ahead, Y up, Z to the right."""
    draw = ImageDraw.Draw(picture)
    axes = R_GROUND_WORLD.T
    for k, name in enumerate("XYZ"):
        x = np.stack([0 * axes[:, k], 0.35 * axes[:, k]]) @ cam.R_cam_world.T + cam.t_cam_world
        ends = (x @ cam.K.T)[:, :2] / x[:, 2:]
        if np.linalg.norm(ends[1] - ends[0]) > 10:
            arrow(draw, np.linspace(ends[0], ends[1], 20), SAMPLES, 6.0 * SAMPLES, GREEN)
            draw.text(tuple(ends[1] + 8), name, GREEN, font(12 * SAMPLES))


def start_of_arrow(person: Person, q: Float64, moving: set[int], axis: Float64, centre: Float64) -> Float64:
    """From the axis, across it, to the middle of what moves, metres; forward where that lies along the axis."""
    middle = np.concatenate([m.vertices for b, m in person.posed_bones(q).values() if b in moving]).mean(0) - centre
    across = middle - middle @ axis * axis
    if np.linalg.norm(across) < 0.3 * np.linalg.norm(middle):
        forward = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
        across = forward - forward @ axis * axis
    return across


def font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def panels(person: Person, row: Row) -> Image.Image:
    """Three panels of one coordinate: its negative end, the middle, its positive end."""
    s, name = person.skeleton, row.coordinate
    low, high = row.ends or np.degrees(s.ranges[s.index(name)]).round().tolist()
    middle = person.q({**row.base, name: row.middle})
    R, p = s.forward(middle)
    centre = np.zeros(3) if row.focus == "ground" else s.points(R, p, (row.focus,))[0]
    cam = camera(row.view, centre + np.array(row.offset), row.half, CELL * SAMPLES)
    moving = person.below([s.bodies[person.turn_of(name, middle)[2]]])
    hidden = person.below(row.hidden)
    if row.only:
        hidden |= set(range(len(s.bodies))) - person.below(row.only)
    out = Image.new("RGB", (3 * CELL, CELL + TITLE), "white")
    draw = ImageDraw.Draw(out)
    unit = " m" if name in PLACE else "°"
    words = (row.words[0], row.words[2] if len(row.words) > 2 else "", row.words[1])
    for k, (value, word) in enumerate(zip((low, row.middle, high), words, strict=True)):
        q = person.q({**row.base, name: value})
        picture = drawn(person, q, cam, moving, hidden)
        if name in PLACE:
            draw_ground(picture, cam)
        if k == 1:
            draw_sense(picture, person, q, row, cam, hidden)
        out.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), (k * CELL, TITLE))
        draw.text((k * CELL + 6, 3), f"{name} = {value:+g}{unit}" if value else f"{name} = 0", INK, font(14))
        draw.text((k * CELL + 6, TITLE - 18), word, RED, font(13))
        draw.text((k * CELL + 6, TITLE + CELL - 16), VIEWS[row.view][1], GREY, font(11))
    return ruled(out)


def zero_pose(person: Person) -> Image.Image:
    """The body with all coordinates at zero, from three sides, with the ground's axes."""
    q = person.q({"pelvis_ty": 1.0})
    out = Image.new("RGB", (3 * CELL, CELL + TITLE), "white")
    draw = ImageDraw.Draw(out)
    for k, view in enumerate(("front", "right", "back")):
        cam = camera(view, np.array([0.0, 0.87, 0.0]), 1.0, CELL * SAMPLES)
        picture = drawn(person, q, cam, set(), set())
        draw_ground(picture, cam)
        out.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), (k * CELL, TITLE))
        draw.text((k * CELL + 6, 3), "all coordinates = 0", INK, font(14))
        draw.text((k * CELL + 6, TITLE + CELL - 16), VIEWS[view][1], GREY, font(11))
    return ruled(out)


def ruled(panels: Image.Image) -> Image.Image:
    """Lines between three panels and above them."""
    draw = ImageDraw.Draw(panels)
    for k in (1, 2):
        draw.line((k * CELL, 0, k * CELL, panels.height), (200, 200, 200))
    draw.line((0, 0, panels.width, 0), (200, 200, 200))
    return panels


ARMS, LEGS, LEFT_LEG, LEFT_ARM = ("humerus_r", "humerus_l"), ("femur_r", "femur_l"), ("femur_l",), ("humerus_l",)
STANDING, THUMB_AWAY = {"pelvis_ty": 1.0}, {"thumb_cmc_flex_r": -50}
THUMB_OUT = {"thumb_cmc_flex_r": -50, "thumb_cmc_abd_r": 30}
SIDES = ("to the left", "to the right")
TURNS = ("to the right", "to the left")
BENDS = ("forward", "backward")


GROUPS: Mapping[str, tuple[Row, ...]] = {
    "pelvis": (
        Row("pelvis_tilt", ("forward (anterior) tilt", "backward (posterior) tilt"), "right", "pelvis",
            1.0, (0, -0.1, 0), ARMS, ends=(-30, 30)),
        Row("pelvis_list", ("left side down", "right side down"), "front", "pelvis",
            1.0, (0, -0.1, 0), ARMS, ends=(-20, 20)),
        Row("pelvis_rotation", TURNS, "top", "pelvis", 0.4, (0, 0, 0.0), ARMS, ends=(-40, 40)),
    ),
    "pelvis_place": (
        Row("pelvis_tx", ("behind the origin", "ahead of it"), "right", "ground",
            1.15, (0, 0.85, 0), ARMS, base=STANDING, ends=(-0.5, 0.5)),
        Row("pelvis_ty", ("pelvis at the floor's height", "lifted", "standing"), "right", "ground",
            1.15, (0, 0.85, 0), ARMS, ends=(0.0, 1.2), middle=1.0),
        Row("pelvis_tz", ("left of the origin", "right of it"), "front", "ground",
            1.15, (0, 0.85, 0), ARMS, base=STANDING, ends=(-0.5, 0.5)),
    ),
    "hip": (
        Row("hip_flexion_r", ("extension", "flexion"), "right", "hip_r",
            0.68, (0, -0.08, 0.06), (*ARMS, *LEFT_LEG), base={"knee_angle_r": 10}),
        Row("hip_adduction_r", ("abduction", "adduction"), "front", "hip_r", 0.68, (0, -0.25, 0), (*ARMS, *LEFT_LEG)),
        Row("hip_rotation_r", ("external rotation", "internal rotation"), "front_high", "hip_r",
            0.5, (0, -0.3, 0), (*ARMS, *LEFT_LEG), base={"knee_angle_r": 90}),
    ),
    "knee": (
        Row("knee_angle_r", ("hyperextension", "flexion"), "right", "knee_r",
            0.42, (0, -0.02, -0.05), (*ARMS, *LEFT_LEG)),
        Row("knee_angle_r", ("", "it rolls and glides", ""), "right", "knee_r",
            0.13, (0, -0.01, 0), (*ARMS, *LEFT_LEG), ends=(0, 120), middle=60.0),
        Row("knee_angle_r", ("", "the shank turns inwards and leans in", ""), "front", "knee_r",
            0.42, (0, -0.02, 0), (*ARMS, *LEFT_LEG), ends=(0, 90), middle=45.0),
    ),
    "ankle": (
        Row("ankle_angle_r", ("plantarflexion", "dorsiflexion"), "right", "ankle_r", 0.23, (0, 0.0, 0.06), LEFT_LEG),
        Row("subtalar_angle_r", ("eversion", "inversion"), "front", "ankle_r", 0.2, (0, 0.02, 0), LEFT_LEG),
        Row("mtp_angle_r", ("toes up (extension)", "toes down (flexion)"), "right", "mtp_r",
            0.16, (0, 0.03, -0.05), LEFT_LEG),
    ),
    "lumbar": (
        Row("lumbar_seg_extension", BENDS, "right", "t12_l1", 0.5, (0, 0.1, 0.05), (*ARMS, *LEGS)),
        Row("lumbar_seg_bending", SIDES, "front", "t12_l1", 0.5, (0, 0.1, 0), (*ARMS, *LEGS)),
        Row("lumbar_seg_rotation", TURNS, "front_top", "t12_l1", 0.42, (0, 0.1, 0), (*ARMS, *LEGS)),
    ),
    "thorax": (
        Row("thorax_extension", BENDS, "right", "t8_body", 0.5, (0, 0.0, 0.05), (*ARMS, *LEGS)),
        Row("thorax_bending", SIDES, "front", "t8_body", 0.5, (0, 0.0, 0), (*ARMS, *LEGS)),
        Row("thorax_rotation", TURNS, "front_top", "t8_body", 0.42, (0, 0.0, 0), (*ARMS, *LEGS)),
    ),
    "neck": (
        Row("neck_extension", BENDS, "right", "head", 0.27, (0, 0.0, 0.03), ARMS),
        Row("neck_bending", SIDES, "front", "head", 0.27, (0, 0.0, 0), ARMS),
        Row("neck_rotation", TURNS, "front_top", "head", 0.27, (0, 0.0, 0), ARMS),
    ),
    "clavicle": (
        Row("clav_protraction_r", ("retraction", "protraction"), "top", "clavicle_r",
            0.24, (-0.06, 0, -0.05), (*ARMS, *LEGS, "head")),
        Row("clav_elevation_r", ("depression", "elevation"), "front", "clavicle_r",
            0.27, (-0.08, -0.02, 0), LEFT_ARM),
    ),
    "scapula": (
        Row("scap_protraction_r", ("socket turns backward", "socket turns forward"), "top", "acromioclavicular_r",
            0.22, (0.06, 0, -0.02), (*ARMS, *LEGS, "head")),
        Row("scap_upward_r", ("downward rotation", "upward rotation"), "back", "acromioclavicular_r",
            0.24, (0.04, -0.07, 0), LEFT_ARM),
        Row("scap_tilt_r", ("lower angle back (anterior tilt)", "lower angle forward (posterior tilt)"), "right",
            "acromioclavicular_r", 0.24, (0, -0.07, 0), ARMS),
    ),
    "shoulder": (
        Row("gh_flex_r", ("backward", "forward"), "right", "shoulder_r",
            0.62, (0, -0.08, 0.05), LEFT_ARM, ends=(-50, 120)),
        Row("gh_add_r", ("abduction", "adduction"), "front", "shoulder_r",
            0.66, (0, -0.08, 0), LEFT_ARM, ends=(-120, 30)),
        Row("gh_rot_r", ("external rotation", "internal rotation"), "front_high", "elbow_r",
            0.42, (0, 0.1, 0), LEFT_ARM, base={"elbow_flex_r": 90}, ends=(-80, 80)),
    ),
    "elbow": (
        Row("elbow_flex_r", ("hyperextension", "flexion"), "right", "elbow_r", 0.4, (0, 0, 0.05), LEFT_ARM),
        Row("pro_sup_r", ("beyond full supination", "pronation"), "front_high", "elbow_r",
            0.23, (0, -0.16, 0), only=("humerus_r",)),
    ),
    "wrist": (
        Row("wrist_flex_r", ("extension: back of the hand", "flexion: palm"), "right", "wrist_r",
            0.2, (0, -0.04, 0), only=("humerus_r",)),
        Row("wrist_dev_r", ("radial deviation", "ulnar deviation"), "front", "wrist_r",
            0.2, (0, -0.04, 0), only=("humerus_r",)),
    ),
    "thumb": (
        Row("thumb_cmc_flex_r", ("away from the fingers", "across the palm"), "front", "middle_mcp_r",
            0.13, (0, 0.01, 0), only=("ulna_r",)),
        Row("thumb_cmc_abd_r", ("behind the palm", "ahead of the palm"), "right", "middle_mcp_r",
            0.13, (0, 0.01, 0), only=("ulna_r",)),
        Row("thumb_mcp_flex_r", ("extension", "flexion"), "front", "thumb_mcp_r",
            0.12, (0.03, 0, 0), only=("ulna_r",), base=THUMB_OUT),
        Row("thumb_ip_flex_r", ("extension", "flexion"), "front", "thumb_mcp_r",
            0.12, (0.03, 0, 0), only=("ulna_r",), base=THUMB_OUT),
    ),
    "fingers": (
        Row("index_mcp_flex_r", ("extension", "flexion"), "right", "index_mcp_r",
            0.13, (0, -0.03, 0.02), only=("ulna_r",), base=THUMB_AWAY),
        Row("index_mcp_abd_r", ("towards the middle finger", "away from it"), "front", "index_mcp_r",
            0.13, (0, -0.03, 0), only=("ulna_r",)),
        Row("index_pip_flex_r", ("extension", "flexion"), "right", "index_mcp_r",
            0.13, (0, -0.03, 0.02), only=("ulna_r",), base=THUMB_AWAY),
        Row("index_dip_flex_r", ("extension", "flexion"), "right", "index_mcp_r",
            0.13, (0, -0.03, 0.02), only=("ulna_r",), base=THUMB_AWAY),
        Row("middle_mcp_abd_r", ("towards the little finger", "towards the thumb"), "front", "middle_mcp_r",
            0.13, (0, -0.03, 0), only=("ulna_r",)),
        Row("little_mcp_abd_r", ("towards the middle finger", "away from it"), "front", "little_mcp_r",
            0.13, (0, -0.03, 0), only=("ulna_r",)),
    ),
    "lumbar_derived": (
        Row("lumbar_extension", BENDS, "right", "t12_l1", 0.62, (0, 0.1, 0.05), (*ARMS, *LEGS), ends=(-80, 35)),
        Row("lumbar_bending", SIDES, "front", "t12_l1", 0.55, (0, 0.1, 0), (*ARMS, *LEGS), ends=(-40, 40)),
        Row("lumbar_rotation", TURNS, "front_top", "t12_l1", 0.42, (0, 0.1, 0), (*ARMS, *LEGS), ends=(-45, 45)),
    ),
    "arm_derived": (
        Row("arm_flex_r", ("backward", "forward"), "right", "shoulder_r",
            0.68, (0, 0.0, 0.05), LEFT_ARM, ends=(-50, 160)),
        Row("arm_add_r", ("abduction", "adduction"), "front", "shoulder_r",
            0.68, (0, 0.0, 0), LEFT_ARM, ends=(-150, 30)),
        Row("arm_rot_r", ("external rotation", "internal rotation"), "front_high", "elbow_r",
            0.42, (0, 0.1, 0), LEFT_ARM, base={"elbow_flex_r": 90}, ends=(-80, 80)),
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=["zero", *GROUPS], help="draw these groups")
    parser.add_argument("--out", type=Path, default=GALLERY)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    person = Person()
    for name in options.only or ("zero", *GROUPS):
        rows = [zero_pose(person)] if name == "zero" else [panels(person, row) for row in GROUPS[name]]
        sheet = Image.new("RGB", (rows[0].width, sum(r.height for r in rows)), "white")
        top = 0
        for r in rows:
            sheet.paste(r, (0, top))
            top += r.height
        path = options.out / f"{name}.png"
        sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(path, f"{path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
