"""Fit the CMU clips to marrow's skeleton and write the motion pack that ships with it.

    python scripts/build_motion_pack.py --data FOLDER

``FOLDER`` holds ``asf_amc/`` (subjects 01 and 02) and ``activities_17joints_60hz.npz``. Per subject the shape is fitted
once, to frames of all clips; then every clip is fitted with that shape at 30 Hz. Prints the distance between the fitted
joints and their targets (see ``marrow.data.targets``) and writes ``src/marrow/data/motion_pack.npz``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from marrow.body import load_body
from marrow.data.activities import read_activities
from marrow.data.asf_amc import read_clip
from marrow.data.clips import PointClip, split_of
from marrow.data.motion_pack import PACK, PackedMotion, write_motion_pack
from marrow.data.targets import targets
from marrow.fit.clips import fit_clip, fit_shape
from marrow.geometry.rotations import log

FPS = 30.0
#: No pelvis turns faster (rad/s) and no joint is accelerated more (m/s^2) in the sound parts of these recordings.
MAX_TURN, MAX_ACCELERATION = 11.0, 350.0
#: Clips left out.
DUPLICATES = {"tr_walking_1"}  # the same recording as 02_01, which is held out
#: Coordinates that the measured points determine. The head's turn about the neck is not among them, but its tilt is,
#: and a ball joint's three coordinates belong together.
KEPT = (
    *("pelvis_tilt", "pelvis_list", "pelvis_rotation", "pelvis_tx", "pelvis_ty", "pelvis_tz"),
    *(f"{name}_{s}" for s in "rl" for name in (
        "hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle")),
    *(f"{part}_{way}" for part in ("lumbar_seg", "thorax", "neck") for way in ("extension", "bending", "rotation")),
    *(f"{name}_{s}" for s in "rl" for name in ("gh_flex", "gh_add", "gh_rot", "elbow_flex")),
)  # fmt: skip


def pack(clip: PointClip, shape: dict[str, float]) -> tuple[PackedMotion, np.ndarray]:
    """Fit one clip; returns the packed motion and the distances (T, P) between joints and targets."""
    person, _, distance = fit_clip(clip, shape)
    motion, skeleton = person.motion, person.skeleton
    column = [motion.coordinates.index(name) for name in KEPT]
    # Z-X-Y angles on the principal branch, so that float16 is fine enough; the pelvis keeps its turns and is float32
    q = skeleton.from_tangent(skeleton.to_tangent(motion.q))
    q[:, :6] = motion.q[:, :6]
    q = q[:, column]
    for name in ("pelvis_tx", "pelvis_tz"):
        i = KEPT.index(name)
        q[:, i] -= q[0, i]
    rms = float(np.sqrt(np.nanmean(distance**2)))
    return PackedMotion(clip.name, clip.subject, split_of(clip.name.partition(".")[0]), FPS, KEPT, q, rms), distance


def _work(job: tuple[PointClip, dict[str, float]]) -> tuple[PackedMotion, np.ndarray, float]:
    start = time.perf_counter()
    return *pack(*job), time.perf_counter() - start


def sound_parts(clip: PointClip) -> list[PointClip]:
    """The clip, cut where the recording jumps: some conversions turned the whole body over for a frame or two.

    Parts are named ``clip.0``, ``clip.1`` … where there is more than one; those shorter than a second are left out.
    """
    target = targets(clip, load_body().rest().landmarks)
    R = target.R_pelvis
    turn = np.linalg.norm(log(np.swapaxes(R[:-1], -1, -2) @ R[1:]), axis=-1) * FPS
    jump = np.nanmax(np.linalg.norm(np.diff(target.xyz, 2, axis=0), axis=-1), axis=1) * FPS**2
    bad = np.zeros(len(clip.xyz), bool)
    bad[1:][turn > MAX_TURN] = bad[:-1][turn > MAX_TURN] = True
    bad[1:-1][jump > MAX_ACCELERATION] = True
    bad = np.convolve(bad, np.ones(5), mode="same") > 0
    if not bad.any():
        return [clip]
    edges = np.flatnonzero(np.diff(np.concatenate([[1], bad.astype(int), [1]])))
    spans = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= FPS]
    return [replace(clip, name=f"{clip.name}.{k}", xyz=clip.xyz[a:b]) for k, (a, b) in enumerate(spans)]


def read_all(folder: Path) -> list[PointClip]:
    """All clips at 30 Hz, without duplicates and broken frames."""
    clips = [
        read_clip(folder / "asf_amc" / f"{amc.stem[:2]}.asf", amc) for amc in sorted((folder / "asf_amc").glob("*.amc"))
    ]
    clips += read_activities(folder / "activities_17joints_60hz.npz")
    return [part for clip in clips if clip.name not in DUPLICATES for part in sound_parts(clip.every(FPS))]


def main() -> None:
    """Read, fit, report, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with asf_amc/ and the 17-joint clips")
    parser.add_argument("--out", type=Path, default=PACK)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="fit only clips whose name starts so (for trying)")
    args = parser.parse_args()
    clips = [clip for clip in read_all(args.data) if clip.name.startswith(args.only)]
    by_subject = defaultdict(list)
    for clip in clips:
        by_subject[clip.subject].append(clip)
    shapes = {subject: fit_shape(own) for subject, own in by_subject.items()}
    for subject, shape in shapes.items():
        print(f"{subject}: stature {load_body().stature(shape):.3f} m,", {k: round(v, 3) for k, v in shape.items()})
    motions, distances = [], []
    with ProcessPoolExecutor(args.jobs) as pool:
        for motion, distance, seconds in pool.map(_work, [(clip, shapes[clip.subject]) for clip in clips]):
            motions.append(motion)
            distances.append(distance.ravel())
            median, high = 1e3 * np.nanquantile(distance, [0.5, 0.95])
            print(
                f"{motion.name:24s} {motion.split:5s} {len(motion.q):5d} frames  rms {1e3 * motion.error:5.1f} mm  "
                f"median {median:5.1f}  95 % {high:5.1f}  {seconds:5.1f} s",
                flush=True,
            )
    median, high = 1e3 * np.nanquantile(np.concatenate(distances), [0.5, 0.95])
    print(f"all: median {median:.1f} mm, 95 % {high:.1f} mm")
    write_motion_pack(args.out, motions, shapes)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {sum(len(m.q) for m in motions)} frames")


if __name__ == "__main__":
    main()
