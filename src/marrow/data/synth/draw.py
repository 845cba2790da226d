"""From a scene to pixels, with what each pixel sees kept for the annotations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.data.synth import places
from marrow.data.synth.outfits import LABELS, worn
from marrow.data.synth.scenes import Actor, Scene, stream
from marrow.geometry.projection import to_camera
from marrow.render.effects import gaussian_blur, sensor_noise, to_srgb
from marrow.render.mesh import covered
from marrow.render.shading import Picture, shade
from marrow.render.surfaces import Merged, Surface, merged
from marrow.types import Camera, Float32, Float64

#: Directions in which the sky is looked for; twice as many change a picture by less than half a grey level.
_AXES = 8


@dataclass(frozen=True, eq=False)
class Posed:
    """One person in one frame.

    Attributes:
        actor: who.
        skin: (V, 3) the body's skin, under the clothes too, metres, world.
        R, p: (B, 3, 3) and (B, 3) frames of the skeleton's segments.
        surfaces: what is to be seen of them.
    """

    actor: Actor
    skin: Float32
    R: Float64
    p: Float64
    surfaces: tuple[Surface, ...]


@dataclass(frozen=True, eq=False)
class Stage:
    """A scene in one frame, before any camera: its people, and all surfaces as one mesh."""

    scene: Scene
    frame: int
    people: tuple[Posed, ...]
    surfaces: tuple[Surface, ...]
    mesh: Merged


@dataclass(frozen=True, eq=False)
class Drawn:
    """One picture.

    Attributes:
        stage: what was drawn.
        camera: by which.
        image: (H, W, 3) uint8 sRGB, with noise and blur, before compression.
        picture: what each pixel sees.
        person: (H, W) int16 number of the person seen, -1 none.
    """

    stage: Stage
    camera: Camera
    image: NDArray[np.uint8]
    picture: Picture
    person: NDArray[np.int16]


def set_stage(scene: Scene, frame: int = 0) -> Stage:
    """Pose everybody in one frame of a scene."""
    people = tuple(_posed(actor, number, frame) for number, actor in enumerate(scene.actors))
    centre = np.mean([person.p[0] for person in people], axis=0) if people else np.zeros(3)
    bent = any(view[frame].lens == "fisheye" for view in scene.cameras)
    scenery = places.surfaces_of(scene.place, LABELS.index("scenery"), centre, 64 if bent else 8)
    surfaces = tuple(surface for person in people for surface in person.surfaces) + tuple(scenery)
    return Stage(scene, frame, people, surfaces, merged(surfaces))


def draw(stage: Stage, view: int = 0) -> Drawn:
    """Draw a stage as one of the scene's cameras sees it."""
    scene, camera = stage.scene, stage.scene.cameras[view][stage.frame]
    behind = places.background(scene.place, camera)
    long = max(camera.size)
    picture = shade(
        stage.surfaces, camera, scene.place.lights, replace(scene.place.sky, axes=_AXES), behind, mesh=stage.mesh,
        shadow_size=int(np.clip(1.5 * long, 384, 2048)), sky_size=int(np.clip(long // 2, 128, 320)),
    )  # fmt: skip
    rng = stream(scene.preset, scene.seed, scene.index, f"noise {view} {stage.frame}")
    light = gaussian_blur(picture.image_linear, scene.disturbance.blur)
    light = sensor_noise(light, rng, full_well=scene.disturbance.full_well)
    image = to_srgb(light, scene.disturbance.exposure)
    owner = np.append(stage.mesh.owner, -1).astype(np.int16)
    return Drawn(stage, camera, image, picture, owner[picture.surface])


def whole_mask(drawn: Drawn, number: int) -> NDArray[np.bool_]:
    """(H, W) pixels that a person would cover with nothing before them, clothes included."""
    mesh = drawn.stage.mesh
    own = np.flatnonzero(mesh.owner == number)  # a person's surfaces follow one another
    first, last = int(own[0]), int(own[-1]) + 1
    start, end = mesh.first_vertex[first], mesh.first_vertex[last]
    faces = mesh.faces[mesh.first_face[first] : mesh.first_face[last]] - np.int32(start)
    vertices = to_camera(drawn.camera, mesh.vertices[start:end]).astype(np.float32)
    return covered(vertices, faces, drawn.camera, drawn.person == number)


def _posed(actor: Actor, number: int, frame: int) -> Posed:
    body = load_body()
    q = actor.q[frame]
    R, p = actor.rest.skeleton.forward(q)
    skin = np.asarray(body.pose(actor.rest, q, outputs=("vertices",), threads=1).vertices)
    surfaces = worn(actor.outfit, body, R, p, skin)
    return Posed(actor, skin, R, p, tuple(replace(surface, owner=number) for surface in surfaces))
