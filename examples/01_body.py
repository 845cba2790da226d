"""One body model, many people: age, sex, build and limb lengths, drawn side by side.

python examples/01_body.py        writes marrow_out/examples/01_body.png
"""

from pathlib import Path

import numpy as np
from PIL import Image

import marrow
from marrow.geometry.projection import camera_from_fov, look_at
from marrow.render import Figure, draw_people
from marrow.render.overlay import PALETTE
from marrow.types import Camera

PEOPLE = {
    "average adult": {},
    "woman, slight": {"gender": 1.0, "weight": 0.3, "muscle": 0.4},
    "man, heavy": {"gender": 0.0, "weight": 0.9},
    "child": {"age": 0.2, "height": 0.5},
    "long legs": {"log_scale_thigh": 0.12, "log_scale_shank": 0.12},
}


def main() -> None:
    out = Path("marrow_out/examples")
    out.mkdir(parents=True, exist_ok=True)
    body = marrow.load_body("default")
    figures = []
    for number, (name, shape) in enumerate(PEOPLE.items()):
        rest = body.rest(shape)
        print(f"{name:15s} {body.stature(shape):.2f} m tall")
        place = np.array([1.4 * (number - 2), 0, 0], np.float32)
        figures.append(Figure(rest.vertices + place, body.faces, None, (), PALETTE[number % len(PALETTE)]))

    R, t = look_at(eye=(0, 1.3, 7.5), target=(0, 0.85, 0))
    flat = camera_from_fov((1200, 480))
    camera = Camera(flat.K, flat.size, R, t)
    picture = draw_people(np.full((480, 1200, 3), 245, np.uint8), figures, camera, opacity=1.0)
    Image.fromarray(picture).save(out / "01_body.png")
    print(f"picture: {out / '01_body.png'}")


if __name__ == "__main__":
    main()
