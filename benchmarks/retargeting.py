"""How well motions go to bodies of SMPL's family and back, measured on twins made of the default body.

    python benchmarks/retargeting.py [--frames 60] [--out benchmarks/results/retargeting.json]

The twins (``marrow.bench.twin``) have the published sizes, joints and keys; their correctives are learned on the motion
pack's training clips, and the clips here are not among those. Each clip is done with a person whose shape the twin has
(the average one) and with the clip's own subject, whose shape ten coefficients do not give exactly. Told are the
distance of the two skins; what each angle lost on the way there and back; and the time. No published model was at hand.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from marrow.bench.result import machine
from marrow.bench.twin import clip_of, thinned, twin
from marrow.body import load_body
from marrow.body.smpl import SmplBody
from marrow.fit.registration import register
from marrow.fit.smpl import from_smpl, smpl_body, to_smpl
from marrow.geometry.rotations import angle_between
from marrow.types import Float64, Motion

RESULT = Path(__file__).parent / "results" / "retargeting.json"
CLIPS = ("02_01", "02_03", "02_05", "01_14.1", "te_running_1", "te_soccer_1", "te_jumping_1", "te_washwindow_1")
TWINS = {
    "smpl, with correctives": ("smpl", True),
    "smplh, with correctives": ("smplh", True),
    "smplx, with correctives": ("smplx", True),
    "smpl, blending alone": ("smpl", False),
}


def written(folder: Path, family: str, corrected: bool) -> SmplBody:
    """A twin, from a file."""
    content = twin(family, corrected=corrected)
    content["J_regressor"] = content["J_regressor"].toarray()
    path = folder / f"{family}_{corrected}_NEUTRAL.npz"
    np.savez(path, **content)
    return smpl_body(path)


def correspondence(body: SmplBody) -> dict[str, float]:
    """Seconds of a registration, and how far (mm, on the average body) corresponding points are from the right ones."""
    rest, start = body.rest(), time.perf_counter()
    found = register(rest.vertices, body.faces, dict(zip(body.spec.joints, rest.joints.astype(float), strict=True)))
    seconds = time.perf_counter() - start
    ours = load_body("default")
    x = ours.rest().vertices
    kept, _ = thinned(x, ours.faces, body.vertex_count)
    away = 1000 * np.linalg.norm(found.theirs_on_ours.of(x) - x[kept], axis=1)[found.theirs_sure]
    return {"seconds": round(seconds, 1), "sure": round(float(found.theirs_sure.mean()), 3)} | spread(away)


def spread(values: Float64) -> dict[str, float]:
    return {
        "median": round(float(np.median(values)), 2),
        "mean": round(float(np.mean(values)), 2),
        "p95": round(float(np.quantile(values, 0.95)), 2),
    }


def angles(motion: Motion) -> dict[str, Float64]:
    """Every angle by name, degrees; without fingers, and the shoulder, whose angles have two readings: :func:`lost`."""
    skeleton = load_body("default").rest(motion.shape).skeleton
    own = dict(zip(motion.coordinates, motion.q.T, strict=True)) | skeleton.derived_angles(motion.q)
    fingers = ("thumb", "index", "middle", "ring", "little", "gh_")
    lengths = ("pelvis_tx", "pelvis_ty", "pelvis_tz")
    return {n: np.degrees(v) for n, v in own.items() if not n.startswith(fingers) and n not in lengths}


def lost(before: Motion, after: Motion) -> dict[str, Float64]:
    """Degrees by which angles differ, both sides together."""
    out: dict[str, list[Float64]] = {}
    before_R, after_R = (load_body("default").rest(m.shape).skeleton.joint_rotations(m.q) for m in (before, after))
    bodies = load_body("default").rest().skeleton.bodies
    shoulders = [bodies.index(f"humerus_{side}") for side in "rl"]
    out["shoulder (turn of the humerus against the scapula)"] = [
        np.degrees(angle_between(before_R[:, b], after_R[:, b])) for b in shoulders
    ]
    for name, own in angles(before).items():
        apart = np.abs((angles(after)[name] - own + 180) % 360 - 180)
        out.setdefault(name[:-2] if name.endswith(("_r", "_l")) else name, []).append(apart)
    return {name: np.concatenate(both) for name, both in out.items()}


def measured(body: SmplBody, clips: Sequence[str], frames: int, own_shape: bool) -> dict[str, Any]:
    """All clips with a body."""
    skins, back, mm, seconds = [], [], [], np.zeros(2)
    for name in clips:
        motion = clip_of(name, frames, None if own_shape else {})
        start = time.perf_counter()
        there = to_smpl(motion, body, name=name)
        middle = time.perf_counter()
        found = from_smpl(there.motion, body)
        seconds += (middle - start, time.perf_counter() - middle)
        skins.append(1000 * there.residual)
        back.append(lost(motion, found.person.motion))
        mm.append(1000 * np.linalg.norm(found.person.motion.translation - motion.translation, axis=1))
    count = sum(map(len, skins))
    by_name = {name: spread(np.concatenate([own[name] for own in back])) for name in back[0]}
    medians = [own["median"] for own in by_name.values()]
    mean, most = np.concatenate(skins).mean(0)
    return {
        "frames": count,
        "distance of the skins, mm": {"mean": round(float(mean), 2), "p95": round(float(most), 2)},
        "there and back, deg: median over angles of their medians": round(float(np.median(medians)), 2),
        "there and back, pelvis origin, mm": spread(np.concatenate(mm)),
        "there and back, deg": dict(sorted(by_name.items(), key=lambda item: -item[1]["median"])),
        "ms a frame, there": round(1000 * seconds[0] / count, 1),
        "ms a frame, back": round(1000 * seconds[1] / count, 1),
    }


def main(
    frames: Annotated[int, tyro.conf.arg(help="of each clip")] = 60,
    out: Annotated[Path, tyro.conf.arg(help="file to write")] = RESULT,
) -> None:
    result: dict[str, Any] = {"command": "python benchmarks/retargeting.py", "clips": CLIPS, "machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        for title, (family, corrected) in TWINS.items():
            body = written(Path(folder), family, corrected)
            to_smpl(clip_of(CLIPS[0], 3), body)  # imports, compiled code and the registration in the cache
            result[title] = {
                "registration, mm": correspondence(body),
                "a person whose shape it has": measured(body, CLIPS, frames, False),
                "the clips' own subjects": measured(body, CLIPS, frames, True),
            }
            print(title, json.dumps(result[title], indent=1), flush=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main)
