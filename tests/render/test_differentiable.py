"""Derivatives of silhouettes against finite differences of fine coverage; of interpolation against torch's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_figure import facing_camera, toy_person

from marrow.errors import InputError
from marrow.geometry.projection import project_camera, warp
from marrow.render import differentiable, mesh
from marrow.types import Camera

SIZE = 128


def weights(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth function of the picture, so that sums over the cover are smooth in the mesh."""
    return 1 + 0.8 * np.sin(x / 21) * np.cos(y / 17) + x / 90


def moved(vertices: np.ndarray, camera: Camera, by: torch.Tensor) -> torch.Tensor:
    """(V, 3) camera points of a person scaled by exp(by[0]), turned about y by by[1] and moved in x and z."""
    scale, yaw, x, z = by
    V = torch.tensor(vertices, dtype=torch.float64) * torch.exp(scale)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    V = torch.stack([cos * V[:, 0] + sin * V[:, 2] + x, V[:, 1], cos * V[:, 2] - sin * V[:, 0] + z], -1)
    return V @ torch.tensor(camera.R_cam_world).T + torch.tensor(camera.t_cam_world)


def fine_sum(points: torch.Tensor, faces: np.ndarray, camera: Camera, k: int = 8) -> float:
    """The weighted cover, from k x k samples in each pixel."""
    fine = warp(camera, [[k, 0, (k - 1) / 2], [0, k, (k - 1) / 2]], (SIZE * k, SIZE * k))
    y, x = np.mgrid[: SIZE * k, : SIZE * k]
    seen = mesh.rasterize(points.numpy().astype(np.float32), faces, fine).ids >= 0
    return float((weights((x - (k - 1) / 2) / k, (y - (k - 1) / 2) / k) * seen).sum() / k**2)


@pytest.mark.parametrize("lens", ["perspective", "orthographic", "fisheye"])
def test_silhouette_gradient_is_that_of_fine_coverage(lens):
    camera = facing_camera(3.0, (SIZE, SIZE))
    if lens == "orthographic":
        K = camera.K.copy()
        K[0, 0] = K[1, 1] = SIZE / 2.2
        camera = replace(camera, K=K)
    camera = replace(camera, lens=lens)
    vertices, faces, _, _ = toy_person(3)
    by = torch.tensor([0.02, 0.4, 0.03, 0.1], dtype=torch.float64, requires_grad=True)
    y, x = np.mgrid[:SIZE, :SIZE]
    cover = differentiable.silhouette(moved(vertices, camera, by), faces, camera)
    total = (cover * torch.tensor(weights(x, y))).sum()
    total.backward()
    assert by.grad is not None
    expected = []
    with torch.no_grad():
        fine = fine_sum(moved(vertices, camera, by), faces, camera)
        for n, step in enumerate((0.008, 0.04, 0.01, 0.02)):
            ends = [by + sign * step * torch.eye(4, dtype=torch.float64)[n] for sign in (1, -1)]
            high, low = (fine_sum(moved(vertices, camera, end), faces, camera) for end in ends)
            expected.append((high - low) / (2 * step))
    np.testing.assert_allclose(float(total.detach()), fine, rtol=0.01)
    got = by.grad.numpy()
    np.testing.assert_allclose(got, expected, rtol=0.12, atol=0.02 * np.abs(expected).max())


def test_silhouette_is_nearer_to_fine_coverage_than_the_hard_mask():
    camera = facing_camera(3.0, (SIZE, SIZE))
    vertices, faces, _, _ = toy_person(3)
    points = moved(vertices, camera, torch.zeros(4, dtype=torch.float64))
    fine = warp(camera, [[8, 0, 3.5], [0, 8, 3.5]], (SIZE * 8, SIZE * 8))
    drawn = points.numpy().astype(np.float32)
    exact = (mesh.rasterize(drawn, faces, fine).ids >= 0).reshape(SIZE, 8, SIZE, 8).mean((1, 3))
    soft = differentiable.silhouette(points, faces, camera).numpy()
    hard = mesh.rasterize(drawn, faces, camera).ids >= 0
    assert np.abs(soft - exact).sum() < 0.25 * np.abs(hard - exact).sum()
    assert soft.min() >= 0
    assert soft.max() <= 1


def test_area_of_a_triangle_and_its_exact_gradient():
    """Oracle: the area of a large triangle in pixels, and its derivative by the corners."""
    camera = Camera(np.array([[100.0, 0, 63.5], [0, 100.0, 63.5], [0, 0, 1]]), (SIZE, SIZE))
    corners = torch.tensor([[-0.41, -0.3, 1.0], [0.13, 0.52, 1.0], [0.47, -0.2, 1.0]], dtype=torch.float64)
    corners.requires_grad_()
    cover = differentiable.silhouette(corners, np.array([[0, 1, 2]]), camera)
    xy = differentiable.project(corners, camera)
    (u, v), (p, q) = xy[1] - xy[0], xy[2] - xy[0]
    area = (u * q - v * p).abs() / 2
    (expected,) = torch.autograd.grad(area, corners)
    (got,) = torch.autograd.grad(cover.sum(), corners)
    np.testing.assert_allclose(float(cover.detach().sum()), float(area.detach()), rtol=2e-3)
    np.testing.assert_allclose(got, expected, rtol=0.03, atol=0.02 * float(expected.abs().max()))


