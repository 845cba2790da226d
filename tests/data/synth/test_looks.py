"""Looks and clothes: always dressed, no skin through the cloth, sound meshes, the same again for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from marrow.body import DefaultBody, Rest, load_body
from marrow.body.posing import segment_transforms
from marrow.data.motion_pack import motion_pack
from marrow.data.synth._cloth_mesh import cloth_mesh
from marrow.data.synth.clothes import pose_shells, unit
from marrow.data.synth.looks import LABELS, STYLES, Look, Outfit, dress, sample_look, worn
from marrow.data.synth.textures import list_textures, read_texture
from marrow.errors import InputError
from marrow.geometry.projection import camera_from_fov, look_at, to_camera
from marrow.render.mesh import rasterize, vertex_normals
from marrow.render.surfaces import Surface, merged
from marrow.skeleton.tree import relaxed
from marrow.types import Camera, Float32, Float64

PAIRS = 100


@dataclass(frozen=True)
class Somebody:
    age: float
    sex: str


@dataclass(frozen=True)
class Dressed:
    outfit: Outfit
    rest: Rest
    R: Float64
    p: Float64
    vertices: Float32
    surfaces: list[Surface]


@pytest.fixture(scope="module")
def body() -> DefaultBody:
    found = load_body()
    assert isinstance(found, DefaultBody)
    return found


def somebody(rng: np.random.Generator) -> tuple[Somebody, dict[str, float]]:
    sex, age = ("f", "m")[rng.integers(2)], float(rng.uniform(5, 85))
    shape = {
        "gender": float(sex == "f"),
        "age": float(np.interp(age, np.array([1, 11, 18, 25, 90]), np.array([0, 1 / 3, 0.6, 2 / 3, 1]))),
        "weight": float(rng.uniform(0.15, 0.9)),
        "height": float(rng.uniform(0.2, 0.7)),
    }
    return Somebody(age, sex), shape


def dressed(body: DefaultBody, seed: int, style: str | None = None) -> Dressed:
    rng = np.random.default_rng(seed)
    figure, shape = somebody(rng)
    look = sample_look(rng, figure, style)
    rest = body.rest(shape)
    skeleton = rest.skeleton
    pack = motion_pack()
    clip = pack.motion(int(rng.integers(len(pack)))).full(skeleton.coordinates, relaxed(skeleton.coordinates))
    q = clip[int(rng.integers(len(clip)))]
    R, p = skeleton.forward(q, np.zeros(3))
    vertices = np.asarray(body.pose(rest, q, np.zeros(3)).vertices)
    outfit = dress(body, rest, look)
    return Dressed(outfit, rest, R, p, vertices, worn(outfit, body, R, p, vertices))


@pytest.fixture(scope="module")
def crowd(body: DefaultBody) -> list[Dressed]:
    return [dressed(body, seed) for seed in range(PAIRS)]


def test_covered_skin_stays_below_the_cloth(body: DefaultBody, crowd: list[Dressed]) -> None:
    mesh = cloth_mesh(body)
    covered = through = 0
    for person in crowd:
        transforms = segment_transforms(person.rest.skeleton.bind, person.R, person.p)
        points = mesh.on(person.vertices)
        normal = unit(mesh.on(vertex_normals(person.vertices, body.faces)))
        for shell, cloth in zip(
            person.outfit.shells,
            pose_shells(mesh, person.outfit.shells, transforms, points, normal, -np.inf),
            strict=True,
        ):
            own = np.flatnonzero(shell.covered)
            height = ((cloth[own] - points[own]) * normal[own]).sum(1)
            covered += len(own)
            through += int((height < 0).sum())
    assert covered > 100_000
    assert through / covered < 0.005


def test_covered_skin_is_not_seen_even_if_it_were_drawn(body: DefaultBody, crowd: list[Dressed]) -> None:
    seen = clothes = 0
    for number, person in enumerate(crowd[:40]):
        hidden = body.faces[person.outfit.covered[body.faces].all(1)]
        skin = replace(person.surfaces[0], faces=np.concatenate([hidden, person.outfit.skin_faces]))
        mesh = merged([skin, *person.surfaces[1:]])
        camera = around(person.vertices, number)
        raster = rasterize(
            to_camera(camera, mesh.vertices[None].astype(float))[0].astype(np.float32), mesh.faces, camera
        )
        ids = raster.ids[raster.ids >= 0]
        label = mesh.label[mesh.surface[ids]]
        clothes += int(np.isin(label, [LABELS.index(n) for n in ("top", "bottom", "dress", "coat")]).sum())
        seen += int((ids < len(hidden)).sum())
    assert seen / clothes < 0.005


def around(vertices: Float32, number: int) -> Camera:
    low, high = vertices.min(0), vertices.max(0)
    target = (low + high) / 2
    away = np.array([np.sin(number * 2.4), 0.1, np.cos(number * 2.4)])
    plain = camera_from_fov((192, 192), 30)
    R, t = look_at(target + 2.2 * float((high - low).max()) * away, target)
    return Camera(plain.K, (192, 192), R, t)


def test_everybody_is_dressed_from_the_chest_to_the_middle_of_the_thighs(body: DefaultBody) -> None:
    mesh = cloth_mesh(body)
    y = mesh.place[:, 1]
    zone = (mesh.of_arm.max(1) < 0.02) & (y > 0.69) & (y < 1.25)
    assert zone.sum() > 2000
    for style in STYLES:
        for seed in range(12):
            rng = np.random.default_rng([seed, 5])
            figure, shape = somebody(rng)
            outfit = dress(body, body.rest(shape), sample_look(rng, figure, style))
            inside = np.max([shell.shape.field for shell in outfit.shells], axis=0) > 0
            assert inside[zone].all(), (style, seed)


def test_meshes_are_sound(body: DefaultBody, crowd: list[Dressed]) -> None:
    for person in crowd[:30]:
        clothes = person.surfaces[1:]
        merged(person.surfaces)  # shapes, indices, patterns
        assert sum(len(s.faces) for s in clothes) < 60_000
        assert person.surfaces[0].label == LABELS.index("skin")
        for surface in person.surfaces:
            assert np.isfinite(surface.vertices).all()
            assert 0 <= surface.label < len(LABELS)
            colour = np.asarray(surface.colour)
            assert colour.min() >= 0
            assert colour.max() <= 1
            i, j = np.concatenate([surface.faces, np.roll(surface.faces, -1, 1)]).T[:2]
            assert (i != j).all()
        for shell in person.outfit.shells:
            for cut in shell.cuts:
                assert not doubled(cut.faces)


def doubled(faces) -> bool:
    """Whether some edge is run along twice in one direction: faces that overlap or are turned over."""
    edges = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    return len(np.unique(edges, axis=0)) < len(edges)


def test_the_same_seed_gives_the_same_person(body: DefaultBody) -> None:
    for seed in (3, 4):
        first, again = dressed(body, seed), dressed(body, seed)
        assert first.outfit.look == again.outfit.look
        for a, b in zip(first.surfaces, again.surfaces, strict=True):
            np.testing.assert_array_equal(a.vertices, b.vertices)
            np.testing.assert_array_equal(a.faces, b.faces)
            np.testing.assert_array_equal(a.colour, b.colour)


def test_a_look_is_the_same_after_json(body: DefaultBody) -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        look = sample_look(rng, somebody(rng)[0])
        assert msgspec.json.decode(msgspec.json.encode(look), type=Look) == look


def test_clothes_follow_the_pose(body: DefaultBody) -> None:
    person = dressed(body, 11)
    moved = person.vertices + np.array([1.0, 0.0, 2.0], np.float32)
    there = worn(person.outfit, body, person.R, person.p + np.array([1.0, 0.0, 2.0]), moved)
    for here, then in zip(person.surfaces, there, strict=True):
        np.testing.assert_allclose(then.vertices, here.vertices + [1.0, 0.0, 2.0], atol=2e-4)


def test_every_style_and_only_those() -> None:
    rng = np.random.default_rng(0)
    for style in STYLES:
        assert sample_look(rng, Somebody(30.0, "f"), style).style == style
    with pytest.raises(InputError, match="casual"):
        sample_look(rng, Somebody(30.0, "m"), "baroque")


def pictures(folder: Path) -> Iterator[Path]:
    import cv2

    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (32, 48, 3), np.uint8))
        yield folder / name


def test_a_users_pictures_as_cloth(body: DefaultBody, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        list_textures(tmp_path)
    files = list(pictures(tmp_path))
    textures = list_textures(tmp_path)
    assert [name for name, _ in textures] == ["a.png", "b.png"]
    looks = [
        sample_look(np.random.default_rng(seed), Somebody(30.0, "f"), "casual", textures=textures) for seed in range(8)
    ]
    look = next(x for x in looks if any(g.texture for g in x.garments))
    rest = body.rest()
    bind = rest.skeleton.bind
    outfit = dress(body, rest, look, tmp_path)
    surfaces = worn(outfit, body, bind[:, :3, :3], bind[:, :3, 3], rest.vertices, owner=4)
    assert {s.owner for s in surfaces} == {4}
    assert any(s.texture is not None and s.texture.shape == (32, 48, 3) for s in surfaces)
    files[0].write_bytes(files[1].read_bytes())
    read_texture.cache_clear()
    with pytest.raises(InputError, match="another picture"):
        read_texture(tmp_path, *textures[0])
    files[0].unlink()
    with pytest.raises(InputError, match="no a"):
        read_texture(tmp_path, *textures[0])


def test_a_damaged_picture_of_cloth_is_told_at_once(tmp_path: Path) -> None:
    list(pictures(tmp_path))
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"c.jpg cannot be read"):
        list_textures(tmp_path)
