"""AMASS (Mahmood et al. 2019): an ``.npz`` of SMPL-H or SMPL-X for each motion; no cameras, no points.

Source: metres, right-handed, **Z up**; the format is that of :mod:`marrow.io.amass`, which was measured on real files
of SMPL-H. Root of the metrics: SMPL's pelvis. Joints and skin are those of the user's own model
(``marrow.load_body``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from marrow.data.readers import _files
from marrow.data.samples import Dataset, Recording, Subject
from marrow.io.amass import SmplMotion, is_amass, read_amass
from marrow.types import Float64

NAME = "amass"
LICENCE = "AMASS: non-commercial scientific research only, by its own licence and those of its parts"
COMMERCIAL = False


def motions(path: Path) -> list[Path]:
    """The motions under a folder; shapes of subjects, which lie among them, are none."""
    return [file for file in _files.files(path, "*.npz") if not file.stem.endswith(("shape", "_stagei"))]


def holds(path: Path) -> bool:
    """Whether an ``.npz`` there has poses and a translation."""
    found = motions(path)
    return bool(found) and is_amass(found[0])


def read(path: Path, *, up: str = "z") -> Dataset:
    """The motions under a folder (or one file).

    Args:
        up: axis of the source's world that points up: "y", "z" or "-y".
    """
    found = _files.by_name(path, motions(path))
    if not found:
        raise _files.nothing(path, "AMASS' SUBSET/SUBJECT/*.npz")
    A = _files.upright(up)

    def one(name: str) -> Recording:
        return recording(NAME, name, found[name], read_amass(found[name]), A, LICENCE)

    return Dataset(NAME, path, LICENCE, COMMERCIAL, tuple(found), one)


def recording(dataset: str, name: str, path: Path, motion: SmplMotion, A: Float64, licence: str) -> Recording:
    """A recording of one body without cameras."""
    count = len(motion.poses)
    fps = 1.0 / float(np.median(np.diff(motion.time))) if count > 1 else None
    person = Subject(path.parent.name, np.ones(count, bool), motion.gender, body=motion)
    return Recording(
        dataset, name, np.arange(count), fps and round(fps, 6), (), (person,), licence, False, R_world_source=A
    )
