"""Frames per second of the fit of the skeleton to a sequence of body meshes, against staged gradient optimisation.

    python benchmarks/speed/skeleton_fit.py [--frames 150] [--repeats 3] [--out FILE]

Meshes: held-out motions on four people, posed by the body's own graphics rig (:mod:`marrow.bench.rig`), so that no fit
can be exact. Both know the shape, look at the same vertices, leave the fingers out, and run on one thread in one
process; times are processor times, of all clips together, least and most of ``--repeats``. The residual is that of the
whole skin (hands left out), by the same code for both.

The other side is the recipe by which skeletons are fitted to body models in the literature: batches of frames, each
begun at the last frame of the one before, in three stages of L-BFGS (the root; the pose; all with smoothness and joint
limits), here on a torch twin of the skeleton and the skin of those vertices: batched over frames, joints of one depth
together, weights as one matrix product. Its root is laid on the first frame, which the recipe leaves to the optimiser.
It is run with several numbers of iterations, as its speed and its residual trade.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

from marrow.bench.result import machine
from marrow.bench.rig import pose_on_rig
from marrow.bench.scenes import Truth, make_truth
from marrow.body import Rest, load_body
from marrow.conventions import R_GROUND_WORLD, from_ground
from marrow.data.motion_pack import motion_pack
from marrow.fit.meshes import distances, fit_meshes, skin_points
from marrow.geometry.procrustes import align
from marrow.geometry.rotations import euler_zxy
from marrow.skeleton import BASE, Skeleton
from marrow.skeleton import tree as trees
from marrow.types import Motion

COMMAND = "python benchmarks/speed/skeleton_fit.py --out benchmarks/results/speed_skeleton_fit.json"
CLIPS = (
    ("02_04", "average"),
    ("te_jumping_1", "tall strong man"),
    ("te_soccer_1", "small slight woman"),
    ("01_12", "heavy, short legs, long arms"),
)
BATCH = 40
#: Iterations of the three stages.
EFFORTS = {"short": (30, 100, 100), "long": (50, 300, 300), "longest": (50, 900, 900)}
#: Weights of smoothness (rad/frame²) and limits (rad) against vertices (m), mean squares.
SMOOTH, LIMIT = 1e-4, 1e-2


class TorchSkin:
    """Some vertices of a person posed by the skeleton, on tensors; a twin of ``Skeleton.forward`` and skinning."""

    def __init__(self, skeleton: Skeleton, rest: Rest, ids: Sequence[int]) -> None:
        tree, as_tensor = skeleton.tree, lambda x: torch.tensor(np.asarray(x), dtype=torch.float32)
        depth = np.zeros(len(tree.parents), int)
        for b in range(1, len(depth)):
            depth[b] = depth[tree.parents[b]] + 1
        self.levels = [torch.as_tensor(np.flatnonzero(depth == d)) for d in range(1, depth.max() + 1)]
        self.order = torch.as_tensor(np.argsort(np.argsort(depth, kind="stable")))
        self.parents = torch.tensor(tree.parents)
        self.offsets = as_tensor(skeleton.offsets)
        # up to three turns of each joint: value and axis; what is missing turns about nothing
        turns, axes = np.zeros((len(depth), 3), int), np.zeros((len(depth), 3, 3))
        bent = np.flatnonzero(~tree.turns.linear)
        place = np.array(tree.turns.coordinate)
        place[bent] = len(tree.coordinates) + np.arange(len(bent))  # among the coordinates and what follows them
        for b, (first, stop) in enumerate(itertools.pairwise(tree.turns.start)):
            turns[b, : stop - first] = place[first:stop]
            axes[b, : stop - first] = tree.turns.axis[first:stop]
        self.followed = torch.as_tensor(np.concatenate([tree.turns.coordinate[bent], tree.slides.coordinate]))
        self.polynomial = as_tensor(np.concatenate([tree.turns.polynomial[bent], tree.slides.polynomial]))
        self.powers = torch.arange(1, self.polynomial.shape[1] + 1)
        slide = np.zeros((len(tree.slides.axis), len(depth), 3))
        slider = np.repeat(np.arange(len(depth)), np.diff(tree.slides.start))
        slide[np.arange(len(slider)), slider] = tree.slides.axis * skeleton.length[slider, None]
        self.slide, self.slides = as_tensor(slide), len(slide)
        K = np.zeros((len(depth), 3, 3, 3))
        K[..., 0, 1], K[..., 0, 2], K[..., 1, 2] = -axes[..., 2], axes[..., 1], -axes[..., 0]
        K -= np.swapaxes(K, -1, -2)
        self.turns, self.K, self.K2 = torch.as_tensor(turns), as_tensor(K), as_tensor(K @ K)
        self.base, self.world = as_tensor(BASE), as_tensor(R_GROUND_WORLD.T)
        every = trees.whole().bodies
        weights = load_body().skin_weights(every).rows(np.asarray(ids, np.intp))
        dense = np.zeros((len(ids), len(every)))
        dense[np.repeat(np.arange(len(ids)), np.diff(weights.start)), weights.body] = weights.weight
        self.weights = as_tensor(dense[:, [every.index(name) for name in skeleton.bodies]])
        self.bind_R, self.bind_p = as_tensor(skeleton.bind[:, :3, :3]), as_tensor(skeleton.bind[:, :3, 3])
        self.rest = as_tensor(rest.vertices[list(ids)])
        self.coordinates = skeleton.coordinates

    def __call__(self, q: torch.Tensor) -> torch.Tensor:
        """(T, N, 3) vertices of coordinates (T, D)."""
        follows = (q[:, self.followed, None] ** self.powers * self.polynomial).sum(-1)
        angle = torch.cat([q, follows], -1)[:, self.turns][..., None, None]
        offsets = self.offsets + torch.einsum("tn,nbi->tbi", follows[:, len(self.followed) - self.slides :], self.slide)
        turned = torch.eye(3) + angle.sin() * self.K + (1 - angle.cos()) * self.K2
        joint = turned[:, :, 0] @ turned[:, :, 1] @ turned[:, :, 2]
        R, p = [self.base @ joint[:, :1]], [(q[:, 3:6] @ self.world.T)[:, None]]
        above = torch.zeros(len(self.parents), dtype=torch.long)  # place of each segment within its level
        for level in self.levels:
            above[level] = torch.arange(len(level))
            up = above[self.parents[level]]
            p.append(p[-1][:, up] + (R[-1][:, up] @ offsets[:, level][..., None])[..., 0])
            R.append(R[-1][:, up] @ joint[:, level])
        R, p = torch.cat(R, 1)[:, self.order], torch.cat(p, 1)[:, self.order]
        linear = R @ self.bind_R.mT
        shift = p - (linear @ self.bind_p[..., None])[..., 0]
        moved = self.weights @ torch.cat([linear.flatten(2), shift], -1)
        return (moved[..., :9].unflatten(-1, (3, 3)) @ self.rest[..., None])[..., 0] + moved[..., 9:]


def staged(skin: TorchSkin, skeleton: Skeleton, seen: np.ndarray, iterations: tuple[int, int, int]) -> np.ndarray:
    """(T, D) coordinates by staged L-BFGS over batches of frames."""
    target = torch.as_tensor(seen, dtype=torch.float32)
    low, high = (torch.as_tensor(side, dtype=torch.float32) for side in skeleton.ranges.T)
    start, out = laid_on(skin, skeleton, seen[0]), []
    for first in range(0, len(target), BATCH):
        goal = target[first : first + BATCH]
        q = start.repeat(len(goal), 1)

        def vertices(q: torch.Tensor, goal: torch.Tensor = goal) -> torch.Tensor:
            return ((skin(q) - goal) ** 2).sum(-1).mean()

        def everything(q: torch.Tensor, data: Callable[..., torch.Tensor] = vertices) -> torch.Tensor:
            excess = (q - high).clamp(min=0) + (low - q).clamp(min=0)
            loss = data(q) + LIMIT * excess.nan_to_num(0.0, 0.0, 0.0).square().sum(-1).mean()
            return loss + SMOOTH * q.diff(n=2, dim=0).square().sum(-1).mean() if len(q) > 2 else loss

        root = torch.arange(q.shape[1]) < 6
        stages = ((root, vertices), (~root, vertices), (root | ~root, everything))
        for (mask, loss), count in zip(stages, iterations, strict=True):
            q = minimised(loss, q, mask, count)
        out.append(q)
        start = q[-1:]
    return torch.cat(out).numpy().astype(float)


def laid_on(skin: TorchSkin, skeleton: Skeleton, first: np.ndarray) -> torch.Tensor:
    """(1, D) the standing pose, its root laid on the first frame (N, 3)."""
    q = np.zeros((1, len(skeleton.coordinates)))
    standing = skin(torch.as_tensor(q, dtype=torch.float32))[0].numpy()
    _, R, t = align(standing, first, scale=False)
    q[0, :3] = skeleton.tree.ball_signs[0] * euler_zxy(BASE.T @ R @ BASE)
    q[0, 3:6] = R_GROUND_WORLD @ t
    return torch.as_tensor(q, dtype=torch.float32)


def minimised(
    loss: Callable[[torch.Tensor], torch.Tensor], q: torch.Tensor, mask: torch.Tensor, count: int
) -> torch.Tensor:
    """Coordinates (T, D) after at most ``count`` iterations over those of ``mask`` (D,)."""
    free = q[:, mask].clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [free],
        max_iter=count,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=1e-10,
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(q.masked_scatter(mask, free))
        value.backward()
        return value

    optimiser.step(closure)
    return q.masked_scatter(mask, free.detach())


@dataclass(frozen=True)
class Job:
    """A person's meshes (T, V, 3) and what is known beforehand: the body."""

    truth: Truth
    meshes: np.ndarray
    cut: Skeleton
    skin: TorchSkin
    seen: np.ndarray


