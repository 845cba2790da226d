"""Pictures with derivatives, in torch: how much of each pixel a mesh covers, and attributes carried to the pixels.

:func:`silhouette` has derivatives by the outline, :func:`interpolate` by where each seen point lies on its face; what
is in front of what has none. Of a coloured body on a background, ``cover * colour + (1 - cover) * background`` has
both.

The outline is softened over one pixel after Laine et al. 2020 (Modular Primitives for High-Performance Differentiable
Rendering, section 3.6), with rules that their formulation leaves open: only edges between a face seen from the front
and one from behind (or of one face only) count; a steep edge moves pixels beside it, a flat one pixels above and below
it; and of several crossings between two pixels only the outermost counts. Both passes are compiled by hand (torch has
no part in them), for one mesh at a time on the CPU.

Limits: parts thinner than a pixel that meet no pixel's centre have neither cover nor derivatives; triangles that reach
behind the near plane are left out of a silhouette; there is no lens distortion.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marrow.errors import InputError
from marrow.geometry.projection import FISHEYE_LIMIT, check_lens, require_perspective
from marrow.render.mesh import NEAR, Raster, rasterize
from marrow.types import Camera


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh.

    Attributes:
        vertices: (E, 2) int32.
        faces: (E, 2) int32 the faces on both sides, -1 where there is none. An edge of more than two faces comes once
            for each beyond the first.
    """

    vertices: NDArray[np.int32]
    faces: NDArray[np.int32]


def edges_of(faces: NDArray[np.int32] | Tensor) -> Edges:
    """The edges of faces (F, 3); remembered for the last few meshes."""
    values = np.ascontiguousarray(faces, np.int32)
    if values.ndim != 2 or values.shape[1] != 3:
        raise InputError(f"faces: expected (F, 3), got {values.shape}")
    return _edges(values.tobytes())


@functools.lru_cache(maxsize=8)
def _edges(content: bytes) -> Edges:
    faces = np.frombuffer(content, np.int32).reshape(-1, 3)
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces), dtype=np.int32), 3)
    order = np.lexsort((owner, pairs[:, 1], pairs[:, 0]))
    pairs, owner = pairs[order], owner[order]
    first = np.ones(len(pairs), bool)
    first[1:] = (pairs[1:] != pairs[:-1]).any(1)
    start = np.flatnonzero(first)
    count = np.diff(np.append(start, len(pairs)))
    lead = owner[np.repeat(start, count)]
    kept = ~first | np.repeat(count == 1, count)
    other = np.where(first, np.int32(-1), owner)
    return Edges(np.ascontiguousarray(pairs[kept]), np.ascontiguousarray(np.stack([lead, other], 1)[kept]))


def project(vertices_cam: Tensor, camera: Camera) -> Tensor:
    """Pixels (..., 2) of points (..., 3) in the camera's axes, for all lenses without distortion.

    Points behind a perspective camera give numbers of no meaning.
    """
    check_lens(camera)
    if np.any(camera.distortion):
        raise InputError("differentiable: there is no lens distortion; undistort the picture first")
    K = torch.as_tensor(camera.K, dtype=vertices_cam.dtype)
    flat = vertices_cam[..., :2]
    if camera.lens == "perspective":
        flat = flat / vertices_cam[..., 2:]
    elif camera.lens == "fisheye":
        across = flat.square().sum(-1, keepdim=True).clamp(min=1e-24).sqrt()
        flat = flat * (torch.atan2(across, vertices_cam[..., 2:]) / across)
    return flat @ K[:2, :2].T + K[:2, 2]


def silhouette(
    vertices_cam: Tensor, faces: NDArray[np.int32] | Tensor, camera: Camera, *, near: float = NEAR
) -> Tensor:
    """(H, W) float32 part of each pixel that a mesh covers, with derivatives by its vertices.

    Args:
        vertices_cam: (V, 3) metres in the camera's axes, float32 or float64, on the CPU.
        faces: (F, 3).
        near: faces with a vertex nearer than this are left out, metres.

    Raises:
        InputError: arrays of another shape, vertices that are not finite, lens distortion.
    """
    drawn = _checked(vertices_cam, faces)
    edges = edges_of(drawn)
    xy = project(vertices_cam, camera)
    place = vertices_cam.detach()
    z = place[:, 2]
    if camera.lens == "fisheye":
        seen = (torch.atan2(place[:, :2].norm(dim=1), z) <= FISHEYE_LIMIT) & (place.norm(dim=1) >= near)
    else:
        seen = z >= near
    return _Silhouette.apply(xy, seen.numpy(), drawn, edges, camera.size)  # type: ignore[return-value]


