"""Learn linear converters between joint sets: ``src/marrow/joint_converters.npz``.

    python scripts/fit_joint_converters.py

People drawn from the population take poses of the shipped motions; the points of every joint set are put on them
(:mod:`marrow.body.keypoints`, BlazePose's where the detector puts them). A joint of one set is then a weighted sum of
few points of another, the weights summing to one, so that a converter holds wherever the person stands, however large,
in metres and in a picture. The weights minimise the mean square distance for source points that scatter by ``NOISE_MM``
an axis (ridge regression whose strength is a detector's scatter); points are added one (or a mirrored pair) at a time
while that helps. What is reported is the distance on people of other shapes in unseen motions (split ``A``), scaled to
1.70 m, without scatter. Left and right are mirror images.

Where a joint can be copied, or be a mean of points, and the learned sum is hardly better, that stays; a joint
that nothing tells to within ``FARTHEST_MM`` is left out.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from marrow import conventions
from marrow.body import load_body
from marrow.body.keypoints import keypoint_positions, keypoint_vertices
from marrow.conventions import JOINT_SETS, SWAP, conversion, joint_conversion
from marrow.data.synth.population import sample_figure
from marrow.data.synth.poses import PoseSampler

OUT = Path(conventions.__file__).with_name("joint_converters.npz")
NOISE_MM = 12.0
FARTHEST_MM = 60.0
#: Least gain of one more point, as a share of the error, and what a learned sum must gain on a copy or a mean.
STEP, WORTH, WORTH_MM = 0.06, 0.1, 1.0
MOST = 8
#: SMPL's root is not where the body's pelvis is (see conventions), so nothing is learned from or for it.
NOT_PLACED = {("smpl24", "pelvis")}
#: Parts of the names of an arm's and a leg's points, the root of the limb apart.
ARMS = ("elbow", "wrist", "hand", "thumb", "index", "middle", "ring", "little", "pinky")
LEGS = ("knee", "ankle", "heel", "foot", "toe")
#: Pairs whose distances the documentation tells.
SHOWN = (
    ("blazepose33", "h36m17"), ("blazepose33", "coco17"), ("blazepose33", "smpl24"), ("coco17", "h36m17"),
    ("coco17", "blazepose33"), ("h36m17", "coco17"), ("h36m17", "smpl24"), ("smpl24", "h36m17"), ("body25", "h36m17"),
    ("mpi3dhp17", "h36m17"),
)  # fmt: skip
START = dict(zip(JOINT_SETS, np.cumsum([0, *map(len, JOINT_SETS.values())]).tolist(), strict=False))
MIRROR = np.concatenate([START[name] + SWAP[name] for name in JOINT_SETS])


def products(split: str, people: int, poses: int, seed: int) -> np.ndarray:
    """(P, P) means of the inner products of all sets' points about one of them, square millimetres at 1.70 m."""
    body, rng, sampler = load_body(), np.random.default_rng(seed), PoseSampler(split)
    ids = sorted({v for name in JOINT_SETS for v in keypoint_vertices(name)})
    total = np.zeros((len(MIRROR), len(MIRROR)))
    for _ in range(people):
        figure = sample_figure(rng)
        rest = body.rest(figure.shape)
        skeleton = rest.skeleton
        q = np.array([sampler.pose(rng, skeleton, figure.age) for _ in range(poses)])
        skin = np.asarray(body.pose(rest, q, vertex_ids=ids, outputs=("vertices",)).vertices, float)
        R, p = skeleton.forward(q)
        points = np.concatenate([keypoint_positions(name, skeleton, R, p, skin, ids) for name in JOINT_SETS], 1)
        flat = (1700.0 / figure.stature) * (points - p[:, :1]).transpose(0, 2, 1).reshape(-1, points.shape[1])
        total += flat.T @ flat
    total /= people * poses
    return (total + total[MIRROR][:, MIRROR]) / 2  # as if everybody had also been seen in a mirror


def related(target: str, source: str) -> bool:
    """Whether a joint may be made from a point: of the trunk and head from those, of a limb also from its own points.

    A far limb's point adds nothing but a small shift, and is lost with that limb.
    """
    arm, leg = ((any(part in target for part in own), any(part in source for part in own)) for own in (ARMS, LEGS))
    if not arm[1] and not leg[1]:
        return True
    same = ("left" in source.split("_")) == ("left" in target.split("_"))
    return same and ((arm[0] and arm[1]) or (leg[0] and leg[1]))


def about(products_: np.ndarray, source: np.ndarray, target: int) -> np.ndarray:
    """Mean products of the source points seen from the target."""
    own = products_[np.ix_(source, source)]
    to = products_[source, target]
    return own - to[:, None] - to[None, :] + products_[target, target]


