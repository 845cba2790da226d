"""Lifters against the anchor, a plain network of five minutes' training, on motions that nobody learnt from.

    python benchmarks/lifting.py [--keep FOLDER] [--only NAME]

trains the anchor and marrow's own two lifters on the split ``train`` (about half an hour of one core; a run that was
stopped goes on from FOLDER) and measures them on A (unseen clips) and B (an unseen subject), on bodies that were not
learnt from, with errors of several kinds; it writes benchmarks/results/lifting.json. With --table FILE it prints the
table of docs/lifting.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from marrow.bench.lifting import METRICS, NOISES, Anchor, HeldOut, errors, held_out, said_by
from marrow.bench.result import commit, machine
from marrow.conventions import joint_names
from marrow.data.lifting import JOINTS, people, views
from marrow.io.files import write_atomically
from marrow.lift.lifter import Lifter
from marrow.lift.mirror import BothSides
from marrow.lift.networks import TimeLifter
from marrow.lift.normalise import from_network
from marrow.lift.shipped import frame_network, time_network
from marrow.lift.training import plain_errors, train_shipped
from marrow.metrics import coverage
from marrow.metrics.bootstrap import bootstrap, paired_difference
from marrow.train.loop import train
from marrow.train.weights import load_weights, save_weights

RESULT = Path(__file__).parent / "results" / "lifting.json"
#: Steps of the anchor: five minutes of a core, in 32 bits half of them.
ANCHOR_STEPS = 6800
#: Joints that are hidden, to see what lifters make of it.
HIDDEN = {
    "nothing": (),
    "the nose": ("nose",),
    "an ankle": ("right_ankle",),
    "both ankles": ("right_ankle", "left_ankle"),
    "a wrist": ("left_wrist",),
    "an arm": ("left_shoulder", "left_elbow", "left_wrist"),
    "both legs": ("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
}
#: Frames of a window: what the lifter over time sees at once, and some of its neighbours.
WINDOW = 54


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keep", type=Path, default=Path("lifters"), help="folder for weights and checkpoints")
    parser.add_argument("--only", choices=("anchor", "frame", "time"), help="train this one, and no more")
    parser.add_argument("--table", type=Path, help="print the table of a result instead")
    told = parser.parse_args()
    if told.table is not None:
        print(table(json.loads(told.table.read_text())))
        return
    torch.set_num_threads(1)
    networks = trained(told.keep, told.only)
    if told.only is not None:
        return
    networks["time"] = BothSides(networks["time"])  # as it is shipped
    found = measured(networks)
    found["hidden joints"] = {name: with_hidden(networks[name]) for name in ("frame", "time")}
    found["throughput"] = throughput(networks["frame"])
    found |= {"machine": machine(), "commit": commit(Path(__file__).parent), "command": "python benchmarks/lifting.py"}
    with write_atomically(RESULT, "w") as file:
        file.write(json.dumps(found, indent=1) + "\n")
    print(table(found))


def trained(keep: Path, only: str | None) -> dict[str, torch.nn.Module]:
    """The three networks, each trained where its weights are not there yet."""
    keep.mkdir(parents=True, exist_ok=True)
    out: dict[str, torch.nn.Module] = {}
    for name, make in (("anchor", Anchor), ("frame", frame_network), ("time", time_network)):
        if only not in (None, name):
            continue
        torch.manual_seed(0)
        network, path = make(), keep / f"{name}.safetensors"
        if path.exists():
            load_weights(network, path)
        else:
            if isinstance(network, TimeLifter):
                load_weights(network.single, keep / "frame.safetensors")
            start = time.process_time()
            options = {"keep": keep / f"{name}.checkpoint", "resume": True}
            if name == "anchor":
                train_anchor(network, ANCHOR_STEPS, **options)
            else:
                train_shipped(name, network, "train", **options)
            save_weights(network, path, header={"owner": name})
            print(f"{name}: {time.process_time() - start:.0f} s of processor time", flush=True)
        out[name] = network.eval()
    return out


def train_anchor(network: torch.nn.Module, steps: int, **told: Any) -> None:
    """As the anchor of all lifters was trained: 1 % of independent noise, adults, motions as they are."""
    seen = people("train", 12)
    first = seen.starts(1)

    def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(number)
        rows = first[torch.randint(len(first), (1024,), generator=generator)]
        own = views(seen, rows, 1, generator)
        return plain_errors(own.xy, 0.01, generator), own.xyz - own.xyz[..., :1, :]

    def loss(net: torch.nn.Module, one: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (net(one[0]) - one[1]).norm(dim=-1).mean()

    train(network, batch, loss, steps=steps, precision="bf16", **told)


def measured(networks: dict[str, torch.nn.Module]) -> dict[str, Any]:
    """Millimetres of every lifter for each split and kind of noise, stature told or not, and differences."""
    out: dict[str, Any] = {"windows": {}, "figures": []}
    for split in "AB":
        for noise in NOISES:
            data = held_out(split, noise, WINDOW, 250)
            out["windows"][split] = len(data.xy)
            runs: dict[tuple[str, bool], torch.Tensor] = {("anchor", False): _anchor(networks["anchor"], data)}
            for name in ("frame", "time"):
                for told in (True, False):
                    runs[name, told] = said_by(networks[name], data, height=told)
            values = {key: errors(x, data) for key, x in runs.items()}
            for (name, told), x in runs.items():
                interval = bootstrap(values[name, told], data.clip)
                row = {"lifter": name, "split": split, "noise": noise, "height": told}
                row |= {key: round(float(errors(x, data, metric).mean()), 2) for key, metric in METRICS.items()}
                row["ci95"] = [round(interval.low, 2), round(interval.high, 2)]
                row["of the anchor"] = round(row["mpjpe"] / float(values["anchor", False].mean()), 3)
                if name != "anchor":
                    row["coverage of 95 %"] = round(covered(networks[name], data, told), 3)
                out["figures"].append(row)
            difference = paired_difference(values["time", True], values["frame", True], data.clip)
            out["figures"][-1]["time minus frame"] = [
                round(v, 2) for v in (difference.estimate, difference.low, difference.high)
            ]
    return out


def covered(network: torch.nn.Module, data: HeldOut, told: bool) -> float:
    """Share of coordinates within the interval that a lifter gives."""
    given = data.given(height=told)
    with torch.no_grad():
        said = network(given)
    sd = (said.log_error.exp() * Lifter("", network).calibration * given.stature[:, None, None])[..., 1:, None]
    error = (from_network(given, said.mean) - data.relative)[..., 1:, :]
    return coverage(error.numpy(), sd.expand_as(error).numpy())


def with_hidden(network: torch.nn.Module) -> dict[str, dict[str, dict[str, float]]]:
    """Of what is hidden and split: millimetres of all joints, of the hidden ones, and the share of the latter's
    coordinates within their 95 % interval; errors of 1 %, stature told, as a lifter is called."""
    lifter, names = Lifter("", network), joint_names(JOINTS)
    out: dict[str, dict[str, dict[str, float]]] = {}
    for what, hidden in HIDDEN.items():
        gone = [names.index(name) for name in hidden]
        for split in "AB":
            data = held_out(split, "1 %", WINDOW, 120)
            confidence = data.confidence.clone()
            confidence[..., gone] = 0.0
            said = [
                lifter.relative(xy, own, stature[None])
                for xy, own, stature in zip(data.xy, confidence, data.stature, strict=True)
            ]
            error = torch.stack([x for x, _ in said]) - data.relative
            row = {"all": round(1e3 * float(error.norm(dim=-1).mean()), 1)}
            if gone:
                sd = torch.stack([sd for _, sd in said])[..., gone, None].expand_as(error[..., gone, :])
                row["hidden"] = round(1e3 * float(error[..., gone, :].norm(dim=-1).mean()), 1)
                row["within 95 %"] = round(coverage(error[..., gone, :].numpy(), sd.numpy()), 3)
            out.setdefault(what, {})[split] = row
    return out


def throughput(network: torch.nn.Module, poses: int = 4096) -> dict[str, float]:
    """Poses a second of one core: the network with its normalisation."""
    data = held_out("A", "1 %", 1, poses)
    lifter = Lifter("frame", network)
    best = np.inf
    for _ in range(9):
        start = time.process_time()
        lifter.relative(data.xy[:, 0], data.confidence[:, 0], data.stature[:1])
        best = min(best, time.process_time() - start)
    return {"poses a second of processor time, one thread": round(len(data.xy) / best)}


def _anchor(network: torch.nn.Module, data: HeldOut) -> torch.Tensor:
    with torch.no_grad():
        return network(data.xy)


def table(found: dict[str, Any]) -> str:
    """As docs/lifting.md has it."""
    noises = list(NOISES)
    lines = [
        "| split | lifter | stature | " + " | ".join(noises) + " |",
        "|---|---|---|" + "---|" * len(noises),
    ]
    rows = {(r["split"], r["lifter"], r["height"], r["noise"]): r for r in found["figures"]}
    for split in "AB":
        for name, told in (("anchor", False), ("frame", True), ("frame", False), ("time", True), ("time", False)):
            cells = [rows[split, name, told, noise] for noise in noises]
            shown = " | ".join(f"{r['mpjpe']:.1f} ({r['n_mpjpe']:.1f})" for r in cells)
            lines.append(f"| {split} | {name} | {'told' if told else 'not told'} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
