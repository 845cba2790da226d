"""Motions of SMPL's family as AMASS keeps them: an ``.npz`` with poses, translation, shape, gender and frame rate.

Mahmood et al. 2019, "AMASS: Archive of Motion Capture as Surface Shapes". ``poses`` (T, 3 J) are rotation vectors of
each joint against its parent, the root's against the world; the root turns about the pelvis' joint of the person at
rest, and ``trans`` (T, 3), metres, is added after that. The world has Z up, by the root's turn alone: the body at rest
has Y up. Soft-tissue coefficients (``dmpls``) and markers are not read.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marrow.errors import InputError
from marrow.geometry.rotations import exp, log
from marrow.io.files import write_atomically
from marrow.types import Float64

#: Joints of the families whose motions are kept so.
JOINTS: Mapping[str, int] = {"smpl": 24, "smplh": 52, "smplx": 55}
#: Files of SMPL-X have the parts of the pose by name as well; how many joints each has, in the order of the tree.
_PARTS = {"root_orient": 1, "pose_body": 21, "pose_jaw": 1, "pose_eye": 2, "pose_hand": 30}
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
#: Radians that no rotation vector reaches.
_FULL_TURNS = 4 * np.pi
#: What numpy and zipfile raise at damaged files.
_DAMAGES = (
    *(OSError, ValueError, TypeError, EOFError, AttributeError, KeyError, RuntimeError, SyntaxError),
    *(MemoryError, OverflowError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error),
)
_GENDERS = ("female", "male", "neutral")


@dataclass(frozen=True, eq=False)
class SmplMotion:
    """A motion of a body of SMPL's family.

    Attributes:
        name: of the file or motion.
        family: "smpl", "smplh" or "smplx".
        gender: "female", "male", "neutral" or "" where it is not known.
        betas: (S,) shape coefficients.
        poses: (T, J, 3) rotation vectors, radians, each joint against its parent.
        trans: (T, 3) metres, added to everything after the root has turned about the pelvis' joint.
        time: (T,) seconds.
    """

    name: str
    family: str
    gender: str
    betas: Float64
    poses: Float64
    trans: Float64
    time: Float64

    def turned(self, turn: ArrayLike, pelvis: ArrayLike) -> SmplMotion:
        """The same movement in a world turned by ``turn`` (3, 3).

        Args:
            pelvis: (3,) metres: the pelvis' joint of the person at rest, about which the root turns. A turn of
                ``poses`` and ``trans`` without it moves the person by up to decimetres.
        """
        A, centre = np.asarray(turn, float), np.asarray(pelvis, float)
        poses = self.poses.copy()
        poses[:, 0] = log(A @ exp(poses[:, 0]))
        return replace(self, poses=poses, trans=(self.trans + centre) @ A.T - centre)


def is_amass(source: str | Path) -> bool:
    """Whether a path is an ``.npz`` with poses and translation or shape of a body of SMPL's family."""
    if Path(source).suffix.lower() != ".npz":
        return False
    try:
        with np.load(source, allow_pickle=False) as archive:
            return "poses" in archive.files and not {"trans", "betas"}.isdisjoint(archive.files)
    except _DAMAGES:
        return False  # whoever reads it as something else tells what is wrong with it