def weights_of(moment: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights, summing to one, of least mean square length of the sum, and that mean square."""
    inverse = np.linalg.solve(moment, np.ones(len(moment)))
    return inverse / inverse.sum(), 1.0 / float(inverse.sum())


def learned(moment: np.ndarray, orbits: list[list[int]]) -> tuple[list[int], np.ndarray, float]:
    """Points chosen one orbit at a time, their weights, and the mean square left, scatter included."""
    scattered = moment + 3 * NOISE_MM**2 * np.eye(len(moment))
    chosen: list[int] = []
    least, weights = np.inf, np.zeros(0)
    while len(chosen) < MOST:
        trials = [
            (weights_of(scattered[np.ix_(own, own)]), own) for o in orbits if (own := sorted({*chosen, *o})) != chosen
        ]
        if not trials:
            break
        (w, value), own = min(trials, key=lambda trial: trial[0][1])
        if np.sqrt(value) > (1 - STEP) * np.sqrt(least):
            break
        chosen, least, weights = own, value, w
    return chosen, weights, least


class Made(NamedTuple):
    """A joint: its parts, their weights where learned, and the distance in millimetres, learned or plain and plain."""

    parts: list[int]
    weights: list[float]
    residual: float
    plain: float


def converter(src: str, dst: str, train: np.ndarray, test: np.ndarray) -> list[Made]:
    """How each joint of ``dst`` is made."""
    placed = np.isfinite(np.diag(train))
    source = START[src] + np.arange(len(JOINT_SETS[src]))
    usable = [k for k in range(len(source)) if placed[source[k]] and (src, JOINT_SETS[src][k]) not in NOT_PLACED]
    swap = SWAP[src]
    out = [Made([], [], np.nan, np.nan)] * len(JOINT_SETS[dst])
    for j, name in enumerate(JOINT_SETS[dst]):
        mirrored = int(SWAP[dst][j])
        if "right" in name.split("_"):
            continue  # made from the left one
        target = START[dst] + j
        plain = list(conversion(src, dst)[j])
        made = Made(plain, [], np.nan, np.nan)
        if placed[target] and (dst, name) not in NOT_PLACED:
            near = [k for k in usable if related(name, JOINT_SETS[src][k])]
            orbits = [[k] for k in near] if mirrored != j else [sorted({k, int(swap[k])}) for k in near]
            made = best(about(train, source, target), about(test, source, target), plain, orbits)
        out[j] = made
        if mirrored != j:
            out[mirrored] = made._replace(parts=[int(swap[k]) for k in made.parts])
    return out


def best(moment: np.ndarray, held_out: np.ndarray, plain: list[int], orbits: list[list[int]]) -> Made:
    """The copy or mean of ``plain``, or a learned sum where that is clearly nearer and no less steady."""
    parts, weights, value = learned(moment, orbits)
    residual = rms(held_out, parts, weights)
    even = np.full(len(plain), 1 / max(len(plain), 1))
    left = rms(held_out, plain, even) if plain else np.nan
    if np.isfinite(left):
        scattered = even @ moment[np.ix_(plain, plain)] @ even + 3 * NOISE_MM**2 / len(plain)
        better = residual < min((1 - WORTH) * left, left - WORTH_MM) and value < scattered
    else:
        better = not plain and residual < FARTHEST_MM
    return Made(parts, weights.tolist(), residual, left) if better else Made(plain, [], left, left)


def rms(moment: np.ndarray, parts: list[int], weights: np.ndarray) -> float:
    return float(np.sqrt(max(weights @ moment[np.ix_(parts, parts)] @ weights, 0.0)))


def table(path: Path) -> str:
    """Markdown: of some pairs, each joint's kind and distance, and that of the plain copy or mean."""
    with np.load(path, allow_pickle=False) as file:
        sets, plain = file["sets"].tolist(), file["plain_mm"]
    lines = ["| from → to | joint: mm (copied or mean: mm) |", "|---|---|"]
    for src, dst in SHOWN:
        way, cells = joint_conversion(src, dst), []
        before = plain[sets.index(src), sets.index(dst)]
        for j, name in enumerate(JOINT_SETS[dst]):
            if "right" in name.split("_"):
                continue
            word, mm = f"`{name.removeprefix('left_')}`", f"{way.residual_mm[j]:.0f}"
            if way.kind[j] == "absent":
                mm = "–"
            elif way.kind[j] == "learned" and np.isfinite(before[j]):
                mm += f" ({before[j]:.0f})"
            cells.append(f"{word} {mm}")
        lines.append(f"| `{src}` → `{dst}` | {', '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=220)
    parser.add_argument("--poses", type=int, default=30)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print the table of docs/conventions.md")
    given = parser.parse_args()
    if given.table:
        print(table(given.out))
        return
    train = products("train", given.people, given.poses, 0)
    test = products("A", given.people // 2, given.poses, 1)
    sets = list(JOINT_SETS)
    sums: list[tuple[int, int, int, int, float]] = []
    residuals = np.full((2, len(sets), len(sets), max(map(len, JOINT_SETS.values()))), np.nan)
    for a, src in enumerate(sets):
        for b, dst in enumerate(sets):
            if src == dst:
                continue
            for j, made in enumerate(converter(src, dst, train, test)):
                residuals[:, a, b, j] = made.residual, made.plain
                sums += [(a, b, j, k, w) for k, w in zip(made.parts, made.weights, strict=False)]
    *where, weights = zip(*sums, strict=True)
    told = {
        "command": f"python scripts/fit_joint_converters.py --people {given.people} --poses {given.poses}",
        "noise_mm": NOISE_MM, "farthest_mm": FARTHEST_MM,
    }  # fmt: skip
    np.savez_compressed(
        given.out, allow_pickle=False, about=np.array(json.dumps(told)), sets=np.array(sets),
        where=np.array(where, np.uint8).T, weight=np.array(weights, np.float16),
        residual_mm=residuals[0].astype(np.float16), plain_mm=residuals[1].astype(np.float16),
    )  # fmt: skip
    print(f"{len(weights)} weights, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
