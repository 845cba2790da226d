"""Random people written for OpenSim and replayed there.

    python benchmarks/osim_export.py [--people 200] [--poses 5] [--out benchmarks/results/osim_export.json]

People of 1 to 90 years and any phenotype, in poses drawn evenly from the ranges of all coordinates, are written as
``.osim``, ``.mot`` and ``.trc``, loaded by OpenSim, and moved. What must agree: joint centres, markers, vertices of the
meshes, coordinates. What is told besides: how far each marker, which is fixed to its segment, is from the same point of
the skin, which blends segments, in those poses (far beyond daily life) and in held-out motions of the motion pack; and
the time to write a clip of 230 frames.
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
from marrow.bench.osim_export import (
    FILES,
    Replay,
    blended,
    export_of,
    packed_person,
    people_options,
    random_person,
    written_and_replayed,
)
from marrow.bench.result import machine
from marrow.body import DefaultBody, load_body
from marrow.data.motion_pack import motion_pack

RESULT = Path(__file__).parent / "results" / "osim_export.json"

Sliding = list[dict[str, np.ndarray]]


def replayed(body: DefaultBody, people: int, poses: int) -> tuple[list[Replay], list[str], Sliding]:
    """Replay of everybody, what failed in words, and the markers' distances from the skin's points."""
    rng, done, failed, sliding = np.random.default_rng(0), [], [], []
    for number in range(people):
        rest, skeleton, motion = random_person(body, rng, poses)
        person = export_of(body, rest, skeleton, motion)
        try:
            done.append(written_and_replayed(person))
        except Exception as error:
            failed.append(f"person {number}: {error}")
        sliding.append(blended(body, rest, skeleton, person))
    return done, failed, sliding


def held_out(body: DefaultBody, every: int) -> Sliding:
    """The markers' distances from the skin's points in the pack's held-out motions, each ``every``-th frame."""
    pack, out = motion_pack(), []
    for clip in pack.select("A", "B"):
        rest, skeleton, motion = packed_person(body, pack, clip, every=every, others_at_rest=True)
        out.append(blended(body, rest, skeleton, export_of(body, rest, skeleton, motion)))
    return out


def table(sliding: Sliding) -> dict[str, dict[str, float]]:
    """Mean, 95th percentile and maximum in mm of each marker, both sides together."""
    out: dict[str, dict[str, float]] = {}
    for name in sliding[0]:
        if name.startswith("L") and f"R{name[1:]}" in sliding[0]:
            continue
        other = f"L{name[1:]}" if f"L{name[1:]}" in sliding[0] else name
        values = np.concatenate([own[key] for own in sliding for key in {name, other}])
        figures = {"mean": values.mean(), "p95": np.percentile(values, 95), "max": values.max()}
        out[name] = {key: round(float(value), 2) for key, value in figures.items()}
    return out


def seconds_to_write(body: DefaultBody) -> dict[str, float]:
    """Processor time of each file of a person seen in 230 frames, the package ``opensim`` already loaded."""
    rest, skeleton, motion = random_person(body, np.random.default_rng(1), 230)
    person = export_of(body, rest, skeleton, motion)
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            start = time.process_time()
            io.save(Path(folder) / name, person)
            out[name] = round(time.process_time() - start, 3)
    return out


def worst(done: list[Replay], field: dataclasses.Field[Any]) -> float:
    return float(f"{max(getattr(one, field.name) for one in done):.3g}")


def main() -> None:
    args = people_options(__doc__, people=200, poses=5, out=RESULT)
    start, body = time.monotonic(), load_body("default")
    done, failed, sliding = replayed(body, args.people, args.poses)
    lengths = [field for field in dataclasses.fields(Replay) if field.name.endswith(("_mm", "_deg"))]
    result = {
        "command": "python benchmarks/osim_export.py",
        "people": args.people,
        "poses": args.poses,
        "not_loaded_or_replayed": failed,
        "warnings_and_errors_of_opensim": sorted({line for one in done for line in one.log.splitlines()}),
        "largest_difference": {field.name: worst(done, field) for field in lengths},
        "mass_kg": {"least": round(min(d.mass_kg for d in done), 2), "most": round(max(d.mass_kg for d in done), 2)},
        "marker_from_skin_mm": {"random_poses": table(sliding), "held_out_motions": table(held_out(body, 15))},
        "seconds_to_write_230_frames": seconds_to_write(body),
        "seconds": round(time.monotonic() - start, 1),
        "machine": machine(),
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "marker_from_skin_mm"}, indent=1))


if __name__ == "__main__":
    main()
