"""Model the bones of marrow's skeleton inside the average adult and write them down: ``bones.npz``.

    python scripts/build_bones.py [--only NAME ...] [--light]

Everything is made from formulas: solids of tubes, ellipsoids and plates between the bony landmarks and joint centres of
the default body, blended and cut (``scripts/bones/``), then kept at a distance under the skin, and meshed. Nothing was
scanned or taken from anybody's model; the shapes are ours and CC0. Dimensions that landmarks do not give (a vertebra's
height, the width of a shaft, the slope of a rib) are those of anatomy books for an adult of 1.70 m, named where used.

Stored are the bones of the midline and of the left side in the bind pose of the reference body; the right side is
their mirror image. :mod:`marrow.skeleton.bones` fits them to a person. ``bones_light.npz`` holds the same bones with a
tenth of the triangles (``scripts/bones/lighter.py``; needs ``pip install fast-simplification``).
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial import cKDTree

sys.path.insert(0, str(Path(__file__).resolve().parent / "bones"))

import arms
import legs
import lighter
import shapes
import skull
import trunk

from marrow.body import anatomy, load_body
from marrow.body.default import DefaultBody, Rest
from marrow.render import vertex_normals
from marrow.skeleton.bones import FILES, UNIT
from marrow.skeleton.joint_centres import joint_centres

#: Cell of the surface mesh by the beginning of a bone's name, millimetres; the first that fits.
CELLS = (
    ("skull", 3.4), ("mandible", 2.8), ("hip_bone", 3.8), ("sacrum", 3.8), ("femur", 4.6), ("tibia", 4.4),
    ("fibula", 3.8), ("talus", 3.4), ("calcaneus", 3.6), ("scapula", 2.8), ("humerus", 4.0), ("sternum", 4.2),
    ("rib", 3.6), ("costal", 3.4), ("clavicle", 3.6), ("ulna", 3.4), ("radius", 3.4), ("cuboid", 3.2), ("C", 3.2),
    ("T", 3.8), ("L", 4.6), ("metatarsal", 3.0), ("toe", 2.6), ("patella", 3.6), ("", 2.6),
)  # fmt: skip
#: Least distance under the skin, likewise.
MARGINS = (
    ("toe", 2.0), ("metatarsal", 3.0), ("skull", 5.0), ("mandible", 5.5), ("hip_bone", 8.0), ("rib", 10.0),
    ("index", 2.0), ("middle", 2.0), ("ring", 2.0), ("little", 2.0), ("thumb", 2.0), ("metacarpal", 2.5),
    ("costal", 10.0), ("sternum", 7.0), ("tibia", 5.5), ("calcaneus", 5.0), ("L", 10.0), ("C", 6.0), ("", 4.0),
)  # fmt: skip
MIDLINE = ("skull", "mandible", "sacrum", "sternum", *trunk.VERTEBRAE)

#: Name to vertices (V, 3), millimetres, and faces (F, 3).
Bones = dict[str, tuple[np.ndarray, np.ndarray]]


class Skin:
    """Signed distance from the reference body's skin (negative inside), from its nearest points and their normals."""

    def __init__(self, body: DefaultBody, rest: Rest) -> None:
        x = rest.vertices.astype(float) * 1000
        n = vertex_normals(rest.vertices, body.faces).astype(float)
        n /= np.linalg.norm(n, axis=1, keepdims=True) + 1e-12
        corners, normals = x[body.faces], n[body.faces]
        shares = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 2], [1, 1, 0],
                           [0, 1, 1], [1, 0, 1]], float)  # fmt: skip
        shares /= shares.sum(1, keepdims=True)
        self.points = np.einsum("sk,fkc->fsc", shares, corners).reshape(-1, 3)
        self.normals = np.einsum("sk,fkc->fsc", shares, normals).reshape(-1, 3)
        seen = outer(x, body.faces, self.points, self.normals)
        self.points, self.normals = self.points[seen], self.normals[seen]
        self.tree = cKDTree(self.points)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        near = self.tree.query(x, k=6)[1]
        return np.einsum("nkc,nkc->nk", x[:, None] - self.points[near], self.normals[near]).mean(1)


