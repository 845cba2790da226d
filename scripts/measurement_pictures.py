"""Pictures of the measurements' tapes and of bones of other lengths, for docs/gallery/measurements.

python scripts/measurement_pictures.py
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from anatomy_pictures import GALLERY, SKIN, camera, shaded
from PIL import Image

from marrow.body import load_body
from marrow.body.bones import bone_lengths
from marrow.body.default import Rest
from marrow.body.measurements import DEFINITIONS, figure
from marrow.types import Camera

SIZE, SAMPLES = (480, 620), 3
LOOKS = ("front", "left", "back")
PEOPLE = {"woman": {"gender": 1.0, "weight": 0.55}, "child": {"age": 0.2}}
TAPE, BONE, INK, PALE = (200, 30, 60), (30, 60, 160), (40, 40, 40), (255, 250, 245)


def skin(rest: Rest, cam: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) and depth (H, W) of a body at rest."""
    picture, depth, _ = shaded(rest.vertices.astype(float), load_body().faces, cam, SKIN)
    return np.ascontiguousarray(picture.astype(np.uint8)), depth


def line(picture: np.ndarray, depth: np.ndarray | None, cam: Camera, points: np.ndarray, colour: tuple) -> None:
    """Draw a polyline (n, 3) of the world; with ``depth`` only where it is not behind the skin."""
    fine = np.concatenate([a + np.linspace(0, 1, 12)[:, None] * (b - a) for a, b in pairwise(points)])
    x = fine @ cam.R_cam_world.T + cam.t_cam_world
    px = x[:, :2] / x[:, 2:] * cam.K[[0, 1], [0, 1]] + cam.K[:2, 2]
    at = np.clip(px.round().astype(int), 0, np.array(cam.size) - 1)
    seen = np.ones(len(px), bool) if depth is None else x[:, 2] < depth[at[:, 1], at[:, 0]] + 0.012
    for i in range(len(px) - 1):
        if seen[i] and seen[i + 1]:
            cv2.line(picture, tuple(at[i].tolist()), tuple(at[i + 1].tolist()), colour, 2 * SAMPLES, cv2.LINE_AA)


def view(look: str, height: float) -> Camera:
    size = (SIZE[0] * SAMPLES, SIZE[1] * SAMPLES)
    return camera(look, np.array([0.0, 0.5 * height, -0.02]), 0.54 * height * SIZE[0] / SIZE[1], size)


def tapes(name: str) -> np.ndarray:
    """Girths of a person, seen from all sides, each named once."""
    rest = load_body().rest(PEOPLE[name])
    f, height = figure(rest), float(rest.vertices[:, 1].max())
    rings = {n: d.ring(f).points(f) for n, d in DEFINITIONS.items() if d.kind == "girth" and d.ring is not None}
    out = []
    for look in LOOKS:
        cam = view(look, height)
        picture, depth = skin(rest, cam)
        for ring in rings.values():
            line(picture, depth, cam, np.concatenate([ring, ring[:1]]), TAPE)
        if look == "front":
            for label, ring in rings.items():
                trunk = label in ("chest_girth", "waist_girth", "hip_girth")
                x = ring.mean(0) if trunk else ring[ring[:, 0].argmin()]
                x = x @ cam.R_cam_world.T + cam.t_cam_world
                px = x[:2] / x[2] * cam.K[[0, 1], [0, 1]] + cam.K[:2, 2]
                words = f"{label.removesuffix('_girth').replace('_', ' ')} {100 * DEFINITIONS[label].take(f):.1f}"
                width = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.42 * SAMPLES, SAMPLES)[0][0]
                shift = (-width // 2, -5 * SAMPLES) if trunk else (-width - 8 * SAMPLES, 4 * SAMPLES)
                at, ink = (int(px[0]) + shift[0], int(px[1]) + shift[1]), PALE if trunk else INK
                cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42 * SAMPLES, ink, SAMPLES, cv2.LINE_AA)
        out.append(picture)
    return np.concatenate(out, axis=1)


def bones() -> np.ndarray:
    """The same soft tissue on shorter legs and arms, as it is, and on longer ones; joint centres as dots."""
    body, out = load_body(), []
    own = bone_lengths(body.rest(PEOPLE["woman"]).landmarks)
    for factor in (0.85, 1.0, 1.15):
        asked = {name: factor * own[f"{name}_r"] for name in ("femur", "tibia", "humerus", "radius")}
        rest = body.rest(PEOPLE["woman"], bones=asked)
        cam = view("front", 1.78)
        picture, _ = skin(rest, cam)
        for side in "rl":
            for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
                line(picture, None, cam, np.array([rest.landmarks[f"{n}_{side}"] for n in chain]), BONE)
        f = figure(rest)
        words = f"femur {100 * asked['femur']:.1f}  thigh {100 * DEFINITIONS['mid_thigh_girth'].take(f):.1f} cm"
        at = (20 * SAMPLES, 20 * SAMPLES)
        cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * SAMPLES, INK, SAMPLES, cv2.LINE_AA)
        out.append(picture)
    return np.concatenate(out, axis=1)


def main() -> None:
    folder = GALLERY / "measurements"
    folder.mkdir(exist_ok=True)
    for name, picture in (("girths", tapes("woman")), ("child", tapes("child")), ("bones", bones())):
        small = cv2.resize(picture, None, fx=1 / SAMPLES, fy=1 / SAMPLES, interpolation=cv2.INTER_AREA)
        Image.fromarray(small).quantize(96).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
