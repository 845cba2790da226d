"""A scene as viser nodes: made once, then moved from frame to frame. Serves the live viewer and the HTML file."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.geometry.rotations import matrix_from_quaternion, quaternion_from_matrix
from marrow.render.overlay import BONE, BONE_HIGH, BONE_LOW, BONE_PART
from marrow.types import Camera, Float32, Float64
from marrow.view.scene import Scene, ViewPerson, four_strongest, middle_and_size

HOST = "127.0.0.1"
SKIN_OPACITY = 0.4
GHOST = 0.4  # share of the others' opacity
FIELD_OF_VIEW = float(np.radians(40))


def quiet_server(port: int, label: str) -> Any:
    """A viser server on 127.0.0.1 (its own default would listen to the whole network) that prints no banner."""
    import viser

    with contextlib.redirect_stdout(io.StringIO()):
        return viser.ViserServer(host=HOST, port=port, label=label, verbose=False)


def stop_quietly(server: Any) -> None:
    """Stop a server without its farewell."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


@dataclass
class _Nodes:
    """Viser handles of one person."""

    person: ViewPerson
    pairs: NDArray[np.int64]
    bones: Any = None
    skinned: Any = None
    mesh: Any = None


class Drawing:
    """The nodes of a scene on a viser server."""

    def __init__(self, scene: Scene, server: Any) -> None:
        self.scene = scene
        self._server = server
        self._nodes: list[_Nodes] = []
        self.show_skin = True
        self.show_bones = True
        self.opacity = SKIN_OPACITY
        self.shown = [True] * len(scene.people)
        self.frame = 0
        self.waits_for_picture = False
        self._prepare_stage()
        for number, person in enumerate(scene.people):
            self._nodes.append(self._add_person(f"/person_{number + 1}", person))
        self.show_frame(0)

    def show_frame(self, frame: int) -> None:
        """Move everything to a frame; what is hidden is not sent."""
        self.frame = frame
        with self._server.atomic():
            for number, nodes in enumerate(self._nodes):
                present = self.shown[number] and nodes.person.present(frame)
                self._show_bones(nodes, frame, present and self.show_bones)
                self._show_skin(number, nodes, frame, present and self.show_skin and self.opacity > 0)
            self.show_picture()

    def show_picture(self) -> None:
        """Put the video's picture of this frame into the camera, where there is one and it is read already."""
        if self.frustum is None or self.scene.pictures is None:
            return
        picture = self.scene.pictures(self.frame)
        self.waits_for_picture = picture is None
        if picture is not None:
            self.frustum.image = picture

    def set_opacity(self, opacity: float) -> None:
        """Opacity of all skins, 0 to 1."""
        self.opacity = opacity
        for nodes in self._nodes:
            for handle in (nodes.skinned, nodes.mesh):
                if handle is not None:
                    handle.opacity = self._opacity_of(nodes.person)
        self.show_frame(self.frame)

    def _opacity_of(self, person: ViewPerson) -> float | None:
        opacity = self.opacity * (GHOST if person.ghost else 1.0)
        return None if opacity >= 1 else opacity

    def _prepare_stage(self) -> None:
        api, scene = self._server.scene, self.scene
        api.set_up_direction("+y")
        centre, radius = middle_and_size(scene)
        self.floor = None
        if scene.floor is not None:
            self.floor = api.add_grid(
                "/floor",
                width=20.0,
                height=20.0,
                plane="xz",
                cell_size=0.5,
                section_size=1.0,
                cell_color=(215, 218, 224),
                section_color=(180, 186, 196),
                plane_color=(244, 245, 248),
                plane_opacity=0.3,
                position=(round(centre[0]), scene.floor, round(centre[2])),
            )
        self.frustum = None
        if scene.camera is not None and scene.camera.lens == "perspective":  # a frustum is nothing else
            self.frustum = _add_frustum(api, scene.camera)
        view = self._server.initial_camera
        view.position = tuple(_viewpoint(scene.camera, centre, radius))
        view.look_at = tuple(centre)
        view.fov = FIELD_OF_VIEW

    def _add_person(self, name: str, person: ViewPerson) -> _Nodes:
        api = self._server.scene
        pairs, lengths = _bones_with_length(person)
        nodes = _Nodes(person, pairs)
        if len(pairs):
            nodes.bones = _add_bones(api, name, person, pairs, lengths)
        if person.skin is not None:
            skin = person.skin
            nodes.skinned = api.add_mesh_skinned(
                f"{name}/skin",
                skin.vertices,
                person.faces,
                bone_wxyzs=_wxyz(skin.bind[:, :3, :3]),
                bone_positions=skin.bind[:, :3, 3],
                skin_weights=four_strongest(skin.weights),
                color=person.colour,
                opacity=self._opacity_of(person),
                receive_shadow=False,
            )
        return nodes

    def _show_bones(self, nodes: _Nodes, frame: int, visible: bool) -> None:
        if nodes.bones is None:
            return
        nodes.bones.visible = visible
        if visible:
            _move_segments(nodes.bones, *_bone_poses(nodes.person.joints[frame], nodes.pairs))

    def _show_skin(self, number: int, nodes: _Nodes, frame: int, visible: bool) -> None:
        person = nodes.person
        if nodes.skinned is not None:
            nodes.skinned.visible = visible
            nodes.skinned.color = person.colour_at(frame)
            if visible and person.skin is not None:
                _move_segments(nodes.skinned, _wxyz(person.skin.R[frame]), person.skin.p[frame])
            return
        if person.vertices is None:
            return
        if visible:
            vertices = person.vertices_at(frame)
            if nodes.mesh is None:
                nodes.mesh = self._server.scene.add_mesh_simple(
                    f"/person_{number + 1}/skin",
                    vertices,
                    person.faces,
                    color=person.colour_at(frame),
                    receive_shadow=False,
                    opacity=self._opacity_of(person),
                )
            else:
                nodes.mesh.vertices = vertices
                nodes.mesh.color = person.colour_at(frame)
        if nodes.mesh is not None:
            nodes.mesh.visible = visible


