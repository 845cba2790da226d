"""What the joint classes of OpenSim 4.5 cost (``--modern``), measured through OpenSim itself.

    python benchmarks/osim_modern.py [--people 20] [--poses 50] [--out benchmarks/results/osim_modern.json]

People of 1 to 90 years and any phenotype are written with ``modern`` and moved by OpenSim; their segments are compared
with the skeleton's. Poses are drawn evenly from the ranges of all coordinates. Of clavicle and scapula three kinds are
told apart: each coordinate on its own; the scapula as it goes along with the clavicle (FOLLOWERS of the definition),
which is what a video without a view of it gives; and the same give or take 8 degrees, by which people differ. Then one
motion of the motion pack, which knows no girdle, and the same with one that goes along with the arms.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from marrow import io
from marrow.bench.osim_export import export_of, moved, packed_person, people_options, random_person
from marrow.bench.result import machine
from marrow.body import DefaultBody, load_body
from marrow.data.motion_pack import motion_pack
from marrow.geometry import rotations
from marrow.skeleton import Skeleton
from marrow.skeleton.definition import FOLLOWERS
from marrow.skeleton.osim.modern import modernised
from marrow.types import Float64, Motion

RESULT = Path(__file__).parent / "results" / "osim_modern.json"
CLIP = "tr_directing_traffic_1.0"
#: Joint centres that are told: the segment at whose origin each lies.
CENTRES = {"T12/L1": "lumbar", "T8": "torso", "skull": "head", "AC": "scapula_r", "shoulder": "humerus_r"}


def going_along(skeleton: Skeleton, q: Float64, sd_deg: float, rng: np.random.Generator) -> Float64:
    """Coordinates (T, D) whose scapulae follow the clavicles, give or take so many degrees."""
    q = q.copy()
    for follower in (f for f in FOLLOWERS if f.name.startswith("scap_")):
        d = skeleton.index(follower.name)
        led = follower.ratio * q[:, skeleton.index(follower.leader)] + rng.normal(0.0, np.radians(sd_deg), len(q))
        q[:, d] = np.clip(led, *skeleton.ranges[d])
    return q


def swung(skeleton: Skeleton, q: Float64) -> Float64:
    """Coordinates (T, D) whose girdles go along with the arms: a quarter of the way up beyond 30 degrees."""
    q, arms = q.copy(), skeleton.derived_angles(q)
    for side in "rl":
        flex, add = arms[f"arm_flex_{side}"], arms[f"arm_add_{side}"]
        raised = np.arccos(np.clip(np.cos(flex) * np.cos(add), -1.0, 1.0))
        q[:, skeleton.index(f"clav_elevation_{side}")] = np.maximum(0.25 * (raised - np.radians(30.0)), 0.0)
        q[:, skeleton.index(f"clav_protraction_{side}")] = np.clip(0.2 * flex, *np.radians([-20.0, 25.0]))
    return going_along(skeleton, q, 0.0, np.random.default_rng(0))


def measured(person: io.PersonExport) -> dict[str, Float64]:
    """Millimetres and degrees (T,) by which OpenSim's segments differ from ours, and how far what is stated is off."""
    assert person.skeleton is not None
    with tempfile.TemporaryDirectory() as name:
        for file in ("skeleton.osim", "motion.mot"):
            io.save(Path(name) / file, person)
        found = moved(Path(name))
    if found.log:
        raise RuntimeError(f"OpenSim said: {found.log}")
    stated, out = modernised(person.skeleton, person.bony, person.motion.q).deviation, {}
    off = np.zeros(2)
    for centre, segment in CENTRES.items():
        b, ours, k = found.bodies.index(segment), person.bodies.index(segment), stated.segments.index(segment)
        mm = 1000 * np.linalg.norm(found.p[:, b] - person.p[:, ours], axis=-1)
        turn = np.swapaxes(found.R[:, b], -1, -2) @ person.R[:, ours]
        deg = np.degrees(np.linalg.norm(rotations.log(turn), axis=-1))
        out |= {f"{centre} mm": mm, f"{segment} deg": deg}
        off = np.maximum(off, [np.abs(mm - stated.mm[:, k]).max(), np.abs(deg - stated.deg[:, k]).max()])
    return out | {"AC gap mm": stated.gap_mm[:, 0], "stated off mm": off[:1], "stated off deg": off[1:]}


def summary(parts: list[dict[str, Float64]]) -> dict[str, dict[str, float]]:
    """Median, 95th percentile and largest of each figure over all frames of all people."""
    out = {}
    for key in parts[0]:
        values = np.concatenate([part[key] for part in parts])
        figures = {"median": np.median(values), "p95": np.percentile(values, 95), "max": values.max()}
        out[key] = {name: round(float(value), 3) for name, value in figures.items()}
    return out


def with_coordinates(body: DefaultBody, rest: Any, skeleton: Skeleton, motion: Motion, q: Float64) -> io.PersonExport:
    person = export_of(body, rest, skeleton, dataclasses.replace(motion, q=q))
    return dataclasses.replace(person, modern=True)


def random_people(body: DefaultBody, people: int, poses: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    kinds: dict[str, list[dict[str, Float64]]] = {"each on its own": [], "going along": [], "give or take 8 deg": []}
    for _ in range(people):
        rest, skeleton, motion = random_person(body, rng, poses)
        spread = {"going along": 0.0, "give or take 8 deg": 8.0}
        for kind, parts in kinds.items():
            q = motion.q if kind not in spread else going_along(skeleton, motion.q, spread[kind], rng)
            parts.append(measured(with_coordinates(body, rest, skeleton, motion, q)))
    return {kind: summary(parts) for kind, parts in kinds.items()}


def real_motion(body: DefaultBody) -> dict[str, Any]:
    pack = motion_pack()
    rest, skeleton, motion = packed_person(body, pack, pack.motion(CLIP))
    poses = {"as it is": motion.q, "girdle with the arms": swung(skeleton, motion.q)}
    return {
        kind: summary([measured(with_coordinates(body, rest, skeleton, motion, own))]) for kind, own in poses.items()
    }


def main() -> None:
    args = people_options(__doc__, people=20, poses=50, out=RESULT)
    start, body = time.monotonic(), load_body("default")
    result = {
        "command": "python benchmarks/osim_modern.py",
        "people": args.people,
        "poses": args.poses,
        "random_poses": random_people(body, args.people, args.poses),
        "clip": CLIP,
        "motion_pack": real_motion(body),
        "seconds": round(time.monotonic() - start, 1),
        "machine": machine(),
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
