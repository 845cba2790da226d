"""Contact sheets of synthetic pictures, a hundred of each preset as they come, for docs/gallery.

python scripts/gallery_synth.py            # all
python scripts/gallery_synth.py clean      # one
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from marrow.data.synth.draw import draw, set_stage
from marrow.data.synth.presets import PRESETS
from marrow.data.synth.samples import Recipe, scene_of

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
#: Rows and columns, and the height of a tile in pixels.
ROWS, COLUMNS, TILE = 10, 10, 128
SEED = 7


def sheet(preset: str, rows: int, columns: int, height: int) -> np.ndarray:
    """Pictures 0, 1, 2 … of a preset (first frames of films) in rows."""
    tiles = []
    for index in range(rows * columns):
        image = draw(set_stage(scene_of(Recipe(preset, SEED), index))).image
        width = round(image.shape[1] * height / image.shape[0])
        tiles.append(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    return np.concatenate([np.concatenate(tiles[k : k + columns], 1) for k in range(0, len(tiles), columns)])


if __name__ == "__main__":
    for name in sys.argv[1:] or PRESETS:
        Image.fromarray(sheet(name, ROWS, COLUMNS, TILE)).save(GALLERY / f"synth_{name}.jpg", quality=80)
    if len(sys.argv) == 1:
        Image.fromarray(sheet("clean", 1, 5, 200)).save(GALLERY / "synth_readme.jpg", quality=85)
