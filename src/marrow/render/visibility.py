"""What can be seen of points and people, and the maps that guide other programs: depth, normals, UV, parts.

Everything is read off a :class:`~marrow.render.mesh.Raster` that was drawn of the whole scene; depths are those of the
raster (along the axis; for a fisheye from the camera).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.geometry.projection import project_camera, to_camera
from marrow.render.mesh import Raster, rasterize, vertex_normals
from marrow.render.surfaces import Merged
from marrow.types import Camera, Float32, Float64


def visible(points_cam: ArrayLike, raster: Raster, camera: Camera, tolerance: float = 0.01) -> NDArray[np.bool_]:
    """(N,) True for points on surfaces, such as vertices, that nothing drawn hides.

    A point is seen if at least half of the four pixels around it, weighted bilinearly, show nothing more than
    ``tolerance`` before it. Points out of the raster's window are not.

    Args:
        points_cam: (N, 3) metres in the camera's axes.
        tolerance: metres.
    """
    nobody = np.full(raster.ids.shape, -1, np.int32)
    return _seen_share(points_cam, raster, camera, nobody, -1, tolerance, tolerance) >= 0.5


def joints_visible(
    points_cam: ArrayLike,
    person: int,
    raster: Raster,
    owner: NDArray[np.int32],
    camera: Camera,
    *,
    inside: ArrayLike = 0.15,
    tolerance: float = 0.01,
) -> NDArray[np.bool_]:
    """(N,) True for points inside a body (joints) that only the flesh around them is before.

    Args:
        points_cam: (N, 3) metres in the camera's axes.
        person: whose points they are, 0 or more.
        owner: (H, W) who is seen in each pixel of the raster; see :func:`face_map`.
        inside: so far behind the person's own surface a point still counts as seen, metres, for all or each (N,): more
            than the flesh and cloth around it, less than the way from the far side of the body.
        tolerance: the same behind other surfaces.

    Raises:
        InputError: an owner map of another size than the raster.
    """
    if person < 0:
        raise InputError(f"joints_visible: a person's number is 0 or more, got {person}")
    return _seen_share(points_cam, raster, camera, owner, person, inside, tolerance) >= 0.5


def _seen_share(
    points_cam: ArrayLike,
    raster: Raster,
    camera: Camera,
    owner: NDArray[np.int32],
    person: int,
    inside: ArrayLike,
    tolerance: float,
) -> Float64:
    from marrow.render import _fast_visibility

    points = np.asarray(points_cam, float)
    if points.ndim != 2 or points.shape[1] != 3 or owner.shape != raster.ids.shape:
        raise InputError(
            f"visibility: expected points (N, 3) and an owner map {raster.ids.shape}, got {points.shape}, {owner.shape}"
        )
    xy = project_camera(camera, points)
    depth = np.linalg.norm(points, axis=-1) if camera.lens == "fisheye" else points[:, 2]
    out = np.empty(len(points))
    owner = np.ascontiguousarray(owner, np.int32)
    _fast_visibility.seen_share(
        np.ascontiguousarray(xy), np.ascontiguousarray(depth), raster.depth, owner, person,
        np.array(np.broadcast_to(inside, len(points)), float), tolerance, *raster.origin, out,
    )  # fmt: skip
    return out


def seen_share_reference(
    points_cam: ArrayLike,
    raster: Raster,
    camera: Camera,
    owner: NDArray[np.int32],
    person: int,
    inside: ArrayLike,
    tolerance: float,
) -> Float64:
    """Bilinear share of the pixels around points (N, 3) that do not hide them, -1 out of the window; plain numpy."""
    points = np.asarray(points_cam, float)
    xy = project_camera(camera, points) - raster.origin
    depth = np.linalg.norm(points, axis=-1) if camera.lens == "fisheye" else points[:, 2]
    height, width = raster.ids.shape
    shown = np.all((xy >= -0.5) & (xy <= np.array([width, height]) - 0.5), axis=-1)
    xy = np.where(shown[:, None], xy, 0.0)
    corner = np.floor(xy)[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    weight = (1 - np.abs(xy[:, None] - corner)).prod(-1)
    x, y = np.clip(corner, 0, [width - 1, height - 1]).astype(int).transpose(2, 0, 1)
    own = (owner[y, x] == person) & (person >= 0)
    allowed = np.where(own, np.broadcast_to(inside, len(points))[:, None], tolerance)
    free = depth[:, None] <= raster.depth[y, x] + allowed
    return np.where(shown, (weight * free).sum(-1), -1.0)


def face_map(raster: Raster, values: ArrayLike, background: float = -1) -> NDArray:
    """(H, W) or (H, W, C) values of the faces (F,) or (F, C) that the pixels see: owners, labels, surfaces."""
    table = np.asarray(values)
    if raster.ids.max(initial=-1) >= len(table):
        raise InputError(f"face_map: the raster shows more faces than there are values ({len(table)})")
    out = np.full(raster.ids.shape + table.shape[1:], background, table.dtype)
    seen = raster.ids >= 0
    out[seen] = table[raster.ids[seen]]
    return out


def owner_map(raster: Raster, mesh: Merged) -> NDArray[np.int32]:
    """(H, W) int32 the person that each pixel sees, -1 scenery and background."""
    return face_map(raster, mesh.owner[mesh.surface])


def label_map(raster: Raster, mesh: Merged) -> NDArray[np.int32]:
    """(H, W) int32 the label of the surface that each pixel sees, -1 background."""
    return face_map(raster, mesh.label[mesh.surface])


def amodal_mask(mesh: Merged, owner: int, camera: Camera) -> NDArray[np.bool_]:
    """(H, W) True wherever a person's surfaces would be seen if nothing stood before them."""
    own = (mesh.owner == owner)[mesh.surface]
    vertices_cam = to_camera(camera, mesh.vertices).astype(np.float32)
    return rasterize(vertices_cam, mesh.faces[own], camera).ids >= 0


