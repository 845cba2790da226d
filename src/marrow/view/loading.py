"""A captured result, in memory or in its folder, as a scene for the viewer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marrow.body import load_body
from marrow.body.skinning import SkinWeights
from marrow.errors import InputError
from marrow.io.npz import read_motion
from marrow.io.video import open_source
from marrow.render.overlay import PALETTE
from marrow.render.stick import stick_figure
from marrow.skeleton import Skeleton
from marrow.types import Camera, Float32, Float64, Motion
from marrow.view.pictures import Pictures
from marrow.view.scene import Scene, Skin, ViewPerson


def scene_of(what: Path | Any) -> Scene:
    """The scene of a folder written by ``marrow capture``, of a :class:`marrow.Capture` or of one of its people.

    Raises:
        InputError: the folder is missing, holds no motion, or its files cannot be read.
    """
    if isinstance(what, Path):
        return _scene_of_folder(what)
    if hasattr(what, "motion"):
        return scene_of_motions([what.motion])
    motions = [person.motion for person in what.people]
    scene = scene_of_motions(motions, camera=what.camera, floor=what.floor)
    frames = getattr(what, "frames", None)
    return scene if frames is None else replace(scene, pictures=Pictures(lambda: frames, scene.time))


def scene_of_motions(
    motions: Sequence[Motion],
    *,
    camera: Camera | None = None,
    floor: Any = True,
    names: Sequence[str] = (),
    title: str = "marrow",
) -> Scene:
    """People moving in one world, with a ghost for each of their alternatives.

    The timeline holds every instant of any of them; a person is absent where their own motion has none.

    Args:
        floor: anything but None shows the floor at y = 0 (the world's floor).
        names: of the people; "person 1" and so on by default.
    """
    if not motions:
        raise InputError("there is nobody to show: the result holds no person")
    time = np.unique(np.concatenate([np.round(motion.time, 6) for motion in motions]))
    people = []
    for i, motion in enumerate(motions):
        name = names[i] if names else f"person {i + 1}"
        person = person_of_motion(motion, time, name, PALETTE[i % len(PALETTE)])
        people += [person, *ghosts(person, motion, time)]
    return Scene(people, time, camera, None if floor is None else 0.0, title=title)


def person_of_motion(motion: Motion, time: Float64, name: str, colour: tuple[int, int, int]) -> ViewPerson:
    """One person on a common timeline; the default body, skinned in the browser by the skeleton's segments."""
    body = load_body("default")
    rest = body.rest(motion.shape)
    skeleton = Skeleton.inside(rest.landmarks)
    if motion.coordinates != skeleton.coordinates:
        skeleton = skeleton.without_fingers()
    if motion.coordinates != skeleton.coordinates:
        raise InputError(
            f"{name}: its {len(motion.coordinates)} coordinates are not those of marrow's skeleton; "
            "it was probably written by another version: capture it again"
        )
    R, p = skeleton.forward(motion.q, motion.translation)
    joints, bones = stick_figure(skeleton, R, p)
    rows = np.searchsorted(time, np.round(motion.time, 6))
    seen = np.zeros(len(time), bool)
    seen[rows] = True if motion.observed is None else motion.observed
    return ViewPerson(
        name,
        body.faces,
        _spread(joints, rows, len(time)),
        bones,
        colour,
        skin=Skin(
            rest.vertices,
            _dense(body.skin_weights(skeleton.bodies), len(skeleton.bodies)),
            skeleton.bind,
            _spread(R, rows, len(time)),
            _spread(p, rows, len(time)),
        ),
        observed=seen,
    )


def ghosts(person: ViewPerson, motion: Motion, time: Float64) -> list[ViewPerson]:
    """The alternatives of a person's motion, skin only."""
    if motion.alternatives is None:
        return []
    others, out = motion.alternatives, []
    for n, (q, translation) in enumerate(zip(others.q, others.translation, strict=True), 1):
        name = f"{person.name}, alternative {n}"
        other = person_of_motion(replace(motion, q=q, translation=translation), time, name, person.colour)
        out.append(replace(other, bones=(), ghost=True))
    return out


def _dense(weights: SkinWeights, bodies: int) -> Float32:
    """Sparse skinning weights as (V, B)."""
    rows = np.repeat(np.arange(len(weights.start) - 1), np.diff(weights.start))
    out = np.zeros((len(weights.start) - 1, bodies), np.float32)
    out[rows, weights.body] = weights.weight
    return out


def _spread(values: Float64, rows: NDArray[np.intp], count: int) -> Float32:
    """Values (N, ...) put at ``rows`` of (count, ...) float32, NaN elsewhere."""
    out = np.full((count, *values.shape[1:]), np.nan, np.float32)
    out[rows] = values
    return out


def _scene_of_folder(folder: Path) -> Scene:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; give the folder that `marrow capture ... --out FOLDER` wrote")
    files = sorted(folder.glob("person_*/motion.npz"), key=lambda file: (len(file.parent.name), file.parent.name))
    if not files:
        raise InputError(
            f"{folder} holds no person_*/motion.npz; give the folder that `marrow capture ... --out FOLDER` wrote"
        )
    about = _about(folder / "capture.json")
    scene = scene_of_motions(
        [read_motion(file) for file in files],
        camera=_camera(about.get("camera")),
        floor=about.get("floor", True),
        names=[file.parent.name.replace("_", " ") for file in files],
        title=f"marrow: {folder.resolve().name}",
    )
    overlays = sorted(folder.glob("overlay.*"))
    if scene.camera is None or not overlays:
        return scene
    return replace(scene, pictures=Pictures(lambda: open_source(overlays[0]), scene.time))


def _about(path: Path) -> dict[str, Any]:
    """The folder's capture.json; empty where it was not kept."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); capture again, or delete it to see the people only"
        ) from None
    return about if isinstance(about, dict) else {}


def _camera(about: Any) -> Camera | None:
    """The camera as capture.json keeps it, or None where it does not."""
    try:
        return Camera(
            K=np.array(about["K"], float).reshape(3, 3),
            size=(int(about["size"][0]), int(about["size"][1])),
            R_cam_world=np.array(about["R_cam_world"], float).reshape(3, 3),
            t_cam_world=np.array(about["t_cam_world"], float).reshape(3),
            distortion=np.array(about.get("distortion", []), float),
            lens=str(about.get("lens", "perspective")),
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
