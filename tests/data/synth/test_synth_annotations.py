"""Annotations agree with each other, and with rays shot at the same meshes by another program."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.body.parts import PARTS, face_parts
from marrow.data.synth import annotations
from marrow.data.synth.annotations import MAPS, annotate, run_lengths
from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.samples import Recipe, scene_of
from marrow.data.synth.scenes import Choices
from marrow.types import Camera

SIZE = (160, 120)


@pytest.fixture(scope="module", params=["clean", "multi"])
def made(request):
    recipe = Recipe(request.param, seed=11, choices=Choices(size=SIZE))
    index = next(
        k for k in range(9) if len(scene_of(recipe, k).actors) in ((1,) if request.param == "clean" else (2, 3))
    )
    drawn = draw(set_stage(scene_of(recipe, index)))
    return drawn, annotate(drawn, 0, points=150)


def rays(mesh_vertices, faces, camera: Camera, pixels):
    """First hits of rays through pixels (N, 2): face, place and distance along the axis, by embree."""
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("embreex")
    eye = -camera.R_cam_world.T @ camera.t_cam_world
    ahead = np.concatenate([pixels, np.ones((len(pixels), 1))], 1) @ np.linalg.inv(camera.K).T @ camera.R_cam_world
    mesh = trimesh.Trimesh(mesh_vertices, faces, process=False)
    place, ray, face = mesh.ray.intersects_location(np.tile(eye, (len(ahead), 1)), ahead, multiple_hits=False)
    out = np.full(len(pixels), -1), np.full((len(pixels), 3), np.nan)
    out[0][ray], out[1][ray] = face, place
    return (*out, (out[1] @ camera.R_cam_world.T + camera.t_cam_world)[:, 2])


def inner(image: np.ndarray) -> np.ndarray:
    """Pixels whose neighbours hold the same value: rays and pixels may differ at edges."""
    same = np.ones(image.shape, bool)
    for axis in (0, 1):
        for step in (1, -1):
            same &= np.roll(image, step, axis) == image
    same[[0, -1]], same[:, [0, -1]] = False, False
    return same


def test_depth_person_label_and_normal_agree_with_rays(made):
    drawn, labels = made
    mesh, camera, rng = drawn.stage.mesh, drawn.camera, np.random.default_rng(0)
    rows, columns = np.nonzero(inner(labels.maps["mask"]) & (drawn.picture.surface >= 0))
    pick = rng.choice(len(rows), 300, replace=False)
    pixels = np.stack([columns[pick], rows[pick]], 1).astype(float)
    # one-sided faces seen from inside are not drawn, but rays hit them
    face, _, depth = rays(mesh.vertices, mesh.faces, camera, pixels)
    told = labels.maps["depth"][rows[pick], columns[pick]] / 1000
    agree = np.abs(told - depth) < 0.004 + 0.004 * depth
    assert agree.mean() > 0.97
    person = mesh.owner[mesh.surface[face]] + 1
    assert (person == labels.maps["mask"][rows[pick], columns[pick]])[agree].mean() > 0.99
    label = mesh.label[mesh.surface[face]] + 1
    assert (label == labels.maps["label"][rows[pick], columns[pick]])[agree].mean() > 0.97
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[face]].astype(float), 1, 0)
    normal = np.cross(b - a, c - a) @ camera.R_cam_world.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    shown = labels.maps["normal"][rows[pick], columns[pick]] / 127.5 - 1
    close = np.abs((normal * shown).sum(1))[agree]  # cloth may be seen from inside
    assert np.quantile(close, 0.1) > 0.8
    assert np.median(close) > 0.97


def test_skin_under_the_pixels_agrees_with_rays(made):
    drawn, labels = made
    body, camera = load_body(), drawn.camera
    dense = labels.dense
    for k, person in enumerate(drawn.stage.people):
        own = dense["person"] == k + 1
        if not own.any():
            continue
        face, place, _ = rays(person.skin, body.faces, camera, dense["xy"][own].astype(float))
        weights = np.concatenate([1 - dense["bary"].sum(1, keepdims=True), dense["bary"]], 1)[own]
        told = np.einsum("nk,nkc->nc", weights, person.skin[body.faces[dense["face"][own]]])
        assert np.quantile(np.linalg.norm(told - place, axis=1)[face >= 0], 0.95) < 0.004
        uv = np.einsum("nk,nkc->nc", weights, body.uv[body.faces_uv[dense["face"][own]]])
        np.testing.assert_allclose(uv, dense["uv"][own], atol=1e-5)
        np.testing.assert_array_equal(face_parts(body)[dense["face"][own]], dense["part"][own])
    column, row = dense["xy"].astype(int).T
    iuv = labels.maps["iuv"][row, column]
    np.testing.assert_array_equal(iuv[:, 0], dense["part"])
    np.testing.assert_allclose(iuv[:, 1:] / 65535, dense["uv"], atol=2e-5)
    assert dense["part"].max() <= len(PARTS)


def test_points_project_where_they_are_told_and_are_seen_where_their_person_is(made):
    labels = made[1]
    record = labels.record
    camera = Camera(
        np.array(record["camera"]["K"]),
        tuple(record["camera"]["size"]),
        np.array(record["camera"]["R_cam_world"]),
        np.array(record["camera"]["t_cam_world"]),
    )
    for person in record["people"]:
        for name, joints in person["joints"].items():
            xyz = np.array([p if p is not None else [np.nan] * 3 for p in joints["xyz"]])
            told = np.array([p if p is not None else [np.nan] * 2 for p in joints["xy"]])
            in_cam = xyz @ camera.R_cam_world.T + camera.t_cam_world
            xy = (in_cam @ camera.K.T)[:, :2] / in_cam[:, 2:]
            ahead = in_cam[:, 2] > 0.05
            # metres are told to 0.01 mm, pixels to 0.001
            np.testing.assert_allclose(xy[ahead], told[ahead], atol=2e-3 + 1e-5 * camera.K[0, 0] / 0.3, err_msg=name)
            seen = np.array(joints["seen"])
            column, row = np.rint(told[seen == 2]).astype(int).T
            near = [
                (labels.maps["mask"][max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2] == person["id"]).any()
                for r, c in zip(row, column, strict=True)
            ]
            assert np.mean(near or [True]) > 0.9


def test_masks_boxes_and_run_lengths_agree(made):
    labels = made[1]
    mask, amodal = labels.maps["mask"], labels.maps["amodal"]
    for person in labels.record["people"]:
        own = mask == person["id"]
        whole = (amodal >> (person["id"] - 1)) & 1 == 1
        assert not (own & ~whole).any()
        assert person["pixels"] == own.sum()
        assert person["visible_share"] == pytest.approx(own.sum() / max(whole.sum(), 1))
        counts = person["rle"]
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        np.testing.assert_array_equal(flat.reshape(mask.T.shape).T, own)
        if person["box"] is not None:
            x, y, w, h = person["box"]
            assert own[y : y + h, x : x + w].sum() == own.sum()
            assert own[y].any()
            assert own[:, x + w - 1].any()
    assert set(labels.maps) == set(MAPS)


def test_run_lengths_of_the_plainest_masks():
    assert run_lengths(np.zeros((2, 3), bool)) == [6]
    assert run_lengths(np.ones((2, 3), bool)) == [0, 6]
    assert run_lengths(np.array([[0, 1], [0, 1]], bool)) == [2, 2]


def test_the_bodies_of_a_record_can_be_made_again(made):
    drawn, labels = made
    body = load_body()
    for person, posed in zip(labels.record["people"], drawn.stage.people, strict=True):
        rest = body.rest(person["shape"], person["expression"])
        again = body.pose(rest, np.array(person["q"]), outputs=("vertices",), threads=1).vertices
        np.testing.assert_allclose(again, posed.skin, atol=1e-5)
        assert person["stature"] == pytest.approx(float(rest.vertices[:, 1].max()), abs=0.006)


def test_dense_points_of_nobody_are_arrays_without_rows(made, monkeypatch):
    drawn, labels = made
    monkeypatch.setattr(annotations, "skin_rasters", lambda drawn: [None] * len(drawn.stage.people))
    none = annotate(drawn, 0, (), points=20).dense
    assert {name: (a.dtype, a.shape[1:]) for name, a in none.items()} == {
        name: (a.dtype, a.shape[1:]) for name, a in labels.dense.items()
    }
    assert all(len(a) == 0 for a in none.values())
