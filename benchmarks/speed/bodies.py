"""Speed and memory of bodies on a processor: SMPL's family and the default body, against what else poses them.

    python benchmarks/speed/bodies.py [--pairs 9] [--out benchmarks/results/speed_bodies.json]

**SMPL:** a made-up file of SMPL's shape (6,890 vertices of four influences each, 24 joints, 10 shapes, 207
correctives), random numbers in it, read by all from disk; against *plain torch*, the published equations on dense
tensors (:class:`Plain`, as one writes them, and tuned for speed), and against the package ``body-models`` (the extra
``body-models``) on its torch and its Warp kernels.
**Default body:** in its own 104 bones (:class:`marrow.body.default_tensors.DefaultTensors`) against ``anny.Anny()`` as
it comes (float64, Warp) and in float32: other shapes in all poses, and one shape in 1,000 poses.

Forward, and forward with gradients by shape, pose and translation. The two of a pair run right after each other, in
turn first, in one process; what is told is the median, least and most of the ratios of the pairs. With one thread the
clock is the process's processor time, and the gates are on that; with two it is the wall's. Batches are as large as
the row says for all sides, files and models are ready, the first calls (which compile) are not timed. Outputs must
agree. *Bound* is what the arithmetic alone would take: the matrix product's rate, measured on the same shapes by the
faster of torch and numpy, or the memory's, whichever is slower for a row.

Memory is measured in a process of its own for each body: growth of the resident set when the model is made, and its
peak in a batch of 256 beyond that.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gc
import importlib.metadata
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from marrow.bench.result import machine
from marrow.body.default_tensors import DefaultTensors
from marrow.body.model_file import ModelFile, read_model_file
from marrow.body.shape import PHENOTYPES
from marrow.body.skinning import SkinWeights
from marrow.body.smpl import SmplTensors

ROOT = Path(__file__).parents[2]
COMMAND = "python benchmarks/speed/bodies.py --out benchmarks/results/speed_bodies.json"
#: A measurement lasts at least so long, seconds.
LEAST = 0.1
POSES = 1000
TOLERANCE = 1e-5  # metres
FORWARD, BOTH, ONE_SHAPE = "forward", "forward and backward", "one shape, 1,000 poses"
PLAIN, TUNED, PACKAGE, PACKAGE_WARP = "plain torch", "plain torch, tuned", "body-models, torch", "body-models, Warp"
ANNY, ANNY32 = "anny as it comes", "anny, float32"
#: Body, what, batch, against whom, and how many times faster marrow must be with one thread (median).
GATES = (
    ("smpl", FORWARD, 256, PLAIN, 4.5),
    ("smpl", FORWARD, 256, PACKAGE, 14.0),
    ("smpl", BOTH, 256, PLAIN, 4.0),
    ("smpl", BOTH, 256, PACKAGE, 12.0),
    ("smpl", FORWARD, 1, PLAIN, 1.5),
    ("default", FORWARD, 256, ANNY, 6.0),
    ("default", BOTH, 256, ANNY, 4.0),
    ("default", ONE_SHAPE, POSES, ANNY, 10.0),
)
#: Milliseconds a body that plain torch may take at most, or it is no fair rival.
FAIR_MS = 0.8
#: Times the bound that a forward pass of 256 may take; megabytes of the default body and of its batch of 256.
BOUND, MODEL_MB, BATCH_MB = 2.0, 60.0, 600.0

Job = Callable[[], Any]
Given = dict[str, torch.Tensor]


# ---------------------------------------------------------------------------------------------------------------------
# SMPL: the file, the plain rival, the package
# ---------------------------------------------------------------------------------------------------------------------


def made_up_file(folder: Path, vertices: int | None = None) -> Path:
    """A file of SMPL's shape with random numbers and four influences a vertex."""
    sys.path.insert(0, str(ROOT / "tests" / "body"))
    import model_files  # type: ignore[import-not-found]

    content = model_files.arrays("smpl", vertices=vertices)
    random, (count, joints) = np.random.default_rng(1), content["weights"].shape
    weights = np.zeros((count, joints))
    four = np.argsort(random.random((count, joints)), 1)[:, :4]
    np.put_along_axis(weights, four, random.uniform(0.1, 1, (count, 4)), 1)
    content["weights"] = weights / weights.sum(1, keepdims=True)
    return model_files.write_pkl(folder / "smpl.pkl", content, chumpy=False)