def _add_bones(api: Any, name: str, person: ViewPerson, pairs: NDArray[np.int64], lengths: Float64) -> Any:
    """All bones of a person as one mesh with a rigid part for each bone.

    Not batched meshes: a slow browser redraws those later than the skin, and the bones trail behind it.
    """
    wxyz, start = _bone_poses(person.joints[_first_present(person)], pairs)
    radii = np.clip(BONE_PART * lengths, BONE_LOW, BONE_HIGH)
    vertices, faces = bone_mesh()
    scale = np.stack([radii, lengths, radii], -1)
    R = matrix_from_quaternion(np.roll(wxyz, -1, axis=-1))
    placed = np.einsum("nij,nvj->nvi", R, vertices * scale[:, None]) + start[:, None]
    all_faces = faces + len(vertices) * np.arange(len(pairs), dtype=np.uint32)[:, None, None]
    return api.add_mesh_skinned(
        f"{name}/bones",
        placed.reshape(-1, 3).astype(np.float32),
        all_faces.reshape(-1, 3),
        bone_wxyzs=wxyz,
        bone_positions=start,
        skin_weights=np.repeat(np.eye(len(pairs), dtype=np.float32), len(vertices), axis=0),
        color=BONE,
        cast_shadow=False,
        receive_shadow=False,
    )


def _move_segments(handle: Any, wxyz: Float64 | Float32, positions: Float64 | Float32) -> None:
    for bone, quaternion, origin in zip(handle.bones, wxyz, positions, strict=True):
        bone.wxyz = quaternion
        bone.position = origin


def _add_frustum(api: Any, camera: Camera) -> Any:
    width, height = camera.size
    return api.add_camera_frustum(
        "/camera",
        fov=float(2 * np.arctan(height / 2 / camera.K[1, 1])),
        aspect=width / height,
        scale=0.25,
        color=(70, 74, 82),
        format="jpeg",
        wxyz=_wxyz(camera.R_cam_world.T),
        position=-camera.R_cam_world.T @ camera.t_cam_world,
    )


def _viewpoint(camera: Camera | None, centre: Float64, radius: float) -> Float64:
    """Where to look from at first: the filming camera's side, a little round the corner and from above."""
    ahead = np.array([0.0, 0.0, 1.0])
    if camera is not None:
        ahead = -camera.R_cam_world.T @ camera.t_cam_world - centre
        ahead[1] = 0
        ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
    aside = np.array([ahead[2], 0.0, -ahead[0]])
    direction = ahead + 0.55 * aside + np.array([0, 0.3, 0])
    return centre + direction / np.linalg.norm(direction) * max(1.9 * radius, 3.0)


def _bones_with_length(person: ViewPerson) -> tuple[NDArray[np.int64], Float64]:
    """Pairs (N, 2) that are longer than nothing, and their lengths (N,) in the first frame of the person."""
    joints = person.joints[_first_present(person)]
    pairs = np.array(person.bones, np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(joints[pairs[:, 0]] - joints[pairs[:, 1]], axis=-1)
    keep = lengths > 1e-4
    return pairs[keep], lengths[keep]


def _first_present(person: ViewPerson) -> int:
    present = np.isfinite(person.joints).all((1, 2))
    return int(np.argmax(present))


def _bone_poses(joints: Float64 | Float32, pairs: NDArray[np.int64]) -> tuple[Float32, Float32]:
    """Rotations wxyz (N, 4) that turn +Y along each bone, and the bones' first ends (N, 3)."""
    start, end = joints[pairs[:, 0]], joints[pairs[:, 1]]
    d = end - start
    d = d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-12)
    zero = np.zeros(len(d))
    wxyz = np.stack([1 + d[:, 1], d[:, 2], zero, -d[:, 0]], -1)
    wxyz[d[:, 1] < -1 + 1e-14] = (0, 1, 0, 0)
    wxyz /= np.linalg.norm(wxyz, axis=-1, keepdims=True)
    return wxyz.astype(np.float32), start.astype(np.float32)


def bone_mesh(around: int = 10) -> tuple[Float32, NDArray[np.uint32]]:
    """A bone of length one along +Y from the origin, radius one at its ends and narrow in its middle."""
    along = np.array([0.0, 0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0, 1.0])
    radius = np.array([0.0, 0.8, 1.0, 0.75, 0.62, 0.75, 1.0, 0.8, 0.0])
    angle = np.linspace(0, 2 * np.pi, around, endpoint=False)
    rings = np.stack(np.broadcast_arrays(radius[:, None] * np.sin(angle), along[:, None],
                                         radius[:, None] * np.cos(angle)), -1)  # fmt: skip
    ring, step = np.meshgrid(np.arange(len(along) - 1), np.arange(around), indexing="ij")
    a, b = ring * around + step, ring * around + (step + 1) % around
    c, d = a + around, b + around
    faces = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    return rings.reshape(-1, 3).astype(np.float32), faces.astype(np.uint32)


def _wxyz(R: Float64 | Float32) -> Float64:
    """Rotation matrices (..., 3, 3) as viser's quaternions (..., 4), real part first."""
    return np.roll(quaternion_from_matrix(R), 1, axis=-1)
