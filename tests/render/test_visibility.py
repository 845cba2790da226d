"""Visibility against rays, guidance maps against plain numpy, amodal masks against the person drawn alone."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from toy_figure import facing_camera, toy_person

from marrow.errors import InputError
from marrow.geometry.projection import to_camera
from marrow.render import mesh, visibility
from marrow.render.surfaces import Surface, merged

GREY = np.full(3, 0.5, np.float32)


def cam(camera, vertices):
    return to_camera(camera, vertices).astype(np.float32)


def test_visible_agrees_with_rays():
    """Oracle: a ray from each vertex towards the camera, through trimesh (embree where it is installed)."""
    pytest.importorskip("embreex", reason="embreex comes with the test extra")
    camera = facing_camera(2.4, (400, 400))
    vertices, faces, _, _ = toy_person(3)
    points = cam(camera, vertices)
    seen = visibility.visible(points, mesh.rasterize(points, faces, camera), camera, tolerance=0.003)
    normals = mesh.vertex_normals(points, faces)
    towards = -points / np.linalg.norm(points, axis=-1, keepdims=True)
    rays = trimesh.Trimesh(points, faces, process=False).ray
    free = ~rays.intersects_any(points + 2e-3 * normals + 1e-3 * towards, towards)
    facing = (normals * towards).sum(-1)
    clear = np.abs(facing) > 0.3  # not at the outline, where a pixel decides
    assert clear.mean() > 0.5
    assert (seen == free)[clear].mean() > 0.98


def test_random_pixels_agree_with_rays():
    """Oracle: trimesh's rays (embree where it is installed) at pixels chosen at random."""
    camera = facing_camera(2.4, (300, 300))
    vertices, faces, _, _ = toy_person(1)
    points = cam(camera, vertices)
    raster = mesh.rasterize(points, faces, camera)
    rng = np.random.default_rng(5)
    y, x = np.nonzero(raster.ids >= 0)
    pick = rng.choice(len(x), 60, replace=False)
    rays = np.stack([x[pick], y[pick], np.ones(60)], -1) @ np.linalg.inv(camera.K).T
    pytest.importorskip("embreex")
    soup = trimesh.Trimesh(points, faces, process=False)
    hit, ray, face = soup.ray.intersects_location(np.zeros_like(rays), rays, multiple_hits=False)
    assert len(ray) >= 59
    assert (raster.ids[y[pick], x[pick]][ray] == face).mean() > 0.95
    np.testing.assert_allclose(raster.depth[y[pick], x[pick]][ray], hit[:, 2], rtol=1e-4)


def two_people():
    vertices, faces, joints, _ = toy_person(2)
    shift = np.array([0.25, 0, -1.0])
    surfaces = [
        Surface(vertices, faces, GREY, owner=0, label=1),
        Surface((vertices + shift).astype(np.float32), faces, GREY, owner=1, label=2),
    ]
    return merged(surfaces), joints, joints + shift


def test_joints_are_seen_through_their_own_flesh_only():
    camera = facing_camera(3.0, (300, 300))
    scene, near, far = two_people()
    points = cam(camera, scene.vertices)
    raster = mesh.rasterize(points, scene.faces, camera)
    owner = visibility.owner_map(raster, scene)
    assert set(np.unique(owner)) == {-1, 0, 1}
    np.testing.assert_array_equal(visibility.label_map(raster, scene), np.where(owner >= 0, owner + 1, -1))
    first = visibility.joints_visible(cam(camera, near), 0, raster, owner, camera)
    second = visibility.joints_visible(cam(camera, far), 1, raster, owner, camera)
    assert first.all()
    assert 0 < second.sum() < len(second)
    # A hidden joint of the one behind lies where the one ahead is seen.
    xy = np.rint(mesh.project_points(cam(camera, far), camera)[0]).astype(int)
    assert (owner[xy[~second, 1], xy[~second, 0]] == 0).all()
    assert not visibility.visible(cam(camera, near), raster, camera).all()
    beside = visibility.joints_visible(cam(camera, near + [9, 0, 0]), 0, raster, owner, camera)
    assert not beside.any()


