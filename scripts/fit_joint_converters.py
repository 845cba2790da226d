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

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from marrow import conventions
from marrow.body import load_body
from marrow.body.keypoints import keypoint_positions, keypoint_vertices
from marrow.conventions import JOINT_SETS, SWAP, conversion
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
    best, weights = np.inf, np.zeros(0)
    while len(chosen) < MOST:
        trials = [
            (weights_of(scattered[np.ix_(own, own)]), own) for o in orbits if (own := sorted({*chosen, *o})) != chosen
        ]
        if not trials:
            break
        (w, value), own = min(trials, key=lambda trial: trial[0][1])
        if np.sqrt(value) > (1 - STEP) * np.sqrt(best):
            break
        chosen, best, weights = own, value, w
    return chosen, weights, best


def converter(src: str, dst: str, train: np.ndarray, test: np.ndarray) -> list[tuple[list[int], list[float], float]]:
    """Per joint of ``dst``: the parts, their weights where learned (else none), and the distance in millimetres."""
    placed = np.isfinite(np.diag(train))
    source = START[src] + np.arange(len(JOINT_SETS[src]))
    usable = [k for k in range(len(source)) if placed[source[k]] and (src, JOINT_SETS[src][k]) not in NOT_PLACED]
    swap = SWAP[src]
    out: list[tuple[list[int], list[float], float]] = [([], [], np.nan)] * len(JOINT_SETS[dst])
    for j, name in enumerate(JOINT_SETS[dst]):
        mirrored = int(SWAP[dst][j])
        if "right" in name.split("_"):
            continue  # made from the left one
        target = START[dst] + j
        plain = list(conversion(src, dst)[j])
        known = placed[target] and (dst, name) not in NOT_PLACED
        result: tuple[list[int], list[float], float] = (plain, [], np.nan)
        if known:
            moment, held_out = about(train, source, target), about(test, source, target)
            near = [k for k in usable if related(name, JOINT_SETS[src][k])]
            orbits = [[k] for k in near] if mirrored != j else [sorted({k, int(swap[k])}) for k in near]
            parts, weights, value = learned(np.where(np.isfinite(moment), moment, 0.0), orbits)
            residual = float(np.sqrt(max(weights @ held_out[np.ix_(parts, parts)] @ weights, 0.0)))
            even = np.full(len(plain), 1 / max(len(plain), 1))
            if plain and np.isfinite(held_out[np.ix_(plain, plain)]).all():
                left = even @ held_out[np.ix_(plain, plain)] @ even
                scattered = even @ moment[np.ix_(plain, plain)] @ even + 3 * NOISE_MM**2 / len(plain)
                result = (plain, [], float(np.sqrt(max(left, 0.0))))
                most = min((1 - WORTH) * result[2], result[2] - WORTH_MM)
                better = residual < most and value < scattered
            else:
                better = not plain and residual < FARTHEST_MM
            if better:
                result = (parts, weights.tolist(), residual)
        out[j] = result
        if mirrored != j:
            out[mirrored] = ([int(swap[k]) for k in result[0]], result[1], result[2])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--poses", type=int, default=40)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    train = products("train", given.people, given.poses, 0)
    test = products("A", given.people // 2, given.poses, 1)
    sets = list(JOINT_SETS)
    sums: list[tuple[int, int, int, int, float]] = []
    residuals = np.full((len(sets), len(sets), max(map(len, JOINT_SETS.values()))), np.nan)
    for a, src in enumerate(sets):
        for b, dst in enumerate(sets):
            if src == dst:
                continue
            for j, (parts, weights, residual) in enumerate(converter(src, dst, train, test)):
                residuals[a, b, j] = residual
                sums += [(a, b, j, k, w) for k, w in zip(parts, weights, strict=False)]
    *where, weights = zip(*sums, strict=True)
    told = {
        "command": f"python scripts/fit_joint_converters.py --people {given.people} --poses {given.poses}",
        "noise_mm": NOISE_MM, "farthest_mm": FARTHEST_MM,
    }  # fmt: skip
    np.savez_compressed(
        given.out, allow_pickle=False, about=np.array(json.dumps(told)), sets=np.array(sets),
        where=np.array(where, np.uint8).T, weight=np.array(weights, np.float16),
        residual_mm=residuals.astype(np.float16),
    )  # fmt: skip
    print(f"{len(weights)} weights, {given.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
