"""Synthetic pictures through Python: draw a scene, take what is known about it, and draw that over the picture.

    python examples/05_synthetic.py            writes marrow_out/examples/synthetic.png

Left the picture, in the middle joints and boxes, right the skin under the clothes, coloured by its place on the body.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from marrow.conventions import EDGES
from marrow.data.synth.annotations import annotate
from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.samples import Recipe, scene_of
from marrow.data.synth.scenes import Choices


def main() -> None:
    recipe = Recipe("multi", seed=3, choices=Choices(size=(480, 360)))
    drawn = draw(set_stage(scene_of(recipe, 4)))
    labels = annotate(drawn, view=0)
    joints = drawn.image.copy()
    for person in labels.record["people"]:
        told = person["joints"]["coco17"]
        for a, b in EDGES["coco17"]:
            if told["seen"][a] and told["seen"][b]:
                ends = [tuple(round(v) for v in told["xy"][k]) for k in (a, b)]
                both = told["seen"][a] == told["seen"][b] == 2
                cv2.line(joints, *ends, (80, 255, 120) if both else (255, 160, 60), 1, cv2.LINE_AA)
        if person["box"]:
            x, y, width, height = person["box"]
            cv2.rectangle(joints, (x, y), (x + width, y + height), (255, 255, 255), 1)
        hidden = 1 - person["visible_share"]
        print(f"person {person['id']}: {person['age']:.0f} years, {person['stature']:.2f} m, {hidden:.0%} hidden")
    iuv = labels.maps["iuv"].astype(float) / 65535
    skin = np.uint8(255 * np.stack([iuv[..., 1], iuv[..., 2], (labels.maps["iuv"][..., 0] % 4) / 4], -1))
    out = Path("marrow_out/examples/synthetic.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([drawn.image, joints, skin], axis=1)).save(out)
    print(f"written: {out}")


if __name__ == "__main__":
    main()