def job(clip: str, person: str, frames: int) -> Job:
    """A held-out motion on a person, posed by the rig."""
    truth = make_truth(motion_pack().motion(clip), person, frames=frames)
    meshes, ids = pose_on_rig(load_body(), truth.rest, truth.skeleton, truth.q).vertices, skin_points(False)
    cut = truth.skeleton.without_fingers()
    skin = TorchSkin(cut, truth.rest, ids)
    refuse_other_twin(skin, truth)
    return Job(truth, meshes, cut, skin, meshes[:, list(ids)])


def refuse_other_twin(skin: TorchSkin, truth: Truth) -> None:
    """Stop where the twin does not pose the skin as the library does (joints of a new kind, say)."""
    q = columns(truth.q, truth.skeleton, skin.coordinates)
    twin = skin(torch.as_tensor(q, dtype=torch.float32)).numpy()
    own = load_body().pose(truth.rest, truth.q, vertex_ids=skin_points(False), outputs=("vertices",))
    assert np.abs(twin - own.vertices).max() < 1e-5, "TorchSkin is no twin of this skeleton"


def columns(q: np.ndarray, skeleton: Skeleton, names: Sequence[str]) -> np.ndarray:
    """The coordinates of those names."""
    return q[:, [skeleton.index(name) for name in names]]


