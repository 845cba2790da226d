"""MOYO (Tripathi et al. 2023): yoga, SMPL-X for each sequence as an ``.npz`` like AMASS' or a pickle of MoSh++.

Source: metres, right-handed, believed to have **Z up**. Pickles: ``fullpose`` (T, 165), ``trans`` (T, 3), ``betas``,
perhaps ``gender`` and a frame rate. Root of the metrics: SMPL-X's pelvis. Pressure, C3D and Vicon's cameras are not
read here.

Nothing of this was verified on a real file. A pickle that holds more than arrays and plain data is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from marrow.data.readers import _files, amass
from marrow.data.samples import Dataset, Recording
from marrow.errors import InputError
from marrow.io.amass import JOINTS, SmplMotion, is_amass, read_amass
from marrow.types import Float64

NAME = "moyo"
LICENCE = "MOYO: non-commercial scientific research only, by its own licence"
COMMERCIAL = False
#: What is taken where a file does not tell.
FPS = 60.0
_RATES = ("mocap_frame_rate", "mocap_framerate", "fps")


def _sequences(path: Path) -> list[Path]:
    return [*_files.files(path, "*.pkl"), *(file for file in amass.motions(path) if is_amass(file))]


def holds(path: Path) -> bool:
    """Whether there are MoSh++ pickles, or AMASS' files under a folder called moyo."""
    found = _files.files(path, "*.pkl")
    if found:
        return _files.mentions(found[0], b"fullpose", b"trans", b"betas")
    named = any("moyo" in part.lower() for part in path.parts[-2:])
    return named and amass.holds(path)


def read(path: Path, *, up: str = "z") -> Dataset:
    """The sequences under a folder (or one file).

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
    """
    found = _files.by_name(path, _sequences(path))
    if not found:
        raise _files.nothing(path, "MOYO's SMPL-X sequences, *.npz or *.pkl")
    A = _files.upright(up)
    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(found), lambda name: _recording(name, found[name], A))


def _recording(name: str, path: Path, A: Float64) -> Recording:
    if path.suffix == ".npz":
        return amass.recording(NAME, name, path, read_amass(path), A, LICENCE)
    motion, remark = _motion(path)
    found = amass.recording(NAME, name, path, motion, A, LICENCE)
    return found if not remark else replace(found, remarks=(remark,))


def _motion(path: Path) -> tuple[SmplMotion, str]:
    held = _files.load_pickle(path)
    poses = _files.numbers(_files.entry(held, "fullpose", path), f"{path}: 'fullpose'", ("T", 3 * JOINTS["smplx"]))
    if len(poses) == 0:
        raise InputError(f"{path}: 'fullpose' has no frames")
    trans = _files.numbers(_files.entry(held, "trans", path), f"{path}: 'trans'", (len(poses), 3))
    betas = _files.numbers(_files.entry(held, "betas", path), f"{path}: 'betas'", ("S",))
    rate, remark = _rate(held, path)
    time = np.arange(len(poses)) / rate
    gender = _files.gender(held.get("gender", ""))
    return SmplMotion(path.stem, "smplx", gender, betas, poses.reshape(len(poses), -1, 3), trans, time), remark


def _rate(held: Any, path: Path) -> tuple[float, str]:
    for key in _RATES:
        if key in held:
            rate = float(_files.numbers(held[key], f"{path}: '{key}'", ()))
            if rate <= 0:
                raise InputError(f"{path}: '{key}': expected frames per second above 0, got {rate}")
            return rate, ""
    return FPS, f"the file has no frame rate; MOYO's {FPS:g} frames per second are taken"