@dataclass(frozen=True, eq=False)
class Guidance:
    """Maps of one mesh.

    Attributes:
        raster: ids and barycentrics; its ``depth`` (H, W) is the depth map, infinite in the background.
        normal: (H, W, 3) float32 unit normals; 0 in the background.
        uv: (H, W, 2) float32; 0 in the background and where none was given.
        part: (H, W) int32; -1 in the background and where none was given.
    """

    raster: Raster
    normal: Float32
    uv: Float32
    part: NDArray[np.int32]

    @property
    def depth(self) -> Float32:
        return self.raster.depth


def guidance(
    vertices_cam: Float32,
    faces: NDArray[np.int32],
    camera: Camera,
    *,
    uv: Float32 | None = None,
    uv_faces: NDArray[np.int32] | None = None,
    part: NDArray[np.int32] | None = None,
    world: bool = False,
    raster: Raster | None = None,
) -> Guidance:
    """Depth, normals, UV and parts of a mesh. Other attributes: :func:`marrow.render.mesh.interpolate`.

    Args:
        vertices_cam: (V, 3) metres in the camera's axes.
        faces: (F, 3) int32.
        uv: (U, 2) texture coordinates of the vertices, or of what ``uv_faces`` (F, 3) names.
        part: (F,) number of each face's part, or (V,) of each vertex's (the nearest corner's is shown); (F,) where both
            are as long.
        world: normals in the world's axes instead of the camera's (x right, y down, z forward).
        raster: of just this mesh, where it has been drawn already.

    Raises:
        InputError: arrays that do not fit together.
    """
    from marrow.render import _fast_visibility

    vertices, drawn = np.ascontiguousarray(vertices_cam, np.float32), np.ascontiguousarray(faces, np.int32)
    raster = rasterize(vertices, drawn, camera) if raster is None else raster
    normals = vertex_normals(vertices, drawn)
    uv_faces = drawn if uv_faces is None else np.ascontiguousarray(uv_faces, np.int32)
    places = np.zeros((len(vertices), 2), np.float32) if uv is None else np.ascontiguousarray(uv, np.float32)
    parts = np.full(len(drawn), -1, np.int32) if part is None else np.ascontiguousarray(part, np.int32)
    if raster.ids.max(initial=-1) >= len(drawn):
        raise InputError(f"guidance: the raster shows more faces than there are ({len(drawn)})")
    if places.ndim != 2 or places.shape[1] != 2 or len(places) <= uv_faces.max(initial=-1):
        raise InputError(f"guidance: expected uv (U, 2) for all that the faces name, got {places.shape}")
    if uv_faces.shape != drawn.shape or parts.shape not in ((len(drawn),), (len(vertices),)):
        raise InputError(f"guidance: uv_faces {uv_faces.shape} or part {parts.shape} do not fit faces {drawn.shape}")
    shape = raster.ids.shape
    out = Guidance(
        raster, np.empty((*shape, 3), np.float32), np.empty((*shape, 2), np.float32), np.empty(shape, np.int32)
    )
    R = camera.R_cam_world.T if world else np.eye(3)
    _fast_visibility.guidance(
        raster.ids, raster.bary, drawn, normals, np.ascontiguousarray(R, np.float32), uv_faces, places, parts,
        len(parts) == len(drawn), out.normal, out.uv, out.part,
    )  # fmt: skip
    return out


def guidance_reference(
    vertices_cam: Float32, faces: NDArray[np.int32], raster: Raster, uv: Float32, part: NDArray[np.int32]
) -> tuple[Float32, Float32, NDArray[np.int32]]:
    """Normals in the camera's axes, UV and parts (V,) of the nearest corner, in plain numpy."""
    seen = raster.ids >= 0
    corners = np.asarray(faces)[raster.ids[seen]]
    weights = np.concatenate([1 - raster.bary[seen].sum(-1, keepdims=True), raster.bary[seen]], -1)
    normal, shown = np.zeros((*seen.shape, 3), np.float32), np.zeros((*seen.shape, 2), np.float32)
    blended = np.einsum("nk,nkc->nc", weights, vertex_normals(vertices_cam, faces)[corners])
    normal[seen] = blended / np.linalg.norm(blended, axis=-1, keepdims=True)
    shown[seen] = np.einsum("nk,nkc->nc", weights, np.asarray(uv)[corners])
    parts = np.full(seen.shape, -1, np.int32)
    parts[seen] = np.take_along_axis(np.asarray(part)[corners], weights.argmax(-1)[:, None], 1)[:, 0]
    return normal, shown, parts