def ours(one: Job) -> Motion:
    """marrow's fit as a user calls it, standard deviations and marks included."""
    truth = one.truth
    return fit_meshes(one.meshes, truth.time, shape=truth.shape, fingers=False).person.motion


def theirs(one: Job, iterations: tuple[int, int, int]) -> Motion:
    """The staged optimisation; fingers stay at zero."""
    truth, found = one.truth, staged(one.skin, one.cut, one.seen, iterations)
    q = np.zeros_like(truth.q)
    q[:, [truth.skeleton.index(name) for name in one.cut.coordinates]] = found
    return Motion(truth.time, truth.skeleton.coordinates, q, from_ground(q[:, 3:6]), truth.shape)


def residual(jobs: Sequence[Job], motions: Sequence[Motion]) -> dict[str, float]:
    """Millimetres over frames and segments, each segment's the mean over its skin; hands left out."""
    every = [
        own
        for one, motion in zip(jobs, motions, strict=True)
        for name, own in distances(motion, one.truth.skeleton, one.meshes).items()
        if not name.startswith("hand")
    ]
    mm = 1000 * np.concatenate(every)
    figures = {"mean": mm.mean(), "median": np.median(mm), "95 %": np.quantile(mm, 0.95)}
    return {name: round(float(value), 3) for name, value in figures.items()}


def timed(run: Callable[[Job], Motion], jobs: Sequence[Job]) -> tuple[float, list[Motion]]:
    """Frames per second of processor time, and the motions."""
    start = time.process_time()
    motions = [run(one) for one in jobs]
    return sum(len(one.meshes) for one in jobs) / (time.process_time() - start), motions


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(float(np.median(values)), 1), "least": round(min(values), 1), "most": round(max(values), 1)}


def compare(jobs: Sequence[Job], repeats: int) -> dict[str, Any]:
    """Speed and residual of all; each repeat runs all of them in turn, so that the machine's other work hits all."""
    runs: dict[str, Callable[[Job], Motion]] = {"marrow": ours}
    for name, iterations in EFFORTS.items():
        runs[name] = lambda one, iterations=iterations: theirs(one, iterations)
    rates: dict[str, list[float]] = {name: [] for name in runs}
    left: dict[str, dict[str, float]] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            rate, motions = timed(run, jobs)
            rates[name].append(rate)
            left[name] = residual(jobs, motions)
            print(f"{name}: {rate:.1f} frames/s, {left[name]}", flush=True)
    out: dict[str, Any] = {
        name: {"frames_per_second": spread(own), "residual_mm": left[name]} for name, own in rates.items()
    }
    for name, iterations in EFFORTS.items():
        times = [a / b for a, b in zip(rates["marrow"], rates[name], strict=True)]
        out[name] = {"iterations": iterations} | out[name] | {"times_faster_is_marrow": spread(times)}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    jobs = [job(clip, person, options.frames) for clip, person in CLIPS]
    ours(jobs[0])  # compiles
    found = compare(jobs, options.repeats)
    result = {
        "command": COMMAND,
        "clips": [" on ".join(pair) for pair in CLIPS],
        "frames": sum(len(one.meshes) for one in jobs),
        "vertices": len(skin_points(False)),
        "coordinates": len(jobs[0].cut.coordinates),
        "repeats": options.repeats,
        "marrow": found.pop("marrow"),
        "staged_lbfgs": {"frames_in_a_batch": BATCH, **found},
        "machine": machine(),
    }
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