def interpolate(
    vertices_cam: Tensor,
    faces: NDArray[np.int32] | Tensor,
    camera: Camera,
    attribute: Tensor,
    *,
    raster: Raster | None = None,
    background: float = 0.0,
) -> Tensor:
    """Carry a per-vertex attribute to the pixels, with derivatives by attribute and vertices.

    Args:
        vertices_cam: (V, 3) metres in the camera's axes.
        faces: (F, 3).
        camera: perspective, without distortion.
        attribute: (V,) or (V, C).
        raster: of just these vertices; None: it is drawn.
        background: value where no face is seen.

    Returns:
        (H, W) or (H, W, C), of the attribute's type.

    Raises:
        InputError: arrays of another shape, vertices that are not finite, another lens, lens distortion.
    """
    drawn = _checked(vertices_cam, faces)
    require_perspective(camera, "differentiable.interpolate")
    if np.any(camera.distortion):
        raise InputError("differentiable: there is no lens distortion; undistort the picture first")
    if attribute.ndim not in (1, 2) or len(attribute) != len(vertices_cam):
        raise InputError(
            f"interpolate: expected ({len(vertices_cam)},) or ({len(vertices_cam)}, C), got {tuple(attribute.shape)}"
        )
    if raster is None:
        raster = rasterize(vertices_cam.detach().numpy(), drawn, camera)
    if raster.ids.max(initial=-1) >= len(drawn):
        raise InputError("interpolate: the raster shows faces that are not there; pass the faces that were drawn")
    columns = attribute if attribute.ndim == 2 else attribute[:, None]
    out: Tensor = _Interpolate.apply(vertices_cam, columns, drawn, raster, np.linalg.inv(camera.K), float(background))  # type: ignore[assignment]
    return out if attribute.ndim == 2 else out[..., 0]


class _Silhouette(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        xy: Tensor,
        seen: NDArray[np.bool_],
        faces: NDArray[np.int32],
        edges: Edges,
        size: tuple[int, int],
    ) -> Tensor:
        from marrow.render import _fast_differentiable as fast

        places = np.ascontiguousarray(xy.detach().numpy(), np.float64)
        covered = np.empty((size[1], size[0]), np.uint8)
        facing = np.empty(len(faces), np.int8)
        fast.cover(places, seen, faces, facing, covered)
        edge_of, at = np.empty((2, *covered.shape), np.int32), np.empty((2, *covered.shape))
        fast.contour(places, edges.vertices, edges.faces, facing, covered, edge_of, at)
        out = np.empty(covered.shape, np.float32)
        fast.soften(covered, edge_of, at, out)
        ctx.kept = (places, edges, covered, edge_of, at, xy.dtype)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        from marrow.render import _fast_differentiable as fast

        places, edges, covered, edge_of, at, dtype = ctx.kept
        grad_xy = np.zeros_like(places)
        grad = np.ascontiguousarray(grads[0].detach().numpy(), np.float32)
        fast.soften_backward(places, edges.vertices, covered, edge_of, at, grad, grad_xy)
        return torch.from_numpy(grad_xy).to(dtype), None, None, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        vertices: Tensor,
        attribute: Tensor,
        faces: NDArray[np.int32],
        raster: Raster,
        rays: NDArray[np.float64],
        background: float,
    ) -> Tensor:
        from marrow.render import _fast_differentiable as fast

        places = np.ascontiguousarray(vertices.detach().numpy())
        values = np.ascontiguousarray(attribute.detach().numpy())
        out = np.empty((*raster.ids.shape, values.shape[1]), values.dtype)
        x0, y0 = raster.origin
        fast.interpolate(places, faces, raster.ids, rays, x0, y0, values, background, out)
        ctx.kept = (places, values, faces, raster, rays)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        from marrow.render import _fast_differentiable as fast

        places, values, faces, raster, rays = ctx.kept
        grad = np.ascontiguousarray(grads[0].detach().numpy(), values.dtype)
        grad_places, grad_values = np.zeros(places.shape), np.zeros(values.shape)
        x0, y0 = raster.origin
        fast.interpolate_backward(places, faces, raster.ids, rays, x0, y0, values, grad, grad_places, grad_values)
        to_places, to_values = torch.from_numpy(grad_places), torch.from_numpy(grad_values)
        return (
            to_places.to(torch.from_numpy(places).dtype),
            to_values.to(torch.from_numpy(values).dtype),
            None,
            None,
            None,
            None,
        )


def _checked(vertices: Tensor, faces: NDArray[np.int32] | Tensor) -> NDArray[np.int32]:
    drawn = np.ascontiguousarray(faces, np.int32)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or drawn.ndim != 2 or drawn.shape[1] != 3:
        raise InputError(
            f"differentiable: expected vertices (V, 3) and faces (F, 3), got {tuple(vertices.shape)} and "
            f"{drawn.shape}; draw one person and one frame at a time"
        )
    if not bool(torch.isfinite(vertices.detach()).all()):
        raise InputError("differentiable: vertices that are not finite cannot be drawn; mend the pose first")
    if len(drawn) and (drawn.min() < 0 or drawn.max() >= len(vertices)):
        raise InputError(f"differentiable: faces name vertices up to {drawn.max()}, but there are {len(vertices)}")
    return drawn