class Plain:
    """SMPL on dense tensors, as one writes it well in plain torch (Loper et al. 2015, equations 2 to 10).

    One matrix product each for shape, correctives and blended transforms, joints of one depth together, no homogeneous
    coordinates. ``tuned`` is the fastest that we could write in plain torch: coordinates in planes (3, V) instead of
    points (V, 3), so that skinning is three multiplications and additions of whole planes.
    """

    def __init__(self, file: ModelFile, tuned: bool = False) -> None:
        def tensor(values: Any) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, np.float32))

        def flat(moves: np.ndarray) -> torch.Tensor:
            moves = moves.swapaxes(-1, -2) if tuned else moves
            return tensor(moves.reshape(*moves.shape[:-2], -1))

        self.tuned, joints = tuned, len(file.parents)
        self.template, self.shapes, self.correctives = map(flat, (file.template, file.shape_basis, file.pose_basis))
        regressor = file.joint_regressor
        self.joints = tensor((regressor @ file.template).reshape(-1))
        self.joint_shapes = tensor(np.stack([regressor @ move for move in file.shape_basis]).reshape(-1, 3 * joints))
        self.weights = tensor(dense(file.weights, joints).T if tuned else dense(file.weights, joints))
        depth = [0] * joints
        for j in range(1, joints):
            depth[j] = depth[file.parents[j]] + 1
        levels = [[j for j in range(joints) if depth[j] == d] for d in range(max(depth) + 1)]
        self.levels = [torch.tensor(level) for level in levels]
        self.above = [
            torch.tensor([above.index(file.parents[j]) for j in level]) for above, level in itertools.pairwise(levels)
        ]
        self.order = torch.tensor(np.argsort([j for level in levels for j in level]))
        self.parents = torch.tensor(file.parents[1:])
        self.cross = torch.zeros(3, 9)
        self.cross[0, 7] = self.cross[1, 2] = self.cross[2, 3] = 1
        self.cross[0, 5] = self.cross[1, 6] = self.cross[2, 1] = -1

    def __call__(self, shape: torch.Tensor, pose: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
        """(B, V, 3) vertices of shapes (B, S), rotation vectors (B, J, 3) and translations (B, 3)."""
        rows = len(pose)
        joints = torch.addmm(self.joints, shape, self.joint_shapes).view(rows, -1, 3)
        rotations = self.rotations(pose)
        steps = torch.cat([joints[:, :1], joints[:, 1:] - joints[:, self.parents]], 1)
        turned, place = [rotations[:, self.levels[0]]], [steps[:, self.levels[0]]]
        for level, above in zip(self.levels[1:], self.above, strict=True):
            R = turned[-1][:, above]
            place.append(place[-1][:, above] + (R @ steps[:, level, :, None])[..., 0])
            turned.append(R @ rotations[:, level])
        world, at = torch.cat(turned, 1)[:, self.order], torch.cat(place, 1)[:, self.order]
        offset = at - (world @ joints[..., None])[..., 0] + translation[:, None]
        bent = (rotations[:, 1:] - torch.eye(3)).flatten(1)
        rest = torch.addmm(torch.addmm(self.template, shape, self.shapes), bent, self.correctives)
        return (self.skinned_planes if self.tuned else self.skinned)(rest, world, offset)

    def skinned(self, rest: torch.Tensor, world: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        transforms = self.weights @ torch.cat([world.flatten(2), offset], 2)  # (B, V, 12)
        turned = torch.einsum("bvik,bvk->bvi", transforms[..., :9].unflatten(-1, (3, 3)), rest.view(len(rest), -1, 3))
        return turned + transforms[..., 9:]

    def skinned_planes(self, rest: torch.Tensor, world: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        transforms = torch.cat([world.mT.flatten(2), offset], 2).mT @ self.weights  # (B, 12, V), column by column
        x, y, z = rest.view(len(rest), 3, 1, -1).unbind(1)
        moved = torch.addcmul(transforms[:, 9:], transforms[:, :3], x)
        moved = torch.addcmul(moved, transforms[:, 3:6], y)
        return torch.addcmul(moved, transforms[:, 6:9], z).mT.contiguous()

    def rotations(self, vectors: torch.Tensor) -> torch.Tensor:
        """(..., 3, 3) of rotation vectors (..., 3), by Rodrigues' formula."""
        squared = (vectors * vectors).sum(-1)[..., None, None].clamp(min=1e-12)
        angle = squared.sqrt()
        K = (vectors @ self.cross).unflatten(-1, (3, 3))
        return torch.eye(3) + angle.sin() / angle * K + (1 - angle.cos()) / squared * (K @ K)


def dense(weights: SkinWeights, joints: int) -> np.ndarray:
    """(V, J) of sparse weights."""
    out = np.zeros((len(weights.start) - 1, joints), np.float32)
    out[np.repeat(np.arange(len(out)), np.diff(weights.start)), weights.body] = weights.weight
    return out


def smpl_sides(path: Path, threads: int) -> dict[str, Callable[..., torch.Tensor]]:
    """Functions of shape, pose and translation that give vertices: marrow's and the others'."""
    file = read_model_file(path)
    own = SmplTensors(file)

    def marrow(shape: torch.Tensor, pose: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
        return own.pose(own.rest(shape), pose, translation, threads=threads).vertices  # type: ignore[return-value]

    sides: dict[str, Callable[..., torch.Tensor]] = {
        "marrow": marrow,
        PLAIN: Plain(file),
        TUNED: Plain(file, tuned=True),
    }
    from body_models.smpl.torch import SMPL  # type: ignore[import-not-found]

    for name, backend in ((PACKAGE, "torch"), (PACKAGE_WARP, "warp")):
        theirs = SMPL(model_path=path, kernel_backend=backend)

        def package(shape, pose, translation, theirs=theirs):  # type: ignore[no-untyped-def]
            return theirs.forward_vertices(
                pose[:, 1:], pelvis_rotation=pose[:, 0], shape=shape, global_translation=translation
            )

        sides[name] = package
    return sides


def smpl_given(batch: int) -> Given:
    random = np.random.default_rng(2)
    draw = {"shape": (batch, 10), "pose": (batch, 24, 3), "translation": (batch, 3)}
    return {n: torch.from_numpy(random.normal(0, 0.4, s).astype(np.float32)) for n, s in draw.items()}


# ---------------------------------------------------------------------------------------------------------------------
# The default body and anny
# ---------------------------------------------------------------------------------------------------------------------

#: ``x_marrow = AXES @ x_anny``.
AXES = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_NAMES = tuple(parameter.name for parameter in PHENOTYPES)


def default_side(threads: int) -> Callable[..., torch.Tensor]:
    own = DefaultTensors()

    def marrow(shape: torch.Tensor, pose: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
        rest = own.rest(dict(zip(_NAMES, shape.unbind(1), strict=True)))
        return own.pose(rest, pose, translation, threads=threads).vertices  # type: ignore[return-value]

    return marrow


def anny_side(kind: torch.dtype) -> Callable[..., torch.Tensor]:
    """anny in its own axes; its pose is (B, 104, 4, 4), which holds the translation."""
    import anny

    model = anny.Anny().to(kind)
    order = [_NAMES.index(name) for name in model.phenotype_labels]

    def side(shape: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        return model(pose, shape[:, order])["vertices"]

    return side


def default_given(batch: int, shapes: int) -> Given:
    import roma

    random = np.random.default_rng(3)
    shape = random.random((shapes, len(_NAMES)))
    shape[:, _NAMES.index("age")] = random.uniform(-1 / 3, 1, shapes)
    vectors = torch.from_numpy(random.normal(0, 0.3, (batch, 104, 3)))
    return {
        "shape": torch.from_numpy(shape).float(),
        "pose": roma.rotvec_to_rotmat(vectors).float(),
        "translation": torch.from_numpy(random.normal(0, 1, (batch, 3))).float(),
    }


def as_anny_takes(given: Given, kind: torch.dtype) -> Given:
    axes = AXES.to(kind)
    pose = torch.eye(4, dtype=kind).repeat(*given["pose"].shape[:2], 1, 1)
    pose[..., :3, :3] = axes.T @ given["pose"].to(kind) @ axes
    pose[:, 0, :3, 3] = given["translation"].to(kind) @ axes
    return {"shape": given["shape"].to(kind), "pose": pose}


# ---------------------------------------------------------------------------------------------------------------------
# Timing
# ---------------------------------------------------------------------------------------------------------------------


def forward(side: Callable[..., torch.Tensor], given: Given) -> Job:
    def run() -> None:
        with torch.no_grad():
            side(*given.values())

    return run


def both(side: Callable[..., torch.Tensor], given: Given) -> Job:
    """Forward, and the gradients of a weighted sum of all coordinates by all that is given."""
    with torch.no_grad():
        pull = torch.sin(torch.arange(side(*given.values()).numel(), dtype=torch.float64))

    def run() -> None:
        leaves = [values.detach().requires_grad_() for values in given.values()]
        vertices = side(*leaves)
        torch.autograd.grad(vertices, leaves, weight.view(vertices.shape))

    weight = pull.to(next(iter(given.values())).dtype)
    return run


def seconds(job: Job, times: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(times):
        job()
    return (clock() - start) / times


def pairs(ours: Job, theirs: Job, count: int, clock: Callable[[], float]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each in ``count`` pairs; the second of a pair follows the first at once, and who is first changes."""
    jobs, taken = (ours, theirs), np.zeros((2, count))
    repeats = []
    for job in jobs:
        job()
        once = seconds(job, 1, time.perf_counter)
        repeats.append(max(1, int(np.ceil(LEAST / once))))
    for k in range(count):
        for side in (0, 1) if k % 2 else (1, 0):
            taken[side, k] = seconds(jobs[side], repeats[side], clock)
    return taken[0], taken[1]


def spread(values: np.ndarray, digits: int = 2) -> dict[str, float]:
    found = {"median": np.median(values), "min": values.min(), "max": values.max()}
    return {name: round(float(value), digits) for name, value in found.items()}


def row(body: str, what: str, batch: int, peer: str, threads: int, taken: tuple[np.ndarray, np.ndarray]) -> dict:
    ours, theirs = taken
    return {
        "body": body,
        "what": what,
        "batch": batch,
        "peer": peer,
        "threads": threads,
        "marrow_ms": spread(1000 * ours, 3),
        "peer_ms": spread(1000 * theirs, 3),
        "times": spread(theirs / ours),
    }


def measured(path: Path, batches: Sequence[int], poses: int, count: int, threads: int) -> Iterator[dict]:
    """All rows with so many threads."""
    clock = time.process_time if threads == 1 else time.perf_counter
    sides = smpl_sides(path, threads)
    for batch in batches:
        given = smpl_given(batch)
        for peer in (PLAIN, TUNED, PACKAGE, PACKAGE_WARP):
            for what, job in ((FORWARD, forward), (BOTH, both)):
                taken = pairs(job(sides["marrow"], given), job(sides[peer], given), count, clock)
                yield row("smpl", what, batch, peer, threads, taken)
    marrow = default_side(threads)
    for peer, kind in ((ANNY, torch.float64), (ANNY32, torch.float32)):
        theirs = anny_side(kind)
        for batch in batches:
            given = default_given(batch, batch)
            own = as_anny_takes(given, kind)
            for what, job in ((FORWARD, forward), (BOTH, both)):
                yield row(
                    "default", what, batch, peer, threads, pairs(job(marrow, given), job(theirs, own), count, clock)
                )
        given = default_given(poses, 1)
        own = as_anny_takes(given, kind)
        taken = pairs(forward(marrow, given), forward(theirs, own), count, clock)
        yield row("default", ONE_SHAPE, poses, peer, threads, taken)


# ---------------------------------------------------------------------------------------------------------------------
# Agreement, bound, memory
# ---------------------------------------------------------------------------------------------------------------------


def differences(path: Path, batch: int) -> dict[str, float]:
    """Largest difference of a coordinate from marrow's, metres."""
    found: dict[str, float] = {}

    def note(name: str, theirs: torch.Tensor, ours: torch.Tensor) -> None:
        found[name] = float(f"{float((theirs - ours).abs().max()):.2g}")

    with torch.no_grad():
        sides, given = smpl_sides(path, 1), smpl_given(batch)
        ours = sides.pop("marrow")(*given.values())
        for name, side in sides.items():
            note(name, side(*given.values()), ours)
        given = default_given(batch, batch)
        ours = default_side(1)(*given.values())
        for name, kind in ((ANNY, torch.float64), (ANNY32, torch.float32)):
            note(name, anny_side(kind)(*as_anny_takes(given, kind).values()) @ AXES.to(kind).T, ours)
    return found


def bounds(path: Path, batch: int, count: int) -> dict[str, Any]:
    """Rates of this machine on one thread, and what the forward passes would take at them."""
    own, default = SmplTensors(read_model_file(path)), DefaultTensors()
    found: dict[str, Any] = {}
    for body, basis, weights in (("smpl", own.basis, own.weights), ("default", default.basis, default.weights)):
        rows, width = basis.shape
        product, rate = 2.0 * batch * rows * width, product_rate(batch, basis, count)
        # each influence adds 12 numbers to a vertex's transform, which then turns and moves it
        skin = batch * (24.0 * len(weights.body) + 18 * width / 3)
        bytes_moved = 4.0 * (basis.numel() + batch * width)
        speed = bandwidth(count)
        found[body] = {
            "flop": product + skin,
            "bytes": bytes_moved,
            "gflop_per_s": round(rate / 1e9, 1),
            "gbyte_per_s": round(speed / 1e9, 1),
            "bound_ms": round(1000 * max((product + skin) / rate, bytes_moved / speed), 2),
        }
    return found


def product_rate(batch: int, basis: torch.Tensor, count: int) -> float:
    """Operations a second of (batch, K) times the basis (K, N), by the faster library."""
    given, out = torch.randn(batch, len(basis)), torch.empty(batch, basis.shape[1])
    jobs: tuple[Job, ...] = (
        lambda: torch.mm(given, basis, out=out),
        lambda: np.dot(given.numpy(), basis.numpy(), out=out.numpy()),
    )
    best = min(seconds(job, 3, time.process_time) for job in jobs for _ in range(count))
    return 2.0 * batch * basis.numel() / best


def bandwidth(count: int) -> float:
    """Bytes a second that are read or written by copying 200 MB."""
    source, to = np.ones(25_000_000), np.zeros(25_000_000)
    return 2 * source.nbytes / min(seconds(lambda: np.copyto(to, source), 1, time.process_time) for _ in range(count))


def memory(body: str, batch: int) -> dict[str, float]:
    """Megabytes that making a body adds to this process, and that a batch adds at its peak beyond."""
    given = default_given(batch, batch)
    kind = torch.float32 if body == ANNY32 else torch.float64
    warm = warmed() if body == "default" else anny_side(kind)  # kept, so that its memory is not used again
    if body != "default":
        both(warm, as_anny_takes(default_given(2, 2), kind))()
    make = (lambda: default_side(1)) if body == "default" else (lambda: anny_side(kind))
    own = given if body == "default" else as_anny_takes(given, kind)
    gc.collect()
    before = status("VmRSS")
    side = make()
    with torch.no_grad():
        side(*(values[:1] for values in own.values()))  # what is made at first use belongs to the model
    gc.collect()
    after = status("VmRSS")
    found = {"model_mb": round(after - before, 1)}
    for name, job in (("forward_mb", forward), ("forward_and_backward_mb", both)):
        run = job(side, own)
        gc.collect()
        start = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        run()
        found[name] = round(status("VmHWM") - start, 1)
    del warm
    return found


def warmed() -> Callable[..., torch.Tensor]:
    """A small body of SMPL's family that has been posed, so that all compiled code is there and the body's data not."""
    from marrow.body.procrustes import nearest_rotation

    near = torch.eye(3).repeat(16, 1, 1).requires_grad_()
    torch.autograd.grad(nearest_rotation(near).sum(), near)
    with tempfile.TemporaryDirectory() as folder:
        own = SmplTensors(read_model_file(made_up_file(Path(folder), 300)))

    def side(shape: torch.Tensor, pose: torch.Tensor, translation: torch.Tensor) -> torch.Tensor:
        return own.pose(own.rest(shape), pose, translation, threads=1).vertices  # type: ignore[return-value]

    for batch in (1, 16):
        both(side, smpl_given(batch))()
    return side


def status(key: str) -> float:
    """Megabytes (10⁶ bytes) of a line of this process's status."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024 / 1e6


# ---------------------------------------------------------------------------------------------------------------------
# Together
# ---------------------------------------------------------------------------------------------------------------------


def find(rows: Sequence[dict], body: str, what: str, batch: int, peer: str, threads: int = 1) -> dict | None:
    wanted = {"body": body, "what": what, "batch": batch, "peer": peer, "threads": threads}
    return next((one for one in rows if wanted.items() <= one.items()), None)


def judged(rows: Sequence[dict], bound: dict, held: dict, apart: dict) -> list[dict]:
    """Every claim with what was measured and whether it holds."""
    out = []
    for body, what, batch, peer, least in GATES:
        found = find(rows, body, what, batch, peer)
        if found:
            claim = f"{body}, {what}, batch {batch}: at least {least:g} times as fast as {peer}"
            out.append({"claim": claim, **found["times"], "holds": found["times"]["median"] >= least})
    plain = find(rows, "smpl", FORWARD, 256, PLAIN)
    if plain:
        ms = round(plain["peer_ms"]["median"] / 256, 3)
        out.append({"claim": f"plain torch takes at most {FAIR_MS} ms a body", "median": ms, "holds": ms <= FAIR_MS})
    for body in bound:
        times = bound[body]["times_the_bound"]
        out.append({"claim": f"{body}: at most {BOUND:g} times the bound", "median": times, "holds": times <= BOUND})
    for key, most, what in (
        ("model_mb", MODEL_MB, "the model takes"),
        ("forward_mb", BATCH_MB, "a batch of 256 takes"),
    ):
        mb = held["default"][key]
        claim = f"default body: {what} less than {most:g} MB"
        out.append({"claim": claim, "median": mb, "holds": mb < most})
    for body, peers in (("smpl", (PLAIN, TUNED, PACKAGE, PACKAGE_WARP)), ("default", (ANNY, ANNY32))):
        worst = max(apart[peer] for peer in peers)
        claim = f"{body}: agrees with {' and '.join(peers)} to {TOLERANCE:g} m"
        out.append({"claim": claim, "median": worst, "holds": worst <= TOLERANCE})
    return out


def in_process(words: Sequence[str], threads: int = 1) -> Any:
    """What this file prints as JSON when it is run with other words and so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    ran = subprocess.run([sys.executable, __file__, *words], env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def short(ms: float) -> str:
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"


def table(result: dict) -> str:
    """The figures as they stand in docs/bodies.md."""
    names = {"smpl": "SMPL", "default": "default body"}
    lines = [
        "| body | what | batch | against | ms | theirs | times faster | two threads |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in result["rows"]:
        if one["threads"] != 1:
            continue
        wide = find(result["rows"], one["body"], one["what"], one["batch"], one["peer"], 2)
        times, wall = one["times"], "" if wide is None else f"{wide['times']['median']:.1f}"
        cells = (
            names[one["body"]],
            one["what"],
            f"{one['batch']:,}",
            one["peer"],
            short(one["marrow_ms"]["median"]),
            short(one["peer_ms"]["median"]),
            f"**{times['median']:.1f}** ({times['min']:.1f}–{times['max']:.1f})",
            wall,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--poses", type=int, default=POSES)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--table", type=Path, metavar="FILE", help="print the figures of such a file as a table")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    return parser.parse_args()


def part(options: argparse.Namespace) -> Any:
    """One process's share of the work."""
    kind, value, *rest = options.part
    if kind == "memory":
        torch.set_num_threads(1)
        return memory(value, max(options.batches))
    threads, path = int(value), Path(rest[0])
    torch.set_num_threads(threads)
    rows = []
    for one in measured(path, options.batches, options.poses, options.pairs, threads):
        print(json.dumps(one), file=sys.stderr, flush=True)
        rows.append(one)
    if threads > 1:
        return {"rows": rows}
    largest = max(options.batches)
    return {"rows": rows, "apart": differences(path, 32), "bound": bounds(path, largest, options.pairs)}


def main() -> None:
    options = parsed()
    if options.table:
        print(table(json.loads(options.table.read_text(encoding="utf-8"))))
        return
    if options.part:
        print(json.dumps(part(options)))
        return
    load = os.getloadavg()[0]
    words = ["--pairs", str(options.pairs), "--poses", str(options.poses)]
    words += ["--batches", *map(str, options.batches), "--part"]
    with tempfile.TemporaryDirectory() as folder:
        path = str(made_up_file(Path(folder)))
        one, two = (in_process([*words, "threads", str(n), path], n) for n in (1, 2))
    held = {body: in_process([*words, "memory", body]) for body in ("default", ANNY, ANNY32)}
    rows, bound, largest = [*one["rows"], *two["rows"]], one["bound"], max(options.batches)
    for body, peer in (("smpl", PLAIN), ("default", ANNY)):
        ours = find(rows, body, FORWARD, largest, peer)
        if ours:
            bound[body] |= {"marrow_ms": ours["marrow_ms"]["median"]}
            bound[body]["times_the_bound"] = round(bound[body]["marrow_ms"] / bound[body]["bound_ms"], 2)
    result = {
        "command": COMMAND,
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "anny", "body-models")},
        "clock": "processor time of the process with one thread, wall time with two",
        "load_average": {"start": round(load, 1), "end": round(os.getloadavg()[0], 1)},
        "pairs": options.pairs,
        "claims": judged(rows, bound, held, one["apart"]),
        "largest_difference_m": one["apart"],
        "bound": bound,
        "memory": held,
        "rows": rows,
    }
    for claim in result["claims"]:
        print(
            "holds " if claim["holds"] else "FAILED", claim["claim"], {k: v for k, v in claim.items() if k != "claim"}
        )
    print(table(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