def test_seen_share_equals_reference():
    camera = facing_camera(3.0, (120, 90))
    scene, _near, _far = two_people()
    points = cam(camera, scene.vertices)
    raster = mesh.rasterize(points, scene.faces, camera, window=(20, 5, 110, 80))
    owner = visibility.owner_map(raster, scene)
    for person in (-1, 0, 1):
        arguments = (points, raster, camera, owner, person, 0.15, 0.01)
        np.testing.assert_allclose(
            visibility._seen_share(*arguments), visibility.seen_share_reference(*arguments), atol=1e-9
        )


@pytest.mark.parametrize("by_face", [False, True])
def test_guidance_equals_reference(by_face):
    camera = facing_camera(3.0, (150, 200))
    vertices, faces, _, _ = toy_person(2)
    points = cam(camera, vertices)
    rng = np.random.default_rng(0)
    uv = rng.random((len(vertices), 2)).astype(np.float32)
    part = rng.integers(0, 9, len(faces) if by_face else len(vertices)).astype(np.int32)
    maps = visibility.guidance(points, faces, camera, uv=uv, part=part)
    corner_part = np.zeros(len(vertices), np.int32) if by_face else part
    normal, shown, parts = visibility.guidance_reference(points, faces, maps.raster, uv, corner_part)
    if by_face:
        parts = visibility.face_map(maps.raster, part)
    np.testing.assert_allclose(maps.normal, normal, atol=1e-5)
    np.testing.assert_allclose(maps.uv, shown, atol=1e-5)
    assert (maps.part == parts).mean() > 0.9999
    seen = maps.raster.ids >= 0
    assert (maps.normal[seen][:, 2] < 0.3).all()  # towards the camera, but for bent normals at the outline
    world = visibility.guidance(points, faces, camera, world=True, raster=maps.raster)
    np.testing.assert_allclose(world.normal[seen], maps.normal[seen] @ camera.R_cam_world, atol=1e-5)
    assert (world.part == -1).all()
    by_corner = visibility.guidance(
        points, faces, camera, uv=uv[faces].reshape(-1, 2), uv_faces=np.arange(3 * len(faces)).reshape(-1, 3)
    )
    np.testing.assert_array_equal(by_corner.uv, maps.uv)


def test_amodal_mask_is_the_person_alone():
    camera = facing_camera(3.0, (200, 200))
    scene, _, _ = two_people()
    whole = visibility.amodal_mask(scene, 1, camera)
    raster = mesh.rasterize(cam(camera, scene.vertices), scene.faces, camera)
    shown = visibility.owner_map(raster, scene) == 1
    assert (whole & shown == shown).all()
    assert whole.sum() > 1.1 * shown.sum()
    vertices, faces, _, _ = toy_person(2)
    alone = mesh.rasterize(cam(camera, vertices + [0.25, 0, -1.0]), faces, camera).ids >= 0
    np.testing.assert_array_equal(whole, alone)


def test_wrong_arrays_are_told():
    camera = facing_camera(size=(20, 20))
    vertices, faces, _, _ = toy_person(1)
    points = cam(camera, vertices)
    raster = mesh.rasterize(points, faces, camera)
    with pytest.raises(InputError, match="owner map"):
        visibility.joints_visible(points, 0, raster, np.zeros((3, 3), np.int32), camera)
    with pytest.raises(InputError, match="0 or more"):
        visibility.joints_visible(points, -1, raster, raster.ids, camera)
    with pytest.raises(InputError, match="uv"):
        visibility.guidance(points, faces, camera, uv=np.zeros((3, 2), np.float32))
    with pytest.raises(InputError, match="part"):
        visibility.guidance(points, faces, camera, part=np.zeros(3, np.int32))
    with pytest.raises(InputError, match="face_map"):
        visibility.face_map(raster, np.zeros(2))