def outer(x: np.ndarray, faces: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Which points of the head's skin see the open: not the lining of the mouth, the nose and the eyelids."""
    out = np.ones(len(points), bool)
    head = np.flatnonzero((points[:, 1] > 1440) & (np.abs(points[:, 0]) < 75))
    rays = trimesh.Trimesh(x, faces, process=False).ray
    start = points[head] + 0.3 * normals[head]
    out[head] = ~rays.intersects_any(start, normals[head])
    mouth = (np.abs(points[:, 0]) < 24) & (np.abs(points[:, 1] - 1518) < 17) & (points[:, 2] < 50)
    return out & ~mouth  # what shows through the gap of the lips is lining too


def first(table: tuple[tuple[str, float], ...], name: str) -> float:
    return next(value for start, value in table if name.startswith(start))


def marks(body: DefaultBody, rest: Rest) -> dict[str, np.ndarray]:
    """Landmarks and centres of the left side and the midline, millimetres, without a side in their names."""
    bony = anatomy.bony_landmarks(rest)
    points = bony | joint_centres(bony)
    out = {k.removesuffix("_l"): 1000 * v for k, v in points.items() if not k.endswith("_r")}
    head = {name: 1000 * x for name, x in zip(body.bones, rest.bone_heads, strict=True)}
    vertices = 1000 * rest.vertices.astype(float)
    start, bone, weight = body.bone_weights
    owner = np.array([bone[i:j][np.argmax(weight[i:j])] for i, j in pairwise(start)])
    for k in range(1, 6):
        last = f"toe{k}-{3 if k > 1 else 2}.L"
        tip = vertices[owner == body.bones.index(last)]
        tip = tip[np.argmax(tip[:, 2])] + [0, 0, -6]
        tip[1] = 14.0 if k == 1 else 12.0
        out[f"toe_{k}"], out[f"toe_joint_{k}"] = tip, head[f"toe{k}-2.L"] - [0, 5, 0]
    return out


def model(name: str, shape: shapes.Shape, skin: Skin, low: np.ndarray, high: np.ndarray) -> tuple:
    """Mesh of one bone: found on a coarse grid, held under the skin, meshed finely."""
    for step in (24.0, 8.0):
        axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        near = grid[shape(grid) < 1.1 * step]
        low, high = near.min(0) - step, near.max(0) + step
    cell, margin = first(CELLS, name), first(MARGINS, name)
    box = low, high
    if name in MIDLINE:  # a grid with mirror symmetry gives a mesh that has it
        half = cell * (np.ceil(max(-box[0][0], box[1][0]) / cell) + 0.5)
        box[0][0], box[1][0] = -half, half

    def held(x: np.ndarray) -> np.ndarray:
        if name in MIDLINE:
            x = np.abs(x) * [1, 0, 0] + x * [0, 1, 1]
        d = shape(x)
        inner = np.abs(d) < 12
        if inner.any():
            d[inner] = np.maximum(d[inner], skin(x[inner]) + margin)
        return d

    return shapes.mesh(held, *box, cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="model these bones anew, keep the others")
    parser.add_argument("--light", action="store_true", help="model none: only thin those that are there")
    options = parser.parse_args()
    body = load_body()
    rest = body.rest()
    old = stored() if options.only or options.light else {}
    bones = old if options.light else modelled(body, rest, old, options.only)
    bony = anatomy.bony_landmarks(rest)
    places = bony | joint_centres(bony)
    if not options.light:
        store(FILES["full"], bones, places)
    light = {name: lighter.lighter(name, v, f, name in MIDLINE) for name, (v, f) in bones.items()}
    store(FILES["light"], light, places)


def modelled(body: DefaultBody, rest: Rest, old: Bones, only: list[str] | None) -> Bones:
    """Every bone, or those whose names begin as ``only`` says and the old ones beside them; millimetres."""
    m, skin = marks(body, rest), Skin(body, rest)
    solids = {**skull.bones(m), **trunk.trunk(m), **arms.arm(m), **legs.leg(m)}
    low, high = 1000 * rest.vertices.min(0).astype(float) * [0.2, 1, 1] - 10, 1000 * rest.vertices.max(0) + 10
    out = {}
    for name, shape in solids.items():
        if only and not name.startswith(tuple(only)):
            out[name] = old[name]
            continue
        begun = time.process_time()
        out[name] = model(name, shape, skin, low, high)
        print(f"{name:22s} {len(out[name][0]):6d} vertices {time.process_time() - begun:6.1f} s", flush=True)
    return out


def store(path: Path, bones: Bones, places: dict[str, np.ndarray]) -> None:
    sizes = [(len(v), len(f)) for v, f in bones.values()]
    np.savez_compressed(
        path,
        vertices=np.concatenate([np.round(v / 1000 / UNIT).astype(np.int16) for v, _ in bones.values()]),
        faces=np.concatenate([f.astype(np.uint16) for _, f in bones.values()]),
        names=np.array(list(bones)),
        sizes=np.array(sizes, np.int32),
        midline=np.array([n in MIDLINE for n in bones]),
        marks=np.array(list(places)),
        places=np.array(list(places.values()), np.float64),
    )
    print(f"{len(bones)} bones, {sum(n for n, _ in sizes)} vertices, {path.stat().st_size / 1e6:.2f} MB -> {path}")


def stored() -> Bones:
    """The bones of the file that ships, millimetres."""
    with np.load(FILES["full"]) as data:
        ends = np.cumsum(data["sizes"], axis=0)[:-1]
        v = np.split(data["vertices"] * UNIT * 1000, ends[:, 0])
        f = np.split(data["faces"].astype(int), ends[:, 1])
        return {str(n): (a, b) for n, a, b in zip(data["names"], v, f, strict=True)}


if __name__ == "__main__":
    main()