def read_amass(path: str | Path) -> SmplMotion:
    """Read a motion, in the axes of the file.

    Raises:
        InputError: a damaged file, arrays that do not fit together or are not finite, another number of joints, or no
            frame rate.
    """
    path = Path(path)
    held = _held(path)
    poses, trans, betas = (_numbers(held, name, path) for name in ("poses", "trans", "betas"))
    if poses.ndim > 0 and all(name in held for name in _PARTS):
        parts = {name: _numbers(held, name, path) for name in _PARTS}
        for name, values in parts.items():
            if values.shape[:1] != poses.shape[:1]:
                raise InputError(
                    f"{path}: '{name}' must have a row for each of 'poses' ({len(poses)}); got {values.shape}"
                )
        poses = np.concatenate(
            [values.reshape(len(poses), int(np.prod(values.shape[1:]))) for values in parts.values()], 1
        )
    widths = {3 * count: family for family, count in JOINTS.items()}
    width = int(np.prod(poses.shape[1:]))
    if poses.ndim < 2 or len(poses) == 0 or width not in widths:
        told = ", ".join(f"{width} ({family})" for width, family in widths.items())
        raise InputError(f"{path}: 'poses' must be (T, n) with n one of {told}; got {poses.shape}")
    most = float(np.abs(poses).max())
    if most > _FULL_TURNS:
        raise InputError(f"{path}: 'poses' reaches {most:.4g}; expected radians, are these degrees?")
    if trans.shape != (len(poses), 3):
        raise InputError(f"{path}: 'trans' must be ({len(poses)}, 3), a row for each of 'poses'; got {trans.shape}")
    betas = betas[0] if betas.ndim == 2 and len(betas) == 1 else betas
    if betas.ndim != 1:
        raise InputError(f"{path}: 'betas' must be (S,), one shape for all frames; got {betas.shape}")
    time = np.arange(len(poses)) / _rate(held, path)
    family = widths[width]
    poses = poses.reshape(len(poses), JOINTS[family], 3)
    return SmplMotion(path.stem, family, _gender(held), betas, poses, trans, time)


def write_amass(path: str | Path, motion: SmplMotion) -> None:
    """Write a motion as it is, with the keys of its family's files. Raises OutputError where that is not possible."""
    fps = 1.0 / float(np.median(np.diff(motion.time))) if len(motion.time) > 1 else 30.0
    count = len(motion.poses)
    arrays: dict[str, Any] = {
        "poses": motion.poses.reshape(count, -1),
        "trans": motion.trans,
        "betas": motion.betas,
        "gender": np.array(motion.gender or "neutral"),
        "mocap_frame_rate" if motion.family == "smplx" else "mocap_framerate": np.array(round(fps, 6)),
    }
    if motion.family == "smplx":
        ends = 3 * np.cumsum([0, *_PARTS.values()])
        parts = zip(_PARTS, ends[:-1], ends[1:], strict=True)
        arrays |= {name: arrays["poses"][:, start:end] for name, start, end in parts}
        arrays |= {"surface_model_type": np.array("smplx"), "num_betas": np.array(len(motion.betas))}
    with write_atomically(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _held(path: Path) -> dict[str, NDArray]:
    """What a file holds of what is read; objects, which would be pickles, are left out."""
    wanted = {"poses", "trans", "betas", "gender", *_PARTS, *_RATES}
    held: dict[str, NDArray] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in wanted & set(archive.files):
                try:
                    held[name] = archive[name]
                except ValueError:
                    continue
    except _DAMAGES as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    return held


def _numbers(held: Mapping[str, NDArray], name: str, path: Path) -> Float64:
    if name not in held:
        raise InputError(f"{path}: '{name}' is missing; AMASS files have poses, trans, betas, gender and a frame rate")
    values = held[name]
    if values.dtype.kind not in "fiu":
        raise InputError(f"{path}: '{name}' must be numbers, got {values.dtype}")
    if not np.isfinite(values).all():
        raise InputError(f"{path}: '{name}' holds NaN or infinity; leave those frames out")
    return values.astype(float)


def _rate(held: Mapping[str, NDArray], path: Path) -> float:
    found = next((held[name] for name in _RATES if name in held), None)
    if found is None or found.dtype.kind not in "fiu" or found.size != 1 or not 0 < float(found.item()) < np.inf:
        got = "it is missing" if found is None else f"got {found.dtype} {found.shape}"
        raise InputError(f"{path}: expected frames per second in 'mocap_framerate' or 'mocap_frame_rate'; {got}")
    return float(found.item())


def _gender(held: Mapping[str, NDArray]) -> str:
    value = held["gender"].reshape(-1)[0] if "gender" in held and held["gender"].size else ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.lower() if text.lower() in _GENDERS else ""
