"""Write ``src/marrow/data/synth/figures.npz``: stature and volume of the default body over its phenotypes.

The body's vertices are linear in each phenotype between anchors, so stature (the crown over the soles) is multilinear
there as long as the same vertex is the highest; the cube root of the volume nearly is, on a finer grid. A minute.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from marrow.body import load_body
from marrow.body.shape import LIMB_SD
from marrow.data.synth.population import FAT, TABLE
from marrow.skeleton.inertia import enclosed_volume

ANCHORS = {
    "gender": (0.0, 1.0),
    "age": (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
}
FINER = {
    "gender": (0.0, 0.5, 1.0),
    "age": (-1 / 3, -1 / 6, 0.0, 0.1, 0.2, 1 / 3, 0.5, 2 / 3, 1.0),
    "muscle": (0.0, 0.25, 0.5, 0.75, 1.0),
    "weight": (0.0, 0.25, 0.5, 0.75, 1.0),
    "height": (0.0, 0.5, 1.0),
    "proportions": (0.0, 1.0),
}
#: Vertical spans that a limb's stretch lengthens: from bone to bone.
SPANS = {"trunk": ("spine05", "neck01"), "neck": ("neck01", "head"), "thigh": ("upperleg01.L", "lowerleg01.L"),
         "shank": ("lowerleg01.L", "foot.L")}  # fmt: skip


def main() -> None:
    body = load_body()

    def volume(shape: dict[str, float]) -> float:
        return enclosed_volume(body.rest(shape).vertices.astype(float), body.faces)

    def every(axes: dict[str, tuple[float, ...]]) -> list[dict[str, float]]:
        return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]

    rows = []
    for shape in every(ANCHORS):
        rest = body.rest(shape)
        at = dict(zip(rest.bones, rest.bone_heads[:, 1], strict=True))
        crown = float(rest.vertices[:, 1].max())
        rows.append([crown, *(abs(at[b] - at[a]) for a, b in SPANS.values()), crown - at["head"]])
    lengths = np.array(rows).reshape(*(len(v) for v in ANCHORS.values()), -1)
    root = np.cbrt([volume(shape) for shape in every(FINER)]).reshape([len(v) for v in FINER.values()])

    usual = [{"gender": g, "age": a} for g in (0.1, 0.9) for a in (0.2, 0.75)]
    limbs = [
        np.mean([np.log(volume(s | {f"log_scale_{limb}": 0.1}) / volume(s)) for s in usual]) / 0.1 for limb in LIMB_SD
    ]
    shares = np.linspace(0, 1, 5)
    fat = [
        [
            np.cbrt(
                volume({"gender": g, "age": a, "muscle": 0.0, "weight": 1.0} | {n: t * v for n, v in FAT.items()})
                / volume({"gender": g, "age": a, "muscle": 0.0, "weight": 1.0})
            )
            for t in shares
        ]
        for g in (0.0, 1.0)
        for a in (0.2, 0.75)
    ]
    np.savez_compressed(
        Path(TABLE),
        lengths=lengths.astype(np.float32),
        root=root.astype(np.float32),
        limbs=np.array(limbs, np.float32),
        fat=np.array(fat, np.float32).reshape(2, 2, -1),
        **{f"anchor_{name}": np.array(v) for name, v in ANCHORS.items()},
        **{f"finer_{name}": np.array(v) for name, v in FINER.items()},
    )
    print(lengths.shape, root.shape, np.round(limbs, 3), np.round(fat, 3), Path(TABLE).stat().st_size)


if __name__ == "__main__":
    main()
