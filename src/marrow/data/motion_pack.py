"""The motions that ship with marrow: skeleton coordinates at 30 Hz, fitted to a subset of the CMU database.

The data was obtained from mocap.cs.cmu.edu; the database was created with funding from NSF EIA-0196217 (see
``motion_pack.NOTICE.txt`` beside the file). Only coordinates that the markers saw are in it: no fingers, no clavicles,
no forearm rotation, no wrists.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marrow.errors import InputError

PACK = Path(__file__).with_name("motion_pack.npz")


@dataclass(frozen=True)
class PackedMotion:
    """One clip of the pack.

    Attributes:
        name: the CMU clip.
        subject: key of :attr:`MotionPack.shapes`.
        split: ``"train"``, ``"A"`` (unseen clips) or ``"B"`` (unseen subject).
        fps: frames per second.
        coordinates: names of the columns of ``q``.
        q: (T, C) float64 radians; ``pelvis_tx/ty/tz`` metres in OpenSim's ground.
        error: root mean square distance of the fitted points to the measured ones, metres.
    """

    name: str
    subject: str
    split: str
    fps: float
    coordinates: tuple[str, ...]
    q: NDArray[np.float64]
    error: float

    def full(self, coordinates: Sequence[str], neutral: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Coordinates of a whole skeleton (T, D): those of the clip by name, the others from ``neutral`` (D,) or 0."""
        q = np.zeros((len(self.q), len(coordinates))) if neutral is None else np.tile(neutral, (len(self.q), 1))
        column = {name: i for i, name in enumerate(coordinates)}
        missing = [name for name in self.coordinates if name not in column]
        if missing:
            raise InputError(f"motion pack: the skeleton lacks {', '.join(missing)}")
        q[:, [column[name] for name in self.coordinates]] = self.q
        return q


@dataclass(frozen=True)
class MotionPack:
    """All clips in one array; iterate for single clips.

    Attributes:
        coordinates: names of the columns of ``q``.
        q: (N, C) float32, all clips one after another; ``pelvis_tx`` and ``pelvis_tz`` start each clip near 0. In the
            file the pelvis is float32 and every other column float16, whose steps (0.06 degrees at 1 rad) are small
            beside the error of the fit; metres and turned-up headings need more.
        clip: (N,) index into ``names``.
        names, subjects, splits: one per clip.
        errors: (clips,) metres, see :class:`PackedMotion`.
        fps: frames per second of every clip.
        shapes: subject to body parameters (those that differ from the default body).
    """

    coordinates: tuple[str, ...]
    q: NDArray[np.float32]
    clip: NDArray[np.int64]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    splits: tuple[str, ...]
    errors: NDArray[np.float64]
    fps: float
    shapes: Mapping[str, Mapping[str, float]]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[PackedMotion]:
        for i in range(len(self.names)):
            yield self.motion(i)

    def motion(self, which: int | str) -> PackedMotion:
        """One clip by index or name."""
        if isinstance(which, str):
            if which not in self.names:
                raise InputError(f"motion pack: no clip {which!r}; it holds {', '.join(self.names[:5])} …")
            which = self.names.index(which)
        q = self.q[self.clip == which].astype(np.float64)
        return PackedMotion(
            self.names[which],
            self.subjects[which],
            self.splits[which],
            self.fps,
            self.coordinates,
            q,
            float(self.errors[which]),
        )

    def select(self, *splits: str) -> list[PackedMotion]:
        """The clips of the named splits."""
        unknown = set(splits) - {"train", "A", "B"}
        if unknown:
            raise InputError(f"motion pack: unknown splits {sorted(unknown)}; expected train, A, B")
        return [self.motion(i) for i, split in enumerate(self.splits) if split in splits]


def write_motion_pack(
    path: str | Path, motions: Sequence[PackedMotion], shapes: Mapping[str, Mapping[str, float]]
) -> None:
    """Write clips of one rate and one set of coordinates as a compressed ``.npz`` without pickles."""
    coordinates, fps = motions[0].coordinates, motions[0].fps
    if any(m.coordinates != coordinates or m.fps != fps for m in motions):
        raise InputError("motion pack: every clip must have the same coordinates and rate")
    q = np.concatenate([m.q for m in motions])
    if not np.isfinite(q).all() or np.abs(q).max() > 1e3:
        raise InputError("motion pack: a clip holds NaN, infinite or very large values")
    pelvis = [i for i, name in enumerate(coordinates) if name.startswith("pelvis_")]
    other = [i for i in range(len(coordinates)) if i not in pelvis]
    about = {
        "coordinates": list(coordinates),
        "fps": fps,
        "names": [m.name for m in motions],
        "subjects": [m.subject for m in motions],
        "splits": [m.split for m in motions],
        "errors": [round(m.error, 5) for m in motions],
        "shapes": {subject: {k: round(float(v), 5) for k, v in shape.items()} for subject, shape in shapes.items()},
    }
    length = np.array([len(m.q) for m in motions], np.int64)
    # columns together compress better than rows
    np.savez_compressed(
        path,
        pelvis=np.ascontiguousarray(q[:, pelvis].T.astype(np.float32)),
        other=np.ascontiguousarray(q[:, other].T.astype(np.float16)),
        length=length,
        about=np.array(json.dumps(about)),
    )


def read_motion_pack(path: str | Path) -> MotionPack:
    """Read a pack written by :func:`write_motion_pack`."""
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        pelvis, other, length = file["pelvis"], file["other"], file["length"]
    is_pelvis = np.array([name.startswith("pelvis_") for name in about["coordinates"]])
    q = np.empty((int(length.sum()), len(is_pelvis)), np.float32)
    q[:, is_pelvis], q[:, ~is_pelvis] = pelvis.T, other.T
    return MotionPack(
        coordinates=tuple(about["coordinates"]),
        q=q,
        clip=np.repeat(np.arange(len(length)), length),
        names=tuple(about["names"]),
        subjects=tuple(about["subjects"]),
        splits=tuple(about["splits"]),
        errors=np.array(about["errors"]),
        fps=float(about["fps"]),
        shapes=about["shapes"],
    )


@functools.cache
def motion_pack() -> MotionPack:
    """The pack that ships with marrow; read once."""
    return read_motion_pack(PACK)