def test_only_the_outline_has_gradients():
    camera = facing_camera(3.0, (SIZE, SIZE))
    vertices, faces, _, _ = toy_person(3)
    points = moved(vertices, camera, torch.zeros(4, dtype=torch.float64)).requires_grad_()
    differentiable.silhouette(points, faces, camera).sum().backward()
    assert points.grad is not None
    touched = points.grad.abs().sum(-1) > 0
    assert 0.01 < touched.double().mean() < 0.25


def plain(points, faces, camera, attribute, raster):
    """Interpolation as one writes it in torch."""
    seen = torch.tensor(raster.ids >= 0)
    corners = torch.tensor(faces, dtype=torch.int64)[torch.tensor(raster.ids, dtype=torch.int64)[seen]]
    y, x = np.nonzero(raster.ids >= 0)
    rays = torch.tensor(np.stack([x, y, np.ones(len(x))], -1) @ np.linalg.inv(camera.K).T)
    weights = torch.linalg.solve(points[corners].mT, rays[..., None])[..., 0]
    weights = weights / weights.sum(-1, keepdim=True)
    out = torch.zeros(*seen.shape, attribute.shape[1], dtype=attribute.dtype)
    out[seen] = (weights[..., None] * attribute[corners]).sum(1)
    return out


def test_interpolation_and_its_gradients_equal_torch():
    camera = facing_camera(3.0, (48, 64))
    vertices, faces, _, _ = toy_person(2)
    points = moved(vertices, camera, torch.tensor([0, 0.3, 0, 0], dtype=torch.float64)).requires_grad_()
    rng = np.random.default_rng(0)
    attribute = torch.tensor(rng.normal(size=(len(vertices), 4)), requires_grad=True)
    raster = mesh.rasterize(points.detach().numpy().astype(np.float32), faces, camera)
    weight = torch.tensor(rng.normal(size=(64, 48, 4)))
    results = []
    for image in (
        differentiable.interpolate(points, faces, camera, attribute, raster=raster),
        plain(points, faces, camera, attribute, raster),
    ):
        results.append((image.detach(), *torch.autograd.grad((image * weight).sum(), (points, attribute))))
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-8 * float(theirs.abs().max()))
    hard = mesh.interpolate(raster, faces, attribute.detach().numpy())
    np.testing.assert_allclose(results[0][0].numpy(), hard, atol=2e-3)


def test_windows_types_and_single_columns():
    camera = facing_camera(3.0, (48, 64))
    vertices, faces, _, _ = toy_person(1)
    points = moved(vertices, camera, torch.zeros(4, dtype=torch.float64)).float().requires_grad_()
    whole = differentiable.interpolate(points, faces, camera, points[:, 2], background=9.0)
    assert whole.dtype == torch.float32
    assert whole.shape == (64, 48)
    raster = mesh.rasterize(points.detach().numpy(), faces, camera, window=(10, 20, 40, 50))
    part = differentiable.interpolate(points, faces, camera, points[:, 2], raster=raster, background=9.0)
    np.testing.assert_array_equal(part.detach(), whole.detach()[20:50, 10:40])
    seen = raster.ids >= 0
    np.testing.assert_allclose(part.detach().numpy()[seen], raster.depth[seen], rtol=1e-4)


def test_edges_of_a_closed_and_of_an_open_mesh():
    faces = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
    edges = differentiable.edges_of(faces)
    assert edges.vertices.shape == (6, 2)
    assert (edges.faces >= 0).all()
    for pair, (f, g) in zip(edges.vertices, edges.faces, strict=True):
        assert set(pair) <= set(faces[f])
        assert set(pair) <= set(faces[g])
    opened = differentiable.edges_of(faces[:3])
    assert (opened.faces[:, 1] < 0).sum() == 3
    fan = differentiable.edges_of(np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]]))
    assert ((fan.vertices == [0, 1]).all(1)).sum() == 2


@pytest.mark.parametrize("lens", ["perspective", "orthographic", "fisheye"])
def test_project_equals_numpy(lens):
    camera = replace(facing_camera(), lens=lens)
    points = np.random.default_rng(0).normal(size=(20, 3)) * 0.5 + [0, 0, 2]
    np.testing.assert_allclose(
        differentiable.project(torch.tensor(points), camera), project_camera(camera, points), rtol=1e-9
    )


def test_what_cannot_be_drawn_is_told():
    camera = facing_camera(size=(16, 16))
    points, faces = torch.ones(3, 3), np.array([[0, 1, 2]])
    with pytest.raises(InputError, match="not finite"):
        differentiable.silhouette(points * torch.nan, faces, camera)
    with pytest.raises(InputError, match="one person"):
        differentiable.silhouette(points[None], faces, camera)
    with pytest.raises(InputError, match="name vertices"):
        differentiable.silhouette(points, faces + 1, camera)
    with pytest.raises(InputError, match="perspective"):
        differentiable.interpolate(points, faces, replace(camera, lens="fisheye"), points)
    with pytest.raises(InputError, match="distortion"):
        differentiable.silhouette(points, faces, replace(camera, distortion=np.array([0.1, 0, 0, 0])))
    with pytest.raises(InputError, match="expected"):
        differentiable.interpolate(points, faces, camera, torch.ones(5))
